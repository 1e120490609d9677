//! The program itself: homes, passphrases and phrases, what is refused and with which exit code. No chain is needed.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        // Nobody listens on port 9 (discard).
        let address = |n: u8| format!("0x{}", hex::encode([n; 20]));
        let deployment = json!({
            "version": 1, "chain_id": 31337, "rpc_urls": ["http://127.0.0.1:9"], "node_urls": ["http://127.0.0.1:9"],
            "contracts": {
                "authority": address(1), "forwarder": address(2), "accounts": address(3), "records": address(4),
                "consent": address(5), "receipts": address(6), "keepers": address(7),
            },
            "deployment_block": 1, "finality_depth": 0, "authority": address(8), "local": true,
        });
        place.write("deployment.json", &deployment.to_string());
        place.write("passphrase", "correct horse\n");
        place.write("other", "battery staple\n");
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, home: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_medibloc"));
        command.env_clear().current_dir(self.folder.path());
        command.args(["--home", home]);
        command
    }

    fn run(&self, home: &str, passphrase: &str, words: &[&str]) -> Output {
        self.command(home)
            .args(["--json", "--passphrase-file", passphrase])
            .args(words)
            .output()
            .unwrap()
    }

    fn say(&self, home: &str, words: &[&str]) -> Value {
        let output = self.run(home, "passphrase", words);
        assert!(
            output.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Exit code and message of what is refused; nothing on standard output.
    fn refused(&self, home: &str, passphrase: &str, words: &[&str]) -> (i32, String) {
        let output = self.run(home, passphrase, words);
        assert!(output.stdout.is_empty(), "{words:?}");
        let error: Value = serde_json::from_slice(&output.stderr).unwrap();
        let code = output.status.code().unwrap();
        assert_eq!(error["error"]["code"], code);
        (code, error["error"]["message"].as_str().unwrap().to_owned())
    }

    /// A home whose restore found no chain: nothing is listed, and that this is not all is said.
    fn is_unfinished(&self, home: &str) {
        let output = self.run(home, "passphrase", &["record", "list"]);
        assert_eq!(output.status.code(), Some(9), "{home}");
        let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(listed, json!([]), "{home}");
    }

    fn init(&self, home: &str) -> String {
        let made = self.say(home, &["init", "--deployment", "deployment.json"]);
        made["phrase"].as_str().unwrap().to_owned()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_home_is_private_and_opens_with_its_passphrase_alone() {
    let place = Place::new();
    let phrase = place.init("home");
    assert_eq!(phrase.split_whitespace().count(), 24);
    // What is in the vault needs neither chain nor node.
    assert_eq!(place.say("home", &["record", "list"]), json!([]));
    for file in files(&place.path("home")) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in [phrase.as_str(), "correct horse", &phrase[..20]] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{} holds a secret", file.display());
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", file.display());
        }
    }
    let (code, told) = place.refused("home", "other", &["record", "list"]);
    assert_eq!(code, 6);
    assert!(told.contains("passphrase"), "{told}");
    let (code, told) = place.refused("home", "missing", &["record", "list"]);
    assert_eq!(code, 3);
    assert!(told.contains("missing"), "{told}");
    let (code, told) = place.refused(
        "home",
        "passphrase",
        &["init", "--deployment", "deployment.json"],
    );
    assert_eq!(code, 1);
    assert!(told.contains("is a home already"), "{told}");
    let (code, told) = place.refused("nowhere", "passphrase", &["record", "list"]);
    assert_eq!(code, 1);
    assert!(told.contains("medibloc init"), "{told}");
}

#[test]
fn foreign_deployment_files_are_named_and_make_no_home() {
    let place = Place::new();
    let whole = std::fs::read_to_string(place.path("deployment.json")).unwrap();
    for text in [
        "",
        "<xml/>",
        &whole[..whole.len() / 2],
        &whole.replace("\"version\":1", "\"version\":9"),
    ] {
        place.write("foreign.json", text);
        let (code, told) = place.refused(
            "home",
            "passphrase",
            &["init", "--deployment", "foreign.json"],
        );
        assert_eq!(code, 3, "{told}");
        assert!(!place.path("home").exists());
    }
    assert_eq!(
        place
            .refused("home", "passphrase", &["init", "--deployment", "none.json"])
            .0,
        3
    );
}

#[test]
fn a_stopped_chain_or_node_is_said_and_a_restore_goes_on_later() {
    let place = Place::new();
    let phrase = place.init("home");
    for words in [["sync"].as_slice(), &["doctor"], &["contact", "invite"]] {
        let (code, told) = place.refused("home", "passphrase", words);
        assert_eq!(code, 5, "{words:?}: {told}");
        assert!(told.contains("127.0.0.1:9"), "{words:?}: {told}");
    }
    // What the home knows is shown all the same.
    for words in [["status"].as_slice(), &["grant", "list"]] {
        let output = place.run("home", "passphrase", words);
        assert_eq!(output.status.code(), Some(5), "{words:?}");
        let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
        let silent = shown
            .pointer("/chain/silent")
            .or(shown.pointer("/asOf/silent"));
        let silent = silent.and_then(Value::as_str).unwrap();
        assert!(silent.contains("127.0.0.1:9"), "{words:?}: {shown}");
    }
    let restore = [
        "restore",
        "--deployment",
        "deployment.json",
        "--phrase-file",
        "phrase",
    ];
    let words: Vec<&str> = phrase.split_whitespace().collect();
    for wrong in [
        words[..23].join(" "),
        // Known words whose check never fits; a changed phrase fits once in 256 times.
        ["abandon"; 24].join(" "),
        "no phrase at all".into(),
        String::new(),
    ] {
        place.write("phrase", &wrong);
        let (code, told) = place.refused("again", "passphrase", &restore);
        assert_eq!(code, 6, "{told}");
        assert!(
            !told.contains(words[0]) || wrong.is_empty(),
            "an error repeats the phrase: {told}"
        );
        assert!(!place.path("again").exists());
    }
    place.write("phrase", &format!("  {}\n", words.join("\n ")));
    for _ in 0..2 {
        let (code, told) = place.refused("again", "passphrase", &restore);
        assert_eq!(code, 5, "{told}");
        assert!(told.contains("run the same command again"), "{told}");
    }
    // The home of another phrase is not taken over.
    let other = place.init("other-home");
    assert_ne!(other, phrase);
    let (code, told) = place.refused("other-home", "passphrase", &restore);
    assert_eq!(code, 6);
    assert!(told.contains("another phrase"), "{told}");
}

/// What is killed goes on when the same command is given again, whatever was written by then.
#[test]
fn a_home_that_was_broken_off_is_made_by_the_same_command() {
    let place = Place::new();
    let phrase = place.init("home");
    place.write("phrase", &phrase);
    let init = ["init", "--deployment", "deployment.json"];
    let restore = [
        "restore",
        "--deployment",
        "deployment.json",
        "--phrase-file",
        "phrase",
    ];
    let mut broken = 0;
    for (n, file) in [
        "unfinished",
        "vault.db",
        "vault.db-journal",
        "config.toml",
        "key.partial",
        "key",
    ]
    .into_iter()
    .enumerate()
    {
        for (command, words) in [("init", init.as_slice()), ("restore", &restore)] {
            let home = format!("{command}-{n}");
            let mut child = Command::new(env!("CARGO_BIN_EXE_medibloc"))
                .env_clear()
                .current_dir(place.folder.path())
                .args(["--home", &home, "--passphrase-file", "passphrase"])
                .args(words)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            while !place.path(&home).join(file).exists() && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
            }
            let _ = child.kill();
            child.wait().unwrap();
            must_go_on(&place, &home, words, &mut broken);
        }
    }
    assert!(broken > 0, "nothing was broken off");
    // What programs before this one left behind had no mark.
    for (n, mark) in ["unfinished", "vault.db-journal"].into_iter().enumerate() {
        for (command, words) in [("init", init.as_slice()), ("restore", &restore)] {
            let home = format!("{command}-begun-{n}");
            std::fs::create_dir(place.path(&home)).unwrap();
            place.write(&format!("{home}/vault.db"), "half of a first page");
            place.write(&format!("{home}/{mark}"), "");
            must_go_on(&place, &home, words, &mut broken);
        }
    }
    // A vault that lost its key file is nobody's to empty: its phrase alone brings it back.
    std::fs::remove_file(place.path("home").join("key")).unwrap();
    let (code, told) = place.refused("home", "passphrase", &["record", "list"]);
    assert_eq!(code, 1);
    assert!(told.contains("lost its key file"), "{told}");
    let vault = std::fs::read(place.path("home").join("vault.db")).unwrap();
    let (code, told) = place.refused("home", "passphrase", &init);
    assert_eq!(code, 1);
    assert!(told.contains("there is a vault"), "{told}");
    assert_eq!(
        std::fs::read(place.path("home").join("vault.db")).unwrap(),
        vault
    );
    assert_eq!(place.refused("home", "passphrase", &restore).0, 5);
    place.is_unfinished("home");
    println!("ATTACK newcomer-n5: {broken} broken-off homes were made by the same command");
}

