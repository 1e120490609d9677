//! Signed transactions of the test accounts.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEnvelope, TxLegacy},
    eips::{
        eip2718::Encodable2718 as _,
        eip2930::{AccessList, AccessListItem},
    },
    network::TxSignerSync,
    primitives::{Address, B256, Bytes, TxKind, U256, b256},
    signers::local::PrivateKeySigner,
};

pub(crate) const CHAIN_ID: u64 = 31_337;

/// The keys of the first three test accounts; they are public.
const KEYS: [B256; 3] = [
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
];

pub(crate) fn account(place: usize) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&KEYS[place]).unwrap()
}

/// What to do, in any type of transaction.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: u8,
    pub(crate) chain_id: u64,
    pub(crate) nonce: u64,
    pub(crate) gas: u64,
    pub(crate) price: u128,
    pub(crate) to: TxKind,
    pub(crate) value: U256,
    pub(crate) input: Bytes,
}

impl Draft {
    pub(crate) fn new(kind: u8, nonce: u64, to: Option<Address>, input: Bytes) -> Self {
        Self {
            kind,
            chain_id: CHAIN_ID,
            nonce,
            gas: 1_000_000,
            price: 3_000_000_000,
            to: to.map_or(TxKind::Create, TxKind::Call),
            value: U256::ZERO,
            input,
        }
    }

    pub(crate) fn sign(self, signer: &PrivateKeySigner) -> Bytes {
        let Self {
            kind,
            chain_id,
            nonce,
            gas,
            price,
            to,
            value,
            input,
        } = self;
        let slots = vec![B256::ZERO, B256::with_last_byte(1)];
        let item = |to: &Address| AccessListItem {
            address: *to,
            storage_keys: slots,
        };
        let access_list = AccessList(to.to().map(item).into_iter().collect());
        let signed: TxEnvelope = match kind {
            0 => {
                let chain_id = Some(chain_id);
                sign(
                    TxLegacy {
                        chain_id,
                        nonce,
                        gas_price: price,
                        gas_limit: gas,
                        to,
                        value,
                        input,
                    },
                    signer,
                )
            }
            1 => sign(
                TxEip2930 {
                    chain_id,
                    nonce,
                    gas_price: price,
                    gas_limit: gas,
                    to,
                    value,
                    access_list,
                    input,
                },
                signer,
            ),
            _ => sign(
                TxEip1559 {
                    chain_id,
                    nonce,
                    gas_limit: gas,
                    max_fee_per_gas: price,
                    max_priority_fee_per_gas: price / 3,
                    to,
                    value,
                    access_list,
                    input,
                },
                signer,
            ),
        };
        signed.encoded_2718().into()
    }
}

fn sign<T>(mut transaction: T, signer: &PrivateKeySigner) -> TxEnvelope
where
    T: SignableTransaction<alloy::primitives::Signature>,
    TxEnvelope: From<alloy::consensus::Signed<T>>,
{
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    transaction.into_signed(signature).into()
}
