//! `$batch`: several requests in one, as every client writes them.

mod hostile;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::{Client, Server};

struct Setup {
    server: Server,
    ada: Client,
    group: String,
}

fn setup() -> Setup {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    Setup { server, ada, group }
}

fn batch(client: &Client, requests: Value) -> Vec<Value> {
    let answer = client.post("/v1.0/$batch", &json!({"requests": requests})).ok();
    answer["responses"].as_array().unwrap().clone()
}

fn get(id: &str, url: &str) -> Value {
    json!({"id": id, "method": "GET", "url": url})
}

fn decoded(response: &Value) -> String {
    let bytes = BASE64_STANDARD.decode(response["body"].as_str().unwrap()).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_spelling_of_an_address_is_understood() {
    let it = setup();
    let group = &it.group;
    it.ada.talk(group, "a topic", "one");
    let context = it.ada.get(&format!("/v1.0/groups/{group}")).ok();
    let context = context["@odata.context"].as_str().unwrap().to_owned();
    let origin = context.split_once("/v1.0").unwrap().0.to_owned();
    let responses = batch(
        &it.ada,
        json!([
            get("0", &format!("/groups/{group}")),
            get("1", &format!("groups('{group}')")),
            get("2", &format!("/v1.0/groups/{group}")),
            get("3", &format!("{origin}/v1.0/groups/{group}")),
            get(
                "4",
                &format!("/groups/{group}/conversations?$filter=topic eq 'a topic'&$select=topic")
            ),
            get("5", &format!("/groups/{group}/conversations?%24filter=topic+eq+%27x%27")),
            get("6", &format!("/groups/{group}/conversations/$count")),
            get("7", &format!("/beta/groups/{group}/threads")),
            get("8", "https://graph.microsoft.com/v1.0/me"),
            get("9", "/$batch"),
            get("10", "/nonsense"),
            json!({"id": "11", "method": "HEAD", "url": "/me"}),
            get("12", &format!("/groups/{group}/threads/x")),
        ]),
    );
    let ids: Vec<_> = responses.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, (0..13).map(|it| it.to_string()).collect::<Vec<_>>());
    for response in &responses[..4] {
        assert_eq!((&response["status"], &response["body"]["id"]), (&json!(200), &json!(group)));
        let content_type = response["headers"]["Content-Type"].as_str().unwrap();
        assert!(content_type.starts_with("application/json"), "{content_type}");
        assert!(response["headers"]["ETag"].is_string());
        assert_eq!(response["headers"]["OData-Version"], "4.0");
        assert_eq!(response["headers"]["Cache-Control"], "private");
    }
    assert_eq!(responses[4]["body"]["value"][0]["topic"], "a topic");
    assert_eq!(responses[5]["body"]["value"], json!([]));
    assert_eq!(decoded(&responses[6]), "1");
    assert!(responses[7]["body"]["@odata.context"].as_str().unwrap().contains("/beta/$metadata"));
    for (at, status, named) in [
        (8, 400, "another server"),
        (9, 400, "cannot hold another"),
        (10, 501, "nonsense"),
        (11, 400, "HEAD"),
        (12, 404, "not found"),
    ] {
        let response = &responses[at];
        assert_eq!(response["status"], status, "{response}");
        let error = &response["body"]["error"];
        assert!(error["message"].as_str().unwrap().contains(named), "{error}");
        assert!(error["innerError"]["request-id"].is_string());
    }
}

