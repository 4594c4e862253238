//! `/openapi.json`: what it says is what there is.
//!
//! **Invariant:** every row of the operation table, as `docs/operations.md` lists them, stands in it, and
//! nothing else does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Server, World};

const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

fn document(server: &Server) -> Value {
    server.anonymous().get("/openapi.json").ok()
}

/// Each operation with its path and its method.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let methods = ["get", "post", "patch", "delete"];
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if methods.contains(&&method[..]) {
                found.push((path.clone(), method.to_uppercase(), operation.clone()));
            }
        }
    }
    found
}

/// The rows of `docs/operations.md`: method, shape, what real Graph does.
fn rows() -> Vec<(String, String, String)> {
    let lines = OPERATIONS.lines().filter(|it| it.starts_with("| ") && it.contains('`'));
    let cells = lines.map(|it| it.split('|').map(|it| it.trim().trim_matches('`')).collect());
    cells.map(|it: Vec<_>| (it[1].to_owned(), it[2].to_owned(), it[5].to_owned())).collect()
}

#[test]
fn it_is_served_to_everybody_and_says_when_it_has_not_changed() {
    let server = Server::ephemeral();
    let anybody = server.anonymous();
    let answer = anybody.get("/openapi.json");
    assert_eq!(answer.ok()["openapi"], "3.1.0");
    assert!(answer.header("Content-Type").unwrap().starts_with("application/json"));
    let etag = answer.header("ETag").unwrap();
    let again = anybody.send("GET", "/openapi.json", &[("If-None-Match", etag)], b"");
    again.empty(304);
    let head = anybody.send("HEAD", "/openapi.json", &[], b"");
    assert_eq!((head.status, head.header("ETag")), (200, Some(etag)));
    assert_eq!(document(&server)["servers"], json!([{"url": "/v1.0"}]));
}

#[test]
fn every_row_of_the_table_is_in_it_and_nothing_else() {
    for (args, strict) in [(&[][..], false), (&["--strict-graph"], true)] {
        let document = document(&Server::with(args));
        // The last part of an operation's id is the name of its row.
        let name =
            |it: &Value| it["operationId"].as_str().unwrap().rsplit('.').next().unwrap().to_owned();
        let mut named: BTreeSet<_> = operations(&document).iter().map(|it| name(&it.2)).collect();
        assert!(named.remove("Batch"), "it is no row: each request in it is one");
        let offered = |it: &&(String, String, String)| !strict || it.2 != "not offered";
        assert_eq!(named.len(), rows().iter().filter(offered).count());
        for (path, method, operation) in operations(&document) {
            if path == "/$batch" {
                continue;
            }
            let literal: Vec<_> =
                path.split('/').skip(1).filter(|it| !it.starts_with('{')).collect();
            let end = literal.last().unwrap().to_string();
            let fits = |(known, shape, graph): &(String, String, String)| {
                *known == method
                    && (!strict || graph != "not offered")
                    && (shape.ends_with(&end) || !shape.contains('/'))
            };
            assert!(rows().iter().any(fits), "{method} {path} {operation}");
        }
    }
}

#[test]
fn ids_are_unique_and_every_reference_leads_somewhere() {
    let document = document(&Server::ephemeral());
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{id} of {method} {path} is taken");
        assert!(!operation["responses"].as_object().unwrap().is_empty());
    }
    assert!(ids.contains("groups.ListConversations"));
    assert!(ids.contains("me.joinedTeams.AddConversation"));
    let mut left = vec![&document];
    let mut references = 0;
    while let Some(value) = left.pop() {
        if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
            let at = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(at.is_some(), "{reference}");
            references += 1;
        }
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(members) => left.extend(members.values()),
            _ => {}
        }
    }
    assert!(references > 100);
}

