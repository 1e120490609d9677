//! Storage of sealed blocks, as a port: whoever implements it keeps bytes it cannot open.
//!
//! In the journey: `store` takes only a `Sealed` and gives a [`Stored`], which alone can be anchored. [`MemoryStore`] is the
//! double; every adapter runs the suite in [`contract`].

pub mod contract;
mod error;
mod memory;
mod port;
mod stored;

pub use error::StoreError;
pub use memory::MemoryStore;
pub use port::{OwnStore, Store};
pub use stored::{Stored, put_sealed};
