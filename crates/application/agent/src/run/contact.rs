//! `medibloc contact …`

use medibloc_journey::{Invitation, Party, compared};
use medibloc_record::AccountId;
use qrcode::QrCode;
use qrcode::render::unicode;
use serde_json::json;

use super::{find, given, name};
use crate::answer::code;
use crate::command::{Contact, is_standard_output};
use crate::new_file::{must_be_new, write_new};
use crate::{Answer, Problem};

pub(super) async fn run(party: &Party, command: &Contact) -> Result<Answer, Problem> {
    match command {
        Contact::Invite { out } => {
            let piped = out.as_deref().is_some_and(is_standard_output);
            let file = out.as_deref().filter(|_| !piped);
            // An invitation registers an address.
            file.map_or(Ok(()), must_be_new)?;
            let invitation = party.invite().await?;
            let text = invitation.to_text();
            if let Some(file) = file {
                write_new(file, text.as_bytes())?;
            }
            let picture = QrCode::new(text.as_bytes())
                .map(|code| code.render::<unicode::Dense1x2>().quiet_zone(true).build())
                .unwrap_or_default();
            let value = json!({
                "invitation": text, "owner": invitation.owner.to_string(),
                "expiry": find::moment(invitation.expiry),
            });
            let rule = format!(
                "Give it to one provider only; it is valid once, until {}.",
                find::moment(invitation.expiry)
            );
            if piped {
                let line = format!("{text}\n");
                return Ok(Answer::new(value, rule).with_output(line.into_bytes()));
            }
            Ok(Answer::new(value, format!("{picture}\n{text}\n\n{rule}")))
        }
        Contact::Accept { invitation } => {
            let path = std::path::Path::new(invitation);
            let text = if path.exists() {
                find::text(path)?
            } else {
                invitation.clone()
            };
            let invitation = Invitation::parse(text.trim()).map_err(|error| {
                let is_name = !path.exists() && !text.trim_start().starts_with("medibloc:");
                let told = match is_name {
                    true => format!(
                        "no such file: {}, and it is no invitation, which begins with `medibloc:invite:`; check the path, or \
                         give the invitation itself",
                        find::told(&text)
                    ),
                    false => error.to_string(),
                };
                Problem::new(code::INPUT, told)
            })?;
            let credential = party.credential_to_show().await?;
            let patron = party.answer(&invitation, credential.as_deref()).await?;
            let owner = patron.owner.to_string();
            Ok(Answer::new(
                json!({"owner": owner}),
                format!(
                    "sent to {owner}; it stands once the person's agent has taken it and the person has confirmed the name. \
                     If somebody else used the invitation before, the next syncs say so"
                ),
            ))
        }
        Contact::List => list(party).await,
        Contact::Label { owner, text } => {
            let owner = name::owner(party, owner)?;
            party.set_label(owner, text)?;
            let alike = alike(party, owner)?;
            let told = match party.label(owner)? {
                Some(label) => format!(
                    "{owner} is «{}» in this home{}",
                    find::told(&label),
                    told_alike(&alike)
                ),
                None => format!("{owner} has no label in this home"),
            };
            let label = party.label(owner)?;
            Ok(Answer::new(
                json!({"owner": owner.to_string(), "label": label, "alsoLabelled": alike}),
                told,
            ))
        }
        Contact::Confirm { contact } => {
            let contact = name::contact(party, contact)?;
            // The name is what the person reads and believes.
            if !party.shows_newest(&contact).await? {
                return Err(Problem::new(
                    code::REFUSED,
                    format!(
                        "the credential that {} showed was replaced since: its authority names another for this account, which may \
                         have another name. Nothing was confirmed; `medibloc contact invite` lets it show the newest",
                        find::told(&contact.name)
                    ),
                ));
            }
            let confirmed = party.confirm(contact.own)?;
            party.correct_names().await?;
            Ok(Answer::new(
                json!({"name": confirmed.name, "own": confirmed.own.to_string()}),
                format!("{} is confirmed", name::of_contact(party, &confirmed)?),
            ))
        }
    }
}

