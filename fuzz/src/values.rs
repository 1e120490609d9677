//! Values of each data type of CDA R2, in a place of a document where a mapping reads it.

use medibloc_format_cda::Cda;
use medibloc_format_fhir::{FhirJson, FhirXml, to_xml};
use medibloc_record::{EntryOutcome, Format};

/// What stands around a value, `{}`.
#[derive(Clone, Copy)]
enum Place {
    Observation(&'static str),
    Medicine,
    Header,
}

use Place::{Header, Medicine, Observation};

/// Type, its place, the element, and a good value: attributes, a line end, content.
const TYPES: &[(&str, Place, &str, &str)] = &[
    (
        "PQ",
        Observation("30954-2"),
        "value",
        "value=\"5.50\" unit=\"mg/dL\"\n<translation value=\"1\" code=\"x\"/>",
    ),
    (
        "IVL_PQ",
        Observation("30954-2"),
        "value",
        "\n<low value=\"1\" unit=\"g\" inclusive=\"false\"/><high value=\"2\" unit=\"g\"/>",
    ),
    (
        "RTO_PQ_PQ",
        Observation("30954-2"),
        "value",
        "\n<numerator value=\"1\" unit=\"g\"/><denominator value=\"2\" unit=\"L\"/>",
    ),
    ("INT", Observation("30954-2"), "value", "value=\"7\"\n"),
    (
        "IVL_INT",
        Observation("30954-2"),
        "value",
        "\n<low value=\"1\"/><high value=\"3\"/>",
    ),
    ("REAL", Observation("30954-2"), "value", "value=\"-0.10\"\n"),
    (
        "MO",
        Observation("30954-2"),
        "value",
        "value=\"12.00\" currency=\"EUR\"\n",
    ),
    ("BL", Observation("30954-2"), "value", "value=\"true\"\n"),
    ("ST", Observation("30954-2"), "value", "\nwords"),
    (
        "ED",
        Observation("30954-2"),
        "value",
        "mediaType=\"text/plain\" representation=\"B64\"\nd29yZHM=",
    ),
    (
        "CD",
        Observation("11450-4"),
        "value",
        "code=\"1\" codeSystem=\"2.16.840.1.113883.6.96\" displayName=\"a\"\n<originalText>b</originalText><qualifier><name code=\"2\"/><value code=\"3\"/></qualifier><translation code=\"4\" codeSystem=\"2.16.840.1.113883.6.90\"/>",
    ),
    (
        "CO",
        Observation("30954-2"),
        "value",
        "code=\"LA1\" codeSystem=\"2.16.840.1.113883.6.1\"\n",
    ),
    (
        "TS",
        Observation("30954-2"),
        "value",
        "value=\"20260203040506.789+0100\"\n",
    ),
    (
        "TS",
        Observation("30954-2"),
        "effectiveTime",
        "value=\"202602030405\"\n",
    ),
    (
        "IVL_TS",
        Observation("11450-4"),
        "effectiveTime",
        "\n<low value=\"2025\"/><high value=\"202601\"/>",
    ),
    (
        "IVL_TS",
        Medicine,
        "effectiveTime",
        "\n<center value=\"20260101\"/><width value=\"3\" unit=\"d\"/>",
    ),
    (
        "PIVL_TS",
        Medicine,
        "effectiveTime",
        "operator=\"A\" institutionSpecified=\"true\"\n<phase><low value=\"20260101\"/></phase><period value=\"8\" unit=\"h\"/>",
    ),
    (
        "EIVL_TS",
        Medicine,
        "effectiveTime",
        "operator=\"A\"\n<event code=\"ACM\"/><offset><low value=\"30\" unit=\"min\"/></offset>",
    ),
    (
        "SXPR_TS",
        Medicine,
        "effectiveTime",
        "\n<comp xsi:type=\"PIVL_TS\"><period value=\"12\" unit=\"h\"/></comp><comp xsi:type=\"EIVL_TS\" operator=\"I\"><event code=\"HS\"/></comp>",
    ),
    (
        "IVL_PQ",
        Medicine,
        "doseQuantity",
        "value=\"2\" unit=\"mg\"\n",
    ),
    (
        "RTO_PQ_PQ",
        Medicine,
        "maxDoseQuantity",
        "\n<numerator value=\"4\"/><denominator value=\"1\" unit=\"d\"/>",
    ),
    (
        "II",
        Header,
        "id",
        "root=\"1.2.3\" extension=\"a\" assigningAuthorityName=\"b\"\n",
    ),
    (
        "AD",
        Header,
        "addr",
        "use=\"HP\"\n<streetAddressLine>a</streetAddressLine><city>b</city><useablePeriod><low value=\"2020\"/></useablePeriod>words",
    ),
    (
        "TEL",
        Header,
        "telecom",
        "value=\"tel:+1-2\" use=\"MC\"\n<useablePeriod><low value=\"2020\"/></useablePeriod>",
    ),
    (
        "PN",
        Header,
        "name",
        "use=\"L\"\n<prefix qualifier=\"AC\">Dr.</prefix><given>a</given><given qualifier=\"IN\">b</given><family qualifier=\"BR\">c</family>",
    ),
    (
        "ON",
        Header,
        "providerOrganization",
        "\n<name>a<delimiter>,</delimiter>b</name>",
    ),
];

/// A good value of each type.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let all = TYPES.iter().enumerate();
    let good = all.map(|(at, (.., value))| {
        let at = u8::try_from(at).expect("few types");
        [&[at], value.as_bytes()].concat()
    });
    good.collect()
}

