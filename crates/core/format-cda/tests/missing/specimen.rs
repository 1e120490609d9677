//! Specimens, and reports inside of reports.

use serde_json::json;

use super::document::{all, one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn seen(code: &str) -> String {
    format!(
        r#"<component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value></observation></component>"#
    )
}

fn organizer(template: &str, code: &str, inner: &str) -> String {
    format!(
        r#"<organizer classCode="BATTERY" moodCode="EVN">{template}{code}<statusCode code="completed"/>{inner}</organizer>"#
    )
}

const REPORT: &str = r#"<templateId root="2.16.840.1.113883.10.20.22.4.1"/>"#;

/// C-CDA on FHIR, results: the procedure that took a specimen is what is known of the specimen.
#[test]
fn a_collection_is_the_specimen_of_its_report() {
    let with = |flags: &str, named: &str, state: &str| {
        let inner = format!(
            r#"{}<component><procedure classCode="PROC" moodCode="EVN" {flags}>{named}<statusCode code="{state}"/><effectiveTime value="202503010800-0500"/><targetSiteCode code="14975008" {SCT}/><participant typeCode="PRD"><participantRole classCode="SPEC"><id root="1.9" extension="S"/><playingEntity><code code="122555007" {SCT}/></playingEntity></participantRole></participant></procedure></component>"#,
            seen("1-8")
        );
        let code = r#"<code code="600-7" codeSystem="2.16.840.1.113883.6.1"/>"#;
        read("30954-2", "", &organizer(REPORT, code, &inner))
    };
    let taken = |flags: &str, named: &str| with(flags, named, "completed");
    let code = format!(r#"<code code="17636008" {SCT}/>"#);
    let template = format!(r#"<templateId root="2.16.840.1.113883.10.20.22.4.415"/>{code}"#);
    for named in [code.as_str(), template.as_str()] {
        let draft = taken("", named);
        let specimen = one(&draft, "Specimen");
        assert_eq!(specimen["identifier"][0]["value"], "S");
        assert_eq!(specimen["type"]["coding"][0]["code"], "122555007");
        let how = &specimen["collection"];
        assert_eq!(how["bodySite"]["coding"][0]["code"], "14975008");
        assert_eq!(how["collectedDateTime"], "2025-03-01T08:00:00-05:00");
        let url = format!("urn:uuid:{}", specimen["id"].as_str().unwrap());
        let report = one(&draft, "DiagnosticReport");
        assert_eq!(report["specimen"], json!([{"reference": url}]));
        assert!(all(&draft, "Procedure").is_empty());
    }
    for state in ["nullified", "NULLIFIED"] {
        let void = one(&with("", &code, state), "Specimen");
        assert_eq!(void["status"], "entered-in-error");
    }
    let denied = taken(r#"negationInd="true""#, &code);
    // That this was not taken is not that nothing was.
    assert!(all(&denied, "Specimen").is_empty());
    assert!(all(&denied, "Procedure").is_empty());
}

/// A report has results that are observations alone.
#[test]
fn a_group_inside_of_a_report_is_one_of_its_results() {
    let code = r#"<code code="600-7" codeSystem="2.16.840.1.113883.6.1"/>"#;
    let group = r#"<code code="50545-3" codeSystem="2.16.840.1.113883.6.1"/>"#;
    for (template, named, many) in [("", group, 2), (REPORT, group, 2), ("", "", 3)] {
        let inner = organizer(template, named, &[seen("2-6"), seen("3-4")].concat());
        let inner = format!("{}<component>{inner}</component>", seen("1-8"));
        let draft = read("30954-2", "", &organizer(REPORT, code, &inner));
        let report = one(&draft, "DiagnosticReport");
        assert_eq!(report["result"].as_array().unwrap().len(), many, "{named}");
        let panels = all(&draft, "Observation");
        let panels = panels.iter().filter(|one| one.get("hasMember").is_some());
        let sizes: Vec<usize> = panels
            .map(|one| one["hasMember"].as_array().unwrap().len())
            .collect();
        assert_eq!(sizes, vec![2; usize::from(many == 2)]);
    }
}
