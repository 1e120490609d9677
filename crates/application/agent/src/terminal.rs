//! The command line.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue};
use clap::{Parser, Subcommand, ValueEnum};
use indicatif::ProgressBar;
use medibloc_journey::{Party, counted, counted_as};
use medibloc_keys::{Language, Phrase};
use medibloc_ledger_evm::Contracts;
use medibloc_record::{AccountId, Line, on_its_lines, on_one_line};
use medibloc_vault::{VaultCall, VaultError, VaultLock};
use serde_json::json;
use zeroize::Zeroizing;

use crate::answer::code;
use crate::home::{Config, Home, HomePace, HomeRole, OpenHome};
use crate::ports::SystemEntropy;
use crate::{Answer, Command, Problem, connect, convert, daemon, own_node, role, run};

mod way;

#[derive(Parser)]
#[command(name = "medibloc", version, about = "Own your medical records", after_help = EXIT_CODES)]
struct Cli {
    /// Answers as JSON.
    #[arg(long, global = true)]
    json: bool,
    /// The home folder [default: ~/.medibloc].
    #[arg(long, global = true, env = "MEDIBLOC_HOME")]
    home: Option<PathBuf>,
    /// Takes the passphrase from the first line of a file instead of a prompt. One that is typed for a new home has at least
    /// 12 characters; what a machine keeps in a file is its own to choose.
    #[arg(long, global = true, env = "MEDIBLOC_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
    /// Seconds to wait for another process that holds the home.
    #[arg(long, global = true, default_value_t = 30)]
    wait: u64,
    #[command(flatten)]
    reaching: connect::Reaching,
    #[command(subcommand)]
    command: Top,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed, 2 wrong command line, 3 unreadable input, 4 refused by a rule, \
5 somebody does not answer and nothing was kept (try again), 6 wrong passphrase or phrase, 7 not known here, 8 another process holds the home, \
9 begun and kept, `sync` goes on with the rest, 10 the record was erased, \
11 it is there already, and was not made a second time.";

#[derive(Subcommand)]
enum Top {
    /// Makes a new home and shows its phrase once.
    Init(Init),
    /// Rebuilds a home from its phrase.
    Restore(Restore),
    /// Syncs by itself and answers other commands, until stopped.
    Serve {
        /// Seconds between syncs; a node counts requests by the day.
        #[arg(long, default_value_t = 300)]
        every: u64,
        /// Opens a port on 127.0.0.1 for a web face; 0 takes a free one. Without it there is none.
        #[arg(long)]
        port: Option<u16>,
    },
    /// Converts a document to FHIR R4 on standard output; needs no account.
    Convert(convert::Convert),
    /// Says what a file is and what a conversion would keep.
    Inspect(convert::Inspect),
    #[command(flatten)]
    Over(Command),
}

#[derive(clap::Args)]
struct Init {
    /// The deployment file that the operator gave.
    #[arg(long)]
    deployment: PathBuf,
    /// Who owns this home.
    #[arg(long, value_enum, default_value_t = HomeRole::Person)]
    role: HomeRole,
    /// The own node; the deployment's first if it is not given.
    #[arg(long)]
    node: Option<String>,
    /// When acts go that nobody waits for: at random times, or at once for demonstrations.
    #[arg(long, value_enum, default_value_t)]
    pace: HomePace,
    /// Language of the phrase.
    #[arg(long, value_enum, default_value_t = Words::English)]
    language: Words,
}

#[derive(clap::Args)]
struct Restore {
    /// The deployment file that the operator gave.
    #[arg(long)]
    deployment: PathBuf,
    /// Who owns this home; without it, what the chain says of the account, and a person if it says nothing.
    #[arg(long, value_enum)]
    role: Option<HomeRole>,
    /// The own node; if it is not given, the one of the deployment that keeps notes of this phrase, or its first.
    #[arg(long)]
    node: Option<String>,
    /// When acts go that nobody waits for: at random times, or at once for demonstrations.
    #[arg(long, value_enum, default_value_t)]
    pace: HomePace,
    /// Takes the phrase from a file instead of a prompt.
    #[arg(long)]
    phrase_file: Option<PathBuf>,
}

/// Word lists.
#[derive(Clone, Copy, ValueEnum)]
enum Words {
    /// English.
    English,
    /// 简体中文.
    Chinese,
    /// 한국어.
    Korean,
}

impl From<Words> for Language {
    fn from(words: Words) -> Self {
        match words {
            Words::English => Self::English,
            Words::Chinese => Self::SimplifiedChinese,
            Words::Korean => Self::Korean,
        }
    }
}

/// Where passphrases and phrases come from.
#[derive(Debug)]
pub struct Input {
    passphrase_file: Option<PathBuf>,
    reaching: connect::Reaching,
}

impl Input {
    fn passphrase(&self, new: bool) -> Result<Zeroizing<String>, Problem> {
        if let Some(file) = &self.passphrase_file {
            let text = secret_text(file)?;
            // Some editors begin a file with a byte order mark; nobody types one.
            let first = text
                .trim_start_matches('\u{feff}')
                .lines()
                .next()
                .unwrap_or_default();
            return Ok(Zeroizing::new(first.to_owned()));
        }
        let ask = |prompt| {
            rpassword::prompt_password(prompt)
                .map(Zeroizing::new)
                .map_err(|error| {
                    Problem::new(
                        code::INPUT,
                        format!(
                            "no passphrase: there is no terminal to type it at ({error}); use --passphrase-file FILE"
                        ),
                    )
                })
        };
        let first = ask(if new {
            "Passphrase (at least 12 characters): "
        } else {
            "Passphrase: "
        })?;
        if new {
            must_be_long(&first)?;
        }
        if new && *first != *ask("Once more: ")? {
            return Err(Problem::new(
                code::INPUT,
                "the two passphrases differ; try again",
            ));
        }
        Ok(first)
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&on_a_line(error)),
    };
    let asked_json = cli.json;
    let done = match &cli.command {
        // Neither an account nor a runtime: many are run in a row.
        Top::Convert(command) => command
            .run()
            .map(|answer| exact(command, answer, asked_json)),
        Top::Inspect(command) => command.run(),
        _ => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(Problem::from)
            .and_then(|runtime| runtime.block_on(dispatch(cli))),
    };
    match done {
        Ok(answer) => {
            let text = if asked_json {
                answer.value.to_string()
            } else {
                on_its_lines(&answer.text)
            };
            if let Some(output) = &answer.output {
                // The bytes alone, whole; the words go where they do not mix with them.
                let mut out = std::io::stdout().lock();
                if let Err(error) = out.write_all(&output.0).and_then(|()| out.flush()) {
                    let _ = writeln!(std::io::stderr(), "medibloc: standard output: {error}");
                    return ExitCode::from(code::FAILED);
                }
                if !text.is_empty() {
                    let _ = writeln!(std::io::stderr(), "{text}");
                }
                return ExitCode::from(answer.code);
            }
            if text.is_empty() || writeln!(std::io::stdout(), "{text}").is_ok() {
                ExitCode::from(answer.code)
            } else {
                ExitCode::from(code::FAILED)
            }
        }
        Err(problem) => {
            if asked_json {
                let _ = writeln!(std::io::stderr(), "{}", problem.to_value());
            } else {
                let _ = writeln!(
                    std::io::stderr(),
                    "medibloc: {}",
                    on_its_lines(&problem.message)
                );
            }
            ExitCode::from(problem.code)
        }
    }
}

