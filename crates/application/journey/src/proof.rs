//! Proof files (design 02, design 11 row 15): one read as JSON that others can check: which reader was cleared to get
//! the key of which record, when, on what grant and for what, and who that reader is. Offline it proves all but that
//! the block is the chain's: for that it carries the ledger's receipt proof if there is one, and names the block to
//! compare.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_consent::{Binding, BindingTag, ClassSet, Grant, Purpose, PurposeTag, Scope, Terms};
use medibloc_keys::recover;
use medibloc_ledger::{Event, Events, ReceiptProof};
use medibloc_record::{
    AccountId, Address, Digest, GrantId, Nonce, ReceiptId, RecordId, Signature, Timestamp,
    TypedDomain,
};
use serde::{Deserialize, Serialize};

use crate::authorities::Authorities;
use crate::bounds;
use crate::grant::{Artefact, reason};
use crate::moment::Moment;
use crate::verify::{VerifyReport, each_block};
use crate::{Credential, JourneyError, Party};

/// What the file says that it is.
const KIND: &str = "medibloc-read-proof";

/// The line of what only the chain can tell of a consent; gone when it was asked.
const TERMS: &str = "terms";

/// One read, to be kept, shown and checked by others. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// 3; files of version 2, which bind no reason, and of version 1, which know of no rotation either, still open.
    pub version: u8,
    /// `medibloc-read-proof`.
    pub kind: String,
    /// On which chain.
    pub chain: ProvedChain,
    /// The receipt, as it stands on chain.
    pub receipt: ProvedReceipt,
    /// The grant that it was given on, as it stands on chain.
    pub grant: ProvedGrant,
    /// What for, with what opens the grant's tag.
    pub purpose: ProvedPurpose,
    /// Who the reader is.
    pub reader: ProvedReader,
    /// That the receipt stands in its block, from the block's header down; none if the ledger proves nothing.
    pub ledger: Option<ReceiptProof>,
}

/// A deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedChain {
    /// The chain's id.
    pub id: u64,
    /// Its `Records` contract.
    pub records: String,
}

/// A receipt with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedReceipt {
    /// keccak256(record, reader, grant, nonce).
    pub id: String,
    /// The record.
    pub record: String,
    /// Its owner's address.
    pub owner: String,
    /// The reader's pseudonym.
    pub reader: String,
    /// The grant.
    pub grant: String,
    /// Makes the id random.
    pub nonce: String,
    /// The block.
    pub block: u64,
    /// Its hash, to compare.
    pub block_hash: String,
    /// Its time.
    pub time: u64,
}

/// A grant's fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedGrant {
    /// Makes the id random.
    pub nonce: String,
    /// `one`, `all`, or `classes:` and the bitmap.
    pub scope: String,
    /// The purpose, salted.
    pub purpose_tag: String,
    /// First second.
    pub from: u64,
    /// First second after.
    pub until: u64,
    /// How often; none for as often as wanted.
    pub reads: Option<u32>,
    /// To whom, salted.
    pub binding: String,
    /// Digest of the grant object.
    pub digest: String,
}

/// A purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedPurpose {
    /// Its code.
    pub code: String,
    /// The same, as the artefact spells it.
    pub purpose: Purpose,
    /// Opens the tag.
    pub salt: String,
    /// The reader's words.
    pub reason: String,
    /// With the words it gives the salt above; none if the consent was made before reasons were bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_salt: Option<String>,
}

/// A reader.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedReader {
    /// Name, as the owner read it when it confirmed the contact.
    pub name: String,
    /// The account behind the pseudonym; none for a private reader.
    pub account: Option<String>,
    /// Opens the binding: its salt.
    pub salt: Option<String>,
    /// The account's signature over the binding, base64url.
    pub signature: Option<String>,
    /// The authority's credential (JWT), if the owner still has it.
    pub credential: Option<String>,
    /// How the account came from its first key to the one that signed the binding; empty if it is the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rotations: Vec<ProvedRotation>,
}

/// An account that was handed to another key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvedRotation {
    /// The key before, as its address.
    pub from: String,
    /// The key after.
    pub to: String,
    /// The block.
    pub block: u64,
    /// Its hash, to compare.
    pub block_hash: String,
    /// That it stands in its block; none if the ledger proves nothing.
    pub ledger: Option<ReceiptProof>,
}

