//! The signed request: one address signs node, method, target, body, nonce and expiry (design 01).

use core::fmt;
use core::str::FromStr;

use medibloc_record::{Abi, Address, Digest, Nonce, Signature, Timestamp, TypedDomain, keccak256};

/// Seconds from now to the latest expiry that is taken.
pub const MAX_LIFE: u64 = 5 * 60;

const SCHEME: &str = "Medibloc-1";

/// What a request's signature is over.
#[derive(Clone, Copy, Debug)]
pub struct RequestText<'a> {
    /// Which node or keeper it is for: the URL that it is known by, without a slash at its end.
    pub node: &'a str,
    /// The method, upper case.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// SHA-256 of the body.
    pub body: Digest,
    /// A random number used once.
    pub nonce: Nonce,
    /// Until when it may be answered.
    pub expiry: Timestamp,
}

impl RequestText<'_> {
    /// The EIP-712 digest that the address signs; the domain has the chain's id.
    pub fn digest(&self, domain: &TypedDomain) -> [u8; 32] {
        const TYPE: &[u8] = b"NodeRequest(string node,string method,string target,bytes32 bodySha256,bytes32 nonce,uint64 expiry)";
        let hash = Abi::new()
            .word(keccak256(TYPE))
            .word(keccak256(self.node.as_bytes()))
            .word(keccak256(self.method.as_bytes()))
            .word(keccak256(self.target.as_bytes()))
            .word(self.body.to_bytes())
            .word(self.nonce.to_bytes())
            .uint(self.expiry.0)
            .keccak256();
        domain.digest(hash)
    }
}

/// The header `Authorization` of a signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Who says that it signed.
    pub address: Address,
    /// The text's nonce.
    pub nonce: Nonce,
    /// The text's expiry.
    pub expiry: Timestamp,
    /// Over the text's digest.
    pub signature: Signature,
}

/// Why a header is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// Another scheme or none.
    #[error("the authorization is not of the scheme {SCHEME}; sign the request")]
    Scheme,
    /// A field is missing, twice, unknown or malformed.
    #[error("the authorization's field {field} is missing or malformed; sign the request anew")]
    Field {
        /// Which.
        field: &'static str,
    },
}

/// Why a request's time is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Over.
    #[error("the request has expired; set the clock and sign it anew")]
    Expired,
    /// Valid for too long.
    #[error("the request is valid for over {MAX_LIFE} seconds; set the clock and sign it anew")]
    TooLong,
}

impl Authorization {
    /// Whether the request may be answered now.
    ///
    /// # Errors
    /// If it has expired, or expires later than [`MAX_LIFE`] from now.
    pub const fn check_time(&self, now: Timestamp) -> Result<(), TimeError> {
        if self.expiry.0 < now.0 {
            Err(TimeError::Expired)
        } else if self.expiry.since(now) > MAX_LIFE {
            Err(TimeError::TooLong)
        } else {
            Ok(())
        }
    }
}

impl fmt::Display for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{SCHEME} address={}, nonce={}, expiry={}, signature=0x{}",
            self.address,
            self.nonce,
            self.expiry,
            hex::encode(self.signature.as_bytes())
        )
    }
}

