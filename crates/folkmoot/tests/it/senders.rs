//! Who may post to a group: the lists of accepted and rejected senders.

use serde_json::{Value, json};

use crate::support::{Client, Server};

struct Setup {
    server: Server,
    ada: Client,
    bo: Client,
    group: String,
}

/// A public group of ada's, and bo.
fn setup() -> Setup {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Public");
    Setup { server, ada, bo, group }
}

impl Setup {
    fn path(&self, rest: &str) -> String {
        format!("/v1.0/groups/{}/{rest}", self.group)
    }

    fn add(&self, list: &str, who: &Value) {
        self.ada.post(&self.path(&format!("{list}/$ref")), who).empty(204);
    }

    fn remove(&self, list: &str, id: &str) {
        self.ada.delete(&self.path(&format!("{list}/{id}/$ref"))).empty(204);
    }

    /// Whether a caller may start a conversation; else why not.
    fn posts(&self, who: &Client) -> Result<(), String> {
        let answer = who.post(&self.path("conversations"), &json!({"topic": "x"}));
        match answer.status {
            201 => Ok(()),
            _ => Err(answer.refused(403, "ErrorAccessDenied")),
        }
    }
}

#[test]
fn only_the_accepted_post_and_nobody_who_is_rejected() {
    let it = setup();
    let robot = it.server.app(&["Group.ReadWrite.All"]);
    it.posts(&it.bo).unwrap();
    it.add("acceptedSenders", &it.server.reference("bo@example.org"));
    it.posts(&it.bo).unwrap();
    // Owners too.
    let why = it.posts(&it.ada).unwrap_err();
    assert!(why.contains("accepted senders"), "{why}");
    it.posts(&robot).unwrap();
    it.add("acceptedSenders", &it.server.principal(&it.ada.me()));
    it.posts(&it.ada).unwrap();
    it.add("rejectedSenders", &it.server.principal(&it.group));
    // Who is accepted themself is rejected as a member of a group.
    let why = it.posts(&it.ada).unwrap_err();
    assert!(why.contains("rejected"), "{why}");
    it.posts(&it.bo).unwrap();
    it.remove("rejectedSenders", &it.group);
    it.posts(&it.ada).unwrap();
    it.remove("acceptedSenders", &it.ada.me());
    it.remove("acceptedSenders", &it.bo.me());
    let cy = it.server.user("cy@example.org");
    for client in [&it.ada, &it.bo, &cy] {
        it.posts(client).unwrap();
    }
}

#[test]
fn a_group_on_a_list_counts_by_its_members() {
    let it = setup();
    let other = it.ada.security_group("others");
    it.add("acceptedSenders", &json!({"@odata.id": format!("https://x/v1.0/groups/{other}")}));
    assert!(it.posts(&it.bo).is_err());
    // Twice, so that what is remembered of the first is not believed.
    assert!(it.posts(&it.bo).is_err());
    let members = format!("/v1.0/groups/{other}/members");
    it.ada.post(&format!("{members}/$ref"), &it.server.reference("bo@example.org")).empty(204);
    it.posts(&it.bo).unwrap();
    it.ada.delete(&format!("{members}/{}/$ref", it.bo.me())).empty(204);
    assert!(it.posts(&it.bo).is_err());
    it.posts(&it.ada).unwrap();
    // A group that goes takes its members along, and does not open the list to all.
    it.ada.delete(&format!("/v1.0/groups/{other}")).empty(204);
    assert!(it.posts(&it.ada).is_err());
    let named = format!("acceptedSenders/$ref?$id=https://x/v1.0/groups/{other}");
    it.ada.delete(&it.path(&named)).empty(204);
    it.posts(&it.bo).unwrap();
}

