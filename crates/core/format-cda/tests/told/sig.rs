//! Directions that stand in the narrative alone.

use super::document::{one, read};

/// The cell under a heading that says so has the directions of the medicine whose row or cell it is; no other words are directions.
#[test]
fn directions_of_a_table_are_in_the_dosage() {
    let table = |head: &str| {
        format!(
            r#"<table><thead><tr><th>Medication</th><th>{head}</th><th>Status</th></tr></thead><tbody><tr ID="other"><td>Bar</td><td>Never</td><td>Active</td></tr><tr ID="row"><td ID="name">Cure</td><td><content ID="cell">One at night</content></td><td>Active</td></tr></tbody></table>"#
        )
    };
    for (head, id, wanted) in [
        ("Directions", "row", "One at night"),
        ("Sig:", "row", "One at night"),
        ("Sig", "cell", "One at night"),
        ("Directions", "name", ""),
        ("Start", "row", ""),
        ("Start", "cell", ""),
    ] {
        for (mood, kind, list) in [
            ("EVN", "MedicationStatement", "dosage"),
            ("INT", "MedicationRequest", "dosageInstruction"),
        ] {
            let entry = |own: &str| {
                format!(
                    r##"<substanceAdministration classCode="SBADM" moodCode="{mood}"><text>{own}<reference value="#{id}"/></text><statusCode code="active"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88" displayName="Cure"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"##
                )
            };
            let made = one(&read("10160-0", &table(head), &entry("")), kind);
            let said = made[list][0]["text"].as_str().unwrap_or_default();
            assert_eq!(said, wanted, "{head} {id} {made}");
            // Words of the statement itself come first.
            let made = one(&read("10160-0", &table(head), &entry("Two at noon")), kind);
            assert_eq!(made[list][0]["text"], "Two at noon");
        }
    }
}
