//! Where a request was executed, found on chain: so a relay needs no memory to answer the same request twice alike.

use alloy::consensus::Transaction as _;
use alloy::primitives::{B256, U256};
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, TransactionReceipt};
use alloy::sol_types::{SolCall, SolEvent, SolValue};
use medibloc_ledger::LedgerError;

use super::check::Checker;
use super::queue::Ticket;
use crate::bindings::forwarder::ERC2771Forwarder::ForwardRequestData;
use crate::bindings::forwarder::Forwarder;
use crate::refusal::bad;

/// How many blocks one question looks through, and how many questions are asked before it gives up.
const SPAN: u64 = 10_000;
const QUESTIONS: usize = 100;

impl Checker {
    /// The transaction that executed this very request.
    pub(super) async fn past(&self, ticket: &Ticket) -> Result<B256, LedgerError> {
        let first = self.ledger.deployed().block;
        let mut to = self.rpc().block_number().await?;
        for _ in 0..QUESTIONS {
            let from = to.saturating_sub(SPAN - 1).max(first);
            if let Some(hash) = self.executed_in(ticket, from, to).await? {
                return if self.carries(hash, ticket).await? {
                    Ok(hash)
                } else {
                    Err(bad("its nonce was used by another request"))
                };
            }
            if from == first {
                break;
            }
            to = from - 1;
        }
        Err(bad("its nonce was used long ago"))
    }

    async fn executed_in(
        &self,
        ticket: &Ticket,
        from: u64,
        to: u64,
    ) -> Result<Option<B256>, LedgerError> {
        let filter = Filter::new()
            .address(self.forwarder())
            .event_signature(Forwarder::ExecutedForwardRequest::SIGNATURE_HASH)
            .topic1(ticket.request.from.into_word())
            .from_block(from)
            .to_block(to);
        let filter = &filter;
        let logs = self.ledger.logs_by(filter, to).await?;
        let found = logs.iter().find(|log| {
            Forwarder::ExecutedForwardRequest::decode_log(&log.inner)
                .is_ok_and(|event| event.nonce == ticket.request.nonce)
        });
        Ok(found.and_then(|log| log.transaction_hash))
    }

    /// Whether the transaction carries this request, to the byte.
    async fn carries(&self, hash: B256, ticket: &Ticket) -> Result<bool, LedgerError> {
        let transaction = self
            .rpc()
            .ask(|node| async move { node.get_transaction_by_hash(hash).await })
            .await?;
        let Some(transaction) = transaction else {
            return Ok(false);
        };
        let input = transaction.input();
        let requests: Vec<ForwardRequestData> =
            if let Ok(call) = Forwarder::executeBatchCall::abi_decode(input) {
                call.requests
            } else if let Ok(call) = Forwarder::executeCall::abi_decode(input) {
                vec![call.request]
            } else {
                Vec::new()
            };
        Ok(requests.iter().any(|other| is_same(other, &ticket.signed)))
    }
}

fn is_same(a: &ForwardRequestData, b: &ForwardRequestData) -> bool {
    a.abi_encode() == b.abi_encode()
}

/// How the forwarder fared with one request of a transaction.
pub(super) fn success(
    forwarder: alloy::primitives::Address,
    receipt: &TransactionReceipt,
    signer: alloy::primitives::Address,
    nonce: U256,
) -> Option<bool> {
    receipt.logs().iter().find_map(|log| {
        if log.address() != forwarder {
            return None;
        }
        let event = Forwarder::ExecutedForwardRequest::decode_log(&log.inner).ok()?;
        (event.signer == signer && event.nonce == nonce).then_some(event.success)
    })
}
