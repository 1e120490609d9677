//! What is read of XML and of R5, rule by rule, at the crate's front door.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use medibloc_format_fhir::{FhirJson, FhirXml, XmlError, to_xml};
use medibloc_record::{Draft, EntryOutcome, Format as _, FormatProblem};
use serde_json::{Value, json};

fn xml(kind: &str, inside: &str) -> String {
    format!("<{kind} xmlns=\"http://hl7.org/fhir\">{inside}</{kind}>")
}

fn read(text: &str) -> Draft {
    FhirXml
        .read(text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The resource, and what is told of it beside its own line.
fn resource(draft: &Draft) -> (Value, Vec<String>) {
    let told = draft.loss.entries[1..].iter().map(|line| {
        let name = &draft.loss.names[line.name as usize];
        match line.outcome {
            EntryOutcome::Converted => format!("{name} > {}", line.element),
            _ => format!("{name}: {}", line.because.as_deref().unwrap()),
        }
    });
    let resource = draft.fhir["entry"][0]["resource"].clone();
    (resource.into(), told.collect())
}

#[test]
fn elements_become_members_by_their_definition() {
    for (kind, inside, wanted) in [
        // One is an array where more may stand; numbers keep their digits; values are of their type.
        (
            "Patient",
            r#"<active value="true"/><name><given value="A"/></name>"#,
            json!({"active": true, "name": [{"given": ["A"]}]}),
        ),
        (
            "Observation",
            r#"<valueQuantity><value value="1.500"/></valueQuantity>"#,
            serde_json::from_str(r#"{"valueQuantity": {"value": 1.500}}"#).unwrap(),
        ),
        (
            "Observation",
            r#"<valueString value="1.500"/>"#,
            json!({"valueString": "1.500"}),
        ),
        // `id` and extensions of values stand beside them, in the same place of the array.
        (
            "Patient",
            r#"<birthDate id="b" value="1980"><extension url="u"><valueCode value="x"/></extension></birthDate>"#,
            json!({"birthDate": "1980", "_birthDate": {"id": "b", "extension": [{"url": "u", "valueCode": "x"}]}}),
        ),
        (
            "Patient",
            r#"<name><given value="A"/><given id="g"/><given value="C"/></name>"#,
            json!({"name": [{"given": ["A", null, "C"], "_given": [null, {"id": "g"}, null]}]}),
        ),
        (
            "Patient",
            r#"<contact id="c"><gender value="male"/></contact>"#,
            json!({"contact": [{"id": "c", "gender": "male"}]}),
        ),
        (
            "Patient",
            r#"<id value="p"/><contained><Basic><id value="1"/></Basic></contained>"#,
            json!({"id": "p", "contained": [{"resourceType": "Basic", "id": "1"}]}),
        ),
        // White space that was written by number is of the value.
        (
            "Patient",
            "<language value=\"a&#10;b&#9;c\"/>",
            json!({"language": "a\nb\tc"}),
        ),
        // A narrative stands for itself, whatever declared its namespace.
        (
            "Basic",
            r#"<text><div xmlns="http://www.w3.org/1999/xhtml" class='a'>x &amp; <br/>y</div></text>"#,
            json!({"text": {"div": r#"<div xmlns="http://www.w3.org/1999/xhtml" class='a'>x &amp; <br/>y</div>"#}}),
        ),
        (
            "Basic",
            r#"<text><h:div xmlns:h="http://www.w3.org/1999/xhtml"><h:p title="a&quot;b">x<h:br/></h:p></h:div></text>"#,
            json!({"text": {"div": r#"<div xmlns="http://www.w3.org/1999/xhtml"><p title="a&quot;b">x<br/></p></div>"#}}),
        ),
    ] {
        let text = xml(kind, inside);
        let mut wanted = wanted;
        wanted["resourceType"] = kind.into();
        let draft = read(&text);
        assert_eq!(resource(&draft), (wanted.clone(), vec![]), "{text}");
        assert_eq!(draft.original, text.as_bytes());
        let again = read(&to_xml(&wanted).unwrap());
        assert_eq!(again.fhir, draft.fhir, "{text}");
    }
}

#[test]
fn what_is_no_fhir_is_kept_where_it_can_be_and_told() {
    for (inside, kept, told) in [
        (
            r#"<foo value="1"/>"#,
            json!({"foo": "1"}),
            "Patient.foo: FHIR R4 has no such element",
        ),
        (
            r#"<foo><bar value="1"/><bar value="2"/></foo>"#,
            json!({"foo": {"bar": ["1", "2"]}}),
            "Patient.foo: FHIR R4",
        ),
        (
            r#"<gender value="male"/><gender value="female"/>"#,
            json!({"gender": ["male", "female"]}),
            "Patient.gender: FHIR R4",
        ),
        (
            r#"<gender x="1" value="male"/>"#,
            json!({"gender": "male"}),
            "Element.x: FHIR has no such attribute",
        ),
        (
            r#"<gender/>"#,
            json!({}),
            "Patient.gender: the element is empty",
        ),
        ("words", json!({}), "Patient.text: FHIR has no text outside"),
        (
            r#"<o:x xmlns:o="urn:o" value="1"/>"#,
            json!({}),
            "Patient.x: it is no element of FHIR",
        ),
        (
            r#"<resourceType value="Group"/>"#,
            json!({}),
            "Patient.resourceType: it is no element",
        ),
        (
            r#"<contained/>"#,
            json!({}),
            "Patient.contained: the element is empty",
        ),
        (
            r#"<multipleBirthInteger value="007"/>"#,
            json!({"multipleBirthInteger": "007"}),
            "Patient.multipleBirthInteger: FHIR R4",
        ),
        (
            r#"<multipleBirthInteger value="two"/>"#,
            json!({"multipleBirthInteger": "two"}),
            "Patient.multipleBirthInteger: FHIR R4",
        ),
    ] {
        let mut kept = kept;
        kept["resourceType"] = "Patient".into();
        let (found, lines) = resource(&read(&xml("Patient", inside)));
        assert_eq!(found, kept, "{inside}");
        assert_eq!(lines.len(), 1, "{inside}: {lines:?}");
        assert!(lines[0].starts_with(told), "{inside}: {lines:?}");
    }
}

#[test]
fn hostile_and_broken_xml_is_refused_with_the_reason() {
    let problem = |text: &str| {
        let error = FhirXml.read(text.as_bytes()).unwrap_err();
        assert!(!error.at.is_empty() && !error.hint.is_empty());
        error.problem
    };
    let foreign = FormatProblem::Foreign;
    assert_eq!(problem("<Patient/>"), foreign);
    assert_eq!(problem(&xml("Foo", "")), foreign);
    assert_eq!(
        problem(r#"<ClinicalDocument xmlns="urn:hl7-org:v3"/>"#),
        foreign
    );
    for doctype in ["<!DOCTYPE Patient>", "<!DOCTYPE x [<!ENTITY a \"b\">]>"] {
        let text = format!("{doctype}{}", xml("Patient", ""));
        assert_eq!(
            problem(&text),
            FormatProblem::Forbidden("a document type declaration")
        );
    }
    for cut in [
        "<Patient xmlns=\"http://hl7.org/fhir\"><id",
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"1\"/>",
        "<!-- ",
    ] {
        assert_eq!(problem(cut), FormatProblem::Truncated, "{cut}");
    }
    for bad in [
        "<active value=\"&e;\"/>",
        "<active></id>",
        "<active value=1/>",
    ] {
        assert!(
            matches!(problem(&xml("Patient", bad)), FormatProblem::Malformed(_)),
            "{bad}"
        );
    }
    let deep = |many: usize, name: &str| {
        format!(
            "{}{}",
            format!("<{name}>").repeat(many),
            format!("</{name}>").repeat(many)
        )
    };
    assert!(matches!(
        problem(&xml("Patient", &deep(100_000, "contact"))),
        FormatProblem::TooLarge(_)
    ));
    assert!(matches!(
        problem(&xml("Patient", &deep(150, "contact"))),
        FormatProblem::TooLarge(_)
    ));
    assert!(matches!(
        problem(&xml("Patient", &deep(100_000, "contact")[..500_000])),
        FormatProblem::TooLarge(_)
    ));
    let many: String = (0..1_000).map(|at| format!(" a{at}=\"\"")).collect();
    assert!(matches!(
        problem(&xml("Patient", &format!("<active{many}/>"))),
        FormatProblem::TooLarge(_)
    ));
    assert_eq!(
        FhirXml.read(b"<Patient \xC3\x28/>").unwrap_err().problem,
        FormatProblem::Encoding
    );
    // A narrative may nest deeper than elements do.
    let narrative = format!(
        "<text><div xmlns=\"http://www.w3.org/1999/xhtml\">{}</div></text>",
        deep(150, "b")
    );
    assert_eq!(
        resource(&read(&xml("Basic", &narrative))).1,
        Vec::<String>::new()
    );
}

#[test]
fn what_xml_cannot_hold_is_an_error_with_its_place() {
    let at = |place: &str| place.to_owned();
    for (tree, error) in [
        (
            json!({"a": 1}),
            XmlError::NoResource {
                at: at("the document"),
            },
        ),
        (
            json!({"resourceType": "Basic", "contained": [{"id": "x"}]}),
            XmlError::NoResource {
                at: at("Basic.contained"),
            },
        ),
        (
            json!({"resourceType": "Basic", "id": "a\u{1}"}),
            XmlError::Letter { at: at("Basic.id") },
        ),
        (
            json!({"resourceType": "Basic", "a b": "1"}),
            XmlError::Member { at: at("Basic") },
        ),
        (
            json!({"resourceType": "Basic", "ab": [["1"]]}),
            XmlError::Member { at: at("Basic.ab") },
        ),
        (
            json!({"resourceType": "Basic", "text": {"div": "<div>a<br></div>"}}),
            XmlError::Narrative {
                at: at("Narrative.div"),
            },
        ),
        (
            json!({"resourceType": "Basic", "text": {"div": "</div><x/>"}}),
            XmlError::Narrative {
                at: at("Narrative.div"),
            },
        ),
        (
            json!({"resourceType": "Basic", "text": {"div": "<div/><div/>"}}),
            XmlError::Narrative {
                at: at("Narrative.div"),
            },
        ),
    ] {
        assert_eq!(to_xml(&tree), Err(error), "{tree}");
    }
    // Markup in values stays a value.
    let tree = json!({"resourceType": "Basic", "language": "\"/><x a='1'>&amp;\r\n"});
    assert_eq!(resource(&read(&to_xml(&tree).unwrap())).0, tree);
}

fn r5(resource_: Value) -> (Value, Vec<String>) {
    let mut tree = resource_;
    tree["meta"] = json!({"profile": ["http://hl7.org/fhir/StructureDefinition/Resource|5.0.0"]});
    let draft = FhirJson.read(tree.to_string().as_bytes()).unwrap();
    let (mut found, told) = resource(&draft);
    found.as_object_mut().unwrap().remove("meta");
    (found, told)
}

#[test]
fn what_r5_calls_otherwise_is_where_r4_has_it() {
    let coding = json!({"system": "s", "code": "a"});
    let concept = json!({"coding": [coding], "text": "t"});
    let to = |id: &str| json!({"reference": id});
    for (kind, given, wanted) in [
        (
            "MedicationRequest",
            json!({"medication": {"concept": concept}}),
            json!({"medicationCodeableConcept": concept}),
        ),
        (
            "MedicationRequest",
            json!({"medication": {"reference": to("Medication/1")}}),
            json!({"medicationReference": to("Medication/1")}),
        ),
        (
            "MedicationRequest",
            json!({"reason": [{"concept": concept}, {"reference": to("Condition/1")}]}),
            json!({"reasonCode": [concept], "reasonReference": [to("Condition/1")]}),
        ),
        (
            "MedicationRequest",
            json!({"performer": [to("Practitioner/1")], "reported": true}),
            json!({"performer": to("Practitioner/1"), "reportedBoolean": true}),
        ),
        (
            "MedicationRequest",
            json!({"dosageInstruction": [{"asNeeded": true, "asNeededFor": [concept]}, {"asNeeded": false}]}),
            json!({"dosageInstruction": [{"asNeededCodeableConcept": concept}, {"asNeededBoolean": false}]}),
        ),
        (
            "MedicationAdministration",
            json!({"occurenceDateTime": "2026", "_occurenceDateTime": {"id": "x"}, "encounter": to("Encounter/1"), "performer": [{"actor": {"reference": to("Practitioner/1")}}]}),
            json!({"effectiveDateTime": "2026", "_effectiveDateTime": {"id": "x"}, "context": to("Encounter/1"), "performer": [{"actor": to("Practitioner/1")}]}),
        ),
        (
            "Medication",
            json!({"doseForm": concept, "ingredient": [{"item": {"concept": concept}, "strengthRatio": {"numerator": {"value": 1}}}]}),
            json!({"form": concept, "ingredient": [{"itemCodeableConcept": concept, "strength": {"numerator": {"value": 1}}}]}),
        ),
        (
            "Encounter",
            json!({"status": "completed", "class": [{"coding": [coding]}], "actualPeriod": {"start": "2026"}}),
            json!({"status": "finished", "class": coding, "period": {"start": "2026"}}),
        ),
        (
            "Encounter",
            json!({"admission": {"admitSource": concept}, "dietPreference": [concept], "participant": [{"actor": to("Practitioner/1")}]}),
            json!({"hospitalization": {"admitSource": concept, "dietPreference": [concept]}, "participant": [{"individual": to("Practitioner/1")}]}),
        ),
        (
            "Encounter",
            json!({"reason": [{"value": [{"concept": concept}]}], "diagnosis": [{"condition": [{"reference": to("Condition/1")}], "use": [concept]}]}),
            json!({"reasonCode": [concept], "diagnosis": [{"condition": to("Condition/1"), "use": concept}]}),
        ),
        (
            "Procedure",
            json!({"occurrencePeriod": {"start": "2026"}, "complication": [{"concept": concept}, {"reference": to("Condition/1")}], "used": [{"reference": to("Device/1")}]}),
            json!({"performedPeriod": {"start": "2026"}, "complication": [concept], "complicationDetail": [to("Condition/1")], "usedReference": [to("Device/1")]}),
        ),
        (
            "ServiceRequest",
            json!({"code": {"concept": concept}}),
            json!({"code": concept}),
        ),
        (
            "AllergyIntolerance",
            json!({"type": {"coding": [{"system": "s", "code": "allergy"}]}}),
            json!({"type": "allergy"}),
        ),
        (
            "Immunization",
            json!({"manufacturer": {"reference": to("Organization/1")}, "protocolApplied": [{"doseNumber": "2"}]}),
            json!({"manufacturer": to("Organization/1"), "protocolApplied": [{"doseNumberString": "2"}]}),
        ),
        (
            "DocumentReference",
            json!({"context": [to("Encounter/1")], "period": {"start": "2026"}, "content": [{"attachment": {"size": "12"}, "profile": [{"valueCoding": coding}]}]}),
            json!({"context": {"encounter": [to("Encounter/1")], "period": {"start": "2026"}}, "content": [{"attachment": {"size": 12}, "format": coding}]}),
        ),
        (
            "DocumentReference",
            json!({"context": [to("Appointment/1")]}),
            json!({"context": {"related": [to("Appointment/1")]}}),
        ),
        (
            "Organization",
            json!({"contact": [{"name": [{"family": "A"}]}]}),
            json!({"contact": [{"name": {"family": "A"}}]}),
        ),
        (
            "Coverage",
            json!({"insurer": to("Organization/1"), "subscriberId": [{"value": "7"}]}),
            json!({"payor": [to("Organization/1")], "subscriberId": "7"}),
        ),
        (
            "Practitioner",
            json!({"communication": [{"language": concept}]}),
            json!({"communication": [concept]}),
        ),
    ] {
        let (mut given, mut wanted) = (given, wanted);
        given["resourceType"] = kind.into();
        wanted["resourceType"] = kind.into();
        let (found, told) = r5(given.clone());
        assert_eq!(found, wanted, "{given}");
        assert!(
            !told.is_empty() && told.iter().all(|line| line.contains(" > ")),
            "{given}: {told:?}"
        );
    }
}

#[test]
fn what_r4_has_no_place_for_stays_as_r5_wrote_it() {
    let concept = json!({"coding": [{"code": "a"}, {"code": "b"}]});
    for (kind, given, lost) in [
        ("Encounter", json!({"class": [concept]}), "Encounter.class"),
        (
            "Encounter",
            json!({"class": [{"coding": [{"code": "a"}]}, {"coding": [{"code": "b"}]}]}),
            "Encounter.class",
        ),
        (
            "Encounter",
            json!({"plannedStartDate": "2026"}),
            "Encounter.plannedStartDate",
        ),
        (
            "Encounter",
            json!({"reason": [{"use": [concept], "value": [{"concept": concept}]}]}),
            "Encounter.reason",
        ),
        (
            "Encounter",
            json!({"status": "discharged"}),
            "Encounter.status",
        ),
        (
            "MedicationStatement",
            json!({"status": "recorded"}),
            "MedicationStatement.status",
        ),
        (
            "MedicationRequest",
            json!({"performer": [{"reference": "a"}, {"reference": "b"}]}),
            "MedicationRequest.performer",
        ),
        (
            "MedicationRequest",
            json!({"reason": [{"concept": concept, "reference": {"reference": "a"}}]}),
            "MedicationRequest.reason",
        ),
        (
            "Condition",
            json!({"participant": [{"actor": {"reference": "a"}}]}),
            "Condition.participant",
        ),
        (
            "AllergyIntolerance",
            json!({"type": {"coding": [{"code": "allergy"}], "text": "other"}}),
            "AllergyIntolerance.type",
        ),
        (
            "Procedure",
            json!({"occurrenceTiming": {"event": ["2026"]}}),
            "Procedure.occurrenceTiming",
        ),
        ("Patient", json!({"foo": 1}), "Patient.foo"),
    ] {
        let mut given = given;
        given["resourceType"] = kind.into();
        let (found, told) = r5(given.clone());
        assert_eq!(found, given);
        assert_eq!(told.len(), 1, "{given}: {told:?}");
        assert!(
            told[0].starts_with(&format!("{lost}: ")),
            "{given}: {told:?}"
        );
    }
}

#[test]
fn a_bundle_of_r5_is_read_as_r4_has_it() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read(path.join("../../../testdata/fhir/visit.r5.json")).unwrap();
    let draft = FhirJson.read(&text).unwrap();
    let resource = |at: usize| &draft.fhir["entry"][at]["resource"];
    assert_eq!(resource(1)["status"], "finished");
    assert_eq!(resource(1)["class"]["code"], "AMB");
    assert_eq!(resource(1)["reasonCode"][0]["text"], "Cough");
    assert_eq!(
        resource(2)["medicationCodeableConcept"]["text"],
        "Amoxicillin 500 mg"
    );
    assert_eq!(
        resource(2)["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"].to_string(),
        "1.50"
    );
    assert_eq!(resource(3)["resourceType"], "DeviceUsage");
    let lost: Vec<_> = draft
        .loss
        .entries
        .iter()
        .filter(|line| line.outcome == EntryOutcome::Lost)
        .collect();
    assert_eq!(lost.len(), 1, "{lost:?}");
    assert_eq!(
        lost[0].because.as_deref(),
        Some("FHIR R4 has no resource of this type")
    );
}
