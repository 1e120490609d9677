//! Records of which it is not known whom they name: that is said, and never that they name nobody.

use medibloc_journey::{KeptRecord, Named, Unread};
use medibloc_record::RecordId;
use serde_json::{Value, json};

use super::retracted;

/// That it is not known, and why.
pub(super) fn told(why: Unread) -> String {
    match why {
        Unread::Referred => format!("whom it is about is not known ({why})"),
        _ => format!("whom it names could not be read ({why})"),
    }
}

/// Whom it names.
pub(super) fn names(named: &Named) -> String {
    match named {
        Named::Person(subject) => format!("it names {}", retracted::subject(subject)),
        Named::Unread(why) => told(*why),
        Named::Nobody => "it names nobody".into(),
    }
}

/// The same for programs, beside `patient`: null if it is known whom it names.
pub(super) fn value(named: &Named) -> Value {
    json!(named.unread().map(|why| why.to_string()))
}

/// Whether an own record names another person, for programs: null as long as that is not known.
pub(super) fn other_person(kept: &KeptRecord, others: &[RecordId]) -> Value {
    match kept.may_name_anybody() {
        true => Value::Null,
        false => others.contains(&kept.record()).into(),
    }
}

/// What its owner does about one that may name anybody; nothing about others.
pub(super) fn todo(kept: &KeptRecord) -> Option<String> {
    let why = kept.named.unread().filter(|_| kept.may_name_anybody())?;
    Some(format!(
        "{}, so no standing consent passes it on by itself: look at it (`medibloc record export {} --out FILE --yes`); if it is yours, \
         `medibloc record confirm` says so, and if it is not, tell its author and erase it",
        told(why),
        &kept.record().to_string()[..12]
    ))
}
