//! An embedded EVM chain: revm and redb, in process and as JSON-RPC.
