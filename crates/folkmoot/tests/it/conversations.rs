//! Conversations with their threads, posts and attachments.

use base64::Engine as _;
use serde_json::{Value, json};

use crate::support::{Client, Server};

struct Setup {
    _server: Server,
    ada: Client,
    bo: Client,
    group: String,
}

fn setup() -> Setup {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Public");
    Setup { _server: server, ada, bo, group }
}

impl Setup {
    fn path(&self, rest: &str) -> String {
        format!("/v1.0/groups/{}/{rest}", self.group)
    }
}

#[test]
fn one_deep_post_makes_conversation_thread_and_post() {
    let it = setup();
    let answer = it.ada.post(
        &it.path("conversations"),
        &json!({"topic": "Lunch", "threads": [{"posts": [{
            "body": {"contentType": "HTML", "content": "<p>Soup &amp; bread</p><p>at noon?"},
            "newParticipants": [{"emailAddress": {"name": "Cy", "address": "cy@example.com"}}],
            "categories": ["food"]
        }]}]}),
    );
    let made = answer.created();
    assert_eq!(made["topic"], "Lunch");
    assert_eq!(made["preview"], "Soup & bread at noon?");
    assert_eq!(made["uniqueSenders"], json!(["ada"]));
    assert_eq!(made["hasAttachments"], false);
    let [conversation, thread, post] =
        [&made["id"], &made["threads"][0]["id"], &made["threads"][0]["posts"][0]["id"]]
            .map(|it| it.as_str().unwrap().to_owned());

    let read = it.ada.get(&it.path(&format!("threads/{thread}?$select=*"))).ok();
    assert_eq!(read["topic"], "Lunch");
    assert_eq!(read["isLocked"], false);
    let to: Vec<_> = read["toRecipients"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["emailAddress"]["address"].as_str().unwrap())
        .collect();
    assert_eq!(to, ["readers@localhost", "cy@example.com"]);

    let read = it.ada.get(&it.path(&format!("threads/{thread}/posts/{post}?$select=*"))).ok();
    assert_eq!(
        read["body"],
        json!({"contentType": "html",
        "content": "<p>Soup &amp; bread</p><p>at noon?"})
    );
    assert_eq!(
        read["sender"]["emailAddress"],
        json!({"name": "ada", "address": "ada@example.org"})
    );
    assert_eq!(read["from"], read["sender"]);
    assert_eq!(read["categories"], json!(["food"]));
    assert_eq!(read["conversationId"], conversation.as_str());
    assert_eq!(read["conversationThreadId"], thread.as_str());
    assert_eq!(read["newParticipants"][0]["emailAddress"]["name"], "Cy");
    assert_eq!(read["@odata.etag"], format!("W/\"{}\"", read["changeKey"].as_str().unwrap()));
    // The default projection of Graph.
    let listed = it.ada.get(&it.path(&format!("threads/{thread}/posts"))).ok();
    let names: Vec<_> = listed["value"][0].as_object().unwrap().keys().cloned().collect();
    for hidden in ["conversationId", "conversationThreadId", "newParticipants"] {
        assert!(!names.contains(&hidden.to_owned()), "{names:?}");
    }
}

#[test]
fn the_same_thread_is_reached_three_ways() {
    let it = setup();
    let [conversation, thread, post] = it.ada.talk(&it.group, "x", "hello");
    let mut seen = Vec::new();
    for path in [
        it.path(&format!("threads/{thread}")),
        it.path(&format!("conversations/{conversation}/threads/{thread}")),
        it.path(&format!("conversations('{conversation}')/threads('{thread}')")),
        format!("/v1.0/me/joinedTeams/{}/threads/{thread}", it.group),
    ] {
        let mut body = it.ada.get(&path).ok();
        body.as_object_mut().unwrap().remove("@odata.context");
        seen.push(body);
        assert_eq!(it.ada.get(&format!("{path}/posts/{post}")).ok()["id"], post.as_str());
    }
    assert!(seen.iter().all(|it| *it == seen[0]), "{seen:#?}");
    // Through another conversation it is not there.
    let [other, ..] = it.ada.talk(&it.group, "y", "hello");
    for wrong in [
        format!("conversations/{other}/threads/{thread}"),
        format!("conversations/{other}/threads/{thread}/posts"),
        format!("conversations/{other}/threads/{thread}/posts/{post}/attachments"),
    ] {
        it.ada.get(&it.path(&wrong)).refused(404, "ErrorItemNotFound");
    }
}

