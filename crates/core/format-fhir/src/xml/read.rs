//! Elements to the members of JSON objects, by the definitions of a release.

use std::collections::HashMap;

use medibloc_record::{FormatError, FormatProblem};
use roxmltree::Node;
use serde_json::{Map, Number, Value};

use super::{FHIR, error, xhtml};
use crate::definition::{Definitions, Kind};
use crate::note::Note;

/// Deepest tree: readers of JSON stop at 128 levels, and a single resource is put into a bundle.
const MAX_LEVELS: usize = 120;

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The tree of a resource, and what is not in it.
pub(super) fn tree(
    root: Node<'_, '_>,
    definitions: &'static Definitions,
) -> Result<(Value, Vec<Note>), FormatError> {
    let mut reading = Reading {
        definitions,
        notes: Vec::new(),
        entry: None,
        levels: 0,
    };
    let tree = reading.resource(root)?;
    Ok((tree, reading.notes))
}

struct Reading {
    definitions: &'static Definitions,
    notes: Vec<Note>,
    entry: Option<usize>,
    levels: usize,
}

/// One element as JSON has it: its value, and the `id` and extensions of a primitive one.
struct Member {
    value: Option<Value>,
    beside: Option<Value>,
}

impl From<Value> for Member {
    fn from(value: Value) -> Self {
        let (value, beside) = (Some(value), None);
        Self { value, beside }
    }
}

/// All elements of one name.
struct Members<'n> {
    name: &'n str,
    is_array: bool,
    all: Vec<Member>,
}

impl Reading {
    fn note(&mut self, of: &str, name: &str, because: &'static str) {
        self.notes.push(Note::lost(self.entry, of, name, because));
    }

    fn resource(&mut self, node: Node<'_, '_>) -> Result<Value, FormatError> {
        let name = node.tag_name().name();
        let of = self.definitions.resource(name);
        let mut map = Map::new();
        map.insert("resourceType".to_owned(), name.into());
        self.elements(node, of.unwrap_or("(another resource)"), &[], &mut map)?;
        Ok(Value::Object(map))
    }

    fn deeper(&mut self, node: Node<'_, '_>, by: usize) -> Result<(), FormatError> {
        self.levels += by;
        if self.levels <= MAX_LEVELS {
            return Ok(());
        }
        let at = node.document().text_pos_at(node.range().start);
        Err(error(
            FormatProblem::TooLarge("nested too deeply to be written as JSON".to_owned()),
            format!("line {}, column {}", at.row, at.col),
            "no FHIR document nests so deep; check the file",
        ))
    }

    /// The attributes and elements of a type with elements.
    fn elements(
        &mut self,
        node: Node<'_, '_>,
        of: &'static str,
        attributes: &[&str],
        map: &mut Map<String, Value>,
    ) -> Result<(), FormatError> {
        for attribute in node.attributes() {
            let name = attribute.name();
            match attribute.namespace() {
                None if name == "value" && attributes.contains(&name) => {}
                None if attributes.contains(&name) => {
                    map.insert(name.to_owned(), attribute.value().into());
                }
                Some(XSI) => {}
                _ => self.note(of, name, "FHIR has no such attribute there"),
            }
        }
        let mut found: Vec<Members<'_>> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        let is_bundle = of == "Bundle" && self.levels == 0;
        let mut entries = 0;
        for child in node.children() {
            if child.is_text() && !child.text().unwrap_or_default().trim().is_empty() {
                self.note(of, "text", "FHIR has no text outside of values");
            }
            if !child.is_element() {
                continue;
            }
            let name = child.tag_name().name();
            let is_foreign = !matches!(child.tag_name().namespace(), Some(FHIR | xhtml::XHTML));
            if is_foreign || name == "resourceType" || map.contains_key(name) {
                self.note(of, name, "it is no element of FHIR");
                continue;
            }
            if is_bundle && name == "entry" {
                self.entry = Some(entries);
                entries += 1;
            }
            let element = self.definitions.element(of, name);
            let is_array = element.is_some_and(|element| element.many);
            let by = 1 + usize::from(is_array);
            self.deeper(child, by)?;
            let member = self.member(child, of, element.map(|element| element.kind))?;
            self.levels -= by;
            if is_bundle {
                self.entry = None;
            }
            let Some(member) = member else { continue };
            let place = *places.entry(name).or_insert(found.len());
            if place == found.len() {
                let all = Vec::new();
                found.push(Members {
                    name,
                    is_array,
                    all,
                });
            }
            if let Some(members) = found.get_mut(place) {
                members.all.push(member);
            }
        }
        found.into_iter().for_each(|members| insert(map, members));
        Ok(())
    }

