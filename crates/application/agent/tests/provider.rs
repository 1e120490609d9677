//! What a provider's home says of itself: what it read, what it may, and how its contacts stand with the authority.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/gone.rs"]
mod gone;
#[path = "support/two.rs"]
mod two;

use gone::without_chain;
use medibloc_agent::answer::code;
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use two::{Two, refused, say, text, try_say, with_ports};

/// It was told that nobody read anything, and had no proof of what it had been cleared for.
#[tokio::test]
async fn a_home_that_reads_shows_and_proves_its_own_reads() {
    let world = World::new(251);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let nothing = try_say(&two.clinic, &["audit"]).await.unwrap();
    assert!(
        nothing.text.contains("this home read none"),
        "{}",
        nothing.text
    );
    let ask = [
        "request",
        "create",
        &two.owner,
        "--reason",
        "second opinion",
    ];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--record", &record];
    say(&two.patient, &approve).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    say(&two.clinic, &["sync"]).await;
    let receipt = text(&say(&two.clinic, &["read", &record]).await, "/receipt");

    let folder = two.folder.path().join("proofs");
    let with_proofs = ["audit", "--proofs", folder.to_str().unwrap()];
    let audit = try_say(&two.clinic, &with_proofs).await.unwrap();
    let read = &audit.value["ownReads"][0];
    assert_eq!(text(read, "/receipt"), receipt);
    assert_eq!(text(read, "/record"), record);
    assert_eq!(text(read, "/purpose"), "TREAT");
    assert_eq!(text(read, "/reason"), "second opinion");
    let consent = text(read, "/grant");
    let (until, owner) = (text(read, "/until"), text(read, "/paired"));
    for part in [
        "read here",
        &record[..12],
        &owner,
        &consent[..12],
        &until,
        &receipt[..12],
    ] {
        assert!(audit.text.contains(part), "{part}: {}", audit.text);
    }
    let file = text(&audit.value, "/proofs/0");
    let verified = say(&two.clinic, &["verify", &file]).await;
    assert_eq!(
        (&verified["verified"], &verified["chainAgrees"]),
        (&true.into(), &true.into())
    );
    assert_eq!(text(&verified, "/receipt"), receipt);

    // The owner sees the same, with what it was for.
    let audit = try_say(&two.patient, &["audit"]).await.unwrap();
    assert_eq!(audit.value["ownReads"], serde_json::json!([]));
    assert_eq!(text(&audit.value, "/reads/0/grant"), consent);
    for part in ["TREAT", "second opinion", &consent[..12], &until] {
        assert!(audit.text.contains(part), "{part}: {}", audit.text);
    }

    let list = try_say(&two.clinic, &["contact", "list"]).await.unwrap();
    let from = &list.value["owners"][0];
    assert_eq!(from["consentsHeld"], 1);
    assert_eq!(from["consentsUntil"], until.as_str());
    let writes = text(from, "/mayWriteUntil");
    assert!(
        list.text.contains(&writes) && list.text.contains(&until),
        "{}",
        list.text
    );
    let status = try_say(&two.clinic, &["status"]).await.unwrap();
    assert_eq!(status.value["others"]["mayWrite"], 1);
    assert_eq!(status.value["others"]["consentsHeld"], 1);
    assert!(
        status.text.contains("1 permission to write"),
        "{}",
        status.text
    );

    // The read stays in what it says when the consent is over.
    say(&two.patient, &["grant", "revoke", &consent]).await;
    say(&two.clinic, &["sync"]).await;
    let audit = say(&two.clinic, &["audit"]).await;
    assert_eq!(text(&audit, "/ownReads/0/receipt"), receipt);
}

