//! What a keeper lacks: it may have begun anew, or from an older copy.

use std::sync::PoisonError;

use super::Shell;
use crate::figures;

impl Shell {
    /// Tells how many shares are here, and of how many records that stand in a committee with this place none is. Whoever accepts
    /// own records and gives no shares is counted, too.
    pub(super) fn missing(&self, to: &mut String) {
        let index = self.core.identity().index;
        let standing = self.follower.read(|model| model.standing_of(index));
        let state = self.core.state.lock();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        // None after a failed write, until it is loaded again.
        let Some(state) = state.as_ref() else {
            return;
        };
        let missing = standing.iter().filter(|record| !state.has_share(record));
        let missing = missing.count();
        figures::gauge(
            to,
            "medibloc_shares",
            "Shares that are here.",
            state.share_count(),
        );
        figures::gauge(
            to,
            "medibloc_shares_missing",
            "Records that their owners accepted, of committees with this keeper, whose share is not here.",
            missing,
        );
    }
}
