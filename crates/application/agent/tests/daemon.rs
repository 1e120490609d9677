//! The door of `serve`: who may ask, and what comes of everything else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use medibloc_agent::answer::code;
use medibloc_agent::daemon::{self, Asked, Serving};
use medibloc_agent::home::Home;
use medibloc_agent::{Answer, Command, Problem};
use medibloc_journey::memory::World;
use medibloc_journey::{Clock, Party};
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::{Draft, LossReport, Role, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

struct Running {
    home: Home,
    _folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

impl Running {
    fn door(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.home.daemon()).unwrap()).unwrap()
    }

    fn socket(&self) -> PathBuf {
        self.door()["socket"].as_str().unwrap().into()
    }

    async fn stop(self) -> Home {
        self.stop.send(()).unwrap();
        self.done.await.unwrap();
        self.home
    }
}

async fn serve(below: &str, port: Option<u16>) -> Running {
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let world = World::new(90);
    let party = Party::new(phrase.seed(), Role::Person, world.ports());
    serve_for(party, below, port).await
}

async fn serve_for(party: Party, below: &str, port: Option<u16>) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(below);
    std::fs::create_dir_all(&path).unwrap();
    let home = Home::at(path);
    let (stop, stopped) = oneshot::channel::<()>();
    let (told, mut tells) = mpsc::unbounded_channel::<String>();
    let at = home.clone();
    let done = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        let tell = move |text: &str| {
            let _ = told.send(text.to_owned());
        };
        let serving = Serving::every(Duration::from_secs(3600)).with_port(port);
        daemon::serve(&at, party, None, serving, stop, tell)
            .await
            .unwrap();
    });
    tells.recv().await.unwrap();
    Running {
        home,
        _folder: folder,
        stop,
        done,
    }
}

fn answered(asked: Asked) -> Result<Answer, Problem> {
    match asked {
        Asked::Done(answer) => answer,
        other => panic!("{other:?}"),
    }
}

