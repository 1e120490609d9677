//! Values of R5 in the types of R4.

use serde_json::{Map, Value};

use super::r4;
use crate::definition::Kind;
use crate::xml::number;

/// How a value becomes one of another type.
#[derive(Clone, Copy)]
pub(super) enum Change {
    Same,
    /// Its elements change, from those of a type of R5 to those of one of R4.
    Inside(&'static str, &'static str),
    /// A part of it is all of it.
    Taken(fn(&Value) -> Option<Value>),
}

pub(super) fn change(was: Kind, now: Kind) -> Option<Change> {
    Some(match (was, now) {
        (Kind::Type("CodeableConcept"), Kind::Type("Coding")) => Change::Taken(coding),
        (Kind::Type("CodeableConcept"), Kind::Text) => Change::Taken(code),
        (Kind::Type("Identifier"), Kind::Text) => Change::Taken(|one| only(one, "value").cloned()),
        (Kind::Type(of), Kind::Type("CodeableConcept")) if of.contains('.') => {
            Change::Taken(|one| only(one, "language").cloned())
        }
        (Kind::Type(old), Kind::Type(new)) if old == new || is_group(old, new) => {
            Change::Inside(old, new)
        }
        (Kind::Type(_), _) | (_, Kind::Type(_)) => return None,
        (Kind::Text, Kind::Number) => Change::Taken(|one| number(one.as_str()?)),
        (was, now) if was == now => Change::Same,
        _ => return None,
    })
}

/// Elements with elements of their own on both sides, whose parts are looked at one by one.
fn is_group(old: &str, new: &str) -> bool {
    new.contains('.') && (old.contains('.') || old == "ExtendedContactDetail")
}

/// The one member of an object, if it has this name.
pub(super) fn only<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get(name)
}

fn coding(concept: &Value) -> Option<Value> {
    match only(concept, "coding")?.as_array()?.as_slice() {
        [coding] => Some(coding.clone()),
        _ => None,
    }
}

fn code(concept: &Value) -> Option<Value> {
    let coding = coding(concept)?;
    let map = coding.as_object()?;
    let is_known = |name: &String| matches!(name.as_str(), "system" | "code" | "display");
    let code = map.keys().all(is_known).then(|| map.get("code"))??;
    code.is_string().then(|| code.clone())
}

/// CodeableReferences as concepts and references, each under the name that R4 has for it, if each is one of both.
pub(super) fn split(
    value: Value,
    of: &'static str,
    leaf: &str,
) -> Result<Vec<(String, Value)>, Value> {
    let taken = match &value {
        Value::Array(all) => both(all, of, leaf),
        one => both(core::slice::from_ref(one), of, leaf),
    };
    taken.ok_or(value)
}

fn both(all: &[Value], of: &'static str, leaf: &str) -> Option<Vec<(String, Value)>> {
    let mut out: Map<String, Value> = Map::new();
    for one in all {
        let endings: [(&str, &str, &[&str]); 2] = [
            (
                "concept",
                "CodeableConcept",
                &["", "CodeableConcept", "Code"],
            ),
            ("reference", "Reference", &["", "Reference", "Detail"]),
        ];
        let (value, kind, endings) = endings
            .iter()
            .find_map(|(name, kind, endings)| Some((only(one, name)?, *kind, *endings)))?;
        let (name, many) = endings.iter().find_map(|ending| {
            let name = format!("{leaf}{ending}");
            let now = r4().element(of, &name)?;
            (now.kind == Kind::Type(kind)).then_some((name, now.many))
        })?;
        match (out.get_mut(&name), many) {
            (Some(Value::Array(there)), true) => there.push(value.clone()),
            (Some(_), _) => return None,
            (None, true) => {
                out.insert(name, vec![value.clone()].into());
            }
            (None, false) => {
                out.insert(name, value.clone());
            }
        }
    }
    // Two kinds of a choice, of which R4 holds one.
    let is_choice = |name: &String| r4().element(of, name).is_some_and(|one| !one.many);
    (out.len() < 2 || !out.keys().any(is_choice)).then(|| out.into_iter().collect())
}
