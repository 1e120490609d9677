//! What contacts are called wherever a line names one: by name, and by the address that they were paired with where two of them
//! share it.

use std::collections::BTreeSet;

use medibloc_record::AccountId;

use crate::{Contact, GivenGrant, JourneyError, Party};
use medibloc_record::{compared, on_one_line};

/// Names of contacts: what two of them share says nothing without the address that it was paired with.
#[derive(Clone, Debug, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    fn of(contacts: Vec<Contact>) -> Self {
        let mut seen = BTreeSet::new();
        let names = contacts.into_iter().map(|contact| key(&contact.name));
        Self(names.filter(|name| !seen.insert(name.clone())).collect())
    }

    /// A contact by its name on one line, and by its own address if another has the name, too.
    pub fn told(&self, name: &str, own: Option<AccountId>) -> String {
        let shown = match on_one_line(name) {
            shown if shown.is_empty() => "(a name that shows nothing)".to_owned(),
            shown => shown,
        };
        match own.filter(|_| self.0.contains(&key(name))) {
            Some(own) => format!("{shown} (contact {})", &own.to_string()[..12]),
            None => shown,
        }
    }

    /// A contact.
    pub fn contact(&self, contact: &Contact) -> String {
        self.told(&contact.name, Some(contact.own))
    }

    /// Whom a consent was given to.
    pub fn given(&self, given: &GivenGrant) -> String {
        self.told(&given.artefact.name, Some(given.artefact.paired))
    }
}

/// A name as it is compared: what nobody sees makes no other.
fn key(name: &str) -> String {
    compared(&on_one_line(name))
}

impl Party {
    /// What the contacts of this home are called in lines.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn names(&self) -> Result<Names, JourneyError> {
        Ok(Names::of(self.contacts()?))
    }

    /// The contact that has this account or gave this reader address, as lines name it; none if none here has it.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn called(&self, account: AccountId) -> Result<Option<String>, JourneyError> {
        let called = self.names()?;
        let found = self.contact_of(account)?;
        Ok(found.map(|found| called.told(&found.name, Some(found.paired))))
    }

    /// The contact that has this account or gave this reader address.
    pub(crate) fn contact_of(&self, account: AccountId) -> Result<Option<Whose>, JourneyError> {
        for contact in self.contacts()? {
            let has = |(_, binding): &(_, medibloc_consent::Binding)| binding.reader == account;
            if contact.party == account || contact.unused.iter().any(has) {
                return Ok(Some(Whose {
                    name: contact.name,
                    paired: contact.own,
                    party: Some(contact.party),
                }));
            }
        }
        for request in self.requests()? {
            let readers = &request.request.readers;
            if readers.iter().any(|(_, binding)| binding.reader == account) {
                return Ok(Some(Whose {
                    party: self.contact(request.own).ok().map(|it| it.party),
                    name: request.name,
                    paired: request.own,
                }));
            }
        }
        for (_, given) in self.grants()? {
            let grant = given.artefact.grant.as_ref();
            if grant.is_some_and(|grant| grant.reader == account) {
                return Ok(Some(Whose {
                    name: given.artefact.name,
                    paired: given.artefact.paired,
                    party: Some(given.artefact.party),
                }));
            }
        }
        Ok(None)
    }
}

/// Whose an account or a reader address is.
pub(crate) struct Whose {
    name: String,
    /// The own address that the contact was paired with.
    paired: AccountId,
    /// The contact's account, as far as it is known.
    pub(crate) party: Option<AccountId>,
}
