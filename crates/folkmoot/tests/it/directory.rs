//! Users and groups as directory objects: by id, as references, and what they are members of.

use serde_json::{Value, json};

use crate::support::Server;

const UNKNOWN: &str = "8d12587e-587e-8d12-7e58-128d7e58128d";

fn context(answer: &Value) -> &str {
    answer["@odata.context"].as_str().unwrap().rsplit_once("/v1.0/$metadata").unwrap().1
}

#[test]
fn objects_are_found_by_their_ids() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    let (ada_id, bo_id) = (ada.me(), bo.me());
    // Hyphens stand where they will.
    let odd =
        format!("{}-{}", bo_id.replace('-', "").get(..20).unwrap(), &bo_id.replace('-', "")[20..]);
    let ids = json!([ada_id.to_uppercase(), odd, group, UNKNOWN, ada_id]);
    let all = json!({"ids": ids});
    let prefer = ("Prefer", "odata.maxpagesize=1");
    for path in ["directoryObjects", "groups", "users"] {
        let path = format!("/v1.0/{path}/getByIds");
        let found = ada.post(&path, &all).ok();
        assert_eq!(context(&found), "#directoryObjects");
        assert_eq!(found["value"].as_array().unwrap().len(), 3, "{found}");
        let json = ("Content-Type", "application/json");
        let found = ada.send("POST", &path, &[json, prefer], all.to_string().as_bytes()).ok();
        assert_eq!(found["value"].as_array().unwrap().len(), 3, "{found}");
    }
    let of = |types: Value| {
        let found =
            ada.post("/v1.0/directoryObjects/getByIds", &json!({"ids": ids, "types": types}));
        found.ok()["value"].as_array().unwrap().clone()
    };
    let users = of(json!(["user"]));
    assert_eq!(users.len(), 2);
    let bo = users.iter().find(|it| it["id"] == bo_id).unwrap();
    for (name, value) in [
        ("@odata.type", json!("#microsoft.graph.user")),
        ("accountEnabled", json!(true)),
        ("displayName", json!("bo")),
        ("userPrincipalName", json!("bo@example.org")),
        ("businessPhones", json!([])),
    ] {
        assert_eq!(bo[name], value, "{name}");
    }
    let groups = of(json!(["#microsoft.graph.Group"]));
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["@odata.type"], "#microsoft.graph.group");
    assert_eq!(groups[0]["mail"], "readers@localhost");
    assert_eq!(of(json!(["user", "group", "device"])).len(), 3);
    assert!(of(json!(["device"])).is_empty());
    for bad in [
        json!({"ids": ["x"]}),
        json!({"ids": [format!("{bo_id}0")]}),
        json!({}),
        json!({"ids": [7]}),
    ] {
        assert_eq!(ada.post("/v1.0/directoryObjects/getByIds", &bad).status, 400, "{bad}");
    }
    // One of them, at its own address.
    let one = ada.get(&format!("/v1.0/directoryObjects/{group}")).ok();
    assert_eq!(
        (context(&one), &one["@odata.type"]),
        ("#directoryObjects/$entity", &json!("#microsoft.graph.group"))
    );
    assert_eq!(ada.get(&format!("/v1.0/directoryObjects/{bo_id}")).ok()["mail"], "bo@example.org");
    for id in [UNKNOWN, "x"] {
        ada.get(&format!("/v1.0/directoryObjects/{id}")).refused(404, "Request_ResourceNotFound");
    }
    // What was removed is nobody.
    ada.delete(&format!("/v1.0/groups/{group}")).empty(204);
    ada.get(&format!("/v1.0/directoryObjects/{group}")).refused(404, "Request_ResourceNotFound");
    assert!(of(json!(["group"])).is_empty());
    let narrow = server.user_with("ada@example.org", &["Group-Conversation.ReadWrite.All"]);
    narrow.post("/v1.0/groups/getByIds", &all).refused(403, "ErrorAccessDenied");
}

#[test]
fn another_tenants_objects_are_left_out() {
    let (_server, ada, eve) = Server::with_two_tenants();
    let group = ada.group("readers", "Public");
    let ids = json!({"ids": [group, ada.me(), eve.me()]});
    for (client, count) in [(&ada, 2), (&eve, 1)] {
        let found = client.post("/v1.0/directoryObjects/getByIds", &ids).ok();
        assert_eq!(found["value"].as_array().unwrap().len(), count);
    }
    for id in [&group, &ada.me()] {
        eve.get(&format!("/v1.0/directoryObjects/{id}")).refused(404, "Request_ResourceNotFound");
    }
}

