//! `medibloc audit` and `medibloc status`.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_consent::{FeedFact, FeedLine};
use medibloc_journey::{
    Artefact, Came, ConsentTimes, KeeperFeed, Names, OwnRead, Party, counted, counted_as,
};
use medibloc_ledger::AuditLine;
use medibloc_record::{AccountId, GrantId, ReceiptId, RecordId, Timestamp};
use serde_json::{Value, json};

use super::chosen::Chosen;
use super::elsewhere::Elsewhere;
use super::{acts, audited, contact, find, given, retracted, said};
use crate::answer::{code, rows};
use crate::command::{Audit, is_standard_output};
use crate::new_file::write_new;
use crate::{Answer, Problem};

pub(super) async fn audit(party: &Party, command: &Audit) -> Result<Answer, Problem> {
    let chosen = Chosen::of(party, command)?;
    let as_of = party.as_of().await?;
    if let Some(only_known) = find::only_known(&as_of) {
        let why = match (&command.proofs, &chosen) {
            (None, None) => return audited::kept(party, &as_of, &only_known),
            (Some(_), _) => {
                "a proof is made of what the chain says; nothing was written: run it again when it answers, or without `--proofs`"
            }
            (None, Some(_)) => {
                "when a read was is what the chain says: run it again when it answers, or without `--of`, `--from` and `--until`"
            }
        };
        return Err(Problem::new(
            code::UNREACHABLE,
            format!("{only_known}, and {why}"),
        ));
    }
    // Whose reads these are: another device of the phrase may have given the consent.
    let elsewhere = Elsewhere::of(party).await?;
    let mut trail = party.audit().await?;
    let feeds = party.feeds().await?;
    let given: BTreeMap<GrantId, Artefact> = party
        .grants()?
        .into_iter()
        .map(|(id, given)| (id, given.artefact))
        .collect();
    let corrections = said::all(party).await?;
    let mut marks: BTreeMap<RecordId, String> = BTreeMap::new();
    let mut own_reads = party.own_reads().await?;
    // What a keeper gave a share for is judged by all receipts, shown or not.
    let known: BTreeSet<ReceiptId> = trail.iter().map(|line| line.line.receipt).collect();
    if let Some(chosen) = &chosen {
        let by = |grant: &GrantId| given.get(grant).map(|artefact: &Artefact| artefact.paired);
        trail.retain(|it| chosen.is_then(it.line.at) && chosen.is_of(by(&it.line.grant)));
        own_reads.retain(|read| chosen.is_then(read.line.at) && chosen.is_of(Some(paired(read))));
    }
    let read = own_reads.iter().map(|read| read.line.record);
    for record in trail.iter().map(|line| line.line.record).chain(read) {
        marks.insert(record, said::mark(party, &corrections, record)?);
    }
    let mark = |line: &AuditLine| marks.get(&line.record).map_or("", String::as_str);
    // What the chain does not say now is shown as not known.
    let _ = party.fill_times().await;
    let mut meanwhile = BTreeMap::new();
    for line in &trail {
        let times = party.times_of(line.line.grant)?;
        meanwhile.extend(between(&line.line, &times).map(|told| (line.line.receipt, told)));
    }
    let cleared = trail.iter().map(|line| &line.line);
    let cleared: Vec<_> = cleared
        .map(|line| (line.grant, line.record, line.block))
        .collect();
    let gave = party.gave(&cleared).await?;
    let receipts = trail.iter().map(|line| line.line.receipt);
    let given_by: BTreeMap<ReceiptId, Option<bool>> = receipts.zip(gave).collect();
    let gave = |line: &AuditLine| given_by.get(&line.receipt).copied().flatten();
    let records = trail.iter().map(|line| line.line.record);
    let titles = titles(
        party,
        records.chain(own_reads.iter().map(|read| read.line.record)),
    )?;
    let called = party.names()?;
    let paired_of = |line: &AuditLine| given.get(&line.grant).map(|artefact| artefact.paired);
    let mut lines: Vec<String> = trail
        .iter()
        .map(|line| {
            format!(
                "{}  {} was cleared to read {}{}  on {}{}; receipt {} in block {}; {} to have given a share{}",
                find::moment(line.line.at),
                called.told(&line.name, paired_of(&line.line)),
                find::titled(line.line.record, titles.get(&line.line.record)),
                mark(&line.line),
                basis(line.line.grant, given.get(&line.line.grant), GIVEN_IS_LOST),
                by_consent(gave(&line.line), given.contains_key(&line.line.grant)),
                &line.line.receipt.to_string()[..12],
                line.line.block,
                counted_as(
                    released(&feeds, line.line.receipt),
                    "keeper says",
                    "keepers say"
                ),
                meanwhile
                    .get(&line.line.receipt)
                    .map(|told| format!("; {told}"))
                    .unwrap_or_default(),
            )
        })
        .collect();
    let is_chosen = |artefact: &&Artefact| {
        let chosen = chosen.as_ref();
        chosen.is_none_or(|chosen| chosen.is_of(Some(artefact.paired)))
    };
    let names = readers(&called, given.values().filter(is_chosen));
    let mut owners = BTreeMap::new();
    for read in &own_reads {
        let paired = paired(read);
        owners.insert(paired, (find::owner(party, paired)?, party.label(paired)?));
    }
    lines.extend(own_reads.iter().map(|read| {
        format!(
            "{}  {}: {}{} of owner {}  on {}; receipt {} in block {}",
            find::moment(read.line.at),
            match read.opened {
                Some(true) => "read here",
                Some(false) => "cleared, not opened here",
                None => ELSEWHERE,
            },
            find::titled(read.line.record, titles.get(&read.line.record)),
            mark(&read.line),
            owners
                .get(&paired(read))
                .map_or("", |(owner, _)| owner.as_str()),
            basis(read.line.grant, read.basis.as_ref(), HELD_IS_LOST),
            &read.line.receipt.to_string()[..12],
            read.line.block,
        )
    }));
    lines.extend(elsewhere.only_known.clone());
    lines.extend(elsewhere.unknown());
    let mut alarms = party.alarms()?;
    let mut refused = Vec::new();
    for feed in &feeds {
        if let Some(why) = &feed.silent {
            lines.push(format!(
                "keeper {} did not tell anything new: {why}; what it told before is here",
                feed.index
            ));
        }
        for line in &feed.lines {
            if let FeedFact::Released { receipt, .. } = line.fact {
                if !known.contains(&receipt) {
                    alarms.push(format!(
                        "keeper {} says that it gave its share of {} for receipt {receipt}, which the chain does not \
                         have; keep its signed line and tell the authority",
                        feed.index, line.record
                    ));
                }
                continue;
            }
            if let Some(chosen) = &chosen
                && !(chosen.is_then(line.last) && (chosen.is_all() || is_refused_to(line, &names)))
            {
                continue;
            }
            let (told, value) = refusal(feed.index, line, &names);
            lines.push(told);
            refused.push(value);
        }
    }
    lines.extend(alarms.iter().map(|alarm| format!("ALARM: {alarm}")));
    let mut files = Vec::new();
    if let Some(folder) = &command.proofs {
        if is_standard_output(folder) {
            return Err(Problem::new(
                code::USAGE,
                "--proofs names a folder, and standard output is none",
            ));
        }
        std::fs::create_dir_all(folder).map_err(|error| {
            Problem::new(
                code::FAILED,
                format!(
                    "cannot make {}: {error}; choose another folder",
                    folder.display()
                ),
            )
        })?;
        let own = party.own_read_proofs().await?;
        let receipts = trail.iter().map(|line| line.line.receipt);
        let shown: BTreeSet<String> = receipts
            .chain(own_reads.iter().map(|read| read.line.receipt))
            .map(|receipt| receipt.to_string())
            .collect();
        for proof in party.audit_proofs().await?.into_iter().chain(own) {
            if chosen.is_some() && !shown.contains(&proof.receipt.id) {
                continue;
            }
            let file = folder.join(format!("{}.json", proof.receipt.id));
            // The same proof was written before.
            if !file.exists() {
                write_new(&file, proof.to_json().as_bytes())?;
            }
            files.push(file);
        }
        lines.push(format!(
            "{} in {}; `medibloc verify FILE` checks one",
            counted(files.len(), "proof file"),
            folder.display()
        ));
    }
    let mut read_here = Vec::with_capacity(own_reads.len());
    for read in &own_reads {
        let mut value = reading(&read.line, read.basis.as_ref());
        value["title"] = json!(titles.get(&read.line.record));
        value["opened"] = json!(read.opened);
        value["owner"] = json!(read.owner.to_string());
        value["paired"] = json!(paired(read).to_string());
        value["label"] = json!(
            owners
                .get(&paired(read))
                .and_then(|(_, label)| label.clone())
        );
        said::note(party, &corrections, read.line.record, &mut value)?;
        read_here.push(value);
    }
    let mut reads = Vec::with_capacity(trail.len());
    for line in &trail {
        let mut value = reading(&line.line, given.get(&line.line.grant));
        value["name"] = json!(line.name);
        value["contact"] = json!(paired_of(&line.line).map(|own| own.to_string()));
        value["title"] = json!(titles.get(&line.line.record));
        let times = party.times_of(line.line.grant)?;
        let came = times.came(line.line.block);
        let after = meanwhile.get(&line.line.receipt);
        value["afterOrder"] = json!(after.filter(|_| came == Came::After));
        value["cleared"] = json!(times.ordered.map(|_| match came {
            Came::Before => "before the order",
            Came::After => "after the order",
            Came::Unknown => "not known",
        }));
        value["givenBy"] = json!(gave(&line.line));
        value["released"] = json!(released(&feeds, line.line.receipt));
        said::note(party, &corrections, line.line.record, &mut value)?;
        reads.push(value);
    }
    let value = json!({
        "ownReads": read_here, "reads": reads,
        "silent": feeds.iter().filter(|feed| feed.silent.is_some()).map(|feed| feed.index).collect::<Vec<_>>(),
        "refused": refused, "proofs": files, "alarms": alarms, "asOf": find::as_of_value(&as_of),
        "chosen": chosen.as_ref().map(Chosen::value),
    });
    party.forget_alarms()?;
    Ok(Answer::list(
        value,
        &lines,
        match chosen {
            None => {
                "nobody was cleared to read any of your records, and this home read none of others"
            }
            Some(_) => {
                "none of the reads on the chain is what was asked for; without --of, --from and --until all are shown"
            }
        },
    ))
}

