//! Which statements of visits are of one.

use serde_json::Value;

use super::{Cda, all, document::whole};
use medibloc_record::Format as _;

fn stay(id: &str, time: &str) -> String {
    format!(
        r#"<componentOf><encompassingEncounter><id {id}/><code code="AMB" codeSystem="2.16.840.1.113883.5.4"/><effectiveTime>{time}</effectiveTime></encompassingEncounter></componentOf>"#
    )
}

fn visit(id: &str, code: &str, time: &str, more: &str) -> String {
    format!(
        r#"<entry><encounter classCode="ENC" moodCode="EVN"><id {id}/><code code="{code}" codeSystem="2.16.840.1.113883.6.12"/>{time}{more}</encounter></entry>"#
    )
}

fn at(day: &str) -> String {
    format!(r#"<effectiveTime value="{day}"/>"#)
}

/// When each visit began, and of which sorts it is.
fn told(header: &str, entries: &[String]) -> Vec<(Value, Vec<Value>)> {
    let xml = whole(header, "46240-8", "", &entries.concat());
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let visits = all(&draft, "Encounter");
    visits
        .iter()
        .map(|one| {
            let sorts = one["type"].as_array().cloned().unwrap_or_default();
            let sorts = sorts.iter().map(|sort| sort["coding"][0]["code"].clone());
            (one["period"]["start"].clone(), sorts.collect())
        })
        .collect()
}

fn is(day: &str, sorts: &[&str]) -> (Value, Vec<Value>) {
    let day = if day.is_empty() {
        Value::Null
    } else {
        day.into()
    };
    (day, sorts.iter().map(|sort| (*sort).into()).collect())
}

const A: &str = r#"root="1.2.840.7" extension="1""#;
/// A program gives each visit of a document this one.
const ROOT: &str = r#"root="2a620155-9d11-439e-92b3-5d9815ff4de8""#;

#[test]
fn a_number_alone_makes_no_two_visits_one() {
    for id in [A, ROOT] {
        let first = visit(id, "99213", &at("20240105"), "");
        for (code, time, wanted) in [
            ("99213", at("20240105"), vec![is("2024-01-05", &["99213"])]),
            (
                "99213",
                r#"<effectiveTime><low value="20240105"/></effectiveTime>"#.to_owned(),
                vec![is("2024-01-05", &["99213"])],
            ),
            // It says no more than which one it is.
            ("99213", String::new(), vec![is("2024-01-05", &["99213"])]),
            (
                "99213",
                at("20240206"),
                vec![is("2024-01-05", &["99213"]), is("2024-02-06", &["99213"])],
            ),
            (
                "99241",
                at("20240105"),
                vec![is("2024-01-05", &["99213"]), is("2024-01-05", &["99241"])],
            ),
            (
                "99241",
                String::new(),
                vec![is("2024-01-05", &["99213"]), is("", &["99241"])],
            ),
        ] {
            let more = r#"<sdtc:dischargeDispositionCode code="01" codeSystem="2.16.840.1.113883.6.301.5"/>"#;
            let second = visit(id, code, &time, more);
            let found = told("", &[first.clone(), second]);
            assert_eq!(found, wanted, "{id} {code} {time}");
        }
    }
}

#[test]
fn a_visit_is_the_stay_of_the_header_only_if_it_was_then() {
    let day = r#"<low value="20240105100000+0000"/><high value="20240106"/>"#;
    for (time, wanted) in [
        (at("20240105"), 1),
        (at("2024"), 1),
        (String::new(), 1),
        (at("20240107"), 2),
        (
            r#"<effectiveTime><low value="20231201"/><high value="20231203"/></effectiveTime>"#
                .to_owned(),
            2,
        ),
    ] {
        let found = told(&stay(A, day), &[visit(A, "99213", &time, "")]);
        assert_eq!(found.len(), wanted, "{time}");
    }
    // One of them is the stay; the others share no more than its number.
    let days = ["20231220", "20240105", "20240106"];
    let visits = days.map(|day| visit(ROOT, "99213", &at(day), ""));
    let found = told(&stay(ROOT, day), &visits);
    let begins: Vec<_> = found.iter().map(|(day, _)| day.clone()).collect();
    assert_eq!(
        begins,
        ["2024-01-05T10:00:00+00:00", "2023-12-20", "2024-01-06"]
    );
}

/// A visit to come that stands in one of its number, and says what that is, is that one.
#[test]
fn a_visit_around_the_same_is_one_with_it() {
    let planned = |id: &str, code: &str, inner: &str| {
        format!(
            r#"<entry><encounter classCode="ENC" moodCode="ARQ"><id {id}/>{code}<entryRelationship typeCode="REFR">{inner}</entryRelationship></encounter></entry>"#
        )
    };
    let inner = |id: &str, code: &str| {
        let entry = visit(id, code, &at("20240105"), "");
        entry.replace("<entry>", "").replace("</entry>", "")
    };
    let own = r#"<code code="99213" codeSystem="2.16.840.1.113883.6.12"/>"#;
    let other = r#"root="1.2.840.7" extension="2""#;
    for (id, code, wanted) in [
        (A, "", vec![is("2024-01-05", &["99213"])]),
        (other, "", vec![is("", &[]), is("2024-01-05", &["99213"])]),
        // One that has a name of its own is not told by what happened.
        (
            A,
            own,
            vec![is("", &["99213"]), is("2024-01-05", &["99213"])],
        ),
    ] {
        let entry = planned(A, code, &inner(id, "99213"));
        assert_eq!(told("", &[entry]), wanted, "{id} {code}");
    }
    let entry = planned(A, "", &inner(A, "99213"));
    let draft = Cda
        .read(whole("", "18776-5", "", &entry).as_bytes())
        .unwrap();
    let made = super::document::one(&draft, "Encounter");
    assert_eq!(made["status"], "planned");
    assert_eq!(made["class"]["code"], "AMB");
}

/// A stay whose end is before its beginning is the visit that began with it, and the account tells what of the times is in no element.
#[test]
fn a_visit_that_began_with_the_stay_is_the_stay() {
    let reversed = r#"<low value="20240105100000+0000"/><high value="20230106"/>"#;
    let begin = Value::from("2024-01-05T10:00:00+00:00");
    for (high, began, is_told) in [
        (r#"<high nullFlavor="UNK"/>"#, begin, true),
        // Here nobody knows which of both ends it is.
        (r#"<high value="20240107"/>"#, Value::Null, false),
    ] {
        let time =
            format!(r#"<effectiveTime><low value="20240105100000+0000"/>{high}</effectiveTime>"#);
        let header = stay(A, reversed)
            .replace("AMB", "")
            .replace(r#"code="" "#, "");
        let xml = whole(&header, "46240-8", "", &visit(A, "99213", &time, ""));
        let draft = Cda.read(xml.as_bytes()).unwrap();
        let made = super::document::one(&draft, "Encounter");
        assert_eq!(made["period"]["start"], began);
        assert!(made["period"].get("end").is_none());
        let words = &made["period"]["_end"]["extension"][0]["valueString"];
        assert_eq!(*words, "20230106");
        // The visit says of which class the stay was.
        assert_eq!(made["class"]["code"], "AMB");
        let carried = |end: &str| {
            let mut lines = draft.loss.entries.iter();
            let line = lines.rfind(|line| draft.loss.path(line).ends_with(end));
            line.unwrap().outcome == medibloc_record::EntryOutcome::Converted
        };
        assert_eq!(carried("encounter/low"), is_told);
    }
    // Two ends: one of them is the stay's, and the other is told to be in no element.
    let day = r#"<low value="20240105"/><high value="20240106"/>"#;
    let time = r#"<effectiveTime><low value="20240105"/><high value="20240108"/></effectiveTime>"#;
    let xml = whole(&stay(A, day), "46240-8", "", &visit(A, "99213", time, ""));
    let draft = Cda.read(xml.as_bytes()).unwrap();
    let made = super::document::one(&draft, "Encounter");
    assert_eq!(made["period"]["end"], "2024-01-06");
    let lines = draft.loss.entries.iter();
    let mut ends = lines.filter(|line| draft.loss.path(line).ends_with("encounter/high"));
    let fate = ends.next().unwrap().outcome;
    assert_eq!(fate, medibloc_record::EntryOutcome::Lost);
}