/// The same command makes a home of what is there, or says that it is one.
fn must_go_on(place: &Place, home: &str, words: &[&str], broken: &mut usize) {
    if !place.path(home).join("key").exists() {
        *broken += 1;
        let (code, told) = place.refused(home, "passphrase", &["record", "list"]);
        assert_eq!(code, 1, "{told}");
        assert!(
            told.contains("there is no home") || told.contains("was not finished"),
            "{told}"
        );
    }
    let output = place.run(home, "passphrase", words);
    let told = String::from_utf8_lossy(&output.stderr);
    match (words[0], output.status.code()) {
        ("init", Some(0)) | ("restore", Some(5)) => {}
        ("init", Some(1)) => assert!(told.contains("is a home already"), "{home}: {told}"),
        (_, other) => panic!("{home}: {other:?} {told}"),
    }
    match words[0] {
        "restore" => place.is_unfinished(home),
        _ => assert_eq!(place.say(home, &["record", "list"]), json!([])),
    }
    assert!(!place.path(home).join("unfinished").exists());
}

#[test]
fn a_home_without_settings_is_told_and_mended() {
    let place = Place::new();
    let phrase = place.init("home");
    place.write("phrase", &phrase);
    let restore = [
        "restore",
        "--deployment",
        "deployment.json",
        "--phrase-file",
        "phrase",
    ];
    for name in ["config.toml", "deployment.json"] {
        std::fs::remove_file(place.path("home").join(name)).unwrap();
        let (code, told) = place.refused("home", "passphrase", &["record", "list"]);
        assert_eq!(code, 1, "{told}");
        assert!(
            told.contains(name) && told.contains("medibloc restore"),
            "{told}"
        );
        assert!(!told.contains("medibloc init"), "{told}");
        assert_eq!(place.refused("home", "passphrase", &restore).0, 5);
        place.is_unfinished("home");
    }
}

