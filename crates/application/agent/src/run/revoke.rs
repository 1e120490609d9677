//! `medibloc grant revoke`: what ended, for whom, and what of it stands on.

use std::collections::BTreeSet;

use medibloc_consent::Scope;
use medibloc_journey::{
    ConsentTimes, Contact, GivenGrant, NotTaken, Party, StillStanding, counted, counted_as,
};
use medibloc_record::GrantId;
use serde_json::{Value, json};

use super::elsewhere::Elsewhere;
use super::{find, name, wider};
use crate::answer::{code, rows};
use crate::{Answer, Problem};

mod everything;

pub(super) use everything::everything;

/// One consent, whichever device of the phrase gave it.
pub(super) async fn one(party: &Party, typed: &str) -> Result<Answer, Problem> {
    let elsewhere = Elsewhere::before_taking_back(party).await?;
    let mut named = name::grant(party, typed, elsewhere.not_taken());
    if named.as_ref().is_err_and(|it| it.code == code::UNKNOWN)
        && let Ok(standing) = Box::pin(party.consents_on_chain()).await
    {
        // A home of before may have passed over what it could not read.
        let known = party.grants()?.into_iter().chain(party.write_grants()?);
        let known: BTreeSet<GrantId> = known.map(|(id, _)| id).collect();
        let mut unknown = standing;
        unknown.retain(|it| !known.contains(&it.id));
        named = name::grant(party, typed, &unknown);
    }
    let named = named.map_err(|problem| match problem.code {
        code::UNKNOWN => elsewhere.beside(problem),
        _ => problem,
    })?;
    let ended = match &named {
        name::Given::NotTaken(given) => vec![given.id],
        _ => Vec::new(),
    };
    let done = match named {
        name::Given::Read(id, given) if given.revoked && !given.is_only_lost() => {
            let what = format!(
                "{} to read {}",
                party.names()?.given(&given),
                covered(party, &given)
            );
            match Box::pin(marked(party, id, given, &what)).await? {
                Marked::Stands(given) => read(party, id, &given, &elsewhere).await,
                Marked::Ended(answer) => Ok(answer),
            }
        }
        name::Given::Write(id, given) if given.revoked && !given.is_only_lost() => {
            let what = format!("{} to write for you", party.names()?.given(&given));
            match Box::pin(marked(party, id, given, &what)).await? {
                Marked::Stands(given) => write(party, id, &given).await,
                Marked::Ended(answer) => Ok(answer),
            }
        }
        name::Given::Read(id, given) => read(party, id, &given, &elsewhere).await,
        name::Given::Write(id, given) => write(party, id, &given).await,
        name::Given::NotTaken(given) => not_taken(party, &given).await,
    };
    elsewhere.without(&ended).after(done)
}

/// How a consent stands that is marked here as taken back.
enum Marked {
    /// The chain has it in force.
    Stands(Box<GivenGrant>),
    Ended(Answer),
}

/// Asks the chain: what this home marked may be wrong, and a consent that stands must not be called ended.
async fn marked(
    party: &Party,
    id: GrantId,
    mut given: Box<GivenGrant>,
    what: &str,
) -> Result<Marked, Problem> {
    let stands = party.stands_after_all(id).await;
    if let Ok(true) = stands {
        given.revoked = false;
        return Ok(Marked::Stands(given));
    }
    let mut answer = before(id, &given, &party.times_of(id)?, what);
    if stands.is_err() {
        answer.text.push_str(
            "; the chain does not say now whether that is so: say this again when it answers",
        );
    }
    Ok(Marked::Ended(answer))
}

/// One whose terms are not known here: the chain's fields are enough to end it.
async fn not_taken(party: &Party, given: &NotTaken) -> Result<Answer, Problem> {
    let whom = party.name_not_taken(given)?;
    let does = match given.scope {
        Some(_) => "read",
        None => "write",
    };
    party.revoke_not_taken(given).await?;
    let lines = [
        format!(
            "taken back: the consent {} for {whom} to {does}, given by your phrase; its terms were not read here, so {whom} is told \
             by the chain alone",
            given.id
        ),
        "if no device of yours gave it, your phrase is known to somebody: `medibloc account acts` says what to do".to_owned(),
    ];
    Ok(Answer::new(
        json!({
            "revoked": given.id.to_string(), "name": whom, "already": false,
            "records": Vec::<String>::new(), "still": Vec::<Value>::new(), "end": Value::Null, "others": Vec::<Value>::new(),
        }),
        rows(&lines),
    ))
}

