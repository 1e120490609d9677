//! What a person sees of the own vault: plain values for lists and status, no key among them.

use std::collections::BTreeMap;

use medibloc_consent::{Grant, Scope, Terms};
use medibloc_record::{AccountId, GrantId, Kind, RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::dates::Dates;
use crate::erase::{Erasure, Signed};
use crate::errand::errand_key;
use crate::looks::Look;
use crate::outbox::Outgoing;
use crate::party::table;
use crate::write::WriteJob;
use crate::{
    AsOf, ConsentTimes, EndOfGrant, GivenGrant, HeldGrant, JourneyError, Left, NotTaken, Outputs,
    Party, Planned, Standing, counted, counted_as,
};
use medibloc_record::on_one_line;

/// Held consents that the chain is asked about for one list.
const HELD_ASKED: usize = 64;

/// A contact of an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactView {
    /// The own address that it is paired with.
    pub own: String,
    /// The account that it signs with.
    pub account: String,
    /// The authority vouches for the account.
    pub accredited: bool,
    /// Name in its credential, or what the owner calls it.
    pub name: String,
    /// The person has read the name and said yes.
    pub confirmed: bool,
    /// Its node.
    pub node: String,
    /// Until when it may write; none if it may not.
    pub may_write_until: Option<u64>,
}

/// An invitation that nobody has answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationView {
    /// The own address that it is for.
    pub own: String,
    /// The text to hand over.
    pub text: String,
    /// Until when it is good.
    pub until: u64,
}

/// A request to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestView {
    /// Its id.
    pub id: String,
    /// Who asks.
    pub name: String,
    /// What for.
    pub purpose: String,
    /// In words.
    pub reason: String,
    /// Categories of records; empty for any.
    pub categories: Vec<String>,
    /// Dates of records; none for any.
    pub dates: Option<Dates>,
    /// Until when.
    pub until: u64,
    /// Grants that answered it.
    pub answered_by: Vec<String>,
}

/// How a grant stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantState {
    /// On its way to the chain.
    Pending,
    /// In force.
    Live,
    /// Being taken back: in force until the chain has it.
    Ending,
    /// Its time is over.
    Expired,
    /// Taken back.
    Revoked,
    /// A permission to write whose place a newer one of the same author took.
    Replaced,
    /// It stood on a chain that was left, and is not on the one that this home went on with.
    Lost,
    /// The record that it names was erased: nothing of it is left.
    Erased,
}

/// A grant that was given or is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantView {
    /// Its id.
    pub id: String,
    /// Name of the other side; empty on the reader's side.
    pub name: String,
    /// `one`, `classes`, `all`, `listed` if which of them is not known here, or `write`.
    pub scope: String,
    /// Numbers of the classes, if it is for some.
    pub classes: Vec<u8>,
    /// Records whose keys were given.
    pub records: Vec<String>,
    /// What for.
    pub purpose: String,
    /// In words.
    pub reason: String,
    /// First second; none if it begins with its block.
    pub from: Option<u64>,
    /// First second after.
    pub until: u64,
    /// How it stands.
    pub state: GrantState,
    /// It was taken back, whatever became of its record since.
    pub revoked: bool,
    /// When the home took its end at the latest; none from older homes.
    pub revoked_at: Option<u64>,
    /// When it was given, and when it ended.
    pub times: ConsentTimes,
    /// When the record that it names was erased.
    pub record_erased: Option<u64>,
    /// The reader says that it no longer keeps what it read.
    pub purged: bool,
    /// Files that it wrote out before and keeps, as it says.
    pub files_kept: u32,
    /// Which files another home of its phrase wrote out is not known, as it says.
    pub files_unknown: bool,
    /// What it wrote to standard output, as it says.
    pub outputs: Option<Outputs>,
    /// The chain was not asked how it stands: that is of the last sync.
    pub is_of_last_sync: bool,
    /// The permission to write that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

