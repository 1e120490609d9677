//! The whole corpus, where `MEDIBLOC_CORPUS` points to it (absolute path).
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    reason = "tests"
)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use medibloc_format_cda::Cda;
use medibloc_record::{EntryOutcome, Format};

const NAMED: &[&str] = &[
    "11450-4", "10160-0", "48765-2", "30954-2", "8716-3", "11369-6", "47519-4", "46240-8",
];

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        } else if path.extension().is_some_and(|kind| kind == "xml") {
            out.push(path);
        }
    }
}

#[test]
fn every_well_formed_document_is_read_and_its_entries_are_coded() {
    let Some(corpus) = std::env::var_os("MEDIBLOC_CORPUS") else {
        println!("SKIPPED corpus/cda: MEDIBLOC_CORPUS names no folder");
        return;
    };
    let mut files = Vec::new();
    for part in ["ccda", "cda-intl", "mapping"] {
        walk(&Path::new(&corpus).join(part), &mut files);
    }
    let mut folders: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut sections: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let Ok(text) = core::str::from_utf8(&bytes) else {
            continue;
        };
        let Ok(tree) = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')) else {
            continue;
        };
        if tree.root_element().tag_name().name() != "ClinicalDocument" {
            continue;
        }
        let below = file.strip_prefix(&corpus).unwrap();
        let folder = below
            .iter()
            .take(2)
            .collect::<PathBuf>()
            .display()
            .to_string();
        let count = folders.entry(folder).or_default();
        count.1 += 1;
        let draft = Cda
            .read(&bytes)
            .unwrap_or_else(|e| panic!("{}: {e}", below.display()));
        count.0 += 1;
        let entries = tree
            .descendants()
            .filter(|node| node.tag_name().name() == "entry")
            .count();
        assert_eq!(draft.loss.entries.len(), entries, "{}", below.display());
        for line in draft.loss.entries {
            let row = sections.entry(line.section).or_default();
            row[match line.outcome {
                EntryOutcome::Converted => 0,
                EntryOutcome::KeptAsNarrative => 1,
                EntryOutcome::Lost => 2,
            }] += 1;
        }
    }
    for (folder, (read, all)) in &folders {
        println!("{folder}: {read} / {all}");
    }
    println!("section: converted, narrative, lost");
    for (section, row) in &sections {
        println!("{section}: {row:?}");
    }
    let rows = || {
        sections
            .iter()
            .filter(|(code, _)| NAMED.contains(&code.as_str()))
    };
    let coded: usize = rows().map(|(_, row)| row[0]).sum();
    let all: usize = rows().map(|(_, row)| row.iter().sum::<usize>()).sum();
    println!("named sections: {coded} / {all}");
    assert!(all > 0 && coded * 100 >= all * 95);
}
