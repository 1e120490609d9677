//! Vaccines that were refused.

use medibloc_format_cda::Cda;
use medibloc_record::Format as _;

use super::{
    document::{one, read, whole},
    vaccine,
};

/// A vaccine that is said to be given, and why it was refused: whoever believes that it was given would not give it.
#[test]
fn a_vaccine_that_was_refused_was_not_given() {
    const REFUSAL: &str = r#"<templateId root="2.16.840.1.113883.10.20.22.4.53"/>"#;
    let why = |kind: &str, attributes: &str, parts: &str| {
        format!(
            r#"<statusCode code="completed"/><entryRelationship typeCode="{kind}"><observation classCode="OBS" moodCode="EVN" {attributes}>{parts}<statusCode code="completed"/></observation></entryRelationship>"#
        )
    };
    let code = |code: &str, system: &str| format!(r#"<code code="{code}" codeSystem="{system}"/>"#);
    let refusal = |code: &str| format!("{REFUSAL}{code}");
    let (patient, reasons) = ("2.16.840.1.113883.5.8", "2.16.840.1.113883.11.19725");
    for (denial, parts, wanted) in [
        (
            r#"negationInd="false""#,
            why("RSON", "", &refusal(&code("PATOBJ", reasons))),
            "contradicted",
        ),
        (
            "",
            why("RSON", "", &refusal(&code("PATOBJ", patient))),
            "contradicted",
        ),
        ("", why("RSON", "", &code("RELIG", patient)), "contradicted"),
        (
            "",
            why("COMP", "", &refusal(&code("OSTOCK", patient))),
            "contradicted",
        ),
        (
            r#"negationInd="true""#,
            why("RSON", "", &refusal(&code("PATOBJ", patient))),
            "not-done",
        ),
        // It says of no reason, denies it, or says why it was given.
        (
            "",
            why("RSON", "", &refusal(r#"<code nullFlavor="NI"/>"#)),
            "completed",
        ),
        (
            "",
            why(
                "RSON",
                r#"negationInd="true""#,
                &refusal(&code("PATOBJ", patient)),
            ),
            "completed",
        ),
        (
            "",
            why("RSON", "", &code("1", "2.16.840.1.113883.6.96")),
            "completed",
        ),
        ("", why("COMP", "", &code("RELIG", patient)), "completed"),
    ] {
        let given = vaccine(&format!(r#"moodCode="EVN" {denial}"#), &parts);
        let made = one(&read("11369-6", "", &given), "Immunization");
        let status = if wanted == "contradicted" {
            "not-done"
        } else {
            wanted
        };
        assert_eq!(made["status"], status, "{given}");
        let has_why = made.get("statusReason").is_some();
        assert_eq!(has_why, status == "not-done", "{given}");
        let stated = &made["_status"]["extension"][0];
        if wanted == "contradicted" {
            assert_eq!(
                stated["url"],
                "https://medibloc.org/fhir/StructureDefinition/stated-status"
            );
            assert_eq!(stated["valueCode"], "completed");
        } else {
            assert!(stated.is_null(), "{given}");
        }
    }
}

/// Why a vaccine was refused is no reason for giving it, also where the reason is named by its number.
#[test]
fn a_reason_named_elsewhere_is_why_not() {
    let pointer = r#"<id root="1.9" extension="v"/><entryRelationship typeCode="RSON"><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/><id root="1.9" extension="why"/><code nullFlavor="NP"/></act></entryRelationship>"#;
    let why = r#"<observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.53"/><id root="1.9" extension="why"/><code code="MEDPREC" codeSystem="2.16.840.1.113883.5.8"/><statusCode code="completed"/></observation>"#;
    let entries = |denied: &str| {
        let given = vaccine(
            &format!(r#"moodCode="EVN" negationInd="{denied}""#),
            pointer,
        );
        let xml = whole(
            "",
            "11369-6",
            "",
            &format!("<entry>{given}</entry><entry>{why}</entry>"),
        );
        one(&Cda.read(xml.as_bytes()).unwrap(), "Immunization")
    };
    let refused = entries("true");
    assert_eq!(refused["statusReason"]["coding"][0]["code"], "MEDPREC");
    assert!(refused.get("reasonReference").is_none());
    let given = entries("false");
    assert_eq!(given["status"], "not-done");
    assert_eq!(given["_status"]["extension"][0]["valueCode"], "completed");
    assert_eq!(given["statusReason"]["coding"][0]["code"], "MEDPREC");
    assert!(given.get("reasonReference").is_none());
}

/// Only a refusal that stands is one, from whichever end it is named, and a vaccine that was made in error stays that.
#[test]
fn what_is_named_elsewhere_refuses_as_what_stands_inside() {
    const PATIENT: &str = "2.16.840.1.113883.5.8";
    let id = |name: &str| format!(r#"<id root="1.9" extension="{name}"/>"#);
    let pointer = |link: &str, name: &str| {
        format!(
            r#"<entryRelationship {link}><act classCode="ACT" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.122"/>{}<code nullFlavor="NP"/></act></entryRelationship>"#,
            id(name)
        )
    };
    let why = |attributes: &str, parts: &str| {
        format!(
            r#"<observation classCode="OBS" moodCode="EVN" {attributes}>{}{parts}<statusCode code="completed"/></observation>"#,
            id("why")
        )
    };
    let code = |system: &str| format!(r#"<code code="MEDPREC" codeSystem="{system}"/>"#);
    let template = r#"<templateId root="2.16.840.1.113883.10.20.22.4.53"/>"#;
    let refusal = [template, &code(PATIENT)].concat();
    let told = |state: &str, inside: &str, why: &str| {
        let state = format!(r#"<statusCode code="{state}"/>"#);
        let parts = [id("v").as_str(), &state, inside].concat();
        let given = vaccine(r#"moodCode="EVN""#, &parts);
        let entries = format!("<entry>{given}</entry><entry>{why}</entry>");
        let xml = whole("", "11369-6", "", &entries);
        one(&Cda.read(xml.as_bytes()).unwrap(), "Immunization")["status"].clone()
    };
    let named = |kind: &str| pointer(&format!(r#"typeCode="{kind}""#), "why");
    let denied = r#"negationInd="true""#;
    for (state, inside, why, wanted) in [
        ("completed", named("RSON"), why("", &refusal), "not-done"),
        ("completed", named("COMP"), why("", &refusal), "not-done"),
        (
            "completed",
            named("RSON"),
            why("", &code(PATIENT)),
            "not-done",
        ),
        (
            "completed",
            named("COMP"),
            why("", &code(PATIENT)),
            "completed",
        ),
        (
            "completed",
            named("RSON"),
            why("", &code("2.16.840.1.113883.6.96")),
            "completed",
        ),
        (
            "completed",
            named("RSON"),
            why(denied, &refusal),
            "completed",
        ),
        (
            "nullified",
            named("RSON"),
            why("", &refusal),
            "entered-in-error",
        ),
        (
            "completed",
            String::new(),
            why(
                "",
                &[
                    refusal.clone(),
                    pointer(r#"typeCode="RSON" inversionInd="true""#, "v"),
                ]
                .concat(),
            ),
            "not-done",
        ),
    ] {
        assert_eq!(told(state, &inside, &why), wanted, "{inside} {why}");
    }
}

/// A code for that no vaccine was given (CVX 998) says so, whatever the status.
#[test]
fn no_vaccine_is_none_that_was_given() {
    for (code, system, status, given) in [
        ("998", "2.16.840.1.113883.12.292", "completed", "not-done"),
        ("998", "2.16.840.1.113883.6.59", "completed", "not-done"),
        ("998", "2.16.840.1.113883.6.96", "completed", "completed"),
        ("88", "2.16.840.1.113883.12.292", "completed", "completed"),
        ("998", "2.16.840.1.113883.12.292", "aborted", "not-done"),
    ] {
        let entry = format!(
            r#"<substanceAdministration classCode="SBADM" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.52"/><statusCode code="{status}"/><effectiveTime value="2020"/><consumable><manufacturedProduct><manufacturedMaterial><code code="{code}" codeSystem="{system}"/></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"#
        );
        let shot = one(&read("11369-6", "", &entry), "Immunization");
        assert_eq!(shot["status"], given, "{code} {system} {status}");
        let stated = &shot["_status"]["extension"][0]["valueCode"];
        let is_contradicted = status == "completed" && given == "not-done";
        assert_eq!(stated.as_str(), is_contradicted.then_some("completed"));
    }
}