#[test]
fn replies_go_to_a_thread_or_to_a_post() {
    let it = setup();
    let [conversation, thread, post] = it.ada.talk(&it.group, "x", "question");
    let reply = |text: &str| json!({"post": {"body": {"contentType": "text", "content": text}}});
    it.bo.post(&it.path(&format!("threads/{thread}/reply")), &reply("to the thread")).empty(202);
    // As the SDKs write it.
    let shouted = json!({"Post": {"@odata.type": "#microsoft.graph.post",
        "body": {"@odata.type": "#microsoft.graph.itemBody", "contentType": "text", "content": "to the post"}}});
    let qualified = it.path(&format!("threads/{thread}/posts/{post}/microsoft.graph.reply"));
    it.bo.post(&qualified, &shouted).empty(202);

    let posts = it.ada.all(&it.path(&format!("threads/{thread}/posts")));
    let texts: Vec<_> = posts.iter().map(|it| it["body"]["content"].as_str().unwrap()).collect();
    assert_eq!(texts, ["question", "to the thread", "to the post"]);
    let last = posts[2]["id"].as_str().unwrap();
    let parent = it.ada.get(&it.path(&format!("threads/{thread}/posts/{last}/inReplyTo"))).ok();
    assert_eq!(parent["id"], post.as_str());
    let middle = posts[1]["id"].as_str().unwrap();
    it.ada
        .get(&it.path(&format!("threads/{thread}/posts/{middle}/inReplyTo")))
        .refused(404, "ErrorItemNotFound");
    let expanded =
        it.ada.get(&it.path(&format!("threads/{thread}/posts?$expand=inReplyTo($select=id)"))).ok();
    assert_eq!(expanded["value"][1]["inReplyTo"], Value::Null);
    assert_eq!(expanded["value"][2]["inReplyTo"]["id"], post.as_str());

    for path in [format!("threads/{thread}"), format!("conversations/{conversation}")] {
        let summary = it.ada.get(&it.path(&path)).ok();
        assert_eq!(summary["preview"], "to the post");
        assert_eq!(summary["uniqueSenders"], json!(["ada", "bo"]));
    }
    it.bo.post(&it.path(&format!("threads/{thread}/reply")), &json!({})).refused(400, "BadRequest");
    let missing = it.path("threads/8d12587e-587e-8d12-7e58-128d7e58128d/reply");
    it.bo.post(&missing, &reply("x")).refused(404, "ErrorItemNotFound");
}

#[test]
fn threads_are_started_in_a_group_and_in_a_conversation() {
    let it = setup();
    let body = json!({"topic": "new", "posts": [{"body": {"content": "one"}}]});
    let made = it.ada.post(&it.path("threads"), &body).created();
    assert_eq!(made["topic"], "new");
    let conversations = it.ada.all(&it.path("conversations"));
    assert_eq!(conversations.len(), 1);
    assert_eq!(conversations[0]["topic"], "new");
    let id = conversations[0]["id"].as_str().unwrap();

    let body = json!({"topic": "ignored", "posts": [{"body": {"content": "two"}}]});
    let path = it.path(&format!("conversations/{id}/threads"));
    let made = it.bo.post(&path, &body).created();
    assert_eq!(made["topic"], "new", "all threads of a conversation share its topic");
    assert_eq!(it.ada.all(&path).len(), 2);
    let conversation = it.ada.get(&it.path(&format!("conversations/{id}"))).ok();
    assert_eq!(conversation["preview"], "two");
    assert_eq!(conversation["uniqueSenders"], json!(["ada", "bo"]));
}

#[test]
fn what_was_declared_of_a_conversation_ends_with_its_first_post() {
    let it = setup();
    let id = it.ada.declare(
        &it.group,
        &json!({"topic": "x", "hasAttachments": true, "uniqueSenders": ["Zoe"], "preview": "old",
            "lastDeliveredDateTime": "2030-01-01T00:00:00Z"}),
    );
    let path = it.path(&format!("conversations/{id}"));
    it.ada
        .post(&format!("{path}/threads"), &json!({"posts": [{"body": {"content": "new"}}]}))
        .created();
    let now = it.ada.get(&path).ok();
    assert_eq!(now["preview"], "new");
    assert_eq!(now["uniqueSenders"], json!(["ada"]));
    assert_eq!(now["hasAttachments"], false);
    assert_ne!(now["lastDeliveredDateTime"], "2030-01-01T00:00:00Z");
}

