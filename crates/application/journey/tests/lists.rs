//! An owner's lists of keys: each is held against the chain, and gives way to who takes something back.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use medibloc_consent::{AnchorFields, Grant, Purpose};
use medibloc_journey::memory::World;
use medibloc_journey::{Extent, Party, Urgency, Urgent};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_ledger::{
    AccountFacts, CommitteeFacts, Facts, GrantFacts, Head, LedgerError, MemoryLedger, RecordFacts,
    Standing,
};
use medibloc_record::{
    AccountId, Address, Draft, LossReport, RecordId, Role, Sensitivity, Timestamp,
};

fn phrase(seed: u64) -> Phrase {
    Phrase::generate(&mut SeededEntropy::new(seed), Language::English)
}

fn draft(text: &str) -> Draft {
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let bytes = text.as_bytes().to_vec();
    Draft::new("application/cda+xml", bytes, bundle, LossReport::default())
}

/// A chain that is asked for anchors; while it answers the last of so many, somebody comes who takes something back.
struct Asked {
    inner: Arc<MemoryLedger>,
    left: Mutex<Option<(usize, Urgency)>>,
    waits: Mutex<Option<Urgent>>,
    anchors: Mutex<usize>,
}

impl Asked {
    fn call_after(&self, answers: usize, urgency: Urgency) {
        *self.left.lock().unwrap() = Some((answers, urgency));
    }

    /// Nobody waits any more; gives how many anchors were asked for since the last time.
    fn go_on(&self) -> usize {
        self.waits.lock().unwrap().take();
        self.left.lock().unwrap().take();
        core::mem::take(&mut *self.anchors.lock().unwrap())
    }
}

#[async_trait]
impl Facts for Asked {
    async fn head(&self) -> Result<Head, LedgerError> {
        self.inner.head().await
    }
    async fn account_of(&self, address: Address) -> Result<Option<AccountId>, LedgerError> {
        self.inner.account_of(address).await
    }
    async fn account_at(&self, of: Address, at: u64) -> Result<Option<AccountId>, LedgerError> {
        self.inner.account_at(of, at).await
    }
    async fn account(&self, id: AccountId) -> Result<Option<AccountFacts>, LedgerError> {
        self.inner.account(id).await
    }
    async fn standing(&self, id: AccountId, at: Timestamp) -> Result<Standing, LedgerError> {
        self.inner.standing(id, at).await
    }
    async fn record(&self, id: RecordId) -> Result<Option<RecordFacts>, LedgerError> {
        self.inner.record(id).await
    }
    async fn is_anchored(&self, anchor: &AnchorFields) -> Result<bool, LedgerError> {
        *self.anchors.lock().unwrap() += 1;
        if let Some((left, urgency)) = self.left.lock().unwrap().as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                *self.waits.lock().unwrap() = Some(urgency.wait());
            }
        }
        self.inner.is_anchored(anchor).await
    }
    async fn grant(&self, grant: &Grant) -> Result<GrantFacts, LedgerError> {
        self.inner.grant(grant).await
    }
    async fn committee(&self) -> Result<CommitteeFacts, LedgerError> {
        self.inner.committee().await
    }
    async fn committee_of(&self, id: u32) -> Result<Option<CommitteeFacts>, LedgerError> {
        self.inner.committee_of(id).await
    }
}

/// Before: the chain was asked of every key of a list, and a revocation waited for that.
#[tokio::test]
async fn a_list_of_keys_gives_way_keeps_what_was_done_and_goes_on_at_the_next_sync() {
    let world = World::new(21);
    let chain = Arc::new(Asked {
        inner: world.ledger.clone(),
        left: Mutex::default(),
        waits: Mutex::default(),
        anchors: Mutex::default(),
    });
    let patient = Party::new(phrase(1).seed(), Role::Person, world.ports());
    let mut ports = world.ports();
    ports.facts = chain.clone();
    let clinic = Party::new(phrase(2).seed(), Role::Provider, ports);
    clinic.register_account().await.unwrap();
    let jwt = world.accredit(clinic.account().id(), "Bit Clinic");
    let invitation = patient.invite().await.unwrap();
    let owner = clinic.answer(&invitation, Some(&jwt)).await.unwrap().owner;
    patient.sync().await.unwrap();
    patient.confirm(owner).unwrap();
    for number in 0..5 {
        let written = patient.write_own(draft(&format!("page {number}")));
        written.await.unwrap();
    }
    let mut last = None;
    patient.sync().await.unwrap();
    let until = world.ports().clock.now().plus(7 * 86_400);
    let ask = clinic.ask(owner, Purpose::Treatment, "all", until);
    ask.await.unwrap();
    patient.sync().await.unwrap();
    let request = patient.requests().unwrap().remove(0);
    let all = patient.approve_all(&request, Extent::All, Sensitivity::Normal, until);
    all.await.unwrap();
    let kept = || {
        let held = clinic.held().unwrap();
        let kept = held
            .iter()
            .map(|held| clinic.records_of(held).unwrap().len());
        kept.sum::<usize>()
    };

    // The list that comes with a consent, and then one that is delivered later.
    for (at, of, until) in [("given", 5, 2), ("delivered", 4, 1)] {
        if at == "delivered" {
            for number in 5..9 {
                let written = patient.write_own(draft(&format!("page {number}")));
                last = Some(written.await.unwrap().record);
            }
            patient.sync().await.unwrap();
        }
        let before = kept();
        chain.go_on();
        chain.call_after(until, clinic.urgency());
        let report = clinic.sync().await.unwrap();
        assert!(report.gave_way, "{at}: {report:?}");
        let told = report.later.join("\n");
        assert!(told.contains("did not wait for it"), "{at}: {told}");
        assert_eq!((chain.go_on(), kept() - before), (until, until), "{at}");
        let report = clinic.sync().await.unwrap();
        assert!(report.missed.is_empty(), "{at}: {report:?}");
        assert_eq!((chain.go_on(), kept() - before), (of - until, of), "{at}");
    }
    clinic.read(last.unwrap()).await.unwrap();
}
