//! Groups and their people: a fresh server is set up by Graph calls alone.

use serde_json::json;

use crate::support::Server;

#[test]
fn a_group_is_made_joined_left_and_removed() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    let made = ada.get(&format!("/v1.0/groups/{group}")).ok();
    assert_eq!(made["displayName"], "The readers");
    assert_eq!(made["mail"], "readers@localhost");
    assert_eq!(made["groupTypes"], json!(["Unified"]));
    assert_eq!(made["visibility"], "Private");

    // The creator is owner and member.
    let people = |list: &str| -> Vec<String> {
        let all = ada.all(&format!("/v1.0/groups/{group}/{list}"));
        let names = all.iter().map(|it| {
            assert_eq!(it["@odata.type"], "#microsoft.graph.user");
            it["userPrincipalName"].as_str().unwrap().to_owned()
        });
        names.collect()
    };
    assert_eq!(people("owners"), ["ada@example.org"]);
    assert_eq!(people("members"), ["ada@example.org"]);

    // A member is added by $ref, in both spellings of who it is.
    let id = bo.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    let members = format!("/v1.0/groups/{group}/members/$ref");
    let link =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{id}")});
    bo.post(&members, &link).refused(403, "ErrorAccessDenied");
    ada.post(&members, &link).empty(204);
    ada.post(&members, &link).refused(400, "Request_BadRequest");
    let named = json!({"@odata.id": "https://graph.microsoft.com/v1.0/users/bo@example.org"});
    ada.post(&format!("/v1.0/groups/{group}/owners/$ref"), &named).empty(204);
    assert_eq!(people("members"), ["ada@example.org", "bo@example.org"]);
    assert_eq!(people("owners"), ["ada@example.org", "bo@example.org"]);
    assert_eq!(bo.get(&format!("/v1.0/groups/{group}/conversations")).status, 200);
    for list in ["joinedTeams", "memberOf", "joinedGroups"] {
        let joined = bo.all(&format!("/v1.0/me/{list}"));
        assert_eq!(joined.len(), 1, "{list}");
        assert_eq!(joined[0]["id"], group.as_str());
    }

    // Leaving, in both spellings of a removal.
    bo.delete(&format!("/v1.0/groups/{group}/owners/{id}/$ref")).empty(204);
    let id_option = format!("$id=https%3A%2F%2Fgraph.microsoft.com%2Fv1.0%2Fusers%2F{id}");
    bo.delete(&format!("/v1.0/groups/{group}/members/$ref?{id_option}")).empty(204);
    assert_eq!(people("members"), ["ada@example.org"]);
    bo.get(&format!("/v1.0/groups/{group}/conversations")).refused(403, "ErrorAccessDenied");
    // The last owner stays.
    let ada_id = ada.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1.0/groups/{group}/owners/{ada_id}/$ref");
    let why = ada.delete(&path).refused(400, "BadRequest");
    assert!(why.contains("at least one owner"), "{why}");
    assert_eq!(people("owners"), ["ada@example.org"]);

    bo.delete(&format!("/v1.0/groups/{group}")).refused(403, "ErrorAccessDenied");
    ada.delete(&format!("/v1.0/groups/{group}")).empty(204);
    ada.get(&format!("/v1.0/groups/{group}")).refused(404, "Request_ResourceNotFound");
    assert!(ada.all("/v1.0/groups").is_empty());
    assert!(ada.all("/v1.0/me/joinedTeams").is_empty());
}

#[test]
fn a_group_is_made_with_its_people() {
    let server = Server::ephemeral();
    let robot = server.app(&["Group.ReadWrite.All"]);
    let ada = server.user("ada@example.org");
    server.user("bo@example.org");
    let body = json!({
        "displayName": "Readers", "mailNickname": "readers", "groupTypes": ["Unified"],
        "mailEnabled": true, "securityEnabled": true, "description": "We read.",
        "owners@odata.bind": ["https://graph.microsoft.com/v1.0/users/ada@example.org"],
        "members@odata.bind": ["https://graph.microsoft.com/v1.0/users('bo@example.org')",
            "https://graph.microsoft.com/v1.0/users/ada@example.org"],
    });
    let made = robot.post("/v1.0/groups", &body).created();
    assert_eq!(made["description"], "We read.");
    assert_eq!(made["securityEnabled"], true);
    let id = made["id"].as_str().unwrap();
    assert_eq!(ada.all(&format!("/v1.0/groups/{id}/members")).len(), 2);
    assert_eq!(ada.all(&format!("/v1.0/groups/{id}/owners")).len(), 1);

    // The same nickname, in any letter case, is taken.
    let mut again = body.clone();
    again["mailNickname"] = json!("READERS");
    robot.post("/v1.0/groups", &again).refused(409, "Request_MultipleObjectsWithSameKeyValue");
    // Somebody who is not there: nothing is made.
    again["mailNickname"] = json!("others");
    again["members@odata.bind"] = json!(["https://graph.microsoft.com/v1.0/users/no@example.org"]);
    robot.post("/v1.0/groups", &again).refused(404, "Request_ResourceNotFound");
    assert_eq!(ada.all("/v1.0/groups").len(), 1);
}

