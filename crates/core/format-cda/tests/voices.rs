//! Who said what and how it was called: authors of single results, leads of teams, names, words of goals, other units.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::all;
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

const TRANSLATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-PQ-translation";

fn document(header: &str, section: &str, text: &str, entry: &str) -> Draft {
    let xml = format!(
        r#"<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:sdtc="urn:hl7-org:sdtc"><id root="1.2.3.4"/><effectiveTime value="20250101"/>{header}<component><structuredBody><component><section>
        <code code="{section}" codeSystem="2.16.840.1.113883.6.1"/><text>{text}</text><entry>{entry}</entry>
        </section></component></structuredBody></component></ClinicalDocument>"#
    );
    Cda.read(xml.as_bytes()).unwrap()
}

fn read(section: &str, entry: &str) -> Draft {
    document("", section, "", entry)
}

/// The resource that a reference points to.
fn at(draft: &Draft, reference: &Value) -> Value {
    let bundle = Value::from(draft.fhir.clone());
    let entries = bundle["entry"].as_array().unwrap();
    let mut found = entries
        .iter()
        .filter(|entry| entry["fullUrl"] == reference["reference"]);
    found.next().unwrap()["resource"].clone()
}

fn author(name: &str) -> String {
    format!(
        r#"<author><time value="20250102"/><assignedAuthor><id root="1.2.9" extension="{name}"/><assignedPerson><name><family>{name}</family></name></assignedPerson></assignedAuthor></author>"#
    )
}

/// Who wrote what: the family names of the agents, by the codes of the targets.
fn written(draft: &Draft) -> Vec<(Vec<Value>, Vec<Value>)> {
    let mut out = Vec::new();
    for one in all(draft, "Provenance") {
        let targets = one["target"].as_array().unwrap().iter();
        let targets = targets
            .map(|target| at(draft, target)["code"]["coding"][0]["code"].clone())
            .collect();
        let agents = one["agent"].as_array().unwrap().iter();
        let agents = agents
            .map(|agent| at(draft, &agent["who"])["name"][0]["family"].clone())
            .collect();
        out.push((targets, agents));
    }
    out
}

/// C-CDA on FHIR (results): who wrote a result is in its Provenance.
#[test]
fn each_result_has_its_own_author() {
    let seen = |code: &str, author: &str| {
        format!(
            r#"<component><observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value>{author}</observation></component>"#
        )
    };
    let organizer = |own: &str, inner: &str| {
        format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code code="0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{own}{inner}</organizer>"#
        )
    };
    let inner = [
        seen("1", &author("Ash")),
        seen("2", &author("Elm")),
        seen("3", ""),
    ]
    .concat();
    let draft = read("30954-2", &organizer(&author("Oak"), &inner));
    let codes = |all: &[&str]| all.iter().map(|one| json!(one)).collect::<Vec<_>>();
    assert_eq!(
        written(&draft),
        [
            (codes(&["1"]), codes(&["Ash"])),
            (codes(&["2"]), codes(&["Elm"])),
            (codes(&["3", "0"]), codes(&["Oak"])),
        ]
    );
    // The bytes are those of the statement that its author wrote.
    let spans: Vec<Value> = all(&draft, "Provenance")
        .iter()
        .map(|one| one["entity"][0]["what"]["display"].clone())
        .collect();
    assert!(spans[0] != spans[1] && spans[1] != spans[2]);
    let one_of_all = organizer(&author("Oak"), &[seen("1", ""), seen("2", "")].concat());
    assert_eq!(
        written(&read("30954-2", &one_of_all)),
        [(codes(&["1", "2", "0"]), codes(&["Oak"]))]
    );
}

