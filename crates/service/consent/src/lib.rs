//! Consent as a pure decision: may this reader read, may this author write, for this purpose, now, and why not.
//!
//! The same rules stand in the contracts `Consent`, `Records` and `Receipts`; keepers and agents decide with the
//! functions here. Also the words that travel between reader, keeper and owner. It holds no keys, asks no chain and
//! reads no clock: facts and time come in as values.

mod anchor;
mod binding;
mod decide;
mod feed;
mod grant;
mod keeper;
mod list;
mod purpose;

pub use anchor::AnchorFields;
pub use binding::{Binding, BindingTag};
pub use decide::{Decision, ReadFacts, Reason, WriteFacts, is_live, may_read, may_write};
pub use feed::{FeedFact, FeedLine, SignedLine};
pub use grant::{ClassSet, Grant, KindSet, Scope, Terms, WriteGrant};
pub use keeper::{
    Acknowledgement, DeletionStatement, KeeperReply, KeeperRequest, RefusalReason, Release,
    ShareDeposit, SignedAcknowledgement, SignedReply, SignedRequest,
};
pub use list::{List, ListProof, ListRoot};
pub use purpose::{Purpose, PurposeTag};
