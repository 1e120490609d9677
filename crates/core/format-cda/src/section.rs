//! Sections: narrative, coded entries, who wrote them, and from which bytes each came.

use std::collections::HashSet;

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Facet, Fate},
    context::Context,
    doc::{Doc, reference},
    json::json,
    language, narrative, people,
    resource::Resource,
    statement,
    value::{absent, code, list, put, text, time},
    xml::{N, SDTC, attr, child, children, elements, is_statement},
};

const AGENTS: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

pub(crate) type Span<'s> = dyn Fn(N<'_>) -> (u64, u64) + 's;

/// What every section needs of the document.
pub(crate) struct Whole<'s> {
    pub(crate) author: String,
    pub(crate) written: Option<String>,
    pub(crate) span: &'s Span<'s>,
}

/// The composition's sections; a body that is not XML becomes one.
pub(crate) fn all<'d>(doc: &Doc<'d>, whole: &Whole<'_>) -> Vec<Value> {
    let context = Context::of_document(doc.root);
    let mut out = Vec::new();
    for component in children(doc.root, "component") {
        out.extend(below(doc, component, context, whole));
    }
    out
}

/// The sections below, in order, whatever stands between.
fn below<'d>(doc: &Doc<'d>, node: N<'d>, context: Context<'d>, whole: &Whole<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    for part in elements(node).filter(|part| part.tag_name().namespace() != Some(SDTC)) {
        match part.tag_name().name() {
            "section" => out.push(one(doc, part, context.of_section(part), whole)),
            "component" => out.extend(below(doc, part, context, whole)),
            "structuredBody" => out.extend(below(doc, part, context.of_body(part), whole)),
            "nonXMLBody" => out.extend(unstructured(doc, part)),
            _ => {}
        }
    }
    out
}

/// The statements of a section, each with the entry that it alone stands in, or else with itself.
fn stated<'d>(section: N<'d>) -> impl Iterator<Item = (N<'d>, N<'d>)> {
    let inner = |entry: N<'d>| elements(entry).filter(|inner| is_statement(*inner));
    elements(section).flat_map(move |part| {
        let is_entry = part.tag_name().name() == "entry";
        let is_alone = is_entry && inner(part).take(2).count() == 1;
        let own = is_statement(part).then_some((part, part));
        let all = inner(part).filter(move |_| is_entry);
        let all = all.map(move |one| (if is_alone { part } else { one }, one));
        own.into_iter().chain(all)
    })
}

fn one<'d>(doc: &Doc<'d>, node: N<'d>, context: Context<'d>, whole: &Whole<'_>) -> Value {
    let text = child(node, "text").and_then(|text| narrative::narrative(doc, text));
    let (mut links, mut linked) = (Vec::new(), HashSet::new());
    let mut link = |url: &str| {
        if linked.insert(url.to_owned()) {
            links.push(reference(url));
        }
    };
    let _ = (doc.made(), doc.houses());
    for (entry, stated) in stated(node) {
        let statement = context.enter(stated);
        let stated_again = match statement::convert(doc, &statement) {
            Ok(known) => known.map(|(_, url)| url),
            Err(because) => {
                doc.account.because(stated, Fate::Lost(because));
                None
            }
        };
        let made = doc.made();
        let stated_here = |kind: &str| {
            !matches!(
                kind,
                "Practitioner" | "PractitionerRole" | "Organization" | "Location" | "RelatedPerson"
            )
        };
        let own = made.iter().filter(|(kind, _)| stated_here(kind));
        let own: Vec<&str> = own.map(|(_, url)| url.as_str()).collect();
        if own.is_empty() {
            // It was told before.
            stated_again.as_deref().into_iter().for_each(&mut link);
            continue;
        }
        let targets: Vec<Value> = own.iter().map(|url| reference(url)).collect();
        provenance(doc, entry, &targets, &statement, whole);
        own.into_iter().for_each(&mut link);
    }
    let mut out = Map::new();
    let title = child(node, "title").and_then(|title| {
        let words = crate::xml::text(title)?;
        doc.account.take(title);
        Some(words)
    });
    put(&mut out, "title", title);
    put(
        &mut out,
        "code",
        child(node, "code").and_then(|code| code::concept(doc, code)),
    );
    // It is the language of the text and of what stands in it.
    if language::of(node).is_some()
        && let Some(code) = child(node, "languageCode")
    {
        doc.account.take(code);
    }
    let authors = children(node, "author").filter_map(|author| people::author(doc, author));
    put(
        &mut out,
        "author",
        people::references(authors.collect::<Vec<_>>()),
    );
    let inner = below(doc, node, context, whole);
    let bare = text.is_none() && links.is_empty() && inner.is_empty();
    put(
        &mut out,
        "text",
        text.or_else(|| bare.then(narrative::empty)),
    );
    // `cmp-2`: what has no entries may say why, also in words.
    if links.is_empty() && inner.is_empty() {
        put(
            &mut out,
            "emptyReason",
            attr(node, "nullFlavor").and_then(empty_reason),
        );
    }
    put(&mut out, "entry", list(links));
    put(&mut out, "section", list(inner));
    doc.in_composition("section");
    Value::Object(out)
}

