//! That somebody has no medicine, in the place of one.

use crate::{
    account::Because,
    context::{Mood, Statement},
    doc::Doc,
    value::{code, text::plain},
    xml::{N, attr, child, path, text},
};

/// No known medications, no drug therapy prescribed (SNOMED CT).
const NONE: &[&str] = &["787481004", "182849000"];
/// A drug, a pharmaceutical product, a medicinal product: any of them.
const ANY: &[&str] = &["410942007", "373873005", "763158003"];
const WORDS: &[&str] = &[
    "no known medication",
    "no known current medication",
    "no current medication",
    "no active medication",
    "no medication",
];

/// Refuses what would order no medicine.
pub(crate) fn refuse(doc: &Doc<'_>, of: &Statement<'_>) -> Result<(), Because> {
    if of.mood() != Mood::Event && is_one(doc, of) {
        return Err("it says that there is no medicine, and FHIR has no order for that");
    }
    Ok(())
}

/// Whether it says that there is no medicine: by a code or words for that, or because it denies all that are.
fn is_one(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    let thing = ["consumable", "product"].into_iter().find_map(|part| {
        let made = path(of.child(part)?, &["manufacturedProduct"])?;
        child(made, "manufacturedMaterial").or_else(|| child(made, "manufacturedLabeledDrug"))
    });
    let Some(thing) = thing else {
        return false;
    };
    let coded = child(thing, "code");
    let all = coded.into_iter().flat_map(|code| code.descendants());
    let codes: Vec<&str> = all.filter(N::is_element).filter_map(code::known).collect();
    if codes.iter().any(|code| NONE.contains(code)) {
        return true;
    }
    // What names one medicine is that one, whatever stands beside it.
    if !codes.iter().all(|code| ANY.contains(code)) {
        return false;
    }
    let said = coded.and_then(|code| plain(doc, child(code, "originalText")?));
    let shown = coded.and_then(|code| attr(code, "displayName").map(str::to_owned));
    let name = child(thing, "name").and_then(text);
    let mut words = [said, shown, name].into_iter().flatten();
    of.is_denied() && !codes.is_empty()
        || words.any(|words| {
            let words = words.to_lowercase();
            WORDS.iter().any(|none| words.starts_with(none))
        })
}