/// A converted document goes into a pipe or file as it is; a terminal gets it without what moves its cursor.
fn exact(command: &convert::Convert, answer: Answer, asked_json: bool) -> Answer {
    if asked_json || command.writes_files() || std::io::stdout().is_terminal() {
        return answer;
    }
    let bytes = format!("{}\n", answer.text).into_bytes();
    let text = String::new();
    Answer { text, ..answer }.with_output(bytes)
}

/// A wrong command line repeats words of it, which somebody else may have written: each is one line, cut short, without what turns
/// its direction.
fn on_a_line(mut error: clap::Error) -> clap::Error {
    let line = |text: &String| Line::of(text).to_string();
    let said = error.context().filter_map(|(kind, said)| match said {
        ContextValue::String(text) => Some((kind, ContextValue::String(line(text)))),
        ContextValue::Strings(all) => {
            let all = all.iter().map(line).collect();
            Some((kind, ContextValue::Strings(all)))
        }
        _ => None,
    });
    let said: Vec<(ContextKind, ContextValue)> = said.collect();
    for (kind, said) in said {
        error.insert(kind, said);
    }
    error
}

/// What clap says, as JSON if that was asked for. Help and version are answers and no errors.
fn usage(error: &clap::Error) -> ExitCode {
    let asked_json = std::env::args_os()
        .skip(1)
        .take_while(|word| word != "--")
        .any(|word| word == "--json");
    if !error.use_stderr() {
        let _ = error.print();
    } else if !asked_json {
        let _ = write!(std::io::stderr(), "{}", on_its_lines(&error.to_string()));
    } else {
        let message = on_its_lines(&error.to_string());
        let value = json!({"error": {"code": code::USAGE, "message": message.trim_end()}});
        let _ = writeln!(std::io::stderr(), "{value}");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(code::USAGE))
}

