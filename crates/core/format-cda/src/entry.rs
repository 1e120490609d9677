//! One entry: which resource its statement becomes, by template, section, class and mood.

use roxmltree::Node;

use crate::{
    act, allergy,
    build::Builder,
    encounter, medication, note, observation, problem,
    xml::{attr, has_template},
};

/// Why an entry became no resource. Never a value from the document.
pub(crate) type Because = &'static str;

pub(crate) const PROBLEMS: &[&str] = &["11450-4", "46240-8", "11348-0", "29308-4", "46241-6"];
pub(crate) const ALLERGIES: &[&str] = &["48765-2"];
pub(crate) const IMMUNIZATIONS: &[&str] = &["11369-6"];
pub(crate) const PROCEDURES: &[&str] = &["47519-4", "29554-3"];
pub(crate) const RESULTS: &[&str] = &["30954-2"];
pub(crate) const VITALS: &[&str] = &["8716-3"];

/// Converts the statement of an entry; what was made is in `build.made`.
pub(crate) fn convert(
    entry: Node<'_, '_>,
    section: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let statement = entry
        .children()
        .find(|node| node.is_element() && attr(*node, "classCode").is_some())
        .or_else(|| entry.children().rfind(Node::is_element))
        .ok_or("the entry is empty")?;
    if attr(statement, "nullFlavor").is_some() && !statement.has_children() {
        return Err("the source says only that it has no information");
    }
    self::statement(statement, section, build)
}

/// Converts one clinical statement.
pub(crate) fn statement(
    node: Node<'_, '_>,
    section: &str,
    build: &mut Builder<'_, '_>,
) -> Result<(), Because> {
    let mood = attr(node, "moodCode").unwrap_or("EVN");
    match node.tag_name().name() {
        "act" | "observation" if allergy::is_allergy(node, section) => {
            allergy::convert(node, build)
        }
        "act" | "observation" if problem::is_problem(node, section) => {
            problem::convert(node, section, build)
        }
        "act" if note::is_note(node) => note::convert(node, build),
        "act" => act::act(node, section, mood, build),
        "observation" if has_template(node, &["2.16.840.1.113883.10.20.22.4.13"]) => {
            act::procedure(node, mood, build)
        }
        "observation" if mood == "EVN" => observation::convert(node, section, build).map(|_| ()),
        "observation" if mood == "GOL" => Err("goals are not converted yet"),
        "observation" => act::procedure(node, mood, build),
        "organizer" => observation::organizer(node, section, build),
        "procedure" => act::procedure(node, mood, build),
        "substanceAdministration"
            if mood == "EVN" && medication::is_immunization(node, section) =>
        {
            medication::immunization(node, build)
        }
        "substanceAdministration" => medication::convert(node, mood, build),
        "supply" => medication::supply(node, mood, build),
        "encounter" => encounter::convert(node, mood, build),
        _ => Err("this kind of statement is not converted yet"),
    }
}
