//! That there is no medicine is no order of one.

use medibloc_record::EntryOutcome::KeptAsNarrative;

use super::{
    document::{all, read},
    fates,
};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn statement(mood: &str, flags: &str, material: &str) -> String {
    format!(
        r##"<substanceAdministration classCode="SBADM" moodCode="{mood}" {flags}><text><reference value="#n"/></text><statusCode code="completed"/><consumable><manufacturedProduct><manufacturedMaterial>{material}</manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"##
    )
}

#[test]
fn no_known_medicine_is_no_order() {
    let text = r#"<content ID="n">No Known Medications Administered</content>"#;
    let denied = r#"negationInd="true""#;
    let any = format!(r#"<translation code="410942007" {SCT} displayName="drug or medication"/>"#);
    let words = r##"<originalText><reference value="#n"/></originalText>"##;
    let unknown = |inner: &str| format!(r#"<code nullFlavor="OTH">{inner}</code>"#);
    let drug = r#"<code code="1191" codeSystem="2.16.840.1.113883.6.88" displayName="Aspirin"/>"#;
    for (flags, material, is_order) in [
        (denied, unknown(&any), false),
        (denied, unknown(&[words, &any].concat()), false),
        ("", unknown(words), false),
        ("", unknown(&[words, &any].concat()), false),
        ("", format!(r#"<code code="787481004" {SCT}/>"#), false),
        ("", "<name>No current medications</name>".to_owned(), false),
        // A drug is one, be it denied or not, and so is what has a name that is not for nothing.
        (denied, drug.to_owned(), true),
        ("", drug.to_owned(), true),
        ("", drug.replace("/>", &format!(">{words}</code>")), true),
        ("", unknown(&any), true),
        ("", "<name>Cure</name>".to_owned(), true),
    ] {
        for mood in ["INT", "RQO"] {
            let order = statement(mood, flags, &material);
            let supply = order
                .replace("substanceAdministration", "supply")
                .replace("SBADM", "SPLY")
                .replace("consumable", "product");
            for entry in [order, supply] {
                let draft = read("29549-3", text, &entry);
                let orders = all(&draft, "MedicationRequest").len();
                assert_eq!(orders, usize::from(is_order), "{entry}");
            }
        }
        // What is taken is denied by its status.
        let entry = statement("EVN", flags, &material);
        let draft = read("10160-0", text, &entry);
        assert_eq!(all(&draft, "MedicationStatement").len(), 1, "{entry}");
    }
    // The words stay where they are, and the account says so.
    let draft = read("29549-3", text, &statement("INT", denied, &unknown(words)));
    let fates = fates(&draft, "substanceAdministration/reference");
    assert_eq!(fates, [KeptAsNarrative, KeptAsNarrative]);
}
