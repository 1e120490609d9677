//! OIDs of code systems and numbers as FHIR URIs, and the code maps of C-CDA on FHIR, as data that both directions can use.

pub(crate) mod status;
pub(crate) mod unit;

/// OIDs of code systems and the URIs that FHIR knows them by.
const SYSTEMS: &[(&str, &str)] = &[
    ("2.16.840.1.113883.6.1", "http://loinc.org"),
    ("2.16.840.1.113883.6.96", "http://snomed.info/sct"),
    (
        "2.16.840.1.113883.6.88",
        "http://www.nlm.nih.gov/research/umls/rxnorm",
    ),
    ("2.16.840.1.113883.6.69", "http://hl7.org/fhir/sid/ndc"),
    ("2.16.840.1.113883.12.292", "http://hl7.org/fhir/sid/cvx"),
    ("2.16.840.1.113883.6.59", "http://hl7.org/fhir/sid/cvx"),
    ("2.16.840.1.113883.12.227", "http://hl7.org/fhir/sid/mvx"),
    (
        "2.16.840.1.113883.6.90",
        "http://hl7.org/fhir/sid/icd-10-cm",
    ),
    ("2.16.840.1.113883.6.3", "http://hl7.org/fhir/sid/icd-10"),
    (
        "2.16.840.1.113883.6.103",
        "http://hl7.org/fhir/sid/icd-9-cm",
    ),
    (
        "2.16.840.1.113883.6.104",
        "http://hl7.org/fhir/sid/icd-9-cm",
    ),
    ("2.16.840.1.113883.6.42", "http://hl7.org/fhir/sid/icd-9"),
    (
        "2.16.840.1.113883.6.4",
        "http://www.cms.gov/Medicare/Coding/ICD10",
    ),
    ("2.16.840.1.113883.6.12", "http://www.ama-assn.org/go/cpt"),
    (
        "2.16.840.1.113883.6.285",
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
    ),
    ("2.16.840.1.113883.4.9", "http://fdasis.nlm.nih.gov"),
    (
        "2.16.840.1.113883.3.26.1.1",
        "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    ),
    ("2.16.840.1.113883.3.26.1.5", "http://hl7.org/fhir/ndfrt"),
    ("2.16.840.1.113883.6.209", "http://hl7.org/fhir/ndfrt"),
    (
        "2.16.840.1.113883.6.101",
        "http://nucc.org/provider-taxonomy",
    ),
    ("2.16.840.1.113883.6.238", "urn:oid:2.16.840.1.113883.6.238"),
    (
        "2.16.840.1.113883.6.259",
        "https://www.cdc.gov/nhsn/cdaportal/terminology/codesystem/hsloc.html",
    ),
    ("2.16.840.1.113883.6.8", "http://unitsofmeasure.org"),
    (
        "2.16.840.1.113883.6.301.5",
        "https://www.nubc.org/CodeSystem/PatDischargeStatus",
    ),
    ("2.16.840.1.113883.6.13", "http://www.ada.org/cdt"),
    ("2.16.840.1.113883.6.73", "http://www.whocc.no/atc"),
    (
        "1.2.840.10008.2.16.4",
        "http://dicom.nema.org/resources/ontology/DCM",
    ),
    ("2.16.840.1.113883.6.256", "http://radlex.org"),
    ("1.2.276.0.76.5.409", "http://fhir.de/CodeSystem/ifa/pzn"),
    ("1.2.276.0.76.4.6", "http://fhir.de/CodeSystem/ifa/pzn"),
    ("1.0.3166.1.2.2", "urn:iso:std:iso:3166"),
    ("2.16.840.1.113883.6.121", "urn:ietf:bcp:47"),
    (
        "2.16.840.1.113883.5.1",
        "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
    ),
    (
        "2.16.840.1.113883.5.2",
        "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus",
    ),
    (
        "2.16.840.1.113883.5.4",
        "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    ),
    (
        "2.16.840.1.113883.5.6",
        "http://terminology.hl7.org/CodeSystem/v3-ActClass",
    ),
    (
        "2.16.840.1.113883.5.7",
        "http://terminology.hl7.org/CodeSystem/v3-ActPriority",
    ),
    (
        "2.16.840.1.113883.5.8",
        "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    ),
    (
        "2.16.840.1.113883.5.14",
        "http://terminology.hl7.org/CodeSystem/v3-ActStatus",
    ),
    (
        "2.16.840.1.113883.5.25",
        "http://terminology.hl7.org/CodeSystem/v3-Confidentiality",
    ),
    (
        "2.16.840.1.113883.5.60",
        "http://terminology.hl7.org/CodeSystem/v3-LanguageAbilityMode",
    ),
    (
        "2.16.840.1.113883.5.61",
        "http://terminology.hl7.org/CodeSystem/v3-LanguageAbilityProficiency",
    ),
    (
        "2.16.840.1.113883.5.63",
        "http://terminology.hl7.org/CodeSystem/v3-LivingArrangement",
    ),
    (
        "2.16.840.1.113883.5.83",
        "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    ),
    (
        "2.16.840.1.113883.5.84",
        "http://terminology.hl7.org/CodeSystem/v3-ObservationMethod",
    ),
    (
        "2.16.840.1.113883.5.88",
        "http://terminology.hl7.org/CodeSystem/v3-ParticipationFunction",
    ),
    (
        "2.16.840.1.113883.5.90",
        "http://terminology.hl7.org/CodeSystem/v3-ParticipationType",
    ),
    (
        "2.16.840.1.113883.5.110",
        "http://terminology.hl7.org/CodeSystem/v3-RoleClass",
    ),
    (
        "2.16.840.1.113883.5.111",
        "http://terminology.hl7.org/CodeSystem/v3-RoleCode",
    ),
    (
        "2.16.840.1.113883.5.112",
        "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration",
    ),
    (
        "2.16.840.1.113883.5.139",
        "http://terminology.hl7.org/CodeSystem/v3-TimingEvent",
    ),
    (
        "2.16.840.1.113883.5.1008",
        "http://terminology.hl7.org/CodeSystem/v3-NullFlavor",
    ),
    (
        "2.16.840.1.113883.5.1052",
        "http://terminology.hl7.org/CodeSystem/v3-ActSite",
    ),
    (
        "2.16.840.1.113883.5.1063",
        "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    ),
    (
        "2.16.840.1.113883.5.1070",
        "http://terminology.hl7.org/CodeSystem/v3-substanceAdminSubstitution",
    ),
    (
        "2.16.840.1.113883.5.1076",
        "http://terminology.hl7.org/CodeSystem/v3-ReligiousAffiliation",
    ),
    (
        "2.16.840.1.113883.5.1119",
        "http://terminology.hl7.org/CodeSystem/v3-AddressUse",
    ),
    (
        "2.16.840.1.113883.12.112",
        "http://terminology.hl7.org/CodeSystem/v2-0112",
    ),
    (
        "2.16.840.1.113883.12.1",
        "http://terminology.hl7.org/CodeSystem/v2-0001",
    ),
    (
        "2.16.840.1.113883.12.2",
        "http://terminology.hl7.org/CodeSystem/v2-0002",
    ),
    (
        "2.16.840.1.113883.12.63",
        "http://terminology.hl7.org/CodeSystem/v2-0063",
    ),
    (
        "2.16.840.1.113883.12.74",
        "http://terminology.hl7.org/CodeSystem/v2-0074",
    ),
    (
        "2.16.840.1.113883.12.78",
        "http://terminology.hl7.org/CodeSystem/v2-0078",
    ),
    (
        "2.16.840.1.113883.12.443",
        "http://terminology.hl7.org/CodeSystem/v2-0443",
    ),
];

/// The FHIR URI of a code system, or `urn:oid:…`; none if it is no OID.
pub(crate) fn system(oid: &str) -> Option<String> {
    if let Some((_, uri)) = SYSTEMS.iter().find(|(known, _)| *known == oid) {
        return Some((*uri).to_owned());
    }
    if oid.starts_with("http://") || oid.starts_with("https://") || oid.starts_with("urn:") {
        return (!oid.contains(char::is_whitespace)).then(|| oid.to_owned());
    }
    as_uri(oid)
}

/// The FHIR URI of the system of a code. A code that the system cannot have (a null flavor, a number of another system) is told
/// with the OID that the source gives it: FHIR's own name would vouch for it.
pub(crate) fn system_of(oid: &str, code: &str) -> Option<String> {
    const LETTERS: &[&str] = &[
        "5.1", "5.2", "5.4", "5.6", "5.8", "5.14", "5.25", "5.83", "5.88", "5.90", "5.110",
        "5.111", "5.112", "5.139",
    ];
    let short = oid.strip_prefix("2.16.840.1.113883.").unwrap_or_default();
    let foreign = ["UNK", "NI", "OTH", "ASKU", "NASK", "NAV", "NA", "MSK"].contains(&code)
        && short != "5.1008"
        || code.starts_with(|first: char| first.is_ascii_digit());
    if LETTERS.contains(&short) && foreign {
        as_uri(oid)
    } else {
        system(oid)
    }
}

/// An OID or UUID as URI.
pub(crate) fn as_uri(root: &str) -> Option<String> {
    if is_oid(root) {
        return Some(["urn:oid:", root].concat());
    }
    is_uuid(root).then(|| format!("urn:uuid:{}", root.to_ascii_lowercase()))
}

/// The root whose numbers are URIs: FHIR's system and value in one (C-CDA on FHIR, identifiers).
pub(crate) const URI: &str = "2.16.840.1.113883.4.873";

/// System and value of such a number: a URL ends with its last `/`, a URN with its last `:`. A UUID and an OID are values as a
/// whole, and so is what would be left with no path or no name.
pub(crate) fn part_uri(uri: &str) -> Option<(&str, &str)> {
    const WHOLE: &[&str] = &["urn:uuid:", "urn:oid:"];
    let lower = uri.to_ascii_lowercase();
    if WHOLE.iter().any(|start| lower.starts_with(start)) {
        return None;
    }
    let parts = [("urn:", ':'), ("http://", '/'), ("https://", '/')];
    let (start, sign) = parts.iter().find(|(start, _)| lower.starts_with(start))?;
    let (name, value) = uri.get(start.len()..)?.rsplit_once(*sign)?;
    let system = uri.get(..start.len() + name.len())?;
    (!name.is_empty() && !value.is_empty()).then_some((system, value))
}

/// The FHIR URI of an identifier root.
pub(crate) fn identifier_system(root: &str) -> Option<String> {
    match root {
        "2.16.840.1.113883.4.1" => Some("http://hl7.org/fhir/sid/us-ssn".to_owned()),
        "2.16.840.1.113883.4.6" => Some("http://hl7.org/fhir/sid/us-npi".to_owned()),
        URI => Some("urn:ietf:rfc:3986".to_owned()),
        "2.16.840.1.113883.4.572" => Some("http://hl7.org/fhir/sid/us-medicare".to_owned()),
        _ => as_uri(root),
    }
}

/// Whether a word is the name of a null flavor.
pub(crate) fn is_null_flavor(word: &str) -> bool {
    const NULL: &[&str] = &[
        "UNK", "NI", "OTH", "ASKU", "NASK", "NAV", "NA", "MSK", "NINF", "PINF",
    ];
    NULL.contains(&word)
}

/// Whether a code of a system is the name of a null flavor, or a word for that there is none, and can be no code of that system, whose
/// codes are numbers or of another form.
pub(crate) fn is_none_in(system: &str, code: &str) -> bool {
    const FORMED: &[&str] = &[
        "6.1", "6.96", "6.88", "6.69", "12.292", "6.59", "6.90", "6.3", "6.103", "6.104", "6.42",
        "6.4", "6.12", "6.285", "4.9", "3.26.1.1", "6.101", "6.238",
    ];
    let short = system
        .strip_prefix("2.16.840.1.113883.")
        .unwrap_or_default();
    FORMED.contains(&short) && is_word_for_none(code)
}

/// Whether a root is that of a register of people or houses: without a number in it it names nobody.
pub(crate) fn is_register(root: &str) -> bool {
    root.starts_with("2.16.840.1.113883.4.")
}

/// Whether a number is one that is filled in where there is none (zeros, six nines or more, a word for it, nothing), or one that is
/// masked: it tells nobody apart.
pub(crate) fn is_dummy(id: crate::xml::N<'_>) -> bool {
    const SHORTEST: usize = 6;
    let Some(number) = id.attribute("extension").map(str::trim) else {
        return false;
    };
    let is_of = |sign: u8| number.bytes().all(|byte| byte == sign || byte == b'-');
    let nines = number.bytes().filter(|byte| *byte == b'9').count();
    is_masked(id) || is_word_for_none(number) || is_of(b'0') || is_of(b'9') && nines >= SHORTEST
}

/// Whether words in the place of a number say that there is none.
pub(crate) fn is_word_for_none(number: &str) -> bool {
    const WORDS: &[&str] = &[
        "N/A",
        "NONE",
        "NULL",
        "UNKNOWN",
        "NOT KNOWN",
        "NOT AVAILABLE",
        "NOT APPLICABLE",
    ];
    let number = number.to_ascii_uppercase();
    is_null_flavor(&number) || WORDS.contains(&&*number)
}

/// Whether a number is there and not shown.
pub(crate) fn is_masked(id: crate::xml::N<'_>) -> bool {
    crate::xml::attr(id, "nullFlavor") == Some("MSK")
}

/// Whether it is an OID as FHIR wants it: its first arc is 0, 1 or 2, and the reference validator takes none of fewer letters.
pub(crate) fn is_oid(text: &str) -> bool {
    let first = text.split_once('.').map_or("", |(first, _)| first);
    ["0", "1", "2"].contains(&first)
        && text.len() > 5
        && text.split('.').all(|arc| {
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

/// `gender` of a person (`administrative-gender`), by HL7 v3 and by the codes that documents use beside it.
pub(crate) fn gender(code: &str) -> Option<&'static str> {
    match code {
        "M" | "248153007" => Some("male"),
        "F" | "248152002" => Some("female"),
        "UN" | "OTH" | "O" | "X" => Some("other"),
        "UNK" | "U" => Some("unknown"),
        _ => None,
    }
}
