//! Who is let into a group: people ask, owners invite, and nobody learns more by it than they should.

use serde_json::{Value, json};

use crate::support::browser::{Browser, path_of};
use crate::support::{Client, Server, UNKNOWN, folkmoot};

const OUTSIDE: &str = "lin@outside.example";

/// Ada has a private group; bo is of the tenant and not in it.
struct Setup {
    server: Server,
    ada: Client,
    bo: Client,
    group: String,
}

impl Setup {
    fn new(visibility: &str) -> Setup {
        let server = Server::durable();
        let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
        let group = format!("/v1.0/groups/{}", ada.group("readers", visibility));
        Setup { server, ada, bo, group }
    }

    fn requests(&self) -> String {
        format!("{}/folkmoot.joinRequests", self.group)
    }

    fn invitations(&self) -> String {
        format!("{}/folkmoot.invitations", self.group)
    }

    fn is_member(&self, who: &Client) -> bool {
        let id = who.me();
        self.ada.all(&format!("{}/members", self.group)).iter().any(|it| it["id"] == id.as_str())
    }

    fn leave(&self, who: &Client) {
        let path = format!("{}/members/{}/$ref", self.group, who.me());
        who.delete(&path).empty(204);
    }

    fn invite(&self, whom: &Value) -> Value {
        self.ada.post(&self.invitations(), whom).created()
    }
}

const MINE: &str = "/v1.0/me/folkmoot.joinRequests";
const INVITED: &str = "/v1.0/me/folkmoot.invitations";

#[test]
fn who_asks_is_let_in_by_an_owner() {
    for visibility in ["Private", "HiddenMembership"] {
        let it = Setup::new(visibility);
        let cy = it.server.user("cy@example.org");
        let asked = it.bo.post(&it.requests(), &json!({})).created();
        let (id, bo) = (asked["id"].as_str().unwrap(), it.bo.me());
        for (name, value) in [
            ("userId", bo.as_str()),
            ("userPrincipalName", "bo@example.org"),
            ("groupDisplayName", "The readers"),
        ] {
            assert_eq!(asked[name], value, "{name}");
        }
        it.bo
            .post(&it.requests(), &json!({}))
            .refused(409, "Request_MultipleObjectsWithSameKeyValue");
        // Who asks and who is asked see it, and nobody else.
        for (client, path, seen) in [
            (&it.bo, MINE.to_owned(), 1),
            (&it.bo, it.requests(), 1),
            (&it.ada, it.requests(), 1),
            (&it.ada, format!("/v1.0/users/{bo}/folkmoot.joinRequests"), 1),
            (&it.ada, MINE.to_owned(), 0),
            (&cy, it.requests(), 0),
            (&cy, format!("/v1.0/users/{bo}/folkmoot.joinRequests"), 0),
        ] {
            assert_eq!(client.all(&path).len(), seen, "{path}");
            assert_eq!(client.get(&format!("{path}/$count")).text(), seen.to_string());
        }
        let one = format!("{}/{id}", it.requests());
        cy.get(&one).refused(404, "Request_ResourceNotFound");
        for by in [&it.bo, &cy] {
            for action in ["approve", "reject"] {
                by.post_text(&format!("{one}/folkmoot.{action}"), "")
                    .refused(403, "ErrorAccessDenied");
            }
        }
        let mine = format!("{MINE}/{id}/folkmoot.approve");
        it.bo.post_text(&mine, "").refused(403, "ErrorAccessDenied");
        it.ada.delete(&one).refused(403, "ErrorAccessDenied");
        assert!(!it.is_member(&it.bo));
        it.ada.post_text(&format!("{one}/folkmoot.approve"), "").empty(204);
        assert!(it.is_member(&it.bo));
        assert!(it.ada.all(&it.requests()).is_empty() && it.bo.all(MINE).is_empty());
        it.bo.get(&format!("{}/conversations", it.group)).ok();
        it.bo.post(&it.requests(), &json!({})).refused(400, "Request_BadRequest");
        it.ada
            .post_text(&format!("{one}/folkmoot.approve"), "")
            .refused(404, "Request_ResourceNotFound");
        // Turned down, taken back, and come in otherwise.
        it.leave(&it.bo);
        let again = it.bo.post(&it.requests(), &json!({})).id();
        let again = format!("{}/{again}/folkmoot.reject", it.requests());
        it.server.app(&["GroupMember.ReadWrite.All"]).post_text(&again, "").empty(204);
        let again = it.bo.post(&it.requests(), &json!({})).id();
        it.bo.delete(&format!("{MINE}/{again}")).empty(204);
        it.bo.post(&it.requests(), &json!({})).id();
        assert!(!it.is_member(&it.bo));
        let members = format!("{}/members/$ref", it.group);
        it.ada.post(&members, &it.server.reference("bo@example.org")).empty(204);
        assert!(it.ada.all(&it.requests()).is_empty());
        let told = it.server.number("select count(*) from tenant_feed where kind = 10");
        assert_eq!(told, 8);
        assert_eq!(it.server.check().status, Some(0));
    }
}