impl GrantView {
    /// What is left of what its reader purged.
    pub const fn left(&self) -> Left {
        Left {
            files: self.files_kept,
            unknown: self.files_unknown,
            outputs: self.outputs,
        }
    }
}

/// A part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartView {
    /// `original`, `fhir`, `thumbnail` or `index`.
    pub role: String,
    /// Its media type.
    pub media_type: String,
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A record of the own vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Its id.
    pub id: String,
    /// Title for people.
    pub title: Option<String>,
    /// `medical`, `self`, `family`, `device` or `research`.
    pub kind: String,
    /// What it is about.
    pub category: Option<String>,
    /// `normal`, `restricted` or `very-restricted`.
    pub sensitivity: Option<String>,
    /// The author's account.
    pub author: String,
    /// The author's name, if it is a contact.
    pub author_name: Option<String>,
    /// The own address that it is under.
    pub own: String,
    /// When the author signed.
    pub authored_at: Option<u64>,
    /// When the document says that it was written.
    pub written: Option<String>,
    /// `checked`, `accepted`, `not accepted`, `being erased` or `erased`.
    pub standing: String,
    /// Its author took it back.
    pub retracted: bool,
    /// Why it is not accepted.
    pub because: Option<String>,
    /// A check that fails on an accepted record, which opens all the same.
    pub warning: Option<String>,
    /// Its parts.
    pub parts: Vec<PartView>,
}

/// Something unfinished.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobView {
    /// What it does.
    pub what: String,
    /// Why it did not end yet; none if it was not tried.
    pub reason: Option<String>,
}

/// How everything stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The public account.
    pub account: String,
    /// What it is.
    pub role: String,
    /// As of which block consents are told; see [`Party::consents_as_of`].
    pub as_of: AsOf,
    /// The last block that sync looked at; none if there was none.
    pub synced_to: Option<u64>,
    /// Own addresses.
    pub addresses: usize,
    /// Records that are accepted.
    pub accepted: usize,
    /// Records that are not, or not yet.
    pub not_accepted: usize,
    /// Requests that nobody answered.
    pub requests: usize,
    /// Grants in force.
    pub live_grants: usize,
    /// What the person must look at; `audit` shows it.
    pub alarms: usize,
    /// What own accounts did and this device did not; `account acts` tells what to do.
    pub acts: usize,
    /// What is unfinished; `sync` goes on with it.
    pub jobs: Vec<JobView>,
    /// What is put off, the next first.
    pub planned: Vec<Planned>,
    /// Rows of the vault that could not be read and were set aside, with the reason.
    pub set_aside: Vec<String>,
}

/// The word that serde uses for a unit variant.
fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn classes_of(scope: Scope) -> Vec<u8> {
    match scope {
        Scope::Classes(classes) => classes.numbers().collect(),
        _ => Vec::new(),
    }
}

pub(crate) const fn about_word(scope: Scope) -> &'static str {
    match scope {
        Scope::One(_) => "one",
        Scope::Classes(_) => "classes",
        Scope::All => "all",
        // Of those that this home has the terms of, what they are about is told.
        Scope::Listed(_) => "listed",
    }
}

fn ids(records: &[RecordId]) -> Vec<String> {
    records.iter().map(ToString::to_string).collect()
}

impl Party {
    /// Contacts, by own address.
    pub fn contact_views(&self) -> Result<Vec<ContactView>, JourneyError> {
        let mut writes = Vec::new();
        for (id, given) in self.write_grants()? {
            if self.replaced_by(id, &given)?.is_none() {
                writes.push((id, given));
            }
        }
        let views = self.contacts()?.into_iter().map(|contact| {
            let until = writes
                .iter()
                .filter(|(_, given)| given.own == contact.own && !given.revoked)
                .filter_map(|(_, given)| given.artefact.write.map(|write| write.until.0))
                .max();
            ContactView {
                own: contact.own.to_string(),
                account: contact.party.to_string(),
                accredited: contact.card.account.is_some(),
                name: contact.name,
                confirmed: contact.confirmed,
                node: contact.card.node,
                may_write_until: until,
            }
        });
        Ok(views.collect())
    }