/// Why a section is empty (`list-empty-reason`).
fn empty_reason(flavor: &str) -> Option<Value> {
    let code = match flavor {
        "NI" | "UNK" | "NAV" => "unavailable",
        "NASK" => "notasked",
        "MSK" => "withheld",
        _ => return None,
    };
    Some(code::coded(
        "http://terminology.hl7.org/CodeSystem/list-empty-reason",
        code,
    ))
}

/// Says from which bytes of the original the resources came, and who says so.
fn provenance<'d>(
    doc: &Doc<'d>,
    entry: N<'d>,
    targets: &[Value],
    statement: &crate::context::Statement<'d>,
    whole: &Whole<'_>,
) {
    // What has authors of its own around it is told by itself, and so is what has informants: each overrides its own kind alone (CDA
    // R2, section 4.4).
    let mut all: Vec<(Tellers<'d>, &Value)> = Vec::new();
    let mut is_itself = false;
    for target in targets {
        let node = doc.source(target["reference"].as_str().unwrap_or_default());
        is_itself |= node == Some(statement.node);
        all.push((Tellers::around(node, entry, statement), target));
    }
    // A concern is written by somebody, too, and its resources are those of what it is about, not of what is said of that.
    if child(statement.node, "author").is_some() && !is_itself {
        let written = all.iter().filter(|(tellers, target)| {
            tellers.authors.is_some() && is_of_concern(doc, statement, target)
        });
        let around = written.map(|(tellers, target)| (tellers.without_authors(), *target));
        all.extend(around.collect::<Vec<_>>());
    }
    let told: Vec<N<'d>> = all
        .iter()
        .flat_map(|(tellers, _)| [tellers.authors, tellers.informants])
        .flatten()
        .collect();
    // Who else took part in a statement is told of what that became, and of nothing around or beside it.
    let sources: Vec<Option<N<'d>>> = targets
        .iter()
        .map(|target| doc.source(target["reference"].as_str().unwrap_or_default()))
        .collect();
    let parts = others(doc, entry, statement, &told, &sources);
    let mut groups: Vec<(Tellers<'d>, Vec<usize>, Vec<Value>)> = Vec::new();
    for (tellers, target) in all {
        let source = doc.source(target["reference"].as_str().unwrap_or_default());
        let took_part = |(at, part): (usize, &Part<'d>)| {
            // What somebody wrote around it is not all that took part in it.
            let is_own = tellers.authors.is_none() || part.of != statement.node;
            (is_own && part.is_in(source, &sources)).then_some(at)
        };
        let own: Vec<usize> = parts.iter().enumerate().filter_map(took_part).collect();
        match groups
            .iter_mut()
            .find(|(known, others, _)| *known == tellers && *others == own)
        {
            Some((_, _, all)) => all.push(target.clone()),
            None => groups.push((tellers, own, vec![target.clone()])),
        }
    }
    for (tellers, own, targets) in &groups {
        let own = own.iter().filter_map(|at| parts.get(*at));
        let mut agents: Vec<_> = own.map(|part| part.agent.clone()).collect();
        let informants: Vec<N<'d>> = match tellers.informants {
            Some(holder) => children(holder, "informant").collect(),
            None => statement.informants().collect(),
        };
        let sort = || code::coded(AGENTS, "informant");
        let informants = informants.into_iter();
        agents.extend(informants.filter_map(|one| Some((sort(), people::informant(doc, one)?))));
        let authors: Vec<N<'d>> = match tellers.authors {
            Some(holder) => children(holder, "author").collect(),
            None => statement.authors().collect(),
        };
        let from = tellers.authors.or(tellers.informants).unwrap_or(entry);
        written(doc, from, targets, &authors, agents, whole);
    }
}

/// Whether a resource tells what a concern is about, and the concern with it.
fn is_of_concern(doc: &Doc<'_>, concern: &crate::context::Statement<'_>, target: &Value) -> bool {
    let url = target["reference"].as_str().unwrap_or_default();
    let act = doc
        .source(url)
        .and_then(|source| source.parent_element()?.parent_element());
    act == Some(concern.node)
        && (doc.is_of(url, &["Condition", "AllergyIntolerance"])
            || concern.is_risk() && doc.is_of(url, &["Observation"]))
}

