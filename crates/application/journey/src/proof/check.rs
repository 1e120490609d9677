//! Checking a proof file: offline everything in it fits together and the authority vouches for the reader; the chain has the
//! rest.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use medibloc_consent::{
    AnchorFields, Binding, BindingTag, ClassSet, Grant, ListRoot, PurposeTag, Scope, Terms,
};
use medibloc_keys::recover;
use medibloc_ledger::{Event, Events, Facts, ReceiptProof};
use medibloc_record::{
    AccountId, Address, Digest, Nonce, ReceiptId, RecordId, Signature, Timestamp, TypedDomain,
};
use serde::{Deserialize, Serialize};

use super::stood::{self, GivenAt};
use super::{ProofFile, ProvedPurpose, ProvedReceipt, ProvedRotation};
use crate::authorities::Authorities;
use crate::grant::reason;
use crate::moment::Moment;
use crate::verify::later::SaidLater;
use crate::verify::{VerifyReport, each_block};
use crate::{Credential, JourneyError, OnChain};

/// The line of whose pseudonym read.
const READER: &str = "reader";
/// The line of who vouches for the reader's name.
const CREDENTIAL: &str = "credential";
/// The line of what only the chain can tell of a consent; gone when it was asked.
const TERMS: &str = "terms";
/// What is added to a line that rests on a consent's terms while the chain was not asked for them.
const BY_FILE: &str = "by the consent's terms as the file says them";

/// Where the terms of the consent come from that a file is held against: its id has owner, reader and nonce in it, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TermsFrom {
    /// Whoever wrote the file: what fits them may be as invented as they are.
    File,
    /// The chain has this very consent.
    Chain,
}

impl TermsFrom {
    /// A line that rests on the terms: it fails where it does not fit them, and is checked if they are the chain's.
    fn line(self, lines: &mut VerifyReport, what: &str, holds: bool, found: String) {
        if holds && self == Self::File {
            lines.unchecked(what, format!("{found}, {BY_FILE}"));
        } else {
            lines.line(what, holds, found);
        }
    }
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
    /// Whether nothing that was checked fails. What could not be checked is no failure, and proves nothing:
    /// [`Self::is_complete`] says whether there is any.
    pub fn holds(&self) -> bool {
        self.checks.holds()
    }

    /// Whether everything was checked, and holds.
    pub fn is_complete(&self) -> bool {
        self.holds() && self.checks.lines.iter().all(|line| line.checked)
    }

    /// Whether the authority vouches for the reader's name: without that a name is whatever somebody wrote into the file, and
    /// is not to be shown as one.
    pub fn is_name_vouched_for(&self) -> bool {
        let mut lines = self.checks.lines.iter();
        lines.any(|line| line.what == CREDENTIAL && line.holds && line.checked)
    }

