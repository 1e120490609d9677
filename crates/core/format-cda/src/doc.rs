//! The document on its way: anchors of the narrative, resources made so far with deterministic ids, and the account.

mod identity;
mod named;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use medibloc_record::json::{Map, Value};

pub(crate) use identity::{is_name, key_of, reference};
use identity::{join, resource, uuid};

use crate::{
    account::{Account, Fate, Taken},
    local, people,
    value::code,
    xml::N,
};

/// Elements by their ids.
pub(crate) type Anchors<'d> = HashMap<&'d str, N<'d>>;

pub(crate) struct Doc<'d> {
    pub(crate) root: N<'d>,
    pub(crate) account: Account,
    seed: String,
    pub(crate) anchors: Rc<Anchors<'d>>,
    /// Words of anchors that were asked for.
    words: RefCell<HashMap<u32, Option<Rc<str>>>>,
    /// Bytes of the narrative that values may still repeat.
    words_left: Cell<usize>,
    patient: OnceCell<String>,
    stay: OnceCell<String>,
    /// Id of the composition, whose narrative values point to.
    composition: String,
    /// Numbers of statements that say more than which one they are.
    told: HashSet<String>,
    /// Who is described under which number.
    described: OnceCell<people::Described<'d>>,
    /// Which statements point to which words.
    quoting: OnceCell<code::Quoting<'d>>,
    /// What the names of all medicines and vaccines begin with.
    products: OnceCell<HashSet<String>>,
    state: RefCell<State<'d>>,
}

