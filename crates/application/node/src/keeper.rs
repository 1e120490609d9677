//! One keeper's shell: HTTP, facts of the last final block, a database, a clock around the pure machine.

mod disk;
mod keys;
mod missing;
mod public;
mod ready;
mod routes;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use axum::Router;
use medibloc_consent::{RefusalReason, SignedRequest};
use medibloc_keeper::{
    Effect, Event, Facts as View, GrantView, KeeperIdentity, RecordView, Reply, State, step,
};
use medibloc_keys::{recover, wipe_stack};
use medibloc_ledger::{Events, Facts};
use medibloc_record::{AccountId, Address, Digest, RecordId, TypedDomain};

use crate::chain::Follower;
use crate::clock::{Clock, OsEntropy};
use crate::db::DbError;
use crate::fault::Fault;
use crate::figures;
use crate::guard::Guard;
use crate::limits::DailyLimits;
use crate::readiness::Board;
use crate::upkeep::Upkeep;
use disk::Disk;
pub use keys::{KeeperKeys, KeyFileError};
pub use public::{KeeperPublicKeys, PublicKeysError};

/// What a keeper is told.
#[derive(Clone, Debug)]
pub struct KeeperConfig {
    /// The URL that the contract `Keepers` has for it, without a slash at its end.
    pub url: String,
    /// Where its databases are; in memory if none.
    pub folder: Option<PathBuf>,
    /// The file of its keys: looked at again, since wrap keys are rotated there and destroyed when their time is over.
    pub keys: Option<PathBuf>,
    /// The deployment.
    pub domain: TypedDomain,
    /// The block of the deployment; no event is older.
    pub first_block: u64,
    /// Seconds that finality lags behind the clock.
    pub finality_lag: u64,
    /// What a day allows.
    pub limits: DailyLimits,
}

/// What a keeper stands on.
#[derive(Clone)]
pub struct Keeper {
    /// Its keys.
    pub keys: KeeperKeys,
    /// Answers from its own chain node's last final block.
    pub facts: Arc<dyn Facts>,
    /// Final events.
    pub events: Arc<dyn Events>,
    /// Tells the time.
    pub clock: Clock,
}

impl core::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Keeper")
            .field("keys", &self.keys)
            .finish_non_exhaustive()
    }
}

/// The keeper's router.
///
/// # Errors
/// If its databases cannot be opened, or were written with other keys.
pub fn keeper(on: Keeper, config: KeeperConfig) -> Result<Router, DbError> {
    Ok(keeper_with_upkeep(on, config)?.0)
}

/// The keeper's router, and what follows the chain for it while nobody asks.
///
/// # Errors
/// As [`keeper`].
pub fn keeper_with_upkeep(on: Keeper, config: KeeperConfig) -> Result<(Router, Upkeep), DbError> {
    let identity = on.keys.identity(config.domain, config.finality_lag);
    let keys = OwnKeys {
        seen: config.keys.as_deref().and_then(seen),
        file: config.keys,
        keys: on.keys.clone(),
        domain: config.domain,
        finality_lag: config.finality_lag,
    };
    let little_room = config.limits.little_room;
    let disk = Disk::open(config.folder.as_deref(), on.keys.storage())?;
    let state = disk.load((on.clock)())?;
    let follower = Arc::new(Follower::open(
        on.facts,
        on.events,
        config.first_block,
        config.folder.as_deref(),
    )?);
    let guard = Guard::open(
        config.folder.as_deref(),
        &config.url,
        config.domain,
        on.clock.clone(),
        follower.clone(),
        config.limits,
    )?;
    let shell = Arc::new(Shell {
        guard,
        follower,
        clock: on.clock,
        folder: config.folder,
        little_room,
        board: Board::default(),
        core: Arc::new(Core {
            identity: RwLock::new(Arc::new(identity)),
            keys: Mutex::new(keys),
            disk,
            state: Mutex::new(Some(state)),
        }),
    });
    let (router, operator) = routes::routers(shell.clone());
    Ok((router, Upkeep::of_keeper(shell, operator)))
}

/// The machine with its disk; one step at a time.
struct Core {
    identity: RwLock<Arc<KeeperIdentity>>,
    keys: Mutex<OwnKeys>,
    disk: Disk,
    /// None after a failed write: it is loaded again, so that it is never ahead of the disk.
    state: Mutex<Option<State>>,
}

