//! Directions in words are no medicine.

use medibloc_record::EntryOutcome;

use super::document::{all, one, read, why_lost};

const TEMPLATE: &str = r#"<templateId root="2.16.840.1.113883.10.20.22.4.147"/>"#;
const CODE: &str = r#"<code code="76662-6" codeSystem="2.16.840.1.113883.6.1" displayName="Medication Instructions"/>"#;
const NONE: &str = r#"<consumable><manufacturedProduct><manufacturedLabeledDrug nullFlavor="NA"/></manufacturedProduct></consumable>"#;
const MEDICINE: &str = r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#;

fn given(parts: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{parts}</substanceAdministration>"#
    )
}

#[test]
fn directions_that_stand_alone_are_no_medicine() {
    let pointer = r##"<text><reference value="#s"/></text>"##;
    let text = r#"<content ID="s">Take two at night</content>"#;
    for kind in [TEMPLATE, CODE, &[TEMPLATE, CODE].concat()] {
        for product in ["", NONE] {
            let draft = read("10160-0", text, &given(&[kind, pointer, product].concat()));
            assert!(all(&draft, "MedicationStatement").is_empty(), "{kind}");
            assert!(all(&draft, "Observation").is_empty());
            assert_eq!(why_lost(&draft, "substanceAdministration").len(), 1);
            // The words are in the text of the section, and the code is in no element.
            let fate = |name: &str| {
                let mut lines = draft.loss.entries.iter();
                let line = lines.find(|line| draft.loss.path(line).ends_with(name));
                line.map(|line| line.outcome)
            };
            assert_eq!(fate("/reference"), Some(EntryOutcome::KeptAsNarrative));
            assert_ne!(fate("/code"), Some(EntryOutcome::Converted));
            let own = "<text>Take two at night</text>";
            let draft = read("10160-0", "", &given(&[kind, own, product].concat()));
            assert!(all(&draft, "MedicationStatement").is_empty(), "{kind}");
            assert_eq!(
                one(&draft, "Observation")["valueString"],
                "Take two at night"
            );
        }
        // One that names a medicine is one.
        let draft = read("10160-0", text, &given(&[kind, pointer, MEDICINE].concat()));
        one(&draft, "MedicationStatement");
        // Inside of one they are its directions.
        let inner = given(&[kind, pointer, NONE].concat());
        let inner = format!(r#"<entryRelationship typeCode="COMP">{inner}</entryRelationship>"#);
        let draft = read("10160-0", text, &given(&[MEDICINE, &inner].concat()));
        let made = one(&draft, "MedicationStatement");
        assert_eq!(made["dosage"][0]["text"], "Take two at night", "{kind}");
    }
}

/// A medicine that only a table names is called by the cell for that, and by the whole row where no heading says which one it is.
#[test]
fn a_medicine_is_called_by_its_cell() {
    let entry = r##"<substanceAdministration classCode="SBADM" moodCode="EVN"><text><reference value="#row"/></text><statusCode code="active"/><consumable><manufacturedProduct><manufacturedMaterial><code nullFlavor="UNK"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"##;
    for (heads, cells, wanted) in [
        (
            "<th>Date</th><th>Medication</th>",
            "<td>Jan 10</td><td>Cure <content>150</content></td>",
            "Cure 150",
        ),
        (
            "<th>Drug name:</th><th>Status</th>",
            "<td>Cure</td><td>Active</td>",
            "Cure",
        ),
        (
            "<th>What</th><th>Status</th>",
            "<td>Cure</td><td>Active</td>",
            "Cure Active",
        ),
        (
            r#"<th colspan="2">Medication</th><th>Status</th>"#,
            "<td>1</td><td>Cure</td>",
            "1 Cure",
        ),
        (
            "<th>Medication</th><th>Status</th>",
            "<td/><td>Active</td>",
            "",
        ),
    ] {
        let text = format!(
            r#"<table><thead><tr>{heads}</tr></thead><tbody><tr ID="row">{cells}</tr></tbody></table>"#
        );
        let made = one(&read("10160-0", &text, entry), "MedicationStatement");
        let name = made["medicationCodeableConcept"]["text"].as_str();
        assert_eq!(name.unwrap_or_default(), wanted, "{heads}");
    }
}

/// What an order says in its own words of how a medicine is taken is in it, also where the order stands inside of another.
#[test]
fn the_words_of_an_order_are_directions() {
    let order = format!(
        r#"<supply classCode="SPLY" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.17"/><text>one each morning</text><statusCode code="active"/>{}</supply>"#,
        MEDICINE.replace("consumable", "product")
    );
    let around = |parts: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="INT">{parts}<statusCode code="active"/>{MEDICINE}<entryRelationship typeCode="REFR">{order}</entryRelationship></substanceAdministration>"#
        )
    };
    for (entry, wanted) in [
        (order.clone(), "one each morning"),
        (around(""), "one each morning"),
        (around("<text>two each morning</text>"), "two each morning"),
    ] {
        let made = one(&read("10160-0", "", &entry), "MedicationRequest");
        assert_eq!(made["dosageInstruction"][0]["text"], wanted, "{entry}");
    }
}