async fn list(party: &Party) -> Result<Answer, Problem> {
    let (contacts, patrons) = (party.contacts()?, party.patrons()?);
    let given = given::of(party)?;
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for contact in &contacts {
        let standing = match contact.card.account {
            Some(account) => standing(party, account).await,
            None => None,
        };
        let mut state = if contact.confirmed {
            "confirmed".to_owned()
        } else {
            "waits: read the name, then `medibloc contact confirm`".to_owned()
        };
        match standing {
            Some("suspended") => state.push_str(
                "; SUSPENDED by its authority: it is given nothing and writes nothing until it is reinstated, and what you gave stands \
                 (`medibloc grant revoke --contact` takes it back)",
            ),
            Some("not accredited") => {
                state.push_str("; ");
                state.push_str(LAPSED);
            }
            _ => {}
        }
        let also = other_names(&contacts, contact);
        // Which of its names its authority gives it now; not known while the chain does not answer.
        let is_newest = match also.is_empty() {
            true => None,
            false => party.shows_newest(contact).await.ok(),
        };
        if !also.is_empty() {
            let also = told_names(&also);
            state.push_str(&match is_newest {
                Some(false) => format!("; REPLACED: its authority calls this account otherwise now; it is here as {also}, too"),
                _ => format!("; the same account is here as {also}, too"),
            });
        }
        let account = contact.card.account;
        let account = account.map_or_else(String::new, |account| format!("  account {account}"));
        lines.push(format!(
            "{}{account}  knows you as {}  {state}",
            find::told(&contact.name),
            contact.own
        ));
        values.push(json!({
            "name": contact.name, "own": contact.own.to_string(), "confirmed": contact.confirmed,
            "account": contact.card.account.map(|account| account.to_string()), "standing": standing,
            "alsoNamed": also, "replaced": is_newest.map(|is_newest| !is_newest),
        }));
    }
    let mut owners = Vec::new();
    for patron in &patrons {
        let from = given.get(&patron.owner).copied().unwrap_or_default();
        let label = party.label(patron.owner)?;
        let shown = label.as_deref().map(find::told);
        let shown = shown.map_or_else(String::new, |label| format!(" «{label}»"));
        lines.push(format!("owner {}{shown}  {}", patron.owner, from.told()));
        owners.push(json!({
            "owner": patron.owner.to_string(), "label": label, "node": patron.node, "mayWriteUntil": from.writes.map(find::moment),
            "consentsHeld": from.consents, "consentsUntil": from.until.map(find::moment),
        }));
    }
    let value = json!({"contacts": values, "owners": owners});
    Ok(Answer::list(
        value,
        &lines,
        "no contacts yet; `medibloc contact invite` makes an invitation",
    ))
}

/// Other owners that have an owner's label.
fn alike(party: &Party, owner: AccountId) -> Result<Vec<String>, Problem> {
    let label = party.label(owner)?.map(|label| compared(&label));
    let mut found = Vec::new();
    for patron in party.patrons()? {
        let other = party.label(patron.owner)?.map(|label| compared(&label));
        if patron.owner != owner && label.is_some() && other == label {
            found.push(patron.owner.to_string());
        }
    }
    Ok(found)
}

fn told_alike(owners: &[String]) -> String {
    match owners {
        [] => String::new(),
        owners => format!(
            "; WARNING: so is {}: give one of them another label, with the year of birth, say",
            owners.join(", ")
        ),
    }
}

/// Other names that contacts of one account have.
pub(super) fn other_names(
    all: &[medibloc_journey::Contact],
    of: &medibloc_journey::Contact,
) -> Vec<String> {
    let mut names: Vec<String> = all
        .iter()
        .filter(|other| other.party == of.party && compared(&other.name) != compared(&of.name))
        .map(|other| other.name.clone())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// Names in a line.
pub(super) fn told_names(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(|name| format!("«{}»", find::told(name)))
        .collect();
    names.join(", ")
}

/// What a suspended account's own home says of it.
pub(super) const SUSPENDED: &str = "SUSPENDED by its authority: it reads and writes nothing until it is reinstated; ask the authority";

/// What is said of a contact whose accreditation is over, or has not begun.
pub(super) const LAPSED: &str = "NOT ACCREDITED now: its accreditation has ended, or has not begun: keepers give it nothing until its authority \
     accredits it again, and what you gave stands then (`medibloc grant revoke --contact` takes it back)";

/// The same of the own account.
pub(super) const OWN_LAPSED: &str = "NOT ACCREDITED now: it reads and writes nothing until its authority accredits it again; ask the authority";

/// How an account stands with the authority now; none while the chain does not answer.
pub(super) async fn standing(party: &Party, account: AccountId) -> Option<&'static str> {
    let facts = &party.ports().facts;
    let now = facts.head().await.ok()?.time;
    let standing = facts.standing(account, now).await.ok()?;
    Some(match (standing.suspended, standing.accredited) {
        (true, _) => "suspended",
        (false, true) => "accredited",
        (false, false) => "not accredited",
    })
}
