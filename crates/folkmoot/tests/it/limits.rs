//! Each limit: what is at it is taken, what is one past it is refused by name.

use serde_json::{Value, json};

use crate::support::{Client, Server};

fn setup() -> (Server, Client, String) {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    (server, ada, format!("/v1.0/groups/{group}/conversations"))
}

fn check(client: &Client, path: &str, named: &str, good: &Value, bad: &Value) {
    client.post(path, good).created();
    let answer = client.post(path, bad);
    assert_eq!(answer.status, 400, "{named}: {}", answer.text());
    assert!(answer.text().contains(named), "{named}: {}", answer.text());
}

fn post(post: Value) -> Value {
    json!({"topic": "x", "threads": [{"posts": [post]}]})
}

#[test]
fn of_a_conversation() {
    let (_server, ada, path) = setup();
    // Code points, not bytes.
    let topic = |chars: usize| json!({"topic": "ü".repeat(chars)});
    check(&ada, &path, "topic", &topic(255), &topic(256));
    let preview = |chars: usize| json!({"topic": "x", "preview": "ü".repeat(chars)});
    check(&ada, &path, "preview", &preview(4_096), &preview(4_097));
    let senders = |count: usize| json!({"topic": "x", "uniqueSenders": vec!["a"; count]});
    check(&ada, &path, "uniqueSenders", &senders(100), &senders(101));
    let sender = |chars: usize| json!({"topic": "x", "uniqueSenders": ["ü".repeat(chars)]});
    check(&ada, &path, "uniqueSenders[0]", &sender(256), &sender(257));
}

#[test]
fn of_a_post() {
    let (_server, ada, path) = setup();
    let recipients = |count: usize| {
        let one = |at: usize| json!({"emailAddress": {"address": format!("a{at}@example.org")}});
        post(json!({"newParticipants": (0..count).map(one).collect::<Vec<_>>()}))
    };
    check(&ada, &path, "newParticipants", &recipients(500), &recipients(501));
    let categories = |count: usize| post(json!({"categories": vec!["a"; count]}));
    check(&ada, &path, "categories", &categories(100), &categories(101));
    let file = |name: usize, bytes: usize| {
        use base64::Engine as _;
        json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "n".repeat(name),
            "contentBytes": base64::prelude::BASE64_STANDARD.encode(vec![7; bytes])})
    };
    let files = |count: usize| post(json!({"attachments": vec![file(1, 1); count]}));
    check(&ada, &path, "attachments", &files(100), &files(101));
    let name = |chars: usize| post(json!({"attachments": [file(chars, 1)]}));
    check(&ada, &path, "attachments[0].name", &name(256), &name(257));
    // 3 MiB of content are 4 MiB of base64, and the rest of the body comes on top: the largest
    // attachment inside a request is a little smaller than the attachment's own limit.
    let size = |bytes: usize| post(json!({"attachments": [file(1, bytes)]}));
    ada.post(&path, &size(3 * 1024 * 1024 - 400)).created();
    let answer = ada.post(&path, &size(3 * 1024 * 1024));
    assert_eq!(answer.status, 413, "{}", answer.text());
}

#[test]
fn of_a_body() {
    let (_server, ada, path) = setup();
    let sized = |bytes: usize| {
        let frame =
            json!({"topic": "x", "threads": [{"posts": [{"body": {"content": ""}}]}]}).to_string();
        frame.replace(
            "\"content\":\"\"",
            &format!("\"content\":\"{}\"", "y".repeat(bytes - frame.len())),
        )
    };
    ada.post_text(&path, &sized(4 * 1024 * 1024)).created();
    assert_eq!(ada.post_text(&path, &sized(4 * 1024 * 1024 + 1)).status, 413);
    // An undeclared property of a post may nest; the post itself stands five levels deep.
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        format!(r#"{{"topic":"x","threads":[{{"posts":[{{"odd":{inner}}}]}}]}}"#)
    };
    ada.post_text(&path, &nested(100 - 5)).created();
    let answer = ada.post_text(&path, &nested(100 - 4));
    assert_eq!(answer.status, 400, "{}", answer.text());
    assert!(answer.text().contains("odd"), "{}", answer.text());
}

