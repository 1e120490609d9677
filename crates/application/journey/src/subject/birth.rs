//! A birth in a label: owners of one name are told apart by the year or the day that stands beside it.

use std::collections::BTreeSet;

use medibloc_record::AccountId;

use super::{Party, Subject, WriteJob, is_over, plain};
use crate::JourneyError;
use crate::party::table;

/// The numbers of a word that can be a year or a day: `1960`, `*1960`, `1960-05-01`, `1.5.1960`, `19600501`.
fn dates(label: &str) -> impl Iterator<Item = Vec<&str>> {
    let words = label.split(|c: char| !c.is_ascii_digit() && !"-./".contains(c));
    let words = words.map(|word| {
        let numbers = word.split(['-', '.', '/']);
        let numbers: Vec<&str> = numbers.filter(|number| !number.is_empty()).collect();
        match numbers.as_slice() {
            [one] if one.len() == 8 => vec![&one[..4], &one[4..6], &one[6..]],
            _ => numbers,
        }
    });
    words.filter(|numbers| numbers.iter().any(|number| is_year(number)))
}

/// Whether somebody can have been born in it.
fn is_year(number: &str) -> bool {
    number.len() == 4 && (b'1', b'8') <= first_two(number) && first_two(number) <= (b'2', b'1')
}

fn first_two(number: &str) -> (u8, u8) {
    let mut bytes = number.bytes();
    (
        bytes.next().unwrap_or_default(),
        bytes.next().unwrap_or_default(),
    )
}

/// Whether numbers of a label can be of a day of birth, whichever of day and month comes first: none of them is another.
fn fits(numbers: &[&str], born: &str) -> bool {
    let value = |number: &str| number.parse::<u32>().ok();
    let mut said = born.split('-');
    let Some(year) = said.next() else { return true };
    if !numbers.contains(&year) {
        return false;
    }
    let mut rest: Vec<_> = said.map(value).collect();
    // What the document leaves out says nothing.
    rest.len() < 2
        || numbers
            .iter()
            .filter(|number| **number != year)
            .all(|number| {
                let found = rest.iter().position(|it| *it == value(number));
                found.map(|at| rest.remove(at)).is_some()
            })
}

/// Whether a label has a year or a day that is not that of this birth.
pub(super) fn contradicts(label: &str, born: Option<&str>) -> bool {
    born.is_some_and(|born| dates(label).any(|numbers| !fits(&numbers, born)))
}

/// Whether a label has this very day.
fn has_day(label: &str, born: &str) -> bool {
    dates(label).any(|numbers| numbers.len() == 3 && fits(&numbers, born))
}

impl Party {
    /// Owners that this home knows by exactly this name and day of birth: by a record that was written here for one and that stands
    /// as far as the chain says, or by the label. None of a person without either.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn known_exactly_as(
        &self,
        subject: &Subject,
    ) -> Result<Vec<AccountId>, JourneyError> {
        let (Some(name), Some(born)) = (&subject.name, &subject.born) else {
            return Ok(Vec::new());
        };
        let (name, mut found) = (plain(name), BTreeSet::new());
        for patron in self.patrons()? {
            let is_so = |label: String| {
                let words = plain(&label);
                has_day(&label, born) && name.iter().all(|word| words.contains(word))
            };
            if !name.is_empty() && self.label(patron.owner)?.is_some_and(is_so) {
                found.insert(patron.owner);
            }
        }
        for table in [table::WRITTEN, table::JOBS] {
            for job in self.rows::<WriteJob>(table)? {
                let (owner, author) = (job.anchor.owner, job.anchor.author);
                let is_same = job.subject.is_some_and(|before| {
                    before.born == subject.born && before.is_named_as(subject)
                });
                if !is_same || author == owner || found.contains(&owner) {
                    continue;
                }
                let facts = self.said_of(job.anchor.record_id()).await;
                if !facts.is_some_and(is_over) {
                    found.insert(owner);
                }
            }
        }
        Ok(found.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_or_a_day_of_a_label_is_compared_and_nothing_else_is() {
        for (label, born, other) in [
            ("Eve Betterhalf 1960", "1975-05-01", true),
            ("Eve Betterhalf 1975", "1975-05-01", false),
            ("Eve Betterhalf (*1960)", "1975-05-01", true),
            ("Eve Betterhalf 1975-05-02", "1975-05-01", true),
            ("Eve Betterhalf 1975-05-01", "1975-05-01", false),
            ("Eve Betterhalf 1.5.1975", "1975-05-01", false),
            ("Eve Betterhalf 5/1/1975", "1975-05-01", false),
            ("Eve Betterhalf 2.5.1975", "1975-05-01", true),
            ("Eve Betterhalf 5.5.1975", "1975-05-01", true),
            ("Eve Betterhalf 19750502", "1975-05-01", true),
            ("Eve Betterhalf 19750501", "1975-05-01", false),
            ("Eve Betterhalf 1975-05-02", "1975", false),
            ("Eve Betterhalf 1960", "1975", true),
            ("Eve Betterhalf ward 12", "1975-05-01", false),
            ("Eve Betterhalf 471100", "1975-05-01", false),
            ("Eve Betterhalf", "1975-05-01", false),
        ] {
            assert_eq!(contradicts(label, Some(born)), other, "{label} {born}");
        }
        assert!(!contradicts("Eve Betterhalf 1960", None));
        assert!(has_day("Eve 1.5.1975", "1975-05-01"));
        assert!(!has_day("Eve 1975", "1975-05-01"));
    }
}