async fn dispatch(cli: Cli) -> Result<Answer, Problem> {
    let home = Home::at(cli.home.unwrap_or_else(default_home));
    let input = Input {
        passphrase_file: cli.passphrase_file,
        reaching: cli.reaching,
    };
    let wait = Duration::from_secs(cli.wait.min(3600));
    match cli.command {
        Top::Convert(command) => command.run(),
        Top::Inspect(command) => command.run(),
        Top::Init(init) => make(&home, &input, &init),
        Top::Restore(restore) => rebuild(&home, &input, &restore).await,
        Top::Serve { every, port } => {
            let (party, contracts) = match alone(&home, &input, wait, None).await? {
                Alone::Open(party, contracts) => (*party, *contracts),
                Alone::Answered(answer) => return Ok(answer),
            };
            let tell = |text: &str| {
                let _ = writeln!(std::io::stderr(), "{}", on_one_line(text));
            };
            daemon::serve(
                &home,
                party,
                Some(contracts),
                daemon::Serving::every(Duration::from_secs(every.max(1))).with_port(port),
                stopped(),
                tell,
            )
            .await?;
            Ok(Answer::new(json!({"stopped": true}), "stopped"))
        }
        Top::Over(Command::Verify(verify))
            if verify.deployment.is_some() || Path::new(&verify.what).is_file() =>
        {
            with_spinner(verify_alone(&home, &input, &verify)).await
        }
        Top::Over(command) => {
            if command.is_for_standard_output() && std::io::stdout().is_terminal() {
                // A document of others can hold what moves a terminal's cursor.
                return Err(Problem::new(
                    code::USAGE,
                    "standard output is a terminal; send it somewhere, like `| less`, or give a file",
                ));
            }
            let command = command.absolute()?;
            match alone(&home, &input, wait, Some(&command)).await? {
                Alone::Answered(answer) => Ok(answer),
                Alone::Open(party, contracts) => {
                    let work = run::run(&party, Some(&contracts), &command);
                    let (urgency, can_end) = (Some(party.urgency()), way::can_end(&command));
                    with_spinner(way::giving(&home, urgency, can_end, work)).await?
                }
            }
        }
    }
}

/// A proof file needs a chain and an authority to be checked by, and nobody's vault.
async fn verify_alone(
    home: &Home,
    input: &Input,
    verify: &crate::command::Verify,
) -> Result<Answer, Problem> {
    let chain = match &verify.deployment {
        Some(file) => connect::Chain::of(&deployment(file)?, &input.reaching, None)?,
        None if home.exists() => {
            let config = home.config()?;
            let file = deployment(&home.deployment())?;
            connect::Chain::of(&file, &input.reaching, Some((home, &config)))?
        }
        None => {
            return Err(Problem::new(
                code::USAGE,
                format!(
                    "there is no home at {}; `--deployment FILE` checks a proof file without one, by the chain and the \
                     authority that the operator's file names",
                    home.path().display()
                ),
            ));
        }
    };
    let path = Path::new(&verify.what);
    run::verify::proof(&chain.trusted(), path, verify.block.as_deref()).await
}

/// The vault of this process alone, or the answer of the process that holds it.
enum Alone {
    Open(Box<Party>, Box<Contracts>),
    Answered(Answer),
}

