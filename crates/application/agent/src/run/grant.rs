//! `medibloc grant …`

use std::collections::BTreeMap;

use medibloc_consent::{ClassSet, Scope as Granted};
use medibloc_journey::{
    AccessRequest, AllGranted, ConsentTimes, Extent, GrantState, GrantView, Left, Limits, Party,
    PendingRequest, Said, Sooner, counted, counted_as,
};
use medibloc_record::{AccountId, ClassId, GrantId, RecordId, Sensitivity, Timestamp};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{
    besides, contact, dropped, find, limits, name, permitted, researcher, retracted, revoke, said,
    wider,
};
use crate::answer::{code, rows};
use crate::command::{CreateGrant, Grant, Haste, Scope, UpTo};
use crate::{Answer, Problem};

impl From<UpTo> for Sensitivity {
    fn from(up_to: UpTo) -> Self {
        match up_to {
            UpTo::Normal => Self::Normal,
            UpTo::Restricted => Self::Restricted,
            UpTo::VeryRestricted => Self::VeryRestricted,
        }
    }
}

pub(super) async fn run(party: &Party, command: &Grant) -> Result<Answer, Problem> {
    match command {
        Grant::Create(create) => give(party, create).await,
        Grant::List => list(party).await,
        Grant::Revoke {
            everything: true,
            later,
            ..
        } => revoke::everything(party, *later).await,
        Grant::Revoke {
            contact: Some(contact),
            ..
        } => revoke::contact(party, contact).await,
        Grant::Revoke { grant, .. } => {
            revoke::one(party, grant.as_deref().unwrap_or_default()).await
        }
    }
}

/// Sends consents at once if somebody waits. Gives what is to be told of the time.
pub(super) async fn hasten(
    party: &Party,
    grants: Vec<GrantId>,
    haste: Haste,
) -> Result<String, Problem> {
    let what = Sooner::Grants(grants);
    if haste.now {
        party.bring_forward(&what).await?;
        return Ok(String::new());
    }
    Ok(match party.last_of(&what)? {
        None => String::new(),
        Some(due) => format!(
            "; it goes at random times until {} (`--now` if somebody waits)",
            find::moment(due)
        ),
    })
}

async fn give(party: &Party, create: &CreateGrant) -> Result<Answer, Problem> {
    if create.scope.is_none() && !create.write {
        return Err(Problem::new(
            code::USAGE,
            "say what may be read: --record ID, --class NUMBER or --all; or --write, to let it write for you. Nothing was given",
        ));
    }
    let contact = name::contact(party, &create.to)?;
    find::clock_must_be_right(party).await?;
    let until = find::in_days(party, create.days).await?;
    let Some(scope) = create.scope.as_ref().filter(|_| !create.write) else {
        if create.haste.now {
            // Before anything is kept.
            super::must_be_meant(
                &party.haste_of_permitting(),
                create.haste,
                "nothing is permitted now; without `--now` it goes at a random time",
            )?;
        }
        let answer = permitted::give(party, &contact, until, create.haste).await?;
        return with_standing(party, contact.own, answer).await;
    };
    if contact.unused.is_empty() {
        return Err(Problem::new(
            code::FAILED,
            format!(
                "{} has no unused reader address left that this home knows; nothing was given. Run `medibloc sync` first, which fetches \
                 those that it sent; if there is none then, ask it to send a request",
                party.names()?.contact(&contact)
            ),
        ));
    }
    let purpose = researcher::purpose(party, &contact, create.purpose).await?;
    // The same offer for the same purpose until the same second is the same; what was taken back can be offered again.
    let mut id = Sha256::new();
    id.update(b"offer");
    id.update(contact.own.as_bytes());
    id.update(until.0.to_be_bytes());
    id.update(purpose.code());
    id.update(
        serde_json::to_vec(scope).map_err(|error| Problem::new(code::FAILED, error.to_string()))?,
    );
    let asked = scope_of(party, scope)?;
    let also = meant_too(party, scope)?;
    let said = as_said(scope, (asked, until), &also);
    let waits = besides::same_offer(party, contact.own, purpose, &said)?;
    let offer = PendingRequest {
        own: contact.own,
        id: waits.unwrap_or_else(|| id.finalize().into()),
        name: contact.name.clone(),
        request: AccessRequest {
            purpose,
            reason: String::new(),
            categories: Vec::new(),
            dates: None,
            until,
            readers: contact.unused.clone(),
            credential: None,
        },
        order: 0,
    };
    approve(party, (&offer, Whose::Offer), scope, until, create.haste).await
}

