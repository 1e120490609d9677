//! Where a request comes from. Behind a proxy that the operator trusts it is what that proxy says; what any other peer
//! says of itself counts for nothing.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request};
use axum::http::HeaderName;

/// Proxies in front of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    /// Addresses that are believed.
    pub trusted: Vec<IpAddr>,
    /// The header that they set, as `X-Forwarded-For`: addresses, the nearest last.
    pub header: Option<HeaderName>,
}

impl Proxies {
    /// An IPv4 address, or the 64 bits that one IPv6 customer has.
    pub(crate) fn source_of(&self, request: &Request) -> String {
        let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
        match peer {
            Some(ConnectInfo(peer)) => name(self.hop(peer.ip(), request)),
            None => "unknown".into(),
        }
    }

    /// The nearest hop that is no trusted proxy. What a hop says that is no address ends the search at that hop.
    fn hop(&self, peer: IpAddr, request: &Request) -> IpAddr {
        let mut hop = peer.to_canonical();
        let Some(header) = &self.header else {
            return hop;
        };
        let lines = request.headers().get_all(header);
        let said: Vec<&str> = lines.iter().filter_map(|line| line.to_str().ok()).collect();
        let mut hops = said.iter().rev().flat_map(|line| line.rsplit(','));
        while self.trusted.iter().any(|it| it.to_canonical() == hop) {
            match hops.next().and_then(address) {
                Some(next) => hop = next,
                None => break,
            }
        }
        hop
    }
}

/// With or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let with_port = || text.parse().ok().map(|at: SocketAddr| at.ip());
    let found = text.parse().ok().or_else(with_port);
    found.map(|at: IpAddr| at.to_canonical())
}

fn name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => hex::encode(&address.octets()[..8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn check(peer: &str, said: &[&str], expected: &str) {
        let proxies = Proxies {
            trusted: vec!["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()],
            header: Some(HeaderName::from_static("x-forwarded-for")),
        };
        let mut request = Request::new(Body::empty());
        let peer = SocketAddr::new(peer.parse().unwrap(), 9);
        request.extensions_mut().insert(ConnectInfo(peer));
        for line in said {
            let value = line.parse().unwrap();
            request.headers_mut().append("x-forwarded-for", value);
        }
        assert_eq!(proxies.source_of(&request), expected, "{peer} {said:?}");
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
        check("10.0.0.1", &["unknown"], "10.0.0.1");
        check("10.0.0.1", &[], "10.0.0.1");
    }
}
