//! Posts beyond Graph: added by themselves, edited, removed; forwarded; what replies tell of them.

use serde_json::{Value, json};

use crate::support::{Client, Server, Talk};

fn talk() -> Talk {
    Talk::on(Server::durable())
}

impl Talk {
    fn post(&self, who: &Client, content: &str) -> String {
        who.post(&format!("{}/posts", self.thread), &text(content)).id()
    }

    /// Of thread and conversation: preview, names, whether there are attachments.
    #[track_caller]
    fn shows(&self, preview: &str, names: &[&str], attachments: bool) {
        let conversation =
            format!("/v1.0/groups/{}/conversations/{}", self.group, self.conversation);
        for path in [&self.thread, &conversation] {
            let it = self.ada.get(path).ok();
            assert_eq!(it["preview"], preview, "{path}");
            assert_eq!(it["uniqueSenders"], json!(names), "{path}");
            assert_eq!(it["hasAttachments"], attachments, "{path}");
        }
    }
}

fn text(content: &str) -> Value {
    json!({"body": {"contentType": "text", "content": content}})
}

#[test]
fn a_post_is_added_by_itself() {
    let it = talk();
    for path in [
        format!("{}/posts", it.thread),
        format!("{}/posts/$ref", it.thread),
        format!(
            "/v1.0/me/joinedTeams/{}/conversations/{}/threads/{}/posts/$ref",
            it.group,
            it.conversation,
            it.thread.rsplit('/').next().unwrap()
        ),
    ] {
        let sent = json!({"@odata.type": "#microsoft.graph.post", "body": {
            "@odata.type": "microsoft.graph.itemBody", "contentType": "html", "content": "<b>Yes</b>"},
            "categories": ["Blue"], "newParticipants": [{"@odata.type": "microsoft.graph.recipient"}],
            "from": {"emailAddress": {"name": "Somebody", "address": "else@example.org"}}});
        let answer = it.bo.post(&path, &sent);
        let made = answer.created();
        assert_eq!(made["@odata.type"], "#microsoft.graph.post");
        assert_eq!(
            made["body"]["@odata.type"], "microsoft.graph.itemBody",
            "given back where it was sent"
        );
        assert_eq!(made["newParticipants"][0]["@odata.type"], "microsoft.graph.recipient");
        assert_eq!(made["sender"]["emailAddress"]["address"], "bo@example.org");
        assert_eq!(made["from"], made["sender"], "a client does not say who sent it");
        let location = answer.header("Location").unwrap();
        let own = location.split_once(&it.server.address).unwrap().1;
        let read = it.ada.get(own).ok();
        assert_eq!(read["id"], made["id"]);
        assert!(
            read.get("@folkmoot.editedDateTime").is_none()
                && read["body"].get("@odata.type").is_none()
        );
    }
    it.shows("Yes", &["ada", "bo"], false);
    it.cy.post(&format!("{}/posts", it.thread), &text("x")).refused(403, "ErrorAccessDenied");
    it.bo.post(&format!("{}/posts", it.thread), &json!({"body": 1})).refused(400, "BadRequest");
}

#[test]
fn a_reply_tells_where_the_new_post_is() {
    let it = talk();
    let answer = it.bo.post(&format!("{}/reply", it.thread), &json!({"post": text("Yes")}));
    answer.empty(202);
    let own = answer.header("Location").unwrap().split_once(&it.server.address).unwrap().1;
    let first = it.ada.get(own).ok();
    assert_eq!(first["body"]["content"], "Yes");
    // And through the post that it answers.
    let answer = it.ada.post(&format!("{own}/reply"), &json!({"post": text("Good")}));
    let second = answer.header("Location").unwrap().split_once(&it.server.address).unwrap().1;
    assert_eq!(it.ada.get(&format!("{second}/inReplyTo")).ok()["id"], first["id"]);
}