#[test]
fn attachments_come_back_byte_for_byte() {
    let it = setup();
    let [_, thread, _] = it.ada.talk(&it.group, "x", "hello");
    // One that stands in the database, and one that is a file.
    let large: Vec<u8> = (0..200_000_u32).map(|it| (it % 251) as u8).collect();
    let encode = |bytes: &[u8]| {
        use base64::Engine as _;
        base64::prelude::BASE64_STANDARD.encode(bytes)
    };
    let file = |name: &str, bytes: &[u8]| {
        json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": name,
            "contentBytes": encode(bytes)})
    };
    let body = json!({"post": {"body": {"content": "see"}, "attachments": [
        file("a note.txt", b"hello"), file("large.bin", &large)]}});
    it.ada.post(&it.path(&format!("threads/{thread}/reply")), &body).empty(202);

    let posts = it.ada.all(&it.path(&format!("threads/{thread}/posts?$expand=attachments")));
    let post = posts[1]["id"].as_str().unwrap();
    assert_eq!(posts[1]["hasAttachments"], true);
    assert_eq!(posts[0]["attachments"], json!([]));
    let attachments = posts[1]["attachments"].as_array().unwrap();
    let list = it.path(&format!("threads/{thread}/posts/{post}/attachments"));
    assert_eq!(it.ada.all(&list), *attachments);
    for (attachment, (name, bytes, content_type)) in attachments.iter().zip([
        ("a note.txt", &b"hello"[..], "text/plain"),
        ("large.bin", &large, "application/octet-stream"),
    ]) {
        assert_eq!(attachment["@odata.type"], "#microsoft.graph.fileAttachment");
        assert_eq!(attachment["name"], name);
        assert_eq!(attachment["size"], bytes.len());
        assert_eq!(attachment["contentType"], content_type);
        assert_eq!(attachment["contentBytes"], encode(bytes));
        let one = format!("{list}/{}", attachment["id"].as_str().unwrap());
        assert_eq!(it.ada.get(&one).ok()["contentBytes"], encode(bytes));
        let download = it.ada.get(&format!("{one}/$value"));
        assert_eq!(download.body, bytes);
        assert_eq!(download.header("Content-Type"), Some(content_type));
        assert!(download.header("Content-Disposition").unwrap().starts_with("attachment;"));
        assert_eq!(download.header("X-Content-Type-Options"), Some("nosniff"));
        assert_eq!(download.header("Content-Security-Policy"), Some("sandbox"));
    }
    assert_eq!(it.ada.get(&format!("{list}/$count")).text(), "2");
    let conversation = it.ada.all(&it.path("conversations")).remove(0);
    assert_eq!(conversation["hasAttachments"], true);
}

#[test]
fn open_types_keep_what_they_do_not_declare() {
    let it = setup();
    let made = it.ada.post(&it.path("conversations"), &json!({"topic": "x", "threads": [{"posts": [
        {"body": {"content": "x"}, "ticket": {"number": 7, "tags": ["a", {"b": null}]}, "mood": "}"}]}]}));
    let thread = made.created()["threads"][0]["id"].as_str().unwrap().to_owned();
    let post = it.ada.get(&it.path(&format!("threads/{thread}/posts"))).ok()["value"][0].clone();
    assert_eq!(post["ticket"], json!({"number": 7, "tags": ["a", {"b": null}]}));
    assert_eq!(post["mood"], "}");
}

