//! Forms and versions of answers: `Accept`, `$format`, OData's versions, packing, HEAD, other origins.

use std::io::Read as _;

use serde_json::{Value, json};

use crate::support::{Client, Response, Server};

fn accepting(client: &Client, accept: &str, path: &str) -> Response {
    client.send("GET", path, &[("Accept", accept)], b"")
}

#[test]
fn what_a_client_does_not_take_is_not_sent() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let conversations = format!("/v1.0/groups/{group}/conversations");
    for accept in [
        "application/json",
        "*/*",
        "",
        "application/*;q=0.1",
        "Application/Json; odata.metadata=minimal; odata.streaming=true; IEEE754Compatible=false",
        "application/json;charset=utf-8, text/plain, */*",
        "text/html, */*;q=0.1",
    ] {
        // Three times: answers are kept, for whoever takes them.
        for _ in 0..3 {
            let answer = accepting(&ada, accept, &conversations);
            answer.ok();
            let media = answer.header("Content-Type").unwrap();
            assert!(media.starts_with("application/json;odata.metadata=minimal;"), "{accept}");
        }
    }
    for accept in
        ["text/html", "application/xml", "application/json;q=0", "*/*;q=0, text/*", "json"]
    {
        for path in ["/v1.0/me", &conversations, "/v1.0"] {
            let why = accepting(&ada, accept, path).refused(406, "BadRequest");
            assert!(why.contains("application/json"), "{why}");
        }
        let headers = [("Content-Type", "application/json"), ("Accept", accept)];
        let post = ada.send("POST", &conversations, &headers, b"{\"topic\":\"x\"}");
        post.refused(406, "BadRequest");
        // What stands in the address stands above the header.
        let format = format!("{conversations}?$format=json");
        accepting(&ada, accept, &format).ok();
    }
    assert_eq!(ada.all(&conversations).len(), 0, "a refused write has written");
    let format = |format: &str| ada.get(&format!("{conversations}?$format={format}"));
    let level = |answer: &Response| answer.header("Content-Type").unwrap().to_owned();
    assert!(level(&format("application/json;odata.metadata=full")).contains("metadata=full"));
    assert!(level(&format("json%3Bmetadata=none")).contains("metadata=none"));
    for other in ["atom", "xml", "application/atom%2Bxml", "text/json"] {
        format(other).refused(400, "BadRequest");
    }
    // Nothing is sent back that could be refused.
    let id = ada.declare(&group, &json!({"topic": "x"}));
    let deleted =
        ada.send("DELETE", &format!("{conversations}/{id}"), &[("Accept", "text/html")], b"");
    deleted.empty(204);
}

#[test]
fn counts_files_and_the_model_have_forms_of_their_own() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let count = format!("/v1.0/groups/{group}/conversations/$count");
    ada.declare(&group, &json!({"topic": "x"}));
    for accept in ["text/plain", "*/*", "application/json", "application/json;odata.metadata=none"]
    {
        let answer = accepting(&ada, accept, &count);
        assert_eq!((answer.status, &answer.body[..]), (200, &b"1"[..]), "{accept}");
        assert_eq!(answer.header("Content-Type"), Some("text/plain"));
    }
    let [_, thread, _] = ada.talk(&group, "x", "y");
    let thread = format!("/v1.0/groups/{group}/threads/{thread}");
    let file = json!({"@odata.type": "fileAttachment", "name": "a", "contentBytes": "aGk="});
    let reply = json!({"post": {"body": {"content": "z"}, "attachments": [file]}});
    ada.post(&format!("{thread}/reply"), &reply).empty(202);
    let posts = ada.all(&format!("{thread}/posts?$expand=attachments"));
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    let (post, file) = (id(&posts[1]), id(&posts[1]["attachments"][0]));
    let value = format!("{thread}/posts/{post}/attachments/{file}/$value");
    for accept in ["application/octet-stream", "image/png", "application/json"] {
        assert_eq!(accepting(&ada, accept, &value).text(), "hi", "{accept}");
    }
    let anonymous = server.anonymous();
    for accept in ["application/xml", "application/xml, application/json;q=0.8", "*/*", ""] {
        let answer = accepting(&anonymous, accept, "/v1.0/$metadata");
        assert_eq!(answer.status, 200, "{accept}");
        assert!(answer.header("Content-Type").unwrap().starts_with("application/xml"));
    }
    accepting(&anonymous, "application/json", "/v1.0/$metadata").refused(406, "BadRequest");
    assert_eq!(accepting(&anonymous, "text/html", "/v1.0/$metadata?$format=xml").status, 200);
    anonymous.get("/v1.0/$metadata?$format=json").refused(400, "BadRequest");
    for path in ["/v1.0/$metadata", "/v1.0"] {
        anonymous.post(path, &json!({})).refused(405, "ErrorInvalidRequest");
    }
}