#[test]
fn lists_of_people_are_read_as_references() {
    let server = Server::ephemeral();
    let (ada, eve) = (server.user("ada@example.org"), server.user("eve@example.org"));
    let group = ada.group("readers", "HiddenMembership");
    let path = format!("/v1.0/groups/{group}");
    let mut ids = vec![ada.me()];
    for name in ["bo", "cy", "di"] {
        let one = server.user(&format!("{name}@example.org"));
        ids.push(one.me());
        let named = server.reference(&one.me());
        ada.post(&format!("{path}/members/$ref"), &named).empty(204);
        ada.post(&format!("{path}/rejectedSenders/$ref"), &named).empty(204);
    }
    ids.sort();
    let links: Vec<_> = ids
        .iter()
        .map(|id| json!({"@odata.id": format!("http://{}/v1.0/directoryObjects/{id}", server.address)}))
        .collect();
    let read = ada.get(&format!("{path}/members/$ref?$count=true")).ok();
    assert_eq!(context(&read), "#Collection($ref)");
    assert_eq!(read["@odata.count"], 4);
    assert_eq!(read["value"], json!(links));
    // Page by page, and further on.
    assert_eq!(ada.all(&format!("{path}/members/$ref?$top=3")), links);
    assert_eq!(ada.all(&format!("{path}/members/$ref?$skip=1&$top=2")), links[1..]);
    let bare =
        ada.get(&format!("{path}/members/$ref?$format=application/json;odata.metadata=none"));
    assert_eq!(bare.ok()["value"], json!(links));
    let full =
        ada.get(&format!("{path}/members/$ref?$format=application/json;odata.metadata=full"));
    assert_eq!(full.ok()["value"], json!(links));
    assert_eq!(ada.all(&format!("{path}/owners/$ref")).len(), 1);
    assert_eq!(ada.all(&format!("{path}/rejectedSenders/$ref")).len(), 3);
    assert!(ada.all(&format!("{path}/acceptedSenders/$ref")).is_empty());
    for option in ["$select=id", "$expand=memberOf"] {
        let why = ada.get(&format!("{path}/members/$ref?{option}")).refused(400, "BadRequest");
        assert!(why.contains(option.split('=').next().unwrap()), "{why}");
    }
    // Hidden from those who do not belong.
    for list in ["members", "owners", "rejectedSenders"] {
        assert!(eve.all(&format!("{path}/{list}/$ref")).is_empty(), "{list}");
    }
}

#[test]
fn an_entity_is_no_reference() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    for list in ["members", "owners", "acceptedSenders", "rejectedSenders"] {
        for body in [server.reference("ada@example.org"), json!({"displayName": "x"})] {
            let why = ada.post(&format!("/v1.0/groups/{group}/{list}"), &body);
            let why = why.refused(400, "BadRequest");
            assert!(
                why.starts_with("Write requests are only supported on contained entities"),
                "{why}"
            );
        }
        ada.post(&format!("/v1.0/groups/{UNKNOWN}/{list}"), &json!({}))
            .refused(404, "Request_ResourceNotFound");
    }
}

#[test]
fn a_group_is_a_member_of_nothing_and_a_user_of_groups() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    ada.group("writers", "Public");
    let of_group = format!("/v1.0/groups/{group}/memberOf");
    for rest in [
        "",
        "?$count=true",
        "/microsoft.graph.group?$count=true&$orderby=displayName&$filter=startswith(displayName,'A')",
    ] {
        let read = ada.get(&format!("{of_group}{rest}")).ok();
        assert_eq!(read["value"], json!([]), "{rest}");
    }
    assert_eq!(ada.get(&format!("{of_group}/$count")).text(), "0");
    assert_eq!(
        ada.get(&format!("/v1.0/groups/{group}?$expand=memberOf")).ok()["memberOf"],
        json!([])
    );
    assert!(ada.all("/v1.0/groups?$filter=memberOf/any(g:g/displayName%20ne%20'x')").is_empty());
    ada.get(&format!("{of_group}/{group}")).refused(404, "Request_ResourceNotFound");
    for user in ["me", "users/ada@example.org"] {
        for list in ["memberOf", "transitiveMemberOf"] {
            let path = format!("/v1.0/{user}/{list}");
            let read = ada.get(&path).ok();
            assert_eq!(
                (context(&read), read["value"].as_array().unwrap().len()),
                ("#directoryObjects", 2)
            );
            assert_eq!(read["value"][0]["@odata.type"], "#microsoft.graph.group");
            let cast = ada
                .get(&format!("{path}/microsoft.graph.group?$select=displayName,id&$count=true"))
                .ok();
            assert_eq!(
                (context(&cast), &cast["@odata.count"]),
                ("#groups(displayName,id)", &json!(2))
            );
            assert_eq!(ada.get(&format!("{path}/$count")).text(), "2");
        }
    }
    let members = ada.get(&format!(
        "/v1.0/groups/{group}/members/microsoft.graph.user?$count=true&$select=displayName,id"
    ));
    assert_eq!(context(&members.ok()), "#users(displayName,id)");
}
