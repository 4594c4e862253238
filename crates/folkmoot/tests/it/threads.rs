//! Threads and conversations changed: locked, named otherwise, declared without posts, read or not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Client, Server, Trio};

fn trio() -> Trio {
    Trio::on(Server::durable())
}

#[test]
fn a_locked_thread_takes_no_replies_until_it_is_unlocked() {
    let it = trio();
    let [_, thread, post] = it.ada.talk(&it.group, "Lunch", "At noon?");
    let path = it.path(&format!("threads/{thread}"));
    let reply = json!({"post": {"body": {"content": "x"}}});
    it.bo.patch(&path, &json!({"isLocked": true})).refused(403, "ErrorAccessDenied");
    let locked = json!({"@odata.type": "#microsoft.graph.ConversationThread", "isLocked": true});
    assert_eq!(it.ada.patch(&path, &locked).ok()["isLocked"], true);
    for who in [&it.ada, &it.bo] {
        let why = who.post(&format!("{path}/reply"), &reply).refused(403, "ErrorAccessDenied");
        assert!(why.contains("locked"), "{why}");
    }
    it.bo.post(&format!("{path}/posts/{post}/reply"), &reply).refused(403, "ErrorAccessDenied");
    assert_eq!(it.ada.all(&it.path("threads?$filter=isLocked%20eq%20true")).len(), 1);
    it.ada.patch(&path, &json!({"isLocked": false})).ok();
    it.bo.post(&format!("{path}/reply"), &reply).empty(202);
    // Preferences and preconditions are those of every change.
    let json = ("Content-Type", "application/json");
    let body = br#"{"isLocked": true}"#;
    let minimal = it.ada.send("PATCH", &path, &[json, ("Prefer", "return=minimal")], body);
    minimal.empty(204);
    let stale = it.ada.send("PATCH", &path, &[json, ("If-Match", "W/\"AAAAAAAAAAE=\"")], body);
    stale.refused(412, "ErrorIrresolvableConflict");
    it.ada.patch(&path, &json!({"isLocked": "yes"})).refused(400, "BadRequest");
    it.ada.patch(&path, &json!({"locked": true})).refused(400, "RequestBodyRead");
}

#[test]
fn a_topic_is_one_for_a_conversation_and_its_threads() {
    let it = trio();
    let [conversation, thread, _] = it.bo.talk(&it.group, "Lunch", "At noon?");
    let conversation = it.path(&format!("conversations/{conversation}"));
    let more = json!({"posts": [{"body": {"content": "y"}}]});
    let side = it.bo.post(&format!("{conversation}/threads"), &more).id();
    let topics = || {
        let mut all = vec![it.ada.get(&conversation).ok()["topic"].clone()];
        for thread in [&thread, &side] {
            all.push(it.ada.get(&it.path(&format!("threads/{thread}"))).ok()["topic"].clone());
        }
        all
    };
    // Its author may, while nobody else has written there.
    assert_eq!(it.bo.patch(&conversation, &json!({"topic": "Dinner"})).ok()["topic"], "Dinner");
    assert_eq!(topics(), ["Dinner"; 3]);
    it.ada.patch(&it.path(&format!("threads/{side}")), &json!({"topic": "Supper"})).ok();
    assert_eq!(topics(), ["Supper"; 3]);
    let reply = json!({"post": {"body": {"content": "x"}}});
    it.ada.post(&it.path(&format!("threads/{thread}/reply")), &reply).empty(202);
    it.bo.patch(&conversation, &json!({"topic": "Tea"})).refused(403, "ErrorAccessDenied");
    for bad in [json!({"topic": null}), json!({"topic": 7}), json!({"subject": "x"})] {
        assert_eq!(it.ada.patch(&conversation, &bad).status, 400, "{bad}");
    }
    it.ada
        .patch(&conversation, &json!({"topic": "x".repeat(256)}))
        .refused(400, "Request_BadRequest");
    // What is computed stays so, and the index knows the posts by the new topic.
    let ignored = json!({"preview": "P", "uniqueSenders": ["Nobody"], "hasAttachments": true});
    let shown = it.ada.patch(&conversation, &ignored).ok();
    assert_eq!((&shown["preview"], &shown["hasAttachments"]), (&json!("x"), &json!(false)));
    let done = it.server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}

/// What the seed's pages send of a thread.
fn declared() -> Value {
    json!({
        "@odata.type": "#microsoft.graph.conversationThread",
        "toRecipients": [{"@odata.type": "microsoft.graph.recipient", "emailAddress": {
            "@odata.type": "microsoft.graph.emailAddress", "name": "Name value", "address": "Address value"}}],
        "topic": "Topic value", "hasAttachments": true,
        "lastDeliveredDateTime": "2016-12-31T23:57:02.7455103+03:00",
        "uniqueSenders": ["Unique Senders value"],
        "ccRecipients": [{"@odata.type": "microsoft.graph.recipient"}],
        "preview": "Preview value", "isLocked": false
    })
}

