//! The tree of FHIR JSON to FHIR XML, in the order that the definitions give.

use serde_json::{Map, Value};

use super::{FHIR, xhtml};
use crate::definition::{Definitions, Kind};
use crate::release::release_of;

/// Levels that are set in: what is nested deeper would be mostly space.
const MOST_INDENT: usize = 16;

/// Why a tree cannot be written as FHIR XML. Never carries content of the document.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum XmlError {
    /// Something without a type.
    #[error("{at} is no resource: it has no resourceType; give a FHIR resource")]
    NoResource {
        /// Where.
        at: String,
    },
    /// A narrative that is not well-formed.
    #[error(
        "the narrative at {at} is not one well-formed XHTML element; mend it, or convert to FHIR JSON"
    )]
    Narrative {
        /// Where.
        at: String,
    },
    /// A letter that XML 1.0 does not have.
    #[error("the text at {at} has a control character that XML cannot hold; convert to FHIR JSON")]
    Letter {
        /// Where.
        at: String,
    },
    /// A name that is none in XML, or a value where none can stand.
    #[error(
        "a member of {at} has no form in XML: its name is no name of an element, or an array stands in an array; \
         convert to FHIR JSON"
    )]
    Member {
        /// Where.
        at: String,
    },
}

/// A resource of FHIR R4 or R5 as XML (R4, section 2.6.2). Reading it again gives the same tree, but for the order of members.
///
/// Members that neither release knows are written behind the others; an array of one that only such a member has is read again as
/// the one.
///
/// # Errors
/// If the tree is no resource, or holds what XML cannot.
pub fn to_xml(tree: &Value) -> Result<String, XmlError> {
    let mut writing = Writing {
        definitions: Definitions::of(release_of(tree)),
        out: "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned(),
    };
    writing.resource(tree, 0, "the document")?;
    writing.out.push('\n');
    Ok(writing.out)
}

struct Writing {
    definitions: &'static Definitions,
    out: String,
}

/// An element that waits for its turn: its place in the definition and in the object.
struct Waiting<'t> {
    place: (usize, usize),
    name: &'t str,
    kind: Option<Kind>,
    value: &'t Value,
    beside: &'t Value,
}

impl Writing {
    fn resource(&mut self, tree: &Value, level: usize, at: &str) -> Result<(), XmlError> {
        let none = || XmlError::NoResource { at: at.to_owned() };
        let map = tree.as_object().ok_or_else(none)?;
        let name = tree["resourceType"].as_str().ok_or_else(none)?;
        if !is_name(name) {
            return Err(none());
        }
        self.indent(level);
        self.out.push('<');
        self.out.push_str(name);
        if level == 0 {
            self.attribute("xmlns", FHIR, at)?;
        }
        self.body(map, name, (self.definitions.resource(name), true), level)
    }

