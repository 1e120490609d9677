//! What of a lost home came back from the notes that it left, and what did not.

use medibloc_journey::{Noted, RestoreReport, counted};
use serde_json::{Value, json};

use super::find;

/// For programs.
pub(crate) fn value(noted: &Noted) -> Value {
    json!({
        "labels": noted.labels, "person": noted.person, "confirmed": noted.confirmed, "consents": noted.consents,
        "last": noted.last.map(find::moment), "faults": noted.faults,
    })
}

/// For people.
pub(crate) fn lines(report: &RestoreReport) -> Vec<String> {
    let noted = &report.noted;
    let mut lines = Vec::new();
    if let Some(last) = noted.last {
        let person = match noted.person {
            true => "who the owner is, ",
            false => "",
        };
        lines.push(format!(
            "came back from notes: {person}{}, {}, the terms of {}; the newest of them is of {}, and what was said after \
             that was not noted, or is withheld",
            counted(noted.labels, "label"),
            counted(noted.confirmed, "confirmed record"),
            counted(noted.consents, "consent"),
            find::moment(last),
        ));
    }
    lines.extend(noted.faults.iter().cloned());
    if report.unknown_reads > 0 {
        lines.push(format!(
            "{} of the chain by this phrase without a note: purpose and end are not known, and no proof file can be made",
            counted(report.unknown_reads, "read")
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use medibloc_record::Timestamp;

    use super::*;

    #[test]
    fn what_came_back_is_told_and_so_is_what_did_not() {
        assert_eq!(lines(&RestoreReport::default()), Vec::<String>::new());
        let mut report = RestoreReport {
            unknown_reads: 2,
            ..RestoreReport::default()
        };
        report.noted = Noted {
            labels: 3,
            person: true,
            consents: 1,
            last: Some(Timestamp(0)),
            faults: vec!["nothing was taken of note 3".into()],
            ..Noted::default()
        };
        let told = lines(&report).join("\n");
        for part in [
            "3 labels",
            "who the owner is",
            "0 confirmed records",
            "terms of 1 consent;",
            "1970-01-01",
            "nothing was taken of note 3",
            "2 reads of the chain by this phrase without a note",
            "not known",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(value(&report.noted)["labels"], 3);
    }
}
