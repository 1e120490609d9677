//! What a machine needs before anything else makes sense.

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// What a build from nothing takes, test programs included, in bytes.
const BUILD: u64 = 14 << 30;
/// What the tests take while they run, in bytes.
const TESTS: u64 = 2 << 30;

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

/// The room of the disk that a folder of builds is on. A linker that meets a full disk ends with `Bus error`, which tells nobody.
///
/// # Errors
/// If there is too little for the tests alone.
pub fn room(target: &Path) -> Result<()> {
    let there = target.ancestors().find(|folder| folder.is_dir());
    let Some(disk) = there.and_then(|folder| rustix::fs::statvfs(folder).ok()) else {
        return Ok(());
    };
    if let Some(line) = little(disk.f_bavail.saturating_mul(disk.f_frsize), target)? {
        println!("{line}");
    }
    Ok(())
}

/// What is said of so many free bytes, if anything.
fn little(free: u64, target: &Path) -> Result<Option<String>> {
    let gib = |bytes: u64| format!("{}.{} GiB", bytes >> 30, ((bytes >> 20) & 1023) * 10 / 1024);
    let at = target.display();
    if free < TESTS {
        bail!(
            "{} are free where {at} is, and the tests need {}; `cargo clean` removes what was built",
            gib(free),
            gib(TESTS)
        );
    }
    Ok((free < BUILD).then(|| {
        format!(
            "{} are free where {at} is: enough if most is built; a build from nothing takes {}",
            gib(free),
            gib(BUILD)
        )
    }))
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
    fn a_disk_with_little_room_is_told_before_the_linker_meets_it() {
        let at = Path::new("/builds");
        assert_eq!(little(BUILD, at).unwrap(), None);
        let line = little(BUILD - 1, at).unwrap().unwrap();
        assert!(
            line.contains("13.9 GiB are free where /builds is"),
            "{line}"
        );
        let error = little(TESTS - (1 << 29), at).unwrap_err().to_string();
        assert!(error.starts_with("1.5 GiB are free"), "{error}");
        assert!(error.contains("`cargo clean`"), "{error}");
    }

    #[test]
    fn names_only_what_is_missing() {
        assert_eq!(
            missing(&NEEDED, |name| name != "perl" && name != "npm"),
            ["perl", "npm"]
        );
        assert!(missing(&NEEDED, |_| true).is_empty());
    }
}
