//! Records whose every digest and signature is good and whose inside is hostile: what they cost, what is said of them, and
//! that everything beside them goes on.
//!
//! `MEDIBLOC_FUZZ_ROUNDS` says how many changed records the fuzzer makes; its dice follow from the round, so that what fails
//! comes back by its number. What failed once stands in [`REGRESSIONS`].
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "faults/odd.rs"]
#[allow(dead_code, reason = "each test file uses what it needs")]
mod odd;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use medibloc_consent::Purpose;
use medibloc_dag::{Block, Cid, Codec};
use medibloc_evil::author::{Author, Changes, Closed, Pieces, file};
use medibloc_evil::mutate::{self, Dice, TREES};
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Network, Party, Standing, SyncReport, VaultPort, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Call, Facts as _, Relay as _, Submit as _};
use medibloc_record::{
    AccountId, Draft, Kind, LossReport, Part, PartRole, Record, RecordId, Role, Sealed, SealingKey,
    SignedAttestation, Timestamp,
};
use medibloc_store::{Store as _, put_sealed};
use odd::Panics;

/// Rounds that found a fault once.
const REGRESSIONS: [u64; 0] = [];

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A patient, and a hospital that it lets write and that is an author as hostile as it likes.
struct Scene {
    world: Arc<World>,
    vault: Arc<dyn VaultPort>,
    patient: Party,
    hospital: Party,
    author: Author,
    owner: AccountId,
    owner_key: SealingKey,
    until: Timestamp,
}

impl Scene {
    async fn new(seed: u64) -> Self {
        let world = World::new(seed);
        let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
        let ports = world.ports_with(vault.clone());
        let patient = Party::new(phrase(1).seed(), Role::Person, ports.clone());
        let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
        hospital.register_account().await.unwrap();
        let jwt = world.accredit(hospital.account().id(), "Hana Hospital");
        let invitation = patient.invite().await.unwrap();
        let owner = hospital
            .answer(&invitation, Some(&jwt))
            .await
            .unwrap()
            .owner;
        patient.sync().await.unwrap();
        patient.confirm(owner).unwrap();
        let until = ports.clock.now().plus(7 * 86_400);
        patient
            .grant_write(owner, medical_only(), until)
            .await
            .unwrap();
        let facts = world.ledger.account(owner).await.unwrap().unwrap();
        let author = Author {
            key: phrase(2).seed().account_key(),
            domain: ports.domain,
            committee: world.ledger.committee().await.unwrap().committee,
        };
        Self {
            world,
            vault,
            patient,
            hospital,
            author,
            owner,
            owner_key: facts.sealing_key,
            until,
        }
    }

    fn parts(&self, parts: Vec<Part>, dice: &mut Dice) -> Pieces {
        let now = self.world.ports().clock.now();
        let record = Record::normalise(draft("x"), Kind::Medical, now).unwrap();
        let (details, _) = record.into_parts();
        let to = (self.owner, self.owner_key);
        self.author.make(to, details, parts, dice).unwrap()
    }

    fn pieces(&self, text: &str, dice: &mut Dice) -> Pieces {
        let part = |role, text: &str| Part::from_bytes(role, "text/plain", text.into());
        let parts = vec![part(PartRole::Original, text), part(PartRole::Index, "{}")];
        self.parts(parts, dice)
    }

    async fn publish(&self, closed: Closed) -> RecordId {
        self.world.store.put(closed.blocks).await.unwrap();
        let call = Call::Anchor(closed.anchor);
        let (key, ledger) = (&self.author.key, &self.world.ledger);
        let unsigned = ledger
            .prepare(key.address(), &call, self.until)
            .await
            .unwrap();
        let signature = key.sign_digest(&unsigned.digest);
        ledger.relay(&unsigned.sign(signature)).await.unwrap();
        closed.anchor.record_id()
    }

    async fn publish_as_it_is(&self, pieces: Pieces, dice: &mut Dice) -> RecordId {
        let closed = pieces
            .close(&self.author, Changes::default(), dice)
            .unwrap();
        self.publish(closed).await
    }

    async fn write(&self, text: &str) -> RecordId {
        let written = self.hospital.write_for(self.owner, draft(text)).await;
        written.unwrap().record
    }

    async fn restored(&self) -> (Party, SyncReport) {
        let ports = self.world.ports();
        let (party, report) = Party::restore(&phrase(1), Role::Person, ports)
            .await
            .unwrap();
        assert!(report.missing.is_empty(), "{report:?}");
        (party, report.sync)
    }

    /// Why a record was not accepted.
    fn because(report: &SyncReport, record: RecordId) -> &str {
        let found = report.not_accepted.iter().find(|(id, _)| *id == record);
        found.map_or("", |(_, because)| because)
    }

