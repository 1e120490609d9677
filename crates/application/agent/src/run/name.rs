//! Names as people type them: the begin of an id, or of a contact's name. A begin is judged by everything of its kind that
//! any list of this home shows, not by what the command could work on: what fits two of them is not the one of them that
//! happens to be ready.

use std::collections::{BTreeMap, BTreeSet};

use medibloc_journey::{
    Contact, GivenGrant, KeptRecord, NotTaken, Party, Patron, PendingRequest, SentRecord, Standing,
    WhyClosed, WrittenView, compared,
};
use medibloc_record::{AccountId, GrantId, RecordId};

use crate::Problem;
use crate::answer::code;

/// Hexadecimal digits that name what is acted on: two of a home's records agree in so many once in millions of pairs.
const DIGITS: usize = 6;
/// Letters of a name that name what is acted on, unless it has no more.
const LETTERS: usize = 3;
/// How many of those that fit are told.
const TOLD: usize = 16;

/// What a name is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It is looked at: any begin that fits one.
    Look,
    /// Something is opened, sent or taken back that nobody can undo: the begin must be long, too.
    Act,
}

/// A kind of thing, and what lists it.
#[derive(Clone, Copy)]
struct Sort {
    what: &'static str,
    list: &'static str,
    /// What tells one from another of the same name.
    by: &'static str,
}

const RECORD: Sort = Sort {
    what: "record",
    list: "medibloc record list",
    by: "id",
};
const CONSENT: Sort = Sort {
    what: "consent",
    list: "medibloc grant list",
    by: "id",
};
const CONTACT: Sort = Sort {
    what: "contact",
    list: "medibloc contact list",
    by: "account",
};
const OWNER: Sort = Sort {
    what: "owner",
    list: "medibloc contact list",
    by: "address",
};
const ADDRESS: Sort = Sort {
    what: "address",
    list: "medibloc account show --json",
    by: "address",
};
const REQUEST: Sort = Sort {
    what: "request",
    list: "medibloc request list",
    by: "id",
};

/// Something that a list shows.
struct Listed<T> {
    ids: Vec<String>,
    name: Option<String>,
    /// A word for who must choose.
    how: &'static str,
    it: T,
}

impl<T> Listed<T> {
    fn new(id: String, how: &'static str, it: T) -> Self {
        Self {
            ids: vec![id],
            name: None,
            how,
            it,
        }
    }

    fn named(self, name: &str) -> Self {
        let name = Some(name.to_owned());
        Self { name, ..self }
    }

    /// Whether the name is a begin of it, and how sure that is.
    fn fit(&self, typed: &Typed<'_>) -> Option<Fit> {
        let digits = typed.digits.to_lowercase();
        let by_id = self.ids.iter().find(|id| plain(id).starts_with(&digits));
        let by_id = by_id.map(|id| Fit {
            whole: plain(id).len() == digits.len(),
            long: digits.len() >= DIGITS,
        });
        let name = self.name.as_ref().map(|name| compared(name));
        let text = compared(typed.text);
        let by_name = name.filter(|name| name.starts_with(&text)).map(|name| Fit {
            whole: false,
            long: name == text || text.chars().count() >= LETTERS,
        });
        match (by_id, by_name) {
            (Some(id), Some(name)) => Some(Fit {
                whole: id.whole,
                long: id.long || name.long,
            }),
            (id, name) => id.or(name),
        }
    }

    fn told(&self) -> String {
        let id = self.ids.first().map_or("", String::as_str);
        let id = id.get(..12).unwrap_or(id);
        match &self.name {
            Some(name) => format!("{id} ({})", super::find::told(name)),
            None => format!("{id} ({})", self.how),
        }
    }
}

#[derive(Clone, Copy)]
struct Fit {
    /// It is the whole id.
    whole: bool,
    long: bool,
}

/// What was typed.
struct Typed<'a> {
    text: &'a str,
    digits: &'a str,
}

