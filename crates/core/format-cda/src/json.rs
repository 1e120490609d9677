//! Trees of JSON from what they are made of.

/// A tree, written as JSON. It takes the values in it as they are.
macro_rules! json {
    ({}) => {
        medibloc_record::json::Value::Object(medibloc_record::json::Map::new())
    };
    ({ $($fields:tt)+ }) => {
        medibloc_record::json::Value::Object(medibloc_record::json::Map::of($crate::json::json!(@fields [] $($fields)+)))
    };
    ([ $($items:tt)* ]) => {
        medibloc_record::json::Value::Array($crate::json::json!(@items [] $($items)*))
    };
    (@fields [ $($done:expr,)* ]) => { vec![ $($done),* ] };
    (@fields [ $($done:expr,)* ] $key:tt : { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [ $($done,)* ($key.into(), $crate::json::json!({ $($inner)* })), ] $($($rest)*)?)
    };
    (@fields [ $($done:expr,)* ] $key:tt : [ $($inner:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [ $($done,)* ($key.into(), $crate::json::json!([ $($inner)* ])), ] $($($rest)*)?)
    };
    (@fields [ $($done:expr,)* ] $key:tt : $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::json!(@fields [ $($done,)* ($key.into(), medibloc_record::json::Value::from($value)), ] $($($rest)*)?)
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
