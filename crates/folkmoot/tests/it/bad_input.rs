//! Bad input: refused with the right status and a message that names the property, and nothing stored.

use serde_json::json;

use crate::support::{Client, Response, Server};

/// The tables that a request could write to.
const TABLES: [&str; 10] = [
    "users",
    "groups",
    "group_members",
    "group_owners",
    "conversations",
    "threads",
    "posts",
    "attachments",
    "feed",
    "tenant_feed",
];

fn rows(server: &Server) -> Vec<i64> {
    TABLES.iter().map(|it| server.number(&format!("select count(*) from {it}"))).collect()
}

struct Setup {
    server: Server,
    ada: Client,
    path: String,
}

fn setup() -> Setup {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    ada.talk(&group, "first", "so that no table is empty");
    Setup { server, ada, path: format!("/v1.0/groups/{group}/conversations") }
}

impl Setup {
    /// Sends a request that must be refused, and looks that nothing was stored.
    fn refused(&self, what: &str, ask: impl FnOnce(&Setup) -> Response, status: u16) -> String {
        let before = rows(&self.server);
        let answer = ask(self);
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        assert_eq!(rows(&self.server), before, "{what} has stored something");
        answer.json()["error"]["message"].as_str().unwrap().to_owned()
    }

    fn post(&self, text: &str) -> Response {
        self.ada.post_text(&self.path, text)
    }
}

