//! `medibloc account …`

use medibloc_journey::{Credential, Party, counted, counted_as};
use medibloc_record::{AccountId, Role};
use serde_json::json;

use super::find::{self, moment};
use super::{name, retracted};
use crate::answer::code;
use crate::command::Account;
use crate::{Answer, Problem};

pub(super) async fn run(party: &Party, command: &Account) -> Result<Answer, Problem> {
    match command {
        Account::Show => show(party).await,
        Account::Register { yes } => {
            must_be_seen(party, *yes).await?;
            let account = party.register_account().await?;
            let id = account.id().to_string();
            Ok(Answer::new(
                json!({"account": id}),
                format!("{id} is registered"),
            ))
        }
        Account::Rotate {
            address,
            signing,
            haste,
        } => {
            let id = match address {
                Some(address) => name::address(party, address)?,
                None => own_account(party).await?,
            };
            if *signing {
                return hand_on(party, id).await;
            }
            super::must_be_meant(
                &party.haste_of_acting(&[id])?,
                *haste,
                "nothing was changed; nobody waits for it, so change one address a day",
            )?;
            let replaced = party.rotate_sealing_key(id).await?;
            let mut text = format!(
                "{id} has its next sealing key; {} sealed to it",
                counted_as(replaced, "record is", "records are")
            );
            if address.is_none() {
                let others = holding(party, Some(id))?;
                if !others.is_empty() {
                    text.push_str(&format!("; the others keep theirs: {others}"));
                }
            }
            Ok(Answer::new(
                json!({"address": id.to_string(), "replaced": replaced}),
                text,
            ))
        }
        Account::Person { name, born } => {
            let born = born.map(|day| day.to_string());
            retracted::person(party, name.as_deref(), born.as_deref())
        }
        Account::Acts { mine } => super::acts::run(party, *mine).await,
        Account::Credential { file } => {
            let jwt = match file {
                Some(file) => find::text(file)?,
                None => party.fetch_credential().await?,
            };
            let jwt = jwt.trim();
            let credential = party.keep_credential(jwt).await?;
            let text = format!(
                "{} ({}), valid until {}",
                credential.name,
                credential.profession,
                moment(credential.until)
            );
            Ok(Answer::new(json!({"name": credential.name}), text))
        }
    }
}

/// Refuses to register a person's account unless that is meant: what it shows stays for ever.
async fn must_be_seen(party: &Party, yes: bool) -> Result<(), Problem> {
    let id = party.account().id();
    if yes || party.role() != Role::Person || party.ports().facts.account(id).await?.is_some() {
        return Ok(());
    }
    Err(Problem::new(
        code::USAGE,
        format!(
            "a person needs no public account for own records, which are under addresses of their own. Account {id} would stand \
             on the chain for ever, with the hour and its keys; whoever you answer as a reader (`medibloc contact accept`) is told it, \
             and all of them know you by the one account. Nothing was registered; say `--yes` if it is meant, to read what others give \
             you"
        ),
    ))
}

/// The next signing key of an address.
async fn hand_on(party: &Party, id: AccountId) -> Result<Answer, Problem> {
    let done = party.rotate_signing_key(id).await?;
    let lost = match done.letters_lost {
        0 => String::new(),
        lost => format!(
            "; {} signed by the key before, not sent and dropped: ask, answer or invite again",
            counted(lost, "letter")
        ),
    };
    Ok(Answer::new(
        json!({
            "address": id.to_string(), "signer": done.signer.to_string(), "version": done.version,
            "letters_lost": done.letters_lost,
        }),
        format!(
            "{id} is signed for by {} from now on, and by no other key{lost}",
            done.signer
        ),
    ))
}

/// The public account, if it is on chain: a person has none there, only addresses.
async fn own_account(party: &Party) -> Result<AccountId, Problem> {
    let id = party.account().id();
    if party.ports().facts.account(id).await?.is_some() {
        return Ok(id);
    }
    let told = "the account itself is not registered, which a person needs not, and holds no record; say which address";
    let holding = holding(party, None)?;
    Err(Problem::new(
        code::USAGE,
        if holding.is_empty() {
            format!(
                "{told}: `medibloc account show --json` lists them; none of them holds a record"
            )
        } else {
            format!("{told} (`medibloc account show --json` lists all): {holding}")
        },
    ))
}

/// Addresses under which records are, and how to change their keys; nothing if there is none but this.
fn holding(party: &Party, but: Option<AccountId>) -> Result<String, Problem> {
    let mut of: std::collections::BTreeMap<AccountId, usize> = std::collections::BTreeMap::new();
    for kept in party.records()? {
        if kept.is_accepted() && Some(kept.anchor.owner) != but {
            *of.entry(kept.anchor.owner).or_default() += 1;
        }
    }
    if of.is_empty() {
        return Ok(String::new());
    }
    let held: Vec<String> = of
        .iter()
        .map(|(id, records)| format!("{id} holds {}", counted(*records, "record")))
        .collect();
    Ok(format!(
        "{}; `medibloc account rotate ADDRESS` changes the key of one: one address a day, for several in a day show that \
         they belong together",
        held.join(", ")
    ))
}

async fn show(party: &Party) -> Result<Answer, Problem> {
    let account = party.account();
    let ports = party.ports();
    let registered = ports.facts.account(account.id()).await?;
    let head = ports.facts.head().await?;
    let standing = ports.facts.standing(account.id(), head.time).await?;
    let addresses = party.addresses()?;
    let name = party
        .credential()?
        .and_then(|jwt| Credential::parse(&jwt, &ports.authority).ok())
        .map(|credential| credential.name);
    let state = match (registered.is_some(), standing.is_good(), standing.suspended) {
        (false, ..) => "not registered",
        (true, _, true) => "suspended",
        (true, true, _) => "accredited",
        (true, false, _) => "registered",
    };
    let role = format!("{:?}", party.role()).to_lowercase();
    let value = json!({
        "account": account.id().to_string(), "address": party.signing_address(&account).to_string(), "role": role,
        "state": state, "credential": name,
        "addresses": addresses.iter().map(|own| json!({
            "index": own.index, "address": own.address.to_string(), "signer": party.signing_address(own).to_string(), "use": format!("{:?}", own.purpose),
        })).collect::<Vec<_>>(),
    });
    let text = format!(
        "{} ({role}, {state}{})\n{} in use",
        account.id(),
        name.map(|name| format!(", {name}")).unwrap_or_default(),
        counted_as(addresses.len(), "other address", "other addresses")
    );
    Ok(Answer::new(value, text))
}
