//! Pictures: what a section, a code or a reference says is imaging, and the studies that a DICOM object catalogue lists.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const DCM: &str = r#"codeSystem="1.2.840.10008.2.16.4""#;

fn read(sections: &[(&str, &str)]) -> Draft {
    let sections: String = sections
        .iter()
        .map(|(code, entry)| {
            format!(r#"<component><section><code code="{code}"/><text><content ID="w">XR CHEST 2 VIEWS</content></text><entry>{entry}</entry></section></component>"#)
        })
        .collect();
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3.4"/><effectiveTime value="20250101"/><component><structuredBody>{sections}</structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

fn sort(draft: &Draft, kind: &str) -> Value {
    all(draft, kind)[0]["category"][0]["coding"][0]["code"].clone()
}

fn seen(code: &str, more: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN">{code}<statusCode code="completed"/><value xsi:type="ST">clear</value>{more}</observation>"#
    )
}

fn report(code: &str, inner: &str) -> String {
    format!(
        r#"<organizer classCode="BATTERY" moodCode="EVN">{code}<statusCode code="completed"/><component>{inner}</component></organizer>"#
    )
}

fn code(code: &str, system: &str) -> String {
    format!(r#"<code code="{code}" codeSystem="{system}"/>"#)
}

#[test]
fn what_its_section_says_is_a_picture_is_no_laboratory_result() {
    let plain = code("1-8", "2.16.840.1.113883.6.1");
    for (section, wanted, group) in [
        ("18748-4", "imaging", "RAD"),
        ("18726-0", "imaging", "RAD"),
        ("18782-3", "imaging", "RAD"),
        ("30954-2", "laboratory", "LAB"),
    ] {
        assert_eq!(
            sort(&read(&[(section, &seen(&plain, ""))]), "Observation"),
            wanted
        );
        let draft = read(&[(section, &report(&plain, &seen(&plain, "")))]);
        assert_eq!(sort(&draft, "Observation"), wanted, "{section}");
        assert_eq!(sort(&draft, "DiagnosticReport"), group, "{section}");
    }
}

#[test]
fn a_code_its_words_or_what_it_refers_to_say_that_it_is_a_picture() {
    let loinc = "2.16.840.1.113883.6.1";
    let words = |words: &str| {
        format!(
            r#"<code code="1-8" codeSystem="{loinc}"><originalText>{words}</originalText></code>"#
        )
    };
    for (named, more, wanted) in [
        (code("121071", "1.2.840.10008.2.16.4"), "", "imaging"),
        (code("RID5", "2.16.840.1.113883.6.256"), "", "imaging"),
        (code("BW03ZZZ", "2.16.840.1.113883.6.4"), "", "imaging"),
        (words("CT Head without contrast"), "", "imaging"),
        (words(r##"<reference value="#w"/>"##), "", "imaging"),
        (words("US Abdomen"), "", "imaging"),
        (
            code("1-8", loinc),
            r#"<reference typeCode="SPRT"><externalObservation classCode="DGIMG"><id root="1.2.9"/></externalObservation></reference>"#,
            "imaging",
        ),
        (words("Hemoglobin"), "", "laboratory"),
        (words("Seen by us"), "", "laboratory"),
        (
            code("0BW03", "2.16.840.1.113883.6.4").replace(
                "/>",
                "><translation code=\"1-8\" codeSystem=\"2.16.840.1.113883.6.1\"/></code>",
            ),
            "",
            "laboratory",
        ),
    ] {
        assert_eq!(
            sort(&read(&[("30954-2", &seen(&named, more))]), "Observation"),
            wanted,
            "{named}"
        );
    }
    // What stands in a report of pictures is of pictures.
    let draft = read(&[(
        "30954-2",
        &report(&words("XR Chest"), &seen(&words("Impression"), "")),
    )]);
    assert_eq!(sort(&draft, "Observation"), "imaging");
    assert_eq!(sort(&draft, "DiagnosticReport"), "RAD");
}

fn instance(uid: &str) -> String {
    format!(
        r#"<observation classCode="DGIMG" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.6.2.8"/><id root="{uid}"/><code code="1.2.840.10008.5.1.4.1.1.1" codeSystem="1.2.840.10008.2.6.1"/><text mediaType="application/dicom"><reference value="http://pacs.example/{uid}"/></text><effectiveTime value="20060823223232"/></observation>"#
    )
}

fn series(uid: &str, modality: &str, instances: &[String]) -> String {
    let instances: String = instances
        .iter()
        .map(|one| format!(r#"<entryRelationship typeCode="COMP">{one}</entryRelationship>"#))
        .collect();
    format!(
        r#"<entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.63"/><id root="{uid}"/><code code="113015" {DCM}><qualifier><name code="121139" {DCM}/><value code="{modality}" {DCM} displayName="{modality}"/></qualifier></code><effectiveTime value="20060828170822+0100"/>{instances}</act></entryRelationship>"#
    )
}

fn study(series: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.6.2.6"/><id root="1.2.840.1"/><code code="113014" {DCM}/><effectiveTime value="20060828170821+0100"/>{series}</act>"#
    )
}

#[test]
fn a_catalogue_of_objects_is_an_imaging_study() {
    let both = [
        series(
            "1.2.840.1.1",
            "CR",
            &[instance("1.2.840.1.1.1"), instance("1.2.840.1.1.2")],
        ),
        series("1.2.840.1.2", "CT", &[instance("1.2.840.1.2.1")]),
    ];
    let draft = read(&[("121181", &study(&both.concat()))]);
    let one = all(&draft, "ImagingStudy").remove(0);
    assert_eq!(
        one["identifier"],
        json!([{"system": "urn:dicom:uid", "value": "urn:oid:1.2.840.1"}])
    );
    assert_eq!(one["status"], "unknown");
    assert_eq!(one["started"], "2006-08-28T17:08:21+01:00");
    let modalities: Vec<_> = one["modality"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].clone())
        .collect();
    assert_eq!(modalities, ["CR", "CT"]);
    assert_eq!(
        one["modality"][0]["system"],
        "http://dicom.nema.org/resources/ontology/DCM"
    );
    let found: Vec<_> = one["series"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let instances: Vec<_> = one["instance"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["uid"].clone())
                .collect();
            (
                one["uid"].clone(),
                one["modality"]["code"].clone(),
                one["started"].clone(),
                instances,
            )
        })
        .collect();
    let at = json!("2006-08-28T17:08:22+01:00");
    assert_eq!(
        found,
        [
            (
                json!("1.2.840.1.1"),
                json!("CR"),
                at.clone(),
                vec![json!("1.2.840.1.1.1"), json!("1.2.840.1.1.2")]
            ),
            (
                json!("1.2.840.1.2"),
                json!("CT"),
                at,
                vec![json!("1.2.840.1.2.1")]
            ),
        ]
    );
    assert_eq!(
        one["series"][0]["instance"][0]["sopClass"],
        json!({"system": "urn:ietf:rfc:3986", "code": "urn:oid:1.2.840.10008.5.1.4.1.1.1"})
    );
    // A catalogue lists what the document refers to, which may be less than the study has.
    for counted in ["numberOfSeries", "numberOfInstances"] {
        assert!(one.get(counted).is_none(), "{counted}");
    }
    assert!(all(&draft, "Observation").is_empty());
    // Without a template, its code says it.
    let bare =
        study(&both.concat()).replace("<templateId root=\"2.16.840.1.113883.10.20.6.2.6\"/>", "");
    assert_eq!(all(&read(&[("121181", &bare)]), "ImagingStudy").len(), 1);
}

#[test]
fn what_was_measured_on_a_picture_of_a_study_is_derived_from_it() {
    let catalogue = study(&series("1.2.840.1.1", "CR", &[instance("1.2.840.1.1.1")]));
    let measured = |uid: &str| {
        let picture = format!(
            r#"<entryRelationship typeCode="SUBJ">{}</entryRelationship>"#,
            instance(uid)
        );
        seen(&code("246120007", "2.16.840.1.113883.6.96"), &picture)
    };
    let draft = read(&[
        ("121181", &catalogue),
        ("121070", &measured("1.2.840.1.1.1")),
    ]);
    let study = all(&draft, "ImagingStudy").remove(0);
    let url = format!("urn:uuid:{}", study["id"].as_str().unwrap());
    let seen = all(&draft, "Observation");
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["derivedFrom"][0]["reference"], url);
    // Which picture, which frame, and what for.
    let frame = r#"<entryRelationship typeCode="COMP"><observation classCode="ROIBND" moodCode="EVN"><code code="121190" codeSystem="1.2.840.10008.2.16.4"/><entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN"><code code="113036" codeSystem="1.2.840.10008.2.16.4"/><value xsi:type="INT" value="7"/></observation></entryRelationship></observation></entryRelationship><entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><code code="ASSERTION"/><value xsi:type="CD" code="121112" codeSystem="1.2.840.10008.2.16.4"/></observation></entryRelationship></observation></entryRelationship>"#;
    let framed = measured("1.2.840.1.1.1").replacen("</observation></entryRelationship>", frame, 1);
    let draft = read(&[("121181", &catalogue), ("121070", &framed)]);
    let seen = all(&draft, "Observation");
    assert_eq!(seen.len(), 1);
    let said = &seen[0]["derivedFrom"][0]["extension"][0]["extension"];
    assert_eq!(
        said[0],
        json!({"url": "uid", "valueOid": "urn:oid:1.2.840.1.1.1"})
    );
    assert_eq!(said[1], json!({"url": "frame", "valueInteger": 7}));
    assert_eq!(
        said[2]["valueCodeableConcept"]["coding"][0]["code"],
        "121112"
    );
    // A picture of no study that is listed stays what it is said to be.
    let draft = read(&[("121181", &catalogue), ("121070", &measured("1.2.840.9"))]);
    assert_eq!(all(&draft, "Observation").len(), 2);
}

/// A uid that is none makes no study, and nothing of it is invented.
#[test]
fn a_study_without_a_uid_is_none() {
    let entry = study("").replace(r#"<id root="1.2.840.1"/>"#, r#"<id nullFlavor="UNK"/>"#);
    assert!(all(&read(&[("121181", &entry)]), "ImagingStudy").is_empty());
}
