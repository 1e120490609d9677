//! Sync (design 11, rows 3, 9–11): unfinished jobs, events of the chain, letters. Safe to run at any time and to
//! break off at any instant: every step is keyed by what it is about and simply done again.

use medibloc_record::{GrantId, RecordId, Timestamp};

use crate::JourneyError;
use crate::acts::UnknownAct;
use crate::caught::caught;
use crate::erase::ErasedWritten;
use crate::grant::HeldBack;
use crate::party::table;
use crate::ports::{Change, PortError};
use crate::said::{Corrected, TakenBack};
use crate::set_back::Says;
use crate::{Party, Written};

mod chain;
mod consents;
mod event;
mod readers;

pub(crate) use chain::{Cursor, FromChain, PAGE};
pub use consents::NotTaken;

/// What a sync found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Records that are accepted now.
    pub accepted: Vec<RecordId>,
    /// New records that were checked, with the time at which each is accepted.
    pub checked: Vec<(RecordId, Timestamp)>,
    /// Records that are not accepted, with the reason.
    pub not_accepted: Vec<(RecordId, String)>,
    /// Own and held records that their authors took back; they stay and are marked.
    pub retracted: Vec<RecordId>,
    /// The same with where the chain says so, own ones and those that are held or were read here; with the correction if
    /// that was taken back.
    pub taken_back: Vec<TakenBack>,
    /// Own records, and those of others that are held or were read here, that their authors corrected, each with its newest
    /// correction. What this home wrote itself is not among the corrections.
    pub corrected: Vec<Corrected>,
    /// Grants received.
    pub grants: usize,
    /// Letters that no pairing or invitation explains, removed unread.
    pub strangers: usize,
    /// Grants that no pairing explains, not taken.
    pub unpaired: usize,
    /// Own answers to invitations that came to nothing, with the reason.
    pub declined: Vec<String>,
    /// Contacts and requests received.
    pub letters: usize,
    /// Keys of newly accepted records given to readers of class and all grants.
    pub delivered: usize,
    /// Own records that standing consents cover and that were not given, because they name another person.
    pub held_back: Vec<HeldBack>,
    /// Keys of newly accepted records received.
    pub keys: usize,
    /// Held grants that have ended.
    pub ended: Vec<GrantId>,
    /// Records whose copies were purged, with a grant or because their owner erased them.
    pub purged: Vec<RecordId>,
    /// Own records that another device of this phrase erased: nothing of them is left here.
    pub erased: Vec<RecordId>,
    /// Records that this party wrote for others, who erased them; each is told once.
    pub erased_written: Vec<ErasedWritten>,
    /// What readers say of copies that they purged.
    pub told: Vec<String>,
    /// Consents that followed by themselves from one to a class or to all records, each with the own address that gives it.
    pub standing: Vec<String>,
    /// Exported files of purged or erased records that were deleted since it was told last, with the reason.
    pub files_removed: Vec<(RecordId, String)>,
    /// Exported files of purged or erased records that stay, with the reason.
    pub files_left: Vec<(RecordId, String)>,
    /// Events that were not taken yet, each with what is missing; they are tried again, with growing pauses.
    pub missed: Vec<String>,
    /// Grants and permissions that no pairing explains yet, and whose objects nobody has or were not looked at: strangers'
    /// mostly. They are looked at in turn for thirty days, and nothing of them is owed.
    pub unexplained: usize,
    /// Grants to an address that an owner was offered, from accounts of which nothing was opened yet: the owner's, or of whoever saw
    /// the owner's call. They are looked at in turn for thirty days; the first is among `missed`.
    pub unopened: usize,
    /// What is not tried again, with the reason.
    pub given_up: Vec<String>,
    /// Own records that somebody was cleared to read since the last sync, with the reader's name.
    pub reads: Vec<(RecordId, String)>,
    /// Own records that keepers refused to somebody since the last sync, with the reader's name and the reason.
    pub refused: Vec<(RecordId, String)>,
    /// What the person must look at: a receipt that no grant of this vault explains.
    pub alarms: Vec<String>,
    /// What own accounts did and this device did not, until the person says that it was a device of the own.
    pub acts: Vec<UnknownAct>,
    /// What was begun or planned before, and is done now.
    pub done: Vec<String>,
    /// What could not be done now and is done by the next sync.
    pub later: Vec<String>,
    /// Letters for which this home's deployment file is too old: whose, since when, and what to do.
    pub waiting: Vec<String>,
    /// Something of it was left to the next sync, for a command that takes something back.
    pub gave_way: bool,
}

