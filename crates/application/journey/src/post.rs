//! Letters that came (design 11, rows 3, 10, 16): what each does and that it was seen are one step, so a letter that
//! comes twice does nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use medibloc_consent::{Binding, WriteGrant};
use medibloc_record::{AccountId, Address};

use crate::accept::is_temporary;
use crate::caught::caught;
use crate::doors::{Door, Pairing, Tries};
use crate::errand::errand_key;
use crate::grant::{Artefact, PendingRequest, WhyClosed};
use crate::mail::{AccessRequest, Message, Opened};
use crate::outbox::letter_row;
use crate::pairing::{Contact, MOST_UNUSED, Patron};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, Letter, PortError};
use crate::sync::or_later;
use crate::{Invitation, JourneyError, Left, Party, SyncReport, counted};

/// How often a mailbox is asked again by one sync, as long as strangers' letters come.
const ROUNDS: usize = 16;

/// How many requests came, ever.
const REQUESTS_SO_FAR: &[u8] = b"requests";

/// Requests of one contact that wait for the person.
const MOST_REQUESTS: usize = 16;

/// What became of a letter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Took {
    /// It is dealt with.
    Done,
    /// It stays in the mailbox, and is tried again.
    Later,
    /// It has left the mailbox, and waits here for a newer deployment file as far as there is room.
    Waits,
}

impl Party {
    /// Fetches the mailboxes of all own addresses.
    pub(crate) async fn sync_mail(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        // An address that is reserved may not be registered yet: no node has a mailbox for it.
        let reserved: Vec<OwnAddress> = self.rows(table::RESERVED)?;
        let mut own: Vec<OwnAddress> = self.addresses()?;
        own.retain(|own| reserved.iter().all(|other| other.address != own.address));
        let elsewhere = self.elsewhere()?;
        own.retain(|own| !elsewhere.contains(&own.address));
        let account = self.account();
        if self.ports.facts.account(account.id()).await?.is_some() {
            own.push(account);
        }
        let done = self.resume_waiting(report).await;
        or_later(done, report)?;
        let mut doors = self.doors()?;
        for own in own {
            if self.patience.is_called() {
                break;
            }
            let door = doors.of(own.id());
            match self.empty_mailbox(&own, &door, report).await {
                Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                Err(error) => report.later.push(error.to_string()),
                Ok(()) => {}
            }
        }
        self.drop_old_requests(report)
    }

    /// Takes what those sent who may; the rest is removed unread, many at once. What strangers sent may hide more: then
    /// the mailbox is asked again.
    async fn empty_mailbox(
        &self,
        own: &OwnAddress,
        door: &Door,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let network = &self.ports.network;
        let mailbox = network.mailbox(&self.signer(own), &network.own_node());
        let (mut tries, mut looked_at) = (Tries::new(), BTreeSet::new());
        for _ in 0..ROUNDS {
            let (mut good, mut done) = (Vec::new(), Vec::new());
            for letter in mailbox.fetch().await? {
                if letter.recipient == own.address
                    && door.admits(&self.ports.domain, &letter, &mut tries)
                {
                    good.push(letter);
                } else {
                    done.push(letter.id);
                }
            }
            let strangers = done.len();
            report.strangers += strangers;
            let mut opened = Vec::new();
            for letter in good {
                // A contact may send as many as fit, and each asks the chain: what is not opened now stays in the mailbox.
                if self.patience.is_called() {
                    break;
                }
                if !looked_at.insert((letter.sender, letter.id)) {
                    continue;
                }
                match caught("letter", self.open_letter(own, &letter)).await {
                    Ok(open) => opened.push((open, letter)),
                    Err(error) if is_temporary(&error) => report.later.push(error.to_string()),
                    Err(error) => {
                        report.later.push(error.to_string());
                        done.push(letter.id);
                    }
                }
            }
            // A card first: what else its sender says is understood only after it.
            opened.sort_by_key(|(open, _)| !matches!(open.message, Message::Card(_)));
            for letter in opened {
                if self.patience.is_called() {
                    break;
                }
                let id = letter.0.id;
                match self.take_letter(own, (&letter.0, &letter.1), report).await {
                    Ok(Took::Done | Took::Waits) => done.push(id),
                    Ok(Took::Later) => {}
                    Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                    Err(error) => report.later.push(error.to_string()),
                }
            }
            if !done.is_empty() {
                mailbox.done_all(&done).await?;
            }
            if strangers == 0 || self.patience.is_called() {
                break;
            }
        }
        Ok(())
    }

