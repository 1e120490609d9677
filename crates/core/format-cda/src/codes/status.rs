//! What a status of the source is in FHIR. Each table is told in docs/format/cda-mapping.md, and each of its lines is a test.

/// The status that the source states, where something beside it, which says the opposite, decides the resource's.
pub(crate) const STATED: &str = "https://medibloc.org/fhir/StructureDefinition/stated-status";

/// `Observation.status` and `DiagnosticReport.status` by `ActStatus`.
pub(crate) fn observation(code: Option<&str>) -> &'static str {
    match code {
        Some("completed" | "normal") => "final",
        Some("active" | "new" | "held" | "suspended") => "registered",
        Some("aborted" | "cancelled") => "cancelled",
        Some("nullified" | "obsolete") => "entered-in-error",
        _ => "unknown",
    }
}

/// `MedicationStatement.status`.
pub(crate) fn statement(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active" | "normal") => "active",
        Some("aborted") => "stopped",
        Some("cancelled") => "not-taken",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        Some("new") => "intended",
        _ => "unknown",
    }
}

/// `MedicationRequest.status`.
pub(crate) fn order(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active" | "normal") => "active",
        Some("aborted") => "stopped",
        Some("cancelled") => "cancelled",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        Some("new") => "draft",
        _ => "unknown",
    }
}

/// `MedicationDispense.status` and `MedicationAdministration.status`.
pub(crate) fn dispense(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active" | "new" | "normal") => "in-progress",
        Some("aborted") => "stopped",
        Some("cancelled") => "cancelled",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        _ => "unknown",
    }
}

/// `Immunization.status`; what was not given is `not-done`.
pub(crate) fn immunization(code: Option<&str>) -> &'static str {
    match code {
        Some("nullified") => "entered-in-error",
        Some("aborted" | "cancelled" | "held" | "new" | "obsolete" | "suspended") => "not-done",
        _ => "completed",
    }
}

/// `Procedure.status`.
pub(crate) fn procedure(code: Option<&str>) -> &'static str {
    match code {
        Some("completed" | "normal") => "completed",
        Some("active") => "in-progress",
        Some("new") => "preparation",
        Some("aborted") => "stopped",
        Some("cancelled") => "not-done",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        _ => "unknown",
    }
}

/// `ServiceRequest.status`.
pub(crate) fn request(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active" | "normal") => "active",
        Some("new") => "draft",
        Some("aborted" | "cancelled") => "revoked",
        Some("suspended" | "held") => "on-hold",
        Some("nullified" | "obsolete") => "entered-in-error",
        _ => "unknown",
    }
}

/// `Encounter.status` of one that happened.
pub(crate) fn encounter(code: Option<&str>) -> &'static str {
    match code {
        Some("completed" | "normal") => "finished",
        Some("active") => "in-progress",
        Some("aborted" | "cancelled") => "cancelled",
        Some("suspended") => "onleave",
        Some("held") => "planned",
        Some("nullified" | "obsolete") => "entered-in-error",
        _ => "unknown",
    }
}

/// What a problem's status says of the condition: its clinical status, or that it is ruled out. SNOMED CT, and the words of C32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// `Condition.clinicalStatus`.
    Clinical(&'static str),
    /// `Condition.verificationStatus`.
    Verified(&'static str),
}

/// The status observation of a problem, by its code or its words.
pub(crate) fn problem(code: &str) -> Option<Problem> {
    Some(match code.to_ascii_lowercase().as_str() {
        // A chronic disease is one that goes on.
        "55561003" | "active" | "90734009" | "chronic" => Problem::Clinical("active"),
        "73425007" | "inactive" => Problem::Clinical("inactive"),
        "413322009" | "resolved" => Problem::Clinical("resolved"),
        "246455001" | "recurrence" => Problem::Clinical("recurrence"),
        "263855007" | "relapse" => Problem::Clinical("relapse"),
        "277022003" | "remission" | "in remission" => Problem::Clinical("remission"),
        "410516002" | "723511001" | "ruled out" | "rule out" => Problem::Verified("refuted"),
        "415684004" | "suspected" => Problem::Verified("provisional"),
        "410605003" | "confirmed" | "410515003" => Problem::Verified("confirmed"),
        _ => return None,
    })
}

/// `AllergyIntolerance.clinicalStatus`.
pub(crate) fn allergy(code: &str) -> Option<&'static str> {
    Some(match code.to_ascii_lowercase().as_str() {
        "55561003" | "active" | "90734009" | "chronic" => "active",
        "73425007" | "inactive" => "inactive",
        "413322009" | "resolved" => "resolved",
        _ => return None,
    })
}

