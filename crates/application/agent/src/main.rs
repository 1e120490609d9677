//! `medibloc`: a person's or organisation's own program. Keys and plaintext never leave it.
//!
//! Exit codes: 0 done · 1 something failed, the message says what to do · 2 the command line is wrong ·
//! 3 the input is not a document that can be read.

mod convert;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "medibloc", version, about = "Own your medical records")]
struct Cli {
    /// Answers as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Converts a document to FHIR R4 on standard output; needs no account.
    Convert(convert::Convert),
    /// Says what a file is and what a conversion would keep.
    Inspect(convert::Inspect),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Command::Convert(command) => command.run(),
        Command::Inspect(command) => command.run(cli.json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            if error.is::<medibloc_record::FormatError>() {
                ExitCode::from(3)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

#[allow(clippy::print_stderr, reason = "a command line speaks to people")]
fn report(error: &anyhow::Error) {
    eprintln!("medibloc: {error:#}");
}
