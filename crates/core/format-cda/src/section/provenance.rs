//! Who says what stands in an entry, who took part in it, and from which bytes of the original it came.

use std::collections::HashMap;

use medibloc_record::json::Value;
use roxmltree::NodeId;

use super::Whole;
use crate::{
    account::{Facet, Fate, Taken},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    value::{absent, code, time},
    xml::{N, attr, child, children, elements, is_statement, writers},
};

const AGENTS: &str = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";

const PARTS: &str = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";

/// Says from which bytes of the original the resources came, and who says so.
pub(super) fn provenance<'d>(
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
    let mut naming = Naming::default();
    for target in targets {
        let node = doc.source(target["reference"].as_str().unwrap_or_default());
        is_itself |= node == Some(statement.node);
        all.push((Tellers::around(node, entry, statement, &mut naming), target));
    }
    // A concern is written by somebody, too, and its resources are those of what it is about, not of what is said of that.
    if writers(statement.node).next().is_some() && !is_itself {
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
        agents.extend(informants.filter_map(|one| {
            let url = people::informant(doc, one);
            let taken = doc.account.put();
            Some((sort(), url?, taken))
        }));
        let authors: Vec<N<'d>> = match tellers.authors {
            Some(holder) => writers(holder).collect(),
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

/// Which statements have authors, or a child of another name. Each is looked through once: a group of thousands is around each of them.
#[derive(Default)]
struct Naming(HashMap<(NodeId, &'static str), bool>);

impl Naming {
    fn has(&mut self, node: N<'_>, name: &'static str) -> bool {
        let known = self.0.entry((node.id(), name));
        *known.or_insert_with(|| match name {
            "author" => writers(node).next().is_some(),
            name => child(node, name).is_some(),
        })
    }
}

impl<'d> Tellers<'d> {
    fn around(
        node: Option<N<'d>>,
        entry: N<'d>,
        statement: &crate::context::Statement<'d>,
        naming: &mut Naming,
    ) -> Self {
        let mut holder = |name| {
            let mut around = node?.ancestors().take_while(|one| *one != entry);
            let holder = around.find(|one| is_statement(*one) && naming.has(*one, name));
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

/// In which way somebody took part, who it is, and what was taken of the source for that.
type Agent = (Value, String, Vec<Taken>);

/// Somebody who took part in a statement of an entry.
struct Part<'d> {
    of: N<'d>,
    /// What the source calls such a part in it.
    name: &'d str,
    agent: Agent,
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
    others: Vec<Agent>,
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
    others: Vec<Agent>,
    whole: &Whole<'_>,
) {
    let authors: Vec<String> = by
        .iter()
        .flat_map(|author| people::authors(doc, *author))
        .collect();
    let mut told = doc.account.put();
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
    for (sort, url, taken) in others {
        told.extend(taken);
        let one = json!({"type": sort, "who": reference(&url)});
        if !agents.contains(&one) {
            agents.push(one);
        }
    }
    doc.account.take_again(told);
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
        doc.account.let_go();
        let found = match part.tag_name().name() {
            // Who pays performs nothing of it.
            "performer" if statement.context.section != "48768-6" && is_free() => {
                people::entity(doc, part).map(|url| (agent("performer"), url))
            }
            "author" | "informant" if part.parent().is_some_and(|of| told.contains(&of)) => None,
            "author" if statement.authors().any(|one| one == part) => None,
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
        let taken = doc.account.put();
        all.extend(found.map(|(sort, url)| Part {
            of,
            name,
            agent: (sort, url, taken),
        }));
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