#[test]
fn not_everybody_asks_everywhere() {
    let it = Setup::new("Public");
    let why = it.bo.post(&it.requests(), &json!({})).refused(400, "BadRequest");
    assert!(why.contains("members/$ref"), "{why}");
    it.server.command(&["user", "add", "gast@elsewhere.example", "--guest"]);
    let private = it.ada.group("private", "Private");
    let path = format!("/v1.0/groups/{private}/folkmoot.joinRequests");
    it.server
        .user("gast@elsewhere.example")
        .post(&path, &json!({}))
        .refused(404, "Request_ResourceNotFound");
    it.server
        .app(&["Group.ReadWrite.All"])
        .post(&path, &json!({}))
        .refused(403, "ErrorAccessDenied");
    let strict = Server::with(&["--strict-graph"]);
    let ada = strict.user("ada@example.org");
    let group = ada.group("readers", "Private");
    for list in ["joinRequests", "invitations"] {
        for path in [format!("/v1.0/groups/{group}"), "/v1.0/me".to_owned()] {
            let status = ada.get(&format!("{path}/folkmoot.{list}")).status;
            assert!([400, 405, 501].contains(&status), "{path} {list}: {status}");
        }
    }
}

#[test]
fn requests_are_counted_by_user_and_by_group() {
    let server = Server::ephemeral();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let ask = |client: &Client, group: &str| {
        client.post(&format!("/v1.0/groups/{group}/folkmoot.joinRequests"), &json!({}))
    };
    let groups: Vec<_> = (0..21).map(|it| ada.group(&format!("g{it}"), "Private")).collect();
    for group in &groups[..20] {
        ask(&bo, group).created();
    }
    ask(&bo, &groups[20]).refused(400, "BadRequest");
    bo.delete(&format!("{MINE}/{}", bo.all(MINE)[0]["id"].as_str().unwrap())).empty(204);
    ask(&bo, &groups[20]).created();
    for number in 1..200 {
        ask(&server.user(&format!("u{number}@example.org")), &groups[20]).created();
    }
    ask(&server.user("late@example.org"), &groups[20]).refused(400, "BadRequest");
}

#[test]
fn an_invitation_is_answered_by_whom_it_is_for() {
    let it = Setup::new("HiddenMembership");
    let (cy, bo) = (it.server.user("cy@example.org"), it.bo.me());
    it.bo
        .post(&it.invitations(), &json!({"invitedUserId": cy.me()}))
        .refused(403, "ErrorAccessDenied");
    it.bo.get(&it.invitations()).refused(403, "ErrorAccessDenied");
    for whom in [
        json!({}),
        json!({"invitedUserId": bo, "invitedUserEmailAddress": OUTSIDE}),
        json!({"invitedUserEmailAddress": "nobody"}),
        json!({"invitedUserEmailAddress": format!("{}@x.example", "x".repeat(250))}),
        json!({"invitedUserEmailAddress": "cy@LOCALHOST"}),
    ] {
        let status = it.ada.post(&it.invitations(), &whom).status;
        assert_eq!(status, 400, "{whom}");
    }
    let unknown = json!({"invitedUserId": UNKNOWN});
    it.ada.post(&it.invitations(), &unknown).refused(404, "Request_ResourceNotFound");
    let made = it.invite(&json!({"invitedUserId": "BO@example.org"}));
    assert_eq!(made["invitedUserId"], bo.as_str());
    assert_eq!(made["inviteRedeemUrl"], Value::Null);
    it.ada
        .post(&it.invitations(), &json!({"invitedUserId": bo}))
        .refused(409, "Request_MultipleObjectsWithSameKeyValue");
    let id = made["id"].as_str().unwrap();
    let seen = it.bo.all(INVITED);
    assert_eq!((seen.len(), &seen[0]["groupDisplayName"]), (1, &json!("The readers")));
    assert!(
        cy.all(INVITED).is_empty()
            && cy.all(&format!("/v1.0/users/{bo}/folkmoot.invitations")).is_empty()
    );
    let (accept, decline) =
        (format!("{INVITED}/{id}/folkmoot.accept"), format!("{INVITED}/{id}/folkmoot.decline"));
    cy.post_text(&accept, "").refused(404, "Request_ResourceNotFound");
    it.ada
        .post_text(&format!("{}/{id}/folkmoot.accept", it.invitations()), "")
        .refused(403, "ErrorAccessDenied");
    it.bo.delete(&format!("{INVITED}/{id}")).refused(403, "ErrorAccessDenied");
    it.bo.post_text(&decline, "").empty(204);
    assert!(it.bo.all(INVITED).is_empty() && !it.is_member(&it.bo));
    // Revoked, and too old, it is good for nothing.
    let whom = json!({"invitedUserId": bo});
    let accept = |made: &Value| {
        it.bo.post_text(&format!("{INVITED}/{}/folkmoot.accept", made["id"].as_str().unwrap()), "")
    };
    let revoked = it.invite(&whom);
    let path = format!("{}/{}", it.invitations(), revoked["id"].as_str().unwrap());
    it.ada.delete(&path).empty(204);
    accept(&revoked).refused(404, "Request_ResourceNotFound");
    let old = it.invite(&whom);
    it.server.change("update group_invitations set expires_at = 1");
    accept(&old).refused(404, "Request_ResourceNotFound");
    it.server.change("delete from group_invitations");
    // It stands with its maker.
    let owners = format!("{}/owners", it.group);
    it.ada.post(&format!("{owners}/$ref"), &it.server.reference("cy@example.org")).empty(204);
    let of_ada = it.invite(&whom);
    cy.delete(&format!("{owners}/{}/$ref", it.ada.me())).empty(204);
    accept(&of_ada).refused(404, "Request_ResourceNotFound");
    cy.post(&format!("{owners}/$ref"), &it.server.reference("ada@example.org")).empty(204);
    accept(&of_ada).empty(204);
    assert!(it.is_member(&it.bo));
    it.ada.post(&it.invitations(), &whom).refused(400, "Request_BadRequest");
    assert_eq!(it.server.check().status, Some(0));
}

