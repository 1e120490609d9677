//! An embedded EVM chain: revm and redb, in process and as JSON-RPC.
mod chain;
mod clock;
mod disk;
mod error;
mod machine;
mod state;
mod test_accounts;
mod trie;

pub use chain::{Chain, Config, Mining, Place, Transactions};
pub use clock::{Clock, SystemClock};
pub use disk::DiskError;
pub use error::{ChainError, OpenError};
pub use test_accounts::test_accounts;
