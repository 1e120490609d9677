//! A reader with valid keys that skips every check of its own opens nothing under a limited consent but what is in its lists.

use medibloc_consent::{ListProof, Purpose, Reason, Scope};
use medibloc_ledger::{Call, LedgerError, Refusal};
use medibloc_record::{Draft, GrantId, LossReport, Nonce, RecordId, Sensitivity};
use serde_bytes::ByteArray;

use crate::grant::{Extent, HeldGrant, SharedKey};
use crate::post::tests::{Story, story};

impl Story {
    async fn written(&self, sensitivity: Sensitivity) -> RecordId {
        let bundle = serde_json::json!({"resourceType": "Bundle"});
        let mut draft = Draft::new("text/xml", b"z".to_vec(), bundle, LossReport::default());
        draft.sensitivity = sensitivity;
        self.patient.write_own(draft).await.unwrap().record
    }

    /// A standing consent to what is not restricted.
    async fn limited(&self, reason: &str) -> GrantId {
        let held = self.clinic.held().unwrap().remove(0);
        let until = held.artefact.grant.as_ref().unwrap().terms.until;
        let paired = held.artefact.paired;
        let ask = self.clinic.ask(paired, Purpose::Treatment, reason, until);
        ask.await.unwrap();
        self.patient.sync().await.unwrap();
        let mut requests = self.patient.requests().unwrap();
        requests.retain(|it| it.request.reason == reason);
        let (request, up_to) = (requests.remove(0), Sensitivity::Normal);
        let mine: Vec<RecordId> = self
            .patient
            .records()
            .unwrap()
            .iter()
            .map(|it| it.record())
            .collect();
        let all = self
            .patient
            .approve_all_and(&request, Extent::All, up_to, until, &mine);
        let given = all.await.unwrap().grants;
        self.clinic.sync().await.unwrap();
        let own = self.patient.records().unwrap().remove(0).anchor.owner;
        let grants = self.patient.grants().unwrap();
        let of_own = |id: &GrantId| {
            grants
                .iter()
                .any(|(it, given)| it == id && given.own == own)
        };
        given.into_iter().find(of_own).unwrap()
    }

    fn key(&self, record: RecordId, grant: GrantId) -> (HeldGrant, SharedKey) {
        let mut openers = self.clinic.openers(record).unwrap();
        openers.retain(|(held, _)| held.id() == Some(grant));
        openers.remove(0)
    }

    /// Asks the chain, whatever the home would say.
    async fn opens(
        &self,
        held: &HeldGrant,
        key: &SharedKey,
        proof: Option<ListProof>,
    ) -> Result<(), Reason> {
        let grant = held.artefact.grant.clone().unwrap();
        let call = Call::OpenRead {
            record: key.record(),
            purpose_tag: grant.terms.purpose_tag,
            nonce: Nonce::new(self.clinic.ports.random()),
            anchor: key.anchor,
            grant,
            proof,
        };
        let own = self.clinic.own_address(held.own).unwrap();
        let signed = self.clinic.sign(&own, &call).await.unwrap();
        match self.clinic.ports.relay.relay(&signed).await {
            Ok(_) => Ok(()),
            Err(LedgerError::Refused(Refusal::Consent(reason))) => Err(reason),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_reader_that_skips_all_checks_opens_what_is_in_a_list_of_its_consent_alone() {
    let story = story().await;
    let normal = story.written(Sensitivity::Normal).await;
    let restricted = story.written(Sensitivity::Restricted).await;
    // Its own key of the restricted one, given for itself.
    let until = story.clinic.held().unwrap()[0].artefact.erase_by;
    let asked = story.limited("first").await;
    let request = story.patient.requests().unwrap().remove(0);
    let alone = story
        .patient
        .approve(&request, restricted, until)
        .await
        .unwrap();
    let other = story.limited("second").await;
    story.patient.sync().await.unwrap();
    story.clinic.sync().await.unwrap();

    let (held, key) = story.key(normal, asked);
    let scope = held.artefact.grant.as_ref().unwrap().terms.scope;
    assert!(matches!(scope, Scope::Listed(_)), "{scope:?}");
    let true_path = key.proof.clone().unwrap();
    let (_, of_other) = story.key(normal, other);
    let (_, kept) = story.key(restricted, alone);
    assert!(kept.proof.is_none());
    let mut inner = true_path.clone();
    inner.path.remove(0);
    let mut longer = true_path.clone();
    longer.path.push(ByteArray::new([0; 32]));
    let none = ListProof {
        salt: [0; 32],
        path: Vec::new(),
    };
    for (what, key, proof) in [
        ("a kept key, by no list", &kept, None),
        (
            "a kept key, by another record's path",
            &kept,
            Some(true_path.clone()),
        ),
        ("a kept key, by an inner node", &kept, Some(inner.clone())),
        ("a kept key, by an empty path", &kept, Some(none)),
        ("a listed record, by no list", &key, None),
        ("a listed record, by a path that was cut", &key, Some(inner)),
        ("a listed record, by a longer path", &key, Some(longer)),
        (
            "a listed record, by a list of another consent",
            &key,
            of_other.proof.clone(),
        ),
    ] {
        assert_eq!(
            story.opens(&held, key, proof).await,
            Err(Reason::NotCovered),
            "{what}"
        );
    }
    story.opens(&held, &key, key.proof.clone()).await.unwrap();
    story.patient.revoke(asked).await.unwrap();
    let over = story.opens(&held, &key, key.proof.clone()).await;
    assert_eq!(over, Err(Reason::Revoked));
}
