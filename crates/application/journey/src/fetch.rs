//! Fetching the objects of a record into the vault, and opening from there: bounded, for what is fetched was not checked yet.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use medibloc_dag::{Block, Cid, DagError, Walk};
use medibloc_record::{Digest, Manifest, ManifestPart, Package};
use medibloc_seal::{walk_manifest, walk_part};
use medibloc_store::Store;

use crate::blocks::WINDOW;
use crate::looks::Look;
use crate::nodes::block_of;
use crate::ports::PortError;
use crate::together::{Asked, all};
use crate::wipe::{cid_of, objects_of};
use crate::{JourneyError, Party};

/// Blocks fetched ahead for one record at most: what was not checked yet is fetched in small.
const AHEAD_BLOCKS: usize = 64;
/// Bytes of the parts of one record that is fetched ahead; larger ones are fetched when they are looked at.
const AHEAD_BYTES: u64 = 4 << 20;
/// Blocks in one question.
const ASKED: usize = 256;

impl Party {
    /// Fetches the objects and small parts of several records of one own address in few requests. What is missing is told
    /// by who looks for it.
    pub(crate) async fn fetch_ahead_of(
        &self,
        store: &dyn Store,
        looks: &[&Look],
    ) -> Result<(), JourneyError> {
        let mut asked = BTreeSet::new();
        let mut wanted = Vec::new();
        for look in looks {
            wanted.extend(objects_of(&look.anchor));
            wanted.push(cid_of(look.capsule));
        }
        self.fetch_many(store, wanted, &mut asked).await?;
        let mut open: Vec<Vec<Cid>> = Vec::new();
        for look in looks {
            let Some(bytes) = self.ports.vault.blob(&cid_of(look.anchor.package))? else {
                continue;
            };
            let Ok(package) = Package::parse(&bytes) else {
                continue;
            };
            let size = package
                .parts
                .iter()
                .fold(0u64, |sum, part| sum.saturating_add(part.size));
            if size <= AHEAD_BYTES {
                let parts = package.parts.iter().map(|part| part.cid);
                open.push(
                    parts
                        .chain(package.manifest_cid)
                        .take(AHEAD_BLOCKS)
                        .collect(),
                );
            }
        }
        let mut left = vec![AHEAD_BLOCKS; open.len()];
        while open.iter().any(|roots| !roots.is_empty()) {
            let wanted = open.iter().flatten().copied().collect();
            self.fetch_many(store, wanted, &mut asked).await?;
            for (roots, left) in open.iter_mut().zip(&mut left) {
                let mut below = Vec::new();
                for cid in core::mem::take(roots) {
                    *left = left.saturating_sub(1);
                    if cid.codec() == medibloc_dag::Codec::DagPb
                        && let Some(bytes) = self.ports.vault.blob(&cid)?
                    {
                        below.extend(medibloc_dag::unixfs::links(&cid, &bytes).unwrap_or_default());
                    }
                }
                below.retain(|cid| !asked.contains(cid));
                below.truncate(*left);
                *roots = below;
            }
        }
        Ok(())
    }

    async fn fetch_many(
        &self,
        store: &dyn Store,
        wanted: Vec<Cid>,
        asked: &mut BTreeSet<Cid>,
    ) -> Result<(), JourneyError> {
        let mut missing = Vec::new();
        for cid in wanted {
            if asked.insert(cid) && self.ports.vault.blob(&cid)?.is_none() {
                missing.push(cid);
            }
        }
        for cids in missing.chunks(ASKED) {
            let found = store.get_many(cids).await?;
            let mut blocks = Vec::with_capacity(found.len());
            for (cid, bytes) in cids.iter().zip(found) {
                // One that is not what its identifier says is as good as missing.
                blocks.extend(bytes.and_then(|bytes| Block::new(*cid, bytes).ok()));
            }
            self.ports.vault.put_blobs(&blocks)?;
            blocks
                .iter()
                .for_each(|block| self.note_fetched(*block.cid()));
        }
        Ok(())
    }

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

