//! Events that could not be taken when they came: the chain names an object that no node gives out now, or somebody does
//! not answer. Each is a row that is tried again, so that the cursor may pass and nothing is lost with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use medibloc_consent::Scope;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, GrantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::{is_missing, is_temporary};
use crate::bounds::MOST_CONSENTS;
use crate::fair::{FAILURES_A_SYNC, Turn, in_turn};
use crate::pairing::Promise;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::{JourneyError, Lacks, NotTaken, Party, SyncReport, counted};

/// An event that waits to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missed {
    pub(crate) at: EventRef,
    event: Event,
    turn: Turn,
    because: String,
    /// When it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    /// What this home's deployment file does not have; it is tried again when it has that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lacks: Option<Lacks>,
    /// It is a consent of an own address whose object is there, and this program cannot read it: a later version's, or anybody's who
    /// has the phrase. The row goes when the consent has ended.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    unread: bool,
}

/// Rows that one giver of grants may have here which no pairing explains: more of its are not kept, and of nobody else. As many may
/// name one reader address that an owner was offered: what the owner itself gives to that is explained.
const MOST_UNEXPLAINED: usize = 256;
/// How long a grant that may be a stranger's waits for its object, and tries that it has at least.
const EXPIRY: (u64, u32) = (30 * 86_400, 2);

/// What is said of one that may have been an owner's.
const NEVER_CAME: &str = "a consent to an address that was offered to a contact, whose object no node gave for thirty days, is not \
looked for any more; if the contact says that it gave one, ask it to give it again";
/// Objects that one sync does not find of grants that may be an owner's or of somebody who saw its call; it looks for no more.
const MOST_PERHAPS: u32 = 256;

/// What a sync knows by heart: owners whose grants are held, and what is missed.
#[derive(Debug)]
pub(crate) struct Known {
    /// Owners of held grants that have not ended.
    pub(crate) givers: BTreeSet<AccountId>,
    /// How many of them each pairing gave.
    pub(crate) consents: BTreeMap<AccountId, usize>,
    /// Who gave the first consent that is held, or was, to each own reader address.
    pub(crate) opened_from: BTreeMap<AccountId, AccountId>,
    /// Missed grants, with who gave them, and whether a pairing explains them.
    grants: BTreeMap<GrantId, (AccountId, Explained)>,
    /// Rows of each giver, and to each offered reader address, that no pairing explains.
    unexplained: BTreeMap<AccountId, usize>,
    /// Objects of grants that may be an owner's that this sync did not find: of each giver.
    not_found: BTreeMap<AccountId, u32>,
}

impl Known {
    pub(crate) const fn new() -> Self {
        Self {
            givers: BTreeSet::new(),
            consents: BTreeMap::new(),
            opened_from: BTreeMap::new(),
            grants: BTreeMap::new(),
            unexplained: BTreeMap::new(),
            not_found: BTreeMap::new(),
        }
    }

    /// Before the rows are read again.
    pub(crate) fn forget_missed(&mut self) {
        self.grants.clear();
        self.unexplained.clear();
        self.not_found.clear();
    }
}

/// Whether a pairing that stands here explains an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Explained {
    Yes,
    /// It has the tag of an address that an owner was offered, and no consent to that was opened yet: the owner's, or of somebody
    /// who saw the owner's call before its block.
    Perhaps,
    /// It may be a stranger's, or of a pairing that a restored device does not know yet.
    NotYet,
}

/// What became of an event that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is tried again, and told until it is taken.
    Yes,
    /// It is tried again, and may be owed.
    Perhaps,
    /// It is tried again; nothing says that it is owed.
    Unexplained,
    /// Its giver has too many of the kind.
    No,
}

impl Missed {
    fn key(&self) -> Vec<u8> {
        [
            self.at.block.to_be_bytes().as_slice(),
            &self.at.index.to_be_bytes(),
        ]
        .concat()
    }

    pub(crate) fn row(&self) -> Change {
        change(table::MISSED, &self.key(), self)
    }

