//! What a document's own labels say holds for its record: it is told, and no consent up to what is usual gives it.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

#[path = "support/two.rs"]
mod two;

use clap::error::ErrorKind;
use medibloc_agent::answer::code;
use medibloc_journey::memory::World;
use serde_json::{Value, json};
use two::{Two, refused, say, text, try_say, why_not};

const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn file(two: &Two, name: &str, tree: &Value) -> String {
    let path = two.folder.path().join(name);
    std::fs::write(&path, tree.to_string()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn observation(id: &str, security: &Value) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final", "meta": {"security": security},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}]})
}

/// An own record, accepted and confirmed.
async fn written(two: &Two, words: &[&str]) -> (String, Value) {
    let told = say(&two.patient, &[&["record", "import"], words].concat()).await;
    let record = text(&told, "/record");
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["record", "confirm", &record]).await;
    (record, told)
}

#[tokio::test]
async fn a_label_holds_back_and_is_told() {
    let world = World::new(1100);
    let two = Two::new(&world).await;
    let restricted = json!([{"system": V3, "code": "R"}]);
    let path = file(&two, "labelled.json", &observation("a", &restricted));
    let looked = inspect(&path);
    assert!(
        looked.contains("category laboratory, restricted (Observation.meta.security is R)"),
        "{looked}"
    );
    let (labelled, told) = written(&two, &[&path]).await;
    assert_eq!(told["sensitivity"], "restricted");
    assert_eq!(told["category"], "laboratory");
    assert_eq!(told["labelled"], "Observation.meta.security is R");

    let plain = file(&two, "plain.json", &observation("b", &Value::Null));
    let (usual, told) = written(&two, &[&plain]).await;
    assert_eq!(
        (&told["sensitivity"], &told["labelled"]),
        (&json!("normal"), &Value::Null)
    );
    let raise = ["--again", "--sensitivity", "very-restricted"];
    let (raised, told) = written(&two, &[&[plain.as_str()], raise.as_slice()].concat()).await;
    assert_eq!(told["sensitivity"], "very-restricted");
    assert_eq!(told["labelled"], "said at the import");
    // What its labels say is never lowered.
    let both = observation("c", &json!([{"system": V3, "code": "V"}]));
    let both = file(&two, "both.json", &both);
    let (very, told) = written(&two, &[&both, "--sensitivity", "restricted"]).await;
    assert_eq!(told["sensitivity"], "very-restricted");
    let lower = ["record", "import", "x", "--sensitivity", "normal"];
    assert_eq!(why_not(&lower), ErrorKind::InvalidValue);

    let give = ["grant", "create", "--to", "clinic", "--all"];
    let given = say(&two.patient, &give).await;
    let left_out = given["leftOut"].as_array().unwrap();
    let left_out: Vec<&str> = left_out
        .iter()
        .filter_map(|one| one["record"].as_str())
        .collect();
    for record in [&labelled, &raised, &very] {
        assert!(left_out.contains(&record.as_str()), "{given}");
    }
    assert!(!left_out.contains(&usual.as_str()), "{given}");
    println!(
        "ATTACK eleventh-m1: 0 of 3 records that are labelled so go out under a consent to what is usual"
    );
    let shown = try_say(&two.patient, &["record", "show", &labelled])
        .await
        .unwrap();
    for part in ["it is restricted", "category laboratory"] {
        assert!(shown.text.contains(part), "{}", shown.text);
    }

    // The own form of it, taken in again, is what it was.
    for (record, sensitivity) in [(&labelled, "restricted"), (&raised, "very-restricted")] {
        let out = two.folder.path().join(&record[..12]);
        let out = out.to_str().unwrap();
        let export = ["record", "export", record, "--part", "fhir", "--out", out];
        say(&two.patient, &export).await;
        let (_, told) = written(&two, &[out]).await;
        assert_eq!(told["sensitivity"], sensitivity, "{told}");
        assert_eq!(told["category"], "laboratory");
    }
}

/// What is on its way is sealed: it cannot become more sensitive, and that is said.
#[tokio::test]
async fn an_unfinished_import_is_not_raised_in_silence() {
    let world = World::new(1102);
    let two = Two::new(&world).await;
    let first = file(&two, "first.json", &observation("f", &Value::Null));
    written(&two, &[&first]).await;
    let path = file(&two, "plain.json", &observation("a", &Value::Null));
    let import = ["record", "import", &path];
    refused(&two.cut_off, &import, code::PARTIAL).await;
    let more = [import.as_slice(), &["--sensitivity", "restricted"]].concat();
    let told = refused(&two.patient, &more, code::REFUSED).await;
    for part in ["on its way", "record erase", "--again"] {
        assert!(told.contains(part), "{told}");
    }
    let done = say(&two.patient, &import).await;
    assert_eq!(done["sensitivity"], "normal");
}

fn inspect(path: &str) -> String {
    use clap::Parser;
    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        inspect: medibloc_agent::convert::Inspect,
    }
    let line = Line::try_parse_from(["inspect", path]).unwrap();
    line.inspect.run().unwrap().text
}

/// A consent to one category gives what is of it, as FHIR says it.
#[tokio::test]
async fn a_consent_to_laboratory_gives_laboratory_in_fhir() {
    let world = World::new(1101);
    let two = Two::new(&world).await;
    let reader = two.reader(&world, 3).await;
    let lab = file(&two, "lab.json", &observation("a", &Value::Null));
    let (lab, _) = written(&two, &[&lab]).await;
    let condition = json!({"resourceType": "Condition", "id": "c"});
    let other = file(&two, "other.json", &condition);
    let (other, _) = written(&two, &[&other]).await;
    let both = json!({"resourceType": "Bundle", "type": "collection", "entry": [
        {"resource": observation("b", &Value::Null)}, {"resource": condition}]});
    let both = file(&two, "both.json", &both);
    let (both, _) = written(&two, &[&both]).await;
    let owner = text(&say(&reader, &["contact", "list"]).await, "/owners/0/owner");
    let ask = ["request", "create", &owner, "--category", "laboratory"];
    say(&reader, &ask).await;
    say(&two.patient, &["sync"]).await;
    say(&two.patient, &["request", "approve", "reader", "--all"]).await;
    say(&reader, &["sync"]).await;
    say(&reader, &["read", &lab]).await;
    for record in [&other, &both] {
        refused(&reader, &["read", record], code::UNKNOWN).await;
    }
}
