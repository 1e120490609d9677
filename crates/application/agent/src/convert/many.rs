//! Many documents into a folder: each by itself, in the order of their names.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use medibloc_journey::counted_as;
use serde_json::json;

use super::{Target, pretty, source};
use crate::answer::{code, rows};
use crate::command::is_standard_output;
use crate::new_file::write_new;
use crate::{Answer, Problem};

/// How the name of a report ends.
const REPORT: &str = "report.json";

/// Deepest folders that are looked into.
const MAX_DEPTH: usize = 64;

/// A document and its place in the folder that is written.
struct Task {
    from: PathBuf,
    to: PathBuf,
}

/// What was found under the arguments.
#[derive(Default)]
struct Found {
    tasks: Vec<Task>,
    left_out: usize,
    problems: Vec<(PathBuf, Problem)>,
}

/// Converts all; what cannot be read or written is told and stops nothing else.
pub(super) fn run(
    inputs: &[PathBuf],
    target: Target,
    out: &Path,
    reports: Option<&Path>,
) -> Result<Answer, Problem> {
    let mine = [Some(out), reports].map(|folder| folder?.canonicalize().ok());
    let mut found = Found::default();
    for input in inputs {
        if input.is_dir() {
            // Two folders may hold files of one name.
            let to = match (inputs.len(), input.file_name()) {
                (2.., Some(name)) => PathBuf::from(name),
                _ => PathBuf::new(),
            };
            found.look(input, &to, &mine, 0);
        } else {
            let name = match is_standard_output(input) {
                true => PathBuf::from("standard-input"),
                false => PathBuf::from(input.file_name().unwrap_or_default()),
            };
            let from = input.clone();
            found.tasks.push(Task { from, to: name });
        }
    }
    let Found {
        tasks,
        left_out,
        mut problems,
    } = found;
    must_all_be_new(&tasks, target, out, reports)?;
    for folder in [Some(out), reports].into_iter().flatten() {
        make(folder)?;
    }
    let mut taken: HashMap<PathBuf, PathBuf> = HashMap::new();
    let mut converted = Vec::new();
    for task in tasks {
        let done = match taken.get(&task.to) {
            Some(first) => Err(Problem::new(
                code::FAILED,
                format!(
                    "{} and {} would be one file in {}; convert them into two folders",
                    first.display(),
                    task.from.display(),
                    out.display()
                ),
            )),
            None => one(&task, target, out, reports),
        };
        taken.entry(task.to).or_insert(task.from.clone());
        match done {
            Ok(to) => converted.push((task.from, to)),
            Err(problem) => problems.push((task.from, problem)),
        }
    }
    Ok(told(&converted, &problems, left_out))
}

fn told(
    converted: &[(PathBuf, PathBuf)],
    problems: &[(PathBuf, Problem)],
    left_out: usize,
) -> Answer {
    let mut lines: Vec<String> = problems
        .iter()
        .map(|(_, problem)| format!("not converted: {}", problem.message))
        .collect();
    let mut sum = format!(
        "{} converted, {} not converted",
        converted.len(),
        problems.len()
    );
    if left_out > 0 {
        sum.push_str(&format!(
            ", {left_out} files of the folders are no documents"
        ));
    }
    lines.push(sum);
    let files: Vec<_> = converted
        .iter()
        .map(|(from, to)| json!({"from": from.display().to_string(), "to": to.display().to_string()}))
        .collect();
    let failed: Vec<_> = problems
        .iter()
        .map(|(from, problem)| {
            json!({"from": from.display().to_string(), "code": problem.code, "message": problem.message})
        })
        .collect();
    let value = json!({"converted": files, "notConverted": failed, "leftOut": left_out});
    // What could not be written is worse than what could not be read.
    let exit = match problems.iter().map(|(_, problem)| problem.code).min() {
        None if converted.is_empty() => code::INPUT,
        None => 0,
        Some(code) => code,
    };
    Answer::new(value, rows(&lines)).with_code(exit)
}

fn one(
    task: &Task,
    target: Target,
    out: &Path,
    reports: Option<&Path>,
) -> Result<PathBuf, Problem> {
    let draft = source::read_or_input(&task.from)?;
    let named = |problem: Problem| Problem {
        message: format!("{}: {}", task.from.display(), problem.message),
        ..problem
    };
    let text = target.text(&draft).map_err(named)?;
    if let Some(reports) = reports {
        let whole = pretty(&draft.loss.to_whole_outcome());
        put(task.file(reports, REPORT), &whole)?;
    }
    put(task.file(out, target.ending()), &(text + "\n"))
}

/// Nothing is converted if any of it would take the place of another file.
fn must_all_be_new(
    tasks: &[Task],
    target: Target,
    out: &Path,
    reports: Option<&Path>,
) -> Result<(), Problem> {
    let files = tasks.iter().flat_map(|task| {
        let report = reports.map(|reports| task.file(reports, REPORT));
        [Some(task.file(out, target.ending())), report]
    });
    let there: Vec<PathBuf> = files
        .flatten()
        .filter(|file| file.symlink_metadata().is_ok())
        .collect();
    let Some(first) = there.first() else {
        return Ok(());
    };
    let told = format!(
        "{} of the files that would be written: {}; nothing was converted. Choose another folder",
        counted_as(there.len(), "exists", "exist"),
        first.display()
    );
    Err(Problem::new(code::FAILED, told))
}

fn put(path: PathBuf, text: &str) -> Result<PathBuf, Problem> {
    path.parent().map_or(Ok(()), make)?;
    write_new(&path, text.as_bytes())?;
    Ok(path)
}

impl Task {
    /// A file behind the document's whole name: two that differ by their ending stay two.
    fn file(&self, folder: &Path, ending: &str) -> PathBuf {
        let mut path = folder.join(&self.to).into_os_string();
        path.push(".");
        path.push(ending);
        PathBuf::from(path)
    }
}

fn make(folder: &Path) -> Result<(), Problem> {
    std::fs::create_dir_all(folder).map_err(|error| {
        let told = format!(
            "cannot make the folder {}: {error}; choose another place",
            folder.display()
        );
        Problem::new(code::FAILED, told)
    })
}

impl Found {
    /// All documents under a folder by the order of their names; links are not followed, so that it ends.
    fn look(&mut self, folder: &Path, to: &Path, mine: &[Option<PathBuf>], depth: usize) {
        let is_mine = |own: &Option<PathBuf>| own.is_some() && *own == folder.canonicalize().ok();
        if mine.iter().any(is_mine) {
            return;
        }
        let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let mut entries = match entries {
            Ok(entries) if depth <= MAX_DEPTH => entries,
            Ok(_) => return self.problem(folder, "it is nested too deep; give it by itself"),
            Err(error) => return self.problem(folder, &format!("{error}; check the path")),
        };
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let (path, to) = (entry.path(), to.join(entry.file_name()));
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.look(&path, &to, mine, depth + 1),
                Ok(kind) if kind.is_file() && source::is_document(&path) => {
                    self.tasks.push(Task { from: path, to });
                }
                _ => self.left_out += 1,
            }
        }
    }

    fn problem(&mut self, folder: &Path, why: &str) {
        let told = format!("cannot read {}: {why}", folder.display());
        let problem = Problem::new(code::INPUT, told);
        self.problems.push((folder.to_owned(), problem));
    }
}
