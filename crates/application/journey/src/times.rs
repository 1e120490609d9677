//! When a consent was ordered, given, ordered to end, and ended: the person's own clock for what the person said, block and
//! block time for what the chain took. "Since when is it in force, and who read meanwhile?" is answered from here.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::{Call, Event};
use medibloc_record::{AccountId, GrantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// A block that the chain took something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InBlock {
    /// Its number.
    pub block: u64,
    /// Its time; none until the chain was asked for it.
    pub time: Option<Timestamp>,
}

/// The times of a consent, as far as this home knows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsentTimes {
    /// When it was said here, by this machine's clock; none if another home of the phrase said it, or another party.
    pub said: Option<Timestamp>,
    /// Where the chain took it.
    pub given: Option<InBlock>,
    /// When its end was said here, by this machine's clock.
    pub ordered: Option<Timestamp>,
    /// Where the chain took its end: from the next block on no key is released.
    pub ended: Option<InBlock>,
}

impl ConsentTimes {
    /// What stood after a block is no more on the chain; says whether there was any.
    pub(crate) fn forget_after(&mut self, block: u64) -> bool {
        let before = *self;
        let stays = |at: &InBlock| at.block <= block;
        self.given = self.given.filter(stays);
        self.ended = self.ended.filter(stays);
        *self != before
    }
}

/// What ends consents.
#[derive(Clone, Copy)]
pub(crate) enum End {
    One(GrantId),
    Reader(AccountId, AccountId),
    Writing(AccountId, AccountId),
    All(AccountId),
}

impl End {
    fn of_event(event: &Event) -> Option<Self> {
        Some(match event {
            Event::Revoked { grant } => Self::One(*grant),
            Event::ReaderRevoked { owner, reader } => Self::Reader(*owner, *reader),
            Event::WriteRevoked { owner, author } => Self::Writing(*owner, *author),
            Event::AllRevoked { owner } => Self::All(*owner),
            _ => return None,
        })
    }

    /// What a call of this own account ends.
    pub(crate) const fn of_call(own: AccountId, call: &Call) -> Option<Self> {
        Some(match call {
            Call::Revoke(grant) => Self::One(grant.id),
            Call::RevokeReader { reader } => Self::Reader(own, *reader),
            Call::RevokeWrite { author } => Self::Writing(own, *author),
            Call::RevokeAll => Self::All(own),
            _ => return None,
        })
    }

    /// Whether it ends what this owner gave to this other side.
    fn fits(&self, id: GrantId, owner: AccountId, other: AccountId, writes: bool) -> bool {
        match self {
            Self::One(grant) => *grant == id && !writes,
            Self::Reader(of, reader) => *of == owner && *reader == other && !writes,
            Self::Writing(of, author) => *of == owner && *author == other && writes,
            Self::All(of) => *of == owner,
        }
    }
}

/// A consent, its id and whether it is over already.
struct One {
    id: GrantId,
    over: bool,
}

