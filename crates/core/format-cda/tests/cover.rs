//! Who pays for whom: no side is taken where the insurer's words contradict each other.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, whole, why_lost};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};

const PATIENT: &str = r#"<recordTarget><patientRole><id root="1.2.3.5" extension="p"/><patient><name><given>Eve</given><given>Ann</given><family>Ash</family></name></patient></patientRole></recordTarget>"#;

fn policy(covered: &str, holder: &str) -> Draft {
    let part = |kind: &str, inner: &str| {
        format!(
            r#"<participant typeCode="{kind}"><participantRole>{inner}</participantRole></participant>"#
        )
    };
    let holder = if holder.is_empty() {
        String::new()
    } else {
        part("HLD", holder)
    };
    let entry = format!(
        r#"<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="1.2.3.6"/><code code="1"/>{}{holder}</act></entry>"#,
        part("COV", covered)
    );
    Cda.read(whole(PATIENT, "48768-6", "", &entry).as_bytes())
        .unwrap()
}

const SELF: &str =
    r#"<id root="1.2.3.7" extension="m"/><code code="SELF" codeSystem="2.16.840.1.113883.5.111"/>"#;

fn called(given: &str, family: &str) -> String {
    format!(
        "<playingEntity><name><given>{given}</given><family>{family}</family></name></playingEntity>"
    )
}

/// Somebody who is covered as herself, and bears another name than the patient, is not said to be the patient.
#[test]
fn another_name_than_the_patients_is_not_the_patient() {
    let own = |draft: &Draft| {
        let made = one(draft, "Coverage");
        let url = made["subscriber"]["reference"].as_str().map(str::to_owned);
        let patient = all(draft, "Patient").remove(0);
        let is_patient = url
            .as_ref()
            .map(|url| url.ends_with(patient["id"].as_str().unwrap()));
        let word = made["relationship"]["coding"][0]["code"]
            .as_str()
            .unwrap()
            .to_owned();
        (is_patient, word)
    };
    let word = |word: &str| word.to_owned();
    // A name less is the same name.
    for covered in [SELF.to_owned(), [SELF, &called("Eve", "Ash")].concat()] {
        assert_eq!(own(&policy(&covered, "")), (Some(true), word("self")));
    }
    let bob = [SELF, &called("Bob", "Ash")].concat();
    let draft = policy(&bob, "");
    assert_eq!(own(&draft), (None, word("SELF")));
    let why = why_lost(&draft, "family");
    assert!(
        why.iter().any(|why| why.contains("another name")),
        "{why:?}"
    );
    let holder = r#"<id root="1.2.3.8" extension="h"/>"#;
    let draft = policy(&bob, holder);
    assert_eq!(own(&draft), (Some(false), word("SELF")));
    assert_eq!(one(&draft, "RelatedPerson")["identifier"][0]["value"], "h");
    let draft = policy(SELF, &[holder, &called("Bob", "Ash")].concat());
    assert_eq!(own(&draft), (Some(false), word("SELF")));
    assert_eq!(own(&policy(SELF, holder)), (Some(true), word("self")));
}

/// C-CDA: the number of a member whose `id` has a root alone is the root.
#[test]
fn a_member_is_known_by_a_root() {
    let number = |id: &str| one(&policy(id, ""), "Coverage")["subscriberId"].clone();
    assert_eq!(
        number(r#"<id root="14d4a520-7aae-11db-9fe1-0800200c9a66"/>"#),
        "14d4a520-7aae-11db-9fe1-0800200c9a66"
    );
    assert_eq!(
        number(r#"<id root="1.2.3.7"/><id root="1.2.3.8" extension="m"/>"#),
        "m"
    );
    assert!(number(r#"<id root="1.2.3.7" nullFlavor="UNK"/>"#).is_null());
}