/// Somebody else's home is there, and not theirs to read.
#[cfg(unix)]
#[test]
fn a_home_of_another_user_is_not_said_to_be_missing() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    use std::os::unix::process::CommandExt as _;
    let place = Place::new();
    place.init("home");
    let home = place.path("home");
    let mut command = Command::new(env!("CARGO_BIN_EXE_medibloc"));
    command
        .env_clear()
        .current_dir("/")
        .arg("--home")
        .arg(&home)
        .arg("status");
    if std::fs::metadata(&home).unwrap().uid() == 0 {
        // Rights stop everybody but root: be nobody.
        command.uid(65_534).gid(65_534);
    } else {
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o000)).unwrap();
    }
    let output = match command.output() {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            println!("SKIPPED other-user/home: nobody may not run this program");
            return;
        }
        output => output.unwrap(),
    };
    std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("ermission denied"), "{told}");
    assert!(!told.contains("medibloc init"), "{told}");
}

#[test]
fn a_wrong_command_line_and_damaged_homes_are_said() {
    let place = Place::new();
    let phrase = place.init("home");
    place.say("home", &["record", "list"]);
    for words in [
        ["grant", "create", "--to", "x"].as_slice(),
        &["grant", "create", "--to", "x", "--write", "--all"],
        &[
            "grant", "create", "--to", "x", "--record", "1", "--class", "2",
        ],
        &["grant", "revoke"],
        &["record", "import", "x", "--class", "64"],
        &["fly"],
    ] {
        let output = place.run("home", "passphrase", words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
    }
    let config = place.path("home").join("config.toml");
    let settings = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{settings}colour = \"red\"\n")).unwrap();
    let (code, told) = place.refused("home", "passphrase", &["record", "list"]);
    assert_eq!(code, 1);
    assert!(told.contains("colour"), "{told}");
    std::fs::write(&config, settings).unwrap();
    let vault = place.path("home").join("vault.db");
    let whole = std::fs::read(&vault).unwrap();
    let mut changed = whole.clone();
    changed[200] ^= 1;
    // A first page that is damaged is no question of passphrases; a vault that is cut, empty or gone is never made anew,
    // for a fresh one would hand out old addresses again.
    for (bytes, hint) in [
        (Some(changed.as_slice()), "damaged"),
        (Some(&whole[..whole.len() / 2]), "damaged"),
        (Some(&[]), "gone or empty"),
        (None, "gone or empty"),
    ] {
        match bytes {
            Some(bytes) => std::fs::write(&vault, bytes).unwrap(),
            None => std::fs::remove_file(&vault).unwrap(),
        }
        for words in [
            ["record", "list"].as_slice(),
            &["grant", "revoke", "--everything"],
            &["contact", "invite"],
        ] {
            let (code, told) = place.refused("home", "passphrase", words);
            assert_eq!(code, 1, "{told}");
            assert!(told.contains(hint), "{told}");
            assert!(told.contains("medibloc restore"), "{told}");
            assert_eq!(std::fs::read(&vault).ok().as_deref(), bytes);
        }
    }
    println!("ATTACK field-vault-gone: refused by every command, nothing made in its place");
    // The phrase makes it anew in the same home; there is no chain here, so that it goes on later.
    place.write("phrase", &phrase);
    let restore = [
        "restore",
        "--deployment",
        "deployment.json",
        "--phrase-file",
        "phrase",
    ];
    assert_eq!(place.refused("home", "passphrase", &restore).0, 5);
    place.is_unfinished("home");
}

