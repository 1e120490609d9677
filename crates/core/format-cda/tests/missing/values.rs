//! Values whose form is legal and rare: none of their parts is lost.

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::{Value, json};

use super::document::{all, one, read, whole, with_header};

fn patient(role: &str, person: &str) -> Value {
    let header = format!(
        r#"<recordTarget><patientRole>{role}<patient>{person}</patient></patientRole></recordTarget>"#
    );
    one(&with_header(&header), "Patient")
}

/// C-CDA on FHIR, the table of identifiers.
#[test]
fn a_number_has_the_system_that_the_source_gives() {
    for (id, wanted) in [
        (r#"extension="Z1124""#, json!({"value": "Z1124"})),
        (
            r#"root="2.16.840.1.113883.4.873" extension="http://myorg.com/patient/1234""#,
            json!({"system": "http://myorg.com/patient", "value": "1234"}),
        ),
        (
            r#"root="2.16.840.1.113883.4.873" extension="urn:myNID:myOrg:Z3321""#,
            json!({"system": "urn:myNID:myOrg", "value": "Z3321"}),
        ),
        // What has nothing to part it by is a URI as a whole.
        (
            r#"root="2.16.840.1.113883.4.873" extension="plain""#,
            json!({"system": "urn:ietf:rfc:3986", "value": "plain"}),
        ),
        (
            r#"root="2.16.840.1.113883.4.873" extension="http://myorg.com""#,
            json!({"system": "urn:ietf:rfc:3986", "value": "http://myorg.com"}),
        ),
        (
            r#"root="2.16.840.1.113883.4.873" extension="urn:uuid:c757873d-ec9a-4326-a141-556f43239520""#,
            json!({"system": "urn:ietf:rfc:3986", "value": "urn:uuid:c757873d-ec9a-4326-a141-556f43239520"}),
        ),
    ] {
        let found = patient(&format!("<id {id}/>"), "");
        assert_eq!(found["identifier"], json!([wanted]), "{id}");
    }
    let none = patient(r#"<id nullFlavor="UNK" extension="Z1"/>"#, "");
    assert!(none.get("identifier").is_none());
}

#[test]
fn a_language_is_kept_whole() {
    for (code, wanted) in [
        ("ga-IE", "ga-IE"),
        ("zh-Hant-TW", "zh-Hant-TW"),
        ("sgn-US", "sgn-US"),
        ("eng", "en"),
    ] {
        let person = format!(
            r#"<languageCommunication><languageCode code="{code}"/></languageCommunication>"#
        );
        let spoken = &patient("", &person)["communication"][0]["language"];
        assert_eq!(spoken["coding"][0]["code"], wanted);
    }
}

#[test]
fn words_between_the_parts_of_a_name_are_of_it() {
    let name = &patient("", "<name>Maria von <family>Trapp</family></name>")["name"][0];
    assert_eq!(name["text"], "Maria von Trapp");
    assert_eq!(name["family"], "Trapp");
    let plain = &patient(
        "",
        "<name> <given>Ada</given> , <family>Trapp</family> </name>",
    )["name"][0];
    assert!(plain.get("text").is_none());
}

#[test]
fn a_number_keeps_its_exponent_and_words_their_unit() {
    for (value, key, wanted) in [
        (
            "1e3",
            "valueQuantity",
            json!({"value": 1e3, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}),
        ),
        (
            "-2.5E-2",
            "valueQuantity",
            json!({"value": -2.5e-2, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}),
        ),
        ("1e999", "valueString", json!("1e999 mg")),
        ("1,5", "valueString", json!("1,5 mg")),
        ("abc", "valueString", json!("abc mg")),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="{value}" unit="mg"/></observation>"#
        );
        let seen = one(&read("30954-2", "", &entry), "Observation");
        let found: Value = serde_json::from_str(&seen[key].to_string()).unwrap();
        assert_eq!(found["unit"], wanted["unit"], "{value}");
        match wanted["value"].as_f64() {
            Some(number) => assert_eq!(found["value"].as_f64(), Some(number), "{value}"),
            None => assert_eq!(found, wanted, "{value}"),
        }
    }
}

/// A link is one only if it leads to the web: nothing else is opened from a record.
#[test]
fn a_link_of_the_text_leads_where_it_says() {
    for (href, kept) in [
        ("https://example.org/x?a=1&amp;b=2", true),
        ("HTTP://example.org/", true),
        ("https://example.org/&quot;&lt;x", true),
        ("javascript:alert(1)", false),
        ("data:text/html,x", false),
        ("#a", false),
        ("//example.org", false),
    ] {
        let text = format!(r#"<linkHtml href="{href}">here</linkHtml>"#);
        let xml = whole("", "30954-2", &text, "");
        let draft = Cda.read(xml.as_bytes()).unwrap();
        let div = all(&draft, "Composition")[0]["section"][0]["text"]["div"].clone();
        let link = format!(r#"<a href="{href}">here</a>"#);
        let div = div.as_str().unwrap();
        assert_eq!(div.contains(&link), kept, "{div}");
        assert_eq!(div.contains("href"), kept, "{div}");
    }
}

#[test]
fn a_system_that_fhir_knows_has_its_name() {
    let entry = r#"<observation classCode="OBS" moodCode="EVN"><code code="1160-1" codeSystem="2.16.840.1.113883.6.259"/><value xsi:type="ST">x</value></observation>"#;
    let seen = one(&read("30954-2", "", entry), "Observation");
    let wanted = "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html";
    assert_eq!(seen["code"]["coding"][0]["system"], wanted);
}

/// Words beside a pointer into the text are not all that is said, unless one says all that the other does.
#[test]
fn words_and_what_they_point_to_are_told_together() {
    for (text, wanted) in [
        (r##"see <reference value="#a"/>"##, "see the adult range"),
        (r##"the adult <reference value="#a"/>"##, "the adult"),
        (
            r##"The adult range, as ever <reference value="#a"/>"##,
            "The adult range, as ever",
        ),
        (r##"<reference value="#a"/>"##, "the adult range"),
        (r##"see <reference value="#none"/>"##, "see"),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="5" unit="mg"/><referenceRange><observationRange><text>{text}</text></observationRange></referenceRange></observation>"#
        );
        let narrative = r#"<content ID="a">the adult range</content>"#;
        let seen = one(&read("30954-2", narrative, &entry), "Observation");
        assert_eq!(seen["referenceRange"][0]["text"], wanted, "{text}");
    }
    // The name of a code is no more than that.
    let entry = r##"<observation classCode="OBS" moodCode="EVN"><code nullFlavor="OTH"><originalText>Odd<reference value="#a"/></originalText></code><value xsi:type="ST">x</value></observation>"##;
    let narrative = r#"<content ID="a">seen in May</content>"#;
    let seen = one(&read("30954-2", narrative, entry), "Observation");
    assert_eq!(seen["code"]["text"], "Odd");
}
