//! A resource under construction. It cannot be finished against its context: whose fact it is, whether it is denied and whether it
//! happened must have been heeded.

use medibloc_record::json::{Map, Text, Value};

use crate::{
    account::{Because, Facet, Fate, Taken, index, is_denied},
    context::{Mood, Statement, Subject, is_of_another},
    doc::{Doc, reference},
    language,
    statement::{VOID, device, outside, shape},
    xml::{N, attr, children, elements, relations},
};

/// Kinds of resource with what they need of a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tense {
    /// It happened, or is so.
    Happened,
    /// It is wanted.
    Wanted,
    /// Both can be said of it.
    Either,
}

/// The element that names the patient.
fn patient_in(kind: &str) -> &'static str {
    match kind {
        "AllergyIntolerance" | "Immunization" | "FamilyMemberHistory" | "Consent" | "Device" => {
            "patient"
        }
        "Coverage" => "beneficiary",
        _ => "subject",
    }
}

fn tense(kind: &str) -> Tense {
    match kind {
        "ServiceRequest" | "MedicationRequest" | "Appointment" | "SupplyRequest"
        | "NutritionOrder" | "DeviceRequest" => Tense::Wanted,
        "Encounter"
        | "Goal"
        | "DocumentReference"
        | "CarePlan"
        | "CareTeam"
        | "Coverage"
        | "Consent"
        | "Device"
        | "ImmunizationRecommendation" => Tense::Either,
        _ => Tense::Happened,
    }
}

const OTHER_PERSON: Because =
    "it is about another person than the patient, and no resource of that kind can say so";
/// Participations of things (HL7 v3 `ParticipationType`).
const THINGS: &[&str] = &["DEV", "PRD", "DIR", "NRD", "RDV"];

/// Whether a statement is narrowed by something that no resource of that kind can name.
fn never_named(kind: &str, node: N<'_>) -> bool {
    let is_thing =
        |part: &N<'_>| attr(*part, "typeCode").is_some_and(|kind| THINGS.contains(&kind));
    let has = |name| children(node, name).any(|part| is_narrowing(part));
    let mut things = children(node, "participant").filter(is_thing);
    let state = crate::xml::child(node, "statusCode").and_then(crate::value::code::state);
    state != Some("nullified")
        && match kind {
            "Procedure" => {
                has("specimen") || things.any(|part| is_narrowing(part) && !device::has_sort(part))
            }
            "ServiceRequest" => has("specimen") || has("methodCode") || things.any(is_narrowing),
            "Observation" => things.any(is_narrowing),
            _ => false,
        }
}

/// Whether something is said of a part of a statement, if only a number.
fn is_narrowing(part: N<'_>) -> bool {
    let mut ids = part
        .descendants()
        .filter(|one| one.tag_name().name() == "id");
    shape::is_said(part) || ids.any(|id| attr(id, "extension").is_some())
}

const RISK: Because = "the patient is at risk of it, and no resource of that kind can say so";
/// Kinds that say that the patient has something.
const FACTS_OF_ILLNESS: &[&str] = &["Condition", "AllergyIntolerance"];
const DENIED: Because = "the source denies it, and FHIR has no form for that here";
const NARROWED: Because =
    "the source denies it of one thing, site, way or dose, and the resource would deny it of all";
const UNRELATED: Because =
    "the source denies the relation, and says nothing of what is at its other end by itself";
const PLANNED: Because =
    "it did not happen: it is planned, hoped for or possible, and FHIR has no form for that here";
/// Statuses of what was not done.
pub(crate) const NOT_DONE: &[&str] = &["not-done", "not-taken", "declined"];
/// FHIR's word for a statement that should never have been made.
const WITHDRAWN: &str = "entered-in-error";
const HAPPENED: Because = "it happened, and no plan can say so";

/// A resource under construction.
#[derive(Debug)]
pub(crate) struct Resource<'d> {
    kind: &'static str,
    pub(crate) body: Map,
    taken: Vec<(Taken, &'static str)>,
    /// The statement that is denied, until somebody heeded it.
    denied: Option<N<'d>>,
    /// Whether what it says is that something is not so.
    is_denial: bool,
    source: Option<N<'d>>,
}

