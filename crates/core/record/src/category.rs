//! What a document is about: of one category only if everything in it is.

use serde_json::Value;

use crate::Category;

mod named;
mod section;

use named::{events, results};
use section::sections;

const LOINC: &str = "http://loinc.org";

impl Category {
    /// The category of a FHIR bundle. What is of several kinds, or of none that is known, is a document: a consent to one category
    /// gives nothing of another with it.
    pub fn of_bundle(bundle: &Value) -> Self {
        let mut all = Vec::new();
        each_resource(bundle, &mut |resource, _| all.push(resource));
        let of_kind = |kind: &'static str| all.iter().filter(move |it| it["resourceType"] == kind);
        let compositions = of_kind("Composition");
        let by_type = one_of(compositions.map(|it| of_type(&it["type"])));
        match by_type {
            Said::Nothing => {}
            // What holds everything by its nature.
            Said::One(broad @ (Self::Documents | Self::EncountersAndNotes)) => return broad,
            Said::One(_) => {}
            Said::Several => return Self::Documents,
        }
        // What a document of a known type has, and what a report names as its results, is of its kind, where it does not say another.
        let has_kind = !matches!(by_type, Said::Nothing);
        let (results, events) = (results(bundle), events(bundle));
        let said = all.iter().filter_map(|resource| {
            Some(match resource["resourceType"].as_str() {
                Some("Bundle") => return None,
                Some("CareTeam") if says_why(resource) => Self::EncountersAndNotes,
                // What somebody wears or has in the body tells why.
                Some("Device") if !resource["patient"].is_null() => Self::Devices,
                Some(kind) if BESIDE.contains(&kind) => return None,
                Some("Composition") => of_type(&resource["type"]),
                Some("Observation")
                    if (has_kind || results.contains(&core::ptr::from_ref(*resource)))
                        && says_no_category(resource) =>
                {
                    return None;
                }
                // A visit beside what was done at it is where that was done, as long as it does not say why.
                Some("Encounter") if !says_why(resource) => return None,
                // What the document is about is of its kind.
                Some("Procedure")
                    if events.contains(&core::ptr::from_ref(*resource)) && !says_why(resource) =>
                {
                    return None;
                }
                // An order that says neither what was ordered nor why is a number.
                Some("ServiceRequest") if !resource["code"].is_object() && !says_why(resource) => {
                    return None;
                }
                _ => of_resource(resource),
            })
        });
        let sections = of_kind("Composition").flat_map(|it| sections(it));
        match one_of(said.chain(sections)) {
            Said::One(category) => category,
            Said::Nothing if of_kind("Encounter").next().is_some() => Self::EncountersAndNotes,
            Said::Nothing | Said::Several => Self::Documents,
        }
    }
}

/// Goes through every resource of a tree, in order: contained ones and those of a bundle within it, too. What stands where a
/// resource must and is none is told as one. Says of each whether it is contained in another.
pub fn each_resource<'t>(tree: &'t Value, take: &mut impl FnMut(&'t Value, bool)) {
    walk(tree, false, take);
}

// Recursion is as deep as the tree, which readers bound.
fn walk<'t>(value: &'t Value, is_contained: bool, take: &mut impl FnMut(&'t Value, bool)) {
    match value {
        Value::Array(list) => list.iter().for_each(|item| walk(item, is_contained, take)),
        Value::Object(object) => {
            if object.contains_key("resourceType") {
                take(value, is_contained);
            }
            for (name, inner) in object {
                let is_contained = is_contained || name == "contained";
                if matches!(name.as_str(), "contained" | "resource") {
                    let list = inner.as_array();
                    let one = list.is_none().then_some(inner);
                    let nameless = |one: &&Value| one.get("resourceType").is_none();
                    let all = list.into_iter().flatten().chain(one);
                    all.filter(nameless).for_each(|one| take(one, is_contained));
                }
                walk(inner, is_contained, take);
            }
        }
        _ => {}
    }
}

/// What several things say together.
enum Said {
    Nothing,
    One(Category),
    Several,
}

fn one_of(mut all: impl Iterator<Item = Category>) -> Said {
    match all.next() {
        None => Said::Nothing,
        Some(first) if all.all(|other| other == first) => Said::One(first),
        Some(_) => Said::Several,
    }
}

/// The category of a document of this type, in whatever codes it is said; a type that is not known may hold anything.
fn of_type(concept: &Value) -> Category {
    match one_of(codes(concept, &[LOINC]).filter_map(Category::of_document)) {
        Said::One(category) => category,
        Said::Nothing | Said::Several => Category::Documents,
    }
}

fn of_known(concept: &Value) -> Option<Category> {
    let is_known = codes(concept, &[LOINC]).any(|code| Category::of_document(code).is_some());
    is_known.then(|| of_type(concept))
}

/// Whether a visit or an order says what for, in R4 or as R5 does.
fn says_why(resource: &Value) -> bool {
    ["reasonCode", "reasonReference", "reason", "diagnosis"]
        .iter()
        .any(|name| !resource[name].is_null())
}

/// What says for whom, by whom and where: every document has some of these.
const BESIDE: &[&str] = &[
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "CareTeam",
    "Device",
    "Specimen",
    "Medication",
    "Provenance",
    "OperationOutcome",
];

