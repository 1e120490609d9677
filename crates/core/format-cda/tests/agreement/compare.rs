//! Two resources, element by element.

use serde_json::{Map, Value};

/// An element on which two resources do not agree.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Its path, without places in lists; an extension by the last part of its URL.
    pub(crate) path: String,
    pub(crate) theirs: Option<String>,
    pub(crate) ours: Option<String>,
}

/// What a comparison found.
pub(crate) struct Found {
    pub(crate) kind: String,
    pub(crate) agreed: Vec<String>,
    pub(crate) differences: Vec<Difference>,
}

/// Kinds that we may have in the place of a recommended one.
fn stands_for(theirs: &str, ours: &str) -> bool {
    theirs == ours || theirs == "MedicationRequest" && ours == "MedicationStatement"
}

/// Compares a recommended resource with the one of a bundle that agrees most.
pub(crate) fn compare(theirs: &Value, bundle: &Value) -> Found {
    let kind = theirs["resourceType"].as_str().unwrap_or_default();
    let entries = bundle["entry"].as_array().map_or(&[][..], Vec::as_slice);
    let kind_of = |url: &str| {
        let found = entries.iter().find(|entry| entry["fullUrl"] == url);
        let kind = found.and_then(|entry| entry["resource"]["resourceType"].as_str());
        kind.unwrap_or("nothing").to_owned()
    };
    let recommended = bare(theirs, &|url| {
        url.split('/').next().unwrap_or_default().to_owned()
    });
    let mut best: Option<Found> = None;
    for entry in entries {
        let one = &entry["resource"];
        let own = one["resourceType"].as_str().unwrap_or_default();
        if !stands_for(kind, own) {
            continue;
        }
        let mut ours = bare(one, &kind_of);
        if own == "MedicationStatement"
            && let Value::Object(map) = &mut ours
            && let Some(how) = map.remove("dosage")
        {
            map.insert("dosageInstruction".to_owned(), how);
        }
        let mut found = Found {
            kind: kind.to_owned(),
            agreed: Vec::new(),
            differences: Vec::new(),
        };
        walk("", Some(&recommended), Some(&ours), &mut found);
        if best
            .as_ref()
            .is_none_or(|best| best.agreed.len() < found.agreed.len())
        {
            best = Some(found);
        }
    }
    best.unwrap_or_else(|| {
        let mut found = Found {
            kind: kind.to_owned(),
            agreed: Vec::new(),
            differences: Vec::new(),
        };
        walk("", Some(&recommended), None, &mut found);
        found
    })
}

/// Without ids and narrative; references by the kind of what they point to.
fn bare(resource: &Value, kind_of: &dyn Fn(&str) -> String) -> Value {
    fn inner(value: &Value, kind_of: &dyn Fn(&str) -> String) -> Value {
        match value {
            Value::Object(map) => {
                let pairs = map.iter().map(|(key, value)| {
                    let value = match (key.as_str(), value) {
                        ("reference", Value::String(url)) => kind_of(url).into(),
                        _ => inner(value, kind_of),
                    };
                    (key.clone(), value)
                });
                Value::Object(pairs.collect())
            }
            Value::Array(all) => all.iter().map(|one| inner(one, kind_of)).collect(),
            other => other.clone(),
        }
    }
    let mut out = inner(resource, kind_of);
    if let Value::Object(map) = &mut out {
        map.remove("id");
        map.remove("text");
    }
    out
}

