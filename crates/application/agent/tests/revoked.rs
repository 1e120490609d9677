//! What taking back says: what ended, what stands on, and what was taken back before.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::Value;
use two::{Two, refused, say, text, try_say};

async fn live(two: &Two) -> Vec<String> {
    in_state(two, "live").await
}

async fn in_state(two: &Two, state: &str) -> Vec<String> {
    let list = say(&two.patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap().iter();
    given
        .filter(|grant| grant["state"] == state)
        .map(|grant| text(grant, "/id"))
        .collect()
}

/// Approving twice gave a second live consent without a word.
#[tokio::test]
async fn a_request_is_answered_once() {
    let world = World::new(211);
    let two = Two::new(&world).await;
    let (record, other) = (two.accepted().await, two.accepted().await);
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let request = text(&say(&two.patient, &["request", "list"]).await, "/0/id");
    let first = ["request", "approve", "clinic", "--record", &record];
    let given = text(&say(&two.patient, &first).await, "/grant");
    for words in [
        first.as_slice(),
        &[
            "request", "approve", &request, "--record", &record, "--days", "30",
        ],
        &["request", "approve", &request, "--record", &other],
        &["request", "approve", &request, "--all"],
        &["request", "deny", &request],
    ] {
        let told = refused(&two.patient, words, code::REFUSED).await;
        for part in [
            given.as_str(),
            "answered already",
            "until 20",
            "grant create",
        ] {
            assert!(told.contains(part), "{words:?}: {told}");
        }
    }
    assert_eq!(live(&two).await, std::slice::from_ref(&given));

    // Of two requests the open one is answered by name, and the answered one is not in its way.
    let again = ["request", "create", &two.owner, "--reason", "once more"];
    say(&two.clinic, &again).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &other];
    say(&two.patient, &approve).await;
    assert_eq!(live(&two).await.len(), 2);

    // What was taken back is not given again by the same request either.
    say(&two.patient, &["grant", "revoke", &given]).await;
    let words = ["request", "approve", &request, "--record", &record];
    let told = refused(&two.patient, &words, code::REFUSED).await;
    assert!(told.contains("taken back since"), "{told}");
    println!("ATTACK twice-1: approving a request again gives 0 consents");
}

/// An answer that is on its way is gone on with, and is still one.
#[tokio::test]
async fn an_answer_on_its_way_is_gone_on_with() {
    let world = World::new(212);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    let told = try_say(&two.cut_off, &approve).await.unwrap_err();
    assert_eq!(told.code, code::PARTIAL, "{told}");
    let done = try_say(&two.patient, &approve).await.unwrap();
    assert!(done.text.contains("no other consent was given"), "{done:?}");
    assert_eq!(live(&two).await.len(), 1);
}

