//! Directions that stand in the narrative alone.

use medibloc_record::EntryOutcome::Converted;

use super::{
    document::{one, read},
    fates,
};

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

/// Words of a statement that are the name of its medicine are no directions, be it of the code, a translation or the narrative.
#[test]
fn a_name_is_no_directions() {
    let text = r#"<content ID="n">Cure HFA 90</content>"#;
    let product = r##"<manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88" displayName="Cure  HFA"><originalText><reference value="#n"/></originalText><translation code="2" codeSystem="2.16.840.1.113883.6.88" displayName="Curine 0.09 MG solution"/></code><name>Cura</name></manufacturedMaterial></manufacturedProduct>"##;
    for (own, wanted) in [
        ("Cure HFA", ""),
        ("cure hfa", ""),
        ("Cure", ""),
        ("Cure HFA 90", ""),
        ("Curine 0.09 MG solution", ""),
        ("CURA", ""),
        ("Cure HFA two puffs", "Cure HFA two puffs"),
        ("Two puffs", "Two puffs"),
        ("Cur", "Cur"),
    ] {
        for (statement, kind) in [
            (
                format!(
                    r##"<substanceAdministration classCode="SBADM" moodCode="EVN"><text>{own}</text><statusCode code="active"/><consumable>{product}</consumable></substanceAdministration>"##
                ),
                "dosage",
            ),
            (
                format!(
                    r##"<supply classCode="SPLY" moodCode="INT"><text>{own}</text><statusCode code="active"/><product>{product}</product></supply>"##
                ),
                "dosageInstruction",
            ),
        ] {
            let kind_of = if kind == "dosage" {
                "MedicationStatement"
            } else {
                "MedicationRequest"
            };
            let draft = read("10160-0", text, &statement);
            let made = one(&draft, kind_of);
            let said = made[kind][0]["text"].as_str().unwrap_or_default();
            assert_eq!(said, wanted, "{made}");
            let is_told = fates(&draft, "/text").iter().all(|fate| *fate == Converted);
            assert_eq!(is_told, !wanted.is_empty(), "{own}");
        }
    }
}
