//! What a document states comes out as it is stated: withdrawn as withdrawn, present as present, and nothing where it says nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;
#[path = "stated/refused.rs"]
mod refused;
#[path = "stated/who.rs"]
mod who;

use document::{all, one, read, why_lost};
use serde_json::json;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// A concern with one allergy against aspirin.
fn allergy(concern: &str, inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.30"/><code code="CONC"/>{concern}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" {SCT}/><participant typeCode="CSM"><participantRole><playingEntity><code code="1191" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>{inner}</observation></entryRelationship></act>"#
    )
}

fn problem(concern: &str, inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/>{concern}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>{inner}<value xsi:type="CD" code="38341003" {SCT}/></observation></entryRelationship></act>"#
    )
}

fn medicine(attributes: &str, parts: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" {attributes}><templateId root="2.16.840.1.113883.10.20.22.4.16"/>{parts}<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
    )
}

fn vaccine(attributes: &str, parts: &str) -> String {
    medicine(attributes, parts).replace("22.4.16", "22.4.52")
}

fn observation(attributes: &str, parts: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN" {attributes}><code code="8251-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{parts}</observation>"#
    )
}

/// What was withdrawn is not the fact that something was not done.
#[test]
fn a_withdrawn_denial_is_withdrawn() {
    let state = r#"<statusCode code="nullified"/>"#;
    let denied = r#"moodCode="EVN" negationInd="true""#;
    let deed = format!(
        r#"<procedure classCode="PROC" {denied}><code code="1" {SCT}/>{state}</procedure>"#
    );
    for (section, entry, kind) in [
        ("47519-4", deed, "Procedure"),
        ("10160-0", medicine(denied, state), "MedicationStatement"),
        (
            "29549-3",
            medicine(denied, state),
            "MedicationAdministration",
        ),
        ("11369-6", vaccine(denied, state), "Immunization"),
    ] {
        let made = one(&read(section, "", &entry), kind);
        assert_eq!(made["status"], "entered-in-error", "{kind}");
        assert!(made.get("statusReason").is_none(), "{kind}");
        let plain = entry.replace("nullified", "completed");
        let made = one(&read(section, "", &plain), kind);
        assert_ne!(made["status"], "entered-in-error", "{kind}");
    }
}

/// What stands in a group that was withdrawn was so with it.
#[test]
fn a_withdrawn_panel_is_withdrawn_whole() {
    for (state, wanted) in [("nullified", "entered-in-error"), ("completed", "final")] {
        let inner = observation("", r#"<value xsi:type="ST">x</value>"#);
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code code="24357-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="{state}"/><component>{inner}</component></organizer>"#
        );
        let draft = read("30954-2", "", &entry);
        assert_eq!(one(&draft, "DiagnosticReport")["status"], wanted);
        assert_eq!(one(&draft, "Observation")["status"], wanted);
    }
}

