//! One name for one account: a contact that was paired before it had its credential at hand is called as its authority calls it,
//! once it is paired with it and the person confirmed that.

use std::collections::BTreeSet;

use crate::grant::GivenGrant;
use crate::pairing::Contact;
use crate::party::{change, table};
use crate::{JourneyError, Party};

impl Party {
    /// Corrects the names of contacts and consents that were kept without a credential where the same account has been confirmed
    /// with one. The name is taken only if the credential is the one whose digest the chain names.
    ///
    /// # Errors
    /// If the vault fails. A chain that does not answer, or a credential that is not the newest, corrects nothing.
    pub async fn correct_names(&self) -> Result<(), JourneyError> {
        let contacts = self.contacts()?;
        let vouched = |contact: &&Contact| {
            contact.confirmed
                && contact.card.account == Some(contact.party)
                && contact.card.credential.is_some()
        };
        for known in contacts.iter().filter(vouched) {
            let names: BTreeSet<&str> = contacts
                .iter()
                .filter(|contact| contact.party == known.party)
                .filter(|contact| contact.card.credential.is_some())
                .map(|contact| contact.name.as_str())
                .collect();
            let is_wrong = |name: &str| !names.contains(name);
            let mut wrong: Vec<Contact> = contacts.clone();
            wrong.retain(|contact| contact.party == known.party && is_wrong(&contact.name));
            let mut consents = Vec::new();
            for table in [table::GRANTS, table::WRITE_GRANTS] {
                for (key, _) in self.ports.vault.list(table)? {
                    let given: Option<GivenGrant> = self.row(table, &key)?;
                    let given = given.filter(|given| {
                        let artefact = &given.artefact;
                        artefact.party == known.party
                            && artefact.credential.is_none()
                            && is_wrong(&artefact.name)
                    });
                    consents.extend(given.map(|given| (table, key, given)));
                }
            }
            if wrong.is_empty() && consents.is_empty() {
                continue;
            }
            let jwt = known.card.credential.as_deref().unwrap_or_default();
            let Ok(credential) = self.vouched(known.party, jwt).await else {
                continue;
            };
            let mut changes = Vec::new();
            for contact in &mut wrong {
                contact.name.clone_from(&credential.name);
                let row = change(table::CONTACTS, contact.own.as_bytes(), contact);
                changes.push(row);
            }
            for (table, key, given) in &mut consents {
                given.artefact.name.clone_from(&credential.name);
                changes.push(change(table, key, given));
            }
            self.ports.vault.apply(changes)?;
        }
        Ok(())
    }
}