    /// What must hold whatever stands beside good records.
    async fn check(&self, good: &BTreeSet<RecordId>, bad: &BTreeMap<RecordId, String>) {
        let report = self.patient.sync().await.unwrap();
        let judge = |party: &Party, report: &SyncReport| {
            let accepted: BTreeSet<RecordId> = report.accepted.iter().copied().collect();
            assert!(accepted.is_superset(good), "{report:?}");
            for (record, how) in bad {
                let because = Self::because(report, *record);
                assert!(
                    accepted.contains(record) || !because.is_empty(),
                    "{how}: it is not listed: {report:?}"
                );
                assert!(!because.contains("program failed"), "{how}: {because}");
                assert!(because.len() < 1_000, "{how}: {because}");
            }
            assert!(report.later.is_empty(), "{report:?}");
            for record in &accepted {
                let exported = party.export_record(*record);
                assert!(exported.is_ok(), "{:?}: {exported:?}", bad.get(record));
            }
            accepted
        };
        let accepted = judge(&self.patient, &report);
        let again = self.patient.sync().await.unwrap();
        assert_eq!(again, SyncReport::default(), "a second sync is quiet");
        let (restored, report) = self.restored().await;
        assert_eq!(judge(&restored, &report), accepted);
    }
}

/// One changed record; none if what came out does not even fit into blocks.
fn changed(scene: &Scene, round: u64) -> Option<(Closed, String)> {
    let mut dice = Dice::new(round);
    let mut pieces = scene.pieces(&format!("round {round}"), &mut dice);
    let mut changes = Changes::default();
    let mut inside = Dice::new(round ^ 0x5eed);
    let change = |bytes: Vec<u8>| {
        if inside.roll(8) == 0 {
            mutate::bits(&mut inside, &bytes)
        } else {
            mutate::object(&mut inside, &bytes)
        }
    };
    let how = match dice.roll(12) {
        0 | 1 => {
            changes.manifest = Some(Box::new(change));
            "manifest".into()
        }
        2 | 3 => {
            changes.package = Some(Box::new(change));
            "package".into()
        }
        4 => {
            changes.key_set = Some(Box::new(change));
            "key set".into()
        }
        5 => {
            changes.capsule = Some(Box::new(change));
            "capsule".into()
        }
        6 => {
            changes.attested = Some(Box::new(change));
            "attested".into()
        }
        7 => {
            changes.attestation = Some(Box::new(change));
            "attestation".into()
        }
        8 | 9 => {
            let kind = TREES[dice.roll(TREES.len())];
            let bytes = pieces.blocks[&pieces.package.parts[0].cid].clone();
            let (root, blocks) = mutate::tree(&mut dice, kind, &bytes);
            pieces.replace_part(0, root, blocks);
            format!("part: {kind}")
        }
        10 => {
            let kind = TREES[dice.roll(TREES.len())];
            let bytes = core::mem::take(&mut pieces.package.manifest);
            let (root, blocks) = mutate::tree(&mut dice, kind, &bytes);
            pieces.package.manifest_cid = Some(root);
            pieces.blocks.extend(blocks);
            format!("linked manifest: {kind}")
        }
        _ => {
            let part = &mut pieces.manifest.parts[0];
            part.length =
                [0, 1, 4_097, 1 << 40, (1 << 40) + 1, u64::MAX - 1, u64::MAX][dice.roll(7)];
            let size = [0, 4_124, 1 << 41, u64::MAX][dice.roll(4)];
            pieces.package.parts[0].size = size;
            format!("length {}, size {size}", pieces.manifest.parts[0].length)
        }
    };
    let closed = pieces.close(&scene.author, changes, &mut dice).ok()?;
    Some((closed, format!("round {round}, {how}")))
}

#[tokio::test]
async fn changed_after_sealing_no_record_stops_a_sync_a_read_or_a_restore() {
    let rounds = std::env::var("MEDIBLOC_FUZZ_ROUNDS").map_or(100, |text| {
        text.parse().expect("MEDIBLOC_FUZZ_ROUNDS is a number")
    });
    let all: Vec<u64> = REGRESSIONS.into_iter().chain(0..rounds).collect();
    for batch in all.chunks(50) {
        let scene = Scene::new(1).await;
        let (mut good, mut bad) = (BTreeSet::new(), BTreeMap::new());
        good.insert(scene.write("before").await);
        for round in batch {
            if let Some((closed, how)) = changed(&scene, *round) {
                bad.insert(scene.publish(closed).await, how);
            }
        }
        good.insert(scene.write("after").await);
        scene.check(&good, &bad).await;
    }
}

/// Peak memory of this process, in bytes, as the system counts it; 0 where it does not.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

