//! Who may speak to an own address: the tag of a letter is checked before anything of it is opened and before the chain is
//! asked, so what strangers send costs a batched removal and no more (docs/format/messages.md).

use std::collections::BTreeMap;

use medibloc_dag::cbor;
use medibloc_keys::PairingKey;
use medibloc_record::{AccountId, Digest, TypedDomain};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::party::table;
use crate::ports::Letter;
use crate::secret::Secret;
use crate::{Invitation, JourneyError, Party};

const LETTER: &str = "medibloc/v1/letter-tag";

/// Tags that one sync computes for letters whose senders no pairing names: a contact that handed its account to another
/// key is found, and a flood ends.
const TRIES: u32 = 100_000;

/// What two who are paired know, and nobody else: it travels sealed, in cards' answers and grant objects.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pairing {
    #[serde(with = "crate::secret")]
    key: Secret,
    /// What only the phrase of who was invited can make: after its restore it knows the key again by this.
    token: ByteArray<32>,
}

impl core::fmt::Debug for Pairing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Pairing(…)")
    }
}

impl Pairing {
    pub(crate) fn new(key: &PairingKey, token: [u8; 32]) -> Self {
        Self {
            key: key.expose().clone(),
            token: ByteArray::new(token),
        }
    }

    pub(crate) fn key(&self) -> PairingKey {
        PairingKey::from_bytes(self.key.clone())
    }

    pub(crate) const fn token(&self) -> ByteArray<32> {
        self.token
    }
}

/// An invitation that was answered; who comes second is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UsedInvitation {
    pub(crate) invitation: Invitation,
    /// Who answered first.
    pub(crate) by: AccountId,
    /// How many were told so.
    pub(crate) told: u8,
}

/// Who may speak to one own address.
#[derive(Default)]
pub(crate) struct Door {
    /// Secret of an invitation, open or used: whoever knows it may answer.
    secret: Option<Secret>,
    keys: BTreeMap<AccountId, PairingKey>,
}

/// Who may speak to which own address.
#[derive(Default)]
pub(crate) struct Doors(BTreeMap<AccountId, Door>);

impl Party {
    /// From contacts, patrons, grants and invitations of the own vault alone.
    pub(crate) fn doors(&self) -> Result<Doors, JourneyError> {
        let mut doors = Doors::default();
        for contact in self.contacts()? {
            doors.add(contact.own, contact.party, contact.pairing.as_ref());
        }
        let account = self.account().id();
        for patron in self.patrons()? {
            doors.add(account, patron.owner, patron.pairing.as_ref());
        }
        for (_, given) in self.grants()? {
            if let Some(grant) = &given.artefact.grant {
                doors.add(given.own, grant.reader, given.artefact.pairing.as_ref());
            }
        }
        for held in self.held()? {
            doors.add(held.own, held.owner, held.artefact.pairing.as_ref());
        }
        let used = self.rows::<UsedInvitation>(table::USED)?;
        let used = used.into_iter().map(|used| used.invitation);
        for invitation in self.open_invitations()?.into_iter().chain(used) {
            let own = crate::ports::id_of(invitation.owner);
            doors.0.entry(own).or_default().secret = Some(invitation.secret());
        }
        Ok(doors)
    }
}

impl Doors {
    fn add(&mut self, own: AccountId, other: AccountId, pairing: Option<&Pairing>) {
        if let Some(pairing) = pairing {
            let door = self.0.entry(own).or_default();
            door.keys.insert(other, pairing.key());
        }
    }

    /// The door of an own address; nobody may speak to one that has none.
    pub(crate) fn of(&mut self, own: AccountId) -> Door {
        self.0.remove(&own).unwrap_or_default()
    }
}

impl Door {
    /// Whether somebody who may speak here made the letter's tag.
    pub(crate) fn admits(&self, domain: &TypedDomain, letter: &Letter, tries: &mut Tries) -> bool {
        let Some(tag) = letter.tag else {
            return false;
        };
        let digest = digest_of(letter);
        let is_of = |key: &PairingKey| key.is_tag(&tag, LETTER, &pieces(letter, &digest));
        if let Some(key) = self.keys.get(&crate::ports::id_of(letter.sender))
            && is_of(key)
        {
            return true;
        }
        if let Some(secret) = &self.secret
            && is_of(&PairingKey::derive(
                secret,
                domain,
                letter.recipient,
                letter.sender,
            ))
        {
            return true;
        }
        // The sender may sign for one of them since the account was handed on: the chain says so when it was opened.
        let mut keys = self.keys.values();
        keys.any(|key| tries.spend() && is_of(key))
    }
}

/// What is left of [`TRIES`].
pub(crate) struct Tries(u32);

impl Tries {
    pub(crate) const fn new() -> Self {
        Self(TRIES)
    }

    const fn spend(&mut self) -> bool {
        let left = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        left
    }
}

fn digest_of(letter: &Letter) -> Digest {
    Digest::of(&cbor::to_vec(&letter.wrapped))
}

fn pieces<'a>(letter: &'a Letter, digest: &'a Digest) -> [&'a [u8]; 4] {
    [
        letter.sender.as_bytes(),
        letter.recipient.as_bytes(),
        &letter.id,
        digest.as_bytes(),
    ]
}

/// Puts the tag on a letter.
pub(crate) fn tag(letter: &mut Letter, key: &PairingKey) {
    let digest = digest_of(letter);
    let tag = key.tag(LETTER, &pieces(letter, &digest));
    letter.tag = Some(ByteArray::new(tag));
}

/// The key of a pairing, or what to do about one that has none.
pub(crate) fn key_of(pairing: Option<&Pairing>) -> Result<PairingKey, JourneyError> {
    pairing
        .map(Pairing::key)
        .ok_or_else(|| JourneyError::Untrusted {
            what: "pairing",
            why: "it was made by an older version and has no key of its own; invite the other side again, or ask it for a \
                  new invitation"
                .into(),
        })
}
