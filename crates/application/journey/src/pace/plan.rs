//! Putting errands off, doing what is due, bringing it forward.

use std::collections::BTreeSet;

use medibloc_consent::{Purpose, Scope};
use medibloc_ledger::{Call, EventRef};
use medibloc_record::{AccountId, GrantId, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::errand::{Errand, Luggage, errand_key, gone};
use crate::grant::Artefact;
use crate::looks::Look;
use crate::moment::Moment;
use crate::party::{change, table};
use crate::ports::{Change, PortError};
use crate::settle::read_by;
use crate::times::End;
use crate::{JourneyError, Party, SyncReport};

/// An act that is put off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// For people.
    pub what: String,
    /// When it is done.
    pub due: Timestamp,
}

/// What is not to wait any longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sooner {
    /// These consents, to read or to write, and what must stand before them.
    Grants(Vec<GrantId>),
    /// Revocations.
    Revocations,
    /// Everything that is planned.
    All,
}

/// A read that nobody waits for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct PlannedRead {
    record: RecordId,
    due: Timestamp,
    /// The consent that it was planned on: a read goes on with another one only for the same purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<GrantId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    purpose: Option<Purpose>,
}

/// The key of the errand that accepts a record.
pub(crate) fn accept_key(record: RecordId) -> [u8; 32] {
    errand_key("accept", &[record.as_bytes()])
}

/// Whether a call only takes back: it is never put off for the sake of others.
pub(crate) const fn is_revocation(call: &Call) -> bool {
    matches!(
        call,
        Call::Revoke(_)
            | Call::RevokeReader { .. }
            | Call::RevokeWrite { .. }
            | Call::RevokeAll
            | Call::RotateAddress { .. }
    )
}

pub(crate) fn is_wanted(what: &Sooner, errand: &Errand, wanted: &BTreeSet<[u8; 32]>) -> bool {
    match what {
        Sooner::All => true,
        Sooner::Revocations => is_revocation(&errand.call),
        Sooner::Grants(_) => wanted.contains(&errand.key),
    }
}

