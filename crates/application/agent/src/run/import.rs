//! `medibloc record import`: whether the document was written before, and what came of it.

use medibloc_consent::Reason;
use medibloc_journey::{Erasure, JourneyError, Named, Party, WriteOptions, counted_as};
use medibloc_record::{AccountId, Digest, Draft, EntryOutcome, Kind, RecordId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{find, retracted, said, unread};
use crate::answer::code;
use crate::convert::About;
use crate::{Answer, Problem};

/// Refuses a document that was written before, unless it is to be written `again`: a record stands on chain for ever, and the same
/// document twice is most likely a mistake. Gives the records of it that their owner erased, of which nothing is left here but their
/// tombstones: an interface that sends a document again and again must not bring back what was erased.
pub(super) async fn former(
    party: &Party,
    owner: Option<AccountId>,
    draft: &Draft,
    again: bool,
) -> Result<Vec<RecordId>, Problem> {
    let original = Digest::of(&draft.original);
    let mut goes_on = false;
    for before in party.written_before(owner, &original)? {
        let record = before.record;
        if party.is_left_with_its_chain(record).await? {
            continue;
        }
        match party.must_not_be_gone_now(record).await {
            Ok(()) => {}
            // Its tombstone is here from now on.
            Err(JourneyError::Erased { .. }) => continue,
            Err(error) => return Err(error.into()),
        }
        // What was taken back is no reason to leave it at that, and none to write it once more by mistake.
        let back = retracted::by_oneself(party, record).await?;
        if again || (before.is_on_its_way && back.is_none()) {
            goes_on |= before.is_on_its_way && back.is_none();
            continue;
        }
        let back = back.map(|when| format!(", and you took it back{}", said::place(when)));
        return Err(Problem::new(
            code::ALREADY,
            format!(
                "this very document is record {record} of that owner already{}; nothing was written. `--again` writes it \
                 as another record",
                back.unwrap_or_default()
            ),
        ));
    }
    let erased = party.erased_before(owner, &original)?;
    let erased: Vec<RecordId> = erased.iter().map(|erasure| erasure.record).collect();
    match erased.first() {
        Some(record) if !again && !goes_on => Err(Problem::new(
            code::ERASED,
            format!(
                "this very document was record {}; nothing was written, and nothing of that record is left here. If it is meant \
                 all the same, `--again` writes it as another record",
                told(party, *record)?
            ),
        )),
        _ => Ok(erased),
    }
}

/// That a record was erased, when and where.
fn told(party: &Party, record: RecordId) -> Result<String, Problem> {
    let (erasure, own) = (party.erasure(record)?, party.addresses()?);
    let is_own = |it: &Erasure| own.iter().any(|own| own.id() == it.owner);
    let by = match &erasure {
        Some(erasure) if is_own(erasure) && erasure.here => "you",
        Some(erasure) if is_own(erasure) => "another device of yours",
        _ => "its owner",
    };
    let place = erasure.as_ref().map_or_else(String::new, |it| {
        let block = it.read_until;
        let block = block.map_or_else(String::new, |block| format!(" (block {block})"));
        format!(" at {}{block}", find::moment(it.at))
    });
    Ok(format!("{record}, which {by} erased{place}"))
}

/// The same for programs.
fn erased_value(party: &Party, record: RecordId) -> Result<Value, Problem> {
    let erasure = party.erasure(record)?;
    Ok(json!({
        "record": record.to_string(), "at": erasure.as_ref().map(|it| find::moment(it.at)),
        "block": erasure.and_then(|it| it.read_until),
    }))
}

/// A refusal, with what can be done where the owner permits no writing: a correction is a record of its own, which the contracts
/// take from who may write alone.
fn not_permitted(error: JourneyError, options: &WriteOptions) -> Problem {
    let is_it = error.rule() == Some(Reason::NoWriteGrant);
    let mut problem = Problem::from(error);
    if is_it {
        problem.message.push_str(
            ": the owner's `medibloc grant create --to … --write` gives it, then say this again",
        );
        if let Some(amended) = &options.amends {
            problem.message.push_str(&format!(
                "; a correction is a record of its own and needs it, too. That the record is not to be relied on you can say without: \
                 `medibloc record retract {}`",
                &amended.record_id().to_string()[..12]
            ));
        }
    }
    problem
}

/// Writes it. `erased` are records of the same document that their owner erased.
pub(super) async fn run(
    party: &Party,
    draft: Draft,
    owner: Option<AccountId>,
    options: &WriteOptions,
    erased: &[RecordId],
) -> Result<Answer, Problem> {
    let count = |outcome| draft.loss.count(outcome);
    let (converted, narrative, lost) = (
        count(EntryOutcome::Converted),
        count(EntryOutcome::KeptAsNarrative),
        count(EntryOutcome::Lost),
    );
    let hash = hex::encode(Sha256::digest(&draft.original));
    let labels = About::of(&draft);
    let named = Named::of(&draft.fhir);
    let document = named.person().cloned();
    let about = document.clone().filter(|_| owner.is_some());
    let written = match owner {
        Some(owner) => {
            let written = party.write_as(owner, draft, options).await;
            written.map_err(|error| not_permitted(error, options))?
        }
        None => party.write_own_as(Kind::Own, draft, options).await?,
    };
    let former = erased.iter().map(|record| erased_value(party, *record));
    let mut value = json!({
        "erasedBefore": former.collect::<Result<Vec<_>, _>>()?,
        "record": written.record.to_string(), "owner": written.owner.to_string(), "sha256": hash,
        "keepers": written.keepers, "acknowledged": written.acknowledged,
        "facts": {"converted": converted, "keptAsNarrative": narrative, "lost": lost},
        "patient": about.as_ref().map(retracted::subject_value), "patientUnread": unread::value(&named),
    });
    labels.note(&mut value);
    let code = if written.acknowledged < written.keepers {
        code::PARTIAL
    } else {
        0
    };
    let mut text = format!(
        "{}\nsealed, stored and anchored; {} of {} a share\n{} converted, {narrative} kept as narrative, {lost} only in the original\n{}",
        written.record,
        written.acknowledged,
        counted_as(written.keepers, "keeper holds", "keepers hold"),
        counted_as(converted, "fact", "facts"),
        labels.told()
    );
    for record in erased {
        let former = told(party, *record)?;
        text.push_str(&format!("\nthe same document was record {former}"));
    }
    if let Some(about) = &about {
        text.push_str(&format!(
            "\nthe document names {}: if that is not the patient of {}, `medibloc record retract {}` takes it back",
            retracted::subject(about),
            find::owner(party, written.owner)?,
            &written.record.to_string()[..12]
        ));
    }
    if let Some(why) = named.unread() {
        text.push_str(&format!(
            "\n{}: no standing consent passes it on before its owner says that it is theirs",
            unread::told(why)
        ));
    }
    if let Some(about) = document.filter(|_| owner.is_none())
        && !party.is_owner_known()?
    {
        text.push_str(&format!(
            "\nthe document names {}: is this you? `medibloc record confirm` says so once it is accepted, or say who you are: \
             `medibloc account person --name NAME --born DAY`",
            retracted::subject(&about)
        ));
    }
    Ok(Answer::new(value, text).with_code(code))
}
