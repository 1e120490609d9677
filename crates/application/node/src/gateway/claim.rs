//! Who has a claim on a block, and whose claim an erasure ends. Only facts of the chain, packages and who brought the
//! bytes count, never what came first to this node (docs/adr/0014).

use std::collections::BTreeSet;

use medibloc_record::AccountId;

use crate::chain::{Model, Object, RecordEntry};

/// One claim on a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) object: Object,
    /// Who answers for it brought the block: a digest is public, and naming one gives nothing.
    is_backed: bool,
}

impl Claim {
    /// The claim of what leads to a block, if somebody of its own brought the block; who did is in order.
    pub(super) fn of(object: Object, uploaders: &[AccountId], model: &Model) -> Option<Self> {
        if !model.is_brought(uploaders, object) {
            return None;
        }
        let entry = object.record().and_then(|id| model.record(id));
        // An owner does not answer for what a stranger made it the owner of.
        let is_backed = entry.is_none_or(|entry| {
            let RecordEntry { anchor, .. } = entry;
            let brought = |account| uploaders.binary_search(account).is_ok();
            brought(&anchor.author) || (entry.accepted && brought(&anchor.owner))
        });
        Some(Self { object, is_backed })
    }

    /// Which of a block's claims, in the chain's order, stand against every erasure.
    pub(super) fn kept(claims: &[Self], model: &Model) -> Vec<Self> {
        let erased = Erased::among(claims, model);
        let claims = claims.iter().enumerate();
        let kept = claims.filter(|(at, claim)| claim.is_backed && erased.leaves(*at, claim, model));
        kept.map(|(_, claim)| *claim).collect()
    }

    /// Whether an erasure took the block away.
    pub(super) fn is_gone(claims: &[Self], model: &Model) -> bool {
        let mut records = claims.iter().filter_map(|claim| claim.object.record());
        records.any(|id| model.is_erased(id)) && Self::kept(claims, model).is_empty()
    }
}

/// The erased records that lead to one block.
struct Erased {
    /// The place of the first one's claim.
    first: usize,
    /// Who wrote one of them for somebody else.
    givers: BTreeSet<AccountId>,
    /// Its owner had accepted one of them.
    was_accepted: bool,
}

impl Erased {
    fn among(claims: &[Claim], model: &Model) -> Self {
        let mut all = Self {
            first: usize::MAX,
            givers: BTreeSet::new(),
            was_accepted: false,
        };
        for (at, claim) in claims.iter().enumerate() {
            let entry = claim.object.record().and_then(|id| model.record(id));
            let Some(entry) = entry.filter(|entry| entry.erased) else {
                continue;
            };
            all.first = all.first.min(at);
            all.was_accepted |= entry.accepted;
            if entry.anchor.author != entry.anchor.owner {
                all.givers.insert(entry.anchor.author);
            }
        }
        all
    }

    /// Whether a claim stands against all of them: the rows of docs/adr/0014.
    fn leaves(&self, at: usize, claim: &Claim, model: &Model) -> bool {
        let is_first = at < self.first;
        let Some(record) = claim.object.record() else {
            let giver = model.giver(claim.object);
            return is_first && giver.is_some_and(|giver| !self.givers.contains(&giver));
        };
        let Some(entry) = model.record(record).filter(|entry| !entry.erased) else {
            return false;
        };
        let owner = entry.anchor.owner;
        if self.givers.contains(&owner) {
            // Who gave a record away keeps nothing of it for itself.
            false
        } else if owner == entry.anchor.author {
            is_first
        } else {
            entry.accepted || (is_first && !self.was_accepted)
        }
    }
}
