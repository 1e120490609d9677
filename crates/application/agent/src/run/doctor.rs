//! `medibloc doctor`: each check says what is wrong and what to do.

use std::collections::BTreeSet;

use medibloc_journey::{LostConsents, Party, PortError, Shares, counted, counted_as};
use medibloc_record::{GrantId, RecordId, Timestamp};
use serde_json::json;

use super::{acts, chain, contact};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

/// Seconds that this machine's clock may be off.
const CLOCK: u64 = 120;

/// Seconds for which a chain may have had no block.
const QUIET: u64 = 2 * 86_400;

/// Of how many records the keepers are asked for their shares.
const ASKED: usize = 20;

/// Of how many consents the node is asked for their objects.
const CONSENTS: usize = 200;

/// Of how many own addresses the node is asked for its notes: at most 4 MiB each.
const NOTES: usize = 20;

/// Free bytes under which the next document may not fit: room for one of the largest usual ones, its sealed copy and the vault's log.
const LITTLE_ROOM: u64 = 256 << 20;

/// How many faults of the vault are listed.
const SHOWN: usize = 5;

/// How a check begins that somebody's silence kept from being made: it is not good, and says nothing bad of what is checked.
const NOT_CHECKED: &str = "not checked: ";

struct Check {
    name: &'static str,
    good: bool,
    told: String,
    /// Every record that it found something of, where the words name some.
    records: Vec<String>,
}

impl Check {
    /// Whether it is about others: nothing is wrong with this home then, and they answer later or are given again what they lost.
    fn is_of_others(&self) -> bool {
        let of_peers = ["chain", "others", "keepers", "node"];
        let of_what_they_keep = ["shares", "copies", "consents", "notes"];
        of_peers.contains(&self.name)
            || of_what_they_keep.contains(&self.name)
            || self.told.starts_with(NOT_CHECKED)
    }
}

