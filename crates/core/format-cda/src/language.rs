//! Languages: that of the document, and that of a part of it where it is another.

use crate::json::json;
use medibloc_record::json::Value;

use crate::{
    doc::Doc,
    header::tag,
    xml::{N, attr, child},
};

/// The language of words, where it is not that of the resource (FHIR R4).
const OF_WORDS: &str = "http://hl7.org/fhir/StructureDefinition/language";

/// What an element says of its own language, if that is a simple BCP 47 tag.
pub(crate) fn of(node: N<'_>) -> Option<String> {
    simple(attr(child(node, "languageCode")?, "code")?)
}

fn simple(code: &str) -> Option<String> {
    let code = tag(code);
    let (tongue, region) = code.split_once('-').unwrap_or((&code, ""));
    let lower = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase());
    let upper = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let sound = tongue.len() == 2 && lower(tongue) && (region.is_empty() || upper(region));
    sound.then_some(code)
}

/// The language of a place in the document: its own, or the nearest around it.
fn around(node: N<'_>) -> Option<String> {
    node.ancestors().find_map(of)
}

/// The language of a section's text, if it is not that of the document.
pub(crate) fn of_text(doc: &Doc<'_>, text: N<'_>) -> Option<String> {
    let own = attr(text, "language").and_then(simple);
    let found = own.or_else(|| around(text));
    found.filter(|found| Some(found) != of(doc.root).as_ref())
}

/// What says that the words of a code are of another language than what stands around them.
pub(crate) fn of_words(words: N<'_>) -> Option<Value> {
    let own = attr(words, "language").and_then(simple)?;
    let is_other = around(words).as_ref() != Some(&own);
    is_other.then(|| json!({"extension": [{"url": OF_WORDS, "valueCode": own}]}))
}
