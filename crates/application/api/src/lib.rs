//! Wire types of the node's HTTP interface.