    fn member(
        &mut self,
        node: Node<'_, '_>,
        of: &'static str,
        kind: Option<Kind>,
    ) -> Result<Option<Member>, FormatError> {
        let kind = match kind {
            _ if node.tag_name().namespace() == Some(xhtml::XHTML) => Kind::Xhtml,
            Some(kind) => kind,
            // What no release knows is kept by its looks.
            None if node.attribute("value").is_some() => Kind::Text,
            None => Kind::Type("(another element)"),
        };
        let member = match kind {
            Kind::Xhtml => Some(Value::from(xhtml::text(node)).into()),
            Kind::Resource => self.inside(node, of)?,
            Kind::Type(kind) => {
                let mut map = Map::new();
                let attributes: &[&str] = match kind {
                    "Extension" => &["id", "url"],
                    _ => &["id"],
                };
                self.elements(node, kind, attributes, &mut map)?;
                (!map.is_empty()).then(|| Value::Object(map).into())
            }
            Kind::Text | Kind::Number | Kind::Flag => self.primitive(node, kind)?,
        };
        if member.is_none() {
            let because = "the element is empty, or holds no resource where one belongs";
            self.note(of, node.tag_name().name(), because);
        }
        Ok(member)
    }

    /// The resource in `contained`, `resource` or `outcome`.
    fn inside(
        &mut self,
        node: Node<'_, '_>,
        of: &'static str,
    ) -> Result<Option<Member>, FormatError> {
        let mut resource = None;
        for inside in node.children().filter(Node::is_element) {
            if resource.is_some() || inside.tag_name().namespace() != Some(FHIR) {
                self.note(of, inside.tag_name().name(), "one resource stands there");
            } else {
                resource = Some(self.resource(inside)?.into());
            }
        }
        Ok(resource)
    }

    fn primitive(&mut self, node: Node<'_, '_>, kind: Kind) -> Result<Option<Member>, FormatError> {
        let mut beside = Map::new();
        self.elements(node, "Element", &["id", "value"], &mut beside)?;
        let value = node.attribute("value").map(|text| match (kind, text) {
            (Kind::Flag, "true") => Value::Bool(true),
            (Kind::Flag, "false") => Value::Bool(false),
            (Kind::Number, text) => number(text).unwrap_or_else(|| text.into()),
            (_, text) => text.into(),
        });
        let beside = (!beside.is_empty()).then_some(Value::Object(beside));
        let is_there = value.is_some() || beside.is_some();
        Ok(is_there.then_some(Member { value, beside }))
    }
}

/// A number with its digits as they stand, if JSON can write them so; an exponent as the library writes it (`1E2` as `1e2`).
pub(crate) fn number(text: &str) -> Option<Value> {
    let number: Number = serde_json::from_str(text).ok()?;
    (text == text.trim()).then_some(Value::Number(number))
}

fn insert(map: &mut Map<String, Value>, members: Members<'_>) {
    let (name, mut all) = (members.name, members.all);
    let beside_name = format!("_{name}");
    if all.len() == 1
        && !members.is_array
        && let Some(Member { value, beside }) = all.pop()
    {
        map.extend(value.map(|value| (name.to_owned(), value)));
        map.extend(beside.map(|beside| (beside_name, beside)));
        return;
    }
    let has_values = all.iter().any(|one| one.value.is_some());
    let has_beside = all.iter().any(|one| one.beside.is_some());
    let pairs = all.into_iter().map(|one| {
        (
            one.value.unwrap_or_default(),
            one.beside.unwrap_or_default(),
        )
    });
    let (values, beside): (Vec<Value>, Vec<Value>) = pairs.unzip();
    if has_values {
        map.insert(name.to_owned(), values.into());
    }
    if has_beside {
        map.insert(beside_name, beside.into());
    }
}