impl Party {
    /// When a consent that was given or is held was given, and when it ended.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn times_of(&self, id: GrantId) -> Result<ConsentTimes, JourneyError> {
        let times = self.row(table::CONSENT_TIMES, id.as_bytes())?;
        Ok(times.unwrap_or_default())
    }

    /// The row of a consent that is said now.
    pub(crate) fn said_row(&self, id: GrantId) -> Change {
        let times = ConsentTimes {
            said: Some(self.ports.clock.now()),
            ..ConsentTimes::default()
        };
        change(table::CONSENT_TIMES, id.as_bytes(), &times)
    }

    /// Rows of consents whose end is ordered now: written in the same step as the order.
    pub(crate) fn ordered_rows(&self, end: End) -> Result<Vec<Change>, JourneyError> {
        let mut rows = Vec::new();
        for one in self.ended_by(end)? {
            let mut times = self.times_of(one.id)?;
            if !one.over && times.ordered.is_none() && !self.is_to_be_given(one.id)? {
                times.ordered = Some(self.ports.clock.now());
                rows.push(change(table::CONSENT_TIMES, one.id.as_bytes(), &times));
            }
        }
        Ok(rows)
    }

    /// When the person ordered what a call ends; none if another home did, or it ends nothing that is known here.
    pub(crate) fn ordered_at(
        &self,
        own: AccountId,
        call: &Call,
    ) -> Result<Option<Timestamp>, JourneyError> {
        let Some(end) = End::of_call(own, call) else {
            return Ok(None);
        };
        let mut ordered = None;
        for one in self.ended_by(end)? {
            ordered = ordered.max(self.times_of(one.id)?.ordered);
        }
        Ok(ordered)
    }

    /// Rows of consents that ended in a block. `first` if the chain is read from its beginning: then a consent whose place on
    /// it was not met yet is younger.
    pub(crate) fn ended_rows(
        &self,
        end: End,
        block: u64,
        first: bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut rows = Vec::new();
        for one in self.ended_by(end)? {
            let mut times = self.times_of(one.id)?;
            let stood = match times.given {
                Some(given) => given.block <= block,
                None => !first && !one.over && !self.is_to_be_given(one.id)?,
            };
            if times.ended.is_none() && (stood || matches!(end, End::One(_))) {
                times.ended = Some(InBlock { block, time: None });
                rows.push(change(table::CONSENT_TIMES, one.id.as_bytes(), &times));
            }
        }
        Ok(rows)
    }

    /// The row of a consent that stands in a block.
    pub(crate) fn given_row(
        &self,
        id: GrantId,
        block: u64,
    ) -> Result<Option<Change>, JourneyError> {
        let mut times = self.times_of(id)?;
        if times.given.is_some_and(|given| given.block == block) {
            return Ok(None);
        }
        times.given = Some(InBlock { block, time: None });
        Ok(Some(change(table::CONSENT_TIMES, id.as_bytes(), &times)))
    }

    /// Before an event is taken: which consents it ends.
    pub(crate) fn note_end(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        (block, first): (u64, bool),
        event: &Event,
    ) -> Result<(), JourneyError> {
        let Some(end) = End::of_event(event) else {
            return Ok(());
        };
        let is_known = match end {
            End::One(grant) => self.is_consent_here(grant)?,
            End::Reader(owner, _) | End::Writing(owner, _) | End::All(owner) => {
                own.contains_key(&owner) || self.is_giver(owner)
            }
        };
        if !is_known {
            return Ok(());
        }
        Ok(self
            .ports
            .vault
            .apply(self.ended_rows(end, block, first)?)?)
    }

    /// After an event was taken: the consent that it gave, if it is here.
    pub(crate) fn note_given(&self, block: u64, event: &Event) -> Result<(), JourneyError> {
        let id = match event {
            Event::Granted(grant) => grant.id,
            Event::WriteGranted(write) => GrantId::derive(write.owner, write.author, write.nonce),
            _ => return Ok(()),
        };
        if !self.is_consent_here(id)? {
            return Ok(());
        }
        let row = self.given_row(id, block)?;
        Ok(self.ports.vault.apply(row.into_iter().collect())?)
    }

    /// Asks the chain for the times of blocks that are not known yet.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn fill_times(&self) -> Result<(), JourneyError> {
        let rows = self.keyed_rows::<ConsentTimes>(table::CONSENT_TIMES)?;
        let open = |at: &&InBlock| at.time.is_none();
        let blocks: BTreeSet<u64> = rows
            .iter()
            .flat_map(|(_, times)| times.given.iter().chain(&times.ended))
            .filter(open)
            .map(|at| at.block)
            .collect();
        let mut found = BTreeMap::new();
        for block in blocks {
            found.extend(self.time_of(block).await?.map(|time| (block, time)));
        }
        let mut changes = Vec::new();
        for (key, times) in rows {
            let mut filled = times;
            for at in [&mut filled.given, &mut filled.ended].into_iter().flatten() {
                at.time = at.time.or_else(|| found.get(&at.block).copied());
            }
            if filled != times {
                changes.push(change(table::CONSENT_TIMES, &key, &filled));
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// The time of a block; none if the chain does not have it.
    pub(crate) async fn time_of(&self, block: u64) -> Result<Option<Timestamp>, JourneyError> {
        let blocks = self.ports.events.events(block, 1).await?;
        let found = blocks.first().filter(|found| found.number == block);
        Ok(found.map(|found| found.time))
    }

    fn is_consent_here(&self, id: GrantId) -> Result<bool, JourneyError> {
        for table in [table::GRANTS, table::WRITE_GRANTS, table::SHARED_GRANTS] {
            if self.ports.vault.get(table, id.as_bytes())?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Consents that are here and that this ends.
    fn ended_by(&self, end: End) -> Result<Vec<One>, JourneyError> {
        let mut found = Vec::new();
        for (id, given) in self.grants()? {
            let reader = given.artefact.grant.as_ref().map(|grant| grant.reader);
            if reader.is_some_and(|reader| end.fits(id, given.own, reader, false)) {
                let over = given.revoked;
                found.push(One { id, over });
            }
        }
        for (id, given) in self.write_grants()? {
            let author = given.artefact.write.map(|write| write.author);
            if author.is_some_and(|author| end.fits(id, given.own, author, true)) {
                let over = given.revoked;
                found.push(One { id, over });
            }
        }
        for held in self.held()? {
            let id = held.artefact.grant.as_ref().map(|grant| grant.id);
            if let Some(id) = id.filter(|id| end.fits(*id, held.owner, held.own, false)) {
                let over = held.ended.is_some();
                found.push(One { id, over });
            }
        }
        Ok(found)
    }
}
