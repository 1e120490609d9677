//! Statements of which nobody knows what they are, filled in because a form asks for one.

use super::problem;
use crate::{
    context::Statement,
    doc::Doc,
    value::code,
    xml::{N, attr, child, elements, path},
};

/// Whether a finding, a group or an act that is not denied says that nobody knows what it is, and no more.
pub(super) fn is_one(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    const KINDS: &[&str] = &["observation", "organizer", "act"];
    let node = of.node;
    if is_undocumented(doc, of) {
        return true;
    }
    let is_nameless = child(node, "code").is_some_and(|code| code::known(code).is_none());
    // A problem says by itself that it is none.
    KINDS.contains(&of.name())
        && is_nameless
        && !problem::is_problem(of)
        && !crate::context::denies(node)
        && !tells(doc, node, &[])
}

/// Whether a deed says what it is: when it was, how urgent it is and who did it say nothing of that. One whose name was struck out
/// had one.
pub(super) fn is_deed(doc: &Doc<'_>, node: N<'_>) -> bool {
    let mut pointers = node
        .descendants()
        .filter(|one| one.tag_name().name() == "reference");
    let is_struck = |id: &str| doc.anchor(id).is_some_and(crate::xml::is_within_struck);
    tells(doc, node, &["effectiveTime", "priorityCode", "performer"])
        || pointers.any(|one| attr(one, "value").is_some_and(is_struck))
}

/// Whether it is an instruction whose code says no more than that (IHE PCC), and that has no words of its own.
pub(super) fn is_mute(doc: &Doc<'_>, node: N<'_>) -> bool {
    const SORT: &str = "1.3.6.1.4.1.19376.1.5.3.2";
    let is_sort = |code: N<'_>| {
        attr(code, "codeSystem") == Some(SORT)
            && matches!(attr(code, "code"), Some("PINSTRUCT" | "FINSTRUCT"))
    };
    let who_and_when = ["code", "effectiveTime", "priorityCode", "performer"];
    child(node, "code").is_some_and(is_sort) && !tells(doc, node, &who_and_when)
}

/// Whether the words in the place of a medicine's name say that none was written down.
fn is_undocumented(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    const PRODUCT: &[&str] = &["manufacturedProduct", "manufacturedMaterial"];
    let mut parts = ["consumable", "product"].into_iter();
    let thing = parts.find_map(|part| path(child(of.node, part)?, PRODUCT));
    let Some(code) = thing.and_then(|thing| child(thing, "code")) else {
        return false;
    };
    let is_known = code
        .descendants()
        .any(|part| part.is_element() && code::known(part).is_some());
    let named = thing.and_then(|thing| child(thing, "name"));
    let words = || crate::xml::own_text(named?).or_else(|| said(doc, code));
    !is_known && !crate::context::denies(of.node) && words().is_some_and(|words| !is_told(&words))
}

/// The words for a code, here or in the narrative.
fn said(doc: &Doc<'_>, code: N<'_>) -> Option<String> {
    let said = child(code, "originalText")?;
    crate::xml::own_text(said).or_else(|| {
        let pointer = attr(child(said, "reference")?, "value")?;
        doc.words_at(pointer).map(|words| words.to_string())
    })
}

/// Whether words say anything but that nothing was written down.
fn is_told(words: &str) -> bool {
    const NOTHING: &[&str] = &["not documented", "not recorded", "not on file"];
    let words = words.trim_end_matches('.').to_lowercase();
    !NOTHING.iter().any(|end| words.ends_with(end))
}

/// Whether anything that stands in a statement, or in one inside, says more than which one it is, in which state, and who says so.
fn tells(doc: &Doc<'_>, node: N<'_>, beside: &[&str]) -> bool {
    const FORM: &[&str] = &[
        "templateId",
        "id",
        "realmCode",
        "typeId",
        "languageCode",
        "sequenceNumber",
        "statusCode",
        "author",
        "informant",
        // What is usual says nothing of what was found.
        "referenceRange",
    ];
    elements(node).any(|part| {
        let is_known = attr(part, "nullFlavor").is_none();
        match part.tag_name().name() {
            name if FORM.contains(&name) || beside.contains(&name) => false,
            "reference" => {
                let words = attr(part, "value").and_then(|id| doc.words_at(id));
                words.is_some_and(|words| is_told(&words))
            }
            _ => {
                code::known(part).is_some()
                    || is_known && attr(part, "value").is_some()
                    || attr(part, "displayName").is_some_and(is_told)
                    || crate::xml::own_text(part).is_some_and(|words| is_told(&words))
                    || tells(doc, part, &[])
            }
        }
    })
}