#[test]
fn the_lead_of_a_team_is_one_member_with_both_roles() {
    let member = |id: &str, function: &str| {
        format!(
            r#"<component><act classCode="PCPR" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.500.1"/><id root="{id}"/><code code="85847-2" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><performer typeCode="PRF"><sdtc:functionCode code="{function}" codeSystem="2.16.840.1.113883.5.88"/><assignedEntity><id root="{id}"/><assignedPerson><name><family>F{id}</family></name></assignedPerson></assignedEntity></performer></act></component>"#
        )
    };
    let team = |inner: &str| {
        format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.500"/><code code="86744-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><participant typeCode="PPRF"><participantRole><id root="1.5"/></participantRole></participant>{inner}</organizer>"#
        )
    };
    let draft = read(
        "85847-2",
        &team(
            &[
                member("1.5", "PCP"),
                member("1.6", "ATTPHYS"),
                member("1.5", "ADMPHYS"),
            ]
            .concat(),
        ),
    );
    let found = all(&draft, "CareTeam").remove(0)["participant"].clone();
    let found: Vec<(Value, Vec<Value>)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let roles = one["role"].as_array().unwrap().iter();
            let name = at(&draft, &one["member"])["name"][0]["family"].clone();
            (
                name,
                roles
                    .map(|role| role["coding"][0]["code"].clone())
                    .collect(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (
                json!("F1.5"),
                vec![json!("PCP"), json!("ADMPHYS"), json!("PPRF")]
            ),
            (json!("F1.6"), vec![json!("ATTPHYS")]),
        ]
    );
    // Who leads and is no member is not said to be one.
    let draft = read("85847-2", &team(&member("1.6", "ATTPHYS")));
    let found = all(&draft, "CareTeam").remove(0)["participant"].clone();
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["role"].as_array().unwrap().len(), 1);
}

#[test]
fn what_a_contact_is_called_is_kept() {
    let name = r#"<name><given>Robert</given><given qualifier="CL">Bob</given><family>Ash</family></name>"#;
    let guardian = format!(
        r#"<recordTarget><patientRole><id root="1.2"/><patient><name><family>Elm</family></name><guardian><guardianPerson>{name}</guardianPerson></guardian></patient></patientRole></recordTarget>"#
    );
    let support = format!(
        r#"<participant typeCode="IND"><associatedEntity classCode="ECON"><associatedPerson>{name}</associatedPerson></associatedEntity></participant>"#
    );
    for header in [guardian, support] {
        let draft = document(&header, "30954-2", "", "");
        let found = all(&draft, "Patient").remove(0)["contact"][0]["name"].clone();
        assert_eq!(found["given"], json!(["Robert"]), "{header}");
        assert_eq!(
            found["extension"],
            json!([{"url": "https://medibloc.org/fhir/StructureDefinition/call-me", "valueString": "Bob"}]),
            "{header}"
        );
    }
}

#[test]
fn a_goal_is_named_by_its_own_words_and_no_row_of_a_table() {
    let goal = |text: &str, value: &str| {
        let pointer = r##"<text><reference value="#g"/></text>"##;
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><code code="29463-7" codeSystem="2.16.840.1.113883.6.1" displayName="Body weight"/>{pointer}<statusCode code="active"/>{value}</observation>"#
        );
        let draft = document("", "61146-7", text, &entry);
        all(&draft, "Goal").remove(0)["description"]["text"].clone()
    };
    let row = r#"<table><tbody><tr ID="g"><td>Weight</td><td>80 kg</td><td>Active</td><td>2025</td></tr></tbody></table>"#;
    let cell =
        r#"<table><tbody><tr><td ID="g">Lose ten kilos</td><td>Active</td></tr></tbody></table>"#;
    let words = r#"<value xsi:type="ST">Eat less</value>"#;
    let amount = r#"<value xsi:type="PQ" value="80" unit="kg"/>"#;
    assert_eq!(goal(row, words), "Eat less");
    assert_eq!(goal(row, amount), "Body weight");
    assert_eq!(goal(cell, words), "Lose ten kilos");
    assert_eq!(goal(cell, amount), "Lose ten kilos");
    // A row with one cell says one thing.
    let single = r#"<table><tbody><tr ID="g"><td>Lose ten kilos</td></tr></tbody></table>"#;
    assert_eq!(goal(single, amount), "Lose ten kilos");
}

