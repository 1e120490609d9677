//! `medibloc verify` and `medibloc record verify`: what is there is recomputed, nothing is believed.

use std::path::Path;

use medibloc_journey::{
    Authorities, CheckLine, Party, ProofFile, ProvenEvent, VerifyReport, confirm_proof,
    verify_proof, verify_proof_with,
};
use medibloc_ledger::{Events, Facts};
use medibloc_ledger_evm::{Contracts, verify_receipt};
use medibloc_record::{Timestamp, TypedDomain};
use serde_json::json;

use super::{find, name};
use crate::answer::{code, rows};
use crate::command::Verify;
use crate::{Answer, Problem};

/// What is easily read into a proof and is in none.
const NOT_SHOWN: &str = "who the owner is as a person, that keepers gave their shares and anybody opened it, which person at the \
reader did, what the record says, that the consent was not taken back since, or, where the chain was not asked, that the record was not";

pub(super) async fn run(
    party: &Party,
    contracts: Option<&Contracts>,
    command: &Verify,
) -> Result<Answer, Problem> {
    let path = Path::new(&command.what);
    if path.exists() {
        let ports = party.ports();
        let trusted = Trusted {
            facts: ports.facts.as_ref(),
            events: ports.events.as_ref(),
            domain: &ports.domain,
            authority: &ports.authority,
            contracts,
        };
        return proof(&trusted, path, command.block.as_deref()).await;
    }
    record(party, &command.what).await
}

/// What a proof file is checked by. A deployment file names all of it: no account and no vault is needed.
pub(crate) struct Trusted<'a> {
    /// The chain, asked for what stands.
    pub(crate) facts: &'a dyn Facts,
    /// The same chain, asked for what happened.
    pub(crate) events: &'a dyn Events,
    /// Its deployment.
    pub(crate) domain: &'a TypedDomain,
    /// Whose credentials count.
    pub(crate) authority: &'a Authorities,
    /// Contracts that a receipt must come from; without them that one check is left out.
    pub(crate) contracts: Option<&'a Contracts>,
}

/// An own record, from the node and the chain.
pub(super) async fn record(party: &Party, typed: &str) -> Result<Answer, Problem> {
    let id = name::record(party, typed, name::Use::Look)?;
    let report = party.verify_record(id).await?;
    if report.erased.is_some() {
        let value = json!({
            "record": id.to_string(), "verified": false, "erased": true, "holds": report.holds(),
            "final": !report.not_final, "checks": report.lines,
        });
        let mut more = vec![format!(
            "record {id} was erased; nothing of it can be verified any more"
        )];
        let exit = match report.not_final {
            true => {
                more.push(
                    "the erasure is not final yet: `medibloc sync` asks the other keepers".into(),
                );
                code::UNREACHABLE
            }
            false => code::ERASED,
        };
        return Ok(told(&report, value, &format!("the erasure of {id}"), more)?.with_code(exit));
    }
    // A node that is away says nothing against a record, and nothing for it.
    let is_checked = report.is_checked();
    let verified = report.holds() && is_checked;
    let value = json!({"record": id.to_string(), "verified": verified, "checks": report.lines});
    let (exit, more) = match is_checked {
        true => (0, Vec::new()),
        false => {
            let more = "not verified: what has a ? could not be checked now; do it again when who did not answer is back";
            (code::UNREACHABLE, vec![more.to_owned()])
        }
    };
    Ok(told(&report, value, &format!("record {id}"), more)?.with_code(exit))
}

