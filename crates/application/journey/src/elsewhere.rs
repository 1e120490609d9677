//! Several devices with one phrase: addresses that another device registered are known here from the chain, so that none
//! is used twice and what is anchored for them is kept here too. Registering is the lock: an index belongs to the device
//! whose registration the chain took.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_ledger::Event;
use medibloc_record::{AccountId, Address};

use crate::errand::gone;
use crate::pace::register_key;
use crate::party::{AddressUse, OwnAddress, change, table, used};
use crate::{JourneyError, Party};

/// Derivations looked at beyond the last that is known; the same gap as a restore's.
const AHEAD: u32 = 20;

/// Addresses that another device may register next.
pub(crate) struct Ahead {
    next: u32,
    known: BTreeMap<AccountId, u32>,
}

impl Party {
    pub(crate) fn ahead(&self) -> Result<Ahead, JourneyError> {
        let own: BTreeSet<u32> = self
            .addresses()?
            .iter()
            .filter_map(|own| own.index)
            .collect();
        let next = own.last().map_or(0, |last| last.saturating_add(1));
        let mut ahead = Ahead {
            next,
            known: BTreeMap::new(),
        };
        self.look_ahead(&mut ahead, AHEAD);
        // Indices are not registered in their order: the address of the person's own records, 0, is with its first record,
        // and one that is planned waits for its time.
        for index in (0..next).filter(|index| !own.contains(index)) {
            let skipped = self.derive(index, AddressUse::Owner);
            ahead.known.insert(skipped.id(), index);
        }
        Ok(ahead)
    }

    fn look_ahead(&self, ahead: &mut Ahead, count: u32) {
        for _ in 0..count {
            let own = self.derive(ahead.next, AddressUse::Owner);
            ahead.known.insert(own.id(), ahead.next);
            ahead.next = ahead.next.saturating_add(1);
        }
    }

    /// An address of this phrase that another device registered is an own address from then on.
    pub(crate) fn take_registered(
        &self,
        ahead: &mut Ahead,
        own: &mut BTreeMap<AccountId, OwnAddress>,
        event: &Event,
    ) -> Result<(), JourneyError> {
        let Event::Registered { account, .. } = event else {
            return Ok(());
        };
        if let Some(spare) = own.get(account)
            && self
                .errand(&register_key(*account))?
                .is_some_and(|errand| errand.is_unsent())
            && let Some(index) = spare.index
        {
            // It was to be registered here later; another device was first.
            self.note_elsewhere(index)?;
            return Ok(self
                .ports
                .vault
                .apply(vec![used(spare.address), gone(&register_key(*account))])?);
        }
        let Some(index) = ahead.known.remove(account) else {
            return Ok(());
        };
        // As far beyond the last one that is registered as a restore looks.
        let beyond = index.saturating_add(AHEAD + 1).saturating_sub(ahead.next);
        self.look_ahead(ahead, beyond);
        if own.contains_key(account) {
            return Ok(());
        }
        let address = self.note_elsewhere(index)?;
        own.insert(address.id(), address);
        Ok(())
    }

    /// Keeps an address as own and as another device's.
    pub(crate) fn note_elsewhere(&self, index: u32) -> Result<OwnAddress, JourneyError> {
        let purpose = match index {
            0 => AddressUse::Own,
            _ => AddressUse::Owner,
        };
        let own = self.derive(index, purpose);
        let key = own.address.as_bytes();
        let mut rows = vec![change(table::ADDRESSES, key, &own)];
        if index > 0 {
            // The address of the person's own records is everybody's.
            rows.push(change(table::ELSEWHERE, key, &true));
        }
        self.ports.vault.apply(rows)?;
        Ok(own)
    }

    /// Addresses whose letters are for another device: their invitations are known there alone.
    pub(crate) fn elsewhere(&self) -> Result<BTreeSet<Address>, JourneyError> {
        let mut found = BTreeSet::new();
        for own in self.addresses()? {
            let row = self
                .ports
                .vault
                .get(table::ELSEWHERE, own.address.as_bytes())?;
            if row.is_some() {
                found.insert(own.address);
            }
        }
        if found.is_empty() {
            return Ok(found);
        }
        for contact in self.contacts()? {
            found.remove(&contact.own.first_address());
        }
        for held in self.held()? {
            found.remove(&held.own.first_address());
        }
        Ok(found)
    }
}
