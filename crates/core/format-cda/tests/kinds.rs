//! Faults by kind that real documents showed: each must stay away.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const HEAD: &str = r#"xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc""#;

fn whole(header: &str, section: &str, text: &str, entries: &str) -> String {
    format!(
        r#"<ClinicalDocument {HEAD}><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"#
    )
}

fn read(section: &str, text: &str, entry: &str) -> Draft {
    let xml = whole("", section, text, &format!("<entry>{entry}</entry>"));
    Cda.read(xml.as_bytes()).unwrap()
}

fn one(draft: &Draft, kind: &str) -> Value {
    let mut all = all(draft, kind);
    assert_eq!(all.len(), 1, "{kind}");
    all.remove(0)
}

fn observed(value: &str) -> Value {
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{value}</observation>"#
    );
    one(&read("30954-2", "", &entry), "Observation")
}

#[test]
fn a_number_keeps_its_value_and_its_unit() {
    let ucum = "http://unitsofmeasure.org";
    for (value, key, wanted) in [
        (
            r#"<value xsi:type="PQ" value="5.50" unit="mg/dL"/>"#,
            "valueQuantity",
            json!({"value": 5.5, "unit": "mg/dL", "system": ucum, "code": "mg/dL"}),
        ),
        (
            r#"<value xsi:type="PQ" value="120" unit="mmHg"/>"#,
            "valueQuantity",
            json!({"value": 120, "unit": "mmHg", "system": ucum, "code": "mm[Hg]"}),
        ),
        (
            r#"<value xsi:type="PQ" value="2" unit="tablets"/>"#,
            "valueQuantity",
            json!({"value": 2, "unit": "tablets"}),
        ),
        (
            r#"<value xsi:type="PQ" nullFlavor="OTH"><translation value="7"><originalText>arb units</originalText></translation></value>"#,
            "valueQuantity",
            json!({"value": 7, "unit": "arb units"}),
        ),
        (
            r#"<value xsi:type="IVL_PQ"><low value="3" unit="mg" inclusive="false"/></value>"#,
            "valueQuantity",
            json!({"value": 3, "comparator": ">", "unit": "mg", "system": ucum, "code": "mg"}),
        ),
        (
            r#"<value xsi:type="IVL_PQ"><high value="3" unit="mg"/></value>"#,
            "valueQuantity",
            json!({"value": 3, "comparator": "<=", "unit": "mg", "system": ucum, "code": "mg"}),
        ),
        (
            r#"<value xsi:type="RTO_PQ_PQ"><numerator value="1"/><denominator value="128"/></value>"#,
            "valueRatio",
            json!({"numerator": {"value": 1}, "denominator": {"value": 128}}),
        ),
        (
            r#"<value xsi:type="INT" value="4"/>"#,
            "valueInteger",
            json!(4),
        ),
        (
            r#"<value xsi:type="BL" value="true"/>"#,
            "valueBoolean",
            json!(true),
        ),
        (
            r#"<value xsi:type="ST">trace</value>"#,
            "valueString",
            json!("trace"),
        ),
        (
            r#"<value xsi:type="st" value="trace"/>"#,
            "valueString",
            json!("trace"),
        ),
        (
            r#"<value xsi:type="TS" value="202501"/>"#,
            "valueDateTime",
            json!("2025-01"),
        ),
        (
            r#"<value xsi:type="CD" nullFlavor="OTH"><originalText>odd</originalText></value>"#,
            "valueCodeableConcept",
            json!({"text": "odd"}),
        ),
    ] {
        let seen = observed(value);
        // Decimals are kept as written; here their value counts.
        let plain = |value: &Value| value.to_string().replace("5.50", "5.5");
        assert_eq!(plain(&seen[key]), plain(&wanted), "{value}");
        assert!(seen.get("dataAbsentReason").is_none(), "{value}");
    }
    let seen = observed(r#"<value xsi:type="PQ" nullFlavor="UNK"/>"#);
    assert_eq!(seen["dataAbsentReason"]["coding"][0]["code"], "unknown");
    assert!(seen.get("valueQuantity").is_none());
}

#[test]
fn blood_pressure_is_one_panel_where_time_and_source_agree() {
    let part = |code: &str, value: u32, at: &str| {
        format!(
            r#"<component><observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime value="{at}"/><value xsi:type="PQ" value="{value}" unit="mm[Hg]"/></observation></component>"#
        )
    };
    let panel = |one: String, two: String| {
        format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><code code="46680005" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{one}{two}</organizer>"#
        )
    };
    let entry = panel(
        part("8480-6", 120, "20250101"),
        part("8462-4", 80, "20250101"),
    );
    let seen = all(&read("8716-3", "", &entry), "Observation");
    let pressure = seen
        .iter()
        .find(|one| one["code"]["coding"][0]["code"] == "85354-9")
        .unwrap();
    assert_eq!(pressure["component"][0]["valueQuantity"]["value"], 120);
    assert_eq!(pressure["component"][1]["valueQuantity"]["value"], 80);
    assert_eq!(pressure["effectiveDateTime"], "2025-01-01");
    assert_eq!(seen.len(), 2);
    let entry = panel(
        part("8480-6", 120, "20250101"),
        part("8462-4", 80, "20250102"),
    );
    let seen = all(&read("8716-3", "", &entry), "Observation");
    assert!(seen.iter().all(|one| one.get("component").is_none()));
    assert_eq!(seen.len(), 3);
}

