//! What may be said of a node of the chain.

/// A node's host with what it said: paths and queries of such URLs are keys.
pub fn named(from: &str, why: &str) -> String {
    let rest = from.split_once("://").map_or(from, |(_, rest)| rest);
    let host = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    let why = why.replace(from, host);
    match why.contains("://") {
        // Another writing of the URL, perhaps.
        true => format!("{host}: no good answer"),
        false => format!("{host}: {why}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chains_node_is_named_by_its_host_alone() {
        for (from, why, told) in [
            (
                "https://rpc.example.org/v3/secret?key=x",
                "status 401",
                "rpc.example.org: status 401",
            ),
            (
                "http://127.0.0.1:8545",
                "connection refused",
                "127.0.0.1:8545: connection refused",
            ),
            (
                "http://me:secret@x.org:1/",
                "timed out",
                "x.org:1: timed out",
            ),
            (
                "https://x.org/secret",
                "no answer of https://x.org/secret",
                "x.org: no answer of x.org",
            ),
            (
                "https://x.org/secret",
                "url (https://x.org:443/secret)",
                "x.org: no good answer",
            ),
        ] {
            assert_eq!(named(from, why), told);
        }
    }
}
