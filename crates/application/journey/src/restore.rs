//! Restore (design 11, row 18): the phrase and the deployment file are enough. Addresses are found with a gap of
//! 20 registrations; then notes, anchors, objects, consents and contacts come back through the same checks as in sync.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_keys::Phrase;
use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, Digest, GrantId, Role};

use crate::accept::is_missing;
use crate::caught::caught;
use crate::grant::GivenGrant;
use crate::grant::deliver::delivery_key;
use crate::pairing::{Contact, ContactCard};
use crate::party::{ACCOUNT_KEY, AddressUse, OwnAddress, change, table};
use crate::ports::{Change, VaultPort};
use crate::sync::Cursor;
use crate::unopened::opened;
use crate::{JourneyError, Noted, Party, Ports, SyncReport};

mod changes;
mod unfinished;

/// Stands while consents are missing.
const UNFINISHED: &[u8] = b"restore-unfinished";

/// Stands from the first step of a restore until a sync went to its end and nothing was left; whether the addresses were found.
const BEGUN: &[u8] = b"restore-begun";

/// Derivations looked at beyond the last registered one.
const GAP: u32 = 20;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// The public account is registered.
    pub registered: bool,
    /// Addresses found.
    pub addresses: usize,
    /// Consents found.
    pub consents: usize,
    /// Consents that could not be fetched now, with the reason; `sync` goes on with them.
    pub missing: Vec<String>,
    /// Why the credential of an accredited account is not here, and what to do; none if it is, or if there is none.
    pub no_credential: Option<String>,
    /// What came back from notes.
    pub noted: Noted,
    /// Reads of others' records by this phrase of which no note has purpose and end.
    pub unknown_reads: usize,
    /// What the first sync found.
    pub sync: SyncReport,
}

impl RestoreReport {
    /// Whether the chain knows nothing of the phrase: more likely it is the wrong one than a new one.
    pub const fn is_empty(&self) -> bool {
        self.addresses == 0 && !self.registered
    }

    /// What to do if the restore did not bring back everything; none if it did.
    pub fn advice(&self) -> Option<String> {
        if self.is_empty() {
            return Some(
                "no account of this phrase is on this chain. The words are a valid phrase, so there may be nothing to \
                 restore: begin with `medibloc init` if it was never used here. If it was, check that deployment.json \
                 is the one of your node, and compare the words with the paper (one phrase of 256 with a wrong word \
                 looks valid too)"
                    .into(),
            );
        }
        let open = self.open();
        (open > 0).then(|| {
            format!("{open} things could not be fetched; run `medibloc sync` or the same command again, it goes on")
        })
    }

    /// How much is missing.
    pub const fn open(&self) -> usize {
        self.missing.len() + self.sync.later.len() + self.sync.missed.len()
    }
}

impl Party {
    /// Rebuilds an empty vault from a phrase.
    pub async fn restore(
        phrase: &Phrase,
        role: Role,
        ports: Ports,
    ) -> Result<(Self, RestoreReport), JourneyError> {
        Self::new(phrase.seed(), role, ports).restored().await
    }

    /// The same for a party that was made already; goes on where a restore was broken off.
    ///
    /// # Errors
    /// If the chain does not answer or the vault fails. What cannot be fetched now is in the report.
    pub async fn restored(self) -> Result<(Self, RestoreReport), JourneyError> {
        let party = self;
        Self::restore_begins(party.ports.vault.as_ref())?;
        let mut report = RestoreReport {
            registered: party
                .ports
                .facts
                .account(party.account().id())
                .await?
                .is_some(),
            addresses: party.find_addresses().await?,
            ..RestoreReport::default()
        };
        // From the first block on: a home that synced before may lack what an address that it did not know was sent.
        party.ports.vault.apply(vec![
            change(table::CURSOR, UNFINISHED, &true),
            change(table::CURSOR, BEGUN, &true),
            change(table::CURSOR, b"chain", &Cursor::default()),
        ])?;
        party.notes_are_unread().await?;
        let way = party.patience.give_way();
        let noted = &mut report.noted;
        let done = party.read_notes(noted, &mut report.missing).await;
        // Another node that is away holds no consent up.
        let mut away = Vec::new();
        let elsewhere = party.read_notes_elsewhere(noted, &mut away).await;
        report.consents = party.find_consents(&mut report.missing).await?;
        drop(way);
        done.and(elsewhere)?;
        report.sync = party.sync().await?;
        report.sync.later.retain(|told| !away.contains(told));
        report.missing.append(&mut away);
        let reads = party.own_reads().await?;
        let is_unknown = |read: &&crate::OwnRead| read.basis.is_none();
        report.unknown_reads = reads.iter().filter(is_unknown).count();
        let credential = match report.registered {
            true => party.credential_to_show().await.map(drop),
            false => Ok(()),
        };
        report.no_credential = credential.err().map(|error| error.to_string());
        Ok((party, report))
    }

