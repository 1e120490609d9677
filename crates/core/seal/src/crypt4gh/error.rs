//! Why a `.c4gh` file could not be read or made. Never carries plaintext or keys.

/// Why a `.c4gh` file could not be read or made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Crypt4ghError {
    /// Another kind of file.
    #[error("not a Crypt4GH file: it does not begin with `crypt4gh`; choose a .c4gh file")]
    Foreign,
    /// Another version.
    #[error("the Crypt4GH file has version {version}, this program knows version 1; update it")]
    Version {
        /// Its version.
        version: u32,
    },
    /// The file ends inside its header.
    #[error("the Crypt4GH header is cut off after byte {at}; get the file again")]
    Cut {
        /// Bytes that were there.
        at: u64,
    },
    /// More packets than anybody needs.
    #[error(
        "the Crypt4GH header names {count} packets, the limit is 1,024; it is damaged or hostile"
    )]
    PacketCount {
        /// Packets named.
        count: u32,
    },
    /// A packet that is too small or too large.
    #[error(
        "packet {packet} of the Crypt4GH header says that it has {length} bytes; the header is damaged, get the file again"
    )]
    PacketLength {
        /// Counts from 0.
        packet: u32,
        /// What it says.
        length: u32,
    },
    /// One packet twice.
    #[error(
        "packet {packet} of the Crypt4GH header repeats an earlier one; ask the sender for a file with one packet for each reader"
    )]
    RepeatedPacket {
        /// Counts from 0.
        packet: u32,
    },
    /// No packet opens.
    #[error(
        "none of the {packets} packets of the Crypt4GH header opens with this key: the file was made for another key, or its header was changed"
    )]
    NotForThisKey {
        /// Packets in the header.
        packets: u32,
    },
    /// Two data keys for one reader.
    #[error(
        "the Crypt4GH file has more than one data key, so two readers could see different contents; ask the sender to encrypt it with one"
    )]
    TwoDataKeys,
    /// An edit list.
    #[error(
        "the Crypt4GH file has an edit list, which hides a part of its content; ask the sender to apply it and encrypt the result"
    )]
    EditList,
    /// A packet of a kind that version 1 does not know.
    #[error(
        "packet {packet} of the Crypt4GH header is of type {kind}, which version 1 does not know; ask the sender for a plain Crypt4GH 1.0 file"
    )]
    PacketType {
        /// Counts from 0.
        packet: u32,
        /// Its type.
        kind: u32,
    },
    /// Data sealed otherwise.
    #[error(
        "the Crypt4GH file's data are sealed with method {method}, this program knows method 0 (ChaCha20-Poly1305); ask the sender for it"
    )]
    DataMethod {
        /// The method.
        method: u32,
    },
    /// A packet that opens but is too short for what it says to be.
    #[error(
        "packet {packet} of the Crypt4GH header opens but is too short; ask the sender to make the file again"
    )]
    PacketContent {
        /// Counts from 0.
        packet: u32,
    },
    /// A segment does not open.
    #[error(
        "segment {segment} of the Crypt4GH file, {offset} bytes after its header, does not open: it was changed, cut or moved from another file; get the file again"
    )]
    Segment {
        /// Counts from 0.
        segment: u64,
        /// Where it begins, after the header.
        offset: u64,
    },
    /// Nobody to write to.
    #[error("a Crypt4GH file needs a recipient; name at least one public key")]
    NoRecipient,
    /// More recipients than a reader takes.
    #[error(
        "{count} recipients are more than the 1,024 that a Crypt4GH header may have here; make a second file"
    )]
    TooManyRecipients {
        /// How many.
        count: usize,
    },
    /// One recipient twice.
    #[error("recipient {recipient} is named twice; name each once")]
    RepeatedRecipient {
        /// Counts from 0.
        recipient: usize,
    },
    /// A public key that gives no secret.
    #[error("recipient {recipient} is not a usable X25519 public key; ask its owner for it again")]
    BadRecipient {
        /// Counts from 0.
        recipient: usize,
    },
    /// Text that is no public key.
    #[error(
        "the text is not a Crypt4GH public key: {why}; it begins with -----BEGIN CRYPT4GH PUBLIC KEY-----"
    )]
    KeyText {
        /// What is wrong.
        why: &'static str,
    },
    /// The source cannot be read.
    #[error("the Crypt4GH file or its source cannot be read")]
    Read(#[source] std::io::Error),
    /// The target cannot be written.
    #[error("the output cannot be written")]
    Write(#[source] std::io::Error),
}
