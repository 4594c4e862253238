//! `/openapi.json`: the operation table and the model as OpenAPI 3.1.
//!
//! **Invariant:** nothing of it is written a second time: addresses, permissions and answers come from the
//! operation table, schemas and options from the model. It is made once, at its first use.

use std::fmt::Write as _;
use std::sync::OnceLock;

use axum::Router;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use odata::edm::{Action, EntityType, Model, Navigation, Root};
use odata::openapi::{answered, arguments, page, page_of, reference, schemas};
use serde_json::{Map, Value, json};

use crate::api::operations::{self, Asked, OPERATIONS, Operation, Refusal, Row, Strict, Success};
use crate::api::{compress, empty, lists};
use crate::model::{BETA, MODEL, STRICT, STRICT_BETA};
use crate::service::limits;

const JSON: &str = "application/json";

/// Where the seed's own example adds a conversation, beside the address of every other one.
const OF_THE_SEED: (Operation, &str) = (Operation::AddConversation, "/me/joinedTeams/{group-id}");

/// The route, at the top of a server and for everybody.
pub(crate) fn routes(strict: bool) -> Router {
    let answer = move |headers: HeaderMap| async move { answer(strict, &headers) };
    Router::new().route("/openapi.json", get(answer)).layer(compress::layer())
}

fn answer(strict: bool, headers: &HeaderMap) -> Response {
    static MADE: [OnceLock<(Bytes, String)>; 2] = [OnceLock::new(), OnceLock::new()];
    let (text, etag) = MADE[usize::from(strict)].get_or_init(|| {
        let text = document(strict).to_string();
        let etag = format!("\"{}\"", &blake3::hash(text.as_bytes()).to_hex()[..32]);
        (Bytes::from(text), etag)
    });
    let mut response = match lists::names_etag(headers, header::IF_NONE_MATCH, etag) {
        true => empty(StatusCode::NOT_MODIFIED),
        false => Response::new(text.clone().into()),
    };
    let headers = response.headers_mut();
    let media = HeaderValue::from_static("application/json;charset=utf-8");
    headers.insert(header::CONTENT_TYPE, media);
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("ETag"));
    response
}

/// The whole document.
fn document(strict: bool) -> Value {
    let (model, beta) = if strict { (&STRICT, &STRICT_BETA) } else { (&MODEL, &BETA) };
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for row in OPERATIONS.iter().filter(|it| !(strict && it.strict == Strict::NotOffered)) {
        let (at, tail) = row.shape.split_once('/').unwrap_or((row.shape, ""));
        // What is at a singleton's own address has a row of its own.
        let other = |it: &String| tail.is_empty() && it.trim_start_matches('/') != at;
        let bare = |it: &String| other(it) && beta.root(it.trim_start_matches('/')).is_some();
        for prefix in prefixes(beta, at).into_iter().filter(|it| !bare(it)) {
            let place = Place::new(model, beta, row, prefix, tail, strict);
            place.put(&mut paths);
            if !tags.contains(&place.tag()) {
                tags.push(place.tag());
            }
        }
        if row.operation == OF_THE_SEED.0 {
            let prefix = OF_THE_SEED.1.to_owned();
            Place::new(model, beta, row, prefix, tail, strict).put(&mut paths);
        }
    }
    paths.insert("/$batch".to_owned(), batch());
    tags.push("batch");
    let tags: Vec<_> = tags.into_iter().map(|it| json!({"name": it})).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Folkmoot",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Group conversations over the Microsoft Graph protocol",
            "description": "Every collection also has /$count. Names of properties and segments match in any \
                letter case; keys also stand in parentheses. A group is also named by its mail nickname or \
                address, a user by the user principal name.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/v1.0"}],
        "security": [{"bearer": []}],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": all_schemas(beta),
            "parameters": shared_parameters(),
            "responses": {"error": {
                "description": "What was refused, and why.",
                "headers": {"request-id": {"schema": {"type": "string"}}},
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/odata.error"}}},
            }},
        },
    })
}

