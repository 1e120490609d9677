//! One peer: signs, sends, tries again when nobody answers, and takes bounded answers only.

use std::sync::Arc;
use std::time::Duration;

use medibloc_api::{Authorization, CBOR, Code, Problem, RequestText, limits};
use medibloc_dag::cbor;
use medibloc_journey::{Clock, PortError};
use medibloc_keys::SigningKey;
use medibloc_record::{Digest, Nonce, TypedDomain};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Response};
use serde::{Serialize, de::DeserializeOwned};

/// Seconds for which a request is signed: enough for a slow line, with clocks two minutes apart.
const LIFE: u64 = 2 * 60;

/// How long an idle connection is kept.
const POOL: Duration = Duration::from_secs(15);

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
    /// HTTP cannot be set up.
    #[error("the HTTP client cannot be made; check the machine's network settings")]
    Http(#[source] reqwest::Error),
    /// Not a URL.
    #[error("{url} is not an http URL without a slash at its end; correct it in deployment.json")]
    Url {
        /// What was given.
        url: String,
    },
}

/// What all peers share.
#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    clock: Arc<dyn Clock>,
    timing: Timing,
    domain: TypedDomain,
}

impl Wire {
    pub(crate) fn new(
        domain: TypedDomain,
        clock: Arc<dyn Clock>,
        timing: Timing,
    ) -> Result<Self, ClientError> {
        let http = reqwest::Client::builder()
            .connect_timeout(timing.connect)
            .timeout(timing.answer)
            // Nodes close idle connections after 30 seconds: the own end goes first.
            .pool_idle_timeout(POOL)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(ClientError::Http)?;
        Ok(Self {
            http,
            clock,
            timing,
            domain,
        })
    }

    pub(crate) fn peer(&self, url: &str, actor: Option<&SigningKey>) -> Peer {
        Peer {
            wire: self.clone(),
            url: url.trim_end_matches('/').to_owned(),
            actor: actor.cloned(),
        }
    }
}

pub(crate) fn check_url(url: &str) -> Result<(), ClientError> {
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    if is_http && !url.ends_with('/') && reqwest::Url::parse(url).is_ok() {
        Ok(())
    } else {
        Err(ClientError::Url {
            url: url.to_owned(),
        })
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

/// Why a peer gave no good answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Unreachable(String),
    Problem(Box<Problem>),
    Corrupt(String),
}

/// A node or keeper, seen by one address.
#[derive(Clone)]
pub(crate) struct Peer {
    wire: Wire,
    url: String,
    actor: Option<SigningKey>,
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
            .map_err(|error| (Failure::Unreachable(reason(&error)), !error.is_connect()))?;
        let status = response.status();
        let bytes = take(response).await.map_err(|failure| (failure, true))?;
        if status.is_success() {
            return Ok(bytes);
        }
        let failure = match Problem::parse(&bytes) {
            Some(problem) if problem.code == Code::Unavailable => {
                Failure::Unreachable(problem.detail)
            }
            Some(problem) => Failure::Problem(Box::new(problem)),
            None if status.is_server_error() => {
                Failure::Unreachable(format!("it answers with HTTP {status}"))
            }
            None => Failure::Corrupt(format!("HTTP {status} without a problem")),
        };
        Err((failure, true))
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
            Failure::Unreachable(why) => PortError::Unreachable { peer, why },
            Failure::Corrupt(why) => PortError::Corrupt { peer, why },
            Failure::Problem(problem) => match problem.code {
                Code::Limit | Code::Full | Code::Expired | Code::Replayed => {
                    PortError::Unreachable {
                        peer,
                        why: problem.detail,
                    }
                }
                Code::KeeperRefused => PortError::Refused {
                    peer,
                    why: problem.detail,
                },
                _ => PortError::Refused {
                    peer,
                    why: format!("{}; {}", problem.detail, problem.next),
                },
            },
        }
    }
}

fn object<T: DeserializeOwned + Serialize>(bytes: &[u8]) -> Result<T, Failure> {
    cbor::from_slice(bytes).map_err(|error| Failure::Corrupt(error.to_string()))
}

/// The body, never more than what is taken.
async fn take(mut response: Response) -> Result<Vec<u8>, Failure> {
    let too_large = || Failure::Corrupt(format!("an answer of over {} bytes", limits::ANSWER));
    if response
        .content_length()
        .is_some_and(|length| length > limits::ANSWER as u64)
    {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                if bytes.len() + chunk.len() > limits::ANSWER {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(bytes),
            Err(error) => return Err(Failure::Unreachable(reason(&error))),
        }
    }
}

/// What went wrong in a few words, without the target (it may name a record).
fn reason(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        "it took too long".into()
    } else if error.is_connect() {
        "no connection".into()
    } else {
        "the connection broke".into()
    }
}
