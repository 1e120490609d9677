//! The attacks: every hole that was ever found, tried again, with the figure it reached then and reaches now.
//!
//! `xtask/attacks.txt` has a line an attack; each is a test that holds valid keys and skips all local checks. It asserts
//! its own bound and prints `ATTACK finding: figure`. A test that prints no figure has shown nothing and fails the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::run::{Run, cargo};

mod link;

/// The list, from the workspace's root.
const LIST: &str = "xtask/attacks.txt";

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// Which finding it is.
    pub finding: String,
    /// What the attacker does.
    pub does: String,
    /// What it reached before it was mended.
    pub before: String,
    /// The package of its test.
    pub package: String,
    /// `lib`, or the test's file in `tests/` without its ending.
    pub target: String,
    /// The test.
    pub test: String,
}

/// Reads the list: six fields between bars; `#` begins a comment line.
///
/// # Errors
/// Names the line that has another count of fields or an empty one.
pub fn parse(text: &str) -> Result<Vec<Attack>> {
    let mut attacks = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let fields: Vec<String> = line.split('|').map(|it| it.trim().to_owned()).collect();
        let Ok([finding, does, before, package, target, test]) = <[String; 6]>::try_from(fields)
        else {
            bail!("{LIST}:{number} has not six fields between bars");
        };
        let attack = Attack {
            finding,
            does,
            before,
            package,
            target,
            test,
        };
        let all = [
            &attack.finding,
            &attack.does,
            &attack.before,
            &attack.package,
            &attack.target,
            &attack.test,
        ];
        ensure!(
            all.iter().all(|field| !field.is_empty()),
            "{LIST}:{number} has an empty field"
        );
        attacks.push(attack);
    }
    Ok(attacks)
}

/// The attacks of the list.
pub fn list(root: &Path) -> Result<Vec<Attack>> {
    let path = root.join(LIST);
    parse(&fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?)
}

/// What the tests said: each figure under the test that printed it.
#[derive(Debug, Default)]
struct Said {
    passed: BTreeSet<String>,
    figures: BTreeMap<(String, String), Vec<String>>,
    /// Whose output is being read.
    test: String,
}

impl Said {
    fn line(&mut self, line: &str) {
        if let Some(test) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... ok"))
        {
            self.passed.insert(test.to_owned());
        } else if let Some(test) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            test.clone_into(&mut self.test);
        } else if let Some((finding, figure)) = line
            .strip_prefix("ATTACK ")
            .and_then(|rest| rest.split_once(": "))
        {
            let key = (self.test.clone(), finding.to_owned());
            self.figures.entry(key).or_default().push(figure.to_owned());
        }
    }
}

/// Runs the attacks, all or those of the findings named, and prints the table of before and now.
///
/// # Errors
/// If an attack reaches more than its bound, says no figure, or its test is not there.
pub fn attack(mut run: Run, findings: &[String]) -> Result<()> {
    if let Some((verb, rest)) = findings.split_first()
        && verb == "link"
    {
        return link::link(&run, rest);
    }
    let mut attacks = list(run.root())?;
    if !findings.is_empty() {
        attacks.retain(|it| findings.contains(&it.finding));
        ensure!(
            !attacks.is_empty(),
            "{LIST} has none of {}",
            findings.join(", ")
        );
    }
    // Bounds of time are kept only here: `test` runs beside whatever else the machine does.
    match std::env::var("MEDIBLOC_ATTACK").as_deref() {
        // At full size the own crates are compiled as people run them: ratios of a build for debugging are those of its checks.
        Ok("full") => run.set_env("CARGO_PROFILE_DEV_OPT_LEVEL", "3"),
        Ok(_) => {}
        Err(_) => run.set_env("MEDIBLOC_ATTACK", "timed"),
    }
    let mut args: Vec<String> = ["test", "--workspace", "--no-fail-fast"]
        .map(str::to_owned)
        .into();
    let targets: BTreeSet<&str> = attacks.iter().map(|it| it.target.as_str()).collect();
    for target in targets {
        match target {
            "lib" => args.push("--lib".to_owned()),
            file => args.extend(["--test".to_owned(), file.to_owned()]),
        }
    }
    args.extend(["--", "--exact", "--show-output", "--test-threads=1"].map(str::to_owned));
    let tests: BTreeSet<&str> = attacks.iter().map(|it| it.test.as_str()).collect();
    args.extend(tests.into_iter().map(str::to_owned));
    let mut said = Said::default();
    run.lines(cargo(), args, ".", |line| {
        said.line(line);
        let is_news = line.starts_with("ATTACK ") || line.contains("panicked at");
        if is_news || line.starts_with("error") || line.ends_with("FAILED") {
            println!("{line}");
        }
    })?;
    let (table, failed) = table(&attacks, &said);
    println!("\n{table}");
    fs::write(run.target()?.join("attack.md"), &table)?;
    ensure!(
        failed.is_empty(),
        "these attacks were not held, or showed nothing: {}",
        failed.join(", ")
    );
    Ok(())
}