/// The nearest statements inside an entry that name the authors of something, and who told it; none if it has those of the entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tellers<'d> {
    authors: Option<N<'d>>,
    informants: Option<N<'d>>,
}

impl<'d> Tellers<'d> {
    fn around(
        node: Option<N<'d>>,
        entry: N<'d>,
        statement: &crate::context::Statement<'d>,
    ) -> Self {
        let holder = |name| {
            let mut around = node?.ancestors().take_while(|one| *one != entry);
            let holder = around.find(|one| is_statement(*one) && child(*one, name).is_some());
            holder.filter(|holder| *holder != statement.node)
        };
        Self {
            authors: holder("author"),
            informants: holder("informant"),
        }
    }

    /// Those of the same informants whom the entry names as authors.
    fn without_authors(&self) -> Self {
        Self {
            authors: None,
            informants: self.informants,
        }
    }
}

/// Somebody who took part in a statement of an entry.
struct Part<'d> {
    of: N<'d>,
    /// What the source calls such a part in it.
    name: &'d str,
    agent: (Value, String),
}

impl<'d> Part<'d> {
    /// Whether they took part in what became of a statement: it is the one that names them, or one that stands in that and names
    /// nobody itself, if nothing came of it but what it holds.
    fn is_in(&self, source: Option<N<'d>>, all: &[Option<N<'d>>]) -> bool {
        if all.contains(&Some(self.of)) {
            return source == Some(self.of);
        }
        // Those who took part otherwise are not told by another who did.
        let is_nearer = |one: &N<'d>| {
            *one == self.of
                || self.name != "participant"
                    && is_statement(*one)
                    && elements(*one).any(|part| part.tag_name().name() == self.name)
        };
        let nearest = source.and_then(|source| source.ancestors().find(is_nearer));
        nearest == Some(self.of)
    }
}

