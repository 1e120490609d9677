//! What every adapter of the journey's ports must do: the doubles in [`crate::memory`] and the real ones run the same.

use medibloc_consent::{KeeperReply, KeeperRequest, ShareDeposit, SignedReply, SignedRequest};
use medibloc_dag::{Block, Codec};
use medibloc_keys::{Phrase, SigningKey, recover};
use medibloc_ledger::Call;
use medibloc_record::{Digest, Draft, GrantId, LossReport, ReceiptId, RecordId, Role, Wrapped};

use crate::ports::{Change, FileFate, Letter, PortError, Ports, VaultPort};
use crate::{JourneyError, Party};

/// Runs the suite of a vault, on an empty one.
///
/// # Panics
/// If the vault breaks a rule; the message says which.
///
/// # Errors
/// If the vault fails where it must not.
pub fn vault(vault: &dyn VaultPort) -> Result<(), PortError> {
    let (one, two) = ("one", "two");
    let put = |table, key: &[u8], value: &[u8]| Change::Put {
        table,
        key: key.to_vec(),
        value: value.to_vec(),
    };
    let delete = |table, key: &[u8]| Change::Delete {
        table,
        key: key.to_vec(),
    };
    assert_eq!(vault.get(one, b"a")?, None, "an empty vault has nothing");
    assert!(vault.list(one)?.is_empty());
    vault.apply(vec![
        put(one, b"b", b"2"),
        put(one, b"a", b"1"),
        put(two, b"a", b"other"),
    ])?;
    let row = |key: &[u8], value: &[u8]| (key.to_vec(), value.to_vec());
    assert_eq!(
        vault.list(one)?,
        [row(b"a", b"1"), row(b"b", b"2")],
        "by key, of one table"
    );
    vault.apply(vec![
        put(one, b"a", b"new"),
        delete(one, b"b"),
        delete(one, b"never"),
        put(one, b"c", b""),
        put(one, b"c", b"last"),
    ])?;
    assert_eq!(vault.get(one, b"a")?.as_deref(), Some(&b"new"[..]));
    assert_eq!(vault.get(one, b"b")?, None);
    let last = vault.get(one, b"c")?;
    assert_eq!(last.as_deref(), Some(&b"last"[..]), "in their order");
    let other = vault.get(two, b"a")?;
    assert_eq!(other.as_deref(), Some(&b"other"[..]), "tables are apart");
    let block = Block::of(Codec::Raw, b"sealed".to_vec()).expect("a small block");
    assert_eq!(vault.blob(block.cid())?, None);
    vault.put_blob(&block)?;
    vault.put_blob(&block)?;
    assert_eq!(vault.blob(block.cid())?.as_deref(), Some(&b"sealed"[..]));
    vault.drop_blob(block.cid())?;
    vault.drop_blob(block.cid())?;
    assert_eq!(vault.blob(block.cid())?, None, "dropped is gone");
    let other = Block::of(Codec::Raw, b"other".to_vec()).expect("a small block");
    vault.put_blobs(&[block.clone(), other.clone(), block.clone()])?;
    assert_eq!(vault.blob(other.cid())?.as_deref(), Some(&b"other"[..]));
    vault.drop_blobs(&[*block.cid(), *block.cid()])?;
    vault.settle()?;
    assert_eq!(vault.blob(block.cid())?, None, "dropped is gone");
    assert!(vault.blob(other.cid())?.is_some(), "others stay");
    let never = vault.drop_file("/nowhere/at/all", &Digest::of(b"never"));
    assert_eq!(never, FileFate::Gone, "a file that is not there is gone");
    Ok(())
}

/// Runs the suite of mailboxes and keepers, as fresh addresses of a deployment; the ports have an empty vault.
///
/// # Panics
/// If a peer breaks a rule; the message says which.
///
/// # Errors
/// If a peer fails where it must not.
pub async fn network(ports: &Ports) -> Result<(), JourneyError> {
    let (anna, ben) = (registered(ports).await?, registered(ports).await?);
    mailbox(ports, &anna, &ben).await?;
    notes(ports, &anna, &ben).await?;
    strangers(ports, &anna).await?;
    parties(ports, &ben).await
}

