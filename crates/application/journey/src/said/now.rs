//! What the chain says now, whether a sync took it or not: whoever opens a record, gives it on or writes it out is warned before.

use medibloc_ledger::Event;
use medibloc_record::RecordId;

use super::{Correction, Corrections, OnChain};
use crate::party::table;
use crate::sync::Cursor;
use crate::{JourneyError, Party};

impl Party {
    /// Every correction of a record that is known here, with those of which no sync has heard yet. Nothing is kept of them: the
    /// next sync tells them.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn all_corrections_now(&self) -> Result<Corrections, JourneyError> {
        let (mut all, mut concerns) = (self.all_corrections()?, self.concerning(None)?);
        let synced: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let mut from = synced.next;
        let new = self.not_looked_back()?;
        if !new.is_empty() {
            from = from.min(self.anchored_from(&new).await?);
        }
        let read = self.read_from(from).await?;
        for (at, event) in &read.events {
            let when = read.times.get(&at.block).map(|time| OnChain {
                block: at.block,
                at: *time,
            });
            match event {
                Event::Anchored(anchor) => {
                    let Some(amends) = anchor.amends else {
                        continue;
                    };
                    let parties = (Some(anchor.author), anchor.owner);
                    if concerns.parties.get(&amends) != Some(&parties) {
                        continue;
                    }
                    let record = anchor.record_id();
                    concerns.parties.insert(record, parties);
                    all.learn(Correction {
                        record,
                        amends,
                        author: anchor.author,
                        anchored: when,
                        taken_back: None,
                        erased: false,
                        is_here: concerns.open.contains(&record),
                        index: at.index,
                        authored: None,
                    });
                }
                Event::Retracted { record } => all.learn_end(*record, when),
                Event::Erased { record } => {
                    all.erased.insert(*record);
                }
                _ => {}
            }
        }
        Ok(all)
    }
}

impl Corrections {
    fn learn(&mut self, one: Correction) {
        let of = self.of.entry(one.amends).or_default();
        match of.iter_mut().find(|known| known.record == one.record) {
            // Its place is known now; the rest is as it was.
            Some(known) if known.anchored.is_none() => {
                (known.anchored, known.index) = (one.anchored, one.index);
            }
            Some(_) => {}
            None => of.push(one),
        }
    }

    fn learn_end(&mut self, record: RecordId, when: Option<OnChain>) {
        for one in self.of.values_mut().flatten() {
            if one.record == record {
                one.taken_back = one.taken_back.or(when);
            }
        }
    }
}
