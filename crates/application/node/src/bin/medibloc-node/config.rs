//! One configuration: file < MEDIBLOC_NODE_* < flags. Unknown keys are errors; paths are relative to the file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use medibloc_api::Deployment;
use medibloc_node::{ConnectionLimits, DailyLimits, Network, Proxies, private_folder};
use serde::Deserialize;
use toml::{Table, Value};

use crate::Settings;

/// Environment variables that are keys; `__` stands between section and key.
const PREFIX: &str = "MEDIBLOC_NODE_";

/// Everything that a gateway or keeper is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// deployment.json.
    pub(crate) deployment: PathBuf,
    /// Where the data is.
    pub(crate) data_dir: PathBuf,
    /// Address and port to listen on.
    pub(crate) listen: String,
    /// The URL that this is known by; it is signed into every request.
    pub(crate) url: String,
    /// For `gateway`.
    pub(crate) gateway: Option<GatewaySection>,
    /// For `keeper`.
    pub(crate) keeper: Option<KeeperSection>,
    /// What a day allows.
    #[serde(default)]
    pub(crate) limits: DailyLimits,
    /// Addresses and networks of reverse proxies in front of this; what any other peer says about where requests come from counts
    /// for nothing.
    #[serde(default)]
    pub(crate) trusted_proxies: Vec<Network>,
    /// The header in which they say it; `X-Forwarded-For` if none.
    pub(crate) proxy_header: Option<String>,
    /// What its listener bears at a time.
    #[serde(default)]
    pub(crate) connections: ConnectionLimits,
    /// What it proves its name with; without it, plain HTTP on loopback or behind a proxy.
    pub(crate) tls: Option<TlsSection>,
    /// A proxy that ends TLS stands before it: plain HTTP is served on any address.
    #[serde(default)]
    pub(crate) behind_proxy: bool,
    /// Plain HTTP to and from other machines is allowed.
    #[serde(default)]
    pub(crate) insecure_http: bool,
    /// Authorities that are trusted for TLS beside the platform's and the deployment's own (PEM).
    pub(crate) ca: Option<PathBuf>,
    /// Where the operator asks for figures, and why this is not ready; nowhere if none.
    pub(crate) metrics: Option<MetricsSection>,
    /// Logs.
    #[serde(default)]
    pub(crate) log: LogSection,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsSection {
    /// Its certificate and those between it and its authority (PEM, its own first).
    pub(crate) certificate: PathBuf,
    /// The certificate's key (PEM).
    pub(crate) key: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GatewaySection {
    /// Key file of the wallet that pays for calls.
    pub(crate) relay_key: PathBuf,
    /// What keeps blocks.
    #[serde(default)]
    pub(crate) store: StoreKind,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricsSection {
    /// Address and port to listen on. Whoever reaches it sees coins, counts of letters and calls.
    pub(crate) listen: String,
    /// It may be an address that other machines reach, on a network of the operator's own.
    #[serde(default)]
    pub(crate) beyond_loopback: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StoreKind {
    /// Pack files in the data folder.
    #[default]
    Ipfs,
    /// Nothing on disk: for trials.
    Memory,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeeperSection {
    /// Its key file.
    pub(crate) keys: PathBuf,
    /// Seconds that the chain's finality lags behind the clock.
    #[serde(default)]
    pub(crate) finality_lag: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LogSection {
    /// error, warn, info, debug or trace.
    pub(crate) level: String,
}

impl Default for LogSection {
    fn default() -> Self {
        Self {
            level: "info".into(),
        }
    }
}

impl Config {
    /// The configuration of a command.
    pub(crate) fn load(settings: &Settings) -> anyhow::Result<Self> {
        let (text, base) = match &settings.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read {}", path.display()))?;
                (text, path.parent().map(Path::to_owned).unwrap_or_default())
            }
            None => (String::new(), PathBuf::new()),
        };
        let environment = std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
        let config = Self::merge(&text, environment, settings)?;
        config.relative_to(&base)
    }

    fn merge(
        text: &str,
        environment: impl Iterator<Item = (String, String)>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let mut table: Table = text
            .parse()
            .context("the configuration file is not TOML; correct it")?;
        for (key, value) in environment {
            if let Some(key) = key.strip_prefix(PREFIX) {
                let key = key.to_lowercase().replace("__", ".");
                set(&mut table, &key, &value)?;
            }
        }
        let flags = [
            ("listen", &settings.listen),
            ("url", &settings.url),
            ("data_dir", &settings.data_dir),
        ];
        for (key, value) in flags {
            if let Some(value) = value {
                set(&mut table, key, value)?;
            }
        }
        for pair in &settings.set {
            let (key, value) = pair
                .split_once('=')
                .with_context(|| format!("--set {pair} is not KEY=VALUE"))?;
            set(&mut table, key, value)?;
        }
        let config: Self = table
            .try_into()
            .context("the configuration is not valid; correct the named key")?;
        if !config.url.starts_with("http") || config.url.ends_with('/') {
            bail!(
                "url = {:?} is not an http URL without a slash at its end",
                config.url
            );
        }
        Ok(config)
    }

    fn relative_to(mut self, base: &Path) -> anyhow::Result<Self> {
        let to = |path: &mut PathBuf| *path = base.join(&*path);
        to(&mut self.deployment);
        to(&mut self.data_dir);
        if let Some(gateway) = &mut self.gateway {
            to(&mut gateway.relay_key);
        }
        if let Some(keeper) = &mut self.keeper {
            to(&mut keeper.keys);
        }
        if let Some(tls) = &mut self.tls {
            to(&mut tls.certificate);
            to(&mut tls.key);
        }
        if let Some(ca) = &mut self.ca {
            to(ca);
        }
        private_folder(&self.data_dir)
            .with_context(|| format!("cannot make {}", self.data_dir.display()))?;
        Ok(self)
    }

    /// The proxies that are believed.
    pub(crate) fn proxies(&self) -> anyhow::Result<Proxies> {
        let name = self.proxy_header.as_deref().unwrap_or("x-forwarded-for");
        let header = name
            .to_ascii_lowercase()
            .parse()
            .with_context(|| format!("proxy_header = {name:?} is no name of a header"))?;
        let trusted = self.trusted_proxies.clone();
        let header = (!trusted.is_empty()).then_some(header);
        Ok(Proxies { trusted, header })
    }

    /// The deployment that it names.
    pub(crate) fn deployment(&self) -> anyhow::Result<Deployment> {
        deployment(&self.deployment)
    }
}

/// The deployment in a file.
pub(crate) fn deployment(path: &Path) -> anyhow::Result<Deployment> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Deployment::parse(&bytes)?)
}

/// Sets one key; numbers and booleans are taken as such.
fn set(table: &mut Table, key: &str, value: &str) -> anyhow::Result<()> {
    let value = value
        .parse::<i64>()
        .map(Value::Integer)
        .or_else(|_| value.parse::<bool>().map(Value::Boolean))
        .unwrap_or_else(|_| Value::String(value.to_owned()));
    let Some((section, name)) = key.split_once('.') else {
        table.insert(key.to_owned(), value);
        return Ok(());
    };
    let section = table
        .entry(section)
        .or_insert_with(|| Value::Table(Table::new()))
        .as_table_mut()
        .with_context(|| format!("{section} is no section of the configuration"))?;
    section.insert(name.to_owned(), value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        deployment = "deployment.json"
        data_dir = "data"
        listen = "127.0.0.1:8080"
        url = "http://127.0.0.1:8080"
        [gateway]
        relay_key = "relay.json"
        store = "memory"
    "#;

    fn settings(set: &[&str]) -> Settings {
        Settings {
            config: None,
            listen: None,
            url: None,
            data_dir: None,
            set: set.iter().map(|&pair| pair.to_owned()).collect(),
        }
    }

    fn merge(file: &str, environment: &[(&str, &str)], flags: &[&str]) -> anyhow::Result<Config> {
        let environment = environment
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Config::merge(file, environment, &settings(flags))
    }

    #[test]
    fn flags_go_before_the_environment_and_that_before_the_file() {
        let environment = [
            ("MEDIBLOC_NODE_LISTEN", "127.0.0.1:1"),
            ("MEDIBLOC_NODE_LIMITS__REQUESTS", "7"),
            ("MEDIBLOC_CORPUS", "/other"),
        ];
        let config = merge(FILE, &environment, &["listen=127.0.0.1:2"]).unwrap();
        assert_eq!(config.listen, "127.0.0.1:2");
        assert_eq!(config.limits.requests, 7);
        assert_eq!(config.limits.bytes, 1_000_000_000);
        assert_eq!(config.gateway.unwrap().store, StoreKind::Memory);
        let config = merge(FILE, &environment, &[]).unwrap();
        assert_eq!(config.listen, "127.0.0.1:1");
    }

    #[test]
    fn unknown_and_malformed_keys_are_errors() {
        for flag in [
            "lissten=x",
            "gateway.stoar=ipfs",
            "gateway.store=tape",
            "limits.requests=many",
            "metrics.listen=7",
            "metrics.beyond_loopback=true",
            "url=127.0.0.1",
            "url=http://x/",
            "listen",
            "listen.port=1",
        ] {
            assert!(merge(FILE, &[], &[flag]).is_err(), "{flag}");
        }
        assert!(merge(FILE, &[("MEDIBLOC_NODE_LISSTEN", "x")], &[]).is_err());
        assert!(merge("listen = ", &[], &[]).is_err());
        let proxies = |what: &str| merge(&format!("trusted_proxies = [{what}]\n{FILE}"), &[], &[]);
        let taken = proxies(r#""10.0.0.0/8", "192.0.2.1", "2001:db8::/32""#).unwrap();
        assert_eq!(taken.trusted_proxies.len(), 3);
        let told = proxies(r#""10.1.0.0/8""#).unwrap_err();
        assert!(format!("{told:#}").contains("write 10.0.0.0/8"), "{told:#}");
        assert!(merge("", &[], &[]).is_err(), "what is needed is missing");
    }
}