async fn registered(ports: &Ports) -> Result<SigningKey, JourneyError> {
    let key = SigningKey::from_bytes(&ports.random()).expect("a random number is a key");
    let call = Call::Register {
        role: Role::Person,
        sealing_key: ports.random(),
    };
    let deadline = ports.facts.head().await?.time.plus(600);
    let unsigned = ports.submit.prepare(key.address(), &call, deadline).await?;
    let signature = key.sign_digest(&unsigned.digest);
    ports.relay.relay(&unsigned.sign(signature)).await?;
    Ok(key)
}

async fn mailbox(ports: &Ports, anna: &SigningKey, ben: &SigningKey) -> Result<(), JourneyError> {
    let url = ports.network.own_node();
    let (hers, his) = (
        ports.network.mailbox(anna, &url),
        ports.network.mailbox(ben, &url),
    );
    let letter = || Letter {
        version: 1,
        sender: anna.address(),
        recipient: ben.address(),
        id: ports.random(),
        wrapped: wrapped(),
        tag: None,
    };
    let (first, second) = (letter(), letter());
    assert!(his.fetch().await?.is_empty(), "a new mailbox is empty");
    for one in [&first, &second, &first] {
        hers.send(one).await?;
    }
    assert_eq!(
        his.fetch().await?,
        [first.clone(), second.clone()],
        "in their order, the same id once"
    );
    assert!(
        hers.fetch().await?.is_empty(),
        "a mailbox is its owner's alone"
    );
    hers.done(first.id).await?;
    assert_eq!(his.fetch().await?.len(), 2, "no other empties it");
    his.done(first.id).await?;
    his.done(first.id).await?;
    assert_eq!(
        his.fetch().await?,
        std::slice::from_ref(&second),
        "what is done is gone"
    );
    let more: Vec<Letter> = (0..3).map(|_| letter()).collect();
    for one in &more {
        hers.send(one).await?;
    }
    let mut ids: Vec<[u8; 32]> = more.iter().map(|one| one.id).collect();
    ids.push(ports.random());
    hers.done_all(&ids).await?;
    assert_eq!(his.fetch().await?.len(), 4, "no other empties it at once");
    his.done_all(&ids).await?;
    his.done_all(&ids).await?;
    his.done_all(&[]).await?;
    assert_eq!(his.fetch().await?, [second], "many at once, and no others");
    Ok(())
}

/// What an account keeps for itself: its own alone, one note a place, never written over unseen.
async fn notes(ports: &Ports, anna: &SigningKey, ben: &SigningKey) -> Result<(), JourneyError> {
    let url = ports.network.own_node();
    let (hers, his) = (
        ports.network.mailbox(anna, &url),
        ports.network.mailbox(ben, &url),
    );
    let sealed = |byte: u8, kib: usize| vec![byte; kib << 10];
    assert!(hers.notes().await?.is_empty(), "nothing is noted");
    assert!(hers.keep_note(15, None, sealed(1, 4)).await?);
    assert!(hers.keep_note(0, None, sealed(2, 256)).await?);
    let both = [(0, sealed(2, 256)), (15, sealed(1, 4))];
    assert_eq!(hers.notes().await?, both, "by place");
    assert!(
        his.notes().await?.is_empty(),
        "a note is its account's alone"
    );
    assert!(his.keep_note(15, None, sealed(3, 16)).await?);
    assert_eq!(hers.notes().await?, both, "no other writes over it");
    let unseen = hers.keep_note(15, None, sealed(4, 64)).await?;
    assert!(!unseen, "what is there was not seen");
    let of = Digest::of(&sealed(1, 4));
    let wrong = hers.keep_note(15, Some(Digest::of(b"?")), sealed(4, 64));
    assert!(!wrong.await?, "another one is there");
    assert!(hers.keep_note(15, Some(of), sealed(4, 64)).await?);
    let again = hers.keep_note(15, Some(of), sealed(4, 64)).await?;
    assert!(again, "the same once more is done");
    let both = [(0, sealed(2, 256)), (15, sealed(4, 64))];
    assert_eq!(hers.notes().await?, both, "the newest of a place");
    assert_eq!(his.notes().await?, [(15, sealed(3, 16))]);
    Ok(())
}

