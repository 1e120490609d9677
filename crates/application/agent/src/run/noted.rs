//! What of a lost home came back from the notes that it left, and what did not.

use std::collections::BTreeSet;

use medibloc_journey::{Noted, Party, RestoreReport, counted};
use serde_json::{Value, json};

use super::find;
use crate::Problem;

/// For programs.
pub(crate) fn value(noted: &Noted) -> Value {
    json!({
        "labels": noted.labels, "person": noted.person, "confirmed": noted.confirmed, "consents": noted.consents,
        "pairings": noted.pairings, "last": noted.last.map(find::moment), "faults": noted.faults,
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
            "came back from notes: {person}{}, {}, {}, the terms of {}; the newest of them is of {}, and what was said after \
             that was not noted, or is withheld",
            counted(noted.pairings, "pairing"),
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

/// Whom a restored home knows, for people: a pairing of after the last sync, without a consent, stands on no chain and in no note.
pub(crate) fn known(contacts: &[String], owners: &[String]) -> String {
    let known: Vec<&str> = contacts.iter().chain(owners).map(String::as_str).collect();
    let known = match known.is_empty() {
        true => "nobody".to_owned(),
        false => known.join(", "),
    };
    format!(
        "known here by notes, and by consents that were given or held: {known}; whoever was paired after the last sync of the home \
         before is not known here any more: pair anew (`medibloc contact invite`)"
    )
}

/// The names of contacts, and owners, that a home knows.
pub(crate) fn known_of(party: &Party) -> Result<(Vec<String>, Vec<String>), Problem> {
    let called = party.names()?;
    let contacts = party.contacts()?;
    let contacts: BTreeSet<String> = contacts.iter().map(|it| called.contact(it)).collect();
    let mut owners = BTreeSet::new();
    for patron in party.patrons()? {
        owners.insert(find::owner(party, patron.owner)?);
    }
    let owners = owners.iter().map(|owner| format!("owner {owner}"));
    Ok((contacts.into_iter().collect(), owners.collect()))
}

#[cfg(test)]
mod tests {
    use medibloc_record::Timestamp;

    use super::*;

    #[test]
    fn a_restored_home_says_whom_it_knows() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        for (contacts, owners, told) in [
            (names(&[]), names(&[]), "held: nobody; whoever was"),
            (
                names(&["A", "B"]),
                names(&["owner C"]),
                "held: A, B, owner C; whoever was",
            ),
        ] {
            let line = known(&contacts, &owners);
            assert!(line.contains(told), "{line}");
            assert!(line.contains("`medibloc contact invite`"), "{line}");
        }
    }

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
