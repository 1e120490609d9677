//! Revoke (design 11, row 16). Each is an errand, and the reader's letter leaves when it is final.

use medibloc_consent::Scope;
use medibloc_ledger::Call;
use medibloc_record::{AccountId, GrantId};

use crate::errand::{Errand, Luggage, errand_key};
use crate::grant::plan::forget_plan;
use crate::mail::Message;
use crate::outbox::Outgoing;
use crate::party::table;
use crate::ports::Change;
use crate::{GivenGrant, JourneyError, NotTaken, Party};

mod contact;
mod everything;

pub use everything::StillGiven;

/// The key of the errand that takes back everything of an own address.
fn all_key(own: AccountId) -> [u8; 32] {
    errand_key("revoke-all", &[own.as_bytes()])
}

/// The key of the errand that ends a consent of which only the chain tells.
fn end_key(given: &NotTaken) -> [u8; 32] {
    let kind = match given.scope {
        Some(_) => "revoke",
        None => "revoke-write",
    };
    errand_key(kind, &[given.id.as_bytes()])
}

/// The plan that a class or all grant was given under ends with any of its grants.
fn end_of_plan(given: &GivenGrant) -> Option<Change> {
    let scope = given.artefact.grant.as_ref().map(|grant| grant.terms.scope);
    let request = given.artefact.request?;
    (!matches!(scope, Some(Scope::One(_)))).then(|| forget_plan(&request))
}

impl Party {
    /// Ends one grant; from the next block on no key is released for it. The reader is told and purges.
    pub async fn revoke(&self, id: GrantId) -> Result<(), JourneyError> {
        self.ports.vault.free_reserve();
        let given: GivenGrant =
            self.row(table::GRANTS, id.as_bytes())?
                .ok_or_else(|| JourneyError::Unknown {
                    what: format!("grant {id}"),
                    hint: "`medibloc grant list` shows the grants that were given",
                })?;
        let begun = errand_key("grant", &[id.as_bytes()]);
        if self.errand(&begun)?.is_some_and(|grant| grant.is_unsent()) {
            // It never left: nothing is on chain that could be revoked.
            let mut changes = self.drop_consent(id)?;
            changes.extend(end_of_plan(&given));
            return Ok(self.ports.vault.apply(changes)?);
        }
        let finished = self.finish_consent(&begun).await?;
        let key = errand_key("revoke", &[id.as_bytes()]);
        if given.revoked || self.errand(&key)?.is_some() {
            finished?;
            return self.finish(&key).await;
        }
        let Some(grant) = given.artefact.grant.clone() else {
            return finished;
        };
        let letter = self.ended_letter(id, &given).await?;
        let plan = end_of_plan(&given);
        let over =
            |errand: &Errand| matches!(&errand.call, Call::Deliver { grant, .. } if grant.id == id);
        let over = self.drop_planned(over)?;
        // The letter leaves with the next sync: no node that hangs keeps a revocation.
        let luggage = Luggage {
            letters: letter.into_iter().collect(),
            rows: plan.into_iter().chain(over).collect(),
            ..Luggage::default()
        };
        let what = format!(
            "revocation of a grant to {} ({id})",
            self.names()?.given(&given)
        );
        self.begin_end(finished, key, what, given.own, Call::Revoke(grant), luggage)
            .await
    }

    /// Ends a consent's own errand first. What is inside says why that is not over yet: it may still come to be on chain,
    /// so what ends it is kept and follows it.
    async fn finish_consent(
        &self,
        begun: &[u8; 32],
    ) -> Result<Result<(), JourneyError>, JourneyError> {
        match self.finish(begun).await {
            Err(error) if self.errand(begun)?.is_some() => Ok(Err(error)),
            done => done.map(Ok),
        }
    }

    /// Keeps what ends a consent, and does it now if the consent's own errand is over.
    async fn begin_end(
        &self,
        finished: Result<(), JourneyError>,
        key: [u8; 32],
        what: String,
        own: AccountId,
        call: Call,
        luggage: Luggage,
    ) -> Result<(), JourneyError> {
        let errand = self
            .keep_errand(None, key, what, own, call, luggage)
            .await?;
        finished?;
        self.go_on(errand).await.map(drop)
    }

