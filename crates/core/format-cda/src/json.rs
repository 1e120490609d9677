//! Trees of JSON from what they are made of.

/// A tree, written as JSON. It takes the values in it as they are; `serde_json::json!` copies each of them, and all below, by
/// serialising it.
macro_rules! json {
    ({}) => {
        serde_json::Value::Object(serde_json::Map::new())
    };
    ({ $($fields:tt)+ }) => {{
        let mut map = serde_json::Map::new();
        $crate::json::json!(@fields map $($fields)+);
        serde_json::Value::Object(map)
    }};
    ([ $($items:tt)* ]) => {
        serde_json::Value::Array($crate::json::json!(@items [] $($items)*))
    };
    (@fields $map:ident) => {};
    (@fields $map:ident $key:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert($key.to_owned(), $crate::json::json!({ $($inner)* }));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@fields $map:ident $key:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert($key.to_owned(), $crate::json::json!([ $($inner)* ]));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@fields $map:ident $key:tt : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($key.to_owned(), serde_json::Value::from($value));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@items [ $($done:expr,)* ]) => { vec![ $($done),* ] };
    (@items [ $($done:expr,)* ] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [ $($done,)* $crate::json::json!({ $($inner)* }), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [ $($done,)* serde_json::Value::from($value), ] $($($rest)*)?)
    };
}
pub(crate) use json;