/// A record lies under the address that its author got; this home knows the owner by the one that it got itself.
fn paired(read: &OwnRead) -> AccountId {
    read.basis.as_ref().map_or(read.owner, |basis| basis.paired)
}

/// Whether a keeper refused one of these.
fn is_refused_to(line: &FeedLine, names: &BTreeMap<AccountId, String>) -> bool {
    matches!(&line.fact, FeedFact::Refused { reader, .. } if names.contains_key(reader))
}

/// What each reader address of a consent is called.
pub(super) fn readers<'a>(
    called: &Names,
    given: impl Iterator<Item = &'a Artefact>,
) -> BTreeMap<AccountId, String> {
    given
        .filter_map(|artefact| {
            let name = called.told(&artefact.name, Some(artefact.paired));
            Some((artefact.grant.as_ref()?.reader, name))
        })
        .collect()
}

/// Whether a keeper says that it gave its share.
pub(super) const fn is_release(line: &FeedLine) -> bool {
    matches!(line.fact, FeedFact::Released { .. })
}

/// What a keeper refused, in words and for programs.
pub(super) fn refusal(
    keeper: u8,
    line: &FeedLine,
    names: &BTreeMap<AccountId, String>,
) -> (String, Value) {
    let (reader, reason) = match &line.fact {
        FeedFact::Refused { reader, reason } => (Some(*reader), reason.to_string()),
        _ => (None, "nobody whom you gave a consent".to_owned()),
    };
    let name = reader.map(|reader| match names.get(&reader) {
        Some(name) => name.clone(),
        None => format!("unknown reader {reader}"),
    });
    let told = format!(
        "{}  keeper {keeper} refused {} to {}: {reason} ({})",
        find::moment(line.last),
        &line.record.to_string()[..12],
        name.as_deref().unwrap_or("strangers"),
        counted(line.count, "time")
    );
    let value = json!({
        "keeper": keeper, "record": line.record.to_string(), "name": name,
        "reader": reader.map(|reader| reader.to_string()), "reason": reason,
        "count": line.count, "last": find::moment(line.last),
    });
    (told, value)
}

