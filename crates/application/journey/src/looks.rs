//! The queue of anchors that wait for a look: a row each, so that the cursor of the chain may pass; looked at in turn
//! over their authors, so that junk of one never keeps another's records waiting.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::AnchorFields;
use medibloc_ledger::{EventRef, LedgerError};
use medibloc_record::{AccountId, Digest, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::is_temporary;
use crate::caught::caught;
use crate::fair::{FAILURES_A_SYNC, Turn, in_turn};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::stage::Stage;
use crate::{JourneyError, KeptRecord, Party, Standing, SyncReport, counted};

/// Records whose objects are fetched at once.
const WINDOW: usize = 64;
/// Parts of a record that are usual: what is looked at beyond them is work that its author causes.
const USUAL_PARTS: usize = 16;
/// Unusual parts of one author in one sync; the rest of its records waits for the next.
const SURPLUS_PARTS: usize = 4_096;

/// An anchor that waits for a look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) anchor: AnchorFields,
    /// Where the anchor stands.
    pub(crate) at: EventRef,
    /// Digest of the newest capsule.
    pub(crate) capsule: Digest,
    turn: Turn,
    /// Why the last look did not end it.
    pub(crate) because: Option<String>,
}

impl Look {
    pub(crate) fn new(anchor: AnchorFields, at: EventRef, capsule: Digest) -> Self {
        Self {
            anchor,
            at,
            capsule,
            turn: Turn::default(),
            because: None,
        }
    }

    pub(crate) fn record(&self) -> RecordId {
        self.anchor.record_id()
    }

    pub(crate) fn row(&self) -> Change {
        self.row_of(self.record())
    }

    /// [`Look::row`] where the id is known: it costs a hash.
    pub(crate) fn row_of(&self, record: RecordId) -> Change {
        change(table::LOOKS, record.as_bytes(), self)
    }

    /// The record that its owner erased before it was looked at.
    pub(crate) fn erased(&self) -> KeptRecord {
        self.kept(Standing::Erased)
    }

    /// The record, of which nothing but the anchor is known yet.
    pub(crate) fn waiting(&self) -> KeptRecord {
        self.kept(Standing::Checked)
    }

    fn kept(&self, standing: Standing) -> KeptRecord {
        KeptRecord {
            anchor: self.anchor,
            block: self.at.block,
            standing,
            manifest: None,
            capsule: self.capsule,
            incomplete: false,
            retracted: false,
            warning: None,
            named: crate::Named::Nobody,
            confirmed: false,
            labelled: crate::Labelled::NotLooked,
        }
    }

    fn gone(&self) -> Change {
        Change::Delete {
            table: table::LOOKS,
            key: self.record().as_bytes().to_vec(),
        }
    }
}

/// How one round of looks went.
#[derive(Default)]
struct Round {
    failures: BTreeMap<AccountId, u32>,
    /// Own addresses whose storage or keepers do not answer now.
    silent: BTreeSet<AccountId>,
    /// Looks that wait for somebody who does not answer, by what was said.
    waiting: BTreeMap<String, usize>,
    put_off: usize,
    /// Parts beyond the usual number, by author.
    surplus: BTreeMap<AccountId, usize>,
    /// Accepted records that do not open here.
    unopened: BTreeSet<RecordId>,
    stage: Stage,
}

impl Round {
    /// Whether one more record of this author is looked at now, for its owner's storage answers.
    fn is_open(&self, look: &Look) -> bool {
        let author = &look.anchor.author;
        let failed = self.failures.get(author).copied().unwrap_or_default();
        let surplus = self.surplus.get(author).copied().unwrap_or_default();
        failed < FAILURES_A_SYNC
            && surplus < SURPLUS_PARTS
            && !self.silent.contains(&look.anchor.owner)
    }
}

impl Party {
    /// Looks that are due, in turn over the authors. What fails is looked at again after growing pauses.
    pub(crate) async fn take_looks(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let mut round = Round::default();
        let mut due = self.waiting_looks(&mut round)?;
        round.stage = self.stage()?;
        due.retain(|look| look.turn.is_due(now) && own.contains_key(&look.anchor.owner));
        due.sort_by_key(|look| (look.turn.tries, look.at));
        let (all, mut done) = (due.len(), 0);
        let mut queue = in_turn(due, |look| look.anchor.author).into_iter();
        loop {
            let mut window = Vec::new();
            for look in queue.by_ref() {
                if round.is_open(&look) {
                    window.push(look);
                } else {
                    round.put_off += 1;
                }
                if window.len() == WINDOW {
                    break;
                }
            }
            if window.is_empty() {
                break;
            }
            self.fetch_ahead(own, &window, &mut round).await?;
            for look in window {
                if round.is_open(&look) && !self.patience.is_called() {
                    self.take_look(own, look, now, &mut round, report).await?;
                    done += 1;
                    self.watched(done, all);
                } else {
                    round.stage.open(&look);
                    round.put_off += 1;
                }
            }
            self.drop_junk(&mut round.stage)?;
            if round.silent.len() == own.len() || self.patience.is_called() {
                break;
            }
        }
        self.leave_stage(round.stage)?;
        for record in round.unopened {
            let kept = self.row::<KeptRecord>(table::RECORDS, record.as_bytes())?;
            if let Some(why) = kept.as_ref().and_then(KeptRecord::unopened) {
                report.missed.push(format!(
                    "record {record} does not open here, and the chain says that it is accepted: {why}"
                ));
            }
        }
        round.put_off += queue.count();
        let waiting: usize = round.waiting.values().sum();
        for (why, count) in round.waiting {
            report.later.push(if count + round.put_off > 1 {
                format!("{}: {why}", counted(count.max(1) + round.put_off, "record"))
            } else {
                why
            });
        }
        if waiting == 0 && round.put_off > 0 {
            report.later.push(format!(
                "{} records of authors with {FAILURES_A_SYNC} or more that cannot be accepted, or with very many parts, wait for the next sync",
                round.put_off
            ));
        }
        Ok(())
    }

