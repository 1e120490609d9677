//! Bounds that both sides know. A node may set smaller daily limits, never larger bodies.

/// Bytes of one request's body: eight leaves and their frame.
pub const BODY: usize = 9 << 20;
/// Bytes of all blocks in one put.
pub const PUT_BYTES: usize = 8 << 20;
/// Blocks in one put, has or erase.
pub const BLOCKS: usize = 512;
/// Bytes of a list of identifiers.
pub const IDS: usize = 64 << 10;
/// Bytes of all blocks in one answer to a list of identifiers.
pub const GOT_BYTES: usize = 8 << 20;
/// Letters that one request removes.
pub const DONE: usize = 1_000;
/// Bytes of a list of letters that were dealt with.
pub const DONE_BYTES: usize = 64 << 10;
/// Bytes of a letter.
pub const LETTER: usize = 256 << 10;
/// Letters in one answer; the rest comes when these are done.
pub const LETTERS: usize = 64;
/// Bytes of a call for the relay.
pub const CALL: usize = 256 << 10;
/// Bytes of a share's deposit.
pub const DEPOSIT: usize = 64 << 10;
/// Bytes of a request to a keeper.
pub const RELEASE: usize = 8 << 10;
/// Bytes of any answer that a client takes.
pub const ANSWER: usize = 24 << 20;
/// Bytes of a keeper's feed for one owner: about 40,000 lines, four times what a keeper keeps of refusals.
pub const FEED: usize = 8 << 20;
/// Bytes of a problem.
pub const PROBLEM: usize = 64 << 10;
/// Bytes of a credential.
pub const CREDENTIAL: usize = 16 << 10;
/// Sizes in bytes that a sealed note has: how long it is says little.
pub const NOTES: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 256 << 10];
/// Places for notes of one account.
pub const PLACES: u8 = 16;
/// Bytes of a request that keeps a note: the largest with its frame.
pub const NOTE: usize = (256 << 10) + 256;
/// Bytes of all letters that a client takes at a time; a mailbox holds no more.
pub const MAILBOX: usize = 32 << 20;
