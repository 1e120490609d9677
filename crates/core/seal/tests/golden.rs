//! A record sealed once and kept in testdata/sealed/v1: it opens for ever, and the writer still writes these very bytes.
//!
//! If the second test fails, the stored form changed: that needs a new version, a new folder, and this one left alone.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use medibloc_dag::{Block, Cid};
use medibloc_keys::{
    Dealing, KeyFile, KeyFileCost, Language, Phrase, SealingSecret, SeededEntropy, Slot, combine,
    hpke_open, info,
};
use medibloc_record::{
    AccountId, Address, Category, ClassId, Committee, Digest, Draft, Kind, LossReport, Manifest,
    Nonce, Part, PartRole, Record, Sealed, SealingKey, Sensitivity, SignedAttestation, Threshold,
    Timestamp, TypedDomain, Wrapped,
};
use medibloc_seal::crypt4gh::{export, import};
use medibloc_seal::{
    BlockSink, Expectations, MasterKey, Parties, ReaderView, RecordParties, SinkError,
    check_for_owner, check_for_reader, open_capsule, open_part, open_range, seal, wrap_share,
};
use serde_json::{Value, json};

const DOMAIN: TypedDomain = TypedDomain {
    chain_id: 31_337,
    records: Address::new([0x52; 20]),
};

const PASSPHRASE: &str = "golden";

fn folder() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../testdata/sealed/v1"
    ))
}

