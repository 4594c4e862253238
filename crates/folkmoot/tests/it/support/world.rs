//! A small world to ask everything in: people, and places that have something of each kind.
//!
//! What only some servers have (an extension, a sender who is let in) is asked for and not insisted on:
//! whoever needs it sees that it is not there.

use std::cell::Cell;

use serde_json::{Value, json};

use super::{Client, Server};

/// An id that nothing has.
pub(crate) const UNKNOWN: &str = "8d12587e-587e-8d12-7e58-128d7e58128d";

/// A server with people in it.
pub(crate) struct World {
    pub(crate) server: Server,
    /// Owner of every place.
    pub(crate) ada: Client,
    pub(crate) ada_id: String,
    /// Member and owner of every place.
    pub(crate) bo_id: String,
    /// Who is let in or kept out of places by `name_senders`.
    pub(crate) accepted_id: String,
    pub(crate) rejected_id: String,
    /// Three who are in no place yet, nor named by Graph's examples.
    pub(crate) newcomers: Vec<String>,
    places: Cell<usize>,
}

/// A group with a conversation in it. Its second post answers its first; each has a file.
pub(crate) struct Place {
    pub(crate) group: String,
    pub(crate) conversation: String,
    pub(crate) thread: String,
    pub(crate) post: String,
    pub(crate) attachment: String,
    /// The post that `post` answers, and its file.
    pub(crate) above: String,
    pub(crate) attachment_above: String,
}

impl World {
    pub(crate) fn new(args: &[&str]) -> World {
        let server = Server::with(args);
        let person = |name: &str| {
            let client = server.user(&format!("{name}@contoso.com"));
            let id = client.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
            (client, id)
        };
        let ((ada, ada_id), (_, bo_id)) = (person("ada"), person("bo"));
        // Whom Graph's examples name.
        for named in ["alexd", "adelev"] {
            person(named);
        }
        let [accepted_id, rejected_id] = ["fay", "gil"].map(|it| person(it).1);
        let newcomers = ["cy", "dee", "ed"].map(|it| person(it).1).to_vec();
        World {
            server,
            ada,
            ada_id,
            bo_id,
            accepted_id,
            rejected_id,
            newcomers,
            places: Cell::new(0),
        }
    }

    /// Makes a place that no other request has touched.
    pub(crate) fn place(&self) -> Place {
        self.place_with(&json!({}))
    }

    /// The same, its posts having these properties too.
    pub(crate) fn place_with(&self, more: &Value) -> Place {
        let number = self.places.replace(self.places.get() + 1);
        let made = json!({
            "displayName": format!("A place {number}"), "mailNickname": format!("place{number}"),
            "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": true,
            "description": "To ask everything in."
        });
        let group = self.ada.post("/v1.0/groups", &made).id();
        for list in ["members", "owners"] {
            let path = format!("/v1.0/groups/{group}/{list}/$ref");
            self.ada.post(&path, &self.server.reference(&self.bo_id)).empty(204);
        }
        let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "note.txt",
            "contentType": "text/plain", "contentBytes": "aGVsbG8="});
        let with_file = |content: &str| {
            let mut post = json!({"body": {"contentType": "text", "content": content},
                "attachments": [file], "categories": ["Blue"], "newParticipants": [
                    {"emailAddress": {"name": "Lin", "address": "lin@example.org"}}]});
            post.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            post
        };
        let talk = json!({"topic": "Plans", "threads": [{"posts": [with_file("Hello")]}]});
        let conversation =
            self.ada.post(&format!("/v1.0/groups/{group}/conversations"), &talk).id();
        let path = format!("/v1.0/groups/{group}/conversations/{conversation}/threads");
        let thread = first(&self.ada, &path);
        let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
        let above = first(&self.ada, &posts);
        let reply = json!({"post": with_file("Hello, Ada")});
        self.ada.post(&format!("{posts}/{above}/reply"), &reply).empty(202);
        let post = self.ada.get(&posts).ok()["value"][1]["id"].as_str().unwrap().to_owned();
        let attachment = first(&self.ada, &format!("{posts}/{post}/attachments"));
        let attachment_above = first(&self.ada, &format!("{posts}/{above}/attachments"));
        Place { group, conversation, thread, post, attachment, above, attachment_above }
    }
}

impl Place {
    /// The path of its second post, below a root.
    pub(crate) fn post_path(&self) -> String {
        format!("/groups/{}/threads/{}/posts/{}", self.group, self.thread, self.post)
    }

    /// Puts an extension of this name on both posts, with something of each type, if the server takes
    /// one.
    pub(crate) fn extend(&self, client: &Client, name: &str) {
        let mut extension = json!({"@odata.type": "microsoft.graph.openTypeExtension",
            "extensionName": name, "companyName": "Contoso", "dealValue": 500_050,
            "expirationDate": "2015-12-03T10:00:00.000Z", "topPicks": ["Employees only"]});
        // The pages show estimates without a value yet.
        if name.ends_with("Estimate") {
            extension.as_object_mut().unwrap().remove("dealValue");
        }
        for post in [&self.post, &self.above] {
            let posts = format!("/v1.0/groups/{}/threads/{}/posts", self.group, self.thread);
            client.post(&format!("{posts}/{post}/extensions"), &extension);
        }
    }
}

impl World {
    /// Names who may post in a place and who may not, if the server takes such names. From then on others
    /// may not post there.
    pub(crate) fn name_senders(&self, place: &Place) {
        for (list, who) in
            [("acceptedSenders", &self.accepted_id), ("rejectedSenders", &self.rejected_id)]
        {
            let path = format!("/v1.0/groups/{}/{list}/$ref", place.group);
            self.ada.post(&path, &self.server.reference(who));
        }
    }
}

/// The id of the first of a collection.
fn first(client: &Client, path: &str) -> String {
    let page = client.get(path).ok();
    page["value"][0]["id"].as_str().unwrap_or_else(|| panic!("{path}: {page}")).to_owned()
}
