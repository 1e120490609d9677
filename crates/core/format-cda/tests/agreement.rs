//! Our resources against those that the working group of C-CDA on FHIR recommends for the same sources, element by element. The
//! report is docs/format/cda-agreement.md; `UPDATE_GOLDEN=1` writes it anew.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "tests"
)]

#[path = "agreement/compare.rs"]
mod compare;
#[path = "agreement/reasons.rs"]
mod reasons;

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path};

use compare::{Difference, compare};
use medibloc_format_cda::Cda;
use medibloc_record::Format as _;
use reasons::{REASONS, Verdict};
use serde_json::{Value, json};

const REPORT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../docs/format/cda-agreement.md"
);
const HEAD: &str = r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc"><id root="1.2.3.4"/>"#;
const GUIDE: &str = "mapping/ccda-on-fhir-input/input/resources";
const DRAFTS: &str = "mapping/ccda-on-fhir/mappings/examples/CDAtoFHIRExamples";

/// A source with what is recommended for it: name, source, section of a fragment, recommended resource.
fn cases() -> Vec<(String, String, &'static str, String)> {
    let mut all = Vec::new();
    for (way, name, section, kind) in [
        ("CF", "allergy", "48765-2", "allergyintolerance"),
        ("CF", "immunization", "11369-6", "immunization"),
        ("CF", "medication", "10160-0", "medicationrequest"),
        ("CF", "patient", "", "patient"),
        ("CF", "problem", "11450-4", "condition"),
        ("CF", "procedure", "47519-4", "procedure"),
        ("FC", "allergy", "48765-2", "allergyintolerance"),
        ("FC", "immunization", "11369-6", "immunization"),
        ("FC", "medication", "10160-0", "medicationrequest"),
        ("FC", "problem", "11450-4", "condition"),
    ] {
        all.push((
            format!("{way}-{name}"),
            format!("{GUIDE}/binary/{way}-{name}.xml"),
            section,
            format!("{GUIDE}/{kind}/{way}-{name}.json"),
        ));
    }
    for name in [
        "allergy.jsonc",
        "diagnosticsReport_draft.json",
        "encounterDx_draft.jsonc",
        "encounter_draft.json",
        "immunization.jsonc",
        "medicationRequest.jsonc",
        "note_draft.json",
        "patient.jsonc",
        "problem.jsonc",
        "procedure.jsonc",
        "providerOrganization_draft.jsonc",
        "result_obs_draft.json",
        "social history_draft.json",
        "vital sign_draft.json",
    ] {
        let short = name.split('.').next().unwrap().replace("_draft", "");
        all.push((
            format!("Myra Jones, {short}"),
            format!("{DRAFTS}/Input/Myra Jones v2.xml"),
            "whole",
            format!("{DRAFTS}/Rec_Output/Rec_{name}"),
        ));
    }
    all
}

/// A fragment as the document that it is cut from.
fn document(source: &str, section: &str) -> String {
    match section {
        "whole" => source.to_owned(),
        "" => format!("{HEAD}{source}</ClinicalDocument>"),
        code => format!(
            r#"{HEAD}<component><structuredBody><component><section><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/>{source}</section></component></structuredBody></component></ClinicalDocument>"#
        ),
    }
}

/// A recommended resource: JSON with comments, some with more closing brackets than opening ones.
fn recommended(text: &str) -> Value {
    let mut plain = String::new();
    for line in text.lines() {
        let mut quoted = false;
        let mut before = ' ';
        let cut = line.char_indices().find(|(at, letter)| {
            if *letter == '"' && before != '\\' {
                quoted = !quoted;
            }
            before = *letter;
            !quoted && line[*at..].starts_with("//")
        });
        plain.push_str(cut.map_or(line, |(at, _)| &line[..at]));
        plain.push('\n');
    }
    let first = serde_json::Deserializer::from_str(&plain).into_iter::<Value>();
    let value = first.into_iter().next().unwrap().unwrap();
    value.get("resource").cloned().unwrap_or(value)
}

