//! What a caller may see: nothing of another tenant, no content of a private group from outside.

use serde_json::json;

use crate::support::{Client, Server, folkmoot};

const UNKNOWN: &str = "8d12587e-587e-8d12-7e58-128d7e58128d";

#[test]
fn a_private_group_shows_itself_and_not_its_content() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    let [conversation, thread, post] = ada.talk(&group, "secret", "words");
    assert_eq!(bo.get(&format!("/v1.0/groups/{group}")).ok()["displayName"], "The readers");
    assert_eq!(bo.all(&format!("/v1.0/groups/{group}/members")).len(), 1);
    // Existing, missing and malformed items answer alike, on every path below the group.
    let mut answers = Vec::new();
    for rest in [
        "conversations".to_owned(),
        "conversations/$count".to_owned(),
        "threads".to_owned(),
        format!("conversations/{conversation}"),
        format!("conversations/{UNKNOWN}"),
        "conversations/x".to_owned(),
        format!("conversations/{conversation}/threads"),
        format!("threads/{thread}"),
        format!("threads/{thread}/posts"),
        format!("threads/{UNKNOWN}/posts"),
        format!("threads/{thread}/posts/{post}"),
        format!("threads/{thread}/posts/{post}/attachments"),
        format!("threads/{thread}/posts/{post}/attachments/{UNKNOWN}/$value"),
    ] {
        answers.push(
            bo.get(&format!("/v1.0/groups/{group}/{rest}")).refused(403, "ErrorAccessDenied"),
        );
    }
    assert!(answers.iter().all(|it| *it == answers[0]), "{answers:?}");
    let reply = json!({"post": {"body": {"content": "x"}}});
    bo.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply)
        .refused(403, "ErrorAccessDenied");
    // Also where something else is wrong with the request.
    for body in ["{\"topicx\":1}", "not JSON"] {
        bo.post_text(&format!("/v1.0/groups/{group}/conversations"), body)
            .refused(403, "ErrorAccessDenied");
    }
    bo.delete(&format!("/v1.0/groups/{group}/conversations/{conversation}"))
        .refused(403, "ErrorAccessDenied");
    bo.get(&format!("/v1.0/me/joinedTeams/{group}/conversations"))
        .refused(404, "Request_ResourceNotFound");
    // An application with the role reads it.
    assert_eq!(
        server.app(&["Group.Read.All"]).all(&format!("/v1.0/groups/{group}/threads")).len(),
        1
    );
}

#[test]
fn lists_and_filters_show_no_more_than_reads_do() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let private = ada.group("private", "Private");
    let public = ada.group("public", "Public");
    ada.talk(&private, "secret", "words");
    ada.talk(&public, "open", "words");
    let seen = |client: &Client, id: &str| -> usize {
        let groups = client.all("/v1.0/groups?$expand=conversations,threads($expand=posts)");
        let group = groups.into_iter().find(|it| it["id"] == id).unwrap();
        let threads = group["threads"].as_array().unwrap().len();
        let conversations = group["conversations"].as_array().unwrap().len();
        assert_eq!(threads, conversations);
        threads
    };
    assert_eq!((seen(&ada, &private), seen(&ada, &public)), (1, 1));
    assert_eq!((seen(&bo, &private), seen(&bo, &public)), (0, 1));
    let filter = "/v1.0/groups?$filter=conversations/any(c:startswith(c/topic,'secret'))";
    assert_eq!(ada.all(filter).len(), 1);
    assert_eq!(bo.all(filter).len(), 0);
    // The group's own object with its content expanded, by key.
    bo.get(&format!("/v1.0/groups/{private}?$expand=conversations"))
        .refused(403, "ErrorAccessDenied");
}

