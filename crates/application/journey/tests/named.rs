//! Whom a form names is read whatever its size and shape, or is not known: nobody is said of no form that was not read.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use medibloc_journey::{Named, Subject, Unread};
use serde_json::{Value, json};

/// Of a form of any size, what names somebody is read; what needs more room than there is is not known.
#[test]
fn a_large_form_is_read_without_its_long_texts() {
    let long = "ab\\\"\\u00e9\\ud83d\\ude00é".repeat(3 << 19);
    let short = vec![r#""x""#; 9 << 20].join(",");
    let name = "N".repeat(300);
    let eve =
        format!(r#"{{"resource":{{"resourceType":"Patient","name":[{{"text":"{name}"}}]}}}}"#);
    let adam = r#"{"resource":{"resourceType":"Patient","name":[{"text":"Adam"}]}}"#;
    for (more, unread) in [
        (format!(r#"{{"resource":{{"data":"{long}"}}}}"#), None),
        (format!(r#"{{"{long}":0}}"#), None),
        (" ".repeat(34 << 20) + "{}", None),
        (format!("[{short}]"), Some(Unread::TooLarge)),
    ] {
        assert!(more.len() > 33 << 20);
        let read = Named::read(format!(r#"{{"entry":[{more},{eve},{adam}]}}"#).as_bytes());
        assert_eq!(read.unread(), unread);
        let both = read
            .person()
            .map(|one| (one.name.as_deref(), one.names_several));
        let whole = (Some(&name[..256]), true);
        assert_eq!(both, unread.is_none().then_some(whole));
    }
}

/// However many other resources stand before a patient, and wherever that one is contained.
#[test]
fn a_patient_behind_many_others_is_named() {
    let patient = |name: &str| json!({"resourceType": "Patient", "name": [{"text": name}]});
    let other = json!({"resource": {"resourceType": "Observation"}});
    let mut many = vec![other; 20_001];
    many.push(json!({"resource": patient("Adam")}));
    let mut contained = vec![patient("Eve"); 9];
    contained.push(patient("Adam"));
    let inside = json!({"resource": {"resourceType": "Observation", "contained": contained}});
    for (entry, several) in [(many.into(), false), (json!([inside]), true)] {
        let bundle: Value = json!({"entry": entry});
        let whole = Subject::of(&bundle.clone().into());
        assert_eq!(
            Named::read(bundle.to_string().as_bytes()),
            whole.clone().into()
        );
        assert_eq!(whole.map(|one| one.names_several), Some(several));
    }
    println!(
        "ATTACK tenth-n1: every patient of 20,002 resources is read, and of 10 that one contains"
    );
}
