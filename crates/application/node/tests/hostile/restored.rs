//! What an operator puts back from an older copy brings nothing back that was erased, and what it lacks is taken again.

use std::sync::Arc;

use medibloc_api::{Code, paths};
use medibloc_consent::{BindingTag, Grant, Purpose, Scope, Terms};
use medibloc_dag::{Cid, cbor};
use medibloc_ledger::Call;
use medibloc_record::{Digest, Nonce};
use medibloc_store::{MemoryStore, Store as _};

use crate::attacks::{id, leaf, object, over, record_of};
use crate::http::{Draft, Ground, METRICS, NOW, code};
use crate::notes::keep;
use crate::{flags, get, ids, put};

#[tokio::test]
async fn an_older_copy_of_the_blocks_is_erased_again_when_the_node_starts() {
    let ground = Ground::new();
    let owner = ground.registered(1).await;
    let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let (dead, erased) = record_of(&owner, &owner, 1, &[leaf(b"one"), leaf(b"two")]);
    let (live, kept) = record_of(&owner, &owner, 2, &[leaf(b"three")]);
    let of = |blocks: &[medibloc_dag::Block]| -> Vec<Cid> {
        blocks.iter().map(|block| *block.cid()).collect()
    };
    for (blocks, fields) in [(&dead, erased), (&live, kept)] {
        put(blocks).by(&url, &owner).await.unwrap();
        ground.call(&owner, &Call::Anchor(fields)).await;
    }
    assert!(upkeep.once().await);
    ground.call(&owner, &Call::Erase(erased)).await;
    assert!(upkeep.once().await);
    let has = ground.store.has(&of(&dead)).await.unwrap();
    assert_eq!(has, vec![false; dead.len()]);
    // From before the erasure: nothing in it knows of that.
    let older = Arc::new(MemoryStore::new());
    older.put([&dead[..], &live].concat()).await.unwrap();
    let told = async |url: &str| {
        let text = Draft::get(METRICS).send(url, None).await.unwrap();
        let text = String::from_utf8(text).unwrap();
        let line = text
            .lines()
            .find(|it| it.starts_with("medibloc_erased_again_total "));
        line.unwrap().to_owned()
    };
    assert_eq!(told(&url).await, "medibloc_erased_again_total 0");
    for again in [dead.len(), 0] {
        let (url, upkeep) = over(&ground, older.clone(), ground.ledger.clone()).await;
        assert!(upkeep.once().await);
        let has = older.has(&of(&dead)).await.unwrap();
        assert_eq!(has, vec![false; dead.len()]);
        let has = older.has(&of(&live)).await.unwrap();
        assert_eq!(has, vec![true; live.len()]);
        let answer = get(dead[0].cid()).by(&url, &owner).await;
        assert_eq!(code(answer), Some(Code::Erased));
        get(live[0].cid()).by(&url, &owner).await.unwrap();
        let text = format!("medibloc_erased_again_total {again}");
        assert_eq!(told(&url).await, text);
    }
}

/// What an older copy lacks of what the chain names is taken again from who gave it, and given to who may have it.
#[tokio::test]
async fn what_an_older_copy_lacks_of_a_consent_and_of_notes_is_taken_again() {
    let ground = Ground::new();
    let (owner, reader) = (ground.registered(1).await, ground.registered(2).await);
    let (url, upkeep) = over(&ground, ground.store.clone(), ground.ledger.clone()).await;
    let object = object("a consent");
    let terms = Terms {
        scope: Scope::All,
        purpose_tag: Purpose::Treatment.tag([1; 32]),
        from: NOW,
        until: NOW.plus(90_000),
        reads: None,
        binding: BindingTag::default(),
        digest: Digest::new(object.cid().digest()),
    };
    let grant = Grant::new(id(&owner), id(&reader), Nonce::new([1; 32]), terms);
    let anchor = None;
    put(std::slice::from_ref(&object))
        .by(&url, &owner)
        .await
        .unwrap();
    ground.call(&owner, &Call::Grant { grant, anchor }).await;
    assert!(upkeep.once().await);
    get(object.cid()).by(&url, &reader).await.unwrap();
    // From before the consent: of all that the gateway keeps, nothing.
    let older = Ground {
        ledger: ground.ledger.clone(),
        ..Ground::new()
    };
    let (url, upkeep) = over(&older, older.store.clone(), older.ledger.clone()).await;
    assert!(upkeep.once().await);
    let answer = get(object.cid()).by(&url, &reader).await;
    assert_eq!(code(answer), Some(Code::NotFound));
    let asked = ids(paths::HAS, &[*object.cid()]);
    assert_eq!(flags(&asked.by(&url, &owner).await.unwrap()), [false]);
    put(std::slice::from_ref(&object))
        .by(&url, &owner)
        .await
        .unwrap();
    assert_eq!(
        get(object.cid()).by(&url, &reader).await.unwrap(),
        object.bytes()
    );
    // A note names the one that it follows: there is none now.
    let (first, next) = (vec![1; 4 << 10], vec![2; 4 << 10]);
    for (follows, note, kept) in [(Some(&first), &next, false), (None, &next, true)] {
        let draft = keep(3, follows.map(Vec::as_slice), note.clone());
        let answer = draft.by(&url, &owner).await.unwrap();
        assert_eq!(answer, cbor::to_vec(&kept));
    }
}