/// What a ledger's proof shows, if the block with this hash is the chain's: the adapter that made it checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenEvent {
    /// The block.
    pub block: u64,
    /// Its hash.
    pub block_hash: [u8; 32],
    /// Its time.
    pub time: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What came of checking a proof file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofReport {
    /// What was checked.
    pub checks: VerifyReport,
    /// The chain itself was asked, and says the same.
    pub chain_agrees: bool,
    /// The block and hash to compare with the chain, if it was not asked.
    pub compare: Option<(u64, String)>,
}

impl ProofReport {
    /// Whether everything that was checked holds.
    pub fn holds(&self) -> bool {
        self.checks.holds()
    }
}

impl ProofFile {
    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("its maps have string keys")
    }

    /// The proof file in a text.
    ///
    /// # Errors
    /// If the text is cut, foreign or of a later version.
    pub fn parse(text: &str) -> Result<Self, JourneyError> {
        let bad = |why: String| JourneyError::Untrusted {
            what: "proof file",
            why,
        };
        if text.len() > bounds::MOST_PROOF {
            return Err(bad("it has more than 4 MiB, which no proof file has".into()));
        }
        let file: Self = serde_json::from_str(text).map_err(|error| {
            bad(format!(
                "line {} column {} is not what a proof file has there ({error}); export it again",
                error.line(),
                error.column()
            ))
        })?;
        if file.reader.rotations.len() > bounds::MOST_ROTATIONS {
            return Err(bad("it tells of more than 256 rotations".into()));
        }
        let known = match file.version {
            1 => file.purpose.reason_salt.is_none() && file.reader.rotations.is_empty(),
            2 => file.purpose.reason_salt.is_none(),
            version => version == 3,
        };
        if file.kind != KIND || !known {
            return Err(bad(format!(
                "it is a «{}» of version {}; this program reads versions 1 to 3 of «{KIND}», use a newer one",
                file.kind, file.version
            )));
        }
        Ok(file)
    }
}

impl Party {
    /// Every read of the own records as proof files, in chain order, each with the ledger's proof if it can be had.
    pub async fn audit_proofs(&self) -> Result<Vec<ProofFile>, JourneyError> {
        let mut files = self.audit_files().await?;
        self.prove(&mut files).await;
        Ok(files)
    }

    async fn ledger_proof(&self, file: &ProofFile) -> Result<Option<ReceiptProof>, JourneyError> {
        let receipt: Result<ReceiptId, _> = file.receipt.id.parse();
        match receipt {
            Ok(id) => Ok(self.ports.events.proof(file.receipt.block, id).await?),
            Err(_) => Ok(None),
        }
    }

    async fn prove_rotations(&self, file: &mut ProofFile) -> Result<(), JourneyError> {
        let account = file.reader.account.as_ref();
        let Some(account) = account.and_then(|account| account.parse().ok()) else {
            return Ok(());
        };
        for rotation in &mut file.reader.rotations {
            if let Some(event) = rotation.event(account) {
                rotation.ledger = self.ports.events.proof_of(rotation.block, &event).await?;
            }
        }
        Ok(())
    }