impl Party {
    /// Keeps an errand with its rows, and does it now, or leaves it to the first pass after its due time.
    pub(crate) async fn begin_at(
        &self,
        due: Option<Timestamp>,
        key: [u8; 32],
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<(), JourneyError> {
        let errand = self.keep_errand(due, key, what, own, call, luggage).await?;
        if self.is_planned(&errand)? {
            return Ok(());
        }
        self.go_on(errand).await.map(drop)
    }

    /// Whether an errand's time has not come.
    pub(crate) fn is_planned(&self, errand: &Errand) -> Result<bool, JourneyError> {
        Ok(self.waits_until(errand)?.is_some())
    }

    /// Acts that are put off, the next first.
    pub fn planned(&self) -> Result<Vec<Planned>, JourneyError> {
        let mut planned = self.planned_of(&Sooner::All)?;
        for read in self.rows::<PlannedRead>(table::READ_PLANS)? {
            planned.push(Planned {
                what: match read.on {
                    Some(on) => format!("read of record {} on consent {on}", read.record),
                    None => format!("read of record {}", read.record),
                },
                due: read.due,
            });
        }
        planned.sort_by_key(|planned| planned.due);
        Ok(planned)
    }

    /// Calls that are put off, of these alone, the next first.
    pub fn planned_of(&self, of: &Sooner) -> Result<Vec<Planned>, JourneyError> {
        let wanted = self.wanted(of)?;
        let mut planned = Vec::new();
        for errand in self.errands()? {
            if !is_wanted(of, &errand, &wanted) {
                continue;
            }
            if let Some(due) = errand.due.filter(|_| errand.is_unsent()) {
                let due = self.waits_until(&errand)?.unwrap_or(due);
                let what = errand.what;
                planned.push(Planned { what, due });
            }
        }
        planned.sort_by_key(|planned| planned.due);
        Ok(planned)
    }

    /// Reads a record at a random time within the pace's delay, on the named consent, or on the one that a read now would be on, for later
    /// use from the own copy. Planned anew it is read on the consent that was named last. Whether it waits: a copy that was read on
    /// that consent is here already, and where nothing is put off it is read now.
    ///
    /// # Errors
    /// As [`Party::read`].
    pub async fn plan_read(
        &self,
        record: RecordId,
        on: Option<GrantId>,
    ) -> Result<bool, JourneyError> {
        let Some(due) = self.ports.due() else {
            return self.read_on(record, on).await.map(|_| false);
        };
        let openers = self.consents_that_open(record)?;
        let id = |artefact: &Artefact| artefact.grant.as_ref().map(|grant| grant.id);
        let meant = openers
            .iter()
            .find(|artefact| on.is_none() || id(artefact) == on);
        let on = meant.and_then(id).or(on);
        if self
            .read_before(record)?
            .is_some_and(|copy| on.is_none_or(|on| copy.receipt.grant == on))
        {
            return Ok(false);
        }
        self.must_not_be_known_as_taken_back(record)?;
        let known: Option<PlannedRead> = self.row(table::READ_PLANS, record.as_bytes())?;
        let plan = PlannedRead {
            record,
            due: known.map_or(due, |known| known.due),
            on,
            purpose: meant.map(|artefact| artefact.purpose),
        };
        self.put(table::READ_PLANS, record.as_bytes(), &plan)?;
        Ok(true)
    }

    /// The consent that a planned read is on now: the one that it was planned on, or another for the same purpose once that has ended.
    fn is_on(&self, plan: &PlannedRead) -> Result<Option<GrantId>, JourneyError> {
        let openers = self.consents_that_open(plan.record)?;
        let of = |artefact: &Artefact| artefact.grant.as_ref().map(|grant| grant.id);
        if openers.iter().any(|artefact| of(artefact) == plan.on) {
            return Ok(plan.on);
        }
        let same = openers
            .iter()
            .find(|artefact| Some(artefact.purpose) == plan.purpose);
        Ok(same.and_then(of).or(plan.on))
    }

    /// Goes on with every errand whose time has come; tells what could not be done now.
    ///
    /// In one pass only one own address does what was put off. Whatever else is due (the agent was away, or two times
    /// fell together) is put off again: else the first pass after a night would show which addresses belong together.
    /// Revocations never wait for that.
    pub(crate) async fn resume_errands(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        match self.order_elsewhere().await {
            Err(error @ JourneyError::Ledger(_)) => report.later.push(error.to_string()),
            done => done?,
        }
        let mut errands = Vec::new();
        for errand in self.errands()? {
            if !self.is_planned(&errand)? {
                errands.push(errand);
            }
        }
        // What takes back; what was not put off, or has begun, in its order; then what waited longest.
        let waited = |errand: &Errand| errand.due.filter(|_| errand.is_unsent());
        let (mut errands, others): (Vec<Errand>, Vec<Errand>) = errands
            .iter()
            .cloned()
            .partition(|it| it.goes_first(&errands));
        let order = |errand: &Errand| (waited(errand), errand.number());
        errands.sort_by_key(order);
        let first = errands.len();
        errands.extend(others);
        errands[first..].sort_by_key(order);
        let mut acted = None;
        for errand in errands {
            if waited(&errand).is_some() && !is_revocation(&errand.call) {
                if self.must_wait(&errand)? {
                    continue;
                }
                if acted.is_some_and(|own| own != errand.own) {
                    self.put_off(errand)?;
                    continue;
                }
            }
            // A revocation may have gone before its time, ahead of a consent of its address.
            if self.errand(&errand.key)?.is_none() {
                continue;
            }
            if let Some(record) = read_by(&errand) {
                self.settle_read(errand, record, report).await?;
                continue;
            }
            if self.erases_nothing(&errand).await? {
                continue;
            }
            let what = errand.what.clone();
            let accepted = match &errand.call {
                Call::Accept(anchor) => Some(anchor.record_id()),
                _ => None,
            };
            let ordered = self.ordered_words_of(errand.own, &errand.call)?;
            let is_end = End::of_call(errand.own, &errand.call).is_some();
            let (key, own) = (errand.key, errand.own);
            let waited = waited(&errand).is_some() && !is_revocation(&errand.call);
            let done = self.go_on(errand).await;
            let kept = self.errand(&key)?;
            // What is held back shows nothing, and keeps no other address from acting.
            let has_left = done.is_ok() || kept.as_ref().is_some_and(|kept| !kept.is_unsent());
            if waited && has_left {
                acted = Some(own);
            }
            match done {
                Ok(outcome) => {
                    let since = match is_end {
                        true => self.in_force(ordered, outcome.block).await,
                        false => String::new(),
                    };
                    report.done.push(format!("{what}{since}"));
                    report.accepted.extend(accepted);
                }
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                // It was told by who found that.
                Err(JourneyError::NotGiven { .. }) if kept.is_none() => {}
                // What the contracts refused is over.
                Err(error) if kept.is_none() => {
                    report.given_up.push(format!("{what}: {error}"));
                }
                Err(error) => report.later.push(format!("{what}: {error}")),
            }
        }
        self.resume_reads(acted, &mut report.later).await
    }

    /// Since when a revocation is in force, as the end of a sentence about it.
    async fn in_force(&self, ordered: Option<String>, block: u64) -> String {
        let ordered = ordered.map(|words| format!(", {words}"));
        // The chain may be gone since; the block says when as well.
        let time = self.time_of(block).await.ok().flatten();
        let time = time.map(|at| format!(" ({})", Moment(at)));
        format!(
            "{}, in force since block {block}{}",
            ordered.unwrap_or_default(),
            time.unwrap_or_default()
        )
    }

    async fn resume_reads(
        &self,
        mut acted: Option<AccountId>,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let mut plans: Vec<PlannedRead> = self.rows(table::READ_PLANS)?;
        plans.retain(|plan| plan.due <= now);
        plans.sort_by_key(|plan| plan.due);
        for plan in plans {
            let reader = self.reader_of(plan.record)?;
            if acted.is_some() && acted != reader {
                let due = now.plus(self.ports.up_to(self.ports.pace.delay));
                let plan = PlannedRead { due, ..plan };
                self.put(table::READ_PLANS, plan.record.as_bytes(), &plan)?;
                continue;
            }
            acted = reader.or(acted);
            let on = self.is_on(&plan)?;
            // A sync stands on one stack with what it calls.
            let done = Box::pin(self.read_on(plan.record, on)).await;
            match done {
                Ok(_) => {}
                Err(error) if crate::accept::is_temporary(&error) => {
                    later.push(format!("read of record {}: {error}", plan.record));
                    continue;
                }
                Err(error) => later.push(format!("read of record {}: {error}", plan.record)),
            }
            self.ports.vault.apply(vec![Change::Delete {
                table: table::READ_PLANS,
                key: plan.record.as_bytes().to_vec(),
            }])?;
        }
        Ok(())
    }

    /// The own address that would read a record.
    fn reader_of(&self, record: RecordId) -> Result<Option<AccountId>, JourneyError> {
        let openers = self.openers(record)?;
        Ok(openers.first().map(|(held, _)| held.own))
    }

    /// A grant of one record comes after its acceptance, a delivery after its grant, and any consent after the end of what
    /// its address gave before.
    fn must_wait(&self, errand: &Errand) -> Result<bool, JourneyError> {
        if matches!(errand.call, Call::Grant { .. } | Call::GrantWrite(_))
            && self.ends_all(errand.own)?
        {
            return Ok(true);
        }
        let before = match &errand.call {
            Call::Grant { grant, .. } => match grant.terms.scope {
                Scope::One(record) => accept_key(record),
                _ => return Ok(false),
            },
            Call::Deliver { grant, .. } => errand_key("grant", &[grant.id.as_bytes()]),
            _ => return Ok(false),
        };
        Ok(self.errand(&before)?.is_some())
    }

    fn put_off(&self, mut errand: Errand) -> Result<(), JourneyError> {
        errand.due = match self.ports.due() {
            Some(due) => Some(self.in_time(errand.own, due, &errand.call)?),
            None => None,
        };
        self.put(table::ERRANDS, &errand.key, &errand)
    }

    /// When the next planned act is due.
    pub fn next_due(&self) -> Result<Option<Timestamp>, JourneyError> {
        Ok(self.planned()?.first().map(|planned| planned.due))
    }

    /// When the last of these acts is due; none if nothing of it is put off.
    pub fn last_of(&self, what: &Sooner) -> Result<Option<Timestamp>, JourneyError> {
        let wanted = self.wanted(what)?;
        let mut last = None;
        for errand in self.errands()? {
            if is_wanted(what, &errand, &wanted) {
                last = last.max(self.waits_until(&errand)?);
            }
        }
        Ok(last)
    }

    pub(crate) fn wanted(&self, what: &Sooner) -> Result<BTreeSet<[u8; 32]>, JourneyError> {
        let mut wanted = BTreeSet::new();
        let Sooner::Grants(grants) = what else {
            return Ok(wanted);
        };
        for id in grants {
            wanted.insert(errand_key("grant", &[id.as_bytes()]));
        }
        for (id, given) in self.grants()? {
            if let (true, Some(grant)) = (grants.contains(&id), &given.artefact.grant)
                && let Scope::One(record) = grant.terms.scope
            {
                wanted.insert(accept_key(record));
            }
        }
        Ok(wanted)
    }

    /// Does now what was put off. What that shows, [`Party::haste`] says before.
    pub async fn bring_forward(&self, what: &Sooner) -> Result<(), JourneyError> {
        let wanted = self.wanted(what)?;
        for errand in self.errands()? {
            if is_wanted(what, &errand, &wanted) {
                self.go_on(errand).await?;
            }
        }
        Ok(())
    }

    /// Rows of planned acts of an own address that a revocation makes pointless, with what they would have left.
    pub(crate) fn drop_planned(
        &self,
        is_over: impl Fn(&Errand) -> bool,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut changes = Vec::new();
        for errand in self.errands()? {
            let gives = matches!(
                errand.call,
                Call::Grant { .. } | Call::GrantWrite(_) | Call::Deliver { .. }
            );
            if gives && errand.is_unsent() && is_over(&errand) {
                changes.extend(self.undo(&errand)?);
                changes.push(gone(&errand.key));
            }
        }
        Ok(changes)
    }

    /// Marks records as accepted that the chain says are, and whose acceptance was put off.
    pub(crate) fn now_accepted(
        &self,
        record: RecordId,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let Some(mut kept) = self.row::<crate::KeptRecord>(table::RECORDS, record.as_bytes())?
        else {
            return Ok(());
        };
        if matches!(kept.standing, crate::Standing::NotAccepted { .. }) {
            // Another device of the phrase took what this one refused: what stands here never contradicts the chain.
            let at = EventRef {
                block: kept.block,
                index: 0,
            };
            let look = Look::new(kept.anchor, at, kept.capsule);
            return Ok(self.ports.vault.apply(vec![look.row_of(record)])?);
        }
        if kept.standing != crate::Standing::Checked {
            return Ok(());
        }
        kept.standing = crate::Standing::Accepted;
        self.ports.vault.apply(vec![
            change(table::RECORDS, record.as_bytes(), &kept),
            gone(&accept_key(record)),
        ])?;
        report.accepted.push(record);
        Ok(())
    }
}
