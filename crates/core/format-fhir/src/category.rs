//! What a document is about: the type of its composition says it, else what is in it.

use medibloc_record::Category;
use serde_json::Value;

use crate::about::of_type;

const LOINC: &str = "http://loinc.org";

/// The category of a bundle. What is of several kinds, or of none that is known, is a document: a consent to one category gives
/// nothing of another with it.
pub(crate) fn of(bundle: &Value) -> Category {
    let by_type = |concept: &Value| codes(concept, &[LOINC]).find_map(Category::of_document);
    let composition = of_type(bundle, "Composition").next();
    if let Some(category) = composition.and_then(|it| by_type(&it["type"])) {
        return category;
    }
    let mut found = None;
    let mut is_of_one = true;
    let mut take = |category: Category| {
        is_of_one &= *found.get_or_insert(category) == category;
    };
    let entries = bundle["entry"].as_array().into_iter().flatten();
    let is_in_a_report = of_type(bundle, "DiagnosticReport").next().is_some();
    for resource in entries.map(|entry| &entry["resource"]) {
        match resource["resourceType"].as_str() {
            Some(kind) if BESIDE.contains(&kind) => {}
            // What a report has is of the report's kind, where it does not say another.
            Some("Observation") if is_in_a_report && of_observation(resource).is_none() => {}
            // A visit beside what was done at it is where that was done.
            Some("Encounter") => {}
            _ => take(of_resource(resource)),
        }
    }
    match found {
        Some(category) if is_of_one => category,
        None if of_type(bundle, "Encounter").next().is_some() => Category::EncountersAndNotes,
        _ => Category::Documents,
    }
}

/// What says for whom, by whom and where: every document has some of these.
const BESIDE: &[&str] = &[
    "Patient",
    "RelatedPerson",
    "Practitioner",
    "PractitionerRole",
    "Organization",
    "Location",
    "Device",
    "Specimen",
    "Medication",
    "Provenance",
    "OperationOutcome",
    "Composition",
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
        "ClinicalImpression" => Some(Category::EncountersAndNotes),
        "DeviceUseStatement" | "DeviceRequest" => Some(Category::Devices),
        "Claim" | "ClaimResponse" | "Coverage" | "ExplanationOfBenefit" => {
            Some(Category::ClaimsAndCoverage)
        }
        "FamilyMemberHistory" => Some(Category::SocialAndFamilyHistory),
        _ => None,
    };
    by_kind.unwrap_or(Category::Documents)
}

/// By FHIR's categories of observations.
fn of_observation(observation: &Value) -> Option<Category> {
    of_categories(observation, OBSERVATION, |code| {
        Some(match code {
            "laboratory" => Category::Laboratory,
            "vital-signs" => Category::Vitals,
            "imaging" => Category::Imaging,
            "social-history" => Category::SocialAndFamilyHistory,
            "procedure" => Category::Procedures,
            "exam" | "survey" | "therapy" | "activity" => Category::EncountersAndNotes,
            _ => return None,
        })
    })
}

const OBSERVATION: &[&str] = &[
    "http://terminology.hl7.org/CodeSystem/observation-category",
    "http://hl7.org/fhir/observation-category",
];

/// By the sections of a diagnostic service (HL7 v2, table 0074), by LOINC's parts, or as its observations are.
fn of_report(report: &Value) -> Option<Category> {
    const SYSTEMS: &[&str] = &[
        "http://terminology.hl7.org/CodeSystem/v2-0074",
        "http://hl7.org/fhir/v2/0074",
        LOINC,
    ];
    let by_section = of_categories(report, SYSTEMS, |code| {
        Some(match code {
            "LAB" | "HM" | "CH" | "MB" | "BLB" | "BG" | "CP" | "IMM" | "MCB" | "MYC" | "PAR"
            | "PAT" | "SP" | "SR" | "TX" | "URN" | "VR" | "LP29693-6" | "LP7839-6" => {
                Category::Laboratory
            }
            "RAD" | "RUS" | "RX" | "CT" | "NMR" | "NMS" | "OUS" | "VUS" | "CUS" | "XRC"
            | "LP29684-5" => Category::Imaging,
            "GE" | "CG" => Category::Genetics,
            _ => return None,
        })
    });
    let by_code = || codes(&report["code"], &[LOINC]).find_map(Category::of_document);
    by_section
        .or_else(|| of_observation(report))
        .or_else(by_code)
}

/// A document elsewhere: by its type, or as a clinical note.
fn of_reference(reference: &Value) -> Option<Category> {
    const US_CORE: &[&str] =
        &["http://hl7.org/fhir/us/core/CodeSystem/us-core-documentreference-category"];
    let by_type = codes(&reference["type"], &[LOINC]).find_map(Category::of_document);
    by_type.or_else(|| {
        of_categories(reference, US_CORE, |code| {
            (code == "clinical-note").then_some(Category::EncountersAndNotes)
        })
    })
}

/// The category that a resource's own `category` says; none if it says none or several.
fn of_categories(
    resource: &Value,
    systems: &[&str],
    of: fn(&str) -> Option<Category>,
) -> Option<Category> {
    let concepts = resource["category"].as_array().into_iter().flatten();
    let mut all = concepts
        .flat_map(|concept| codes(concept, systems))
        .filter_map(of);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
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
