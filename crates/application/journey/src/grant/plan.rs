//! Class and all-record grants: one grant for each own address, so that no two of them meet under one reader address.
//! The person's decision is kept as a plan: own addresses that come later, or that wait for more reader addresses of
//! the contact, are granted from by the next sync.

use medibloc_consent::{ClassSet, Scope};
use medibloc_ledger::LedgerError;
use medibloc_record::{AccountId, GrantId, RecordId, Sensitivity, Timestamp};
use serde::{Deserialize, Serialize};

use crate::accept::KeptRecord;
use crate::errand::errand_key;
use crate::grant::give::{KEYS_IN_A_LIST, Offer, is_of_both};
use crate::grant::{GivenGrant, PendingRequest, over};
use crate::mail::Message;
use crate::outbox::letter_row;
use crate::pace::together;
use crate::party::{AddressUse, OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::{Haste, JourneyError, Party, SyncReport, counted_as};

/// How much of a person's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// All, those that come later too.
    All,
    /// Those of some classes, those that come later too.
    Classes(ClassSet),
}

impl Extent {
    /// That of a scope of several records.
    pub(crate) const fn of(scope: Scope) -> Option<Self> {
        match scope {
            Scope::All => Some(Self::All),
            Scope::Classes(classes) => Some(Self::Classes(classes)),
            Scope::One(_) | Scope::Listed(_) => None,
        }
    }

    /// What stands in the grants that nothing limits further.
    pub const fn scope(self) -> Scope {
        match self {
            Self::All => Scope::All,
            Self::Classes(classes) => Scope::Classes(classes),
        }
    }
}

/// What came of a class or all-record grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllGranted {
    /// One for each own address.
    pub grants: Vec<GrantId>,
    /// Own addresses for which the contact was asked to send another reader address; `sync` goes on.
    pub waiting: Vec<AccountId>,
    /// Those that were begun now, each with the own address that gives it.
    pub begun: Vec<(GrantId, AccountId)>,
}

/// A person's decision that stands until its date or until it is revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) request: PendingRequest,
    pub(super) extent: Extent,
    sensitivity: Sensitivity,
    pub(super) until: Timestamp,
    /// Records that name another person and that the person said are meant, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<RecordId>,
}

impl Party {
    /// Grants all records, or those of some classes, up to a sensitivity; records that are accepted later follow by
    /// themselves (row 11b). What names another person than the owner is held back ([`Party::held_back`]).
    ///
    /// # Errors
    /// If the contact is not confirmed, the contracts refuse, or somebody does not answer.
    pub async fn approve_all(
        &self,
        request: &PendingRequest,
        extent: Extent,
        sensitivity: Sensitivity,
        until: Timestamp,
    ) -> Result<AllGranted, JourneyError> {
        self.approve_all_and(request, extent, sensitivity, until, &[])
            .await
    }

    /// The same, with records that name another person and that the person says are meant, too.
    ///
    /// # Errors
    /// As [`Party::approve_all`].
    pub async fn approve_all_and(
        &self,
        request: &PendingRequest,
        extent: Extent,
        sensitivity: Sensitivity,
        until: Timestamp,
        also: &[RecordId],
    ) -> Result<AllGranted, JourneyError> {
        let contact = self.confirmed(request.own)?;
        self.hear_before_it_is_decided(contact.party).await?;
        let plan = Plan {
            request: request.clone(),
            extent,
            sensitivity,
            until,
            also: also.to_vec(),
        };
        // What a program of before kept is judged first, so that it is given as what it is.
        self.read_labels_anew()?;
        let mut unkept = vec![change(table::PLANS, &request.id, &plan)];
        if !self.all_given_under(&plan)?.is_empty() {
            self.ports.vault.apply(core::mem::take(&mut unkept))?;
        }
        let done = self.carry_out(&plan, unkept).await;
        if let Err(JourneyError::Ledger(LedgerError::Refused(_))) = &done {
            // Refused is refused: no later sync grants it.
            self.ports.vault.apply(vec![forget_plan(&request.id)])?;
        }
        done
    }

