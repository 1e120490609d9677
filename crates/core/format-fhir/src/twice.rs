//! Members of one object with one name: readers of JSON disagree about which counts (RFC 8259, section 4), so none may.

use std::collections::HashSet;

/// Byte of the first member whose object has another of its name. The text is well-formed JSON.
pub(crate) fn twice(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // Names of each object around; none for an array.
    let mut around: Vec<Option<HashSet<String>>> = Vec::new();
    let (mut at, mut wants_name) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' => {
                around.push(Some(HashSet::new()));
                wants_name = true;
            }
            b'[' => {
                around.push(None);
                wants_name = false;
            }
            b'}' | b']' => {
                around.pop();
                wants_name = false;
            }
            b',' => wants_name = matches!(around.last(), Some(Some(_))),
            b'"' => {
                let end = end_of(bytes, at)?;
                if wants_name && let Some(Some(names)) = around.last_mut() {
                    let name: String = serde_json::from_str(text.get(at..end)?).ok()?;
                    if !names.insert(name) {
                        return Some(at);
                    }
                    wants_name = false;
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// The byte behind a string that begins here.
fn end_of(bytes: &[u8], begin: usize) -> Option<usize> {
    let mut at = begin + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_by_object_and_by_what_they_mean() {
        for (text, found) in [
            (r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#, None),
            (r#"{"a":1,"a":2}"#, Some(7)),
            (r#"{"a":"x\"a\"","b":[{"c":"}","c":1}]}"#, Some(28)),
            (r#"{"a":1,"\u0061":2}"#, Some(7)),
            (r#"["a","a"]"#, None),
            (r#"{"a":"b","b":"a"}"#, None),
            ("1", None),
        ] {
            assert_eq!(twice(text), found, "{text}");
        }
    }
}
