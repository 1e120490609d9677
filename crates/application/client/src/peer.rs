//! One peer: signs, sends, tries again when nobody answers, and takes bounded answers only.

use std::sync::Arc;
use std::time::Duration;

use medibloc_api::{Authorization, CBOR, Code, Problem, RequestText, limits, paths};
use medibloc_dag::cbor;
use medibloc_journey::{Clock, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::{Digest, Line, Nonce, Timestamp, TypedDomain};
use medibloc_transport::{BodyError, NotReachable, Outgoing, Refused, TransportError, Waits, take};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde::{Serialize, de::DeserializeOwned};

/// Seconds for which a request is signed: enough for a slow line, with clocks two minutes apart.
const LIFE: u64 = 2 * 60;

/// How long is waited, and how often tried.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Timing {
    /// For a connection.
    pub connect: Duration,
    /// For a whole answer.
    pub answer: Duration,
    /// Tries after the first when nobody answers.
    pub retries: u32,
    /// Before the first further try; four times as long before each next.
    pub pause: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(60),
            retries: 2,
            pause: Duration::from_millis(20),
        }
    }
}

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// HTTP or TLS cannot be set up.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The own node's URL may not be called.
    #[error(transparent)]
    Node(#[from] NotReachable),
}

/// What all peers share.
#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    outgoing: Outgoing,
    clock: Arc<dyn Clock>,
    timing: Timing,
    domain: TypedDomain,
}

impl Wire {
    pub(crate) fn new(
        outgoing: Outgoing,
        domain: TypedDomain,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> Result<Self, ClientError> {
        let http = outgoing.client(Waits {
            connect: timing.connect,
            answer: timing.answer,
        })?;
        Ok(Self {
            http,
            outgoing,
            clock,
            timing,
            domain,
        })
    }

    /// A peer at a URL; whoever may not be called is a peer that refuses everything here, with the reason.
    pub(crate) fn peer(&self, url: &str, actor: Option<&SigningKey>) -> Peer {
        let refused = self.outgoing.reach(url).err();
        self.peer_unless(refused, url, actor)
    }

    /// A peer that is not called if there is a reason.
    pub(crate) fn peer_unless(
        &self,
        refused: Option<NotReachable>,
        url: &str,
        actor: Option<&SigningKey>,
    ) -> Peer {
        Peer {
            wire: self.clone(),
            url: url.to_owned(),
            actor: actor.cloned(),
            refused,
        }
    }

    pub(crate) fn outgoing(&self) -> &Outgoing {
        &self.outgoing
    }
}

/// Whether a request may be sent again when its answer was lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// It gives the same twice.
    Safe,
    /// Only if it never arrived.
    IfNotArrived,
}

/// Why a peer gave no good answer. It may be in the peer's words, so each is a line.
#[derive(Debug)]
pub(crate) enum Failure {
    Unreachable(Line),
    /// Its certificate does not hold: trying again at once does not help.
    Untrusted(Line),
    /// It takes no request that is signed with this machine's time.
    Clock(Line),
    /// It may not be called.
    Barred(Line),
    Problem(Box<Problem>),
    Corrupt(Line),
}

/// A node or keeper, seen by one address.
#[derive(Clone)]
pub(crate) struct Peer {
    wire: Wire,
    url: String,
    actor: Option<SigningKey>,
    refused: Option<NotReachable>,
}

