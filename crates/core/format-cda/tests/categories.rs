//! A document is of one category only if everything in it is, whatever its header says.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "shared/document.rs"]
mod document;

use document::whole;
use medibloc_format_cda::Cda;
use medibloc_record::{Category, Format as _};

const LOINC: &str = r#"codeSystem="2.16.840.1.113883.6.1""#;

#[test]
fn a_document_of_one_category_with_something_of_another_is_of_none() {
    let result = format!(
        r#"<entry><organizer classCode="BATTERY" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.1"/><code code="1-8" {LOINC}/><statusCode code="completed"/><component>
        <observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.2"/><code code="1-8" {LOINC}/><statusCode code="completed"/><value xsi:type="ST">x</value></observation>
        </component></organizer></entry>"#
    );
    let problem = r#"<entry><observation classCode="OBS" moodCode="EVN"><templateId root="2.16.840.1.113883.10.20.22.4.4"/><code code="ASSERTION"/><statusCode code="completed"/>
        <value xsi:type="CD" code="86406008" codeSystem="2.16.840.1.113883.6.96"/></observation></entry>"#;
    for (kind, section, entries, category) in [
        ("11502-2", "30954-2", result.as_str(), Category::Laboratory),
        ("11502-2", "30954-2", "", Category::Laboratory),
        ("18748-4", "18782-3", "", Category::Imaging),
        ("11502-2", "11450-4", "", Category::Documents),
        ("11502-2", "30954-2", problem, Category::Documents),
        ("18748-4", "30954-2", &result, Category::Documents),
        ("11488-4", "11450-4", problem, Category::EncountersAndNotes),
        ("1-1", "30954-2", &result, Category::Documents),
    ] {
        let header = format!(r#"<code code="{kind}" {LOINC}/>"#);
        let xml = whole(&header, section, "x", entries);
        let draft = Cda.read(xml.as_bytes()).unwrap();
        assert_eq!(draft.category, category, "{xml}");
    }
}