#[test]
fn a_link_lets_a_guest_in_once() {
    let it = Setup::new("Private");
    let made = it.invite(&json!({"invitedUserEmailAddress": OUTSIDE}));
    let link = made["inviteRedeemUrl"].as_str().unwrap().to_owned();
    let secret = link.split_once("/invitation?code=").unwrap().1;
    // It is told this once.
    let id = made["id"].as_str().unwrap();
    for path in [it.invitations(), format!("{}/{id}?$select=inviteRedeemUrl", it.invitations())] {
        assert!(!it.ada.get(&path).text().contains(secret), "{path}");
    }
    let browser = Browser::new(&it.server);
    // Looking uses nothing up.
    for _ in 0..2 {
        let page = browser.get(path_of(&link));
        assert!(page.status == 200 && page.text().contains("The readers"), "{}", page.text());
    }
    // Not from a page of another site.
    let forged = browser.post("/invitation", &[("code", secret), ("word", "x")]);
    assert_eq!(forged.status, 403);
    let done = browser.submit(&browser.get(path_of(&link)), &[]);
    assert_eq!((done.status, done.header("Location")), (303, Some("/sign-in")));
    let page = browser.get("/sign-in").text();
    assert!(page.contains("lin.") && page.contains("@outside.example"), "{page}");
    let again = Browser::new(&it.server).get(path_of(&link));
    assert_eq!(again.status, 404, "{}", again.text());
    let members = it.ada.all(&format!("{}/members?$select=id,mail,userPrincipalName", it.group));
    let lin = members.iter().find(|it| it["mail"] == OUTSIDE).unwrap();
    let path = format!("/v1.0/users/{}?$select=userType", lin["id"].as_str().unwrap());
    assert_eq!(it.ada.get(&path).ok()["userType"], "Guest");
    assert!(it.ada.all(&it.invitations()).is_empty());
    // Whatever the address: an owner makes no members of the tenant.
    let made = it.invite(&json!({"invitedUserEmailAddress": "boss@outside.example"}));
    it.server.change("update group_invitations set address = 'boss@localhost'");
    let browser = Browser::new(&it.server);
    let link = made["inviteRedeemUrl"].as_str().unwrap();
    assert_eq!(browser.submit(&browser.get(path_of(link)), &[]).status, 303);
    let found = it
        .ada
        .all("/v1.0/users?$filter=mail%20eq%20'boss@localhost'&$select=userType,userPrincipalName");
    assert_eq!((found.len(), &found[0]["userType"]), (1, &json!("Guest")));
    assert_ne!(found[0]["userPrincipalName"], "boss@localhost");
    assert_eq!(it.server.check().status, Some(0));
}

