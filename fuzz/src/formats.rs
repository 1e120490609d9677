//! Documents.

use medibloc_format_cda::Cda;
use medibloc_format_fhir::FhirJson;
use medibloc_record::{EntryOutcome, Format, Kind, Record, Timestamp};

fn read(format: &dyn Format, data: &[u8]) {
    let _guess = format.sniff(data);
    let Ok(draft) = format.read(data) else {
        return;
    };
    assert_eq!(draft.original, data, "the original is kept byte for byte");
    assert_eq!(draft.fhir["resourceType"], "Bundle");
    for line in &draft.loss.entries {
        assert!(line.span.0 <= line.span.1 && line.span.1 <= data.len() as u64);
        if line.outcome == EntryOutcome::Lost {
            assert!(line.because.is_some(), "what is lost says why");
        }
    }
    let _outcome = draft.loss.to_operation_outcome();
    if !data.is_empty() {
        Record::normalise(draft, Kind::Own, Timestamp(1)).expect("a draft of bytes is a record");
    }
}

/// CDA documents.
pub fn cda(data: &[u8]) {
    read(&Cda, data);
}

/// FHIR JSON.
pub fn fhir(data: &[u8]) {
    read(&FhirJson, data);
}