    /// A letter that waited for a newer deployment file.
    pub(crate) async fn take_again(
        &self,
        own: &OwnAddress,
        letter: &Letter,
        report: &mut SyncReport,
    ) -> Result<Took, JourneyError> {
        match caught("letter", self.open_letter(own, letter)).await {
            Ok(opened) => self.take_letter(own, (&opened, letter), report).await,
            Err(error) => {
                report.later.push(error.to_string());
                Ok(if is_temporary(&error) {
                    Took::Later
                } else {
                    Took::Done
                })
            }
        }
    }

    async fn take_letter(
        &self,
        own: &OwnAddress,
        (letter, sealed): (&Opened, &Letter),
        report: &mut SyncReport,
    ) -> Result<Took, JourneyError> {
        let seen = seen_key(letter);
        // Homes of before kept the letter's id alone.
        let vault = &self.ports.vault;
        if vault.get(table::SEEN, &seen)?.is_some() || vault.get(table::SEEN, &letter.id)?.is_some()
        {
            for key in answer_keys(letter) {
                if let Some(answer) = self.outgoing(&key)? {
                    self.post(answer).await?;
                }
            }
            return Ok(Took::Done);
        }
        let waits = !matches!(letter.message, Message::Card(_))
            && self
                .row::<Invitation>(table::INVITATIONS, own.address.as_bytes())?
                .is_some();
        if waits {
            report
                .later
                .push("a letter of who was invited waits for the contact card".into());
            return Ok(Took::Later);
        }
        match caught("letter", self.effect_of(own, letter, report)).await {
            Ok(mut changes) => {
                changes.push(change(table::SEEN, &seen, &true));
                self.ports.vault.apply(changes)?;
                report.letters += 1;
            }
            Err(error) if is_temporary(&error) => {
                report.later.push(error.to_string());
                return Ok(Took::Later);
            }
            Err(JourneyError::Outdated { lacks, .. }) => {
                self.keep_waiting(own, (letter, sealed), lacks, report)?;
                return Ok(Took::Waits);
            }
            Err(error) => report.later.push(error.to_string()),
        }
        Ok(Took::Done)
    }

    async fn effect_of(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        report: &mut SyncReport,
    ) -> Result<Vec<Change>, JourneyError> {
        match &letter.message {
            Message::Card(card) => self.take_card(own, letter, card.clone()).await,
            Message::Access(request) => self.take_request(own, letter, request.clone()).await,
            Message::MoreReaders {
                readers,
                credential,
            } => {
                let credential = credential.as_ref();
                self.take_readers(own, letter, readers, credential).await
            }
            Message::WantReaders { count } => self.send_readers(letter, *count).await,
            Message::Ended { grants, .. } => self.take_ended(letter.account, grants, report).await,
            Message::Purged {
                grants,
                records,
                files,
                unknown,
                outputs,
            } => {
                let left = Left {
                    files: *files,
                    unknown: *unknown,
                    outputs: *outputs,
                };
                let mut changes = self
                    .take_purged(letter.account, grants, left, report)
                    .await?;
                let erased = self.take_purged_records(letter.account, records, left, report)?;
                changes.extend(erased);
                Ok(changes)
            }
            Message::Declined { why } => self.take_declined(letter.account, *why, report),
        }
    }

    /// The contact of an own address, if it is who signed.
    fn contact_that_signed(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        what: &'static str,
    ) -> Result<Contact, JourneyError> {
        let contact = self.contact(own.id())?;
        if contact.party == letter.account {
            return Ok(contact);
        }
        Err(JourneyError::Untrusted {
            what,
            why: "it is not from the contact of this address".into(),
        })
    }

