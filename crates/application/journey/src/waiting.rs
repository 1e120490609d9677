//! Letters that may be good and that this home cannot judge: of an authority, or over a node, that its `deployment.json` does
//! not have. They wait in the vault, so many of each sender and of each address, until the file has what they need.

use core::cmp::Reverse;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use medibloc_record::{AccountId, Line, Timestamp};
use serde::{Deserialize, Serialize};

use crate::mail::{Message, Opened};
use crate::moment::Moment;
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, Letter};
use crate::post::Took;
use crate::{Credential, JourneyError, Party, SyncReport};

/// Letters of one sender that wait beside its card; the oldest gives way.
const MOST_OF_SENDER: usize = 4;
/// Letters to one own address that wait, whoever knows its invitation; and in all. What then gives way is the newest of whom is no
/// contact, of the address that has the most: who holds many open invitations takes the room of nobody else.
const MOST_OF_ADDRESS: usize = 16;
const MOST: usize = 128;
/// For how many seconds one waits.
const LIFE: u64 = 30 * 86_400;

/// What a home's deployment file lacks to judge something.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lacks {
    /// The authority that signed this credential (a JWT), which the chain names for its account.
    Authority(String),
    /// The node with this URL.
    Node(String),
}

impl fmt::Display for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authority(_) => f.write_str(
                "it is under an authority that this home's deployment.json does not have, and whose word the chain has",
            ),
            Self::Node(url) => write!(
                f,
                "its node {} is not one of this deployment's, as this home's deployment.json has them",
                Line::of(url)
            ),
        }
    }
}

impl fmt::Debug for Lacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lacks({self})")
    }
}

/// What a person does about it.
pub(crate) const GET_THE_NEWEST: &str = "get the newest deployment.json from the operator of your node, put it in the place of this home's, then run `medibloc \
     sync`";

/// A letter that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Waiting {
    own: AccountId,
    from: AccountId,
    is_card: bool,
    letter: Letter,
    lacks: Lacks,
    since: Timestamp,
}

impl Waiting {
    fn gone(&self) -> Change {
        Change::Delete {
            table: table::WAITING,
            key: self.letter.id.to_vec(),
        }
    }
}

