//! A compact tree of JSON for documents that are made, looked at and written once.
//!
//! `serde_json::Value` hashes the names of every object and keeps each in memory of its own, so that its tree is some ten times its
//! text. Here an object is a list of its members in their order; a name, or a text, that the program itself has is borrowed from it.
//! A look-up goes along the members: what others wrote may have any number of them, and is looked through in `serde_json::Value`
//! before it is kept as this. Numbers are kept as they are written, so the text is the same to the byte.
//!
//! ```
//! use medibloc_record::json::Value;
//! let text = r#"{"resourceType":"Observation","valueQuantity":{"value":1.50}}"#;
//! let tree = Value::from(serde_json::from_str::<serde_json::Value>(text).expect("JSON"));
//! assert_eq!(tree["valueQuantity"]["value"].to_string(), "1.50");
//! assert_eq!(tree.to_string(), text);
//! ```

mod convert;
mod map;

use std::borrow::Cow;
use std::fmt;
use std::ops::{Index, IndexMut};

use serde::ser::{Serialize, SerializeMap as _, Serializer};

pub use map::{Entry, Map};
pub use serde_json::Number;

/// A name or a text: the program's own, or one that was read.
pub type Text = Cow<'static, str>;

/// One value of JSON.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(clippy::exhaustive_enums, reason = "JSON has these")]
pub enum Value {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, as it is written.
    Number(Number),
    /// A text.
    String(Text),
    /// A list.
    Array(Vec<Self>),
    /// An object.
    Object(Map),
}

/// What an index gives that leads nowhere.
static NULL: Value = Value::Null;

impl Value {
    /// The member of this name, if this is an object that has it.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        self.as_object_mut()?.get_mut(name)
    }

    /// The text, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The list, if this is one.
    pub fn as_array(&self) -> Option<&Vec<Self>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn as_array_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Array(list) => Some(list),
            _ => None,
        }
    }

    /// The object, if this is one.
    pub fn as_object(&self) -> Option<&Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// The same, to change it.
    pub fn as_object_mut(&mut self) -> Option<&mut Map> {
        match self {
            Self::Object(map) => Some(map),
            _ => None,
        }
    }

    /// Gives back what was kept free for more, here and below.
    pub fn shrink(&mut self) {
        match self {
            Self::Array(list) => {
                list.shrink_to_fit();
                list.iter_mut().for_each(Self::shrink);
            }
            Self::Object(map) => map.shrink(),
            _ => {}
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl<'n> Index<&'n str> for Value {
    type Output = Self;

    /// The member of this name, or `null`.
    fn index(&self, name: &'n str) -> &Self {
        self.get(name).unwrap_or(&NULL)
    }
}

impl Index<usize> for Value {
    type Output = Self;

    /// What stands at this place of the list, or `null`.
    fn index(&self, at: usize) -> &Self {
        let list = self.as_array();
        list.and_then(|list| list.get(at)).unwrap_or(&NULL)
    }
}

impl IndexMut<&'static str> for Value {
    /// The member of this name, which is added if there is none; what is no object becomes one.
    fn index_mut(&mut self, name: &'static str) -> &mut Self {
        if !matches!(self, Self::Object(_)) {
            *self = Self::Object(Map::new());
        }
        match self {
            Self::Object(map) => map.entry(name).or_insert(Self::Null),
            other => other,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => to.serialize_unit(),
            Self::Bool(is) => to.serialize_bool(*is),
            Self::Number(number) => number.serialize(to),
            Self::String(text) => to.serialize_str(text),
            Self::Array(list) => list.serialize(to),
            Self::Object(map) => {
                let mut out = to.serialize_map(Some(map.len()))?;
                for (name, value) in map {
                    out.serialize_entry(name, value)?;
                }
                out.end()
            }
        }
    }
}

impl fmt::Display for Value {
    /// Its text; with `#`, in lines that are set in.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match out.alternate() {
            true => serde_json::to_string_pretty(self),
            false => serde_json::to_string(self),
        };
        out.write_str(&text.map_err(|_| fmt::Error)?)
    }
}
