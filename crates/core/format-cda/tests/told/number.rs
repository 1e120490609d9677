//! A number that is none tells nobody apart.

use super::document::{all, with_header};

/// What is filled in where there is no number.
const FILLERS: &[&str] = &[
    "UNK",
    "unk",
    "NI",
    "NA",
    "N/A",
    "n/a",
    "none",
    "None",
    "unknown",
    "UNKNOWN",
    "null",
    "0",
    "000",
    "-",
    "",
    "999999999",
    "999-99-9999",
    "not available",
];
/// A register, and the numbers of a house.
const ROOTS: &[&str] = &["2.16.840.1.113883.4.6", "1.2.3.4.5.6"];

fn person(root: &str, number: &str, name: &str) -> String {
    let name = match name {
        "" => String::new(),
        name => format!("<assignedPerson><name><family>{name}</family></name></assignedPerson>"),
    };
    format!(
        r#"<author><time value="2025"/><assignedAuthor><id root="{root}" extension="{number}"/>{name}</assignedAuthor></author>"#
    )
}

/// Two who have it are two, of whatever kind they are, and so are their resources' ids in another document.
#[test]
fn what_is_no_number_joins_nobody() {
    for root in ROOTS {
        for (filler, is_one) in FILLERS
            .iter()
            .map(|one| (*one, false))
            .chain([("17", true)])
        {
            let why = format!("{root} {filler:?}");
            let nameless = ["", ""].map(|name| person(root, filler, name)).concat();
            let many = all(&with_header(&nameless), "Practitioner").len();
            assert_eq!(many == 1, is_one, "{why}");
            let named = ["Ash", ""].map(|name| person(root, filler, name)).concat();
            let made = all(&with_header(&named), "Practitioner");
            let with_name = made.iter().filter(|one| one.get("name").is_some()).count();
            assert_eq!(with_name, 1, "{why}");
            if filler.bytes().all(|one| one != b'9') {
                assert_eq!(made.len() == 1, is_one, "{why}");
            }
            // Those who have one number and two names are two in any case.
            let two = ["Ash", "Elm"]
                .map(|name| person(root, filler, name))
                .concat();
            assert_eq!(all(&with_header(&two), "Practitioner").len(), 2, "{why}");
            // The same of devices and houses.
            let device = |place: &str| {
                format!(
                    r#"<author><time value="2025"/><assignedAuthor><id root="{root}" extension="{filler}"/><telecom value="tel:{place}"/><assignedAuthoringDevice><softwareName>S</softwareName></assignedAuthoringDevice></assignedAuthor></author>"#
                )
            };
            let two = [device("1"), device("2")].concat();
            assert_eq!(
                all(&with_header(&two), "Device").len() == 1,
                is_one,
                "{why}"
            );
            let house = |place: &str| {
                format!(
                    r#"<author><time value="2025"/><assignedAuthor><id nullFlavor="NI"/><representedOrganization><id root="{root}" extension="{filler}"/><telecom value="tel:{place}"/><name>H</name></representedOrganization></assignedAuthor></author>"#
                )
            };
            let two = [house("1"), house("2")].concat();
            assert_eq!(
                all(&with_header(&two), "Organization").len() == 1,
                is_one,
                "{why}"
            );
        }
    }
}

/// It is no value of an identifier either, for whoever joins by that.
#[test]
fn what_is_no_number_is_no_value() {
    for filler in ["UNK", "n/a", "none", "unknown"] {
        let made = all(
            &with_header(&person(ROOTS[0], filler, "Ash")),
            "Practitioner",
        );
        let id = &made[0]["identifier"][0];
        assert_eq!(id["system"], "http://hl7.org/fhir/sid/us-npi");
        assert_eq!(id.get("value"), None, "{id}");
        assert!(id["_value"].to_string().contains(filler), "{id}");
    }
}

/// Visits of such a number are several, and statements keep ids of their own.
#[test]
fn visits_without_a_number_are_not_one() {
    for (filler, many) in [("UNK", 2), ("0", 2), ("", 2), ("17", 1)] {
        let visit = format!(
            r#"<entry><encounter classCode="ENC" moodCode="EVN"><id root="1.2.3.4.5.6" extension="{filler}"/><code code="99213" codeSystem="2.16.840.1.113883.6.12"/><statusCode code="completed"/><effectiveTime value="20240815"/></encounter></entry>"#
        );
        let two = [
            visit.as_str(),
            &visit.replace("<statusCode", "<text>x</text><statusCode"),
        ]
        .concat();
        let xml = super::document::whole("", "46240-8", "", &two);
        let draft =
            medibloc_record::Format::read(&medibloc_format_cda::Cda, xml.as_bytes()).unwrap();
        assert_eq!(all(&draft, "Encounter").len(), many, "{filler:?}");
    }
}
