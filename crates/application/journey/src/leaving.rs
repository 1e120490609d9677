//! What is asked before anything leaves that gives somebody something, however long it waited and whatever was sent of it before:
//! was it taken back on another device of the phrase or by the record's author, does it show that two own addresses are one
//! person's, is the contact still the one that was confirmed. What gives may wait for an answer; what takes back never does.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_ledger::{Call, Outcome};
use medibloc_record::{AccountId, GrantId, RecordId};

use crate::deadline::REQUEST_LIFE;
use crate::errand::{Errand, Luggage, errand_key, gone};
use crate::grant::plan::Plan;
use crate::pace::end_of;
use crate::pairing::Contact;
use crate::party::table;
use crate::ports::Change;
use crate::set_back::is_worthless;
use crate::{GivenGrant, JourneyError, Party, SyncReport};

impl Party {
    /// Asks whether what gives may leave. Gives where it stands on the chain if it came there before: then nothing is sent.
    ///
    /// # Errors
    /// Why it does not leave. Its errand is gone if it never will.
    pub(crate) async fn before_it_leaves(
        &self,
        errand: &mut Errand,
    ) -> Result<Option<Outcome>, JourneyError> {
        if !errand.is_a_consent() {
            return Ok(None);
        }
        let Some((id, given)) = self.given_in(errand)? else {
            return Ok(None);
        };
        if !errand.is_unsent()
            && let Some(outcome) = self.happened(errand).await?
        {
            return Ok(Some(outcome));
        }
        // The contracts would say that it has no time left; an id that only they know is nothing to tell a person.
        if let Some(until) = end_of(&errand.call)
            && until <= self.chain_now().await?
        {
            return Err(self.lapse(errand, JourneyError::Over { until })?);
        }
        let mut report = SyncReport::default();
        let heard = self.hear_of(given.artefact.party, &mut report).await;
        self.keep_told(report)?;
        heard?;
        let Some(heard) = self.errand(&errand.key)? else {
            return Err(not_given());
        };
        *errand = heard;
        if errand.is_taken_back {
            return Err(self.lapse(errand, not_given())?);
        }
        self.still_confirmed(&given)?;
        self.is_not_retracted(errand, &given).await?;
        self.still_stands(errand, id, &given).await?;
        if let Call::Grant { grant, .. } = &errand.call {
            self.must_be_apart(grant).await?;
        }
        Ok(None)
    }

    /// What a call gives; none if this home knows nothing of it, or it only uses up the id of a consent.
    fn given_in(&self, errand: &Errand) -> Result<Option<(GrantId, GivenGrant)>, JourneyError> {
        let (table, id) = match &errand.call {
            Call::Grant { grant, .. } if is_worthless(grant) => return Ok(None),
            Call::Grant { grant, .. } | Call::Deliver { grant, .. } => (table::GRANTS, grant.id),
            Call::GrantWrite(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (table::WRITE_GRANTS, id)
            }
            _ => return Ok(None),
        };
        let given: Option<GivenGrant> = self.row(table, id.as_bytes())?;
        Ok(given.map(|given| (id, given)))
    }

    /// Reads what other devices of the phrase took back of a contact, and of everybody.
    pub(crate) async fn hear_of(
        &self,
        party: AccountId,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut of = self.contacts()?;
        of.retain(|contact| contact.party == party);
        let of = of.into_iter().map(|contact| contact.own);
        self.hear_at(of.collect(), report).await
    }

    /// Hears it before anything is done, of everybody who is about to be given something: it is told at once, and not when the
    /// hour of the consent has come.
    pub(crate) async fn hear_of_what_waits(
        &self,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut parties = BTreeSet::new();
        for errand in self.errands()?.iter().filter(|it| it.is_a_consent()) {
            let given = self.given_in(errand)?;
            parties.extend(given.map(|(_, given)| given.artefact.party));
        }
        let plans = self.rows::<Plan>(table::PLANS)?;
        let planned: BTreeSet<AccountId> = plans.iter().map(|plan| plan.request.own).collect();
        let mut of = self.contacts()?;
        of.retain(|contact| parties.contains(&contact.party) || planned.contains(&contact.own));
        if of.is_empty() {
            return Ok(());
        }
        let of = of.into_iter().map(|contact| contact.own);
        self.hear_at(of.collect(), report).await
    }

    /// Whether the contact of a consent is the one that the person confirmed: one that is called otherwise since is confirmed anew.
    pub(crate) fn still_confirmed(&self, given: &GivenGrant) -> Result<(), JourneyError> {
        let paired = given.artefact.paired;
        match self.row::<Contact>(table::CONTACTS, paired.as_bytes())? {
            Some(_) => self.confirmed(paired).map(drop),
            None => Ok(()),
        }
    }

