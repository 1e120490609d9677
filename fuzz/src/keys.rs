//! Key files and phrases.

use medibloc_keys::{KeyFile, KeysError, Phrase, Seed, Slot};
use medibloc_record::Digest;

/// Key files whose check fits, sealed notes, and phrases as people type them.
pub fn keys(data: &[u8]) {
    let _any = KeyFile::open(data, "golden");
    if let Ok(file) = <[u8; 144]>::try_from(&data[..data.len().min(144)]) {
        let mut file = file.to_vec();
        file[..10].copy_from_slice(b"mediblck\x01\x01");
        // Costs are kept small here: at most 255 KiB and 3 passes, any number of lanes.
        file[10..13].fill(0);
        file[14..17].fill(0);
        file[17] &= 3;
        let check = Digest::of(&file);
        file.extend_from_slice(&check.as_bytes()[..8]);
        let _forged = KeyFile::open(&file, "golden");
    }
    let key = Seed::new([7; 64]).note_key(Slot::Account);
    // Nobody makes a note without the phrase.
    assert_eq!(key.open(b"here", data), Err(KeysError::Note));
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(phrase) = Phrase::parse(text)
    {
        assert_eq!(Phrase::parse(&phrase.words()), Ok(phrase));
    }
}