fn plain(id: &str) -> String {
    let id = id.to_lowercase();
    id.strip_prefix("0x").map(str::to_owned).unwrap_or(id)
}

impl Sort {
    /// What was typed, if it names anything at all: an empty begin would fit whatever is alone.
    fn typed<'a>(&self, name: &'a str) -> Result<Typed<'a>, Problem> {
        let text = name.trim();
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        let digits = digits.unwrap_or(text);
        if digits.is_empty() {
            return Err(Problem::new(
                code::USAGE,
                format!(
                    "`{name}` names no {}; give its id, or {DIGITS} digits or more of its begin (`{}` shows it)",
                    self.what, self.list
                ),
            ));
        }
        Ok(Typed { text, digits })
    }

    /// The only one that fits.
    fn only<T>(
        self,
        listed: impl IntoIterator<Item = Listed<T>>,
        name: &str,
        how: Use,
    ) -> Result<T, Problem> {
        let typed = self.typed(name)?;
        let fitting = |of: Listed<T>| of.fit(&typed).map(|fit| (fit, of));
        let mut found: Vec<(Fit, Listed<T>)> = listed.into_iter().filter_map(fitting).collect();
        if let Some(at) = found.iter().position(|(fit, _)| fit.whole) {
            return Ok(found.swap_remove(at).1.it);
        }
        // A whole name is no begin of a longer one, if one alone has it.
        let text = compared(typed.text);
        let is_it = |of: &Listed<T>| of.name.as_ref().is_some_and(|name| compared(name) == text);
        let mut named = found.iter().enumerate().filter(|(_, (_, of))| is_it(of));
        if let (Some((at, _)), None) = (named.next(), named.next()) {
            return Ok(found.swap_remove(at).1.it);
        }
        let Some((fit, one)) = found.pop() else {
            return Err(Problem::unknown(self.what, name, self.list));
        };
        if !found.is_empty() {
            found.push((fit, one));
            // Of one name there is no more to give.
            let names: BTreeSet<Option<String>> = found
                .iter()
                .map(|(_, of)| of.name.as_deref().map(compared))
                .collect();
            let more = match names.len() == 1 && !names.contains(&None) {
                true => format!("give the begin of its {}", self.by),
                false => "give more of it".to_owned(),
            };
            let mut told: Vec<String> = found.iter().take(TOLD).map(|(_, of)| of.told()).collect();
            if found.len() > TOLD {
                told.push("…".into());
            }
            return Err(Problem::new(
                code::UNKNOWN,
                format!(
                    "`{name}` fits {} of them: {}; {more} (`{}` shows them)",
                    found.len(),
                    told.join(", "),
                    self.list
                ),
            ));
        }
        if how == Use::Act && !fit.long {
            return Err(Problem::new(
                code::USAGE,
                format!(
                    "`{name}` is too short to act on {} {}: give {DIGITS} digits or more of an id, or {LETTERS} letters of a \
                     name; nothing was done",
                    self.what,
                    one.told()
                ),
            ));
        }
        Ok(one.it)
    }
}

/// A record that any list of this home shows.
pub(super) enum Known {
    /// An own one, however it stands.
    Own(RecordId),
    /// An own one that no sync has taken yet.
    Sent(SentRecord),
    /// Written here for somebody else.
    Written(WrittenView),
    /// Of somebody else, by a consent.
    Held(RecordId),
    /// Of somebody else, who erased it.
    Erased(RecordId),
}