#[test]
fn versions_before_4_0_are_refused() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let with = |name: &str, value: &str| ada.send("GET", "/v1.0/me", &[(name, value)], b"");
    for (name, value) in [
        ("OData-MaxVersion", "4.0"),
        ("OData-MaxVersion", "4.01"),
        ("OData-MaxVersion", "4.0;NetFx"),
        ("OData-Version", "4.0"),
        ("OData-Version", "4.01"),
    ] {
        let answer = with(name, value);
        answer.ok();
        assert_eq!(answer.header("OData-Version"), Some("4.0"), "{name}: {value}");
    }
    for (name, value) in [
        ("OData-MaxVersion", "3.0"),
        ("OData-MaxVersion", "latest"),
        ("OData-MaxVersion", "-4.0"),
        ("OData-Version", "3.0"),
        ("OData-Version", "5.0"),
        ("OData-Version", "4.0, 4.0"),
    ] {
        let why = with(name, value).refused(400, "BadRequest");
        assert!(why.contains(value) && why.to_lowercase().contains(&name.to_lowercase()), "{why}");
    }
}

#[test]
fn large_answers_are_packed_for_who_takes_them_so() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    for topic in 0..20 {
        ada.declare(&group, &json!({"topic": format!("{topic} and more of it")}));
    }
    let path = format!("/v1.0/groups/{group}/conversations");
    let taking = |how: &str, path: &str| ada.send("GET", path, &[("Accept-Encoding", how)], b"");
    let plain = ada.get(&path);
    assert_eq!(plain.header("Content-Encoding"), None);
    for how in ["gzip", "gzip, deflate, br", "br;q=1, GZIP;q=0.5"] {
        let packed = taking(how, &path);
        assert_eq!(packed.header("Content-Encoding"), Some("gzip"), "{how}");
        assert!(packed.body.len() < plain.body.len() / 2);
        let mut body = Vec::new();
        flate2::read::GzDecoder::new(&packed.body[..]).read_to_end(&mut body).unwrap();
        assert!(body == plain.body, "{how}");
        assert_eq!(packed.header("Content-Type"), plain.header("Content-Type"));
        let vary = |it: &Response| it.header("Vary").unwrap().contains("Accept-Encoding");
        assert!(vary(&packed) && vary(&plain));
    }
    for how in ["identity", "gzip;q=0", "br"] {
        let answer = taking(how, &path);
        assert_eq!(answer.header("Content-Encoding"), None, "{how}");
        assert!(answer.body == plain.body, "{how}");
    }
    assert_eq!(taking("gzip", "/v1.0/me?$select=id").header("Content-Encoding"), None);
    assert_eq!(taking("gzip", "/v1.0/$metadata").header("Content-Encoding"), Some("gzip"));
    // A file comes as it is, though it says that it is JSON and is large enough.
    let [_, thread, _] = ada.talk(&group, "x", "y");
    let thread = format!("/v1.0/groups/{group}/threads/{thread}");
    let file = json!({
        "@odata.type": "fileAttachment", "name": "a", "contentType": "application/json;x=y",
        "contentBytes": "e319".repeat(1000)
    });
    let reply = json!({"post": {"body": {"content": "z"}, "attachments": [file]}});
    ada.post(&format!("{thread}/reply"), &reply).empty(202);
    let posts = ada.all(&format!("{thread}/posts?$expand=attachments"));
    let id = |it: &Value| it["id"].as_str().unwrap().to_owned();
    let (post, file) = (id(&posts[1]), id(&posts[1]["attachments"][0]));
    let value = taking("gzip", &format!("{thread}/posts/{post}/attachments/{file}/$value"));
    assert_eq!((value.header("Content-Encoding"), value.body.len()), (None, 3000));
}

