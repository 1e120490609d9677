//! `EN`, `PN`, `ON`, `AD` and `TEL`: how people and places are called and reached.

use medibloc_record::json::{Map, Value};

use crate::{
    doc::Doc,
    json::json,
    value::{list, object, put, time},
    xml::{N, attr, child, children, elements, own_text, text},
};

/// What somebody is called beside the names that they bear, where there is a place for one name alone.
const CALL_ME: &str = "https://medibloc.org/fhir/StructureDefinition/call-me";

/// FHIR's own extensions for what HL7 v3 says of a part of a name, and of what a name is for.
const EN_QUALIFIER: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-qualifier";
const EN_USE: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-use";
/// Uses of a name for which FHIR has no word.
const USES: &[&str] = &["ABC", "SYL", "IDE", "I", "R", "SRCH", "PHON", "SNDX"];

fn has(node: N<'_>, name: &str, code: &str) -> bool {
    attr(node, name).is_some_and(|codes| codes.split_whitespace().any(|one| one == code))
}

/// Whether its family name is that of birth alone.
fn is_of_birth(name: N<'_>) -> bool {
    let mut families = children(name, "family").peekable();
    families.peek().is_some() && families.all(|part| has(part, "qualifier", "BR"))
}

/// What a name of birth is for: one whose given names were others, too, was not changed for a marriage, and is an old one only beside
/// another.
fn of_birth(name: N<'_>) -> Option<&'static str> {
    if !children(name, "given").any(|part| has(part, "qualifier", "BR")) {
        return Some("maiden");
    }
    let person = name.parent_element()?;
    (children(person, "name").count() > 1).then_some("old")
}

/// What the source says of a part of a name (FHIR's own extension); null where it says nothing.
fn qualified(part: N<'_>) -> Value {
    const KNOWN: &[&str] = &[
        "LS", "AC", "NB", "PR", "HON", "BR", "AD", "SP", "MID", "CL", "IN", "VV",
    ];
    let codes = attr(part, "qualifier").unwrap_or_default();
    let known = codes.split_whitespace().filter(|code| KNOWN.contains(code));
    let all = known.map(|code| json!({"url": EN_QUALIFIER, "valueCode": code.to_owned()}));
    let all: Vec<Value> = all.collect();
    if all.is_empty() {
        Value::Null
    } else {
        json!({"extension": all})
    }
}

/// The period of use.
fn use_period(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    if let Some(valid) = child(node, "validTime") {
        return time::period(doc, valid);
    }
    children(node, "useablePeriod").find_map(|one| time::period(doc, one))
}

/// A person's name.
pub(crate) fn person_name(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut out = Map::new();
    let usage = [
        // "Known as, conventional, the one you use" (C-CDA on FHIR, `CF-NameUse`).
        ("L", "usual"),
        ("C", "official"),
        ("P", "nickname"),
        ("A", "nickname"),
        ("ASGN", "usual"),
        ("OR", "usual"),
    ];
    let usage = usage.into_iter().find(|(code, _)| has(node, "use", code));
    let parts: Vec<N<'_>> = elements(node)
        .filter(|part| {
            matches!(
                part.tag_name().name(),
                "family" | "given" | "prefix" | "suffix" | "delimiter"
            )
        })
        .collect();
    if attr(node, "nullFlavor").is_some() && parts.is_empty() && text(node).is_none() {
        return None;
    }
    let is_nick = |part: &N<'_>| has(*part, "qualifier", "CL");
    let nick = parts.iter().any(is_nick);
    let only_nick = nick
        && parts
            .iter()
            .all(|part| is_nick(part) || part.tag_name().name() != "given");
    let is_born = is_of_birth(node);
    let usage = match usage {
        Some((_, usage)) => Some(usage),
        // The source says what it is for, and FHIR has no word for that.
        None if attr(node, "use").is_some() => None,
        None if is_born => of_birth(node),
        None if only_nick => Some("nickname"),
        None => None,
    };
    put(&mut out, "use", usage);
    let other = attr(node, "use").filter(|_| usage.is_none());
    let other = other.map(|all| all.split_whitespace().filter(|one| USES.contains(one)));
    let other = other.into_iter().flatten();
    let other = other.map(|one| json!({"url": EN_USE, "valueCode": one.to_owned()}));
    put(&mut out, "extension", list(other.collect()));
    let words = |name: &str| -> Vec<(String, Value)> {
        parts
            .iter()
            .filter(|part| part.tag_name().name() == name)
            .filter(|part| only_nick || !is_nick(part))
            .filter(|part| !(name == "family" && has(**part, "qualifier", "BR") && !is_born))
            .filter_map(|part| {
                let words = text(*part)?;
                doc.account.take(*part);
                Some((words, qualified(*part)))
            })
            .collect()
    };
    let (family, marks): (Vec<String>, Vec<Value>) = words("family").into_iter().unzip();
    put(
        &mut out,
        "family",
        Some(family.join(" ")).filter(|family| !family.is_empty()),
    );
    // What is said of one of several family names is not said of all that stand in the one string.
    let mark = marks
        .first()
        .filter(|first| marks.iter().all(|one| one == *first));
    put(
        &mut out,
        "_family",
        mark.filter(|mark| !mark.is_null()).cloned(),
    );
    for (name, beside) in [
        ("given", "_given"),
        ("prefix", "_prefix"),
        ("suffix", "_suffix"),
    ] {
        let (said, marks): (Vec<String>, Vec<Value>) = words(name).into_iter().unzip();
        put(
            &mut out,
            name,
            list(said.into_iter().map(Value::from).collect()),
        );
        let is_marked = marks.iter().any(|mark| !mark.is_null());
        put(&mut out, beside, list(marks).filter(|_| is_marked));
    }
    let named = ["family", "given", "prefix", "suffix"]
        .iter()
        .any(|part| out.contains_key(part));
    if !named {
        let whole = text(node)?;
        out.insert("text".into(), whole.into());
        doc.account.take(node);
    } else {
        between(doc, node, &mut out);
    }
    put(&mut out, "period", use_period(doc, node));
    object(out)
}

/// The only name that an element has a place for, with what somebody is called beside the names that they bear.
pub(crate) fn only_name(doc: &Doc<'_>, person: N<'_>) -> Option<Value> {
    let node = child(person, "name")?;
    let mut name = person_name(doc, node)?;
    let is_nick = |part: &N<'_>| has(*part, "qualifier", "CL");
    let borne = children(node, "given").any(|part| !is_nick(&part));
    let nicks = children(node, "given").filter(|part| borne && is_nick(part));
    let nicks = nicks.filter_map(|nick| {
        let words = text(nick)?;
        doc.account.take(nick);
        Some(json!({"url": CALL_ME, "valueString": words}))
    });
    if let Value::Object(name) = &mut name {
        let said = name.remove("extension");
        let said = said
            .and_then(|all| all.as_array().cloned())
            .unwrap_or_default();
        put(
            name,
            "extension",
            list(said.into_iter().chain(nicks).collect()),
        );
    }
    Some(name)
}

/// All names of a person, and the name at birth that stands inside another.
pub(crate) fn person_names(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut all: Vec<Value> = Vec::new();
    for name in children(node, "name") {
        let Some(one) = person_name(doc, name) else {
            continue;
        };
        if !all.contains(&one) {
            all.push(one);
        }
        // What somebody is called beside the names that they bear (C-CDA on FHIR, `CF-NameUse`).
        let is_nick = |part: &N<'_>| has(*part, "qualifier", "CL");
        let borne = children(name, "given").any(|part| !is_nick(&part));
        for nick in children(name, "given").filter(|part| borne && is_nick(part)) {
            if let Some(words) = text(nick) {
                doc.account.take(nick);
                all.push(json!({"use": "nickname", "given": [words]}));
            }
        }
        if is_of_birth(name) {
            continue;
        }
        for birth in children(name, "family").filter(|part| has(*part, "qualifier", "BR")) {
            if let Some(words) = text(birth) {
                doc.account.take(birth);
                all.push(json!({"use": "maiden", "family": words}));
            }
        }
    }
    list(all)
}

/// Words between the parts of a name or an address: they belong to it, and nobody says to which part.
fn between(doc: &Doc<'_>, node: N<'_>, out: &mut Map) {
    let spoken = own_text(node);
    let is_said = spoken.is_some_and(|words| words.contains(char::is_alphanumeric));
    if is_said {
        put(out, "text", text(node));
    }
    if is_said || attr(node, "use").is_some() {
        doc.account.take(node);
    }
}

/// The name of an organization or place.
pub(crate) fn words(doc: &Doc<'_>, node: N<'_>) -> Option<String> {
    let name = child(node, "name")?;
    let words = text(name)?;
    for part in name.descendants().filter(N::is_element) {
        doc.account.take(part);
    }
    Some(words)
}

pub(crate) fn address(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut out = Map::new();
    let usage = [
        ("H", "home"),
        ("HP", "home"),
        ("HV", "home"),
        ("WP", "work"),
        ("DIR", "work"),
        ("PUB", "work"),
        ("TMP", "temp"),
        ("BAD", "old"),
    ];
    let usage = usage.into_iter().find(|(code, _)| has(node, "use", code));
    put(&mut out, "use", usage.map(|(_, usage)| usage));
    let kind = match (has(node, "use", "PHYS"), has(node, "use", "PST")) {
        (true, true) => Some("both"),
        (true, false) => Some("physical"),
        (false, true) => Some("postal"),
        _ => None,
    };
    put(&mut out, "type", kind);
    let take = |part: N<'_>| {
        let words = text(part)?;
        doc.account.take(part);
        Some(words)
    };
    let one = |name| child(node, name).and_then(take);
    let mut lines: Vec<Value> = children(node, "streetAddressLine")
        .filter_map(take)
        .map(Value::from)
        .collect();
    // German and Swiss documents name the street and the number apart.
    let street = [
        one("streetName"),
        one("houseNumber"),
        one("unitID"),
        one("additionalLocator"),
    ];
    let street: Vec<String> = street.into_iter().flatten().collect();
    if !street.is_empty() {
        lines.push(street.join(" ").into());
    }
    for name in ["postBox", "deliveryAddressLine", "careOf"] {
        lines.extend(children(node, name).filter_map(take).map(Value::from));
    }
    put(&mut out, "line", list(lines));
    for (key, source) in [
        ("city", "city"),
        ("district", "county"),
        ("state", "state"),
        ("postalCode", "postalCode"),
        ("country", "country"),
    ] {
        put(&mut out, key, one(source));
    }
    let parts = ["line", "city", "district", "state", "postalCode", "country"];
    if !parts.iter().any(|part| out.contains_key(part)) {
        let whole = text(node)?;
        out.insert("text".into(), whole.into());
        doc.account.take(node);
    } else {
        between(doc, node, &mut out);
    }
    put(&mut out, "period", use_period(doc, node));
    object(out)
}

