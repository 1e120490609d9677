//! What a statement says of the one around it stays said of that one, and of nobody in particular never.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// The reference to a resource.
fn to(draft: &Draft, resource: &Value) -> Value {
    let entries = draft.fhir["entry"].as_array().unwrap();
    let mut found = entries
        .iter()
        .filter(|entry| entry["resource"] == *resource);
    json!({"reference": found.next().unwrap()["fullUrl"]})
}

/// How severe an allergy is, is not lost because its reaction has a severity of its own.
#[test]
fn an_allergy_keeps_its_severity_beside_that_of_its_reaction() {
    let severity = |code: &str| {
        format!(
            r#"<entryRelationship typeCode="SUBJ" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="{code}" {SCT}/></observation></entryRelationship>"#
        )
    };
    let agent = |code: &str| {
        format!(
            r#"<participant typeCode="CSM"><participantRole><playingEntity><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>"#
        )
    };
    let allergy = |agents: &str, reaction: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" {SCT}/>{agents}{}
            <entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/><value xsi:type="CD" code="247472004" {SCT}/>{reaction}</observation></entryRelationship></observation>"#,
            severity("24484000")
        )
    };
    for agents in [agent("1"), [agent("1"), agent("2")].concat()] {
        let draft = read("48765-2", "", &allergy(&agents, &severity("255604002")));
        let made = all(&draft, "AllergyIntolerance");
        for one in &made {
            assert_eq!(one["reaction"][0]["severity"], "mild");
        }
        let seen = one(&draft, "Observation");
        assert_eq!(
            seen["valueCodeableConcept"]["coding"][0]["code"],
            "24484000"
        );
        let about: Vec<Value> = made.iter().map(|one| to(&draft, one)).collect();
        assert_eq!(seen["focus"], json!(about));
        // It is that of a reaction that has none.
        let draft = read("48765-2", "", &allergy(&agents, ""));
        assert!(all(&draft, "Observation").is_empty());
        let made = all(&draft, "AllergyIntolerance").remove(0);
        assert_eq!(made["reaction"][0]["severity"], "severe");
    }
}

fn product() -> String {
    r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#.to_owned()
}

