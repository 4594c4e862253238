//! Preferences (RFC 7240): what is met is said, what is not is passed over.

use serde_json::json;

use crate::support::{Client, Response, Server};

fn preferring(client: &Client, prefer: &str, path: &str) -> Response {
    client.send("GET", path, &[("Prefer", prefer)], b"")
}

#[test]
fn bodies_come_as_the_kind_of_text_that_is_preferred() {
    const TEXT: &str = "outlook.body-content-type=\"text\"";
    const HTML: &str = "outlook.body-content-type=\"html\"";
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, thread, first] = ada.talk(&group, "x", "one <two>\nthree");
    let thread = format!("/v1.0/groups/{group}/threads/{thread}");
    let html = "<html>\n<body><p>four <b>five</b></p>six</body></html>";
    let reply = json!({"post": {"body": {"contentType": "html", "content": html}}});
    ada.post(&format!("{thread}/reply"), &reply).empty(202);
    let posts = format!("{thread}/posts");
    let body = |kind: &str, content: &str| json!({"contentType": kind, "content": content});
    let stored = [body("text", "one <two>\nthree"), body("html", html)];
    let as_text = [body("text", "one <two>\nthree"), body("text", "four five\nsix")];
    let as_html =
        [body("html", "<html><body>one &lt;two&gt;<br>three</body></html>"), body("html", html)];
    let bodies = |answer: &Response| {
        let value = answer.ok()["value"].as_array().unwrap().clone();
        [value[0]["body"].clone(), value[1]["body"].clone()]
    };
    // Three times each, in turn: kept answers must not be mixed up.
    for _ in 0..3 {
        let plain = ada.get(&posts);
        assert_eq!(bodies(&plain), stored);
        assert_eq!(plain.header("Preference-Applied"), None);
        for (prefer, expected) in [(TEXT, &as_text), (HTML, &as_html)] {
            let answer = preferring(&ada, prefer, &posts);
            assert_eq!(&bodies(&answer), expected);
            assert_eq!(answer.header("Preference-Applied"), Some(prefer));
            assert!(answer.header("Vary").unwrap().contains("Prefer"));
        }
    }
    let one = preferring(&ada, HTML, &format!("{posts}/{first}")).ok();
    assert_eq!(one["body"], as_html[0]);
    let only = preferring(&ada, TEXT, &format!("{posts}?$select=body")).ok();
    assert_eq!(only["value"][1]["body"], as_text[1]);
    let expanded =
        format!("/v1.0/groups/{group}/conversations/{conversation}?$expand=threads($expand=posts)");
    let expanded = preferring(&ada, TEXT, &expanded).ok();
    assert_eq!(expanded["threads"][0]["posts"][1]["body"], as_text[1]);
    let odd = preferring(&ada, "outlook.body-content-type=\"rtf\"", &posts);
    assert_eq!((bodies(&odd), odd.header("Preference-Applied")), (stored, None));
}

/// Whoever wants both kinds of text would ask twice of real Graph.
#[test]
fn both_kinds_of_text_come_in_one_answer() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, first] = ada.talk(&group, "x", "one <two>\nthree");
    let thread = format!("/v1.0/groups/{group}/threads/{thread}");
    let html = "<html>\n<body><p>four <b>five</b></p>six</body></html>";
    let reply = json!({"post": {"body": {"contentType": "html", "content": html}}});
    ada.post(&format!("{thread}/reply"), &reply).empty(202);
    let (text, as_html) = ("@folkmoot.bodyText", "@folkmoot.bodyHtml");
    let posts = format!("{thread}/posts?$select=body,{text},{as_html}");
    let expanded = format!("{thread}?$expand=posts($select=body,{text},{as_html})");
    for prefer in ["", "outlook.body-content-type=\"html\""] {
        let list = preferring(&ada, prefer, &posts).ok();
        let inside = preferring(&ada, prefer, &expanded).ok();
        for posts in [&list["value"], &inside["posts"]] {
            assert_eq!(
                (&posts[0][text], &posts[1][text]),
                (&json!("one <two>\nthree"), &json!("four five\nsix"))
            );
            let of_text = "<html><body>one &lt;two&gt;<br>three</body></html>";
            assert_eq!((&posts[0][as_html], &posts[1][as_html]), (&json!(of_text), &json!(html)));
            let kind = if prefer.is_empty() { "text" } else { "html" };
            assert_eq!(posts[0]["body"]["contentType"], kind);
        }
        assert!(
            list["@odata.context"].as_str().unwrap().ends_with(&format!("(body,{text},{as_html})"))
        );
    }
    let one = format!("{thread}/posts/{first}");
    assert_eq!(ada.get(&format!("{one}?$select={text}")).ok()[text], "one <two>\nthree");
    let whole = ada.get(&format!("{one}?$select=*")).ok();
    assert!(
        whole.get(text).is_none() && whole["body"]["contentType"] == "text",
        "on request alone"
    );
}

