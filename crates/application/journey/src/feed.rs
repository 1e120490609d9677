//! The keepers' feeds (design 11, rows 15 and 17): pulled by `sync`, kept in the vault, so that a keeper that falls
//! silent or forgets takes nothing back.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::{FeedFact, FeedLine, SignedLine};
use medibloc_dag::cbor;
use medibloc_keys::recover;
use medibloc_ledger::KeeperFacts;
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::party::{change, table};
use crate::ports::Change;
use crate::sync::SyncReport;
use crate::together::{Asked, all};
use crate::{JourneyError, OwnAddress, Party};

/// Seconds between two pulls of `sync`.
const EVERY: u64 = 300;
/// New lines of a keeper for an owner that one pull looks at: each costs the recovery of a key. The next pull goes on.
const MOST_NEW: usize = 1_000;
/// Lines between two looks at whether somebody waits.
const GLANCE: usize = 64;

/// What one keeper tells an owner.
#[derive(Clone, Debug)]
pub struct KeeperFeed {
    /// Which keeper.
    pub index: u8,
    /// All lines that it ever signed, each in its newest count.
    pub lines: Vec<FeedLine>,
    /// Why it did not answer now, if it did not.
    pub silent: Option<String>,
}

/// A line in the vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptLine {
    index: u8,
    owner: AccountId,
    signed: SignedLine,
}

impl KeptLine {
    /// One row for each owner, keeper, record and fact: repeats replace it.
    fn key(&self) -> Vec<u8> {
        let line = &self.signed.line;
        let about = Digest::of(&cbor::to_vec(&(line.record, &line.fact)));
        [
            self.owner.as_bytes().as_slice(),
            &[self.index],
            about.as_bytes(),
        ]
        .concat()
    }
}

/// What was found by a pull.
#[derive(Debug, Default)]
struct Pulled {
    silent: BTreeMap<u8, String>,
    /// Keepers that told what they did not sign: they are asked nothing more.
    forgers: BTreeSet<u8>,
    /// Refusals that were not known, by record, reader and reason, with the keepers that say so. Any one of them may lie.
    refused: BTreeMap<(RecordId, String, String), BTreeSet<u8>>,
    changes: Vec<Change>,
}

impl Pulled {
    /// Refusals in words, each with who says it.
    fn told(&self) -> impl Iterator<Item = (RecordId, String)> {
        self.refused
            .iter()
            .map(|((record, name, reason), keepers)| {
                let all: Vec<String> = keepers.iter().map(ToString::to_string).collect();
                let who = match all.as_slice() {
                    [one] => format!("keeper {one} says"),
                    all => format!("keepers {} say", all.join(", ")),
                };
                (*record, format!("{name}, {who}: {reason}"))
            })
    }
}

/// What was told before.
struct Known {
    lines: BTreeMap<Vec<u8>, KeptLine>,
    count: BTreeMap<(u8, AccountId), usize>,
}

impl Party {
    /// Asks every keeper now, and gives all that they ever told.
    pub async fn feeds(&self) -> Result<Vec<KeeperFeed>, JourneyError> {
        let keepers = self.every_keeper().await?;
        let mut pulled = self.pull_feeds(&keepers).await?;
        let mut lines: BTreeMap<u8, Vec<FeedLine>> = BTreeMap::new();
        for kept in self.rows::<KeptLine>(table::FEEDS)? {
            lines.entry(kept.index).or_default().push(kept.signed.line);
        }
        let feed = |keeper: &KeeperFacts| {
            let mut lines = lines.remove(&keeper.index).unwrap_or_default();
            lines.sort_by_key(|line| (line.first, line.record));
            KeeperFeed {
                index: keeper.index,
                lines,
                silent: pulled.silent.remove(&keeper.index),
            }
        };
        Ok(keepers.iter().map(feed).collect())
    }

