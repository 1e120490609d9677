//! A home whose `deployment.json` is older than what comes to it: letters and grants wait, within bounds, say what to do, and
//! are taken when the file has what they need.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

use std::sync::{Arc, Mutex};

use medibloc_consent::Purpose;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{
    Authorities, Credential, EarlierAuthority, Invitation, Keepers, Mailbox, Network, Party, Ports,
    SyncReport,
};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_record::{AccountId, Digest, Draft, LossReport, Role, Timestamp};
use medibloc_store::Store;

const DAY: u64 = 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

/// A network of one node more than the deployment files of before have.
#[derive(Clone)]
struct Listing {
    inner: Arc<dyn Network>,
    own: &'static str,
    listed: Arc<Mutex<Vec<&'static str>>>,
}

const FIRST: &str = "memory:node";
const SECOND: &str = "memory:second";

impl Network for Listing {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.inner.store(actor)
    }
    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.inner.mailbox(actor, url)
    }
    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        self.inner.keepers(actor)
    }
    fn own_node(&self) -> String {
        self.own.into()
    }
    fn is_listed(&self, url: &str) -> bool {
        self.listed.lock().unwrap().contains(&url)
    }
}

struct Story {
    world: Arc<World>,
    vault: Arc<MemoryVault>,
    /// The authority after the hand-over.
    next: SigningKey,
    listed: Arc<Mutex<Vec<&'static str>>>,
}

impl Story {
    fn new(seed: u64) -> Self {
        Self {
            world: World::new(seed),
            vault: Arc::default(),
            next: SigningKey::from_bytes(&[0xb2; 32]).unwrap(),
            listed: Arc::new(Mutex::new(vec![FIRST])),
        }
    }

    fn ports(&self, ports: Ports, own: &'static str) -> Ports {
        let network = Listing {
            inner: ports.network.clone(),
            own,
            listed: self.listed.clone(),
        };
        Ports {
            network: Arc::new(network),
            ..ports
        }
    }

    /// The patient's home with the deployment file of before, or of today.
    fn patient(&self, authority: &Authorities) -> Party {
        let ports = self.ports(self.world.ports_with(self.vault.clone()), FIRST);
        let authority = authority.clone();
        Party::new(phrase(1).seed(), Role::Person, Ports { authority, ..ports })
    }

    fn before(&self) -> Authorities {
        self.world.ports().authority
    }

    fn after(&self) -> Authorities {
        Authorities {
            now: self.next.address(),
            earlier: vec![EarlierAuthority {
                address: self.before().now,
                until: self.now(),
            }],
        }
    }

    fn now(&self) -> Timestamp {
        self.world.ports().clock.now()
    }

    /// Somebody with the deployment file of today, at some node.
    async fn party(&self, seed: u64, role: Role, own: &'static str) -> Party {
        let ports = self.world.ports();
        let all = Listing {
            inner: ports.network.clone(),
            own,
            listed: Arc::new(Mutex::new(vec![FIRST, SECOND])),
        };
        let (network, authority) = (Arc::new(all), self.after());
        let ports = Ports {
            network,
            authority,
            ..ports
        };
        let party = Party::new(phrase(seed).seed(), role, ports);
        party.register_account().await.unwrap();
        party
    }

    /// What an authority signs; the chain names it if it has the role.
    fn credential(&self, of: &Party, key: &SigningKey, is_named: bool) -> String {
        let from = self.now();
        let credential = Credential {
            account: of.account().id(),
            name: "Bit Clinic".into(),
            profession: "hospital".into(),
            jurisdiction: "KR".into(),
            from,
            until: from.plus(365 * DAY),
        };
        let jwt = credential.issue(key);
        if is_named {
            let digest = Digest::of(jwt.as_bytes());
            self.world
                .ledger
                .accredit(credential.account, from, credential.until, digest);
        }
        jwt
    }
}