/// Its home may be in a thief's hands; what the thief took back was the owner's to give to nobody.
#[tokio::test]
async fn a_suspended_provider_takes_nothing_back_and_nothing_of_it_is_kept() {
    let world = World::new(254);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let record = two.written(&[]).await;
    let account = two.clinic.account().id();
    let retract = ["record", "retract", &record, "--yes"];
    let unfinished = async || {
        let status = try_say(&two.clinic, &["status"]).await.unwrap();
        status.text.contains("taking back record")
    };

    // Kept while nobody carries it, and suspended before somebody does.
    let away = without_chain(two.clinic.ports().clone());
    let away = with_ports(away, 2, Role::Provider);
    refused(&away, &retract, code::PARTIAL).await;
    assert!(unfinished().await);
    world.ledger.suspend(account);
    let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert!(synced.text.contains("reinstate"), "{}", synced.text);
    assert!(!unfinished().await, "it was refused and has ended");

    let told = refused(&two.clinic, &retract, code::REFUSED).await;
    for part in [
        "suspended by the authority",
        "reinstate",
        "medibloc record erase",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(!unfinished().await);
    let synced = say(&two.patient, &["sync"]).await;
    assert_eq!(synced["retracted"], serde_json::json!([]));

    world.ledger.try_reinstate(account).unwrap();
    let synced = say(&two.clinic, &["sync"]).await;
    assert_eq!(synced["done"], serde_json::json!([]), "nothing was kept");
    say(&two.clinic, &retract).await;
    let synced = say(&two.patient, &["sync"]).await;
    assert_eq!(synced["retracted"], serde_json::json!([record]));
}

/// Nobody else can: its author is suspended, and the contracts take nothing back for it.
#[tokio::test]
async fn an_owner_takes_a_misfiled_record_of_a_suspended_author_from_every_reader() {
    let world = World::new(257);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let reader = two.reader(&world, 3).await;
    let record = two.written(&[]).await;
    two.give(&record).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    let show = ["record", "show", &record];
    let before = try_say(&two.patient, &show).await.unwrap();
    assert_eq!(before.value["authorStanding"], "accredited");
    assert!(!before.text.contains("suspended"), "{}", before.text);

    world.ledger.suspend(two.clinic.account().id());
    let shown = try_say(&two.patient, &show).await.unwrap();
    assert_eq!(shown.value["authorStanding"], "suspended");
    for told in ["who can take nothing back", "medibloc record erase"] {
        assert!(shown.text.contains(told), "{told}: {}", shown.text);
    }
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
    let synced = say(&reader, &["sync"]).await;
    assert_eq!(synced["purged"], serde_json::json!([record]), "{synced}");
    refused(&reader, &["read", &record], code::ERASED).await;
    let kept = ["read", &record, "--kept"];
    refused(&reader, &kept, code::ERASED).await;
    say(&two.patient, &["sync"]).await;
    let shown = try_say(&two.patient, &show).await.unwrap();
    assert!(
        shown.text.contains("it says that it purged its copy"),
        "{}",
        shown.text
    );
}

#[tokio::test]
async fn a_suspended_contact_is_told_and_shown() {
    let world = World::new(252);
    let two = Two::new(&world).await;
    let standing = async || {
        let list = try_say(&two.patient, &["contact", "list"]).await.unwrap();
        let standing = text(&list.value, "/contacts/0/standing");
        assert_eq!(
            list.text.contains("SUSPENDED"),
            standing == "suspended",
            "{}",
            list.text
        );
        standing
    };
    assert_eq!(standing().await, "accredited");
    world.ledger.suspend(two.clinic.account().id());
    assert_eq!(standing().await, "suspended");
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(
        synced
            .text
            .contains("Clinic was suspended by the authority"),
        "{}",
        synced.text
    );
    let synced = try_say(&two.patient, &["sync"]).await.unwrap();
    assert!(
        !synced.text.contains("suspended"),
        "once is enough: {}",
        synced.text
    );
}

/// Only `account show` said it: the home seemed sound, and nothing of it was taken.
#[tokio::test]
async fn a_suspended_home_says_so() {
    let world = World::new(255);
    let two = Two::new(&world).await;
    let doctor = async || match try_say(&two.clinic, &["doctor"]).await {
        Ok(answer) => answer.text,
        Err(problem) => problem.message,
    };
    let status = async || try_say(&two.clinic, &["status"]).await.unwrap();
    assert!(doctor().await.contains("ok   standing: accredited"));
    assert_eq!(text(&status().await.value, "/standing"), "accredited");
    world.ledger.suspend(two.clinic.account().id());
    let told = doctor().await;
    assert!(told.contains("FAIL standing: SUSPENDED"), "{told}");
    let told = status().await;
    assert!(told.text.contains("SUSPENDED by its authority"), "{told:?}");
    assert_eq!(text(&told.value, "/standing"), "suspended");
    world
        .ledger
        .try_reinstate(two.clinic.account().id())
        .unwrap();
    assert!(!status().await.text.contains("SUSPENDED"));
}

/// It was told as a broken invitation.
#[tokio::test]
async fn a_missing_file_is_no_broken_invitation() {
    let world = World::new(253);
    let two = Two::new(&world).await;
    for (typed, said) in [
        (
            "no/such/invitation.txt",
            "no such file: no/such/invitation.txt",
        ),
        ("medibloc:invite:2:e30", "invitation"),
    ] {
        let told = refused(&two.clinic, &["contact", "accept", typed], code::INPUT).await;
        assert!(told.contains(said), "{told}");
        assert_eq!(
            told.contains("no such file"),
            !typed.starts_with("medibloc:"),
            "{told}"
        );
    }
}

/// It knew nothing of what it had written, so could not take back what it had filed under the wrong person.
#[tokio::test]
async fn a_home_that_was_restored_lists_and_takes_back_what_it_wrote_before() {
    let world = World::new(254);
    let two = Two::new(&world).await;
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let mut written = Vec::new();
    for _ in 0..3 {
        let file = two.document();
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        written.push(text(&say(&two.clinic, &import).await, "/record"));
    }
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "erase", &written[2], "--yes"]).await;
    // The home is lost; the phrase is not.
    let phrase = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
    let restored = Party::restore(&phrase, Role::Provider, world.ports()).await;
    let (restored, report) = restored.unwrap();
    assert!(report.sync.acts.is_empty(), "{report:?}");

    let list = try_say(&restored, &["record", "list", "--written"]).await;
    let list = list.unwrap();
    let rows = list.value.as_array().unwrap();
    assert_eq!(rows.len(), 3, "{}", list.text);
    let row = |id: &str| rows.iter().find(|row| row["record"] == *id).unwrap();
    for id in &written[..2] {
        let row = row(id);
        assert_eq!(text(row, "/owner"), two.owner);
        assert_eq!(text(row, "/state"), "accepted");
        assert!(text(row, "/at").starts_with("20"), "{row}");
        assert_eq!(row["title"], serde_json::Value::Null);
    }
    assert_eq!(text(row(&written[2]), "/state"), "erased");
    let unknown = list.text.matches("title not known in this home").count();
    assert_eq!(unknown, 2, "{}", list.text);
    let shown = try_say(&restored, &["record", "show", &written[0][..12]]).await;
    let shown = shown.unwrap().text;
    assert!(shown.contains("title not known in this home"), "{shown}");
    assert!(shown.contains("accepted"), "{shown}");
    // Read from the beginning once more, it is the same.
    let again = Party::restore(&phrase, Role::Provider, restored.ports().clone()).await;
    let (restored, _) = again.unwrap();
    let same = say(&restored, &["record", "list", "--written"]).await;
    assert_eq!(same, list.value);

    let told = refused(&restored, &["record", "retract", &written[0]], code::USAGE).await;
    assert!(told.contains("title not known in this home"), "{told}");
    say(&restored, &["record", "retract", &written[0], "--yes"]).await;
    let list = say(&restored, &["record", "list", "--written"]).await;
    let list = list.as_array().unwrap().iter();
    let back = list.filter(|row| row["state"] == "taken back by you");
    assert_eq!(
        back.map(|row| text(row, "/record")).collect::<Vec<_>>(),
        written[..1]
    );
    let synced = say(&two.patient, &["sync"]).await;
    assert_eq!(text(&synced, "/retracted/0"), written[0]);
    let shown = try_say(&two.patient, &["record", "show", &written[0]]).await;
    let shown = shown.unwrap().text;
    assert!(shown.contains("its author took it back"), "{shown}");
    // What it wrote before is corrected, too; what the owner erases is gone.
    let file = two.document();
    say(&restored, &["sync"]).await;
    let amend = [
        "record",
        "import",
        &file,
        "--yes",
        "--for",
        &two.owner,
        "--amends",
        &written[1],
    ];
    let better = text(&say(&restored, &amend).await, "/record");
    say(&two.patient, &["sync"]).await;
    let shown = say(&two.patient, &["record", "show", &better]).await;
    assert_eq!(text(&shown, "/amends"), written[1]);
    say(&two.patient, &["record", "erase", &written[1], "--yes"]).await;
    say(&restored, &["sync"]).await;
    let list = say(&restored, &["record", "list", "--written"]).await;
    let list = list.as_array().unwrap().iter();
    let gone = list.filter(|row| row["state"] == "erased");
    assert_eq!(gone.count(), 2);
}

