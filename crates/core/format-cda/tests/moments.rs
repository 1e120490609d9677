//! A single time is that moment, and not the beginning of something that goes on.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::{one, read};
use serde_json::{Value, json};

const SCT: &str = r#"codeSystem="2.16.840.1.113883.6.96""#;
const T: &str = "2.16.840.1.113883.10.20.22.4";

fn note(when: &str) -> Value {
    let entry = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="{T}.202"/><code code="34109-9" codeSystem="2.16.840.1.113883.6.1"/><text>words</text><statusCode code="completed"/>{when}</act>"#
    );
    one(&read("34109-9", "", &entry), "DocumentReference")["context"]["period"].clone()
}

fn concern(when: &str) -> Value {
    let entry = format!(
        r#"<act classCode="ACT" moodCode="EVN"><templateId root="{T}.3"/><code code="CONC" codeSystem="2.16.840.1.113883.5.6"/><statusCode code="completed"/>{when}<entryRelationship typeCode="SUBJ"><observation classCode="OBS" moodCode="EVN"><templateId root="{T}.4"/><code code="55607006" {SCT}/><statusCode code="completed"/><value xsi:type="CD" code="38341003" {SCT}/></observation></entryRelationship></act>"#
    );
    one(&read("11450-4", "", &entry), "Condition")["extension"][0]["valuePeriod"].clone()
}

fn member(state: &str, when: &str) -> Value {
    let entry = format!(
        r#"<organizer classCode="CLUSTER" moodCode="EVN"><templateId root="{T}.500"/><code code="86744-0" codeSystem="2.16.840.1.113883.6.1"/><statusCode code="active"/><component><act classCode="PCPR" moodCode="EVN"><templateId root="{T}.500.1"/><code code="85847-2" codeSystem="2.16.840.1.113883.6.1"/>{state}{when}<performer typeCode="PRF"><assignedEntity><id root="1.2.9" extension="d"/></assignedEntity></performer></act></component></organizer>"#
    );
    one(&read("85847-2", "", &entry), "CareTeam")["participant"][0]["period"].clone()
}

#[test]
fn a_single_time_is_no_open_beginning() {
    let day = json!({"start": "2013-06-16", "end": "2013-06-16"});
    let open = json!({"start": "2013-06-16"});
    for (when, wanted) in [
        (r#"<effectiveTime value="20130616"/>"#, &day),
        (
            r#"<effectiveTime><center value="20130616"/></effectiveTime>"#,
            &day,
        ),
        (
            r#"<effectiveTime><low value="20130616"/></effectiveTime>"#,
            &open,
        ),
    ] {
        assert_eq!(note(when), *wanted, "note {when}");
        assert_eq!(concern(when), *wanted, "concern {when}");
        assert_eq!(member("", when), *wanted, "member {when}");
        // Who is a member at present did not cease to be one then.
        let state = r#"<statusCode code="active"/>"#;
        assert_eq!(member(state, when), open, "member {when}");
    }
}
