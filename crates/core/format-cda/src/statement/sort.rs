//! Of which sort a result is: of a laboratory, of pictures, of another deed, or not said.

use medibloc_record::json::Value;

use crate::{
    context::Statement,
    doc::Doc,
    json::json,
    statement::{RESULTS, imaging},
    value::code,
    xml::{N, attr, child, children, is_statement, sdtc},
};

const DCM: &str = "1.2.840.10008.2.16.4";
const CPT: &str = "2.16.840.1.113883.6.12";
const LOINC: &str = "2.16.840.1.113883.6.1";
const PCS: &str = "2.16.840.1.113883.6.4";
const RADLEX: &str = "2.16.840.1.113883.6.256";
/// The section of all results; those of IHE's reports are of a laboratory alone.
const ALL_RESULTS: &str = "30954-2";

/// Of which sort a result is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Laboratory,
    Picture,
    /// Ultrasound of the heart.
    Echo,
    /// What a heart's currents draw.
    Heart,
    Lungs,
    /// What is measured of nerves, muscles, the brain and sleep.
    Nerves,
    /// A catheter in the heart.
    Catheter,
    /// Another deed: an endoscopy, say.
    Deed,
    /// None of a laboratory, and nobody says of what.
    Other,
}

impl Sort {
    /// Its `Observation.category`.
    pub(crate) fn of_observation(self) -> Option<&'static str> {
        Some(match self {
            Self::Laboratory => "laboratory",
            Self::Picture | Self::Echo => "imaging",
            Self::Heart | Self::Lungs | Self::Nerves | Self::Catheter | Self::Deed => "procedure",
            Self::Other => return None,
        })
    }

    /// Its `DiagnosticReport.category` (HL7 v2, table 0074).
    pub(crate) fn of_report(self) -> Option<&'static str> {
        Some(match self {
            Self::Laboratory => "LAB",
            Self::Picture => "RAD",
            Self::Echo => "CUS",
            Self::Heart => "EC",
            Self::Lungs => "PF",
            Self::Nerves => "EN",
            Self::Catheter => "CTH",
            Self::Deed => "OTH",
            Self::Other => return None,
        })
    }

    /// What a code of table 0074 says.
    fn of_stated(code: &str) -> Self {
        match code {
            "LAB" | "BG" | "BLB" | "CG" | "CH" | "CP" | "GE" | "HM" | "IMM" | "MB" | "MCB"
            | "MYC" | "OSL" | "PAR" | "SP" | "SR" | "TX" | "URN" | "VR" => Self::Laboratory,
            "RAD" | "CT" | "IMG" | "NMR" | "NMS" | "OUS" | "RUS" | "RX" | "VUS" | "XRC" => {
                Self::Picture
            }
            "CUS" => Self::Echo,
            "EC" => Self::Heart,
            "PF" => Self::Lungs,
            "EN" => Self::Nerves,
            "CTH" => Self::Catheter,
            _ => Self::Other,
        }
    }
}

/// The sort that an observation, or else what stands around it, says; that of the section where none of them does.
pub(crate) fn of(doc: &Doc<'_>, of: &Statement<'_>) -> Option<Sort> {
    if imaging::SECTIONS.contains(&of.context.section) {
        return Some(Sort::Picture);
    }
    let around = || of.node.ancestors().filter(|one| is_statement(*one));
    let names_tests = || is_of_results(of) && around().any(is_of_loinc);
    around()
        .find_map(|one| stated(doc, one))
        .or_else(|| names_tests().then_some(Sort::Laboratory))
        .or_else(|| is_of_laboratory(of).then_some(Sort::Laboratory))
}

/// The sort of a group: its own, or that of all in it of which one is known.
pub(crate) fn of_group(doc: &Doc<'_>, group: &Statement<'_>) -> Option<Sort> {
    if let Some(own) = stated(doc, group.node) {
        return Some(own);
    }
    let mut inner = group.related().filter_map(|(_, inner)| of(doc, &inner));
    let Some(first) = inner.next() else {
        return of(doc, group);
    };
    inner.all(|one| one == first).then_some(first)
}

