//! How carefully a document must be shared: the labels of its header, its sections and its entries.

use medibloc_record::Labels;

use crate::xml::{N, attr, child, children, elements};

/// HL7 v3 Confidentiality.
const CONFIDENTIALITY: &str = "2.16.840.1.113883.5.25";
/// An observation of which sensitivity something is (HL7's segmentation of documents for privacy).
const CATEGORY: &str = "SECCATOBS";

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
        } else if child(node, "code").and_then(|code| attr(code, "code")) == Some(CATEGORY) {
            for value in children(node, "value") {
                coded(value, "an entry's sensitivity", &mut labels);
            }
        }
    }
    labels
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
    let flavor = attr(node, "nullFlavor");
    if flavor == Some("MSK") {
        labels.add_masked(at);
    }
    let has_code = |one: &N<'_>| attr(*one, "code").is_some();
    let codes = [node].into_iter().chain(children(node, "translation"));
    let codes: Vec<N<'_>> = codes.filter(has_code).collect();
    let says_something = elements(node).next().is_some() || attr(node, "displayName").is_some();
    match codes.is_empty() {
        // There is a label, in words or in a code that is not told.
        true if flavor == Some("OTH") || flavor.is_none() && says_something => {
            labels.add(at, None, None);
        }
        true => {}
        false => labels.add_one(
            at,
            codes
                .into_iter()
                .map(|one| (attr(one, "codeSystem"), attr(one, "code"))),
        ),
    }
}