#[test]
fn a_thread_is_declared_as_a_conversation_is_until_it_has_a_post() {
    let it = trio();
    let sent = declared();
    for (root, path) in [("groups", "threads/$ref"), ("me/joinedGroups", "threads")] {
        let made = it.bo.post(&format!("/v1.0/{root}/{}/{path}", it.group), &sent).created();
        let mut expected = sent.clone();
        expected["ccRecipients"] =
            json!([{"@odata.type": "microsoft.graph.recipient", "emailAddress": null}]);
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&made[name], value, "{name}");
        }
        let path = it.path(&format!("threads/{}", made["id"].as_str().unwrap()));
        let read = it.bo.get(&format!("{path}?$select=toRecipients,ccRecipients,preview")).ok();
        assert_eq!(read["toRecipients"][0]["emailAddress"]["address"], "Address value");
        assert_eq!(read["ccRecipients"], json!([{"emailAddress": null}]));
        // It can be declared otherwise, and its conversation too.
        let changed = it.bo.patch(&path, &json!({"preview": "Other", "ccRecipients": []})).ok();
        assert_eq!((&changed["preview"], &changed["ccRecipients"]), (&json!("Other"), &json!([])));
        assert_eq!(changed["uniqueSenders"], sent["uniqueSenders"], "what is not sent stays");
        let post = json!({"body": {"content": "first"}});
        it.bo.post(&format!("{path}/posts/$ref"), &post).created();
        let read = it.bo.get(&path).ok();
        assert_eq!(read["preview"], "first");
        assert_eq!(read["uniqueSenders"], json!(["bo"]));
        assert_eq!(read["hasAttachments"], false);
    }
    let conversations = it.bo.all(&it.path("conversations"));
    assert_eq!(conversations.len(), 2, "each has a conversation of its own");
    assert_eq!(conversations[0]["preview"], "first");
    let inside = it
        .path(&format!("conversations/{}/threads/$ref", conversations[0]["id"].as_str().unwrap()));
    let second = it.bo.post(&inside, &json!({"preview": "declared"})).created();
    assert_eq!(second["topic"], "Topic value", "the topic of its conversation");
    it.bo.post(&it.path("threads"), &json!({"preview": "x"})).refused(400, "Request_BadRequest");
    let done = it.server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}

#[test]
fn a_started_thread_tells_its_post_and_recipients() {
    let it = trio();
    let sent = json!({"topic": "Lunch", "posts": [{"body": {"content": "x"}, "newParticipants": [
        {"emailAddress": {"name": null, "address": "di@example.org"}}]}]});
    let made = it.bo.post(&it.path("threads"), &sent).created();
    let post = made["posts"][0]["id"].as_str().unwrap();
    let path = it.path(&format!("threads/{}/posts/{post}", made["id"].as_str().unwrap()));
    assert_eq!(it.ada.get(&path).ok()["id"], post);
    assert_eq!(
        made["toRecipients"][1]["emailAddress"],
        json!({"name": null, "address": "di@example.org"})
    );
    assert_eq!(made["ccRecipients"], json!([]));
}