impl Party {
    /// Letters that wait for a newer deployment file, in words: whose, since when, and what to do.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn waiting_letters(&self) -> Result<Vec<String>, JourneyError> {
        let mut rows = self.rows::<Waiting>(table::WAITING)?;
        rows.sort_by_key(|row| row.since);
        rows.iter().map(|row| self.told_waiting(row)).collect()
    }

    fn told_waiting(&self, row: &Waiting) -> Result<String, JourneyError> {
        let (whom, lacks) = (self.whom(row)?, &row.lacks);
        let since = Moment(row.since);
        Ok(format!("{whom}, since {since}: {lacks}; {GET_THE_NEWEST}"))
    }

    fn whom(&self, row: &Waiting) -> Result<String, JourneyError> {
        let contacts = self.contacts()?.into_iter();
        let mut of = contacts.filter(|it| (it.own, it.party) == (row.own, row.from));
        Ok(match (row.is_card, of.next()) {
            (true, _) => format!("the contact card of account {}", row.from),
            (false, Some(contact)) => format!("a letter of {}", self.names()?.contact(&contact)),
            (false, None) => format!("a letter of account {}", row.from),
        })
    }

    /// Keeps a letter that this home's deployment file is too old for, within its sender's and the address's room.
    pub(crate) fn keep_waiting(
        &self,
        own: &OwnAddress,
        (opened, letter): (&Opened, &Letter),
        lacks: Lacks,
        report: &mut SyncReport,
    ) -> Result<(), JourneyError> {
        let mut rows = self.rows::<Waiting>(table::WAITING)?;
        rows.sort_by_key(|row| row.since);
        let before = rows.iter().position(|row| row.letter.id == letter.id);
        let before = before.map(|at| rows.remove(at));
        let is_card = matches!(opened.message, Message::Card(_));
        let mut row = Waiting {
            own: own.id(),
            from: opened.account,
            is_card,
            letter: letter.clone(),
            lacks,
            since: self.ports.clock.now(),
        };
        row.since = before.map_or(row.since, |before| before.since);
        let most = if is_card { 1 } else { MOST_OF_SENDER };
        let like = |other: &&Waiting| {
            (other.own, other.from, other.is_card) == (row.own, row.from, row.is_card)
        };
        let mut changes = Vec::new();
        let of_address = rows.iter().filter(|other| other.own == row.own).count();
        if rows.iter().filter(like).count() >= most {
            changes.extend(rows.iter().find(like).map(Waiting::gone));
        } else if of_address >= MOST_OF_ADDRESS || rows.len() >= MOST {
            rows.retain(|other| other.own == row.own || of_address < MOST_OF_ADDRESS);
            let over = self.gives_way(&rows, &row)?;
            report.told.push(format!(
                "{} was not kept, for too many wait: {}; {GET_THE_NEWEST}, and ask for it again",
                self.whom(over)?,
                over.lacks
            ));
            if over.letter.id == row.letter.id {
                return Ok(());
            }
            changes.push(over.gone());
        }
        report.waiting.push(self.told_waiting(&row)?);
        changes.push(change(table::WAITING, &letter.id, &row));
        Ok(self.ports.vault.apply(changes)?)
    }

    /// Which of those that wait, or the one that comes, has no room.
    fn gives_way<'a>(
        &self,
        rows: &'a [Waiting],
        comes: &'a Waiting,
    ) -> Result<&'a Waiting, JourneyError> {
        let contacts = self.contacts()?.into_iter().filter(|it| it.confirmed);
        let contacts: BTreeSet<_> = contacts.map(|it| (it.own, it.party)).collect();
        let mut of: BTreeMap<AccountId, usize> = BTreeMap::new();
        for row in rows.iter().chain([comes]) {
            *of.entry(row.own).or_default() += 1;
        }
        let rank = |row: &&Waiting| {
            let is_contact = contacts.contains(&(row.own, row.from));
            (Reverse(is_contact), of.get(&row.own).copied(), row.since)
        };
        // Of several that rank alike it is the one that comes.
        Ok(rows.iter().chain([comes]).max_by_key(rank).unwrap_or(comes))
    }

    /// Takes what waited and what the deployment file has everything for now. The others cost a look at the file.
    pub(crate) async fn resume_waiting(&self, report: &mut SyncReport) -> Result<(), JourneyError> {
        let now = self.ports.clock.now();
        let mut rows = self.rows::<Waiting>(table::WAITING)?;
        rows.sort_by_key(|row| (!row.is_card, row.since));
        for row in rows {
            if !self.has_by_now(&row.lacks) {
                if now.since(row.since) >= LIFE {
                    let whom = self.whom(&row)?;
                    report.told.push(format!(
                        "{whom} waited 30 days for a newer deployment.json and was dropped; ask for it again"
                    ));
                    self.ports.vault.apply(vec![row.gone()])?;
                } else {
                    report.waiting.push(self.told_waiting(&row)?);
                }
                continue;
            }
            let took = match self.own(row.own)? {
                Some(own) => self.take_again(&own, &row.letter, report).await?,
                None => Took::Done,
            };
            // What lacks something else now has its row anew.
            if took == Took::Done {
                self.ports.vault.apply(vec![row.gone()])?;
            }
        }
        Ok(())
    }

    /// When a letter that waited came; none if it did not.
    pub(crate) fn came(&self, id: &[u8; 32]) -> Result<Option<Timestamp>, JourneyError> {
        let row = self.row::<Waiting>(table::WAITING, id)?;
        Ok(row.map(|row| row.since))
    }

    /// What waits of a party is dropped, but for its cards.
    pub(crate) fn drop_waiting_of(&self, party: AccountId) -> Result<Vec<Change>, JourneyError> {
        let rows = self.rows::<Waiting>(table::WAITING)?.into_iter();
        let gone = rows.filter(|row| row.from == party && !row.is_card);
        Ok(gone.map(|row| row.gone()).collect())
    }

    pub(crate) fn has_by_now(&self, lacks: &Lacks) -> bool {
        match lacks {
            Lacks::Authority(jwt) => Credential::parse(jwt, &self.ports.authority).is_ok(),
            Lacks::Node(url) => self.ports.network.is_listed(url),
        }
    }
}
