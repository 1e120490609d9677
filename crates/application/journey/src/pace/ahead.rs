//! Addresses registered ahead: one by one, at random times, as plain persons. An address that is registered when it is
//! needed shows by its time what it is for; a run of them shows that they belong together.

use medibloc_ledger::Call;
use medibloc_record::{AccountId, Role};

use crate::errand::{Luggage, errand_key, gone};
use crate::party::{AddressUse, OwnAddress, change, table};
use crate::{JourneyError, Party};

/// The key of the errand that registers an address ahead.
pub(crate) fn register_key(own: AccountId) -> [u8; 32] {
    errand_key("register", &[own.as_bytes()])
}

impl Party {
    /// What stands ready for use: owners' addresses for a person, readers' for everybody else.
    const fn spare(&self) -> AddressUse {
        match self.role() {
            Role::Person => AddressUse::Owner,
            _ => AddressUse::Reader { owner: None },
        }
    }

    /// Fills up the addresses that are registered ahead; each is registered by an errand of its own.
    pub(crate) async fn keep_ahead(&self) -> Result<(), JourneyError> {
        let purpose = self.spare();
        let mut ready: Vec<OwnAddress> = self.rows(table::RESERVED)?;
        ready.retain(|own| own.purpose == purpose);
        let missing = self.ports.pace.ahead.saturating_sub(ready.len());
        if self.ports.pace.is_now() {
            return Ok(());
        }
        let (now, within) = (self.ports.clock.now(), self.ports.pace.register_within);
        let mut dues: Vec<_> = (0..missing)
            .map(|_| now.plus(self.ports.up_to(within)))
            .collect();
        // In the order of their indices: a restore looks only so far beyond the last one that is registered.
        dues.sort();
        for (next, due) in (self.next_index()?..).zip(dues) {
            let own = self.derive(next, purpose.clone());
            let rows = vec![
                change(table::ADDRESSES, own.address.as_bytes(), &own),
                change(table::RESERVED, own.address.as_bytes(), &own),
                change(table::SENT_REGISTRATIONS, own.address.as_bytes(), &true),
            ];
            let call = Call::Register {
                role: Role::Person,
                sealing_key: self.sealing(&own).public().key,
            };
            let what = "registration of a spare address".to_owned();
            let luggage = Luggage {
                rows,
                ..Luggage::default()
            };
            let (key, due) = (register_key(own.id()), self.in_half_of(next, due));
            self.keep_errand(Some(due), key, what, own.id(), call, luggage)
                .await?;
        }
        Ok(())
    }

    /// Spare addresses for a use: those that are registered already first.
    pub(crate) fn spares(
        &self,
        count: usize,
        purpose: &AddressUse,
    ) -> Result<Vec<OwnAddress>, JourneyError> {
        let mut fresh: Vec<OwnAddress> = self.rows(table::RESERVED)?;
        let spare = self.spare();
        let fits = |own: &OwnAddress| {
            own.purpose == *purpose
                || own.purpose == spare
                    && matches!(
                        (&spare, purpose),
                        (AddressUse::Reader { .. }, AddressUse::Reader { .. })
                    )
        };
        fresh.retain(fits);
        let mut sorted = Vec::with_capacity(fresh.len());
        for own in fresh {
            let waits = self.errand(&register_key(own.id()))?.is_some();
            sorted.push((own.purpose != *purpose, waits, own.index, own));
        }
        sorted.sort_by_key(|(spare, waits, index, _)| (*spare, *waits, *index));
        let mut fresh: Vec<OwnAddress> = sorted.into_iter().map(|(.., own)| own).collect();
        fresh.truncate(count);
        for own in &mut fresh {
            if own.purpose != *purpose {
                own.purpose = purpose.clone();
                self.ports.vault.apply(vec![
                    change(table::ADDRESSES, own.address.as_bytes(), own),
                    change(table::RESERVED, own.address.as_bytes(), own),
                ])?;
            }
        }
        Ok(fresh)
    }

    /// An address that is needed now: what registers it later is not needed any more.
    pub(crate) fn registered(&self, own: &OwnAddress) -> Result<(), JourneyError> {
        let key = register_key(own.id());
        if self.errand(&key)?.is_some() {
            self.ports.vault.apply(vec![gone(&key)])?;
        }
        Ok(())
    }
}
