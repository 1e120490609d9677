//! A document under the wrong person: its author is asked before, takes it back after, and owner and readers are told.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use two::{Two, document, refused, say, text, try_say};

/// The clinic may write; another clinic is paired, too.
async fn writing(seed: u64) -> (std::sync::Arc<World>, Two) {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    say(
        &two.patient,
        &["grant", "create", "--to", "clinic", "--write"],
    )
    .await;
    (world, two)
}

/// A document that is about somebody else.
fn of_somebody_else(two: &Two) -> String {
    let path = two.folder.path().join("other.xml");
    let text = document();
    let other = text.replace("Betterhalf", "Otherhalf");
    assert_ne!(text, other, "the document names Eve Betterhalf");
    std::fs::write(&path, other).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_was_filed_under_the_wrong_person_is_taken_back_and_everybody_is_told() {
    let (world, two) = writing(241).await;
    let reader = two.reader(&world, 3).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let record = text(&say(&two.clinic, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    let give = ["grant", "create", "--to", "reader", "--record", &record];
    say(&two.patient, &give).await;
    say(&reader, &["sync"]).await;
    assert_eq!(say(&reader, &["read", &record]).await["retracted"], false);

    let retract = ["record", "retract", &record];
    let told = refused(&two.clinic, &retract, code::USAGE).await;
    for part in ["for ever", "--yes", "--amends", &two.owner] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // Only its author does, and nobody takes back an own one.
    let told = refused(
        &two.patient,
        &["record", "retract", &record, "--yes"],
        code::UNKNOWN,
    )
    .await;
    assert!(told.contains("record erase"), "{told}");
    let done = say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    assert_eq!(done["retracted"], true);
    // Its owner's home has not heard of it yet; the chain has.
    refused(&two.patient, &give, code::REFUSED).await;
    let all = ["grant", "create", "--to", "reader", "--all"];
    say(&two.patient, &all).await;
    // Said again it is done already.
    say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    let list = say(&two.clinic, &["record", "list", "--written"]).await;
    assert_eq!(text(&list, "/0/state"), "taken back by you");
    let told = refused(&two.clinic, &import, code::ALREADY).await;
    for part in ["and you took it back at ", "(block ", "--again"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let synced = try_say(&two.clinic, &["sync"]).await.unwrap();
    assert!(!synced.text.contains("ALARM"), "{}", synced.text);

    for home in [&two.patient, &reader] {
        let synced = try_say(home, &["sync"]).await.unwrap();
        assert_eq!(text(&synced.value, "/retracted/0"), record);
        assert!(
            synced.text.contains("taken back by its author"),
            "{}",
            synced.text
        );
        let again = try_say(home, &["sync"]).await.unwrap();
        assert_eq!(again.value["retracted"], serde_json::json!([]));
    }
    for words in [["record", "list"].as_slice(), &["record", "show", &record]] {
        let shown = try_say(&two.patient, words).await.unwrap();
        assert!(
            shown.text.contains("taken back by its author")
                || shown.text.contains("its author took it back"),
            "{}",
            shown.text
        );
    }
    let kept = ["read", &record, "--kept"];
    for words in [["read", &record, "--retracted"], kept] {
        let read = try_say(&reader, &words).await.unwrap();
        assert_eq!(read.value["retracted"], true);
        assert!(
            read.text.contains("ITS AUTHOR TOOK IT BACK"),
            "{}",
            read.text
        );
    }
    // It is given to nobody without a word.
    let told = refused(&two.patient, &give, code::REFUSED).await;
    assert!(told.contains("taken back"), "{told}");
    assert!(told.contains("--retracted"), "{told}");
    say(&two.patient, &["sync"]).await;
    say(&reader, &["sync"]).await;
    let held = say(&reader, &["grant", "list"]).await;
    let all = held["held"].as_array().unwrap().iter();
    let mut all = all.filter(|held| held["consent"]["scope"] == "all");
    let all = all.next().unwrap();
    assert_eq!(all["records"], serde_json::json!([]), "{all}");
    // Its owner erases it; nothing is left to take back.
    say(&two.patient, &["record", "erase", &record, "--yes"]).await;
}

#[tokio::test]
async fn a_document_of_another_person_is_asked_about_before_and_marked_after() {
    let (_, two) = writing(242).await;
    let mut right = Vec::new();
    for _ in 0..2 {
        let file = two.document();
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let written = try_say(&two.clinic, &import).await.unwrap();
        let name = text(&written.value, "/patient/name");
        assert!(written.text.contains(&name), "{}", written.text);
        right.push(text(&written.value, "/record"));
    }
    let file = of_somebody_else(&two);
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let told = refused(&two.clinic, &import, code::REFUSED).await;
    for part in [
        "nothing was written",
        "--other-person",
        "Otherhalf",
        "Betterhalf",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(right.iter().any(|id| told.contains(&id[..12])), "{told}");
    let list = say(&two.clinic, &["record", "list", "--written"]).await;
    assert_eq!(list.as_array().unwrap().len(), 2);
    let import = [import.as_slice(), &["--other-person"]].concat();
    let wrong = text(&say(&two.clinic, &import).await, "/record");

    say(&two.patient, &["sync"]).await;
    let marked = "names another person than your other records";
    let list = try_say(&two.patient, &["record", "list"]).await.unwrap();
    for record in list.value.as_array().unwrap() {
        assert_eq!(record["state"], "accepted", "nothing is refused for it");
        assert_eq!(
            record["otherPerson"],
            record["record"] == *wrong,
            "{record}"
        );
    }
    assert_eq!(list.text.matches(marked).count(), 1, "{}", list.text);
    let shown = try_say(&two.patient, &["record", "show", &wrong])
        .await
        .unwrap();
    assert!(shown.text.contains(marked), "{}", shown.text);
    // It is given to nobody without a word, alone or with others; nothing is signed before.
    let create = ["grant", "create", "--to", "clinic"];
    for scope in [["--record", wrong.as_str()].as_slice(), &["--all"]] {
        let give = [&create, scope].concat();
        let told = refused(&two.patient, &give, code::REFUSED).await;
        for part in [&wrong, "Otherhalf", "Nothing was given", "--other-person"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let grants = say(&two.patient, &["grant", "list"]).await;
        let given = grants["given"].as_array().unwrap().iter();
        assert_eq!(given.filter(|given| given["scope"] != "write").count(), 0);
    }
    let give = [create.as_slice(), &["--record", &right[0]]].concat();
    say(&two.patient, &give).await;
    let give = [create.as_slice(), &["--record", &wrong, "--other-person"]].concat();
    let given = say(&two.patient, &give).await;
    assert_eq!(text(&given, "/record"), wrong);
    // Nothing of whom it named outlives it.
    say(&two.patient, &["record", "erase", &wrong, "--yes"]).await;
    let list = try_say(&two.patient, &["record", "list"]).await.unwrap();
    assert!(!list.text.contains(marked), "{}", list.text);
    let shown = say(&two.patient, &["record", "show", &wrong]).await;
    assert!(!shown.to_string().contains("birthDate"), "{shown}");
}

/// What was taken back or erased says nothing of who the patient is: nobody is asked about it again, on either side.
#[tokio::test]
async fn a_record_that_was_taken_back_or_erased_names_the_patient_no_more() {
    let (_, two) = writing(243).await;
    let import = |file: &str| {
        let words = ["record", "import", file, "--for", &two.owner, "--yes"];
        words.map(str::to_owned)
    };
    let file = of_somebody_else(&two);
    let words = import(&file);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let wrong = text(&say(&two.clinic, &words).await, "/record");
    let right = two.document();
    let right = import(&right);
    let right: Vec<&str> = right.iter().map(String::as_str).collect();
    // It stands, so it counts.
    refused(&two.clinic, &right, code::REFUSED).await;
    say(&two.clinic, &["record", "retract", &wrong, "--yes"]).await;
    let good = text(&say(&two.clinic, &right).await, "/record");
    say(&two.patient, &["sync"]).await;
    let others = |list: &serde_json::Value| {
        let rows = list.as_array().unwrap().iter();
        let rows = rows.filter(|row| row["otherPerson"] == true);
        rows.map(|row| text(row, "/record")).collect::<Vec<_>>()
    };
    let list = say(&two.patient, &["record", "list"]).await;
    assert_eq!(
        others(&list),
        std::slice::from_ref(&wrong),
        "the one that stands is the patient's"
    );

    // Its owner erases the good one, and this home has not heard of it yet: the chain says so.
    say(&two.patient, &["record", "erase", &good, "--yes"]).await;
    let other = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{other}\n")).unwrap();
    say(&two.clinic, &words).await;
}

async fn held_records(reader: &medibloc_journey::Party) -> Vec<String> {
    say(reader, &["sync"]).await;
    let held = say(reader, &["grant", "list"]).await;
    let held = held["held"].as_array().unwrap().iter();
    let records = held.flat_map(|held| held["records"].as_array().unwrap().clone());
    records
        .map(|record| record.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn no_standing_consent_passes_on_what_names_another_person_until_its_owner_says_it_is_theirs()
{
    for seed in [244, 245] {
        let (world, two) = writing(seed).await;
        let reader = two.reader(&world, 3).await;
        let file = two.document();
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let right = text(&say(&two.clinic, &import).await, "/record");
        say(&two.patient, &["sync"]).await;
        let later = seed == 245;
        let all = ["grant", "create", "--to", "reader", "--all"];
        if !later {
            say(&two.patient, &all).await;
        }
        let file = of_somebody_else(&two);
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let import = [import.as_slice(), &["--other-person"]].concat();
        let wrong = text(&say(&two.clinic, &import).await, "/record");
        if later {
            // Not here yet, so nothing is asked about; it is when it comes.
            say(&two.patient, &all).await;
        }
        let synced = try_say(&two.patient, &["sync"]).await.unwrap();
        let told = format!("`medibloc record confirm {}` says that", &wrong[..12]);
        assert!(synced.text.contains(&told), "{}", synced.text);
        let held = synced.value["heldBack"].as_array().unwrap();
        let held = held.iter().find(|held| held["record"] == *wrong).unwrap();
        assert_eq!(held["readers"], serde_json::json!(["Reader"]));
        let status = try_say(&two.patient, &["status"]).await.unwrap();
        assert!(status.text.contains(&told), "{}", status.text);
        assert!(!held_records(&reader).await.contains(&wrong));

        // Which one is right is the owner's to say, and said once.
        let confirmed = try_say(&two.patient, &["record", "confirm", &right])
            .await
            .unwrap();
        assert!(confirmed.text.contains("about you"), "{}", confirmed.text);
        say(&two.patient, &["sync"]).await;
        assert_eq!(held_records(&reader).await, std::slice::from_ref(&right));
        let list = say(&two.patient, &["record", "list"]).await;
        for row in list.as_array().unwrap() {
            assert_eq!(row["otherPerson"], row["record"] == *wrong, "{row}");
        }
        // After a change of name it is theirs, too, and so is what comes under it later.
        let confirmed = say(&two.patient, &["record", "confirm", &wrong]).await;
        assert_eq!(confirmed["readers"], serde_json::json!(["Reader"]));
        let other = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{other}\n")).unwrap();
        // Nor is its author asked again, about either name.
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let under_it = text(&say(&two.clinic, &import).await, "/record");
        let file = two.document();
        let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
        let another = text(&say(&two.clinic, &import).await, "/record");
        say(&two.patient, &["sync"]).await;
        let synced = say(&two.patient, &["sync"]).await;
        assert_eq!(synced["heldBack"], serde_json::json!([]));
        let mut has = held_records(&reader).await;
        has.sort();
        let mut all = vec![right, wrong, under_it, another];
        all.sort();
        assert_eq!(has, all);
    }
}

#[tokio::test]
async fn a_name_that_was_said_to_be_the_owners_counts_until_it_is_taken_back() {
    let (_, two) = writing(246).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let right = text(&say(&two.clinic, &import).await, "/record");
    let other = of_somebody_else(&two);
    let import = ["record", "import", &other, "--for", &two.owner, "--yes"];
    let import = [import.as_slice(), &["--other-person"]].concat();
    let wrong = text(&say(&two.clinic, &import).await, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "confirm", &wrong]).await;
    say(&two.clinic, &["record", "retract", &wrong, "--yes"]).await;
    // The author's word is gone with it.
    let text_of_it = std::fs::read_to_string(&other).unwrap();
    std::fs::write(&other, format!("{text_of_it}\n")).unwrap();
    let import = ["record", "import", &other, "--for", &two.owner, "--yes"];
    refused(&two.clinic, &import, code::REFUSED).await;
    // So is the owner's.
    say(&two.patient, &["sync"]).await;
    let told = refused(&two.patient, &["record", "confirm", &wrong], code::REFUSED).await;
    assert!(told.contains("taken back"), "{told}");
    let list = say(&two.patient, &["record", "list"]).await;
    for row in list.as_array().unwrap() {
        assert_eq!(row["otherPerson"], row["record"] == *wrong, "{row}");
    }
    say(&two.patient, &["record", "erase", &right, "--yes"]).await;
    refused(&two.patient, &["record", "confirm", &right], code::ERASED).await;
}

#[tokio::test]
async fn the_first_document_for_an_owner_shows_whom_it_names_before_anything_is_signed() {
    let (_, two) = writing(247).await;
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner];
    let told = refused(&two.clinic, &import, code::USAGE).await;
    for part in [
        "Betterhalf",
        "born 19",
        "identifier ",
        "Nothing was written",
        "--yes",
        "contact label",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let list = say(&two.clinic, &["record", "list", "--written"]).await;
    assert_eq!(list, serde_json::json!([]));
    // A label of another person says nothing of this one.
    let label = ["contact", "label", &two.owner, "Adam Otherhalf, ward 3"];
    say(&two.clinic, &label).await;
    let told = refused(&two.clinic, &import, code::USAGE).await;
    assert!(told.contains("Adam Otherhalf"), "{told}");
    let label = ["contact", "label", "adam", "Mrs. Eve Betterhalf, ward 3"];
    say(&two.clinic, &label).await;
    // It names the owner, as other names do, in this home alone.
    let import = ["record", "import", &file, "--for", "mrs. eve"];
    let short = ["record", "import", &file, "--for", "mr"];
    let told = refused(&two.clinic, &short, code::USAGE).await;
    assert!(told.contains("too short"), "{told}");
    let record = text(&say(&two.clinic, &import).await, "/record");
    for words in [
        ["contact", "list"].as_slice(),
        &["record", "list", "--written"],
        &["record", "show", &record],
    ] {
        let shown = try_say(&two.clinic, words).await.unwrap();
        assert!(
            shown.text.contains("«Mrs. Eve Betterhalf, ward 3»"),
            "{}",
            shown.text
        );
    }
    say(&two.clinic, &["contact", "label", "mrs", ""]).await;
    // Now a record says so.
    let file = two.document();
    let import = ["record", "import", &file, "--for", &two.owner];
    say(&two.clinic, &import).await;
    let long = "x".repeat(257);
    let long = ["contact", "label", &two.owner, &long];
    refused(&two.clinic, &long, code::INPUT).await;
}

#[tokio::test]
async fn a_correction_is_of_the_same_person_though_what_it_corrects_was_taken_back() {
    let (world, two) = writing(248).await;
    let record = two.written(&[]).await;
    say(&two.clinic, &["record", "retract", &record, "--yes"]).await;
    let file = of_somebody_else(&two);
    let import = ["record", "import", &file, "--for", &two.owner, "--yes"];
    let amending = [import.as_slice(), &["--amends", &record]].concat();
    let told = refused(&two.clinic, &amending, code::REFUSED).await;
    for part in ["Otherhalf", "Betterhalf", &record[..12], "--other-person"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let meant = [amending.as_slice(), &["--other-person"]].concat();
    let correction = text(&say(&two.clinic, &meant).await, "/record");
    // Its owner does not correct it, and is told who does.
    say(&two.patient, &["sync"]).await;
    let own = two.document();
    let own = ["record", "import", &own, "--amends", &record];
    let told = refused(&two.patient, &own, code::REFUSED).await;
    for part in ["Clinic", "ask the author", "nothing was written"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    // Who reads it sees whom it names.
    let reader = two.reader(&world, 3).await;
    two.give(&correction).await;
    say(&reader, &["sync"]).await;
    let read = try_say(&reader, &["read", &correction]).await.unwrap();
    assert!(
        read.text.contains("it names «Eve Otherhalf»"),
        "{}",
        read.text
    );
    assert!(text(&read.value, "/patient/name").contains("Otherhalf"));
}

/// How many documents of a wrong person there are makes them nobody's, never the owner's: what one act of misfiling may send out,
/// two do not.
#[tokio::test]
async fn documents_of_a_wrong_person_do_not_vouch_for_each_other() {
    for (seed, right_ones, confirmed) in [(250, 1, false), (251, 2, false), (252, 3, true)] {
        let (world, two) = writing(seed).await;
        let reader = two.reader(&world, 3).await;
        let import = async |file: &str, rest: &[&str]| {
            let words = ["record", "import", file, "--for", &two.owner, "--yes"];
            text(
                &say(&two.clinic, &[words.as_slice(), rest].concat()).await,
                "/record",
            )
        };
        let mut right = Vec::new();
        for _ in 0..right_ones {
            right.push(import(&two.document(), &["--again"]).await);
        }
        say(&two.patient, &["sync"]).await;
        if confirmed {
            for record in &right {
                say(&two.patient, &["record", "confirm", record]).await;
            }
        }
        say(
            &two.patient,
            &["grant", "create", "--to", "reader", "--all"],
        )
        .await;
        let mut has = held_records(&reader).await;
        has.sort();
        right.sort();
        let none = Vec::new();
        let out = if confirmed { &right } else { &none };
        assert_eq!(has, *out);
        let mut wrong = Vec::new();
        for _ in 0..2 {
            let file = of_somebody_else(&two);
            wrong.push(import(&file, &["--other-person", "--again"]).await);
        }
        let told = try_say(&two.patient, &["sync"]).await.unwrap();
        say(&two.patient, &["sync"]).await;
        let mut has = held_records(&reader).await;
        has.sort();
        assert_eq!(has, *out, "no other document went out");
        for record in &wrong {
            assert!(told.text.contains(&record[..12]), "{}", told.text);
        }
        // One word of the owner's says who she is.
        say(&two.patient, &["record", "confirm", &right[0]]).await;
        let list = say(&two.patient, &["record", "list"]).await;
        for row in list.as_array().unwrap() {
            let is_wrong = wrong.iter().any(|record| row["record"] == **record);
            assert_eq!(row["otherPerson"], is_wrong, "{row}");
        }
    }
    println!("ATTACK fourth-1: nothing but the right ones went out");
}
