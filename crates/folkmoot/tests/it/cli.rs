//! The program as operators and scripts use it.

use std::io::{BufRead, Read, Write};
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{BINARY, Server, folkmoot};

#[test]
fn commands_work_with_a_server_and_without_one() {
    let folder = TempDir::new().unwrap();
    let add = |nickname: &str, data: &std::path::Path| {
        let done = folkmoot(
            &[
                "group",
                "add",
                "--name",
                "Readers",
                "--nickname",
                nickname,
                "--owner",
                "ada@example.org",
                "--member",
                "bo@example.org",
                "--visibility",
                "Private",
            ],
            data,
        );
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        assert_eq!(done.stdout.lines().count(), 1);
        done.stdout.trim().to_owned()
    };
    let before = add("before", folder.path());
    let server = Server::on_sqlite(folder);
    let during = add("during", &server.data);
    let ada = server.user("ada@example.org");
    assert_eq!(ada.all("/v1.0/groups").len(), 2);
    for group in [before, during] {
        assert_eq!(ada.all(&format!("/v1.0/groups/{group}/members")).len(), 2);
        assert_eq!(ada.all(&format!("/v1.0/groups/{group}/owners")).len(), 1);
        ada.post(
            &format!("/v1.0/me/joinedTeams/{group}/conversations/$ref"),
            &json!({"topic": "x"}),
        )
        .created();
    }
    assert_eq!(server.user("bo@example.org").all("/v1.0/me/joinedTeams").len(), 2);
}

#[test]
fn what_fails_says_why_in_one_line() {
    let folder = TempDir::new().unwrap();
    let server = Server::start(folder, &[]);
    for (args, named) in [
        (vec!["serve"], "another server runs"),
        (vec!["token", "--user", "nobody"], "userPrincipalName"),
        (vec!["token", "--user", "a@b.c", "--scope", "Bogus.All"], "Bogus.All"),
        (vec!["group", "add", "--name", "x", "--nickname", "a b"], "mailNickname"),
        (vec!["group", "add", "--name", "", "--nickname", "x"], "displayName"),
        (vec!["token", "--user", "a@b.c", "--store", "mysql://x"], "--store"),
        (vec!["token", "--user", "a@b.c", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
    ] {
        let done = folkmoot(&args, &server.data);
        assert_eq!(done.status, Some(1), "{args:?}: {}", done.stderr);
        let line = done.stderr.lines().last().unwrap_or_default();
        assert!(
            line.starts_with("folkmoot: ") && line.contains(named),
            "{args:?}: {}",
            done.stderr
        );
        assert_eq!(done.stdout, "");
    }
    for args in [
        vec!["token"],
        vec!["token", "--user", "a@b.c", "--app", "x"],
        vec!["token", "--user", "a@b.c", "--ttl", "soon"],
        vec!["group", "add", "--name", "x"],
        vec!["bogus"],
        vec!["serve", "--tls", "maybe"],
    ] {
        let done = folkmoot(&args, &server.data);
        assert_eq!(done.status, Some(2), "{args:?}: {}", done.stderr);
    }
}

#[test]
fn settings_come_from_flags_then_the_environment_then_the_file() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = path("folkmoot.toml");
    std::fs::write(&config, format!("data = {:?}\n", path("file"))).unwrap();
    let run = |flag: Option<&str>, variable: Option<&str>| {
        let mut command = Command::new(BINARY);
        command.args(["token", "--user", "a@b.c", "--config"]).arg(&config);
        if let Some(flag) = flag {
            command.arg("--data").arg(path(flag));
        }
        if let Some(variable) = variable {
            command.env("FOLKMOOT_DATA", path(variable));
        }
        assert!(command.output().unwrap().status.success());
    };
    run(None, None);
    assert!(path("file/folkmoot.db").exists());
    run(None, Some("environment"));
    assert!(path("environment/folkmoot.db").exists());
    run(Some("flag"), Some("unused"));
    assert!(path("flag/folkmoot.db").exists() && !path("unused").exists());
    std::fs::write(&config, "dta = \"x\"\n").unwrap();
    let done = folkmoot(
        &["token", "--user", "a@b.c", "--config", config.to_str().unwrap()],
        folder.path(),
    );
    assert_eq!(done.status, Some(1));
    assert!(done.stderr.contains("dta"), "{}", done.stderr);
}

#[test]
fn a_signal_ends_the_server_with_status_0() {
    for signal in ["TERM", "INT"] {
        let server = Server::durable();
        let pid = server.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(server.wait(), Some(0), "SIG{signal}");
    }
}

#[test]
fn a_request_under_way_is_answered_before_the_server_ends() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let body = json!({"topic": "x"}).to_string();
    let (first, rest) = body.split_at(5);
    let head = format!(
        "POST /v1.0/groups/{group}/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        ada.token,
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body: the request has begun.
    let mut asked = [0; 25];
    stream.read_exact(&mut asked).unwrap();
    assert!(asked.starts_with(b"HTTP/1.1 100"));
    stream.write_all(first.as_bytes()).unwrap();
    let pid = server.pid().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    // It takes no new connection any more, and waits for this one.
    while std::net::TcpStream::connect(&server.address).is_ok() {
        std::thread::yield_now();
    }
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(server.wait(), Some(0));
}

#[test]
fn what_was_stored_is_there_after_a_restart() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let [conversation, ..] = ada.talk(&group, "x", "y");
    let server = server.kill_and_restart();
    // The old token is good: the key is kept.
    let ada = ada.at(&server);
    let read = ada.get(&format!("/v1.0/groups/{group}/conversations/{conversation}")).ok();
    assert_eq!(read["preview"], "y");
}