#[tokio::test]
async fn every_tree_that_no_writer_makes_ends_with_its_reason_and_costs_nothing() {
    let scene = Scene::new(2).await;
    let mut dice = Dice::new(7);
    let (mut bad, mut reasons) = (BTreeMap::new(), Vec::new());
    for kind in TREES {
        for linked in [false, true] {
            let mut pieces = scene.pieces(kind, &mut dice);
            let bytes = if linked {
                core::mem::take(&mut pieces.package.manifest)
            } else {
                pieces.blocks[&pieces.package.parts[0].cid].clone()
            };
            let (root, blocks) = mutate::tree(&mut dice, kind, &bytes);
            if linked {
                pieces.package.manifest_cid = Some(root);
                pieces.blocks.extend(blocks);
            } else {
                pieces.replace_part(0, root, blocks);
            }
            let record = scene.publish_as_it_is(pieces, &mut dice).await;
            bad.insert(record, format!("{kind}, linked: {linked}"));
        }
    }
    let good = scene.write("good").await;
    let (before, began) = (peak(), Instant::now());
    let report = scene.patient.sync().await.unwrap();
    let (took, grown) = (began.elapsed(), peak().saturating_sub(before));
    assert_eq!(report.accepted, [good], "{report:?}");
    for (record, how) in &bad {
        let because = Scene::because(&report, *record);
        assert!(!because.is_empty(), "{how} is not listed");
        reasons.push(format!("{how}: {because}"));
    }
    let told = |what: &str, why: &str| {
        let found = reasons
            .iter()
            .find(|reason| reason.starts_with(what))
            .unwrap();
        assert!(found.contains(why), "{found}");
    };
    told("no bytes, four levels, linked: true", "a link to no bytes");
    told("no bytes, four levels, linked: false", "a link to no bytes");
    told(
        "one block again and again, linked: true",
        "stands in it twice",
    );
    told("small leaves, linked: false", "more than 1 blocks of work");
    told("2^64, linked: true", "a leaf of more than 1 MiB");
    assert!(
        took.as_secs() < 20 && grown < 64 << 20,
        "{took:?}, {grown} bytes"
    );
    println!(
        "ATTACK security-1: sync of 26 such records {:.1} s, {} MB",
        took.as_secs_f32(),
        grown >> 20
    );
}

#[tokio::test]
async fn a_length_of_two_to_the_sixty_fourth_is_a_reason_and_no_panic() {
    let scene = Scene::new(3).await;
    let mut dice = Dice::new(8);
    let mut bad = BTreeMap::new();
    for (length, size) in [
        (u64::MAX, 4_124),
        (u64::MAX, u64::MAX),
        (u64::MAX - 4_096, 1 << 41),
        (1 << 40, 4_124),
    ] {
        let mut pieces = scene.pieces("x", &mut dice);
        pieces.manifest.parts[0].length = length;
        pieces.package.parts[0].size = size;
        let record = scene.publish_as_it_is(pieces, &mut dice).await;
        bad.insert(record, format!("length {length}, size {size}"));
    }
    let good = scene.write("good").await;
    scene.check(&BTreeSet::from([good]), &bad).await;
    let because = scene
        .patient
        .records()
        .unwrap()
        .into_iter()
        .filter_map(|kept| {
            let Standing::NotAccepted { because } = kept.standing else {
                return None;
            };
            Some(because)
        });
    let because: Vec<String> = because.collect();
    assert_eq!(because.len(), 4, "{because:?}");
    let work = |because: &&String| because.contains("needs more than 1049601 blocks of work");
    assert_eq!(because.iter().filter(work).count(), 2, "{because:?}");
    println!("ATTACK security-3: sync and restore finish, 4 of 4 refused with their reason");
}

/// Whoever stores a record for another walks its trees, too.
#[tokio::test]
async fn a_store_does_not_follow_such_a_tree_either() {
    let scene = Scene::new(4).await;
    let mut dice = Dice::new(9);
    for kind in [
        "no bytes, four levels",
        "one block again and again",
        "2^64 together",
    ] {
        let mut pieces = scene.pieces(kind, &mut dice);
        let bytes = pieces.blocks[&pieces.package.parts[0].cid].clone();
        let (root, blocks) = mutate::tree(&mut dice, kind, &bytes);
        pieces.replace_part(0, root, blocks);
        let closed = pieces
            .close(&scene.author, Changes::default(), &mut dice)
            .unwrap();
        let objects = closed.blocks[closed.blocks.len() - 4..].iter();
        let objects: Vec<Vec<u8>> = objects.map(|block| block.bytes().to_vec()).collect();
        let [package, key_set, capsule, attestation] = objects.try_into().unwrap();
        let sealed = Sealed::parse(package, key_set, capsule).unwrap();
        let signed = SignedAttestation::parse(&attestation).unwrap();
        scene.world.store.put(closed.blocks).await.unwrap();
        let error = put_sealed(scene.world.store.as_ref(), &sealed, &signed)
            .await
            .unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("not a UnixFS file node of this layout") || told.contains("of work"),
            "{kind}: {told}"
        );
    }
    println!("ATTACK security-1: storing ends at the first block that is no file's");
}

