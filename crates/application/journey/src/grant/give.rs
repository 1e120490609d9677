//! Giving a grant: the reader's address for this own address, the artefact, the key list, then the chain.

use std::collections::BTreeSet;

use medibloc_consent::{Binding, Grant, List, ListRoot, Scope, Terms};
use medibloc_ledger::{Call, RecordFacts};
use medibloc_record::{Address, Digest, GrantId, Nonce, RecordId, Sensitivity, Timestamp};
use serde_bytes::ByteArray;

use crate::accept::KeptRecord;
use crate::errand::{Luggage, errand_key};
use crate::grant::reader::NO_READER;
use crate::grant::{Artefact, Extent, GivenGrant, PendingRequest, SharedKey, reason};
use crate::pace::accept_key;
use crate::pairing::Contact;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::secret::Secret;
use crate::{JourneyError, Party, Standing};

/// Keys in one list: about 800 bytes each with what proves that they are in it, in a block of at most 1 MiB.
pub(crate) const KEYS_IN_A_LIST: usize = 1_000;

/// What is to be given under one own address.
pub(crate) struct Offer<'a> {
    pub(crate) request: &'a PendingRequest,
    pub(crate) scope: Scope,
    pub(crate) sensitivity: Sensitivity,
    pub(crate) until: Timestamp,
    /// Over how many seconds the consents of one answer are spread; none if it is one alone.
    pub(crate) spread: Option<u64>,
    /// The person said to give it though its author took the record back.
    pub(crate) is_known_retracted: bool,
}

impl Offer<'_> {
    /// Whether it gives less than all that it is about: the chain is to hold that, too.
    fn is_limited(&self) -> bool {
        let asked = &self.request.request;
        !matches!(self.scope, Scope::One(_))
            && (self.sensitivity < Sensitivity::VeryRestricted
                || !asked.categories.is_empty()
                || asked.dates.is_some())
    }
}

impl Party {
    /// Grants one accepted record to the contact that asks (row 11): a fresh reader address for each own address.
    /// The same grant twice is one.
    pub async fn approve(
        &self,
        request: &PendingRequest,
        record: RecordId,
        until: Timestamp,
    ) -> Result<GrantId, JourneyError> {
        let kept = self.to_be_given(record).await?;
        self.approve_one(request, kept, until, (None, false)).await
    }

    /// As [`Party::approve`], also what its author took back: whoever holds a stolen key of the author can take back what is right,
    /// and whoever treats the owner may have to see what was wrong. The reader opens it by [`Party::read_retracted`] alone.
    ///
    /// # Errors
    /// As [`Party::approve`], but for the retraction.
    pub async fn approve_retracted(
        &self,
        request: &PendingRequest,
        record: RecordId,
        until: Timestamp,
    ) -> Result<GrantId, JourneyError> {
        let kept = self.standing_on_chain(record).await?;
        let facts = self.ports.facts.record(record).await?;
        self.must_be_accepted(&kept, facts)?;
        self.approve_one(request, kept, until, (None, true)).await
    }

    async fn approve_one(
        &self,
        request: &PendingRequest,
        kept: KeptRecord,
        until: Timestamp,
        (spread, is_known_retracted): (Option<u64>, bool),
    ) -> Result<GrantId, JourneyError> {
        let record = kept.record();
        let offer = Offer {
            request,
            scope: Scope::One(record),
            sensitivity: Sensitivity::VeryRestricted,
            until,
            spread,
            is_known_retracted,
        };
        let own = self.own_address(kept.anchor.owner)?;
        if let Some(id) = self.given_before(&own, &offer)? {
            self.finish(&errand_key("grant", &[id.as_bytes()])).await?;
            return Ok(id);
        }
        let contact = self.confirmed(request.own)?;
        self.hear_before_it_is_decided(contact.party).await?;
        let Some(reader) = self.reader_for(&own, &contact, request)? else {
            self.want_readers(request, 1, 0, Vec::new()).await?;
            return Err(JourneyError::Unknown {
                what: NO_READER.into(),
                hint: "the contact was asked for more: approve again once it has answered and `medibloc sync` has run",
            });
        };
        // Nothing that was decided before, and that nothing was begun of, is given beside it.
        let over = self.not_begun_of(&request.id)?;
        self.give(&own, &contact, reader, &offer, &[kept], over)
            .await
    }

