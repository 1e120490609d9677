//! Trees of JSON from what they are made of.

/// A tree, written as JSON. It takes the values in it as they are.
macro_rules! json {
    ({}) => {
        medibloc_record::json::Value::Object(medibloc_record::json::Map::new())
    };
    ({ $($fields:tt)+ }) => {{
        let mut map = medibloc_record::json::Map::new();
        $crate::json::json!(@fields map $($fields)+);
        medibloc_record::json::Value::Object(map)
    }};
    ([ $($items:tt)* ]) => {
        medibloc_record::json::Value::Array($crate::json::json!(@items [] $($items)*))
    };
    (@fields $map:ident) => {};
    (@fields $map:ident $key:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $map.insert($key.into(), $crate::json::json!({ $($inner)* }));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@fields $map:ident $key:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $map.insert($key.into(), $crate::json::json!([ $($inner)* ]));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@fields $map:ident $key:tt : $value:expr $(, $($rest:tt)*)?) => {
        $map.insert($key.into(), medibloc_record::json::Value::from($value));
        $crate::json::json!(@fields $map $($($rest)*)?);
    };
    (@items [ $($done:expr,)* ]) => { vec![ $($done),* ] };
    (@items [ $($done:expr,)* ] { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [ $($done,)* $crate::json::json!({ $($inner)* }), ] $($($rest)*)?)
    };
    (@items [ $($done:expr,)* ] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::json!(@items [ $($done,)* medibloc_record::json::Value::from($value), ] $($($rest)*)?)
    };
}
pub(crate) use json;
