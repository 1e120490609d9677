//! Facts that have a place in FHIR stand there, and the account names that place.

use medibloc_format_cda::Cda;
use medibloc_record::{Draft, EntryOutcome, Format as _};
use serde_json::{Value, json};

use super::document::{all, one, read, whole};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const LOCAL: &str = "https://medibloc.org/fhir/StructureDefinition/local-time";

/// Where the facts are whose path ends so: type of resource and element, or why in none.
fn places(draft: &Draft, end: &str) -> Vec<String> {
    let lines = draft.loss.entries.iter();
    let found = lines.filter(|line| draft.loss.path(line).ends_with(end));
    let place = |line: &medibloc_record::LossEntry| match line.outcome {
        EntryOutcome::Converted => {
            let kind = draft
                .loss
                .resource(line)
                .unwrap()
                .split('/')
                .next()
                .unwrap();
            format!("{kind}.{}", line.element)
        }
        _ => line.because.as_deref().unwrap().to_owned(),
    };
    found.map(place).collect()
}

/// The times of day that a resource has beside its elements.
fn local(made: &Value) -> Vec<(Value, Value)> {
    let all = made["extension"].as_array().cloned().unwrap_or_default();
    let all = all.into_iter().filter(|one| one["url"] == LOCAL);
    all.map(|one| {
        let part = |at: usize| one["extension"][at]["valueString"].clone();
        (part(0), part(1))
    })
    .collect()
}

#[test]
fn when_a_relative_died_of_an_illness_is_their_date_of_death() {
    let death = |parts: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.47"/><code code="ASSERTION"/><statusCode code="completed"/>{parts}<value xsi:type="CD" code="419099009" {SCT}/></observation>"#
        )
    };
    let history = |parts: &str, alone: bool| {
        let inner = if alone {
            death(parts)
        } else {
            format!(
                r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.46"/><code code="64572001" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="22298006" {SCT}/><entryRelationship typeCode="CAUS">{}</entryRelationship></observation>"#,
                death(parts)
            )
        };
        let entry = format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.45"/><statusCode code="completed"/><subject><relatedSubject classCode="PRS"><code code="FTH" codeSystem="2.16.840.1.113883.5.111"/></relatedSubject></subject><component>{inner}</component></organizer>"#
        );
        read("10157-6", "", &entry)
    };
    let day = r#"<effectiveTime value="19990312"/>"#;
    for alone in [false, true] {
        let draft = history(day, alone);
        let made = one(&draft, "FamilyMemberHistory");
        assert_eq!(made["deceasedDate"], "1999-03-12", "{alone}");
        assert_eq!(made.get("deceasedBoolean"), None);
        let at = places(&draft, "observation/effectiveTime");
        assert_eq!(at, ["FamilyMemberHistory.deceasedDate"]);
        let undated = one(&history("", alone), "FamilyMemberHistory");
        assert_eq!(undated["deceasedBoolean"], true);
    }
}

#[test]
fn a_visit_of_which_the_number_alone_is_told_is_named_by_it() {
    let visit = |parts: &str, mood: &str| {
        format!(
            r#"<entryRelationship typeCode="COMP" inversionInd="true"><encounter classCode="ENC" moodCode="{mood}"><id root="1.2.99" extension="V-1"/>{parts}</encounter></entryRelationship>"#
        )
    };
    let note = |inner: &str| {
        format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9" codeSystem="2.16.840.1.113883.6.1"/><text>Well.</text><statusCode code="completed"/>{inner}</act>"#
        )
    };
    let seen = |inner: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="ST">x</value>{inner}</observation>"#
        )
    };
    let draft = read("34109-9", "", &note(&visit("", "EVN")));
    let number = &one(&draft, "DocumentReference")["context"]["encounter"][0]["identifier"];
    assert_eq!(number["value"], "V-1");
    assert_eq!(
        places(&draft, "encounter/id"),
        ["DocumentReference.context"]
    );
    let draft = read("30954-2", "", &seen(&visit("", "EVN")));
    assert_eq!(
        one(&draft, "Observation")["encounter"]["identifier"]["value"],
        "V-1"
    );
    assert!(all(&draft, "Encounter").is_empty());
    // Nothing was seen during one that has yet to come.
    let draft = read("30954-2", "", &seen(&visit("", "INT")));
    assert_eq!(one(&draft, "Observation").get("encounter"), None);
    // One that is told here or elsewhere is a resource.
    let told = read(
        "30954-2",
        "",
        &seen(&visit(
            r#"<code code="AMB" codeSystem="2.16.840.1.113883.5.4"/>"#,
            "EVN",
        )),
    );
    assert_eq!(all(&told, "Encounter").len(), 1);
    let elsewhere = r#"<encounter classCode="ENC" moodCode="EVN"><id root="1.2.99" extension="V-1"/><effectiveTime value="20240101"/></encounter>"#;
    let entries =
        [seen(&visit("", "EVN")), elsewhere.to_owned()].map(|one| format!("<entry>{one}</entry>"));
    let draft = Cda
        .read(whole("", "30954-2", "", &entries.concat()).as_bytes())
        .unwrap();
    assert!(one(&draft, "Observation")["encounter"]["reference"].is_string());
}

