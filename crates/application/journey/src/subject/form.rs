//! A FHIR form that somebody else wrote, read for whom it is about alone. As a whole tree it would take up to a hundred times its
//! bytes, so only the members that [`Subject::of`] looks at are kept, and of these no more than there is room for.

use core::fmt;
use std::cell::Cell;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

use medibloc_record::json::{Map, Value};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::told::{ABOUT, AMONG, ELSE, server};
use super::{Named, Subject, Unread};

/// Values that are kept of one form: 100,000 of them take 50 MB.
const MOST_VALUES: usize = 100_000;

/// Bytes of a text that are kept.
const MOST_TEXT: usize = 4_096;

/// What is kept of a value: nothing of one that has another shape.
enum Shape {
    Text,
    /// Those of the first so many items that say something here; also one without a list around it.
    List(&'static Self, usize, fn(&mut Value) -> Says),
    Object(&'static [(&'static str, &'static Self)]),
}

/// What an item of a list says here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    Nothing,
    Something,
    /// The same as each other that is alike: one of them is enough.
    Same,
}

static TEXT: Shape = Shape::Text;
static TEXTS: Shape = Shape::List(&TEXT, 64, |_| Says::Something);
static NAME: Shape = Shape::Object(&[
    ("use", &TEXT),
    ("text", &TEXT),
    ("given", &TEXTS),
    ("family", &TEXT),
    ("prefix", &TEXTS),
    ("suffix", &TEXTS),
]);
static NAMES: Shape = Shape::List(&NAME, 64, |_| Says::Something);
static IDENTIFIER: Shape = Shape::Object(&[("system", &TEXT), ("value", &TEXT)]);
static IDENTIFIERS: Shape = Shape::List(&IDENTIFIER, 64, |_| Says::Something);
static REFERENCE: Shape = Shape::Object(&[
    ("reference", &TEXT),
    ("type", &TEXT),
    ("display", &TEXT),
    ("identifier", &IDENTIFIER),
]);
static REFERENCES: Shape = Shape::List(&REFERENCE, usize::MAX, |_| Says::Same);
static ACTORS: Shape = Shape::List(&ACTOR, usize::MAX, |_| Says::Same);
static ACTOR: Shape = Shape::Object(&[("actor", &REFERENCES), ("entity", &REFERENCES)]);
/// What [`ABOUT`] and [`AMONG`] name stands in each.
macro_rules! resource {
    ($($more:expr),*) => {
        Shape::Object(&[
            ("resourceType", &TEXT),
            ("id", &TEXT),
            ("name", &NAMES),
            ("birthDate", &TEXT),
            ("identifier", &IDENTIFIERS),
            ("subject", &REFERENCES),
            ("patient", &REFERENCES),
            ("beneficiary", &REFERENCES),
            ("for", &REFERENCES),
            ("individual", &REFERENCES),
            ("candidate", &REFERENCES),
            ("actor", &REFERENCES),
            ("participant", &ACTORS),
            ("member", &ACTORS),
            $($more),*
        ])
    };
}
static CONTAINED: Shape = resource!();
static CONTAINEDS: Shape = Shape::List(&CONTAINED, usize::MAX, |resource| {
    match is_told(resource) || has_references(resource) {
        true => Says::Something,
        false => Says::Nothing,
    }
});
static RESOURCE: Shape = resource!(
    ("contained", &CONTAINEDS),
    ("entry", &ENTRIES),
    ("parameter", &PARAMETERS)
);
static PARAMETER: Shape = Shape::Object(&[("resource", &RESOURCE), ("part", &PARAMETERS)]);
static PARAMETERS: Shape = Shape::List(&PARAMETER, usize::MAX, |parameter| {
    match parameter["resource"].is_null() && parameter["part"].is_null() {
        true => Says::Nothing,
        false => Says::Something,
    }
});
static ENTRY: Shape = Shape::Object(&[("fullUrl", &TEXT), ("resource", &RESOURCE)]);
static ENTRIES: Shape = Shape::List(&ENTRY, usize::MAX, says);
static BUNDLE: Shape = Shape::Object(&[("entry", &ENTRIES)]);

/// Whether a resource is a patient, or what a reference may lead to instead of one.
fn is_told(resource: &Value) -> bool {
    let kind = resource["resourceType"].as_str().unwrap_or_default();
    kind == "Patient" || ELSE.contains(&kind)
}

fn has_references(resource: &Value) -> bool {
    let among = AMONG.iter().map(|(outer, _)| outer);
    let mut all = ABOUT.iter().chain(among);
    all.any(|name| !resource[*name].is_null())
}

/// Of most resources only whom they are about is looked at: a thousand of one patient say no more than one.
fn says(entry: &mut Value) -> Says {
    let resource = &entry["resource"];
    let kind = &resource["resourceType"];
    let has_some = |name: &str| {
        let held = &resource[name];
        held.as_object().is_some() || held.as_array().is_some_and(|all| !all.is_empty())
    };
    let holds = ["contained", "entry", "parameter"];
    if is_told(resource) || kind == "Composition" || holds.into_iter().any(has_some) {
        return Says::Something;
    }
    if !has_references(resource) {
        return Says::Nothing;
    }
    // Of its URL only the server counts: what it refers to is there.
    let server = entry["fullUrl"].as_str().and_then(server);
    let url = server.map(|server| format!("{server}/-/-"));
    if let Some(entry) = entry.as_object_mut() {
        entry.remove("fullUrl");
        if let Some(url) = url {
            entry.insert("fullUrl".into(), url.into());
        }
    }
    if let Some(resource) = entry.get_mut("resource").and_then(Value::as_object_mut) {
        resource.retain(|name, _| {
            ABOUT.contains(&name.as_ref()) || AMONG.iter().any(|(outer, _)| *outer == name.as_ref())
        });
    }
    Says::Same
}

impl Named {
    /// The same as [`Subject::of`] of a bundle in JSON, of anybody's making: it takes 60 MB of memory beside the bytes, whatever they
    /// are. One that names more than there is room for names several persons.
    pub(super) fn of_form(json: &[u8]) -> Self {
        let left = Cell::new(MOST_VALUES);
        let mut from = serde_json::Deserializer::from_slice(json);
        let seed = Kept {
            shape: &BUNDLE,
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
        Self::of(&kept)
    }
}

/// Items that are alike, by a hash that nobody outside can choose.
#[derive(Default)]
struct Alike {
    by: RandomState,
    seen: HashSet<u64>,
}

impl Alike {
    fn is_new(&mut self, item: &Value) -> bool {
        let hash = self.by.hash_one(item.to_string());
        self.seen.insert(hash)
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
        let (mut kept, mut same) = (Vec::new(), Alike::default());
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
                Some(mut item) => {
                    let says = match item.is_null() {
                        true => Says::Nothing,
                        false => says(&mut item),
                    };
                    if says == Says::Something || says == Says::Same && same.is_new(&item) {
                        kept.push(item);
                    } else if self.left.get() > 0 {
                        // What is let go leaves its room, unless there was too little: then it is not known what it says.
                        self.left.set(before);
                    }
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let fields = match self.shape {
            Shape::List(Shape::Object(fields), _, _) | Shape::Object(fields) if self.take() => {
                *fields
            }
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