#[test]
fn a_document_is_converted_and_inspected_without_an_account() {
    let place = Place::new();
    let document =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata/cda/consultation_note.xml");
    let document = document.to_str().unwrap();
    let bundle = place.say(
        "nowhere",
        &[
            "convert",
            document,
            "--to",
            "fhir",
            "--report",
            "report.json",
        ],
    );
    assert_eq!(bundle["resourceType"], "Bundle");
    let report: Value =
        serde_json::from_slice(&std::fs::read(place.path("report.json")).unwrap()).unwrap();
    let seen = place.say("nowhere", &["inspect", document]);
    let sum = |outcome: &str| -> u64 {
        let sections = seen["sections"].as_object().unwrap().values();
        sections.map(|row| row[outcome].as_u64().unwrap()).sum()
    };
    for outcome in ["converted", "keptAsNarrative", "lost"] {
        assert_eq!(seen["facts"][outcome], sum(outcome), "{outcome}");
    }
    let all = sum("converted") + sum("keptAsNarrative") + sum("lost");
    assert_eq!(report["issue"].as_array().unwrap().len() as u64, all);
    place.write("foreign.pdf", "%PDF-1.7");
    let (code, told) = place.refused(
        "nowhere",
        "none",
        &["convert", "foreign.pdf", "--to", "fhir"],
    );
    assert_eq!(code, 3);
    assert!(told.contains("foreign.pdf"), "{told}");
}