    /// A record that is accepted, or is when its planned acceptance has gone, and that its author did not take back.
    async fn to_be_given(&self, record: RecordId) -> Result<KeptRecord, JourneyError> {
        let kept = self.standing_on_chain(record).await?;
        let facts = self.ports.facts.record(record).await?;
        // Whoever is given it relies on it, and a consent says nothing against that.
        if kept.retracted || facts.is_some_and(|facts| facts.retracted) {
            return Err(JourneyError::Retracted { record });
        }
        self.must_be_accepted(&kept, facts)?;
        Ok(kept)
    }

    /// It is accepted, or is when its planned acceptance has gone.
    fn must_be_accepted(
        &self,
        kept: &KeptRecord,
        facts: Option<RecordFacts>,
    ) -> Result<(), JourneyError> {
        let record = kept.record();
        match &kept.standing {
            Standing::NotAccepted { because } => Err(JourneyError::Untrusted {
                what: "record",
                why: format!(
                    "it is not accepted ({because}); only accepted records can be granted"
                ),
            }),
            Standing::Checked if self.errand(&accept_key(record))?.is_none() => {
                // Its acceptance went out, here or on another device, and no sync has seen the event yet.
                match facts.is_some_and(|facts| facts.accepted) {
                    true => Ok(()),
                    false => Err(JourneyError::Waits { record }),
                }
            }
            _ => Ok(()),
        }
    }

    /// Grants several records, of whichever own addresses, in one answer.
    pub async fn approve_records(
        &self,
        request: &PendingRequest,
        records: &[RecordId],
        until: Timestamp,
    ) -> Result<Vec<GrantId>, JourneyError> {
        let mut owners = BTreeSet::new();
        for record in records {
            owners.insert(self.standing_record(*record)?.anchor.owner);
        }
        let length = until.since(self.chain_now().await?);
        let several = (owners.len() > 1).then(|| self.ports.pace.spread(owners.len(), length));
        let mut given = Vec::with_capacity(records.len());
        for record in records {
            let kept = self.to_be_given(*record).await?;
            let how = (several, false);
            given.push(self.approve_one(request, kept, until, how).await?);
        }
        Ok(given)
    }

    /// The grant that answered the same before, and is not about to be taken back.
    pub(crate) fn given_before(
        &self,
        own: &OwnAddress,
        offer: &Offer<'_>,
    ) -> Result<Option<GrantId>, JourneyError> {
        let ends_all = self.ends_all(own.id())?;
        let mut grants = self.grants()?;
        if ends_all {
            let mut later = Vec::new();
            for (id, given) in grants {
                if self.is_to_be_given(id)? {
                    later.push((id, given));
                }
            }
            grants = later;
        }
        Ok(grants.into_iter().find_map(|(id, given)| {
            let terms = &given.artefact.grant.as_ref()?.terms;
            let same = given.own == own.id()
                && given.answers(&offer.request.id)
                && !given.revoked
                && given.artefact.about() == Some(offer.scope)
                && self
                    .ports
                    .pace
                    .is_end_of(offer.until, terms.until, offer.spread);
            same.then_some(id)
        }))
    }

