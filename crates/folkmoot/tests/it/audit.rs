//! The audit: who did what to which entity, from where; read by owners, exported by operators, forgotten in
//! time.
//!
//! That each operation leaves its row, `walk.rs` asks of all of them.

mod export;
mod silence;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Server, Talk, UNKNOWN};

/// What was done in a group since, oldest first: operation, action, type.
fn since(owner: &Client, group: &str, known: &mut usize) -> Vec<Value> {
    let mut all = owner.all(&format!("/v1.0/groups/{group}/folkmoot.audit?$top=7"));
    all.reverse();
    let new = all.split_off(*known);
    *known += new.len();
    new
}

fn short(entry: &Value) -> [&str; 3] {
    ["operation", "action", "entityType"].map(|it| entry[it].as_str().unwrap())
}

/// Every kind of change leaves exactly its rows.
#[test]
fn each_change_leaves_its_rows() {
    let talk = Talk::on(Server::durable());
    let Talk { server, ada, group, .. } = &talk;
    let mut known = 0;
    let mut expect = |what: &str, rows: &[[&str; 3]]| {
        let new = since(ada, group, &mut known);
        let got: Vec<_> = new.iter().map(short).collect();
        assert_eq!(got, rows, "{what}: {new:#?}");
        new
    };
    let made = expect(
        "a group with its people, and a first talk",
        &[
            ["CreateGroup", "created", "group"],
            ["CreateGroup", "created", "owner"],
            ["CreateGroup", "created", "member"],
            ["AddMember", "created", "member"],
            ["CreateConversation", "created", "conversation"],
        ],
    );
    // What came into being together is one row.
    let thread = talk.thread.rsplit('/').next().unwrap();
    assert_eq!(made[4]["entityId"], talk.conversation);
    assert_eq!(made[4]["conversationId"], talk.conversation);
    assert_eq!(made[4]["conversationThreadId"], thread);
    assert_eq!(made[4]["postId"], talk.first);
    assert_eq!(made[4]["userId"], ada.me());
    assert_eq!(made[3]["entityId"], talk.bo.me());

    let reply = json!({"post": {"body": {"content": "Yes"}}});
    let replied = talk.bo.post(&format!("{}/reply", talk.thread), &reply);
    let post = replied.header("Location").unwrap().rsplit('/').next().unwrap().to_owned();
    let rows = expect("a reply", &[["ReplyToThread", "created", "post"]]);
    assert_eq!((&rows[0]["entityId"], &rows[0]["postId"]), (&json!(post), &json!(post)));
    assert_eq!(rows[0]["userId"], talk.bo.me());
    assert_eq!(rows[0]["requestId"], replied.header("request-id").unwrap());

    let post = format!("{}/posts/{post}", talk.thread);
    assert_eq!(talk.bo.patch(&post, &json!({"body": {"content": "No"}})).status, 200);
    expect("an edit", &[["UpdatePost", "updated", "post"]]);
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt",
        "contentBytes": "aGVsbG8="});
    let file = talk.bo.post(&format!("{post}/attachments"), &file).id();
    let rows = expect("a file", &[["CreateAttachment", "updated", "post"]]);
    assert_eq!(rows[0]["partId"], file);
    talk.bo.delete(&format!("{post}/attachments/{file}")).empty(204);
    let rows = expect("a file that goes", &[["DeleteAttachment", "updated", "post"]]);
    assert_eq!(rows[0]["partId"], file);
    assert_eq!(ada.patch(&talk.thread, &json!({"topic": "Dinner"})).status, 200);
    expect(
        "another topic",
        &[["UpdateThread", "updated", "conversation"], ["UpdateThread", "updated", "thread"]],
    );
    let to = json!({"toRecipients": [{"emailAddress": {"address": "x@example.org"}}]});
    talk.bo.post(&format!("{post}/forward"), &to).empty(202);
    expect("a forward", &[["ForwardPost", "created", "forward"]]);
    talk.bo.delete(&post).empty(204);
    expect("a post that goes", &[["DeletePost", "deleted", "post"]]);
    ada.delete(&talk.thread).empty(204);
    let rows = expect(
        "all that goes with a thread",
        &[
            ["DeleteThread", "deleted", "post"],
            ["DeleteThread", "deleted", "thread"],
            ["DeleteThread", "deleted", "conversation"],
        ],
    );
    assert_eq!(rows[0]["entityId"], talk.first);

    let declared = ada.declare(group, &json!({"topic": "Later"}));
    expect("a conversation without posts", &[["AddConversation", "created", "conversation"]]);
    let threads = format!("/v1.0/groups/{group}/conversations/{declared}/threads");
    let posts = json!({"posts": [{"body": {"content": "Now"}}]});
    ada.post(&threads, &posts).created();
    expect("a thread in it", &[["CreateThread", "created", "thread"]]);
    assert_eq!(
        ada.patch(&format!("/v1.0/groups/{group}"), &json!({"description": "x"})).status,
        204
    );
    expect("a setting", &[["UpdateGroup", "updated", "group"]]);
    let bo = talk.bo.me();
    ada.post(&format!("/v1.0/groups/{group}/rejectedSenders/$ref"), &server.principal(&bo))
        .empty(204);
    let rows = expect("a sender", &[["AddRejectedSender", "updated", "group"]]);
    assert_eq!(rows[0]["partId"], bo);
    ada.delete(&format!("/v1.0/groups/{group}/members/{bo}/$ref")).empty(204);
    let rows = expect("a member who goes", &[["RemoveMember", "deleted", "member"]]);
    assert_eq!(rows[0]["entityId"], bo);
    let checked = server.check();
    assert_eq!(checked.status, Some(0), "{}{}", checked.stdout, checked.stderr);
}