impl<'d> Resource<'d> {
    /// A resource of a statement.
    ///
    /// # Errors
    /// If a resource of this kind cannot say whose fact it is, or whether it happened.
    pub(crate) fn of(
        kind: &'static str,
        of: &Statement<'d>,
        doc: &Doc<'d>,
    ) -> Result<Self, Because> {
        if of.is_void() {
            return Err(VOID);
        }
        match (tense(kind), of.mood()) {
            (Tense::Happened, Mood::Event) | (Tense::Either, _) => {}
            (Tense::Happened, _) | (Tense::Wanted, Mood::Other | Mood::Goal) => {
                return Err(PLANNED);
            }
            (Tense::Wanted, Mood::Event) => return Err(HAPPENED),
            (Tense::Wanted, _) => {}
        }
        if of.is_risk() && FACTS_OF_ILLNESS.contains(&kind) {
            return Err(RISK);
        }
        // Before anybody is made who took part in it.
        if of.is_denied() && never_named(kind, of.node) {
            return Err(NARROWED);
        }
        let mut out = Self::plain(kind, Some(of.node));
        match of.subject() {
            Subject::Patient if !is_of_another(of.node) => {}
            Subject::Relative(_) if kind == "FamilyMemberHistory" => {}
            Subject::Relative(subject) | Subject::Other(subject) if kind == "Observation" => {
                let focus = crate::people::other(subject, doc);
                let mark = doc.account.put();
                out.taken.extend(mark.into_iter().map(|one| (one, "focus")));
                out.body
                    .insert("focus".into(), Value::Array(vec![reference(&focus)]));
            }
            _ => return Err(OTHER_PERSON),
        }
        if !matches!(kind, "Device") || of.mood() == Mood::Event {
            out.body
                .insert(patient_in(kind).into(), reference(&doc.patient()));
        }
        out.speak(doc, of);
        out.denied = of.is_denied().then_some(of.node);
        doc.account.take(of.node);
        out.settle(doc, "");
        for (_, other) in relations(of.node).filter(|(link, _)| is_denied(*link)) {
            doc.account.because(other, Fate::Lost(UNRELATED));
        }
        out.point_to_words(doc, of.node);
        Ok(out)
    }

    /// A resource that is no statement: a person, a place, an organization.
    pub(crate) fn plain(kind: &'static str, source: Option<N<'d>>) -> Self {
        Self {
            kind,
            body: Map::new(),
            taken: Vec::new(),
            denied: None,
            is_denial: false,
            source,
        }
    }

    fn settle(&mut self, doc: &Doc<'d>, element: &'static str) {
        let taken = doc.account.put();
        self.taken
            .extend(taken.into_iter().map(|one| (one, element)));
    }

    /// Puts a value, and says that what was taken for it is there now.
    pub(crate) fn put(
        &mut self,
        doc: &Doc<'d>,
        element: &'static str,
        value: Option<impl Into<Value>>,
    ) -> bool {
        let Some(value) = value else {
            doc.account.let_go();
            return false;
        };
        self.settle(doc, element);
        self.body.insert(element.into(), value.into());
        true
    }

    /// Puts what is said of an element that has no value.
    pub(crate) fn put_beside(
        &mut self,
        doc: &Doc<'d>,
        element: &'static str,
        value: Value,
    ) -> bool {
        self.settle(doc, element);
        self.body.insert(format!("_{element}").into(), value);
        true
    }

    /// Adds to a list.
    pub(crate) fn push(
        &mut self,
        doc: &Doc<'d>,
        element: &'static str,
        value: Option<impl Into<Value>>,
    ) -> bool {
        let Some(value) = value else {
            doc.account.let_go();
            return false;
        };
        self.settle(doc, element);
        let value = value.into();
        let list = self
            .body
            .entry(element)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list
            && !list.contains(&value)
        {
            list.push(value);
        }
        true
    }

    /// Adds several to a list.
    pub(crate) fn push_all(&mut self, doc: &Doc<'d>, element: &'static str, values: Vec<Value>) {
        self.settle(doc, element);
        for value in values {
            self.push(doc, element, Some(value));
        }
    }

    /// What the kind of the resource says by itself.
    pub(crate) fn says(&mut self, doc: &Doc<'d>, node: Option<N<'d>>) {
        let Some(node) = node else { return };
        doc.account.take(node);
        self.settle(doc, "");
    }

    pub(crate) fn has(&self, element: &str) -> bool {
        self.body.contains_key(element)
    }

    /// Heeds the denial by what the resource says now: refuted, not done, not taken.
    pub(crate) fn denied(&mut self, doc: &Doc<'d>, element: &'static str, value: impl Into<Value>) {
        if let Some(node) = self.denied.take() {
            self.is_denial = true;
            doc.account.take_denial(node);
        }
        self.put(doc, element, Some(value));
    }

    pub(crate) fn is_denied(&self) -> bool {
        self.denied.is_some()
    }

    /// Puts the status, or the one that heeds the denial. A statement that was withdrawn was so as a denial, too.
    pub(crate) fn put_status(&mut self, doc: &Doc<'d>, state: &'static str, denied: &'static str) {
        if !self.is_denied() {
            self.put(doc, "status", Some(state));
        } else if state == WITHDRAWN {
            self.denied(doc, "status", state);
        } else {
            self.denied(doc, "status", denied);
        }
    }

    /// Whether its status says that something was not done, which a statement that was withdrawn does not say.
    pub(crate) fn is_not_done(&self) -> bool {
        let status = self.body.get("status").and_then(Value::as_str);
        status.is_some_and(|status| NOT_DONE.contains(&status))
    }

    /// Goes on only if no denial is left that nobody heeded, before anything is made that stands for itself.
    ///
    /// # Errors
    /// If the source denies what it says.
    pub(crate) fn heeded(&self) -> Result<(), Because> {
        if self.is_denied() {
            Err(DENIED)
        } else {
            Ok(())
        }
    }

