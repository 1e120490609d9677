//! What a machine needs before anything else makes sense.

use anyhow::{Result, bail};
use std::path::PathBuf;

/// The programs that every verb may come to need.
const NEEDED: [&str; 5] = ["cc", "make", "perl", "node", "npm"];

/// Stops with the exact line that installs what is missing.
pub fn check() -> Result<()> {
    let missing = missing(&NEEDED, |name| find(name).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "this machine lacks {}; install it with\n\n    \
         apt-get install -y build-essential perl nodejs npm\n\n\
         (other systems: a C tool chain with make, perl, and Node 20 or later)",
        missing.join(", ")
    )
}

fn missing<'a>(needed: &[&'a str], has: impl Fn(&str) -> bool) -> Vec<&'a str> {
    needed.iter().copied().filter(|name| !has(name)).collect()
}

/// Where on `PATH` the program stands.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_only_what_is_missing() {
        assert_eq!(
            missing(&NEEDED, |name| name != "perl" && name != "npm"),
            ["perl", "npm"]
        );
        assert!(missing(&NEEDED, |_| true).is_empty());
    }
}
