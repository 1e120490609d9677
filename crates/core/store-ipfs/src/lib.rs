//! IPFS block store: pack files (CARv1) with a SQLite index.
