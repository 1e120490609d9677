//! Facts by kind that have a place of their own in FHIR, or in an extension of this product: each must arrive there, and the
//! account must say so.
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

const WHO: &str = r#"<id root="1.2.8" extension="7"/><assignedPerson><name><family>Doe</family></name></assignedPerson>"#;

#[test]
fn how_long_somebody_was_concerned_is_not_how_long_it_lasted() {
    let draft = read(
        "11450-4",
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/><statusCode code="active"/><effectiveTime><low value="2020"/><high value="2021"/></effectiveTime>
        <entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="1"/><statusCode code="completed"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></act>"#,
    );
    let condition = one(&draft, "Condition");
    let span = extension(&condition, "concern-period");
    assert_eq!(
        (&span["valuePeriod"]["start"], &span["valuePeriod"]["end"]),
        (&"2020".into(), &"2021".into())
    );
    assert!(condition.get("onsetDateTime").is_none());
    assert!(condition.get("abatementDateTime").is_none());
    nothing_is_lost(&draft);
}

/// Who treats a problem is a team with the problem as its reason; who treats two problems is one team.
#[test]
fn who_treats_a_problem_is_a_care_team() {
    let concern = |code: &str| {
        format!(
            r#"<entry><act classCode="ACT" moodCode="EVN"><code code="CONC"/><statusCode code="active"/><performer typeCode="PRF"><assignedEntity>{WHO}</assignedEntity></performer>
        <entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="1"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/></observation></entryRelationship></act></entry>"#
        )
    };
    let entries = [concern("2"), concern("3")].concat();
    let draft = document("", "11450-4", "", &entries);
    let team = one(&draft, "CareTeam");
    assert_eq!(team["reasonReference"].as_array().unwrap().len(), 2);
    let member = at(&draft, &team["participant"][0]["member"]);
    assert_eq!(member["name"][0]["family"], "Doe");
    nothing_is_lost(&draft);
}

/// Severity and status of something are no problems of their own, whatever further templates they have.
#[test]
fn what_is_said_of_an_allergy_is_no_condition() {
    let draft = document(
        "",
        "48765-2",
        r#"<content ID="s">Moderate</content>"#,
        r##"<entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.30"/><statusCode code="active"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.28"/><templateId root="2.16.840.1.113883.10.20.1.18"/>
        <code code="416098002" codeSystem="2.16.840.1.113883.6.96"><originalText>DRUG</originalText></code><statusCode code="completed"/><value xsi:type="CD"/><participant typeCode="CSM"><participantRole><playingEntity><code nullFlavor="UNK"/><name>Latex</name></playingEntity></participantRole></participant>
        <entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.55"/><templateId root="2.16.840.1.113883.10.20.1.28"/><code code="SEV"/><text><reference value="#s"/></text><statusCode code="completed"/><value xsi:type="CD"/></observation></entryRelationship>
        </observation></entryRelationship></act></entry>"##,
    );
    assert!(all(&draft, "Condition").is_empty());
    let allergy = one(&draft, "AllergyIntolerance");
    assert_eq!(allergy["reaction"][0]["severity"], "moderate");
    // C32 says as the code of the observation what kind of allergy it is.
    assert_eq!(
        (&allergy["type"], &allergy["category"][0]),
        (&"allergy".into(), &"medication".into())
    );
    let kind = extension(&allergy, "allergy-kind");
    assert_eq!(kind["valueCodeableConcept"]["text"], "DRUG");
}

#[test]
fn a_problem_of_which_nothing_is_said_is_none() {
    let draft = read(
        "46240-8",
        r##"<encounter classCode="ENC" moodCode="EVN"><id root="1.2.9"/><entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.28"/><code nullFlavor="UNK"/><text><reference value="#nowhere"/></text><statusCode code="completed"/><value xsi:type="CD"/></observation></entryRelationship></encounter>"##,
    );
    assert!(all(&draft, "Condition").is_empty());
    let why = draft.loss.entries.iter();
    let why: Vec<_> = why.filter_map(|line| line.because.as_deref()).collect();
    assert!(why.contains(&"it does not say which problem"));
}

/// Words of the source for what FHIR has a code for.
#[test]
fn words_for_a_code_are_kept_beside_it() {
    let draft = document(
        r#"<recordTarget><patientRole><patient><administrativeGenderCode code="M"><originalText>MALE</originalText></administrativeGenderCode><raceCode code="2106-3" codeSystem="2.16.840.1.113883.6.238" displayName="White"><originalText>Caucasian</originalText></raceCode></patient></patientRole></recordTarget>"#,
        "11450-4",
        "",
        r#"<entry><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="1"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/>
        <entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.1.50"/><code code="33999-4"/><value xsi:type="CE" code="55561003"><originalText>ACTIVE</originalText></value></observation></entryRelationship></observation></entry>"#,
    );
    let patient = one(&draft, "Patient");
    assert_eq!(patient["gender"], "male");
    assert_eq!(patient["_gender"]["extension"][0]["valueString"], "MALE");
    let race = patient["extension"][0]["extension"].as_array().unwrap();
    assert_eq!(race.last().unwrap()["valueString"], "Caucasian");
    let status = one(&draft, "Condition")["clinicalStatus"].clone();
    assert_eq!(
        (&status["coding"][0]["code"], &status["text"]),
        (&"active".into(), &"ACTIVE".into())
    );
    nothing_is_lost(&draft);
}