pub(super) async fn doctor(party: &Party) -> Result<Answer, Problem> {
    let mut checks = Vec::new();
    let mut check = |name, good, told: String| {
        let records = Vec::new();
        checks.push(Check {
            name,
            good,
            told,
            records,
        });
    };
    let ports = party.ports();
    match party.records() {
        Ok(records) => {
            let (good, told) = vault(ports.vault.check(), records.len());
            check("vault", good, told);
        }
        Err(error) => check("vault", false, error.to_string()),
    }
    if let Some((good, told)) = ports
        .vault
        .room()
        .map(|free| room(free, ports.vault.has_reserve()))
    {
        check("disk", good, told);
    }
    match party.look_through() {
        Ok(aside) if aside.is_empty() => check("rows", true, "all can be read".into()),
        Ok(aside) => {
            let told: Vec<String> = aside.iter().map(ToString::to_string).collect();
            check("rows", false, format!("set aside: {}", told.join("; ")));
        }
        Err(error) => check("rows", false, error.to_string()),
    }
    match party.unknown_acts_as_of().await {
        Ok((as_of, unknown)) if unknown.is_empty() => {
            let known = acts::up_to(&as_of);
            let told = format!("every one of your accounts is this device's{known}");
            check("acts", true, told);
        }
        Ok((_, unknown)) => check(
            "acts",
            false,
            match acts::told(party, &unknown) {
                Ok(told) => told.join("; ").replacen(":; ", ": ", 1),
                Err(problem) => problem.message,
            },
        ),
        Err(error) => check("acts", false, error.to_string()),
    }
    let mut head_time = None;
    match ports.facts.head().await {
        Ok(head) => {
            check(
                "chain",
                true,
                format!("block {} of chain {}", head.number, ports.domain.chain_id),
            );
            head_time = Some(head.time);
            match contact::standing(party, party.account().id()).await {
                Some("suspended") => check("standing", false, contact::SUSPENDED.into()),
                Some("accredited") => check("standing", true, "accredited".into()),
                Some("not accredited") if party.credential().is_ok_and(|own| own.is_some()) => {
                    check("standing", false, contact::OWN_LAPSED.into());
                }
                _ => {}
            }
            match party.chain_alarm().await {
                Ok(None) => check(
                    "history",
                    true,
                    "the chain has what this home read of it".into(),
                ),
                Ok(Some(why)) => check("history", false, why),
                Err(error) => check("history", false, error.to_string()),
            }
            match party.others_on_chain().await {
                Ok(witnesses) => {
                    let (good, told) = chain::told(&witnesses);
                    check("others", good, told);
                }
                Err(error) => check("others", false, error.to_string()),
            }
        }
        Err(error) => check("chain", false, error.to_string()),
    }
    let mut node_time = None;
    match party.reach().await {
        Ok(reach) => {
            let mut told = format!(
                "{} of {} answer, {} are needed",
                reach.keepers, reach.of, reach.needed
            );
            // Whoever is silent is missed by the next read that another fails for.
            for why in reach.silent.values() {
                told.push_str(&format!("; {why}"));
            }
            check("keepers", reach.silent.is_empty(), told);
            let own = ports.network.own_node();
            node_time = reach.clock;
            match reach.node {
                Ok(()) => check("node", true, format!("{own} answers")),
                Err(why) => check("node", false, why),
            }
        }
        Err(error) => check("keepers", false, error.to_string()),
    }
    let (mut of_shares, mut of_copies) = (BTreeSet::new(), BTreeSet::new());
    match party.lost_shares(ASKED).await {
        Ok(held) => {
            if !held.erased.is_empty() {
                check("records", true, erased(&held.erased));
            }
            of_shares.extend(held.lost.values().flatten().map(ToString::to_string));
            of_copies.extend(held.node.iter().map(ToString::to_string));
            if held.asked > 0 {
                let (good, told) = shares(&held);
                check("shares", good, told);
                let (good, told) = copies(&held);
                check("copies", good, told);
            }
        }
        Err(error) => {
            for name in ["shares", "copies"] {
                check(name, false, format!("{NOT_CHECKED}{error}"));
            }
        }
    }
    match party.lost_consents(CONSENTS).await {
        Ok(found) if found.asked == 0 => {}
        Ok(found) => {
            let (good, told) = consents(&found);
            check("consents", good, told);
        }
        Err(error) => check("consents", false, format!("{NOT_CHECKED}{error}")),
    }
    match party.older_notes(NOTES).await {
        Ok((0, _)) => {}
        Ok(found) => {
            let (good, told) = notes(found);
            check("notes", good, told);
        }
        Err(error) => check("notes", false, format!("{NOT_CHECKED}{error}")),
    }
    if let Some((good, told)) = clock(ports.clock.now(), head_time, node_time) {
        check("clock", good, told);
    }
    for check in &mut checks {
        check.records = match check.name {
            "shares" => of_shares.iter().cloned().collect(),
            "copies" => of_copies.iter().cloned().collect(),
            _ => Vec::new(),
        };
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
    let value = checks
        .iter()
        .map(|check| match check.records.as_slice() {
            [] => json!({"check": check.name, "good": check.good, "told": check.told}),
            records => json!({
                "check": check.name, "good": check.good, "told": check.told, "records": records,
            }),
        })
        .collect::<Vec<_>>();
    let value = json!(value);
    let mut bad = checks.iter().filter(|check| !check.good).peekable();
    if bad.peek().is_some() {
        let code = if bad.all(Check::is_of_others) {
            code::UNREACHABLE
        } else {
            code::FAILED
        };
        return Err(Problem::new(code, rows(&lines)).with_checks(value));
    }
    Ok(Answer::new(value, rows(&lines)))
}

/// Records that were erased on another device, in words.
fn erased(records: &[RecordId]) -> String {
    let shown = records.iter().take(SHOWN).map(ToString::to_string);
    let shown: Vec<String> = shown.collect();
    let more = match records.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "erased by their owner, as the chain says, which was not known here: {}{more}; nothing of them is left here now, `medibloc \
         sync` takes what else is new",
        shown.join(", ")
    )
}

