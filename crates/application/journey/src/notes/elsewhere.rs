//! Notes at listed nodes that are not the own one: a device of the same phrase may have had another own node. A restore reads them
//! all; a sync goes on with those that did not answer then, and asks no node again whose notes were read.

use std::collections::BTreeSet;

use medibloc_record::{AccountId, Timestamp};

use super::{NoteRow, Noted};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError, VaultPort};
use crate::{JourneyError, Party, SyncReport};

/// The listed nodes that did not say whether they are the own one. While it stands no node is given notes.
const UNDECIDED: &[u8] = b"own-node-undecided";

/// The node that this home gave its notes to.
const GIVEN_TO: &[u8] = b"notes-given-to";

/// What a node keeps of a phrase. The greatest is at the own node: the newest notes, of equal ones the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptAtNode {
    /// When the newest of its notes was made; none if it has none that can be read.
    pub newest: Option<Timestamp>,
    /// What is noted, and notes that cannot be read.
    pub entries: usize,
    /// It has the account's credential.
    pub credential: bool,
}

impl Party {
    /// What the own node of these ports keeps of this phrase: whoever restores without knowing which node was its own asks each.
    /// What others wrote to its mailboxes is there, too.
    ///
    /// # Errors
    /// If the chain or the node does not answer, or the vault fails.
    pub async fn kept_at_node(&self) -> Result<KeptAtNode, JourneyError> {
        self.find_addresses().await?;
        let mut kept = KeptAtNode::default();
        if let Some(account) = self.registered_account().await? {
            kept.credential = self.credential_at_node(&account).await?;
        }
        for own in &self.registered_addresses().await? {
            for (_, _, opened) in self.opened_notes(own, &*self.notes_at(own)).await? {
                let Ok(note) = opened else {
                    kept.entries += 1;
                    continue;
                };
                kept.entries += note.entries.len();
                let newest = note.entries.iter().map(|entry| entry.at).max();
                kept.newest = kept.newest.max(newest);
            }
        }
        Ok(kept)
    }

    /// Remembers which listed nodes did not say whether they are the own one; none if it is decided.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn own_node_waits_for(vault: &dyn VaultPort, away: &[String]) -> Result<(), JourneyError> {
        let row = match away {
            [] => Change::Delete {
                table: table::CURSOR,
                key: UNDECIDED.to_vec(),
            },
            away => change(table::CURSOR, UNDECIDED, &away),
        };
        Ok(vault.apply(vec![row])?)
    }

    /// What to do while it is not decided which listed node is the own one; none if it is.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn undecided_node(&self) -> Result<Option<String>, JourneyError> {
        let away: Option<Vec<String>> = self.row(table::CURSOR, UNDECIDED)?;
        Ok(away.map(|away| {
            format!(
                "which node is this home's own is not decided: {} did not say whether it keeps notes of this phrase. No node is \
                 given notes until then; give the same `medibloc restore` command again when it answers, or with `--node URL`",
                away.join(" and ")
            )
        }))
    }

    /// Rows of the notes of these addresses at the other listed nodes.
    pub(super) fn unread_elsewhere(&self, own: &[OwnAddress]) -> Vec<Change> {
        let rows = own.iter().flat_map(|own| {
            self.nodes_beside(own).into_iter().map(|url| {
                let key = [own.address.as_bytes().as_slice(), url.as_bytes()].concat();
                change(table::NOTES_UNREAD, &key, &own.id())
            })
        });
        rows.collect()
    }

    pub(super) fn nodes_beside(&self, own: &OwnAddress) -> Vec<String> {
        let others = self.ports.network.others(&self.signer(own));
        others.into_iter().map(|(url, _)| url).collect()
    }

    /// Reads them, as far as those nodes answer; what is new in them is owed to the own node. A node that is not listed any more
    /// is not asked.
    pub(crate) async fn read_notes_elsewhere(
        &self,
        noted: &mut Noted,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        let mut away = BTreeSet::new();
        for (key, id) in self.keyed_rows::<AccountId>(table::NOTES_UNREAD)? {
            let (_, url) = key.split_at(id.as_bytes().len().min(key.len()));
            let Ok(url) = core::str::from_utf8(url) else {
                continue;
            };
            if url.is_empty() || away.contains(url) {
                continue;
            }
            if self.patience.is_called() {
                return Ok(());
            }
            if let Some(own) = self.own(id)?
                && self.is_registered(id).await?
                && self.nodes_beside(&own).iter().any(|other| other == url)
            {
                let node = self.ports.network.mailbox(&self.signer(&own), url);
                match self.take_notes(&own, &*node, true, noted).await {
                    Ok(_) => {}
                    Err(error @ JourneyError::Port(PortError::Vault { .. })) => return Err(error),
                    Err(error) => {
                        later.push(format!(
                            "notes of this phrase at {url} were not read: {error}"
                        ));
                        away.insert(url.to_owned());
                        continue;
                    }
                }
            }
            self.ports.vault.apply(vec![Change::Delete {
                table: table::NOTES_UNREAD,
                key,
            }])?;
        }
        self.give_contacts_their_credentials()
    }

    /// Whether the own node is the one that this home gave its notes to.
    pub(crate) fn is_node_of_before(&self) -> Result<bool, JourneyError> {
        let before: Option<String> = self.row(table::CURSOR, GIVEN_TO)?;
        Ok(before == Some(self.ports.network.own_node()))
    }

    /// Of another own node nothing is expected that the one before was given: all is owed to it. Says whether notes may be given.
    pub(super) fn meets_node(&self, report: &mut SyncReport) -> Result<bool, JourneyError> {
        if let Some(told) = self.undecided_node()? {
            report.later.push(told);
            return Ok(false);
        }
        if self.is_node_of_before()? {
            return Ok(true);
        }
        let node = self.ports.network.own_node();
        let mut changes = vec![change(table::CURSOR, GIVEN_TO, &node)];
        if self.row::<String>(table::CURSOR, GIVEN_TO)?.is_some() {
            for row in self.rows::<NoteRow>(table::NOTES)? {
                let owed = row.owed_again();
                changes.push(change(table::NOTES, &owed.entry.about.key(), &owed));
            }
            for (key, _) in self.keyed_rows::<u64>(table::NOTE_TURNS)? {
                let table = table::NOTE_TURNS;
                changes.push(Change::Delete { table, key });
            }
        }
        self.ports.vault.apply(changes)?;
        Ok(true)
    }
}
