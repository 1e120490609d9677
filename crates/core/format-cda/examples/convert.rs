//! Converts CDA documents named as arguments, and prints the bundle of the last: for measuring.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks"
)]

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

fn main() -> Result<(), Box<dyn core::error::Error>> {
    for path in std::env::args().skip(1) {
        let draft = Cda.read(&std::fs::read(path)?)?;
        println!("{}", draft.fhir);
    }
    Ok(())
}
