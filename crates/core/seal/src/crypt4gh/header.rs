//! The header (Crypt4GH 1.0, sections 3.2 and 3.3): magic, version, packet count, one sealed packet for each reader.

use std::collections::BTreeSet;
use std::io::Read;

use blake2::{Blake2b512, Digest as _};
use medibloc_keys::{Entropy, SealingSecret};
use medibloc_record::{Digest, PartKey};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

use super::{Crypt4ghError, Recipient};
use crate::body::fill;

/// Packets that a reader takes and a writer makes.
pub const MAX_HEADER_PACKETS: u32 = 1024;

const MAGIC: &[u8; 8] = b"crypt4gh";
const VERSION: u32 = 1;
/// Length and method.
const PACKET_HEAD: u32 = 8;
/// Largest packet: an edit list of 8,000 entries still gets its own error.
const MAX_PACKET: u32 = 1 << 16;
const X25519_CHACHA20_POLY1305: u32 = 0;
const DATA_PARAMETERS: u32 = 0;
const EDIT_LIST: u32 = 1;
const DATA_CHACHA20_POLY1305: u32 = 0;

/// What the header tells its reader.
#[derive(Clone, Debug)]
pub struct Header {
    /// The key of the data segments.
    pub key: PartKey,
    /// The writer's public key. Nothing proves that it is any person's: writers usually make one up for each file.
    pub writer: Recipient,
    /// Bytes of the header.
    pub length: u64,
}

/// The header that tells `key` to each recipient, sealed by a writer's key that is made up for it.
///
/// # Errors
/// If there is no recipient, one is named twice, or is no key.
pub fn write_header(
    key: &PartKey,
    recipients: &[Recipient],
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, Crypt4ghError> {
    if recipients.is_empty() {
        return Err(Crypt4ghError::NoRecipient);
    }
    let count = u32::try_from(recipients.len())
        .ok()
        .filter(|count| *count <= MAX_HEADER_PACKETS)
        .ok_or(Crypt4ghError::TooManyRecipients {
            count: recipients.len(),
        })?;
    let mut secret = Zeroizing::new([0; 32]);
    entropy.fill(secret.as_mut());
    let writer = StaticSecret::from(*secret);
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&count.to_le_bytes());
    let mut seen = BTreeSet::new();
    for (number, recipient) in recipients.iter().enumerate() {
        if !seen.insert(recipient) {
            return Err(Crypt4ghError::RepeatedRecipient { recipient: number });
        }
        let packet = write_packet(key, recipient, &writer, entropy)
            .ok_or(Crypt4ghError::BadRecipient { recipient: number })?;
        header.extend_from_slice(&packet);
    }
    Ok(header)
}

/// A packet, its length first; none if the recipient is no key.
fn write_packet(
    key: &PartKey,
    recipient: &Recipient,
    writer: &StaticSecret,
    entropy: &mut dyn Entropy,
) -> Option<Vec<u8>> {
    let public = PublicKey::from(writer);
    let shared = shared_key(
        writer,
        recipient.as_bytes(),
        recipient.as_bytes(),
        public.as_bytes(),
    )?;
    let mut nonce = [0; 12];
    entropy.fill(&mut nonce);
    let mut payload = Zeroizing::new(Vec::with_capacity(64));
    payload.extend_from_slice(&DATA_PARAMETERS.to_le_bytes());
    payload.extend_from_slice(&DATA_CHACHA20_POLY1305.to_le_bytes());
    payload.extend_from_slice(key.expose());
    let tag = shared
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut payload,
        )
        .expect("40 bytes are far below the cipher's limit");
    let mut packet = Vec::new();
    packet.extend_from_slice(&X25519_CHACHA20_POLY1305.to_le_bytes());
    packet.extend_from_slice(public.as_bytes());
    packet.extend_from_slice(&nonce);
    packet.extend_from_slice(&payload);
    packet.extend_from_slice(tag.as_ref());
    let length = u32::try_from(packet.len() + 4).expect("a packet of ours has 108 bytes");
    packet.splice(..0, length.to_le_bytes());
    Some(packet)
}

/// Blake2b(X25519(own, peer) ‖ reader ‖ writer), first 32 bytes (section 3.3.1). None if the peer's key gives no secret.
fn shared_key(
    own: &StaticSecret,
    peer: &[u8; 32],
    reader: &[u8; 32],
    writer: &[u8; 32],
) -> Option<LessSafeKey> {
    let secret = own.diffie_hellman(&PublicKey::from(*peer));
    if !secret.was_contributory() {
        return None;
    }
    let mut hash = Blake2b512::new();
    hash.update(secret.as_bytes());
    hash.update(reader);
    hash.update(writer);
    let shared = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
    let key =
        UnboundKey::new(&CHACHA20_POLY1305, &shared[..32]).expect("a ChaCha20 key has 32 bytes");
    Some(LessSafeKey::new(key))
}

