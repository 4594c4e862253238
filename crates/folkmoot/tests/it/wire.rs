//! What every answer has, and the addresses that need no token.

use crate::support::{Client, Server, over_one_connection};

#[test]
fn answers_carry_the_ids_of_the_request() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let id = "e70c5c1b-8b47-68c0-3171-3d22f5e0bd54";
    let answer = ada.send("GET", "/v1.0/me", &[("client-request-id", id)], b"");
    assert_eq!(answer.header("client-request-id"), Some(id));
    assert_eq!(answer.header("OData-Version"), Some("4.0"));
    let request_id = answer.header("request-id").unwrap();
    assert_eq!(request_id.len(), 36);
    let error = ada.send("GET", "/v1.0/users/no@example.org", &[("client-request-id", id)], b"");
    assert_eq!(error.json()["error"]["innerError"]["client-request-id"], id);
    let own = ada.get("/v1.0/me");
    assert_eq!(own.header("client-request-id"), own.header("request-id"));
}

#[test]
fn the_model_and_the_service_document_need_no_token() {
    let server = Server::ephemeral();
    let anonymous = server.anonymous();
    let metadata = anonymous.get("/v1.0/$metadata");
    assert_eq!(metadata.status, 200);
    assert!(metadata.header("Content-Type").unwrap().starts_with("application/xml"));
    for part in [
        "<edmx:Edmx",
        "EntityType Name=\"conversation\"",
        "Name=\"reply\"",
        "EntitySet Name=\"groups\"",
    ] {
        assert!(metadata.text().contains(part), "{part}");
    }
    for path in ["/v1.0", "/v1.0/", "/beta/"] {
        let document = anonymous.get(path).ok();
        let names: Vec<_> = document["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(names, ["groups", "users", "me", "directoryObjects"], "{path}");
    }
    let preflight =
        anonymous.send("OPTIONS", "/v1.0/me", &[("Origin", "https://example.org")], b"");
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("Access-Control-Allow-Origin"), Some("*"));
    assert!(preflight.header("Access-Control-Allow-Credentials").is_none());
}

#[test]
fn an_entity_has_an_etag_and_a_304() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, thread, _] = ada.talk(&group, "x", "y");
    let path = format!("/v1.0/groups/{group}/conversations/{conversation}");
    let read = ada.get(&path);
    let etag = read.header("ETag").unwrap().to_owned();
    assert_eq!(read.ok()["@odata.etag"], etag.as_str());
    let again = |etag: &str| ada.send("GET", &path, &[("If-None-Match", etag)], b"");
    again(&etag).empty(304);
    again("*").empty(304);
    assert_eq!(again("W/\"x\"").status, 200);
    let reply = serde_json::json!({"post": {"body": {"content": "z"}}});
    ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    assert_eq!(again(&etag).status, 200);
}

#[test]
fn what_is_not_served_says_what_is() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    for path in ["/v1.0/nonsense", "/v1.0/me/messages", "/beta/groups/x/calendar/events"] {
        let why = ada.get(path).refused(501, "NotImplemented");
        assert!(why.contains("groups") && why.contains("docs/"), "{why}");
    }
    let answer = ada.send("PATCH", "/v1.0/me", &[("Content-Type", "application/json")], b"{}");
    answer.refused(405, "ErrorInvalidRequest");
    assert_eq!(answer.header("Allow"), Some("GET"));
    assert_eq!(server.anonymous().get("/nonsense").status, 404);
}

#[test]
fn metadata_none_leaves_only_what_paging_needs() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    ada.talk(&group, "x", "y");
    ada.talk(&group, "x", "y");
    let accept = [("Accept", "application/json;odata.metadata=none")];
    let path = format!("/v1.0/groups/{group}/conversations?$top=1&$count=true");
    let page = ada.send("GET", &path, &accept, b"").ok();
    let names: Vec<_> = page.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["@odata.count", "@odata.nextLink", "value"]);
    assert!(page["value"][0].as_object().unwrap().keys().all(|it| !it.starts_with('@')));
}

