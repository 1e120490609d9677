//! One keeper that says what it likes: it holds nobody up, makes no line of its own, and is named beside what it says.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{
    DeletionStatement, FeedFact, FeedLine, Reason, RefusalReason, ShareDeposit,
    SignedAcknowledgement, SignedLine, SignedReply, SignedRequest,
};
use medibloc_journey::memory::World;
use medibloc_journey::{Keepers, Mailbox, Network, Party, PortError};
use medibloc_keys::{Entropy as _, SeededEntropy, SigningKey};
use medibloc_record::{AccountId, RecordId, Role, Signature, Timestamp, TypedDomain};
use medibloc_store::Store;
use two::{Two, say, try_say, with_ports};

/// The keeper that lies.
const LIAR: u8 = 3;

type Says = Arc<dyn Fn(AccountId) -> Result<Vec<SignedLine>, PortError> + Send + Sync>;

struct Lying {
    network: Arc<dyn Network>,
    says: Says,
}

impl Network for Lying {
    fn store(&self, actor: &SigningKey) -> Arc<dyn Store> {
        self.network.store(actor)
    }

    fn mailbox(&self, actor: &SigningKey, url: &str) -> Arc<dyn Mailbox> {
        self.network.mailbox(actor, url)
    }

    fn keepers(&self, actor: &SigningKey) -> Arc<dyn Keepers> {
        Arc::new(LyingKeepers {
            keepers: self.network.keepers(actor),
            says: self.says.clone(),
            owner: AccountId::from_first_address(actor.address()),
        })
    }

    fn own_node(&self) -> String {
        self.network.own_node()
    }
}

struct LyingKeepers {
    keepers: Arc<dyn Keepers>,
    says: Says,
    owner: AccountId,
}

#[async_trait]
impl Keepers for LyingKeepers {
    async fn deposit(
        &self,
        index: u8,
        deposit: &ShareDeposit,
    ) -> Result<SignedAcknowledgement, PortError> {
        self.keepers.deposit(index, deposit).await
    }

