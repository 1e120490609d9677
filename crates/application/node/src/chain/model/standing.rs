//! Which records need a keeper's share.

use medibloc_record::RecordId;

use super::{Model, RecordEntry};

impl Model {
    /// Records that their owners accepted and that are not erased, of committees that have this place.
    pub(crate) fn standing_of(&self, index: u8) -> Vec<RecordId> {
        let stands = |entry: &RecordEntry| {
            let committee = self.committee_at(entry.block);
            let has_place = committee.is_some_and(|of| index <= of.threshold.n());
            entry.accepted && !entry.erased && has_place
        };
        let all = self.records.iter();
        all.filter(|(_, entry)| stands(entry))
            .map(|(id, _)| *id)
            .collect()
    }
}
