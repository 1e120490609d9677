//! What a sync tells: one list for `sync`, for the log of `serve`, and for what `serve` heard while no person looked.

use medibloc_journey::{Corrections, JourneyError, Party, SyncReport, counted};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{acts, find, grouped, retracted, said, written};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

/// When a line is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// By one sync alone: if no person saw it, it is kept.
    Once,
    /// By every sync as long as it is so, or until the person has looked at it with another command.
    WhileItIsSo,
}

/// A line of a sync's report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    begin: &'static str,
    text: String,
    told: Told,
}

impl Notice {
    /// The line as its person reads it.
    fn line(&self) -> String {
        format!("{}: {}", self.begin, self.text)
    }

    /// Whether every sync tells it as long as it is so.
    pub(crate) fn is_owed(&self) -> bool {
        self.told == Told::WhileItIsSo
    }

    /// What it is known by.
    pub(crate) fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.line()).into()
    }

    /// As a log may have it (ADR 0006): ids and blocks, no name, no title and no path.
    pub(crate) fn logged(&self) -> String {
        let ids = ids(&self.text);
        let ids = match ids.is_empty() {
            true => String::new(),
            false => format!(": {}", ids.join(" ")),
        };
        let next = match (self.told, self.begin) {
            (Told::Once, _) => "the next command tells it",
            (Told::WhileItIsSo, ALARM) => "`medibloc status` says what to do",
            (Told::WhileItIsSo, _) => "`medibloc sync` tells it",
        };
        format!("{}{ids}; {next}", self.begin)
    }
}

const ALARM: &str = "ALARM";

/// The ids in a text, and `block N`; what stands in quotes is somebody's words.
fn ids(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let plain = text.chars().map(|c| match c {
        '«' => {
            depth += 1;
            ' '
        }
        '»' => {
            depth = depth.saturating_sub(1);
            ' '
        }
        c if depth == 0 && c.is_ascii_alphanumeric() => c,
        _ => ' ',
    });
    let plain: String = plain.collect();
    let (mut found, mut is_block) = (Vec::new(), false);
    for word in plain.split_ascii_whitespace() {
        let hex = word.strip_prefix("0x").unwrap_or_default();
        if hex.len() >= 16 && hex.chars().all(|c| c.is_ascii_hexdigit()) {
            found.push(word.to_owned());
        } else if is_block && word.chars().all(|c| c.is_ascii_digit()) {
            found.push(format!("block {word}"));
        }
        is_block = word == "block";
    }
    found
}

