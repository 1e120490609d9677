//! What a day allows, and what of it is used. Sources, accounts and pairings are counted apart, and what did not
//! succeed is given back: nobody spends another's day.

use core::fmt::Write as _;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use medibloc_api::{Code, Problem};
use medibloc_record::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::db::{Db, DbError};
use crate::fault::Fault;
use crate::guard::signed;

const DAY: u64 = 86_400;

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS spent (
    day INTEGER NOT NULL, what INTEGER NOT NULL, who BLOB NOT NULL, amount INTEGER NOT NULL,
    PRIMARY KEY (day, what, who)) WITHOUT ROWID;
";

/// What one day allows (UTC). Reading and removing what is one's own, revoking and erasing are not counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DailyLimits {
    /// Requests of one account, by whichever of its addresses; the same of bytes, letters and gas.
    pub requests: u64,
    /// Bytes of one account, both ways.
    pub bytes: u64,
    /// Bytes kept of one account in all, not of a day; what is erased or collected frees its room.
    pub held: u64,
    /// Bytes of the data folder's disk, not of a day: with fewer free, the operator is told that what comes next may not be kept.
    pub little_room: u64,
    /// Letters from one account to one other.
    pub letters: u64,
    /// Gas of one call that the relay pays for, with that of its bytes.
    pub gas_a_call: u64,
    /// Gas of one account.
    pub gas: u64,
    /// Gas of this node in all, for calls that take nothing back. Accounts that are not accredited have three quarters of it:
    /// strangers stop no hospital.
    pub gas_of_node: u64,
    /// Revocations and erasures that the wallet always keeps coins for; not of a day. With less, it pays for nothing else.
    pub reserve: u64,
    /// How many times as much an accredited account may use: a hospital writes for all its patients.
    pub accredited_times: u64,
    /// Registrations of unregistered addresses from one source: an IPv4 address, or 64 bits of an IPv6 one. The 56 bits of a
    /// line have four times as many, the 48 of a site sixteen times, and neither more than a quarter of all.
    pub registrations_a_source: u64,
    /// The same of single sources that the operator knows, by an address of each: a hospital's, behind which many register. One
    /// that is named here spends nothing of its wider networks' (ADR 0024).
    // Told to nobody: it names the sources of an institution.
    #[serde(skip_serializing)]
    pub registrations_of: BTreeMap<IpAddr, u64>,
    /// Registrations of unregistered addresses in all.
    pub registrations: u64,
    /// Bits of work that a registration costs when nobody else registers; up to four more under load. 0 is none.
    pub registration_work: u8,
}

impl Default for DailyLimits {
    fn default() -> Self {
        Self {
            requests: 10_000,
            bytes: 1_000_000_000,
            held: 10_000_000_000,
            little_room: 512 << 20,
            letters: 1_000,
            // Forty entries in one batch; the largest other call has a fifth of it.
            gas_a_call: 3_000_000,
            gas: 300_000_000,
            // About a hundred thousand entries.
            gas_of_node: 10_000_000_000,
            reserve: 1_000,
            accredited_times: 100,
            registrations_a_source: 100,
            registrations_of: BTreeMap::new(),
            registrations: 10_000,
            registration_work: 16,
        }
    }
}

/// A thing that is counted; the numbers stand in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Requests = 1,
    Bytes = 2,
    Letters = 3,
    Gas = 4,
    OfSource = 5,
    OfNode = 6,
    Replays = 7,
    OfNetwork = 8,
    GasOfNode = 9,
    Burnt = 10,
    BurntOfSource = 11,
}

impl What {
    const ALL: [Self; 11] = [
        Self::Requests,
        Self::Bytes,
        Self::Letters,
        Self::Gas,
        Self::OfSource,
        Self::OfNode,
        Self::Replays,
        Self::OfNetwork,
        Self::GasOfNode,
        Self::Burnt,
        Self::BurntOfSource,
    ];

    const fn label(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Bytes => "bytes",
            Self::Letters => "letters",
            Self::Gas => "gas",
            Self::GasOfNode => "gas_of_node",
            Self::OfSource => "registrations_a_source",
            Self::OfNetwork => "registrations_a_network",
            Self::OfNode => "registrations",
            Self::Replays => "replays",
            Self::Burnt => "failed_calls",
            Self::BurntOfSource => "failed_calls_a_source",
        }
    }

    /// What was burnt on chain, whether the call succeeded or not.
    pub(crate) const fn is_gas(self) -> bool {
        matches!(self, Self::Gas | Self::GasOfNode)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests of this account",
            Self::Bytes => "bytes of this account",
            Self::Letters => "letters of this account to that one",
            Self::Gas => "gas of this account",
            Self::GasOfNode => "gas of this node for calls that take nothing back",
            Self::OfSource => "registrations of this source",
            Self::OfNetwork => "registrations of this source's wider network",
            Self::OfNode => "registrations of this node",
            Self::Replays => "repeated calls of this account from this source",
            Self::Burnt => "calls of this address whose transactions failed",
            Self::BurntOfSource => "calls from this source whose transactions failed",
        }
    }
}

