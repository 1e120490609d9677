//! What a bundle is about, where its first resource does not say it: a laboratory's bundle has no title of its own.

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
pub(crate) fn of_type<'a>(bundle: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    resources(bundle).filter(move |resource| resource["resourceType"] == kind)
}

/// A CodeableConcept in words.
fn words(concept: &Value) -> Option<&str> {
    let codings = concept["coding"].as_array().into_iter().flatten();
    let displays = codings.filter_map(|coding| coding["display"].as_str());
    let mut all = concept["text"].as_str().into_iter().chain(displays);
    all.find(|text| !text.trim().is_empty())
}

/// Composition.title, else DiagnosticReport.code, else the kind and the codes of the other resources.
pub(crate) fn title(bundle: &Value) -> Option<String> {
    let composition = of_type(bundle, "Composition").find_map(|it| it["title"].as_str());
    let report = || of_type(bundle, "DiagnosticReport").find_map(|it| words(&it["code"]));
    let title = match composition.or_else(report) {
        Some(title) => title.to_owned(),
        None => put_together(bundle)?,
    };
    let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
    let title: String = title.chars().take(MOST).collect();
    (!title.is_empty()).then_some(title)
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

/// Composition.date, else when a report or an observation was effective, else when it was issued.
pub(crate) fn written(bundle: &Value) -> Option<String> {
    let of = |kind: &'static str, key: &'static str| {
        of_type(bundle, kind).find_map(|it| it.pointer(key)?.as_str())
    };
    let keys = [
        "/effectiveDateTime",
        "/effectivePeriod/start",
        "/effectiveInstant",
        "/issued",
    ];
    let kinds = ["DiagnosticReport", "Observation"];
    let mut dates = kinds
        .iter()
        .flat_map(|kind| keys.iter().map(|key| of(kind, key)));
    let date = of("Composition", "/date").or_else(|| dates.find_map(|date| date))?;
    (date.len() <= MOST_DATE).then(|| date.to_owned())
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
                Some("2026-02-01T00:00:00Z"),
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
