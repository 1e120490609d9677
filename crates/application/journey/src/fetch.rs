//! Fetching the objects of a record into the vault, and opening from there: bounded, for what is fetched was not checked yet.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use medibloc_dag::Cid;
use medibloc_record::{Digest, Manifest, ManifestPart};
use medibloc_store::Store;

use crate::blocks::WINDOW;
use crate::ports::PortError;
use crate::together::{Asked, all};
use crate::{JourneyError, Party};

/// Bytes that the blocks of a part can have: segments are longer by 28 bytes of 65,536, padding adds an eighth, nodes and
/// small parts a little.
pub(crate) const fn most_of(part: &ManifestPart) -> u64 {
    part.length
        .saturating_add(part.length / 4)
        .saturating_add(4 << 20)
}

/// Bytes of a linked manifest with its inner nodes; `seal` takes at most 64 MiB.
pub(crate) const LARGEST_MANIFEST: u64 = 65 << 20;

impl Party {
    /// A single-block object, from the vault or from storage; kept in the vault.
    pub(crate) async fn object(
        &self,
        store: &dyn Store,
        digest: Digest,
        what: &'static str,
    ) -> Result<Vec<u8>, JourneyError> {
        self.block(store, &Cid::from_dag_cbor_digest(digest.to_bytes()), what)
            .await
    }

    pub(crate) async fn block(
        &self,
        store: &dyn Store,
        cid: &Cid,
        what: &'static str,
    ) -> Result<Vec<u8>, JourneyError> {
        if let Some(bytes) = self.ports.vault.blob(cid)? {
            return Ok(bytes);
        }
        let bytes = store.get(cid).await?.ok_or_else(|| JourneyError::Unknown {
            what: format!("the {what} {cid}"),
            hint: "no node has it for this address; sync again later, or ask the author to store it again",
        })?;
        let block = medibloc_dag::Block::new(*cid, bytes)
            .map_err(|source| JourneyError::Malformed { what, source })?;
        self.ports.vault.put_blob(&block)?;
        Ok(block.into_bytes())
    }

    pub(crate) async fn fetch_parts(
        &self,
        store: &dyn Store,
        manifest: &Manifest,
    ) -> Result<(), JourneyError> {
        for part in &manifest.parts {
            self.fetch_part(store, part).await?;
        }
        Ok(())
    }

    /// Every block of a part, into the vault; no more than a part of its length can have.
    pub(crate) async fn fetch_part(
        &self,
        store: &dyn Store,
        part: &ManifestPart,
    ) -> Result<(), JourneyError> {
        self.fetch_at_most(store, &part.cid, "part", most_of(part))
            .await
    }

    /// A linked manifest: bounded, for it is fetched before anything of the record was checked.
    pub(crate) async fn fetch_manifest(
        &self,
        store: &dyn Store,
        root: &Cid,
    ) -> Result<(), JourneyError> {
        self.fetch_at_most(store, root, "manifest", LARGEST_MANIFEST)
            .await
    }

    async fn fetch_at_most(
        &self,
        store: &dyn Store,
        root: &Cid,
        what: &'static str,
        most: u64,
    ) -> Result<(), JourneyError> {
        let (mut open, mut fetched) = (vec![*root], 0u64);
        // A node may name a block many times; each is looked at once.
        let mut seen = BTreeSet::from([*root]);
        while !open.is_empty() {
            let window = open.split_off(open.len().saturating_sub(WINDOW));
            let mut asked: Vec<Asked<'_, _>> = Vec::new();
            for cid in window {
                asked.push(Box::pin(async move {
                    (cid, self.block(store, &cid, what).await)
                }));
            }
            for (cid, bytes) in all(asked).await {
                let bytes = bytes?;
                fetched += bytes.len() as u64;
                if fetched > most {
                    return Err(JourneyError::Untrusted {
                        what,
                        why: format!("it has more than {most} bytes"),
                    });
                }
                let links = medibloc_dag::unixfs::links(&cid, &bytes)
                    .map_err(|source| JourneyError::Malformed { what, source })?;
                open.extend(links.into_iter().filter(|link| seen.insert(*link)));
            }
        }
        Ok(())
    }
}

