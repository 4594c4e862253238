//! How each operation is asked for: its address and its body, in a place that has all it is about.

use serde_json::{Value, json};

use crate::support::UNKNOWN;

/// A row of `docs/operations.md`.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) method: String,
    pub(crate) shape: String,
    pub(crate) delegated: Vec<String>,
    /// None: not for applications.
    pub(crate) application: Vec<String>,
    /// What real Graph does.
    pub(crate) graph: String,
    pub(crate) who: String,
    pub(crate) answer: u16,
    /// What the audit calls it.
    pub(crate) name: String,
}

/// The operation table.
pub(crate) fn rows() -> Vec<Row> {
    const OPERATIONS: &str = include_str!("../../../../../docs/operations.md");
    let lines = OPERATIONS.lines().filter(|it| it.starts_with("| ") && it.contains('`'));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(|it| it.trim().trim_matches('`')).collect();
        let list = |text: &str| text.split(", ").map(str::to_owned).collect::<Vec<_>>();
        let application = match cells[4] {
            "the same" => list(cells[3]),
            "not for applications" => Vec::new(),
            other => list(other),
        };
        Row {
            method: cells[1].to_owned(),
            shape: cells[2].to_owned(),
            delegated: list(cells[3]),
            application,
            graph: cells[5].to_owned(),
            who: cells[6].to_owned(),
            answer: cells[7].parse().unwrap(),
            name: cells[8].to_owned(),
        }
    };
    lines.map(row).collect()
}

impl Row {
    /// The type or the set that its shape begins with, and what follows.
    pub(crate) fn parts(&self) -> (&str, &str) {
        self.shape.split_once('/').unwrap_or((&self.shape, ""))
    }

    /// Whether it is about something in a group, or a group.
    pub(crate) fn in_group(&self) -> bool {
        !["groups", "users", "user", "me", "directoryObject", "directoryObjects"]
            .contains(&self.parts().0)
    }
}

/// What an operation is asked of.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    /// The group's address: `/groups/{id}`.
    pub(crate) group: String,
    pub(crate) conversation: String,
    pub(crate) thread: String,
    /// A post that answers another.
    pub(crate) post: String,
    pub(crate) attachment: String,
    pub(crate) extension: String,
    pub(crate) single: String,
    pub(crate) multi: String,
    pub(crate) mention: String,
    /// An earlier state of the post.
    pub(crate) version: String,
    /// Something that was done in the group.
    pub(crate) entry: String,
    /// A user, who is put on lists and taken off.
    pub(crate) person: String,
    /// An invitation into the group.
    pub(crate) invitation: String,
    /// Somebody's request to be let into it.
    pub(crate) request: String,
}

/// Names of what hangs on a post, as the walk makes it.
pub(crate) const EXTENSION: &str = "Com.Contoso.Walk";
pub(crate) const SINGLE: &str = "String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color";
pub(crate) const MULTI: &str = "StringArray {66f5a359-4659-4830-9070-00047ec6ac6e} Name Colors";

impl Spot {
    /// Where nothing is, in the group at this address.
    pub(crate) fn unknown(group: &str) -> Spot {
        let id = || UNKNOWN.to_owned();
        Spot {
            group: group.to_owned(),
            conversation: id(),
            thread: id(),
            post: id(),
            attachment: id(),
            extension: id(),
            single: id(),
            multi: id(),
            mention: id(),
            version: id(),
            entry: id(),
            person: id(),
            invitation: id(),
            request: id(),
        }
    }

    /// The address of an operation here, below the root of its version.
    pub(crate) fn path(&self, row: &Row) -> String {
        let (head, rest) = row.parts();
        let encoded = |text: &str| text.replace(' ', "%20").replace('{', "%7B").replace('}', "%7D");
        let group = &self.group;
        let thread = format!("{group}/threads/{}", self.thread);
        let post = format!("{thread}/posts/{}", self.post);
        let base = match head {
            "groups" | "users" | "me" | "directoryObjects" => format!("/{head}"),
            "user" => format!("/users/{}", self.person),
            "directoryObject" => format!("/directoryObjects/{}", self.person),
            "group" => group.clone(),
            "conversation" => format!("{group}/conversations/{}", self.conversation),
            "conversationThread" => thread,
            "post" => post,
            "attachment" => format!("{post}/attachments/{}", self.attachment),
            "openTypeExtension" => format!("{post}/extensions/{}", self.extension),
            "singleValueLegacyExtendedProperty" => {
                format!("{post}/singleValueExtendedProperties/{}", encoded(&self.single))
            }
            "multiValueLegacyExtendedProperty" => {
                format!("{post}/multiValueExtendedProperties/{}", encoded(&self.multi))
            }
            "mention" => format!("{post}/mentions/{}", self.mention),
            "postVersion" => format!("{post}/folkmoot.history/{}", self.version),
            "auditEntry" => format!("{group}/folkmoot.audit/{}", self.entry),
            "groupInvitation" => format!("{group}/folkmoot.invitations/{}", self.invitation),
            "joinRequest" => format!("{group}/folkmoot.joinRequests/{}", self.request),
            other => panic!("no place is known for {other}: {}", row.shape),
        };
        let mut path = base;
        if !rest.is_empty() {
            path = format!("{path}/{}", rest.replace("{}", &self.person));
        }
        if row.method == "DELETE" && rest.ends_with("/$ref") && !rest.contains("{}") {
            path += &format!("?$id=https://x/v1.0/directoryObjects/{}", self.person);
        }
        path
    }

