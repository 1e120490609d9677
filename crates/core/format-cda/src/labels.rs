//! How carefully a document must be shared: the labels of its header, its sections and its entries.

use medibloc_record::Labels;

use crate::xml::{N, attr, child, children, elements};

/// HL7 v3 Confidentiality.
const CONFIDENTIALITY: &str = "2.16.840.1.113883.5.25";
/// HL7 v3 ActCode, which has codes for much else.
const ACT_CODE: &str = "2.16.840.1.113883.5.4";
/// Observations of how sensitive something is, of which sensitivity, and of what may be done with it (HL7's segmentation of documents
/// for privacy).
const SECURITY: &[&str] = &["SECCLASSOBS", "SECCATOBS", "SECCONOBS"];
/// Codes of ActCode that stand for a sensitivity, a law of privacy or a rule of handling, wherever they stand.
const PRIVACY: &[&str] = &[
    "42CFRPart2",
    "Title38Section7332",
    "ETH",
    "ETHUD",
    "GDIS",
    "HIV",
    "MH",
    "BH",
    "PSY",
    "PSYTHPN",
    "OPIOIDUD",
    "SCA",
    "SDV",
    "SEX",
    "SICKLE",
    "STD",
    "SUD",
    "NOAUTH",
    "NOCOLLECT",
    "NODSCLCD",
    "NODSCLCDS",
    "NOPERSISTP",
    "NORDSCLCD",
    "NORDSCLCDS",
    "NORDSLCD",
    "NOREUSE",
    "NOVIP",
    "DELAU",
    "MASK",
    "REDACT",
];

/// The labels of a document. CDA R2 has `confidentialityCode` in header and sections, others write it in entries, too.
pub(crate) fn of(root: N<'_>) -> Labels {
    let mut labels = Labels::default();
    for node in root.descendants().filter(N::is_element) {
        if node.tag_name().name() == "confidentialityCode" {
            label(node, &mut labels);
        } else if attr(node, "codeSystem") == Some(CONFIDENTIALITY) && !is_in_label(node) {
            let code = attr(node, "code");
            if code.is_some() {
                labels.add("an entry's code", Some(CONFIDENTIALITY), code);
            }
        } else if is_private(node) && !is_in_label(node) {
            labels.add("an entry's code", Some(ACT_CODE), attr(node, "code"));
        } else if is_security(node) {
            for value in children(node, "value") {
                coded(value, "an entry's sensitivity", &mut labels);
            }
        }
    }
    labels
}

fn is_private(node: N<'_>) -> bool {
    let code = attr(node, "code").map(str::trim).unwrap_or_default();
    attr(node, "codeSystem") == Some(ACT_CODE)
        && PRIVACY.iter().any(|one| one.eq_ignore_ascii_case(code))
}

fn is_security(node: N<'_>) -> bool {
    let code = child(node, "code").and_then(|code| attr(code, "code"));
    code.is_some_and(|code| SECURITY.contains(&code))
}

fn is_in_label(node: N<'_>) -> bool {
    let parent = node.parent_element();
    parent.is_some_and(|parent| parent.tag_name().name() == "confidentialityCode")
}

fn label(node: N<'_>, labels: &mut Labels) {
    let of = node.parent_element();
    let at = match of.map(|of| of.tag_name().name()) {
        Some("ClinicalDocument") => "the header's confidentialityCode",
        Some("section") => "a section's confidentialityCode",
        _ => "an entry's confidentialityCode",
    };
    coded(node, at, labels);
}

/// A code and its translations, which are one label.
fn coded(node: N<'_>, at: &str, labels: &mut Labels) {
    let all = [node].into_iter().chain(children(node, "translation"));
    let all: Vec<N<'_>> = all.collect();
    let flavor = attr(node, "nullFlavor");
    if all
        .iter()
        .any(|one| attr(*one, "nullFlavor") == Some("MSK"))
    {
        labels.add_masked(at);
    }
    let says_something = match flavor {
        None => elements(node).next().is_some() || attr(node, "displayName").is_some(),
        // There is no code, and whoever left it out may have said in words what it is.
        Some("OTH") => true,
        Some(_) => all.iter().any(|one| has_words(*one)),
    };
    let has_code = |one: &N<'_>| attr(*one, "code").is_some();
    let codes: Vec<N<'_>> = all.into_iter().filter(has_code).collect();
    match codes.is_empty() {
        // There is a label, in words or in a code that is not told.
        true if says_something => labels.add(at, None, None),
        true => {}
        false => labels.add_one(
            at,
            codes
                .into_iter()
                .map(|one| (attr(one, "codeSystem"), attr(one, "code"))),
        ),
    }
}

/// Whether a code says itself in words, or points to them.
fn has_words(code: N<'_>) -> bool {
    let is_said = |words: &str| !words.trim().is_empty();
    attr(code, "displayName").is_some_and(is_said)
        || children(code, "originalText")
            .any(|words| elements(words).next().is_some() || words.text().is_some_and(is_said))
}
