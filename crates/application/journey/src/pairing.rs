//! Pairing (design 11, rows 1–4): an invitation out of band, a contact card back, a name confirmed by the person.

use std::sync::atomic::Ordering;

use hmac::{Hmac, KeyInit, Mac};
use medibloc_consent::Binding;
use medibloc_dag::cbor;
use medibloc_keys::PairingKey;
use medibloc_record::{AccountId, Address, Digest, SealingKey, Signature};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteArray;

use crate::bounds;
use crate::credential::Credential;
use crate::doors::{Pairing, UsedInvitation};
use crate::errand::errand_key;
use crate::mail::{Message, Opened, WhyDeclined};
use crate::outbox::letter_row;
use crate::party::{AddressUse, OwnAddress, change, table, used};
use crate::ports::Change;
use crate::{JourneyError, Lacks, Party};

mod invitation;
mod named;
mod readers;

pub use invitation::Invitation;
pub(crate) use readers::{Offered, Promise};

const INVITATION_LIFE: u64 = 7 * 86_400;
/// Derivations beyond the own ones that another device of the phrase may have used.
const OTHER_DEVICES: u32 = 20;
/// Reader addresses asked of a contact at pairing, and given to whoever asks for more.
const READERS_WANTED: u8 = 4;

/// Addresses of one contact that are kept for grants to come; it can send more when these are used.
pub(crate) const MOST_UNUSED: usize = 64;

/// The answer to an invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactCard {
    /// 1.
    pub version: u8,
    /// The accredited account, or none for a private person.
    pub account: Option<AccountId>,
    /// Its credential (a JWT of the authority).
    pub credential: Option<String>,
    /// Its node.
    pub node: String,
    /// Fresh registered reader addresses, each with its signed binding to the account.
    pub readers: Vec<(Address, Binding)>,
    /// What only the phrase of who was invited can make of the pairing's key; grants bring it back after a restore.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<ByteArray<32>>,
    /// HMAC-SHA256(invitation's secret, digest of the card without this).
    #[serde(with = "serde_bytes")]
    mac: [u8; 32],
}

impl ContactCard {
    fn mac(&self, secret: &[u8; 32]) -> Hmac<sha2::Sha256> {
        let bare = Self {
            mac: [0; 32],
            ..self.clone()
        };
        let mut mac =
            Hmac::<sha2::Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(Digest::of(&cbor::to_vec(&bare)).as_bytes());
        mac
    }
}

/// A contact of an owner: pending until the person has read the name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The own address that it was paired with.
    pub own: AccountId,
    /// The account that it signs with, accredited or not.
    pub party: AccountId,
    /// What it sent.
    pub card: ContactCard,
    /// Name in its credential, or what the owner calls it.
    pub name: String,
    /// The person said yes.
    pub confirmed: bool,
    /// Reader addresses not used yet.
    pub unused: Vec<(Address, Binding)>,
    /// What proves letters and grants between the two; none if an older version paired them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
}

/// A pairing on the side that answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patron {
    /// The owner's address that it was paired with.
    pub owner: AccountId,
    /// The owner's sealing key.
    pub sealing_key: SealingKey,
    /// The owner's node.
    pub node: String,
    /// What proves letters and grants between the two; none if an older version paired them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing: Option<Pairing>,
}

impl Party {
    /// An invitation under a fresh registered address.
    pub async fn invite(&self) -> Result<Invitation, JourneyError> {
        let own = self.fresh_addresses(1, AddressUse::Owner).await?.remove(0);
        let mut invitation = Invitation {
            version: 2,
            chain: self.ports.domain.chain_id,
            records: self.ports.domain.records,
            owner: own.address,
            sealing_key: self.sealing(&own).public(),
            node: self.ports.network.own_node(),
            readers_wanted: READERS_WANTED,
            expiry: self.ports.clock.now().plus(INVITATION_LIFE),
            secret: self.ports.random(),
            signature: Signature::new([0; 65]),
        };
        invitation.signature = self.signer(&own).sign_digest(&invitation.digest());
        self.ports.vault.apply(vec![
            change(table::INVITATIONS, own.address.as_bytes(), &invitation),
            used(own.address),
        ])?;
        Ok(invitation)
    }