/// An amount of a thing, by whom, and how much of it a day has.
#[derive(Clone, Debug)]
pub(crate) struct Use {
    pub(crate) what: What,
    pub(crate) who: Vec<u8>,
    pub(crate) amount: u64,
    pub(crate) most: u64,
}

/// How far the fullest of each of the day's limits was used since the program began, by whomever: a part of what that one may.
#[derive(Debug, Default)]
pub(crate) struct Fullest(Mutex<(u64, [f64; What::ALL.len()])>);

impl Fullest {
    fn note(&self, day: u64, parts: &[(What, f64)]) {
        let mut kept = self.of(day);
        for (what, part) in parts {
            if let Some(at) = What::ALL.iter().position(|it| it == what) {
                kept.1[at] = kept.1[at].max(*part);
            }
        }
    }

    /// The text form of Prometheus.
    pub(crate) fn text(&self, to: &mut String, now: Timestamp) {
        let parts = self.of(now.0 / DAY).1;
        to.push_str("# HELP medibloc_limit_used_ratio How much of a limit of this day (UTC) was used by whoever used most of it; 1 is refused.\n# TYPE medibloc_limit_used_ratio gauge\n");
        for (what, part) in What::ALL.iter().zip(parts) {
            let limit = what.label();
            let _ = writeln!(to, "medibloc_limit_used_ratio{{limit=\"{limit}\"}} {part}");
        }
    }

    /// Those of a day; a new one begins with none.
    fn of(&self, day: u64) -> MutexGuard<'_, (u64, [f64; What::ALL.len()])> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.0 < day {
            *kept = (day, Default::default());
        }
        kept
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "a figure for people: its first digits count"
)]
fn part(sum: u64, most: u64) -> f64 {
    sum as f64 / most.max(1) as f64
}

/// What was taken, and out of which day: what is given back later than midnight is still that day's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Taken {
    day: u64,
    pub(crate) uses: Vec<Use>,
}

impl Taken {
    /// Others out of the same day.
    pub(crate) fn instead(&self, uses: impl Into<Vec<Use>>) -> Self {
        Self {
            day: self.day,
            uses: uses.into(),
        }
    }
}

/// Takes all of these out of a day, or none.
pub(crate) async fn take(
    db: &Db,
    now: Timestamp,
    uses: Vec<Use>,
    fullest: &Fullest,
) -> Result<Taken, Fault> {
    let day = now.0 / DAY;
    let taken = db.run(move |db| {
        let transaction = db.transaction()?;
        forget_before(&transaction, day)?;
        let mut parts = Vec::with_capacity(uses.len());
        for one in &uses {
            let sum = spent(&transaction, day, one)?.saturating_add(one.amount);
            parts.push((one.what, part(sum, one.most)));
            if sum > one.most {
                return Ok(Err((one.what, one.most)));
            }
            set(&transaction, day, one, sum)?;
        }
        transaction.commit()?;
        Ok(Ok((Taken { day, uses }, parts)))
    });
    match taken.await? {
        Ok((taken, parts)) => {
            fullest.note(day, &parts);
            Ok(taken)
        }
        Err((what, most)) => {
            fullest.note(day, &[(what, 1.0)]);
            Err(over(what, most, now))
        }
    }
}

/// Drops the days before this one: who used what, sources among it.
pub(crate) async fn forget_days_before(db: &Db, now: Timestamp) -> Result<(), DbError> {
    let day = now.0 / DAY;
    db.run(move |db| forget_before(db, day)).await
}

fn forget_before(db: &Connection, day: u64) -> rusqlite::Result<()> {
    db.prepare_cached("DELETE FROM spent WHERE day < ?1")?
        .execute(params![signed(day)])?;
    Ok(())
}

