//! What proves a row, and what proves that no row is missing: a keyed code beside each, and the sum of all of a table.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes of a code.
pub(crate) const CODE: usize = 32;

/// The name under which blocks are summed; no table has it, for names of tables are not empty.
pub(crate) const BLOCKS: &str = "";

/// A code.
pub(crate) type Code = [u8; CODE];

/// Makes codes with a key that is the vault's own (docs/format/vault.md).
pub(crate) struct Coder(Zeroizing<[u8; 32]>);

impl Coder {
    pub(crate) fn new(vault_key: &[u8; 32]) -> Self {
        Self(Zeroizing::new(code(
            vault_key,
            &[b"medibloc vault codes v2"],
        )))
    }

    /// Of a row: bound to its table and its key, so that no row stands in for another.
    pub(crate) fn row(&self, table: &str, key: &[u8], value: &[u8]) -> Code {
        let (table_length, key_length) = (length(table.as_bytes()), length(key));
        let parts = [
            b"row",
            &table_length[..],
            table.as_bytes(),
            &key_length,
            key,
            value,
        ];
        code(&self.0, &parts)
    }

    /// Of a block's presence; its bytes are proven by the identifier itself.
    pub(crate) fn block(&self, cid: &[u8]) -> Code {
        code(&self.0, &[b"block", cid])
    }

    fn sums(&self, body: &[u8]) -> Code {
        code(&self.0, &[b"sums", body])
    }
}

/// The first 16 bytes of a vault's file: they say whose key opens it, and nothing else.
pub(crate) fn mark(vault_key: &[u8; 32]) -> [u8; 16] {
    let whole = code(vault_key, &[b"medibloc vault mark v2"]);
    let mut mark = [0; 16];
    mark.copy_from_slice(&whole[..16]);
    mark
}

fn code(key: &[u8; 32], parts: &[&[u8]]) -> Code {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn length(bytes: &[u8]) -> [u8; 8] {
    (bytes.len() as u64).to_be_bytes()
}

/// Rows of one table: how many, and the sum of their codes modulo 2²⁵⁶.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    count: u64,
    total: Code,
}

impl Sum {
    pub(crate) fn add(&mut self, code: &Code) {
        self.count = self.count.wrapping_add(1);
        let mut carry = 0u16;
        for (left, right) in self.total.iter_mut().zip(code).rev() {
            let sum = u16::from(*left) + u16::from(*right) + carry;
            *left = (sum & 0xff) as u8;
            carry = sum >> 8;
        }
    }

    pub(crate) fn take(&mut self, code: &Code) {
        self.count = self.count.wrapping_sub(1);
        let mut borrow = 0u16;
        for (left, right) in self.total.iter_mut().zip(code).rev() {
            let less = u16::from(*right) + borrow;
            let (from, owed) = if u16::from(*left) < less {
                (256, 1)
            } else {
                (0, 0)
            };
            *left = ((u16::from(*left) + from - less) & 0xff) as u8;
            borrow = owed;
        }
    }
}

/// The sums of all tables, as one row of the database keeps them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums(BTreeMap<String, Sum>);

impl Sums {
    pub(crate) fn of(&self, table: &str) -> Sum {
        self.0.get(table).copied().unwrap_or_default()
    }

    pub(crate) fn at(&mut self, table: &str) -> &mut Sum {
        self.0.entry(table.to_owned()).or_default()
    }

    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| *name != BLOCKS)
    }

    /// Code, then for each table: length of its name (2 bytes, big-endian), name, count (8 bytes), total (32 bytes).
    pub(crate) fn to_bytes(&self, coder: &Coder) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, sum) in &self.0 {
            if *sum == Sum::default() {
                continue;
            }
            let name_length =
                u16::try_from(name.len()).expect("names of tables are words of this program");
            body.extend_from_slice(&name_length.to_be_bytes());
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(&sum.count.to_be_bytes());
            body.extend_from_slice(&sum.total);
        }
        let mut bytes = coder.sums(&body).to_vec();
        bytes.extend_from_slice(&body);
        bytes
    }

    /// None if they are not what was written.
    pub(crate) fn from_bytes(bytes: &[u8], coder: &Coder) -> Option<Self> {
        let (told, mut body) = bytes.split_first_chunk::<CODE>()?;
        if coder.sums(body) != *told {
            return None;
        }
        let mut sums = BTreeMap::new();
        while !body.is_empty() {
            let (size, rest) = body.split_first_chunk::<2>()?;
            let (name, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*size)))?;
            let (count, rest) = rest.split_first_chunk::<8>()?;
            let (total, rest) = rest.split_first_chunk::<CODE>()?;
            let sum = Sum {
                count: u64::from_be_bytes(*count),
                total: *total,
            };
            sums.insert(String::from_utf8(name.to_vec()).ok()?, sum);
            body = rest;
        }
        Some(Self(sums))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_does_not_depend_on_the_order_and_what_is_taken_is_gone() {
        let coder = Coder::new(&[7; 32]);
        let codes: Vec<Code> = (0..50u8).map(|n| coder.row("t", &[n], b"value")).collect();
        let (mut forth, mut back) = (Sum::default(), Sum::default());
        codes.iter().for_each(|code| forth.add(code));
        codes.iter().rev().for_each(|code| back.add(code));
        assert_eq!(forth, back);
        codes[..49].iter().for_each(|code| forth.take(code));
        let mut last = Sum::default();
        last.add(&codes[49]);
        assert_eq!(forth, last);
        forth.take(&codes[49]);
        assert_eq!(forth, Sum::default());
    }

    #[test]
    fn a_code_names_table_key_and_value() {
        let coder = Coder::new(&[7; 32]);
        let one = coder.row("ab", b"c", b"d");
        for other in [
            coder.row("a", b"bc", b"d"),
            coder.row("ab", b"cd", b""),
            coder.row("ab", b"c", b"e"),
            Coder::new(&[8; 32]).row("ab", b"c", b"d"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn sums_survive_and_every_other_byte_is_refused() {
        let coder = Coder::new(&[7; 32]);
        let mut sums = Sums::default();
        sums.at("records").add(&[1; 32]);
        sums.at(BLOCKS).add(&[2; 32]);
        let bytes = sums.to_bytes(&coder);
        assert_eq!(Sums::from_bytes(&bytes, &coder), Some(sums));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(Sums::from_bytes(&changed, &coder), None, "byte {at}");
            assert_eq!(Sums::from_bytes(&bytes[..at], &coder), None, "cut at {at}");
        }
    }
}
