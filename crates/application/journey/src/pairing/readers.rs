//! Reader addresses: bound to the account, offered to one owner each.

use std::collections::BTreeSet;

use medibloc_consent::{Binding, Grant};
use medibloc_keys::recover;
use medibloc_record::{AccountId, Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::READERS_WANTED;
use crate::party::{AddressUse, OwnAddress, change, table, used};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// A reader address that an owner was offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offered {
    pub(crate) owner: AccountId,
    reader: Address,
    pub(crate) binding: Binding,
    /// When it was registered for this owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// The owner's address whose consent to it was opened here first: no other one of the owner's grants to it. None until then.
    /// Homes of before kept whoever granted first, opened or not, under another name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    opened_from: Option<AccountId>,
}

/// What a consent is to the offer of its reader address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It is from where this owner's consents to it come.
    Kept,
    /// It has the tag of the offer, and none of it was opened yet. The tag is the owner's secret until its call is seen, which is
    /// before its block: this may be the owner's, or of somebody who saw that.
    Open,
    /// Nothing of it is what was offered.
    Not,
}

/// Addresses that one owner was offered and does not grant to yet: a letter has room for as many. An owner has no more open than
/// an invitation brings, or than consents it gave: who gave nothing needs no more than those.
const MOST_OPEN: usize = 16;
/// Addresses that one owner's letters make this party register in a day.
const MOST_A_DAY: usize = 48;

impl Party {
    /// Registered reader addresses with their bindings to the account, for one owner alone: those that were offered
    /// and not granted to yet, then fresh ones. The rows remember them as offered; the caller keeps them together with
    /// the letter that offers.
    pub(crate) async fn bound_readers(
        &self,
        count: u8,
        owner: AccountId,
    ) -> Result<(Vec<(Address, Binding)>, Vec<Change>), JourneyError> {
        let mut readers = self.offered_to(owner)?;
        readers.truncate(count.into());
        let (more, changes) = self
            .new_readers(usize::from(count) - readers.len(), owner)
            .await?;
        readers.extend(more);
        Ok((readers, changes))
    }

    /// Reader addresses that were offered to an owner and not granted to yet.
    pub(crate) fn offered_to(
        &self,
        owner: AccountId,
    ) -> Result<Vec<(Address, Binding)>, JourneyError> {
        let granted: BTreeSet<AccountId> = self.held()?.iter().map(|held| held.own).collect();
        let mut offered: Vec<Offered> = self.rows(table::OFFERED)?;
        offered.retain(|it| it.owner == owner && !granted.contains(&it.binding.reader));
        let mut readers = Vec::with_capacity(offered.len());
        for it in offered {
            // One whose key this home does not have is nobody's to offer.
            if let Some(own) = self.row(table::ADDRESSES, it.reader.as_bytes())? {
                readers.push((it.reader, self.signed_by_both(it.binding, &own)));
            }
        }
        Ok(readers)
    }

    /// What an owner gets that asks for more: those that are open, and fresh ones as far as it may cause registrations: each has
    /// cost the owner a consent. Others need the source's registrations of the day too, and one person may have many pairings.
    pub(crate) async fn more_readers(
        &self,
        count: usize,
        owner: AccountId,
    ) -> Result<(Vec<(Address, Binding)>, Vec<Change>), JourneyError> {
        let now = self.ports.clock.now();
        let offered: Vec<Offered> = self.rows(table::OFFERED)?;
        let is_of_today = |offered: &&Offered| {
            offered.owner == owner && offered.at.is_some_and(|at| now.since(at) < 86_400)
        };
        let today = offered.iter().filter(is_of_today).count();
        let held = self.held()?;
        let consents = held.iter().filter(|it| it.artefact.paired == owner).count();
        let open = consents.clamp(READERS_WANTED.into(), MOST_OPEN);
        let mut readers = self.offered_to(owner)?;
        readers.truncate(MOST_OPEN);
        let fresh = count
            .min(open.saturating_sub(readers.len()))
            .min(MOST_A_DAY.saturating_sub(today));
        let (more, changes) = self.new_readers(fresh, owner).await?;
        readers.extend(more);
        Ok((readers, changes))
    }

