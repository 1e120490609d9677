//! What both sides of the door prove to each other, so that neither a command nor an answer goes to somebody else.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::Problem;
use crate::answer::code;

/// Random bytes that one side chooses, so that no proof is of use twice.
pub(super) type Nonce = [u8; 32];

/// Who proves what. The words are part of the proof.
#[derive(Clone, Copy, Debug)]
pub(super) enum Claim {
    /// The process that serves, before it has seen a command.
    Server,
    /// The one that asks, over its command.
    Command,
    /// The process that serves, over its answer.
    Answer,
}

impl Claim {
    const fn word(self) -> &'static [u8] {
        match self {
            Self::Server => b"medibloc door 1 server",
            Self::Command => b"medibloc door 1 command",
            Self::Answer => b"medibloc door 1 answer",
        }
    }
}

/// The secret of one run of `serve`: in a file that its owner alone can read. It is never sent.
#[derive(Clone)]
pub(super) struct Token(Zeroizing<[u8; 32]>);

impl Token {
    pub(super) fn new() -> Result<Self, Problem> {
        nonce().map(|bytes| Self(Zeroizing::new(bytes)))
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(&self.0[..]))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        hex::decode_to_slice(text, &mut bytes[..]).ok()?;
        Some(Self(bytes))
    }

    /// The proof of a claim over both nonces and what is said.
    pub(super) fn prove(
        &self,
        claim: Claim,
        client: &Nonce,
        server: &Nonce,
        said: &[u8],
    ) -> [u8; 32] {
        self.mac(claim, client, server, said)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Whether a proof holds; takes as long for every wrong one.
    pub(super) fn holds(
        &self,
        claim: Claim,
        client: &Nonce,
        server: &Nonce,
        said: &[u8],
        proof: &[u8],
    ) -> bool {
        self.mac(claim, client, server, said)
            .verify_slice(proof)
            .is_ok()
    }

    fn mac(&self, claim: Claim, client: &Nonce, server: &Nonce, said: &[u8]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0[..]).expect("HMAC takes a key of any length");
        // All before the end have one length for each claim.
        for part in [claim.word(), client, server, said] {
            mac.update(part);
        }
        mac
    }
}

impl core::fmt::Debug for Token {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Token(…)")
    }
}

pub(super) fn nonce() -> Result<Nonce, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        Problem::new(
            code::FAILED,
            format!("no chance from the system: {error}; try again"),
        )
    })?;
    Ok(bytes)
}
