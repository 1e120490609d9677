//! What travels between an agent, a node and a keeper over HTTP: signed requests, wire types, problems, limits.
//!
//! In the journey: every step that leaves the device speaks in these types; `client` sends them, `node` answers.
//! Binary objects are DAG-CBOR ([`CBOR`]), errors are RFC 9457 problems with a stable code. Pure: no socket, no clock,
//! no key. docs/format/http.md draws each form.

mod auth;
mod deployment;
pub mod limits;
pub mod paths;
mod problem;
mod wire;
mod work;

pub use auth::{Authorization, HeaderError, MAX_LIFE, RequestText, TimeError};
pub use deployment::{Contracts, Deployment, DeploymentError, EarlierAuthority};
pub use problem::{Code, Problem};
pub use wire::{
    GotBlocks, KeepNote, Letter, LetterPage, LettersDone, Note, NotePage, PutBlock, PutBlocks,
    RelayCall, RelayOutcome, block_ids,
};
pub use work::{Challenge, MOST_BITS, Work};

/// Media type of binary objects.
pub const CBOR: &str = "application/vnd.ipld.dag-cbor";
/// Media type of a block's bytes (IPFS Trustless Gateway specification).
pub const RAW: &str = "application/vnd.ipld.raw";
/// Media type of problems (RFC 9457).
pub const PROBLEM: &str = "application/problem+json";