/// Every line of a report but the first, which counts. Each field is named here, so that a new one is told or is said not to be.
pub(crate) fn of(party: &Party, report: &SyncReport) -> Result<Vec<Notice>, Problem> {
    let SyncReport {
        // Lists show these; the first line counts them.
        accepted: _,
        checked: _,
        grants: _,
        letters: _,
        delivered: _,
        keys: _,
        strangers: _,
        unpaired: _,
        gave_way: _,
        // Each of them is among those with its place.
        retracted: _,
        not_accepted,
        taken_back,
        corrected,
        declined,
        held_back,
        ended,
        purged,
        erased,
        erased_written,
        told,
        standing,
        files_removed,
        files_left,
        missed,
        unexplained,
        unopened,
        given_up,
        reads,
        refused,
        alarms,
        acts,
        done,
        later,
        waiting,
    } = report;
    let corrections = match purged.is_empty() {
        true => Corrections::default(),
        false => party.corrections_of(&purged.iter().copied().collect())?,
    };
    let purged: Result<Vec<String>, Problem> = purged
        .iter()
        .map(|record| said::purged(party, &corrections, *record))
        .collect();
    let unexplained = (*unexplained > 0).then(|| {
        format!(
            "{} that no pairing explains; looked at in turn",
            counted(*unexplained, "grant")
        )
    });
    let unopened = (*unopened > 1).then(|| {
        format!(
            "{unopened} grants to addresses that you offered, of the contacts' own or of who saw their calls; looked at in turn"
        )
    });
    let reads = reads
        .iter()
        .map(|(record, name)| format!("{name} was cleared to read {record}"));
    let refused = refused
        .iter()
        .map(|(record, told)| format!("{record} to {told}"));
    let not_accepted = not_accepted
        .iter()
        .map(|(record, because)| format!("{record}: {because}"));
    let paths = |files: &[(_, String)]| files.iter().map(|(_, file)| file.clone()).collect();
    let ids = |ids: &mut dyn Iterator<Item = String>| ids.collect();
    let lines: [(&'static str, Told, Vec<String>); 22] = [
        ("done", Told::Once, done.clone()),
        (ALARM, Told::WhileItIsSo, alarms.clone()),
        (ALARM, Told::WhileItIsSo, acts::told(party, acts)?),
        ("read", Told::Once, reads.collect()),
        (
            "refused by keepers, as they say",
            Told::Once,
            refused.collect(),
        ),
        ("not accepted", Told::Once, not_accepted.collect()),
        (
            "taken back by its author",
            Told::Once,
            said::taken_back(taken_back),
        ),
        (
            "corrected by its author",
            Told::Once,
            said::corrected(corrected),
        ),
        (
            "held back",
            Told::WhileItIsSo,
            retracted::held_back(held_back),
        ),
        (
            "consent ended",
            Told::Once,
            ids(&mut ended.iter().map(ToString::to_string)),
        ),
        ("copy purged", Told::Once, purged?),
        ("not paired", Told::Once, declined.clone()),
        (
            "erased by its owner",
            Told::Once,
            ids(&mut erased.iter().map(ToString::to_string)),
        ),
        (
            "erased by its owner",
            Told::Once,
            written::erased(party, erased_written)?,
        ),
        (
            "consent that followed by itself",
            Told::Once,
            standing.clone(),
        ),
        ("told", Told::Once, told.clone()),
        ("exported file removed", Told::Once, paths(files_removed)),
        ("exported file stays", Told::Once, paths(files_left)),
        ("not taken yet", Told::WhileItIsSo, grouped(missed)),
        (
            "of strangers",
            Told::WhileItIsSo,
            unexplained.into_iter().collect(),
        ),
        (
            "not taken yet",
            Told::WhileItIsSo,
            unopened.into_iter().collect(),
        ),
        (
            "waits for a newer deployment.json",
            Told::WhileItIsSo,
            waiting.clone(),
        ),
    ];
    let last = [
        ("given up", Told::Once, grouped(given_up)),
        ("later", Told::WhileItIsSo, grouped(later)),
    ];
    let lines = lines.into_iter().chain(last);
    let notices = lines.flat_map(|(begin, told, lines)| {
        lines
            .into_iter()
            .map(move |text| Notice { begin, text, told })
    });
    Ok(notices.collect())
}

/// Keeps what this report alone tells for the next command that a person gives, and says what a log may have of the whole:
/// what is owed every time is counted there.
///
/// # Errors
/// If the vault fails.
pub(crate) fn keep(party: &Party, report: &SyncReport, by: &str) -> Result<Vec<Notice>, Problem> {
    let notices = of(party, report)?;
    let once = notices.iter().filter(|notice| notice.told == Told::Once);
    let lines: Vec<String> = once.map(Notice::line).collect();
    party.keep_unseen(rows_of(&lines), by)?;
    let counted = ["later", "not taken yet", "of strangers"];
    let logged = notices.into_iter();
    Ok(logged
        .filter(|notice| notice.told == Told::Once || !counted.contains(&notice.begin))
        .collect())
}

/// Lines of a report as they are shown, one each.
fn rows_of(lines: &[String]) -> Vec<String> {
    let rows = lines.iter().map(|line| rows(core::slice::from_ref(line)));
    rows.collect()
}

/// An answer with what was heard while no person looked. What the vault cannot give stays in it.
pub(super) fn with_unseen(party: &Party, answer: Answer) -> Answer {
    let taken: Result<_, JourneyError> = party.take_unseen();
    let (unseen, more) = taken.unwrap_or_default();
    if unseen.is_empty() {
        return answer;
    }
    let mut answer = answer;
    let mut values = Vec::with_capacity(unseen.len());
    for row in unseen {
        let at = find::moment(row.at);
        let line = format!("\n{} (heard by {} at {at})", row.told, row.by);
        answer.text.push_str(&line);
        values.push(json!({"told": row.told, "by": row.by, "at": at}));
    }
    if more > 0 {
        answer.text.push_str(&format!(
            "\n{more} more such lines were not kept: `record list`, `grant list` and `audit` show what is so"
        ));
    }
    answer.value["heard"] = json!(values);
    answer.value["heardMore"] = json!(more);
    answer
}

/// A sync's report.
///
/// # Errors
/// If the vault fails.
pub fn told(party: &Party, report: &SyncReport) -> Result<Answer, Problem> {
    let accepted: Vec<String> = report.accepted.iter().map(ToString::to_string).collect();
    let refused: Vec<_> = report
        .not_accepted
        .iter()
        .map(|(record, because)| json!({"record": record.to_string(), "because": because}))
        .collect();
    let reads: Vec<_> = report
        .reads
        .iter()
        .map(|(record, name)| json!({"record": record.to_string(), "name": name}))
        .collect();
    let ended: Vec<String> = report.ended.iter().map(ToString::to_string).collect();
    let purged: Vec<String> = report.purged.iter().map(ToString::to_string).collect();
    let retracted: Vec<String> = report.retracted.iter().map(ToString::to_string).collect();
    let erased: Vec<String> = report.erased.iter().map(ToString::to_string).collect();
    let removed: Vec<&String> = report.files_removed.iter().map(|(_, file)| file).collect();
    let files: Vec<&String> = report.files_left.iter().map(|(_, file)| file).collect();
    let checked: Vec<_> = report
        .checked
        .iter()
        .map(
            |(record, due)| json!({"record": record.to_string(), "acceptedBy": find::moment(*due)}),
        )
        .collect();
    let last = report.checked.iter().map(|(_, due)| *due).max();
    let new = last.map_or_else(String::new, |last| {
        format!(
            "{} new, accepted at random times until {}; ",
            checked.len(),
            find::moment(last)
        )
    });
    let mut lines = vec![format!(
        "{new}{} accepted, {} not accepted, {} received, {}",
        accepted.len(),
        refused.len(),
        counted(report.grants, "consent"),
        counted(report.letters, "letter"),
    )];
    lines.extend(of(party, report)?.iter().map(Notice::line));
    let value = json!({
        "accepted": accepted, "new": checked, "notAccepted": refused, "grants": report.grants, "letters": report.letters,
        "delivered": report.delivered, "keys": report.keys, "ended": ended, "purged": purged, "reads": reads,
        "refused": report.refused.iter().map(|(record, told)| json!({"record": record.to_string(), "told": told})).collect::<Vec<_>>(),
        "retracted": retracted, "takenBack": said::taken_back_values(&report.taken_back),
        "corrected": said::corrected_values(&report.corrected), "alarms": report.alarms, "acts": acts::values(&report.acts), "later": report.later,
        "heldBack": retracted::held_back_values(&report.held_back),
        "waiting": report.waiting, "declined": report.declined, "done": report.done, "strangers": report.strangers,
        "erased": erased, "erasedWritten": written::erased_values(party, &report.erased_written)?, "told": report.told, "standing": report.standing, "filesRemoved": removed, "filesLeft": files, "gaveWay": report.gave_way, "missed": report.missed, "unexplained": report.unexplained, "unopened": report.unopened, "givenUp": report.given_up,
    });
    let open = report.later.len() + report.missed.len() + report.unopened + report.waiting.len();
    let code = if open > 0 { code::PARTIAL } else { 0 };
    Ok(Answer::new(value, rows(&lines)).with_code(code))
}

#[cfg(test)]
mod tests {
    use super::{Notice, Told};

    #[test]
    fn a_log_has_ids_and_blocks_and_no_word_of_anybody() {
        let id = format!("0x{}", "a1".repeat(32));
        let notice = Notice {
            begin: "taken back by its author",
            text: format!(
                "record {id} («HIV 0x{}») of owner {id} «Bed 7» at 2026-01-01 (block 12): Bit Clinic",
                "ff".repeat(8)
            ),
            told: Told::Once,
        };
        assert_eq!(
            notice.logged(),
            format!("taken back by its author: {id} {id} block 12; the next command tells it")
        );
    }
}
