//! What the sections of a composition are about: one that is not known to be of a category may hold anything.

use serde_json::Value;

use super::{LOINC, Said, codes, one_of};
use crate::Category;

/// DICOM's own codes (PS3.16), which imaging reports have for their sections.
const DCM: [&str; 2] = [
    "http://dicom.nema.org/resources/ontology/DCM",
    "urn:oid:1.2.840.10008.2.16.4",
];

/// What the sections of a composition hold by their codes. One without a code that says something in words, or with one that is
/// not known, is a document.
pub(super) fn sections(composition: &Value) -> Vec<Category> {
    below(composition, &composition["title"])
}

// Recursion is as deep as the tree, which readers bound.
fn below(outer: &Value, title: &Value) -> Vec<Category> {
    let list = outer["section"].as_array().into_iter().flatten();
    list.flat_map(|section| {
        let own = (!is_silent(section, title)).then(|| of_section(&section["code"]));
        own.into_iter().chain(below(section, title))
    })
    .collect()
}

/// Whether a section only holds others, or entries that are judged themselves: all of its words are the document's title.
fn is_silent(section: &Value, title: &Value) -> bool {
    let own = &section["title"];
    section["code"].is_null() && section["text"].is_null() && (own.is_null() || own == title)
}

/// All of its codes say one category; codes of houses beside them say nothing.
fn of_section(code: &Value) -> Category {
    let known = codes(code, &[LOINC, DCM[0], DCM[1]])
        .map(|code| of_code(code).unwrap_or(Category::Documents));
    match one_of(known) {
        Said::One(category) => category,
        Said::Nothing | Said::Several => Category::Documents,
    }
}

/// What a section with this code holds: the type of a document that is of one category, or what stands in documents. Why
/// something was done, what was found about somebody's past, and diagnoses are never part of what was done.
fn of_code(code: &str) -> Option<Category> {
    Some(match code {
        "11450-4" => Category::Problems,
        "48765-2" => Category::Allergies,
        "10160-0" | "10183-2" | "29549-3" | "42346-7" | "57828-6" | "60590-7" => {
            Category::Medications
        }
        "11369-6" => Category::Immunisations,
        "8716-3" => Category::Vitals,
        // Results, all studies, the specialties of a laboratory (IHE XD-LAB, HL7 Europe's report), and its comment.
        "30954-2" | "26436-6" | "48767-8" | "18717-9" | "18718-7" | "18719-5" | "18720-3"
        | "18721-1" | "18722-9" | "18723-7" | "18724-5" | "18725-2" | "18727-8" | "18728-6"
        | "18729-4" | "18767-4" | "18768-2" | "18769-0" | "26437-4" | "26438-2" => {
            Category::Laboratory
        }
        // Studies, findings, impression, comparison, technique, key images, addendum; in DICOM's codes, too.
        "18726-0" | "18782-3" | "19005-8" | "18834-2" | "55111-9" | "55113-5" | "55107-7"
        | "121064" | "121068" | "121070" | "121072" | "121076" | "121078" | "121180" | "121181" => {
            Category::Imaging
        }
        // How it was done and what was found and taken.
        "47519-4" | "29554-3" | "10223-6" | "10216-0" | "11537-8" | "59770-8" | "59773-2"
        | "59774-0" | "59775-7" | "59776-5" => Category::Procedures,
        "10190-7" | "46240-8" | "47420-5" => Category::EncountersAndNotes,
        "46264-8" => Category::Devices,
        "48768-6" => Category::ClaimsAndCoverage,
        "10157-6" | "29762-2" => Category::SocialAndFamilyHistory,
        other => return Category::of_document(other),
    })
}
