//! Taking back everything of one contact: one order, kept whole before any of it leaves.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::Call;
use medibloc_record::{AccountId, GrantId};

use super::{end_key, end_of_plan};
use crate::errand::{Errand, Luggage, errand_key};
use crate::grant::WhyClosed;
use crate::grant::plan::{Plan, forget_plan};
use crate::party::table;
use crate::ports::Change;
use crate::{GivenGrant, JourneyError, NotTaken, Party};

/// Orders that are to be kept in one step.
struct Orders {
    rows: Vec<Change>,
    /// The number of the next errand.
    number: u64,
    /// The block before which none of it can happen.
    since: Option<u64>,
}

impl Party {
    /// Ends everything that was given to the contact of an own address, under whichever address it was given. All of it is kept in
    /// one step before any of it leaves: what breaks this off leaves all of it or nothing, and a sync goes on with it.
    pub async fn revoke_contact(&self, own: AccountId) -> Result<(), JourneyError> {
        self.revoke_contact_and(own, &[]).await.map(drop)
    }

    /// The same with those of these consents that are for the contact, of which only the chain tells; gives which they are.
    ///
    /// # Errors
    /// As for [`Party::revoke_contact`].
    pub async fn revoke_contact_and(
        &self,
        own: AccountId,
        not_taken: &[NotTaken],
    ) -> Result<Vec<GrantId>, JourneyError> {
        self.ports.vault.free_reserve();
        let party = self.contact(own)?.party;
        let is_meant = |given: &GivenGrant| given.artefact.party == party && !given.revoked;
        let mut orders = Orders {
            rows: self.nothing_more_for(party).await?,
            number: self.next_number()?,
            since: self.begins_at(&Call::RevokeAll).await?,
        };
        let (mut reads, mut writes) = (Vec::new(), Vec::new());
        for (id, given) in self.grants()? {
            if is_meant(&given) && self.order_end(id, &given, &mut orders).await? {
                reads.push(id);
            }
        }
        // The contracts end what an author may write for an address as a whole.
        let mut ended = BTreeSet::new();
        for (id, given) in self.write_grants()? {
            let author = given.artefact.write.map(|write| (given.own, write.author));
            let is_first = author.is_none_or(|author| !ended.contains(&author));
            if is_meant(&given) && is_first && self.order_end_of_writing(id, &given, &mut orders)? {
                ended.extend(author);
                writes.push(id);
            }
        }
        let mut of_it = Vec::new();
        for given in not_taken {
            let whose = self.contact_of(given.to)?;
            let is_of_it = whose.and_then(|whose| whose.party) == Some(party);
            if is_of_it {
                self.order_end_not_taken(given, &mut orders)?;
                of_it.push(given);
            }
        }
        self.ports.vault.apply(orders.rows)?;
        // What fails is kept; it keeps none of the others from going.
        let mut ended = Ok(());
        for id in reads {
            ended = ended.and(self.revoke(id).await);
        }
        for id in writes {
            ended = ended.and(self.revoke_write(id).await);
        }
        for given in &of_it {
            ended = ended.and(self.revoke_not_taken(given).await);
        }
        // The other devices hear of it whatever keeps the revocations here.
        Box::pin(self.tell_taken_back()).await?;
        ended?;
        Ok(of_it.into_iter().map(|given| given.id).collect())
    }

    /// Consents for a contact that stand on the chain, whichever device of the phrase gave them.
    ///
    /// # Errors
    /// If the chain does not answer or the vault fails.
    pub async fn standing_of(&self, party: AccountId) -> Result<Vec<GrantId>, JourneyError> {
        let known: BTreeMap<GrantId, GivenGrant> = (self.grants()?.into_iter())
            .chain(self.write_grants()?)
            .collect();
        let mut of_it = Vec::new();
        for one in self.consents_on_chain().await? {
            let whose = match known.get(&one.id) {
                Some(given) => Some(given.artefact.party),
                None => self.contact_of(one.to)?.and_then(|whose| whose.party),
            };
            if whose == Some(party) {
                of_it.push(one.id);
            }
        }
        Ok(of_it)
    }

