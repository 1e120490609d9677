//! A wallet that pays for transactions: nonces in order, fees, and waiting until one is final.

use core::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559, TxEnvelope, TxLegacy};
use alloy::eips::BlockId;
use alloy::eips::eip2718::Encodable2718;
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256};
use alloy::providers::Provider;
use alloy::rpc::types::{TransactionReceipt, TransactionRequest};
use alloy::signers::local::PrivateKeySigner;
use medibloc_keys::SigningKey;
use medibloc_ledger::LedgerError;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::rpc::{Fault, LOOK, Rpc};

const TIP: u128 = 1_000_000_000;
/// A transaction that no block takes is sent again with a higher fee after this time.
const STUCK: Duration = Duration::from_secs(45);

/// One key; its transactions leave one after another.
#[derive(Debug)]
pub(crate) struct Wallet {
    rpc: Rpc,
    signer: PrivateKeySigner,
    chain_id: u64,
    turn: Mutex<()>,
}

/// What a wallet has, in the chain's smallest coin, and what it offers for gas now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Funds {
    /// Its coins.
    pub coins: u128,
    /// The most that it offers for one gas.
    pub gas_price: u128,
}

impl Funds {
    /// Gas that the coins pay for.
    pub fn gas(self) -> u64 {
        let gas = self.coins / self.gas_price.max(1);
        u64::try_from(gas).unwrap_or(u64::MAX)
    }
}

/// What to send.
#[derive(Clone, Debug)]
pub(crate) struct Payload {
    pub(crate) to: TxKind,
    pub(crate) value: U256,
    pub(crate) data: Bytes,
    /// As estimated, if not given.
    pub(crate) gas: Option<u64>,
}

impl Payload {
    pub(crate) fn call(to: Address, data: Vec<u8>) -> Self {
        Self {
            to: TxKind::Call(to),
            value: U256::ZERO,
            data: data.into(),
            gas: None,
        }
    }
}

/// A transaction on its way, with what replaced it; only one of them can be mined.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    payload: Payload,
    nonce: u64,
    gas: u64,
    versions: Vec<(B256, Vec<u8>)>,
}

impl Sent {
    /// A transaction that somebody else sent.
    pub(crate) fn elsewhere(hash: B256) -> Self {
        Self {
            payload: Payload::call(Address::ZERO, Vec::new()),
            nonce: 0,
            gas: 0,
            versions: vec![(hash, Vec::new())],
        }
    }
}

impl Wallet {
    pub(crate) fn new(rpc: Rpc, chain_id: u64, key: &SigningKey) -> Self {
        let signer = PrivateKeySigner::from_slice(key.dangerous_bytes().as_slice())
            .expect("a signing key is below the curve's order");
        Self {
            rpc,
            signer,
            chain_id,
            turn: Mutex::new(()),
        }
    }

    pub(crate) const fn address(&self) -> Address {
        self.signer.address()
    }

    /// The nonce of the wallet's next transaction, as the chain and its waiting room have it: a block that was
    /// replaced may have taken transactions back.
    pub(crate) async fn next_nonce(&self) -> Result<u64, Fault> {
        let address = self.address();
        self.rpc
            .ask(|node| async move { node.get_transaction_count(address).pending().await })
            .await
    }

    pub(crate) async fn funds(&self) -> Result<Funds, Fault> {
        let address = self.address();
        let coins = self
            .rpc
            .ask(|node| async move { node.get_balance(address).await })
            .await?;
        let gas_price = match self.base_fee().await? {
            Some(base) => most_for(base),
            None => self.legacy_price().await?,
        };
        Ok(Funds {
            coins: u128::try_from(coins).unwrap_or(u128::MAX),
            gas_price,
        })
    }

    async fn base_fee(&self) -> Result<Option<u64>, Fault> {
        let head = self.rpc.header(BlockId::latest()).await?;
        Ok(head.and_then(|header| header.base_fee_per_gas))
    }

    async fn legacy_price(&self) -> Result<u128, Fault> {
        self.rpc
            .ask(|node| async move { node.get_gas_price().await })
            .await
    }

