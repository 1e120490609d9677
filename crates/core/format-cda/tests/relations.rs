//! What stands inside a statement, or names another one: linked to it by the element that FHIR has, and never more than the source
//! says.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::Value;

const OWN: &str = "https://medibloc.org/fhir/StructureDefinition/";

fn document(header: &str, section: &str, text: &str, entries: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc"><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text>{entries}
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

fn read(section: &str, entry: &str) -> Draft {
    document("", section, "", &format!("<entry>{entry}</entry>"))
}

fn one(draft: &Draft, kind: &str) -> Value {
    let mut all = all(draft, kind);
    assert_eq!(all.len(), 1, "{kind}: {all:?}");
    all.remove(0)
}

/// The resource that a reference points to.
fn at(draft: &Draft, reference: &Value) -> Value {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let found = entries
        .iter()
        .find(|entry| entry["fullUrl"] == reference["reference"]);
    found.unwrap()["resource"].clone()
}

fn extension(of: &Value, name: &str) -> Value {
    let all = of["extension"].as_array().cloned().unwrap_or_default();
    let url = format!("{OWN}{name}");
    all.into_iter()
        .find(|one| one["url"] == url.as_str())
        .unwrap_or_default()
}

/// Paths of what is in no resource.
fn lost(draft: &Draft) -> Vec<String> {
    let lines = draft.loss.entries.iter();
    lines
        .filter(|line| line.because.is_some())
        .map(|line| draft.loss.path(line))
        .collect()
}

fn nothing_is_lost(draft: &Draft) {
    let lost = lost(draft);
    assert!(lost.is_empty(), "{lost:?}");
}

fn observed(inner: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">said</value>{inner}</observation>"#
    )
}

