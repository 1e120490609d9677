//! Results, vital signs, and everything else that was seen or asked: `Observation`.

mod values;

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    codes::status,
    context::{Statement, is_pregnancy_intention},
    doc::{Doc, reference},
    json::json,
    people,
    resource::Resource,
    statement::{
        Made, RESULTS, VITALS, birth, common, device, imaging, inside, link, own_author, relation,
        shape, sort, specimen, vitals,
    },
    value::{self, code, code::coded, list, quantity, text, time},
    xml::{N, attr, child, children, declared, flag, related_by, sure},
};

const CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";
const LOINC: &str = "http://loinc.org";
const PREGNANCY: &[&str] = &["2.16.840.1.113883.10.20.15.3.8"];
/// Estimated date of delivery; basic industry observation.
const COMPONENTS: &[&str] = &[
    "2.16.840.1.113883.10.20.15.3.1",
    "2.16.840.1.113883.10.20.22.4.504",
];
/// What is normal, in a code: R4 has words for it alone.
const NORMAL: &str = "https://medibloc.org/fhir/StructureDefinition/normal-value";

pub(super) use values::values;

pub(crate) fn convert<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    one(doc, of).map(|url| Some(("Observation", url)))
}

/// One observation; gives its full URL.
pub(crate) fn one<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<String, Because> {
    let twin = twin(of);
    if let Some(twin) = &twin
        && let Some(url) = doc.known("Observation", twin)
    {
        members(doc, of, &url);
        doc.account.because(
            of.node,
            Fate::Lost("the same statement stands elsewhere in the document"),
        );
        return Ok(url);
    }
    let out = build(doc, of)?;
    let url = out.add(doc)?;
    if let Some(twin) = twin {
        doc.also_known("Observation", &twin, &url);
    }
    birth::sex(doc, of, &url);
    members(doc, of, &url);
    Ok(url)
}

/// What two statements of one observation share: the number, and all that it says. Some give one number to all their observations.
fn twin(of: &Statement<'_>) -> Option<String> {
    let node = of.node;
    // How much somebody wants one thing is not how much they want another.
    if relation::is_preference(node) {
        return None;
    }
    let mut key = format!(
        "twin|{}|{}|{:?}",
        crate::doc::key_of(node)?,
        of.is_denied(),
        of.mood()
    );
    let source = node.document().input_text();
    for name in ["code", "value", "effectiveTime", "statusCode"] {
        for part in children(node, name) {
            key.push('|');
            key.push_str(source.get(part.range()).unwrap_or_default());
        }
    }
    Some(key)
}

/// Whether an act is a remark: words of its own under a code of LOINC (a comment, say).
pub(crate) fn is_remark(of: &Statement<'_>) -> bool {
    let is_loinc = of.child("code").is_some_and(|code| {
        attr(code, "code").is_some() && attr(code, "codeSystem") == Some("2.16.840.1.113883.6.1")
    });
    is_loinc
        && of
            .child("text")
            .is_some_and(|text| crate::xml::own_text(text).is_some())
}

/// A remark as the observation that was made in these words.
pub(crate) fn remark<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Made, Because> {
    let mut out = Resource::of("Observation", of, doc)?;
    let node = of.node;
    out.put(doc, "identifier", value::identifiers(doc, node));
    out.put(
        doc,
        "status",
        Some(status::observation(super::status(doc, of))),
    );
    let named = code::concept_or_absent(doc, child(node, "code"));
    out.put(doc, "code", Some(named));
    time::put_time(
        &mut out,
        doc,
        "effectiveDateTime",
        "effectivePeriod",
        of.when(),
    );
    let who = own_author(doc, node);
    out.put(doc, "performer", people::references(who));
    let at = super::recorded(doc, node);
    time::put_instant(&mut out, doc, "issued", "_issued", at);
    let words = child(node, "text").and_then(|text| text::own_words(doc, text));
    out.put(doc, "valueString", words);
    Ok(Some(("Observation", out.add(doc)?)))
}

