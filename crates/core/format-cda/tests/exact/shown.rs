//! What the text of a section shows, and the words of a null flavor and of a time that nobody states.

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::{Value, json};

use super::document::{HEAD, one, read, whole, with_header};

const SUPPLIED: &str = "https://medibloc.org/fhir/StructureDefinition/supplied";
const ABSENT: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

fn text(section: &str) -> Value {
    let draft = Cda
        .read(
            format!(
                r#"<ClinicalDocument {HEAD}><id root="1.2.3.4"/><component><structuredBody><component><section>{section}</section></component></structuredBody></component></ClinicalDocument>"#
            )
            .as_bytes(),
        )
        .unwrap();
    one(&draft, "Composition")["section"][0]["text"].clone()
}

#[test]
fn the_text_of_a_section_is_its_authors_own() {
    let entry = r#"<entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value></observation></entry>"#;
    for entries in ["", entry] {
        let shown = text(&format!("<text>Well.</text>{entries}"));
        assert_eq!(shown["status"], "additional");
    }
    assert_eq!(text("")["status"], "empty");
}

#[test]
fn a_value_may_point_to_the_whole_text() {
    let observation = r##"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><text><reference value="#all"/></text><value xsi:type="ST">x</value></observation>"##;
    let xml = whole(
        "",
        "30954-2",
        "Well.",
        &format!("<entry>{observation}</entry>"),
    )
    .replace("<text>Well.", r#"<text ID="all">Well."#);
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let div = one(&draft, "Composition")["section"][0]["text"]["div"].clone();
    assert!(
        div.as_str().unwrap().contains(r#" id="all">Well."#),
        "{div}"
    );
    let link = one(&draft, "Observation")["extension"][0].clone();
    assert!(
        link["valueUrl"].as_str().unwrap().ends_with("#all"),
        "{link}"
    );
}

/// FHIR's narrative shows no picture from outside of it: where it belongs is told in words, and it is an entry of the section.
#[test]
fn where_a_picture_belongs_is_told_in_words() {
    let shown = |inner: &str| {
        let picture =
            format!(r#"<renderMultiMedia referencedObject="MM1">{inner}</renderMultiMedia>"#);
        text(&format!("<text>Rash. {picture}</text>"))["div"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert!(shown("").contains("[picture MM1]"));
    let both = shown("<caption>Left hand</caption>");
    assert!(
        both.contains("[picture MM1]") && both.contains("Left hand"),
        "{both}"
    );
    let alone = text(r#"<text><renderMultiMedia referencedObject="M2 &lt;3"/></text>"#);
    assert!(
        alone["div"]
            .as_str()
            .unwrap()
            .contains("[picture M2 &lt;3]")
    );
}

#[test]
fn that_an_ethnicity_is_not_known_is_said_as_of_a_race() {
    for (flavor, said) in [("UNK", true), ("ASKU", true), ("NI", false)] {
        for (element, what) in [("raceCode", "race"), ("ethnicGroupCode", "ethnicity")] {
            let draft = with_header(&format!(
                r#"<recordTarget><patientRole><id root="1.2"/><patient><{element} nullFlavor="{flavor}"/></patient></patientRole></recordTarget>"#
            ));
            let patient = one(&draft, "Patient");
            let found = &patient["extension"][0];
            assert_eq!(found.is_object(), said, "{element} {flavor}");
            if said {
                assert!(found["url"].as_str().unwrap().ends_with(what));
                assert_eq!(found["extension"][0]["valueCoding"]["code"], flavor);
            }
        }
    }
}

#[test]
fn the_end_of_a_supply_is_no_end_of_the_use_of_a_device() {
    let used = |when: &str| {
        let entry = format!(
            r#"<supply classCode="SPLY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.50"/><statusCode code="completed"/><effectiveTime xsi:type="IVL_TS">{when}</effectiveTime><participant typeCode="PRD"><participantRole classCode="MANU"><playingDevice><code code="58938008" codeSystem="2.16.840.1.113883.6.96"/></playingDevice></participantRole></participant></supply>"#
        );
        let used = one(&read("46264-8", "", &entry), "DeviceUseStatement");
        assert_eq!(used["status"], "active", "{when}");
        let supplied = used["extension"].as_array().map(|all| {
            assert_eq!(all.len(), 1, "{when}");
            assert_eq!(all[0]["url"], SUPPLIED, "{when}");
            all[0]["valuePeriod"].clone()
        });
        (used.get("timingPeriod").cloned(), supplied)
    };
    let (low, high) = (r#"<low value="2012"/>"#, r#"<high value="2013"/>"#);
    let since = |year: &str| Some(json!({"start": year}));
    assert_eq!(used(high), (None, Some(json!({"end": "2013"}))));
    assert_eq!(used(low), (since("2012"), None));
    assert_eq!(
        used(&[low, high].concat()),
        (since("2012"), Some(json!({"start": "2012", "end": "2013"})))
    );
    assert_eq!(used(r#"<center value="2013"/>"#), (since("2013"), None));
}

#[test]
fn a_document_without_a_time_says_so_of_its_timestamp() {
    let bundle = |when: &str| {
        let xml =
            whole("", "30954-2", "", "").replace(r#"<effectiveTime value="20250101"/>"#, when);
        Value::from(Cda.read(xml.as_bytes()).unwrap().fhir.clone())
    };
    for (when, reason) in [
        ("", "unknown"),
        (r#"<effectiveTime nullFlavor="MSK"/>"#, "masked"),
    ] {
        let mark = json!({"extension": [{"url": ABSENT, "valueCode": reason}]});
        assert_eq!(bundle(when)["_timestamp"], mark, "{when}");
    }
    let stated = bundle(r#"<effectiveTime value="soon"/>"#);
    assert_eq!(stated["_timestamp"]["extension"][0]["valueString"], "soon");
    assert!(
        bundle(r#"<effectiveTime value="20250101102030+0100"/>"#)
            .get("_timestamp")
            .is_none()
    );
}
