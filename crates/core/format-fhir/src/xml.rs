//! FHIR XML (R4, section 2.6.2; R5 likewise): to the tree of its JSON and back, with nothing lost but comments, processing
//! instructions and the form of white space between elements.

mod read;
mod write;
mod xhtml;

use medibloc_record::{Draft, Format, FormatError, FormatProblem};
use roxmltree::{Document, ParsingOptions};

use crate::budget;
use crate::definition::Definitions;
use crate::note::Note;
use crate::reader::{self, Source, decode};
use crate::release::{misfits, release_of};

pub(crate) use read::number;
pub use write::{XmlError, to_xml};

/// The namespace of FHIR's elements.
pub(crate) const FHIR: &str = "http://hl7.org/fhir";

/// Deepest nesting of elements, narrative included.
const MAX_DEPTH: usize = 200;
/// Most attributes of one element: the tree compares each with all others.
const MAX_ATTRIBUTES: usize = 64;
/// Bytes that an element takes in the tree of XML and in the one of JSON together.
const ELEMENT: usize = 400;
/// Most elements: each takes some hundred bytes of memory.
const MAX_NODES: u32 = 4 << 20;

/// Reads FHIR XML: a bundle or a single resource, of R4 or R5.
#[derive(Clone, Copy, Debug, Default)]
pub struct FhirXml;

pub(crate) fn error(problem: FormatProblem, at: String, hint: &'static str) -> FormatError {
    FormatError {
        format: "FHIR XML",
        problem,
        at,
        hint,
    }
}

impl Format for FhirXml {
    fn name(&self) -> &'static str {
        "FHIR XML"
    }

    fn sniff(&self, bytes: &[u8]) -> bool {
        let text = reader::head(bytes);
        let text = text.trim_start_matches('\u{feff}').trim_ascii_start();
        text.starts_with('<')
            && [
                "=\"http://hl7.org/fhir\"",
                "='http://hl7.org/fhir'",
                "= \"http://hl7.org/fhir\"",
            ]
            .iter()
            .any(|namespace| text.contains(namespace))
            && !text.contains("urn:hl7-org:v3")
    }

    fn read(&self, bytes: &[u8]) -> Result<Draft, FormatError> {
        let source = Source {
            format: "FHIR XML",
            media_type: "application/fhir+xml",
        };
        source.must_be_small(bytes)?;
        let text = decode(bytes, source.format)?;
        let (tree, notes) = parse(&text)?;
        let kind = tree.get("resourceType").and_then(|kind| kind.as_str());
        if !kind.is_some_and(reader::is_kind) {
            return Err(error(
                FormatProblem::Foreign,
                "the first element".to_owned(),
                "FHIR has no resource of this name",
            ));
        }
        let is_bundle = kind == Some("Bundle");
        let tree = if is_bundle {
            tree
        } else {
            reader::around(vec![tree])
        };
        let notes = notes.into_iter().map(|note| Note {
            entry: note.entry.or((!is_bundle).then_some(0)),
            ..note
        });
        Ok(source.draft(bytes, tree, notes.collect()))
    }
}

/// The tree of one resource, by the release that fits it better, and what is not in it.
fn parse(text: &str) -> Result<(serde_json::Value, Vec<Note>), FormatError> {
    scan(text)?;
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|bad| of_parser(&bad))?;
    let root = document.root_element();
    if root.tag_name().namespace() != Some(FHIR) {
        return Err(error(
            FormatProblem::Foreign,
            "the first element".to_owned(),
            "the elements of FHIR are in the namespace http://hl7.org/fhir; try another format",
        ));
    }
    use crate::definition::Release::{R4, R5};
    let (as_r4, notes) = read::tree(root, Definitions::of(R4))?;
    let strange = misfits(Definitions::of(R4), &as_r4);
    if strange.is_empty() {
        return Ok((as_r4, notes));
    }
    let (as_r5, notes_r5) = read::tree(root, Definitions::of(R5))?;
    Ok(match release_of(&as_r5) {
        R5 => (as_r5, notes_r5),
        R4 => (as_r4, notes),
    })
}

