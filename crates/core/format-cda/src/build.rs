//! The bundle under construction: deterministic ids, references and the narrative's anchors.

use std::collections::{HashMap, HashSet};

use roxmltree::Node;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::xml::{attr, children};

pub(crate) struct Builder<'a, 'i> {
    seed: String,
    counter: usize,
    used: HashSet<String>,
    anchors: HashMap<&'a str, Node<'a, 'i>>,
    entries: Vec<Value>,
    /// Full URL of the patient.
    pub(crate) patient: String,
    /// `Type/id` and full URL of what the current entry became.
    pub(crate) made: Vec<(String, String)>,
}

impl<'a, 'i> Builder<'a, 'i> {
    pub(crate) fn new(root: Node<'a, 'i>, seed: String) -> Self {
        let anchors = root
            .descendants()
            .filter_map(|node| Some((node.attribute("ID")?, node)))
            .collect();
        Self {
            seed,
            counter: 0,
            used: HashSet::new(),
            anchors,
            entries: Vec::new(),
            patient: String::new(),
            made: Vec::new(),
        }
    }

    /// The element of the narrative with this id.
    pub(crate) fn narrative(&self, id: &str) -> Option<Node<'a, 'i>> {
        self.anchors.get(id).copied()
    }

    /// A uuid from the source's identity: its own id if it has one, else its place in the document.
    fn uuid(&mut self, kind: &str, source: Option<Node<'_, '_>>) -> String {
        let own = source.and_then(|node| {
            children(node, "id").find_map(|id| {
                let root = attr(id, "root")?;
                Some(format!(
                    "{root}|{}",
                    attr(id, "extension").unwrap_or_default()
                ))
            })
        });
        self.counter += 1;
        let place = format!("{kind}|{}|{}", self.seed, self.counter);
        let first = uuid(&own.map_or_else(|| place.clone(), |own| format!("{kind}|{own}")));
        let id = if self.used.contains(&first) {
            uuid(&place)
        } else {
            first
        };
        self.used.insert(id.clone());
        id
    }

    /// Adds a resource and gives its full URL.
    pub(crate) fn add(
        &mut self,
        kind: &str,
        source: Option<Node<'_, '_>>,
        body: Map<String, Value>,
    ) -> String {
        let id = self.uuid(kind, source);
        let url = format!("urn:uuid:{id}");
        self.made.push((format!("{kind}/{id}"), url.clone()));
        self.entries.push(resource(kind, &id, body));
        url
    }

    /// Bundle entries: the composition first, then everything else in order of the source.
    pub(crate) fn finish(mut self, composition: Map<String, Value>) -> Vec<Value> {
        let id = self.uuid("Composition", None);
        let mut all = vec![resource("Composition", &id, composition)];
        all.append(&mut self.entries);
        all
    }
}

fn resource(kind: &str, id: &str, mut body: Map<String, Value>) -> Value {
    let mut resource = Map::new();
    resource.insert("resourceType".into(), kind.into());
    resource.insert("id".into(), id.into());
    resource.append(&mut body);
    json!({"fullUrl": format!("urn:uuid:{id}"), "resource": resource})
}

/// A uuid (version 8) from a SHA-256.
fn uuid(text: &str) -> String {
    let mut hash: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    hash[6] = (hash[6] & 0x0f) | 0x80;
    hash[8] = (hash[8] & 0x3f) | 0x80;
    let hex = hex::encode(&hash[..16]);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

pub(crate) fn reference(url: &str) -> Value {
    json!({ "reference": url })
}
