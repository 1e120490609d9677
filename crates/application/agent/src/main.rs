//! `medibloc`: see the library.

fn main() -> std::process::ExitCode {
    medibloc_agent::main()
}
