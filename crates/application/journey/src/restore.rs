//! Restore (design 11, row 18): the phrase and the deployment file are enough. Addresses are found with a gap of
//! 20 registrations; then anchors, objects, consents and contacts come back through the same checks as in sync.

use medibloc_keys::Phrase;
use medibloc_ledger::Event;
use medibloc_record::{AccountId, GrantId, Role};

use crate::grant::GivenGrant;
use crate::pairing::{Contact, ContactCard};
use crate::party::{AddressUse, table};
use crate::{JourneyError, Party, Ports, SyncReport};

/// Derivations looked at beyond the last registered one.
const GAP: u32 = 20;

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Addresses found.
    pub addresses: usize,
    /// Consents found.
    pub consents: usize,
    /// What the first sync found.
    pub sync: SyncReport,
}

impl Party {
    /// Rebuilds an empty vault from a phrase.
    pub async fn restore(
        phrase: &Phrase,
        role: Role,
        ports: Ports,
    ) -> Result<(Self, RestoreReport), JourneyError> {
        let party = Self::new(phrase.seed(), role, ports);
        let mut report = RestoreReport {
            addresses: party.find_addresses().await?,
            ..RestoreReport::default()
        };
        report.consents = party.find_consents().await?;
        report.sync = party.sync().await?;
        Ok((party, report))
    }

    async fn find_addresses(&self) -> Result<usize, JourneyError> {
        let (mut index, mut last) = (0, 0);
        let mut found = 0;
        while index <= last + GAP {
            let purpose = if index == 0 {
                AddressUse::Own
            } else {
                AddressUse::Owner
            };
            let own = self.derive(index, purpose);
            if self.ports.facts.account_of(own.address).await?.is_some() {
                self.put(table::ADDRESSES, own.address.as_bytes(), &own)?;
                (last, found) = (index, found + 1);
            }
            index += 1;
        }
        Ok(found)
    }

    async fn find_consents(&self) -> Result<usize, JourneyError> {
        let (events, _) = self.events_from(0).await?;
        let mut found = 0;
        for (_, event) in events {
            let (owner, other, id, digest) = match &event {
                Event::Granted(grant) => (grant.owner, grant.reader, grant.id, grant.terms.digest),
                Event::WriteGranted(write) => {
                    let id = GrantId::derive(write.owner, write.author, write.nonce);
                    (write.owner, write.author, id, write.digest)
                }
                Event::Revoked { grant } => {
                    self.mark_revoked(*grant)?;
                    continue;
                }
                Event::AllRevoked { owner } => {
                    self.mark_all_revoked(*owner)?;
                    continue;
                }
                _ => continue,
            };
            let Some(own) = self.own(owner)? else {
                continue;
            };
            let mut artefact = self.restore_grant(&own, other, id, digest).await?;
            let table = match event {
                Event::Granted(grant) => {
                    artefact.grant = Some(grant);
                    table::GRANTS
                }
                Event::WriteGranted(write) => {
                    artefact.write = Some(write);
                    table::WRITE_GRANTS
                }
                _ => continue,
            };
            let contact = Contact {
                own: owner,
                card: ContactCard::restored(artefact.account, artefact.node.clone()),
                name: artefact.name.clone(),
                confirmed: true,
                unused: Vec::new(),
            };
            self.put(table::CONTACTS, owner.as_bytes(), &contact)?;
            self.put(
                table,
                id.as_bytes(),
                &GivenGrant {
                    own: owner,
                    artefact,
                    revoked: false,
                },
            )?;
            found += 1;
        }
        Ok(found)
    }

    fn mark_revoked(&self, id: GrantId) -> Result<(), JourneyError> {
        if let Some(mut given) = self.row::<GivenGrant>(table::GRANTS, id.as_bytes())? {
            given.revoked = true;
            self.put(table::GRANTS, id.as_bytes(), &given)?;
        }
        Ok(())
    }

    fn mark_all_revoked(&self, owner: AccountId) -> Result<(), JourneyError> {
        for (id, given) in self.grants()? {
            if given.own == owner {
                self.mark_revoked(id)?;
            }
        }
        Ok(())
    }
}
