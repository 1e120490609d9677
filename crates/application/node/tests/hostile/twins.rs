//! Two records that lead to the same blocks: what erasing one takes from the other (docs/adr/0014).

use medibloc_api::{Code, paths};
use medibloc_consent::{AnchorFields, BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::{Block, Cid};
use medibloc_keys::SigningKey;
use medibloc_ledger::Call;
use medibloc_node::Upkeep;
use medibloc_record::{Digest, Nonce, Role};
use medibloc_store::Store as _;

use crate::attacks::{id, leaf, let_write, over, record_of};
use crate::http::{Ground, NOW, code};
use crate::{flags, get, ids, put};

/// Whose the twin is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Twin {
    /// The author's own.
    Own,
    /// An accomplice's, who accepts it.
    Accepted,
    /// Somebody's who does not accept it.
    NotAccepted,
}

/// When the twin's package comes to the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Package {
    First,
    WhenAccepted,
    AfterTheErasure,
}

const TWINS: [Twin; 3] = [Twin::Own, Twin::Accepted, Twin::NotAccepted];
const PACKAGES: [Package; 3] = [
    Package::First,
    Package::WhenAccepted,
    Package::AfterTheErasure,
];

struct Scene {
    ground: Ground,
    url: String,
    upkeep: Upkeep,
    owner: SigningKey,
    author: SigningKey,
    accomplice: SigningKey,
    clinic: SigningKey,
}

impl Scene {
    async fn new() -> Self {
        let ground = Ground::new();
        let (owner, accomplice) = (ground.registered(1).await, ground.registered(2).await);
        let author = ground.registered_as(3, Role::Provider).await;
        let clinic = ground.registered_as(4, Role::Provider).await;
        let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
        for patron in [&owner, &accomplice] {
            let_write(&ground, patron, &author, Digest::of(b"object")).await;
            let terms = Terms {
                scope: Scope::All,
                purpose_tag: Purpose::Treatment.tag([1; 32]),
                from: NOW,
                until: NOW.plus(90_000),
                reads: None,
                binding: BindingTag::default(),
                digest: Digest::of(b"grant"),
            };
            let reader = if patron.address() == owner.address() {
                &clinic
            } else {
                &author
            };
            let grant = Grant::new(id(patron), id(reader), Nonce::new([1; 32]), terms);
            let call = Call::Grant {
                grant,
                anchor: None,
            };
            ground.call(patron, &call).await;
        }
        Self {
            ground,
            url,
            upkeep,
            owner,
            author,
            accomplice,
            clinic,
        }
    }

    async fn bring(&self, blocks: &[Block], by: &SigningKey) -> Option<Code> {
        let code = code(put(blocks).by(&self.url, by).await);
        assert!(self.upkeep.once().await);
        code
    }

    async fn call(&self, by: &SigningKey, call: Call) {
        self.ground.call(by, &call).await;
        assert!(self.upkeep.once().await);
    }

    /// What each of some blocks is answered with.
    async fn gets(&self, blocks: &[Block], by: &SigningKey) -> Vec<Option<Code>> {
        let mut answers = Vec::new();
        for block in blocks {
            let answer = get(block.cid()).by(&self.url, by).await;
            if let Ok(bytes) = &answer {
                assert_eq!(bytes, block.bytes());
            }
            answers.push(code(answer));
        }
        answers
    }

    async fn are_there(&self, blocks: &[Block]) -> Vec<bool> {
        let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
        self.ground.store.has(&cids).await.unwrap()
    }