/// What keepers tell of a record that they do not know, and to whom they owe nothing.
async fn strangers(ports: &Ports, anna: &SigningKey) -> Result<(), JourneyError> {
    let keepers = ports.network.keepers(anna);
    let record = RecordId::new(ports.random());
    let deposit = ShareDeposit {
        record,
        key_set: vec![0xa0],
        index: 1,
        wrapped: wrapped(),
    };
    let taken = keepers.deposit(1, &deposit).await;
    assert!(
        matches!(taken, Err(PortError::Refused { .. })),
        "no share of an unknown record: {taken:?}"
    );
    assert_eq!(keepers.acknowledgement(1, record).await?, None);
    assert_eq!(keepers.deletion(1, record).await?, None);
    assert!(
        keepers.feed(1).await?.is_empty(),
        "nothing happened to her yet"
    );
    let committee = ports.facts.committee().await?;
    let request = KeeperRequest {
        version: 1,
        keeper: committee.keepers[0].signer,
        record,
        grant: GrantId::new(ports.random()),
        receipt: ReceiptId::new(ports.random()),
        one_time_key: ports.random(),
        binding: None,
        expiry: ports.clock.now().plus(60),
    };
    let digest = request.digest(&ports.domain);
    let signature = anna.sign_digest(&digest);
    let reply = keepers
        .release(1, &SignedRequest { request, signature })
        .await?;
    assert!(
        matches!(reply.reply, KeeperReply::Refused(_)),
        "nothing without a receipt"
    );
    assert_eq!(reply.request, digest, "it answers what was asked");
    let said = SignedReply::digest_of(digest, &reply.reply.to_bytes(), &ports.domain);
    assert_eq!(
        recover(&said, &reply.signature).ok(),
        Some(committee.keepers[0].signer),
        "a refusal is signed too"
    );
    for nobody in [0, 200] {
        assert!(
            keepers.feed(nobody).await.is_err(),
            "there is no keeper {nobody}"
        );
    }
    Ok(())
}

/// What keepers tell the parties of a record, and nobody else.
async fn parties(ports: &Ports, ben: &SigningKey) -> Result<(), JourneyError> {
    let phrase = Phrase::generate(
        &mut *ports
            .entropy
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner),
        medibloc_keys::Language::English,
    );
    let owner = Party::new(phrase.seed(), Role::Person, ports.clone());
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let draft = Draft::new(
        "text/plain",
        b"diary".to_vec(),
        bundle,
        LossReport::default(),
    );
    let record = owner.write_own(draft).await?.record;
    owner.sync().await?;
    let own = owner.own_address(owner.record(record)?.anchor.owner)?;
    let (hers, his) = (
        ports.network.keepers(&owner.signer(&own)),
        ports.network.keepers(ben),
    );
    for keeper in ports.facts.committee().await?.keepers {
        let reply = hers.acknowledgement(keeper.index, record).await?;
        let anchor = owner.record(record)?.anchor;
        assert!(
            reply.is_some_and(|reply| owner.is_acknowledged_by(keeper.signer, &anchor, &reply)),
            "keeper {} signs that it has its share",
            keeper.index
        );
        let reply = his.acknowledgement(keeper.index, record).await?;
        assert_eq!(reply, None, "another is told nothing");
        assert_eq!(hers.deletion(keeper.index, record).await?, None);
    }
    owner.erase(record).await?;
    let statement = hers.deletion(1, record).await?;
    assert!(statement.is_some_and(|said| said.record == record));
    assert_eq!(his.deletion(1, record).await?, None);
    Ok(())
}

fn wrapped() -> Wrapped {
    Wrapped {
        key_version: 1,
        enc: [7; 32],
        ciphertext: vec![7; 48],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{MemoryVault, World};

    #[test]
    fn the_memory_vault_keeps_the_contract() {
        vault(&MemoryVault::default()).unwrap();
    }

    #[tokio::test]
    async fn the_memory_network_keeps_the_contract() {
        network(&World::new(1).ports()).await.unwrap();
    }
}
