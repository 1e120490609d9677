//! `TS`, `IVL_TS`, `PIVL_TS`, `EIVL_TS` and sets of them.

use serde_json::{Map, Value, json};

use crate::{
    doc::Doc,
    resource::Resource,
    value::{put, quantity::decimal},
    xml::{N, attr, child, children, declared, elements},
};

/// Where a time of day stands whose zone nobody states.
const LOCAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/local-time";

/// A time that is less precise than the element must be that it is for.
const PARTIAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/partial-time";

/// A time with the precision that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// FHIR `dateTime`.
    pub(crate) at: String,
    /// The time of day, if no zone is stated for it: FHIR has no place for it, and a zone would be invented.
    pub(crate) local: Option<String>,
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

/// A zone of a v3 time (`-0500`) as FHIR has it (`-05:00`).
pub(crate) fn zone(raw: &str) -> Option<String> {
    let cut = raw.rfind(['+', '-'])?;
    let digits = raw.get(cut + 1..)?;
    let sound = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let hours = digits.get(..2).filter(|_| sound)?;
    let minutes = digits.get(2..4).unwrap_or("00");
    (hours < "14" || hours == "14" && minutes == "00").then_some(())?;
    (minutes < "60").then(|| format!("{}{hours}:{minutes}", &raw[cut..=cut]))
}

/// A v3 time; `of_document` is the zone that the document states.
pub(crate) fn stamp(raw: &str, of_document: Option<&str>) -> Option<Stamp> {
    let raw = raw.trim();
    // Some write dates as XML Schema has them.
    let xml_date = raw.len() >= 10 && raw.as_bytes()[4] == b'-' && raw.as_bytes()[7] == b'-';
    let plain: String;
    let raw = if xml_date {
        plain = from_xml_schema(raw)?;
        plain.as_str()
    } else {
        raw
    };
    let cut = raw.find(['+', '-', 'Z']).unwrap_or(raw.len());
    let (stamp, rest) = raw.split_at(cut);
    let digits = stamp.split('.').next().unwrap_or(stamp);
    let fraction = stamp.split_once('.').map_or("", |(_, fraction)| fraction);
    // A digit too few or too many makes the whole doubtful.
    if digits.len() < 4
        || digits.len() % 2 == 1
        || digits.len() > 14
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<u32> { digits.get(from..to)?.parse().ok() };
    let year = number(0, 4).filter(|&year| year > 0)?;
    let only = |at: String| Some(Stamp { at, local: None });
    let mut at = format!("{year:04}");
    let Some(month) = number(4, 6) else {
        return only(at);
    };
    // A month or day of 00 is one that is not known; one that no calendar has makes the whole doubtful.
    match month {
        0 => return only(at),
        1..=12 => at.push_str(&format!("-{month:02}")),
        _ => return None,
    }
    let Some(day) = number(6, 8) else {
        return only(at);
    };
    match day {
        0 => return only(at),
        day if day <= days(year, month) => at.push_str(&format!("-{day:02}")),
        _ => return None,
    }
    let Some(hour) = number(8, 10) else {
        return only(at);
    };
    let minute = number(10, 12);
    let second = number(12, 14);
    // Midnight at the end of a day, and hours without minutes, are not what FHIR can say.
    if hour > 23
        || minute.is_some_and(|minute| minute > 59)
        || second.is_some_and(|second| second > 59)
    {
        return only(at);
    }
    let Some(minute) = minute else {
        let local = Some(format!("{hour:02}"));
        return Some(Stamp { at, local });
    };
    let zone = if rest == "Z" {
        Some("Z".to_owned())
    } else {
        zone(rest)
    };
    let zone = zone.or_else(|| of_document.map(str::to_owned));
    let mut time = format!("{hour:02}:{minute:02}:{:02}", second.unwrap_or(0));
    if !fraction.is_empty()
        && fraction.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().any(|byte| byte != b'0')
    {
        time.push('.');
        time.push_str(&fraction[..fraction.len().min(6)]);
    }
    match zone {
        Some(zone) => only(format!("{at}T{time}{zone}")),
        // A midnight without zone is how many write a day.
        None if time == "00:00:00" => only(at),
        None => Some(Stamp {
            at,
            local: Some(time),
        }),
    }
}

