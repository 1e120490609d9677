//! Whom a document names, as far as that could be read: nobody is one answer, not known is another.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::Subject;

/// Why it is not known whom a document names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unread {
    /// Its form needs more memory than there is for it.
    TooLarge,
    /// Its form does not open, or is none.
    Unreadable,
    /// It is about a patient of whom it says neither name nor day of birth nor identifier.
    Referred,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "too large",
            Self::Unreadable => "not readable",
            Self::Referred => "a patient whom it does not name",
        })
    }
}

/// Whom a document names.
// Kept in a row as it always was: a person's fields, or nothing for nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Named {
    /// This person.
    Person(Subject),
    /// Somebody or nobody: it could not be read.
    Unread(Unread),
    /// Nobody.
    #[default]
    Nobody,
}

impl Named {
    /// The person that it names; none if it names nobody, or if that is not known.
    pub const fn person(&self) -> Option<&Subject> {
        match self {
            Self::Person(subject) => Some(subject),
            Self::Unread(_) | Self::Nobody => None,
        }
    }

    /// Why it is not known; none if it is.
    pub const fn unread(&self) -> Option<Unread> {
        match self {
            Self::Unread(why) => Some(*why),
            Self::Person(_) | Self::Nobody => None,
        }
    }

    pub(crate) const fn is_nobody(&self) -> bool {
        matches!(self, Self::Nobody)
    }
}

impl From<Option<Subject>> for Named {
    fn from(subject: Option<Subject>) -> Self {
        subject.map_or(Self::Nobody, Self::Person)
    }
}
