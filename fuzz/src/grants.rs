//! What owner and reader tell each other, and themselves: grants, artefacts, letters, invitations, notes.

use medibloc_consent::{AnchorFields, Binding, Grant, ReadFacts, Scope, WriteGrant, may_read};
use medibloc_journey::{Artefact, ContactCard, Invitation, Message, Note};
use medibloc_record::{AccountId, Address, ClassId, Digest, Kind, Nonce, Timestamp, TypedDomain};

/// Grants and the objects around them.
pub fn grant(data: &[u8]) {
    let domain = TypedDomain {
        chain_id: 31_337,
        records: Address::new([0x52; 20]),
    };
    if let Some(grant) = crate::object::<Grant>(data) {
        decide(&grant);
    }
    if let Some(write) = crate::object::<WriteGrant>(data) {
        for code in 1..=5 {
            let _covered = Kind::from_code(code).map(|kind| write.kinds.contains(kind));
        }
    }
    if let Some(binding) = crate::object::<Binding>(data) {
        let _tag = (binding.tag(), binding.digest(&domain));
    }
    if let Some(artefact) = crate::object::<Artefact>(data)
        && let Some(grant) = &artefact.grant
    {
        decide(grant);
    }
    crate::object::<Message>(data);
    crate::object::<ContactCard>(data);
    if let Ok(note) = Note::parse(data) {
        let again = Note::parse(&note.to_plain()).expect("its own text");
        assert_eq!(again, note);
    }
    if let Ok(text) = core::str::from_utf8(data)
        && let Ok(invitation) = Invitation::parse(text)
    {
        let again = Invitation::parse(&invitation.to_text()).expect("its own text");
        assert_eq!(again, invitation);
    }
}

/// Whoever it is for, a grant permits nothing outside its time, to another reader, or once revoked.
fn decide(grant: &Grant) {
    let anchor = AnchorFields {
        nonce: Nonce::new([1; 32]),
        author: AccountId::new([2; 20]),
        owner: grant.owner,
        package: Digest::new([4; 32]),
        key_set: Digest::new([5; 32]),
        capsule: Digest::new([6; 32]),
        attestation: Digest::new([7; 32]),
        kind: Kind::Medical,
        class: ClassId(1),
        amends: None,
    };
    let facts = ReadFacts {
        reader: grant.reader,
        purpose_tag: grant.terms.purpose_tag,
        anchor: &anchor,
        accepted: true,
        erased: false,
        grant,
        granted: true,
        revoked: false,
        listed: matches!(grant.terms.scope, Scope::Listed(_)),
        reads_used: 0,
        now: grant.terms.from,
    };
    let allowed = |facts: &ReadFacts<'_>| may_read(facts).into_result().is_ok();
    let live = grant.terms.from < grant.terms.until;
    let covered = grant.covers(anchor.record_id(), anchor.class);
    let reads_left = grant.terms.reads != Some(0);
    assert_eq!(allowed(&facts), live && covered && reads_left);
    let stranger = AccountId::new([0xee; 20]);
    for worse in [
        ReadFacts {
            revoked: true,
            ..facts
        },
        ReadFacts {
            granted: false,
            ..facts
        },
        ReadFacts {
            erased: true,
            ..facts
        },
        ReadFacts {
            listed: !facts.listed,
            ..facts
        },
        ReadFacts {
            accepted: false,
            ..facts
        },
        ReadFacts {
            now: grant.terms.until,
            ..facts
        },
        ReadFacts {
            now: Timestamp(u64::MAX),
            ..facts
        },
    ] {
        assert!(!allowed(&worse));
    }
    if grant.reader != stranger {
        assert!(!allowed(&ReadFacts {
            reader: stranger,
            ..facts
        }));
    }
}
