//! `ST` and `ED`: words here, or words of the narrative that are pointed to.

use medibloc_record::json::{Map, Value};

use crate::{
    doc::Doc,
    value::put,
    xml::{N, attr, child, elements, own_text, squeeze, sure, text},
};

/// The words of an element, and of the narrative that it points to; none if they are too many to repeat.
pub(crate) fn words(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    let own = own_or_told(doc, node)?;
    // The words of a code are its name, and a row of a table is more than what is said here.
    let pointer = child(node, "reference").filter(|_| own_text(node).is_some());
    let is_text = node.tag_name().name() == "text" && !is_row(doc, node);
    let told = pointer
        .filter(|_| is_text)
        .and_then(|pointer| attr(pointer, "value"));
    Some(match told.and_then(|id| doc.words_at(id)) {
        Some(told) => beside(doc, own, pointer, &told),
        None => own,
    })
}

/// The words of an element, or else of the narrative that it points to.
fn own_or_told(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    let pointer = child(node, "reference");
    let target = pointer.and_then(|reference| attr(reference, "value"));
    let spoken = pointer.is_some() && own_text(node).is_some();
    if let (Some(pointer), Some(words)) = (
        pointer,
        target.filter(|_| !spoken).and_then(|id| doc.words_at(id)),
    ) {
        if !doc.may_repeat(words.len()) {
            return None;
        }
        doc.account.take(pointer);
        doc.account.take(node);
        return Some(words.to_string());
    }
    let own = if pointer.is_some() {
        own_text(node)
    } else {
        text(node)
    };
    // Some write the words into an attribute.
    let words = own.or_else(|| sure(node).map(squeeze))?;
    if attr(node, "representation").is_some_and(|kind| kind.eq_ignore_ascii_case("B64")) {
        return None;
    }
    doc.account.take(node);
    Some(words)
}

/// Words with those of the narrative that they point to, unless one says all that the other does.
fn beside(doc: &Doc<'_>, words: String, pointer: Option<N<'_>>, told: &str) -> String {
    let (own, other) = (words.to_lowercase(), told.to_lowercase());
    if own.contains(&other) || other.contains(&own) || !doc.may_repeat(told.len()) {
        return words;
    }
    if let Some(pointer) = pointer {
        doc.account.take(pointer);
    }
    format!("{words} {told}")
}

/// The words of an element, or else those that it points to, to compare them: they are used for nothing.
pub(crate) fn plain(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    own_text(node).or_else(|| {
        let pointer = attr(child(node, "reference")?, "value")?;
        Some(doc.words_at(pointer)?.to_string())
    })
}

/// Words that stand in an element itself, and not only in the narrative that it may point to.
pub(crate) fn own_words(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    (child(node, "reference").is_none() || own_text(node).is_some()).then_some(())?;
    own_or_told(doc, node)
}

/// Whether it points to a part of the narrative that has several cells or items.
pub(crate) fn is_row(doc: &Doc<'_>, node: N<'_>) -> bool {
    let target = child(node, "reference").and_then(|pointer| attr(pointer, "value"));
    let Some(target) = target.and_then(|id| doc.anchor(id)) else {
        return false;
    };
    let parts = target
        .descendants()
        .filter(|part| *part != target && ["td", "th", "item"].contains(&part.tag_name().name()));
    parts.take(2).count() > 1
}

/// The words of the cell under one of these headings, none if it is empty, where an element points to a row of a table.
pub(crate) fn cell(doc: &Doc<'_>, node: N<'_>, headings: &[&str]) -> Option<String> {
    let target = attr(child(node, "reference")?, "value")?;
    let row = doc
        .anchor(target)
        .filter(|row| row.tag_name().name() == "tr" && doc.words_at(target).is_some())?;
    words_under(doc, row, headings).map(|(_, words)| words)
}

/// The words of the cell under one of these headings, where an element points to its row, or to it or into it.
pub(crate) fn own_cell(doc: &Doc<'_>, node: N<'_>, headings: &[&str]) -> Option<String> {
    let words = cell(doc, node, headings);
    let words = words.or_else(|| {
        let target = attr(child(node, "reference")?, "value")?;
        doc.words_at(target)?;
        let within = doc.anchor(target)?;
        let row = within.ancestors().find(|one| one.tag_name().name() == "tr");
        let (cell, words) = words_under(doc, row.filter(|row| *row != within)?, headings)?;
        within.ancestors().any(|one| one == cell).then_some(words)
    });
    words.filter(|words| !words.is_empty())
}