/// A read after its end was ordered, and before that was in force; or one of which that is not known.
fn between(line: &AuditLine, times: &ConsentTimes) -> Option<String> {
    let came = times.came(line.block);
    if came == Came::Before {
        return None;
    }
    let ordered = times.ordered_by_clock();
    let ordered = ordered.map_or_else(String::new, |at| {
        format!(" ({} by this machine's clock)", find::moment(at))
    });
    let force = match times.ended {
        Some(end) => format!(
            "before it was in force in block {}{}",
            end.block,
            match end.time {
                Some(time) => format!(" at {}", find::moment(time)),
                None => String::new(),
            }
        ),
        None => "which is not in force yet".to_owned(),
    };
    Some(match (came, times.reached) {
        (Came::After, Some(last)) => format!(
            "cleared after you ordered the end{ordered}, when block {last} was the last, {force}"
        ),
        _ => format!(
            "whether it was cleared before or after you ordered the end{ordered} is not known here; {force}"
        ),
    })
}

/// What is said of a record beside the consent that it was read on, unless that gave it.
const fn by_consent(gave: Option<bool>, is_here: bool) -> &'static str {
    match (gave, is_here) {
        (Some(false), _) => {
            ": read under a consent that did not give it, by who has its key from elsewhere (`medibloc grant revoke` ends it)"
        }
        (None, true) => {
            "; whether that gave it is not known here, since one of its key lists is missing"
        }
        _ => "",
    }
}

