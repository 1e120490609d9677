//! Sets of times: `PIVL_TS`, `EIVL_TS`, `SXPR_TS`.

use medibloc_record::json::{Map, Value};

use crate::{
    account::{Because, Fate},
    doc::Doc,
    json::json,
    local,
    value::{
        code::coded,
        put,
        quantity::decimal,
        time::{Stamp, as_stated, from, moment, period, start, within},
    },
    xml::{N, attr, child, children, declared, elements, sure},
};

/// How a set of times is told: when it begins and ends, how often, and at which events.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// From when to when.
    pub(crate) bounds: Option<Value>,
    /// One moment, if that is all.
    pub(crate) at: Option<Stamp>,
    /// Whether the moment is both the first and the last of the times.
    pub(crate) ends: bool,
    /// `Timing.repeat`.
    pub(crate) repeat: Map,
    /// How many times a day, at hours of the house's own (`institutionSpecified`), as a code that says all that `repeat` does.
    pub(crate) code: Option<&'static str>,
    /// What no `Timing` can say.
    pub(crate) rest: bool,
}

const TIMES: &str = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation";
const CUT: Because = "times of which others are excluded, for which FHIR has no form";

/// Units of time in UCUM that `Timing` has.
pub(crate) fn unit_of_time(unit: &str) -> Option<&'static str> {
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
    let all = || children(node, "effectiveTime");
    let is_cut = all().flat_map(|one| one.descendants()).any(is_excluded);
    for one in all() {
        // What is left of a set without the times that are excluded is no schedule that anybody could follow.
        if is_cut && (is_excluded(one) || is_set(one)) {
            out.rest = true;
            doc.account.because(one, Fate::Lost(CUT));
        } else {
            add_time(doc, one, &mut out);
        }
    }
    out
}

/// Whether these are times that a set does not have (`SXCM`, V3 `SetOperator`).
fn is_excluded(node: N<'_>) -> bool {
    attr(node, "operator") == Some("E")
}

/// Whether these are times that come again, or several.
fn is_set(node: N<'_>) -> bool {
    ["period", "event", "comp"]
        .iter()
        .any(|part| child(node, part).is_some())
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
                    out.ends = child(node, "high").is_some();
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
        let number = decimal(sure(part)?)?;
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
        (Some(low), None) => read(low).map(|(number, unit)| {
            doc.account.take(low);
            (number, None, unit)
        }),
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
    let is_plain = times.is_none() && most.is_none() && child(node, "phase").is_none();
    if is_plain && crate::xml::flag(node, "institutionSpecified") == Some(true) {
        out.code = a_day(&number.to_string(), unit);
    }
    out.repeat.insert("period".into(), number);
    put(&mut out.repeat, "periodMax", most);
    out.repeat.insert("periodUnit".into(), unit.into());
    doc.account.take(node);
    let phase = child(node, "phase");
    if let Some(phase) = phase {
        // The phase of a set says when its first time is; only an interval of use can take that.
        if out.bounds.is_none() && out.at.is_none() {
            let mark = doc.account.mark();
            out.bounds = start(doc, phase).map(from);
            if out.bounds.is_none() {
                doc.account.drop_to(mark);
            }
        }
    }
}

/// How often a day a time comes again (HL7 v3, `GTSAbbreviation`).
fn a_day(number: &str, unit: &str) -> Option<&'static str> {
    Some(match (number, unit) {
        ("24", "h") | ("1", "d") => "QD",
        ("12", "h") => "BID",
        ("8", "h") => "TID",
        ("6", "h") => "QID",
        _ => return None,
    })
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
            let number: u32 = sure(low)?.trim_start_matches('-').parse().ok()?;
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
    /// The times from a moment on, to its end if that is stated.
    pub(crate) fn span(&self, at: &Stamp) -> Value {
        if self.ends {
            within(at.clone())
        } else {
            from(at.clone())
        }
    }

    /// As `Timing`; none if it says nothing.
    pub(crate) fn timing(mut self) -> Option<Value> {
        let mut out = Map::new();
        put(&mut self.repeat, "boundsPeriod", self.bounds.take());
        if let Some(at) = self.at.take() {
            if self.repeat.is_empty() {
                if let Some(words) = at.stated.clone() {
                    out.insert("_event".into(), json!([as_stated(words)]));
                } else {
                    out.insert("event".into(), json!([at.at]));
                }
                if let Some(time) = &at.local {
                    out.insert("_event".into(), json!([local::beside(time)]));
                }
            } else {
                let span = self.span(&at);
                self.repeat.insert("boundsPeriod".into(), span);
            }
        }
        // A code stands for the whole but its bounds (FHIR R4, `Timing.code`).
        const TOLD: &[&str] = &["frequency", "period", "periodUnit", "boundsPeriod"];
        let is_whole = self.repeat.keys().all(|key| TOLD.contains(&key.as_ref()));
        let code = self.code.filter(|_| is_whole);
        put(&mut out, "code", code.map(|code| coded(TIMES, code)));
        if !self.repeat.is_empty() {
            out.insert("repeat".into(), Value::Object(self.repeat));
        }
        (!out.is_empty()).then_some(Value::Object(out))
    }
}