    /// The owner's accepted record and its twin, which leads to the same leaves and names the same objects; everything
    /// is brought by the author, the twin's package when it is told.
    async fn twins(&self, kind: Twin, is_first: bool, package: Package) -> Pair {
        let leaves = [leaf(b"one"), leaf(b"two")];
        let (blocks, record) = record_of(&self.author, &self.owner, 1, &leaves);
        let holder = match kind {
            Twin::Own => &self.author,
            Twin::Accepted | Twin::NotAccepted => &self.accomplice,
        };
        let (twins, twin) = record_of(&self.author, holder, 2, &leaves);
        let twin = AnchorFields {
            key_set: record.capsule,
            capsule: record.key_set,
            attestation: record.attestation,
            ..twin
        };
        let anchor_twin = async || {
            self.call(&self.author, Call::Anchor(twin)).await;
            if kind == Twin::Accepted {
                self.call(holder, Call::Accept(twin)).await;
            }
        };
        if package == Package::First {
            assert_eq!(self.bring(&twins[..1], &self.author).await, None);
        }
        if is_first {
            anchor_twin().await;
        }
        assert_eq!(self.bring(&blocks, &self.author).await, None);
        self.call(&self.author, Call::Anchor(record)).await;
        // It reads what it is to accept.
        assert_eq!(self.gets(&blocks, &self.owner).await, [None; 6]);
        self.call(&self.owner, Call::Accept(record)).await;
        if !is_first {
            anchor_twin().await;
        }
        if package == Package::WhenAccepted {
            assert_eq!(self.bring(&twins[..1], &self.author).await, None);
        }
        Pair {
            blocks,
            record,
            twins,
            twin,
        }
    }
}

struct Pair {
    blocks: Vec<Block>,
    record: AnchorFields,
    twins: Vec<Block>,
    twin: AnchorFields,
}

#[tokio::test]
async fn erasing_a_twin_takes_nothing_of_what_its_owner_accepted() {
    let (mut lost, mut rows) = (0, 0);
    for kind in TWINS {
        for is_first in [true, false] {
            for package in PACKAGES {
                let row = format!("{kind:?}, first {is_first}, package {package:?}");
                let scene = Scene::new().await;
                let pair = scene.twins(kind, is_first, package).await;
                let (owner, clinic) = (&scene.owner, &scene.clinic);
                // While the twin lives nothing is withheld.
                assert_eq!(scene.gets(&pair.blocks, owner).await, [None; 6], "{row}");
                let holder = match kind {
                    Twin::Own => &scene.author,
                    Twin::Accepted | Twin::NotAccepted => &scene.accomplice,
                };
                scene.call(holder, Call::Erase(pair.twin)).await;
                if package == Package::AfterTheErasure {
                    scene.bring(&pair.twins[..1], &scene.author).await;
                }
                assert!(scene.upkeep.once().await);
                let there = scene.are_there(&pair.blocks).await;
                lost += there.iter().filter(|there| !**there).count();
                rows += 1;
                assert_eq!(there, [true; 6], "{row}");
                assert_eq!(scene.are_there(&pair.twins[..1]).await, [false], "{row}");
                assert_eq!(scene.gets(&pair.blocks, owner).await, [None; 6], "{row}");
                let readable = [&pair.blocks[..2], &pair.blocks[3..]].concat();
                assert_eq!(scene.gets(&readable, clinic).await, [None; 5], "{row}");
                assert_eq!(scene.bring(&pair.blocks, owner).await, None, "{row}");
                // Its owner's erasure is whole, then.
                scene.call(owner, Call::Erase(pair.record)).await;
                let gone = scene.are_there(&pair.blocks).await;
                assert_eq!(gone, [false; 6], "{row}");
                let answers = scene.gets(&pair.blocks, owner).await;
                assert_eq!(answers, [Some(Code::Erased); 6], "{row}");
            }
        }
    }
    println!("ATTACK twin-1: {lost} blocks of accepted records lost by {rows} erased twins");
}

