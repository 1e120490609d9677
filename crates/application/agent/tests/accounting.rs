//! What an owner is told of copies, consents and reads is what is known: never more.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use std::collections::BTreeMap;

use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{LedgerError, Outcome, Relay, SignedCall};
use medibloc_record::Role;
use serde_json::Value;
use two::{Two, refused, say, text, try_say};

/// A record that the clinic may read: the record and the consent.
async fn given(two: &Two) -> (String, String) {
    let record = two.accepted().await;
    let create = ["grant", "create", "--to", "clinic", "--record", &record];
    let grant = text(&say(&two.patient, &create).await, "/grant");
    say(&two.clinic, &["sync"]).await;
    (record, grant)
}

/// Another home of the clinic, from its phrase.
async fn restored(world: &std::sync::Arc<World>) -> Party {
    let phrase = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
    let restored = Party::restore(&phrase, Role::Provider, world.ports()).await;
    restored.unwrap().0
}

async fn only_given(two: &Two) -> Value {
    say(&two.patient, &["grant", "list"]).await["given"][0].clone()
}

/// "Copies purged", 0 files, was said while the file that the home of before wrote out was there.
#[tokio::test]
async fn a_restored_reader_does_not_know_which_files_were_written_out() {
    let world = World::new(301);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    let out = two.folder.path().join("read.xml").display().to_string();
    let read = ["read", &record, "--out", &out, "--now", "--yes"];
    say(&two.clinic, &read).await;

    let clinic = restored(&world).await;
    say(&two.patient, &["grant", "revoke", &grant]).await;
    let told = try_say(&clinic, &["sync"]).await.unwrap().text;
    assert!(told.contains("look for them yourself"), "{told}");
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    let unknown = "which files it wrote out is not known";
    assert!(told.contains(unknown), "{told}");
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(list.text.contains("its copy is gone"), "{}", list.text);
    assert!(list.text.contains(unknown), "{}", list.text);
    assert!(!list.text.contains("copies purged"), "{}", list.text);
    let given = only_given(&two).await;
    assert_eq!(given["purged"], true);
    assert_eq!(given["files_kept"], Value::Null);
    assert_eq!(given["files_unknown"], true);
    assert!(std::path::Path::new(&out).exists());

    // The home that wrote it out says what it knows; that does not make the other's statement known.
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(only_given(&two).await["files_kept"], Value::Null);
}