    /// A credential of a contact, which the authority may have given since they were paired: it must stand today. Says whether
    /// it is another than before, and the contact's from now on.
    async fn take_credential(
        &self,
        contact: &mut Contact,
        jwt: &str,
    ) -> Result<bool, JourneyError> {
        let Some(account) = contact.card.account else {
            return Ok(false);
        };
        let credential = self.standing_credential(account, jwt).await?;
        if contact.card.credential.as_deref() == Some(jwt) {
            return Ok(false);
        }
        contact.card.credential = Some(jwt.to_owned());
        // The person said yes to a name, not to whatever the account is called later.
        contact.confirmed &= contact.name == credential.name;
        contact.name = credential.name;
        Ok(true)
    }

    async fn take_request(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        request: AccessRequest,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut contact = self.contact_that_signed(own, letter, "access request")?;
        let mut changes = Vec::new();
        // Good when it was paired says nothing of today.
        let newest = request.credential.as_ref();
        let jwt = newest.or(contact.card.credential.as_ref()).cloned();
        match (&jwt, contact.card.account) {
            (Some(jwt), _) if self.take_credential(&mut contact, jwt).await? => {
                changes.push(change(table::CONTACTS, own.address.as_bytes(), &contact));
            }
            // It came back from notes before its credential did.
            (None, Some(account)) => self.stands_today(account).await?,
            _ => {}
        }
        for (reader, binding) in &request.readers {
            self.check_binding(contact.party, *reader, binding).await?;
        }
        let so_far: Option<u64> = self.row(table::CURSOR, REQUESTS_SO_FAR)?;
        let order = so_far.unwrap_or_default().saturating_add(1);
        let id = self.request_name(letter);
        let pending = PendingRequest {
            own: own.id(),
            id,
            name: contact.name,
            request,
            order,
        };
        changes.push(change(table::REQUESTS, &id, &pending));
        changes.push(change(table::CURSOR, REQUESTS_SO_FAR, &order));
        Ok(changes)
    }

