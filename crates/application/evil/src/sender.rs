//! A sender of letters that nobody asked for: signed well, sealed well, with or without a tag.

use medibloc_journey::{Letter, Network};
use medibloc_keys::{Entropy, SigningKey};
use medibloc_record::{Address, Wrapped};
use serde_bytes::ByteArray;

/// What strangers put where a tag stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// Nothing.
    None,
    /// 32 random bytes.
    Random,
}

/// A letter from a key to any address: its inside is noise.
pub fn junk(from: Address, to: Address, tag: Tag, entropy: &mut dyn Entropy) -> Letter {
    let mut random = || {
        let mut bytes = [0; 32];
        entropy.fill(&mut bytes);
        bytes
    };
    Letter {
        version: 1,
        sender: from,
        recipient: to,
        id: random(),
        wrapped: Wrapped {
            key_version: 1,
            enc: random(),
            ciphertext: random().repeat(8),
        },
        tag: (tag == Tag::Random).then(|| ByteArray::new(random())),
    }
}

/// Sends `count` of them to one mailbox; gives how many its node took.
pub async fn flood(
    network: &dyn Network,
    from: &SigningKey,
    to: Address,
    count: usize,
    entropy: &mut (dyn Entropy + Send),
) -> usize {
    let mailbox = network.mailbox(from, &network.own_node());
    let mut taken = 0;
    for at in 0..count {
        let tag = if at % 2 == 0 { Tag::None } else { Tag::Random };
        let letter = junk(from.address(), to, tag, entropy);
        taken += usize::from(mailbox.send(&letter).await.is_ok());
    }
    taken
}
