//! The EVM, rules of Cancun. All that revm is stays in this module.

use std::{collections::BTreeMap, sync::Arc};

use alloy::{
    consensus::{
        Header, Transaction as _, TxEnvelope, constants::EMPTY_ROOT_HASH, transaction::Recovered,
    },
    primitives::{Address, B256, Bytes, KECCAK256_EMPTY, Log, U256},
    rpc::types::TransactionRequest,
};
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory, rpc::TryIntoTxEnv};
use revm::{
    DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    context::{
        BlockEnv, CfgEnv, DBErrorMarker, TxEnv,
        result::{EVMError, ExecutionResult, InvalidTransaction},
    },
    context_interface::block::BlobExcessGasAndPrice,
    database::{AccountState, CacheDB, DbAccount},
    primitives::hardfork::SpecId,
    state::AccountInfo,
};

use crate::{
    disk::{DiskError, Snapshot},
    error::ChainError,
    state::{Account, Change},
};

/// The least price of a unit of blob gas (EIP-4844); there are no blobs here.
const BLOB_PRICE: u128 = 1;

/// How a run ended.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Returned(Bytes),
    Reverted(Bytes),
    Halted { reason: String, out_of_gas: bool },
}

/// What a transaction or a call did.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) ending: Ending,
    pub(crate) gas_used: u64,
    pub(crate) gas_refunded: u64,
    /// Empty unless it returned.
    pub(crate) logs: Vec<Log>,
}

impl Outcome {
    pub(crate) fn returned(&self) -> bool {
        matches!(self.ending, Ending::Returned(_))
    }

    /// What was returned, or why nothing was.
    pub(crate) fn into_output(self) -> Result<Bytes, ChainError> {
        match self.ending {
            Ending::Returned(output) => Ok(output),
            Ending::Reverted(data) => Err(ChainError::reverted(data)),
            Ending::Halted { reason, .. } => Err(ChainError::Halted(reason)),
        }
    }
}

/// Runs the transactions of one block, each on what those before it left.
pub(crate) struct Run {
    database: CacheDB<Reader>,
    environment: EvmEnv,
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}

impl Run {
    pub(crate) fn new(snapshot: &Arc<Snapshot>, chain_id: u64, header: &Header) -> Self {
        Self {
            database: CacheDB::new(Reader(Arc::clone(snapshot))),
            environment: environment(chain_id, header),
        }
    }

    /// Runs a transaction and keeps what it did, or refuses it and changes nothing.
    pub(crate) fn transact(
        &mut self,
        transaction: &Recovered<TxEnvelope>,
    ) -> Result<Outcome, ChainError> {
        let environment = self.environment.clone();
        let mut evm = EthEvmFactory::default().create_evm(&mut self.database, environment);
        let done = evm.transact(transaction).map_err(|error| {
            refusal(
                error,
                transaction.signer(),
                transaction.gas_limit(),
                &self.environment,
            )
        })?;
        drop(evm);
        self.database.commit(done.state);
        Ok(outcome(done.result))
    }

    /// Gives coins to accounts, as the first block does.
    pub(crate) fn endow(&mut self, accounts: &[(Address, U256)]) {
        for (address, balance) in accounts {
            let info = AccountInfo {
                balance: *balance,
                ..Default::default()
            };
            self.database.insert_account_info(*address, info);
        }
    }

    /// What all transactions together changed.
    pub(crate) fn changes(self) -> Result<Vec<Change>, DiskError> {
        let CacheDB {
            cache,
            db: Reader(snapshot),
        } = self.database;
        let mut rows: Vec<_> = cache.accounts.into_iter().collect();
        rows.sort_unstable_by_key(|(address, _)| *address);
        let mut changes = Vec::new();
        for (address, account) in rows {
            let mut change = change(&snapshot, address, account)?;
            let unchanged = change.before == change.after;
            if unchanged && change.slots.is_empty() && !change.wiped {
                continue;
            }
            let hash = change
                .after
                .map_or(KECCAK256_EMPTY, |account| account.code_hash);
            if hash != KECCAK256_EMPTY
                && change.before.is_none_or(|before| before.code_hash != hash)
                && let Some(code) = cache.contracts.get(&hash)
            {
                change.code = Some((hash, code.original_bytes()));
            }
            changes.push(change);
        }
        Ok(changes)
    }
}

/// Runs a request on a snapshot and keeps nothing. `gas` is the most it may use.
pub(crate) fn call(
    snapshot: &Arc<Snapshot>,
    chain_id: u64,
    header: &Header,
    mut request: TransactionRequest,
    gas: u64,
) -> Result<Outcome, ChainError> {
    let mut environment = environment(chain_id, header);
    environment.cfg_env.disable_base_fee = true;
    environment.cfg_env.disable_nonce_check = true;
    environment.cfg_env.disable_eip3607 = true;
    request.gas = Some(gas);
    request.nonce = None;
    request.chain_id = None;
    let from = request.from.unwrap_or_default();
    let transaction: TxEnv = request
        .try_into_tx_env(&environment)
        .map_err(|error| ChainError::Request(error.to_string()))?;
    let database = CacheDB::new(Reader(Arc::clone(snapshot)));
    let mut evm = EthEvmFactory::default().create_evm(database, environment.clone());
    let done = evm
        .transact(transaction)
        .map_err(|error| refusal(error, from, gas, &environment))?;
    Ok(outcome(done.result))
}

