//! Every endpoint of node and keeper against requests that must not pass.

#![allow(clippy::unwrap_used, reason = "a test says by panicking what broke")]

#[path = "hostile/attacks.rs"]
mod attacks;
#[path = "hostile/bounds.rs"]
mod bounds;
#[path = "hostile/claims.rs"]
mod claims;
#[path = "hostile/collect.rs"]
mod collect;
#[path = "hostile/crowd.rs"]
mod crowd;
#[path = "hostile/forgotten.rs"]
mod forgotten;
#[path = "hostile/http.rs"]
mod http;
#[path = "hostile/keeper.rs"]
mod keeper_requests;
#[path = "hostile/mailbox.rs"]
mod mailbox;
#[path = "hostile/notes.rs"]
mod notes;
#[path = "hostile/parts.rs"]
mod parts;
#[path = "hostile/proxied.rs"]
mod proxied;
#[path = "hostile/ranks.rs"]
mod ranks;
#[path = "hostile/restored.rs"]
mod restored;
#[path = "hostile/rotated.rs"]
mod rotated;
#[path = "hostile/spending.rs"]
mod spending;
#[path = "hostile/twins.rs"]
mod twins;
#[path = "hostile/watching.rs"]
mod watching;
#[path = "hostile/wrap_keys.rs"]
mod wrap_keys;

use http::{Draft, Ground, METRICS, NOW, code, letter, node, serve, wrapped};
use medibloc_api::{Code, LettersDone, PutBlock, PutBlocks, block_ids, limits, paths};
use medibloc_consent::{AnchorFields, RefusalReason, ShareDeposit};
use medibloc_dag::{Block, Cid, Codec, cbor};
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::{DailyLimits, forget_credential, keep_credential};
use medibloc_record::{AccountId, ClassId, Digest, Kind, Nonce, RecordId, Timestamp};
use medibloc_store::Store as _;

async fn keeper(ground: &Ground) -> String {
    serve(|url| ground.keeper(url, ground.folder.path())).await
}

pub(crate) fn flags(answer: &[u8]) -> Vec<bool> {
    cbor::from_slice(answer).unwrap()
}

pub(crate) fn put(blocks: &[Block]) -> Draft {
    let blocks = blocks.iter().map(|block| PutBlock {
        cid: block.cid().to_bytes(),
        bytes: block.bytes().to_vec(),
    });
    let body = PutBlocks {
        version: 1,
        blocks: blocks.collect(),
    };
    Draft::post(paths::BLOCKS, cbor::to_vec(&body))
}

fn ids(target: &str, cids: &[Cid]) -> Draft {
    Draft::post(
        target,
        cbor::to_vec(&block_ids(cids.iter().map(Cid::to_bytes))),
    )
}

fn get(cid: &Cid) -> Draft {
    Draft::get(paths::block(&cid.to_string()))
}

fn deposit(record: RecordId) -> ShareDeposit {
    ShareDeposit {
        record,
        key_set: vec![1, 2, 3],
        index: 1,
        wrapped: wrapped(48),
    }
}

/// Every signed endpoint of the node.
fn of_node(key: &SigningKey) -> Vec<Draft> {
    let block = Block::of(Codec::Raw, b"leaf".to_vec()).unwrap();
    let cid = [*block.cid()];
    vec![
        put(&[block]),
        get(&cid[0]),
        ids(paths::GET, &cid),
        ids(paths::HAS, &cid),
        Draft::post(
            paths::LETTERS_DONE,
            cbor::to_vec(&LettersDone::of_ids(&[[1; 32]])),
        ),
        ids(paths::ERASED, &cid),
        ids(paths::ERASE, &cid),
        Draft::post(paths::MAILBOX, cbor::to_vec(&letter(key, key, 1, 10))),
        Draft::get(paths::letters(0)),
        Draft::delete(paths::letter(&[1; 32])),
        Draft::get(paths::CREDENTIAL),
        notes::keep(1, None, vec![7; 4 << 10]),
        Draft::get(paths::notes(0)),
    ]
}

