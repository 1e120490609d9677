//! Who cares for the patient now, and who does not, or no longer.

use medibloc_record::EntryOutcome;
use serde_json::{Value, json};

use super::document::{all, one, read, why_lost};

const NOW: &str = r#"<effectiveTime><low value="2018"/></effectiveTime>"#;

fn team(attributes: &str, status: &str, when: &str) -> medibloc_record::Draft {
    let entry = format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.500"/><code code="86744-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><component><act classCode="PCPR" moodCode="EVN" {attributes}><templateId root="2.16.840.1.113883.10.20.22.4.500.1"/><id root="1.5"/><code code="85847-2" codeSystem="2.16.840.1.113883.6.1"/>{status}{when}<performer typeCode="PRF"><sdtc:functionCode code="PCP" codeSystem="2.16.840.1.113883.5.88" displayName="primary care physician"/><assignedEntity><id root="1.6" extension="7"/><assignedPerson><name><given>Ida</given><family>Elm</family></name></assignedPerson></assignedEntity></performer></act></component></organizer>"#
    );
    read("85847-2", "", &entry)
}

fn stated(code: &str) -> String {
    format!(r#"<statusCode code="{code}"/>"#)
}

#[test]
fn who_is_a_member_no_longer_is_no_current_one() {
    let absent = |draft: &medibloc_record::Draft| {
        let team = one(draft, "CareTeam");
        (team.get("participant").cloned(), team.get("note").cloned())
    };
    let ended = json!({"extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]});
    for code in ["completed", "aborted"] {
        let draft = team("", &stated(code), NOW);
        let (members, notes) = absent(&draft);
        assert_eq!(
            members.unwrap()[0]["period"],
            json!({"start": "2018", "_end": ended}),
            "{code}"
        );
        assert_eq!(notes, None);
        let draft = team("", &stated(code), "");
        assert_eq!(
            absent(&draft).0.unwrap()[0]["period"],
            json!({"_end": ended})
        );
        let over = NOW.replace("</eff", r#"<high value="2019"/></eff"#);
        let (members, _) = absent(&team("", &stated(code), &over));
        let span = &members.unwrap()[0]["period"];
        assert_eq!(*span, json!({"start": "2018", "end": "2019"}));
    }
    for code in ["suspended", "held", "new", "cancelled"] {
        let draft = team("", &stated(code), NOW);
        let (members, notes) = absent(&draft);
        assert_eq!(members, None, "{code}");
        let words = notes.unwrap()[0]["text"].as_str().unwrap().to_owned();
        assert!(words.contains("Ida Elm") && words.contains(code), "{words}");
        assert!(words.contains("primary care physician"), "{words}");
    }
    for (attributes, code) in [
        ("", "nullified"),
        ("", "obsolete"),
        (r#"negationInd="true""#, "active"),
    ] {
        let draft = team(attributes, &stated(code), NOW);
        assert_eq!(absent(&draft), (None, None), "{code}");
        assert_eq!(why_lost(&draft, "organizer/act").len(), 1, "{code}");
        let made = all(&draft, "Practitioner").len() + all(&draft, "Procedure").len();
        assert_eq!(made, 0, "{code}");
    }
}

/// A member has no status in FHIR: that it is `active` stands in no element.
#[test]
fn that_a_member_is_one_is_in_no_element() {
    let taken = |draft: &medibloc_record::Draft| -> Vec<bool> {
        let lines = draft.loss.entries.iter();
        let lines = lines.filter(|line| draft.loss.path(line).ends_with("act/statusCode"));
        lines
            .map(|line| line.outcome == EntryOutcome::Converted)
            .collect()
    };
    for (code, is_told) in [("active", false), ("completed", true), ("held", true)] {
        let draft = team("", &stated(code), NOW);
        assert_eq!(taken(&draft), [is_told], "{code}");
    }
    let members: Value = one(&team("", &stated("active"), NOW), "CareTeam")["participant"].clone();
    assert_eq!(members[0]["period"], json!({"start": "2018"}));
    let plain = one(&team("", "", NOW), "CareTeam");
    assert_eq!(plain["participant"], members);
}

/// A team that was given up is no present one.
#[test]
fn a_team_that_was_given_up_is_inactive() {
    for (code, status) in [
        ("active", "active"),
        ("completed", "inactive"),
        ("aborted", "inactive"),
        ("cancelled", "inactive"),
        ("obsolete", "entered-in-error"),
    ] {
        let entry = format!(
            r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.500"/><code code="86744-0" codeSystem="2.16.840.1.113883.6.1"/>{}</organizer>"#,
            stated(code)
        );
        assert_eq!(
            one(&read("85847-2", "", &entry), "CareTeam")["status"],
            status
        );
    }
}
