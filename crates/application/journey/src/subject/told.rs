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
    /// The URL of the entry; none if it has none.
    url: Option<&'v str>,
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
        for one in each(&bundle["entry"]) {
            let url = one["fullUrl"].as_str().map(without_version);
            let url = url.filter(|url| !url.is_empty());
            self.add(&one["resource"], url);
        }
    }

    fn add(&mut self, resource: &'v Value, url: Option<&'v str>) {
        let (at, entry) = (self.all.len(), self.all.len());
        let place = |resource| Place {
            resource,
            entry,
            url,
        };
        self.all.push(place(resource));
        let kind = resource["resourceType"].as_str().unwrap_or_default();
        if kind == "Patient" || ELSE.contains(&kind) {
            let id = resource["id"].as_str();
            let names = [url.map(str::to_owned), id.map(|id| format!("{kind}/{id}"))];
            for name in names.into_iter().flatten() {
                self.by_name.entry(name).or_insert(at);
            }
        }
        for resource in each(&resource["contained"]) {
            if let Some(id) = resource["id"].as_str() {
                let name = format!("{entry}#{id}");
                self.by_name.entry(name).or_insert(self.all.len());
            }
            self.all.push(place(resource));
        }
        match kind {
            "Bundle" => self.take(resource),
            "Parameters" => self.take_parameters(&resource["parameter"]),
            _ => {}
        }
    }

    fn take_parameters(&mut self, parameters: &'v Value) {
        for one in each(parameters) {
            if !one["resource"].is_null() {
                self.add(&one["resource"], None);
            }
            self.take_parameters(&one["part"]);
        }
    }

    /// What a reference that stands in this entry leads to in the document: by URL, or by type and id if nothing says that it is
    /// of another server.
    fn found(&self, entry: usize, reference: &str) -> Option<&'v Value> {
        let plain = without_version(reference);
        let by_name = |name: &str| self.all.get(*self.by_name.get(name)?);
        if reference.starts_with('#') {
            return Some(by_name(&format!("{entry}{reference}"))?.resource);
        }
        let is_relative = plain.split('/').count() == 2;
        let server = match is_relative {
            true => self.all.get(entry)?.url.and_then(server),
            false => server(plain),
        };
        let url = server.filter(|_| is_relative);
        let url = url.map_or_else(|| plain.to_owned(), |server| format!("{server}/{plain}"));
        let by_url = by_name(&url).filter(|place| place.url == Some(url.as_str()));
        let found = by_url.or_else(|| {
            let (before, id) = plain.rsplit_once('/')?;
            let kind = before.rsplit('/').next()?;
            let found = by_name(&format!("{kind}/{id}"))?;
            let theirs = found.url.and_then(self::server);
            // A URL leads to no entry that has another.
            let is_here = match is_relative {
                true => server.is_none() || theirs.is_none() || server == theirs,
                false => found.url.is_none(),
            };
            is_here.then_some(found)
        });
        found.map(|place| place.resource)
    }
}

fn without_version(url: &str) -> &str {
    url.split("/_history/").next().unwrap_or_default()
}

/// The server of a URL; none of one that tells none (`urn:uuid:…`).
pub(super) fn server(url: &str) -> Option<&str> {
    let server = without_version(url).rsplitn(3, '/').nth(2)?;
    server.contains("://").then_some(server)
}

/// Whether a reference that leads nowhere in the document is to a patient.
fn is_to_patient(reference: &Value, may_be_else: bool) -> bool {
    let url = reference["reference"].as_str().unwrap_or_default();
    let url = without_version(url);
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

/// Whether a patient has names, and none of them is what a reference calls it: all of its words are the patient's, or it has the
/// words of a whole name.
fn is_called_other(patient: &Value, called: &Subject) -> bool {
    let Some(called) = called.name.as_deref().map(plain) else {
        return false;
    };
    let words = |value: &Value| value.as_str().map(plain).unwrap_or_default();
    let (mut own, mut is_whole) = (Vec::new(), false);
    for name in each(&patient["name"]) {
        let list = |part: &str| name[part].as_array().into_iter().flatten();
        let first = list("given").next().map(words).unwrap_or_default();
        let family = words(&name["family"]);
        let has =
            |part: &[String]| !part.is_empty() && part.iter().all(|word| called.contains(word));
        is_whole |= has(&words(&name["text"])) || has(&family) && has(&first);
        own.extend(words(&name["text"]).into_iter().chain(family));
        let parts = ["given", "prefix", "suffix"];
        own.extend(parts.into_iter().flat_map(list).flat_map(words));
    }
    !own.is_empty() && !is_whole && !called.iter().all(|word| own.contains(word))
}

impl Named {
    /// Whom a FHIR R4 bundle names: the patient that its composition is about, else the first that says who it is. A patient that
    /// it refers to and does not have counts by the words of the reference; one that says nothing is not known.
    pub fn of(bundle: &Value) -> Self {
        let mut told = Told::default();
        told.take(bundle);
        let (mut named, mut about, mut is_composed) = (Vec::new(), None, false);
        let (mut called, mut silent) = (HashSet::new(), HashSet::new());
        let (mut has_silent, mut is_one_silent) = (false, false);
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
                let told = said(reference);
                let subject = match (found.and_then(Subject::of_patient), told) {
                    // It is among them already, but for what the reference says more or otherwise.
                    (Some(mut subject), Some(told)) => {
                        let is_other = found.is_some_and(|found| is_called_other(found, &told));
                        subject.names_several = is_other || subject.has_other_ids(&told);
                        let more = told.name.filter(|_| subject.name.is_none());
                        if more.is_some() || subject.names_several {
                            subject.name = more.or(subject.name);
                            named.push(subject.clone());
                        }
                        Some(subject)
                    }
                    (None, Some(told)) => {
                        named.push(told.clone());
                        called.insert(url);
                        Some(told)
                    }
                    (None, None) if found.is_none() => {
                        // Without a URL nothing says that it is one that is called elsewhere.
                        is_one_silent |= url.is_empty();
                        silent.insert(url);
                        None
                    }
                    (subject, None) => subject,
                };
                about = about.or(subject.filter(|_| is_meant));
            }
        }
        is_one_silent |= silent.iter().any(|url| !called.contains(url));
        let Some(mut subject) = about.or_else(|| named.first().cloned()) else {
            return match has_silent || is_one_silent {
                true => Self::Unread(Unread::Referred),
                false => Self::Nobody,
            };
        };
        if subject.name.is_none() {
            // A reference may say the name of a patient who has none.
            let mut same = named
                .iter()
                .filter(|one| one.born == subject.born && one.ids == subject.ids);
            subject.name = same.find_map(|one| one.name.clone());
        }
        // Whoever is meant by a reference alone may be anybody else.
        subject.names_several =
            is_one_silent || named.iter().any(|other| other.is_other_than(&subject));
        Self::Person(subject)
    }
}
