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

/// Facts of a document, counted apart from the reader: by the names and attributes that docs/format/cda-mapping.md says.
fn counted(tree: &roxmltree::Document<'_>) -> usize {
    const BUILT: &[&str] = &[
        "templateId",
        "typeId",
        "realmCode",
        "sequenceNumber",
        "conjunctionCode",
        "seperatableInd",
    ];
    const SHAPE: &[&str] = &[
        "classCode",
        "moodCode",
        "determinerCode",
        "typeCode",
        "contextControlCode",
        "contextConductionInd",
        "inversionInd",
        "negationInd",
        "nullFlavor",
        "ID",
        "independentInd",
        "type",
        "schemaLocation",
        "partType",
        "operator",
        "unsorted",
        "inclusive",
        "institutionSpecified",
        "alignment",
        "codeSystem",
        "codeSystemName",
        "codeSystemVersion",
        "assigningAuthorityName",
        "displayable",
        "preserve",
    ];
    const STATED: &[&str] = &[
        "act",
        "encounter",
        "observation",
        "observationMedia",
        "organizer",
        "procedure",
        "regionOfInterest",
        "substanceAdministration",
        "supply",
    ];
    const PARTS: &[&str] = &[
        "author",
        "informant",
        "participant",
        "performer",
        "subject",
        "specimen",
    ];
    let name = |node: &roxmltree::Node<'_, '_>| node.tag_name().name().to_owned();
    let is_plain =
        |node: &roxmltree::Node<'_, '_>| node.tag_name().namespace() != Some("urn:hl7-org:sdtc");
    fn said(node: roxmltree::Node<'_, '_>) -> bool {
        let words = |one: roxmltree::Node<'_, '_>| {
            one.is_text() && !one.text().unwrap_or_default().trim().is_empty()
        };
        node.children().any(words)
    }
    let valued = |node: roxmltree::Node<'_, '_>| {
        let filled = |node: roxmltree::Node<'_, '_>| {
            node.is_element()
                && !BUILT.contains(&name(&node).as_str())
                && (said(node)
                    || node.attributes().any(|one| {
                        one.name() != "use"
                            && !SHAPE.contains(&one.name())
                            && !one.value().trim().is_empty()
                    }))
        };
        let used = node.attribute("value").is_some()
            || said(node)
            || node.descendants().skip(1).any(filled);
        node.is_element()
            && !BUILT.contains(&name(&node).as_str())
            && (node.attributes().any(|one| {
                !SHAPE.contains(&one.name())
                    && !one.value().trim().is_empty()
                    && (one.name() != "use" || used)
            }) || node
                .children()
                .any(|one| one.is_text() && !one.text().unwrap_or_default().trim().is_empty()))
    };
    let mut many = 0;
    for node in tree
        .root_element()
        .descendants()
        .skip(1)
        .filter(roxmltree::Node::is_element)
    {
        let in_narrative = node.ancestors().any(|one| {
            name(&one) == "text"
                && one
                    .parent_element()
                    .is_some_and(|above| name(&above) == "section")
        });
        if in_narrative || BUILT.contains(&name(&node).as_str()) {
            continue;
        }
        let stated = STATED.contains(&name(&node).as_str()) && is_plain(&node);
        let inner_person = name(&node) == "subject"
            && node
                .parent_element()
                .is_some_and(|above| name(&above) == "relatedSubject");
        let part = PARTS.contains(&name(&node).as_str())
            && is_plain(&node)
            && !inner_person
            && node.descendants().skip(1).any(valued);
        many += usize::from(stated || part || valued(node));
        many += usize::from(
            stated
                && ["true", "1"]
                    .contains(&node.attribute("negationInd").unwrap_or_default().trim()),
        );
    }
    many
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
    // Facts of the documents that follow C-CDA and its forerunners: all, and those in coded elements.
    let (mut facts, mut carried_facts) = (0, 0);
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
        let (one, two) = (counted(&tree), draft.loss.entries.len());
        assert_eq!(one, two, "{}", below.display());
        // A fact is in one place: what is carried names the resource, and all else the reason.
        for line in &draft.loss.entries {
            let carried = line.outcome == EntryOutcome::Converted;
            if below.starts_with("ccda") {
                facts += 1;
                carried_facts += usize::from(carried);
            }
            assert_eq!(carried, draft.loss.resource(line).is_some());
            assert_eq!(carried, line.because.is_none());
        }
        let grown = draft.fhir.to_string().len();
        assert!(
            grown < 20 * bytes.len().max(500),
            "{}: {grown}",
            below.display()
        );
        for line in &draft.loss.entries {
            let row = sections
                .entry(draft.loss.section(line).to_owned())
                .or_default();
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
    println!("section: facts converted, kept as narrative, lost");
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
    println!("facts of C-CDA: {carried_facts} / {facts}");
    assert!(all > 0 && coded * 100 >= all * 96);
    assert!(carried_facts * 100 >= facts * 97);
}
