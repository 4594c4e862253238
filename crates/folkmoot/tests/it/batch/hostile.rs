//! What a request in a batch, or a file that it reads, could do to the rest of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::{batch, decoded, get, setup};

/// A file's type and bytes are its sender's: only what this server has written itself is JSON in the answer.
#[test]
fn a_file_cannot_write_the_answer_of_another_request() {
    let it = setup();
    let [_, thread, post] = it.ada.talk(&it.group, "files", "x");
    let files = format!("/groups/{}/threads/{thread}/posts/{post}/attachments", it.group);
    let bytes = r#"{}},{"id":"b","status":200,"headers":{},"body":{"forged":true}"#;
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a",
        "contentType": "application/json", "contentBytes": BASE64_STANDARD.encode(bytes)});
    let id = it.ada.post(&format!("/v1.0{files}"), &file).id();
    let value = format!("{files}/{id}/$value");
    let responses = batch(&it.ada, json!([get("a", &value), get("b", "/nothing")]));
    let ids: Vec<_> = responses.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["a", "b"]);
    assert_eq!(decoded(&responses[0]), bytes);
    assert_eq!(responses[0]["headers"]["Content-Type"], "application/json");
    assert_eq!(responses[1]["status"], 501);
}

#[test]
fn a_batch_in_a_batch_is_refused_however_it_is_written() {
    let it = setup();
    let inner = json!({"requests": [get("x", "/me")]});
    let urls = [
        "/$batch",
        "$batch",
        "/%24batch",
        "/$BATCH/",
        "//$batch",
        "/$batch()",
        "/$batch(1)",
        "/v1.0/$batch",
        "/beta/%24b%61tch",
        "/$batch?x=y",
    ];
    let requests: Vec<_> = urls
        .iter()
        .map(|url| {
            json!({"id": url, "method": "POST", "url": url, "body": inner,
            "headers": {"Content-Type": "application/json"}})
        })
        .collect();
    for response in batch(&it.ada, json!(requests)) {
        assert_eq!(response["status"], 400, "{response}");
        let why = response["body"]["error"]["message"].as_str().unwrap();
        assert!(why.contains("cannot hold another"), "{response}");
    }
}

#[test]
fn an_address_inside_an_address_is_no_other_server() {
    let it = setup();
    let list = format!("/groups/{}/conversations", it.group);
    it.ada.talk(&it.group, "see https://example.org/x", "x");
    let filter = "?$filter=topic eq 'see https://example.org/x'&$select=topic";
    let of = |response: &Value| response["body"]["value"].as_array().map(Vec::len);
    for url in [format!("{list}{filter}"), format!("/v1.0{list}{filter}")] {
        let responses = batch(&it.ada, json!([get("a", &url)]));
        assert_eq!(of(&responses[0]), Some(1), "{}", responses[0]);
    }
    for url in ["http://localhost.example.org/v1.0/me", "HTTPS://example.org/v1.0/me", "ftp://x"] {
        let responses = batch(&it.ada, json!([get("a", url)]));
        assert_eq!(responses[0]["status"], 400, "{}", responses[0]);
        let why = responses[0]["body"]["error"]["message"].as_str().unwrap();
        assert!(why.contains("another server"), "{why}");
    }
}

/// An answer is as its request's client knows it: by the id that the client gave.
#[test]
fn a_refusal_bears_the_id_that_its_client_gave() {
    let it = setup();
    let named = json!({"id": "a", "method": "GET", "url": "/nothing",
        "headers": {"client-request-id": "mine"}});
    let responses = batch(&it.ada, json!([named, get("b", "/nothing")]));
    let ids = |at: usize| responses[at]["body"]["error"]["innerError"].clone();
    assert_eq!(ids(0)["client-request-id"], "mine");
    assert_ne!(ids(0)["request-id"], "mine");
    assert_eq!(ids(1)["client-request-id"], ids(1)["request-id"]);
}

/// A batch's answers hold 16 MiB: to the byte, as they are written, and no more.
#[test]
fn what_all_answers_hold_is_counted_as_it_is_written() {
    let it = setup();
    let [_, thread, post] = it.ada.talk(&it.group, "files", "x");
    let files = format!("/groups/{}/threads/{thread}/posts/{post}/attachments", it.group);
    let file = |size: usize| {
        let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a",
            "contentBytes": BASE64_STANDARD.encode(vec![7_u8; size])});
        format!("{files}/{}/$value", it.ada.post(&format!("/v1.0{files}"), &file).id())
    };
    // Written out, a file takes four bytes for three and two quotes; six of the first kind leave room for
    // one of the second, and for none with a byte more.
    let written = |size: usize| size.div_ceil(3) * 4 + 2;
    let (large, budget) = (2_000_000, 16 * 1024 * 1024);
    let rest = (budget - 6 * written(large) - 2) / 4 * 3;
    let large = file(large);
    for (last, status) in [(file(rest), 200), (file(rest + 1), 413)] {
        let list: Vec<_> = (0..7)
            .map(|at: usize| {
                let url = if at < 6 { &large } else { &last };
                let after: Vec<_> =
                    at.checked_sub(1).map(|it| it.to_string()).into_iter().collect();
                json!({"id": at.to_string(), "method": "GET", "url": url, "dependsOn": after})
            })
            .collect();
        let statuses: Vec<_> =
            batch(&it.ada, json!(list)).iter().map(|it| it["status"].as_i64().unwrap()).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, status]);
    }
}
