//! What is to be gone for good: blobs, and files that were written out. Rows go in one step with the row of the wipe
//! ([`Wipe`]); blobs and files follow, and only when they are gone is anybody told. A crash at any point goes on here.

use std::collections::BTreeSet;

use medibloc_dag::{Cid, Codec, unixfs};
use medibloc_record::{AccountId, Digest, GrantId, Package, RecordId};
use serde::{Deserialize, Serialize};

use crate::accept::{KeptRecord, is_temporary};
use crate::doors::Pairing;
use crate::exports::{ExportedFile, removed_row};
use crate::left::{Left, Outputs};
use crate::mail::Message;
use crate::moment::Moment;
use crate::outbox::letter_row;
use crate::party::{change, table};
use crate::ports::{Change, FileFate};
use crate::read::KeptCopy;
use crate::write::WriteJob;
use crate::{EndOfGrant, JourneyError, Party, Standing};

/// The identifier of a single-block object.
pub(crate) const fn cid_of(digest: Digest) -> Cid {
    Cid::from_dag_cbor_digest(digest.to_bytes())
}

/// A wipe that has begun.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Wipe {
    /// What it is about; the same wipe begun twice is one.
    #[serde(with = "serde_bytes")]
    pub(crate) key: [u8; 32],
    /// Blocks of nothing else that is kept.
    pub(crate) cids: Vec<Cid>,
    /// Files that were written out.
    pub(crate) files: Vec<ExportedFile>,
    /// Records that another home of the phrase read, too: which files that one wrote out is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) unknown: Vec<RecordId>,
    /// What went to standard output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) outputs: Vec<(RecordId, Outputs)>,
    /// Leave the files.
    pub(crate) keep_files: bool,
    /// Who is told when it is done.
    pub(crate) tell: Vec<Tell>,
    /// How the consent ended that it follows; none if the record was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) end: Option<EndOfGrant>,
}

/// A letter that says what was purged.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Tell {
    #[serde(with = "serde_bytes")]
    pub(crate) letter: [u8; 32],
    /// The own address that read.
    pub(crate) own: AccountId,
    /// Whose record it was.
    pub(crate) owner: AccountId,
    /// The owner's node.
    pub(crate) node: String,
    /// What the letter proves itself by.
    pub(crate) pairing: Option<Pairing>,
    pub(crate) grants: Vec<GrantId>,
    pub(crate) records: Vec<RecordId>,
}

impl Wipe {
    pub(crate) fn row(&self) -> Change {
        change(table::WIPES, &self.key, self)
    }
}

impl Party {
    /// Goes on with every wipe; tells which files stay, and what could not be done now.
    pub(crate) async fn resume_wipes(
        &self,
        left: &mut Vec<(RecordId, String)>,
        later: &mut Vec<String>,
    ) -> Result<(), JourneyError> {
        for wipe in self.rows::<Wipe>(table::WIPES)? {
            if let Err(error) = self.wipe(wipe, left).await {
                if matches!(
                    error,
                    JourneyError::Port(crate::ports::PortError::Vault { .. })
                ) {
                    return Err(error);
                }
                later.push(error.to_string());
            }
        }
        Ok(())
    }