    /// Invitations that wait for an answer.
    pub fn invitation_views(&self) -> Result<Vec<InvitationView>, JourneyError> {
        let views = self.open_invitations()?.into_iter();
        Ok(views
            .map(|invitation| InvitationView {
                own: invitation.owner.to_string(),
                text: invitation.to_text(),
                until: invitation.expiry.0,
            })
            .collect())
    }

    /// Requests, those that were answered too.
    pub fn request_views(&self) -> Result<Vec<RequestView>, JourneyError> {
        let grants = self.grants()?;
        let views = self.requests()?.into_iter().map(|pending| RequestView {
            id: medibloc_record::Digest::new(pending.id).to_string(),
            name: pending.name,
            purpose: word(&pending.request.purpose),
            reason: pending.request.reason,
            categories: pending.request.categories.iter().map(word).collect(),
            dates: pending.request.dates,
            until: pending.request.until.0,
            answered_by: grants
                .iter()
                .filter(|(_, given)| given.answers(&pending.id))
                .map(|(id, _)| id.to_string())
                .collect(),
        });
        Ok(views.collect())
    }

    /// Grants and write grants that were given, by whichever device of the phrase: see [`Party::given_as_of`].
    pub async fn given_views(&self) -> Result<Vec<GrantView>, JourneyError> {
        Ok(self.given_as_of().await?.1)
    }

    /// The same with the block that they are as of; see [`Party::consents_as_of`]. What has ended by the chain's time and not by
    /// the own clock, or the other way round, is shown as it was before: it is what taking back is about.
    pub async fn given_as_of(&self) -> Result<(AsOf, Vec<GrantView>), JourneyError> {
        let (as_of, not_taken) = self.consents_as_of().await?;
        if as_of.silent.is_none() {
            // What is not known now is shown as that.
            let _ = self.fill_times().await;
        }
        let now = self.earlier_now().await?;
        let mut views = Vec::new();
        for (id, given) in self.grants()? {
            let Some(grant) = given.artefact.grant.clone() else {
                continue;
            };
            let pending = self.errand(&errand_key("grant", &[id.as_bytes()]))?;
            let mut records = given.artefact.records.clone();
            for delivery in self.deliveries(id)? {
                records.extend(delivery.records);
            }
            self.without_erased(grant.terms.scope, &mut records)?;
            let state = state_of(pending.is_some(), given.revoked, grant.terms.until, now);
            let state = or_ending(state, self.is_being_revoked(id, &given)?);
            let state = or_lost(self.or_erased(&grant, state)?, &given);
            let given = self.with_purge_of_erased(given, &grant)?;
            views.push(GrantView {
                times: self.times_of(id)?,
                record_erased: self.erased_of(grant.terms.scope)?,
                ..view_of(&given, &grant, &records, state)
            });
        }
        for grant in self.unopened_consents()? {
            let terms = &grant.terms;
            let records = match terms.scope {
                Scope::One(record) => vec![record],
                _ => Vec::new(),
            };
            let asked = match as_of.silent {
                None => self.ports.facts.grant(&grant).await.ok(),
                Some(_) => None,
            };
            let revoked = asked.is_some_and(|facts| facts.revoked);
            views.push(GrantView {
                id: grant.id.to_string(),
                name: self.name_of_reader(grant.reader)?,
                scope: about_word(terms.scope).into(),
                classes: classes_of(terms.scope),
                records: ids(&records),
                purpose: "unknown".into(),
                reason: match asked {
                    Some(_) => "nobody has its object any more; this is what the chain says",
                    None => {
                        "nobody has its object any more, and the chain does not answer whether it was taken back"
                    }
                }
                .into(),
                from: from_of(terms),
                until: terms.until.0,
                state: self.or_erased(&grant, state_of(false, revoked, terms.until, now))?,
                revoked,
                revoked_at: None,
                times: self.times_of(grant.id)?,
                record_erased: self.erased_of(terms.scope)?,
                purged: false,
                files_kept: 0,
                files_unknown: false,
                outputs: None,
                is_of_last_sync: false,
                replaced_by: None,
            });
        }
        for (id, given) in self.write_grants()? {
            let Some(write) = given.artefact.write else {
                continue;
            };
            let pending = self.errand(&errand_key("grant", &[id.as_bytes()]))?;
            let state = state_of(pending.is_some(), given.revoked, write.until, now);
            let replaced_by = self.replaced_by(id, &given)?;
            let state = match (state, replaced_by) {
                (GrantState::Live, Some(_)) => GrantState::Replaced,
                (state, _) => or_ending(state, self.is_write_being_revoked(&given)?),
            };
            let state = or_lost(state, &given);
            let is_revoked = given.revoked && !given.is_only_lost();
            views.push(GrantView {
                id: id.to_string(),
                name: given.artefact.name,
                scope: "write".into(),
                classes: Vec::new(),
                records: Vec::new(),
                purpose: word(&given.artefact.purpose),
                reason: given.artefact.reason,
                from: None,
                until: write.until.0,
                state,
                revoked: is_revoked,
                revoked_at: given.revoked_at.map(|at| at.0),
                times: self.times_of(id)?,
                record_erased: None,
                purged: false,
                files_kept: 0,
                files_unknown: false,
                outputs: None,
                is_of_last_sync: false,
                replaced_by: replaced_by.map(|id| id.to_string()),
            });
        }
        for one in not_taken {
            views.push(self.view_not_taken(&one)?);
        }
        Ok((as_of, views))
    }