    /// Fresh reader addresses alone.
    pub(crate) async fn new_readers(
        &self,
        count: usize,
        owner: AccountId,
    ) -> Result<(Vec<(Address, Binding)>, Vec<Change>), JourneyError> {
        let purpose = AddressUse::Reader { owner: Some(owner) };
        let account = self.account();
        let (mut readers, mut changes) = (Vec::new(), Vec::new());
        for own in self.fresh_addresses(count, purpose).await? {
            let binding = self.bind(&account, &own);
            let offered = Offered {
                owner,
                reader: own.address,
                binding: binding.clone(),
                at: Some(self.ports.clock.now()),
                opened_from: None,
            };
            changes.push(change(table::OFFERED, own.address.as_bytes(), &offered));
            changes.push(used(own.address));
            readers.push((own.address, binding));
        }
        Ok((readers, changes))
    }

    /// Whether a grant is what an address was offered for. The tag of its binding is known to the owner alone until its call is seen;
    /// who the owner is, the first object says that opens. No tag is anybody's.
    pub(crate) fn promise(&self, grant: &Grant) -> Result<Promise, JourneyError> {
        let key = grant.reader.first_address();
        let Some(offered) = self.row::<Offered>(table::OFFERED, key.as_bytes())? else {
            return Ok(Promise::Not);
        };
        let tag = grant.terms.binding;
        if tag.is_none() || tag != offered.binding.tag() {
            return Ok(Promise::Not);
        }
        // Homes of before held grants without it.
        let before = || self.known(|known| known.opened_from.get(&grant.reader).copied());
        let giver = offered.opened_from.or_else(before);
        Ok(match giver {
            None => Promise::Open,
            Some(giver) if giver == grant.owner => Promise::Kept,
            Some(_) => Promise::Not,
        })
    }

    /// The row that says where the consents to an offered address come from, after one of them was opened as its owner's.
    pub(crate) fn promise_kept(&self, grant: &Grant) -> Result<Option<Change>, JourneyError> {
        if self.promise(grant)? != Promise::Open {
            return Ok(None);
        }
        let key = grant.reader.first_address();
        let offered: Option<Offered> = self.row(table::OFFERED, key.as_bytes())?;
        Ok(offered.map(|mut offered| {
            offered.opened_from = Some(grant.owner);
            change(table::OFFERED, key.as_bytes(), &offered)
        }))
    }

    /// A binding of the account as its key of today signs it: an older one counts for nothing once the account was handed on.
    /// Keepers are sent this; contacts get it [with the pseudonym's signature](Self::signed_by_both).
    pub(crate) fn signed_now(&self, binding: Binding) -> Binding {
        let account = self.account();
        if account.id() != binding.account {
            return binding;
        }
        let digest = binding.digest(&self.ports.domain);
        binding.sign(self.signer(&account).sign_digest(&digest))
    }

    /// The same, signed by the pseudonym's key, too.
    fn signed_by_both(&self, binding: Binding, reader: &OwnAddress) -> Binding {
        let digest = binding.digest(&self.ports.domain);
        let signature = self.signer(reader).sign_digest(&digest);
        self.signed_now(binding).sign_as_reader(signature)
    }

    fn bind(&self, account: &OwnAddress, reader: &OwnAddress) -> Binding {
        let unsigned = Binding::unsigned(self.ports.random(), account.id(), reader.id());
        self.signed_by_both(unsigned, reader)
    }

    /// A reader address belongs to the account that the contact signs with: both say so. What the account alone says, of an
    /// address that another has, would have a person grant to that other.
    pub(crate) async fn check_binding(
        &self,
        party: AccountId,
        reader: Address,
        binding: &Binding,
    ) -> Result<(), JourneyError> {
        let bad = |why: &str| JourneyError::Untrusted {
            what: "reader address",
            why: format!("{reader} {why}"),
        };
        let Some(by_reader) = &binding.reader_signature else {
            return Err(bad(
                "is not signed for by its own key; the contact's program is older, ask it for a newer one's request",
            ));
        };
        let digest = binding.digest(&self.ports.domain);
        let (signer, own) = (
            recover(&digest, &binding.signature)?,
            recover(&digest, by_reader)?,
        );
        let facts = &self.ports.facts;
        let good = binding.account == party
            && facts.account_of(signer).await? == Some(party)
            && AccountId::from_first_address(reader) == binding.reader
            && facts.account_of(own).await? == Some(binding.reader);
        if good {
            return Ok(());
        }
        Err(bad(
            "is not registered, or not bound to the contact's account by its own key and the account's of today",
        ))
    }
}
