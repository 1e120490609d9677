//! Rows that cannot be read are set aside with the reason: they are told, kept as they were, and stop nothing.

use medibloc_consent::{AnchorFields, DeletionStatement, WriteGrant};
use medibloc_dag::{DagError, cbor};
use medibloc_record::RecordId;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::acts::{OwnAct, UnknownAct};
use crate::errand::Errand;
use crate::feed::KeptLine;
use crate::grant::deliver::Delivery;
use crate::grant::kept::RecordKeys;
use crate::grant::plan::Plan;
use crate::notes::NoteRow;
use crate::outbox::Outgoing;
use crate::pairing::Offered;
use crate::party::{change, table};
use crate::ports::Change;
use crate::read::{KeptCopy, KeptReceipt};
use crate::waiting::Waiting;
use crate::write::WriteJob;
use crate::{
    GivenGrant, HeldGrant, Invitation, JourneyError, KeptRecord, OwnAddress, Party, PendingRequest,
};

/// A row that could not be read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Where it stood.
    pub table: String,
    /// Under which key.
    #[serde(with = "serde_bytes")]
    pub key: Vec<u8>,
    /// Why it is here.
    pub reason: String,
    /// As it was.
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

impl core::fmt::Debug for SetAside {
    /// Never the bytes: they may hold keys.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "SetAside({self})")
    }
}

impl core::fmt::Display for SetAside {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let key: String = self
            .key
            .iter()
            .take(8)
            .map(|b| format!("{b:02x}"))
            .collect();
        write!(f, "a row of `{}` ({key}…): {}", self.table, self.reason)
    }
}

impl Party {
    /// Rows that could not be read, with the reason.
    ///
    /// # Errors
    /// If the vault gives nothing.
    pub fn set_aside(&self) -> Result<Vec<SetAside>, JourneyError> {
        let rows = self.ports.vault.list(table::SET_ASIDE)?;
        let told = rows.into_iter().map(|(key, bytes)| {
            cbor::from_slice(&bytes)
                .unwrap_or_else(|error| SetAside::of(table::SET_ASIDE, key, bytes, &error))
        });
        Ok(told.collect())
    }

    /// Reads every row of every table; gives those that could not be read.
    ///
    /// # Errors
    /// If the vault gives nothing.
    pub fn look_through(&self) -> Result<Vec<SetAside>, JourneyError> {
        self.contacts()?;
        self.patrons()?;
        self.rows::<OwnAddress>(table::ADDRESSES)?;
        self.rows::<OwnAddress>(table::RESERVED)?;
        self.rows::<Invitation>(table::INVITATIONS)?;
        self.rows::<PendingRequest>(table::REQUESTS)?;
        self.closed_requests()?;
        self.rows::<KeptRecord>(table::RECORDS)?;
        self.rows::<GivenGrant>(table::GRANTS)?;
        self.rows::<GivenGrant>(table::WRITE_GRANTS)?;
        self.rows::<HeldGrant>(table::SHARED_GRANTS)?;
        self.rows::<RecordKeys>(table::HELD_KEYS)?;
        self.rows::<Vec<RecordId>>(table::HELD_PAGES)?;
        self.rows::<WriteGrant>(table::MAY_WRITE)?;
        self.rows::<WriteJob>(table::WRITTEN)?;
        self.rows::<AnchorFields>(table::WRITTEN_ELSEWHERE)?;
        self.rows::<WriteJob>(table::JOBS)?;
        self.rows::<KeptCopy>(table::READS)?;
        self.rows::<KeptReceipt>(table::RECEIPTS)?;
        self.rows::<DeletionStatement>(table::STATEMENTS)?;
        self.rows::<Errand>(table::ERRANDS)?;
        self.rows::<Outgoing>(table::LETTERS)?;
        self.rows::<Waiting>(table::WAITING)?;
        self.rows::<Offered>(table::OFFERED)?;
        self.rows::<Delivery>(table::DELIVERIES)?;
        self.rows::<Plan>(table::PLANS)?;
        self.rows::<String>(table::ALARMS)?;
        self.rows::<KeptLine>(table::FEEDS)?;
        self.rows::<OwnAct>(table::OWN_ACTS)?;
        self.rows::<UnknownAct>(table::UNKNOWN_ACTS)?;
        self.rows::<NoteRow>(table::NOTES)?;
        self.set_aside()
    }

    /// A row's value; one that is none is moved out of the way in one step.
    pub(crate) fn readable<T: DeserializeOwned + Serialize>(
        &self,
        table: &'static str,
        key: &[u8],
        bytes: &[u8],
    ) -> Result<Option<T>, JourneyError> {
        let error = match cbor::from_slice(bytes) {
            Ok(value) => return Ok(Some(value)),
            Err(error) => error,
        };
        let aside = SetAside::of(table, key.to_vec(), bytes.to_vec(), &error);
        let to = [table.as_bytes(), &[0], key].concat();
        self.ports.vault.apply(vec![
            change(table::SET_ASIDE, &to, &aside),
            Change::Delete {
                table,
                key: key.to_vec(),
            },
        ])?;
        Ok(None)
    }
}

impl SetAside {
    /// The decoder names fields and offsets, never values.
    fn of(table: &str, key: Vec<u8>, bytes: Vec<u8>, error: &DagError) -> Self {
        Self {
            table: table.to_owned(),
            key,
            reason: format!(
                "{error}; it is kept aside and nothing else is touched: run `medibloc sync`, and restore from the phrase \
                 if something is missing"
            ),
            bytes,
        }
    }
}