/// `$batch`, which is no row of the table: each request in it is one.
fn batch() -> Value {
    let text = json!({"type": "string"});
    let headers = json!({"type": "object", "additionalProperties": text});
    let request = json!({
        "type": "object",
        "properties": {
            "id": {"type": "string", "minLength": 1},
            "method": {"type": "string", "enum": ["GET", "POST", "PATCH", "DELETE"]},
            "url": {"type": "string", "minLength": 1},
            "headers": headers,
            "body": {},
            "dependsOn": {"type": "array", "items": text},
        },
        "required": ["id", "method", "url"],
    });
    let requests =
        json!({"type": "array", "items": request, "minItems": 1, "maxItems": limits::BATCH_MAX});
    let asked = json!({
        "type": "object", "properties": {"requests": requests}, "required": ["requests"],
    });
    let response = json!({
        "type": "object",
        "properties": {
            "id": text,
            "status": {"type": "integer", "minimum": 200, "maximum": 599},
            "headers": headers,
            "body": {},
        },
        "required": ["id", "status", "headers"],
        "additionalProperties": false,
    });
    let answered = json!({
        "type": "object",
        "properties": {"responses": {"type": "array", "items": response}},
        "required": ["responses"],
        "additionalProperties": false,
    });
    let mut responses = refusals(false);
    let content = json!({JSON: {"schema": answered}});
    responses.insert("200".to_owned(), json!({"description": "OK", "content": content}));
    json!({"post": {
        "operationId": "Batch",
        "summary": "Several requests in one, each answered as if it had come alone",
        "tags": ["batch"],
        "requestBody": {"required": true, "content": {JSON: {"schema": asked}}},
        "responses": responses,
    }})
}

/// What an operation answers when it was refused; `unserved` where it may be what real Graph does not
/// serve either.
fn refusals(unserved: bool) -> Map<String, Value> {
    let statuses = [("4XX", true), ("500", true), ("501", unserved), ("503", true)];
    let refusal = json!({"$ref": "#/components/responses/error"});
    let may_be = statuses.into_iter().filter(|(_, may_be)| *may_be);
    may_be.map(|(status, _)| (status.to_owned(), refusal.clone())).collect()
}

fn all_schemas(model: &Model) -> Map<String, Value> {
    let mut schemas = schemas(model);
    let text = json!({"type": "string"});
    schemas.insert(
        "odata.error".to_owned(),
        json!({
            "type": "object",
            "properties": {"error": {
                "type": "object",
                "properties": {
                    "code": text,
                    "message": text,
                    "innerError": {
                        "type": "object",
                        "properties": {"date": text, "request-id": text, "client-request-id": text},
                        "required": ["date", "request-id", "client-request-id"],
                    },
                },
                "required": ["code", "message", "innerError"],
            }},
            "required": ["error"],
        }),
    );
    schemas.insert(
        "odata.reference".to_owned(),
        json!({
            "type": "object",
            "properties": {"@odata.id": {"type": "string", "format": "uri-reference"}},
            "required": ["@odata.id"],
        }),
    );
    let references = json!({"$ref": "#/components/schemas/odata.reference"});
    let references = page(&json!({"type": "array", "items": references}));
    schemas.insert("odata.references".to_owned(), references);
    schemas
}