#[tokio::test]
async fn a_restored_reader_whose_phrase_never_read_knows_that_nothing_was_written_out() {
    let world = World::new(302);
    let two = Two::new(&world).await;
    let (_, grant) = given(&two).await;
    let clinic = restored(&world).await;
    say(&two.patient, &["grant", "revoke", &grant]).await;
    say(&clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(list.text.contains("copies purged"), "{}", list.text);
    assert_eq!(only_given(&two).await["files_kept"], 0);
}

#[tokio::test]
async fn what_went_to_standard_output_is_told_as_left() {
    let world = World::new(303);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    let read = ["read", &record, "--out", "-", "--now", "--yes"];
    say(&two.clinic, &read).await;
    let again = ["read", &record, "--kept", "--out", "-"];
    say(&two.clinic, &again).await;
    let own = ["record", "export", &record, "--out", "-"];
    say(&two.patient, &own).await;

    say(&two.patient, &["grant", "revoke", &grant]).await;
    let told = try_say(&two.clinic, &["sync"]).await.unwrap().text;
    assert!(told.contains("standard output"), "{told}");
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    let left = "it was written to standard output 2 times, the last on 20";
    assert!(told.contains(left), "{told}");
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(list.text.contains(left), "{}", list.text);
    let given = only_given(&two).await;
    assert_eq!(given["files_kept"], 0);
    assert_eq!(given["outputs"]["times"], 2);

    // The owner's own, too.
    let told = refused(&two.patient, &["record", "erase", &record], code::USAGE).await;
    assert!(told.contains("written to standard output 1 time"), "{told}");
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let shown = try_say(&two.patient, &["record", "show", &record]).await;
    let shown = shown.unwrap();
    assert!(
        shown.text.contains("written to standard output 1 time"),
        "{}",
        shown.text
    );
    assert_eq!(shown.value["outputs"]["times"], 1);
}

/// Of an erased record the same is told as of an ended consent.
#[tokio::test]
async fn an_erased_record_says_what_its_readers_have_left() {
    let world = World::new(304);
    let two = Two::new(&world).await;
    let (record, _) = given(&two).await;
    let read = ["read", &record, "--out", "-", "--now", "--yes"];
    say(&two.clinic, &read).await;
    let clinic = restored(&world).await;
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    say(&clinic, &["sync"]).await;
    say(&two.clinic, &["sync"]).await;
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    assert!(told.contains("standard output 1 time"), "{told}");
    let shown = try_say(&two.patient, &["record", "show", &record]).await;
    let shown = shown.unwrap();
    for part in [
        "which files it wrote out is not known",
        "standard output 1 time",
    ] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    assert_eq!(shown.value["readers"][0]["filesKept"], Value::Null);
}

/// A new read was made, with a receipt, where no copy was kept.
#[tokio::test]
async fn a_copy_that_is_not_kept_is_not_read_anew() {
    let world = World::new(305);
    let two = Two::new(&world).await;
    let (record, _) = given(&two).await;
    let kept = ["read", &record, "--kept"];
    let receipts = async || {
        let audit = say(&two.patient, &["audit"]).await;
        audit["reads"].as_array().unwrap().len()
    };
    let meant = ["read", &record, "--kept", "--now", "--yes"];
    for words in [kept.as_slice(), &meant] {
        let told = refused(&two.clinic, words, code::UNKNOWN).await;
        assert!(told.contains("Nothing was read now"), "{told}");
    }
    assert_eq!(receipts().await, 0);
    say(&two.clinic, &["read", &record, "--now", "--yes"]).await;
    say(&two.clinic, &kept).await;
    let clinic = restored(&world).await;
    let told = refused(&clinic, &kept, code::UNKNOWN).await;
    assert!(told.contains("a kept copy of record"), "{told}");
    assert_eq!(receipts().await, 1);
}

/// "Since when is it in force, and who read meanwhile" had no answer.
#[tokio::test]
async fn an_order_that_takes_time_says_when_and_who_read_meanwhile() {
    let world = World::new(306);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    say(&two.clinic, &["read", &record, "--now", "--yes"]).await;
    world.pass(100);
    let told = refused(&two.cut_off, &["grant", "revoke", &grant], code::PARTIAL).await;
    assert!(told.contains("medibloc sync"), "{told}");
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    for part in ["being taken back", "ordered 20", "not in force yet"] {
        assert!(list.text.contains(part), "{part}: {}", list.text);
    }
    let ordered = text(&list.value, "/given/0/ordered");
    let last = &list.value["given"][0]["orderedAfter"];
    let (seen, seen_at) = (last["block"].as_u64().unwrap(), text(last, "/time"));
    let words =
        format!("ordered {ordered} by this machine's clock, after block {seen} ({seen_at})");
    world.pass(100);
    say(&two.clinic, &["read", &record, "--now", "--yes"]).await;
    world.pass(100);

    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    let id = text(&list.value, "/given/0/id");
    let done = format!("revocation of a grant to Clinic ({id}), {words}, in force since block ");
    assert!(told.contains(&done), "{told}");
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    let end = &list.value["given"][0]["revoked"];
    assert_eq!(text(end, "/ordered"), ordered);
    let (block, time) = (end["block"].as_u64().unwrap(), text(end, "/time"));
    assert!(time > ordered, "{time}");
    let since = format!("revoked, {words}, in force since block {block} ({time})");
    assert!(list.text.contains(&since), "{}", list.text);

    let audit = try_say(&two.patient, &["audit"]).await.unwrap();
    let after = format!(
        "cleared after you ordered the end ({ordered} by this machine's clock), when block {seen} was the last, before it was in \
         force in block {block} at {time}"
    );
    assert_eq!(audit.value["reads"][0]["afterOrder"], Value::Null);
    assert_eq!(audit.value["reads"][1]["afterOrder"], after.as_str());
    assert_eq!(audit.text.matches(&after).count(), 1, "{}", audit.text);

    // Another home of the phrase has block and time from the chain.
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let other = Party::restore(&phrase, Role::Person, world.ports()).await;
    let list = say(&other.unwrap().0, &["grant", "list"]).await;
    let end = list.pointer("/given/0/revoked").unwrap();
    assert_eq!(
        (&end["block"], &end["ordered"]),
        (&block.into(), &Value::Null)
    );
    assert_eq!(text(end, "/time"), time);
}

/// 1970 was said as the begin of every consent, and an erasure hid that the consent had been taken back.
#[tokio::test]
async fn a_consent_says_when_it_was_given_and_both_of_its_ends() {
    let world = World::new(307);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    for party in [&two.patient, &two.clinic] {
        let list = say(party, &["grant", "list"]).await;
        let consent = match list["given"].as_array().unwrap().is_empty() {
            true => list["held"][0]["consent"].clone(),
            false => {
                let all = list["given"].as_array().unwrap();
                let read = all.iter().find(|one| one["scope"] == "one");
                read.unwrap().clone()
            }
        };
        assert_eq!(consent["from"], Value::Null);
        assert!(consent["given"]["block"].is_u64(), "{consent}");
        assert!(text(&consent, "/given/time").starts_with("20"), "{consent}");
        assert_eq!(consent["revoked"], Value::Null);
    }
    let told = try_say(&two.patient, &["grant", "revoke", &grant]).await;
    let told = told.unwrap().text;
    assert!(told.contains("in force since block"), "{told}");
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    for part in [
        "opens nothing (the record was erased 20",
        "taken back, ordered 20",
        "in force since block",
    ] {
        assert!(list.text.contains(part), "{part}: {}", list.text);
    }
    let given = only_given(&two).await;
    assert_eq!(given["state"], "erased");
    assert!(text(&given, "/recordErased").starts_with("20"), "{given}");
    assert!(given["revoked"]["block"].is_u64(), "{given}");
}

/// A consent to all records signed others from each new address, and nobody said so.
#[tokio::test]
async fn a_consent_to_all_says_that_others_follow_and_which_did() {
    let world = World::new(308);
    let two = Two::new(&world).await;
    two.accepted().await;
    let create = ["grant", "create", "--to", "clinic", "--all"];
    let told = try_say(&two.patient, &create).await.unwrap();
    assert!(
        told.text
            .contains("Clinic learns that the address is yours"),
        "{}",
        told.text
    );
    assert_eq!(told.value["followsByItself"], true);
    let given = text(&told.value, "/grants/0");
    say(&two.patient, &["sync"]).await;
    say(&two.clinic, &["sync"]).await;

    // Another contact comes, and with it another address.
    let other = two::party(&world, 9, Role::Provider);
    say(&other, &["account", "register"]).await;
    let jwt = world.accredit(other.account().id(), "Bit Clinic");
    let file = two.folder.path().join("other-credential");
    std::fs::write(&file, jwt).unwrap();
    say(&other, &["account", "credential", file.to_str().unwrap()]).await;
    let invitation = say(&two.patient, &["contact", "invite"]).await;
    let invitation = text(&invitation, "/invitation");
    say(&other, &["contact", "accept", &invitation]).await;
    let mut standing = Vec::new();
    for _ in 0..4 {
        let told = try_say(&two.patient, &["sync"]).await.unwrap();
        let lines = told.value["standing"].as_array().unwrap().clone();
        for line in &lines {
            let line = format!(
                "consent that followed by itself: {}",
                line.as_str().unwrap()
            );
            assert!(told.text.contains(&line), "{}", told.text);
        }
        standing.extend(lines);
        say(&two.clinic, &["sync"]).await;
    }
    let told: Vec<&str> = standing.iter().map(|line| line.as_str().unwrap()).collect();
    assert!(!told.is_empty());
    for line in &told {
        assert!(
            line.contains("for Clinic was given from your address"),
            "{line}"
        );
        assert!(line.contains("learns that this address is yours"), "{line}");
    }

    let revoked = try_say(&two.patient, &["grant", "revoke", &given]).await;
    let revoked = revoked.unwrap();
    let others = revoked.value["others"].as_array().unwrap();
    let still = revoked.value["still"].as_array().unwrap();
    assert!(others.len() + still.len() >= told.len(), "{}", revoked.text);
    for other in others {
        assert!(
            revoked.text.contains(&text(other, "/grant")),
            "{}",
            revoked.text
        );
    }
    assert!(revoked.text.contains("--contact"), "{}", revoked.text);
}

/// What came of it was told as not known by every sync, though its consent had been taken back and nothing could come of it.
#[tokio::test]
async fn a_read_that_never_left_ends_with_its_consent() {
    let world = World::new(310);
    let two = Two::new(&world).await;
    let (record, _) = given(&two).await;
    let mut ports = two.clinic.ports().clone();
    ports.relay = gone::without_chain(ports.clone()).relay;
    let away = two::with_ports(ports, 2, Role::Provider);
    let read = ["read", &record, "--now", "--yes"];
    refused(&away, &read, code::PARTIAL).await;
    let told = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert!(told.text.contains("not known yet"), "{}", told.text);
    say(&two.patient, &["grant", "revoke", "--everything"]).await;
    let told = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert!(told.text.contains("was not cleared"), "{}", told.text);
    assert_eq!(told.code, 0, "{}", told.text);
    let status = say(&two.clinic, &["status"]).await;
    assert_eq!(status["unfinished"], serde_json::json!([]));
}

/// A read that had failed was sent by the next sync, when nobody read.
#[tokio::test]
async fn a_read_that_failed_does_not_happen_later() {
    let world = World::new(309);
    let two = Two::new(&world).await;
    let (record, _) = given(&two).await;
    let read = ["read", &record, "--now", "--yes"];
    let reads = async || say(&two.patient, &["audit"]).await["reads"].clone();
    // Nothing left.
    let mut ports = two.clinic.ports().clone();
    ports.submit = gone::without_chain(ports.clone()).submit;
    let away = two::with_ports(ports, 2, Role::Provider);
    refused(&away, &read, code::UNREACHABLE).await;
    say(&two.clinic, &["sync"]).await;
    assert_eq!(reads().await, serde_json::json!([]));
    let status = say(&two.clinic, &["status"]).await;
    assert_eq!(status["unfinished"], serde_json::json!([]));

    // It may have left: that is said, and it is not sent again.
    let mut ports = two.clinic.ports().clone();
    ports.relay = gone::without_chain(ports.clone()).relay;
    let away = two::with_ports(ports, 2, Role::Provider);
    let told = refused(&away, &read, code::PARTIAL).await;
    assert!(told.contains("had left and may count"), "{told}");
    let told = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert!(told.text.contains("not known yet"), "{}", told.text);
    assert_eq!(told.code, code::PARTIAL);
    world.pass(2 * 3_600);
    let told = try_say(&two.clinic, &["sync"]).await.unwrap().text;
    assert!(told.contains("was not cleared"), "{told}");
    say(&two.clinic, &["sync"]).await;
    assert_eq!(reads().await, serde_json::json!([]));

    // It did leave, and its answer was lost.
    let mut ports = two.clinic.ports().clone();
    ports.relay = std::sync::Arc::new(Deaf(ports.relay.clone()));
    let deaf = two::with_ports(ports, 2, Role::Provider);
    refused(&deaf, &read, code::PARTIAL).await;
    let told = try_say(&two.clinic, &["sync"]).await.unwrap().text;
    assert!(told.contains("was cleared all the same"), "{told}");
    assert_eq!(reads().await.as_array().unwrap().len(), 1);
    let audit = try_say(&two.clinic, &["audit"]).await.unwrap();
    assert_eq!(audit.value["ownReads"][0]["opened"], false);
    assert!(
        audit.text.contains("cleared, not opened here"),
        "{}",
        audit.text
    );
    // Read after all, with the same receipt.
    say(&two.clinic, &read).await;
    let audit = say(&two.clinic, &["audit"]).await;
    assert_eq!(audit["ownReads"].as_array().unwrap().len(), 1);
    assert_eq!(audit["ownReads"][0]["opened"], true);
}

/// A relay whose answers are lost.
struct Deaf(std::sync::Arc<dyn Relay>);

#[async_trait::async_trait]
impl Relay for Deaf {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        self.0.relay(call).await?;
        Err(LedgerError::Unreachable {
            from: "the node".into(),
            why: "no answer".into(),
        })
    }
}

