//! Verify and export one own record: everything is fetched from the node and recomputed from the chain, nothing that
//! the vault says is believed; and the plaintext is given out as bytes.

pub(crate) mod later;

use std::collections::BTreeSet;

use medibloc_consent::AnchorFields;
use medibloc_dag::{Block, Cid, Walk};
use medibloc_ledger::{BlockEvents, Event, Events};
use medibloc_record::{Digest, Kind, PartRole, RecordId, Sealed, SignedAttestation, Timestamp};
use medibloc_seal::crypt4gh::Recipient;
use medibloc_seal::{open_capsule, sealed_with_manifest, walk_manifest, walk_part};
use medibloc_store::Store;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::copies::Look;
use crate::fetch::untrusted;
use crate::moment::Moment;
use crate::nodes::block_of;
use crate::views::{RecordView, record_view};
use crate::wipe::{cid_of, objects_of};
use crate::write::parties_of;
use crate::{JourneyError, OnChain, Party, counted, counted_as};
use later::SaidLater;

/// One thing that was checked, or told as nobody could check it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckLine {
    /// What.
    pub what: String,
    /// It holds, or nothing says that it does not.
    pub holds: bool,
    /// It was checked; else it is as somebody says.
    #[serde(default = "yes")]
    pub checked: bool,
    /// What was found.
    pub found: String,
}

const fn yes() -> bool {
    true
}

/// Everything that was checked of one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// In order; after one that does not hold, what depends on it is not checked.
    pub lines: Vec<CheckLine>,
    /// The record was erased: what was checked is its erasure.
    #[serde(default)]
    pub erased: Option<Timestamp>,
    /// It was, and too few keepers have signed yet that their share is destroyed.
    #[serde(default)]
    pub not_final: bool,
}

impl VerifyReport {
    /// Whether every line holds.
    pub fn holds(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.holds)
    }

    /// Whether every line was checked: somebody who could be asked did not answer otherwise.
    pub fn is_checked(&self) -> bool {
        self.lines.iter().all(|line| line.checked)
    }

    /// What is told as it is said, by nobody who could be checked.
    pub(crate) fn unchecked(&mut self, what: &str, found: impl Into<String>) {
        self.lines.push(CheckLine {
            what: what.into(),
            holds: true,
            checked: false,
            found: found.into(),
        });
    }

    pub(crate) fn line(&mut self, what: &str, holds: bool, found: impl Into<String>) -> bool {
        self.lines.push(CheckLine {
            what: what.into(),
            holds,
            checked: true,
            found: found.into(),
        });
        holds
    }
}

/// One part of a record, as bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportedPart {
    /// What it is.
    pub role: PartRole,
    /// Its media type.
    pub media_type: String,
    /// A file name that fits.
    pub file_name: String,
    /// The plaintext; wiped on drop.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl core::fmt::Debug for ExportedPart {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "ExportedPart({}, {} bytes)",
            self.file_name,
            self.bytes.len()
        )
    }
}

/// A record in the clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedRecord {
    /// What it is.
    pub record: RecordView,
    /// The original byte for byte, the FHIR bundle, the loss report.
    pub parts: Vec<ExportedPart>,
}

/// Where an anchor stands.
struct Found {
    anchor: AnchorFields,
    capsule: Digest,
    block: u64,
    hash: [u8; 32],
    at: Timestamp,
    said: SaidLater,
}

impl Party {
    /// Recomputes everything of one own record from the node and the chain.
    ///
    /// # Errors
    /// If the record is not known here or a peer is away; what does not hold is a line of the report.
    pub async fn verify_record(&self, record: RecordId) -> Result<VerifyReport, JourneyError> {
        let kept = self.record(record)?;
        if kept.standing == crate::Standing::Erased || self.is_erased_by_now(record).await? {
            return self.verify_erasure(&self.record(record)?).await;
        }
        let own = self.own_address(kept.anchor.owner)?;
        let mut report = VerifyReport::default();
        let Some(found) = self.find_anchor(record).await? else {
            report.line("anchor", false, "the chain has no anchor of this record");
            return Ok(report);
        };
        let place = format!(
            "block {} ({}), time {}",
            found.block,
            Digest::new(found.hash),
            Moment(found.at)
        );
        let same = found.anchor == kept.anchor && found.anchor.record_id() == record;
        report.line("anchor", same, place);
        self.check_state(&found, &mut report).await?;
        let store = self.store_of(&own);
        match self.check_content(&own, store.as_ref(), &found).await {
            Ok(told) => {
                report.line("content", true, told);
            }
            Err(error @ JourneyError::Away { .. }) => {
                report.unchecked("content", error.to_string());
            }
            Err(error) if crate::accept::is_temporary(&error) => return Err(error),
            Err(error) => {
                report.line("content", false, error.to_string());
            }
        }
        self.check_shares(&own, &found, &mut report).await?;
        Ok(report)
    }

