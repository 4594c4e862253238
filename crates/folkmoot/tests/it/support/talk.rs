//! A group of three people, and a thread that they talk in.

use super::{Client, Server};

/// A private group: ada owns it, bo is a member, cy is from outside.
pub(crate) struct Trio {
    pub(crate) server: Server,
    pub(crate) ada: Client,
    pub(crate) bo: Client,
    pub(crate) cy: Client,
    pub(crate) group: String,
}

impl Trio {
    pub(crate) fn on(server: Server) -> Trio {
        let [ada, bo, cy] = ["ada", "bo", "cy"].map(|it| server.user(&format!("{it}@example.org")));
        let group = ada.group("readers", "Private");
        let members = format!("/v1.0/groups/{group}/members/$ref");
        ada.post(&members, &server.reference("bo@example.org")).empty(204);
        Trio { server, ada, bo, cy, group }
    }

    /// The address of something below the group.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/v1.0/groups/{}/{rest}", self.group)
    }
}

/// The same with a thread that ada has begun.
pub(crate) struct Talk {
    pub(crate) server: Server,
    pub(crate) ada: Client,
    pub(crate) bo: Client,
    pub(crate) cy: Client,
    pub(crate) group: String,
    pub(crate) conversation: String,
    /// The thread's address.
    pub(crate) thread: String,
    /// Its first post.
    pub(crate) first: String,
    /// The first post's address.
    pub(crate) post: String,
}

impl Talk {
    pub(crate) fn on(server: Server) -> Talk {
        let Trio { server, ada, bo, cy, group } = Trio::on(server);
        let [conversation, thread, first] = ada.talk(&group, "Lunch", "At noon?");
        let thread = format!("/v1.0/groups/{group}/threads/{thread}");
        let post = format!("{thread}/posts/{first}");
        Talk { server, ada, bo, cy, group, conversation, thread, first, post }
    }
}