/// One difference of one case, with its reason.
struct Row {
    case: String,
    kind: String,
    difference: Difference,
    reason: Option<&'static reasons::Reason>,
}

/// How many elements of a kind agree, and what differs.
#[derive(Default)]
struct Outcome {
    agreed: BTreeMap<(String, String), usize>,
    rows: Vec<Row>,
}

fn top(path: &str) -> String {
    let end = path.find(['.', '(']).unwrap_or(path.len());
    path[..end].trim_start_matches('_').to_owned()
}

fn run(corpus: &Path) -> Outcome {
    let mut out = Outcome::default();
    for (case, source, section, wanted) in cases() {
        let source = fs::read_to_string(corpus.join(source)).unwrap();
        let wanted = recommended(&fs::read_to_string(corpus.join(wanted)).unwrap());
        let draft = Cda.read(document(&source, section).as_bytes()).unwrap();
        let found = compare(&wanted, &draft.fhir.into());
        for path in found.agreed {
            *out.agreed
                .entry((found.kind.clone(), top(&path)))
                .or_default() += 1;
        }
        for difference in found.differences {
            let reason = REASONS
                .iter()
                .find(|one| one.is_for(&case, &found.kind, &difference));
            out.rows.push(Row {
                case: case.clone(),
                kind: found.kind.clone(),
                difference,
                reason,
            });
        }
    }
    out
}