    /// What an erasure left: it stands on chain, the keepers signed, the node gives nothing, and nothing is here.
    async fn verify_erasure(&self, kept: &crate::KeptRecord) -> Result<VerifyReport, JourneyError> {
        let (record, anchor) = (kept.record(), &kept.anchor);
        let at = self.erasure(record)?.map(|erasure| erasure.at);
        let mut report = VerifyReport {
            erased: Some(at.unwrap_or_default()),
            ..VerifyReport::default()
        };
        let facts = self.ports.facts.record(record).await?;
        let erased = facts.is_some_and(|facts| facts.erased);
        let found = if erased {
            "by its owner, for ever"
        } else {
            "the chain does not say so"
        };
        report.line("erased on chain", erased, found);
        if let Some(found) = self.find_anchor(record).await? {
            found.said.tell(&mut report);
        }
        let asked = self.collect_statements(kept, &mut BTreeSet::new()).await?;
        let signed = asked.signed;
        let found = format!(
            "{} of {} keepers signed that their share is destroyed, {} make it final",
            signed.by,
            signed.of,
            signed.needed.unwrap_or_default()
        );
        if signed.is_final() {
            report.line("shares destroyed", true, found);
        } else {
            // Nothing is wrong with what is there; what is missing can come.
            report.not_final = true;
            report.unchecked("shares destroyed", found);
        }
        let own = self.own_address(anchor.owner)?;
        let store = self.ports.network.store(&self.signer(&own));
        let objects = objects_of(anchor);
        let served = store.get_many(&objects).await?;
        let served = served.iter().filter(|bytes| bytes.is_some()).count();
        let found = match served {
            0 => "it gives none of its objects".to_owned(),
            _ => format!("it still gives {served} of its objects; tell its operator"),
        };
        report.line("node", served == 0, found);
        for (url, given) in self.given_at_others(&own, &objects).await {
            match given {
                Ok(0) => {}
                Ok(given) => {
                    let found =
                        format!("{url} still gives {given} of its objects; tell its operator");
                    report.line("node", false, found);
                }
                Err(why) => report.unchecked("node", why),
            }
        }
        let mut here = 0;
        for cid in &objects {
            here += usize::from(self.ports.vault.blob(cid)?.is_some());
        }
        let owed = self.files_to_delete(record)?;
        let mut found = match here {
            0 => "nothing of it is kept".to_owned(),
            _ => format!("{here} of its objects are still here; run `medibloc sync`"),
        };
        if !owed.is_empty() {
            let files = owed.join(", ");
            found.push_str(&format!(
                ", but files that were written out are not deleted yet: {files}; run `medibloc sync`"
            ));
        }
        report.line("this home", here == 0 && owed.is_empty(), found);
        for file in self.exports_of(record)? {
            if !owed.contains(&file.path) {
                let found = match file.lost {
                    true => file.lost_words(),
                    false => format!(
                        "{} was written out and stays: delete it yourself",
                        file.path
                    ),
                };
                report.unchecked("exported file", found);
            }
        }
        Ok(report)
    }

    async fn find_anchor(&self, record: RecordId) -> Result<Option<Found>, JourneyError> {
        let mut found: Option<Found> = None;
        self.each_block(|block| {
            let place = OnChain {
                block: block.number,
                at: block.time,
            };
            for event in &block.events {
                if let Some(found) = &mut found {
                    found.said.take(&found.anchor, event, place);
                }
                match event {
                    Event::Anchored(anchor) if anchor.record_id() == record => {
                        found = Some(Found {
                            said: SaidLater::default(),
                            anchor: *anchor,
                            capsule: anchor.capsule,
                            block: block.number,
                            hash: block.hash,
                            at: block.time,
                        });
                    }
                    Event::CapsuleReplaced {
                        record: of, digest, ..
                    } if *of == record => {
                        if let Some(found) = &mut found {
                            found.capsule = *digest;
                        }
                    }
                    _ => {}
                }
            }
        })
        .await?;
        Ok(found)
    }

