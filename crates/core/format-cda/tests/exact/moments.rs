//! What a single time of a statement is: when something was found, handed out or due need not be when it began.

use serde_json::{Value, json};

use super::document::{one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const ASSERTED: &str = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate";

/// When a problem began, and when somebody stated it.
fn dated(section: &str, template: &str, code: &str, when: &str) -> (Option<Value>, Vec<Value>) {
    let entry = format!(
        r#"<observation classCode="COND" moodCode="EVN">{template}<code code="{code}" {SCT}/><statusCode code="completed"/>{when}<value xsi:type="CD" code="195967001" {SCT}/></observation>"#
    );
    let made = one(&read(section, "", &entry), "Condition");
    let more = made["extension"].as_array().cloned().unwrap_or_default();
    let stated = more.iter().filter(|one| one["url"] == ASSERTED);
    (
        made.get("onsetDateTime").cloned(),
        stated.map(|one| one["valueDateTime"].clone()).collect(),
    )
}

#[test]
fn when_a_diagnosis_was_stated_is_not_when_the_illness_began() {
    const MOMENT: &str = r#"<effectiveTime value="20000407"/>"#;
    const CENTER: &str = r#"<effectiveTime><center value="20000407"/></effectiveTime>"#;
    const SPAN: &str = r#"<effectiveTime><low value="1950"/></effectiveTime>"#;
    const PROBLEM: &str = r#"<templateId root="2.16.840.1.113883.10.20.22.4.4"/>"#;
    let asserted = (None, vec![json!("2000-04-07")]);
    let onset = |at: &str| (Some(json!(at)), Vec::new());
    for code in ["14657009", "439401001", "52870002", "282291009"] {
        assert_eq!(dated("11348-0", "", code, MOMENT), asserted, "{code}");
        assert_eq!(dated("11348-0", "", code, CENTER), asserted, "{code}");
        assert_eq!(dated("11348-0", "", code, SPAN), onset("1950"), "{code}");
    }
    for section in ["51848-0", "51847-2"] {
        assert_eq!(
            dated(section, "", "55607006", MOMENT),
            asserted,
            "{section}"
        );
        assert_eq!(dated(section, PROBLEM, "55607006", MOMENT), asserted);
        assert_eq!(dated(section, PROBLEM, "55607006", SPAN), onset("1950"));
    }
    // The working group's table reads the lone time of a problem as its onset.
    for code in ["55607006", "14657009"] {
        let at = onset("2000-04-07");
        assert_eq!(dated("11450-4", PROBLEM, code, MOMENT), at, "{code}");
    }
    assert_eq!(
        dated("11450-4", "", "55607006", MOMENT),
        onset("2000-04-07")
    );
}

/// It is asserted once: what says so by its own template tells more than the time of the whole.
#[test]
fn a_diagnosis_has_one_date() {
    let dated = format!(
        r#"<effectiveTime value="20000407"/><value xsi:type="CD" code="195967001" {SCT}/><entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.502"/><code code="77975-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime value="19990101"/></act></entryRelationship>"#
    );
    let entry = format!(
        r#"<observation classCode="COND" moodCode="EVN"><code code="14657009" {SCT}/><statusCode code="completed"/>{dated}</observation>"#
    );
    let made = one(&read("51848-0", "", &entry), "Condition");
    assert_eq!(made.get("onsetDateTime"), None);
    assert_eq!(made["extension"].as_array().unwrap().len(), 1);
    assert_eq!(made["extension"][0]["valueDateTime"], "1999-01-01");
}
