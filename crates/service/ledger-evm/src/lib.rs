//! The ledger ports over any EVM chain's JSON-RPC.