    /// Ends the permission to write that was given under an own address.
    pub async fn revoke_write(&self, id: GrantId) -> Result<(), JourneyError> {
        self.ports.vault.free_reserve();
        let given: GivenGrant = self
            .row(table::WRITE_GRANTS, id.as_bytes())?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("write grant {id}"),
                hint: "`medibloc grant list` shows the grants that were given",
            })?;
        let begun = errand_key("grant", &[id.as_bytes()]);
        if self.errand(&begun)?.is_some_and(|grant| grant.is_unsent()) {
            // It never left: nothing is on chain that could be revoked.
            let changes = self.drop_planned(|errand| errand.key == begun)?;
            return self.ports.vault.apply(changes).map_err(Into::into);
        }
        let finished = self.finish_consent(&begun).await?;
        let key = errand_key("revoke-write", &[id.as_bytes()]);
        if given.revoked || self.errand(&key)?.is_some() {
            finished?;
            return self.finish(&key).await;
        }
        let Some(write) = given.artefact.write else {
            return finished;
        };
        let what = format!(
            "end of permission to write for {}",
            self.names()?.given(&given)
        );
        let call = Call::RevokeWrite {
            author: write.author,
        };
        self.begin_end(finished, key, what, given.own, call, Luggage::default())
            .await
    }

    /// Ends a consent of which only the chain tells: nothing of its object is needed for that. No letter goes to whom it is for.
    ///
    /// # Errors
    /// What kept it from leaving; it is kept, and the next sync goes on with it.
    pub async fn revoke_not_taken(&self, given: &NotTaken) -> Result<(), JourneyError> {
        self.ports.vault.free_reserve();
        let key = end_key(given);
        if self.errand(&key)?.is_some() {
            return self.finish(&key).await;
        }
        let what = self.what_ends(given)?;
        let (own, call) = (given.own, given.end.clone());
        self.begin_end(Ok(()), key, what, own, call, Luggage::default())
            .await
    }

    fn what_ends(&self, given: &NotTaken) -> Result<String, JourneyError> {
        let whom = self.name_not_taken(given)?;
        Ok(match given.scope {
            Some(_) => format!("revocation of a grant to {whom} ({})", given.id),
            None => format!("end of permission to write for {whom}"),
        })
    }

    /// Whether a consent that is marked here as taken back stands on the chain all the same; then it is not marked any more.
    ///
    /// # Errors
    /// If the chain does not answer or the vault fails.
    pub async fn stands_after_all(&self, id: GrantId) -> Result<bool, JourneyError> {
        let standing = self.consents_on_chain().await?;
        let Some(given) = standing.into_iter().find(|given| given.id == id) else {
            return Ok(false);
        };
        let table = match given.scope {
            Some(_) => table::GRANTS,
            None => table::WRITE_GRANTS,
        };
        if let Some(mut row) = self.row::<GivenGrant>(table, id.as_bytes())? {
            (row.revoked, row.revoked_at) = (false, None);
            self.put(table, id.as_bytes(), &row)?;
        }
        Ok(true)
    }

    /// Whether everything that an own address gave is about to be taken back, in an errand that has not ended.
    pub(crate) fn ends_all(&self, own: AccountId) -> Result<bool, JourneyError> {
        Ok(self.errand(&all_key(own))?.is_some())
    }

    /// Whether a consent is on its way and nothing of it has left: no revocation that the chain knows is about it.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn is_to_be_given(&self, id: GrantId) -> Result<bool, JourneyError> {
        let errand = self.errand(&errand_key("grant", &[id.as_bytes()]))?;
        Ok(errand.is_some_and(|errand| errand.is_unsent()))
    }

    /// Before a consent leaves: an order to take back everything of its address that stands. On chain it would end the new
    /// consent, too, so it goes first, and the consent waits as long as it cannot.
    pub(crate) async fn end_all_first(&self, errand: &Errand) -> Result<(), JourneyError> {
        let gives = matches!(errand.call, Call::Grant { .. } | Call::GrantWrite(_));
        if !gives || !errand.is_unsent() {
            return Ok(());
        }
        match self.errand(&all_key(errand.own))? {
            Some(order) => Box::pin(self.go_on(order)).await.map(drop),
            None => Ok(()),
        }
    }

    /// The letters that tell readers to purge what a call takes back.
    pub(crate) async fn letters_of_end(
        &self,
        own: AccountId,
        call: &Call,
    ) -> Result<Vec<Outgoing>, JourneyError> {
        let mut letters = Vec::new();
        for (id, given) in self.grants()? {
            let is_meant = match call {
                Call::RevokeAll => given.own == own,
                Call::Revoke(grant) => grant.id == id,
                _ => false,
            };
            if is_meant && !given.revoked && !self.is_to_be_given(id)? {
                letters.extend(self.ended_letter(id, &given).await?);
            }
        }
        Ok(letters)
    }

    /// The letter that tells a reader to purge, to the mailbox of the very address that it read under. None if it cannot
    /// be told: the reader sees the revocation on the chain as well, and nothing keeps it back.
    async fn ended_letter(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Option<Outgoing>, JourneyError> {
        let own = self.own_address(given.own)?;
        let grant = given.artefact.grant.as_ref();
        let reader = grant.map_or(given.artefact.party, |grant| grant.reader);
        let mut records = given.artefact.records.clone();
        for delivery in self.deliveries(id)? {
            records.extend(delivery.records);
        }
        let message = Message::Ended {
            grants: vec![id],
            records,
        };
        let (to, to_key) = match self.reached(reader).await {
            Ok(reached) => reached,
            // Where the chain cannot say it now, it is asked before the revocation leaves.
            Err(JourneyError::Unknown { .. } | JourneyError::Ledger(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if given.artefact.pairing.is_none() {
            return Ok(None);
        }
        let letter = self.compose(
            errand_key("ended", &[id.as_bytes()]),
            given.artefact.pairing.as_ref(),
            &own,
            (to, &to_key),
            &given.artefact.node,
            &message,
        );
        match letter {
            Ok(letter) => Ok(Some(letter)),
            Err(error @ JourneyError::Port(_)) => Err(error),
            // Nothing can be sealed to the key that the reader has on the chain: it must not keep its own revocation from being kept.
            Err(_) => Ok(None),
        }
    }
}
