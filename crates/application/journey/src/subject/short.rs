//! A form of any size, taken piece by piece: of its long texts, a scan in a document, say, only the beginning is kept, so that
//! what names somebody has room.

use std::io::{self, Write};

use zeroize::Zeroizing;

use super::{Named, Unread};
use crate::Labelled;

/// Bytes that are kept of one form.
const MOST_KEPT: usize = 32 << 20;

/// Letters of a text that are kept: more than of any that is looked at.
const MOST_TEXT: usize = 4_096;

/// Where in the JSON the next byte stands.
#[derive(Clone, Copy)]
enum At {
    /// Outside of texts, behind a blank or not.
    Between { blank: bool },
    /// In a text, behind so many letters.
    Text(usize),
    /// Behind a backslash in it.
    Escape(usize),
    /// Before so many more digits of a letter's number.
    Number(usize, u8),
    /// In what is left out of a text.
    Cut,
    /// Behind a backslash in it.
    CutEscape,
}

/// Takes the bytes of a FHIR form as they come, and says at the end whom it names. It takes 100 MB of memory, whatever comes.
pub(crate) struct Reading {
    kept: Zeroizing<Vec<u8>>,
    at: At,
    is_over: bool,
}

impl Reading {
    pub(crate) fn new() -> Self {
        Self {
            kept: Zeroizing::new(Vec::new()),
            at: At::Between { blank: false },
            is_over: false,
        }
    }

    /// Whom the form names, if all of it was written here.
    pub(crate) fn named(&self, is_whole: bool) -> Named {
        match (self.is_over, is_whole) {
            (true, _) => Named::Unread(Unread::TooLarge),
            (false, false) => Named::Unread(Unread::Unreadable),
            (false, true) => Named::of_form(&self.kept),
        }
    }

    /// What the labels in the form say, if all of it was written here.
    pub(crate) fn labelled(&self, is_whole: bool) -> Labelled {
        match (self.is_over, is_whole) {
            (true, _) => Labelled::Unread(Unread::TooLarge),
            (false, false) => Labelled::Unread(Unread::Unreadable),
            (false, true) => Labelled::of_form(&self.kept),
        }
    }

    /// Whether a byte is kept; goes on behind it.
    fn keeps(&mut self, byte: u8) -> bool {
        let (at, keeps) = match (self.at, byte) {
            (At::Between { .. }, b'"') => (At::Text(0), true),
            // One blank is enough.
            (At::Between { blank }, b' ' | b'\n' | b'\r' | b'\t') => {
                (At::Between { blank: true }, !blank)
            }
            (At::Between { .. }, _)
            | (At::Text(_), b'"')
            // What a text is cut at ends it.
            | (At::Cut, b'"') => (At::Between { blank: false }, true),
            (At::Text(letters), b'\\') => (At::Escape(letters + 1), true),
            // Never within a letter.
            (At::Text(letters), _) if letters >= MOST_TEXT && byte.is_ascii() => (At::Cut, false),
            (At::Text(letters), _) => (At::Text(letters + 1), true),
            (At::Escape(letters), b'u') => (At::Number(letters, 4), true),
            (At::Escape(letters) | At::Number(letters, 0 | 1), _) => (At::Text(letters), true),
            (At::Number(letters, left), _) => (At::Number(letters, left - 1), true),
            (At::Cut, b'\\') => (At::CutEscape, false),
            (At::Cut | At::CutEscape, _) => (At::Cut, false),
        };
        self.at = at;
        keeps
    }
}

impl Write for Reading {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            if self.keeps(*byte) {
                if self.kept.len() >= MOST_KEPT {
                    self.is_over = true;
                    return Err(io::Error::other("more than there is room for"));
                }
                self.kept.push(*byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Named {
    /// Whom a FHIR form in JSON names, of anybody's making and any size: the same as [`Subject::of`](super::Subject::of) of its
    /// tree says, in 100 MB of memory beside the bytes.
    pub fn read(json: &[u8]) -> Self {
        let mut reading = Reading::new();
        let whole = reading.write_all(json);
        reading.named(whole.is_ok())
    }
}

impl Labelled {
    /// What the labels of a FHIR form in JSON say, of anybody's making and any size, in 100 MB of memory beside the bytes.
    pub fn read(json: &[u8]) -> Self {
        let mut reading = Reading::new();
        let whole = reading.write_all(json);
        reading.labelled(whole.is_ok())
    }
}