#[tokio::test]
async fn an_owners_erasure_ends_its_record_for_its_people_whatever_twin_lives() {
    let mut kept = Vec::new();
    for kind in TWINS {
        for is_first in [true, false] {
            for package in PACKAGES {
                let row = format!("{kind:?}, first {is_first}, package {package:?}");
                let scene = Scene::new().await;
                let pair = scene.twins(kind, is_first, package).await;
                scene.call(&scene.owner, Call::Erase(pair.record)).await;
                if package == Package::AfterTheErasure {
                    scene.bring(&pair.twins[..1], &scene.author).await;
                }
                let owners = scene.gets(&pair.blocks, &scene.owner).await;
                assert_eq!(owners, [Some(Code::Erased); 6], "{row}");
                let clinics = scene.gets(&pair.blocks, &scene.clinic).await;
                assert_eq!(clinics, [Some(Code::NotFound); 6], "{row}");
                let there = scene.are_there(&pair.blocks).await;
                let left = there.iter().filter(|there| **there).count();
                match (kind, package) {
                    // Nothing tells an accomplice from a patient whose author gave its leaves away: what that one
                    // accepted stays, for that one's people alone.
                    (Twin::Accepted, Package::First | Package::WhenAccepted) => {
                        assert_eq!(there, [false, true, true, true, true, true], "{row}");
                        let leaves = &pair.blocks[4..];
                        let its = scene.gets(leaves, &scene.accomplice).await;
                        assert_eq!(its, [None; 2], "{row}");
                    }
                    // Not even that by a package that comes after it: the leaves are gone.
                    (Twin::Accepted, Package::AfterTheErasure) => {
                        assert_eq!(there[4..], [false; 2], "{row}");
                    }
                    (Twin::Own | Twin::NotAccepted, _) => {
                        assert_eq!(left, 0, "{row}");
                        let authors = scene.gets(&pair.blocks, &scene.author).await;
                        assert_eq!(authors, [Some(Code::Erased); 6], "{row}");
                        let again = scene.bring(&pair.blocks[4..], &scene.author).await;
                        assert_eq!(again, Some(Code::Erased), "{row}");
                    }
                }
                if left > 0 {
                    // It ends with the accomplice's own erasure.
                    scene.call(&scene.accomplice, Call::Erase(pair.twin)).await;
                    assert_eq!(scene.are_there(&pair.blocks).await, [false; 6], "{row}");
                    kept.push(kind);
                }
            }
        }
    }
    assert!(kept.iter().all(|kind| *kind == Twin::Accepted));
    println!(
        "ATTACK twin-1: 0 of 18 erasures undone for owner and readers, {} kept bytes for an accomplice that accepted them",
        kept.len()
    );
}

#[tokio::test]
async fn a_twin_that_was_erased_before_the_acceptance_takes_nothing_when_its_package_comes() {
    for kind in [Twin::Own, Twin::Accepted] {
        let scene = Scene::new().await;
        let (owner, author) = (&scene.owner, &scene.author);
        let holder = match kind {
            Twin::Own => author,
            Twin::Accepted | Twin::NotAccepted => &scene.accomplice,
        };
        let (blocks, record) = record_of(author, owner, 1, &[leaf(b"one"), leaf(b"two")]);
        let (twins, twin) = record_of(author, holder, 2, &blocks[4..]);
        scene.call(author, Call::Anchor(twin)).await;
        if kind == Twin::Accepted {
            scene.call(holder, Call::Accept(twin)).await;
        }
        scene.call(holder, Call::Erase(twin)).await;
        scene.bring(&blocks, author).await;
        scene.call(author, Call::Anchor(record)).await;
        assert_eq!(scene.gets(&blocks, owner).await, [None; 6], "{kind:?}");
        scene.call(owner, Call::Accept(record)).await;
        assert_eq!(scene.bring(&twins[..4], author).await, None, "{kind:?}");
        assert!(scene.upkeep.once().await);
        assert_eq!(scene.are_there(&blocks).await, [true; 6], "{kind:?}");
        assert_eq!(scene.are_there(&twins[..4]).await, [false; 4], "{kind:?}");
        assert_eq!(scene.gets(&blocks, owner).await, [None; 6], "{kind:?}");
        scene.call(owner, Call::Erase(record)).await;
        assert_eq!(scene.are_there(&blocks).await, [false; 6], "{kind:?}");
    }
}

