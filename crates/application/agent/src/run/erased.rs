//! `medibloc record erase`, and what `record show` says afterwards.

use medibloc_journey::{
    CANNOT_BE_UNDONE, ErasedNow, ErasedView, Exports, FormerReader, Outputs, Party, counted,
};
use medibloc_record::RecordId;
use serde_json::{Value, json};

use super::name::Use;
use super::{find, name, said};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

/// What to do where an erasure would show that addresses belong together.
const WITH_OTHERS: &str =
    "say `--yes --now` if it cannot wait, or erase what is under another address on another day";

/// What the person said beside the record.
pub(super) struct Said {
    pub(super) yes: bool,
    pub(super) now: bool,
    pub(super) keep_exports: bool,
}

/// What is said of a record that the chain does not have.
fn off_chain(id: RecordId, what: &str, done: &ErasedNow) -> Answer {
    let mut lines = vec![format!(
        "erased {what}: nothing of it is left here. The chain as it stands does not have it, so nobody else was asked; should what \
         was signed for the chain that was left still come to this one, `medibloc sync` erases it there"
    )];
    let removed = done.files_removed.iter();
    lines.extend(removed.map(|file| format!("exported file removed: {file}")));
    let left = done.files_left.iter();
    lines.extend(left.map(|file| format!("exported file stays: {file}")));
    let value = json!({
        "record": id.to_string(), "here": true, "onChain": false, "statements": 0, "filesRemoved": done.files_removed,
        "filesLeft": done.files_left,
    });
    Answer::new(value, rows(&lines))
}

/// An own record that is here, or, by its whole id, one that only the chain tells of: a restore may not have come so far.
pub(super) async fn named(party: &Party, typed: &str) -> Result<RecordId, Problem> {
    let is_unknown = |problem: &Problem| problem.code == code::UNKNOWN;
    if let Err(problem) = name::known(party, typed, Use::Act).map(drop)
        && is_unknown(&problem)
        && let Ok(id) = typed.trim().parse::<RecordId>()
    {
        return match Box::pin(party.learn_anchor(id)).await? {
            true => Ok(id),
            false => Err(problem),
        };
    }
    name::record(party, typed, Use::Act)
}

