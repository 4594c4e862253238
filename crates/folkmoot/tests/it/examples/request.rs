//! An example as a request: real ids in the places of its own, and nothing else of it changed.

use serde_json::{Value, json};

use super::Example;
use crate::support::{Client, Place, Response, UNKNOWN, World};

/// Where the name of an extension of Graph's pages begins.
const EXTENSION: &str = "Com.Contoso.";

/// Sends it.
pub(super) fn ask(world: &World, example: &Example) -> Response {
    let place = world.place_with(&extended_property(example));
    let path = address(world, &place, example);
    prepare(world, &place, example);
    let mut headers = example.headers.clone();
    for (name, value) in &mut headers {
        if name == "If-Match" {
            let post = world.ada.get(&format!("/v1.0{}", place.post_path()));
            post.header("ETag").unwrap().clone_into(value);
        }
    }
    let mut body = Vec::new();
    if !example.body.is_null() {
        body = with_people(world, example).to_string().into_bytes();
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".into(), "application/json".into()));
        }
    }
    let headers: Vec<_> = headers.iter().map(|(name, value)| (&name[..], &value[..])).collect();
    caller(world, example).send(&example.method, &path, &headers, &body)
}

fn caller(world: &World, example: &Example) -> Client {
    match &example.name[..] {
        // The first sends none, the second one of its own.
        "error-no-token" | "error-bad-token" => world.server.anonymous(),
        "error-app-only-denied" | "error-me-app-only" | "error-post-attachments-app-only" => {
            world.server.app(&["Group.ReadWrite.All"])
        }
        _ => world.ada.clone(),
    }
}

/// The example's path with the place's ids, escaped where HTTP needs it.
fn address(world: &World, place: &Place, example: &Example) -> String {
    let (path, query) = match example.path.split_once('?') {
        Some((path, query)) => (path.to_owned(), format!("?{query}")),
        None => (example.path.clone(), String::new()),
    };
    let path = match example.tier.as_str() {
        "analogous" => on_a_post(place, &path),
        // A report's client names its tenant before everything else; here the token does.
        _ => path.replace("/{tenantid}", ""),
    };
    let mut segments: Vec<String> = Vec::new();
    for segment in path.split('/') {
        let previous = segments.last().map(String::as_str).unwrap_or_default();
        let key = match segment.starts_with('$') || segment.contains("microsoft.graph.") {
            true => None,
            false => key(world, place, example, previous, segment),
        };
        segments.push(key.unwrap_or_else(|| segment.to_owned()));
    }
    escape(&(segments.join("/") + &query))
}

/// The key that stands after `collection`.
fn key(
    world: &World,
    place: &Place,
    example: &Example,
    collection: &str,
    segment: &str,
) -> Option<String> {
    if segment.contains("unknown id") {
        return Some(UNKNOWN.to_owned());
    }
    let key = match collection {
        "groups" if segment == "delta" => return None,
        "groups" if example.name == "error-group-not-found" => UNKNOWN,
        "groups" if example.name == "error-mailbox-not-enabled" => {
            return Some(world.ada.security_group("guards"));
        }
        "groups" | "joinedTeams" | "joinedGroups" => &place.group,
        "conversations" => &place.conversation,
        "threads" => &place.thread,
        "posts" => &place.post,
        "attachments" if segment == "createUploadSession" => return None,
        "attachments" if example.name == "attachment-get--get_value_event_attachment" => {
            return Some(event_attachment(world, place));
        }
        "attachments" => &place.attachment,
        "members" | "owners" => &world.bo_id,
        "users" => &world.ada_id,
        // Of extensions, the name is the key.
        _ => return None,
    };
    Some(key.to_owned())
}

/// The path of a message or an event as that of a post, or of posts.
fn on_a_post(place: &Place, path: &str) -> String {
    let segments: Vec<_> = path.split('/').collect();
    let item = segments.iter().position(|it| ["messages", "events"].contains(it)).unwrap();
    let rest: Vec<_> = segments[item + 1..].iter().skip(1).copied().collect();
    let posts = format!("/v1.0/groups/{}/threads/{}/posts", place.group, place.thread);
    match segments.len() - item {
        1 => posts,
        _ => [&[&posts[..], &place.post], &rest[..]].concat().join("/"),
    }
}