#[test]
fn an_edited_post_says_so_and_keeps_what_it_said() {
    let it = talk();
    let id = it.post(&it.bo, "At two");
    let post = format!("{}/posts/{id}", it.thread);
    let before = it.bo.get(&post);
    let etag = before.header("ETag").unwrap().to_owned();
    let first = it
        .bo
        .patch(&post, &json!({"body": {"content": "At three"}, "mood": "late", "place": "here"}));
    let edited = first.ok();
    assert!(first.header("Location").is_none());
    assert_eq!(edited["body"], json!({"contentType": "text", "content": "At three"}));
    assert_eq!((&edited["mood"], &edited["place"]), (&json!("late"), &json!("here")));
    let when = edited["@folkmoot.editedDateTime"].as_str().unwrap();
    assert_eq!(edited["lastModifiedDateTime"], when);
    it.shows("At three", &["ada", "bo"], false);

    // What was read before is out of date for an If-Match, and what is read now is not.
    let json = ("Content-Type", "application/json");
    let body = json!({"body": {"contentType": "html", "content": "<p>At four</p>"}, "mood": null})
        .to_string();
    let stale = it.bo.send("PATCH", &post, &[json, ("If-Match", &etag)], body.as_bytes());
    stale.refused(412, "ErrorIrresolvableConflict");
    let etag = it.bo.get(&post).header("ETag").unwrap().to_owned();
    let done = it.bo.send("PATCH", &post, &[json, ("If-Match", &etag)], body.as_bytes()).ok();
    assert_eq!(done["body"]["contentType"], "html");
    assert!(done.get("mood").is_none() && done["place"] == "here", "{done}");
    it.shows("At four", &["ada", "bo"], false);

    // The owner reads what it said; its author, who is none, does not.
    let history = format!("{post}/folkmoot.history");
    let versions = it.ada.all(&history);
    let said: Vec<_> = versions.iter().map(|it| it["body"]["content"].as_str().unwrap()).collect();
    assert_eq!(said, ["At two", "At three"]);
    assert_eq!(versions[0]["replacedDateTime"], versions[1]["lastModifiedDateTime"]);
    let bo = it.bo.get("/v1.0/me").ok();
    assert_eq!(versions[0]["replacedBy"], bo["id"]);
    assert_eq!(it.ada.get(&format!("{history}/$count")).text(), "2");
    it.bo.get(&history).refused(403, "ErrorAccessDenied");
    it.cy.get(&history).refused(403, "ErrorAccessDenied");
    // Nor by a question about it.
    let asked =
        format!("{}/posts?$filter=folkmoot.history/any(v:v/replacedBy%20ne%20null)", it.thread);
    it.bo.get(&asked).refused(400, "BadRequest");
    it.bo
        .get(&format!("{}/posts?$expand=folkmoot.history", it.thread))
        .refused(400, "ExpandNotSupported");
}

#[test]
fn an_edit_changes_what_is_sent_and_nothing_else() {
    let it = talk();
    let sent = json!({"body": {"contentType": "html", "content": "<b>x</b>"}, "importance": "high", "mood": 1});
    let id = it.bo.post(&format!("{}/posts", it.thread), &sent).id();
    let post = format!("/beta{}/posts/{id}", it.thread.strip_prefix("/v1.0").unwrap());
    let body = |change: &Value| it.bo.patch(&post, change).ok()["body"].clone();
    let html = |content: &str| json!({"contentType": "html", "content": content});
    assert_eq!(body(&json!({"body": {"content": "<i>y</i>"}})), html("<i>y</i>"));
    assert_eq!(body(&json!({"body": {"contentType": "html"}})), html("<i>y</i>"));
    assert_eq!(body(&json!({"categories": ["Red"]})), html("<i>y</i>"));
    assert_eq!(
        body(&json!({"body": {"contentType": "text", "content": "z"}}))["contentType"],
        "text"
    );
    assert_eq!(body(&json!({"body": null})), json!({"contentType": "text", "content": ""}));
    // The last undeclared property goes too; an importance of null is the usual one.
    let done = it.bo.patch(&post, &json!({"mood": null, "importance": null})).ok();
    assert!(done.get("mood").is_none() && done["importance"] == "normal", "{done}");
    assert!(it.bo.get(&post).ok().get("mood").is_none());
    it.bo.patch(&post, &json!({"": 1})).refused(400, "RequestBodyRead");
}

