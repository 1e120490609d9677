//! What each method answers.

use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, U64, U256},
    rpc::json_rpc::ErrorPayload,
    rpc::types::TransactionRequest,
    serde::JsonStorageKey,
};
use serde_json::value::RawValue;

use super::{Answer, PARAMETERS, UNKNOWN_METHOD, answer, failure, parameters::Parameters, refusal};
use crate::{
    chain::{Chain, Meter, Part, TRIES, Transactions, Weight},
    error::ChainError,
};

/// Slots of one proof, at most (as geth).
const MOST_SLOTS: usize = 1_024;

const VERSION: &str = concat!("medibloc-devchain/", env!("CARGO_PKG_VERSION"));

/// What kind of work a question is: none waits behind another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A program is run so many times, and nothing kept.
    Call { times: u64 },
    /// Something is looked up, which seems to cost so much before it is weighed.
    Look { cost: u64 },
    /// The chain grows, or its time is moved.
    Change,
}

/// The kind of work that a method is.
pub(super) fn work(method: &str) -> Work {
    match method {
        "eth_call" => Work::Call { times: 1 },
        "eth_estimateGas" => Work::Call { times: TRIES },
        "eth_sendRawTransaction" => Work::Change,
        _ if is_for_tests(method) => Work::Change,
        "eth_getLogs" | "eth_getProof" | "eth_feeHistory" => Work::Look { cost: 64 },
        "eth_getBlockByNumber"
        | "eth_getBlockByHash"
        | "eth_getBlockReceipts"
        | "eth_getTransactionByHash"
        | "eth_getTransactionReceipt"
        | "eth_getCode" => Work::Look { cost: 4 },
        _ => Work::Look { cost: 1 },
    }
}

/// What looking something up takes, before it is done. Of what is no question it is nothing: the answer says what is wrong.
pub(super) fn weigh(
    chain: &Chain,
    method: &str,
    parameters: Option<&RawValue>,
) -> Result<Weight, ErrorPayload> {
    let mut parameters = Parameters::read(method, parameters)?;
    let p = &mut parameters;
    let weight = match method {
        "eth_getLogs" => chain.weigh_logs(&p.filter()?),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            let id = match method {
                "eth_getBlockByHash" => BlockId::hash(p.next()?),
                _ => BlockId::Number(p.next()?),
            };
            let full = p.optional::<bool>()?.unwrap_or(false);
            chain.weigh_block(id, full)
        }
        "eth_getBlockReceipts" => chain.weigh_block(p.block()?, true),
        "eth_getTransactionByHash" => chain.weigh_transaction(p.next()?, Part::Transaction),
        "eth_getTransactionReceipt" => chain.weigh_transaction(p.next()?, Part::Receipt),
        "eth_feeHistory" => {
            let blocks = p.number()?.unwrap_or(1);
            let newest = p.optional()?.unwrap_or_default();
            let percentiles: Option<Vec<f64>> = p.optional()?;
            chain.weigh_fee_history(blocks, newest, percentiles.map(|all| all.len()))
        }
        "eth_getProof" => {
            p.next::<Address>()?;
            let slots = p.slots::<Vec<JsonStorageKey>>()?;
            Ok(Weight::proof(slots.len()))
        }
        _ => Ok(Weight::default()),
    };
    weight.map_err(|error| refusal(&error))
}

