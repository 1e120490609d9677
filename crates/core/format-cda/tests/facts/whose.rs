//! Which statement is a fact of its own, of what sort it is, and whose.

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

use super::{all, one, read, whole};

/// How an order shall be supplied is part of it, and the status of that is none of the order's.
#[test]
fn a_supply_inside_an_order_is_no_second_order() {
    let product = |code: u32| {
        format!(
            r#"<manufacturedProduct><manufacturedMaterial><code code="{code}" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct>"#
        )
    };
    for (code, orders) in [(1, 1), (2, 2)] {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="INT"><statusCode code="active"/><doseQuantity value="30" unit="mg"/><consumable>{}</consumable><entryRelationship typeCode="REFR"><supply classCode="SPLY" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.17"/><statusCode code="completed"/><repeatNumber value="3"/><quantity value="10" unit="mL"/><product>{}</product></supply></entryRelationship></substanceAdministration>"#,
            product(1),
            product(code)
        );
        let found = all(&read("10160-0", "", &entry), "MedicationRequest");
        assert_eq!(found.len(), orders, "{code}");
        if orders == 1 {
            assert_eq!(found[0]["status"], "active");
            assert_eq!(found[0]["dispenseRequest"]["quantity"]["value"], 10);
            assert_eq!(found[0]["dispenseRequest"]["numberOfRepeatsAllowed"], 2);
        }
    }
}

/// How a procedure ended is its outcome, and no second procedure.
#[test]
fn a_failed_attempt_is_one_procedure() {
    let entry = r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="EVN"><code code="103709008" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/></act></entryRelationship></procedure>"#;
    let done = one(&read("47519-4", "", entry), "Procedure");
    assert_eq!(done["outcome"]["coding"][0]["code"], "103709008");
}

/// Who is meant to pay is no order.
#[test]
fn planned_insurance_is_no_order() {
    let entry = r#"<act classCode="ACT" moodCode="INT"><code code="48768-6" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><entryRelationship typeCode="COMP"><act classCode="ACT" moodCode="INT"><code code="111" displayName="Medicare HMO" codeSystem="2.16.840.1.113883.3.221.5"/><statusCode code="active"/></act></entryRelationship></act>"#;
    let draft = read("18776-5", "", entry);
    assert!(all(&draft, "ServiceRequest").is_empty());
    assert_eq!(one(&draft, "Coverage")["status"], "draft");
}

/// What was seen in a picture is of no laboratory.
#[test]
fn a_picture_is_no_laboratory_result() {
    for (code, sort, group) in [
        (
            r#"code="71020" codeSystem="2.16.840.1.113883.6.12""#,
            "imaging",
            "RAD",
        ),
        (
            r#"code="36643-5" codeSystem="2.16.840.1.113883.6.1" displayName="XR Chest 2 Views""#,
            "imaging",
            "RAD",
        ),
        (
            r#"code="718-7" codeSystem="2.16.840.1.113883.6.1" displayName="Hemoglobin""#,
            "laboratory",
            "LAB",
        ),
    ] {
        let entry = format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code {code}/><statusCode code="completed"/><component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code {code}/><value xsi:type="ST">x</value></observation></component></organizer>"#
        );
        let draft = read("30954-2", "", &entry);
        let code = |kind: &str| one(&draft, kind)["category"][0]["coding"][0]["code"].clone();
        assert_eq!(code("Observation"), sort);
        assert_eq!(code("DiagnosticReport"), group);
    }
}

/// A relative's illness that is named by its code alone is the relative's, and what killed is told so.
#[test]
fn a_fathers_infarct_is_his_without_a_template() {
    let entry = r#"<observation classCode="OBS" moodCode="EVN"><code code="22298006" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><effectiveTime value="1970"/><subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject><entryRelationship typeCode="CAUS"><observation classCode="OBS" moodCode="EVN"><code code="399347008" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></observation>"#;
    let draft = read("10157-2", "", entry);
    let history = one(&draft, "FamilyMemberHistory");
    assert_eq!(
        history["condition"][0]["code"]["coding"][0]["code"],
        "22298006"
    );
    assert_eq!(history["condition"][0]["contributedToDeath"], true);
    assert!(all(&draft, "Observation").is_empty());
}

/// Somebody of whom nothing is said is not whoever wrote the document.
#[test]
fn a_nameless_author_is_nobody_else() {
    let author = |role: &str| {
        format!(r#"<author><time value="2020"/><assignedAuthor>{role}</assignedAuthor></author>"#)
    };
    let named = author(
        r#"<id root="1.8" extension="a"/><assignedPerson><name>Ada</name></assignedPerson>"#,
    );
    for (own, is_known) in [
        ("", true),
        (author(r#"<id nullFlavor="NI"/>"#).as_str(), false),
    ] {
        let entry = format!(
            r#"<entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value>{own}</observation></entry>"#
        );
        let xml = whole(&named, "30954-2", "", &entry);
        let told = one(&Cda.read(xml.as_bytes()).unwrap(), "Provenance");
        assert_eq!(told["agent"][0]["who"].get("reference").is_some(), is_known);
    }
}
