//! Which wallet sent the transaction of an event: who of several that have a role did it.

use alloy::eips::BlockId;
use alloy::network::TransactionResponse as _;
use alloy::providers::Provider as _;
use medibloc_ledger::{Event, LedgerError};
use medibloc_record::Address;

use crate::ledger::missing;
use crate::look::Wanted;
use crate::{EvmLedger, decode};

impl EvmLedger {
    /// The events of one block, each with the wallet that sent its transaction, in the order in which they stand. Whoever relays a
    /// call sends it: what a wallet says of the act itself is for acts that nobody relays.
    ///
    /// # Errors
    /// If the chain is silent, or the block is replaced while it is read.
    pub async fn senders(&self, block: u64) -> Result<Vec<(Event, Address)>, LedgerError> {
        let mut senders: Vec<(Event, Address)> = Vec::new();
        for log in self.logs(block, block).await? {
            let Some(event) = decode::event(&self.deployed().contracts, &log.inner) else {
                continue;
            };
            let gone = || LedgerError::Unreachable {
                from: "the chain".into(),
                why: format!("a transaction of block {block} was replaced while it was read"),
            };
            let hash = log.transaction_hash.ok_or_else(gone)?;
            let ask = |node: alloy::providers::RootProvider| async move {
                node.get_transaction_by_hash(hash).await
            };
            let sent = self.rpc().ask(ask).await?.ok_or_else(gone)?;
            senders.push((event, Address::new(sent.from().0.0)));
        }
        // A node that is behind gives fewer logs, without a word.
        let wanted = Wanted::one(block, self.final_number().await?);
        let there = self.look(&wanted).await?;
        if there.iter().map(|block| block.events.len()).sum::<usize>() != senders.len() {
            return Err(missing(BlockId::number(block)));
        }
        Ok(senders)
    }
}