/// A section says what its own statements are, and nothing of what stands inside them.
#[test]
fn what_stands_inside_an_allergy_is_no_allergy() {
    let entry = r#"<act classCode="ACT" moodCode="EVN"><statusCode code="active"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/>
        <participant typeCode="CSM"><participantRole><playingEntity><code code="1" codeSystem="2.16.840.1.113883.6.88" displayName="Penicillin"/></playingEntity></participantRole></participant>
        <entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><code code="X"/><value xsi:type="CD" code="371924009" codeSystem="2.16.840.1.113883.6.96" displayName="Moderate to severe"/></observation></entryRelationship></observation></entryRelationship></act>"#;
    let draft = read("48765-2", "", entry);
    assert_eq!(
        one(&draft, "AllergyIntolerance")["code"]["text"],
        "Penicillin"
    );
    assert_eq!(all(&draft, "Observation").len(), 1);
}

#[test]
fn insurance_is_coverage_and_no_plan_of_treatment() {
    let entry = r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.60"/><code code="48768-6"/><statusCode code="completed"/>
        <entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="1.9" extension="P-1"/><code code="SELF" codeSystem="2.16.840.1.113883.5.110"/><statusCode code="completed"/>
        <performer typeCode="PRF"><templateId root="2.16.840.1.113883.10.20.22.4.87"/><assignedEntity><id root="1.8"/><representedOrganization><name>Good Health Insurance</name></representedOrganization></assignedEntity></performer>
        <participant typeCode="COV"><participantRole classCode="PAT"><id root="1.7" extension="M-12"/><code code="SELF" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant>
        <entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.19"/><id root="1.6"/><code nullFlavor="NA"/><entryRelationship typeCode="SUBJ"><procedure classCode="PROC" moodCode="PRMS"><code code="73761001" codeSystem="2.16.840.1.113883.6.96" displayName="Colonoscopy"/></procedure></entryRelationship></act></entryRelationship>
        </act></entryRelationship></act>"#;
    let draft = read("48768-6", "", entry);
    let coverage = one(&draft, "Coverage");
    assert_eq!(coverage["subscriberId"], "M-12");
    assert_eq!(coverage["relationship"]["coding"][0]["code"], "self");
    let payer = coverage["payor"][0]["reference"].as_str().unwrap();
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let payer = entries
        .iter()
        .find(|entry| entry["fullUrl"] == payer)
        .unwrap();
    assert_eq!(payer["resource"]["name"], "Good Health Insurance");
    assert!(
        all(&draft, "ServiceRequest").is_empty(),
        "what an insurer promises to pay is no plan of treatment"
    );
}

