//! The seed's own operation, to the letter: 'Add conversations'.

use serde_json::{Value, json};

use crate::support::{Client, Server};

const EXAMPLE: &str = include_str!("../../../../tests/data/graph/examples/seed-as-given.json");

fn example() -> Value {
    serde_json::from_str::<Value>(EXAMPLE).unwrap()["request_body"].clone()
}

fn setup() -> (Server, Client, String) {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    (server, ada, group)
}

/// The answer holds what was sent, `@odata.context` first and `@odata.type` where it was sent.
fn assert_added(client: &Client, group: &str, path: &str) -> String {
    let sent = example();
    let answer = client.post(path, &sent);
    let body = answer.created();
    assert!(answer.text().starts_with("{\"@odata.context\":"), "{}", answer.text());
    for (name, value) in sent.as_object().unwrap() {
        assert_eq!(&body[name], value, "{name} at {path}");
    }
    let id = body["id"].as_str().unwrap().to_owned();
    let location = format!("http://{}/v1.0/groups/{group}/conversations/{id}", client.address);
    assert_eq!(answer.header("Location"), Some(location.as_str()), "{path}");
    let context =
        format!("http://{}/v1.0/$metadata#groups('{group}')/conversations/$entity", client.address);
    assert_eq!(body["@odata.context"], context, "{path}");
    id
}

#[test]
fn the_example_is_answered_at_every_address_of_it() {
    let (_server, ada, group) = setup();
    for path in [
        format!("/docs\\api/groups/{group}/conversations"),
        format!("/docs%5Capi/groups/{group}/conversations"),
        format!("/docs/api/groups/{group}/conversations"),
        format!("/v1.0/groups/{group}/conversations"),
        format!("/v1.0/groups/{group}/conversations/$ref"),
        format!("/v1.0/groups/{group}/conversations/%24ref"),
        format!("/v1.0/me/joinedTeams/{group}/conversations/$ref"),
        format!("/v1.0/me/joinedTeams/{group}/conversations"),
        format!("/v1.0/me/joinedGroups/{group}/conversations/$ref"),
        format!("/v1.0/groups('{group}')/conversations/$ref"),
        format!("/v1.0/groups(id='{group}')/conversations/$ref"),
        format!("/v1.0/groups(%27{group}%27)/conversations/$ref"),
        format!("/v1.0/me/joinedTeams('{group}')/conversations/$ref"),
        format!("/v1.0/GROUPS/{}/Conversations/$REF", group.to_uppercase()),
        format!("/v1.0/Me/JoinedTeams/{group}/CONVERSATIONS/$Ref"),
        format!("/V1.0/groups/{group}/conversations/"),
    ] {
        assert_added(&ada, &group, &path);
    }
    // What the root /beta answers links to /beta.
    let answer = ada.post(&format!("/beta/groups/{group}/conversations/$ref"), &example());
    assert!(answer.header("Location").unwrap().contains("/beta/groups/"));
}

#[test]
fn the_time_comes_back_with_its_digits_and_offset_in_every_read() {
    let (_server, ada, group) = setup();
    let path = format!("/v1.0/groups/{group}/conversations");
    let id = assert_added(&ada, &group, &path);
    let time = "2017-01-01T00:02:32.1744944+03:00";
    let one = ada.get(&format!("{path}/{id}")).ok();
    assert_eq!(one["lastDeliveredDateTime"], time);
    let listed = ada.get(&path).ok();
    assert_eq!(listed["value"][0]["lastDeliveredDateTime"], time);
    let selected = ada.get(&format!("{path}?$select=lastDeliveredDateTime")).ok();
    assert_eq!(selected["value"][0]["lastDeliveredDateTime"], time);
    // A type is echoed in the answer to the request that sent it, and in no other.
    assert!(one.get("@odata.type").is_none());
}

#[test]
fn times_sort_and_filter_by_instant_whatever_their_offset() {
    let (_server, ada, group) = setup();
    let at =
        |time: &str| ada.declare(&group, &json!({"topic": time, "lastDeliveredDateTime": time}));
    // By text, these would sort the other way round.
    let second = at("2017-01-01T01:00:00-05:00");
    let first = at("2017-01-01T05:00:00.0000001Z");
    let third = at("2017-01-01T23:00:00+14:00");
    let path = format!("/v1.0/groups/{group}/conversations");
    let ids = |query: &str| -> Vec<String> {
        let page = ada.get(&format!("{path}?{query}")).ok();
        let ids = page["value"].as_array().unwrap().iter();
        ids.map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("$orderby=lastDeliveredDateTime"), [&*first, &second, &third]);
    assert_eq!(ids(""), [&*third, &second, &first], "newest first by default");
    let same = "$filter=lastDeliveredDateTime%20eq%202017-01-01T06:00:00Z";
    assert_eq!(ids(same), [&*second]);
    let later = "$filter=lastDeliveredDateTime%20gt%202017-01-01T08:00:00.0000001%2B03:00";
    assert_eq!(ids(later), [&*third, &second]);
}

