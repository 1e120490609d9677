//! Proof files that a thief makes: a key that was handed away, or an account that the authority suspended, puts no read on anybody.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_consent::{AnchorFields, Binding, Grant, Purpose, Scope, Terms};
use medibloc_evil::owner::{Owner, call};
use medibloc_journey::memory::World;
use medibloc_journey::{
    Party, Ports, ProofFile, ProofReport, ProvedChain, ProvedGrant, ProvedPurpose, ProvedReader,
    ProvedReceipt, verify_proof,
};
use medibloc_keys::{Language, Phrase, SeededEntropy, SigningKey};
use medibloc_ledger::{Call, Event, Events as _, Facts as _};
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, Role, keccak256};

const WEEK: u64 = 7 * 86_400;
const MONTH: u64 = 30 * 86_400;

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(&[byte; 32]).unwrap()
}

fn hex(bytes: [u8; 32]) -> String {
    Digest::new(bytes).to_string()
}

/// A clinic that a patient knows: its credential is public to whoever was paired with it.
struct Story {
    world: Arc<World>,
    ports: Ports,
    clinic: Party,
    account: AccountId,
    credential: String,
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let clinic = Party::new(phrase(3).seed(), Role::Provider, world.ports());
    clinic.register_account().await.unwrap();
    let account = clinic.account().id();
    let credential = world.accredit(account, "Bit Clinic");
    Story {
        ports: world.ports(),
        world,
        clinic,
        account,
        credential,
    }
}

impl Story {
    /// A file of a read that a forger opens now under an address of its own, bound to the clinic with a key of it.
    async fn forged(&self, stolen: &SigningKey, round: u8) -> ProofFile {
        let account = self.account;
        // The forger owns a record and the reader's address.
        let owner = Owner::register(&self.ports, key(0x70 + round), 71)
            .await
            .unwrap();
        let reader = Owner::register(&self.ports, key(0x80 + round), 72)
            .await
            .unwrap();
        let digest = |byte| Digest::new([byte; 32]);
        let anchor = AnchorFields {
            nonce: Nonce::new([1; 32]),
            author: owner.id(),
            owner: owner.id(),
            package: digest(1),
            key_set: digest(2),
            capsule: digest(3),
            attestation: digest(4),
            kind: Kind::Own,
            class: ClassId::UNDISCLOSED,
            amends: None,
        };
        call(&self.ports, &owner.key, &Call::Anchor(anchor))
            .await
            .unwrap();
        call(&self.ports, &owner.key, &Call::Accept(anchor))
            .await
            .unwrap();
        let unsigned = Binding::unsigned([5; 32], account, reader.id());
        let signature = stolen.sign_digest(&unsigned.digest(&self.ports.domain));
        let binding = unsigned.sign(signature);
        let reason = "sold to an insurer";
        let reason_salt = [6; 32];
        let salt = {
            let mut bytes = keccak256(b"MediBloc reason of a consent, version 1\n").to_vec();
            bytes.extend_from_slice(&reason_salt);
            bytes.extend_from_slice(reason.as_bytes());
            keccak256(&bytes)
        };
        let now = self.world.ledger.head().await.unwrap().time;
        let tag = Purpose::Treatment.tag(salt);
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: tag,
            from: now,
            until: now.plus(WEEK),
            reads: None,
            binding: binding.tag(),
            digest: digest(9),
        };
        let grant = Grant::new(owner.id(), reader.id(), Nonce::new([7; 32]), terms);
        let gives = Call::Grant {
            grant: grant.clone(),
            anchor: None,
        };
        call(&self.ports, &owner.key, &gives).await.unwrap();
        let nonce = Nonce::new([8; 32]);
        let opens = Call::OpenRead {
            record: anchor.record_id(),
            purpose_tag: tag,
            nonce,
            anchor,
            grant: grant.clone(),
            proof: None,
        };
        call(&self.ports, &reader.key, &opens).await.unwrap();
        let blocks = self.world.ledger.events(0, 1_000).await.unwrap();
        let is_read = |event: &Event| matches!(event, Event::ReadOpened { .. });
        let block = blocks
            .iter()
            .rfind(|block| block.events.iter().any(is_read))
            .unwrap();
        let receipt = block.events.iter().find_map(|event| match event {
            Event::ReadOpened { receipt, .. } => Some(*receipt),
            _ => None,
        });
        let receipt = receipt.unwrap();
        ProofFile {
            version: 3,
            kind: "medibloc-read-proof".into(),
            chain: ProvedChain {
                id: self.ports.domain.chain_id,
                records: self.ports.domain.records.to_string(),
            },
            receipt: ProvedReceipt {
                id: receipt.to_string(),
                record: anchor.record_id().to_string(),
                owner: owner.id().to_string(),
                reader: reader.id().to_string(),
                grant: grant.id.to_string(),
                nonce: hex([8; 32]),
                block: block.number,
                block_hash: hex(block.hash),
                time: block.time.0,
            },
            grant: ProvedGrant {
                nonce: hex([7; 32]),
                scope: "all".into(),
                purpose_tag: hex(tag.0),
                from: now.0,
                until: now.plus(WEEK).0,
                reads: None,
                binding: hex(binding.tag().0),
                digest: digest(9).to_string(),
            },
            purpose: ProvedPurpose {
                code: Purpose::Treatment.code().into(),
                purpose: Purpose::Treatment,
                salt: hex(salt),
                reason: reason.into(),
                reason_salt: Some(hex(reason_salt)),
            },
            reader: ProvedReader {
                name: "Bit Clinic".into(),
                account: Some(account.to_string()),
                salt: Some(hex([5; 32])),
                signature: Some(URL_SAFE_NO_PAD.encode(binding.signature.as_bytes())),
                credential: Some(self.credential.clone()),
                rotations: Vec::new(),
            },
            ledger: None,
        }
    }

    /// What a judge who can ask the chain finds, with the lines that do not hold.
    async fn judged(&self, file: &ProofFile) -> (ProofReport, Vec<String>) {
        let judge = Party::new(phrase(9).seed(), Role::Person, self.world.ports());
        let file = ProofFile::parse(&file.to_json()).unwrap();
        let report = judge.confirm_proof(&file).await.unwrap();
        let against = report.checks.lines.iter().filter(|line| !line.holds);
        let against = against.map(|line| line.what.clone()).collect();
        (report, against)
    }
}