/// The first byte says the type, the rest is attributes, a line end and content. What is made of a value is FHIR R4 by its
/// elements, is the same when it is written as XML and read again, and no larger than a bound.
pub fn cda_value(data: &[u8]) {
    let Some(document) = made(data) else { return };
    let Ok(draft) = Cda.read(document.as_bytes()) else {
        return;
    };
    let bundle = draft.fhir.to_string();
    assert!(bundle.len() <= 20 * document.len(), "{}", bundle.len());
    let again = FhirJson.read(bundle.as_bytes()).expect("a bundle");
    assert_eq!(again.fhir, draft.fhir);
    let lost: Vec<_> = again
        .loss
        .entries
        .iter()
        .filter(|line| line.outcome == EntryOutcome::Lost)
        .collect();
    assert!(lost.is_empty(), "{lost:?} of {bundle}");
    // Letters that no XML holds cannot come from one.
    let xml = to_xml(&(&draft.fhir).into()).expect("what came from XML has a form in XML");
    let back = FhirXml
        .read(xml.as_bytes())
        .expect("what was written is read");
    assert!(back.fhir == draft.fhir, "{xml}");
}

/// The document of an input.
pub(crate) fn made(data: &[u8]) -> Option<String> {
    let (first, rest) = data.split_first()?;
    let (kind, place, element, _) = TYPES[usize::from(*first) % TYPES.len()];
    let text = String::from_utf8_lossy(rest);
    let (attributes, content) = text.split_once('\n').unwrap_or((&text, ""));
    let value = format!("<{element} xsi:type=\"{kind}\" {attributes}>{content}</{element}>");
    Some(document(place, element, &value))
}

fn document(place: Place, element: &str, value: &str) -> String {
    let (patient, section, entry) = match place {
        Header => (value, "48765-2", String::new()),
        Observation(section) => {
            let time = match element {
                "effectiveTime" => "",
                _ => "<effectiveTime value=\"2026\"/>",
            };
            (
                "",
                section,
                format!(
                    "<entry><observation classCode=\"OBS\" moodCode=\"EVN\"><code code=\"1-8\" codeSystem=\"2.16.840.1.113883.6.1\"/>\
                     <statusCode code=\"completed\"/>{time}{value}</observation></entry>"
                ),
            )
        }
        Medicine => (
            "",
            "10160-0",
            format!(
                "<entry><substanceAdministration classCode=\"SBADM\" moodCode=\"INT\"><statusCode code=\"active\"/>{value}<consumable>\
                 <manufacturedProduct><manufacturedMaterial><code code=\"1\" codeSystem=\"2.16.840.1.113883.6.88\"/></manufacturedMaterial>\
                 </manufacturedProduct></consumable></substanceAdministration></entry>"
            ),
        ),
    };
    let (of_role, of_patient) = match element {
        "name" => ("", patient),
        _ => (patient, ""),
    };
    format!(
        "<ClinicalDocument xmlns=\"urn:hl7-org:v3\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:sdtc=\"urn:hl7-org:sdtc\">\
         <id root=\"1.2.3.4\"/><effectiveTime value=\"20260101\"/><recordTarget><patientRole>{of_role}<patient>{of_patient}</patient>\
         </patientRole></recordTarget><component><structuredBody><component><section><code code=\"{section}\" \
         codeSystem=\"2.16.840.1.113883.6.1\"/><text>x</text>{entry}</section></component></structuredBody></component></ClinicalDocument>"
    )
}