/// The element that links each kind of statement with what stands in it, and which of both has it.
#[test]
fn what_stands_inside_is_linked_with_what_it_stands_in() {
    let product = r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#;
    let sct = r#"<code code="1" codeSystem="2.16.840.1.113883.6.96"/>"#;
    let inside = format!(
        r#"<entryRelationship typeCode="SUBJ">{}</entryRelationship>"#,
        observed("")
    );
    for (section, outer, kind, on_inner, element) in [
        (
            "47519-4",
            format!(r#"<procedure classCode="PROC" moodCode="EVN">{sct}{inside}</procedure>"#),
            "Procedure",
            true,
            "partOf",
        ),
        (
            "10160-0",
            format!(
                r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{product}{inside}</substanceAdministration>"#
            ),
            "MedicationStatement",
            true,
            "partOf",
        ),
        (
            "10160-0",
            format!(
                r#"<substanceAdministration classCode="SBADM" moodCode="INT">{product}{inside}</substanceAdministration>"#
            ),
            "MedicationRequest",
            false,
            "supportingInformation",
        ),
        (
            "18776-5",
            format!(
                r#"<procedure classCode="PROC" moodCode="INT">{sct}<entryRelationship typeCode="SUBJ">{}</entryRelationship></procedure>"#,
                observed("").replace("<value", r#"<statusCode code="completed"/><value"#)
            ),
            "ServiceRequest",
            false,
            "supportingInfo",
        ),
        (
            "11450-4",
            format!(
                r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="1"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/>{inside}</observation>"#
            ),
            "Condition",
            true,
            "focus",
        ),
        (
            "46240-8",
            format!(
                r#"<encounter classCode="ENC" moodCode="EVN"><id root="1.2.9"/>{inside}</encounter>"#
            ),
            "Encounter",
            true,
            "encounter",
        ),
    ] {
        let draft = read(section, &outer);
        let (holder, target) = if on_inner {
            ("Observation", kind)
        } else {
            (kind, "Observation")
        };
        let link = one(&draft, holder)[element].clone();
        let link = link.get(0).cloned().unwrap_or(link);
        assert_eq!(
            at(&draft, &link)["resourceType"],
            target,
            "{kind}.{element}"
        );
    }
}

/// Beside the allergy in the concern about it, a severity is the allergy's; of two allergies it is nobody's in particular.
#[test]
fn what_stands_beside_one_thing_in_a_concern_is_about_it() {
    let allergy = |code: &str| {
        format!(
            r#"<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/><participant typeCode="CSM"><participantRole><playingEntity><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant></observation></entryRelationship>"#
        )
    };
    let severity = r#"<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.8"/><code code="SEV" codeSystem="2.16.840.1.113883.5.4"/><value xsi:type="CD" code="6736007" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship>"#;
    for (allergies, is_linked) in [
        (allergy("1"), true),
        ([allergy("1"), allergy("2")].concat(), false),
    ] {
        let entry = format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.30"/><statusCode code="active"/>{allergies}{severity}</act>"#
        );
        let draft = read("48765-2", &entry);
        let seen = one(&draft, "Observation");
        assert_eq!(seen.get("focus").is_some(), is_linked);
    }
}

/// A statement that only names another one is a link to it, wherever that one stands, and never a second one.
#[test]
fn a_statement_that_names_another_is_a_link_to_it() {
    let visit = r#"<entry><encounter classCode="ENC" moodCode="EVN"><id root="1.2.9" extension="v"/><code code="1" codeSystem="2.16.840.1.113883.6.12"/><effectiveTime value="2020"/></encounter></entry>"#;
    let deed = r#"<entry><procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><entryRelationship typeCode="COMP"><encounter classCode="ENC" moodCode="EVN"><id root="1.2.9" extension="v"/></encounter></entryRelationship></procedure></entry>"#;
    for entries in [[visit, deed].concat(), [deed, visit].concat()] {
        let draft = document("", "47519-4", "", &entries);
        assert_eq!(all(&draft, "Encounter").len(), 1);
        let link = one(&draft, "Procedure")["encounter"].clone();
        assert_eq!(at(&draft, &link)["period"]["start"], "2020");
        nothing_is_lost(&draft);
    }
}

/// A health concern is no procedure; what it names is a health concern.
#[test]
fn what_a_health_concern_names_has_that_category() {
    let draft = document(
        "",
        "11450-4",
        "",
        r#"<entry><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.2.9" extension="p"/><code code="1"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/></observation></entry>
        <entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.132"/><code code="75310-3" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.2.9" extension="p"/><code nullFlavor="NP"/><statusCode code="completed"/></act></entryRelationship></act></entry>"#,
    );
    assert!(all(&draft, "Procedure").is_empty());
    let sorts = one(&draft, "Condition")["category"].clone();
    let codes: Vec<&Value> = sorts
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["coding"][0]["code"])
        .collect();
    assert!(codes.contains(&&"health-concern".into()), "{codes:?}");
    nothing_is_lost(&draft);
}

