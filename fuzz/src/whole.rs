//! The whole path of a record that somebody else made: objects of a store, through every check, to what its owner opens.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use medibloc_evil::author::{Author, Changes, Closed};
use medibloc_evil::mutate::{Dice, TREES, object, tree};
use medibloc_journey::memory::World;
use medibloc_journey::{Party, Standing, medical_only};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{Call, Facts as _, Relay as _, Submit as _};
use medibloc_record::{
    AccountId, Draft, Kind, LossReport, Part, PartRole, Record, RecordId, Role, SealingKey,
};
use medibloc_store::Store as _;

/// Worlds in memory never wait.
fn now<T>(step: impl Future<Output = T>) -> T {
    let mut step = pin!(step);
    match step.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a world in memory waits for nobody"),
    }
}

struct Scene {
    world: Arc<World>,
    patient: Party,
    author: Author,
    owner: AccountId,
    owner_key: SealingKey,
    made: u64,
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

impl Scene {
    fn new() -> Self {
        let world = World::new(1);
        let ports = world.ports();
        let patient = Party::new(phrase(1).seed(), Role::Person, ports.clone());
        let hospital = Party::new(phrase(2).seed(), Role::Provider, world.ports());
        now(hospital.register_account()).expect("a new account");
        let jwt = world.accredit(hospital.account().id(), "Hana Hospital");
        let invitation = now(patient.invite()).expect("an invitation");
        let answer = now(hospital.answer(&invitation, Some(&jwt)));
        let owner = answer.expect("a pairing").owner;
        now(patient.sync()).expect("a whole world");
        patient.confirm(owner).expect("a contact");
        let until = ports.clock.now().plus(7 * 86_400);
        now(patient.grant_write(owner, medical_only(), until)).expect("a write grant");
        let facts = now(world.ledger.account(owner)).expect("a chain");
        let committee = now(world.ledger.committee()).expect("a chain").committee;
        Self {
            author: Author {
                key: phrase(2).seed().account_key(),
                domain: ports.domain,
                committee,
            },
            owner_key: facts.expect("a registered owner").sealing_key,
            world,
            patient,
            owner,
            made: 0,
        }
    }

    fn publish(&self, closed: Closed) -> RecordId {
        now(self.world.store.put(closed.blocks)).expect("memory");
        let (call, key) = (Call::Anchor(closed.anchor), &self.author.key);
        let until = self.world.ports().clock.now().plus(3_600);
        let unsigned = now(self.world.ledger.prepare(key.address(), &call, until));
        let unsigned = unsigned.expect("a permitted author");
        let signature = key.sign_digest(&unsigned.digest);
        now(self.world.ledger.relay(&unsigned.sign(signature))).expect("a permitted author");
        closed.anchor.record_id()
    }
}

/// One world for many inputs, made anew now and then so that it stays small.
fn scene() -> MutexGuard<'static, Scene> {
    static SCENE: OnceLock<Mutex<Scene>> = OnceLock::new();
    let scene = SCENE.get_or_init(|| Mutex::new(Scene::new()));
    let mut scene = scene.lock().unwrap_or_else(PoisonError::into_inner);
    scene.made += 1;
    if scene.made > 64 {
        *scene = Scene::new();
    }
    scene
}

/// The first byte says what is changed, the next eight how; or the rest stands in the place of an object as it is.
pub fn open_own(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let seed = rest
        .first_chunk()
        .map_or(0, |seed| u64::from_le_bytes(*seed));
    let scene = scene();
    let mut dice = Dice::new(seed ^ scene.made << 48);
    let at = scene.world.ports().clock.now();
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new("text/plain", b"x".to_vec(), bundle, LossReport::default());
    let record = Record::normalise(draft, Kind::Medical, at).expect("a small draft");
    let part = Part::from_bytes(PartRole::Original, "text/plain", rest.to_vec());
    let to = (scene.owner, scene.owner_key);
    let made = scene
        .author
        .make(to, record.into_parts().0, vec![part], &mut dice);
    let mut pieces = made.expect("a small record");
    let mut inside = Dice::new(seed);
    let shape = TREES[inside.roll(TREES.len())];
    let is_raw = kind & 0x80 != 0;
    let change = |bytes: Vec<u8>| {
        if is_raw {
            rest.to_vec()
        } else {
            object(&mut inside, &bytes)
        }
    };
    let mut changes = Changes::default();
    match kind % 8 {
        0 => changes.manifest = Some(Box::new(change)),
        1 => changes.package = Some(Box::new(change)),
        2 => changes.key_set = Some(Box::new(change)),
        3 => changes.capsule = Some(Box::new(change)),
        4 => changes.attested = Some(Box::new(change)),
        5 => changes.attestation = Some(Box::new(change)),
        kind => {
            let bytes = if kind == 6 {
                pieces.blocks[&pieces.package.parts[0].cid].clone()
            } else {
                core::mem::take(&mut pieces.package.manifest)
            };
            let (root, blocks) = tree(&mut dice, shape, &bytes);
            if kind == 6 {
                pieces.replace_part(0, root, blocks);
            } else {
                pieces.package.manifest_cid = Some(root);
                pieces.blocks.extend(blocks);
            }
        }
    }
    let Ok(closed) = pieces.close(&scene.author, changes, &mut dice) else {
        return;
    };
    let record = scene.publish(closed);
    let report = now(scene.patient.sync()).expect("one record stops no sync");
    let kept = scene.patient.record(record).expect("it is listed");
    match kept.standing {
        Standing::Accepted => {
            scene
                .patient
                .export_record(record)
                .expect("what is accepted opens");
        }
        Standing::NotAccepted { because } => {
            assert!(!because.contains("program failed"), "{because}");
        }
        other => panic!("{other:?}: {report:?}"),
    }
}
