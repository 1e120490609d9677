//! The journey's ports over HTTP: storage, mailboxes, keepers and relay, each request signed by the acting address.
//!
//! In the journey: whatever leaves the device towards nodes and keepers goes through here; `ledger-evm` encodes calls
//! and reads the chain. It trusts no peer: bytes are checked against their CIDs, answers against what was asked, sizes
//! and times are bounded. It holds no keys beyond those that it is given to act with, and opens nothing.

mod clock;
mod keepers;
mod mailbox;
mod network;
mod peer;
mod relay;
mod store;

pub use clock::SystemClock;
pub use network::{HttpNetwork, NetworkConfig};
pub use peer::{ClientError, Timing};
pub use relay::HttpRelay;
