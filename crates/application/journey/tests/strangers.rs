//! Who may speak to an agent: what is not of a pairing is neither opened, kept nor called, and stops nothing.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use medibloc_consent::{BindingTag, Purpose, Reason};
use medibloc_evil::owner::{Owner, call};
use medibloc_evil::sender::flood;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    AddressUse, Change, Invitation, JourneyError, Keepers, Mailbox, Network, Party, Ports,
    VaultPort, medical_only,
};
use medibloc_keys::{Entropy as _, Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, LedgerError, Refusal};
use medibloc_record::{AccountId, Address, Draft, GrantId, LossReport, RecordId, Role, Timestamp};
use medibloc_store::{OwnStore as _, Store};

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    Draft::new(
        "text/xml",
        text.as_bytes().to_vec(),
        bundle,
        LossReport::default(),
    )
}

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn party(world: &Arc<World>, seed: u64, role: Role) -> Party {
    Party::new(phrase(seed).seed(), role, world.ports())
}

/// Every URL that is called.
struct Overheard(Arc<dyn Network>, Arc<Mutex<BTreeSet<String>>>);

impl Network for Overheard {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.1.lock().unwrap().insert(url.to_owned());
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.0.own_node()
    }
}

/// A node that no deployment lists.
struct Unlisted(Arc<dyn Network>);

impl Network for Unlisted {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.0.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.0.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.0.keepers(actor)
    }
    fn own_node(&self) -> String {
        "http://10.0.0.1/".into()
    }
}

struct Story {
    world: Arc<World>,
    patient: Party,
    clinic: Party,
    vault: Arc<MemoryVault>,
    called: Arc<Mutex<BTreeSet<String>>>,
    owner: AccountId,
    until: Timestamp,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let patient = party(&world, 1, Role::Person);
    let (vault, called) = (Arc::new(MemoryVault::default()), Arc::default());
    let ports = world.ports_with(vault.clone());
    let network = Arc::new(Overheard(ports.network.clone(), Arc::clone(&called)));
    let ports = Ports { network, ..ports };
    let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let until = world.ports().clock.now().plus(7 * 86_400);
    Story {
        world,
        patient,
        clinic,
        vault,
        called,
        owner,
        until,
    }
}

impl Story {
    /// A record that the clinic may read.
    async fn granted(&self) -> (RecordId, GrantId) {
        let record = self.patient.write_own(draft("x")).await.unwrap().record;
        let purpose = Purpose::Treatment;
        let asked = self.clinic.ask(self.owner, purpose, "care", self.until);
        asked.await.unwrap();
        self.patient.sync().await.unwrap();
        let request = self.patient.requests().unwrap().remove(0);
        let approved = self.patient.approve(&request, record, self.until).await;
        self.clinic.sync().await.unwrap();
        (record, approved.unwrap())
    }
}

fn key(seed: u64) -> SigningKey {
    let mut bytes = [0; 32];
    SeededEntropy::new(seed).fill(&mut bytes);
    SigningKey::from_bytes(&bytes).unwrap()
}

