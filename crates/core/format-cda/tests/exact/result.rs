//! What was seen by a procedure is an Observation, and not how the procedure ended.

use serde_json::{Value, json};

use super::document::{all, one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn ecg(flags: &str, value: &str) -> String {
    format!(
        r#"<observation classCode="OBS" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.13"/><id root="1.2.9" extension="e"/><code code="268400002" {SCT}/><statusCode code="completed"/><effectiveTime value="20140329"/>{value}</observation>"#
    )
}

#[test]
fn the_value_of_a_procedure_is_a_result_of_it() {
    let coded = format!(r#"<value xsi:type="CD" code="251135002" {SCT}/>"#);
    for (value, key, wanted) in [
        (
            &*coded,
            "valueCodeableConcept",
            json!({"coding": [{"system": "http://snomed.info/sct", "code": "251135002"}]}),
        ),
        (
            r#"<value xsi:type="INT" value="72"/>"#,
            "valueInteger",
            json!(72),
        ),
        (
            r#"<value xsi:type="ST">as before</value>"#,
            "valueString",
            json!("as before"),
        ),
    ] {
        let draft = read("47519-4", "", &ecg(r#"moodCode="EVN""#, value));
        let done = one(&draft, "Procedure");
        assert!(done.get("outcome").is_none(), "{value}");
        assert_eq!(done["performedDateTime"], "2014-03-29");
        let seen = one(&draft, "Observation");
        assert_eq!(seen[key], wanted);
        assert_eq!(seen["code"], done["code"]);
        assert_eq!(seen["status"], "final");
        assert_eq!(seen["effectiveDateTime"], "2014-03-29");
        let part_of = format!("urn:uuid:{}", done["id"].as_str().unwrap());
        assert_eq!(seen["partOf"], json!([{"reference": part_of}]));
    }
}

#[test]
fn what_was_not_done_or_says_nothing_has_no_result() {
    let coded = format!(r#"<value xsi:type="CD" code="251135002" {SCT}/>"#);
    for (flags, value) in [
        (r#"moodCode="EVN" negationInd="true""#, &*coded),
        (
            r#"moodCode="EVN""#,
            r#"<value xsi:type="CD" nullFlavor="UNK"/>"#,
        ),
        (r#"moodCode="EVN""#, ""),
    ] {
        let draft = read("47519-4", "", &ecg(flags, value));
        let done = one(&draft, "Procedure");
        assert_eq!(done.get("outcome"), None::<&Value>, "{flags} {value}");
        assert!(all(&draft, "Observation").is_empty(), "{flags} {value}");
    }
}