#[test]
fn a_client_does_not_say_who_sent_a_post_or_when() {
    let it = setup();
    let [_, thread, _] = it.ada.talk(&it.group, "x", "hello");
    let group_address = json!({"emailAddress": {"address": "readers@localhost"}});
    let reply = |client: &Client, from: &Value| {
        let body = json!({"post": {"id": "x", "changeKey": "x", "from": from, "sender": from,
            "receivedDateTime": "1999-01-01T00:00:00Z", "body": {"content": "x"}}});
        client.post(&it.path(&format!("threads/{thread}/reply")), &body).empty(202);
        it.ada.all(&it.path(&format!("threads/{thread}/posts"))).pop().unwrap()
    };
    let forged = json!({"emailAddress": {"name": "Eve", "address": "eve@example.org"}});
    let post = reply(&it.bo, &forged);
    assert_eq!(post["from"]["emailAddress"]["address"], "bo@example.org");
    assert_eq!(post["sender"]["emailAddress"]["address"], "bo@example.org");
    assert!(!post["receivedDateTime"].as_str().unwrap().starts_with("1999"));
    // For the group: its owners, and nobody else.
    assert_eq!(reply(&it.bo, &group_address)["from"]["emailAddress"]["address"], "bo@example.org");
    let post = reply(&it.ada, &group_address);
    assert_eq!(post["from"]["emailAddress"]["address"], "readers@localhost");
    assert_eq!(post["sender"]["emailAddress"]["address"], "ada@example.org");
    // An application without a user posts as the group.
    let robot = it._server.app(&[]);
    let post = reply(&robot, &forged);
    assert_eq!(post["sender"]["emailAddress"]["address"], "readers@localhost");
    // With the role for imports, the time of an old post is kept.
    let importer = it._server.app(&["Group.ReadWrite.All", "Folkmoot.Import.All"]);
    importer
        .post(
            &it.path(&format!("threads/{thread}/reply")),
            &json!({"post": {
        "receivedDateTime": "1999-01-01T00:00:00.5+01:00", "body": {"content": "old"}}}),
        )
        .empty(202);
    let first = it.ada.all(&it.path(&format!("threads/{thread}/posts"))).remove(0);
    assert_eq!(first["receivedDateTime"], "1999-01-01T00:00:00.5+01:00");
    let summary = it.ada.get(&it.path(&format!("threads/{thread}"))).ok();
    assert_eq!(summary["preview"], "x", "an older post is not the newest");
}

#[test]
fn deleting_a_conversation_takes_everything_along() {
    let it = setup();
    let [conversation, thread, post] = it.ada.talk(&it.group, "x", "hello");
    let [kept, ..] = it.ada.talk(&it.group, "y", "hello");
    it.bo
        .delete(&it.path(&format!("conversations/{conversation}")))
        .refused(403, "ErrorAccessDenied");
    it.ada.delete(&it.path(&format!("conversations/{conversation}"))).empty(204);
    for gone in [
        format!("conversations/{conversation}"),
        format!("threads/{thread}"),
        format!("threads/{thread}/posts/{post}"),
    ] {
        it.ada.get(&it.path(&gone)).refused(404, "ErrorItemNotFound");
    }
    it.ada
        .delete(&it.path(&format!("conversations/{conversation}")))
        .refused(404, "ErrorItemNotFound");
    let left = it.ada.all(&it.path("conversations"));
    assert_eq!(left.iter().map(|it| it["id"].as_str().unwrap()).collect::<Vec<_>>(), [kept]);
    // Who has written all of it may remove it too.
    let [mine, ..] = it.bo.talk(&it.group, "z", "hello");
    it.bo.delete(&it.path(&format!("conversations/{mine}"))).empty(204);
}

#[test]
fn the_last_thread_takes_its_conversation_along() {
    let it = setup();
    let [conversation, first, _] = it.ada.talk(&it.group, "x", "one");
    let path = it.path(&format!("conversations/{conversation}"));
    let body = json!({"posts": [{"body": {"content": "two"}}]});
    let second = it.bo.post(&format!("{path}/threads"), &body).id();
    it.ada.delete(&it.path(&format!("threads/{second}"))).empty(204);
    let left = it.ada.get(&path).ok();
    assert_eq!(left["preview"], "one");
    assert_eq!(left["uniqueSenders"], json!(["ada"]));
    it.ada.delete(&format!("{path}/threads/{first}")).empty(204);
    it.ada.get(&path).refused(404, "ErrorItemNotFound");
}

#[test]
fn what_a_new_conversation_cannot_have_is_refused_by_name() {
    let it = setup();
    let post = json!([{"body": {"content": "x"}}]);
    for (body, named) in [
        (json!({"topic": "a", "threads": [{"topic": "b", "posts": post}]}), "threads[0].topic"),
        (json!({"topic": "a", "threads@odata.bind": ["threads/1"]}), "threads@odata.bind"),
    ] {
        let why = it.ada.post(&it.path("conversations"), &body).refused(400, "Request_BadRequest");
        assert!(why.contains(named), "{body}: {why}");
    }
    let same = json!({"topic": "a", "threads": [{"topic": "a", "isLocked": true, "posts": post}]});
    let made = it.ada.post(&it.path("conversations"), &same).created();
    let thread = it.path(&format!("threads/{}", made["threads"][0]["id"].as_str().unwrap()));
    assert_eq!(it.ada.get(&thread).ok()["isLocked"], true);
    it.ada.post(&format!("{thread}/reply"), &json!({"post": {}})).refused(403, "ErrorAccessDenied");
}

