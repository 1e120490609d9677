//! Acts of own accounts that this device did not make. Whoever has the phrase, or a copy of the open home, acts as its
//! owner: the chain cannot tell them apart, but this vault knows what it signed itself. Everything else that stands under
//! an own account is told until the person says that it was one of the own devices.
//!
//! Left out is what devices of one phrase do by themselves after an act that is told: accepting and delivering.

use std::collections::BTreeMap;

use medibloc_ledger::{Call, Event, EventRef};
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::erase::Erasure;
use crate::errand::Errand;
use crate::grant::GivenGrant;
use crate::left::read_elsewhere;
use crate::looks::Look;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::write::WriteJob;
use crate::{JourneyError, Party};

mod act;
mod asked;

pub use act::Act;

/// The first block whose acts are judged.
const SINCE: &[u8] = b"acts-since";

/// An act of this device: how often it was signed, and which events it explains. An event is seen more than once when a sync was
/// broken off or a restore looks at all again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnAct {
    signed: u32,
    explains: Vec<EventRef>,
    /// It was given up because a relay said that the contracts refuse it: if it happens all the same, that is told.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    refused: bool,
}

impl OwnAct {
    /// The chain showed it.
    pub(crate) fn was_seen(&self) -> bool {
        !self.explains.is_empty()
    }

    /// What it explains after a block is no more on the chain; says whether there was any.
    pub(crate) fn forget_after(&mut self, block: u64) -> bool {
        let before = self.explains.len();
        self.explains.retain(|at| at.block <= block);
        self.explains.len() < before
    }
}

/// An act of an own account that this device did not make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownAct {
    /// Where it stands on the chain.
    pub at: EventRef,
    /// The own account.
    pub account: AccountId,
    /// What it did.
    pub act: Act,
    /// When this device saw it.
    pub seen: Timestamp,
    /// The person said that it was a device of the own.
    pub is_mine: bool,
}

impl core::fmt::Display for UnknownAct {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{} (account {}, block {})",
            self.act, self.account, self.at.block
        )
    }
}

impl UnknownAct {
    fn row(&self) -> Change {
        let EventRef { block, index } = self.at;
        let key = [block.to_be_bytes().as_slice(), &index.to_be_bytes()].concat();
        change(table::UNKNOWN_ACTS, &key, self)
    }
}

/// What the events of one sync say about whose a record or a consent is.
#[derive(Default)]
struct Whose {
    /// Owner and author.
    records: BTreeMap<RecordId, (AccountId, AccountId)>,
    grants: BTreeMap<GrantId, AccountId>,
}

