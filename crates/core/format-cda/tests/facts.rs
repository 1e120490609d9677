//! What somebody who treats the patient would read wrongly: facts that a document does not state must not come out of it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const HEAD: &str = r#"xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc""#;

fn whole(header: &str, section: &str, text: &str, entries: &str) -> String {
    format!(
        r#"<ClinicalDocument {HEAD}><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"#
    )
}

fn read(section: &str, text: &str, entry: &str) -> Draft {
    let xml = whole("", section, text, &format!("<entry>{entry}</entry>"));
    Cda.read(xml.as_bytes()).unwrap()
}

fn all(draft: &Draft, kind: &str) -> Vec<Value> {
    let entries = draft.fhir["entry"].as_array().unwrap();
    let resources = entries.iter().map(|entry| entry["resource"].clone());
    resources
        .filter(|one| one["resourceType"] == kind)
        .collect()
}

fn one(draft: &Draft, kind: &str) -> Value {
    let mut all = all(draft, kind);
    assert_eq!(all.len(), 1, "{kind}");
    all.remove(0)
}

fn with_header(header: &str) -> Draft {
    Cda.read(whole(header, "30954-2", "", "").as_bytes())
        .unwrap()
}

/// Why what stands at a path that ends so is in no resource.
fn why_lost(draft: &Draft, end: &str) -> Vec<String> {
    let lines = draft.loss.entries.iter();
    let lines = lines.filter(|line| draft.loss.path(line).ends_with(end));
    lines
        .filter_map(|line| Some(line.because.as_deref()?.to_owned()))
        .collect()
}

/// FHIR's ranges are the normal ones (C-CDA on FHIR, results).
#[test]
fn only_the_normal_range_is_a_range() {
    let range = |meaning: &str, high: u32| {
        format!(
            r#"<referenceRange><observationRange><value xsi:type="IVL_PQ"><low value="1" unit="mg"/><high value="{high}" unit="mg"/></value>{meaning}</observationRange></referenceRange>"#
        )
    };
    let said = |code: &str| {
        format!(r#"<interpretationCode code="{code}" codeSystem="2.16.840.1.113883.5.83"/>"#)
    };
    for (ranges, wanted) in [
        (range(&said("N"), 5), vec![json!(5)]),
        (range("", 5), vec![json!(5)]),
        (
            range(r#"<interpretationCode nullFlavor="UNK"/>"#, 5),
            vec![json!(5)],
        ),
        (range(&said("H"), 5), vec![]),
        (range(&said("A"), 5), vec![]),
        (
            [
                range(&said("H"), 9),
                range(&said("N"), 5),
                range(&said("L"), 1),
            ]
            .concat(),
            vec![json!(5)],
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="PQ" value="3" unit="mg"/>{ranges}</observation>"#
        );
        let draft = read("30954-2", "", &entry);
        let seen = one(&draft, "Observation");
        let given = seen["referenceRange"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let highs: Vec<Value> = given
            .iter()
            .map(|one| one["high"]["value"].clone())
            .collect();
        assert_eq!(highs, wanted, "{ranges}");
        let other = ranges.contains(r#"code="H""#) || ranges.contains(r#"code="A""#);
        let why = why_lost(&draft, "");
        assert_eq!(
            why.iter().any(|why| why.contains("not the normal one")),
            other,
            "{ranges}"
        );
    }
}

/// FHIR has three words for how severe a reaction was (C-CDA on FHIR, `CF-Severity`); what lies between two has the graver one, and
/// what the source says beside it.
#[test]
fn a_severity_is_never_less_than_the_source_says() {
    for (code, word, is_all) in [
        ("255604002", "mild", true),
        ("371923003", "moderate", false),
        ("6736007", "moderate", true),
        ("371924009", "severe", false),
        ("24484000", "severe", true),
        ("399166001", "severe", false),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/>
            <entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION"/><effectiveTime><low value="20200101"/><high value="20200103"/></effectiveTime><value xsi:type="CD" code="247472004" codeSystem="2.16.840.1.113883.6.96"/>
            <entryRelationship typeCode="SUBJ" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></observation></entryRelationship></observation>"#
        );
        let allergy = one(&read("48765-2", "", &entry), "AllergyIntolerance");
        let reaction = &allergy["reaction"][0];
        assert_eq!(reaction["severity"], word, "{code}");
        let stated = &reaction["_severity"]["extension"][0]["valueCodeableConcept"];
        assert_eq!(stated["coding"][0]["code"] == code, !is_all, "{code}");
        assert_eq!(reaction["onset"], "2020-01-01");
        assert_eq!(reaction["extension"][0]["valueDateTime"], "2020-01-03");
    }
}

/// What somebody is called is a name of its own (C-CDA on FHIR, `CF-NameUse`).
#[test]
fn a_nickname_is_no_second_given_name() {
    let header = r#"<recordTarget><patientRole><telecom value="mailto://isa@example.org"/><telecom value="tel:+1-555"/><telecom value="https://example.org/a"/><patient><name use="L"><given>Isabella</given><given qualifier="CL">Isa</given><family>Jones</family></name></patient></patientRole></recordTarget>"#;
    let patient = one(&with_header(header), "Patient");
    assert_eq!(
        patient["name"],
        json!([{"use": "usual", "family": "Jones", "given": ["Isabella"]}, {"use": "nickname", "given": ["Isa"]}])
    );
    let reached: Vec<&Value> = (0..3).map(|at| &patient["telecom"][at]["value"]).collect();
    assert_eq!(
        reached,
        ["isa@example.org", "+1-555", "https://example.org/a"]
    );
}
