//! The owner says who the owner is: one wrong document first makes nobody the owner.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/two.rs"]
mod two;

use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say};

fn list(rows: &Value, pointer: &str) -> Vec<String> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| text(row, pointer)).collect()
}

async fn marked(two: &Two) -> Vec<String> {
    let list = say(&two.patient, &["record", "list"]).await;
    let rows = list.as_array().unwrap().iter();
    let rows = rows.filter(|row| row["otherPerson"] == true);
    rows.map(|row| text(row, "/record")).collect()
}

async fn passed_on(two: &Two) -> Vec<String> {
    let list = say(&two.patient, &["grant", "list"]).await;
    let given = list["given"].as_array().unwrap().iter();
    let records = given.flat_map(|given| given["records"].as_array().unwrap().clone());
    let mut records: Vec<String> = records
        .map(|record| record.as_str().unwrap().to_owned())
        .collect();
    records.sort();
    records
}

/// A document of somebody else first, then as many right ones.
async fn filed(two: &Two, right_ones: usize) -> (String, Vec<String>) {
    let write = ["grant", "create", "--to", "clinic", "--write"];
    say(&two.patient, &write).await;
    let file = two.document();
    let text_of_it = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text_of_it.replace("Betterhalf", "Otherhalf")).unwrap();
    let mut records = Vec::new();
    for n in 0..=right_ones {
        let file = if n == 0 { file.clone() } else { two.document() };
        let import = [
            "record",
            "import",
            &file,
            "--for",
            &two.owner,
            "--yes",
            "--other-person",
        ];
        records.push(text(&say(&two.clinic, &import).await, "/record"));
        say(&two.patient, &["sync"]).await;
    }
    let mut right = records.split_off(1);
    right.sort();
    (records.remove(0), right)
}

#[tokio::test]
async fn nothing_that_names_somebody_is_passed_on_before_its_owner_says_who_that_is() {
    for (seed, words) in [
        (261, vec!["account", "person", "--name", "Eve  BETTERHALF"]),
        (262, vec!["record", "confirm"]),
    ] {
        let world = World::new(seed);
        let two = Two::new(&world).await;
        two.reader(&world, 3).await;
        let all = ["grant", "create", "--to", "reader", "--all"];
        say(&two.patient, &all).await;
        let (wrong, right) = filed(&two, 1).await;
        let synced = try_say(&two.patient, &["sync"]).await.unwrap();
        for part in ["is this you?", "Otherhalf", "account person"] {
            assert!(synced.text.contains(part), "{}", synced.text);
        }
        let mut held = list(&synced.value["heldBack"], "/record");
        held.sort();
        let mut both = [vec![wrong.clone()], right.clone()].concat();
        both.sort();
        assert_eq!(held, both);
        assert_eq!(passed_on(&two).await, Vec::<String>::new());

        let words = match words[0] {
            "record" => [words, vec![right[0].as_str()]].concat(),
            _ => words,
        };
        say(&two.patient, &words).await;
        assert_eq!(marked(&two).await, std::slice::from_ref(&wrong));
        let synced = try_say(&two.patient, &["sync"]).await.unwrap();
        assert!(!synced.text.contains("is this you?"), "{}", synced.text);
        assert_eq!(passed_on(&two).await, right);
    }
}

/// Right documents were held back one after another, because a wrong one was the first.
#[tokio::test]
async fn the_wrong_one_of_four_is_the_one_that_is_held() {
    let world = World::new(263);
    let two = Two::new(&world).await;
    let (wrong, right) = filed(&two, 3).await;
    assert_eq!(marked(&two).await, std::slice::from_ref(&wrong));
    // Which of them is the owner is hers to say before one is given.
    let give = ["grant", "create", "--to", "clinic", "--record", &right[0]];
    let told = refused(&two.patient, &give, code::REFUSED).await;
    assert!(told.contains("account person"), "{told}");
    let born = try_say(&two.patient, &["record", "show", &right[0]]).await;
    let born = text(&born.unwrap().value, "/patient/birthDate");
    let born = format!("{}-{}-{}", &born[..4], &born[5..7], &born[8..10]);
    let say_it = ["account", "person", "--name", "Eve Betterhalf"];
    let say_it = [say_it.as_slice(), &["--born", &born]].concat();
    say(&two.patient, &say_it).await;
    assert_eq!(marked(&two).await, std::slice::from_ref(&wrong));
    say(&two.patient, &give).await;
    let give = ["grant", "create", "--to", "clinic", "--record", &wrong];
    let told = refused(&two.patient, &give, code::REFUSED).await;
    assert!(told.contains("another person than you."), "{told}");
}

#[tokio::test]
async fn who_the_owner_is_is_shown_and_checked() {
    let world = World::new(264);
    let two = Two::new(&world).await;
    let shown = say(&two.patient, &["account", "person"]).await;
    assert_eq!(shown, json!({"patient": null}));
    let nobody = ["account", "person", "--name", " , "];
    refused(&two.patient, &nobody, code::USAGE).await;
    let said = [
        "account",
        "person",
        "--name",
        "Dee Park",
        "--born",
        "1980-02-03",
    ];
    say(&two.patient, &said).await;
    let shown = say(&two.patient, &["account", "person"]).await;
    assert_eq!(text(&shown, "/patient/name"), "Dee Park");
    assert_eq!(text(&shown, "/patient/birthDate"), "1980-02-03");
    // What is left out stays as it was said.
    say(&two.patient, &["account", "person", "--born", "1980-03-02"]).await;
    say(&two.patient, &["account", "person", "--name", "Dee Parks"]).await;
    let shown = say(&two.patient, &["account", "person"]).await;
    assert_eq!(text(&shown, "/patient/name"), "Dee Parks");
    assert_eq!(text(&shown, "/patient/birthDate"), "1980-03-02");
    // An own document of hers is not asked about, one of somebody else is marked.
    two.sent().await;
    say(&two.patient, &["sync"]).await;
    assert_eq!(marked(&two).await.len(), 1);
}

#[tokio::test]
async fn a_name_that_is_too_long_is_refused_and_not_cut() {
    let world = World::new(269);
    let two = Two::new(&world).await;
    let name = "a".repeat(5_000);
    let person = ["account", "person", "--name", &name];
    let told = refused(&two.patient, &person, code::INPUT).await;
    assert!(told.contains("5000 bytes"), "{told}");
}
