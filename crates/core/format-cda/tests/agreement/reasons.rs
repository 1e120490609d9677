//! Why an element differs from the recommended one.

use crate::compare::Difference;

/// Who is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Both can be said; ours is chosen.
    Chosen,
    /// The recommended one is against the guide's own tables or FHIR, or says what its source does not.
    Theirs,
}

/// A reason, and the differences that it is for.
#[derive(Debug)]
pub(crate) struct Reason {
    pub(crate) verdict: Verdict,
    /// Start of the names of the cases.
    pub(crate) case: &'static str,
    /// `Kind.path` or the start of it; `*` before what stands anywhere in it.
    pub(crate) path: &'static str,
    pub(crate) why: &'static str,
}

impl Reason {
    /// Whether it is for this difference.
    pub(crate) fn is_for(&self, case: &str, kind: &str, difference: &Difference) -> bool {
        let path = format!("{kind}.{}", difference.path);
        let here = match self.path.strip_prefix('*') {
            Some(part) => path.contains(part),
            None => path.starts_with(self.path),
        };
        here && case.starts_with(self.case)
    }
}

const fn chosen(case: &'static str, path: &'static str, why: &'static str) -> Reason {
    Reason {
        verdict: Verdict::Chosen,
        case,
        path,
        why,
    }
}

const fn theirs(case: &'static str, path: &'static str, why: &'static str) -> Reason {
    Reason {
        verdict: Verdict::Theirs,
        case,
        path,
        why,
    }
}

const NO_WORDS: &str = "the fragment has no narrative that its words could be taken from";
const REVERSED: &str = "the fragment that was made from it says nothing of it";
const NAMED: &str = "the name and the numbers stand in what the reference points to";
const OWN_CODES: &str = "the name of a code of FHIR's own is FHIR's";
const CONCERN: &str =
    "the number of a concern about one thing is kept with it: nothing else could have it";
const SAID: &str = "the guide has the words of the source as text";

