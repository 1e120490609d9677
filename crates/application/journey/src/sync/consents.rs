//! What own accounts gave, took back and erased since the last sync: another device of the phrase may have done it. Lists say how
//! things stand as of the chain's last final block, and what takes back takes back all of it; neither may wait for a sync.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::Scope;
use medibloc_ledger::{Call, Event, EventRef, Head};
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};

use super::Cursor;
use crate::caught::caught;
use crate::erase::Erasure;
use crate::party::{OwnAddress, table};
use crate::ports::PortError;
use crate::{JourneyError, Party};

/// A consent that an own account gave, of which only the chain tells: its object is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// Its id.
    pub id: GrantId,
    /// The own address that gave it.
    pub own: AccountId,
    /// The address that may read, or write.
    pub to: AccountId,
    /// First second after it.
    pub until: Timestamp,
    /// What it opens; none if it is to write.
    pub scope: Option<Scope>,
    /// Why it was not taken.
    pub because: String,
    /// Where the chain says that it was given.
    pub(crate) at: EventRef,
    /// What ends it: nothing of its object is needed for that.
    pub(crate) end: Call,
}

impl NotTaken {
    pub(crate) fn of(at: EventRef, event: &Event, because: String) -> Option<Self> {
        Some(match event {
            Event::Granted(grant) => Self {
                id: grant.id,
                own: grant.owner,
                to: grant.reader,
                until: grant.terms.until,
                scope: Some(grant.terms.scope),
                because,
                at,
                end: Call::Revoke(grant.clone()),
            },
            Event::WriteGranted(write) => Self {
                id: GrantId::derive(write.owner, write.author, write.nonce),
                own: write.owner,
                to: write.author,
                until: write.until,
                scope: None,
                because,
                at,
                end: Call::RevokeWrite {
                    author: write.author,
                },
            },
            _ => return None,
        })
    }

    fn is_ended_by(&self, event: &Event) -> bool {
        match event {
            Event::Revoked { grant } => self.id == *grant,
            Event::ReaderRevoked { owner, reader } => {
                self.scope.is_some() && (self.own, self.to) == (*owner, *reader)
            }
            Event::WriteRevoked { owner, author } => {
                self.scope.is_none() && (self.own, self.to) == (*owner, *author)
            }
            Event::AllRevoked { owner } => self.own == *owner,
            // It opens nothing any more, however it stands.
            Event::Erased { record } => self.record() == Some(*record),
            _ => false,
        }
    }

    /// The only record that it opens.
    pub(crate) fn record(&self) -> Option<RecordId> {
        match self.scope {
            Some(Scope::One(record)) => Some(record),
            _ => None,
        }
    }
}

impl Party {
    /// Takes what own accounts gave and took back up to the chain's last final block, whichever device of the phrase did it, and what
    /// was erased of what is here, and nothing else: the next sync meets the same events again. Gives that block, and the consents
    /// that stand and could not be taken.
    ///
    /// # Errors
    /// If the chain does not answer or is not the right one, or if the vault fails.
    pub(crate) async fn take_consents(&self) -> Result<(Head, Vec<NotTaken>), JourneyError> {
        let head = self.right_head().await?;
        let since: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        // While a restore is not whole, what is missing may be anywhere.
        let from = if self.is_restoring()? { 0 } else { since.next };
        let missed = self.missed_events()?;
        let new = self.read_from(from).await?.events;
        let mut own = self.own_accounts()?;
        self.take_addresses(&mut own, &new)?;
        let ids: BTreeSet<AccountId> = own.keys().copied().collect();
        let mut not_taken: Vec<NotTaken> = Vec::new();
        let events: Vec<(EventRef, Event)> = missed.into_iter().chain(new).collect();
        // Who does not answer is not asked for the next one.
        let mut away = BTreeSet::new();
        for (at, event) in &events {
            if let Event::Erased { record } = event
                && self.is_erasure_open(*record)?
            {
                Box::pin(self.take_erased_now(*record, &events, &mut away)).await?;
            }
            not_taken.retain(|one| !one.is_ended_by(event));
            if !self.concerns(&ids, event)? {
                continue;
            }
            self.note_end(&own, (at.block, from == 0), event)?;
            match caught("consent", self.take_own_change(&own, event)).await {
                Ok(()) => self.note_given(at.block, event)?,
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                Err(error) => {
                    let found = NotTaken::of(*at, event, error.to_string());
                    let is_new = |found: &NotTaken| not_taken.iter().all(|one| one.id != found.id);
                    let found = found.filter(is_new);
                    not_taken.extend(found);
                }
            }
        }
        let now = head.time.min(self.ports.clock.now());
        not_taken.retain(|one| one.until > now);
        // Of what was missed before, the end may have been taken before, too.
        let not_taken = self.still_standing(not_taken, from).await?;
        Ok((head, not_taken))
    }