    async fn acknowledgement(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<SignedAcknowledgement>, PortError> {
        self.keepers.acknowledgement(index, record).await
    }

    async fn release(&self, index: u8, request: &SignedRequest) -> Result<SignedReply, PortError> {
        self.keepers.release(index, request).await
    }

    async fn feed(&self, index: u8) -> Result<Vec<SignedLine>, PortError> {
        match index {
            LIAR => (self.says)(self.owner),
            _ => self.keepers.feed(index).await,
        }
    }

    async fn deletion(
        &self,
        index: u8,
        record: RecordId,
    ) -> Result<Option<DeletionStatement>, PortError> {
        self.keepers.deletion(index, record).await
    }
}

/// The liar's key, as the world makes it.
fn key_of_liar(seed: u64) -> SigningKey {
    let mut entropy = SeededEntropy::new(seed);
    let (mut wrap, mut key) = ([0; 32], [0; 32]);
    for _ in 0..LIAR {
        entropy.fill(&mut wrap);
        entropy.fill(&mut key);
    }
    SigningKey::from_bytes(&key).unwrap()
}

fn signed(line: FeedLine, key: &SigningKey, owner: AccountId, domain: &TypedDomain) -> SignedLine {
    let signature = key.sign_digest(&line.digest(key.address(), owner, domain));
    SignedLine { line, signature }
}

fn strangers(number: u64) -> FeedLine {
    let mut record = [0; 32];
    record[..8].copy_from_slice(&number.to_be_bytes());
    FeedLine {
        record: RecordId::new(record),
        fact: FeedFact::Strangers,
        count: 1,
        first: Timestamp(1_800_000_000),
        last: Timestamp(1_800_000_000),
    }
}

/// The patient, who has one record, in a home for which the liar says this.
fn patient(two: &Two, says: Says) -> Party {
    let mut ports = two.patient.ports().clone();
    ports.network = Arc::new(Lying {
        network: ports.network.clone(),
        says,
    });
    with_ports(ports, 1, Role::Person)
}

async fn with_record(world: &Arc<World>) -> (Two, RecordId) {
    let two = Two::new(world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let record = two.written(&[]).await;
    let give = [
        "grant", "create", "--to", "clinic", "--record", &record, "--yes",
    ];
    say(&two.patient, &give).await;
    say(&two.clinic, &["sync"]).await;
    let id = record.parse().unwrap();
    (two, id)
}

fn of_liar(party: &Party) -> usize {
    let feeds = party.feeds_kept().unwrap().into_iter();
    feeds
        .filter(|feed| feed.index == LIAR)
        .map(|feed| feed.lines.len())
        .sum()
}

/// Runs a step to its end, and says how often it let others have their turn.
async fn turns<T>(step: impl Future<Output = T>) -> (T, usize) {
    let (mut step, mut turns) = (pin!(step), 0);
    let done = poll_fn(|context| {
        turns += 1;
        step.as_mut().poll(context)
    });
    (done.await, turns)
}

#[tokio::test]
async fn a_keeper_that_tells_what_it_did_not_sign_is_asked_no_more() {
    let world = World::new(270);
    let (two, _) = with_record(&world).await;
    let (key, domain) = (key_of_liar(270), two.patient.ports().domain);
    let says = move |owner| {
        let good = signed(strangers(1), &key, owner, &domain);
        let nobodys = SignedLine {
            line: strangers(2),
            signature: Signature::new([7; 65]),
        };
        let later = signed(strangers(3), &key, owner, &domain);
        Ok(vec![good, nobodys, later])
    };
    let patient = patient(&two, Arc::new(says));
    let said = try_say(&patient, &["audit"]).await.unwrap().text;
    assert!(said.contains("it did not sign what it tells"), "{said}");
    // What stood before it was signed; nothing after it is looked at.
    assert_eq!(of_liar(&patient), 1);
    let said = try_say(&patient, &["audit"]).await.unwrap().text;
    assert!(said.contains("left alone"), "{said}");
    println!("ATTACK seventh-4: 0 lines looked at behind the first that was not signed");
}

#[tokio::test]
async fn a_feed_without_an_end_is_taken_in_pieces_and_gives_way() {
    const ALL: u64 = 2_300;
    let world = World::new(271);
    let (two, _) = with_record(&world).await;
    let (key, domain) = (key_of_liar(271), two.patient.ports().domain);
    let made: Arc<Mutex<Vec<SignedLine>>> = Arc::default();
    let says = move |owner| {
        let mut made = made.lock().unwrap();
        if made.is_empty() {
            made.extend((0..ALL).map(|number| signed(strangers(number), &key, owner, &domain)));
        }
        Ok(made.clone())
    };
    let patient = patient(&two, Arc::new(says));
    // Whoever takes something back waits for less than a hundred of them.
    let urgent = patient.urgency().wait();
    patient.sync().await.unwrap();
    assert!(of_liar(&patient) < 100, "{}", of_liar(&patient));
    drop(urgent);

    for upto in [1_000, 2_000, 2_300] {
        let (feeds, turns) = turns(patient.feeds()).await;
        feeds.unwrap();
        let kept = of_liar(&patient);
        assert!(kept <= upto + 100 && kept >= upto.min(2_300), "{kept}");
        assert!(turns > 10, "others had {turns} turns beside it");
    }
    println!(
        "ATTACK seventh-4: at most 1000 lines of one answer looked at, others have their turn every 64"
    );
}

#[tokio::test]
async fn what_a_keeper_says_of_refusals_is_said_once_and_by_its_name() {
    let world = World::new(272);
    let (two, record) = with_record(&world).await;
    let grants = two.patient.grants().unwrap();
    let reader = grants[0].1.artefact.grant.as_ref().unwrap().reader;
    let (key, domain) = (key_of_liar(272), two.patient.ports().domain);
    let count = Arc::new(Mutex::new(0));
    // The clinic asked no keeper for anything.
    let says = move |owner| {
        let mut count = count.lock().unwrap();
        *count += 1_000;
        let refused = |reason| {
            let line = FeedLine {
                record,
                fact: FeedFact::Refused { reader, reason },
                count: *count,
                first: Timestamp(1_800_000_000),
                last: Timestamp(1_800_000_000),
            };
            signed(line, &key, owner, &domain)
        };
        Ok(vec![
            refused(RefusalReason::ReaderNotInGoodStanding),
            refused(RefusalReason::Consent(Reason::WrongPurpose)),
        ])
    };
    let patient = patient(&two, Arc::new(says));
    for told in [2, 0, 0] {
        world.pass(301);
        let said = try_say(&patient, &["sync"]).await.unwrap().text;
        let lines = said
            .lines()
            .filter(|line| line.starts_with("refused by keepers"));
        let lines: Vec<_> = lines.collect();
        assert_eq!(lines.len(), told, "{said}");
        assert!(
            lines
                .iter()
                .all(|line| line.contains("Clinic, keeper 3 says: ")),
            "{said}"
        );
    }
    println!("ATTACK seventh-6: 2 forged refusals told once, by the name of their keeper");
}

/// Whatever a peer gives as the reason of its failure, it is words on a line.
#[tokio::test]
async fn the_words_of_a_peer_make_no_line_and_move_no_cursor() {
    const FORGED: &str = "ALARM: Hana Hospital read it after its consent had ended";
    let world = World::new(273);
    let (two, _) = with_record(&world).await;
    let says = |_| {
        Err(PortError::Unreachable {
            peer: format!("keeper {LIAR}"),
            why: format!("busy\r\n{FORGED}\u{1b}[2J\u{202e}\n{FORGED}"),
        })
    };
    let patient = patient(&two, Arc::new(says));
    for words in ["audit", "sync"] {
        world.pass(301);
        let said = try_say(&patient, &[words]).await.unwrap().text;
        assert!(said.contains(FORGED), "{said}");
        assert!(!said.lines().any(|line| line.starts_with(FORGED)), "{said}");
        assert!(!said.contains(['\u{1b}', '\u{202e}', '\r']), "{said:?}");
    }
    println!("ATTACK seventh-3: 0 lines and 0 moves of a cursor by the words of a keeper");
}