/// The category that a group of results states itself, or else the one of its sort.
pub(crate) fn of_report(doc: &Doc<'_>, group: &Statement<'_>) -> Option<Value> {
    const TABLE: &str = "http://terminology.hl7.org/CodeSystem/v2-0074";
    let own = sdtc(group.node, "category").and_then(|sort| code::concept(doc, sort));
    let own = own.map(|own| json!([own]));
    own.or_else(|| {
        Some(json!([code::coded(
            TABLE,
            of_group(doc, group)?.of_report()?
        )]))
    })
}

/// Whether the section is one of a laboratory's reports.
fn is_of_laboratory(of: &Statement<'_>) -> bool {
    RESULTS.contains(&of.context.section) && of.context.section != ALL_RESULTS
}

/// Whether the section is one of results, and the statement no finding of how somebody manages or thinks (functional and cognitive
/// status), which LOINC has codes for, too.
fn is_of_results(of: &Statement<'_>) -> bool {
    const STATUS: &[&str] = &[
        "2.16.840.1.113883.10.20.22.4.66",
        "2.16.840.1.113883.10.20.22.4.67",
        "2.16.840.1.113883.10.20.22.4.74",
        "2.16.840.1.113883.10.20.22.4.75",
    ];
    const DISCHARGE_STUDIES: &str = "11493-4";
    let section = of.context.section;
    (RESULTS.contains(&section) || section == DISCHARGE_STUDIES) && !of.has(STATUS)
}

/// LOINC's classes are in no code. Most of its results are of laboratories, and the guide takes them so.
fn is_of_loinc(node: N<'_>) -> bool {
    codes(node).any(|one| attr(one, "codeSystem") == Some(LOINC) && code::known(one).is_some())
}

/// The code of a statement and its translations.
fn codes<'d>(node: N<'d>) -> impl Iterator<Item = N<'d>> {
    child(node, "code")
        .into_iter()
        .flat_map(|code| core::iter::once(code).chain(children(code, "translation")))
}

/// What a statement says itself of its sort.
fn stated(doc: &Doc<'_>, node: N<'_>) -> Option<Sort> {
    if let Some(sort) = sdtc(node, "category").and_then(code::known) {
        return Some(Sort::of_stated(sort));
    }
    let is_of_picture = children(node, "reference").any(|link| {
        child(link, "externalObservation")
            .is_some_and(|one| attr(one, "classCode") == Some("DGIMG"))
    });
    if is_of_picture {
        return Some(Sort::Picture);
    }
    if child(node, "specimen").is_some() {
        return Some(Sort::Laboratory);
    }
    let mut names = codes(node).filter_map(|one| attr(one, "displayName").map(str::to_owned));
    codes(node)
        .find_map(of_code)
        .or_else(|| names.find_map(|name| of_name(&name)))
        .or_else(|| of_name(&words(doc, child(node, "code")?)?))
}

/// What a code says by its system or chapter, or as one of LOINC's that are often met and of no laboratory.
fn of_code(one: N<'_>) -> Option<Sort> {
    let known = code::known(one)?;
    match attr(one, "codeSystem")? {
        DCM | RADLEX => Some(Sort::Picture),
        CPT => of_cpt(known.parse().ok()?),
        PCS if known.len() == 7 && known.starts_with('B') => Some(Sort::Picture),
        PCS if known.len() == 7 => Some(Sort::Deed),
        LOINC => of_loinc(known),
        _ => None,
    }
}

fn of_cpt(code: u32) -> Option<Sort> {
    Some(match code {
        70010..80000 | 93880..93999 => Sort::Picture,
        80000..90000 => Sort::Laboratory,
        93000..93300 => Sort::Heart,
        93303..93356 => Sort::Echo,
        93451..93600 => Sort::Catheter,
        94002..94800 => Sort::Lungs,
        95782..96005 => Sort::Nerves,
        10000..70000 => Sort::Deed,
        90000..100_000 => Sort::Other,
        _ => return None,
    })
}