    /// The queue, with records of before that are not in it.
    fn waiting_looks(&self, round: &mut Round) -> Result<Vec<Look>, JourneyError> {
        let rows: Vec<(Vec<u8>, Look)> = self.keyed_rows(table::LOOKS)?;
        let (known, mut looks): (BTreeSet<Vec<u8>>, Vec<Look>) = rows.into_iter().unzip();
        for (key, kept) in self.keyed_rows::<KeptRecord>(table::RECORDS)? {
            if kept.unopened().is_some() {
                round.unopened.insert(kept.record());
            }
            if (kept.standing == Standing::Checked || kept.incomplete)
                && !known.contains(&key)
                && !self.is_accept_planned(&kept)?
            {
                let at = EventRef {
                    block: kept.block,
                    index: 0,
                };
                let mut look = Look::new(kept.anchor, at, kept.capsule);
                // It was told before.
                look.because = Some("it was looked at before".into());
                looks.push(look);
            }
        }
        Ok(looks)
    }

    /// Objects of a window of records, in few requests for each own address. Who does not answer is not asked again.
    async fn fetch_ahead(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        window: &[Look],
        round: &mut Round,
    ) -> Result<(), JourneyError> {
        let mut of: BTreeMap<AccountId, Vec<&Look>> = BTreeMap::new();
        for look in window {
            of.entry(look.anchor.owner).or_default().push(look);
        }
        for (owner, looks) in of {
            let Some(address) = own.get(&owner) else {
                continue;
            };
            let store = self.store_of(address);
            let done = self.fetch_ahead_of(store.as_ref(), &looks);
            match caught("objects", done).await {
                // A full disk may have room for one record yet.
                Ok(()) | Err(JourneyError::Port(PortError::Vault { .. })) => {}
                Err(error) if is_temporary(&error) => {
                    round.silent.insert(owner);
                    *round.waiting.entry(error.to_string()).or_default() += 1;
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    async fn take_look(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        mut look: Look,
        now: Timestamp,
        round: &mut Round,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let Some(address) = own.get(&look.anchor.owner) else {
            return Ok(());
        };
        let looked = self
            .look_at(address, look.at.block, &look.anchor, look.capsule)
            .await;
        let because = match looked {
            Ok(kept) => match kept.standing {
                Standing::Accepted if kept.incomplete => {
                    round.stage.good(&look);
                    round.unopened.insert(look.record());
                    kept.warning
                }
                Standing::Accepted => {
                    round.stage.good(&look);
                    let parts = kept.manifest.as_ref().map_or(0, |it| it.parts.len());
                    *round.surplus.entry(look.anchor.author).or_default() +=
                        parts.saturating_sub(USUAL_PARTS);
                    report.accepted.push(look.record());
                    None
                }
                Standing::Erased => {
                    round.stage.refused(&look);
                    None
                }
                Standing::NotAccepted { because } => {
                    round.stage.refused(&look);
                    if look.because.is_none() {
                        report.not_accepted.push((look.record(), because.clone()));
                    }
                    kept.incomplete.then_some(because)
                }
                // It is accepted at a random time; the event says when it is.
                Standing::Checked if self.is_accept_planned(&kept)? => {
                    round.stage.good(&look);
                    if let Some(due) = self.accepted_by(look.record())? {
                        report.checked.push((look.record(), due));
                    }
                    None
                }
                // Its keepers were not waited for, which says nothing of them.
                Standing::Checked if self.patience.is_called() => {
                    round.stage.good(&look);
                    return Ok(());
                }
                Standing::Checked => {
                    round.stage.good(&look);
                    let why = "too few keepers have their share yet";
                    report
                        .later
                        .push(format!("record {}: {why}", look.record()));
                    Some(why.to_owned())
                }
            },
            Err(error @ JourneyError::Port(PortError::Vault { .. })) => {
                // The disk may be full: nothing else fits either.
                round.stage.open(&look);
                round.silent.extend(own.keys());
                *round.waiting.entry(error.to_string()).or_default() += 1;
                return Ok(());
            }
            Err(error) if is_temporary(&error) => {
                // Who is away says nothing about the record.
                round.stage.open(&look);
                round.silent.insert(look.anchor.owner);
                if matches!(error, JourneyError::Ledger(LedgerError::Unreachable { .. })) {
                    round.silent.extend(own.keys());
                }
                *round.waiting.entry(error.to_string()).or_default() += 1;
                return Ok(());
            }
            Err(error) => {
                round.stage.open(&look);
                report
                    .later
                    .push(format!("record {}: {error}", look.record()));
                Some(error.to_string())
            }
        };
        let row = match because {
            None => look.gone(),
            Some(because) => {
                *round.failures.entry(look.anchor.author).or_default() += 1;
                look.turn = look.turn.failed(now);
                look.because = Some(because);
                look.row()
            }
        };
        Ok(self.ports.vault.apply(vec![row])?)
    }
}