/// An act is a procedure only where it names something that is done.
#[test]
fn an_act_without_a_deed_is_no_procedure() {
    for (section, code, is_one) in [
        (
            "46240-8",
            r#"<code code="29308-4" codeSystem="2.16.840.1.113883.6.1"/>"#,
            false,
        ),
        ("46240-8", r#"<code nullFlavor="NA"/>"#, false),
        (
            "48764-5",
            r#"<code code="308292007" codeSystem="2.16.840.1.113883.6.96"/>"#,
            false,
        ),
        (
            "46240-8",
            r#"<code code="61310001" codeSystem="2.16.840.1.113883.6.96"/>"#,
            true,
        ),
    ] {
        let entry = format!(
            r#"<act classCode="ACT" moodCode="EVN">{code}<statusCode code="completed"/></act>"#
        );
        let draft = read(section, &entry);
        assert_eq!(
            all(&draft, "Procedure").len(),
            usize::from(is_one),
            "{section} {code}"
        );
    }
}

/// A comment that belongs to nothing is an observation in words, and no deed.
#[test]
fn a_remark_keeps_its_words() {
    let draft = read(
        "30954-2",
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.64"/><code code="48767-8" codeSystem="2.16.840.1.113883.6.1"/><text>The sample was old</text><statusCode code="completed"/></act>"#,
    );
    assert!(all(&draft, "Procedure").is_empty());
    assert_eq!(
        one(&draft, "Observation")["valueString"],
        "The sample was old"
    );
    nothing_is_lost(&draft);
}

/// A finding that its code names alone, and that is denied, is answered with no; one with a value is in no resource.
#[test]
fn a_finding_that_is_denied_is_answered_with_no() {
    let denied = |value: &str| {
        read(
            "8710-6",
            &format!(
                r#"<observation classCode="OBS" moodCode="EVN" negationInd="true"><code code="88610006" codeSystem="2.16.840.1.113883.6.96" displayName="Heart murmur"/><statusCode code="completed"/>{value}</observation>"#
            ),
        )
    };
    let draft = denied("");
    let seen = one(&draft, "Observation");
    assert_eq!(seen["valueCodeableConcept"]["coding"][0]["code"], "N");
    nothing_is_lost(&draft);
    let value = r#"<value xsi:type="CD" code="1" codeSystem="2.16.840.1.113883.6.96"/>"#;
    assert!(all(&denied(value), "Observation").is_empty());
    // A cognitive or functional problem that one does not have is a refuted condition.
    let draft = read(
        "47420-5",
        r#"<observation classCode="OBS" moodCode="EVN" negationInd="true"><templateId root="2.16.840.1.113883.10.20.22.4.73"/><code code="373930000" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="CD" code="371632003" codeSystem="2.16.840.1.113883.6.96"/></observation>"#,
    );
    let refuted = one(&draft, "Condition")["verificationStatus"].clone();
    assert_eq!(refuted["coding"][0]["code"], "refuted");
    nothing_is_lost(&draft);
}

/// One number without a kind and the same with one are one device; with two kinds they are two.
#[test]
fn a_device_of_one_number_is_one_device() {
    let implant = |kind: &str| {
        format!(
            r#"<entry><procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><participant typeCode="DEV"><participantRole classCode="MANU"><id root="1.2.9" extension="d"/><playingDevice>{kind}</playingDevice></participantRole></participant></procedure></entry>"#
        )
    };
    let stent = r#"<code code="2" codeSystem="2.16.840.1.113883.6.96"/>"#;
    let pacer = r#"<code code="3" codeSystem="2.16.840.1.113883.6.96"/>"#;
    for (kinds, many) in [
        ([stent, ""], 1),
        (["", stent], 1),
        ([stent, stent], 1),
        ([stent, pacer], 2),
    ] {
        let entries = kinds.map(implant).concat();
        let draft = document("", "47519-4", "", &entries);
        assert_eq!(all(&draft, "Device").len(), many, "{kinds:?}");
    }
}

#[test]
fn the_place_in_a_series_is_the_number_of_the_dose() {
    let draft = read(
        "11369-6",
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable>
        <entryRelationship typeCode="COMP" inversionInd="true"><sequenceNumber value="2"/><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.118"/><code code="416118004" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/></act></entryRelationship></substanceAdministration>"#,
    );
    let dose = one(&draft, "Immunization")["protocolApplied"][0].clone();
    assert_eq!(dose["doseNumberPositiveInt"], 2);
    assert!(all(&draft, "Procedure").is_empty());
    nothing_is_lost(&draft);
}

#[test]
fn pregnancy_and_jobs_are_as_their_guides_have_them() {
    let draft = read(
        "29762-2",
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.15.3.8"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/><effectiveTime><low value="20240110"/></effectiveTime><value xsi:type="CD" code="77386006" codeSystem="2.16.840.1.113883.6.96"/>
        <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.15.3.1"/><code code="11778-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="TS" value="20241001"/></observation></entryRelationship></observation>"#,
    );
    let seen = one(&draft, "Observation");
    assert_eq!(seen["code"]["coding"][0]["code"], "82810-3");
    assert_eq!(seen["effectiveDateTime"], "2024-01-10");
    let part = &seen["component"][0];
    assert_eq!(
        (&part["code"]["coding"][0]["code"], &part["valueDateTime"]),
        (&"11778-8".into(), &"2024-10-01".into())
    );
    nothing_is_lost(&draft);
    let draft = read(
        "29762-2",
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.503"/><code code="11341-5" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime><low value="2009"/><high value="202206"/></effectiveTime><value xsi:type="CD" code="1" codeSystem="2.16.840.1.114222.4.5.327"/>
        <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.504"/><code code="86188-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.114222.4.5.327"/></observation></entryRelationship></observation>"#,
    );
    let job = one(&draft, "Observation");
    assert_eq!(job["effectivePeriod"]["end"], "2022-06");
    assert_eq!(job["component"][0]["code"]["coding"][0]["code"], "86188-0");
    nothing_is_lost(&draft);
}

/// The status of the statement is not that of the taking, of what is taken and of what is ordered.
#[test]
fn the_status_of_a_medicine_that_stands_inside_counts() {
    const CCD: &str = r#"<templateId root="2.16.840.1.113883.10.20.1.47"/>"#;
    const ENDED: &str = r#"<effectiveTime xsi:type="IVL_TS"><low value="2020"/><high value="2021"/></effectiveTime>"#;
    const ONGOING: &str = r#"<effectiveTime xsi:type="IVL_TS"><low value="2020"/><high nullFlavor="UNK"/></effectiveTime>"#;
    let said = |words: &str| format!("<originalText>{words}</originalText>");
    let (over, held) = (said("No Longer Active"), said("Held"));
    for (time, template, code, words, wanted) in [
        ("", CCD, "55561003", "", "active"),
        ("", CCD, "421139008", "", "on-hold"),
        ("", CCD, "73425007", "", "completed"),
        // Its code says what it is, too.
        (ONGOING, "", "55561003", "", "active"),
        // Words and an end that say the same say more than a code that says something else.
        (ENDED, CCD, "421139008", &*over, "completed"),
        (ENDED, CCD, "421139008", &*held, "on-hold"),
        (ONGOING, CCD, "421139008", &*over, "on-hold"),
    ] {
        for (mood, kind) in [("EVN", "MedicationStatement"), ("INT", "MedicationRequest")] {
            let draft = read(
                "10160-0",
                &format!(
                    r#"<substanceAdministration classCode="SBADM" moodCode="{mood}"><statusCode code="completed"/>{time}<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>
                <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">{template}<code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CE" code="{code}" codeSystem="2.16.840.1.113883.6.96">{words}</value></observation></entryRelationship></substanceAdministration>"#
                ),
            );
            let made = one(&draft, kind);
            assert_eq!(made["status"], wanted, "{mood} {time} {code} {words}");
            assert!(all(&draft, "Observation").is_empty());
            if words.is_empty() {
                nothing_is_lost(&draft);
            }
        }
    }
}

/// What was stopped is not active again because a statement inside of it was not brought up to date.
#[test]
fn a_status_inside_makes_nothing_active_that_was_stopped() {
    for (state, taken, ordered) in [
        ("completed", "active", "active"),
        ("active", "active", "active"),
        ("aborted", "stopped", "stopped"),
        ("suspended", "on-hold", "on-hold"),
    ] {
        for (mood, kind, wanted) in [
            ("EVN", "MedicationStatement", taken),
            ("INT", "MedicationRequest", ordered),
        ] {
            let draft = read(
                "10160-0",
                &format!(
                    r#"<substanceAdministration classCode="SBADM" moodCode="{mood}"><statusCode code="{state}"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>
                <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.47"/><code code="33999-4" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CE" code="55561003" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></substanceAdministration>"#
                ),
            );
            assert_eq!(one(&draft, kind)["status"], wanted, "{mood} {state}");
        }
    }
}

/// Who answers for the bill, and what the insurer promised.
#[test]
fn a_guarantor_and_a_promise_to_pay_have_their_places() {
    let draft = read(
        "48768-6",
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.60"/><code code="48768-6"/><statusCode code="completed"/><entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.61"/><id root="1.2.9" extension="P"/><statusCode code="completed"/>
        <performer typeCode="PRF"><templateId root="2.16.840.1.113883.10.20.22.4.87"/><assignedEntity><id root="2.999.8.1"/><representedOrganization><name>Insurer</name></representedOrganization></assignedEntity></performer>
        <performer typeCode="PRF"><templateId root="2.16.840.1.113883.10.20.22.4.88"/><assignedEntity><id root="1.2.8" extension="g"/><code code="GUAR" codeSystem="2.16.840.1.113883.5.111"/><assignedPerson><name><family>Betterhalf</family></name></assignedPerson></assignedEntity></performer>
        <entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.19"/><id root="1.2.7" extension="A"/><code nullFlavor="NA"/><entryRelationship typeCode="SUBJ"><procedure classCode="PROC" moodCode="PRMS"><code code="73761001" codeSystem="2.16.840.1.113883.6.96"/></procedure></entryRelationship></act></entryRelationship>
        </act></entryRelationship></act>"#,
    );
    let account = one(&draft, "Account");
    let party = at(&draft, &account["guarantor"][0]["party"]);
    assert_eq!(party["name"][0]["family"], "Betterhalf");
    let coverage = at(&draft, &account["coverage"][0]["coverage"]);
    assert_eq!(coverage["payor"].as_array().unwrap().len(), 1);
    let promise = extension(&coverage, "authorization")["extension"].clone();
    assert_eq!(promise[0]["valueIdentifier"]["value"], "A");
    assert_eq!(
        promise[1]["valueCodeableConcept"]["coding"][0]["code"],
        "73761001"
    );
    assert!(all(&draft, "ServiceRequest").is_empty());
    nothing_is_lost(&draft);
}

#[test]
fn what_a_procedure_took_names_the_procedure() {
    let draft = read(
        "47519-4",
        r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><specimen typeCode="SPC"><specimenRole><id root="2.999.9.1"/><specimenPlayingEntity><code code="309226005" codeSystem="2.16.840.1.113883.6.96"/></specimenPlayingEntity></specimenRole></specimen></procedure>"#,
    );
    let how = one(&draft, "Specimen")["collection"]["extension"][0].clone();
    assert_eq!(
        at(&draft, &how["valueReference"])["resourceType"],
        "Procedure"
    );
    nothing_is_lost(&draft);
}

/// The specimen of a report is its own, with how much was taken.
#[test]
fn a_report_has_its_specimen() {
    let draft = read(
        "30954-2",
        &format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code code="24357-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><specimen typeCode="SPC"><specimenRole><id root="2.999.9.1"/><specimenPlayingEntity><code code="119297000" codeSystem="2.16.840.1.113883.6.96"/><quantity value="5" unit="mL"/></specimenPlayingEntity></specimenRole></specimen><component>{}</component></organizer>"#,
            observed("")
        ),
    );
    let report = one(&draft, "DiagnosticReport");
    let specimen = at(&draft, &report["specimen"][0]);
    assert_eq!(specimen["collection"]["quantity"]["value"], 5);
    nothing_is_lost(&draft);
}

