//! What every store must do; adapters call [`run`] with an empty store.

use medibloc_dag::{Block, Codec};

use crate::{OwnStore, Store, StoreError};

fn block(bytes: &[u8]) -> Block {
    Block::of(Codec::Raw, bytes.to_vec()).expect("a small block")
}

/// Runs the suite on an empty store.
///
/// # Panics
/// If the store breaks a rule; the message says which.
///
/// # Errors
/// If the store fails where it must not.
pub async fn run(store: &dyn Store) -> Result<(), StoreError> {
    let (one, two, none) = (block(b"one"), block(b"two"), block(b"never put"));
    assert_eq!(
        store.get(one.cid()).await?,
        None,
        "an empty store has nothing"
    );
    store.put(vec![one.clone(), two.clone()]).await?;
    store.put(vec![one.clone()]).await?;
    assert_eq!(
        store.get(one.cid()).await?.as_deref(),
        Some(one.bytes()),
        "what was put is given"
    );
    assert_eq!(
        store.has(&[*one.cid(), *none.cid(), *two.cid()]).await?,
        [true, false, true],
        "has answers in order"
    );
    let many = store
        .get_many(&[*two.cid(), *none.cid(), *one.cid(), *two.cid()])
        .await?;
    let expected = [
        Some(two.bytes()),
        None,
        Some(one.bytes()),
        Some(two.bytes()),
    ];
    let given: Vec<Option<&[u8]>> = many.iter().map(Option::as_deref).collect();
    assert_eq!(
        given, expected,
        "many are given in order, twice if asked twice"
    );
    assert!(store.get_many(&[]).await?.is_empty(), "none of none");
    let empty = block(b"");
    store.put(vec![empty.clone()]).await?;
    assert_eq!(
        store.get(empty.cid()).await?.as_deref(),
        Some(&[][..]),
        "a block may be empty"
    );
    store.erase(&[*one.cid()]).await?;
    assert_eq!(store.get(one.cid()).await?, None, "what was erased is gone");
    let many = store.get_many(&[*one.cid(), *two.cid()]).await?;
    assert_eq!(
        many,
        [None, Some(two.bytes().to_vec())],
        "of many, what was erased is gone too"
    );
    assert!(store.erased(one.cid()).await?, "a tombstone stays");
    assert!(!store.erased(two.cid()).await?, "others have none");
    assert!(
        matches!(
            store.put(vec![one.clone()]).await,
            Err(StoreError::Erased { .. })
        ),
        "what was erased is not taken again"
    );
    assert_eq!(
        store.get(two.cid()).await?.as_deref(),
        Some(two.bytes()),
        "others stay"
    );
    Ok(())
}

/// Runs the suite of a store on one's own disk, on one that [`run`] has used or on an empty one.
///
/// # Panics
/// If the store breaks a rule; the message says which.
///
/// # Errors
/// If the store fails where it must not.
pub async fn run_own(store: &dyn OwnStore) -> Result<(), StoreError> {
    let (stays, goes, gone) = (block(b"stays"), block(b"goes"), block(b"gone for good"));
    store
        .put(vec![stays.clone(), goes.clone(), gone.clone()])
        .await?;
    store.erase(&[*gone.cid()]).await?;
    for _ in 0..2 {
        store
            .remove(&[*goes.cid(), *gone.cid(), *block(b"never").cid()])
            .await?;
        assert_eq!(store.get(goes.cid()).await?, None, "it is taken away");
        assert!(!store.erased(goes.cid()).await?, "and has no tombstone");
        assert!(store.erased(gone.cid()).await?, "another's tombstone stays");
    }
    let bytes = store.get(stays.cid()).await?;
    assert_eq!(bytes.as_deref(), Some(stays.bytes()), "others stay");
    store.put(vec![goes.clone()]).await?;
    let bytes = store.get(goes.cid()).await?;
    assert_eq!(bytes.as_deref(), Some(goes.bytes()), "it may come again");
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn the_memory_double_keeps_the_contract() {
        let store = crate::MemoryStore::new();
        super::run(&store).await.unwrap();
        super::run_own(&store).await.unwrap();
    }
}
