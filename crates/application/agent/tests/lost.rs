//! Consents that stood on a chain that was left for an older copy: they are told as that, and when somebody sends what was signed
//! there to the chain as it stands, they are an alarm and end at once.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "an attack tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_consent::{Grant, WriteGrant};
use medibloc_evil::owner::call;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Event, Events as _, Facts as _, Mark};
use medibloc_record::{GrantId, Role};
use two::{Two, say, try_say};

struct Story {
    world: Arc<World>,
    patient: Party,
    /// The patient while nobody carries calls.
    cut_off: Party,
    /// Who signed on the chain that was left.
    key: SigningKey,
    grant: Grant,
    write: WriteGrant,
}

/// A patient who gave a consent to read and one to write on a chain that is set back, and who went on with the older copy.
async fn set_back(seed: u64) -> Story {
    let story = set_back_by(seed, true).await;
    say(&story.patient, &["sync"]).await;
    story
}

/// The same before any sync, with a relay that is there, or gone, when the patient goes on.
async fn set_back_by(seed: u64, carries: bool) -> Story {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    say(&two.patient, &["sync"]).await;
    let older = world.ledger.copy();
    let patient = two.patient;
    let all = ["grant", "create", "--to", "clinic", "--all", "--yes"];
    say(&patient, &all).await;
    say(&patient, &["grant", "create", "--to", "clinic", "--write"]).await;
    say(&patient, &["sync"]).await;
    let given = patient.grants().unwrap().remove(0).1;
    let write = patient.write_grants().unwrap().remove(0).1;
    let mut own = patient.addresses().unwrap().into_iter();
    let own = own.find(|own| own.id() == given.own).unwrap();
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);

    world.ledger.replace_by(&older);
    let head = world.ledger.head().await.unwrap();
    let read = Mark {
        number: head.number,
        hash: head.hash,
    };
    for keeper in 1..=4 {
        world.has_read(Some(keeper), read);
    }
    let home = if carries { &patient } else { &two.cut_off };
    let accepted = try_say(home, &["chain", "accept"]).await.unwrap();
    assert_eq!(
        accepted.text.contains("goes on, and ends it"),
        !carries,
        "{}",
        accepted.text
    );
    assert!(
        accepted.text.contains("cannot read by it"),
        "{}",
        accepted.text
    );
    Story {
        world,
        patient,
        cut_off: two.cut_off,
        key: phrase.seed().relationship_key(own.index.unwrap()),
        grant: given.artefact.grant.unwrap(),
        write: write.artefact.write.unwrap(),
    }
}

impl Story {
    fn writes(&self) -> String {
        let write = &self.write;
        GrantId::derive(write.owner, write.author, write.nonce).to_string()
    }

    /// The consent to read, as it was signed for the chain that was left, comes to this one.
    fn consent(&self) -> Call {
        let (grant, anchor) = (self.grant.clone(), None);
        Call::Grant { grant, anchor }
    }

    /// What was signed on the chain that was left is sent to this one.
    async fn send_again(&self, signed: Call) {
        call(&self.world.ports(), &self.key, &signed).await.unwrap();
    }

    async fn has(&self, fits: impl Fn(&Event) -> bool) -> bool {
        let blocks = self.world.ledger.events(0, 10_000).await.unwrap();
        blocks.iter().flat_map(|block| &block.events).any(fits)
    }
}

#[tokio::test]
async fn what_stood_on_a_chain_that_was_left_is_told_as_that_and_its_end_is_kept() {
    let story = set_back(750).await;
    let (patient, id) = (&story.patient, story.grant.id.to_string());
    for words in [["grant", "list"].as_slice(), &["status"]] {
        let told = try_say(patient, words).await.unwrap().text;
        assert!(!told.contains("not seen on the chain yet"), "{told}");
        assert!(!told.contains("live"), "{told}");
    }
    let list = try_say(patient, &["grant", "list"]).await.unwrap().text;
    for id in [&id, &story.writes()] {
        let line = list.lines().find(|line| line.starts_with(&id[..12]));
        assert!(
            line.unwrap().contains("on the lost chain; not on this one"),
            "{list}"
        );
        let said = try_say(patient, &["grant", "revoke", id]).await.unwrap();
        assert!(said.text.starts_with("kept: "), "{}", said.text);
        let again = say(patient, &["grant", "revoke", id]).await;
        assert_eq!(again["already"], true);
    }
}

