//! Small steps through a CDA tree; `sdtc` elements are only found by [`sdtc`].

use roxmltree::Node;

const SDTC: &str = "urn:hl7-org:sdtc";

pub(crate) fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| {
        child.is_element()
            && child.tag_name().name() == name
            && child.tag_name().namespace() != Some(SDTC)
    })
}

pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, name: &'static str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

pub(crate) fn sdtc<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children()
        .find(|child| child.has_tag_name((SDTC, name)))
}

/// The first node at the end of a path of child names.
pub(crate) fn path<'a, 'i>(node: Node<'a, 'i>, names: &[&'static str]) -> Option<Node<'a, 'i>> {
    names.iter().try_fold(node, |at, name| child(at, name))
}

/// An attribute without surrounding space, or none if that is empty.
pub(crate) fn attr<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// All text below, with runs of white space as one space; none if empty.
pub(crate) fn text(node: Node<'_, '_>) -> Option<String> {
    let mut out = String::new();
    for part in node
        .descendants()
        .filter(Node::is_text)
        .filter_map(|n| n.text())
    {
        for word in part.split_whitespace() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.push_str(word);
        }
    }
    (!out.is_empty()).then_some(out)
}

pub(crate) fn has_template(node: Node<'_, '_>, roots: &[&str]) -> bool {
    children(node, "templateId")
        .any(|id| attr(id, "root").is_some_and(|root| roots.contains(&root)))
}

pub(crate) fn negated(node: Node<'_, '_>) -> bool {
    attr(node, "negationInd").is_some_and(|flag| flag == "true" || flag == "1")
}

/// Statements behind `entryRelationship`.
pub(crate) fn related<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    children(node, "entryRelationship").filter_map(move |link| child(link, name))
}
