//! An erasure that is seen on the chain before a sync takes its event: another device of the phrase erased the record, or
//! this home is an older copy.

use std::collections::BTreeSet;

use medibloc_ledger::{Event, EventRef};
use medibloc_record::RecordId;

use crate::party::table;
use crate::sync::Cursor;
use crate::{JourneyError, KeptRecord, Party, SyncReport};

impl Party {
    /// Whether the chain says that a record is erased. If it does, nothing of it stays here, whenever the next sync is:
    /// nobody is asked for what is gone, and no byte of it is given any more.
    pub(crate) async fn is_erased_by_now(&self, record: RecordId) -> Result<bool, JourneyError> {
        let facts = self.ports.facts.record(record).await?;
        if !facts.is_some_and(|facts| facts.erased) {
            return Ok(false);
        }
        let since: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let (events, _) = self.events_from(since.next).await?;
        // Deep below many steps: its state lies elsewhere than theirs.
        Box::pin(self.take_erased_now(record, &events, &mut BTreeSet::new())).await?;
        Ok(true)
    }

    /// An erasure before a sync comes to it, by the events that no sync took: with who was cleared to read the record before, and
    /// what its keepers signed, as far as they answer and are not `away`. What stays open the tombstone says, and a sync asks for.
    pub(crate) async fn take_erased_now(
        &self,
        record: RecordId,
        events: &[(EventRef, Event)],
        away: &mut BTreeSet<u8>,
    ) -> Result<(), JourneyError> {
        let is_it = |event: &Event| matches!(event, Event::Erased { record: of } if *of == record);
        let at = events.iter().find(|(_, event)| is_it(event));
        let block = match at {
            Some((at, _)) => at.block,
            None => self.ports.facts.head().await?.number,
        };
        let mut report = SyncReport::default();
        self.take_erased(record, block, &mut report).await?;
        self.note_reads_in(record, events)?;
        if let Some(kept) = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())? {
            let _ = self.collect_statements(&kept, away).await;
        }
        Ok(())
    }

    /// An own record that is erased neither here nor on the chain, and of which no erasure was begun.
    ///
    /// # Errors
    /// [`JourneyError::Erased`], and then nothing of it is here any more; [`JourneyError::BeingErased`].
    pub(crate) async fn standing_on_chain(
        &self,
        record: RecordId,
    ) -> Result<KeptRecord, JourneyError> {
        let kept = self.standing_record(record)?;
        match self.is_erased_by_now(record).await? {
            true => Err(self.erased_error(record)?),
            false => Ok(kept),
        }
    }

    /// Own accepted records, oldest first, of which the newest so many stand on the chain; beside them those of the newest
    /// that it says are erased, of which nothing is here any more.
    pub(crate) async fn accepted_on_chain(
        &self,
        most: usize,
    ) -> Result<(Vec<KeptRecord>, Vec<RecordId>), JourneyError> {
        let mut records = self.records()?;
        records.retain(|kept| kept.is_accepted() && !kept.is_off_chain());
        let (mut erased, mut looked) = (Vec::new(), 0);
        for kept in records.iter().rev() {
            if looked == most {
                break;
            }
            match self.is_erased_by_now(kept.record()).await? {
                true => erased.push(kept.record()),
                false => looked += 1,
            }
        }
        records.retain(|kept| !erased.contains(&kept.record()));
        Ok((records, erased))
    }
}
