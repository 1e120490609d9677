//! `TS` and `IVL_TS`.

mod length;
mod parse;

use medibloc_record::json::{Map, Value};

pub(crate) use parse::stamp;

use crate::{
    account::Fate,
    doc::Doc,
    json::json,
    local,
    resource::Resource,
    value::absent,
    xml::{N, attr, child, sure},
};

/// A time that is less precise than the element must be that it is for.
const PARTIAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/partial-time";

/// A time in the words of the source, which can be read in no way or in several.
const STATED_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/stated-time";
const UNCOUNTED: &str = "a length of time that cannot be counted from the end that is stated";
const UNREADABLE: &str = "a time that cannot be read for certain";
/// Why a value is in no element that stands beside a null flavor.
pub(crate) const UNSURE: &str = "a value beside a null flavor, which says that there is none";

/// A time with the precision that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// FHIR `dateTime`.
    pub(crate) at: String,
    /// The time of day, if no zone is stated for it: FHIR has no place for it, and a zone would be invented.
    pub(crate) local: Option<String>,
    /// The words of the source, if they cannot be read for certain: then nothing else is known of it.
    pub(crate) stated: Option<String>,
}

impl Stamp {
    fn stated(words: &str) -> Self {
        Self {
            at: String::new(),
            local: None,
            stated: Some(words.to_owned()),
        }
    }

    /// Whether it was read and has no more than FHIR has a place for. Of a value a midnight without a zone is none: many write a day so.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_read() && self.local.as_deref().is_none_or(|time| time == "00:00:00")
    }

    /// Whether it was read: what was not is kept in the words of the source.
    pub(crate) fn is_read(&self) -> bool {
        self.stated.is_none()
    }
}

