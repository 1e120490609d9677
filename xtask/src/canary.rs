//! A search for what must not be there: pieces of documents, names and secrets, in every form in which a program could
//! leave them (UTF-8, UTF-16, hexadecimal, base64, and each of these inside compressed data).

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};

/// Shortest text that is searched for; shorter ones occur by chance.
const SHORTEST: usize = 10;
/// Inflated bytes looked at for each compressed piece.
const INFLATED: u64 = 16 << 20;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct Canary {
    /// Label and the bytes of one form.
    needles: Vec<(String, Vec<u8>)>,
    /// The first text, for the control.
    first: Option<String>,
}

/// What a search saw and found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Files looked at.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Label, form and file of everything found.
    pub found: Vec<String>,
}

/// The forms of a text.
fn forms(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = text.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![
        ("UTF-8", bytes.to_vec()),
        (
            "UTF-16LE",
            text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        ),
        (
            "UTF-16BE",
            text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        ),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
    ];
    // In base64 a text looks different at each of three places; the digits at its edges depend on its neighbours.
    for (name, shift) in [("base64+0", 0), ("base64+1", 1), ("base64+2", 2)] {
        let mut padded = vec![0; shift];
        padded.extend_from_slice(bytes);
        let digits = STANDARD.encode(&padded);
        let from = [0, 2, 3][shift];
        let whole = padded.len() / 3 * 4;
        if whole > from {
            let inner = &digits[from..whole];
            forms.push((name, inner.as_bytes().to_vec()));
            let url = inner.replace('+', "-").replace('/', "_");
            if url != inner {
                forms.push(("base64url", url.into_bytes()));
            }
        }
    }
    forms
}

impl Canary {
    /// Searches for a text in all its forms.
    pub fn secret(&mut self, label: &str, text: &str) {
        self.first.get_or_insert_with(|| text.to_owned());
        for (form, bytes) in forms(text) {
            self.needles.push((format!("{label} as {form}"), bytes));
        }
    }

    /// Searches for the texts of an XML document: every longer text between two tags that is the document's own.
    pub fn document(&mut self, name: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let mut seen = BTreeSet::new();
        for piece in text.split('>').filter_map(|piece| piece.split('<').next()) {
            let piece = piece.trim();
            if piece.len() >= SHORTEST && piece.len() <= 80 && seen.insert(piece.to_owned()) {
                self.secret(&format!("{name}: text {}", seen.len()), piece);
            }
        }
        // Names are short, but given and family name of the patient together are not.
        let of = |tag: &str| {
            let begin = text.find("<patient>").or_else(|| text.find("<patient "))?;
            let from = text[begin..].find(&format!("<{tag}"))? + begin;
            let open = text[from..].find('>')? + from + 1;
            let close = text[open..].find('<')? + open;
            Some(text[open..close].trim().to_owned())
        };
        if let (Some(given), Some(family)) = (of("given"), of("family")) {
            for joined in [
                format!("{given} {family}"),
                format!("{family}, {given}"),
                format!("{family} {given}"),
            ] {
                self.secret(&format!("{name}: name"), &joined);
            }
        }
    }

    /// How many forms the control has, each plain, gzipped and deflated.
    pub fn forms(&self) -> usize {
        self.first
            .as_deref()
            .map_or(0, |text| forms(text).len() * 3)
    }

    /// A control: the first text in every form, plain and compressed; a search must find all.
    pub fn planted(&self) -> Result<Vec<u8>> {
        let text = self.first.as_deref().context("nothing is searched for")?;
        let mut out = Vec::new();
        for (_, form) in forms(text) {
            out.extend_from_slice(&form);
            out.push(0);
            let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
            gzip.write_all(&form)?;
            out.extend(gzip.finish()?);
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
            zlib.write_all(&form)?;
            out.extend(zlib.finish()?);
        }
        Ok(out)
    }

    /// Searches every file below a folder.
    pub fn scan(&self, folder: &Path) -> Result<Report> {
        let mut report = Report::default();
        let mut open = vec![folder.to_path_buf()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(&folder)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let bytes = match fs::read(&path) {
                    Ok(bytes) => bytes,
                    // A socket keeps nothing; a program that runs may have taken its file away.
                    Err(_) if !path.is_file() => continue,
                    Err(error) => return Err(error.into()),
                };
                report.files += 1;
                report.bytes += bytes.len() as u64;
                let name = path
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned());
                self.look(&bytes, &name.unwrap_or_default(), &mut report.found);
            }
        }
        Ok(report)
    }

    fn look(&self, bytes: &[u8], file: &str, found: &mut Vec<String>) {
        let table = self.table();
        self.find(&table, bytes, file, found);
        for piece in inflated(bytes) {
            self.find(&table, &piece, &format!("{file}, compressed"), found);
        }
    }

    /// Needles by their first four bytes, so that one pass sees all.
    fn table(&self) -> std::collections::HashMap<[u8; 4], Vec<usize>> {
        let mut table: std::collections::HashMap<[u8; 4], Vec<usize>> = Default::default();
        for (index, (_, needle)) in self.needles.iter().enumerate() {
            if let Some(first) = needle.first_chunk::<4>() {
                table.entry(*first).or_default().push(index);
            }
        }
        table
    }

    fn find(
        &self,
        table: &std::collections::HashMap<[u8; 4], Vec<usize>>,
        bytes: &[u8],
        file: &str,
        found: &mut Vec<String>,
    ) {
        let mut seen = BTreeSet::new();
        for at in 0..bytes.len().saturating_sub(3) {
            let Some(candidates) = bytes[at..]
                .first_chunk::<4>()
                .and_then(|four| table.get(four))
            else {
                continue;
            };
            for &index in candidates {
                let (label, needle) = &self.needles[index];
                if bytes[at..].starts_with(needle) && seen.insert(index) {
                    found.push(format!("{label} in {file} at byte {at}"));
                }
            }
        }
    }
}

/// What every compressed piece in these bytes holds: gzip, zlib, and zip's raw deflate.
fn inflated(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    for at in 0..bytes.len().saturating_sub(2) {
        let rest = &bytes[at..];
        let mut out = Vec::new();
        let read = match (rest[0], rest[1], rest[2]) {
            (0x1f, 0x8b, 8) => GzDecoder::new(rest).take(INFLATED).read_to_end(&mut out),
            (0x78, second, _) if (0x7800 + u16::from(second)) % 31 == 0 => {
                ZlibDecoder::new(rest).take(INFLATED).read_to_end(&mut out)
            }
            (b'P', b'K', 3) => {
                let length = |from: usize| {
                    rest.get(from..from + 2)
                        .and_then(|two| two.try_into().ok())
                        .map_or(0, |two| usize::from(u16::from_le_bytes(two)))
                };
                let body = rest.get(30 + length(26) + length(28)..).unwrap_or_default();
                DeflateDecoder::new(body)
                    .take(INFLATED)
                    .read_to_end(&mut out)
            }
            _ => continue,
        };
        // A piece that breaks off is searched as far as it goes.
        drop(read);
        if out.len() >= 8 {
            pieces.push(out);
        }
    }
    pieces
}