async fn read(
    party: &Party,
    id: GrantId,
    given: &GivenGrant,
    elsewhere: &Elsewhere,
) -> Result<Answer, Problem> {
    let whom = party.names()?.given(given);
    let what = covered(party, given);
    if given.is_only_lost() {
        return lost(party, id, given, &format!("{whom} to read {what}"));
    }
    let was_sent = is_on_chain(party, id)?;
    let decision = party.ends_a_decision(given)?;
    party.revoke(id).await?;
    let still = party.still_read(id, given).await?;
    let may_still = party.may_still_read(given, &elsewhere.not_taken)?;
    let opens = match was_sent {
        true => party.key_opens_under(id, given).await?,
        false => Vec::new(),
    };
    let opens: Vec<StillStanding> = (opens.into_iter())
        .filter(|one| still.iter().all(|still| still.id != one.id))
        .collect();
    let times = ended(party, id).await?;
    // Whoever reads on under what is not known here is not said to have ended.
    let is_over = still.is_empty()
        && opens.is_empty()
        && may_still.is_empty()
        && elsewhere.only_known.is_none();
    let mut lines = vec![match (was_sent, is_over) {
        (false, _) => format!(
            "taken back before it was on the chain: the consent {id} for {whom} to read {what}"
        ),
        (true, true) => format!(
            "taken back: {whom} may no longer read {what}; keepers follow the chain: one that lags may release its share until it has seen \
             this block, five minutes at most, and then none does"
        ),
        (true, false) => format!("taken back: the consent {id} for {whom} to read {what}"),
    }];
    lines.extend(in_force(&times));
    lines.extend(find::clock_warning(party).await);
    lines.extend(stands_on(&whom, "read of it", given, &still));
    lines.extend(wider::kept_key(&whom, &opens));
    let may_still: Vec<String> = may_still.iter().map(ToString::to_string).collect();
    if !may_still.is_empty() {
        lines.push(format!(
            "whether {whom} can still read of it is not known here: on the chain another device of yours gave {} for it",
            may_still.join(", ")
        ));
    }
    let others = beside(party, (id, given), &whom, &still, &mut lines).await?;
    let (told, go_on) = party.what_goes_on(given, decision).await?;
    lines.extend(told);
    let go_on: Vec<String> = go_on.iter().map(ToString::to_string).collect();
    Ok(Answer::new(
        json!({
            "goOn": go_on, "revoked": id.to_string(), "name": given.artefact.name, "already": false, "mayStill": may_still, "keyOpensUnder": wider::ids(&opens),
            "records": given.artefact.records.iter().map(ToString::to_string).collect::<Vec<_>>(), "still": values(&still),
            "end": super::grant::end_value(&times, None), "others": values(&others),
        }),
        rows(&lines),
    ))
}

/// The contracts end what an author may write for an address as a whole.
async fn write(party: &Party, id: GrantId, given: &GivenGrant) -> Result<Answer, Problem> {
    let whom = party.names()?.given(given);
    if given.is_only_lost() {
        return lost(party, id, given, &format!("{whom} to write for you"));
    }
    let was_sent = is_on_chain(party, id)?;
    let stood = party.still_write(id, given).await?;
    party.revoke_write(id).await?;
    let still = party.still_write(id, given).await?;
    let times = ended(party, id).await?;
    let went = |one: &&StillStanding| still.iter().all(|other| other.id != one.id);
    let with: Vec<String> = stood
        .iter()
        .filter(went)
        .map(|one| one.id.to_string())
        .collect();
    let mut lines = vec![if was_sent {
        format!(
            "taken back: {whom} may no longer write for this address; nothing that it writes from now on stands"
        )
    } else {
        format!("taken back before it was on the chain: the consent {id} for {whom} to write")
    }];
    if !with.is_empty() {
        lines.push(format!(
            "with it ended the other consents of {whom} to write for this address, which the chain ends together: {}",
            with.join(", ")
        ));
    }
    lines.extend(in_force(&times));
    lines.extend(find::clock_warning(party).await);
    lines.extend(stands_on(&whom, "write for you", given, &still));
    let others = beside(party, (id, given), &whom, &still, &mut lines).await?;
    Ok(Answer::new(
        json!({
            "revoked": id.to_string(), "name": given.artefact.name, "already": false, "endedWithIt": with,
            "still": values(&still), "end": super::grant::end_value(&times, None), "others": values(&others),
        }),
        rows(&lines),
    ))
}

