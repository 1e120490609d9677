//! DAG-CBOR, strict: one value has one encoding, and a decoder takes no other.

use serde::{Serialize, de::DeserializeOwned};

use crate::DagError;

/// Nesting that a decoder follows.
const MAX_DEPTH: usize = 64;

/// The encoding of a value.
///
/// # Panics
/// Never for the platform's own types: they have string keys and finite numbers.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_ipld_dagcbor::to_vec(value).expect("own types have string keys and no floats")
}

/// The value in an encoding.
///
/// # Errors
/// If the bytes are cut, have a trailing byte, another shape, more than 64 levels, or are not canonical.
pub fn from_slice<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, DagError> {
    check_depth(bytes)?;
    let value: T = serde_ipld_dagcbor::from_slice(bytes).map_err(|error| DagError::Cbor {
        why: error.to_string(),
    })?;
    if to_vec(&value) != bytes {
        return Err(DagError::Cbor {
            why: "another encoding of the same value".into(),
        });
    }
    Ok(value)
}

/// Refuses nesting that could exhaust the decoder's stack, before it is entered.
fn check_depth(bytes: &[u8]) -> Result<(), DagError> {
    let cut = || DagError::Cbor {
        why: "cut off".into(),
    };
    let mut open: Vec<u64> = vec![1];
    let mut at = 0usize;
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let first = *bytes.get(at).ok_or_else(cut)?;
        let (length, head) = argument(&bytes[at..]).ok_or_else(cut)?;
        at += head;
        match first >> 5 {
            2 | 3 => {
                let end = usize::try_from(length)
                    .ok()
                    .and_then(|length| at.checked_add(length));
                at = end.filter(|end| *end <= bytes.len()).ok_or_else(cut)?;
            }
            4 => open.push(length),
            5 => open.push(length.checked_mul(2).ok_or_else(cut)?),
            6 => open.push(1),
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(DagError::Cbor {
                why: format!("nested too deeply at byte {at}"),
            });
        }
    }
    if at == bytes.len() {
        Ok(())
    } else {
        Err(DagError::Cbor {
            why: format!("trailing bytes at {at}"),
        })
    }
}

/// The argument of a head and the head's length (RFC 8949, section 3).
fn argument(bytes: &[u8]) -> Option<(u64, usize)> {
    let low = bytes.first()? & 0x1f;
    let width = match low {
        0..=23 => return Some((u64::from(low), 1)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    let value = bytes
        .get(1..=width)?
        .iter()
        .fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    Some((value, 1 + width))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        let refused = from_slice::<Vec<u64>>(bytes).unwrap_err();
        match refused {
            DagError::Cbor { why } => why,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn only_the_canonical_encoding_is_taken() {
        let value = vec![1u64, 500];
        let bytes = to_vec(&value);
        assert_eq!(from_slice::<Vec<u64>>(&bytes), Ok(value));
        let long = refused(&[0x82, 0x18, 0x01, 0x19, 0x01, 0xf4]);
        assert!(!long.is_empty(), "the long form of 1");
        let trailing = refused(&[bytes.clone(), vec![0]].concat());
        assert!(trailing.contains("trailing bytes at 5"), "{trailing}");
        assert_eq!(refused(&bytes[..bytes.len() - 1]), "cut off");
    }

    #[test]
    fn deep_nesting_is_an_error_and_no_stack_overflow() {
        let mut bytes = vec![0x81; 1 << 20];
        bytes.push(0x80);
        assert_eq!(refused(&bytes), "nested too deeply at byte 64");
    }

    /// What is announced is not there: nothing is set aside for it.
    #[test]
    fn announced_lengths_of_two_to_the_sixty_fourth_are_cut_off() {
        for head in [0x5b, 0x7b, 0x9b, 0xbb] {
            let mut bytes = vec![head];
            bytes.extend([0xff; 8]);
            assert_eq!(refused(&bytes), "cut off", "{head:x}");
            bytes[1] = 0;
            assert_eq!(refused(&bytes), "cut off", "{head:x}");
        }
    }
}
