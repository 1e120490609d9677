//! What an operator puts back from an older copy brings nothing back that was erased.

use std::sync::Arc;

use medibloc_api::Code;
use medibloc_dag::Cid;
use medibloc_ledger::Call;
use medibloc_store::{MemoryStore, Store as _};

use crate::attacks::{leaf, over, record_of};
use crate::http::{Draft, Ground, METRICS, code};
use crate::{get, put};

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