/// Before: "was cleared to read it", of a receipt that every keeper refused.
#[tokio::test]
async fn a_receipt_that_keepers_refused_is_told_as_that() {
    let world = World::new(256);
    let two = Two::new(&world).await;
    let record = two.accepted().await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &give).await;
    say(&two.clinic, &["sync"]).await;
    let shown = async || {
        say(&two.patient, &["sync"]).await;
        let show = ["record", "show", &record];
        try_say(&two.patient, &show).await.unwrap()
    };
    world.ledger.suspend(two.clinic.account().id());
    refused(&two.clinic, &["read", &record], code::REFUSED).await;
    world.pass(3_600);
    let told = shown().await;
    assert!(told.text.contains("was cleared to read it"), "{told:?}");
    assert!(told.text.contains(": a receipt, and no keeper"), "{told:?}");
    assert!(told.text.contains("suspended"), "{told:?}");
    assert_eq!(told.value["reads"][0]["refusedBy"], 7, "{told:?}");
    world
        .ledger
        .try_reinstate(two.clinic.account().id())
        .unwrap();
    say(&two.clinic, &["read", &record]).await;
    world.pass(3_600);
    // The read that was let is another receipt.
    let told = shown().await;
    let refused = told.text.matches(": a receipt, and no keeper").count();
    assert_eq!(refused, 1, "{told:?}");
    assert_eq!(told.value["reads"][1]["refusedBy"], 0, "{told:?}");
}
