//! What a registration costs a stranger: a partial preimage of SHA-256 (hashcash), bound to one call.

use core::fmt;

use medibloc_record::Digest;
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

/// Bits that a client works for at most: a node that wants more is not obeyed.
pub const MOST_BITS: u8 = 22;

/// What a node asks of a registration now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// 1.
    pub version: u8,
    /// Opaque; it goes back with the work.
    pub challenge: ByteBuf,
    /// Leading zero bits that the hash must have; about 2^bits hashes find one.
    pub bits: u8,
}

/// The work for one call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The node's challenge.
    pub challenge: ByteBuf,
    /// What makes the hash begin with zeros.
    pub nonce: u64,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Work")
    }
}

impl Challenge {
    /// Does the work for a call; none if the node asks for over [`MOST_BITS`].
    pub fn solve(&self, call: &[u8]) -> Option<Work> {
        if self.bits > MOST_BITS {
            return None;
        }
        let seed = seed(&self.challenge, call);
        let nonce = (0..u64::MAX).find(|nonce| zeros(&seed, *nonce) >= u32::from(self.bits))?;
        Some(Work {
            challenge: self.challenge.clone(),
            nonce,
        })
    }
}

impl Work {
    /// Leading zero bits that it reached for a call.
    pub fn bits(&self, call: &[u8]) -> u32 {
        zeros(&seed(&self.challenge, call), self.nonce)
    }
}

fn seed(challenge: &[u8], call: &[u8]) -> Digest {
    let (challenge, call) = (Digest::of(challenge), Digest::of(call));
    let parts = [
        b"medibloc/v1/work".as_slice(),
        challenge.as_bytes(),
        call.as_bytes(),
    ];
    Digest::of(&parts.concat())
}

fn zeros(seed: &Digest, nonce: u64) -> u32 {
    let mut bytes = [0; 40];
    bytes[..32].copy_from_slice(seed.as_bytes());
    bytes[32..].copy_from_slice(&nonce.to_be_bytes());
    let hash = Digest::of(&bytes);
    let mut count = 0;
    for byte in hash.as_bytes() {
        count += byte.leading_zeros();
        if *byte != 0 {
            break;
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_for_one_call_and_one_challenge_and_too_much_is_not_done() {
        let challenge = Challenge {
            version: 1,
            challenge: ByteBuf::from(vec![7; 41]),
            bits: 12,
        };
        let work = challenge.solve(b"call").unwrap();
        assert!(work.bits(b"call") >= 12);
        // The example of docs/format/http.md.
        assert_eq!(work.nonce, EXAMPLE);
        let elsewhere = Work {
            challenge: ByteBuf::from(vec![8; 41]),
            ..work.clone()
        };
        for (what, bits) in [
            ("call", work.bits(b"other")),
            ("challenge", elsewhere.bits(b"call")),
        ] {
            assert!(bits < 12, "another {what}");
        }
        let greedy = Challenge {
            bits: MOST_BITS + 1,
            ..challenge
        };
        assert_eq!(greedy.solve(b"call"), None);
    }

    const EXAMPLE: u64 = 1141;
}
