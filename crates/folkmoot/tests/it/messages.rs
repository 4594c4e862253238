//! A group read as a mailbox: all of its posts in one list, newest first.

use serde_json::{Value, json};

use crate::support::{Client, Server};

fn text(content: &str) -> Value {
    json!({"body": {"contentType": "text", "content": content}})
}

fn said(posts: &[Value]) -> Vec<&str> {
    posts.iter().map(|it| it["body"]["content"].as_str().unwrap()).collect()
}

/// A group with two conversations of two posts each, said in turn: one to four. The last has a file.
struct Mailbox {
    server: Server,
    ada: Client,
    group: String,
    path: String,
    threads: [String; 2],
    last: String,
}

fn mailbox() -> Mailbox {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let [_, first, _] = ada.talk(&group, "Lunch", "one");
    let [_, second, _] = ada.talk(&group, "Dinner", "two");
    let posts = |thread: &str| format!("/v1.0/groups/{group}/threads/{thread}/posts");
    ada.post(&posts(&first), &text("three")).created();
    let mut last = text("four");
    last["attachments"] = json!([{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt",
        "contentBytes": "aGk="}]);
    let last = ada.post(&posts(&second), &last).id();
    let path = format!("/v1.0/groups/{group}/folkmoot.messages");
    Mailbox { server, ada, group, path, threads: [first, second], last }
}

#[test]
fn all_posts_of_a_group_come_newest_first() {
    let it = mailbox();
    // What another group says is not in it.
    let other = it.ada.group("others", "Public");
    it.ada.talk(&other, "x", "elsewhere");
    let whole = it.ada.get(&it.path).ok();
    let value = whole["value"].as_array().unwrap();
    assert_eq!(said(value), ["four", "three", "two", "one"]);
    let context = whole["@odata.context"].as_str().unwrap();
    assert!(context.ends_with(&format!("#groups('{}')/folkmoot.messages", it.group)), "{context}");
    assert_eq!(said(&it.ada.all(&format!("{}?$top=1", it.path))), ["four", "three", "two", "one"]);
    assert_eq!(it.ada.get(&format!("{}/$count", it.path)).text(), "4");
    // As messages: with their subjects, and where they belong.
    let listed =
        it.ada.all(&format!("{}?$select=@folkmoot.topic,conversationThreadId&$skip=1", it.path));
    let shown =
        |post: &Value| (post["@folkmoot.topic"].clone(), post["conversationThreadId"].clone());
    let [first, second] = &it.threads;
    let expected = [("Lunch", first), ("Dinner", second), ("Lunch", first)];
    let expected = expected.map(|(topic, thread)| (json!(topic), json!(thread)));
    assert_eq!(listed.iter().map(shown).collect::<Vec<_>>(), expected);
    assert!(value[0].get("@folkmoot.topic").is_none(), "on request alone");
    // The query is one on posts.
    let query = |query: &str| it.ada.all(&format!("{}?{query}", it.path));
    assert_eq!(said(&query("$orderby=receivedDateTime")), ["one", "two", "three", "four"]);
    assert_eq!(said(&query("$filter=hasAttachments%20eq%20true")), ["four"]);
    assert_eq!(query("$expand=attachments")[0]["attachments"][0]["name"], "a.txt");
    let inside =
        it.ada.get(&format!("/v1.0/groups/{}?$expand=folkmoot.messages($top=3)", it.group));
    let inside = inside.ok();
    let next = inside["folkmoot.messages@odata.nextLink"].as_str().unwrap();
    assert_eq!(said(inside["folkmoot.messages"].as_array().unwrap()), ["four", "three", "two"]);
    let next = next.split_once(&it.server.address).unwrap().1;
    assert_eq!(said(&it.ada.all(next)), ["one"]);
}

#[test]
fn a_message_is_the_post_that_it_is() {
    let it = mailbox();
    let own = format!("{}/{}", it.path, it.last);
    let post = it.ada.get(&own).ok();
    let by_thread =
        format!("/v1.0/groups/{}/threads/{}/posts/{}", it.group, it.threads[1], it.last);
    assert_eq!(post["body"], it.ada.get(&by_thread).ok()["body"]);
    let files = it.ada.all(&format!("{own}/attachments"));
    let file = files[0]["id"].as_str().unwrap();
    assert_eq!(it.ada.get(&format!("{own}/attachments/{file}/$value")).text(), "hi");
    it.ada.post(&format!("{own}/reply"), &json!({"post": text("five")})).empty(202);
    assert_eq!(said(&it.ada.all(&it.path))[0], "five");
    it.ada.post(&it.path, &text("x")).refused(405, "ErrorInvalidRequest");
    it.ada.get(&format!("{}/{}", it.path, it.threads[0])).refused(404, "ErrorItemNotFound");
    // A topic changes without the post: its ETag does not speak for it.
    let topic = format!("{own}?$select=@folkmoot.topic");
    let before = it.ada.get(&topic);
    assert_eq!((&before.ok()["@folkmoot.topic"], before.header("ETag")), (&json!("Dinner"), None));
    let thread = format!("/v1.0/groups/{}/threads/{}", it.group, it.threads[1]);
    it.ada.patch(&thread, &json!({"topic": "Supper"})).ok();
    for _ in 0..3 {
        assert_eq!(it.ada.get(&topic).ok()["@folkmoot.topic"], "Supper");
    }
}

#[test]
fn messages_are_for_those_who_may_read_the_conversations() {
    let it = mailbox();
    let bo = it.server.user("bo@example.org");
    for path in [&it.path, &format!("{}/{}", it.path, it.last), &format!("{}/$count", it.path)] {
        bo.get(path).refused(403, "ErrorAccessDenied");
    }
    bo.get(&format!("/v1.0/groups/{}?$expand=folkmoot.messages", it.group))
        .refused(403, "ErrorAccessDenied");
    let basic = it.server.user_with("ada@example.org", &["Group.ReadBasic.All"]);
    basic.get(&it.path).refused(403, "ErrorAccessDenied");
    assert_eq!(it.server.app(&["Group.Read.All"]).get(&it.path).status, 200);
    let security = it.ada.security_group("guards");
    it.ada
        .get(&format!("/v1.0/groups/{security}/folkmoot.messages"))
        .refused(404, "MailboxNotEnabledForRESTAPI");
    // Real Graph has no such list, nor a way to a post through one.
    let strict = Server::with(&["--strict-graph"]);
    let ada = strict.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, post] = ada.talk(&group, "x", "y");
    for rest in ["", &format!("/{post}"), &format!("/{post}/attachments"), "/$count"] {
        ada.get(&format!("/v1.0/groups/{group}/folkmoot.messages{rest}"))
            .refused(405, "ErrorInvalidRequest");
    }
    ada.get(&format!("/v1.0/groups/{group}?$expand=folkmoot.messages"))
        .refused(400, "ExpandNotSupported");
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts?$select=@folkmoot.topic");
    assert!(ada.get(&posts).ok()["value"][0].get("@folkmoot.topic").is_none());
}
