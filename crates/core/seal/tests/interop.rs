//! The reference Crypt4GH tool (Python, GA4GH) opens what we make and we open what it makes.
//!
//! It is found by `MEDIBLOC_CRYPT4GH` (the program, as `cargo xtask test` sets it), `MEDIBLOC_CRYPT4GH_PYTHON` (a Python
//! that has the module), or a `python3` on the path that has it.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use medibloc_keys::{SealingSecret, SeededEntropy};
use medibloc_seal::crypt4gh::{Crypt4ghError, Imported, Recipient, encrypt, export, import};

#[path = "support/parts.rs"]
mod parts;
use parts::{content, sealed_part, secret};

const SIZES: [usize; 6] = [0, 1, 65_535, 65_536, 65_537, (1 << 20) + 3];

/// The reference tool in a folder of its own, with its key pair and ours as files.
struct Peer {
    program: Vec<OsString>,
    folder: tempfile::TempDir,
}

impl Peer {
    /// The tool, if this machine has it; else says loudly that the test did not run.
    fn find(test: &str) -> Option<Self> {
        let program = if let Some(tool) = std::env::var_os("MEDIBLOC_CRYPT4GH") {
            vec![tool]
        } else {
            let python = std::env::var_os("MEDIBLOC_CRYPT4GH_PYTHON");
            vec![
                python.unwrap_or_else(|| "python3".into()),
                "-m".into(),
                "crypt4gh".into(),
            ]
        };
        let runs = Command::new(&program[0])
            .args(&program[1..])
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success());
        if !runs {
            #[allow(clippy::print_stdout, reason = "a skipped test says so")]
            {
                println!(
                    "SKIPPED crypt4gh/{test}: no crypt4gh for python3, and MEDIBLOC_CRYPT4GH is not set"
                );
            }
            return None;
        }
        let peer = Self {
            program,
            folder: tempfile::tempdir().unwrap(),
        };
        for (name, secret) in [("ours", secret()), ("theirs", Self::secret())] {
            fs::write(peer.path(&format!("{name}.sec")), private_key_file(&secret)).unwrap();
            let public = Recipient::from(secret.public()).to_string();
            fs::write(peer.path(&format!("{name}.pub")), public).unwrap();
        }
        Some(peer)
    }

    fn secret() -> SealingSecret {
        SealingSecret::from_bytes(1, [77; 32])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `crypt4gh args < input`, with the names in `files` as paths.
    fn run(&self, args: &[&str], input: &Path) -> Output {
        let place = |arg: &&str| {
            if arg.ends_with(".sec") || arg.ends_with(".pub") {
                self.path(arg).into_os_string()
            } else {
                arg.into()
            }
        };
        Command::new(&self.program[0])
            .args(&self.program[1..])
            .args(args.iter().map(place))
            .stdin(File::open(input).unwrap())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    }

    /// What the tool writes.
    fn must(&self, args: &[&str], input: &[u8]) -> Vec<u8> {
        let path = self.path("input");
        fs::write(&path, input).unwrap();
        let output = self.run(args, &path);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {said}");
        output.stdout
    }
}

/// A private key file without a passphrase, in the tool's own form.
fn private_key_file(secret: &SealingSecret) -> String {
    let mut bytes = b"c4gh-v1\0\x04none\0\x04none\0\x20".to_vec();
    bytes.extend_from_slice(&secret.to_bytes()[..]);
    let text = STANDARD.encode(bytes);
    format!("-----BEGIN CRYPT4GH PRIVATE KEY-----\n{text}\n-----END CRYPT4GH PRIVATE KEY-----\n")
}

fn opened(file: &[u8]) -> Result<(Vec<u8>, Imported), Crypt4ghError> {
    let mut plain = Vec::new();
    let imported = import(&mut &file[..], &secret(), &mut plain)?;
    Ok((plain, imported))
}

