//! Numbers with what they count, as people say them.

use core::fmt::Display;

/// A number with what it counts: "1 record", "2 records".
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, what: &str) -> String {
    counted_as(count, what, &format!("{what}s"))
}

/// A number with what it counts, where more than an `s` tells one from many: "1 keeper holds", "2 keepers hold".
pub fn counted_as<N: Display + PartialEq + From<u8>>(count: N, one: &str, many: &str) -> String {
    let what = if count == N::from(1) { one } else { many };
    format!("{count} {what}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many() {
        for (count, told) in [(0, "0 records"), (1, "1 record"), (2, "2 records")] {
            assert_eq!(counted(count, "record"), told);
        }
        for (count, told) in [
            (0, "0 keepers hold"),
            (1, "1 keeper holds"),
            (7, "7 keepers hold"),
        ] {
            assert_eq!(counted_as(count, "keeper holds", "keepers hold"), told);
        }
    }
}