fn file(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn expected() -> Value {
    serde_json::from_slice(&file("expected.json")).unwrap()
}

fn hex_of<const N: usize>(value: &Value) -> [u8; N] {
    let text = value.as_str().unwrap();
    text.parse::<Digest>().map_or_else(
        |_| {
            let account: AccountId = text.parse().unwrap();
            account.as_bytes()[..].try_into().unwrap()
        },
        |digest| digest.as_bytes()[..].try_into().unwrap(),
    )
}

fn committee() -> Committee {
    Committee {
        id: 3,
        threshold: Threshold::new(7, 4).unwrap(),
    }
}

/// What chain state would say.
fn expectations(said: &Value) -> Expectations {
    Expectations {
        record: hex_of::<32>(&said["record"]).into(),
        author: hex_of::<20>(&said["author"]).into(),
        author_address: hex_of::<20>(&said["author"]).into(),
        owner: hex_of::<20>(&said["owner"]).into(),
        kind: Kind::Medical,
        class: ClassId(7),
        amends: Some(hex_of::<32>(&said["amends"]).into()),
    }
}

fn check_manifest(manifest: &Manifest, blocks: &BTreeMap<Cid, Vec<u8>>, said: &Value) {
    assert_eq!(manifest.title.as_deref(), Some("퇴원 요약"));
    assert_eq!(manifest.language.as_deref(), Some("ko-KR"));
    assert_eq!(manifest.category, Category::Medications);
    assert_eq!(manifest.sensitivity, Sensitivity::Restricted);
    let parts = said["parts"].as_array().unwrap();
    assert_eq!(manifest.parts.len(), parts.len());
    for (part, said) in manifest.parts.iter().zip(parts) {
        let mut plain = Vec::new();
        open_part(part, blocks, &mut plain).unwrap();
        assert_eq!(plain.len() as u64, said["length"].as_u64().unwrap());
        assert_eq!(Digest::of(&plain), hex_of::<32>(&said["sha256"]).into());
        assert_eq!(part.cid.to_string(), said["cid"].as_str().unwrap());
    }
    let range = open_range(&manifest.parts[0], 65_530, 12, blocks).unwrap();
    assert_eq!(range[..], original()[65_530..65_542]);
}

#[test]
fn the_golden_record_opens_for_owner_reader_and_other_tools() {
    let said = expected();
    let KeyFile::Phrase(phrase) = KeyFile::open(&file("owner.key"), PASSPHRASE).unwrap() else {
        panic!("the key file holds a phrase");
    };
    // The golden has its words in letters (NFKD), as BIP-39 hashes them; a person is shown syllables.
    let kept = Phrase::parse(said["owner_phrase"].as_str().unwrap()).unwrap();
    assert_eq!(*phrase.words(), *kept.words());
    let owner = phrase.seed().sealing(Slot::Relationship(0), 2);

    let mut blocks = BTreeMap::new();
    for entry in fs::read_dir(folder().join("blocks")).unwrap() {
        let path = entry.unwrap().path();
        let cid: Cid = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let block = Block::new(cid, fs::read(&path).unwrap()).unwrap();
        blocks.insert(cid, block.into_bytes());
    }
    let sealed = Sealed::parse(file("package"), file("key-set"), file("capsule")).unwrap();
    let signed = SignedAttestation::parse(&file("attestation")).unwrap();
    for (name, digest) in [
        ("package", sealed.package_digest()),
        ("key_set", sealed.key_set_digest()),
        ("capsule", sealed.capsule_digest()),
    ] {
        assert_eq!(digest.to_string(), said[name].as_str().unwrap());
    }
    let chain = expectations(&said);
    let between = RecordParties {
        record: chain.record,
        author: chain.author,
        owner: chain.owner,
    };
    let held = open_capsule(sealed.capsule(), &owner, &between, &DOMAIN).unwrap();
    let manifest = check_for_owner(&sealed, &signed, &held, committee(), &chain, &DOMAIN).unwrap();
    check_manifest(&manifest, &blocks, &said);

    let keeper = SealingSecret::from_bytes(1, hex_of(&said["keeper_secret"]));
    let shares: Vec<_> = (2..6u8)
        .map(|index| {
            let bytes = file(&format!("share-{index}"));
            let wrapped: Wrapped = medibloc_dag::cbor::from_slice(&bytes).unwrap();
            let info = info::share(
                &DOMAIN,
                chain.record,
                chain.author,
                chain.owner,
                3,
                index,
                1,
            );
            let share = hpke_open(&keeper, &info, &wrapped).unwrap();
            let share: [u8; 32] = share[..].try_into().unwrap();
            (index, medibloc_keys::Share::new(share))
        })
        .collect();
    let half = combine(committee().threshold, &shares).unwrap();
    let view = ReaderView {
        package: sealed.package(),
        package_digest: sealed.package_digest(),
        key_set: sealed.key_set(),
        attestation: &signed,
        owner_half: &held.owner_half,
    };
    let master = MasterKey::from_halves(chain.record, &held.owner_half, &half);
    let manifest = check_for_reader(&view, &master, &chain, &DOMAIN).unwrap();
    check_manifest(&manifest, &blocks, &said);

    let mut plain = Vec::new();
    import(&mut &file("original.c4gh")[..], &owner, &mut plain).unwrap();
    assert!(plain == original());
}

/// Two segments of text.
fn original() -> Vec<u8> {
    let mut text = String::new();
    for line in 0.. {
        text.push_str(&format!("line {line} of an invented document\n"));
        if text.len() >= 70_000 {
            break;
        }
    }
    text.into_bytes()
}

#[derive(Default)]
struct Blocks(BTreeMap<Cid, Vec<u8>>);

impl BlockSink for Blocks {
    fn put(&mut self, block: Block) -> Result<(), SinkError> {
        self.0.insert(*block.cid(), block.into_bytes());
        Ok(())
    }
}

/// Everything in the folder, by name, as today's code writes it.
fn written() -> BTreeMap<String, Vec<u8>> {
    let mut entropy = SeededEntropy::new(2026);
    let phrase = Phrase::generate(&mut entropy, Language::Korean);
    let owner = phrase.seed().sealing(Slot::Relationship(0), 2);
    let author = Phrase::generate(&mut entropy, Language::English)
        .seed()
        .account_key();
    let keeper = SealingSecret::from_bytes(1, [42; 32]);
    let parties = Parties {
        author: AccountId::from_first_address(author.address()),
        owner: AccountId::from_first_address(phrase.seed().relationship_key(0).address()),
        owner_key: owner.public(),
        nonce: Nonce::new([4; 32]),
    };
    let amends = medibloc_record::RecordId::new([0xaa; 32]);
    let mut draft = Draft::new(
        "text/plain",
        b"x".to_vec(),
        json!({"resourceType": "Bundle"}),
        LossReport::default(),
    );
    draft.category = Category::Medications;
    draft.sensitivity = Sensitivity::Restricted;
    draft.title = Some("퇴원 요약".into());
    draft.language = Some("ko-KR".into());
    draft.written = Some("2026-11-02".into());
    let (details, _) = Record::normalise(draft, Kind::Medical, Timestamp(1_793_500_000))
        .unwrap()
        .amending(amends)
        .in_class(ClassId(7))
        .into_parts();
    let fhir = br#"{"resourceType":"Bundle","type":"document"}"#.to_vec();
    let plains = [
        (PartRole::Original, "text/plain", original()),
        (PartRole::Fhir, "application/fhir+json", fhir),
        (PartRole::Index, "application/fhir+json", Vec::new()),
    ];
    let parts = plains
        .iter()
        .map(|(role, media, bytes)| Part::from_bytes(*role, media, bytes.clone()))
        .collect();
    let mut blocks = Blocks::default();
    let record = Record::from_parts(details, parts);
    let out = seal(
        record,
        &parties,
        committee(),
        &DOMAIN,
        &mut entropy,
        &mut blocks,
    )
    .unwrap();
    let between = RecordParties {
        record: out.sealed.record(),
        author: parties.author,
        owner: parties.owner,
    };
    let signature = author.sign_digest(&out.attestation.digest(&DOMAIN));
    let signed = SignedAttestation::new(out.attestation, parties.author, signature);
    let held = open_capsule(out.sealed.capsule(), &owner, &between, &DOMAIN).unwrap();
    let dealing = Dealing::from_seed(&held.dealer_seed, between.record, committee().threshold);
    let master = MasterKey::from_halves(between.record, &held.owner_half, &dealing.keeper_half());
    let manifest = medibloc_seal::open_manifest(out.sealed.package(), &master).unwrap();

    let mut files = BTreeMap::new();
    let mut keep = |name: &str, bytes: &[u8]| files.insert(name.to_owned(), bytes.to_vec());
    keep("package", out.sealed.package_bytes());
    keep("key-set", out.sealed.key_set_bytes());
    keep("capsule", out.sealed.capsule_bytes());
    keep("attestation", &signed.to_bytes());
    for (cid, bytes) in &blocks.0 {
        keep(&format!("blocks/{cid}"), bytes);
    }
    let to: SealingKey = keeper.public();
    for index in 2..6 {
        let wrapped = wrap_share(
            &out.dealer_seed,
            out.sealed.key_set(),
            &between,
            (index, &to),
            &DOMAIN,
            &mut entropy,
        )
        .unwrap();
        keep(
            &format!("share-{index}"),
            &medibloc_dag::cbor::to_vec(&wrapped),
        );
    }
    let mut c4gh = Vec::new();
    export(
        &manifest.parts[0],
        &[owner.public().into()],
        &blocks.0,
        &mut entropy,
        &mut c4gh,
    )
    .unwrap();
    keep("original.c4gh", &c4gh);
    let key = KeyFile::Phrase(phrase.clone());
    let cost = KeyFileCost::new(1024, 2, 2).unwrap();
    keep(
        "owner.key",
        &key.seal(PASSPHRASE, cost, &mut entropy).unwrap(),
    );
    let said = json!({
        "owner_phrase": as_kept(&phrase),
        "owner": parties.owner.to_string(),
        "author": parties.author.to_string(),
        "keeper_secret": Digest::new(*keeper.to_bytes()).to_string(),
        "record": between.record.to_string(),
        "amends": amends.to_string(),
        "package": out.sealed.package_digest().to_string(),
        "key_set": out.sealed.key_set_digest().to_string(),
        "capsule": out.sealed.capsule_digest().to_string(),
        "parts": manifest.parts.iter().map(|part| json!({
            "length": part.length,
            "sha256": part.plaintext.to_string(),
            "cid": part.cid.to_string(),
        })).collect::<Vec<_>>(),
    });
    let said = serde_json::to_string_pretty(&said).unwrap() + "\n";
    keep("expected.json", said.as_bytes());
    files
}

/// The phrase as the golden writes it: the same words, in letters where today's are in syllables.
fn as_kept(phrase: &Phrase) -> String {
    if !folder().exists() {
        return phrase.words().as_str().to_owned();
    }
    let kept = expected()["owner_phrase"].as_str().unwrap().to_owned();
    assert_eq!(*Phrase::parse(&kept).unwrap().words(), *phrase.words());
    kept
}

#[test]
fn the_writer_writes_the_golden_bytes() {
    let files = written();
    if std::env::var_os("UPDATE_GOLDEN").is_some() && !folder().exists() {
        fs::create_dir_all(folder().join("blocks")).unwrap();
        for (name, bytes) in &files {
            fs::write(folder().join(name), bytes).unwrap();
        }
    }
    for (name, bytes) in &files {
        assert!(file(name) == *bytes, "{name}: the stored form changed");
    }
    let stored = |folder: PathBuf| {
        fs::read_dir(folder)
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().path().is_file())
            .count()
    };
    let count = stored(folder()) + stored(folder().join("blocks"));
    assert_eq!(count, files.len(), "a golden file that nothing writes");
}
