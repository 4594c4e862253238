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
    bo.post(&members, &link("nobody@example.org")).refused(404, "Request_ResourceNotFound");
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