/// Every record that a list shows, each once.
fn records(party: &Party) -> Result<Vec<Listed<Known>>, Problem> {
    let mut all: BTreeMap<RecordId, (&'static str, Known)> = BTreeMap::new();
    // What says most of a record comes last.
    for id in party.erased_records()? {
        all.insert(id, ("erased", Known::Erased(id)));
    }
    for held in party.held()? {
        for id in party
            .records_of(&held)?
            .into_iter()
            .chain(held.artefact.records)
        {
            // A consent outlives what was erased of it.
            all.entry(id).or_insert(("held", Known::Held(id)));
        }
    }
    for written in party.written_views()? {
        let id = written.record;
        all.insert(id, ("written for somebody", Known::Written(written)));
    }
    for sent in party.sent_records()? {
        all.insert(sent.record, ("not accepted yet", Known::Sent(sent)));
    }
    for kept in party.records()? {
        let id = kept.record();
        all.insert(id, (standing(&kept), Known::Own(id)));
    }
    let listed = all.into_iter();
    Ok(listed
        .map(|(id, (how, it))| Listed::new(id.to_string(), how, it))
        .collect())
}

fn standing(kept: &KeptRecord) -> &'static str {
    match kept.standing {
        Standing::Checked | Standing::Accepted if kept.is_off_chain() => "not on this chain",
        Standing::Checked => "checked",
        Standing::Accepted => "accepted",
        Standing::NotAccepted { .. } => "not accepted",
        Standing::Erased => "erased",
    }
}

/// A record that is here in any way.
pub(super) fn known(party: &Party, name: &str, how: Use) -> Result<Known, Problem> {
    RECORD.only(records(party)?, name, how)
}

/// An own record.
pub(super) fn record(party: &Party, name: &str, how: Use) -> Result<RecordId, Problem> {
    match known(party, name, how)? {
        Known::Own(id) => Ok(id),
        other => Err(not_mine(&other)),
    }
}

/// Why a record is none that its owner acts on here.
pub(super) fn not_mine(known: &Known) -> Problem {
    let no = |id: &RecordId, why: &str, next: &str| {
        let told = format!("record {id} is no own record: it {why}; {next}");
        Problem::new(code::UNKNOWN, told)
    };
    match known {
        Known::Own(id) => no(id, "is here", "`medibloc record show` shows it"),
        Known::Sent(sent) => Problem::new(
            code::UNKNOWN,
            format!(
                "record {} was written here and is not accepted yet; run `medibloc sync` first, then say this again",
                sent.record
            ),
        ),
        Known::Written(view) => no(
            &view.record,
            "was written here for somebody else, whose it is",
            "`medibloc record list --written` shows it",
        ),
        Known::Held(id) => no(id, "is somebody else's", "`medibloc read` opens it"),
        Known::Erased(id) => Problem::new(
            code::ERASED,
            format!(
                "record {id} was erased by its owner, who is somebody else, whoever wrote it; nothing of it is left here"
            ),
        ),
    }
}

/// A record that was written here, or is owned: what is corrected.
pub(super) async fn written(party: &Party, name: &str) -> Result<RecordId, Problem> {
    let found = known(party, name, Use::Act)?;
    if let Known::Own(id)
    | Known::Sent(SentRecord { record: id, .. })
    | Known::Written(WrittenView { record: id, .. }) = &found
    {
        // Its owner, or another device of the phrase, may have erased it.
        party.must_not_be_gone_now(*id).await?;
    }
    match found {
        Known::Own(id) => {
            party.must_not_be_erased(id)?;
            let kept = party.record(id)?;
            if kept.anchor.author == kept.anchor.owner {
                return Ok(id);
            }
            Err(Problem::new(
                code::REFUSED,
                format!(
                    "record {id} was written by {}, who alone corrects it: ask the author for a correction; nothing was written. \
                     An own document is imported without `--amends`",
                    author(party, &kept)?
                ),
            ))
        }
        Known::Written(view) => Ok(view.record),
        Known::Sent(sent) => Ok(sent.record),
        other => Err(not_mine(&other)),
    }
}

/// A record of somebody else that a held consent names. To open it leaves a receipt for ever.
pub(super) fn readable(party: &Party, name: &str) -> Result<RecordId, Problem> {
    // A whole id is tried even without a consent: the chain and the keepers say no, and the owner sees it.
    if let Ok(id) = name.trim().parse() {
        return Ok(id);
    }
    let sort = Sort {
        list: "medibloc grant list",
        ..RECORD
    };
    match sort.only(records(party)?, name, Use::Act)? {
        Known::Held(id) | Known::Erased(id) | Known::Own(id) => Ok(id),
        Known::Written(view) => Ok(view.record),
        Known::Sent(sent) => Ok(sent.record),
    }
}