/// A read of another home of the phrase.
const ELSEWHERE: &str = "cleared; whether it was opened is not known here (another home of your phrase asked for it, before a \
restore, say)";

/// Why a home that reads lacks them, and what there still is.
const HELD_IS_LOST: &str = "it had ended when this home was restored, and no note of it came back; a backup of the home of before has \
them. The receipt stays provable by the chain";

/// The same at the owner's.
pub(super) const GIVEN_IS_LOST: &str = "another home of your phrase gave it, and nobody has them any more, or it is not yours: see the alarms. \
The receipt stays provable by the chain";

/// Titles of records, as far as they are here.
pub(super) fn titles(
    party: &Party,
    records: impl Iterator<Item = RecordId>,
) -> Result<BTreeMap<RecordId, String>, Problem> {
    let mut titles = BTreeMap::new();
    for record in records {
        let own = party.record(record).ok().and_then(|kept| kept.manifest);
        let manifest = match own {
            Some(manifest) => Some(manifest),
            None => party.read_before(record)?.map(|read| read.manifest),
        };
        let title = manifest.and_then(|manifest| manifest.title);
        titles.extend(title.map(|title| (record, find::told(&title))));
    }
    Ok(titles)
}

/// The consent that a read was cleared on, in words.
pub(super) fn basis(id: GrantId, artefact: Option<&Artefact>, lost: &str) -> String {
    let id = &id.to_string()[..12];
    match artefact.and_then(|artefact| Some((artefact, artefact.grant.as_ref()?))) {
        Some((artefact, grant)) => {
            let reason = match find::told(&artefact.reason) {
                reason if reason.is_empty() => String::new(),
                reason => format!(" «{reason}»"),
            };
            format!(
                "consent {id} until {} ({}, {}{reason})",
                find::moment(grant.terms.until),
                artefact.purpose.code(),
                find::purpose(artefact.purpose),
            )
        }
        None => format!("consent {id}, whose end, purpose and reason are not here: {lost}"),
    }
}

/// One receipt with the terms of its consent, as far as they are here.
fn reading(line: &AuditLine, artefact: Option<&Artefact>) -> Value {
    let until = artefact.and_then(|artefact| Some(artefact.grant.as_ref()?.terms.until));
    json!({
        "record": line.record.to_string(), "reader": line.reader.to_string(), "grant": line.grant.to_string(),
        "receipt": line.receipt.to_string(), "at": find::moment(line.at), "block": line.block,
        "blockHash": hex::encode(line.block_hash), "until": until.map(find::moment),
        "purpose": artefact.map(|artefact| artefact.purpose.code()), "reason": artefact.map(|artefact| &artefact.reason),
    })
}

/// Keepers that say that they released their share on this receipt.
pub(super) fn released(feeds: &[KeeperFeed], receipt: ReceiptId) -> usize {
    let on =
        |fact: &FeedFact| matches!(fact, FeedFact::Released { receipt: of, .. } if *of == receipt);
    feeds
        .iter()
        .filter(|feed| feed.lines.iter().any(|line| on(&line.fact)))
        .count()
}

