//! To which visit something belongs, where the source says one alone.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, whole, why_lost};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const LOINC: &str = r#"codeSystem="2.16.840.1.113883.6.1""#;

fn visit(number: &str, more: &str) -> String {
    format!(
        r#"<encounter classCode="ENC" moodCode="EVN"><id root="1.2.840.7" extension="{number}"/>{more}</encounter>"#
    )
}

fn told(number: &str) -> String {
    let more = r#"<code code="99213" codeSystem="2.16.840.1.113883.6.12"/><effectiveTime value="20240105"/>"#;
    visit(number, more)
}

fn within(link: &str, inner: &str) -> String {
    format!("<{link} typeCode=\"SUBJ\">{inner}</{link}>")
}

fn related(inner: &str) -> String {
    within("entryRelationship", inner)
}

fn problem(name: &str) -> String {
    related(&format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006" {SCT}/><value xsi:type="CD" code="{name}" {SCT}/></observation>"#
    ))
}

fn product() -> String {
    r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="197361" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#.to_owned()
}

fn medicine(mood: &str, template: &str, inner: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="{mood}"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><statusCode code="completed"/>{}{inner}</substanceAdministration>"#,
        product()
    )
}

fn concern(template: &str, inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="active"/>{inner}</act>"#
    )
}

fn group(template: &str, code: &str, inner: &str) -> String {
    let seen = format!(
        r#"<component><observation classCode="OBS" moodCode="EVN"><code code="8310-5" {LOINC}/><statusCode code="completed"/><value xsi:type="PQ" value="37" unit="Cel"/></observation></component>"#
    );
    format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/>{code}<statusCode code="completed"/>{seen}{inner}</organizer>"#
    )
}

fn read(section: &str, entry: &str) -> Draft {
    let entries = [told("1"), told("2"), entry.to_owned()];
    let entries = entries.map(|one| format!("<entry>{one}</entry>")).concat();
    Cda.read(whole("", section, "", &entries).as_bytes())
        .unwrap()
}

/// The visits that resources of a kind belong to: its number, or nothing.
fn visits(draft: &Draft, kind: &str, element: &str) -> Vec<Value> {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let number = |of: &Value| {
        let named = &of[element];
        let found = entries
            .iter()
            .find(|one| one["fullUrl"] == named["reference"]);
        let visit = found.map_or(&named["identifier"], |one| {
            &one["resource"]["identifier"][0]
        });
        visit["value"].clone()
    };
    all(draft, kind).iter().map(number).collect()
}

/// Each kind that has a place for it, with a visit, two of them, and one of which the document has the number alone.
#[test]
fn what_names_one_visit_belongs_to_it() {
    let panel = format!(r#"<code code="74728-7" {LOINC}/>"#);
    let concern_of = |template: &'static str, inner: String| {
        move |visit: &str| concern(template, &[inner.as_str(), visit].concat())
    };
    let allergy = related(&format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="419199007" {SCT}/></observation>"#
    ));
    let two = [problem("1"), problem("2")].concat();
    type Make = Box<dyn Fn(&str) -> String>;
    let cases: Vec<(&str, &str, &str, usize, Make)> = vec![
        (
            "11450-4",
            "Condition",
            "encounter",
            1,
            Box::new(concern_of("3", problem("1"))),
        ),
        (
            "11450-4",
            "Condition",
            "encounter",
            2,
            Box::new(concern_of("3", two)),
        ),
        (
            "48765-2",
            "AllergyIntolerance",
            "encounter",
            1,
            Box::new(concern_of("30", allergy)),
        ),
        (
            "10160-0",
            "MedicationStatement",
            "context",
            1,
            Box::new(|visit| medicine("EVN", "16", visit)),
        ),
        (
            "29549-3",
            "MedicationAdministration",
            "context",
            1,
            Box::new(|visit| medicine("EVN", "16", visit)),
        ),
        (
            "10160-0",
            "MedicationRequest",
            "encounter",
            1,
            Box::new(|visit| medicine("INT", "16", visit)),
        ),
        (
            "11369-6",
            "Immunization",
            "encounter",
            1,
            Box::new(|visit| medicine("EVN", "52", visit)),
        ),
        (
            "30954-2",
            "DiagnosticReport",
            "encounter",
            1,
            Box::new(move |visit| {
                group(
                    "1",
                    r#"<code code="1-8" codeSystem="2.16.840.1.113883.6.1"/>"#,
                    &visit.replace("entryRelationship", "component"),
                )
            }),
        ),
        (
            "8716-3",
            "Observation",
            "encounter",
            2,
            Box::new(move |visit| {
                group(
                    "26",
                    &panel,
                    &visit.replace("entryRelationship", "component"),
                )
            }),
        ),
    ];
    for (section, kind, element, many, make) in cases {
        let one = related(&visit("1", ""));
        let both = [one.clone(), related(&visit("2", ""))].concat();
        let unknown = related(&visit("3", ""));
        let full = related(&told("1"));
        for (named, wanted) in [
            (&one, json!("1")),
            (&full, json!("1")),
            (&both, Value::Null),
            (&unknown, json!("3")),
        ] {
            let entry = make(named);
            let draft = read(section, &entry);
            assert_eq!(
                visits(&draft, kind, element),
                vec![wanted.clone(); many],
                "{entry}"
            );
            let is_lost = why_lost(&draft, "/encounter").is_empty();
            assert_eq!(is_lost, !wanted.is_null(), "{entry}");
        }
    }
}

