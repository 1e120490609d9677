//! Standard `.c4gh` files (GA4GH Crypt4GH 1.0): what leaves the platform for others' tools, and what comes from them.
//!
//! A part rests as Crypt4GH data segments without a header. [`export`] puts a header for any X25519 key before them;
//! [`import`] opens what others made. Edit lists and second data keys are refused: both can show two readers of one file
//! different contents. The format itself does not notice a file cut between two segments, nor segments that were
//! swapped; a part's identifier and plaintext hash do, for a foreign file only its sender's word on length and hash can.

mod error;
mod export;
mod header;
mod import;
mod recipient;

pub use error::Crypt4ghError;
pub use export::{encrypt, export};
pub use header::{Header, MAX_HEADER_PACKETS, read_header, write_header};
pub use import::{Crypt4ghReader, Imported, import, plain_length};
pub use recipient::Recipient;
