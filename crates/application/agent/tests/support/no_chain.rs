//! A chain that does not answer.

use medibloc_ledger::{BlockEvents, Events, LedgerError, ReceiptProof};
use medibloc_record::ReceiptId;

pub(crate) struct NoChain;

fn no_answer<T>() -> Result<T, LedgerError> {
    Err(LedgerError::Unreachable {
        from: "the chain".into(),
        why: "connection refused".into(),
    })
}

#[async_trait::async_trait]
impl Events for NoChain {
    async fn events(&self, _: u64, _: u32) -> Result<Vec<BlockEvents>, LedgerError> {
        no_answer()
    }

    async fn hash_of(&self, _: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        no_answer()
    }

    async fn proof(&self, _: u64, _: ReceiptId) -> Result<Option<ReceiptProof>, LedgerError> {
        no_answer()
    }
}