    /// Signs and sends. The lock is held over the sending on purpose: nonces leave in order or not at all.
    pub(crate) async fn send(&self, payload: Payload) -> Result<Sent, Fault> {
        let gas = match payload.gas {
            Some(gas) => gas,
            None => self.estimate(&payload).await?,
        };
        let _turn = self.turn.lock().await;
        let mut sent = Sent {
            nonce: self.next_nonce().await?,
            payload,
            gas,
            versions: Vec::new(),
        };
        let outcome = self.broadcast(&mut sent, 100).await;
        if is_about_nonce(&outcome) {
            // another program of the same key was faster
            sent.nonce = self.next_nonce().await?;
            self.broadcast(&mut sent, 100).await?;
        } else {
            outcome?;
        }
        Ok(sent)
    }

    /// That the wallet has the coins that a call may cost.
    pub(crate) async fn must_afford(&self, payload: &Payload) -> Result<(), LedgerError> {
        let address = self.address();
        let coins = self
            .rpc
            .ask(|node| async move { node.get_balance(address).await })
            .await?;
        let lacks = |cost: U256| LedgerError::BadRequest {
            what: format!("the wallet {address} has {coins} wei, and this costs up to {cost}"),
        };
        if coins.is_zero() {
            // Some nodes estimate nothing for whoever has nothing.
            return Err(lacks(U256::from(TIP)));
        }
        let gas = self.estimate(payload).await?;
        let head = self.rpc.header(BlockId::latest()).await?;
        let price = match head.and_then(|header| header.base_fee_per_gas) {
            Some(base) => u128::from(base) * 2 + TIP,
            None => {
                self.rpc
                    .ask(|node| async move { node.get_gas_price().await })
                    .await?
            }
        };
        let cost = U256::from(gas).saturating_mul(U256::from(price));
        if coins < cost {
            return Err(lacks(cost));
        }
        Ok(())
    }

    async fn estimate(&self, payload: &Payload) -> Result<u64, Fault> {
        let request = TransactionRequest {
            from: Some(self.address()),
            to: Some(payload.to),
            value: Some(payload.value),
            input: payload.data.clone().into(),
            ..TransactionRequest::default()
        };
        let ask = async |request: &TransactionRequest| {
            self.rpc
                .ask(|node| async move { node.estimate_gas(request.clone()).await })
                .await
        };
        // Mostly enough, and answered first; what needs more, or is refused anyway, is told without that bound.
        let gas = match ask(&request.clone().gas_limit(LOOK)).await {
            Err(Fault::Said { .. } | Fault::Reverted(_)) => ask(&request).await?,
            other => other?,
        };
        Ok(gas + gas / 4)
    }

    /// Sends a new version with fees of so many percent.
    async fn broadcast(&self, sent: &mut Sent, percent: u128) -> Result<(), Fault> {
        let envelope = self.sign(sent, percent).await?;
        let (hash, raw) = (*envelope.tx_hash(), envelope.encoded_2718());
        let bytes = raw.as_slice();
        let said = self
            .rpc
            .ask(|node| async move { node.send_raw_transaction(bytes).await.map(|_| ()) })
            .await;
        if let Err(fault) = said {
            // the answer to the first try was lost, not the transaction
            if !matches!(fault, Fault::Said { .. }) || !self.is_known(hash).await? {
                return Err(fault);
            }
        }
        sent.versions.push((hash, raw));
        Ok(())
    }

    async fn is_known(&self, hash: B256) -> Result<bool, Fault> {
        let found = self
            .rpc
            .ask(|node| async move { node.get_transaction_by_hash(hash).await })
            .await?;
        Ok(found.is_some())
    }

    async fn sign(&self, sent: &Sent, percent: u128) -> Result<TxEnvelope, Fault> {
        let Payload {
            to, value, data, ..
        } = sent.payload.clone();
        let (nonce, gas_limit, chain_id) = (sent.nonce, sent.gas, self.chain_id);
        let Some(base) = self.base_fee().await? else {
            let price = self.legacy_price().await?;
            let mut tx = TxLegacy {
                chain_id: Some(chain_id),
                nonce,
                gas_price: price * percent / 100,
                gas_limit,
                to,
                value,
                input: data,
            };
            let signature = self.signed(self.signer.sign_transaction_sync(&mut tx))?;
            return Ok(tx.into_signed(signature).into());
        };
        let tip = TIP * percent / 100;
        let mut tx = TxEip1559 {
            chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: most_for(base) * percent / 100,
            max_priority_fee_per_gas: tip,
            to,
            value,
            access_list: Default::default(),
            input: data,
        };
        let signature = self.signed(self.signer.sign_transaction_sync(&mut tx))?;
        Ok(tx.into_signed(signature).into())
    }