    /// Files of a record that an erasure which was broken off still has to delete.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn files_to_delete(&self, record: RecordId) -> Result<Vec<String>, JourneyError> {
        let wipes = self.rows::<Wipe>(table::WIPES)?.into_iter();
        let files = wipes
            .filter(|wipe| !wipe.keep_files)
            .flat_map(|wipe| wipe.files);
        let files = files.filter(|file| file.record == record && !file.keep);
        let here = self.exports_of(record)?;
        // What was deleted, and told to nobody yet, has no row.
        Ok(files
            .filter(|file| here.contains(file))
            .map(|file| file.path)
            .collect())
    }

    async fn wipe(
        &self,
        mut wipe: Wipe,
        left: &mut Vec<(RecordId, String)>,
    ) -> Result<(), JourneyError> {
        let vault = &self.ports.vault;
        if !wipe.cids.is_empty() {
            vault.drop_blobs(&wipe.cids)?;
            wipe.cids.clear();
        }
        let mut changes = Vec::new();
        let mut stay = Vec::new();
        let mut has_lost = false;
        for file in core::mem::take(&mut wipe.files) {
            let fate = if wipe.keep_files || file.keep {
                FileFate::Stays {
                    why: "it was to be kept".into(),
                }
            } else if file.lost {
                // What is at its path now is another file.
                FileFate::Gone
            } else {
                vault.drop_file(&file.path, &file.sha256)
            };
            match fate {
                FileFate::Removed => {
                    changes.push(removed_row(&file, wipe.end));
                    changes.push(file.gone());
                }
                // One without a row was deleted here before, by a wipe that was broken off.
                FileFate::Gone if self.is_noted(&file)? => {
                    has_lost = true;
                    left.push((file.record, file.lost_words()));
                    changes.push(file.gone());
                    changes.push(ExportedFile { lost: true, ..file }.row());
                }
                FileFate::Gone => {}
                FileFate::Stays { why } => {
                    left.push((file.record, format!("{}: {why}", file.path)));
                    stay.push(file);
                }
            }
        }
        left.extend(wipe.unknown.iter().map(|record| {
            let why = "another home of this phrase read it, before a restore, say, and which files that one wrote out is not known \
                       here: look for them yourself";
            (*record, format!("unknown files of {record}: {why}"))
        }));
        left.extend(wipe.outputs.iter().map(|(record, outputs)| {
            let last = Moment(outputs.last);
            let what =
                format!("what was written to standard output of {record}, the last on {last}");
            (*record, format!("{what}: it cannot be deleted there"))
        }));
        // Its file is gone or stays: that is settled, whoever can be told now.
        let stays = Left {
            files: u32::try_from(stay.len()).unwrap_or(u32::MAX),
            unknown: has_lost || !wipe.unknown.is_empty(),
            outputs: wipe
                .outputs
                .iter()
                .map(|(_, outputs)| *outputs)
                .reduce(Outputs::add),
        };
        vault.apply(changes)?;
        vault.settle()?;
        let mut letters = Vec::new();
        for tell in &wipe.tell {
            match self.purged_letter(tell, stays).await {
                Ok(letter) => letters.push(letter),
                Err(error) if is_temporary(&error) => return Err(error),
                // Nobody is there who could be told.
                Err(_) => {}
            }
        }
        letters.push(Change::Delete {
            table: table::WIPES,
            key: wipe.key.to_vec(),
        });
        Ok(vault.apply(letters)?)
    }

    /// Tells the owner, under the address that read.
    async fn purged_letter(&self, tell: &Tell, left: Left) -> Result<Change, JourneyError> {
        let own = self.own_address(tell.own)?;
        let (to, to_key) = self.reached(tell.owner).await?;
        let letter = self.compose(
            tell.letter,
            tell.pairing.as_ref(),
            &own,
            (to, &to_key),
            &tell.node,
            &Message::Purged {
                grants: tell.grants.clone(),
                records: tell.records.clone(),
                files: left.files,
                unknown: left.unknown,
                outputs: left.outputs,
            },
        )?;
        Ok(letter_row(&letter))
    }

    /// Blocks that these records alone have kept here: everything below their roots that no other record here needs.
    pub(crate) fn only_of(
        &self,
        records: &BTreeSet<RecordId>,
        roots: Vec<Cid>,
    ) -> Result<Vec<Cid>, JourneyError> {
        let mut mine = self.below(roots)?;
        let mut others = Vec::new();
        for kept in self.rows::<KeptRecord>(table::RECORDS)? {
            let is_kept = matches!(kept.standing, Standing::Checked | Standing::Accepted);
            if !records.contains(&kept.record()) && is_kept {
                let anchor = &kept.anchor;
                others.extend(objects_of(anchor));
                others.push(cid_of(kept.capsule));
            }
        }
        let mut read = BTreeSet::new();
        for (key, bytes) in self.ports.vault.list(table::READS)? {
            let Ok(record) = <[u8; 32]>::try_from(key.as_slice()).map(RecordId::new) else {
                continue;
            };
            if records.contains(&record) {
                continue;
            }
            let copy: KeptCopy = crate::party::decode(table::READS, &bytes)?;
            others.extend(copy.manifest.parts.iter().map(|part| part.cid));
            read.insert(record);
        }
        // Of what was given and never read nothing is here that a read would not fetch again: its rows are many, and not looked at.
        for anchor in self.held_anchors_of(&read)? {
            others.extend(objects_of(&anchor));
        }
        for jobs in [table::JOBS, table::WRITTEN] {
            for job in self.rows::<WriteJob>(jobs)? {
                if !records.contains(&job.anchor.record_id()) {
                    others.extend(objects_of(&job.anchor));
                    others.extend(job.blocks.iter().copied());
                }
            }
        }
        for cid in self.below(others)? {
            mine.remove(&cid);
        }
        Ok(mine.into_iter().collect())
    }

    /// Every block below these roots, as far as the vault has what names them; leaves are not read.
    pub(crate) fn below(&self, roots: Vec<Cid>) -> Result<BTreeSet<Cid>, JourneyError> {
        let mut seen: BTreeSet<Cid> = roots.iter().copied().collect();
        let mut open = roots;
        while let Some(cid) = open.pop() {
            if cid.codec() == Codec::Raw {
                continue;
            }
            let Some(bytes) = self.ports.vault.blob(&cid)? else {
                continue;
            };
            let links = match cid.codec() {
                Codec::DagCbor => Package::parse(&bytes).map_or_else(
                    |_| Vec::new(),
                    |package| {
                        let parts = package.parts.iter().map(|part| part.cid);
                        parts.chain(package.manifest_cid).collect()
                    },
                ),
                _ => unixfs::links(&cid, &bytes).unwrap_or_default(),
            };
            open.extend(links.into_iter().filter(|link| seen.insert(*link)));
        }
        Ok(seen)
    }
}

/// The single-block objects that an anchor names.
pub(crate) fn objects_of(anchor: &medibloc_consent::AnchorFields) -> [Cid; 4] {
    [
        anchor.package,
        anchor.key_set,
        anchor.capsule,
        anchor.attestation,
    ]
    .map(cid_of)
}