#[test]
fn a_side_stays_with_the_code_that_it_is_said_of() {
    let draft = read(
        "30954-2",
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"><qualifier><name code="272741003" codeSystem="2.16.840.1.113883.6.96" displayName="Laterality"/><value code="7771000" codeSystem="2.16.840.1.113883.6.96" displayName="Left"/></qualifier></value></observation>"#,
    );
    let value = one(&draft, "Observation")["valueCodeableConcept"].clone();
    let parts = extension(&value, "qualifier")["extension"].clone();
    assert_eq!(parts[0]["valueCodeableConcept"]["text"], "Laterality");
    assert_eq!(parts[1]["valueCodeableConcept"]["text"], "Left");
    nothing_is_lost(&draft);
}

/// Who told it, and who did what has no element for its doers, stand in the provenance.
#[test]
fn who_told_and_who_took_part_stand_in_the_provenance() {
    let medicine = format!(
        r#"<entry><substanceAdministration classCode="SBADM" moodCode="EVN"><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>
        <performer><assignedEntity>{WHO}</assignedEntity></performer>
        <participant typeCode="RESP"><participantRole><id root="1.2.8" extension="9"/><playingEntity><name><family>Roe</family></name></playingEntity></participantRole></participant></substanceAdministration></entry>"#
    );
    let informant = r#"<informant><relatedEntity classCode="CAREGIVER"><relatedPerson><name><family>Poe</family></name></relatedPerson></relatedEntity></informant>"#;
    let draft = document(informant, "10160-0", "", &medicine);
    let agents = one(&draft, "Provenance")["agent"].clone();
    let said: Vec<(String, String)> = agents
        .as_array()
        .unwrap()
        .iter()
        .skip(1)
        .map(|agent| {
            let who = at(&draft, &agent["who"])["name"][0]["family"].clone();
            let sort = agent["type"]["coding"][0]["code"].clone();
            (
                sort.as_str().unwrap().to_owned(),
                who.as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let wanted = [("performer", "Doe"), ("RESP", "Roe"), ("informant", "Poe")];
    let wanted = wanted.map(|(sort, who)| (sort.to_owned(), who.to_owned()));
    assert_eq!(said, wanted);
    nothing_is_lost(&draft);
}

#[test]
fn a_day_on_which_a_sign_was_written_down_is_no_instant() {
    let draft = read(
        "8716-3",
        &format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="8867-4" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="PQ" value="80" unit="/min"/><author><time value="20240102"/><assignedAuthor>{WHO}</assignedAuthor></author></observation>"#
        ),
    );
    let seen = one(&draft, "Observation");
    assert!(seen.get("issued").is_none());
    let day = extension(&seen["_issued"], "partial-time");
    assert_eq!(day["valueDateTime"], "2024-01-02");
    nothing_is_lost(&draft);
}

#[test]
fn a_program_that_writes_stands_somewhere_and_each_author_wrote_at_a_time() {
    let draft = document(
        &format!(
            r#"<author><time value="20240102"/><assignedAuthor>{WHO}</assignedAuthor></author><author><time value="20240103"/><assignedAuthor><id root="1.2.8" extension="p"/><addr><city>Boston</city></addr><assignedAuthoringDevice><softwareName>Factory</softwareName></assignedAuthoringDevice></assignedAuthor></author>"#
        ),
        "30954-2",
        "",
        "",
    );
    let authors = one(&draft, "Composition")["author"].clone();
    for (place, day) in ["2024-01-02", "2024-01-03"].iter().enumerate() {
        let when = extension(&authors[place], "authored-on");
        assert_eq!(when["valueDateTime"], *day);
    }
    let place = one(&draft, "Device")["location"].clone();
    assert_eq!(at(&draft, &place)["address"]["city"], "Boston");
    nothing_is_lost(&draft);
}

#[test]
fn as_needed_is_said_by_a_priority_too() {
    let draft = read(
        "10160-0",
        r#"<substanceAdministration classCode="SBADM" moodCode="INT"><priorityCode code="PRN"/><doseQuantity value="1"/><consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#,
    );
    let order = one(&draft, "MedicationRequest");
    assert_eq!(order["dosageInstruction"][0]["asNeededBoolean"], true);
    nothing_is_lost(&draft);
}

#[test]
fn a_referral_names_to_whom() {
    let draft = read(
        "62387-6",
        r#"<act classCode="ACT" moodCode="INT"><code code="103697008" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="active"/><participant typeCode="REFT"><participantRole><id root="2.16.840.1.113883.4.6" extension="1093929010"/><code code="207Q00000X" codeSystem="2.16.840.1.113883.6.101"/><playingEntity><name><family>Eighth</family></name></playingEntity></participantRole></participant></act>"#,
    );
    let request = one(&draft, "ServiceRequest");
    let who = at(&draft, &request["performer"][0]);
    assert_eq!(who["name"][0]["family"], "Eighth");
    let role = one(&draft, "PractitionerRole");
    assert_eq!(role["code"][0]["coding"][0]["code"], "207Q00000X");
    nothing_is_lost(&draft);
}

#[test]
fn further_values_are_components_and_an_empty_group_is_nobody() {
    let draft = read(
        "30954-2",
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1" displayName="Findings"/><value xsi:type="ST">one</value><value xsi:type="ST">two</value></observation>"#,
    );
    let seen = one(&draft, "Observation");
    assert_eq!(seen["valueString"], "one");
    let part = &seen["component"][0];
    assert_eq!(
        (&part["code"]["text"], &part["valueString"]),
        (&"Findings".into(), &"two".into())
    );
    assert!(part["code"].get("coding").is_none());
    // Who wrote a group without members is in no resource that anything leads to.
    let draft = read(
        "42348-3",
        &format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><code code="45473-6" codeSystem="2.16.840.1.113883.6.1"/><author><time value="20240101"/><assignedAuthor>{WHO}</assignedAuthor></author></organizer>"#
        ),
    );
    assert!(all(&draft, "Practitioner").is_empty());
}

#[test]
fn a_table_has_no_line_breaks_between_its_rows() {
    let draft = document(
        "",
        "30954-2",
        "<table><tbody><tr><td>a<br/>b</td><br/></tr></tbody></table>",
        "",
    );
    let told = one(&draft, "Composition")["section"][0]["text"]["div"].clone();
    assert_eq!(told.as_str().unwrap().matches("<br/>").count(), 1);
}

/// Words for a code that is not known say that it is not known; the name says what somebody is allergic to.
#[test]
fn a_name_beats_the_words_for_an_unknown_code() {
    let draft = read(
        "48765-2",
        r#"<observation classCode="OBS" moodCode="EVN"><code code="ASSERTION"/><value xsi:type="CD" code="419199007" codeSystem="2.16.840.1.113883.6.96"/><participant typeCode="CSM"><participantRole><playingEntity><code nullFlavor="UNK"><originalText>Coded Allergy Name Not Available</originalText></code><name>LATEX STRAP</name></playingEntity></participantRole></participant></observation>"#,
    );
    let allergy = one(&draft, "AllergyIntolerance");
    assert_eq!(allergy["code"]["text"], "LATEX STRAP");
}

/// C-CDA 2.1: an end of unknown time says that it is over. What is stated of it beats that, and older formats mean nothing by it.
#[test]
fn an_end_of_unknown_time_is_an_end() {
    let status = |code: &str| {
        format!(
            r#"<entryRelationship typeCode="REFR"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.6"/><code code="33999-4"/><value xsi:type="CD" code="{code}"/></observation></entryRelationship>"#
        )
    };
    for (template, flavor, inner, clinical, is_absent) in [
        ("22.4.4", "UNK", String::new(), "resolved", true),
        ("22.4.4", "NI", String::new(), "active", false),
        ("22.4.4", "UNK", status("55561003"), "active", false),
        ("1.28", "UNK", String::new(), "active", false),
    ] {
        let draft = read(
            "11450-4",
            &format!(
                r#"<act classCode="ACT" moodCode="EVN"><code code="CONC"/><statusCode code="active"/><entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.{template}"/><code code="1"/><effectiveTime><low value="2020"/><high nullFlavor="{flavor}"/></effectiveTime><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/>{inner}</observation></entryRelationship></act>"#
            ),
        );
        let condition = one(&draft, "Condition");
        assert_eq!(
            condition["clinicalStatus"]["coding"][0]["code"], clinical,
            "{template} {flavor}"
        );
        assert_eq!(
            condition.get("_abatementDateTime").is_some(),
            is_absent,
            "{template} {flavor}"
        );
    }
}

/// Of several authors the last one recorded it, and the first time is when.
#[test]
fn the_last_author_recorded_it_and_the_first_time_is_when() {
    let author = |number: &str, at: &str| {
        format!(
            r#"<author><time value="{at}"/><assignedAuthor><id root="1.2.8" extension="{number}"/><assignedPerson><name><family>{number}</family></name></assignedPerson></assignedAuthor></author>"#
        )
    };
    let draft = read(
        "11450-4",
        &format!(
            r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="1"/><value xsi:type="CD" code="2" codeSystem="2.16.840.1.113883.6.96"/>{}{}</observation>"#,
            author("late", "20240301"),
            author("early", "20240101")
        ),
    );
    let condition = one(&draft, "Condition");
    assert_eq!(condition["recordedDate"], "2024-01-01");
    let who = at(&draft, &condition["recorder"]);
    assert_eq!(who["name"][0]["family"], "late");
}
