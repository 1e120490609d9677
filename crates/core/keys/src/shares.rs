//! The keepers' half of a record key: dealt from one seed, shared t of n over ristretto255 with Feldman commitments.

use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::Identity;
use curve25519_dalek::{RistrettoPoint, Scalar};
use hkdf::Hkdf;
use medibloc_record::{RecordId, Threshold};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

use crate::KeysError;

macro_rules! secret32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        // In an allocation of its own: what is moved is the pointer, so no place that it was moved out of keeps the bytes.
        pub struct $name(Box<Zeroizing<[u8; 32]>>);

        impl $name {
            /// The secret with these bytes; other copies of them are the caller's to wipe.
            pub fn new(bytes: [u8; 32]) -> Self {
                Self::copied(&Zeroizing::new(bytes))
            }

            /// The secret with a copy of these bytes, which are not moved; none unless they are 32.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self::copied)
            }

            /// The bytes, for a cipher or a wrap alone.
            pub fn expose(&self) -> &[u8; 32] {
                &self.0
            }

            fn copied(bytes: &[u8; 32]) -> Self {
                let mut kept = Box::new(Zeroizing::new([0; 32]));
                kept.copy_from_slice(bytes);
                Self(kept)
            }
        }

        impl Clone for $name {
            fn clone(&self) -> Self {
                Self::copied(self.expose())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                subtle::ConstantTimeEq::ct_eq(&self.expose()[..], &other.expose()[..]).into()
            }
        }

        impl Eq for $name {}

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}

secret32!(
    /// s: everything about a dealing follows from it and the record's id.
    DealerSeed
);
secret32!(
    /// k_k: the keepers' half of a record's key, a canonical scalar.
    KeeperHalf
);
secret32!(
    /// One keeper's share, a canonical scalar.
    Share
);

/// A polynomial of degree t − 1 with its commitments.
pub struct Dealing {
    coefficients: Vec<Scalar>,
    threshold: Threshold,
}

impl Drop for Dealing {
    fn drop(&mut self) {
        self.coefficients.zeroize();
    }
}

impl core::fmt::Debug for Dealing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Dealing")
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

impl Dealing {
    /// a_j = wide-reduce(HKDF-SHA512(ikm s, salt record id, info "medibloc/v1/share/" ‖ u8(j), 64 bytes)).
    pub fn from_seed(seed: &DealerSeed, record: RecordId, threshold: Threshold) -> Self {
        let hkdf = Hkdf::<Sha512>::new(Some(record.as_bytes()), seed.expose());
        let coefficients = (0..threshold.t())
            .map(|j| {
                let mut wide = Zeroizing::new([0u8; 64]);
                hkdf.expand_multi_info(&[b"medibloc/v1/share/", &[j]], wide.as_mut())
                    .expect("64 bytes are within HKDF's limit");
                Scalar::from_bytes_mod_order_wide(&wide)
            })
            .collect();
        Self {
            coefficients,
            threshold,
        }
    }

    /// k_k = a_0.
    pub fn keeper_half(&self) -> KeeperHalf {
        KeeperHalf::new(self.coefficients[0].to_bytes())
    }

    /// a_j·G, compressed.
    pub fn commitments(&self) -> Vec<[u8; 32]> {
        self.coefficients
            .iter()
            .map(|a| RistrettoPoint::mul_base(a).compress().to_bytes())
            .collect()
    }

    /// f(i) for keeper i from 1 to n; none for others.
    pub fn share(&self, index: u8) -> Option<Share> {
        if index == 0 || index > self.threshold.n() {
            return None;
        }
        let x = Scalar::from(index);
        let y = self
            .coefficients
            .iter()
            .rev()
            .fold(Scalar::ZERO, |sum, a| sum * x + a);
        Some(Share::new(y.to_bytes()))
    }
}

