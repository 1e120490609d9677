//! Where a request comes from. Behind a proxy that the operator trusts it is what that proxy says; what any other peer
//! says of itself counts for nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Once;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::network::Network;

/// What proxies say of whom they speak for.
const FORWARDED: [&str; 3] = ["forwarded", "x-forwarded-for", "x-real-ip"];
/// Told once: whoever likes sends such a header.
static UNTRUSTED: Once = Once::new();

/// Proxies in front of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Addresses and networks that are believed.
    pub trusted: Vec<Network>,
    /// The header that they set, as `X-Forwarded-For`: addresses, the nearest last.
    pub header: Option<HeaderName>,
}

impl Proxies {
    /// Whom a request is from.
    pub(crate) fn source_of(&self, request: &Request) -> Origin {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        Origin::new(peer.map(|ConnectInfo(peer)| self.hop(peer.ip(), request.headers())))
    }

    fn hop(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        match &self.header {
            Some(header) => nearest(peer, headers, header, &self.trusted),
            None => {
                if FORWARDED.iter().any(|name| headers.contains_key(*name)) {
                    UNTRUSTED.call_once(|| {
                        tracing::warn!(
                            "requests come with headers of a proxy, and none is named in trusted_proxies: all that it brings counts as of \
                             one source; name it, or let it not pass them on from others"
                        );
                    });
                }
                peer.to_canonical()
            }
        }
    }
}

/// The nearest hop that is no trusted proxy. What a hop says that is no address ends the search at that hop: whatever a
/// client writes, a proxy's own word is not passed over.
pub(crate) fn nearest(
    peer: IpAddr,
    headers: &HeaderMap,
    header: &HeaderName,
    trusted: &[Network],
) -> IpAddr {
    let mut hop = peer.to_canonical();
    let lines: Vec<&[u8]> = headers
        .get_all(header)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let mut hops = lines
        .iter()
        .rev()
        .flat_map(|line| line.rsplit(|byte| *byte == b','));
    while trusted.iter().any(|it| it.holds(hop)) {
        match hops.next().and_then(address) {
            Some(next) => hop = next,
            None => break,
        }
    }
    hop
}

/// With or without a port or brackets.
fn address(entry: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(entry).ok()?.trim();
    let with_port = || text.parse().ok().map(|at: SocketAddr| at.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let found = text.parse().ok().or_else(with_port).or_else(in_brackets);
    found.map(|at: IpAddr| at.to_canonical())
}

/// Where a request comes from, as it is counted: an IPv4 address, or the 64 bits that one network of an IPv6 line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin(Option<IpAddr>);

/// Bits of an IPv6 network, and how many times as much as the narrowest it may use: a line has a /56, a site a /48.
const WIDER: [(u8, u64); 2] = [(56, 4), (48, 16)];

impl Origin {
    pub(crate) fn new(address: Option<IpAddr>) -> Self {
        Self(address.map(|it| it.to_canonical())).within(64)
    }

    /// The largest network that one site has.
    pub(crate) fn site(self) -> Self {
        self.within(48)
    }

    /// The wider networks that it is a part of, each with how many times as much it may use.
    pub(crate) fn wider(self) -> Vec<(String, u64)> {
        match self.0 {
            Some(IpAddr::V6(_)) => WIDER
                .iter()
                .map(|(bits, times)| (format!("{}/{bits}", self.within(*bits)), *times))
                .collect(),
            _ => Vec::new(),
        }
    }

    fn within(self, bits: u8) -> Self {
        Self(self.0.map(|address| match address {
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << (128 - bits));
                IpAddr::V6(Ipv6Addr::from_bits(network))
            }
            address => address,
        }))
    }
}

impl core::fmt::Display for Origin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.0 {
            Some(IpAddr::V6(address)) => f.write_str(&hex::encode(&address.octets()[..8])),
            Some(address) => address.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn check(peer: &str, said: &[&str], expected: &str) {
        let said: Vec<&[u8]> = said.iter().map(|line| line.as_bytes()).collect();
        check_bytes(peer, &said, expected);
    }

    fn check_bytes(peer: &str, said: &[&[u8]], expected: &str) {
        let proxies = Proxies {
            trusted: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2/31".parse().unwrap()],
            header: Some(HeaderName::from_static("x-forwarded-for")),
        };
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::new(peer.parse().unwrap(), 9);
        request.extensions_mut().insert(ConnectInfo(peer));
        for line in said {
            let value = HeaderValue::from_bytes(line).unwrap();
            request.headers_mut().append("x-forwarded-for", value);
        }
        let source = proxies.source_of(&request).to_string();
        assert_eq!(source, expected, "{peer} {said:?}");
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_the_hop_before_it() {
        check("192.0.2.7", &[], "192.0.2.7");
        check("192.0.2.7", &["198.51.100.1"], "192.0.2.7");
        check("10.0.0.1", &["198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9, 198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["203.0.113.9", "198.51.100.1"], "198.51.100.1");
        check("10.0.0.1", &["198.51.100.1, 10.0.0.2"], "198.51.100.1");
        check("::ffff:10.0.0.1", &["198.51.100.1:443"], "198.51.100.1");
        check("10.0.0.1", &["2001:db8:1:2:3::4"], "20010db800010002");
        check("10.0.0.1", &["[2001:db8::1]"], "20010db800000000");
        check("10.0.0.1", &["unknown"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
    }

    #[test]
    fn a_byte_that_is_no_text_hides_nothing_that_a_proxy_said_after_it() {
        let client = "198.51.100.1";
        check_bytes("10.0.0.1", &[b"\xff, 198.51.100.1"], client);
        check_bytes("10.0.0.1", &[b"6.6.6.6", b"\xff, 198.51.100.1"], client);
        check_bytes("10.0.0.1", &[b"6.6.6.6", b"\xff"], "10.0.0.1");
        check_bytes("10.0.0.1", &[b"6.6.6.6, \xff"], "10.0.0.1");
        check_bytes("10.0.0.1", &[b"6.6.6.6", b"\xff, 10.0.0.2"], "10.0.0.2");
    }

    #[test]
    fn networks_of_one_ipv6_line_and_of_one_site_are_counted_together() {
        let of = |text: &str| Origin::new(Some(text.parse().unwrap()));
        let (one, other) = (of("2001:db8:1:200::1"), of("2001:db8:1:2ff::1"));
        assert_ne!(one, other);
        assert_eq!(one.wider(), other.wider());
        assert_eq!(one.wider().len(), 2);
        let far = of("2001:db8:1:300::1").wider();
        assert!(far[0] != one.wider()[0] && far[1] == one.wider()[1]);
        assert_eq!(one.site(), of("2001:db8:1::").site());
        assert!(of("192.0.2.1").wider().is_empty());
    }
}
