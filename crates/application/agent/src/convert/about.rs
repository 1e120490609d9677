//! What a document is said to be beside its content: how carefully it must be shared, and what it is about.

use medibloc_record::{Category, Draft, Sensitivity};
use serde_json::{Value, json};

/// What is said of a document, also after it was written.
pub(crate) struct About {
    category: Category,
    sensitivity: Sensitivity,
    labelled: Option<String>,
}

impl About {
    pub(crate) fn of(draft: &Draft) -> Self {
        Self {
            category: draft.category,
            sensitivity: draft.sensitivity,
            labelled: draft.labelled.clone(),
        }
    }

    /// In words: `category laboratory, restricted (Condition.meta.security is R)`.
    pub(crate) fn told(&self) -> String {
        let category = json!(self.category);
        let sensitivity = match self.sensitivity {
            Sensitivity::Normal => "not restricted",
            Sensitivity::Restricted => "restricted",
            Sensitivity::VeryRestricted => "very restricted",
        };
        let why = self.labelled.as_ref();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        format!(
            "category {}, {sensitivity}{why}",
            category.as_str().unwrap_or_default()
        )
    }

    /// The same for programs, into an answer.
    pub(crate) fn note(&self, value: &mut Value) {
        value["category"] = json!(self.category);
        value["sensitivity"] = json!(self.sensitivity);
        value["labelled"] = json!(self.labelled);
    }
}
