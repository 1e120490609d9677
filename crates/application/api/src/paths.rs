//! Paths of node and keeper.

/// A block's bytes: `GET /ipfs/{cid}?format=raw` (IPFS Trustless Gateway specification).
pub const BLOCK: &str = "/ipfs/{cid}";
/// `POST` blocks.
pub const BLOCKS: &str = "/v1/blocks";
/// `POST` identifiers, get their blocks.
pub const GET: &str = "/v1/blocks/get";
/// `POST` identifiers, get which are there.
pub const HAS: &str = "/v1/blocks/has";
/// `POST` identifiers, get which were erased.
pub const ERASED: &str = "/v1/blocks/erased";
/// `POST` identifiers to erase.
pub const ERASE: &str = "/v1/blocks/erase";
/// `POST` a letter, `GET` one's own.
pub const MAILBOX: &str = "/v1/mailbox";
/// `DELETE` a letter that was dealt with.
pub const LETTER: &str = "/v1/mailbox/{id}";
/// `POST` the ids, or the senders, of letters that were dealt with.
pub const LETTERS_DONE: &str = "/v1/letters/done";
/// `POST` a sealed note of one's own, `GET` all of them.
pub const NOTES: &str = "/v1/notes";
/// `GET` what a registration costs now.
pub const REGISTRATION: &str = "/v1/registration";
/// `POST` a signed call for the chain.
pub const RELAY: &str = "/v1/relay";
/// `GET` one's own credential, as the authority issued it.
pub const CREDENTIAL: &str = "/v1/credential";
/// `GET` who this is.
pub const NODE: &str = "/v1/node";
/// `GET` number and hash of the last final block that this gateway or keeper took.
pub const MARK: &str = "/v1/mark";
/// Keeper: `POST` a share.
pub const SHARES: &str = "/v1/shares";
/// Keeper: `GET` the acknowledgement of a record's share.
pub const SHARE: &str = "/v1/shares/{record}";
/// Keeper: `POST` a reader's request.
pub const RELEASE: &str = "/v1/release";
/// Keeper: `GET` one's own feed.
pub const FEED: &str = "/v1/feed";
/// Keeper: `GET` the statement that an erased record's share is gone.
pub const DELETION: &str = "/v1/deletions/{record}";
/// The process answers.
pub const HEALTHZ: &str = "/healthz";
/// It can do its work.
pub const READYZ: &str = "/readyz";
/// Figures for Prometheus.
pub const METRICS: &str = "/metrics";

/// The target of a block's request.
pub fn block(cid: &str) -> String {
    format!("/ipfs/{cid}?format=raw")
}

/// The target of one's own letters after a place in the mailbox.
pub fn letters(after: u64) -> String {
    format!("{MAILBOX}?after={after}")
}

/// The target of one's own notes from a place on.
pub fn notes(from: u8) -> String {
    format!("{NOTES}?from={from}")
}

/// The target of a letter.
pub fn letter(id: &[u8; 32]) -> String {
    format!("{MAILBOX}/{}", hex::encode(id))
}

/// The target of a record's acknowledgement.
pub fn share(record: medibloc_record::RecordId) -> String {
    format!("{SHARES}/{record}")
}

/// The target of a record's deletion statement.
pub fn deletion(record: medibloc_record::RecordId) -> String {
    format!("/v1/deletions/{record}")
}
