//! FHIR R5 to R4: what has another name or form there and means the same is moved; the rest stays as R5 wrote it, with a line of
//! the report (`docs/format/fhir.md`). Nothing is guessed: what fits in part only is not taken apart.

mod fit;

use serde_json::{Map, Value};

use crate::definition::{Definitions, Element, Kind, Release};
use crate::note::Note;

/// Elements that R4 calls otherwise: type in R5, name there (a choice without its type ends with `[`), name in R4.
const NAMES: &[(&str, &str, &str)] = &[
    ("CarePlan.activity", "performedActivity", "outcome"),
    ("CarePlan.activity", "plannedActivityReference", "reference"),
    ("CareTeam.participant", "effectivePeriod", "period"),
    ("Coverage", "insurer", "payor"),
    ("Device", "name", "deviceName"),
    ("Device.name", "value", "name"),
    ("DocumentReference", "event", "context.event"),
    ("DocumentReference", "facilityType", "context.facilityType"),
    ("DocumentReference", "period", "context.period"),
    (
        "DocumentReference",
        "practiceSetting",
        "context.practiceSetting",
    ),
    ("Dosage", "asNeeded", "asNeededBoolean"),
    ("Dosage", "asNeededFor", "asNeededCodeableConcept"),
    ("Encounter", "actualPeriod", "period"),
    ("Encounter", "admission", "hospitalization"),
    (
        "Encounter",
        "dietPreference",
        "hospitalization.dietPreference",
    ),
    (
        "Encounter",
        "specialArrangement",
        "hospitalization.specialArrangement",
    ),
    (
        "Encounter",
        "specialCourtesy",
        "hospitalization.specialCourtesy",
    ),
    ("Encounter.location", "form", "physicalType"),
    ("Encounter.participant", "actor", "individual"),
    ("Immunization", "informationSource", "reportOrigin"),
    (
        "Immunization.protocolApplied",
        "doseNumber",
        "doseNumberString",
    ),
    (
        "Immunization.protocolApplied",
        "seriesDoses",
        "seriesDosesString",
    ),
    ("Immunization.reaction", "manifestation", "detail"),
    ("Location", "form", "physicalType"),
    ("Medication", "doseForm", "form"),
    ("Medication.ingredient", "strengthRatio", "strength"),
    ("MedicationAdministration", "encounter", "context"),
    ("MedicationAdministration", "occurence[", "effective["),
    ("MedicationDispense", "encounter", "context"),
    ("MedicationDispense", "notPerformedReason", "statusReason"),
    ("MedicationRequest", "reported", "reportedBoolean"),
    ("Procedure", "occurrence[", "performed["),
];

/// Codes that R4 spells otherwise.
const CODES: &[(&str, &str, &str, &str)] = &[
    ("Encounter", "status", "completed", "finished"),
    ("Encounter", "status", "on-hold", "onleave"),
];

/// Codes of R5 that R4 has no word for.
const NEW_CODES: &[(&str, &str, &str)] = &[
    ("Encounter", "status", "discharged"),
    ("Encounter", "status", "discontinued"),
    ("MedicationStatement", "status", "draft"),
    ("MedicationStatement", "status", "recorded"),
];

/// Moves all resources of a bundle to R4, as far as they have a place there.
pub(crate) fn to_r4(tree: &mut Value) -> Vec<Note> {
    let mut moving = Moving {
        entry: None,
        notes: Vec::new(),
    };
    let entries = tree.get_mut("entry").and_then(Value::as_array_mut);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        moving.entry = Some(at);
        if let Value::Object(map) = entry {
            const ENTRY: &str = "Bundle.entry";
            *map = moving.object(core::mem::take(map), ENTRY, ENTRY);
        }
    }
    moving.notes
}

fn r4() -> &'static Definitions {
    Definitions::of(Release::R4)
}

fn r5() -> &'static Definitions {
    Definitions::of(Release::R5)
}

struct Moving {
    entry: Option<usize>,
    notes: Vec<Note>,
}

impl Moving {
    /// Recursion is bounded: readers of JSON stop at 128 levels.
    fn resource(&mut self, tree: &mut Value) {
        let name = tree["resourceType"].as_str().unwrap_or_default();
        let (Some(old), Some(new)) = (r5().resource(name), r4().resource(name)) else {
            return;
        };
        if let Value::Object(map) = tree {
            *map = self.object(core::mem::take(map), old, new);
        }
    }