    /// The same with its version.
    pub(crate) fn address(&self, row: &Row) -> String {
        let beta = row.shape.contains("mention");
        format!("/{}{}", if beta { "beta" } else { "v1.0" }, self.path(row))
    }

    /// A body that suits an operation; null where it has none.
    pub(crate) fn body(&self, row: &Row) -> Value {
        if !["POST", "PATCH"].contains(&&row.method[..]) {
            return Value::Null;
        }
        let (head, rest) = row.parts();
        let rest = match rest.strip_suffix("/$ref") {
            Some(list) if list.contains("Senders") || ["members", "owners"].contains(&list) => {
                let id = format!("https://x/v1.0/directoryObjects/{}", self.person);
                return json!({"@odata.id": id});
            }
            Some(list) => list,
            None => rest,
        };
        let post = json!({"body": {"contentType": "text", "content": "walked"}});
        match (head, rest) {
            ("group", "") => json!({"description": "walked"}),
            ("groups", "") => json!({"displayName": "Walk",
                "mailNickname": format!("w{}", unique()), "groupTypes": ["Unified"],
                "mailEnabled": true, "securityEnabled": false}),
            (_, "getByIds") => json!({"ids": [self.person]}),
            ("group", "members" | "owners" | "acceptedSenders" | "rejectedSenders") => json!({}),
            ("group", "folkmoot.joinRequests") => json!({}),
            ("group", "folkmoot.invitations") => {
                json!({"invitedUserEmailAddress": format!("walk{}@outside.example", unique())})
            }
            ("group", "conversations") => json!({"topic": "x", "threads": [{"posts": [post]}]}),
            ("group" | "conversation", "threads") => json!({"topic": "x", "posts": [post]}),
            ("conversation" | "conversationThread", "") => json!({"topic": "walked"}),
            ("conversationThread", "posts") => post,
            (_, "reply") => json!({"post": post}),
            (_, "forward") => json!({"toRecipients": [
                {"emailAddress": {"address": "lin@example.org"}}]}),
            ("post", "" | "inReplyTo") => post,
            ("post", "attachments") => json!({"@odata.type": "#microsoft.graph.fileAttachment",
                "name": "b.txt", "contentBytes": "aGVsbG8="}),
            ("post", "attachments/createUploadSession") => json!({"AttachmentItem":
                {"attachmentType": "file", "name": "b.bin", "size": 5}}),
            ("post", "extensions") => json!({"@odata.type": "microsoft.graph.openTypeExtension",
                "extensionName": "Com.Contoso.Other", "depth": 3}),
            ("openTypeExtension", "") => json!({"depth": 4}),
            ("post", "singleValueExtendedProperties") => {
                json!({"id": SINGLE.replace("Color", "Other"), "value": "x"})
            }
            ("post", "multiValueExtendedProperties") => {
                json!({"id": MULTI.replace("Colors", "Others"), "value": ["x"]})
            }
            ("singleValueLegacyExtendedProperty", "") => json!({"value": "y"}),
            ("multiValueLegacyExtendedProperty", "") => json!({"value": ["y"]}),
            ("post", "mentions") => json!({"mentioned": {"address": "lin@example.org"}}),
            // Actions without parameters.
            (_, "resetUnseenCount" | "subscribeByMail" | "unsubscribeByMail" | "addFavorite")
            | (_, "removeFavorite" | "folkmoot.markRead" | "folkmoot.markUnread")
            | (_, "folkmoot.accept" | "folkmoot.decline" | "folkmoot.approve")
            | (_, "folkmoot.reject") => Value::Null,
            _ => panic!("no body is known for {} of {}", row.method, row.shape),
        }
    }
}

/// A number that no other call gets.
fn unique() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A name for a group that no other has.
pub(crate) fn nickname() -> String {
    format!("walk{}", unique())
}
