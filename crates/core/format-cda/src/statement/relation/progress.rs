//! How far a goal was reached: told of what came of it, and so of the goal.

use medibloc_record::json::Value;

use super::Inside;
use crate::{doc::Doc, value::code::coded, xml::has_template};

const PROGRESS: &[&str] = &["2.16.840.1.113883.10.20.22.4.110"];
const ACHIEVEMENT: &str = "http://terminology.hl7.org/CodeSystem/goal-achievement";

/// Keeps what says how far a goal was reached until it is known which.
pub(super) fn note(doc: &Doc<'_>, around: &str, one: &Inside<'_>) {
    if one.kind == "Observation" && has_template(one.node, PROGRESS) {
        doc.progressed(&one.url, around);
    }
}

/// Says of each goal how far it was reached, where FHIR has the word and no other one is said.
pub(super) fn settle(doc: &Doc<'_>) {
    for (progress, around) in doc.progress() {
        let is_said = doc.element(&progress, "status") == Some(Value::from("final"));
        let said = doc.element(&progress, "valueCodeableConcept");
        let code = said
            .as_ref()
            .and_then(|said| said["coding"][0]["code"].as_str());
        // SNOMED CT: goal achieved, goal not achieved.
        let word = match code {
            Some("390802008") if is_said => "achieved",
            Some("390801001") if is_said => "not-achieved",
            _ => continue,
        };
        let goals = match doc.is_of(&around, &["Goal"]) {
            true => vec![around],
            false => doc.goals_with(&around),
        };
        for goal in goals {
            doc.change(&goal, "achievementStatus", |goal| {
                let status = goal.entry("achievementStatus");
                status.or_insert_with(|| coded(ACHIEVEMENT, word));
            });
        }
    }
}