#[derive(Default)]
struct State<'d> {
    counter: usize,
    used: HashSet<String>,
    entries: Vec<Value>,
    /// Place of a resource by what tells people, places and visits apart.
    known: HashMap<String, usize>,
    urls: Vec<String>,
    /// Kind and URL of what became resources, by their first ids.
    ids: HashMap<String, (&'static str, String)>,
    /// Statements that name others: the resource around, the relation, and the statement.
    pointers: Vec<(String, String, N<'d>)>,
    /// Places of what was made since the last [`Doc::made`].
    made: Vec<usize>,
    /// What each resource was made of, by URL.
    sources: HashMap<String, N<'d>>,
    /// What acts hold that say nothing themselves, by their numbers: kind and URL of each.
    acts: HashMap<String, Vec<(&'static str, String)>>,
    /// What says how far a goal was reached, with what it stands in.
    progress: Vec<(String, String)>,
    /// What concerns are about, by the first of it.
    concerned: HashMap<String, Vec<(String, N<'d>)>>,
    joined: Vec<Value>,
    houses: Vec<String>,
    /// What is in the composition, which is made last.
    composition: Vec<(Taken, &'static str)>,
    /// URLs of people and places that a further conversion gives again, by what it makes of which node.
    same: HashMap<(&'static str, u32), Option<String>>,
}

impl<'d> Doc<'d> {
    pub(crate) fn new(root: N<'d>, nodes: usize, length: usize, seed: String) -> Self {
        let anchors: Anchors<'d> = root
            .descendants()
            .filter_map(|node| Some((node.attribute("ID")?.trim(), node)))
            .collect();
        let composition = uuid(&["Composition", &seed, "1"]);
        Self {
            root,
            composition,
            account: Account::new(nodes),
            seed,
            anchors: Rc::new(anchors),
            words: RefCell::default(),
            words_left: Cell::new(2 * length + (64 << 10)),
            patient: OnceCell::new(),
            stay: OnceCell::new(),
            told: root
                .descendants()
                .filter(|node| crate::xml::is_statement(*node))
                .filter(|node| !crate::statement::relation::is_bare(*node))
                .filter_map(key_of)
                .collect(),
            described: OnceCell::new(),
            quoting: OnceCell::new(),
            products: OnceCell::new(),
            state: RefCell::default(),
        }
    }

    /// Who is described under which number, read when somebody asks for it.
    pub(crate) fn described(&self) -> &people::Described<'d> {
        self.described.get_or_init(|| people::described(self.root))
    }

    /// Which statements point to which words, read when somebody asks for it.
    pub(crate) fn quoting(&self) -> &code::Quoting<'d> {
        self.quoting.get_or_init(|| code::quoting(self.root))
    }

    /// What the names of all medicines and vaccines begin with, read when somebody asks for it.
    pub(crate) fn products(&self) -> &HashSet<String> {
        self.products.get_or_init(|| code::products(self.root))
    }

    /// The element of the narrative with this id.
    pub(crate) fn anchor(&self, id: &str) -> Option<N<'d>> {
        self.anchors.get(id.trim().trim_start_matches('#')).copied()
    }

    /// The words of the element of the narrative with this id; none if it has none, or none that were not struck out.
    pub(crate) fn words_at(&self, id: &str) -> Option<Rc<str>> {
        let node = self.anchor(id)?;
        let mut known = self.words.borrow_mut();
        let words = known.entry(node.id().get()).or_insert_with(|| {
            let is_said = !crate::xml::is_within_struck(node);
            is_said.then(|| crate::xml::text(node))?.map(Into::into)
        });
        words.clone()
    }

    /// Where the composition's narrative has this id.
    pub(crate) fn narrative_url(&self, id: &str) -> String {
        format!(
            "urn:uuid:{}#{}",
            self.composition,
            id.trim().trim_start_matches('#')
        )
    }

    /// Whether values may repeat that much text: what many entries point to is not repeated for each.
    pub(crate) fn may_repeat(&self, bytes: usize) -> bool {
        let left = self.words_left.get();
        self.words_left.set(left.saturating_sub(bytes));
        bytes <= left
    }

    /// Full URL of the patient.
    pub(crate) fn patient(&self) -> String {
        self.patient.get().cloned().unwrap_or_default()
    }

    pub(crate) fn set_patient(&self, url: String) {
        let _ = self.patient.set(url);
    }

    /// A uuid from the source's identity: its own id if it has one, else its place in the document.
    fn uuid(&self, kind: &str, source: Option<N<'d>>) -> String {
        let mut state = self.state.borrow_mut();
        let own = source.and_then(|node| key_of(node));
        state.counter += 1;
        let count = state.counter.to_string();
        let place = || uuid(&[kind, &self.seed, &count]);
        let first = own.map_or_else(place, |own| uuid(&[kind, &own]));
        let id = if state.used.contains(&first) {
            place()
        } else {
            first
        };
        state.used.insert(id.clone());
        id
    }

    /// Adds a resource and gives its full URL.
    pub(crate) fn add(
        &self,
        kind: &'static str,
        source: Option<N<'d>>,
        mut body: Map,
        taken: Vec<(Taken, &'static str)>,
    ) -> String {
        body.shrink();
        let id = self.uuid(kind, source);
        let url = ["urn:uuid:", &id].concat();
        let mut state = self.state.borrow_mut();
        if let Some(key) = source.and_then(key_of) {
            state.ids.entry(key).or_insert((kind, url.clone()));
        }
        let at = state.entries.len();
        state.entries.push(resource(kind, id, url.clone(), body));
        state.urls.push(url.clone());
        if let Some(source) = source {
            state.sources.insert(url.clone(), source);
        }
        state.made.push(at);
        drop(state);
        self.carried(at, taken);
        url
    }

    fn carried(&self, at: usize, taken: Vec<(Taken, &'static str)>) {
        let resource = u32::try_from(at).unwrap_or(u32::MAX);
        self.account.settle(
            taken
                .into_iter()
                .map(|(one, element)| (one, Fate::Carried { resource, element })),
        );
    }

    /// Adds a resource that may be known by this key already: then what is new of it is added to the known one.
    pub(crate) fn add_or_join(
        &self,
        kind: &'static str,
        key: Option<String>,
        source: Option<N<'d>>,
        body: Map,
        taken: Vec<(Taken, &'static str)>,
    ) -> String {
        let key = key.map(|key| [kind, "|", &key].concat());
        let known = key
            .as_ref()
            .and_then(|key| self.state.borrow().known.get(key).copied());
        if let Some(at) = known {
            let mut state = self.state.borrow_mut();
            let mut refused = HashSet::new();
            if let Some(Value::Object(resource)) = state.entries[at].get_mut("resource") {
                for (name, value) in body {
                    // What is known now is no longer absent.
                    let why_absent = format!("_{name}");
                    if !resource.contains_key(&name) && !name.starts_with('_') {
                        resource.remove(&why_absent);
                    }
                    let known = name
                        .strip_prefix('_')
                        .is_some_and(|known| resource.contains_key(known));
                    if known || !join(resource, name.clone(), value) {
                        refused.insert(name);
                    }
                }
            }
            let url = state.urls[at].clone();
            drop(state);
            let taken = taken
                .into_iter()
                .filter(|(_, element)| !refused.contains(*element));
            self.carried(at, taken.collect());
            return url;
        }
        let url = self.add(kind, source, body, taken);
        if let Some(key) = key {
            let mut state = self.state.borrow_mut();
            let at = state.entries.len() - 1;
            state.known.insert(key, at);
        }
        url
    }

    /// How many resources there are.
    pub(crate) fn many(&self) -> usize {
        self.state.borrow().entries.len()
    }

    /// What [`Doc::stays`] was told of a node.
    pub(crate) fn same(&self, what: &'static str, node: N<'d>) -> Option<Option<String>> {
        self.state
            .borrow()
            .same
            .get(&(what, node.id().get()))
            .cloned()
    }

    /// A further conversion of this node changes nothing, and gives this.
    pub(crate) fn stays(&self, what: &'static str, node: N<'d>, url: Option<String>) {
        let key = (what, node.id().get());
        self.state.borrow_mut().same.insert(key, url);
    }

    /// Whether a resource of that kind has this key.
    pub(crate) fn is_known(&self, kind: &str, key: &str) -> bool {
        self.state
            .borrow()
            .known
            .contains_key(&format!("{kind}|{key}"))
    }

    /// Full URL of the resource of that kind that has this key.
    pub(crate) fn known(&self, kind: &str, key: &str) -> Option<String> {
        let state = self.state.borrow();
        let at = *state.known.get(&format!("{kind}|{key}"))?;
        state.urls.get(at).cloned()
    }

    /// A further key of a resource; the first resource that has a key keeps it.
    pub(crate) fn also_known(&self, kind: &str, key: &str, url: &str) {
        let mut state = self.state.borrow_mut();
        if let Some(at) = state.urls.iter().rposition(|one| one == url) {
            state.known.entry(format!("{kind}|{key}")).or_insert(at);
        }
    }

    /// Whether a resource that was added says that it is not so, or was never said.
    pub(crate) fn is_refuted(&self, url: &str) -> bool {
        let state = self.state.borrow();
        let at = state.urls.iter().rposition(|one| one == url);
        at.and_then(|at| {
            let status = &state.entries[at]["resource"]["verificationStatus"];
            status["coding"][0]["code"].as_str()
        })
        .is_some_and(|code| ["refuted", "entered-in-error"].contains(&code))
    }

    /// What a resource was made of.
    pub(crate) fn source(&self, url: &str) -> Option<N<'d>> {
        self.state.borrow().sources.get(url).copied()
    }

    /// Full URL of the visit that the header tells of.
    pub(crate) fn stay(&self) -> Option<String> {
        self.stay.get().cloned()
    }

    pub(crate) fn set_stay(&self, url: &str) {
        let _ = self.stay.set(url.to_owned());
    }

    /// A concern is about all of these, of which the first stands for it.
    pub(crate) fn concerns(&self, first: &str, all: Vec<(String, N<'d>)>) {
        let mut state = self.state.borrow_mut();
        state.concerned.insert(first.to_owned(), all);
    }

    /// All that a concern is about, by the first of them.
    pub(crate) fn concerned(&self, first: &str) -> Option<Vec<(String, N<'d>)>> {
        self.state.borrow().concerned.get(first).cloned()
    }

    /// A house or device that said something of the entry in work: its provenance names it.
    pub(crate) fn add_house(&self, url: &str) {
        self.state.borrow_mut().houses.push(url.to_owned());
    }

    /// The houses of the entry in work.
    pub(crate) fn houses(&self) -> Vec<String> {
        core::mem::take(&mut self.state.borrow_mut().houses)
    }

    /// What was joined of several observations of the panel in work: a blood pressure, say.
    pub(crate) fn add_joined(&self, url: &str) {
        self.state.borrow_mut().joined.push(reference(url));
    }

    /// All that was joined of the panel in work.
    pub(crate) fn joined(&self) -> Vec<Value> {
        core::mem::take(&mut self.state.borrow_mut().joined)
    }

    /// What was taken is in the composition.
    pub(crate) fn in_composition(&self, element: &'static str) {
        let taken = self.account.put();
        self.state
            .borrow_mut()
            .composition
            .extend(taken.into_iter().map(|one| (one, element)));
    }

    /// Changes a resource that was added.
    pub(crate) fn change(&self, url: &str, element: &'static str, change: impl FnOnce(&mut Map)) {
        let taken = self.account.put();
        let mut state = self.state.borrow_mut();
        let Some(at) = state.urls.iter().rposition(|one| one == url) else {
            return;
        };
        if let Some(Value::Object(resource)) = state.entries[at].get_mut("resource") {
            change(resource);
        }
        drop(state);
        self.carried(at, taken.into_iter().map(|one| (one, element)).collect());
    }

    /// Whether a statement with this id says more than which one it is, anywhere in the document.
    pub(crate) fn is_told(&self, key: &str) -> bool {
        self.told.contains(key)
    }

    /// Kind and full URL of the resource that a statement with this id became.
    pub(crate) fn of_id(&self, key: &str) -> Option<(&'static str, String)> {
        self.state.borrow().ids.get(key).cloned()
    }

    /// A statement with this id stands around that of a resource, and is about it alone.
    pub(crate) fn is_about(&self, key: String, kind: &'static str, url: &str) {
        let mut state = self.state.borrow_mut();
        state.ids.entry(key).or_insert((kind, url.to_owned()));
    }

    /// A statement inside that of a resource names another one.
    pub(crate) fn point(&self, around: &str, relation: &str, node: N<'d>) {
        let pointer = (around.to_owned(), relation.to_owned(), node);
        self.state.borrow_mut().pointers.push(pointer);
    }

    /// All statements that name others, since the last call.
    pub(crate) fn pointers(&self) -> Vec<(String, String, N<'d>)> {
        core::mem::take(&mut self.state.borrow_mut().pointers)
    }

    /// Whether a resource that was added is of one of these kinds.
    pub(crate) fn is_of(&self, url: &str, kinds: &[&str]) -> bool {
        let state = self.state.borrow();
        let at = state.urls.iter().rposition(|one| one == url);
        at.and_then(|at| state.entries[at]["resource"]["resourceType"].as_str())
            .is_some_and(|kind| kinds.contains(&kind))
    }

    /// Whether a resource that was added has this element.
    pub(crate) fn has(&self, url: &str, element: &str) -> bool {
        let state = self.state.borrow();
        let at = state.urls.iter().rposition(|one| one == url);
        at.is_some_and(|at| state.entries[at]["resource"].get(element).is_some())
    }

    /// An element of a resource that was added.
    pub(crate) fn element(&self, url: &str, element: &str) -> Option<Value> {
        let state = self.state.borrow();
        let at = state.urls.iter().rposition(|one| one == url)?;
        state.entries[at]["resource"].get(element).cloned()
    }

    /// Whether a visit that was added has yet to come.
    pub(crate) fn is_planned(&self, url: &str) -> bool {
        let state = self.state.borrow();
        let at = state.urls.iter().rposition(|one| one == url);
        at.is_some_and(|at| state.entries[at]["resource"]["status"] == "planned")
    }

    /// Kind and full URL of all that was made since the last call.
    pub(crate) fn made(&self) -> Vec<(String, String)> {
        let mut state = self.state.borrow_mut();
        let made = core::mem::take(&mut state.made);
        let kind = |at: usize| {
            state.entries[at]["resource"]["resourceType"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        made.into_iter()
            .map(|at| (kind(at), state.urls[at].clone()))
            .collect()
    }

    /// Bundle entries: the composition first, then everything else in order of the source; and `Type/id` of all, in order of
    /// their making, with the bundle itself as the last.
    pub(crate) fn finish(
        self,
        mut composition: Map,
        taken: Vec<(Taken, &'static str)>,
        of_bundle: Vec<Taken>,
    ) -> (Vec<Value>, Vec<String>, Account) {
        let id = self.composition;
        let mut state = self.state.into_inner();
        let whole = state.entries.iter_mut();
        for one in whole.filter_map(|entry| entry["resource"].as_object_mut()) {
            local::lift(one);
        }
        local::lift(&mut composition);
        let name = |entry: &Value| {
            let resource = &entry["resource"];
            let part = |name: &str| resource[name].as_str().unwrap_or_default();
            [part("resourceType"), "/", part("id")].concat()
        };
        let mut names: Vec<String> = state.entries.iter().map(name).collect();
        let at = u32::try_from(names.len()).unwrap_or(u32::MAX);
        let taken = taken.into_iter().chain(state.composition.iter().copied());
        let carried = |resource, element| Fate::Carried { resource, element };
        self.account
            .settle(taken.map(|(one, element)| (one, carried(at, element))));
        let identifies = |one| (one, carried(at.saturating_add(1), "identifier"));
        self.account.settle(of_bundle.into_iter().map(identifies));
        names.push(format!("Composition/{id}"));
        names.push("Bundle".to_owned());
        let url = ["urn:uuid:", &id].concat();
        let mut all = Vec::with_capacity(1 + state.entries.len());
        all.push(resource("Composition", id, url, composition));
        all.extend(state.entries);
        (all, names, self.account)
    }
}