    /// Whether the source denies it of a device, a product, a site, a way or a dose that the resource does not name: then the
    /// resource would deny more than the source does.
    fn denies_more(&self) -> bool {
        const NARROWING: &[&str] = &[
            "targetSiteCode",
            "approachSiteCode",
            "methodCode",
            "specimen",
            "consumable",
            "product",
            "doseQuantity",
            "rateQuantity",
            "routeCode",
        ];
        let is_withdrawn = self.body.get("status").and_then(Value::as_str) == Some(WITHDRAWN);
        let Some(node) = self.source.filter(|_| !is_withdrawn) else {
            return false;
        };
        let is_told = |part: N<'d>| part.descendants().any(|one| self.names(one));
        elements(node)
            .filter(|part| match part.tag_name().name() {
                "participant" => attr(*part, "typeCode").is_some_and(|kind| THINGS.contains(&kind)),
                name => NARROWING.contains(&name),
            })
            .any(|part| is_narrowing(part) && !is_told(part))
    }

    /// Whether something of a node is in one of its elements.
    fn names(&self, node: N<'_>) -> bool {
        let own = (index(node), Facet::Itself);
        self.taken.iter().any(|(one, _)| *one == own)
    }

    /// Adds it to the bundle and gives its full URL.
    ///
    /// # Errors
    /// If the source denies what it says, or denies less than it would say.
    pub(crate) fn add(self, doc: &Doc<'d>) -> Result<String, Because> {
        self.heeded()?;
        if self.is_denial && self.denies_more() {
            return Err(NARROWED);
        }
        let source = self.source;
        let url = doc.add(self.kind, source, self.body, self.taken);
        if let Some(node) = source {
            doc.account.aside(|| outside::of_resource(doc, node, &url));
        }
        Ok(url)
    }
}

impl<'d> Resource<'d> {
    /// Adds it, or what is new of it to the one that has this key, and gives the full URL.
    pub(crate) fn join(self, doc: &Doc<'d>, key: Option<String>) -> String {
        doc.add_or_join(self.kind, key, self.source, self.body, self.taken)
    }
}

impl Resource<'_> {
    /// Its elements, and what was taken for them.
    pub(crate) fn parts(self) -> (Map, Vec<(Taken, &'static str)>) {
        (self.body, self.taken)
    }
}

impl<'d> Resource<'d> {
    /// Comments as notes, where the kind has such an element.
    pub(crate) fn settle_relations(&mut self, doc: &Doc<'d>, of: &Statement<'d>) {
        const SILENT: &[&str] = &[
            "Encounter",
            "Coverage",
            "Consent",
            "DocumentReference",
            "DiagnosticReport",
            "Appointment",
        ];
        if !SILENT.contains(&self.kind) {
            // Where the statement's own words have an element of their own, they are no note.
            let spoken = [
                "Goal",
                "MedicationStatement",
                "MedicationRequest",
                "MedicationAdministration",
            ];
            let notes = crate::statement::notes(doc, of, !spoken.contains(&self.kind));
            self.put(doc, "note", notes);
        }
    }
}

impl<'d> Resource<'d> {
    pub(crate) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(crate) fn source(&self) -> Option<N<'d>> {
        self.source
    }

    /// An element of a resource that this one takes over; whether it is told then.
    pub(crate) fn join_element(&mut self, key: Text, value: Value) -> bool {
        match (self.body.get_mut(&key), value) {
            (Some(Value::Array(old)), Value::Array(new)) => {
                for one in new {
                    if !old.contains(&one) {
                        old.push(one);
                    }
                }
                true
            }
            (Some(old), value) => *old == value,
            (None, value) => {
                self.body.insert(key, value);
                true
            }
        }
    }

    pub(crate) fn take_over(&mut self, taken: impl Iterator<Item = (Taken, &'static str)>) {
        self.taken.extend(taken);
    }
}

impl<'d> Resource<'d> {
    /// Says of which language it is, if that is not the document's.
    fn speak(&mut self, doc: &Doc<'d>, of: &Statement<'d>) {
        let Some(found) = of.context.language.and_then(language::of) else {
            return;
        };
        self.says(doc, crate::xml::child(of.node, "languageCode"));
        if Some(&found) != language::of(doc.root).as_ref() {
            self.body.insert("language".into(), found.into());
        }
    }

    /// Says which words of the narrative are the statement's.
    fn point_to_words(&mut self, doc: &Doc<'d>, node: N<'d>) {
        let Some(text) = crate::xml::child(node, "text") else {
            return;
        };
        let Some(pointer) = crate::xml::child(text, "reference") else {
            return;
        };
        let id = attr(pointer, "value").map(|id| id.trim_start_matches('#'));
        let Some(id) = id.filter(|id| {
            doc.anchor(id).is_some_and(crate::narrative::is_written) && crate::doc::is_name(id)
        }) else {
            return;
        };
        doc.account.take(text);
        doc.account.take(pointer);
        let link = crate::json::json!({
            "url": "http://hl7.org/fhir/StructureDefinition/narrativeLink",
            "valueUrl": doc.narrative_url(id),
        });
        self.push(doc, "extension", Some(link));
    }
}