/// A contact, by name or own address.
pub(super) fn contact(party: &Party, name: &str) -> Result<Contact, Problem> {
    let listed = party.contacts()?.into_iter().map(|contact| {
        let name = contact.name.clone();
        let account = contact.card.account.map(|account| account.to_string());
        let mut listed = Listed::new(contact.own.to_string(), "contact", contact).named(&name);
        listed.ids.extend(account);
        listed
    });
    CONTACT.only(listed, name, Use::Act)
}

/// A contact's name, with the begin of its account where another account has that name, too.
pub(super) fn of_contact(party: &Party, contact: &Contact) -> Result<String, Problem> {
    let name = super::find::told(&contact.name);
    let mut others = party.contacts()?.into_iter();
    let is_alike = |other: &Contact| {
        other.party != contact.party && compared(&other.name) == compared(&contact.name)
    };
    if !others.any(|other| is_alike(&other)) {
        return Ok(name);
    }
    let id = contact.card.account.unwrap_or(contact.party).to_string();
    Ok(format!("{name} ({})", id.get(..12).unwrap_or(&id)))
}

/// An owner that invited this agent.
pub(super) fn owner(party: &Party, name: &str) -> Result<AccountId, Problem> {
    let patrons = party.patrons()?.into_iter();
    let mut listed = Vec::new();
    for Patron { owner, .. } in patrons {
        let one = Listed::new(owner.to_string(), "owner", owner);
        listed.push(match party.label(owner)? {
            Some(label) => one.named(&label),
            None => one,
        });
    }
    OWNER.only(listed, name, Use::Act)
}

/// An own address.
pub(super) fn address(party: &Party, name: &str) -> Result<AccountId, Problem> {
    let (mut own, account) = (party.addresses()?, party.account());
    if own.iter().all(|own| own.id() != account.id()) {
        own.push(account);
    }
    let listed = own.into_iter().map(|own| Listed {
        ids: vec![own.id().to_string(), own.address.to_string()],
        name: None,
        how: "address",
        it: own.id(),
    });
    ADDRESS.only(listed, name, Use::Act)
}

/// A request, and the consents that answered it.
pub(super) struct Asked {
    pub(super) request: PendingRequest,
    pub(super) answers: Vec<(GrantId, GivenGrant)>,
}

/// Requests that nobody answered: what the list shows.
pub(super) fn open_requests(party: &Party) -> Result<Vec<PendingRequest>, Problem> {
    let (mut requests, given) = (party.requests()?, party.grants()?);
    requests.retain(|request| !given.iter().any(|(_, given)| given.answers(&request.id)));
    Ok(requests)
}

/// A request that waits; if none fits, the newest that was answered, to be told so.
pub(super) fn request(party: &Party, name: &str) -> Result<Asked, Problem> {
    let listed = |request: PendingRequest| {
        let name = request.name.clone();
        Listed::new(hex::encode(request.id), "request", request).named(&name)
    };
    let open = open_requests(party)?;
    let typed = REQUEST.typed(name)?;
    // By its id alone: what a request that is gone was called means no other one, of whatever contact.
    let gone = party.closed_requests()?.into_iter().map(|closed| {
        let (how, told) = match closed.why {
            WhyClosed::Denied => ("denied", "was denied"),
            _ => (
                "dropped unanswered",
                "was dropped unanswered, for newer ones of the same contact came",
            ),
        };
        let id = hex::encode(closed.id);
        let why = format!(
            "request {} {told}; nothing was given. `medibloc request list` shows what waits",
            &id[..8]
        );
        Listed::new(id, how, Err(Problem::new(code::UNKNOWN, why)))
    });
    let fits = |request: &PendingRequest| listed(request.clone()).fit(&typed).is_some();
    if !open.iter().any(fits) {
        let answered = party.requests()?.into_iter().filter(fits);
        if let Some(request) = answered.max_by_key(|request| request.order) {
            let mut answers = party.grants()?;
            answers.retain(|(_, given)| given.answers(&request.id));
            return Ok(Asked { request, answers });
        }
    }
    let open = open.into_iter().map(|request| {
        let Listed { ids, name, how, it } = listed(request);
        Listed {
            ids,
            name,
            how,
            it: Ok(it),
        }
    });
    let request = REQUEST.only(open.chain(gone), name, Use::Act)??;
    let answers = Vec::new();
    Ok(Asked { request, answers })
}