    /// Attributes and elements of an object, behind the name of its tag; a resource has no attributes.
    fn body(
        &mut self,
        map: &Map<String, Value>,
        name: &str,
        (of, is_resource): (Option<&'static str>, bool),
        level: usize,
    ) -> Result<(), XmlError> {
        let is_attribute = |member: &str| {
            !is_resource && (member == "id" || member == "url" && of == Some("Extension"))
        };
        let at = of.unwrap_or("(another element)");
        for (member, value) in map.iter().filter(|(member, _)| is_attribute(member)) {
            let text = value
                .as_str()
                .ok_or_else(|| XmlError::Member { at: at.into() })?;
            self.attribute(member, text, at)?;
        }
        let mut waiting = Vec::new();
        for (behind, (member, value)) in map.iter().enumerate() {
            let (name, value, beside) = match member.strip_prefix('_') {
                Some(name) if map.contains_key(name) => continue,
                Some(name) => (name, &Value::Null, value),
                None => {
                    let beside = map.get(&format!("_{member}")).unwrap_or(&Value::Null);
                    (member.as_str(), value, beside)
                }
            };
            if is_attribute(name) && !beside.is_null() {
                // An attribute has no extensions.
                return Err(XmlError::Member { at: at.to_owned() });
            }
            if is_attribute(name) || is_resource && name == "resourceType" {
                continue;
            }
            let element = of.and_then(|of| self.definitions.element(of, name));
            waiting.push(Waiting {
                place: (element.map_or(usize::MAX, |it| it.place), behind),
                name,
                kind: element.map(|element| element.kind),
                value,
                beside,
            });
        }
        if waiting.is_empty() {
            self.out.push_str("/>");
            return Ok(());
        }
        waiting.sort_by_key(|one| one.place);
        self.out.push('>');
        for one in waiting {
            self.member(&one, at, level + 1)?;
        }
        self.indent(level);
        self.close(name);
        Ok(())
    }

    /// The elements of one member: of an array, one for each.
    fn member(&mut self, one: &Waiting<'_>, at: &str, level: usize) -> Result<(), XmlError> {
        if !is_name(one.name) {
            return Err(XmlError::Member { at: at.to_owned() });
        }
        match (one.value, one.beside) {
            (Value::Array(values), beside) => {
                let many = values.len().max(beside.as_array().map_or(0, Vec::len));
                (0..many).try_for_each(|each| {
                    let value = values.get(each).unwrap_or(&Value::Null);
                    self.element(one, value, &beside[each], at, level)
                })
            }
            (Value::Null, Value::Array(beside)) => beside
                .iter()
                .try_for_each(|beside| self.element(one, &Value::Null, beside, at, level)),
            (value, beside) => self.element(one, value, beside, at, level),
        }
    }

    fn element(
        &mut self,
        one: &Waiting<'_>,
        value: &Value,
        beside: &Value,
        of: &str,
        level: usize,
    ) -> Result<(), XmlError> {
        let name = one.name;
        let at = format!("{of}.{name}");
        let text = match value {
            Value::Array(_) => return Err(XmlError::Member { at }),
            Value::Object(map) => {
                let is_resource = matches!(one.kind, Some(Kind::Resource))
                    || one.kind.is_none() && map.contains_key("resourceType");
                self.open(name, level);
                if is_resource {
                    self.out.push('>');
                    self.resource(value, level + 1, &at)?;
                    self.indent(level);
                    self.close(name);
                    return Ok(());
                }
                let kind = match one.kind {
                    Some(Kind::Type(kind)) => Some(kind),
                    _ => None,
                };
                return self.body(map, name, (kind, false), level);
            }
            Value::String(text) if one.kind == Some(Kind::Xhtml) => {
                if !xhtml::is_element(text) {
                    return Err(XmlError::Narrative { at });
                }
                self.indent(level);
                self.out.push_str(text.trim());
                return Ok(());
            }
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        };
        self.open(name, level);
        if let Some(text) = text {
            self.attribute("value", &text, &at)?;
        }
        match beside {
            Value::Object(map) => self.body(map, name, (Some("Element"), false), level),
            Value::Null => {
                self.out.push_str("/>");
                Ok(())
            }
            _ => Err(XmlError::Member { at }),
        }
    }

    fn open(&mut self, name: &str, level: usize) {
        self.indent(level);
        self.out.push('<');
        self.out.push_str(name);
    }

    fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn indent(&mut self, level: usize) {
        if level > 0 || self.out.ends_with('>') {
            self.out.push('\n');
            self.out
                .extend(std::iter::repeat_n("  ", level.min(MOST_INDENT)));
        }
    }

    fn attribute(&mut self, name: &str, value: &str, at: &str) -> Result<(), XmlError> {
        // XML 1.0, section 2.2: these have no form, not even by their number.
        let is_none = |letter: char| {
            letter < ' ' && !matches!(letter, '\t' | '\n' | '\r')
                || matches!(letter, '\u{fffe}' | '\u{ffff}')
        };
        if value.contains(is_none) {
            return Err(XmlError::Letter { at: at.to_owned() });
        }
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        xhtml::escape(value, true, &mut self.out);
        self.out.push('"');
        Ok(())
    }
}

/// Letters and digits, as all names of FHIR's elements.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric())
}