/// Without the chain nothing of it is told as checked.
fn is_open(file: &ProofFile, story: &Story, what: &str) -> bool {
    let report = verify_proof(file, &story.ports.authority);
    let mut lines = report.checks.lines.iter();
    lines.any(|line| line.what == what && line.holds && !line.checked)
}

#[tokio::test]
async fn a_key_that_was_handed_away_puts_no_later_read_on_its_account() {
    let story = story(931).await;
    let stolen = phrase(3).seed().account_key();
    // As long as it is the account's key, whoever has it is the account for everybody.
    let before = story.forged(&stolen, 1).await;
    let (report, against) = story.judged(&before).await;
    assert!(report.is_complete() && against.is_empty(), "{report:#?}");
    story
        .clinic
        .rotate_signing_key(story.account)
        .await
        .unwrap();
    story.world.pass(MONTH);
    let file = story.forged(&stolen, 2).await;
    let (report, against) = story.judged(&file).await;
    println!(
        "ATTACK proof-key: whole {}, against it {against:?}",
        report.is_complete()
    );
    assert_eq!(against, ["reader's key"], "{report:#?}");
    assert!(!report.chain_agrees && !report.is_complete());
    assert!(is_open(&file, &story, "reader's key"));
    // What it signed for a consent of before the hand-over stands.
    let (report, against) = story.judged(&before).await;
    assert!(report.is_complete() && against.is_empty(), "{report:#?}");
}

#[tokio::test]
async fn a_stolen_key_puts_no_read_on_an_account_that_was_suspended_before_the_consent() {
    let story = story(932).await;
    let stolen = phrase(3).seed().account_key();
    story.world.ledger.suspend(story.account);
    story.world.pass(MONTH);
    let file = story.forged(&stolen, 1).await;
    let (report, against) = story.judged(&file).await;
    println!(
        "ATTACK proof-standing: whole {}, against it {against:?}",
        report.is_complete()
    );
    assert_eq!(against, ["reader's standing"], "{report:#?}");
    assert!(!report.chain_agrees && is_open(&file, &story, "reader's standing"));
}
