//! What a bundle is about, where its first resource does not say it: a laboratory's bundle has no title of its own.

use medibloc_record::each_resource;
use serde_json::Value;

/// Letters of a title that is put together.
const MOST: usize = 200;
/// Codes that a title names.
const CODES: usize = 3;
/// Letters of a date (FHIR R4, section 2.24.0.1: instant with fractions and offset).
const MOST_DATE: usize = 40;

/// Resources that say who and where and not what a document is about.
const BESIDE: [&str; 8] = [
    "Composition",
    "Patient",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Encounter",
    "Location",
    "Device",
];

fn resources(bundle: &Value) -> impl Iterator<Item = &Value> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| &entry["resource"])
}

/// The resources of a type.
fn of_type<'a>(bundle: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    resources(bundle).filter(move |resource| resource["resourceType"] == kind)
}

/// A CodeableConcept in words.
fn words(concept: &Value) -> Option<&str> {
    let codings = concept["coding"].as_array().into_iter().flatten();
    let displays = codings.filter_map(|coding| coding["display"].as_str());
    let mut all = concept["text"].as_str().into_iter().chain(displays);
    all.find(|text| !text.trim().is_empty())
}

/// The titles of the compositions, else that of the first resource, else DiagnosticReport.code, else the kind and the codes of the
/// other resources.
pub(crate) fn title(bundle: &Value) -> Option<String> {
    let first = || bundle.pointer("/entry/0/resource")?["title"].as_str();
    let report = || of_type(bundle, "DiagnosticReport").find_map(|it| words(&it["code"]));
    let title = match of_compositions(bundle) {
        Some(titles) => titles,
        None => match first().or_else(report) {
            Some(title) => title.to_owned(),
            None => put_together(bundle)?,
        },
    };
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = title.chars().take(MOST).collect();
    (!title.is_empty()).then_some(title)
}

/// What the compositions of a bundle are called: none hides the others.
fn of_compositions(bundle: &Value) -> Option<String> {
    let mut all = Vec::new();
    each_resource(bundle, &mut |resource, _| {
        if resource["resourceType"] == "Composition" {
            all.push(resource["title"].as_str());
        }
    });
    let many = all.len();
    let titles = all.into_iter().flatten();
    let titles = titles.filter(|title| !title.trim().is_empty()).take(CODES);
    // Cut one by one: a long first title leaves room for what follows.
    let titles = titles.map(|title| match many {
        1 => title.to_owned(),
        _ => title.chars().take(MOST / (CODES + 1)).collect(),
    });
    let titles: Vec<String> = titles.collect();
    match many - titles.len() {
        _ if titles.is_empty() => None,
        0 => Some(titles.join(", ")),
        more => Some(format!("{} and {more} more", titles.join(", "))),
    }
}

fn put_together(bundle: &Value) -> Option<String> {
    let is_about = |resource: &&Value| {
        let kind = resource["resourceType"].as_str();
        kind.is_some_and(|kind| !BESIDE.contains(&kind))
    };
    let first = resources(bundle).find(is_about)?;
    let kind = first["resourceType"].as_str()?;
    let categories = first["category"].as_array().into_iter().flatten();
    let kind = categories.filter_map(words).next().unwrap_or(kind);
    let mut codes: Vec<&str> = Vec::new();
    for resource in resources(bundle).filter(is_about) {
        let named = words(&resource["code"]);
        let named = named.or_else(|| words(&resource["medicationCodeableConcept"]));
        let named = named.or_else(|| words(&resource["vaccineCode"]));
        codes.extend(named.filter(|named| !codes.contains(named)));
    }
    let more = codes.len().saturating_sub(CODES);
    codes.truncate(CODES);
    Some(match (codes.as_slice(), more) {
        ([], _) => kind.to_owned(),
        (codes, 0) => format!("{kind}: {}", codes.join(", ")),
        (codes, more) => format!("{kind}: {} and {more} more", codes.join(", ")),
    })
}

