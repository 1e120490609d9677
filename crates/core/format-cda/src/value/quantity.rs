//! `PQ`, `IVL_PQ`, `RTO`, `INT`, `REAL`, `MO`: numbers with their unit as printed, and its UCUM code where that is certain.

mod degree;

use core::str::FromStr;

use medibloc_record::json::{Map, Number, Value};

use crate::{
    account::Fate,
    codes::unit,
    doc::Doc,
    json::json,
    value::{absent, list, put},
    xml::{N, attr, child, children, flag, own_text, squeeze, sure},
};

const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation";
const UCUM: &str = "http://unitsofmeasure.org";

/// A decimal exactly as written, with the exponent that it may have.
pub(crate) fn decimal(raw: &str) -> Option<Value> {
    let raw = raw.trim().trim_start_matches('+');
    let (raw, power) = match raw.split_once(['e', 'E']) {
        Some((raw, power)) => (
            raw,
            Some(power.parse::<i8>().ok().filter(|one| one.abs() <= 40)?),
        ),
        None => (raw, None),
    };
    let raw = match (raw.strip_prefix('.'), raw.strip_prefix("-.")) {
        (Some(rest), _) => format!("0.{rest}"),
        (_, Some(rest)) => format!("-0.{rest}"),
        _ => raw.strip_suffix('.').unwrap_or(raw).to_owned(),
    };
    let digits = raw.strip_prefix('-').unwrap_or(&raw);
    // Leading zeros are no number in JSON.
    let digits = match digits.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest if rest.starts_with('.') => format!("0{rest}"),
        rest => rest.to_owned(),
    };
    let plain = if raw.starts_with('-') {
        format!("-{digits}")
    } else {
        digits
    };
    let sound = plain.len() <= 40
        && plain
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b".-".contains(&byte));
    let plain = power.map_or(plain.clone(), |power| format!("{plain}e{power}"));
    sound.then(|| Number::from_str(&plain).ok().map(Value::Number))?
}

/// The unit of a quantity: as printed, and its code where that is certain.
fn put_unit(out: &mut Map, node: N<'_>, printed: &str) {
    out.insert("unit".into(), printed.to_owned().into());
    let code = unit::ucum(printed);
    if let Some(code) = code.or_else(|| degree::ucum(node, printed, out.get("value"))) {
        out.insert("system".into(), UCUM.into());
        out.insert("code".into(), code.into());
    }
}

/// A `PQ`, `REAL` or `INT`; what it lacks is taken from a translation of it (`PQR`, whose null flavor is that of its unit).
pub(crate) fn quantity(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let own = sure(node).and_then(decimal);
    let other = children(node, "translation").find(|one| {
        let number = attr(*one, "value").and_then(decimal);
        number.is_some()
            && (own.is_none() || number == own && attr(node, "unit").is_none_or(|unit| unit == "1"))
    });
    let number = own
        .clone()
        .or_else(|| attr(other?, "value").and_then(decimal))?;
    let mut out = Map::new();
    let mut further = Vec::new();
    if own.is_some() {
        doc.account.take(node);
        for one in children(node, "translation").filter(|one| Some(*one) != other) {
            let why = "a translation without an amount of its own";
            match translation(doc, one) {
                Some(found) => further.push(found),
                None => doc.account.because(one, Fate::Lost(why)),
            }
        }
    }
    out.insert("value".into(), number);
    match (attr(node, "unit"), other) {
        (Some(printed), other) if own.is_some() && (printed != "1" || other.is_none()) => {
            put_unit(&mut out, node, printed);
        }
        (_, Some(other)) => put_unit_of(doc, other, &mut out),
        _ => {}
    }
    put(&mut out, "extension", list(further));
    Some(Value::Object(out))
}