/// Everything that puts words of the caller's into the group.
#[test]
fn no_way_of_posting_goes_past_the_lists() {
    let it = setup();
    let [conversation, thread, post] = it.bo.talk(&it.group, "x", "y");
    it.add("rejectedSenders", &it.server.reference("bo@example.org"));
    let threads = format!("conversations/{conversation}/threads");
    let posts = format!("threads/{thread}/posts");
    let one = json!({"body": {"content": "z"}});
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a",
        "contentBytes": "eA=="});
    let extension = json!({"@odata.type": "microsoft.graph.openTypeExtension",
        "extensionName": "Com.X", "y": 1});
    let to = json!({"ToRecipients": [{"emailAddress": {"address": "a@b.c"}}]});
    for (rest, body) in [
        ("conversations".to_owned(), json!({"topic": "x", "threads": [{"posts": [one]}]})),
        ("conversations/$ref".to_owned(), json!({"topic": "x"})),
        ("threads".to_owned(), json!({"topic": "x", "posts": [one]})),
        (threads.clone(), json!({"posts": [one]})),
        (format!("{threads}/$ref"), json!({"topic": "x"})),
        (format!("threads/{thread}/reply"), json!({"post": one})),
        (posts.clone(), one.clone()),
        (format!("{posts}/{post}/reply"), json!({"post": one})),
        (format!("{posts}/{post}/forward"), to),
        (format!("{posts}/{post}/attachments"), file),
        (format!("{posts}/{post}/extensions"), extension),
    ] {
        let why = it.bo.post(&it.path(&rest), &body).refused(403, "ErrorAccessDenied");
        assert!(why.contains("rejected"), "{rest}: {why}");
    }
    let path = it.path(&format!("{posts}/{post}"));
    it.bo.patch(&path, &one).refused(403, "ErrorAccessDenied");
    assert_eq!(it.bo.all(&it.path(&posts)).len(), 1);
}

