//! A consent to all or to a class says what it leaves out: restricted records, and what its request did not ask for.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, document, refused, say, text, try_say};

/// An own restricted record, accepted.
async fn restricted(two: &Two, more: &[&str]) -> String {
    let path = two.folder.path().join("restricted.xml");
    let normal = r#"<confidentialityCode code="N""#;
    let text = document().replace(normal, &normal.replace('N', "R"));
    assert_ne!(text, document());
    std::fs::write(&path, text).unwrap();
    let import = ["record", "import", path.to_str().unwrap()];
    let record = two::text(
        &say(&two.patient, &[import.as_slice(), more].concat()).await,
        "/record",
    );
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    record
}

#[tokio::test]
async fn what_a_consent_to_all_leaves_out_is_said() {
    let world = World::new(1020);
    let two = Two::new(&world).await;
    two.reader(&world, 3).await;
    two.accepted().await;
    let record = restricted(&two, &["--class", "5"]).await;
    let short = &record[..12];

    for (words, to) in [
        (
            ["grant", "create", "--to", "reader", "--all"].as_slice(),
            "all your records",
        ),
        (
            &["grant", "create", "--to", "clinic", "--class", "5"],
            "your records of class 5",
        ),
    ] {
        let given = try_say(&two.patient, words).await.unwrap();
        let head = format!("may read {to}, no restricted ones, until");
        for part in [&head, short, "--up-to restricted"] {
            assert!(given.text.contains(part), "{part}: {}", given.text);
        }
        assert_eq!(given.value["upTo"], "normal");
        assert_eq!(text(&given.value, "/leftOut/0/record"), record);
        assert_eq!(text(&given.value, "/leftOut/0/sensitivity"), "restricted");
    }
    let list = try_say(&two.patient, &["grant", "list"]).await.unwrap();
    for part in [
        "may read all: 1 record now, no restricted ones (1 left out)",
        "may read class 5: 0 records now, no restricted ones (1 left out)",
    ] {
        assert!(list.text.contains(part), "{part}: {}", list.text);
    }
    let all = list.value["given"].as_array().unwrap().iter();
    let mut all =
        all.filter(|given| given["scope"] == "all" && given["leftOut"][0]["record"] == *record);
    assert_eq!(all.next().unwrap()["upTo"], "normal");

    let shown = try_say(&two.patient, &["record", "show", &record])
        .await
        .unwrap();
    assert_eq!(shown.value["sensitivity"], "restricted");
    assert_eq!(shown.value["leftOutOf"].as_array().unwrap().len(), 2);
    for part in ["it is restricted", "--up-to restricted", "Reader", "Clinic"] {
        assert!(shown.text.contains(part), "{part}: {}", shown.text);
    }
    let listed = try_say(&two.patient, &["record", "list"]).await.unwrap();
    assert!(listed.text.contains(", restricted"), "{}", listed.text);

    let words = [
        "grant",
        "create",
        "--to",
        "reader",
        "--all",
        "--up-to",
        "restricted",
        "--days",
        "9",
    ];
    let given = try_say(&two.patient, &words).await.unwrap();
    let head = "may read all your records, no very restricted ones, until";
    assert!(given.text.contains(head), "{}", given.text);
    assert_eq!(given.value["leftOut"], serde_json::json!([]));
}

#[tokio::test]
async fn what_a_request_did_not_ask_for_is_said_of_the_consent() {
    let world = World::new(1021);
    let two = Two::new(&world).await;
    let record = restricted(&two, &[]).await;
    let ask = [
        "request",
        "create",
        &two.owner,
        "--category",
        "laboratory",
        "--since",
        "2020-01-01",
    ];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--all"];
    let given = try_say(&two.patient, &approve).await.unwrap();
    let limits = "only laboratory since 2020-01-01, no restricted ones";
    let head = format!("may read all your records, {limits}, until");
    assert!(given.text.contains(&head), "{}", given.text);
    // It is none that was asked for.
    assert!(!given.text.contains(&record[..12]), "{}", given.text);
    say(&two.clinic, &["sync"]).await;
    for home in [&two.patient, &two.clinic] {
        let list = try_say(home, &["grant", "list"]).await.unwrap();
        let told = format!("may read all: 0 records now, {limits}");
        assert!(list.text.contains(&told), "{}", list.text);
    }
    let list = say(&two.patient, &["grant", "list"]).await;
    let all = list["given"].as_array().unwrap().iter();
    let all: Vec<_> = all.filter(|given| given["scope"] == "all").collect();
    assert_eq!(all[0]["categories"], serde_json::json!(["laboratory"]));
    assert_eq!(all[0]["dates"]["since"], "2020-01-01");
    // What it leaves out for its category is counted where it is given, listed and shown.
    assert_eq!(given.value["leftOutByCategoryOrDate"], 1);
    let line = "left out, for their category or date: 1 record";
    assert!(given.text.contains(line), "{}", given.text);
    // One consent for each own address: the record is of one of them.
    let counted = all
        .iter()
        .map(|one| one["leftOutByCategoryOrDate"].as_u64());
    assert_eq!(counted.sum::<Option<u64>>(), Some(1));
    let shown = try_say(&two.patient, &["record", "show", &record])
        .await
        .unwrap();
    let told = "left out of what was given to Clinic, for its category or date";
    assert!(shown.text.contains(told), "{}", shown.text);
    assert_eq!(shown.value["leftOutOf"].as_array().unwrap().len(), 1);

    // A consent that has ended is listed as narrow as it was.
    say(&two.patient, &["grant", "revoke", "--contact", "clinic"]).await;
    say(&two.clinic, &["sync"]).await;
    for (home, records) in [
        (&two.patient, "of it still here"),
        (&two.clinic, "while it stood"),
    ] {
        let list = try_say(home, &["grant", "list"]).await.unwrap();
        let told = format!("could read all, {limits}: 0 records {records}");
        assert!(list.text.contains(&told), "{}", list.text);
    }
}

