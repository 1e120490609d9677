//! URLs that may be called.

use std::net::IpAddr;

use reqwest::Url;

use crate::address::{never, special};

/// Whom a program may call at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The deployment is one of a machine or an institution's own network: private and loopback addresses count.
    pub local: bool,
    /// Plain `http://` may leave the machine.
    pub insecure_http: bool,
}

impl Policy {
    /// A deployment on the open Internet, over TLS alone.
    pub const PUBLIC: Self = Self {
        local: false,
        insecure_http: false,
    };

    /// A deployment on this machine or in an institution's own network.
    pub const LOCAL: Self = Self {
        local: true,
        insecure_http: false,
    };

    /// Why nobody may be called at this address.
    pub(crate) fn refuses(self, address: IpAddr) -> Option<&'static str> {
        if self.local {
            never(address)
        } else {
            special(address)
        }
    }
}

/// Why a URL is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotReachable {
    /// No URL of this form.
    #[error("{url} is not an http URL without a user, a query and a slash at its end; correct it")]
    Form {
        /// What was given.
        url: String,
    },
    /// No address of the open Internet.
    #[error(
        "{url} is not called: {address} is {kind}, no address of the open Internet; only a deployment with \"local\": true \
         may have it"
    )]
    Address {
        /// The URL.
        url: String,
        /// Its address.
        address: String,
        /// What kind of address.
        kind: &'static str,
    },
    /// Plain HTTP to another machine.
    #[error(
        "{url} is plain HTTP to another machine: whoever is on the way sees which addresses ask for which records, and when, \
         and can change answers; use https, or allow it with --insecure-http"
    )]
    Plain {
        /// The URL.
        url: String,
    },
    /// Nobody has named it.
    #[error(
        "{url} is not called: it is neither a node of the deployment nor a keeper of the chain"
    )]
    Unlisted {
        /// The URL.
        url: String,
    },
}

/// A URL that may be called: scheme, host and perhaps port and path, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reachable(String);

impl Reachable {
    /// The URL, if the policy allows it. A name is checked again when it is resolved.
    ///
    /// # Errors
    /// If it has another form, an address that the policy refuses, or is plain HTTP to another machine.
    pub fn parse(text: &str, policy: Policy) -> Result<Self, NotReachable> {
        let form = || NotReachable::Form { url: shown(text) };
        let url = Url::parse(text).map_err(|_| form())?;
        let is_plain = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return Err(form()),
        };
        let has_more = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        // `http:host` and a leading space would be mended by the parser: what is signed is the text.
        if has_more || text.ends_with('/') || !text.starts_with(&format!("{}://", url.scheme())) {
            return Err(form());
        }
        let host = url.host_str().ok_or_else(form)?;
        let address = address(host);
        if let Some(kind) = address.and_then(|address| policy.refuses(address)) {
            return Err(NotReachable::Address {
                url: text.to_owned(),
                address: host.to_owned(),
                kind,
            });
        }
        if is_plain && !policy.insecure_http && !is_loopback(host) {
            return Err(NotReachable::Plain {
                url: text.to_owned(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl core::fmt::Display for Reachable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was given, without a password in it and not endless.
fn shown(text: &str) -> String {
    let tail = text.rsplit_once('@').map_or(text, |(_, tail)| tail);
    tail.chars()
        .filter(|it| !it.is_control())
        .take(200)
        .collect()
}

/// The address, where the host of a URL is one.
fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse()
        .ok()
}

/// Whether the host of a URL is this machine, whatever resolves names.
pub(crate) fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.');
    address(host).map_or_else(
        || {
            name.eq_ignore_ascii_case("localhost")
                || name.to_ascii_lowercase().ends_with(".localhost")
        },
        |address| address.to_canonical().is_loopback(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first words of the refusal, or nothing.
    fn check(url: &str, policy: Policy, expected: &str) {
        let told = match Reachable::parse(url, policy) {
            Ok(reach) => {
                assert_eq!(reach.as_str(), url);
                String::new()
            }
            Err(error) => error.to_string(),
        };
        assert!(
            told.contains(expected) && told.is_empty() == expected.is_empty(),
            "{url}: {told}"
        );
    }

    #[test]
    fn a_public_deployment_calls_the_open_internet_over_tls_alone() {
        for (url, expected) in [
            ("https://node.example.org", ""),
            ("https://node.example.org:8443/medibloc", ""),
            ("https://8.8.8.8", ""),
            ("https://[2606:4700::1111]:9", ""),
            ("http://node.example.org", "plain HTTP"),
            ("http://127.0.0.1:8080", "loopback"),
            ("https://127.0.0.1", "loopback"),
            ("https://0x7f.1", "loopback"),
            ("https://2130706433", "loopback"),
            ("https://10.0.0.1", "private"),
            ("https://169.254.169.254", "link-local"),
            ("https://100.64.1.1", "CGNAT"),
            ("https://[::1]", "loopback"),
            ("https://[::ffff:10.0.0.1]", "IPv4 in disguise"),
            ("https://[fd00::1]", "unique-local"),
            ("ftp://node.example.org", "not an http URL"),
            ("https://node.example.org/", "not an http URL"),
            ("https://user@node.example.org", "not an http URL"),
            ("https://node.example.org?x", "not an http URL"),
            ("https:node.example.org", "not an http URL"),
            (" https://node.example.org", "not an http URL"),
            ("file:///etc/passwd", "not an http URL"),
            ("", "not an http URL"),
        ] {
            check(url, Policy::PUBLIC, expected);
        }
        let secret = Reachable::parse("ftp://me:secret@host", Policy::PUBLIC).unwrap_err();
        assert!(!secret.to_string().contains("secret"), "{secret}");
    }

    #[test]
    fn a_local_one_calls_private_addresses_and_plain_http_stays_on_the_machine_unless_it_is_asked_for()
     {
        for (url, expected) in [
            ("http://127.0.0.1:8080", ""),
            ("http://localhost:8080", ""),
            ("http://[::1]:8080", ""),
            ("https://10.0.0.1", ""),
            ("http://10.0.0.1", "plain HTTP"),
            ("http://node.example.org", "plain HTTP"),
            ("http://localhost.example.org", "plain HTTP"),
            ("http://0.0.0.0:1", "unspecified"),
            ("https://224.0.0.1", "multicast"),
        ] {
            check(url, Policy::LOCAL, expected);
        }
        let insecure = Policy {
            insecure_http: true,
            ..Policy::LOCAL
        };
        check("http://10.0.0.1", insecure, "");
        check("http://node.example.org", insecure, "");
    }
}