    /// Gives one consent; these rows are kept in the same step as its begin.
    pub(crate) async fn give(
        &self,
        own: &OwnAddress,
        contact: &Contact,
        binding: Binding,
        offer: &Offer<'_>,
        records: &[KeptRecord],
        rows: Vec<Change>,
    ) -> Result<GrantId, JourneyError> {
        let binding = self
            .untaken_reader(own, contact, binding, offer.request)
            .await?;
        let reader_id = binding.reader;
        // A private reader has no account that keepers could check.
        let binding = contact.card.account.is_some().then_some(binding);
        let asked = &offer.request.request;
        let reason_salt = self.ports.random();
        let purpose_salt = reason::purpose_salt(reason_salt, &asked.reason);
        let (due, until) = match offer.spread {
            None => (self.ports.due(), self.end_of(offer.until).await?),
            Some(spread) => {
                let (now, pace) = (self.chain_now().await?, self.ports.pace);
                let end = pace.end_of_several((now, offer.until), spread, self.ports.draw());
                (self.ports.due_within(spread), end)
            }
        };
        let mut keys = self.shared_keys(own, records).await?;
        let (scope, extent) = match offer.is_limited() {
            false => (offer.scope, None),
            true => (
                Scope::Listed(self.list_of(&mut keys)),
                Extent::of(offer.scope),
            ),
        };
        let mut grant = Grant::new(
            own.id(),
            reader_id,
            Nonce::new(self.ports.random()),
            Terms {
                scope,
                purpose_tag: asked.purpose.tag(purpose_salt),
                // It stands on the chain: the second of the decision would be the same in all consents of one answer,
                // however far apart they go. None begins before its block.
                from: Timestamp(0),
                until,
                reads: None,
                binding: binding.as_ref().map(Binding::tag).unwrap_or_default(),
                digest: Digest::new([0; 32]),
            },
        );
        let mut artefact = Artefact {
            grant: Some(grant.clone()),
            purpose_salt,
            reason_salt: Some(ByteArray::new(reason_salt)),
            binding,
            request: Some(ByteArray::new(offer.request.id)),
            records: records.iter().map(KeptRecord::record).collect(),
            extent,
            sensitivity: offer.sensitivity,
            categories: asked.categories.clone(),
            dates: asked.dates,
            ..Artefact::new(
                contact,
                self.ports.network.own_node(),
                (asked.purpose, &asked.reason),
                until,
            )
        };
        let reader_key = self.key_of(reader_id).await?;
        let made = self.make_grant_object(
            own,
            (reader_id, &reader_key),
            grant.id,
            &artefact,
            Some(&keys),
        )?;
        grant.terms.digest = made.digest;
        artefact.grant = Some(grant.clone());
        self.ports.vault.put_blob(&made.block)?;
        let anchor = match offer.scope {
            Scope::One(_) => records.first().map(|kept| kept.anchor),
            _ => None,
        };
        let noted = self.given_note(own.id(), &artefact)?;
        let given = GivenGrant::new(own.id(), artefact);
        let call = Call::Grant {
            grant: grant.clone(),
            anchor,
        };
        self.begin_at(
            due,
            errand_key("grant", &[grant.id.as_bytes()]),
            format!("grant to {}", self.names()?.contact(contact)),
            own.id(),
            call,
            Luggage {
                objects: vec![*made.block.cid()],
                is_known_retracted: offer.is_known_retracted,
                rows: [
                    change(table::GRANTS, grant.id.as_bytes(), &given),
                    self.said_row(grant.id),
                ]
                .into_iter()
                .chain(noted)
                .chain(rows)
                .collect(),
                ..Luggage::default()
            },
        )
        .await?;
        Ok(grant.id)
    }

    /// The owner's halves of accepted records, for a key list.
    pub(crate) async fn shared_keys(
        &self,
        own: &OwnAddress,
        records: &[KeptRecord],
    ) -> Result<Vec<SharedKey>, JourneyError> {
        let mut keys = Vec::with_capacity(records.len());
        for kept in records {
            let opened = self.open_own(own, kept).await?;
            keys.push(SharedKey {
                anchor: kept.anchor,
                owner_half: Secret::new(*opened.owner_half.expose()),
                proof: None,
            });
        }
        Ok(keys)
    }

    /// Makes a list of these keys, each with the proof that its record is in it.
    pub(crate) fn list_of(&self, keys: &mut [SharedKey]) -> ListRoot {
        let records: Vec<RecordId> = keys.iter().map(SharedKey::record).collect();
        let list = List::of(&records, || self.ports.random());
        for (key, proof) in keys.iter_mut().zip(list.proofs) {
            key.proof = Some(proof);
        }
        list.root
    }
}

/// Whether a reader address can be granted to: one that a home of before took, by the contact's signature alone, may be
/// anybody's, and the contact is asked for others.
pub(crate) fn is_of_both((_, binding): &&(Address, Binding)) -> bool {
    binding.reader_signature.is_some()
}
