//! What one listener gives its peers.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use crate::network::Network;
use crate::source::nearest;

/// Lines beyond all places, at least.
const RESERVE: usize = 16;

/// How a listener bounds its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Connections in all. The next one takes the place of the one that has kept the listener waiting longest, of the source
    /// with most of them.
    pub connections: usize,
    /// Connections of one source: an IPv4 address, or 64 bits of an IPv6 one.
    pub a_source: usize,
    /// Nobody is sent away who has kept the listener waiting for less, unless for a source with hardly any connection: who is cut
    /// off comes again, and each time costs more than waiting.
    pub patience: Duration,
    /// An idle connection of a proxy gives its line to another after so long; a head that is on its way is there by then.
    pub brief: Duration,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// For a request's head, and for an idle connection.
    pub head: Duration,
    /// A peer that sends a body or takes an answer moves [`Bounds::pace`] bytes in each span of this length.
    pub span: Duration,
    /// Bytes in each span.
    pub pace: usize,
    /// Bytes of one request's body.
    pub body: usize,
    /// Bytes that bodies and answers on their way hold in memory, in all. The first 16 KiB of each count as nothing.
    pub memory: usize,
    /// Bytes that those of one source hold.
    pub memory_a_source: usize,
    /// For answers that are on their way when the program is told to end.
    pub farewell: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 1_024,
            a_source: 64,
            patience: Duration::from_secs(10),
            brief: Duration::from_secs(1),
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(20),
            span: Duration::from_secs(10),
            pace: 32 << 10,
            body: medibloc_api::limits::BODY,
            memory: 64 << 20,
            memory_a_source: 40 << 20,
            farewell: Duration::from_secs(10),
        }
    }
}

impl Bounds {
    /// Lines beyond all places, for connections of proxies that do not say yet whom they speak for, or are idle.
    pub(super) const fn reserve(&self) -> usize {
        let quarter = self.connections / 4;
        if quarter < RESERVE { RESERVE } else { quarter }
    }
}

/// What an operator may set of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectionLimits {
    /// Connections in all.
    pub connections: Option<usize>,
    /// Connections of one source.
    pub a_source: Option<usize>,
}

impl ConnectionLimits {
    /// The bounds with what is set.
    #[must_use]
    pub fn bounds(self) -> Bounds {
        let default = Bounds::default();
        Bounds {
            connections: self.connections.unwrap_or(default.connections).max(1),
            a_source: self.a_source.unwrap_or(default.a_source).max(1),
            ..default
        }
    }
}

/// Proxies that stand before the listener, and the header in which they name whom they speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Front {
    /// Their addresses and networks: nobody else's header is believed, and their connections are bounded in all alone.
    pub proxies: Vec<Network>,
    /// `x-forwarded-for`, or another whose last entry is the peer that the proxy saw.
    pub header: HeaderName,
}

impl Front {
    pub(super) fn is_proxy(&self, peer: IpAddr) -> bool {
        self.proxies.iter().any(|it| it.holds(peer))
    }

    /// Whom a request is from, if the peer is one of these.
    pub(super) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        nearest(peer, headers, &self.header, &self.proxies)
    }
}

/// Whom a request is from, behind trusted proxies too; in the extensions of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source(pub IpAddr);

impl Source {
    /// An address, or the 64 bits that a network gives to one line.
    pub(super) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => {
                let line = address.to_bits() & (u128::MAX << 64);
                IpAddr::V6(Ipv6Addr::from_bits(line))
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn only_a_trusted_proxy_names_another_source() {
        let front = Front {
            proxies: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            header: HeaderName::from_static("x-forwarded-for"),
        };
        for (peer, lines, expected) in [
            ("10.0.0.1", vec!["192.0.2.7"], "192.0.2.7"),
            ("::ffff:10.0.0.1", vec!["192.0.2.7:555"], "192.0.2.7"),
            (
                "10.0.0.1",
                vec!["6.6.6.6, 192.0.2.7, 10.0.0.2"],
                "192.0.2.7",
            ),
            ("10.0.0.1", vec!["6.6.6.6", "192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", vec!["6.6.6.6, junk"], "10.0.0.1"),
            ("10.0.0.1", vec![], "10.0.0.1"),
            ("10.0.0.1", vec!["[2001:db8::1]"], "2001:db8::1"),
            ("192.0.2.9", vec!["6.6.6.6"], "192.0.2.9"),
            ("10.0.0.1", vec!["6.6.6.6", "ÿ, 192.0.2.7"], "192.0.2.7"),
            ("10.0.0.1", vec!["6.6.6.6", "ÿ"], "10.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in &lines {
                let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append("x-forwarded-for", line);
            }
            let source = front.source(peer.parse().unwrap(), &headers);
            assert_eq!(
                source,
                expected.parse::<IpAddr>().unwrap(),
                "{peer} {lines:?}"
            );
        }
    }

    #[test]
    fn a_line_of_ipv6_is_one_source() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }
}
