//! Permissions to write (design 11, row 5). The chain keeps one for each own address and author: the newest takes the place of the
//! one before, whichever ends first.

use std::collections::BTreeSet;

use medibloc_consent::{KindSet, Purpose, WriteGrant};
use medibloc_ledger::Call;
use medibloc_record::{AccountId, Digest, GrantId, Nonce, Timestamp};

use crate::errand::{Luggage, errand_key};
use crate::grant::{Artefact, GivenGrant};
use crate::party::{change, table};
use crate::ports::Change;
use crate::{JourneyError, NotTaken, Party};

/// Permissions of one own address for one author, as far as they are not taken back.
struct OfOnePair {
    /// The one that the chain has.
    standing: Option<(GrantId, GivenGrant)>,
    /// Those of which nothing has left.
    unsent: Vec<(GrantId, GivenGrant)>,
}

impl Party {
    /// Lets a confirmed contact write records of these kinds until a time (row 5). Gives the permission that stands by it, or is on
    /// its way: the same one as before if that is it. What was planned for the contact before is dropped.
    ///
    /// # Errors
    /// If the contact is not confirmed or not accredited, the contracts refuse, or somebody does not answer.
    pub async fn grant_write(
        &self,
        own: AccountId,
        kinds: KindSet,
        until: Timestamp,
    ) -> Result<GrantId, JourneyError> {
        let contact = self.confirmed(own)?;
        let author = contact
            .card
            .account
            .ok_or_else(|| JourneyError::Untrusted {
                what: "contact",
                why: "only an accredited account can be allowed to write".into(),
            })?;
        let before = self.permissions_of(own, author).await?;
        let is_same = |given: &GivenGrant| {
            given.artefact.write.is_some_and(|write| {
                write.kinds == kinds && self.ports.pace.is_end_of(until, write.until, None)
            })
        };
        let standing = before.standing.filter(|(_, given)| is_same(given));
        let planned = || before.unsent.iter().find(|(_, given)| is_same(given));
        let same = standing.as_ref().or_else(planned).map(|(id, _)| *id);
        let over: BTreeSet<[u8; 32]> = before
            .unsent
            .iter()
            .filter(|(id, _)| Some(*id) != same)
            .map(|(id, _)| errand_key("grant", &[id.as_bytes()]))
            .collect();
        let dropped = self.drop_planned(|errand| over.contains(&errand.key))?;
        if let Some(id) = same {
            self.ports.vault.apply(dropped)?;
            self.finish(&errand_key("grant", &[id.as_bytes()])).await?;
            return Ok(id);
        }
        self.hear_before_it_is_decided(contact.party).await?;
        let until = self.end_of(until).await?;
        let address = self.own_address(own)?;
        let mut write = WriteGrant {
            owner: own,
            author,
            nonce: Nonce::new(self.ports.random()),
            kinds,
            until,
            digest: Digest::new([0; 32]),
        };
        let mut artefact = Artefact {
            write: Some(write),
            ..Artefact::new(
                &contact,
                self.ports.network.own_node(),
                (Purpose::Treatment, "write records"),
                until,
            )
        };
        let id = GrantId::derive(own, author, write.nonce);
        let author_key = self.key_of(author).await?;
        let made = self.make_grant_object(&address, (author, &author_key), id, &artefact, None)?;
        write.digest = made.digest;
        artefact.write = Some(write);
        self.ports.vault.put_blob(&made.block)?;
        let given = GivenGrant::new(own, artefact);
        let rows: [Change; 2] = [
            change(table::WRITE_GRANTS, id.as_bytes(), &given),
            self.said_row(id),
        ];
        self.begin_at(
            self.ports.due(),
            errand_key("grant", &[id.as_bytes()]),
            format!(
                "permission to write for {}",
                self.names()?.contact(&contact)
            ),
            own,
            Call::GrantWrite(write),
            Luggage {
                objects: vec![*made.block.cid()],
                rows: dropped.into_iter().chain(rows).collect(),
                ..Luggage::default()
            },
        )
        .await?;
        Ok(id)
    }

    /// What the chain has of an address for an author, and what waits. What has left and is not on the chain goes on first: behind a
    /// newer one it would take the place of that.
    async fn permissions_of(
        &self,
        own: AccountId,
        author: AccountId,
    ) -> Result<OfOnePair, JourneyError> {
        for (id, _) in self.writes_of(own, author)? {
            if self.is_on_its_way(id)? && !self.is_to_be_given(id)? {
                self.finish(&errand_key("grant", &[id.as_bytes()])).await?;
            }
        }
        // Another device of the phrase may have given or taken back since the last sync.
        let (_, not_taken) = self.take_consents().await?;
        let is_of_it = |one: &NotTaken| one.scope.is_none() && (one.own, one.to) == (own, author);
        let (mut unsent, mut standing) = (Vec::new(), None);
        for (id, given) in self.writes_of(own, author)? {
            if self.is_to_be_given(id)? {
                unsent.push((id, given));
            } else if !given.revoked
                && !self.is_write_being_revoked(&given)?
                && self.replaced_by(id, &given)?.is_none()
            {
                standing = Some((id, given));
            }
        }
        // Of a newer one only the chain tells.
        if not_taken.iter().any(is_of_it) {
            standing = None;
        }
        Ok(OfOnePair { standing, unsent })
    }

    /// The permission that took the place of this one on the chain, if one did: the last of the same author under the same address.
    ///
    /// # Errors
    /// If the vault fails.
    pub fn replaced_by(
        &self,
        id: GrantId,
        given: &GivenGrant,
    ) -> Result<Option<GrantId>, JourneyError> {
        let Some(write) = given.artefact.write else {
            return Ok(None);
        };
        let Some(at) = self.times_of(id)?.given else {
            return Ok(None);
        };
        let mut newest = None;
        for (other, _) in self.writes_of(given.own, write.author)? {
            let later = self.times_of(other)?.given.map(|given| given.block);
            newest = newest.max(
                later
                    .filter(|later| *later > at.block)
                    .map(|it| (it, other)),
            );
        }
        Ok(newest.map(|(_, other)| other))
    }

    /// Permissions of an own address for an author, whatever became of them.
    fn writes_of(
        &self,
        own: AccountId,
        author: AccountId,
    ) -> Result<Vec<(GrantId, GivenGrant)>, JourneyError> {
        let mut given = self.write_grants()?;
        given.retain(|(_, given)| {
            let write = given.artefact.write;
            write.is_some_and(|write| (write.owner, write.author) == (own, author))
        });
        Ok(given)
    }
}
