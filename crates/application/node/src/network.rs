//! Addresses that an operator names: single ones, and networks of them.

use core::fmt;
use core::str::FromStr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::Deserialize;

/// An address or a network: `10.0.0.1`, `10.0.0.0/8`, `2001:db8::/32` (RFC 4632, section 3.1; RFC 4291, section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Network {
    first: IpAddr,
    bits: u8,
}

/// Why a text names no network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// It has another form.
    #[error(
        "{0:?} is neither an address nor a network: write 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32"
    )]
    Malformed(String),
    /// It names an address within a network.
    #[error("{said:?} is an address within a network: write {meant} for the network")]
    Within {
        /// What stands there.
        said: String,
        /// The network that it is in.
        meant: Network,
    },
    /// It is every address.
    #[error("{0:?} is every address: name those of your own proxies alone")]
    All(String),
}

impl Network {
    /// Whether an address is of it; an IPv4 address in the form of an IPv6 one is that address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && first_of(address, self.bits) == self.first
    }
}

/// The first address of a network of so many bits.
fn first_of(address: IpAddr, bits: u8) -> IpAddr {
    let without = |all: u8| u32::from(all.saturating_sub(bits));
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(without(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(without(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

impl From<IpAddr> for Network {
    fn from(address: IpAddr) -> Self {
        let first = address.to_canonical();
        let bits = if first.is_ipv4() { 32 } else { 128 };
        Self { first, bits }
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let malformed = || NetworkError::Malformed(text.to_owned());
        let Some((address, bits)) = text.split_once('/') else {
            let address: IpAddr = text.parse().map_err(|_| malformed())?;
            return Ok(address.into());
        };
        let address: IpAddr = address.parse().map_err(|_| malformed())?;
        // A sign is no part of it.
        let is_number = !bits.is_empty() && bits.bytes().all(|digit| digit.is_ascii_digit());
        let bits: u8 = bits.parse().map_err(|_| malformed())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        if !is_number || bits > most {
            return Err(malformed());
        }
        if bits == 0 {
            return Err(NetworkError::All(text.to_owned()));
        }
        let first = first_of(address, bits);
        let meant = Self { first, bits };
        if first != address {
            let said = text.to_owned();
            return Err(NetworkError::Within { said, meant });
        }
        Ok(meant)
    }
}

impl TryFrom<String> for Network {
    type Error = NetworkError;

    fn try_from(text: String) -> Result<Self, NetworkError> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_own_addresses_alone() {
        for (network, address, expected) in [
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "::ffff:10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("10.0.0.0/8", "10.255.0.9", true),
            ("10.0.0.0/8", "::ffff:10.255.0.9", true),
            ("10.0.0.0/8", "11.0.0.0", false),
            ("10.0.0.0/8", "a00::1", false),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("192.0.2.9/32", "192.0.2.9", true),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::1", "::1", true),
        ] {
            let holds = network
                .parse::<Network>()
                .unwrap()
                .holds(address.parse().unwrap());
            assert_eq!(holds, expected, "{network} {address}");
        }
    }

    #[test]
    fn what_names_no_network_is_refused_in_words() {
        for (text, expected) in [
            ("", "neither"),
            ("proxy", "neither"),
            ("10.0.0.0/33", "neither"),
            ("10.0.0.0/", "neither"),
            ("10.0.0.0/+8", "neither"),
            ("10.0.0.0/8/8", "neither"),
            ("10.0.0/8", "neither"),
            ("2001:db8::/129", "neither"),
            ("10.1.2.3/8", "write 10.0.0.0/8"),
            ("2001:db8::1/32", "write 2001:db8::/32"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
        ] {
            let told = text.parse::<Network>().unwrap_err().to_string();
            assert!(told.contains(expected), "{text}: {told}");
        }
    }
}