/// Clinical status by the status of the concern about it: one that is no longer followed is not active, and no more is known.
pub(crate) fn concern(code: &str) -> Option<&'static str> {
    match code {
        "active" => Some("active"),
        "completed" | "suspended" | "aborted" => Some("inactive"),
        _ => None,
    }
}

/// Severity of a reaction, and whether FHIR's word is all that the source says; one between two words has the graver, and one that
/// killed is above severe.
pub(crate) fn severity(code: &str) -> Option<(&'static str, bool)> {
    Some(match code.to_ascii_lowercase().as_str() {
        "255604002" | "l" | "mild" => ("mild", true),
        "6736007" | "m" | "moderate" => ("moderate", true),
        "24484000" | "h" | "severe" => ("severe", true),
        "371923003" | "mild to moderate" => ("moderate", false),
        "371924009"
        | "399166001"
        | "442452003"
        | "moderate to severe"
        | "life threatening severity"
        | "fatal" => ("severe", false),
        _ => return None,
    })
}

/// Whether something is an allergy or an intolerance, and against what kind of thing.
pub(crate) fn allergy_kind(code: &str) -> Option<(Option<&'static str>, Option<&'static str>)> {
    Some(match code {
        "235719002" => (Some("intolerance"), Some("food")),
        "59037007" | "DINT" => (Some("intolerance"), Some("medication")),
        "FINT" => (Some("intolerance"), Some("food")),
        "EINT" => (Some("intolerance"), Some("environment")),
        "414285001" | "FALG" => (Some("allergy"), Some("food")),
        "416098002" | "DALG" => (Some("allergy"), Some("medication")),
        "426232007" | "EALG" => (Some("allergy"), Some("environment")),
        "419199007" | "106190000" | "ALG" => (Some("allergy"), None),
        "418471000" => (None, Some("food")),
        "419511003" => (None, Some("medication")),
        "418038007" | "420134006" => (None, None),
        "OINT" => (Some("intolerance"), None),
        _ => return None,
    })
}

/// What denied allergies are called, by what they would be against (C-CDA on FHIR, `CF-NoKnownAllergies`).
pub(crate) fn no_known(code: &str) -> Option<(&'static str, &'static str)> {
    Some(match code {
        "1003752001" => ("1003774007", "No known Hevea brasiliensis latex allergy"),
        "410942007" | "373873005" | "416098002" | "419511003" | "59037007" => {
            ("409137002", "No known drug allergy")
        }
        "426232007" => ("428607008", "No known environmental allergy"),
        "762766007" | "414285001" | "418471000" | "235719002" => {
            ("429625007", "No known food allergy")
        }
        "260769002" | "105590001" | "419199007" | "418038007" | "420134006" | "106190000" => {
            ("716186003", "No known allergy")
        }
        _ => return None,
    })
}

/// Whether a code says by itself that no allergy, or no problem, is known (SNOMED CT).
pub(crate) fn is_none_known(code: &str) -> bool {
    const NONE: &[&str] = &[
        "1003774007",
        "160244002",
        "160245001",
        "409137002",
        "428197003",
        "428607008",
        "429625007",
        "716184000",
        "716186003",
    ];
    NONE.contains(&code)
}

/// `AllergyIntolerance.criticality`.
pub(crate) fn criticality(code: &str) -> Option<&'static str> {
    match code {
        "CRITH" => Some("high"),
        "CRITL" => Some("low"),
        "CRITU" => Some("unable-to-assess"),
        _ => None,
    }
}