/// A consent given.
pub(super) enum Given {
    /// To read.
    Read(GrantId, Box<GivenGrant>),
    /// To write.
    Write(GrantId, Box<GivenGrant>),
    /// Of which only the chain tells.
    NotTaken(Box<NotTaken>),
}

/// A consent given, to read or to write; those of which only the chain tells are these.
pub(super) fn grant(party: &Party, name: &str, not_taken: &[NotTaken]) -> Result<Given, Problem> {
    let reads = party.grants()?.into_iter().map(|(id, given)| {
        let given = Given::Read(id, Box::new(given));
        Listed::new(id.to_string(), "to read", Ok(given))
    });
    let writes = party.write_grants()?.into_iter().map(|(id, given)| {
        let given = Given::Write(id, Box::new(given));
        Listed::new(id.to_string(), "to write", Ok(given))
    });
    // Those that the list shows, too, and that cannot be taken back from here.
    let no = |id: GrantId, how, why| {
        let problem = Problem::new(code::UNKNOWN, format!("consent {id} {why}"));
        Listed::new(id.to_string(), how, Err(problem))
    };
    let held = party.held()?.into_iter().filter_map(|held| {
        let why = "was given to you; only who gave it takes it back";
        Some(no(held.artefact.grant?.id, "held", why))
    });
    let ended = party.unopened_consents()?.into_iter().map(|grant| {
        let why = "has ended already; nobody reads anything under it";
        no(grant.id, "ended", why)
    });
    let only_on_chain = not_taken.iter().map(|one| {
        let given = Given::NotTaken(Box::new(one.clone()));
        Listed::new(one.id.to_string(), "not read here", Ok(given))
    });
    let listed = reads.chain(writes).chain(held).chain(ended);
    let listed = listed.chain(only_on_chain);
    CONSENT.only(listed, name, Use::Act)?
}

/// An own record in a line: what a person must know before and after an act on it.
pub(super) fn described(party: &Party, id: RecordId) -> Result<String, Problem> {
    let kept = party.kept_or_anchored(id)?;
    let Some(manifest) = &kept.manifest else {
        return Ok(format!("record {id}, whose content is not here"));
    };
    let word = |value: Result<serde_json::Value, _>| {
        let value: Option<serde_json::Value> = value.ok();
        value.and_then(|value| value.as_str().map(str::to_owned))
    };
    let kind = word(serde_json::to_value(manifest.category)).unwrap_or_default();
    let title = super::find::told(manifest.title.as_deref().unwrap_or("untitled"));
    let date = match &manifest.times.written {
        Some(written) => written.clone(),
        None => super::find::moment(manifest.times.authored_at),
    };
    Ok(format!(
        "record {id} («{title}», {kind}, {}, by {})",
        super::find::told(&date),
        author(party, &kept)?
    ))
}

/// Who wrote an own record, as its owner knows the author.
fn author(party: &Party, kept: &KeptRecord) -> Result<String, Problem> {
    if kept.anchor.kind.is_written_by_owner() {
        return Ok("yourself".into());
    }
    let mut contacts = party.contacts()?.into_iter();
    let author = contacts.find(|contact| contact.party == kept.anchor.author);
    Ok(match author {
        Some(author) => party.names()?.contact(&author),
        None => kept.anchor.author.to_string(),
    })
}