/// Parameters that are the same wherever they are served.
fn shared_parameters() -> Value {
    let query = |name: &str, schema: Value, description: &str| json!({"name": name, "in": "query", "schema": schema, "description": description});
    let header = |name: &str, description: &str| {
        let text = json!({"type": "string"});
        json!({"name": name, "in": "header", "schema": text, "description": description})
    };
    let some = json!({"type": "string", "minLength": 1});
    let at_least = |minimum: u64| json!({"type": "integer", "minimum": minimum});
    let mut skip = at_least(0);
    skip["maximum"] = json!(limits::SKIP_MAX);
    json!({
        "top": query("$top", at_least(1), "How many a page holds."),
        "skip": query("$skip", skip, "How many to leave out at the start."),
        "count": query("$count", json!({"type": "boolean"}), "Whether to say how many there are in all."),
        "filter": query("$filter", some.clone(), "Which entities, such as `startswith(displayName,'A')`."),
        "search": query("$search", some.clone(), "Words to look for, such as `\"displayName:reader\"`."),
        "id": {"name": "$id", "in": "query", "required": true, "schema": some,
            "description": "The address of what is taken out of the list."},
        "prefer": header("Prefer", "Preferences, such as `return=minimal` or `odata.maxpagesize=5`."),
        "if-match": header("If-Match", "The ETag that what is changed must have."),
    })
}

/// Where entities of this type are, each place as the address of one of them; of a set or a singleton at
/// the root, its own address. A way that only shows in another order what is elsewhere leads no further.
fn prefixes(model: &'static Model, name: &str) -> Vec<String> {
    if let Some(root) = model.root(name) {
        return vec![format!("/{}", root.name)];
    }
    let of = |it: &&Root| (it.entity)().name == name;
    let at = |root: &Root| match root.singleton {
        true => format!("/{}", root.name),
        false => format!("/{}/{{{name}-id}}", root.name),
    };
    let mut prefixes: Vec<_> = model.roots.iter().filter(of).map(at).collect();
    for entity in model.entities {
        let leads = |it: &&Navigation| {
            it.contained && it.collection && !it.reversed && (it.target)().name == name
        };
        for navigation in entity.navigations.iter().filter(leads) {
            let key = navigation.declared.unwrap_or(name);
            let below = |it: String| format!("{it}/{}/{{{key}-id}}", navigation.name);
            prefixes.extend(prefixes_of(model, entity).map(below));
        }
    }
    prefixes
}

fn prefixes_of(model: &'static Model, entity: &EntityType) -> impl Iterator<Item = String> {
    prefixes(model, entity.name).into_iter()
}

/// One row at one of its addresses.
struct Place {
    row: &'static Row,
    /// The model of the version that it is served in.
    model: &'static Model,
    /// Whether only the beta version has it.
    is_beta: bool,
    strict: bool,
    prefix: String,
    path: String,
    /// The type of what the address leads to, or of what an action there is bound to.
    entity: &'static EntityType,
    navigation: Option<&'static Navigation>,
    action: Option<&'static Action>,
}

impl Place {
    fn new(
        model: &'static Model,
        beta: &'static Model,
        row: &'static Row,
        prefix: String,
        tail: &str,
        strict: bool,
    ) -> Place {
        let at = row.shape.split('/').next().unwrap_or_default();
        let of_root = model.root(at).map(|it| (it.entity)());
        let start =
            of_root.or_else(|| beta.entity(at)).expect("a shape begins with an entity or a root");
        let names: Vec<_> = tail.split('/').filter(|it| !it.is_empty()).collect();
        let navigation = names.first().and_then(|it| start.navigation(it));
        let entity = navigation.map_or(start, |it| (it.target)());
        let last = names.last().copied().unwrap_or_default();
        let on_collection = of_root.is_some() || navigation.is_some();
        let action = entity.action(last, on_collection).filter(|_| row.method == Method::POST);
        let key = navigation.map_or("", |it| it.declared.unwrap_or(entity.name));
        let mut path = prefix.clone();
        for name in &names {
            match *name {
                "{}" => path.extend(["/{", key, "-id}"]),
                name => path.extend(["/", name]),
            }
        }
        let known = |it: &Navigation| model.knows(it.published);
        let is_beta = !model.knows(start.published) || !navigation.is_none_or(known);
        let model = if is_beta { beta } else { model };
        Place { row, model, is_beta, strict, prefix, path, entity, navigation, action }
    }

