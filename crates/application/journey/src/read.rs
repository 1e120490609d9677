//! Read (design 11, rows 12–14): receipt first, then shares from the keepers, then the record.

use std::collections::BTreeSet;

use medibloc_consent::{KeeperReply, KeeperRequest, Reason, SignedReply, SignedRequest};
use medibloc_keys::{OneTimeKey, Share, check_share, combine, info, recover};
use medibloc_ledger::{Call, CommitteeFacts, KeeperFacts, Outcome, Receipt};
use medibloc_record::{
    AccountId, GrantId, KeySet, Manifest, Nonce, Package, PartRole, ReceiptId, RecordId,
    SignedAttestation, Timestamp,
};
use medibloc_seal::{
    Expectations, MasterKey, OwnerHalf, ReaderView, check_for_reader, with_manifest,
};
use serde::{Deserialize, Serialize};

use crate::errand::{Luggage, errand_key};
use crate::grant::{Artefact, EndOfGrant, HeldGrant, ReaderObjects, SharedKey};
use crate::party::{OwnAddress, change, table};
use crate::ports::{Change, PortError};
use crate::together::{Asked, first};
use crate::{JourneyError, Named, Party, SyncReport};

mod no_key;

/// How long a keeper may take a request.
const REQUEST_LIFE: u64 = 5 * 60;

/// Keepers asked at once beside those that are needed.
const SPARE: usize = 2;
/// Age at which a receipt that was not used is given up; keepers take it for ten minutes.
const RECEIPT_LIFE: u64 = 9 * 60;

/// A receipt that was not used yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptReceipt {
    pub(crate) id: ReceiptId,
    pub(crate) record: RecordId,
    pub(crate) reader: AccountId,
    pub(crate) grant: GrantId,
    pub(crate) outcome: Outcome,
    pub(crate) at: Timestamp,
}

/// What a reader keeps of a record that it opened, until it purges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct KeptCopy {
    receipt: KeptReceipt,
    pub(crate) manifest: Manifest,
}

impl KeptCopy {
    /// On which consent it was opened.
    pub(crate) const fn grant(&self) -> GrantId {
        self.receipt.grant
    }

    /// When it was opened.
    pub(crate) const fn read_at(&self) -> Timestamp {
        self.receipt.at
    }
}

impl KeptReceipt {
    const fn of(receipt: &Receipt, at: Timestamp) -> Self {
        Self {
            id: receipt.id,
            record: receipt.record,
            reader: receipt.reader,
            grant: receipt.grant,
            outcome: receipt.outcome,
            at,
        }
    }

    const fn receipt(&self) -> Receipt {
        Receipt {
            id: self.id,
            record: self.record,
            reader: self.reader,
            grant: self.grant,
            outcome: self.outcome,
        }
    }
}

/// A record that was opened for a reader.
#[derive(Debug)]
pub struct ReadRecord {
    /// The receipt that cleared it.
    pub receipt: Receipt,
    /// What it is.
    pub manifest: Manifest,
}

impl Party {
    /// Opens a record under a held grant. Refused because it was erased or the grant revoked, it purges what is kept of it
    /// in the same act.
    ///
    /// # Errors
    /// [`JourneyError::TakenBack`] before anything is signed if its author took it back; that there is no consent or no key;
    /// whoever refuses or does not answer.
    pub async fn read(&self, record: RecordId) -> Result<ReadRecord, JourneyError> {
        self.read_on(record, None).await
    }

    /// The same on one consent alone, where one is named: what a record is read for stands on the chain.
    ///
    /// # Errors
    /// As [`Party::read`].
    pub async fn read_on(
        &self,
        record: RecordId,
        on: Option<GrantId>,
    ) -> Result<ReadRecord, JourneyError> {
        if self.erasure(record)?.is_none() {
            // Without a consent it is not asked for, and what is missing is told first.
            if let Err(error) = self.key_now(record, on).await {
                return Err(self.unless_erased(record, error).await);
            }
            match self.must_not_be_taken_back(record).await {
                // No word opens it any more.
                Err(JourneyError::TakenBack { .. }) if self.is_erased_by_now(record).await? => {
                    return Err(self.erased_error(record)?);
                }
                said => said?,
            }
        }
        Box::pin(self.read_retracted(record, on)).await
    }