    fn order_end_not_taken(
        &self,
        given: &NotTaken,
        orders: &mut Orders,
    ) -> Result<(), JourneyError> {
        let key = end_key(given);
        if self.errand(&key)?.is_some() {
            return Ok(());
        }
        let what = self.what_ends(given)?;
        let (own, call) = (given.own, given.end.clone());
        self.order(orders, key, what, own, call, Luggage::default())
    }

    /// The end of what would give it something again, here and on the other devices of the phrase.
    async fn nothing_more_for(&self, party: AccountId) -> Result<Vec<Change>, JourneyError> {
        let now = self.earlier_now().await?;
        let is_of_it = |own| self.contact(own).is_ok_and(|it| it.party == party);
        let mut over = Vec::new();
        for plan in self.rows::<Plan>(table::PLANS)? {
            if is_of_it(plan.request.own) {
                over.push(forget_plan(&plan.request.id));
            }
        }
        for request in self.requests()? {
            if is_of_it(request.own) {
                over.extend(request.close(WhyClosed::Denied));
            }
        }
        for contact in self.contacts()? {
            if contact.party == party {
                over.push(self.taken_back_row(Some(contact.own), now)?);
            }
        }
        over.extend(self.drop_waiting_of(party)?);
        Ok(over)
    }

    /// Orders the end of a consent to read; whether something of it is to leave.
    async fn order_end(
        &self,
        id: GrantId,
        given: &GivenGrant,
        orders: &mut Orders,
    ) -> Result<bool, JourneyError> {
        let key = errand_key("revoke", &[id.as_bytes()]);
        if self.is_to_be_given(id)? {
            // It never left: nothing is on chain that could be revoked.
            orders.rows.extend(self.drop_consent(id)?);
            orders.rows.extend(end_of_plan(given));
            return Ok(false);
        }
        let Some(grant) = given.artefact.grant.clone() else {
            return Ok(true);
        };
        if self.errand(&key)?.is_some() {
            return Ok(true);
        }
        let over =
            |errand: &Errand| matches!(&errand.call, Call::Deliver { grant, .. } if grant.id == id);
        let luggage = Luggage {
            letters: self.ended_letter(id, given).await?.into_iter().collect(),
            rows: end_of_plan(given)
                .into_iter()
                .chain(self.drop_planned(over)?)
                .collect(),
            ..Luggage::default()
        };
        let what = format!("revocation of a grant to {}", self.names()?.given(given));
        self.order(orders, key, what, given.own, Call::Revoke(grant), luggage)?;
        Ok(true)
    }

    /// Orders the end of a consent to write; whether something of it is to leave.
    fn order_end_of_writing(
        &self,
        id: GrantId,
        given: &GivenGrant,
        orders: &mut Orders,
    ) -> Result<bool, JourneyError> {
        let begun = errand_key("grant", &[id.as_bytes()]);
        let key = errand_key("revoke-write", &[id.as_bytes()]);
        if self.is_to_be_given(id)? {
            let dropped = self.drop_planned(|errand| errand.key == begun)?;
            orders.rows.extend(dropped);
            return Ok(false);
        }
        let Some(write) = given.artefact.write else {
            return Ok(true);
        };
        if self.errand(&key)?.is_some() {
            return Ok(true);
        }
        let what = format!(
            "end of permission to write for {}",
            self.names()?.given(given)
        );
        let author = write.author;
        let call = Call::RevokeWrite { author };
        self.order(orders, key, what, given.own, call, Luggage::default())?;
        Ok(true)
    }

    fn order(
        &self,
        orders: &mut Orders,
        key: [u8; 32],
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<(), JourneyError> {
        let (of, when) = ((key, orders.number), (orders.since, None));
        let (_, rows) = self.prepare(of, when, what, own, call, luggage)?;
        orders.rows.extend(rows);
        orders.number += 1;
        Ok(())
    }
}
