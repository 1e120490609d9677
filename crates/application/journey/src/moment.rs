//! Times in sentences: RFC 3339, UTC, as everywhere in what programs are given.

use core::fmt;

use medibloc_record::Timestamp;

const DAY: u64 = 86_400;

/// A time that shows itself for people.
pub(crate) struct Moment(pub(crate) Timestamp);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second) = (self.0.0 / DAY, self.0.0 % DAY);
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"
        )
    }
}

/// The Gregorian date so many days after 1970-01-01. Years are counted from March on, so that a leap day is the last of its
/// year; 400 years have 146 097 days.
const fn civil(days: u64) -> (u64, u64, u64) {
    // 719 468 days from 0000-03-01 to 1970-01-01.
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days from 1970-01-01 to a Gregorian date; none to one before.
pub(crate) const fn days_to(year: u64, month: u64, day: u64) -> u64 {
    // As above: a leap day is the last of its year.
    let year = if month <= 2 {
        year.saturating_sub(1)
    } else {
        year
    };
    let from_march = (month + 9) % 12;
    let of_year = (153 * from_march + 2) / 5 + day;
    (year * 365 + year / 4 + year / 400 + of_year).saturating_sub(719_469 + year / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_dates() {
        for (at, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_800_000_123, "2027-01-15T08:02:03Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(Moment(Timestamp(at)).to_string(), told);
        }
    }
}