#[test]
fn hidden_members_are_hidden_everywhere() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("hidden", "HiddenMembership");
    for list in ["members", "owners"] {
        assert_eq!(ada.all(&format!("/v1.0/groups/{group}/{list}")).len(), 1);
        assert!(bo.all(&format!("/v1.0/groups/{group}/{list}")).is_empty());
        assert_eq!(bo.get(&format!("/v1.0/groups/{group}/{list}/$count")).text(), "0");
        let expanded = bo.get(&format!("/v1.0/groups/{group}?$expand={list}")).ok();
        assert_eq!(expanded[list], json!([]));
        let filter = format!("/v1.0/groups?$filter={list}/any(m:m/displayName%20eq%20'ada')");
        assert_eq!(ada.all(&filter).len(), 1);
        assert!(bo.all(&filter).is_empty());
    }
    assert_eq!(ada.all("/v1.0/users/ada@example.org/memberOf").len(), 1);
    assert!(bo.all("/v1.0/users/ada@example.org/memberOf").is_empty());
    bo.get(&format!("/v1.0/groups/{group}/conversations")).refused(403, "ErrorAccessDenied");
}

#[test]
fn a_public_group_takes_posts_of_everybody_unless_it_says_members_only() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let open = ada.group("open", "Public");
    bo.talk(&open, "x", "y");
    let body = json!({"displayName": "M", "mailNickname": "m", "groupTypes": ["Unified"],
        "mailEnabled": true, "securityEnabled": false,
        "resourceBehaviorOptions": ["AllowOnlyMembersToPost"]});
    let members_only = ada.post("/v1.0/groups", &body).id();
    let path = format!("/v1.0/groups/{members_only}/conversations");
    bo.post(&path, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
    bo.get(&path).ok();
    ada.talk(&members_only, "x", "y");
}

#[test]
fn another_tenants_things_are_not_there() {
    let (server, ada, eve) = Server::with_two_tenants();
    let group = ada.group("readers", "Public");
    let [conversation, ..] = ada.talk(&group, "x", "y");
    // The same nickname and the same user principal name are free in the other tenant.
    let theirs = eve.group("readers", "Public");
    assert_eq!(eve.get(&format!("/v1.0/groups/{theirs}")).ok()["mail"], "readers@second.example");
    for rest in ["", "/members", "/conversations", &format!("/conversations/{conversation}")] {
        let other = eve.get(&format!("/v1.0/groups/{group}{rest}"));
        let unknown = eve.get(&format!("/v1.0/groups/{UNKNOWN}{rest}"));
        // The same bytes, but for the ids in them.
        let message = other.refused(404, "Request_ResourceNotFound");
        let expected = unknown.refused(404, "Request_ResourceNotFound");
        assert_eq!(message.replace(&group, UNKNOWN), expected);
    }
    let ada_id = ada.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    eve.get(&format!("/v1.0/users/{ada_id}")).refused(404, "Request_ResourceNotFound");
    assert_eq!(eve.all("/v1.0/users").len(), 1);
    assert_eq!(eve.all("/v1.0/groups").len(), 1);
    // A tenant that the configuration does not name gets no token.
    let done = folkmoot(&["token", "--user", "a@b.c", "--tenant", UNKNOWN], &server.data);
    assert_eq!(done.status, Some(1));
    assert!(done.stderr.contains("[[tenant]]"), "{}", done.stderr);
}

#[test]
fn scopes_are_asked_for_by_each_operation() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, _] = ada.talk(&group, "x", "y");
    let reader = server.user_with("ada@example.org", &["Group.Read.All"]);
    let reply = json!({"post": {"body": {"content": "x"}}});
    reader.get(&format!("/v1.0/groups/{group}/threads/{thread}/posts")).ok();
    for answer in [
        reader.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply),
        reader.delete(&format!("/v1.0/groups/{group}/threads/{thread}")),
        reader.delete(&format!("/v1.0/groups/{group}")),
        reader.get("/v1.0/me"),
        reader.get("/v1.0/users"),
    ] {
        answer.refused(403, "ErrorAccessDenied");
    }
    let me = server.user_with("ada@example.org", &["User.Read"]);
    me.get("/v1.0/me").ok();
    me.get("/v1.0/me/memberOf").ok();
    me.get(&format!("/v1.0/groups/{group}")).refused(403, "ErrorAccessDenied");
}