    fn object(
        &mut self,
        mut map: Map<String, Value>,
        old: &'static str,
        new: &'static str,
    ) -> Map<String, Value> {
        self.as_needed(&mut map, old);
        let mut out = Map::new();
        for name in map.keys().cloned().collect::<Vec<_>>() {
            let Some(mut value) = map.remove(&name) else {
                continue;
            };
            let Some(was) = r5().element(old, &name) else {
                out.insert(name, value);
                continue;
            };
            let beside = map.remove(&format!("_{name}"));
            if was.kind == Kind::Resource {
                self.inside(&mut value);
            }
            self.codes(&mut value, old, &name);
            for (name, value) in self.member(old, new, &name, was, value, beside) {
                put(&mut out, name, value);
            }
        }
        out
    }

    /// Resources inside have a type of their own.
    fn inside(&mut self, value: &mut Value) {
        match value {
            Value::Array(all) => all.iter_mut().for_each(|one| self.resource(one)),
            one => self.resource(one),
        }
    }

    fn codes(&mut self, value: &mut Value, old: &str, name: &str) {
        let code = value.as_str().unwrap_or_default();
        let is_it = |of: &str, element: &str, from: &str| (of, element, from) == (old, name, code);
        if NEW_CODES.iter().any(|(of, at, code)| is_it(of, at, code)) {
            let because = "FHIR R4 has no such code; it stays as R5 wrote it";
            self.notes.push(Note::lost(self.entry, old, name, because));
        }
        if let Some((.., to)) = CODES.iter().find(|(of, at, from, _)| is_it(of, at, from)) {
            *value = (*to).into();
            self.moved(old, name, name.to_owned());
        }
    }

    fn moved(&mut self, old: &str, name: &str, to: String) {
        self.notes.push(Note::moved(self.entry, old, name, to));
    }

    /// R4 holds one of both: a reason says that it is as needed.
    fn as_needed(&mut self, map: &mut Map<String, Value>, old: &str) {
        let reasons = map.get("asNeededFor").and_then(Value::as_array);
        let has_reason = reasons.is_some_and(|reasons| reasons.len() == 1);
        let says_so = map.get("asNeeded") == Some(&Value::Bool(true));
        if old == "Dosage" && has_reason && says_so && !map.contains_key("_asNeeded") {
            map.remove("asNeeded");
            self.moved(old, "asNeeded", "asNeededCodeableConcept".to_owned());
        }
    }

    /// One member under its name in R4, or as it was.
    fn member(
        &mut self,
        old: &'static str,
        new: &'static str,
        name: &str,
        was: Element,
        value: Value,
        beside: Option<Value>,
    ) -> Vec<(String, Value)> {
        let special = special(old, name, &value);
        let (path, given, was) = match special {
            Some((path, given, was)) => (path.to_owned(), Some(given), was),
            None => (renamed(old, name), None, was),
        };
        let (above, leaf) = match path.split_once('.') {
            Some((above, leaf)) => (Some(above), leaf),
            None => (None, path.as_str()),
        };
        let of = above.and_then(|above| match r4().element(new, above)?.kind {
            Kind::Type(kind) => Some(kind),
            _ => None,
        });
        let of = of.unwrap_or(new);
        let now = r4().element(of, leaf);
        let is_same_shape = now.is_some_and(|now| (now.many, now.kind) == (was.many, was.kind));
        let fitted = match (given, beside.is_some() && !is_same_shape) {
            (_, true) => Err(value),
            // What was taken apart goes back whole.
            (Some(given), false) => self.fit(given, was, of, leaf).map_err(|_| value),
            (None, false) => self.fit(value, was, of, leaf),
        };
        let place = |leaf: &str| match above {
            Some(above) => format!("{above}.{leaf}"),
            None => leaf.to_owned(),
        };
        let mut out = Vec::new();
        match fitted {
            Ok(fitted) => {
                for (leaf, value) in fitted {
                    if !is_same_shape || place(&leaf) != name {
                        self.moved(old, name, place(&leaf));
                    }
                    out.push((place(&leaf), value));
                }
                out.extend(beside.map(|beside| (place(&format!("_{leaf}")), beside)));
            }
            Err(value) => {
                out.push((name.to_owned(), value));
                out.extend(beside.map(|beside| (format!("_{name}"), beside)));
            }
        }
        out
    }

