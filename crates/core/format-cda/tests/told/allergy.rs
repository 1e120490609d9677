//! What kind of allergy it is, said twice.

use medibloc_record::EntryOutcome::{Converted, KeptAsNarrative};

use super::{
    document::{one, read},
    fates,
};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const KIND: &str = "https://medibloc.org/fhir/StructureDefinition/allergy-kind";
const AGENT: &str = r#"<participant typeCode="CSM"><participantRole><playingEntity><code code="1191" codeSystem="2.16.840.1.113883.6.88" displayName="Aspirin"/></playingEntity></participantRole></participant>"#;

/// Each of code and value is in the type and category, in the extension for what these do not tell, or in what it is against.
#[test]
fn code_and_value_of_an_allergy_are_where_the_account_says() {
    let asserted = r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>"#;
    let listed = r#"<code code="48765-2" codeSystem="2.16.840.1.113883.6.1"/>"#;
    let code = |code: &str| format!(r#"<code code="{code}" {SCT} displayName="n{code}"/>"#);
    let value = |code: &str| {
        let words = r##"<originalText><reference value="#r"/></originalText>"##;
        format!(r#"<value xsi:type="CD" code="{code}" {SCT} displayName="n{code}">{words}</value>"#)
    };
    for (code, value, agent, category, kinds) in [
        // The code is the kind: the value says something else.
        (
            code("416098002"),
            value("282100009"),
            AGENT,
            "medication",
            &["282100009"][..],
        ),
        // Both are kinds, of which the resource has one.
        (
            code("416098002"),
            value("414285001"),
            AGENT,
            "food",
            &["414285001", "416098002"],
        ),
        (
            code("416098002"),
            value("416098002"),
            AGENT,
            "medication",
            &["416098002"],
        ),
        // Neither is: both are told.
        (code("111"), value("222"), AGENT, "", &["222", "111"]),
        (asserted.to_owned(), value("222"), AGENT, "", &["222"]),
        (listed.to_owned(), value("222"), AGENT, "", &["222"]),
        // Without anything that it is against the value is it.
        (code("416098002"), value("294505008"), "", "medication", &[]),
        (code("111"), value("294505008"), "", "", &["111"]),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/>{code}<statusCode code="completed"/>{value}{agent}</observation>"#
        );
        let draft = read("48765-2", r#"<content ID="r">Hives</content>"#, &entry);
        let made = one(&draft, "AllergyIntolerance");
        assert_eq!(
            made["category"][0].as_str().unwrap_or_default(),
            category,
            "{entry}"
        );
        let all = made["extension"].as_array().cloned().unwrap_or_default();
        let told = all.iter().filter(|one| one["url"] == KIND);
        let told: Vec<_> = told
            .map(|one| {
                one["valueCodeableConcept"]["coding"][0]["code"]
                    .as_str()
                    .unwrap()
            })
            .collect();
        assert_eq!(told, kinds, "{entry}");
        for part in ["code", "value", "reference"] {
            let fates = fates(&draft, &format!("observation/{part}"));
            assert!(
                fates.iter().all(|fate| *fate == Converted),
                "{part} {entry}"
            );
        }
    }
    // The kinds of what is denied of all allergies are told by their denial.
    let none = format!(
        r#"<observation classCode="OBS" moodCode="EVN" negationInd="true"><templateId root="2.16.840.1.113883.10.20.22.4.7"/>{}<statusCode code="completed"/>{}</observation>"#,
        code("111"),
        value("416098002")
    );
    let draft = read("48765-2", "", &none);
    let made = one(&draft, "AllergyIntolerance");
    assert_eq!(made["code"]["coding"][0]["code"], "409137002");
    assert_eq!(fates(&draft, "observation/code"), [Converted]);
    assert_eq!(fates(&draft, "observation/value"), [Converted]);
}

/// Words that are those of the reaction name nothing that an allergy is against, nor what kind of allergy it is.
#[test]
fn words_of_a_reaction_are_no_name_of_an_allergen() {
    let text = r#"<content ID="r">Hives</content><content ID="s">Hives</content><content ID="row">Aspirin: hives</content><content ID="own">Bayer</content>"#;
    let code = |kind: &str, code: &str, name: &str, id: &str| {
        let words = format!(r##"<originalText><reference value="#{id}"/></originalText>"##);
        format!(r#"<{kind} code="{code}" {SCT} {name}>{words}</{kind}>"#)
    };
    let named = r#"displayName="Aspirin""#;
    for (id, name, shown, wanted) in [
        ("r", named, "r", Some("Aspirin")),
        ("s", named, "r", Some("Aspirin")),
        ("own", named, "r", Some("Bayer")),
        // A row that names both says what it is against.
        ("row", named, "row", Some("Aspirin: hives")),
        // Nothing else names it.
        ("r", "", "r", Some("Hives")),
    ] {
        for told in [
            format!(r##"<text><reference value="#{shown}"/></text>"##),
            code(
                r#"value xsi:type="CD""#,
                "247472004",
                r#"displayName="Urticaria""#,
                shown,
            )
            .replace("</value xsi:type=\"CD\">", "</value>"),
            r#"<value xsi:type="ST">Hives</value>"#.to_owned(),
        ] {
            let told = if shown == "row" {
                told.replace("Hives", "Aspirin: hives")
            } else {
                told
            };
            let agent = format!(
                r#"<participant typeCode="CSM"><participantRole><playingEntity>{}</playingEntity></participantRole></participant>"#,
                code("code", "1191", name, id)
            );
            let kind = code(
                r#"value xsi:type="CD""#,
                "419511003",
                r#"displayName="Drug allergy""#,
                id,
            )
            .replace("</value xsi:type=\"CD\">", "</value>");
            let entry = format!(
                r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>{kind}{agent}<entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>{told}</observation></entryRelationship></observation>"#
            );
            let draft = read("48765-2", text, &entry);
            let made = one(&draft, "AllergyIntolerance");
            assert_eq!(made["code"]["text"].as_str(), wanted, "{entry}");
            assert_eq!(made["code"]["coding"][0]["code"], "1191");
            let fate = |is_conflict| match is_conflict {
                true => KeptAsNarrative,
                false => Converted,
            };
            let taken = fates(&draft, "observation/reference");
            let wanted = [fate(id != "own"), fate(wanted == Some("Aspirin"))];
            assert_eq!(taken[..2], wanted, "{entry}");
            // The kind is told without them.
            let all = made["extension"].as_array().cloned().unwrap_or_default();
            let said = all
                .iter()
                .any(|one| one["url"] == KIND && one["valueCodeableConcept"]["text"] == "Hives");
            assert!(!said, "{entry}");
        }
    }
}
