//! Whether a medicine is still taken, as a statement inside of it says.

use crate::{
    doc::Doc,
    statement::{encounter, shape, take_shell},
    value::code,
    xml::{N, attr, child, has_template, related, text},
};

/// The status that stands inside (CCD R1, "medication status observation", or by its code): the `statusCode` is that of the statement.
pub(super) fn said<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<&'static str> {
    const TEMPLATE: &[&str] = &["2.16.840.1.113883.10.20.1.47"];
    let all = related(node).map(|(_, inner)| inner).filter(|inner| {
        has_template(*inner, TEMPLATE)
            || inner.tag_name().name() == "observation" && shape::is_coded(*inner, shape::STATUS)
    });
    all.filter(|inner| !crate::context::denies(*inner))
        .find_map(|inner| {
            let value = child(inner, "value")?;
            let found = code::mapped(doc, value, |code| match code {
                "55561003" => Some("active"),
                "421139008" => Some("on-hold"),
                // FHIR's word for what is no longer taken.
                "392521001" | "73425007" => Some("completed"),
                _ => None,
            })?;
            take_shell(doc, inner);
            // Some print the code of what is on hold for what is over.
            let is_past = encounter::is_over(doc, node) && is_over_in_words(value);
            Some(if is_past { "completed" } else { found })
        })
}

/// Whether what stands inside may say it: an order that was stopped or put off is that, and a statement within it may be older.
pub(super) fn may_be_said(state: Option<&str>) -> bool {
    matches!(state, None | Some("active" | "completed" | "new"))
}

fn is_over_in_words(value: N<'_>) -> bool {
    const OVER: &[&str] = &[
        "no longer active",
        "inactive",
        "expired",
        "discontinued",
        "stopped",
    ];
    let said = child(value, "originalText").and_then(text);
    let name = attr(value, "displayName").map(str::to_owned);
    said.into_iter().chain(name).any(|words| {
        let words = words.to_lowercase();
        OVER.iter().any(|over| words.contains(over))
    })
}