fn says_what_to_do(report: &SyncReport, why: &str) {
    assert_eq!(report.waiting.len(), 1, "{report:?}");
    let told = &report.waiting[0];
    for part in [why, "newest deployment.json", "medibloc sync"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[tokio::test]
async fn a_pairing_under_an_authority_that_the_file_does_not_have_waits_for_the_file() {
    let story = Story::new(301);
    let patient = story.patient(&story.before());
    let clinic = story.party(2, Role::Provider, FIRST).await;
    let jwt = story.credential(&clinic, &story.next, true);
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    for _ in 0..3 {
        says_what_to_do(&patient.sync().await.unwrap(), "contact card");
        assert_eq!(story.world.letters().len(), 0, "it left the mailbox");
        assert!(patient.contacts().unwrap().is_empty());
    }
    let jobs = patient.job_views().unwrap();
    let told = jobs.iter().filter_map(|job| job.reason.as_ref());
    let told = told.filter(|reason| reason.contains("deployment.json"));
    assert_eq!(told.count(), 1, "{jobs:?}");
    // What comes after the card waits for it in the mailbox.
    let until = story.now().plus(7 * DAY);
    let ask = clinic.ask(owner, Purpose::Treatment, "care", until);
    ask.await.unwrap();
    patient.sync().await.unwrap();

    let patient = story.patient(&story.after());
    let report = patient.sync().await.unwrap();
    assert!(report.waiting.is_empty(), "{report:?}");
    assert_eq!(patient.confirm(owner).unwrap().name, "Bit Clinic");
    assert_eq!(patient.requests().unwrap().len(), 1);
    assert!(patient.waiting_letters().unwrap().is_empty());
}

/// A contact whose authority has handed its role on, and that the next one accredited again.
async fn accredited_again(
    story: &Story,
    patient: &Party,
    invitation: &Invitation,
) -> (Party, AccountId) {
    let clinic = Party::new(phrase(2).seed(), Role::Provider, story.world.ports());
    clinic.register_account().await.unwrap();
    let jwt = story.world.accredit(clinic.account().id(), "Bit Clinic");
    let owner = clinic.answer(invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    story.world.pass(1);
    let ports = Ports {
        authority: story.after(),
        ..clinic.ports().clone()
    };
    let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
    let jwt = story.credential(&clinic, &story.next, true);
    clinic.keep_credential(&jwt).await.unwrap();
    (clinic, owner)
}

#[tokio::test]
async fn a_request_under_the_next_authority_waits_too_the_newest_of_each_contact() {
    let story = Story::new(302);
    let patient = story.patient(&story.before());
    let invitation = patient.invite().await.unwrap();
    let (clinic, owner) = accredited_again(&story, &patient, &invitation).await;
    for day in 1..=6 {
        let until = story.now().plus(day * DAY);
        let reason = format!("reason {day}");
        let ask = clinic.ask(owner, Purpose::Treatment, &reason, until);
        ask.await.unwrap();
        patient.sync().await.unwrap();
        story.world.pass(1);
    }
    let waiting = patient.waiting_letters().unwrap();
    assert_eq!(waiting.len(), 4, "{waiting:?}");
    assert!(waiting[0].contains("a letter of Bit Clinic"), "{waiting:?}");
    assert!(patient.requests().unwrap().is_empty());
    let patient = story.patient(&story.after());
    let report = patient.sync().await.unwrap();
    assert!(
        report.waiting.is_empty() && report.later.is_empty(),
        "{report:?}"
    );
    let mut reasons: Vec<String> = patient
        .requests()
        .unwrap()
        .into_iter()
        .map(|it| it.request.reason)
        .collect();
    reasons.sort();
    assert_eq!(reasons, [3, 4, 5, 6].map(|day| format!("reason {day}")));
}

/// Nobody but the authority of the chain has a digest named there: what others sign waits for nothing.
#[tokio::test]
async fn a_credential_that_the_chain_does_not_name_is_refused_and_does_not_wait() {
    let story = Story::new(303);
    let patient = story.patient(&story.before());
    let invitation = patient.invite().await.unwrap();
    let evil = story.party(6, Role::Provider, FIRST).await;
    let jwt = story.credential(&evil, &SigningKey::from_bytes(&[0xb3; 32]).unwrap(), false);
    evil.answer(&invitation, Some(&jwt)).await.unwrap();
    let report = patient.sync().await.unwrap();
    assert!(report.waiting.is_empty(), "{report:?}");
    assert!(
        report.later[0].contains("not signed by this deployment's authority"),
        "{report:?}"
    );
    assert!(patient.contacts().unwrap().is_empty());
    assert!(patient.waiting_letters().unwrap().is_empty());
}

/// Whoever knows an invitation takes no more room than its address has, and the room of nobody else.
#[tokio::test]
async fn cards_over_a_node_that_the_file_does_not_have_wait_within_bounds_and_are_taken_then() {
    let story = Story::new(304);
    let patient = story.patient(&story.before());
    let leaked: Invitation = patient.invite().await.unwrap();
    let mut told = 0;
    for seed in 0..20 {
        let evil = story.party(100 + seed, Role::Person, SECOND).await;
        evil.answer(&leaked, None).await.unwrap();
        told += patient.sync().await.unwrap().told.len();
    }
    assert_eq!(patient.waiting_letters().unwrap().len(), 16);
    assert_eq!(told, 4, "what was not kept is told");
    assert_eq!(story.world.letters().len(), 0);

    let invitation = patient.invite().await.unwrap();
    let friend = story.party(3, Role::Person, SECOND).await;
    let owner = friend.answer(&invitation, None).await.unwrap().owner;
    let report = patient.sync().await.unwrap();
    assert_eq!(report.waiting.len(), 17, "{report:?}");
    let of_friend = report
        .waiting
        .iter()
        .filter(|told| told.contains(&friend.account().id().to_string()));
    assert_eq!(of_friend.count(), 1);
    story.listed.lock().unwrap().push(SECOND);
    let report = patient.sync().await.unwrap();
    assert!(report.waiting.is_empty(), "{report:?}");
    assert!(patient.confirm(owner).is_ok());
    // Of those who answered one invitation one is the contact, as ever.
    assert_eq!(patient.contacts().unwrap().len(), 2);
}

/// Before: eight open invitations of one person, sixteen cards for each, and no letter of anybody else was kept.
#[tokio::test]
async fn who_holds_many_open_invitations_takes_the_room_of_nobody_else() {
    let story = Story::new(308);
    let patient = story.patient(&story.before());
    // A contact that was paired over a node that the file has.
    let clinic = story.party(3, Role::Person, FIRST).await;
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, None).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    let mut evil = Vec::new();
    for seed in 0..16 {
        evil.push(story.party(100 + seed, Role::Person, SECOND).await);
    }
    let mut leaked = Vec::new();
    for _ in 0..8 {
        let invitation = patient.invite().await.unwrap();
        for party in &evil {
            party.answer(&invitation, None).await.unwrap();
        }
        leaked.push(invitation);
    }
    let report = patient.sync().await.unwrap();
    assert_eq!((report.waiting.len(), report.told.len()), (128, 0));
    // The card of a friend, for an invitation of its own, waits; one of the many gives way, and another one gives way to nobody.
    let friend = story.party(4, Role::Person, SECOND).await;
    let invitation = patient.invite().await.unwrap();
    let friends = friend.answer(&invitation, None).await.unwrap().owner;
    let report = patient.sync().await.unwrap();
    let waits = |party: &Party, told: &[String]| {
        let id = party.account().id().to_string();
        told.iter().filter(|told| told.contains(&id)).count()
    };
    assert_eq!(waits(&friend, &report.waiting), 1, "{:?}", report.told);
    assert_eq!((waits(&friend, &report.told), report.told.len()), (0, 1));
    let late = story.party(99, Role::Person, SECOND).await;
    late.answer(&leaked[0], None).await.unwrap();
    let report = patient.sync().await.unwrap();
    println!(
        "ATTACK eighth-4: {} of 1 card of another kept beside 128 for eight open invitations",
        waits(&friend, &report.waiting)
    );
    assert_eq!(
        (
            waits(&late, &report.waiting),
            waits(&friend, &report.waiting)
        ),
        (0, 1)
    );
    assert_eq!(patient.waiting_letters().unwrap().len(), 128);
    // It is taken when the file has its node.
    story.listed.lock().unwrap().push(SECOND);
    patient.sync().await.unwrap();
    assert!(patient.confirm(friends).is_ok());
}

/// Before: whoever was quicker with an invitation had its room, and what its contact wrote later was not kept.
#[tokio::test]
async fn a_letter_of_a_contact_comes_before_cards_for_its_invitation() {
    let story = Story::new(309);
    let patient = story.patient(&story.before());
    let invitation = patient.invite().await.unwrap();
    for seed in 0..16 {
        let evil = story.party(100 + seed, Role::Person, SECOND).await;
        evil.answer(&invitation, None).await.unwrap();
    }
    assert_eq!(patient.sync().await.unwrap().waiting.len(), 16);
    let (clinic, owner) = accredited_again(&story, &patient, &invitation).await;
    let until = story.now().plus(DAY);
    let ask = clinic.ask(owner, Purpose::Treatment, "care", until);
    ask.await.unwrap();
    let report = patient.sync().await.unwrap();
    let of_clinic = |told: &&String| told.contains("a letter of Bit Clinic");
    assert_eq!(report.waiting.iter().filter(of_clinic).count(), 1);
    assert_eq!((report.waiting.len(), report.told.len()), (17, 1));
    assert_eq!(patient.waiting_letters().unwrap().len(), 16);
}

#[tokio::test]
async fn what_waits_for_thirty_days_is_dropped_and_told() {
    let story = Story::new(305);
    let patient = story.patient(&story.before());
    let friend = story.party(3, Role::Person, SECOND).await;
    friend
        .answer(&patient.invite().await.unwrap(), None)
        .await
        .unwrap();
    says_what_to_do(&patient.sync().await.unwrap(), SECOND);
    story.world.pass(30 * DAY - 1);
    says_what_to_do(&patient.sync().await.unwrap(), SECOND);
    story.world.pass(1);
    let report = patient.sync().await.unwrap();
    assert!(report.waiting.is_empty(), "{report:?}");
    assert!(report.told[0].contains("waited 30 days"), "{report:?}");
    assert!(patient.waiting_letters().unwrap().is_empty());
}

/// A reader whose file does not have the owner's node keeps the consent for when it has.
#[tokio::test]
async fn a_grant_over_a_node_that_the_file_does_not_have_is_taken_then() {
    let story = Story::new(306);
    let owner = story.party(1, Role::Person, FIRST).await;
    let ports = self_ports(&story);
    let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
    clinic.register_account().await.unwrap();
    let jwt = story.world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = owner.invite().await.unwrap();
    let id: AccountId = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    // The owner goes to another node.
    let ports = Ports {
        network: Arc::new(Listing {
            inner: owner.ports().network.clone(),
            own: SECOND,
            listed: Arc::new(Mutex::new(vec![FIRST, SECOND])),
        }),
        authority: story.before(),
        ..owner.ports().clone()
    };
    let owner = Party::new(phrase(1).seed(), Role::Person, ports);
    owner.sync().await.unwrap();
    owner.confirm(id).unwrap();
    let bundle = serde_json::json!({"resourceType": "Bundle"});
    let draft = Draft::new("text/xml", b"x".to_vec(), bundle, LossReport::default());
    let record = owner.write_own(draft).await.unwrap().record;
    let until = story.now().plus(7 * DAY);
    let ask = clinic.ask(id, Purpose::Treatment, "care", until);
    ask.await.unwrap();
    owner.sync().await.unwrap();
    let request = owner.requests().unwrap().remove(0);
    owner.approve(&request, record, until).await.unwrap();
    for _ in 0..6 {
        let report = clinic.sync().await.unwrap();
        assert_eq!((report.grants, report.unpaired), (0, 0), "{report:?}");
    }
    let report = clinic.sync().await.unwrap();
    assert!(
        report.missed[0].contains("newest deployment.json"),
        "{report:?}"
    );
    story.listed.lock().unwrap().push(SECOND);
    assert_eq!(clinic.sync().await.unwrap().grants, 1);
    clinic.read(record).await.unwrap();
}

fn self_ports(story: &Story) -> Ports {
    story.ports(story.world.ports(), FIRST)
}

/// A card that came while its invitation was open, and waited for the file longer than the invitation is open.
#[tokio::test]
async fn a_card_that_came_in_time_is_taken_when_the_file_has_its_node() {
    let story = Story::new(390);
    let patient = story.patient(&story.before());
    let friend = story.party(3, Role::Person, SECOND).await;
    let owner = friend
        .answer(&patient.invite().await.unwrap(), None)
        .await
        .unwrap()
        .owner;
    says_what_to_do(&patient.sync().await.unwrap(), SECOND);
    story.world.pass(10 * DAY);
    let still = patient.sync().await.unwrap().waiting;
    story.listed.lock().unwrap().push(SECOND);
    let report = patient.sync().await.unwrap();
    assert_eq!(still.len(), 1, "{still:?}; then {:?}", report.later);
    assert!(
        patient.confirm(owner).is_ok(),
        "told to get a file, and the card is gone"
    );
}

/// What waited of a contact that lost everything meanwhile.
#[tokio::test]
async fn what_waited_of_a_contact_goes_when_the_contact_loses_everything() {
    let story = Story::new(391);
    let patient = story.patient(&story.before());
    let clinic = Party::new(phrase(2).seed(), Role::Provider, story.world.ports());
    clinic.register_account().await.unwrap();
    let jwt = story.world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    story.world.pass(1);
    let ports = Ports {
        authority: story.after(),
        ..clinic.ports().clone()
    };
    let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
    let jwt = story.credential(&clinic, &story.next, true);
    clinic.keep_credential(&jwt).await.unwrap();
    let ask = clinic.ask(owner, Purpose::Treatment, "old", story.now().plus(7 * DAY));
    ask.await.unwrap();
    patient.sync().await.unwrap();
    patient.revoke_contact(owner).await.unwrap();
    let left = patient.waiting_letters().unwrap().len();
    let patient = story.patient(&story.after());
    patient.sync().await.unwrap();
    assert_eq!(left, 0);
    assert_eq!(patient.requests().unwrap().len(), 0);
}
