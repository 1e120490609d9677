//! The key of what an own address notes for itself, to be had again from the phrase alone (docs/format/notes.md).
//!
//! It is symmetric: the sealing key of an address is public, so whoever keeps the notes could seal one to it.

use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{Entropy, KeysError, Seed, Slot};

const NONCE: usize = 24;
const TAG: usize = 16;

/// Seals and opens the notes of one own address. Wiped on drop.
pub struct NoteKey {
    seal: Zeroizing<[u8; 32]>,
    place: Zeroizing<[u8; 32]>,
}

impl core::fmt::Debug for NoteKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("NoteKey(…)")
    }
}

impl Seed {
    /// The key of the notes of one own address; it stays whichever key signs or is sealed to for it.
    pub fn note_key(&self, slot: Slot) -> NoteKey {
        let of = match slot {
            Slot::Account => "account".to_owned(),
            Slot::Relationship(index) => index.to_string(),
        };
        NoteKey {
            seal: self.local_key(&format!("note/{of}")),
            place: self.local_key(&format!("note-place/{of}")),
        }
    }
}

impl NoteKey {
    /// Bytes that sealing adds.
    pub const ADDED: usize = NONCE + TAG;

    /// Nonce and XChaCha20-Poly1305 of the text; `about` is bound to it and not in it.
    pub fn seal(&self, about: &[u8], plain: &[u8], entropy: &mut dyn Entropy) -> Vec<u8> {
        let mut sealed = vec![0; NONCE];
        entropy.fill(&mut sealed);
        let nonce = XNonce::try_from(sealed.as_slice()).expect("it has 24 bytes");
        let payload = Payload {
            msg: plain,
            aad: about,
        };
        let text = self
            .cipher()
            .encrypt(&nonce, payload)
            .expect("a note is far below the cipher's limit");
        sealed.extend_from_slice(&text);
        sealed
    }

    /// The text of a note.
    ///
    /// # Errors
    /// [`KeysError::Note`] if it was made with another phrase, for another address or place, or was changed.
    pub fn open(&self, about: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let (nonce, text) = sealed.split_at_checked(NONCE).ok_or(KeysError::Note)?;
        let nonce = XNonce::try_from(nonce).expect("it has 24 bytes");
        let payload = Payload {
            msg: text,
            aad: about,
        };
        let plain = self.cipher().decrypt(&nonce, payload);
        plain.map(Zeroizing::new).map_err(|_| KeysError::Note)
    }

    /// 32 bytes that say for whoever has the key alone where a thing belongs: nobody else finds it among ids that are public.
    pub fn place(&self, thing: &[u8]) -> [u8; 32] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.place[..]).expect("HMAC takes keys of any length");
        mac.update(thing);
        mac.finalize().into_bytes().into()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.seal).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    #[test]
    fn a_note_opens_with_its_own_phrase_address_and_place_alone() {
        let (seed, other) = (Seed::new([7; 64]), Seed::new([8; 64]));
        let key = seed.note_key(Slot::Relationship(1));
        let sealed = key.seal(b"place 1", b"a text", &mut SeededEntropy::new(1));
        assert_eq!(sealed.len(), b"a text".len() + NoteKey::ADDED);
        let plain = key.open(b"place 1", &sealed).expect("its own");
        assert_eq!(plain.as_slice(), b"a text");
        for (key, about) in [
            (other.note_key(Slot::Relationship(1)), &b"place 1"[..]),
            (seed.note_key(Slot::Relationship(2)), b"place 1"),
            (seed.note_key(Slot::Account), b"place 1"),
            (seed.note_key(Slot::Relationship(1)), b"place 2"),
        ] {
            assert_eq!(key.open(about, &sealed), Err(KeysError::Note));
        }
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(b"place 1", &changed), Err(KeysError::Note), "{at}");
            assert_eq!(key.open(b"place 1", &sealed[..at]), Err(KeysError::Note));
        }
        assert_ne!(key.place(b"x"), other.note_key(Slot::Account).place(b"x"));
    }
}
