//! How much an answer says about itself: `odata.metadata=none`, `minimal` and `full`.

use serde_json::{Value, json};

use crate::support::{Client, Response, Server};

const FULL: &str = "application/json;odata.metadata=full";
const NONE: &str = "application/json;odata.metadata=none";

fn at(client: &Client, level: &str, path: &str) -> Response {
    client.send("GET", path, &[("Accept", level)], b"")
}

/// A post with an attachment, dynamic members and a category; its address.
fn rich_post(ada: &Client, group: &str) -> [String; 4] {
    let [conversation, thread, _] = ada.talk(group, "topic", "hello");
    let reply = json!({"post": {
        "body": {"contentType": "html", "content": "<p>hi</p>"},
        "categories": ["a"],
        "mood": "good",
        "attachments": [{
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": "a.txt", "contentType": "text/x-note", "contentBytes": "aGk="
        }]
    }});
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
    ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    let all = ada.all(&posts);
    let post = all.last().unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("{posts}/{post}");
    let files = ada.all(&format!("{path}/attachments"));
    [conversation, thread, path, files[0]["id"].as_str().unwrap().to_owned()]
}

/// The names of all members, at every depth, with the way to them.
fn names(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                out.push(format!("{at}/{name}"));
                names(value, &format!("{at}/{name}"), out);
            }
        }
        Value::Array(items) => items.iter().for_each(|it| names(it, at, out)),
        _ => {}
    }
}

#[test]
fn the_full_level_says_types_and_ways() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [conversation, ..] = rich_post(&ada, &group);
    let root = format!("http://{}/v1.0", server.address);
    let own = format!("{root}/groups/{group}/conversations/{conversation}");
    let path = format!("/v1.0/groups/{group}/conversations/{conversation}");

    let answer = at(&ada, FULL, &path);
    let media = answer.header("Content-Type").unwrap();
    assert!(media.starts_with("application/json;odata.metadata=full;"), "{media}");
    let one = answer.ok();
    assert_eq!(
        one["@odata.context"],
        format!("{root}/$metadata#groups('{group}')/conversations/$entity")
    );
    assert_eq!(one["@odata.type"], "#microsoft.graph.conversation");
    assert_eq!([&one["@odata.id"], &one["@odata.editLink"]], [own.as_str(); 2]);
    assert_eq!(one["@odata.etag"].as_str(), answer.header("ETag"));
    assert_eq!(one["lastDeliveredDateTime@odata.type"], "#DateTimeOffset");
    assert_eq!(one["uniqueSenders@odata.type"], "#Collection(String)");
    for plain in ["id", "topic", "hasAttachments", "preview"] {
        assert!(one.get(format!("{plain}@odata.type")).is_none(), "{plain}");
    }
    assert_eq!(one["threads@odata.navigationLink"], format!("{own}/threads"));
    assert_eq!(one["threads@odata.associationLink"], format!("{own}/threads/$ref"));

    // A row says the same of itself as the entity does.
    let page = at(&ada, FULL, &format!("/v1.0/groups/{group}/conversations")).ok();
    let mut same = one.clone();
    same.as_object_mut().unwrap().remove("@odata.context");
    assert_eq!(page["value"][0], same);
    // What is not selected has no link either, and the link of what is expanded stands before it.
    let few = at(&ada, FULL, &format!("{path}?$select=topic&$expand=threads($select=id)"));
    let text = few.text();
    let few = few.ok();
    assert_eq!(
        few["threads"][0]["@odata.id"].as_str().unwrap().rsplit_once('/').unwrap().0,
        format!("{own}/threads")
    );
    assert!(few["threads"][0].get("posts@odata.navigationLink").is_none(), "{few}");
    let before = format!("\"threads@odata.navigationLink\":\"{own}/threads\",\"threads\":[");
    assert!(text.contains(&before), "{text}");
    let narrow = at(&ada, FULL, &format!("{path}?$select=topic")).text();
    assert!(!narrow.contains("navigationLink"), "{narrow}");
}

#[test]
fn the_full_level_of_posts_and_files() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [.., path, file] = rich_post(&ada, &group);
    let own = format!("http://{}{path}", server.address);
    let post = at(&ada, FULL, &path).ok();
    assert_eq!(post["@odata.id"], own.as_str());
    assert_eq!(post["body"]["@odata.type"], "#microsoft.graph.itemBody");
    assert_eq!(post["body"]["contentType@odata.type"], "#microsoft.graph.bodyType");
    assert_eq!(post["from"]["emailAddress"]["@odata.type"], "#microsoft.graph.emailAddress");
    assert_eq!(post["mood"], "good");
    assert_eq!(post["attachments@odata.navigationLink"], format!("{own}/attachments"));
    let files = at(&ada, FULL, &format!("{path}/attachments")).ok();
    let of_file = format!("{own}/attachments/{file}");
    let it = &files["value"][0];
    assert_eq!(it["@odata.type"], "#microsoft.graph.fileAttachment");
    assert_eq!(it["@odata.mediaReadLink"], format!("{of_file}/$value"));
    assert_eq!(it["@odata.mediaContentType"], "text/x-note");
    assert_eq!(it["contentBytes@odata.type"], "#Binary");
    // The links lead somewhere.
    let read = format!("{path}/attachments/{file}/$value");
    assert_eq!(ada.get(&read).text(), "hi");
}

