//! `verify` of a proof file that somebody changed: what is not checked is said as that, and no script takes it as proven.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "support/no_chain.rs"]
mod no_chain;
#[path = "support/two.rs"]
mod two;

use std::sync::Arc;

use medibloc_agent::{Answer, Problem, answer::code};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_record::Role;
use serde_json::{Value, json};
use two::{Two, party, say, text, try_say};

/// What may be different in a file that ends with 0, and why that harms nobody; what is shown is the same to the letter.
const HARMLESS: [(&str, &str); 7] = [
    (
        "- /ledger",
        "null and missing are one: no proof of the ledger",
    ),
    (
        "- /grant/reads",
        "null and missing are one: as often as wanted",
    ),
    (
        "- /reader/rotations/0/ledger",
        "null and missing are one: no proof of the ledger",
    ),
    (
        "- /reader/account",
        "null and missing are one: a private reader",
    ),
    (
        "- /reader/salt",
        "null and missing are one: a private reader has no account to bind",
    ),
    (
        "- /reader/signature",
        "null and missing are one: a private reader has no account to bind",
    ),
    (
        "- /reader/credential",
        "null and missing are one: no authority vouches for a private reader",
    ),
];

struct Story {
    two: Two,
    /// Its proof tells of a rotation.
    clinic: Value,
    /// No authority vouches for it.
    private: Value,
}

async fn read(two: &Two, reader: &Party, name: &str, reason: &str, record: &str) -> Value {
    let owners = say(reader, &["contact", "list"]).await;
    let owner = text(&owners, "/owners/0/owner");
    say(reader, &["request", "create", &owner, "--reason", reason]).await;
    say(&two.patient, &["sync"]).await;
    let approve = ["request", "approve", name, "--record", record];
    say(&two.patient, &approve).await;
    say(reader, &["sync"]).await;
    say(reader, &["read", record]).await;
    let folder = two.folder.path().join(name);
    let audit = ["audit", "--proofs", folder.to_str().unwrap()];
    let audit = say(&two.patient, &audit).await;
    let files = audit["proofs"].as_array().unwrap().iter();
    let mut files = files.map(|path| std::fs::read_to_string(path.as_str().unwrap()).unwrap());
    let file = files.find(|file| file.contains(reason)).unwrap();
    serde_json::from_str(&file).unwrap()
}

async fn story(seed: u64) -> Story {
    let world = World::new(seed);
    let two = Two::new(&world).await;
    say(&two.clinic, &["account", "rotate", "--signing", "--now"]).await;
    say(&two.clinic, &["sync"]).await;
    let friend = party(&world, 3, Role::Person);
    say(&friend, &["account", "register", "--yes"]).await;
    let invitation = say(&two.patient, &["contact", "invite"]).await;
    let invitation = text(&invitation, "/invitation");
    say(&friend, &["contact", "accept", &invitation]).await;
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["contact", "confirm", "private"]).await;
    let record = two.accepted().await;
    let clinic = read(&two, &two.clinic, "clinic", "second opinion", &record).await;
    let private = read(&two, &friend, "private", "as a friend", &record).await;
    Story {
        two,
        clinic,
        private,
    }
}

impl Story {
    async fn verify(&self, file: &Value, words: &[&str]) -> Result<Answer, Problem> {
        self.verify_as(&self.two.clinic, file, words).await
    }

    async fn verify_as(&self, by: &Party, file: &Value, words: &[&str]) -> Result<Answer, Problem> {
        let path = self.two.folder.path().join("shown.json");
        std::fs::write(&path, file.to_string()).unwrap();
        let words = [&["verify", path.to_str().unwrap()], words].concat();
        try_say(by, &words).await
    }
}

/// Every place in a JSON value.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}/{name}");
                found.push(path.clone());
                places(value, &path, found);
            }
        }
        Value::Array(values) => {
            for (at, value) in values.iter().enumerate() {
                let path = format!("{path}/{at}");
                found.push(path.clone());
                places(value, &path, found);
            }
        }
        _ => {}
    }
}

/// The file without this place.
fn without(file: &Value, place: &str) -> Value {
    let mut file = file.clone();
    let (parent, name) = place.rsplit_once('/').unwrap();
    match file.pointer_mut(parent).unwrap() {
        Value::Object(fields) => drop(fields.remove(name).unwrap()),
        Value::Array(values) => drop(values.remove(name.parse().unwrap())),
        other => panic!("{place}: {other}"),
    }
    file
}

/// What could stand there instead.
fn instead(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => vec![json!("x"), json!(1), json!({})],
        Value::Bool(value) => vec![json!(!value)],
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            vec![
                json!(number + 1),
                json!(number.saturating_sub(1)),
                json!(0),
                Value::Null,
            ]
        }
        Value::String(text) => {
            let at = text.len() / 2;
            let other = if text.as_bytes()[at] == b'1' {
                "2"
            } else {
                "1"
            };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            let longer = format!("{text}\nok   reason: forged");
            vec![
                json!(changed),
                json!(""),
                json!(longer),
                json!("TREAT"),
                Value::Null,
            ]
        }
        Value::Array(values) => vec![json!([&values[..], values].concat()), Value::Null],
        Value::Object(fields) => {
            let mut more = fields.clone();
            more.insert("more".into(), json!(1));
            vec![more.into(), Value::Null]
        }
    }
}