/// Many documents and folders: in order, each by itself, into files whose names come from theirs.
#[test]
fn many_documents_are_converted_into_a_folder() {
    let place = Place::new();
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../testdata");
    let copy = |from: &str, to: &str| {
        let to = place.path(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(testdata.join(from), to).unwrap();
    };
    copy("cda/consultation_note.xml", "in/b/note.xml");
    copy("fhir/patient-example.r4.xml", "in/a.xml");
    copy("fhir/patient-example.r4.json", "in/a.json");
    copy("fhir/patient-example.r4.json", "in/no-ending");
    place.write(
        "in/b/cut.xml",
        "<ClinicalDocument xmlns=\"urn:hl7-org:v3\">",
    );
    place.write("in/read.me", "words");
    #[cfg(unix)]
    std::os::unix::fs::symlink("..", place.path("in/b/loop")).unwrap();
    let words = |out: &'static str, to: &'static str| {
        [
            "convert",
            "in",
            "--to",
            to,
            "--out",
            out,
            "--report",
            "in/reports",
        ]
    };
    let run = |words: &[&str]| {
        let output = place.command("nowhere").arg("--json").args(words).output();
        let output = output.unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (code, told) = run(&words("in/out", "fhir"));
    assert_eq!(code, Some(3), "{told}");
    let to: Vec<_> = told["converted"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["to"].as_str().unwrap())
        .collect();
    let at = |name: &str| format!("in/out/{name}.fhir.json");
    assert_eq!(to, ["a.json", "a.xml", "b/note.xml", "no-ending"].map(at));
    assert_eq!(told["notConverted"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["notConverted"][0]["from"], "in/b/cut.xml");
    assert_eq!(told["leftOut"], if cfg!(unix) { 2 } else { 1 });
    let file = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(place.path(name)).unwrap()).unwrap()
    };
    assert_eq!(
        file("in/out/b/note.xml.fhir.json")["resourceType"],
        "Bundle"
    );
    assert_eq!(
        file("in/reports/b/note.xml.report.json")["resourceType"],
        "OperationOutcome"
    );
    // What stands in the folders that are written is not read, and the same comes out.
    for name in ["a.json", "a.xml", "b/note.xml", "no-ending"] {
        for (folder, ending) in [("out", "fhir.json"), ("reports", "report.json")] {
            let written = place.path(&format!("in/{folder}/{name}.{ending}"));
            std::fs::rename(&written, written.with_extension("before.json")).unwrap();
        }
    }
    let (_, again) = run(&words("in/out", "fhir"));
    assert_eq!(again, told);
    // As XML, by standard input, and back.
    let (code, told) = run(&[
        "convert",
        "in/a.json",
        "in/a.xml",
        "--to",
        "fhir-xml",
        "--out",
        "xml",
    ]);
    assert_eq!(
        (code, told["converted"].as_array().unwrap().len()),
        (Some(0), 2),
        "{told}"
    );
    let input = std::fs::File::open(place.path("xml/a.json.fhir.xml")).unwrap();
    let output = place
        .command("nowhere")
        .args(["convert", "-", "--to", "fhir"])
        .stdin(input)
        .output()
        .unwrap();
    assert!(output.status.success());
    let back: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(back, file("in/out/a.json.fhir.json"));
    // `inspect` reads it as well.
    let inspect = |name: &str| {
        let input = std::fs::File::open(place.path("in/a.json")).unwrap();
        let mut inspect = place.command("nowhere");
        inspect.args(["--json", "inspect", name]).stdin(input);
        inspect.output().unwrap()
    };
    let (input, named) = (inspect("-"), inspect("in/a.json"));
    assert!(input.status.success(), "{input:?}");
    assert_eq!(input.stdout, named.stdout);
    // Two of one name, and many without a folder.
    let (code, told) = run(&[
        "convert",
        "in/a.json",
        "in/a.json",
        "--to",
        "fhir",
        "--out",
        "xml",
    ]);
    assert_eq!(
        (code, told["converted"].as_array().unwrap().len()),
        (Some(1), 1),
        "{told}"
    );
    for words in [
        ["convert", "in", "--to", "fhir"].as_slice(),
        &["convert", "in/a.json", "in/a.xml", "--to", "fhir"],
    ] {
        let (code, told) = place.refused("nowhere", "none", words);
        assert_eq!(code, 2);
        assert!(told.contains("--out DIR"), "{told}");
    }
}

/// Signs that turn a line are of the document: a pipe gets them, a terminal does not.
#[test]
fn a_pipe_gets_every_sign_of_a_document() {
    let place = Place::new();
    place.write(
        "p.json",
        "{\"resourceType\":\"Basic\",\"language\":\"\u{200f}\u{202e}a\"}",
    );
    for to in ["fhir", "fhir-xml"] {
        let output = place
            .command("nowhere")
            .args(["convert", "p.json", "--to", to])
            .output()
            .unwrap();
        assert!(output.status.success());
        assert!(output.stderr.is_empty());
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("\u{200f}\u{202e}a"), "{to}: {text}");
    }
}