/// FHIR R4 has an extension for a `PQ.translation`.
#[test]
fn an_amount_in_another_unit_stands_beside_the_printed_one() {
    let seen = |value: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{value}</observation>"#
        );
        all(&read("30954-2", &entry), "Observation").remove(0)["valueQuantity"].clone()
    };
    let both = seen(
        r#"<value xsi:type="PQ" value="5.5" unit="mmol/L"><translation value="99" code="mg/dL" codeSystem="2.16.840.1.113883.6.8"/></value>"#,
    );
    assert_eq!(both["value"].to_string(), "5.5");
    assert_eq!(both["code"], "mmol/L");
    assert_eq!(
        both["extension"],
        json!([{"url": TRANSLATION, "valueQuantity": {"value": 99, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}}])
    );
    // A translation without an amount says nothing that the printed one does not.
    let unit = seen(
        r#"<value xsi:type="PQ" value="5" unit="mm"><translation code="mm" codeSystem="2.16.840.1.113883.6.8"/></value>"#,
    );
    assert!(unit.get("extension").is_none());
    // An end with a comparator keeps it.
    let entry = r#"<value xsi:type="IVL_PQ"><high value="5" unit="mmol/L"><translation value="90" unit="mg/dL"/></high></value>"#;
    let end = seen(entry);
    assert_eq!(end["comparator"], "<=");
    assert_eq!(end["extension"][0]["valueQuantity"]["value"], 90);
}

/// Who wrote something down is not said to have told it, which an informant (`INF`) did, nor to have agreed to it.
#[test]
fn an_author_is_no_informant() {
    let told = r#"<informant><assignedEntity><id root="1.2.9" extension="Fir"/><assignedPerson><name><family>Fir</family></name></assignedPerson></assignedEntity></informant>"#;
    let code = r#"<code code="304251008" codeSystem="2.16.840.1.113883.6.96"/>"#;
    let medicine = |parts: &str| {
        format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.16"/>{parts}<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        )
    };
    let statement = |parts: &str| {
        let draft = read("10160-0", &medicine(parts));
        let made = all(&draft, "MedicationStatement").remove(0);
        let source = made.get("informationSource");
        let name = source.map(|who| at(&draft, who)["name"][0]["family"].clone());
        (
            name,
            made["dateAsserted"].clone(),
            written(&draft).remove(0).1,
        )
    };
    let wrote = author("Oak");
    let day = json!("2025-01-02");
    assert_eq!(statement(&wrote), (None, day.clone(), vec![json!("Oak")]));
    let (source, at_day, agents) = statement(&[&wrote, told].concat());
    assert_eq!((source, at_day), (Some(json!("Fir")), day));
    assert_eq!(agents[0], "Oak");
    // Nor has who wrote a directive down agreed to it.
    let directive = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.48"/>{code}<statusCode code="completed"/>{wrote}</observation>"#
    );
    let draft = read("42348-3", &directive);
    let made = all(&draft, "Consent").remove(0);
    assert!(made.get("performer").is_none());
    assert_eq!(made["dateTime"], "2025-01-02");
    assert_eq!(written(&draft).remove(0).1, [json!("Oak")]);
}

fn informant(name: &str) -> String {
    format!(
        r#"<informant><assignedEntity><id root="1.2.9" extension="{name}"/><assignedPerson><name><family>{name}</family></name></assignedPerson></assignedEntity></informant>"#
    )
}

/// CDA R2, section 4.4: an author overrides those around it, and an informant the informants. Each resource has all that it inherits.
#[test]
fn an_author_overrides_no_informant() {
    let seen = |code: &str, parts: &str| {
        format!(
            r#"<component><observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="2.16.840.1.113883.6.1"/><value xsi:type="ST">x</value>{parts}</observation></component>"#
        )
    };
    let organizer = |inner: &str| {
        format!(
            r#"<organizer classCode="BATTERY" moodCode="EVN"><code code="0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{inner}</organizer>"#
        )
    };
    let inner = [
        seen("1", &author("Ash")),
        seen("2", &informant("Fir")),
        seen("3", ""),
        seen("4", &[author("Ash"), informant("Fir")].concat()),
    ]
    .concat();
    let header = [author("Oak"), informant("Yew")].concat();
    let draft = document(&header, "30954-2", "", &organizer(&inner));
    let codes = |all: &[&str]| all.iter().map(|one| json!(one)).collect::<Vec<_>>();
    assert_eq!(
        written(&draft),
        [
            (codes(&["1"]), codes(&["Ash", "Yew"])),
            (codes(&["2"]), codes(&["Oak", "Fir"])),
            (codes(&["3", "0"]), codes(&["Oak", "Yew"])),
            (codes(&["4"]), codes(&["Ash", "Fir"])),
        ]
    );
    // What a concern is about has its author beside its own.
    let problem = |code: &str, parts: &str| {
        format!(
            r#"<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="55607006"/><value xsi:type="CD" code="{code}" codeSystem="2.16.840.1.113883.6.96"/>{parts}</observation></entryRelationship>"#
        )
    };
    let concern = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.3"/><code code="CONC"/>{}{}{}</act>"#,
        author("Elm"),
        problem("1", &author("Ash")),
        problem("2", "")
    );
    let draft = document(&informant("Yew"), "11450-4", "", &concern);
    assert_eq!(
        written(&draft),
        [
            (codes(&["1"]), codes(&["Ash", "Yew"])),
            (codes(&["2", "1"]), codes(&["Elm", "Yew"])),
        ]
    );
}