/// Where what is given comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The other side asked: what was planned to answer it before is dropped.
    Request,
    /// The person offers it. The same offer has the same id, and goes on.
    Offer,
}

/// Gives what a request asks for, or what is offered.
pub(super) async fn approve(
    party: &Party,
    (request, whose): (&PendingRequest, Whose),
    scope: &Scope,
    until: Timestamp,
    haste: Haste,
) -> Result<Answer, Problem> {
    let waiting = besides::waiting(party, request.own)?;
    let mut answer = Box::pin(approve_as(party, (request, whose), scope, until, haste)).await?;
    besides::tell(party, waiting, &mut answer)?;
    let left = party.notes_without_room(request.own)?;
    answer.value["notesWithoutRoom"] = json!(left);
    if left > 0 {
        let notes = counted(left, "note");
        answer.text.push_str(&format!(
            "\nthis address has no room at your node for {notes}, the oldest: a restore will not bring those consents' terms back; \
             `medibloc audit --proofs FOLDER` writes what they prove to files"
        ));
    }
    with_standing(party, request.own, answer).await
}

/// What was given, with how the authority lets its receiver act on it now.
async fn with_standing(
    party: &Party,
    own: AccountId,
    mut answer: Answer,
) -> Result<Answer, Problem> {
    let mut contacts = party.contacts()?.into_iter();
    let receiver = contacts.find(|contact| contact.own == own);
    let account = receiver.and_then(|contact| contact.card.account);
    let standing = match account {
        Some(account) => contact::standing(party, account).await,
        None => None,
    };
    answer.value["standing"] = json!(standing);
    match standing {
        Some("suspended") => answer.text.push_str(
            "\nWARNING: it is SUSPENDED by its authority: keepers give it nothing until it is reinstated, and what you gave stands then \
             (`medibloc grant revoke --contact` takes it back)",
        ),
        Some("not accredited") => answer
            .text
            .push_str(&format!("\nWARNING: it is {}", contact::LAPSED)),
        _ => {}
    }
    Ok(answer)
}

