//! Days of records, as somebody asks for them: made once of what a letter, a consent or a command says, so that what is compared,
//! shown and signed is one value.

use core::fmt;
use core::str::FromStr;

use medibloc_record::Timestamp;
use serde::{Deserialize, Serialize};

use crate::moment::days_to;

/// A day of the calendar, written like 2026-01-31 and in no other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day {
    year: u16,
    month: u8,
    day: u8,
}

impl Day {
    /// The first second of the day in UTC; of a day before 1970, with which time begins here, that of 1970.
    pub fn begins(self) -> Timestamp {
        let (year, month, day) = (
            u64::from(self.year),
            u64::from(self.month),
            u64::from(self.day),
        );
        Timestamp(days_to(year, month, day).saturating_mul(86_400))
    }
}

/// Why a text is no day, or two days are no time between them. It never says the text, which somebody else may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadDates {
    /// It is written otherwise, or the calendar has no such day.
    #[error(
        "a day is written like 2026-01-31, with nothing before or after it, and is in the calendar; say it so"
    )]
    NoDay,
    /// The first day is not before the end.
    #[error(
        "the first day asked for is not before the day at which the time ends; say an earlier first day or a later end"
    )]
    NoDays,
}

/// When records were written: `since` ≤ the date that a record says < `before`. A record that says no date, or only a year or a
/// month of which a day is outside, is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Said", into = "Said")]
pub struct Dates {
    since: Option<Day>,
    before: Option<Day>,
}

/// As it is sent and kept.
#[derive(Serialize, Deserialize)]
struct Said {
    since: Option<Day>,
    before: Option<Day>,
}

impl Dates {
    /// From the first day on, up to the first day after; none for no end on that side.
    ///
    /// # Errors
    /// If no day is between them.
    pub fn new(since: Option<Day>, before: Option<Day>) -> Result<Self, BadDates> {
        match (since, before) {
            (Some(since), Some(before)) if since >= before => Err(BadDates::NoDays),
            _ => Ok(Self { since, before }),
        }
    }

    /// The first day.
    pub const fn since(&self) -> Option<Day> {
        self.since
    }

    /// The first day after.
    pub const fn before(&self) -> Option<Day> {
        self.before
    }

    /// Whether it has the date of a record (FHIR dateTime, of which the day counts as it is written there).
    pub fn has(&self, written: &str) -> bool {
        let Some((first, last)) = days_of(written) else {
            return false;
        };
        self.since.is_none_or(|since| since <= first)
            && self.before.is_none_or(|before| last < before)
    }
}

/// The first and the last day that a record's date can mean; none if it is no date.
fn days_of(written: &str) -> Option<(Day, Day)> {
    let date = written.split_once('T').map_or(written, |(date, _)| date);
    let all = |first: &str, last: &str| {
        let day = |rest: &str| format!("{date}{rest}").parse().ok();
        Some((day(first)?, day(last)?))
    };
    match date.len() {
        4 => all("-01-01", "-12-31"),
        7 => ["-31", "-30", "-29", "-28"]
            .iter()
            .find_map(|last| all("-01", last)),
        _ => all("", ""),
    }
}

impl FromStr for Day {
    type Err = BadDates;