    /// Answers an invitation with a contact card.
    pub async fn answer(
        &self,
        invitation: &Invitation,
        credential: Option<&str>,
    ) -> Result<Patron, JourneyError> {
        let bad = |why: &str| JourneyError::Untrusted {
            what: "invitation",
            why: why.into(),
        };
        self.is_for_here(invitation)?;
        let owner = crate::ports::id_of(invitation.owner);
        self.is_open_yet(owner)?;
        let key = errand_key("card", &[owner.as_bytes(), &invitation.secret]);
        if let Some(card) = self.outgoing(&key)?
            && let Some(patron) = self.row(table::PATRONS, owner.as_bytes())?
        {
            // Answered before: the same card goes out once more.
            self.post(card).await?;
            return Ok(patron);
        }
        let registered = self
            .ports
            .facts
            .account(owner)
            .await?
            .ok_or_else(|| bad("its address is not registered; ask for a new one"))?;
        if registered.signer != invitation.owner {
            return Err(bad(
                "its address signs for nobody any more; ask for a new one",
            ));
        }
        if registered.sealing_key != invitation.sealing_key {
            return Err(bad(
                "its owner has another sealing key since it was made; ask for a new one",
            ));
        }
        let account = self.account();
        let domain = &self.ports.domain;
        let secret = invitation.secret();
        // As the owner sees the letter: whoever signs it now.
        let signer = self.signing_address(&account);
        let key_of_both = PairingKey::derive(&secret, domain, invitation.owner, signer);
        let token = self
            .seed
            .pairing_token(domain, invitation.owner, &key_of_both);
        let pairing = Pairing::new(&key_of_both, token);
        let (readers, mut changes) = self
            // Whoever invites says how many; each costs a registration of the day. More are asked for by letter, bounded.
            .bound_readers(invitation.readers_wanted.min(READERS_WANTED), owner)
            .await?;
        let mut card = ContactCard {
            version: 1,
            account: credential.map(|_| account.id()),
            credential: credential.map(str::to_owned),
            node: self.ports.network.own_node(),
            readers,
            token: Some(pairing.token()),
            mac: [0; 32],
        };
        card.mac = card.mac(&invitation.secret).finalize().into_bytes().into();
        let patron = Patron {
            owner,
            sealing_key: invitation.sealing_key,
            node: invitation.node.clone(),
            pairing: Some(pairing),
        };
        let letter = self.compose(
            key,
            patron.pairing.as_ref(),
            &account,
            (invitation.owner, &invitation.sealing_key),
            &invitation.node,
            &Message::Card(card),
        )?;
        changes.push(change(table::PATRONS, owner.as_bytes(), &patron));
        changes.push(letter_row(&letter));
        self.ports.vault.apply(changes)?;
        self.post(letter).await?;
        Ok(patron)
    }

    /// Whether an invitation can be answered by this party at all; asks nobody.
    fn is_for_here(&self, invitation: &Invitation) -> Result<(), JourneyError> {
        let bad = |why: String| JourneyError::Untrusted {
            what: "invitation",
            why,
        };
        let here = &self.ports.domain;
        if invitation.chain != here.chain_id {
            return Err(bad(format!(
                "it is for chain {}, this home is on chain {}; use the home and the deployment.json of that chain",
                invitation.chain, here.chain_id
            )));
        }
        if invitation.records != here.records {
            return Err(bad(format!(
                "it is for the deployment with Records at {}, this home is of {}; use that deployment's deployment.json",
                invitation.records, here.records
            )));
        }
        if invitation.expiry < self.ports.clock.now() {
            return Err(bad("it has expired; ask for a new one".into()));
        }
        if self.may_be_own(invitation.owner)? {
            return Err(bad(
                "it is an own one, of this home or of another with the same phrase; give it to somebody else".into(),
            ));
        }
        self.is_listed("invitation", &invitation.node)
    }

    /// Whether an address is one of this phrase, also if another device made it.
    fn may_be_own(&self, address: Address) -> Result<bool, JourneyError> {
        if self.own(crate::ports::id_of(address))?.is_some() {
            return Ok(true);
        }
        let last = self.addresses()?.iter().filter_map(|own| own.index).max();
        let end = last.unwrap_or(0).saturating_add(OTHER_DEVICES);
        Ok((0..=end).any(|index| self.derive(index, AddressUse::Owner).address == address))
    }

    /// No URL is kept that no node of the deployment has: nobody can make this agent call where it likes.
    pub(crate) fn is_listed(&self, what: &'static str, url: &str) -> Result<(), JourneyError> {
        if self.ports.network.is_listed(url) {
            return Ok(());
        }
        // It is shown, for as long as it waits.
        if !is_url(url) {
            let why = "its node is no URL".into();
            return Err(JourneyError::Untrusted { what, why });
        }
        Err(JourneyError::Outdated {
            what,
            lacks: Lacks::Node(url.to_owned()),
        })
    }