/// The cell of a row under one of these headings, with its words.
fn words_under<'d>(doc: &Doc<'d>, row: N<'d>, headings: &[&str]) -> Option<(N<'d>, String)> {
    let named = |name: &'static str| move |one: &N<'_>| one.tag_name().name() == name;
    let table = row.ancestors().find(named("table"))?;
    let head = child(table, "thead").and_then(|head| child(head, "tr"))?;
    let heads: Vec<N<'_>> = elements(head).collect();
    let cells: Vec<N<'d>> = elements(row).collect();
    // Where cells reach over others nobody can count them.
    let is_plain = |one: &N<'_>| attr(*one, "colspan").is_none() && attr(*one, "rowspan").is_none();
    if heads.len() != cells.len() || !heads.iter().chain(&cells).all(is_plain) {
        return None;
    }
    let at = heads.iter().position(|head| {
        let name = text(*head).unwrap_or_default().to_lowercase();
        headings.contains(&name.trim_end_matches(':'))
    })?;
    let cell = *cells.get(at)?;
    let words = text(cell).unwrap_or_default();
    doc.may_repeat(words.len()).then_some((cell, words))
}

/// The words of a statement's own `text`.
pub(crate) fn text_of(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    child(node, "text").and_then(|text| words(doc, text))
}

/// Base64 of bytes (RFC 4648, section 4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let mut word = [0_u8; 3];
        word[..part.len()].copy_from_slice(part);
        let all = u32::from(word[0]) << 16 | u32::from(word[1]) << 8 | u32::from(word[2]);
        for (at, shift) in [18, 12, 6, 0].into_iter().enumerate() {
            if at <= part.len() {
                out.push(char::from(SIGNS[(all >> shift & 63) as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// The content of an `ED` as `Attachment`: base64 as it is, text encoded, or a URL.
pub(crate) fn attachment(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let kind = attr(node, "mediaType").filter(|kind| kind.contains('/') && !kind.contains(' '));
    let mut out = Map::new();
    if attr(node, "representation").is_some_and(|kind| kind.eq_ignore_ascii_case("B64")) {
        let mut data = String::new();
        for part in node.children().filter(N::is_text) {
            let lines = part.text().unwrap_or_default();
            // Files are long, and base64 is ASCII.
            if lines.is_ascii() {
                data.extend(lines.split_ascii_whitespace());
            } else {
                data.extend(lines.split_whitespace());
            }
        }
        if !is_base64(&data) {
            return None;
        }
        let kind = match attr(node, "compression") {
            // What is packed is of the packing's type for whoever opens it.
            Some("GZ") => Some("application/gzip"),
            Some("ZL") => Some("application/zlib"),
            Some(_) => Some("application/octet-stream"),
            None => kind,
        };
        put(&mut out, "contentType", kind.map(str::to_owned));
        put(
            &mut out,
            "language",
            attr(node, "language").map(str::to_owned),
        );
        out.insert("data".into(), data.into());
        doc.account.take(node);
        return Some(Value::Object(out));
    }
    if let Some(words) = words(doc, node) {
        out.insert(
            "contentType".into(),
            kind.unwrap_or("text/plain").to_owned().into(),
        );
        put(
            &mut out,
            "language",
            attr(node, "language").map(str::to_owned),
        );
        out.insert("data".into(), base64(words.as_bytes()).into());
        return Some(Value::Object(out));
    }
    let pointer = child(node, "reference")?;
    let url = attr(pointer, "value")
        .filter(|url| !url.starts_with('#') && !url.contains(char::is_whitespace))?;
    put(&mut out, "contentType", kind.map(str::to_owned));
    out.insert("url".into(), url.to_owned().into());
    doc.account.take(pointer);
    doc.account.take(node);
    Some(Value::Object(out))
}

fn is_base64(data: &str) -> bool {
    let body = data.trim_end_matches('=');
    data.len().is_multiple_of(4)
        && !body.is_empty()
        && data.len() - body.len() <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte))
}
