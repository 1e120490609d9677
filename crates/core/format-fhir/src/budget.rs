//! What a text takes as a tree, before it is made one: an empty member of a list takes up to a hundred times its bytes.

/// Bytes of memory that a tree may take for each byte of its text; real documents without a space take 5 to 20.
const TIMES: usize = 24;

/// Bytes that any tree may take.
const FREE: usize = 20 << 20;

/// What an object, a list and a value take, as measured: with room for the four members that the first one makes.
const OBJECT: usize = 480;
const LIST: usize = 288;
const VALUE: usize = 110;

/// The bytes that the tree of a text of so many bytes may take.
pub(crate) fn most(bytes: usize) -> usize {
    FREE.saturating_add(bytes.saturating_mul(TIMES))
}

/// The bytes that a text takes as a tree, and at most may, if it takes more.
pub(crate) fn over(text: &str) -> Option<(usize, usize)> {
    let most = most(text.len());
    let mut bytes = text.bytes();
    let mut takes = text.len();
    while let Some(byte) = bytes.next() {
        takes += match byte {
            b'{' => OBJECT + VALUE,
            b'[' => LIST + VALUE,
            b',' => VALUE,
            b'"' => {
                pass(&mut bytes);
                0
            }
            _ => 0,
        };
    }
    (takes > most).then_some((takes, most))
}

/// Goes behind the end of a string.
fn pass(bytes: &mut core::str::Bytes<'_>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'"' => return,
            _ => {}
        }
    }
}