fn goal(when: &str, parts: &str) -> Draft {
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><code code="29463-7" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>{when}<value xsi:type="PQ" value="80" unit="kg"/>{parts}</observation>"#
    );
    read("61146-7", "", &entry)
}

#[test]
fn the_time_of_a_goal_is_where_the_account_says() {
    let draft = goal(r#"<effectiveTime value="202401021530+0100"/>"#, "");
    let made = one(&draft, "Goal");
    assert_eq!(made["startDate"], "2024-01-02");
    assert_eq!(
        local(&made),
        [(json!("startDate"), json!("15:30:00+01:00"))]
    );
    assert_eq!(
        places(&draft, "observation/effectiveTime"),
        ["Goal.startDate"]
    );
    let draft = goal(r#"<effectiveTime value="202601021530"/>"#, "");
    let made = one(&draft, "Goal");
    assert_eq!(made["target"][0]["dueDate"], "2026-01-02");
    assert_eq!(
        local(&made),
        [(json!("target[0].dueDate"), json!("15:30:00"))]
    );
    for fact in ["effectiveTime", "value", "code"] {
        let at = places(&draft, &format!("observation/{fact}"));
        assert_eq!(at, ["Goal.target"], "{fact}");
    }
}

/// How much somebody wants it is a code of the goal; when they said so, and who, needs a resource.
#[test]
fn a_preference_that_says_when_stands_for_itself() {
    let wish = |when: &str| {
        format!(
            r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.143"/><code code="225773000" {SCT}/><statusCode code="completed"/>{when}<value xsi:type="CD" code="394849002" {SCT}/></observation></entryRelationship>"#
        )
    };
    let draft = goal("", &wish(r#"<effectiveTime value="20240303"/>"#));
    let made = one(&draft, "Goal");
    assert_eq!(made["priority"]["coding"][0]["code"], "394849002");
    assert_eq!(made.get("addresses"), None);
    let said = one(&draft, "Observation");
    assert_eq!(said["effectiveDateTime"], "2024-03-03");
    assert!(
        said["focus"][0]["reference"]
            .as_str()
            .unwrap()
            .ends_with(made["id"].as_str().unwrap())
    );
    assert!(all(&goal("", &wish("")), "Observation").is_empty());
}

/// The account of a birth date keeps the moment of it, as the date of each relative does.
#[test]
fn the_time_of_day_of_a_birth_stands_beside_its_day() {
    let header = r#"<recordTarget><patientRole><id root="1.2"/><patient><birthTime value="195001021530+0100"/></patient></patientRole></recordTarget><informant><relatedEntity classCode="PRS"><relatedPerson><name><family>Elm</family></name><birthTime value="192001021530"/></relatedPerson></relatedEntity></informant>"#;
    let draft = super::document::with_header(header);
    let patient = one(&draft, "Patient");
    assert_eq!(patient["birthDate"], "1950-01-02");
    assert_eq!(
        patient["_birthDate"]["extension"][0]["valueDateTime"],
        "1950-01-02T15:30:00+01:00"
    );
    assert!(local(&patient).is_empty());
    let near = one(&draft, "RelatedPerson");
    assert_eq!(local(&near), [(json!("birthDate"), json!("15:30:00"))]);
}

/// Each participant of the header is told in its own element, and the number of a version in the bundle.
#[test]
fn what_stands_in_the_header_is_where_the_account_says() {
    let header = r#"<setId root="1.2.7" extension="S"/><recordTarget><patientRole><id root="1.2"/></patientRole></recordTarget><participant typeCode="IND"><time value="2020"/><associatedEntity classCode="NOK"><associatedPerson><name><family>Elm</family></name></associatedPerson></associatedEntity></participant><participant typeCode="REF"><associatedEntity classCode="PROV"><id root="1.3" extension="R"/><associatedPerson><name><family>Oak</family></name></associatedPerson></associatedEntity></participant><inFulfillmentOf><order><id root="1.4" extension="O"/></order></inFulfillmentOf>"#;
    let draft = super::document::with_header(header);
    assert_eq!(
        places(&draft, "family"),
        ["Patient.contact", "Practitioner.name"]
    );
    assert_eq!(
        places(&draft, "participant"),
        ["Patient.contact", "Composition.extension"]
    );
    let ids = places(&draft, "id");
    assert!(
        ids.contains(&"ServiceRequest.identifier".to_owned()),
        "{ids:?}"
    );
    assert_eq!(
        ids.iter()
            .filter(|one| **one == "ServiceRequest.identifier")
            .count(),
        1
    );
    assert_eq!(places(&draft, "setId"), ["Composition.identifier"]);
}

/// An extension of ours.
fn own(made: &Value, name: &str) -> Option<Value> {
    let url = format!("https://medibloc.org/fhir/StructureDefinition/{name}");
    let all = made["extension"].as_array()?;
    all.iter().find(|one| one["url"] == *url).cloned()
}

/// The status of a concern is in that of the resource, or beside it, and the account says where.
#[test]
fn the_status_of_a_concern_is_told_where_the_resource_says_something_else() {
    let problem = |flags: &str, inner: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="64572001" {SCT}/><statusCode code="completed"/>{inner}<value xsi:type="CD" code="44054006" {SCT}/></observation>"#
        )
    };
    let allergy = |flags: &str, inner: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/>{inner}<value xsi:type="CD" code="419199007" {SCT}/><participant typeCode="CSM"><participantRole><playingEntity><code code="1" {SCT}/></playingEntity></participantRole></participant></observation>"#
        )
    };
    let over = "<effectiveTime><high value=\"2020\"/></effectiveTime>";
    for (state, flags, inner, told) in [
        ("active", "", "", false),
        ("completed", "", "", false),
        ("active", "", over, true),
        ("completed", r#"negationInd="true""#, "", true),
    ] {
        for (section, template, kind, entry) in [
            ("11450-4", "3", "Condition", problem(flags, inner)),
            ("48765-2", "30", "AllergyIntolerance", allergy(flags, inner)),
        ] {
            let act = format!(
                r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.{template}"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="{state}"/><entryRelationship typeCode="SUBJ">{entry}</entryRelationship></act>"#
            );
            let draft = read(section, "", &act);
            let beside = own(&one(&draft, kind), "concern-status");
            let wanted = told.then_some(json!(state));
            assert_eq!(
                beside.map(|one| one["valueCode"].clone()),
                wanted,
                "{kind} {state} {flags} {inner}"
            );
            let element = if told { "extension" } else { "clinicalStatus" };
            assert_eq!(
                places(&draft, "act/statusCode"),
                [format!("{kind}.{element}")],
                "{state} {flags} {inner}"
            );
        }
    }
}

#[test]
fn a_number_that_is_a_value_says_whose_it_is() {
    let value = r#"<value xsi:type="II" root="1.3.160" extension="00999998998989" assigningAuthorityName="GS1"/>"#;
    let seen = |values: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1" displayName="Number"/><statusCode code="completed"/>{values}</observation>"#
        );
        one(&read("30954-2", "", &entry), "Observation")
    };
    let whole = json!({"extension": [{
        "url": "https://medibloc.org/fhir/StructureDefinition/value-identifier",
        "valueIdentifier": {
            "system": "urn:oid:1.3.160",
            "value": "00999998998989",
            "assigner": {"display": "GS1"}
        }
    }]});
    let one = seen(value);
    assert_eq!(one["valueString"], "00999998998989");
    assert_eq!(one["_valueString"], whole);
    let two = seen(&format!(r#"<value xsi:type="ST">x</value>{value}"#));
    assert_eq!(two["component"][0]["_valueString"], whole);
    let bare = seen(r#"<value xsi:type="II" root="1.3.160"/>"#);
    assert_eq!(bare["valueString"], "1.3.160");
    assert!(bare.get("_valueString").is_none());
}

#[test]
fn a_reaction_that_ended_nobody_knows_when_has_ended() {
    for (high, wanted) in [
        (
            r#"<high nullFlavor="UNK"/>"#,
            Some(
                json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]}),
            ),
        ),
        (r#"<high nullFlavor="NI"/>"#, None),
        ("", None),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.7"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/><value xsi:type="CD" code="419199007" {SCT}/><participant typeCode="CSM"><participantRole><playingEntity><code code="1" {SCT}/></playingEntity></participantRole></participant><entryRelationship typeCode="MFST" inversionInd="true"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.9"/><code code="ASSERTION" codeSystem="2.16.840.1.113883.5.4"/><statusCode code="completed"/><effectiveTime><low value="2006"/>{high}</effectiveTime><value xsi:type="CD" code="39579001" {SCT}/></observation></entryRelationship></observation>"#
        );
        let made = one(&read("48765-2", "", &entry), "AllergyIntolerance");
        let reaction = &made["reaction"][0];
        assert_eq!(reaction["onset"], "2006");
        let ended = own(reaction, "reaction-end");
        assert_eq!(
            ended.map(|one| one["_valueDateTime"].clone()),
            wanted,
            "{high}"
        );
    }
}

/// Words that deny already are a note where the status denies, too: that *no diabetes* is refuted would say that there is one.
#[test]
fn what_is_denied_is_not_denied_twice() {
    let told = |flags: &str, words: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN" {flags}><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="64572001" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="44054006" {SCT} displayName="Diabetes"><originalText>{words}</originalText></value></observation>"#
        );
        let made = one(&read("11450-4", "", &entry), "Condition");
        (
            made["code"]["text"].clone(),
            made["note"][0]["text"].clone(),
        )
    };
    let denied = r#"negationInd="true""#;
    let words = json!("In the source's words: No diabetes");
    assert_eq!(told(denied, "No diabetes"), (json!("Diabetes"), words));
    for (flags, words) in [(denied, "Sugar"), ("", "No diabetes")] {
        assert_eq!(told(flags, words), (json!(words), Value::Null));
    }
}