#[test]
fn what_is_refused_or_undone_leaves_nothing() {
    let talk = Talk::on(Server::durable());
    let count = || talk.server.number("select count(*) from audit");
    let before = count();
    let conversations = format!("/v1.0/groups/{}/conversations", talk.group);
    talk.cy.post(&conversations, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
    assert_eq!(talk.bo.patch(&talk.post, &json!({"body": {"content": "x"}})).status, 403);
    let stale = [("If-Match", "W/\"stale\"")];
    assert_eq!(talk.ada.send("DELETE", &talk.post, &stale, b"").status, 412);
    let members = format!("/v1.0/groups/{}/members/$ref", talk.group);
    let bo = talk.server.reference("bo@example.org");
    talk.ada.post(&members, &bo).refused(400, "Request_BadRequest");
    // The second of these names nobody, after the first was stored.
    let bound = [talk.cy.me(), UNKNOWN.to_owned()].map(|it| format!("https://x/v1.0/users/{it}"));
    let body = json!({"description": "x", "members@odata.bind": bound});
    assert!(talk.ada.patch(&format!("/v1.0/groups/{}", talk.group), &body).status >= 400);
    assert_eq!(count(), before);
    // In one transaction with what is refused goes what is not.
    let request = |id: usize| {
        json!({"id": id.to_string(), "method": if id.is_multiple_of(3) { "DELETE" } else { "POST" },
            "url": if id.is_multiple_of(3) { format!("/groups/{}/conversations/{UNKNOWN}", talk.group) }
                else { format!("/groups/{}/conversations", talk.group) },
            "headers": {"Content-Type": "application/json"}, "body": {"topic": "x"}})
    };
    let requests: Vec<_> = (0..18).map(request).collect();
    let answer = talk.ada.post("/v1.0/$batch", &json!({"requests": requests}));
    let created = answer.ok()["responses"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["status"] == 201)
        .count();
    assert_eq!((created, count()), (12, before + 12));
    // Each has the id that the batch's answer has.
    let of_batch = format!(
        "/v1.0/groups/{}/folkmoot.audit/$count?$filter=requestId%20eq%20'{}'",
        talk.group,
        answer.header("request-id").unwrap()
    );
    assert_eq!(talk.ada.get(&of_batch).text(), "12");
}

#[test]
fn the_client_is_who_is_connected_or_whom_the_named_proxy_names() {
    let client = |args: &[&str], forwarded: &[&str]| {
        let server = Server::with(args);
        let ada = server.user("ada@example.org");
        let group = ada.group("readers", "Private");
        let mut headers = vec![("Content-Type", "application/json")];
        headers.extend(forwarded.iter().map(|it| ("X-Forwarded-For", *it)));
        let path = format!("/v1.0/groups/{group}/conversations/$ref");
        assert_eq!(ada.send("POST", &path, &headers, br#"{"topic": "x"}"#).status, 201);
        let newest = ada.get(&format!("/v1.0/groups/{group}/folkmoot.audit?$top=1")).ok();
        newest["value"][0]["client"].as_str().unwrap().to_owned()
    };
    let proxy = ["--trust-proxy", "127.0.0.1"];
    for (args, forwarded, expected) in [
        (&[][..], &[][..], "127.0.0.1"),
        (&[], &["203.0.113.9"], "127.0.0.1"),
        (&["--trust-proxy", "192.0.2.1"], &["203.0.113.9"], "127.0.0.1"),
        (&proxy, &[], "127.0.0.1"),
        (&proxy, &["203.0.113.9"], "203.0.113.9"),
        // What stands before it the client may have written.
        (&proxy, &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (&proxy, &["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        (&proxy, &["203.0.113.9:1234"], "203.0.113.9"),
        (&proxy, &["[2001:db8::1]:1234"], "2001:db8::1"),
        (&proxy, &["2001:db8::1"], "2001:db8::1"),
        (&proxy, &["::ffff:203.0.113.9"], "203.0.113.9"),
        (&proxy, &["unknown"], "127.0.0.1"),
        (&proxy, &["203.0.113.9,"], "127.0.0.1"),
    ] {
        assert_eq!(client(args, forwarded), expected, "{args:?} {forwarded:?}");
    }
}

#[test]
fn owners_read_it_and_nobody_else_of_the_group() {
    let (server, ada, eve) = Server::with_two_tenants();
    let (bo, cy) = (server.user("bo@example.org"), server.user("cy@example.org"));
    for visibility in ["Public", "Private", "HiddenMembership"] {
        let group = ada.group(&visibility.to_lowercase(), visibility);
        let members = format!("/v1.0/groups/{group}/members/$ref");
        ada.post(&members, &server.reference(&bo.me())).empty(204);
        let path = format!("/v1.0/groups/{group}/folkmoot.audit");
        let entries = ada.all(&path);
        assert_eq!(entries.len(), 4);
        let one = format!("{path}/{}", entries[0]["id"].as_str().unwrap());
        assert_eq!(ada.get(&one).ok()["operation"], "AddMember");
        for path in [&path, &one, &format!("{path}/$count")] {
            bo.get(path).refused(403, "ErrorAccessDenied");
            cy.get(path).refused(403, "ErrorAccessDenied");
            eve.get(path).refused(404, "Request_ResourceNotFound");
            server.app(&["Group.Read.All"]).get(path).refused(403, "ErrorAccessDenied");
            assert_eq!(server.app(&["AuditLog.Read.All"]).get(path).status, 200);
            assert_eq!(server.app(&["Group.ReadWrite.All"]).get(path).status, 200);
            assert_eq!(ada.post(path, &json!({})).status, 405);
            assert_eq!(ada.delete(path).status, 405);
        }
        ada.get(&format!("{path}/{UNKNOWN}")).refused(404, "ErrorItemNotFound");
        // No way round.
        for query in [
            format!("/v1.0/groups/{group}?$expand=folkmoot.audit"),
            "/v1.0/groups?$filter=folkmoot.audit/any(a:a/action%20eq%20'created')".to_owned(),
            "/v1.0/groups?$filter=folkmoot.audit/$count%20gt%200".to_owned(),
        ] {
            assert_eq!(cy.get(&query).status, 400, "{query}");
        }
        let way = format!("/v1.0/me/joinedTeams/{group}/folkmoot.audit");
        assert_eq!(ada.get(&way).ok()["value"].as_array().unwrap().len(), 4);
        bo.get(&way).refused(403, "ErrorAccessDenied");
    }
    // Of a group without a mailbox there is one too.
    let group = ada.security_group("guards");
    let entries = ada.all(&format!("/v1.0/groups/{group}/folkmoot.audit"));
    assert_eq!(entries.len(), 3);
    // What an owner no longer is, they no longer read; an answer that was kept is not given again.
    let path = format!("/v1.0/groups/{group}/folkmoot.audit");
    let owners = format!("/v1.0/groups/{group}/owners");
    ada.post(&format!("{owners}/$ref"), &server.reference(&bo.me())).empty(204);
    for count in [4, 4, 4] {
        assert_eq!(bo.get(&path).ok()["value"].as_array().unwrap().len(), count);
    }
    ada.delete(&format!("{owners}/{}/$ref", bo.me())).empty(204);
    bo.get(&path).refused(403, "ErrorAccessDenied");
}

#[test]
fn it_is_asked_as_any_collection_is() {
    let talk = Talk::on(Server::durable());
    let reply = json!({"post": {"body": {"content": "Yes"}}});
    for _ in 0..5 {
        talk.bo.post(&format!("{}/reply", talk.thread), &reply).empty(202);
    }
    let path = format!("/v1.0/groups/{}/folkmoot.audit", talk.group);
    let all = talk.ada.all(&path);
    assert_eq!(all.len(), 10);
    // Newest first, page by page.
    let ids: Vec<_> = all.iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "{ids:?}");
    assert_eq!(talk.ada.all(&format!("{path}?$top=3")), all);
    let up = talk.ada.all(&format!("{path}?$top=3&$orderby=id"));
    assert!(up.iter().eq(all.iter().rev()));
    let by_time = talk.ada.all(&format!("{path}?$orderby=createdDateTime%20desc&$top=4"));
    assert_eq!(by_time.len(), 10);
    let bo = talk.bo.me();
    for (filter, count) in [
        (format!("userId eq '{bo}'"), 5),
        ("operation eq 'ReplyToThread' and caller eq 'user'".to_owned(), 5),
        ("startswith(operation,'Create')".to_owned(), 4),
        ("action ne 'created'".to_owned(), 0),
        ("entityType in ('owner','member')".to_owned(), 3),
        (format!("postId eq '{}'", talk.first), 1),
        (format!("conversationId eq '{}'", talk.conversation), 6),
        ("client eq '127.0.0.1'".to_owned(), 10),
        ("createdDateTime gt 2020-01-01T00:00:00Z".to_owned(), 10),
        ("createdDateTime lt 2020-01-01T00:00:00Z".to_owned(), 0),
        ("partId eq null".to_owned(), 10),
    ] {
        let filter = filter.replace(' ', "%20");
        let page = talk.ada.get(&format!("{path}?$filter={filter}&$count=true&$top=1")).ok();
        assert_eq!(page["@odata.count"], count, "{filter}");
    }
    let page = talk.ada.get(&format!("{path}?$select=operation,client&$top=1")).ok();
    let entry = page["value"][0].as_object().unwrap();
    let shown: Vec<_> = entry.keys().filter(|it| !it.starts_with('@')).collect();
    assert_eq!(shown, ["client", "id", "operation"]);
    // A deleted post's rows stand.
    talk.ada
        .delete(&format!("/v1.0/groups/{}/conversations/{}", talk.group, talk.conversation))
        .empty(204);
    let of_first = format!("{path}?$filter=postId%20eq%20'{}'", talk.first);
    let rows = talk.ada.all(&of_first);
    assert_eq!(
        rows.iter().map(|it| it["action"].as_str().unwrap()).collect::<Vec<_>>(),
        ["deleted", "created"]
    );
}

#[test]
fn strict_mode_does_not_know_it() {
    let server = Server::with(&["--strict-graph"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let path = format!("/v1.0/groups/{group}/folkmoot.audit");
    assert!([405, 501].contains(&ada.get(&path).status), "{}", ada.get(&path).status);
}

/// What is older than the audit is to be kept is forgotten, and nothing else.
#[test]
fn it_is_forgotten_in_time() {
    for (keep, config) in [(365, None), (30, Some("[audit]\nkeep_days = 30\n"))] {
        let talk = Talk::on(Server::durable());
        let before = rows_of(&talk.server);
        for days in [keep - 1, keep + 1, 2 * keep] {
            age(&talk.server, days);
        }
        let server = restart(talk.server, config);
        while server.number("select count(*) from tenant_audit where operation = 'old'") > 1
            || server.number("select count(*) from audit where operation = 'old'") > 1
        {
            std::thread::yield_now();
        }
        let after = rows_of(&server);
        assert_eq!(after, [before[0] + 1, before[1] + 1], "{keep}");
    }
    let talk = Talk::on(Server::durable());
    let before = rows_of(&talk.server);
    age(&talk.server, 10_000);
    let link = talk.server.command(&["user", "link", "ada@example.org"]);
    assert!(link.contains("/sign-in"));
    talk.server.change("update sign_in_links set expires_at = 1");
    let server = restart(talk.server, Some("[audit]\nkeep_days = 0\n"));
    // That goes after the audit is looked at.
    while server.number("select count(*) from sign_in_links") > 0 {
        std::thread::yield_now();
    }
    // One more than was made old: the link.
    assert_eq!(rows_of(&server), [before[0] + 1, before[1] + 2]);
}

fn rows_of(server: &Server) -> [i64; 2] {
    ["audit", "tenant_audit"].map(|it| server.number(&format!("select count(*) from {it}")))
}

/// Adds a row to each table that is so many days old.
fn age(server: &Server, days: i64) {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let then = now - u128::try_from(days).unwrap() * 86_400_000;
    let id = uuid::Uuid::from_u128(then << 80 | 0x7000_8000 << 48 | u128::try_from(days).unwrap());
    let id = server.id_literal(&id.to_string());
    server.change(&format!(
        "insert into audit (group_id, id, tenant_id, at, operation, action, entity_type, caller) \
         select group_id, {id}, tenant_id, at, 'old', action, entity_type, caller from audit \
         order by id limit 1; \
         insert into tenant_audit (tenant_id, id, at, operation, action, entity_type, caller) \
         select tenant_id, {id}, at, 'old', action, entity_type, caller from tenant_audit \
         order by id limit 1"
    ));
}

fn restart(server: Server, config: Option<&str>) -> Server {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("folkmoot.toml");
    std::fs::write(&file, config.unwrap_or_default()).unwrap();
    server.kill_and_restart_with(&["--config", file.to_str().unwrap()])
}
