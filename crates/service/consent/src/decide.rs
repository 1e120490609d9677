//! The decision, rule by rule as the contracts have it.

use medibloc_record::{AccountId, Kind, Role, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{AnchorFields, Grant, PurposeTag, Scope, WriteGrant};

/// Why not. Each text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// No such grant.
    #[error("there is no such grant; ask the owner for access")]
    UnknownGrant,
    /// Too early.
    #[error("the grant is not valid yet; wait until it begins")]
    NotYetValid,
    /// Too late.
    #[error("the grant has expired; ask the owner for a new one")]
    Expired,
    /// Taken back.
    #[error("the owner has revoked the grant; ask the owner for a new one")]
    Revoked,
    /// Another purpose.
    #[error("the grant is for another purpose; ask the owner for one for this purpose")]
    WrongPurpose,
    /// Another reader.
    #[error("the grant is another reader's; act under the address that it names")]
    NotTheReader,
    /// Another record.
    #[error("the grant does not cover this record; ask the owner for it")]
    NotCovered,
    /// Never accepted.
    #[error("the owner has not accepted this record; only accepted records can be read")]
    NotAccepted,
    /// Erased.
    #[error("the owner has erased this record")]
    Erased,
    /// All reads used.
    #[error("the reads that the grant allows are used up; ask the owner for more")]
    ReadsExhausted,
    /// No such record.
    #[error("there is no such record on chain; check its id")]
    UnknownRecord,
    /// Another's record.
    #[error("the record is another owner's")]
    NotTheOwner,
    /// Only its author may do this.
    #[error("the record is another author's; only its author may do this")]
    NotTheAuthor,
    /// Not accredited.
    #[error("the account is not accredited now; ask the authority")]
    NotAccredited,
    /// Suspended.
    #[error("the account is suspended by the authority; ask it to reinstate it")]
    Suspended,
    /// No permission to write.
    #[error("the owner has not permitted this author to write; ask for a write grant")]
    NoWriteGrant,
    /// Not this kind.
    #[error("the write grant does not cover records of this kind; ask the owner for it")]
    KindNotGranted,
    /// Only the owner writes this kind.
    #[error("records of this kind are written by the owner alone")]
    OwnerOnly,
}

/// May it?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allowed,
    /// No, because.
    Refused(Reason),
}

impl Decision {
    /// Nothing, or the reason.
    ///
    /// # Errors
    /// The reason of a refusal.
    pub const fn into_result(self) -> Result<(), Reason> {
        match self {
            Self::Allowed => Ok(()),
            Self::Refused(reason) => Err(reason),
        }
    }
}

/// What must be known to decide on a read.
#[derive(Clone, Copy, Debug)]
pub struct ReadFacts<'a> {
    /// Who asks.
    pub reader: AccountId,
    /// For what.
    pub purpose_tag: PurposeTag,
    /// The record.
    pub anchor: &'a AnchorFields,
    /// It is accepted.
    pub accepted: bool,
    /// It is erased.
    pub erased: bool,
    /// The grant that is used.
    pub grant: &'a Grant,
    /// It stands on chain with exactly these fields.
    pub granted: bool,
    /// It was revoked, alone, with its reader, or with everything.
    pub revoked: bool,
    /// It was shown to be in a list that was delivered under the grant, which is how a listed one is used, and no other.
    pub listed: bool,
    /// Reads so far.
    pub reads_used: u32,
    /// Time of the last final block.
    pub now: Timestamp,
}

/// Whether a grant is in force, whatever it is used for.
pub fn is_live(grant: &Grant, granted: bool, revoked: bool, now: Timestamp) -> Decision {
    if !granted {
        return Decision::Refused(Reason::UnknownGrant);
    }
    if revoked {
        return Decision::Refused(Reason::Revoked);
    }
    if now < grant.terms.from {
        return Decision::Refused(Reason::NotYetValid);
    }
    if now >= grant.terms.until {
        return Decision::Refused(Reason::Expired);
    }
    Decision::Allowed
}

/// May this reader get a receipt for this record?
pub fn may_read(facts: &ReadFacts<'_>) -> Decision {
    let refused = Decision::Refused;
    if let Decision::Refused(reason) = is_live(facts.grant, facts.granted, facts.revoked, facts.now)
    {
        return refused(reason);
    }
    if facts.grant.reader != facts.reader {
        return refused(Reason::NotTheReader);
    }
    if facts.grant.terms.purpose_tag != facts.purpose_tag {
        return refused(Reason::WrongPurpose);
    }
    if facts.grant.owner != facts.anchor.owner {
        return refused(Reason::NotTheOwner);
    }
    let (grant, anchor) = (facts.grant, facts.anchor);
    let is_listed = matches!(grant.terms.scope, Scope::Listed(_));
    if facts.listed != is_listed || !grant.covers(anchor.record_id(), anchor.class) {
        return refused(Reason::NotCovered);
    }
    if facts.erased {
        return refused(Reason::Erased);
    }
    if !facts.accepted {
        return refused(Reason::NotAccepted);
    }
    if facts
        .grant
        .terms
        .reads
        .is_some_and(|reads| facts.reads_used >= reads)
    {
        return refused(Reason::ReadsExhausted);
    }
    Decision::Allowed
}