    /// What this party read itself, as proof files: those whose consent is still here, which keeps what opens its tags.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn own_read_proofs(&self) -> Result<Vec<ProofFile>, JourneyError> {
        let held = self.held()?.into_iter().filter_map(|held| {
            let id = held.artefact.grant.as_ref()?.id;
            Some((id, held.artefact))
        });
        let own: BTreeSet<AccountId> = self.reading_addresses()?;
        let mine = |_: AccountId, reader: AccountId| own.contains(&reader);
        let mut files = self.files_where(&held.collect(), mine).await?;
        self.prove(&mut files).await;
        Ok(files)
    }

    /// Each with the ledger's proof if it can be had.
    async fn prove(&self, files: &mut [ProofFile]) {
        for file in files {
            file.ledger = self.ledger_proof(file).await.ok().flatten();
            // What cannot be had now can be compared with the chain.
            let _without = self.prove_rotations(file).await;
        }
    }

    async fn audit_files(&self) -> Result<Vec<ProofFile>, JourneyError> {
        let own: BTreeSet<AccountId> = self.addresses()?.iter().map(|own| own.id()).collect();
        let given = self.grants()?.into_iter();
        let given = given.map(|(id, given)| (id, given.artefact)).collect();
        let mine = |owner: AccountId, _: AccountId| own.contains(&owner);
        self.files_where(&given, mine).await
    }

    /// Reads of which a consent is here and which this party has to do with, by owner and reader.
    async fn files_where(
        &self,
        consents: &BTreeMap<GrantId, Artefact>,
        is_mine: impl Fn(AccountId, AccountId) -> bool,
    ) -> Result<Vec<ProofFile>, JourneyError> {
        let mut files = Vec::new();
        let mut rotated: BTreeMap<AccountId, Vec<ProvedRotation>> = BTreeMap::new();
        self.each_block(|block| {
            for event in &block.events {
                if let Event::AddressRotated { account, from, to } = event {
                    rotated.entry(*account).or_default().push(ProvedRotation {
                        from: from.to_string(),
                        to: to.to_string(),
                        block: block.number,
                        block_hash: Digest::new(block.hash).to_string(),
                        ledger: None,
                    });
                }
                let Event::ReadOpened {
                    receipt,
                    record,
                    owner,
                    reader,
                    grant,
                    nonce,
                } = event
                else {
                    continue;
                };
                let Some(basis) = consents.get(grant).filter(|_| is_mine(*owner, *reader)) else {
                    continue;
                };
                let proved = ProvedReceipt {
                    id: receipt.to_string(),
                    record: record.to_string(),
                    owner: owner.to_string(),
                    reader: reader.to_string(),
                    grant: grant.to_string(),
                    nonce: Digest::new(nonce.to_bytes()).to_string(),
                    block: block.number,
                    block_hash: Digest::new(block.hash).to_string(),
                    time: block.time.0,
                };
                files.extend(file_of(&self.ports.domain, proved, basis, &rotated));
            }
        })
        .await?;
        Ok(files)
    }

    /// The proof file of one receipt of the own records.
    pub async fn prove_read(&self, receipt: ReceiptId) -> Result<ProofFile, JourneyError> {
        let id = receipt.to_string();
        let mut files = self.audit_files().await?.into_iter();
        let mut file =
            files
                .find(|file| file.receipt.id == id)
                .ok_or_else(|| JourneyError::Unknown {
                    what: format!("a read with receipt {receipt} of an own record"),
                    hint: "`medibloc audit` lists the reads",
                })?;
        file.ledger = self.ledger_proof(&file).await?;
        self.prove_rotations(&mut file).await?;
        Ok(file)
    }

    /// Checks a proof file, and asks the chain whether it says the same.
    pub async fn confirm_proof(&self, file: &ProofFile) -> Result<ProofReport, JourneyError> {
        let ports = &self.ports;
        confirm_proof(file, ports.events.as_ref(), &ports.domain, &ports.authority).await
    }
}

fn file_of(
    domain: &TypedDomain,
    receipt: ProvedReceipt,
    artefact: &Artefact,
    rotated: &BTreeMap<AccountId, Vec<ProvedRotation>>,
) -> Option<ProofFile> {
    let terms = &artefact.grant.as_ref()?.terms;
    let binding = artefact.binding.as_ref();
    Some(ProofFile {
        version: 3,
        kind: KIND.into(),
        chain: ProvedChain {
            id: domain.chain_id,
            records: domain.records.to_string(),
        },
        receipt,
        grant: ProvedGrant {
            nonce: Digest::new(artefact.grant.as_ref()?.nonce.to_bytes()).to_string(),
            scope: match terms.scope {
                Scope::One(_) => "one".into(),
                Scope::All => "all".into(),
                Scope::Classes(classes) => format!("classes:{}", classes.bits()),
            },
            purpose_tag: Digest::new(terms.purpose_tag.0).to_string(),
            from: terms.from.0,
            until: terms.until.0,
            reads: terms.reads,
            binding: Digest::new(terms.binding.0).to_string(),
            digest: terms.digest.to_string(),
        },
        purpose: ProvedPurpose {
            code: artefact.purpose.code().into(),
            purpose: artefact.purpose,
            salt: Digest::new(artefact.purpose_salt).to_string(),
            reason: artefact.reason.clone(),
            reason_salt: artefact
                .reason_salt
                .map(|salt| Digest::new(*salt).to_string()),
        },
        reader: ProvedReader {
            name: artefact.name.clone(),
            account: binding.map(|binding| binding.account.to_string()),
            salt: binding.map(|binding| Digest::new(binding.salt).to_string()),
            signature: binding.map(|binding| URL_SAFE_NO_PAD.encode(binding.signature.as_bytes())),
            credential: artefact.credential.clone(),
            rotations: binding.map_or_else(Vec::new, |binding| way_to(binding, domain, rotated)),
        },
        ledger: None,
    })
}

