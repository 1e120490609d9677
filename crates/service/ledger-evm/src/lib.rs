//! The ledger ports over any EVM chain's JSON-RPC.
//!
//! In the journey: every step that speaks to the chain goes through [`EvmLedger`] (encode a call for signing, ask for
//! facts, follow events) and [`RelayWallet`] (simulate, batch, send, wait until final). It never sees plaintext or
//! keys of records, never signs for a person, and never sends what no person signed, except the authority's calls of
//! [`AuthorityWallet`].
//!
//! ```no_run
//! # async fn example(deployer: &medibloc_keys::SigningKey, relay: &medibloc_keys::SigningKey, threshold: medibloc_record::Threshold, keepers: Vec<medibloc_ledger_evm::KeeperPlan>) -> Result<(), medibloc_ledger::LedgerError> {
//! use medibloc_ledger_evm::{AuthorityWallet, DeployPlan, EvmLedger, RelayOptions, RelayWallet, Rpc, deploy};
//! use medibloc_transport::{Outgoing, Policy};
//!
//! // once: the operator deploys; `Deployed` is serde, deployment.json
//! let rpc = Rpc::http(&["http://127.0.0.1:8545".into()], &Outgoing::new(Policy::LOCAL))?; // in process: Rpc::over(vec![(name, RpcClient)])
//! let plan = DeployPlan { authority: deployer.address(), accreditor: deployer.address(),
//!     registrar: deployer.address(), threshold, keepers, funds: vec![(relay.address(), 10_u128.pow(18))] };
//! let deployed = deploy(&rpc, deployer, &plan).await?;
//!
//! // every party: Submit + Facts + Events, answers from `head - finality_depth`
//! let ledger = EvmLedger::connect(rpc.clone(), deployed, 0).await?;
//! // the node: Relay; `relay_from(source, call)` keeps the addresses of one connection out of one batch
//! let relay = RelayWallet::start(&ledger, relay, RelayOptions::default());
//! // a read model: undo and apply what `steps` say, store it with `state`, go on until there are none
//! let state = medibloc_ledger::Follow::from(deployed.block);
//! let (state, steps) = ledger.follow(&state).await?;
//! // audit: `ledger.proof(block, receipt)` is checked by anyone with `verify_receipt(&proof, &contracts)`
//! // the authority
//! let authority = AuthorityWallet::new(&ledger, deployer);
//! # Ok(()) }
//! ```

mod bindings;
mod contracts;
mod rpc;
mod sender;

mod authority;
mod decode;
mod deploy;
mod encode;
mod follow;
mod http;
mod ledger;
mod look;
mod proof;
mod refusal;
mod relay;
mod roles;
mod rotation;
mod wallet;
mod weight;
mod who;

pub use authority::{Accreditation, AuthorityWallet};
pub use contracts::{Contracts, Deployed};
pub use decode::passed_over;
pub use deploy::{DeployPlan, KeeperPlan, deploy, fund};
pub use ledger::EvmLedger;
pub use proof::{ProofError, Proven, verify_receipt};
pub use relay::{RelayOptions, RelayWallet, Source, burnt};
pub use roles::{ChainRole, KeeperPlace};
pub use rotation::rotate_address;
pub use rpc::Rpc;
pub use wallet::Funds;
