//! Mnemonic, derivation, HPKE wrapping, Shamir shares and signatures.
