//! Proof files (design 02, design 11 row 15): one read as JSON that others can check: which reader was cleared to get
//! the key of which record, when, on what grant and for what, and who that reader is. Offline it proves all but that
//! the block is the chain's: for that it carries the ledger's receipt proof if there is one, and names the block to
//! compare.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_consent::{Binding, Purpose, Scope};
use medibloc_keys::recover;
use medibloc_ledger::{Event, ReceiptProof};
use medibloc_record::{AccountId, Digest, GrantId, ReceiptId, TypedDomain};
use serde::{Deserialize, Serialize};

use crate::bounds;
use crate::grant::Artefact;
use crate::{JourneyError, Party};
use medibloc_record::on_one_line;

mod check;
mod stood;

pub use check::{ProofReport, ProvenEvent, confirm_proof, verify_proof, verify_proof_with};

/// What the file says that it is.
const KIND: &str = "medibloc-read-proof";

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

impl ProofFile {
    /// The file's text.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("its maps have string keys")
    }

    /// Whether it has what binds the reader's words and name: what it lacks of that no chain can tell, either.
    pub const fn is_whole(&self) -> bool {
        self.purpose.reason_salt.is_some()
            && (self.reader.account.is_none() || self.reader.credential.is_some())
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
            let what = match (file.kind == KIND, file.version) {
                (true, 1..=3) => {
                    "it has fields that this version of it has not: it was changed or damaged, get it anew from who made it"
                }
                (true, _) => "this program reads versions 1 to 3 of it, use a newer one",
                (false, _) => {
                    "that is no proof of a read, which is all that this program checks; choose the file again"
                }
            };
            return Err(bad(format!(
                "it is a «{}» of version {}; {what}",
                on_one_line(&file.kind),
                file.version
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

    /// What this party read itself, as proof files: those whose consent is still here, or was noted,
    /// which keeps what opens its tags.
    ///
    /// # Errors
    /// If the chain does not answer, or the vault fails.
    pub async fn own_read_proofs(&self) -> Result<Vec<ProofFile>, JourneyError> {
        let held = self.held()?.into_iter().filter_map(|held| {
            let id = held.artefact.grant.as_ref()?.id;
            Some((id, held.artefact))
        });
        let mut terms = self.noted_held()?;
        terms.extend(held);
        let own: BTreeSet<AccountId> = self.reading_addresses()?;
        let mine = |_: AccountId, reader: AccountId| own.contains(&reader);
        let mut files = self.files_where(&terms, mine).await?;
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
        let (facts, events) = (ports.facts.as_ref(), ports.events.as_ref());
        confirm_proof(file, facts, events, &ports.domain, &ports.authority).await
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
        // What was agreed to before reasons were bound is told in the form that binds none.
        version: if artefact.reason_salt.is_some() { 3 } else { 2 },
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
                Scope::Listed(first) => format!("listed:{}", Digest::new(first.0)),
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
