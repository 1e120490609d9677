//! What acting at once shows to whoever watches the chain. The agent says it before it signs.

use std::collections::BTreeSet;

use medibloc_record::AccountId;

use crate::pace::plan::{Sooner, is_wanted};
use crate::{HeldGrant, JourneyError, Party};

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
}

impl core::fmt::Display for Haste {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Together { addresses } => write!(
                f,
                "{addresses} of your addresses act at the same time: whoever watches the chain learns that they belong \
                 to one person, and cannot be made to forget it"
            ),
            Self::Hour { .. } => write!(
                f,
                "the hour of it is seen by whoever watches the chain, and hints at who reads"
            ),
        }
    }
}

impl Party {
    /// What [`Party::bring_forward`] would show.
    pub fn haste(&self, what: &Sooner) -> Result<Vec<Haste>, JourneyError> {
        let wanted = self.wanted(what)?;
        let errands = self.errands()?.into_iter();
        let own = errands
            .filter(|errand| errand.is_unsent() && is_wanted(what, errand, &wanted))
            .map(|errand| errand.own)
            .collect();
        Ok(together(&own))
    }

    /// What reading these records at once would show.
    pub fn haste_of_reading(
        &self,
        records: &[medibloc_record::RecordId],
    ) -> Result<Vec<Haste>, JourneyError> {
        let held = self.held()?;
        let opens = |held: &&HeldGrant| {
            held.ended.is_none()
                && held
                    .keys
                    .iter()
                    .any(|key| records.contains(&key.anchor.record_id()))
        };
        let own: BTreeSet<AccountId> = held.iter().filter(opens).map(|held| held.own).collect();
        let mut shown = together(&own);
        if !own.is_empty() {
            shown.push(Haste::Hour {
                addresses: own.len(),
            });
        }
        Ok(shown)
    }
}

fn together(own: &BTreeSet<AccountId>) -> Vec<Haste> {
    let addresses = own.len();
    match addresses {
        0 | 1 => Vec::new(),
        _ => vec![Haste::Together { addresses }],
    }
}