/// A fault of the vault ends a sync; anything else is told and done later.
pub(crate) fn or_later(
    done: Result<(), JourneyError>,
    report: &mut SyncReport,
) -> Result<(), JourneyError> {
    match done {
        Err(error @ JourneyError::Port(PortError::Vault { .. })) => Err(error),
        Err(error) => {
            report.later.push(error.to_string());
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

impl Party {
    /// Fetches everything that is new for every own address, and goes on with unfinished jobs.
    pub async fn sync(&self) -> Result<SyncReport, JourneyError> {
        let mut report = SyncReport::default();
        self.sync_into(&mut report).await?;
        Ok(report)
    }

    /// The same with a report that has what was found before it failed: most of that is found once.
    pub async fn sync_into(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let _way = self.patience.give_way();
        self.ports.vault.keep_reserve();
        // Without the chain no step can do anything: say so at once.
        self.check_chain().await?;
        self.compare_with_node(report).await;
        self.keep_ahead().await?;
        self.resume_restore(&mut report.later).await?;
        report.later.extend(self.never_began()?);
        // What cannot be asked now keeps back what gives, and nothing else.
        let heard = self.hear_first(report).await;
        or_later(heard, report)?;
        // What takes something back is among these: it waits for no keeper.
        self.resume_errands(report).await?;
        let (written, errors) = self.go_on_with_writes().await?;
        for error in errors {
            match error {
                JourneyError::InVain { .. } => report.given_up.push(error.to_string()),
                error => report.later.push(error.to_string()),
            }
        }
        let lacking = written
            .iter()
            .filter(|written| written.acknowledged < written.keepers && written.acknowledged > 0);
        report.later.extend(lacking.map(|written| {
            let (record, has, all) = (written.record, written.acknowledged, written.keepers);
            format!(
                "record {record}: {has} of {all} keepers hold a share; the others are asked again"
            )
        }));
        let whole = |written: &&Written| written.acknowledged == written.keepers;
        report
            .done
            .extend(written.iter().filter(whole).map(|written| {
                let (record, all) = (written.record, written.keepers);
                format!("record {record} is stored and anchored; all {all} keepers hold a share")
            }));
        self.sync_chain(report).await?;
        // What one step cannot do now keeps none of the others from theirs.
        let done = self.sync_mail(report).await;
        or_later(done, report)?;
        let done = self.correct_names().await;
        or_later(done, report)?;
        self.pass_on(report).await?;
        let done = self.resume_erasures(&mut report.later).await;
        or_later(done, report)?;
        let done = caught("feeds", self.sync_feeds(report)).await;
        or_later(done, report)?;
        let done = caught("copies", self.sync_copies(report)).await;
        or_later(done, report)?;
        self.remind_readers()?;
        let done = self.resume_letters(&mut report.later).await;
        or_later(done, report)?;
        let done = caught("objects of consents", self.sync_objects(report)).await;
        let has_lost = done.as_ref().is_ok_and(|has_lost| *has_lost);
        or_later(done.map(drop), report)?;
        let done = caught("notes", self.sync_notes(has_lost, report)).await;
        or_later(done, report)?;
        report.told.extend(self.take_untold()?);
        report.later.extend(self.untold_devices()?);
        self.patience.tell(report);
        self.tell_removed(report)?;
        if !report.gave_way && !self.is_restoring()? {
            self.end_restore()?;
        }
        Ok(())
    }

    /// A home that was behind an older copy of the chain sees nothing amiss in it; its node may.
    async fn compare_with_node(&self, report: &mut SyncReport) {
        let Ok(witness) = self.witness(None).await else {
            return;
        };
        let told = || format!("{witness}; `medibloc chain show` asks the keepers");
        match witness.says {
            Says::Another => report.alarms.push(told()),
            Says::Ahead => report.later.push(told()),
            Says::Same | Says::Nothing(_) => {}
        }
    }

    /// The part of a sync that asks nobody but the chain unless there is something new: what was anchored is accepted
    /// and given to readers of standing grants (design 02: within a minute), what ended is purged.
    pub async fn catch_up(&self) -> Result<SyncReport, JourneyError> {
        let mut report = SyncReport::default();
        self.catch_up_into(&mut report).await?;
        Ok(report)
    }

    /// The same with a report that has what was found before it failed.
    pub async fn catch_up_into(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let _way = self.patience.give_way();
        self.check_chain().await?;
        self.keep_ahead().await?;
        self.resume_errands(report).await?;
        self.sync_chain(report).await?;
        self.pass_on(report).await?;
        self.tell_taken_back_apart().await?;
        report.told.extend(self.take_untold()?);
        self.patience.tell(report);
        self.tell_removed(report)?;
        Ok(())
    }

    /// What follows from what is known now: copies to purge, capsules to make anew, keys to deliver.
    async fn pass_on(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let done = self.purge_expired(report).await;
        or_later(done, report)?;
        if self.patience.is_called() {
            return Ok(());
        }
        let done = self.resume_plans(report).await;
        or_later(done, report)?;
        let done = self.resume_capsules(report).await;
        or_later(done, report)?;
        let done = self.deliver_new(report).await;
        or_later(done, report)
    }

    /// A file that somebody wrote out does not go without a word.
    fn tell_removed(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        for (record, files) in self.take_removed(|_| true)? {
            let files = files.into_iter().map(|file| (record, file));
            report.files_removed.extend(files);
        }
        Ok(())
    }

    /// What a person must look at, until [`Party::forget_alarms`].
    pub fn alarms(&self) -> Result<Vec<String>, JourneyError> {
        self.rows(table::ALARMS)
    }

    /// The person has looked at every alarm.
    pub fn forget_alarms(&self) -> Result<(), JourneyError> {
        let rows = self.ports.vault.list(table::ALARMS)?;
        let gone = rows.into_iter().map(|(key, _)| Change::Delete {
            table: table::ALARMS,
            key,
        });
        Ok(self.ports.vault.apply(gone.collect())?)
    }
}
