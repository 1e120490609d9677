//! A section's text as the XHTML subset that FHIR allows (R4, section 2.4.1).

use medibloc_record::json::Value;

use crate::doc::Doc;
use crate::json::json;
use crate::language;
use crate::xml::{N, attr};

/// The narrative of a section's `text`, or none if it has no words.
pub(crate) fn narrative(doc: &Doc<'_>, text: N<'_>) -> Option<Value> {
    const OPEN: &str = "<div xmlns=\"http://www.w3.org/1999/xhtml\"";
    let mut div = String::with_capacity(OPEN.len() + text.range().len());
    div.push_str(OPEN);
    if let Some(tongue) = language::of_text(doc, text) {
        div.push_str(&format!(" lang=\"{tongue}\" xml:lang=\"{tongue}\""));
    }
    // Values may point to the whole of it.
    if let Some(id) = written_id(doc, text) {
        div.push_str(&format!(" id=\"{id}\""));
    }
    div.push('>');
    let start = div.len();
    for child in text.children() {
        write(doc, child, &mut div);
    }
    let says = |node: N<'_>| {
        node.text().is_some_and(|words| !words.trim().is_empty()) || pictures(node).is_some()
    };
    let words = text.descendants().any(says);
    if !words || div.len() == start {
        return None;
    }
    div.push_str("</div>");
    // It is the source's own, and may say more than what is coded (FHIR R4, `narrative-status`).
    Some(json!({"status": "additional", "div": div}))
}

/// A narrative that says that the source has none.
pub(crate) fn empty() -> Value {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\">The source has no text here.</div>";
    json!({"status": "empty", "div": div})
}

fn write(doc: &Doc<'_>, node: N<'_>, out: &mut String) {
    if let Some(text) = node.text().filter(|_| node.is_text()) {
        escape(text, out);
        return;
    }
    if !node.is_element() {
        return;
    }
    let tag = match node.tag_name().name() {
        // A program of another vocabulary is no words.
        "script" | "style" => return,
        // Between the rows of a table and the items of a list XHTML has no line breaks.
        "br" if matches!(
            parent(node),
            "table" | "thead" | "tbody" | "tfoot" | "tr" | "list"
        ) =>
        {
            return;
        }
        "br" => {
            out.push_str("<br/>");
            return;
        }
        "col" | "colgroup" => return,
        "list" if attr(node, "listType") == Some("ordered") => "ol",
        "list" => "ul",
        "item" => "li",
        "caption" if parent(node) == "table" => "caption",
        "caption" if parent(node) == "list" => "li",
        tag @ ("table" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th" | "sub" | "sup") => tag,
        "paragraph" => "div",
        "linkHtml" if leads(node).is_some() => "a",
        _ if node.children().any(|child| child.is_element()) => "div",
        _ => "span",
    };
    let tag = if matches!(tag, "ul" | "ol") && !node.children().any(|c| c.is_element()) {
        "div"
    } else {
        tag
    };
    out.push('<');
    out.push_str(tag);
    if let Some(id) = written_id(doc, node) {
        out.push_str(&format!(" id=\"{id}\""));
    }
    let style = style(node);
    if !style.is_empty() {
        out.push_str(&format!(" style=\"{}\"", style.join("; ")));
    }
    if let Some(href) = leads(node).filter(|_| tag == "a") {
        let mut shown = String::new();
        escape(href, &mut shown);
        out.push_str(&format!(" href=\"{}\"", shown.replace('"', "&quot;")));
    }
    if matches!(tag, "td" | "th") {
        for name in ["colspan", "rowspan"] {
            if let Some(span) = attr(node, name).filter(|t| t.bytes().all(|b| b.is_ascii_digit())) {
                out.push_str(&format!(" {name}=\"{span}\""));
            }
        }
    }
    out.push('>');
    // The picture itself is an entry of the section: FHIR shows none from outside of the text.
    if let Some(pictures) = pictures(node) {
        escape(&format!("[picture {pictures}] "), out);
    }
    for child in node.children() {
        write(doc, child, out);
    }
    out.push_str("</");
    out.push_str(tag);
    out.push('>');
}

/// The id that values point to; of two with one name the last counts.
fn written_id<'a>(doc: &Doc<'_>, node: N<'a>) -> Option<&'a str> {
    attr(node, "ID").filter(|id| crate::doc::is_name(id) && doc.anchor(id) == Some(node))
}

/// Which pictures are to be shown in this place (CDA R2, `renderMultiMedia`).
fn pictures<'a>(node: N<'a>) -> Option<&'a str> {
    let is_one = node.is_element() && node.tag_name().name() == "renderMultiMedia";
    attr(node, "referencedObject").filter(|_| is_one)
}

/// How the author marked words (CDA R2, section 4.3.5.11, `styleCode`; `revised`). FHIR has no `del`.
fn style(node: N<'_>) -> Vec<&'static str> {
    let mut all = Vec::new();
    if attr(node, "revised") == Some("delete") {
        all.push("text-decoration: line-through");
    }
    for code in attr(node, "styleCode")
        .unwrap_or_default()
        .split_whitespace()
    {
        match code {
            "Bold" => all.push("font-weight: bold"),
            "Italics" => all.push("font-style: italic"),
            "Underline" if all.first() != Some(&"text-decoration: line-through") => {
                all.push("text-decoration: underline");
            }
            _ => {}
        }
    }
    all
}

/// Where a link leads, if that is to the web: nothing else is opened from a record.
fn leads<'a>(node: N<'a>) -> Option<&'a str> {
    let href = attr(node, "href")?;
    let lower = href.to_ascii_lowercase();
    let is_web = lower.starts_with("https://") || lower.starts_with("http://");
    (is_web && !href.contains(char::is_whitespace)).then_some(href)
}

fn parent<'a>(node: N<'a>) -> &'a str {
    node.parent_element()
        .map_or("", |parent| parent.tag_name().name())
}

fn escape(text: &str, out: &mut String) {
    for part in text.split_inclusive(['&', '<', '>']) {
        let (plain, sign) = match part.as_bytes().last() {
            Some(b'&') => (&part[..part.len() - 1], "&amp;"),
            Some(b'<') => (&part[..part.len() - 1], "&lt;"),
            Some(b'>') => (&part[..part.len() - 1], "&gt;"),
            _ => (part, ""),
        };
        out.push_str(plain);
        out.push_str(sign);
    }
}

/// Whether an element stands in a section's narrative as it is written here.
pub(crate) fn is_written(node: N<'_>) -> bool {
    let inside = node.ancestors().find(|one| one.tag_name().name() == "text");
    inside.is_some_and(|text| {
        parent(text) == "section"
            && text
                .parent_element()
                .is_some_and(|section| parent(section) == "component")
    }) && !matches!(node.tag_name().name(), "br" | "col" | "colgroup")
}