/// The unit of a translation: its words or name, or else its code.
fn put_unit_of(doc: &Doc<'_>, other: N<'_>, out: &mut Map) {
    let said = child(other, "originalText");
    let words = said.and_then(own_text);
    let printed = words
        .clone()
        .or_else(|| attr(other, "displayName").map(squeeze));
    let code = attr(other, "code");
    if words.is_some()
        && let Some(said) = said
    {
        doc.account.take(said);
    }
    doc.account.take(other);
    match (printed, code) {
        (printed, Some(code)) => {
            out.insert(
                "unit".into(),
                printed.unwrap_or_else(|| code.to_owned()).into(),
            );
            let system = attr(other, "codeSystem").and_then(crate::codes::system);
            if let Some(system) =
                system.filter(|system| system != UCUM || unit::ucum(code).is_some())
            {
                out.insert("system".into(), system.into());
                out.insert("code".into(), code.to_owned().into());
            }
        }
        (Some(printed), None) => put_unit(out, other, &printed),
        (None, None) => {
            if let Some(printed) = attr(other, "unit") {
                put_unit(out, other, printed);
            }
        }
    }
}

/// The same amount in another unit, as FHIR R4's extension for it.
fn translation(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let number = attr(node, "value").and_then(decimal)?;
    let mut out = Map::new();
    out.insert("value".into(), number);
    put_unit_of(doc, node, &mut out);
    Some(json!({"url": TRANSLATION, "valueQuantity": out}))
}

/// A quantity, or an interval of which one end is stated: that end with a comparator.
pub(crate) fn bounded(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    if let Some(exact) = quantity(doc, node) {
        return Some(exact);
    }
    let (low, high) = ends(node);
    let (end, sign) = match (low, high) {
        (Some(low), None) => (
            low,
            if flag(low, "inclusive") == Some(false) {
                ">"
            } else {
                ">="
            },
        ),
        (None, Some(high)) => (
            high,
            if flag(high, "inclusive") == Some(false) {
                "<"
            } else {
                "<="
            },
        ),
        (None, None) => {
            let center = child(node, "center")?;
            return quantity(doc, center);
        }
        _ => return None,
    };
    let Value::Object(number) = quantity(doc, end)? else {
        return None;
    };
    let mut out = Map::new();
    let mut rest = number.into_iter();
    if let Some((key, value)) = rest.next() {
        out.insert(key, value);
    }
    out.insert("comparator".into(), sign.into());
    out.extend(rest);
    Some(Value::Object(out))
}

/// The ends of an interval that have a number.
fn ends<'d>(node: N<'d>) -> (Option<N<'d>>, Option<N<'d>>) {
    let end = |name| {
        child(node, name).filter(|end| {
            sure(*end).is_some_and(|raw| decimal(raw).is_some())
                || children(*end, "translation").any(|one| attr(one, "value").is_some())
        })
    };
    (end("low"), end("high"))
}

/// An `IVL_PQ` with both ends as `Range`; with one end, that end. Comparators have no place in a range: an end that is not part of
/// it is not told here.
pub(crate) fn range(doc: &Doc<'_>, node: N<'_>) -> Option<Map> {
    let (low, high) = ends(node);
    let mut out = Map::new();
    put(&mut out, "low", low.and_then(|low| quantity(doc, low)));
    put(&mut out, "high", high.and_then(|high| quantity(doc, high)));
    (!out.is_empty()).then_some(out)
}

/// Whether both ends are stated.
pub(crate) fn is_range(node: N<'_>) -> bool {
    matches!(ends(node), (Some(_), Some(_)))
}

/// An `RTO`; of what a denominator is that is not known, that it is not (`rat-1` wants one).
pub(crate) fn ratio(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let top = child(node, "numerator").and_then(|one| bounded(doc, one))?;
    let below = child(node, "denominator")?;
    let is_unknown = attr(below, "nullFlavor").is_some();
    let bottom = bounded(doc, below).or_else(|| is_unknown.then(|| absent(Some(below))))?;
    Some(json!({"numerator": top, "denominator": bottom}))
}

/// A `PQ` of time as `Duration`.
pub(crate) fn duration(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let code = unit::ucum(attr(node, "unit")?)?;
    ["s", "min", "h", "d", "wk", "mo", "a"]
        .contains(&code.as_str())
        .then_some(())?;
    quantity(doc, node)
}

/// A whole number, taken.
pub(crate) fn whole(doc: &Doc<'_>, node: N<'_>) -> Option<u32> {
    let number = sure(node)?.parse().ok()?;
    doc.account.take(node);
    Some(number)
}