/// A relation that is denied (`entryRelationship/@negationInd`) is no reason and no reaction.
#[test]
fn a_denied_relation_relates_nothing() {
    let why = |link: &str| {
        format!(
            r#"<entryRelationship typeCode="RSON" {link}><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.19"/><code code="404684003" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="38341003" {SCT}/></observation></entryRelationship>"#
        )
    };
    let shown = |link: &str| {
        format!(
            r#"<entryRelationship typeCode="MFST" inversionInd="true" {link}><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/><value xsi:type="CD" code="247472004" {SCT}/></observation></entryRelationship>"#
        )
    };
    for (link, is_so) in [
        ("", true),
        (r#"negationInd="false""#, true),
        (r#"negationInd="true""#, false),
    ] {
        let draft = read("10160-0", "", &medicine(r#"moodCode="EVN""#, &why(link)));
        let made = one(&draft, "MedicationStatement");
        assert_eq!(made.get("reasonCode").is_some(), is_so, "{link}");
        assert!(all(&draft, "Condition").is_empty(), "{link}");
        assert!(all(&draft, "Observation").is_empty(), "{link}");
        let said = why_lost(&draft, "");
        assert_eq!(
            said.iter().any(|why| why.contains("the relation")),
            !is_so,
            "{link}"
        );
        let draft = read("48765-2", "", &allergy("", &shown(link)));
        let made = one(&draft, "AllergyIntolerance");
        assert_eq!(made.get("reaction").is_some(), is_so, "{link}");
        assert!(all(&draft, "Observation").is_empty(), "{link}");
    }
}

/// A concern that nobody follows any longer is not active, whether it was completed, stopped or put off.
#[test]
fn a_concern_that_was_stopped_is_inactive() {
    for (state, clinical) in [
        ("active", "active"),
        ("completed", "inactive"),
        ("aborted", "inactive"),
        ("suspended", "inactive"),
    ] {
        let concern = format!(r#"<statusCode code="{state}"/>"#);
        for (section, entry, kind) in [
            ("11450-4", problem(&concern, ""), "Condition"),
            ("48765-2", allergy(&concern, ""), "AllergyIntolerance"),
        ] {
            let made = one(&read(section, "", &entry), kind);
            let status = &made["clinicalStatus"];
            assert_eq!(status["coding"][0]["code"], clinical, "{kind} {state}");
            assert!(status.get("extension").is_none(), "{kind} {state}");
        }
    }
}

/// An encounter that is held was planned (C-CDA on FHIR, `CF-EncounterStatus`).
#[test]
fn a_held_encounter_is_planned() {
    let entry = r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/><statusCode code="held"/></encounter>"#;
    assert_eq!(
        one(&read("46240-8", "", entry), "Encounter")["status"],
        "planned"
    );
}

/// A value that is a file or stands elsewhere is a value.
#[test]
fn a_file_as_value_is_not_unknown() {
    for (value, attachment) in [
        (
            r#"<value xsi:type="ED" mediaType="application/pdf" representation="B64">JVBERi0xLjQK</value>"#,
            json!({"contentType": "application/pdf", "data": "JVBERi0xLjQK"}),
        ),
        (
            r#"<value xsi:type="ED" mediaType="image/jpeg"><reference value="https://example.org/a.jpg"/></value>"#,
            json!({"contentType": "image/jpeg", "url": "https://example.org/a.jpg"}),
        ),
    ] {
        let seen = one(&read("30954-2", "", &observation("", value)), "Observation");
        assert!(seen.get("dataAbsentReason").is_none(), "{value}");
        let held = &seen["extension"][0];
        assert_eq!(
            held["url"],
            "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
        );
        assert_eq!(held["valueAttachment"], attachment, "{value}");
    }
    let words = r#"<value xsi:type="ED">spongy</value>"#;
    let seen = one(&read("30954-2", "", &observation("", words)), "Observation");
    assert_eq!(seen["valueString"], "spongy");
    for (value, code) in [
        (
            r#"<value xsi:type="RTO"><numerator value="3"/></value>"#,
            "as-text",
        ),
        (r#"<value xsi:type="BL" value="perhaps"/>"#, "as-text"),
        // Words that the document does not have are nowhere.
        (
            r##"<value xsi:type="ED"><reference value="#gone"/></value>"##,
            "unknown",
        ),
        (
            r##"<value xsi:type="CD"><originalText><reference value="#gone"/></originalText></value>"##,
            "unknown",
        ),
        (r#"<value xsi:type="PQ" nullFlavor="NASK"/>"#, "not-asked"),
        (r#"<value xsi:type="PQ"/>"#, "unknown"),
    ] {
        let seen = one(&read("30954-2", "", &observation("", value)), "Observation");
        assert_eq!(
            seen["dataAbsentReason"]["coding"][0]["code"], code,
            "{value}"
        );
    }
    let none = r#"<value xsi:type="ED" nullFlavor="MSK"/>"#;
    let seen = one(&read("30954-2", "", &observation("", none)), "Observation");
    assert_eq!(seen["dataAbsentReason"]["coding"][0]["code"], "masked");
}

/// What somebody intends is a fact about today (C-CDA on FHIR, social history), and no order.
#[test]
fn an_intention_to_be_pregnant_is_an_observation() {
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.443"/><code code="86645-9" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime><low value="20250101"/></effectiveTime><value xsi:type="CD" code="454381000124105" {SCT}/></observation>"#
    );
    // Its sort is the same in whatever section it stands (US Core).
    let elsewhere = one(&read("51848-0", "", &entry), "Observation");
    assert_eq!(
        elsewhere["category"][0]["coding"][0]["code"],
        "social-history"
    );
    let draft = read("29762-2", "", &entry);
    assert!(all(&draft, "ServiceRequest").is_empty());
    let seen = one(&draft, "Observation");
    assert_eq!(
        seen["valueCodeableConcept"]["coding"][0]["code"],
        "454381000124105"
    );
    assert_eq!(seen["effectiveDateTime"], "2025-01-01");
}

/// A length of time gives the end that is not stated (HL7 v3 data types R1, `IVL`), with no more precision than the other end has.
#[test]
fn a_length_ends_an_interval() {
    let unknown = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    for (span, period) in [
        (
            r#"<low value="20250101"/><width value="10" unit="d"/>"#,
            json!({"start": "2025-01-01", "end": "2025-01-11"}),
        ),
        (
            r#"<low value="20241130"/><width value="3" unit="mo"/>"#,
            json!({"start": "2024-11-30", "end": "2025-02-28"}),
        ),
        (
            r#"<width value="2" unit="h"/><high value="202503010100-0500"/>"#,
            json!({"start": "2025-02-28T23:00:00-05:00", "end": "2025-03-01T01:00:00-05:00"}),
        ),
        (
            r#"<low value="2010"/><width value="2" unit="a"/>"#,
            json!({"start": "2010", "end": "2012"}),
        ),
        // Nobody can count days from a year.
        (
            r#"<low value="2010"/><width value="2" unit="d"/>"#,
            json!({"start": "2010", "_end": unknown}),
        ),
        (
            r#"<low value="20250101"/><width value="1.5" unit="d"/>"#,
            json!({"start": "2025-01-01", "_end": unknown}),
        ),
        (
            r#"<low value="20250101"/><high value="20250105"/><width value="9" unit="d"/>"#,
            json!({"start": "2025-01-01", "end": "2025-01-05"}),
        ),
    ] {
        let when = format!("<effectiveTime>{span}</effectiveTime>");
        let value = r#"<value xsi:type="ST">x</value>"#;
        let entry = observation("", &[when.as_str(), value].concat());
        let draft = read("30954-2", "", &entry);
        assert_eq!(
            one(&draft, "Observation")["effectivePeriod"],
            period,
            "{span}"
        );
    }
    let when = r#"<effectiveTime><low value="2010"/><width value="2" unit="a"/></effectiveTime>"#;
    let made = one(
        &read(
            "11450-4",
            "",
            &problem(r#"<statusCode code="active"/>"#, when),
        ),
        "Condition",
    );
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "resolved");
    assert_eq!(made["abatementDateTime"], "2012");
    let made = one(
        &read(
            "48765-2",
            "",
            &allergy(r#"<statusCode code="active"/>"#, when),
        ),
        "AllergyIntolerance",
    );
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "inactive");
}

/// Times that are excluded from a set (`operator="E"`) are none at which a medicine is taken, and what is left of the set is no
/// schedule that anybody could follow.
#[test]
fn excluded_times_are_no_schedule() {
    let times = |operator: &str| {
        format!(
            r#"<effectiveTime xsi:type="IVL_TS"><low value="20250101"/></effectiveTime><effectiveTime xsi:type="PIVL_TS" operator="A"><period value="1" unit="d"/></effectiveTime><effectiveTime xsi:type="EIVL_TS" operator="{operator}"><event code="HS"/></effectiveTime>"#
        )
    };
    for (operator, is_told) in [("A", true), ("E", false)] {
        let draft = read(
            "10160-0",
            "",
            &medicine(r#"moodCode="EVN""#, &times(operator)),
        );
        let made = one(&draft, "MedicationStatement");
        assert_eq!(made["effectivePeriod"]["start"], "2025-01-01");
        assert_eq!(
            made["dosage"][0]["timing"].is_object(),
            is_told,
            "{operator}"
        );
        let said = why_lost(&draft, "");
        assert_eq!(
            said.iter().any(|why| why.contains("excluded")),
            !is_told,
            "{said:?}"
        );
    }
}

/// Who promises something has no mere proposal.
#[test]
fn a_promise_is_a_plan() {
    let entry = format!(
        r#"<procedure classCode="PROC" moodCode="PRMS"><code code="1" {SCT}/><statusCode code="active"/></procedure>"#
    );
    assert_eq!(
        one(&read("18776-5", "", &entry), "ServiceRequest")["intent"],
        "plan"
    );
    let entry = medicine(r#"moodCode="PRMS""#, "");
    assert_eq!(
        one(&read("18776-5", "", &entry), "MedicationRequest")["intent"],
        "plan"
    );
}

/// A reaction in words is one.
#[test]
fn a_reaction_in_words_is_told() {
    for value in [
        r#"<value xsi:type="ST">Wheezy</value>"#,
        r#"<value xsi:type="ED">Wheezy</value>"#,
    ] {
        let shown = format!(
            r#"<entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/>{value}</observation></entryRelationship>"#
        );
        let made = one(
            &read("48765-2", "", &allergy("", &shown)),
            "AllergyIntolerance",
        );
        assert_eq!(
            made["reaction"][0]["manifestation"],
            json!([{"text": "Wheezy"}])
        );
    }
}

/// How somebody is doing is no illness, in whatever section it stands.
#[test]
fn how_somebody_is_doing_is_no_problem() {
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.5"/><code code="11323-3" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="81323004" {SCT} displayName="Alive and well"/></observation>"#
    );
    for section in ["75310-3", "11450-4", "30954-2"] {
        let draft = read(section, "", &entry);
        assert!(all(&draft, "Condition").is_empty(), "{section}");
        let seen = one(&draft, "Observation");
        assert_eq!(
            seen["valueCodeableConcept"]["coding"][0]["code"],
            "81323004"
        );
    }
}

/// A statement that says by its `nullFlavor` that nothing is known, and nothing inside, is none.
#[test]
fn no_information_is_no_statement() {
    let void = r#"<id nullFlavor="NI"/><code nullFlavor="NI"/><statusCode nullFlavor="NI"/><effectiveTime nullFlavor="NI"/>"#;
    let agent = r#"<consumable><manufacturedProduct><manufacturedMaterial><code nullFlavor="NI"/></manufacturedMaterial></manufacturedProduct></consumable>"#;
    let allergy = format!(
        r#"<act classCode="ACT" moodCode="EVN" nullFlavor="NI"><templateId root="2.16.840.1.113883.10.20.22.4.30"/>{void}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN" nullFlavor="NI"><templateId root="2.16.840.1.113883.10.20.22.4.7"/>{void}<value xsi:type="CD" nullFlavor="NI"/></observation></entryRelationship></act>"#
    );
    let given = |template: &str, flavor: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN" {flavor}><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>{void}{agent}</substanceAdministration>"#
        )
    };
    let none = r#"nullFlavor="NI""#;
    let deed = format!(
        r#"<procedure classCode="PROC" moodCode="EVN" {none}><templateId root="2.16.840.1.113883.10.20.22.4.14"/>{void}</procedure>"#
    );
    for (section, entry) in [
        ("48765-2", allergy),
        ("11369-6", given("52", none)),
        ("10160-0", given("16", none)),
        ("47519-4", deed),
        (
            "30954-2",
            observation(none, r#"<value xsi:type="CD" nullFlavor="NI"/>"#)
                .replace(r#"code="8251-1""#, none),
        ),
    ] {
        let draft = read(section, "", &entry);
        let entries = draft.fhir["entry"].as_array().unwrap();
        let kinds: Vec<&str> = entries
            .iter()
            .filter_map(|entry| entry["resource"]["resourceType"].as_str())
            .filter(|kind| !["Composition", "Patient", "Organization"].contains(kind))
            .collect();
        assert!(kinds.is_empty(), "{section}: {kinds:?}");
    }
    // What says something in spite of it is told.
    let entry = observation(none, r#"<value xsi:type="ST">x</value>"#);
    assert_eq!(
        one(&read("30954-2", "", &entry), "Observation")["valueString"],
        "x"
    );
}
