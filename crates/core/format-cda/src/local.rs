//! Where the times of day stand whose zone nobody states: in an extension of the resource that names their element, so that the
//! element itself is one plain value for every reader (docs/adr/0027).

use medibloc_record::json::{Map, Text, Value};

use crate::json::json;

const LOCAL_TIME: &str = "https://medibloc.org/fhir/StructureDefinition/local-time";

/// The mark of a time of day beside its date, until the resource is whole.
pub(crate) fn beside(time: &str) -> Value {
    json!({"extension": [{"url": LOCAL_TIME, "valueString": time.to_owned()}]})
}

/// Moves the times of day that stand beside dates to the resource around them.
pub(crate) fn lift(resource: &mut Map) {
    if !holds_mark(resource) {
        return;
    }
    let mut found = Vec::new();
    below(resource, "", &mut found);
    let list = resource.entry("extension").or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.extend(found);
    }
}

/// Whether a mark stands anywhere in it.
fn holds_mark(map: &Map) -> bool {
    let mut inner = map.iter().filter(|(key, _)| !key.starts_with('_'));
    has_mark(map) || inner.any(|(_, value)| is_marked(value))
}

fn is_marked(value: &Value) -> bool {
    match value {
        Value::Object(map) => holds_mark(map),
        Value::Array(all) => all.iter().any(is_marked),
        _ => false,
    }
}

/// Whether a mark stands beside one of its elements.
fn has_mark(map: &Map) -> bool {
    let mut beside = map.iter().filter(|(key, _)| is_beside(map, key));
    beside.any(|(_, value)| match value {
        Value::Array(all) => all.iter().any(is_mark),
        value => is_mark(value),
    })
}

fn is_mark(value: &Value) -> bool {
    let all = value.get("extension").and_then(Value::as_array);
    all.is_some_and(|all| all.iter().any(|one| one["url"] == LOCAL_TIME))
}

/// Whether a key is that of what stands beside an element that has a value.
fn is_beside(map: &Map, key: &str) -> bool {
    key.strip_prefix('_')
        .is_some_and(|name| map.contains_key(name))
}

fn below(map: &mut Map, path: &str, found: &mut Vec<Value>) {
    let named = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    let beside: Vec<Text> = map
        .keys()
        .filter(|key| is_beside(map, key))
        .cloned()
        .collect();
    for key in beside {
        let Some(value) = map.get_mut(&key) else {
            continue;
        };
        take(value, &named(&key[1..]), found);
        if says_nothing(value) {
            map.shift_remove(&key);
        }
    }
    for (key, value) in map.iter_mut() {
        // What stands beside no value has its times with it.
        if !key.starts_with('_') {
            walk(value, &named(key), found);
        }
    }
}

fn walk(value: &mut Value, path: &str, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => below(map, path, found),
        Value::Array(all) => {
            for (at, one) in all.iter_mut().enumerate() {
                walk(one, &format!("{path}[{at}]"), found);
            }
        }
        _ => {}
    }
}

fn take(beside: &mut Value, path: &str, found: &mut Vec<Value>) {
    match beside {
        Value::Array(all) => {
            for (at, one) in all.iter_mut().enumerate() {
                take(one, &format!("{path}[{at}]"), found);
            }
        }
        Value::Object(map) => {
            let Some(Value::Array(all)) = map.get_mut("extension") else {
                return;
            };
            all.retain(|one| {
                let is_one = one["url"] == LOCAL_TIME;
                if is_one {
                    let parts = json!([
                        {"url": "element", "valueString": path.to_owned()},
                        {"url": "time", "valueString": one["valueString"].clone()},
                    ]);
                    found.push(json!({"url": LOCAL_TIME, "extension": parts}));
                }
                !is_one
            });
            if all.is_empty() {
                map.shift_remove("extension");
            }
        }
        _ => {}
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(all) => all.iter().all(says_nothing),
        value => value.is_null(),
    }
}