fn environment(chain_id: u64, header: &Header) -> EvmEnv {
    let configuration = CfgEnv::new_with_spec(SpecId::CANCUN).with_chain_id(chain_id);
    let block = BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee_per_gas.unwrap_or_default(),
        prevrandao: Some(header.mix_hash),
        blob_excess_gas_and_price: Some(BlobExcessGasAndPrice {
            excess_blob_gas: 0,
            blob_gasprice: BLOB_PRICE,
        }),
        ..Default::default()
    };
    EvmEnv::new(configuration, block)
}

fn outcome(result: ExecutionResult) -> Outcome {
    let gas_used = result.tx_gas_used();
    let gas_refunded = result.gas().inner_refunded();
    let (ending, logs) = match result {
        ExecutionResult::Success { output, logs, .. } => {
            (Ending::Returned(output.into_data()), logs)
        }
        ExecutionResult::Revert { output, .. } => (Ending::Reverted(output), Vec::new()),
        ExecutionResult::Halt { reason, .. } => {
            let out_of_gas = matches!(reason, revm::context::result::HaltReason::OutOfGas(_));
            (
                Ending::Halted {
                    reason: reason.to_string(),
                    out_of_gas,
                },
                Vec::new(),
            )
        }
    };
    Outcome {
        ending,
        gas_used,
        gas_refunded,
        logs,
    }
}

fn refusal(
    error: EVMError<ReadError>,
    from: Address,
    gas: u64,
    environment: &EvmEnv,
) -> ChainError {
    let invalid = match error {
        EVMError::Transaction(invalid) => invalid,
        EVMError::Database(ReadError(error)) => return ChainError::Disk(error),
        other => return ChainError::Machine(other.to_string()),
    };
    match invalid {
        InvalidTransaction::NonceTooLow { tx, state } => ChainError::NonceTooLow {
            from,
            nonce: tx,
            next: state,
        },
        InvalidTransaction::NonceTooHigh { tx, state } => ChainError::NonceTooHigh {
            from,
            nonce: tx,
            next: state,
        },
        InvalidTransaction::LackOfFundForMaxFee { fee, balance } => ChainError::Funds {
            from,
            needs: *fee,
            has: *balance,
        },
        InvalidTransaction::CallerGasLimitMoreThanBlock => ChainError::GasAboveBlock {
            gas,
            limit: environment.block_env.gas_limit,
        },
        InvalidTransaction::CallGasCostMoreThanGasLimit {
            initial_gas: needs, ..
        }
        | InvalidTransaction::GasFloorMoreThanGasLimit {
            gas_floor: needs, ..
        } => ChainError::IntrinsicGas { gas, needs },
        InvalidTransaction::GasPriceLessThanBasefee => ChainError::FeeTooLow {
            base_fee: environment.block_env.basefee,
        },
        InvalidTransaction::CreateInitCodeSizeLimit => ChainError::InitCodeTooLong,
        other => ChainError::Refused(other.to_string()),
    }
}

fn change(snapshot: &Snapshot, address: Address, account: DbAccount) -> Result<Change, DiskError> {
    let before = snapshot.account(address)?;
    let gone = account.account_state == AccountState::NotExisting || account.info.is_empty();
    let after = (!gone).then_some(Account {
        nonce: account.info.nonce,
        balance: account.info.balance,
        code_hash: account.info.code_hash,
        storage_root: before.map_or(EMPTY_ROOT_HASH, |before| before.storage_root),
    });
    let cleared = gone || account.account_state == AccountState::StorageCleared;
    let had_slots = before.is_some_and(|before| before.storage_root != EMPTY_ROOT_HASH);
    let wiped = cleared && had_slots;
    let mut slots = BTreeMap::new();
    if !gone {
        for (slot, value) in account.storage {
            let before = if wiped {
                U256::ZERO
            } else {
                snapshot.slot(address, slot)?
            };
            if before != value {
                slots.insert(slot, (before, value));
            }
        }
    }
    Ok(Change {
        address,
        before,
        after,
        wiped,
        slots,
        code: None,
    })
}

/// What the machine reads from.
#[derive(Debug, Clone)]
struct Reader(Arc<Snapshot>);

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct ReadError(#[from] DiskError);

impl DBErrorMarker for ReadError {}

impl DatabaseRef for Reader {
    type Error = ReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        Ok(self.0.account(address)?.map(|account| AccountInfo {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: account.code_hash,
            code: None,
            ..Default::default()
        }))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, ReadError> {
        Ok(Bytecode::new_raw(self.0.code(hash)?))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        Ok(self.0.slot(address, slot)?)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, ReadError> {
        Ok(self
            .0
            .header(number)?
            .map(|head| head.hash)
            .unwrap_or_default())
    }
}
