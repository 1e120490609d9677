//! Why a chain refused, in words that say what to do, and the codes of JSON-RPC.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::decode_revert_reason,
};

use crate::disk::DiskError;

/// Why a chain could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The folder holds a chain with another id.
    #[error("the folder holds chain {found}, the configuration says {wanted}; change one of them")]
    ChainId {
        /// The id on disk.
        found: u64,
        /// The id in the configuration.
        wanted: u64,
    },
    /// The folder holds a chain whose first block gave coins to other accounts.
    #[error("the chain in the folder began with other accounts; use those or start a new folder")]
    Genesis,
    /// A chain whose time anybody could move is no chain to keep records on, and the other way about.
    #[error(
        "the chain in the folder was made {}, and is to be opened {}; start a new folder, or open it as it was made",
        with(*.made), with(!*.made)
    )]
    TestMethods {
        /// Whether it was made with test methods.
        made: bool,
    },
    /// The file could not be read or written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

const fn with(test_methods: bool) -> &'static str {
    if test_methods {
        "with test methods"
    } else {
        "without test methods"
    }
}

/// Why a transaction, a call or a question was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// The bytes are no transaction.
    #[error("these bytes are no signed transaction ({0}); send one in EIP-2718 form")]
    Encoding(String),
    /// The signature recovers to nobody.
    #[error("the transaction's signature recovers to no address; sign it again")]
    Signature,
    /// Blob and set-code transactions are not taken.
    #[error("transaction type {0} is not supported; send type 0, 1 or 2")]
    Type(u8),
    /// It was signed for another chain.
    #[error("invalid chain id: signed for chain {found:?}, this is {chain}; sign it for this one")]
    ChainId {
        /// The id that was signed; none before EIP-155.
        found: Option<u64>,
        /// This chain's id.
        chain: u64,
    },
    /// It is in a block.
    #[error("already known: transaction {transaction} is in block {block}; read its receipt")]
    Known {
        /// The transaction's hash.
        transaction: B256,
        /// The block it is in.
        block: u64,
    },
    /// The nonce was used.
    #[error("nonce too low: {from} used {nonce}; its next is {next}")]
    NonceTooLow {
        /// Who sends.
        from: Address,
        /// The transaction's nonce.
        nonce: u64,
        /// The nonce that would be taken.
        next: u64,
    },
    /// A nonce before it is missing; nothing waits here.
    #[error("nonce too high: {from} sent {nonce}; send {next} first")]
    NonceTooHigh {
        /// Who sends.
        from: Address,
        /// The transaction's nonce.
        nonce: u64,
        /// The nonce that would be taken.
        next: u64,
    },
    /// The sender cannot pay.
    #[error("insufficient funds for gas * price + value: {from} has {has}, needs {needs}")]
    Funds {
        /// Who sends.
        from: Address,
        /// What the value and the highest fee come to.
        needs: U256,
        /// What is there.
        has: U256,
    },
    /// It asks for more gas than a block has.
    #[error("exceeds block gas limit: {gas} of {limit}; ask for less or split it")]
    GasAboveBlock {
        /// What it asks for.
        gas: u64,
        /// What a block has.
        limit: u64,
    },
    /// Its gas does not even pay for its bytes.
    #[error("intrinsic gas too low: have {gas}, need {needs}")]
    IntrinsicGas {
        /// What it offers.
        gas: u64,
        /// What its bytes cost.
        needs: u64,
    },
    /// It offers less than the base fee.
    #[error("max fee per gas less than block base fee: offer at least {base_fee}")]
    FeeTooLow {
        /// The base fee of the next block.
        base_fee: u64,
    },
    /// The code that creates a contract is too long (EIP-3860).
    #[error("max initcode size exceeded: 49152 bytes at most; split the contract")]
    InitCodeTooLong,
    /// Another rule of the EVM forbids it.
    #[error("transaction refused: {0}")]
    Refused(String),
    /// The contract undid everything and said why.
    #[error("execution reverted{}", reason.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
    Reverted {
        /// The reason in words, where the contract gave one.
        reason: Option<String>,
        /// What the contract returned.
        data: Bytes,
    },
    /// The contract broke off: no gas, a bad jump, an invalid opcode.
    #[error("execution halted: {0}")]
    Halted(String),
    /// No gas that a block or the sender can pay for is enough.
    #[error("gas required exceeds allowance ({0}); raise the limit or the sender's balance")]
    GasAllowance(u64),
    /// It used up what one call has here, though it asked for more.
    #[error(
        "out of gas: one call has {most} gas on this chain, and this one needs more; split it, or let the chain's operator raise \
         `--call-gas`"
    )]
    CallGas {
        /// What one call has.
        most: u64,
    },
    /// The calls before it in the same request used up what one request has.
    #[error(
        "the calls of this request have used the {most} gas that one request has; ask the rest in another one"
    )]
    GasOfRequest {
        /// What one request has.
        most: u64,
    },
    /// The answers of one request are longer together than one request's may be.
    #[error(
        "the answers of this request are longer than the {most} bytes that one request has; ask for less (fewer blocks, \
         transactions without their bodies), or for the rest in another one"
    )]
    AnswerTooLong {
        /// What one request has, in bytes.
        most: usize,
    },
    /// Too much of one source waits.
    #[error("too many questions from here wait already; ask again when they are answered")]
    Busy,
    /// Whoever asked is gone.
    #[error("nobody waits for this answer any more; ask again")]
    Abandoned,
    /// The request contradicts itself.
    #[error("the request is no call: {0}")]
    Request(String),
    /// There is no such block.
    #[error("unknown block; ask eth_blockNumber for the newest")]
    UnknownBlock,
    /// Only the newest state is kept.
    #[error("the state of block {asked} is not kept, only that of {head}; ask for latest")]
    OldState {
        /// The block that was asked for.
        asked: u64,
        /// The newest block.
        head: u64,
    },
    /// A time that no contract can keep.
    #[error(
        "timestamp {asked} is after {latest}, the last that 40 bits hold; choose an earlier one"
    )]
    Future {
        /// The time that was asked for.
        asked: u64,
        /// The last that is taken.
        latest: u64,
    },
    /// A waiting transaction is replaced only by one that pays a tenth more.
    #[error(
        "replacement transaction underpriced: {from} sent nonce {nonce} before; offer {needs} wei of fee and {tip} of tip per gas"
    )]
    Underpriced {
        /// Who sends.
        from: Address,
        /// The nonce of both.
        nonce: u64,
        /// The max fee per gas that is enough.
        needs: u128,
        /// The tip per gas that is enough.
        tip: u128,
    },
    /// No room for one more that waits.
    #[error("{0} transactions wait; send it again after the next block")]
    PoolFull(usize),
    /// The range ends after the newest block.
    #[error(
        "block range extends beyond the newest block: {asked} is asked for, {head} is the newest; ask for blocks up to it"
    )]
    PastHead {
        /// The block that was asked for.
        asked: u64,
        /// The newest block.
        head: u64,
    },
    /// Percentiles are 0 to 100, in order.
    #[error(
        "reward percentiles are at most 100 numbers from 0 to 100, each not below the one before; {0}"
    )]
    Percentiles(String),
    /// Time never runs backwards.
    #[error("timestamp {asked} is before that of the newest block, {head}; choose a later one")]
    Past {
        /// The time that was asked for.
        asked: u64,
        /// The time of the newest block.
        head: u64,
    },
    /// Time is moved for tests alone.
    #[error(
        "this chain was made without test methods, and its time is its clock's; use one that is for tests"
    )]
    NotForTests,
    /// A block's time would be one that has not come.
    #[error(
        "no block is made: the newest one is {by} s ahead of this computer's clock, {most} s at most are borne; correct the clock, or \
         wait until it is there"
    )]
    AheadOfClock {
        /// Seconds.
        by: u64,
        /// Seconds that are borne.
        most: u64,
    },
    /// A filter's range ends before it begins.
    #[error("the range of blocks ends before it begins; swap fromBlock and toBlock")]
    Range,
    /// The filter matches too much.
    #[error("query returned more than {0} results; ask for fewer blocks")]
    TooManyLogs(usize),
    /// The file could not be read or written; nothing was added.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A defect: the machine broke off without a reason of Ethereum's.
    #[error("the machine failed: {0}; report this")]
    Machine(String),
}

