//! The elements of FHIR R4 and R5: which a type has, in which order, how often and of what type (`data/README.md`).

use std::collections::HashMap;
use std::sync::OnceLock;

const R4: &str = include_str!("../data/r4.txt");
/// What is new or differs.
const R5: &str = include_str!("../data/r5.txt");

/// A release of FHIR that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    R4,
    R5,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of a primitive type that JSON writes as a string.
    Text,
    Number,
    Flag,
    Xhtml,
    /// A resource of any type.
    Resource,
    /// Of a type with elements: its line.
    Type(&'static str),
}

/// One element of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its place among the elements of its type.
    pub(crate) place: usize,
    /// Whether it may stand more than once, which JSON writes as an array.
    pub(crate) many: bool,
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    One,
    Many,
    /// One, of the type that its name ends with.
    Choice,
}

/// Name, how often, types.
type Said = (&'static str, Times, &'static str);

/// A line of the text, which is taken apart when it is first asked: most documents have few types.
struct Line {
    is_resource: bool,
    head: &'static str,
    text: &'static str,
    elements: OnceLock<Vec<Said>>,
}

impl Line {
    fn elements(&self) -> &[Said] {
        self.elements.get_or_init(|| {
            let words = self.head.split_ascii_whitespace();
            let words = words.chain(self.text.split_ascii_whitespace());
            words.filter_map(element).collect()
        })
    }
}

/// All types of a release.
pub(crate) struct Definitions {
    lines: HashMap<&'static str, Line>,
    primitives: Vec<&'static str>,
    any: Vec<&'static str>,
}

impl Definitions {
    /// Those of a release; made on first use.
    pub(crate) fn of(release: Release) -> &'static Self {
        static OF_R4: OnceLock<Definitions> = OnceLock::new();
        static OF_R5: OnceLock<Definitions> = OnceLock::new();
        match release {
            Release::R4 => OF_R4.get_or_init(|| Self::parse(&[R4])),
            Release::R5 => OF_R5.get_or_init(|| Self::parse(&[R4, R5])),
        }
    }

    fn parse(texts: &[&'static str]) -> Self {
        let mut this = Self {
            lines: HashMap::new(),
            primitives: Vec::new(),
            any: Vec::new(),
        };
        this.add("Element E");
        for line in texts.iter().flat_map(|text| text.lines()) {
            this.add(line);
        }
        this
    }

    fn add(&mut self, line: &'static str) {
        let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "!" => self.primitives = rest.split(' ').collect(),
            "*" => self.any = rest.split(' ').collect(),
            _ => {
                let (letter, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let head = match letter {
                    "D" => {
                        "id:id meta:Meta implicitRules:uri language:code text:Narrative \
                         contained*Resource extension*Extension modifierExtension*Extension"
                    }
                    "R" => "id:id meta:Meta implicitRules:uri language:code",
                    "B" => "id:id extension*Extension modifierExtension*Extension",
                    _ => "id:id extension*Extension",
                };
                let line = Line {
                    is_resource: matches!(letter, "D" | "R"),
                    head,
                    text,
                    elements: OnceLock::new(),
                };
                self.lines.insert(name, line);
            }
        }
    }

    /// The line of a resource type, if the release has one of this name.
    pub(crate) fn resource(&self, name: &str) -> Option<&'static str> {
        let (name, line) = self.lines.get_key_value(name)?;
        line.is_resource.then_some(*name)
    }

    /// Whether a type is one of resources, whose `id` is an element in XML.
    pub(crate) fn is_resource(&self, name: &str) -> bool {
        self.resource(name).is_some()
    }

    /// The element of a type, by its name in JSON and XML.
    pub(crate) fn element(&self, of: &str, name: &str) -> Option<Element> {
        let line = self.lines.get(of)?;
        let found = line.elements().iter().enumerate();
        let (place, kind, many) =
            found
                .into_iter()
                .find_map(|(place, (known, times, types))| match times {
                    Times::Choice => {
                        let ending = name.strip_prefix(known)?;
                        let kind = self.choices(types).find(|kind| ends(ending, kind))?;
                        Some((place, kind, false))
                    }
                    _ if *known == name => Some((place, *types, *times == Times::Many)),
                    _ => None,
                })?;
        Some(Element {
            place,
            many,
            kind: self.kind(of, name, kind)?,
        })
    }

    fn choices(&self, types: &'static str) -> impl Iterator<Item = &'static str> {
        let any = (types == "*").then_some(self.any.iter().copied());
        let some = (types != "*").then_some(types.split('|'));
        any.into_iter().flatten().chain(some.into_iter().flatten())
    }

    fn kind(&self, of: &str, name: &str, kind: &'static str) -> Option<Kind> {
        Some(match kind {
            "decimal" | "integer" | "positiveInt" | "unsignedInt" => Kind::Number,
            "boolean" => Kind::Flag,
            "xhtml" => Kind::Xhtml,
            "Resource" => Kind::Resource,
            "" => Kind::Type(self.lines.get_key_value(format!("{of}.{name}").as_str())?.0),
            _ if self.primitives.contains(&kind) => Kind::Text,
            _ if self.is_resource(kind) => Kind::Resource,
            _ => Kind::Type(self.lines.get_key_value(kind)?.0),
        })
    }
}

