//! One keeper as a pure machine: `step(state, event, facts, …) → effects` (design 06).
//!
//! A keeper holds one share of the keepers' half of record keys. It releases a share only against a final receipt of
//! exactly that reader, record and grant, and only while the grant still lives. It holds no owner's half, so all keepers
//! together open nothing that was not granted. No I/O, no clock: the shell in `node` brings requests, final facts and
//! time, and carries out the effects.

mod answered;
mod deposit;
mod facts;
mod feed;
mod machine;
mod release;

pub use facts::{Facts, GrantView, KeeperIdentity, ReceiptView, RecordView};
pub use feed::Feed;
pub use machine::{Effect, Event, KeptShare, Reply, State, step};