async fn approve_as(
    party: &Party,
    (request, whose): (&PendingRequest, Whose),
    scope: &Scope,
    until: Timestamp,
    haste: Haste,
) -> Result<Answer, Problem> {
    let name = &party.names()?.told(&request.name, Some(request.own));
    let asked = scope_of(party, scope)?;
    // So that what a program of before kept is what its labels say.
    party.read_labels_anew()?;
    let asked_for = &request.request;
    let only = Limits::new(scope.up_to.into(), &asked_for.categories, asked_for.dates);
    let also = meant_too(party, scope)?;
    if !scope.other_person {
        // Before anything is signed or kept.
        retracted::must_name_its_owner(party, asked, scope, &only)?;
    }
    let Some(extent) = extent_of(asked) else {
        return approve_one(party, (request, whose), (scope, asked), until, haste).await;
    };
    if haste.now {
        // Before anything is kept: a refusal gives nothing, now or later.
        super::must_be_meant(
            &party.haste_of_all(request, extent)?,
            haste,
            "nothing of it is given or planned now; without `--now` it goes at random times, one address at a time, and each address that \
             you get for a new contact later gives such a consent, too, by itself, either way",
        )?;
    }
    if whose == Whose::Request {
        party.drop_answer(request)?;
    }
    let AllGranted {
        grants, waiting, ..
    } = party
        .approve_all_and(request, extent, scope.up_to.into(), until, &also)
        .await?;
    let at = ends(party, &grants, until)?;
    let when = hasten(party, grants.clone(), haste).await?;
    let left_out = party.left_out(asked, &only)?;
    let beside = party.beside(asked, &only)?;
    let held = party.held_back(find::known_now(party).await?)?;
    let held = retracted::held_back(&held);
    let held = held.iter().map(|held| format!("\nheld back: {held}"));
    let held: String = held.collect();
    let more = match waiting.len() {
        0 => String::new(),
        many => {
            format!(
                "; {} until {name} sends another reader address",
                counted_as(many, "of your addresses waits", "of your addresses wait")
            )
        }
    };
    let mut value = json!({
        "grants": grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "waiting": waiting.len(), "to": request.name, "until": at, "followsByItself": true,
    });
    limits::note(&only, &left_out, beside, &mut value);
    Ok(Answer::new(
        value,
        format!(
            "{name} may read {}{} until {at}, those that come later too; {}{more}{when}{}\n\
             each address that you get for a new contact until then gives {name} such a consent, too, by itself: {name} learns that \
             the address is yours, and the ends of these consents match, which whoever watches the chain can see. `medibloc sync` \
             says each one; taking back any of them ends that one and keeps further addresses from following; the others stand and give \
             later records, too: `--contact` ends all{}{}{held}",
            match extent {
                Extent::All => "all your records".to_owned(),
                Extent::Classes(classes) => {
                    let classes: Vec<u8> = classes.numbers().collect();
                    format!("your records of class {}", numbers(&classes))
                }
            },
            match limits::told(&only) {
                only if only.is_empty() => only,
                only => format!("{only},"),
            },
            counted(grants.len(), "consent"),
            ids(&grants),
            match limits::told(&only).is_empty() {
                true => "",
                false => "\nthe chain lets no other record be read under it, whoever kept a key",
            },
            limits::line(&left_out, &only)
                .into_iter()
                .chain(limits::beside(beside))
                .map(|line| format!("\n{line}"))
                .collect::<String>(),
        ),
    ))
}

async fn approve_one(
    party: &Party,
    (request, whose): (&PendingRequest, Whose),
    (scope, asked): (&Scope, Granted),
    until: Timestamp,
    haste: Haste,
) -> Result<Answer, Problem> {
    let Granted::One(record) = asked else {
        return Err(no_scope());
    };
    let name = &party.names()?.told(&request.name, Some(request.own));
    let what = name::described(party, record)?;
    let now = said::Now::of(party, record).await?;
    let is_meant = scope.corrected || scope.retracted || now.taken_back.is_some();
    if let Some(newest) = now.corrections.newest(record).filter(|_| !is_meant) {
        return Err(Problem::new(
            code::REFUSED,
            format!("{what} {}", said::not_given(&newest)),
        ));
    }
    let sensitive = limits::must_be_meant(party, record, scope.up_to.into())?;
    let warned = wider::before_one(party, request, record, haste).await?;
    if whose == Whose::Request {
        party.drop_answer(request)?;
    }
    let (grant, taken_back) = match scope.retracted {
        false => (party.approve(request, record, until).await?, None),
        true => {
            let taken_back = party.taken_back_now(record).await?;
            let grant = party.approve_retracted(request, record, until).await?;
            (grant, taken_back)
        }
    };
    let at = ends(party, &[grant], until)?;
    let when = hasten(party, vec![grant], haste).await?;
    let already = beside(party, grant).await?;
    let told = already_told(name, &already);
    Ok(warned.with(Answer::new(
        json!({
            "grant": grant.to_string(), "record": record.to_string(), "to": request.name, "until": at, "beside": already,
            "retractedAt": said::place_value(taken_back),
            "correctedBy": now.corrections.newest(record).map(|one| one.record.to_string()),
            "sensitivity": party.record(record)?.sensitivity(), "sensitive": sensitive,
        }),
        format!(
            "{name} may read {what} until {at}; take it back with `medibloc grant revoke {grant}`{when}{told}{}{}{}",
            sensitive.as_ref().map_or_else(String::new, |told| format!("\nit is {told}")),
            now.warnings(record)
                .iter()
                .map(|told| format!("\n{told}"))
                .collect::<String>(),
            taken_back.map_or_else(String::new, |at| format!(
                "\n{name} is told that its author took it back{}, and opens it with `medibloc read --retracted` alone; tell {name} \
                 over another way why you give it",
                said::place(Some(at))
            ))
        ),
    )))
}

