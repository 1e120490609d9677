//! An embedded EVM chain: revm and redb, in process and as JSON-RPC.
//!
//! It is the ledger where one institution runs MediBloc by itself, and the one that developers
//! start: a single node, rules of Cancun, every block final. Ledger adapters speak to it as to any
//! other EVM chain, over [`serve`] or, in the same process, over [`Chain::client`].
//!
//! A transaction is in a block, and the block on the disk, when [`Chain::send_raw`] returns; a
//! block is one transaction of the file, so a process that dies leaves whole blocks. Only the
//! newest state is kept, all blocks, receipts and logs are. It holds no keys, signs nothing, never
//! listens beyond loopback, and is no consensus: whoever holds the folder can rewrite it.
//!
//! ```
//! use alloy::providers::{Provider, ProviderBuilder};
//! use medibloc_devchain::{Chain, Config, Place, serve};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let chain = Chain::open(Place::Memory, Config::default())?;
//! // as JSON-RPC
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let server = tokio::spawn(serve(chain.clone(), listener));
//! // in process
//! let provider = ProviderBuilder::new().connect_client(chain.client());
//! assert_eq!(provider.get_chain_id().await?, 31_337);
//! server.abort();
//! # Ok(())
//! # }
//! # tokio::runtime::Runtime::new().unwrap().block_on(example()).unwrap();
//! ```

mod chain;
mod clock;
mod disk;
mod error;
mod machine;
mod rpc;
mod state;
mod test_accounts;
mod trie;

pub use chain::{Chain, Config, Mining, Pace, Place, Transactions};
pub use clock::{Clock, SystemClock};
pub use disk::DiskError;
pub use error::{ChainError, OpenError};
pub use rpc::{InProcess, Limits, ServeError, router, serve, serve_with};
pub use test_accounts::test_accounts;
