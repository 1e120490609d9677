//! The narrative: a string in JSON, elements of its own namespace in XML.

use std::fmt::Write as _;

use roxmltree::{Document, Node};

use super::{FHIR, scan};

pub(super) const XHTML: &str = "http://www.w3.org/1999/xhtml";
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A narrative as JSON holds it: the bytes of the source where they stand for themselves, else the same elements with the
/// namespace declared where it begins.
pub(super) fn text(node: Node<'_, '_>) -> String {
    let source = node
        .document()
        .input_text()
        .get(node.range())
        .unwrap_or_default();
    if stands_alone(node, source) {
        // As every reader of XML gives it (XML 1.0, section 2.11).
        return source.replace("\r\n", "\n").replace('\r', "\n");
    }
    let mut out = String::new();
    write(node, None, &mut out);
    out
}

/// Whether the bytes mean the same wherever they stand: no prefix, and the namespace declared inside or FHIR's own.
fn stands_alone(node: Node<'_, '_>, source: &str) -> bool {
    let own = node.tag_name().namespace();
    let tag = source.split('>').next().unwrap_or_default();
    let declares = tag.contains("xmlns=");
    (declares || own == Some(FHIR))
        && node.descendants().filter(Node::is_element).all(|inside| {
            let begin = inside.range().start + 1;
            let written = inside.document().input_text().get(begin..);
            inside.tag_name().namespace() == own
                && written.is_some_and(|text| text.starts_with(inside.tag_name().name()))
                && inside
                    .attributes()
                    .all(|one| matches!(one.namespace(), None | Some(XML)))
        })
}

/// Bounded by the depth that was read.
fn write(node: Node<'_, '_>, around: Option<&str>, out: &mut String) {
    let name = node.tag_name();
    out.push('<');
    out.push_str(name.name());
    if name.namespace() != around {
        attribute("xmlns", name.namespace().unwrap_or_default(), out);
    }
    for (at, one) in node.attributes().enumerate() {
        match one.namespace() {
            None => attribute(one.name(), one.value(), out),
            Some(XML) => attribute(&format!("xml:{}", one.name()), one.value(), out),
            Some(other) => {
                attribute(&format!("xmlns:n{at}"), other, out);
                attribute(&format!("n{at}:{}", one.name()), one.value(), out);
            }
        }
    }
    if !node.has_children() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    for child in node.children() {
        if child.is_element() {
            write(child, name.namespace(), out);
        } else if child.is_text() {
            escape(child.text().unwrap_or_default(), false, out);
        }
    }
    let _never_fails = write!(out, "</{}>", name.name());
}

fn attribute(name: &str, value: &str, out: &mut String) {
    let _never_fails = write!(out, " {name}=\"");
    escape(value, true, out);
    out.push('"');
}

/// Text as XML holds it; in an attribute, white space that a reader would change is written by its number.
pub(super) fn escape(text: &str, in_attribute: bool, out: &mut String) {
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if in_attribute => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\n' if in_attribute => out.push_str("&#10;"),
            '\t' if in_attribute => out.push_str("&#9;"),
            other => out.push(other),
        }
    }
}

/// Whether a narrative of JSON is one element that XML can hold as it stands.
pub(super) fn is_element(text: &str) -> bool {
    // Inside of a document there is no declaration, and depth is counted from there.
    let text = text.trim();
    text.starts_with("<div")
        && scan(text).is_ok()
        && Document::parse(text).is_ok_and(|parsed| {
            let root = parsed.root_element();
            matches!(root.tag_name().namespace(), None | Some(XHTML))
                && parsed
                    .input_text()
                    .get(root.range())
                    .is_some_and(|whole| whole.len() == text.len())
        })
}