#[test]
fn a_strict_server_leaves_out_what_it_does_not_offer() {
    let document = document(&Server::with(&["--strict-graph"]));
    let text = document.to_string();
    assert!(!text.contains("folkmoot.messages") && !text.contains("postVersion"));
    let conversations = &document["paths"]["/groups/{group-id}/conversations"]["get"];
    let options = conversations["parameters"].to_string();
    assert!(!options.contains("filter") && !options.contains("$expand"), "{options}");
    assert!(document["paths"].get("/groups/{group-id}/conversations/$ref").is_none());
}

/// Why an answer does not conform, if it does not: as much of JSON Schema as the document uses.
fn fault(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        let found = document.pointer(&reference[1..]).unwrap();
        if let Some(fault) = fault(document, found, value, at) {
            return Some(fault);
        }
    }
    if let Some(any) = schema.get("anyOf").and_then(Value::as_array) {
        let faults: Vec<_> = any.iter().map(|it| fault(document, it, value, at)).collect();
        if faults.iter().all(Option::is_some) {
            return Some(format!("{at}: {faults:?}"));
        }
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(it) if it.is_i64() => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let kinds = match &schema["type"] {
        Value::Null => vec![kind],
        Value::String(one) => vec![&one[..]],
        more => more.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect(),
    };
    if !kinds.contains(&kind) {
        return Some(format!("{at} is {value}, and not {kinds:?}"));
    }
    if schema.get("const").is_some_and(|it| it != value) {
        return Some(format!("{at} is {value}"));
    }
    if schema.get("enum").is_some_and(|it| !it.as_array().unwrap().contains(value)) {
        return Some(format!("{at} is {value}"));
    }
    if let (Some(items), Value::Array(values)) = (schema.get("items"), value) {
        return values.iter().find_map(|it| fault(document, items, it, &format!("{at}[]")));
    }
    let Value::Object(members) = value else { return None };
    let required = schema.get("required").and_then(Value::as_array);
    let absent =
        required.into_iter().flatten().find(|it| !members.contains_key(it.as_str().unwrap()));
    if let Some(name) = absent {
        return Some(format!("{at} has no {name}"));
    }
    members.iter().find_map(|(name, value)| match schema["properties"].get(name) {
        Some(schema) => fault(document, schema, value, &format!("{at}/{name}")),
        None if schema["additionalProperties"] == false && !name.contains('@') => {
            Some(format!("{at} has {name}"))
        }
        None => None,
    })
}

#[test]
fn answers_are_as_it_says() {
    let world = World::new(&[]);
    let place = world.place();
    place.extend(&world.ada, "Com.Contoso.Deal");
    world.name_senders(&place);
    let document = document(&world.server);
    let mut asked = 0;
    for (template, method, operation) in operations(&document) {
        let path = template
            .replace("{group-id}", &place.group)
            .replace("{conversation-id}", &place.conversation)
            .replace("{conversationThread-id}", &place.thread)
            .replace("{post-id}", &place.post)
            .replace("{attachment-id}", &place.attachment)
            .replace("{extension-id}", "Com.Contoso.Deal")
            .replace("{directoryObject-id}", &world.bo_id)
            .replace("{user-id}", &world.bo_id);
        let content = &operation["responses"]["200"]["content"];
        let Some(schema) = content.pointer("/application~1json/schema") else { continue };
        if method != "GET" || path.contains('{') {
            continue;
        }
        let root = document["paths"][&template]["servers"][0]["url"].as_str().unwrap_or("/v1.0");
        let answer = world.ada.get(&format!("{root}{path}")).ok();
        assert_eq!(fault(&document, schema, &answer, ""), None, "{path}");
        asked += 1;
    }
    assert!(asked > 40, "{asked}");
}

