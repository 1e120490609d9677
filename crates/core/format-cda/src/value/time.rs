//! `TS` and `IVL_TS`.

mod parse;

use serde_json::{Map, Value};

pub(crate) use parse::stamp;

use crate::{
    account::Fate,
    doc::Doc,
    json::json,
    resource::Resource,
    xml::{N, attr, child},
};

/// Where a time of day stands whose zone nobody states.
const LOCAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/local-time";

/// A time that is less precise than the element must be that it is for.
const PARTIAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/partial-time";

/// A time in the words of the source, which can be read in no way or in several.
const STATED_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/stated-time";
const UNREADABLE: &str = "a time that cannot be read for certain";

/// A time with the precision that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// FHIR `dateTime`.
    pub(crate) at: String,
    /// The time of day, if no zone is stated for it: FHIR has no place for it, and a zone would be invented.
    pub(crate) local: Option<String>,
}

/// The time in an element's `value`.
pub(crate) fn time(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    let raw = attr(node, "value")?;
    let Some(found) = stamp(raw) else {
        doc.account.because(node, Fate::Lost(UNREADABLE));
        return None;
    };
    doc.account.take(node);
    Some(found)
}

/// The first date of a time, to sort and to compare with.
pub(crate) fn day(at: &str) -> &str {
    at.get(..10).unwrap_or(at)
}

/// One moment: a `TS`, an interval of which only the middle is stated, or one that ends when it begins.
pub(crate) fn moment(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    if let Some(at) = time(doc, node) {
        return Some(at);
    }
    let part = |name| child(node, name).filter(|part| attr(*part, "value").is_some());
    match (part("low"), part("high"), part("center")) {
        (None, None, Some(center)) => time(doc, center),
        (Some(low), Some(high), _) if attr(low, "value") == attr(high, "value") => {
            doc.account.take(high);
            time(doc, low)
        }
        _ => None,
    }
}

/// When it began: the moment, or the first end of an interval. Never its last.
pub(crate) fn start(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    if let Some(at) = time(doc, node) {
        return Some(at);
    }
    child(node, "low")
        .and_then(|low| time(doc, low))
        .or_else(|| {
            let high = child(node, "high").filter(|high| attr(*high, "value").is_some());
            match high {
                None => child(node, "center").and_then(|center| time(doc, center)),
                Some(_) => None,
            }
        })
}

/// When it ended.
pub(crate) fn end(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    child(node, "high").and_then(|high| time(doc, high))
}

fn put_stamp(map: &mut Map<String, Value>, key: &str, at: Option<Stamp>) {
    let Some(at) = at else { return };
    map.insert(key.to_owned(), at.at.into());
    if let Some(local) = at.local {
        map.insert(format!("_{key}"), local_time(&local));
    }
}

/// Puts an instant; what is less stands beside it, for an instant cannot be a day.
pub(crate) fn put_instant<'d>(
    out: &mut Resource<'d>,
    doc: &Doc<'d>,
    element: &'static str,
    beside_it: &'static str,
    at: Option<Stamp>,
) -> bool {
    match at {
        Some(at) if at.at.contains('T') => out.put(doc, element, Some(at.at)),
        at => out.put(doc, beside_it, at.map(|at| beside(&at))),
    }
}

/// A time beside an element that can hold instants alone.
pub(crate) fn beside(at: &Stamp) -> Value {
    json!({ "extension": [extension(PARTIAL_TIME, at.clone())] })
}

/// The words of a time that has no element of its own.
pub(crate) fn in_words(at: Stamp) -> String {
    match at.local {
        Some(local) => format!("{} {local}", at.at),
        None => at.at,
    }
}

pub(crate) fn local_time(local: &str) -> Value {
    json!({"extension": [{"url": LOCAL_TIME, "valueString": local}]})
}

/// A moment by its day, with the time of day and its zone beside it.
fn by_day(at: Stamp) -> Stamp {
    match at.at.split_once('T') {
        Some((day, time)) => Stamp {
            at: day.to_owned(),
            local: Some(time.to_owned()),
        },
        None => at,
    }
}

