//! Whoever reads the chain and wants to know who is who: an attack on unlinkability, measured (docs/unlinkability.md).
//!
//! [`life`] lets real agents live for some weeks over the memory ledger with a clock of its own and keeps the truth;
//! [`view`] is what an observer sees of it; [`pairs`] makes features of pairs of addresses; [`guess`] ranks pairs, by
//! one feature alone or by a score that was trained on other lives; [`figures`] says how good the guesses are.

pub mod figures;
pub mod guess;
pub mod life;
pub mod pairs;
pub mod tables;
pub mod view;