impl FromStr for Authorization {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let fields = text
            .strip_prefix(SCHEME)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(HeaderError::Scheme)?;
        let mut fields = fields.split(", ");
        let mut next = |field: &'static str| {
            fields
                .next()
                .and_then(|pair| pair.strip_prefix(field)?.strip_prefix('='))
                .ok_or(HeaderError::Field { field })
        };
        let bad = |field| HeaderError::Field { field };
        let address = next("address")?.parse().map_err(|_| bad("address"))?;
        let nonce = next("nonce")?.parse().map_err(|_| bad("nonce"))?;
        let expiry = next("expiry")?.parse().map_err(|_| bad("expiry"))?;
        let digits = next("signature")?
            .strip_prefix("0x")
            .ok_or_else(|| bad("signature"))?;
        let mut signature = [0; 65];
        hex::decode_to_slice(digits, &mut signature).map_err(|_| bad("signature"))?;
        if fields.next().is_some() {
            return Err(bad("end"));
        }
        Ok(Self {
            address,
            nonce,
            expiry: Timestamp(expiry),
            signature: Signature::new(signature),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medibloc_keys::{SigningKey, recover};

    const DOMAIN: TypedDomain = TypedDomain {
        chain_id: 31_337,
        records: Address::new([0x52; 20]),
    };

    fn text() -> RequestText<'static> {
        RequestText {
            node: "http://127.0.0.1:8080",
            method: "POST",
            target: "/v1/blocks?x=1",
            body: Digest::of(b"body"),
            nonce: Nonce::new([7; 32]),
            expiry: Timestamp(1_000),
        }
    }

    #[test]
    fn the_signature_is_over_every_field() {
        let key = SigningKey::from_bytes(&[9; 32]).unwrap();
        let signature = key.sign_digest(&text().digest(&DOMAIN));
        let signer = |text: RequestText<'_>, domain: TypedDomain| {
            recover(&text.digest(&domain), &signature).ok()
        };
        assert_eq!(signer(text(), DOMAIN), Some(key.address()));
        type Change = fn(&mut RequestText<'static>);
        let rows: [(&str, Change); 6] = [
            ("node", |t| t.node = "http://127.0.0.1:8081"),
            ("method", |t| t.method = "PUT"),
            ("target", |t| t.target = "/v1/blocks?x=2"),
            ("body", |t| t.body = Digest::of(b"bodz")),
            ("nonce", |t| t.nonce = Nonce::new([8; 32])),
            ("expiry", |t| t.expiry = Timestamp(1_001)),
        ];
        for (name, change) in rows {
            let mut other = text();
            change(&mut other);
            assert_ne!(signer(other, DOMAIN), Some(key.address()), "{name}");
        }
        let elsewhere = TypedDomain {
            chain_id: 1,
            ..DOMAIN
        };
        assert_ne!(signer(text(), elsewhere), Some(key.address()), "chain");
    }

    /// The example of docs/format/http.md; the signature is that of `cast wallet sign --data` (Foundry), which hashes the
    /// typed data by itself.
    #[test]
    fn the_digest_is_the_documented_one_and_another_implementation_signs_the_same() {
        let digest = text().digest(&DOMAIN);
        assert_eq!(
            hex::encode(digest),
            "7e4650b653554b422a82f1d21ea75e398d7849e1fc5acc06c4aaa805de52e8f4"
        );
        let key = SigningKey::from_bytes(&[9; 32]).unwrap();
        assert_eq!(
            hex::encode(key.sign_digest(&digest).as_bytes()),
            "16b2458473ddc8263826189c161eb716051cb69e342e2d02a23909f9b2ecb1a70fa3ab1ba980e03a0fc03df62901a2355acf2edb5cf7043196f4824a75f231cc1b"
        );
    }

    fn header() -> Authorization {
        Authorization {
            address: Address::new([1; 20]),
            nonce: Nonce::new([2; 32]),
            expiry: Timestamp(1_000),
            signature: Signature::new([3; 65]),
        }
    }

    #[test]
    fn a_header_round_trips_and_nothing_else_is_one() {
        let good = header().to_string();
        assert_eq!(good.parse(), Ok(header()));
        for at in 0..good.len() {
            assert!(good[..at].parse::<Authorization>().is_err(), "cut at {at}");
        }
        for bad in [
            "",
            "Bearer x",
            "Medibloc-1",
            "Medibloc-2 address=0x",
            &good.replace("nonce", "Nonce"),
            &good.replace("0x03", "0xzz"),
            &good.replace("expiry=1000", "expiry=-1"),
            &format!("{good}, more=1"),
            &good.replace(", ", ","),
        ] {
            assert!(bad.parse::<Authorization>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_request_is_taken_from_five_minutes_before_its_expiry_until_it() {
        let check = |now, expected| {
            assert_eq!(header().check_time(Timestamp(now)), expected, "at {now}");
        };
        check(1_000, Ok(()));
        check(700, Ok(()));
        check(1_001, Err(TimeError::Expired));
        check(699, Err(TimeError::TooLong));
        check(0, Err(TimeError::TooLong));
    }
}
