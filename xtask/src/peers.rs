//! Real programs that tests compare against, kept in a cache outside the clone.

use crate::ledger::Ledger;
use crate::preflight::find;
use crate::run::Run;
use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};

/// The Python tool that tests open our files with, and the other way round.
const CRYPT4GH: &str = "crypt4gh==1.8.6";

/// Peers that may be absent: name, variable that hands it to tests, its place in the cache.
const OPTIONAL: [(&str, &str, &str); 3] = [
    ("kubo", "MEDIBLOC_KUBO", "peers/ipfs"),
    ("geth", "MEDIBLOC_GETH", "peers/geth"),
    ("hapi", "MEDIBLOC_HAPI", "hapi/cp"),
];

const KUBO_MOD: &str = "\
module medibloc-peers

go 1.26

require github.com/ipfs/kubo v0.43.1

// pinned: the versions that this build was made and tested with
replace github.com/quic-go/webtransport-go => github.com/quic-go/webtransport-go v0.11.1

replace github.com/quic-go/quic-go => github.com/quic-go/quic-go v0.60.0
";
const KUBO_TOOLS: &str =
    "//go:build tools\n\npackage tools\n\nimport _ \"github.com/ipfs/kubo/cmd/ipfs\"\n";
const GETH: &str = "github.com/ethereum/go-ethereum/cmd/geth@v1.16.5";

/// Where peers are kept.
pub fn cache() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(base.join("medibloc"))
}

/// Puts the Python tool into a virtual environment of its own and tells tests where it is.
pub fn crypt4gh(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    let venv = cache()?.join("venv");
    let tool = venv.join("bin/crypt4gh");
    let stamp = venv.join("medibloc-pin");
    if !tool.is_file() || fs::read_to_string(&stamp).unwrap_or_default() != CRYPT4GH {
        fs::create_dir_all(venv.parent().context("the cache has no parent folder")?)?;
        let made = run.step(
            "python3",
            ["-m".as_ref(), "venv".as_ref(), venv.as_os_str()],
            ".",
        );
        let installed = made
            .and_then(|()| run.step(venv.join("bin/pip"), ["install", "--quiet", CRYPT4GH], "."));
        if let Err(error) = installed {
            ledger.skip(
                "crypt4gh",
                &format!("{error:#}; apt-get install -y python3-venv"),
            );
            return Ok(());
        }
        fs::write(&stamp, CRYPT4GH)?;
    }
    run.set_env("MEDIBLOC_CRYPT4GH", tool);
    Ok(())
}

/// Hands the peers that are in the cache to tests, and says loudly which are not.
pub fn optional(run: &mut Run, ledger: &mut Ledger) -> Result<()> {
    let cache = cache()?;
    for (name, variable, place) in OPTIONAL {
        let path = cache.join(place);
        if std::env::var_os(variable).is_some() {
            continue;
        }
        if path.exists() {
            run.set_env(variable, path);
        } else {
            let reason = format!("no {place} in the cache and {variable} is not set");
            println!("SKIPPED {name}: {reason}");
            ledger.skip(name, &reason);
        }
    }
    Ok(())
}

/// Builds Kubo and geth into the cache, about 4 minutes each, and fetches HAPI; once.
pub fn build(run: &Run) -> Result<()> {
    if find("go").is_none() {
        bail!("--build-peers needs Go 1.26 or later on PATH");
    }
    let peers = cache()?.join("peers");
    if !peers.join("ipfs").is_file() {
        let source = peers.join("kubo");
        fs::create_dir_all(&source)?;
        fs::write(source.join("go.mod"), KUBO_MOD)?;
        fs::write(source.join("tools.go"), KUBO_TOOLS)?;
        go(
            run,
            &source,
            &[
                "build",
                "-mod=mod",
                "-o",
                "../ipfs",
                "github.com/ipfs/kubo/cmd/ipfs",
            ],
        )?;
    }
    if !peers.join("geth").is_file() {
        fs::create_dir_all(&peers)?;
        let bin = format!("GOBIN={}", peers.display());
        run.step("env", [bin.as_str(), "go", "install", GETH], &peers)?;
    }
    let hapi = cache()?.join("hapi/cp");
    if !hapi.is_file() {
        ensure!(
            find("mvn").is_some(),
            "--build-peers needs Maven and Java 17 on PATH"
        );
        fs::create_dir_all(hapi.parent().context("the cache has no parent folder")?)?;
        let out = format!("-Dmdep.outputFile={}", hapi.display());
        let words = ["-q", "-B", "dependency:build-classpath", out.as_str()];
        run.step("mvn", words, "testdata/interop/hapi")?;
    }
    Ok(())
}

fn go(run: &Run, folder: &Path, args: &[&str]) -> Result<()> {
    println!("building in {}, this takes some minutes", folder.display());
    run.step("go", args, folder)
}
