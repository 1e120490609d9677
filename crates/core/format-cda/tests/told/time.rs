//! What stands beside a null flavor is no time and no amount that is sure.

use medibloc_record::EntryOutcome::{Converted, Lost};
use serde_json::Value;

use super::{
    document::{one, read, why_lost},
    fates,
};

const STATED: &str = "https://medibloc.org/fhir/StructureDefinition/stated-time";
const SURE: &str = r#"<low value="20120701"/>"#;
const UNSURE: &str = r#"<low nullFlavor="UNK" value="20120801"/>"#;

fn stated(beside: &Value) -> &str {
    let all = beside["extension"].as_array();
    let all = all.into_iter().flatten();
    let one = all
        .filter(|one| one["url"] == STATED)
        .find_map(|one| one["valueString"].as_str());
    one.unwrap_or_default()
}

/// The words of the source stand where the time would, and nothing is sorted, counted or ended by them.
#[test]
fn a_time_beside_a_null_flavor_is_told_in_words() {
    let problem = |when: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>{when}<value xsi:type="CD" code="38341003" codeSystem="2.16.840.1.113883.6.96"/></observation>"#
        );
        let draft = read("11450-4", "", &entry);
        one(&draft, "Condition")
    };
    let span =
        |ends: &[&str]| problem(&format!("<effectiveTime>{}</effectiveTime>", ends.concat()));
    let lone = problem(r#"<effectiveTime nullFlavor="UNK" value="20120801"/>"#);
    for made in [&lone, &span(&[UNSURE])] {
        assert_eq!(made.get("onsetDateTime"), None, "{made}");
        assert_eq!(stated(&made["_onsetDateTime"]), "20120801", "{made}");
    }
    // An end that is sure stays one, also where the other would make the interval run backwards.
    let made = span(&[UNSURE, r#"<high value="20120701"/>"#]);
    assert_eq!(made["abatementDateTime"], "2012-07-01");
    assert_eq!(stated(&made["_onsetDateTime"]), "20120801");
    // Nothing is counted from it, and it is no end.
    let made = span(&[UNSURE, r#"<width value="3" unit="d"/>"#]);
    assert_eq!(made.get("abatementDateTime"), None, "{made}");
    let made = span(&[SURE, r#"<high nullFlavor="NI" value="20120801"/>"#]);
    assert_eq!(made["onsetDateTime"], "2012-07-01");
    assert_eq!(made.get("abatementDateTime"), None);
    assert_eq!(made.get("clinicalStatus"), None, "{made}");
    assert_eq!(stated(&made), "20120801", "{made}");
}

/// A visit is not over because of it.
#[test]
fn a_time_beside_a_null_flavor_ends_no_visit() {
    for (null, wanted) in [("", "finished"), (r#" nullFlavor="UNK""#, "in-progress")] {
        let entry = format!(
            r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/><statusCode code="active"/><effectiveTime><low value="2024"/><high{null} value="20240815"/></effectiveTime></encounter>"#
        );
        let made = one(&read("46240-8", "", &entry), "Encounter");
        assert_eq!(made["status"], wanted, "{made}");
        assert_eq!(
            made["period"].get("end").is_some(),
            null.is_empty(),
            "{made}"
        );
    }
}

/// An amount beside it is no amount, and the account says why.
#[test]
fn an_amount_beside_a_null_flavor_is_lost() {
    for kind in ["PQ", "INT", "REAL", "BL"] {
        for (null, is_told) in [("", true), (r#" nullFlavor="UNK""#, false)] {
            let value = if kind == "BL" { "true" } else { "7" };
            let entry = format!(
                r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="{kind}"{null} value="{value}"/></observation>"#
            );
            let draft = read("30954-2", "", &entry);
            let made = one(&draft, "Observation");
            let mut keys = made.as_object().unwrap().keys();
            assert_eq!(keys.any(|key| key.starts_with("value")), is_told, "{made}");
            assert_eq!(made.get("dataAbsentReason").is_some(), !is_told, "{made}");
            let wanted = if is_told { Converted } else { Lost };
            assert_eq!(fates(&draft, "observation/value"), [wanted], "{kind}");
            if !is_told {
                let why = why_lost(&draft, "observation/value");
                assert!(why[0].contains("null flavor"), "{why:?}");
            }
        }
    }
}