/// The lock comes first: while it is free nobody serves, whatever is at the door; while it is held, who answers at the
/// door must prove itself.
async fn alone(
    home: &Home,
    input: &Input,
    wait: Duration,
    command: Option<&Command>,
) -> Result<Alone, Problem> {
    home.must_exist()?;
    let until = tokio::time::Instant::now() + wait;
    let takes_back = command.is_some_and(Command::takes_back);
    let (mut seed, mut call) = (None, None);
    loop {
        let held = match (&seed, VaultLock::take(home.path())) {
            (_, Err(held @ VaultError::Held { .. })) => held,
            (_, Err(error)) => return Err(error.into()),
            (None, Ok(free)) => {
                // Others go on while somebody types.
                drop((free, call.take()));
                let passphrase = input.passphrase(false)?;
                seed = Some(home.unlock(&passphrase)?);
                continue;
            }
            (Some(seed), Ok(free)) => {
                let OpenHome {
                    seed,
                    config,
                    vault,
                } = home.open_locked(free, seed.clone())?;
                // Who serves stays, and what was erased must not.
                if command.is_none() {
                    vault.wipe_what_is_freed()?;
                }
                let ports = connect::ports(home, &config, vault, &input.reaching);
                let can_end = command.is_some_and(way::can_end);
                let (ports, contracts) = way::giving(home, None, can_end, ports).await??;
                let party = Party::new(seed, config.role.into(), ports);
                return Ok(Alone::Open(Box::new(party), Box::new(contracts)));
            }
        };
        let mut told = held.to_string();
        if let Some(command) = command {
            match with_spinner(daemon::ask(home, command)).await {
                daemon::Asked::Done(answer) => return answer.map(Alone::Answered),
                daemon::Asked::Nobody => {}
                daemon::Asked::Stranger(why) => {
                    told = format!(
                        "{told}; somebody at its door is not `medibloc serve` of this home ({why}), nothing was said to it"
                    );
                }
            }
        }
        if takes_back && call.is_none() {
            // A disk that takes no file more: it waits like the others.
            call = VaultCall::raise(home.path()).ok();
        }
        if tokio::time::Instant::now() >= until {
            return Err(Problem::new(
                code::HELD,
                format!("{told}; waited {} s", wait.as_secs()),
            ));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn default_home() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".medibloc")
}

async fn with_spinner<T>(work: impl Future<Output = T>) -> T {
    let busy = spinner();
    let done = work.await;
    if let Some(busy) = busy {
        busy.finish_and_clear();
    }
    done
}

fn spinner() -> Option<ProgressBar> {
    std::io::stderr().is_terminal().then(|| {
        let bar = ProgressBar::new_spinner().with_message("working");
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    })
}

async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}

fn deployment(path: &Path) -> Result<Vec<u8>, Problem> {
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::new(
            code::INPUT,
            format!(
                "cannot read {}: {error}; ask the operator for the deployment file",
                path.display()
            ),
        )
    })?;
    let mark = "\u{feff}".as_bytes();
    Ok(bytes.strip_prefix(mark).unwrap_or(&bytes).to_vec())
}

fn make(home: &Home, input: &Input, init: &Init) -> Result<Answer, Problem> {
    let deployment = deployment(&init.deployment)?;
    input.reaching.check(&deployment, init.node.as_deref())?;
    let passphrase = input.passphrase(true)?;
    let phrase = Phrase::generate(&mut SystemEntropy, init.language.into());
    let config = Config {
        version: 1,
        role: init.role,
        node: init.node.clone(),
        pace: init.pace,
        insecure_http: input.reaching.insecure_http,
    };
    home.create(&phrase, &passphrase, &config, &deployment)?;
    input.reaching.keep(home)?;
    let account = phrase.seed().account_key().address().to_string();
    let words = phrase.words();
    let next = match init.role {
        HomeRole::Person => {
            "`medibloc contact invite` lets a provider write for you, `medibloc record import FILE` keeps an own record"
        }
        HomeRole::Provider | HomeRole::Researcher => {
            "`medibloc account register`, then `medibloc account credential`, then `medibloc contact accept INVITATION`"
        }
    };
    let mut text = format!(
        "This phrase is all it takes to get everything back. Write it down; it is not shown again.\n\n{}\n\nhome {}\nnext: {next}",
        *words,
        home.path().display()
    );
    let hint = weak(&passphrase);
    if let Some(hint) = hint {
        text.push_str("\nhint: ");
        text.push_str(hint);
    }
    Ok(Answer::new(
        json!({"phrase": *words, "account": account, "home": home.path(), "next": next, "hint": hint}),
        text,
    ))
}

/// The least characters of a passphrase that a person types for a new home.
const LEAST: usize = 12;

/// That a person's passphrase is not one that whoever copies the home tries out in no time.
fn must_be_long(passphrase: &str) -> Result<(), Problem> {
    if passphrase.chars().count() >= LEAST {
        return Ok(());
    }
    Err(Problem::new(
        code::INPUT,
        format!(
            "a passphrase has at least {LEAST} characters, or whoever copies the home guesses it: take four words that do not belong \
             together"
        ),
    ))
}

