//! Whom a document tells: its patients, and whom its resources say that they are about without a patient that the document has.

use std::collections::{HashMap, HashSet};

use medibloc_record::json::Value;

use super::{MOST, Named, Subject, Unread, ids, plain};

/// Elements of FHIR R4 and R5 that are about a patient, unless they say that it is something else.
pub(super) const ABOUT: [&str; 6] = [
    "subject",
    "patient",
    "beneficiary",
    "for",
    "individual",
    "candidate",
];

/// Elements that a patient may stand in among others, each within which element: only who is called a patient is one.
pub(super) const AMONG: [(&str, &str); 3] = [
    ("participant", "actor"),
    ("member", "entity"),
    ("actor", ""),
];

/// What a resource may be about beside a patient, told by its place in the document.
pub(super) const ELSE: [&str; 3] = ["Group", "Device", "Location"];

/// The items of a list, or what stands where a list should.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let one = value.as_object().map(|_| value);
    value.as_array().into_iter().flatten().chain(one)
}

/// The references of a resource to whom it is about, each with whether anybody else may stand there.
fn references(resource: &Value) -> impl Iterator<Item = (&Value, bool)> {
    let about = ABOUT.iter().flat_map(|name| each(&resource[*name]));
    let among = AMONG.iter().flat_map(|(outer, inner)| {
        let outer = each(&resource[*outer]);
        outer.flat_map(|one| each(if inner.is_empty() { one } else { &one[*inner] }))
    });
    let about = about.map(|one| (one, false));
    about.chain(among.map(|one| (one, true)))
}

/// A resource and where it stands.
struct Place<'v> {
    resource: &'v Value,
    /// The entry that it is or is contained in.
    entry: usize,
}

/// All resources of a document.
#[derive(Default)]
struct Told<'v> {
    all: Vec<Place<'v>>,
    /// What may be referred to as a patient or instead of one: by URL, by type and id, and within its entry.
    by_name: HashMap<String, usize>,
}

impl<'v> Told<'v> {
    fn take(&mut self, bundle: &'v Value) {
        for one in bundle["entry"].as_array().into_iter().flatten() {
            let resource = &one["resource"];
            let (at, entry) = (self.all.len(), self.all.len());
            self.all.push(Place { resource, entry });
            let kind = resource["resourceType"].as_str().unwrap_or_default();
            if kind == "Patient" || ELSE.contains(&kind) {
                let id = resource["id"].as_str();
                let url = one["fullUrl"].as_str().filter(|url| !url.is_empty());
                let names = [url.map(str::to_owned), id.map(|id| format!("{kind}/{id}"))];
                for name in names.into_iter().flatten() {
                    self.by_name.entry(name).or_insert(at);
                }
            }
            for resource in resource["contained"].as_array().into_iter().flatten() {
                if let Some(id) = resource["id"].as_str() {
                    let name = format!("{entry}#{id}");
                    self.by_name.entry(name).or_insert(self.all.len());
                }
                self.all.push(Place { resource, entry });
            }
            if kind == "Bundle" {
                self.take(resource);
            }
        }
    }

    /// What a reference that stands in this entry leads to in the document.
    fn found(&self, entry: usize, reference: &str) -> Option<&'v Value> {
        let plain = reference.split("/_history/").next().unwrap_or_default();
        let at = match reference.starts_with('#') {
            true => self.by_name.get(&format!("{entry}{reference}")),
            false => self.by_name.get(plain).or_else(|| {
                let (before, id) = plain.rsplit_once('/')?;
                let kind = before.rsplit('/').next()?;
                self.by_name.get(&format!("{kind}/{id}"))
            }),
        };
        at.and_then(|at| self.all.get(*at)).map(|it| it.resource)
    }
}

/// Whether a reference that leads nowhere in the document is to a patient.
fn is_to_patient(reference: &Value, may_be_else: bool) -> bool {
    let url = reference["reference"].as_str().unwrap_or_default();
    let url = url.split("/_history/").next().unwrap_or_default();
    let is_type = |text: &&str| text.starts_with(|first: char| first.is_ascii_uppercase());
    let kind = reference["type"].as_str();
    let kind = kind.and_then(|kind| kind.rsplit('/').next());
    let kind = kind.or_else(|| match url.split_once('?') {
        Some((path, _)) => path.rsplit('/').next(),
        None => url.rsplit('/').nth(1).filter(is_type),
    });
    match kind {
        Some(kind) => kind == "Patient",
        None => !may_be_else,
    }
}

/// What a reference says of a patient; none if it only says where to look.
fn said(reference: &Value) -> Option<Subject> {
    let name = reference["display"].as_str();
    let name = name.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
    let name = name.filter(|name| !plain(name).is_empty());
    let name = name.map(|name| name.chars().take(MOST).collect());
    let asked = reference["reference"].as_str();
    let asked = asked.and_then(|url| url.split_once("Patient?identifier=")?.1.split_once('|'));
    let asked = asked.map(|(system, value)| (system.to_owned(), value.to_owned()));
    let mut ids = ids(each(&reference["identifier"]));
    ids.extend(asked);
    (name.is_some() || !ids.is_empty()).then_some(Subject {
        name,
        born: None,
        ids,
        names_several: false,
    })
}

impl Named {
    /// Whom a FHIR R4 bundle names: the patient that its composition is about, else the first that says who it is. A patient that
    /// it refers to and does not have counts by the words of the reference; one that says nothing is not known.
    pub fn of(bundle: &Value) -> Self {
        let mut told = Told::default();
        told.take(bundle);
        let (mut named, mut about, mut is_composed) = (Vec::new(), None, false);
        let (mut called, mut silent, mut has_silent) = (HashSet::new(), HashSet::new(), false);
        for place in &told.all {
            let resource = place.resource;
            if resource["resourceType"] == "Patient" {
                let subject = Subject::of_patient(resource);
                has_silent |= subject.is_none();
                named.extend(subject);
                continue;
            }
            let is_meant = resource["resourceType"] == "Composition" && !is_composed;
            is_composed |= is_meant;
            for (reference, may_be_else) in references(resource) {
                let url = reference["reference"].as_str().unwrap_or_default();
                let found = told.found(place.entry, url);
                let is_patient = match found {
                    Some(found) => found["resourceType"] == "Patient",
                    None => is_to_patient(reference, may_be_else),
                };
                if !is_patient {
                    continue;
                }
                let subject = match found.and_then(Subject::of_patient) {
                    // It is among them already.
                    Some(subject) => Some(subject),
                    None => {
                        let subject = said(reference);
                        match (&subject, found) {
                            (Some(subject), _) => {
                                named.push(subject.clone());
                                called.insert(url);
                            }
                            (None, None) if !url.is_empty() => {
                                silent.insert(url);
                            }
                            (None, _) => {}
                        }
                        subject
                    }
                };
                about = about.or(subject.filter(|_| is_meant));
            }
        }
        let is_one_silent = silent.iter().any(|url| !called.contains(url));
        let Some(mut subject) = about.or_else(|| named.first().cloned()) else {
            return match has_silent || is_one_silent {
                true => Self::Unread(Unread::Referred),
                false => Self::Nobody,
            };
        };
        // Whoever is meant by a reference alone may be anybody else.
        subject.names_several =
            is_one_silent || named.iter().any(|other| other.is_other_than(&subject));
        Self::Person(subject)
    }
}
