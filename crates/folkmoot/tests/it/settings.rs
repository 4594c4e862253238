//! Groups that change, what people make of them for themselves, and groups without a mailbox.

use serde_json::{Value, json};

use crate::support::{Client, Response, Server};

fn act(client: &Client, group: &str, action: &str) -> Response {
    client.send("POST", &format!("/v1.0/groups/{group}/{action}"), &[], b"")
}

fn shown(client: &Client, group: &str, name: &str) -> Value {
    let answer = client.get(&format!("/v1.0/groups/{group}?$select={name}"));
    answer.ok()[name].clone()
}

#[test]
fn an_owner_changes_a_group() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}");
    for _ in 0..3 {
        ada.get(&path).ok();
    }
    let new = json!({"displayName": "Écrivains", "description": "We write.",
        "mailNickname": "writers", "visibility": "private",
        "resourceBehaviorOptions": ["allowOnlyMembersToPost"], "id": "ignored", "mail": "x@y.z",
        "createdDateTime": "2001-01-01T00:00:00Z", "renewedDateTime": null});
    bo.patch(&path, &new).refused(403, "ErrorAccessDenied");
    let done = ada.patch(&path, &new);
    let etag = done.header("ETag").unwrap().to_owned();
    done.empty(204);
    let read = ada.get(&path);
    assert_eq!(read.header("ETag"), Some(etag.as_str()));
    let read = read.ok();
    for (name, value) in [
        ("displayName", json!("Écrivains")),
        ("description", json!("We write.")),
        ("mailNickname", json!("writers")),
        ("mail", json!("writers@localhost")),
        ("proxyAddresses", json!(["SMTP:writers@localhost"])),
        ("visibility", json!("Private")),
        ("resourceBehaviorOptions", json!(["AllowOnlyMembersToPost"])),
        ("creationOptions", json!([])),
        ("id", json!(group)),
    ] {
        assert_eq!(read[name], value, "{name}");
    }
    assert_eq!(ada.all("/v1.0/groups?$filter=displayName%20eq%20'%C3%A9CRIVAINS'").len(), 1);
    // What was not sent stays; null clears what can be null.
    ada.patch(&path, &json!({"description": null})).empty(204);
    let read = ada.get(&path).ok();
    assert_eq!((&read["description"], &read["mailNickname"]), (&Value::Null, &json!("writers")));
    // The old name is free.
    ada.group("readers", "Public");
    ada.patch(&path, &json!({"mailNickname": "READERS"}))
        .refused(409, "Request_MultipleObjectsWithSameKeyValue");
}

#[test]
fn what_a_group_cannot_become_is_refused() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}");
    let before = ada.get(&path).ok();
    for (name, value) in [
        ("displayName", json!(null)),
        ("displayName", json!("")),
        ("displayName", json!(7)),
        ("mailNickname", json!(null)),
        ("mailNickname", json!("a b")),
        ("visibility", json!(null)),
        ("visibility", json!("Secret")),
        ("description", json!("d".repeat(1_025))),
        ("allowExternalSenders", json!(null)),
        ("hideFromAddressLists", json!("yes")),
        ("isSubscribedByMail", json!(null)),
        ("resourceBehaviorOptions", json!(null)),
        ("resourceBehaviorOptions", json!(["Loudly"])),
        ("nonsense", json!(1)),
        ("acceptedSenders@odata.bind", json!([])),
    ] {
        let answer = ada.patch(&path, &json!({"description": "new", name: value}));
        assert_eq!(answer.status, 400, "{name}: {value}: {}", answer.text());
        assert!(answer.text().contains(name.split('@').next().unwrap()), "{}", answer.text());
    }
    assert_eq!(ada.get(&path).ok(), before);
    ada.patch("/v1.0/groups/8d12587e-587e-8d12-7e58-128d7e58128d", &json!({"description": "x"}))
        .refused(404, "Request_ResourceNotFound");
}

