//! How carefully a document must be shared: the security labels of everything in it.

use medibloc_record::Labels;
use serde_json::Value;

use crate::reader;

/// The labels of a bundle. It is the walk that its owner's home makes of any form that it is given.
pub(crate) fn of(tree: &Value) -> Labels {
    Labels::of_form(tree, reader::is_kind).expect("a tree that was read has no end that is missing")
}
