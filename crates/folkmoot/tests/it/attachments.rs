//! Attachments of every kind: files, items and references.

mod content;
mod rules;

use serde_json::{Value, json};

use crate::support::{Client, Server};

/// A post of Ada's in a group that she owns, with Bo and Cy as members.
struct Scene {
    server: Server,
    ada: Client,
    bo: Client,
    /// The addresses of the group, of the thread and conversation in it.
    group: String,
    thread: String,
    conversation: String,
    /// Bo's post in that thread.
    post: String,
}

impl Scene {
    fn new() -> Scene {
        let server = Server::ephemeral();
        let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
        let id = ada.group("readers", "Private");
        let group = format!("/v1.0/groups/{id}");
        for name in ["bo", "cy"] {
            let user = format!("{name}@example.org");
            server.user(&user).get("/v1.0/me").ok();
            ada.post(&format!("{group}/members/$ref"), &server.reference(&user)).empty(204);
        }
        let [conversation, thread, _] = ada.talk(&id, "Lunch", "At noon?");
        let thread = format!("{group}/threads/{thread}");
        let body = json!({"body": {"contentType": "text", "content": "Yes"}});
        let post = bo.post(&format!("{thread}/posts"), &body).id();
        Scene {
            post: format!("{thread}/posts/{post}"),
            conversation: format!("{group}/conversations/{conversation}"),
            server,
            ada,
            bo,
            group,
            thread,
        }
    }

    fn attachments(&self) -> String {
        format!("{}/attachments", self.post)
    }

    /// Adds an attachment as Bo; its address.
    fn attach(&self, body: &Value) -> String {
        format!("{}/{}", self.attachments(), self.bo.post(&self.attachments(), body).id())
    }
}

fn file() -> Value {
    json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "menu.txt",
        "contentBytes": "c291cA=="})
}

fn item() -> Value {
    json!({"@odata.type": "#microsoft.graph.itemAttachment", "name": "Holiday event",
        "item": event()})
}

fn event() -> Value {
    json!({"@odata.type": "microsoft.graph.event", "subject": "Discuss gifts",
        "body": {"contentType": "HTML", "content": "<p>Let's look for funding!</p>"},
        "start": {"dateTime": "2019-12-02T18:00:00", "timeZone": "Pacific Standard Time"},
        "end": {"dateTime": "2019-12-02T19:00:00.0000000", "timeZone": "Pacific Standard Time"}})
}

fn reference() -> Value {
    json!({"@odata.type": "#microsoft.graph.referenceAttachment", "name": "Photos",
        "sourceUrl": "https://example.org/photos", "providerType": "oneDriveBusiness",
        "permission": "Edit", "isFolder": true, "size": 7})
}

/// The names of an entity's members in alphabetical order, annotations of OData left out but for the type.
fn names(entity: &Value) -> Vec<&str> {
    let names = entity.as_object().unwrap().keys().map(String::as_str);
    names.filter(|it| !it.starts_with('@') || *it == "@odata.type").collect()
}

const ALL: [&str; 7] =
    ["@odata.type", "id", "lastModifiedDateTime", "name", "contentType", "size", "isInline"];
const OF_FILES: [&str; 3] = ["contentId", "contentLocation", "contentBytes"];
const OF_REFERENCES: [&str; 6] =
    ["sourceUrl", "providerType", "thumbnailUrl", "previewUrl", "permission", "isFolder"];

#[track_caller]
fn assert_kinds(list: &Value) {
    let of_file = [&ALL[..], &OF_FILES].concat();
    let expected = [("file", &of_file[..]), ("item", &ALL), ("reference", &ALL)];
    let list = list.as_array().unwrap();
    assert_eq!(list.len(), expected.len(), "{list:?}");
    for (it, (kind, members)) in list.iter().zip(expected) {
        assert_eq!(it["@odata.type"], format!("#microsoft.graph.{kind}Attachment"));
        let (got, mut wanted) = (names(it), members.to_vec());
        wanted.sort_unstable();
        assert_eq!(got, wanted, "{kind}");
    }
    assert_eq!(list[0]["contentBytes"], "c291cA==");
    assert_eq!((&list[0]["size"], &list[0]["contentType"]), (&json!(4), &json!("text/plain")));
    assert_eq!((&list[1]["contentType"], &list[2]["size"]), (&Value::Null, &json!(7)));
}

#[test]
fn every_kind_comes_with_a_reply_with_a_create_and_to_a_post_that_is_there() {
    let scene = Scene::new();
    let Scene { ada, bo, group, thread, .. } = &scene;
    let all = json!([file(), item(), reference()]);
    let post = json!({"body": {"content": "With these"}, "attachments": all});

    bo.post(&format!("{thread}/reply"), &json!({"post": post})).empty(202);
    let posts = ada.all(&format!("{thread}/posts?$expand=attachments"));
    assert_kinds(&posts[2]["attachments"]);

    let body = json!({"topic": "More", "threads": [{"posts": [post]}]});
    let made = bo.post(&format!("{group}/conversations"), &body).created();
    let thread = made["threads"][0]["id"].as_str().unwrap();
    let posts = ada.get(&format!("{group}/threads/{thread}/posts?$expand=attachments")).ok();
    assert_kinds(&posts["value"][0]["attachments"]);

    for it in all.as_array().unwrap() {
        let answer = bo.post(&scene.attachments(), it);
        let made = answer.created();
        assert_eq!(made["@odata.type"], it["@odata.type"]);
        let location = answer.header("Location").unwrap();
        let path = location.split_once(&bo.address).unwrap().1;
        assert_eq!(ada.get(path).ok()["id"], made["id"]);
        let context = made["@odata.context"].as_str().unwrap();
        assert!(context.ends_with("/attachments/$entity"), "{context}");
    }
    let listed = ada.get(&scene.attachments()).ok();
    assert_kinds(&listed["value"]);
    assert_eq!(ada.get(&format!("{}/$count", scene.attachments())).text(), "3");
}

