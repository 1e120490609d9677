//! When a consent was ordered, given, ordered to end, and ended: the person's own clock for what the person said, block and
//! block time for what the chain took. "Since when is it in force, and who read meanwhile?" is answered from here.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::{Call, Event};
use medibloc_record::{AccountId, GrantId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::set_back::is_worthless;
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
    /// When its end was said here, by this machine's clock, which may be wrong: beside block times it orders nothing.
    pub ordered: Option<Timestamp>,
    /// The last block that this home had seen when it said the end: what stands up to it came before. None if another home said
    /// it, or a version that did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<InBlock>,
    /// The last final block that the chain told when it answered first after that: what stands in a later one came after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reached: Option<u64>,
    /// Where the chain took its end: from the next block on no key is released.
    pub ended: Option<InBlock>,
}

/// Whether something came before or after an end was ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It stood on the chain when the order was given, or no order is known here.
    Before,
    /// The chain took it after the order.
    After,
    /// This home saw nothing of the chain that tells it.
    Unknown,
}

impl ConsentTimes {
    /// Whether what stands in a block came before or after the order, by the blocks of the chain alone.
    pub fn came(&self, block: u64) -> Came {
        if self.ordered.is_none() || self.seen.is_some_and(|seen| block <= seen.block) {
            return Came::Before;
        }
        match self.reached {
            Some(reached) if block > reached => Came::After,
            _ => Came::Unknown,
        }
    }

    /// When the end was ordered, by this machine's clock; none if none was, or if block times show that the clock was wrong.
    pub fn ordered_by_clock(&self) -> Option<Timestamp> {
        let ordered = self.ordered?;
        let earlier = [self.given, self.seen].into_iter().flatten();
        let is_early = |at: InBlock| at.time.is_some_and(|time| ordered < time);
        let is_late = self
            .ended
            .and_then(|end| end.time)
            .is_some_and(|end| end < ordered);
        (!earlier.into_iter().any(is_early) && !is_late).then_some(ordered)
    }

    /// When the end was ordered, in words, as far as that is known; none if no order is known here.
    pub fn ordered_words(&self) -> Option<String> {
        self.ordered?;
        let by_clock = self.ordered_by_clock().map(Moment);
        let after = self.seen.map(|seen| match seen.time {
            Some(time) => format!("after block {} ({})", seen.block, Moment(time)),
            None => format!("after block {}", seen.block),
        });
        Some(match (by_clock, after) {
            (Some(at), Some(after)) => format!("ordered {at} by this machine's clock, {after}"),
            (Some(at), None) => format!("ordered {at} by this machine's clock"),
            (None, Some(after)) => format!("ordered {after}"),
            (None, None) => {
                "ordered at a time that is not known (this machine's clock was wrong)".into()
            }
        })
    }

