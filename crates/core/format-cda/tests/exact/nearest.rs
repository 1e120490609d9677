//! Of several who stand around a statement, the nearest counts, for all that stands below (CDA R2, section 4.4).

use medibloc_record::Draft;
use serde_json::{Value, json};

use super::document::{all, one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn author(name: &str, day: &str) -> String {
    format!(
        r#"<author><time value="{day}"/><assignedAuthor><id root="1.2.9" extension="{name}"/><assignedPerson><name><family>{name}</family></name></assignedPerson></assignedAuthor></author>"#
    )
}

fn nameless(day: &str) -> String {
    format!(
        r#"<author><time value="{day}"/><assignedAuthor><id nullFlavor="UNK"/></assignedAuthor></author>"#
    )
}

fn inside(relation: &str, inner: &str) -> String {
    format!(r#"<entryRelationship typeCode="{relation}">{inner}</entryRelationship>"#)
}

fn seen(code: &str, parts: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><code code="{code}" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="{code}1" {SCT}/>{parts}</observation>"#
    )
}

fn problem(parts: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="38341003" {SCT}/>{parts}</observation>"#
    )
}

fn concern(parts: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/><statusCode code="active"/>{parts}</act>"#
    )
}

/// Whom the provenances of a resource of that kind and code name, by family name.
fn agents(draft: &Draft, kind: &str, code: &str) -> Vec<Value> {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let at = |reference: &Value| {
        let mut found = entries.iter().filter(|one| one["fullUrl"] == *reference);
        found.next().map(|one| one["resource"].clone())
    };
    let is_it = |target: &Value| {
        let one = at(&target["reference"]).unwrap();
        one["resourceType"] == kind && one["code"]["coding"][0]["code"] == code
    };
    let provenances = all(draft, "Provenance").into_iter();
    let about = provenances.filter(|one| one["target"].as_array().unwrap().iter().any(is_it));
    about
        .flat_map(|one| one["agent"].as_array().unwrap().clone())
        .filter_map(|agent| at(&agent["who"]["reference"]))
        .map(|who| who["name"][0]["family"].clone())
        .filter(|name| !name.is_null())
        .collect()
}

#[test]
fn the_author_of_a_concern_wrote_nothing_of_what_is_said_of_the_problem() {
    let deeper = inside("SUBJ", &seen("7", ""));
    let own = inside("REFR", &seen("8", &author("Yew", "20250104")));
    let own_problem = problem(&[&author("Ash", "20250103"), &*deeper].concat());
    let parts = [author("Elm", "20250102"), inside("SUBJ", &own_problem), own].concat();
    let draft = read("11450-4", "", &concern(&parts));
    // The concern is told in the condition, and so is who wrote it.
    assert_eq!(agents(&draft, "Condition", "38341003"), ["Ash", "Elm"]);
    assert_eq!(agents(&draft, "Observation", "7"), ["Ash"]);
    assert_eq!(agents(&draft, "Observation", "8"), ["Yew"]);
    // One that has no author of its own has the concern's.
    let bare = concern(&[author("Elm", "20250102"), inside("SUBJ", &problem(&deeper))].concat());
    let draft = read("11450-4", "", &bare);
    assert_eq!(agents(&draft, "Condition", "38341003"), ["Elm"]);
    assert_eq!(agents(&draft, "Observation", "7"), ["Elm"]);
}

