//! `CD`, `CE`, `CV`, `CS`: codes, translations, and the words that were said.

mod conflict;

use medibloc_record::json::{Map, Value};

pub(crate) use conflict::{Quoting, products, quoting};

use crate::{
    codes,
    doc::Doc,
    json::json,
    language,
    value::{absent, list, object, put, text::words as spoken},
    xml::{N, attr, child, children, squeeze},
};

/// A part of a postcoordinated code (HL7 v3 data types R1, `CR`).
const QUALIFIER: &str = "https://medibloc.org/fhir/StructureDefinition/qualifier";

/// One `Coding`.
pub(crate) fn coding(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let code = known(node).map(squeeze)?;
    let mut out = Map::new();
    put(
        &mut out,
        "system",
        attr(node, "codeSystem").and_then(|oid| codes::system_of(oid, &code)),
    );
    put(
        &mut out,
        "version",
        attr(node, "codeSystemVersion").map(str::to_owned),
    );
    out.insert("code".into(), code.into());
    put(&mut out, "display", attr(node, "displayName").map(squeeze));
    doc.account.take(node);
    Some(Value::Object(out))
}

/// The code of an element, if it is one: what stands beside a null flavor is none, and so is a word for none in a system that
/// has no such code.
pub(crate) fn known<'d>(node: N<'d>) -> Option<&'d str> {
    let code = attr(node, "code").filter(|_| attr(node, "nullFlavor").is_none())?;
    let system = attr(node, "codeSystem").unwrap_or_default();
    (!codes::is_none_in(system, code)).then_some(code)
}

/// A coded value as `CodeableConcept`: its code, its translations, and the words that were said; the name of the code where nobody
/// said words.
pub(crate) fn concept(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut codings: Vec<Value> = Vec::new();
    let mut add = |one: Option<Value>| {
        if let Some(one) = one
            && !codings.contains(&one)
        {
            codings.push(one);
        }
    };
    add(coding(doc, node));
    for one in translations(node) {
        add(coding(doc, one));
    }
    let said = said(doc, node);
    let conflict = said
        .as_deref()
        .filter(|words| conflict::is_one(doc, node, words));
    let conflict = conflict.map(conflict::beside);
    let said = said.filter(|_| conflict.is_none());
    let said = said.or_else(|| translations(node).find_map(|one| self::said(doc, one)));
    let said = said.or_else(|| {
        let is_name = |name: &String| known(node).is_some() || !codes::is_word_for_none(name);
        let name = attr(node, "displayName").map(squeeze).filter(is_name)?;
        doc.account.take(node);
        Some(name)
    });
    let mut out = Map::new();
    // That there is no code is what its absence says.
    if (!codings.is_empty() || said.is_some())
        && attr(node, "code").is_some_and(codes::is_word_for_none)
        && known(node).is_none()
    {
        doc.account.take(node);
    }
    let beside = qualifiers(doc, node).into_iter().chain(conflict);
    put(&mut out, "extension", list(beside.collect()));
    put(&mut out, "coding", list(codings));
    let is_said = said.is_some();
    put(&mut out, "text", said);
    let tongue = child(node, "originalText").filter(|_| is_said);
    put(&mut out, "_text", tongue.and_then(language::of_words));
    object(out)
}

/// What is said of a code in other codes (side, course, finding site), each with its name.
fn qualifiers(doc: &Doc<'_>, node: N<'_>) -> Vec<Value> {
    let mut all = Vec::new();
    for one in children(node, "qualifier") {
        let part = |name: &'static str| {
            let code = concept(doc, child(one, name)?)?;
            Some(json!({"url": name, "valueCodeableConcept": code}))
        };
        let (Some(name), Some(value)) = (part("name"), part("value")) else {
            continue;
        };
        all.push(json!({"url": QUALIFIER, "extension": [name, value]}));
    }
    all
}

/// Translations, and those of translations.
fn translations<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    node.descendants()
        .skip(1)
        .filter(|one| one.is_element() && one.tag_name().name() == "translation")
}

/// The words that were said (`originalText`).
pub(crate) fn said(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    child(node, "originalText").and_then(|original| spoken(doc, original))
}

