//! What acting at once shows to whoever watches the chain. The agent says it before it signs.

use std::collections::BTreeSet;

use medibloc_record::{AccountId, Timestamp};

use crate::grant::READERS;
use crate::pace::ahead::register_key;
use crate::pace::plan::{Sooner, is_wanted};
use crate::party::{AddressUse, OwnAddress, table};
use crate::{JourneyError, Party};

/// What haste shows; nothing is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Haste {
    /// So many own addresses act within the same minutes: they most likely belong to one person, for ever.
    Together {
        /// How many.
        addresses: usize,
    },
    /// An address of this reader acts while its public account is at work: the hour hints at whose it is.
    Hour {
        /// How many reader addresses act.
        addresses: usize,
    },
    /// A permission to write names who may write beside the own address, on the chain, for ever.
    Treated,
    /// None of the addresses that are registered ahead is left: so many are registered now, one after the other.
    Registered {
        /// How many.
        addresses: usize,
    },
}

impl core::fmt::Display for Haste {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Together { addresses } => write!(
                f,
                "{addresses} of your addresses act at the same time: whoever watches the chain learns that they belong \
                 to one person, and cannot be made to forget it"
            ),
            Self::Treated => write!(
                f,
                "the chain shows for ever that this address of yours is written for by this provider, and the hour of it hints \
                 at who is treated there"
            ),
            Self::Hour { .. } => write!(
                f,
                "the hour of it is seen by whoever watches the chain, and hints at who reads"
            ),
            Self::Registered { addresses } => write!(
                f,
                "too few addresses are left that were registered ahead: {addresses} more are registered at this hour, \
                 which shows whoever watches the chain that they belong together, and hints at who asks"
            ),
        }
    }
}

impl Party {
    /// What [`Party::bring_forward`] would show.
    pub fn haste(&self, what: &Sooner) -> Result<Vec<Haste>, JourneyError> {
        let wanted = self.wanted(what)?;
        let errands = self.errands()?.into_iter();
        let own: BTreeSet<AccountId> = errands
            .filter(|errand| errand.is_unsent() && is_wanted(what, errand, &wanted))
            .map(|errand| errand.own)
            .collect();
        Ok(together(own.len()))
    }

    /// What reading these records at once would show; nothing to a pace that puts nothing off, whose owner said so.
    pub fn haste_of_reading(
        &self,
        records: &[medibloc_record::RecordId],
    ) -> Result<Vec<Haste>, JourneyError> {
        if self.ports.pace.is_now() {
            return Ok(Vec::new());
        }
        let mut own: BTreeSet<AccountId> = BTreeSet::new();
        for record in records {
            own.extend(self.openers(*record)?.iter().map(|(held, _)| held.own));
        }
        let mut shown = together(own.len());
        if !own.is_empty() {
            shown.push(Haste::Hour {
                addresses: own.len(),
            });
        }
        Ok(shown)
    }

    /// What a permission to write shows that goes at once; nothing to a pace that puts nothing off, whose owner said so.
    pub fn haste_of_permitting(&self) -> Vec<Haste> {
        match self.ports.pace.is_now() {
            true => Vec::new(),
            false => vec![Haste::Treated],
        }
    }

    /// What it would show if these addresses did now what no pace puts off (erase, take back, change a sealing key), beside
    /// those that did so within the pace's delay; nothing to a pace that puts nothing off.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn haste_of_acting(&self, now: &[AccountId]) -> Result<Vec<Haste>, JourneyError> {
        if self.ports.pace.is_now() {
            return Ok(Vec::new());
        }
        let since = self
            .ports
            .clock
            .now()
            .0
            .saturating_sub(self.ports.pace.delay);
        let mut own: BTreeSet<AccountId> = now.iter().copied().collect();
        for (key, at) in self.keyed_rows::<Timestamp>(table::AT_ONCE)? {
            if at.0 >= since
                && let Ok(bytes) = key.try_into()
            {
                own.insert(AccountId::new(bytes));
            }
        }
        Ok(together(own.len()))
    }

    /// What erasing this record now would show.
    ///
    /// # Errors
    /// If it is not known here, or the vault fails.
    pub fn haste_of_erasing(
        &self,
        record: medibloc_record::RecordId,
    ) -> Result<Vec<Haste>, JourneyError> {
        self.haste_of_acting(&[self.kept_or_anchored(record)?.anchor.owner])
    }

    /// What asking this owner at once would show, beside that the hour of a letter is seen by its mailbox.
    pub fn haste_of_asking(&self, owner: AccountId) -> Result<Vec<Haste>, JourneyError> {
        if self.ports.pace.is_now() {
            return Ok(Vec::new());
        }
        let offered = self.offered_to(owner)?.len();
        let reserved: Vec<OwnAddress> = self.rows(table::RESERVED)?;
        let mut ready = 0;
        for own in reserved {
            let fits = match own.purpose {
                AddressUse::Reader { owner: None } => true,
                AddressUse::Reader { owner: Some(of) } => of == owner,
                _ => false,
            };
            ready += usize::from(fits && self.errand(&register_key(own.id()))?.is_none());
        }
        let addresses = usize::from(READERS).saturating_sub(offered + ready);
        Ok(match addresses {
            0 => Vec::new(),
            _ => vec![Haste::Registered { addresses }],
        })
    }
}

pub(crate) fn together(addresses: usize) -> Vec<Haste> {
    match addresses {
        0 | 1 => Vec::new(),
        _ => vec![Haste::Together { addresses }],
    }
}
