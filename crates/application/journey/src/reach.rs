//! Who answers: for `medibloc doctor`.

use medibloc_dag::{Cid, Codec};

use crate::{JourneyError, Party};

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
}

impl Party {
    /// Asks every keeper and the own node, as the account, for nothing in particular.
    pub async fn reach(&self) -> Result<Reach, JourneyError> {
        let committee = self.ports.facts.committee().await?;
        let signer = self.signer(&self.account());
        let keepers = self.ports.network.keepers(&signer);
        let mut up = 0;
        for keeper in &committee.keepers {
            up += usize::from(keepers.feed(keeper.index).await.is_ok());
        }
        let nothing = Cid::of(Codec::Raw, b"medibloc doctor");
        let node = self.ports.network.store(&signer).has(&[nothing]).await;
        Ok(Reach {
            keepers: up,
            of: committee.keepers.len(),
            needed: usize::from(committee.committee.threshold.t()),
            node: node.map(|_| ()).map_err(|error| error.to_string()),
        })
    }
}
