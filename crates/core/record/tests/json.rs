//! The compact tree says what `serde_json`'s says, to the byte.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use medibloc_record::json::{Map, Value};

type Theirs = serde_json::Map<String, serde_json::Value>;

fn both(text: &str) -> (Value, serde_json::Value) {
    let tree: serde_json::Value = serde_json::from_str(text).unwrap();
    (tree.clone().into(), tree)
}

#[test]
fn a_tree_is_written_as_serde_json_writes_it() {
    for text in [
        "null",
        "[]",
        "{}",
        r#"{"b":1.500,"a":-0.0,"c":1e400,"d":12345678901234567890123}"#,
        r#"{"text":"a \"b\" \\ \n \u0001 é 요 😀","":{"":[[],{},[null,true,false]]}}"#,
    ] {
        let (ours, theirs) = both(text);
        assert_eq!(ours.to_string(), theirs.to_string());
        assert_eq!(format!("{ours:#}"), format!("{theirs:#}"));
        let pretty = serde_json::to_vec_pretty(&ours).unwrap();
        assert_eq!(pretty, serde_json::to_vec_pretty(&theirs).unwrap());
        assert_eq!(serde_json::Value::from(&ours), theirs);
        assert_eq!(serde_json::Value::from(ours), theirs);
    }
}

#[test]
fn members_are_where_serde_json_has_them_after_each_change() {
    type Change = (&'static str, fn(&mut Map), fn(&mut Theirs));
    let changes: [Change; 7] = [
        (
            "insert a known one",
            |map| drop(map.insert("b".into(), 7.into())),
            |map| drop(map.insert("b".into(), 7.into())),
        ),
        (
            "insert a new one",
            |map| drop(map.insert("e".into(), 7.into())),
            |map| drop(map.insert("e".into(), 7.into())),
        ),
        (
            "insert one before all",
            |map| map.insert_first("c".into(), 7.into()),
            |map| drop(map.shift_insert(0, "c".into(), 7.into())),
        ),
        (
            "remove one",
            |map| drop(map.remove("a")),
            |map| drop(map.remove("a")),
        ),
        (
            "remove one, the others in order",
            |map| drop(map.shift_remove("a")),
            |map| drop(map.shift_remove("a")),
        ),
        (
            "fill a place",
            |map| {
                *map.entry("a").or_insert(7.into()) = 8.into();
                map.entry("f").or_insert_with(|| 7.into());
            },
            |map| {
                *map.entry("a").or_insert(7.into()) = 8.into();
                map.entry("f").or_insert_with(|| 7.into());
            },
        ),
        (
            "keep some",
            |map| map.retain(|name, _| name != "b"),
            |map| map.retain(|name, _| name != "b"),
        ),
    ];
    for (what, ours, theirs) in changes {
        let (mut one, mut other) = both(r#"{"a":1,"b":2,"c":3,"d":4}"#);
        ours(one.as_object_mut().unwrap());
        theirs(other.as_object_mut().unwrap());
        assert_eq!(one.to_string(), other.to_string(), "{what}");
    }
}

#[test]
fn trees_are_alike_whatever_the_order_of_members() {
    for (one, other, alike) in [
        (r#"{"a":1,"b":[2]}"#, r#"{"b":[2],"a":1}"#, true),
        (r#"{"a":1}"#, r#"{"a":1,"b":2}"#, false),
        (r#"{"a":1,"b":2}"#, r#"{"a":1,"c":2}"#, false),
        (r#"{"a":1.0}"#, r#"{"a":1.00}"#, false),
        ("[1,2]", "[2,1]", false),
    ] {
        let ((ours, _), (other, theirs)) = (both(one), both(other));
        assert_eq!(ours == other, alike, "{one} {theirs}");
        assert_eq!(ours == theirs, alike, "{one} {theirs}");
    }
}

#[test]
fn an_index_that_leads_nowhere_gives_null_and_one_to_change_makes_room() {
    let (mut tree, mut theirs) = both(r#"{"a":[{"b":"c"}]}"#);
    assert_eq!(tree["a"][0]["b"], "c");
    for none in [&tree["x"]["y"], &tree["a"]["b"], &tree["a"][1], &tree[0]] {
        assert!(none.is_null());
    }
    tree["x"]["y"] = true.into();
    theirs["x"]["y"] = true.into();
    assert_eq!(tree, theirs);
}
