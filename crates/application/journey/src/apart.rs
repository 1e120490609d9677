//! Steps whose state lies apart from their caller's: made in place they would all stand on the stack of whichever command takes them.

use core::pin::Pin;

use medibloc_ledger::Outcome;

use crate::errand::Errand;
use crate::{JourneyError, Party, SyncReport};

/// A step apart.
type Apart<'a, T> = Pin<Box<dyn Future<Output = Result<T, JourneyError>> + Send + 'a>>;

impl Party {
    /// [`Party::before_it_leaves`] apart from its caller, whose state is on the stack.
    pub(crate) fn asked_before_it_leaves<'a>(
        &'a self,
        errand: &'a mut Errand,
    ) -> Apart<'a, Option<Outcome>> {
        Box::pin(self.before_it_leaves(errand))
    }

    /// [`Party::hear_of_what_waits`] apart from the sync.
    pub(crate) fn hear_first<'a>(&'a self, report: &'a mut SyncReport) -> Apart<'a, ()> {
        Box::pin(self.hear_of_what_waits(report))
    }

    /// [`Party::tell_every_node`] apart from the sync of notes.
    pub(crate) fn tell_every_node_apart<'a>(&'a self, report: &'a mut SyncReport) -> Apart<'a, ()> {
        Box::pin(self.tell_every_node(report))
    }

    /// [`Party::tell_taken_back`] apart from the look at the chain.
    pub(crate) fn tell_taken_back_apart(&self) -> Apart<'_, ()> {
        Box::pin(self.tell_taken_back())
    }

    /// [`Party::go_on`] apart from its caller, which is itself.
    pub(crate) fn go_on_with_end(&self, end: Errand) -> Apart<'_, Outcome> {
        Box::pin(self.go_on(end))
    }
}