    /// Whether the authors of its records stand by them. Whoever is given one relies on it; what was given with the word that it
    /// is known to be taken back goes.
    async fn is_not_retracted(
        &self,
        errand: &Errand,
        given: &GivenGrant,
    ) -> Result<(), JourneyError> {
        let records = self.records_in(errand, given)?;
        if records.is_empty() || errand.is_known_retracted {
            return Ok(());
        }
        let mut retracted = self.taken_back_since().await?;
        let kept = self.records()?.into_iter().filter(|kept| kept.retracted);
        retracted.extend(kept.map(|kept| kept.record()));
        let Some(record) = records.into_iter().find(|it| retracted.contains(it)) else {
            return Ok(());
        };
        Err(self.lapse(errand, JourneyError::Retracted { record })?)
    }

    /// Records whose keys a call gives.
    fn records_in(
        &self,
        errand: &Errand,
        given: &GivenGrant,
    ) -> Result<Vec<RecordId>, JourneyError> {
        let Call::Deliver { grant, number, .. } = &errand.call else {
            return Ok(given.artefact.records.clone());
        };
        let mut lists = self.deliveries(grant.id)?;
        lists.retain(|list| list.number == *number);
        Ok(lists.into_iter().flat_map(|list| list.records).collect())
    }

    /// What the chain says of what a call follows: no consent of a decision of which one was taken back, and no keys under one
    /// that was.
    async fn still_stands(
        &self,
        errand: &Errand,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<(), JourneyError> {
        let mut before: Vec<(GrantId, GivenGrant)> = Vec::new();
        match &errand.call {
            Call::Deliver { .. } => before.push((id, given.clone())),
            // A first attempt follows at once what was asked when it was decided.
            Call::Grant { grant, .. }
                if !matches!(grant.terms.scope, Scope::One(_)) && !errand.is_fresh() =>
            {
                // What a limited consent is to is a list of its own: what it is about is the same.
                let (request, about) = (given.artefact.request, given.artefact.about());
                before = self.grants()?;
                before.retain(|(other, it)| {
                    let is_of_it = request.is_some_and(|request| it.answers(&request));
                    *other != id && is_of_it && it.artefact.about() == about
                });
            }
            _ => {}
        }
        for (other, it) in before {
            let Some(grant) = &it.artefact.grant else {
                continue;
            };
            let is_left = it.is_only_lost() || self.is_to_be_given(other)?;
            if !is_left && (it.revoked || self.ports.facts.grant(grant).await?.revoked) {
                return Err(self.lapse(errand, not_given())?);
            }
        }
        Ok(())
    }

    /// Ends what is not to be given. What was signed may be on its way until its deadline: it is looked for until then, and if it
    /// comes to the chain, a revocation follows it.
    fn lapse(&self, errand: &Errand, why: JourneyError) -> Result<JourneyError, JourneyError> {
        if !self.can_still_come(errand) {
            let mut changes = self.undo(errand)?;
            changes.push(gone(&errand.key));
            self.ports.vault.apply(changes)?;
            return Ok(why);
        }
        if !errand.is_taken_back {
            self.ports.vault.apply(vec![errand.taken_back().row()])?;
        }
        Ok(JourneyError::NotGiven {
            why: "it was taken back after it was signed, and is not sent again; what was sent before may come to the chain for up to \
                  two hours, and is revoked then: `medibloc sync` looks"
                .into(),
        })
    }

    /// Whether a request that was signed can still come to the chain.
    fn can_still_come(&self, errand: &Errand) -> bool {
        let now = self.ports.clock.now();
        let is_over = |left| now.since(left) > 2 * REQUEST_LIFE;
        !errand.is_unsent() && !errand.left.is_some_and(is_over)
    }

    /// After something that was taken back came to the chain all the same: what ends it, in the same step.
    pub(crate) fn end_of_what_came(
        &self,
        errand: &Errand,
    ) -> Result<Option<(Errand, Vec<Change>)>, JourneyError> {
        if !errand.is_taken_back {
            return Ok(None);
        }
        let (kind, id, call) = match &errand.call {
            Call::Grant { grant, .. } => ("revoke", grant.id, Call::Revoke(grant.clone())),
            Call::GrantWrite(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                let author = write.author;
                ("revoke-write", id, Call::RevokeWrite { author })
            }
            _ => return Ok(None),
        };
        let key = errand_key(kind, &[id.as_bytes()]);
        if self.errand(&key)?.is_some() {
            return Ok(None);
        }
        let what = format!(
            "revocation of what came after it was taken back: {}",
            errand.what
        );
        // The chain is asked before it is signed, and whom to tell then.
        let of = (key, self.next_number()?);
        let luggage = Luggage::default();
        self.prepare(of, (None, None), what, errand.own, call, luggage)
            .map(Some)
    }
}

fn not_given() -> JourneyError {
    JourneyError::NotGiven {
        why: "a consent or permission was taken back before it left and is not given; `medibloc grant create` gives it anew".into(),
    }
}