    /// The value in the forms of R4, or as it was if it does not fit.
    fn fit(
        &mut self,
        value: Value,
        was: Element,
        of: &'static str,
        leaf: &str,
    ) -> Result<Vec<(String, Value)>, Value> {
        if was.kind == Kind::Type("CodeableReference") {
            return fit::split(value, of, leaf);
        }
        let now = r4().element(of, leaf);
        let Some((now, change)) = now.and_then(|now| Some((now, fit::change(was.kind, now.kind)?)))
        else {
            return Err(value);
        };
        let all = match &value {
            Value::Array(all) if was.many => all.as_slice(),
            Value::Array(_) => return Err(value),
            one => core::slice::from_ref(one),
        };
        let takes = |take: fn(&Value) -> Option<Value>| all.iter().all(|one| take(one).is_some());
        let fits = !matches!(change, fit::Change::Taken(take) if !takes(take));
        if !fits || !now.many && all.len() != 1 {
            return Err(value);
        }
        let all = match value {
            Value::Array(all) => all,
            one => vec![one],
        };
        let mut all: Vec<Value> = all
            .into_iter()
            .map(|one| self.changed(one, change))
            .collect();
        let changed = match now.many {
            true => all.into(),
            false => all.pop().unwrap_or_default(),
        };
        Ok(vec![(leaf.to_owned(), changed)])
    }

    fn changed(&mut self, value: Value, change: fit::Change) -> Value {
        match (change, value) {
            (fit::Change::Inside(old, new), Value::Object(map)) => {
                Value::Object(self.object(map, old, new))
            }
            (fit::Change::Taken(take), value) => take(&value).unwrap_or(value),
            (_, value) => value,
        }
    }
}

/// The name in R4, with the element that it is in there.
fn renamed(old: &str, name: &str) -> String {
    let of_type = NAMES.iter().filter(|(of, ..)| *of == old);
    let found = of_type.into_iter().find_map(|(_, from, to)| {
        match (from.strip_suffix('['), to.strip_suffix('[')) {
            (Some(from), Some(to)) => Some(format!("{to}{}", name.strip_prefix(from)?)),
            _ => (*from == name).then(|| (*to).to_owned()),
        }
    });
    found.unwrap_or_else(|| name.to_owned())
}

/// Elements of which R4 has a part, where there is nothing but that part.
fn special(old: &str, name: &str, value: &Value) -> Option<(&'static str, Value, Element)> {
    let all = value.as_array()?;
    let element = |many, kind| Element {
        place: 0,
        many,
        kind: Kind::Type(kind),
    };
    match (old, name) {
        ("Encounter", "reason") => {
            let mut reasons = Vec::new();
            for one in all {
                reasons.extend(fit::only(one, "value")?.as_array()?.iter().cloned());
            }
            let was = element(true, "CodeableReference");
            (!reasons.is_empty()).then_some(("reason", reasons.into(), was))
        }
        ("DocumentReference", "context") => {
            let is_visit = |one: &Value| {
                let to = one["reference"].as_str().unwrap_or_default();
                to.contains("Encounter/") || to.contains("EpisodeOfCare/")
            };
            let path = match all.iter().all(is_visit) {
                true => "context.encounter",
                false => "context.related",
            };
            Some((path, value.clone(), element(true, "Reference")))
        }
        ("DocumentReference.content", "profile") => match all.as_slice() {
            [one] => {
                let format = fit::only(one, "valueCoding")?.clone();
                Some(("format", format, element(false, "Coding")))
            }
            _ => None,
        },
        _ => None,
    }
}

/// Puts a member in its place; what is there already stays.
fn put(out: &mut Map<String, Value>, path: String, value: Value) {
    let (name, value) = match path.split_once('.') {
        Some((above, leaf)) => {
            let inside = Map::from_iter([(leaf.to_owned(), value)]);
            (above.to_owned(), Value::Object(inside))
        }
        None => (path, value),
    };
    match (out.get_mut(&name), value) {
        (Some(Value::Object(there)), Value::Object(more)) => {
            for (name, value) in more {
                there.entry(name).or_insert(value);
            }
        }
        (_, value) => {
            out.insert(name, value);
        }
    }
}