    /// What stood after a block is no more on the chain; says whether there was any.
    pub(crate) fn forget_after(&mut self, block: u64) -> bool {
        let before = *self;
        let stays = |at: &InBlock| at.block <= block;
        self.given = self.given.filter(stays);
        self.ended = self.ended.filter(stays);
        self.seen = self.seen.filter(stays);
        self.reached = self.reached.filter(|reached| *reached <= block);
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
    pub(crate) fn of_call(own: AccountId, call: &Call) -> Option<Self> {
        Some(match call {
            // Nobody ordered that: the consent whose id it used up stands on another chain.
            Call::Revoke(grant) if is_worthless(grant) => return None,
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

    /// Rows of consents whose end is ordered now: written in the same step as the order. `reached` is the last final block, if
    /// the chain told it now.
    pub(crate) fn ordered_rows(
        &self,
        end: End,
        reached: Option<u64>,
    ) -> Result<Vec<Change>, JourneyError> {
        let (mut rows, seen) = (Vec::new(), self.last_known()?);
        // A node that lags is no reason to call a read of before one of after.
        let reached = reached.map(|told| told.max(seen.map_or(0, |seen| seen.block)));
        for one in self.ended_by(end)? {
            let mut times = self.times_of(one.id)?;
            if !one.over && times.ordered.is_none() && !self.is_to_be_given(one.id)? {
                times.ordered = Some(self.ports.clock.now());
                (times.seen, times.reached) = (seen, reached);
                rows.push(change(table::CONSENT_TIMES, one.id.as_bytes(), &times));
            }
        }
        Ok(rows)
    }

    /// Rows of consents whose end was ordered while the chain did not answer, which it does now.
    pub(crate) fn reached_rows(&self, end: End, reached: u64) -> Result<Vec<Change>, JourneyError> {
        let mut rows = Vec::new();
        for one in self.ended_by(end)? {
            let mut times = self.times_of(one.id)?;
            // An order of an older version may be from long before.
            if times.ordered.is_some() && times.seen.is_some() && times.reached.is_none() {
                times.reached = Some(reached);
                rows.push(change(table::CONSENT_TIMES, one.id.as_bytes(), &times));
            }
        }
        Ok(rows)
    }

    /// When the person ordered what a call ends, in words; none if another home did, or it ends nothing that is known here.
    pub(crate) fn ordered_words_of(
        &self,
        own: AccountId,
        call: &Call,
    ) -> Result<Option<String>, JourneyError> {
        let Some(end) = End::of_call(own, call) else {
            return Ok(None);
        };
        let mut last = ConsentTimes::default();
        for one in self.ended_by(end)? {
            let times = self.times_of(one.id)?;
            if times.ordered > last.ordered {
                last = times;
            }
        }
        Ok(last.ordered_words())
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
            Event::Granted(grant) if !is_worthless(grant) => grant.id,
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

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(block: u64, time: u64) -> Option<InBlock> {
        let time = Some(Timestamp(time));
        Some(InBlock { block, time })
    }

    /// Two clocks order nothing: an order by a slow one made reads of before it reads of after.
    #[test]
    fn what_came_before_an_order_is_told_by_blocks_alone() {
        for (seen, reached, told) in [
            (Some(7), Some(7), [Came::Before, Came::After, Came::After]),
            (Some(7), Some(8), [Came::Before, Came::Unknown, Came::After]),
            (Some(7), None, [Came::Before, Came::Unknown, Came::Unknown]),
            (None, Some(8), [Came::Unknown, Came::Unknown, Came::After]),
            // A row of an older version.
            (None, None, [Came::Unknown; 3]),
        ] {
            for ordered in [0, 1_000, u64::MAX] {
                let times = ConsentTimes {
                    ordered: Some(Timestamp(ordered)),
                    seen: seen.and_then(|block| at(block, 1_000)),
                    reached,
                    ..ConsentTimes::default()
                };
                let came = [7, 8, 9].map(|block| times.came(block));
                assert_eq!(came, told, "{times:?}");
            }
        }
        assert_eq!(ConsentTimes::default().came(7), Came::Before);
    }

    #[test]
    fn an_order_is_shown_neither_before_the_gift_nor_after_the_end() {
        let (given, ended) = (at(5, 1_000), at(9, 2_000));
        for (ordered, seen, told) in [
            (
                1_500,
                at(7, 1_400),
                "ordered 1970-01-01T00:25:00Z by this machine's clock, after block 7 (1970-01-01T00:23:20Z)",
            ),
            (
                999,
                at(7, 1_400),
                "ordered after block 7 (1970-01-01T00:23:20Z)",
            ),
            (
                2_001,
                at(7, 1_400),
                "ordered after block 7 (1970-01-01T00:23:20Z)",
            ),
            (
                1_500,
                None,
                "ordered 1970-01-01T00:25:00Z by this machine's clock",
            ),
            (
                999,
                None,
                "ordered at a time that is not known (this machine's clock was wrong)",
            ),
        ] {
            let ordered = Some(Timestamp(ordered));
            let times = ConsentTimes {
                ordered,
                given,
                ended,
                seen,
                ..ConsentTimes::default()
            };
            assert_eq!(times.ordered_words().as_deref(), Some(told));
        }
        assert_eq!(ConsentTimes::default().ordered_words(), None);
    }
}