    /// The same for what its author may have taken back, for whoever must see what was wrong.
    ///
    /// # Errors
    /// As [`Party::read`], but for [`JourneyError::TakenBack`].
    pub async fn read_retracted(
        &self,
        record: RecordId,
        on: Option<GrantId>,
    ) -> Result<ReadRecord, JourneyError> {
        if self.erasure(record)?.is_some() {
            return Err(self.erased_error(record)?);
        }
        // A receipt that is kept asks for shares without another signature of a call.
        self.check_chain().await?;
        let mut found = match self.key_now(record, on).await {
            Ok(found) => found,
            Err(error) => return Err(self.unless_erased(record, error).await),
        };
        let mut tried = BTreeSet::new();
        let purpose = found.0.artefact.purpose;
        loop {
            let (held, key) = found;
            let error = match self.read_under(&held, &key).await {
                Ok(read) => return Ok(read),
                Err(error) => self.after_refusal(record, &held, error).await?,
            };
            tried.extend(held.id());
            // One that turns out to have ended is marked as that: another one may open the record. Not one for something else: what
            // it is read for stands on the chain.
            match self.held_key(record, on) {
                Ok((held, key))
                    if held.artefact.purpose == purpose
                        && held.id().is_some_and(|id| !tried.contains(&id)) =>
                {
                    found = (held, key);
                }
                _ => return Err(error),
            }
        }
    }

