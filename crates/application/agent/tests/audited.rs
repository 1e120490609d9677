//! `medibloc audit` of one contact, and of some days.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use clap::error::ErrorKind;
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say, why_not};

fn count(audit: &Value, list: &str) -> usize {
    audit[list].as_array().unwrap().len()
}

#[tokio::test]
async fn reads_of_one_contact_and_of_some_days_are_shown_alone() {
    let world = World::new(970);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let record = two.accepted().await;
    two.give_as(&record, &["--days", "30"]).await;
    let give = ["grant", "create", "--to", "clinic", "--record", &record];
    say(&two.patient, &[give.as_slice(), &["--days", "30"]].concat()).await;
    // The clinic reads on the first day, the reader on the third.
    let first = text(&say(&two.clinic, &["status"]).await, "/chain/time");
    say(&two.clinic, &["sync"]).await;
    say(&two.clinic, &["read", &record]).await;
    world.pass(2 * 86_400);
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &record]).await;
    say(&two.patient, &["sync"]).await;
    let first: jiff::Timestamp = first.parse().unwrap();
    let day = |days: i64| {
        let at = first + jiff::SignedDuration::from_hours(24 * days);
        at.to_string()[..10].to_owned()
    };
    let (one, two_on, three, four) = (day(0), day(1), day(2), day(3));
    let all = say(&two.patient, &["audit"]).await;
    assert_eq!((count(&all, "reads"), &all["chosen"]), (2, &Value::Null));
    let rows: [(&[&str], &[&str]); 15] = [
        // The first and the last day that can be written.
        (&["--until", "9999-12-31"], &["Clinic", "Reader"]),
        (&["--from", "9999-12-31"], &[]),
        (&["--from", "0001-01-01"], &["Clinic", "Reader"]),
        (&["--until", "0001-01-01"], &[]),
        (&["--from", "1969-12-31"], &["Clinic", "Reader"]),
        (
            &["--from", "0001-01-01", "--until", "9999-12-31"],
            &["Clinic", "Reader"],
        ),
        (&["--of", "clinic"], &["Clinic"]),
        (&["--of", "reader"], &["Reader"]),
        (&["--from", &one, "--until", &two_on], &["Clinic"]),
        // Half open: the first day after is not in it.
        (&["--until", &three], &["Clinic"]),
        (&["--until", &four], &["Clinic", "Reader"]),
        (&["--from", &three], &["Reader"]),
        (&["--from", &four], &[]),
        (&["--of", "clinic", "--from", &three], &[]),
        (
            &["--of", "reader", "--from", &three, "--until", &four],
            &["Reader"],
        ),
    ];
    for (words, names) in rows {
        let words = [&["audit"], words].concat();
        let audit = try_say(&two.patient, &words).await.unwrap();
        let found: Vec<String> = (0..count(&audit.value, "reads"))
            .map(|at| text(&audit.value, &format!("/reads/{at}/name")))
            .collect();
        assert_eq!(found, names, "{words:?}");
        for name in ["Clinic", "Reader"] {
            let told = audit.text.contains(&format!("{name} was cleared"));
            assert_eq!(told, names.contains(&name), "{words:?}: {}", audit.text);
        }
        assert_eq!(
            audit.text.contains("none of the reads"),
            names.is_empty(),
            "{words:?}"
        );
    }
    // The other side: of one owner's records.
    say(&two.clinic, &["contact", "label", &two.owner, "Mrs Kim"]).await;
    for (words, reads) in [
        (["--of", "Mrs Kim"], 1),
        (["--until", &one], 0),
        (["--from", &one], 1),
    ] {
        let words = [["audit"].as_slice(), &words].concat();
        let audit = say(&two.clinic, &words).await;
        assert_eq!(count(&audit, "ownReads"), reads, "{words:?}");
    }
    let chosen = &say(&two.clinic, &["audit", "--of", "Mrs Kim", "--from", &one]).await["chosen"];
    assert_eq!(
        *chosen,
        json!({"of": "Mrs Kim", "from": one, "until": null})
    );
    // Proof files of what is shown alone.
    let folder = two.folder.path().join("proofs");
    let proofs = [
        "audit",
        "--of",
        "clinic",
        "--proofs",
        folder.to_str().unwrap(),
    ];
    assert_eq!(count(&say(&two.patient, &proofs).await, "proofs"), 1);
    let nobody = ["audit", "--of", "nobody"];
    let told = refused(&two.patient, &nobody, code::UNKNOWN).await;
    assert!(told.contains("nobody"), "{told}");
    for day in [
        "10000-01-01",
        "0000-12-31",
        "99999999999-01-01",
        "2026-2-30",
    ] {
        for option in ["--from", "--until"] {
            let wrong = why_not(&["audit", option, day]);
            assert_eq!(wrong, ErrorKind::ValueValidation, "{option} {day}");
        }
    }
    let none = ["audit", "--from", &one, "--until", &one];
    refused(&two.patient, &none, code::USAGE).await;
}