#[test]
fn a_body_that_is_not_declared_as_json_is_415() {
    let it = setup();
    for content_type in
        ["", "text/plain", "application/xml", "application/jsonx", "multipart/form-data"]
    {
        let ask = |it: &Setup| {
            let headers = [("Content-Type", content_type)];
            let headers = if content_type.is_empty() { &headers[..0] } else { &headers[..] };
            it.ada.send("POST", &it.path, headers, br#"{"topic":"x"}"#)
        };
        let why = it.refused(content_type, ask, 415);
        assert!(why.contains("application/json"), "{why}");
    }
}

#[test]
fn a_body_that_cannot_be_taken_is_400_and_names_the_property() {
    let it = setup();
    for (body, named) in [
        ("", "JSON"),
        ("{", "JSON"),
        ("topic=x", "JSON"),
        ("[]", "object"),
        ("\"topic\"", "object"),
        ("{}", "topic"),
        (r#"{"topic":null}"#, "topic"),
        (r#"{"topic":7}"#, "topic"),
        (r#"{"topic":["x"]}"#, "topic"),
        (r#"{"topic":"x","hasAttachments":"yes"}"#, "hasAttachments"),
        (r#"{"topic":"x","hasAttachments":null}"#, "hasAttachments"),
        (r#"{"topic":"x","uniqueSenders":"a"}"#, "uniqueSenders"),
        (r#"{"topic":"x","uniqueSenders":[1]}"#, "uniqueSenders[0]"),
        (r#"{"topic":"x","uniqueSenders":null}"#, "uniqueSenders"),
        (r#"{"topic":"x","preview":false}"#, "preview"),
        (r#"{"topic":"x","lastDeliveredDateTime":"yesterday"}"#, "lastDeliveredDateTime"),
        (
            r#"{"topic":"x","lastDeliveredDateTime":"2017-02-29T00:00:00Z"}"#,
            "lastDeliveredDateTime",
        ),
        (r#"{"topic":"x","lastDeliveredDateTime":"2017-01-01T00:00:00"}"#, "lastDeliveredDateTime"),
        (r#"{"topic":"x","lastDeliveredDateTime":1483218152}"#, "lastDeliveredDateTime"),
        (r#"{"topic":"x","subject":"y"}"#, "subject"),
        (r#"{"topic":"x","topic":"y"}"#, "topic"),
        (r#"{"topic":"x","Topic":"y"}"#, "Topic"),
        (r#"{"topic":"\ud800"}"#, "topic"),
        (r#"{"topic":"x \udc00 y"}"#, "topic"),
        (r#"{"topic":"a\u0000b"}"#, "topic"),
        (r#"{"topic":"x","threads":{}}"#, "threads"),
        (r#"{"topic":"x","threads":[{}]}"#, "threads[0].posts"),
        (r#"{"topic":"x","threads":[{"posts":[]}]}"#, "threads[0].posts"),
        (r#"{"topic":"x","threads":[{"posts":[{},{}]}]}"#, "threads[0].posts"),
        (r#"{"topic":"x","threads":[{"posts":[{}]},{"posts":[{}]}]}"#, "threads"),
        (
            r#"{"topic":"x","threads":[{"posts":[{"body":{"contentType":"rtf"}}]}]}"#,
            "threads[0].posts[0].body.contentType",
        ),
        (
            r#"{"topic":"x","threads":[{"posts":[{"body":{"text":"x"}}]}]}"#,
            "threads[0].posts[0].body.text",
        ),
        (
            r#"{"topic":"x","threads":[{"posts":[{"newParticipants":[{"emailAddress":{"name":"x"}}]}]}]}"#,
            "newParticipants[0].emailAddress.address",
        ),
        (
            r#"{"topic":"x","threads":[{"posts":[{"attachments":[{"name":"x","contentBytes":"aGk="}]}]}]}"#,
            "attachments[0]",
        ),
        (
            r##"{"topic":"x","threads":[{"posts":[{"attachments":[{"@odata.type":"#microsoft.graph.fileAttachment","name":"x"}]}]}]}"##,
            "contentBytes",
        ),
        (
            r##"{"topic":"x","threads":[{"posts":[{"attachments":[{"@odata.type":"#microsoft.graph.fileAttachment","name":"x","contentBytes":"%%%"}]}]}]}"##,
            "contentBytes",
        ),
    ] {
        let why = it.refused(body, |it| it.post(body), 400);
        assert!(why.contains(named), "{body}: {why}");
    }
    let why = it.refused(
        "not UTF-8",
        |it| {
            let json = [("Content-Type", "application/json")];
            it.ada.send("POST", &it.path, &json, b"{\"topic\":\"\xff\"}")
        },
        400,
    );
    assert!(why.contains("UTF-8"), "{why}");
}

#[test]
fn a_body_nested_too_deep_is_400() {
    let it = setup();
    let deep = format!("{{\"topic\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let why = it.refused("too deep", |it| it.post(&deep), 400);
    assert!(why.contains("deep"), "{why}");
}

#[test]
fn a_body_over_the_size_limit_is_413() {
    let it = setup();
    let large = json!({"topic": "x", "preview": "y".repeat(4 * 1024 * 1024)}).to_string();
    let why = it.refused("too large", |it| it.post(&large), 413);
    assert!(why.contains("4194304"), "{why}");
    // Without a length in its head.
    it.refused(
        "too large, chunked",
        |it| {
            let headers = [("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")];
            let mut chunked = format!("{:x}\r\n", large.len()).into_bytes();
            chunked.extend_from_slice(large.as_bytes());
            chunked.extend_from_slice(b"\r\n0\r\n\r\n");
            it.ada.send("POST", &it.path, &headers, &chunked)
        },
        413,
    );
}

#[test]
fn who_may_not_and_what_is_not_there_is_refused() {
    let it = setup();
    let bo = it.server.user("bo@example.org");
    let body = json!({"topic": "x"});
    let path = it.path.clone();
    it.refused("not a member", |_| bo.post(&path, &body), 403);
    it.refused(
        "unknown group",
        |it| it.ada.post("/v1.0/groups/8d12587e-587e-8d12-7e58-128d7e58128d/conversations", &body),
        404,
    );
    it.refused("malformed group", |it| it.ada.post("/v1.0/groups/x/conversations", &body), 404);
    it.refused(
        "not joined",
        |_| bo.post(&path.replace("/groups/", "/me/joinedTeams/"), &body),
        404,
    );
    it.refused("no token", |it| it.server.anonymous().post(&path, &body), 401);
    it.refused("no such method", |it| it.ada.send("PUT", &it.path, &[], b""), 405);
    it.refused("no such path", |it| it.ada.post("/v1.0/groups/x/calendar", &body), 501);
}