    /// What [`Party::approve_all`] would show if all of it went at once; nothing to a pace that puts nothing off, whose owner
    /// said so. Nothing is kept.
    pub fn haste_of_all(
        &self,
        request: &PendingRequest,
        extent: Extent,
    ) -> Result<Vec<Haste>, JourneyError> {
        if self.ports.pace.is_now() {
            return Ok(Vec::new());
        }
        let contact = self.confirmed(request.own)?;
        let (mut acting, mut fresh) = (0, 0);
        for own in self.owning_addresses()? {
            if let Some((id, _)) = self.given_under(&request.id, &own, extent.scope())? {
                acting += usize::from(self.is_to_be_given(id)?);
            } else if self.reader_for(&own, &contact, request)?.is_some() {
                fresh += 1;
            }
        }
        // Each needs a reader address of its own, and those for which none is left wait.
        let readers = request.request.readers.iter().chain(&contact.unused);
        let readers = readers.filter(is_of_both).count();
        Ok(together(acting + fresh.min(readers)))
    }

    /// Goes on with every plan.
    pub(crate) async fn resume_plans(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.chain_now().await?;
        for plan in self.rows::<Plan>(table::PLANS)? {
            if plan.until <= now {
                self.ports
                    .vault
                    .apply(vec![forget_plan(&plan.request.id)])?;
                continue;
            }
            if self.is_decided_otherwise(&plan)? {
                self.ports
                    .vault
                    .apply(vec![forget_plan(&plan.request.id)])?;
                let (name, own) = (&plan.request.name, Some(plan.request.own));
                report.told.push(format!(
                    "what was decided of a request of {} and not begun is not given: the request was closed or answered otherwise since; \
                     `medibloc grant create` gives it",
                    self.names()?.told(name, own)
                ));
                continue;
            }
            match self.is_taken_back(&plan, report).await {
                Ok(false) => {}
                Ok(true) => {
                    self.end_taken_back(&plan, report).await?;
                    continue;
                }
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                Err(error) => {
                    report.later.push(error.to_string());
                    continue;
                }
            }
            if self.row::<Plan>(table::PLANS, &plan.request.id)?.is_none() {
                // Another device ended it, as was heard now.
                continue;
            }
            let done = match self.carry_out(&plan, Vec::new()).await {
                Ok(done) => done,
                Err(error) => {
                    report.later.push(error.to_string());
                    continue;
                }
            };
            if !done.waiting.is_empty() {
                let waiting = counted_as(
                    done.waiting.len(),
                    "own address waits",
                    "own addresses wait",
                );
                let name = self
                    .names()?
                    .told(&plan.request.name, Some(plan.request.own));
                report
                    .later
                    .push(format!("{waiting} for more reader addresses of {name}"));
            }
            for (grant, own) in done.begun {
                report
                    .standing
                    .push(self.told_of_itself(&plan, grant, own)?);
            }
        }
        Ok(())
    }

    /// Whether one of a decision's consents was taken back, on whichever device of the phrase: no other one follows it then. The
    /// chain is asked as soon as one would, which is a question for each own address at most.
    async fn is_taken_back(
        &self,
        plan: &Plan,
        report: &mut SyncReport,
    ) -> Result<bool, JourneyError> {
        let given = self.all_given_under(plan)?;
        // That the chain which has it was left takes nothing back.
        if given
            .iter()
            .any(|(_, given)| given.revoked && !given.is_only_lost())
        {
            return Ok(true);
        }
        let contact = self.confirmed(plan.request.own)?;
        let mut follows = false;
        for own in self.owning_addresses()? {
            let is_given = given.iter().any(|(_, given)| given.own == own.id());
            follows |= !is_given && self.reader_for(&own, &contact, &plan.request)?.is_some();
        }
        if !follows {
            return Ok(false);
        }
        for (id, given) in &given {
            if let Some(grant) = &given.artefact.grant
                && !given.revoked
                && !self.is_to_be_given(*id)?
                && self.ports.facts.grant(grant).await?.revoked
            {
                return Ok(true);
            }
        }
        // By which nothing is on the chain yet, or nothing that was known where all was taken back.
        self.hear_taken_back(plan.request.own, report).await?;
        Ok(false)
    }

