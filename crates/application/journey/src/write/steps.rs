//! The steps of a record on its way: stored, anchored, dealt to the keepers. Each goes on where the one of before ended.

use medibloc_keys::DealerSeed;
use medibloc_ledger::{Anchored, Call, LedgerError};
use medibloc_record::{RecordId, Sealed, SignedAttestation};
use medibloc_store::{Stored, put_sealed};

use super::{WriteJob, Written};
use crate::blocks::WINDOW;
use crate::party::{OwnAddress, change, table};
use crate::ports::Change;
use crate::{JourneyError, Party};

impl Party {
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

    pub(super) async fn resume_write(&self, job: WriteJob) -> Result<Written, JourneyError> {
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
}