    /// The consents that open a record here and have not ended, the one that lasts longest first.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn consents_that_open(&self, record: RecordId) -> Result<Vec<Artefact>, JourneyError> {
        let openers = self.openers(record)?.into_iter();
        let mut all: Vec<Artefact> = openers.map(|(held, _)| held.artefact).collect();
        all.sort_by_key(|artefact| core::cmp::Reverse(artefact.erase_by));
        Ok(all)
    }

    async fn read_under(
        &self,
        held: &HeldGrant,
        key: &SharedKey,
    ) -> Result<ReadRecord, JourneyError> {
        let own = self.own_address(held.own)?;
        let opened = match self.open_read(&own, held, key).await {
            Ok(receipt) => self.read_with(&own, held, key, receipt).await,
            Err(error) => Err(error),
        };
        if opened.is_err()
            && let Some(grant) = &held.artefact.grant
        {
            // If the vault fails, that is the first error, too; the next sync drops it.
            let _ = self.drop_unsent_read(key.anchor.record_id(), grant.id);
        }
        opened
    }

    /// A consent that ended is not the reason any more once the owner erased the record: no new one opens it.
    async fn unless_erased(&self, record: RecordId, error: JourneyError) -> JourneyError {
        if !matches!(error, JourneyError::Refused(_)) {
            return error;
        }
        match self.known_facts(record).await {
            Ok(Some(facts)) if facts.erased => self.erased_error(record).unwrap_or(error),
            _ => error,
        }
    }

    /// What is known of a refusal: if the chain says that it is for good, nothing of the record stays here, whenever the next
    /// sync is. The chain alone is asked, for a relay or a keeper can lie.
    async fn after_refusal(
        &self,
        record: RecordId,
        held: &HeldGrant,
        error: JourneyError,
    ) -> Result<JourneyError, JourneyError> {
        let facts = self.ports.facts.as_ref();
        let (Ok(of_record), Some(grant)) = (facts.record(record).await, &held.artefact.grant)
        else {
            return Ok(error);
        };
        if of_record.is_some_and(|record| record.erased) && self.is_erased_by_now(record).await? {
            return self.erased_error(record);
        }
        if facts.grant(grant).await.is_ok_and(|grant| grant.revoked) {
            let fits = |id: GrantId, _: &HeldGrant| id == grant.id;
            let mut report = SyncReport::default();
            self.end_grants_where(EndOfGrant::Revoked, fits, &mut report)
                .await?;
            self.keep_ends(&report)?;
            return Ok(refused_by(Reason::Revoked, error));
        }
        match facts.head().await {
            Ok(head) if grant.terms.until <= head.time => Ok(refused_by(Reason::Expired, error)),
            Ok(head) => {
                let standing = facts.standing(self.account().id(), head.time).await;
                Ok(match standing {
                    Ok(standing) if standing.suspended => refused_by(Reason::Suspended, error),
                    Ok(standing) if !standing.accredited && held.artefact.binding.is_some() => {
                        refused_by(Reason::NotAccredited, error)
                    }
                    _ => error,
                })
            }
            _ => Ok(error),
        }
    }

    /// A record that was read before and is not purged yet, from the own copy: no new receipt.
    pub fn read_before(&self, record: RecordId) -> Result<Option<ReadRecord>, JourneyError> {
        let copy: Option<KeptCopy> = self.row(table::READS, record.as_bytes())?;
        Ok(copy.map(|copy| ReadRecord {
            receipt: copy.receipt.receipt(),
            manifest: copy.manifest,
        }))
    }

    /// The copy that is kept of an earlier read, after the chain was asked whether it may be: what was erased or taken back goes in
    /// the same act, whenever the next sync is. Nothing is signed, so nobody sees it.
    ///
    /// # Errors
    /// That the record was erased or the consent has ended, by the own clock, too; that the authority has suspended this account; that
    /// no copy of it is kept in this home; or that the chain does not answer: then nobody knows whether it may still be shown.
    pub async fn kept_copy_now(&self, record: RecordId) -> Result<ReadRecord, JourneyError> {
        if let Err(error) = self.kept_copy(record) {
            return Err(self.unless_erased(record, error).await);
        }
        let on = self.kept_copy(record)?.receipt.grant;
        // It is of the consent that it was read on, whatever else opens the record.
        let (held, _) = self.held_key(record, Some(on))?;
        if held.artefact.erase_by <= self.ports.clock.now() {
            return Err(JourneyError::Refused(Reason::Expired));
        }
        self.check_chain().await?;
        if self.is_erased_by_now(record).await? {
            return Err(self.erased_error(record)?);
        }
        if let Some(grant) = &held.artefact.grant
            && self.ports.facts.grant(grant).await?.revoked
        {
            let fits = |id: GrantId, _: &HeldGrant| id == on;
            let mut report = SyncReport::default();
            self.end_grants_where(EndOfGrant::Revoked, fits, &mut report)
                .await?;
            self.keep_ends(&report)?;
        }
        let copy = self.kept_copy(record)?;
        // It stays: what its account was given stands when it is reinstated.
        match self.is_suspended(self.account().id()).await? {
            true => Err(JourneyError::Refused(Reason::Suspended)),
            false => Ok(copy),
        }
    }

    /// The copy that is kept of an earlier read; nothing is signed, so nobody sees it.
    ///
    /// # Errors
    /// That the record was erased or the consent has ended, or that no copy of it is kept in this home.
    fn kept_copy(&self, record: RecordId) -> Result<ReadRecord, JourneyError> {
        if let Some(copy) = self.read_before(record)? {
            return Ok(copy);
        }
        if self.erasure(record)?.is_some() {
            return Err(self.erased_error(record)?);
        }
        match self.held_key(record, None) {
            Err(refused @ JourneyError::Refused(_)) => Err(refused),
            _ => Err(JourneyError::Unknown {
                what: format!("a kept copy of record {record}"),
                hint: "this home did not read it, or its copy was purged. Nothing was read now; `medibloc read` without \
                       `--kept` reads it, which leaves a receipt that its owner sees",
            }),
        }
    }

    /// The same with an older receipt, as a client would that skips the local checks.
    pub async fn read_with_receipt(
        &self,
        record: RecordId,
        receipt: Receipt,
    ) -> Result<ReadRecord, JourneyError> {
        let (held, key) = self.held_key(record, None)?;
        let own = self.own_address(held.own)?;
        self.read_with(&own, &held, &key, receipt).await
    }

    /// The same, with a look for a key that there was no room for.
    async fn key_now(
        &self,
        record: RecordId,
        on: Option<GrantId>,
    ) -> Result<(HeldGrant, SharedKey), JourneyError> {
        match self.held_key(record, on) {
            Err(JourneyError::Unknown { .. }) if self.fetch_key(record).await? => {
                self.held_key(record, on)
            }
            Err(JourneyError::Unknown { .. }) => Err(self.why_no_key(record).await?),
            found => found,
        }
    }

    /// The grant that lasts longest, of those that open a record, or the one that is named.
    fn held_key(
        &self,
        record: RecordId,
        on: Option<GrantId>,
    ) -> Result<(HeldGrant, SharedKey), JourneyError> {
        let openers = self.openers(record)?.into_iter();
        let openers = openers.filter(|(held, _)| on.is_none() || held.id() == on);
        if let Some(found) = openers.max_by_key(|(held, _)| held.artefact.erase_by) {
            return Ok(found);
        }
        let all = self.held()?;
        let named = |held: &&HeldGrant| {
            held.artefact.records.contains(&record) && (on.is_none() || held.id() == on)
        };
        if let Some(end) = all.iter().filter(named).find_map(|held| held.ended) {
            return Err(JourneyError::Refused(match end {
                EndOfGrant::Revoked => Reason::Revoked,
                EndOfGrant::Expired => Reason::Expired,
            }));
        }
        Err(JourneyError::Unknown {
            what: format!("a grant for record {record}"),
            hint: no_key::ASK,
        })
    }

    /// Row 12: the receipt is final before any keeper is asked. One that a crash kept from being used is used while
    /// keepers take it; a new one is only asked for after.
    async fn open_read(
        &self,
        own: &OwnAddress,
        held: &HeldGrant,
        key: &SharedKey,
    ) -> Result<Receipt, JourneyError> {
        let grant = held
            .artefact
            .grant
            .clone()
            .ok_or_else(|| JourneyError::Unknown {
                what: "the grant's fields".into(),
                hint: "run `medibloc sync`",
            })?;
        let (record, nonce) = (key.anchor.record_id(), Nonce::new(self.ports.random()));
        let begun = errand_key("read", &[record.as_bytes(), grant.id.as_bytes()]);
        if let Some(errand) = self.errand(&begun)? {
            self.go_on(errand).await?;
        }
        if let Some(kept) = self.row::<KeptReceipt>(table::RECEIPTS, record.as_bytes())?
            && kept.grant == grant.id
            && self.chain_now().await?.since(kept.at) < RECEIPT_LIFE
            && self.is_of_use(held, &kept).await?
        {
            return Ok(kept.receipt());
        }
        let call = Call::OpenRead {
            record,
            purpose_tag: held.artefact.purpose.tag(held.artefact.purpose_salt),
            nonce,
            anchor: key.anchor,
            grant: grant.clone(),
            proof: key.proof.clone(),
        };
        let what = format!("receipt for record {record}");
        let outcome = self
            .begin(begun, what, own.id(), call, Luggage::default())
            .await?;
        Ok(Receipt {
            id: ReceiptId::derive(record, own.id(), grant.id, nonce),
            record,
            reader: own.id(),
            grant: grant.id,
            outcome,
        })
    }

    /// Whether keepers may still take a receipt: not one of a time at which the account might not read, once it may again.
    async fn is_of_use(&self, held: &HeldGrant, kept: &KeptReceipt) -> Result<bool, JourneyError> {
        if held.artefact.binding.is_none() {
            return Ok(true);
        }
        let (account, facts) = (self.account().id(), &self.ports.facts);
        let stood = facts.standing(account, kept.at).await?.is_good();
        let now = self.right_head().await?.time;
        Ok(stood || !facts.standing(account, now).await?.is_good())
    }

    async fn read_with(
        &self,
        own: &OwnAddress,
        held: &HeldGrant,
        key: &SharedKey,
        receipt: Receipt,
    ) -> Result<ReadRecord, JourneyError> {
        let store = self.store_of(own);
        let objects = ReaderObjects {
            package: Package::parse(
                &self
                    .object(store.as_ref(), key.anchor.package, "package")
                    .await?,
            )?,
            key_set: KeySet::parse(
                &self
                    .object(store.as_ref(), key.anchor.key_set, "key set")
                    .await?,
            )?,
            attestation: SignedAttestation::parse(
                &self
                    .object(store.as_ref(), key.anchor.attestation, "attestation")
                    .await?,
            )?,
        };
        let objects = match objects.package.manifest_cid {
            Some(cid) => {
                self.fetch_manifest(store.as_ref(), &cid).await?;
                let package = self.with_vault(|source| with_manifest(objects.package, source))?;
                ReaderObjects { package, ..objects }
            }
            None => objects,
        };
        let committee = self.committee_of(&objects.key_set).await?;
        let keeper_half = combine(
            objects.key_set.committee.threshold,
            &self
                .shares(own, held, key, &objects.key_set, &committee, &receipt)
                .await?,
        )?;
        let owner_half = OwnerHalf::new(*key.owner_half);
        let master = MasterKey::from_halves(key.anchor.record_id(), &owner_half, &keeper_half);
        let block = self.block_of(&key.anchor).await?;
        let signer = self
            .author_at(&key.anchor, &objects.attestation, block)
            .await?;
        let expected = Expectations {
            record: key.anchor.record_id(),
            author: key.anchor.author,
            author_address: signer,
            owner: key.anchor.owner,
            kind: key.anchor.kind,
            class: key.anchor.class,
            amends: key.anchor.amends,
        };
        let view = ReaderView {
            package: &objects.package,
            package_digest: key.anchor.package,
            key_set: &objects.key_set,
            attestation: &objects.attestation,
            owner_half: &owner_half,
        };
        let manifest = check_for_reader(&view, &master, &expected, &self.ports.domain)?;
        for part in &manifest.parts {
            self.fetch_part(store.as_ref(), part).await?;
        }
        let record = key.anchor.record_id();
        let copy = KeptCopy {
            receipt: KeptReceipt::of(&receipt, self.ports.clock.now()),
            manifest: manifest.clone(),
        };
        self.ports.vault.apply(vec![
            change(table::READS, record.as_bytes(), &copy),
            Change::Delete {
                table: table::RECEIPTS,
                key: record.as_bytes().to_vec(),
            },
            Change::Delete {
                table: table::NOT_OPENED,
                key: receipt.id.as_bytes().to_vec(),
            },
        ])?;
        Ok(ReadRecord { receipt, manifest })
    }

    /// Row 13: each keeper gets its own one-time key; six are asked at once, another for each that fails, and t good
    /// shares end it.
    async fn shares(
        &self,
        own: &OwnAddress,
        held: &HeldGrant,
        key: &SharedKey,
        set: &KeySet,
        committee: &CommitteeFacts,
        receipt: &Receipt,
    ) -> Result<Vec<(u8, Share)>, JourneyError> {
        let needed = set.committee.threshold.t();
        let at_once = usize::from(needed) + SPARE;
        let (mut shares, mut reasons) = (Vec::new(), Vec::new());
        let mut others = self.in_any_order(&committee.keepers).into_iter();
        let mut open: Vec<Asked<'_, _>> = others
            .by_ref()
            .take(at_once)
            .map(|keeper| self.ask_keeper(own, held, key, receipt, keeper))
            .collect();
        while let Some((keeper, asked, answer)) = first(&mut open).await {
            let answer = answer.map_err(|error| error.to_string());
            match answer.and_then(|reply| self.good_share(keeper, &asked, &reply, key, set)) {
                Ok(share) => shares.push((keeper.index, share)),
                Err(why) => {
                    reasons.push((keeper.index, why));
                    let next = others.next();
                    open.extend(
                        next.map(|keeper| self.ask_keeper(own, held, key, receipt, keeper)),
                    );
                }
            }
            if shares.len() == usize::from(needed) {
                return Ok(shares);
            }
        }
        reasons.sort();
        let why: Vec<String> = reasons
            .into_iter()
            .map(|(index, why)| format!("keeper {index}: {why}"))
            .collect();
        Err(JourneyError::TooFewKeepers {
            record: key.anchor.record_id(),
            good: shares.len(),
            needed,
            why: why.join("; "),
        })
    }

    /// Keepers from a random one on, so that none is asked more than the others.
    fn in_any_order<'a>(&self, keepers: &'a [KeeperFacts]) -> Vec<&'a KeeperFacts> {
        let start = usize::from(self.ports.random()[0]);
        let count = keepers.len();
        (0..count)
            .filter_map(|at| keepers.get((start + at) % count))
            .collect()
    }

    fn ask_keeper<'a>(
        &self,
        own: &OwnAddress,
        held: &HeldGrant,
        key: &SharedKey,
        receipt: &Receipt,
        keeper: &'a KeeperFacts,
    ) -> Asked<'a, (&'a KeeperFacts, AskedShare, Result<SignedReply, PortError>)> {
        let one_time = {
            let mut entropy = self
                .ports
                .entropy
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            OneTimeKey::generate(&mut *entropy)
        };
        let request = KeeperRequest {
            version: 1,
            keeper: keeper.signer,
            record: key.anchor.record_id(),
            grant: receipt.grant,
            receipt: receipt.id,
            one_time_key: one_time.public(),
            binding: held.artefact.binding.clone().map(|it| self.signed_now(it)),
            expiry: self.ports.clock.now().plus(REQUEST_LIFE),
        };
        let signer = self.signer(own);
        let signature = signer.sign_digest(&request.digest(&self.ports.domain));
        let signed = SignedRequest { request, signature };
        let keepers = self.ports.network.keepers(&signer);
        Box::pin(async move {
            let answer = keepers.release(keeper.index, &signed).await;
            (keeper, AskedShare { signed, one_time }, answer)
        })
    }
}

