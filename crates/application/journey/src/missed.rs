//! Events that could not be taken when they came: the chain names an object that no node gives out now, or somebody does
//! not answer. Each is a row that is tried again, so that the cursor may pass and nothing is lost with it.

use std::collections::BTreeMap;

use medibloc_consent::Scope;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::AccountId;
use serde::{Deserialize, Serialize};

use crate::accept::{is_missing, is_temporary};
use crate::fair::{FAILURES_A_SYNC, Turn, in_turn};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::{JourneyError, Party, SyncReport};

/// An event that waits to be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Missed {
    at: EventRef,
    event: Event,
    turn: Turn,
    because: String,
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

    fn gone(&self) -> Change {
        Change::Delete {
            table: table::MISSED,
            key: self.key(),
        }
    }

    /// What is missing, for people.
    fn told(&self) -> String {
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
            "{what} (block {}) is not taken yet, tried {} times: {}",
            self.at.block, self.turn.tries, self.because
        )
    }
}

/// Who caused an event.
fn cause(event: &Event) -> AccountId {
    match event {
        Event::Granted(grant) => grant.owner,
        Event::WriteGranted(write) => write.owner,
        Event::ReadOpened { reader, .. } => *reader,
        _ => AccountId::new([0; 20]),
    }
}

impl Party {
    /// The row of an event that could not be taken for a reason that may pass; none if it never will be.
    pub(crate) fn missed(
        &self,
        at: EventRef,
        event: &Event,
        error: &JourneyError,
    ) -> Option<Missed> {
        (is_temporary(error) || is_missing(error)).then(|| Missed {
            at,
            event: event.clone(),
            turn: Turn::default().failed(self.ports.clock.now()),
            because: error.to_string(),
        })
    }

    /// Tries missed events again, in turn over who caused them; tells those that still wait.
    pub(crate) async fn resume_missed(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let mut failures: BTreeMap<AccountId, u32> = BTreeMap::new();
        let rows: Vec<Missed> = self.rows(table::MISSED)?;
        for mut missed in in_turn(rows, |missed| cause(&missed.event)) {
            let failed = failures.entry(cause(&missed.event)).or_default();
            if !missed.turn.is_due(now) || *failed >= FAILURES_A_SYNC {
                report.missed.push(missed.told());
                continue;
            }
            if self.is_over(&missed.event).await? {
                self.ports.vault.apply(vec![missed.gone()])?;
                continue;
            }
            match self
                .take_event(own, missed.at.block, &missed.event, report)
                .await
            {
                Ok(()) => self.ports.vault.apply(vec![missed.gone()])?,
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                Err(error) if is_temporary(&error) || is_missing(&error) => {
                    *failed += 1;
                    missed.turn = missed.turn.failed(now);
                    missed.because = error.to_string();
                    self.ports.vault.apply(vec![missed.row()])?;
                    report.missed.push(missed.told());
                }
                Err(error) => {
                    report.given_up.push(format!("{}: {error}", missed.told()));
                    self.ports.vault.apply(vec![missed.gone()])?;
                }
            }
        }
        Ok(())
    }

    /// Whether a missed consent has ended meanwhile: no node gives out its object any more, and nobody needs it.
    async fn is_over(&self, event: &Event) -> Result<bool, JourneyError> {
        let Event::Granted(grant) = event else {
            return Ok(false);
        };
        // An own consent is part of the history, ended or not.
        if self.own(grant.owner)?.is_some() {
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
    pub(crate) fn is_missed_grant(
        &self,
        id: medibloc_record::GrantId,
    ) -> Result<bool, JourneyError> {
        let rows: Vec<Missed> = self.rows(table::MISSED)?;
        Ok(rows
            .iter()
            .any(|missed| matches!(&missed.event, Event::Granted(grant) if grant.id == id)))
    }
}
