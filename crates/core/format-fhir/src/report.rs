//! What became of a document: a line for each entry, and for each element that is not as R4 has it.

use std::collections::HashMap;

use medibloc_record::{EntryOutcome, LossEntry, LossReport};
use serde_json::Value;

use crate::definition::{Definitions, Release};
use crate::note::Note;

/// Everything is kept as it is; what no program will read is told.
pub(crate) fn report(tree: &Value, length: usize, notes: &[Note]) -> LossReport {
    let r4 = Definitions::of(Release::R4);
    let mut report = LossReport {
        sections: vec![String::new()],
        ..LossReport::default()
    };
    let entries = tree.get("entry").and_then(Value::as_array);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let resource = entry.get("resource").unwrap_or(&Value::Null);
        let text = |key: &str| resource.get(key).and_then(Value::as_str);
        let kind = text("resourceType");
        let name = u32::try_from(at).unwrap_or(u32::MAX);
        report.names.push(format!("Bundle.entry[{at}]"));
        let because = match kind {
            Some(kind) if r4.is_resource(kind) => None,
            Some(_) => Some("FHIR R4 has no resource of this type"),
            // Entries of requests, answers and searches need none.
            None if resource.is_null()
                && (entry.get("request").is_some() || entry.get("response").is_some()) =>
            {
                None
            }
            None if resource.is_null() => Some("the entry holds no resource"),
            None => Some("the entry's resource does not say its type"),
        };
        let place = because.is_none().then(|| {
            let id = text("id").unwrap_or_default();
            report
                .resources
                .push(format!("{}/{id}", kind.unwrap_or("Bundle.entry")));
            u32::try_from(report.resources.len() - 1).unwrap_or(u32::MAX)
        });
        report.entries.push(LossEntry {
            outcome: if because.is_none() {
                EntryOutcome::Converted
            } else {
                EntryOutcome::Lost
            },
            section: 0,
            name,
            within: None,
            span: (0, length as u64),
            resource: place,
            element: "".into(),
            because: because.map(Into::into),
        });
    }
    let entry_of: Vec<Option<u32>> = report.entries.iter().map(|line| line.resource).collect();
    let mut names: HashMap<&str, u32> = HashMap::new();
    for note in notes {
        let name = *names.entry(&note.name).or_insert_with(|| {
            report.names.push(note.name.clone());
            u32::try_from(report.names.len() - 1).unwrap_or(u32::MAX)
        });
        let entry = note.entry.filter(|at| *at < entry_of.len());
        report.entries.push(LossEntry {
            outcome: note.outcome,
            section: 0,
            name,
            within: entry.and_then(|at| u32::try_from(at).ok()),
            span: (0, length as u64),
            resource: entry.and_then(|at| entry_of.get(at).copied().flatten()),
            element: note.element.clone().into(),
            because: note.because.map(Into::into),
        });
    }
    report
}
