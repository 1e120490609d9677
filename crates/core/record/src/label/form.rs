//! The labels of a FHIR form, taken as it is read: however large it is, nothing of it is kept but what they say.

use core::cell::RefCell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Codes, Labels, Level, MASKED};

/// Bytes of a text that are looked at: more than any code, system or URL has.
const MOST_TEXT: usize = 1_024;

impl Labels {
    /// The labels of a bundle: of itself, of its resources and of what they contain, wherever that stands. In words only types of
    /// resources are named that are known.
    ///
    /// # Errors
    /// If the form cannot be read to its end: then it is not known what it says.
    pub fn of_form<'de, D: Deserializer<'de>>(
        form: D,
        is_kind: fn(&str) -> bool,
    ) -> Result<Self, D::Error> {
        let labels = RefCell::new(Self::default());
        let walk = Walk {
            is_kind,
            labels: &labels,
        };
        let found = walk.deserialize(form)?;
        found.within.tell("Bundle", &labels);
        Ok(labels.into_inner())
    }
}

/// Labels of which it is not read yet what sort of resource they stand in.
#[derive(Default)]
struct Within {
    security: Option<Level>,
    confidentiality: Option<Level>,
    security_label: Option<Level>,
    inline: Option<Level>,
}

impl Within {
    fn add(&mut self, other: Self) {
        raise(&mut self.security, other.security);
        raise(&mut self.confidentiality, other.confidentiality);
        raise(&mut self.security_label, other.security_label);
        raise(&mut self.inline, other.inline);
    }

    fn tell(self, kind: &str, labels: &RefCell<Labels>) {
        let mut labels = labels.borrow_mut();
        let mut tell = |level: Option<Level>, at: String| {
            if let Some((level, why)) = level {
                labels.raise(level, &at, why);
            }
        };
        tell(self.security, format!("{kind}.meta.security"));
        match kind {
            "Composition" => tell(self.confidentiality, format!("{kind}.confidentiality")),
            "DocumentReference" => tell(self.security_label, format!("{kind}.securityLabel")),
            _ => {}
        }
        tell(self.inline, format!("{kind}, inside of it,"));
    }
}

fn raise(most: &mut Option<Level>, to: Option<Level>) {
    let of = |level: &Option<Level>| level.as_ref().map(|(level, _)| *level);
    if of(most) < of(&to) {
        *most = to;
    }
}

/// What a label says that has no code.
fn in_words() -> Option<Level> {
    let mut none = Codes::default();
    none.add(None, None);
    none.level()
}

/// What a value says, whatever it turns out to be: of a list, all of its items together.
#[derive(Default)]
struct Found {
    text: Option<String>,
    /// What it says as a label.
    label: Option<Level>,
    /// What it says as the codes of one label.
    codes: Codes,
    /// It is withheld.
    is_masked: bool,
    /// It says as an extension that something is withheld.
    masks: bool,
    /// It says something as an extension, and not only why there is no value.
    says: bool,
    /// There is something like that beside it.
    has_more: bool,
    /// What its member `security` says.
    security: Option<Level>,
    within: Within,
}

impl Found {
    /// One that is neither an object nor a list.
    fn scalar(text: Option<String>) -> Self {
        let mut codes = Codes::default();
        codes.add(None, text.as_deref());
        Self {
            text,
            label: codes.level(),
            codes,
            ..Self::default()
        }
    }

    fn add(&mut self, item: Self) {
        raise(&mut self.label, item.label);
        self.codes.add_all(item.codes);
        self.is_masked |= item.is_masked;
        self.masks |= item.masks;
        self.says |= item.says;
        self.has_more |= item.has_more;
        raise(&mut self.security, item.security);
        self.within.add(item.within);
    }
}

/// The members of an object that say something here.
#[derive(Default)]
struct Members {
    kind: Option<String>,
    url: Option<String>,
    value_code: Option<String>,
    system: Option<String>,
    code: Option<Option<String>>,
    coding: Option<Codes>,
    /// What its extensions or those of its code say.
    is_masked: bool,
    has_more: bool,
    /// A confidentiality has a value, and what stands beside it says more.
    confidentiality: [bool; 2],
    /// A label inside of a resource (HL7's segmentation of data for privacy), if the URL says that it is one.
    inline: Option<Level>,
    found: Found,
}

impl Members {
    fn add(&mut self, name: &str, value: Found) {
        match name {
            "resourceType" => self.kind = value.text,
            "url" => self.url = value.text,
            "valueCode" => self.value_code = value.text,
            "system" => self.system = value.text,
            "code" => self.code = Some(value.text),
            "coding" => self.coding = Some(value.codes),
            "_code" => self.is_masked |= value.is_masked,
            "extension" => {
                self.is_masked |= value.masks;
                self.has_more |= value.says;
            }
            "security" => raise(&mut self.found.security, value.label),
            "meta" => raise(&mut self.found.within.security, value.security),
            "confidentiality" => {
                self.confidentiality[0] = true;
                raise(&mut self.found.within.confidentiality, value.label);
            }
            "_confidentiality" if value.is_masked => {
                raise(&mut self.found.within.confidentiality, Some(MASKED));
            }
            "_confidentiality" => self.confidentiality[1] |= value.has_more,
            "securityLabel" => raise(&mut self.found.within.security_label, value.label),
            "valueCoding" | "valueCodeableConcept" => raise(&mut self.inline, value.label),
            _ => {}
        }
        self.found.within.add(value.within);
    }

    fn close(self, walk: Walk<'_>) -> Found {
        let mut found = self.found;
        let ends = |end: &str| self.url.as_deref().is_some_and(|url| url.ends_with(end));
        found.is_masked = self.is_masked;
        found.has_more = self.has_more;
        let says_why = ends("/data-absent-reason");
        let why = self.value_code.as_deref();
        found.masks = says_why && why == Some("masked");
        found.says = self.url.is_some() && (!says_why || why == Some("as-text"));
        if self.confidentiality == [false, true] {
            raise(&mut found.within.confidentiality, in_words());
        }
        found
            .codes
            .add(self.system.as_deref(), self.code.flatten().as_deref());
        let codes = match &self.coding {
            None => found.codes.level(),
            // Words alone.
            Some(codes) if !codes.is_any => in_words(),
            Some(codes) => codes.level(),
        };
        raise(&mut found.label, self.is_masked.then_some(MASKED));
        raise(&mut found.label, codes);
        if ends("/extension-inline-sec-label") {
            raise(&mut found.within.inline, self.inline);
        }
        if let Some(kind) = self.kind.filter(|kind| (walk.is_kind)(kind)) {
            core::mem::take(&mut found.within).tell(&kind, walk.labels);
        }
        found
    }
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    is_kind: fn(&str) -> bool,
    labels: &'a RefCell<Labels>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Found, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = Found;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<Found, E> {
        let text = (text.len() <= MOST_TEXT).then(|| text.to_owned());
        Ok(Found::scalar(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Found, A::Error> {
        let mut found = Found::default();
        while let Some(item) = list.next_element_seed(self)? {
            found.add(item);
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Found, A::Error> {
        let mut members = Members::default();
        while let Some(name) = object.next_key::<String>()? {
            members.add(&name, object.next_value_seed(self)?);
        }
        Ok(members.close(self))
    }

    fn visit_unit<E>(self) -> Result<Found, E> {
        Ok(Found::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found, E> {
        Ok(Found::scalar(None))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found, E> {
        Ok(Found::scalar(None))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found, E> {
        Ok(Found::scalar(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found, E> {
        Ok(Found::scalar(None))
    }
}