    /// Every final block with events, in order.
    pub(crate) async fn each_block(
        &self,
        look: impl FnMut(&BlockEvents),
    ) -> Result<(), JourneyError> {
        each_block(self.ports.events.as_ref(), look).await
    }

    async fn check_state(
        &self,
        found: &Found,
        report: &mut VerifyReport,
    ) -> Result<(), JourneyError> {
        let facts = self.ports.facts.record(found.anchor.record_id()).await?;
        let accepted = facts.is_some_and(|facts| facts.accepted);
        let erased = facts.is_some_and(|facts| facts.erased);
        let told = if accepted {
            "by its owner"
        } else {
            "not by its owner"
        };
        report.line("accepted", accepted, told);
        report.line(
            "not erased",
            !erased,
            if erased { "erased" } else { "not erased" },
        );
        found.said.tell(report);
        if found.anchor.kind == Kind::Medical {
            let author = found.anchor.author;
            let then = self.ports.facts.standing(author, found.at).await?;
            let told = format!(
                "{author} was {} then",
                if then.accredited {
                    "accredited"
                } else {
                    "not accredited"
                }
            );
            report.line("author accredited", then.accredited, told);
        }
        Ok(())
    }

    /// Objects and parts from the node alone; gives what to tell.
    async fn check_content(
        &self,
        own: &crate::OwnAddress,
        store: &dyn Store,
        found: &Found,
    ) -> Result<String, JourneyError> {
        let anchor = &found.anchor;
        let fetch = async |digest: Digest, what| {
            self.block_at_node(store, &cid_of(digest), what)
                .await
                .map(Block::into_bytes)
        };
        let sealed = Sealed::parse(
            fetch(anchor.package, "package").await?,
            fetch(anchor.key_set, "key set").await?,
            fetch(found.capsule, "capsule").await?,
        )?;
        if let Some(cid) = sealed.package().manifest_cid {
            self.check_dag(store, walk_manifest(cid)?).await?;
        }
        let sealed = self.with_vault(|source| sealed_with_manifest(sealed, source))?;
        let attestation =
            SignedAttestation::parse(&fetch(anchor.attestation, "attestation").await?)?;
        let secret = self.sealing_at(own, sealed.capsule().wrapped.key_version);
        let domain = &self.ports.domain;
        let content = open_capsule(sealed.capsule(), &secret, &parties_of(anchor), domain)?;
        let checked = self
            .check_own((anchor, found.block), &sealed, &attestation, &content)
            .await;
        let (manifest, warning) = match checked {
            Ok(manifest) => (manifest, None),
            Err(error) if crate::accept::is_temporary(&error) => return Err(error),
            Err(error) => {
                let opened = self.opens_all_the_same(&sealed, &content, error).await?;
                (opened.0, Some(opened.1))
            }
        };
        for part in &manifest.parts {
            self.check_dag(store, walk_part(part)?).await?;
            // The blocks are bound by their identifiers now, wherever they are read.
            self.with_vault(|source| medibloc_seal::open_part(part, source, &mut std::io::sink()))?;
        }
        let parts = manifest.parts.len();
        Ok(match warning {
            None => format!("{} as the author attested", counted(parts, "part")),
            Some(warning) => format!(
                "{} under the own keys; warning: {warning}",
                counted_as(parts, "part opens", "parts open")
            ),
        })
    }

    /// Every block of a file is at the node, unchanged; one that the vault lost is kept again.
    async fn check_dag(&self, store: &dyn Store, mut walk: Walk) -> Result<(), JourneyError> {
        while let Some(wanted) = walk.next_block() {
            let block = self.block_at_node(store, wanted.cid(), "part").await?;
            walk.take(&wanted, block.bytes())
                .map_err(|error| untrusted("part", &error))?;
            if self.ports.vault.blob(wanted.cid())?.is_none() {
                self.ports.vault.put_blob(&block)?;
            }
        }
        Ok(())
    }

    /// A block as a node gives it, checked against its identifier. Whether a node ever had it is not known here.
    async fn block_at_node(
        &self,
        store: &dyn Store,
        cid: &Cid,
        what: &'static str,
    ) -> Result<Block, JourneyError> {
        let hint = match self.ports.vault.blob(cid)? {
            Some(_) => {
                "no node gives it; this home has it, and `medibloc record store` gives it to your node again"
            }
            None => {
                "no node gives it, and it is not in this home; ask the author to store it again"
            }
        };
        block_of(store, cid, what, hint).await
    }

