//! OIDs of code systems as FHIR URIs, and the HL7 code maps of the named sections.

/// The FHIR URI of a code system, or `urn:oid:…`; none if it is no OID.
pub(crate) fn system(oid: &str) -> Option<String> {
    let known = match oid {
        "2.16.840.1.113883.6.1" => "http://loinc.org",
        "2.16.840.1.113883.6.96" => "http://snomed.info/sct",
        "2.16.840.1.113883.6.88" => "http://www.nlm.nih.gov/research/umls/rxnorm",
        "2.16.840.1.113883.6.69" => "http://hl7.org/fhir/sid/ndc",
        "2.16.840.1.113883.12.292" | "2.16.840.1.113883.6.59" => "http://hl7.org/fhir/sid/cvx",
        "2.16.840.1.113883.6.90" => "http://hl7.org/fhir/sid/icd-10-cm",
        "2.16.840.1.113883.6.3" => "http://hl7.org/fhir/sid/icd-10",
        "2.16.840.1.113883.6.103" => "http://hl7.org/fhir/sid/icd-9-cm",
        "2.16.840.1.113883.6.12" => "http://www.ama-assn.org/go/cpt",
        "2.16.840.1.113883.4.9" => "http://fdasis.nlm.nih.gov",
        "1.2.276.0.76.5.409" => "http://fhir.de/CodeSystem/ifa/pzn",
        _ => return is_oid(oid).then(|| format!("urn:oid:{oid}")),
    };
    Some(known.to_owned())
}

/// The FHIR URI of an identifier root.
pub(crate) fn identifier_system(root: &str) -> Option<String> {
    match root {
        "2.16.840.1.113883.4.1" => Some("http://hl7.org/fhir/sid/us-ssn".to_owned()),
        "2.16.840.1.113883.4.6" => Some("http://hl7.org/fhir/sid/us-npi".to_owned()),
        _ if is_oid(root) => Some(format!("urn:oid:{root}")),
        _ if is_uuid(root) => Some(format!("urn:uuid:{}", root.to_ascii_lowercase())),
        _ => None,
    }
}

/// Whether it is an OID as FHIR wants it (first arc 0, 1 or 2).
pub(crate) fn is_oid(text: &str) -> bool {
    let arcs: Vec<&str> = text.split('.').collect();
    arcs.len() > 1
        && ["0", "1", "2"].contains(&arcs[0])
        && text.len() > 5
        && arcs.iter().all(|arc| {
            !arc.is_empty()
                && arc.bytes().all(|byte| byte.is_ascii_digit())
                && (arc.len() == 1 || !arc.starts_with('0'))
        })
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// A v3 null flavor as a FHIR data absent reason.
pub(crate) fn absent(flavor: Option<&str>) -> &'static str {
    match flavor {
        Some("ASKU") => "asked-unknown",
        Some("NASK") => "not-asked",
        Some("NAV") => "temp-unknown",
        Some("MSK") => "masked",
        Some("NA") => "not-applicable",
        Some("OTH" | "UNC" | "DER" | "TRC" | "QS") => "unsupported",
        Some("NINF") => "negative-infinity",
        Some("PINF") => "positive-infinity",
        _ => "unknown",
    }
}

/// Units that are sure to be UCUM codes; others stay as text.
pub(crate) fn is_ucum(unit: &str) -> bool {
    const KNOWN: &[&str] = &[
        "%", "1", "/min", "mm[Hg]", "cm", "m", "mm", "kg", "g", "mg", "ug", "ng", "kg/m2", "Cel",
        "[degF]", "[in_i]", "[lb_av]", "L", "mL", "dL", "uL", "g/dL", "mg/dL", "ug/dL", "ng/mL",
        "ng/dL", "pg/mL", "mmol/L", "umol/L", "meq/L", "U/L", "10*3/uL", "10*6/uL", "10*9/L",
        "10*12/L", "fL", "pg", "h", "d", "wk", "mo", "a", "min", "s", "[IU]", "L/min", "mg/mL",
        "mL/min", "cm2", "m2", "{score}", "g/L", "mg/L", "[pH]", "[oz_av]", "[in_us]", "ug/mL",
    ];
    KNOWN.contains(&unit)
}

/// `Observation.status` and `DiagnosticReport.status`.
pub(crate) fn observation_status(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "final",
        Some("active") => "preliminary",
        Some("aborted" | "cancelled") => "cancelled",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

/// `MedicationStatement.status`; `MedicationRequest.status` has all of them but `not-taken`.
pub(crate) fn medication_status(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active") => "active",
        Some("aborted" | "cancelled") => "stopped",
        Some("suspended" | "held") => "on-hold",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

/// `Procedure.status`.
pub(crate) fn procedure_status(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active") => "in-progress",
        Some("aborted") => "stopped",
        Some("cancelled") => "not-done",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

/// `ServiceRequest.status`.
pub(crate) fn request_status(code: Option<&str>) -> &'static str {
    match code {
        Some("completed") => "completed",
        Some("active") => "active",
        Some("aborted" | "cancelled") => "revoked",
        Some("suspended" | "held") => "on-hold",
        Some("nullified") => "entered-in-error",
        _ => "unknown",
    }
}

/// Intent of a request by mood.
pub(crate) fn intent(mood: &str) -> &'static str {
    match mood {
        "RQO" => "order",
        "PRP" | "PRMS" => "proposal",
        _ => "plan",
    }
}

/// Clinical status by the code of a status observation (SNOMED CT).
pub(crate) fn clinical_status(code: &str) -> Option<&'static str> {
    match code {
        "55561003" | "active" => Some("active"),
        "73425007" | "90734009" => Some("inactive"),
        "413322009" | "inactive" => Some("resolved"),
        _ => None,
    }
}