/// The rotations that lead to the key that signed a binding; none if it is the first.
fn way_to(
    binding: &Binding,
    domain: &TypedDomain,
    rotated: &BTreeMap<AccountId, Vec<ProvedRotation>>,
) -> Vec<ProvedRotation> {
    let Ok(signer) = recover(&binding.digest(domain), &binding.signature) else {
        return Vec::new();
    };
    let all = rotated.get(&binding.account).map_or(&[][..], Vec::as_slice);
    let end = all
        .iter()
        .position(|rotation| rotation.to == signer.to_string());
    end.and_then(|end| all.get(..=end))
        .map_or_else(Vec::new, <[ProvedRotation]>::to_vec)
}

impl ProvedRotation {
    /// The event that it speaks of.
    fn event(&self, account: AccountId) -> Option<Event> {
        Some(Event::AddressRotated {
            account,
            from: self.from.parse().ok()?,
            to: self.to.parse().ok()?,
        })
    }
}

/// The address that signs for an account at the end of a file's rotations; none if they do not lead from its first.
fn signer_of(account: AccountId, file: &ProofFile) -> Option<Address> {
    let (mut signer, mut block) = (account.first_address(), 0);
    for rotation in &file.reader.rotations {
        let from: Address = rotation.from.parse().ok()?;
        let in_order = block <= rotation.block && rotation.block <= file.receipt.block;
        if from != signer || !in_order {
            return None;
        }
        (signer, block) = (rotation.to.parse().ok()?, rotation.block);
    }
    Some(signer)
}

fn bytes(text: &str) -> Option<[u8; 32]> {
    text.parse::<Digest>().ok().map(Digest::to_bytes)
}

/// The grant that a file speaks of, with the id that the contract recomputes.
fn grant_of(file: &ProofFile) -> Option<Grant> {
    let said = &file.grant;
    let record: RecordId = file.receipt.record.parse().ok()?;
    let scope = match said.scope.as_str() {
        "one" => Scope::One(record),
        "all" => Scope::All,
        classes => {
            let bits = classes.strip_prefix("classes:")?.parse().ok()?;
            Scope::Classes(ClassSet::from_bits(bits))
        }
    };
    Some(Grant::new(
        file.receipt.owner.parse().ok()?,
        file.receipt.reader.parse().ok()?,
        Nonce::new(bytes(&said.nonce)?),
        Terms {
            scope,
            purpose_tag: PurposeTag(bytes(&said.purpose_tag)?),
            from: Timestamp(said.from),
            until: Timestamp(said.until),
            reads: said.reads,
            binding: BindingTag(bytes(&said.binding)?),
            digest: said.digest.parse().ok()?,
        },
    ))
}

/// Checks a proof file, and asks a chain whether it says the same: for whoever has neither account nor vault.
pub async fn confirm_proof(
    file: &ProofFile,
    events: &dyn Events,
    domain: &TypedDomain,
    authority: &Authorities,
) -> Result<ProofReport, JourneyError> {
    let mut report = verify_proof(file, authority);
    let same_chain =
        file.chain.id == domain.chain_id && file.chain.records == domain.records.to_string();
    if !same_chain {
        let told = format!("the file is of chain {}", file.chain.id);
        report.checks.line("same chain", false, told);
        return Ok(report);
    }
    let (mut stands, mut granted) = (false, false);
    let grant = grant_of(file);
    let account = file.reader.account.as_ref();
    let account: Option<AccountId> = account.and_then(|account| account.parse().ok());
    let mut open: Vec<&ProvedRotation> = file.reader.rotations.iter().collect();
    let credential = file.reader.credential.as_ref();
    let evidence = credential.map(|jwt| Digest::of(jwt.as_bytes()));
    let mut accredited = false;
    each_block(events, |block| {
        for event in &block.events {
            match event {
                Event::AddressRotated { .. } => open.retain(|rotation| {
                    let said = account.and_then(|account| rotation.event(account));
                    said.as_ref() != Some(event)
                        || rotation.block != block.number
                        || bytes(&rotation.block_hash) != Some(block.hash)
                }),
                Event::ReadOpened {
                    receipt, record, ..
                } => {
                    stands |= receipt.to_string() == file.receipt.id
                        && record.to_string() == file.receipt.record
                        && block.number == file.receipt.block
                        && block.time.0 == file.receipt.time
                        && Digest::new(block.hash).to_string() == file.receipt.block_hash;
                }
                // Whoever had an authority's key later can sign what begins earlier, and cannot have it named on chain.
                Event::Accredited {
                    account: of,
                    evidence: named,
                    ..
                } => accredited |= Some(*of) == account && Some(*named) == evidence,
                Event::Granted(known) => granted |= Some(known) == grant.as_ref(),
                _ => {}
            }
        }
    })
    .await?;
    let told = if stands {
        "it stands there"
    } else {
        "it does not"
    };
    report.checks.line("receipt on chain", stands, told);
    let told = if granted {
        "it stands there"
    } else {
        "it does not"
    };
    report.checks.lines.retain(|line| line.what != TERMS);
    report.checks.line("grant on chain", granted, told);
    let led = open.is_empty();
    if !file.reader.rotations.is_empty() {
        let told = if led {
            "its rotations stand there"
        } else {
            "not all of its rotations stand there"
        };
        report.checks.line("account's key on chain", led, told);
    }
    if evidence.is_some() {
        let told = if accredited {
            "the authority named it there"
        } else {
            "it names no such credential of this account"
        };
        report.checks.line("credential on chain", accredited, told);
    }
    report.chain_agrees = stands && granted && led && (accredited || evidence.is_none());
    report.compare = None;
    Ok(report)
}