/// Other consents under which who was given this one reads the same: whoever gives it once more may not know that.
async fn beside(party: &Party, grant: GrantId) -> Result<Vec<String>, Problem> {
    let mut given = party.grants()?.into_iter();
    let Some((_, given)) = given.find(|(id, _)| *id == grant) else {
        return Ok(Vec::new());
    };
    let still = party.still_read(grant, &given).await?;
    Ok(still.iter().map(|one| one.id.to_string()).collect())
}

fn already_told(name: &str, already: &[String]) -> String {
    match already {
        [] => String::new(),
        ids => format!(
            "\n{name} may read it under {}, too: taking back one of them leaves the other",
            ids.join(", ")
        ),
    }
}

/// What the words mean, of records that are here and not erased.
pub(super) fn scope_of(party: &Party, scope: &Scope) -> Result<Granted, Problem> {
    match (&scope.record, scope.classes.as_slice(), scope.all) {
        (Some(record), ..) => {
            let record = name::record(party, record, name::Use::Act)?;
            party.must_not_be_erased(record)?;
            Ok(Granted::One(record))
        }
        (None, [], false) => Err(no_scope()),
        (None, [], true) => Ok(Granted::All),
        (None, classes, _) => {
            let classes: Vec<ClassId> = classes.iter().copied().map(ClassId).collect();
            Ok(Granted::Classes(ClassSet::of(&classes)))
        }
    }
}

/// What the words mean, with all their terms.
pub(super) fn as_said<'a>(
    scope: &Scope,
    (about, until): (Granted, Timestamp),
    also: &'a [RecordId],
) -> Said<'a> {
    Said {
        about,
        up_to: scope.up_to.into(),
        until,
        also,
        is_known_retracted: scope.retracted,
    }
}

/// Records of another person's name that are meant, too.
pub(super) fn meant_too(party: &Party, scope: &Scope) -> Result<Vec<RecordId>, Problem> {
    match scope.other_person {
        true => Ok(party.not_passed_on()?),
        false => Ok(Vec::new()),
    }
}

/// Which of several records; none if it is one.
pub(super) const fn extent_of(scope: Granted) -> Option<Extent> {
    match scope {
        Granted::One(_) => None,
        Granted::Classes(classes) => Some(Extent::Classes(classes)),
        Granted::All | Granted::Listed(_) => Some(Extent::All),
    }
}

fn no_scope() -> Problem {
    Problem::new(
        code::USAGE,
        "say what may be read: --record ID, --class NUMBER or --all",
    )
}

/// Consents, a line each, and how they end.
fn ids(grants: &[GrantId]) -> String {
    let lines = grants.iter().map(|id| format!("\n{id}"));
    let end = "\n`medibloc grant revoke ID` takes back one of them, `--contact NAME` all that this contact was given";
    lines.chain([end.to_owned()]).collect()
}

/// When consents really end: on a full day (a full hour, if they are shorter than two days), those of several addresses at several times, and none later than was asked for.
fn ends(party: &Party, grants: &[GrantId], asked: Timestamp) -> Result<String, Problem> {
    let given = party.grants()?;
    let ends: Vec<Timestamp> = given
        .into_iter()
        .filter(|(id, _)| grants.contains(id))
        .filter_map(|(_, given)| Some(given.artefact.grant?.terms.until))
        .collect();
    Ok(find::moment(ends.into_iter().max().unwrap_or(asked)))
}