/// An `IVL_TS` as `Period`, if it has an end; a width that ends it is counted in whole units of the calendar.
pub(crate) fn period(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let low = child(node, "low").and_then(|low| time(doc, low));
    let high = end(doc, node);
    // An interval that ends before it begins is a slip of the pen: its ends are kept as they are read, apart.
    if let (Some(low), Some(high)) = (&low, &high)
        && day(&high.at) < day(&low.at).get(..day(&high.at).len()).unwrap_or_default()
    {
        return None;
    }
    // A moment and the whole day that it is in have no order (`per-1`): then both are told by their day.
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) if low.at != high.at && day(&low.at) == day(&high.at) => {
            let both = low.at.contains('T') && high.at.contains('T');
            let plain = |at| if both { at } else { by_day(at) };
            (Some(plain(low)), Some(plain(high)))
        }
        ends => ends,
    };
    let mut out = Map::new();
    put_stamp(&mut out, "start", low);
    put_stamp(&mut out, "end", high);
    if out.is_empty() {
        return None;
    }
    Some(Value::Object(out))
}

/// A moment as the `Period` that begins with it.
pub(crate) fn from(at: Stamp) -> Value {
    let mut out = Map::new();
    put_stamp(&mut out, "start", Some(at));
    Value::Object(out)
}

/// An interval, or a moment as the interval that begins with it.
pub(crate) fn period_from(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mark = doc.account.mark();
    period(doc, node).or_else(|| {
        doc.account.drop_to(mark);
        moment(doc, node).map(from)
    })
}

/// An interval, or a moment as the interval that begins and ends with it.
pub(crate) fn period_within(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let mark = doc.account.mark();
    period(doc, node).or_else(|| {
        doc.account.drop_to(mark);
        moment(doc, node).map(within)
    })
}

/// A moment as the `Period` that begins and ends with it.
pub(crate) fn within(at: Stamp) -> Value {
    let mut out = Map::new();
    put_stamp(&mut out, "start", Some(at.clone()));
    put_stamp(&mut out, "end", Some(at));
    Value::Object(out)
}

/// An extension with a time.
pub(crate) fn extension(url: &str, at: Stamp) -> Value {
    let mut out = Map::new();
    out.insert("url".into(), url.into());
    put_stamp(&mut out, "valueDateTime", Some(at));
    Value::Object(out)
}

/// Puts `…DateTime` or `…Period` under a choice element.
pub(crate) fn put_time<'d>(
    out: &mut Resource<'d>,
    doc: &Doc<'d>,
    date_time: &'static str,
    span: &'static str,
    node: Option<N<'d>>,
) -> bool {
    let Some(node) = node else { return false };
    let mark = doc.account.mark();
    if let Some(at) = moment(doc, node) {
        put_at(out, doc, date_time, Some(at));
        return true;
    }
    doc.account.drop_to(mark);
    let span_of = period(doc, node);
    if span_of.is_none() {
        doc.account.drop_to(mark);
        if let Some(words) = attr(node, "value").filter(|raw| stamp(raw).is_none()) {
            doc.account.take(node);
            let stated = json!({"extension": [{"url": STATED_TIME, "valueString": words}]});
            let beside = if date_time == "performedDateTime" {
                "_performedDateTime"
            } else if date_time == "occurrenceDateTime" {
                "_occurrenceDateTime"
            } else {
                "_effectiveDateTime"
            };
            return out.put(doc, beside, Some(stated));
        }
    }
    out.put(doc, span, span_of)
}

/// Puts a time, and beside it the time of day whose zone nobody states.
pub(crate) fn put_at<'d>(
    out: &mut Resource<'d>,
    doc: &Doc<'d>,
    element: &'static str,
    at: Option<Stamp>,
) -> bool {
    let Some(at) = at else {
        return out.put(doc, element, None::<Value>);
    };
    if let Some(local) = &at.local {
        out.body.insert(format!("_{element}"), local_time(local));
    }
    out.put(doc, element, Some(at.at))
}

/// A moment and an interval in a map that is no resource yet.
pub(crate) fn put_in(map: &mut Map<String, Value>, key: &str, at: Option<Stamp>) {
    put_stamp(map, key, at);
}