#[test]
fn links_follow_a_named_proxy_and_nobody_else() {
    let forwarded = [("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "talk.example.org")];
    let context = |args: &[&str]| {
        let server = Server::with(args);
        let ada = server.user("ada@example.org");
        let me = ada.send("GET", "/v1.0/me", &forwarded, b"").ok();
        (me["@odata.context"].as_str().unwrap().to_owned(), server.address.clone())
    };
    let (trusted, _) = context(&["--trust-proxy", "127.0.0.1"]);
    assert_eq!(trusted, "https://talk.example.org/v1.0/$metadata#users/$entity");
    let (other, address) = context(&["--trust-proxy", "10.0.0.1"]);
    assert_eq!(other, format!("http://{address}/v1.0/$metadata#users/$entity"));
}

/// Answers are kept in memory; what is kept must never outlive what it says, nor reach anybody else.
#[test]
fn what_is_asked_again_is_answered_as_it_is_now() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    let path = format!("/v1.0/groups/{group}/conversations?$select=topic");
    let topics = |client: &Client| {
        let page = client.get(&path).ok();
        page["value"].as_array().unwrap().len()
    };
    assert_eq!([(); 3].map(|()| topics(&ada)), [0; 3]);
    let [conversation, ..] = ada.talk(&group, "x", "y");
    assert_eq!([(); 3].map(|()| topics(&ada)), [1; 3]);
    ada.delete(&format!("/v1.0/groups/{group}/conversations/{conversation}")).empty(204);
    assert_eq!(topics(&ada), 0);

    bo.get(&path).refused(403, "ErrorAccessDenied");
    let bo_id = bo.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    let reference = serde_json::json!({
        "@odata.id": format!("http://{}/v1.0/users/{bo_id}", server.address)
    });
    ada.post(&format!("/v1.0/groups/{group}/members/$ref"), &reference).empty(204);
    assert_eq!([(); 3].map(|()| topics(&bo)), [0; 3]);
    ada.delete(&format!("/v1.0/groups/{group}/members/{bo_id}/$ref")).empty(204);
    bo.get(&path).refused(403, "ErrorAccessDenied");

    // Whoever asks under another name gets links under that name.
    let context = |host: &str| {
        let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
            ada.token
        );
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        answer.split_once("\"@odata.context\":\"").unwrap().1.to_owned()
    };
    // The second time an answer is kept, the third it is given again.
    for host in ["one.example", "two.example"].repeat(3) {
        assert!(context(host).starts_with(&format!("http://{host}/v1.0/")), "{host}");
    }
    let plain = [("Accept", "application/json;odata.metadata=none")];
    let bare = ada.send("GET", &path, &plain, b"").ok();
    assert!(bare.get("@odata.context").is_none(), "{bare}");
}

/// A client that goes on after a refusal must find its connection open, and hear the refusal although
/// it was still sending.
#[test]
fn a_connection_outlives_a_refusal() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let request = |method: &str, path: &str, token: &str, media: &str, body: &[u8]| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: {media}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let path = format!("/v1.0/groups/{group}/conversations");
    let (json, small, large) = ("application/json", b"{\"topic\":\"x\"}", vec![b' '; 8 << 20]);
    let requests = [
        request("POST", &path, "wrong", json, small),
        request("POST", &path, &ada.token, "text/plain", small),
        request("PATCH", "/v1.0/me", &ada.token, json, small),
        request("POST", "/v1.0/nonsense", &ada.token, json, small),
        request("GET", "/v1.0/me", &ada.token, json, small),
        request("POST", &path, &ada.token, json, &large),
        request("POST", &path, &ada.token, json, small),
    ];
    let statuses: Vec<_> =
        over_one_connection(&server.address, &requests).iter().map(|it| it.status).collect();
    assert_eq!(statuses, [401, 415, 405, 501, 200, 413, 201]);
}