/// A provider's reads on what had ended before its restore lost their terms without a word why.
#[tokio::test]
async fn a_read_says_its_title_and_what_it_was_for_and_what_of_it_is_lost() {
    let world = World::new(310);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    say(&two.clinic, &["read", &record, "--now", "--yes"]).await;
    let title = text(
        &say(&two.patient, &["record", "show", &record]).await,
        "/title",
    );
    for party in [&two.patient, &two.clinic] {
        let audit = try_say(party, &["audit"]).await.unwrap().text;
        let named = format!("{} «{title}»", &record[..12]);
        for part in [named.as_str(), "(TREAT, treatment"] {
            assert!(audit.contains(part), "{part}: {audit}");
        }
    }
    let audit = say(&two.clinic, &["audit"]).await;
    assert_eq!(audit["ownReads"][0]["opened"], true);
    let verified = try_say(&two.patient, &["record", "verify", &record]).await;
    let verified = verified.unwrap().text;
    assert!(verified.contains(", time 20"), "{verified}");

    say(&two.patient, &["grant", "revoke", &grant]).await;
    let clinic = restored(&world).await;
    let audit = try_say(&clinic, &["audit"]).await.unwrap();
    for part in [
        "cleared; whether it was opened is not known here",
        "(TREAT, treatment",
    ] {
        assert!(audit.text.contains(part), "{part}: {}", audit.text);
    }
    // Its node withholds what the home of before noted.
    world.set_notes(BTreeMap::new());
    let clinic = restored(&world).await;
    let audit = try_say(&clinic, &["audit"]).await.unwrap();
    let receipt = text(&audit.value, "/ownReads/0/receipt");
    // The home of before may have opened it, and may not.
    assert_eq!(audit.value["ownReads"][0]["opened"], Value::Null);
    assert!(!audit.text.contains("read here"), "{}", audit.text);
    for part in [
        "cleared; whether it was opened is not known here",
        "whose end, purpose and reason are not here",
        "a backup of the home of before",
        "provable by the chain",
        &receipt[..12],
    ] {
        assert!(audit.text.contains(part), "{part}: {}", audit.text);
    }
}