#[test]
fn a_group_that_cannot_be_is_refused_by_name() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let good = json!({"displayName": "R", "mailNickname": "r", "groupTypes": ["Unified"],
        "mailEnabled": true, "securityEnabled": false});
    for (name, value) in [
        ("displayName", json!(null)),
        ("displayName", json!(" ")),
        ("mailNickname", json!("a b")),
        ("mailNickname", json!("a@b")),
        ("mailNickname", json!("é")),
        ("mailNickname", json!("")),
        ("groupTypes", json!([])),
        ("groupTypes", json!(["DynamicMembership"])),
        ("mailEnabled", json!(false)),
        ("visibility", json!("Secret")),
        ("owner", json!("ada")),
        ("resourceBehaviorOptions", json!(["AllowOnlyMembersToPost", "Loudly"])),
    ] {
        let mut body = good.clone();
        body[name] = value.clone();
        let answer = ada.post("/v1.0/groups", &body);
        assert_eq!(answer.status, 400, "{name}: {value}: {}", answer.text());
        assert!(answer.text().contains(name), "{name}: {}", answer.text());
    }
    assert!(ada.all("/v1.0/groups").is_empty());
}

#[test]
fn anybody_may_join_a_public_group_and_nobody_adds_others() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    server.user("cy@example.org");
    let group = ada.group("readers", "Public");
    let members = format!("/v1.0/groups/{group}/members/$ref");
    let link =
        |name: &str| json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/users/{name}")});
    bo.post(&members, &link("cy@example.org")).refused(403, "ErrorAccessDenied");
    bo.post(&members, &link("bo@example.org")).empty(204);
    bo.post(&members, &link("nobody@example.org")).refused(403, "ErrorAccessDenied");
    ada.post(&members, &link("nobody@example.org")).refused(404, "Request_ResourceNotFound");
    bo.post(&members, &json!({})).refused(400, "BadRequest");
}

#[test]
fn users_are_found_by_id_and_by_name() {
    let server = Server::ephemeral();
    let ada = server.user("Ada@Example.org");
    let me = ada.get("/v1.0/me").ok();
    let id = me["id"].as_str().unwrap();
    for path in [
        format!("/v1.0/users/{id}"),
        format!("/v1.0/users('{id}')"),
        "/v1.0/users/ada@example.org".to_owned(),
        "/v1.0/users('ADA@example.org')".to_owned(),
    ] {
        let user = ada.get(&path).ok();
        assert_eq!(user["userPrincipalName"], "Ada@Example.org", "{path}");
    }
    ada.get("/v1.0/users/no@example.org").refused(404, "Request_ResourceNotFound");
    let robot = server.app(&[]);
    let why = robot.get("/v1.0/me").refused(400, "BadRequest");
    assert!(why.contains("delegated authentication flow"), "{why}");
}