#[test]
fn strict_mode_refuses_what_real_graph_refuses() {
    let server = Server::with(&["--strict-graph"]);
    let (ada, robot) = (server.user("ada@example.org"), server.app(&["Group.ReadWrite.All"]));
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations");
    let deep = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": "y"}}]}]});
    let made = ada.post(&path, &deep).created();
    let thread = made["threads"][0]["id"].as_str().unwrap().to_owned();
    // No more than real Graph tells: the ids of conversation and thread.
    let context = made["@odata.context"].as_str().unwrap();
    let alone = json!({"@odata.context": context, "id": made["id"], "threads": [{"id": thread}]});
    assert_eq!(made, alone);
    let posts = ada.get(&format!("/v1.0/groups/{group}/threads/{thread}/posts")).ok();
    let post = posts["value"][0]["id"].as_str().unwrap();
    ada.post(&format!("{path}/$ref"), &json!({"topic": "x"})).refused(405, "ErrorInvalidRequest");
    robot.post(&path, &deep).refused(403, "ErrorAccessDenied");
    robot.get(&path).ok();
    let reply = json!({"post": {"body": {"content": "x"}}});
    robot
        .post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply)
        .refused(403, "ErrorAccessDenied");
    robot
        .post(&format!("/v1.0/groups/{group}/threads/{thread}/posts/{post}/reply"), &reply)
        .empty(202);
    // Nor by another way than its own: what it is refused, an expansion does not show.
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
    for path in [
        format!("{posts}/{post}/attachments"),
        format!("{posts}?$expand=attachments"),
        format!("/v1.0/groups/{group}/threads/{thread}?$expand=posts($expand=attachments)"),
    ] {
        robot.get(&path).refused(403, "ErrorAccessDenied");
        ada.get(&path).ok();
    }
    // A change of a thread is of its lock alone, and what is not offered is not named as offered.
    let shown =
        ada.patch(&format!("/v1.0/groups/{group}/threads/{thread}"), &json!({"topic": "new"}));
    assert_eq!(shown.ok()["topic"], "x");
    let refused = ada.patch(&format!("{posts}/{post}"), &json!({"body": {"content": "z"}}));
    assert_eq!(refused.header("Allow"), Some("GET"));
    assert!(!refused.refused(405, "ErrorInvalidRequest").contains("PATCH is."));
    ada.get(&format!("{posts}/{post}/folkmoot.history")).refused(405, "ErrorInvalidRequest");
    let to = json!({"toRecipients": [{"emailAddress": {"address": "di@example.org"}}]});
    ada.post(&format!("{posts}/{post}/forward"), &to).empty(202);
    let thread = posts.trim_end_matches("/posts");
    ada.post(&format!("{thread}/forward"), &to).refused(405, "ErrorInvalidRequest");
    // Real Graph lists teams there, which there are none of here.
    ada.get("/v1.0/me/joinedTeams").refused(501, "NotImplemented");
}