#[test]
fn a_post_is_its_authors_the_owners_and_applications_to_change() {
    let it = talk();
    let id = it.post(&it.bo, "of bo");
    let (own, others) =
        (format!("{}/posts/{id}", it.thread), format!("{}/posts/{}", it.thread, it.first));
    let robot = it.server.app(&["Group.ReadWrite.All"]);
    let change = text("changed");
    it.bo.patch(&others, &change).refused(403, "ErrorAccessDenied");
    it.bo.delete(&others).refused(403, "ErrorAccessDenied");
    it.cy.patch(&own, &change).refused(403, "ErrorAccessDenied");
    let reader = it.server.user_with("bo@example.org", &["Group.Read.All"]);
    reader.patch(&own, &change).refused(403, "ErrorAccessDenied");
    for who in [&it.bo, &it.ada, &robot] {
        who.patch(&own, &change).ok();
    }
    it.ada.patch(&it.thread, &json!({"isLocked": true})).ok();
    it.bo.patch(&own, &change).refused(403, "ErrorAccessDenied");
    it.bo.delete(&own).refused(403, "ErrorAccessDenied");
    it.bo.post(&format!("{}/posts", it.thread), &change).refused(403, "ErrorAccessDenied");
    it.ada.patch(&own, &change).ok();
    robot.delete(&own).empty(204);
    it.ada.patch(&own, &change).refused(404, "ErrorItemNotFound");
    it.ada.delete(&own).refused(404, "ErrorItemNotFound");
}

#[test]
fn with_its_last_post_a_thread_goes_and_with_its_last_thread_a_conversation() {
    let it = talk();
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a", "contentBytes": "aGk="});
    let with_file = json!({"body": {"content": "newest"}, "attachments": [file]});
    let newest = it.bo.post(&format!("{}/posts", it.thread), &with_file).id();
    it.shows("newest", &["ada", "bo"], true);
    let reply = it
        .ada
        .post(&format!("{}/posts/{newest}/reply", it.thread), &json!({"post": text("to it")}));
    let reply =
        reply.header("Location").unwrap().split_once(&it.server.address).unwrap().1.to_owned();
    it.bo.delete(&format!("{}/posts/{newest}", it.thread)).empty(204);
    // What is left is shown, and a reply to what is gone is a reply to nothing.
    it.shows("to it", &["ada"], false);
    it.ada.get(&reply).ok();
    it.ada.get(&format!("{reply}/inReplyTo")).refused(404, "ErrorItemNotFound");
    it.ada.delete(&reply).empty(204);
    it.shows("At noon?", &["ada"], false);
    it.ada.delete(&format!("{}/posts/{}", it.thread, it.first)).empty(204);
    it.ada.get(&it.thread).refused(404, "ErrorItemNotFound");
    let conversation = format!("/v1.0/groups/{}/conversations/{}", it.group, it.conversation);
    it.ada.get(&conversation).refused(404, "ErrorItemNotFound");
    let done = it.server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}

#[test]
fn all_of_a_post_can_be_reached_through_an_answer_to_it() {
    let it = talk();
    let path = format!("{}/posts/{}/reply", it.thread, it.first);
    let answer = it.ada.post(&path, &json!({"post": text("answer")}));
    let own =
        answer.header("Location").unwrap().split_once(&it.server.address).unwrap().1.to_owned();
    let above = format!("{own}/inReplyTo");
    it.ada.patch(&above, &text("At one?")).ok();
    assert_eq!(it.ada.get(&above).ok()["body"]["content"], "At one?");
    it.bo.post(&format!("{above}/reply"), &json!({"post": text("again")})).empty(202);
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "aGk="});
    let file = it.ada.post(&format!("{above}/attachments"), &file).id();
    assert_eq!(it.ada.get(&format!("{above}/attachments/{file}/$value")).text(), "hi");
    it.ada.delete(&format!("{above}/attachments/{file}")).empty(204);
    let extension = json!({"@odata.type": "microsoft.graph.openTypeExtension", "extensionName": "Com.X", "a": 1});
    it.ada.post(&format!("{above}/extensions"), &extension).created();
    it.ada.delete(&format!("{above}/extensions/Com.X")).empty(204);
    it.ada.delete(&above).empty(204);
    it.ada.get(&above).refused(404, "ErrorItemNotFound");
    it.ada.get(&own).ok();
}