#[test]
fn a_head_has_the_headers_of_its_get() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, ..] = ada.talk(&group, "x", "y");
    let list = format!("/v1.0/groups/{group}/conversations");
    for path in [
        "/v1.0".to_owned(),
        "/v1.0/$metadata".to_owned(),
        "/v1.0/me".to_owned(),
        format!("{list}/$count"),
        format!("{list}/{conversation}"),
        format!("{list}?$top=1&$count=true"),
        "/v1.0/groups/x".to_owned(),
        "/v1.0/nonsense".to_owned(),
    ] {
        let headers = [("Prefer", "odata.maxpagesize=1"), ("client-request-id", "a")];
        let told = |method: &str| {
            let answer = ada.send(method, &path, &headers, b"");
            let mut headers = answer.headers.clone();
            headers.retain(|(name, _)| !["date", "request-id"].contains(&name.as_str()));
            headers.sort();
            (answer.status, headers, answer.body.is_empty())
        };
        let (get, head) = (told("GET"), told("HEAD"));
        assert_eq!((get.0, get.1), (head.0, head.1), "{path}");
        assert!(head.2 && !get.2, "{path}");
    }
    ada.send("HEAD", &format!("{list}/$ref"), &[], b"").empty(405);
}

#[test]
fn an_etag_is_found_in_any_list_with_and_without_its_mark() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let id = ada.declare(&group, &json!({"topic": "x"}));
    let path = format!("/v1.0/groups/{group}/conversations/{id}");
    let etag = ada.get(&path).header("ETag").unwrap().to_owned();
    let strong = etag.strip_prefix("W/").unwrap();
    let list = format!("\"a,b\", W/\"c\",{etag}");
    for known in [&etag, strong, &list, "\"x\" , *"] {
        // Three times: answers are kept.
        for _ in 0..3 {
            let same = ada.send("GET", &path, &[("If-None-Match", known)], b"");
            same.empty(304);
            assert_eq!(same.header("ETag"), Some(etag.as_str()), "{known}");
        }
    }
    let lines = [("If-None-Match", "\"x\""), ("If-None-Match", etag.as_str())];
    ada.send("GET", &path, &lines, b"").empty(304);
    let part = format!("\"{}, {strong}\"", "x");
    for known in ["", "\"x\"", "W/", &part[..4]] {
        ada.send("GET", &path, &[("If-None-Match", known)], b"").ok();
    }
    let delete = |tags: &[&str]| {
        let headers: Vec<_> = tags.iter().map(|it| ("If-Match", *it)).collect();
        ada.send("DELETE", &path, &headers, b"")
    };
    delete(&["\"x\"", "W/\"y\""]).refused(412, "ErrorIrresolvableConflict");
    delete(&["\"x\"", strong]).empty(204);
}

#[test]
fn pages_of_other_origins_may_call_the_api_and_nothing_else() {
    const EXPOSED: [&str; 9] = [
        "Preference-Applied",
        "OData-Version",
        "OData-EntityId",
        "Retry-After",
        "Location",
        "ETag",
        "WWW-Authenticate",
        "request-id",
        "client-request-id",
    ];
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let origin = ("Origin", "https://example.org");
    let allowed =
        |answer: &Response| answer.header("Access-Control-Allow-Origin").map(str::to_owned);
    for (method, path) in [("GET", "/v1.0/me"), ("GET", "/beta/nonsense"), ("POST", "/v1.0/me")] {
        let answer = ada.send(method, path, &[origin], b"");
        assert_eq!(allowed(&answer).as_deref(), Some("*"), "{path}");
        assert_eq!(answer.header("Access-Control-Allow-Credentials"), None);
        let exposed = answer.header("Access-Control-Expose-Headers").unwrap();
        let exposed: Vec<_> = exposed.split(", ").collect();
        assert!(EXPOSED.iter().all(|it| exposed.contains(it)), "{exposed:?}");
    }
    let preflight = |path: &str| {
        let headers = [
            origin,
            ("Access-Control-Request-Method", "PATCH"),
            ("Access-Control-Request-Headers", "authorization, prefer, if-match, odata-maxversion"),
        ];
        server.anonymous().send("OPTIONS", path, &headers, b"")
    };
    let answer = preflight("/v1.0/groups/x/conversations");
    answer.empty(204);
    assert!(answer.header("Access-Control-Allow-Methods").unwrap().contains("PATCH"));
    // A star does not stand for Authorization.
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("*, Authorization"));
    for path in ["/healthz", "/readyz", "/", "/_test/token", "/v1.0x"] {
        assert_eq!(allowed(&preflight(path)), None, "{path}");
        let get = server.anonymous().send("GET", path, &[origin], b"");
        assert_eq!(allowed(&get), None, "{path}");
    }
}
