//! A consortium member's program: the gateway (storage, mailbox, relay) and one keeper, over HTTP.
//!
//! In the journey: agents store sealed blocks and letters here, send signed calls through the relay, and give keepers
//! their shares. The node asks the chain who may have what; it has no code to open a record (rule I1), and its logs
//! and figures hold counts, never who asked for what. [`gateway`] and [`keeper`] give routers that tests compose.

mod chain;
mod clock;
mod credential;
mod db;
mod evm;
mod fault;
mod figures;
mod gateway;
mod guard;
mod keeper;
mod limits;
mod listen;
mod network;
mod panics;
mod private;
mod readiness;
mod refusing;
mod room;
mod source;
mod starting;
mod upkeep;
mod wallet;
mod watch;
mod work;

pub use chain::{NotAccepted, TakenBack, accept_chain, last_block, named};
pub use clock::{Clock, OsEntropy, system_clock};
pub use credential::{ProviderCredential, forget_credential, keep_credential};
pub use db::DbError;
pub use evm::{WalletRelay, connect, connect_through, contracts, outgoing};
pub use gateway::{Caller, Forward, Gateway, GatewayConfig, Weight, gateway, gateway_with_upkeep};
pub use keeper::{
    Keeper, KeeperConfig, KeeperKeys, KeeperPublicKeys, KeyFileError, PublicKeysError, keeper,
    keeper_with_upkeep,
};
pub use limits::DailyLimits;
pub use listen::{Bounds, ConnectionLimits, Front, Listening, Source, Tls, TlsError, serve};
pub use network::{Network, NetworkError};
pub use private::private_folder;
pub use source::Proxies;
pub use starting::Starting;
pub use upkeep::Upkeep;
pub use wallet::{make_wallet, read_wallet};
