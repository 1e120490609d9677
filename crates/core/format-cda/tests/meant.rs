//! What a document means and its parts do not say by themselves: risks, words that were struck out, denials of one thing alone.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, why_lost};
use medibloc_record::Draft;
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;

/// A problem with this code.
fn problem(inside: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/>{inside}<statusCode code="completed"/>
        <value xsi:type="CD" code="363346000" {SCT} displayName="Malignant neoplastic disease"/></observation>"#
    )
}

fn within(act: &str, inner: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN">{act}<statusCode code="active"/><entryRelationship typeCode="REFR">{inner}</entryRelationship></act>"#
    )
}

fn kinds(draft: &Draft) -> Vec<Value> {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap().clone();
    let kinds = entries
        .iter()
        .map(|one| one["resource"]["resourceType"].clone());
    kinds.collect()
}

/// What somebody is at risk of is no illness that they have, however deep it stands inside.
#[test]
fn a_risk_is_no_illness() {
    let template = r#"<templateId root="2.16.840.1.113883.10.20.22.4.136"/>"#;
    let named = format!(r#"<code code="281694009" {SCT} displayName="At risk for"/>"#);
    let concern = r#"<templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/>"#;
    let diagnosis = r#"<code code="75326-9" codeSystem="2.16.840.1.113883.6.1"/>"#;
    let asserted = r#"<code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/>"#;
    let plain =
        problem(asserted).replace(r#"<templateId root="2.16.840.1.113883.10.20.22.4.4"/>"#, "");
    let looked_for = format!(r#"<code code="1" {SCT} displayName="Screening for cancer"/>"#);
    let qualified = problem(diagnosis).replace(
        "displayName=\"Malignant neoplastic disease\"/>",
        &format!(r#"><qualifier><name code="408729009" {SCT}/><value code="410519009" {SCT}/></qualifier></value>"#),
    );
    for entry in [
        within(&[template, &named].concat(), &problem(diagnosis)),
        within(template, &problem(diagnosis)),
        within(&named, &problem(diagnosis)),
        within(template, &within(concern, &problem(diagnosis))),
        within(template, &within("", &within(concern, &problem(diagnosis)))),
        within(template, &plain),
        problem(&named),
        within(concern, &problem(&named)),
        problem(&looked_for),
        qualified,
    ] {
        for section in ["75310-3", "11450-4"] {
            let draft = read(section, "", &entry);
            assert!(!kinds(&draft).contains(&json!("Condition")), "{entry}");
            assert_eq!(all(&draft, "Observation").len(), 1, "{section} {entry}");
            let told = one(&draft, "Observation");
            let is_plain = entry.contains("Screening");
            let code = if is_plain { "1" } else { "281694009" };
            assert_eq!(told["code"]["coding"][0]["code"], code, "{entry}");
            let of = &told["valueCodeableConcept"]["coding"][0]["code"];
            assert_eq!(*of, "363346000", "{entry}");
        }
    }
    // What supports it was seen; and that somebody is not at risk is not that they are.
    let smokes = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.78"/><code code="72166-2" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="449868002" {SCT}/></observation>"#
    );
    let draft = read("75310-3", "", &within(template, &smokes));
    let told = one(&draft, "Observation");
    assert_eq!(told["code"]["coding"][0]["code"], "72166-2");
    let denied = problem(&named).replace("<observation ", r#"<observation negationInd="true" "#);
    let draft = read("75310-3", "no risk", &denied);
    assert_eq!(
        all(&draft, "Observation").len() + all(&draft, "Condition").len(),
        0
    );
}

/// What somebody suspects is not there for certain.
#[test]
fn a_suspicion_is_no_certainty() {
    let suspected = format!(r#"<code code="415684004" {SCT} displayName="Suspected"/>"#);
    let draft = read("11450-4", "", &within(&suspected, &problem("")));
    let sure = &one(&draft, "Condition")["verificationStatus"];
    assert_eq!(sure["coding"][0]["code"], "provisional");
}

/// Words that the author struck out are nobody's any more; those that were put in their place are.
#[test]
fn what_was_struck_out_is_not_said() {
    let text = r##"<content ID="a" revised="delete">Liver biopsy</content>
        <content ID="b">Left <content revised="delete">Right <content>old</content></content> knee <content revised="insert">scope</content></content>
        <paragraph revised="delete"><content ID="c">Spleen</content></paragraph>"##;
    for (id, wanted) in [("a", None), ("b", Some("Left knee scope")), ("c", None)] {
        let said = |what: &str| {
            let entry = format!(
                r##"<procedure classCode="PROC" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.14"/>{what}<statusCode code="completed"/></procedure>"##
            );
            let told = read("47519-4", text, &entry);
            let code = one(&told, "Procedure")["code"].clone();
            assert_eq!(code["text"].as_str(), wanted, "{id} {what}");
            if wanted.is_none() {
                assert!(code["extension"][0]["valueCode"].is_string(), "{id}");
            }
            // It is still there for whoever reads the section.
            let div = one(&told, "Composition")["section"][0]["text"]["div"].clone();
            assert!(div.as_str().unwrap().contains("line-through"));
        };
        said(&format!(
            r##"<code nullFlavor="UNK"><originalText><reference value="#{id}"/></originalText></code>"##
        ));
        said(&format!(r##"<text><reference value="#{id}"/></text>"##));
    }
    let sig = r##"<content ID="sig">take <content revised="delete">two</content> <content revised="insert">one</content> daily</content>"##;
    let entry = r##"<substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.16"/><text><reference value="#sig"/></text><statusCode code="active"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>
        <entryRelationship typeCode="COMP"><substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.147"/><code code="76662-6" codeSystem="2.16.840.1.113883.6.1"/><text><reference value="#sig"/></text></substanceAdministration></entryRelationship></substanceAdministration>"##;
    let told = one(&read("10160-0", sig, entry), "MedicationStatement");
    assert_eq!(told["dosage"][0]["text"], "take one daily");
}

/// What is denied of one device, site or way is not denied of all.
#[test]
fn a_denial_is_as_narrow_as_the_source_has_it() {
    let tool = |inside: &str| {
        format!(
            r#"<participant typeCode="DEV"><participantRole classCode="MANU"><templateId root="2.16.840.1.113883.10.20.22.4.37"/><id nullFlavor="NA"/>{inside}</participantRole></participant>"#
        )
    };
    let implant = tool(&format!(
        r#"<playingDevice><code code="40388003" {SCT} displayName="Implant"/></playingDevice>"#
    ));
    let numbered = tool(r#"<id root="1.2.3" extension="dev1"/>"#);
    let said = |kind: &str, inside: &str| {
        let entry = format!(
            r#"<{kind} classCode="X" moodCode="EVN" negationInd="true"><templateId root="2.16.840.1.113883.10.20.22.4.14"/><code code="71388002" {SCT} displayName="Procedure"/><statusCode code="completed"/>{inside}</{kind}>"#
        );
        read("46264-8", "none", &entry)
    };
    let site = format!(r#"<targetSiteCode code="80891009" {SCT} displayName="Heart"/>"#);
    let told = said("procedure", &[&site, &implant].map(|one| &**one).concat());
    let done = one(&told, "Procedure");
    assert_eq!(done["status"], "not-done");
    assert_eq!(done["usedCode"][0]["coding"][0]["code"], "40388003");
    assert_eq!(done["bodySite"][0]["coding"][0]["code"], "80891009");
    assert_eq!(all(&told, "Device").len(), 0);
    // What no element can name is not left out: it is kept as text.
    let specimen =
        r#"<specimen><specimenRole><id root="1.2.3" extension="s"/></specimenRole></specimen>"#;
    let way = format!(r#"<methodCode code="1" {SCT}/>"#);
    for (kind, inside, made) in [
        ("procedure", &*numbered, false),
        ("procedure", specimen, false),
        ("procedure", &way, true),
        ("observation", &implant, false),
        ("observation", &way, true),
        ("procedure", "", true),
        ("observation", "", true),
    ] {
        let told = said(kind, inside);
        let many = all(&told, "Procedure").len() + all(&told, "Observation").len();
        assert_eq!(many, usize::from(made), "{kind} {inside}");
        assert_eq!(
            all(&told, "Specimen").len() + all(&told, "Device").len(),
            0,
            "{kind} {inside}"
        );
    }
}

/// A denial in capitals is one; where it cannot be read, nothing says that it is so.
#[test]
fn a_denial_in_any_letters_is_one_and_what_cannot_be_read_says_nothing() {
    let vaccine = |denial: &str| {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN" {denial}><templateId root="2.16.840.1.113883.10.20.22.4.52"/><statusCode code="completed"/><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code code="88" codeSystem="2.16.840.1.113883.12.292"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        read("11369-6", "none", &entry)
    };
    let status = |denial: &str| one(&vaccine(denial), "Immunization")["status"].clone();
    for denial in ["true", "True", "TRUE", " tRue ", "1"] {
        assert_eq!(
            status(&format!(r#"negationInd="{denial}""#)),
            "not-done",
            "{denial}"
        );
    }
    for denial in ["", r#"negationInd="False""#, r#"negationInd="0""#] {
        assert_eq!(status(denial), "completed", "{denial}");
    }
    for denial in ["yes", "wahr", "-1"] {
        let told = vaccine(&format!(r#"negationInd="{denial}""#));
        assert_eq!(all(&told, "Immunization").len(), 0, "{denial}");
        let why = why_lost(&told, "negationInd");
        assert!(
            why.iter().any(|why| why.contains("neither true nor false")),
            "{denial}: {why:?}"
        );
    }
    // All that stands inside is as little known.
    let around = within("", &problem("")).replacen("<act ", r#"<act negationInd="maybe" "#, 1);
    assert_eq!(all(&read("11450-4", "none", &around), "Condition").len(), 0);
    // A relation whose denial cannot be read relates nothing.
    let linked = within("", &problem("")).replacen(
        "<entryRelationship ",
        r#"<entryRelationship negationInd="maybe" "#,
        1,
    );
    assert_eq!(all(&read("11450-4", "none", &linked), "Condition").len(), 0);
}

/// What came of a goal is its outcome, and how much somebody wants it is nothing that it addresses.
#[test]
fn the_outcome_of_a_goal_is_nothing_that_it_addresses() {
    let goal = |inside: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><id root="1.9" extension="G"/><code code="44616-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>{inside}</observation>"#
        )
    };
    let outcome = |inside: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.144"/><id root="1.9" extension="O"/><code code="44616-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="PQ" value="95" unit="%"/>{inside}</observation>"#
        )
    };
    let link =
        |inner: &str| format!(r#"<entryRelationship typeCode="GEVL">{inner}</entryRelationship>"#);
    let pointer = |id: &str| {
        format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.9" extension="{id}"/><code nullFlavor="NP"/><statusCode code="completed"/></act>"#
        )
    };
    let wish = r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.143"/><code code="225773000" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="CD" code="394849002" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship>"#;
    for entry in [
        format!(
            "{}</entry><entry>{}",
            goal(""),
            outcome(&link(&pointer("G")))
        ),
        outcome(&link(&goal(""))),
        goal(&link(&outcome(""))),
        format!(
            "{}</entry><entry>{}",
            goal(&link(&pointer("O"))),
            outcome("")
        ),
    ] {
        let draft = read("61146-7", "", &entry);
        let told = one(&draft, "Goal");
        let found = one(&draft, "Observation");
        let url = format!("urn:uuid:{}", found["id"].as_str().unwrap());
        assert_eq!(
            told["outcomeReference"],
            json!([{"reference": url}]),
            "{entry}"
        );
        assert_eq!(told.get("addresses"), None, "{entry}");
    }
    let draft = read("61146-7", "", &goal(&wish.repeat(2)));
    assert_eq!(one(&draft, "Goal").get("addresses"), None);
}

/// What is planned, or was given up, is no outcome of a goal; what is done or wanted for its sake says so.
#[test]
fn what_has_yet_to_happen_is_no_outcome() {
    const FOR_GOAL: &str = "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal";
    let goal = r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><id root="1.9" extension="G"/><code code="44616-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/></observation>"#;
    let pointer = r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.9" extension="G"/><code nullFlavor="NP"/></act>"#;
    let deed = |mood: &str, status: &str, inside: &str| {
        format!(
            r#"<procedure classCode="PROC" moodCode="{mood}"><id root="1.9" extension="P"/><code code="362956003" {SCT}/><statusCode code="{status}"/>{inside}</procedure>"#
        )
    };
    let to = |kind: &str, inner: &str| {
        format!(r#"<entryRelationship typeCode="{kind}">{inner}</entryRelationship>"#)
    };
    for (mood, status, kind, relation, is_outcome, is_for) in [
        ("EVN", "completed", "Procedure", "GEVL", true, false),
        ("EVN", "active", "Procedure", "GEVL", true, false),
        ("EVN", "aborted", "Procedure", "GEVL", false, true),
        ("EVN", "cancelled", "Procedure", "GEVL", false, false),
        ("INT", "active", "ServiceRequest", "GEVL", false, true),
        ("RQO", "active", "ServiceRequest", "GEVL", false, true),
        ("EVN", "completed", "Procedure", "RSON", false, true),
        ("INT", "active", "ServiceRequest", "RSON", false, true),
    ] {
        for inner in [pointer, goal] {
            let entry = deed(mood, status, &to(relation, inner));
            let entry = match inner == pointer {
                true => format!("{entry}</entry><entry>{goal}"),
                false => entry,
            };
            let draft = read("62387-6", "", &entry);
            let (told, done) = (one(&draft, "Goal"), one(&draft, kind));
            let reference = |one: &Value| json!({"reference": format!("urn:uuid:{}", one["id"].as_str().unwrap())});
            let came = told["outcomeReference"] == json!([reference(&done)]);
            assert_eq!(came, is_outcome, "{entry}");
            assert_eq!(
                told.get("outcomeReference").is_some(),
                is_outcome,
                "{entry}"
            );
            assert_eq!(told.get("addresses"), None, "{entry}");
            let wanted = json!([{"url": FOR_GOAL, "valueReference": reference(&told)}]);
            let said = done.get("extension") == Some(&wanted);
            assert_eq!(said, is_for, "{entry}");
        }
    }
}

/// An interval that ends before it begins is kept in the words of its ends.
#[test]
fn an_interval_that_ends_before_it_begins_is_kept_in_words() {
    let entry = format!(
        r#"<procedure classCode="PROC" moodCode="EVN"><code code="1" {SCT}/><statusCode code="completed"/><effectiveTime><low value="20200502"/><high value="20200501"/></effectiveTime></procedure>"#
    );
    let span = one(&read("47519-4", "", &entry), "Procedure")["performedPeriod"].clone();
    assert_eq!(span.get("start"), None);
    assert_eq!(span["_start"]["extension"][0]["valueString"], "20200502");
    assert_eq!(span["_end"]["extension"][0]["valueString"], "20200501");
}

/// What a joined observation has no place for is not said to be in it.
#[test]
fn the_second_part_of_a_pressure_does_not_lose_its_time_unsaid() {
    let sign = |code: &str, day: &str| {
        format!(
            r#"<component><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.27"/><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><effectiveTime value="20250101"/><value xsi:type="PQ" value="90" unit="mm[Hg]"/><author><time value="{day}1000+0000"/><assignedAuthor><id root="1.9" extension="A"/></assignedAuthor></author></observation></component>"#
        )
    };
    for (second, lost) in [("20250101", false), ("20250102", true)] {
        let entry = format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.26"/><code code="46680005" {SCT}/><statusCode code="completed"/>{}{}</organizer>"#,
            sign("8480-6", "20250101"),
            sign("8462-4", second)
        );
        let draft = read("8716-3", "", &entry);
        let why = why_lost(&draft, "observation/time");
        assert_eq!(!why.is_empty(), lost, "{second}");
    }
}

/// What the source says of a denial, a reaction or a schedule beside the rest is kept.
#[test]
fn what_is_said_beside_is_kept() {
    let denied =
        problem(r#"<effectiveTime><low value="2007"/><high value="2008"/></effectiveTime>"#)
            .replace("<observation ", r#"<observation negationInd="true" "#);
    let told = one(&read("11450-4", "", &denied), "Condition");
    assert_eq!(told["note"][0]["text"], "The source denies it until: 2008");
    assert_eq!(told.get("abatementDateTime"), None);

    let comment = r#"<entryRelationship typeCode="SUBJ"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.64"/><code code="48767-8" codeSystem="2.16.840.1.113883.6.1"/><text>after two days</text></act></entryRelationship>"#;
    let allergy = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/><value xsi:type="CD" code="416098002" {SCT}/><participant typeCode="CSM"><participantRole><playingEntity><code code="7980" codeSystem="2.16.840.1.113883.6.88"/></playingEntity></participantRole></participant>
        <entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/><value xsi:type="CD" code="247472004" {SCT}/>{comment}</observation></entryRelationship></observation>"#
    );
    let told = one(&read("48765-2", "", &allergy), "AllergyIntolerance");
    assert_eq!(told["reaction"][0]["note"][0]["text"], "after two days");

    for (flag, period, wanted) in [
        ("true", r#"value="8" unit="h""#, Some("TID")),
        ("true", r#"value="1" unit="d""#, Some("QD")),
        ("true", r#"value="5" unit="h""#, None),
        ("false", r#"value="8" unit="h""#, None),
    ] {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><statusCode code="active"/><effectiveTime xsi:type="IVL_TS"><low value="2020"/></effectiveTime><effectiveTime xsi:type="PIVL_TS" institutionSpecified="{flag}" operator="A"><period {period}/></effectiveTime><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        for mood in ["EVN", "INT"] {
            let entry = entry.replace("EVN", mood);
            let kind = if mood == "EVN" {
                "MedicationStatement"
            } else {
                "MedicationRequest"
            };
            let told = one(&read("10160-0", "", &entry), kind);
            let how = if mood == "EVN" {
                &told["dosage"]
            } else {
                &told["dosageInstruction"]
            };
            let timing = &how[0]["timing"];
            assert_eq!(
                timing["code"]["coding"][0]["code"].as_str(),
                wanted,
                "{flag} {period}"
            );
            assert_eq!(timing["repeat"]["frequency"], 1);
        }
    }
}