/// The owner has the link too, so it opens nobody's account, and tells of nobody.
#[test]
fn a_link_opens_no_account_that_is_there() {
    let it = Setup::new("Private");
    it.server.command(&["user", "add", OUTSIDE]);
    let [there, missing] = [OUTSIDE, "lou@outside.example"].map(|address| {
        let made = it.ada.post(&it.invitations(), &json!({"invitedUserEmailAddress": address}));
        let json = made.created();
        let names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        (json["inviteRedeemUrl"].as_str().unwrap().to_owned(), names, json["invitedUserId"].clone())
    });
    assert_eq!((&there.1, &there.2), (&missing.1, &missing.2));
    let page = |link: &str, address: &str| {
        let browser = Browser::new(&it.server);
        let text = browser.get(path_of(link)).text().replace(address, "*");
        let code = link.split_once("code=").unwrap().1;
        let word = text.split("name=\"word\" value=\"").nth(1).unwrap();
        let word = word.split('"').next().unwrap().to_owned();
        text.replace(code, "*").replace(&word, "*")
    };
    assert_eq!(page(&there.0, OUTSIDE), page(&missing.0, "lou@outside.example"));
    let browser = Browser::new(&it.server);
    browser.submit(&browser.get(path_of(&there.0)), &[]);
    let count = "select count(*) from users where mail = 'lin@outside.example'";
    assert_eq!(it.server.number(count), 2);
    let opened = browser.get("/sign-in").text();
    assert!(opened.contains("lin.") && !opened.contains("lin@"), "{opened}");
    // Who has signed in joins as who they are.
    let link = it.invite(&json!({"invitedUserEmailAddress": "any@outside.example"}));
    let link = link["inviteRedeemUrl"].as_str().unwrap().to_owned();
    let browser = Browser::new(&it.server);
    let before = browser.get(path_of(&link));
    browser.sign_in("bo@example.org");
    // The form of a page that was made for somebody else does nothing.
    let stale = browser.submit(&before, &[]);
    assert!(stale.status == 200 && stale.text().contains("bo@example.org"), "{}", stale.text());
    assert!(!it.is_member(&it.bo));
    assert_eq!(browser.submit(&stale, &[]).status, 303);
    assert!(it.is_member(&it.bo));
}

#[test]
fn operators_invite_and_answer() {
    let it = Setup::new("Private");
    let command =
        |args: &[&str]| it.server.command(&[&["group"], args, &["--group", "readers"]].concat());
    // Of the tenant's own domain: a member. Of another: a guest.
    for (address, kind) in [("dee@localhost", "Member"), (OUTSIDE, "Guest")] {
        let link = command(&["invite", address]);
        let browser = Browser::new(&it.server);
        assert_eq!(browser.submit(&browser.get(path_of(&link)), &[]).status, 303);
        let filter = format!("{}/members?$select=userType,mail&$top=99", it.group);
        let members = it.ada.all(&filter);
        let found = members.iter().find(|it| it["mail"] == address).unwrap();
        assert_eq!(found["userType"], kind);
    }
    let id = command(&["invite", "bo@example.org"]);
    assert_eq!(it.bo.all(INVITED)[0]["id"], id.as_str());
    it.bo.post_text(&format!("{INVITED}/{id}/folkmoot.accept"), "").empty(204);
    it.leave(&it.bo);
    assert_eq!(command(&["requests"]), "");
    for (word, member) in [("reject", false), ("approve", true)] {
        let request = it.bo.post(&it.requests(), &json!({})).id();
        let line = command(&["requests"]);
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields[..2], [request.as_str(), "bo@example.org"]);
        assert_eq!(command(&[word, "bo@example.org"]), it.bo.me());
        assert_eq!(it.is_member(&it.bo), member);
    }
    let done =
        folkmoot(&["group", "approve", "--group", "readers", "bo@example.org"], &it.server.data);
    assert!(done.status == Some(1) && done.stderr.contains("does not ask"), "{}", done.stderr);
    let done = folkmoot(&["group", "requests", "--group", "nothing"], &it.server.data);
    assert!(done.status == Some(1) && done.stderr.contains("nothing"), "{}", done.stderr);
}

#[test]
fn open_invitations_are_counted_and_forgotten() {
    let it = Setup::new("Private");
    for number in 0..200 {
        let address = format!("x{number}@outside.example");
        it.invite(&json!({"invitedUserEmailAddress": address}));
    }
    let one_more = json!({"invitedUserEmailAddress": OUTSIDE});
    it.ada.post(&it.invitations(), &one_more).refused(400, "BadRequest");
    it.server.change("update group_invitations set expires_at = 1");
    let server = it.server.kill_and_restart();
    let ada = it.ada.at(&server);
    // The first thing that a server does is to tidy up.
    let invitations = format!("{}/folkmoot.invitations", it.group);
    while !ada.all(&invitations).is_empty() {
        std::thread::yield_now();
    }
    ada.post(&invitations, &one_more).created();
}