#[test]
fn undeclared_properties_do_not_come_with_a_select_of_others() {
    let it = setup();
    let [_, thread, _] = it.ada.talk(&it.group, "x", "y");
    let reply = json!({"post": {"body": {"content": "z"}, "colour": "red"}});
    it.ada.post(&it.path(&format!("threads/{thread}/reply")), &reply).empty(202);
    let newest = |query: &str| {
        let posts = it.ada.all(&it.path(&format!("threads/{thread}/posts{query}")));
        posts[1].clone()
    };
    assert_eq!(newest("")["colour"], "red");
    assert!(newest("?$select=id").get("colour").is_none());
}

#[test]
fn a_reference_is_understood_in_every_spelling() {
    let it = setup();
    let [conversation, ..] = it.ada.talk(&it.group, "x", "y");
    for reference in [
        format!(
            "https://graph.microsoft.com/v1.0/groups/{}/conversations/{conversation}",
            it.group
        ),
        format!(
            "https://x/v1.0/me/joinedTeams/{}/conversations/{conversation}?$select=id",
            it.group
        ),
        format!("groups('{}')/conversations('{conversation}')", it.group),
    ] {
        let body = json!({"@odata.id": reference});
        it.ada.post(&it.path("conversations/$ref"), &body).empty(204);
    }
}

/// The disk holds a large attachment for as long as something refers to it, and a day more.
#[test]
fn files_that_nothing_refers_to_are_removed_after_a_day() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, kept, _] = ada.talk(&group, "kept", "y");
    let [gone, ..] = ada.talk(&group, "gone", "y");
    let attach = |fill: char| {
        let bytes = base64::prelude::BASE64_STANDARD.encode(fill.to_string().repeat(100_000));
        json!({"post": {"body": {"content": "see"}, "attachments": [{
            "@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": bytes
        }]}})
    };
    let reply = |thread: &str, body: &Value| {
        ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), body)
    };
    reply(&kept, &attach('k')).empty(202);
    let thread = ada.get(&format!("/v1.0/groups/{group}/conversations/{gone}/threads")).ok();
    reply(thread["value"][0]["id"].as_str().unwrap(), &attach('g')).empty(202);
    // A reply that comes to nothing leaves nothing either.
    let unknown = "8d12587e-587e-8d12-7e58-128d7e58128d";
    reply(unknown, &attach('u')).refused(404, "ErrorItemNotFound");
    ada.delete(&format!("/v1.0/groups/{group}/conversations/{gone}")).empty(204);
    let files = |server: &Server| {
        std::fs::read_dir(server.data.join("blobs").join(&group)).unwrap().count()
    };
    assert_eq!(files(&server), 2);
    let server = server.kill_and_restart();
    assert_eq!(files(&server), 2);
    // Two days later: ticks are of 100 ns.
    server.change("update blobs set touched_at = touched_at - 1728000000000");
    let server = server.kill_and_restart();
    while files(&server) > 1 {
        std::thread::yield_now();
    }
    let ada = server.user("ada@example.org");
    let posts = ada.all(&format!("/v1.0/groups/{group}/threads/{kept}/posts?$expand=attachments"));
    assert_eq!(posts[1]["attachments"][0]["size"], 100_000);
    assert_eq!(server.check().status, Some(0));
}

/// The answer to a create is made from what was written, not read again: both must be the same.
#[test]
fn what_is_answered_to_a_create_is_what_a_read_shows() {
    let it = setup();
    let deep = json!({"topic": "É \"x\"", "threads": [{"posts": [{"body": {"content": "<b>y</b>", "contentType": "html"}}]}]});
    let flat = json!({
        "topic": "", "preview": "p", "uniqueSenders": ["B", "a\\"], "hasAttachments": true,
        "lastDeliveredDateTime": "2017-01-01T00:02:32.1744944+03:00"
    });
    for body in [deep, flat] {
        let answer = it.ada.post(&it.path("conversations"), &body);
        let etag = answer.header("ETag").unwrap().to_owned();
        let mut made = answer.created();
        made.as_object_mut().unwrap().remove("threads");
        let id = made["id"].as_str().unwrap().to_owned();
        let read = it.ada.get(&it.path(&format!("conversations/{id}")));
        assert_eq!(read.header("ETag"), Some(&etag[..]));
        assert_eq!(read.ok(), made);
    }
}
