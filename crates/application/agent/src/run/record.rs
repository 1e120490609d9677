//! `medibloc record …`

use medibloc_journey::{
    Corrections, KeptRecord, Named, Party, SentRecord, Standing, WriteOptions, counted_as,
};
use medibloc_record::{ClassId, PartRole, RecordId};
use serde_json::{Value, json};

use super::elsewhere::Elsewhere;
use super::name::{self, Known, Use};
use super::{
    erased, find, import, known, limits, read, readers, retracted, said, store, unread, verify,
    written,
};
use crate::command::{Part, Record, is_standard_output};
use crate::{Answer, Problem, convert, new_file};

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
            sensitivity,
        } => {
            let mut draft = convert::read(file)?;
            if let Some(sensitivity) = sensitivity {
                draft.raise((*sensitivity).into(), "said at the import");
            }
            let owner = owner.as_deref().map(|owner| name::owner(party, owner));
            let owner = owner.transpose()?;
            let erased = import::former(party, owner, &draft, *again).await?;
            let amended = match amends {
                Some(amended) => Some(name::written(party, amended).await?),
                None => None,
            };
            if let Some(owner) = owner.filter(|_| !other_person) {
                retracted::must_be_one_person(party, owner, &draft, amended).await?;
            }
            if let Some(owner) = owner.filter(|_| !other_person && !yes) {
                known::must_be_known(party, owner, &draft).await?;
            }
            let mut options = WriteOptions::default().in_class(ClassId(*class));
            if *other_person {
                options = options.naming_another();
            }
            if let Some(amended) = amended {
                options = options.amending(party.amendable(amended)?);
            }
            import::run(party, draft, owner, &options, &erased).await
        }
        Record::List { written: true } => written::list(party).await,
        Record::List { written: false } => list(party).await,
        Record::Show { record } => {
            // Another device of the phrase, or its owner, may have erased it.
            let elsewhere = Elsewhere::of(party).await?;
            let id = match name::known(party, record, Use::Look)? {
                Known::Own(id) => id,
                Known::Sent(sent) => {
                    let (state, more) = on_its_way(&sent);
                    let text = format!("{}\n{state}: {more}", sent.record);
                    return Ok(Answer::new(sent_value(&sent), text));
                }
                Known::Written(view) => return written::show(party, &view).await,
                Known::Erased(id) => {
                    let refused = name::not_mine(&Known::Erased(id));
                    return Err(said::of_erased(party, id, refused).await);
                }
                other => return Err(name::not_mine(&other)),
            };
            let mut kept = party.record(id)?;
            if let Some(erased) = party.erased_view(kept.record())? {
                return erased::shown(party, &erased).await;
            }
            let others = party.of_another_person()?;
            let now = said::Now::of(party, id).await?;
            kept.retracted |= now.taken_back.is_some();
            let readers = readers::Readers::of(party, id, elsewhere).await?;
            let mut value = value(party, &kept, &others)?;
            let mut text = shown(party, &kept, &others, &now, &readers)?;
            readers.note(&mut value);
            if !kept.anchor.kind.is_written_by_owner() {
                let (standing, told) = retracted::author_now(party, &kept).await;
                value["authorStanding"] = json!(standing);
                text.push_str(told);
            }
            now.note(id, &mut value);
            let without = party.consents_without(&kept, find::known_now(party).await?)?;
            let ids = without.iter().map(|(id, ..)| id.to_string());
            let same = party.same_documents()?.remove(&id).unwrap_or_default();
            value["sameDocument"] = same
                .iter()
                .map(RecordId::to_string)
                .collect::<Vec<_>>()
                .into();
            if !same.is_empty() {
                text.push_str(&format!(
                    "\nit is{}",
                    same_document(&same).trim_start_matches(',')
                ));
            }
            value["leftOutOf"] = ids.collect::<Vec<_>>().into();
            let limited = limits::shown(party, &kept, &without)?.into_iter();
            text.extend(limited.map(|line| format!("\n{line}")));
            let by = now.corrections.of(id);
            said::note_corrections(&by, &mut value);
            text.push_str(&said::own(kept.anchor.amends, &by));
            let mut lacking = party.without_correction(find::known_now(party).await?)?;
            lacking.retain(|one| one.record == id);
            value["withoutCorrection"] = said::without_values(&lacking).into();
            let lacking = said::without(&party.names()?, &lacking).into_iter();
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
        Record::Store { record, all } => store::run(party, record.as_deref(), *all).await,
        Record::Export {
            record,
            part,
            crypt4gh,
            out,
            yes,
        } => {
            if !is_standard_output(out) {
                new_file::must_be_new(out)?;
            }
            let id = name::record(party, record, Use::Look)?;
            let role = match part {
                Part::Original => PartRole::Original,
                Part::Fhir => PartRole::Fhir,
                Part::Report => PartRole::Index,
            };
            // Another device of the phrase may have erased it.
            party.must_not_be_erased_now(id).await?;
            let warned = read::warned(party, id, *yes).await?;
            read::export(party, (id, role), crypt4gh.as_deref(), out, &warned)
        }
        Record::Retract { record, yes, now } => retracted::retract(party, record, *yes, *now).await,
        Record::Erase {
            record,
            yes,
            now,
            keep_exports,
        } => {
            let id = erased::named(party, record).await?;
            let said = erased::Said {
                yes: *yes,
                now: *now,
                keep_exports: *keep_exports,
            };
            erased::erase(party, id, said).await
        }
    }
}

