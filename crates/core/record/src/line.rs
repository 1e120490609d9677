//! What another party says of itself, fit to be shown: an error of a peer, the reason of a contract, the name of a node.

use serde::{Deserialize, Deserializer, Serialize};

use crate::text::on_one_line;

/// Characters of what another party says: the longest sentence of an own one, about a chain that was set back, has some 400.
const MOST: usize = 500;

/// A sentence of another party: one line, short, without what moves a cursor, turns a direction or is not seen. It is made where
/// the sentence is read, so that nothing else of it can be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Line(String);

impl Line {
    /// The line of a text.
    pub fn of(text: &str) -> Self {
        // What is cut is not worth a look at all of it.
        let most = text.char_indices().nth(4 * MOST).map(|(at, _)| at);
        let whole = on_one_line(&text[..most.unwrap_or(text.len())]);
        match whole.char_indices().nth(MOST) {
            None if most.is_none() => Self(whole),
            None => Self(format!("{whole}…")),
            Some((at, _)) => Self(format!("{}…", &whole[..at])),
        }
    }

    /// The line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::ops::Deref for Line {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Line {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

impl From<String> for Line {
    fn from(text: String) -> Self {
        Self::of(&text)
    }
}

impl From<Line> for String {
    fn from(line: Line) -> Self {
        line.0
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_others_is_one_short_line_however_it_is_read() {
        let hostile = format!("busy\nALARM: \u{1b}[2J\u{202e}{}", "x".repeat(64 << 10));
        let json = serde_json::to_string(&hostile).unwrap();
        for line in [
            Line::of(&hostile),
            hostile.clone().into(),
            serde_json::from_str(&json).unwrap(),
        ] {
            assert!(line.starts_with("busy ALARM: [2Jxxx"), "{line}");
            assert_eq!(line.chars().count(), MOST + 1);
        }
        let hidden = Line::of(&format!("{}end", "\n".repeat(64 << 10)));
        assert_eq!(hidden.as_str(), "…");
        assert_eq!(Line::of("it is full").as_str(), "it is full");
        assert_eq!(Line::of(&"가".repeat(MOST)).chars().count(), MOST);
    }
}