fn of_parser(bad: &roxmltree::Error) -> FormatError {
    let place = bad.pos();
    let at = format!("line {}, column {}", place.row, place.col);
    match bad {
        roxmltree::Error::DtdDetected => error(
            FormatProblem::Forbidden("a document type declaration"),
            at,
            "remove the DOCTYPE; FHIR needs none",
        ),
        roxmltree::Error::NodesLimitReached => error(
            FormatProblem::TooLarge(format!("more than {MAX_NODES} elements")),
            at,
            "split the bundle",
        ),
        roxmltree::Error::UnclosedRootNode
        | roxmltree::Error::UnexpectedEndOfStream
        | roxmltree::Error::NoRootNode => error(
            FormatProblem::Truncated,
            at,
            "get the whole document again from its source",
        ),
        _ => error(
            FormatProblem::Malformed("not well-formed XML".to_owned()),
            at,
            "mend the XML there, or get the document again from its source",
        ),
    }
}

/// Refuses deep nesting, many attributes and DTDs in one pass, before a tree is built.
fn scan(text: &str) -> Result<(), FormatError> {
    let bytes = text.as_bytes();
    let too_large = |what: String, at: usize| {
        error(
            FormatProblem::TooLarge(what),
            format!("byte {at}"),
            "no FHIR document has so many; check the file",
        )
    };
    let (mut at, mut depth, mut elements) = (0, 0_usize, 0_usize);
    while let Some(open) = bytes[at..].iter().position(|&byte| byte == b'<') {
        let start = at + open;
        let rest = &text[start..];
        let end = match rest.as_bytes() {
            [b'<', b'!', b'-', b'-', ..] => rest.find("-->").map(|end| end + 3),
            [b'<', b'!', b'[', ..] => rest.find("]]>").map(|end| end + 3),
            [b'<', b'!', ..] => {
                return Err(error(
                    FormatProblem::Forbidden("a document type declaration"),
                    format!("byte {start}"),
                    "remove the DOCTYPE; FHIR needs none",
                ));
            }
            [b'<', b'?', ..] => rest.find("?>").map(|end| end + 2),
            tag => {
                let (end, attributes) = tag_end(tag);
                if attributes > MAX_ATTRIBUTES {
                    let what = format!("more than {MAX_ATTRIBUTES} attributes of one element");
                    return Err(too_large(what, start));
                }
                if let Some(end) = end {
                    elements += usize::from(!tag.starts_with(b"</"));
                    if tag.starts_with(b"</") {
                        depth = depth.saturating_sub(1);
                    } else if tag.get(end - 2) != Some(&b'/') {
                        depth += 1;
                    }
                }
                end
            }
        };
        if depth > MAX_DEPTH {
            return Err(too_large(format!("nesting deeper than {MAX_DEPTH}"), start));
        }
        let cut = || {
            error(
                FormatProblem::Truncated,
                format!("byte {start}"),
                "get the whole document again from its source",
            )
        };
        at = start + end.ok_or_else(cut)?;
    }
    if elements.saturating_mul(ELEMENT) > budget::most(text.len()) {
        let what = format!("{elements} elements in {} bytes", text.len());
        return Err(too_large(what, 0));
    }
    Ok(())
}

/// Where a tag ends, and how many attributes it has.
fn tag_end(tag: &[u8]) -> (Option<usize>, usize) {
    let (mut quote, mut attributes) = (None, 0);
    for (at, &byte) in tag.iter().enumerate() {
        match quote {
            Some(open) if open == byte => quote = None,
            None if byte == b'"' || byte == b'\'' => {
                quote = Some(byte);
                attributes += 1;
            }
            None if byte == b'>' => return (Some(at + 1), attributes),
            _ => {}
        }
    }
    (None, attributes)
}
