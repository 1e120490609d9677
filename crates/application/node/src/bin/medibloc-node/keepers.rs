//! Keepers come and go: the registrar puts them in their places and forms committees of them.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand};
use medibloc_ledger::Facts as _;
use medibloc_ledger_evm::{AuthorityWallet, ChainRole, EvmLedger};
use medibloc_node::read_wallet;
use medibloc_record::{Address, Threshold};

use crate::chain::{keeper_plan, public_keys};
use crate::config::deployment;
use crate::reaching::Reaching;
use crate::say;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put a keeper in a place that is free, or in another one's, as the registrar. A new place counts from the next committee on
    Register(Register),
    /// Put the keepers of the places 1 to n in force as the next committee, as the registrar. Records that are there already keep
    /// theirs
    Committee(Committee),
    /// Who is in which place, and the committee in force
    List {
        /// deployment.json
        #[arg(long)]
        deployment: PathBuf,
    },
}

#[derive(Args)]
pub(crate) struct Registrar {
    /// deployment.json
    #[arg(long)]
    deployment: PathBuf,
    /// The registrar's key file
    #[arg(long)]
    key: PathBuf,
}

#[derive(Args)]
pub(crate) struct Register {
    #[command(flatten)]
    registrar: Registrar,
    /// File of its public keys (`keys public`) and URL, as keeper-8.public.json=https://keeper-8.example.org
    #[arg(long, value_name = "PUBLIC=URL")]
    keeper: String,
    /// The signer of the keeper that has the place and leaves it
    #[arg(long)]
    replace: Option<Address>,
}

#[derive(Args)]
pub(crate) struct Committee {
    #[command(flatten)]
    registrar: Registrar,
    /// How many keepers, those of the places 1 to n
    #[arg(long)]
    keepers: u8,
    /// How many of them a read needs
    #[arg(long)]
    threshold: u8,
}

pub(crate) async fn run(command: Command, reaching: &Reaching) -> anyhow::Result<()> {
    match command {
        Command::Register(register) => run_register(register, reaching).await,
        Command::Committee(committee) => run_committee(committee, reaching).await,
        Command::List { deployment: file } => {
            list(&reaching.connect(&deployment(&file)?).await??).await
        }
    }
}

async fn run_register(args: Register, reaching: &Reaching) -> anyhow::Result<()> {
    let (keys, url) = public_keys(&args.keeper)?;
    // What nobody could call must not get onto the chain.
    let outgoing = reaching.of(&deployment(&args.registrar.deployment)?)?;
    outgoing.reach(&url)?;
    let (ledger, wallet) = registrar(&args.registrar, reaching).await?;
    let index = keys.index();
    let there = ledger.keeper_place(index).await?;
    match (&there, args.replace) {
        (Some(there), None) => bail!(
            "keeper {} at {} has place {index}; to put this one there instead, say --replace {}: the shares of all records are with \
             the old one, and owners give them to the new one with `medibloc record store`",
            there.signer,
            there.endpoint,
            there.signer
        ),
        (Some(there), Some(old)) => ensure!(
            there.signer == old,
            "keeper {} has place {index}, not {old}; see `medibloc-node keepers list`",
            there.signer
        ),
        (None, Some(old)) => bail!("place {index} is free: {old} is not there to be replaced"),
        (None, None) => {}
    }
    let next = there.map_or(1, |there| there.wrap_version.saturating_add(1));
    let version = keys.wrap_key().version;
    ensure!(
        version == next,
        "the wrap key of the file has version {version}, and the next one of place {index} is {next}; the keeper's operator makes keys \
         with `medibloc-node keys keeper --index {index} --wrap-version {next}`"
    );
    let outcome = wallet.register_keeper(&keeper_plan(&keys, &url)).await?;
    say(&serde_json::json!({
        "done": "registered", "keeper": index, "signer": keys.signer().to_string(), "block": outcome.block,
    }));
    Ok(())
}

async fn run_committee(args: Committee, reaching: &Reaching) -> anyhow::Result<()> {
    let threshold = Threshold::new(args.keepers, args.threshold)?;
    let (ledger, wallet) = registrar(&args.registrar, reaching).await?;
    for index in 1..=args.keepers {
        ensure!(
            ledger.keeper_place(index).await?.is_some(),
            "place {index} has no keeper; register one first (`medibloc-node keepers register`)"
        );
    }
    let outcome = wallet.form_committee(threshold).await?;
    say(&serde_json::json!({
        "done": "formed", "keepers": args.keepers, "threshold": args.threshold, "block": outcome.block,
    }));
    Ok(())
}

async fn list(ledger: &EvmLedger) -> anyhow::Result<()> {
    let mut keepers = Vec::new();
    for index in 1..=u8::MAX {
        let Some(there) = ledger.keeper_place(index).await? else {
            break;
        };
        keepers.push(serde_json::json!({
            "keeper": index, "signer": there.signer.to_string(), "url": there.endpoint,
            "wrap_version": there.wrap_version,
        }));
    }
    let committee = ledger.committee().await?.committee;
    let threshold = committee.threshold;
    say(&serde_json::json!({
        "keepers": keepers,
        "committee": {"id": committee.id, "keepers": threshold.n(), "threshold": threshold.t()},
    }));
    Ok(())
}

/// The chain, and the wallet of a key that registers keepers there.
async fn registrar(
    args: &Registrar,
    reaching: &Reaching,
) -> anyhow::Result<(EvmLedger, AuthorityWallet)> {
    let ledger = reaching.connect(&deployment(&args.deployment)?).await??;
    let key = read_wallet(&args.key)?;
    let me = key.address();
    if !ledger.has_role(ChainRole::Registrar, me).await? {
        bail!(
            "{} is the key of {me}, which is no registrar; use the key of one (`medibloc-node authority role list`)",
            args.key.display()
        );
    }
    let wallet = AuthorityWallet::new(&ledger, &key);
    Ok((ledger, wallet))
}