fn report(out: &Outcome) -> String {
    let count = |verdict: Option<Verdict>| {
        out.rows
            .iter()
            .filter(|row| row.reason.map(|reason| reason.verdict) == verdict)
            .count()
    };
    let agreed: usize = out.agreed.values().sum();
    let (chosen, theirs, plain) = (
        count(Some(Verdict::Chosen)),
        count(Some(Verdict::Theirs)),
        count(None),
    );
    let mut text = String::from(
        "# Agreement with the working group's recommended outputs\n\n\
        The working group of *C-CDA on FHIR* publishes sources with the resources that it recommends for them: the examples of its \
        guide (`CF-`, and `FC-` of the other direction read back), and drafts for one whole document (Myra Jones). \
        `crates/core/format-cda/tests/agreement.rs` converts each source, pairs the resources, compares every element, and writes \
        this page. Ids, the narrative, and the order of lists are not compared; a reference counts by the kind of what it points to; \
        two times are equal if they are the same moment. An element that one side alone has is a difference.\n\n",
    );
    let all = agreed + chosen + theirs + plain;
    let _ = writeln!(
        text,
        "| Elements | Agree | Differ: chosen, with reason | Differ: the recommended one is wrong | Differ without reason | Agreement where nothing was chosen |\n|--:|--:|--:|--:|--:|--:|\n| {all} | {agreed} | {chosen} | {theirs} | {plain} | {:.1} % |\n",
        100.0 * agreed as f64 / (agreed + plain) as f64
    );
    text.push_str("## By element\n\n| Resource | Element | Agree | Chosen | Theirs wrong | No reason |\n|---|---|--:|--:|--:|--:|\n");
    let mut table: BTreeMap<(String, String), [usize; 4]> = BTreeMap::new();
    for (key, many) in &out.agreed {
        table.entry(key.clone()).or_default()[0] += many;
    }
    for row in &out.rows {
        let key = (row.kind.clone(), top(&row.difference.path));
        let column = match row.reason.map(|reason| reason.verdict) {
            Some(Verdict::Chosen) => 1,
            Some(Verdict::Theirs) => 2,
            None => 3,
        };
        table.entry(key).or_default()[column] += 1;
    }
    for ((kind, element), [agree, chosen, theirs, plain]) in &table {
        let _ = writeln!(
            text,
            "| {kind} | {element} | {agree} | {chosen} | {theirs} | {plain} |"
        );
    }
    text.push_str("\n## Differences\n\n");
    for (verdict, title) in [
        (None, "Without reason"),
        (Some(Verdict::Theirs), "The recommended one is wrong"),
        (Some(Verdict::Chosen), "Chosen"),
    ] {
        let rows: Vec<&Row> = out
            .rows
            .iter()
            .filter(|row| row.reason.map(|reason| reason.verdict) == verdict)
            .collect();
        if rows.is_empty() {
            continue;
        }
        let _ = writeln!(
            text,
            "### {title}\n\n| Case | Element | Theirs | Ours | Reason |\n|---|---|---|---|---|"
        );
        for row in rows {
            let shown = |value: &Option<String>| {
                value
                    .as_deref()
                    .map_or("–".to_owned(), |value| format!("`{}`", short(value)))
            };
            let _ = writeln!(
                text,
                "| {} | {}.{} | {} | {} | {} |",
                row.case,
                row.kind,
                row.difference.path,
                shown(&row.difference.theirs),
                shown(&row.difference.ours),
                row.reason.map_or("", |reason| reason.why)
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn short(value: &str) -> String {
    let plain = value.replace('|', "/");
    match plain.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &plain[..at]),
        None => plain,
    }
}

#[test]
fn we_agree_with_the_working_group_or_say_why_not() {
    let Some(corpus) = std::env::var_os("MEDIBLOC_CORPUS") else {
        println!("SKIPPED corpus/cda-agreement: MEDIBLOC_CORPUS names no folder");
        return;
    };
    let out = run(Path::new(&corpus));
    let text = report(&out);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(REPORT, &text).unwrap();
    }
    for reason in REASONS {
        let used = |row: &Row| row.reason.is_some_and(|one| core::ptr::eq(one, reason));
        assert!(out.rows.iter().any(used), "no difference needs: {reason:?}");
    }
    let agreed: usize = out.agreed.values().sum();
    let plain = out.rows.iter().filter(|row| row.reason.is_none()).count();
    assert!(
        agreed * 100 >= (agreed + plain) * 98,
        "{agreed} agree, {plain} differ without reason"
    );
    assert_eq!(
        fs::read_to_string(REPORT).unwrap(),
        text,
        "the report is old: UPDATE_GOLDEN=1"
    );
}

/// What is committed says at least what is promised, on any machine.
#[test]
fn the_report_shows_every_reason() {
    let text = fs::read_to_string(REPORT).unwrap();
    for reason in REASONS {
        assert!(text.contains(reason.why), "{reason:?}");
    }
}

#[test]
fn a_difference_is_never_agreement() {
    let ours = |body: Value| json!({"entry": [{"fullUrl": "urn:uuid:1", "resource": body}, {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Patient", "id": "2"}}]});
    let theirs = json!({"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/9"}, "onsetDateTime": "2020-01-01T10:00:00Z",
        "code": {"coding": [{"system": "a", "code": "1"}, {"system": "b", "code": "2"}]}});
    for (body, agreed, differing) in [
        // Order of a list, and the zone in which a moment is told, say nothing.
        (
            json!({"resourceType": "Condition", "id": "y", "subject": {"reference": "urn:uuid:2"}, "onsetDateTime": "2020-01-01T11:00:00+01:00",
                "code": {"coding": [{"system": "b", "code": "2"}, {"system": "a", "code": "1"}]}}),
            7,
            vec![],
        ),
        // A code under the other's system is two differences; what one side alone has is one.
        (
            json!({"resourceType": "Condition", "subject": {"reference": "urn:uuid:1"}, "onsetDateTime": "2020-01-01T10:00:00+01:00",
                "code": {"coding": [{"system": "a", "code": "2"}], "text": "t"}}),
            2,
            vec![
                "code.coding.code",
                "code.coding.code",
                "code.coding.system",
                "code.text",
                "onsetDateTime",
                "subject.reference",
            ],
        ),
    ] {
        let found = compare(&theirs, &ours(body));
        let mut paths: Vec<_> = found
            .differences
            .iter()
            .map(|one| one.path.as_str())
            .collect();
        paths.sort_unstable();
        assert_eq!((found.agreed.len(), paths), (agreed, differing));
    }
}