/// Who took part in something that stands inside took part in nothing around or beside it; and who wrote at another time wrote by
/// themselves.
#[test]
fn who_took_part_is_told_of_that_alone() {
    let act = |code: &str, inside: &str| {
        format!(
            r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.12"/><code code="{code}" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/>{inside}</act>"#
        )
    };
    let to = |name: &str| {
        format!(
            r#"<participant typeCode="IRCP"><participantRole><id root="1.2.9" extension="{name}"/><playingEntity><name><family>{name}</family></name></playingEntity></participantRole></participant>"#
        )
    };
    let link =
        |inner: &str| format!(r#"<entryRelationship typeCode="COMP">{inner}</entryRelationship>"#);
    let inner = [link(&act("1", "")), link(&act("2", &to("Rita")))].concat();
    let entry = act("9", &[&inner, &*to("Otto")].concat());
    let draft = read("62387-6", &entry);
    let named = |draft: &Draft, name: &str| -> Vec<Value> {
        let all = written(draft).into_iter();
        let all = all.filter(|(_, who)| who.contains(&json!(name)));
        all.flat_map(|(what, _)| what).collect()
    };
    assert_eq!(named(&draft, "Rita"), ["2"]);
    assert_eq!(named(&draft, "Otto"), ["9"]);
    // How much somebody wants a goal is theirs, and not the goal's author's.
    let wish = format!(
        r#"<observation classCode="OBS" moodCode="GOL"><templateId root="2.16.840.1.113883.10.20.22.4.121"/><code code="7" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="active"/>{}<entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.143"/><code code="225773000" codeSystem="2.16.840.1.113883.6.96"/><value xsi:type="CD" code="394849002" codeSystem="2.16.840.1.113883.6.96"/>{}</observation></entryRelationship></observation>"#,
        author("Ada"),
        author("Wim")
    );
    let goal = read("61146-7", &wish);
    assert_eq!(named(&goal, "Wim"), ["225773000"]);
    assert_eq!(named(&goal, "Ada").len(), 1);
    // One that becomes a part of another resource is none: who told it told nothing else.
    let why = format!(
        r#"<entryRelationship typeCode="RSON"><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.19"/><code code="404684003" codeSystem="2.16.840.1.113883.6.96"/><statusCode code="completed"/><value xsi:type="CD" code="6" codeSystem="2.16.840.1.113883.6.96"/>{}</observation></entryRelationship>"#,
        author("Wim")
    );
    let done = read("62387-6", &act("1", &[&author("Ada"), &*why].concat()));
    assert!(named(&done, "Wim").is_empty());
    assert_eq!(named(&done, "Ada"), ["1"]);
    let later = author("Bo").replace("20250102", "20250309");
    let both = read("62387-6", &act("1", &[author("Ada"), later].concat()));
    let mut days: Vec<(Value, usize)> = all(&both, "Provenance")
        .iter()
        .map(|one| {
            (
                one["occurredDateTime"].clone(),
                one["agent"].as_array().unwrap().len(),
            )
        })
        .collect();
    days.sort_by_key(|(day, _)| day.to_string());
    assert_eq!(days, [(json!("2025-01-02"), 1), (json!("2025-03-09"), 1)]);
}
