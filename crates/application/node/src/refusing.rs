//! A chain that takes no calls, and what it said: whose it is to mend, and what may be repeated to others of it.

use medibloc_ledger::LedgerError;

/// Letters of what a node of the chain says that are repeated.
const MOST: usize = 200;
/// Longer words are none: keys, hashes, bodies.
const WORD: usize = 40;

/// Why the embedded chain takes no calls at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusing {
    Disk,
    Clock,
}

impl Refusing {
    /// What a refused call tells of the chain, if it does.
    pub(crate) fn of(error: &LedgerError) -> Option<Self> {
        let LedgerError::Corrupt { why, .. } = error else {
            return None;
        };
        if why.contains("takes no transactions") {
            Some(Self::Disk)
        } else if why.contains("no block is made: the newest one is") {
            Some(Self::Clock)
        } else {
            None
        }
    }

    pub(crate) const fn to_caller(self) -> &'static str {
        match self {
            Self::Disk => {
                "the chain takes no transactions now: the chain's operator must free its disk; what is signed can be sent again then"
            }
            Self::Clock => {
                "the chain makes no block now: its newest one is too far ahead of its computer's clock; the chain's operator must \
                 correct the clock or wait until it is there; what is signed can be sent again then"
            }
        }
    }

    pub(crate) const fn to_operator(self) -> &'static str {
        match self {
            Self::Disk => {
                "the chain takes no transactions since its disk refused a block; the chain's operator must free its disk, and this \
                 ends with the next call that it takes"
            }
            Self::Clock => {
                "the chain makes no block since its newest one is too far ahead of its computer's clock; the chain's operator must \
                 correct the clock or wait until it is there, and this ends with the next call that it takes"
            }
        }
    }
}

/// What a node of the chain said, on one line, without what could be an address of its operator's or a key in one.
pub(crate) fn repeated(why: &str) -> String {
    let words = why.split_whitespace().map(|word| {
        let is_plain =
            word.len() <= WORD && !word.contains("//") && !word.contains(char::is_control);
        if is_plain { word } else { "…" }
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_repeated_is_one_short_line_without_addresses_and_keys() {
        let long = "word ".repeat(1_000);
        for (said, expected) in [
            ("nonce too low", "nonce too low"),
            ("a\nb\tc\u{7}d", "a b …"),
            ("see https://rpc.example.org/v3/secret now", "see … now"),
            ("key 0123456789012345678901234567890123456789x", "key …"),
        ] {
            assert_eq!(repeated(said), expected);
        }
        assert_eq!(repeated(&long).chars().count(), MOST + 1);
    }
}
