//! Requests with valid keys that must not open a share any more: over real HTTP, from real grants and receipts.

use std::path::Path;
use std::sync::atomic::Ordering;

use medibloc_api::{Code, paths};
use medibloc_consent::{
    AnchorFields, Binding, BindingTag, Grant, KeeperReply, KeeperRequest, Purpose, Reason,
    RefusalReason, Scope, ShareDeposit, SignedReply, SignedRequest, Terms,
};
use medibloc_dag::cbor;
use medibloc_keys::{
    DealerSeed, Dealing, Entropy as _, OneTimeKey, SeededEntropy, SigningKey, hpke_seal, info,
};
use medibloc_ledger::Call;
use medibloc_record::{
    AccountId, ClassId, Committee, Digest, KeySet, Kind, Nonce, ReceiptId, Role, Threshold,
    Timestamp,
};

use crate::http::{DOMAIN, Draft, Ground, METRICS, NOW, code, serve};
use crate::watching::figure;

fn id(key: &SigningKey) -> AccountId {
    AccountId::from_first_address(key.address())
}

/// An accepted record whose share the keeper has, and who may read it.
struct Story {
    ground: Ground,
    url: String,
    owner: SigningKey,
    reader: SigningKey,
    anchor: AnchorFields,
    dice: SeededEntropy,
}

impl Story {
    async fn new() -> Self {
        let ground = Ground::new();
        let (owner, reader) = (ground.registered(1).await, ground.registered(2).await);
        let url = serve(|url| ground.keeper(url, ground.folder.path())).await;
        let mut dice = SeededEntropy::new(5);
        let digest = |n: u8| Digest::new([n; 32]);
        let mut anchor = AnchorFields {
            nonce: Nonce::new([1; 32]),
            author: id(&owner),
            owner: id(&owner),
            package: digest(1),
            key_set: digest(2),
            capsule: digest(3),
            attestation: digest(4),
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        };
        let (record, threshold) = (anchor.record_id(), Threshold::new(1, 1).unwrap());
        let dealing = Dealing::from_seed(&DealerSeed::new([6; 32]), record, threshold);
        let commitments = dealing.commitments().into_iter();
        let key_set = cbor::to_vec(&KeySet {
            version: 1,
            suite: 1,
            committee: Committee { id: 1, threshold },
            commitments: commitments.map(serde_bytes::ByteArray::new).collect(),
            owner_half: [0; 32],
        });
        anchor.key_set = Digest::of(&key_set);
        ground.call(&owner, &Call::Anchor(anchor)).await;
        ground.call(&owner, &Call::Accept(anchor)).await;
        let to = ground.keys.wrap_key();
        let info = info::share(&DOMAIN, record, id(&owner), id(&owner), 1, 1, to.version);
        let share = dealing.share(1).unwrap();
        let deposit = ShareDeposit {
            record,
            key_set,
            index: 1,
            wrapped: hpke_seal(&to, &info, share.expose(), &mut dice).unwrap(),
        };
        let deposit = Draft::post(paths::SHARES, cbor::to_vec(&deposit));
        deposit.by(&url, &owner).await.unwrap();
        Self {
            ground,
            url,
            owner,
            reader,
            anchor,
            dice,
        }
    }