pub(super) async fn status(party: &Party) -> Result<Answer, Problem> {
    let status = party.status().await?;
    let contacts = party.contacts()?;
    let unconfirmed = contacts.iter().filter(|contact| !contact.confirmed).count();
    let (id, node) = (
        party.ports().domain.chain_id,
        party.ports().network.own_node(),
    );
    let as_of = &status.as_of;
    let synced = match status.synced_to {
        Some(block) => format!("synced to block {block}"),
        None => "not synced yet: run `medibloc sync`".to_owned(),
    };
    let standing = contact::standing(party, party.account().id()).await;
    let stands = match standing {
        Some("suspended") => Some(contact::SUSPENDED),
        // Whoever never was has nothing that ended.
        Some("not accredited") if party.credential()?.is_some() => Some(contact::OWN_LAPSED),
        _ => None,
    };
    let only_known = find::only_known(as_of);
    let chain = match (&only_known, find::as_of(as_of)) {
        (None, Some(as_of)) => format!("{as_of}, {synced}"),
        _ => synced,
    };
    // Records, letters and calls go over it, whoever answers for the chain.
    let silent_node = match party.ports().network.time().await {
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    let mut lines: Vec<String> = only_known.iter().cloned().collect();
    lines.extend(silent_node.iter().map(|why| {
        format!("WARNING: {why}; letters, storage and what is signed here wait for it: `medibloc doctor` says more")
    }));
    lines.extend([
        format!(
            "account {} ({}){}",
            status.account,
            status.role,
            stands.map_or_else(String::new, |told| format!(": {told}"))
        ),
        format!("chain {id} {chain}"),
        format!("node {node}"),
        format!(
            "{} accepted, {} not",
            counted(status.accepted, "record"),
            status.not_accepted
        ),
        format!(
            "{}, of which {} to be confirmed; {} in force; {} for you",
            counted(contacts.len(), "contact"),
            counted_as(unconfirmed, "waits", "wait"),
            counted(status.live_grants, "consent"),
            counted_as(status.requests, "request waits", "requests wait")
        ),
    ]);
    let (owners, written) = (party.patrons()?.len(), party.written_views()?.len());
    let from = given::of(party)?;
    let held: usize = from.values().map(|from| from.consents).sum();
    let held_until = from.values().filter_map(|from| from.until).max();
    let writes: Vec<Timestamp> = from.values().filter_map(|from| from.writes).collect();
    let writes_until = writes.iter().max().copied();
    if owners + written + held + writes.len() > 0 {
        let last = |until: Option<Timestamp>| {
            until.map_or_else(String::new, |until| {
                format!(", the last until {}", find::moment(until))
            })
        };
        lines.push(format!(
            "{} invited you, {} to read held{}; {} to write{}; {} written for others (`medibloc record list --written`)",
            counted(owners, "owner"),
            counted(held, "consent"),
            last(held_until),
            counted(writes.len(), "permission"),
            last(writes_until),
            counted(written, "record")
        ));
    }
    let held_back = party.held_back(as_of.time.unwrap_or_else(|| party.ports().clock.now()))?;
    let held_told = retracted::held_back(&held_back).into_iter();
    lines.extend(held_told.map(|told| format!("held back: {told}")));
    let ask = retracted::is_this_you(party)?;
    lines.extend(ask.clone());
    let set_back = party.chain_alarm().await?;
    lines.extend(set_back.iter().map(|why| format!("ALARM: {why}")));
    if status.alarms > 0 {
        lines.push(format!(
            "{}: run `medibloc audit`",
            counted(status.alarms, "alarm")
        ));
    }
    let unknown = party.unknown_acts()?;
    let acts = acts::told(party, &unknown)?.into_iter();
    lines.extend(acts.map(|act| format!("ALARM: {act}")));
    let aside = status.set_aside.iter();
    lines.extend(aside.map(|row| format!("set aside, cannot be read: {row}")));
    lines.extend(status.jobs.iter().map(|job| {
        let reason = job.reason.as_deref().unwrap_or("not tried yet");
        format!("unfinished: {}: {reason}", job.what)
    }));
    lines.extend(
        status
            .planned
            .iter()
            .map(|planned| format!("planned: {} at {}", planned.what, find::moment(planned.due))),
    );
    let mut chain_value = find::as_of_value(as_of);
    chain_value["id"] = json!(id);
    chain_value["syncedTo"] = json!(status.synced_to);
    let value = json!({
        "account": status.account, "role": status.role, "standing": standing, "planned": status.planned.iter().map(|planned| json!({
            "what": planned.what, "due": find::moment(planned.due),
        })).collect::<Vec<_>>(),
        "chain": chain_value,
        "records": {"accepted": status.accepted, "notAccepted": status.not_accepted},
        "contacts": {"confirmed": contacts.len() - unconfirmed, "waiting": unconfirmed},
        "consents": status.live_grants, "requests": status.requests, "unfinished": status.jobs, "alarms": status.alarms, "node": node, "nodeSilent": silent_node, "isThisYou": ask,
        "others": {"owners": owners, "consentsHeld": held, "consentsUntil": held_until.map(find::moment),
            "mayWrite": writes.len(), "mayWriteUntil": writes_until.map(find::moment), "recordsWritten": written},
        "heldBack": retracted::held_back_values(&held_back), "setAside": status.set_aside, "chainSetBack": set_back, "acts": acts::values(&unknown),
    });
    let code = match (only_known, silent_node) {
        (None, None) => 0,
        _ => code::UNREACHABLE,
    };
    Ok(Answer::new(value, rows(&lines)).with_code(code))
}
