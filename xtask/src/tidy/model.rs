//! A workspace as the rules see it.

use crate::run::cargo;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The layers, from the inside out: a crate may use its own layer and those before it.
pub(super) const LAYERS: [&str; 3] = ["core", "service", "application"];

/// The workspace's crates, their dependencies and their sources.
#[derive(Debug)]
pub struct Model {
    pub(super) root: PathBuf,
    pub(super) crates: Vec<Crate>,
    /// Rows of `xtask/edges.txt`: crate patterns and dependency patterns.
    pub(super) edges: Vec<(Vec<String>, Vec<String>)>,
    /// Rust sources under `crates/` and `xtask/src`, by path from the root.
    pub(super) sources: BTreeMap<String, String>,
    pub(super) architecture: String,
}

/// One crate of the three layers.
#[derive(Debug)]
pub(super) struct Crate {
    /// Folder name, which is the package's name without `medibloc-`.
    pub(super) name: String,
    pub(super) package: String,
    /// Path from the root.
    pub(super) path: String,
    /// Index into [`LAYERS`].
    pub(super) layer: Option<usize>,
    pub(super) binaries: Vec<String>,
    /// Direct normal and build dependencies, by package name.
    pub(super) direct: BTreeSet<String>,
    /// The whole tree of them.
    pub(super) tree: BTreeSet<String>,
}

impl Model {
    /// Reads the workspace at this root.
    pub fn read(root: &Path) -> Result<Self> {
        let metadata = metadata(root)?;
        let read = |file: &str| {
            fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))
        };
        let mut sources = BTreeMap::new();
        for folder in ["crates", "xtask/src"] {
            collect(root, &root.join(folder), &mut sources)?;
        }
        Ok(Self {
            root: root.to_path_buf(),
            crates: crates(root, &metadata)?,
            edges: edges(&read("xtask/edges.txt")?)?,
            sources,
            architecture: read("ARCHITECTURE.md")?,
        })
    }

    /// The crate whose package has this name.
    pub(super) fn by_package(&self, package: &str) -> Option<&Crate> {
        self.crates.iter().find(|krate| krate.package == package)
    }
}

fn metadata(root: &Path) -> Result<Value> {
    let output = Command::new(cargo())
        .args(["metadata", "--format-version", "1"])
        .current_dir(root)
        .output()
        .context("cannot start cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn crates(root: &Path, metadata: &Value) -> Result<Vec<Crate>> {
    let root = root.canonicalize()?;
    let names: BTreeMap<&str, &str> = list(metadata, "packages")
        .iter()
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let links: BTreeMap<&str, Vec<&str>> = list(&metadata["resolve"], "nodes")
        .iter()
        .filter_map(|node| Some((node["id"].as_str()?, shipped(node))))
        .collect();
    let mut crates = Vec::new();
    for package in list(metadata, "packages") {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
        let Some(path) = manifest
            .parent()
            .and_then(|folder| folder.strip_prefix(&root).ok())
        else {
            continue;
        };
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let ["crates", layer, name] = parts[..] else {
            continue;
        };
        let id = package["id"].as_str().unwrap_or_default();
        let named = |ids: &[&str]| -> BTreeSet<String> {
            ids.iter()
                .filter_map(|id| names.get(id))
                .map(|name| (*name).to_owned())
                .collect()
        };
        let direct = links.get(id).cloned().unwrap_or_default();
        crates.push(Crate {
            name: name.to_owned(),
            package: names.get(id).copied().unwrap_or_default().to_owned(),
            path: parts.join("/"),
            layer: LAYERS.iter().position(|known| *known == layer),
            binaries: binaries(package),
            direct: named(&direct),
            tree: named(&closure(&direct, &links)),
        });
    }
    crates.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(crates)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The ids that a package depends on otherwise than for its tests.
fn shipped(node: &Value) -> Vec<&str> {
    let is_shipped = |dep: &&Value| {
        list(dep, "dep_kinds")
            .iter()
            .any(|kind| kind["kind"] != "dev")
    };
    list(node, "deps")
        .iter()
        .filter(is_shipped)
        .filter_map(|dep| dep["pkg"].as_str())
        .collect()
}

fn closure<'a>(direct: &[&'a str], links: &BTreeMap<&str, Vec<&'a str>>) -> Vec<&'a str> {
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    let mut open = direct.to_vec();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(links.get(id).into_iter().flatten());
        }
    }
    seen.into_iter().collect()
}

fn binaries(package: &Value) -> Vec<String> {
    let is_bin = |target: &&Value| list(target, "kind").iter().any(|kind| kind == "bin");
    let targets = list(package, "targets").iter().filter(is_bin);
    targets
        .filter_map(|target| Some(target["name"].as_str()?.to_owned()))
        .collect()
}

/// `crate …: dependency …` by line; `#` begins a comment.
fn edges(text: &str) -> Result<Vec<(Vec<String>, Vec<String>)>> {
    let words = |part: &str| {
        part.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let lines = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let row = |line: &str| {
        let (crates, allowed) = line
            .split_once(':')
            .with_context(|| format!("xtask/edges.txt: no colon in `{line}`"))?;
        Ok((words(crates), words(allowed)))
    };
    lines.map(row).collect()
}

fn collect(root: &Path, folder: &Path, sources: &mut BTreeMap<String, String>) -> Result<()> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let skipped = ["target", "node_modules", "fixtures"];
        if path.is_dir() {
            if !path
                .file_name()
                .is_some_and(|name| skipped.iter().any(|skip| name == *skip))
            {
                collect(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root)?
                .to_string_lossy()
                .replace('\\', "/");
            sources.insert(name, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}
