//! `medibloc record …` and `medibloc read`.

use std::path::Path;

use medibloc_journey::{
    Corrections, ExportedFile, KeptRecord, Party, SentRecord, Standing, Subject, WriteOptions,
    counted_as,
};
use medibloc_record::{AccountId, ClassId, Draft, EntryOutcome, Kind, PartRole, RecordId};
use medibloc_seal::crypt4gh::Recipient;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::name::{self, Known, Use};
use super::{erased, find, retracted, said, verify, written};
use crate::answer::code;
use crate::command::{Part, Read, Record, is_standard_output};
use crate::{Answer, Problem, convert};

pub(super) async fn run(party: &Party, command: &Record) -> Result<Answer, Problem> {
    match command {
        Record::Import {
            file,
            owner,
            class,
            amends,
            again,
            other_person,
            yes,
        } => {
            let draft = convert::read(file)?;
            let owner = owner.as_deref().map(|owner| name::owner(party, owner));
            let owner = owner.transpose()?;
            if !again {
                must_be_new(party, owner, &draft).await?;
            }
            let amended = match amends {
                Some(amended) => Some(name::written(party, amended)?),
                None => None,
            };
            if let Some(owner) = owner.filter(|_| !other_person) {
                retracted::must_be_one_person(party, owner, &draft, amended).await?;
            }
            if let Some(owner) = owner.filter(|_| !other_person && !yes) {
                retracted::must_be_known(party, owner, &draft).await?;
            }
            let mut options = WriteOptions::default().in_class(ClassId(*class));
            if *other_person {
                options = options.naming_another();
            }
            if let Some(amended) = amended {
                options = options.amending(party.amendable(amended)?);
            }
            import(party, draft, owner, &options).await
        }
        Record::List { written: true } => written::list(party).await,
        Record::List { written: false } => list(party),
        Record::Show { record } => {
            let id = match name::known(party, record, Use::Look)? {
                Known::Own(id) => id,
                Known::Sent(sent) => {
                    let (state, more) = on_its_way(&sent);
                    let text = format!("{}\n{state}: {more}", sent.record);
                    return Ok(Answer::new(sent_value(&sent), text));
                }
                Known::Written(view) => return written::show(party, &view).await,
                other => return Err(name::not_mine(&other)),
            };
            let kept = party.record(id)?;
            if let Some(erased) = party.erased_view(kept.record())? {
                return Ok(erased::shown(&erased));
            }
            let others = party.of_another_person()?;
            let (mut value, mut text) =
                (value(party, &kept, &others)?, shown(party, &kept, &others)?);
            if kept.retracted {
                let (standing, told) = retracted::author_now(party, &kept).await;
                value["authorStanding"] = json!(standing);
                text.push_str(told);
            }
            said::note(party, &party.all_corrections()?, kept.record(), &mut value)?;
            let by = party.corrections(kept.record())?;
            said::note_corrections(&by, &mut value);
            text.push_str(&said::corrections(kept.anchor.amends, &by));
            let mut lacking = party.without_correction(find::known_now(party).await?)?;
            lacking.retain(|one| one.record == id);
            value["withoutCorrection"] = said::without_values(&lacking).into();
            let lacking = said::without(&lacking).into_iter();
            text.extend(lacking.map(|line| format!("\n{line}")));
            if kept.standing == Standing::Checked {
                let when = party.accepted_by(kept.record())?.map(find::moment);
                text.push_str(&match &when {
                    Some(when) => format!(
                        "\nit is accepted at a random time, {when}; `request approve --record … --now` gives it at once"
                    ),
                    None => "\nit waits until enough keepers have their share; `medibloc sync` asks them again".into(),
                });
                value["acceptedBy"] = json!(when);
            }
            Ok(Answer::new(value, text))
        }
        Record::Confirm { record } => retracted::confirm(party, record).await,
        Record::Verify { record } => verify::record(party, record).await,
        Record::Store { record } => {
            let id = name::record(party, record, Use::Act)?;
            let (held, of) = party.store_again(id).await?;
            let (exit, more) = if held == of {
                (0, "")
            } else {
                (
                    code::UNREACHABLE,
                    "; the others do not take it now: do it again later",
                )
            };
            Ok(Answer::new(
                json!({"record": id.to_string(), "stored": true, "keepers": of, "acknowledged": held}),
                format!(
                    "the node has all of {id}, {held} of {of} keepers hold a share{more}; `medibloc record verify` recomputes it"
                ),
            )
            .with_code(exit))
        }
        Record::Export {
            record,
            part,
            crypt4gh,
            out,
        } => {
            let id = name::record(party, record, Use::Look)?;
            let role = match part {
                Part::Original => PartRole::Original,
                Part::Fhir => PartRole::Fhir,
                Part::Report => PartRole::Index,
            };
            // Another device of the phrase may have erased it.
            party.must_not_be_erased_now(id).await?;
            export(party, id, role, crypt4gh.as_deref(), out)
        }
        Record::Retract { record, yes, now } => retracted::retract(party, record, *yes, *now).await,
        Record::Erase {
            record,
            yes,
            now,
            keep_exports,
        } => {
            let id = name::record(party, record, Use::Act)?;
            let said = erased::Said {
                yes: *yes,
                now: *now,
                keep_exports: *keep_exports,
            };
            erased::erase(party, id, said).await
        }
    }
}

