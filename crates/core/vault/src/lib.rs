//! The owner's local encrypted database and blobs: the primary copy.