    /// What the chain has of an own consent that cannot be read here.
    fn unread_consent(&self) -> Option<NotTaken> {
        let because = || self.because.clone();
        self.unread
            .then(|| NotTaken::of(self.at, &self.event, because()))
            .flatten()
    }

    fn gone(&self) -> Change {
        Change::Delete {
            table: table::MISSED,
            key: self.key(),
        }
    }

    /// Whether it is an own consent that cannot be read here.
    pub(crate) const fn is_unread(&self) -> bool {
        self.unread
    }

    /// Of what may be an owner's the first is told, and all are counted.
    pub(crate) fn tell(&self, explained: Explained, report: &mut SyncReport) {
        match explained {
            Explained::Perhaps => {
                report
                    .missed
                    .extend((report.unopened == 0).then(|| self.told()));
                report.unopened += 1;
            }
            Explained::Yes => report.missed.push(self.told()),
            Explained::NotYet => report.unexplained += 1,
        }
    }

    /// What is missing, for people.
    pub(crate) fn told(&self) -> String {
        if let Some(given) = self.unread_consent() {
            return format!(
                "consent {} (block {}), which your phrase gave to account {}, cannot be read here, tried {}: {}; `medibloc grant revoke \
                 {}` takes it back",
                given.id,
                self.at.block,
                given.to,
                counted(self.turn.tries, "time"),
                self.because,
                given.id
            );
        }
        let what = match &self.event {
            Event::Granted(grant) => format!("consent {}", grant.id),
            Event::WriteGranted(_) => "a permission to write".to_owned(),
            Event::Delivered { grant, number, .. } => {
                format!("key list {number} of consent {grant}")
            }
            Event::ReadOpened { record, reader, .. } => format!("a read of {record} by {reader}"),
            _ => "an event".to_owned(),
        };
        format!(
            "{what} (block {}) is not taken yet, tried {}: {}",
            self.at.block,
            counted(self.turn.tries, "time"),
            self.because
        )
    }
}

/// Whether an event can be taken when others answer, an object is there, or this home has a newer deployment file.
fn may_pass(error: &JourneyError) -> bool {
    is_temporary(error) || is_missing(error) || matches!(error, JourneyError::Outdated { .. })
}

/// Whether an event is a consent that an own address gave.
fn gives(own: &BTreeMap<AccountId, OwnAddress>, event: &Event) -> bool {
    match event {
        Event::Granted(grant) => own.contains_key(&grant.owner),
        Event::WriteGranted(write) => own.contains_key(&write.owner),
        _ => false,
    }
}

fn lacks(error: &JourneyError) -> Option<Lacks> {
    match error {
        JourneyError::Outdated { lacks, .. } => Some(lacks.clone()),
        _ => None,
    }
}

