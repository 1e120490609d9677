//! What comes out says what the source says, of whom it says it, and no more.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "exact/account.rs"]
mod account;
#[path = "exact/carried.rs"]
mod carried;
#[path = "shared/document.rs"]
mod document;
#[path = "exact/header.rs"]
mod header;
#[path = "exact/moments.rs"]
mod moments;
#[path = "exact/nearest.rs"]
mod nearest;
#[path = "exact/result.rs"]
mod result;
#[path = "exact/shown.rs"]
mod shown;
#[path = "exact/sig.rs"]
mod sig;
#[path = "exact/team.rs"]
mod team;
