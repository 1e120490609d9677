//! Who wrote to whom, and from where, is not known at a node for ever.

use std::sync::atomic::Ordering;

use medibloc_api::paths;
use medibloc_dag::cbor;
use medibloc_keys::SigningKey;
use medibloc_node::DailyLimits;
use medibloc_record::{Nonce, Timestamp};
use rusqlite::Connection;

use crate::http::{Draft, Ground, NOW, letter, serve};

const DAY: u64 = 86_400;

/// How many rows a table of one of the node's files has.
fn rows(ground: &Ground, file: &str, table: &str) -> u32 {
    let db = Connection::open(ground.folder.path().join(file)).unwrap();
    let count = format!("SELECT COUNT(*) FROM {table}");
    db.query_row(&count, [], |row| row.get(0)).unwrap()
}

async fn write(ground: &Ground, url: &str, from: &SigningKey, to: &SigningKey, number: u8) {
    let now = Timestamp(ground.now.load(Ordering::SeqCst));
    let draft = Draft::post(paths::MAILBOX, cbor::to_vec(&letter(from, to, number, 10)));
    let header = draft.sign_with(url, from, Nonce::new([number; 32]), now.plus(60));
    draft.send(url, Some(&header)).await.unwrap();
}

#[tokio::test]
async fn who_wrote_to_whom_is_forgotten_ninety_days_after_the_last_letter() {
    let ground = Ground::new();
    let (victim, friend, other) = (
        ground.registered(1).await,
        ground.registered(2).await,
        ground.registered(3).await,
    );
    // As a version before this one left it: for ever, and without a time.
    let of_before = Connection::open(ground.folder.path().join("gateway.sqlite")).unwrap();
    of_before
        .execute_batch(
            "CREATE TABLE wrote (
                account BLOB NOT NULL, other BLOB NOT NULL, PRIMARY KEY (account, other)) WITHOUT ROWID;
             INSERT INTO wrote VALUES (zeroblob(20), randomblob(20));",
        )
        .unwrap();
    drop(of_before);
    let (said, upkeep) = std::sync::mpsc::channel();
    let url = serve(|url| {
        let (router, upkeep) = ground.gateway_with_upkeep(url, DailyLimits::default());
        said.send(upkeep).unwrap();
        router
    })
    .await;
    let upkeep = upkeep.recv().unwrap();
    let known = || rows(&ground, "gateway.sqlite", "wrote_to");
    let at = |seconds: u64| ground.now.store(NOW.0 + seconds, Ordering::SeqCst);
    write(&ground, &url, &victim, &friend, 1).await;
    assert!(upkeep.once().await);
    assert_eq!(known(), 2, "that of before counts from now on");
    assert_eq!(rows(&ground, "gateway.sqlite", "wrote"), 0);
    at(89 * DAY);
    write(&ground, &url, &victim, &other, 2).await;
    // What comes back renews what its sender knows alone.
    write(&ground, &url, &friend, &victim, 3).await;
    assert!(upkeep.once().await);
    assert_eq!(known(), 4);
    at(91 * DAY);
    assert!(upkeep.once().await);
    assert_eq!(known(), 2, "the last letters of two of them");
    assert_eq!(rows(&ground, "gateway.sqlite", "letters"), 2);
    at(180 * DAY);
    assert!(upkeep.once().await);
    assert_eq!(
        (known(), rows(&ground, "gateway.sqlite", "letters")),
        (0, 0)
    );
}

#[tokio::test]
async fn what_was_used_on_the_days_before_is_forgotten_though_nobody_comes() {
    let ground = Ground::new();
    let (victim, friend) = (ground.registered(1).await, ground.registered(2).await);
    let (said, upkeep) = std::sync::mpsc::channel();
    let url = serve(|url| {
        let (router, upkeep) = ground.gateway_with_upkeep(url, DailyLimits::default());
        said.send(upkeep).unwrap();
        router
    })
    .await;
    let upkeep = upkeep.recv().unwrap();
    write(&ground, &url, &victim, &friend, 1).await;
    assert!(upkeep.once().await);
    assert!(rows(&ground, "gate.sqlite", "spent") > 0);
    ground.now.store(NOW.0 + DAY, Ordering::SeqCst);
    assert!(upkeep.once().await);
    assert_eq!(rows(&ground, "gate.sqlite", "spent"), 0);
}