impl Party {
    pub(crate) fn known<T>(&self, ask: impl FnOnce(&mut Known) -> T) -> T {
        ask(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who caused an event.
    fn cause(&self, event: &Event) -> AccountId {
        match event {
            Event::Granted(grant) => grant.owner,
            Event::WriteGranted(write) => write.owner,
            Event::ReadOpened { reader, .. } => *reader,
            Event::Delivered { grant, .. } => self.known(|known| {
                let giver = known.grants.get(grant).map(|(giver, _)| *giver);
                giver.unwrap_or(AccountId::new([0; 20]))
            }),
            _ => AccountId::new([0; 20]),
        }
    }

    /// Whether an event is of a pairing that stands here, or of an own address.
    pub(crate) fn explained(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<Explained, JourneyError> {
        let (giver, promise) = match event {
            Event::Granted(grant) => (grant.owner, self.promise(grant)?),
            Event::WriteGranted(write) => (write.owner, Promise::Not),
            Event::Delivered { grant, .. } => {
                let missed = self.known(|known| known.grants.get(grant).map(|(_, how)| *how));
                return Ok(missed.unwrap_or(Explained::Yes));
            }
            _ => return Ok(Explained::Yes),
        };
        if own.contains_key(&giver) || self.patron(giver).is_ok() {
            return Ok(Explained::Yes);
        }
        Ok(match promise {
            Promise::Kept => Explained::Yes,
            Promise::Open => Explained::Perhaps,
            Promise::Not => Explained::NotYet,
        })
    }

    /// The same for what only says that it is so.
    pub(crate) fn is_explained(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<bool, JourneyError> {
        Ok(self.explained(own, event)? == Explained::Yes)
    }

    /// Whether an event waits for the next sync, which has a budget for objects that no pairing explains again. Nothing is
    /// asked or given up for it.
    pub(crate) fn is_put_off(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<bool, JourneyError> {
        if let Event::Granted(grant) = event
            && own.contains_key(&grant.reader)
            && self.explained(own, event)? == Explained::Perhaps
        {
            // Each giver has so many looks, and all of them: who else has the tag keeps nobody from being looked at.
            return Ok(self.known(|known| {
                let of = known.not_found.get(&grant.owner).copied();
                let all: u32 = known.not_found.values().sum();
                of.unwrap_or_default() >= FAILURES_A_SYNC || all >= MOST_PERHAPS
            }));
        }
        if self.unexplained.load(Ordering::Relaxed) > 0 {
            return Ok(false);
        }
        Ok(match event {
            Event::Granted(grant) if own.contains_key(&grant.reader) => {
                let vault = &self.ports.vault;
                let held = vault.get(table::SHARED_GRANTS, grant.id.as_bytes())?;
                held.is_none() && self.promise(grant)? == Promise::Not
            }
            Event::WriteGranted(write) if own.contains_key(&write.author) => {
                self.patron(write.owner).is_err()
            }
            _ => false,
        })
    }

    /// Keeps an event that was not taken, for the next syncs. Of a giver that no pairing explains only so many.
    pub(crate) fn keep_missed(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        missed: &Missed,
    ) -> Result<Kept, JourneyError> {
        let explained = self.explained(own, &missed.event)?;
        let counted = self.counted_to(&missed.event)?;
        if self.is_full_of(explained, &counted) {
            return Ok(Kept::No);
        }
        self.ports.vault.apply(vec![missed.row()])?;
        self.note_missed(&missed.event, explained)?;
        Ok(match explained {
            Explained::Yes => Kept::Yes,
            Explained::Perhaps => Kept::Perhaps,
            Explained::NotYet => Kept::Unexplained,
        })
    }

    /// Whether there is no room for one more row of these. What may be an owner's is not counted to its address: whoever comes
    /// first with the tag would keep out whom it was offered to.
    fn is_full_of(&self, explained: Explained, counted: &[AccountId]) -> bool {
        self.known(|known| {
            let rows = |of: &AccountId| known.unexplained.get(of).copied().unwrap_or_default();
            match explained {
                Explained::Yes => false,
                Explained::Perhaps => counted.first().is_some_and(|of| rows(of) >= MOST_CONSENTS),
                Explained::NotYet => counted.iter().any(|of| rows(of) >= MOST_UNEXPLAINED),
            }
        })
    }

    /// Counts one that was looked for and not found.
    pub(crate) fn note_not_found(&self, event: &Event) {
        let giver = self.cause(event);
        self.known(|known| *known.not_found.entry(giver).or_default() += 1);
    }

    /// Whose rows an event that no pairing explains is one of: its giver's, and the reader address's that it names.
    fn counted_to(&self, event: &Event) -> Result<Vec<AccountId>, JourneyError> {
        let mut counted = vec![self.cause(event)];
        if let Event::Granted(grant) = event {
            let key = grant.reader.first_address();
            // Consents to a private reader have no tag, so that its owners' are among these.
            let has_tag = !grant.terms.binding.is_none() || self.credential()?.is_some();
            let offered = self.ports.vault.get(table::OFFERED, key.as_bytes())?;
            if has_tag && offered.is_some() {
                counted.push(grant.reader);
            }
        }
        Ok(counted)
    }

    fn note_missed(&self, event: &Event, explained: Explained) -> Result<(), JourneyError> {
        let counted = self.counted_to(event)?;
        self.known(|known| {
            if let Event::Granted(grant) = event {
                known.grants.insert(grant.id, (grant.owner, explained));
            }
            if explained != Explained::Yes {
                for of in counted {
                    *known.unexplained.entry(of).or_default() += 1;
                }
            }
        });
        Ok(())
    }

    /// The row of an event that could not be taken for a reason that may pass, or of an own consent, for any: whoever gave it, it
    /// stands. None if it never will be taken.
    pub(crate) fn missed(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        at: EventRef,
        event: &Event,
        error: &JourneyError,
    ) -> Option<Missed> {
        let now = self.ports.clock.now();
        let passes = may_pass(error);
        (passes || gives(own, event)).then(|| Missed {
            turn: Turn::default().failed(now),
            because: error.to_string(),
            lacks: lacks(error),
            unread: !passes,
            ..self.not_looked_at(at, event)
        })
    }

    /// Keeps an own consent whose object is there and cannot be read here; whether it is one.
    pub(crate) fn keep_unread(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        at: EventRef,
        event: &Event,
        error: &JourneyError,
    ) -> Result<bool, JourneyError> {
        let missed = self.missed(own, at, event, error);
        let Some(missed) = missed.filter(|missed| missed.unread) else {
            return Ok(false);
        };
        let is_kept = self.ports.vault.get(table::MISSED, &missed.key())?;
        if is_kept.is_none() {
            self.ports.vault.apply(vec![missed.row()])?;
        }
        Ok(true)
    }

    /// The row of an event that was not looked at.
    pub(crate) fn not_looked_at(&self, at: EventRef, event: &Event) -> Missed {
        Missed {
            at,
            event: event.clone(),
            turn: Turn::default(),
            because: "it is one of many of unknown givers, which are looked at in turn".into(),
            since: Some(self.ports.clock.now()),
            lacks: None,
            unread: false,
        }
    }

    /// Events that wait to be taken.
    pub(crate) fn missed_events(&self) -> Result<Vec<(EventRef, Event)>, JourneyError> {
        let rows: Vec<Missed> = self.rows(table::MISSED)?;
        let events = rows.into_iter().map(|missed| (missed.at, missed.event));
        Ok(events.collect())
    }

    /// Tries missed events again, in turn over who caused them; tells those that still wait.
    pub(crate) async fn resume_missed(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let mut failures: BTreeMap<AccountId, u32> = BTreeMap::new();
        for mut missed in self.missed_in_turn(own, report)? {
            let explained = self.explained(own, &missed.event)?;
            let failed = failures.entry(self.cause(&missed.event)).or_default();
            let is_due = match &missed.lacks {
                None => missed.turn.is_due(now),
                Some(lacks) => self.has_by_now(lacks),
            };
            if missed.lacks.is_some() && !is_due && self.is_over(own, &missed.event).await? {
                self.drop_missed(&missed)?;
                continue;
            }
            if !is_due || *failed >= FAILURES_A_SYNC || self.is_put_off(own, &missed.event)? {
                missed.tell(explained, report);
                continue;
            }
            if self.is_over(own, &missed.event).await? {
                self.drop_missed(&missed)?;
                continue;
            }
            let taken = self
                .take_event(own, missed.at.block, &missed.event, report)
                .await;
            match taken {
                Ok(()) => {
                    self.note_given(missed.at.block, &missed.event)?;
                    self.drop_missed(&missed)?;
                }
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                Err(error) if may_pass(&error) || gives(own, &missed.event) => {
                    missed.unread = !may_pass(&error);
                    if let Some(given) = missed.unread_consent()
                        && self.is_behind(given).await?
                    {
                        report.given_up.push(format!("{}: {error}", missed.told()));
                        self.drop_missed(&missed)?;
                        continue;
                    }
                    *failed += 1;
                    if explained == Explained::Perhaps {
                        self.note_not_found(&missed.event);
                    }
                    missed.turn = missed.turn.failed(now);
                    missed.because = error.to_string();
                    missed.lacks = lacks(&error);
                    let since = *missed.since.get_or_insert(now);
                    let is_old = now.since(since) >= EXPIRY.0 && missed.turn.tries >= EXPIRY.1;
                    if explained != Explained::Yes && is_old {
                        match explained {
                            Explained::Perhaps => report.given_up.push(NEVER_CAME.into()),
                            _ => report.unpaired += 1,
                        }
                        self.drop_missed(&missed)?;
                        continue;
                    }
                    self.ports.vault.apply(vec![missed.row()])?;
                    missed.tell(explained, report);
                }
                Err(JourneyError::Untrusted { what: "grant", .. })
                    if explained != Explained::Yes =>
                {
                    report.unpaired += 1;
                    self.drop_missed(&missed)?;
                }
                Err(error) => {
                    report.given_up.push(format!("{}: {error}", missed.told()));
                    self.drop_missed(&missed)?;
                }
            }
        }
        Ok(())
    }

    /// Whether a consent has ended, as the chain says.
    async fn is_behind(&self, given: NotTaken) -> Result<bool, JourneyError> {
        let is_over = given.until <= self.earlier_now().await?;
        Ok(is_over || self.still_standing(vec![given], u64::MAX).await?.is_empty())
    }

    /// Rows in the order in which they are tried: round robin over who caused them. Of what may be a stranger's those that were
    /// tried least come first, so that what failed before keeps nothing from being looked at; beyond what one giver may have, or
    /// an address whose owner is known by now, they are dropped.
    fn missed_in_turn(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<Vec<Missed>, JourneyError> {
        let mut by_tries: BTreeMap<u32, Vec<Missed>> = BTreeMap::new();
        for missed in self.rows::<Missed>(table::MISSED)? {
            let explained = self.explained(own, &missed.event)?;
            if self.is_full_of(explained, &self.counted_to(&missed.event)?) {
                report.unpaired += 1;
                self.drop_missed(&missed)?;
                continue;
            }
            self.note_missed(&missed.event, explained)?;
            let tries = match explained {
                Explained::Yes => 0,
                _ => missed.turn.tries,
            };
            by_tries.entry(tries).or_default().push(missed);
        }
        let groups = by_tries.into_values();
        let turn = groups.map(|rows| in_turn(rows, |missed| self.cause(&missed.event)));
        Ok(turn.flatten().collect())
    }

    fn drop_missed(&self, missed: &Missed) -> Result<(), JourneyError> {
        if let Event::Granted(grant) = &missed.event {
            self.known(|known| known.grants.remove(&grant.id));
        }
        Ok(self.ports.vault.apply(vec![missed.gone()])?)
    }

    /// Whether a missed consent has ended meanwhile: no node gives out its object any more, and nobody needs it.
    async fn is_over(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<bool, JourneyError> {
        let grant = match event {
            Event::Granted(grant) => grant,
            Event::WriteGranted(write) if !own.contains_key(&write.owner) => {
                return Ok(write.until <= self.chain_now().await?);
            }
            _ => return Ok(false),
        };
        // An own consent is part of the history, ended or not.
        if own.contains_key(&grant.owner) {
            return Ok(false);
        }
        if let Scope::One(record) = grant.terms.scope {
            let facts = self.ports.facts.record(record).await?;
            if facts.is_some_and(|facts| facts.erased) {
                return Ok(true);
            }
        }
        let over = grant.terms.until <= self.chain_now().await?;
        Ok(over || self.ports.facts.grant(grant).await?.revoked)
    }

    /// How many events wait to be taken.
    pub(crate) fn missed_count(&self) -> Result<usize, JourneyError> {
        Ok(self.ports.vault.list(table::MISSED)?.len())
    }

    /// Whether the grant of a delivery is itself still missed.
    pub(crate) fn is_missed_grant(&self, id: GrantId) -> bool {
        self.known(|known| known.grants.contains_key(&id))
    }
}
