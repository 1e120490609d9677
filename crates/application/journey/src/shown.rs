//! What the chain shows of a call. A relay only says what became of it, and can lie: what ends or goes on by a call does so by
//! the events of the own chain.

use medibloc_ledger::{Call, LedgerError, Outcome};
use medibloc_record::AccountId;

use crate::errand::is_effect;
use crate::{JourneyError, OwnAddress, Party};

impl Party {
    /// Signs and sends one call of an own address; returns when the chain shows it.
    pub(crate) async fn call(
        &self,
        own: &OwnAddress,
        call: &Call,
    ) -> Result<Outcome, JourneyError> {
        let since = self.right_head().await?.number;
        let signed = self.sign(own, call).await?;
        let said = self.ports.relay.relay(&signed).await?;
        let shown = self.shown_after(since, own.id(), call).await?;
        shown.ok_or_else(|| LedgerError::not_shown(said).into())
    }

    /// Where a call of an own account stands on the chain after a block, if it does. What stands in that block itself was there
    /// before.
    pub(crate) async fn shown_after(
        &self,
        block: u64,
        own: AccountId,
        call: &Call,
    ) -> Result<Option<Outcome>, JourneyError> {
        let (events, _) = self.events_from(block.saturating_add(1)).await?;
        let event = events
            .into_iter()
            .find(|(_, event)| is_effect(own, call, event));
        if let Some((at, _)) = event {
            return Ok(Some(Outcome {
                block: at.block,
                transaction: [0; 32],
            }));
        }
        // What was accepted before, by another device or with its anchor, is accepted once: there is no other event.
        if let Call::Accept(anchor) = call {
            let facts = self.ports.facts.record(anchor.record_id()).await?;
            if facts.is_some_and(|facts| facts.accepted) {
                let head = self.right_head().await?;
                return Ok(Some(Outcome {
                    block: head.number,
                    transaction: [0; 32],
                }));
            }
        }
        Ok(None)
    }
}