#[test]
fn a_page_is_as_large_as_is_preferred_and_so_are_the_next() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    for topic in ["a", "b", "c", "d", "e"] {
        ada.declare(&group, &json!({"topic": topic}));
    }
    let path = format!("/v1.0/groups/{group}/conversations");
    let count = |answer: &Response| answer.ok()["value"].as_array().unwrap().len();
    for (prefer, query, expected) in [
        ("odata.maxpagesize=2", "", 2),
        ("maxpagesize=\"2\", IdType=\"ImmutableId\"", "", 2),
        ("odata.maxpagesize=2", "?$top=3", 2),
        ("odata.maxpagesize=4", "?$top=3", 3),
        ("odata.maxpagesize=0", "", 5),
        ("odata.maxpagesize=many", "", 5),
        ("odata.maxpagesize=100000", "", 5),
    ] {
        for _ in 0..3 {
            let answer = preferring(&ada, prefer, &format!("{path}{query}"));
            assert_eq!(count(&answer), expected, "{prefer} {query}");
        }
    }
    let page = preferring(&ada, "odata.maxpagesize=2", &path);
    assert_eq!(page.header("Preference-Applied"), Some("odata.maxpagesize=2"));
    assert_eq!(preferring(&ada, "odata.maxpagesize=x", &path).header("Preference-Applied"), None);
    // Clients do not repeat the header: the link holds the size.
    let (mut sizes, mut seen, mut page) = (Vec::new(), Vec::new(), page.ok());
    loop {
        let value = page["value"].as_array().unwrap();
        sizes.push(value.len());
        seen.extend(value.iter().map(|it| it["id"].clone()));
        let Some(link) = page["@odata.nextLink"].as_str() else { break };
        let rest = link.split_once(&server.address).unwrap().1.to_owned();
        page = ada.get(&rest).ok();
    }
    seen.dedup();
    assert_eq!((sizes, seen.len()), (vec![2, 2, 1], 5));
    // Inside an entity too.
    let inside = format!("/v1.0/groups/{group}?$expand=conversations");
    let inside = preferring(&ada, "odata.maxpagesize=2", &inside).ok();
    assert_eq!(inside["conversations"].as_array().unwrap().len(), 2);
    let link = inside["conversations@odata.nextLink"].as_str().unwrap();
    let rest = link.split_once(&server.address).unwrap().1;
    assert_eq!(count(&ada.get(rest)), 2);
    // On one entity there is no page to make smaller.
    let one = preferring(&ada, "odata.maxpagesize=2", "/v1.0/me");
    assert_eq!(one.header("Preference-Applied"), None);
}

#[test]
fn a_write_is_answered_as_briefly_as_is_preferred() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations");
    let post = |prefer: &str| {
        let headers = [("Content-Type", "application/json"), ("Prefer", prefer)];
        ada.send("POST", &path, &headers, b"{\"topic\":\"x\"}")
    };
    let brief = post("return=minimal, outlook.body-content-type=\"text\"");
    brief.empty(204);
    assert_eq!(brief.header("Preference-Applied"), Some("return=minimal"));
    let location = brief.header("Location").unwrap();
    assert_eq!(brief.header("OData-EntityId"), Some(location));
    assert!(brief.header("Content-Type").is_none());
    let made = ada.get(location.split_once(&server.address).unwrap().1);
    assert_eq!(made.ok()["topic"], "x");
    assert_eq!(made.header("ETag"), brief.header("ETag"));
    let whole = post("respond-async, Return=Representation; x=1");
    assert_eq!(whole.created()["topic"], "x");
    assert_eq!(whole.header("Preference-Applied"), Some("return=representation"));
    assert!(whole.header("OData-EntityId").is_none());
    let default = post("return=all");
    default.created();
    assert_eq!(default.header("Preference-Applied"), None);
    // What has no entity to answer with stays as it is.
    let members = format!("/v1.0/groups/{group}/members/$ref");
    let bo = server.user("bo@example.org");
    let reference = server.reference(bo.get("/v1.0/me").ok()["id"].as_str().unwrap()).to_string();
    let headers = [("Content-Type", "application/json"), ("Prefer", "return=minimal")];
    let added = ada.send("POST", &members, &headers, reference.as_bytes());
    added.empty(204);
    assert_eq!(added.header("Preference-Applied"), None);
    assert_eq!(added.header("OData-EntityId"), None);
}

#[test]
fn other_preferences_are_met_or_passed_over() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    for (prefer, path, applied) in [
        ("IdType=\"ImmutableId\"", "/v1.0/me", Some("IdType=\"ImmutableId\"")),
        ("odata.track-changes", "/v1.0/groups", Some("odata.track-changes")),
        ("odata.track-changes", "/v1.0/me", None),
        ("respond-async, wait=5; x", "/v1.0/me", None),
        ("odata.continue-on-error, odata.include-annotations=\"*,-x\"", "/v1.0/me", None),
        (",,;;=\"", "/v1.0/me", None),
    ] {
        let answer = preferring(&ada, prefer, path);
        answer.ok();
        assert_eq!(answer.header("Preference-Applied"), applied, "{prefer}");
    }
    let both = ada.send(
        "GET",
        "/v1.0/groups",
        &[("Prefer", "IdType=\"ImmutableId\""), ("prefer", "ODATA.MAXPAGESIZE=7")],
        b"",
    );
    let applied = both.header("Preference-Applied");
    assert_eq!(applied, Some("odata.maxpagesize=7, IdType=\"ImmutableId\""));
    // An error meets nothing.
    let refused = preferring(&ada, "IdType=\"ImmutableId\"", "/v1.0/groups/x");
    assert_eq!((refused.status, refused.header("Preference-Applied")), (404, None));
}
