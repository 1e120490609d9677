//! What sort of finding an illness of a relative is has no element.

use medibloc_record::EntryOutcome::{Converted, Lost};

use super::{
    document::{one, read},
    fates,
};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// A history of the father with one observation of these parts.
fn father(parts: &str, denied: &str) -> String {
    format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/><statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject><component><observation classCode="OBS" moodCode="EVN"{denied}><templateId root="2.16.840.1.113883.10.20.22.4.46"/>{parts}</observation></component></organizer>"#
    )
}

#[test]
fn the_code_of_an_illness_is_converted_if_it_names_the_illness_alone() {
    let sort = format!(
        r#"<code code="64572001" {SCT} displayName="Condition"><translation code="75315-2" codeSystem="2.16.840.1.113883.6.1"/></code>"#
    );
    let asserted = r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>"#;
    let named = format!(r#"<code code="38341003" {SCT} displayName="Hypertension"/>"#);
    let value =
        format!(r#"<value xsi:type="CD" code="22298006" {SCT} displayName="Heart attack"/>"#);
    let yes = format!(r#"<value xsi:type="CD" code="373066001" {SCT} displayName="Yes"/>"#);
    let no = format!(r#"<value xsi:type="CD" code="373067005" {SCT} displayName="No"/>"#);
    let dead = format!(r#"<value xsi:type="CD" code="419099009" {SCT} displayName="Dead"/>"#);
    let none = r#"<value xsi:type="ST">No cancer</value>"#;
    let not = r#" negationInd="true""#;
    for (code, value, denied, wanted, word) in [
        (&*sort, &*value, "", Lost, ""),
        (&sort, &value, not, Lost, ""),
        (&sort, none, "", Lost, ""),
        (&sort, &dead, "", Lost, ""),
        // That it is so is what an illness of a relative says by being told.
        (asserted, &value, "", Converted, ""),
        (asserted, &dead, "", Converted, ""),
        // Where the code says which illness it is, it is told.
        (&named, &yes, "", Converted, "Hypertension"),
        (&named, &no, "", Converted, "Hypertension"),
        (&named, "", "", Converted, "Hypertension"),
        (&named, "", not, Converted, "Hypertension"),
    ] {
        let entry = father(&[code, value].concat(), denied);
        let draft = read("10157-6", "", &entry);
        assert_eq!(fates(&draft, "observation/code"), [wanted], "{entry}");
        let told = one(&draft, "FamilyMemberHistory").to_string();
        assert!(told.contains(word), "{told}");
        assert!(!told.contains("64572001"), "{told}");
    }
}
