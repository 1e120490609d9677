//! The account is true: what is kept in the narrative has its words there, and what is converted is in the element that is named.

use medibloc_record::{Draft, EntryOutcome};

use super::document::{one, read};

/// What became of the facts whose path ends so.
fn fates(draft: &Draft, end: &str) -> Vec<EntryOutcome> {
    let lines = draft.loss.entries.iter();
    let found = lines.filter(|line| draft.loss.path(line).ends_with(end));
    found.map(|line| line.outcome).collect()
}

/// The words of the value of a number that nobody converts, as they may or may not stand in the text.
#[test]
fn what_is_kept_as_narrative_has_its_words_there() {
    use EntryOutcome::{KeptAsNarrative as Kept, Lost};
    for (part, text, fate) in [
        (
            r#"<id root="1.2.3" extension="AB-77"/>"#,
            "Number AB-77.",
            Kept,
        ),
        (
            r#"<id root="1.2.3" extension="AB-77"/>"#,
            "Number AB-78.",
            Lost,
        ),
        (r#"<id root="1.2.3" extension="AB-77"/>"#, "", Lost),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            "It is A  plus\n b",
            Kept,
        ),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            "It is a plus c",
            Lost,
        ),
        (
            r#"<derivationExpr>a plus b</derivationExpr>"#,
            r#"<content revised="delete">a plus b</content> a plus c"#,
            Lost,
        ),
        (
            r#"<repeatNumber value="250" unit="mg"/>"#,
            "up to 250mg",
            Kept,
        ),
        (
            r#"<repeatNumber value="250" unit="mg"/>"#,
            "up to 1250 mg",
            Lost,
        ),
        (r#"<repeatNumber value="2"/>"#, "2 of them", Lost),
        // A code is no word, and one of another statement would be as good.
        (r#"<priorityCode code="active"/>"#, "active", Lost),
        (
            r#"<priorityCode code="1" displayName="At once"/>"#,
            "at once",
            Kept,
        ),
        (
            r##"<priorityCode code="1"><originalText><reference value="#p"/></originalText></priorityCode>"##,
            r#"<content ID="p">now</content>"#,
            Kept,
        ),
        (
            r##"<priorityCode code="1"><originalText><reference value="#q"/></originalText></priorityCode>"##,
            r#"<content ID="p">now</content>"#,
            Lost,
        ),
    ] {
        // An observation has no place for any of these; its number is that of a region nobody draws.
        let name = part[1..].split([' ', '>']).next().unwrap();
        let part = if name == "id" {
            format!(
                r#"<entryRelationship typeCode="SPRT"><act classCode="ACT" moodCode="EVN">{part}<code code="1"/></act></entryRelationship>"#
            )
        } else {
            part.to_owned()
        };
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value>{part}</observation>"#
        );
        let draft = read("30954-2", text, &entry);
        assert_eq!(one(&draft, "Observation")["valueString"], "x");
        assert_eq!(fates(&draft, &format!("/{name}")), [fate], "{part} {text}");
    }
}
