//! Ranges of addresses that are no place on the open Internet (IANA's special-purpose registries, RFC 6890).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, if it is not on the open Internet.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => special_v4(address),
        IpAddr::V6(address) => special_v6(address),
    }
}

/// What an address is, if nobody may ever be called there, not in a local deployment either.
pub(crate) fn never(address: IpAddr) -> Option<&'static str> {
    special(address.to_canonical())
        .filter(|kind| ["unspecified", "multicast", "reserved"].contains(kind))
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    Some(match (a, b, c) {
        (0, ..) => "unspecified",
        (10, ..) | (172, 16..=31, _) | (192, 168, _) => "private",
        (100, 64..=127, _) => "shared by a carrier (CGNAT)",
        (127, ..) => "loopback",
        (169, 254, _) => "link-local",
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) | (198, 18..=19, _) => {
            "for tests and protocols"
        }
        (192, 88, 99) => "a relay's",
        (224..=239, ..) => "multicast",
        (240..=255, ..) => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    let parts = address.segments();
    let [.., high, low] = parts;
    let within = || {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        special_v4(Ipv4Addr::new(a, b, c, d))
    };
    Some(match parts {
        [0, 0, 0, 0, 0, 0, 0, 0] => "unspecified",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        [0, 0, 0, 0, 0, 0xffff, ..] => "IPv4 in disguise",
        [0, 0, 0, 0, 0, 0, ..] => "reserved",
        // DNS64 gives every name such an address where a network has no IPv4; what counts is the address within.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => return within(),
        [0x64, 0xff9b, 1, ..] => "private",
        [0x100, 0, 0, 0, ..] => "reserved",
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => {
            "for tests and protocols"
        }
        [0x2002, ..] => "a relay's",
        [0xfc00..=0xfdff, ..] => "unique-local",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xfec0..=0xfeff, ..] => "private",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2000..=0x3fff, ..] => return None,
        _ => "reserved",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_open_internet_are_none() {
        for (text, kind) in [
            ("8.8.8.8", None),
            ("192.0.1.1", None),
            ("172.32.0.1", None),
            ("100.128.0.1", None),
            ("2606:4700::1111", None),
            ("64:ff9b::808:808", None),
            ("0.0.0.0", Some("unspecified")),
            ("10.1.2.3", Some("private")),
            ("172.16.0.1", Some("private")),
            ("192.168.1.1", Some("private")),
            ("100.64.0.1", Some("shared by a carrier (CGNAT)")),
            ("127.8.8.8", Some("loopback")),
            ("169.254.169.254", Some("link-local")),
            ("224.0.0.1", Some("multicast")),
            ("255.255.255.255", Some("reserved")),
            ("::", Some("unspecified")),
            ("::1", Some("loopback")),
            ("::ffff:8.8.8.8", Some("IPv4 in disguise")),
            ("::7f00:1", Some("reserved")),
            ("64:ff9b::7f00:1", Some("loopback")),
            ("64:ff9b:1::1", Some("private")),
            ("fd00::1", Some("unique-local")),
            ("fe80::1", Some("link-local")),
            ("ff02::1", Some("multicast")),
            ("2002:7f00:1::", Some("a relay's")),
            ("2001::1", Some("for tests and protocols")),
            ("2001:db8::1", Some("for tests and protocols")),
            ("4000::1", Some("reserved")),
        ] {
            assert_eq!(special(text.parse().unwrap()), kind, "{text}");
        }
    }

    #[test]
    fn a_local_deployment_calls_private_addresses_and_no_group() {
        for (text, refused) in [
            ("127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("fe80::1", false),
            ("0.0.0.0", true),
            ("::", true),
            ("ff02::1", true),
            ("::ffff:224.0.0.1", true),
            ("255.255.255.255", true),
        ] {
            assert_eq!(never(text.parse().unwrap()).is_some(), refused, "{text}");
        }
    }
}