/// Own addresses whose contacts the authority lets read nothing now, with how they stand, as far as the chain answers.
async fn not_in_good_standing(party: &Party) -> Result<BTreeMap<AccountId, &'static str>, Problem> {
    let mut found = BTreeMap::new();
    for one in party.contacts()? {
        let standing = match one.card.account {
            Some(account) => contact::standing(party, account).await,
            None => None,
        };
        if let Some(standing @ ("suspended" | "not accredited")) = standing {
            found.insert(one.own, standing);
        }
    }
    Ok(found)
}

async fn list(party: &Party) -> Result<Answer, Problem> {
    let (as_of, given) = party.given_as_of().await?;
    let held = party.held_views().await?;
    let only_known = find::only_known(&as_of);
    let called = party.names()?;
    let consents = party.grants()?.into_iter().chain(party.write_grants()?);
    let paired: BTreeMap<String, AccountId> = consents
        .map(|(id, given)| (id.to_string(), given.artefact.paired))
        .collect();
    let limited = limits::given(party)?;
    let stands_not = match only_known {
        None => not_in_good_standing(party).await?,
        Some(_) => BTreeMap::new(),
    };
    let standing = |view: &GrantView| {
        let to = paired
            .get(&view.id)
            .filter(|_| view.state == GrantState::Live)?;
        stands_not.get(to).copied()
    };
    let given_lines = given.iter().flat_map(|view| {
        let name = called.told(&view.name, paired.get(&view.id).copied());
        let more = match standing(view) {
            Some("suspended") => ", SUSPENDED by its authority: it is given nothing until it is reinstated",
            Some(_) => ", NOT ACCREDITED now: it is given nothing until its authority accredits it again",
            None => "",
        };
        let only = limited.get(&view.id).map(|only| match is_standing(view) {
            true => only.told(),
            false => only.told_of_ended(),
        });
        let only = only.unwrap_or_default();
        let is_only_on_chain = view.purpose == "unknown" && view.state == GrantState::Live;
        let not_read = is_only_on_chain.then(|| {
            format!(
                "    given by your phrase, and its terms are not read here: {}; `medibloc grant revoke {}` takes it back",
                find::told(&view.reason),
                view.id.get(..12).unwrap_or(&view.id)
            )
        });
        let given_before = limited.get(&view.id).filter(|_| is_standing(view));
        [line(view, &format!("to {name}{more}"), &only, true)]
            .into_iter()
            .chain(not_read)
            .chain(given_before.map_or_else(Vec::new, limits::Given::lines))
    });
    let corrections = said::all(party).await?;
    let mut held_lines = Vec::new();
    let from = party.held()?;
    for (view, grant) in held.iter().zip(&from) {
        let owner = find::owner(party, grant.artefact.paired)?;
        let only = limits::of(&grant.artefact);
        let only = only.map_or_else(String::new, |(_, only)| match is_standing(view) {
            true => limits::told(&only) + limits::worth(&only),
            false => limits::told(&only),
        });
        held_lines.push(line(view, &format!("held of {owner}"), &only, false));
        if grant.has_more() {
            held_lines.push(
                "    it is of more records than a home keeps of one owner: `medibloc read` with a record's whole id fetches its key"
                    .to_owned(),
            );
        }
        for record in &view.records {
            let mark = match record.parse() {
                Ok(record) => said::mark(party, &corrections, record)?,
                Err(_) => String::new(),
            };
            if !mark.is_empty() {
                held_lines.push(format!("    record {}{mark}", &record[..12]));
            }
        }
    }
    let lacking = party.without_correction(find::known_now(party).await?)?;
    let dropped = party.dropped_consents()?;
    let mut lines: Vec<String> = given_lines
        .chain(dropped.iter().map(|one| dropped::line(&called, one)))
        .chain(held_lines)
        .chain(said::without(&called, &lacking))
        .collect();
    let noted = party.noted_terms()?;
    if lines.is_empty() && noted > 0 {
        lines.push(format!(
            "no consents now; the terms of {} of before are in notes of this phrase, and `medibloc audit` tells what was read by them",
            counted(noted, "consent")
        ));
    } else if lines.is_empty() {
        lines.push("no consents yet; `medibloc request list` shows who asks".to_owned());
    }
    lines.splice(0..0, only_known.clone().or_else(|| find::as_of(&as_of)));
    let mut held_values = Vec::new();
    for (grant, view) in from.iter().zip(&held) {
        let paired = grant.artefact.paired;
        let mut consent = value(view);
        if let Some((_, only)) = limits::of(&grant.artefact) {
            limits::note_of_reader(&only, &mut consent);
        }
        held_values.push(json!({
            "owner": grant.owner.to_string(), "paired": paired.to_string(), "label": party.label(paired)?,
            "consent": consent, "records": view.records,
        }));
    }
    let given = given.iter().map(|view| {
        let mut value = value(view);
        value["suspended"] = json!(standing(view) == Some("suspended"));
        value["notAccredited"] = json!(standing(view) == Some("not accredited"));
        if let Some(of) = limited.get(&view.id) {
            of.note(&mut value);
        }
        value
    });
    let given: Vec<_> = given.collect();
    let was_dropped: Vec<_> = dropped.iter().map(dropped::value).collect();
    let value = json!({"given": given, "dropped": was_dropped, "held": held_values, "withoutCorrection": said::without_values(&lacking), "asOf": find::as_of_value(&as_of), "termsInNotes": noted});
    let code = only_known.map_or(0, |_| code::UNREACHABLE);
    Ok(Answer::new(value, rows(&lines)).with_code(code))
}

