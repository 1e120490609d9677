//! What leaves a home in the clear: `medibloc read`, and `medibloc record export`.

use std::collections::BTreeSet;
use std::path::Path;

use medibloc_consent::Purpose;
use medibloc_journey::{Artefact, ExportedFile, JourneyError, Party, ReadRecord, Subject};
use medibloc_record::{GrantId, PartRole, RecordId};
use medibloc_seal::crypt4gh::Recipient;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{find, name, retracted, said, unread, who};
use crate::answer::code;
use crate::command::{Read, is_standard_output};
use crate::new_file::{must_be_new, write_new};
use crate::{Answer, Problem};

/// What is to be said before an own record is written out; refused if something is, unless that is meant.
pub(super) async fn warned(party: &Party, id: RecordId, yes: bool) -> Result<Warned, Problem> {
    let now = said::Now::of(party, id).await?;
    let mut lines = now.warnings(id);
    let kept = party.record(id)?;
    if party.of_another_person()?.contains(&id) {
        lines.push(format!(
            "{}, another person than your other records",
            unread::names(&kept.named)
        ));
    }
    if let Some(why) = kept.named.unread().filter(|_| kept.may_name_anybody()) {
        lines.push(unread::told(why));
    }
    if !lines.is_empty() && !yes {
        return Err(Problem::new(
            code::USAGE,
            format!(
                "{}: {}; nothing was written. Say --yes if it is meant",
                name::described(party, id)?,
                lines.join("; ")
            ),
        ));
    }
    lines.extend(now.only_known.clone());
    Ok(Warned { now, lines })
}

/// What was said before.
pub(super) struct Warned {
    now: said::Now,
    lines: Vec<String>,
}

/// `medibloc record export`
pub(super) fn export(
    party: &Party,
    (id, role): (RecordId, PartRole),
    recipient: Option<&Path>,
    out: &Path,
    warned: &Warned,
) -> Result<Answer, Problem> {
    let mut bytes = Zeroizing::new(Vec::new());
    match recipient {
        None => party.open_own_part(&party.record(id)?, role, &mut *bytes)?,
        Some(file) => {
            let text = find::text(file)?;
            let recipient = Recipient::parse(&text).map_err(|error| {
                Problem::new(
                    code::INPUT,
                    format!("{}: {error}; `crypt4gh-keygen` makes one", file.display()),
                )
            })?;
            party.export_crypt4gh(id, role, &[recipient], &mut *bytes)?;
        }
    }
    let hash = hex::encode(Sha256::digest(&bytes));
    let mut value = json!({
        "file": out, "bytes": bytes.len(), "sha256": hash, "otherPerson": unread::other_person(&party.record(id)?, &party.of_another_person()?),
    });
    warned.now.note(id, &mut value);
    let told = warned.lines.iter().map(|line| format!("\n{line}"));
    let warned: String = told.collect();
    if is_standard_output(out) {
        party.note_output(id, None)?;
        let text = format!("{} bytes to standard output{warned}", bytes.len());
        return Ok(Answer::new(value, text).with_output(core::mem::take(&mut *bytes)));
    }
    write_noted(party, (id, None), out, &bytes, false)?;
    let text = format!("{} bytes to {}{warned}", bytes.len(), out.display());
    Ok(Answer::new(value, text))
}

/// What this home calls the owner of a record that it reads, if the record names somebody else.
async fn called_otherwise(
    party: &Party,
    record: RecordId,
    patient: Option<&Subject>,
) -> Result<Option<String>, Problem> {
    let mut of = None;
    for held in party.held()? {
        if party.opens(&held, record)? {
            of = Some(held);
            break;
        }
    }
    let (Some(held), Some(patient)) = (of, patient) else {
        return Ok(None);
    };
    let paired = held.artefact.paired;
    let is_known = party.is_known_as(paired, patient).await?;
    Ok(party.label(paired)?.filter(|_| !is_known))
}