    /// Those of these consents that nothing ended on the chain before a block.
    pub(crate) async fn still_standing(
        &self,
        mut given: Vec<NotTaken>,
        before: u64,
    ) -> Result<Vec<NotTaken>, JourneyError> {
        let first = given.iter().map(|one| one.at.block).min();
        if let Some(first) = first.filter(|first| *first < before) {
            for (at, event) in &self.read_from(first).await?.events {
                given.retain(|one| *at <= one.at || !one.is_ended_by(event));
            }
        }
        Ok(given)
    }

    /// Consents that own addresses gave and that stand on the chain as of its last final block, whatever of them is known here: what
    /// this home took of the chain so far says nothing of what it could not take.
    ///
    /// # Errors
    /// If the chain does not answer or is not the right one, or if the vault fails.
    pub async fn consents_on_chain(&self) -> Result<Vec<NotTaken>, JourneyError> {
        let now = self.right_head().await?.time.min(self.ports.clock.now());
        let mut own = self.own_accounts()?;
        let mut ahead = self.ahead()?;
        let mut standing: Vec<NotTaken> = Vec::new();
        for (at, event) in &self.read_from(0).await?.events {
            // A restore that was broken off may know none of its addresses.
            self.take_registered(&mut ahead, &mut own, event)?;
            match NotTaken::of(*at, event, String::new()) {
                Some(given) if own.contains_key(&given.own) => {
                    standing.retain(|one| one.id != given.id);
                    standing.push(given);
                }
                Some(_) => {}
                None => standing.retain(|one| !one.is_ended_by(event)),
            }
        }
        standing.retain(|one| one.until > now);
        // What is to be erased is as good as erased.
        let erased: Vec<Erasure> = self.rows(table::ERASED)?;
        standing.retain(|one| erased.iter().all(|it| one.record() != Some(it.record)));
        Ok(standing)
    }

    /// Whether something of an erased record is here, or its tombstone does not say all that the chain does.
    fn is_erasure_open(&self, record: RecordId) -> Result<bool, JourneyError> {
        match self.erasure(record)? {
            Some(erasure) => Ok(erasure.read_until.is_none()),
            None => self.has_rows_of(record),
        }
    }

    /// What an event says of own consents.
    async fn take_own_change(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<(), JourneyError> {
        match event {
            Event::Granted(_) => self.take_unless_here(event).await,
            Event::WriteGranted(write) => {
                self.mark_written(write)?;
                self.take_unless_here(event).await
            }
            Event::Delivered {
                grant,
                number,
                digest,
            } => self.take_own_delivery(*grant, *number, *digest).await,
            Event::Revoked { grant } => {
                let ended = self.revoked_where(|id, _| id == *grant)?;
                Ok(self.ports.vault.apply(ended)?)
            }
            Event::ReaderRevoked { owner, .. } => self.mark_revoked(*owner).await,
            Event::WriteRevoked { owner, author } => self.end_writing(own, *owner, Some(*author)),
            Event::AllRevoked { owner } => {
                self.mark_revoked(*owner).await?;
                self.end_writing(own, *owner, None)
            }
            _ => Ok(()),
        }
    }
}