/// Classes as people read them.
pub(super) fn numbers(classes: &[u8]) -> String {
    let classes: Vec<String> = classes.iter().map(u8::to_string).collect();
    classes.join(", ")
}

/// For programs: times as everywhere in `--json`.
fn value(view: &GrantView) -> serde_json::Value {
    json!({
        "id": view.id, "name": view.name, "scope": view.scope, "classes": view.classes, "records": are_records_known(view).then_some(&view.records), "purpose": view.purpose,
        "reason": view.reason, "from": view.from.map(|at| find::moment(Timestamp(at))), "until": find::moment(Timestamp(view.until)),
        "state": view.state, "replacedBy": view.replaced_by, "given": given_value(&view.times), "revoked": view.revoked.then(|| end_value(&view.times, view.revoked_at)),
        "ordered": view.times.ordered_by_clock().map(find::moment), "orderedAfter": ordered_after(&view.times), "recordErased": view.record_erased.map(|at| find::moment(Timestamp(at))),
        "purged": view.purged, "files_kept": find::files_kept(view.purged, view.files_kept, view.files_unknown),
        "files_unknown": view.files_unknown, "ofLastSync": view.is_of_last_sync, "outputs": find::outputs_value(view.outputs),
    })
}

/// When it was given: on the chain, or said here and not there yet.
fn given_value(times: &ConsentTimes) -> serde_json::Value {
    json!({
        "block": times.given.map(|at| at.block), "time": times.given.and_then(|at| at.time).map(find::moment),
        "said": times.said.map(find::moment),
    })
}

/// The last block that this home had seen when the end was ordered.
fn ordered_after(times: &ConsentTimes) -> serde_json::Value {
    json!(
        times
            .seen
            .map(|at| json!({"block": at.block, "time": at.time.map(find::moment)}))
    )
}

/// When it was taken back: what was ordered here, and since when it is in force.
pub(super) fn end_value(times: &ConsentTimes, latest: Option<u64>) -> serde_json::Value {
    json!({
        "ordered": times.ordered_by_clock().map(find::moment), "orderedAfter": ordered_after(times), "block": times.ended.map(|at| at.block),
        "time": times.ended.and_then(|at| at.time).map(find::moment),
        "atTheLatest": latest.map(|at| find::moment(Timestamp(at))),
    })
}

fn given(times: &ConsentTimes) -> String {
    match (times.given, times.said) {
        (Some(at), _) => format!("given {}  ", find::in_block(at)),
        (None, Some(said)) => format!(
            "said {} by this machine's clock, not seen on the chain yet  ",
            find::moment(said)
        ),
        (None, None) => String::new(),
    }
}