/// A proof file: it is meant for others than who made it.
pub(crate) async fn proof(
    trusted: &Trusted<'_>,
    path: &Path,
    block: Option<&str>,
) -> Result<Answer, Problem> {
    let wrong = |why: String| Problem::new(code::INPUT, format!("{}: {why}", path.display()));
    let text = find::text(path)?;
    let file = ProofFile::parse(&text).map_err(|error| wrong(find::told(&error.to_string())))?;
    let authority = trusted.authority;
    let mut report = match trusted.contracts {
        Some(contracts) => verify_proof_with(&file, authority, |proof| {
            let proven = verify_receipt(proof, contracts).map_err(|error| error.to_string())?;
            Ok(ProvenEvent {
                block: proven.block,
                block_hash: proven.block_hash,
                time: proven.time,
                event: proven.event,
            })
        }),
        None => verify_proof(&file, authority),
    };
    let plain = |hash: &str| hash.trim_start_matches("0x").to_lowercase();
    let mut more = Vec::new();
    // Whether the chain says the same; none if it was not asked.
    let mut agrees = None;
    let mut exit = 0;
    if let Some(hash) = block {
        let same = plain(hash) == plain(&file.receipt.block_hash);
        report.checks.lines.push(CheckLine {
            what: "block hash".into(),
            holds: same,
            checked: true,
            found: file.receipt.block_hash.clone(),
        });
    } else {
        match confirm_proof(
            &file,
            trusted.facts,
            trusted.events,
            trusted.domain,
            authority,
        )
        .await
        {
            Ok(asked) => {
                agrees = Some(asked.chain_agrees);
                report = report.asked(asked);
            }
            Err(error) => {
                more.push(format!(
                    "not proven: the chain could not be asked ({error}). The file agrees with itself and with the authority's \
                     signatures; that its block {} is one of this chain is not shown. Do it again later, or compare its hash \
                     with one from a source that you trust: --block {}",
                    file.receipt.block, file.receipt.block_hash
                ));
                exit = Problem::from(error).code;
            }
        }
    }
    if !file.is_whole() {
        more.push(
            "not proven: what has a ? is as somebody wrote it into the file, and no chain can tell whether it is true. Ask for a \
             file that binds it (`medibloc audit --proofs` writes one), and rely on nothing of that line until then"
                .into(),
        );
        exit = code::FAILED;
    } else if exit == 0 && !report.is_complete() {
        more.push(
            "not proven: what has a ? is as the file says, and the chain that has it was not asked; leave out --block to ask it"
                .into(),
        );
        exit = code::UNREACHABLE;
    }
    let is_proven = exit == 0;
    let name = Some(&file.reader.name).filter(|_| report.is_name_vouched_for());
    more.push(format!(
        "{}{} was cleared to read {} at {}, in block {} ({})",
        if is_proven { "" } else { "the file says: " },
        match (name, &file.reader.account) {
            (Some(name), _) => find::told(name),
            (None, Some(account)) => format!("account {account}, whose name is not proven,"),
            (None, None) => format!("the private reader {}", file.receipt.reader),
        },
        file.receipt.record,
        find::moment(Timestamp(file.receipt.time)),
        file.receipt.block,
        file.receipt.block_hash
    ));
    more.push(format!("no proof shows {NOT_SHOWN}"));
    let value = json!({
        "notShown": NOT_SHOWN, "receipt": file.receipt.id, "reader": name, "account": file.reader.account, "record": file.receipt.record,
        "verified": is_proven && report.holds(), "chainAgrees": agrees, "checks": report.checks.lines,
        "block": file.receipt.block, "blockHash": file.receipt.block_hash,
    });
    let answer = told(&report.checks, value, &path.display().to_string(), more)?;
    Ok(answer.with_code(exit))
}

fn told(
    report: &VerifyReport,
    value: serde_json::Value,
    what: &str,
    more: Vec<String>,
) -> Result<Answer, Problem> {
    let mut lines: Vec<String> = report
        .lines
        .iter()
        .map(|line| {
            let (mark, not) = match (line.holds, line.checked) {
                (false, _) => ("FAIL", ""),
                (true, true) => ("ok  ", ""),
                (true, false) if report.not_final => ("?   ", "not final: "),
                (true, false) => ("?   ", "not checked: "),
            };
            // Words of others: nothing in them is a line of its own.
            format!("{mark} {}: {not}{}", line.what, find::told(&line.found))
        })
        .collect();
    if !report.holds() {
        return Err(Problem::new(
            code::FAILED,
            format!("{what} does not verify\n{}", rows(&lines)),
        ));
    }
    lines.extend(more);
    Ok(Answer::new(value, rows(&lines)))
}