#[test]
fn a_change_may_be_answered_and_may_be_stale() {
    let server = Server::ephemeral();
    let robot = server.app(&["Group.ReadWrite.All"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}");
    let etag = ada.get(&path).header("ETag").unwrap().to_owned();
    let send = |headers: &[(&str, &str)], body: &Value| {
        let mut all = vec![("Content-Type", "application/json")];
        all.extend_from_slice(headers);
        robot.send("PATCH", &path, &all, body.to_string().as_bytes())
    };
    let body = json!({"displayName": "New"});
    let answer = send(&[("Prefer", "return=representation"), ("If-Match", &etag)], &body);
    assert_eq!(answer.header("Preference-Applied"), Some("return=representation"));
    assert_eq!(answer.ok()["displayName"], "New");
    send(&[("If-Match", &etag)], &body).refused(412, "ErrorIrresolvableConflict");
    send(&[("Prefer", "return=minimal")], &json!({})).empty(204);
}

#[test]
fn who_sees_a_group_changes_with_it() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Public");
    ada.talk(&group, "x", "y");
    let conversations = format!("/v1.0/groups/{group}/conversations");
    let members = format!("/v1.0/groups/{group}/members");
    let set = |it: &str| ada.patch(&format!("/v1.0/groups/{group}"), &json!({"visibility": it}));
    for _ in 0..3 {
        // Three times, so that answers are kept.
        for _ in 0..3 {
            assert_eq!(bo.all(&conversations).len(), 1);
        }
        set("Private").empty(204);
        bo.get(&conversations).refused(403, "ErrorAccessDenied");
        bo.post(&conversations, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
        for _ in 0..3 {
            assert_eq!(bo.all(&members).len(), 1);
        }
        set("HiddenMembership").empty(204);
        assert!(bo.all(&members).is_empty());
        set("Public").empty(204);
    }
    // Members only, in a group that everybody reads.
    let only = json!({"resourceBehaviorOptions": ["AllowOnlyMembersToPost"]});
    let group = format!("/v1.0/groups/{group}");
    ada.patch(&group, &only).empty(204);
    bo.post(&conversations, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
    ada.patch(&group, &json!({"resourceBehaviorOptions": []})).empty(204);
    bo.post(&conversations, &json!({"topic": "x"})).created();
}

#[test]
fn people_are_added_with_a_change() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let bo = server.user("bo@example.org");
    server.user("cy@example.org");
    let group = ada.group("readers", "Private");
    let path = format!("/v1.0/groups/{group}");
    let link = |name: &str| format!("https://graph.microsoft.com/v1.0/users/{name}");
    let body = json!({"members@odata.bind": [link("bo@example.org"), link("cy@example.org")],
        "owners@odata.bind": [link("bo@example.org")]});
    bo.patch(&path, &body).refused(403, "ErrorAccessDenied");
    ada.patch(&path, &body).empty(204);
    assert_eq!(ada.all(&format!("{path}/members")).len(), 3);
    assert_eq!(ada.all(&format!("{path}/owners")).len(), 2);
    // One who is there already: nothing of it is done.
    let again = json!({"displayName": "New", "members@odata.bind": [link("bo@example.org")]});
    let why = bo.patch(&path, &again).refused(400, "Request_BadRequest");
    assert!(why.contains("'members'"), "{why}");
    assert_eq!(bo.get(&path).ok()["displayName"], "The readers");
}

#[test]
fn the_settings_of_a_mailbox_are_kept() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}");
    let names = [
        "allowExternalSenders",
        "autoSubscribeNewMembers",
        "hideFromAddressLists",
        "hideFromOutlookClients",
    ];
    let select = format!("{path}?$select={}", names.join(","));
    for name in names {
        assert_eq!(ada.get(&select).ok()[name], false, "{name}");
        ada.patch(&path, &json!({name: true})).empty(204);
        assert_eq!(ada.get(&select).ok()[name], true, "{name}");
    }
    let context = ada.get(&select).ok()["@odata.context"].as_str().unwrap().to_owned();
    assert!(context.ends_with(&format!("#groups({})/$entity", names.join(","))), "{context}");
    assert!(ada.get(&path).ok().get("allowExternalSenders").is_none());
}

#[test]
fn each_makes_of_a_group_what_they_like() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let robot = server.app(&["Group.ReadWrite.All"]);
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}");
    let etag = |client: &Client| client.get(&path).header("ETag").unwrap().to_owned();
    let before = etag(&ada);
    assert_eq!(shown(&ada, &group, "isSubscribedByMail"), true);
    assert_eq!(shown(&bo, &group, "isSubscribedByMail"), false);
    assert_eq!(shown(&robot, &group, "isSubscribedByMail"), false);
    // Only members have posts by mail.
    act(&bo, &group, "subscribeByMail").refused(403, "ErrorAccessDenied");
    bo.patch(&path, &json!({"isSubscribedByMail": true})).refused(403, "ErrorAccessDenied");
    bo.post(&format!("{path}/members/$ref"), &server.reference("bo@example.org")).empty(204);
    assert_eq!(shown(&bo, &group, "isSubscribedByMail"), true);
    for (client, action, expected) in [
        (&bo, "unsubscribeByMail", false),
        (&bo, "subscribeByMail", true),
        (&bo, "unsubscribeByMail", false),
    ] {
        act(client, &group, action).empty(200);
        assert_eq!(shown(&bo, &group, "isSubscribedByMail"), expected, "{action}");
        assert_eq!(shown(&ada, &group, "isSubscribedByMail"), true);
    }
    // By a change too, which a member may make of this alone.
    bo.patch(&path, &json!({"isSubscribedByMail": true})).empty(204);
    assert_eq!(shown(&bo, &group, "isSubscribedByMail"), true);
    let more = json!({"isSubscribedByMail": false, "displayName": "Mine"});
    bo.patch(&path, &more).refused(403, "ErrorAccessDenied");
    assert_eq!(shown(&bo, &group, "isSubscribedByMail"), true);
    for action in ["addFavorite", "addFavorite"] {
        act(&bo, &group, action).empty(200);
        assert_eq!(shown(&bo, &group, "isFavorite"), true);
        assert_eq!(shown(&ada, &group, "isFavorite"), false);
    }
    act(&bo, &group, "removeFavorite").empty(200);
    assert_eq!(shown(&bo, &group, "isFavorite"), false);
    assert_eq!(etag(&ada), before, "nothing of it changes the group");
    // Not for applications.
    for action in ["subscribeByMail", "addFavorite", "removeFavorite"] {
        act(&robot, &group, action).refused(403, "ErrorAccessDenied");
    }
    act(&robot, &group, "unsubscribeByMail").refused(400, "BadRequest");
    robot.patch(&path, &json!({"isSubscribedByMail": true})).refused(400, "BadRequest");
}