/// Checks a share against the commitments: f(i)·G = Σ C_j·i^j.
///
/// # Errors
/// [`KeysError::Share`] if it does not fit or is not canonical.
pub fn check_share(commitments: &[[u8; 32]], index: u8, share: &Share) -> Result<(), KeysError> {
    let wrong = || KeysError::Share { index };
    if index == 0 {
        return Err(wrong());
    }
    let y = scalar(share).ok_or_else(wrong)?;
    let x = Scalar::from(index);
    let mut expected = RistrettoPoint::identity();
    for commitment in commitments.iter().rev() {
        let point = CompressedRistretto(*commitment)
            .decompress()
            .ok_or_else(wrong)?;
        expected = expected * x + point;
    }
    if RistrettoPoint::mul_base(&y) == expected {
        Ok(())
    } else {
        Err(wrong())
    }
}

/// k_k from t checked shares (Lagrange at 0).
///
/// # Errors
/// If fewer than t distinct shares are given, or one is not canonical.
pub fn combine(threshold: Threshold, shares: &[(u8, Share)]) -> Result<KeeperHalf, KeysError> {
    let mut points: Vec<(u8, Zeroizing<Scalar>)> = Vec::new();
    for (index, share) in shares {
        let y = scalar(share).ok_or(KeysError::Share { index: *index })?;
        if *index != 0 && points.iter().all(|(seen, _)| seen != index) {
            points.push((*index, y));
        }
    }
    let t = usize::from(threshold.t());
    if points.len() < t {
        return Err(KeysError::TooFewShares {
            got: points.len(),
            needed: threshold.t(),
        });
    }
    points.truncate(t);
    let mut secret = Zeroizing::new(Scalar::ZERO);
    for (i, y) in &points {
        let x = Scalar::from(*i);
        let weight = points
            .iter()
            .filter(|(m, _)| m != i)
            .fold(Scalar::ONE, |product, (m, _)| {
                let other = Scalar::from(*m);
                product * other * (other - x).invert()
            });
        *secret += **y * weight;
    }
    Ok(KeeperHalf::new(secret.to_bytes()))
}

fn scalar(share: &Share) -> Option<Zeroizing<Scalar>> {
    let y = Scalar::from_canonical_bytes(*share.expose());
    Option::from(y).map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dealing() -> Dealing {
        let threshold = Threshold::new(7, 4).unwrap();
        Dealing::from_seed(&DealerSeed::new([7; 32]), RecordId::new([9; 32]), threshold)
    }

    #[test]
    fn any_four_of_seven_shares_give_the_half_and_three_do_not() {
        let dealing = dealing();
        let threshold = dealing.threshold;
        let all: Vec<(u8, Share)> = (1..=7).map(|i| (i, dealing.share(i).unwrap())).collect();
        for mask in 0u32..128 {
            let some: Vec<_> = all
                .iter()
                .filter(|(i, _)| mask >> (i - 1) & 1 == 1)
                .cloned()
                .collect();
            let half = combine(threshold, &some);
            if some.len() >= 4 {
                assert_eq!(half.unwrap(), dealing.keeper_half());
            } else {
                assert!(half.is_err());
            }
        }
        let three = Threshold::new(7, 3).unwrap();
        assert_ne!(combine(three, &all[..3]).unwrap(), dealing.keeper_half());
    }

    #[test]
    fn a_changed_share_or_index_does_not_fit_its_commitment() {
        let dealing = dealing();
        let commitments = dealing.commitments();
        for i in 1..=7 {
            let share = dealing.share(i).unwrap();
            assert_eq!(check_share(&commitments, i, &share), Ok(()));
            assert!(check_share(&commitments, i % 7 + 1, &share).is_err());
            let mut other = *share.expose();
            other[0] ^= 1;
            assert!(check_share(&commitments, i, &Share::new(other)).is_err());
        }
        assert!(dealing.share(0).is_none() && dealing.share(8).is_none());
    }

    #[test]
    fn secrets_do_not_print() {
        assert_eq!(format!("{:?}", DealerSeed::new([1; 32])), "DealerSeed(…)");
    }
}
