//! What was done (`Procedure`) and what is to be done (`ServiceRequest`), in any of the three classes that C-CDA has for it.

mod result;

use medibloc_record::json::Value;

use crate::{
    account::Because,
    codes::status,
    context::{Mood, Statement},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{
        INSTRUCTION, Made, common, device, inside, instructions, link, own_author, place, reasons,
        recorded, unknown, why_not,
    },
    value::{code, list, time},
    xml::{attr, child, children},
};

const ACT: &[&str] = &[
    "2.16.840.1.113883.10.20.22.4.12",
    "2.16.840.1.113883.10.20.1.29",
];
const OBSERVATION: &[&str] = &["2.16.840.1.113883.10.20.22.4.13"];
/// The procedure that took a specimen.
const COLLECTED_BY: &str = "https://medibloc.org/fhir/StructureDefinition/collected-by";
const SECTIONS: &[&str] = &["47519-4", "29554-3"];

pub(crate) fn is_procedure(of: &Statement<'_>) -> bool {
    of.has(OBSERVATION)
}

pub(crate) fn is_act(of: &Statement<'_>) -> bool {
    of.has(ACT) || SECTIONS.contains(&of.context.section) || of.mood() != Mood::Event
}

/// Whether its code is of a system that names what is done, and it stands where such things do.
pub(crate) fn is_named_as_one(of: &Statement<'_>) -> bool {
    // SNOMED CT, CPT, HCPCS, ICD-10-PCS, ICD-9-CM procedures, OPS, CDT
    const NAMES: &[&str] = &[
        "2.16.840.1.113883.6.96",
        "2.16.840.1.113883.6.12",
        "2.16.840.1.113883.6.285",
        "2.16.840.1.113883.6.4",
        "2.16.840.1.113883.6.104",
        "1.2.276.0.76.5.464",
        "2.16.840.1.113883.6.13",
    ];
    // Why a document was made is no deed.
    const PURPOSE: &str = "48764-5";
    of.context.section != PURPOSE
        && of.child("code").is_some_and(|code| {
            core::iter::once(code)
                .chain(children(code, "translation"))
                .any(|one| {
                    attr(one, "code").is_some()
                        && attr(one, "codeSystem").is_some_and(|system| NAMES.contains(&system))
                })
        })
}

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let names = ["code", "text", "value"];
    // That nothing was done is said without a name.
    let is_named = names.iter().any(|name| of.child(name).is_some())
        && (of.is_denied() || unknown::is_deed(doc, of.node));
    if !is_named {
        let inside = inside(doc, of, None);
        return match inside.into_iter().next() {
            Some(one) => Ok(Some((one.kind, one.url))),
            None => Err("it does not say what was done"),
        };
    }
    if unknown::is_mute(doc, of.node) {
        Err("an instruction that has no words")
    } else if of.mood() == Mood::Event {
        done(doc, of)
    } else {
        wanted(doc, of)
    }
}

fn name<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Value {
    let code = of.child("code").and_then(|code| code::concept(doc, code));
    let words = || Some(json!({"text": super::text::text_of(doc, of.node)?}));
    code.or_else(words)
        .unwrap_or_else(|| crate::value::absent(of.child("code")))
}

fn done<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Procedure", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    let state = super::status(doc, of);
    let is_denied = out.is_denied();
    out.put_status(doc, status::procedure(state), "not-done");
    if is_denied && out.is_not_done() {
        out.put(doc, "statusReason", why_not(doc, of));
    }
    out.put(doc, "code", Some(name(doc, of)));
    let span = of.child("effectiveTime").or_else(|| of.when());
    time::put_time(&mut out, doc, "performedDateTime", "performedPeriod", span);
    let doers = people::performers(doc, node);
    let doers = doers.into_iter().map(|(url, function)| match function {
        Some(function) => json!({"function": function, "actor": reference(&url)}),
        None => json!({"actor": reference(&url)}),
    });
    out.put(doc, "performer", list(doers.collect()));
    out.put(
        doc,
        "recorder",
        super::own_writer(doc, node).map(|url| reference(&url)),
    );
    let teller = super::teller(doc, node);
    out.put(doc, "asserter", teller.map(|url| reference(&url)));
    out.put(doc, "location", place(doc, node).map(|url| reference(&url)));
    out.put(doc, "reasonCode", reasons(doc, of));
    out.put(doc, "bodySite", sites(doc, of));
    out.put(doc, "outcome", outcome(doc, of));
    let ways = code::concepts(doc, node, "methodCode");
    let ways = ways
        .and_then(|ways| ways.as_array().cloned())
        .unwrap_or_default();
    let ways = ways.into_iter().map(|way| json!({"url": "http://hl7.org/fhir/StructureDefinition/procedure-method", "valueCodeableConcept": way}));
    out.push_all(doc, "extension", ways.collect());
    let tools = children(node, "participant")
        .filter(|part| !device::is_instrument(of, *part))
        .filter_map(|part| device::of_participant(doc, of, part))
        .map(|url| json!({"manipulated": reference(&url)}));
    out.put(doc, "focalDevice", list(tools.collect()));
    let used = children(node, "participant")
        .filter(|part| device::is_instrument(of, *part))
        .filter_map(|part| device::of_participant(doc, of, part));
    out.put(
        doc,
        "usedReference",
        people::references(used.collect::<Vec<_>>()),
    );
    if is_denied {
        let parts = children(node, "participant");
        let sorts = parts
            .filter_map(|part| device::sort_of(doc, part))
            .collect();
        out.put(doc, "usedCode", list(sorts));
    }
    let after = instructions(doc, node).map(|words| json!([{"text": words}]));
    out.put(doc, "followUp", after);
    let url = out.add(doc)?;
    if !is_denied {
        doc.account.aside(|| result::of(doc, of, &url));
    }
    // A procedure has no place for what it took: R5 has it as `Specimen.collection.procedure`.
    doc.account.let_go();
    if let Some(specimen) = super::specimen::of(doc, node) {
        let by = json!({"url": COLLECTED_BY, "valueReference": reference(&url)});
        doc.change(&specimen, "collection", |specimen| {
            let how = specimen.entry("collection").or_insert_with(|| json!({}));
            how["extension"] = json!([by]);
        });
    }
    let inside = inside(doc, of, Some(&url));
    link(
        doc,
        &url,
        "report",
        &inside,
        |one| one,
        |one| one.kind == "DiagnosticReport",
    );
    Ok(Some(("Procedure", url)))
}