#[tokio::test]
async fn a_grant_that_nobody_asked_for_is_neither_kept_nor_called() {
    let story = story(1).await;
    let ports = story.world.ports();
    let mut evil = Owner::register(&ports, key(66), 66).await.unwrap();
    let inner = "http://169.254.169.254/";
    let reader = story.clinic.addresses().unwrap().remove(0);
    let facts = ports.facts.account(reader.id()).await.unwrap().unwrap();
    let to = (reader.id(), &facts.sealing_key);
    let tables = || story.vault.list("held-grants").unwrap().len();
    let before = (tables(), story.clinic.patrons().unwrap());
    // As a stranger; as one that knows whom the clinic is paired with; and with a key of another pairing.
    let other = story.patient.invite().await.unwrap();
    let own = party(&story.world, 9, Role::Person);
    own.register_account().await.unwrap();
    let stolen = own.answer(&other, None).await.unwrap().pairing;
    let itself = evil.key.address();
    let attempts = [
        (itself, None),
        (story.owner.first_address(), None),
        (story.owner.first_address(), stolen.clone()),
        (itself, stolen),
    ];
    for (paired, pairing) in attempts {
        let none = BindingTag::default();
        evil.grant(&ports, to, (paired, inner), none, pairing)
            .await
            .unwrap();
    }
    let report = story.clinic.sync().await.unwrap();
    // The stranger ends what it gave: nothing is told to it.
    call(&ports, &evil.key, &Call::RevokeAll).await.unwrap();
    story.clinic.sync().await.unwrap();
    assert_eq!(
        (report.grants, before),
        (0, (tables(), story.clinic.patrons().unwrap()))
    );
    let called = story.called.lock().unwrap().clone();
    assert_eq!(called.into_iter().collect::<Vec<_>>(), ["memory:node"]);
    println!("ATTACK security-4: 0 of 4 grants taken, 0 calls to {inner}");
}

#[tokio::test]
async fn a_restored_reader_knows_its_pairings_by_their_grants_and_no_stranger_s() {
    let story = story(2).await;
    let (record, _) = story.granted().await;
    let ports = story.world.ports();
    let mut evil = Owner::register(&ports, key(66), 66).await.unwrap();
    let held = story.clinic.held().unwrap().remove(0);
    let facts = ports.facts.account(held.own).await.unwrap().unwrap();
    let to = (held.own, &facts.sealing_key);
    let paired = (evil.key.address(), "memory:node");
    let none = BindingTag::default();
    evil.grant(&ports, to, paired, none, None).await.unwrap();
    let (phrase_of, ports) = (phrase(2), story.world.ports());
    let restored = Party::restore(&phrase_of, Role::Provider, ports);
    let (clinic, _) = restored.await.unwrap();
    let patrons = clinic.patrons().unwrap();
    assert_eq!(patrons.len(), 1);
    assert_eq!(patrons[0].owner, story.owner);
    assert_eq!(clinic.held().unwrap().len(), 1);
    clinic.read(record).await.unwrap();
    // The pairing still speaks both ways.
    let asked = clinic.ask(story.owner, Purpose::Treatment, "again", story.until);
    asked.await.unwrap();
    story.patient.sync().await.unwrap();
    assert_eq!(story.patient.requests().unwrap().len(), 2);
}

#[tokio::test]
async fn letters_of_strangers_are_removed_unread_and_a_revocation_does_not_wait() {
    let story = story(3).await;
    let (record, grant) = story.granted().await;
    let own = story.patient.contacts().unwrap()[0].own.first_address();
    let network = story.world.ports().network;
    let mut entropy = SeededEntropy::new(5);
    let before = story.world.letters().len();
    let sent = flood(network.as_ref(), &key(77), own, 1_000, &mut entropy).await;
    assert_eq!((sent, story.world.letters().len()), (1_000, before + 1_000));
    let started = std::time::Instant::now();
    story.patient.revoke(grant).await.unwrap();
    let took = started.elapsed();
    let error = story.clinic.read(record).await.unwrap_err().to_string();
    assert!(error.contains("revoked"), "{error}");
    // A good letter among them is taken.
    let asked = story
        .clinic
        .ask(story.owner, Purpose::Treatment, "more", story.until);
    asked.await.unwrap();
    let report = story.patient.sync().await.unwrap();
    assert_eq!(
        (report.strangers, story.patient.requests().unwrap().len()),
        (1_000, 2)
    );
    assert!(took.as_secs() < 5, "{took:?}");
    println!(
        "ATTACK security-5: revoked in {} ms before any letter was looked at, 1,000 letters removed unread",
        took.as_millis()
    );
}

