//! A FHIR form that somebody else wrote, read for whom it is about alone. As a whole tree it would take up to a hundred times its
//! bytes, so only the members that [`Subject::of`] looks at are kept, and of these no more than there is room for.

use core::fmt;
use std::cell::Cell;

use medibloc_record::json::{Map, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Named, Subject, Unread};

/// Values that are kept of one form: 100,000 of them take 50 MB.
const MOST_VALUES: usize = 100_000;

/// Bytes of a text that are kept.
const MOST_TEXT: usize = 4_096;

/// What is kept of a value: nothing of one that has another shape.
enum Shape {
    Text,
    /// Those of the first so many items that say something here.
    List(&'static Self, usize, fn(&Value) -> bool),
    Object(&'static [(&'static str, &'static Self)]),
}

const ALL: fn(&Value) -> bool = |_| true;
const TEXT: &Shape = &Shape::Text;
const TEXTS: &Shape = &Shape::List(TEXT, 64, ALL);
const NAME: &Shape = &Shape::Object(&[
    ("use", TEXT),
    ("text", TEXT),
    ("given", TEXTS),
    ("family", TEXT),
]);
const NAMES: &Shape = &Shape::List(NAME, 64, ALL);
const IDENTIFIER: &Shape = &Shape::Object(&[("system", TEXT), ("value", TEXT)]);
const IDENTIFIERS: &Shape = &Shape::List(IDENTIFIER, 64, ALL);
const SUBJECT: &Shape = &Shape::Object(&[("reference", TEXT)]);
const CONTAINED: &Shape = &Shape::Object(&[
    ("resourceType", TEXT),
    ("id", TEXT),
    ("name", NAMES),
    ("birthDate", TEXT),
    ("identifier", IDENTIFIERS),
]);
const RESOURCE: &Shape = &Shape::Object(&[
    ("resourceType", TEXT),
    ("id", TEXT),
    ("name", NAMES),
    ("birthDate", TEXT),
    ("identifier", IDENTIFIERS),
    ("subject", SUBJECT),
    (
        "contained",
        &Shape::List(CONTAINED, usize::MAX, |resource| {
            resource["resourceType"] == "Patient"
        }),
    ),
]);
const ENTRY: &Shape = &Shape::Object(&[("fullUrl", TEXT), ("resource", RESOURCE)]);
const BUNDLE: &Shape = &Shape::Object(&[(
    "entry",
    &Shape::List(ENTRY, usize::MAX, |entry| {
        let resource = &entry["resource"];
        let kind = &resource["resourceType"];
        let contained = resource["contained"].as_array();
        kind == "Patient" || kind == "Composition" || contained.is_some_and(|all| !all.is_empty())
    }),
)]);

impl Named {
    /// The same as [`Subject::of`] of a bundle in JSON, of anybody's making: it takes 60 MB of memory beside the bytes, whatever they
    /// are. One that names more than there is room for names several persons.
    pub(super) fn of_form(json: &[u8]) -> Self {
        let left = Cell::new(MOST_VALUES);
        let mut from = serde_json::Deserializer::from_slice(json);
        let seed = Kept {
            shape: BUNDLE,
            left: &left,
        };
        let kept = seed.deserialize(&mut from);
        let Ok(kept) = kept.and_then(|kept| from.end().map(|()| kept)) else {
            return Self::Unread(Unread::Unreadable);
        };
        if left.get() == 0 {
            return Self::Person(Subject {
                name: None,
                born: None,
                ids: Vec::new(),
                names_several: true,
            });
        }
        Subject::of(&kept).into()
    }
}

#[derive(Clone, Copy)]
struct Kept<'a> {
    shape: &'static Shape,
    /// Values that there is room for.
    left: &'a Cell<usize>,
}

impl Kept<'_> {
    const fn of(self, shape: &'static Shape) -> Self {
        Self { shape, ..self }
    }

    /// Room for one value more, if there is any.
    fn take(self) -> bool {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        left > 1
    }
}

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        if !matches!(self.shape, Shape::Text) || !self.take() {
            return Ok(Value::Null);
        }
        let end = text.floor_char_boundary(MOST_TEXT);
        Ok(text.get(..end).unwrap_or_default().to_owned().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let (of, most, says) = match self.shape {
            Shape::List(of, most, says) if self.take() => (*of, *most, *says),
            _ => {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Value::Null);
            }
        };
        let mut kept = Vec::new();
        loop {
            let before = self.left.get();
            if kept.len() >= most || before == 0 {
                if list.next_element::<IgnoredAny>()?.is_none() {
                    return Ok(kept.into());
                }
                continue;
            }
            match list.next_element_seed(self.of(of))? {
                None => return Ok(kept.into()),
                // What is let go leaves its room, unless there was too little: then it is not known what it says.
                Some(item) if item.is_null() || !says(&item) => {
                    if self.left.get() > 0 {
                        self.left.set(before);
                    }
                }
                Some(item) => kept.push(item),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let fields = match self.shape {
            Shape::Object(fields) if self.take() => *fields,
            _ => {
                while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Value::Null);
            }
        };
        let mut kept = Map::new();
        while let Some(name) = object.next_key::<String>()? {
            let field = fields.iter().find(|(field, _)| *field == name);
            match field {
                Some((name, shape)) => {
                    let value = object.next_value_seed(self.of(shape))?;
                    kept.insert((*name).into(), value);
                }
                None => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(kept.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Null)
    }
}
