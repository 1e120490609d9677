//! Letters, grants and key lists that are hostile inside and good outside: signed by a contact, wrapped to the right key.

use std::collections::BTreeSet;
use std::sync::Arc;

use medibloc_consent::{AnchorFields, Grant, Purpose, Scope};
use medibloc_dag::cbor;
use medibloc_evil::author::{Author, Changes};
use medibloc_evil::mutate::{self, Dice, TREES};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::Call;
use medibloc_record::{
    AccountId, Draft, GrantId, Kind, LossReport, Nonce, Part, PartRole, Record, RecordId, Role,
    Sealed, Timestamp,
};
use medibloc_store::Store as _;

use crate::grant::{Artefact, GivenGrant, SharedKey};
use crate::mail::Message;
use crate::memory::World;
use crate::{Party, SyncReport};

struct Scene {
    world: Arc<World>,
    patient: Party,
    clinic: Party,
    owner: AccountId,
    until: Timestamp,
    /// Granted to the clinic, and not.
    records: [RecordId; 2],
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

async fn scene() -> Scene {
    let world = World::new(1);
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let clinic = Party::new(phrase(2).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let mut records = Vec::new();
    for text in ["one", "two"] {
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let bytes = text.as_bytes().to_vec();
        let draft = Draft::new("text/xml", bytes, bundle, LossReport::default());
        records.push(patient.write_own(draft).await.unwrap().record);
    }
    let until = world.ports().clock.now().plus(86_400);
    let scene = Scene {
        world,
        patient,
        clinic,
        owner,
        until,
        records: records.try_into().unwrap(),
    };
    let request = scene.request().await;
    let grant = scene.patient.approve(&request, scene.records[0], until);
    grant.await.unwrap();
    scene.clinic.sync().await.unwrap();
    scene
}

impl Scene {
    async fn request(&self) -> crate::PendingRequest {
        let asked = self
            .clinic
            .ask(self.owner, Purpose::Treatment, "care", self.until);
        asked.await.unwrap();
        self.patient.sync().await.unwrap();
        self.patient.requests().unwrap().pop().unwrap()
    }
}

fn rounds() -> u64 {
    std::env::var("MEDIBLOC_FUZZ_ROUNDS").map_or(100, |text| {
        text.parse().expect("MEDIBLOC_FUZZ_ROUNDS is a number")
    })
}

/// The value with some of its values changed, if it is one still: bytes that are none are refused by the decoder, which
/// has a fuzz target of its own.
fn changed<T: serde::Serialize + serde::de::DeserializeOwned>(
    dice: &mut Dice,
    value: &T,
) -> Option<T> {
    let bytes = cbor::to_vec(value);
    (0..10).find_map(|_| cbor::from_slice(&mutate::object(dice, &bytes)).ok())
}

fn told_well(report: &SyncReport, how: &str) {
    for later in &report.later {
        assert!(!later.contains("program failed"), "{how}: {later}");
        assert!(later.len() < 1_000, "{how}: {later}");
    }
}

#[tokio::test]
async fn no_letter_of_a_contact_stops_the_letters_beside_it() {
    let scene = scene().await;
    let request = scene.request().await.request;
    let own = scene.patient.contacts().unwrap()[0].own;
    let readers = request.readers.clone();
    let (grant, _) = scene.patient.grants().unwrap().remove(0);
    let card = scene.patient.contacts().unwrap()[0].card.clone();
    let messages = [
        Message::Card(card),
        Message::Access(request),
        Message::MoreReaders {
            readers,
            credential: None,
        },
        Message::WantReaders { count: 3 },
        Message::Purged {
            grants: vec![grant],
            records: vec![scene.records[0]],
            files: 1,
            unknown: true,
            outputs: None,
        },
        Message::Ended {
            grants: vec![grant],
            records: vec![scene.records[0]],
        },
    ];
    let to_own = own.first_address();
    let own_key = scene.clinic.key_of(own).await.unwrap();
    let clinic = scene.clinic.account();
    let pairing = scene.clinic.patrons().unwrap().remove(0).pairing;
    let mut sent = 0;
    for round in 0..rounds() {
        let mut dice = Dice::new(round);
        let message = &messages[dice.roll(messages.len())];
        let Some(message) = changed(&mut dice, message) else {
            continue;
        };
        let how = format!("round {round}");
        let (key, to) = (scene.clinic.ports.random(), (to_own, &own_key));
        let letter =
            scene
                .clinic
                .compose(key, pairing.as_ref(), &clinic, to, "memory:node", &message);
        scene.clinic.post(letter.unwrap()).await.unwrap();
        sent += 1;
        if round % 16 == 15 {
            let asked = scene
                .clinic
                .ask(scene.owner, Purpose::Treatment, &how, scene.until);
            asked.await.unwrap();
            let report = scene.patient.sync().await.unwrap();
            told_well(&report, &how);
            let requests = scene.patient.requests().unwrap();
            let found = |it: &&crate::PendingRequest| it.request.reason == how;
            assert_eq!(requests.iter().filter(found).count(), 1, "{how}");
            let again = scene.patient.sync().await.unwrap();
            assert_eq!((again.letters, again.later), (0, Vec::new()), "{how}");
        }
    }
    assert!(sent > rounds() / 4, "{sent} letters were letters still");
    let unused = scene.patient.contacts().unwrap()[0].unused.len();
    assert!(unused <= 64, "{unused} addresses of one contact");
    scene.clinic.read(scene.records[0]).await.unwrap();
}

/// A grant of the owner's, of this record, with this object.
async fn grant_of(
    scene: &Scene,
    given: &GivenGrant,
    (artefact, keys): (&Artefact, &[SharedKey]),
    nonce: [u8; 32],
    anchor: AnchorFields,
) -> Option<GrantId> {
    let patient = &scene.patient;
    let own = patient.own_address(given.own).unwrap();
    let old = given.artefact.grant.clone().unwrap();
    let mut terms = old.terms.clone();
    terms.scope = Scope::One(anchor.record_id());
    let mut grant = Grant::new(old.owner, old.reader, Nonce::new(nonce), terms);
    let key = patient.key_of(old.reader).await.unwrap();
    let to = (old.reader, &key);
    // Too much for an object: nobody sends that.
    let made = patient.make_grant_object(&own, to, grant.id, artefact, Some(keys));
    let made = made.ok()?;
    grant.terms.digest = made.digest;
    scene.world.store.put(vec![made.block]).await.unwrap();
    let (id, anchor) = (grant.id, Some(anchor));
    patient
        .call(&own, &Call::Grant { grant, anchor })
        .await
        .unwrap();
    Some(id)
}

#[tokio::test]
async fn no_grant_or_key_list_stops_the_grants_beside_it() {
    let scene = scene().await;
    let (_, given) = scene.patient.grants().unwrap().remove(0);
    let kept = scene.patient.record(scene.records[1]).unwrap();
    let own = scene.patient.own_address(given.own).unwrap();
    let anchor = kept.anchor;
    let keys = scene.patient.shared_keys(&own, &[kept]).await.unwrap();
    let (mut artefact, mut made) = (given.artefact.clone(), BTreeSet::new());
    artefact.records = vec![scene.records[1]];
    // Each is a grant of one owner, which later ones are held against.
    let rounds = rounds().min(1_500);
    for round in 0..rounds {
        let mut dice = Dice::new(round);
        let (artefact, keys) = if dice.roll(2) == 0 {
            (changed(&mut dice, &artefact), Some(keys.clone()))
        } else {
            (Some(artefact.clone()), changed(&mut dice, &keys))
        };
        let (Some(artefact), Some(keys)) = (artefact, keys) else {
            continue;
        };
        let nonce = scene.patient.ports.random();
        let made_of = (&artefact, keys.as_slice());
        made.extend(grant_of(&scene, &given, made_of, nonce, anchor).await);
    }
    assert!(made.len() as u64 > rounds / 4, "{} grants", made.len());
    let report = scene.clinic.sync().await.unwrap();
    told_well(&report, "grants");
    let told = report.unpaired + report.later.len() + report.given_up.len();
    assert_eq!(report.grants + told, made.len(), "{report:?}");
    let again = scene.clinic.sync().await.unwrap();
    assert_eq!((again.grants, again.later), (0, Vec::new()));
    scene.clinic.read(scene.records[0]).await.unwrap();
    if let Err(error) = scene.clinic.read(scene.records[1]).await {
        assert!(!error.to_string().contains("program failed"), "{error}");
    }
    let ports = scene.world.ports();
    let restored = Party::restore(&phrase(2), Role::Provider, ports).await;
    let (restored, report) = restored.unwrap();
    told_well(&report.sync, "restore");
    restored.read(scene.records[0]).await.unwrap();
}

/// An owner that writes, accepts and grants a record of hostile trees itself: what its reader meets.
#[tokio::test]
async fn no_record_that_its_owner_grants_stops_a_reader() {
    let scene = scene().await;
    let (_, given) = scene.patient.grants().unwrap().remove(0);
    let own = scene.patient.own_address(given.own).unwrap();
    let facts = &scene.patient.ports.facts;
    let author = Author {
        key: scene.patient.signer(&own),
        domain: scene.patient.ports.domain,
        committee: facts.committee().await.unwrap().committee,
    };
    let key = facts.account(own.id()).await.unwrap().unwrap().sealing_key;
    let mut dice = Dice::new(5);
    let mut made = Vec::new();
    let shapes = TREES
        .into_iter()
        .flat_map(|shape| [(shape, false), (shape, true)]);
    for (shape, is_linked) in shapes.chain([("whole", false)]) {
        let now = scene.patient.ports.clock.now();
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let draft = Draft::new("text/plain", b"x".to_vec(), bundle, LossReport::default());
        let record = Record::normalise(draft, Kind::Own, now).unwrap();
        let part = Part::from_bytes(PartRole::Original, "text/plain", shape.into());
        let details = record.into_parts().0;
        let pieces = author.make((own.id(), key), details, vec![part], &mut dice);
        let mut pieces = pieces.unwrap();
        if shape != "whole" {
            let bytes = if is_linked {
                core::mem::take(&mut pieces.package.manifest)
            } else {
                pieces.blocks[&pieces.package.parts[0].cid].clone()
            };
            let (root, blocks) = mutate::tree(&mut dice, shape, &bytes);
            if is_linked {
                pieces.package.manifest_cid = Some(root);
                pieces.blocks.extend(blocks);
            } else {
                pieces.replace_part(0, root, blocks);
            }
        }
        let content = pieces.content.clone();
        let closed = pieces
            .close(&author, Changes::default(), &mut dice)
            .unwrap();
        let objects = closed.blocks[closed.blocks.len() - 4..].iter();
        let objects: Vec<Vec<u8>> = objects.map(|block| block.bytes().to_vec()).collect();
        let anchor = closed.anchor;
        scene.world.store.put(closed.blocks).await.unwrap();
        for call in [Call::Anchor(anchor), Call::Accept(anchor)] {
            scene.patient.call(&own, &call).await.unwrap();
        }
        let [package, key_set, capsule, _] = objects.try_into().unwrap();
        let sealed = Sealed::parse(package, key_set, capsule).unwrap();
        let seed = &content.dealer_seed;
        let dealt = scene
            .patient
            .deliver_shares(&own, &anchor, &sealed, seed, 0);
        dealt.await.unwrap();
        let keys = [SharedKey {
            anchor,
            owner_half: zeroize::Zeroizing::new(*content.owner_half.expose()),
            proof: None,
        }];
        let mut artefact = given.artefact.clone();
        artefact.records = vec![anchor.record_id()];
        let nonce = scene.patient.ports.random();
        let given = grant_of(&scene, &given, (&artefact, &keys), nonce, anchor).await;
        assert!(given.is_some(), "{shape}");
        made.push((shape, is_linked, anchor.record_id()));
    }
    let report = scene.clinic.sync().await.unwrap();
    assert_eq!((report.grants, report.later), (made.len(), Vec::new()));
    for (shape, is_linked, record) in made {
        let read = scene.clinic.read(record).await;
        assert_eq!(
            read.is_ok(),
            shape == "whole",
            "{shape}, linked: {is_linked}: {read:?}"
        );
        if let Err(error) = read {
            let told = error.to_string();
            assert!(
                !told.is_empty() && !told.contains("program failed"),
                "{told}"
            );
        }
    }
    scene.clinic.read(scene.records[0]).await.unwrap();
    println!(
        "ATTACK security-1: 26 such records granted to a reader, each refused with its reason"
    );
}