#[tokio::test]
async fn own_foreign_and_unlisted_invitations_are_refused_and_nothing_is_kept() {
    let story = story(4).await;
    let rows = || {
        let tables = [
            "contacts",
            "patrons",
            "addresses",
            "letters",
            "offered-readers",
            "reserved-addresses",
        ];
        tables.map(|table| story.vault.list(table).unwrap().len())
    };
    let own = story.clinic.invite().await.unwrap();
    let before = rows();
    let refused = async |invitation: &Invitation, with: &Party, why: &str| {
        let error = with.answer(invitation, None).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused(&own, &story.clinic, "an own one").await;
    // Another device of the same phrase.
    let other = party(&story.world, 2, Role::Provider);
    refused(&own, &other, "an own one").await;
    let invitation = story.patient.invite().await.unwrap();
    for (what, why) in [(0, "for chain"), (1, "for the deployment with Records")] {
        let mut ports = story.world.ports();
        match what {
            0 => ports.domain.chain_id = 1,
            _ => ports.domain.records = Address::new([9; 20]),
        }
        let elsewhere = Party::new(phrase(5).seed(), Role::Person, ports);
        refused(&invitation, &elsewhere, why).await;
        assert!(elsewhere.addresses().unwrap().is_empty());
    }
    let ports = story.world.ports();
    let network = Arc::new(Unlisted(ports.network.clone()));
    let evil = Party::new(phrase(6).seed(), Role::Person, Ports { network, ..ports });
    let invitation = evil.invite().await.unwrap();
    refused(
        &invitation,
        &story.clinic,
        "http://10.0.0.1/ is not one of this deployment's",
    )
    .await;
    assert_eq!(rows(), before);
    // Every list still works.
    story.clinic.contacts().unwrap();
    story.clinic.status().await.unwrap();
    println!("ATTACK newcomer-2: refused with the reason, 0 rows kept");
}

#[tokio::test]
async fn who_answers_a_used_invitation_is_told_and_keeps_no_pairing() {
    let story = story(5).await;
    let invitation = story.patient.invite().await.unwrap();
    let (first, second) = (
        party(&story.world, 7, Role::Provider),
        party(&story.world, 8, Role::Person),
    );
    for one in [&first, &second] {
        one.register_account().await.unwrap();
        let jwt = (one.role() == Role::Provider)
            .then(|| story.world.accredit(one.account().id(), "First Clinic"));
        one.answer(&invitation, jwt.as_deref()).await.unwrap();
        story.patient.sync().await.unwrap();
    }
    let report = second.sync().await.unwrap();
    assert!(
        report.declined[0].contains("used by somebody else"),
        "{report:?}"
    );
    assert!(second.patrons().unwrap().is_empty());
    // Tried again, it is refused at once, for the same reason.
    let told = second.answer(&invitation, None).await.unwrap_err();
    assert!(
        told.to_string()
            .contains("was used by somebody else before; ask for a new one"),
        "{told}"
    );
    assert!(second.patrons().unwrap().is_empty());
    // And by whom it was used, once that pairing bears something.
    let own = first.patrons().unwrap()[0].owner;
    story.patient.confirm(own).unwrap();
    let until = story.world.ports().clock.now().plus(86_400);
    let write = story.patient.grant_write(own, medical_only(), until);
    write.await.unwrap();
    first.sync().await.unwrap();
    let told = first.answer(&invitation, None).await.unwrap_err();
    assert!(
        told.to_string().contains("this home answered it before"),
        "{told}"
    );
    assert!(first.sync().await.unwrap().declined.is_empty());
    assert_eq!(first.patrons().unwrap().len(), 1);
    assert_eq!(story.patient.contacts().unwrap().len(), 2);
}

/// security-s2: whoever stole the first key of a contact speaks for it no more once it handed its account on.
#[tokio::test]
async fn a_key_that_was_rotated_away_speaks_for_nobody() {
    let story = story(6).await;
    story.granted().await;
    let account = story.clinic.account().id();
    let next = key(99);
    story
        .world
        .ledger
        .rotate_address(account, next.address())
        .unwrap();
    // The thief has phrase, vault and pairing key, all of before.
    let asked = story
        .clinic
        .ask(story.owner, Purpose::Treatment, "stolen", story.until);
    asked.await.unwrap();
    let report = story.patient.sync().await.unwrap();
    assert_eq!(story.patient.requests().unwrap().len(), 1, "{report:?}");
    let told = report
        .later
        .iter()
        .any(|why| why.contains("acts for no account"));
    assert!(told, "{report:?}");
    println!("ATTACK security-s2: 0 of 1 letters of the old key taken");
}

#[tokio::test]
async fn what_the_contracts_refused_never_runs_later() {
    let story = story(7).await;
    let error = story
        .clinic
        .write_for(story.owner, draft("x"))
        .await
        .unwrap_err();
    let refused = LedgerError::Refused(Refusal::Consent(Reason::NoWriteGrant));
    assert!(
        matches!(&error, JourneyError::Ledger(why) if *why == refused),
        "{error}"
    );
    let granted = story
        .patient
        .grant_write(story.owner, medical_only(), story.until);
    granted.await.unwrap();
    for _ in 0..2 {
        story.clinic.sync().await.unwrap();
        assert!(story.patient.sync().await.unwrap().accepted.is_empty());
    }
    assert!(story.clinic.status().await.unwrap().jobs.is_empty());
    println!("ATTACK newcomer-5: 0 of 1 refused writes ran later");
    // Asked for again it is written.
    story
        .clinic
        .write_for(story.owner, draft("x"))
        .await
        .unwrap();
    assert_eq!(story.patient.sync().await.unwrap().accepted.len(), 1);
}

/// security-s3: a node that withholds one consent silences nothing.
#[tokio::test]
async fn a_read_on_a_consent_that_a_restore_lacks_is_an_alarm_until_it_comes() {
    let story = story(8).await;
    let (record, _) = story.granted().await;
    story.clinic.read(record).await.unwrap();
    let digest = story.patient.grants().unwrap()[0]
        .1
        .artefact
        .grant
        .clone()
        .unwrap()
        .terms
        .digest;
    let cid = medibloc_dag::Cid::from_dag_cbor_digest(digest.to_bytes());
    let kept = story.world.store.get(&cid).await.unwrap().unwrap();
    story.world.store.remove(&[cid]).await.unwrap();
    let (phrase_of, ports) = (phrase(1), story.world.ports());
    let restored = Party::restore(&phrase_of, Role::Person, ports);
    let (patient, report) = restored.await.unwrap();
    assert!(
        report.sync.alarms[0].contains("unknown grant"),
        "{report:?}"
    );
    assert_eq!(patient.alarms().unwrap().len(), 1);
    let block = medibloc_dag::Block::new(cid, kept).unwrap();
    story.world.store.put(vec![block]).await.unwrap();
    patient.sync().await.unwrap();
    assert!(patient.alarms().unwrap().is_empty());
    println!("ATTACK security-s3: 1 of 1 reads on the withheld consent alarmed");
}

/// Rows of part 1 have no key of their own pairing: their letters say what to do.
#[tokio::test]
async fn a_pairing_of_an_older_version_says_that_it_has_no_key() {
    let story = story(9).await;
    let (row, value) = story.vault.list("patrons").unwrap().remove(0);
    let mut patron: medibloc_journey::Patron = medibloc_dag::cbor::from_slice(&value).unwrap();
    patron.pairing = None;
    let value = medibloc_dag::cbor::to_vec(&patron);
    let table = "patrons";
    let put = Change::Put {
        table,
        key: row,
        value,
    };
    story.vault.apply(vec![put]).unwrap();
    let asked = story
        .clinic
        .ask(story.owner, Purpose::Treatment, "care", story.until);
    let error = asked.await.unwrap_err().to_string();
    assert!(error.contains("new invitation"), "{error}");
    assert!(
        story
            .clinic
            .addresses()
            .unwrap()
            .iter()
            .all(|own| own.purpose != AddressUse::Own)
    );
}