/// What else the contact has, beside what opens the same: whoever takes back one consent may take it for all.
async fn beside(
    party: &Party,
    (id, given): (GrantId, &GivenGrant),
    whom: &str,
    still: &[StillStanding],
    lines: &mut Vec<String>,
) -> Result<Vec<StillStanding>, Problem> {
    let mut others = party.others_of(id, given).await?;
    others.retain(|other| still.iter().all(|still| still.id != other.id));
    if others.is_empty() {
        return Ok(others);
    }
    let ids: Vec<String> = others.iter().map(|other| other.id.to_string()).collect();
    lines.push(format!(
        "other consents of {whom} stand: {}; `medibloc grant list` says what they are for, and `medibloc grant revoke \
         --contact {}` ends all of them",
        ids.join(", "),
        given.artefact.paired
    ));
    Ok(others)
}

/// When it ended, as far as the chain answers now.
async fn ended(party: &Party, id: GrantId) -> Result<ConsentTimes, Problem> {
    // It has ended, whoever answers; what is missing is asked for by the next sync.
    let _ = party.fill_times().await;
    Ok(party.times_of(id)?)
}

fn in_force(times: &ConsentTimes) -> Option<String> {
    let since = find::since(times);
    let since = since.strip_prefix(", ")?;
    Some(since.to_owned())
}

/// It was taken back before: that is told, and nothing is done.
fn before(id: GrantId, given: &GivenGrant, times: &ConsentTimes, what: &str) -> Answer {
    let at = given.revoked_at.map(find::moment);
    let when = at
        .as_ref()
        .map(|at| format!(" ({at} by this machine's clock, at the latest)"))
        .unwrap_or_default();
    let since = find::since(times);
    Answer::new(
        json!({
            "revoked": id.to_string(), "name": given.artefact.name, "already": true, "revokedAt": at,
            "end": super::grant::end_value(times, None),
        }),
        format!(
            "the consent {id} for {what} was taken back already{when}{since}; nothing was done"
        ),
    )
}

/// It stood on a chain that was left: this one has nothing to end, and the order is kept.
fn lost(party: &Party, id: GrantId, given: &GivenGrant, what: &str) -> Result<Answer, Problem> {
    party.order_end_of_lost(id, party.ports().clock.now())?;
    Ok(Answer::new(
        json!({"revoked": id.to_string(), "name": given.artefact.name, "already": false, "lost": true}),
        format!(
            "kept: the consent {id} for {what} is on the lost chain and not on this one, so nobody reads or writes by it; if \
             somebody sends it to this chain, the next sync says so and takes it back at once"
        ),
    ))
}

fn is_on_chain(party: &Party, id: GrantId) -> Result<bool, Problem> {
    Ok(!party.is_to_be_given(id)?)
}

/// What a consent lets read, in words.
fn covered(party: &Party, given: &GivenGrant) -> String {
    match given.artefact.about() {
        Some(Scope::One(record)) => {
            name::described(party, record).unwrap_or_else(|_| format!("record {record}"))
        }
        Some(Scope::Classes(classes)) => {
            let classes: Vec<u8> = classes.numbers().collect();
            let classes = super::grant::numbers(&classes);
            format!("the records of class {classes} under {}", given.own)
        }
        _ => format!("all records under {}", given.own),
    }
}

/// Other consents that stand, and how they end.
fn stands_on(whom: &str, does: &str, given: &GivenGrant, still: &[StillStanding]) -> Vec<String> {
    if still.is_empty() {
        return Vec::new();
    }
    let mut lines: Vec<String> = still
        .iter()
        .map(|one| {
            format!(
                "{whom} can still {does} under {} until {}{}",
                one.id,
                find::moment(one.until),
                if one.is_pending {
                    " (on its way to the chain)"
                } else {
                    ""
                }
            )
        })
        .collect();
    lines.push(format!(
        "`medibloc grant revoke --contact {}` ends everything that {whom} was given",
        given.artefact.paired
    ));
    lines
}