/// The time in an element's `value`; one that cannot be read or is not sure, in its own words.
pub(crate) fn time(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    let raw = attr(node, "value")?;
    let Some(found) = sure(node).and_then(stamp) else {
        // For whoever has no place for it.
        let why = if sure(node).is_none() {
            UNSURE
        } else {
            UNREADABLE
        };
        doc.account.because(node, Fate::Lost(why));
        doc.account.take(node);
        return Some(Stamp::stated(raw));
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
    bound(doc, node, "low").or_else(|| {
        let high = child(node, "high").filter(|high| attr(*high, "value").is_some());
        match high {
            None => child(node, "center").and_then(|center| time(doc, center)),
            Some(_) => None,
        }
    })
}

/// When it ended.
pub(crate) fn end(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    bound(doc, node, "high")
}

/// When an interval ends, if that is known.
pub(crate) fn known_end(node: N<'_>) -> Option<Stamp> {
    match child(node, "high").filter(|high| attr(*high, "value").is_some()) {
        Some(high) => stamp(sure(high)?),
        None => length::counted(node, "high"),
    }
}

/// Whether an interval has an end, known or not: one that has a beginning and a length has, and one that says a year, whatever day
/// that is.
pub(crate) fn has_end(node: N<'_>) -> bool {
    let says_year = |raw: &str| raw.bytes().take_while(u8::is_ascii_digit).count() >= 4;
    let high = child(node, "high").and_then(sure);
    known_end(node).is_some() || is_bounded(node) || high.is_some_and(says_year)
}

/// Whether an interval has ended, and nobody knows when: C-CDA 2.1 has that as an end of unknown time. One of which nothing at all is
/// known says no end.
pub(crate) fn has_unknown_end(node: N<'_>) -> bool {
    let flavor = |one: N<'_>| attr(one, "nullFlavor").map(str::to_owned);
    let is_null = |name| child(node, name).and_then(flavor);
    let is_silent = flavor(node).is_some() || is_null("low").is_some();
    !is_silent && is_null("high").as_deref() == Some("UNK")
}

fn is_bounded(node: N<'_>) -> bool {
    let has = |name| child(node, name).and_then(sure).is_some();
    has("low") && has("width") && !has("high")
}

/// Whether an interval ends before it begins: a slip of the pen, of which nobody knows which end is wrong, so that both are kept in words.
fn is_reversed(node: N<'_>) -> bool {
    let at = |name| child(node, name).and_then(|part| stamp(sure(part)?));
    let (Some(low), Some(high)) = (at("low"), at("high")) else {
        return false;
    };
    let (first, last) = (day(&low.at), day(&high.at));
    last < first.get(..last.len()).unwrap_or_default()
}

/// One end of an interval, as it is stated or as the other end and the length have it.
fn bound(doc: &Doc<'_>, node: N<'_>, name: &'static str) -> Option<Stamp> {
    if let Some(part) = child(node, name).filter(|part| attr(*part, "value").is_some()) {
        let at = time(doc, part);
        return at.map(
            |at| match attr(part, "value").filter(|_| is_reversed(node)) {
                Some(words) => Stamp::stated(words),
                None => at,
            },
        );
    }
    let width = child(node, "width")?;
    let found = length::counted(node, name);
    if found.is_some() {
        doc.account.take(width);
    } else {
        doc.account.because(width, Fate::Lost(UNCOUNTED));
    }
    found
}

fn put_stamp(map: &mut Map, key: &'static str, at: Option<Stamp>) {
    let Some(at) = at else { return };
    if let Some(words) = at.stated {
        map.insert(format!("_{key}").into(), as_stated(words));
        return;
    }
    map.insert(key.into(), at.at.into());
    if let Some(time) = at.local {
        map.insert(format!("_{key}").into(), local::beside(&time));
    }
}

/// What stands beside an element whose time cannot be read.
pub(crate) fn as_stated(words: String) -> Value {
    json!({ "extension": [in_own_words(words)] })
}

/// The words of a time as an extension.
fn in_own_words(words: String) -> Value {
    json!({"url": STATED_TIME, "valueString": words})
}

/// The words of an end that need not be one (`ongoing`), for a resource that must not say that it ended.
pub(crate) fn unsure(at: &Stamp) -> Option<Value> {
    at.stated.clone().map(in_own_words)
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
    if let Some(words) = &at.stated {
        return as_stated(words.clone());
    }
    json!({ "extension": [extension(PARTIAL_TIME, at.clone())] })
}

/// The words of a time that has no element of its own.
pub(crate) fn in_words(at: Stamp) -> String {
    match (at.stated, at.local) {
        (Some(words), _) => words,
        (None, Some(local)) => format!("{} {local}", at.at),
        (None, None) => at.at,
    }
}

/// A moment by its day, with the time of day and its zone beside it.
fn by_day(at: Stamp) -> Stamp {
    match at.at.split_once('T') {
        Some((day, time)) => Stamp {
            at: day.to_owned(),
            local: Some(time.to_owned()),
            stated: None,
        },
        None => at,
    }
}

/// An `IVL_TS` as `Period`, if it has an end.
pub(crate) fn period(doc: &Doc<'_>, node: N<'_>) -> Option<Value> {
    let low = bound(doc, node, "low");
    let high = end(doc, node);
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
    // A period without an end goes on, in FHIR.
    let is_uncounted = low.is_some() && high.is_none() && is_bounded(node);
    put_stamp(&mut out, "start", low);
    put_stamp(&mut out, "end", high);
    if is_uncounted {
        out.insert("_end".into(), absent(None));
    }
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
pub(crate) fn extension(url: &'static str, at: Stamp) -> Value {
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
    if let Some(words) = at.stated {
        return out.put_beside(doc, element, as_stated(words));
    }
    if let Some(time) = &at.local {
        out.body
            .insert(format!("_{element}").into(), local::beside(time));
    }
    out.put(doc, element, Some(at.at))
}

/// Puts the day of a time under an element that holds days alone, and the time of day beside it.
pub(crate) fn put_day<'d>(
    out: &mut Resource<'d>,
    doc: &Doc<'d>,
    element: &'static str,
    at: Option<Stamp>,
) -> bool {
    put_at(out, doc, element, at.map(by_day))
}

/// The same in a map that is no resource yet.
pub(crate) fn put_day_in(map: &mut Map, key: &'static str, at: Option<Stamp>) {
    put_stamp(map, key, at.map(by_day));
}

/// A moment and an interval in a map that is no resource yet.
pub(crate) fn put_in(map: &mut Map, key: &'static str, at: Option<Stamp>) {
    put_stamp(map, key, at);
}
