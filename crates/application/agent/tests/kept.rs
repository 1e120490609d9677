//! What is kept of another's record goes when its owner says so, whenever the next sync is.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::answer::code;
use medibloc_journey::VaultPort;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_record::Role;

use gone::without_chain;
use two::{Two, refused, say, with_ports};

#[tokio::test]
async fn a_kept_copy_is_shown_only_while_the_chain_lets_it() {
    let world = World::new(270);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let reader = two.reader(&world, 3).await;
    let mut records = Vec::new();
    for _ in 0..3 {
        let record = two.written(&[]).await;
        two.give(&record).await;
        say(&reader, &["sync"]).await;
        say(&reader, &["read", &record]).await;
        records.push(record);
    }
    let out = two.folder.path().join("kept.xml");
    let kept = |record: &str| -> Vec<String> {
        let out = out.to_str().unwrap();
        ["read", record, "--kept", "--out", out]
            .map(str::to_owned)
            .to_vec()
    };
    let words = |record: &str| kept(record);
    let grants = say(&two.patient, &["grant", "list"]).await;
    let grants = grants["given"].as_array().unwrap().iter();
    let mut of = grants.filter(|given| given["records"][0] == *records[1]);
    let grant = of.next().unwrap()["id"].as_str().unwrap().to_owned();
    say(&two.patient, &["record", "erase", &records[0], "--yes"]).await;
    say(&two.patient, &["grant", "revoke", &grant]).await;
    // No sync of the reader's comes between.
    for (record, with) in [(&records[0], code::ERASED), (&records[1], code::REFUSED)] {
        let words = words(record);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        for _ in 0..2 {
            refused(&reader, &words, with).await;
        }
        assert!(!out.exists());
        assert!(
            reader
                .read_before(record.parse().unwrap())
                .unwrap()
                .is_none(),
            "it is gone"
        );
    }
    say(&reader, &["read", &records[2], "--kept"]).await;
    println!("ATTACK fourth-8: refused and gone, with no sync between");
}

#[tokio::test]
async fn a_kept_copy_ends_with_its_consent_though_the_chain_is_away() {
    let world = World::new(271);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let vault: Arc<dyn VaultPort> = Arc::new(MemoryVault::default());
    let reader = with_ports(world.ports_with(vault.clone()), 3, Role::Provider);
    two.know(&world, &reader).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    let away = with_ports(without_chain(world.ports_with(vault)), 3, Role::Provider);
    refused(&away, &["read", &record, "--kept"], code::UNREACHABLE).await;
    world.pass(3_650 * 86_400);
    let told = refused(&away, &["read", &record, "--kept"], code::REFUSED).await;
    assert!(told.contains("expired"), "{told}");
}

/// A copy was shown, and written to a new file, of what had been erased or taken back, or whose consent was over, without a word.
#[tokio::test]
async fn nothing_that_is_kept_is_shown_while_the_chain_does_not_say_that_it_may_be() {
    let world = World::new(273);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let reader = two.reader(&world, 3).await;
    let vault = reader.ports().vault.clone();
    let away = || without_chain(world.ports_with(vault.clone()));
    let mut records = Vec::new();
    for _ in 0..4 {
        let record = two.written(&[]).await;
        two.give(&record).await;
        say(&reader, &["sync"]).await;
        say(&reader, &["read", &record]).await;
        records.push(record);
    }
    let given = say(&two.patient, &["grant", "list"]).await;
    let mut given = given["given"].as_array().unwrap().iter();
    let grant = given.find(|given| given["records"][0] == *records[1]);
    let grant = grant.unwrap()["id"].as_str().unwrap();
    say(&two.patient, &["record", "erase", &records[0], "--yes"]).await;
    say(&two.patient, &["grant", "revoke", grant]).await;
    say(&two.clinic, &["record", "retract", &records[2], "--yes"]).await;
    let (mut facts, mut events) = (away(), away());
    // What answers of it does not say enough.
    facts.facts = world.ports().facts;
    events.events = world.ports().events;
    let all = [away(), events, facts];
    for ports in &all {
        let reader = with_ports(ports.clone(), 3, Role::Provider);
        for record in &records[..3] {
            for out in ["kept.xml", "-"] {
                let path = two.folder.path().join(out);
                let out = if out == "-" {
                    out
                } else {
                    path.to_str().unwrap()
                };
                let words = ["read", record, "--kept", "--out", out];
                let problem = two::try_say(&reader, &words).await.unwrap_err();
                let over = [code::UNREACHABLE, code::ERASED, code::REFUSED];
                assert!(over.contains(&problem.code), "{problem}");
                assert!(!path.exists());
            }
        }
    }
    let gone = with_ports(away(), 3, Role::Provider);
    let kept = ["read", &records[3], "--kept"];
    let told = refused(&gone, &kept, code::UNREACHABLE).await;
    for part in ["the kept copy is not shown", "until the chain answers"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    say(&reader, &kept).await;
}

/// The same of an own record that another device of the phrase erased.
#[tokio::test]
async fn what_another_device_erased_is_exported_by_none() {
    let world = World::new(272);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let phone = with_ports(world.ports(), 1, Role::Person);
    say(&phone, &["sync"]).await;
    let out = two.folder.path().join("phone.xml");
    let export = ["record", "export", &record, "--out", out.to_str().unwrap()];
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    refused(&phone, &export, code::ERASED).await;
    assert!(!out.exists());
}

/// A copy was opened and written out while the account was suspended, though `status` says that it reads nothing.
#[tokio::test]
async fn a_kept_copy_stays_closed_while_its_reader_is_suspended() {
    let world = World::new(274);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    let out = two.folder.path().join("suspended.xml");
    let kept = ["read", &record, "--kept", "--out", out.to_str().unwrap()];
    world.ledger.suspend(reader.account().id());
    for _ in 0..2 {
        let told = refused(&reader, &kept, code::REFUSED).await;
        assert!(told.contains("suspended"), "{told}");
        assert!(!out.exists());
        say(&reader, &["sync"]).await;
    }
    let list = two::try_say(&two.patient, &["grant", "list"]).await;
    let list = list.unwrap().text;
    assert!(list.contains("it is given nothing until"), "{list}");
    world.ledger.try_reinstate(reader.account().id()).unwrap();
    say(&reader, &kept).await;
    assert!(out.exists());
}
