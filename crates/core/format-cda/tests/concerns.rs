//! Concerns, goals and what is said of them: how much somebody wants it, what supports it, how far it was reached.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, why_lost};
use medibloc_record::Draft;
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const OWN: &str = "https://medibloc.org/fhir/StructureDefinition/";
const HEALTH: &str = "2.16.840.1.113883.10.20.22.4.132";
const RISK: &str = "2.16.840.1.113883.10.20.22.4.136";

fn template(root: &str) -> String {
    format!(r#"<templateId root="{root}"/>"#)
}

fn within(kind: &str, inner: &str) -> String {
    format!(r#"<entryRelationship typeCode="{kind}">{inner}</entryRelationship>"#)
}

fn problem(code: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN">{}<id root="1.2.5" extension="{code}"/><code code="55607006" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="{code}" {SCT}/></observation>"#,
        template("2.16.840.1.113883.10.20.22.4.4")
    )
}

fn smokes() -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN">{}<id root="1.2.5" extension="smokes"/><code code="11367-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/><value xsi:type="CD" code="449868002" {SCT}/></observation>"#,
        template("2.16.840.1.113883.10.20.22.4.85")
    )
}

fn wish(who: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="EVN">{}<id root="1.2.6" extension="{who}"/><code code="225773000" {SCT}/><value xsi:type="CD" code="394849002" {SCT}/><author><time value="20130801"/><assignedAuthor><id root="1.2.7" extension="{who}"/></assignedAuthor></author></observation>"#,
        template("2.16.840.1.113883.10.20.22.4.143")
    )
}

fn concern(root: &str, inside: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN">{}<id root="1.2.4" extension="{root}"/><code code="75310-3" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><effectiveTime value="20130616"/>{inside}</act>"#,
        template(root)
    )
}

fn goal(inside: &str) -> String {
    format!(
        r#"<observation classCode="OBS" moodCode="GOL">{}<id root="1.9" extension="G"/><code code="44616-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/>{inside}</observation>"#,
        template("2.16.840.1.113883.10.20.22.4.121")
    )
}

fn named(root: &str, extension: &str) -> String {
    format!(
        r#"<act classCode="ACT" moodCode="EVN">{}<id root="{root}" extension="{extension}"/><code nullFlavor="NP"/><statusCode code="completed"/></act>"#,
        template("2.16.840.1.113883.10.20.22.4.122")
    )
}

fn entries(all: &[String]) -> String {
    all.join("</entry><entry>")
}

fn to(resource: &Value) -> Value {
    json!({"reference": format!("urn:uuid:{}", resource["id"].as_str().unwrap())})
}

/// The resource of a kind with a code as value, or as what it is.
fn of(draft: &Draft, kind: &str, code: &str) -> Value {
    let found = all(draft, kind).into_iter().find(|one| {
        ["code", "valueCodeableConcept"]
            .iter()
            .any(|part| one[*part]["coding"][0]["code"] == code)
    });
    found.unwrap()
}

fn extension<'v>(of: &'v Value, name: &str) -> Option<&'v Value> {
    let url = format!("{OWN}{name}");
    let all = of["extension"].as_array()?;
    all.iter().find(|one| one["url"] == url.as_str())
}

fn is_health_concern(of: &Value) -> bool {
    let all = of["category"].as_array().cloned().unwrap_or_default();
    all.iter()
        .any(|one| one["coding"][0]["code"] == "health-concern")
}

/// How much somebody wants something is about that thing: each concern and each goal has its own.
#[test]
fn a_preference_is_about_what_it_stands_in() {
    let wishes = [within("RSON", &wish("p")), within("RSON", &wish("n"))].concat();
    let two = [within("REFR", &problem("1")), within("REFR", &problem("2"))].concat();
    let risk = concern(
        RISK,
        &[within("REFR", &problem("3")), wishes.clone()].concat(),
    );
    let draft = read(
        "75310-3",
        "",
        &entries(&[
            concern(HEALTH, &[two, wishes.clone()].concat()),
            risk,
            goal(&wishes),
        ]),
    );
    let problems = json!([
        to(&of(&draft, "Condition", "1")),
        to(&of(&draft, "Condition", "2"))
    ]);
    let at_risk = json!([to(&of(&draft, "Observation", "3"))]);
    let aim = json!([to(&one(&draft, "Goal"))]);
    let wishes = all(&draft, "Observation").into_iter();
    let wishes = wishes.filter(|one| one["code"]["coding"][0]["code"] == "225773000");
    let about: Vec<Value> = wishes.map(|one| one["focus"].clone()).collect();
    let mut wanted = vec![
        problems.clone(),
        problems,
        at_risk.clone(),
        at_risk,
        aim.clone(),
        aim,
    ];
    wanted.sort_by_key(Value::to_string);
    let mut found = about;
    found.sort_by_key(Value::to_string);
    assert_eq!(found, wanted);
    assert_eq!(why_lost(&draft, "observation"), Vec::<String>::new());
}