    fn put(&self, paths: &mut Map<String, Value>) {
        let item = paths.entry(self.path.clone()).or_insert_with(|| {
            let mut item = json!({"parameters": self.keys()});
            if self.is_beta {
                item["servers"] = json!([{"url": "/beta"}]);
            }
            item
        });
        item[self.row.method.as_str().to_ascii_lowercase()] = self.operation();
    }

    /// What answers hold: a wider type where the declaration has one of the model's own.
    fn shown(&self) -> &'static str {
        let declared = self.navigation.and_then(|it| it.declared);
        let wider = declared.filter(|it| self.model.entities.iter().any(|own| own.name == *it));
        match self.action {
            Some(action) if action.name == "getByIds" => "directoryObject",
            _ => wider.unwrap_or(self.entity.name),
        }
    }

    fn tag(&self) -> &'static str {
        self.entity.name
    }

    fn keys(&self) -> Vec<Value> {
        let names = self.path.split('/').filter_map(|it| it.strip_prefix('{')?.strip_suffix('}'));
        let key = |name: &str| {
            let text = json!({"type": "string", "minLength": 1});
            json!({"name": name, "in": "path", "required": true, "schema": text})
        };
        names.map(key).collect()
    }

    fn operation(&self) -> Value {
        let name = format!("{:?}", self.row.operation);
        let mut id = String::new();
        let literal = self.prefix.split('/').filter(|it| !it.is_empty() && !it.starts_with('{'));
        literal.for_each(|it| id.extend([it, "."]));
        id.push_str(&name);
        let names = |app| self.row.needed(app).names().collect::<Vec<_>>();
        let graph = match self.row.strict {
            Strict::Served => "served",
            Strict::NotToApps => "users only",
            Strict::NotOffered => "not offered",
        };
        let mut operation = json!({
            "operationId": id,
            "summary": words(&name),
            "tags": [self.tag()],
            "parameters": self.parameters(),
            "responses": self.responses(),
            "x-folkmoot-permissions": {"delegated": names(false), "application": names(true)},
            "x-folkmoot-who": self.row.who.words(),
            "x-folkmoot-graph": graph,
        });
        if let Some(schema) = self.body() {
            let content = json!({JSON: {"schema": schema}});
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        operation
    }

    fn body(&self) -> Option<Value> {
        let row = self.row;
        if row.method != Method::POST && row.method != Method::PATCH {
            return None;
        }
        if let Some(action) = self.action {
            return (!action.parameters.is_empty()).then(|| arguments(self.model, action));
        }
        let mut entity = reference(self.model, self.entity.name);
        let needed = needed(self.entity.name);
        if row.method == Method::POST && !needed.is_empty() {
            entity["required"] = json!(needed);
        }
        let link = json!({"$ref": "#/components/schemas/odata.reference"});
        Some(match row.success {
            Success::NoContent | Success::Never => link,
            Success::Added => json!({"anyOf": [link, entity]}),
            _ => entity,
        })
    }

    fn responses(&self) -> Value {
        let unserved = [Asked::Filter, Asked::OrderBy].into_iter().any(|it| self.refuses(it));
        let mut responses = refusals(unserved);
        if self.row.method == Method::POST {
            // Where files come along for which the tenant has no room.
            let refusal = json!({"$ref": "#/components/responses/error"});
            responses.insert("507".to_owned(), refusal);
        }
        for status in self.row.success.statuses() {
            let mut response =
                json!({"description": status.canonical_reason().unwrap_or_default()});
            if let Some(content) = self.content(*status) {
                response["content"] = content;
            }
            responses.insert(status.as_str().to_owned(), response);
        }
        if self.row.method == Method::GET {
            responses.insert("304".to_owned(), json!({"description": "The client has it already"}));
        }
        Value::Object(responses)
    }

    fn content(&self, status: StatusCode) -> Option<Value> {
        if status == StatusCode::NO_CONTENT {
            return None;
        }
        let schema = match self.row.success {
            Success::Bytes => return Some(json!({"*/*": {}})),
            Success::Page => page_of(self.model, self.shown()),
            Success::References => json!({"$ref": "#/components/schemas/odata.references"}),
            Success::Session => reference(self.model, "uploadSession"),
            Success::Entity | Success::Created | Success::Added | Success::Changed => {
                answered(self.model, self.shown())
            }
            Success::Accepted | Success::Nothing | Success::NoContent | Success::Never => {
                return None;
            }
        };
        Some(json!({JSON: {"schema": schema}}))
    }

    /// The options and headers of a call.
    fn parameters(&self) -> Vec<Value> {
        let shared = |name: &str| json!({"$ref": format!("#/components/parameters/{name}")});
        let row = self.row;
        let mut parameters = Vec::new();
        if row.method == Method::GET && row.success != Success::Bytes {
            if row.success != Success::References {
                parameters.push(list("$select", self.selectable()));
                let expandable = self.expandable();
                if !expandable.is_empty() && !self.refuses(Asked::Expand) {
                    parameters.push(list("$expand", expandable));
                }
            }
            if row.success != Success::Entity {
                if !self.refuses(Asked::Filter) {
                    parameters.push(shared("filter"));
                }
                if !self.refuses(Asked::OrderBy) {
                    parameters.push(list("$orderby", self.sortable()));
                }
                parameters.extend(["top", "skip", "count"].map(shared));
                if row.success == Success::Page && operations::is_of_directory(row.shape) {
                    parameters.push(shared("search"));
                }
            }
        }
        if row.method == Method::DELETE
            && row.shape.ends_with("/$ref")
            && !row.shape.ends_with("/{}/$ref")
        {
            parameters.push(shared("id"));
        }
        if row.method == Method::DELETE || row.method == Method::PATCH {
            parameters.push(shared("if-match"));
        }
        parameters.push(shared("prefer"));
        parameters
    }

    /// Whether strict mode never serves this on the collection.
    fn refuses(&self, asked: Asked) -> bool {
        let refusal = operations::refusal(self.row.shape, &[asked]);
        let never = [Refusal::NotSupported, Refusal::NotExpandable];
        self.strict && refusal.is_some_and(|(_, it)| never.contains(&it))
    }

    fn selectable(&self) -> Vec<String> {
        let known = self.entity.properties.iter().filter(|it| self.model.knows(it.published));
        known.map(|it| it.name.to_owned()).collect()
    }

    fn sortable(&self) -> Vec<String> {
        let known = self.entity.properties.iter().filter(|it| self.model.knows(it.published));
        let sortable =
            known.filter(|it| it.sortable && !matches!(it.ty, odata::edm::Type::Complex(_)));
        sortable.flat_map(|it| [it.name.to_owned(), format!("{} desc", it.name)]).collect()
    }

    fn expandable(&self) -> Vec<String> {
        let known = self.entity.navigations.iter().filter(|it| self.model.knows(it.published));
        known.filter(|it| it.expandable).map(|it| it.name.to_owned()).collect()
    }
}

/// What a new entity of this type does not go without.
fn needed(entity: &str) -> &'static [&'static str] {
    match entity {
        "group" => &["displayName", "mailNickname"],
        "attachment" => &["@odata.type", "name"],
        "openTypeExtension" => &["extensionName"],
        "mention" => &["mentioned"],
        _ => &[],
    }
}

/// An option that names members of a type, separated by commas.
fn list(name: &str, names: Vec<String>) -> Value {
    let names =
        json!({"type": "array", "uniqueItems": true, "items": {"type": "string", "enum": names}});
    json!({"name": name, "in": "query", "style": "form", "explode": false, "schema": names})
}

/// `ListConversations` as words: `List conversations`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        match c.is_ascii_uppercase() && !words.is_empty() {
            // Writing to a String cannot fail.
            true => _ = write!(words, " {}", c.to_ascii_lowercase()),
            false => words.push(c),
        }
    }
    words
}
