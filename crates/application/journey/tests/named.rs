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

fn reference(words: Value) -> Value {
    json!({"resourceType": "Observation", "subject": words})
}

/// What a form names, read both ways.
fn named(resources: &[Value]) -> Named {
    let entry = resources.iter().map(|one| json!({"resource": one}));
    let bundle: Value = json!({"entry": entry.collect::<Vec<_>>()});
    let read = Named::read(bundle.to_string().as_bytes());
    assert_eq!(read, Named::of(&bundle.into()));
    read
}

/// Whom resources are about is said by their references, too, where the document does not have the patient.
#[test]
fn a_reference_names_whom_it_is_about() {
    let dae = json!({"reference": "Patient/C-301", "display": "Dae Kim", "identifier": {"system": "urn:mrn", "value": "C-301"}});
    let eve = json!({"resourceType": "Patient", "id": "e", "name": [{"text": "Eve Betterhalf"}]});
    let kinds = [
        ("Observation", "subject"),
        ("Immunization", "patient"),
        ("Coverage", "beneficiary"),
        ("Task", "for"),
        ("ResearchSubject", "individual"),
        ("Composition", "subject"),
    ];
    for (kind, element) in kinds {
        for words in [dae.clone(), json!([dae])] {
            let one = json!({"resourceType": kind, element: words});
            for resources in [
                vec![one.clone()],
                vec![json!({"resourceType": "Bundle", "entry": [{"resource": one}]})],
            ] {
                let named = named(&resources);
                let subject = named.person().unwrap();
                assert_eq!(subject.name.as_deref(), Some("Dae Kim"), "{kind}");
                assert_eq!(subject.ids, [("urn:mrn".to_owned(), "C-301".to_owned())]);
                assert!(!subject.names_several);
            }
        }
    }
    let inside = json!({"resourceType": "DiagnosticReport", "contained": [reference(dae.clone())]});
    let visit = |kind: &str| {
        json!({"resourceType": "Appointment", "participant": [
            {"actor": {"reference": format!("{kind}/1"), "display": "Dae Kim"}}]})
    };
    let bare = |url: &str| reference(json!({"reference": url}));
    let mut nameless = eve.clone();
    nameless["name"] = Value::Null;
    for (resources, name, several) in [
        (vec![inside], Some("Dae Kim"), false),
        (vec![visit("Patient")], Some("Dae Kim"), false),
        (vec![visit("Practitioner")], None, false),
        // The patient that the document has is whom it says, if the reference does not call it otherwise.
        (
            vec![
                reference(json!({"reference": "Patient/e", "display": "Dae Kim"})),
                eve.clone(),
            ],
            Some("Eve Betterhalf"),
            true,
        ),
        (
            vec![
                reference(json!({"reference": "Patient/e", "display": "betterhalf, Eve"})),
                eve.clone(),
            ],
            Some("Eve Betterhalf"),
            false,
        ),
        (
            vec![
                bare("https://h.example/fhir/Patient/e/_history/2"),
                eve.clone(),
            ],
            Some("Eve Betterhalf"),
            false,
        ),
        (
            vec![
                reference(json!({"reference": "Patient/e", "display": "Dae Kim"})),
                nameless.clone(),
            ],
            Some("Dae Kim"),
            false,
        ),
        (
            vec![eve.clone(), reference(dae.clone())],
            Some("Eve Betterhalf"),
            true,
        ),
        (
            vec![eve.clone(), bare("Patient/C-301")],
            Some("Eve Betterhalf"),
            true,
        ),
        (
            vec![reference(dae.clone()), bare("Patient/C-301")],
            Some("Dae Kim"),
            false,
        ),
        (
            vec![reference(dae.clone()), bare("Patient/C-302")],
            Some("Dae Kim"),
            true,
        ),
        (
            vec![
                reference(json!({"display": "Dae Kim"})),
                reference(json!({"display": "Eve Betterhalf"})),
            ],
            Some("Dae Kim"),
            true,
        ),
        // What is about no patient names none.
        (
            vec![reference(
                json!({"reference": "Group/1", "display": "The ward"}),
            )],
            None,
            false,
        ),
        (
            vec![reference(
                json!({"reference": "urn:uuid:7", "type": "Device", "display": "A pump"}),
            )],
            None,
            false,
        ),
    ] {
        let named = named(&resources);
        let found = named
            .person()
            .map(|one| (one.name.as_deref(), one.names_several));
        assert_eq!(
            found,
            name.map(|name| (Some(name), several)),
            "{resources:?}"
        );
        assert_eq!(named.unread(), None, "{resources:?}");
    }
    // Somebody, and never nobody.
    for resources in [
        vec![bare("Patient/C-301")],
        vec![bare("urn:uuid:7"), bare("Patient/8")],
        vec![nameless],
        vec![bare("#p")],
    ] {
        assert_eq!(
            named(&resources),
            Named::Unread(Unread::Referred),
            "{resources:?}"
        );
    }
    let asked = named(&[bare("Patient?identifier=urn:mrn|C-301")]);
    assert_eq!(
        asked.person().unwrap().ids,
        [("urn:mrn".to_owned(), "C-301".to_owned())]
    );
    assert_eq!(
        named(&[json!({"resourceType": "Observation"})]),
        Named::Nobody
    );
}