    /// A consent that stands, as far as the chain alone tells.
    fn view_not_taken(&self, one: &NotTaken) -> Result<GrantView, JourneyError> {
        Ok(GrantView {
            id: one.id.to_string(),
            name: self.name_not_taken(one)?,
            scope: one.scope.map_or("write", about_word).into(),
            classes: one.scope.map_or_else(Vec::new, classes_of),
            records: ids(one.record().as_slice()),
            purpose: "unknown".into(),
            reason: one.because.clone(),
            from: None,
            until: one.until.0,
            state: GrantState::Live,
            revoked: false,
            revoked_at: None,
            times: self.times_of(one.id)?,
            record_erased: None,
            purged: false,
            files_kept: 0,
            files_unknown: false,
            outputs: None,
            is_of_last_sync: false,
            replaced_by: None,
        })
    }

    /// A grant of one record that was erased opens nothing, however it stands.
    fn or_erased(&self, grant: &Grant, state: GrantState) -> Result<GrantState, JourneyError> {
        Ok(match grant.terms.scope {
            Scope::One(record) if self.erasure(record)?.is_some() => GrantState::Erased,
            _ => state,
        })
    }

    /// What was erased opens for nobody, whoever got its key before. A consent for that one record alone says what it was about.
    fn without_erased(
        &self,
        scope: Scope,
        records: &mut Vec<RecordId>,
    ) -> Result<(), JourneyError> {
        if matches!(scope, Scope::One(_)) {
            return Ok(());
        }
        let erased: Vec<Erasure> = self.rows(table::ERASED)?;
        records.retain(|record| erased.iter().all(|erasure| erasure.record != *record));
        Ok(())
    }

    /// What its reader said of the erased record counts for the consent, too: both lists say the same.
    fn with_purge_of_erased(
        &self,
        mut given: GivenGrant,
        grant: &Grant,
    ) -> Result<GivenGrant, JourneyError> {
        let Scope::One(record) = grant.terms.scope else {
            return Ok(given);
        };
        let purges = self.erasure(record)?.map(|erasure| erasure.purges);
        let purges = purges.unwrap_or_default();
        if let Some(purge) = purges.iter().find(|purge| purge.reader == grant.reader) {
            let left = given.left().and(purge.left());
            given.purged = true;
            (given.files_kept, given.files_unknown, given.outputs) =
                (left.files, left.unknown, left.outputs);
        }
        Ok(given)
    }