    /// Takes a contact card that answered one of the own invitations; it waits for [`Party::confirm`].
    pub(crate) async fn take_card(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        card: ContactCard,
    ) -> Result<Vec<Change>, JourneyError> {
        let (signer, party) = (letter.signer, letter.account);
        let bad = |why: &str| JourneyError::Untrusted {
            what: "contact card",
            why: why.into(),
        };
        let open: Option<Invitation> = self.row(table::INVITATIONS, own.address.as_bytes())?;
        let Some(invitation) = open else {
            return self.decline_second(own, letter, &card).await;
        };
        if card.version != 1 {
            return Err(bad("it is of a later version; use a newer program"));
        }
        card.mac(&invitation.secret)
            .verify_slice(&card.mac)
            .map_err(|_| bad("it does not know the invitation's secret"))?;
        let came = self.came(&letter.id)?;
        if invitation.expiry < came.unwrap_or_else(|| self.ports.clock.now()) {
            return self
                .decline(own, letter, &card, WhyDeclined::Expired, &invitation)
                .await;
        }
        self.is_listed("contact card", &card.node)?;
        let name = match (&card.account, &card.credential) {
            (Some(account), Some(jwt)) => {
                if *account != party {
                    return Err(bad("it is not signed by the account that it names"));
                }
                self.standing_credential(*account, jwt).await?.name
            }
            (None, None) => format!("private person {signer}"),
            _ => {
                return Err(bad(
                    "it names an account without its credential, or a credential without its account",
                ));
            }
        };
        for (reader, binding) in &card.readers {
            self.check_binding(party, *reader, binding).await?;
        }
        let domain = &self.ports.domain;
        let key = PairingKey::derive(&invitation.secret(), domain, own.address, signer);
        let pairing = card
            .token
            .map(|token| Pairing::new(&key, token.into_array()));
        let contact = Contact {
            own: own.id(),
            party,
            unused: card.readers.clone(),
            card,
            name,
            confirmed: false,
            pairing,
        };
        let used = UsedInvitation {
            invitation,
            by: party,
            told: 0,
        };
        Ok(vec![
            change(table::CONTACTS, own.address.as_bytes(), &contact),
            change(table::USED, own.address.as_bytes(), &used),
            Change::Delete {
                table: table::INVITATIONS,
                key: own.address.as_bytes().to_vec(),
            },
        ])
    }

    pub(crate) async fn standing_credential(
        &self,
        account: AccountId,
        jwt: &str,
    ) -> Result<Credential, JourneyError> {
        let credential = self.vouched(account, jwt).await?;
        self.stands_today(account).await?;
        Ok(credential)
    }

    pub(crate) async fn stands_today(&self, account: AccountId) -> Result<(), JourneyError> {
        let now = self.chain_now().await?;
        if self.ports.facts.standing(account, now).await?.is_good() {
            return Ok(());
        }
        Err(JourneyError::Untrusted {
            what: "credential",
            why: "the authority does not accredit this account now".into(),
        })
    }

    /// Invitations that nobody has answered yet.
    pub fn open_invitations(&self) -> Result<Vec<Invitation>, JourneyError> {
        self.rows(table::INVITATIONS)
    }

    /// Contacts that answered invitations.
    pub fn contacts(&self) -> Result<Vec<Contact>, JourneyError> {
        self.split_patrons()?;
        self.rows(table::CONTACTS)
    }

    /// Owners whose invitations this party answered.
    pub fn patrons(&self) -> Result<Vec<Patron>, JourneyError> {
        self.split_patrons()?;
        self.rows(table::PATRONS)
    }

    /// Part 1 kept contacts and patrons in one table: moves the patrons to their own. One whose owner is an own address
    /// was never a pairing, and goes.
    fn split_patrons(&self) -> Result<(), JourneyError> {
        if self.split.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let mut changes = Vec::new();
        for (key, bytes) in self.ports.vault.list(table::CONTACTS)? {
            if let Ok(patron) = cbor::from_slice::<Patron>(&bytes) {
                if self.own(patron.owner)?.is_none() {
                    changes.push(change(table::PATRONS, &key, &patron));
                }
                let table = table::CONTACTS;
                changes.push(Change::Delete { table, key });
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// The person has read the contact's name and says yes.
    pub fn confirm(&self, own: AccountId) -> Result<Contact, JourneyError> {
        let mut contact: Contact = self.contact(own)?;
        contact.confirmed = true;
        self.put(table::CONTACTS, own.as_bytes(), &contact)?;
        Ok(contact)
    }

    /// The pairing with an owner.
    pub(crate) fn patron(&self, owner: AccountId) -> Result<Patron, JourneyError> {
        self.split_patrons()?;
        self.row(table::PATRONS, owner.as_bytes())?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("the owner {owner}"),
                hint: "answer the person's invitation first: `medibloc contact accept`",
            })
    }

    pub(crate) fn contact(&self, own: AccountId) -> Result<Contact, JourneyError> {
        self.split_patrons()?;
        self.row(table::CONTACTS, own.as_bytes())?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("a contact at {own}"),
                hint: "run `medibloc sync`, then `medibloc contact list`",
            })
    }
}

impl ContactCard {
    /// What a restore knows of a card: the grant objects keep all of it but the reader addresses.
    pub(crate) const fn restored(
        account: Option<AccountId>,
        credential: Option<String>,
        node: String,
    ) -> Self {
        Self {
            version: 1,
            account,
            credential,
            node,
            readers: Vec::new(),
            token: None,
            mac: [0; 32],
        }
    }
}

/// Whether a text has only what a URL is written with (RFC 3986, section 2), and a scheme.
fn is_url(text: &str) -> bool {
    let is_written = text.bytes().all(|byte| byte.is_ascii_graphic());
    is_written && text.len() <= bounds::MOST_URL && text.contains(':')
}
