//! Letters that came (design 11, rows 3, 10, 16): what each does and that it was seen are one step, so a letter that
//! comes twice does nothing twice.

use medibloc_consent::{Binding, WriteGrant};
use medibloc_record::{AccountId, Address};

use crate::accept::is_temporary;
use crate::errand::errand_key;
use crate::grant::PendingRequest;
use crate::mail::{AccessRequest, Message, Opened};
use crate::outbox::letter_row;
use crate::pairing::{Contact, Patron};
use crate::party::{AddressUse, OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party, SyncReport};

impl Party {
    /// Fetches the mailboxes of all own addresses.
    pub(crate) async fn sync_mail(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let mut own: Vec<OwnAddress> = self.addresses()?;
        own.retain(|own| own.purpose != AddressUse::Own);
        let account = self.account();
        if self
            .ports
            .facts
            .account_of(account.address)
            .await?
            .is_some()
        {
            own.push(account);
        }
        for own in own {
            let letters = match self.letters(&own).await {
                Ok(letters) => letters,
                Err(error) if is_temporary(&error) => {
                    report.later.push(error.to_string());
                    continue;
                }
                Err(error) => return Err(error),
            };
            for letter in letters {
                self.take_letter(&own, letter, report).await?;
            }
        }
        Ok(())
    }

    async fn take_letter(
        &self,
        own: &OwnAddress,
        letter: Opened,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let seen = self.ports.vault.get(table::SEEN, &letter.id)?.is_some();
        if seen {
            for key in answer_keys(&letter) {
                if let Some(answer) = self.outgoing(&key)? {
                    self.post(answer).await?;
                }
            }
            return self.letter_done(own, letter.id).await;
        }
        match self.effect_of(own, &letter, report).await {
            Ok(mut changes) => {
                changes.push(change(table::SEEN, &letter.id, &true));
                self.ports.vault.apply(changes)?;
                report.letters += 1;
            }
            Err(error) if is_temporary(&error) => {
                report.later.push(error.to_string());
                return Ok(());
            }
            Err(error) => report.later.push(error.to_string()),
        }
        self.letter_done(own, letter.id).await
    }

    async fn effect_of(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        match &letter.message {
            Message::Card(card) => self.take_card(own, letter.signer, card.clone()).await,
            Message::Access(request) => self.take_request(own, letter, request.clone()),
            Message::MoreReaders { readers } => self.take_readers(own, letter.signer, readers),
            Message::WantReaders { count } => self.send_readers(letter, *count).await,
            Message::Ended { grants, .. } => self.take_ended(letter.signer, grants, report).await,
            Message::Purged { grants } => self.take_purged(letter.signer, grants),
        }
    }

    /// The contact of an own address, if it is who signed.
    fn contact_that_signed(
        &self,
        own: &OwnAddress,
        signer: Address,
        what: &'static str,
    ) -> Result<Contact, JourneyError> {
        let contact = self.contact(own.id())?;
        if contact.party.first_address() == signer {
            return Ok(contact);
        }
        Err(JourneyError::Untrusted {
            what,
            why: "it is not from the contact of this address".into(),
        })
    }

    fn take_request(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        request: AccessRequest,
    ) -> Result<Vec<Change>, JourneyError> {
        let contact = self.contact_that_signed(own, letter.signer, "access request")?;
        for (reader, binding) in &request.readers {
            self.check_binding(contact.party, *reader, binding)?;
        }
        let pending = PendingRequest {
            own: own.id(),
            id: letter.id,
            name: contact.name,
            request,
        };
        Ok(vec![change(table::REQUESTS, &letter.id, &pending)])
    }

    /// More reader addresses of a contact.
    fn take_readers(
        &self,
        own: &OwnAddress,
        signer: Address,
        readers: &[(Address, Binding)],
    ) -> Result<Vec<Change>, JourneyError> {
        let mut contact = self.contact_that_signed(own, signer, "letter")?;
        for (reader, binding) in readers {
            self.check_binding(contact.party, *reader, binding)?;
            if contact.unused.iter().all(|(known, _)| known != reader) {
                contact.unused.push((*reader, binding.clone()));
            }
        }
        Ok(vec![change(
            table::CONTACTS,
            own.address.as_bytes(),
            &contact,
        )])
    }

    /// An owner wants more reader addresses.
    async fn send_readers(&self, letter: &Opened, count: u8) -> Result<Vec<Change>, JourneyError> {
        let owner = AccountId::from_first_address(letter.signer);
        let patron = self.patron(owner)?;
        let (readers, mut changes) = self.new_readers(count.min(16).into(), owner).await?;
        let answer = self.compose(
            answer_key(&letter.id),
            &self.account(),
            (letter.signer, &self.key_of(owner).await?),
            &patron.node,
            &Message::MoreReaders { readers },
        )?;
        changes.push(letter_row(&answer));
        Ok(changes)
    }

    /// A write grant that names the own account: after a restore it also brings the pairing back.
    pub(crate) async fn take_write_grant(&self, write: &WriteGrant) -> Result<(), JourneyError> {
        let mut changes = vec![change(table::MAY_WRITE, write.owner.as_bytes(), write)];
        if self.patron(write.owner).is_err() {
            let patron = Patron {
                owner: write.owner,
                sealing_key: self.key_of(write.owner).await?,
                node: self.ports.network.own_node(),
            };
            changes.push(change(table::CONTACTS, write.owner.as_bytes(), &patron));
        }
        Ok(self.ports.vault.apply(changes)?)
    }
}

/// The key of the letter that answers another.
fn answer_key(letter: &[u8; 32]) -> [u8; 32] {
    errand_key("answer", &[letter])
}

/// Keys of the letters that may have answered: they go out once more if the other side asks again.
fn answer_keys(letter: &Opened) -> Vec<[u8; 32]> {
    match &letter.message {
        Message::WantReaders { .. } => vec![answer_key(&letter.id)],
        Message::Ended { grants, .. } => grants
            .iter()
            .map(|grant| errand_key("purged", &[grant.as_bytes()]))
            .collect(),
        _ => Vec::new(),
    }
}