/// A restored owner said of a reader that it had not said that it purged, though it had told the home of before.
#[tokio::test]
async fn a_restored_owner_says_that_it_has_not_been_told_of_a_purge() {
    let world = World::new(311);
    let two = Two::new(&world).await;
    let (record, _) = given(&two).await;
    say(&two.clinic, &["read", &record, "--now", "--yes"]).await;
    say(
        &two.patient,
        &["record", "erase", &record, "--yes", "--now"],
    )
    .await;
    say(&two.clinic, &["sync"]).await;
    say(&two.patient, &["sync"]).await;
    let show = ["record", "show", record.as_str()];
    let told = try_say(&two.patient, &show).await.unwrap().text;
    assert!(told.contains("it says that it purged its copy"), "{told}");
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let told = try_say(&restored.unwrap().0, &show).await.unwrap().text;
    let untold = "this home has not been told that it purged its copy";
    assert!(told.contains(untold), "{told}");
}

#[tokio::test]
async fn a_restored_owner_says_that_it_does_not_know_when_an_end_was_ordered() {
    let world = World::new(312);
    let two = Two::new(&world).await;
    let (_, grant) = given(&two).await;
    say(&two.patient, &["grant", "revoke", &grant]).await;
    say(&two.patient, &["sync"]).await;
    let unknown = "when it was ordered is not known here";
    let before = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(!before.text.contains(unknown), "{}", before.text);
    // The object of a consent that has ended may be there for a while.
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let restored = Party::restore(&phrase, Role::Person, world.ports()).await;
    let again = try_say(&restored.unwrap().0, &["grant", "list"]).await;
    let again = again.unwrap();
    for part in ["in force since block", unknown] {
        assert!(again.text.contains(part), "{part}: {}", again.text);
    }
    assert_eq!(again.value["given"][0]["ordered"], Value::Null);
}

