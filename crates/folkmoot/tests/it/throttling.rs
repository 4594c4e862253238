//! Who asks too much hears 429 and when to come again; nobody else hears anything of it.

use std::sync::mpsc;

use serde_json::json;
use tempfile::TempDir;

use crate::support::{Response, Server};

fn number(answer: &Response, header: &str) -> u64 {
    answer.header(header).expect(header).parse().unwrap()
}

#[test]
fn a_caller_has_so_many_requests() {
    let server = Server::limited("requests = 3");
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    for left in [2, 1, 0] {
        let answer = ada.get("/beta/me");
        answer.ok();
        assert_eq!(number(&answer, "RateLimit-Limit"), 3);
        assert_eq!(number(&answer, "RateLimit-Remaining"), left);
        // Everything is there again when each of those used has its 200 seconds.
        assert!((1..=(3 - left) * 200).contains(&number(&answer, "RateLimit-Reset")));
    }
    for path in ["/beta/me", "/v1.0/groups", "/v1.0/me/nonsense", "/v1.0/groups/x/conversations"] {
        let answer = ada.get(path);
        assert!(answer.refused(429, "TooManyRequests").contains("retry"), "{path}");
        assert!((1..=200).contains(&number(&answer, "Retry-After")));
        assert_eq!(number(&answer, "RateLimit-Remaining"), 0);
    }
    // A body that is refused so is read all the same, and stores nothing.
    let group = json!({"displayName": "x", "mailNickname": "x", "groupTypes": ["Unified"],
        "mailEnabled": true, "securityEnabled": false});
    ada.post("/v1.0/groups", &group).refused(429, "TooManyRequests");
    assert_eq!(server.number("select count(*) from groups"), 0);
    // What needs no token is not counted, nor one that is not good; others have their own.
    ada.get("/v1.0").ok();
    assert_eq!(server.anonymous().get("/v1.0/me").status, 401);
    let answer = bo.get("/v1.0/me");
    answer.ok();
    assert_eq!(answer.header("RateLimit-Limit"), None);
    server.app(&["Group.Read.All"]).get("/v1.0/groups").ok();
}

/// Each request in a batch counts, and the batch itself does not.
#[test]
fn a_batch_has_its_429_inside() {
    let server = Server::limited("requests = 3");
    let ada = server.user("ada@example.org");
    let request = |id: usize| json!({"id": id.to_string(), "method": "GET", "url": "/me"});
    let batch = |count| json!({"requests": (0..count).map(request).collect::<Vec<_>>()});
    let answer = ada.post("/beta/$batch", &batch(4)).ok();
    let responses = answer["responses"].as_array().unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = responses.iter().partition(|it| it["status"] == 200);
    assert_eq!((good.len(), bad.len()), (3, 1), "{answer}");
    assert_eq!(good[0]["headers"]["RateLimit-Limit"], "3");
    assert_eq!(bad[0]["status"], 429);
    assert_eq!(bad[0]["body"]["error"]["code"], "TooManyRequests");
    let retry: u64 = bad[0]["headers"]["Retry-After"].as_str().unwrap().parse().unwrap();
    assert!((1..=200).contains(&retry), "{retry}");
    let answer = ada.post("/v1.0/$batch", &batch(2)).ok();
    assert!(answer["responses"].as_array().unwrap().iter().all(|it| it["status"] == 429));
}

