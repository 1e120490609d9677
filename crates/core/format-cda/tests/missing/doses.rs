//! How medicines are taken, and what stands beside.

use serde_json::{Value, json};

use super::document::{all, one, read};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

fn medicine(mood: &str, id: &str, parts: &str) -> String {
    format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="{mood}"><id root="1.9" extension="{id}"/><statusCode code="active"/>{parts}<consumable><manufacturedProduct><manufacturedMaterial><code code="8" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
    )
}

fn dose(parts: &str) -> Value {
    let entry = medicine("EVN", "m", parts);
    one(&read("10160-0", "", &entry), "MedicationStatement")["dosage"][0].clone()
}

#[test]
fn what_is_known_of_an_amount_is_kept() {
    let rate = dose(r#"<rateQuantity><center value="7" unit="mL/h"/></rateQuantity>"#);
    assert_eq!(rate["doseAndRate"][0]["rateQuantity"]["value"], 7);
    let most = dose(
        r#"<maxDoseQuantity><numerator value="3" unit="mg"/><denominator nullFlavor="UNK"/></maxDoseQuantity>"#,
    );
    let most = &most["maxDosePerPeriod"];
    assert_eq!(most["numerator"]["value"], 3);
    assert!(most["denominator"].get("value").is_none());
    let absent = &most["denominator"]["extension"][0];
    assert_eq!(absent["valueCode"], "unknown");
    let none = dose(
        r#"<maxDoseQuantity><numerator nullFlavor="UNK"/><denominator nullFlavor="UNK"/></maxDoseQuantity>"#,
    );
    assert!(none.get("maxDosePerPeriod").is_none());
    let often = dose(
        r#"<effectiveTime xsi:type="PIVL_TS" operator="A"><period xsi:type="IVL_PQ"><low value="3" unit="d"/></period></effectiveTime>"#,
    );
    let often = &often["timing"]["repeat"];
    assert_eq!(
        (&often["period"], &often["periodUnit"]),
        (&json!(3), &json!("d"))
    );
}

#[test]
fn an_instruction_in_a_code_is_kept_as_that() {
    let told = |inner: &str| {
        dose(&format!(
            r#"<entryRelationship typeCode="SUBJ" inversionInd="true"><act classCode="ACT" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.20"/>{inner}</act></entryRelationship>"#
        ))
    };
    let coded = told(&format!(
        r#"<code code="311504000" {SCT} displayName="With food"/>"#
    ));
    assert_eq!(
        coded["additionalInstruction"][0]["coding"][0]["code"],
        "311504000"
    );
    let words = told(r#"<code nullFlavor="NI"/><text>With food</text>"#);
    assert!(words.get("additionalInstruction").is_none());
    assert_eq!(words["patientInstruction"], "With food");
}

/// The steps of a regimen are parts of it, in their order; what is only referred to is none.
#[test]
fn a_step_is_part_of_its_regimen() {
    for (mood, kind, link, how) in [
        ("EVN", "MedicationStatement", "partOf", "dosage"),
        ("INT", "MedicationRequest", "basedOn", "dosageInstruction"),
    ] {
        for (relation, is_step) in [("COMP", true), ("REFR", false)] {
            let step = |at: u32| {
                let amount = format!(r#"<doseQuantity value="{}" unit="mg"/>"#, 40 / at);
                let inner = medicine(mood, &format!("t{at}"), &amount);
                format!(
                    r#"<entryRelationship typeCode="{relation}"><sequenceNumber value="{at}"/>{inner}</entryRelationship>"#
                )
            };
            // Relations stand behind the product.
            let entry = medicine(mood, "t0", "").replace(
                "</substanceAdministration>",
                &format!("{}{}</substanceAdministration>", step(1), step(2)),
            );
            let found = all(&read("10160-0", "", &entry), kind);
            let by = |id: &str| {
                let is = |one: &&Value| one["identifier"][0]["value"] == id;
                found.iter().find(is).unwrap()
            };
            let whole = format!("urn:uuid:{}", by("t0")["id"].as_str().unwrap());
            for at in [1, 2] {
                let step = by(&format!("t{at}"));
                let wanted = is_step.then(|| json!([{"reference": whole}]));
                assert_eq!(step.get(link).cloned(), wanted, "{kind} {relation}");
                let sequence = step[how][0].get("sequence").cloned();
                assert_eq!(sequence, is_step.then(|| json!(at)), "{kind} {relation}");
            }
        }
    }
}

#[test]
fn a_goal_addresses_the_concern_that_it_names() {
    let goal = r#"<observation classCode="OBS" moodCode="GOL"><id root="1.9" extension="g"/><code code="3141-9" codeSystem="2.16.840.1.113883.6.1" displayName="Weight"/><statusCode code="active"/><value xsi:type="PQ" value="70" unit="kg"/><entryRelationship typeCode="REFR"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.9" extension="c"/><code nullFlavor="NP"/><statusCode code="completed"/></act></entryRelationship></observation>"#;
    let problem = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><id root="1.9" extension="c"/><code code="55607006" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="414916001" {SCT}/></observation>"#
    );
    let draft = read("61146-7", "", &format!("{goal}</entry><entry>{problem}"));
    let problem = one(&draft, "Condition");
    let url = format!("urn:uuid:{}", problem["id"].as_str().unwrap());
    assert_eq!(
        one(&draft, "Goal")["addresses"],
        json!([{"reference": url}])
    );
}

#[test]
fn a_carer_without_a_name_is_one() {
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.72"/><code code="ASSERTION"/><statusCode code="completed"/><value xsi:type="CD" code="407542009" {SCT}/><participant typeCode="IND"><participantRole classCode="CAREGIVER"><code code="MTH" codeSystem="2.16.840.1.113883.5.111"/></participantRole></participant></observation>"#
    );
    let draft = read("47420-5", "", &entry);
    let carer = one(&draft, "RelatedPerson");
    assert_eq!(carer["relationship"][0]["coding"][0]["code"], "MTH");
    let url = format!("urn:uuid:{}", carer["id"].as_str().unwrap());
    let agents = all(&draft, "Provenance");
    assert!(agents[0]["agent"].to_string().contains(&url));
}

/// IHE's pharmacy documents say the form of the product beside its name.
#[test]
fn the_form_of_a_product_is_kept() {
    let entry = medicine("EVN", "m", "").replace(
        "</manufacturedMaterial>",
        r#"<pharm:formCode xmlns:pharm="urn:ihe:pharm" code="10219000" codeSystem="0.4.0.127.0.16.1.1.2.1"/></manufacturedMaterial>"#,
    );
    let product = one(&read("10160-0", "", &entry), "Medication");
    assert_eq!(product["form"]["coding"][0]["code"], "10219000");
    assert_eq!(product["code"]["coding"][0]["code"], "8");
}

/// What a statement carries out is named by its number, where the resource has an element for it.
#[test]
fn the_order_that_is_carried_out_is_named() {
    let order = r#"<sdtc:inFulfillmentOf1 typeCode="FLFS"><sdtc:actReference classCode="ACT" moodCode="RQO"><sdtc:id root="1.7" extension="ORD-88"/></sdtc:actReference></sdtc:inFulfillmentOf1>"#;
    for (name, mood, kind, is_named) in [
        ("procedure", "INT", "ServiceRequest", true),
        ("procedure", "EVN", "Procedure", true),
        ("observation", "EVN", "Observation", true),
        ("encounter", "EVN", "Encounter", false),
    ] {
        let entry = format!(
            r#"<{name} classCode="PROC" moodCode="{mood}"><code code="1" {SCT}/><statusCode code="active"/><effectiveTime value="2025"/>{order}</{name}>"#
        );
        let made = one(&read("18776-5", "", &entry), kind);
        let number = made["basedOn"][0]["identifier"]["value"].as_str();
        assert_eq!(number, is_named.then_some("ORD-88"), "{kind}");
    }
}