#[test]
fn of_a_group() {
    let (_server, ada, _) = setup();
    let group = |nickname: String, name: usize, description: usize| {
        json!({"displayName": "n".repeat(name), "mailNickname": nickname, "groupTypes": ["Unified"],
            "mailEnabled": true, "securityEnabled": false, "description": "d".repeat(description)})
    };
    let path = "/v1.0/groups";
    check(&ada, path, "mailNickname", &group("a".repeat(64), 1, 1), &group("a".repeat(65), 1, 1));
    check(&ada, path, "displayName", &group("b".into(), 256, 1), &group("c".into(), 257, 1));
    check(&ada, path, "description", &group("d".into(), 1, 1_024), &group("e".into(), 1, 1_025));
    let with_members = |nickname: &str, count: usize| {
        let mut body = group(nickname.into(), 1, 1);
        let one = "https://graph.microsoft.com/v1.0/users/ada@example.org";
        body["members@odata.bind"] = json!(vec![one; count]);
        body
    };
    check(&ada, path, "members@odata.bind", &with_members("f", 20), &with_members("g", 21));
}

#[test]
fn of_a_groups_lists() {
    let (server, ada, path) = setup();
    let group = path.split('/').nth(3).unwrap().to_owned();
    let path = format!("/v1.0/groups/{group}");
    let bind = |count: usize| json!({"members@odata.bind": vec!["https://x/users/a@b.c"; count]});
    // At the limit it is the user who is not there.
    ada.patch(&path, &bind(20)).refused(404, "Request_ResourceNotFound");
    let why = ada.patch(&path, &bind(21)).refused(400, "Request_BadRequest");
    assert!(why.contains("members@odata.bind"), "{why}");
    for at in 0..101 {
        server.user(&format!("u{at}@example.org"));
        let list = if at % 2 == 0 { "rejectedSenders" } else { "acceptedSenders" };
        let added = ada
            .post(&format!("{path}/{list}/$ref"), &server.reference(&format!("u{at}@example.org")));
        match at {
            100 => assert!(added.refused(400, "BadRequest").contains("100")),
            _ => added.empty(204),
        }
    }
    let ids = |count: u128| {
        let ids: Vec<_> = (0..count).map(|it| uuid::Uuid::from_u128(it).to_string()).collect();
        json!({"ids": ids})
    };
    let found = ada.post("/v1.0/directoryObjects/getByIds", &ids(1_000)).ok();
    assert_eq!(found["value"], json!([]));
    let why = ada.post("/v1.0/directoryObjects/getByIds", &ids(1_001));
    assert!(why.refused(400, "Request_BadRequest").contains("ids"));
}

#[test]
fn of_a_url() {
    let (_server, ada, path) = setup();
    let asked = |query: &str| ada.get(&format!("{path}?{query}"));
    let refused = |query: &str, named: &str| {
        let why = asked(query).refused(400, "BadRequest");
        assert!(why.contains(named), "{query}: {why}");
    };
    let parentheses =
        |depth: usize| format!("$filter={}hasAttachments{}", "(".repeat(depth), ")".repeat(depth));
    asked(&parentheses(32)).ok();
    refused(&parentheses(33), "$filter");
    let terms = |count: usize| {
        let one = "hasAttachments".to_owned();
        format!("$filter={}", vec![one; count].join("%20or%20"))
    };
    // Each term is a node, and each operator between two.
    asked(&terms(200)).ok();
    refused(&terms(201), "$filter");
    asked("$expand=threads($expand=posts($expand=attachments))").ok();
    refused("$expand=threads($expand=posts($expand=inReplyTo($expand=attachments)))", "$expand");
    let items = |count: usize| format!("$select={}", vec!["topic"; count].join(","));
    asked(&items(100)).ok();
    refused(&items(101), "$select");
    asked("$skip=10000").ok();
    refused("$skip=10001", "$skip");
    let segments = format!("/v1.0/groups{}", "/x".repeat(23));
    assert_eq!(ada.get(&segments).status, 501);
    ada.get(&format!("{segments}/x")).refused(400, "BadRequest");
}

/// A page ends where the answer is large, however many rows were asked for, and nothing is left out.
#[test]
fn of_an_answer() {
    let (_server, ada, path) = setup();
    let group = path.split('/').nth(3).unwrap().to_owned();
    let [_, thread, _] = ada.talk(&group, "large", "first");
    let text = "x".repeat(3 << 20);
    for _ in 0..5 {
        let reply = json!({"post": {"body": {"content": text}}});
        ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    }
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts?$top=100");
    let page = ada.get(&posts);
    assert!(page.body.len() < 13 << 20, "{} bytes", page.body.len());
    assert!(page.ok().get("@odata.nextLink").is_some());
    assert_eq!(ada.all(&posts).len(), 6);
    // Inside an expansion too: the link leads on from there.
    let expanded = ada.get(&format!("/v1.0/groups/{group}/threads?$expand=posts($top=100)"));
    assert!(expanded.body.len() < 13 << 20, "{} bytes", expanded.body.len());
    let expanded = expanded.ok();
    let thread = &expanded["value"][0];
    let next = thread["posts@odata.nextLink"].as_str().unwrap().split_once("/v1.0").unwrap().1;
    let shown = thread["posts"].as_array().unwrap().len();
    assert_eq!(shown + ada.all(&format!("/v1.0{next}")).len(), 6);
}