/// What is wrong with a passphrase that a machine guesses soon. Of one in a file it is a hint, no refusal.
fn weak(passphrase: &str) -> Option<&'static str> {
    let kinds: std::collections::BTreeSet<char> = passphrase.chars().collect();
    if passphrase.chars().count() < LEAST || kinds.len() < 5 {
        return Some(
            "this passphrase is short; whoever copies the home can guess it. Four words that do not belong together are better",
        );
    }
    None
}

/// A phrase's or passphrase's file as editors write it: UTF-8, or UTF-16 with its mark.
fn secret_text(file: &Path) -> Result<Zeroizing<String>, Problem> {
    let bad = |why: &dyn core::fmt::Display| {
        Problem::new(
            code::INPUT,
            format!("cannot read {}: {why}", file.display()),
        )
    };
    let bytes = Zeroizing::new(std::fs::read(file).map_err(|error| bad(&error))?);
    let no_text = || bad(&"it is no plain text; save it as UTF-8, the words alone");
    let wide = |rest: &[u8], order: fn([u8; 2]) -> u16| {
        let units = rest.chunks(2).map(|pair| match *pair {
            [a, b] => Some(order([a, b])),
            _ => None,
        });
        let units: Option<Zeroizing<Vec<u16>>> =
            units.collect::<Option<Vec<u16>>>().map(Zeroizing::new);
        units.and_then(|units| String::from_utf16(&units).ok())
    };
    let text = match &**bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        all => std::str::from_utf8(all).ok().map(str::to_owned),
    };
    text.map(Zeroizing::new).ok_or_else(no_text)
}

