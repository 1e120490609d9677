//! Names are resolved once for a connection, each address is checked, and the connection goes to what was checked: a name
//! that changes its address in between leads nowhere else.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::reach::{NotReachable, Policy};

/// Asks the machine's resolver and refuses what the policy refuses.
pub(crate) struct Checked {
    policy: Policy,
    /// Names of proxies: the institution chose them, and they are inside it.
    proxies: Arc<BTreeSet<String>>,
}

impl Checked {
    pub(crate) fn new(policy: Policy, proxies: BTreeSet<String>) -> Self {
        Self {
            policy,
            proxies: Arc::new(proxies),
        }
    }
}

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.policy;
        let is_proxy = self.proxies.contains(name.as_str());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let found: Vec<SocketAddr> = found.collect();
            if !is_proxy {
                check(policy, name.as_str(), &found)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// One address that is refused refuses the name: who mixes them wants to be let in by chance.
fn check(policy: Policy, name: &str, found: &[SocketAddr]) -> Result<(), NotReachable> {
    for address in found {
        if let Some(kind) = policy.refuses(address.ip()) {
            return Err(NotReachable::Address {
                url: name.to_owned(),
                address: address.ip().to_string(),
                kind,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_private_address_among_public_ones_refuses_the_name() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let public = [at("8.8.8.8"), at("2606:4700::1111")];
        assert_eq!(check(Policy::PUBLIC, "node", &public), Ok(()));
        for hidden in ["127.0.0.1", "10.0.0.1", "::ffff:169.254.169.254"] {
            let found = [public.as_slice(), &[at(hidden)]].concat();
            let refused = check(Policy::PUBLIC, "node", &found).unwrap_err();
            assert!(refused.to_string().contains(hidden), "{refused}");
            assert_eq!(check(Policy::LOCAL, "node", &found), Ok(()));
        }
    }

    #[tokio::test]
    async fn a_name_of_this_machine_leads_nowhere_in_a_public_deployment() {
        for (policy, proxies, reached) in [
            (Policy::PUBLIC, BTreeSet::new(), false),
            (Policy::LOCAL, BTreeSet::new(), true),
            (
                Policy::PUBLIC,
                BTreeSet::from(["localhost".to_owned()]),
                true,
            ),
        ] {
            let name = "localhost".parse().unwrap();
            let found = Checked::new(policy, proxies).resolve(name).await;
            let told = found.err().map(|error| error.to_string());
            assert_eq!(told.is_none(), reached, "{told:?}");
            assert!(told.is_none_or(|told| told.contains("loopback")));
        }
    }
}