/// The consent that a record is read on: the one that is named; none, for the one that lasts longest, if all are for one purpose.
fn on(party: &Party, id: RecordId, typed: Option<&str>) -> Result<Option<GrantId>, Problem> {
    let all = party.consents_that_open(id)?;
    let ids = |artefact: &Artefact| artefact.grant.as_ref().map(|grant| grant.id);
    let told = || {
        let each = all
            .iter()
            .filter_map(|artefact| Some(who::basis(ids(artefact)?, Some(artefact), "")));
        each.collect::<Vec<_>>().join("; ")
    };
    if let Some(typed) = typed {
        let plain = |id: &str| id.trim().to_lowercase().trim_start_matches("0x").to_owned();
        let begin = plain(typed);
        let fits =
            |id: &GrantId| begin.len() >= MOST_SHORT && plain(&id.to_string()).starts_with(&begin);
        let mut found = all.iter().filter_map(ids).filter(fits);
        return match (found.next(), found.next()) {
            (Some(one), None) => Ok(Some(one)),
            _ => Err(Problem::new(
                code::UNKNOWN,
                format!(
                    "no consent that opens record {id} here begins with {}, or more than one does; nothing was read. These open it: {}",
                    find::told(typed),
                    told()
                ),
            )),
        };
    }
    let purposes: BTreeSet<Purpose> = all.iter().map(|artefact| artefact.purpose).collect();
    if purposes.len() > 1 {
        return Err(Problem::new(
            code::USAGE,
            format!(
                "consents for different purposes open this record, and what it is read for stands on the chain: say on which one, `--on \
                 CONSENT`. Nothing was read. {}",
                told()
            ),
        ));
    }
    Ok(None)
}

/// A refusal that is of one consent, with the others that open the record here: for another purpose none is read on by itself.
fn with_others(
    party: &Party,
    id: RecordId,
    tried: Option<GrantId>,
    mut problem: Problem,
) -> Problem {
    if problem.code != code::REFUSED {
        return problem;
    }
    let all = party.consents_that_open(id).unwrap_or_default();
    let id_of = |artefact: &Artefact| artefact.grant.as_ref().map(|grant| grant.id);
    // Where the consent that it was tried on stands, the reason is another: it would be refused on any.
    if all.iter().any(|artefact| id_of(artefact) == tried) {
        return problem;
    }
    let others = all
        .iter()
        .filter_map(|artefact| Some(who::basis(id_of(artefact)?, Some(artefact), "")));
    let others: Vec<String> = others.collect();
    if !others.is_empty() {
        problem.message.push_str(&format!(
            "; this home knows another: {}; `medibloc read` with `--on CONSENT` reads on it",
            others.join("; ")
        ));
    }
    problem
}

/// Signs of an id that must be typed at least.
const MOST_SHORT: usize = 6;

