//! Security labels of a document, as HL7 v3 and FHIR have them, and how carefully they say that it must be shared.

use crate::Sensitivity;

mod form;

/// How carefully a document must be shared by all labels in it: as carefully as the most sensitive thing in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    most: Option<(Sensitivity, String)>,
}

impl Labels {
    /// Takes a label that stands `at` an element: a code of a system (an OID or a URI; without one it is of v3 Confidentiality).
    pub fn add(&mut self, at: &str, system: Option<&str>, code: Option<&str>) {
        self.add_one(at, [(system, code)]);
    }

    /// Takes a label that has its code in several systems: those that say how carefully it must be shared say what it is.
    pub fn add_one<'c>(
        &mut self,
        at: &str,
        codes: impl IntoIterator<Item = (Option<&'c str>, Option<&'c str>)>,
    ) {
        let mut all = Codes::default();
        for (system, code) in codes {
            all.add(system, code);
        }
        if let Some((level, why)) = all.level() {
            self.raise(level, at, why);
        }
    }

    /// Takes a label `at` an element whose value is withheld: what is hidden from its reader is not for all.
    pub fn add_masked(&mut self, at: &str) {
        self.raise(MASKED.0, at, MASKED.1);
    }

    fn raise(&mut self, to: Sensitivity, at: &str, said: &str) {
        if self.sensitivity() < to {
            self.most = Some((to, format!("{at} {said}")));
        }
    }

    /// The most that any says.
    pub fn sensitivity(&self) -> Sensitivity {
        self.most
            .as_ref()
            .map_or(Sensitivity::Normal, |(most, _)| *most)
    }

    /// Which label says it, in words without anything of the document but a known code; none if it is normal.
    pub fn why(&self) -> Option<&str> {
        self.most.as_ref().map(|(_, why)| why.as_str())
    }
}

