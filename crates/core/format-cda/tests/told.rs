//! The account says of each fact what became of it, and no element has a fact that the source does not have.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "told/allergy.rs"]
mod allergy;
#[path = "told/author.rs"]
mod author;
#[path = "shared/document.rs"]
mod document;
#[path = "told/family.rs"]
mod family;
#[path = "told/none.rs"]
mod none;
#[path = "told/number.rs"]
mod number;
#[path = "told/reason.rs"]
mod reason;
#[path = "told/sig.rs"]
mod sig;
#[path = "told/time.rs"]
mod time;

use medibloc_record::{Draft, EntryOutcome};

/// What became of the facts whose path ends so.
fn fates(draft: &Draft, end: &str) -> Vec<EntryOutcome> {
    let lines = draft.loss.entries.iter();
    let found = lines.filter(|line| draft.loss.path(line).ends_with(end));
    found.map(|line| line.outcome).collect()
}
