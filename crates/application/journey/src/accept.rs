//! Sync and accept (design 11, row 9): the owner's agent checks everything before it accepts; a junk anchor is
//! listed with the reason, never granted, and never stops a sync.

use medibloc_consent::AnchorFields;
use medibloc_keys::{Dealing, SealingSecret};
use medibloc_ledger::{Call, CommitteeFacts, LedgerError};
use medibloc_record::{
    Digest, KeySet, Manifest, PartRole, RecordId, Sealed, SignedAttestation, Timestamp,
};
use medibloc_seal::{
    CapsuleContent, Expectations, MasterKey, OwnerHalf, check_for_owner, open_capsule,
    open_manifest, sealed_with_manifest,
};
use serde::{Deserialize, Serialize};

use crate::caught::caught;
use crate::dates::Dates;
use crate::errand::Luggage;
use crate::pace::accept_key;
use crate::party::{OwnAddress, change, table};
use crate::ports::PortError;
use crate::set_back::NOT_ON_CHAIN;
use crate::subject::Reading;
use crate::together::{Asked, all};
use crate::write::parties_of;
use crate::{JourneyError, Labelled, Named, Party, Unread};

/// How a record stands with its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Checked, kept in the vault; too few keepers have their share yet.
    Checked,
    /// Accepted on chain.
    Accepted,
    /// Not accepted, because.
    NotAccepted {
        /// Why.
        because: String,
    },
    /// Erased by the owner.
    Erased,
}

/// One record in the owner's vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRecord {
    /// What stands on chain.
    pub anchor: AnchorFields,
    /// The block where it stands.
    pub block: u64,
    /// How it stands.
    pub standing: Standing,
    /// What it is; none until it was opened.
    pub manifest: Option<Manifest>,
    /// Digest of the newest capsule.
    pub capsule: Digest,
    /// An object could not be had: the next sync looks again.
    pub incomplete: bool,
    /// Its author took it back; it stays.
    pub retracted: bool,
    /// A check that fails on a record that the chain says is accepted: it opens all the same, and this is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// Whom its FHIR form names; nobody, too, if it was kept by a program that did not look.
    #[serde(default, rename = "subject", skip_serializing_if = "Named::is_nobody")]
    pub named: Named,
    /// Its owner said that it is about the owner, whomever it names.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub confirmed: bool,
    /// What its own labels say of how carefully it must be shared.
    #[serde(default, skip_serializing_if = "Labelled::was_not_looked_at")]
    pub labelled: Labelled,
}

impl KeptRecord {
    /// Its id.
    pub fn record(&self) -> RecordId {
        self.anchor.record_id()
    }

    /// Whether it is not known whom it names, and its owner did not say that it is about the owner, or its author took it back since.
    pub fn may_name_anybody(&self) -> bool {
        self.named.unread().is_some() && (self.retracted || !self.confirmed)
    }

    /// What is missing of a record that the chain says is accepted and that does not open here.
    pub fn unopened(&self) -> Option<&str> {
        let is_open = !self.is_accepted() || self.manifest.is_some();
        (!is_open).then(|| {
            self.warning
                .as_deref()
                .unwrap_or("it was not looked at yet")
        })
    }

    /// It was accepted on a chain that was left, and the one that this home went on with does not have it.
    pub fn is_off_chain(&self) -> bool {
        self.warning.as_deref() == Some(NOT_ON_CHAIN)
    }

    /// Its description.
    ///
    /// # Errors
    /// If it was never opened: what it waits for.
    pub(crate) fn opened(&self) -> Result<&Manifest, JourneyError> {
        let hint = match self.unopened() {
            Some(_) => {
                "the chain says that it is accepted, and an object of it is missing: sync again later; `medibloc record show` says which"
            }
            None => "it was not accepted; `medibloc record show` says why",
        };
        self.manifest.as_ref().ok_or_else(|| JourneyError::Unknown {
            what: format!("the content of record {}", self.record()),
            hint,
        })
    }

    /// Whether the chain says that it is accepted.
    pub fn is_accepted(&self) -> bool {
        self.standing == Standing::Accepted
    }

    /// Whether a class or all grant may deliver it: neither more sensitive nor of other categories or dates. Never before
    /// it was opened.
    pub(crate) fn fits(
        &self,
        sensitivity: medibloc_record::Sensitivity,
        categories: &[medibloc_record::Category],
        dates: Option<&Dates>,
    ) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| {
            let written = manifest.times.written.as_deref().unwrap_or_default();
            self.sensitivity() <= Some(sensitivity)
                && (categories.is_empty() || categories.contains(&manifest.category))
                && dates.is_none_or(|dates| dates.has(written))
        })
    }
}

