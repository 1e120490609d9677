//! What an answer takes in memory when it is read: the types of blocks, logs and receipts keep members that they do not know as a
//! tree until they have seen all of them, and a tree takes up to a hundred times its bytes.

/// Bytes that an object, a list and a member take there, with room for the four that the first one makes.
const OBJECT: usize = 320;
const LIST: usize = 176;
const MEMBER: usize = 64;

/// Bytes of memory that an answer may take for each of its own: the densest that is asked for, a page of logs, takes 3.
const TIMES: usize = 4;

/// Bytes that any answer may take.
const FREE: usize = 1 << 20;

/// The bytes of memory that a JSON text takes, if they are more than any answer that was asked for takes.
pub(crate) fn over(json: &[u8]) -> Option<usize> {
    let mut takes = 0_usize;
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        takes += match byte {
            b'{' => OBJECT,
            b'[' => LIST,
            b',' => MEMBER,
            b'"' => {
                pass(&mut bytes);
                0
            }
            _ => 0,
        };
    }
    let most = FREE.saturating_add(json.len().saturating_mul(TIMES));
    (takes > most).then_some(takes)
}

/// Goes behind the end of a string.
fn pass(bytes: &mut core::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "\"0x1111111111111111111111111111111111111111111111111111111111111111\"";

    /// As nodes write them, with no space in them.
    #[test]
    fn the_densest_real_answers_are_taken() {
        let log = format!(
            r#"{{"address":"0x1111111111111111111111111111111111111111","topics":[{HASH}],"data":"0x","blockHash":{HASH},"blockNumber":"0x1","blockTimestamp":"0x1","transactionHash":{HASH},"transactionIndex":"0x0","logIndex":"0x0","removed":false}}"#
        );
        for (unit, count) in [(log.as_str(), 60_000), (HASH, 400_000), ("\"[,{[,{\"", 100)] {
            let page = format!("[{}]", vec![unit; count].join(","));
            assert_eq!(over(page.as_bytes()), None, "{unit}");
        }
        for unit in ["[1]", "[]", "{}", r#"{"":0}"#, "1", "\"\""] {
            let junk = format!("[{}]", vec![unit; 100_000].join(","));
            assert!(over(junk.as_bytes()).is_some(), "{unit}");
        }
    }
}