fn within(kind: &str, inner: &str) -> String {
    format!(r#"<entryRelationship typeCode="{kind}">{inner}</entryRelationship>"#)
}

/// The resources that an element of another refers to.
fn linked(draft: &Draft, from: &Value, element: &str) -> Vec<String> {
    let entries = draft.fhir["entry"].as_array().unwrap();
    let all = from[element].as_array().cloned().unwrap_or_default();
    let kind = |link: Value| {
        let mut found = entries
            .iter()
            .filter(|entry| entry["fullUrl"] == link["reference"]);
        let found = found.next().unwrap();
        found["resource"]["resourceType"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    all.into_iter().map(kind).collect()
}

/// What was ordered or handed out of a medicine stays with what is said of taking it.
#[test]
fn a_supply_stays_with_its_medicine() {
    let supply = |mood: &str, template: &str, inner: &str| {
        format!(
            r#"<supply classCode="SPLY" moodCode="{mood}"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><statusCode code="completed"/>{inner}</supply>"#
        )
    };
    let medicine = |mood: &str, inner: &str| {
        let product = product();
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="{mood}"><templateId root="2.16.840.1.113883.10.20.22.4.16"/>{product}{}</substanceAdministration>"#,
            within("REFR", inner)
        )
    };
    let (ordered, handed) = (supply("INT", "17", ""), supply("EVN", "18", ""));
    let support = "supportingInformation";
    for (entry, kind, element, wanted) in [
        (
            medicine("EVN", &ordered),
            "MedicationRequest",
            support,
            "MedicationStatement",
        ),
        (
            medicine("EVN", &handed),
            "MedicationDispense",
            support,
            "MedicationStatement",
        ),
        (
            medicine("INT", &handed),
            "MedicationDispense",
            "authorizingPrescription",
            "MedicationRequest",
        ),
        // One inside the other is carried out by it.
        (
            medicine("EVN", &supply("INT", "17", &within("REFR", &handed))),
            "MedicationDispense",
            "authorizingPrescription",
            "MedicationRequest",
        ),
        (
            medicine("EVN", &supply("EVN", "18", &within("REFR", &ordered))),
            "MedicationDispense",
            "authorizingPrescription",
            "MedicationRequest",
        ),
    ] {
        let draft = read("10160-0", "", &entry);
        let made = one(&draft, kind);
        assert_eq!(linked(&draft, &made, element), [wanted], "{entry}");
    }
}

/// What stands inside of what is planned, agreed to or seen is linked to that.
#[test]
fn what_stands_inside_is_linked() {
    let seen = |template: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="{template}"/><code code="5" {SCT}/><value xsi:type="CD" code="6" {SCT}/></observation>"#
        )
    };
    let code = format!(r#"<code code="1" {SCT}/>"#);
    let preference =
        within("RSON", &seen("2.16.840.1.113883.10.20.22.4.143")).replace("RSON", "REFR");
    let status = within("REFR", &seen("2.16.840.1.113883.10.20.1.37"));
    let coverage = within(
        "COMP",
        &format!(
            r#"<act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.60"/><code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/>{}</act>"#,
            within(
                "COMP",
                r#"<act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="1.2.3.9"/><code code="1"/></act>"#
            )
        ),
    );
    let device = within(
        "REFR",
        &format!(
            r#"<supply classCode="SPLY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.50"/><participant typeCode="PRD"><participantRole classCode="MANU"><templateId root="2.16.840.1.113883.10.20.22.4.37"/><playingDevice>{code}</playingDevice></participantRole></participant></supply>"#
        ),
    );
    for (section, entry, kind, element, wanted) in [
        (
            "18776-5",
            format!(r#"<encounter classCode="ENC" moodCode="INT">{code}{preference}</encounter>"#),
            "Observation",
            "focus",
            "Encounter",
        ),
        (
            "42348-3",
            format!(
                r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.17"/>{code}{status}</observation>"#
            ),
            "Observation",
            "focus",
            "Consent",
        ),
        (
            "18776-5",
            format!(r#"<procedure classCode="PROC" moodCode="INT">{code}{coverage}</procedure>"#),
            "ServiceRequest",
            "insurance",
            "Coverage",
        ),
        (
            "47420-5",
            format!(r#"<observation classCode="OBS" moodCode="EVN">{code}{device}</observation>"#),
            "DeviceUseStatement",
            "derivedFrom",
            "Observation",
        ),
    ] {
        let draft = read(section, "", &entry);
        let made = one(&draft, kind);
        assert_eq!(linked(&draft, &made, element), [wanted], "{entry}");
    }
}

const CORE: &str = "http://hl7.org/fhir/StructureDefinition/";

fn extension(of: &Value, name: &str) -> Option<Value> {
    let all = of["extension"].as_array().cloned().unwrap_or_default();
    let found = all
        .into_iter()
        .find(|one| one["url"] == [CORE, name].concat());
    found.map(|one| one["valueReference"].clone())
}

/// What a health concern names beside its own problem is a health concern, and belongs to that problem.
#[test]
fn a_concern_names_a_problem_that_stands_elsewhere() {
    let problem = |number: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.2.9" extension="{number}"/><code code="55607006"/><value xsi:type="CD" code="{number}" {SCT}/></observation>"#
        )
    };
    let named = r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.2.9" extension="2"/><code nullFlavor="NP"/></act>"#;
    let concern = format!(
        r#"<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.132"/><id root="1.2.8"/><code code="75310-3"/>{}{}</act></entry>"#,
        within("REFR", &problem("1")),
        within("REFR", named)
    );
    let other = format!(
        r#"<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/>{}</act></entry>"#,
        within("SUBJ", &problem("2"))
    );
    let xml = whole("", "11450-4", "", &[concern, other].concat());
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let all = all(&draft, "Condition");
    assert_eq!(all.len(), 2);
    assert_eq!(
        extension(&all[0], "condition-related"),
        Some(to(&draft, &all[1]))
    );
    let sorts = all[1]["category"].to_string();
    assert!(sorts.contains("health-concern"), "{sorts}");
}

/// An episode that starts after another one (`SAS`) says after which: of a problem, by the number of the concern about it.
#[test]
fn an_episode_says_which_one_it_follows() {
    let episode = |after: &str| {
        let value = format!(
            r#"<value xsi:type="CD" code="404684003" {SCT}><qualifier><name code="246456000"/><value code="288527008"/></qualifier></value>"#
        );
        within(
            "SUBJ",
            &format!(
                r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.41"/><code code="ASSERTION"/>{value}{}</observation>"#,
                within("SAS", after)
            ),
        )
    };
    let concern = |number: &str, more: &str| {
        let problem = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.28"/><id root="1.2.9" extension="{number}"/><code code="ASSERTION"/><value xsi:type="CD" code="233604007" {SCT}/></observation>"#
        );
        format!(
            r#"<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.27"/><id root="1.2.8" extension="{number}"/><code nullFlavor="NA"/>{}{more}</act></entry>"#,
            within("SUBJ", &problem)
        )
    };
    let first = r#"<act classCode="ACT" moodCode="EVN"><id root="1.2.8" extension="1"/><code nullFlavor="NA"/></act>"#;
    let entries = [concern("2", &episode(first)), concern("1", "")].concat();
    let draft = Cda
        .read(whole("", "11450-4", "", &entries).as_bytes())
        .unwrap();
    let problems = all(&draft, "Condition");
    assert_eq!(
        extension(&problems[0], "condition-occurredFollowing"),
        Some(to(&draft, &problems[1]))
    );
    assert_eq!(extension(&problems[1], "condition-occurredFollowing"), None);
    // Of an observation, by its own.
    let smoking = |number: &str, more: &str| {
        format!(
            r#"<entry><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.33"/><id root="1.2.7" extension="{number}"/><code code="230056004" {SCT}/><value xsi:type="ST">{number}</value>{more}</observation></entry>"#
        )
    };
    let first = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><id root="1.2.7" extension="1"/><code code="230056004" {SCT}/></observation>"#
    );
    let entries = [smoking("1", ""), smoking("2", &episode(&first))].concat();
    let draft = Cda
        .read(whole("", "29762-2", "", &entries).as_bytes())
        .unwrap();
    let seen = all(&draft, "Observation");
    let after = seen
        .iter()
        .find_map(|one| extension(one, "observation-sequelTo"));
    let first = seen.iter().find(|one| one["valueString"] == "1").unwrap();
    assert_eq!(after, Some(to(&draft, first)));
}

/// The status of a functional problem (CCD R1) is the problem's.
#[test]
fn a_functional_problem_has_its_status() {
    for (code, wanted) in [("55561003", "active"), ("413322009", "resolved")] {
        let status = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.44"/><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CE" code="{code}" {SCT}/></observation>"#
        );
        let entry = format!(
            r#"<act classCode="ACT" moodCode="EVN"><code nullFlavor="NA"/>{}</act>"#,
            within(
                "SUBJ",
                &format!(
                    r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.28"/><code code="ASSERTION"/><value xsi:type="CD" code="105504002" {SCT}/>{}</observation>"#,
                    within("REFR", &status)
                )
            )
        );
        let draft = read("47420-5", "", &entry);
        let made = one(&draft, "Condition");
        assert_eq!(made["clinicalStatus"]["coding"][0]["code"], wanted);
        assert!(all(&draft, "Observation").is_empty());
    }
}
