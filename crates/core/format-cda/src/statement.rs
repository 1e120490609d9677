//! Clinical statements: which resource each becomes, by template, section, class and mood; and what stands inside it.

pub(crate) mod allergy;
pub(crate) mod another;
pub(crate) mod birth;
pub(crate) mod careteam;
pub(crate) mod concern;
pub(crate) mod device;
pub(crate) mod diagnosis;
pub(crate) mod directive;
pub(crate) mod dosage;
pub(crate) mod encounter;
pub(crate) mod family;
pub(crate) mod goal;
pub(crate) mod imaging;
pub(crate) mod immunization;
pub(crate) mod medication;
pub(crate) mod note;
pub(crate) mod observation;
pub(crate) mod outside;
pub(crate) mod panel;
pub(crate) mod payer;
pub(crate) mod problem;
pub(crate) mod procedure;
pub(crate) mod relation;
pub(crate) mod risk;
pub(crate) mod shape;
pub(crate) mod sort;
pub(crate) mod specimen;
pub(crate) mod supply;
pub(crate) mod unknown;
pub(crate) mod vitals;

use medibloc_record::json::Value;

use crate::{
    account::{Because, Fate},
    context::{Mood, Statement, Subject},
    doc::{Doc, key_of, reference},
    json::json,
    people,
    resource::Resource,
    value::{self, code, list, text, time},
    xml::{N, attr, child, children, elements, has_template, related_by, writers},
};

pub(crate) use relation::{Inside, focus, inside, link};

/// What a statement became: kind and full URL of its main resource.
pub(crate) type Made = Option<(&'static str, String)>;

pub(crate) const PROBLEMS: &[&str] = &[
    "11450-4", "11348-0", "46241-6", "11535-2", "10219-4", "10218-6", "75310-3", "29308-4",
    "46240-8", "10153-2", "29548-5",
];
pub(crate) const ALLERGIES: &[&str] = &["48765-2", "10155-0"];
pub(crate) const IMMUNIZATIONS: &[&str] = &["11369-6"];
/// Results, and the sections of IHE's laboratory reports (XD-LAB).
pub(crate) const RESULTS: &[&str] = &[
    "30954-2", "11502-2", "18717-9", "18718-7", "18719-5", "18720-3", "18721-1", "18722-9",
    "18723-7", "18724-5", "18725-2", "18727-8", "18728-6", "18729-4", "18767-4", "18768-2",
    "18769-0", "26435-8", "26436-6", "26437-4", "26438-2",
];
pub(crate) const VITALS: &[&str] = &["8716-3"];

const COMMENT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.64",
    "2.16.840.1.113883.10.20.1.40",
    "1.3.6.1.4.1.19376.1.5.3.1.4.2",
];
const INDICATION: &[&str] = &["2.16.840.1.113883.10.20.22.4.19"];
pub(crate) const INSTRUCTION: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.20",
    "2.16.840.1.113883.10.20.1.49",
];

/// A concern about somebody's health.
pub(crate) const HEALTH_CONCERN: &[&str] = &["2.16.840.1.113883.10.20.22.4.132"];

/// It says only that nothing is known.
pub(crate) const VOID: Because = "the source says only that it has no information";

