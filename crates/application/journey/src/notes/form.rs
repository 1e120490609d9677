//! The form of a note (docs/format/notes.md): entries, padded to one of four sizes, sealed for one place of one own address.

use medibloc_dag::cbor;
use medibloc_keys::NoteKey;
use medibloc_record::{AccountId, Address, Digest, GrantId, RecordId, Timestamp, TypedDomain};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::JourneyError;
use crate::party::decode;

/// Sizes of a sealed note.
const SIZES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// The longest note of an address whose room at the node is 1 MiB: sixteen of them fill it and none is refused.
pub(crate) const OF_ADDRESS: usize = SIZES[2];
/// The longest note of an account that is, or may be, accredited.
pub(crate) const OF_PROVIDER: usize = SIZES[3];
/// The length of the text before it.
const LENGTH: usize = 4;
/// What is not entries: version, turn, and their names.
const FRAME: usize = 64;
/// Places of one address.
const PLACES: u8 = 16;

/// What an entry is about. An address has one entry about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum About {
    /// What this home calls an owner.
    Label(AccountId),
    /// Whom the owner said to be.
    Person,
    /// That a record is about its owner, whomever it names.
    Confirmed(RecordId),
    /// A consent to read that was held.
    Held(GrantId),
    /// A consent to read that was given.
    Given(GrantId),
    /// A credential that consents name by its SHA-256, once for all of them.
    Credential(Digest),
    /// Who answered the invitation of an own address.
    Contact(AccountId),
    /// An owner whose invitation was answered.
    Patron(AccountId),
    /// When everything of the contact of an own address was taken back last.
    TakenBack(AccountId),
    /// When everything was taken back last.
    AllTakenBack,
}

impl About {
    pub(crate) fn key(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    /// Whether it says when something was taken back.
    pub(crate) const fn is_taken_back(&self) -> bool {
        matches!(self, Self::TakenBack(_) | Self::AllTakenBack)
    }

    /// Its place among those of an address.
    pub(crate) fn place(&self, key: &NoteKey) -> u8 {
        key.place(&self.key())[0] % PLACES
    }
}

/// One thing that was noted.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What it is about.
    pub(crate) about: About,
    /// When it was said, by the clock of the home that said it: of two the later one counts.
    pub(crate) at: Timestamp,
    /// What was said, in DAG-CBOR; none if it was taken back.
    pub(crate) says: Option<ByteBuf>,
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Entry(..)")
    }
}

impl Entry {
    /// What it says; none if it was taken back.
    pub(crate) fn says<T>(&self) -> Result<Option<T>, JourneyError>
    where
        T: serde::de::DeserializeOwned + Serialize,
    {
        let says = self.says.as_ref();
        says.map(|says| decode("note", says)).transpose()
    }
}

/// What stands at one place of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// 1.
    version: u8,
    /// Grows by one with each writing of the place.
    pub(crate) turn: u64,
    /// The entries.
    pub(crate) entries: Vec<Entry>,
}

impl Note {
    /// As many entries as fit into one note of at most so many bytes, the newest first and credentials last, and how many do not.
    pub(crate) fn of(turn: u64, mut entries: Vec<Entry>, most: usize) -> (Self, usize) {
        let all = entries.len();
        entries.sort_by_key(|entry| {
            let is_credential = matches!(entry.about, About::Credential(_));
            (is_credential, core::cmp::Reverse(entry.at), entry.about)
        });
        let mut room = most - NoteKey::ADDED - LENGTH - FRAME;
        let fits = entries.iter().take_while(|entry| {
            let left = room.checked_sub(cbor::to_vec(*entry).len());
            room = left.unwrap_or_default();
            left.is_some()
        });
        let fits = fits.count();
        entries.truncate(fits);
        let note = Self {
            version: 1,
            turn,
            entries,
        };
        (note, all - fits)
    }

