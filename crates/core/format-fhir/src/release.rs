//! Which release of FHIR a tree is of: what it says, else which one has its elements.

use serde_json::{Map, Value};

use crate::definition::{Definitions, Kind, Release};

/// An element that a release does not have, or not in this form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Misfit<'t> {
    /// The entry of the bundle that it stands in.
    pub(crate) entry: Option<usize>,
    /// The type that does not have it.
    pub(crate) of: &'static str,
    pub(crate) name: &'t str,
}

/// The release: as the resource says it, else the one with fewer misfits, else R4.
pub(crate) fn release_of(tree: &Value) -> Release {
    let mut said = std::iter::once(tree).chain(resources(tree));
    if let Some(release) = said.find_map(says) {
        return release;
    }
    let many = |release| {
        let looking = Looking::through(Definitions::of(release), tree);
        looking.found.len() + looking.foreign
    };
    match many(Release::R4) {
        0 => Release::R4,
        of_r4 if many(Release::R5) < of_r4 => Release::R5,
        _ => Release::R4,
    }
}

/// The resources in the entries of a bundle.
pub(crate) fn resources(tree: &Value) -> impl Iterator<Item = &Value> {
    let entries = tree.get("entry").and_then(Value::as_array);
    let entries = entries.into_iter().flatten();
    entries.filter_map(|entry| entry.get("resource"))
}

/// `fhirVersion`, or the version of a profile of the core specification.
fn says(resource: &Value) -> Option<Release> {
    let release = |version: &str| match version.as_bytes() {
        [b'4', b'.', b'0' | b'3', ..] => Some(Release::R4),
        [b'5', b'.', b'0', ..] => Some(Release::R5),
        _ => None,
    };
    let version = resource.get("fhirVersion").and_then(Value::as_str);
    let profiles = resource.pointer("/meta/profile").and_then(Value::as_array);
    let mut profiles = profiles.into_iter().flatten().filter_map(Value::as_str);
    version.and_then(release).or_else(|| {
        profiles.find_map(|profile| {
            let (url, version) = profile.split_once('|')?;
            let is_core = url.starts_with("http://hl7.org/fhir/StructureDefinition/");
            is_core.then(|| release(version)).flatten()
        })
    })
}

/// The elements of a tree that a release does not have, outermost only. Resources of unknown types are not looked into.
pub(crate) fn misfits<'t>(definitions: &'static Definitions, tree: &'t Value) -> Vec<Misfit<'t>> {
    Looking::through(definitions, tree).found
}

struct Looking<'t> {
    definitions: &'static Definitions,
    entry: Option<usize>,
    found: Vec<Misfit<'t>>,
    /// Resources of types that the release does not have.
    foreign: usize,
}

impl<'t> Looking<'t> {
    fn through(definitions: &'static Definitions, tree: &'t Value) -> Self {
        let mut this = Self {
            definitions,
            entry: None,
            found: Vec::new(),
            foreign: 0,
        };
        this.resource(tree, true);
        this
    }

    /// Recursion is bounded: readers of JSON stop at 128 levels.
    fn resource(&mut self, tree: &'t Value, is_first: bool) {
        let name = tree.get("resourceType").and_then(Value::as_str);
        let of = name.and_then(|name| self.definitions.resource(name));
        match (tree.as_object(), of) {
            (Some(map), Some(of)) => self.object(map, of, is_first),
            _ => self.foreign += 1,
        }
    }

    fn object(&mut self, map: &'t Map<String, Value>, of: &'static str, is_first: bool) {
        let is_resource = self.definitions.is_resource(of);
        for (member, value) in map {
            if is_resource && member == "resourceType" {
                continue;
            }
            let name = member.strip_prefix('_').unwrap_or(member);
            let Some(element) = self.definitions.element(of, name) else {
                if name == member || !map.contains_key(name) {
                    self.misfit(of, name);
                }
                continue;
            };
            let kind = match name == member {
                true => element.kind,
                false => Kind::Type("Element"),
            };
            match value {
                Value::Array(all) if element.many => {
                    for (at, one) in all.iter().enumerate() {
                        if is_first && of == "Bundle" && name == "entry" {
                            self.entry = Some(at);
                        }
                        self.value(one, kind, of, name);
                    }
                    if is_first {
                        self.entry = None;
                    }
                }
                Value::Array(_) => self.misfit(of, name),
                _ if element.many => self.misfit(of, name),
                one => self.value(one, kind, of, name),
            }
        }
    }

    fn value(&mut self, value: &'t Value, kind: Kind, of: &'static str, name: &'t str) {
        match (value, kind) {
            (Value::Object(map), Kind::Type(kind)) => self.object(map, kind, false),
            (Value::Object(_), Kind::Resource) => self.resource(value, false),
            // Of an array, the place of one that is in the other array.
            (Value::Null, _)
            | (Value::String(_), Kind::Text | Kind::Xhtml)
            | (Value::Number(_), Kind::Number)
            | (Value::Bool(_), Kind::Flag) => {}
            _ => self.misfit(of, name),
        }
    }

    fn misfit(&mut self, of: &'static str, name: &'t str) {
        let entry = self.entry;
        self.found.push(Misfit { entry, of, name });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_release_is_what_is_said_and_else_what_fits() {
        let encounter = |class: Value| json!({"resourceType": "Encounter", "class": class, "status": "planned"});
        let r5 = encounter(json!([{"coding": [{"code": "AMB"}]}]));
        for (tree, release) in [
            (encounter(json!({"code": "AMB"})), Release::R4),
            (r5.clone(), Release::R5),
            (
                json!({"resourceType": "Bundle", "entry": [{"resource": r5}]}),
                Release::R5,
            ),
            (json!({"resourceType": "DeviceUsage"}), Release::R5),
            (json!({"resourceType": "Patient", "foo": 1}), Release::R4),
            (
                json!({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}),
                Release::R5,
            ),
            (
                json!({"resourceType": "Patient", "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/Patient|5.0.0"]}}),
                Release::R5,
            ),
            (
                json!({"resourceType": "Patient", "meta": {"profile": ["http://example.org/p|5.0.0"]}}),
                Release::R4,
            ),
        ] {
            assert_eq!(release_of(&tree), release, "{tree}");
        }
    }

    #[test]
    fn what_a_release_does_not_have_is_found_where_it_begins() {
        let tree = json!({"resourceType": "Bundle", "entry": [
            {"resource": {"resourceType": "Patient", "gender": "male", "foo": {"bar": 1}, "name": [{"given": [null, "A"], "_given": [{"id": "x"}, null]}]}},
            {"resource": {"resourceType": "Observation", "component": [{"valueQuantity": {"value": "1"}}], "_status": {"x": 1}}},
            {"resource": {"resourceType": "Foo", "x": 1}},
        ]});
        let found = misfits(Definitions::of(Release::R4), &tree);
        let found: Vec<_> = found.iter().map(|it| (it.entry, it.of, it.name)).collect();
        assert_eq!(
            found,
            [
                (Some(0), "Patient", "foo"),
                (Some(1), "Quantity", "value"),
                (Some(1), "Element", "x"),
            ]
        );
    }
}