/// "No keeper releases a share from now on" was said while the same reader could read the record under another consent.
#[tokio::test]
async fn what_still_opens_the_record_is_said() {
    let world = World::new(213);
    let two = Two::new(&world).await;
    let file = two.document();
    let import = ["record", "import", &file, "--class", "7"];
    let record = text(&say(&two.patient, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    let create = ["grant", "create", "--to", "clinic"];
    for scope in [
        ["--record", &record].as_slice(),
        &["--class", "7"],
        &["--all"],
    ] {
        let one = [create.as_slice(), &["--record", &record, "--days", "3"]].concat();
        let one = text(&say(&two.patient, &one).await, "/grant");
        let other = [create.as_slice(), scope, &["--days", "9"]].concat();
        let other = try_say(&two.patient, &other).await.unwrap();
        let others: Vec<String> = match other.value.get("grant") {
            Some(_) => vec![text(&other.value, "/grant")],
            None => other.value["grants"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect(),
        };
        // A class or all consent says every id that it gave.
        for id in &others {
            assert!(other.text.contains(id.as_str()), "{}", other.text);
        }
        let told = try_say(&two.patient, &["grant", "revoke", &one])
            .await
            .unwrap();
        let still = told.value["still"].as_array().unwrap();
        assert!(!still.is_empty(), "{scope:?}: {}", told.text);
        assert!(
            !told.text.contains("keepers follow the chain"),
            "{}",
            told.text
        );
        for stands in still {
            let id = text(stands, "/grant");
            assert!(others.contains(&id), "{scope:?}");
            assert!(
                told.text
                    .contains(&format!("Clinic can still read of it under {id} until 20")),
                "{}",
                told.text
            );
        }
        assert!(told.text.contains("--contact"), "{}", told.text);
        assert!(told.text.contains(&record), "{}", told.text);
        // The last one ends it.
        for (at, id) in others.iter().enumerate() {
            let told = try_say(&two.patient, &["grant", "revoke", id])
                .await
                .unwrap();
            if at + 1 == others.len() {
                assert!(
                    told.text.contains("keepers follow the chain"),
                    "{}",
                    told.text
                );
            }
        }
    }
}

/// Taken back once more was said to be taken back.
#[tokio::test]
async fn what_was_taken_back_before_is_told_as_that() {
    let world = World::new(214);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let create = ["grant", "create", "--to", "clinic", "--record", &record];
    let read = text(&say(&two.patient, &create).await, "/grant");
    let create = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &create).await;
    let list = say(&two.patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap().iter();
    let mut write = given
        .filter(|it| it["scope"] == "write")
        .map(|it| text(it, "/id"));
    for (id, of) in [
        (read, record.as_str()),
        (write.next_back().unwrap(), "write"),
    ] {
        let first = try_say(&two.patient, &["grant", "revoke", &id])
            .await
            .unwrap();
        assert_eq!(first.value["already"], false);
        let again = try_say(&two.patient, &["grant", "revoke", &id])
            .await
            .unwrap();
        assert_eq!(again.value["already"], true);
        let at = text(&again.value, "/revokedAt");
        for part in ["taken back already", &at, "nothing was done"] {
            assert!(again.text.contains(part), "{}", again.text);
        }
        for told in [first.text, again.text] {
            assert!(told.contains("Clinic") && told.contains(of), "{told}");
        }
    }
}

/// The contracts end every permission to write of an author under an address at once.
#[tokio::test]
async fn what_ends_with_a_permission_to_write_is_said() {
    let world = World::new(215);
    let two = Two::new(&world).await;
    let create = ["grant", "create", "--to", "clinic", "--write", "--days"];
    for days in ["30", "400"] {
        say(&two.patient, &[create.as_slice(), &[days]].concat()).await;
    }
    // The newest took the place of the first, whichever of them is taken back.
    let (stands, replaced) = (live(&two).await, in_state(&two, "replaced").await);
    assert_eq!((stands.len(), replaced.len()), (1, 1));
    let told = try_say(&two.patient, &["grant", "revoke", &replaced[0]])
        .await
        .unwrap();
    assert_eq!(told.value["endedWithIt"], Value::from(stands.clone()));
    assert!(told.text.contains(&stands[0]), "{}", told.text);
    assert_eq!(live(&two).await, Vec::<String>::new());
}

/// Open requests of the contact went without a word.
#[tokio::test]
async fn a_contact_that_loses_all_loses_its_requests_and_that_is_said() {
    let world = World::new(216);
    let two = Two::new(&world).await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let words = ["grant", "revoke", "--contact", "clinic"];
    let told = try_say(&two.patient, &words).await.unwrap();
    assert_eq!(told.value["requestsDropped"], 1);
    assert!(
        told.text.contains("1 open request of Clinic is dropped"),
        "{}",
        told.text
    );
    let told = try_say(&two.patient, &words).await.unwrap();
    assert_eq!(told.value["requestsDropped"], 0);
}

/// A revocation or an erasure that waits for the node looked like nothing at all.
#[tokio::test]
async fn what_is_being_taken_back_or_erased_is_shown_as_that() {
    let world = World::new(217);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let create = ["grant", "create", "--to", "clinic", "--record", &record];
    let given = text(&say(&two.patient, &create).await, "/grant");
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let listed = say(&two.patient, &["grant", "list"]).await;
    let ids = listed["given"].as_array().unwrap().iter();
    for id in ids.map(|it| text(it, "/id")) {
        let told = try_say(&two.cut_off, &["grant", "revoke", &id])
            .await
            .unwrap_err();
        assert_eq!(told.code, code::PARTIAL, "{told}");
    }
    let list = try_say(&two.cut_off, &["grant", "list"]).await.unwrap();
    let states = list.value["given"].as_array().unwrap().iter();
    let states: Vec<&Value> = states.map(|it| &it["state"]).collect();
    assert_eq!(states, ["ending", "ending"]);
    assert!(
        list.text.contains("being taken back (waits for the node"),
        "{}",
        list.text
    );

    let erase = ["record", "erase", &record, "--yes"];
    let told = try_say(&two.cut_off, &erase).await.unwrap_err();
    assert_eq!(told.code, code::PARTIAL, "{told}");
    let list = try_say(&two.cut_off, &["record", "list"]).await.unwrap();
    assert_eq!(text(&list.value, "/0/state"), "being erased");
    assert!(list.text.contains("being erased"), "{}", list.text);
    let shown = try_say(&two.cut_off, &["record", "show", &record])
        .await
        .unwrap();
    assert!(shown.text.contains("waits for the node"), "{}", shown.text);
    let path = two.folder.path().join("out");
    let out = path.to_str().unwrap();
    for words in [
        ["record", "export", &record, "--out", out].as_slice(),
        &create,
        &["record", "store", &record],
    ] {
        let told = refused(&two.cut_off, words, code::ERASED).await;
        assert!(told.contains("is being erased"), "{words:?}: {told}");
    }
    assert!(!path.exists());
    // What comes later under a class or all consent is not delivered of it either.
    let all = ["grant", "create", "--to", "clinic", "--all"];
    let _ = try_say(&two.cut_off, &all).await;
    let list = say(&two.cut_off, &["grant", "list"]).await;
    let all = list["given"].as_array().unwrap().iter();
    for grant in all.filter(|it| it["scope"] == "all") {
        assert_eq!(grant["records"], serde_json::json!([]));
    }

    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let list = say(&two.patient, &["record", "list"]).await;
    assert_eq!(text(&list, "/0/state"), "erased");
    let told = say(&two.patient, &["grant", "revoke", &given]).await;
    assert_eq!(told["already"], true);
}

/// A list said `classes: 1 records now`, and nothing which.
#[tokio::test]
async fn a_consent_to_classes_names_their_numbers() {
    let world = World::new(218);
    let two = Two::new(&world).await;
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    let file = two.document();
    let import = ["record", "import", &file, "--class", "7"];
    let record = text(&say(&two.patient, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    let shown = try_say(&two.patient, &["record", "show", &record]).await;
    assert!(shown.unwrap().text.contains("class 7"));
    let create = [
        "grant", "create", "--to", "clinic", "--class", "7", "--class", "9",
    ];
    let given = try_say(&two.patient, &create).await.unwrap();
    assert!(
        given
            .text
            .contains("of class 7, 9, no restricted ones, until"),
        "{}",
        given.text
    );
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(
        list.text.contains("class 7, 9: 1 record now"),
        "{}",
        list.text
    );
    assert_eq!(list.value["given"][0]["classes"], serde_json::json!([7, 9]));
}

/// Two consents of one reader for one record: a line says which one, with its own reason.
#[tokio::test]
async fn the_audit_tells_the_reason_of_the_consent_that_was_read_on() {
    let world = World::new(220);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let mut given = Vec::new();
    for reason in ["first reason", "second reason"] {
        let ask = ["request", "create", &two.owner, "--reason", reason];
        say(&two.clinic, &ask).await;
        say(&two.patient, &["sync"]).await;
        let approve = ["request", "approve", "clinic", "--record", &record];
        given.push((text(&say(&two.patient, &approve).await, "/grant"), reason));
        say(&two.clinic, &["sync"]).await;
    }
    for _ in 0..2 {
        say(&two.clinic, &["read", &record]).await;
        let audits = [&two.patient, &two.clinic];
        for (party, reads) in audits.into_iter().zip(["/reads", "/ownReads"]) {
            let audit = try_say(party, &["audit"]).await.unwrap();
            for read in audit.value.pointer(reads).unwrap().as_array().unwrap() {
                let on = text(read, "/grant");
                let (id, reason) = given.iter().find(|(id, _)| *id == on).unwrap();
                assert_eq!(text(read, "/reason"), *reason, "{read}");
                let line = audit.text.lines().find(|line| line.contains(&id[..12]));
                assert!(line.unwrap().contains(reason), "{}", audit.text);
            }
        }
        // The one that was read on goes: the other one is read on next.
        let on = say(&two.patient, &["audit"]).await;
        let on = text(&on, "/reads/0/grant");
        say(&two.patient, &["grant", "revoke", &on]).await;
        say(&two.clinic, &["sync"]).await;
    }
}

/// Newcomer: `as of block N … live` of a consent that had ended in block N.
#[tokio::test]
async fn a_reader_that_did_not_sync_is_told_that_its_consent_ended() {
    let world = World::new(219);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    let given = text(&say(&two.patient, &approve).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    let state = async || {
        let list = say(&two.clinic, &["grant", "list"]).await;
        text(&list, "/held/0/consent/state")
    };
    assert_eq!(state().await, "live");
    say(&two.patient, &["grant", "revoke", &given]).await;
    assert_eq!(state().await, "revoked");
}

/// The sync that followed had nothing left to tell of what went with it.
#[tokio::test]
async fn a_reader_that_meets_the_end_at_a_read_is_told_what_went_with_it() {
    let world = World::new(971);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    let given = text(&say(&two.patient, &give).await, "/grant");
    say(&reader, &["sync"]).await;
    let read = say(&reader, &["read", &record, "--later"]).await;
    assert_eq!(read["planned"], false, "its pace is `now`");
    say(&two.patient, &["grant", "revoke", &given]).await;
    let told = refused(&reader, &["read", &record, "--kept"], code::REFUSED).await;
    let ended = format!("consent {given} has ended");
    let purged = format!("the copy of record {record} was purged with its consent");
    assert!(told.contains(&ended) && told.contains(&purged), "{told}");
}