/// Blocks of the vault, for opening. That the vault fails is no fault of the record: see [`Party::with_vault`].
pub(crate) struct VaultSource<'a> {
    party: &'a Party,
    fault: Mutex<Option<PortError>>,
}

impl medibloc_dag::BlockSource for VaultSource<'_> {
    fn block(&self, cid: &Cid) -> Option<Vec<u8>> {
        match self.party.ports.vault.blob(cid) {
            Ok(bytes) => bytes,
            Err(error) => {
                let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                *fault = Some(error);
                None
            }
        }
    }
}

impl Party {
    /// Opens something from blocks of the vault; a fault of the vault comes before what it makes of the record.
    pub(crate) fn with_vault<T, E: Into<JourneyError>>(
        &self,
        open: impl FnOnce(&VaultSource<'_>) -> Result<T, E>,
    ) -> Result<T, JourneyError> {
        let source = VaultSource {
            party: self,
            fault: Mutex::default(),
        };
        let done = open(&source);
        let fault = source
            .fault
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        match fault {
            Some(fault) => Err(fault.into()),
            None => done.map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use medibloc_dag::{Block, Codec};
    use medibloc_keys::{Language, Phrase, SeededEntropy};
    use medibloc_record::{PartKey, PartRole, Role};

    use super::*;
    use crate::memory::World;

    fn varint(mut number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let low = u8::try_from(number & 0x7f).unwrap();
            number >>= 7;
            if number == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    }

    fn field(tag: u8, body: &[u8]) -> Vec<u8> {
        [&[tag], varint(body.len()).as_slice(), body].concat()
    }

    /// A UnixFS file node in DAG-PB: links without names, then type, size, and the size of each child.
    fn node(children: &[Cid], size: usize) -> Block {
        let mut bytes = Vec::new();
        let mut data = [&[0x08, 2, 0x18], varint(size * children.len()).as_slice()].concat();
        for child in children {
            let link = [field(0x0a, &child.to_bytes()), vec![0x12, 0, 0x18, 1]].concat();
            bytes.extend(field(0x12, &link));
            data.push(0x20);
            data.extend(varint(size));
        }
        bytes.extend(field(0x0a, &data));
        Block::of(Codec::DagPb, bytes).unwrap()
    }

    fn part(cid: Cid, length: u64) -> ManifestPart {
        ManifestPart {
            role: PartRole::Original,
            media_type: "text/plain".into(),
            cid,
            length,
            plaintext: Digest::of(b""),
            key: PartKey::new([1; 32]),
            salt: medibloc_record::Salt([2; 32]),
        }
    }

    #[tokio::test]
    async fn a_node_that_names_one_block_a_trillion_times_costs_a_few_blocks() {
        let world = World::new(1);
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let party = Party::new(phrase.seed(), Role::Person, world.ports());
        let mut blocks = vec![Block::of(Codec::Raw, vec![7; 100]).unwrap()];
        for level in 0..4 {
            let child = *blocks.last().unwrap().cid();
            blocks.push(node(&[child; 1024], 100 << (10 * level)));
        }
        let root = *blocks.last().unwrap().cid();
        world.store.put(blocks).await.unwrap();
        let part = part(root, 10);
        party.fetch_part(world.store.as_ref(), &part).await.unwrap();
    }

    #[tokio::test]
    async fn a_part_with_more_blocks_than_its_length_is_not_fetched() {
        let world = World::new(2);
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let party = Party::new(phrase.seed(), Role::Person, world.ports());
        let leaves: Vec<_> = (0..8)
            .map(|n| Block::of(Codec::Raw, vec![n; 1 << 20]).unwrap())
            .collect();
        let cids: Vec<Cid> = leaves.iter().map(|leaf| *leaf.cid()).collect();
        let root = node(&cids, 1 << 20);
        let cid = *root.cid();
        world.store.put(leaves).await.unwrap();
        world.store.put(vec![root]).await.unwrap();
        let short = part(cid, 1 << 20);
        let refused = party.fetch_part(world.store.as_ref(), &short).await;
        let told = refused.unwrap_err().to_string();
        assert!(told.contains("more than"), "{told}");
        let right = part(cid, 8 << 20);
        party
            .fetch_part(world.store.as_ref(), &right)
            .await
            .unwrap();
    }
}