    fn erased_of(&self, scope: Scope) -> Result<Option<u64>, JourneyError> {
        Ok(match scope {
            Scope::One(record) => self.erasure(record)?.map(|erasure| erasure.at.0),
            _ => None,
        })
    }

    /// Grants that are held. Of the newest that were live at the last sync the chain is asked whether they were taken back since.
    pub async fn held_views(&self) -> Result<Vec<GrantView>, JourneyError> {
        let now = self.known_now().await?;
        let mut views = Vec::new();
        let taken_back = self.held_taken_back(now).await?;
        for held in self.held()? {
            let Some(grant) = held.artefact.grant.clone() else {
                continue;
            };
            let since = taken_back.get(&grant.id).copied();
            let revoked = held.ended == Some(EndOfGrant::Revoked) || since == Some(true);
            let mut known: Vec<RecordId> = if held.ended.is_some() {
                held.artefact.records.clone()
            } else {
                self.records_of(&held)?
            };
            let state = state_of(false, revoked, grant.terms.until, now);
            let state = self.or_erased(&grant, state)?;
            let is_over = held.ended.is_some() || state == GrantState::Erased;
            let mut shown = known.clone();
            if let (true, Scope::One(record)) = (known.is_empty(), grant.terms.scope) {
                // With its key goes what it was about, but not what was written out of it, if it was ever here.
                shown.push(record);
                known.extend(held.artefact.records.iter().copied());
            }
            self.without_erased(grant.terms.scope, &mut shown)?;
            let mut artefact = held.artefact;
            artefact.name = String::new();
            let mut given = GivenGrant::new(held.own, artefact);
            if is_over {
                let left = self.left_here(grant.id, &known)?;
                (given.files_kept, given.files_unknown, given.outputs) =
                    (left.files, left.unknown, left.outputs);
            }
            let mut view = view_of(&given, &grant, &shown, state);
            view.purged = is_over;
            view.revoked = revoked;
            view.is_of_last_sync = state == GrantState::Live && since.is_none();
            view.times = self.times_of(grant.id)?;
            view.record_erased = self.erased_of(grant.terms.scope)?;
            views.push(view);
        }
        Ok(views)
    }

    /// Which held consents the chain says were taken back since the last sync, of those that it was asked about: live ones, the
    /// last to end first.
    async fn held_taken_back(
        &self,
        now: Timestamp,
    ) -> Result<BTreeMap<GrantId, bool>, JourneyError> {
        let live = |held: &HeldGrant| held.ended.is_none();
        let held = self.held()?.into_iter().filter(live);
        let mut grants: Vec<Grant> = held.filter_map(|held| held.artefact.grant).collect();
        grants.retain(|grant| grant.terms.until > now);
        grants.sort_by_key(|grant| core::cmp::Reverse(grant.terms.until));
        let mut said = BTreeMap::new();
        for grant in grants.iter().take(HELD_ASKED) {
            let Ok(facts) = self.ports.facts.grant(grant).await else {
                break;
            };
            said.insert(grant.id, facts.revoked);
        }
        Ok(said)
    }

    /// Records of the own vault, oldest first.
    pub fn record_views(&self) -> Result<Vec<RecordView>, JourneyError> {
        let contacts = self.contacts()?;
        let name_of = |author: AccountId| {
            let of = contacts.iter().find(|contact| contact.party == author);
            of.map(|contact| contact.name.clone())
        };
        let mut views = Vec::new();
        for kept in self.records()? {
            let mut view = record_view(&kept, name_of(kept.anchor.author));
            if kept.standing != Standing::Erased && self.erasure_is_begun(kept.record())? {
                view.standing = "being erased".into();
            }
            views.push(view);
        }
        Ok(views)
    }

