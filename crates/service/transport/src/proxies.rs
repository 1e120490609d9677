//! Proxies as the environment names them; this machine is always reached directly.

use std::collections::BTreeSet;
use std::net::IpAddr;

use reqwest::Url;

use crate::reach::is_loopback;

/// The proxies of a machine.
#[derive(Clone, Default)]
pub struct Proxies {
    http: Option<Url>,
    https: Option<Url>,
    except: Vec<String>,
}

impl Proxies {
    /// What variables say, by the usual names: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, and these in small letters.
    /// A value that is no URL of an http proxy counts as none.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let value = |name: &str| {
            [name.to_lowercase(), name.to_owned()]
                .iter()
                .find_map(|name| variable(name).filter(|value| !value.trim().is_empty()))
        };
        let proxy = |name: &str| value(name).and_then(|text| parse(text.trim()));
        let all = proxy("ALL_PROXY");
        Self {
            http: proxy("HTTP_PROXY").or_else(|| all.clone()),
            https: proxy("HTTPS_PROXY").or(all),
            except: value("NO_PROXY")
                .unwrap_or_default()
                .split(',')
                .map(|entry| entry.trim().to_ascii_lowercase())
                .filter(|entry| !entry.is_empty())
                .collect(),
        }
    }

    /// The proxy that a request to a URL takes, if any.
    pub(crate) fn choose(&self, url: &Url) -> Option<Url> {
        let host = url.host_str()?;
        if is_loopback(host) || self.except.iter().any(|entry| names(entry, host)) {
            return None;
        }
        match url.scheme() {
            "https" => self.https.clone(),
            _ => self.http.clone(),
        }
    }

    /// The hosts of the proxies themselves.
    pub(crate) fn hosts(&self) -> BTreeSet<String> {
        let both = [&self.http, &self.https].into_iter().flatten();
        both.filter_map(|url| url.host_str().map(str::to_owned))
            .collect()
    }
}

impl core::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        // A proxy's URL may hold a password.
        f.debug_struct("Proxies")
            .field("hosts", &self.hosts())
            .finish_non_exhaustive()
    }
}

/// A proxy's URL; `host:port` alone is one of http.
fn parse(text: &str) -> Option<Url> {
    let url = match text.contains("://") {
        true => Url::parse(text),
        false => Url::parse(&format!("http://{text}")),
    };
    url.ok()
        .filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host())
}

/// A proxy as messages name it: without user and password.
pub(crate) fn shown(proxy: &Url) -> String {
    let port = proxy
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}",
        proxy.scheme(),
        proxy.host_str().unwrap_or_default()
    )
}

/// Whether an entry of `NO_PROXY` names this host: `*`, an address, a range of addresses, or a name and all below it.
fn names(entry: &str, host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = bare.parse().ok();
    if entry == "*" || entry == bare {
        return true;
    }
    if let (Some(address), Some((net, bits))) = (address, entry.split_once('/')) {
        return within(address, net, bits).unwrap_or(false);
    }
    let name = entry.trim_start_matches('.');
    address.is_none()
        && host
            .to_ascii_lowercase()
            .strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn within(address: IpAddr, net: &str, bits: &str) -> Option<bool> {
    let bits: u32 = bits.parse().ok()?;
    match (address, net.parse().ok()?) {
        (IpAddr::V4(address), IpAddr::V4(net)) => {
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(bits)?).unwrap_or(0);
            Some(address.to_bits() & mask == net.to_bits() & mask)
        }
        (IpAddr::V6(address), IpAddr::V6(net)) => {
            let mask = u128::MAX
                .checked_shl(128_u32.checked_sub(bits)?)
                .unwrap_or(0);
            Some(address.to_bits() & mask == net.to_bits() & mask)
        }
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::of(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn this_machine_is_reached_directly_and_others_as_the_environment_says() {
        let set = proxies(&[
            ("HTTP_PROXY", "proxy.example.org:3128"),
            ("https_proxy", "http://user:secret@secure.example.org:3129"),
            ("NO_PROXY", "inner.example.org, 10.0.0.0/8 ,192.0.2.7"),
        ]);
        for (url, expected) in [
            ("http://127.0.0.1:8545", None),
            ("http://127.9.9.9", None),
            ("http://[::1]:1", None),
            ("http://localhost:1", None),
            ("http://10.1.1.1", None),
            ("http://192.0.2.7", None),
            ("http://192.0.2.8", Some("http://proxy.example.org:3128")),
            ("https://inner.example.org", None),
            ("https://a.inner.example.org", None),
            (
                "https://winner.example.org",
                Some("http://secure.example.org:3129"),
            ),
            (
                "http://node.example.org",
                Some("http://proxy.example.org:3128"),
            ),
        ] {
            let chosen = set.choose(&url.parse().unwrap());
            assert_eq!(chosen.as_ref().map(shown).as_deref(), expected, "{url}");
        }
        assert!(!format!("{set:?}").contains("secret"));
        let all = proxies(&[("ALL_PROXY", "http://all:1"), ("NO_PROXY", "*")]);
        assert_eq!(
            all.choose(&"https://node.example.org".parse().unwrap()),
            None
        );
        let none = proxies(&[("HTTPS_PROXY", "socks5://x:1"), ("HTTP_PROXY", " ")]);
        assert_eq!(
            none.choose(&"https://node.example.org".parse().unwrap()),
            None
        );
    }
}