/// What the node has of consents, in words.
fn consents(found: &LostConsents) -> (bool, String) {
    if found.lost.is_empty() {
        return (
            true,
            format!(
                "the node has the objects of {} that stand",
                counted(found.asked, "consent")
            ),
        );
    }
    let listed = |ids: &[GrantId]| {
        let shown = ids.iter().take(SHOWN).map(ToString::to_string);
        let shown: Vec<String> = shown.collect();
        match ids.len().saturating_sub(SHOWN) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    };
    let mut told = format!(
        "of {} that stand the node lost the objects of {}: {}; who has not taken such a one yet cannot read with it",
        counted(found.asked, "consent"),
        found.lost.len(),
        listed(&found.lost)
    );
    if found.gone.len() < found.lost.len() {
        told.push_str(": `medibloc sync` and `medibloc record store --all` give again what this home has of them");
    }
    if !found.gone.is_empty() {
        told.push_str(&format!(
            "; nobody has that of {}: end it (`medibloc grant revoke ID`), and let the reader ask again",
            listed(&found.gone)
        ));
    }
    (false, told)
}

/// What the node has of notes, in words.
fn notes((asked, older): (usize, usize)) -> (bool, String) {
    let asked = counted_as(asked, "own address", "own addresses");
    match older {
        0 => (true, format!("the node has the notes of {asked}")),
        older => (
            false,
            format!(
                "the node has older notes of {older} of {asked}, or none: `medibloc sync` and `medibloc record store --all` give them \
                 again; tell its operator"
            ),
        ),
    }
}

/// What keepers say of their shares, and which keepers are none any more, in words.
fn shares(held: &Shares) -> (bool, String) {
    let (mut is_good, mut told) = shares_held(held);
    if !held.out_of_service.is_empty() {
        let gone: Vec<String> = held
            .out_of_service
            .iter()
            .map(ToString::to_string)
            .collect();
        let (who, are) = match gone.len() {
            1 => ("keeper", "is"),
            _ => ("keepers", "are"),
        };
        told.push_str(&format!(
            "; {who} {} {are} no longer in service",
            gone.join(", ")
        ));
    }
    if !held.too_few.is_empty() {
        is_good = false;
        told.push_str(&format!(
            "; too few keepers in service hold a share of {}: nobody but you reads that now; give them again with {}, or import the \
             document anew",
            counted(held.too_few.len(), "record"),
            store(&held.too_few.iter().collect())
        ));
    }
    (is_good, told)
}

/// What keepers that answer say of their shares, in words.
fn shares_held(held: &Shares) -> (bool, String) {
    let asked = match held.of - held.asked {
        0 => format!("of {}", counted(held.asked, "record")),
        _ => format!(
            "of the newest {} of {}",
            held.asked,
            counted(held.of, "record")
        ),
    };
    if held.silent.len() == held.keepers.len() {
        let of = held.keepers.len();
        let told = format!(
            "{NOT_CHECKED}none of the {of} keepers answers what it is asked of its shares; if `keepers` says that they answer, see \
             `clock`, for they refuse what is signed at another time than theirs; else try again later"
        );
        return (false, told);
    }
    if held.lost.is_empty() && held.silent.is_empty() {
        return (true, format!("the keepers hold theirs {asked}"));
    }
    if held.lost.is_empty() {
        let names: Vec<String> = held.silent.keys().map(ToString::to_string).collect();
        let told = format!(
            "{NOT_CHECKED}what {} {} holds {asked}, for {} not answer; the others hold theirs",
            match names.len() {
                1 => "keeper",
                _ => "each of keepers",
            },
            names.join(", "),
            counted_as(names.len(), "keeper does", "keepers do"),
        );
        return (false, told);
    }
    let keepers: Vec<String> = held
        .lost
        .iter()
        .map(|(index, records)| format!("keeper {index} lacks {}", records.len()))
        .collect();
    let records: BTreeSet<_> = held.lost.values().flatten().collect();
    let told = format!(
        "{asked}, {}: tell its operator, and give them again with {}",
        keepers.join(", "),
        store(&records)
    );
    (false, told)
}