/// `medibloc read`
pub(super) async fn run(party: &Party, command: &Read) -> Result<Answer, Problem> {
    let id = name::readable(party, &command.record)?;
    let (piped, out) = match command.out.as_deref() {
        Some(out) if is_standard_output(out) => (true, None),
        out => (false, out),
    };
    if piped && command.keep {
        return Err(Problem::new(
            code::USAGE,
            "--keep is about a file, and standard output is none",
        ));
    }
    // A receipt cannot be taken back.
    if let Some(out) = out {
        must_be_new(out)?;
    }
    let on = match command.kept {
        true => None,
        false => on(party, id, command.on.as_deref())?,
    };
    if command.later {
        let planned = party.plan_read(id, on).await?;
        let kept = "`medibloc read --kept` shows it";
        let told = match (planned, party.ports().pace.is_now()) {
            (true, _) => format!("it is opened at a random time of the next day; {kept} then"),
            (false, true) => format!("it was opened now, for this home's pace is `now`: {kept}"),
            (false, false) => {
                format!("nothing is planned: a copy that was read on that consent is here, {kept}")
            }
        };
        let value = json!({"record": id.to_string(), "planned": planned});
        return Ok(Answer::new(value, told));
    }
    let longest = party.consents_that_open(id)?.into_iter().next();
    let tried = on.or(longest.and_then(|artefact| Some(artefact.grant?.id)));
    let read = match command.kept {
        // Whoever asks for the copy asks for no new read, which its owner would see.
        true => kept_copy(party, id).await?,
        false => {
            super::must_be_meant(
                &party.haste_of_reading(&[id])?,
                command.haste,
                "`--later` opens it at a random time of the next day",
            )?;
            let read = match command.retracted {
                true => party.read_retracted(id, on).await,
                false => party.read_on(id, on).await,
            };
            match read {
                Ok(read) => read,
                Err(error) => {
                    return Err(with_others(
                        party,
                        id,
                        tried,
                        said::of_erased(party, id, error).await,
                    ));
                }
            }
        }
    };
    // A copy that is kept is from before, and no sync may have come since: what the chain says now counts.
    let now = said::Now::of(party, id).await?;
    let when = now.taken_back.flatten();
    let taken_back = match (&now.only_known, now.taken_back) {
        (Some(_), None) => None,
        (_, said) => Some(said.is_some()),
    };
    let mut bytes = Vec::new();
    party.open_read_part(&read, PartRole::Original, &mut bytes)?;
    let hash = hex::encode(Sha256::digest(&bytes));
    let grant = read.receipt.grant;
    match out {
        Some(out) => write_noted(party, (id, Some(grant)), out, &bytes, command.keep)?,
        None if piped => party.note_output(id, Some(grant))?,
        None => {}
    }
    let named = party.named_in(&read);
    let patient = named.person();
    let (amends, by) = (party.amends(id)?, now.corrections.of(id));
    let called = called_otherwise(party, id, patient).await?;
    let is_it = |of: &Artefact| of.grant.as_ref().is_some_and(|of| of.id == grant);
    let mut held = party.held()?.into_iter().map(|held| held.artefact);
    let artefact = held.find(is_it);
    let mut value = json!({
        "calledOtherwise": called,
        "grant": grant.to_string(), "purpose": artefact.as_ref().map(|artefact| artefact.purpose.code()),
        "amends": amends.map(|of| of.to_string()),
        "patient": patient.map(retracted::subject_value), "patientUnread": unread::value(&named),
        "retracted": taken_back, "retractedAt": said::place_value(when),
        "record": id.to_string(), "title": read.manifest.title, "receipt": read.receipt.id.to_string(),
        "block": read.receipt.outcome.block, "bytes": bytes.len(), "sha256": hash, "file": command.out,
        "onlyKnown": now.only_known,
    });
    said::note_corrections(&by, &mut value);
    let text = format!(
        "{}{}\n{}{}\nread on {}\nreceipt {} in block {}; {} bytes, SHA-256 {hash}{}{}",
        match taken_back {
            Some(true) => format!(
                "ITS AUTHOR TOOK IT BACK{}: do not rely on it\n",
                said::place(when)
            ),
            _ => String::new(),
        },
        find::told(read.manifest.title.as_deref().unwrap_or("untitled")),
        unread::names(&named),
        called.as_ref().map_or_else(String::new, |label| format!(
            "; WARNING: this home calls its owner «{}»",
            find::told(label)
        )),
        who::basis(grant, artefact.as_ref(), "`medibloc sync` looks for them"),
        read.receipt.id,
        read.receipt.outcome.block,
        bytes.len(),
        said::corrections(amends, &by),
        now.only_known
            .as_ref()
            .map_or_else(String::new, |told| format!("\n{told}"))
    );
    let answer = Answer::new(value, text);
    Ok(if piped {
        answer.with_output(bytes)
    } else {
        answer
    })
}

/// The kept copy, once the chain said that it may be shown.
async fn kept_copy(party: &Party, id: RecordId) -> Result<ReadRecord, Problem> {
    match party.kept_copy_now(id).await {
        Err(error @ JourneyError::Ledger(_)) => {
            let mut problem = Problem::from(error);
            problem.message.push_str(
                "; the kept copy is not shown: whether it was erased, taken back or its consent ended is not known until the chain \
                 answers",
            );
            Err(problem)
        }
        Err(error) => Err(said::of_erased(party, id, error).await),
        Ok(copy) => Ok(copy),
    }
}

/// Writes a file that the vault remembers: it is found again when the record goes.
fn write_noted(
    party: &Party,
    (record, grant): (RecordId, Option<GrantId>),
    path: &Path,
    bytes: &[u8],
    keep: bool,
) -> Result<(), Problem> {
    must_be_new(path)?;
    let path = std::path::absolute(path)?;
    let Some(text) = path.to_str() else {
        return Err(Problem::new(
            code::INPUT,
            "the file's name is not valid UTF-8; choose another",
        ));
    };
    let file = ExportedFile {
        path: text.to_owned(),
        record,
        at: party.ports().clock.now(),
        sha256: medibloc_record::Digest::of(bytes),
        keep,
        lost: false,
        grant,
    };
    party.note_export(&file)?;
    let written = write_new(&path, bytes);
    // What may be there after all stays noted.
    if written.is_err() && !path.exists() {
        party.forget_export(&file)?;
    }
    written
}