/// Where a resource says of when it is.
const WHEN: [&str; 25] = [
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "effectiveTiming",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "occurrenceTiming",
    "onsetDateTime",
    "onsetPeriod",
    "started",
    "period",
    "servicedDate",
    "servicedPeriod",
    "billablePeriod",
    "whenHandedOver",
    "authoredOn",
    "recordedDate",
    "dateAsserted",
    "issued",
    "date",
    "created",
    "createdDateTime",
    "dateTime",
];

/// Of these the ones that say when it was written, ordered or indexed: they count where nothing says when it was.
const WHEN_WRITTEN: [&str; 7] = [
    "authoredOn",
    "recordedDate",
    "dateAsserted",
    "issued",
    "date",
    "created",
    "dateTime",
];

/// Where else a resource says when it was, or when what it holds was: an indexed scan, a service that is claimed.
const WITHIN: [&str; 18] = [
    "abatementDateTime",
    "abatementPeriod",
    "lastOccurrence",
    "whenPrepared",
    "createdPeriod",
    "context.period",
    "content.attachment.creation",
    "content.creation",
    "presentedForm.creation",
    "series.started",
    "item.servicedDate",
    "item.servicedPeriod",
    "addItem.servicedDate",
    "addItem.servicedPeriod",
    "procedure.date",
    "supportingInfo.timingDate",
    "supportingInfo.timingPeriod",
    "payload.contentAttachment.creation",
];

/// Kinds that stand beside others and are of their time.
const OF_NO_TIME: [&str; 12] = [
    "Bundle",
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Device",
    "Specimen",
    "Medication",
    "Provenance",
    "OperationOutcome",
];

/// When a bundle is of: a document of its composition's date, anything else of the dates of all that is in it, said as exactly as
/// it is true of all (a day, a month, a year). None if they are of several years, or if something says no date: a consent to some
/// time then gives nothing of another.
pub(crate) fn written(bundle: &Value) -> Option<String> {
    let mut all = Vec::new();
    each_resource(bundle, &mut |resource, is_contained| {
        all.push((resource, is_contained));
    });
    let is_composition = |resource: &Value| resource["resourceType"] == "Composition";
    let has = |is_one: &dyn Fn(&Value) -> bool| all.iter().any(|(resource, _)| is_one(resource));
    let is_document = bundle["type"] == "document" && has(&is_composition);
    let has_report = has(&|resource| resource["resourceType"] == "DiagnosticReport");
    let mut dates = Vec::new();
    for (resource, is_contained) in &all {
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        if is_document && kind != "Composition" || OF_NO_TIME.contains(&kind) {
            continue;
        }
        let before = dates.len();
        dates.extend(dates_of(resource));
        // A visit, what a report has and what is contained are of the time of what they stand with.
        let is_with = kind == "Encounter" || kind == "Observation" && has_report || *is_contained;
        if dates.len() == before && !is_with {
            return None;
        }
    }
    let mut all = dates.into_iter();
    let first = all.next().filter(|date| date.len() <= MOST_DATE)?;
    let common = all.try_fold(first, in_common)?;
    Some(common.to_owned())
}

/// When one resource is of, with the end of a period and all that a `Timing` counts up: all that says when it was, or the first that says
/// when it was written.
fn dates_of(resource: &Value) -> Vec<&str> {
    let of = |name: &&str| {
        let when = &resource[*name];
        let bounds = &when["repeat"]["boundsPeriod"];
        let all = [
            when,
            &when["start"],
            &when["end"],
            &bounds["start"],
            &bounds["end"],
        ];
        let events = when["event"].as_array().into_iter().flatten();
        let all: Vec<&str> = all
            .into_iter()
            .chain(events)
            .filter_map(Value::as_str)
            .collect();
        (!all.is_empty()).then_some(all)
    };
    let was = WHEN.iter().filter(|name| !WHEN_WRITTEN.contains(name));
    let mut all: Vec<&str> = was.filter_map(of).flatten().collect();
    for when in WITHIN.iter().flat_map(|path| at(resource, path)) {
        let dates = [when, &when["start"], &when["end"]];
        all.extend(dates.into_iter().filter_map(Value::as_str));
    }
    if all.is_empty() {
        all = WHEN_WRITTEN.iter().find_map(of).unwrap_or_default();
    }
    all
}