    /// A grant until a time, and a receipt under it.
    async fn open(&self, nonce: u8, until: Timestamp, binding: BindingTag) -> (Grant, ReceiptId) {
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: NOW,
            until,
            reads: None,
            binding,
            digest: Digest::new([7; 32]),
        };
        let nonce = Nonce::new([nonce; 32]);
        let grant = Grant::new(id(&self.owner), id(&self.reader), nonce, terms);
        let call = Call::Grant {
            grant: grant.clone(),
            anchor: None,
        };
        self.ground.call(&self.owner, &call).await;
        let record = self.anchor.record_id();
        let call = Call::OpenRead {
            record,
            purpose_tag: grant.terms.purpose_tag,
            nonce,
            anchor: self.anchor,
            grant: grant.clone(),
            proof: None,
        };
        self.ground.call(&self.reader, &call).await;
        let receipt = ReceiptId::derive(record, id(&self.reader), grant.id, nonce);
        (grant, receipt)
    }

    async fn ask(
        &mut self,
        (grant, receipt): &(Grant, ReceiptId),
        binding: Option<Binding>,
        expiry: Timestamp,
    ) -> Result<(), RefusalReason> {
        let request = KeeperRequest {
            version: 1,
            keeper: self.ground.keys.signer(),
            record: self.anchor.record_id(),
            grant: grant.id,
            receipt: *receipt,
            one_time_key: OneTimeKey::generate(&mut self.dice).public(),
            binding,
            expiry,
        };
        let signature = self.reader.sign_digest(&request.digest(&DOMAIN));
        let signed = SignedRequest { request, signature };
        let draft = Draft::post(paths::RELEASE, cbor::to_vec(&signed));
        // Signed by the clock of the moment, which is not always NOW.
        let now = Timestamp(self.ground.now.load(Ordering::SeqCst));
        let mut nonce = [0; 32];
        self.dice.fill(&mut nonce);
        let (nonce, expiry) = (Nonce::new(nonce), now.plus(60));
        let header = draft.sign_with(&self.url, &self.reader, nonce, expiry);
        let answer = draft.send(&self.url, Some(&header)).await.unwrap();
        match cbor::from_slice::<SignedReply>(&answer).unwrap().reply {
            KeeperReply::Released(_) => Ok(()),
            KeeperReply::Refused(reason) => Err(reason),
        }
    }
}

#[tokio::test]
async fn nothing_is_released_after_the_grants_end_by_clock_or_chain_nor_promised_for_ever() {
    let mut story = Story::new().await;
    let opened = story.open(1, NOW.plus(50), BindingTag::default()).await;
    for expiry in [Timestamp(u64::MAX), Timestamp(u64::MAX - 1), NOW.plus(601)] {
        let answer = story.ask(&opened, None, expiry).await;
        assert_eq!(answer, Err(RefusalReason::ExpiryTooFar), "{expiry}");
    }
    assert_eq!(story.ask(&opened, None, NOW.plus(600)).await, Ok(()));
    // The chain stands still at NOW, the clock goes on.
    story.ground.now.store(NOW.0 + 50, Ordering::SeqCst);
    let answer = story.ask(&opened, None, NOW.plus(200)).await;
    let expired = Err(RefusalReason::Consent(Reason::Expired));
    assert_eq!(answer, expired, "by the clock");
    // The clock stands still, the chain goes on.
    story.ground.now.store(NOW.0, Ordering::SeqCst);
    story.ground.ledger.set_time(NOW.plus(50));
    let answer = story.ask(&opened, None, NOW.plus(200)).await;
    assert_eq!(answer, expired, "by the chain");
    println!("ATTACK security-17: 0 shares after the grant's end; an expiry of 2^64-1 is refused");
}

#[tokio::test]
async fn a_stolen_key_of_the_accredited_account_opens_no_binding_after_its_rotation() {
    let mut story = Story::new().await;
    let account = SigningKey::from_bytes(&[8; 32]).unwrap();
    let register = Call::Register {
        role: Role::Provider,
        sealing_key: [8; 32],
    };
    story.ground.call(&account, &register).await;
    let ledger = story.ground.ledger.clone();
    ledger.accredit(id(&account), NOW, NOW.plus(1_000), Digest::new([9; 32]));
    let signed = |by: &SigningKey| {
        let binding = Binding::unsigned([3; 32], id(&account), id(&story.reader));
        let signature = by.sign_digest(&binding.digest(&DOMAIN));
        binding.sign(signature)
    };
    let next = SigningKey::from_bytes(&[18; 32]).unwrap();
    let (old, new) = (signed(&account), signed(&next));
    let opened = story.open(1, NOW.plus(900), old.tag()).await;
    let expiry = NOW.plus(60);
    assert_eq!(story.ask(&opened, Some(old.clone()), expiry).await, Ok(()));
    let early = story.ask(&opened, Some(new.clone()), expiry).await;
    assert_eq!(early, Err(RefusalReason::WrongBinding), "not yet");
    ledger.rotate_address(id(&account), next.address()).unwrap();
    let stolen = story.ask(&opened, Some(old), expiry).await;
    assert_eq!(stolen, Err(RefusalReason::WrongBinding), "the stolen key");
    assert_eq!(story.ask(&opened, Some(new), expiry).await, Ok(()));
    println!("ATTACK security-s2: a binding by a rotated-away key opens 0 shares");
}

