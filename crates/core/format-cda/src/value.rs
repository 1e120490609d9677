//! HL7 v3 data types to FHIR ones. A value that is not surely representable gives none, never a guess.

use core::str::FromStr;

use roxmltree::Node;
use serde_json::{Map, Number, Value, json};

use crate::{
    build::Builder,
    codes,
    xml::{attr, child, children, text},
};

const DAR: &str = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";

pub(crate) fn put(map: &mut Map<String, Value>, key: &str, value: Option<Value>) {
    if let Some(value) = value {
        map.insert(key.to_owned(), value);
    }
}

pub(crate) fn list(values: Vec<Value>) -> Option<Value> {
    (!values.is_empty()).then_some(Value::Array(values))
}

/// An element that only says why it is absent.
pub(crate) fn absent(node: Option<Node<'_, '_>>) -> Value {
    let flavor = node.and_then(|node| attr(node, "nullFlavor"));
    json!({"extension": [{"url": DAR, "valueCode": codes::absent(flavor)}]})
}

/// One line of text as FHIR codes want it.
fn squeeze(raw: &str) -> String {
    raw.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn coding(node: Node<'_, '_>) -> Option<Value> {
    let code = attr(node, "code").map(squeeze)?;
    let mut out = Map::new();
    put(
        &mut out,
        "system",
        attr(node, "codeSystem")
            .and_then(codes::system)
            .map(Value::String),
    );
    out.insert("code".into(), code.into());
    put(
        &mut out,
        "display",
        attr(node, "displayName").map(|name| squeeze(name).into()),
    );
    Some(Value::Object(out))
}

/// The text of an element, or of the narrative that it points to.
pub(crate) fn pointed_text(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<String> {
    let pointer = child(node, "reference")
        .and_then(|reference| attr(reference, "value"))
        .and_then(|value| build.narrative(value.trim_start_matches('#')));
    pointer.and_then(text).or_else(|| text(node))
}

/// A `CD`, `CE` or `CV`.
pub(crate) fn concept(node: Node<'_, '_>, build: &Builder<'_, '_>) -> Option<Value> {
    let mut codings: Vec<Value> = coding(node).into_iter().collect();
    for translation in children(node, "translation").filter_map(coding) {
        if !codings.contains(&translation) {
            codings.push(translation);
        }
    }
    let words = child(node, "originalText")
        .and_then(|original| pointed_text(original, build))
        .or_else(|| attr(node, "displayName").map(squeeze));
    let mut out = Map::new();
    put(&mut out, "coding", list(codings));
    put(&mut out, "text", words.map(Value::String));
    (!out.is_empty()).then_some(Value::Object(out))
}

pub(crate) fn concept_or_absent(node: Option<Node<'_, '_>>, build: &Builder<'_, '_>) -> Value {
    node.and_then(|node| concept(node, build))
        .unwrap_or_else(|| absent(node))
}

pub(crate) fn coded(system: &str, code: &str) -> Value {
    json!({"coding": [{"system": system, "code": code}]})
}

/// An `II`.
pub(crate) fn identifier(node: Node<'_, '_>) -> Option<Value> {
    let root = attr(node, "root")?;
    let system = codes::identifier_system(root)?;
    Some(match attr(node, "extension") {
        Some(extension) => json!({"system": system, "value": extension}),
        None => json!({"system": "urn:ietf:rfc:3986", "value": system}),
    })
}

pub(crate) fn identifiers(node: Node<'_, '_>) -> Option<Value> {
    list(children(node, "id").filter_map(identifier).collect())
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

/// A v3 timestamp as FHIR `dateTime` with the precision that it has.
/// A time of day without a zone is dropped: FHIR forbids it and a zone would be invented.
pub(crate) fn date_time(raw: &str) -> Option<String> {
    let raw = raw.trim();
    let cut = raw.find(['+', '-']).unwrap_or(raw.len());
    let (stamp, zone) = raw.split_at(cut);
    let digits = stamp.split('.').next().unwrap_or(stamp);
    if digits.len() < 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u32> { digits.get(from..to)?.parse().ok() };
    let year = number(0, 4).filter(|&year| year > 0)?;
    let mut out = format!("{year:04}");
    let Some(month) = number(4, 6).filter(|month| (1..=12).contains(month)) else {
        return Some(out);
    };
    out.push_str(&format!("-{month:02}"));
    let Some(day) = number(6, 8).filter(|&day| day >= 1 && day <= days(year, month)) else {
        return Some(out);
    };
    out.push_str(&format!("-{day:02}"));
    let (Some(hour), Some(minute)) = (number(8, 10), number(10, 12)) else {
        return Some(out);
    };
    let second = number(12, 14).unwrap_or(0);
    let zone_digits = zone.get(1..).unwrap_or_default();
    let zone_ok = zone_digits.len() == 4
        && zone_digits.bytes().all(|byte| byte.is_ascii_digit())
        && zone_digits <= "1400"
        && zone_digits.get(2..).is_some_and(|minutes| minutes < "60");
    if hour < 24 && minute < 60 && second < 60 && zone_ok {
        out.push_str(&format!("T{hour:02}:{minute:02}:{second:02}{}", &zone[..3]));
        out.push(':');
        out.push_str(&zone[3..]);
    }
    Some(out)
}

pub(crate) fn time(node: Node<'_, '_>) -> Option<String> {
    attr(node, "value").and_then(date_time)
}

/// The first date of an `IVL_TS`: its value, low, center or high.
pub(crate) fn any_time(node: Node<'_, '_>) -> Option<String> {
    time(node).or_else(|| {
        ["low", "center", "high"]
            .into_iter()
            .find_map(|name| child(node, name).and_then(time))
    })
}

/// An `IVL_TS` as `Period`, if it has a low or high.
pub(crate) fn period(node: Node<'_, '_>) -> Option<Value> {
    let low = child(node, "low").and_then(time);
    let high = child(node, "high").and_then(time);
    let ordered = match (&low, &high) {
        (Some(low), Some(high)) => low.get(..low.len().min(10)) <= high.get(..10).or(Some(high)),
        _ => true,
    };
    let mut out = Map::new();
    put(&mut out, "start", low.map(Value::String));
    put(&mut out, "end", high.filter(|_| ordered).map(Value::String));
    (!out.is_empty()).then_some(Value::Object(out))
}

/// Puts `…DateTime` or `…Period` under a choice element.
pub(crate) fn put_time(map: &mut Map<String, Value>, stem: &str, node: Option<Node<'_, '_>>) {
    let Some(node) = node else { return };
    match (time(node), period(node)) {
        (Some(at), _) => put(map, &format!("{stem}DateTime"), Some(at.into())),
        (None, span) => put(map, &format!("{stem}Period"), span),
    }
}

/// A decimal exactly as written.
pub(crate) fn decimal(raw: &str) -> Option<Value> {
    let raw = raw.trim().trim_start_matches('+');
    let raw = if raw.starts_with('.') {
        format!("0{raw}")
    } else {
        raw.to_owned()
    };
    if raw.len() > 40 || raw.contains(['e', 'E']) {
        return None;
    }
    Number::from_str(&raw).ok().map(Value::Number)
}

/// A `PQ`, `REAL` or `INT`.
pub(crate) fn quantity(node: Node<'_, '_>) -> Option<Value> {
    let number = decimal(attr(node, "value")?)?;
    let mut out = Map::new();
    out.insert("value".into(), number);
    if let Some(unit) = attr(node, "unit").map(squeeze) {
        if codes::is_ucum(&unit) {
            out.insert("system".into(), "http://unitsofmeasure.org".into());
            out.insert("code".into(), unit.clone().into());
        }
        out.insert("unit".into(), unit.into());
    }
    Some(Value::Object(out))
}

/// Low and high of an `IVL_PQ`.
pub(crate) fn range(node: Node<'_, '_>) -> Option<Map<String, Value>> {
    let mut out = Map::new();
    put(&mut out, "low", child(node, "low").and_then(quantity));
    put(&mut out, "high", child(node, "high").and_then(quantity));
    (!out.is_empty()).then_some(out)
}

pub(crate) fn name(node: Node<'_, '_>) -> Option<Value> {
    let words = |name| -> Vec<Value> {
        children(node, name)
            .filter_map(text)
            .map(Value::String)
            .collect()
    };
    let mut out = Map::new();
    put(
        &mut out,
        "family",
        list(words("family")).map(|all| {
            let all: Vec<&str> = all
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect();
            all.join(" ").into()
        }),
    );
    put(&mut out, "given", list(words("given")));
    put(&mut out, "prefix", list(words("prefix")));
    put(&mut out, "suffix", list(words("suffix")));
    if out.is_empty() {
        put(&mut out, "text", text(node).map(Value::String));
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

pub(crate) fn names(node: Node<'_, '_>) -> Option<Value> {
    list(children(node, "name").filter_map(name).collect())
}

fn address(node: Node<'_, '_>) -> Option<Value> {
    let one = |name| child(node, name).and_then(text).map(Value::String);
    let mut out = Map::new();
    let lines = children(node, "streetAddressLine")
        .filter_map(text)
        .map(Value::String)
        .collect();
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
    if out.is_empty() {
        put(&mut out, "text", text(node).map(Value::String));
    }
    (!out.is_empty()).then_some(Value::Object(out))
}

pub(crate) fn addresses(node: Node<'_, '_>) -> Option<Value> {
    list(children(node, "addr").filter_map(address).collect())
}

pub(crate) fn telecoms(node: Node<'_, '_>) -> Option<Value> {
    let points = children(node, "telecom").filter_map(|telecom| {
        let raw = attr(telecom, "value")?;
        let (system, value) = match raw.split_once(':') {
            Some(("tel", number)) => ("phone", number),
            Some(("fax", number)) => ("fax", number),
            Some(("mailto", address)) => ("email", address),
            Some(("http" | "https" | "ftp", _)) => ("url", raw),
            _ => ("other", raw),
        };
        let value = value.trim();
        (!value.is_empty()).then(|| json!({"system": system, "value": value}))
    });
    list(points.collect())
}
