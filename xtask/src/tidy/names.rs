//! The architecture's text names what is there, and all crates that are there.

use super::model::Model;

const TEXT: &str = "ARCHITECTURE.md";
const ENDINGS: [&str; 8] = [
    ".md", ".toml", ".rs", ".txt", ".json", ".sol", ".mjs", ".lock",
];

/// The lines that break the rule.
pub(super) fn check(model: &Model) -> Vec<String> {
    let mut broken: Vec<String> = ticked(&model.architecture)
        .filter_map(|(line, name)| Some(format!("names: {TEXT}:{line}: {}", wrong(model, name)?)))
        .collect();
    for krate in &model.crates {
        let mentioned = ticked(&model.architecture)
            .any(|(_, name)| name == krate.package || name.trim_end_matches('/') == krate.path);
        if !mentioned {
            broken.push(format!("names: {TEXT} does not mention `{}`", krate.path));
        }
    }
    let modules = model
        .sources
        .keys()
        .filter(|path| path.ends_with("/mod.rs"));
    broken.extend(modules.map(|path| format!("names: {path}: write foo.rs and foo/, not mod.rs")));
    broken
}

/// What stands between backticks, with its line.
fn ticked(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().flat_map(|(at, line)| {
        line.split('`')
            .skip(1)
            .step_by(2)
            .map(move |name| (at + 1, name))
    })
}

/// Why a name in backticks is wrong; none if it is right, or neither a path nor a crate nor an item.
fn wrong(model: &Model, name: &str) -> Option<String> {
    if name.is_empty() || name.contains([' ', '<', '>', '*', '{', '$', '~', '…']) {
        return None;
    }
    if let Some((krate, item)) = name.split_once("::") {
        let krate = krate.replace('_', "-");
        let Some(krate) = model
            .crates
            .iter()
            .find(|ours| ours.name == krate || ours.package == krate)
        else {
            return Some(format!("`{name}`: there is no crate {krate}"));
        };
        let item = item
            .rsplit("::")
            .next()
            .unwrap_or(item)
            .trim_end_matches("()");
        let folder = format!("{}/", krate.path);
        let has = |text: &String| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == item)
        };
        let known = model
            .sources
            .iter()
            .any(|(path, text)| path.starts_with(&folder) && has(text));
        return (!known).then(|| format!("`{name}`: {} has no {item}", krate.path));
    }
    if name.starts_with("medibloc-") {
        let known = model.crates.iter().any(|krate| {
            krate.package == name || krate.binaries.iter().any(|binary| binary == name)
        });
        return (!known).then(|| format!("there is no crate or program `{name}`"));
    }
    let is_path = name.contains('/') || ENDINGS.iter().any(|ending| name.ends_with(ending));
    (is_path && !name.starts_with('/') && !model.root.join(name).exists())
        .then(|| format!("there is no `{name}`"))
}