/// What stands inside an observation, linked to it.
pub(crate) fn members<'d>(doc: &Doc<'d>, of: &Statement<'d>, url: &str) {
    let inside = inside(doc, of, Some(url));
    link(
        doc,
        url,
        "hasMember",
        &inside,
        |one| one,
        // What shows or causes another is no part of it.
        |one| {
            one.kind == "Observation"
                && !["RSON", "CAUS", "MFST", "SPRT"].contains(&one.relation.as_str())
                && !relation::is_preference(one.node)
        },
    );
}

/// The observation without what stands inside it.
pub(crate) fn build<'d>(doc: &Doc<'d>, of: &Statement<'d>) -> Result<Resource<'d>, Because> {
    let mut out = Resource::of("Observation", of, doc)?;
    let node = of.node;
    common(doc, of, &mut out);
    out.put(
        doc,
        "status",
        Some(status::observation(super::status(doc, of))),
    );
    out.put(doc, "category", category(doc, of));
    let named = child(node, "code").and_then(|code| code::concept(doc, code));
    // Before release 4 the template has no code of its own (C-CDA on FHIR, social history).
    let is_pregnancy = of.has(PREGNANCY);
    let named = match named {
        Some(_) if is_pregnancy && is_assertion(node) => {
            Some(code::named(LOINC, "82810-3", "Pregnancy status"))
        }
        named => named,
    };
    match named {
        Some(mut named) => {
            vitals::both_codes(of, &mut named);
            out.put(doc, "code", Some(named))
        }
        None => {
            let words = child(node, "text")
                .and_then(|text| text::words(doc, text))
                .map(|words| json!({"text": words}));
            out.put(
                doc,
                "code",
                Some(words.unwrap_or_else(|| value::absent(child(node, "code")))),
            )
        }
    };
    let has_moment = is_pregnancy || is_pregnancy_intention(node);
    let alone = of.when().filter(|_| has_moment);
    match alone.and_then(|when| time::start(doc, when).or_else(|| time::end(doc, when))) {
        Some(at) => time::put_at(&mut out, doc, "effectiveDateTime", Some(at)),
        None => time::put_time(
            &mut out,
            doc,
            "effectiveDateTime",
            "effectivePeriod",
            of.when(),
        ),
    };
    let doers = people::performers(doc, node)
        .into_iter()
        .map(|(url, _)| url);
    let doers = doers.chain(own_author(doc, node)).collect::<Vec<_>>();
    out.put(doc, "performer", people::references(doers));
    let at = super::recorded(doc, node);
    time::put_instant(&mut out, doc, "issued", "_issued", at);
    // A finding that is named by its code alone and denied: FHIR answers it with no (R4, notes on Observation.value).
    let is_finding = child(node, "value").is_none() && child(node, "code").is_some();
    if is_finding && crate::context::denies(node) {
        let no = code::named("http://terminology.hl7.org/CodeSystem/v2-0136", "N", "No");
        out.denied(doc, "valueCodeableConcept", no);
    } else {
        values(doc, node, &mut out);
    }
    out.heeded()?;
    out.put(
        doc,
        "interpretation",
        code::concepts(doc, node, "interpretationCode"),
    );
    let mut sites = children(node, "targetSiteCode");
    out.put(
        doc,
        "bodySite",
        sites.find_map(|site| code::concept(doc, site)),
    );
    let mut ways = children(node, "methodCode");
    out.put(doc, "method", ways.find_map(|way| code::concept(doc, way)));
    out.put(
        doc,
        "specimen",
        specimen::of(doc, node).map(|url| reference(&url)),
    );
    let tool = children(node, "participant").find_map(|part| device::of_participant(doc, of, part));
    out.put(doc, "device", tool.map(|url| reference(&url)));
    let ranges = children(node, "referenceRange")
        .filter_map(|range| reference_range(doc, range))
        .collect();
    out.put(doc, "referenceRange", list(ranges));
    out.push_all(doc, "component", parts(doc, node));
    Ok(out)
}

