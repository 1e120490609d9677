//! Who answers: for `medibloc doctor`.

use medibloc_dag::{Cid, Codec};
use medibloc_record::Timestamp;

use crate::{JourneyError, Party, PortError};

/// Who answers now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Keepers that answer.
    pub keepers: usize,
    /// Keepers of the committee.
    pub of: usize,
    /// Keepers that a read needs.
    pub needed: usize,
    /// What the own node's storage said, if it does not answer well.
    pub node: Result<(), String>,
    /// What the own node's clock says, if it tells.
    pub clock: Option<Timestamp>,
}

impl Party {
    /// Asks every keeper and the own node for nothing in particular: as an address that is registered, or, where none is
    /// yet, so that being refused as a stranger is an answer, too.
    pub async fn reach(&self) -> Result<Reach, JourneyError> {
        let committee = self.ports.facts.committee().await?;
        let mut asker = None;
        for own in [vec![self.account()], self.addresses()?].concat() {
            if self.ports.facts.account_of(own.address).await?.is_some() {
                asker = Some(own);
                break;
            }
        }
        let is_stranger = asker.is_none();
        let signer = self.signer(&asker.unwrap_or_else(|| self.account()));
        let keepers = self.ports.network.keepers(&signer);
        let mut up = 0;
        for keeper in &committee.keepers {
            up += usize::from(match keepers.feed(keeper.index).await {
                Ok(_) => true,
                Err(PortError::Refused { .. }) => is_stranger,
                Err(_) => false,
            });
        }
        let nothing = Cid::of(Codec::Raw, b"medibloc doctor");
        let node = self.ports.network.store(&signer).has(&[nothing]).await;
        Ok(Reach {
            keepers: up,
            of: committee.keepers.len(),
            needed: usize::from(committee.committee.threshold.t()),
            node: match node {
                Ok(_) => Ok(()),
                Err(error) if is_stranger && !error.is_retryable() => Ok(()),
                Err(error) => Err(error.to_string()),
            },
            clock: self.ports.network.time().await.unwrap_or_default(),
        })
    }
}