/// Too few shares for a reason that the chain confirms are no question of who answers: asking again helps nobody.
fn refused_by(reason: Reason, error: JourneyError) -> JourneyError {
    match error {
        JourneyError::TooFewKeepers { .. } => JourneyError::Refused(reason),
        error => error,
    }
}

/// What a keeper was asked, with the key that opens its answer.
struct AskedShare {
    signed: SignedRequest,
    one_time: OneTimeKey,
}

impl Party {
    /// The share in a keeper's reply, if reply and share are good.
    fn good_share(
        &self,
        keeper: &KeeperFacts,
        asked: &AskedShare,
        reply: &SignedReply,
        key: &SharedKey,
        set: &KeySet,
    ) -> Result<Share, String> {
        let AskedShare { signed, one_time } = asked;
        let domain = &self.ports.domain;
        let digest_asked = signed.request.digest(domain);
        let digest = SignedReply::digest_of(reply.request, &reply.reply.to_bytes(), domain);
        let signer = recover(&digest, &reply.signature).map_err(|error| error.to_string())?;
        if reply.request != digest_asked || signer != keeper.signer {
            return Err("its reply is not signed by it, or answers another request".into());
        }
        let release = match &reply.reply {
            KeeperReply::Released(release) => release,
            KeeperReply::Refused(reason) => return Err(reason.to_string()),
        };
        let info = info::release(
            domain,
            key.anchor.record_id(),
            key.anchor.author,
            key.anchor.owner,
            set.committee.id,
            keeper.index,
            signed.request.receipt,
        );
        let plain = one_time
            .open(&info, &release.wrapped)
            .map_err(|error| error.to_string())?;
        let share = Share::from_slice(&plain).ok_or("a share of another length")?;
        let commitments: Vec<[u8; 32]> = set.commitments.iter().map(|bytes| **bytes).collect();
        check_share(&commitments, keeper.index, &share).map_err(|error| error.to_string())?;
        Ok(share)
    }

    /// Whom a record that was read names.
    pub fn named_in(&self, read: &ReadRecord) -> Named {
        self.whom_names(&read.manifest)
    }

    /// Writes the plaintext of a part of a record that was read.
    pub fn open_read_part(
        &self,
        read: &ReadRecord,
        role: PartRole,
        writer: &mut dyn std::io::Write,
    ) -> Result<(), JourneyError> {
        let part = read
            .manifest
            .part(role)
            .ok_or_else(|| JourneyError::Unknown {
                what: format!("a part {role:?}"),
                hint: "the record has no such part",
            })?;
        self.with_vault(|source| medibloc_seal::open_part(part, source, writer))
    }
}