/// Answers one question; `meter` is that of its request.
pub(super) fn ask(
    chain: &Chain,
    method: &str,
    parameters: Option<&RawValue>,
    meter: &Meter,
) -> Answer {
    let there = |_: &&[&str]| chain.has_test_methods() || !is_for_tests(method);
    let names = names(method).filter(there).ok_or_else(|| unknown(method))?;
    let mut parameters = Parameters::read(method, parameters)?;
    parameters.at_most(names, method)?;
    let p = &mut parameters;
    match method {
        "web3_clientVersion" => answer(Ok(VERSION), meter),
        "net_version" => answer(Ok(chain.chain_id().to_string()), meter),
        "net_listening" => answer(Ok(true), meter),
        "eth_syncing" => answer(Ok(false), meter),
        "eth_accounts" => answer(Ok([(); 0]), meter),
        "eth_chainId" => quantity(Ok(chain.chain_id()), meter),
        "eth_blockNumber" => quantity(chain.number(), meter),
        "eth_gasPrice" => quantity(chain.gas_price(), meter),
        "eth_maxPriorityFeePerGas" => quantity(Ok(chain.tip()), meter),
        "eth_feeHistory" => {
            let blocks = p.number()?.unwrap_or(1);
            let newest = p.optional()?.unwrap_or_default();
            let percentiles: Option<Vec<f64>> = p.optional()?;
            answer(
                chain.fee_history(blocks, newest, percentiles.as_deref()),
                meter,
            )
        }
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            let id = match method {
                "eth_getBlockByHash" => BlockId::hash(p.next()?),
                _ => BlockId::Number(p.next()?),
            };
            let full = p.optional::<bool>()?.unwrap_or(false);
            let with = if full {
                Transactions::Full
            } else {
                Transactions::Hashes
            };
            answer(chain.block(id, with), meter)
        }
        "eth_getTransactionByHash" => answer(chain.transaction(p.next::<B256>()?), meter),
        "eth_getTransactionReceipt" => answer(chain.receipt(p.next::<B256>()?), meter),
        "eth_getBlockReceipts" => answer(chain.receipts(p.block()?), meter),
        "eth_getLogs" => answer(chain.logs_within(&p.filter()?, meter), meter),
        "eth_getBalance" => answer(chain.balance(p.next::<Address>()?, p.block()?), meter),
        "eth_getTransactionCount" => quantity(chain.nonce(p.next::<Address>()?, p.block()?), meter),
        "eth_getCode" => answer(chain.code(p.next::<Address>()?, p.block()?), meter),
        "eth_getStorageAt" => {
            let (address, slot) = (p.next::<Address>()?, p.slots::<U256>()?);
            answer(chain.slot(address, slot, p.block()?), meter)
        }
        "eth_getProof" => {
            let address = p.next::<Address>()?;
            let slots = p.slots::<Vec<JsonStorageKey>>()?;
            if slots.len() > MOST_SLOTS {
                let message = format!("parameter 1: {} slots; {MOST_SLOTS} at most", slots.len());
                return Err(failure(PARAMETERS, message));
            }
            answer(chain.proof(address, slots, p.block()?), meter)
        }
        "eth_call" => answer(
            chain.call_within(&p.next::<TransactionRequest>()?, p.block()?, meter),
            meter,
        ),
        "eth_estimateGas" => {
            // Without a block: as the transaction would run, which is in the next one (as anvil).
            let request = p.next::<TransactionRequest>()?;
            let at = p.optional()?.unwrap_or(BlockId::pending());
            quantity(chain.estimate_within(&request, at, meter), meter)
        }
        "eth_sendRawTransaction" => answer(chain.send_raw(&p.next::<Bytes>()?), meter),
        "evm_setNextBlockTimestamp" => answer(chain.set_time(p.some_number()?), meter),
        "evm_increaseTime" => answer(chain.increase_time(p.some_number()?), meter),
        "evm_mine" => {
            let time = p.number()?;
            let mined = time
                .map_or(Ok(()), |time| chain.set_time(time))
                .and_then(|()| chain.mine());
            answer(mined.map(|_| "0x0"), meter)
        }
        _ => Err(unknown(method)),
    }
}

/// What changes the chain without a signed transaction.
fn is_for_tests(method: &str) -> bool {
    matches!(
        method,
        "evm_setNextBlockTimestamp" | "evm_increaseTime" | "evm_mine"
    )
}

fn unknown(method: &str) -> ErrorPayload {
    failure(UNKNOWN_METHOD, format!("method {method} is not supported"))
}

/// The parameters of a method, by their names in the execution API's specification.
fn names(method: &str) -> Option<&'static [&'static str]> {
    Some(match method {
        "web3_clientVersion"
        | "net_version"
        | "net_listening"
        | "eth_syncing"
        | "eth_accounts"
        | "eth_chainId"
        | "eth_blockNumber"
        | "eth_gasPrice"
        | "eth_maxPriorityFeePerGas" => &[],
        "eth_feeHistory" => &["blockCount", "newestBlock", "rewardPercentiles"],
        "eth_getBlockByNumber" => &["block", "hydrated"],
        "eth_getBlockByHash" => &["hash", "hydrated"],
        "eth_getTransactionByHash" | "eth_getTransactionReceipt" => &["hash"],
        "eth_getBlockReceipts" => &["block"],
        "eth_getLogs" => &["filter"],
        "eth_getBalance" | "eth_getTransactionCount" | "eth_getCode" => &["address", "block"],
        "eth_getStorageAt" => &["address", "slot", "block"],
        "eth_getProof" => &["address", "storageKeys", "block"],
        "eth_call" | "eth_estimateGas" => &["transaction", "block"],
        "eth_sendRawTransaction" => &["transaction"],
        "evm_setNextBlockTimestamp" | "evm_mine" => &["timestamp"],
        "evm_increaseTime" => &["seconds"],
        _ => return None,
    })
}

fn quantity(number: Result<u64, ChainError>, meter: &Meter) -> Answer {
    answer(number.map(U64::from), meter)
}