fn is_assertion(node: N<'_>) -> bool {
    child(node, "code").is_none_or(|code| attr(code, "code").is_none_or(|code| code == "ASSERTION"))
}

/// What the guides have as a component and C-CDA as a statement inside: when a birth is expected, the industry of a job.
fn parts<'d>(doc: &Doc<'d>, node: N<'d>) -> Vec<Value> {
    let mut all = Vec::new();
    for inner in related_by(node, COMPONENTS) {
        if crate::context::denies(inner) {
            continue;
        }
        let named = child(inner, "code").and_then(|code| code::concept(doc, code));
        let said = child(inner, "value").and_then(|said| value(doc, said));
        let (Some(named), Some((key, said))) = (named, said) else {
            continue;
        };
        super::take_shell(doc, inner);
        all.push(json!({"code": named, key: said}));
    }
    all
}

pub(crate) fn category(doc: &Doc<'_>, of: &Statement<'_>) -> Option<Value> {
    const SIGNS: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.27",
        "1.3.6.1.4.1.19376.1.5.3.1.4.13.2",
    ];
    const SCALES: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.69",
        "2.16.840.1.113883.10.20.22.4.86",
    ];
    const TESTS: &[&str] = &["2.16.840.1.113883.10.20.22.4.2"];
    const SOCIAL: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.38",
        "2.16.840.1.113883.10.20.22.4.78",
        "2.16.840.1.113883.10.20.22.4.85",
    ];
    let code = match of.context.section {
        _ if of.has(SIGNS) => "vital-signs",
        section if imaging::SECTIONS.contains(&section) => "imaging",
        // What was seen at an examination was, whatever template it has.
        "29545-1" | "10210-3" | "71388-3" => "exam",
        section
            if (of.has(TESTS) || RESULTS.contains(&section))
                && let Some(sort) = sort::of(doc, of) =>
        {
            sort.of_observation()?
        }
        _ if of.has(SOCIAL) || of.has(PREGNANCY) || is_pregnancy_intention(of.node) => {
            "social-history"
        }
        section if VITALS.contains(&section) => "vital-signs",
        "29762-2" => "social-history",
        // What somebody is asked with an instrument (assessment scale, and what supports it); in such a section all else was seen.
        _ if of.has(SCALES) => "survey",
        _ if shape::is_sign(of) => "vital-signs",
        _ => return None,
    };
    Some(json!([coded(CATEGORY, code)]))
}

/// `value[x]` by the type that the source declares.
pub(crate) fn value(doc: &Doc<'_>, node: N<'_>) -> Option<(&'static str, Value)> {
    let words = || text::words(doc, node).map(|words| ("valueString", words.into()));
    let raw = || {
        let raw = sure(node)?;
        doc.account.take(node);
        let unit = attr(node, "unit").map(|unit| [raw, unit].join(" "));
        Some(("valueString", unit.unwrap_or_else(|| raw.to_owned()).into()))
    };
    let amount = || quantity::quantity(doc, node).map(|amount| ("valueQuantity", amount));
    match declared(node).as_str() {
        "PQ" | "REAL" | "MO" => amount().or_else(raw).or_else(words),
        "INT" => match sure(node).map(str::parse::<i32>) {
            Some(Ok(number)) => {
                doc.account.take(node);
                Some(("valueInteger", number.into()))
            }
            _ => amount().or_else(raw).or_else(words),
        },
        "BL" => {
            let truth = sure(node).and_then(|_| flag(node, "value"))?;
            doc.account.take(node);
            Some(("valueBoolean", truth.into()))
        }
        "TS" => match time::time(doc, node) {
            // A time of day whose zone nobody states is told in words, so that it is whole.
            Some(at) if at.is_plain() => Some(("valueDateTime", at.at.into())),
            _ => raw(),
        },
        "IVL_TS" => match time::moment(doc, node) {
            Some(at) if at.is_plain() => Some(("valueDateTime", at.at.into())),
            Some(at) => Some(("valueString", time::in_words(at).into())),
            None => time::period(doc, node).map(|span| ("valuePeriod", span)),
        },
        "IVL_PQ" | "IVL_INT" | "IVL_REAL" => {
            if quantity::is_range(node) {
                quantity::range(doc, node).map(|span| ("valueRange", span.into()))
            } else {
                quantity::bounded(doc, node)
                    .map(|amount| ("valueQuantity", amount))
                    .or_else(words)
            }
        }
        "RTO" | "RTO_PQ_PQ" | "RTO_QTY_QTY" => {
            quantity::ratio(doc, node).map(|ratio| ("valueRatio", ratio))
        }
        "ST" | "SC" | "EN" | "PN" | "ON" | "AD" | "TEL" | "URL" | "BIN" => words().or_else(|| {
            let said = attr(node, "displayName").or_else(|| attr(node, "code"))?;
            doc.account.take(node);
            Some(("valueString", said.to_owned().into()))
        }),
        "ED" => words(),
        "II" => {
            let number = attr(node, "extension").or_else(|| attr(node, "root"))?;
            doc.account.take(node);
            Some(("valueString", number.to_owned().into()))
        }
        _ => code::concept(doc, node)
            .map(|concept| ("valueCodeableConcept", concept))
            .or_else(amount)
            .or_else(words),
    }
}

