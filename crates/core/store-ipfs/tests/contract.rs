//! The contract of every store, kept on a real disk.

use medibloc_store_ipfs::{IpfsStore, Options};

#[tokio::test]
async fn it_keeps_the_contract_of_stores() {
    let dir = tempfile::tempdir().unwrap();
    let store = IpfsStore::open(dir.path(), Options::default()).unwrap();
    medibloc_store::contract::run(&store).await.unwrap();
    medibloc_store::contract::run_own(&store).await.unwrap();
    assert!(store.check().await.unwrap().is_sound());
}