/// What must be known to decide on a write.
#[derive(Clone, Copy, Debug)]
pub struct WriteFacts<'a> {
    /// Who wants to write.
    pub author: AccountId,
    /// For whom.
    pub owner: AccountId,
    /// What.
    pub kind: Kind,
    /// What the author is.
    pub role: Role,
    /// The authority accredits the author now.
    pub accredited: bool,
    /// The authority has suspended it.
    pub suspended: bool,
    /// The write grant in force, if there is one.
    pub write_grant: Option<&'a WriteGrant>,
    /// Time of the last final block.
    pub now: Timestamp,
}

/// May this author anchor a record of this kind for this owner?
pub fn may_write(facts: &WriteFacts<'_>) -> Decision {
    let refused = Decision::Refused;
    let accredited_as = match facts.kind {
        Kind::Medical => Some(Role::Provider),
        Kind::Research => Some(Role::Researcher),
        _ => None,
    };
    if let Some(role) = accredited_as {
        if facts.suspended {
            return refused(Reason::Suspended);
        }
        if facts.role != role || !facts.accredited {
            return refused(Reason::NotAccredited);
        }
    }
    let own = facts.author == facts.owner;
    if facts.kind == Kind::Own && !own {
        return refused(Reason::OwnerOnly);
    }
    if own && matches!(facts.kind, Kind::Own | Kind::Device) {
        return Decision::Allowed;
    }
    if facts.suspended {
        return refused(Reason::Suspended);
    }
    let Some(grant) = facts.write_grant.filter(|grant| {
        grant.author == facts.author && grant.owner == facts.owner && facts.now < grant.until
    }) else {
        return refused(Reason::NoWriteGrant);
    };
    if grant.kinds.contains(facts.kind) {
        Decision::Allowed
    } else {
        refused(Reason::KindNotGranted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BindingTag, ListRoot, Purpose, Terms};
    use medibloc_record::{ClassId, Digest, Nonce};

    const OWNER: AccountId = AccountId::new([1; 20]);
    const READER: AccountId = AccountId::new([2; 20]);

    fn anchor() -> AnchorFields {
        AnchorFields {
            nonce: Nonce::new([3; 32]),
            author: AccountId::new([4; 20]),
            owner: OWNER,
            package: Digest::new([5; 32]),
            key_set: Digest::new([6; 32]),
            capsule: Digest::new([7; 32]),
            attestation: Digest::new([8; 32]),
            kind: Kind::Medical,
            class: ClassId(0),
            amends: None,
        }
    }

    fn grant(scope: Scope) -> Grant {
        let terms = Terms {
            scope,
            purpose_tag: Purpose::Treatment.tag([9; 32]),
            from: Timestamp(100),
            until: Timestamp(200),
            reads: Some(2),
            binding: BindingTag::default(),
            digest: Digest::new([0; 32]),
        };
        Grant::new(OWNER, READER, Nonce::new([7; 32]), terms)
    }

    /// Each rule, one fact changed at a time.
    #[test]
    fn every_rule_refuses_alone_and_for_its_own_reason() {
        type Change = fn(&mut ReadFacts<'_>);
        let rows: [(&str, Change, Decision); 12] = [
            ("nothing", |_| {}, Decision::Allowed),
            (
                "unknown",
                |f| f.granted = false,
                Decision::Refused(Reason::UnknownGrant),
            ),
            (
                "revoked",
                |f| f.revoked = true,
                Decision::Refused(Reason::Revoked),
            ),
            (
                "early",
                |f| f.now = Timestamp(99),
                Decision::Refused(Reason::NotYetValid),
            ),
            ("last second", |f| f.now = Timestamp(199), Decision::Allowed),
            (
                "late",
                |f| f.now = Timestamp(200),
                Decision::Refused(Reason::Expired),
            ),
            (
                "other",
                |f| f.reader = OWNER,
                Decision::Refused(Reason::NotTheReader),
            ),
            (
                "purpose",
                |f| f.purpose_tag = Purpose::Research.tag([9; 32]),
                Decision::Refused(Reason::WrongPurpose),
            ),
            (
                "erased",
                |f| f.erased = true,
                Decision::Refused(Reason::Erased),
            ),
            (
                "not accepted",
                |f| f.accepted = false,
                Decision::Refused(Reason::NotAccepted),
            ),
            (
                "by a list",
                |f| f.listed = true,
                Decision::Refused(Reason::NotCovered),
            ),
            (
                "used up",
                |f| f.reads_used = 2,
                Decision::Refused(Reason::ReadsExhausted),
            ),
        ];
        let anchor = anchor();
        let grant = grant(Scope::One(anchor.record_id()));
        for (name, change, expected) in rows {
            let mut facts = ReadFacts {
                reader: READER,
                purpose_tag: grant.terms.purpose_tag,
                anchor: &anchor,
                accepted: true,
                erased: false,
                grant: &grant,
                granted: true,
                revoked: false,
                listed: false,
                reads_used: 0,
                now: Timestamp(150),
            };
            change(&mut facts);
            assert_eq!(may_read(&facts), expected, "{name}");
        }
    }

    #[test]
    fn a_listed_grant_reaches_what_was_shown_to_be_in_a_list_alone() {
        let (anchor, grant) = (anchor(), grant(Scope::Listed(ListRoot([1; 32]))));
        let facts = |listed| ReadFacts {
            reader: READER,
            purpose_tag: grant.terms.purpose_tag,
            anchor: &anchor,
            accepted: true,
            erased: false,
            grant: &grant,
            granted: true,
            revoked: false,
            listed,
            reads_used: 0,
            now: Timestamp(150),
        };
        assert_eq!(may_read(&facts(true)), Decision::Allowed);
        let refused = Decision::Refused(Reason::NotCovered);
        assert_eq!(may_read(&facts(false)), refused);
    }

    #[test]
    fn a_class_grant_never_matches_an_undisclosed_class() {
        let all: Vec<ClassId> = (0..=255).map(ClassId).collect();
        let grant = grant(Scope::Classes(crate::ClassSet::of(&all)));
        assert!(!grant.covers(anchor().record_id(), ClassId::UNDISCLOSED));
        assert!(grant.covers(anchor().record_id(), ClassId(3)));
    }

    #[test]
    fn a_medical_record_needs_accreditation_and_a_write_grant() {
        let write = WriteGrant {
            owner: OWNER,
            author: READER,
            nonce: Nonce::new([0; 32]),
            kinds: crate::KindSet::of(&[Kind::Medical]),
            until: Timestamp(200),
            digest: Digest::new([0; 32]),
        };
        let good = WriteFacts {
            author: READER,
            owner: OWNER,
            kind: Kind::Medical,
            role: Role::Provider,
            accredited: true,
            suspended: false,
            write_grant: Some(&write),
            now: Timestamp(150),
        };
        let check = |facts: WriteFacts<'_>, expected| assert_eq!(may_write(&facts), expected);
        check(good, Decision::Allowed);
        check(
            WriteFacts {
                accredited: false,
                ..good
            },
            Decision::Refused(Reason::NotAccredited),
        );
        check(
            WriteFacts {
                suspended: true,
                ..good
            },
            Decision::Refused(Reason::Suspended),
        );
        check(
            WriteFacts {
                write_grant: None,
                ..good
            },
            Decision::Refused(Reason::NoWriteGrant),
        );
        check(
            WriteFacts {
                now: Timestamp(200),
                ..good
            },
            Decision::Refused(Reason::NoWriteGrant),
        );
        check(
            WriteFacts {
                kind: Kind::Family,
                ..good
            },
            Decision::Refused(Reason::KindNotGranted),
        );
        for kind in [Kind::Family, Kind::Device] {
            check(
                WriteFacts {
                    kind,
                    suspended: true,
                    ..good
                },
                Decision::Refused(Reason::Suspended),
            );
        }
        // an accreditation counts for the records of its own role alone
        check(
            WriteFacts {
                kind: Kind::Research,
                ..good
            },
            Decision::Refused(Reason::NotAccredited),
        );
        check(
            WriteFacts {
                role: Role::Researcher,
                ..good
            },
            Decision::Refused(Reason::NotAccredited),
        );
        check(
            WriteFacts {
                suspended: true,
                ..good
            },
            Decision::Refused(Reason::Suspended),
        );
        // a device writes for its owner freely, for others with their grant
        check(
            WriteFacts {
                kind: Kind::Device,
                owner: READER,
                write_grant: None,
                ..good
            },
            Decision::Allowed,
        );
        check(
            WriteFacts {
                kind: Kind::Device,
                write_grant: None,
                ..good
            },
            Decision::Refused(Reason::NoWriteGrant),
        );
        check(
            WriteFacts {
                kind: Kind::Own,
                ..good
            },
            Decision::Refused(Reason::OwnerOnly),
        );
    }
}
