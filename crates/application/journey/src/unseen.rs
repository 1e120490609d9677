//! What a sync told while no person looked: most of it is told once, and whoever keeps `serve` running asks for no sync.

use medibloc_record::{RecordId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

/// Lines that are kept at most. The first ones stay: whoever can make many lines hides none of before.
const MOST: usize = 1_000;

/// Where the count of those is that were not kept: after every line.
const MORE: [u8; 8] = u64::MAX.to_be_bytes();

/// A line that no person has seen yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unseen {
    /// What was told.
    pub told: String,
    /// By what.
    pub by: String,
    /// When it was heard.
    pub at: Timestamp,
}

impl Party {
    /// Keeps lines for the next command that is asked for something, each once.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn keep_unseen(&self, told: Vec<String>, by: &str) -> Result<(), JourneyError> {
        if told.is_empty() {
            return Ok(());
        }
        let rows = self.unseen_rows()?;
        let mut next = rows.last().map_or(0, |(key, _)| key + 1);
        let mut known: Vec<String> = rows.into_iter().map(|(_, row)| row.told).collect();
        let (at, mut changes, mut more) = (self.ports.clock.now(), Vec::new(), 0_u64);
        for told in told {
            let told = match self.names_an_erased_one(&told)? {
                true => without_titles(&told),
                false => told,
            };
            if known.contains(&told) {
                continue;
            }
            if known.len() == MOST {
                more += 1;
                continue;
            }
            known.push(told.clone());
            let by = by.to_owned();
            let row = Unseen { told, by, at };
            changes.push(change(table::UNSEEN, &u64::to_be_bytes(next), &row));
            next += 1;
        }
        if more > 0 {
            let before = self.row::<u64>(table::UNSEEN, &MORE)?.unwrap_or_default();
            changes.push(change(table::UNSEEN, &MORE, &before.saturating_add(more)));
        }
        Ok(self.ports.vault.apply(changes)?)
    }

    /// The lines that were kept, in the order in which they were heard, and how many more there were; they are kept no more.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn take_unseen(&self) -> Result<(Vec<Unseen>, u64), JourneyError> {
        let rows = self.unseen_rows()?;
        if rows.is_empty() {
            return Ok((Vec::new(), 0));
        }
        let more = self.row::<u64>(table::UNSEEN, &MORE)?;
        let keys = rows.iter().map(|(key, _)| key.to_be_bytes());
        let keys = keys.chain(more.map(|_| MORE));
        let gone = keys.map(|key| Change::Delete {
            table: table::UNSEEN,
            key: key.to_vec(),
        });
        self.ports.vault.apply(gone.collect())?;
        let told = rows.into_iter().map(|(_, row)| row).collect();
        Ok((told, more.unwrap_or_default()))
    }

    /// Takes the titles from lines about a record that goes: no word of it stays.
    pub(crate) fn untitled_unseen(&self, record: RecordId) -> Result<Vec<Change>, JourneyError> {
        let id = record.to_string();
        let rows = self.unseen_rows()?.into_iter();
        let of = rows.filter(|(_, row)| row.told.contains(&id));
        let untitled = of.map(|(key, row)| {
            let told = without_titles(&row.told);
            change(table::UNSEEN, &key.to_be_bytes(), &Unseen { told, ..row })
        });
        Ok(untitled.collect())
    }

    fn unseen_rows(&self) -> Result<Vec<(u64, Unseen)>, JourneyError> {
        let mut rows = Vec::new();
        for (key, bytes) in self.ports.vault.list(table::UNSEEN)? {
            let number = key.as_slice().try_into().map(u64::from_be_bytes);
            let number = number.ok().filter(|_| key != MORE);
            if let Some(number) = number
                && let Some(row) = self.readable(table::UNSEEN, &key, &bytes)?
            {
                rows.push((number, row));
            }
        }
        rows.sort_by_key(|(number, _)| *number);
        Ok(rows)
    }

    fn names_an_erased_one(&self, told: &str) -> Result<bool, JourneyError> {
        for word in told.split(|c: char| !c.is_ascii_alphanumeric()) {
            if let Ok(record) = word.parse::<RecordId>()
                && self.erasure(record)?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A line without the titles of records, which stand as `(«…»)`: from the first one's begin to the last one's end, whatever is
/// written in them.
fn without_titles(told: &str) -> String {
    match (told.find("(«"), told.rfind("»)")) {
        (Some(begin), Some(end)) if begin < end => {
            let (before, after) = (&told[..begin], &told[end + "»)".len()..]);
            format!("{}{after}", before.trim_end())
        }
        _ => told.to_owned(),
    }
}