#[test]
fn what_a_private_group_says_is_no_favorite_of_strangers() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    for action in ["addFavorite", "subscribeByMail", "unsubscribeByMail"] {
        act(&bo, &group, action).refused(403, "ErrorAccessDenied");
    }
}

#[test]
fn a_group_without_a_mailbox_has_people_and_no_conversations() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.security_group("guards");
    let path = format!("/v1.0/groups/{group}");
    let read = ada.get(&path).ok();
    assert_eq!(read["groupTypes"], json!([]));
    assert_eq!((&read["mailEnabled"], &read["securityEnabled"]), (&json!(false), &json!(true)));
    ada.post(&format!("{path}/members/$ref"), &server.reference("bo@example.org")).empty(204);
    assert_eq!(bo.all(&format!("{path}/members")).len(), 2);
    ada.patch(&path, &json!({"displayName": "Guards"})).empty(204);
    // Found by what it is.
    ada.group("readers", "Public");
    let unified = "/v1.0/groups?$filter=groupTypes/any(t:t%20eq%20'unified')";
    assert_eq!(ada.all(unified).len(), 1);
    assert_eq!(ada.all("/v1.0/groups?$filter=mailEnabled%20eq%20false")[0]["id"], group.as_str());
    let refused = |answer: Response| answer.refused(404, "MailboxNotEnabledForRESTAPI");
    for rest in [
        "/conversations",
        "/conversations/$count",
        "/conversations/x",
        "/threads",
        "/threads/x/posts",
        "/acceptedSenders",
        "/rejectedSenders/$ref",
        "?$select=allowExternalSenders",
        "?$select=displayName,unseenCount",
        "?$select=isSubscribedByMail",
        "?$select=isFavorite",
        "?$expand=threads",
        "?$expand=conversations",
    ] {
        refused(ada.get(&format!("{path}{rest}")));
    }
    refused(ada.post(&format!("{path}/conversations"), &json!({"topic": "x"})));
    let me = server.reference("ada@example.org");
    refused(ada.post(&format!("{path}/acceptedSenders/$ref"), &me));
    for action in ["subscribeByMail", "unsubscribeByMail", "addFavorite", "resetUnseenCount"] {
        refused(act(&ada, &group, action));
    }
    refused(ada.patch(&path, &json!({"hideFromAddressLists": true})));
    refused(ada.patch(&path, &json!({"isSubscribedByMail": true})));
}

#[test]
fn a_group_is_with_a_mailbox_or_for_security() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let body = |types: Value, mail: bool, security: bool| {
        json!({"displayName": "G", "mailNickname": format!("g{types}{mail}{security}")
            .replace(['[', ']', '"'], ""), "groupTypes": types, "mailEnabled": mail,
            "securityEnabled": security, "isAssignableToRole": true})
    };
    for (types, mail, security, named) in [
        (json!(["Unified"]), true, true, ""),
        (json!(["unified"]), true, false, ""),
        (json!([]), false, true, ""),
        (json!(["Unified"]), false, true, "mailEnabled"),
        (json!([]), true, true, "groupTypes"),
        (json!([]), false, false, "securityEnabled"),
        (json!(["Unified", "DynamicMembership"]), true, false, "groupTypes"),
    ] {
        let answer = ada.post("/v1.0/groups", &body(types.clone(), mail, security));
        if named.is_empty() {
            let unified = types.as_array().is_some_and(|it| !it.is_empty());
            let expected = if unified { json!(["Unified"]) } else { json!([]) };
            assert_eq!(answer.created()["groupTypes"], expected);
        } else {
            let why = answer.refused(400, "Request_BadRequest");
            assert!(why.contains(named), "{named}: {why}");
        }
    }
}

/// Two processes on one database: what one changes of a group binds the other at once.
#[test]
fn a_group_that_another_process_changes_is_changed_at_once() {
    let Some((first, second)) = Server::two() else { return };
    let (ada, bo) = (first.user("ada@example.org"), first.user("bo@example.org"));
    let there = ada.at(&second);
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations");
    for _ in 0..3 {
        for _ in 0..3 {
            bo.post(&path, &json!({"topic": "x"})).created();
            bo.get(&path).ok();
        }
        let set =
            |it: &str| there.patch(&format!("/v1.0/groups/{group}"), &json!({"visibility": it}));
        set("Private").empty(204);
        bo.post(&path, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
        bo.get(&path).refused(403, "ErrorAccessDenied");
        set("Public").empty(204);
    }
}
