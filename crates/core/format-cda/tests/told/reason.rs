//! Why something was done, or was not, in words that stand in the value.

use medibloc_record::EntryOutcome::Converted;

use super::{
    document::{one, read},
    fates,
};

#[test]
fn a_reason_in_words_is_the_reason() {
    let text = r#"<content ID="why">Cough at night</content>"#;
    let reason = |link: &str, template: &str, value: &str| {
        format!(
            r#"<entryRelationship typeCode="{link}"><observation classCode="OBS" moodCode="EVN">{template}<code code="404684003" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{value}</observation></entryRelationship>"#
        )
    };
    let indication = r#"<templateId root="2.16.840.1.113883.10.20.22.4.19"/>"#;
    let pointed = r##"<value xsi:type="ED"><reference value="#why"/></value>"##;
    let printed = r#"<value xsi:type="ST">Cough at night</value>"#;
    for value in [pointed, printed] {
        let entry = format!(
            r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>{}</encounter>"#,
            reason("RSON", indication, value)
        );
        let draft = read("46240-8", text, &entry);
        let why = &one(&draft, "Encounter")["reasonCode"];
        assert_eq!(why[0]["text"], "Cough at night", "{value}");
        let end = match value == pointed {
            true => "encounter/observation/reference",
            false => "encounter/observation/value",
        };
        assert_eq!(fates(&draft, end), [Converted]);
        let entry = format!(
            r#"<procedure classCode="PROC" moodCode="EVN" negationInd="true"><templateId root="2.16.840.1.113883.10.20.22.4.14"/><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{}</procedure>"#,
            reason("RSON", "", value)
        );
        let draft = read("47519-4", text, &entry);
        let why = &one(&draft, "Procedure")["statusReason"];
        assert_eq!(why["text"], "Cough at night", "{value}");
    }
    // Where nothing is said, nothing is the reason.
    let silent = reason(
        "RSON",
        indication,
        r#"<value xsi:type="ED" nullFlavor="OTH"/>"#,
    );
    let entry = format!(
        r#"<encounter classCode="ENC" moodCode="EVN"><code code="99213" codeSystem="2.16.840.1.113883.6.12"/>{silent}</encounter>"#
    );
    let made = one(&read("46240-8", text, &entry), "Encounter");
    assert!(made.get("reasonCode").is_none(), "{made}");
}
