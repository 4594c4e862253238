//! What real Graph clients send, a test a fact: eleven of them were listened to, unmodified (msgraph-sdk for
//! Python and kiota's others, the two JavaScript clients, m365, office365-rest, O365, odata2ts, odatapy,
//! python-odata, graph-rs).
//!
//! Some facts have their test elsewhere already:
//!
//! | fact | tested in |
//! | --- | --- |
//! | parameters of actions in any letter case | here, and `conversations.rs` with a qualified action |
//! | types in any spelling on every object | here |
//! | ids raw, encoded and in parentheses; trailing slashes; qualified actions | here; of the seed's operation `seed.rs` |
//! | spellings of a query | here |
//! | a nextLink is followed verbatim | here; its origin behind a proxy in `wire.rs` |
//! | forms of Accept | here; `odata.metadata=none` in `wire.rs` |
//! | counts are text; `$metadata` and the service document need no token | `query.rs`; `wire.rs` |
//! | empty answers | here |
//! | upload sessions; batches | `uploads.rs` and `limits.rs`; `batch.rs` |
//! | subscriptions | not here: there are none yet |
//! | errors | here; each code where its rule is tested |
//! | bodies: times with offsets; a file without its bytes | here and `seed.rs`; `bad_input.rs` |
//! | headers that must not disturb | here; the echoed id in `wire.rs` |
//! | 503 is never for good | `coverage.rs`: no server error but 501 |
//! | what m365 asks; how O365 searches | here |
//! | HTTP/2 over TLS | `tls.rs` |
//! | the token endpoint of the identity libraries | `apps.rs`, `sign_in.rs`; `ephemeral.rs` |
//!
//! **Invariant:** spellings of one request have one answer: each test compares them with each other or
//! with the thing that was asked for, not with a status alone.

use serde_json::{Value, json};

use crate::support::{Client, Place, UNKNOWN, World};

fn setup() -> (World, Place) {
    let world = World::new(&[]);
    let place = world.place();
    (world, place)
}