/// A finding that somebody is concerned about says since when, and whether they still are; so does a risk.
#[test]
fn a_finding_of_a_concern_keeps_what_the_concern_says() {
    let both = [within("REFR", &problem("1")), within("REFR", &smokes())].concat();
    for (root, inside, code) in [
        (HEALTH, within("REFR", &smokes()), "449868002"),
        (HEALTH, both, "449868002"),
        (RISK, within("REFR", &problem("3")), "3"),
        (RISK, within("REFR", &smokes()), "449868002"),
    ] {
        let draft = read("75310-3", "", &concern(root, &inside));
        let seen = of(&draft, "Observation", code);
        let span = &extension(&seen, "concern-period").unwrap()["valuePeriod"];
        assert_eq!(span["start"], "2013-06-16", "{root} {inside}");
        let state = &extension(&seen, "concern-status").unwrap()["valueCode"];
        assert_eq!(*state, "active", "{root} {inside}");
        assert_eq!(is_health_concern(&seen), root == HEALTH, "{root} {inside}");
        for part in ["act/statusCode", "act/effectiveTime"] {
            assert_eq!(
                why_lost(&draft, part),
                Vec::<String>::new(),
                "{root} {inside}"
            );
        }
    }
}

/// What supports a concern is evidence of what it is about, and no concern of its own.
#[test]
fn what_supports_a_concern_is_its_evidence() {
    let parts = [
        within("REFR", &problem("1")),
        within("REFR", &problem("2")),
        within("SPRT", &problem("3")),
        within("SPRT", &smokes()),
    ];
    let draft = read("75310-3", "", &concern(HEALTH, &parts.concat()));
    let cough = of(&draft, "Condition", "3");
    let smoking = of(&draft, "Observation", "449868002");
    for code in ["1", "2"] {
        let one = of(&draft, "Condition", code);
        assert!(is_health_concern(&one));
        assert_eq!(
            one["evidence"],
            json!([{"detail": [to(&cough)]}, {"detail": [to(&smoking)]}])
        );
    }
    assert!(!is_health_concern(&cough) && !is_health_concern(&smoking));
    assert!(extension(&cough, "concern-period").is_none());
    assert!(extension(&smoking, "concern-period").is_none());
}

/// A health concern is one by its template, in any section.
#[test]
fn a_health_concern_is_one_in_any_section() {
    for section in ["75310-3", "18776-5", "51848-0"] {
        let draft = read(
            section,
            "",
            &concern(HEALTH, &within("REFR", &problem("1"))),
        );
        let made = one(&draft, "Condition");
        assert!(is_health_concern(&made), "{section}");
        assert_eq!(
            made["clinicalStatus"]["coding"][0]["code"], "active",
            "{section}"
        );
    }
}

/// A goal that names a concern about several things addresses all of them; what it names that is nowhere is told as that.
#[test]
fn a_goal_addresses_all_that_a_concern_is_about() {
    let two = [within("REFR", &problem("1")), within("REFR", &problem("2"))].concat();
    let aim = goal(&within("REFR", &named("1.2.4", HEALTH)));
    let draft = read("75310-3", "", &entries(&[aim, concern(HEALTH, &two)]));
    let wanted = json!([
        to(&of(&draft, "Condition", "1")),
        to(&of(&draft, "Condition", "2"))
    ]);
    assert_eq!(one(&draft, "Goal")["addresses"], wanted);
    let draft = read(
        "61146-7",
        "",
        &goal(&within("REFR", &named("1.2.4", "nowhere"))),
    );
    assert_eq!(
        why_lost(&draft, "act"),
        ["it names a statement that the document does not have"]
    );
}