/// The extended property that the address names, as one of a post that is made with it: real Graph takes
/// them in no other way.
fn extended_property(example: &Example) -> Value {
    let before = "singleValueExtendedProperties($filter=id%20eq%20'";
    let Some((_, rest)) = example.path.split_once(before) else { return json!({}) };
    let name = rest.split('\'').next().unwrap_or_default().replace("%20", " ");
    json!({"singleValueExtendedProperties": [{"id": name, "value": "Green"}]})
}

/// What must be there before: the extension, the senders or the member that the example is about.
fn prepare(world: &World, place: &Place, example: &Example) {
    if let Some(at) = example.path.find(EXTENSION) {
        let name = &example.path[at..];
        let end = name.find(|it: char| !it.is_alphanumeric() && it != '.').unwrap_or(name.len());
        place.extend(&world.ada, &name[..end]);
    }
    if example.path.contains("Senders") {
        world.name_senders(place);
    }
    if example.path.contains("displayName:tier") {
        let group = format!("/v1.0/groups/{}", place.group);
        world.ada.patch(&group, &json!({"displayName": "Contoso-tier"})).empty(204);
    }
    if example.path.contains("displayName:Pr") {
        let people = format!("/v1.0/groups/{}/members/$ref", place.group);
        let found = world.server.user("preston@example.org").get("/v1.0/me").ok();
        let reference = world.server.reference(found["id"].as_str().unwrap());
        world.ada.post(&people, &reference).empty(204);
    }
    if example.name == "error-member-already-there" {
        let people = format!("/v1.0/groups/{}/members/$ref", place.group);
        let newcomer = world.server.reference(&world.newcomers[0]);
        world.ada.post(&people, &newcomer).empty(204);
    }
}

/// An event on the place's post, if the server takes one.
fn event_attachment(world: &World, place: &Place) -> String {
    let attachments = format!("/v1.0{}/attachments", place.post_path());
    let event = json!({"@odata.type": "#microsoft.graph.itemAttachment", "name": "Holiday",
        "item": {"@odata.type": "microsoft.graph.event", "subject": "Gifts",
            "start": {"dateTime": "2019-12-02T18:00:00", "timeZone": "UTC"},
            "end": {"dateTime": "2019-12-02T19:00:00", "timeZone": "UTC"}}});
    let made = world.ada.post(&attachments, &event);
    if made.status == 201 { made.id() } else { UNKNOWN.to_owned() }
}

/// The example's body with people who are here, each id another's.
fn with_people(world: &World, example: &Example) -> Value {
    let mut newcomers = world.newcomers.iter().cycle();
    let mut body = example.body.clone();
    people(&mut body, &mut newcomers);
    if let Some(ids) = body.get_mut("ids") {
        *ids = json!([world.ada_id, world.bo_id]);
    }
    body
}

fn people<'a>(value: &mut Value, newcomers: &mut impl Iterator<Item = &'a String>) {
    match value {
        Value::String(text) => {
            for set in ["/v1.0/users/", "/v1.0/directoryObjects/"] {
                if let Some((before, key)) = text.split_once(set)
                    && !key.contains('@')
                {
                    *text = format!("{before}{set}{}", newcomers.next().unwrap());
                    return;
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|it| people(it, newcomers)),
        Value::Object(members) => members.values_mut().for_each(|it| people(it, newcomers)),
        _ => {}
    }
}

/// What cannot stand in a request line, percent-encoded.
fn escape(path: &str) -> String {
    let mut escaped = String::new();
    for it in path.chars() {
        match it {
            ' ' => escaped.push_str("%20"),
            '"' => escaped.push_str("%22"),
            '{' => escaped.push_str("%7B"),
            '}' => escaped.push_str("%7D"),
            it => escaped.push(it),
        }
    }
    escaped
}
