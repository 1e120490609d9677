//! Small steps through a CDA tree; `sdtc` elements are only found by [`sdtc`] and [`sdtcs`].

use roxmltree::Node;

/// A node of the document.
pub(crate) type N<'d> = Node<'d, 'd>;

/// Elements that HL7's structured documents group adds to CDA R2.
pub(crate) const SDTC: &str = "urn:hl7-org:sdtc";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

pub(crate) fn elements<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    node.children().filter(Node::is_element)
}

pub(crate) fn children<'d>(node: N<'d>, name: &'static str) -> impl Iterator<Item = N<'d>> {
    elements(node).filter(move |child| {
        let tag = child.tag_name();
        tag.name() == name && tag.namespace() != Some(SDTC)
    })
}

pub(crate) fn child<'d>(node: N<'d>, name: &'static str) -> Option<N<'d>> {
    children(node, name).next()
}

/// Who wrote what a node says: its authors, or else who takes part in it as one (`AUT`).
pub(crate) fn writers<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    let is_named = child(node, "author").is_some();
    let others = children(node, "participant").filter(move |part| {
        !is_named
            && attr(*part, "typeCode") == Some("AUT")
            && child(*part, "participantRole").is_some()
    });
    children(node, "author").chain(others)
}

pub(crate) fn sdtcs<'d>(node: N<'d>, name: &'static str) -> impl Iterator<Item = N<'d>> {
    elements(node).filter(move |child| child.has_tag_name((SDTC, name)))
}

pub(crate) fn sdtc<'d>(node: N<'d>, name: &'static str) -> Option<N<'d>> {
    sdtcs(node, name).next()
}

/// The first node at the end of a path of child names.
pub(crate) fn path<'d>(node: N<'d>, names: &[&'static str]) -> Option<N<'d>> {
    names.iter().try_fold(node, |at, name| child(at, name))
}

/// An attribute without surrounding space, or none if that is empty.
pub(crate) fn attr<'d>(node: N<'d>, name: &str) -> Option<&'d str> {
    node.attribute(name)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The `value` of an element. One beside a `nullFlavor` is none that is sure: the two exclude each other (HL7 v3 data types R2, `ANY`).
pub(crate) fn sure<'d>(node: N<'d>) -> Option<&'d str> {
    attr(node, "value").filter(|_| attr(node, "nullFlavor").is_none())
}

/// The declared data type, without prefix and in capitals; empty if none is declared.
pub(crate) fn declared(node: N<'_>) -> String {
    let raw = node.attribute((XSI, "type")).unwrap_or_default().trim();
    raw.rsplit(':')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase()
}

/// One line of text: runs of white space as one space.
pub(crate) fn squeeze(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for word in raw.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Whether the author struck an element out (CDA R2, narrative block, `revised`).
fn is_struck(node: N<'_>) -> bool {
    node.is_element() && attr(node, "revised") == Some("delete")
}

/// Whether it stands in words that were struck out: nobody says them any more.
pub(crate) fn is_within_struck(node: N<'_>) -> bool {
    node.ancestors().any(is_struck)
}

/// All text below but what was struck out, in one line; none if empty.
pub(crate) fn text(node: N<'_>) -> Option<String> {
    let mut out = String::new();
    let mut struck_until = 0;
    for part in node.descendants() {
        if is_struck(part) {
            struck_until = part.range().end.max(struck_until);
        }
        if !part.is_text() || part.range().start < struck_until {
            continue;
        }
        for word in part.text().unwrap_or_default().split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The text directly in an element, in one line; none if empty.
pub(crate) fn own_text(node: N<'_>) -> Option<String> {
    let parts = node.children().filter(Node::is_text);
    let whole: String = parts.filter_map(|part| part.text()).collect();
    Some(squeeze(&whole)).filter(|words| !words.is_empty())
}

pub(crate) fn has_template(node: N<'_>, roots: &[&str]) -> bool {
    children(node, "templateId")
        .any(|id| attr(id, "root").is_some_and(|root| roots.contains(&root)))
}

/// Whether a flag is set: `true` and `1` are the two that XML Schema knows.
pub(crate) fn flag(node: N<'_>, name: &str) -> Option<bool> {
    match attr(node, name)?.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// Whether a denial stands there that cannot be read: what it is about is neither so nor not so.
pub(crate) fn is_unread_denial(node: N<'_>) -> bool {
    attr(node, "negationInd").is_some() && flag(node, "negationInd").is_none()
}

/// The names of clinical statements (CDA R2, `POCD_MT000040.ClinicalStatement`).
pub(crate) const STATEMENTS: &[&str] = &[
    "act",
    "encounter",
    "observation",
    "observationMedia",
    "organizer",
    "procedure",
    "regionOfInterest",
    "substanceAdministration",
    "supply",
];

pub(crate) fn is_statement(node: N<'_>) -> bool {
    let tag = node.tag_name();
    STATEMENTS.contains(&tag.name()) && tag.namespace() != Some(SDTC)
}

/// Relations of a statement with what they lead to. One that is denied, or whose denial cannot be read, is none.
pub(crate) fn related<'d>(node: N<'d>) -> impl Iterator<Item = (N<'d>, N<'d>)> {
    relations(node).filter(|(link, _)| !crate::account::is_denied(*link))
}

/// Relations with what they lead to, also those that are denied.
pub(crate) fn relations<'d>(node: N<'d>) -> impl Iterator<Item = (N<'d>, N<'d>)> {
    elements(node)
        .filter(|link| {
            link.tag_name().namespace() != Some(SDTC)
                && matches!(link.tag_name().name(), "entryRelationship" | "component")
        })
        .flat_map(|link| {
            let all = elements(link).filter(|node| is_statement(*node));
            all.map(move |inner| (link, inner))
        })
}

/// The first related statement with one of these templates.
pub(crate) fn related_by<'d>(
    node: N<'d>,
    templates: &'static [&'static str],
) -> impl Iterator<Item = N<'d>> {
    related(node)
        .map(|(_, inner)| inner)
        .filter(move |inner| has_template(*inner, templates))
}

/// Related observations with one of these templates, or without any but with one of these codes.
pub(crate) fn related_as<'d>(
    node: N<'d>,
    templates: &'static [&'static str],
    codes: &'static [&'static str],
) -> impl Iterator<Item = N<'d>> {
    use crate::statement::shape;
    related(node).map(|(_, inner)| inner).filter(move |inner| {
        has_template(*inner, templates)
            || inner.tag_name().name() == "observation"
                && shape::is_foreign(*inner)
                && shape::is_coded(*inner, codes)
    })
}