/// What stands at a path, in each item of the lists on it.
fn at<'v>(resource: &'v Value, path: &str) -> Vec<&'v Value> {
    path.split('.').fold(vec![resource], |outer, name| {
        let inner = outer.into_iter().map(|one| &one[name]);
        let items = inner.flat_map(|one| {
            one.as_array()
                .map_or(core::slice::from_ref(one), Vec::as_slice)
        });
        items.filter(|one| !one.is_null()).collect()
    })
}

/// What is true of two dates: their day, month or year, as the first one writes it.
fn in_common<'d>(one: &'d str, other: &str) -> Option<&'d str> {
    if one == other {
        return Some(one);
    }
    let same = |most: usize| {
        let (one, other) = (one.get(..most)?, other.get(..most)?);
        (one == other).then_some(one)
    };
    same(10).or_else(|| same(7)).or_else(|| same(4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_without_a_title_is_called_by_what_is_in_it() {
        let patient = json!({"resourceType": "Patient", "id": "p"});
        let observation = |name: &str| {
            json!({"resourceType": "Observation", "code": {"text": name},
            "category": [{"coding": [{"display": "Laboratory"}]}], "effectiveDateTime": "2026-01-31T08:00:00+01:00"})
        };
        let report = json!({"resourceType": "DiagnosticReport", "issued": "2026-02-01T00:00:00Z",
            "code": {"coding": [{"code": "x"}, {"display": "Lipid panel"}]}});
        let composition =
            json!({"resourceType": "Composition", "title": " Discharge\n letter ", "date": "2026"});
        let a1c = "Hemoglobin A1c";
        for (resources, title_of, written_of) in [
            (
                vec![&patient, &observation(a1c), &report, &composition],
                Some("Discharge letter"),
                Some("2026"),
            ),
            (
                vec![&patient, &observation(a1c), &report],
                Some("Lipid panel"),
                Some("2026"),
            ),
            (
                vec![&patient, &observation(a1c), &observation(a1c)],
                Some("Laboratory: Hemoglobin A1c"),
                Some("2026-01-31T08:00:00+01:00"),
            ),
            (
                vec![
                    &observation("A"),
                    &observation("B"),
                    &observation("C"),
                    &observation("D"),
                ],
                Some("Laboratory: A, B, C and 1 more"),
                Some("2026-01-31T08:00:00+01:00"),
            ),
            (
                vec![&json!({"resourceType": "Immunization", "vaccineCode": {"text": "MMR"}})],
                Some("Immunization: MMR"),
                None,
            ),
            (vec![&json!({"resourceType": "Basic"})], Some("Basic"), None),
            (
                vec![
                    &json!({"resourceType": "Observation", "code": {"text": "Peak flow"},
                    "effectiveTiming": {"event": ["2026-01-31T08:00:00Z", "2026-01-31T20:00:00Z"]}}),
                ],
                Some("Observation: Peak flow"),
                Some("2026-01-31"),
            ),
            (
                vec![
                    &json!({"resourceType": "Observation", "code": {"text": "Peak flow"},
                    "effectiveTiming": {"event": ["2026-01-31"], "repeat": {"boundsPeriod": {"start": "2025-11-02"}}}}),
                ],
                Some("Observation: Peak flow"),
                None,
            ),
            (vec![&patient], None, None),
            (vec![&json!(7)], None, None),
        ] {
            let entries: Vec<Value> = resources
                .into_iter()
                .map(|it| json!({"resource": it}))
                .collect();
            let bundle = json!({"resourceType": "Bundle", "entry": entries});
            assert_eq!(title(&bundle).as_deref(), title_of, "{bundle}");
            assert_eq!(written(&bundle).as_deref(), written_of, "{bundle}");
        }
        let long = json!({"resourceType": "Composition", "title": "x".repeat(5_000), "date": "9".repeat(5_000)});
        let long = json!({"resourceType": "Bundle", "entry": [{"resource": long}]});
        assert_eq!(title(&long).map(|title| title.len()), Some(MOST));
        assert_eq!(written(&long), None);
    }
}