#[test]
fn a_batch_is_answered_as_it_says() {
    let world = World::new(&[]);
    let document = document(&world.server);
    let operation = &document["paths"]["/$batch"]["post"];
    let schema = "/content/application~1json/schema";
    let asked = operation["requestBody"].pointer(schema).unwrap();
    let batch = json!({"requests": [
        {"id": "1", "method": "GET", "url": "/me"},
        {"id": "2", "method": "DELETE", "url": "/groups/none", "dependsOn": ["1"]},
    ]});
    assert_eq!(fault(&document, asked, &batch, ""), None);
    let answer = world.ada.post("/v1.0/$batch", &batch).ok();
    let answered = operation["responses"]["200"].pointer(schema).unwrap();
    assert_eq!(fault(&document, answered, &answer, ""), None);
}

#[test]
fn what_it_calls_required_is_needed_and_what_it_calls_read_only_is_not_looked_at() {
    let world = World::new(&[]);
    let post = format!("/v1.0{}", world.place().post_path());
    let post = &post[..];
    let cases = [
        (
            "/groups",
            "/v1.0".to_owned(),
            json!({"displayName": "A", "mailNickname": "a-group",
            "mailEnabled": true, "securityEnabled": false, "groupTypes": ["Unified"]}),
        ),
        (
            "attachments",
            post.to_owned(),
            json!({"@odata.type": "#microsoft.graph.fileAttachment",
            "name": "a", "contentBytes": ""}),
        ),
        (
            "extensions",
            post.to_owned(),
            json!({"@odata.type": "microsoft.graph.openTypeExtension", "extensionName": "a"}),
        ),
        (
            "mentions",
            post.replace("/v1.0", "/beta"),
            json!({"mentioned": {"name": "Bo", "address": "bo@example.org"}}),
        ),
    ];
    let document = document(&world.server);
    for (list, below, body) in cases {
        let operation = operations(&document).into_iter().find(|(path, method, _)| {
            method == "POST"
                && path.ends_with(list)
                && (list == "/groups" || path.contains("post-id"))
        });
        let schema = operation.unwrap().2["requestBody"]
            .pointer("/content/application~1json/schema")
            .cloned()
            .unwrap();
        let path = format!("{below}/{}", list.trim_start_matches('/'));
        let required = schema["required"].as_array().unwrap();
        for name in required {
            let mut without = body.clone();
            without.as_object_mut().unwrap().remove(name.as_str().unwrap()).unwrap();
            let status = world.ada.post(&path, &without).status;
            assert_eq!(status, 400, "{path} without {name}");
        }
        let mut with_more = body;
        let properties =
            document.pointer(&schema["$ref"].as_str().unwrap()[1..]).unwrap().get("properties");
        let properties = properties.and_then(Value::as_object);
        for (name, property) in properties.into_iter().flatten() {
            if property["readOnly"] == true && property["type"] == json!(["string", "null"]) {
                with_more[name] = json!("whatever");
            }
        }
        assert_eq!(world.ada.post(&path, &with_more).status, 201, "{path} {with_more}");
    }
}

#[test]
fn a_501_is_declared_where_strict_mode_gives_one_and_nowhere_else() {
    for (args, strict) in [(&[][..], false), (&["--strict-graph"], true)] {
        let world = World::new(args);
        let place = world.place();
        let document = document(&world.server);
        let mut declared = 0;
        for (template, method, operation) in operations(&document) {
            assert!(operation["responses"].get("5XX").is_none(), "{method} {template}");
            let path = template
                .replace("{group-id}", &place.group)
                .replace("{conversation-id}", &place.conversation)
                .replace("{conversationThread-id}", &place.thread);
            if method != "GET" || path.contains('{') {
                continue;
            }
            let asks = ["$filter=id%20ne%20null", "$orderby=id"];
            let answers = |it| world.ada.get(&format!("/v1.0{path}?{it}")).status == 501;
            let is_declared = operation["responses"].get("501").is_some();
            assert_eq!(asks.into_iter().any(answers), is_declared, "{path}");
            declared += usize::from(is_declared);
        }
        assert_eq!(declared > 0, strict);
    }
}
