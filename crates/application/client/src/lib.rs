//! Journey's ports over the node's HTTP interface.