#[test]
fn of_a_thread() {
    let (_server, ada, path) = setup();
    let group = path.split('/').nth(3).unwrap().to_owned();
    let people = |from: usize, count: usize| -> Vec<Value> {
        let one = |at| json!({"emailAddress": {"address": format!("p{at}@example.org")}});
        (from..from + count).map(one).collect()
    };
    let made = ada.post(&path, &post(json!({"newParticipants": people(0, 500)})));
    let thread = made.created()["threads"][0]["id"].as_str().unwrap().to_owned();
    let reply = format!("/v1.0/groups/{group}/threads/{thread}/reply");
    // A thread that is full takes replies, and nobody more.
    ada.post(&reply, &json!({"post": {"newParticipants": people(0, 3)}})).empty(202);
    let why = ada.post(&reply, &json!({"post": {"newParticipants": people(499, 2)}}));
    assert!(why.refused(400, "Request_BadRequest").contains("newParticipants"));
}

#[test]
fn an_id_that_is_none_is_not_given_back() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let with = |id: &str| ada.send("GET", "/v1.0/groups/x", &[("client-request-id", id)], b"");
    let (long, longest) = ("x".repeat(257), "x".repeat(256));
    for id in ["", "caf\u{e9}", &long] {
        let answer = with(id);
        assert_eq!(answer.header("client-request-id"), answer.header("request-id"), "{id}");
        let inner = &answer.json()["error"]["innerError"];
        assert_eq!(inner["client-request-id"], inner["request-id"], "{id}");
    }
    let answer = with(&longest);
    assert_eq!(answer.header("client-request-id"), Some(longest.as_str()));
    assert_eq!(answer.json()["error"]["innerError"]["client-request-id"], longest);
}

#[test]
fn of_an_upload() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, post] = ada.talk(&group, "large", "first");
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
    let path = format!("{posts}/{post}/attachments/createUploadSession");
    let item = |name: usize, id: usize, size: u64| {
        json!({"AttachmentItem": {"attachmentType": "file", "name": "n".repeat(name),
            "contentId": "i".repeat(id), "contentType": "x".repeat(id), "size": size}})
    };
    check(&ada, &path, "AttachmentItem.name", &item(256, 1, 1), &item(257, 1, 1));
    check(&ada, &path, "AttachmentItem.contentType", &item(1, 256, 1), &item(1, 257, 1));
    let max = 150 * 1024 * 1024;
    ada.post(&path, &item(1, 1, max)).created();
    let why = ada.post(&path, &item(1, 1, max + 1)).refused(413, "ErrorMessageSizeExceeded");
    assert!(why.contains("157286401") && why.contains("157286400"), "{why}");

    // Separate ranges: one more is taken, and the one after it is not.
    let session = ada.post(&path, &item(1, 1, 10_000)).created();
    let url = session["uploadUrl"].as_str().unwrap().split_once(&server.address).unwrap().1;
    let put = |at: usize| {
        let range = format!("bytes {at}-{at}/10000");
        server.anonymous().send("PUT", url, &[("Content-Range", &range)], b"x")
    };
    put(0).ok();
    let ranges: Vec<_> = (0..499).map(|at| format!("{0}-{0}", at * 2)).collect();
    let size = "where size = 10000";
    server.change(&format!("update upload_sessions set received = '{}' {size}", ranges.join(",")));
    assert_eq!(put(2_000).ok()["nextExpectedRanges"].as_array().unwrap().len(), 500);
    assert!(put(3_000).refused(400, "BadRequest").contains("500"));
    put(2_001).ok();

    // Sessions count as the attachments that they will be: four are open.
    for _ in 4..100 {
        ada.post(&path, &item(1, 1, 1)).created();
    }
    let why = ada.post(&path, &item(1, 1, 1)).refused(400, "BadRequest");
    assert!(why.contains("attachments"), "{why}");
}
