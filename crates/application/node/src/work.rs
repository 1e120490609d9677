//! What a registration costs a stranger: work that is bound to its call, more of it while many register. Why nothing else
//! stands in its place: docs/adr/0013-registration-costs-work.md.

use std::sync::{Mutex, PoisonError};

use medibloc_api::{Challenge, Code, RelayCall};
use medibloc_keys::Entropy as _;
use medibloc_record::{Digest, Timestamp};
use serde_bytes::ByteBuf;
use zeroize::Zeroizing;

use crate::clock::OsEntropy;
use crate::fault::Fault;

/// Seconds that a challenge is taken.
const LIFE: u64 = 600;
/// Registrations within an hour that each add a bit, each next twice as many.
const EASY: u64 = 64;
/// Bits that load adds at most: sixteen times the work.
const MOST_MORE: u8 = 4;
const HOUR: u64 = 3_600;

/// Gives challenges and knows its own again, without keeping any.
pub(crate) struct Toll {
    secret: Zeroizing<[u8; 32]>,
    base: u8,
    /// Registrations that were tried with work: the hour, in it, in the one before.
    load: Mutex<(u64, u64, u64)>,
}

impl Toll {
    pub(crate) fn new(base: u8) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        OsEntropy.fill(secret.as_mut());
        Self {
            secret,
            base,
            load: Mutex::default(),
        }
    }

    /// What a registration costs now.
    pub(crate) fn challenge(&self, now: Timestamp) -> Challenge {
        let bits = self.bits(now);
        Challenge {
            version: 1,
            challenge: ByteBuf::from(self.sealed(bits, now.0)),
            bits,
        }
    }

    /// Whether a registration brings the work that it was asked for.
    pub(crate) fn check(&self, call: &RelayCall, now: Timestamp) -> Result<(), Fault> {
        if self.base == 0 {
            return Ok(());
        }
        let needed = |why: &str| Fault::new(Code::WorkNeeded, why);
        let work = call
            .work
            .as_ref()
            .ok_or_else(|| needed("a registration needs work: the node pays for it"))?;
        let asked = self
            .open(&work.challenge, now)
            .ok_or_else(|| needed("the challenge is not this node's, or is over"))?;
        if work.bits(&call.bytes) < u32::from(asked) {
            return Err(needed("the work is not that of this call and challenge"));
        }
        let mut load = self.load.lock().unwrap_or_else(PoisonError::into_inner);
        *load = at_hour(*load, now);
        load.1 = load.1.saturating_add(1);
        Ok(())
    }

    fn bits(&self, now: Timestamp) -> u8 {
        if self.base == 0 {
            return 0;
        }
        let load = *self.load.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, this, before) = at_hour(load, now);
        let doubled = (this.max(before) / EASY + 1).ilog2();
        let more = u8::try_from(doubled).unwrap_or(MOST_MORE).min(MOST_MORE);
        self.base.saturating_add(more)
    }

    fn sealed(&self, bits: u8, at: u64) -> Vec<u8> {
        let mut bytes = vec![bits];
        bytes.extend_from_slice(&at.to_be_bytes());
        let mac = Digest::of(&[self.secret.as_slice(), &bytes].concat());
        bytes.extend_from_slice(mac.as_bytes());
        bytes
    }

    /// The bits that an own challenge asked for, if it is still taken.
    fn open(&self, challenge: &[u8], now: Timestamp) -> Option<u8> {
        let (bits, rest) = challenge.split_first()?;
        let at = u64::from_be_bytes(*rest.first_chunk()?);
        let own = self.sealed(*bits, at) == challenge;
        (own && now.since(Timestamp(at)) <= LIFE).then_some(*bits)
    }
}

/// The load as it is in the hour of now.
const fn at_hour((hour, this, before): (u64, u64, u64), now: Timestamp) -> (u64, u64, u64) {
    let next = now.0 / HOUR;
    if next == hour {
        (hour, this, before)
    } else if next == hour + 1 {
        (next, 0, this)
    } else {
        (next, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_record::Signature;

    fn call(toll: &Toll, number: u64, now: Timestamp) -> RelayCall {
        let bytes = number.to_be_bytes().to_vec();
        RelayCall {
            work: toll.challenge(now).solve(&bytes),
            bytes,
            signature: Signature::new([0; 65]),
        }
    }

    #[test]
    fn work_is_for_one_call_a_while_and_this_node_and_rises_with_load() {
        let now = Timestamp(1_800_000_000);
        let toll = Toll::new(4);
        let code =
            |call: &RelayCall, at: Timestamp| toll.check(call, at).err().map(|fault| fault.0.code);
        let good = call(&toll, 1, now);
        assert_eq!(code(&good, now), None);
        assert_eq!(code(&good, now.plus(LIFE)), None);
        assert_eq!(code(&good, now.plus(LIFE + 1)), Some(Code::WorkNeeded));
        let none = RelayCall {
            work: None,
            ..good.clone()
        };
        assert_eq!(code(&none, now), Some(Code::WorkNeeded));
        let foreign = call(&Toll::new(4), 1, now);
        assert_eq!(code(&foreign, now), Some(Code::WorkNeeded));
        let mut easier = good.clone();
        if let Some(work) = &mut easier.work {
            work.challenge[0] = 0;
        }
        assert_eq!(code(&easier, now), Some(Code::WorkNeeded));
        let others = (2..).map(|number| RelayCall {
            bytes: vec![number; 8],
            ..good.clone()
        });
        let refused = others.take(200).filter(|it| code(it, now).is_some());
        assert!(refused.count() > 150, "work for one call is not another's");
        let toll = Toll::new(4);
        assert_eq!(toll.challenge(now).bits, 4);
        for number in 0..64 {
            toll.check(&call(&toll, number, now), now).unwrap();
        }
        assert_eq!(toll.challenge(now).bits, 5);
        toll.load.lock().unwrap().1 = u64::MAX;
        assert_eq!(
            toll.challenge(now).bits,
            8,
            "never more than a phone can do"
        );
        assert_eq!(toll.challenge(now.plus(3 * HOUR)).bits, 4);
    }
}