#[test]
fn what_has_changed_meanwhile_is_not_removed() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, thread, _] = ada.talk(&group, "x", "y");
    let path = format!("/v1.0/groups/{group}/conversations/{conversation}");
    let seen = ada.get(&path).header("ETag").unwrap().to_owned();
    let reply = serde_json::json!({"post": {"body": {"content": "z"}}});
    ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    let delete = |etag: &str| ada.send("DELETE", &path, &[("If-Match", etag)], b"");
    delete(&seen).refused(412, "ErrorIrresolvableConflict");
    let now = ada.get(&path).header("ETag").unwrap().to_owned();
    delete(&format!("\"x\", {now}")).empty(204);
    ada.get(&path).refused(404, "ErrorItemNotFound");
}

#[test]
fn no_query_option_is_ignored() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, ..] = ada.talk(&group, "x", "y");
    let (group, list) = (format!("/v1.0/groups/{group}"), "conversations");
    for (path, option) in [
        (format!("{group}?$top=1"), "$top"),
        (format!("{group}/{list}/{conversation}?$skip=1"), "$skip"),
        (format!("{group}/{list}/{conversation}?$filter=hasAttachments"), "$filter"),
        (format!("{group}/{list}/{conversation}?$orderby=topic"), "$orderby"),
        (format!("{group}/{list}/{conversation}?$count=true"), "$count"),
        (format!("{group}/{list}/$count?$top=1"), "$top"),
        (format!("{group}/{list}/{conversation}?$search=%22x%22"), "$search"),
        (format!("{group}/{list}?$format=xml"), "$format"),
    ] {
        let why = ada.get(&path).refused(400, "BadRequest");
        assert!(why.contains(option), "{path}: {why}");
    }
    ada.get(&format!("{group}/{list}?$format=json&custom=1")).ok();
    let body = serde_json::json!({"topic": "x"});
    for query in ["$top=1", "$bogus=1", "$select=id", "$filter=%zz"] {
        let answer = ada.post(&format!("{group}/{list}?{query}"), &body);
        assert_eq!(answer.status, 400, "{query}: {}", answer.text());
    }
    assert_eq!(ada.all(&format!("{group}/{list}")).len(), 1);
}

#[test]
fn a_post_without_annotations_is_answered_without() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let headers =
        [("Content-Type", "application/json"), ("Accept", "application/json;odata.metadata=none")];
    let path = format!("/v1.0/groups/{group}/conversations");
    let made = ada.send("POST", &path, &headers, b"{\"topic\":\"x\"}").created();
    assert!(made.as_object().unwrap().keys().all(|it| !it.starts_with('@')), "{made}");
    let packed = [headers[0], ("Content-Encoding", "gzip")];
    let why = ada.send("POST", &path, &packed, b"{\"topic\":\"x\"}").refused(415, "BadRequest");
    assert!(why.contains("gzip"), "{why}");
}

#[test]
fn every_answer_tells_browsers_to_be_careful() {
    let public = ["--public-url", "https://talk.example.org", "--trust-proxy"];
    let server = Server::with(&[&public[..], &["127.0.0.1"]].concat());
    let ada = server.user("ada@example.org");
    for path in
        ["/v1.0", "/v1.0/me", "/v1.0/nonsense", "/healthz", "/openapi.json", "/x", "/upload/x"]
    {
        let answer = ada.get(path);
        assert_eq!(answer.header("X-Content-Type-Options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("Referrer-Policy"), Some("no-referrer"), "{path}");
    }
    // Strict transport is promised over https alone, and the proxy's word that it is counts, nobody else's.
    let strict = |server: &Server, scheme: &str| {
        let sent = [("X-Forwarded-Proto", scheme)];
        let answer = server.anonymous().send("GET", "/v1.0", &sent, b"");
        answer.header("Strict-Transport-Security").map(str::to_owned)
    };
    assert_eq!(strict(&server, "https").as_deref(), Some("max-age=31536000"));
    assert_eq!(strict(&server, "http"), None);
    let other = Server::with(&[&public[..], &["10.0.0.1"]].concat());
    assert_eq!(strict(&other, "https"), None);
    let private = Server::with(&["--trust-proxy", "127.0.0.1"]);
    assert_eq!(strict(&private, "https"), None);
}