/// What strict mode says of queries, by its table.
#[test]
fn strict_mode_refuses_queries_that_real_graph_refuses() {
    let server = Server::with(&["--strict-graph"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let [_, thread, _] = ada.talk(&group, "x", "y");
    let group = format!("/v1.0/groups/{group}");
    for (path, status, code) in [
        ("conversations?$filter=topic%20eq%20'x'", 501, "FilteringOnConversations"),
        ("conversations?$expand=threads", 400, "ExpandNotSupported"),
        ("threads?$expand=posts", 400, "ExpandNotSupported"),
        ("threads/T/posts?$filter=hasAttachments%20eq%20true", 501, "FilteringOnConversations"),
        ("threads/T/posts?$orderby=receivedDateTime", 501, "NotImplemented"),
        ("members/$count", 400, "Request_UnsupportedQuery"),
        ("members?$search=%22displayName:a%22", 400, "Request_UnsupportedQuery"),
        ("members?$filter=displayName%20ne%20'x'&$count=true", 400, "Request_UnsupportedQuery"),
        (
            "owners?$filter=displayName%20eq%20'x'&$orderby=displayName",
            400,
            "Request_UnsupportedQuery",
        ),
    ] {
        let path = format!("{group}/{}", path.replace("/T/", &format!("/{thread}/")));
        ada.get(&path).refused(status, code);
    }
    for path in [
        "conversations?$select=topic&$top=1",
        "threads?$filter=isLocked%20eq%20false",
        "members?$filter=startswith(displayName,'a')",
        "conversations/$count",
    ] {
        assert_eq!(ada.get(&format!("{group}/{path}")).status, 200, "{path}");
    }
    // What is Folkmoot's own is as any property that is not known: not shown.
    let read = ada.get(&format!("{group}/conversations?$select=topic,@folkmoot.isRead")).ok();
    let shown: Vec<_> = read["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(shown, ["@odata.etag", "id", "topic"]);
    let select = "$select=hasAttachments,@folkmoot.bodyText,@folkmoot.bodyHtml";
    let read = ada.get(&format!("{group}/threads/{thread}/posts?{select}")).ok();
    let shown: Vec<_> = read["value"][0].as_object().unwrap().keys().collect();
    assert_eq!(shown, ["@odata.etag", "hasAttachments", "id"]);
    let eventual = [("ConsistencyLevel", "eventual")];
    for path in [
        "members/$count",
        "members?$search=%22displayName:a%22",
        "members?$filter=displayName%20ne%20'x'&$count=true",
    ] {
        let answer = ada.send("GET", &format!("{group}/{path}"), &eventual, b"");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    let half = "members?$filter=displayName%20ne%20'x'";
    ada.send("GET", &format!("{group}/{half}"), &eventual, b"")
        .refused(400, "Request_UnsupportedQuery");
}

/// `$filter` asks, and an answer to a question is a leak too.
#[test]
fn a_filter_tells_nothing_that_a_read_would_not() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let (private, own) = (ada.group("private", "Private"), bo.group("own", "Private"));
    ada.talk(&private, "secret", "words");
    bo.talk(&own, "mine", "words");
    let by = |prefix: &str| {
        format!("$filter=conversations/any(c:startswith(c/topic,'{prefix}'))&$select=id")
    };
    for prefix in ["secret", "xx"] {
        bo.get(&format!("/v1.0/groups/{private}?{}", by(prefix))).refused(400, "BadRequest");
        assert!(bo.all(&format!("/v1.0/groups?{}", by(prefix))).is_empty(), "{prefix}");
    }
    assert_eq!(bo.all(&format!("/v1.0/groups?{}", by("mine"))).len(), 1);
    // By way of a member of one's own group, into that member's other groups.
    let ada_id = ada.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    bo.post(&format!("/v1.0/groups/{own}/members/$ref"), &server.reference(&ada_id)).empty(204);
    let through = "memberOf/any(g:g/conversations/any(c:startswith(c/topic,'secret')))";
    assert!(bo.all(&format!("/v1.0/groups/{own}/members?$filter={through}")).is_empty());
    assert_eq!(ada.all(&format!("/v1.0/groups/{own}/members?$filter={through}")).len(), 1);
}

#[test]
fn what_is_reached_by_way_of_a_user_is_shown_under_its_own_group() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let (open, hidden) = (bo.group("open", "Private"), ada.group("hidden", "HiddenMembership"));
    let ada_id = ada.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    bo.post(&format!("/v1.0/groups/{open}/members/$ref"), &server.reference(&ada_id)).empty(204);
    bo.talk(&open, "of open", "x");
    ada.talk(&hidden, "of hidden", "x");
    // Who is in a group with hidden members is hidden on every way.
    let of_ada = format!("/v1.0/groups/{open}/members/{ada_id}/memberOf");
    let ids = |client: &Client| {
        let groups = client.all(&of_ada);
        groups.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&bo), std::slice::from_ref(&open));
    assert_eq!(ids(&ada).len(), 2);
    let lambda = format!("$filter=memberOf/any(g:g/id%20eq%20'{hidden}')");
    assert!(bo.all(&format!("/v1.0/groups/{open}/members?{lambda}")).is_empty());
    // Each group's conversations are its own, and nobody else's.
    let expand = "$expand=members($expand=memberOf($expand=conversations))";
    let read = ada.get(&format!("/v1.0/groups/{open}?{expand}")).ok();
    let members = read["members"].as_array().unwrap();
    let of_ada = members.iter().find(|it| it["id"] == ada_id.as_str()).unwrap();
    for group in of_ada["memberOf"].as_array().unwrap() {
        let topic = if group["id"] == open.as_str() { "of open" } else { "of hidden" };
        let conversations = group["conversations"].as_array().unwrap();
        assert_eq!(conversations.len(), 1, "{group}");
        assert_eq!(conversations[0]["topic"], topic);
    }
    // And what is read on such a way is as it is now.
    let path = format!("/v1.0/groups/{open}/members/{ada_id}/memberOf/{hidden}/conversations");
    assert_eq!(ada.all(&path).len(), 1);
    ada.talk(&hidden, "another", "x");
    assert_eq!(ada.all(&path).len(), 2);
    bo.get(&path).refused(404, "Request_ResourceNotFound");
}

#[test]
fn expansions_and_lambdas_need_the_scopes_of_what_they_show() {
    let server = Server::ephemeral();
    let group = server.user("ada@example.org").group("readers", "Public");
    let lambda = "$filter=conversations/any(c:startswith(c/topic,'x'))";
    let basic = server.user_with("ada@example.org", &["Group.ReadBasic.All"]);
    let app = server.app(&["Group.ReadBasic.All"]);
    for client in [&basic, &app] {
        client.get(&format!("/v1.0/groups/{group}")).ok();
        let expand = format!("/v1.0/groups/{group}?$expand=conversations");
        let why = client.get(&expand).refused(403, "ErrorAccessDenied");
        assert!(why.contains("Group-Conversation.Read.All"), "{why}");
        client.get(&format!("/v1.0/groups?{lambda}")).refused(403, "ErrorAccessDenied");
    }
    let me = server.user_with("ada@example.org", &["User.Read"]);
    let expand = "/v1.0/me?$expand=memberOf($expand=conversations)";
    me.get(expand).refused(403, "ErrorAccessDenied");
    me.get("/v1.0/me?$expand=memberOf").ok();
}

/// What a server remembers of a group and its callers is believed only while it is so: here two
/// processes change the same group in turn.
#[test]
fn access_that_another_process_takes_away_is_gone_at_once() {
    let Some((first, second)) = Server::two() else { return };
    let (ada, bo) = (first.user("ada@example.org"), first.user("bo@example.org"));
    let at_second = |client: &Client| client.at(&second);
    let group = ada.group("readers", "Private");
    let bo_id = bo.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    let members = format!("/v1.0/groups/{group}/members");
    let path = format!("/v1.0/groups/{group}/conversations");
    let body = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": "y"}}]}]});
    for _ in 0..5 {
        bo.post(&path, &body).refused(403, "ErrorAccessDenied");
        at_second(&ada).post(&format!("{members}/$ref"), &first.reference(&bo_id)).empty(204);
        // Twice: the second is carried out from memory.
        bo.post(&path, &body).created();
        bo.post(&path, &body).created();
        bo.get(&path).ok();
        at_second(&ada).delete(&format!("{members}/{bo_id}/$ref")).empty(204);
        bo.get(&path).refused(403, "ErrorAccessDenied");
    }
    assert_eq!(ada.all(&path).len(), 10);
}
