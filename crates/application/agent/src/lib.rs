//! A person's or organisation's own program: medibloc.
