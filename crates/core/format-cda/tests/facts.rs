//! What somebody who treats the patient would read wrongly: facts that a document does not state must not come out of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;
#[path = "facts/whose.rs"]
mod whose;

use document::{all, one, read, whole, why_lost, with_header};
use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::{Value, json};

/// FHIR's ranges are the normal ones (C-CDA on FHIR, results).
#[test]
fn only_the_normal_range_is_a_range() {
    let range = |meaning: &str, high: u32| {
        format!(
            r#"<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="1" unit="mg"/><high value="{high}" unit="mg"/></value>{meaning}</observationRange></referenceRange>"#
        )
    };
    let said = |code: &str| {
        format!(r#"<interpretationCode code="{code}" codeSystem="2.16.840.1.113883.5.83"/>"#)
    };
    for (ranges, wanted) in [
        (range(&said("N"), 5), vec![json!(5)]),
        (range("", 5), vec![json!(5)]),
        (
            range(r#"<interpretationCode nullFlavor="UNK"/>"#, 5),
            vec![json!(5)],
        ),
        (range(&said("H"), 5), vec![]),
        (range(&said("A"), 5), vec![]),
        (
            [
                range(&said("H"), 9),
                range(&said("N"), 5),
                range(&said("L"), 1),
            ]
            .concat(),
            vec![json!(5)],
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="PQ" value="3" unit="mg"/>{ranges}</observation>"#
        );
        let draft = read("30954-2", "", &entry);
        let seen = one(&draft, "Observation");
        let given = seen["referenceRange"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let highs: Vec<Value> = given
            .iter()
            .map(|one| one["high"]["value"].clone())
            .collect();
        assert_eq!(highs, wanted, "{ranges}");
        let other = ranges.contains(r#"code="H""#) || ranges.contains(r#"code="A""#);
        let why = why_lost(&draft, "");
        assert_eq!(
            why.iter().any(|why| why.contains("not the normal one")),
            other,
            "{ranges}"
        );
    }
}

/// FHIR has three words for how severe a reaction was (C-CDA on FHIR, `CF-Severity`); what lies between two has the graver one, and
/// what the source says beside it.
#[test]
fn a_severity_is_never_less_than_the_source_says() {
    for (code, word, is_all) in [
        ("255604002", "mild", true),
        ("371923003", "moderate", false),
        ("6736007", "moderate", true),
        ("371924009", "severe", false),
        ("24484000", "severe", true),
        ("399166001", "severe", false),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/>
            <entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/><effectiveTime><low value="20200101"/><high value="20200103"/></effectiveTime><value xsi:type="CD" code="247472004" codeSystem="2.16.840.1.113883.6.96"/>
            <entryRelationship typeCode="SUBJ" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></observation></entryRelationship></observation>"#
        );
        let allergy = one(&read("48765-2", "", &entry), "AllergyIntolerance");
        let reaction = &allergy["reaction"][0];
        assert_eq!(reaction["severity"], word, "{code}");
        let more = reaction["extension"].as_array().unwrap();
        let stated = &more[0]["valueCodeableConcept"]["coding"][0]["code"];
        assert_eq!(stated == code, !is_all, "{code}");
        assert_eq!(reaction["onset"], "2020-01-01");
        assert_eq!(more.last().unwrap()["valueDateTime"], "2020-01-03");
    }
}

/// What somebody is called is a name of its own (C-CDA on FHIR, `CF-NameUse`).
#[test]
fn a_nickname_is_no_second_given_name() {
    let header = r#"<recordTarget><patientRole><telecom value="mailto://isa@example.org"/><telecom value="tel:+1-555"/><telecom value="https://example.org/a"/><patient><name use="L"><given>Isabella</given><given qualifier="CL">Isa</given><family>Jones</family></name></patient></patientRole></recordTarget>"#;
    let patient = one(&with_header(header), "Patient");
    assert_eq!(
        patient["name"],
        json!([{"use": "usual", "family": "Jones", "given": ["Isabella"]}, {"use": "nickname", "given": ["Isa"]}])
    );
    let reached: Vec<&Value> = (0..3).map(|at| &patient["telecom"][at]["value"]).collect();
    assert_eq!(
        reached,
        ["isa@example.org", "+1-555", "https://example.org/a"]
    );
}

/// A device of what was not done is none of the patient's, and one that was supplied is not out of use.
#[test]
fn a_device_is_the_patients_only_if_it_was_used() {
    let device = r#"<participant typeCode="DEV"><participantRole classCode="MANU"><id root="1.9" extension="d"/><playingDevice><code code="304120007" codeSystem="2.16.840.1.113883.6.96"/></playingDevice></participantRole></participant>"#;
    let done = |flags: &str| {
        let entry = format!(
            r#"<procedure classCode="PROC" {flags}><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{device}</procedure>"#
        );
        read("47519-4", "", &entry)
    };
    assert_eq!(all(&done(r#"moodCode="EVN""#), "Device").len(), 1);
    let draft = done(r#"moodCode="EVN" negationInd="true""#);
    assert_eq!(one(&draft, "Procedure")["status"], "not-done");
    assert!(all(&draft, "Device").is_empty());
    let supplied = |flags: &str, when: &str| {
        let entry = format!(
            r#"<supply classCode="SPLY" {flags}><statusCode code="completed"/><effectiveTime>{when}</effectiveTime><quantity value="2"/>{device}</supply>"#
        );
        read("46264-8", "", &entry)
    };
    for (when, end) in [
        (r#"<low value="20130731"/>"#, "start"),
        (r#"<center value="20130731"/>"#, "start"),
    ] {
        let used = one(&supplied(r#"moodCode="EVN""#, when), "DeviceUseStatement");
        assert_eq!(used["status"], "active", "{when}");
        assert_eq!(used["timingPeriod"], json!({end: "2013-07-31"}), "{when}");
        assert_eq!(used["extension"][0]["valueQuantity"]["value"], 2);
    }
    let denied = supplied(r#"moodCode="EVN" negationInd="true""#, "");
    assert!(all(&denied, "Device").is_empty());
    let planned = supplied(r#"moodCode="INT""#, "");
    assert!(one(&planned, "Device").get("patient").is_none());
    let specimen = r#"<observation classCode="OBS" moodCode="EVN" negationInd="true"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="3"/><specimen><specimenRole><specimenPlayingEntity><code code="1" codeSystem="2.16.840.1.113883.6.96"/></specimenPlayingEntity></specimenRole></specimen></observation>"#;
    assert!(all(&read("30954-2", "", specimen), "Specimen").is_empty());
}

/// Nothing was said or done during a visit that has yet to come.
#[test]
fn a_planned_visit_is_no_place_of_what_was_seen() {
    for (mood, linked) in [("EVN", true), ("INT", false)] {
        let entry = format!(
            r#"<encounter classCode="ENC" moodCode="{mood}"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/><entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value></observation></entryRelationship></encounter>"#
        );
        let seen = one(&read("46240-8", "", &entry), "Observation");
        assert_eq!(seen.get("encounter").is_some(), linked, "{mood}");
    }
}

/// One number is one person or house, whichever place names them; two names with one number are two, and a register's own number is
/// nobody's.
#[test]
fn one_number_is_one_person() {
    let author = |id: &str, name: &str| {
        format!(
            r#"<author><time value="2020"/><assignedAuthor>{id}<assignedPerson>{name}</assignedPerson></assignedAuthor></author>"#
        )
    };
    let id = r#"<id root="1.8" extension="a"/>"#;
    let (ada, bob) = ("<name>Ada</name>", "<name>Bob</name>");
    let register = r#"<id root="2.16.840.1.113883.4.6"/>"#;
    for (authors, names) in [
        ([author(id, ""), author(id, ada)], vec!["Ada"]),
        ([author(id, ada), author(id, "")], vec!["Ada"]),
        ([author(id, ada), author(id, bob)], vec!["Ada", "Bob"]),
        (
            [author(register, ada), author(register, bob)],
            vec!["Ada", "Bob"],
        ),
    ] {
        let people = all(&with_header(&authors.concat()), "Practitioner");
        let found: Vec<&Value> = people.iter().map(|one| &one["name"][0]["text"]).collect();
        assert_eq!(found, names, "{authors:?}");
    }
    let house = |name: &str| {
        format!(
            r#"<custodian><assignedCustodian><representedCustodianOrganization><id root="1.7"/>{name}</representedCustodianOrganization></assignedCustodian></custodian>"#
        )
    };
    let patient = r#"<recordTarget><patientRole><providerOrganization><id root="1.7"/></providerOrganization></patientRole></recordTarget>"#;
    let draft = with_header(&format!(
        "{patient}{}{}",
        author(id, ada),
        house("<name>Clinic</name>")
    ));
    assert_eq!(one(&draft, "Organization")["name"], "Clinic");
}

/// Whoever wrote with the patient's number, or as themselves, is the patient.
#[test]
fn a_patient_who_wrote_is_no_practitioner() {
    let patient = r#"<recordTarget><patientRole><id root="1.6" extension="p"/><patient><name><given>Isabella</given><family>Jones</family></name></patient></patientRole></recordTarget>"#;
    let name = "<assignedPerson><name><given>Isabella</given><family>Jones</family></name></assignedPerson>";
    let other = "<assignedPerson><name><given>Ada</given></name></assignedPerson>";
    let number = r#"<id root="1.6" extension="p"/>"#;
    for (role, is_patient) in [
        (format!(r#"{number}{name}"#), true),
        (number.to_owned(), true),
        (
            format!(
                r#"<id root="1.5"/><code code="ONESELF" codeSystem="2.16.840.1.113883.5.111"/>{name}"#
            ),
            true,
        ),
        (format!(r#"{number}{other}"#), false),
        (format!(r#"<id root="1.5"/>{name}"#), false),
    ] {
        let author = format!(
            r#"<author><time value="2020"/><assignedAuthor>{role}</assignedAuthor></author>"#
        );
        let draft = with_header(&format!("{patient}{author}"));
        assert_eq!(all(&draft, "Practitioner").is_empty(), is_patient, "{role}");
        let who = &one(&draft, "Composition")["author"][0]["reference"];
        let own = format!(
            "urn:uuid:{}",
            one(&draft, "Patient")["id"].as_str().unwrap()
        );
        assert_eq!(*who == own.as_str(), is_patient, "{role}");
    }
}

/// What stands beside a null flavor is no code, and neither is a null flavor's name where codes are numbers.
#[test]
fn that_nothing_is_known_is_no_code() {
    for (code, is_code) in [
        (r#"code="UNK" nullFlavor="UNK""#, false),
        (r#"code="UNK" codeSystem="2.16.840.1.113883.12.292""#, false),
        (
            r#"code="88" nullFlavor="NA" codeSystem="2.16.840.1.113883.12.292""#,
            false,
        ),
        (r#"code="88" codeSystem="2.16.840.1.113883.12.292""#, true),
        (r#"code="NA" codeSystem="1.2.3.4.5""#, true),
    ] {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code {code}><originalText>Flu</originalText></code></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        let vaccine = &one(&read("11369-6", "", &entry), "Immunization")["vaccineCode"];
        assert_eq!(vaccine["text"], "Flu", "{code}");
        assert_eq!(vaccine.get("coding").is_some(), is_code, "{code}");
    }
}

/// A statement that says nothing but of which kind it is makes no fact, and one that stands twice makes one.
#[test]
fn nothing_is_made_of_nothing_and_once_of_one() {
    for (section, empty) in [
        (
            "11369-6",
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN" negationInd="false"><templateId root="2.16.840.1.113883.10.20.22.4.52"/></substanceAdministration>"#,
        ),
        (
            "10160-0",
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><id root="1.9"/></substanceAdministration>"#,
        ),
        (
            "11348-0",
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/></observation>"#,
        ),
        (
            "30954-2",
            r#"<organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/></organizer>"#,
        ),
    ] {
        let draft = read(section, "", empty);
        let kinds = [
            "Immunization",
            "MedicationStatement",
            "Condition",
            "DiagnosticReport",
        ];
        assert!(
            kinds.iter().all(|kind| all(&draft, kind).is_empty()),
            "{empty}"
        );
    }
    let seen = |value: &str| {
        format!(
            r#"<entry><observation classCode="OBS" moodCode="EVN"><id root="1.9" extension="a"/><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="2020"/><value xsi:type="ST">{value}</value></observation></entry>"#
        )
    };
    for (second, many) in [("x", 1), ("y", 2)] {
        let xml = whole("", "8716-3", "", &[seen("x"), seen(second)].concat());
        let draft = Cda.read(xml.as_bytes()).unwrap();
        assert_eq!(all(&draft, "Observation").len(), many, "{second}");
        assert!(
            many == 2
                || why_lost(&draft, "")
                    .iter()
                    .any(|why| why.contains("stands elsewhere"))
        );
    }
}

/// Why something was not done is no reason for it, and what it would have been for is no reason against it.
#[test]
fn a_refusal_has_its_reason_as_that() {
    let inner = |link: &str, template: &str, code: &str, value: &str| {
        format!(
            r#"<entryRelationship {link}><observation classCode="OBS" moodCode="EVN">{template}<code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="CD" code="{value}" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship>"#
        )
    };
    let why = inner("", "", "77301-0", "105480006");
    let indication = inner(
        r#"typeCode="RSON""#,
        r#"<templateId root="2.16.840.1.113883.10.20.22.4.19"/>"#,
        "1",
        "38341003",
    );
    for (section, start, end, kind) in [
        (
            "10160-0",
            "substanceAdministration classCode=\"SBADM\"",
            "substanceAdministration",
            "MedicationStatement",
        ),
        (
            "11369-6",
            "substanceAdministration classCode=\"SBADM\"",
            "substanceAdministration",
            "Immunization",
        ),
        (
            "47519-4",
            "procedure classCode=\"PROC\"",
            "procedure",
            "Procedure",
        ),
    ] {
        let entry = format!(
            r#"<{start} moodCode="EVN" negationInd="true"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{indication}{why}</{end}>"#
        );
        let made = one(&read(section, "", &entry), kind);
        let reason = &made["statusReason"];
        let reason = reason.get(0).unwrap_or(reason);
        assert_eq!(reason["coding"][0]["code"], "105480006", "{kind}");
        let for_what = made["reasonCode"].as_array().unwrap();
        assert_eq!(for_what.len(), 1, "{kind}");
        assert_eq!(for_what[0]["coding"][0]["code"], "38341003", "{kind}");
    }
}

/// What a medicine is dissolved in does not act, and the last day of a course is not lost.
#[test]
fn a_medicine_keeps_its_vehicle_and_its_end() {
    let entry = r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><statusCode code="completed"/><effectiveTime xsi:type="IVL_TS"><low value="20120806"/><high value="20120806"/></effectiveTime><effectiveTime xsi:type="PIVL_TS" operator="A"><period value="6" unit="h"/></effectiveTime>
        <consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>
        <participant typeCode="CSM"><participantRole classCode="MANU"><templateId root="2.16.840.1.113883.10.20.22.4.24"/><code code="412307009" codeSystem="2.16.840.1.113883.6.96"/><playingEntity><code code="324049" codeSystem="2.16.840.1.113883.6.88" displayName="Aerosol"/></playingEntity></participantRole></participant></substanceAdministration>"#;
    let draft = read("10160-0", "", entry);
    let inactive = &one(&draft, "Medication")["ingredient"][0];
    assert_eq!(
        inactive["itemCodeableConcept"]["coding"][0]["code"],
        "324049"
    );
    assert_eq!(inactive["isActive"], false);
    let taken = one(&draft, "MedicationStatement");
    assert_eq!(
        taken["effectivePeriod"],
        json!({"start": "2012-08-06", "end": "2012-08-06"})
    );
}

/// From whom a value is known is nothing that was measured.
#[test]
fn a_source_of_information_is_no_result() {
    let entry = r#"<observation classCode="OBS" moodCode="EVN"><code code="8302-2" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="177" unit="cm"/><entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><code code="48766-0" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">A nurse</value></observation></entryRelationship></observation>"#;
    let seen = one(&read("8716-3", "", entry), "Observation");
    assert_eq!(seen["note"][0]["text"], "Information source: A nurse");
    assert!(seen.get("hasMember").is_none());
}