#[tokio::test]
async fn a_readers_copy_neither_keeps_nor_takes_what_it_may_read() {
    for erases_first in [true, false] {
        let scene = Scene::new().await;
        let (owner, clinic) = (&scene.owner, &scene.clinic);
        let (blocks, own) = record_of(owner, owner, 1, &[leaf(b"one"), leaf(b"two")]);
        scene.bring(&blocks, owner).await;
        scene.call(owner, Call::Anchor(own)).await;
        // Everything that it was given, under a record of its own.
        let (copies, copy) = record_of(clinic, clinic, 2, &blocks[4..]);
        let copy = AnchorFields {
            key_set: own.key_set,
            ..copy
        };
        scene.bring(&copies, clinic).await;
        scene.bring(&blocks[1..2], clinic).await;
        scene.call(clinic, Call::Anchor(copy)).await;
        if erases_first {
            scene.call(clinic, Call::Erase(copy)).await;
            assert_eq!(scene.are_there(&blocks).await, [true; 6]);
        }
        assert_eq!(scene.gets(&blocks, owner).await, [None; 6]);
        scene.call(owner, Call::Erase(own)).await;
        assert_eq!(scene.are_there(&blocks).await, [false; 6]);
        let answers = scene.gets(&blocks, owner).await;
        assert_eq!(answers, [Some(Code::Erased); 6]);
        let again = scene.bring(&blocks[4..], clinic).await;
        assert_eq!(again, Some(Code::Erased));
    }
}

#[tokio::test]
async fn a_grant_that_names_a_records_objects_neither_withholds_nor_keeps_them() {
    for is_first in [true, false] {
        let scene = Scene::new().await;
        let (owner, author) = (&scene.owner, &scene.author);
        let (blocks, record) = record_of(author, owner, 1, &[leaf(b"one")]);
        let name = async || {
            for (number, block) in (10..).zip(&blocks[..4]) {
                let terms = Terms {
                    scope: Scope::All,
                    purpose_tag: Purpose::Treatment.tag([1; 32]),
                    from: NOW,
                    until: NOW.plus(90_000),
                    reads: None,
                    binding: BindingTag::default(),
                    digest: Digest::new(block.cid().digest()),
                };
                let reader = id(&scene.accomplice);
                let grant = Grant::new(id(author), reader, Nonce::new([number; 32]), terms);
                let call = Call::Grant {
                    grant,
                    anchor: None,
                };
                scene.call(author, call).await;
            }
        };
        scene.bring(&blocks, author).await;
        if is_first {
            name().await;
        }
        scene.call(author, Call::Anchor(record)).await;
        if !is_first {
            name().await;
        }
        assert_eq!(scene.gets(&blocks, owner).await, [None; 5], "{is_first}");
        scene.call(owner, Call::Accept(record)).await;
        scene.call(owner, Call::Erase(record)).await;
        assert_eq!(scene.are_there(&blocks).await, [false; 5], "{is_first}");
    }
}

#[tokio::test]
async fn a_record_that_only_its_owners_own_blocks_back_gives_its_author_nothing() {
    let scene = Scene::new().await;
    let (owner, author) = (&scene.owner, &scene.author);
    let (blocks, own) = record_of(owner, owner, 1, &[leaf(b"one")]);
    scene.bring(&blocks, owner).await;
    scene.call(owner, Call::Anchor(own)).await;
    let (junk, fields) = record_of(author, owner, 2, &blocks[4..]);
    let fields = AnchorFields {
        key_set: own.capsule,
        ..fields
    };
    scene.bring(&junk[..4], author).await;
    scene.call(author, Call::Anchor(fields)).await;
    let answers = scene.gets(&blocks, author).await;
    assert_eq!(answers, [Some(Code::NotFound); 5]);
    let cids: Vec<Cid> = blocks.iter().map(|block| *block.cid()).collect();
    let has = ids(paths::HAS, &cids).by(&scene.url, author).await.unwrap();
    assert_eq!(flags(&has), [false; 5]);
    // The owner gets rid of it and keeps its own.
    scene.call(owner, Call::Erase(fields)).await;
    assert_eq!(scene.gets(&blocks, owner).await, [None; 5]);
}
