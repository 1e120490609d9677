//! Who reads a running keeper's memory after an erasure.

use std::time::{Duration, Instant};

use medibloc_api::paths;
use medibloc_consent::{
    AnchorFields, BindingTag, Grant, KeeperReply, KeeperRequest, Purpose, Scope, ShareDeposit,
    SignedReply, SignedRequest, Terms,
};
use medibloc_dag::cbor;
use medibloc_evil::memory::{Piece, count};
use medibloc_evil::stranger::Stranger;
use medibloc_keys::{
    DealerSeed, Dealing, Entropy as _, OneTimeKey, SeededEntropy, Share, hpke_seal, info,
};
use medibloc_ledger::Call;
use medibloc_node::{KeeperKeys, OsEntropy, system_clock};
use medibloc_record::{
    AccountId, ClassId, Committee, Digest, KeySet, Kind, Nonce, ReceiptId, Threshold,
};
use reqwest::Method;

use crate::attacks::World;
use crate::start::{Running, ready};

/// An owner with a keeper, whose shares this test knows since it deals them.
struct Story {
    world: World,
    keys: KeeperKeys,
    owner: Stranger,
    reader: Stranger,
    /// The owner and the reader, as they speak to the keeper.
    at_keeper: [Stranger; 2],
}

fn id(of: &Stranger) -> AccountId {
    AccountId::from_first_address(of.key.address())
}

impl Story {
    async fn new() -> Self {
        let world = World::new("requests = 1000\n").await;
        let file = world
            .institution
            .folder
            .path()
            .join("keepers/keeper-1.json");
        let keys = KeeperKeys::read(&file).unwrap();
        let (owner, reader) = (world.registered(1).await, world.registered(2).await);
        let at_keeper = [1, 2].map(|number| {
            let url = &world.institution.keeper;
            Stranger::new(number, url, world.deployment.domain())
        });
        Self {
            world,
            keys,
            owner,
            reader,
            at_keeper,
        }
    }

    async fn done(&self, by: &Stranger, call: Call) {
        let answer = self.world.call(by, &call).await;
        assert_eq!(answer.0, 200, "{}", String::from_utf8_lossy(&answer.1));
    }

    /// Asks the keeper until it has read the block that the answer stands on.
    async fn asked(&self, by: &Stranger, method: Method, target: &str, body: Vec<u8>) -> Vec<u8> {
        let begun = Instant::now();
        loop {
            let mut nonce = [0; 32];
            OsEntropy.fill(&mut nonce);
            let now = system_clock()();
            let send = by.send(method.clone(), target, body.clone(), (now, nonce));
            let (status, answer) = send.await;
            if status == 200 {
                return answer;
            }
            let said = String::from_utf8_lossy(&answer);
            let waited = begun.elapsed() < Duration::from_secs(30);
            assert!(waited, "{target}: {status} {said}");
        }
    }

    /// A record that is anchored and accepted, its share at the keeper.
    async fn kept(&self, number: u8) -> (AnchorFields, Share) {
        let owner = id(&self.owner);
        let digest = |n: u8| Digest::of(&[number, n]);
        let mut anchor = AnchorFields {
            nonce: Nonce::new([number; 32]),
            author: owner,
            owner,
            package: digest(1),
            key_set: digest(2),
            capsule: digest(3),
            attestation: digest(4),
            kind: Kind::Own,
            class: ClassId(0),
            amends: None,
        };
        let (record, threshold) = (anchor.record_id(), Threshold::new(1, 1).unwrap());
        let dealing = Dealing::from_seed(&DealerSeed::new([number; 32]), record, threshold);
        let commitments = dealing.commitments().into_iter();
        let key_set = cbor::to_vec(&KeySet {
            version: 1,
            suite: 1,
            committee: Committee { id: 1, threshold },
            commitments: commitments.map(serde_bytes::ByteArray::new).collect(),
            owner_half: [0; 32],
        });
        anchor.key_set = Digest::of(&key_set);
        self.done(&self.owner, Call::Anchor(anchor)).await;
        self.done(&self.owner, Call::Accept(anchor)).await;
        let to = self.keys.wrap_key();
        let domain = self.world.deployment.domain();
        let info = info::share(&domain, record, owner, owner, 1, 1, to.version);
        let share = dealing.share(1).unwrap();
        let deposit = ShareDeposit {
            record,
            key_set,
            index: 1,
            wrapped: hpke_seal(&to, &info, share.expose(), &mut SeededEntropy::new(5)).unwrap(),
        };
        let body = cbor::to_vec(&deposit);
        self.asked(&self.at_keeper[0], Method::POST, paths::SHARES, body)
            .await;
        (anchor, share)
    }

