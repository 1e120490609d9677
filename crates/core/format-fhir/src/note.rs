//! What the report says of single elements.

use medibloc_record::EntryOutcome;

/// One element that became something else, or that no program will read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The entry of the bundle that it stands in.
    pub(crate) entry: Option<usize>,
    /// Its type and name: `Patient.contact.name`.
    pub(crate) name: String,
    pub(crate) outcome: EntryOutcome,
    /// Where it is now.
    pub(crate) element: String,
    pub(crate) because: Option<&'static str>,
}

/// Letters of a name that FHIR does not know.
const MOST: usize = 64;

impl Note {
    /// An element that no program will read.
    pub(crate) fn lost(entry: Option<usize>, of: &str, name: &str, because: &'static str) -> Self {
        Self {
            entry,
            name: format!("{of}.{}", name_of(name)),
            outcome: EntryOutcome::Lost,
            element: String::new(),
            because: Some(because),
        }
    }

    /// An element that has another name or form now.
    pub(crate) fn moved(entry: Option<usize>, of: &str, name: &str, to: String) -> Self {
        Self {
            entry,
            name: format!("{of}.{}", name_of(name)),
            outcome: EntryOutcome::Converted,
            element: to,
            because: None,
        }
    }
}

/// A name of the document as a report may hold it: what is no name of an element is not repeated.
pub(crate) fn name_of(name: &str) -> &str {
    let is_name = name.len() <= MOST && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { name } else { "(another name)" }
}
