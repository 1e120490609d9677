//! Letters for degrees, which are coulomb and farad in UCUM.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{one, read};

/// Where something is a temperature, and its number one of bodies, the letter says degrees; elsewhere nobody knows what it says.
#[test]
fn a_letter_is_a_degree_of_a_temperature_alone() {
    for (code, name, value, unit, ucum) in [
        ("8310-5", "", "37", "C", Some("Cel")),
        ("8310-5", "", "98.6", "F", Some("[degF]")),
        ("8331-1", "", "36.6", "C", Some("Cel")),
        ("9-1", "Temp (oral)", "36.6", "C", Some("Cel")),
        ("9-1", "Body temperature", "36.6", "C", Some("Cel")),
        ("8310-5", "", "98.6", "C", None),
        ("8310-5", "", "37", "F", None),
        ("9-1", "Temporal width", "37", "C", None),
        ("9-1", "Charge", "37", "C", None),
        ("9-1", "", "37", "F", None),
        ("8310-5", "", "37", "Cel", Some("Cel")),
    ] {
        let range = format!(
            r#"<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="{value}" unit="{unit}"/></value></observationRange></referenceRange>"#
        );
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="2.16.840.1.113883.6.1" displayName="{name}"/><statusCode code="completed"/><value xsi:type="PQ" value="{value}" unit="{unit}"/>{range}</observation>"#
        );
        let seen = one(&read("8716-3", "", &entry), "Observation");
        for amount in [&seen["valueQuantity"], &seen["referenceRange"][0]["low"]] {
            assert_eq!(amount["unit"], unit, "{name}");
            assert_eq!(
                amount["code"].as_str(),
                ucum,
                "{code} {name} {value} {unit}"
            );
            assert_eq!(amount.get("system").is_some(), ucum.is_some(), "{name}");
        }
    }
}