/// How and when it was taken back, or that this is ordered; nothing if it is not.
fn ended(view: &GrantView, is_given: bool) -> String {
    let was_said = match view.state {
        GrantState::Revoked => "",
        _ if view.revoked => ", taken back",
        _ => "",
    };
    let mut known = find::since(&view.times);
    // Another home of the phrase ordered it, before a restore, say.
    if is_given && view.revoked && view.times.ended.is_some() && view.times.ordered.is_none() {
        known.push_str(" (when it was ordered is not known here)");
    }
    match (view.revoked, known.is_empty(), view.revoked_at) {
        (true, true, Some(at)) => format!(
            "{was_said} ({} at the latest, by this machine's clock; its block is not known here)",
            find::moment(Timestamp(at))
        ),
        (true, ..) => format!("{was_said}{known}"),
        (false, ..) => known,
    }
}

/// Whether it is in force, or about to be: what it leaves out matters then.
const fn is_standing(view: &GrantView) -> bool {
    use GrantState::{Ending, Live, Pending};
    matches!(view.state, Live | Pending | Ending)
}

/// What is not known where nobody has the terms of a consent: which records it has given.
fn are_records_known(view: &GrantView) -> bool {
    view.purpose != "unknown" || matches!(view.scope.as_str(), "one" | "write")
}

/// One consent; `only` says which records it gives.
fn line(view: &GrantView, whom: &str, only: &str, is_given: bool) -> String {
    let what = match view.scope.as_str() {
        "write" => "may write".to_owned(),
        "one" if view.records.is_empty() => "opens nothing any more".to_owned(),
        "one" => format!("may read {}", view.records.join(", ")),
        scope if !are_records_known(view) => {
            let what = match scope {
                "classes" => format!("class {}", numbers(&view.classes)),
                "listed" => "some records".to_owned(),
                scope => scope.to_owned(),
            };
            let may = match is_standing(view) {
                true => "may",
                false => "could",
            };
            format!("{may} read {what}: of which records it has given keys is not known here")
        }
        scope => {
            let what = match scope {
                "classes" => format!("class {}", numbers(&view.classes)),
                scope => scope.to_owned(),
            };
            let count = counted(view.records.len(), "record");
            // Of what has ended the limits are what was agreed, and the records those that are still at their owner's.
            match is_standing(view) {
                true => format!("may read {what}: {count} now{only}"),
                false if !is_given => format!("could read {what}{only}: {count} while it stood"),
                false => format!("could read {what}{only}: {count} of it still here"),
            }
        }
    };
    let given = match view.state {
        GrantState::Lost => String::new(),
        _ => given(&view.times),
    };
    let state = match view.state {
        GrantState::Erased => {
            let at = view
                .record_erased
                .map(|at| format!(" {}", find::moment(Timestamp(at))));
            format!(
                "opens nothing (the record was erased{}; `medibloc record show` says what readers have left)",
                at.unwrap_or_default()
            )
        }
        GrantState::Ending => {
            "being taken back (waits for the node, or for its time: `medibloc status`)".to_owned()
        }
        GrantState::Lost => {
            "on the lost chain; not on this one: nobody reads or writes by it".to_owned()
        }
        GrantState::Replaced => format!(
            "replaced by {}",
            view.replaced_by
                .as_deref()
                .and_then(|id| id.get(..12))
                .unwrap_or("a newer one")
        ),
        GrantState::Live if view.is_of_last_sync => "live as of the last sync".to_owned(),
        state => format!("{state:?}").to_lowercase(),
    };
    format!(
        "{}  {whom}  {what}  {}  {}until {}  {state}{}{}",
        view.id.get(..12).unwrap_or(&view.id),
        view.purpose,
        given,
        find::moment(Timestamp(view.until)),
        ended(view, is_given),
        match (view.purged, view.left()) {
            (false, _) => String::new(),
            (true, left) if left == Left::default() => ", copies purged".to_owned(),
            (true, left) => format!(", its copy is gone{left}"),
        }
    )
}
