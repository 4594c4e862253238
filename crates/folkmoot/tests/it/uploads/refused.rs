//! What an upload session is refused for, and who does not even learn that there is one.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{LARGE, Talk, data, incoming, missing, put, put_as};
use crate::support::{Client, Server};

#[test]
fn who_does_not_know_the_secret_finds_nothing() {
    let server = Server::ephemeral();
    let talk = Talk::new(&server);
    let data = data(10);
    let url = talk.open(&server, data.len());
    let (path, token) = url.split_once("?token=").unwrap();
    // 256 random bits.
    assert_eq!(token.len(), 43);
    let wrong: String = token.chars().map(|it| if it == 'A' { 'B' } else { 'A' }).collect();
    let unknown = format!("/upload/8d12587e-587e-8d12-7e58-128d7e58128d?token={token}");
    let addresses = [
        format!("{path}?token={wrong}"),
        format!("{path}?token={}", &token[1..]),
        format!("{path}?token="),
        path.to_owned(),
        unknown,
        format!("/upload/nothing?token={token}"),
    ];
    let mut answers = HashSet::new();
    for address in &addresses {
        for method in ["GET", "PUT", "DELETE"] {
            let body = if method == "PUT" { &data[..] } else { b"" };
            let answer = talk.ada.send(method, address, &[], body);
            answers.insert(answer.refused(404, "ErrorItemNotFound"));
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(missing(&server.anonymous().get(&url)), ["0-9"]);
}

#[test]
fn what_is_no_part_of_the_whole_is_refused_and_changes_nothing() {
    let server = Server::ephemeral();
    let talk = Talk::new(&server);
    let url = talk.open(&server, 10);
    for range in ["bytes 0-4/11", "bytes 6-10/10", "bytes 5-4/10", "bytes 10-14/10"] {
        put_as(&server, &url, range, b"12345").refused(416, "invalidRange");
    }
    for range in
        ["0-4/10", "bytes 0-4", "bytes x-4/10", "bytes 0-4/*", "lines 0-4/10", "bytes +0-4/10"]
    {
        let why = put_as(&server, &url, range, b"12345").refused(400, "BadRequest");
        assert!(why.contains(range), "{why}");
    }
    // As many bytes as the range says, whether the length is said before or not.
    for bytes in [&b"1234"[..], b"123456"] {
        put_as(&server, &url, "bytes 0-4/10", bytes).refused(400, "BadRequest");
        let headers = [("Content-Range", "bytes 0-4/10"), ("Transfer-Encoding", "chunked")];
        let text = String::from_utf8_lossy(bytes);
        let chunked = format!("{:x}\r\n{text}\r\n0\r\n\r\n", bytes.len());
        let answer = server.anonymous().send("PUT", &url, &headers, chunked.as_bytes());
        answer.refused(400, "BadRequest");
    }
    // A whole one that is none.
    server.anonymous().send("PUT", &url, &[], b"123").refused(400, "BadRequest");
    let encoded = [("Content-Encoding", "gzip")];
    server.anonymous().send("PUT", &url, &encoded, b"1234567890").refused(400, "BadRequest");
    let answer = server.anonymous().send("POST", &url, &[], b"");
    answer.refused(405, "ErrorInvalidRequest");
    assert_eq!(answer.header("allow").unwrap(), "GET, HEAD, PUT, DELETE, OPTIONS");
    let preflight = server.anonymous().send("OPTIONS", &url, &[], b"");
    preflight.empty(204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    let state = server.anonymous().get(&url);
    assert_eq!(missing(&state), ["0-9"]);
    assert!(state.header("request-id").is_some());
    assert_eq!(talk.count(), "0");
}

#[test]
fn who_may_add_to_a_post_and_when() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let (bo, cy) = (server.user("bo@example.org"), server.user("cy@example.org"));
    let members = format!("/v1.0/groups/{}/members/$ref", talk.group);
    talk.ada.post(&members, &server.reference("bo@example.org")).empty(204);
    let item = json!({"attachmentType": "file", "name": "a.txt", "size": 3});
    let denied = |client: &Client| {
        talk.ask(client, &item).refused(403, "ErrorAccessDenied");
    };
    // Not from outside, not to another's post; but by an owner and by an application.
    denied(&cy);
    denied(&bo);
    denied(&server.user_with("ada@example.org", &["Group.Read.All"]));
    let robot = server.app(&["Group.ReadWrite.All"]);
    talk.ask(&robot, &item).created();
    let reply = json!({"post": {"body": {"content": "of bo"}}});
    let thread = format!("/v1.0/groups/{}/threads/{}", talk.group, talk.thread);
    bo.post(&format!("{thread}/reply"), &reply).empty(202);
    let posts = bo.all(&format!("{thread}/posts"));
    let own = posts.iter().find(|it| it["id"] != talk.post.as_str()).unwrap()["id"].clone();
    let of_bo = format!("{thread}/posts/{}/attachments/createUploadSession", own.as_str().unwrap());
    let item = json!({ "AttachmentItem": item });
    let session = bo.post(&of_bo, &item).created();
    talk.ada.post(&of_bo, &item).created();
    let qualified = of_bo.replace("/createUploadSession", "/microsoft.graph.createUploadSession");
    bo.post(&qualified, &item).created();

    // A locked thread is its owners' alone.
    talk.ada.patch(&thread, &json!({"isLocked": true})).ok();
    bo.post(&of_bo, &item).refused(403, "ErrorAccessDenied");
    talk.ada.post(&of_bo, &item).created();
    talk.ada.patch(&thread, &json!({"isLocked": false})).ok();

    // Whoever has lost the right meanwhile has lost it for their session too.
    let url = session["uploadUrl"].as_str().unwrap().split_once(&server.address).unwrap().1;
    server.change(
        "delete from group_members where user_id not in (select user_id from group_owners)",
    );
    server.change("update tenant_feed_heads set seq = seq + 1");
    server.anonymous().send("PUT", url, &[], b"abc").refused(403, "ErrorAccessDenied");
}

#[test]
fn in_strict_mode_applications_do_not_attach() {
    let server = Server::with(&["--strict-graph"]);
    let talk = Talk::new(&server);
    let item = json!({"attachmentType": "file", "name": "a.txt", "size": 3});
    talk.ask(&server.app(&["Group.ReadWrite.All"]), &item).refused(403, "ErrorAccessDenied");
    talk.ask(&talk.ada, &item).created();
}

#[test]
fn what_is_asked_for_is_checked() {
    let server = Server::ephemeral();
    let talk = Talk::new(&server);
    let with = |name: &str, value: Value| {
        let mut item = json!({"attachmentType": "file", "name": "a.txt", "size": 3});
        item[name] = value;
        item
    };
    let bad = [
        ("attachmentType", json!("item")),
        ("attachmentType", json!("reference")),
        ("attachmentType", json!("folder")),
        ("attachmentType", json!(null)),
        ("name", json!("")),
        ("name", json!(null)),
        ("size", json!(0)),
        ("size", json!(-1)),
        ("size", json!("many")),
        ("size", json!(null)),
    ];
    for (name, value) in bad {
        let answer = talk.ask(&talk.ada, &with(name, value.clone()));
        assert_eq!(answer.status, 400, "{name} {value}: {}", answer.text());
        assert!(answer.text().contains(name), "{name} {value}: {}", answer.text());
    }
    talk.ask(&talk.ada, &with("odd", json!(1))).refused(400, "RequestBodyRead");
    let path = format!("{}/createUploadSession", talk.attachments());
    assert_eq!(talk.ada.post(&path, &json!({})).status, 400);
    assert_eq!(talk.ada.post(&path, &json!({"AttachmentItem": null})).status, 400);
    // The name of the parameter in any letter case, and the size as a string of digits.
    let item = with("size", json!("3"));
    talk.ada.post(&path, &json!({ "attachmentItem": item })).created();
    assert_eq!(talk.ada.get(&path).status, 405);
    let unknown = path.replace(&talk.post, "8d12587e-587e-8d12-7e58-128d7e58128d");
    let item = json!({"AttachmentItem": with("size", json!(3))});
    talk.ada.post(&unknown, &item).refused(404, "ErrorItemNotFound");
}

#[test]
fn the_secret_is_kept_nowhere() {
    let server = Server::logging();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 100).ok();
    put_as(&server, &url, "bytes 1-2/3", b"xx").refused(416, "invalidRange");
    server.anonymous().get(&url).ok();
    let token = url.split_once("?token=").unwrap().1;
    let rows = server.rows("select * from upload_sessions");
    assert!(!format!("{rows:?}").contains(token));
    put(&server, &url, &data, 100, LARGE).created();
    server.anonymous().delete(&url).refused(404, "ErrorItemNotFound");
    // A request that fails is logged: here its file is lost.
    let url = talk.open(&server, LARGE);
    let token_of_lost = url.split_once("?token=").unwrap().1;
    put(&server, &url, &data, 0, 100).ok();
    std::fs::remove_file(incoming(&server).pop().unwrap()).unwrap();
    put(&server, &url, &data, 100, LARGE).refused(500, "generalException");
    let log = std::fs::read_to_string(server.data.join("log")).unwrap();
    assert!(log.contains("a request failed"), "{log}");
    assert!(!log.contains(token) && !log.contains(token_of_lost), "{log}");
    let database = std::fs::read(server.data.join("folkmoot.db")).unwrap_or_default();
    assert!(!database.windows(token.len()).any(|it| it == token.as_bytes()));
}
