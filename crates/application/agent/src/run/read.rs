//! What leaves a home in the clear: `medibloc read`, and `medibloc record export`.

use std::path::Path;

use medibloc_journey::{ExportedFile, Party, Subject};
use medibloc_record::{PartRole, RecordId};
use medibloc_seal::crypt4gh::Recipient;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{find, name, retracted, said};
use crate::answer::code;
use crate::command::{Read, is_standard_output};
use crate::{Answer, Problem};

/// `medibloc record export`
pub(super) fn export(
    party: &Party,
    id: RecordId,
    role: PartRole,
    recipient: Option<&Path>,
    out: &Path,
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
    let warned = said::warned(party, id)?;
    let mut value = json!({"file": out, "bytes": bytes.len(), "sha256": hash});
    said::note(party, &party.all_corrections()?, id, &mut value)?;
    if is_standard_output(out) {
        party.note_output(id)?;
        let text = format!("{} bytes to standard output{warned}", bytes.len());
        return Ok(Answer::new(value, text).with_output(core::mem::take(&mut *bytes)));
    }
    write_noted(party, id, out, &bytes, false)?;
    let text = format!("{} bytes to {}{warned}", bytes.len(), out.display());
    Ok(Answer::new(value, text))
}

/// What this home calls the owner of a record that it reads, if the record names somebody else.
async fn called_otherwise(
    party: &Party,
    record: RecordId,
    patient: Option<&Subject>,
) -> Result<Option<String>, Problem> {
    let held = party.held()?;
    let mut of = held
        .iter()
        .filter(|held| held.records().any(|of| of == record));
    let (Some(held), Some(patient)) = (of.next(), patient) else {
        return Ok(None);
    };
    let paired = held.artefact.paired;
    let is_known = party.is_known_as(paired, patient).await?;
    Ok(party.label(paired)?.filter(|_| !is_known))
}

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
        find::must_be_new(out)?;
    }
    if command.later {
        party.plan_read(id).await?;
        return Ok(Answer::new(
            json!({"record": id.to_string(), "planned": true}),
            "it is opened at a random time of the next day; `medibloc read --kept` shows it then",
        ));
    }
    let read = match command.kept {
        // Whoever asks for the copy asks for no new read, which its owner would see.
        true => party.kept_copy_now(id).await?,
        false => {
            super::must_be_meant(
                &party.haste_of_reading(&[id])?,
                command.haste,
                "`--later` opens it at a random time of the next day",
            )?;
            match command.retracted {
                true => party.read_retracted(id).await?,
                false => party.read(id).await?,
            }
        }
    };
    // A copy that is kept is from before; what the chain says now counts, and what this home heard if it says nothing.
    let facts = party.ports().facts.record(id).await;
    let (when, taken_back) = match facts {
        Ok(facts) if facts.is_some_and(|facts| facts.retracted) => {
            (party.taken_back_now(id).await?, Some(true))
        }
        Ok(_) => (None, Some(false)),
        Err(_) => {
            let when = party.taken_back(id)?;
            (when, when.map(|_| true))
        }
    };
    let mut bytes = Vec::new();
    party.open_read_part(&read, PartRole::Original, &mut bytes)?;
    let hash = hex::encode(Sha256::digest(&bytes));
    match out {
        Some(out) => write_noted(party, id, out, &bytes, command.keep)?,
        None if piped => party.note_output(id)?,
        None => {}
    }
    let patient = party.named_in(&read);
    let (amends, by) = (party.amends(id)?, party.corrections(id)?);
    let called = called_otherwise(party, id, patient.as_ref()).await?;
    let mut value = json!({
        "calledOtherwise": called,
        "amends": amends.map(|of| of.to_string()),
        "patient": patient.as_ref().map(retracted::subject_value),
        "retracted": taken_back, "retractedAt": said::place_value(when),
        "record": id.to_string(), "title": read.manifest.title, "receipt": read.receipt.id.to_string(),
        "block": read.receipt.outcome.block, "bytes": bytes.len(), "sha256": hash, "file": command.out,
    });
    said::note_corrections(&by, &mut value);
    let text = format!(
        "{}{}\nit names {}{}\nreceipt {} in block {}; {} bytes, SHA-256 {hash}{}",
        match taken_back {
            Some(true) => format!(
                "ITS AUTHOR TOOK IT BACK{}: do not rely on it\n",
                said::place(when)
            ),
            _ => String::new(),
        },
        find::told(read.manifest.title.as_deref().unwrap_or("untitled")),
        patient
            .as_ref()
            .map_or_else(|| "nobody".to_owned(), retracted::subject),
        called.as_ref().map_or_else(String::new, |label| format!(
            "; WARNING: this home calls its owner «{}»",
            find::told(label)
        )),
        read.receipt.id,
        read.receipt.outcome.block,
        bytes.len(),
        said::corrections(amends, &by)
    );
    let answer = Answer::new(value, text);
    Ok(if piped {
        answer.with_output(bytes)
    } else {
        answer
    })
}

/// Writes a file that the vault remembers: it is found again when the record goes.
fn write_noted(
    party: &Party,
    record: RecordId,
    path: &Path,
    bytes: &[u8],
    keep: bool,
) -> Result<(), Problem> {
    find::must_be_new(path)?;
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
    };
    party.note_export(&file)?;
    let written = find::write_new(&path, bytes);
    // What may be there after all stays noted.
    if written.is_err() && !path.exists() {
        party.forget_export(&file)?;
    }
    written
}