/// Takes what was used already, even if it is over a limit: whoever used it has nothing left then.
pub(crate) async fn charge(
    db: &Db,
    now: Timestamp,
    uses: Vec<Use>,
    fullest: &Fullest,
) -> Result<(), DbError> {
    let day = now.0 / DAY;
    let charge = move |db: &mut Connection| {
        let transaction = db.transaction()?;
        let mut parts = Vec::with_capacity(uses.len());
        for one in &uses {
            let sum = spent(&transaction, day, one)?.saturating_add(one.amount);
            parts.push((one.what, part(sum, one.most).min(1.0)));
            set(&transaction, day, one, sum)?;
        }
        transaction.commit()?;
        Ok(parts)
    };
    fullest.note(day, &db.run(charge).await?);
    Ok(())
}

/// Refuses whoever has used up these of the day.
pub(crate) async fn check(db: &Db, now: Timestamp, uses: Vec<Use>) -> Result<(), Fault> {
    for one in uses {
        let (what, most) = (one.what, one.most);
        if used(db, now, one).await? >= most {
            return Err(over(what, most, now));
        }
    }
    Ok(())
}

/// How much of a thing is used of the day.
pub(crate) async fn used(db: &Db, now: Timestamp, of: Use) -> Result<u64, DbError> {
    let day = now.0 / DAY;
    db.run(move |db| spent(db, day, &of)).await
}

/// Gives back what was taken and not used, to the day that it was taken of.
pub(crate) async fn give_back(db: &Db, taken: Taken) -> Result<(), DbError> {
    if taken.uses.is_empty() {
        return Ok(());
    }
    db.run(move |db| {
        let transaction = db.transaction()?;
        for one in &taken.uses {
            let left = spent(&transaction, taken.day, one)?.saturating_sub(one.amount);
            set(&transaction, taken.day, one, left)?;
        }
        transaction.commit()
    })
    .await
}

fn spent(db: &Connection, day: u64, one: &Use) -> rusqlite::Result<u64> {
    let amount: Option<i64> = db
        .prepare_cached("SELECT amount FROM spent WHERE day = ?1 AND what = ?2 AND who = ?3")?
        .query_row(params![signed(day), one.what as i64, one.who], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(amount.unwrap_or_default().unsigned_abs())
}

fn set(db: &Transaction<'_>, day: u64, one: &Use, amount: u64) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO spent VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            signed(day),
            one.what as i64,
            one.who,
            signed(amount)
        ])
        .map(|_| ())
}

fn over(what: What, most: u64, now: Timestamp) -> Fault {
    let name = format!("{most} {} a day", what.name());
    let left = DAY - now.0 % DAY;
    let still = match what {
        What::GasOfNode => "; revocations and erasures still go",
        _ => "",
    };
    Problem::new(
        Code::Limit,
        format!(
            "the node's limit of {name} is reached{still}; the day ends at 00:00 UTC, in {left} seconds"
        ),
    )
    .about(name)
    .until(left)
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_by_their_address_and_by_nothing_else() {
        let limits = |text: &str| toml::from_str::<DailyLimits>(text);
        let of = "[registrations_of]\n\"203.0.113.7\" = 600\n\"2001:db8::1\" = 700\n";
        let named = limits(of).unwrap().registrations_of;
        assert_eq!(named.into_values().collect::<Vec<_>>(), [600, 700]);
        assert!(limits("").unwrap().registrations_of.is_empty());
        for wrong in ["hospital.example", "203.0.113.0/24", ""] {
            let told = limits(&format!("[registrations_of]\n\"{wrong}\" = 6\n")).unwrap_err();
            assert!(told.to_string().contains("IP address"), "{wrong}: {told}");
        }
    }

    #[tokio::test]
    async fn what_is_given_back_after_midnight_is_no_more_of_the_next_day() {
        let db = Db::open(None, crate::db::Durability::Process, SCHEMA).unwrap();
        let gas = |amount| Use {
            what: What::Gas,
            who: vec![1],
            amount,
            most: 100,
        };
        let (before, after) = (Timestamp(DAY - 1), Timestamp(DAY));
        let fullest = Fullest::default();
        let old = take(&db, before, vec![gas(60)], &fullest).await.unwrap();
        take(&db, after, vec![gas(70)], &fullest).await.unwrap();
        let rest = old.instead([gas(40)]);
        give_back(&db, rest).await.unwrap();
        assert_eq!(used(&db, after, gas(0)).await.unwrap(), 70);
        give_back(&db, old).await.unwrap();
        let refused = take(&db, after, vec![gas(31)], &fullest).await.unwrap_err();
        assert_eq!(refused.0.code, Code::Limit);
        let taken = take(&db, after, vec![gas(30)], &fullest).await.unwrap();
        give_back(&db, taken).await.unwrap();
        assert_eq!(used(&db, after, gas(0)).await.unwrap(), 70);
    }
}