/// Waits until `path` shows `expected`: the feed is worked on soon, not at once.
#[track_caller]
fn becomes(client: &Client, path: &str, name: &str, expected: &Value) {
    let begun = Instant::now();
    loop {
        let now = client.get(path).ok();
        if now[name] == *expected {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{now}, not {expected}");
        std::thread::yield_now();
    }
}

#[test]
fn a_conversation_is_read_or_unread_for_each_person() {
    let it = trio();
    let [first, thread, _] = it.ada.talk(&it.group, "Lunch", "At noon?");
    it.ada.talk(&it.group, "Dinner", "At eight?");
    let path = it.path(&format!("conversations/{first}"));
    let read = format!("{path}?$select=@folkmoot.isRead");
    let unseen = it.path("?$select=unseenCount").replace("/?", "?");
    let (is, name) = (|it: bool| json!(it), "@folkmoot.isRead");
    becomes(&it.bo, &unseen, "unseenCount", &json!(2));
    becomes(&it.bo, &read, name, &is(false));
    assert_eq!(it.ada.get(&read).ok()[name], true, "one's own words are read");
    assert!(it.bo.get(&path).ok().get(name).is_none(), "on request alone");
    it.bo.post(&format!("{path}/folkmoot.markRead"), &json!({})).empty(204);
    assert_eq!(it.bo.get(&read).ok()[name], true);
    becomes(&it.bo, &unseen, "unseenCount", &json!(1));
    // A new post makes it unread again, and so may its reader.
    let reply = json!({"post": {"body": {"content": "x"}}});
    it.ada.post(&it.path(&format!("threads/{thread}/reply")), &reply).empty(202);
    becomes(&it.bo, &read, name, &is(false));
    becomes(&it.bo, &unseen, "unseenCount", &json!(2));
    let reset = it.bo.send("POST", &it.path("resetUnseenCount"), &[], b"");
    assert_eq!(reset.status, 200);
    assert_eq!(it.bo.get(&read).ok()[name], true);
    becomes(&it.bo, &unseen, "unseenCount", &json!(0));
    it.bo.post(&format!("{path}/folkmoot.markUnread"), &json!({})).empty(204);
    assert_eq!(it.bo.get(&read).ok()[name], false);
    becomes(&it.bo, &unseen, "unseenCount", &json!(1));
    // In a list, beside the rest of it.
    let list = it.bo.all(&it.path("conversations?$select=topic,@folkmoot.isRead&$orderby=topic"));
    let shown: Vec<_> = list.iter().map(|it| (it["topic"].clone(), it[name].clone())).collect();
    assert_eq!(shown, [(json!("Dinner"), json!(true)), (json!("Lunch"), json!(false))]);
    it.server
        .app(&["Group.Read.All"])
        .post(&format!("{path}/folkmoot.markRead"), &json!({}))
        .refused(403, "ErrorAccessDenied");
    it.ada.delete(&path).empty(204);
    becomes(&it.bo, &unseen, "unseenCount", &json!(0));
}

#[test]
fn a_thread_without_posts_is_its_makers() {
    let it = trio();
    let open = it.ada.group("open", "Public");
    let [conversation, ..] = it.bo.talk(&open, "Lunch", "At noon?");
    let threads = format!("/v1.0/groups/{open}/conversations/{conversation}/threads");
    let made = it.bo.post(&threads, &json!({"preview": "x"})).id();
    let path = format!("/v1.0/groups/{open}/threads/{made}");
    it.cy.patch(&path, &json!({"isLocked": true})).refused(403, "ErrorAccessDenied");
    it.cy.patch(&path, &json!({"preview": "mine"})).refused(403, "ErrorAccessDenied");
    it.cy.delete(&path).refused(403, "ErrorAccessDenied");
    it.bo.patch(&path, &json!({"preview": "y"})).ok();
    it.bo.delete(&path).empty(204);
    // A topic is the conversation's, not of a thread that somebody has added to it.
    let own = it.cy.post(&threads, &json!({"posts": [{"body": {"content": "z"}}]})).id();
    let own = format!("/v1.0/groups/{open}/threads/{own}");
    it.cy.patch(&own, &json!({"topic": "Mine"})).refused(403, "ErrorAccessDenied");
    assert_eq!(it.cy.get(&own).ok()["topic"], "Lunch");
    it.cy.delete(&own).empty(204);
}

#[test]
fn what_an_owner_has_locked_its_author_does_not_open() {
    let it = trio();
    let [conversation, thread, post] = it.bo.talk(&it.group, "Lunch", "At noon?");
    let thread = it.path(&format!("threads/{thread}"));
    it.bo.patch(&thread, &json!({"isLocked": true})).ok();
    for change in [json!({"isLocked": false}), json!({"topic": "x"})] {
        it.bo.patch(&thread, &change).refused(403, "ErrorAccessDenied");
    }
    let conversation = it.path(&format!("conversations/{conversation}"));
    it.bo.patch(&conversation, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
    for path in [&format!("{thread}/posts/{post}"), &thread, &conversation] {
        it.bo.delete(path).refused(403, "ErrorAccessDenied");
    }
    it.ada.patch(&thread, &json!({"isLocked": false})).ok();
    it.bo.delete(&conversation).empty(204);
}

#[test]
fn nothing_of_posts_that_are_gone_is_shown() {
    let it = trio();
    let [conversation, thread, _] = it.ada.talk(&it.group, "Lunch", "secret");
    let conversation = it.path(&format!("conversations/{conversation}"));
    let left = it.ada.post(&format!("{conversation}/threads"), &json!({"preview": "d"})).id();
    let before = it.ada.get(&conversation);
    it.ada.delete(&it.path(&format!("threads/{thread}"))).empty(204);
    let after = it.ada.get(&conversation);
    assert_ne!(after.header("ETag"), before.header("ETag"));
    let after = after.ok();
    assert_eq!((&after["preview"], &after["uniqueSenders"]), (&json!(""), &json!([])));
    // The first post that comes is the first again; the thread goes to the group and whom it adds.
    let post = json!({"body": {"content": "new"}, "newParticipants": [
        {"emailAddress": {"name": "Di", "address": "di@example.org"}}]});
    it.bo.post(&it.path(&format!("threads/{left}/posts")), &post).created();
    assert_eq!(it.ada.get(&conversation).ok()["uniqueSenders"], json!(["bo"]));
    let to = it.ada.get(&it.path(&format!("threads/{left}?$select=toRecipients"))).ok();
    let to: Vec<_> = to["toRecipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["emailAddress"]["name"].clone())
        .collect();
    assert_eq!(to, ["The readers", "Di"]);
    let done = it.server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}