/// The first that is for a difference counts.
pub(crate) const REASONS: &[Reason] = &[
    chosen(
        "",
        "*.meta.profile",
        "a profile is claimed by no resource: nobody has checked it against all that the profile demands",
    ),
    theirs("FC", "*.meta.security", REVERSED),
    chosen(
        "Myra",
        "*.language",
        "the language of the document is that of the composition",
    ),
    chosen(
        "Myra",
        "*narrativeLink",
        "it says where the words of the statement stand in the narrative",
    ),
    chosen("Myra", "*.subject.display", NAMED),
    chosen("Myra", "DiagnosticReport.result.display", NAMED),
    chosen("Myra", "DiagnosticReport.performer.identifier", NAMED),
    chosen("Myra", "Encounter.participant.individual.display", NAMED),
    chosen("Myra", "Encounter.diagnosis.condition.display", NAMED),
    chosen("Myra Jones, social", "Observation.performer", NAMED),
    chosen("", "*.category.coding.display", OWN_CODES),
    chosen(
        "",
        "DocumentReference.context.period.end",
        "a single time is that moment, and a period without an end goes on",
    ),
    chosen(
        "",
        "*(allergy-kind)",
        "the words that the source has for the kind of allergy",
    ),
    chosen(
        "",
        "*(concern-period)",
        "how long somebody was concerned, which the guide leaves out",
    ),
    chosen(
        "Myra",
        "Condition.encounter",
        "the diagnosis stands in the visit",
    ),
    chosen("", "AllergyIntolerance.identifier", CONCERN),
    chosen("", "Condition.identifier", CONCERN),
    theirs("CF", "AllergyIntolerance.code.text", NO_WORDS),
    theirs(
        "FC",
        "AllergyIntolerance.reaction.manifestation.text",
        NO_WORDS,
    ),
    theirs("FC", "AllergyIntolerance.type", REVERSED),
    chosen(
        "Myra",
        "AllergyIntolerance.reaction.description",
        "the reaction has words of its own",
    ),
    chosen(
        "",
        "Immunization.performer.actor",
        "who did it is a person; the person's role and house stand in a PractitionerRole that points to her",
    ),
    chosen(
        "",
        "Immunization.performer.function",
        "the guide's table: performers are administering providers",
    ),
    theirs(
        "",
        "Immunization.vaccineCode.coding.display",
        "the source has another name",
    ),
    theirs("", "Immunization.vaccineCode.text", NO_WORDS),
    theirs(
        "FC",
        "Immunization.contained",
        "the source's performer is a resource of its own in a document bundle",
    ),
    theirs("FC", "Immunization.recorded", REVERSED),
    chosen(
        "",
        "MedicationRequest.resourceType",
        "a medicine in the mood of an event is taken, and no request; the guide has found no consensus for it",
    ),
    chosen("CF", "MedicationRequest.intent", "only a request has it"),
    chosen("Myra", "MedicationRequest.intent", "only a request has it"),
    theirs(
        "CF",
        "MedicationRequest.requester",
        "the source names no author",
    ),
    theirs(
        "Myra",
        "MedicationRequest.requester",
        "only a request has it, and the extension's URL is not FHIR's",
    ),
    theirs(
        "",
        "MedicationRequest.dosageInstruction.sequence",
        "the source gives no order",
    ),
    theirs(
        "",
        "MedicationRequest.dosageInstruction.asNeededBoolean",
        "that the source is silent does not say that it is not taken as needed",
    ),
    theirs(
        "",
        "MedicationRequest.effectivePeriod",
        "the guide's table has the time, the recommended resource has not",
    ),
    chosen(
        "",
        "MedicationRequest.extension(product-identifier)",
        "the number of the product, which the guide leaves out",
    ),
    theirs(
        "FC",
        "MedicationRequest.groupIdentifier",
        "the number of a product is no number of a prescription",
    ),
    chosen(
        "",
        "MedicationRequest.medicationCodeableConcept.text",
        "where nobody says words, the name of the code is the text",
    ),
    theirs(
        "FC",
        "Immunization._primarySource",
        "the guide has it absent, as CDA cannot say it",
    ),
    theirs(
        "CF",
        "Condition.extension(condition-assertedDate)",
        "the source has no date of diagnosis (the guide's table: act 77975-1)",
    ),
    theirs(
        "",
        "Procedure.code.coding.system",
        "the source says ICD-10-CM",
    ),
    chosen(
        "Myra",
        "Procedure.code.coding.display",
        "the source has a name for the code",
    ),
    theirs("FC", "Condition.clinicalStatus", REVERSED),
    theirs("FC", "Condition.category.text", REVERSED),
    theirs(
        "",
        "Condition.category",
        "the guide's table maps the code of the observation, the recommended resource leaves it out",
    ),
    theirs("FC", "Condition.code.text", NO_WORDS),
    theirs(
        "Myra",
        "Condition.code.coding.system",
        "FHIR's URL of SNOMED CT is http://snomed.info/sct",
    ),
    theirs(
        "Myra",
        "Observation.valueCodeableConcept.coding.system",
        "FHIR's URL of SNOMED CT is http://snomed.info/sct",
    ),
    theirs(
        "Myra",
        "Condition.code.coding.display",
        "the source has another name",
    ),
    chosen(
        "Myra Jones, encounterDx",
        "Condition.clinicalStatus",
        "the source says so",
    ),
    theirs(
        "Myra",
        "*.issued",
        "the source has a day, which is no instant",
    ),
    chosen(
        "Myra",
        "Encounter.class.display",
        "the name of a code of FHIR's own is FHIR's",
    ),
    chosen(
        "Myra",
        "Encounter.type.coding.version",
        "the source has a version",
    ),
    theirs(
        "Myra",
        "DocumentReference.context.encounter",
        "the note of the source names no visit",
    ),
    theirs(
        "Myra",
        "DocumentReference.category",
        "the guide's page on notes has clinical-note",
    ),
    theirs(
        "Myra",
        "DocumentReference.author",
        "the source's author is a person with a name",
    ),
    theirs(
        "Myra",
        "DocumentReference.content",
        "the type is no media type, and the words of the recommended one hold the tags of CDA",
    ),
    chosen(
        "Myra",
        "DocumentReference.docStatus",
        "the status of the source",
    ),
    theirs("Myra", "Organization.active", "the source does not say it"),
    theirs(
        "Myra",
        "Organization.telecom.value",
        "the number of the source, as it is written",
    ),
    chosen("Myra", "Observation.referenceRange.text", SAID),
    chosen("Myra", "Observation.valueCodeableConcept.text", SAID),
    chosen("Myra", "Observation.code.text", SAID),
    theirs(
        "Myra Jones, diagnosticsReport",
        "DiagnosticReport.performer.reference",
        "the guide's text: where a house is named and no person, it is the house",
    ),
    theirs(
        "Myra Jones, result_obs",
        "Observation.performer",
        "the source names nobody for the observation",
    ),
    theirs(
        "Myra Jones, vital",
        "Observation.valueQuantity.code",
        "the guide's table has the unit as code",
    ),
];