/// A standing decision whose consents were left with their chain, and are taken back on this one.
#[tokio::test]
async fn no_consent_follows_one_that_was_lost_and_is_not_wanted() {
    let story = set_back(757).await;
    let (world, patient) = (&story.world, &story.patient);
    let id = story.grant.id.to_string();
    say(patient, &["grant", "revoke", &id]).await;
    let lives =
        |event: &Event| matches!(event, Event::Granted(grant) if grant.id != story.grant.id);
    assert!(!story.has(lives).await);
    // Another pairing is another own address that records may come to.
    let other = two::party(world, 71, Role::Provider);
    say(&other, &["account", "register"]).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential");
    std::fs::write(&path, world.accredit(other.account().id(), "Other")).unwrap();
    let path = path.to_str().unwrap();
    say(&other, &["account", "credential", path]).await;
    let invitation = two::text(&say(patient, &["contact", "invite"]).await, "/invitation");
    say(&other, &["contact", "accept", &invitation]).await;
    for _ in 0..2 {
        say(patient, &["sync"]).await;
    }
    assert!(!story.has(lives).await);
    println!(
        "ATTACK ninth-1: 0 consents follow those of a chain that was left and were taken back"
    );
}

#[tokio::test]
async fn a_consent_that_comes_back_is_an_alarm_and_ends_at_once() {
    let mut stand = 0;
    for (seed, is_ordered) in [(751, false), (752, true)] {
        // Nobody carried what makes it worthless.
        let story = set_back_by(seed, false).await;
        let (patient, id) = (&story.patient, story.grant.id.to_string());
        if is_ordered {
            say(&story.cut_off, &["grant", "revoke", &id]).await;
        }
        story.send_again(story.consent()).await;
        let facts = &story.world.ledger;
        assert!(facts.grant(&story.grant).await.unwrap().granted);
        let synced = try_say(patient, &["sync"]).await.unwrap().text;
        assert!(synced.contains("ALARM: "), "{synced}");
        assert!(synced.contains(&id), "{synced}");
        stand += usize::from(!facts.grant(&story.grant).await.unwrap().revoked);
        let alarms = patient.alarms().unwrap();
        assert!(alarms.iter().any(|alarm| alarm.contains(&id)), "{alarms:?}");
        say(patient, &["sync"]).await;
        let list = try_say(patient, &["grant", "list"]).await.unwrap().text;
        let line = list.lines().find(|line| line.starts_with(&id[..12]));
        assert!(line.unwrap().contains("revoked"), "{list}");
    }
    println!("ATTACK seventh-8: {stand} of 2 consents that were sent again stand after a sync");
    assert_eq!(stand, 0);
}

#[tokio::test]
async fn what_was_signed_for_the_chain_that_was_left_is_worthless_at_once() {
    let story = set_back_by(754, true).await;
    let (patient, id) = (&story.patient, story.grant.id.to_string());
    let sent = call(&story.world.ports(), &story.key, &story.consent()).await;
    let facts = story.world.ledger.grant(&story.grant).await.unwrap();
    println!(
        "ATTACK seventh-8: {} of 1 consents that were sent again before a sync stand",
        usize::from(facts.granted)
    );
    assert!(sent.unwrap_err().to_string().contains("the grant"));
    assert!(!facts.granted);
    // What used up its id covers nothing and has ended, and is no alarm to anybody.
    let nothing =
        |event: &Event| matches!(event, Event::Granted(grant) if grant.id == story.grant.id);
    let ended =
        |event: &Event| matches!(event, Event::Revoked { grant } if *grant == story.grant.id);
    assert!(story.has(nothing).await && story.has(ended).await);
    let synced = try_say(patient, &["sync"]).await.unwrap().text;
    assert!(!synced.contains("ALARM"), "{synced}");
    let list = try_say(patient, &["grant", "list"]).await.unwrap().text;
    let line = list
        .lines()
        .find(|line| line.starts_with(&id[..12]))
        .unwrap();
    assert!(
        line.contains("on the lost chain; not on this one"),
        "{line}"
    );
    let acts = say(patient, &["account", "acts"]).await;
    assert!(!acts.to_string().contains(&id), "{acts}");
}