    /// What the chain was asked, put in the place of what was not checked without it.
    #[must_use]
    pub fn asked(mut self, chain: Self) -> Self {
        let mut lines = core::mem::take(&mut self.checks.lines);
        let mut asked = chain.checks.lines;
        lines.retain_mut(|line| {
            let Some(at) = asked.iter().position(|other| other.what == line.what) else {
                // What only the chain could tell is told by it now.
                return line.checked;
            };
            let other = asked.remove(at);
            if line.holds && !line.checked {
                *line = other;
            }
            true
        });
        lines.append(&mut asked);
        self.checks.lines = lines;
        self.chain_agrees = chain.chain_agrees;
        self.compare = chain.compare;
        self
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
pub(super) fn grant_of(file: &ProofFile) -> Option<Grant> {
    let said = &file.grant;
    let record: RecordId = file.receipt.record.parse().ok()?;
    let scope = match said.scope.as_str() {
        "one" => Scope::One(record),
        "all" => Scope::All,
        scope => match scope.strip_prefix("listed:") {
            Some(first) => Scope::Listed(ListRoot(bytes(first)?)),
            None => {
                let bits = scope.strip_prefix("classes:")?.parse().ok()?;
                Scope::Classes(ClassSet::from_bits(bits))
            }
        },
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
    facts: &dyn Facts,
    events: &dyn Events,
    domain: &TypedDomain,
    authority: &Authorities,
) -> Result<ProofReport, JourneyError> {
    let same_chain =
        file.chain.id == domain.chain_id && file.chain.records == domain.records.to_string();
    if !same_chain {
        let mut report = verify_proof(file, authority);
        let told = format!("the file is of chain {}", file.chain.id);
        report.checks.line("same chain", false, told);
        return Ok(report);
    }
    let (mut stands, mut given) = (false, None);
    let grant = grant_of(file);
    let account = file.reader.account.as_ref();
    let account: Option<AccountId> = account.and_then(|account| account.parse().ok());
    let mut open: Vec<&ProvedRotation> = file.reader.rotations.iter().collect();
    let credential = file.reader.credential.as_ref();
    let evidence = credential.map(|jwt| Digest::of(jwt.as_bytes()));
    let mut accredited = false;
    let record: Option<RecordId> = file.receipt.record.parse().ok();
    let mut said: Option<(AnchorFields, SaidLater)> = None;
    each_block(events, |block| {
        let place = OnChain {
            block: block.number,
            at: block.time,
        };
        for event in &block.events {
            if let Some((anchor, said)) = &mut said {
                said.take(anchor, event, place);
            }
            match event {
                Event::Anchored(anchor) if Some(anchor.record_id()) == record => {
                    said = Some((*anchor, SaidLater::default()));
                }
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
                Event::Granted(known) if Some(known) == grant.as_ref() => {
                    let (block, time) = (block.number, block.time);
                    given = Some(GivenAt { block, time });
                }
                _ => {}
            }
        }
    })
    .await?;
    let granted = given.is_some();
    let terms = match granted {
        true => TermsFrom::Chain,
        false => TermsFrom::File,
    };
    let mut report = checked(file, authority, terms);
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
    // It was asked for them, and answers in the line that follows.
    report.checks.lines.retain(|line| line.what != TERMS);
    report.checks.line("grant on chain", granted, told);
    let stood = match given {
        Some(given) => stood::ask(file, given, facts, &mut report.checks).await?,
        None => false,
    };
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
    // Whoever is shown the proof of a read may go on to rely on what was read.
    if let Some((_, said)) = said {
        said.tell_erased(&mut report.checks);
        said.tell(&mut report.checks);
    }
    report.chain_agrees = stands && stood && led && (accredited || evidence.is_none());
    report.compare = None;
    Ok(report)
}

/// Checks a proof file without any chain: everything in it fits together, and the authority vouches for the reader. What rests
/// on the terms of the consent is told as not checked: nothing in the file binds them to its id.
pub fn verify_proof(file: &ProofFile, authority: &Authorities) -> ProofReport {
    checked(file, authority, TermsFrom::File)
}

fn checked(file: &ProofFile, authority: &Authorities, terms: TermsFrom) -> ProofReport {
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
    terms.line(
        lines,
        "purpose",
        tag == Some(grant.terms.purpose_tag) && file.purpose.code == file.purpose.purpose.code(),
        file.purpose.code.clone(),
    );
    check_reason(&file.purpose, terms, lines);
    if terms == TermsFrom::File {
        lines.unchecked(
            TERMS,
            "tags, scope, dates, number of reads and digest of the consent are as the file says; the chain has them, and was not asked",
        );
        stood::not_asked(file, lines);
    }
    let at = Timestamp(said.time);
    terms.line(
        lines,
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
    check_reader(file, &grant, terms, authority, lines);
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
fn check_reason(purpose: &ProvedPurpose, terms: TermsFrom, lines: &mut VerifyReport) {
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
    terms.line(lines, "reason", same, told);
}

fn check_reader(
    file: &ProofFile,
    grant: &Grant,
    terms: TermsFrom,
    authority: &Authorities,
    lines: &mut VerifyReport,
) {
    let reader = &file.reader;
    let Some(account) = &reader.account else {
        let is_bare = reader.salt.is_none()
            && reader.signature.is_none()
            && reader.credential.is_none()
            && reader.rotations.is_empty();
        let (holds, told) = if !grant.terms.binding.is_none() {
            (false, "the consent names an account, and the file none")
        } else if is_bare {
            let told = "a private reader: whoever has the key of the pseudonym; the name is the owner's word alone, and not shown";
            (true, told)
        } else {
            (
                false,
                "the file vouches for an account that it does not name",
            )
        };
        terms.line(lines, READER, holds, told.to_owned());
        return;
    };
    let binding = binding_of(file, grant, account);
    let domain = domain_of(file);
    let bound = binding.zip(domain).is_some_and(|(binding, domain)| {
        binding.tag() == grant.terms.binding
            && recover(&binding.digest(&domain), &binding.signature)
                .is_ok_and(|signer| signer_of(binding.account, file) == Some(signer))
    });
    terms.line(
        lines,
        READER,
        bound,
        format!("the account {account} signed that the pseudonym is its own"),
    );
    let Some(jwt) = &reader.credential else {
        let told = "not in the file, so the name in it is not proven and not shown: ask the authority who the account is, or for a file \
                    with it";
        lines.unchecked(CREDENTIAL, told);
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
            lines.line(CREDENTIAL, same && valid, told);
        }
        Err(error) => {
            lines.line(CREDENTIAL, false, error.to_string());
        }
    }
}

pub(super) fn binding_of(file: &ProofFile, grant: &Grant, account: &str) -> Option<Binding> {
    let signature = URL_SAFE_NO_PAD
        .decode(file.reader.signature.as_ref()?)
        .ok()?;
    let salt = bytes(file.reader.salt.as_ref()?)?;
    let unsigned = Binding::unsigned(salt, account.parse().ok()?, grant.reader);
    Some(unsigned.sign(Signature::new(signature.try_into().ok()?)))
}

pub(super) fn domain_of(file: &ProofFile) -> Option<TypedDomain> {
    Some(TypedDomain {
        chain_id: file.chain.id,
        records: file.chain.records.parse().ok()?,
    })
}
