//! Bytes to text, with limits on size and depth, before any tree is built.

use std::borrow::Cow;

use encoding_rs::Encoding;
use medibloc_record::{FormatError, FormatProblem};

/// Largest document read.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// Deepest nesting read.
const MAX_DEPTH: usize = 200;

/// Most attributes of one element: the tree compares each with all others.
const MAX_ATTRIBUTES: usize = 256;
/// Most namespaces, counted anew for every element that declares some: the tree copies what is in force there.
const MAX_NAMESPACES: usize = 4 << 20;

/// How the original bytes became text.
#[derive(Clone, Copy, Debug)]
enum Kind {
    /// With so many bytes of a mark before it.
    Utf8 {
        mark: usize,
    },
    Utf16 {
        mark: usize,
    },
    /// An older encoding, by its declaration.
    Named(&'static Encoding),
}

/// The text of a document, and where in the original each part of it stands.
#[derive(Debug)]
pub(crate) struct Decoded<'b> {
    pub(crate) text: Cow<'b, str>,
    kind: Kind,
    /// Offsets in the text, and in the original, each some hundred bytes apart.
    marks: Vec<(usize, usize)>,
}

impl<'b> Decoded<'b> {
    fn new(text: Cow<'b, str>, kind: Kind) -> Self {
        const STEP: usize = 512;
        let mut marks = Vec::new();
        if let Kind::Utf16 { mark } = kind {
            marks.push((0, mark));
        } else if let Kind::Named(_) = kind {
            marks.push((0, 0));
        }
        let mut this = Self { text, kind, marks };
        while let Some(&(at, source)) = this.marks.last() {
            let mut next = at + STEP;
            while next < this.text.len() && !this.text.is_char_boundary(next) {
                next += 1;
            }
            if next >= this.text.len() {
                break;
            }
            let length = this.length(&this.text[at..next]);
            this.marks.push((next, source + length));
        }
        this
    }

    /// Bytes of the original that a piece of the text has.
    fn length(&self, piece: &str) -> usize {
        match self.kind {
            Kind::Utf8 { .. } => piece.len(),
            Kind::Utf16 { .. } => 2 * piece.encode_utf16().count(),
            Kind::Named(encoding) => encoding.encode(piece).0.len(),
        }
    }

    /// The offset in the original of an offset in the text.
    pub(crate) fn source_offset(&self, at: usize) -> u64 {
        if let Kind::Utf8 { mark } = self.kind {
            return (at + mark) as u64;
        }
        let found = self
            .marks
            .partition_point(|(text, _)| *text <= at)
            .saturating_sub(1);
        let (text, source) = self.marks[found];
        let piece = self.text.get(text..at).unwrap_or_default();
        (source + self.length(piece)) as u64
    }
}

pub(crate) fn error(problem: FormatProblem, at: String, hint: &'static str) -> FormatError {
    FormatError {
        format: "HL7 CDA",
        problem,
        at,
        hint,
    }
}

/// Decodes by the byte order mark, by the bytes, and by what the XML declaration says (XML 1.0, appendix F).
pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, FormatError> {
    if bytes.len() > MAX_BYTES {
        let problem =
            FormatProblem::TooLarge(format!("{} bytes, at most {MAX_BYTES}", bytes.len()));
        return Err(error(
            problem,
            format!("byte {MAX_BYTES}"),
            "split the document",
        ));
    }
    let bad = |at: usize| {
        error(
            FormatProblem::Encoding,
            format!("byte {at}"),
            "save the document as UTF-8 and declare that encoding",
        )
    };
    let wide = |mark: usize, join: fn([u8; 2]) -> u16| {
        let rest = &bytes[mark..];
        if rest.len() % 2 == 1 {
            return Err(bad(bytes.len()));
        }
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .map(|pair| join([pair[0], pair[1]]))
            .collect();
        let text = String::from_utf16(&units).map_err(|_| bad(mark))?;
        Ok(Decoded::new(text.into(), Kind::Utf16 { mark }))
    };
    match bytes {
        [0xFF, 0xFE, ..] => return wide(2, u16::from_le_bytes),
        [0xFE, 0xFF, ..] => return wide(2, u16::from_be_bytes),
        [b'<', 0, _, 0, ..] => return wide(0, u16::from_le_bytes),
        [0, b'<', 0, _, ..] => return wide(0, u16::from_be_bytes),
        _ => {}
    }
    let mark = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
        3
    } else {
        0
    };
    let body = &bytes[mark..];
    match core::str::from_utf8(body) {
        Ok(text) => Ok(Decoded::new(text.into(), Kind::Utf8 { mark })),
        Err(problem) => {
            // What is no UTF-8 is what it says that it is, if the library knows that and every byte of it is a letter there.
            let named = declared(body)
                .and_then(Encoding::for_label)
                .filter(|_| mark == 0);
            let named = named.filter(|encoding| {
                *encoding != encoding_rs::UTF_8 && encoding.is_ascii_compatible()
            });
            let text = named.and_then(|encoding| {
                Some((
                    encoding.decode_without_bom_handling_and_without_replacement(body)?,
                    encoding,
                ))
            });
            match text {
                Some((text, encoding)) => Ok(Decoded::new(text, Kind::Named(encoding))),
                None => Err(bad(mark + problem.valid_up_to())),
            }
        }
    }
}