/// What is no document of a kind that is read: one answer in every command, which names what it is and what is read.
#[test]
fn other_kinds_of_files_are_named_alike_by_every_command() {
    let place = Place::new();
    place.init("home");
    let mut dicom = vec![0; 128];
    dicom.extend(b"DICM\x02\x00");
    for (name, bytes, told) in [
        (
            "foo.json",
            b"{\"resourceType\":\"Foo\",\"a\":1}".as_slice(),
            "neither FHIR R4 nor R5 has a resource of this type",
        ),
        ("empty", b"", "it is empty"),
        ("blank", b"\xef\xbb\xbf \n", "it is empty"),
        ("image.dcm", &dicom, "a DICOM image"),
        ("lab.hl7", b"MSH|^~\\&|LAB|\rPID|\xb5", "an HL7 v2 message"),
        (
            "a.vcf",
            b"##fileformat=VCFv4.2\n#CHROM\tPOS\n",
            "it is neither XML nor JSON",
        ),
        ("a.pdf", b"%PDF-1.7\xb5", "a PDF"),
        ("a.docx", b"PK\x03\x04\xff", "a ZIP archive"),
        ("a.jpg", b"\xff\xd8\xff\xe0", "a picture"),
    ] {
        std::fs::write(place.path(name), bytes).unwrap();
        let mut said = Vec::new();
        for words in [
            ["inspect", name].as_slice(),
            &["convert", name, "--to", "fhir"],
            &["record", "import", name],
        ] {
            let (code, message) = place.refused("home", "passphrase", words);
            assert_eq!(code, 3, "{words:?}: {message}");
            assert!(message.contains(told), "{words:?}: {message}");
            assert!(!message.contains("UTF-8"), "{words:?}: {message}");
            said.push(message.split_once(": ").unwrap().1.to_owned());
        }
        assert!(said.iter().all(|message| *message == said[0]), "{said:?}");
    }
    // Nobody writes into a pipe: it is refused, not waited for.
    #[cfg(unix)]
    {
        let made = Command::new("mkfifo").arg(place.path("pipe")).status();
        assert!(made.unwrap().success());
        let (code, message) = place.refused("home", "passphrase", &["inspect", "pipe"]);
        assert_eq!(code, 3);
        assert!(message.contains("it is no file"), "{message}");
    }
}