/// Before: "copies purged", `files_unknown: false`, while the file was there under another name.
#[tokio::test]
async fn a_file_that_was_moved_is_not_known_to_be_gone() {
    let world = World::new(306);
    let two = Two::new(&world).await;
    let (record, grant) = given(&two).await;
    let path = |name: &str| two.folder.path().join(name).display().to_string();
    let (read, moved) = (path("m1.xml"), path("m2.xml"));
    let words = ["read", &record, "--out", &read, "--now", "--yes"];
    say(&two.clinic, &words).await;
    std::fs::rename(&read, &moved).unwrap();
    say(&two.patient, &["grant", "revoke", &grant]).await;
    let told = try_say(&two.clinic, &["sync"]).await.unwrap().text;
    let lost = "it is not where it was written";
    assert!(told.contains(&read) && told.contains(lost), "{told}");
    let told = try_say(&two.patient, &["sync"]).await.unwrap().text;
    let unknown = "which files it wrote out is not known";
    assert!(told.contains(unknown), "{told}");
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    assert!(!list.text.contains("copies purged"), "{}", list.text);
    let given = only_given(&two).await;
    assert_eq!(
        (&given["files_unknown"], &given["files_kept"]),
        (&Value::Bool(true), &Value::Null)
    );

    // The owner's own, too.
    let (own, moved) = (path("f1.xml"), path("f2.xml"));
    say(&two.patient, &["record", "export", &record, "--out", &own]).await;
    std::fs::rename(&own, &moved).unwrap();
    let told = refused(&two.patient, &["record", "erase", &record], code::USAGE).await;
    assert!(told.contains(&own), "{told}");
    for words in [
        &["record", "erase", &record, "--yes"][..],
        &["record", "show", &record],
        &["record", "verify", &record],
    ] {
        let said = try_say(&two.patient, words).await;
        let said = said.map_or_else(|told| told.message, |answer| answer.text);
        assert!(said.contains(&own) && said.contains(lost), "{said}");
    }
    assert!(std::path::Path::new(&moved).exists());
}