impl Party {
    /// Acts of own accounts that this device did not make, the oldest first, until [`Party::acts_are_mine`]. Nothing of before
    /// the home was made or restored is among them.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn unknown_acts(&self) -> Result<Vec<UnknownAct>, JourneyError> {
        let mut acts: Vec<UnknownAct> = self.rows(table::UNKNOWN_ACTS)?;
        acts.retain(|act| !act.is_mine);
        Ok(acts)
    }

    /// Whether the consent that an act gave was taken back since, or this home ordered that.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn is_over_by_now(&self, act: &UnknownAct) -> Result<bool, JourneyError> {
        let Some(grant) = act.act.gives() else {
            return Ok(false);
        };
        for kept in [table::GRANTS, table::WRITE_GRANTS] {
            let given: Option<GivenGrant> = self.row(kept, grant.as_bytes())?;
            if given.is_some_and(|given| given.revoked) {
                return Ok(true);
            }
        }
        // Of one whose object is withheld nothing is here but what this home signed.
        let revoked = Act::Revoked { grant }.key(act.account);
        Ok(self.row::<OwnAct>(table::OWN_ACTS, &revoked)?.is_some())
    }

    /// The person says that the own devices made these acts: they are told no more. Acts that were found since the list was
    /// shown are not among them. Gives how many.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn acts_are_mine(&self, acts: &[UnknownAct]) -> Result<usize, JourneyError> {
        let rows = acts.iter().map(|act| {
            let mut act = act.clone();
            act.is_mine = true;
            act.row()
        });
        self.ports.vault.apply(rows.collect())?;
        Ok(acts.len())
    }

    /// Before a call leaves: what it does is this device's own from now on.
    pub(crate) fn note_act(&self, account: AccountId, call: &Call) -> Result<(), JourneyError> {
        let mut rows = Vec::new();
        for act in Act::of_call(call) {
            let key = act.key(account);
            let mut own: OwnAct = self.row(table::OWN_ACTS, &key)?.unwrap_or_default();
            own.signed = own.signed.saturating_add(1);
            own.refused = false;
            rows.push(change(table::OWN_ACTS, &key, &own));
            if act.goes_at_once() {
                let now = self.ports.clock.now();
                rows.push(change(table::AT_ONCE, account.as_bytes(), &now));
            }
        }
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(rows)?)
    }

    /// Whether this device asked for a read that was cleared.
    pub(crate) fn asked_here(&self, event: &Event) -> Result<bool, JourneyError> {
        let Event::ReadOpened {
            record,
            reader,
            nonce,
            ..
        } = event
        else {
            return Ok(false);
        };
        let (record, nonce) = (*record, *nonce);
        let key = Act::Read { record, nonce }.key(*reader);
        let own: Option<OwnAct> = self.row(table::OWN_ACTS, &key)?;
        Ok(own.is_some_and(|own| own.signed > 0))
    }

    /// What a relay called refused is not this device's own any more without a word: a signed request lives for minutes, and
    /// whoever has it can still bring it to the chain.
    pub(crate) fn refused_act(
        &self,
        account: AccountId,
        call: &Call,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut rows = Vec::new();
        for act in Act::of_call(call) {
            let key = act.key(account);
            // Nobody else makes this very act: its id is random.
            if act.has_random_id()
                && let Some(mut own) = self.row::<OwnAct>(table::OWN_ACTS, &key)?
            {
                own.refused = true;
                rows.push(change(table::OWN_ACTS, &key, &own));
            }
        }
        Ok(rows)
    }

    /// The first block that is judged: what stands on the chain when a home begins is its past, whoever made it.
    async fn acts_since(&self) -> Result<u64, JourneyError> {
        if let Some(since) = self.row(table::CURSOR, SINCE)? {
            return Ok(since);
        }
        // A home of before: what it signed and what is not final yet is its own.
        for errand in self.rows::<Errand>(table::ERRANDS)? {
            if !errand.is_unsent() {
                self.note_act(errand.own, &errand.call)?;
            }
        }
        for job in self.rows::<WriteJob>(table::JOBS)? {
            self.note_act(job.author, &Call::Anchor(job.anchor))?;
        }
        let since = self.ports.facts.head().await?.number.saturating_add(1);
        self.put(table::CURSOR, SINCE, &since)?;
        Ok(since)
    }

    /// Keeps what own accounts did and this device did not. Comes before the events are taken: an erasure removes the row that
    /// says whose a record was. Gives the alarms about what a relay called refused and what stands all the same.
    pub(crate) async fn judge_acts(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
    ) -> Result<Vec<String>, JourneyError> {
        let since = self.acts_since().await?;
        let mut whose = Whose::default();
        let mut rows: BTreeMap<[u8; 32], OwnAct> = BTreeMap::new();
        let (mut unknown, mut elsewhere, mut alarms) = (Vec::new(), Vec::new(), Vec::new());
        let before: Vec<UnknownAct> = self.rows(table::UNKNOWN_ACTS)?;
        for act in &before {
            whose
                .grants
                .extend(act.act.gives().map(|grant| (grant, act.account)));
        }
        for (at, event) in events {
            let Some((account, act)) = self.act_of(own, &mut whose, event)? else {
                continue;
            };
            let key = act.key(account);
            // Copied: whatever is found about this event, what the events before it changed stays.
            let mut kept = match rows.get(&key) {
                Some(kept) => kept.clone(),
                None => self.row(table::OWN_ACTS, &key)?.unwrap_or_default(),
            };
            if kept.explains.contains(at) {
                continue;
            }
            if kept.explains.len() < kept.signed as usize {
                kept.explains.push(*at);
                if core::mem::take(&mut kept.refused) {
                    alarms.push((key, all_the_same(&act, at.block)));
                }
                rows.insert(key, kept);
                continue;
            }
            elsewhere.extend(read_elsewhere(event));
            if at.block < since || before.iter().any(|before| before.at == *at) {
                continue;
            }
            unknown.push(UnknownAct {
                at: *at,
                account,
                act,
                seen: self.ports.clock.now(),
                is_mine: false,
            });
        }
        let explained = rows.iter();
        let mut changes: Vec<Change> = explained
            .map(|(key, own)| change(table::OWN_ACTS, key, own))
            .collect();
        changes.extend(unknown.iter().map(UnknownAct::row));
        changes.extend(elsewhere);
        let told = alarms.iter();
        changes.extend(told.map(|(key, alarm)| change(table::ALARMS, key, alarm)));
        if !changes.is_empty() {
            self.ports.vault.apply(changes)?;
        }
        Ok(alarms.into_iter().map(|(_, alarm)| alarm).collect())
    }

    /// What an event says that an own account did.
    fn act_of(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        whose: &mut Whose,
        event: &Event,
    ) -> Result<Option<(AccountId, Act)>, JourneyError> {
        let (account, act) = match event {
            Event::Registered { account, .. } => (*account, Act::Registered),
            Event::SealingKeyRotated { account, key, .. } => {
                (*account, Act::SealingKey { key: *key })
            }
            Event::AddressRotated { account, to, .. } => (*account, Act::HandedOn { to: *to }),
            Event::Anchored(anchor) => {
                if !own.contains_key(&anchor.owner) && !own.contains_key(&anchor.author) {
                    return Ok(None);
                }
                let record = anchor.record_id();
                whose.records.insert(record, (anchor.owner, anchor.author));
                (anchor.author, Act::Wrote { record })
            }
            Event::Retracted { record } => match self.parties_of_record(whose, *record)? {
                Some((_, author)) => (author, Act::TookBack { record: *record }),
                None => return Ok(None),
            },
            Event::Erased { record } => match self.parties_of_record(whose, *record)? {
                Some((owner, _)) => (owner, Act::Erased { record: *record }),
                None => return Ok(None),
            },
            Event::CapsuleReplaced { record, digest, .. } => {
                match self.parties_of_record(whose, *record)? {
                    Some((owner, _)) => (
                        owner,
                        Act::SealedAnew {
                            record: *record,
                            capsule: *digest,
                        },
                    ),
                    None => return Ok(None),
                }
            }
            Event::Granted(grant) if own.contains_key(&grant.owner) => {
                whose.grants.insert(grant.id, grant.owner);
                let act = Act::LetRead {
                    grant: grant.id,
                    reader: grant.reader,
                    scope: grant.terms.scope,
                    until: grant.terms.until,
                };
                (grant.owner, act)
            }
            Event::WriteGranted(write) if own.contains_key(&write.owner) => {
                (write.owner, Act::let_write(write))
            }
            Event::Revoked { grant } => match self.giver_of(whose, *grant)? {
                Some(owner) => (owner, Act::Revoked { grant: *grant }),
                None => return Ok(None),
            },
            Event::ReaderRevoked { owner, reader } => {
                (*owner, Act::RevokedReader { reader: *reader })
            }
            Event::WriteRevoked { owner, author } => {
                (*owner, Act::RevokedAuthor { author: *author })
            }
            Event::AllRevoked { owner } => (*owner, Act::RevokedAll),
            Event::ReadOpened {
                record,
                reader,
                nonce,
                ..
            } => {
                let act = Act::Read {
                    record: *record,
                    nonce: *nonce,
                };
                (*reader, act)
            }
            _ => return Ok(None),
        };
        Ok(own.contains_key(&account).then_some((account, act)))
    }

    /// Owner and author of a record of which anything is here.
    fn parties_of_record(
        &self,
        whose: &Whose,
        record: RecordId,
    ) -> Result<Option<(AccountId, AccountId)>, JourneyError> {
        if let Some(parties) = whose.records.get(&record) {
            return Ok(Some(*parties));
        }
        let key = record.as_bytes();
        let kept = self.row::<KeptRecord>(table::RECORDS, key)?;
        let mut anchor = kept.map(|kept| kept.anchor);
        if anchor.is_none() {
            anchor = self.row::<Look>(table::LOOKS, key)?.map(|look| look.anchor);
        }
        for table in [table::WRITTEN, table::JOBS] {
            if anchor.is_none() {
                anchor = self.row::<WriteJob>(table, key)?.map(|job| job.anchor);
            }
        }
        if anchor.is_none() {
            anchor = self.row(table::WRITTEN_ELSEWHERE, key)?;
        }
        if let Some(anchor) = anchor {
            return Ok(Some((anchor.owner, anchor.author)));
        }
        let erased = self.row::<Erasure>(table::ERASED, key)?;
        Ok(erased.map(|erased| (erased.owner, erased.owner)))
    }

    /// Which own address gave a consent to read.
    fn giver_of(&self, whose: &Whose, grant: GrantId) -> Result<Option<AccountId>, JourneyError> {
        if let Some(owner) = whose.grants.get(&grant) {
            return Ok(Some(*owner));
        }
        if let Some(given) = self.row::<GivenGrant>(table::GRANTS, grant.as_bytes())? {
            return Ok(Some(given.own));
        }
        let noted = self.row::<medibloc_consent::Grant>(table::ON_CHAIN, grant.as_bytes())?;
        Ok(noted.map(|grant| grant.owner))
    }
}

fn all_the_same(act: &Act, block: u64) -> String {
    format!(
        "a relay said that the contracts refuse it, and it stands on the chain all the same, in block {block}: {act}; take it back \
         if it is not wanted any more (`medibloc grant list`, `medibloc grant revoke`, `medibloc record retract`), and choose \
         another node"
    )
}