    /// The same without keeping it: what is sealed inside belongs to a row, and goes with it.
    pub(crate) async fn object_once(
        &self,
        store: &dyn Store,
        digest: Digest,
        what: &'static str,
    ) -> Result<Vec<u8>, JourneyError> {
        let cid = Cid::from_dag_cbor_digest(digest.to_bytes());
        if let Some(bytes) = self.ports.vault.blob(&cid)? {
            return Ok(bytes);
        }
        Ok(fetched(store, &cid, what).await?.into_bytes())
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
        let block = fetched(store, cid, what).await?;
        self.ports.vault.put_blob(&block)?;
        self.note_fetched(*cid);
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

    /// Every block of a part, into the vault; no more than a part of its length has.
    pub(crate) async fn fetch_part(
        &self,
        store: &dyn Store,
        part: &ManifestPart,
    ) -> Result<(), JourneyError> {
        self.fetch_file(store, walk_part(part)?, "part").await
    }

    /// A linked manifest: bounded, for it is fetched before anything of the record was checked.
    pub(crate) async fn fetch_manifest(
        &self,
        store: &dyn Store,
        root: &Cid,
    ) -> Result<(), JourneyError> {
        self.fetch_file(store, walk_manifest(*root)?, "manifest")
            .await
    }

    async fn fetch_file(
        &self,
        store: &dyn Store,
        mut walk: Walk,
        what: &'static str,
    ) -> Result<(), JourneyError> {
        loop {
            let window = walk.next_blocks(WINDOW);
            if window.is_empty() {
                return Ok(());
            }
            let mut asked: Vec<Asked<'_, _>> = Vec::new();
            for wanted in window {
                asked.push(Box::pin(async move {
                    (wanted, self.block(store, wanted.cid(), what).await)
                }));
            }
            for (wanted, bytes) in all(asked).await {
                walk.take(&wanted, &bytes?)
                    .map_err(|error| untrusted(what, &error))?;
            }
        }
    }
}

/// A file that is not what it says: the rule that it breaks, or the work that it costs, is the reason.
pub(crate) fn untrusted(what: &'static str, error: &DagError) -> JourneyError {
    JourneyError::Untrusted {
        what,
        why: error.to_string(),
    }
}

async fn fetched(store: &dyn Store, cid: &Cid, what: &'static str) -> Result<Block, JourneyError> {
    let hint =
        "no node has it for this address; sync again later, or ask the author to store it again";
    block_of(store, cid, what, hint).await
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
    use medibloc_dag::Codec;
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

    /// A UnixFS file node in DAG-PB over leaves: links without names, then type, size, and the size of each child.
    fn node(children: &[(Cid, usize)]) -> Block {
        let mut bytes = Vec::new();
        let whole = children.iter().map(|(_, size)| size).sum();
        let mut data = [&[0x08, 2, 0x18], varint(whole).as_slice()].concat();
        for (child, size) in children {
            let total = [&[0x12, 0, 0x18], varint(*size).as_slice()].concat();
            bytes.extend(field(
                0x12,
                &[field(0x0a, &child.to_bytes()), total].concat(),
            ));
            data.push(0x20);
            data.extend(varint(*size));
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
    async fn a_file_that_is_not_what_its_length_says_is_not_fetched() {
        let world = World::new(1);
        let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
        let party = Party::new(phrase.seed(), Role::Person, world.ports());
        let store = world.store.as_ref();
        let leaves = |lengths: &[usize]| -> Vec<Block> {
            let leaf = |(n, length): (u8, &usize)| Block::of(Codec::Raw, vec![n; *length]);
            (0..).zip(lengths).map(|it| leaf(it).unwrap()).collect()
        };
        // 2 MiB of plaintext rest as 2,098,048 bytes: three leaves.
        let (mib, length) = (1 << 20, 2 << 20);
        for (blocks, length, told) in [
            (leaves(&[mib, mib, 896]), length, None),
            (leaves(&[mib, mib, 896]), mib as u64, Some("do not add up")),
            (
                leaves(&[mib, 524_288, 524_288, 896]),
                length,
                Some("more than 4 blocks of work"),
            ),
            (leaves(&[mib, mib, 896]), 1 << 41, Some("more than 1 TiB")),
        ] {
            let sizes: Vec<_> = blocks
                .iter()
                .map(|leaf| (*leaf.cid(), leaf.bytes().len()))
                .collect();
            let root = node(&sizes);
            let part = part(*root.cid(), length);
            store.put(blocks).await.unwrap();
            store.put(vec![root]).await.unwrap();
            let fetched = party.fetch_part(store, &part).await;
            assert_eq!(fetched.is_ok(), told.is_none());
            if let (Err(error), Some(told)) = (fetched, told) {
                assert!(error.to_string().contains(told), "{error}");
            }
        }
        let one = leaves(&[mib]).remove(0);
        let again = node(&[(*one.cid(), mib); 2]);
        let cid = *again.cid();
        store.put(vec![one, again]).await.unwrap();
        let error = party.fetch_manifest(store, &cid).await.unwrap_err();
        assert!(error.to_string().contains("stands in it twice"), "{error}");
    }
}