/// Who wrote what stands in an element, and who took part in it. Who wrote at another time did so for themselves.
fn written<'d>(
    doc: &Doc<'d>,
    node: N<'d>,
    targets: &[Value],
    by: &[N<'d>],
    others: Vec<(Value, String)>,
    whole: &Whole<'_>,
) {
    let time = |author: &N<'d>| child(*author, "time").and_then(|at| attr(at, "value"));
    let mut times: Vec<(Option<&str>, Vec<N<'d>>)> = Vec::new();
    for author in by {
        let at = time(author);
        match times.iter_mut().find(|(known, _)| *known == at) {
            Some((_, all)) => all.push(*author),
            None => times.push((at, vec![*author])),
        }
    }
    let mut rest = times.into_iter().map(|(_, by)| by);
    written_at(
        doc,
        node,
        targets,
        &rest.next().unwrap_or_default(),
        others,
        whole,
    );
    for by in rest {
        written_at(doc, node, targets, &by, Vec::new(), whole);
    }
}

/// Who wrote what stands in an element at one time.
fn written_at<'d>(
    doc: &Doc<'d>,
    node: N<'d>,
    targets: &[Value],
    by: &[N<'d>],
    others: Vec<(Value, String)>,
    whole: &Whole<'_>,
) {
    let authors: Vec<String> = by
        .iter()
        .filter_map(|author| people::author(doc, *author))
        .collect();
    let is_nameless = authors.is_empty() && !by.is_empty();
    let at = by
        .iter()
        .find_map(|author| time::start(doc, child(*author, "time")?));
    let mut out = Resource::plain("Provenance", None);
    out.body.insert("target".into(), targets.to_vec().into());
    // FHIR demands an instant of recording; a day is when it was said.
    let (instant, day) = match at {
        Some(at) if at.at.contains('T') => (Some(at.at), None),
        at => (None, at),
    };
    if day.is_some() {
        time::put_at(&mut out, doc, "occurredDateTime", day);
    }
    match instant.or_else(|| whole.written.clone().filter(|at| at.contains('T'))) {
        Some(at) => out.put(doc, "recorded", Some(at)),
        None => out.put(doc, "_recorded", Some(absent(None))),
    };
    // Somebody wrote it of whom nothing is said: not whoever wrote the document.
    let mut who = if is_nameless {
        Vec::new()
    } else if authors.is_empty() {
        vec![whole.author.clone()]
    } else {
        authors
    };
    who.extend(doc.houses());
    let mut seen = Vec::new();
    who.retain(|url| {
        let fresh = !seen.contains(url);
        seen.push(url.clone());
        fresh
    });
    let mut agents: Vec<Value> = who
        .iter()
        .map(|url| json!({"who": reference(url)}))
        .collect();
    if agents.is_empty() {
        agents.push(json!({"who": absent(None)}));
    }
    for (sort, url) in others {
        let one = json!({"type": sort, "who": reference(&url)});
        if !agents.contains(&one) {
            agents.push(one);
        }
    }
    out.put(doc, "agent", Some(agents));
    let span = (whole.span)(node);
    let words = format!("bytes {}..{} of the original document", span.0, span.1);
    out.body.insert(
        "entity".into(),
        json!([{"role": "source", "what": {"display": words}}]),
    );
    let _ = out.join(doc, None);
    let _ = doc.made();
}

/// Whoever took part in a statement whose resource has no place for them.
fn others<'d>(
    doc: &Doc<'d>,
    entry: N<'d>,
    statement: &crate::context::Statement<'d>,
    told: &[N<'d>],
    sources: &[Option<N<'d>>],
) -> Vec<Part<'d>> {
    // Who took part in what became a part of something else is nobody's agent, and is not made.
    let came_of_it = |of: N<'d>| {
        let mut sources = sources.iter().flatten();
        sources.any(|source| source.ancestors().any(|one| one == of))
    };
    let agent = |sort: &'static str| code::coded(AGENTS, sort);
    let mut all: Vec<Part<'d>> = Vec::new();
    for part in entry.descendants().filter(N::is_element) {
        let is_free = || {
            let fate = doc.account.fate(part, Facet::Itself);
            !matches!(fate, Some(Fate::Carried { .. }))
                && part
                    .parent_element()
                    .is_some_and(|of| is_statement(of) && came_of_it(of))
        };
        let found = match part.tag_name().name() {
            // Who pays performs nothing of it.
            "performer" if statement.context.section != "48768-6" && is_free() => {
                people::entity(doc, part).map(|url| (agent("performer"), url))
            }
            "author" | "informant" if part.parent().is_some_and(|of| told.contains(&of)) => None,
            "author" if is_free() => people::author(doc, part).map(|url| (agent("author"), url)),
            "informant" if is_free() => {
                people::informant(doc, part).map(|url| (agent("informant"), url))
            }
            "participant" if statement.context.section != "48768-6" && is_free() => {
                participant(doc, part)
            }
            _ => None,
        };
        let of = part.parent_element().unwrap_or(part);
        let name = part.tag_name().name();
        all.extend(found.map(|agent| Part { of, name, agent }));
    }
    all
}

/// A person in another part, by what the source calls it.
fn participant<'d>(doc: &Doc<'d>, part: N<'d>) -> Option<(Value, String)> {
    const PEOPLE: &[&str] = &[
        "RESP", "IRCP", "REFT", "REFB", "VRF", "AUTHEN", "LA", "CON", "ATND", "ADM", "DIS", "ENT",
        "PRCP", "NOT", "TRC", "INF", "WIT", "CALLBCK", "REF", "SPRF", "PPRF",
    ];
    let role = child(part, "participantRole")?;
    let sort = attr(part, "typeCode").filter(|sort| {
        // Whom it concerns beside the patient (`IND`) may be a thing, too.
        PEOPLE.contains(sort) || *sort == "IND" && people::is_near(role)
    })?;
    let url = people::role(doc, part, role)?;
    Some((code::coded(PARTS, sort.to_owned()), url))
}

/// The section of a body that is not XML.
fn unstructured<'d>(doc: &Doc<'d>, body: N<'d>) -> Option<Value> {
    let content = child(body, "text")?;
    let mut out = Resource::plain("DocumentReference", None);
    out.body.insert("status".into(), "current".into());
    out.body.insert(
        "type".into(),
        code::concept_or_absent(doc, child(doc.root, "code")),
    );
    doc.account.let_go();
    out.body.insert("subject".into(), reference(&doc.patient()));
    let attached = text::attachment(doc, content);
    let attached = attached.unwrap_or_else(|| absent(Some(content)));
    out.put(doc, "content", Some(json!([{"attachment": attached}])));
    let url = out.join(doc, None);
    let plain = Some(content).filter(|node| attr(*node, "representation").is_none());
    let mut section = Map::new();
    put(
        &mut section,
        "title",
        child(doc.root, "title").and_then(crate::xml::text),
    );
    put(
        &mut section,
        "text",
        plain.and_then(|text| narrative::narrative(doc, text)),
    );
    section.insert("entry".into(), json!([reference(&url)]));
    Some(Value::Object(section))
}