#[tokio::test]
async fn a_permission_to_write_that_comes_back_ends_at_once_too() {
    let story = set_back(753).await;
    story.send_again(Call::GrantWrite(story.write)).await;
    let synced = try_say(&story.patient, &["sync"]).await.unwrap().text;
    assert!(
        synced.contains(&format!("ALARM: consent {}", story.writes())),
        "{synced}"
    );
    let ended = |event: &Event| matches!(event, Event::WriteRevoked { .. });
    assert!(story.has(ended).await);
}

/// What may be sent to the chain that was gone on with is what was signed with the next number of its signer, and not longer than it
/// lives: whatever else the same address does first, a fresh permission, too, ends it.
#[tokio::test]
async fn what_was_signed_to_let_somebody_write_ends_by_its_deadline_or_the_owners_next_act() {
    const LIFE: u64 = 80 * 60;
    let mut stand = Vec::new();
    for (seed, passes, gives) in [
        (755, LIFE - 60, false),
        (756, LIFE + 1, false),
        (757, 0, true),
    ] {
        let story = set_back_by(seed, true).await;
        let ports = story.world.ports();
        let address = story.key.address();
        let deadline = ports.clock.now().plus(LIFE);
        let write = Call::GrantWrite(story.write);
        let unsigned = ports.submit.prepare(address, &write, deadline).await;
        let unsigned = unsigned.unwrap();
        let signature = story.key.sign_digest(&unsigned.digest);
        let signed = unsigned.sign(signature);
        if gives {
            let give = ["grant", "create", "--to", "clinic", "--write"];
            say(&story.patient, &give).await;
        }
        story.world.pass(passes);
        let sent = ports.relay.relay(&signed).await;
        let is_it =
            |event: &Event| matches!(event, Event::WriteGranted(write) if *write == story.write);
        let stands = story.has(is_it).await;
        assert_eq!(sent.is_ok(), stands, "{sent:?}");
        let synced = try_say(&story.patient, &["sync"]).await.unwrap().text;
        let alarm = format!(
            "ALARM: consent {} of Clinic stood on the chain that was left, and somebody sent it to this one: it is taken back",
            story.writes()
        );
        assert_eq!(synced.contains(&alarm), stands, "{synced}");
        stand.push(stands);
    }
    assert_eq!(stand, [true, false, false]);
}

/// A read that both chains have was told by the sync that took it, and again by the one after `chain accept`.
#[tokio::test]
async fn a_read_that_was_told_is_not_told_again_by_the_chain_that_is_followed_then() {
    let world = World::new(760);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &give).await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    let older = world.ledger.copy();
    // The patient reads the chain at a block that the copy does not have.
    let other = two::party(&world, 9, Role::Provider);
    say(&other, &["account", "register"]).await;
    let synced = say(&two.patient, &["sync"]).await;
    assert_eq!(synced["reads"].as_array().unwrap().len(), 1, "{synced}");
    world.ledger.replace_by(&older);
    let head = world.ledger.head().await.unwrap();
    let (number, hash) = (head.number, head.hash);
    for keeper in 1..=4 {
        world.has_read(Some(keeper), Mark { number, hash });
    }
    say(&two.patient, &["chain", "accept"]).await;
    let synced = say(&two.patient, &["sync"]).await;
    assert_eq!(synced["reads"], serde_json::json!([]), "{synced}");
    // One that is new on it is.
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    let audit = say(&two.patient, &["audit"]).await;
    let reads = audit["reads"].as_array().unwrap().len();
    let synced = say(&two.patient, &["sync"]).await;
    let told = synced["reads"].as_array().unwrap().len();
    assert_eq!(told, reads - 1, "{synced}");
}
