//! Every path and method of Graph's description of groups, users and subscriptions, asked once with what
//! suits it: `tests/data/graph/openapi-paths.txt`, a line each, in a place of its own.
//!
//! What comes of it is `docs/graph-coverage.md`: `cargo xtask coverage` makes it from the answers that the
//! tests got. So what is served from now on shows there as soon as it is.
//!
//! **Invariant:** a well-formed request is answered with 2xx, or it is refused as one that is not served
//! (501, naming what is), not offered (405, with what is in `Allow`), or about a thing that is not there
//! (404); never with another server error, nor as the client's mistake.

use serde_json::{Value, json};

use crate::support::{Place, Response, UNKNOWN, World};

const PATHS: &str = include_str!("../../../../tests/data/graph/openapi-paths.txt");

#[test]
fn every_path_of_graph_is_answered() {
    let world = World::new(&[]);
    let mut wrong = Vec::new();
    let lines = PATHS.lines().filter(|it| !it.starts_with('#') && it.contains("->"));
    let mut asked = 0;
    for line in lines {
        let mut words = line.split_whitespace();
        let (method, template) = (words.next().unwrap(), words.next().unwrap());
        let place = world.place();
        if template.contains("extensions") {
            place.extend(&world.ada, "Com.Contoso.Deal");
        }
        if template.contains("Senders") {
            world.name_senders(&place);
        }
        let path = format!("/v1.0{}", address(&world, &place, template));
        let body = body(&world, method, template);
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let json = [("Content-Type", "application/json")];
        let headers = if body.is_null() { &[][..] } else { &json };
        let answer = world.ada.send(method, &path, headers, text.as_bytes());
        if !is_documented(&answer) && !is_of_an_unknown_type(template, &answer) {
            wrong.push(format!("{method} {template}: {} {}", answer.status, answer.text()));
        }
        asked += 1;
    }
    assert!(asked > 150, "the list of paths is read wrong: {asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
}

fn is_documented(answer: &Response) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let error = &body["error"];
    let says = |text: &str| error["message"].as_str().is_some_and(|it| it.contains(text));
    let code = error["code"].as_str().unwrap_or_default();
    let enveloped = error["innerError"]["request-id"].as_str() == answer.header("request-id")
        && error["innerError"]["date"].is_string();
    match answer.status {
        200..300 => error.is_null(),
        404 => enveloped && ["ErrorItemNotFound", "Request_ResourceNotFound"].contains(&code),
        405 => enveloped && code == "ErrorInvalidRequest" && answer.header("Allow").is_some(),
        501 => enveloped && code == "NotImplemented" && says("groups") && says("docs/"),
        _ => false,
    }
}

/// Graph's directory has types that are not here. A path through one of them is read as one with a key,
/// and by what follows that is no path at all.
fn is_of_an_unknown_type(template: &str, answer: &Response) -> bool {
    let unknown = ["application", "device", "orgContact", "servicePrincipal"];
    let names_one = unknown.iter().any(|it| template.contains(&format!("/graph.{it}/")));
    names_one && answer.status == 400 && answer.json()["error"]["code"] == "BadRequest"
}

/// A template's path in a place.
fn address(world: &World, place: &Place, template: &str) -> String {
    let attachment = match template.contains("/inReplyTo/") {
        true => &place.attachment_above,
        false => &place.attachment,
    };
    let object = match template {
        it if it.contains("/acceptedSenders/") => &world.accepted_id,
        it if it.contains("/rejectedSenders/") => &world.rejected_id,
        _ => &world.bo_id,
    };
    let path = template
        .replace("{group-id}", &place.group)
        .replace("{conversation-id}", &place.conversation)
        .replace("{conversationThread-id}", &place.thread)
        .replace("{post-id}", &place.post)
        .replace("{attachment-id}", attachment)
        .replace("{extension-id}", "Com.Contoso.Deal")
        .replace("{directoryObject-id}", object)
        .replace("{subscription-id}", UNKNOWN)
        .replace("{user-id}", &world.ada_id);
    assert!(!path.contains('{'), "{path} has a place for what the world does not have");
    path
}

/// A body that suits the operation.
fn body(world: &World, method: &str, template: &str) -> Value {
    if !["POST", "PATCH"].contains(&method) {
        return Value::Null;
    }
    let post = json!({"body": {"contentType": "text", "content": "Hello"}});
    let user = || world.server.reference(&world.newcomers[0]);
    match (method, template.rsplit('/').next().unwrap()) {
        ("PATCH", "{group-id}") => json!({"description": "Another one."}),
        ("PATCH", "{conversationThread-id}") => json!({"isLocked": true}),
        ("PATCH", "{extension-id}") => json!({"@odata.type": "microsoft.graph.openTypeExtension",
            "companyName": "Alpine Skis"}),
        ("PATCH", "{user-id}") => json!({"jobTitle": "Reader"}),
        ("PATCH", "{subscription-id}") => json!({"expirationDateTime": "2030-01-01T00:00:00Z"}),
        ("POST", "groups") => json!({"displayName": "Skiers", "mailNickname": "skiers",
            "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false}),
        ("POST", "getByIds") => json!({"ids": [world.ada_id], "types": ["user"]}),
        ("POST", "$ref") => user(),
        ("POST", "conversations") => json!({"topic": "Snow", "threads": [{"posts": [post]}]}),
        ("POST", "threads") => json!({"topic": "Snow", "posts": [post]}),
        ("POST", "reply") => json!({"post": post}),
        ("POST", "forward") => json!({"comment": "See", "toRecipients": [
            {"emailAddress": {"name": "Lin", "address": "lin@contoso.com"}}]}),
        ("POST", "attachments") => json!({"@odata.type": "#microsoft.graph.fileAttachment",
            "name": "a.txt", "contentBytes": "aGVsbG8="}),
        ("POST", "createUploadSession") => json!({"AttachmentItem":
            {"attachmentType": "file", "name": "a.txt", "size": 5}}),
        ("POST", "extensions") => json!({"@odata.type": "microsoft.graph.openTypeExtension",
            "extensionName": "Com.Contoso.Snow", "depth": 3}),
        ("POST", "subscriptions") => json!({"changeType": "created", "resource": "groups",
            "notificationUrl": "https://example.invalid/", "expirationDateTime": "2030-01-01T00:00:00Z"}),
        ("POST", "users") => json!({"displayName": "Fay", "mailNickname": "fay",
            "userPrincipalName": "fay@contoso.com", "accountEnabled": true}),
        ("POST", "joinedTeams") => json!({"displayName": "Skiers"}),
        // Actions without parameters.
        ("POST", _) => Value::Null,
        (_, last) => panic!("no body is known for {method} of {last}"),
    }
}