impl Peer {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) async fn get(&self, target: &str) -> Result<Vec<u8>, Failure> {
        self.send(Method::GET, target, Vec::new(), Repeat::Safe)
            .await
    }

    pub(crate) async fn get_object<T>(&self, target: &str) -> Result<T, Failure>
    where
        T: DeserializeOwned + Serialize,
    {
        object(&self.get(target).await?)
    }

    pub(crate) async fn post<T: Serialize + Sync>(
        &self,
        target: &str,
        body: &T,
        repeat: Repeat,
    ) -> Result<Vec<u8>, Failure> {
        self.send(Method::POST, target, cbor::to_vec(body), repeat)
            .await
    }

    pub(crate) async fn ask<T, R>(
        &self,
        target: &str,
        body: &T,
        repeat: Repeat,
    ) -> Result<R, Failure>
    where
        T: Serialize + Sync,
        R: DeserializeOwned + Serialize,
    {
        object(&self.post(target, body, repeat).await?)
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
        repeat: Repeat,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(refused) = &self.refused {
            return Err(Failure::Barred(refused.to_string().into()));
        }
        let mut pause = self.wire.timing.pause;
        let mut tries = 0;
        loop {
            let failed = match self.once(&method, target, &body).await {
                Ok(answer) => return Ok(answer),
                Err((failure, arrived)) => {
                    let again = matches!(failure, Failure::Unreachable(_))
                        && (repeat == Repeat::Safe || !arrived);
                    if !again || tries == self.wire.timing.retries {
                        return Err(failure);
                    }
                    tries += 1;
                    pause
                }
            };
            tokio::time::sleep(failed).await;
            pause *= 4;
        }
    }

    /// What the peer's clock says.
    pub(crate) async fn date(&self, target: &str) -> Result<Option<Timestamp>, Failure> {
        if let Some(refused) = &self.refused {
            return Err(Failure::Barred(refused.to_string().into()));
        }
        let asked = self.wire.http.get(format!("{}{target}", self.url));
        let response = asked.send().await.map_err(|error| self.failed(&error))?;
        Ok(date_of(response.headers()))
    }

    /// One try; tells whether the request may have arrived.
    async fn once(
        &self,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<Vec<u8>, (Failure, bool)> {
        let mut request = self
            .wire
            .http
            .request(method.clone(), format!("{}{target}", self.url));
        if let Some(actor) = &self.actor {
            let authorization = self
                .sign(actor, method, target, body)
                .map_err(|failure| (failure, false))?;
            request = request.header(AUTHORIZATION, authorization.to_string());
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, CBOR).body(body.to_vec());
        }
        let response = request
            .send()
            .await
            .map_err(|error| (self.failed(&error), !error.is_connect()))?;
        let status = response.status();
        let date = date_of(response.headers());
        let most = match status.is_success() {
            true if target == paths::FEED => limits::FEED,
            true => limits::ANSWER,
            false => limits::PROBLEM,
        };
        let bytes = take(response, most).await.map_err(|error| match error {
            BodyError::Broken(error) => (self.failed(&error), true),
            other => (Failure::Corrupt(other.to_string().into()), true),
        })?;
        if status.is_redirection() {
            let what = format!("it points elsewhere (HTTP {status}), which is not followed");
            return Err((Failure::Corrupt(what.into()), true));
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let failure = match Problem::parse(&bytes) {
            Some(problem) if problem.code == Code::Unavailable => {
                Failure::Unreachable(problem.detail)
            }
            Some(problem) if problem.code == Code::Expired => {
                Failure::Clock(apart(self.wire.clock.now(), date, &problem).into())
            }
            Some(problem) => Failure::Problem(Box::new(problem)),
            None if status.is_server_error() => {
                Failure::Unreachable(format!("it answers with HTTP {status}").into())
            }
            None => Failure::Corrupt(without_problem(status).into()),
        };
        Err((failure, true))
    }

    fn failed(&self, error: &reqwest::Error) -> Failure {
        let words = self.wire.outgoing.words(&self.url, error).into();
        match Outgoing::refusal(error) {
            Some(Refused::Address) => Failure::Barred(words),
            Some(_) => Failure::Untrusted(words),
            None => Failure::Unreachable(words),
        }
    }

    fn sign(
        &self,
        actor: &SigningKey,
        method: &Method,
        target: &str,
        body: &[u8],
    ) -> Result<Authorization, Failure> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce)
            .map_err(|_| Failure::Unreachable("the machine gives no random numbers".into()))?;
        let text = RequestText {
            node: &self.url,
            method: method.as_str(),
            target,
            body: Digest::of(body),
            nonce: Nonce::new(nonce),
            expiry: self.wire.clock.now().plus(LIFE),
        };
        Ok(Authorization {
            address: actor.address(),
            nonce: text.nonce,
            expiry: text.expiry,
            signature: actor.sign_digest(&text.digest(&self.wire.domain)),
        })
    }

    /// A failure as the mailbox and the keepers tell it.
    pub(crate) fn port_error(&self, name: &str, failure: Failure) -> PortError {
        let peer = name.to_owned();
        match failure {
            // A certificate is renewed by others, later: what waits for it is kept.
            Failure::Unreachable(why) | Failure::Untrusted(why) => {
                let why = why.into();
                PortError::Unreachable { peer, why }
            }
            Failure::Clock(why) => {
                let why = why.into();
                PortError::Clock { peer, why }
            }
            Failure::Barred(why) => {
                let why = why.into();
                PortError::Refused { peer, why }
            }
            Failure::Corrupt(why) => {
                let why = why.into();
                PortError::Corrupt { peer, why }
            }
            Failure::Problem(problem) => match problem.code {
                Code::Limit => PortError::Limit {
                    peer,
                    why: limit(&problem),
                },
                Code::Full | Code::Replayed => PortError::Unreachable {
                    peer,
                    why: problem.detail.into(),
                },
                Code::KeeperRefused => PortError::Refused {
                    peer,
                    why: problem.detail.into(),
                },
                _ => PortError::Refused {
                    peer,
                    why: format!("{}; {}", problem.detail, problem.next),
                },
            },
        }
    }
}