impl ChainError {
    pub(crate) fn reverted(data: Bytes) -> Self {
        let reason = decode_revert_reason(&data).map(|text| {
            text.strip_prefix("revert: ")
                .map_or(text.clone(), str::to_owned)
        });
        Self::Reverted { reason, data }
    }

    /// The code that JSON-RPC gives it: 3 for a revert, as geth; −32003 for a transaction that
    /// is refused (EIP-1474).
    pub fn code(&self) -> i64 {
        match self {
            Self::Reverted { .. } => 3,
            Self::NotForTests => -32601,
            Self::Request(_)
            | Self::Range
            | Self::Past { .. }
            | Self::Future { .. }
            | Self::PastHead { .. }
            | Self::Percentiles(_) => -32602,
            Self::TooManyLogs(_)
            | Self::PoolFull(_)
            | Self::GasOfRequest { .. }
            | Self::AnswerTooLong { .. }
            | Self::Busy
            | Self::Abandoned => -32005,
            Self::UnknownBlock | Self::OldState { .. } => -32001,
            Self::Halted(_)
            | Self::CallGas { .. }
            | Self::GasAllowance(_)
            | Self::Underpriced { .. } => -32000,
            Self::Disk(_) | Self::Machine(_) => -32603,
            _ => -32003,
        }
    }

    /// What a contract returned with its refusal.
    pub fn data(&self) -> Option<&Bytes> {
        match self {
            Self::Reverted { data, .. } => Some(data),
            _ => None,
        }
    }
}