    /// Ends a decision that was taken back elsewhere, and what was to be given by it and did not leave.
    async fn end_taken_back(
        &self,
        plan: &Plan,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut over = vec![forget_plan(&plan.request.id)];
        for (id, _) in self.all_given_under(plan)? {
            if self.is_to_be_given(id)? {
                let begun = errand_key("grant", &[id.as_bytes()]);
                over.extend(self.drop_planned(|errand| errand.key == begun)?);
            }
        }
        self.ports.vault.apply(over)?;
        let name = self
            .names()?
            .told(&plan.request.name, Some(plan.request.own));
        let own = plan.request.own;
        let go_on = self.going_on(self.contact(own)?.party).await?;
        let told = [Some(over::no_further(&name)), over::on(&name, own, &go_on)];
        let told: Vec<String> = told.into_iter().flatten().collect();
        report.told.push(told.join("; "));
        Ok(())
    }

    /// A consent that no command asked for now: which, from where, and why.
    fn told_of_itself(
        &self,
        plan: &Plan,
        grant: GrantId,
        own: AccountId,
    ) -> Result<String, JourneyError> {
        let how = match self.is_on_its_way(grant)? {
            true => "is planned",
            false => "was given",
        };
        let what = match plan.extent {
            Extent::All => "all your records",
            Extent::Classes(_) => "all your records of a class",
        };
        let name = self
            .names()?
            .told(&plan.request.name, Some(plan.request.own));
        Ok(format!(
            "consent {grant} for {name} {how} from your address {own}, too, because {name} may read {what}: it learns that \
             this address is yours; `medibloc grant revoke {grant}` takes it back, and no other \
             address follows then: what was given before stands"
        ))
    }

    /// Begins what of a decision is not begun. What is not kept of it yet is kept with the first of that, and not before: whoever is
    /// told that nothing was kept is given nothing later.
    async fn carry_out(
        &self,
        plan: &Plan,
        mut unkept: Vec<Change>,
    ) -> Result<AllGranted, JourneyError> {
        let contact = self.confirmed(plan.request.own)?;
        let owning = self.owning_addresses()?;
        let length = plan.until.since(self.chain_now().await?);
        let offer = Offer {
            request: &plan.request,
            scope: plan.extent.scope(),
            sensitivity: plan.sensitivity,
            until: plan.until,
            spread: Some(self.ports.pace.spread(owning.len(), length)),
            is_known_retracted: false,
        };
        let taken_back = self.taken_back_since().await?;
        let others = self.not_passed_on()?;
        let (mut done, mut settled) = (AllGranted::default(), 0usize);
        for own in owning {
            if let Some((id, _)) = self.given_under(&plan.request.id, &own, offer.scope)? {
                let errand = errand_key("grant", &[id.as_bytes()]);
                self.finish(&errand).await?;
                settled += usize::from(self.errand(&errand)?.is_none());
                done.grants.push(id);
                continue;
            }
            let Some(reader) = self.reader_for(&own, &contact, &plan.request)? else {
                done.waiting.push(own.id());
                continue;
            };
            let mut records = self.deliverable(&own, &offer)?;
            records.retain(|kept| {
                let record = kept.record();
                !taken_back.contains(&record)
                    && (!others.contains(&record) || plan.also.contains(&record))
            });
            records.truncate(KEYS_IN_A_LIST);
            let kept = core::mem::take(&mut unkept);
            let id = self
                .give(&own, &contact, reader, &offer, &records, kept)
                .await?;
            done.grants.push(id);
            done.begun.push((id, own.id()));
        }
        if !done.waiting.is_empty() {
            let count = done.waiting.len();
            let kept = core::mem::take(&mut unkept);
            self.want_readers(&plan.request, count, settled, kept)
                .await?;
        }
        self.ports.vault.apply(unkept)?;
        Ok(done)
    }

