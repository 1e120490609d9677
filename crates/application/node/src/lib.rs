//! A consortium member's program: medibloc-node.
