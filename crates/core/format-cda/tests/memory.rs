//! Documents made to be large take no more memory than so many times their bytes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and tells its figure"
)]

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

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

/// A document of one section.
fn document(text: &str, entries: impl Iterator<Item = String>) -> String {
    let entries: String = entries.collect();
    format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.3"/><effectiveTime value="20240101"/><component><structuredBody><component><section><code code="30954-2" codeSystem="2.16.840.1.113883.6.1"/>{text}{entries}</section></component></structuredBody></component></ClinicalDocument>"#
    )
}

fn observation(inside: &str) -> String {
    format!(
        r#"<entry><observation classCode="OBS" moodCode="EVN">{inside}<code code="718-7" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/></observation></entry>"#
    )
}

/// What the allocator keeps of one document is counted for the next, too, so they grow.
///
/// With a tree of `serde_json` they took 24, 52 and 77 times their bytes, in this order.
#[test]
fn a_document_takes_no_more_memory_than_so_many_times_its_bytes() {
    let told = "word ".repeat(2_000);
    let pointing = |at: usize| {
        observation(&format!(
            r##"<id root="1.2.5" extension="{at}"/><text><reference value="#t"/></text>"##
        ))
    };
    let speaking = |at: usize| observation(&format!("<text>word {at}</text>"));
    let documents = [
        (
            "empty entries",
            document("", (0..60_000).map(|_| "<entry/>".to_owned())),
            23,
        ),
        (
            "statements that point to one text",
            document(
                &format!(r#"<text><content ID="t">{told}</content></text>"#),
                (0..4_000).map(pointing),
            ),
            36,
        ),
        (
            "statements with a text each",
            document("", (0..8_000).map(speaking)),
            38,
        ),
    ];
    // The program's own pages, which come with its first document, are none of a document's.
    let first = document("<text>word</text>", core::iter::once(observation("")));
    drop(Cda.read(first.as_bytes()).unwrap());
    let Some(begin) = count_anew() else {
        println!("SKIPPED memory: no /proc/self/clear_refs");
        return;
    };
    for (what, document, most_times) in documents {
        count_anew().unwrap();
        let draft = Cda.read(document.as_bytes()).unwrap();
        let took = most().unwrap() - begin;
        drop(draft);
        let times = took / document.len() as u64;
        println!("memory: {what}: {times} times {} bytes", document.len());
        assert!(times < most_times, "{what}: {times} times its bytes");
    }
}