/// One record that is restricted is given only if that is said, offered or asked for.
#[tokio::test]
async fn one_restricted_record_is_not_given_without_a_word() {
    let world = World::new(1022);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = restricted(&two, &[]).await;
    say(&two.clinic, &["request", "create", &two.owner]).await;
    say(&two.patient, &["sync"]).await;
    let offer = ["grant", "create", "--to", "reader", "--record", &record];
    let answer = ["request", "approve", "clinic", "--record", &record];
    for words in [offer.as_slice(), &answer] {
        let told = refused(&two.patient, words, code::REFUSED).await;
        for part in [
            "is restricted (Composition.confidentiality is R)",
            "Nothing was given",
            "--up-to restricted",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    let list = say(&two.patient, &["grant", "list"]).await;
    assert_eq!(list["given"], serde_json::json!([]));
    for words in [offer.as_slice(), &answer] {
        let meant = [words, &["--up-to", "restricted"]].concat();
        let given = try_say(&two.patient, &meant).await.unwrap();
        let told = "it is restricted (Composition.confidentiality is R)";
        assert!(given.text.contains(told), "{}", given.text);
        assert_eq!(given.value["sensitivity"], "restricted");
    }
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
}

/// Newcomer: the hint was to say the answer to a request once more, which was over.
#[tokio::test]
async fn what_is_said_to_give_what_a_request_left_out_gives_it() {
    let world = World::new(1024);
    let two = Two::new(&world).await;
    let record = restricted(&two, &[]).await;
    let shown = say(&two.patient, &["record", "show", &record]).await;
    let category = text(&shown, "/category");
    let ask = ["request", "create", &two.owner, "--category", &category];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", "clinic", "--all"];
    let given = try_say(&two.patient, &approve).await.unwrap();
    let hint = "`medibloc grant create --record ID --up-to restricted` gives one of them; for all of them it asks again, and you answer with `--up-to \
                restricted`";
    for part in [hint, &record[..12]] {
        assert!(given.text.contains(part), "{part}: {}", given.text);
    }
    let one = [
        "grant",
        "create",
        "--to",
        "clinic",
        "--record",
        &record,
        "--up-to",
        "restricted",
    ];
    assert_eq!(text(&say(&two.patient, &one).await, "/record"), record);
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &[ask.as_slice(), &["--days", "3"]].concat()).await;
    say(&two.patient, &["sync"]).await;
    let again = [approve.as_slice(), &["--up-to", "restricted"]].concat();
    let given = say(&two.patient, &again).await;
    assert_eq!(given["leftOut"], serde_json::json!([]));
}

/// Newcomer: a request for one category was refused for what it did not ask for.
#[tokio::test]
async fn what_the_limits_of_a_consent_leave_out_keeps_nobody_from_giving_the_rest() {
    let world = World::new(1023);
    let two = Two::new(&world).await;
    let permit = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &permit).await;
    let person = ["account", "person", "--name", "Eve Betterhalf"];
    say(&two.patient, &person).await;
    two.written(&[]).await;
    let file = two.folder.path().join("other.xml");
    std::fs::write(&file, document().replace("Betterhalf", "Otherhalf")).unwrap();
    let import = [
        "record",
        "import",
        file.to_str().unwrap(),
        "--for",
        &two.owner,
        "--yes",
    ];
    let more = ["--other-person", "--sensitivity", "restricted"];
    let wrong = text(
        &say(&two.clinic, &[import.as_slice(), &more].concat()).await,
        "/record",
    );
    say(&two.patient, &["sync"]).await;
    let ask = ["request", "create", &two.owner, "--category", "laboratory"];
    say(&two.clinic, &ask).await;
    say(&two.patient, &["sync"]).await;

    let up_to = ["--up-to", "restricted"];
    let all = ["grant", "create", "--to", "clinic", "--all"];
    let wide = [all.as_slice(), &up_to].concat();
    let told = refused(&two.patient, &wide, code::REFUSED).await;
    assert!(told.contains(&wrong), "{told}");
    let approve = ["request", "approve", "clinic", "--all"];
    for words in [[approve.as_slice(), &up_to].concat(), all.to_vec()] {
        let given = try_say(&two.patient, &words).await;
        assert!(given.is_ok(), "{words:?}: {given:?}");
    }
    say(&two.clinic, &["sync"]).await;
    let held = say(&two.clinic, &["grant", "list"]).await;
    assert!(!held["held"].to_string().contains(&wrong), "{held}");
}