/// The keys, and where they come from.
struct OwnKeys {
    keys: KeeperKeys,
    file: Option<PathBuf>,
    /// The file as it was read.
    seen: Option<Seen>,
    domain: TypedDomain,
    finality_lag: u64,
}

/// What tells one writing of a file from the next. Its time alone does not: a clock's tick has room for two.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Seen {
    inode: u64,
    length: u64,
    written: Option<SystemTime>,
}

fn seen(path: &Path) -> Option<Seen> {
    use std::os::unix::fs::MetadataExt as _;
    let about = std::fs::metadata(path).ok()?;
    Some(Seen {
        inode: about.ino(),
        length: about.len(),
        written: about.modified().ok(),
    })
}

pub(crate) struct Shell {
    pub(crate) guard: Guard,
    follower: Arc<Follower>,
    clock: Clock,
    folder: Option<PathBuf>,
    /// Free bytes of its disk, under which its operator is told.
    little_room: u64,
    board: Board,
    core: Arc<Core>,
}

impl Shell {
    /// Brings the facts to the last final block and destroys shares of records that were erased since.
    pub(crate) async fn refresh(&self) -> Result<View, Fault> {
        let head = self.follower.refresh().await?;
        let erased: Vec<RecordId> = self
            .follower
            .read(|model| model.to_erase.iter().copied().collect());
        let nothing = View {
            head: head.time,
            record: None,
            grant: None,
            receipt: None,
            signer: None,
            signer_has_grant: false,
            bound_signer: None,
            bound_account_is_good: false,
        };
        let any = !erased.is_empty();
        for record in erased {
            let view = View {
                record: self.record(record),
                ..nothing.clone()
            };
            self.step(Event::Erased { record }, view, None).await?;
            self.follower.change(|model| model.to_erase.remove(&record));
        }
        if any {
            let core = self.core.clone();
            let again = tokio::task::spawn_blocking(move || core.disk.destroy_again());
            again
                .await
                .map_err(|_| Fault::from(DbError::Interrupted))??;
        }
        Ok(nothing)
    }

    /// What a keeper does while nobody asks: [`Shell::refresh`], and a look at its own keys.
    pub(crate) async fn upkeep(&self) -> Result<(), Fault> {
        if let Err(error) = self.mind_keys().await? {
            tracing::error!(%error, "the key file was not taken");
        }
        let refreshed = self.refresh().await;
        // Told though nobody asks.
        drop(self.readiness().await);
        self.guard.forget_days_before().await?;
        refreshed.map(drop)
    }

    /// Looks at its own key file, and says what is wrong with it.
    pub(crate) async fn mind_keys(&self) -> Result<Result<(), KeyFileError>, Fault> {
        // What is destroyed never comes back: neither a wrong clock nor a wrong chain is enough for that.
        let seen = self.follower.read(|model| model.time());
        let (core, now) = (self.core.clone(), (self.clock)().min(seen));
        let looked = tokio::task::spawn_blocking(move || core.mind_keys(now));
        looked.await.map_err(|_| DbError::Interrupted.into())
    }

    /// How far it is behind its chain, its disk, its limits.
    pub(crate) fn figures(&self, to: &mut String) {
        self.board.figures(to);
        figures::of_chain(to, &self.follower, &self.clock);
        let index = self.core.identity().index;
        if let Some(since) = self.follower.read(|model| model.wrap_key_since(index)) {
            figures::gauge(
                to,
                "medibloc_wrap_key_seconds",
                "Seconds since the chain has this keeper's wrap key.",
                (self.clock)().since(since),
            );
        }
        self.missing(to);
        figures::counter(
            to,
            "medibloc_erased_again_total",
            "Keys of erased records' shares that an older copy had brought back, and that were destroyed again.",
            self.core.disk.erased_again(),
        );
        figures::of_disk(to, self.folder.as_deref());
        self.guard.figures(to);
    }

    fn mark(&self) -> Option<medibloc_ledger::Mark> {
        self.follower.mark()
    }

    /// Whether an address signs for an account on the last final block: the guard may have asked an older one.
    pub(crate) async fn acts_for(
        &self,
        address: Address,
        account: AccountId,
    ) -> Result<bool, Fault> {
        self.refresh().await?;
        Ok(self.follower.account_of(address).await? == Some(account))
    }

    /// Whether an account is owner or author of a record.
    pub(crate) fn is_party(&self, account: AccountId, record: RecordId) -> bool {
        self.follower.read(|model| model.is_party(account, record))
    }

