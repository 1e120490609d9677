//! A document that is almost all empty members is refused before it takes memory; a long real one is read.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use medibloc_format_fhir::{FhirJson, FhirXml};
use medibloc_record::{Format as _, FormatProblem};

const LONG: usize = 32 << 20;

/// An observation as laboratories send it, with no space in it.
const REAL: &str = concat!(
    r#"{"fullUrl":"urn:uuid:2c0c1a0e-7d0b-4c2f-9a55-1f1d7c2f9f10","resource":{"resourceType":"Observation","status":"final","#,
    r#""category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"laboratory"}]}],"#,
    r#""code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}],"text":"K"},"#,
    r#""subject":{"reference":"Patient/1"},"effectiveDateTime":"2026-03-01","valueQuantity":{"value":4.10,"unit":"mmol/L"},"#,
    r#""referenceRange":[{"low":{"value":3.5,"unit":"mmol/L"},"high":{"value":5.1,"unit":"mmol/L"}}]}}"#,
);

/// From here on the most memory is counted anew (proc(5), `clear_refs`).
fn count_anew() -> Option<u64> {
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    most()
}

/// The most memory that this process had, in bytes.
fn most() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes << 10)
}

/// A bundle of so many bytes of one entry, again and again.
fn bundle(entry: &str) -> String {
    let entries = format!("{entry},").repeat(LONG / (entry.len() + 1)) + entry;
    format!(r#"{{"resourceType":"Bundle","type":"collection","entry":[{entries}]}}"#)
}

#[test]
fn a_document_takes_no_more_memory_than_a_bound() {
    if count_anew().is_none() {
        println!("SKIPPED memory: no /proc/self/clear_refs");
        return;
    }
    for unit in ["[1]", r#"{"":0}"#, "[]", "{}", "1", r#"[["","\\\"[",""]]"#] {
        let bomb = bundle(unit);
        let before = count_anew().unwrap();
        let refused = FhirJson.read(bomb.as_bytes()).unwrap_err();
        let took = most().unwrap() - before;
        let is_too_large = matches!(refused.problem, FormatProblem::TooLarge(_));
        assert!(is_too_large, "{unit}: {refused}");
        assert!(took < 1 << 20, "{unit}: {took} bytes before it was refused");
    }
    for unit in ["<a/>", "<a><a/></a>", "<entry/>"] {
        let elements = unit.repeat(LONG / unit.len());
        let bomb = format!(r#"<Bundle xmlns="http://hl7.org/fhir">{elements}</Bundle>"#);
        let before = count_anew().unwrap();
        let refused = FhirXml.read(bomb.as_bytes()).unwrap_err();
        let took = most().unwrap() - before;
        let is_too_large = matches!(refused.problem, FormatProblem::TooLarge(_));
        assert!(is_too_large, "{unit}: {refused}");
        assert!(took < 1 << 20, "{unit}: {took} bytes before it was refused");
    }
    let real = bundle(REAL);
    let before = count_anew().unwrap();
    let draft = FhirJson.read(real.as_bytes()).unwrap();
    assert!(draft.fhir["entry"].as_array().unwrap().len() > 30_000);
    let times = (most().unwrap() - before) / LONG as u64;
    println!("ATTACK sixth-2: refused unread; a real one took {times} times its bytes");
    assert!(times < 32, "{times} times the bytes of a real document");
}