    /// Remembers in a home that it is to be restored: from now on until that is done, its lists say that they are not all. Says
    /// whether it is; one that synced before has all that it had.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn restore_begins(vault: &dyn VaultPort) -> Result<bool, JourneyError> {
        let stands = |key: &[u8]| Ok::<_, JourneyError>(vault.get(table::CURSOR, key)?.is_some());
        if stands(b"chain")? && !stands(BEGUN)? {
            return Ok(false);
        }
        vault.apply(vec![change(table::CURSOR, BEGUN, &false)])?;
        Ok(true)
    }

    pub(crate) async fn credential_at_node(
        &self,
        account: &OwnAddress,
    ) -> Result<bool, JourneyError> {
        let found = self.ports.network.credential(&self.signer(account)).await?;
        Ok(found.is_some())
    }

    pub(crate) async fn find_addresses(&self) -> Result<usize, JourneyError> {
        let account = self.account().id();
        if let Some(facts) = self.ports.facts.account(account).await? {
            self.put(table::CURSOR, ACCOUNT_KEY, &facts.sealing_key.version)?;
            self.follow_signer(&self.account()).await?;
        }
        let (mut index, mut last) = (0, 0);
        let mut found = 0;
        while index <= last + GAP {
            let purpose = if index == 0 {
                AddressUse::Own
            } else {
                AddressUse::Owner
            };
            let own = self.derive(index, purpose);
            if let Some(facts) = self.ports.facts.account(own.id()).await? {
                let known: Option<OwnAddress> =
                    self.row(table::ADDRESSES, own.address.as_bytes())?;
                let is_new = known.is_none();
                let own = OwnAddress {
                    key_version: facts.sealing_key.version,
                    ..known.unwrap_or(own)
                };
                let key = own.address.as_bytes();
                let mut rows = vec![change(table::ADDRESSES, key, &own)];
                if index > 0 && is_new {
                    // The device that made it may live: what was not paired yet is its business.
                    rows.push(change(table::ELSEWHERE, key, &true));
                }
                self.ports.vault.apply(rows)?;
                self.follow_signer(&own).await?;
                (last, found) = (index, found + 1);
            }
            index += 1;
        }
        Ok(found)
    }

    /// One consent that cannot be fetched stops none of the others.
    async fn find_consents(&self, missing: &mut Vec<String>) -> Result<usize, JourneyError> {
        let (events, _) = self.events_from(0).await?;
        let mut found = 0;
        let mut known = BTreeSet::new();
        let accounts = self.own_accounts()?;
        let own: BTreeSet<AccountId> = accounts.keys().copied().collect();
        let written = changes::last_written(&events);
        for (at, event) in &events {
            if !self.concerns(&own, event)? {
                continue;
            }
            if self.patience.is_called() {
                missing.push(
                    "consents that were not fetched yet: it gave way to a command that takes something back"
                        .into(),
                );
                break;
            }
            let taken = async {
                match event {
                    Event::Granted(_) | Event::WriteGranted(_) => self.find_or_note(event).await,
                    _ => self.find_change(*at, event, &written).await.map(|()| false),
                }
            };
            match caught("consent", taken).await {
                Ok(true) => {
                    found += 1;
                    if let Event::Granted(grant) = event {
                        known.insert(grant.id);
                    }
                }
                Ok(false) => {}
                Err(error @ JourneyError::Port(crate::PortError::Vault { .. })) => {
                    return Err(error);
                }
                // It comes no better with the next restore.
                Err(error) if self.keep_unread(&accounts, *at, event, &error)? => {}
                Err(error) => missing.push(error.to_string()),
            }
        }
        self.explain(&events, &known)?;
        if missing.is_empty() {
            self.ports.vault.apply(vec![Change::Delete {
                table: table::CURSOR,
                key: UNFINISHED.to_vec(),
            }])?;
        }
        Ok(found)
    }

    /// Whether an event is about a consent of an own address: those of strangers ask nothing more of the vault.
    pub(crate) fn concerns(
        &self,
        own: &BTreeSet<AccountId>,
        event: &Event,
    ) -> Result<bool, JourneyError> {
        Ok(match event {
            Event::Granted(grant) => own.contains(&grant.owner),
            Event::WriteGranted(write) => own.contains(&write.owner),
            Event::ReaderRevoked { owner, .. }
            | Event::WriteRevoked { owner, .. }
            | Event::AllRevoked { owner } => own.contains(owner),
            Event::Revoked { grant } | Event::Delivered { grant, .. } => {
                let given = self.ports.vault.get(table::GRANTS, grant.as_bytes())?;
                given.is_some()
            }
            _ => false,
        })
    }

    /// Takes back the alarms about reads that a consent explains which came late.
    fn explain(
        &self,
        events: &[(EventRef, Event)],
        known: &BTreeSet<GrantId>,
    ) -> Result<(), JourneyError> {
        let explained = events.iter().filter_map(|(_, event)| match event {
            Event::ReadOpened { receipt, grant, .. } if known.contains(grant) => {
                Some(Change::Delete {
                    table: table::ALARMS,
                    key: receipt.as_bytes().to_vec(),
                })
            }
            _ => None,
        });
        let changes: Vec<Change> = explained.collect();
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Goes on with a restore that could not fetch every consent.
    pub(crate) async fn resume_restore(&self, later: &mut Vec<String>) -> Result<(), JourneyError> {
        if self.is_restoring()? {
            // What else is left to the next sync says nothing of consents.
            let (mut noted, mut missing) = (Noted::default(), Vec::new());
            self.read_notes(&mut noted, &mut missing).await?;
            // The rest of this sync tells of a node that is away.
            self.read_notes_elsewhere(&mut noted, &mut Vec::new())
                .await?;
            self.find_consents(&mut missing).await?;
            later.append(&mut noted.faults);
            later.append(&mut missing);
        }
        Ok(())
    }

    /// Whether consents are still missing.
    pub(crate) fn is_restoring(&self) -> Result<bool, JourneyError> {
        let unfinished: Option<bool> = self.row(table::CURSOR, UNFINISHED)?;
        Ok(unfinished.is_some())
    }

    /// A consent that an own address gave is this phrase's, whichever device gave it: its object opens with the own key. While a
    /// restore is not whole, that fetches them.
    pub(crate) async fn take_own_consent(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        owner: AccountId,
        event: &Event,
    ) -> Result<(), JourneyError> {
        if !own.contains_key(&owner) || self.is_restoring()? {
            return Ok(());
        }
        self.take_unless_here(event).await
    }

    /// The same of an own address, whatever else fetches it.
    pub(crate) async fn take_unless_here(&self, event: &Event) -> Result<(), JourneyError> {
        let (table, id) = match event {
            Event::Granted(grant) => (table::GRANTS, grant.id),
            Event::WriteGranted(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (table::WRITE_GRANTS, id)
            }
            _ => return Ok(()),
        };
        if self.ports.vault.get(table, id.as_bytes())?.is_some() {
            return Ok(());
        }
        self.find_or_note(event).await.map(drop)
    }

    /// A consent, or what the chain says of it if it has ended and nobody has its object.
    async fn find_or_note(&self, event: &Event) -> Result<bool, JourneyError> {
        match self.find_consent(event).await {
            Ok(found) => Ok(found),
            Err(error) => self.unopened_consent(event, error).await.map(|()| false),
        }
    }

    /// A key list that another device of this phrase gave.
    pub(crate) async fn take_own_delivery(
        &self,
        grant: GrantId,
        number: u32,
        digest: Digest,
    ) -> Result<(), JourneyError> {
        let key = delivery_key(grant, number);
        if self.ports.vault.get(table::DELIVERIES, &key)?.is_some() {
            return Ok(());
        }
        let done = self.find_delivery((grant, number), digest).await;
        let given: Option<GivenGrant> = self.row(table::GRANTS, grant.as_bytes())?;
        match (done, given.and_then(|given| given.artefact.grant)) {
            (Err(error), Some(grant)) if is_missing(&error) && self.has_ended(&grant).await? => {
                Ok(())
            }
            (done, _) => done,
        }
    }

    async fn find_consent(&self, event: &Event) -> Result<bool, JourneyError> {
        let (owner, other, id, digest) = match event {
            Event::Granted(grant) => (grant.owner, grant.reader, grant.id, grant.terms.digest),
            Event::WriteGranted(write) => {
                let id = GrantId::derive(write.owner, write.author, write.nonce);
                (write.owner, write.author, id, write.digest)
            }
            _ => return Ok(false),
        };
        let Some(own) = self.own(owner)? else {
            return Ok(false);
        };
        let restored = self.restore_grant(&own, other, id, digest).await;
        let mut artefact = match restored {
            // A node forgets the object of what has ended; the home that gave it noted what it said.
            Err(error) if is_missing(&error) => self.noted_given(id)?.ok_or(error)?,
            restored => restored?,
        };
        let table = match event {
            Event::WriteGranted(write) => {
                artefact.write = Some(*write);
                table::WRITE_GRANTS
            }
            Event::Granted(grant) => {
                artefact.grant = Some(grant.clone());
                table::GRANTS
            }
            _ => return Ok(false),
        };
        // One that is known here knows more: addresses that were not used yet.
        let known = self.contact(artefact.paired).ok();
        let contact = known.unwrap_or(Contact {
            own: artefact.paired,
            party: artefact.party,
            card: ContactCard::restored(
                artefact.account,
                artefact.credential.clone(),
                artefact.node.clone(),
            ),
            name: artefact.name.clone(),
            confirmed: true,
            unused: Vec::new(),
            pairing: artefact.pairing.clone(),
        });
        let mut changes = self.explained_by(id)?;
        changes.extend([
            change(table::CONTACTS, contact.own.as_bytes(), &contact),
            change(table, id.as_bytes(), &GivenGrant::new(owner, artefact)),
            opened(id),
        ]);
        self.ports.vault.apply(changes)?;
        Ok(true)
    }
}
