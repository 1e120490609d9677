//! Reader addresses of own consents that only the chain tells of: another device of the phrase gave them, and their objects did not
//! come, or were withheld. Nothing of an object is needed to know that its reader address is not another own address's to use.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::{Event, EventRef};
use medibloc_record::{AccountId, GrantId};
use serde::{Deserialize, Serialize};

use super::Cursor;
use crate::party::{OwnAddress, change, table};
use crate::{JourneyError, Party};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct OnChain {
    grant: GrantId,
    reader: AccountId,
    own: AccountId,
}

impl Party {
    /// Asks the chain, from the last sync on, which reader addresses own addresses granted to.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub(crate) async fn learn_readers(&self) -> Result<(), JourneyError> {
        let since: Cursor = self.row(table::CURSOR, b"chain")?.unwrap_or_default();
        let events = self.read_from(since.next).await?.events;
        let mut own = self.own_accounts()?;
        self.take_addresses(&mut own, &events)?;
        self.note_readers(&own, &events)
    }

    /// Keeps what the chain says of consents that are not here, whether or not their objects come.
    pub(super) fn note_readers(
        &self,
        own: &BTreeMap<AccountId, OwnAddress>,
        events: &[(EventRef, Event)],
    ) -> Result<(), JourneyError> {
        let mut rows = Vec::new();
        for (_, event) in events {
            let Event::Granted(given) = event else {
                continue;
            };
            let (grant, reader) = (given.id, given.reader);
            let vault = &self.ports.vault;
            if own.contains_key(&given.owner)
                && vault.get(table::GRANTS, grant.as_bytes())?.is_none()
            {
                let own = given.owner;
                let row = OnChain { grant, reader, own };
                rows.push(change(table::READERS_ON_CHAIN, grant.as_bytes(), &row));
            }
        }
        match rows.is_empty() {
            true => Ok(()),
            false => Ok(self.ports.vault.apply(rows)?),
        }
    }

    /// Consents of own addresses of which the chain told, with the reader address and the own one.
    pub(crate) fn readers_on_chain(
        &self,
    ) -> Result<Vec<(GrantId, AccountId, AccountId)>, JourneyError> {
        let mut readers = Vec::new();
        for row in self.rows::<OnChain>(table::READERS_ON_CHAIN)? {
            readers.push((row.grant, row.reader, row.own));
        }
        // Homes of before kept those alone.
        let own: BTreeSet<AccountId> = self.own_accounts()?.into_keys().collect();
        for (_, event) in self.missed_events()? {
            if let Event::Granted(given) = event
                && own.contains(&given.owner)
            {
                readers.push((given.id, given.reader, given.owner));
            }
        }
        let unopened = self.unopened_consents()?.into_iter();
        readers.extend(unopened.map(|given| (given.id, given.reader, given.owner)));
        Ok(readers)
    }
}
