//! The verbs of this workspace: `cargo xtask demo | test | ci | attack | fix | codegen | tidy | bench`.
//!
//! Stands outside the three layers and is never part of a product. It starts other programs
//! (cargo, npm, the demo), reads what they print, and stops at the first thing that is wrong with
//! a line that says what to do. The rules of the architecture are checked in [`tidy`].
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command-line tool

pub mod attack;
pub mod bench;
pub mod canary;
pub mod demo;
pub mod fuzz;
pub mod ledger;
pub mod peers;
pub mod preflight;
pub mod run;
pub mod test;
pub mod tidy;
