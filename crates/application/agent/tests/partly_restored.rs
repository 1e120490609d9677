//! A restore that did not take everything: whatever seems to be all that there is says that it is not, until it is.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/busy.rs"]
mod busy;
#[path = "support/lacking.rs"]
mod lacking;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use busy::Busy;
use lacking::Without;
use medibloc_agent::answer::code;
use medibloc_dag::Cid;
use medibloc_journey::memory::{MemoryVault, World};
use medibloc_journey::{Party, Ports};
use medibloc_record::Role;
use two::{Two, say, text, try_say, with_ports};

/// What a person reads as all that there is.
const LISTS: [&[&str]; 8] = [
    &["record", "list"],
    &["grant", "list"],
    &["contact", "list"],
    &["request", "list"],
    &["audit"],
    &["status"],
    &["account", "show"],
    &["account", "person"],
];

/// Each list tells all of this and ends with 9; or nothing of a restore, and ends with 0.
async fn lists(home: &Party, told: &[&str]) {
    for words in LISTS {
        let answer = try_say(home, words).await.unwrap();
        let said = &answer.text;
        match told {
            [] => {
                assert!(!said.contains("restore"), "{words:?}: {said}");
                assert_eq!(answer.code, 0, "{words:?}: {said}");
            }
            told => {
                for told in told {
                    assert!(said.contains(told), "{words:?}: {told}: {said}");
                }
                assert_eq!(answer.code, code::PARTIAL, "{words:?}: {said}");
            }
        }
    }
}

const NOT_ALL: &str = "the restore of this home was not finished, so this is not all";

/// Newcomer: "no contacts yet", "you have not said who you are", "0 contacts", and exit code 0 each time.
#[tokio::test]
async fn a_home_whose_notes_were_not_read_says_so_in_every_list() {
    let world = World::new(831);
    let two = Two::new(&world).await;
    say(&two.patient, &["account", "person", "--name", "Kim Min"]).await;
    say(&two.patient, &["sync"]).await;
    let vault = Arc::new(MemoryVault::default());
    let ports = || world.ports_with(vault.clone());
    let node = Busy::default();
    node.set(&node.notes, true);
    let home = with_ports(node.ports(ports()), 1, Role::Person);
    let (home, report) = home.restored().await.unwrap();
    assert!(report.open() > 0, "{report:?}");
    let told = [
        NOT_ALL,
        "notes of this phrase at memory:node",
        "`medibloc sync`",
    ];
    lists(&home, &told).await;
    assert_eq!(try_say(&home, &["sync"]).await.unwrap().code, code::PARTIAL);
    lists(&home, &told).await;
    // The node answers.
    let home = with_ports(ports(), 1, Role::Person);
    assert_eq!(try_say(&home, &["sync"]).await.unwrap().code, 0);
    lists(&home, &[]).await;
    let contacts = try_say(&home, &["contact", "list"]).await.unwrap().text;
    assert!(contacts.contains("Clinic"), "{contacts}");
}

/// Before: the same, of a home that listed no contact since the node that knows it was away.
#[tokio::test]
async fn a_home_whose_own_node_is_not_decided_says_so_in_every_list() {
    let world = World::new(832);
    let two = Two::new(&world).await;
    say(&two.patient, &["sync"]).await;
    let ports = world.ports();
    let vault = ports.vault.clone();
    let away = ["memory:other".to_owned()];
    Party::own_node_waits_for(vault.as_ref(), &away).unwrap();
    let home = with_ports(ports, 1, Role::Person);
    let (home, _) = home.restored().await.unwrap();
    let told = [NOT_ALL, "memory:other did not say", "`medibloc restore`"];
    lists(&home, &told).await;
    let words = ["account", "person", "--name", "Kim Min"];
    let said = try_say(&home, &words).await.unwrap().text;
    assert!(said.contains("once that is decided"), "{said}");
    assert!(said.contains("memory:other did not say"), "{said}");
    Party::own_node_waits_for(vault.as_ref(), &[]).unwrap();
    assert_eq!(try_say(&home, &["sync"]).await.unwrap().code, 0);
    lists(&home, &[]).await;
    let said = try_say(&home, &words).await.unwrap().text;
    assert!(said.contains("it comes back with the phrase"), "{said}");
}

/// Before: "accepted", and nothing else.
#[tokio::test]
async fn a_list_says_which_records_have_no_content_here() {
    let world = World::new(833);
    let two = Two::new(&world).await;
    let there = two.accepted().await;
    let lacking = two.accepted().await;
    let kept = two.patient.record(lacking.parse().unwrap()).unwrap();
    let capsule = Cid::from_dag_cbor_digest(kept.capsule.to_bytes());
    let vault = Arc::new(MemoryVault::default());
    let ports = || world.ports_with(vault.clone());
    let without = Ports {
        network: Arc::new(Without(ports().network, capsule)),
        ..ports()
    };
    let home = with_ports(without, 1, Role::Person);
    let (home, report) = home.restored().await.unwrap();
    assert!(report.open() > 0, "{report:?}");
    lists(&home, &[NOT_ALL, "the content of 1 record is not here"]).await;
    let list = try_say(&home, &["record", "list"]).await.unwrap();
    for (record, is_here) in [(&there, true), (&lacking, false)] {
        let line = list
            .text
            .lines()
            .find(|line| line.starts_with(&record[..12]));
        let lacks = line.unwrap().contains("its content is not here");
        assert_eq!(lacks, !is_here, "{}", list.text);
        let all = list.value.as_array().cloned();
        let all = all.unwrap_or_else(|| list.value["records"].as_array().unwrap().clone());
        let one = all.iter().find(|one| text(one, "/record") == **record);
        assert_eq!(one.unwrap()["contentIsHere"], is_here);
    }
    // The node has it again.
    world.pass(3_600);
    let home = with_ports(ports(), 1, Role::Person);
    assert_eq!(try_say(&home, &["sync"]).await.unwrap().code, 0);
    lists(&home, &[]).await;
}

/// Before: "no consents yet", beside a restore that told of their terms.
#[tokio::test]
async fn a_restored_reader_is_told_of_consents_that_notes_know_alone() {
    let world = World::new(834);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&two.patient, &["grant", "revoke", "--contact", "reader"]).await;
    say(&reader, &["sync"]).await;
    let home = with_ports(world.ports(), 3, Role::Provider);
    let (home, report) = home.restored().await.unwrap();
    assert_eq!(report.noted.consents, 1, "{report:?}");
    let list = try_say(&home, &["grant", "list"]).await.unwrap();
    assert!(
        list.text.contains("the terms of 1 consent"),
        "{}",
        list.text
    );
    assert!(!list.text.contains("no consents yet"), "{}", list.text);
    assert_eq!(list.value["termsInNotes"], 1);
}
