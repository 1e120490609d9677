//! The skip ledger: what ran, what did not, and why. A skipped check must never look green.
//!
//! A test that cannot run prints a line `SKIPPED name: reason`, or appends that line to the file
//! named by `MEDIBLOC_SKIP_LEDGER`; ignored tests count too, but for one whose reason begins with
//! `child of`: another test runs it as a process of its own. `name` is what was missing, or that
//! and `/` and the test. Such a test returns early, which its harness takes for a pass, so each name
//! counts as one skipped and no more as passed.

use anyhow::{Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Counts of tests, and the skips with their reasons.
#[derive(Debug, Default)]
pub struct Ledger {
    passed: u64,
    failed: u64,
    skips: BTreeMap<String, String>,
    /// Names of the skips that a harness counts among the passed.
    early: BTreeSet<String>,
}

impl Ledger {
    /// Reads one line of a test program's output.
    pub fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(result) = line
            .strip_prefix("test result: ")
            .or_else(|| line.strip_prefix("Suite result: "))
        {
            self.passed += count(result, "passed");
            self.failed += count(result, "failed");
        } else if let Some(skip) = line.strip_prefix("SKIPPED ") {
            let (name, reason) = skip.split_once(": ").unwrap_or((skip, "no reason given"));
            self.early.insert(name.to_owned());
            self.skip(name, reason);
        } else if let Some((name, reason)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... ignored"))
            .map(|(name, rest)| (name, rest.trim_start_matches([',', ' '])))
        {
            match reason {
                "" => self.skip(name, "ignored without a reason"),
                child if child.starts_with("child of ") => {}
                reason => self.skip(name, reason),
            }
        }
    }

    /// Notes that something did not run.
    pub fn skip(&mut self, name: &str, reason: &str) {
        self.skips.insert(name.to_owned(), reason.to_owned());
    }

    /// Fails if a skip is not on the list: one name a line, `#` begins a comment.
    pub fn allow_only(&self, list: &str) -> Result<()> {
        let allowed: Vec<&str> = list
            .lines()
            .map(|line| line.split('#').next().unwrap_or_default().trim())
            .filter(|name| !name.is_empty())
            .collect();
        let is_allowed = |name: &str| {
            allowed.iter().any(|entry| {
                name.strip_prefix(entry)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let refused: Vec<&str> = self
            .skips
            .keys()
            .map(String::as_str)
            .filter(|name| !is_allowed(name))
            .collect();
        if !refused.is_empty() {
            bail!(
                "skipped, but not on ci/allowed-skips.txt: {}; install what is missing",
                refused.join(", ")
            );
        }
        Ok(())
    }
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, reason) in &self.skips {
            writeln!(f, "SKIPPED {name}: {reason}")?;
        }
        let early = u64::try_from(self.early.len()).unwrap_or(u64::MAX);
        let (passed, skipped) = (self.passed.saturating_sub(early), self.skips.len());
        write!(
            f,
            "{passed} passed, {} failed, {skipped} skipped",
            self.failed
        )
    }
}

/// The number before the word, in `ok. 5 passed; 0 failed; …`.
fn count(result: &str, word: &str) -> u64 {
    let words: Vec<&str> = result
        .split([' ', ';', '.'])
        .filter(|word| !word.is_empty())
        .collect();
    let at = words.iter().position(|w| *w == word);
    at.and_then(|at| words[..at].last())
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut ledger = Ledger::default();
        let lines = "running 3 tests\n\
            test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out\n\
            Suite result: ok. 7 passed; 0 failed; 0 skipped; finished in 3ms\n\
            SKIPPED kubo/cid: no ipfs in the cache\n\
            SKIPPED kubo/cid: no ipfs in the cache\n\
            test child ... ignored, child of kill\n\
            test slow ... ignored, needs an hour";
        lines.lines().for_each(|line| ledger.line(line));
        ledger
    }

    #[test]
    fn counts_every_result_and_lists_skips_with_reasons() {
        let text = ledger().to_string();
        assert_eq!(
            text,
            "SKIPPED kubo/cid: no ipfs in the cache\nSKIPPED slow: needs an hour\n\
             13 passed, 1 failed, 2 skipped"
        );
    }

    #[test]
    fn a_skip_that_is_not_on_the_list_fails() {
        assert!(ledger().allow_only("kubo # the store\nslow\n").is_ok());
        let refused = ledger().allow_only("kub\nslow").unwrap_err().to_string();
        assert!(
            refused.contains("kubo/cid") && !refused.contains("slow,"),
            "{refused}"
        );
    }
}