pub(super) async fn erase(party: &Party, id: RecordId, said: Said) -> Result<Answer, Problem> {
    let Said {
        yes,
        now,
        keep_exports,
    } = said;
    let files = party.exports_of(id)?;
    // Its description goes with it.
    let what = name::described(party, id)?;
    let same = party.same_documents()?.remove(&id).unwrap_or_default();
    // An erasure that was begun is gone on with, whatever it shows: the chain may have it.
    let shown = match party.erasure_is_begun(id)? {
        true => Vec::new(),
        false => party.haste_of_erasing(id)?,
    };
    let shown: Vec<String> = shown.iter().map(ToString::to_string).collect();
    if !yes {
        let mut told = format!(
            "this erases {what}: here, at the keepers, at the nodes, on your other devices and at its readers; say --yes \
             if it is meant. It cannot be taken back, and this stays: {CANNOT_BE_UNDONE}"
        );
        let there: Vec<&str> = files
            .iter()
            .filter(|file| std::path::Path::new(&file.path).exists())
            .map(|file| file.path.as_str())
            .collect();
        if !there.is_empty() {
            told.push_str(&format!(
                "; exported files that go with it unless you say --keep-exports: {}",
                there.join(", ")
            ));
        }
        let moved: Vec<&str> = files
            .iter()
            .filter(|file| !std::path::Path::new(&file.path).exists())
            .map(|file| file.path.as_str())
            .collect();
        if !moved.is_empty() {
            told.push_str(&format!(
                "; exported files that are not where they were written, moved or deleted by somebody, and that you must look for \
                 yourself: {}",
                moved.join(", ")
            ));
        }
        if let Some(outputs) = party.outputs_of(id)? {
            told.push_str(&format!("; it was {}", output(outputs)));
        }
        if let Some(same) = same_document(&same) {
            told.push_str(&format!("; {same}"));
        }
        if !shown.is_empty() {
            told.push_str(&format!("; {}: {WITH_OTHERS}", shown.join("; ")));
        }
        return Err(Problem::new(code::USAGE, told));
    }
    if !shown.is_empty() && !now {
        return Err(Problem::new(
            code::USAGE,
            format!("{}; nothing was erased: {WITH_OTHERS}", shown.join("; ")),
        ));
    }
    let exports = match keep_exports {
        true => Exports::Keep,
        false => Exports::Delete,
    };
    let was_before = party.erased_view(id)?.is_some();
    let done = party.erase_with(id, exports).await?;
    if done.off_chain {
        return Ok(off_chain(id, &what, &done));
    }
    let needed = done.needed;
    let what = match was_before {
        true => format!("record {id} was erased before"),
        false => format!("erased {what}"),
    };
    let mut lines = vec![format!(
        "{what}; {} signed that the share is destroyed ({needed} make it final)",
        counted(done.statements, "keeper")
    )];
    let removed = done.files_removed.iter();
    lines.extend(removed.map(|file| format!("exported file removed: {file}")));
    lines.extend(
        done.files_left
            .iter()
            .map(|file| format!("exported file stays: {file}")),
    );
    let view = party.erased_view(id)?;
    if let Some(view) = view.as_ref().filter(|view| !view.erasure.here) {
        let by = by_whom(party, view)?;
        lines.insert(
            0,
            format!("it was erased before, {by}; nothing of it is left here"),
        );
    }
    lines.extend(view.iter().filter_map(|view| view.outputs).map(output));
    lines.extend(view.iter().flat_map(readers));
    lines.extend(same_document(&same));
    lines.push(format!("what cannot be undone: {CANNOT_BE_UNDONE}"));
    let value = json!({
        "sameDocument": same.iter().map(RecordId::to_string).collect::<Vec<_>>(),
        "record": id.to_string(), "here": view.as_ref().is_none_or(|view| view.erasure.here), "statements": done.statements, "needed": needed, "filesRemoved": done.files_removed, "filesLeft": done.files_left,
        "readers": view.as_ref().map_or(Value::Null, readers_value), "readersAsOfBlock": view.and_then(|view| view.erasure.read_until),
    });
    let code = if done.statements < needed {
        lines.push("`medibloc sync` asks the other keepers".into());
        code::PARTIAL
    } else if was_before {
        code::ERASED
    } else {
        0
    };
    Ok(Answer::new(value, rows(&lines)).with_code(code))
}

/// Which other records have the very document of one that is erased: they stay. Nothing if there are none.
fn same_document(same: &[RecordId]) -> Option<String> {
    let ids: Vec<String> = same.iter().map(RecordId::to_string).collect();
    let each = ids.iter().map(|id| {
        let short = id.get(..12).unwrap_or(id);
        format!("{id} (`medibloc record erase {short}` erases it)")
    });
    let each = each.collect::<Vec<_>>().join(", ");
    (!ids.is_empty()).then(|| format!("the very same document stays as record {each}"))
}

/// Who erased it, and where the chain says so, as far as that is known here.
fn by_whom(party: &Party, view: &ErasedView) -> Result<String, Problem> {
    let erasure = &view.erasure;
    if erasure.here {
        return Ok("by you, here".into());
    }
    let block = erasure.read_until;
    let block = block.map_or_else(String::new, |block| format!(", in block {block}"));
    let own = party.addresses()?;
    Ok(match own.iter().any(|own| own.id() == erasure.owner) {
        true => format!("by another device of yours{block}"),
        false => format!("by its owner{block}"),
    })
}