async fn rebuild(home: &Home, input: &Input, restore: &Restore) -> Result<Answer, Problem> {
    let deployment = deployment(&restore.deployment)?;
    input.reaching.check(&deployment, restore.node.as_deref())?;
    let text = match &restore.phrase_file {
        Some(file) => secret_text(file)?,
        None => rpassword::prompt_password("Phrase (24 words): ")
            .map(Zeroizing::new)
            .map_err(|error| {
                Problem::new(
                    code::INPUT,
                    format!(
                        "no phrase: there is no terminal to type it at ({error}); use --phrase-file FILE, which may be /dev/stdin"
                    ),
                )
            })?,
    };
    let phrase =
        Phrase::parse(&text).map_err(|error| Problem::new(code::LOCKED, error.to_string()))?;
    let is_new = !home.exists();
    let passphrase = input.passphrase(is_new)?;
    let config = Config {
        version: 1,
        role: restore.role.unwrap_or(HomeRole::Person),
        node: restore.node.clone(),
        pace: restore.pace,
        insecure_http: input.reaching.insecure_http,
    };
    if is_new {
        home.create_to_restore(&phrase, &passphrase, &config, &deployment)?;
        input.reaching.keep(home)?;
    }
    // A restore that was broken off goes on in the same home.
    let seed = home.unlock(&passphrase)?;
    if seed.account_key().address() != phrase.seed().account_key().address() {
        return Err(Problem::new(
            code::LOCKED,
            format!(
                "{} is the home of another phrase; choose another with --home",
                home.path().display()
            ),
        ));
    }
    home.renew(&config, &deployment)?;
    let OpenHome {
        mut config, vault, ..
    } = home.open_or_renew(seed)?;
    if restore.node.is_some() && config.node != restore.node {
        config.node.clone_from(&restore.node);
        home.settle(&config)?;
    }
    home.restore_begins(&config, vault.clone())?;
    let (mut ports, _) = connect::ports(home, &config, vault.clone(), &input.reaching).await?;
    let account = AccountId::from_first_address(phrase.seed().account_key().address());
    match role::of_account(&ports, account, restore.role).await {
        Ok(Some(role)) if role != config.role => {
            config.role = role;
            home.settle(&config)?;
            ports.pace = config.pace.policy(role);
        }
        Ok(_) => {}
        Err(problem) => {
            if is_new && problem.code == code::USAGE {
                // It holds nothing, and would be in the way of the right role.
                drop(ports);
                home.remove()?;
                return Err(problem);
            }
            return Err(Problem::new(
                problem.code,
                format!(
                    "{}; the home is made, run the same command again to go on",
                    problem.message
                ),
            ));
        }
    }
    let role = config.role;
    let found = own_node::find(home, &config, &vault, &input.reaching, phrase.seed()).await?;
    Party::own_node_waits_for(ports.vault.as_ref(), &found.away)?;
    if let Some(node) = found.node {
        config.node = Some(node);
        home.settle(&config)?;
        ports = connect::ports(home, &config, vault, &input.reaching)
            .await?
            .0;
    }
    let busy = spinner();
    let mut party = Party::new(phrase.seed(), config.role.into(), ports);
    if let Some(busy) = busy.clone() {
        party = party.watched_by(std::sync::Arc::new(move |done, all| {
            busy.set_message(format!("{done} of {}", counted(all, "record")));
        }));
    }
    let restored = way::giving(home, Some(party.urgency()), true, party.restored()).await;
    if let Some(busy) = busy {
        busy.finish_and_clear();
    }
    let restored = restored.and_then(|restored| restored.map_err(Problem::from));
    let (party, report) = restored.map_err(|problem| {
        Problem::new(
            problem.code,
            format!(
                "{}; the home is made, run the same command again to go on",
                problem.message
            ),
        )
    })?;
    if report.is_empty() && is_new {
        drop(party);
        // It holds nothing, and would be in the way of the right phrase.
        home.remove()?;
        let advice = report.advice().unwrap_or_default();
        return Err(Problem::new(code::UNKNOWN, advice));
    }
    let mut report = report;
    let early = match report.missing.is_empty() {
        true => 0,
        // A consent that is missing yet may explain a read.
        false => std::mem::take(&mut report.sync.alarms).len(),
    };
    let told = run::told(&party, &report.sync)?;
    let (contacts, owners) = run::noted::known_of(&party)?;
    let value = json!({
        "addresses": report.addresses, "consents": report.consents, "missing": report.missing, "sync": told.value,
        "noCredential": report.no_credential,
        "node": party.ports().network.own_node(), "nodeTold": found.told,
        "role": role,
        "noted": run::noted::value(&report.noted),
        "unknownReads": report.unknown_reads,
        "contacts": contacts, "owners": owners,
    });
    let mut text = format!(
        "{}, {}, role {}\n{}",
        counted_as(report.addresses, "address", "addresses"),
        counted(report.consents, "consent"),
        role.word(),
        told.text
    );
    let known = run::noted::known(&contacts, &owners);
    for line in run::noted::lines(&report).into_iter().chain([known]) {
        text.push('\n');
        text.push_str(&line);
    }
    for missing in run::grouped(&report.missing)
        .into_iter()
        .chain(report.no_credential.clone())
        .chain(report.advice())
        .chain(found.told.clone())
    {
        text.push('\n');
        text.push_str(&missing);
    }
    if early > 0 {
        text.push_str(&format!(
            "\n{} cannot be judged before all consents are here; `medibloc audit` tells then if one is not explained",
            counted(early, "read")
        ));
    }
    let code = match report.open() {
        0 if found.away.is_empty() => 0,
        _ => code::PARTIAL,
    };
    Ok(Answer::new(value, text).with_code(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_passphrase_has_twelve_characters_in_any_script() {
        for short in ["", "a", "elevenchars", "\u{be44}\u{bc00}\u{bc88}\u{d638}"] {
            let told = must_be_long(short).unwrap_err();
            assert_eq!(told.code, code::INPUT);
            assert!(told.message.contains("at least 12"), "{told}");
        }
        assert_eq!(must_be_long("twelve chars"), Ok(()));
    }
}

#[cfg(test)]
mod secret_files {
    use super::secret_text;

    #[test]
    fn files_of_phrases_are_read_as_editors_write_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("phrase");
        let words = "abandon ability 요리";
        let wide = |mark: [u8; 2], order: fn(u16) -> [u8; 2]| {
            let units = words.encode_utf16().flat_map(order);
            mark.into_iter().chain(units).collect::<Vec<u8>>()
        };
        for bytes in [
            words.as_bytes().to_vec(),
            wide([0xff, 0xfe], u16::to_le_bytes),
            wide([0xfe, 0xff], u16::to_be_bytes),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(secret_text(&path).unwrap().as_str(), words);
        }
        for bytes in [
            &[0xff, 0xfe, 0x61][..],
            &[0x80, 0x81],
            &[0xff, 0xfe, 0x00, 0xd8],
        ] {
            std::fs::write(&path, bytes).unwrap();
            let told = secret_text(&path).unwrap_err().message;
            assert!(told.contains("save it as UTF-8"), "{told}");
        }
    }
}
