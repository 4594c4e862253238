//! Who walks, and where: a server with two tenants, people in every relation to a group, and groups of every
//! visibility with something of each kind in them.

use serde_json::{Value, json};

use super::mint::{Mint, claims};
use super::recipe::{EXTENSION, MULTI, Row, SINGLE, Spot, nickname, rows};
use crate::support::{Client, Server};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    // Whom the door refuses.
    Nobody,
    Expired,
    WrongAudience,
    UnknownTenant,
    Disabled,
    Personal,
    NoScope,
    AppWithoutRole,
    // Who gets in.
    App,
    /// Of another tenant.
    Stranger,
    /// Of the tenant, and not of the group.
    Outsider,
    Member,
    /// A member who has written what it is about.
    Author,
    /// Who has written it, and is no member any more.
    Former,
    /// A member who has written it, and may not post any more.
    Rejected,
    Owner,
    /// Of the tenant as a guest, and not of the group.
    Guest,
    /// A guest who is a member.
    GuestMember,
}

impl Who {
    pub(crate) const ALL: [Who; 18] = [
        Who::Nobody,
        Who::Expired,
        Who::WrongAudience,
        Who::UnknownTenant,
        Who::Disabled,
        Who::Personal,
        Who::NoScope,
        Who::AppWithoutRole,
        Who::App,
        Who::Stranger,
        Who::Outsider,
        Who::Member,
        Who::Author,
        Who::Former,
        Who::Rejected,
        Who::Owner,
        Who::Guest,
        Who::GuestMember,
    ];

    /// Whether they are on the list of members, and of owners.
    pub(crate) fn is_on(self, list: &str) -> bool {
        match list {
            "owners" => self == Who::Owner,
            _ => [Who::Member, Who::Author, Who::Rejected, Who::Owner, Who::GuestMember]
                .contains(&self),
        }
    }

    /// Whether they are a guest of the tenant.
    pub(crate) fn is_guest(self) -> bool {
        [Who::Guest, Who::GuestMember].contains(&self)
    }

    /// Whether they have written what it is about.
    pub(crate) fn wrote(self) -> bool {
        [Who::Author, Who::Former, Who::Rejected].contains(&self)
    }
}