fn list(party: &Party) -> Result<Answer, Problem> {
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    let (others, corrections) = (party.of_another_person()?, party.all_corrections()?);
    for kept in party.records()? {
        let mut value = value(party, &kept, &others)?;
        said::note(party, &corrections, kept.record(), &mut value)?;
        values.push(value);
        lines.push(line(party, &kept, &others, &corrections)?);
    }
    for sent in party.sent_records()? {
        values.push(sent_value(&sent));
        lines.push(format!(
            "{}  -  {}  {}",
            &sent.record.to_string()[..12],
            find::told(sent.title.as_deref().unwrap_or("untitled")),
            on_its_way(&sent).0
        ));
    }
    let written = party.written_views()?.len();
    if written > 0 {
        let own = if lines.is_empty() {
            "no own records; "
        } else {
            ""
        };
        lines.push(format!(
            "{own}{} written for others: `medibloc record list --written`",
            counted_as(written, "record was", "records were")
        ));
    }
    Ok(Answer::list(
        values.into(),
        &lines,
        "no records yet; `medibloc record import FILE` makes one",
    ))
}

/// A record stands on chain for ever: the same document twice is most likely a mistake.
async fn must_be_new(
    party: &Party,
    owner: Option<AccountId>,
    draft: &Draft,
) -> Result<(), Problem> {
    let original = medibloc_record::Digest::of(&draft.original);
    if party.is_being_written(&original)? {
        return Ok(());
    }
    match party.written_before(owner, &original)? {
        None => Ok(()),
        Some(record) => {
            // What was taken back is no reason to leave it at that, and none to write it once more by mistake.
            let back = match retracted::by_oneself(party, record).await? {
                Some(when) => format!(", and you took it back{}", said::place(when)),
                None => String::new(),
            };
            Err(Problem::new(
                code::ALREADY,
                format!(
                    "this very document is record {record} of that owner already{back}; nothing was written. `--again` writes it \
                     as another record"
                ),
            ))
        }
    }
}

async fn import(
    party: &Party,
    draft: Draft,
    owner: Option<AccountId>,
    options: &WriteOptions,
) -> Result<Answer, Problem> {
    let count = |outcome| draft.loss.count(outcome);
    let (converted, narrative, lost) = (
        count(EntryOutcome::Converted),
        count(EntryOutcome::KeptAsNarrative),
        count(EntryOutcome::Lost),
    );
    let hash = hex::encode(Sha256::digest(&draft.original));
    let about = owner.and_then(|_| Subject::of(&draft.fhir));
    let written = match owner {
        Some(owner) => party.write_as(owner, draft, options).await?,
        None => party.write_own_as(Kind::Own, draft, options).await?,
    };
    let value = json!({
        "record": written.record.to_string(), "owner": written.owner.to_string(), "sha256": hash,
        "keepers": written.keepers, "acknowledged": written.acknowledged,
        "entries": {"converted": converted, "keptAsNarrative": narrative, "lost": lost},
        "patient": about.as_ref().map(retracted::subject_value),
    });
    let code = if written.acknowledged < written.keepers {
        code::PARTIAL
    } else {
        0
    };
    let mut text = format!(
        "{}\nsealed, stored and anchored; {} of {} a share\n{} converted, {narrative} kept as narrative, {lost} only in the original",
        written.record,
        written.acknowledged,
        counted_as(written.keepers, "keeper holds", "keepers hold"),
        counted_as(converted, "entry", "entries")
    );
    if let Some(about) = &about {
        text.push_str(&format!(
            "\nthe document names {}: if that is not the patient of {}, `medibloc record retract {}` takes it back",
            retracted::subject(about),
            written.owner,
            &written.record.to_string()[..12]
        ));
    }
    Ok(Answer::new(value, text).with_code(code))
}

