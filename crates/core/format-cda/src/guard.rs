//! Bytes to text, with limits on size and depth, before any tree is built.

use medibloc_record::{FormatError, FormatProblem};

/// Largest document read.
pub(crate) const MAX_BYTES: usize = 64 << 20;
/// Deepest nesting read.
const MAX_DEPTH: usize = 200;

/// Most attributes of one element: the tree compares each with all others.
const MAX_ATTRIBUTES: usize = 256;
/// Most namespaces, counted anew for every element that declares some: the tree copies what is in force there.
const MAX_NAMESPACES: usize = 4 << 20;

/// How the original bytes became text, to map offsets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Utf8 { skip: usize },
    Utf16,
    Latin1,
}

impl Encoding {
    /// The offset in the original of an offset in the decoded text.
    pub(crate) fn source_offset(self, text: &str, at: usize) -> u64 {
        let head = text.get(..at).unwrap_or(text);
        let bytes = match self {
            Self::Utf8 { skip } => at + skip,
            Self::Utf16 => 2 + 2 * head.encode_utf16().count(),
            Self::Latin1 => head.chars().count(),
        };
        bytes as u64
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

/// Decodes UTF-8, UTF-16 with a mark, and ISO-8859-1 if declared.
pub(crate) fn decode(bytes: &[u8]) -> Result<(String, Encoding), FormatError> {
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
    let wide = |rest: &[u8], join: fn([u8; 2]) -> u16| {
        if rest.len() % 2 == 1 {
            return Err(bad(bytes.len()));
        }
        let units: Vec<u16> = rest
            .chunks_exact(2)
            .map(|pair| join([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).map_err(|_| bad(2))
    };
    match bytes {
        [0xFF, 0xFE, rest @ ..] => Ok((wide(rest, u16::from_le_bytes)?, Encoding::Utf16)),
        [0xFE, 0xFF, rest @ ..] => Ok((wide(rest, u16::from_be_bytes)?, Encoding::Utf16)),
        _ => {
            let skip = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) {
                3
            } else {
                0
            };
            let body = &bytes[skip..];
            let head = String::from_utf8_lossy(&body[..body.len().min(120)]).to_ascii_lowercase();
            let latin = head.starts_with("<?xml")
                && ["iso-8859-1", "windows-1252", "us-ascii"]
                    .iter()
                    .any(|name| head.contains(name));
            match core::str::from_utf8(body) {
                Ok(text) => Ok((text.to_owned(), Encoding::Utf8 { skip })),
                Err(_) if latin => Ok((
                    body.iter().map(|&byte| char::from(byte)).collect(),
                    Encoding::Latin1,
                )),
                Err(problem) => Err(bad(skip + problem.valid_up_to())),
            }
        }
    }
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
    while let Some(open) = bytes[at..].iter().position(|&byte| byte == b'<') {
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
    let (mut quote, mut attributes, mut namespaces) = (None, 0, 0);
    let mut before = b'<';
    for (at, &byte) in bytes.iter().enumerate().skip(start) {
        match quote {
            Some(open) if open == byte => quote = None,
            None if byte == b'"' || byte == b'\'' => {
                quote = Some(byte);
                attributes += 1;
            }
            None if byte == b'>' => {
                let end = at + 1;
                return Some(Tag {
                    end,
                    attributes,
                    namespaces,
                });
            }
            None if before.is_ascii_whitespace() && bytes[at..].starts_with(b"xmlns") => {
                namespaces += 1;
            }
            _ => {}
        }
        before = byte;
    }
    None
}