/// What stands in a visit belongs to it, whichever other one it names; what two visits name belongs to neither.
#[test]
fn what_stands_in_a_visit_is_of_that_one() {
    let inner = medicine("EVN", "16", "");
    let draft = read("46240-8", &visit("4", &related(&inner)));
    assert_eq!(visits(&draft, "MedicationStatement", "context"), ["4"]);
    let own = |more: &str| {
        format!(
            r#"<procedure classCode="PROC" moodCode="EVN"><id root="1.2.9" extension="p"/>{more}</procedure>"#
        )
    };
    let full = own(&format!(
        r#"<code code="5" {SCT}/><statusCode code="completed"/><effectiveTime value="20240105"/>"#
    ));
    let named = |numbers: &[&str]| {
        let all = numbers.iter().map(|number| {
            let bare = related(&own(""));
            let visit = told(number).replace("</encounter>", &format!("{bare}</encounter>"));
            format!("<entry>{visit}</entry>")
        });
        let entries = [format!("<entry>{full}</entry>"), all.collect()].concat();
        let draft = Cda.read(whole("", "46240-8", "", &entries).as_bytes());
        visits(&draft.unwrap(), "Procedure", "encounter")
    };
    assert_eq!(named(&["5"]), ["5"]);
    assert_eq!(named(&["5", "6"]), [Value::Null]);
}

/// The stay that the header tells of is in the output, so that its number names it.
#[test]
fn what_names_the_stay_of_the_header_belongs_to_it() {
    let stay = r#"<componentOf><encompassingEncounter><id root="1.2.840.7" extension="9"/><effectiveTime value="20240105"/></encompassingEncounter></componentOf>"#;
    let entry = medicine("EVN", "16", &related(&visit("9", "")));
    let xml = whole(stay, "10160-0", "", &format!("<entry>{entry}</entry>"));
    let draft = Cda.read(xml.as_bytes()).unwrap();
    assert_eq!(visits(&draft, "MedicationStatement", "context"), ["9"]);
    let medicine = all(&draft, "MedicationStatement").remove(0);
    assert!(medicine["context"]["reference"].is_string());
}

/// What became one of several of a group belongs to the visit that the group names.
#[test]
fn a_pressure_of_two_belongs_to_the_visit_of_its_panel() {
    let sign = |code: &str, value: &str, unit: &str| {
        format!(
            r#"<component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.27"/><code code="{code}" {LOINC}/><statusCode code="completed"/><effectiveTime value="20240105"/><value xsi:type="PQ" value="{value}" unit="{unit}"/></observation></component>"#
        )
    };
    let parts = [
        sign("8480-6", "135", "mm[Hg]"),
        sign("8462-4", "92", "mm[Hg]"),
        sign("2708-6", "98", "%"),
        sign("3151-8", "2", "L/min"),
        sign("8310-5", "37", "Cel"),
        within("component", &visit("1", "")),
    ];
    for code in [
        format!(r#"<code code="46680005" {SCT}/>"#),
        r#"<code nullFlavor="NI"/>"#.to_owned(),
    ] {
        let panel = format!(
            r#"<entry><organizer classCode="CLUSTER" moodCode="EVN">{code}<statusCode code="completed"/>{}</organizer></entry>"#,
            parts.concat()
        );
        let draft = Cda
            .read(whole("", "8716-3", "", &panel).as_bytes())
            .unwrap();
        let found = visits(&draft, "Observation", "encounter");
        assert!(
            found.len() > 2 && found.iter().all(|one| *one == "1"),
            "{found:?}"
        );
    }
}