/// Every signed endpoint of a keeper.
fn of_keeper() -> Vec<Draft> {
    let record = RecordId::new([5; 32]);
    vec![
        Draft::post(paths::SHARES, cbor::to_vec(&deposit(record))),
        Draft::get(paths::share(record)),
        Draft::post(paths::RELEASE, vec![0xa0]),
        Draft::get(paths::FEED),
        Draft::get(paths::deletion(record)),
    ]
}

#[tokio::test]
async fn a_credential_is_given_to_its_own_account_alone_and_as_it_was_kept() {
    let ground = Ground::new();
    let url = serve(|url| ground.gateway(url, DailyLimits::default())).await;
    let (hana, bit) = (ground.registered(1).await, ground.registered(2).await);
    let of = |key: &SigningKey| AccountId::from_first_address(key.address());
    let data = ground.folder.path();
    let ask = Draft::get(paths::CREDENTIAL);
    assert_eq!(code(ask.by(&url, &hana).await), Some(Code::NotFound));
    let before = keep_credential(data, of(&hana), "first").unwrap();
    assert_eq!(before, None);
    let before = keep_credential(data, of(&hana), "second").unwrap();
    assert_eq!(before.as_deref(), Some("first"));
    assert_eq!(ask.by(&url, &hana).await.unwrap(), b"second");
    assert_eq!(code(ask.by(&url, &bit).await), Some(Code::NotFound));
    let other = Draft::get(format!("{}/../{}", paths::CREDENTIAL, of(&hana)));
    assert!(other.by(&url, &bit).await.is_err());
    // The chain refused the second.
    forget_credential(data, of(&hana), before.as_deref()).unwrap();
    assert_eq!(ask.by(&url, &hana).await.unwrap(), b"first");
    forget_credential(data, of(&hana), None).unwrap();
    assert_eq!(code(ask.by(&url, &hana).await), Some(Code::NotFound));
}

#[tokio::test]
async fn no_endpoint_takes_a_request_that_is_not_signed_for_it_here_now_and_once() {
    let ground = Ground::new();
    let (key, other) = (ground.registered(1).await, ground.registered(2).await);
    let stranger = SigningKey::from_bytes(&[9; 32]).unwrap();
    let (node, keeper) = (node(&ground).await, keeper(&ground).await);
    let all = of_node(&key).into_iter().map(|draft| (&node, draft));
    let all = all.chain(of_keeper().into_iter().map(|draft| (&keeper, draft)));
    let mut number = 0u8;
    for (url, draft) in all {
        let what = format!("{} {}", draft.method, draft.target);
        let mut nonce = || {
            number += 1;
            Nonce::new([0xee, number].repeat(16).try_into().unwrap())
        };
        let check = async |expected, draft: &Draft, header| {
            let answer = draft.send(url, Some(&header)).await;
            assert_eq!(code(answer), Some(expected), "{what}");
        };
        assert_eq!(
            code(draft.send(url, None).await),
            Some(Code::Unsigned),
            "{what}"
        );
        // Another's signature under this address.
        let mut header = draft.sign_with(url, &other, nonce(), NOW.plus(60));
        header.address = key.address();
        check(Code::BadSignature, &draft, header).await;
        // For another node, another target, another method, another body.
        let header = draft.sign_with("http://127.0.0.1:1", &key, nonce(), NOW.plus(60));
        check(Code::BadSignature, &draft, header).await;
        let mut elsewhere = draft.clone();
        elsewhere.target.push('x');
        let header = elsewhere.sign_with(url, &key, nonce(), NOW.plus(60));
        check(Code::BadSignature, &draft, header).await;
        let mut otherwise = draft.clone();
        otherwise.method = reqwest::Method::PUT;
        let header = otherwise.sign_with(url, &key, nonce(), NOW.plus(60));
        check(Code::BadSignature, &draft, header).await;
        if !draft.body.is_empty() {
            let mut changed = draft.clone();
            changed.body.push(0);
            let header = changed.sign_with(url, &key, nonce(), NOW.plus(60));
            check(Code::BadSignature, &draft, header).await;
        }
        // Too late, too far ahead.
        let header = draft.sign_with(url, &key, nonce(), Timestamp(NOW.0 - 1));
        check(Code::Expired, &draft, header).await;
        let header = draft.sign_with(url, &key, nonce(), NOW.plus(301));
        check(Code::Expired, &draft, header).await;
        // Nobody that the chain knows.
        let header = draft.sign_with(url, &stranger, nonce(), NOW.plus(60));
        check(Code::NotRegistered, &draft, header).await;
        // Once is enough.
        let header = draft.sign_with(url, &key, nonce(), NOW.plus(60));
        let first = code(draft.send(url, Some(&header)).await);
        assert!(
            !matches!(
                first,
                Some(Code::Unsigned | Code::BadSignature | Code::Expired | Code::Replayed)
            ),
            "{what}: {first:?}"
        );
        check(Code::Replayed, &draft, header).await;
    }
}

