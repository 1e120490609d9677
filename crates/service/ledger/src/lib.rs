//! What all parties must agree on, as ports: sign and send a [`Call`], ask for facts, follow events.
//!
//! In the journey: `anchor`, `grant`, `read` (its receipt) and `audit` speak to the chain through this crate
//! alone. It never sees plaintext, keys of records, or the chain's own transaction format: that is the
//! adapter's (`ledger-evm`). [`MemoryLedger`] is the double that tests and examples use; every adapter runs the suite
//! in [`contract`]. [`Follow`] reads a chain whose newest blocks may be replaced (docs/format/ledger.md).

pub mod contract;

mod anchored;
mod call;
mod error;
mod event;
mod facts;
mod follow;
mod mark;
mod memory;
mod port;
mod proof;

pub use anchored::{Anchored, AuditLine, AuditTrail, Receipt};
pub use call::{Call, Outcome, SignedCall, UnsignedCall, Withdrawal};
pub use error::{LedgerError, Refusal};
pub use event::{BlockEvents, Event, EventRef};
pub use facts::{
    AccountFacts, CommitteeFacts, GrantFacts, Head, KeeperFacts, RecordFacts, Standing,
};
pub use follow::{Answer, Ask, DEPTH, Follow, Step, Which};
pub use mark::{Mark, Marks};
pub use memory::{Calldata, MemoryLedger};
pub use port::{Events, Facts, Relay, Submit};
pub use proof::{Bytes, ReceiptProof};
