//! That nothing is wrong is no problem.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn problem(value: &str, text: &str, denied: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"{denied}><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.2.3.7" extension="p"/><code code="55607006" {SCT}/><text>{text}</text><statusCode code="completed"/><effectiveTime><low value="2020"/></effectiveTime>{value}</observation>"#
    )
}

fn concern(of: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="active"/>{of}</act>"#
    )
}

fn held(of: &str) -> String {
    format!(r#"<entryRelationship typeCode="SUBJ">{of}</entryRelationship>"#)
}

fn other(text: &str) -> String {
    let words = r#"<value xsi:type="CD" nullFlavor="OTH"/>"#;
    problem(words, text, "")
}

#[test]
fn words_for_no_trouble_are_no_condition() {
    for (words, is_trouble) in [
        ("No Impairment", false),
        ("Has no phyical impairment", false),
        ("No speech or hearing deficits noted.", false),
        ("No known problems", false),
        ("No-reflow phenomenon", true),
        ("No light perception", true),
        ("Non-Hodgkin lymphoma", true),
        ("Noonan syndrome", true),
        ("No impairment, severe headache", true),
        ("No pain but severe visual impairment", true),
        ("Memory impairment", true),
    ] {
        let said = format!(
            r#"<value xsi:type="CD" nullFlavor="OTH"><originalText>{words}</originalText></value>"#
        );
        let plain = format!(r#"<value xsi:type="ST">{words}</value>"#);
        let told = other(words);
        for entry in [told, problem(&said, "", ""), problem(&plain, "", "")] {
            for entry in [concern(&held(&entry)), entry] {
                let draft = read("11450-4", "", &entry);
                assert_eq!(
                    all(&draft, "Condition").len(),
                    usize::from(is_trouble),
                    "{words}"
                );
                let seen = all(&draft, "Observation");
                assert_eq!(seen.len(), usize::from(!is_trouble), "{words}");
                for seen in seen {
                    assert_eq!(seen["valueCodeableConcept"]["text"], words);
                    assert_eq!(seen["effectivePeriod"]["start"], "2020", "{words}");
                }
            }
        }
    }
}

/// A code says so, too; what is denied is a problem that is refuted, as before; and beside a problem it is no part of that.
#[test]
fn no_impairment_by_its_code_is_no_condition() {
    let coded = |code: &str, name: &str| {
        format!(r#"<value xsi:type="CD" code="{code}" {SCT} displayName="{name}"/>"#)
    };
    let none = coded("66557003", "No impairment");
    let draft = read("11450-4", "", &problem(&none, "", ""));
    assert!(all(&draft, "Condition").is_empty());
    let known = coded("160245001", "No current problems or disability");
    let draft = read("11450-4", "", &problem(&known, "", ""));
    assert_eq!(
        one(&draft, "Condition")["code"]["coding"][0]["code"],
        "160245001"
    );
    let denied = problem(&none, "", r#" negationInd="true""#);
    let draft = read("11450-4", "", &denied);
    let refuted = &one(&draft, "Condition")["verificationStatus"];
    assert_eq!(refuted["coding"][0]["code"], "refuted");
    let asthma = problem(&coded("195967001", "Asthma"), "", "").replace(r#""p""#, r#""q""#);
    let both = [held(&other("No impairment")), held(&asthma)].concat();
    let draft = read("11450-4", "", &concern(&both));
    assert_eq!(
        one(&draft, "Condition")["code"]["coding"][0]["code"],
        "195967001"
    );
    assert_eq!(all(&draft, "Observation").len(), 1);
}
