//! The relay of a node: takes signed calls to the chain and tells what the contracts say.

use std::sync::Arc;

use async_trait::async_trait;
use medibloc_api::{Challenge, Code, Problem, RelayCall, RelayOutcome, Work, paths};
use medibloc_journey::Clock;
use medibloc_ledger::{LedgerError, Outcome, Refusal, Relay, SignedCall};
use medibloc_record::TypedDomain;
use medibloc_transport::Outgoing;

use crate::peer::{ClientError, Failure, Peer, Repeat, Timing, Wire};

/// The relay at a node. The call itself is signed; the request around it is not.
pub struct HttpRelay(Peer);

impl HttpRelay {
    /// The relay of the node at `url`.
    ///
    /// # Errors
    /// If the URL may not be called, or TLS cannot be set up.
    pub fn new(
        url: &str,
        outgoing: Outgoing,
        domain: TypedDomain,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> Result<Self, ClientError> {
        outgoing.reach(url)?;
        let wire = Wire::new(outgoing, domain, clock, timing)?;
        Ok(Self(wire.peer(url, None)))
    }
}

impl core::fmt::Debug for HttpRelay {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("HttpRelay").field(&self.0.url()).finish()
    }
}

#[async_trait]
impl Relay for HttpRelay {
    async fn relay(&self, call: &SignedCall) -> Result<Outcome, LedgerError> {
        let mut body = RelayCall {
            bytes: call.bytes.clone(),
            signature: call.signature,
            work: None,
        };
        let mut answer = self.0.ask(paths::RELAY, &body, Repeat::Safe).await;
        if let Err(Failure::Problem(problem)) = &answer
            && problem.code == Code::WorkNeeded
        {
            body.work = Some(self.work(&body.bytes).await?);
            answer = self.0.ask(paths::RELAY, &body, Repeat::Safe).await;
        }
        let outcome: RelayOutcome = answer.map_err(|failure| self.error(failure))?;
        Ok(Outcome {
            block: outcome.block,
            transaction: outcome.transaction,
        })
    }
}

impl HttpRelay {
    /// What the node asks of a registration now, done for a call; a second or less on a phone.
    async fn work(&self, call: &[u8]) -> Result<Work, LedgerError> {
        let asked = self.0.get_object(paths::REGISTRATION).await;
        let challenge: Challenge = asked.map_err(|failure| self.error(failure))?;
        let call = call.to_vec();
        let done = tokio::task::spawn_blocking(move || challenge.solve(&call)).await;
        done.ok().flatten().ok_or_else(|| LedgerError::Corrupt {
            from: format!("the relay at {}", self.0.url()),
            why: "it asks for more work than a registration is worth; use another node".into(),
        })
    }

    fn error(&self, failure: Failure) -> LedgerError {
        let from = format!("the relay at {}", self.0.url());
        match failure {
            Failure::Unreachable(why) | Failure::Untrusted(why) => {
                let why = why.into();
                LedgerError::Unreachable { from, why }
            }
            // What the relay takes is signed with the chain's time; its requests carry no other.
            Failure::Clock(why) => {
                let why = why.into();
                LedgerError::Unreachable { from, why }
            }
            Failure::Barred(what) => LedgerError::BadRequest { what: what.into() },
            Failure::Corrupt(why) => {
                let why = why.into();
                LedgerError::Corrupt { from, why }
            }
            Failure::Problem(problem) => of_problem(from, *problem),
        }
    }
}

fn of_problem(from: String, problem: Problem) -> LedgerError {
    let Problem {
        code,
        detail,
        reason,
        what,
        ..
    } = problem;
    let (detail, what) = (String::from(detail), what.map(String::from));
    match (code, reason, what) {
        (Code::Refused, Some(reason), _) => reason.into(),
        (Code::Exists, _, Some(what)) => Refusal::Exists { what }.into(),
        (Code::NotRegistered, ..) => Refusal::NotRegistered.into(),
        (Code::Contract, _, Some(name)) => Refusal::Contract { name }.into(),
        (Code::Limit, _, Some(limit)) => LedgerError::Limit { limit },
        (Code::BadCall, _, Some(what)) => LedgerError::BadRequest { what },
        (Code::Malformed | Code::TooLarge, ..) => LedgerError::BadRequest { what: detail },
        (Code::Full, ..) => LedgerError::Unreachable { from, why: detail },
        _ => LedgerError::Corrupt { from, why: detail },
    }
}
