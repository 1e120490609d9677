//! Histories of the family: what relatives do not have, and what is said of nobody in particular, is nobody's illness.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const FATHER: &str = r#"<subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject>"#;
const NOT: &str = r#"negationInd="true""#;
const CODE: &str = r#"<code code="64572001" codeSystem="2.16.840.1.113883.6.96"/>"#;

fn read(entry: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><id root="1.2.3.4"/><effectiveTime value="20250101"/><component><structuredBody><component><section>
        <code code="10157-6" codeSystem="2.16.840.1.113883.6.1"/><text/><entry>{entry}</entry>
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

/// Illnesses and notes of the only history.
fn history(draft: &Draft) -> (Vec<Value>, Vec<Value>) {
    let mut all = all(draft, "FamilyMemberHistory");
    assert_eq!(all.len(), 1);
    let one = all.remove(0);
    let list = |name: &str| one[name].as_array().cloned().unwrap_or_default();
    let named = list("condition")
        .iter()
        .map(|one| one["code"]["text"].clone())
        .collect();
    (
        named,
        list("note").iter().map(|one| one["text"].clone()).collect(),
    )
}

fn coded(name: &str) -> String {
    format!(
        r#"<value xsi:type="CD" code="1" codeSystem="2.16.840.1.113883.6.96" displayName="{name}"/>"#
    )
}

fn seen(denied: &str, parts: &[&str]) -> String {
    let parts = parts.concat();
    format!(r#"<observation classCode="OBS" moodCode="EVN" {denied}>{parts}</observation>"#)
}

fn organizer(denied: &str, inner: &[String]) -> String {
    let inner: String = inner
        .iter()
        .map(|one| format!("<component>{one}</component>"))
        .collect();
    format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN" {denied}><templateId root="2.16.840.1.113883.10.20.22.4.45"/><statusCode code="completed"/>{FATHER}{inner}</organizer>"#
    )
}

#[test]
fn what_a_relative_does_not_have_is_a_note() {
    let gout = seen("", &[CODE, &coded("Gout")]);
    let asthma = coded("Asthma");
    let words =
        r#"<value xsi:type="CD" nullFlavor="OTH"><originalText>Asthma</originalText></value>"#;
    for denied in [
        seen(NOT, &[CODE, &asthma]),
        seen(NOT, &[CODE, words]),
        seen(
            NOT,
            &[r#"<code code="1" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"/>"#],
        ),
        seen(
            "",
            &[
                r#"<code code="1" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"/>"#,
                r#"<value xsi:type="BL" value="false"/>"#,
            ],
        ),
        seen(
            "",
            &[
                r#"<code code="1" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"/>"#,
                r#"<value xsi:type="CD" code="373067005" codeSystem="2.16.840.1.113883.6.96" displayName="No"/>"#,
            ],
        ),
    ] {
        let found = history(&read(&organizer("", &[gout.clone(), denied.clone()])));
        assert_eq!(
            found,
            (
                vec![json!("Gout")],
                vec![json!("The source denies: Asthma")]
            ),
            "{denied}"
        );
        // Alone, by the observation or by the group around it.
        let found = history(&read(&organizer("", core::slice::from_ref(&denied))));
        assert_eq!(
            found,
            (vec![], vec![json!("The source denies: Asthma")]),
            "{denied}"
        );
    }
    let whole = history(&read(&organizer(NOT, &[seen("", &[CODE, &asthma])])));
    assert_eq!(whole, (vec![], vec![json!("The source denies: Asthma")]));
    let alone = history(&read(&seen(NOT, &[CODE, &asthma, FATHER])));
    assert_eq!(alone, (vec![], vec![json!("The source denies: Asthma")]));
}

#[test]
fn words_that_say_no_are_no_illness() {
    for words in [
        "No family history of diabetes",
        "No known family history of cancer",
        "none",
        "unknown",
    ] {
        for value in [
            coded(words),
            format!(r#"<value xsi:type="ST">{words}</value>"#),
        ] {
            let found = history(&read(&organizer("", &[seen("", &[CODE, &value])])));
            assert_eq!(found, (vec![], vec![json!(words)]), "{value}");
        }
    }
    let named = history(&read(&organizer(
        "",
        &[seen("", &[CODE, r#"<value xsi:type="ST">Gout</value>"#])],
    )));
    assert_eq!(named, (vec![json!("Gout")], vec![]));
}

#[test]
fn a_yes_is_the_illness_that_was_asked_for_and_a_number_is_none() {
    let asthma = r#"<code code="1" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"/>"#;
    let yes = seen("", &[asthma, r#"<value xsi:type="BL" value="true"/>"#]);
    assert_eq!(
        history(&read(&organizer("", &[yes]))),
        (vec![json!("Asthma")], vec![])
    );
    let height = seen(
        "",
        &[
            r#"<code code="8302-2" codeSystem="2.16.840.1.113883.6.1"/>"#,
            r#"<value xsi:type="PQ" value="180" unit="cm"/>"#,
        ],
    );
    let draft = read(&organizer("", &[height]));
    assert_eq!(history(&draft), (vec![], vec![]));
    let tall = all(&draft, "Observation").remove(0);
    assert_eq!(tall["valueQuantity"]["value"], 180);
    assert!(tall["focus"].is_array());
}

/// What did not kill killed nobody.
#[test]
fn a_denied_death_is_none() {
    let dead = r#"<value xsi:type="CD" code="419099009" codeSystem="2.16.840.1.113883.6.96"/>"#;
    for (denied, wanted) in [("", json!(true)), (NOT, json!(null))] {
        let death = seen(
            denied,
            &[
                r#"<templateId root="2.16.840.1.113883.10.20.22.4.47"/>"#,
                CODE,
                dead,
            ],
        );
        let gout = seen(
            "",
            &[
                CODE,
                &coded("Gout"),
                &format!(r#"<entryRelationship typeCode="CAUS">{death}</entryRelationship>"#),
            ],
        );
        let draft = read(&organizer("", &[gout]));
        let one = all(&draft, "FamilyMemberHistory").remove(0);
        assert_eq!(
            one["condition"][0]
                .get("contributedToDeath")
                .cloned()
                .unwrap_or_default(),
            wanted
        );
        assert_eq!(
            one.get("deceasedBoolean").cloned().unwrap_or_default(),
            wanted
        );
        let draft = read(&organizer("", &[seen(denied, &[CODE, dead])]));
        let one = all(&draft, "FamilyMemberHistory").remove(0);
        assert_eq!(
            one.get("deceasedBoolean").cloned().unwrap_or_default(),
            wanted
        );
        assert!(one.get("condition").is_none());
    }
}

/// In a history of the family, what does not say of whom it is, nor by its name that it is of the family, is not the patient's.
#[test]
fn what_is_of_nobody_in_particular_is_not_the_patients() {
    let asthma =
        r#"<code code="195967001" codeSystem="2.16.840.1.113883.6.96" displayName="Asthma"/>"#;
    let problem = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/><statusCode code="active"/><entryRelationship typeCode="SUBJ">{}</entryRelationship></act>"#,
        seen(
            "",
            &[
                r#"<templateId root="2.16.840.1.113883.10.20.22.4.4"/>"#,
                CODE,
                &coded("Asthma")
            ]
        )
    );
    for entry in [
        seen("", &[asthma]),
        seen(NOT, &[asthma]),
        seen("", &[asthma, r#"<value xsi:type="BL" value="true"/>"#]),
        seen(
            "",
            &[r#"<code code="195967001" codeSystem="2.16.840.1.113883.6.96"/>"#],
        ),
        problem,
    ] {
        let draft = read(&entry);
        for kind in ["Observation", "Condition", "FamilyMemberHistory"] {
            assert_eq!(all(&draft, kind), Vec::<Value>::new(), "{entry}");
        }
        assert!(
            draft.loss.entries.iter().any(|line| line.because.is_some()),
            "{entry}"
        );
    }
    for name in [
        "Family history of cancer",
        "No family history of diabetes",
        "FH: Asthma",
    ] {
        let entry = seen(
            "",
            &[&format!(
                r#"<code code="1" codeSystem="2.16.840.1.113883.6.96" displayName="{name}"/>"#
            )],
        );
        assert_eq!(all(&read(&entry), "Observation").len(), 1, "{name}");
    }
}

/// A template that is of a relative by what it is says nothing of the patient, wherever it stands and without the group that would
/// say of whom: a death least of all.
#[test]
fn what_a_template_says_of_a_relative_is_not_the_patients() {
    const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
    let dead = format!(r#"<value xsi:type="CD" code="419099009" {SCT} displayName="Dead"/>"#);
    let cancer = format!(r#"<value xsi:type="CD" code="363346000" {SCT} displayName="Cancer"/>"#);
    let asserted = r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>"#;
    let of = |root: &str, value: &str| {
        let template = format!(r#"<templateId root="{root}"/>"#);
        seen("", &[&template, asserted, value])
    };
    let within = |act: &str, kind: &str, inner: &str| {
        format!(
            r#"<act classCode="ACT" moodCode="EVN">{act}<statusCode code="active"/><entryRelationship typeCode="{kind}">{inner}</entryRelationship></act>"#
        )
    };
    let concern = r#"<templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>"#;
    let allergies = r#"<templateId root="2.16.840.1.113883.10.20.22.4.30"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>"#;
    let risk = r#"<templateId root="2.16.840.1.113883.10.20.22.4.136"/>"#;
    let age = seen(
        "",
        &[
            r#"<templateId root="2.16.840.1.113883.10.20.22.4.31"/>"#,
            &format!(r#"<code code="445518008" {SCT}/>"#),
            r#"<value xsi:type="PQ" value="57" unit="a"/>"#,
        ],
    );
    let mut all_of = vec![("10157-6", age)];
    for (root, value) in [
        ("2.16.840.1.113883.10.20.22.4.47", &dead),
        ("2.16.840.1.113883.10.20.1.42", &dead),
        ("2.16.840.1.113883.10.20.22.4.46", &cancer),
        ("2.16.840.1.113883.10.20.1.22", &cancer),
    ] {
        let one = of(root, value);
        for section in ["11450-4", "30954-2", "29762-2", "10157-6", "48765-2"] {
            all_of.extend([
                (section, one.clone()),
                (section, within(concern, "SUBJ", &one)),
                (section, within(allergies, "SUBJ", &one)),
                (section, within(risk, "SPRT", &one)),
            ]);
        }
    }
    for (section, entry) in all_of {
        let draft = document::read(section, "", &entry);
        for kind in [
            "Observation",
            "Condition",
            "AllergyIntolerance",
            "Procedure",
        ] {
            assert_eq!(all(&draft, kind), Vec::<Value>::new(), "{section} {entry}");
        }
        let why = document::why_lost(&draft, "observation");
        let wanted = "it is of a relative, and the source does not say of which";
        assert_eq!(why, [wanted], "{section} {entry}");
    }
    // What one with a subject says is told of that one.
    let of_father = of("2.16.840.1.113883.10.20.22.4.47", &dead)
        .replace("<statusCode", &format!("{FATHER}<statusCode"));
    let draft = document::read("11450-4", "", &of_father);
    assert_eq!(all(&draft, "FamilyMemberHistory").len(), 1);
    assert_eq!(
        all(&draft, "Condition").len() + all(&draft, "Observation").len(),
        0
    );
}
