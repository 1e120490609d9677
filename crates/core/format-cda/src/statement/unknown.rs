//! Statements of which nobody knows what they are, filled in because a form asks for one.

use super::problem;
use crate::{
    context::Statement,
    doc::Doc,
    value::code,
    xml::{N, attr, child, elements},
};

/// Whether a finding, a group or an act that is not denied says that nobody knows what it is, and no more.
pub(super) fn is_one(doc: &Doc<'_>, of: &Statement<'_>) -> bool {
    const KINDS: &[&str] = &["observation", "organizer", "act"];
    let node = of.node;
    let is_nameless = child(node, "code").is_some_and(|code| code::known(code).is_none());
    // A problem says by itself that it is none.
    KINDS.contains(&of.name())
        && is_nameless
        && !problem::is_problem(of)
        && !crate::context::denies(node)
        && !tells(doc, node)
}

/// Whether anything that stands in a statement, or in one inside, says more than which one it is, in which state, and who says so.
fn tells(doc: &Doc<'_>, node: N<'_>) -> bool {
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
    ];
    elements(node).any(|part| {
        let is_known = attr(part, "nullFlavor").is_none();
        match part.tag_name().name() {
            name if FORM.contains(&name) => false,
            "reference" => attr(part, "value").is_some_and(|id| doc.words_at(id).is_some()),
            _ => {
                code::known(part).is_some()
                    || is_known && attr(part, "value").is_some()
                    || attr(part, "displayName").is_some()
                    || crate::xml::own_text(part).is_some()
                    || tells(doc, part)
            }
        }
    })
}