/// As users are found by their names. What is answered is what is answered by id.
#[test]
fn a_group_is_found_by_its_nickname_and_by_its_address() {
    let server = Server::durable();
    let [ada, bo] = ["ada", "bo"].map(|it| server.user(&format!("{it}@example.org")));
    let group = ada.group("Readers", "Private");
    let by_id = ada.get(&format!("/v1.0/groups/{group}"));
    let (mail, body) = (by_id.ok()["mail"].as_str().unwrap().to_owned(), by_id.text());
    let members = format!("/v1.0/groups/{group}/members/$ref");
    ada.post(&members, &server.reference("bo@example.org")).empty(204);
    for name in ["Readers", "readers", &mail, &mail.to_uppercase()] {
        for path in [format!("groups/{name}"), format!("groups('{name}')")] {
            assert_eq!(ada.get(&format!("/v1.0/{path}")).text(), body, "{path}");
        }
        for root in ["groups", "me/joinedTeams", "me/joinedGroups"] {
            let path = format!("/v1.0/{root}/{name}/conversations");
            let sent = json!({"topic": name, "threads": [{"posts": [{"body": {"content": "x"}}]}]});
            let answer = bo.post(&path, &sent);
            let location = answer.header("Location").unwrap();
            assert!(location.contains(&format!("/groups/{group}/conversations/")), "{location}");
            let made = answer.id();
            assert_eq!(bo.get(&format!("{path}/{made}")).ok()["topic"], *name);
            bo.delete(&format!("{path}/{made}")).empty(204);
        }
    }
    ada.talk("readers", "one", "x");
    ada.talk(&mail, "two", "x");
    assert_eq!(ada.all("/v1.0/groups/readers/conversations?$top=1").len(), 2);
    assert_eq!(ada.get("/v1.0/groups/readers/conversations/$count").text(), "2");
    let upper = "/v1.0/groups/READERS";
    ada.patch(upper, &json!({"description": "x"})).empty(204);
    assert_eq!(ada.get(upper).ok()["description"], "x");
    // A name that nobody has, or has no longer, or in another domain.
    for name in ["nobody", "readers@elsewhere.example", "@", "readers@"] {
        for answer in [
            ada.get(&format!("/v1.0/groups/{name}")),
            ada.get(&format!("/v1.0/groups/{name}/conversations")),
            ada.get(&format!("/v1.0/me/joinedTeams/{name}/conversations")),
            ada.post(&format!("/v1.0/groups/{name}/conversations"), &json!({"topic": "x"})),
            ada.delete(&format!("/v1.0/groups/{name}")),
        ] {
            let why = answer.refused(404, "Request_ResourceNotFound");
            assert!(why.contains(&format!("'{name}'")), "{why}");
        }
    }
    ada.delete(upper).empty(204);
    ada.get(upper).refused(404, "Request_ResourceNotFound");
    let done = server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}

#[test]
fn a_name_hides_what_an_id_hides() {
    let (server, ada, eve) = Server::with_two_tenants();
    let theirs = ada.group("readers", "Private");
    ada.talk(&theirs, "secret", "x");
    let bo = server.user("bo@example.org");
    let unknown = eve.get("/v1.0/groups/writers/conversations");
    let expected = unknown.refused(404, "Request_ResourceNotFound");
    for name in ["readers", "readers@localhost"] {
        let other = eve.get(&format!("/v1.0/groups/{name}/conversations"));
        let message = other.refused(404, "Request_ResourceNotFound");
        assert_eq!(message.replace(&format!("'{name}'"), "'writers'"), expected);
        bo.get(&format!("/v1.0/groups/{name}/conversations")).refused(403, "ErrorAccessDenied");
        bo.get(&format!("/v1.0/me/joinedTeams/{name}")).refused(404, "Request_ResourceNotFound");
    }
    // The same name in another tenant is another group.
    let own = eve.group("readers", "Private");
    assert_eq!(eve.get("/v1.0/groups/readers").ok()["id"], own.as_str());
    assert_eq!(ada.get("/v1.0/groups/readers").ok()["id"], theirs.as_str());
    // A nickname may look like an id; it is not taken for one.
    let odd = ada.group(&own, "Public");
    ada.get(&format!("/v1.0/groups/{own}")).refused(404, "Request_ResourceNotFound");
    assert_eq!(ada.get(&format!("/v1.0/groups/{own}@localhost")).ok()["id"], odd.as_str());
}

/// What was answered to a name before says nothing once another has it.
#[test]
fn a_name_that_passes_to_another_group_leads_there_at_once() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let (first, second) = (ada.group("readers", "Public"), ada.group("writers", "Public"));
    ada.talk(&first, "of-first", "x");
    ada.talk(&second, "of-second", "x");
    let path = "/v1.0/groups/readers/conversations?$select=topic";
    let topic = || ada.get(path).ok()["value"][0]["topic"].clone();
    let called = |group: &str, name: &str| {
        ada.patch(&format!("/v1.0/groups/{group}"), &json!({"mailNickname": name})).empty(204);
    };
    for (now, other, expected) in [(&first, &second, "of-first"), (&second, &first, "of-second")] {
        called(other, &format!("not-{}", &expected[3..]));
        called(now, "readers");
        for _ in 0..3 {
            assert_eq!(topic(), expected);
        }
        // Nor does it stand once the group has changed.
        ada.talk(now, &format!("more {expected}"), "x");
        assert_eq!(topic(), format!("more {expected}"));
    }
    let strict = Server::with(&["--strict-graph"]);
    let ada = strict.user("ada@example.org");
    ada.group("readers", "Public");
    for name in ["readers", "readers@localhost"] {
        ada.get(&format!("/v1.0/groups/{name}")).refused(404, "Request_ResourceNotFound");
        ada.delete(&format!("/v1.0/groups/{name}")).refused(404, "Request_ResourceNotFound");
    }
}