    fn record(&self, record: RecordId) -> Option<RecordView> {
        self.follower.read(|model| {
            let entry = model.record(record)?;
            Some(RecordView {
                anchor: entry.anchor,
                committee: model.committee_at(entry.block)?,
                erased: entry.erased,
            })
        })
    }

    /// Asks the machine about one record.
    pub(crate) async fn ask(&self, event: Event) -> Result<Reply, Fault> {
        let view = self.refresh().await?;
        let record = match &event {
            Event::Deposit { deposit, .. } => deposit.record,
            Event::Acknowledgement { record } | Event::Erased { record } => *record,
            Event::Release(request) => request.request.record,
        };
        let mut view = View {
            record: self.record(record),
            ..view
        };
        let mut answered = None;
        if let Event::Release(request) = &event {
            view = self.about(request, view).await?;
            let digest = request.request.digest(&self.core.identity().domain);
            answered = Some((Digest::new(digest), request.request.expiry));
        }
        self.step(event, view, answered).await
    }

    /// The facts that a reader's request names.
    async fn about(&self, signed: &SignedRequest, view: View) -> Result<View, Fault> {
        let facts = &self.follower.facts;
        let request = &signed.request;
        let digest = request.digest(&self.core.identity().domain);
        let signer = match recover(&digest, &signed.signature) {
            Ok(address) => self.follower.account_of(address).await?,
            Err(_) => None,
        };
        let owner = view.record.map(|record| record.anchor.owner);
        let (grant, receipt, signer_has_grant) = self.follower.read(|model| {
            let grant = model.grant(request.grant).map(|entry| GrantView {
                grant: entry.grant.clone(),
                revoked: entry.revoked,
            });
            let has_grant = match (owner, signer) {
                (Some(owner), Some(signer)) => model.has_any_grant(owner, signer),
                _ => false,
            };
            (grant, model.receipt(request.receipt), has_grant)
        });
        let now = (self.clock)().max(view.head);
        let (bound_signer, bound_account_is_good) = match &request.binding {
            Some(binding) => {
                // A receipt that it got while it might not read is none for later: no proof of such a read would hold.
                let mut is_good = facts.standing(binding.account, now).await?.is_good();
                if let (true, Some(receipt)) = (is_good, &receipt) {
                    is_good = facts.standing(binding.account, receipt.at).await?.is_good();
                }
                let account = facts.account(binding.account).await?;
                (account.map(|it| it.signer), is_good)
            }
            None => (None, false),
        };
        Ok(View {
            grant,
            receipt,
            signer,
            signer_has_grant,
            bound_signer,
            bound_account_is_good,
            ..view
        })
    }

    /// One step; what it does is durable before its reply leaves.
    async fn step(
        &self,
        event: Event,
        view: View,
        answered: Option<(Digest, medibloc_record::Timestamp)>,
    ) -> Result<Reply, Fault> {
        let (core, now) = (self.core.clone(), (self.clock)());
        let worked = tokio::task::spawn_blocking(move || core.step(&event, &view, answered, now))
            .await
            .map_err(|_| Fault::from(DbError::Interrupted))?;
        Ok(worked?)
    }

    /// The feed of one owner.
    pub(crate) async fn feed(
        &self,
        owner: AccountId,
    ) -> Result<Vec<medibloc_consent::SignedLine>, Fault> {
        let (core, now) = (self.core.clone(), (self.clock)());
        let read = move || core.with(now, |state| state.feed().of(owner).to_vec());
        let lines = tokio::task::spawn_blocking(read)
            .await
            .map_err(|_| Fault::from(DbError::Interrupted))?;
        Ok(lines?)
    }

    /// The URL that the chain's committee has for this keeper with these keys; none if it does not have it.
    pub(crate) async fn known_as(&self) -> Result<Option<String>, Fault> {
        let committee = self.follower.committee().await?;
        let own = self.core.identity();
        let found = committee.keepers.iter().find(|it| {
            it.index == own.index
                && it.signer == own.address()
                && own.wrap_keys.iter().any(|key| key.public() == it.wrap_key)
        });
        Ok(found.map(|it| it.endpoint.clone()))
    }
}