pub(crate) fn addresses(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut all = Vec::new();
    for one in children(node, "addr").filter_map(|one| address(doc, one)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}

fn telecom(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let raw = attr(node, "value")?;
    let (system, value) = match raw
        .split_once(':')
        .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest))
    {
        Some((scheme, number)) if scheme == "tel" => ("phone", number),
        Some((scheme, number)) if scheme == "fax" || scheme == "x-text-fax" => ("fax", number),
        Some((scheme, address)) if scheme == "mailto" => ("email", address),
        Some((scheme, number)) if scheme == "sms" => ("sms", number),
        Some((scheme, _)) if ["http", "https", "ftp"].contains(&scheme.as_str()) => ("url", raw),
        Some(_) => ("other", raw),
        None if raw.contains('@') => ("email", raw),
        None if raw
            .chars()
            .all(|letter| letter.is_ascii_digit() || " +-().x/".contains(letter)) =>
        {
            ("phone", raw)
        }
        None => ("other", raw),
    };
    let value = value.trim();
    // Some write an address or a number as if it were on the web.
    let value = if matches!(system, "phone" | "fax" | "email" | "sms") {
        value.trim_start_matches('/')
    } else {
        value
    };
    if value.is_empty() {
        return None;
    }
    let system = if has(node, "use", "PG") {
        "pager"
    } else {
        system
    };
    let usage = [
        ("MC", "mobile"),
        ("HP", "home"),
        ("H", "home"),
        ("HV", "home"),
        ("WP", "work"),
        ("DIR", "work"),
        ("PUB", "work"),
        ("TMP", "temp"),
        ("BAD", "old"),
    ];
    let usage = usage.into_iter().find(|(code, _)| has(node, "use", code));
    let mut out = Map::new();
    out.insert("system".into(), system.into());
    out.insert("value".into(), value.to_owned().into());
    put(&mut out, "use", usage.map(|(_, usage)| usage));
    put(&mut out, "period", use_period(doc, node));
    doc.account.take(node);
    Some(Value::Object(out))
}

pub(crate) fn telecoms(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mut all = Vec::new();
    for one in children(node, "telecom").filter_map(|one| telecom(doc, one)) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    list(all)
}
