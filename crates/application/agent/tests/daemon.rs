//! The loopback socket of `serve`: who may ask, and what comes of everything else.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::Duration;

use medibloc_agent::answer::code;
use medibloc_agent::home::Home;
use medibloc_agent::{Command, daemon};
use medibloc_journey::Party;
use medibloc_journey::memory::World;
use medibloc_keys::{Language, Phrase, SeededEntropy};
use medibloc_record::Role;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

struct Running {
    home: Home,
    folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
    port: u16,
    token: String,
}

async fn serve() -> Running {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().to_owned());
    let world = World::new(90);
    let phrase = Phrase::generate(&mut SeededEntropy::new(1), Language::English);
    let party = Party::new(phrase.seed(), Role::Person, world.ports());
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
        daemon::serve(&at, party, None, Duration::from_secs(3600), stop, tell)
            .await
            .unwrap();
    });
    tells.recv().await.unwrap();
    let door: Value = serde_json::from_slice(&std::fs::read(home.daemon()).unwrap()).unwrap();
    Running {
        port: u16::try_from(door["port"].as_u64().unwrap()).unwrap(),
        token: door["token"].as_str().unwrap().to_owned(),
        home,
        folder,
        stop,
        done,
    }
}

#[tokio::test]
async fn the_owner_of_the_home_is_answered_until_it_stops() {
    let running = serve().await;
    let answer = daemon::ask(&running.home, &Command::Status).await.unwrap();
    assert_eq!(answer.unwrap().value["records"]["accepted"], 0);
    let words = r#"{"record": {"show": {"record": "0xff"}}}"#;
    let command: Command = serde_json::from_str(words).unwrap();
    let refused = daemon::ask(&running.home, &command).await.unwrap();
    assert_eq!(refused.unwrap_err().code, code::UNKNOWN);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(running.home.daemon())
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
    let door = std::fs::read(running.home.daemon()).unwrap();
    running.stop.send(()).unwrap();
    running.done.await.unwrap();
    assert!(!running.home.daemon().exists());
    assert!(daemon::ask(&running.home, &Command::Status).await.is_none());
    // What a killed one leaves behind leads to nobody.
    std::fs::write(running.home.daemon(), door).unwrap();
    assert!(daemon::ask(&running.home, &Command::Status).await.is_none());
    drop(running.folder);
}

#[tokio::test]
async fn nobody_else_is_answered_whatever_is_sent() {
    let running = serve().await;
    let url = format!("http://127.0.0.1:{}/v1/run", running.port);
    let host = format!("127.0.0.1:{}", running.port);
    let right = format!("Bearer {}", running.token);
    let wrong = format!("Bearer {}", "0".repeat(running.token.len()));
    let short = format!("Bearer {}", &running.token[..63]);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |headers: Vec<(&'static str, String)>, body: String| {
        let mut request = client
            .post(&url)
            .header("content-type", "application/json")
            .body(body);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async move {
            let answer = request.send().await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        }
    };
    let status = r#""status""#.to_owned();
    let rebound = format!("medibloc.example:{}", running.port);
    for headers in [
        vec![],
        vec![("authorization", wrong)],
        vec![("authorization", short)],
        vec![("authorization", running.token.clone())],
        vec![("authorization", right.clone()), ("host", rebound)],
        vec![
            ("authorization", right.clone()),
            ("host", "localhost".into()),
        ],
        vec![
            ("authorization", right.clone()),
            ("origin", "http://evil.example".into()),
        ],
        vec![("authorization", right.clone()), ("origin", "null".into())],
    ] {
        for body in [status.clone(), "{".into(), "x".repeat(100_000)] {
            let (code, text) = send(headers.clone(), body).await;
            assert_eq!(code, 401, "{headers:?}");
            assert!(!text.contains(&running.token));
        }
    }
    let known = || vec![("authorization", right.clone()), ("host", host.clone())];
    assert_eq!(send(known(), status.clone()).await.0, 200);
    assert_eq!(send(known(), "{".into()).await.0, 400);
    assert_eq!(send(known(), r#""erase-all""#.into()).await.0, 422);
    assert_eq!(send(known(), "x".repeat(100_000)).await.0, 413);
    for path in ["/", "/v1/run/../../key", "/v1/key"] {
        let url = format!("http://{host}{path}");
        let answer = client.get(url).header("authorization", &right).send().await;
        assert!(answer.unwrap().status().is_client_error(), "{path}");
    }
}