#[test]
fn bodies_come_as_objects_and_as_base64() {
    let it = setup();
    let url = format!("/groups/{}/conversations", it.group);
    let talk =
        |topic: &str| json!({"topic": topic, "threads": [{"posts": [{"body": {"content": "x"}}]}]});
    let responses = batch(
        &it.ada,
        json!([
            {"id": "a", "method": "post", "url": url, "body": talk("object"),
             "headers": {"content-type": "application/json", "Prefer": "return=minimal"}},
            {"id": "b", "method": "POST", "url": url, "body": BASE64_STANDARD.encode(talk("packed").to_string())},
            {"id": "c", "method": "POST", "url": url, "body": "no base64!"},
            {"id": "d", "method": "POST", "url": url, "body": talk("x"), "headers": {"Content-Type": "text/xml"}},
            {"id": "e", "method": "POST", "url": url},
            {"id": "f", "method": "POST", "url": url, "body": {"topic": 1}, "headers": {"Content-Type": "application/json"}},
            {"id": "g", "method": "GET", "url": "/me", "headers": {"bad header": "x"}},
        ]),
    );
    let statuses: Vec<_> = responses.iter().map(|it| it["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [204, 201, 400, 415, 400, 400, 400]);
    assert!(responses[0].get("body").is_none());
    assert!(responses[0]["headers"]["Location"].as_str().unwrap().contains("/conversations/"));
    assert_eq!(responses[0]["headers"]["Preference-Applied"], "return=minimal");
    assert_eq!(responses[1]["body"]["topic"], "packed");
    let mut topics: Vec<_> =
        it.ada.all(&format!("/v1.0{url}")).iter().map(|it| it["topic"].clone()).collect();
    topics.sort_by_key(ToString::to_string);
    assert_eq!(topics, ["object", "packed"]);
}

#[test]
fn a_request_waits_for_those_it_depends_on() {
    let it = setup();
    let url = format!("/groups/{}/conversations", it.group);
    let add = |id: &str, topic: &str, after: Value| {
        json!({"id": id, "method": "POST", "url": url, "dependsOn": after,
            "headers": {"Content-Type": "application/json"}, "body": {"topic": topic}})
    };
    let count = |id: &str, after: Value| json!({"id": id, "method": "GET", "url": format!("{url}/$count"), "dependsOn": after});
    // A diamond, written from its end.
    let responses = batch(
        &it.ada,
        json!([
            count("end", json!(["left", "RIGHT"])),
            add("left", "l", json!(["start"])),
            add("right", "r", json!(["start"])),
            count("middle", json!(["start"])),
            add("start", "s", json!([])),
        ]),
    );
    assert_eq!(decoded(&responses[0]), "3");
    assert!(["1", "2", "3"].contains(&&*decoded(&responses[3])));
    let bad = json!({"id": "bad", "method": "DELETE", "url": "/nothing", "depends_on": []});
    let responses = batch(
        &it.ada,
        json!([
            bad,
            add("next", "never", json!(["bad"])),
            add("last", "never", json!(["next"])),
            add("other", "yes", json!([])),
        ]),
    );
    let statuses: Vec<_> = responses.iter().map(|it| it["status"].as_i64().unwrap()).collect();
    assert_eq!(statuses, [501, 424, 424, 201]);
    assert_eq!(responses[1]["body"]["error"]["code"], "FailedDependency");
    assert_eq!(it.ada.all(&format!("/v1.0{url}?$filter=topic%20eq%20'never'")).len(), 0);
}

/// Nothing of a batch that means nothing is carried out.
#[test]
fn a_batch_that_means_nothing_is_refused_whole() {
    let it = setup();
    let requests =
        |count: usize| (0..count).map(|at| get(&at.to_string(), "/me")).collect::<Vec<_>>();
    assert_eq!(batch(&it.ada, json!(requests(20))).len(), 20);
    let with =
        |after: Value| json!([{"id": "a", "method": "GET", "url": "/me", "dependsOn": after}]);
    for (requests, named) in [
        (json!(requests(21)), "1 to 20"),
        (json!([]), "1 to 20"),
        (json!("x"), "'requests'"),
        (json!([get("a", "/me"), get("A", "/me")]), "'A'"),
        (with(json!(["b"])), "'b'"),
        (with(json!(["a"])), "itself"),
        (with(json!("a")), "dependsOn"),
        (json!([{"id": "a", "url": "/me"}]), "method"),
    ] {
        let body = json!({"requests": requests});
        let why = it.ada.post("/v1.0/$batch", &body).refused(400, "BadRequest");
        assert!(why.contains(named), "{requests}: {why}");
    }
    it.ada.get("/v1.0/$batch").refused(405, "ErrorInvalidRequest");
    it.server
        .anonymous()
        .post("/v1.0/$batch", &json!({"requests": []}))
        .refused(401, "InvalidAuthenticationToken");
    let strict = Server::with(&["--strict-graph"]);
    let eve = strict.user("eve@example.org");
    let fan = json!({"requests": [get("a", "/me"), get("b", "/me"),
        {"id": "c", "method": "GET", "url": "/me", "dependsOn": ["a"]},
        {"id": "d", "method": "GET", "url": "/me", "dependsOn": ["b"]}]});
    let row = json!({"requests": [get("a", "/me"),
        {"id": "c", "method": "GET", "url": "/me", "dependsOn": ["a"]}]});
    assert!(eve.post("/v1.0/$batch", &fan).refused(400, "BadRequest").contains("fully sequential"));
    eve.post("/v1.0/$batch", &row).ok();
    it.ada.post("/v1.0/$batch", &fan).ok();
}

/// Each is asked for its own right, with the batch's token.
#[test]
fn a_batch_opens_nothing() {
    let it = setup();
    let eve = it.server.user("eve@example.org");
    let reader = it.server.user_with("ada@example.org", &["Group-Conversation.Read.All"]);
    let url = format!("/groups/{}/conversations", it.group);
    let add = json!({"id": "b", "method": "POST", "url": url, "body": {"topic": "x"},
        "headers": {"Content-Type": "application/json"}});
    for (client, read, write) in [(&it.ada, 200, 201), (&eve, 403, 403), (&reader, 200, 403)] {
        let responses = batch(client, json!([get("a", &url), add]));
        assert_eq!(
            [&responses[0]["status"], &responses[1]["status"]],
            [&json!(read), &json!(write)]
        );
        let alone = client.get(&format!("/v1.0{url}")).status;
        assert_eq!(json!(alone), responses[0]["status"]);
    }
    let with = |token: &str| json!([{"id": "a", "method": "GET", "url": url, "headers": {"Authorization": token}}]);
    let responses = batch(&eve, with("Bearer another"));
    assert_eq!(responses[0]["status"], 400);
    assert!(responses[0]["body"]["error"]["message"].as_str().unwrap().contains("Authorization"));
}

/// The answers of a batch share what one answer may hold; what goes beyond says so.
#[test]
fn answers_share_a_budget() {
    let it = setup();
    let content = "x".repeat(200_000);
    let [_, thread, _] = it.ada.talk(&it.group, "long", &content);
    let posts = format!("/groups/{}/threads/{thread}/posts", it.group);
    for _ in 0..3 {
        let reply = json!({"post": {"body": {"content": content}}});
        it.ada
            .post(&format!("/v1.0/groups/{}/threads/{thread}/reply", it.group), &reply)
            .empty(202);
    }
    let all = it.ada.get(&format!("/v1.0{posts}")).ok();
    assert_eq!(all["value"].as_array().unwrap().len(), 4);
    let list: Vec<_> = (0..20).map(|at| get(&at.to_string(), &posts)).collect();
    for response in batch(&it.ada, json!(list)) {
        let body = &response["body"];
        assert!(body["value"].as_array().unwrap().len() < 4, "{}", response["status"]);
        assert!(body["@odata.nextLink"].is_string());
    }
    // The page that is kept for a request by itself is not that of a batch.
    assert_eq!(it.ada.get(&format!("/v1.0{posts}")).ok(), all);
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a",
        "contentBytes": BASE64_STANDARD.encode(vec![7_u8; 2_000_000])});
    let post = all["value"][0]["id"].as_str().unwrap();
    let added = it.ada.post(&format!("/v1.0{posts}/{post}/attachments"), &file).id();
    let value = format!("{posts}/{post}/attachments/{added}/$value");
    let list: Vec<_> = (0..12).map(|at| get(&at.to_string(), &value)).collect();
    let statuses: Vec<_> =
        batch(&it.ada, json!(list)).iter().map(|it| it["status"].as_i64().unwrap()).collect();
    assert!(statuses.contains(&200) && statuses.contains(&413), "{statuses:?}");
}

/// PostgreSQL writes into every row which transaction made it.
#[test]
fn writes_that_do_not_wait_for_each_other_share_commits() {
    let it = setup();
    if !it.server.on_postgres() {
        return;
    }
    let url = format!("/groups/{}/conversations", it.group);
    let add = |at: usize| {
        json!({"id": at.to_string(), "method": "POST", "url": url,
        "headers": {"Content-Type": "application/json"}, "body": {"topic": "x"}})
    };
    let commits = "select count(distinct xmin::text) from conversations";
    let responses = batch(&it.ada, json!((0..20).map(add).collect::<Vec<_>>()));
    assert!(responses.iter().all(|it| it["status"] == 201), "{responses:?}");
    assert!(it.server.number(commits) < 20);
}
