//! The end of an interval that the other end and the length of it give (HL7 v3 data types R1, `IVL`).

use super::{Stamp, parse::days, parse::stamp};
use crate::{
    value::schedule::unit_of_time,
    xml::{N, attr, child, sure},
};

/// The end that is not stated: `high` from `low` and `width`, or `low` from `high` and `width`.
pub(crate) fn counted(node: N<'_>, end: &str) -> Option<Stamp> {
    let (other, sign) = if end == "high" {
        ("low", 1)
    } else {
        ("high", -1)
    };
    let width = child(node, "width")?;
    let number: u32 = sure(width)?.parse().ok()?;
    let unit = unit_of_time(attr(width, "unit")?)?;
    let at = stamp(sure(child(node, other)?)?)?;
    shift(&at, sign * i64::from(number), unit)
}

/// A time so much later, with the precision that it has: from a year nobody counts days.
fn shift(from: &Stamp, number: i64, unit: &str) -> Option<Stamp> {
    let part = |range: core::ops::Range<usize>| from.at.get(range)?.parse::<i64>().ok();
    let year = part(0..4)?;
    let month = part(5..7);
    let day = part(8..10);
    let time = from.at.split_once('T').map(|(_, time)| time);
    let date = |year: i64, month: Option<i64>, day: Option<i64>| {
        (1..=9999).contains(&year).then_some(())?;
        let mut at = format!("{year:04}");
        for one in [month, day].into_iter().flatten() {
            at.push_str(&format!("-{one:02}"));
        }
        Some(at)
    };
    let with_time = |date: String| match time {
        Some(time) => format!("{date}T{time}"),
        None => date,
    };
    let at = match unit {
        "a" | "mo" => {
            let months = if unit == "a" {
                number.checked_mul(12)?
            } else {
                month.map(|_| number)?
            };
            let all = year * 12 + month.unwrap_or(1) - 1 + months;
            let (year, moved) = (all.div_euclid(12), all.rem_euclid(12) + 1);
            let last = days(u32::try_from(year).ok()?, u32::try_from(moved).ok()?);
            let day = day.map(|day| day.min(i64::from(last)));
            with_time(date(year, month.map(|_| moved), day)?)
        }
        "d" | "wk" => {
            let many = if unit == "wk" { number * 7 } else { number };
            let (year, month, day) = date_of(number_of(year, month?, day?) + many);
            with_time(date(year, Some(month), Some(day))?)
        }
        _ => {
            let time = time?;
            let part = |range: core::ops::Range<usize>| time.get(range)?.parse::<i64>().ok();
            let seconds = part(0..2)? * 3600 + part(3..5)? * 60 + part(6..8)?;
            let many = match unit {
                "h" => number * 3600,
                "min" => number * 60,
                _ => number,
            };
            let all = seconds + many;
            let clock = all.rem_euclid(86_400);
            let (year, month, day) =
                date_of(number_of(year, month?, day?) + all.div_euclid(86_400));
            let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
            let rest = time.get(8..)?;
            let date = date(year, Some(month), Some(day))?;
            format!("{date}T{hour:02}:{minute:02}:{second:02}{rest}")
        }
    };
    let local = from.local.clone();
    Some(Stamp {
        at,
        local,
        stated: None,
    })
}

/// The number of a day, counted from 1 March of the year 0.
fn number_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year
}

/// The day that has a number: year, month and day.
fn date_of(number: i64) -> (i64, i64, i64) {
    let era = number.div_euclid(146_097);
    let of_era = number.rem_euclid(146_097);
    let years = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (years + era * 400 + i64::from(month < 3), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_the_ends_of_months_and_years() {
        for (from, number, unit, wanted) in [
            ("20240228", 1, "d", "2024-02-29"),
            ("20230228", 1, "d", "2023-03-01"),
            ("20000101", -1, "d", "1999-12-31"),
            ("20240229", 1, "a", "2025-02-28"),
            ("20240131", 1, "mo", "2024-02-29"),
            ("202401", -2, "mo", "2023-11"),
            ("2024", 3, "a", "2027"),
            ("20241230", 1, "wk", "2025-01-06"),
            ("20241231235950+0100", 20, "s", "2025-01-01T00:00:10+01:00"),
            (
                "20241231000500+0100",
                -10,
                "min",
                "2024-12-30T23:55:00+01:00",
            ),
        ] {
            let from = stamp(from).unwrap();
            assert_eq!(shift(&from, number, unit).unwrap().at, wanted);
        }
        for (from, unit) in [
            ("2024", "mo"),
            ("202401", "d"),
            ("20240101", "h"),
            ("9999", "a"),
        ] {
            assert!(shift(&stamp(from).unwrap(), 1, unit).is_none());
        }
    }
}