/// Converts one clinical statement and all that stands inside it.
pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let node = of.node;
    let section = of.context.section;
    if of.is_unread() {
        return Err(
            "whether it is denied cannot be read: its negationInd is neither true nor false",
        );
    }
    if of.is_void() || unknown::is_one(doc, of) {
        return Err(VOID);
    }
    if is_empty(node) {
        return Err("it says nothing but what kind of statement it is");
    }
    if let Some(known) = told_before(doc, node) {
        let again = "the same statement stands elsewhere in the document";
        doc.account.because(node, Fate::Lost(again));
        return Ok(Some(known));
    }
    if !matches!(of.subject(), Subject::Patient) && family::is_family(of) {
        return family::convert(doc, of);
    }
    if another::is_kept(of) {
        return another::convert(doc, of);
    }
    // What runs in the family may be why there is a risk: it is no risk itself.
    if risk::is_one(of) && !family::is_of_a_relative(of) {
        return risk::convert(doc, of);
    }
    match of.name() {
        "organizer" if family::is_family(of) => family::convert(doc, of),
        "act" | "observation" if family::is_family(of) => {
            Err("it is of a relative, and the source does not say of which")
        }
        "act" | "observation" if allergy::is_allergy(of) => allergy::convert(doc, of),
        "observation" if let Some(cause) = allergy::manifested(doc, of) => {
            allergy::caused(doc, of, &cause)
        }
        // In a history of the family, whose problem it is stands inside.
        "act" if family::is_placed(of) && problem::is_problem(of) => shell(doc, of),
        "act" | "observation" if problem::is_problem(of) => problem::convert(doc, of),
        "act" if imaging::is_study(of) => imaging::convert(doc, of),
        "act" if note::is_note(of) => note::convert(doc, of),
        "act" if payer::is_coverage(of) => payer::convert(doc, of),
        "act" | "observation" if directive::is_directive(of) => directive::convert(doc, of),
        "observation" | "act" if of.mood() == Mood::Goal => goal::convert(doc, of),
        "organizer" if careteam::is_team(of) => careteam::convert(doc, of),
        "act" if careteam::is_no_member(of) => {
            Err("somebody is not in the team, or the source took it back that they are")
        }
        "organizer" => panel::convert(doc, of),
        "observation" if procedure::is_procedure(of) || of.mood() != Mood::Event => {
            procedure::convert(doc, of)
        }
        "observation" => observation::convert(doc, of),
        "act" if procedure::is_act(of) => procedure::convert(doc, of),
        "act" => shell(doc, of),
        "procedure" if specimen::is_collection(of) => specimen::collection(doc, of),
        "procedure" => procedure::convert(doc, of),
        "substanceAdministration" if immunization::is_immunization(of, section) => {
            immunization::convert(doc, of)
        }
        "substanceAdministration" if dosage::is_sig(node) => {
            // Words that stand nowhere else are kept as they were said.
            let is_own =
                child(node, "text").is_some_and(|text| crate::xml::own_text(text).is_some());
            if is_own && of.mood() == Mood::Event {
                observation::remark(doc, of)
            } else {
                Err("it says how a medicine is taken, and not which")
            }
        }
        "substanceAdministration" => medication::convert(doc, of),
        "supply" => supply::convert(doc, of),
        "encounter" => encounter::convert(doc, of),
        "observationMedia" => note::media(doc, of),
        "regionOfInterest" => outside::region(doc, of),
        _ => Err("this kind of statement has no form in FHIR"),
    }
}

/// Whether nothing stands in a statement but of which template it is and which one.
pub(crate) fn is_empty(node: N<'_>) -> bool {
    const FORM: &[&str] = &["templateId", "id", "realmCode", "typeId"];
    elements(node).all(|part| FORM.contains(&part.tag_name().name()))
}

/// What an entry became that stands in a section of the same kind, letter by letter and with the same number.
fn told_before<'d>(doc: &Doc<'d>, node: N<'d>) -> Made {
    let is_entry = |node: N<'d>| {
        let around = node.parent_element();
        around.is_some_and(|one| one.tag_name().name() == "entry")
    };
    let (kind, url) = doc.of_id(&key_of(node).filter(|_| is_entry(node))?)?;
    let first = doc.source(&url).filter(|first| is_entry(*first))?;
    // Whose it is and what it is depends on the section, too.
    let section = |node: N<'d>| {
        let section = node
            .ancestors()
            .find(|one| one.tag_name().name() == "section")?;
        child(section, "subject").is_none().then_some(())?;
        attr(child(section, "code")?, "code")
    };
    let source = node.document().input_text();
    let is_same = source.get(first.range()) == source.get(node.range())
        && section(first).is_some_and(|code| Some(code) == section(node));
    is_same.then_some((kind, url))
}

/// An act that says nothing but what stands in it.
fn shell<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    // What a concern about somebody's health names elsewhere is a health concern, and no more is said of it here.
    let around = (of.has(HEALTH_CONCERN) && !of.is_risk()).then_some(relation::HEALTH_CONCERN);
    let inside = inside(doc, of, around);
    if inside.is_empty() {
        if let Some(paper) = outside::alone(doc, of) {
            return Ok(Some(("DocumentReference", paper)));
        }
        return if procedure::is_named_as_one(of) {
            procedure::convert(doc, of)
        } else if observation::is_remark(of) {
            observation::remark(doc, of)
        } else {
            Err(
                "it says of no statement what it holds, and its code is none of something that is done",
            )
        };
    }
    // Medicines on admission and at discharge: what the act around them says is what sort of medicines they are.
    const SORTS: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.35",
        "2.16.840.1.113883.10.20.22.4.36",
    ];
    if of.has(SORTS)
        && let Some(sort) = of.child("code").and_then(|code| code::concept(doc, code))
    {
        doc.account.take(of.node);
        if let Some(state) = of.child("statusCode") {
            doc.account.take(state);
        }
        let sorted = ["MedicationStatement", "MedicationRequest"];
        for one in inside.iter().filter(|one| sorted.contains(&one.kind)) {
            let taken = doc.account.put();
            doc.account.take_again(taken.clone());
            doc.change(&one.url, "category", |resource| {
                let sort = sort.clone();
                let sort = if one.kind == "MedicationStatement" {
                    sort
                } else {
                    json!([sort])
                };
                resource.entry("category").or_insert(sort);
            });
            doc.account.take_again(taken);
        }
        doc.account.let_go();
    }
    let own: Vec<_> = inside
        .iter()
        .filter(|one| !relation::is_preference(one.node) && !relation::is_support(one.node))
        .map(|one| (one.kind, one.url.clone()))
        .collect();
    let urls: Vec<String> = own.iter().map(|(_, url)| url.clone()).collect();
    outside::keep(doc, of.node, &urls);
    concern::around(doc, of, own, &inside);
    let Some(first) = inside.first() else {
        return Ok(None);
    };
    let (kind, url) = (first.kind, first.url.clone());
    let alike = inside.into_iter().filter(|one| one.kind == kind);
    doc.concerns(&url, alike.map(|one| (one.url, one.node)).collect());
    Ok(Some((kind, url)))
}

