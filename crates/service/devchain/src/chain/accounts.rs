//! Questions about accounts, and proofs of their answers.

use alloy::{
    consensus::constants::{EMPTY_ROOT_HASH, KECCAK_EMPTY},
    eips::BlockId,
    primitives::{Address, B256, Bytes, U256},
    rpc::types::{EIP1186AccountProofResponse, EIP1186StorageProof},
    serde::JsonStorageKey,
};

use super::Chain;
use crate::{disk::DiskError, error::ChainError, state::Account, trie};

impl Chain {
    /// An account's coins, in wei.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn balance(&self, address: Address, at: BlockId) -> Result<U256, ChainError> {
        Ok(self
            .account(address, at)?
            .map_or(U256::ZERO, |account| account.balance))
    }

    /// The nonce of an account's next transaction; at `pending`, after those that wait.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn nonce(&self, address: Address, at: BlockId) -> Result<u64, ChainError> {
        // No block comes between the count of those that wait and the state.
        let writer = at.is_pending().then(|| self.writer());
        let next = self
            .account(address, at)?
            .map_or(0, |account| account.nonce);
        let waiting = writer.map_or(0, |writer| {
            let mut pool = writer.pool.iter();
            pool.by_ref().filter(|one| one.signer() == address).count()
        });
        Ok(next + waiting as u64)
    }

    /// A contract's code.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn code(&self, address: Address, at: BlockId) -> Result<Bytes, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        let account = snapshot.account(address)?;
        Ok(account.map_or(Ok(Bytes::new()), |account| snapshot.code(account.code_hash))?)
    }

    /// A contract's slot.
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn slot(&self, address: Address, slot: U256, at: BlockId) -> Result<B256, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        Ok(B256::from(snapshot.slot(address, slot)?))
    }

    /// What proves an account and its slots under the newest state root (EIP-1186).
    ///
    /// # Errors
    /// When the state of that block is not kept, or the disk fails.
    pub fn proof(
        &self,
        address: Address,
        slots: Vec<JsonStorageKey>,
        at: BlockId,
    ) -> Result<EIP1186AccountProofResponse, ChainError> {
        let snapshot = self.snapshot()?;
        let head = self.at(&snapshot, at)?;
        let keys: Vec<U256> = slots.iter().map(|slot| slot.as_b256().into()).collect();
        let (account_proof, proofs) =
            trie::prove(&snapshot, head.header.state_root, address, &keys)?;
        let storage_proof = slots
            .into_iter()
            .zip(&keys)
            .zip(proofs)
            .map(|((key, slot), proof)| {
                Ok(EIP1186StorageProof {
                    key,
                    value: snapshot.slot(address, *slot)?,
                    proof,
                })
            })
            .collect::<Result<_, DiskError>>()?;
        let account = snapshot.account(address)?.unwrap_or(Account {
            nonce: 0,
            balance: U256::ZERO,
            code_hash: KECCAK_EMPTY,
            storage_root: EMPTY_ROOT_HASH,
        });
        Ok(EIP1186AccountProofResponse {
            address,
            balance: account.balance,
            code_hash: account.code_hash,
            nonce: account.nonce,
            storage_hash: account.storage_root,
            account_proof,
            storage_proof,
        })
    }

    fn account(&self, address: Address, at: BlockId) -> Result<Option<Account>, ChainError> {
        let snapshot = self.snapshot()?;
        self.at(&snapshot, at)?;
        Ok(snapshot.account(address)?)
    }
}