/// A server and those who call it.
pub(crate) struct Stage {
    pub(crate) server: Server,
    pub(crate) mint: Mint,
    callers: Vec<Client>,
    /// A second owner of every group, and a member.
    second: String,
    pub(crate) spare: String,
    /// Asks to be let in.
    asker: Client,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::on(Server::with_two_tenants())
    }

    /// On a server with two tenants, and a user of the second one.
    pub(crate) fn on((server, _, eve): (Server, Client, Client)) -> Stage {
        let mint = Mint::of(&server, &eve);
        let all = permissions();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let person = |name: &str| mint.with(&server.user(&format!("{name}@example.org")), &all);
        let app = mint.with(&server.app(&[]), &all);
        let (outsider, disabled) = (person("outsider"), person("disabled"));
        let caller = |who: Who| match who {
            Who::Nobody => server.anonymous(),
            Who::Expired => mint.change(&outsider, |it| it["exp"] = json!(it_is(it, "nbf") + 1)),
            Who::WrongAudience => {
                mint.change(&outsider, |it| it["aud"] = json!("https://api.example.org"))
            }
            Who::UnknownTenant => in_tenant(&mint, &outsider, crate::support::UNKNOWN),
            Who::Personal => in_tenant(&mint, &outsider, "9188040d-6c67-4c5b-b112-36a304b66dad"),
            Who::NoScope => mint.with(&outsider, &[]),
            Who::AppWithoutRole => mint.with(&app, &[]),
            Who::App => app.clone(),
            Who::Stranger => mint.with(&eve, &all),
            Who::Outsider => outsider.clone(),
            Who::Disabled => disabled.clone(),
            Who::Member => person("member"),
            Who::Author => person("author"),
            Who::Former => person("former"),
            Who::Rejected => person("rejected"),
            Who::Owner => person("owner"),
            Who::Guest => person("guest"),
            Who::GuestMember => person("guest.member"),
        };
        let callers = Who::ALL.map(caller).to_vec();
        let id = |name: &str| person(name).me();
        let (second, spare) = (id("second"), id("spare"));
        server.change("update users set disabled = true where mail = 'disabled@example.org'");
        for guest in ["guest", "guest.member"] {
            let name = format!("{guest}@example.org");
            server.command(&["user", "type", &name, "--is", "Guest"]);
        }
        let asker = person("asker");
        let stage = Stage { server, mint, callers, second, spare, asker };
        // Whoever the walk is about is known to the guest who is a member.
        let group = stage.group("Private");
        let spare = stage.server.principal(&stage.spare);
        let members = format!("/v1.0{group}/members/$ref");
        stage.client(Who::Owner).post(&members, &spare).empty(204);
        stage
    }

    pub(crate) fn client(&self, who: Who) -> &Client {
        &self.callers[who as usize]
    }

    /// The id of the calling user.
    pub(crate) fn id(&self, who: Who) -> String {
        claims(self.client(who))["oid"].as_str().unwrap().to_owned()
    }

    /// A group with the people who belong to it; its address.
    pub(crate) fn group(&self, visibility: &str) -> String {
        let bind = |id: &String| format!("https://x/v1.0/users/{id}");
        let members = [Who::Member, Who::Author, Who::Former, Who::Rejected, Who::GuestMember];
        let members = members.map(|it| self.id(it));
        let members: Vec<_> = members.iter().chain([&self.second]).map(bind).collect();
        let nickname = nickname();
        let made = json!({"displayName": nickname, "mailNickname": nickname,
            "groupTypes": ["Unified"], "mailEnabled": true, "securityEnabled": false,
            "visibility": visibility, "members@odata.bind": members,
            "owners@odata.bind": [bind(&self.second)]});
        format!("/groups/{}", self.client(Who::Owner).post("/v1.0/groups", &made).id())
    }

    /// Takes the one who leaves out of a group, and the one out who is not to post there.
    pub(crate) fn part(&self, group: &str) {
        let owner = self.client(Who::Owner);
        let former = self.id(Who::Former);
        owner.delete(&format!("/v1.0{group}/members/{former}/$ref")).empty(204);
        let rejected = self.server.principal(&self.id(Who::Rejected));
        owner.post(&format!("/v1.0{group}/rejectedSenders/$ref"), &rejected).empty(204);
    }

    /// Something of each kind in a group, all of it written by one.
    pub(crate) fn talk(&self, group: &str, author: Who) -> Spot {
        let client = self.client(author);
        let body = json!({"contentType": "text", "content": "said"});
        let talk = json!({"topic": "Walk", "threads": [{"posts": [{"body": body}]}]});
        let made = client.post(&format!("/v1.0{group}/conversations"), &talk).created();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        let thread = text(&made["threads"][0]["id"]);
        let posts = format!("{group}/threads/{thread}/posts");
        let reply = json!({"post": {"body": body,
            "attachments": [{"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt",
                "contentBytes": "aGVsbG8="}],
            "extensions": [{"@odata.type": "microsoft.graph.openTypeExtension",
                "extensionName": EXTENSION, "depth": 1}],
            "singleValueExtendedProperties": [{"id": SINGLE, "value": "red"}],
            "multiValueExtendedProperties": [{"id": MULTI, "value": ["red"]}],
            "mentions": [{"mentioned": {"address": "lin@example.org"}}]}});
        let first = text(&made["threads"][0]["posts"][0]["id"]);
        let replied = client.post(&format!("/beta{posts}/{first}/reply"), &reply);
        replied.empty(202);
        let post = text(&json!(replied.header("Location").unwrap().rsplit('/').next().unwrap()));
        let shown = client.get(&format!("/beta{posts}/{post}?$expand=attachments,mentions")).ok();
        Spot {
            group: group.to_owned(),
            conversation: text(&made["id"]),
            thread,
            post,
            attachment: text(&shown["attachments"][0]["id"]),
            extension: EXTENSION.to_owned(),
            single: SINGLE.to_owned(),
            multi: MULTI.to_owned(),
            mention: text(&shown["mentions"][0]["id"]),
            version: String::new(),
            entry: String::new(),
            person: self.spare.clone(),
            invitation: crate::support::UNKNOWN.to_owned(),
            request: crate::support::UNKNOWN.to_owned(),
        }
    }

    /// Has somebody ask to be let into the group of a spot, and somebody be invited.
    pub(crate) fn ask(&self, spot: &mut Spot, visibility: &str) {
        let owner = self.client(Who::Owner);
        let group = format!("/v1.0{}", spot.group);
        // Who may join by themself does not ask; a group that is public has been asked before.
        owner.patch(&group, &json!({"visibility": "Private"})).empty(204);
        let asked = self.asker.post(&format!("{group}/folkmoot.joinRequests"), &json!({}));
        spot.request = asked.id();
        owner.patch(&group, &json!({"visibility": visibility})).empty(204);
        let invited = json!({"invitedUserId": self.spare});
        spot.invitation = owner.post(&format!("{group}/folkmoot.invitations"), &invited).id();
    }

    /// Edits the post of a spot, so that there is an earlier state of it.
    pub(crate) fn edit(&self, spot: &mut Spot, author: Who) {
        let post = format!("/v1.0{}/threads/{}/posts/{}", spot.group, spot.thread, spot.post);
        let body = json!({"body": {"content": "said otherwise"}});
        assert_eq!(self.client(author).patch(&post, &body).status, 200);
        let history = format!("{post}/folkmoot.history");
        let history = self.client(Who::Owner).get(&history).ok();
        spot.version = history["value"][0]["id"].as_str().unwrap().to_owned();
        let entries = self.client(Who::Owner).get(&format!("/v1.0{}/folkmoot.audit", spot.group));
        spot.entry = entries.ok()["value"][0]["id"].as_str().unwrap().to_owned();
    }
}

fn it_is(claims: &Value, name: &str) -> i64 {
    claims[name].as_i64().unwrap() - 60
}

/// The token of a client as another tenant would have it.
fn in_tenant(mint: &Mint, client: &Client, tenant: &str) -> Client {
    mint.change(client, |claims| {
        let own = claims["tid"].as_str().unwrap().to_owned();
        let issuer = claims["iss"].as_str().unwrap().replace(&own, tenant);
        (claims["iss"], claims["tid"]) = (json!(issuer), json!(tenant));
    })
}

/// Every permission that any operation asks for.
pub(crate) fn permissions() -> Vec<String> {
    let of = |it: Row| [it.delegated, it.application].concat();
    let mut all: Vec<_> = rows().into_iter().flat_map(of).collect();
    all.sort();
    all.dedup();
    all
}
