//! `medibloc`: see the library.

mod memory;

fn main() -> std::process::ExitCode {
    memory::keep_to_itself();
    medibloc_agent::main()
}