    async fn check_shares(
        &self,
        own: &crate::OwnAddress,
        found: &Found,
        report: &mut VerifyReport,
    ) -> Result<(), JourneyError> {
        let committee = self.committee_at(found.block).await?;
        let signed = self.acknowledged(own, &found.anchor, &committee).await;
        let signed = signed.count_ones();
        let threshold = committee.committee.threshold;
        let told = format!(
            "{signed} of {} keepers sign that they hold a share, {} are needed",
            committee.keepers.len(),
            threshold.t()
        );
        report.line("shares", signed >= u32::from(threshold.t()), told);
        Ok(())
    }

    /// Stores an own record at the node again, from the vault, which has the primary copy, and gives keepers that lost their
    /// share it again. Gives how many keepers hold one now, and of how many.
    ///
    /// # Errors
    /// If the record is not whole here, or the node or the chain does not answer.
    pub async fn store_again(&self, record: RecordId) -> Result<(usize, usize), JourneyError> {
        let kept = self.standing_on_chain(record).await?;
        let own = self.own_address(kept.anchor.owner)?;
        let store = self.ports.network.store(&self.signer(&own));
        let opened = self.open_own(&own, &kept).await?;
        self.give_objects_of(store.as_ref(), &kept, &opened, Look::Given)
            .await?;
        let committee = self.committee_of(opened.sealed.key_set()).await?;
        let held = self.acknowledged(&own, &kept.anchor, &committee).await;
        let (held, of) = self
            .deliver_shares(
                &own,
                &kept.anchor,
                &opened.sealed,
                &opened.dealer_seed,
                held,
            )
            .await?;
        Ok((held.count_ones() as usize, of))
    }

    /// The parts of an own record as bytes: the original, the FHIR bundle, the loss report.
    pub fn export_record(&self, record: RecordId) -> Result<ExportedRecord, JourneyError> {
        let kept = self.standing_record(record)?;
        let manifest = kept.opened()?.clone();
        let mut parts = Vec::new();
        for part in &manifest.parts {
            let mut bytes = Zeroizing::new(Vec::new());
            self.with_vault(|source| medibloc_seal::open_part(part, source, &mut *bytes))?;
            parts.push(ExportedPart {
                role: part.role,
                media_type: part.media_type.clone(),
                file_name: file_name(record, part.role, &part.media_type),
                bytes,
            });
        }
        let contacts = self.contacts()?;
        let author = contacts
            .into_iter()
            .find(|contact| contact.party == kept.anchor.author);
        Ok(ExportedRecord {
            record: record_view(&kept, author.map(|contact| contact.name)),
            parts,
        })
    }
}

impl Party {
    /// Writes a part of an own record as a Crypt4GH file for these recipients: the segments at rest under a new header.
    /// What was written before an error is not to be used. Gives the file's bytes.
    ///
    /// # Errors
    /// If the record or part is not here, a block is missing, or the writer fails.
    pub fn export_crypt4gh(
        &self,
        record: RecordId,
        role: PartRole,
        recipients: &[Recipient],
        writer: &mut dyn std::io::Write,
    ) -> Result<u64, JourneyError> {
        let kept = self.standing_record(record)?;
        let part = kept
            .manifest
            .as_ref()
            .and_then(|manifest| manifest.part(role))
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("a part {role:?} of record {record}"),
                hint: "`medibloc record show` lists its parts",
            })?;
        let mut entropy = self
            .ports
            .entropy
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        self.with_vault(|source| {
            medibloc_seal::crypt4gh::export(part, recipients, source, &mut *entropy, writer)
        })
    }
}

fn file_name(record: RecordId, role: PartRole, media_type: &str) -> String {
    let id = record.to_string();
    let short = id.get(2..10).unwrap_or(&id);
    let role = match role {
        PartRole::Original => "original",
        PartRole::Fhir => "fhir",
        PartRole::Thumbnail => "thumbnail",
        PartRole::Index => "report",
        _ => "part",
    };
    let ending = match media_type {
        media if media.contains("json") => "json",
        media if media.contains("xml") => "xml",
        media if media.starts_with("text/") => "txt",
        _ => "bin",
    };
    format!("{short}-{role}.{ending}")
}

/// Every final block with events, in order.
pub(crate) async fn each_block(
    events: &dyn Events,
    mut look: impl FnMut(&BlockEvents),
) -> Result<(), JourneyError> {
    let mut next = 0;
    loop {
        let blocks = events.events(next, 500).await?;
        let Some(last) = blocks.last() else {
            return Ok(());
        };
        next = last.number + 1;
        blocks.iter().for_each(&mut look);
    }
}