fn contents(client: &Client, place: &Place) -> Vec<String> {
    let path = format!("/v1.0/groups/{}/threads/{}/posts", place.group, place.thread);
    let posts = client.all(&path);
    posts.iter().map(|it| it["body"]["content"].as_str().unwrap().to_owned()).collect()
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// kiota's SDKs write `Post`; pages write whole bodies with capitals.
#[test]
fn parameters_of_actions_have_any_letter_case() {
    let (world, place) = setup();
    let path = format!("/v1.0/groups/{}/threads/{}/reply", place.group, place.thread);
    for body in [
        json!({"post": {"body": {"contentType": "text", "content": "1"}}}),
        json!({"Post": {"body": {"contentType": "text", "content": "2"}}}),
        json!({"POST": {"Body": {"ContentType": "Text", "Content": "3"}}}),
    ] {
        world.ada.post(&path, &body).empty(202);
    }
    assert_eq!(contents(&world.ada, &place)[2..], ["1", "2", "3"]);
}

#[test]
fn types_have_any_spelling_on_every_object() {
    let (world, place) = setup();
    let path = format!("/v1.0/groups/{}/conversations", place.group);
    let spelled = [
        |name: &str| format!("#microsoft.graph.{name}"),
        |name: &str| format!("microsoft.graph.{name}"),
        // office365-rest.
        |name: &str| format!("#microsoft.graph.{}{}", name[..1].to_uppercase(), &name[1..]),
        |name: &str| format!("#MICROSOFT.Graph.{}", name.to_lowercase()),
    ];
    for of in spelled {
        let file =
            json!({"@odata.type": of("fileAttachment"), "name": "a.txt", "contentBytes": "aGk="});
        let someone = json!({"@odata.type": of("recipient"), "emailAddress": {
            "@odata.type": of("emailAddress"), "name": "Lin", "address": "lin@example.org"}});
        let post = json!({"@odata.type": of("post"), "newParticipants": [someone],
            "body": {"@odata.type": of("itemBody"), "contentType": "text", "content": "typed"},
            "attachments": [file]});
        let thread = json!({"@odata.type": of("conversationThread"), "posts": [post]});
        let body = json!({"@odata.type": of("conversation"), "topic": "x", "threads": [thread]});
        let made = world.ada.post(&path, &body).created();
        assert_eq!(made["hasAttachments"], true, "{body}");
        let thread = made["threads"][0]["id"].as_str().unwrap();
        let posts = format!("/v1.0/groups/{}/threads/{thread}/posts", place.group);
        let query = "?$select=body,newParticipants&$expand=attachments($select=name)";
        let post = &world.ada.get(&format!("{posts}{query}")).ok()["value"][0];
        assert_eq!(post["body"]["content"], "typed");
        assert_eq!(post["newParticipants"][0]["emailAddress"]["name"], "Lin");
        assert_eq!(post["attachments"][0]["name"], "a.txt");
    }
}

#[test]
fn an_id_is_the_same_raw_encoded_and_in_parentheses() {
    let (world, place) = setup();
    let ids = [
        ("groups", &place.group),
        ("conversations", &place.conversation),
        ("threads", &place.thread),
        ("posts", &place.post),
        ("attachments", &place.attachment),
    ];
    let path = |root: &str, of: &dyn Fn(&str, &str) -> String| {
        ids.iter().fold(root.to_owned(), |path, (name, id)| format!("{path}/{}", of(name, id)))
    };
    let plain = |name: &str, id: &str| format!("{name}/{id}");
    let expected = world.ada.get(&path("/v1.0", &plain)).ok();
    assert_eq!(expected["id"], place.attachment.as_str());
    let encoded = |name: &str, id: &str| format!("{name}/{}", encode(id));
    let parenthesised = |name: &str, id: &str| format!("{name}('{id}')");
    let both = |name: &str, id: &str| format!("{name}(%27{}%27)", encode(id));
    let named = |name: &str, id: &str| format!("{name}(id='{id}')");
    let loud = |name: &str, id: &str| format!("{}/{}", name.to_uppercase(), id.to_uppercase());
    for sent in [
        path("/v1.0", &encoded),
        path("/v1.0", &parenthesised),
        path("/v1.0", &both),
        path("/v1.0", &named),
        path("/V1.0", &loud),
        format!("{}/", path("/v1.0", &plain)),
    ] {
        assert_eq!(world.ada.get(&sent).ok(), expected, "{sent}");
    }
    // An id as Exchange makes them is one that is not here, however its `=` is written.
    let threads = format!("/v1.0/groups/{}/threads", place.group);
    for sent in [
        "/AAQkAGI5_-g2LTg=",
        "/AAQkAGI5_-g2LTg%3D",
        "('AAQkAGI5_-g2LTg=')",
        "('AAQkAGI5_-g2LTg%3D')",
    ] {
        world.ada.get(&format!("{threads}{sent}")).refused(404, "ErrorItemNotFound");
    }
    let page = world.ada.get("/v1.0/groups/?$top=1").ok();
    assert_eq!(page["value"], world.ada.get("/v1.0/groups?$top=1").ok()["value"]);
}

/// odata2ts and msgraph-sdk write the same action in two ways.
#[test]
fn actions_are_also_called_by_their_qualified_names() {
    let (world, place) = setup();
    let thread = format!("/v1.0/groups/{}/threads/{}", place.group, place.thread);
    let post = format!("/v1.0{}", place.post_path());
    for path in [
        format!("{thread}/reply"),
        format!("{thread}/microsoft.graph.reply"),
        format!("{thread}/Microsoft.Graph.Reply"),
        format!("{post}/reply"),
        format!("{post}/microsoft.graph.reply"),
    ] {
        let body = json!({"post": {"body": {"contentType": "text", "content": path}}});
        world.ada.post(&path, &body).empty(202);
        assert!(contents(&world.ada, &place).contains(&path), "{path}");
    }
    let group = format!("/v1.0/groups/{}", place.group);
    for name in ["resetUnseenCount", "microsoft.graph.resetUnseenCount"] {
        let answer = world.ada.send("POST", &format!("{group}/{name}"), &[], b"");
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
}

#[test]
fn a_query_has_many_spellings() {
    let (world, place) = setup();
    let topic = "O'Hara & Söhne #1";
    let [conversation, thread, _] = world.ada.talk(&place.group, topic, "x");
    world.ada.talk(&place.group, "1+1", "x");
    let path = format!("/v1.0/groups/{}/conversations", place.group);
    let found = |query: &str| -> Vec<Value> {
        let page = world.ada.get(&format!("{path}?{query}")).ok();
        page["value"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect()
    };
    let filter = "topic eq 'O''Hara & Söhne #1'";
    let quoted = filter.replace('&', "%26").replace('#', "%23").replace('ö', "%C3%B6");
    for query in [
        format!("$filter={}", encode(filter)),
        format!("%24filter={}&%24select=id%2Ctopic", encode(filter)),
        format!("$select=id,topic&$filter={}", quoted.replace(' ', "%20")),
        format!("$filter={}&$select=id,topic", quoted.replace(' ', "+")),
        format!("$filter=({})", quoted.replace(' ', "%20")),
        format!("%24count=true&%24filter=%28{}%29&%24top=5", encode(filter)),
        format!("$top=5&$filter={}&$count=true", quoted.replace(' ', "+").replace('\'', "%27")),
    ] {
        assert_eq!(found(&query), [conversation.as_str()], "{query}");
    }
    assert_eq!(found("$filter=topic+eq+'1%2B1'").len(), 1);
    assert_eq!(found("$filter=topic+eq+'1+1'").len(), 0);
    // Each of them nests options of an expansion in its own way.
    for query in [
        format!("$expand=threads($filter=id%20eq%20'{thread}')"),
        format!("$expand=threads%28%24filter%3Did%20eq%20%27{thread}%27%29"),
        format!("%24expand=threads(%24filter%3Did+eq+'{thread}'%3B%24select%3Did)"),
    ] {
        let one = world.ada.get(&format!("{path}/{conversation}?{query}")).ok();
        assert_eq!(one["threads"][0]["id"], thread.as_str(), "{query}");
        let other = world.ada.get(&format!("{path}/{}?{query}", place.conversation)).ok();
        assert_eq!(other["threads"], json!([]), "{query}");
    }
}

#[test]
fn a_next_link_is_followed_as_it_is() {
    let (world, place) = setup();
    for number in 0..4 {
        world.ada.declare(&place.group, &json!({"topic": format!("{number} & {number}")}));
    }
    let eventual = ("ConsistencyLevel", "eventual");
    let none = ("Accept", "application/json;odata.metadata=none");
    for root in ["v1.0", "beta"] {
        let origin = format!("http://{}", world.ada.address);
        let filter = encode("contains(topic,'&')");
        let first = format!(
            "/{root}/groups/{}/conversations?%24filter={filter}&$count=true&$top=3&custom=a%26b",
            place.group
        );
        for accept in [&[eventual][..], &[eventual, none]] {
            let page = world.ada.send("GET", &first, accept, b"").ok();
            let link = page["@odata.nextLink"].as_str().unwrap();
            let next = link.strip_prefix(&origin).expect(link);
            assert!(next.starts_with(&format!("/{root}/groups/")), "{link}");
            assert_eq!((link.matches('?').count(), link.matches('#').count()), (1, 0), "{link}");
            let (path, query) = next.split_once('?').unwrap();
            let options: Vec<_> = query.split('&').collect();
            let mut names: Vec<_> =
                options.iter().map(|it| it.split('=').next().unwrap()).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), options.len(), "{link}");
            // The JavaScript client takes the query apart and puts it together again.
            let turned: Vec<_> = options.iter().rev().copied().collect();
            for next in [next, &format!("{path}?{}", turned.join("&"))] {
                let rest = world.ada.get(next).ok();
                assert_eq!(rest["value"].as_array().unwrap().len(), 1, "{next}");
                assert!(rest.get("@odata.nextLink").is_none(), "{next}");
            }
        }
    }
}

#[test]
fn accept_has_many_forms() {
    let (world, place) = setup();
    let path = format!("/v1.0/groups/{}/threads", place.group);
    let expected = world.ada.get(&path);
    for accept in [
        "application/json",
        "*/*",
        "application/json;odata.metadata=minimal;odata.streaming=true",
        "application/json; odata.metadata=minimal; IEEE754Compatible=false",
        "application/json, text/plain, */*",
        "application/json;q=0.9,*/*;q=0.8",
    ] {
        let answer = world.ada.send("GET", &path, &[("Accept", accept)], b"");
        assert_eq!(answer.ok(), expected.ok(), "{accept}");
        assert_eq!(answer.header("Content-Type"), expected.header("Content-Type"), "{accept}");
    }
    let count = world.ada.send("GET", &format!("{path}/$count"), &[("Accept", "text/plain")], b"");
    assert_eq!((count.text().as_str(), count.header("Content-Type")), ("1", Some("text/plain")));
    let accept = [("Accept", "application/xml, application/json;q=0.8")];
    let metadata = world.server.anonymous().send("GET", "/v1.0/$metadata", &accept, b"");
    assert!(metadata.text().starts_with("<?xml"), "{}", metadata.text());
    for version in ["4.0", "4.01"] {
        let headers = [("OData-Version", version), ("OData-MaxVersion", version)];
        assert_eq!(world.ada.send("GET", &path, &headers, b"").ok(), expected.ok(), "{version}");
    }
}

/// A library that reads JSON where it is told that there is some must not be told so of nothing.
#[test]
fn empty_answers_have_no_type() {
    let (world, place) = setup();
    let thread = format!("/v1.0/groups/{}/threads/{}", place.group, place.thread);
    let reply =
        world.ada.post(&format!("{thread}/reply"), &json!({"post": {"body": {"content": "x"}}}));
    reply.empty(202);
    assert_eq!((reply.header("Content-Length"), reply.header("Content-Type")), (Some("0"), None));
    let deleted = world.ada.delete(&thread);
    deleted.empty(204);
    assert_eq!((deleted.header("Content-Length"), deleted.header("Content-Type")), (None, None));
}

#[test]
fn errors_have_an_envelope_whose_date_is_one() {
    let (world, place) = setup();
    let group = format!("/v1.0/groups/{}", place.group);
    let thread = format!("{group}/threads/{}", place.thread);
    let id = ("client-request-id", "e70c5c1b-8b47-68c0-3171-3d22f5e0bd54");
    let ask = |client: &Client, path: &str| client.send("GET", path, &[id], b"");
    for (answer, status, code) in [
        (ask(&world.server.anonymous(), &group), 401, "InvalidAuthenticationToken"),
        (ask(&world.ada, &format!("/v1.0/groups/{UNKNOWN}")), 404, "Request_ResourceNotFound"),
        (ask(&world.ada, &format!("{group}/conversations/{UNKNOWN}")), 404, "ErrorItemNotFound"),
        (ask(&world.ada, &format!("{group}/threads/{UNKNOWN}")), 404, "ErrorItemNotFound"),
        (ask(&world.ada, &format!("{thread}/posts/{UNKNOWN}")), 404, "ErrorItemNotFound"),
        (ask(&world.ada, &format!("{group}/threads?$filter=topic%20eq")), 400, "BadRequest"),
        (ask(&world.ada, "/v1.0/me/messages"), 501, "NotImplemented"),
    ] {
        answer.refused(status, code);
        let body = answer.json();
        let inner = &body["error"]["innerError"];
        assert_eq!(inner["client-request-id"], id.1);
        let date = inner["date"].as_str().unwrap();
        let shape: String =
            date.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00", "as Python's and JavaScript's libraries read it");
        let type_ = answer.header("Content-Type").unwrap();
        assert!(type_.starts_with("application/json"), "{type_}");
    }
    // A message reaches the user of m365, and says what was wrong.
    let why = world
        .ada
        .post(&format!("{group}/conversations"), &json!({}))
        .refused(400, "Request_BadRequest");
    assert!(why.contains("topic"), "{why}");
}

/// Python writes six digits and an offset, JavaScript three and `Z`.
#[test]
fn times_of_every_client_are_taken() {
    let (world, place) = setup();
    for (sent, kept) in [
        ("2017-01-01T00:02:32.174494+03:00", "2017-01-01T00:02:32.174494+03:00"),
        ("2017-01-01T00:02:32+00:00", "2017-01-01T00:02:32Z"),
        ("2017-01-01T00:02:32.170Z", "2017-01-01T00:02:32.17Z"),
        ("2017-01-01T00:02:32Z", "2017-01-01T00:02:32Z"),
    ] {
        let path = format!("/v1.0/groups/{}/conversations/$ref", place.group);
        let body = json!({"@odata.type": "#microsoft.graph.Conversation", "topic": "x",
            "lastDeliveredDateTime": sent});
        assert_eq!(world.ada.post(&path, &body).created()["lastDeliveredDateTime"], kept);
    }
}

#[test]
fn unknown_headers_do_not_disturb() {
    let (world, place) = setup();
    let path = format!("/v1.0/groups/{}/threads", place.group);
    let headers = [
        ("SdkVersion", "graph-js/3.0.7 (featureUsage=6)"),
        ("sec-fetch-mode", "cors"),
        ("cache-control", "no-cache"),
        ("X-ClientService-ClientTag", "Office 365 API Tools, 1.1.0612"),
        ("ConsistencyLevel", "eventual"),
        ("Prefer", "odata.maxpagesize=50, unknown=1"),
        ("User-Agent", "python-httpx/0.28.1"),
        ("Accept-Language", "*"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ];
    assert_eq!(world.ada.send("GET", &path, &headers, b"").ok(), world.ada.get(&path).ok());
    let json = [&[("Content-Type", "application/json")], &headers[..]].concat();
    let reply = format!("{path}/{}/reply", place.thread);
    let body = br#"{"post":{"body":{"contentType":"text","content":"tagged"}}}"#;
    world.ada.send("POST", &reply, &json, body).empty(202);
    assert_eq!(contents(&world.ada, &place).last().unwrap(), "tagged");
}

#[test]
fn what_m365_asks_is_answered() {
    let (world, place) = setup();
    let name = world.ada.get(&format!("/v1.0/groups/{}", place.group)).ok()["displayName"].clone();
    let name = encode(name.as_str().unwrap());
    let found = world.ada.all(&format!("/v1.0/groups?$filter=displayName+eq+'{name}'&$select=id"));
    assert_eq!(found.iter().map(|it| &it["id"]).collect::<Vec<_>>(), [place.group.as_str()]);
    let unified = "/v1.0/groups?$filter=groupTypes/any(c:c+eq+%27Unified%27)&$select=id,groupTypes";
    assert_eq!(world.ada.all(unified)[0]["groupTypes"], json!(["Unified"]));
    let select = "allowExternalSenders,autoSubscribeNewMembers,hideFromAddressLists,hideFromOutlookClients,isSubscribedByMail";
    let none = [("Accept", "application/json;odata.metadata=none")];
    let path = format!("/v1.0/groups/{}?$select={select}", place.group);
    let group = world.ada.send("GET", &path, &none, b"").ok();
    for name in select.split(',') {
        assert!(group.get(name).is_some(), "{name}: {group}");
    }
    assert!(group.as_object().unwrap().keys().all(|it| !it.starts_with('@')), "{group}");
}

/// O365 looks for a group in this way.
#[test]
fn what_o365_searches_is_found() {
    let (world, place) = setup();
    let groups = |search: &str| {
        let path = format!("/v1.0/groups/?$search={}&$count=true", encode(search));
        let found = world.ada.get(&path).ok();
        let ids = found["value"].as_array().unwrap().iter().map(|it| it["id"].clone());
        let ids: Vec<_> = ids.collect();
        assert_eq!(found["@odata.count"], ids.len(), "{search}");
        ids
    };
    let group = world.ada.get(&format!("/v1.0/groups/{}", place.group)).ok();
    let mail = group["mail"].as_str().unwrap();
    let other = world.ada.group("owls", "Public");
    world.ada.patch(&format!("/v1.0/groups/{other}"), &json!({"displayName": "Night-time Owls"}));
    let other = [json!(other)];
    assert_eq!(groups(&format!("\"mail:{mail}\"")), [group["id"].clone()]);
    for one in ["\"displayName:owl\"", "\"displayname:TIME\"", "\"displayName:Night-time\""] {
        assert_eq!(groups(one), other, "{one}");
    }
    assert!(groups("\"displayName:wls\"").is_empty());
    assert!(groups(&format!("\"displayName:owl\" AND \"mail:{mail}\"")).is_empty());
    let three = format!("\"mail:{mail}\" AND \"mail:none\" OR \"displayName:owl\"");
    assert_eq!(groups(&three), other);
    for bad in ["owl", "\"owl\"", "\"displayName:\"", "\"mail:a\" \"mail:b\"", "\"mail:a\" OR "] {
        let path = format!("/v1.0/groups?$search={}", encode(bad));
        let why = world.ada.get(&path).refused(400, "BadRequest");
        assert!(why.contains("$search"), "{bad}: {why}");
    }
    let elsewhere = format!("/v1.0/groups/{}/acceptedSenders?$search=%22x%22", place.group);
    assert!(world.ada.get(&elsewhere).refused(400, "BadRequest").contains("$search"));
}
