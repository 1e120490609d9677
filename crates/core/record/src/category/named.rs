//! What a resource names within its bundle (FHIR R4, Bundle, "Resolving references in Bundles").

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Resources by where they stand: of two that are equal only one may be named.
pub(super) type Resources = BTreeSet<*const Value>;

/// What reports name as their results, and what these have as members.
pub(super) fn results(bundle: &Value) -> Resources {
    let mut all = Resources::new();
    for entries in bundles(bundle) {
        let mut next = entries.named_by("DiagnosticReport", |report| names(report, "result"));
        while let Some((at, one)) = next.pop() {
            // Of members in a circle each is taken once.
            if all.insert(one) {
                let members = names(one, "hasMember").into_iter();
                next.extend(members.filter_map(|name| entries.found(at, name)));
            }
        }
    }
    all
}

/// What compositions say that they document.
pub(super) fn events(bundle: &Value) -> Resources {
    let of = |composition| {
        let events = items(composition, "event");
        events.flat_map(|event| names(event, "detail")).collect()
    };
    let all = bundles(bundle).into_iter();
    let named = all.flat_map(|entries| entries.named_by("Composition", of));
    named.map(|(_, one)| core::ptr::from_ref(one)).collect()
}

/// A bundle, and those that are entries of it: no reference leads from one to another.
// Recursion is as deep as the tree, which readers bound.
fn bundles(bundle: &Value) -> Vec<Entries<'_>> {
    let mut all = vec![Entries::of(bundle)];
    let resources = items(bundle, "entry").map(|entry| &entry["resource"]);
    let within = resources.filter(|resource| resource["resourceType"] == "Bundle");
    all.extend(within.flat_map(bundles));
    all
}

/// A resource, and the number of the entry that it is or is contained in.
type Place<'v> = (usize, &'v Value);

/// Of several of one name nobody knows which is meant.
struct Names<'v, N>(BTreeMap<N, Option<Place<'v>>>);

impl<'v, N: Ord> Names<'v, N> {
    fn put(&mut self, name: N, place: Place<'v>) {
        self.0
            .entry(name)
            .and_modify(|it| *it = None)
            .or_insert(Some(place));
    }

    /// None if nothing has the name, else the one that has it, if it is one.
    fn found(&self, name: N) -> Option<Option<Place<'v>>> {
        self.0.get(&name).copied()
    }
}

/// The entries of one bundle.
struct Entries<'v> {
    all: Vec<&'v Value>,
    by_url: Names<'v, &'v str>,
    /// By server (none if it is not told), type and id.
    by_id: Names<'v, (Option<&'v str>, &'v str, &'v str)>,
    /// By type and id, whatever the server.
    anywhere: Names<'v, (&'v str, &'v str)>,
    contained: Names<'v, (usize, &'v str)>,
}

impl<'v> Entries<'v> {
    fn of(bundle: &'v Value) -> Self {
        let all: Vec<&Value> = items(bundle, "entry").collect();
        let mut by_url = Names(BTreeMap::new());
        let mut by_id = Names(BTreeMap::new());
        let mut anywhere = Names(BTreeMap::new());
        let mut contained = Names(BTreeMap::new());
        for (at, entry) in all.iter().copied().enumerate() {
            let resource = &entry["resource"];
            if let Some(url) = entry["fullUrl"].as_str() {
                by_url.put(of_resource(url), (at, resource));
            }
            if let (Some(kind), Some(id)) =
                (resource["resourceType"].as_str(), resource["id"].as_str())
            {
                by_id.put((server(entry), kind, id), (at, resource));
                anywhere.put((kind, id), (at, resource));
            }
            for one in items(resource, "contained") {
                if let Some(id) = one["id"].as_str() {
                    contained.put((at, id), (at, one));
                }
            }
        }
        Self {
            all,
            by_url,
            by_id,
            anywhere,
            contained,
        }
    }

    /// What the resources of this type name, those that are contained, too.
    fn named_by(&self, kind: &str, names: impl Fn(&'v Value) -> Vec<&'v str>) -> Vec<Place<'v>> {
        let mut all = Vec::new();
        for (at, entry) in self.all.iter().copied().enumerate() {
            let resource = &entry["resource"];
            let own = core::iter::once(resource).chain(items(resource, "contained"));
            let of_kind = own.filter(|one| one["resourceType"] == kind);
            let named = of_kind.flat_map(&names);
            all.extend(named.filter_map(|name| self.found(at, name)));
        }
        all
    }

    /// What a reference that stands in this entry leads to: by URL, by type and id on the same server, or contained there.
    fn found(&self, at: usize, reference: &'v str) -> Option<Place<'v>> {
        if let Some(id) = reference.strip_prefix('#') {
            return self.contained.found((at, id))?;
        }
        let plain = of_resource(reference);
        if let Some(found) = self.by_url.found(plain) {
            return found;
        }
        let (kind, id) = plain.split_once('/')?;
        let Some(server) = self.all.get(at).and_then(|entry| server(entry)) else {
            return self.anywhere.found((kind, id))?;
        };
        let here = self.by_id.found((Some(server), kind, id));
        here.or_else(|| self.by_id.found((None, kind, id)))?
    }
}

/// A reference or a URL without the version that it says.
fn of_resource(url: &str) -> &str {
    url.split("/_history/").next().unwrap_or_default()
}

/// The server that an entry is of: its URL without the type and the id of its resource; none if it is no such URL.
fn server(entry: &Value) -> Option<&str> {
    let url = of_resource(entry["fullUrl"].as_str()?);
    let url = url.strip_suffix(entry["resource"]["id"].as_str()?)?;
    let url = url.strip_suffix('/')?;
    url.strip_suffix(entry["resource"]["resourceType"].as_str()?)
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> + use<'v> {
    value[name].as_array().into_iter().flatten()
}

fn names<'v>(value: &'v Value, name: &str) -> Vec<&'v str> {
    let all = items(value, name);
    all.filter_map(|it| it["reference"].as_str()).collect()
}
