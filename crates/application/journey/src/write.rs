//! Import → normalise → seal → store → anchor → shares (design 11, rows 6–8), as one durable job: killed at any
//! instant it goes on with the very bytes that were kept, and never seals anew.

use medibloc_consent::AnchorFields;
use medibloc_dag::Cid;
use medibloc_ledger::SignedCall;
use medibloc_record::{
    AccountId, ClassId, Digest, Draft, Kind, Nonce, Record, RecordId, Sealed, SealingKey,
    Sensitivity, SignedAttestation, Timestamp,
};
use medibloc_seal::{Parties, seal};
use serde::{Deserialize, Serialize};

use crate::blocks::VaultSink;
use crate::party::{OwnAddress, table};
use crate::ports::Change;
use crate::secret::Secret;
use crate::{JourneyError, Party, Subject};

mod anew;
mod before;
mod shares;
mod steps;

pub(crate) use shares::parties_of;

/// A record on its way: everything needed to go on after a crash. The dealer seed is wiped from the vault when
/// all keepers have acknowledged.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct WriteJob {
    pub(crate) author: AccountId,
    pub(crate) anchor: AnchorFields,
    /// What it amends.
    #[serde(default)]
    amended: Option<AnchorFields>,
    #[serde(with = "serde_bytes")]
    pub(crate) package: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) key_set: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) capsule: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub(crate) attestation: Vec<u8>,
    #[serde(with = "crate::secret")]
    dealer_seed: Secret,
    pub(crate) blocks: Vec<Cid>,
    signed: Option<SignedCall>,
    pub(crate) anchored: bool,
    /// Keepers that acknowledged, one bit each from index 1.
    pub(crate) acknowledged: u64,
    /// SHA-256 of the original: the same document written again goes on with this job.
    pub(crate) original: Digest,
    /// For people.
    pub(crate) title: Option<String>,
    /// Whom it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<Subject>,
    /// As how sensitive it was sealed; none if a program kept it that did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sensitivity: Option<Sensitivity>,
    /// Its author said that this is the owner's name.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) names_another: bool,
    /// The chain that has it was left, and the one that this home went on with did not have it.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub(crate) left: bool,
    /// Why it did not end yet.
    pub(crate) problem: Option<String>,
}

impl WriteJob {
    /// What leaves.
    fn sealed(&self) -> Result<Sealed, JourneyError> {
        let Self {
            package,
            key_set,
            capsule,
            ..
        } = self;
        Ok(Sealed::parse(
            package.clone(),
            key_set.clone(),
            capsule.clone(),
        )?)
    }

    /// When its author signed it.
    pub(crate) fn authored_at(&self) -> Option<Timestamp> {
        let signed = SignedAttestation::parse(&self.attestation).ok()?;
        Some(signed.attestation.authored_at)
    }
}

impl core::fmt::Debug for WriteJob {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("WriteJob")
            .field("record", &self.anchor.record_id())
            .finish_non_exhaustive()
    }
}

/// What a job keeps beside the sealed record.
struct Aside {
    original: Digest,
    title: Option<String>,
    subject: Option<Subject>,
    sensitivity: Sensitivity,
    amended: Option<AnchorFields>,
    names_another: bool,
}

/// What may be said of a record that is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// Its class on chain; 0 is undisclosed.
    pub class: ClassId,
    /// The record that it corrects.
    pub amends: Option<AnchorFields>,
    /// Its author said that it is the owner's although it names another person than what was written before.
    pub names_another: bool,
}

impl WriteOptions {
    /// In a class that stands on chain, which class grants match.
    #[must_use]
    pub const fn in_class(mut self, class: ClassId) -> Self {
        self.class = class;
        self
    }

    /// As the owner's although it names another person than what was written before, after a change of name, say: its name is the
    /// owner's from then on.
    #[must_use]
    pub const fn naming_another(mut self) -> Self {
        self.names_another = true;
        self
    }

    /// As a correction of another record of the same owner, named by the fields of its anchor.
    #[must_use]
    pub const fn amending(mut self, amended: AnchorFields) -> Self {
        self.amends = Some(amended);
        self
    }
}

