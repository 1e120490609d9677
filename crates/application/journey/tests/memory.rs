//! A form that somebody else wrote takes no more memory than a bound, whatever it is. What else runs in this process takes little.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use medibloc_journey::{Labelled, Named, Unread};
use serde_json::{Value, json};

const LONG: usize = 8 << 20;

/// From here on the most memory is counted anew (proc(5), `clear_refs`).
fn count_anew() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    most()
}

/// The most memory that this process had, in bytes.
fn most() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// A document about one person, with so much of `unit` in a resource of its own or, without a place there, as entries.
fn form(unit: &str, member: Option<&str>) -> Vec<u8> {
    let units = format!("{unit},").repeat(LONG / (unit.len() + 1)) + unit;
    let more = match member {
        Some(member) => {
            format!(r#"{{"resource":{{"resourceType":"Patient","{member}":[{units}]}}}}"#)
        }
        None => units,
    };
    let about =
        r#"{"resource":{"resourceType":"Composition","subject":{"reference":"Patient/b"}}}"#;
    let eve = r#"{"resource":{"resourceType":"Patient","id":"b","name":[{"given":["Eve"],"family":"Betterhalf"}]}}"#;
    format!(r#"{{"resourceType":"Bundle","entry":[{about},{eve},{more}]}}"#).into_bytes()
}

#[test]
fn a_form_of_anybodys_takes_no_more_memory_than_a_bound() {
    let Some(_) = count_anew() else {
        println!("SKIPPED memory: no /proc/self/clear_refs");
        return;
    };
    let adam = r#"{"resource":{"resourceType":"Patient","name":[{"text":"Adam"}]}}"#;
    let contained = r#"{"resource":{"contained":[{"resourceType":"Patient","name":[{"text":"Eve Betterhalf"}]}]}}"#;
    let mut worst = 0;
    for (unit, member, several) in [
        ("[1]", Some("extension"), Some(false)),
        (r#"{"":0}"#, Some("extension"), Some(false)),
        ("[1]", Some("name"), Some(false)),
        (r#"{"use":"old"}"#, Some("name"), Some(false)),
        (r#"{"system":""}"#, Some("identifier"), Some(false)),
        (r#"{"resourceType":"Patient"}"#, Some("contained"), None),
        ("[1]", None, Some(false)),
        (r#"{"resource":{"id":"1"}}"#, None, Some(false)),
        (r#"{"resource":{"resourceType":"Patient"}}"#, None, None),
        (adam, None, Some(true)),
        (contained, None, None),
    ] {
        let form = form(unit, member);
        let before = count_anew().unwrap();
        let named = Named::read(&form);
        let labels = Labelled::read(&form);
        assert!(!labels.is_unknown(), "{unit} in {member:?}");
        let subject = named.person().unwrap();
        worst = worst.max(most().unwrap() - before);
        match several {
            Some(several) => assert_eq!(subject.names_several, several, "{unit} in {member:?}"),
            // More than there is room for: nobody's.
            None => assert!(subject.names_several, "{unit} in {member:?}"),
        }
        if several == Some(false) {
            assert_eq!(
                subject.name.as_deref(),
                Some("Eve Betterhalf"),
                "{unit} in {member:?}"
            );
        }
    }
    println!("ATTACK sixth-2: {worst} bytes beside forms of {LONG}");
    assert!(worst < 100_000_000, "{worst} bytes beside a form of {LONG}");
}

/// What is kept says the same as the whole.
#[test]
fn a_form_that_is_read_says_what_its_tree_says() {
    let patient = |id: &str, name: Value| {
        json!({"fullUrl": format!("urn:{id}"), "resource": {
            "resourceType": "Patient", "id": id, "name": name, "birthDate": "1975-05-01",
            "identifier": [{"system": "urn:a", "value": id}, {"value": "7"}], "multipleBirthInteger": 2, "deceasedBoolean": false,
        }})
    };
    let eve = patient(
        "e",
        json!([{"use": "old", "text": "Eve Other"}, {"given": ["Eve", 7], "family": "Betterhalf"}]),
    );
    let adam = patient("a", json!([{"text": "Adam"}]));
    let about = json!({"resource": {"resourceType": "Composition", "subject": {"reference": "urn:a"}, "title": "x"}});
    let odd =
        json!({"resource": {"resourceType": "Patient", "name": {"text": "x"}, "birthDate": 1.5e3}});
    let inside = json!({"resource": {"resourceType": "Observation", "contained": [{"id": "1"}, eve["resource"]]}});
    for entry in [
        json!([eve]),
        json!([eve, adam]),
        json!([eve, adam, about]),
        json!([odd, adam]),
        json!([inside]),
        json!([null, 7, "x", odd]),
        json!({"resource": eve}),
        json!([]),
    ] {
        let bundle = json!({"resourceType": "Bundle", "total": 3, "entry": entry});
        let read = Named::read(bundle.to_string().as_bytes());
        assert_eq!(read, Named::of(&bundle.clone().into()), "{bundle}");
    }
    for nobody in ["7", "[[1]]", "{\"entry\":[]}"] {
        assert_eq!(Named::read(nobody.as_bytes()), Named::Nobody, "{nobody}");
    }
    for none in ["", "[", "{\"entry\":[]} x", "{\"entry\":[{]}"] {
        let unread = Named::Unread(Unread::Unreadable);
        assert_eq!(Named::read(none.as_bytes()), unread, "{none}");
    }
}