/// Reads a header to its end and gives what it tells the holder of `secret`; what follows in `source` are the segments.
///
/// Packets for other readers are passed over, as the standard demands; a packet that opens must hold the one data key.
///
/// # Errors
/// If the bytes are no header, none of its packets opens, or it has an edit list, two different data keys or a packet twice.
pub fn read_header(source: &mut dyn Read, secret: &SealingSecret) -> Result<Header, Crypt4ghError> {
    let mut source = Counted { source, count: 0 };
    if source.bytes::<8>().map_err(foreign_if_cut)? != *MAGIC {
        return Err(Crypt4ghError::Foreign);
    }
    let version = source.number()?;
    if version != VERSION {
        return Err(Crypt4ghError::Version { version });
    }
    let count = source.number()?;
    if count > MAX_HEADER_PACKETS {
        return Err(Crypt4ghError::PacketCount { count });
    }
    let own = StaticSecret::from(*secret.to_bytes());
    let (mut seen, mut found) = (BTreeSet::new(), None);
    for packet in 0..count {
        let length = source.number()?;
        let rest = length
            .checked_sub(4)
            .filter(|_| (PACKET_HEAD..=MAX_PACKET).contains(&length))
            .ok_or(Crypt4ghError::PacketLength { packet, length })?;
        let bytes = source.take(rest as usize)?;
        if !seen.insert(Digest::of(&bytes)) {
            return Err(Crypt4ghError::RepeatedPacket { packet });
        }
        let Some((writer, payload)) = open_packet(&own, bytes) else {
            continue;
        };
        let key = data_key(packet, &payload)?;
        match &found {
            // The same key twice is one key: a file that was written for two keys of one reader has it.
            Some((known, _)) if *known == key => {}
            Some(_) => return Err(Crypt4ghError::TwoDataKeys),
            None => found = Some((key, writer)),
        }
    }
    let (key, writer) = found.ok_or(Crypt4ghError::NotForThisKey { packets: count })?;
    Ok(Header {
        key,
        writer,
        length: source.count,
    })
}

/// The payload of a packet without its length, if it is for this reader.
fn open_packet(own: &StaticSecret, packet: Vec<u8>) -> Option<(Recipient, Zeroizing<Vec<u8>>)> {
    let mut packet = Zeroizing::new(packet);
    let (method, rest) = packet.split_first_chunk_mut::<4>()?;
    if u32::from_le_bytes(*method) != X25519_CHACHA20_POLY1305 {
        return None;
    }
    let (writer, rest) = rest.split_first_chunk_mut::<32>()?;
    let (nonce, sealed) = rest.split_first_chunk_mut::<12>()?;
    let shared = shared_key(own, writer, PublicKey::from(own).as_bytes(), writer)?;
    let payload = shared
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::empty(), sealed)
        .ok()?;
    Some((Recipient::new(*writer), Zeroizing::new(payload.to_vec())))
}

/// The data key in an opened payload (section 3.2.2); what follows it is padding.
fn data_key(packet: u32, payload: &[u8]) -> Result<PartKey, Crypt4ghError> {
    let short = || Crypt4ghError::PacketContent { packet };
    let (kind, rest) = payload.split_first_chunk::<4>().ok_or_else(short)?;
    match u32::from_le_bytes(*kind) {
        DATA_PARAMETERS => {}
        EDIT_LIST => return Err(Crypt4ghError::EditList),
        kind => return Err(Crypt4ghError::PacketType { packet, kind }),
    }
    let (method, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    let method = u32::from_le_bytes(*method);
    if method != DATA_CHACHA20_POLY1305 {
        return Err(Crypt4ghError::DataMethod { method });
    }
    rest.first_chunk::<32>()
        .map(|key| PartKey::new(*key))
        .ok_or_else(short)
}

fn foreign_if_cut(error: Crypt4ghError) -> Crypt4ghError {
    match error {
        Crypt4ghError::Cut { .. } => Crypt4ghError::Foreign,
        other => other,
    }
}

/// A source that knows how far it was read.
struct Counted<'a> {
    source: &'a mut dyn Read,
    count: u64,
}

impl Counted<'_> {
    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), Crypt4ghError> {
        let got = fill(self.source, buffer).map_err(Crypt4ghError::Read)?;
        self.count += got as u64;
        if got == buffer.len() {
            Ok(())
        } else {
            Err(Crypt4ghError::Cut { at: self.count })
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Crypt4ghError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<u32, Crypt4ghError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>, Crypt4ghError> {
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}
