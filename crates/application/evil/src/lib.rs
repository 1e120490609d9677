//! Parties that hold valid keys and skip every local check. Tests drive the real processes with them; no program
//! depends on this crate.
//!
//! One file a role. An attack is a test that prints `ATTACK id: figure`; `xtask/attacks.txt` lists them, and
//! `cargo xtask attack` runs them and prints the table.

pub mod anchors;
pub mod author;
pub mod forged;
pub mod impostor;
pub mod memory;
pub mod mutate;
pub mod owner;
pub mod paired;
pub mod reader;
pub mod relay;
pub mod sender;
pub mod slow;
pub mod stranger;