/// Code of the statement's status, taken; that of the group around it, if that was withdrawn.
pub(crate) fn status<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<&'d str> {
    let own = of.child("statusCode").and_then(|code| {
        doc.account.take(code);
        code::state(code)
    });
    if of.is_withdrawn() {
        Some("nullified")
    } else {
        own
    }
}

/// Identifiers, and comments as notes.
pub(crate) fn common<'d>(doc: &Doc<'d>, of: &Statement<'d>, out: &mut Resource<'d>) {
    out.put(doc, "identifier", value::identifiers(doc, of.node));
    out.settle_relations(doc, of);
}

/// Whether it is a comment: by template, or by LOINC's code for one (C-CDA on FHIR).
fn is_comment(node: N<'_>) -> bool {
    has_template(node, COMMENT)
        || node.tag_name().name() == "act" && shape::is_coded(node, &["48767-8"])
}

/// Comments, with who wrote them and when.
pub(crate) fn notes<'d>(doc: &Doc<'d>, of: &Statement<'d>, with_own: bool) -> Option<Value> {
    let mut all = Vec::new();
    let comments = crate::xml::related(of.node).map(|(_, node)| node);
    for node in comments.filter(|node| is_comment(*node)) {
        let Some(words) = text::text_of(doc, node) else {
            continue;
        };
        doc.account.take(node);
        if let Some(code) = child(node, "code") {
            doc.account.take(code);
        }
        if let Some(code) = child(node, "statusCode") {
            doc.account.take(code);
        }
        let mut note = medibloc_record::json::Map::new();
        let writer = writers(node).next();
        let at = writer.and_then(|author| time::start(doc, child(author, "time")?));
        let mark = doc.account.put();
        let who = writer.and_then(|author| people::author(doc, author));
        doc.account.take_again(mark);
        value::put(&mut note, "authorReference", who.map(|url| reference(&url)));
        time::put_in(&mut note, "time", at);
        note.insert("text".into(), words.into());
        all.push(Value::Object(note));
    }
    // From whom it is known (LOINC 48766-0) is nothing that was measured.
    let sources = crate::xml::related(of.node).filter(|(_, node)| {
        let code = child(*node, "code").and_then(|code| attr(code, "code"));
        node.tag_name().name() == "observation" && code == Some("48766-0")
    });
    for (_, node) in sources {
        let said = child(node, "value").and_then(|value| text::words(doc, value));
        if let Some(words) = said.filter(|_| !crate::context::denies(node)) {
            take_shell(doc, node);
            all.push(json!({"text": format!("Information source: {words}")}));
        }
    }
    // Words of the statement itself that stand nowhere in the narrative.
    if with_own
        && let Some(own) = of.child("text")
        && let Some(words) = text::own_words(doc, own)
    {
        all.push(json!({"text": words}));
    }
    list(all)
}

/// Why it was done: the indications, as coded values.
pub(crate) fn reasons<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    let mut all = Vec::new();
    let relations = crate::xml::related(of.node);
    let found = relations.filter(|(link, node)| {
        has_template(*node, INDICATION)
            || !of.is_denied() && node.tag_name().name() == "observation" && is_why(*link, *node)
    });
    for (_, node) in found {
        // An indication that is denied is none.
        if crate::context::denies(node) {
            continue;
        }
        let said = |value| code::concept(doc, value).or_else(|| in_words(text::words(doc, value)));
        let value = children(node, "value").find_map(said);
        let Some(value) = value.or_else(|| in_words(text::text_of(doc, node))) else {
            continue;
        };
        take_shell(doc, node);
        if !all.contains(&value) {
            all.push(value);
        }
    }
    list(all)
}

fn in_words(words: Option<String>) -> Option<Value> {
    Some(json!({"text": words?}))
}

/// A statement of which the value alone says something: its code and status say what it is.
pub(crate) fn take_shell<'d>(doc: &Doc<'d>, node: N<'d>) {
    children(node, "code").for_each(|code| doc.account.take(code));
    take_nameless(doc, node);
}

