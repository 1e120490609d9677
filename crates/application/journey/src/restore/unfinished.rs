//! What a restore did not bring back yet. Until that is nothing, whatever the home lists is not all, and says so.

use std::collections::BTreeSet;

use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId};

use super::BEGUN;
use crate::looks::Look;
use crate::party::table;
use crate::ports::Change;
use crate::{JourneyError, KeptRecord, Party, counted, counted_as};

impl Party {
    /// What a restore of this home did not bring back, and what to do, so that what is not listed may be yours all the same; none if
    /// it brought back everything, or if there was none.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn broken_restore(&self) -> Result<Option<String>, JourneyError> {
        let begun: Option<bool> = self.row(table::CURSOR, BEGUN)?;
        if begun == Some(false) {
            return Ok(Some(
                "the restore of this home was broken off, so this is not all: give the same `medibloc restore` command again, it \
                 goes on"
                    .into(),
            ));
        }
        let (mut left, undecided) = (self.not_brought_back()?, self.undecided_node()?);
        if begun.is_none() && left.is_empty() && undecided.is_none() {
            return Ok(None);
        }
        left.push(undecided.unwrap_or_else(|| "`medibloc sync` goes on with it".into()));
        Ok(Some(format!(
            "the restore of this home was not finished, so this is not all: {}",
            left.join("; ")
        )))
    }

    /// What a sync says of a restore that was broken off before it knew its addresses: no sync makes up for that one.
    pub(crate) fn never_began(&self) -> Result<Option<String>, JourneyError> {
        let begun: Option<bool> = self.row(table::CURSOR, BEGUN)?;
        Ok((begun == Some(false)).then(|| {
            "the restore of this home was broken off: give the same `medibloc restore` command again. What the chain does not \
             know, such as pairings that are known from notes alone, comes with it, and with no `medibloc sync`"
                .into()
        }))
    }

    /// A sync went to its end: the restore is done if everything is here.
    pub(crate) fn end_restore(&self) -> Result<(), JourneyError> {
        let is_begun = self.row(table::CURSOR, BEGUN)? == Some(true);
        if is_begun && self.undecided_node()?.is_none() && self.not_brought_back()?.is_empty() {
            self.ports.vault.apply(vec![Change::Delete {
                table: table::CURSOR,
                key: BEGUN.to_vec(),
            }])?;
        }
        Ok(())
    }

    /// Each kind of what was not fetched, in words.
    fn not_brought_back(&self) -> Result<Vec<String>, JourneyError> {
        let mut left: Vec<String> = self
            .nodes_unread()?
            .into_iter()
            .map(|url| format!("notes of this phrase at {url} were not read"))
            .collect();
        if self.is_restoring()? {
            left.push("consents of this phrase were not all fetched".into());
        }
        // Of a home that was never restored, or was long ago, a sync tells these.
        if self.row::<bool>(table::CURSOR, BEGUN)?.is_none() {
            return Ok(left);
        }
        let (events, records, looks) = (
            self.missed_of_pairings()?,
            self.records_without_content()?,
            self.never_looked_at()?,
        );
        if events > 0 {
            left.push(format!(
                "{} of the chain could not be taken yet, as of consents whose objects were not fetched",
                counted(events, "event")
            ));
        }
        if records > 0 {
            left.push(format!(
                "the content of {} not here",
                counted_as(records, "record is", "records are")
            ));
        }
        if looks > 0 {
            left.push(format!(
                "{} not looked at yet",
                counted_as(looks, "record was", "records were")
            ));
        }
        Ok(left)
    }

    /// Nodes whose notes of own addresses a restore did not read.
    fn nodes_unread(&self) -> Result<BTreeSet<String>, JourneyError> {
        let mut nodes = BTreeSet::new();
        for (key, id) in self.keyed_rows::<AccountId>(table::NOTES_UNREAD)? {
            let url = key.get(id.as_bytes().len()..).unwrap_or_default();
            nodes.insert(match core::str::from_utf8(url) {
                Ok(url) if !url.is_empty() => url.to_owned(),
                _ => self.ports.network.own_node(),
            });
        }
        Ok(nodes)
    }

    /// Events that wait to be taken, those of strangers not among them: nothing of them is owed.
    fn missed_of_pairings(&self) -> Result<usize, JourneyError> {
        let own = self.own_accounts()?;
        let events = self.missed_events()?;
        let grants = events.iter().filter_map(|(_, event)| match event {
            Event::Granted(grant) => Some(grant.id),
            _ => None,
        });
        // What is of a consent that waits itself is told with that.
        let waiting: BTreeSet<GrantId> = grants.collect();
        let mut count = 0;
        for (_, event) in &events {
            let is_with_its_grant =
                matches!(event, Event::Delivered { grant, .. } if waiting.contains(grant));
            if !is_with_its_grant && self.is_explained(&own, event)? {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Records that the chain says are accepted, and that do not open here.
    fn records_without_content(&self) -> Result<usize, JourneyError> {
        let records = self.rows::<KeptRecord>(table::RECORDS)?;
        Ok(records.iter().filter(|it| it.unopened().is_some()).count())
    }

    /// Anchors for own addresses that no look said anything of: who may have their objects did not answer.
    fn never_looked_at(&self) -> Result<usize, JourneyError> {
        let looks = self.rows::<Look>(table::LOOKS)?;
        Ok(looks.iter().filter(|look| look.because.is_none()).count())
    }
}