    fn from_str(text: &str) -> Result<Self, BadDates> {
        let bytes = text.as_bytes();
        let is_written_so = bytes.len() == 10
            && bytes.iter().enumerate().all(|(at, byte)| match at {
                4 | 7 => *byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let number = |from: usize, to: usize| {
            let digits = bytes.get(from..to)?.iter();
            digits.copied().try_fold(0_u16, |sum, digit| {
                let digit = digit.checked_sub(b'0')?;
                sum.checked_mul(10)?.checked_add(digit.into())
            })
        };
        let parts = is_written_so.then(|| Some((number(0, 4)?, number(5, 7)?, number(8, 10)?)));
        let (year, month, day) = parts.flatten().ok_or(BadDates::NoDay)?;
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u16::from(is_leap),
            _ => 0,
        };
        if year == 0 || day == 0 || day > days {
            return Err(BadDates::NoDay);
        }
        let small = |number: u16| u8::try_from(number).map_err(|_| BadDates::NoDay);
        Ok(Self {
            year,
            month: small(month)?,
            day: small(day)?,
        })
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl TryFrom<String> for Day {
    type Error = BadDates;

    fn try_from(text: String) -> Result<Self, BadDates> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl TryFrom<Said> for Dates {
    type Error = BadDates;

    fn try_from(said: Said) -> Result<Self, BadDates> {
        Self::new(said.since, said.before)
    }
}

impl From<Dates> for Said {
    fn from(dates: Dates) -> Self {
        Self {
            since: dates.since,
            before: dates.before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Artefact;
    use crate::mail::Message;
    use medibloc_dag::cbor;
    use std::collections::BTreeMap;

    /// Every first, second and last day of a month, from the first year to the last that can be written.
    #[test]
    fn a_day_begins_where_its_time_is_told_as_that_day() {
        let mut last = None;
        for year in 1..=9_999 {
            for month in 1..=12 {
                for day in [1, 2, 28, 29, 30, 31] {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    let Ok(day) = text.parse::<Day>() else {
                        continue;
                    };
                    let begins = day.begins();
                    if year < 1970 {
                        assert_eq!(begins, Timestamp(0), "{text}");
                        continue;
                    }
                    let told = crate::moment::Moment(begins).to_string();
                    assert_eq!(told, format!("{text}T00:00:00Z"));
                    assert!(last < Some(begins), "{text}");
                    last = Some(begins);
                }
            }
        }
        assert_eq!(last, Some(Timestamp(253_402_214_400)));
    }

    #[test]
    fn a_day_is_written_in_one_way_and_is_in_the_calendar() {
        for day in ["2026-01-31", "2024-02-29", "2000-02-29", "0001-01-01"] {
            let read: Day = day.parse().unwrap();
            assert_eq!(read.to_string(), day);
        }
        for text in [
            "\u{200b}2000-01-01",
            " 2026-11-01",
            "2026-11-01 ",
            "2026-1-01",
            "2026-02-30",
            "2025-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-10-00",
            "0000-01-01",
            "10000-01-01",
            "-001-01-01",
            "+999-12-31",
            "2026-01-01T00:00:00Z",
            "2026",
            "2026-01",
            "２０２６-01-01",
            "+026-01-01",
            "2026–01–01",
            "zzzz-zz-zz",
            "",
        ] {
            assert_eq!(text.parse::<Day>(), Err(BadDates::NoDay), "{text:?}");
            for field in ["since", "before"] {
                let other = if field == "since" { "before" } else { "since" };
                let sent = BTreeMap::from([(field, Some(text)), (other, None)]);
                let error = cbor::from_slice::<Dates>(&cbor::to_vec(&sent)).unwrap_err();
                assert!(error.to_string().contains("like 2026-01-31"), "{error}");
            }
        }
        let sent = BTreeMap::from([("since", "2026-02-01"), ("before", "2026-02-01")]);
        let error = cbor::from_slice::<Dates>(&cbor::to_vec(&sent)).unwrap_err();
        assert!(error.to_string().contains("not before"), "{error}");
    }

    #[test]
    fn only_what_says_a_date_that_lies_within_is_within() {
        let day = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        for (since, before, written, has) in [
            ("2026-01-01", "2026-07-01", "2026-01-01", true),
            (
                "2026-01-01",
                "2026-07-01",
                "2026-06-30T23:59:59+09:00",
                true,
            ),
            ("2026-01-01", "2026-07-01", "2026-07-01", false),
            ("2026-01-01", "2026-07-01", "2025-12-31", false),
            ("2026-01-01", "2026-07-01", "2026", false),
            ("2026-01-01", "2026-07-01", "2026-06", true),
            ("2026-01-01", "2026-06-30", "2026-06", false),
            ("2026-01-01", "2027-01-01", "2026", true),
            ("", "2026-01-01", "2026", false),
            ("", "2026-01-01", "2025", true),
            ("", "2026-01-01", "", false),
            ("", "2026-01-01", "\u{200b}2025-01-01", false),
            ("", "2026-01-01", " 2025-01-01", false),
            ("2026-01-01", "", "zzzz", false),
            ("2026-01-01", "", "2026-01-01 or so", false),
            ("", "", "", false),
        ] {
            let dates = Dates::new(day(since), day(before)).unwrap();
            assert_eq!(dates.has(written), has, "{since} {before} {written:?}");
        }
    }

    /// Letters, consents and rows alike; the texts are as long as a day, so that nothing else of the encoding changes.
    #[test]
    fn what_is_asked_for_or_given_with_days_that_are_none_is_not_read() {
        let asked = crate::golden::dated_request("2000-01-01");
        let given = crate::golden::dated_artefact("2000-01-01");
        let with = |bytes: &[u8], day: &str| {
            let at = bytes
                .windows(10)
                .position(|it| it == b"2000-01-01")
                .unwrap();
            [&bytes[..at], day.as_bytes(), &bytes[at + 10..]].concat()
        };
        let (asked, given) = (cbor::to_vec(&asked), cbor::to_vec(&given));
        assert!(cbor::from_slice::<Message>(&with(&asked, "1999-12-31")).is_ok());
        assert!(cbor::from_slice::<Artefact>(&with(&given, "1999-12-31")).is_ok());
        for day in [
            " 2000-01-1",
            "\u{200b}2000-01",
            "2000-1-01 ",
            "2000-02-30",
            "2000-01-1\0",
        ] {
            let letter = cbor::from_slice::<Message>(&with(&asked, day)).unwrap_err();
            assert!(letter.to_string().contains("like 2026-01-31"), "{letter}");
            let consent = cbor::from_slice::<Artefact>(&with(&given, day)).unwrap_err();
            assert!(consent.to_string().contains("like 2026-01-31"), "{consent}");
        }
    }
}