/// Checks a proof file without any chain: everything in it fits together, and the authority vouches for the reader.
pub fn verify_proof(file: &ProofFile, authority: &Authorities) -> ProofReport {
    let mut report = ProofReport {
        compare: Some((file.receipt.block, file.receipt.block_hash.clone())),
        ..ProofReport::default()
    };
    let lines = &mut report.checks;
    let Some(grant) = grant_of(file) else {
        lines.line(
            "form",
            false,
            "an id, hash or scope is not in its form; export it again",
        );
        return report;
    };
    let said = &file.receipt;
    let derived = bytes(&said.nonce).zip(said.record.parse::<RecordId>().ok());
    let id = derived.map(|(nonce, record)| {
        ReceiptId::derive(record, grant.reader, grant.id, Nonce::new(nonce)).to_string()
    });
    lines.line(
        "grant id",
        grant.id.to_string() == said.grant,
        "recomputed from owner, reader and nonce",
    );
    lines.line(
        "receipt id",
        id.as_ref() == Some(&said.id),
        "recomputed from record, reader, grant and nonce",
    );
    let tag = bytes(&file.purpose.salt).map(|salt| file.purpose.purpose.tag(salt));
    lines.line(
        "purpose",
        tag == Some(grant.terms.purpose_tag) && file.purpose.code == file.purpose.purpose.code(),
        file.purpose.code.clone(),
    );
    check_reason(&file.purpose, lines);
    lines.unchecked(
        TERMS,
        "tags, scope, dates, number of reads and digest of the consent are as the file says; the chain has them, and was not asked",
    );
    let at = Timestamp(said.time);
    lines.line(
        "time",
        grant.terms.from <= at && at < grant.terms.until,
        match grant.terms.from {
            // What no consent of this program says: it begins with its block.
            Timestamp(0) => format!("{}, until {}", Moment(at), Moment(grant.terms.until)),
            from => format!(
                "{}, within {} to {}",
                Moment(at),
                Moment(from),
                Moment(grant.terms.until)
            ),
        },
    );
    check_reader(file, &grant, authority, lines);
    report
}

/// The same with the ledger's proof checked by the adapter that understands it: all that is left is to compare the
/// block's hash with the chain's.
pub fn verify_proof_with(
    file: &ProofFile,
    authority: &Authorities,
    check: impl Fn(&ReceiptProof) -> Result<ProvenEvent, String>,
) -> ProofReport {
    let mut report = verify_proof(file, authority);
    let account = file.reader.account.as_ref();
    let account: Option<AccountId> = account.and_then(|account| account.parse().ok());
    for rotation in &file.reader.rotations {
        let told = format!(
            "handed to {} in block {} with hash {}",
            rotation.to, rotation.block, rotation.block_hash
        );
        let event = account.and_then(|account| rotation.event(account));
        match rotation.ledger.as_ref().map(&check) {
            Some(Ok(proven)) => {
                let same = Some(proven.event) == event
                    && proven.block == rotation.block
                    && bytes(&rotation.block_hash) == Some(proven.block_hash);
                report.checks.line("account's key", same, told);
            }
            Some(Err(why)) => {
                report.checks.line("account's key", false, why);
            }
            None => {
                let told = format!("{told}: the file has no proof of it; ask the chain");
                report.checks.line("account's key", false, told);
            }
        }
    }
    let Some(proof) = &file.ledger else {
        let told = "the file has no proof of the ledger; compare the block, or ask the chain";
        report.checks.line("receipt in block", false, told);
        return report;
    };
    match check(proof) {
        Ok(proven) => {
            let told = format!(
                "block {} with hash {}",
                file.receipt.block, file.receipt.block_hash
            );
            let same = is_same(&file.receipt, &proven);
            report.checks.line("receipt in block", same, told);
        }
        Err(why) => {
            report.checks.line("receipt in block", false, why);
        }
    }
    report
}