/// How far a written record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The record.
    pub record: RecordId,
    /// Whose it is.
    pub owner: AccountId,
    /// Keepers that have their share.
    pub acknowledged: usize,
    /// Keepers in all.
    pub keepers: usize,
}

/// A record that was made of a document before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Before {
    /// Which.
    pub record: RecordId,
    /// It is in a job that `sync` goes on with, and so does writing it again.
    pub is_on_its_way: bool,
}

/// An own record that was sealed here, and that no sync has taken yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentRecord {
    /// The record.
    pub record: RecordId,
    /// Its title.
    pub title: Option<String>,
    /// It stands on chain; until then it is only sealed.
    pub anchored: bool,
    /// Keepers that have their share.
    pub acknowledged: usize,
}

impl Party {
    /// Own records that are sealed or sent, and that no sync has taken yet.
    pub fn sent_records(&self) -> Result<Vec<SentRecord>, JourneyError> {
        let mut sent = Vec::new();
        for table in [table::JOBS, table::WRITTEN] {
            for job in self.rows::<WriteJob>(table)? {
                let (record, vault) = (job.anchor.record_id(), &self.ports.vault);
                if job.anchor.author == job.anchor.owner
                    && vault.get(table::RECORDS, record.as_bytes())?.is_none()
                {
                    sent.push(SentRecord {
                        record,
                        title: job.title,
                        anchored: job.anchored,
                        acknowledged: job.acknowledged.count_ones() as usize,
                    });
                }
            }
        }
        Ok(sent)
    }

    /// Writes a medical record for a patron under a live write grant.
    pub async fn write_for(&self, owner: AccountId, draft: Draft) -> Result<Written, JourneyError> {
        self.write_as(owner, draft, &WriteOptions::default()).await
    }

    /// The same with a class on chain, or as an amendment.
    pub async fn write_as(
        &self,
        owner: AccountId,
        draft: Draft,
        options: &WriteOptions,
    ) -> Result<Written, JourneyError> {
        self.patron(owner)?;
        let owner_key = self.key_of(owner).await?;
        let account = self.account();
        self.write(&account, owner, owner_key, Kind::Medical, draft, options)
            .await
    }

    /// Writes an own record (kind `self`).
    pub async fn write_own(&self, draft: Draft) -> Result<Written, JourneyError> {
        self.write_own_as(Kind::Own, draft, &WriteOptions::default())
            .await
    }

    /// Writes an own record of the kind `self` or `device`.
    pub async fn write_own_as(
        &self,
        kind: Kind,
        draft: Draft,
        options: &WriteOptions,
    ) -> Result<Written, JourneyError> {
        if !kind.is_written_by_owner() {
            return Err(JourneyError::Refused(
                medibloc_consent::Reason::KindNotGranted,
            ));
        }
        let own = self.own_records_address().await?;
        let key = self.sealing(&own).public();
        self.write(&own, own.id(), key, kind, draft, options).await
    }

    /// What was written before a crash is finished, never sealed anew.
    async fn write(
        &self,
        author: &OwnAddress,
        owner: AccountId,
        owner_key: SealingKey,
        kind: Kind,
        draft: Draft,
        options: &WriteOptions,
    ) -> Result<Written, JourneyError> {
        // Sealed for an account that this home cannot sign for it would be kept for ever.
        let author = &self.signed_for_now(author.id()).await?;
        let original = Digest::of(&draft.original);
        let (mut in_vain, mut good) = (Vec::new(), None);
        for job in self.rows::<WriteJob>(table::JOBS)? {
            if job.original != original
                || (job.author, job.anchor.owner) != (author.id(), owner)
                || self.is_ended_write(&job).await?
            {
                continue;
            }
            match job.acknowledged == 0 && self.is_anchored_in_vain(&job).await? {
                true => in_vain.push(job),
                false => good = good.or(Some(job)),
            }
        }
        if let Some(job) = good {
            if job.sensitivity.is_some_and(|was| was < draft.sensitivity) {
                let record = job.anchor.record_id();
                return Err(JourneyError::LessSensitive { record });
            }
            // One that took the place of these was kept, and the process ended before they went.
            for vain in in_vain {
                self.forget_job(&vain, Vec::new())?;
            }
            return self.resume_write(job).await;
        }
        let (title, subject) = (draft.title.clone(), Subject::of(&draft.fhir));
        let sensitivity = draft.sensitivity;
        let mut record =
            Record::normalise(draft, kind, self.ports.clock.now())?.in_class(options.class);
        if let Some(amended) = options.amends {
            record = record.amending(amended.record_id());
        }
        let aside = Aside {
            original,
            title,
            subject,
            sensitivity,
            amended: options.amends,
            names_another: options.names_another,
        };
        let sealed = self.seal(author, owner, owner_key, record, aside).await?;
        for job in in_vain {
            self.forget_job(&job, Vec::new())?;
        }
        self.resume_write(sealed).await
    }