impl Core {
    fn identity(&self) -> Arc<KeeperIdentity> {
        let identity = self.identity.read();
        identity.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over wrap keys that were rotated in the file, and destroys those whose time is over.
    fn mind_keys(&self, now: medibloc_record::Timestamp) -> Result<(), KeyFileError> {
        let mut own = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let written = own.file.as_deref().and_then(seen);
        let mut keys = None;
        if let Some(file) = own.file.clone()
            && written != own.seen
        {
            let read = KeeperKeys::read(&file)?;
            own.seen = written;
            if !read.is_same_keeper(&own.keys) {
                return Err(KeyFileError::Malformed {
                    path: file.display().to_string(),
                    why: "it is another keeper's; start that keeper with it",
                });
            }
            keys = Some(read);
        }
        let newest = keys.as_ref().unwrap_or(&own.keys);
        if let Some(kept) = newest.without_old(now) {
            keys = Some(match own.file.clone() {
                Some(file) => {
                    let drop_old = |keys: KeeperKeys| keys.without_old(now).unwrap_or(keys);
                    let kept = KeeperKeys::change(&file, drop_old)?;
                    own.seen = seen(&file);
                    kept
                }
                None => kept,
            });
            tracing::info!("a wrap key whose time is over is destroyed");
        }
        if let Some(keys) = keys {
            let identity = Arc::new(keys.identity(own.domain, own.finality_lag));
            let (before, version) = (own.keys.wrap_key().version, keys.wrap_key().version);
            if version != before {
                tracing::info!(
                    version,
                    "the wrap key was rotated; the one before is taken for seven days more"
                );
            }
            own.keys = keys;
            *self
                .identity
                .write()
                .unwrap_or_else(PoisonError::into_inner) = identity;
        }
        Ok(())
    }

    fn with<T>(
        &self,
        now: medibloc_record::Timestamp,
        work: impl FnOnce(&mut State) -> T,
    ) -> Result<T, DbError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = match state.take() {
            Some(state) => state,
            None => self.disk.load(now)?,
        };
        Ok(work(state.insert(loaded)))
    }

    /// One step; nothing of a share is left on the stack when it returns.
    fn step(
        &self,
        event: &Event,
        view: &View,
        answered: Option<(Digest, medibloc_record::Timestamp)>,
        now: medibloc_record::Timestamp,
    ) -> Result<Reply, DbError> {
        let reply = self.durable_step(event, view, answered, now);
        wipe_stack();
        reply
    }

    fn durable_step(
        &self,
        event: &Event,
        view: &View,
        answered: Option<(Digest, medibloc_record::Timestamp)>,
        now: medibloc_record::Timestamp,
    ) -> Result<Reply, DbError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken out: whatever fails below, the next step loads what is durable.
        let mut own = match state.take() {
            Some(state) => state,
            None => self.disk.load(now)?,
        };
        let identity = self.identity();
        let effects = step(&mut own, &identity, event, view, now, &mut OsEntropy);
        let mut reply = Reply::Refused(RefusalReason::UnknownRecord);
        let mut durable = Vec::with_capacity(effects.len());
        for effect in effects {
            match effect {
                Effect::Reply(said) => reply = said,
                effect => durable.push(effect),
            }
        }
        let released = matches!(&reply, Reply::Released(signed)
            if matches!(signed.reply, medibloc_consent::KeeperReply::Released(_)));
        self.disk
            .keep(&durable, answered.filter(|_| released), now)?;
        *state = Some(own);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_consent::{AnchorFields, KeeperRequest};
    use medibloc_keys::SeededEntropy;
    use medibloc_record::{
        ClassId, Committee, GrantId, Kind, Nonce, ReceiptId, Signature, Threshold, Timestamp,
    };

    const NOW: Timestamp = Timestamp(1_000);
    const OWNER: AccountId = AccountId::new([4; 20]);
    const DOMAIN: TypedDomain = TypedDomain {
        chain_id: 1,
        records: Address::new([1; 20]),
    };

    fn anchor(nonce: u32) -> AnchorFields {
        let digest = Digest::new([5; 32]);
        AnchorFields {
            nonce: Nonce::new(medibloc_record::keccak256(&nonce.to_be_bytes())),
            author: OWNER,
            owner: OWNER,
            package: digest,
            key_set: digest,
            capsule: digest,
            attestation: digest,
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        }
    }

    /// A stranger's request for a record: it is refused, and the owner's feed counts it.
    fn strange(keeper: Address, nonce: u32) -> Event {
        let request = KeeperRequest {
            version: 1,
            keeper,
            record: anchor(nonce).record_id(),
            grant: GrantId::new([1; 32]),
            receipt: ReceiptId::new([1; 32]),
            one_time_key: [1; 32],
            binding: None,
            expiry: NOW,
        };
        let signature = Signature::new([0; 65]);
        Event::Release(Box::new(SignedRequest { request, signature }))
    }