    /// The reader is granted a record, gets a receipt and the share.
    async fn released(&self, anchor: AnchorFields) {
        let (now, record) = (system_clock()(), anchor.record_id());
        let terms = Terms {
            scope: Scope::All,
            purpose_tag: Purpose::Treatment.tag([1; 32]),
            from: now,
            until: now.plus(3_600),
            reads: None,
            binding: BindingTag::default(),
            digest: Digest::new([7; 32]),
        };
        let nonce = Nonce::new([8; 32]);
        let grant = Grant::new(id(&self.owner), id(&self.reader), nonce, terms);
        let given = Call::Grant {
            grant: grant.clone(),
            anchor: None,
        };
        self.done(&self.owner, given).await;
        let read = Call::OpenRead {
            record,
            purpose_tag: grant.terms.purpose_tag,
            nonce,
            anchor,
            grant: grant.clone(),
            proof: None,
        };
        self.done(&self.reader, read).await;
        let begun = Instant::now();
        loop {
            let request = KeeperRequest {
                version: 1,
                keeper: self.keys.signer(),
                record,
                grant: grant.id,
                receipt: ReceiptId::derive(record, id(&self.reader), grant.id, nonce),
                one_time_key: OneTimeKey::generate(&mut OsEntropy).public(),
                binding: None,
                expiry: now.plus(300),
            };
            let digest = request.digest(&self.world.deployment.domain());
            let signature = self.reader.key.sign_digest(&digest);
            let body = cbor::to_vec(&SignedRequest { request, signature });
            let asked = self.asked(&self.at_keeper[1], Method::POST, paths::RELEASE, body);
            match cbor::from_slice::<SignedReply>(&asked.await).unwrap().reply {
                KeeperReply::Released(_) => return,
                // It has not read the receipt's block yet.
                KeeperReply::Refused(reason) => {
                    assert!(begun.elapsed() < Duration::from_secs(30), "{reason}");
                }
            }
        }
    }

    async fn erased(&self, anchor: AnchorFields) {
        self.done(&self.owner, Call::Erase(anchor)).await;
        let target = paths::deletion(anchor.record_id());
        let asked = self.asked(&self.at_keeper[0], Method::GET, &target, Vec::new());
        asked.await;
    }
}

/// Whether the system writes no core file of a process.
fn dumps_nothing(process: u32) -> bool {
    let limits = std::fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|it| it.starts_with("Max core file size"));
    let words: Vec<_> = core.unwrap().split_whitespace().collect();
    words[4..6] == ["0", "0"]
}

#[tokio::test]
async fn nothing_of_an_erased_records_share_is_left_in_its_keepers_memory() {
    let story = Story::new().await;
    let start = async || {
        let keeper = story.world.institution.start_keeper();
        ready(&story.world.institution.keeper).await;
        keeper
    };
    let keeper = start().await;
    assert!(dumps_nothing(keeper.0.id()));
    let records = [
        story.kept(1).await,
        story.kept(2).await,
        story.kept(3).await,
    ];
    story.released(records[0].0).await;
    let shares = records
        .each_ref()
        .map(|(_, share)| Piece::of(share.expose()));
    let look = |keeper: &Running| count(keeper.0.id(), &shares);
    let before = match look(&keeper) {
        Ok(before) => before,
        Err(error) => {
            println!("SKIPPED memory: another process's cannot be read: {error}");
            return;
        }
    };
    assert!(before.iter().all(|found| *found > 0), "{before:?}");
    let mut left = 0;
    for (erased, (anchor, _)) in records[..2].iter().enumerate() {
        story.erased(*anchor).await;
        let after = look(&keeper).unwrap();
        left = after[..=erased].iter().sum();
        assert_eq!(
            left, 0,
            "after erasure {erased}: {after:?}, before {before:?}"
        );
        assert!(after[2] > 0, "the third is kept: {after:?}");
    }
    keeper.end();
    // The last one comes from the disk.
    let keeper = start().await;
    let loaded = look(&keeper).unwrap();
    assert!(loaded[..2] == [0, 0] && loaded[2] > 0, "{loaded:?}");
    story.erased(records[2].0).await;
    let after = look(&keeper).unwrap();
    assert_eq!(after, [0; 3], "loaded: {loaded:?}");
    left += after.iter().sum::<usize>();
    keeper.end();
    println!(
        "ATTACK twelfth-f1: {left} copies of 3 erased records' shares in their keeper's memory; before the erasures it had {before:?}"
    );
}
