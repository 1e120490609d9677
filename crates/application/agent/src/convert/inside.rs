//! A document that another one holds (an attachment, a `Binary`, a body that is not XML): its labels, its category and its time count
//! as those of the whole.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use medibloc_record::json::{Map, Value};
use medibloc_record::{Category, Draft, Sensitivity};

use super::source;

/// Documents in each other that are read.
const DEPTH: usize = 2;
/// Bytes of one of them that are read.
const MOST: usize = 32 << 20;
/// Base64 as it is met: with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// How packed bytes begin: gzip, ZIP, an empty ZIP, bzip2, xz, 7z, zstd, compress.
const PACKED: [&[u8]; 8] = [
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"PK\x05\x06",
    b"BZh",
    b"\xfd7zXZ",
    b"7z\xbc\xaf",
    b"\x28\xb5\x2f\xfd",
    b"\x1f\x9d",
];
/// What is told of others: whoever may read the whole reads what nobody looked at.
const UNREAD: &str = "it holds another document whose labels are not read";

/// Makes a draft as sensitive as the documents that it holds, and of one category and time only if they are.
pub(super) fn judge(draft: &mut Draft, depth: usize) {
    let mut held = Vec::new();
    find(&draft.fhir, &mut held);
    for held in held {
        let inner = match held {
            Held::Document(bytes) if depth < DEPTH => source::one("", &bytes).ok(),
            Held::Text(bytes) if depth < DEPTH => match source::one("", &bytes) {
                Ok(inner) => Some(inner),
                Err(_) => continue,
            },
            Held::Document(_) | Held::Text(_) | Held::Unread => None,
        };
        match inner {
            Some(mut inner) => {
                judge(&mut inner, depth + 1);
                take(draft, &inner);
            }
            None => {
                draft.raise(Sensitivity::Restricted, UNREAD);
                draft.category = Category::Documents;
                unless_written(draft, None);
            }
        }
    }
}

fn take(draft: &mut Draft, inner: &Draft) {
    let why = inner.labelled.as_deref().unwrap_or_default();
    let why = why.strip_prefix("in a document within it, ").unwrap_or(why);
    let why = match inner.labelled.as_deref() == Some(UNREAD) {
        true => UNREAD.to_owned(),
        false => format!("in a document within it, {why}"),
    };
    draft.raise(inner.sensitivity, &why);
    // Letters hold everything by nature.
    if draft.category != Category::EncountersAndNotes && draft.category != inner.category {
        draft.category = Category::Documents;
    }
    unless_written(draft, inner.written.as_deref());
}

/// What is no document itself has no date unless the one that it holds is of the same day.
fn unless_written(draft: &mut Draft, inner: Option<&str>) {
    let is_document = draft.fhir["type"].as_str() == Some("document");
    let day = |date: &str| date.get(..10).unwrap_or(date).to_owned();
    if !is_document && draft.written.as_deref().map(day) != inner.map(day) {
        draft.written = None;
    }
}

/// A document that another holds.
enum Held {
    /// It says that it is one, or begins as one.
    Document(Vec<u8>),
    /// It begins as XML or JSON do: it is one only if it can be read.
    Text(Vec<u8>),
    /// It is packed, damaged or too large.
    Unread,
}

fn find(tree: &Value, held: &mut Vec<Held>) {
    if let Some(list) = tree.as_array() {
        list.iter().for_each(|item| find(item, held));
    }
    if let Some(object) = tree.as_object() {
        held.extend(of(object));
        object.iter().for_each(|(_, inner)| find(inner, held));
    }
}

/// What an `Attachment`, a `Binary` or a value of bytes holds, if that is a document or may be one.
fn of(object: &Map) -> Option<Held> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let kind = text("contentType").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let in_url = text("url").filter(|url| url.starts_with("data:"));
    let (said, in_url) = match in_url.and_then(|url| url.split_once(',')) {
        Some((head, data)) => (head.trim_start_matches("data:"), Some(data)),
        None => ("", None),
    };
    let is_said = is_kind(kind) || is_kind(said.split(';').next().unwrap_or_default());
    // STU3 has the bytes of a `Binary` in `content`.
    let mut all = ["data", "valueBase64Binary", "content"]
        .iter()
        .filter_map(|name| text(name));
    let data = all.next().or(in_url)?;
    // Of both alphabets (RFC 4648, sections 4 and 5), over many lines.
    let data: String = data
        .split_ascii_whitespace()
        .flat_map(str::chars)
        .map(|sign| match sign {
            '-' => '+',
            '_' => '/',
            sign => sign,
        })
        .collect();
    if data.len() / 4 * 3 > MOST {
        // Pictures may be large: only what begins as a document is one.
        let begin = BASE64.decode(data.get(..16 << 10)?).ok();
        let is_one = is_said || begin.is_some_and(|begin| may_be(&begin));
        return is_one.then_some(Held::Unread);
    }
    match BASE64.decode(data) {
        Ok(bytes) if is_packed(&bytes) => Some(Held::Unread),
        Ok(bytes) if is_said || source::is_one(&bytes) => Some(Held::Document(bytes)),
        Ok(bytes) => may_be(&bytes).then_some(Held::Text(bytes)),
        Err(_) => is_said.then_some(Held::Unread),
    }
}

/// Whether bytes begin as something in which a document may be.
fn may_be(bytes: &[u8]) -> bool {
    is_packed(bytes) || matches!(source::first_of(bytes), Some(b'<' | b'{' | b'['))
}

/// Whether bytes are packed, but for an office's document: that is a letter, as a PDF is, whose labels are those of what holds it.
fn is_packed(bytes: &[u8]) -> bool {
    // The name of the first file within (APPNOTE.TXT, section 4.3.7); ECMA-376 and ODF 1.3 say which it is.
    let first = bytes.get(30..).unwrap_or_default();
    let is_office = bytes.starts_with(b"PK\x03\x04")
        && ["[Content_Types].xml", "_rels/", "mimetype"]
            .iter()
            .any(|name| first.starts_with(name.as_bytes()));
    !is_office && PACKED.iter().any(|mark| bytes.starts_with(mark))
}

/// Whether what is of this media type may be a document with labels.
fn is_kind(kind: &str) -> bool {
    matches!(
        kind,
        "text/xml"
            | "application/xml"
            | "application/json"
            | "text/json"
            | "application/hl7-cda+xml"
            | "application/cda+xml"
            | "text/cda+xml"
            | "application/fhir+xml"
            | "application/fhir+json"
            | "application/xml+fhir"
            | "application/json+fhir"
            | "application/fhir+ndjson"
            | "application/gzip"
            | "application/zlib"
            | "application/zip"
    )
}