    /// Of each contact the newest requests wait for the person.
    fn drop_old_requests(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let mut of: BTreeMap<AccountId, Vec<PendingRequest>> = BTreeMap::new();
        for request in self.requests()? {
            of.entry(request.own).or_default().push(request);
        }
        let (called, mut changes) = (self.names()?, Vec::new());
        for mut requests in of.into_values() {
            requests.sort_by_key(|request| request.order);
            requests.truncate(requests.len().saturating_sub(MOST_REQUESTS));
            let Some(first) = requests.first() else {
                continue;
            };
            report.told.push(format!(
                "{} of {} dropped unanswered: the newest {MOST_REQUESTS} wait",
                counted(requests.len(), "older request"),
                called.told(&first.name, Some(first.own))
            ));
            changes.extend(requests.iter().flat_map(|it| it.close(WhyClosed::Dropped)));
        }
        if changes.is_empty() {
            return Ok(());
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// More reader addresses of a contact.
    async fn take_readers(
        &self,
        own: &OwnAddress,
        letter: &Opened,
        readers: &[(Address, Binding)],
        credential: Option<&String>,
    ) -> Result<Vec<Change>, JourneyError> {
        let mut contact = self.contact_that_signed(own, letter, "letter")?;
        if let Some(jwt) = credential {
            self.take_credential(&mut contact, jwt).await?;
        }
        for (reader, binding) in readers {
            self.check_binding(contact.party, *reader, binding).await?;
            let room = contact.unused.len() < MOST_UNUSED;
            let mut known = contact.unused.iter_mut();
            match known.find(|(known, _)| known == reader) {
                // One of before, which only the contact signed for, is signed for by its own key now.
                Some((_, kept)) => *kept = binding.clone(),
                None if room => contact.unused.push((*reader, binding.clone())),
                None => {}
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
        let owner = letter.account;
        let patron = self.patron(owner)?;
        let (readers, mut changes) = self.more_readers(count.into(), owner).await?;
        let credential = match self.newest_credential().await {
            // One that is older than the chain's counts for nothing; the owner has that of the pairing.
            Err(JourneyError::Untrusted { .. }) => None,
            credential => credential?,
        };
        let answer = self.compose(
            answer_key(letter),
            patron.pairing.as_ref(),
            &self.account(),
            (letter.signer, &self.key_of(owner).await?),
            &patron.node,
            &Message::MoreReaders {
                readers,
                credential,
            },
        )?;
        changes.push(letter_row(&answer));
        Ok(changes)
    }

    /// A write grant that names the own account: after a restore it also brings the pairing back.
    pub(crate) async fn take_write_grant(&self, write: &WriteGrant) -> Result<(), JourneyError> {
        let mut changes = vec![change(table::MAY_WRITE, write.owner.as_bytes(), write)];
        if self.patron(write.owner).is_err() {
            self.may_fetch()?;
            let own = self.own_address(write.author)?;
            let artefact = self.open_write_grant(&own, write).await?;
            if artefact.paired != write.owner {
                return Err(stranger("the permission to write"));
            }
            changes.extend(self.proven(&artefact).await?);
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// A flood of strangers' grants ends here; after a restore nothing is known yet, and all are looked at.
    pub(crate) fn may_fetch(&self) -> Result<(), JourneyError> {
        let spend = |left: u32| left.checked_sub(1);
        let (order, left) = (Ordering::Relaxed, &self.unexplained);
        match left.fetch_update(order, order, spend) {
            Ok(_) => Ok(()),
            Err(_) => Err(JourneyError::Unknown {
                what: "a grant of an unknown giver, one of many,".into(),
                hint: "the next syncs look at them in turn",
            }),
        }
    }

    /// Whether a grant object is of an own pairing: whoever made it knows the key of a pairing that stands here, or, on
    /// a device that was restored, a key with what only this phrase can make of it. Gives the row of a pairing that
    /// comes back.
    pub(crate) async fn proven(&self, artefact: &Artefact) -> Result<Option<Change>, JourneyError> {
        let Some(pairing) = artefact.pairing.as_ref() else {
            return Err(stranger("the grant"));
        };
        let owner = artefact.paired;
        if let Ok(patron) = self.patron(owner) {
            // Both tokens are of one key, or the other side shows what it was not given.
            if patron.pairing.as_ref().map(Pairing::key) != Some(pairing.key()) {
                return Err(stranger("the grant"));
            }
            self.is_listed("grant", &artefact.owner_node)?;
            return Ok(None);
        }
        let (key, token) = (pairing.key(), pairing.token().into_array());
        let inviter = owner.first_address();
        let domain = &self.ports.domain;
        if self.own(owner)?.is_some() || !self.seed.is_pairing_token(&token, domain, inviter, &key)
        {
            return Err(stranger("the grant"));
        }
        self.is_listed("grant", &artefact.owner_node)?;
        let patron = Patron {
            owner,
            sealing_key: self.key_of(owner).await?,
            node: artefact.owner_node.clone(),
            pairing: Some(pairing.clone()),
        };
        Ok(Some(change(table::PATRONS, owner.as_bytes(), &patron)))
    }
}

pub(crate) fn stranger(what: &str) -> JourneyError {
    JourneyError::Untrusted {
        what: "grant",
        why: format!(
            "{what} is not of an owner that this account is paired with; nothing of it is kept"
        ),
    }
}

/// Under which key it is kept that a letter was taken: its id is its sender's choice, so that one of another sender, or to another
/// own address, may have the same.
fn seen_key(letter: &Opened) -> [u8; 32] {
    let (to, from) = (letter.recipient.as_bytes(), letter.account.as_bytes());
    errand_key("seen", &[to, from, &letter.id])
}

/// The key of the letter that answers another.
fn answer_key(letter: &Opened) -> [u8; 32] {
    errand_key("answer", &[&seen_key(letter)])
}

/// Keys of the letters that may have answered: they go out once more if the other side asks again.
fn answer_keys(letter: &Opened) -> Vec<[u8; 32]> {
    match &letter.message {
        Message::WantReaders { .. } => vec![answer_key(letter)],
        Message::Ended { grants, .. } => grants
            .iter()
            .map(|grant| errand_key("purged", &[grant.as_bytes()]))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