    /// The text with its length before it and zeros after it, so that sealed it has one of the four sizes.
    pub fn to_plain(&self) -> Vec<u8> {
        let text = cbor::to_vec(self);
        let length = u32::try_from(text.len()).expect("a note has at most 256 KiB");
        let mut plain = length.to_be_bytes().to_vec();
        plain.extend_from_slice(&text);
        let size = SIZES
            .into_iter()
            .find(|size| plain.len() + NoteKey::ADDED <= *size);
        plain.resize(
            size.unwrap_or_default()
                .saturating_sub(NoteKey::ADDED)
                .max(plain.len()),
            0,
        );
        plain
    }

    /// The note in an opened text.
    ///
    /// # Errors
    /// If it is cut, is not padded with zeros, has another form, or is of a later version.
    pub fn parse(plain: &[u8]) -> Result<Self, JourneyError> {
        let bad = |why: &str| JourneyError::Untrusted {
            what: "note",
            why: why.into(),
        };
        let cut = || bad("it is cut");
        let (length, rest) = plain.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| cut())?;
        let (text, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        if rest.iter().any(|byte| *byte != 0) {
            return Err(bad("more follows its end"));
        }
        let note: Self = decode("note", text)?;
        if note.version != 1 {
            return Err(bad("it is of a later version; use a newer program"));
        }
        Ok(note)
    }
}

/// What a sealed note is bound to: deployment, address and place.
pub(crate) fn bound(domain: &TypedDomain, own: Address, place: u8) -> Vec<u8> {
    let chain = domain.chain_id.to_be_bytes();
    let label: &[u8] = b"medibloc/v1/note";
    [
        label,
        &chain,
        domain.records.as_bytes(),
        own.as_bytes(),
        &[place],
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use medibloc_keys::{Seed, SeededEntropy, Slot};

    use super::*;

    fn entry(number: u8, bytes: usize) -> Entry {
        Entry {
            about: About::Label(AccountId::new([number; 20])),
            at: Timestamp(number.into()),
            says: Some(ByteBuf::from(vec![7; bytes])),
        }
    }

    #[test]
    fn a_note_has_one_of_four_sizes_and_opens_again() {
        let key = Seed::new([7; 64]).note_key(Slot::Account);
        for (bytes, size) in [
            (0, 4 << 10),
            (3_900, 4 << 10),
            (4_000, 16 << 10),
            (60_000, 64 << 10),
            (250_000, 256 << 10),
        ] {
            let (note, left) = Note::of(3, vec![entry(1, bytes)], OF_PROVIDER);
            let sealed = key.seal(b"here", &note.to_plain(), &mut SeededEntropy::new(1));
            assert_eq!((sealed.len(), left), (size, 0), "{bytes}");
            let plain = key.open(b"here", &sealed).expect("its own");
            assert_eq!(Note::parse(&plain).expect("its own"), note);
        }
    }

    #[test]
    fn what_does_not_fit_is_counted_and_the_newest_stays() {
        let entries: Vec<Entry> = (1..=3).map(|number| entry(number, 100_000)).collect();
        let (note, left) = Note::of(1, entries, OF_PROVIDER);
        assert_eq!(left, 1);
        let numbers: Vec<u64> = note.entries.iter().map(|entry| entry.at.0).collect();
        assert_eq!(numbers, [3, 2]);
        assert_eq!(note.to_plain().len() + NoteKey::ADDED, 256 << 10);
    }

    #[test]
    fn what_is_no_note_says_why() {
        let good = Note::of(1, vec![entry(1, 8)], OF_PROVIDER).0.to_plain();
        let mut padded = good.clone();
        *padded.last_mut().expect("it is padded") = 1;
        let later = Note {
            version: 2,
            turn: 1,
            entries: Vec::new(),
        };
        for (plain, told) in [
            (vec![], "it is cut"),
            (vec![0, 0, 0, 9, 1], "it is cut"),
            (vec![0xff; 64], "it is cut"),
            (padded, "more follows"),
            (vec![0, 0, 0, 1, 0xff], "is not valid"),
            (later.to_plain(), "later version"),
        ] {
            let error = Note::parse(&plain).expect_err(told).to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
