//! Who answers, and who still holds what it signed for: for `medibloc doctor`.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_dag::{Cid, Codec};
use medibloc_record::{RecordId, Timestamp};

use crate::together::{Asked, all};
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
    /// Of each keeper that does not answer well, who it is and why.
    pub silent: BTreeMap<u8, String>,
    /// What the own node's storage said, if it does not answer well.
    pub node: Result<(), String>,
    /// What the own node's clock says, if it tells.
    pub clock: Option<Timestamp>,
}

/// Which keepers have lost shares of own records, and of which the own node does not give all objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shares {
    /// Accepted records that were asked about, the newest.
    pub asked: usize,
    /// Accepted records.
    pub of: usize,
    /// Records that the chain says are erased, which was not known here; nothing of them is left here now.
    pub erased: Vec<RecordId>,
    /// Keepers that answered about none of them, and why.
    pub silent: BTreeMap<u8, String>,
    /// Keepers that were asked.
    pub keepers: BTreeSet<u8>,
    /// Those among them that are in service no more, and answered about none.
    pub out_of_service: BTreeSet<u8>,
    /// Records of which so few keepers that are in service hold a share, or did not say, that no read succeeds.
    pub too_few: Vec<RecordId>,
    /// Why the own node did not answer about one of them at least; none if it did about all.
    pub node_silent: Option<String>,
    /// Records of which the own node does not give every object, or gives one that is not what was stored.
    pub node: Vec<RecordId>,
    /// Those among them of which another node that answers gives every object.
    pub elsewhere: BTreeSet<RecordId>,
    /// Those among them whose content is not in this home either.
    pub not_here: BTreeSet<RecordId>,
    /// Other nodes that were asked about those and did not answer, and why.
    pub others_silent: BTreeSet<String>,
    /// Records whose share a keeper says it does not hold, by the keeper's index. Whoever does not answer says nothing.
    pub lost: BTreeMap<u8, Vec<RecordId>>,
}

impl Party {
    /// Asks the keepers whether they hold their shares, and the own node whether it gives the objects, of the newest accepted
    /// records, `most` of them at most; of what it does not give the other nodes are asked.
    ///
    /// # Errors
    /// If the chain does not answer or the vault fails.
    pub async fn lost_shares(&self, most: usize) -> Result<Shares, JourneyError> {
        // Of what its owner erased on another device nobody lost anything.
        let (records, erased) = self.accepted_on_chain(most).await?;
        let mut shares = Shares {
            of: records.len(),
            erased,
            ..Shares::default()
        };
        let (mut answered, mut why_silent) = (BTreeSet::new(), BTreeMap::new());
        let serving = self.serving().await?;
        for kept in records.iter().rev().take(most) {
            shares.asked += 1;
            let own = self.own_address(kept.anchor.owner)?;
            self.look_for_copy(kept, &mut shares).await?;
            let committee = self.committee_at(kept.block).await?;
            let keepers = self.ports.network.keepers(&self.signer(&own));
            let record = kept.record();
            let mut open: Vec<Asked<'_, _>> = Vec::new();
            for keeper in &committee.keepers {
                let keepers = keepers.clone();
                open.push(Box::pin(async move {
                    (keeper, keepers.acknowledgement(keeper.index, record).await)
                }));
            }
            let mut able = 0;
            for (keeper, answer) in all(open).await {
                shares.keepers.insert(keeper.index);
                let holds = match answer {
                    Ok(Some(reply)) => self.is_acknowledged_by(keeper.signer, &kept.anchor, &reply),
                    Ok(None) => false,
                    Err(error) => {
                        able += u8::from(serving.contains(&keeper.index));
                        why_silent.insert(keeper.index, error.to_string());
                        continue;
                    }
                };
                able += u8::from(holds);
                answered.insert(keeper.index);
                if !holds {
                    shares.lost.entry(keeper.index).or_default().push(record);
                }
            }
            if able < committee.committee.threshold.t() {
                shares.too_few.push(record);
            }
        }
        why_silent.retain(|index, _| !answered.contains(index));
        let (silent, gone): (BTreeMap<_, _>, BTreeMap<_, _>) = why_silent
            .into_iter()
            .partition(|(index, _)| serving.contains(index));
        shares.silent = silent;
        shares.out_of_service = gone.into_keys().collect();
        shares
            .keepers
            .retain(|index| !shares.out_of_service.contains(index));
        Ok(shares)
    }

    /// Asks every keeper and the own node for nothing in particular: as an address that is registered, or, where none is
    /// yet, so that being refused as a stranger is an answer, too.
    pub async fn reach(&self) -> Result<Reach, JourneyError> {
        let committee = self.ports.facts.committee().await?;
        let mut asker = None;
        for own in [vec![self.account()], self.addresses()?].concat() {
            if self.ports.facts.account(own.id()).await?.is_some() {
                asker = Some(own);
                break;
            }
        }
        let is_stranger = asker.is_none();
        let signer = self.signer(&asker.unwrap_or_else(|| self.account()));
        let keepers = self.ports.network.keepers(&signer);
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let (keepers, network) = (keepers.clone(), &self.ports.network);
            open.push(Box::pin(async move {
                let fed = keepers.feed(keeper.index).await.map(drop);
                let fed = fed.or_else(|error| match error {
                    PortError::Refused { .. } if is_stranger => Ok(()),
                    error => Err(error),
                });
                // One that tells its feed can still give and take no share.
                let able = match fed {
                    Ok(()) => network.ready(keeper.index).await,
                    error => error,
                };
                (keeper.index, able)
            }));
        }
        let mut silent = BTreeMap::new();
        for (index, answer) in all(open).await {
            silent.extend(answer.err().map(|error| (index, error.to_string())));
        }
        let nothing = Cid::of(Codec::Raw, b"medibloc doctor");
        let node = self.ports.network.store(&signer).has(&[nothing]).await;
        Ok(Reach {
            keepers: committee.keepers.len() - silent.len(),
            silent,
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