    /// A job goes with other rows, its sealed blocks first.
    fn forget_job(&self, job: &WriteJob, mut rows: Vec<Change>) -> Result<(), JourneyError> {
        for cid in &job.blocks {
            self.ports.vault.drop_blob(cid)?;
        }
        rows.push(Change::Delete {
            table: table::JOBS,
            key: job.anchor.record_id().as_bytes().to_vec(),
        });
        Ok(self.ports.vault.apply(rows)?)
    }

    /// Whether the chain says that the record of a job was erased, which ends the job, or taken back: writing the document again
    /// makes another record.
    async fn is_ended_write(&self, job: &WriteJob) -> Result<bool, JourneyError> {
        let record = job.anchor.record_id();
        Ok(match self.known_facts(record).await? {
            Some(facts) if facts.erased => Box::pin(self.is_erased_by_now(record)).await?,
            facts => facts.is_some_and(|facts| facts.retracted),
        })
    }

    /// Seals into the vault; when this returns, a crash loses nothing any more.
    async fn seal(
        &self,
        author: &OwnAddress,
        owner: AccountId,
        owner_key: SealingKey,
        record: Record,
        aside: Aside,
    ) -> Result<WriteJob, JourneyError> {
        let committee = self.ports.facts.committee().await?.committee;
        let nonce = Nonce::new(self.ports.random());
        let parties = Parties {
            author: author.id(),
            owner,
            owner_key,
            nonce,
        };
        let mut sink = VaultSink::new(self.ports.vault.as_ref());
        let outbound = {
            let mut entropy = self
                .ports
                .entropy
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            seal(
                record,
                &parties,
                committee,
                &self.ports.domain,
                &mut *entropy,
                &mut sink,
            )?
        };
        let signature = self
            .signer(author)
            .sign_digest(&outbound.attestation.digest(&self.ports.domain));
        let attestation = SignedAttestation::new(outbound.attestation, author.id(), signature);
        let sealed = outbound.sealed;
        let anchor = AnchorFields {
            nonce,
            author: author.id(),
            owner,
            package: sealed.package_digest(),
            key_set: sealed.key_set_digest(),
            capsule: sealed.capsule_digest(),
            attestation: Digest::of(&attestation.to_bytes()),
            kind: outbound.attestation.kind,
            class: outbound.attestation.class,
            amends: outbound.attestation.amends,
        };
        let job = WriteJob {
            author: author.id(),
            anchor,
            amended: aside.amended,
            package: sealed.package_bytes().to_vec(),
            key_set: sealed.key_set_bytes().to_vec(),
            capsule: sealed.capsule_bytes().to_vec(),
            attestation: attestation.to_bytes(),
            dealer_seed: Secret::new(*outbound.dealer_seed.expose()),
            blocks: sink.into_cids(),
            signed: None,
            anchored: false,
            acknowledged: 0,
            original: aside.original,
            title: aside.title,
            subject: aside.subject,
            sensitivity: Some(aside.sensitivity),
            names_another: aside.names_another,
            left: false,
            problem: None,
        };
        self.put(table::JOBS, anchor.record_id().as_bytes(), &job)?;
        Ok(job)
    }
}