#[test]
fn one_of_no_concrete_type_is_taken_as_the_seed_sends_it() {
    let scene = Scene::new();
    let sent = json!({"@odata.type": "#microsoft.graph.attachment", "name": "Name value",
        "contentType": "Content Type value", "size": 4, "isInline": true,
        "lastModifiedDateTime": "2017-01-01T00:02:34+03:00"});
    let answer = scene.bo.post(&format!("{}/$ref", scene.attachments()), &sent);
    let made = answer.created();
    // Nothing is of an abstract type once it is there, and a member stands in an object once.
    assert_eq!(answer.text().matches("\"@odata.type\"").count(), 1, "{}", answer.text());
    assert_eq!(made["@odata.type"], "#microsoft.graph.referenceAttachment");
    for name in ["name", "contentType", "size", "isInline"] {
        assert_eq!(made[name], sent[name], "{name}");
    }
    let listed = scene.ada.get(&scene.attachments()).ok();
    assert_eq!(listed["value"][0]["@odata.type"], "#microsoft.graph.referenceAttachment");
    assert_eq!(listed["value"][0]["name"], "Name value");
}

#[test]
fn a_list_is_narrowed_and_shows_what_is_selected() {
    let scene = Scene::new();
    let ada = &scene.ada;
    let [of_file, of_item, of_reference] =
        [file(), item(), reference()].map(|it| scene.attach(&it));
    let path = scene.attachments();
    for (kind, own) in [("file", &of_file), ("item", &of_item), ("reference", &of_reference)] {
        let narrowed = ada.get(&format!("{path}/microsoft.graph.{kind}Attachment")).ok();
        let ids: Vec<_> =
            narrowed["value"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
        assert_eq!(ids.len(), 1, "{kind}: {narrowed}");
        assert!(own.ends_with(ids[0].as_str().unwrap()), "{kind}");
        let count = ada.get(&format!("{path}/microsoft.graph.{kind}Attachment/$count"));
        assert_eq!(count.text(), "1", "{kind}");
    }
    for select in ["contentBytes", "microsoft.graph.fileAttachment/contentBytes"] {
        let listed = ada.get(&format!("{path}?$select={select}")).ok();
        let shown: Vec<_> = listed["value"].as_array().unwrap().iter().map(names).collect();
        let rest = vec!["@odata.type", "id"];
        let with_bytes = vec!["@odata.type", "contentBytes", "id"];
        assert_eq!(shown, [with_bytes, rest.clone(), rest], "{select}");
    }
}

#[test]
fn an_item_comes_on_request() {
    let scene = Scene::new();
    let ada = &scene.ada;
    let mut odd = item();
    // Its type is spelled in the one way that answers have, and stands first.
    odd["item"] = json!({"subject": "x", "@type": "#Microsoft.Graph.Event"});
    let (address, odd) = (scene.attach(&item()), scene.attach(&odd));
    scene.attach(&file());
    assert!(ada.get(&address).ok().get("item").is_none());
    let mut expected = event();
    expected["@odata.type"] = json!("#microsoft.graph.event");
    for expand in ["microsoft.graph.itemattachment/item", "microsoft.graph.itemAttachment/item"] {
        let one = ada.get(&format!("{address}?$expand={expand}")).ok();
        assert_eq!(one["item"], expected, "{expand}");
        let listed = ada.get(&format!("{}?$expand={expand}", scene.attachments())).ok();
        assert_eq!(listed["value"][0]["item"], expected, "{expand}");
        assert!(listed["value"][2].get("item").is_none(), "a file has none");
    }
    let one = ada.get(&format!("{odd}?$expand=microsoft.graph.itemattachment/item"));
    assert!(
        one.text().contains(r##""item":{"@odata.type":"#microsoft.graph.event","subject":"x"}"##),
        "{}",
        one.text()
    );
    let posts =
        format!("{}?$expand=attachments($expand=microsoft.graph.itemattachment/item)", scene.post);
    assert_eq!(ada.get(&posts).ok()["attachments"][0]["item"], expected);
}

#[test]
fn what_a_reference_refers_to_is_shown_in_beta() {
    let scene = Scene::new();
    let ada = &scene.ada;
    let address = scene.attach(&reference());
    let beta = ada.get(&address.replacen("/v1.0/", "/beta/", 1)).ok();
    let mut expected = [&ALL[..], &OF_REFERENCES].concat();
    expected.sort_unstable();
    assert_eq!(names(&beta), expected);
    assert_eq!(beta["sourceUrl"], "https://example.org/photos");
    assert_eq!((&beta["permission"], &beta["isFolder"]), (&json!("edit"), &json!(true)));
    assert!(ada.get(&address).ok().get("sourceUrl").is_none());
    ada.get(&format!("{address}?$select=sourceUrl")).refused(400, "BadRequest");
    let select = "?$select=sourceUrl,providerType";
    let asked = ada.get(&format!("{}{select}", address.replacen("/v1.0/", "/beta/", 1))).ok();
    assert_eq!(asked["sourceUrl"], "https://example.org/photos");
    assert_eq!(asked["providerType"], "oneDriveBusiness");
}