fn from_xml_schema(raw: &str) -> Option<String> {
    let (date, time) = raw.split_once('T').unwrap_or((raw, ""));
    let mut out: String = date.chars().filter(char::is_ascii_digit).collect();
    let cut = time.find(['+', '-', 'Z']).unwrap_or(time.len());
    let (time, zone) = time.split_at(cut);
    out.extend(time.chars().filter(|letter| *letter != ':'));
    out.extend(zone.chars().filter(|letter| *letter != ':'));
    Some(out)
}

/// The time in an element's `value`.
pub(crate) fn time(doc: &Doc<'_>, node: N<'_>) -> Option<Stamp> {
    let found = stamp(attr(node, "value")?, doc.zone.as_deref())?;
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

/// A time beside an element that can hold instants alone.
pub(crate) fn beside(at: &Stamp) -> Value {
    let mut day = json!({"url": PARTIAL_TIME, "valueDateTime": at.at});
    if let Some(local) = &at.local {
        day["_valueDateTime"] = local_time(local);
    }
    json!({ "extension": [day] })
}

fn local_time(local: &str) -> Value {
    json!({"extension": [{"url": LOCAL_TIME, "valueString": local}]})
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
    let mut out = Map::new();
    put_stamp(&mut out, "start", low);
    put_stamp(&mut out, "end", high);
    if out.is_empty() {
        return None;
    }
    Some(Value::Object(out))
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
    if let Some(local) = &at.local {
        out.body.insert(format!("_{element}"), local_time(local));
    }
    out.put(doc, element, Some(at.at))
}

/// A moment and an interval in a map that is no resource yet.
pub(crate) fn put_in(map: &mut Map<String, Value>, key: &str, at: Option<Stamp>) {
    put_stamp(map, key, at);
}

/// How a set of times is told: when it begins and ends, how often, and at which events.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// From when to when.
    pub(crate) bounds: Option<Value>,
    /// One moment, if that is all.
    pub(crate) at: Option<Stamp>,
    /// `Timing.repeat`.
    pub(crate) repeat: Map<String, Value>,
    /// What no `Timing` can say.
    pub(crate) rest: bool,
}

/// Units of time in UCUM that `Timing` has.
fn unit_of_time(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "s" | "sec" => "s",
        "min" => "min",
        "h" | "hr" => "h",
        "d" | "day" => "d",
        "wk" | "week" => "wk",
        "mo" | "month" => "mo",
        "a" | "y" | "yr" | "year" => "a",
        _ => return None,
    })
}

/// Reads all `effectiveTime` of a medicine: an interval of its use, and how often (`PIVL_TS`, `EIVL_TS`, `SXPR_TS`).
pub(crate) fn schedule<'d>(doc: &Doc<'d>, node: N<'d>) -> Schedule {
    let mut out = Schedule::default();
    for one in children(node, "effectiveTime") {
        add_time(doc, one, &mut out);
    }
    out
}

fn add_time<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Schedule) {
    match declared(node).as_str() {
        "SXPR_TS" => {
            doc.account.take(node);
            for part in children(node, "comp") {
                add_time(doc, part, out);
            }
        }
        "PIVL_TS" => periodic(doc, node, out),
        "EIVL_TS" => at_event(doc, node, out),
        _ if child(node, "period").is_some() => periodic(doc, node, out),
        _ if child(node, "event").is_some() => at_event(doc, node, out),
        _ => {
            let mark = doc.account.mark();
            if let Some(at) = moment(doc, node) {
                if out.at.is_none() && out.bounds.is_none() {
                    out.at = Some(at);
                } else {
                    doc.account.drop_to(mark);
                    out.rest = true;
                }
                return;
            }
            if let Some(span) = period(doc, node) {
                if out.bounds.is_none() {
                    out.bounds = Some(span);
                } else {
                    doc.account.drop_to(mark);
                    out.rest = true;
                }
                return;
            }
            if let Some(width) = child(node, "width")
                && let Some(length) = crate::value::quantity::duration(doc, width)
                && out.bounds.is_none()
            {
                out.repeat.insert("boundsDuration".into(), length);
                return;
            }
            doc.account.drop_to(mark);
        }
    }
}