fn values(still: &[StillStanding]) -> Vec<Value> {
    still
        .iter()
        .map(|one| {
            json!({"grant": one.id.to_string(), "until": find::moment(one.until), "pending": one.is_pending})
        })
        .collect()
}

/// Everything of a contact: its consents, whichever device of the phrase gave them, and what it asked for.
pub(super) async fn contact(party: &Party, typed: &str) -> Result<Answer, Problem> {
    let elsewhere = Elsewhere::before_taking_back(party).await?;
    match contact_here(party, typed, &elsewhere).await {
        Ok((answer, ended)) => elsewhere.without(&ended).after(Ok(answer)),
        Err(problem) => elsewhere.after(Err(problem)),
    }
}

/// The same of what is known here, with those consents that it took back of which only the chain tells.
async fn contact_here(
    party: &Party,
    typed: &str,
    elsewhere: &Elsewhere,
) -> Result<(Answer, Vec<GrantId>), Problem> {
    let contact = name::contact(party, typed)?;
    let same = |own| {
        party.contacts().is_ok_and(|all| {
            all.iter()
                .any(|it| it.own == own && it.party == contact.party)
        })
    };
    let open = name::open_requests(party)?;
    let dropped = open.iter().filter(|request| same(request.own)).count();
    let reads = party.grants()?.into_iter().map(|(_, given)| given);
    let writes = party.write_grants()?.into_iter().map(|(_, given)| given);
    let ended = reads
        .chain(writes)
        .filter(|given| given.artefact.party == contact.party && !given.revoked)
        .count();
    let by_chain = party
        .revoke_contact_and(contact.own, elsewhere.not_taken())
        .await?;
    let ended = ended + by_chain.len();
    let all = elsewhere.is_all_but(by_chain.len());
    let mut whom = party.names()?.contact(&contact);
    // What ends is the account's, whatever it was called when it was paired.
    let also = super::contact::other_names(&party.contacts()?, &contact);
    if !also.is_empty() {
        let also = super::contact::told_names(&also);
        whom.push_str(&format!(" (the same account as {also})"));
    }
    let mut text = format!(
        "everything that {whom} was given{} is taken back: {}",
        if all {
            ""
        } else {
            ", as far as this home knows,"
        },
        counted(ended, "consent")
    );
    if dropped > 0 {
        text.push_str(&format!(
            "; {} dropped, too, and it is told nothing of that: it may ask again",
            counted_as(
                dropped,
                &format!("open request of {whom} is"),
                &format!("open requests of {whom} are")
            )
        ));
    }
    let clock = find::clock_warning(party).await;
    text.extend(clock.map(|told| format!("\n{told}")));
    // Another device may have given something meanwhile.
    let left = left_standing(party, &contact, &whom).await;
    let text = left.clone().unwrap_or(text);
    let mut value = json!({"revoked": contact.name, "alsoNamed": also, "consents": ended, "requestsDropped": dropped});
    let code = match left {
        Some(left) => {
            value["leftOver"] = json!(left);
            code::PARTIAL
        }
        None => 0,
    };
    Ok((Answer::new(value, text).with_code(code), by_chain))
}

/// What the chain still has in force for a contact after everything of it was taken back; none if nothing.
async fn left_standing(party: &Party, contact: &Contact, whom: &str) -> Option<String> {
    let again = format!(
        "say `medibloc grant revoke --contact {}` again",
        contact.own
    );
    match Box::pin(party.standing_of(contact.party)).await {
        Ok(left) if left.is_empty() => None,
        Ok(left) => {
            let ids: Vec<String> = left.iter().map(ToString::to_string).collect();
            Some(format!(
                "not everything that {whom} was given is taken back: {} on the chain: {}; another device of yours may have given it \
                 at the same time; {again}",
                counted_as(left.len(), "consent still stands", "consents still stand"),
                ids.join(", ")
            ))
        }
        Err(error) => Some(format!(
            "what {whom} was given was ordered to end, and the chain does not say whether a consent still stands ({error}); {again} \
             when it answers"
        )),
    }
}
