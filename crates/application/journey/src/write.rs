//! Import → normalise → seal → store → anchor → shares (design 11, rows 6–8), as one durable job: killed at any
//! instant it goes on with the very bytes that were kept, and never seals anew.

use medibloc_consent::{AnchorFields, ShareDeposit, SignedAcknowledgement};
use medibloc_dag::Cid;
use medibloc_keys::{DealerSeed, recover};
use medibloc_ledger::{Anchored, Call, LedgerError, SignedCall};
use medibloc_record::{
    AccountId, Address, ClassId, Digest, Draft, Kind, Nonce, PartRole, Record, RecordId, Sealed,
    SealingKey, SignedAttestation, Timestamp,
};
use medibloc_seal::{Parties, RecordParties, seal, wrap_share};
use medibloc_store::{Stored, put_sealed};
use serde::{Deserialize, Serialize};

use crate::blocks::{VaultSink, WINDOW};
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::secret::Secret;
use crate::together::{Asked, all};
use crate::{JourneyError, Party, Standing, Subject};

mod anew;

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
            // One that took the place of these was kept, and the process ended before they went.
            for vain in in_vain {
                self.forget_job(&vain, Vec::new())?;
            }
            return self.resume_write(job).await;
        }
        let (title, subject) = (draft.title.clone(), Subject::of(&draft.fhir));
        let mut record =
            Record::normalise(draft, kind, self.ports.clock.now())?.in_class(options.class);
        if let Some(amended) = options.amends {
            record = record.amending(amended.record_id());
        }
        let aside = Aside {
            original,
            title,
            subject,
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
            names_another: aside.names_another,
            left: false,
            problem: None,
        };
        self.put(table::JOBS, anchor.record_id().as_bytes(), &job)?;
        Ok(job)
    }

    /// Goes on with every unfinished record; `sync` and the next start call it.
    pub async fn resume_writes(&self) -> Result<Vec<Written>, JourneyError> {
        let (written, errors) = self.go_on_with_writes().await?;
        errors.into_iter().next().map_or(Ok(written), Err)
    }

    /// The same, with what was done although something else could not be: each record that was anchored in vain, and the first
    /// other reason.
    pub(crate) async fn go_on_with_writes(
        &self,
    ) -> Result<(Vec<Written>, Vec<JourneyError>), JourneyError> {
        let (mut written, mut errors) = (Vec::new(), Vec::new());
        let mut has_other = false;
        for job in self.rows::<WriteJob>(table::JOBS)? {
            if self.patience.is_called() {
                break;
            }
            match self.resume_write(job).await {
                Ok(done) => written.push(done),
                Err(error @ JourneyError::InVain { .. }) => errors.push(error),
                Err(error) if !has_other => {
                    has_other = true;
                    errors.push(error);
                }
                Err(_) => {}
            }
        }
        Ok((written, errors))
    }

    /// Records that this account wrote and that are with all keepers.
    pub fn written(&self) -> Result<Vec<Written>, JourneyError> {
        let done: Vec<WriteJob> = self.rows(table::WRITTEN)?;
        let of = |job: WriteJob| Written {
            record: job.anchor.record_id(),
            owner: job.anchor.owner,
            acknowledged: job.acknowledged.count_ones() as usize,
            keepers: job.acknowledged.count_ones() as usize,
        };
        Ok(done.into_iter().map(of).collect())
    }

    /// Records that this vault has of the very document: for that owner, or own ones, sealed here or on another device. None that
    /// was erased or not accepted, as far as this vault knows.
    pub fn written_before(
        &self,
        owner: Option<AccountId>,
        original: &Digest,
    ) -> Result<Vec<Before>, JourneyError> {
        let is_own = |anchor: &AnchorFields| anchor.author == anchor.owner;
        let fits = |anchor: &AnchorFields| match owner {
            Some(owner) => anchor.owner == owner && !is_own(anchor),
            None => is_own(anchor),
        };
        let mut before = Vec::new();
        for (jobs, is_on_its_way) in [(table::JOBS, true), (table::WRITTEN, false)] {
            for job in self.rows::<WriteJob>(jobs)? {
                let record = job.anchor.record_id();
                let kept = self.ports.vault.get(table::RECORDS, record.as_bytes())?;
                let is_told_by_it = !is_on_its_way && kept.is_some();
                if !is_told_by_it && fits(&job.anchor) && job.original == *original {
                    before.push(Before {
                        record,
                        is_on_its_way,
                    });
                }
            }
        }
        for kept in self.records()? {
            let record = kept.record();
            let parts = kept.manifest.iter().flat_map(|manifest| &manifest.parts);
            let mut originals = parts.filter(|part| part.role == PartRole::Original);
            let is_refused = matches!(kept.standing, Standing::NotAccepted { .. });
            if fits(&kept.anchor)
                && !is_refused
                && originals.any(|part| part.plaintext == *original)
                && before.iter().all(|it| it.record != record)
            {
                before.push(Before {
                    record,
                    is_on_its_way: false,
                });
            }
        }
        Ok(before)
    }

    /// Whether a record was anchored on a chain that was left, and the one that answers does not have it: its document is written
    /// again like a new one.
    ///
    /// # Errors
    /// If the vault fails.
    pub async fn is_left_with_its_chain(&self, record: RecordId) -> Result<bool, JourneyError> {
        let kept: Option<crate::KeptRecord> = self.row(table::RECORDS, record.as_bytes())?;
        let job: Option<WriteJob> = self.row(table::WRITTEN, record.as_bytes())?;
        let was_there =
            job.is_some_and(|job| job.left) || kept.is_some_and(|kept| kept.is_off_chain());
        Ok(was_there && self.is_lacking(record).await?)
    }

    /// Whether this document is sealed and on its way, in a job that `sync` goes on with.
    pub fn is_being_written(&self, original: &Digest) -> Result<bool, JourneyError> {
        let jobs = self.rows::<WriteJob>(table::JOBS)?;
        Ok(jobs.iter().any(|job| job.original == *original))
    }

    async fn resume_write(&self, job: WriteJob) -> Result<Written, JourneyError> {
        let (record, before) = (job.anchor.record_id(), job.problem.clone());
        let done = self.go_on_writing(job).await;
        if let Err(JourneyError::Ledger(LedgerError::Refused(_))) = &done {
            // Refused is refused: nothing of it runs later, when somebody allows it without knowing of this document.
            self.drop_refused(record).await?;
            return done;
        }
        if let Err(error) = &done
            && before.as_deref() != Some(&error.to_string())
            && let Ok(Some(mut job)) = self.row::<WriteJob>(table::JOBS, record.as_bytes())
        {
            job.problem = Some(error.to_string());
            // The vault may be what failed; the first error is the one to tell.
            let _ = self.put(table::JOBS, record.as_bytes(), &job);
        }
        done
    }

    /// Forgets a record that the contracts refused, its sealed blocks first.
    async fn drop_refused(&self, record: RecordId) -> Result<(), JourneyError> {
        let job = self.row::<WriteJob>(table::JOBS, record.as_bytes())?;
        let Some(job) = job.filter(|job| !job.anchored) else {
            return Ok(());
        };
        if self.ports.facts.record(record).await?.is_some() {
            return Ok(());
        }
        let acts = self.refused_act(job.author, &Call::Anchor(job.anchor))?;
        self.forget_job(&job, acts)
    }

    async fn go_on_writing(&self, mut job: WriteJob) -> Result<Written, JourneyError> {
        let mut author = self.own(job.author)?.ok_or_else(|| JourneyError::Unknown {
            what: format!("the author {}", job.author),
            hint: "restore this account first",
        })?;
        let mut sealed = job.sealed()?;
        let record = job.anchor.record_id();
        if Box::pin(self.is_erased_by_now(record)).await? {
            // Its owner erased it: nothing of it is stored again, no keeper takes a share, nothing is kept.
            let keepers = usize::from(sealed.key_set().committee.threshold.n());
            return Ok(Written {
                record,
                owner: job.anchor.owner,
                acknowledged: 0,
                keepers,
            });
        }
        if !job.anchored {
            author = self.signed_for_now(job.author).await?;
            self.sign_anew(&author, &mut job).await?;
        }
        if !job.anchored {
            self.deal_anew(&mut job).await?;
            sealed = job.sealed()?;
        }
        if !job.anchored {
            let stored = self.store(&author, &job, &sealed).await?;
            self.anchor(&author, &mut job, &stored).await?;
        }
        if job.acknowledged == 0 && self.is_anchored_in_vain(&job).await? {
            return Err(JourneyError::InVain { record });
        }
        let keepers = self.deal(&author, &mut job, &sealed).await?;
        Ok(Written {
            record: job.anchor.record_id(),
            owner: job.anchor.owner,
            acknowledged: job.acknowledged.count_ones() as usize,
            keepers,
        })
    }

    /// Row 6: the sealed bytes go to storage, a window of leaves at a time.
    async fn store(
        &self,
        author: &OwnAddress,
        job: &WriteJob,
        sealed: &Sealed,
    ) -> Result<Stored, JourneyError> {
        let store = self.ports.network.store(&self.signer(author));
        for window in job.blocks.chunks(WINDOW) {
            let missing = store.has(window).await?;
            let mut blocks = Vec::new();
            for (cid, _) in window.iter().zip(missing).filter(|(_, has)| !has) {
                blocks.push(self.vault_block(cid)?);
            }
            if !blocks.is_empty() {
                store.put(blocks).await?;
            }
        }
        let attestation = SignedAttestation::parse(&job.attestation)?;
        Ok(put_sealed(store.as_ref(), sealed, &attestation).await?)
    }

    /// Row 7. The signed request is kept before it is sent: after a crash the same one is sent again.
    async fn anchor(
        &self,
        author: &OwnAddress,
        job: &mut WriteJob,
        stored: &Stored,
    ) -> Result<(), JourneyError> {
        let record = job.anchor.record_id();
        let call = Anchored::call(stored, job.anchor, job.amended)?;
        for attempt in 0..2 {
            let signed = match &job.signed {
                Some(signed) => signed.clone(),
                None => {
                    let signed = self.sign(author, &call).await?;
                    job.signed = Some(signed.clone());
                    self.put(table::JOBS, record.as_bytes(), job)?;
                    signed
                }
            };
            let (relay, facts) = (self.ports.relay.as_ref(), self.ports.facts.as_ref());
            match Anchored::send(relay, facts, job.anchor, &signed).await {
                Ok(_) => break,
                Err(LedgerError::BadRequest { .. }) if facts.record(record).await?.is_some() => {
                    break;
                }
                // Its deadline passed while it was not executed: only now a new one may be signed.
                Err(LedgerError::BadRequest { .. }) if attempt == 0 => job.signed = None,
                Err(error) => return Err(error.into()),
            }
        }
        job.anchored = true;
        self.put(table::JOBS, record.as_bytes(), job)
    }

    /// Row 8: each keeper gets its share; who is away is asked again by the next sync.
    async fn deal(
        &self,
        author: &OwnAddress,
        job: &mut WriteJob,
        sealed: &Sealed,
    ) -> Result<usize, JourneyError> {
        let seed = DealerSeed::new(*job.dealer_seed);
        let (record, before) = (job.anchor.record_id(), job.acknowledged);
        let (acknowledged, n) = self
            .deliver_shares(author, &job.anchor, sealed, &seed, job.acknowledged)
            .await?;
        job.acknowledged = acknowledged;
        if job.acknowledged.count_ones() as usize == n {
            self.close(job)?;
        } else if before != job.acknowledged {
            self.put(table::JOBS, record.as_bytes(), job)?;
        }
        Ok(n)
    }

    /// Ends a job and wipes its dealer seed.
    fn close(&self, job: &mut WriteJob) -> Result<(), JourneyError> {
        let record = job.anchor.record_id();
        zeroize::Zeroize::zeroize(&mut job.dealer_seed);
        Ok(self.ports.vault.apply(vec![
            Change::Delete {
                table: table::JOBS,
                key: record.as_bytes().to_vec(),
            },
            change(table::WRITTEN, record.as_bytes(), job),
        ])?)
    }

    /// Gives up a record that was not anchored: its job and its sealed blocks go.
    pub fn abandon_write(&self, record: RecordId) -> Result<(), JourneyError> {
        let job: WriteJob =
            self.row(table::JOBS, record.as_bytes())?
                .ok_or_else(|| JourneyError::Unknown {
                    what: format!("an unfinished record {record}"),
                    hint: "`medibloc status` lists what is unfinished",
                })?;
        if job.anchored {
            return Err(JourneyError::Untrusted {
                what: "request",
                why: "the record is anchored already; only its owner can erase it".into(),
            });
        }
        if job.signed.is_some() && job.problem.is_none() {
            return Err(JourneyError::Untrusted {
                what: "request",
                why: "its anchor is on its way to the chain; run `medibloc sync` first".into(),
            });
        }
        self.forget_job(&job, Vec::new())
    }

    /// Gives every keeper that has not acknowledged its share, wrapped to its newest key.
    pub(crate) async fn deliver_shares(
        &self,
        actor: &OwnAddress,
        anchor: &AnchorFields,
        sealed: &Sealed,
        seed: &DealerSeed,
        mut acknowledged: u64,
    ) -> Result<(u64, usize), JourneyError> {
        let committee = self.committee_of(sealed.key_set()).await?;
        let keepers = self.ports.network.keepers(&self.signer(actor));
        let mut open: Vec<Asked<'_, _>> = Vec::new();
        for keeper in &committee.keepers {
            let bit = 1u64 << (keeper.index - 1);
            if acknowledged & bit != 0 {
                continue;
            }
            let wrapped = {
                // A keeper to whose key nothing can be sealed has no share; it stops none of the others.
                let mut entropy = self
                    .ports
                    .entropy
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                wrap_share(
                    seed,
                    sealed.key_set(),
                    &parties_of(anchor),
                    (keeper.index, &keeper.wrap_key),
                    &self.ports.domain,
                    &mut *entropy,
                )
            };
            let Ok(wrapped) = wrapped else {
                continue;
            };
            let deposit = ShareDeposit {
                record: anchor.record_id(),
                key_set: sealed.key_set_bytes().to_vec(),
                index: keeper.index,
                wrapped,
            };
            let keepers = keepers.clone();
            open.push(Box::pin(async move {
                let reply = keepers.deposit(keeper.index, &deposit).await;
                (keeper, reply)
            }));
        }
        for (keeper, reply) in all(open).await {
            if reply.is_ok_and(|reply| self.is_acknowledged_by(keeper.signer, anchor, &reply)) {
                acknowledged |= 1 << (keeper.index - 1);
            }
        }
        Ok((acknowledged, committee.keepers.len()))
    }
}

impl Party {
    /// Whether an acknowledgement is signed by this keeper, for this record and key set.
    pub(crate) fn is_acknowledged_by(
        &self,
        keeper: Address,
        anchor: &AnchorFields,
        reply: &SignedAcknowledgement,
    ) -> bool {
        let said = &reply.acknowledgement;
        said.record == anchor.record_id()
            && said.key_set == anchor.key_set
            && recover(&said.digest(&self.ports.domain), &reply.signature)
                .is_ok_and(|signer| signer == keeper)
    }
}

/// Between whom an anchored record is.
pub(crate) fn parties_of(anchor: &AnchorFields) -> RecordParties {
    RecordParties {
        record: anchor.record_id(),
        author: anchor.author,
        owner: anchor.owner,
    }
}