fn walk(path: &str, theirs: Option<&Value>, ours: Option<&Value>, out: &mut Found) {
    match (theirs, ours) {
        (None, None) => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let more = other.keys().filter(|key| !one.contains_key(*key));
            for key in one.keys().chain(more) {
                walk(&join(path, key), one.get(key), other.get(key), out);
            }
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => lists(path, one, other, out),
        (Some(Value::Object(map)), None) => each(path, map, |path, value| {
            walk(path, Some(value), None, out);
        }),
        (None, Some(Value::Object(map))) => each(path, map, |path, value| {
            walk(path, None, Some(value), out);
        }),
        (Some(Value::Array(all)), None) => {
            for one in all {
                walk(&named(path, one), Some(one), None, out);
            }
        }
        (None, Some(Value::Array(all))) => {
            for one in all {
                walk(&named(path, one), None, Some(one), out);
            }
        }
        (Some(one), Some(other)) if is_same(one, other) => out.agreed.push(path.to_owned()),
        (one, other) => out.differences.push(Difference {
            path: path.to_owned(),
            theirs: one.map(shown),
            ours: other.map(shown),
        }),
    }
}

fn each(path: &str, map: &Map<String, Value>, mut does: impl FnMut(&str, &Value)) {
    for (key, value) in map {
        does(&join(path, key), value);
    }
}

/// Pairs the items of two lists so that those that agree most stand together.
fn lists(path: &str, one: &[Value], other: &[Value], out: &mut Found) {
    let mut scores = Vec::new();
    for (at, left) in one.iter().enumerate() {
        for (to, right) in other.iter().enumerate() {
            let mut found = Found {
                kind: String::new(),
                agreed: Vec::new(),
                differences: Vec::new(),
            };
            walk(path, Some(left), Some(right), &mut found);
            if !found.agreed.is_empty() {
                scores.push((
                    found.agreed.len(),
                    core::cmp::Reverse(found.differences.len()),
                    at,
                    to,
                ));
            }
        }
    }
    scores.sort_by_key(|one| core::cmp::Reverse((one.0, one.1)));
    let (mut left, mut right) = (vec![false; one.len()], vec![false; other.len()]);
    for (_, _, at, to) in scores {
        if !left[at] && !right[to] {
            (left[at], right[to]) = (true, true);
            walk(
                &named(path, &one[at]),
                Some(&one[at]),
                Some(&other[to]),
                out,
            );
        }
    }
    // What agrees in nothing stands beside nothing.
    for (item, _) in one.iter().zip(left).filter(|(_, paired)| !paired) {
        walk(&named(path, item), Some(item), None, out);
    }
    for (item, _) in other.iter().zip(right).filter(|(_, paired)| !paired) {
        walk(&named(path, item), None, Some(item), out);
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// An item of a list of extensions, by its URL.
fn named(path: &str, item: &Value) -> String {
    match item["url"].as_str() {
        Some(url) if path.ends_with("xtension") => {
            format!("{path}({})", url.rsplit('/').next().unwrap_or(url))
        }
        _ => path.to_owned(),
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(words) => words.clone(),
        other => other.to_string(),
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::String(one), Value::String(other)) => {
            one == other || moment(one).is_some_and(|at| moment(other) == Some(at))
        }
        _ => one == other,
    }
}

/// Seconds of a FHIR instant since some day; none of anything else.
fn moment(text: &str) -> Option<i64> {
    let (date, time) = text.split_once('T')?;
    let cut = time.find(['Z', '+', '-'])?;
    let (clock, zone) = time.split_at(cut);
    let part = |text: &str, at: usize, by: char| -> Option<i64> {
        text.split(by).nth(at)?.split('.').next()?.parse().ok()
    };
    let (year, month, day) = (
        part(date, 0, '-')?,
        part(date, 1, '-')?,
        part(date, 2, '-')?,
    );
    let months = year * 12 + month - 1;
    let (year, month) = ((months - 2).div_euclid(12), (months - 2).rem_euclid(12));
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day;
    let seconds = part(clock, 0, ':')? * 3600 + part(clock, 1, ':')? * 60 + part(clock, 2, ':')?;
    let away = match zone {
        "Z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            sign * (part(&zone[1..], 0, ':')? * 3600 + part(&zone[1..], 1, ':')? * 60)
        }
    };
    Some(days * 86_400 + seconds - away)
}
