//! Which of a contact's reader addresses an own address grants to. Two own addresses that grant to one are one person's to whoever
//! reads the chain, so the devices of a phrase choose alike without asking each other, and ask the chain before they give.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit, Mac};
use medibloc_consent::{Binding, Grant};
use medibloc_record::{AccountId, GrantId};
use sha2::Sha256;

use super::give::is_of_both;
use crate::grant::{GivenGrant, PendingRequest};
use crate::pairing::Contact;
use crate::party::{OwnAddress, table};
use crate::{JourneyError, Party};

/// What is missing if every reader address is another own address's.
pub(super) const NO_READER: &str = "an unused reader address of this contact";

/// A reader address that an own address granted to.
struct Used {
    own: AccountId,
    reader: AccountId,
    /// The pairing in which; none if only the chain tells of it.
    paired: Option<AccountId>,
    /// It is there, as far as is known here.
    is_on_chain: bool,
}

impl Party {
    /// A reader address of the contact that no other own address has used in this pairing; none if more must be asked for.
    ///
    /// The chain shows which one it is, and the contact chooses which ones there are, in any order: what was granted in another
    /// pairing must not count, or whoever offers an address that was granted to there sees that both are one person's.
    ///
    /// Each own address has a place of its own in an order that only this phrase can make: devices that know nothing of each
    /// other's consents seldom choose one address for two, and which place it is tells others nothing.
    pub(crate) fn reader_for(
        &self,
        own: &OwnAddress,
        contact: &Contact,
        request: &PendingRequest,
    ) -> Result<Option<Binding>, JourneyError> {
        let used = self.readers_used(contact.own)?;
        let asked = request.request.readers.iter();
        let mut readers: BTreeMap<[u8; 32], &Binding> = BTreeMap::new();
        for (_, binding) in asked.chain(&contact.unused).filter(is_of_both) {
            let place = self.place_of(contact.own, binding.reader);
            readers.entry(place).or_insert(binding);
        }
        let mut readers: Vec<&Binding> = readers.into_values().collect();
        if readers.is_empty() {
            return Ok(None);
        }
        let first = own.index.map_or(0, |index| index as usize % readers.len());
        readers.rotate_left(first);
        let is_used_by = |binding: &Binding, who: &dyn Fn(AccountId) -> bool| {
            let mut of = used.iter();
            of.any(|used| used.reader == binding.reader && who(used.own))
        };
        let before = readers
            .iter()
            .find(|binding| is_used_by(binding, &|by| by == own.id()));
        let free = || {
            readers
                .iter()
                .find(|binding| !is_used_by(binding, &|_| true))
        };
        Ok(before.or_else(free).map(|binding| (*binding).clone()))
    }

    /// The reader address that was chosen, or another one if the chain says meanwhile that it is another own address's.
    pub(super) async fn untaken_reader(
        &self,
        own: &OwnAddress,
        contact: &Contact,
        chosen: Binding,
        request: &PendingRequest,
    ) -> Result<Binding, JourneyError> {
        self.learn_readers().await?;
        let used = self.readers_used(contact.own)?;
        let mut of = used.iter().filter(|used| used.reader == chosen.reader);
        if of.all(|used| used.own == own.id()) {
            return Ok(chosen);
        }
        let other = self.reader_for(own, contact, request)?;
        other.ok_or_else(|| JourneyError::Unknown {
            what: NO_READER.into(),
            hint: "another device of this phrase granted to the last one: give it again, and the contact is asked for more",
        })
    }

    /// Before a consent is signed that was put off: another device may have given meanwhile what it did not know of this one.
    ///
    /// # Errors
    /// If the chain says that another own address granted to its reader address.
    pub(crate) async fn must_be_apart(&self, grant: &Grant) -> Result<(), JourneyError> {
        self.learn_readers().await?;
        let Some(given) = self.row::<GivenGrant>(table::GRANTS, grant.id.as_bytes())? else {
            return Ok(());
        };
        let used = self.readers_used(given.artefact.paired)?;
        // What waits here or was noted by another device may never be sent.
        let is_others = |used: &&Used| {
            let is_other = used.own != grant.owner && used.reader == grant.reader;
            is_other && used.is_on_chain
        };
        if used.iter().find(is_others).is_none() {
            return Ok(());
        }
        Err(JourneyError::Unknown {
            what: format!(
                "a reader address for consent {}: another device of this phrase granted to its own from another of your addresses \
                 meanwhile, and both to one would show that they are yours;",
                grant.id
            ),
            hint: "take it back with `medibloc grant revoke` and give it again",
        })
    }

    /// Where a reader address stands in the order of a pairing's.
    fn place_of(&self, paired: AccountId, reader: AccountId) -> [u8; 32] {
        let key = self.seed.local_key("reader-places");
        let mac = Hmac::<Sha256>::new_from_slice(&*key).expect("HMAC takes any length");
        let mac = mac.chain_update(paired.as_bytes());
        mac.chain_update(reader.as_bytes())
            .finalize()
            .into_bytes()
            .into()
    }

    /// What own addresses granted to in a pairing, as this home, the notes of other devices and the chain say.
    fn readers_used(&self, paired: AccountId) -> Result<Vec<Used>, JourneyError> {
        let mut used: BTreeMap<GrantId, Used> = BTreeMap::new();
        for (id, reader, own) in self.readers_on_chain()? {
            let row = Used {
                own,
                reader,
                paired: None,
                is_on_chain: true,
            };
            used.insert(id, row);
        }
        for (id, artefact) in self.noted_gifts()? {
            if let Some(grant) = artefact.grant {
                let row = Used {
                    own: grant.owner,
                    reader: grant.reader,
                    paired: Some(artefact.paired),
                    is_on_chain: used.contains_key(&id),
                };
                used.insert(id, row);
            }
        }
        for (id, given) in self.grants()? {
            if let Some(grant) = &given.artefact.grant {
                let row = Used {
                    own: given.own,
                    reader: grant.reader,
                    paired: Some(given.artefact.paired),
                    is_on_chain: !self.is_on_its_way(id)?,
                };
                used.insert(id, row);
            }
        }
        let elsewhere = self.offered_elsewhere(paired)?;
        let mut used: Vec<Used> = used.into_values().collect();
        used.retain(|used| match used.paired {
            Some(of) => of == paired,
            // Of a contact that offers one address in two pairings nobody can say in which it was granted to: it counts in
            // neither, as if the chain had not been asked.
            None => !elsewhere.contains(&used.reader),
        });
        Ok(used)
    }

    /// Reader addresses that this home was offered in other pairings.
    fn offered_elsewhere(&self, paired: AccountId) -> Result<BTreeSet<AccountId>, JourneyError> {
        let mut offered = BTreeSet::new();
        for contact in self.contacts()?.iter().filter(|it| it.own != paired) {
            offered.extend(contact.unused.iter().map(|(_, binding)| binding.reader));
        }
        for request in self.requests()?.iter().filter(|it| it.own != paired) {
            let readers = request.request.readers.iter();
            offered.extend(readers.map(|(_, binding)| binding.reader));
        }
        Ok(offered)
    }
}
