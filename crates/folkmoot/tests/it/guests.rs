//! Guests: of a tenant they see what they belong to, and of that no less than others.

use serde_json::{Value, json};

use crate::support::{Client, Server};

const GUEST: &str = "gast@elsewhere.example";

/// Ada has groups of each kind, of some of which a guest is a member; cy is in those that they are not in.
struct Setup {
    server: Server,
    ada: Client,
    cy: Client,
    guest: Client,
    /// What the guest is in: a private group, and one with hidden members.
    joined: [String; 2],
    /// What they are not in: a public, a private and a hidden one.
    others: [String; 3],
}

impl Setup {
    fn new() -> Setup {
        let server = Server::durable();
        let guest = server.command(&["user", "add", GUEST, "--guest"]);
        let (ada, cy) = (server.user("ada@example.org"), server.user("cy@example.org"));
        let group = |name: &str, visibility: &str, member: &str| {
            let group = ada.group(name, visibility);
            let members = format!("/v1.0/groups/{group}/members/$ref");
            ada.post(&members, &server.reference(member)).empty(204);
            group
        };
        let guest_id = guest.trim();
        let joined = [
            group("joined", "Private", guest_id),
            group("joined-hidden", "HiddenMembership", guest_id),
        ];
        let others = ["Public", "Private", "HiddenMembership"]
            .map(|it| group(&format!("other-{}", it.to_lowercase()), it, "cy@example.org"));
        let guest = server.user(GUEST);
        Setup { server, ada, cy, guest, joined, others }
    }
}

