//! Content identifiers, DAG-CBOR, UnixFS layout and CAR: the bytes that any IPFS tool understands.
//!
//! Pure and streaming. Used by `seal`, `store` and their adapters; it never touches a disk or a network, and it
//! knows nothing of records.

mod block;
mod budget;
pub mod car;
pub mod cbor;
mod cid;
mod error;
mod pb;
pub mod unixfs;
mod walk;

pub use block::{Block, BlockSource, MAX_BLOCK};
pub use budget::{Budget, MOST_BLOCKS, MOST_BYTES};
pub use cid::{Cid, Codec};
pub use error::DagError;
pub use walk::{MAX_LEVELS, Walk, Wanted};
