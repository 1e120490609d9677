//! Each line of the tables in docs/format/cda-mapping.md.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use medibloc_format_cda::Cda;
use medibloc_record::{Draft, EntryOutcome, Format as _};
use serde_json::Value;

/// Rows of the table whose first head cell is this.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../docs/format/cda-mapping.md"
    );
    let text = fs::read_to_string(path).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect()
    };
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {head} |")));
    let top = cells(lines.next().unwrap());
    let mut rows = vec![top];
    rows.extend(
        lines
            .skip(1)
            .take_while(|line| line.starts_with('|'))
            .map(cells),
    );
    assert!(rows.len() > 5, "{head}");
    rows
}

fn document(section: &str, entry: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc">
        <id root="1.2.3.4"/><effectiveTime value="20250101"/><component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><entry>{entry}</entry>
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

/// A statement of that kind.
fn statement(what: &str, denied: bool, mood: &str, status: &str) -> Draft {
    let state = if status == "-" {
        String::new()
    } else {
        format!(r#"<statusCode code="{status}"/>"#)
    };
    let flags = format!(r#"moodCode="{mood}" negationInd="{denied}""#);
    let code = r#"<code code="123" codeSystem="2.16.840.1.113883.6.96" displayName="Something"/>"#;
    let value = r#"<value xsi:type="CD" code="456" codeSystem="2.16.840.1.113883.6.96" displayName="An illness"/>"#;
    let product = r#"<manufacturedProduct><manufacturedMaterial><code code="789" codeSystem="2.16.840.1.113883.6.88" displayName="A medicine"/></manufacturedMaterial></manufacturedProduct>"#;
    let (section, entry) = match what {
        "problem" => (
            "11450-4",
            format!(r#"<observation classCode="OBS" {flags}>{code}{state}{value}</observation>"#),
        ),
        "allergy" => (
            "48765-2",
            format!(
                r#"<observation classCode="OBS" {flags}>{code}{state}{value}<participant typeCode="CSM"><participantRole><playingEntity>{code}</playingEntity></participantRole></participant></observation>"#
            ),
        ),
        "result" => (
            "30954-2",
            format!(
                r#"<observation classCode="OBS" {flags}>{code}{state}<value xsi:type="PQ" value="5" unit="mg"/></observation>"#
            ),
        ),
        "finding" => (
            "8710-6",
            format!(r#"<observation classCode="OBS" {flags}>{code}{state}</observation>"#),
        ),
        "medicine" => (
            "10160-0",
            format!(
                r#"<substanceAdministration classCode="SBADM" {flags}>{state}<consumable>{product}</consumable></substanceAdministration>"#
            ),
        ),
        "planned medicine" => (
            "18776-5",
            format!(
                r#"<substanceAdministration classCode="SBADM" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.42"/>{state}<consumable>{product}</consumable></substanceAdministration>"#
            ),
        ),
        "vaccine" => (
            "11369-6",
            format!(
                r#"<substanceAdministration classCode="SBADM" {flags}>{state}<consumable>{product}</consumable></substanceAdministration>"#
            ),
        ),
        "procedure" => (
            "47519-4",
            format!(r#"<procedure classCode="PROC" {flags}>{code}{state}</procedure>"#),
        ),
        "encounter" => (
            "46240-8",
            format!(r#"<encounter classCode="ENC" {flags}>{code}{state}</encounter>"#),
        ),
        "dispense" => (
            "10160-0",
            format!(
                r#"<supply classCode="SPLY" {flags}>{state}<product>{product}</product></supply>"#
            ),
        ),
        "family" => (
            "10157-6",
            format!(
                r#"<organizer classCode="CLUSTER" {flags}>{state}<subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject><component><observation classCode="OBS" moodCode="EVN">{code}{value}</observation></component></organizer>"#
            ),
        ),
        other => panic!("no statement is called {other}"),
    };
    document(section, &entry)
}

/// Resources that say something clinical.
fn said(draft: &Draft) -> Vec<Value> {
    let frame = ["Composition", "Patient", "Organization", "Provenance"];
    let entries = draft.fhir["entry"].as_array().unwrap().iter();
    let all = entries.map(|entry| &entry["resource"]);
    all.filter(|one| !frame.contains(&one["resourceType"].as_str().unwrap()))
        .map(|one| one.clone().into())
        .collect()
}

/// A code, or the first code of a concept.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        Value::Null => "-".to_owned(),
        other => other["coding"][0]["code"]
            .as_str()
            .unwrap_or("-")
            .to_owned(),
    }
}

#[test]
fn statements_become_what_the_table_says_by_denial_and_mood() {
    for row in &table("Statement")[1..] {
        let [what, denied, mood, becomes, fields] = row.as_slice() else {
            panic!("{row:?}")
        };
        let draft = statement(what, denied == "yes", mood, "completed");
        let said = said(&draft);
        if becomes == "nothing" {
            assert!(said.is_empty(), "{row:?}: {said:?}");
            let entry = draft
                .loss
                .entries
                .iter()
                .find(|line| line.within.is_none() && !draft.loss.section(line).is_empty());
            let line = draft.loss.entries.iter().find(|line| {
                line.because
                    .as_deref()
                    .is_some_and(|why| why.contains(fields.as_str()))
            });
            assert!(line.is_some(), "{row:?}: {entry:?}");
            continue;
        }
        assert_eq!(said[0]["resourceType"], becomes.as_str(), "{row:?}");
        assert_eq!(said.len(), 1, "{row:?}");
        for field in fields.split(',').filter(|field| !field.trim().is_empty()) {
            let (name, value) = field.trim().split_once(' ').unwrap();
            assert_eq!(plain(&said[0][name]), value, "{row:?}");
        }
        let denial = draft
            .loss
            .entries
            .iter()
            .find(|line| draft.loss.path(line).ends_with("@negationInd"));
        assert_eq!(denial.is_some(), denied == "yes", "{row:?}");
        assert!(
            denial.is_none_or(|line| line.outcome == EntryOutcome::Converted),
            "{row:?}"
        );
    }
}

#[test]
fn statuses_become_what_the_table_says() {
    let rows = table("Becomes");
    for row in &rows[1..] {
        let (kind, field) = row[0].split_once('.').unwrap();
        let (what, mood) = match kind {
            "Observation" => ("result", "EVN"),
            "MedicationStatement" => ("medicine", "EVN"),
            "MedicationRequest" => ("medicine", "INT"),
            "MedicationDispense" => ("dispense", "EVN"),
            "Immunization" => ("vaccine", "EVN"),
            "Procedure" => ("procedure", "EVN"),
            "ServiceRequest" => ("procedure", "RQO"),
            "Goal" => ("result", "GOL"),
            other => panic!("nothing becomes {other}"),
        };
        for (status, wanted) in rows[0].iter().zip(row).skip(1) {
            let draft = statement(what, false, mood, status);
            let said = said(&draft);
            assert_eq!(said[0]["resourceType"], kind, "{status}");
            assert_eq!(plain(&said[0][field]), *wanted, "{kind}, {status}");
        }
    }
}

#[test]
fn problems_have_the_status_that_the_table_says() {
    for row in &table("Problem status")[1..] {
        let [stated, ends, concern, clinical, verified] = row.as_slice() else {
            panic!("{row:?}")
        };
        let stated = match stated.as_str() {
            "-" => String::new(),
            code => format!(
                r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.6"/><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship>"#
            ),
        };
        let high = if ends == "yes" {
            r#"<high value="20240101"/>"#
        } else {
            ""
        };
        let about = if concern == "-" {
            String::new()
        } else {
            format!(r#"<statusCode code="{concern}"/>"#)
        };
        let entry = format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/>{about}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><statusCode code="completed"/><effectiveTime><low value="20230101"/>{high}</effectiveTime><value xsi:type="CD" code="456" codeSystem="2.16.840.1.113883.6.96"/>{stated}</observation></entryRelationship></act>"#
        );
        let draft = document("11450-4", &entry);
        let said = said(&draft);
        assert_eq!(said.len(), 1, "{row:?}");
        assert_eq!(plain(&said[0]["clinicalStatus"]), *clinical, "{row:?}");
        assert_eq!(plain(&said[0]["verificationStatus"]), *verified, "{row:?}");
        assert_eq!(said[0]["onsetDateTime"], "2023-01-01", "{row:?}");
    }
}