/// Whatever is wrong with a request in a batch, it counts; and so does a batch that has none.
#[test]
fn what_is_malformed_counts() {
    let server = Server::limited("requests = 6");
    let ada = server.user("ada@example.org");
    let left = || number(&ada.get("/beta/me"), "RateLimit-Remaining");
    let batch =
        |requests: &[serde_json::Value]| ada.post("/v1.0/$batch", &json!({"requests": requests}));
    let answer = batch(&[
        json!({"id": "1", "method": "LOOK", "url": "/me"}),
        json!({"id": "2", "method": "GET", "url": "https://elsewhere.example/v1.0/me"}),
        json!({"id": "3", "method": "GET", "url": "/me", "dependsOn": ["1"]}),
    ]);
    let statuses: Vec<_> = answer.ok()["responses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["status"].clone())
        .collect();
    assert_eq!(statuses, [json!(400), json!(400), json!(424)]);
    assert_eq!(left(), 2);
    batch(&[]).refused(400, "BadRequest");
    let answer = batch(&[
        json!({"id": "1", "method": "LOOK", "url": "/me"}),
        json!({"id": "2", "method": "LOOK",
        "url": "/me"}),
    ]);
    let answer = answer.ok();
    let statuses: Vec<_> =
        answer["responses"].as_array().unwrap().iter().map(|it| &it["status"]).collect();
    assert_eq!(statuses, [&json!(400), &json!(429)], "{answer}");
    batch(&[]).refused(429, "TooManyRequests");
    ada.send("POST", "/v1.0/$batch", &[("Content-Type", "application/json")], b"{")
        .refused(429, "TooManyRequests");
    ada.get("/v1.0/$batch").refused(429, "TooManyRequests");
}

/// What comes to the address of an upload counts as its caller's, whoever sends it.
#[test]
fn parts_of_an_upload_count() {
    let server = Server::limited("requests = 6");
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    let [_, thread, post] = ada.talk(&group, "Files", "see below");
    let path = format!(
        "/v1.0/groups/{group}/threads/{thread}/posts/{post}/attachments/createUploadSession"
    );
    let item = json!({"attachmentType": "file", "name": "data.bin", "size": 6});
    let session = ada.post(&path, &json!({"AttachmentItem": item})).created();
    let url = session["uploadUrl"].as_str().unwrap().split_once(&server.address).unwrap().1;
    let put = |at: usize| {
        let range = format!("bytes {at}-{at}/6");
        server.anonymous().send("PUT", url, &[("Content-Range", &range)], b"x")
    };
    put(0).ok();
    // Nobody's but theirs who know the secret.
    for _ in 0..5 {
        server.anonymous().get(&url[..url.len() - 1]).refused(404, "ErrorItemNotFound");
    }
    server.anonymous().get(url).ok();
    put(1).ok();
    let answer = put(2);
    assert!(answer.refused(429, "TooManyRequests").contains("retry"));
    assert!((1..=100).contains(&number(&answer, "Retry-After")));
    server.anonymous().delete(url).refused(429, "TooManyRequests");
    ada.get("/v1.0/me").refused(429, "TooManyRequests");
    bo.get("/v1.0/me").ok();
}

#[test]
fn a_server_for_tests_counts_nothing() {
    let server = Server::with(&["--fixed-clock", "2026-01-01T00:00:00Z"]);
    let answer = server.user("ada@example.org").get("/beta/me");
    answer.ok();
    assert_eq!(answer.header("RateLimit-Limit"), None);
    let exposed = answer.header("Access-Control-Expose-Headers").unwrap();
    assert!(exposed.contains("RateLimit-Remaining"), "{exposed}");
}

/// While the store is kept busy, two writes to a group wait and the next is refused; another group's waits
/// too, and what waited is carried out.
#[test]
fn a_group_has_its_share_of_the_writes() {
    let server = Server::limited("writes_per_group = 2");
    let ada = server.user("ada@example.org");
    let path =
        |nickname: &str| format!("/v1.0/groups/{}/conversations", ada.group(nickname, "Public"));
    let (busy, quiet) = (path("busy"), path("quiet"));
    let (send, answers) = mpsc::channel();
    let write = |name: &'static str, path: &str| {
        let (ada, send, path) = (ada.clone(), send.clone(), path.to_owned());
        std::thread::spawn(move || send.send((name, ada.post(&path, &json!({"topic": "x"})))));
    };
    let held = server.hold_writes();
    for _ in 0..3 {
        write("busy", &busy);
    }
    // What waits cannot be answered: this was refused.
    let (name, answer) = answers.recv().unwrap();
    assert_eq!(name, "busy");
    assert!(answer.refused(429, "ApplicationThrottled").contains("MailboxConcurrency"));
    assert_eq!(answer.header("Retry-After"), Some("1"));
    write("quiet", &quiet);
    drop(held);
    let mut made = Vec::new();
    for (name, answer) in (0..3).map(|_| answers.recv().unwrap()) {
        answer.created();
        made.push(name);
    }
    made.sort_unstable();
    assert_eq!(made, ["busy", "busy", "quiet"]);
    ada.post(&busy, &json!({"topic": "x"})).created();
}

#[test]
fn a_limit_that_is_not_known_is_an_error() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    std::fs::write(&config, "[limits]\nrequest = 3\n").unwrap();
    let done =
        crate::support::folkmoot(&["serve", "--config", config.to_str().unwrap()], folder.path());
    assert_eq!(done.status, Some(1));
    assert!(done.stderr.contains("request"), "{}", done.stderr);
}
