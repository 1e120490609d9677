//! Times: what is stated, as precise as it is stated.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{all, one, read, whole};
use medibloc_format_cda::Cda;
use medibloc_record::{Draft, Format as _};
use serde_json::{Value, json};

/// The time of day that a resource has for one of its elements.
fn local(of: &Value, element: &str) -> Value {
    let all = of["extension"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|one| {
        one["url"].as_str().unwrap().ends_with("/local-time")
            && one["extension"][0]["valueString"] == element
    });
    found.map_or(Value::Null, |one| {
        one["extension"][1]["valueString"].clone()
    })
}

#[test]
fn a_time_says_no_more_and_no_less_than_its_source() {
    let at = |when: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime{when}</observation>"#
        );
        one(&read("30954-2", "", &entry), "Observation")
    };
    for (when, key, wanted) in [
        (r#" value="2024"/>"#, "effectiveDateTime", json!("2024")),
        (
            r#" value="202402290830-0500"/>"#,
            "effectiveDateTime",
            json!("2024-02-29T08:30:00-05:00"),
        ),
        (
            r#" value="20240229083015.250+0100"/>"#,
            "effectiveDateTime",
            json!("2024-02-29T08:30:15.250+01:00"),
        ),
        (
            r#" value="20240229000000"/>"#,
            "effectiveDateTime",
            json!("2024-02-29"),
        ),
        (
            r#"><low value="2023"/><high value="2024"/></effectiveTime>"#,
            "effectivePeriod",
            json!({"start": "2023", "end": "2024"}),
        ),
        (
            r#"><high value="2024"/></effectiveTime>"#,
            "effectivePeriod",
            json!({"end": "2024"}),
        ),
        (
            r#"><center value="20240601"/></effectiveTime>"#,
            "effectiveDateTime",
            json!("2024-06-01"),
        ),
    ] {
        assert_eq!(at(when)[key], wanted, "{when}");
    }
    // A time of day whose zone nobody states stands apart, in a document that states one for its own time, too.
    let seen = at(r#" value="202402290830"/>"#);
    assert_eq!(seen["effectiveDateTime"], "2024-02-29");
    assert_eq!(local(&seen, "effectiveDateTime"), "08:30:00");
    assert!(seen.get("_effectiveDateTime").is_none());
    // A midnight is one, too, at either end of a day.
    let seen = at(r#" value="20240229000000"/>"#);
    assert_eq!(local(&seen, "effectiveDateTime"), "00:00:00");
    let seen = at(r#" value="20240229240000"/>"#);
    assert_eq!(seen["effectiveDateTime"], "2024-02-29");
    assert_eq!(local(&seen, "effectiveDateTime"), "240000");
    // No calendar has it.
    assert!(
        at(r#" value="20230229"/>"#)
            .get("effectiveDateTime")
            .is_none()
    );
}

/// An end alone is no beginning.
#[test]
fn an_end_never_becomes_the_onset() {
    for (when, onset, end) in [
        (r#"<high value="2024"/>"#, Value::Null, json!("2024")),
        (
            r#"<low nullFlavor="UNK"/><high value="2024"/>"#,
            Value::Null,
            json!("2024"),
        ),
        (r#"<low value="2023"/>"#, json!("2023"), Value::Null),
    ] {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1"/><effectiveTime>{when}</effectiveTime><value xsi:type="CD" code="1" codeSystem="2.16.840.1.113883.6.96"/></observation>"#
        );
        let condition = one(&read("11450-4", "", &entry), "Condition");
        assert_eq!(condition["onsetDateTime"], onset, "{when}");
        assert_eq!(condition["abatementDateTime"], end, "{when}");
    }
}

/// The zone of a document's own time is none of the times in it: they may be of another season or place (docs/adr/0026).
#[test]
fn the_zone_of_the_document_is_not_lent_to_the_times_in_it() {
    let who = r#"<assignedAuthor><id root="1.2.8" extension="7"/><assignedPerson><name><family>Doe</family></name></assignedPerson></assignedAuthor>"#;
    let header = format!(
        r#"<recordTarget><patientRole><patient><birthTime value="194705010730"/></patient></patientRole></recordTarget><author><time value="20250104101500"/>{who}</author>"#
    );
    let entries = format!(
        r#"<entry><encounter classCode="ENC" moodCode="EVN"><id root="1.2.9" extension="v"/><effectiveTime><low value="202407010830"/><high value="202407010930+0200"/></effectiveTime></encounter></entry>
        <entry><observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="202407010845"/><value xsi:type="TS" value="202407010800"/><author><time value="202407010850"/>{who}</author></observation></entry>
        <entry><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.202"/><code code="34109-9" codeSystem="2.16.840.1.113883.6.1"/><text>words</text><effectiveTime value="202407010900"/><author><time value="202407010905"/>{who}</author></act></entry>"#
    );
    let xml = whole(&header, "30954-2", "", &entries).replace(
        r#"<effectiveTime value="20250101"/>"#,
        r#"<effectiveTime value="20250104101500+0100"/>"#,
    );
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let mixed = xml
        .replace("202407010830", "202407010830+0200")
        .replace("202407010930+0200", "202407010930");
    let visit = one(&Cda.read(mixed.as_bytes()).unwrap(), "Encounter");
    assert_eq!(
        visit["period"],
        json!({"start": "2024-07-01", "end": "2024-07-01"})
    );
    assert_eq!(local(&visit, "period.start"), "08:30:00+02:00");
    assert_eq!(local(&visit, "period.end"), "09:30:00");
    // What states a zone has it.
    let composition = one(&draft, "Composition");
    assert_eq!(composition["date"], "2025-01-04T10:15:00+01:00");
    assert_eq!(draft.fhir["timestamp"], "2025-01-04T10:15:00+01:00");
    let wrote = &composition["author"][0]["extension"][0];
    assert_eq!(wrote["valueDateTime"], "2025-01-04");
    let path = "author[0].extension[0].valueDateTime";
    assert_eq!(local(&composition, path), "10:15:00");
    let visit = one(&draft, "Encounter");
    // Both ends by their day: a moment and the day that it is in have no order.
    assert_eq!(
        visit["period"],
        json!({"start": "2024-07-01", "end": "2024-07-01"})
    );
    assert_eq!(local(&visit, "period.start"), "08:30:00");
    assert_eq!(local(&visit, "period.end"), "09:30:00+02:00");
    let seen = one(&draft, "Observation");
    assert_eq!(seen["effectiveDateTime"], "2024-07-01");
    assert_eq!(local(&seen, "effectiveDateTime"), "08:45:00");
    assert_eq!(seen["valueString"], "202407010800");
    // An instant is none without a zone.
    assert!(seen.get("issued").is_none());
    let day = &seen["_issued"]["extension"][0];
    assert_eq!(day["valueDateTime"], "2024-07-01");
    let inner = &day["_valueDateTime"]["extension"][0];
    assert_eq!(inner["valueString"], "08:50:00");
    let notes = all(&draft, "DocumentReference");
    assert!(notes[0].get("date").is_none());
    assert_eq!(local(&notes[0], "context.period.start"), "09:00:00");
    let patient = one(&draft, "Patient");
    assert_eq!(patient["birthDate"], "1947-05-01");
    assert_eq!(local(&patient, "birthDate"), "07:30:00");
    for one in all(&draft, "Provenance") {
        assert_eq!(one["recorded"], "2025-01-04T10:15:00+01:00");
        assert!(matches!(
            one["occurredDateTime"].as_str(),
            Some("2024-07-01" | "2025-01-04")
        ));
    }
}

/// What is written in another form is read where it can be read in one way alone, and else kept in its own words.
#[test]
fn a_time_in_another_form_is_read_in_one_way_or_not_at_all() {
    let at = |raw: &str| {
        let entry = format!(
            r#"<observation classCode="OBS" moodCode="EVN"><code code="1-8" codeSystem="2.16.840.1.113883.6.1"/><effectiveTime value="{raw}"/></observation>"#
        );
        let seen = one(&read("30954-2", "", &entry), "Observation");
        let day = seen["effectiveDateTime"].clone();
        let time = local(&seen, "effectiveDateTime");
        if !time.is_null() {
            return (day, "local-time".to_owned(), time);
        }
        let beside = &seen["_effectiveDateTime"]["extension"][0];
        let kind = beside["url"].as_str().unwrap_or_default();
        let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
        (day, kind, beside["valueString"].clone())
    };
    let exact = |at: &str| (json!(at), String::new(), Value::Null);
    let by_day = |at: &str, time: &str| (json!(at), "local-time".to_owned(), json!(time));
    let words = |words: &str| (Value::Null, "stated-time".to_owned(), json!(words));
    for (raw, wanted) in [
        ("2013-02-05", exact("2013-02-05")),
        ("2013-02", exact("2013-02")),
        ("2013-2-5", exact("2013-02-05")),
        ("2013/02/05", exact("2013-02-05")),
        ("2013.02.05", exact("2013-02-05")),
        ("2013-02-05T10:20", by_day("2013-02-05", "10:20:00")),
        ("2013-02-05 10:20:30", by_day("2013-02-05", "10:20:30")),
        ("20130205T10:20", by_day("2013-02-05", "10:20:00")),
        ("20130205 1020", by_day("2013-02-05", "10:20:00")),
        ("20130205T9:05", by_day("2013-02-05", "09:05:00")),
        ("20130205T102000Z", exact("2013-02-05T10:20:00Z")),
        (
            "2013-02-05T10:20:30.5+01:00",
            exact("2013-02-05T10:20:30.5+01:00"),
        ),
        (
            "2013-02-05T10:20:30 +0100",
            exact("2013-02-05T10:20:30+01:00"),
        ),
        // Half a day is in its own words.
        ("2013-02-05 10:20 PM", by_day("2013-02-05", "10:20 PM")),
        ("20130205 10:20 Uhr", by_day("2013-02-05", "10:20 Uhr")),
        ("20130205 10:20 EST", by_day("2013-02-05", "10:20 EST")),
        ("20130205102000-9999", by_day("2013-02-05", "10:20:00-9999")),
        ("201302052530", by_day("2013-02-05", "2530")),
        // Which is the day and which the month, or how sure it is, is not certain.
        ("02/05/2013", words("02/05/2013")),
        ("20130205 approx.", words("20130205 approx.")),
        ("before 2013", words("before 2013")),
        ("2013020510200", words("2013020510200")),
        ("2013-02-30", words("2013-02-30")),
        ("2013-13", words("2013-13")),
        ("spring", words("spring")),
    ] {
        assert_eq!(at(raw), wanted, "{raw}");
    }
}

/// What becomes of the only element of that name, by the report: an element of a resource, or why it is in none.
fn fate(draft: &Draft, end: &str) -> String {
    let mut lines = draft.loss.entries.iter();
    let line = lines
        .find(|line| draft.loss.path(line).ends_with(end))
        .unwrap();
    let because = line.because.as_deref().unwrap_or_default();
    format!("{}{because}", line.element)
}

/// A time that no calendar has is kept in the words of the source, wherever it stands, and no period is open for want of its end.
#[test]
fn a_time_that_cannot_be_read_stands_in_its_own_words() {
    let words = |words: &str| json!({"extension": [{"url": "https://medibloc.org/fhir/StructureDefinition/stated-time", "valueString": words}]});
    let span = r#"<effectiveTime><low value="201102019"/><high value="20100431"/></effectiveTime>"#;
    let (low, high) = (words("201102019"), words("20100431"));
    let sct = r#"codeSystem="2.16.840.1.113883.6.96""#;
    let code = format!(r#"<code code="1" {sct}/>"#);
    let product = format!(
        r#"<consumable><manufacturedProduct><manufacturedMaterial>{code}</manufacturedMaterial></manufacturedProduct></consumable>"#
    );
    let period = |made: &Value, element: &str| {
        assert!(made[element].get("start").is_none());
        assert!(made[element].get("end").is_none());
        assert_eq!(
            (&made[element]["_start"], &made[element]["_end"]),
            (&low, &high),
            "{element}"
        );
    };
    // A problem that has an end is over, whenever that was.
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><code code="1"/>{span}<value xsi:type="CD" code="1" {sct}/></observation>"#
    );
    let draft = read("11450-4", "", &entry);
    let made = one(&draft, "Condition");
    assert_eq!(
        (&made["_onsetDateTime"], &made["_abatementDateTime"]),
        (&low, &high)
    );
    assert_eq!(made["clinicalStatus"]["coding"][0]["code"], "resolved");
    assert!(fate(&draft, "high").contains("abatementDateTime"));
    // Words that name no year end nothing.
    let entry = entry.replace("20100431", "ongoing");
    let made = one(&read("11450-4", "", &entry), "Condition");
    assert!(made.get("_abatementDateTime").is_none() && made.get("clinicalStatus").is_none());
    assert_eq!(made["extension"][0], words("ongoing")["extension"][0]);
    // Other intervals.
    for (section, entry, kind, element) in [
        (
            "10160-0",
            format!(
                r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{span}{product}</substanceAdministration>"#
            ),
            "MedicationStatement",
            "effectivePeriod",
        ),
        (
            "47519-4",
            format!(r#"<procedure classCode="PROC" moodCode="EVN">{code}{span}</procedure>"#),
            "Procedure",
            "performedPeriod",
        ),
        (
            "46240-8",
            format!(r#"<encounter classCode="ENC" moodCode="EVN">{code}{span}</encounter>"#),
            "Encounter",
            "period",
        ),
        (
            "30954-2",
            format!(r#"<observation classCode="OBS" moodCode="EVN">{code}{span}</observation>"#),
            "Observation",
            "effectivePeriod",
        ),
        (
            "48768-6",
            format!(
                r#"<act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.61"/>{code}{span}</act>"#
            ),
            "Coverage",
            "period",
        ),
    ] {
        let draft = read(section, "", &entry);
        period(&one(&draft, kind), element);
        assert!(fate(&draft, "low").contains(element.split('.').next().unwrap()));
    }
    // Moments.
    let bad = words("20100431");
    let at = r#"<effectiveTime value="20100431"/>"#;
    let entry = format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="INT">{at}{product}</substanceAdministration>"#
    );
    let order = one(&read("10160-0", "", &entry), "MedicationRequest");
    assert_eq!(
        order["dosageInstruction"][0]["timing"],
        json!({"_event": [bad]})
    );
    let entry = format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.52"/>{at}{product}</substanceAdministration>"#
    );
    let made = one(&read("11369-6", "", &entry), "Immunization");
    assert_eq!(made["_occurrenceDateTime"], bad);
    // Who verified a directive when, when an author wrote, and when somebody was born.
    let entry = format!(
        r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.48"/>{code}<author><time value="20100431"/><assignedAuthor><id root="1.2.3"/></assignedAuthor></author><participant typeCode="VRF"><time value="20100431"/><participantRole><id root="1.2.3.4"/></participantRole></participant></observation>"#
    );
    let draft = read("42348-3", "", &entry);
    let made = one(&draft, "Consent");
    assert_eq!(
        (
            &made["_dateTime"],
            &made["verification"][0]["_verificationDate"]
        ),
        (&bad, &bad)
    );
    assert_eq!(one(&draft, "Provenance")["_occurredDateTime"], bad);
    let header = r#"<recordTarget><patientRole><patient><birthTime value="20100431"/><sdtc:deceasedTime value="20100431"/></patient></patientRole></recordTarget>"#;
    let xml = whole(header, "30954-2", "", "").replace("20250101", "20250431");
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let patient = one(&draft, "Patient");
    assert_eq!(
        (&patient["_birthDate"], &patient["_deceasedDateTime"]),
        (&bad, &bad)
    );
    assert_eq!(one(&draft, "Composition")["_date"], words("20250431"));
    // The earliest author is one whose time can be read.
    let author = |at: &str| {
        format!(
            r#"<author><time value="{at}"/><assignedAuthor><id root="1.2.3"/></assignedAuthor></author>"#
        )
    };
    let entry = format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="EVN">{product}{}{}</substanceAdministration>"#,
        author("20100431"),
        author("20100501")
    );
    let made = one(&read("10160-0", "", &entry), "MedicationStatement");
    assert_eq!(made["dateAsserted"], "2010-05-01");
}

/// A list of times has each of its own, and a plain reader one value for each element that has one.
#[test]
fn a_date_is_one_plain_value_wherever_it_stands() {
    let agent = r#"<consumable><manufacturedProduct><manufacturedMaterial><code code="1" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></consumable>"#;
    let entry = format!(
        r#"<substanceAdministration classCode="SBADM" moodCode="INT"><effectiveTime value="202503040800"/>{agent}</substanceAdministration>"#
    );
    let order = one(&read("10160-0", "", &entry), "MedicationRequest");
    let timing = &order["dosageInstruction"][0]["timing"];
    assert_eq!(timing, &json!({"event": ["2025-03-04"]}));
    let path = "dosageInstruction[0].timing.event[0]";
    assert_eq!(local(&order, path), "08:00:00");
    // What the standard demands beside a date stays there.
    let header = r#"<recordTarget><patientRole><patient><birthTime value="194705010730+0100"/></patient></patientRole></recordTarget>"#;
    let xml = whole(header, "30954-2", "", "");
    let patient = one(&Cda.read(xml.as_bytes()).unwrap(), "Patient");
    let born = &patient["_birthDate"]["extension"][0];
    assert_eq!(born["valueDateTime"], "1947-05-01T07:30:00+01:00");
}

/// When a prescription can be filled: a moment is no beginning of what goes on.
#[test]
fn a_moment_is_a_period_that_ends_with_it() {
    let point = json!({"start": "2024-10-02", "end": "2024-10-02"});
    for (when, wanted) in [
        (r#"<effectiveTime value="20241002"/>"#, point.clone()),
        (
            r#"<effectiveTime xsi:type="IVL_TS" value="20241002"/>"#,
            point.clone(),
        ),
        (
            r#"<effectiveTime><low value="20241002"/></effectiveTime>"#,
            json!({"start": "2024-10-02"}),
        ),
        (
            r#"<effectiveTime><high value="20241002"/></effectiveTime>"#,
            json!({"end": "2024-10-02"}),
        ),
    ] {
        let order = format!(
            r#"<supply classCode="SPLY" moodCode="INT"><templateId root="2.16.840.1.113883.10.20.22.4.17"/><statusCode code="completed"/>{when}<product><manufacturedProduct><manufacturedMaterial><code code="197806" codeSystem="2.16.840.1.113883.6.88"/></manufacturedMaterial></manufacturedProduct></product></supply>"#
        );
        let made = one(&read("10160-0", "", &order), "MedicationRequest");
        assert_eq!(made["dispenseRequest"]["validityPeriod"], wanted, "{when}");
    }
}