fn is_same(said: &ProvedReceipt, proven: &ProvenEvent) -> bool {
    let Event::ReadOpened {
        receipt,
        record,
        owner,
        reader,
        grant,
        nonce,
    } = &proven.event
    else {
        return false;
    };
    said.id == receipt.to_string()
        && said.record == record.to_string()
        && said.owner == owner.to_string()
        && said.reader == reader.to_string()
        && said.grant == grant.to_string()
        && bytes(&said.nonce) == Some(nonce.to_bytes())
        && said.block == proven.block
        && bytes(&said.block_hash) == Some(proven.block_hash)
        && said.time == proven.time.0
}

/// The words of the request: they give the salt that opens the tag on the chain, or are told as unchecked.
fn check_reason(purpose: &ProvedPurpose, lines: &mut VerifyReport) {
    let said = format!("«{}»", purpose.reason);
    let Some(salt) = &purpose.reason_salt else {
        let told = "as the file says; nothing in it binds the words to the consent, so anybody may have written them";
        lines.unchecked("reason", format!("{said}, {told}"));
        return;
    };
    let derived = bytes(salt).map(|salt| reason::purpose_salt(salt, &purpose.reason));
    let same = derived.is_some() && derived == bytes(&purpose.salt);
    let told = if same {
        said
    } else {
        format!("{said} is not what the consent was given for")
    };
    lines.line("reason", same, told);
}

fn check_reader(
    file: &ProofFile,
    grant: &Grant,
    authority: &Authorities,
    lines: &mut VerifyReport,
) {
    let reader = &file.reader;
    let Some(account) = &reader.account else {
        let told = "a private reader: the name is the owner's word alone";
        if grant.terms.binding.is_none() {
            lines.unchecked("reader", told);
        } else {
            lines.line(
                "reader",
                false,
                "the consent names an account, and the file none",
            );
        }
        return;
    };
    let binding = binding_of(file, grant, account);
    let domain = domain_of(file);
    let bound = binding.zip(domain).is_some_and(|(binding, domain)| {
        binding.tag() == grant.terms.binding
            && recover(&binding.digest(&domain), &binding.signature)
                .is_ok_and(|signer| signer_of(binding.account, file) == Some(signer))
    });
    lines.line(
        "reader",
        bound,
        format!("the pseudonym is the account {account}'s own"),
    );
    let Some(jwt) = &reader.credential else {
        let told = "not in the file, so the name is the owner's word: ask the authority who the account is";
        lines.unchecked("credential", told);
        return;
    };
    match Credential::signed(jwt, authority) {
        Ok((credential, signer)) => {
            let same = credential.account.to_string() == *account && credential.name == reader.name;
            let at = Timestamp(file.receipt.time);
            let valid = credential.from <= at && at <= credential.until;
            let told = format!(
                "{} says: {}, {}",
                authority.name(signer),
                credential.name,
                credential.profession
            );
            lines.line("credential", same && valid, told);
        }
        Err(error) => {
            lines.line("credential", false, error.to_string());
        }
    }
}

fn binding_of(file: &ProofFile, grant: &Grant, account: &str) -> Option<Binding> {
    let signature = URL_SAFE_NO_PAD
        .decode(file.reader.signature.as_ref()?)
        .ok()?;
    let salt = bytes(file.reader.salt.as_ref()?)?;
    let unsigned = Binding::unsigned(salt, account.parse().ok()?, grant.reader);
    Some(unsigned.sign(Signature::new(signature.try_into().ok()?)))
}

fn domain_of(file: &ProofFile) -> Option<TypedDomain> {
    Some(TypedDomain {
        chain_id: file.chain.id,
        records: file.chain.records.parse().ok()?,
    })
}
