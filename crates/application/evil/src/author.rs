//! An author with a valid key that signs, seals and names whatever it likes.
//!
//! [`Author::make`] seals a record as anybody does and gives it in pieces. Each piece may be changed; [`Pieces::close`] then
//! seals, digests and signs what is there, so that every signature and every digest is good and only the inside is not.

use std::collections::BTreeMap;

use medibloc_consent::AnchorFields;
use medibloc_dag::unixfs::{FileBuilder, LEAF};
use medibloc_dag::{Block, Cid, Codec, DagError, cbor};
use medibloc_keys::{Dealing, Entropy, SealingSecret, SigningKey};
use medibloc_record::{
    AccountId, Attestation, Committee, Digest, KeySet, Manifest, Nonce, Package, PackagePart, Part,
    Record, RecordDetails, SealingKey, SignedAttestation, TypedDomain,
};
use medibloc_seal::{
    BlockSink, CapsuleContent, MasterKey, Parties, RecordParties, SealError, SinkError,
    dangerous_seal_manifest, open_capsule, open_manifest, seal, seal_capsule, with_manifest,
};

/// Changes bytes before they are sealed, digested or signed.
pub type Change<'a> = Box<dyn FnOnce(Vec<u8>) -> Vec<u8> + 'a>;

/// An author's key and where it writes.
#[derive(Debug)]
pub struct Author {
    /// Signs for the account that it is the first address of.
    pub key: SigningKey,
    /// The deployment.
    pub domain: TypedDomain,
    /// The committee in force.
    pub committee: Committee,
}

/// A record in pieces, to be changed.
#[derive(Debug)]
pub struct Pieces {
    /// What the manifest says.
    pub manifest: Manifest,
    /// What the package says; its manifest is sealed by [`Pieces::close`].
    pub package: Package,
    /// The key set.
    pub key_set: KeySet,
    /// What the capsule holds.
    pub content: CapsuleContent,
    /// What is attested; package and parts are filled in by [`Pieces::close`].
    pub attestation: Attestation,
    /// Every block below the package.
    pub blocks: BTreeMap<Cid, Vec<u8>>,
    nonce: Nonce,
    owner_key: SealingKey,
    master: MasterKey,
}

/// What is changed in bytes.
#[derive(Default)]
pub struct Changes<'a> {
    /// The manifest's plaintext, before it is sealed.
    pub manifest: Option<Change<'a>>,
    /// The package, before it is digested.
    pub package: Option<Change<'a>>,
    /// The key set, before it is digested.
    pub key_set: Option<Change<'a>>,
    /// The capsule, before it is digested.
    pub capsule: Option<Change<'a>>,
    /// What is attested, before it is signed.
    pub attested: Option<Change<'a>>,
    /// The signed attestation, before it is digested.
    pub attestation: Option<Change<'a>>,
}

impl core::fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Changes(…)")
    }
}

/// A record that is ready to be stored and anchored.
#[derive(Clone, Debug)]
pub struct Closed {
    /// What goes on chain.
    pub anchor: AnchorFields,
    /// What is stored.
    pub blocks: Vec<Block>,
}

#[derive(Default)]
struct Blocks(BTreeMap<Cid, Vec<u8>>);

impl BlockSink for Blocks {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0.insert(*block.cid(), block.into_bytes());
        Ok(())
    }
}

impl Author {
    /// Seals a record as anybody does, and keeps every key of it.
    ///
    /// # Errors
    /// As sealing.
    pub fn make(
        &self,
        (owner, owner_key): (AccountId, SealingKey),
        details: RecordDetails,
        parts: Vec<Part>,
        entropy: &mut dyn Entropy,
    ) -> Result<Pieces, SealError> {
        let mut own = [0; 32];
        entropy.fill(&mut own);
        let own = SealingSecret::from_bytes(1, own);
        let mut nonce = [0; 32];
        entropy.fill(&mut nonce);
        let author = AccountId::from_first_address(self.key.address());
        let parties = Parties {
            author,
            owner,
            owner_key: own.public(),
            nonce: Nonce::new(nonce),
        };
        let (record, mut blocks) = (Record::from_parts(details, parts), Blocks::default());
        let out = seal(
            record,
            &parties,
            self.committee,
            &self.domain,
            entropy,
            &mut blocks,
        )?;
        let id = out.sealed.record();
        let between = RecordParties {
            record: id,
            author,
            owner,
        };
        let content = open_capsule(out.sealed.capsule(), &own, &between, &self.domain)?;
        let dealing = Dealing::from_seed(&content.dealer_seed, id, self.committee.threshold);
        let master = MasterKey::from_halves(id, &content.owner_half, &dealing.keeper_half());
        let package = with_manifest(out.sealed.package().clone(), &blocks.0)?;
        Ok(Pieces {
            manifest: open_manifest(&package, &master)?,
            package,
            key_set: out.sealed.key_set().clone(),
            content,
            attestation: out.attestation,
            blocks: blocks.0,
            nonce: parties.nonce,
            owner_key,
            master,
        })
    }
}

