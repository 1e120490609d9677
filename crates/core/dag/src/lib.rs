//! Content identifiers, DAG-CBOR, UnixFS layout and CAR: pure and streaming.
