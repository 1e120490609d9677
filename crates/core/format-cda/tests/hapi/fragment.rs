//! A fragment of HL7's C-CDA examples as a document: a small header, and around it what it stands in.

/// Statement templates, below 2.16.840.1.113883.10.20.22.4., and the section of each: its LOINC code and its template below
/// 2.16.840.1.113883.10.20.22.2.
const SECTIONS: &[(&[&str], &str, &str)] = &[
    (&["1", "2", "418", "419"], "30954-2", "3.1"),
    (&["3", "4"], "11450-4", "5.1"),
    (&["7", "30"], "48765-2", "6.1"),
    (&["12", "13", "14"], "47519-4", "7.1"),
    (&["16", "17", "18", "118", "42"], "10160-0", "1.1"),
    (&["26", "27"], "8716-3", "4.1"),
    (&["34", "48", "108"], "42348-3", "21.1"),
    (
        &["38", "78", "85", "109", "111", "200", "217", "501", "503"],
        "29762-2",
        "17",
    ),
    (
        &["39", "40", "41", "43", "44", "129", "140"],
        "18776-5",
        "10",
    ),
    (&["45", "46"], "10157-6", "15"),
    (&["49", "80"], "46240-8", "22.1"),
    (&["50", "135", "37"], "46264-8", "23"),
    (&["52"], "11369-6", "2.1"),
    (&["60", "61"], "48768-6", "18"),
    (&["66", "67", "68", "69", "70", "114"], "47420-5", "14"),
    (&["73", "74", "75"], "10190-7", "56"),
    (&["121", "143"], "61146-7", "60"),
    (&["132", "136"], "75310-3", "58"),
    (&["138"], "61144-2", "57"),
    (&["202"], "34109-9", "65"),
    (&["500"], "85847-2", "500"),
];

const STATEMENTS: &[&str] = &[
    "act",
    "encounter",
    "observation",
    "observationMedia",
    "organizer",
    "procedure",
    "substanceAdministration",
    "supply",
];

/// The document, or none if the text is one already or is not well-formed.
pub(super) fn document(text: &str) -> Option<String> {
    let body = without_declaration(text);
    let namespaces = "xmlns=\"urn:hl7-org:v3\" xmlns:sdtc=\"urn:hl7-org:sdtc\" xmlns:voc=\"urn:hl7-org:v3/voc\" \
                      xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    let parsed = format!("<all {namespaces}>{body}</all>");
    let parsed = roxmltree::Document::parse(&parsed).ok()?;
    let first = parsed.root_element().first_element_child()?;
    let name = first.tag_name().name();
    let inside = first.first_element_child();
    let inside = inside.map_or("", |inside| inside.tag_name().name());
    let has = |name: &str| {
        first
            .descendants()
            .any(|node| node.has_tag_name(("urn:hl7-org:v3", name)))
    };
    let (code, template) = section(first).unwrap_or(("51848-0", "8"));
    let entries = |body: &str| {
        format!(
            "<component><structuredBody><component><section><templateId root=\"2.16.840.1.113883.10.20.22.2.{template}\"/>\
             <code code=\"{code}\" codeSystem=\"2.16.840.1.113883.6.1\"/><title>Fragment</title><text>Fragment</text>{body}\
             </section></component></structuredBody></component>"
        )
    };
    let entry = |body: &str| entries(&format!("<entry>{body}</entry>"));
    let act = |body: &str| {
        entry(&format!(
            "<act classCode=\"ACT\" moodCode=\"EVN\"><code nullFlavor=\"NI\"/><statusCode code=\"completed\"/>{body}</act>"
        ))
    };
    let (mut target, mut header, mut rest) = (TARGET.to_owned(), String::new(), entries(""));
    match name {
        "ClinicalDocument" => return None,
        "section" => {
            rest = format!(
                "<component><structuredBody><component>{body}</component></structuredBody></component>"
            );
        }
        "component" if inside == "section" => {
            rest = format!("<component><structuredBody>{body}</structuredBody></component>");
        }
        "component" if inside == "structuredBody" || inside == "nonXMLBody" => {
            rest = body.to_owned()
        }
        "component" => {
            rest = entry(&format!(
                "<organizer classCode=\"CLUSTER\" moodCode=\"EVN\"><code nullFlavor=\"NI\"/><statusCode code=\"completed\"/>{body}</organizer>"
            ));
        }
        "entry" => rest = entries(body),
        "entryRelationship" => rest = act(body),
        "participantRole" => {
            rest = act(&format!(
                "<participant typeCode=\"DEV\">{body}</participant>"
            ))
        }
        "participant" if has("participantRole") => rest = act(body),
        "relatedSubject" => rest = act(&format!("<subject>{body}</subject>")),
        "criterion" => {
            rest = entry(&format!(
                "<substanceAdministration classCode=\"SBADM\" moodCode=\"INT\"><statusCode code=\"active\"/><consumable>\
                 <manufacturedProduct><manufacturedMaterial><code nullFlavor=\"UNK\"><originalText>Drug</originalText></code>\
                 </manufacturedMaterial></manufacturedProduct></consumable><precondition>{body}</precondition></substanceAdministration>"
            ));
        }
        "recordTarget" => target = body.to_owned(),
        "assignedAuthor" => header = format!("<author><time value=\"20200102\"/>{body}</author>"),
        "performer" => {
            header = format!(
                "<documentationOf><serviceEvent classCode=\"PCPR\">{body}</serviceEvent></documentationOf>"
            );
        }
        "encounterParticipant" => {
            header = format!(
                "<componentOf><encompassingEncounter><effectiveTime value=\"20200102\"/>{body}</encompassingEncounter></componentOf>"
            );
        }
        name if STATEMENTS.contains(&name) => rest = entry(body),
        _ => header = body.to_owned(),
    }
    Some(format!(
        "<ClinicalDocument {namespaces}><realmCode code=\"US\"/><typeId root=\"2.16.840.1.113883.1.3\" extension=\"POCD_HD000040\"/>\
         <templateId root=\"2.16.840.1.113883.10.20.22.1.1\"/><id root=\"2.16.840.1.113883.19.5\" extension=\"fragment\"/>\
         <code code=\"34133-9\" codeSystem=\"2.16.840.1.113883.6.1\"/><title>Fragment</title><effectiveTime value=\"20200102\"/>\
         <confidentialityCode code=\"N\" codeSystem=\"2.16.840.1.113883.5.25\"/><languageCode code=\"en-US\"/>{target}{header}{rest}\
         </ClinicalDocument>"
    ))
}

const TARGET: &str = "<recordTarget><patientRole><id root=\"2.16.840.1.113883.19.5\" extension=\"1\"/><patient><name><given>A</given>\
    <family>B</family></name><administrativeGenderCode code=\"F\" codeSystem=\"2.16.840.1.113883.5.1\"/><birthTime value=\"1980\"/></patient>\
    </patientRole></recordTarget>";

fn without_declaration(text: &str) -> &str {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, body)| body),
        None => text,
    }
}

/// The section of the first template that has one.
fn section(node: roxmltree::Node<'_, '_>) -> Option<(&'static str, &'static str)> {
    let ids = node
        .descendants()
        .filter(|node| node.tag_name().name() == "templateId");
    ids.filter_map(|id| {
        id.attribute("root")?
            .strip_prefix("2.16.840.1.113883.10.20.22.4.")
    })
    .find_map(|last| {
        let row = SECTIONS.iter().find(|(of, ..)| of.contains(&last))?;
        Some((row.1, row.2))
    })
}