/// An error that the peer itself did not write, most likely of a proxy before it.
fn without_problem(status: StatusCode) -> String {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => format!(
            "something before it, most likely a proxy, refuses bodies of this size (HTTP {status}); its operator lets at least \
             {} MiB pass there (nginx: client_max_body_size)",
            limits::BODY.div_ceil(1 << 20)
        ),
        status => format!("HTTP {status} without a problem"),
    }
}

/// What a peer's clock says, by the `Date` of its answer (RFC 9110, section 6.6.1).
fn date_of(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?;
    u64::try_from(date.timestamp().as_second())
        .ok()
        .map(Timestamp)
}

/// How far two clocks are apart, for people. A peer that tells no time, or the right one, is quoted.
fn apart(now: Timestamp, peer: Option<Timestamp>, problem: &Problem) -> String {
    let (far, way) = match peer {
        Some(peer) if now > peer => (now.since(peer), "ahead of"),
        Some(peer) => (peer.since(now), "behind"),
        None => (0, ""),
    };
    if far < LIFE / 2 {
        return problem.detail.to_string();
    }
    let far = match far {
        seconds if seconds < 600 => format!("{seconds} seconds"),
        seconds if seconds < 2 * 86_400 => format!("{} minutes", seconds / 60),
        seconds => format!("{} days", seconds / 86_400),
    };
    format!(
        "this machine is {far} {way} it; set this machine's clock and do it again, or tell the operator if this machine's is right"
    )
}

/// Which limit, and when it ends.
pub(crate) fn limit(problem: &Problem) -> String {
    match problem.retry_after {
        Some(seconds) if seconds >= 7_200 => {
            format!("{}; it ends in {} hours", problem.detail, seconds / 3_600)
        }
        Some(seconds) if seconds >= 120 => {
            format!("{}; it ends in {} minutes", problem.detail, seconds / 60)
        }
        Some(seconds) => format!("{}; it ends in {seconds} seconds", problem.detail),
        None => format!("{}; {}", problem.detail, problem.next),
    }
}

fn object<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Failure> {
    cbor::from_slice(bytes).map_err(|error| Failure::Corrupt(error.to_string().into()))
}
