//! Storage of the whole deployment. Whoever stores something stores it at its own node, which need not be the reader's: what the
//! own node does not have, the other listed nodes are asked for, with the patience that every slow peer meets. Blocks are
//! checked by their identifiers wherever they come from; what is stored goes to the own node alone.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_dag::{Block, Cid};
use medibloc_record::Address;
use medibloc_store::{Store, StoreError};

use crate::copies::gives_all;
use crate::patience::Patience;
use crate::{JourneyError, OwnAddress, Party};

/// Other nodes that are asked for one thing, at most.
const MOST: usize = 8;

/// The own node's storage, and behind it that of the others.
struct Nodes {
    actor: Address,
    own: Arc<dyn Store>,
    others: Vec<(String, Arc<dyn Store>)>,
    patience: Arc<Patience>,
}

impl Party {
    /// Storage as an own address sees it: at whichever node has it.
    pub(crate) fn store_of(&self, own: &OwnAddress) -> Arc<dyn Store> {
        let signer = self.signer(own);
        let mut others = self.ports.network.others(&signer);
        let first = self.patience.gave();
        others.sort_by_key(|(url, _)| first.as_ref() != Some(url));
        others.truncate(MOST);
        Arc::new(Nodes {
            actor: signer.address(),
            own: self.ports.network.store(&signer),
            others,
            patience: self.patience.clone(),
        })
    }

    /// What of these the other nodes still give, by node; why one of them did not say.
    pub(crate) async fn given_at_others(
        &self,
        own: &OwnAddress,
        cids: &[Cid],
    ) -> Vec<(String, Result<usize, String>)> {
        let mut all = Vec::new();
        let others = self.ports.network.others(&self.signer(own));
        for (url, store) in others.into_iter().take(MOST) {
            let given = self.patience.ask_node(&url, store.get_many(cids)).await;
            let given = given.map(|blocks| blocks.iter().flatten().count());
            all.push((url, given));
        }
        all
    }

    /// Whether each of the other nodes gives these objects and has these blocks; why one of them did not say.
    pub(crate) async fn give_all_at_others(
        &self,
        own: &OwnAddress,
        objects: &[Cid],
        blocks: &[Cid],
    ) -> Vec<(String, Result<bool, String>)> {
        let mut all = Vec::new();
        let others = self.ports.network.others(&self.signer(own));
        for (url, store) in others.into_iter().take(MOST) {
            let gives = gives_all(store.as_ref(), objects, blocks);
            all.push((url.clone(), self.patience.ask_node(&url, gives).await));
        }
        all
    }
}

/// A block as storage gives it, checked against its identifier.
///
/// # Errors
/// If no node has it, with that hint; if one that may have it is away, who that is.
pub(crate) async fn block_of(
    store: &dyn Store,
    cid: &Cid,
    what: &'static str,
    hint: &'static str,
) -> Result<Block, JourneyError> {
    let bytes = match store.get(cid).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => {
            let what = format!("the {what} {cid}");
            return Err(JourneyError::Unknown { what, hint });
        }
        Err(StoreError::Away { away, .. }) => {
            let what = format!("the {what} {cid} ({away})");
            return Err(JourneyError::Away { what });
        }
        Err(error) => return Err(error.into()),
    };
    Block::new(*cid, bytes).map_err(|source| JourneyError::Malformed { what, source })
}

/// Who did not answer, in one line; none if all did.
fn told(away: &[String]) -> Option<String> {
    (!away.is_empty()).then(|| away.join("; "))
}

#[async_trait]
impl Store for Nodes {
    async fn put(&self, blocks: Vec<Block>) -> Result<(), StoreError> {
        self.own.put(blocks).await
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, StoreError> {
        let here = self.own.get(cid).await;
        // One that the own node has damaged is whole at another, or damaged for whoever asks.
        if !matches!(here, Ok(None) | Err(StoreError::Corrupt { .. }))
            || self.patience.was_nowhere(self.actor, *cid)
        {
            return here;
        }
        let mut away = Vec::new();
        for (url, store) in &self.others {
            match self.patience.ask_node(url, store.get(cid)).await {
                Ok(Some(bytes)) if cid.verify(&bytes).is_ok() => {
                    self.patience.has_given(url);
                    return Ok(Some(bytes));
                }
                Ok(_) => {}
                Err(why) => away.push(why),
            }
        }
        match (here, told(&away)) {
            (Ok(_), Some(away)) => Err(StoreError::Away { cid: *cid, away }),
            (here, _) => {
                self.patience.is_nowhere(self.actor, *cid);
                here
            }
        }
    }

    /// What a node that is away may have counts as not there: whoever needs it asks for it alone, and is told.
    async fn get_many(&self, cids: &[Cid]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = self.own.get_many(cids).await?;
        let mut all_answered = true;
        for (url, store) in &self.others {
            let lacking = lacking(cids, &found);
            if lacking.is_empty() {
                break;
            }
            let Ok(given) = self.patience.ask_node(url, store.get_many(&lacking)).await else {
                all_answered = false;
                continue;
            };
            let mut given = lacking.iter().zip(given);
            for (cid, place) in cids.iter().zip(&mut found) {
                if place.is_none()
                    && let Some((asked, bytes)) = given.next()
                {
                    *place = bytes.filter(|bytes| asked == cid && cid.verify(bytes).is_ok());
                    if place.is_some() {
                        self.patience.has_given(url);
                    }
                }
            }
        }
        if all_answered {
            for cid in lacking(cids, &found) {
                self.patience.is_nowhere(self.actor, cid);
            }
        }
        Ok(found)
    }

    async fn has(&self, cids: &[Cid]) -> Result<Vec<bool>, StoreError> {
        let mut here = self.own.has(cids).await?;
        let mut away = Vec::new();
        for (url, store) in &self.others {
            let places = cids.iter().zip(&mut here).filter(|(_, here)| !**here);
            let (lacking, places): (Vec<Cid>, Vec<&mut bool>) =
                places.map(|(cid, place)| (*cid, place)).unzip();
            if lacking.is_empty() {
                return Ok(here);
            }
            match self.patience.ask_node(url, store.has(&lacking)).await {
                Ok(there) => {
                    for (place, there) in places.into_iter().zip(there) {
                        *place = there;
                    }
                }
                Err(why) => away.push(why),
            }
        }
        let missing = cids.iter().zip(&here).find(|(_, here)| !**here);
        match (missing, told(&away)) {
            (Some((cid, _)), Some(away)) => Err(StoreError::Away { cid: *cid, away }),
            _ => Ok(here),
        }
    }

    async fn erase(&self, cids: &[Cid]) -> Result<(), StoreError> {
        self.own.erase(cids).await
    }

    async fn erased(&self, cid: &Cid) -> Result<bool, StoreError> {
        self.own.erased(cid).await
    }
}

fn lacking(cids: &[Cid], found: &[Option<Vec<u8>>]) -> Vec<Cid> {
    let pairs = cids.iter().zip(found);
    pairs
        .filter(|(_, found)| found.is_none())
        .map(|(cid, _)| *cid)
        .collect()
}
