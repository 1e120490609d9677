//! medibloc-node: a consortium member's program. One subcommand a part; each reads one configuration.

mod authority;
mod chain;
mod config;
mod folder;
mod keepers;
mod memory;
mod out;
mod reaching;
mod role;
mod rotate;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use medibloc_node::{KeeperKeys, OsEntropy, make_wallet};

#[derive(Parser)]
#[command(
    name = "medibloc-node",
    version,
    about = "A consortium member's program"
)]
struct Cli {
    #[command(flatten)]
    reaching: reaching::Reaching,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve storage, mailbox and relay
    Gateway(Settings),
    /// Serve one keeper
    Keeper(Settings),
    /// The embedded chain, and the contracts on any chain
    #[command(subcommand)]
    Chain(chain::Command),
    /// What the accrediting authority and the administrators do
    #[command(subcommand)]
    Authority(authority::Command),
    /// Register keepers, replace them, form committees
    #[command(subcommand)]
    Keepers(keepers::Command),
    /// Make key files, give a keeper's public keys away, rotate its wrap key
    #[command(subcommand)]
    Keys(Keys),
}

/// Where the configuration comes from: file, then MEDIBLOC_NODE_*, then these flags.
#[derive(Args, Clone, Debug)]
pub(crate) struct Settings {
    /// The configuration file (TOML)
    #[arg(long)]
    config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long)]
    listen: Option<String>,
    /// The URL that this is known by
    #[arg(long)]
    url: Option<String>,
    /// Where the data is
    #[arg(long)]
    data_dir: Option<String>,
    /// Any other key, as section.key=value
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Subcommand)]
enum Keys {
    /// A wallet: relay, deployer, authority
    Wallet {
        /// The new file
        #[arg(long, value_parser = out::new_file)]
        out: PathBuf,
    },
    /// A keeper's keys, which stay with its operator
    Keeper {
        /// Its place in the committee, from 1
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..))]
        index: u8,
        /// The version of its first wrap key: more than 1 if it takes another keeper's place, which `keepers list` tells
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        wrap_version: u32,
        /// The new file
        #[arg(long, value_parser = out::new_file)]
        out: PathBuf,
    },
    /// A keeper's public keys, with a signature that proves them: what its operator gives away to be registered
    Public {
        /// The keeper's key file
        file: PathBuf,
        /// The new file; standard output if it is not given, or -
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Give a keeper its next wrap key, in its key file and on the chain; the one before is accepted for seven days. The
    /// keeper may be running; its signer pays
    Rotate(Settings),
}

fn main() -> ExitCode {
    memory::keep_to_itself();
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(&mut std::io::stderr(), &format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let reaching = cli.reaching;
    match cli.command {
        Command::Gateway(settings) => runtime.block_on(serve::gateway(settings, reaching)),
        Command::Keeper(settings) => runtime.block_on(serve::keeper(settings, reaching)),
        Command::Chain(command) => runtime.block_on(chain::run(command, reaching)),
        Command::Authority(command) => runtime.block_on(authority::run(command, reaching)),
        Command::Keepers(command) => runtime.block_on(keepers::run(command, &reaching)),
        Command::Keys(Keys::Rotate(settings)) => {
            runtime.block_on(rotate::run(&settings, &reaching))
        }
        Command::Keys(keys) => make(keys),
    }
}

fn make(keys: Keys) -> anyhow::Result<()> {
    let (address, out) = match keys {
        Keys::Wallet { out } => (make_wallet(&out, &mut OsEntropy)?.address(), out),
        Keys::Keeper {
            index,
            wrap_version,
            out,
        } => {
            let keys = KeeperKeys::succeeding(index, wrap_version, &mut OsEntropy);
            keys.write(&out)?;
            (keys.signer(), out)
        }
        Keys::Public { file, out } => {
            let keys = KeeperKeys::read(&file)?.public();
            let Some(out) = out.filter(|out| !out::is_standard_output(out)) else {
                say(&serde_json::from_slice(&keys.to_json())?);
                return Ok(());
            };
            out::write_new(&out, &keys.to_json())?;
            (keys.signer(), out)
        }
        Keys::Rotate(_) => return Ok(()),
    };
    say(&serde_json::json!({"address": address.to_string(), "file": out}));
    Ok(())
}

/// One JSON line on standard output: the answer of a command.
pub(crate) fn say(value: &serde_json::Value) {
    print(&mut std::io::stdout(), &value.to_string());
}

fn print(to: &mut impl std::io::Write, line: &str) {
    // Nobody listens any more: nothing to do about it.
    let _ = writeln!(to, "{line}");
}