#[test]
fn what_many_point_to_is_not_repeated_for_each() {
    let words = "a long text ".repeat(10_000);
    let entry = r##"<entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"><originalText><reference value="#big"/></originalText></code><statusCode code="completed"/></observation></entry>"##;
    let xml = whole(
        "",
        "30954-2",
        &format!(r#"<paragraph ID="big">{words}</paragraph>"#),
        &entry.repeat(1_000),
    );
    let draft = Cda.read(xml.as_bytes()).unwrap();
    assert_eq!(all(&draft, "Observation").len(), 1_000);
    let out = draft.fhir.to_string().len();
    assert!(out < 20 * xml.len(), "{out} of {}", xml.len());
}

#[test]
fn documents_are_read_by_the_encoding_that_they_declare() {
    let xml = |name: &str| {
        format!(
            r#"<?xml version="1.0" encoding="{name}"?><ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><title>TITLE</title></ClinicalDocument>"#
        )
    };
    for (name, words, bytes) in [
        (
            "windows-1252",
            "„Grüße“ – 5 €",
            b"\x84Gr\xfc\xdfe\x93 \x96 5 \x80".as_slice(),
        ),
        ("ISO-8859-1", "Grüße", b"Gr\xfc\xdfe".as_slice()),
        ("ISO-8859-15", "5 €", b"5 \xa4".as_slice()),
        ("EUC-KR", "진료", b"\xc1\xf8\xb7\xe1".as_slice()),
        ("GB18030", "病历", b"\xb2\xa1\xc0\xfa".as_slice()),
    ] {
        let xml = xml(name);
        let (before, after) = xml.split_once("TITLE").unwrap();
        let document = [before.as_bytes(), bytes, after.as_bytes()].concat();
        let draft = Cda.read(&document).unwrap();
        assert_eq!(draft.title.as_deref(), Some(words), "{name}");
        let title = draft
            .loss
            .entries
            .iter()
            .find(|line| draft.loss.path(line) == "title")
            .unwrap();
        let (from, to) = (title.span.0, title.span.1);
        let length = "<title></title>".len() + bytes.len();
        assert_eq!(
            (to - from, from),
            (length as u64, before.len() as u64 - 7),
            "{name}"
        );
    }
    let text = r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><title>Grüße</title></ClinicalDocument>"#;
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(Cda.read(&wide).unwrap().title.as_deref(), Some("Grüße"));
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(Cda.read(&wide).unwrap().title.as_deref(), Some("Grüße"));
}

/// What is refused denies nothing of what is wanted beside it.
#[test]
fn who_refused_a_vaccine_is_still_to_be_taught() {
    let entry = r#"<substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="true"><statusCode code="completed"/><consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable>
        <entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="INT"><code code="171044003" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/></act></entryRelationship></substanceAdministration>"#;
    let draft = read("11369-6", "", entry);
    assert_eq!(one(&draft, "Immunization")["status"], "not-done");
    assert!(one(&draft, "ServiceRequest").get("doNotPerform").is_none());
}

#[test]
fn a_nested_statement_has_no_time_but_its_own() {
    let entry = r#"<act classCode="ACT" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><effectiveTime value="2020"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><code code="2" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value></observation></entryRelationship></act>"#;
    let draft = read("47519-4", "", entry);
    assert_eq!(one(&draft, "Procedure")["performedDateTime"], "2020");
    assert!(
        one(&draft, "Observation")
            .get("effectiveDateTime")
            .is_none()
    );
}

/// The source counts fills, FHIR the repeats after the first.
#[test]
fn refills_are_one_less_than_fills() {
    for (fills, repeats) in [(1, 0), (3, 2)] {
        let entry = format!(
            r#"<supply classCode="SPLY" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.17"/><statusCode code="active"/><repeatNumber value="{fills}"/><product><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></product></supply>"#
        );
        let order = one(&read("10160-0", "", &entry), "MedicationRequest");
        assert_eq!(order["dispenseRequest"]["numberOfRepeatsAllowed"], repeats);
    }
}

#[test]
fn a_statement_that_only_names_another_is_no_second_one() {
    let first = r#"<entry><observation classCode="OBS" moodCode="EVN"><id root="1.9" extension="a"/><code code="1" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="2020"/><value xsi:type="ST">x</value></observation></entry>"#;
    let second = r#"<entry><act classCode="ACT" moodCode="EVN"><code code="2" codeSystem="2.16.840.1.113883.6.96"/><entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><id root="1.9" extension="a"/><code code="1" codeSystem="2.16.840.1.113883.6.1"/></observation></entryRelationship></act></entry>"#;
    let xml = whole("", "30954-2", "", &format!("{first}{second}"));
    let draft = Cda.read(xml.as_bytes()).unwrap();
    assert_eq!(all(&draft, "Observation").len(), 1);
    let told = draft
        .loss
        .entries
        .iter()
        .filter_map(|line| line.because.as_deref());
    assert!(told.into_iter().any(|why| why.contains("stands elsewhere")));
}

#[test]
fn no_known_allergy_is_no_refuted_one() {
    let entry = r#"<observation classCode="OBS" moodCode="EVN" negationInd="true"><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/><participant typeCode="CSM"><participantRole><playingEntity><code code="105590001" codeSystem="2.16.840.1.113883.6.96"/></playingEntity></participantRole></participant></observation>"#;
    let allergy = one(&read("48765-2", "", entry), "AllergyIntolerance");
    assert_eq!(allergy["code"]["coding"][0]["code"], "716186003");
    assert!(allergy.get("verificationStatus").is_none());
}

#[test]
fn a_usual_name_stays_one_and_a_doubtful_time_is_none() {
    let header = r#"<recordTarget><patientRole><patient><name use="L"><given qualifier="CL">Bo</given><family>Kim</family></name><birthTime value="201102019"/></patient></patientRole></recordTarget>"#;
    let draft = Cda
        .read(whole(header, "30954-2", "", "").as_bytes())
        .unwrap();
    let patient = one(&draft, "Patient");
    assert_eq!(patient["name"][0]["use"], "usual");
    assert!(patient.get("birthDate").is_none());
}

/// Two values of one problem are two statements: the second is no other code for the first.
#[test]
fn a_second_value_is_no_other_code_for_the_first() {
    let entry = r#"<observation classCode="OBS" moodCode="EVN"><code code="1"/><value xsi:type="CD" code="1" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/></observation>"#;
    let draft = read("11450-4", "", entry);
    let problems = all(&draft, "Condition");
    assert_eq!(problems.len(), 2);
    for problem in problems {
        assert_eq!(problem["code"]["coding"].as_array().unwrap().len(), 1);
    }
    let values = draft
        .loss
        .entries
        .iter()
        .filter(|line| draft.loss.path(line).ends_with("/value"));
    let told: Vec<bool> = values.map(|line| line.because.is_some()).collect();
    assert_eq!(told, [false, false]);
}

#[test]
fn a_relative_is_dead_since_the_day_that_is_stated() {
    let entry = r#"<organizer classCode="CLUSTER" moodCode="EVN"><statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/><subject><sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="1967"/></subject></relatedSubject></subject><component><observation classCode="OBS" moodCode="EVN"><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="22298006" codeSystem="2.16.840.1.113883.6.96"/></observation></component></organizer>"#;
    let draft = read("10157-6", "", entry);
    assert_eq!(one(&draft, "FamilyMemberHistory")["deceasedDate"], "1967");
    let lost = draft
        .loss
        .entries
        .iter()
        .filter(|line| line.because.is_some());
    let lost: Vec<String> = lost.map(|line| draft.loss.path(line)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// An encounter with one time or an end is over, whatever word it has; one that ends after the document was written is not.
#[test]
fn a_visit_is_over_when_its_times_say_so() {
    for (state, when, wanted) in [
        ("", r#" value="20240815"/>"#, "finished"),
        (
            r#"<statusCode code="active"/>"#,
            r#"><low value="2024"/><high value="20241231"/></effectiveTime>"#,
            "finished",
        ),
        (
            r#"<statusCode code="active"/>"#,
            r#"><low value="2024"/><high value="20250201"/></effectiveTime>"#,
            "in-progress",
        ),
        (
            r#"<statusCode code="active"/>"#,
            r#"><low value="2024"/></effectiveTime>"#,
            "in-progress",
        ),
        ("", r#"><low value="2024"/></effectiveTime>"#, "unknown"),
        (
            r#"<statusCode code="cancelled"/>"#,
            r#" value="20240815"/>"#,
            "cancelled",
        ),
    ] {
        let entry = format!(
            r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>{state}<effectiveTime{when}</encounter>"#
        );
        let visit = one(&read("46240-8", "", &entry), "Encounter");
        assert_eq!(visit["status"], wanted, "{state} {when}");
        // The kind of visit says its class.
        assert_eq!(visit["class"]["code"], "AMB");
    }
}

/// What counts has its unit, and the form of the product has its place.
#[test]
fn a_number_of_units_and_the_form_of_a_medicine_are_kept() {
    let form = r#"<administrationUnitCode code="C42998" codeSystem="2.16.840.1.113883.3.26.1.1" displayName="Tablet"/>"#;
    let taken = |dose: &str| {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{dose}{form}<consumable><manufacturedProduct><id root="1.2.3.5"/><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        read("10160-0", "", &entry)
    };
    let draft = taken(r#"<doseQuantity value="2" unit="1"/>"#);
    let statement = one(&draft, "MedicationStatement");
    let dose = &statement["dosage"][0]["doseAndRate"][0]["doseQuantity"];
    assert_eq!(dose["unit"], "Tablet");
    assert_eq!(
        statement["medicationCodeableConcept"]["coding"][0]["code"],
        "1"
    );
    let number = &statement["extension"][0]["valueIdentifier"]["value"];
    assert_eq!(number, "urn:oid:1.2.3.5");
    let draft = taken(r#"<doseQuantity value="20" unit="mg"/>"#);
    let medicine = one(&draft, "Medication");
    assert_eq!(medicine["form"]["coding"][0]["code"], "C42998");
    let statement = one(&draft, "MedicationStatement");
    assert!(statement.get("medicationReference").is_some());
}

/// Whoever wrote a vaccine down did not give it.
#[test]
fn an_author_gives_no_vaccine() {
    let who = |name: &str| {
        format!(
            r#"<id root="1.8" extension="{name}"/><assignedPerson><name>{name}</name></assignedPerson>"#
        )
    };
    let entry = format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable>
        <performer><assignedEntity>{}</assignedEntity></performer><author><time value="20200101"/><assignedAuthor>{}</assignedAuthor></author></substanceAdministration>"#,
        who("Giver"),
        who("Writer")
    );
    let vaccine = one(&read("11369-6", "", &entry), "Immunization");
    assert_eq!(vaccine["performer"].as_array().unwrap().len(), 1);
    assert_eq!(
        vaccine["performer"][0]["function"]["coding"][0]["code"],
        "AP"
    );
    assert_eq!(vaccine["recorded"], "2020-01-01");
}