async fn list(party: &Party) -> Result<Answer, Problem> {
    // Another device of the phrase may have erased some.
    let elsewhere = Elsewhere::of(party).await?;
    let (mut values, mut lines) = (Vec::new(), Vec::new());
    let (others, corrections) = (party.of_another_person()?, said::all(party).await?);
    let same = party.same_documents()?;
    for kept in party.records()? {
        let mut value = value(party, &kept, &others)?;
        let same = same.get(&kept.record()).map_or(&[][..], Vec::as_slice);
        value["sameDocument"] = same
            .iter()
            .map(RecordId::to_string)
            .collect::<Vec<_>>()
            .into();
        said::note(party, &corrections, kept.record(), &mut value)?;
        values.push(value);
        let mark = same_document(same);
        lines.push(line(party, &kept, &others, &corrections)? + &mark);
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
    lines.extend(elsewhere.only_known.filter(|_| !lines.is_empty()));
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

/// Behind a record in a list: which others are of the very same document.
fn same_document(same: &[RecordId]) -> String {
    let ids = same.iter().map(RecordId::to_string);
    let ids: Vec<String> = ids
        .map(|id| id.get(..12).unwrap_or(&id).to_owned())
        .collect();
    match ids.is_empty() {
        true => String::new(),
        false => format!(", the same document as {}", ids.join(", ")),
    }
}

/// How far an own record is that no sync has taken yet, and what to do.
fn on_its_way(sent: &SentRecord) -> (&'static str, String) {
    match sent.anchored {
        false => (
            "sealed, not seen on the chain yet",
            "`medibloc sync` looks there and goes on with it".to_owned(),
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
        Standing::Checked | Standing::Accepted if kept.is_off_chain() => {
            ("not on this chain", kept.warning.as_deref())
        }
        Standing::Checked => ("checked", None),
        Standing::Accepted => ("accepted", kept.unopened()),
        Standing::NotAccepted { because } => ("not accepted", Some(because)),
    })
}

fn value(party: &Party, kept: &KeptRecord, others: &[RecordId]) -> Result<Value, Problem> {
    let (state, because) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    let mut value = json!({
        "record": kept.record().to_string(), "state": state, "because": because, "retracted": kept.retracted,
        "contentIsHere": kept.manifest.is_some(),
        "title": manifest.and_then(|manifest| manifest.title.clone()),
        "patient": kept.named.person().map(retracted::subject_value), "patientUnread": unread::value(&kept.named),
        "otherPerson": unread::other_person(kept, others), "confirmed": kept.confirmed,
        "kind": kept.anchor.kind, "class": kept.anchor.class, "amends": kept.anchor.amends.map(|of| of.to_string()), "author": kept.anchor.author.to_string(), "owner": kept.anchor.owner.to_string(),
        "category": manifest.map(|manifest| manifest.category),
        "written": manifest.and_then(|manifest| manifest.times.written.clone()),
        "authoredAt": manifest.map(|manifest| find::moment(manifest.times.authored_at)),
        "parts": manifest.map(|manifest| manifest.parts.iter().map(|part| json!({
            "role": part.role, "mediaType": part.media_type, "bytes": part.length,
            "sha256": hex::encode(part.plaintext.as_bytes()),
        })).collect::<Vec<_>>()),
    });
    limits::note_labels(kept, &mut value);
    Ok(value)
}

fn line(
    party: &Party,
    kept: &KeptRecord,
    others: &[RecordId],
    corrections: &Corrections,
) -> Result<String, Problem> {
    let (state, _) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    let mark = said::mark(party, corrections, kept.record())?;
    if kept.standing == Standing::Erased {
        return Ok(format!(
            "{}  -  -  erased{mark}",
            &kept.record().to_string()[..12]
        ));
    }
    let state = match kept.retracted && !mark.contains("taken back") {
        true => format!("{state}, taken back by its author{mark}"),
        false => format!("{state}{mark}"),
    };
    let other = match (others.contains(&kept.record()), kept.named.unread()) {
        (true, _) => ", names another person than your other records".to_owned(),
        (false, Some(why)) => format!(", {}", unread::told(why)),
        (false, None) => String::new(),
    };
    // Why not, `record show` says.
    let lacks = match kept.unopened() {
        Some(_) => ", its content is not here",
        None => "",
    };
    Ok(format!(
        "{}  {}  {}  {state}{lacks}{other}{}",
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
        limits::mark(kept),
    ))
}

fn shown(
    party: &Party,
    kept: &KeptRecord,
    others: &[RecordId],
    now: &said::Now,
    readers: &readers::Readers,
) -> Result<String, Problem> {
    let (state, because) = standing(party, kept)?;
    let manifest = kept.manifest.as_ref();
    let title = manifest.and_then(|manifest| manifest.title.as_deref());
    let written = manifest.and_then(|manifest| manifest.times.written.as_deref());
    let contacts = party.contacts()?.into_iter();
    let mut author = contacts.filter(|contact| contact.party == kept.anchor.author);
    let author = match (kept.anchor.kind.is_written_by_owner(), author.next()) {
        (true, _) => " (you)".to_owned(),
        (false, Some(contact)) => format!(" ({})", party.names()?.contact(&contact)),
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
        match manifest {
            Some(manifest) => format!("category {}", limits::categories(&[manifest.category])),
            None => "its category is not known here".into(),
        },
        format!("author {}{author}", kept.anchor.author),
        match kept.anchor.class {
            ClassId::UNDISCLOSED => "class 0: no consent to classes covers it".into(),
            class => format!("class {}", class.0),
        },
    ];
    if kept.retracted {
        let when = said::place(now.taken_back.flatten());
        lines.push(format!(
            "its author took it back{when}: do not rely on it; it stays yours, and `medibloc record erase` erases it"
        ));
    }
    if !matches!(kept.named, Named::Nobody) {
        let said = match (kept.confirmed, kept.retracted) {
            (true, false) => ", and you said that it is about you",
            (true, true) => {
                ", and you said that it is about you, which counts no more since its author took it back"
            }
            _ => "",
        };
        lines.push(format!("{}{said}", unread::names(&kept.named)));
    }
    lines.extend(unread::todo(kept));
    if others.contains(&kept.record()) {
        let passed_on = match readers.have_it() {
            true => {
                "no other standing consent passes it on than those below, which have it already"
            }
            false => "no standing consent passes it on",
        };
        let todo = match kept.retracted {
            true => "if it is not yours, give it to nobody and erase it",
            false => {
                "if it is not yours, give it to nobody, tell its author, who can take it back, and erase it; if it is, `medibloc \
                 record confirm` says so"
            }
        };
        lines.push(format!(
            "it names another person than your other records, so {passed_on}: {todo}"
        ));
    }
    lines.extend(readers.told());
    lines.extend(now.only_known.clone().or_else(|| readers.only_known()));
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
