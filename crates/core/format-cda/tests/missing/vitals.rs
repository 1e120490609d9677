//! Vital signs as FHIR's profiles have them (C-CDA on FHIR, vital signs).

use serde_json::{Value, json};

use super::document::{all, read};

fn sign(code: &str, time: &str, value: &str) -> String {
    format!(
        r#"<component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.27"/><id root="1.9" extension="{code}{time}"/><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime value="{time}"/>{value}</observation></component>"#
    )
}

fn panel(code: &str, signs: &[String]) -> Vec<Value> {
    let signs = signs.concat();
    let entry = format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.26"/>{code}<statusCode code="completed"/>{signs}</organizer>"#
    );
    all(&read("8716-3", "", &entry), "Observation")
}

fn codes(one: &Value) -> Vec<&Value> {
    let codings = one["code"]["coding"].as_array();
    codings
        .into_iter()
        .flatten()
        .map(|one| &one["code"])
        .collect()
}

const PANEL: &str = r#"<code code="46680005" codeSystem="2.16.840.1.113883.6.96"/>"#;

#[test]
fn oxygen_is_told_with_the_saturation_that_was_measured_then() {
    let amount = |value: &str, unit: &str| {
        format!(r#"<value xsi:type="PQ" value="{value}" unit="{unit}"/>"#)
    };
    let unknown = r#"<value xsi:type="PQ" nullFlavor="UNK"/>"#;
    for named in ["59408-5", "2708-6"] {
        let percent = amount("98", "%");
        let found = panel(
            PANEL,
            &[
                sign(named, "20250301", &percent),
                sign("3151-8", "20250301", &amount("6", "L/min")),
                sign("3150-0", "20250301", &amount("35", "%")),
                sign("3150-0", "20250302", &amount("40", "%")),
                sign("3151-8", "20250301", unknown),
            ],
        );
        let own = found.iter().find(|one| one["valueQuantity"]["value"] == 98);
        let own = own.unwrap();
        let mut both = codes(own);
        assert_eq!(both[0], named);
        both.sort_by_key(|code| code.to_string());
        assert_eq!(both, ["2708-6", "59408-5"]);
        let parts = own["component"].as_array().unwrap();
        let parts: Vec<_> = parts
            .iter()
            .map(|part| (codes(part)[0], &part["valueQuantity"]["value"]))
            .collect();
        assert_eq!(
            parts,
            [
                (&json!("3151-8"), &json!(6)),
                (&json!("3150-0"), &json!(35))
            ]
        );
        // What was given at another time, or is not known, stands by itself.
        assert_eq!(found.len(), 4, "{found:?}");
        let group = found.iter().find(|one| one.get("hasMember").is_some());
        assert_eq!(group.unwrap()["hasMember"].as_array().unwrap().len(), 3);
    }
    // A state in capitals is the same state.
    let percent = sign("59408-5", "20250301", &amount("98", "%"));
    let flow = sign("3151-8", "20250301", &amount("6", "L/min"));
    let flow = flow.replace("\"completed\"", "\"COMPLETED\"");
    let found = panel(PANEL, &[percent, flow]);
    assert!(
        found
            .iter()
            .any(|one| one["component"][0]["valueQuantity"]["value"] == 6)
    );
    let alone = panel(PANEL, &[sign("3151-8", "20250301", &amount("6", "L/min"))]);
    assert!(alone.iter().any(|one| one["valueQuantity"]["value"] == 6));
    // In the laboratory's blood nobody measured by pulse.
    let entry = r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="2708-6" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="98" unit="%"/></observation>"#;
    let blood = all(&read("30954-2", "", entry), "Observation");
    assert_eq!(codes(&blood[0]), ["2708-6"]);
}

#[test]
fn a_panel_of_vital_signs_has_the_code_of_its_profile() {
    let pulse = sign(
        "8867-4",
        "20250301",
        r#"<value xsi:type="PQ" value="80" unit="/min"/>"#,
    );
    for (code, wanted) in [
        (PANEL, vec!["85353-1", "46680005"]),
        (
            r#"<code code="74728-7" codeSystem="2.16.840.1.113883.6.1"/>"#,
            vec!["85353-1", "74728-7"],
        ),
        (r#"<code nullFlavor="UNK"/>"#, vec!["85353-1"]),
        (
            r#"<code code="34565-2" codeSystem="2.16.840.1.113883.6.1"/>"#,
            vec!["34565-2"],
        ),
    ] {
        let found = panel(code, core::slice::from_ref(&pulse));
        let group = found.iter().find(|one| one.get("hasMember").is_some());
        assert_eq!(codes(group.unwrap()), wanted, "{code}");
    }
}