/// An owner's record, opened.
pub(crate) struct OpenedByOwner {
    pub(crate) sealed: Sealed,
    pub(crate) manifest: Manifest,
    pub(crate) owner_half: OwnerHalf,
    pub(crate) dealer_seed: medibloc_keys::DealerSeed,
    pub(crate) warning: Option<String>,
}

impl Party {
    /// The records in the vault, oldest first.
    pub fn records(&self) -> Result<Vec<KeptRecord>, JourneyError> {
        let mut records: Vec<KeptRecord> = self.rows(table::RECORDS)?;
        records.sort_by_key(|kept| {
            (
                kept.manifest
                    .as_ref()
                    .map(|manifest| manifest.times.authored_at),
                kept.record(),
            )
        });
        Ok(records)
    }

    /// One record in the vault.
    pub fn record(&self, id: RecordId) -> Result<KeptRecord, JourneyError> {
        self.row(table::RECORDS, id.as_bytes())?
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("record {id}"),
                hint: "run `medibloc sync`; `medibloc record list` shows what is here",
            })
    }

    /// Looks at an anchor of an own address; keeps what it finds, whatever it is.
    pub(crate) async fn look_at(
        &self,
        own: &OwnAddress,
        block: u64,
        anchor: &AnchorFields,
        capsule: Digest,
    ) -> Result<KeptRecord, JourneyError> {
        let id = anchor.record_id();
        if let Some(kept) = self.row::<KeptRecord>(table::RECORDS, id.as_bytes())?
            && (matches!(kept.standing, Standing::Accepted | Standing::Erased) && !kept.incomplete
                || self.is_accept_planned(&kept)?)
        {
            return Ok(kept);
        }
        let facts = self.ports.facts.record(id).await?;
        let mut kept = KeptRecord {
            anchor: *anchor,
            block,
            standing: Standing::Checked,
            manifest: None,
            capsule,
            incomplete: false,
            retracted: facts.is_some_and(|facts| facts.retracted),
            warning: None,
            named: Named::Nobody,
            confirmed: self.is_noted_as_confirmed(id)?,
            labelled: Labelled::NotLooked,
        };
        let accepted = facts.is_some_and(|facts| facts.accepted);
        if facts.is_some_and(|facts| facts.erased) {
            kept.standing = Standing::Erased;
        } else {
            match caught("record", self.open_own(own, &kept)).await {
                Ok(opened) => {
                    kept.manifest = Some(opened.manifest.clone());
                    kept.warning.clone_from(&opened.warning);
                    (kept.named, kept.labelled) = self.form_of(&opened.manifest);
                    if accepted || self.accept(own, anchor, &opened).await? {
                        kept.standing = Standing::Accepted;
                    }
                }
                // A peer that is away says nothing about the record: look again at the next sync.
                Err(error) if is_temporary(&error) => return Err(error),
                // What stands here never contradicts the chain.
                Err(error) if accepted => {
                    kept.incomplete = true;
                    kept.standing = Standing::Accepted;
                    kept.warning = Some(error.to_string());
                }
                Err(error) => {
                    kept.incomplete = is_missing(&error);
                    kept.standing = Standing::NotAccepted {
                        because: error.to_string(),
                    }
                }
            }
        }
        let mut rows = vec![change(table::RECORDS, id.as_bytes(), &kept)];
        rows.extend(
            kept.told_more_than_said()
                .map(|told| self.untold_row(&told)),
        );
        self.ports.vault.apply(rows)?;
        Ok(kept)
    }

    /// Fetches the objects of an anchor, keeps them in the vault, and runs every check of design 02.
    pub(crate) async fn open_own(
        &self,
        own: &OwnAddress,
        kept: &KeptRecord,
    ) -> Result<OpenedByOwner, JourneyError> {
        let anchor = &kept.anchor;
        let store = self.store_of(own);
        let sealed = Sealed::parse(
            self.object(store.as_ref(), anchor.package, "package")
                .await?,
            self.object(store.as_ref(), anchor.key_set, "key set")
                .await?,
            self.object(store.as_ref(), kept.capsule, "capsule").await?,
        )?;
        let sealed = match sealed.package().manifest_cid {
            Some(cid) => {
                self.fetch_manifest(store.as_ref(), &cid).await?;
                self.with_vault(|source| sealed_with_manifest(sealed, source))?
            }
            None => sealed,
        };
        let attestation = SignedAttestation::parse(
            &self
                .object(store.as_ref(), anchor.attestation, "attestation")
                .await?,
        )?;
        let version = sealed.capsule().wrapped.key_version;
        let secret: SealingSecret = self.sealing_at(own, version);
        let content = open_capsule(
            sealed.capsule(),
            &secret,
            &parties_of(anchor),
            &self.ports.domain,
        )?;
        let checked = self
            .check_own((anchor, kept.block), &sealed, &attestation, &content)
            .await;
        let (manifest, warning) = match checked {
            Ok(manifest) => (manifest, None),
            Err(error) if is_temporary(&error) => return Err(error),
            Err(error) => {
                let manifest = self.opens_all_the_same(&sealed, &content, error).await?;
                (manifest.0, Some(manifest.1))
            }
        };
        self.fetch_parts(store.as_ref(), &manifest).await?;
        for part in &manifest.parts {
            // What does not open, or has another hash, is not what its author signed.
            self.with_vault(|source| medibloc_seal::open_part(part, source, &mut std::io::sink()))?;
        }
        Ok(OpenedByOwner {
            sealed,
            manifest,
            owner_half: content.owner_half,
            dealer_seed: content.dealer_seed,
            warning,
        })
    }

    /// Whom the FHIR form names, however large it is. That this cannot be read is no reason to refuse a record.
    pub(crate) fn whom_names(&self, manifest: &Manifest) -> Named {
        self.form_of(manifest).0
    }

    /// The same, with what the labels in it say.
    pub(crate) fn form_of(&self, manifest: &Manifest) -> (Named, Labelled) {
        let Some(part) = manifest.part(PartRole::Fhir) else {
            return (Named::Nobody, Labelled::Unread(Unread::Unreadable));
        };
        let mut reading = Reading::new();
        let opened = self.with_vault(|source| medibloc_seal::open_part(part, source, &mut reading));
        let is_whole = opened.is_ok();
        (reading.named(is_whole), reading.labelled(is_whole))
    }

    /// Every check of design 02, against the chain as it was in the anchor's block.
    pub(crate) async fn check_own(
        &self,
        (anchor, block): (&AnchorFields, u64),
        sealed: &Sealed,
        attestation: &SignedAttestation,
        content: &CapsuleContent,
    ) -> Result<Manifest, JourneyError> {
        let expected = Expectations {
            record: anchor.record_id(),
            author: anchor.author,
            author_address: self.author_at(anchor, attestation, block).await?,
            owner: anchor.owner,
            kind: anchor.kind,
            class: anchor.class,
            amends: anchor.amends,
        };
        let committee = self.committee_at(block).await?.committee;
        let domain = &self.ports.domain;
        Ok(check_for_owner(
            sealed,
            attestation,
            content,
            committee,
            &expected,
            domain,
        )?)
    }

    /// What the chain says is accepted opens for its owner, whatever check fails later: the manifest under the own keys,
    /// and the check that failed. An erased record does not.
    pub(crate) async fn opens_all_the_same(
        &self,
        sealed: &Sealed,
        content: &CapsuleContent,
        error: JourneyError,
    ) -> Result<(Manifest, String), JourneyError> {
        let record = sealed.record();
        let facts = self.ports.facts.record(record).await?;
        if !facts.is_some_and(|facts| facts.accepted && !facts.erased) {
            return Err(error);
        }
        let threshold = sealed.key_set().committee.threshold;
        let dealing = Dealing::from_seed(&content.dealer_seed, record, threshold);
        let master = MasterKey::from_halves(record, &content.owner_half, &dealing.keeper_half());
        let manifest = open_manifest(sealed.package(), &master)?;
        Ok((manifest, error.to_string()))
    }

    /// At least t acknowledgements, then `Records.accept`. False if too few keepers have their share yet.
    async fn accept(
        &self,
        own: &OwnAddress,
        anchor: &AnchorFields,
        opened: &OpenedByOwner,
    ) -> Result<bool, JourneyError> {
        let committee = self.committee_of(opened.sealed.key_set()).await?;
        let mut acknowledged = self.acknowledged(own, anchor, &committee).await;
        // The author may have died between anchor and shares: the owner holds s and delivers itself.
        if (acknowledged.count_ones() as usize) < committee.keepers.len() {
            acknowledged = self
                .deliver_shares(
                    own,
                    anchor,
                    &opened.sealed,
                    &opened.dealer_seed,
                    acknowledged,
                )
                .await?
                .0;
        }
        if acknowledged.count_ones() < u32::from(committee.committee.threshold.t()) {
            return Ok(false);
        }
        if let Some(due) = self.ports.due() {
            let record = anchor.record_id();
            let what = format!("acceptance of record {record}");
            let (call, luggage) = (Call::Accept(*anchor), Luggage::default());
            self.keep_errand(Some(due), accept_key(record), what, own.id(), call, luggage)
                .await?;
            return Ok(false);
        }
        let call = Call::Accept(*anchor);
        match self.call(own, &call).await {
            Ok(_) => Ok(true),
            Err(JourneyError::Ledger(error @ LedgerError::Refused(_))) => {
                // Another device may have been first; nothing else is believed of a relay.
                let facts = self.ports.facts.record(anchor.record_id()).await?;
                if facts.is_some_and(|facts| facts.accepted && !facts.erased) {
                    return Ok(true);
                }
                Err(self.refusal(own, &call, error).await?.into())
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a record was checked and has its shares, and is accepted when its time comes.
    pub(crate) fn is_accept_planned(&self, kept: &KeptRecord) -> Result<bool, JourneyError> {
        Ok(
            kept.standing == Standing::Checked
                && self.errand(&accept_key(kept.record()))?.is_some(),
        )
    }

    /// When a record that was checked is accepted; none if that is not planned.
    pub fn accepted_by(&self, record: RecordId) -> Result<Option<Timestamp>, JourneyError> {
        let Some(errand) = self.errand(&accept_key(record))? else {
            return Ok(None);
        };
        Ok(self.waits_until(&errand)?.or(errand.due))
    }

    /// The committee in force at the end of a block: that of the records anchored in it.
    pub(crate) async fn committee_at(&self, block: u64) -> Result<CommitteeFacts, JourneyError> {
        let mut committee = self.ports.facts.committee().await?;
        while !committee.is_of(block) {
            let id = committee.committee.id.wrapping_sub(1);
            let older = self.ports.facts.committee_of(id).await?;
            committee = older.ok_or_else(|| no_committee(format!("at block {block}")))?;
        }
        Ok(committee)
    }

    /// The committee that a key set names, with its keepers of today.
    pub(crate) async fn committee_of(&self, set: &KeySet) -> Result<CommitteeFacts, JourneyError> {
        let id = set.committee.id;
        let found = self.ports.facts.committee_of(id).await?;
        found
            .filter(|found| found.committee == set.committee)
            .ok_or_else(|| no_committee(format!("{id} of {:?}", set.committee.threshold)))
    }

    /// Keepers that sign that they hold a share, one bit each from index 1.
    pub(crate) async fn acknowledged(
        &self,
        own: &OwnAddress,
        anchor: &AnchorFields,
        committee: &CommitteeFacts,
    ) -> u64 {
        let keepers = self.ports.network.keepers(&self.signer(own));
        let record = anchor.record_id();
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let keepers = keepers.clone();
            open.push(Box::pin(async move {
                (keeper, keepers.acknowledgement(keeper.index, record).await)
            }));
        }
        let mut acknowledged = 0;
        for (keeper, answer) in all(open).await {
            if let Ok(Some(reply)) = answer
                && self.is_acknowledged_by(keeper.signer, anchor, &reply)
                && let Some(bit) = 1u64.checked_shl(u32::from(keeper.index).wrapping_sub(1))
            {
                acknowledged |= bit;
            }
        }
        acknowledged
    }

    /// The plaintext of one part of an own record, from the vault.
    pub fn open_own_part(
        &self,
        kept: &KeptRecord,
        role: PartRole,
        writer: &mut dyn std::io::Write,
    ) -> Result<(), JourneyError> {
        let kept = &self.standing_record(kept.record())?;
        let manifest = kept.opened()?;
        let part = manifest.part(role).ok_or_else(|| JourneyError::Unknown {
            what: format!("a part {role:?} of record {}", kept.record()),
            hint: "`medibloc record show` lists its parts",
        })?;
        self.with_vault(|source| medibloc_seal::open_part(part, source, writer))
    }
}

fn no_committee(which: String) -> JourneyError {
    JourneyError::Untrusted {
        what: "key set",
        why: format!("the chain has no committee {which}"),
    }
}

/// Whether an object could not be had, which says nothing about the record.
pub(crate) fn is_missing(error: &JourneyError) -> bool {
    matches!(
        error,
        JourneyError::Unknown { .. }
            | JourneyError::Away { .. }
            | JourneyError::Store(medibloc_store::StoreError::Corrupt { .. })
    )
}

/// Whether trying again later may help.
pub(crate) fn is_temporary(error: &JourneyError) -> bool {
    match error {
        JourneyError::Ledger(error) => error.is_retryable(),
        JourneyError::Port(
            PortError::Unreachable { .. }
            | PortError::Clock { .. }
            | PortError::Limit { .. }
            | PortError::Vault { .. },
        ) => true,
        JourneyError::Store(error) => error.is_retryable(),
        _ => false,
    }
}