/// An act that only holds others is no resource: whoever wrote it is the author of what has none of its own.
#[test]
fn who_stands_around_an_act_that_only_holds_is_overridden() {
    let told = |name: &str| {
        format!(
            r#"<informant><assignedEntity><id root="1.2.9" extension="{name}"/><assignedPerson><name><family>{name}</family></name></assignedPerson></assignedEntity></informant>"#
        )
    };
    let did = |name: &str| {
        format!(
            r#"<performer><assignedEntity><id root="1.2.9" extension="{name}"/><assignedPerson><name><family>{name}</family></name></assignedPerson></assignedEntity></performer>"#
        )
    };
    let by = |name: &str| author(name, "20250102");
    for who in [&by as &dyn Fn(&str) -> String, &told, &did] {
        let holder = |parts: &str| {
            format!(r#"<act classCode="ACT" moodCode="EVN"><code nullFlavor="NA"/>{parts}</act>"#)
        };
        let middle = [
            who("Elm"),
            inside("COMP", &seen("1", &who("Ash"))),
            inside("COMP", &seen("2", "")),
        ];
        let outer = holder(&inside("COMP", &holder(&middle.concat())));
        let draft = read("47420-5", "", &outer);
        // Who did it is its performer.
        let own = agents(&draft, "Observation", "1");
        assert!(own.iter().all(|name| *name == "Ash"), "{outer}");
        assert_eq!(agents(&draft, "Observation", "2"), ["Elm"], "{outer}");
    }
}

/// An author of the problem itself, of whom nothing is said, is not whoever wrote the concern, and wrote at no time of theirs.
#[test]
fn what_is_recorded_of_a_problem_is_not_taken_from_the_concern_over_its_own_author() {
    let undated = author("Ash", "").replace(r#"<time value=""/>"#, "");
    let elm = author("Elm", "20250102");
    let recorded = |own: &str| {
        let parts = [&*elm, &*inside("SUBJ", &problem(own))].concat();
        let made = one(&read("11450-4", "", &concern(&parts)), "Condition");
        (
            made.get("recordedDate").cloned(),
            made.get("recorder").is_some(),
        )
    };
    assert_eq!(recorded(&undated), (None, true));
    assert_eq!(
        recorded(&nameless("20250103")),
        (Some(json!("2025-01-03")), false)
    );
    assert_eq!(recorded(""), (Some(json!("2025-01-02")), true));
}

/// An author who has a number and no name is the one person whom the document describes under that number (C-CDA, author
/// participation), also where the number is one that is filled in for many: of two nobody knows which.
#[test]
fn an_author_by_number_alone_is_the_one_who_is_described_under_it() {
    let id =
        |extension: &str| format!(r#"<id root="2.16.840.1.113883.4.6" extension="{extension}"/>"#);
    let named = |extension: &str, name: &str| {
        author(name, "20250102").replace(
            &format!(r#"<id root="1.2.9" extension="{name}"/>"#),
            &id(extension),
        )
    };
    let bare = |extension: &str| {
        format!(
            r#"<author><time value="20250103"/><assignedAuthor>{}</assignedAuthor></author>"#,
            id(extension)
        )
    };
    let wrote = |authors: &[String], by: String| {
        let described = authors.iter().enumerate().map(|(at, one)| {
            format!(
                r#"<component>{}</component>"#,
                seen(&format!("{}", at + 2), one)
            )
        });
        let described: String = described.collect();
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code code="0" {SCT}/><statusCode code="completed"/><component>{}</component>{described}</organizer>"#,
            seen("1", &by)
        );
        agents(&read("30954-2", "", &entry), "Observation", "1")
    };
    for number in ["99999999", "999-99-9999", "1234567893"] {
        let ash = named(number, "Ash");
        assert_eq!(
            wrote(std::slice::from_ref(&ash), bare(number)),
            ["Ash"],
            "{number}"
        );
        assert_eq!(
            wrote(&[ash.clone(), ash], bare(number)),
            ["Ash"],
            "{number}"
        );
    }
    let both = [named("99999999", "Ash"), named("99999999", "Elm")];
    assert!(wrote(&both, bare("99999999")).is_empty());
    assert!(wrote(&[named("999999999", "Ash")], bare("99999999")).is_empty());
    // One of zeros is filled in where there is none.
    assert!(wrote(&[named("00000000", "Ash")], bare("00000000")).is_empty());
}
