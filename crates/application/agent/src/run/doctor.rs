//! `medibloc doctor`: each check says what is wrong and what to do.

use medibloc_journey::Party;
use serde_json::json;

use crate::answer::code;
use crate::{Answer, Problem};

/// Seconds that this machine's clock may be off.
const CLOCK: u64 = 120;

/// Seconds for which a chain may have had no block.
const QUIET: u64 = 2 * 86_400;

struct Check {
    name: &'static str,
    good: bool,
    told: String,
}

pub(super) async fn doctor(party: &Party) -> Result<Answer, Problem> {
    let mut checks = Vec::new();
    let mut check = |name, good, told: String| checks.push(Check { name, good, told });
    let ports = party.ports();
    match party.records() {
        Ok(records) => check("vault", true, format!("{} records", records.len())),
        Err(error) => check("vault", false, error.to_string()),
    }
    match party.look_through() {
        Ok(aside) if aside.is_empty() => check("rows", true, "all can be read".into()),
        Ok(aside) => {
            let told: Vec<String> = aside.iter().map(ToString::to_string).collect();
            check("rows", false, format!("set aside: {}", told.join("; ")));
        }
        Err(error) => check("rows", false, error.to_string()),
    }
    match ports.facts.head().await {
        Ok(head) => {
            check(
                "chain",
                true,
                format!("block {} of chain {}", head.number, ports.domain.chain_id),
            );
            let now = ports.clock.now();
            let off = now.since(head.time).max(head.time.since(now));
            let ahead = head.time.since(now);
            let late = now.since(head.time);
            check(
                "clock",
                ahead <= CLOCK && late <= QUIET,
                if ahead > CLOCK {
                    format!("this machine is {ahead} s behind the chain; set its clock")
                } else if late > QUIET {
                    format!(
                        "this machine is {} days ahead of the last block; set its clock, unless the chain has stood still",
                        late / 86_400
                    )
                } else {
                    format!("{off} s from the last block")
                },
            );
        }
        Err(error) => check("chain", false, error.to_string()),
    }
    match party.reach().await {
        Ok(reach) => {
            let told = format!(
                "{} of {} answer, {} are needed",
                reach.keepers, reach.of, reach.needed
            );
            check("keepers", reach.keepers >= reach.needed, told);
            let own = ports.network.own_node();
            match reach.node {
                Ok(()) => check("node", true, format!("{own} answers")),
                Err(why) => check("node", false, why),
            }
        }
        Err(error) => check("keepers", false, error.to_string()),
    }
    let lines: Vec<String> = checks
        .iter()
        .map(|check| {
            format!(
                "{} {}: {}",
                if check.good { "ok  " } else { "FAIL" },
                check.name,
                check.told
            )
        })
        .collect();
    if checks.iter().any(|check| !check.good) {
        return Err(Problem::new(code::UNREACHABLE, lines.join("\n")));
    }
    let value = checks
        .iter()
        .map(|check| json!({"check": check.name, "good": check.good, "told": check.told}))
        .collect::<Vec<_>>();
    Ok(Answer::new(json!(value), lines.join("\n")))
}