pub(super) fn reference_range(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let range = child(node, "observationRange")?;
    let meaning = child(range, "interpretationCode").and_then(|code| attr(code, "code"));
    // C-CDA on FHIR (results): FHIR's ranges are the normal ones; another one would be taken for normal.
    if meaning.is_some_and(|code| code != "N") {
        doc.account.because(
            node,
            Fate::Lost("a range that is not the normal one, for which FHIR has no place"),
        );
        return None;
    }
    let node = range;
    let mut out = Map::new();
    let span = child(node, "value");
    if let Some(span) = span {
        if quantity::is_range(span) || child(span, "low").is_some() || child(span, "high").is_some()
        {
            out.extend(quantity::range(doc, span).unwrap_or_default());
        } else if let Some((_, Value::Object(amount))) =
            value(doc, span).filter(|(key, _)| *key == "valueQuantity")
        {
            // One number alone is what is normal.
            out.insert("low".into(), Value::Object(amount.clone()));
            out.insert("high".into(), Value::Object(amount));
        }
    }
    let words = child(node, "text").and_then(|text| text::words(doc, text));
    let words = words.or_else(|| {
        let said = span.filter(|_| out.is_empty())?;
        text::words(doc, said).or_else(|| {
            let name = attr(said, "displayName").or_else(|| attr(said, "code"))?;
            doc.account.take(said);
            Some(name.to_owned())
        })
    });
    // A normal finding in a code stands beside its words, which `obs-3` wants.
    let normal = span
        .filter(|span| {
            !out.contains_key("low") && !out.contains_key("high") && code::known(*span).is_some()
        })
        .and_then(|span| code::concept(doc, span));
    let normal = normal.map(|normal| json!([{"url": NORMAL, "valueCodeableConcept": normal}]));
    let kind = child(node, "interpretationCode").and_then(|code| {
        let known = attr(code, "code")?;
        (known == "N").then(|| {
            doc.account.take(code);
            coded(
                "http://terminology.hl7.org/CodeSystem/referencerange-meaning",
                "normal",
            )
        })
    });
    let has_range = out.contains_key("low") || out.contains_key("high") || words.is_some();
    if has_range {
        value::put(&mut out, "type", kind);
    }
    let groups: Vec<Value> = child(node, "code")
        .and_then(|code| code::concept(doc, code))
        .into_iter()
        .collect();
    value::put(&mut out, "appliesTo", list(groups).filter(|_| has_range));
    value::put(&mut out, "text", words);
    value::put(&mut out, "extension", normal.filter(|_| has_range));
    has_range.then_some(Value::Object(out))
}