    /// How everything stands, unfinished jobs with their reasons.
    pub async fn status(&self) -> Result<StatusView, JourneyError> {
        let (as_of, given) = self.given_as_of().await?;
        let records = self.records()?;
        let accepted = records.iter().filter(|kept| kept.is_accepted()).count();
        let erased = records
            .iter()
            .filter(|kept| kept.standing == Standing::Erased);
        let live = |view: &&GrantView| matches!(view.state, GrantState::Live | GrantState::Ending);
        let waiting = |view: &&RequestView| view.answered_by.is_empty();
        Ok(StatusView {
            account: self.account().id().to_string(),
            role: word(&self.role()),
            as_of,
            synced_to: self.synced_to()?,
            addresses: self.addresses()?.len(),
            accepted,
            not_accepted: records.len() - accepted - erased.count(),
            requests: self.request_views()?.iter().filter(waiting).count(),
            live_grants: given.iter().filter(live).count(),
            alarms: self.alarms()?.len(),
            acts: self.unknown_acts()?.len(),
            jobs: self.job_views()?,
            planned: self.planned()?,
            // The last: what was just found is told too.
            set_aside: self.set_aside()?.iter().map(ToString::to_string).collect(),
        })
    }

    /// Everything unfinished.
    pub fn job_views(&self) -> Result<Vec<JobView>, JourneyError> {
        let mut jobs = Vec::new();
        for job in self.rows::<WriteJob>(table::JOBS)? {
            let title = job.title.as_deref().unwrap_or("a record");
            let title = on_one_line(title);
            let record = job.anchor.record_id();
            let have = job.acknowledged.count_ones();
            jobs.push(JobView {
                what: format!(
                    "write «{title}» ({record}), {} a share",
                    counted_as(have, "keeper has", "keepers have")
                ),
                reason: job.problem,
            });
        }
        for errand in self.errands()? {
            if !self.is_planned(&errand)? {
                jobs.push(JobView {
                    what: errand.what,
                    reason: errand.problem,
                });
            }
        }
        jobs.extend(self.decisions_that_wait()?);
        if let Some(waits) = self.elsewhere_waits()? {
            jobs.push(JobView {
                what: "revocation of everything that another device of yours gave".into(),
                reason: Some(waits.why),
            });
        }
        if let Some(told) = self.untold_devices()? {
            jobs.push(JobView {
                what: "note for your other devices that something was taken back".into(),
                reason: Some(told),
            });
        }
        for letter in self.rows::<Outgoing>(table::LETTERS)? {
            if letter.sent.is_none() {
                jobs.push(JobView {
                    what: format!("send a letter to {}", letter.letter.recipient),
                    reason: letter.problem,
                });
            }
        }
        for waiting in self.waiting_letters()? {
            let what = "take a letter under a newer deployment.json".into();
            let reason = Some(waiting);
            jobs.push(JobView { what, reason });
        }
        for erasure in self.rows::<Erasure>(table::ERASED)? {
            if let Some(Signed { by, of, .. }) =
                erasure.signed.filter(|signed| signed.by < signed.of)
            {
                jobs.push(JobView {
                    what: format!(
                        "ask keepers to sign that nothing of record {} is left",
                        erasure.record
                    ),
                    reason: Some(format!(
                        "{by} of {of} have signed; `medibloc sync` asks the others"
                    )),
                });
            }
        }
        let mut looks: Vec<Look> = self.rows(table::LOOKS)?;
        looks.retain(|look| look.because.is_none());
        if !looks.is_empty() {
            jobs.push(JobView {
                what: format!("look at {}", counted(looks.len(), "anchored record")),
                reason: None,
            });
        }
        let missed = self.missed_count()?;
        if missed > 0 {
            jobs.push(JobView {
                what: format!("take {} of the chain", counted(missed, "event")),
                reason: Some(
                    "an object is missing or somebody does not answer; `medibloc sync` tells"
                        .into(),
                ),
            });
        }
        for kept in self.records()? {
            let record = kept.record();
            if self.is_accept_planned(&kept)? {
                continue;
            }
            match kept.standing {
                Standing::Checked => jobs.push(JobView {
                    what: format!("accept record {record}"),
                    reason: Some("too few keepers have their share yet".into()),
                }),
                Standing::NotAccepted { because } if kept.incomplete => jobs.push(JobView {
                    what: format!("accept record {record}"),
                    reason: Some(because),
                }),
                Standing::Accepted if kept.incomplete => jobs.push(JobView {
                    what: format!("open record {record}"),
                    reason: kept.warning,
                }),
                _ => {}
            }
        }
        Ok(jobs)
    }
}

