//! What the authority does: accredit with a credential, suspend, reinstate.

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use medibloc_api::Deployment;
use medibloc_ledger::{Event, Events as _, Facts as _, Outcome};
use medibloc_ledger_evm::{Accreditation, AuthorityWallet, ChainRole, EvmLedger};
use medibloc_node::{
    ProviderCredential, forget_credential, keep_credential, read_wallet, system_clock,
};
use medibloc_record::{AccountId, Address, Digest, Timestamp, keccak256, on_one_line};

use crate::config::deployment;
use crate::out::{new_file, write_new};
use crate::reaching::Reaching;
use crate::say;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Accredit a provider or researcher, and issue its credential
    Accredit(Accredit),
    /// Suspend an account from the next block on
    Suspend(One),
    /// Lift a suspension
    Reinstate(One),
    /// What the authority did: accreditations, suspensions and reinstatements, with block, time and wallet
    List {
        /// deployment.json
        #[arg(long)]
        deployment: PathBuf,
        /// Of this account alone
        #[arg(long)]
        account: Option<AccountId>,
    },
    /// Who administers, accredits and registers keepers
    #[command(subcommand)]
    Role(crate::role::Command),
}

#[derive(Args)]
pub(crate) struct One {
    /// deployment.json
    #[arg(long)]
    deployment: PathBuf,
    /// The authority's key file
    #[arg(long)]
    key: PathBuf,
    /// The account
    #[arg(long)]
    account: AccountId,
}

#[derive(Args)]
pub(crate) struct Accredit {
    #[command(flatten)]
    one: One,
    /// The provider's name, as people know it
    #[arg(long)]
    name: String,
    /// Its profession
    #[arg(long)]
    profession: String,
    /// ISO 3166-1 alpha-2
    #[arg(long)]
    jurisdiction: String,
    /// First second; now if not given
    #[arg(long)]
    from: Option<u64>,
    /// Days that it is valid
    #[arg(long, default_value_t = 3_650)]
    days: u64,
    /// The data folder of the node that keeps the credential and hands it out to the account
    #[arg(long, required_unless_present = "out")]
    keep: Option<PathBuf>,
    /// A new file for the credential, to be given to the account by hand
    #[arg(long, value_parser = new_file)]
    out: Option<PathBuf>,
}

pub(crate) async fn run(command: Command, reaching: Reaching) -> anyhow::Result<()> {
    match command {
        Command::Accredit(accredit) => run_accredit(accredit, &reaching).await,
        Command::List {
            deployment: file,
            account,
        } => {
            let ledger = reaching.connect(&deployment(&file)?).await??;
            list(&ledger, account).await
        }
        Command::Role(command) => crate::role::run(command, &reaching).await,
        Command::Suspend(one) => {
            let (wallet, _) = wallet(&one, &reaching).await?;
            if is_suspended(&one, &reaching).await? {
                nothing(
                    one.account,
                    "it is suspended already; `authority list` says since when",
                );
                return Ok(());
            }
            told("suspended", one.account, wallet.suspend(one.account).await?);
            Ok(())
        }
        Command::Reinstate(one) => {
            if !is_suspended(&one, &reaching).await? {
                nothing(
                    one.account,
                    "it is not suspended; `authority list` says what was done",
                );
                return Ok(());
            }
            let (wallet, _) = wallet(&one, &reaching).await?;
            told(
                "reinstated",
                one.account,
                wallet.reinstate(one.account).await?,
            );
            Ok(())
        }
    }
}

async fn wallet(one: &One, reaching: &Reaching) -> anyhow::Result<(AuthorityWallet, u64)> {
    let deployment = deployment(&one.deployment)?;
    let ledger = reaching.connect(&deployment).await??;
    let key = read_wallet(&one.key)?;
    Ok((AuthorityWallet::new(&ledger, &key), deployment.chain_id))
}

/// Whether it needs no suspension any more, by the chain's newest block.
async fn is_suspended(one: &One, reaching: &Reaching) -> anyhow::Result<bool> {
    let ledger = reaching.connect(&deployment(&one.deployment)?).await??;
    let now = ledger.head().await?.time;
    Ok(ledger.standing(one.account, now).await?.suspended)
}

async fn run_accredit(accredit: Accredit, reaching: &Reaching) -> anyhow::Result<()> {
    let jurisdiction: [u8; 2] = accredit
        .jurisdiction
        .as_bytes()
        .try_into()
        .ok()
        .filter(|code: &[u8; 2]| code.iter().all(u8::is_ascii_uppercase))
        .context("--jurisdiction is not two capital letters (ISO 3166-1 alpha-2)")?;
    for (flag, text) in [
        ("--name", &accredit.name),
        ("--profession", &accredit.profession),
    ] {
        must_be_seen(flag, text)?;
    }
    let deployment = deployment(&accredit.one.deployment)?;
    let ledger = reaching.connect(&deployment).await??;
    let key = read_wallet(&accredit.one.key)?;
    must_count(&ledger, &deployment, &accredit.one, key.address()).await?;
    let (wallet, chain_id) = (AuthorityWallet::new(&ledger, &key), deployment.chain_id);
    let from = accredit.from.map_or_else(|| system_clock()(), Timestamp);
    let credential = ProviderCredential {
        account: accredit.one.account,
        name: accredit.name,
        profession: accredit.profession,
        jurisdiction: accredit.jurisdiction,
        from,
        until: from.plus(accredit.days * 86_400),
    };
    let jwt = credential.issue(&key, chain_id);
    let accreditation = Accreditation {
        account: credential.account,
        profession: keccak256(credential.profession.as_bytes()),
        jurisdiction,
        from: credential.from,
        until: credential.until,
        evidence: Digest::of(jwt.as_bytes()),
    };
    // A credential that cannot come to count leaves no file; one that may is on disk before: one that stands on chain and is
    // lost helps nobody.
    wallet.can_accredit(&accreditation).await?;
    let replaced = newest(&ledger, credential.account).await?;
    if let Some(before) = &replaced {
        // Standard output has one answer, after it is done.
        let _ = writeln!(
            std::io::stderr(),
            "{} was accredited before: its credential {} counts no more once this one stands",
            credential.account,
            before["credential"]
        );
    }
    if let Some(out) = &accredit.out {
        write_new(out, jwt.as_bytes())?;
    }
    let mut before = None;
    if let Some(data) = &accredit.keep {
        before = keep_credential(data, credential.account, &jwt)
            .with_context(|| format!("cannot keep a credential in {}", data.display()))?;
    }
    let accredited = wallet.accredit(&accreditation).await;
    if let Err(medibloc_ledger::LedgerError::Refused(_)) = &accredited {
        if let Some(out) = &accredit.out {
            let _ = std::fs::remove_file(out);
        }
        if let Some(data) = &accredit.keep {
            let _ = forget_credential(data, credential.account, before.as_deref());
        }
    }
    let outcome = accredited?;
    say(&serde_json::json!({
        "done": "accredited", "account": credential.account.to_string(), "block": outcome.block,
        "replaced": replaced,
    }));
    Ok(())
}