#[test]
fn health_is_told_without_a_token() {
    let server = Server::ephemeral();
    assert_eq!(server.anonymous().get("/healthz").status, 200);
    assert_eq!(server.anonymous().get("/readyz").status, 200);
    assert_eq!(server.anonymous().get("/metrics").status, 404);
}

/// Keys and private words are in the data folder.
#[test]
fn the_data_is_for_its_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let above = TempDir::new().unwrap();
    let data = above.path().join("new/data");
    let done = folkmoot(&["token", "--user", "ada@example.org"], &data);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for file in std::fs::read_dir(&data).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

/// Whoever starts a server by hand is told a command that works as it stands.
#[test]
fn a_terminal_is_shown_a_command_to_paste() {
    for tls in ["", " --tls dev"] {
        let folder = TempDir::new().unwrap();
        // `script` gives the server a terminal. A relative folder, as one is typed.
        let serve = format!("exec {BINARY} serve --listen 127.0.0.1:0 --data data{tls}");
        let mut server = Command::new("script")
            .args(["--quiet", "--flush", "--return", "--command", &serve, "/dev/null"])
            .current_dir(folder.path())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut shown = String::new();
        let mut lines = std::io::BufReader::new(server.stdout.take().unwrap()).lines();
        while !shown.contains("/v1.0/groups") {
            shown.push_str(&lines.next().unwrap().unwrap());
            shown.push('\n');
        }
        let command = shown[shown.find("TOKEN=").unwrap()..].replace('\r', "");
        let done = Command::new("bash").args(["-c", &command]).current_dir("/").output().unwrap();
        let answer = String::from_utf8_lossy(&done.stdout);
        assert!(answer.contains("\"displayName\":\"Readers\""), "{command}\n{answer}");
        // Nobody had an account: the link makes one.
        let origin = if tls.is_empty() { "http://127.0.0.1:" } else { "https://127.0.0.1:" };
        let link = shown.lines().find(|it| it.contains("/sign-in?code=")).unwrap();
        assert!(link.starts_with(origin) && link.trim_end().ends_with("&new=1"), "{link}");
        server.kill().unwrap();
        server.wait().unwrap();
    }
}