fn of_loinc(code: &str) -> Option<Sort> {
    Some(match code {
        "11522-0" | "18043-0" | "34552-0" | "42148-7" | "8806-2" => Sort::Echo,
        "11524-6" | "18754-2" | "18844-1" | "34534-8" | "8601-7" | "8625-6" | "8633-0"
        | "8634-8" | "8636-3" => Sort::Heart,
        "18759-1" | "19868-9" | "19911-7" | "19926-5" | "19935-6" | "20150-9" => Sort::Lungs,
        "11523-8" | "18749-2" => Sort::Nerves,
        "18745-0" => Sort::Catheter,
        "18746-8" | "18751-8" | "18753-4" => Sort::Deed,
        // How much of its blood a heart throws out is known by several ways.
        "10230-1" => Sort::Other,
        _ => return None,
    })
}

/// What the name of a code says, by words that name nothing else.
fn of_name(name: &str) -> Option<Sort> {
    const WORDS: &[(Sort, &[&str])] = &[
        (
            Sort::Echo,
            &[
                "echocardiogram",
                "echocardiography",
                "echocardiographic",
                "cardiac echo",
                "2d echo",
            ],
        ),
        (Sort::Picture, PICTURES),
        (
            Sort::Heart,
            &[
                "ekg",
                "ecg",
                "electrocardiogram",
                "electrocardiography",
                "electrocardiographic",
                "holter",
            ],
        ),
        (
            Sort::Lungs,
            &[
                "pulmonary function",
                "spirometry",
                "fev1",
                "fvc",
                "dlco",
                "forced expiratory",
                "forced vital capacity",
                "peak expiratory flow",
            ],
        ),
        (
            Sort::Nerves,
            &[
                "eeg",
                "emg",
                "electroencephalogram",
                "electroencephalography",
                "electromyogram",
                "electromyography",
                "polysomnography",
                "nerve conduction",
            ],
        ),
        (Sort::Catheter, &["cardiac catheterization", "cardiac cath"]),
        (
            Sort::Deed,
            &[
                "colonoscopy",
                "endoscopy",
                "bronchoscopy",
                "sigmoidoscopy",
                "cystoscopy",
                "colposcopy",
                "audiometry",
                "audiogram",
            ],
        ),
        (Sort::Laboratory, &["lab", "labs", "laboratory"]),
        (Sort::Other, &["ejection fraction"]),
    ];
    // LOINC's short word for ultrasound is a word of English, too.
    let is_mixed = name.chars().any(char::is_lowercase);
    if name.starts_with("US ") || is_mixed && name.split(' ').any(|word| word == "US") {
        return Some(Sort::Picture);
    }
    let plain = spaced(&name.to_lowercase());
    let found = WORDS.iter().find(|(_, words)| {
        let mut words = words.iter();
        words.any(|words| plain.contains(&[" ", words, " "].concat()))
    });
    found.map(|(sort, _)| *sort)
}

const PICTURES: &[&str] = &[
    "x-ray",
    "x-rays",
    "xray",
    "radiograph",
    "radiography",
    "radiology",
    "radiologic",
    "ultrasound",
    "ultrasonography",
    "sonogram",
    "sonography",
    "tomography",
    "mri",
    "ct",
    "xr",
    "cxr",
    "mammogram",
    "mammography",
    "angiogram",
    "angiography",
    "fluoroscopy",
    "scintigraphy",
    "imaging",
    "us.doppler",
];

/// The words of a name, each between two spaces.
fn spaced(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric() && !"-.".contains(letter));
    let words = words.filter(|word| !word.is_empty());
    words.fold(String::from(" "), |all, word| all + word + " ")
}

/// The words that were said for a code, here or in the narrative. What is longer is no name, and many may point to it.
fn words(doc: &Doc<'_>, code: N<'_>) -> Option<String> {
    const NAME: usize = 200;
    let said = child(code, "originalText")?;
    crate::xml::own_text(said).or_else(|| {
        let pointer = attr(child(said, "reference")?, "value")?;
        let words = doc.words_at(pointer)?;
        (words.len() <= NAME).then(|| words.to_string())
    })
}
