//! deployment.json: everything that a program must be told to take part; keepers come from the chain.

use core::fmt::Display;
use core::str::FromStr;

use medibloc_record::{Address, TypedDomain};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Addresses of the contracts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// `Authority` (AccessManager).
    #[serde(with = "text")]
    pub authority: Address,
    /// The ERC-2771 forwarder.
    #[serde(with = "text")]
    pub forwarder: Address,
    /// `Accounts`.
    #[serde(with = "text")]
    pub accounts: Address,
    /// `Records`.
    #[serde(with = "text")]
    pub records: Address,
    /// `Consent`.
    #[serde(with = "text")]
    pub consent: Address,
    /// `Receipts`.
    #[serde(with = "text")]
    pub receipts: Address,
    /// `Keepers`.
    #[serde(with = "text")]
    pub keepers: Address,
}

/// An authority that handed the accreditor's role on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlierAuthority {
    /// Its address.
    #[serde(with = "text")]
    pub address: Address,
    /// Seconds since 1970: credentials of it that begin then or later do not count.
    pub until: u64,
}

/// One deployment of the platform, as `medibloc-node chain deploy` writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// 1.
    pub version: u8,
    /// The chain's id.
    pub chain_id: u64,
    /// JSON-RPC of chain nodes.
    pub rpc_urls: Vec<String>,
    /// Nodes: each URL is also the node's name in signed requests.
    pub node_urls: Vec<String>,
    /// The contracts.
    pub contracts: Contracts,
    /// The block that they were deployed in; no event is older.
    pub deployment_block: u64,
    /// Blocks until one is final; 0 if at once.
    pub finality_depth: u64,
    /// The account whose credentials count.
    #[serde(with = "text")]
    pub authority: Address,
    /// Authorities of before: what they signed in their time counts on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorities: Vec<EarlierAuthority>,
    /// It is of one machine or one institution's network: loopback and private addresses may be called.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub local: bool,
    /// The deployment's own authorities for TLS (PEM), trusted beside the platform's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
}

/// Why a deployment file is not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeploymentError {
    /// Not JSON of this form.
    #[error("deployment.json is not valid; get it again from the operator")]
    Malformed(#[source] serde_json::Error),
    /// Another version.
    #[error("deployment.json has version {version}, this program knows version 1; update it")]
    Version {
        /// Its version.
        version: u8,
    },
    /// A list is empty or a URL is none.
    #[error("deployment.json: {what}; get it again from the operator")]
    Value {
        /// What is wrong.
        what: String,
    },
}

impl Deployment {
    /// The deployment in a file.
    ///
    /// # Errors
    /// If it is malformed, has unknown fields, another version, no chain node, or a URL that is none.
    pub fn parse(json: &[u8]) -> Result<Self, DeploymentError> {
        // Some editors begin a file with a byte order mark.
        let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
        let deployment: Self = serde_json::from_slice(json).map_err(DeploymentError::Malformed)?;
        if deployment.version != 1 {
            return Err(DeploymentError::Version {
                version: deployment.version,
            });
        }
        if deployment.rpc_urls.is_empty() {
            return Err(DeploymentError::Value {
                what: "it names no chain node".into(),
            });
        }
        for url in deployment.rpc_urls.iter().chain(&deployment.node_urls) {
            let is_url = url.starts_with("http://") || url.starts_with("https://");
            if !is_url || url.ends_with('/') {
                return Err(DeploymentError::Value {
                    what: format!("{url} is not an http URL without a slash at its end"),
                });
            }
        }
        Ok(deployment)
    }

    /// The file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a deployment has text keys and no foreign numbers")
    }

    /// What all signatures are for.
    pub const fn domain(&self) -> TypedDomain {
        TypedDomain {
            chain_id: self.chain_id,
            records: self.contracts.records,
        }
    }
}

/// Identifiers as text.
mod text {
    use super::*;

    pub(super) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment() -> Deployment {
        let address = |byte| Address::new([byte; 20]);
        Deployment {
            version: 1,
            chain_id: 31_337,
            rpc_urls: vec!["http://127.0.0.1:8545".into()],
            node_urls: vec!["http://127.0.0.1:8080".into()],
            contracts: Contracts {
                authority: address(1),
                forwarder: address(2),
                accounts: address(3),
                records: address(4),
                consent: address(5),
                receipts: address(6),
                keepers: address(7),
            },
            deployment_block: 1,
            finality_depth: 0,
            authority: address(8),
            authorities: Vec::new(),
            local: true,
            ca: None,
        }
    }

    #[test]
    fn a_deployment_of_before_names_no_earlier_authority_and_one_of_now_may() {
        let plain = String::from_utf8(deployment().to_json()).unwrap();
        assert!(!plain.contains("authorities"), "{plain}");
        let earlier = EarlierAuthority {
            address: Address::new([9; 20]),
            until: 1_800_000_000,
        };
        let handed = Deployment {
            authorities: vec![earlier],
            ..deployment()
        };
        let json = String::from_utf8(handed.to_json()).unwrap();
        assert_eq!(Deployment::parse(json.as_bytes()).unwrap(), handed);
        for (what, other) in [
            ("field", json.replace("\"until\"", "\"till\"")),
            ("time", json.replace("1800000000", "\"2027-01-15\"")),
            ("address", json.replace("0x0909", "0x09")),
        ] {
            assert_ne!(other, json, "{what}");
            let refused = Deployment::parse(other.as_bytes());
            assert!(
                matches!(refused, Err(DeploymentError::Malformed(_))),
                "{what}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_deployment_round_trips_and_strange_ones_are_refused() {
        let json = String::from_utf8(deployment().to_json()).unwrap();
        assert_eq!(Deployment::parse(json.as_bytes()).unwrap(), deployment());
        assert_eq!(deployment().domain().records, Address::new([4; 20]));
        let marked = format!("\u{feff}{json}");
        assert_eq!(Deployment::parse(marked.as_bytes()).unwrap(), deployment());
        for (what, other) in [
            ("field", json.replacen('{', "{\"more\": 1,", 1)),
            ("version", json.replace("\"version\": 1", "\"version\": 2")),
            ("url", json.replace("127.0.0.1:8080", "127.0.0.1:8080/")),
            ("scheme", json.replace("http://127.0.0.1:8545", "ftp://x")),
            ("address", json.replace("0x0808", "0x08")),
            ("cut", json[..json.len() - 1].to_owned()),
        ] {
            assert_ne!(other, json, "{what}");
            assert!(Deployment::parse(other.as_bytes()).is_err(), "{what}");
        }
    }
}
