//! Copies of what an owner accepted, at the owner's own node. An author stores at the author's node, which may be gone for good one day:
//! it is no copy of the owner's. So a sync gives the own node what that lacks of accepted records, once, and a copy counts only where a
//! node that answers says so now.

use std::collections::BTreeMap;

use medibloc_dag::{Block, Cid};
use medibloc_record::{AccountId, SignedAttestation};
use medibloc_store::{Store, StoreError, put_sealed};

use crate::accept::{KeptRecord, OpenedByOwner, is_missing, is_temporary};
use crate::blocks::WINDOW;
use crate::fetch::untrusted;
use crate::party::{OwnAddress, change, table};
use crate::ports::PortError;
use crate::wipe::{cid_of, objects_of};
use crate::{JourneyError, Party, Shares, SyncReport, counted};

/// Of how many records one sync asks; the next one goes on with the others.
const ASKED_BY_A_SYNC: usize = 200;
/// Blocks in one question.
const AT_ONCE: usize = 512;

/// The objects that name everything of a record. A home stores them last; whoever else stores may have stored nothing but them.
fn naming(kept: &KeptRecord) -> [Cid; 4] {
    objects_of(&kept.anchor).map(|cid| {
        // Another capsule may have taken the place of the first.
        if cid == cid_of(kept.anchor.capsule) {
            cid_of(kept.capsule)
        } else {
            cid
        }
    })
}

/// How a block is looked for at a node before it is given.
#[derive(Clone, Copy)]
pub(crate) enum Look {
    /// What a node says that it has.
    Told,
    /// What it gives: one that it has may be damaged.
    Given,
}

impl Party {
    /// Gives the own node accepted records that it lacks, as many as one sync asks of. A record that it was given, or has, is not asked
    /// about again; `medibloc doctor` does.
    pub(crate) async fn sync_copies(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        if self.undecided_node()?.is_some() {
            return Ok(());
        }
        let node = self.ports.network.own_node();
        let known: BTreeMap<Vec<u8>, String> =
            self.keyed_rows(table::COPIES)?.into_iter().collect();
        let mut records = self.records()?;
        records.retain(|kept| {
            let is_whole = kept.is_accepted() && kept.manifest.is_some() && !kept.incomplete;
            is_whole && known.get(kept.record().as_bytes().as_slice()) != Some(&node)
        });
        let mut records = self.not_being_erased(records)?;
        records.truncate(ASKED_BY_A_SYNC);
        let mut of: BTreeMap<AccountId, Vec<KeptRecord>> = BTreeMap::new();
        for kept in records {
            of.entry(kept.anchor.owner).or_default().push(kept);
        }
        let mut given = 0;
        let mut done = Ok(());
        for (owner, records) in of {
            let own = self.own_address(owner)?;
            done = self.give_copies(&own, &records, &mut given, report).await;
            if done.is_err() || self.patience.is_called() {
                break;
            }
        }
        if given > 0 {
            let what = counted(given, "record");
            let told = format!("given to your node, which did not have it: {what}");
            report.done.push(told);
        }
        done
    }

    async fn give_copies(
        &self,
        own: &OwnAddress,
        records: &[KeptRecord],
        given: &mut usize,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let store = self.ports.network.store(&self.signer(own));
        let node = self.ports.network.own_node();
        let row = |kept: &KeptRecord| change(table::COPIES, kept.record().as_bytes(), &node);
        let mut rest = records;
        while !rest.is_empty() {
            let Some((looked, whole)) = self.whole_at(store.as_ref(), rest).await? else {
                return Ok(());
            };
            rest = &rest[looked.len()..];
            let (whole, lacking): (Vec<_>, Vec<_>) =
                looked.iter().zip(whole).partition(|(_, whole)| *whole);
            let rows = whole.into_iter().map(|(kept, _)| row(kept));
            self.ports.vault.apply(rows.collect())?;
            for (kept, _) in lacking {
                if self.patience.is_called() {
                    return Ok(());
                }
                match self.give_copy(own, store.as_ref(), kept).await {
                    Ok(()) => *given += 1,
                    Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                    Err(error) if is_temporary(&error) => return Err(error),
                    Err(error) if is_missing(&error) => {
                        let record = kept.record();
                        let why = format!("record {record} is not at your node: {error}");
                        report.later.push(why);
                        continue;
                    }
                    // Your node takes it from nobody: that is told once, and `doctor` says it as long as it is so.
                    Err(error) => {
                        let record = kept.record();
                        let why = format!("record {record} is not at your node: {error}");
                        report.given_up.push(why);
                    }
                }
                self.ports.vault.apply(vec![row(kept)])?;
            }
        }
        Ok(())
    }