#[tokio::test]
async fn a_request_is_not_answered_again_after_a_restart() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    // Two processes in turn would have one URL; here the second is told the first one's.
    let url = node(&ground).await;
    let draft = Draft::get(paths::letters(0));
    let header = draft.sign(&url, &key);
    assert_eq!(code(draft.send(&url, Some(&header)).await), None);
    let name = url.clone();
    let again = serve(|_| ground.gateway(&name, DailyLimits::default())).await;
    let answer = draft.send(&again, Some(&header)).await;
    assert_eq!(code(answer), Some(Code::Replayed));
}

#[tokio::test]
async fn junk_is_malformed_and_too_much_is_too_large_at_every_endpoint_with_a_body() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let (node, keeper) = (node(&ground).await, keeper(&ground).await);
    let rows = [
        (&node, paths::BLOCKS, limits::BODY),
        (&node, paths::GET, limits::IDS),
        (&node, paths::HAS, limits::IDS),
        (&node, paths::ERASED, limits::IDS),
        (&node, paths::ERASE, limits::IDS),
        (&node, paths::LETTERS_DONE, limits::DONE_BYTES),
        (&node, paths::MAILBOX, limits::LETTER),
        (&node, paths::RELAY, limits::CALL),
        (&keeper, paths::SHARES, limits::DEPOSIT),
        (&keeper, paths::RELEASE, limits::RELEASE),
    ];
    let deep = [vec![0x81; 100_000], vec![0x80]].concat();
    for (url, target, most) in rows {
        for junk in [b"".as_slice(), b"junk", &[0xff], &[0xa1, 0x61], b"{}"] {
            let answer = Draft::post(target, junk.to_vec()).by(url, &key).await;
            assert_eq!(code(answer), Some(Code::Malformed), "{target} {junk:?}");
        }
        if deep.len() < most {
            let answer = Draft::post(target, deep.clone()).by(url, &key).await;
            assert_eq!(code(answer), Some(Code::Malformed), "{target} deep");
        }
        let answer = Draft::post(target, vec![0; most + 1]).by(url, &key).await;
        assert_eq!(code(answer), Some(Code::TooLarge), "{target}");
    }
    let fake = Block::of(Codec::Raw, b"one".to_vec()).unwrap();
    let lie = PutBlocks {
        version: 1,
        blocks: vec![PutBlock {
            cid: fake.cid().to_bytes(),
            bytes: b"two".to_vec(),
        }],
    };
    let answer = Draft::post(paths::BLOCKS, cbor::to_vec(&lie))
        .by(&node, &key)
        .await;
    assert_eq!(code(answer), Some(Code::Malformed), "bytes of another CID");
    let many = vec![*fake.cid(); limits::BLOCKS + 1];
    let answer = ids(paths::HAS, &many).by(&node, &key).await;
    assert_eq!(code(answer), Some(Code::TooLarge));
    assert_eq!(ground.store.has(&[*fake.cid()]).await.unwrap(), [false]);
}