#[test]
fn a_list_shows_users_and_groups() {
    let it = setup();
    let other = it.ada.security_group("others");
    let list = it.path("acceptedSenders");
    let empty = it.ada.get(&list).ok();
    assert_eq!(empty["value"], json!([]));
    it.add("acceptedSenders", &it.server.reference("bo@example.org"));
    it.add("acceptedSenders", &it.server.principal(&other));
    let shown = it.bo.get(&format!("{list}?$orderby=displayName")).ok();
    let context = shown["@odata.context"].as_str().unwrap();
    assert!(context.ends_with("/v1.0/$metadata#directoryObjects"), "{context}");
    let [bo, group] = &shown["value"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!(bo["@odata.type"], "#microsoft.graph.user");
    assert_eq!((&bo["userPrincipalName"], &bo["mail"]), (&json!("bo@example.org"), &bo["mail"]));
    assert!(bo.get("groupTypes").is_none() && bo["businessPhones"] == json!([]), "{bo}");
    assert_eq!(group["@odata.type"], "#microsoft.graph.group");
    assert_eq!(group["displayName"], "The others");
    assert_eq!(group["securityEnabled"], true);
    assert_eq!(group["groupTypes"], json!([]));
    assert!(group.get("userPrincipalName").is_none(), "{group}");
    let count = it.bo.get(&format!("{list}/$count"));
    assert_eq!((count.status, count.text().as_str()), (200, "2"));
    let selected = it.bo.get(&format!("{list}?$select=displayName&$top=1&$count=true")).ok();
    assert_eq!(selected["@odata.count"], 2);
    let one = selected["value"][0].as_object().unwrap();
    let names: Vec<_> = one.keys().filter(|it| !it.starts_with('@')).collect();
    assert_eq!(names, ["displayName", "id"]);
    assert_eq!(it.bo.all(&format!("{list}?$top=1")).len(), 2);
    assert_eq!(it.bo.all(&format!("{list}/microsoft.graph.user")).len(), 1);
    let filtered = it.bo.all(&format!("{list}?$filter=startswith(displayName,'THE')"));
    assert_eq!(filtered[0]["id"], other.as_str());
    let expanded =
        it.bo.get(&format!("{}?$expand=acceptedSenders", it.path("").trim_end_matches('/')));
    assert_eq!(expanded.ok()["acceptedSenders"].as_array().unwrap().len(), 2);
    // What was asked before shows what has changed since.
    it.remove("acceptedSenders", &other);
    it.remove("acceptedSenders", &it.bo.me());
    assert_eq!(it.ada.get(&list).ok()["value"], json!([]));
}

#[test]
fn what_cannot_be_on_a_list_is_refused() {
    let it = setup();
    let (accepted, rejected) = (it.path("acceptedSenders/$ref"), it.path("rejectedSenders/$ref"));
    let bo = it.server.reference("bo@example.org");
    it.bo.post(&accepted, &bo).refused(403, "ErrorAccessDenied");
    it.ada.post(&accepted, &bo).empty(204);
    let why = it.ada.post(&accepted, &bo).refused(400, "Request_BadRequest");
    assert!(why.contains("'acceptedSenders'"), "{why}");
    let why = it.ada.post(&rejected, &bo).refused(400, "BadRequest");
    assert!(why.contains("acceptedSenders"), "{why}");
    for unknown in [
        "users/no@example.org",
        "groups/8d12587e-587e-8d12-7e58-128d7e58128d",
        "groups/readers",
        "directoryObjects/x",
    ] {
        let body = json!({"@odata.id": format!("https://x/v1.0/{unknown}")});
        it.ada.post(&accepted, &body).refused(404, "Request_ResourceNotFound");
    }
    // A user is no group.
    let body = json!({"@odata.id": format!("https://x/v1.0/groups/{}", it.bo.me())});
    it.ada.post(&accepted, &body).refused(404, "Request_ResourceNotFound");
    for body in [json!({"@odata.id": "https://x/v1.0/devices/y"}), json!({})] {
        it.ada.post(&accepted, &body).refused(400, "BadRequest");
    }
    it.ada.post(&it.path("acceptedSenders"), &bo).refused(400, "BadRequest");
    // Removals, in every spelling.
    it.bo
        .delete(&format!("{accepted}?$id=https://x/v1.0/users/bo@example.org"))
        .refused(403, "ErrorAccessDenied");
    let id = format!("https%3A%2F%2Fx%2Fv1.0%2Fusers%2F{}", it.bo.me());
    it.ada.delete(&format!("{rejected}?$id={id}")).refused(404, "Request_ResourceNotFound");
    it.ada.delete(&accepted).refused(400, "BadRequest");
    it.ada.delete(&format!("{accepted}?$id={id}")).empty(204);
    it.ada.delete(&format!("{accepted}?$id={id}")).refused(404, "Request_ResourceNotFound");
    it.ada.post(&rejected, &bo).empty(204);
    it.ada.delete(&format!("{rejected}?$id=https://x/v1.0/users/bo@example.org")).empty(204);
    it.posts(&it.bo).unwrap();
}

#[test]
fn another_tenants_people_are_on_no_list() {
    let (server, ada, eve) = Server::with_two_tenants();
    let group = ada.group("readers", "Public");
    let theirs = eve.group("readers", "Public");
    let list = format!("/v1.0/groups/{group}/acceptedSenders/$ref");
    for id in [&eve.me(), &theirs] {
        ada.post(&list, &server.principal(id)).refused(404, "Request_ResourceNotFound");
    }
    ada.post(&list, &server.reference("ada@example.org")).empty(204);
    eve.get(&format!("/v1.0/groups/{group}/acceptedSenders"))
        .refused(404, "Request_ResourceNotFound");
    eve.post(&list, &server.reference("ada@example.org")).refused(404, "Request_ResourceNotFound");
    // Their user of that name is another.
    assert_eq!(ada.all(&format!("/v1.0/groups/{group}/acceptedSenders"))[0]["id"], ada.me());
}

/// Two processes on one database: who may post is known to both at once.
#[test]
fn a_list_that_another_process_changes_binds_at_once() {
    let Some((first, second)) = Server::two() else { return };
    let (ada, bo) = (first.user("ada@example.org"), first.user("bo@example.org"));
    let there = ada.at(&second);
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations");
    let rejected = format!("/v1.0/groups/{group}/rejectedSenders");
    for _ in 0..3 {
        bo.post(&path, &json!({"topic": "x"})).created();
        bo.post(&path, &json!({"topic": "x"})).created();
        there.post(&format!("{rejected}/$ref"), &first.reference("bo@example.org")).empty(204);
        bo.post(&path, &json!({"topic": "x"})).refused(403, "ErrorAccessDenied");
        there.delete(&format!("{rejected}/{}/$ref", bo.me())).empty(204);
    }
}
