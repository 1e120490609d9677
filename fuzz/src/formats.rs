//! Documents.

use medibloc_format_cda::Cda;
use medibloc_format_fhir::{FhirJson, FhirXml, to_xml};
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

/// FHIR JSON, and its XML as far as it has one.
pub fn fhir(data: &[u8]) {
    read(&FhirJson, data);
    if let Ok(draft) = FhirJson.read(data) {
        let _xml = to_xml(&(&draft.fhir).into());
    }
}

/// FHIR XML: what is all of FHIR R4 is the same when it is written and read again, and no text grows beyond measure.
pub fn fhir_xml(data: &[u8]) {
    read(&FhirXml, data);
    let Ok(draft) = FhirXml.read(data) else {
        return;
    };
    if draft.loss.count(EntryOutcome::Lost) > 0 {
        return;
    }
    let xml = to_xml(&(&draft.fhir).into()).expect("what came from XML has a form in XML");
    // Each element has its tags and a line of at most 33 letters of space.
    assert!(xml.len() <= 64 * data.len() + 1024);
    let again = FhirXml
        .read(xml.as_bytes())
        .expect("what was written is read");
    assert_eq!(again.fhir, draft.fhir);
}