#[tokio::test]
async fn a_query_that_is_another_is_a_problem_as_every_refusal() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let url = node(&ground).await;
    for (target, field) in [(paths::letters(0), "after"), (paths::notes(0), "from")] {
        for more in [format!("{field}=1"), "other=1".into(), format!("{field}=x")] {
            let answer = Draft::get(format!("{target}&{more}")).by(&url, &key).await;
            assert_eq!(code(answer), Some(Code::Malformed), "{target}&{more}");
        }
    }
}

/// A package of parts of one leaf each.
fn package_of(record: RecordId, leaves: &[&Block]) -> Block {
    let package = medibloc_record::Package {
        version: 1,
        suite: 1,
        record,
        manifest_nonce: [2; 24],
        manifest: vec![3; 16],
        manifest_cid: None,
        key_commitment: [4; 32],
        parts: leaves
            .iter()
            .map(|leaf| medibloc_record::PackagePart {
                cid: *leaf.cid(),
                // No part is smaller; what it says of a leaf is checked by readers.
                size: leaf.bytes().len().max(8_192) as u64,
            })
            .collect(),
    };
    Block::of(Codec::DagCbor, cbor::to_vec(&package)).unwrap()
}

fn anchor(owner: AccountId, nonce: u8, objects: [&Cid; 4]) -> AnchorFields {
    let [package, key_set, capsule, attestation] = objects.map(|cid| Digest::new(cid.digest()));
    AnchorFields {
        nonce: Nonce::new([nonce; 32]),
        author: owner,
        owner,
        package,
        key_set,
        capsule,
        attestation,
        kind: Kind::Own,
        class: ClassId(0),
        amends: None,
    }
}

#[tokio::test]
async fn a_block_is_there_only_for_whom_a_final_fact_entitles() {
    let ground = Ground::new();
    let (owner, thief) = (ground.registered(1).await, ground.registered(2).await);
    let url = node(&ground).await;
    let leaf = Block::of(Codec::Raw, b"sealed leaf".to_vec()).unwrap();
    let id = |key: &SigningKey| AccountId::from_first_address(key.address());
    let record = RecordId::derive(id(&owner), id(&owner), Nonce::new([1; 32]));
    let package = package_of(record, &[&leaf]);
    let object = |bytes| Block::of(Codec::DagCbor, bytes).unwrap();
    let others: Vec<Block> = (1..=3u8).map(|n| object(cbor::to_vec(&n))).collect();
    let mut blocks = vec![leaf, package.clone()];
    blocks.extend(others.clone());
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    put(&blocks).by(&url, &owner).await.unwrap();
    let objects = [
        package.cid(),
        others[0].cid(),
        others[1].cid(),
        others[2].cid(),
    ];
    let fields = anchor(id(&owner), 1, objects);
    ground.call(&owner, &Call::Anchor(fields)).await;
    let nothing = async |why: &str| {
        for cid in &cids {
            let answer = get(cid).by(&url, &thief).await;
            assert_eq!(code(answer), Some(Code::NotFound), "{why} {cid}");
        }
        let has = ids(paths::HAS, &cids).by(&url, &thief).await.unwrap();
        assert_eq!(flags(&has), [false; 5], "{why}");
        let erased = ids(paths::ERASED, &cids).by(&url, &thief).await.unwrap();
        assert_eq!(flags(&erased), [false; 5], "{why}");
        let answer = ids(paths::ERASE, &cids).by(&url, &thief).await;
        assert_eq!(code(answer), Some(Code::NotFound), "{why}");
    };
    nothing("a stranger").await;
    // A record of the thief's own that names the owner's objects gives nothing: it never brought them.
    let stolen = anchor(id(&thief), 2, objects);
    ground.call(&thief, &Call::Anchor(stolen)).await;
    nothing("the thief's own anchor").await;
    ground.call(&thief, &Call::Erase(stolen)).await;
    nothing("the thief's own erasure").await;
    let has = ids(paths::HAS, &cids).by(&url, &owner).await.unwrap();
    assert_eq!(flags(&has), [true; 5], "the owner still has all");
    for (block, cid) in blocks.iter().zip(&cids) {
        let bytes = get(cid).by(&url, &owner).await.unwrap();
        assert_eq!(bytes, block.bytes());
    }
    let answer = ids(paths::ERASE, &cids).by(&url, &owner).await;
    assert_eq!(
        code(answer),
        Some(Code::NotYours),
        "not before the chain says so"
    );
    ground.call(&owner, &Call::Erase(fields)).await;
    for cid in &cids {
        let answer = get(cid).by(&url, &owner).await;
        assert_eq!(code(answer), Some(Code::Erased), "{cid}");
    }
    assert_eq!(ground.store.has(&cids).await.unwrap(), [false; 5]);
    nothing("a stranger, after the erasure").await;
    let answer = put(&blocks[..1]).by(&url, &owner).await;
    assert_eq!(code(answer), Some(Code::Erased), "it is not taken again");
}

