//! IPFS block store: pack files (CARv1) with a SQLite index, and the answers of a trustless gateway.
//!
//! In the journey: where a node keeps the sealed blocks of `store`, durable before it says so, and deletes those of
//! `erase` for good. A pack is a plain CARv1 file, so any IPFS tool imports a node's whole disk, and one scan of the
//! packs gives the index again. It never opens a block, asks no chain and serves nobody: who may read is the node's
//! business, and [`gateway`] only forms answers.

mod back;
mod check;
mod compact;
mod disk;
mod erasures;
mod fault;
pub mod gateway;
mod index;
mod pack;
mod recover;
mod store;
mod writer;

pub use check::Report;
pub use disk::{Disk, DiskFile, RealDisk};
pub use store::{IpfsStore, Options, panics};