#[test]
fn words_beside_a_pointer_into_the_narrative_are_kept() {
    let draft = document(
        "",
        "30954-2",
        r#"<paragraph ID="p">All of it</paragraph>"#,
        r##"<entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><text><reference value="#p"/> Possible flu-like symptoms.</text><value xsi:type="ST">x</value></observation></entry>"##,
    );
    let notes = one(&draft, "Observation")["note"].clone();
    assert_eq!(notes[0]["text"], "Possible flu-like symptoms.");
}

/// How it will go is said of the problem.
#[test]
fn a_prognosis_is_about_its_problem() {
    for (template, value, key) in [
        (
            r#"<templateId root="2.16.840.1.113883.10.20.22.4.113"/>"#,
            r#"<value xsi:type="CD" code="67334001" codeSystem="2.16.840.1.113883.6.96" displayName="Guarded prognosis"/>"#,
            "valueCodeableConcept",
        ),
        (
            "",
            r#"<value xsi:type="ST">Will recover</value>"#,
            "valueString",
        ),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="CD" code="195967001" codeSystem="2.16.840.1.113883.6.96"/>
            <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN">{template}<code code="75328-5" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{value}</observation></entryRelationship></observation>"#
        );
        let draft = read("11450-4", &entry);
        let url = format!(
            "urn:uuid:{}",
            all(&draft, "Condition")[0]["id"].as_str().unwrap()
        );
        let seen = all(&draft, "Observation").remove(0);
        assert_eq!(seen["code"]["coding"][0]["code"], "75328-5");
        assert!(seen.get(key).is_some());
        assert_eq!(seen["focus"][0]["reference"], url.as_str());
    }
}