#[test]
fn the_tool_opens_our_exported_parts_and_streams() {
    let Some(peer) = Peer::find("ours-to-python") else {
        return;
    };
    let recipients = [secret().public().into(), Peer::secret().public().into()];
    for size in SIZES {
        let plain = content(size);
        let (part, blocks) = sealed_part(&plain);
        let (mut file, mut entropy) = (Vec::new(), SeededEntropy::new(2));
        export(&part, &recipients, &blocks.0, &mut entropy, &mut file).unwrap();
        let back = peer.must(&["decrypt", "--sk", "theirs.sec"], &file);
        assert!(back == plain, "a part of {size} bytes");
        let mut file = Vec::new();
        encrypt(&mut &plain[..], &recipients, &mut entropy, &mut file).unwrap();
        let back = peer.must(&["decrypt", "--sk", "theirs.sec"], &file);
        assert!(back == plain, "a stream of {size} bytes");
    }
}

#[test]
fn we_open_what_the_tool_makes() {
    let Some(peer) = Peer::find("python-to-ours") else {
        return;
    };
    let to_us = [
        "encrypt",
        "--sk",
        "theirs.sec",
        "--recipient_pk",
        "ours.pub",
    ];
    for size in SIZES {
        let plain = content(size);
        let (back, imported) = opened(&peer.must(&to_us, &plain)).unwrap();
        assert!(back == plain, "{size} bytes");
        assert_eq!(imported.writer, Peer::secret().public().into());
    }
    let to_both = [&to_us[..], &["--recipient_pk", "theirs.pub"]].concat();
    let file = peer.must(&to_both, b"for two readers");
    assert_eq!(opened(&file).unwrap().0, b"for two readers");
}

#[test]
fn what_the_tool_takes_and_we_refuse() {
    let Some(peer) = Peer::find("refusals") else {
        return;
    };
    let to_us = [
        "encrypt",
        "--sk",
        "theirs.sec",
        "--recipient_pk",
        "ours.pub",
    ];
    let file = peer.must(&to_us, &content(200_000));
    let rearranged = peer.must(
        &["rearrange", "--sk", "ours.sec", "--range", "10-70000"],
        &file,
    );
    let error = opened(&rearranged).unwrap_err();
    assert!(matches!(error, Crypt4ghError::EditList), "{error}");
    let other = peer.must(&to_us, b"another content");
    let mut both = file[..124].to_vec();
    both[12] = 2;
    both.extend_from_slice(&other[16..124]);
    both.extend_from_slice(&file[124..]);
    let theirs = peer.must(&["decrypt", "--sk", "ours.sec"], &both);
    assert!(theirs == content(200_000), "the tool tries every key");
    let error = opened(&both).unwrap_err();
    assert!(matches!(error, Crypt4ghError::TwoDataKeys), "{error}");
    let swapped = [
        &file[..124],
        &file[124 + 65_564..124 + 2 * 65_564],
        &file[124..124 + 65_564],
        &file[124 + 2 * 65_564..],
    ]
    .concat();
    let theirs = peer.must(&["decrypt", "--sk", "ours.sec"], &swapped);
    assert_eq!(theirs.len(), 200_000, "the tool does not notice a swap");
    let ours = opened(&swapped).unwrap().1;
    assert_ne!(
        ours.plaintext,
        medibloc_record::Digest::of(&content(200_000)),
        "but the hash tells it"
    );
}

#[test]
fn the_tool_refuses_our_file_for_another_reader_and_a_flipped_byte() {
    let Some(peer) = Peer::find("must-fail") else {
        return;
    };
    let (mut file, mut entropy) = (Vec::new(), SeededEntropy::new(2));
    let ours = [secret().public().into()];
    encrypt(&mut &b"x"[..], &ours, &mut entropy, &mut file).unwrap();
    let path = peer.path("file");
    fs::write(&path, &file).unwrap();
    assert!(
        !peer
            .run(&["decrypt", "--sk", "theirs.sec"], &path)
            .status
            .success()
    );
    assert!(
        peer.run(&["decrypt", "--sk", "ours.sec"], &path)
            .status
            .success()
    );
    for at in [0, 20, 60, 100, 130, file.len() - 1] {
        let mut bad = file.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let output = peer.run(&["decrypt", "--sk", "ours.sec"], &path);
        assert!(
            !output.status.success() || output.stdout != b"x",
            "byte {at}"
        );
        assert!(opened(&bad).is_err(), "byte {at}");
    }
}