    /// Every consent of a decision, revoked or not.
    pub(super) fn all_given_under(
        &self,
        plan: &Plan,
    ) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let mut given = self.grants()?;
        given.retain(|(_, given)| is_under(given, &plan.request.id, plan.extent.scope()));
        Ok(given)
    }

    /// The plan's grant from this own address, revoked or not: what was revoked is not given again.
    fn given_under(
        &self,
        request: &[u8; 32],
        own: &OwnAddress,
        scope: Scope,
    ) -> Result<Option<(GrantId, GivenGrant)>, JourneyError> {
        Ok(self
            .grants()?
            .into_iter()
            .find(|(_, given)| given.own == own.id() && is_under(given, request, scope)))
    }

    /// Records that name another person and that the person said are meant under a standing consent, too.
    pub(crate) fn meant_under(&self, given: &GivenGrant) -> Result<Vec<RecordId>, JourneyError> {
        let Some(request) = given.artefact.request.as_ref() else {
            return Ok(Vec::new());
        };
        let plan: Option<Plan> = self.row(table::PLANS, request.as_ref())?;
        Ok(plan.map(|plan| plan.also).unwrap_or_default())
    }

    /// Accepted records of an own address that an offer covers, without what their authors took back.
    fn deliverable(
        &self,
        own: &OwnAddress,
        offer: &Offer<'_>,
    ) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut records = self.records()?;
        records.retain(|kept| {
            kept.anchor.owner == own.id()
                && kept.is_accepted()
                && !kept.retracted
                && is_in(offer.scope, kept)
                && kept.fits(
                    offer.sensitivity,
                    &offer.request.request.categories,
                    offer.request.request.dates.as_ref(),
                )
        });
        self.not_being_erased(records)
    }

    /// Own addresses under which records are or may come to be.
    fn owning_addresses(&self) -> Result<Vec<OwnAddress>, JourneyError> {
        let mut owning = self.addresses()?;
        let contacts = self.contacts()?;
        let records = self.records()?;
        owning.retain(|own| {
            own.purpose == AddressUse::Own
                || contacts.iter().any(|contact| contact.own == own.id())
                || records.iter().any(|kept| kept.anchor.owner == own.id())
        });
        owning.sort_by_key(|own| own.index);
        Ok(owning)
    }

    /// Asks the contact for more reader addresses: one letter a shortage, sent again until the answer is there. The contact
    /// has only so many open at a time, so it is asked anew when grants became final. These rows are kept in the same step.
    pub(crate) async fn want_readers(
        &self,
        request: &PendingRequest,
        count: usize,
        settled: usize,
        mut rows: Vec<Change>,
    ) -> Result<(), JourneyError> {
        let contact = self.contact(request.own)?;
        let own = self.own_address(request.own)?;
        let known = contact.unused.iter().filter(is_of_both).count();
        let known = known.to_be_bytes();
        let key = errand_key(
            "want-readers",
            &[&request.id, &known, &settled.to_be_bytes()],
        );
        let letter = match self.outgoing(&key)? {
            Some(letter) => {
                self.ports.vault.apply(rows)?;
                letter
            }
            None => {
                let (to, to_key) = self.reached(contact.party).await?;
                let letter = self.compose(
                    key,
                    contact.pairing.as_ref(),
                    &own,
                    (to, &to_key),
                    &contact.card.node,
                    &Message::WantReaders {
                        count: u8::try_from(count).unwrap_or(u8::MAX).min(16),
                    },
                )?;
                rows.push(letter_row(&letter));
                self.ports.vault.apply(rows)?;
                letter
            }
        };
        self.post(letter).await
    }
}

/// Ends a plan: nothing more is granted under it.
pub(crate) fn forget_plan(request: &[u8; 32]) -> Change {
    Change::Delete {
        table: table::PLANS,
        key: request.to_vec(),
    }
}

/// Whether a consent answers this request and is about this.
fn is_under(given: &GivenGrant, request: &[u8; 32], scope: Scope) -> bool {
    given.answers(request) && given.artefact.about() == Some(scope)
}

/// Whether a record is among what a scope is about. What lists a grant has is not told by its scope.
pub(crate) fn is_in(scope: Scope, kept: &KeptRecord) -> bool {
    match scope {
        Scope::All | Scope::Listed(_) => true,
        Scope::Classes(classes) => classes.contains(kept.anchor.class),
        Scope::One(one) => one == kept.record(),
    }
}