/// How carefully, and why in words.
type Level = (Sensitivity, &'static str);

/// What is withheld.
const MASKED: Level = (Sensitivity::Restricted, "is masked");

/// The codes of one label.
#[derive(Clone, Copy, Debug, Default)]
struct Codes {
    is_any: bool,
    most: Option<Level>,
    unknown: Option<&'static str>,
}

impl Codes {
    fn add(&mut self, system: Option<&str>, code: Option<&str>) {
        self.is_any = true;
        match read(system, code) {
            Said::Level(level, why) => self.raise(Some((level, why))),
            Said::Unknown(why) => self.unknown = self.unknown.or(Some(why)),
            Said::Other => {}
        }
    }

    fn raise(&mut self, to: Option<Level>) {
        let of = |level: Option<Level>| level.map(|(level, _)| level);
        if of(self.most) < of(to) {
            self.most = to;
        }
    }

    fn add_all(&mut self, other: Self) {
        self.is_any |= other.is_any;
        self.raise(other.most);
        self.unknown = self.unknown.or(other.unknown);
    }

    /// What they say together: those that say how carefully say what the label is. What it is for, or how sure, says nothing of
    /// what an unknown code beside it may.
    fn level(&self) -> Option<Level> {
        let unknown = self.unknown.map(|why| (Sensitivity::Restricted, why));
        self.most.or(unknown)
    }
}

/// Code systems by the end of their URI or OID.
const CONFIDENTIALITY: &[&str] = &[
    "2.16.840.1.113883.5.25",
    "2.16.840.1.113883.12.177",
    "/v3-confidentiality",
    "/v3/confidentiality",
    "/v2-0177",
];
const SENSITIVITY: &[&str] = &[
    "2.16.840.1.113883.5.4",
    "/v3-actcode",
    "/v3/actcode",
    "/v3-actusprivacylaw",
];
/// Systems of labels that speak of something else: what for, how it came to be, who proved to be whom.
const OF_OTHERS: &[&str] = &[
    "2.16.840.1.113883.5.8",
    "/v3-actreason",
    "/v3/actreason",
    "2.16.840.1.113883.5.1063",
    "/v3-observationvalue",
    "/v3/observationvalue",
    "smarthealth.cards#ial",
];

/// What one code of a label says.
enum Said {
    Level(Sensitivity, &'static str),
    /// Something that nobody here can read: it may be anything.
    Unknown(&'static str),
    /// Nothing of how carefully it must be shared.
    Other,
}

fn read(system: Option<&str>, code: Option<&str>) -> Said {
    const LEVELS: &[(&str, Sensitivity, &str)] = &[
        ("U", Sensitivity::Normal, "is U"),
        ("L", Sensitivity::Normal, "is L"),
        ("M", Sensitivity::Normal, "is M"),
        ("N", Sensitivity::Normal, "is N"),
        ("R", Sensitivity::Restricted, "is R"),
        ("V", Sensitivity::VeryRestricted, "is V"),
    ];
    let system = system.unwrap_or_default();
    let system = system.split('|').next().unwrap_or_default().trim();
    let system = system.to_ascii_lowercase();
    let is_of = |ends: &[&str]| {
        ends.iter().any(|end| {
            let before = system.strip_suffix(end);
            // A path ends with a whole name, an OID is one number.
            before.is_some_and(|before| end.starts_with('/') || !before.ends_with(is_of_oid))
        })
    };
    let code = code.unwrap_or_default().trim();
    if system.is_empty() || is_of(CONFIDENTIALITY) {
        let level = LEVELS
            .iter()
            .find(|(level, _, _)| level.eq_ignore_ascii_case(code));
        return level.map_or(
            Said::Unknown("has a code that is not known"),
            |(_, level, said)| Said::Level(*level, said),
        );
    }
    if is_of(OF_OTHERS) {
        return Said::Other;
    }
    // ActCode has sensitivities (HIV, PSY, SUD, …), laws of privacy and rules of handling: none of them labels the usual.
    match is_of(SENSITIVITY) {
        true => Said::Level(
            Sensitivity::Restricted,
            "names a sensitivity or a privacy rule",
        ),
        false => Said::Unknown("is of a system that is not known"),
    }
}

fn is_of_oid(sign: char) -> bool {
    sign == '.' || sign.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_as_sensitive_as_its_most_sensitive_label() {
        use Sensitivity::{Normal, Restricted, VeryRestricted};
        const V3: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";
        const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
        const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
        for (labels, most, why) in [
            (&[][..], Normal, None),
            (&[(V3, "U"), (V3, "L"), (V3, "M"), (V3, "N")], Normal, None),
            (
                &[(V3, "N"), (V3, "R"), (V3, "N")],
                Restricted,
                Some("x is R"),
            ),
            (&[("", " v "), (V3, "R")], VeryRestricted, Some("x is V")),
            (
                &[("2.16.840.1.113883.5.25", "r")],
                Restricted,
                Some("x is R"),
            ),
            (
                &[("urn:oid:2.16.840.1.113883.5.25", "V")],
                VeryRestricted,
                Some("x is V"),
            ),
            (
                &[("http://hl7.org/fhir/v3/Confidentiality", "V")],
                VeryRestricted,
                Some("x is V"),
            ),
            (
                &[(V3, "SECRET")],
                Restricted,
                Some("x has a code that is not known"),
            ),
            (
                &[(V3, "")],
                Restricted,
                Some("x has a code that is not known"),
            ),
            (
                &[(ACT, "HIV")],
                Restricted,
                Some("x names a sensitivity or a privacy rule"),
            ),
            (
                &[("2.16.840.1.113883.5.4", "psy")],
                Restricted,
                Some("x names a sensitivity or a privacy rule"),
            ),
            (&[(REASON, "HTEST")], Normal, None),
            (&[("2.16.840.1.113883.5.8", "TREAT")], Normal, None),
            (
                &[("urn:house", "7")],
                Restricted,
                Some("x is of a system that is not known"),
            ),
            // No other number that ends so.
            (
                &[("1.92.16.840.1.113883.5.8", "7")],
                Restricted,
                Some("x is of a system that is not known"),
            ),
        ] {
            let mut all = Labels::default();
            for (system, code) in labels {
                all.add(
                    "x",
                    Some(*system).filter(|text| !text.is_empty()),
                    Some(*code).filter(|text| !text.is_empty()),
                );
            }
            assert_eq!((all.sensitivity(), all.why()), (most, why), "{labels:?}");
        }
        // One label in two systems is what the known one says.
        for (known, most) in [("N", Normal), ("V", VeryRestricted)] {
            let mut both = Labels::default();
            both.add_one(
                "x",
                [(Some("urn:house"), Some("7")), (Some(V3), Some(known))],
            );
            assert_eq!(both.sensitivity(), most);
        }
        // What says nothing of it hides nothing.
        for code in [Some("HIV"), None] {
            let mut both = Labels::default();
            both.add_one(
                "x",
                [(Some(REASON), Some("TREAT")), (Some("urn:house"), code)],
            );
            assert_eq!(both.sensitivity(), Restricted);
        }
        let mut masked = Labels::default();
        masked.add_masked("x");
        assert_eq!(
            (masked.sensitivity(), masked.why()),
            (Restricted, Some("x is masked"))
        );
    }
}