    /// Of the first of these records, one at least, whether a store has every block of them: few records are in one question, and a
    /// large record is in several. Nothing if what takes back waits.
    async fn whole_at<'a>(
        &self,
        store: &dyn Store,
        records: &'a [KeptRecord],
    ) -> Result<Option<(&'a [KeptRecord], Vec<bool>)>, JourneyError> {
        let mut asked: Vec<(usize, Cid)> = Vec::new();
        let mut looked = 0;
        while let Some(kept) = records.get(looked)
            && asked.len() < AT_ONCE
        {
            asked.extend(self.blocks_of(kept)?.into_iter().map(|cid| (looked, cid)));
            looked += 1;
        }
        let mut whole = vec![true; looked];
        for asked in asked.chunks(AT_ONCE) {
            if self.patience.is_called() {
                return Ok(None);
            }
            let cids: Vec<Cid> = asked.iter().map(|(_, cid)| *cid).collect();
            for ((place, _), there) in asked.iter().zip(store.has(&cids).await?) {
                whole[*place] &= there;
            }
        }
        Ok(Some((&records[..looked], whole)))
    }

    /// Every block of a record, as far as this home has what names it: of a record that is whole here, all.
    fn blocks_of(&self, kept: &KeptRecord) -> Result<Vec<Cid>, JourneyError> {
        Ok(self.below(naming(kept).to_vec())?.into_iter().collect())
    }

    async fn give_copy(
        &self,
        own: &OwnAddress,
        store: &dyn Store,
        kept: &KeptRecord,
    ) -> Result<(), JourneyError> {
        let opened = self.open_own(own, kept).await?;
        self.give_objects_of(store, kept, &opened, Look::Told).await
    }

    /// Stores what a node lacks of a record, from the vault; what names the rest comes last.
    pub(crate) async fn give_objects_of(
        &self,
        store: &dyn Store,
        kept: &KeptRecord,
        opened: &OpenedByOwner,
        look: Look,
    ) -> Result<(), JourneyError> {
        let attestation = cid_of(kept.anchor.attestation);
        let attestation = SignedAttestation::parse(self.vault_block(&attestation)?.bytes())?;
        let mut budget = medibloc_dag::Budget::of_record();
        for walk in opened.sealed.walks(&mut budget) {
            let mut walk = walk.map_err(|error| untrusted("block of the vault", &error))?;
            loop {
                let window = walk.next_blocks(WINDOW);
                if window.is_empty() {
                    break;
                }
                let mut blocks = Vec::with_capacity(window.len());
                for wanted in window {
                    let block = self.vault_block(wanted.cid())?;
                    walk.take(&wanted, block.bytes())
                        .map_err(|error| untrusted("block of the vault", &error))?;
                    blocks.push(block);
                }
                self.give_blocks(store, blocks, look).await?;
            }
        }
        put_sealed(store, &opened.sealed, &attestation).await?;
        Ok(())
    }

    async fn give_blocks(
        &self,
        store: &dyn Store,
        blocks: Vec<Block>,
        look: Look,
    ) -> Result<(), JourneyError> {
        let there = match look {
            Look::Told => {
                let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
                store.has(&cids).await?
            }
            Look::Given => {
                let mut there = Vec::with_capacity(blocks.len());
                for block in &blocks {
                    there.push(match store.get(block.cid()).await {
                        Ok(given) => given.is_some(),
                        Err(StoreError::Corrupt { .. }) => false,
                        Err(error) => return Err(error.into()),
                    });
                }
                there
            }
        };
        let lacking = blocks.into_iter().zip(there);
        let lacking: Vec<Block> = lacking
            .filter(|(_, there)| !there)
            .map(|(block, _)| block)
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        Ok(store.put(lacking).await?)
    }

    /// Asks the own node for the objects of one accepted record and whether it has the blocks below them, and the others about what it does not give.
    pub(crate) async fn look_for_copy(
        &self,
        kept: &KeptRecord,
        shares: &mut Shares,
    ) -> Result<(), JourneyError> {
        let own = self.own_address(kept.anchor.owner)?;
        let objects = naming(kept);
        let store = self.ports.network.store(&self.signer(&own));
        let blocks = self.blocks_of(kept)?;
        let is_whole = match gives_all(store.as_ref(), &objects, &blocks).await {
            Ok(is_whole) => is_whole,
            Err(StoreError::Corrupt { .. }) => false,
            Err(error) => {
                shares.node_silent = Some(error.to_string());
                return Ok(());
            }
        };
        if is_whole {
            return Ok(());
        }
        let record = kept.record();
        shares.node.push(record);
        let mut is_elsewhere = false;
        for (_, gives) in self.give_all_at_others(&own, &objects, &blocks).await {
            match gives {
                Ok(gives) => is_elsewhere |= gives,
                Err(why) => {
                    shares.others_silent.insert(why);
                }
            }
        }
        if is_elsewhere {
            shares.elsewhere.insert(record);
        }
        if kept.manifest.is_none() || kept.incomplete {
            shares.not_here.insert(record);
        }
        Ok(())
    }
}

/// Whether a store gives these objects, as they were stored, and says that it has all these blocks.
pub(crate) async fn gives_all(
    store: &dyn Store,
    objects: &[Cid],
    blocks: &[Cid],
) -> Result<bool, StoreError> {
    if !store.get_many(objects).await?.iter().all(Option::is_some) {
        return Ok(false);
    }
    for blocks in blocks.chunks(AT_ONCE) {
        if !store.has(blocks).await?.iter().all(|there| *there) {
            return Ok(false);
        }
    }
    Ok(true)
}