    #[allow(clippy::unused_self, reason = "reads as a step of sign")]
    fn signed<T>(&self, signature: Result<T, alloy::signers::Error>) -> Result<T, Fault> {
        signature.map_err(|error| {
            Fault::Ledger(LedgerError::BadRequest {
                what: format!("the wallet cannot sign: {error}"),
            })
        })
    }

    /// Waits until a transaction has `depth` blocks above it, sends it again if a block forgot it, and replaces it
    /// if none takes it. Cancel-safe.
    pub(crate) async fn settled(
        &self,
        sent: &mut Sent,
        depth: u64,
        patience: Duration,
    ) -> Result<TransactionReceipt, LedgerError> {
        let start = Instant::now();
        let mut percent = 100;
        let mut looked = Instant::now();
        loop {
            match self.look(sent, depth).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) => {}
                Err(Fault::Ledger(error)) if !error.is_retryable() => return Err(error),
                Err(Fault::Ledger(_)) => {}
                Err(fault) => return Err(fault.into()),
            }
            if start.elapsed() > patience {
                return Err(LedgerError::Unreachable {
                    from: "the chain".into(),
                    why: format!("a transaction is not final after {} s", patience.as_secs()),
                });
            }
            if looked.elapsed() > STUCK && self.is_missing(sent).await {
                looked = Instant::now();
                percent += 25;
                if let Err(fault) = self.renew(sent, percent).await {
                    tracing::warn!(?fault, "a stuck transaction could not be replaced");
                }
            }
            self.rpc.pause().await;
        }
    }

    async fn renew(&self, sent: &mut Sent, percent: u128) -> Result<(), Fault> {
        if sent.gas == 0 {
            return Ok(());
        }
        self.broadcast(sent, percent).await
    }

    async fn is_missing(&self, sent: &Sent) -> bool {
        matches!(self.receipt(sent).await, Ok(None))
    }

    async fn look(&self, sent: &Sent, depth: u64) -> Result<Option<TransactionReceipt>, Fault> {
        let Some(receipt) = self.receipt(sent).await? else {
            return Ok(None);
        };
        let Some(block) = receipt.block_number else {
            return Ok(None);
        };
        if depth == 0 || self.rpc.block_number().await? >= block.saturating_add(depth) {
            return Ok(Some(receipt));
        }
        Ok(None)
    }

    async fn receipt(&self, sent: &Sent) -> Result<Option<TransactionReceipt>, Fault> {
        for (hash, _) in &sent.versions {
            let hash = *hash;
            let receipt = self
                .rpc
                .ask(|node| async move { node.get_transaction_receipt(hash).await })
                .await?;
            if receipt.is_some() {
                return Ok(receipt);
            }
        }
        Ok(None)
    }

    /// Sends and waits.
    pub(crate) async fn transact(
        &self,
        payload: Payload,
        depth: u64,
        patience: Duration,
    ) -> Result<TransactionReceipt, LedgerError> {
        let mut sent = self.send(payload).await?;
        let receipt = self.settled(&mut sent, depth, patience).await?;
        if receipt.status() {
            return Ok(receipt);
        }
        Err(LedgerError::Unreachable {
            from: "the chain".into(),
            why: format!(
                "transaction {} failed when executed",
                receipt.transaction_hash
            ),
        })
    }
}

/// The most that is offered for one gas: the base fee may double before a block takes it.
fn most_for(base: u64) -> u128 {
    u128::from(base) * 2 + TIP
}

fn is_about_nonce(outcome: &Result<(), Fault>) -> bool {
    matches!(outcome, Err(Fault::Said { message, .. }) if message.to_lowercase().contains("nonce"))
}
