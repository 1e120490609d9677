//! What kind of allergy it is, said twice.

use medibloc_record::EntryOutcome::Converted;

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