/// A `serve` that was killed, and somebody who takes its door: the lock is free, so that nobody at a door is asked.
#[cfg(unix)]
#[test]
fn a_killed_serve_leaves_a_home_that_its_owner_uses() {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::os::unix::net::UnixListener;
    let place = Place::new();
    place.init("home");
    let mut serving = Command::new(env!("CARGO_BIN_EXE_medibloc"))
        .env_clear()
        .current_dir(place.folder.path())
        .args(["--home", "home", "--passphrase-file", "passphrase", "serve"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stderr.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("listening"));
    // It answers others: no passphrase is needed, for the vault is not opened.
    let listed = place.run("home", "missing", &["record", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    // From another folder, too, though `serve` was told a relative home.
    let elsewhere = Command::new(env!("CARGO_BIN_EXE_medibloc"))
        .env_clear()
        .current_dir("/")
        .args(["--json", "--passphrase-file", "missing", "--home"])
        .arg(place.path("home"))
        .args(["record", "list"])
        .output()
        .unwrap();
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(elsewhere.status.success(), "{elsewhere:?}");
    let socket = place.path("home").join("door.sock");
    assert!(socket.exists() && place.path("home").join("daemon.json").exists());
    std::fs::remove_file(&socket).unwrap();
    let forger = UnixListener::bind(&socket).unwrap();
    forger.set_nonblocking(true).unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(place.say("home", &["record", "list"]), json!([]));
    assert!(forger.accept().is_err(), "nobody came to the forger");
    println!(
        "ATTACK field-daemon: own vault in {:.1} s, the forger was not asked",
        begun.elapsed().as_secs_f64()
    );
    // While another process holds the vault, a forger is asked but told nothing.
    forger.set_nonblocking(false).unwrap();
    let lock = medibloc_vault::VaultLock::take(&place.path("home")).unwrap();
    let seen = std::thread::spawn(move || {
        let (mut stream, _) = forger.accept().unwrap();
        drop(forger);
        let mut told = vec![0; 40];
        stream.read_exact(&mut told).unwrap();
        std::io::Write::write_all(&mut stream, &[7; 64]).unwrap();
        let _ = stream.read_to_end(&mut told);
        told
    });
    let (code, told) = place.refused("home", "passphrase", &["--wait", "1", "record", "list"]);
    assert_eq!(code, 8, "{told}");
    assert!(
        told.contains(&format!("({})", std::process::id())),
        "{told}"
    );
    assert_eq!(seen.join().unwrap().len(), 40);
    drop(lock);
}

#[test]
fn parallel_commands_wait_for_each_other() {
    let place = Place::new();
    place.init("home");
    let begun = std::time::Instant::now();
    std::thread::scope(|scope| {
        let commands: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| place.say("home", &["record", "list"])))
            .collect();
        for command in commands {
            assert_eq!(command.join().unwrap(), json!([]));
        }
    });
    println!(
        "ATTACK newcomer-22: 6 of 6 parallel commands done in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}

/// What people and their editors write.
#[test]
fn marks_and_habits_of_people_are_taken() {
    let place = Place::new();
    let phrase = place.init("home");
    // A byte order mark is no part of a passphrase, and alone it is none.
    place.write("marked", "\u{feff}correct horse\r\n");
    let listed = place.run("home", "marked", &["record", "list"]);
    assert!(listed.status.success(), "{listed:?}");
    place.write("mark", "\u{feff}\n");
    let init = ["init", "--deployment", "deployment.json"];
    let (code, told) = place.refused("unmade", "mark", &init);
    assert_eq!(code, 6, "{told}");
    assert!(told.contains("empty"), "{told}");
    assert!(!place.path("unmade").join("key").exists());
    place.write("a", "a\n");
    let made = place.run("weak", "a", &init);
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(made["hint"].as_str().unwrap().contains("short"), "{made}");
    assert!(made["next"].as_str().unwrap().contains("contact invite"));
    let numbered: String = phrase
        .split(' ')
        .zip(1..)
        .map(|(word, number)| format!("{number}. {}\n", word.to_uppercase()))
        .collect();
    place.write("phrase", &format!("\u{feff}{numbered}"));
    let restore = [
        "restore",
        "--deployment",
        "deployment.json",
        "--phrase-file",
        "phrase",
    ];
    let (code, told) = place.refused("again", "passphrase", &restore);
    assert_eq!(
        code, 5,
        "the phrase is taken, the chain is not there: {told}"
    );
    println!("ATTACK field-phrase: mark, numbers and capitals taken; a mark alone makes no home");
}

#[test]
fn a_wrong_command_line_is_json_and_a_missing_home_needs_no_passphrase() {
    let place = Place::new();
    let (code, told) = place.refused("home", "passphrase", &["grant", "revoke"]);
    assert_eq!(code, 2);
    for part in ["Usage", "GRANT", "--contact", "--everything"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    for words in [["status"].as_slice(), &["sync"], &["serve"]] {
        let (code, told) = place.refused("nowhere", "no-such-file", words);
        assert_eq!(code, 1, "{told}");
        assert!(told.contains("there is no home"), "{told}");
    }
}