fn element(word: &'static str) -> Option<Said> {
    let at = word.find([':', '*', '['])?;
    let times = match word.as_bytes().get(at) {
        Some(b'*') => Times::Many,
        Some(b'[') => Times::Choice,
        _ => Times::One,
    };
    Some((word.get(..at)?, times, word.get(at + 1..)?))
}

/// Whether a name ends with a type: `valueDateTime` with `dateTime`.
fn ends(ending: &str, kind: &str) -> bool {
    let mut letters = (ending.chars(), kind.chars());
    let first = (letters.0.next(), letters.1.next());
    matches!(first, (Some(a), Some(b)) if a == b.to_ascii_uppercase())
        && letters.0.as_str() == letters.1.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_resource_types_of_both_releases_are_known_and_no_others() {
        let many = |release| {
            let lines = &Definitions::of(release).lines;
            lines.values().filter(|line| line.is_resource).count()
        };
        // R5 dropped some: they are read as R4 has them.
        assert_eq!((many(Release::R4), many(Release::R5)), (146, 178));
        let r4 = Definitions::of(Release::R4);
        assert!(r4.is_resource("Patient") && r4.is_resource("VisionPrescription"));
        for other in ["", "Patients", "patient", "Foo", "HumanName", "DeviceUsage"] {
            assert!(!r4.is_resource(other), "{other}");
        }
        assert!(Definitions::of(Release::R5).is_resource("DeviceUsage"));
    }

    #[test]
    fn every_line_can_be_followed() {
        for release in [Release::R4, Release::R5] {
            let all = Definitions::of(release);
            for (of, line) in &all.lines {
                for (name, times, types) in line.elements() {
                    let endings: Vec<String> = match times {
                        Times::Choice => all
                            .choices(types)
                            .map(|kind| format!("{name}{}{}", kind[..1].to_uppercase(), &kind[1..]))
                            .collect(),
                        _ => vec![(*name).to_owned()],
                    };
                    for ending in endings {
                        let found = all.element(of, &ending);
                        assert!(found.is_some(), "{of}.{ending} of {release:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn elements_say_how_often_and_what() {
        for (release, of, name, wanted) in [
            (Release::R4, "Patient", "id", Some((false, Kind::Text))),
            (
                Release::R4,
                "Patient",
                "name",
                Some((true, Kind::Type("HumanName"))),
            ),
            (
                Release::R4,
                "Patient",
                "deceasedBoolean",
                Some((false, Kind::Flag)),
            ),
            (Release::R4, "Patient", "deceasedInteger", None),
            (Release::R4, "Patient", "deceased", None),
            (
                Release::R4,
                "Patient",
                "contact",
                Some((true, Kind::Type("Patient.contact"))),
            ),
            (
                Release::R4,
                "Bundle.entry",
                "link",
                Some((true, Kind::Type("Bundle.link"))),
            ),
            (
                Release::R4,
                "Bundle.entry",
                "resource",
                Some((false, Kind::Resource)),
            ),
            (
                Release::R4,
                "Extension",
                "valueDateTime",
                Some((false, Kind::Text)),
            ),
            (
                Release::R4,
                "Encounter",
                "class",
                Some((false, Kind::Type("Coding"))),
            ),
            (
                Release::R5,
                "Encounter",
                "class",
                Some((true, Kind::Type("CodeableConcept"))),
            ),
            (
                Release::R5,
                "Quantity",
                "value",
                Some((false, Kind::Number)),
            ),
            (Release::R4, "Narrative", "div", Some((false, Kind::Xhtml))),
        ] {
            let found = Definitions::of(release).element(of, name);
            assert_eq!(
                found.map(|it| (it.many, it.kind)),
                wanted,
                "{of}.{name} of {release:?}"
            );
        }
    }
}