/// The encoding that the XML declaration names.
fn declared(bytes: &[u8]) -> Option<&[u8]> {
    let head = &bytes[..bytes.len().min(200)];
    let head = head.strip_prefix(b"<?xml")?;
    let end = head.windows(2).position(|two| two == b"?>")?;
    let head = &head[..end];
    let at = head.windows(8).position(|word| word == b"encoding")?;
    let rest = head[at + 8..]
        .trim_ascii_start()
        .strip_prefix(b"=")?
        .trim_ascii_start();
    let quote = *rest.first().filter(|byte| b"\"'".contains(byte))?;
    let rest = &rest[1..];
    rest.iter()
        .position(|byte| *byte == quote)
        .map(|end| &rest[..end])
}

/// Refuses DTDs, deep nesting and too many attributes with one pass and no recursion.
pub(crate) fn scan(text: &str) -> Result<(), FormatError> {
    let bytes = text.as_bytes();
    let cut = |at: usize| {
        error(
            FormatProblem::Truncated,
            format!("byte {at}"),
            "get the whole document again from its source",
        )
    };
    let find = |from: usize, end: &str| {
        text.get(from..)
            .and_then(|rest| rest.find(end))
            .map(|at| from + at + end.len())
    };
    let (mut at, mut depth) = (0, 0_usize);
    // Namespaces in force at each depth, and all that the tree copies.
    let (mut in_force, mut copied) = (vec![0_usize], 0_usize);
    while let Some(open) = text.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + open;
        let rest = &bytes[start..];
        let next = if rest.starts_with(b"<!--") {
            find(start + 4, "-->")
        } else if rest.starts_with(b"<![CDATA[") {
            find(start, "]]>")
        } else if rest.starts_with(b"<!") {
            return Err(error(
                FormatProblem::Forbidden("a document type declaration"),
                format!("byte {start}"),
                "remove the DOCTYPE; CDA documents need none",
            ));
        } else if rest.starts_with(b"<?") {
            find(start, "?>")
        } else {
            let tag = tag(bytes, start);
            if let Some(Tag {
                end,
                attributes,
                namespaces,
            }) = tag
            {
                let in_tag = in_force.last().copied().unwrap_or(0) + namespaces;
                copied += if namespaces > 0 { in_tag } else { 0 };
                if attributes > MAX_ATTRIBUTES || copied > MAX_NAMESPACES {
                    let what = if attributes > MAX_ATTRIBUTES {
                        format!("an element of {attributes} attributes, at most {MAX_ATTRIBUTES}")
                    } else {
                        "too many declarations of namespaces".to_owned()
                    };
                    return Err(error(
                        FormatProblem::TooLarge(what),
                        format!("byte {start}"),
                        "no CDA document has so many; check the file",
                    ));
                }
                if rest.starts_with(b"</") {
                    depth = depth.saturating_sub(1);
                    in_force.truncate(depth + 1);
                } else if bytes[end - 2] != b'/' {
                    depth += 1;
                    in_force.push(in_tag);
                }
            }
            tag.map(|tag| tag.end)
        };
        if depth > MAX_DEPTH {
            return Err(error(
                FormatProblem::TooLarge(format!("nesting deeper than {MAX_DEPTH}")),
                format!("byte {start}"),
                "no CDA document nests so deep; check the file",
            ));
        }
        at = next.ok_or_else(|| cut(start))?;
    }
    if depth > 0 {
        Err(cut(text.len()))
    } else {
        Ok(())
    }
}

/// What a tag is, without its text.
struct Tag {
    end: usize,
    attributes: usize,
    namespaces: usize,
}

fn tag(bytes: &[u8], start: usize) -> Option<Tag> {
    let (mut attributes, mut namespaces) = (0, 0);
    let (mut at, mut after_space) = (start, false);
    loop {
        match *bytes.get(at)? {
            b'>' => {
                let end = at + 1;
                return Some(Tag {
                    end,
                    attributes,
                    namespaces,
                });
            }
            quote @ (b'"' | b'\'') => {
                attributes += 1;
                let value = bytes.get(at + 1..)?;
                at += 1 + value.iter().position(|&byte| byte == quote)?;
                after_space = false;
            }
            b'x' if after_space && bytes[at..].starts_with(b"xmlns") => {
                namespaces += 1;
                after_space = false;
            }
            byte => after_space = byte.is_ascii_whitespace(),
        }
        at += 1;
    }
}
