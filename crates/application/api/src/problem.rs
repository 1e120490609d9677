//! Problems (RFC 9457): a stable code, what happened, and what to do next.

use medibloc_consent::{Reason, RefusalReason};
use medibloc_record::Line;
use serde::{Deserialize, Serialize};

/// What kind of problem it is; programs decide on this, never on texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// No authorization, or none of this scheme.
    Unsigned,
    /// The signature is not the address's over this request to this node.
    BadSignature,
    /// Past its expiry, or valid for too long.
    Expired,
    /// Its nonce was used before.
    Replayed,
    /// The address is not registered on chain.
    NotRegistered,
    /// Not there, or not for this address: the answer is the same.
    NotFound,
    /// The path is there, and not for this method; `Allow` says for which.
    WrongMethod,
    /// The signer may not do this.
    NotYours,
    /// The block was erased by its owner.
    Erased,
    /// Over a size limit.
    TooLarge,
    /// Not the expected object.
    Malformed,
    /// A daily limit or a full mailbox.
    Limit,
    /// A registration without enough work: get the challenge, work, send it again.
    WorkNeeded,
    /// The node has no room.
    Full,
    /// A rule of consent refuses; `reason` says which.
    Refused,
    /// It happened already; `what` says what.
    Exists,
    /// Another error of the contracts; `what` is its name.
    Contract,
    /// The call's signature, nonce or deadline is not right; `what` says which.
    BadCall,
    /// A keeper refuses; `refusal` says why.
    KeeperRefused,
    /// Something stored is corrupt and not given out.
    Corrupt,
    /// The node cannot reach what it needs, or is too slow.
    Unavailable,
    /// A fault of the node.
    Internal,
}

impl Code {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Unsigned | Self::BadSignature | Self::Expired | Self::Replayed => 401,
            Self::NotRegistered | Self::NotYours => 403,
            Self::NotFound => 404,
            Self::WrongMethod => 405,
            Self::Exists | Self::Refused | Self::Contract | Self::KeeperRefused => 409,
            Self::Erased => 410,
            Self::TooLarge => 413,
            Self::Malformed | Self::BadCall => 400,
            Self::WorkNeeded => 428,
            Self::Limit => 429,
            Self::Full => 507,
            Self::Corrupt | Self::Internal => 500,
            Self::Unavailable => 503,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unsigned => "the request is not signed",
            Self::BadSignature => "the signature does not fit",
            Self::Expired => "the request's time does not fit",
            Self::Replayed => "the request was answered before",
            Self::NotRegistered => "the address is not registered",
            Self::NotFound => "not found",
            Self::WrongMethod => "not for this method",
            Self::NotYours => "not permitted",
            Self::Erased => "erased",
            Self::TooLarge => "too large",
            Self::Malformed => "malformed",
            Self::WorkNeeded => "work needed",
            Self::Limit => "limit reached",
            Self::Full => "full",
            Self::Refused => "refused by consent",
            Self::Exists => "exists already",
            Self::Contract => "refused by a contract",
            Self::BadCall => "the call is not valid",
            Self::KeeperRefused => "refused by the keeper",
            Self::Corrupt => "corrupt",
            Self::Unavailable => "not available now",
            Self::Internal => "a fault of the node",
        }
    }

    /// What to do, if nothing better is known.
    const fn next(self) -> &'static str {
        match self {
            Self::Unsigned | Self::Expired | Self::Replayed => {
                "sign the request anew and send it again"
            }
            Self::BadSignature => {
                "sign for this node's URL, this chain, this method, target and body"
            }
            Self::NotRegistered => "register the address through the relay first",
            Self::WrongMethod => "use a method that the header Allow names",
            Self::NotFound => "check the id, or ask the owner for access",
            Self::NotYours => "act under the address that it belongs to",
            Self::Erased => "nothing: it cannot come back",
            Self::TooLarge => "send less at once",
            Self::Malformed => "send the object in its documented form",
            Self::WorkNeeded => "get the challenge, do the work for this call and send both",
            Self::Limit => "try again after the time in Retry-After, or use another node",
            Self::Full | Self::Unavailable => "try again later, or use another node",
            Self::Refused | Self::Contract | Self::KeeperRefused => {
                "do not send it again as it is; remove the reason first"
            }
            Self::Exists => "nothing: it is done",
            Self::BadCall => "prepare and sign the call anew",
            Self::Corrupt => "use another copy and tell the operator",
            Self::Internal => "try again once, then tell the operator",
        }
    }
}

/// The body of every answer that is not a success. Its words are another party's: each is one short line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:medibloc:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: Line,
    /// The code in words.
    pub title: Line,
    /// The HTTP status.
    pub status: u16,
    /// What happened here.
    pub detail: Line,
    /// What programs decide on.
    pub code: Code,
    /// What to do.
    pub next: Line,
    /// The rule of consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The keeper's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalReason>,
    /// What it is about: a block, a contract's error, a thing that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub what: Option<Line>,
    /// Seconds after which it may be tried again, as the header `Retry-After` (RFC 9110, section 10.2.3) says too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl Problem {
    /// A problem with the code's own advice.
    pub fn new(code: Code, detail: impl Into<Line>) -> Self {
        let name = serde_json::to_value(code)
            .ok()
            .and_then(|value| value.as_str().map(str::to_owned))
            .unwrap_or_default();
        Self {
            kind: format!("urn:medibloc:problem:{name}").into(),
            title: code.title().into(),
            status: code.status(),
            detail: detail.into(),
            code,
            next: code.next().into(),
            reason: None,
            refusal: None,
            what: None,
            retry_after: None,
        }
    }

    /// The problem with what it is about.
    #[must_use]
    pub fn about(self, what: impl Into<Line>) -> Self {
        Self {
            what: Some(what.into()),
            ..self
        }
    }

    /// The problem with the seconds after which it is over.
    #[must_use]
    pub fn until(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// A rule of consent refuses.
    pub fn refused(reason: Reason) -> Self {
        Self {
            reason: Some(reason),
            ..Self::new(Code::Refused, reason.to_string())
        }
    }

    /// A keeper refuses.
    pub fn keeper_refused(refusal: RefusalReason) -> Self {
        Self {
            detail: refusal.to_string().into(),
            refusal: Some(refusal),
            ..Self::new(Code::KeeperRefused, String::new())
        }
    }

    /// The problem in a body; none if it is no problem of this interface.
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a problem has text keys and no foreign numbers")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_round_trips_and_says_what_to_do() {
        let problem = Problem::refused(Reason::Revoked);
        let text = String::from_utf8(problem.to_json()).unwrap();
        assert_eq!(
            text,
            r#"{"type":"urn:medibloc:problem:refused","title":"refused by consent","status":409,"detail":"the owner has revoked the grant; ask the owner for a new one","code":"refused","next":"do not send it again as it is; remove the reason first","reason":"revoked"}"#
        );
        assert_eq!(Problem::parse(text.as_bytes()), Some(problem));
        let refusal =
            Problem::keeper_refused(RefusalReason::Consent(Reason::Erased)).about("a share");
        assert_eq!(Problem::parse(&refusal.to_json()), Some(refusal));
        assert_eq!(Problem::parse(b"<html>502 Bad Gateway</html>"), None);
    }
}
