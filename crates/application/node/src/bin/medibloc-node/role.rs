//! Roles from wallet to wallet. The last administrator is never lost: another one takes the role away, which shows that its
//! wallet works.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use medibloc_api::{Deployment, EarlierAuthority};
use medibloc_ledger::Facts as _;
use medibloc_ledger_evm::{AuthorityWallet, ChainRole, EvmLedger};
use medibloc_node::read_wallet;
use medibloc_record::Address;
use serde_json::Value;

use crate::config::deployment;
use crate::reaching::Reaching;
use crate::say;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Give a role to a wallet, as an administrator; whoever has it keeps it
    Give(Change),
    /// Take a role away from another wallet, as an administrator
    Take(Change),
    /// Who has which role
    List {
        /// deployment.json
        #[arg(long)]
        deployment: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct Change {
    /// deployment.json
    #[arg(long)]
    deployment: PathBuf,
    /// An administrator's key file
    #[arg(long)]
    key: PathBuf,
    /// The role
    #[arg(long)]
    role: Role,
    /// The wallet that gets or loses it
    #[arg(long)]
    wallet: Address,
}

/// What a wallet may do beside what everybody may.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Gives and takes all roles
    Administrator,
    /// Accredits, suspends and reinstates
    Accreditor,
    /// Registers keepers and forms committees
    Registrar,
}

const ROLES: [Role; 3] = [Role::Administrator, Role::Accreditor, Role::Registrar];

impl Role {
    const fn of_chain(self) -> ChainRole {
        match self {
            Self::Administrator => ChainRole::Administrator,
            Self::Accreditor => ChainRole::Accreditor,
            Self::Registrar => ChainRole::Registrar,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Accreditor => "accreditor",
            Self::Registrar => "registrar",
        }
    }
}

pub(crate) async fn run(command: Command, reaching: &Reaching) -> anyhow::Result<()> {
    match command {
        Command::Give(change) => {
            let (ledger, wallet) = administrator(&change, reaching).await?;
            let (role, to) = (change.role.of_chain(), change.wallet);
            ensure!(
                !ledger.has_role(role, to).await?,
                "{to} is {} already",
                change.role.name()
            );
            let outcome = wallet.give_role(role, to).await?;
            let mut line = told("given", &change, outcome.block);
            if matches!(change.role, Role::Accreditor) {
                let now = ledger.head().await?.time.0;
                // As deployment.json takes it: what to do with it stands beside it.
                line["next"] = handed_on(&deployment(&change.deployment)?, to, now);
                line["told"] = NEXT.into();
            }
            say(&line);
            Ok(())
        }
        Command::Take(change) => {
            let (ledger, wallet) = administrator(&change, reaching).await?;
            let (role, from) = (change.role.of_chain(), change.wallet);
            ensure!(
                ledger.has_role(role, from).await?,
                "{from} is no {}; `medibloc-node authority role list` says who is",
                change.role.name()
            );
            let outcome = wallet.take_role(role, from).await?;
            say(&told("taken", &change, outcome.block));
            Ok(())
        }
        Command::List { deployment: file } => {
            let ledger = reaching.connect(&deployment(&file)?).await??;
            let mut holders = serde_json::Map::new();
            for role in ROLES {
                let wallets = ledger.role_holders(role.of_chain()).await?;
                let wallets: Vec<String> = wallets.iter().map(ToString::to_string).collect();
                holders.insert(role.name().to_owned(), wallets.into());
            }
            say(&holders.into());
            Ok(())
        }
    }
}

/// The chain, and the wallet of a key that administers it.
async fn administrator(
    change: &Change,
    reaching: &Reaching,
) -> anyhow::Result<(EvmLedger, AuthorityWallet)> {
    let ledger = reaching.connect(&deployment(&change.deployment)?).await??;
    let key = read_wallet(&change.key)?;
    let me = key.address();
    if !ledger.has_role(ChainRole::Administrator, me).await? {
        bail!(
            "{} is the key of {me}, which is no administrator; use the key of one (`medibloc-node authority role list`)",
            change.key.display()
        );
    }
    let own = matches!(change.role, Role::Administrator) && me == change.wallet;
    ensure!(
        !own,
        "{me} cannot give this role to itself or take it from itself: hand it on with `role give` to another wallet, and take it away \
         from this one with that wallet's key, so that there always is an administrator whose key is at hand"
    );
    let wallet = AuthorityWallet::new(&ledger, &key);
    Ok((ledger, wallet))
}

fn told(what: &str, change: &Change, block: u64) -> Value {
    serde_json::json!({
        "done": what, "role": change.role.name(), "wallet": change.wallet.to_string(), "block": block,
    })
}

/// What is to be done with what [`handed_on`] gives.
const NEXT: &str = "once this wallet is the one that accredits, put `authority` and `authorities` of `next` into deployment.json, give \
                    the file to everybody, and accredit with this wallet alone: credentials of the one before that begin at `until` \
                    or later do not count, and `until` is when it signed last";

/// What deployment.json must say once this wallet accredits: without it all that the one before signed would count for nothing.
fn handed_on(deployment: &Deployment, to: Address, now: u64) -> Value {
    let mut authorities = deployment.authorities.clone();
    if deployment.authority != to {
        authorities.push(EarlierAuthority {
            address: deployment.authority,
            until: now,
        });
    }
    serde_json::json!({"authority": to.to_string(), "authorities": authorities})
}
