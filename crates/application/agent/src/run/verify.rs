//! `medibloc verify` and `medibloc record verify`: what is there is recomputed, nothing is believed.

use std::path::Path;

use medibloc_journey::{
    CheckLine, Party, ProofFile, ProvenEvent, VerifyReport, verify_proof, verify_proof_with,
};
use medibloc_ledger_evm::{Contracts, verify_receipt};
use medibloc_record::Timestamp;
use serde_json::json;

use super::find;
use crate::answer::code;
use crate::command::Verify;
use crate::{Answer, Problem};

pub(super) async fn run(
    party: &Party,
    contracts: Option<&Contracts>,
    command: &Verify,
) -> Result<Answer, Problem> {
    let path = Path::new(&command.what);
    if path.exists() {
        return proof(party, contracts, path, command.block.as_deref()).await;
    }
    record(party, &command.what).await
}

/// An own record, from the node and the chain.
pub(super) async fn record(party: &Party, name: &str) -> Result<Answer, Problem> {
    let id = find::record(party, name)?;
    let report = party.verify_record(id).await?;
    if report.erased.is_some() {
        let value = json!({
            "record": id.to_string(), "verified": false, "erased": true, "holds": report.holds(),
            "checks": report.lines,
        });
        let more = vec![format!(
            "record {id} was erased; nothing of it can be verified any more"
        )];
        return Ok(
            told(&report, value, &format!("the erasure of {id}"), more)?.with_code(code::ERASED)
        );
    }
    let value =
        json!({"record": id.to_string(), "verified": report.holds(), "checks": report.lines});
    told(&report, value, &format!("record {id}"), Vec::new())
}

async fn proof(
    party: &Party,
    contracts: Option<&Contracts>,
    path: &Path,
    block: Option<&str>,
) -> Result<Answer, Problem> {
    let wrong = |why: String| Problem::new(code::INPUT, format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let file = ProofFile::parse(&text).map_err(|error| wrong(error.to_string()))?;
    let authority = party.ports().authority;
    let mut report = match contracts {
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
    if let Some(hash) = block {
        let same = plain(hash) == plain(&file.receipt.block_hash);
        report.checks.lines.push(CheckLine {
            what: "block hash".into(),
            holds: same,
            found: file.receipt.block_hash.clone(),
        });
    } else {
        match party.confirm_proof(&file).await {
            Ok(asked) => {
                report.chain_agrees = asked.chain_agrees;
                let known: Vec<_> = report
                    .checks
                    .lines
                    .iter()
                    .map(|line| line.what.clone())
                    .collect();
                let new = asked.checks.lines.into_iter();
                report
                    .checks
                    .lines
                    .extend(new.filter(|line| !known.contains(&line.what)));
            }
            Err(error) => more.push(format!(
                "the chain was not asked ({error}); compare the hash of block {} with {}",
                file.receipt.block, file.receipt.block_hash
            )),
        }
    }
    more.push(format!(
        "{} was cleared to read {} at {}, in block {} ({})",
        file.reader.name,
        file.receipt.record,
        find::moment(Timestamp(file.receipt.time)),
        file.receipt.block,
        file.receipt.block_hash
    ));
    let value = json!({
        "receipt": file.receipt.id, "reader": file.reader.name, "record": file.receipt.record,
        "verified": report.holds(), "chainAgrees": report.chain_agrees, "checks": report.checks.lines,
        "block": file.receipt.block, "blockHash": file.receipt.block_hash,
    });
    told(&report.checks, value, &path.display().to_string(), more)
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
            let mark = if line.holds { "ok  " } else { "FAIL" };
            format!("{mark} {}: {}", line.what, line.found)
        })
        .collect();
    if !report.holds() {
        return Err(Problem::new(
            code::FAILED,
            format!("{what} does not verify\n{}", lines.join("\n")),
        ));
    }
    lines.extend(more);
    Ok(Answer::new(value, lines.join("\n")))
}