/// What shows how far a goal was reached is derived from what came of it, and the goal says so.
#[test]
fn progress_is_told_of_the_goal() {
    let seen = |template_id: &str, id: &str, value: &str, inside: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN">{}<id root="1.9" extension="{id}"/><code code="44616-1" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="completed"/>{value}{inside}</observation>"#,
            template(template_id)
        )
    };
    for (code, word) in [
        ("390802008", Some("achieved")),
        ("390801001", Some("not-achieved")),
        ("1", None),
    ] {
        let value = format!(r#"<value xsi:type="CD" code="{code}" {SCT}/>"#);
        let progress = seen("2.16.840.1.113883.10.20.22.4.110", "P", &value, "");
        let support = format!(
            r#"<entryRelationship typeCode="SPRT" inversionInd="true">{progress}</entryRelationship>"#
        );
        let inside = [within("GEVL", &named("1.9", "G")), support].concat();
        let amount = r#"<value xsi:type="PQ" value="95" unit="%"/>"#;
        let outcome = seen("2.16.840.1.113883.10.20.22.4.144", "O", amount, &inside);
        for order in [[goal(""), outcome.clone()], [outcome, goal("")]] {
            let draft = read("11383-7", "", &entries(&order));
            let shown = of(&draft, "Observation", code);
            let mut came = all(&draft, "Observation").into_iter();
            let came = came
                .rfind(|one| one.get("valueQuantity").is_some())
                .unwrap();
            assert_eq!(shown["derivedFrom"], json!([to(&came)]));
            assert_eq!(came.get("hasMember"), None);
            let told = one(&draft, "Goal");
            let said = &told["achievementStatus"]["coding"][0]["code"];
            assert_eq!(said.as_str(), word, "{code}");
        }
    }
    // The source of such a relation has its support in the target.
    let support = seen("1.2.3", "S", r#"<value xsi:type="ST">x</value>"#, "");
    let entry = seen(
        "1.2.3",
        "T",
        r#"<value xsi:type="ST">y</value>"#,
        &within("SPRT", &support),
    );
    let draft = read("30954-2", "", &entry);
    let made = all(&draft, "Observation");
    let by = |said: &str| made.iter().find(|one| one["valueString"] == said).unwrap();
    assert_eq!(by("y")["derivedFrom"], json!([to(by("x"))]));
}

/// What was done for what is planned is linked with it.
#[test]
fn what_was_handed_over_is_linked_with_the_plan() {
    let handed = format!(
        r#"<act classCode="ACT" moodCode="EVN">{}<code code="432138007" {SCT}/><statusCode code="completed"/></act>"#,
        template("2.16.840.1.113883.10.20.22.4.141")
    );
    let plan = format!(
        r#"<act classCode="ACT" moodCode="INT">{}<code code="362956003" {SCT}/><statusCode code="active"/>{}</act>"#,
        template("2.16.840.1.113883.10.20.22.4.146"),
        within("REFR", &handed)
    );
    let draft = read("62387-6", "", &plan);
    let done = to(&one(&draft, "Procedure"));
    assert_eq!(
        one(&draft, "ServiceRequest")["supportingInfo"],
        json!([done])
    );
}

/// A document that an act names is a DocumentReference, also where the act is no resource itself.
#[test]
fn a_document_that_an_act_names_is_kept() {
    let paper = r#"<reference typeCode="REFR"><externalDocument><id root="1.2.8" extension="doc"/></externalDocument></reference>"#;
    let two = [within("REFR", &problem("1")), within("REFR", &problem("2"))].concat();
    let group = format!(
        r#"<act classCode="ACT" moodCode="EVN"><code code="1" {SCT}/>{}{paper}</act>"#,
        within("COMP", &smokes())
    );
    let alone = format!(
        r#"<act classCode="ACT" moodCode="EVN"><code code="1" codeSystem="1.2.3"/>{paper}</act>"#
    );
    for (entry, many) in [
        (concern(HEALTH, &[&two, paper].concat()), 2),
        (
            concern(HEALTH, &[&within("REFR", &problem("1")), paper].concat()),
            1,
        ),
        (group, 1),
        (alone.clone(), 0),
        (
            smokes().replace("</obs", &format!("{}</obs", within("REFR", &alone))),
            1,
        ),
    ] {
        let draft = read("75310-3", "", &entry);
        let told = one(&draft, "DocumentReference");
        assert_eq!(told["masterIdentifier"]["value"], "doc", "{entry}");
        let related = told["context"]["related"].as_array().map_or(0, Vec::len);
        if entry.contains(r#"codeSystem="1.2.3""#) {
            assert_eq!(told["category"][0]["coding"][0]["code"], "1", "{entry}");
        }
        if many == 0 {
            assert_eq!(told["category"][0]["coding"][0]["code"], "1");
        }
        assert_eq!(related, many, "{entry}");
        assert_eq!(
            why_lost(&draft, "externalDocument/id"),
            Vec::<String>::new(),
            "{entry}"
        );
    }
}

/// Who is a member of a team is one as long as they take part in it, where nothing else is said.
#[test]
fn a_member_of_a_team_is_one_as_long_as_they_take_part() {
    let member = |when: &str, time: &str| {
        let act = format!(
            r#"<act classCode="PCPR" moodCode="EVN">{}<statusCode code="active"/>{when}<performer typeCode="PRF">{time}<assignedEntity><id root="1.2.7" extension="m"/><assignedPerson><name><family>Ash</family></name></assignedPerson></assignedEntity></performer></act>"#,
            template("2.16.840.1.113883.10.20.22.4.500.1")
        );
        let entry = format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN">{}<code code="86744-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><component>{act}</component></organizer>"#,
            template("2.16.840.1.113883.10.20.22.4.500")
        );
        one(&read("85847-2", "", &entry), "CareTeam")["participant"][0]["period"].clone()
    };
    let time = r#"<time><low value="2019"/></time>"#;
    let when = r#"<effectiveTime><low value="2018"/></effectiveTime>"#;
    assert_eq!(member("", time), json!({"start": "2019"}));
    assert_eq!(member(when, time), json!({"start": "2018"}));
}
