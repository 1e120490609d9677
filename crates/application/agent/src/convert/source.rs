//! Bytes of a file or of standard input to a draft.

use std::io::Read as _;
use std::path::Path;

use medibloc_format_cda::Cda;
use medibloc_format_fhir::{FhirJson, FhirXml};
use medibloc_record::{Draft, Format, FormatError};

use super::inside;
use crate::Problem;
use crate::answer::code;
use crate::command::is_standard_output;

/// The formats that are known; the first one that finds its mark in the bytes reads them.
const FORMATS: [&dyn Format; 3] = [&FhirJson, &FhirXml, &Cda];

/// Largest document.
const LIMIT: u64 = 256 << 20;
/// What is looked at of a file that is perhaps none.
const HEAD: u64 = 16 << 10;
/// Its name in messages.
const INPUT: &str = "standard input";

/// The draft of a file in any known format.
pub(crate) fn read(path: &Path) -> Result<Draft, Problem> {
    draft(&path.display().to_string(), &bytes(path)?)
}

/// The draft of a file, or of standard input for `-`.
pub(super) fn read_or_input(path: &Path) -> Result<Draft, Problem> {
    if !is_standard_output(path) {
        return read(path);
    }
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock().take(LIMIT + 1);
    input
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(INPUT, &error.to_string()))?;
    if bytes.len() as u64 > LIMIT {
        return Err(unreadable(
            INPUT,
            &format!("more than {LIMIT} bytes; split it"),
        ));
    }
    draft(INPUT, &bytes)
}

fn unreadable(name: &str, why: &str) -> Problem {
    Problem::new(code::INPUT, format!("cannot read {name}: {why}"))
}

fn bytes(path: &Path) -> Result<Vec<u8>, Problem> {
    let unreadable = |why: String| unreadable(&path.display().to_string(), &why);
    let there =
        std::fs::metadata(path).map_err(|error| unreadable(format!("{error}; check the path")))?;
    if !there.is_file() {
        return Err(unreadable("it is no file; give one document".into()));
    }
    let length = there.len();
    if length > LIMIT {
        return Err(unreadable(format!(
            "{length} bytes, at most {LIMIT} are read; split it"
        )));
    }
    std::fs::read(path).map_err(|error| unreadable(format!("{error}; check the path")))
}

/// A draft that is as sensitive as what it holds.
fn draft(name: &str, bytes: &[u8]) -> Result<Draft, Problem> {
    let mut draft = one(name, bytes)?;
    inside::judge(&mut draft, 0);
    Ok(draft)
}

/// Whether bytes begin as a document of a format that is read.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    FORMATS.iter().any(|format| format.sniff(bytes))
}

/// The draft of one document by itself.
pub(super) fn one(name: &str, bytes: &[u8]) -> Result<Draft, Problem> {
    let unreadable = |why: String| unreadable(name, &why);
    if let Some(other) = other_kind(bytes) {
        return Err(unreadable(format!(
            "it is {other}; C-CDA (XML) and FHIR (JSON or XML) are read: get the document in one of them from its source"
        )));
    }
    if is_wide(bytes) {
        return Err(unreadable(
            "it is UTF-16 without the mark that says so; save it as UTF-8".into(),
        ));
    }
    // Whatever is broken of it, JSON is no XML: its own reader says what.
    let sniffed = FORMATS.into_iter().find(|format| format.sniff(bytes));
    let format: &dyn Format = match (first_of(bytes), sniffed) {
        (Some(b'{' | b'['), _) => &FhirJson,
        (_, Some(format)) => format,
        (Some(b'<') | None, None) => &Cda,
        (Some(_), None) => {
            return Err(unreadable(
                "it is neither XML nor JSON; C-CDA (XML) and FHIR (JSON or XML) are read: get the document in one of them from \
                 its source"
                    .into(),
            ));
        }
    };
    format
        .read(bytes)
        .map_err(|error: FormatError| Problem::new(code::INPUT, format!("{name}: {error}")))
}

/// Whether a file of a folder is meant: it is of a format that is read, or its name says so.
pub(super) fn is_document(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    if ["xml", "json", "ndjson", "cda", "ccd"]
        .iter()
        .any(|known| ending == *known)
    {
        return true;
    }
    let mut head = Vec::new();
    let file = std::fs::File::open(path).map(|file| file.take(HEAD).read_to_end(&mut head));
    file.is_ok_and(|read| read.is_ok()) && is_one(&head)
}

/// The first byte of a text that is no blank, no byte order mark and no half of a wide sign.
pub(super) fn first_of(bytes: &[u8]) -> Option<u8> {
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let is_sign = |byte: &&u8| **byte != 0 && !byte.is_ascii_whitespace();
        return bytes[2..].iter().find(is_sign).copied();
    }
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    text.trim_ascii_start().first().copied()
}

/// Whether it begins as XML or JSON does in UTF-16, two bytes a sign, and has no mark: each second byte is zero.
fn is_wide(bytes: &[u8]) -> bool {
    let begins = |even: usize| {
        let sign = bytes.get(even).copied();
        let zero = bytes.get(1 - even).copied();
        matches!(sign, Some(b'<' | b'{' | b'[' | b' ' | b'\r' | b'\n')) && zero == Some(0)
    };
    begins(0) || begins(1)
}

/// What else a file is, by its mark: advice for a broken document would mislead whoever gave another kind of file.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    let begins = |mark: &[u8]| bytes.starts_with(mark);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let first = text.trim_ascii_start();
    if first.is_empty() {
        Some("empty")
    } else if bytes.get(128..132) == Some(b"DICM") {
        Some("a DICOM image")
    } else if first.starts_with(b"MSH|") || first.starts_with(b"\x0bMSH|") {
        Some("an HL7 v2 message")
    } else if begins(b"%PDF") {
        Some("a PDF")
    } else if begins(b"PK\x03\x04") {
        Some("a ZIP archive (or an office document)")
    } else if begins(b"\xff\xd8\xff") || begins(b"\x89PNG") || begins(b"GIF8") {
        Some("a picture")
    } else {
        None
    }
}