fn export(
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

pub(super) async fn read(party: &Party, command: &Read) -> Result<Answer, Problem> {
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
        "label": called,
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

/// How far an own record is that no sync has taken yet, and what to do.
fn on_its_way(sent: &SentRecord) -> (&'static str, String) {
    match sent.anchored {
        false => (
            "sealed, not sent yet",
            "`medibloc sync` goes on with it".to_owned(),
        ),
        true => (
            "sent, not accepted yet",
            format!(
                "it stands on chain and {} a share; `medibloc sync` accepts it",
                counted_as(sent.acknowledged, "keeper holds", "keepers hold")
            ),
        ),
    }
}

fn sent_value(sent: &SentRecord) -> Value {
    let state = if sent.anchored { "sent" } else { "sealed" };
    json!({"record": sent.record.to_string(), "state": state, "title": sent.title})
}

fn standing<'a>(
    party: &Party,
    kept: &'a KeptRecord,
) -> Result<(&'static str, Option<&'a str>), Problem> {
    Ok(match &kept.standing {
        Standing::Erased => ("erased", None),
        _ if party.erasure_is_begun(kept.record())? => (
            "being erased",
            Some("that was begun and waits for the node; `medibloc sync` goes on with it"),
        ),
        Standing::Checked => ("checked", None),
        Standing::Accepted => ("accepted", kept.unopened()),
        Standing::NotAccepted { because } => ("not accepted", Some(because)),
    })
}

fn value(party: &Party, kept: &KeptRecord, others: &[RecordId]) -> Result<Value, Problem> {
    let (state, because) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    Ok(json!({
        "record": kept.record().to_string(), "state": state, "because": because, "retracted": kept.retracted,
        "title": manifest.and_then(|manifest| manifest.title.clone()),
        "patient": kept.subject.as_ref().map(retracted::subject_value),
        "otherPerson": others.contains(&kept.record()), "confirmed": kept.confirmed,
        "kind": kept.anchor.kind, "class": kept.anchor.class, "amends": kept.anchor.amends.map(|of| of.to_string()), "author": kept.anchor.author.to_string(), "owner": kept.anchor.owner.to_string(),
        "category": manifest.map(|manifest| manifest.category),
        "written": manifest.and_then(|manifest| manifest.times.written.clone()),
        "authoredAt": manifest.map(|manifest| find::moment(manifest.times.authored_at)),
        "parts": manifest.map(|manifest| manifest.parts.iter().map(|part| json!({
            "role": part.role, "mediaType": part.media_type, "bytes": part.length,
            "sha256": hex::encode(part.plaintext.as_bytes()),
        })).collect::<Vec<_>>()),
    }))
}

fn line(
    party: &Party,
    kept: &KeptRecord,
    others: &[RecordId],
    corrections: &Corrections,
) -> Result<String, Problem> {
    let (state, _) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    if kept.standing == Standing::Erased {
        return Ok(format!(
            "{}  -  -  erased",
            &kept.record().to_string()[..12]
        ));
    }
    let mark = said::mark(party, corrections, kept.record())?;
    let state = match kept.retracted && !mark.contains("taken back") {
        true => format!("{state}, taken back by its author{mark}"),
        false => format!("{state}{mark}"),
    };
    let other = match others.contains(&kept.record()) {
        true => ", names another person than your other records",
        false => "",
    };
    Ok(format!(
        "{}  {}  {}  {state}{other}",
        &kept.record().to_string()[..12],
        find::told(
            manifest
                .and_then(|manifest| manifest.times.written.as_deref())
                .unwrap_or("-")
        ),
        find::told(
            manifest
                .and_then(|manifest| manifest.title.as_deref())
                .unwrap_or("untitled")
        ),
    ))
}

fn shown(party: &Party, kept: &KeptRecord, others: &[RecordId]) -> Result<String, Problem> {
    let (state, because) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    let title = manifest.and_then(|manifest| manifest.title.as_deref());
    let written = manifest.and_then(|manifest| manifest.times.written.as_deref());
    let contacts = party.contacts()?.into_iter();
    let mut author = contacts.filter(|contact| contact.party == kept.anchor.author);
    let author = match (kept.anchor.kind.is_written_by_owner(), author.next()) {
        (true, _) => " (you)".to_owned(),
        (false, Some(contact)) => format!(" ({})", find::told(&contact.name)),
        (false, None) => String::new(),
    };
    let mut lines = vec![
        format!(
            "{}  {}  {}",
            kept.record(),
            find::told(written.unwrap_or("-")),
            find::told(title.unwrap_or("untitled"))
        ),
        match because {
            Some(because) => format!("{state}: {because}"),
            None => state.to_owned(),
        },
        format!("author {}{author}", kept.anchor.author),
        match kept.anchor.class {
            ClassId::UNDISCLOSED => "class 0: no consent to classes covers it".into(),
            class => format!("class {}", class.0),
        },
    ];
    if kept.retracted {
        let when = said::place(party.taken_back(kept.record())?);
        lines.push(format!(
            "its author took it back{when}: do not rely on it; it stays yours, and `medibloc record erase` erases it"
        ));
    }
    if let Some(subject) = &kept.subject {
        let said = match kept.confirmed {
            true => ", and you said that it is about you",
            false => "",
        };
        lines.push(format!("it names {}{said}", retracted::subject(subject)));
    }
    if others.contains(&kept.record()) {
        lines.push(
            "it names another person than your other records, so no standing consent passes it on: if it is not yours, give it \
             to nobody, tell its author, who can take it back, and erase it; if it is, `medibloc record confirm` says so"
                .into(),
        );
    }
    for part in kept.manifest.iter().flat_map(|manifest| &manifest.parts) {
        lines.push(format!(
            "{:?}  {}  {} bytes",
            part.role,
            find::told(&part.media_type),
            part.length
        ));
    }
    Ok(lines.join("\n"))
}
