//! How programs reach others: which URLs they may call, TLS and whom it trusts, proxies, and answers with an end.
//!
//! In the journey: agents, nodes and the chain's clients make every outgoing connection through one [`Outgoing`], so that no
//! URL from outside leads into a private network, no plain request leaves the machine unasked, and no answer is endless. It
//! sends nothing by itself, holds no keys, and reads no environment: a program hands it over.
//!
//! ```
//! use medibloc_transport::{Outgoing, Policy};
//!
//! let outgoing = Outgoing::new(Policy::PUBLIC);
//! assert!(outgoing.reach("https://node.example.org").is_ok());
//! let refused = outgoing.reach("https://169.254.169.254").unwrap_err().to_string();
//! assert!(refused.contains("link-local"));
//! ```

mod address;
mod body;
mod outgoing;
mod proxies;
mod reach;
mod resolve;
mod tls;

pub use body::{BodyError, take};
pub use outgoing::{Outgoing, Refused, TransportError, Waits};
pub use proxies::Proxies;
pub use reach::{NotReachable, Policy, Reachable};
pub use tls::{certificates, install_provider, provider};