#[test]
fn a_forward_is_noted_down_for_each_recipient() {
    let it = talk();
    let path = format!("{}/posts/{}/forward", it.thread, it.first);
    let to = |address: &str| json!([{"emailAddress": {"name": "Di", "address": address}}]);
    it.bo.post(&path, &json!({"comment": "see", "toRecipients": to("di@example.org")})).empty(202);
    it.bo.post(&path, &json!({"TORECIPIENTS": to("ed@example.org")})).empty(202);
    let qualified = format!("{}/microsoft.graph.forward", path.trim_end_matches("/forward"));
    it.ada
        .post(&qualified, &json!({"Comment": null, "ToRecipients": to("fay@example.org")}))
        .empty(202);
    let rows = it.server.rows("select comment, to_recipients from forwards order by id");
    let expected = |comment: &str, address: &str| {
        vec![
            comment.to_owned(),
            format!("[{{\"emailAddress\":{{\"name\":\"Di\",\"address\":\"{address}\"}}}}]"),
        ]
    };
    assert_eq!(
        rows,
        [("see", "di@example.org"), ("", "ed@example.org"), ("", "fay@example.org")]
            .map(|(comment, address)| expected(comment, address))
    );
    for nobody in [json!([]), json!([{}]), json!([{"emailAddress": {"name": "Di"}}]), to("")] {
        let body = json!({"comment": "see", "toRecipients": nobody});
        it.bo.post(&path, &body).refused(400, "ErrorInvalidRecipients");
    }
    it.bo.post(&path, &json!({"comment": "see"})).refused(400, "BadRequest");
    let unknown = json!({"toRecipients": to("x@example.org"), "bcc": []});
    it.bo.post(&path, &unknown).refused(400, "RequestBodyRead");
    it.cy
        .post(&path, &json!({"toRecipients": to("x@example.org")}))
        .refused(403, "ErrorAccessDenied");
    // Nothing but a mail comes of it.
    assert_eq!(it.ada.all(&format!("{}/posts", it.thread)).len(), 1);
    assert_eq!(it.server.number("select count(*) from forwards"), 3);
}

#[test]
fn a_thread_is_forwarded_by_its_newest_post() {
    let it = talk();
    let body = json!({"toRecipients": [{"emailAddress": {"address": "di@example.org"}}]});
    let through = format!(
        "/v1.0/me/joinedGroups/{}/conversations/{}/threads/{}",
        it.group,
        it.conversation,
        it.thread.rsplit('/').next().unwrap()
    );
    it.bo.post(&format!("{}/forward", it.thread), &body).empty(202);
    let newest = it.post(&it.bo, "At two");
    for way in [&it.thread, &through] {
        it.bo.post(&format!("{way}/forward"), &body).empty(202);
    }
    let forwarded = |post: &str| {
        let path = format!("{}/posts/{post}/forward", it.thread);
        it.bo.post(&path, &body).empty(202);
        it.server.rows("select post_id from forwards order by id").pop().unwrap()
    };
    let (first, second) = (forwarded(&it.first), forwarded(&newest));
    let rows = it.server.rows("select post_id from forwards order by id");
    assert_eq!(rows[..3], [first, second.clone(), second]);
    let path = format!("{}/forward", it.thread);
    it.bo.post(&path, &json!({"toRecipients": []})).refused(400, "ErrorInvalidRecipients");
    it.cy.post(&path, &body).refused(403, "ErrorAccessDenied");
    // A thread that is declared has nothing to forward.
    let declared = json!({"topic": "Dinner", "preview": "x"});
    let empty = it.bo.post(&format!("/v1.0/groups/{}/threads", it.group), &declared).id();
    let path = format!("/v1.0/groups/{}/threads/{empty}/forward", it.group);
    it.bo.post(&path, &body).refused(404, "ErrorItemNotFound");
}

/// Real Graph shows a hundred posts of a thread and has no link to more.
#[test]
fn a_thread_of_more_than_a_hundred_posts_is_read_to_its_end() {
    let it = talk();
    let posts = format!("{}/posts", it.thread);
    let mut sent = vec![it.first.clone()];
    sent.extend((1..105).map(|at| it.post(&it.bo, &format!("Number {at}"))));
    let ids = |page: &Value| -> Vec<String> {
        let all = page["value"].as_array().unwrap().iter();
        all.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    let first = it.ada.get(&format!("{posts}?$top=100&$count=true")).ok();
    assert_eq!((ids(&first).len(), &first["@odata.count"]), (100, &json!(105)));
    let link = first["@odata.nextLink"].as_str().unwrap();
    let next = it.ada.get(link.split_once(&it.server.address).unwrap().1).ok();
    assert!(next.get("@odata.nextLink").is_none(), "{next}");
    let mut paged = [ids(&first), ids(&next)].concat();
    let by_twenty = json!({ "value": it.ada.all(&posts) });
    assert_eq!(ids(&by_twenty), paged);
    assert_eq!(ids(&it.ada.get(&format!("{posts}?$top=1000")).ok()), paged);
    paged.sort();
    sent.sort();
    assert_eq!(paged, sent);
}
