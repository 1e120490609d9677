//! What can be read in one way alone is read so, in whatever form it is written.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read};
use serde_json::json;

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// A code with a qualifier, as value of an observation with this template.
fn qualified(template: &str, name: &str, value: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><code code="ASSERTION"/><statusCode code="completed"/><value xsi:type="CD" code="56265001" {SCT}><qualifier><name code="{name}" {SCT}/><value code="{value}" {SCT}/></qualifier></value></observation>"#
    )
}

/// SNOMED CT says in the context of a finding (408729009) whether it is there.
#[test]
fn a_finding_that_is_known_to_be_absent_is_none() {
    for (context, wanted) in [
        ("410516002", Some("refuted")),
        ("410594000", Some("refuted")),
        ("410590009", Some("provisional")),
        ("410605003", Some("confirmed")),
        ("410515003", None),
    ] {
        let entry = qualified("4", "408729009", context);
        let made = one(&read("11450-4", "", &entry), "Condition");
        let sure = made["verificationStatus"]["coding"][0]["code"].as_str();
        assert_eq!(sure, wanted, "{context}");
        let entry = qualified("2", "408729009", context);
        let seen = all(&read("30954-2", "", &entry), "Observation");
        assert_eq!(seen.is_empty(), wanted == Some("refuted"), "{context}");
        let entry = format!(
            r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" {SCT}/><entryRelationship typeCode="RSON">{}</entryRelationship></procedure>"#,
            qualified("19", "408729009", context)
        );
        let deed = one(&read("47519-4", "", &entry), "Procedure");
        let is_reason = deed.get("reasonCode").is_some();
        assert_eq!(is_reason, wanted != Some("refuted"), "{context}");
    }
}

/// And in the subject (408732007) whose it is.
#[test]
fn a_finding_of_somebody_else_by_its_code_is_not_the_patients() {
    for (subject, many) in [("410604004", 1), ("72705000", 0)] {
        let entry = qualified("4", "408732007", subject);
        let draft = read("11450-4", "", &entry);
        assert_eq!(all(&draft, "Condition").len(), many, "{subject}");
    }
}

/// A goal is about the time when it shall be reached (HL7 v3, `effectiveTime` in mood `GOL`), if that has yet to come.
#[test]
fn a_goal_for_a_later_day_is_due_then() {
    for (when, start, due) in [
        (r#" value="20260901"/>"#, json!(null), json!("2026-09-01")),
        (r#" value="20241201"/>"#, json!("2024-12-01"), json!(null)),
        (
            r#"><low value="20260101"/><high value="20261231"/></effectiveTime>"#,
            json!("2026-01-01"),
            json!("2026-12-31"),
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><code code="1" {SCT} displayName="walk"/><statusCode code="active"/><effectiveTime{when}</observation>"#
        );
        let goal = one(&read("61146-7", "", &entry), "Goal");
        assert_eq!(goal["startDate"], start, "{when}");
        assert_eq!(goal["target"][0]["dueDate"], due, "{when}");
    }
}

/// The codes of a status are of one list, in small letters.
#[test]
fn a_status_in_capitals_is_that_status() {
    for (state, clinical, status) in [
        ("Active", "active", "in-progress"),
        ("COMPLETED", "inactive", "completed"),
        ("Aborted", "inactive", "stopped"),
    ] {
        let entry = format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="{state}"/><entryRelationship typeCode="SUBJ">{}</entryRelationship></act>"#,
            qualified("4", "1", "2")
        );
        let made = one(&read("11450-4", "", &entry), "Condition");
        assert_eq!(made["clinicalStatus"]["coding"][0]["code"], clinical);
        let entry = format!(
            r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" {SCT}/><statusCode code="{state}"/></procedure>"#
        );
        assert_eq!(
            one(&read("47519-4", "", &entry), "Procedure")["status"],
            status
        );
    }
    let entry = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><statusCode code="Nullified"/><entryRelationship typeCode="SUBJ">{}</entryRelationship></act>"#,
        qualified("4", "1", "2")
    );
    let made = one(&read("11450-4", "", &entry), "Condition");
    assert_eq!(
        made["verificationStatus"]["coding"][0]["code"],
        "entered-in-error"
    );
}

/// A zone with a colon is the same zone.
#[test]
fn a_zone_with_a_colon_is_one() {
    for (raw, wanted) in [
        ("20250304101500-05:00", "2025-03-04T10:15:00-05:00"),
        ("202503041015+01:00", "2025-03-04T10:15:00+01:00"),
        ("20250304101500-0500", "2025-03-04T10:15:00-05:00"),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="{raw}"/><value xsi:type="ST">x</value></observation>"#
        );
        let seen = one(&read("30954-2", "", &entry), "Observation");
        assert_eq!(seen["effectiveDateTime"], wanted);
    }
}

/// Words that the author struck out are struck out, and a program is no words.
#[test]
fn a_narrative_looks_as_its_author_marked_it() {
    let text = r#"<content revised="delete">penicillin</content><content styleCode="Bold xRed">now</content><paragraph styleCode="Italics Underline">and</paragraph><script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script>"#;
    let draft = read("48765-2", text, "");
    let section = &one(&draft, "Composition")["section"][0];
    let div = section["text"]["div"].as_str().unwrap();
    for words in [
        r#"<span style="text-decoration: line-through">penicillin</span>"#,
        r#"<span style="font-weight: bold">now</span>"#,
        r#"<div style="font-style: italic; text-decoration: underline">and</div>"#,
    ] {
        assert!(div.contains(words), "{div}");
    }
    assert!(!div.contains("alert"), "{div}");
}