#[test]
fn what_a_client_leaves_out_has_defaults_and_an_id_is_ignored() {
    let (_server, ada, group) = setup();
    let path = format!("/v1.0/groups/{group}/conversations/$ref");
    let sent = json!({"id": "8d12587e-587e-8d12-7e58-128d7e58128d", "topic": ""});
    let body = ada.post(&path, &sent).created();
    assert_ne!(body["id"], sent["id"]);
    assert_eq!(body["topic"], "");
    assert_eq!(body["hasAttachments"], false);
    assert_eq!(body["uniqueSenders"], json!([]));
    assert_eq!(body["preview"], "");
    let time = body["lastDeliveredDateTime"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == 20, "whole seconds: {time}");
    assert!(body.get("@odata.type").is_none());
}

#[test]
fn a_reference_to_a_conversation_of_the_group_is_taken() {
    let (server, ada, group) = setup();
    let other = ada.group("others", "Private");
    let id = ada.declare(&group, &json!({"topic": "here"}));
    let path = format!("/v1.0/groups/{group}/conversations/$ref");
    let refer = |client: &Client, group: &str, id: &str| {
        let link = format!("https://graph.microsoft.com/v1.0/groups/{group}/conversations/{id}");
        client.post(&path, &json!({"@odata.id": link}))
    };
    refer(&ada, &group, &id).empty(204);
    let short = json!({"@odata.id": format!("groups('{group}')/conversations('{id}')")});
    ada.post(&path, &short).empty(204);

    let missing = "8d12587e-587e-8d12-7e58-128d7e58128d";
    refer(&ada, &group, missing).refused(404, "ErrorItemNotFound");
    refer(&ada, missing, &id).refused(404, "ErrorItemNotFound");
    let elsewhere = ada.declare(&other, &json!({"topic": "there"}));
    let why = refer(&ada, &other, &elsewhere).refused(400, "BadRequest");
    assert!(why.contains("lives in one group"), "{why}");
    // A group that the caller cannot read answers as one that is not there.
    let bo = server.user("bo@example.org");
    let secret = bo.group("secret", "Private");
    let hidden = bo.declare(&secret, &json!({"topic": "hidden"}));
    refer(&ada, &secret, &hidden).refused(404, "ErrorItemNotFound");
    let why = ada.post(&path, &json!({"@odata.id": "nonsense"})).refused(400, "Request_BadRequest");
    assert!(why.contains("@odata.id"), "{why}");
    // Nothing was added by any of these.
    let count = ada.get(&format!("/v1.0/groups/{group}/conversations/$count"));
    assert_eq!(count.text(), "1");
}

#[test]
fn the_open_rows_of_the_permission_table_are_decided() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let path = format!("/v1.0/groups/{group}/conversations/$ref");
    let body = json!({"topic": "x"});
    for scope in ["Group.ReadWrite.All", "Group-Conversation.ReadWrite.All"] {
        server.user_with("ada@example.org", &[scope]).post(&path, &body).created();
        server.app(&[scope]).post(&path, &body).created();
    }
    for scope in ["Group.Read.All", "Group-Conversation.Read.All", "User.Read"] {
        let user = server.user_with("ada@example.org", &[scope]);
        let why = user.post(&path, &body).refused(403, "ErrorAccessDenied");
        assert!(why.contains("Group-Conversation.ReadWrite.All"), "{why}");
        server.app(&[scope]).post(&path, &body).refused(403, "ErrorAccessDenied");
    }
    let list = format!("/v1.0/groups/{group}/conversations");
    for scope in ["Group.Read.All", "Group-Conversation.Read.All", "Group.ReadWrite.All"] {
        server.user_with("ada@example.org", &[scope]).get(&list).ok();
        server.app(&[scope]).get(&list).ok();
    }
    server
        .user_with("ada@example.org", &["User.Read"])
        .get(&list)
        .refused(403, "ErrorAccessDenied");
    // A personal account.
    let args =
        ["token", "--user", "p@outlook.com", "--tenant", "9188040d-6c67-4c5b-b112-36a304b66dad"];
    let personal = crate::support::folkmoot(&args, &server.data);
    assert_eq!(personal.status, Some(0), "{}", personal.stderr);
    let token = personal.stdout.trim().to_owned();
    let personal = Client { token, ..ada.clone() };
    personal.post(&path, &body).refused(403, "ErrorAccessDenied");
}