/// Refuses what people would not see as it is written: patients confirm a provider by its name.
fn must_be_seen(flag: &str, text: &str) -> anyhow::Result<()> {
    ensure!(
        !text.is_empty() && on_one_line(text) == text,
        "{flag} is empty, or has blanks around it or twice, controls, or characters that are not seen; nothing was sent: write it as \
         people read it"
    );
    Ok(())
}

/// Refuses a wallet whose credentials would count for nobody: one that does not accredit on the chain, or that is not the one
/// that deployment.json names. What it replaces on the chain would be lost.
async fn must_count(
    ledger: &EvmLedger,
    deployment: &Deployment,
    one: &One,
    me: Address,
) -> anyhow::Result<()> {
    let (key, file) = (one.key.display(), one.deployment.display());
    ensure!(
        ledger.has_role(ChainRole::Accreditor, me).await?,
        "{key} is the key of {me}, which does not accredit on the chain; nothing was sent: use the key of one that does \
         (`medibloc-node authority role list`)"
    );
    ensure!(
        deployment.authority == me,
        "{key} is the key of {me}, and {file} names {} as the authority: whoever has that file takes no credential of {me}. Nothing was \
         sent: put `authority` and `authorities` of what `role give` said into it and give it to everybody, or use the key of {}",
        deployment.authority,
        deployment.authority
    );
    Ok(())
}

/// The newest accreditation of an account on the chain; none if it has none.
async fn newest(
    ledger: &EvmLedger,
    account: AccountId,
) -> anyhow::Result<Option<serde_json::Value>> {
    let (acts, _) = acts(ledger, Some(account)).await?;
    Ok(acts
        .into_iter()
        .rev()
        .find(|act| act["done"] == "accredited"))
}

/// Blocks of one question.
const PAGE: u32 = 500;

/// From the chain alone, so that it holds whoever had the authority's wallet.
async fn list(ledger: &EvmLedger, of: Option<AccountId>) -> anyhow::Result<()> {
    let (acts, as_of) = acts(ledger, of).await?;
    say(&serde_json::json!({"acts": acts, "as_of_block": as_of}));
    Ok(())
}

/// What the authority did, the oldest first, and the last block that was looked at.
async fn acts(
    ledger: &EvmLedger,
    of: Option<AccountId>,
) -> anyhow::Result<(Vec<serde_json::Value>, u64)> {
    let (mut acts, mut next) = (Vec::new(), 0);
    loop {
        let blocks = ledger.events(next, PAGE).await?;
        let Some(last) = blocks.last() else {
            break;
        };
        next = last.number.saturating_add(1);
        let wanted = |event: &Event| {
            let act = act(event);
            act.is_some_and(|(account, _)| of.is_none_or(|of| of == account))
        };
        for block in &blocks {
            if !block.events.iter().any(wanted) {
                continue;
            }
            for (event, wallet) in ledger.senders(block.number).await? {
                let Some((account, mut act)) = act(&event) else {
                    continue;
                };
                if of.is_none_or(|of| of == account) {
                    act["wallet"] = wallet.to_string().into();
                    act["account"] = account.to_string().into();
                    act["block"] = block.number.into();
                    act["time"] = block.time.0.into();
                    acts.push(act);
                }
            }
        }
    }
    Ok((acts, next.saturating_sub(1)))
}

/// What an event says that the authority did, and about whom.
fn act(event: &Event) -> Option<(AccountId, serde_json::Value)> {
    Some(match event {
        Event::Accredited {
            account,
            from,
            until,
            evidence,
        } => {
            let act = serde_json::json!({
                "done": "accredited", "from": from.0, "until": until.0, "credential": evidence.to_string(),
            });
            (*account, act)
        }
        Event::Suspended { account } => (*account, serde_json::json!({"done": "suspended"})),
        Event::Reinstated { account } => (*account, serde_json::json!({"done": "reinstated"})),
        _ => return None,
    })
}

fn nothing(account: AccountId, because: &str) {
    say(
        &serde_json::json!({"done": "nothing", "account": account.to_string(), "because": because}),
    );
}

fn told(what: &str, account: AccountId, outcome: Outcome) {
    say(&serde_json::json!({
        "done": what,
        "account": account.to_string(),
        "block": outcome.block,
    }));
}
