//! `medibloc`, the program of a person or an organisation: vault, keys, journey and command line. Keys and plaintext
//! never leave it; everything it sends is sealed or a digest.
//!
//! [`Command`] is what can be asked of it; [`run::run`] does it over a [`medibloc_journey::Party`]. The same command runs
//! in this process or, when `medibloc serve` holds the vault, in that one over its loopback socket.

pub mod answer;
pub mod command;
pub mod connect;
pub mod convert;
pub mod daemon;
mod exported;
pub mod home;
mod new_file;
mod own_node;
pub mod ports;
mod reserve;
pub mod role;
pub mod run;
mod terminal;
mod wiped;

pub use answer::{Answer, Problem};
pub use command::Command;
pub use terminal::{Input, main};
