//! Shares of a record for its keepers, and their word that they have them.

use medibloc_consent::{AnchorFields, ShareDeposit, SignedAcknowledgement};
use medibloc_keys::{DealerSeed, recover};
use medibloc_record::{Address, Sealed};
use medibloc_seal::{RecordParties, wrap_share};

use crate::party::OwnAddress;
use crate::together::{Asked, all};
use crate::{JourneyError, Party};

impl Party {
    /// Gives every keeper that has not acknowledged its share, wrapped to its newest key.
    pub(crate) async fn deliver_shares(
        &self,
        actor: &OwnAddress,
        anchor: &AnchorFields,
        sealed: &Sealed,
        seed: &DealerSeed,
        mut acknowledged: u64,
    ) -> Result<(u64, usize), JourneyError> {
        let committee = self.committee_of(sealed.key_set()).await?;
        let keepers = self.ports.network.keepers(&self.signer(actor));
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let bit = 1u64 << (keeper.index - 1);
            if acknowledged & bit != 0 {
                continue;
            }
            let wrapped = {
                // A keeper to whose key nothing can be sealed has no share; it stops none of the others.
                let mut entropy = self
                    .ports
                    .entropy
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                wrap_share(
                    seed,
                    sealed.key_set(),
                    &parties_of(anchor),
                    (keeper.index, &keeper.wrap_key),
                    &self.ports.domain,
                    &mut *entropy,
                )
            };
            let Ok(wrapped) = wrapped else {
                continue;
            };
            let deposit = ShareDeposit {
                record: anchor.record_id(),
                key_set: sealed.key_set_bytes().to_vec(),
                index: keeper.index,
                wrapped,
            };
            let keepers = keepers.clone();
            open.push(Box::pin(async move {
                let reply = keepers.deposit(keeper.index, &deposit).await;
                (keeper, reply)
            }));
        }
        for (keeper, reply) in all(open).await {
            if reply.is_ok_and(|reply| self.is_acknowledged_by(keeper.signer, anchor, &reply)) {
                acknowledged |= 1 << (keeper.index - 1);
            }
        }
        Ok((acknowledged, self.to_hold(&committee, acknowledged).await?))
    }

    /// Whether an acknowledgement is signed by this keeper, for this record and key set.
    pub(crate) fn is_acknowledged_by(
        &self,
        keeper: Address,
        anchor: &AnchorFields,
        reply: &SignedAcknowledgement,
    ) -> bool {
        let said = &reply.acknowledgement;
        said.record == anchor.record_id()
            && said.key_set == anchor.key_set
            && recover(&said.digest(&self.ports.domain), &reply.signature)
                .is_ok_and(|signer| signer == keeper)
    }
}

/// Between whom an anchored record is.
pub(crate) fn parties_of(anchor: &AnchorFields) -> RecordParties {
    RecordParties {
        record: anchor.record_id(),
        author: anchor.author,
        owner: anchor.owner,
    }
}