/// What the own node gives of the same records, in words.
fn copies(held: &Shares) -> (bool, String) {
    let asked = counted(held.asked, "record");
    if held.node.is_empty() {
        return match &held.node_silent {
            Some(why) => (false, format!("{NOT_CHECKED}{why}")),
            None => (
                true,
                format!("the objects of the newest {asked} are at your node"),
            ),
        };
    }
    // Nothing else is wrong where only who is silent can say that it is there.
    let is_open = held.node.iter().all(|record| {
        held.not_here.contains(record)
            && !held.elsewhere.contains(record)
            && !held.others_silent.is_empty()
    });
    let mut told = format!(
        "{}of {} of the newest {asked} your node does not give every object, or has them damaged",
        if is_open { NOT_CHECKED } else { "" },
        held.node.len(),
    );
    if !held.elsewhere.is_empty() {
        let there = held.elsewhere.len();
        told.push_str(&format!("; another node gives those of {there}"));
    }
    for why in &held.others_silent {
        told.push_str(&format!("; {why}"));
    }
    if let Some(why) = &held.node_silent {
        told.push_str(&format!("; of others it did not say: {why}"));
    }
    let lost = held.not_here.difference(&held.elsewhere).count();
    if lost > 0 {
        told.push_str(&format!(
            "; {lost} of them {} in this home neither, nor at a node that answers: `medibloc sync` takes what it can when a node that \
             has it is back",
            if lost == 1 { "is" } else { "are" }
        ));
    }
    if lost < held.node.len() {
        let give = store(&held.node.iter().collect());
        told.push_str(&format!("; give them to your node with {give}"));
    }
    (false, told)
}

/// The command that gives records again.
fn store(records: &BTreeSet<&RecordId>) -> String {
    let mut all = records.iter();
    match (all.next(), all.next()) {
        (Some(record), None) => format!("`medibloc record store {record}`"),
        _ => "`medibloc record store --all`".into(),
    }
}

/// The whole check of the vault, in words.
fn vault(checked: Result<Vec<String>, PortError>, records: usize) -> (bool, String) {
    match checked {
        Ok(faults) if faults.is_empty() => {
            let told = format!(
                "{}; every row, block and page is as it was written",
                counted(records, "record")
            );
            (true, told)
        }
        Ok(faults) => {
            let shown = faults.get(..SHOWN).unwrap_or(&faults).join("; ");
            let told = format!(
                "{}: {shown}; the disk may be failing. Take a backup of the home back, or restore from the phrase",
                counted(faults.len(), "fault")
            );
            (false, told)
        }
        Err(error) => (false, error.to_string()),
    }
}

/// Free room of the home's disk, in words.
fn room(free: u64, reserve: Option<bool>) -> (bool, String) {
    let mib = free >> 20;
    if free >= LITTLE_ROOM {
        return (true, format!("{mib} MiB are free where the home is"));
    }
    // On a disk that was always small it could never be made.
    let reserve = match reserve {
        Some(false) => {
            "; the 4 MiB for what takes something back (`reserve`) are not kept aside, so that a full disk may stop that, too: the next \
             `medibloc sync` makes them where 16 MiB are free"
        }
        _ => "",
    };
    let told = format!(
        "{mib} MiB are free where the home is, fewer than {}: what is new may not be kept. Free space there, or move the home to another disk and name it with --home; nothing is lost, and reading goes on{reserve}",
        LITTLE_ROOM >> 20
    );
    (false, told)
}

