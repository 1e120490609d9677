//! The owner's vault: one encrypted database (SQLCipher) with the rows of the journey and the sealed blocks of every
//! record. It is the primary copy; everything in it can be rebuilt from the phrase, the chain and the nodes.
//!
//! It keeps bytes and never reads them. What it says is kept is on disk: a change is whole or absent after a power cut
//! or kill -9. One process holds it at a time. What it gives is what was put, or it says that it is damaged: every row
//! and block has a code of its own, and every table the sum of its rows' codes.
//!
//! ```
//! use medibloc_vault::{Vault, RowChange};
//! # let home = tempfile::tempdir().unwrap();
//! let vault = Vault::create(home.path(), &[7; 32])?;
//! vault.apply(&[RowChange::Put { table: "records", key: b"a", value: b"1" }])?;
//! assert_eq!(vault.get("records", b"a")?.as_deref(), Some(b"1".as_slice()));
//! # Ok::<(), medibloc_vault::VaultError>(())
//! ```

mod error;
mod file;
mod lock;
mod sums;
mod vault;

pub use error::VaultError;
pub use lock::{VaultCall, VaultLock};
pub use vault::{Row, RowChange, Vault};