fn table(attacks: &[Attack], said: &Said) -> (String, Vec<String>) {
    let mut text = String::from(
        "| Finding | What the attacker does | Before | Now | |\n|---|---|---|---|---|\n",
    );
    let mut failed = Vec::new();
    for it in attacks {
        let held = said.passed.contains(&it.test);
        let figures = said
            .figures
            .get(&(it.test.clone(), it.finding.clone()))
            .map(|all| all.join("; "));
        if !held || figures.is_none() {
            failed.push(format!("{} ({})", it.finding, it.test));
        }
        let now = figures.unwrap_or_else(|| "no figure".to_owned());
        let verdict = if held { "held" } else { "NOT held" };
        text += &format!(
            "| {} | {} | {} | {now} | {verdict} |\n",
            it.finding, it.does, it.before
        );
    }
    (text, failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Attack {
        parse(
            "# a comment\n\nsecurity-1 | grows a tree | 77 s | medibloc-dag | lib | tests::bound\n",
        )
        .expect("the line is whole")
        .remove(0)
    }

    #[test]
    fn a_line_has_six_fields() {
        assert_eq!(one().test, "tests::bound");
        for (bad, says) in [
            ("a | b", "LIST:1 has not six"),
            ("a | b | | d | e | f", "LIST:1 has an empty"),
        ] {
            let error = parse(bad).expect_err("it is not whole").to_string();
            assert!(error.contains(&says.replace("LIST", LIST)), "{error}");
        }
    }

    #[test]
    fn an_attack_without_its_test_or_its_figure_is_not_held() {
        let mut said = Said::default();
        assert_eq!(table(&[one()], &said).1.len(), 1);
        said.line("test tests::bound ... ok");
        assert_eq!(table(&[one()], &said).1.len(), 1);
        said.line("---- other stdout ----");
        said.line("ATTACK security-1: 9 s");
        assert_eq!(table(&[one()], &said).1.len(), 1);
        said.line("---- tests::bound stdout ----");
        said.line("ATTACK security-1: 0.2 s");
        let (text, failed) = table(&[one()], &said);
        assert!(
            failed.is_empty() && text.contains("| 77 s | 0.2 s | held |"),
            "{text}"
        );
    }

    /// A row whose test was renamed would only be noticed when somebody runs the table.
    #[test]
    fn every_attack_names_a_test_that_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("a workspace");
        for it in list(root).expect("the list is whole") {
            let name = it.package.strip_prefix("medibloc-").unwrap_or(&it.package);
            let folders = ["core", "service", "application"]
                .map(|layer| root.join("crates").join(layer).join(name));
            let function = format!("fn {}(", it.test.rsplit("::").next().unwrap_or_default());
            let found = folders.iter().any(|folder| holds(folder, &function));
            assert!(found, "{}: no {function}) in {}", it.finding, it.package);
        }
    }

    fn holds(folder: &Path, text: &str) -> bool {
        let Ok(entries) = fs::read_dir(folder) else {
            return false;
        };
        entries.flatten().map(|entry| entry.path()).any(|path| {
            if path.is_dir() {
                holds(&path, text)
            } else {
                path.extension().is_some_and(|ending| ending == "rs")
                    && fs::read_to_string(&path).is_ok_and(|source| source.contains(text))
            }
        })
    }
}