/// Every file that differs in one place, with what was done there.
fn forged(whole: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    places(whole, "", &mut found);
    let mut forged = Vec::new();
    for place in found {
        forged.push((format!("- {place}"), without(whole, &place)));
        let before = whole.pointer(&place).unwrap();
        for other in instead(before).into_iter().filter(|other| other != before) {
            let mut file = whole.clone();
            *file.pointer_mut(&place).unwrap() = other;
            forged.push((format!("~ {place}"), file));
        }
    }
    forged
}

#[tokio::test]
async fn no_field_of_a_proof_is_changed_or_left_out_for_an_exit_of_0() {
    let story = story(261).await;
    let mut silent = story.two.clinic.ports().clone();
    silent.events = Arc::new(no_chain::NoChain);
    let alone = two::with_ports(silent, 9, Role::Person);
    for (whole, reader) in [
        (&story.clinic, json!("Clinic")),
        (&story.private, Value::Null),
    ] {
        let is_private = reader.is_null();
        let good = story.verify(whole, &[]).await.unwrap();
        assert_eq!(
            (good.code, &good.value["verified"]),
            (0, &json!(true)),
            "{good:?}"
        );
        assert_eq!(good.value["reader"], reader);
        assert!(!good.text.contains("not checked"), "{}", good.text);
        let (mut refused, mut same) = (0, 0);
        let all = forged(whole);
        assert!(all.len() > 120, "{}", all.len());
        for (what, file) in &all {
            let hash = file.pointer("/receipt/block_hash").and_then(Value::as_str);
            let words = ["--block", hash.unwrap_or("0x00")];
            let compared = story.verify(file, &words).await;
            let half = story.verify_as(&alone, file, &[]).await;
            for answer in [compared, half] {
                assert_ne!(
                    answer.map_or_else(|error| error.code, |it| it.code),
                    0,
                    "{what}"
                );
            }
            match story.verify(file, &[]).await {
                Ok(answer) if answer.code == 0 => {
                    let mut harmless = HARMLESS.iter();
                    // Nothing binds the name that its owner has for a private reader, so it is not shown.
                    let is_name = is_private && what == "~ /reader/name";
                    let is_listed = is_name || harmless.any(|(place, _)| place == what);
                    assert!(is_listed, "{what} passes: {}", answer.text);
                    assert_eq!(answer, good, "{what}");
                    same += 1;
                }
                Ok(answer) => {
                    assert_eq!(answer.code, code::FAILED, "{what}: {answer:?}");
                    assert_eq!(answer.value["verified"], false, "{what}");
                    assert!(
                        answer.text.contains("not proven"),
                        "{what}: {}",
                        answer.text
                    );
                    refused += 1;
                }
                Err(error) => {
                    assert!(
                        [code::FAILED, code::INPUT].contains(&error.code),
                        "{what}: {error}"
                    );
                    assert!(!error.message.contains("\nok   reason: forged"), "{error}");
                    refused += 1;
                }
            }
        }
        println!(
            "ATTACK proof-field: {} changes of one field: {refused} refused, {same} that show the same",
            all.len()
        );
    }
}

/// What binds a word is taken out and the word changed: the word is told as not checked, and a name is not told at all.
#[tokio::test]
async fn a_word_that_nothing_binds_is_not_proven_and_a_name_is_not_shown() {
    let story = story(262).await;
    let forgery = |places: &[&str], changes: &[(&str, Value)]| {
        let mut file = story.clinic.clone();
        for place in places {
            file = without(&file, place);
        }
        for (place, value) in changes {
            *file.pointer_mut(place).unwrap() = value.clone();
        }
        file
    };
    let reason = ("/purpose/reason", json!("forged words"));
    let name = ("/reader/name", json!("forged words"));
    let salt = "/purpose/reason_salt";
    let credential = "/reader/credential";
    for (what, file, line) in [
        (
            "reason",
            forgery(&[salt], std::slice::from_ref(&reason)),
            "?    reason: not checked: «forged words»",
        ),
        (
            "name",
            forgery(&[credential], std::slice::from_ref(&name)),
            "?    credential: not checked",
        ),
        (
            "both",
            forgery(&[salt, credential], &[reason.clone(), name]),
            "?    credential: not checked",
        ),
    ] {
        let told = story.verify(&file, &[]).await.unwrap();
        assert_eq!(
            (told.code, &told.value["verified"]),
            (code::FAILED, &json!(false)),
            "{what}"
        );
        assert!(told.text.contains(line), "{what}: {}", told.text);
        let named = told.text.matches("forged words").count();
        assert_eq!(named, usize::from(what != "name"), "{what}: {}", told.text);
        if what != "reason" {
            assert_eq!(told.value["reader"], Value::Null);
            assert!(
                told.text.contains("whose name is not proven"),
                "{}",
                told.text
            );
        }
    }
    // A form that binds no reason does not make one true.
    let mut version = forgery(&[salt, "/reader/rotations"], &[reason]);
    for before in [1, 2] {
        version["version"] = json!(before);
        let told = story.verify(&version, &[]).await;
        assert_eq!(
            told.map_or_else(|error| error.code, |it| it.code),
            code::FAILED
        );
    }
    // Without the chain nothing says that the consent's terms are these.
    let hash = text(&story.clinic, "/receipt/block_hash");
    let told = story
        .verify(&story.clinic, &["--block", &hash])
        .await
        .unwrap();
    assert_eq!(
        (told.code, &told.value["verified"]),
        (code::UNREACHABLE, &json!(false))
    );
    for what in ["purpose", "reason", "terms", "time", "reader"] {
        let line = format!("?    {what}: not checked");
        assert!(told.text.contains(&line), "{line}: {}", told.text);
    }
}