/// A fault of this program over one record.
#[tokio::test]
async fn a_panic_over_one_record_is_that_records_alone_and_comes_once() {
    let scene = Scene::new(5).await;
    let mut dice = Dice::new(10);
    let pieces = scene.pieces("bad", &mut dice);
    let closed = pieces
        .close(&scene.author, Changes::default(), &mut dice)
        .unwrap();
    let package = Cid::from_dag_cbor_digest(closed.anchor.package.to_bytes());
    let bad = scene.publish(closed).await;
    let good = scene.write("good").await;
    let mut ports = scene.world.ports_with(scene.vault.clone());
    let network: Arc<dyn Network> = Arc::new(Panics(ports.network.clone(), package));
    ports.network = network;
    let patient = Party::new(phrase(1).seed(), Role::Person, ports.clone());
    let report = patient.sync().await.unwrap();
    assert_eq!(report.accepted, [good], "{report:?}");
    let because = Scene::because(&report, bad);
    assert!(
        because.contains("the program failed on the record: a fault of ours"),
        "{because}"
    );
    for _restart in 0..2 {
        let patient = Party::new(phrase(1).seed(), Role::Person, ports.clone());
        assert_eq!(patient.sync().await.unwrap(), SyncReport::default());
        let kept = patient.record(bad).unwrap();
        assert!(matches!(kept.standing, Standing::NotAccepted { .. }));
    }
    // A restore over the same fault finishes.
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    ports.vault = vault;
    let (_, report) = Party::restore(&phrase(1), Role::Person, ports)
        .await
        .unwrap();
    assert_eq!(report.sync.accepted, [good], "{report:?}");
}

/// A record of as many parts as there may be goes all the way, like any other.
#[tokio::test]
async fn a_record_of_as_many_parts_as_there_may_be_goes_all_the_way_and_is_purged_too() {
    let scene = Scene::new(6).await;
    let mut dice = Dice::new(11);
    let media_type = "t".repeat(255);
    let part = |nth: usize| {
        let role = if nth == 0 {
            PartRole::Original
        } else {
            PartRole::Index
        };
        Part::from_bytes(role, &media_type, nth.to_string().into_bytes())
    };
    let mut pieces = scene.parts((0..256).map(part).collect(), &mut dice);
    // In a file of its own, as it may be.
    let manifest = core::mem::take(&mut pieces.package.manifest);
    let (root, blocks) = file(&manifest).unwrap();
    pieces.package.manifest_cid = Some(root);
    pieces.blocks.extend(blocks);
    let record = scene.publish_as_it_is(pieces, &mut dice).await;
    let report = scene.patient.sync().await.unwrap();
    assert_eq!(report.accepted, [record], "{report:?}");
    assert!(scene.patient.verify_record(record).await.unwrap().holds());
    let (owner, until) = (scene.owner, scene.until);
    let asked = scene.hospital.ask(owner, Purpose::Treatment, "long", until);
    asked.await.unwrap();
    scene.patient.sync().await.unwrap();
    let request = scene.patient.requests().unwrap().pop().unwrap();
    let grant = scene
        .patient
        .approve(&request, record, until)
        .await
        .unwrap();
    scene.hospital.sync().await.unwrap();
    let read = scene.hospital.read(record).await.unwrap();
    assert_eq!(read.manifest.parts.len(), 256);
    let (restored, _) = scene.restored().await;
    let exported = restored.export_record(record).unwrap();
    assert_eq!(exported.parts[0].bytes.as_slice(), b"0");
    scene.patient.revoke(grant).await.unwrap();
    let report = scene.hospital.sync().await.unwrap();
    assert_eq!((report.ended, report.purged), (vec![grant], vec![record]));
}

/// The honest pieces, closed again, are an honest record: what the fuzzer finds is the change and not the closing.
#[tokio::test]
async fn pieces_that_nobody_changed_are_accepted() {
    let scene = Scene::new(7).await;
    let mut dice = Dice::new(12);
    let pieces = scene.pieces("whole", &mut dice);
    let one = scene.publish_as_it_is(pieces, &mut dice).await;
    let mut pieces = scene.pieces("linked", &mut dice);
    let manifest = core::mem::take(&mut pieces.package.manifest);
    let (root, blocks) = file(&manifest).unwrap();
    pieces.package.manifest_cid = Some(root);
    pieces.blocks.extend(blocks);
    let other = scene.publish_as_it_is(pieces, &mut dice).await;
    let stray = Block::of(Codec::Raw, b"stray".to_vec()).unwrap();
    scene.world.store.put(vec![stray]).await.unwrap();
    scene
        .check(&BTreeSet::from([one, other]), &BTreeMap::new())
        .await;
}