#[tokio::test]
async fn a_rotated_away_key_gives_and_reads_nothing_at_a_keeper() {
    let story = Story::new().await;
    let feed = Draft::get(paths::FEED);
    feed.by(&story.url, &story.owner).await.unwrap();
    let next = SigningKey::from_bytes(&[19; 32]).unwrap();
    let ledger = &story.ground.ledger;
    ledger
        .rotate_address(id(&story.owner), next.address())
        .unwrap();
    let share = Draft::get(paths::share(story.anchor.record_id()));
    let deposit = Draft::post(paths::SHARES, vec![0xa0]);
    for draft in [&feed, &share, &deposit] {
        let answer = draft.by(&story.url, &story.owner).await;
        assert_eq!(code(answer), Some(Code::NotRegistered), "{}", draft.target);
    }
    feed.by(&story.url, &next).await.unwrap();
    share.by(&story.url, &next).await.unwrap();
    println!("ATTACK security-s2: a rotated-away key reads 0 feeds and gives 0 shares");
}

/// A keeper that began anew, or from an older copy, lacked shares, and its operator saw nothing of it.
#[tokio::test]
async fn an_operator_sees_how_many_shares_a_keeper_lacks() {
    let story = Story::new().await;
    let (record, owner) = (story.anchor.record_id(), &story.owner);
    let told = async |url: &str| {
        // Whoever asks makes it read the chain.
        let _ = Draft::get(paths::share(record)).by(url, owner).await;
        let text = Draft::get(METRICS).send(url, None).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map(|value| value.trim().parse::<u64>().unwrap())
        };
        (of("medibloc_shares "), of("medibloc_shares_missing "))
    };
    assert_eq!(told(&story.url).await, (Some(1), Some(0)));
    let empty = tempfile::tempdir().unwrap();
    let anew = serve(|url| story.ground.keeper(url, empty.path())).await;
    assert_eq!(told(&anew).await, (Some(0), Some(1)));
    // What nobody accepted has no share yet, and what is erased needs none.
    let waits = AnchorFields {
        nonce: Nonce::new([2; 32]),
        ..story.anchor
    };
    story.ground.call(owner, &Call::Anchor(waits)).await;
    assert_eq!(told(&anew).await, (Some(0), Some(1)));
    let erase = Call::Erase(story.anchor);
    story.ground.call(owner, &erase).await;
    assert_eq!(told(&anew).await, (Some(0), Some(0)));
    assert_eq!(told(&story.url).await, (Some(0), Some(0)));
}

/// `keys.sqlite` alone of an older copy brought the key of an erased record's share back, silently and for good.
#[tokio::test]
async fn an_older_half_of_a_keepers_folder_brings_no_key_of_an_erased_record_back() {
    let story = Story::new().await;
    let folder = story.ground.folder.path();
    let copy = |from: &Path, to: &Path, names: &[&str]| {
        for name in names {
            for end in ["", "-wal"] {
                let name = format!("{name}{end}");
                if from.join(&name).exists() {
                    std::fs::copy(from.join(&name), to.join(&name)).unwrap();
                }
            }
        }
    };
    let keys = |folder: &Path| {
        let db = rusqlite::Connection::open(folder.join("keys.sqlite")).unwrap();
        let count = db.query_row("SELECT COUNT(*) FROM keys", [], |row| row.get::<_, u32>(0));
        count.unwrap()
    };
    let older = tempfile::tempdir().unwrap();
    copy(folder, older.path(), &["keys.sqlite", "keeper.sqlite"]);
    let erase = Call::Erase(story.anchor);
    story.ground.call(&story.owner, &erase).await;
    let deletion = Draft::get(paths::deletion(story.anchor.record_id()));
    deletion.by(&story.url, &story.owner).await.unwrap();
    let restored = tempfile::tempdir().unwrap();
    copy(folder, restored.path(), &["keeper.sqlite", "chain.sqlite"]);
    copy(older.path(), restored.path(), &["keys.sqlite"]);
    assert_eq!(keys(restored.path()), 1, "the positive control");
    let told = async |folder: &Path| {
        let url = serve(|url| story.ground.keeper(url, folder)).await;
        let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
        let figures = String::from_utf8(figures).unwrap();
        figure(&figures, "medibloc_erased_again_total")
    };
    assert!(told(restored.path()).await > 0.0, "it is told");
    assert_eq!(keys(restored.path()), 0, "it is destroyed");
    assert!(told(restored.path()).await < 1.0, "once");
}