#[test]
fn whoever_has_a_set_of_their_own_is_found_there() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let root = format!("http://{}/v1.0", server.address);
    let me = at(&ada, FULL, "/v1.0/me").ok();
    let user = format!("{root}/users/{}", me["id"].as_str().unwrap());
    assert_eq!(me["@odata.id"], user.as_str());
    assert_eq!(me["memberOf@odata.navigationLink"], format!("{user}/memberOf"));
    assert!(me.get("joinedGroups@odata.navigationLink").is_none(), "{me}");
    let owners = at(&ada, FULL, &format!("/v1.0/groups/{group}/owners")).ok();
    assert_eq!(owners["value"][0]["@odata.id"], user.as_str());
    let of_me = at(&ada, FULL, "/v1.0/me/joinedTeams").ok();
    assert_eq!(of_me["value"][0]["@odata.id"], format!("{root}/groups/{group}"));
    let threads = format!("/v1.0/me/joinedTeams/{group}/conversations");
    let [conversation, ..] = ada.talk(&group, "x", "y");
    let listed = at(&ada, FULL, &threads).ok();
    let id = format!("{root}/groups/{group}/conversations/{conversation}");
    assert_eq!(listed["value"][0]["@odata.id"], id);
}

#[test]
fn a_write_is_answered_at_the_level_that_is_asked_for() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations");
    let body = br##"{"@odata.type": "#microsoft.graph.conversation", "topic": "x"}"##;
    let post = |accept: &str| {
        let headers = [("Content-Type", "application/json"), ("Accept", accept)];
        ada.send("POST", &path, &headers, body)
    };
    let made = post(FULL);
    let entity = made.created();
    assert_eq!(entity["@odata.id"].as_str(), made.header("Location"));
    // One of each name: a parser keeps the last of two.
    assert_eq!(made.text().matches("\"@odata.type\"").count(), 1, "{entity}");
    assert!(made.header("Content-Type").unwrap().contains("odata.metadata=full"));
    let made = post(NONE);
    assert!(made.header("Content-Type").unwrap().contains("odata.metadata=none"));
    assert!(!made.text().contains("@odata"), "{}", made.text());
    assert_eq!(post("application/json").created()["@odata.type"], "#microsoft.graph.conversation");
}

#[test]
fn no_annotation_is_left_anywhere_at_the_level_none() {
    let server = Server::with(&["--trust-proxy", "127.0.0.1"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, post, _] = rich_post(&ada, &group);
    let group = format!("/v1.0/groups/{group}");
    for path in [
        "/v1.0".to_owned(),
        "/v1.0/me".to_owned(),
        "/v1.0/groups?$expand=members,owners".to_owned(),
        format!(
            "{group}/conversations?$count=true&$expand=threads($expand=posts($expand=attachments))"
        ),
        format!("{group}/threads/{thread}/posts?$top=1&$count=true"),
        format!(
            "{group}/conversations?$expand=threads($count=true;$expand=posts($top=1;$count=true))"
        ),
        format!("{post}?$expand=attachments"),
    ] {
        // From Accept and from $format, twice and once more, since answers are kept.
        let sign = if path.contains('?') { '&' } else { '?' };
        let asked = format!("{path}{sign}$format=application/json;odata.metadata=none");
        for answer in [
            at(&ada, NONE, &path),
            at(&ada, NONE, &path),
            at(&ada, FULL, &asked),
            at(&ada, FULL, &asked),
            at(&ada, FULL, &asked),
        ] {
            assert!(answer.header("Content-Type").unwrap().contains("metadata=none"), "{path}");
            let mut all = Vec::new();
            names(&answer.ok(), "", &mut all);
            let left = |it: &&String| {
                it.contains('@')
                    && !it.ends_with("@odata.nextLink")
                    && !it.ends_with("@odata.count")
            };
            assert_eq!(all.iter().find(left), None, "{path}");
        }
    }
    // A link to the next page is there, and leads back through the proxy.
    let forwarded = [
        ("Accept", NONE),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "talk.example.org"),
    ];
    let page = ada.send("GET", &format!("{group}/threads/{thread}/posts?$top=1"), &forwarded, b"");
    let page = page.ok();
    let link = page["@odata.nextLink"].as_str().unwrap();
    let rest = link.strip_prefix("https://talk.example.org").unwrap();
    let next = ada.send("GET", rest, &forwarded, b"").ok();
    assert_eq!(next["value"].as_array().unwrap().len(), 1);
    assert_ne!(next["value"][0]["id"], page["value"][0]["id"]);
}
