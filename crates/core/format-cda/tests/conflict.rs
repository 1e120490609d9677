//! Words that a code points to, which are those of something else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, whole};
use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use serde_json::Value;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn procedure(id: &str, code: &str, name: &str, to: &str) -> String {
    format!(
        r##"<entry><procedure classCode="PROC" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.14"/><id root="1.2.3.7" extension="{id}"/><code code="{code}" {SCT} displayName="{name}"><originalText><reference value="#{to}"/></originalText></code><statusCode code="completed"/></procedure></entry>"##
    )
}

/// The texts of all of a kind, each with the words that are in conflict with it.
fn texts(entries: &str, kind: &str) -> Vec<(Option<String>, Option<String>)> {
    const TEXT: &str = r#"<table><tbody><tr><td ID="a">Colonic polypectomy</td><td ID="b">CT SCAN HEAD</td></tr></tbody></table>"#;
    let draft = Cda.read(whole("", "47519-4", TEXT, entries).as_bytes());
    let words = |value: &Value| value.as_str().map(str::to_owned);
    let found = all(&draft.unwrap(), kind).into_iter();
    let told = found.map(|one| {
        let code = &one["code"];
        (
            words(&code["text"]),
            words(&code["extension"][0]["valueString"]),
        )
    });
    told.collect()
}

/// Where the words name another statement, which has another code, the name of the code is the text, and the words stand beside it.
#[test]
fn the_words_of_another_statement_are_no_name() {
    let said = |text: &str| (Some(text.to_owned()), None);
    let conflict = (
        Some("Colonoscopy".to_owned()),
        Some("Colonic polypectomy".to_owned()),
    );
    let scope = |id, name| procedure(id, "73761001", name, "a");
    let cut = procedure("2", "274025005", "Colonic polypectomy", "a");
    let cut_again = cut.replace(r#""2""#, r#""3""#);
    for (entries, wanted) in [
        (
            scope("1", "Colonoscopy") + &cut,
            vec![conflict, said("Colonic polypectomy")],
        ),
        // Nobody else has the words, or who has them is the same: they say it otherwise.
        (scope("1", "Colonoscopy"), vec![said("Colonic polypectomy")]),
        (
            scope("1", "Colonoscopy") + &scope("2", "Colonoscopy"),
            vec![said("Colonic polypectomy"); 2],
        ),
        (cut + &cut_again, vec![said("Colonic polypectomy"); 2]),
        // A name that shares a word with them is no other one.
        (
            scope("1", "Removal of a polyp, colonic")
                + &procedure("2", "1", "Colonic polypectomy", "a"),
            vec![said("Colonic polypectomy"); 2],
        ),
        // Two names of one thing in two systems, of which neither says the words.
        (
            procedure("1", "1", "Coloscopy", "a") + &procedure("2", "2", "Endoscopy", "a"),
            vec![said("Colonic polypectomy"); 2],
        ),
    ] {
        assert_eq!(texts(&entries, "Procedure"), wanted, "{entries}");
    }
}

/// What is named by the words alone is what they name.
#[test]
fn the_words_of_an_order_are_no_diagnosis() {
    let order = |pointer: &str| {
        format!(
            r##"<entry><procedure classCode="PROC" moodCode="INT"><text>{pointer}</text><statusCode code="active"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="282291009" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="346.10" displayName="Migraine" codeSystem="2.16.840.1.113883.6.103"><originalText><reference value="#b"/></originalText></value></observation></entryRelationship></procedure></entry>"##
        )
    };
    let told = texts(&order(r##"<reference value="#b"/>"##), "Condition");
    let conflict = (Some("Migraine".to_owned()), Some("CT SCAN HEAD".to_owned()));
    assert_eq!(told, [conflict]);
    let told = texts(&order("Scan"), "Condition");
    assert_eq!(told, [(Some("CT SCAN HEAD".to_owned()), None)]);
}

/// Clinician: the pointers of three medicines were rotated by one, and each had the name of another.
#[test]
fn the_name_of_another_medicine_is_none_of_this_one() {
    const TEXT: &str = r#"<table><tbody><tr><td ID="m1">Viagra Oral Tablet 50 mg</td></tr>
        <tr><td ID="m2">azithromycin Oral Tablet 500 mg</td></tr><tr><td ID="m3">Zithromax (azithromycin) 250 mg</td></tr>
        <tr><td ID="m4">one tablet a day</td></tr></tbody></table>"#;
    let medicine = |code: &str, name: &str, to: &str| {
        format!(
            r##"<entry><substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.16"/><id root="1.2.3.8" extension="{code}"/><statusCode code="completed"/><consumable><manufacturedProduct classCode="MANU"><manufacturedMaterial><code code="{code}" codeSystem="2.16.840.1.113883.6.88" displayName="{name}"><originalText><reference value="#{to}"/></originalText></code></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration></entry>"##
        )
    };
    for (to, text, conflict) in [
        (
            "m1",
            "azithromycin Oral Tablet 500 mg",
            Some("Viagra Oral Tablet 50 mg"),
        ),
        // Its own name, a brand's beside it, and words that name no medicine of the document.
        ("m2", "azithromycin Oral Tablet 500 mg", None),
        ("m3", "Zithromax (azithromycin) 250 mg", None),
        ("m4", "one tablet a day", None),
    ] {
        let entries = medicine("248656", "azithromycin Oral Tablet 500 mg", to)
            + &medicine("312950", "Viagra Oral Tablet 50 mg", "m1");
        let draft = Cda.read(whole("", "10160-0", TEXT, &entries).as_bytes());
        let found = all(&draft.unwrap(), "MedicationStatement");
        let code = &found[0]["medicationCodeableConcept"];
        assert_eq!(code["text"], text, "{to}");
        assert_eq!(
            code["extension"][0]["valueString"].as_str(),
            conflict,
            "{to}"
        );
        assert_eq!(
            found[1]["medicationCodeableConcept"]["text"],
            "Viagra Oral Tablet 50 mg"
        );
    }
}