/// Three clocks: this machine's, the one of whoever makes blocks, and the own node's. None if nobody else's is known.
fn clock(
    now: Timestamp,
    head: Option<Timestamp>,
    node: Option<Timestamp>,
) -> Option<(bool, String)> {
    let apart = |a: Timestamp, b: Timestamp| a.since(b).max(b.since(a));
    if let Some(node) = node
        && apart(now, node) > CLOCK
    {
        let way = if now > node { "ahead of" } else { "behind" };
        let which = match head {
            Some(head) if head.since(node) > CLOCK => {
                "the chain is ahead of the node, too: tell its operator"
            }
            _ => "set its clock",
        };
        let told = format!(
            "this machine is {} s {way} its node; {which}",
            apart(now, node)
        );
        return Some((false, told));
    }
    let head = head?;
    let (ahead, late) = (head.since(now), now.since(head));
    Some(if ahead > CLOCK && node.is_some() {
        let told = format!(
            "the chain is {ahead} s ahead of this machine and of the node; whoever makes its blocks has a wrong clock"
        );
        (false, told)
    } else if ahead > CLOCK {
        let told = format!("this machine is {ahead} s behind the chain; set its clock");
        (false, told)
    } else if late > QUIET && node.is_none() {
        let told = format!(
            "this machine is {} days ahead of the last block; set its clock, unless the chain has stood still",
            late / 86_400
        );
        (false, told)
    } else if late > QUIET {
        let told = format!(
            "as the node's; the chain has had no block for {} days",
            late / 86_400
        );
        (true, told)
    } else {
        let told = format!("{} s from the last block", apart(now, head));
        let of_node = node.map(|node| format!(", {} s from its node", apart(now, node)));
        (true, told + &of_node.unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_clocks_tell_which_is_wrong() {
        const DAY: u64 = 86_400;
        let at = |n: u64| Timestamp(1_800_000_000 + n);
        for (now, head, node, good, told) in [
            (
                at(5),
                Some(at(0)),
                Some(at(4)),
                true,
                "5 s from the last block, 1 s from its node",
            ),
            (
                at(400 * DAY),
                Some(at(0)),
                Some(at(1)),
                false,
                "ahead of its node; set its clock",
            ),
            (
                at(0),
                Some(at(300)),
                Some(at(300)),
                false,
                "behind its node; set its clock",
            ),
            (
                at(0),
                Some(at(900)),
                Some(at(0)),
                false,
                "makes its blocks has a wrong clock",
            ),
            (
                at(200),
                Some(at(900)),
                Some(at(0)),
                false,
                "tell its operator",
            ),
            (
                at(3 * DAY),
                Some(at(0)),
                Some(at(3 * DAY)),
                true,
                "no block for 3 days",
            ),
            (
                at(3 * DAY),
                Some(at(0)),
                None,
                false,
                "unless the chain has stood still",
            ),
            (at(0), Some(at(121)), None, false, "behind the chain"),
            (at(200), None, Some(at(0)), false, "ahead of its node"),
        ] {
            let (holds, said) = clock(now, head, node).unwrap();
            assert!(said.contains(told), "{said} / {told}");
            assert_eq!(holds, good, "{said}");
        }
        assert_eq!(clock(at(0), None, None), None);
        assert_eq!(clock(at(0), None, Some(at(1))), None);
    }

    #[test]
    fn a_full_disk_is_told_with_what_to_do() {
        for (free, good, told) in [
            (0, false, "0 MiB are free where the home is, fewer than 256"),
            (LITTLE_ROOM - 1, false, "Free space there"),
            (LITTLE_ROOM, true, "256 MiB are free"),
            (u64::MAX, true, "are free where the home is"),
        ] {
            for reserve in [None, Some(true), Some(false)] {
                let (holds, said) = room(free, reserve);
                assert!(said.contains(told), "{said} / {told}");
                assert_eq!(holds, good, "{said}");
                let is_told = said.contains("`reserve`");
                assert_eq!(is_told, !good && reserve == Some(false), "{said}");
            }
        }
    }

    #[test]
    fn faults_of_the_vault_are_counted_and_the_first_are_named() {
        let faults: Vec<String> = (0..9).map(|n| format!("page {n}")).collect();
        let (good, told) = vault(Ok(faults), 3);
        assert!(!good);
        assert!(told.starts_with("9 faults: page 0; page 1"), "{told}");
        assert!(!told.contains("page 5"), "{told}");
    }
}