    /// All that keepers ever told this home; nobody is asked.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn feeds_kept(&self) -> Result<Vec<KeeperFeed>, JourneyError> {
        let mut feeds: BTreeMap<u8, KeeperFeed> = BTreeMap::new();
        for kept in self.rows::<KeptLine>(table::FEEDS)? {
            let feed = feeds.entry(kept.index).or_insert_with(|| KeeperFeed {
                index: kept.index,
                lines: Vec::new(),
                silent: None,
            });
            feed.lines.push(kept.signed.line);
        }
        let mut feeds: Vec<KeeperFeed> = feeds.into_values().collect();
        for feed in &mut feeds {
            feed.lines.sort_by_key(|line| (line.first, line.record));
        }
        Ok(feeds)
    }

    /// Pulls the feeds unless that was done just now.
    pub(crate) async fn sync_feeds(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let last: Option<Timestamp> = self.row(table::CURSOR, b"feeds")?;
        if last.is_some_and(|last| now.since(last) < EVERY) {
            return Ok(());
        }
        let keepers = self.every_keeper().await?;
        let pulled = self.pull_feeds(&keepers).await?;
        if self.patience.is_called() {
            return Ok(());
        }
        report.refused.extend(pulled.told());
        let serving = match pulled.silent.is_empty() {
            true => BTreeSet::new(),
            false => self.serving().await?,
        };
        let mut gone = BTreeSet::new();
        for (index, why) in pulled.silent {
            match serving.contains(&index) {
                true => report.later.push(format!("feed of keeper {index}: {why}")),
                false => {
                    gone.insert(index);
                }
            }
        }
        self.tell_out_of_service(gone, report)?;
        self.put(table::CURSOR, b"feeds", &now)
    }

    /// The keepers of all committees so far: each is the keepers 1 to its n.
    async fn every_keeper(&self) -> Result<Vec<KeeperFacts>, JourneyError> {
        let newest = self.ports.facts.committee().await?;
        let mut keepers = newest.keepers;
        for id in 1..newest.committee.id {
            let older = self.ports.facts.committee_of(id).await?;
            if let Some(older) = older.filter(|older| older.keepers.len() > keepers.len()) {
                keepers = older.keepers;
            }
        }
        Ok(keepers)
    }

    /// Addresses that keepers may have something to tell: those that own a record.
    fn owners(&self) -> Result<Vec<OwnAddress>, JourneyError> {
        let owners: BTreeSet<AccountId> = self
            .records()?
            .iter()
            .map(|kept| kept.anchor.owner)
            .collect();
        owners
            .into_iter()
            .map(|owner| self.own_address(owner))
            .collect()
    }

    async fn pull_feeds(&self, keepers: &[KeeperFacts]) -> Result<Pulled, JourneyError> {
        let mut pulled = Pulled::default();
        let lines = self.keyed_rows::<KeptLine>(table::FEEDS)?;
        let mut known = Known {
            lines: lines.into_iter().collect(),
            count: BTreeMap::new(),
        };
        for line in known.lines.values() {
            *known.count.entry((line.index, line.owner)).or_default() += 1;
        }
        for own in self.owners()? {
            if self.patience.is_called() {
                break;
            }
            let network = self.ports.network.keepers(&self.signer(&own));
            let mut open: Vec<Asked<'_, _>> = Vec::new();
            for keeper in keepers {
                if pulled.forgers.contains(&keeper.index) {
                    continue;
                }
                let network = network.clone();
                open.push(Box::pin(async move {
                    (keeper, network.feed(keeper.index).await)
                }));
            }
            for (keeper, answer) in all(open).await {
                let trouble = match answer {
                    Ok(lines) => {
                        self.take_lines((keeper, own.id()), lines, &mut known, &mut pulled)
                            .await?
                    }
                    Err(error) => Some(error.to_string()),
                };
                pulled.silent.extend(trouble.map(|why| (keeper.index, why)));
            }
        }
        let changes = core::mem::take(&mut pulled.changes);
        if !changes.is_empty() {
            self.ports.vault.apply(changes)?;
        }
        Ok(pulled)
    }

    /// Takes what is new of a keeper's lines, as far as it signed them, and says why not all. Whatever a keeper sends, others
    /// have their turn meanwhile, and whoever takes something back does not wait for it.
    async fn take_lines(
        &self,
        (keeper, owner): (&KeeperFacts, AccountId),
        lines: Vec<SignedLine>,
        known: &mut Known,
        pulled: &mut Pulled,
    ) -> Result<Option<String>, JourneyError> {
        let index = keeper.index;
        let mut new = 0;
        for (number, signed) in lines.into_iter().enumerate() {
            if number % GLANCE == GLANCE - 1 {
                tokio::task::yield_now().await;
                if self.patience.is_called() {
                    return Ok(Some(
                        "the rest of what it tells waits for the next look".into(),
                    ));
                }
            }
            let kept = KeptLine {
                index,
                owner,
                signed,
            };
            let key = kept.key();
            let old = known.lines.get(&key);
            let line = &kept.signed.line;
            if old.is_some_and(|old| line.count <= old.signed.line.count) {
                continue;
            }
            let is_first = old.is_none();
            if new == MOST_NEW {
                return Ok(Some(format!(
                    "it tells more than {MOST_NEW} new lines at once; the rest waits for the next look"
                )));
            }
            new += 1;
            if !self.is_said_by(keeper, owner, &kept.signed) {
                pulled.forgers.insert(index);
                self.patience.distrust(index);
                return Ok(Some("it did not sign what it tells".into()));
            }
            let count = known.count.entry((index, owner)).or_default();
            if is_first && *count >= bounds::MOST_LINES {
                return Ok(Some(
                    "it tells more lines than can be, which are not kept".into(),
                ));
            }
            *count += usize::from(is_first);
            // A count that rises is no news: a keeper can have it rise as it likes. `medibloc audit` has it.
            if let FeedFact::Refused { reader, reason } = &line.fact
                && is_first
            {
                let refused = (line.record, self.name_of(*reader)?, reason.to_string());
                pulled.refused.entry(refused).or_default().insert(index);
            }
            pulled.changes.push(change(table::FEEDS, &key, &kept));
            known.lines.insert(key, kept);
        }
        Ok(None)
    }

    fn is_said_by(&self, keeper: &KeeperFacts, owner: AccountId, signed: &SignedLine) -> bool {
        let digest = signed.line.digest(keeper.signer, owner, &self.ports.domain);
        recover(&digest, &signed.signature).is_ok_and(|signer| signer == keeper.signer)
    }

    /// The name under which a reader was given a grant.
    fn name_of(&self, reader: AccountId) -> Result<String, JourneyError> {
        let given = self.grants()?.into_iter();
        let mut named = given.filter(|(_, given)| {
            let grant = given.artefact.grant.as_ref();
            grant.is_some_and(|grant| grant.reader == reader)
        });
        let called = self.names()?;
        let name = named.next().map(|(_, given)| called.given(&given));
        Ok(name.unwrap_or_else(|| format!("unknown reader {reader}")))
    }
}