fn ids(items: &[Value]) -> Vec<String> {
    let mut ids: Vec<_> = items.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(items: &[&String]) -> Vec<String> {
    let mut items: Vec<_> = items.iter().map(|it| (*it).clone()).collect();
    items.sort();
    items
}

#[test]
fn lists_counts_and_conditions_show_what_a_guest_belongs_to() {
    let it = Setup::new();
    let (ada, cy, me) = (it.ada.me(), it.cy.me(), it.guest.me());
    let groups = sorted(&it.joined.iter().collect::<Vec<_>>());
    let people = sorted(&[&ada, &me]);
    let all = |path: &str| ids(&it.guest.all(&format!("/v1.0{path}")));
    let of_groups = [
        "/groups",
        "/groups?$expand=members,owners",
        "/groups?$filter=startswith(displayName,'The')",
        "/groups?$filter=startswith(displayName,'The')%20or%20visibility%20eq%20'Public'",
        "/groups?$search=%22displayName:The%22",
        "/groups?$orderby=displayName&$top=1",
        "/me/memberOf",
        "/me/transitiveMemberOf",
        "/me/joinedTeams",
    ];
    for path in of_groups {
        assert_eq!(all(path), groups, "{path}");
    }
    for path in [
        "/users",
        "/users?$expand=memberOf",
        "/users?$filter=startswith(userPrincipalName,'c')%20or%20mail%20ne%20'x'",
        "/users?$filter=memberOf/any(g:startswith(g/displayName,'The'))",
        "/users?$orderby=displayName&$top=1",
        &format!("/groups/{}/members", it.joined[0]),
        &format!("/groups/{}/members", it.joined[1]),
    ] {
        assert_eq!(all(path), people, "{path}");
    }
    let owned = format!("/users/{ada}/ownedObjects");
    assert_eq!((all(&owned), all(&format!("/users/{ada}/memberOf"))), (groups.clone(), groups));
    for (path, count) in [
        ("/groups/$count", "2"),
        ("/users/$count", "2"),
        ("/users/$count?$filter=startswith(displayName,'cy')", "0"),
        ("/groups/$count?$filter=members/any(m:m/displayName%20eq%20'cy')", "0"),
        ("/groups/$count?$filter=startswith(displayName,'The%20other')", "0"),
        (&format!("/users/{ada}/ownedObjects/$count"), "2"),
        (&format!("/users/{ada}/memberOf/$count"), "2"),
    ] {
        assert_eq!(it.guest.get(&format!("/v1.0{path}")).text(), count, "{path}");
    }
    // What is expanded and what is walked through ends at the same border.
    let expanded = "/v1.0/users?$expand=memberOf($expand=members),ownedObjects($expand=threads)";
    let text = it.guest.get(expanded).text();
    assert!(it.others.iter().chain([&cy]).all(|it| !text.contains(it)), "{text}");
    // By id, of whichever set.
    let everything: Vec<_> =
        it.joined.iter().chain(&it.others).chain([&ada, &cy, &me]).cloned().collect();
    let seen = sorted(&[&it.joined[0], &it.joined[1], &ada, &me]);
    for set in ["directoryObjects", "groups", "users"] {
        let found = it.guest.post(&format!("/v1.0/{set}/getByIds"), &json!({"ids": everything}));
        assert_eq!(ids(found.ok()["value"].as_array().unwrap()), seen, "{set}");
    }
    for id in it.others.iter().chain([&cy]) {
        for set in ["groups", "users", "directoryObjects"] {
            let path = format!("/v1.0/{set}/{id}");
            it.guest.get(&path).refused(404, "Request_ResourceNotFound");
            let batch = json!({"requests": [{"id": "1", "method": "GET", "url": path}]});
            let answer = it.guest.post("/v1.0/$batch", &batch).ok();
            assert_eq!(answer["responses"][0]["status"], 404, "{path}");
        }
    }
    // Others see guests, and as what.
    let shown = it.ada.get(&format!("/v1.0/users/{me}?$select=userType,accountEnabled")).ok();
    assert_eq!((&shown["userType"], &shown["accountEnabled"]), (&json!("Guest"), &json!(true)));
    assert_eq!(it.ada.all("/v1.0/users?$filter=userType%20eq%20'guest'").len(), 1);
    assert_eq!(it.ada.all("/v1.0/users?$filter=userType%20eq%20'Member'").len(), 2);
}

#[test]
fn a_guest_is_a_member_where_they_are_one() {
    let it = Setup::new();
    let group = &it.joined[0];
    let [_, thread, post] = it.guest.talk(group, "hello", "from elsewhere");
    let read = format!("/v1.0/groups/{group}/threads/{thread}/posts/{post}");
    assert_eq!(it.guest.get(&read).ok()["from"]["emailAddress"]["address"], GUEST);
    it.ada.get(&read).ok();
    // Lists of senders bind them as they bind others.
    let senders = format!("/v1.0/groups/{group}/rejectedSenders");
    it.ada.post(&format!("{senders}/$ref"), &it.server.principal(&it.guest.me())).empty(204);
    let path = format!("/v1.0/groups/{group}/conversations");
    let talk = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": "x"}}]}]});
    it.guest.post(&path, &talk).refused(403, "ErrorAccessDenied");
    it.ada.delete(&format!("{senders}/{}/$ref", it.guest.me())).empty(204);
    // They are of the group, so what it takes from outside does not matter.
    let setting = json!({"allowExternalSenders": false});
    it.ada.patch(&format!("/v1.0/groups/{group}"), &setting).empty(204);
    it.guest.post(&path, &talk).created();
    // They join nothing by themself, make no group, and are out once they are taken out.
    it.guest
        .post(&format!("/v1.0/groups/{}/members/$ref", it.others[0]), &it.server.reference(GUEST))
        .refused(404, "Request_ResourceNotFound");
    let made = json!({"displayName": "Mine", "mailNickname": "mine", "groupTypes": ["Unified"],
        "mailEnabled": true, "securityEnabled": false});
    it.guest.post("/v1.0/groups", &made).refused(403, "ErrorAccessDenied");
    let members = format!("/v1.0/groups/{group}/members/{}/$ref", it.guest.me());
    it.ada.delete(&members).empty(204);
    it.guest.get(&read).refused(404, "Request_ResourceNotFound");
    it.guest.post(&path, &talk).refused(404, "Request_ResourceNotFound");
    // Ada is still known by the other group; once that is gone too, they are alone.
    assert_eq!(it.guest.all("/v1.0/users").len(), 2);
    it.ada.delete(&format!("/v1.0/groups/{}", it.joined[1])).empty(204);
    assert_eq!(ids(&it.guest.all("/v1.0/users")), [it.guest.me()]);
    assert!(it.guest.all("/v1.0/groups").is_empty());
}

/// An owner who is a guest manages their group, with those whom they know.
#[test]
fn a_guest_who_is_an_owner_knows_no_more_people() {
    let it = Setup::new();
    let group = &it.joined[0];
    let path = format!("/v1.0/groups/{group}");
    let me = it.server.principal(&it.guest.me());
    it.ada.post(&format!("{path}/owners/$ref"), &me).empty(204);
    it.guest.patch(&path, &json!({"description": "run by a guest"})).empty(204);
    let cy = it.cy.me();
    let unknown = crate::support::UNKNOWN;
    for list in ["members", "owners", "acceptedSenders", "rejectedSenders"] {
        let add = format!("{path}/{list}/$ref");
        for set in ["users", "directoryObjects"] {
            let named = |id: &str| json!({"@odata.id": format!("https://x/v1.0/{set}/{id}")});
            let there = it.guest.post(&add, &named(&cy));
            let missing = it.guest.post(&add, &named(unknown));
            let there = there.refused(404, "Request_ResourceNotFound").replace(&cy, unknown);
            assert_eq!(there, missing.refused(404, "Request_ResourceNotFound"));
        }
        it.guest
            .post(&add, &it.server.reference("cy@example.org"))
            .refused(404, "Request_ResourceNotFound");
    }
    let other = json!({"@odata.id": format!("https://x/v1.0/groups/{}", it.others[0])});
    it.guest
        .post(&format!("{path}/acceptedSenders/$ref"), &other)
        .refused(404, "Request_ResourceNotFound");
    let bound = json!({"members@odata.bind": [format!("https://x/v1.0/users/{cy}")]});
    it.guest.patch(&path, &bound).refused(404, "Request_ResourceNotFound");
    it.guest.delete(&format!("{path}/owners/{}/$ref", it.ada.me())).empty(204);
}

#[test]
fn a_type_changes_what_is_seen_at_once() {
    let it = Setup::new();
    assert_eq!(it.cy.all("/v1.0/groups").len(), 5);
    it.server.command(&["user", "type", "cy@example.org", "--is", "Guest"]);
    assert_eq!(it.cy.all("/v1.0/groups").len(), 3);
    it.server.command(&["user", "type", "cy@example.org", "--is", "Member"]);
    assert_eq!(it.cy.all("/v1.0/groups").len(), 5);
    let list = it.server.command(&["user", "list"]);
    let guest = list.lines().find(|it| it.contains(GUEST)).unwrap();
    assert!(guest.ends_with("\tenabled\tGuest\tno password"), "{list}");
}

#[test]
fn whether_an_account_is_enabled_is_told_truly() {
    let it = Setup::new();
    let cy = it.cy.me();
    let enabled =
        |path: &str| it.ada.get(&format!("/v1.0/{path}")).ok()["accountEnabled"].as_bool().unwrap();
    let users = |filter: &str| {
        let filter = filter.replace(' ', "%20");
        it.ada.all(&format!("/v1.0/users?$filter={filter}")).len()
    };
    for (command, is) in [("disable", false), ("enable", true)] {
        it.server.command(&["user", command, "cy@example.org"]);
        assert_eq!(enabled(&format!("users/{cy}?$select=accountEnabled")), is);
        assert_eq!(enabled(&format!("directoryObjects/{cy}")), is);
        let off = usize::from(!is);
        assert_eq!(users("accountEnabled eq false"), off);
        assert_eq!(users("not accountEnabled"), off);
        assert_eq!(users("accountEnabled"), 3 - off);
        assert_eq!(users("accountEnabled ne true"), off);
    }
}