/// Most begin with their block, and say 0.
fn from_of(terms: &Terms) -> Option<u64> {
    (terms.from.0 > 0).then_some(terms.from.0)
}

fn state_of(pending: bool, revoked: bool, until: Timestamp, now: Timestamp) -> GrantState {
    if revoked {
        GrantState::Revoked
    } else if until <= now {
        // What did not leave in time never will.
        GrantState::Expired
    } else if pending {
        GrantState::Pending
    } else {
        GrantState::Live
    }
}

fn or_lost(state: GrantState, given: &GivenGrant) -> GrantState {
    match state {
        GrantState::Revoked if given.lost => GrantState::Lost,
        state => state,
    }
}

/// A consent that is being taken back is not over: the other side reads until the chain has it.
const fn or_ending(state: GrantState, is_ending: bool) -> GrantState {
    match state {
        GrantState::Live | GrantState::Pending if is_ending => GrantState::Ending,
        state => state,
    }
}

fn view_of(
    given: &GivenGrant,
    grant: &Grant,
    records: &[RecordId],
    state: GrantState,
) -> GrantView {
    let about = given.artefact.about().unwrap_or(grant.terms.scope);
    GrantView {
        id: grant.id.to_string(),
        name: given.artefact.name.clone(),
        scope: about_word(about).into(),
        classes: classes_of(about),
        records: ids(records),
        purpose: word(&given.artefact.purpose),
        reason: given.artefact.reason.clone(),
        from: from_of(&grant.terms),
        until: grant.terms.until.0,
        state,
        revoked: given.revoked && !given.is_only_lost(),
        revoked_at: given.revoked_at.map(|at| at.0),
        times: ConsentTimes::default(),
        record_erased: None,
        purged: given.purged,
        files_kept: given.files_kept,
        files_unknown: given.files_unknown,
        outputs: given.outputs,
        is_of_last_sync: false,
        replaced_by: None,
    }
}

pub(crate) fn record_view(kept: &KeptRecord, author_name: Option<String>) -> RecordView {
    let manifest = kept.manifest.as_ref();
    let (standing, because) = match &kept.standing {
        Standing::Checked | Standing::Accepted if kept.is_off_chain() => {
            ("not on this chain", kept.warning.clone())
        }
        Standing::Checked => ("checked", None),
        Standing::Accepted => ("accepted", kept.unopened().map(str::to_owned)),
        Standing::NotAccepted { because } => ("not accepted", Some(because.clone())),
        Standing::Erased => ("erased", None),
    };
    let own = kept.anchor.kind.is_written_by_owner();
    RecordView {
        id: kept.record().to_string(),
        title: manifest.and_then(|manifest| manifest.title.clone()),
        kind: word::<Kind>(&kept.anchor.kind),
        category: manifest.map(|manifest| word(&manifest.category)),
        sensitivity: kept.sensitivity().map(|it| word(&it)),
        author: kept.anchor.author.to_string(),
        author_name: if own { Some("you".into()) } else { author_name },
        own: kept.anchor.owner.to_string(),
        authored_at: manifest.map(|manifest| manifest.times.authored_at.0),
        written: manifest.and_then(|manifest| manifest.times.written.clone()),
        standing: standing.into(),
        retracted: kept.retracted,
        because,
        warning: kept.warning.clone(),
        parts: manifest.map_or_else(Vec::new, |manifest| {
            let parts = manifest.parts.iter();
            parts
                .map(|part| PartView {
                    role: word(&part.role),
                    media_type: part.media_type.clone(),
                    length: part.length,
                    sha256: part.plaintext.to_string(),
                })
                .collect()
        }),
    }
}