    fn view(nonce: u32) -> View {
        View {
            head: NOW,
            record: Some(RecordView {
                anchor: anchor(nonce),
                committee: Committee {
                    id: 1,
                    threshold: Threshold::new(1, 1).unwrap(),
                },
                erased: false,
            }),
            grant: None,
            receipt: None,
            signer: None,
            signer_has_grant: false,
            bound_signer: None,
            bound_account_is_good: false,
        }
    }

    #[test]
    fn on_a_full_disk_nothing_is_answered_and_nothing_known_that_is_not_durable() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeeperKeys::generate(1, &mut SeededEntropy::new(1));
        let disk = Disk::open(Some(folder.path()), keys.storage()).unwrap();
        let core = Core {
            identity: RwLock::new(Arc::new(keys.identity(DOMAIN, 0))),
            keys: Mutex::new(OwnKeys {
                keys: keys.clone(),
                file: None,
                seen: None,
                domain: DOMAIN,
                finality_lag: 0,
            }),
            disk,
            state: Mutex::new(Some(State::new())),
        };
        let ask = |nonce| core.step(&strange(keys.signer(), nonce), &view(nonce), None, NOW);
        let told = |nonce| {
            let record = anchor(nonce).record_id();
            let of = |state: &mut State| {
                let mut lines = state.feed().of(OWNER).iter();
                lines
                    .find(|line| line.line.record == record)
                    .map(|line| line.line.count)
            };
            core.with(NOW, of).unwrap()
        };
        assert!(matches!(ask(0), Ok(Reply::Released(_))));
        assert_eq!(told(0), Some(1));
        core.disk.limit_pages(1);
        let full = (1..1_000).find(|nonce| ask(*nonce).is_err());
        let full = full.expect("the file cannot grow");
        let error = ask(full).unwrap_err();
        assert!(error.is_full(), "{error}");
        assert_eq!(told(full), None, "only what is durable is known");
        assert_eq!(told(full - 1), Some(1), "nothing acknowledged is lost");
        core.disk.limit_pages(1 << 20);
        assert!(matches!(ask(full), Ok(Reply::Released(_))));
        assert_eq!(told(full), Some(1));
    }

    #[test]
    fn a_running_keeper_takes_a_new_wrap_key_and_destroys_the_one_before_when_its_time_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keeper.json");
        let mut entropy = SeededEntropy::new(1);
        let keys = KeeperKeys::generate(1, &mut entropy);
        keys.write(&file).unwrap();
        let disk = Disk::open(None, keys.storage()).unwrap();
        let core = Core {
            identity: RwLock::new(Arc::new(keys.identity(DOMAIN, 0))),
            keys: Mutex::new(OwnKeys {
                seen: seen(&file),
                file: Some(file.clone()),
                keys: keys.clone(),
                domain: DOMAIN,
                finality_lag: 0,
            }),
            disk,
            state: Mutex::new(Some(State::new())),
        };
        let versions = || -> Vec<u32> {
            let identity = core.identity();
            let keys = identity.wrap_keys.iter();
            keys.map(|key| key.version()).collect()
        };
        core.mind_keys(NOW).unwrap();
        assert_eq!(versions(), [1]);
        KeeperKeys::change(&file, |keys| keys.rotated(&mut entropy).retire(NOW)).unwrap();
        core.mind_keys(NOW).unwrap();
        assert_eq!(versions(), [2, 1], "both are accepted");
        let week = 7 * 86_400;
        core.mind_keys(NOW.plus(week - 1)).unwrap();
        assert_eq!(versions(), [2, 1]);
        core.mind_keys(NOW.plus(week)).unwrap();
        assert_eq!(versions(), [2]);
        let left = KeeperKeys::read(&file).unwrap().identity(DOMAIN, 0);
        assert_eq!(left.wrap_keys.len(), 1, "and is gone from the file");
        // Somebody puts another keeper's file there: this one goes on as it was, and says so.
        std::fs::remove_file(&file).unwrap();
        let other = KeeperKeys::generate(2, &mut entropy);
        other.write(&file).unwrap();
        let error = core.mind_keys(NOW).unwrap_err().to_string();
        assert!(error.contains("another keeper"), "{error}");
        assert_eq!(core.identity().address(), keys.signer());
    }
}