/// How it ended, where that is told by a statement inside: the deed is one.
fn outcome<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    // SNOMED CT: failed attempted, successful, partially successful, unsuccessful.
    const ENDS: &[&str] = &["103709008", "385669000", "385670004", "385671000"];
    of.related().find_map(|(_, inner)| {
        let code = inner.child("code").filter(|code| {
            code::known(*code).is_some_and(|code| ENDS.contains(&code)) && !inner.is_denied()
        })?;
        let how = code::concept(doc, code);
        super::take_shell(doc, inner.node);
        how
    })
}

fn sites<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<Value> {
    let mut all = Vec::new();
    for name in ["targetSiteCode", "approachSiteCode"] {
        let more = code::concepts(doc, of.node, name);
        all.extend(
            more.and_then(|more| more.as_array().cloned())
                .unwrap_or_default(),
        );
    }
    list(all)
}

fn wanted<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("ServiceRequest", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    out.put(doc, "status", Some(status::request(super::status(doc, of))));
    out.body.insert("intent".into(), of.mood().intent().into());
    let mut why = None;
    if out.is_denied() {
        out.denied(doc, "doNotPerform", true);
        why = why_not(doc, of);
    }
    let held = doc.account.put();
    let haste = child(node, "priorityCode").and_then(|code| {
        code::mapped(doc, code, |code| match code {
            "R" | "EL" => Some("routine"),
            "UR" => Some("urgent"),
            "A" | "RR" => Some("asap"),
            "S" | "STAT" | "EM" => Some("stat"),
            _ => None,
        })
    });
    out.put(doc, "priority", haste);
    out.put(doc, "code", Some(name(doc, of)));
    time::put_time(
        &mut out,
        doc,
        "occurrenceDateTime",
        "occurrencePeriod",
        of.when(),
    );
    let at = recorded(doc, node);
    time::put_at(&mut out, doc, "authoredOn", at);
    out.put(
        doc,
        "requester",
        own_author(doc, node).map(|url| reference(&url)),
    );
    let doers = people::performers(doc, node)
        .into_iter()
        .map(|(url, _)| url);
    // Whom somebody is referred to, or who shall get the request.
    let asked = children(node, "participant").filter_map(|part| {
        let is_one = matches!(attr(part, "typeCode"), Some("REFT" | "IRCP"));
        people::role(
            doc,
            part,
            child(part, "participantRole").filter(|_| is_one)?,
        )
    });
    let doers = doers.chain(asked).collect::<Vec<_>>();
    out.put(doc, "performer", people::references(doers));
    out.put(
        doc,
        "locationReference",
        place(doc, node).map(|url| json!([reference(&url)])),
    );
    doc.account.take_again(held);
    let for_what = reasons(doc, of).and_then(|all| all.as_array().cloned());
    let all: Vec<Value> = for_what.into_iter().flatten().chain(why).collect();
    out.put(doc, "reasonCode", list(all));
    out.put(doc, "bodySite", sites(doc, of));
    let words = instructions(doc, node).or_else(|| instruction(doc, of));
    out.put(doc, "patientInstruction", words);
    let url = out.add(doc)?;
    let _ = inside(doc, of, Some(&url));
    Ok(Some(("ServiceRequest", url)))
}

/// The words that an instruction points to: its own are a note.
fn instruction<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Option<String> {
    let text = of.child("text").filter(|_| of.has(INSTRUCTION))?;
    let is_pointer = crate::xml::own_text(text).is_none() && !super::text::is_row(doc, text);
    is_pointer.then(|| super::text::words(doc, text))?
}