/// The same of one whose code is in no element.
pub(crate) fn take_nameless<'d>(doc: &Doc<'d>, node: N<'d>) {
    doc.account.take(node);
    children(node, "statusCode").for_each(|state| doc.account.take(state));
    for id in children(node, "id") {
        doc.account.because(
            id,
            Fate::Lost("the number of a statement that became a part of another"),
        );
    }
    if let Some(own) = child(node, "text")
        && let Some(pointer) = child(own, "reference")
        && attr(pointer, "value").is_some_and(|id| doc.anchor(id).is_some())
    {
        doc.account.because(
            own,
            Fate::Lost("its words are those of the narrative that it points to"),
        );
    }
}

/// Instructions to the patient, in words.
pub(crate) fn instructions<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    let mut all = Vec::new();
    for inner in related_by(node, INSTRUCTION) {
        // Its own words alone: what they point to may be what the instruction is about.
        let own = child(inner, "text").and_then(|text| text::own_words(doc, text));
        if let Some(words) = own.or_else(|| text::text_of(doc, inner)) {
            take_shell(doc, inner);
            all.push(words);
        }
    }
    (!all.is_empty()).then(|| all.join("; "))
}

/// When it was written down: the earliest time of its authors.
pub(crate) fn recorded<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<time::Stamp> {
    let mut best: Option<time::Stamp> = None;
    let held = doc.account.put();
    let mut told = Vec::new();
    for author in writers(node) {
        let at = child(author, "time").and_then(|at| time::start(doc, at));
        // That somebody wrote it then is told by the time, whoever it was.
        doc.account.take(author);
        let taken = doc.account.put();
        let Some(at) = at else { continue };
        // One that can be read is earlier than one that cannot.
        let place = |one: &time::Stamp| (!one.is_read(), one.at.clone(), one.local.clone());
        let earlier = |best: &time::Stamp| place(&at) < place(best);
        if best.as_ref().is_none_or(earlier) {
            best = Some(at);
            told = taken;
        }
    }
    doc.account.take_again([held, told].concat());
    best
}

/// Who wrote the statement itself, if it says so.
pub(crate) fn own_author<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    writers(node).find_map(|author| people::author(doc, author))
}

/// The person who wrote the statement itself, the last of several (C-CDA on FHIR): houses and devices wrote it in the provenance
/// alone.
pub(crate) fn own_writer<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    let mut best: Option<((String, Option<String>), String)> = None;
    let held = doc.account.put();
    let mut told = Vec::new();
    for author in writers(node) {
        let url = people::author(doc, author).filter(|url| is_person(doc, url));
        let taken = doc.account.put();
        let Some(url) = url else { continue };
        let raw = child(author, "time").and_then(crate::xml::sure);
        let at = raw.and_then(time::stamp);
        let at = at.map_or((String::new(), None), |at| (at.at, at.local));
        if best.as_ref().is_none_or(|(last, _)| *last <= at) {
            best = Some((at, url));
            told = taken;
        }
    }
    doc.account.take_again([held, told].concat());
    best.map(|(_, url)| url)
}

/// Who told it, if that is a person.
pub(crate) fn teller<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    children(node, "informant").find_map(|one| {
        let mark = doc.account.mark();
        let url = people::informant(doc, one).filter(|url| is_person(doc, url));
        if url.is_none() {
            doc.account.drop_to(mark);
        }
        url
    })
}

fn is_person(doc: &Doc<'_>, url: &str) -> bool {
    let is = url == doc.patient()
        || doc.is_of(url, &["Practitioner", "PractitionerRole", "RelatedPerson"]);
    if !is {
        doc.add_house(url);
    }
    is
}

/// Places where it was done.
pub(crate) fn place<'d>(doc: &Doc<'d>, node: N<'d>) -> Option<String> {
    children(node, "participant").find_map(|part| {
        let url = people::place(doc, people::place_in(part)?)?;
        doc.account.take(part);
        Some(url)
    })
}

/// Whether it says why: by its relation, or as LOINC's "reason care action performed or not".
fn is_why(link: N<'_>, node: N<'_>) -> bool {
    let asks = |code: N<'_>| attr(code, "code") == Some("77301-0");
    attr(link, "typeCode") == Some("RSON") || child(node, "code").is_some_and(asks)
}

/// The reason why something was not done. An indication is none: it says what for it would have been.
pub(crate) fn why_not<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    crate::xml::related(of.node).find_map(|(link, node)| {
        (is_why(link, node) && !has_template(node, INDICATION)).then_some(())?;
        let value = child(node, "value");
        let said = value.and_then(|value| code::concept(doc, value));
        let said = said.or_else(|| in_words(text::words(doc, value?)));
        let said = said.or_else(|| code::concept(doc, child(node, "code")?))?;
        take_shell(doc, node);
        Some(said)
    })
}