pub(super) async fn shown(party: &Party, view: &ErasedView) -> Result<Answer, Problem> {
    let erasure = &view.erasure;
    let at = find::moment(erasure.at);
    let by = by_whom(party, view)?;
    let owed = party.files_to_delete(erasure.record)?;
    let left = match (
        owed.is_empty(),
        view.files.is_empty() && view.files_lost.is_empty(),
    ) {
        (false, _) => "files that were written out of it are not deleted yet: run `medibloc sync`",
        (true, false) => "of it files are left that were written out, or may be",
        (true, true) => "nothing of it is left here",
    };
    let mut lines = vec![
        erasure.record.to_string(),
        format!("erased {at} {by}; {left}"),
        match view.erasure.signed.and_then(|signed| signed.needed) {
            None if !is_signed_known(view) => {
                "how many keepers signed that the share is destroyed is not known yet: `medibloc sync` asks them".to_owned()
            }
            Some(needed) if view.statements < needed => format!(
                "{} signed that the share is destroyed, {needed} make it final: it is not final yet, `medibloc sync` asks the others",
                counted(view.statements, "keeper")
            ),
            _ => format!(
                "{} signed that the share is destroyed",
                counted(view.statements, "keeper")
            ),
        },
    ];
    lines.extend(readers(view));
    lines.extend(view.files.iter().map(|file| match owed.contains(file) {
        true => format!("exported file to be deleted: {file}"),
        false => format!("exported file stays: {file}"),
    }));
    lines.extend(
        view.files_lost
            .iter()
            .map(|file| format!("exported file: {file}")),
    );
    lines.extend(view.outputs.map(output));
    // What its author said of it is the chain's, and outlives it: who relied on it must know.
    let now = said::Now::of(party, erasure.record).await?;
    lines.extend(now.warnings(erasure.record));
    lines.push(format!("what cannot be undone: {CANNOT_BE_UNDONE}"));
    let mut value = json!({
        "record": erasure.record.to_string(), "state": "erased", "at": at, "here": erasure.here,
        "readers": readers_value(view), "readersAsOfBlock": erasure.read_until,
        "statements": is_signed_known(view).then_some(view.statements),
        "needed": erasure.signed.and_then(|signed| signed.needed), "files": view.files, "filesLost": view.files_lost, "outputs": find::outputs_value(view.outputs), "cannotBeUndone": CANNOT_BE_UNDONE,
    });
    now.note(erasure.record, &mut value);
    said::note_corrections(&now.corrections.of(erasure.record), &mut value);
    Ok(Answer::new(value, rows(&lines)))
}

/// What no program can delete.
fn output(outputs: Outputs) -> String {
    format!(
        "written to standard output {}, the last on {}: it cannot be deleted there",
        counted(outputs.times, "time"),
        find::moment(outputs.last)
    )
}

/// Who was cleared to read it, and up to which block that is known: after the erasure nobody is.
fn readers(view: &ErasedView) -> Vec<String> {
    let known = match view.erasure.read_until {
        Some(block) => format!("as of block {block}, that of the erasure"),
        None => {
            "as of the last sync: `medibloc sync` looks at what came between it and the erasure"
                .into()
        }
    };
    if !are_readers_known(view) {
        let told =
            "who was cleared to read it before is not known yet: `medibloc sync` asks the chain";
        return vec![told.into()];
    }
    if view.readers.is_empty() {
        return vec![format!("nobody was cleared to read it before ({known})")];
    }
    let mut lines = vec![format!("who was cleared to read it before ({known}):")];
    for reader in &view.readers {
        let mut line = format!(
            "cleared to read it before: {} ({})",
            reader.name,
            counted(reader.reads, "receipt")
        );
        match (reader.has_purged, reader.purged) {
            (true, Some(at)) => line.push_str(&format!(
                "; it says that it purged its copy, {}",
                find::moment(at)
            )),
            (true, None) => line.push_str("; it says that it purged its copy"),
            (false, _) => line.push_str("; this home has not been told that it purged its copy"),
        }
        line.push_str(&reader.left.to_string());
        lines.push(line);
    }
    lines
}

/// Whether anybody looked at its receipts: nobody is nobody only then.
const fn are_readers_known(view: &ErasedView) -> bool {
    view.erasure.read_until.is_some() || !view.readers.is_empty()
}

/// Whether anybody asked its keepers.
const fn is_signed_known(view: &ErasedView) -> bool {
    view.erasure.signed.is_some() || view.statements > 0
}

/// Null if they are not known.
fn readers_value(view: &ErasedView) -> Value {
    if !are_readers_known(view) {
        return Value::Null;
    }
    let reader = |reader: &FormerReader| {
        json!({
            "name": reader.name, "reads": reader.reads, "hasPurged": reader.has_purged, "purged": reader.purged.map(find::moment),
            "filesKept": find::files_kept(reader.has_purged, reader.left.files, reader.left.unknown),
            "outputs": find::outputs_value(reader.left.outputs),
        })
    };
    view.readers.iter().map(reader).collect()
}
