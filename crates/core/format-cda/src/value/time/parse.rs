//! Times as they are written: the form of HL7 v3, and others that can be read in one way alone.

use super::Stamp;

pub(super) fn days(year: u32, month: u32) -> u32 {
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
fn zone(raw: &str) -> Option<String> {
    let cut = raw.rfind(['+', '-'])?;
    let digits = raw.get(cut + 1..)?;
    let sound = matches!(digits.len(), 2 | 4) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let hours = digits.get(..2).filter(|_| sound)?;
    let minutes = digits.get(2..4).unwrap_or("00");
    (hours < "14" || hours == "14" && minutes == "00").then_some(())?;
    (minutes < "60").then(|| format!("{}{hours}:{minutes}", &raw[cut..=cut]))
}

/// A v3 time. One without a zone has none: that which the document states for its own time need not be its (docs/adr/0026).
pub(crate) fn stamp(raw: &str) -> Option<Stamp> {
    let raw = raw.trim();
    if let Some(plain) = without_colon(raw) {
        return v3(&plain);
    }
    let is_plain = raw.bytes().take_while(u8::is_ascii_digit).count() >= 4
        && raw
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.Z".contains(&byte))
        && !is_dated(raw);
    if is_plain { v3(raw) } else { other(raw) }
}

/// A v3 time whose zone has a colon: the same without it.
fn without_colon(raw: &str) -> Option<String> {
    let (time, minutes) = raw.split_once(':')?;
    let digits = time.bytes().take_while(u8::is_ascii_digit).count();
    let is_zone = time.len() >= 3 && b"+-".contains(&time.as_bytes()[time.len() - 3]);
    (digits >= 12 && is_zone && minutes.len() == 2).then(|| [time, minutes].concat())
}

/// A date with signs between its parts.
fn is_dated(raw: &str) -> bool {
    let sign = raw.as_bytes().get(4);
    let rest = raw.get(5..).unwrap_or_default();
    // `2013-0500` is a year with a zone.
    sign.is_some_and(|sign| b"-/.".contains(sign))
        && (rest.len() < 4 || !rest.bytes().take(4).all(|byte| byte.is_ascii_digit()))
}

/// A time in another form than that of v3: a date that begins with its year, with what may follow it.
fn other(raw: &str) -> Option<Stamp> {
    let (date, rest) = date_of(raw)?;
    let rest = rest.trim_start_matches(['T', 't', ' ']).trim();
    if rest.is_empty() {
        return v3(&date);
    }
    if date.len() == 8
        && let Some(clock) = clock(rest)
    {
        return v3(&[date, clock].concat());
    }
    // A time of day in words that are of no other kind.
    const WORDS: &[&str] = &[
        "am", "pm", "a.m.", "p.m.", "h", "uhr", "utc", "gmt", "est", "edt", "cst", "cdt", "mst",
        "mdt", "pst", "pdt", "cet", "cest", "kst", "jst",
    ];
    let is_clock = |word: &str| {
        WORDS.contains(&word.to_lowercase().as_str())
            || word.starts_with(|first: char| first.is_ascii_digit())
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b":.".contains(&byte))
    };
    let is_time = rest.starts_with(|first: char| first.is_ascii_digit())
        && rest.split_whitespace().all(is_clock);
    let day = v3(&date).filter(|day| is_time && day.at.len() == 10)?;
    let local = Some(rest.to_owned());
    Some(Stamp { local, ..day })
}

/// The digits of a date at the beginning, and what follows it.
fn date_of(raw: &str) -> Option<(String, &str)> {
    let digits = |raw: &str| raw.bytes().take_while(u8::is_ascii_digit).count();
    if digits(raw) == 8 {
        let (date, rest) = raw.split_at(8);
        return Some((date.to_owned(), rest));
    }
    if digits(raw) != 4 || !is_dated(raw) {
        return None;
    }
    let sign = &raw[4..5];
    let mut date = raw[..4].to_owned();
    let mut rest = &raw[4..];
    for _ in 0..2 {
        let Some(part) = rest.strip_prefix(sign) else {
            break;
        };
        let many = digits(part);
        if !matches!(many, 1 | 2) {
            return None;
        }
        let number: u32 = part[..many].parse().ok()?;
        date.push_str(&format!("{number:02}"));
        rest = &part[many..];
    }
    // A month is followed by nothing.
    (date.len() == 8 || rest.is_empty()).then_some((date, rest))
}

/// A time of day with signs between its parts, and its zone, as v3 has it.
fn clock(raw: &str) -> Option<String> {
    let cut = raw.find(['+', '-', 'Z']).unwrap_or(raw.len());
    let (time, zone) = raw.split_at(cut);
    let (time, fraction) = time
        .trim_end()
        .split_once('.')
        .unwrap_or((time.trim_end(), ""));
    let mut out = String::new();
    if time.contains(':') {
        for part in time.split(':') {
            let number: u32 = part.parse().ok().filter(|_| part.len() <= 2)?;
            out.push_str(&format!("{number:02}"));
        }
    } else {
        out.push_str(time);
    }
    let is_whole = matches!(out.len(), 4 | 6) && out.bytes().all(|byte| byte.is_ascii_digit());
    let is_zone = zone
        .bytes()
        .all(|byte| byte.is_ascii_digit() || b"+-:Z".contains(&byte));
    let is_fraction = fraction.bytes().all(|byte| byte.is_ascii_digit());
    (is_whole && is_zone && is_fraction).then_some(())?;
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out.extend(zone.chars().filter(|letter| *letter != ':'));
    Some(out)
}

fn read(at: String, local: Option<String>) -> Stamp {
    Stamp {
        at,
        local,
        stated: None,
    }
}

/// A time in the form of v3.
fn v3(raw: &str) -> Option<Stamp> {
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
    let only = |at: String| Some(read(at, None));
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
        // The zone of a time that no clock shows is that of no time.
        return Some(read(at, Some(raw[8..].to_owned())));
    }
    let Some(minute) = minute else {
        let local = Some(format!("{hour:02}{rest}"));
        return Some(read(at, local));
    };
    let zone = if rest == "Z" {
        Some("Z".to_owned())
    } else {
        zone(rest)
    };
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
        // A zone that is none is told as it is printed.
        None => Some(read(at, Some([time.as_str(), rest].concat()))),
    }
}