/// What is not known of a reference is never taken for whom the document has beside.
#[test]
fn a_reference_to_somebody_else_is_not_to_the_patient_that_the_document_has() {
    let entry = |url: &str, resource: Value| json!({"fullUrl": url, "resource": resource});
    let eve = json!({"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01",
        "identifier": [{"system": "urn:mrn", "value": "1"}],
        "name": [{"given": ["Eve", "Ann"], "family": "Betterhalf", "prefix": ["Dr."]}, {"text": "Eve Maiden", "use": "old"}]});
    let own = entry("http://e.org/fhir/Patient/p", eve.clone());
    let at =
        |server: &str, words: Value| entry(&format!("{server}/Observation/1"), reference(words));
    let here = |words: Value| at("http://e.org/fhir", words);
    let called = |display: &str| here(json!({"reference": "Patient/p", "display": display}));
    let child = json!({"resourceType": "Patient", "id": "q", "name": [{"text": "Adam"}], "birthDate": "2015-05-05"});
    let parameters = |inner: Value| json!({"resource": {"resourceType": "Parameters", "parameter": [{"name": "x", "part": [{"name": "y", "resource": inner}]}]}});
    for (more, several) in [
        (here(json!({"reference": "Patient/p"})), false),
        (here(json!({"reference": "Patient/p/_history/3"})), false),
        (
            here(json!({"reference": "http://e.org/fhir/Patient/p"})),
            false,
        ),
        (
            here(
                json!({"reference": "Patient/p", "identifier": {"system": "urn:mrn", "value": "1"}}),
            ),
            false,
        ),
        (
            here(json!({"reference": "Patient/p", "identifier": {"value": "9"}})),
            false,
        ),
        (
            entry("urn:uuid:1", reference(json!({"reference": "Patient/p"}))),
            false,
        ),
        (called("Eve Betterhalf"), false),
        (called("Dr. Eve A. Betterhalf (ward 3)"), false),
        (called("Betterhalf"), false),
        (called("Eve Maiden"), false),
        // Another server, with the URL in the reference or at the entry; another identifier; another name.
        (
            here(json!({"reference": "http://other.org/fhir/Patient/p"})),
            true,
        ),
        (
            at("http://other.org/fhir", json!({"reference": "Patient/p"})),
            true,
        ),
        (
            here(
                json!({"reference": "Patient/p", "identifier": {"system": "urn:mrn", "value": "2"}}),
            ),
            true,
        ),
        (called("Bob Roe"), true),
        (called("Adam Betterhalf"), true),
        // Somebody of whom nothing is known.
        (here(json!({"identifier": {"value": "998877"}})), true),
        (
            here(
                json!({"type": "Patient", "identifier": {"value": "998877", "assigner": {"display": "Other clinic"}}}),
            ),
            true,
        ),
        (here(json!({"type": "Patient"})), true),
        (here(json!({"type": "Device"})), false),
        // In whatever holds a resource.
        (parameters(child), true),
        (parameters(reference(json!({"display": "Bob Roe"}))), true),
        (parameters(eve), false),
    ] {
        let bundle = json!({"entry": [own, more]});
        let read = Named::read(bundle.to_string().as_bytes());
        assert_eq!(read, Named::of(&bundle.clone().into()), "{bundle}");
        let found = read.person().unwrap();
        assert_eq!(
            found.name.as_deref(),
            Some("Eve Ann Betterhalf"),
            "{bundle}"
        );
        assert_eq!(found.names_several, several, "{bundle}");
    }
    for words in [
        json!({"identifier": {"value": "998877"}}),
        json!({"type": "Patient", "identifier": {"value": "998877"}}),
        json!({"type": "Patient"}),
    ] {
        assert_eq!(
            named(&[reference(words.clone())]),
            Named::Unread(Unread::Referred),
            "{words}"
        );
    }
    // A name that only the reference says, of a patient who has none.
    let nameless = json!({"resourceType": "Patient", "id": "p", "birthDate": "1980-01-01"});
    let words = json!({"reference": "Patient/p", "display": "Bob Roe"});
    let found = named(&[nameless, reference(words)]);
    let found = found.person().unwrap();
    assert_eq!(
        (
            found.name.as_deref(),
            found.born.as_deref(),
            found.names_several
        ),
        (Some("Bob Roe"), Some("1980-01-01"), false)
    );
}

/// However many resources are about one patient, there is room.
#[test]
fn many_resources_of_one_patient_name_one() {
    let dae = json!({"reference": "Patient/C-301", "display": "Dae Kim", "identifier": {"system": "urn:mrn", "value": "C-301"}});
    let many = vec![reference(dae); 30_000];
    let named = named(&many);
    let subject = named.person().unwrap();
    assert_eq!(
        (subject.name.as_deref(), subject.names_several),
        (Some("Dae Kim"), false)
    );
}