fn periodic<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Schedule) {
    let Some(period) = child(node, "period") else {
        out.rest = true;
        return;
    };
    let read = |part: N<'_>| {
        let number = decimal(attr(part, "value")?)?;
        let unit = unit_of_time(attr(part, "unit")?)?;
        Some((number, unit))
    };
    if out.repeat.contains_key("period") {
        out.rest = true;
        return;
    }
    let range = (child(period, "low"), child(period, "high"));
    let found = match range {
        (Some(low), Some(high)) => match (read(low), read(high)) {
            (Some((from, unit)), Some((to, other))) if unit == other => {
                doc.account.take(low);
                doc.account.take(high);
                Some((from, Some(to), unit))
            }
            _ => None,
        },
        _ => read(period).map(|(number, unit)| {
            doc.account.take(period);
            (number, None, unit)
        }),
    };
    let Some((number, most, unit)) = found else {
        out.rest = true;
        return;
    };
    // A frequency as C-CDA R2.1 companion guide and R2B have it: so many times a period.
    let times = crate::xml::sdtc(node, "frequency")
        .or_else(|| child(node, "frequency"))
        .and_then(|one| Some((one, attr(one, "value")?.parse::<u32>().ok()?)));
    if let Some((one, _)) = times {
        doc.account.take(one);
    }
    out.repeat
        .insert("frequency".into(), times.map_or(1, |(_, many)| many).into());
    out.repeat.insert("period".into(), number);
    put(&mut out.repeat, "periodMax", most);
    out.repeat.insert("periodUnit".into(), unit.into());
    doc.account.take(node);
    let phase = child(node, "phase");
    if let Some(phase) = phase {
        // The phase of a set says when its first time is; only an interval of use can take that.
        if out.bounds.is_none() && out.at.is_none() {
            let mark = doc.account.mark();
            out.bounds = start(doc, phase).map(|at| json!({"start": at.at}));
            if out.bounds.is_none() {
                doc.account.drop_to(mark);
            }
        }
    }
}

fn at_event<'d>(doc: &Doc<'d>, node: N<'d>, out: &mut Schedule) {
    const EVENTS: &[&str] = &[
        "HS", "WAKE", "C", "CM", "CD", "CV", "AC", "ACM", "ACD", "ACV", "PC", "PCM", "PCD", "PCV",
    ];
    let Some(event) = child(node, "event") else {
        out.rest = true;
        return;
    };
    let code = attr(event, "code").map(str::to_ascii_uppercase);
    // Between meals has no code in FHIR.
    let Some(code) = code.filter(|code| EVENTS.contains(&code.as_str())) else {
        out.rest = true;
        return;
    };
    doc.account.take(event);
    doc.account.take(node);
    if let Some(Value::Array(all)) = out.repeat.get_mut("when") {
        all.push(code.into());
    } else {
        out.repeat.insert("when".into(), json!([code]));
    }
    if let Some(offset) = child(node, "offset") {
        let low = child(offset, "low").or(Some(offset).filter(|one| attr(*one, "value").is_some()));
        let minutes = low.and_then(|low| {
            let number: u32 = attr(low, "value")?.trim_start_matches('-').parse().ok()?;
            let many = match unit_of_time(attr(low, "unit")?)? {
                "min" => number,
                "h" => number.checked_mul(60)?,
                _ => return None,
            };
            doc.account.take(low);
            Some(many)
        });
        match minutes {
            Some(minutes) => {
                out.repeat.insert("offset".into(), minutes.into());
            }
            None => out.rest |= elements(offset).next().is_some(),
        }
    }
}

impl Schedule {
    /// As `Timing`; none if it says nothing.
    pub(crate) fn timing(mut self) -> Option<Value> {
        let mut out = Map::new();
        put(
            &mut self.repeat,
            "boundsPeriod",
            self.bounds.filter(|_| true),
        );
        if let Some(at) = self.at {
            if self.repeat.is_empty() {
                out.insert("event".into(), json!([at.at]));
                if let Some(local) = &at.local {
                    out.insert("_event".into(), json!([local_time(local)]));
                }
            } else {
                self.repeat
                    .insert("boundsPeriod".into(), json!({"start": at.at}));
            }
        }
        if !self.repeat.is_empty() {
            out.insert("repeat".into(), Value::Object(self.repeat));
        }
        (!out.is_empty()).then_some(Value::Object(out))
    }
}