/// All coded values of that name.
pub(crate) fn concepts(doc: &Doc<'_>, node: N<'_>, name: &'static str) -> Option<Value> {
    let mut all = Vec::new();
    for one in children(node, name).filter_map(|one| concept(doc, one)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}

/// A coded value, or why there is none.
pub(crate) fn concept_or_absent(doc: &Doc<'_>, node: Option<N<'_>>) -> Value {
    node.and_then(|node| concept(doc, node))
        .unwrap_or_else(|| absent(node))
}

/// A code that nobody has a name for, with the words of the statement; what points to a row of a table says more than its name.
pub(crate) fn in_words(doc: &Doc<'_>, node: N<'_>, mut code: Value) -> Value {
    let is_named = |one: &Value| one.get("display").is_some();
    let codings = code.get("coding").and_then(Value::as_array);
    let is_bare =
        code.get("text").is_none() && !codings.is_some_and(|all| all.iter().any(is_named));
    let is_row = child(node, "text").is_some_and(|text| crate::value::text::is_row(doc, text));
    if is_bare
        && !is_row
        && let Some(words) = crate::value::text::text_of(doc, node)
        && let Some(code) = code.as_object_mut()
    {
        code.insert("text".into(), words.into());
    }
    code
}

/// A code of a system, by itself.
pub(crate) fn coded(system: &'static str, code: impl Into<Value>) -> Value {
    json!({"coding": [{"system": system, "code": code.into()}]})
}

/// A code of a system with its name.
pub(crate) fn named(system: &'static str, code: &'static str, name: &'static str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": name}]})
}

/// What a value is called: the words that were said, the name of its code, or the words that it is; taken.
pub(crate) fn words(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    let said = said(doc, node);
    let name = || {
        let name = attr(node, "displayName").map(squeeze)?;
        doc.account.take(node);
        Some(name)
    };
    said.or_else(name).or_else(|| {
        let is_words = attr(node, "code").is_none() && child(node, "originalText").is_none();
        is_words.then(|| spoken(doc, node))?
    })
}

/// The code, taken.
pub(crate) fn code<'d>(doc: &Doc<'_>, node: N<'d>) -> Option<&'d str> {
    let code = attr(node, "code")?;
    doc.account.take(node);
    Some(code)
}

/// The code of a status (HL7 v3 `ActStatus`); some write it in capitals.
pub(crate) fn state<'d>(node: N<'d>) -> Option<&'d str> {
    const STATES: &[&str] = &[
        "normal",
        "aborted",
        "active",
        "cancelled",
        "completed",
        "held",
        "new",
        "suspended",
        "nullified",
        "obsolete",
    ];
    let code = attr(node, "code")?;
    let known = STATES.iter().find(|state| state.eq_ignore_ascii_case(code));
    Some(known.copied().unwrap_or(code))
}

/// A code that a table knows: of the element itself or of a translation of it.
pub(crate) fn mapped<'d, T>(
    doc: &Doc<'_>,
    node: N<'d>,
    table: impl Fn(&'d str) -> Option<T>,
) -> Option<T> {
    core::iter::once(node)
        .chain(translations(node))
        .find_map(|one| {
            let found = table(attr(one, "code")?)?;
            doc.account.take(one);
            Some(found)
        })
}

/// What a table has for a code, or else for the words that stand for it; nothing is taken of what the table does not know.
pub(crate) fn mapped_or_said<'d, T>(
    doc: &Doc<'_>,
    node: N<'d>,
    table: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    mapped(doc, node, &table).or_else(|| {
        let mark = doc.account.mark();
        let name = attr(node, "displayName").and_then(&table);
        let found = name.or_else(|| table(&words(doc, node)?));
        match found {
            Some(_) => doc.account.take(node),
            None => doc.account.drop_to(mark),
        }
        found
    })
}

/// The value of a qualifier of that name (SNOMED CT attribute).
pub(crate) fn qualifier<'d>(node: N<'d>, names: &[&str]) -> Option<N<'d>> {
    children(node, "qualifier").find_map(|one| {
        let name = attr(child(one, "name")?, "code")?;
        names.contains(&name).then(|| child(one, "value"))?
    })
}