fn of_resource(resource: &Value) -> Category {
    let by_kind = match resource["resourceType"].as_str().unwrap_or_default() {
        "Observation" => of_observation(resource),
        "DiagnosticReport" => of_report(resource),
        "DocumentReference" => of_reference(resource),
        "Condition" => Some(Category::Problems),
        "AllergyIntolerance" => Some(Category::Allergies),
        "MedicationRequest"
        | "MedicationStatement"
        | "MedicationAdministration"
        | "MedicationDispense" => Some(Category::Medications),
        "Immunization" | "ImmunizationRecommendation" | "ImmunizationEvaluation" => {
            Some(Category::Immunisations)
        }
        "ImagingStudy" => Some(Category::Imaging),
        "MolecularSequence" => Some(Category::Genetics),
        "Procedure" => Some(Category::Procedures),
        "Encounter" | "ClinicalImpression" => Some(Category::EncountersAndNotes),
        "DeviceUseStatement" | "DeviceRequest" => Some(Category::Devices),
        "Claim" | "ClaimResponse" | "Coverage" | "ExplanationOfBenefit" => {
            Some(Category::ClaimsAndCoverage)
        }
        "FamilyMemberHistory" => Some(Category::SocialAndFamilyHistory),
        _ => None,
    };
    by_kind.unwrap_or(Category::Documents)
}

/// FHIR's categories of observations.
const OBSERVATION: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://hl7.org/fhir/observation-category",
];
/// The sections of a diagnostic service (HL7 v2, table 0074).
const SERVICE: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/v2-0074",
    "http://hl7.org/fhir/v2/0074",
];
/// What US Core has besides.
const US_CORE: &str = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category";

/// What a code of a category says, in whatever of these systems it is; LOINC has parts for it.
fn of_category(system: &str, code: &str) -> Option<Category> {
    if OBSERVATION.contains(&system) {
        return Some(match code {
            "laboratory" => Category::Laboratory,
            "vital-signs" => Category::Vitals,
            "imaging" => Category::Imaging,
            "social-history" => Category::SocialAndFamilyHistory,
            "procedure" => Category::Procedures,
            "exam" | "survey" | "therapy" | "activity" => Category::EncountersAndNotes,
            _ => return None,
        });
    }
    if SERVICE.contains(&system) || system == LOINC {
        return Some(match code {
            "LAB" | "HM" | "CH" | "MB" | "BLB" | "BG" | "CP" | "IMM" | "MCB" | "MYC" | "PAR"
            | "PAT" | "SP" | "SR" | "TX" | "URN" | "VR" | "LP29693-6" | "LP7839-6" => {
                Category::Laboratory
            }
            "RAD" | "RUS" | "RX" | "CT" | "NMR" | "NMS" | "OUS" | "VUS" | "CUS" | "XRC"
            | "LP29684-5" => Category::Imaging,
            "GE" | "CG" => Category::Genetics,
            _ => return None,
        });
    }
    (system == US_CORE).then_some(match code {
        "sdoh" => Category::SocialAndFamilyHistory,
        _ => Category::EncountersAndNotes,
    })
}

/// Every category that a resource says and that is known.
fn categories(resource: &Value) -> impl Iterator<Item = Category> {
    let concepts = resource["category"].as_array().into_iter().flatten();
    let codings = concepts.flat_map(|it| it["coding"].as_array().into_iter().flatten());
    codings.filter_map(|it| of_category(it["system"].as_str()?, it["code"].as_str()?))
}

fn says_no_category(resource: &Value) -> bool {
    let list = resource["category"].as_array();
    resource["category"].is_null() || list.is_some_and(Vec::is_empty)
}

/// By its categories; of several, or of none that is known, it may be anything.
fn of_observation(observation: &Value) -> Option<Category> {
    match one_of(categories(observation)) {
        Said::One(category) => Some(category),
        Said::Nothing | Said::Several => None,
    }
}

/// By its categories and by what its code (LOINC) says, if they agree.
fn of_report(report: &Value) -> Option<Category> {
    match one_of(categories(report).chain(of_known(&report["code"]))) {
        Said::One(category) => Some(category),
        Said::Nothing | Said::Several => None,
    }
}

/// A document elsewhere: by its type, or as a clinical note.
fn of_reference(reference: &Value) -> Option<Category> {
    const NOTES: &[&str] =
        &["http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"];
    let by_type = of_known(&reference["type"]);
    by_type.or_else(|| {
        let concepts = reference["category"].as_array().into_iter().flatten();
        let mut all = concepts.flat_map(|concept| codes(concept, NOTES));
        all.any(|code| code == "clinical-note")
            .then_some(Category::EncountersAndNotes)
    })
}

/// The codes of a concept in these systems.
fn codes<'c>(concept: &'c Value, systems: &'c [&'c str]) -> impl Iterator<Item = &'c str> {
    let codings = concept["coding"].as_array().into_iter().flatten();
    let is_of = move |coding: &&Value| {
        let system = coding["system"].as_str();
        system.is_some_and(|system| systems.contains(&system))
    };
    codings
        .filter(is_of)
        .filter_map(|coding| coding["code"].as_str())
}