impl Pieces {
    /// Puts a part's ciphertext in the place of another: package and manifest name it.
    pub fn replace_part(&mut self, at: usize, root: Cid, blocks: BTreeMap<Cid, Vec<u8>>) {
        self.manifest.parts[at].cid = root;
        self.package.parts[at].cid = root;
        self.blocks.extend(blocks);
    }

    /// Names the same parts in the package as in the manifest, all of one size.
    pub fn name_parts(&mut self, size: u64) {
        let named = |part: &medibloc_record::ManifestPart| PackagePart {
            cid: part.cid,
            size,
        };
        self.package.parts = self.manifest.parts.iter().map(named).collect();
    }

    /// Seals, digests and signs what is there. A manifest of another place than inside is put into blocks.
    ///
    /// # Errors
    /// If an object does not fit into a block.
    pub fn close(
        mut self,
        author: &Author,
        changes: Changes<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<Closed, SealError> {
        let change = |bytes: Vec<u8>, change: Option<Change<'_>>| match change {
            Some(change) => change(bytes),
            None => bytes,
        };
        let record = self.package.record;
        let manifest = change(cbor::to_vec(&self.manifest), changes.manifest);
        let nonce = self.package.manifest_nonce;
        let sealed = dangerous_seal_manifest(&manifest, record, &self.master, &nonce)?;
        if sealed.len() > 900 << 10 {
            let (root, blocks) = file(&sealed)?;
            self.blocks.extend(blocks);
            (self.package.manifest, self.package.manifest_cid) = (Vec::new(), Some(root));
        } else if self.package.manifest_cid.is_none() || !self.package.manifest.is_empty() {
            (self.package.manifest, self.package.manifest_cid) = (sealed, None);
        }
        let package = change(cbor::to_vec(&self.package), changes.package);
        let key_set = change(cbor::to_vec(&self.key_set), changes.key_set);
        let between = RecordParties {
            record,
            author: AccountId::from_first_address(author.key.address()),
            owner: self.attestation.owner,
        };
        let capsule = seal_capsule(
            &self.content,
            &self.owner_key,
            &between,
            &author.domain,
            entropy,
        )?;
        let capsule = change(cbor::to_vec(&capsule), changes.capsule);
        self.attestation.package = Digest::of(&package);
        self.attestation.parts_root = self.manifest.parts_root();
        let attested = change(cbor::to_vec(&self.attestation), changes.attested);
        let attested = cbor::from_slice(&attested).unwrap_or(self.attestation);
        let signature = author.key.sign_digest(&attested.digest(&author.domain));
        let signed = SignedAttestation::new(attested, between.author, signature);
        let attestation = change(signed.to_bytes(), changes.attestation);
        let anchor = AnchorFields {
            nonce: self.nonce,
            author: between.author,
            owner: between.owner,
            package: Digest::of(&package),
            key_set: Digest::of(&key_set),
            capsule: Digest::of(&capsule),
            attestation: Digest::of(&attestation),
            kind: self.attestation.kind,
            class: self.attestation.class,
            amends: self.attestation.amends,
        };
        let mut blocks = Vec::new();
        for (cid, bytes) in self.blocks {
            blocks.push(Block::new(cid, bytes)?);
        }
        for object in [package, key_set, capsule, attestation] {
            blocks.push(Block::of(Codec::DagCbor, object)?);
        }
        Ok(Closed { anchor, blocks })
    }
}

/// A file of these bytes in the usual layout.
///
/// # Errors
/// Never for what fits into memory.
pub fn file(bytes: &[u8]) -> Result<(Cid, BTreeMap<Cid, Vec<u8>>), DagError> {
    let (mut builder, mut blocks) = (FileBuilder::new(), BTreeMap::new());
    let mut nodes = Vec::new();
    for leaf in bytes.chunks(LEAF) {
        let block = Block::of(Codec::Raw, leaf.to_vec())?;
        nodes.extend(builder.push(*block.cid(), leaf.len() as u64)?);
        nodes.push(block);
    }
    let (root, last) = builder.finish()?;
    nodes.extend(last);
    blocks.extend(
        nodes
            .into_iter()
            .map(|block| (*block.cid(), block.into_bytes())),
    );
    Ok((root, blocks))
}