#[tokio::test]
async fn a_keeper_tells_strangers_nothing_and_takes_shares_from_parties_alone() {
    let ground = Ground::new();
    let (owner, stranger) = (ground.registered(1).await, ground.registered(2).await);
    let url = keeper(&ground).await;
    let cid = Cid::of_dag_cbor(b"");
    let id = AccountId::from_first_address(owner.address());
    let fields = anchor(id, 1, [&cid; 4]);
    ground.call(&owner, &Call::Anchor(fields)).await;
    let record = fields.record_id();
    let give = |record| Draft::post(paths::SHARES, cbor::to_vec(&deposit(record)));
    let check = async |draft: Draft, key: &SigningKey, expected: RefusalReason| {
        let problem = draft.by(&url, key).await.unwrap_err();
        assert_eq!(problem.code, Code::KeeperRefused);
        assert_eq!(problem.refusal, Some(expected));
    };
    check(give(record), &stranger, RefusalReason::NotAParty).await;
    check(give(record), &owner, RefusalReason::WrongKeySet).await;
    check(
        give(RecordId::new([8; 32])),
        &owner,
        RefusalReason::UnknownRecord,
    )
    .await;
    let refused = Draft::get(paths::deletion(record));
    check(refused.clone(), &owner, RefusalReason::UnknownRecord).await;
    for draft in [
        refused,
        Draft::get(paths::share(record)),
        Draft::get("/v1/shares/junk"),
    ] {
        assert_eq!(code(draft.by(&url, &stranger).await), Some(Code::NotFound));
    }
    let answer = Draft::get(paths::share(record)).by(&url, &owner).await;
    assert_eq!(code(answer), Some(Code::NotFound), "no share was taken");
    ground.call(&owner, &Call::Erase(fields)).await;
    Draft::get(paths::deletion(record))
        .by(&url, &owner)
        .await
        .unwrap();
    let erased = RefusalReason::Consent(medibloc_consent::Reason::Erased);
    check(give(record), &owner, erased).await;
}

#[tokio::test]
async fn figures_and_problems_name_no_address_and_no_block() {
    let ground = Ground::new();
    let key = ground.registered(1).await;
    let url = node(&ground).await;
    let cid = Cid::of_raw(b"secret place");
    assert_eq!(code(get(&cid).by(&url, &key).await), Some(Code::NotFound));
    let figures = Draft::get(METRICS).send(&url, None).await.unwrap();
    let figures = String::from_utf8(figures).unwrap();
    assert!(
        figures.contains(r#"route="/ipfs/{cid}",status="4xx"} 1"#),
        "{figures}"
    );
    assert!(!figures.contains(&cid.to_string()));
    assert!(!figures.contains(&hex::encode(key.address().as_bytes())));
    for open in [paths::HEALTHZ, paths::READYZ, paths::NODE] {
        Draft::get(open).send(&url, None).await.unwrap();
    }
    assert_eq!(
        code(Draft::get("/v2").send(&url, None).await),
        Some(Code::NotFound)
    );
    let answer = Draft::delete(paths::BLOCKS).send(&url, None).await;
    assert_eq!(code(answer), Some(Code::WrongMethod));
}