async fn is_alive(home: &Home) -> Duration {
    let begun = Instant::now();
    let answer = answered(daemon::ask(home, &Command::Status).await).unwrap();
    assert_eq!(answer.value["records"]["accepted"], 0);
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_of_the_home_is_answered_until_it_stops() {
    let running = serve("home", None).await;
    is_alive(&running.home).await;
    let words = r#"{"record": {"show": {"record": "0xff"}}}"#;
    let command: Command = serde_json::from_str(words).unwrap();
    let refused = answered(daemon::ask(&running.home, &command).await);
    assert_eq!(refused.unwrap_err().code, code::UNKNOWN);
    for file in [running.home.daemon(), running.socket()] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    assert_eq!(
        running.door()["port"],
        Value::Null,
        "no port unless one is asked for"
    );
    let (door, socket) = (
        std::fs::read(running.home.daemon()).unwrap(),
        running.socket(),
    );
    let long: Command = serde_json::from_value(serde_json::json!({
        "record": {"show": {"record": "x".repeat(100_000)}}
    }))
    .unwrap();
    let told = answered(daemon::ask(&running.home, &long).await).unwrap_err();
    assert!(told.message.contains("make it shorter"), "{told}");
    let home = running.stop.send(()).map(|()| running.home).unwrap();
    running.done.await.unwrap();
    assert!(!home.daemon().exists() && !socket.exists());
    assert!(matches!(
        daemon::ask(&home, &Command::Status).await,
        Asked::Nobody
    ));
    // What a killed one leaves behind leads to nobody.
    std::fs::write(home.daemon(), door).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    assert!(matches!(
        daemon::ask(&home, &Command::Status).await,
        Asked::Nobody
    ));
}

/// The world's clock, by which waiting takes its time.
struct Slow(Arc<dyn Clock>);

#[async_trait::async_trait]
impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn wait(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A keeper that was down when a record was erased, and never answers now: every sync asks for its statement.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_back_waits_for_no_sync() {
    let world = World::new(91);
    let phrase = Phrase::generate(&mut SeededEntropy::new(2), Language::English);
    let mut ports = world.ports();
    ports.clock = Arc::new(Slow(ports.clock));
    let party = Party::new(phrase.seed(), Role::Person, ports);
    let bundle = serde_json::json!({"resourceType": "Bundle", "type": "document"});
    let loss = LossReport::default();
    let draft = Draft::new("application/cda+xml", b"<one/>".to_vec(), bundle, loss);
    let record = party.write_own(draft).await.unwrap().record;
    assert_eq!(party.sync().await.unwrap().accepted, [record]);
    world.set_down(7, true);
    assert_eq!(party.erase(record).await.unwrap(), 6);
    world.set_down(7, false);
    world.silent().add_keeper(7);
    let running = serve_for(party, "home", None).await;
    world.silent().until_asked(1).await;
    let revoke = r#"{"grant": {"revoke": {"grant": null, "contact": null, "everything": true}}}"#;
    let revoke: Command = serde_json::from_str(revoke).unwrap();
    answered(daemon::ask(&running.home, &revoke).await).unwrap();
    // The sync was still waiting then: had it ended by itself, the keeper would be known as silent and not be asked again.
    tokio::select! {
        () = world.silent().until_asked(2) => {}
        told = daemon::ask(&running.home, &Command::Sync) => {
            panic!("what takes back waited until the keeper's time was over: {told:?}")
        }
    }
    running.stop().await;
}

/// A socket's path has about 100 bytes; a home's may have more.
#[tokio::test(flavor = "multi_thread")]
async fn a_home_with_a_long_path_has_a_door_beside_it() {
    let running = serve(&"a-long-name/".repeat(12), None).await;
    let socket = running.socket();
    assert!(!socket.starts_with(running.home.path()));
    let folder = socket.parent().unwrap().to_owned();
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    is_alive(&running.home).await;
    running.stop().await;
    assert!(!folder.exists());
}

/// Who comes without the token, with too much, too slowly, or too often, gets nothing and stops nobody.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_the_socket_get_nothing_and_stop_nobody() {
    let running = serve("home", None).await;
    let socket = running.socket();
    let hello = [b"mbdoor/1".as_slice(), &[1; 32]].concat();
    let frame = |length: u32, body: &[u8]| [&length.to_be_bytes(), body].concat();
    let status = [&[0; 32][..], br#""status""#].concat();
    let forged = [hello.clone(), frame(40, &status)].concat();
    let huge = [hello.clone(), frame(u32::MAX, &[7; 100_000])].concat();
    for (sent, most) in [
        (
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n-------".to_vec(),
            0,
        ),
        (forged, 64),
        (huge, 64),
        ([hello.clone(), frame(3, b"abc")].concat(), 64),
    ] {
        let mut stream = UnixStream::connect(&socket).await.unwrap();
        let _ = stream.write_all(&sent).await;
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got).await;
        assert_eq!(got.len(), most, "only the greeting is answered");
    }
    // As many as want to, without a word: all places are taken until their time is over.
    let begun = Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..300 {
        crowd.push(UnixStream::connect(&socket).await.unwrap());
    }
    let mut ends = tokio::task::JoinSet::new();
    for mut stream in crowd {
        ends.spawn(async move { stream.read_to_end(&mut Vec::new()).await.unwrap_or(0) });
    }
    while let Some(end) = ends.join_next().await {
        assert_eq!(end.unwrap(), 0);
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
    let took = is_alive(&running.home).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    println!(
        "ATTACK field-daemon-crowd: 300 silent connections gone in {:.1} s, then an answer in {:.2} s",
        begun.elapsed().as_secs_f64(),
        took.as_secs_f64()
    );
    running.stop().await;
}

/// Takes the door of a dead `serve` and answers as `behave` says; gives all that it was told.
async fn ask_a_forger(behave: &'static [u8], echo: bool) -> (Asked, Vec<u8>, Duration) {
    let running = serve("home", None).await;
    let (door, socket) = (
        std::fs::read(running.home.daemon()).unwrap(),
        running.socket(),
    );
    let folder = running._folder;
    running.stop.send(()).unwrap();
    running.done.await.unwrap();
    std::fs::write(running.home.daemon(), door).unwrap();
    let listener = UnixListener::bind(&socket).unwrap();
    let forger = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut told = vec![0; 40];
        stream.read_exact(&mut told).await.unwrap();
        if echo {
            let _ = stream.write_all(&[&told[8..], &told[8..]].concat()).await;
        }
        let _ = stream.write_all(behave).await;
        let _ = stream.read_to_end(&mut told).await;
        told
    });
    let command = serde_json::from_value(serde_json::json!({
        "request": {"create": {"owner": "0xff", "reason": "a reason that is nobody else's", "days": null}}
    }));
    let begun = Instant::now();
    let asked = daemon::ask(&running.home, &command.unwrap_or(Command::Sync)).await;
    let took = begun.elapsed();
    let told = forger.await.unwrap();
    drop(folder);
    (asked, told, took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forger_at_the_door_is_told_nothing_and_not_believed() {
    let mut slowest = Duration::ZERO;
    for (behave, echo) in [
        (b"".as_slice(), false),
        (&[0; 64], false),
        (
            br#"{"Ok":{"value":{},"text":"done"}}{"Ok":{"value":{},"text":"done"}}"#,
            false,
        ),
        (b"", true),
    ] {
        let (asked, told, took) = ask_a_forger(behave, echo).await;
        assert!(matches!(asked, Asked::Stranger(_)), "{asked:?}");
        assert_eq!(told.len(), 40, "only the greeting was sent");
        assert!(took < Duration::from_secs(8), "{took:?}");
        slowest = slowest.max(took);
    }
    println!(
        "ATTACK security-12: 4 forgers at the socket: 0 commands told, 0 answers believed, at most {:.1} s",
        slowest.as_secs_f64()
    );
}

const CHILD: &str = "MEDIBLOC_DOOR_SOCKET";

/// The child of the test below, as another user.
#[tokio::test]
async fn other_user_child() {
    let Ok(socket) = std::env::var(CHILD) else {
        return;
    };
    let mut stream = UnixStream::connect(socket).await.unwrap();
    let _ = stream
        .write_all(&[b"mbdoor/1".as_slice(), &[1; 32]].concat())
        .await;
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got).await;
    println!("got {} bytes", got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_user_is_sent_away_even_where_the_folder_is_open() {
    use std::os::unix::process::CommandExt as _;
    let running = serve("home", None).await;
    let socket = running.socket();
    let open = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let child = |name: &str| {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(CHILD, &socket)
            .current_dir("/")
            .uid(65534)
            .gid(65534)
            .output()
    };
    open(running._folder.path(), 0o755);
    open(running.home.path(), 0o755);
    open(&socket, 0o666);
    match child("other_user_child") {
        Ok(output) if output.status.success() => {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(told.contains("got 0 bytes"), "{told}");
        }
        other => println!(
            "SKIPPED other-user/door: this test cannot start a process of another user: {other:?}"
        ),
    }
    is_alive(&running.home).await;
    running.stop().await;
}

/// The port of a web face: the token never travels, and both sides prove that they know it.
#[tokio::test(flavor = "multi_thread")]
async fn the_port_answers_only_who_proves_the_token() {
    use hmac::{Hmac, KeyInit as _, Mac as _};
    let running = serve("home", Some(0)).await;
    let door = running.door();
    let port = door["port"].as_u64().unwrap();
    let token = hex::decode(door["token"].as_str().unwrap()).unwrap();
    let host = format!("127.0.0.1:{port}");
    medibloc_transport::install_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = |path: &str, headers: &[(&str, String)], body: String| {
        let mut request = client
            .post(format!("http://{host}{path}"))
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        async move {
            let answer = request.send().await.unwrap();
            let proof = answer.headers().get("medibloc-proof").cloned();
            (
                answer.status().as_u16(),
                proof,
                answer.bytes().await.unwrap(),
            )
        }
    };
    let mine = [9u8; 32];
    let prove = |claim: &str, server: &[u8], said: &[u8]| {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(&token).unwrap();
        for part in [
            format!("medibloc door 1 {claim}").as_bytes(),
            &mine,
            server,
            said,
        ] {
            mac.update(part);
        }
        hex::encode(mac.finalize().into_bytes())
    };
    let greet = || async {
        let body = format!(r#"{{"nonce":"{}"}}"#, hex::encode(mine));
        let (status, _, text) = post("/v1/hello", &[], body).await;
        assert_eq!(status, 200);
        let told: Value = serde_json::from_slice(&text).unwrap();
        let server = hex::decode(told["nonce"].as_str().unwrap()).unwrap();
        assert_eq!(
            told["proof"],
            prove("server", &server, b""),
            "it proves itself first"
        );
        server
    };
    let status = r#""status""#.to_owned();
    let server = greet().await;
    let right = |server: &[u8], body: &str| {
        vec![
            ("medibloc-nonce", hex::encode(server)),
            ("medibloc-proof", prove("command", server, body.as_bytes())),
        ]
    };
    let known = right(&server, &status);
    let (code, proof, text) = post("/v1/run", &known, status.clone()).await;
    assert_eq!(code, 200);
    assert_eq!(proof.unwrap(), prove("answer", &server, &text).as_str());
    assert_eq!(
        post("/v1/run", &known, status.clone()).await.0,
        401,
        "once only"
    );
    let server = greet().await;
    let plain = door["token"].as_str().unwrap();
    for (headers, body) in [
        (vec![], status.clone()),
        (
            vec![("authorization", format!("Bearer {plain}"))],
            status.clone(),
        ),
        (right(&server, r#""sync""#), status.clone()),
        (right(&[3; 32], &status), status.clone()),
        (
            vec![
                ("medibloc-nonce", hex::encode(&server)),
                ("medibloc-proof", "0".repeat(64)),
            ],
            status.clone(),
        ),
        (
            [
                right(&server, &status),
                vec![("origin", "http://evil.example".into())],
            ]
            .concat(),
            status.clone(),
        ),
        (
            [right(&server, &status), vec![("origin", "null".into())]].concat(),
            status.clone(),
        ),
        (
            [right(&server, &status), vec![("host", "localhost".into())]].concat(),
            status.clone(),
        ),
        (
            [
                right(&server, &status),
                vec![("host", format!("medibloc.example:{port}"))],
            ]
            .concat(),
            status.clone(),
        ),
    ] {
        let (code, _, text) = post("/v1/run", &headers, body).await;
        assert_eq!(code, 401, "{headers:?}");
        assert!(!String::from_utf8_lossy(&text).contains(plain));
    }
    let is_told = |text: &[u8]| {
        let told: Value = serde_json::from_slice(text).unwrap();
        told["Err"]["message"].is_string()
    };
    let (code, _, text) = post("/v1/run", &[], "x".repeat(100_000)).await;
    assert!(code == 413 && is_told(&text));
    for body in ["{", r#"{"nonce":"1"}"#, r#"{"nonce":"1","more":2}"#] {
        let (code, _, text) = post("/v1/hello", &[], body.into()).await;
        assert!((400..500).contains(&code) && is_told(&text), "{body}");
    }
    let untyped = client.post(format!("http://{host}/v1/hello")).body("{}");
    let answer = untyped.send().await.unwrap();
    assert_eq!(answer.status(), 415);
    assert!(is_told(&answer.bytes().await.unwrap()));
    for path in ["/", "/v1/run/../../key", "/v1/key"] {
        assert!(
            (400..500).contains(&post(path, &[], String::new()).await.0),
            "{path}"
        );
    }
    // Greetings that nobody follows up are forgotten, oldest first.
    for _ in 0..100 {
        greet().await;
    }
    let known = right(&greet().await, &status);
    assert_eq!(post("/v1/run", &known, status).await.0, 200);
    running.stop().await;
}

/// Connections that say nothing, or not all, hold the port for their time and no longer.
#[tokio::test(flavor = "multi_thread")]
async fn the_port_is_held_by_nobody_who_says_nothing() {
    let running = serve("home", Some(0)).await;
    let port = u16::try_from(running.door()["port"].as_u64().unwrap()).unwrap();
    let connect = || tokio::net::TcpStream::connect(("127.0.0.1", port));
    let begin = format!(
        "POST /v1/hello HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n"
    );
    // Silent, with half a head, with a head and half a body.
    let mut slow = Vec::new();
    for number in 0..64 {
        let mut stream = connect().await.unwrap();
        let said = match number % 3 {
            0 => String::new(),
            1 => begin.clone(),
            _ => format!("{begin}\r\n{{\"nonce\""),
        };
        stream.write_all(said.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // More are sent away at once, none waits.
    let mut away = 0;
    for _ in 0..300 {
        let mut stream = connect().await.unwrap();
        let _ = stream.write_all(begin.as_bytes()).await;
        away += usize::from(!matches!(stream.read(&mut [0; 1]).await, Ok(1..)));
    }
    assert_eq!(away, 300);
    // Each slow one ends by itself; the port is anybody's again.
    for mut stream in slow {
        let mut told = Vec::new();
        let _ = stream.read_to_end(&mut told).await;
        let told = String::from_utf8(told).unwrap();
        assert!(told.is_empty() || told.contains(" 408 "), "{told}");
    }
    let nonce = hex::encode([9; 32]);
    let body = format!("{{\"nonce\":\"{nonce}\"}}");
    let mut stream = connect().await.unwrap();
    let head = begin.replace("100", &body.len().to_string());
    stream
        .write_all(format!("{head}\r\n{body}").as_bytes())
        .await
        .unwrap();
    let mut told = Vec::new();
    stream.read_to_end(&mut told).await.unwrap();
    let told = String::from_utf8(told).unwrap();
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    println!(
        "ATTACK field-port-crowd: 364 slow connections at the port, 300 sent away at once, 64 ended, the next answered"
    );
    running.stop().await;
}
