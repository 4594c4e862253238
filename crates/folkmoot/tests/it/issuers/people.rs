//! Who the users of other issuers are here, and which groups they are in.

use serde_json::{Value, json};

use super::{with, world};
use crate::support::other_issuer::{Issuer, SignKey, now};
use crate::support::{Client, Server};

#[test]
fn who_is_seen_first_is_made_and_stays_the_same() {
    let (server, issuer, key) = world("");
    let mut claims = issuer.claims("f3a1");
    for (name, value) in [
        ("name", "Ada Lovelace"),
        ("preferred_username", "ada@example.org"),
        ("email", "a@b.example"),
    ] {
        claims[name] = json!(value);
    }
    let ada = server.bearer(key.sign(&claims));
    let me = ada.get("/v1.0/me").ok();
    assert_eq!(me["displayName"], "Ada Lovelace");
    assert_eq!(me["userPrincipalName"], "ada@example.org");
    assert_eq!(me["mail"], "a@b.example");
    // Others see them, and can add them.
    let bo = server.user("bo@example.org");
    let group = bo.group("readers", "Private");
    let members = format!("/v1.0/groups/{group}/members");
    ada.get(&format!("/v1.0/groups/{group}/conversations")).refused(403, "ErrorAccessDenied");
    bo.post(&format!("{members}/$ref"), &server.reference("ada@example.org")).empty(204);
    ada.get(&format!("/v1.0/groups/{group}/conversations")).ok();
    // Names change, people do not; what is not newer tells nothing.
    for (name, value) in [("name", "Ada King"), ("preferred_username", "ada.king@example.org")] {
        claims[name] = json!(value);
    }
    assert_eq!(server.bearer(key.sign(&claims)).get("/v1.0/me").ok(), me);
    claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 100);
    assert_eq!(server.bearer(key.sign(&claims)).get("/v1.0/me").ok(), me);
    let config = server.data.join("folkmoot.toml");
    let server = server.kill_and_restart_with(&["--config", config.to_str().unwrap()]);
    claims["iat"] = json!(now() - 1_000);
    let again = server.bearer(key.sign(&claims));
    let found = again.get("/v1.0/me").ok();
    for name in ["id", "displayName", "mail", "userPrincipalName"] {
        assert_eq!(found[name], me[name]);
    }
    assert_eq!(again.all(&format!("/v1.0/groups/{group}/members")).len(), 2);
}

#[test]
fn an_issuers_users_are_guests_where_that_is_said() {
    let (server, issuer, key) = world("user_type = \"Guest\"");
    let ada = server.user("ada@example.org");
    ada.group("open", "Public");
    let at = |seconds: i64| with(issuer.claims("bo"), "iat", json!(now() - seconds));
    let bo = server.bearer(key.sign(&at(300)));
    assert_eq!(bo.get("/v1.0/me?$select=userType").ok()["userType"], "Guest");
    assert!(bo.all("/v1.0/groups").is_empty());
    assert_eq!(bo.all("/v1.0/users").len(), 1);
    // An operator's word stands, whatever newer tokens bring.
    server.command(&["user", "type", &bo.me(), "--is", "Member"]);
    let again = server.bearer(key.sign(&with(at(200), "name", json!("Bo"))));
    assert_eq!(again.get("/v1.0/me").ok()["displayName"], "Bo");
    assert_eq!(again.all("/v1.0/groups").len(), 1);
}

#[test]
fn a_newer_token_brings_a_new_name() {
    let (server, issuer, key) = world("");
    let at = |seconds: i64, name: &str| {
        let claims = with(issuer.claims("ada"), "name", json!(name));
        key.sign(&with(claims, "iat", json!(now() - seconds)))
    };
    let name = |token: String| server.bearer(token).get("/v1.0/me").ok()["displayName"].clone();
    assert_eq!(name(at(300, "Ada Lovelace")), "Ada Lovelace");
    let newer = at(200, "Ada King");
    assert_eq!(name(newer.clone()), "Ada King");
    assert_eq!(name(at(250, "Ada Lovelace")), "Ada King");
    assert_eq!(name(newer), "Ada King");
    assert_eq!(server.number("select count(*) from users"), 1);
}

#[test]
fn the_same_address_at_two_issuers_is_two_people() {
    let key = SignKey::es256("first");
    let (one, two) = (Issuer::start(&[&key]), Issuer::start(&[&key]));
    let server = Server::configured(&[one.section(""), two.section("")].concat());
    // One who was there before any of them.
    let local = server.user("ada@example.org");
    let group = local.group("readers", "Private");
    let called = |issuer: &Issuer, sub: &str| {
        let claims = with(issuer.claims(sub), "preferred_username", json!("ada@example.org"));
        let claims = with(claims, "email_verified", json!(true));
        server.bearer(key.sign(&with(claims, "email", json!("ADA@example.org"))))
    };
    let people = [called(&one, "1"), called(&two, "1"), called(&one, "2"), local];
    let shown: Vec<_> = people.iter().map(|it| it.get("/v1.0/me").ok()).collect();
    for (at, me) in shown.iter().enumerate() {
        for other in &shown[..at] {
            assert_ne!(me["id"], other["id"]);
            assert_ne!(me["userPrincipalName"], other["userPrincipalName"]);
        }
        let name = me["userPrincipalName"].as_str().unwrap();
        assert!(name.starts_with("ada") && name.ends_with("@example.org"), "{name}");
    }
    for stranger in &people[..3] {
        let path = format!("/v1.0/groups/{group}/conversations");
        stranger.get(&path).refused(403, "ErrorAccessDenied");
    }
}

#[test]
fn names_that_cannot_be_kept_are_not() {
    let (server, issuer, key) = world("");
    let long = "x".repeat(400);
    for (number, (name, value)) in [
        ("preferred_username", json!("ada")),
        ("preferred_username", json!("ada lovelace")),
        ("preferred_username", json!("")),
        ("preferred_username", json!("@")),
        ("preferred_username", json!("a@b@c")),
        ("preferred_username", json!("../groups/x@example.org")),
        ("preferred_username", json!("a\u{0}b@example.org")),
        ("preferred_username", json!(format!("{long}@example.org"))),
        ("preferred_username", json!(long)),
        ("preferred_username", json!(["ada@example.org"])),
        ("name", json!("a\u{0}b\r\nc")),
        ("name", json!(long)),
        ("name", json!("")),
        ("email", json!("no address")),
        ("email", json!(long)),
        ("email", json!(null)),
    ]
    .into_iter()
    .enumerate()
    {
        let claims = with(issuer.claims(&number.to_string()), name, value.clone());
        let me = server.bearer(key.sign(&claims)).get("/v1.0/me").ok();
        let text = |name: &str| me[name].as_str().unwrap().to_owned();
        let (upn, mail, shown) = (text("userPrincipalName"), text("mail"), text("displayName"));
        for address in [&upn, &mail] {
            let (local, domain) = address.split_once('@').unwrap();
            assert!(
                !local.is_empty() && !domain.contains('@') && address.len() <= 256,
                "{address}"
            );
            assert!(!address.contains(['/', ' ', '\0']), "{address}");
        }
        assert!(!shown.is_empty() && shown.chars().count() <= 256, "{shown}");
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
    // By what they are known must be kept as it is.
    for sub in
        [json!(""), json!("a\u{0}"), json!("s".repeat(256)), json!(7), json!(["x"]), Value::Null]
    {
        super::refused(&server, key.sign(&with(issuer.claims("x"), "sub", sub)));
    }
    server.bearer(key.sign(&issuer.claims(&"s".repeat(255)))).get("/v1.0/me").ok();
    server.bearer(key.sign(&issuer.claims("'; drop table users; --"))).get("/v1.0/me").ok();
    assert!(server.check().stdout.starts_with("sound"));
}

#[test]
fn many_first_requests_at_once_make_one_user() {
    let (server, issuer, key) = world("groups_claim = \"groups\"");
    let bo = server.user("bo@example.org");
    let group = bo.group("readers", "Private");
    let claims = with(issuer.claims("ada"), "groups", json!(["readers"]));
    let ids: Vec<String> = std::thread::scope(|scope| {
        let ask = |at: i64| {
            let claims = with(claims.clone(), "iat", json!(now() - at));
            let client = server.bearer(key.sign(&claims));
            scope.spawn(move || client.me())
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|it| *it == ids[0]), "{ids:?}");
    assert_eq!(bo.all(&format!("/v1.0/groups/{group}/members")).len(), 2);
}

/// Two processes on one database that hear of the same people at once.
#[test]
fn first_requests_at_two_servers_make_one_user_each() {
    let (first, issuer, key) = world("groups_claim = \"groups\"");
    let Some(second) = first.configured_beside() else { return };
    let bo = first.user("bo@example.org");
    bo.group("readers", "Private");
    let people = 12;
    std::thread::scope(|scope| {
        let ask = |server: &Server, number: i64| {
            let claims = with(issuer.claims(&number.to_string()), "groups", json!(["readers"]));
            let client = server.bearer(key.sign(&claims));
            scope.spawn(move || client.me())
        };
        for number in 0..people {
            let asked = [&first, &second, &second, &first].map(|server| ask(server, number));
            let ids = asked.map(|it| it.join().unwrap());
            assert!(ids.iter().all(|it| *it == ids[0]), "{ids:?}");
        }
    });
    assert_eq!(first.number("select count(*) from users"), people + 1);
    assert_eq!(first.number("select count(*) from group_members"), people + 1);
    assert_eq!(first.number("select count(*) from claimed_members"), people);
}

#[test]
fn who_is_disabled_is_refused_at_each_request() {
    let (server, issuer, key) = world("groups_claim = \"groups\"");
    let claims = with(issuer.claims("ada"), "iat", json!(now() - 100));
    let ada = server.bearer(key.sign(&claims));
    let id = ada.me();
    let group = ada.group("readers", "Public");
    let talk = format!("/v1.0/groups/{group}/conversations");
    server.change("update users set disabled = true");
    let newer = with(issuer.claims("ada"), "groups", json!(["writers"]));
    for client in [ada.clone(), server.bearer(key.sign(&newer))] {
        for answer in [
            client.get("/v1.0/me"),
            client.get("/v1.0/groups"),
            client.get(&format!("/v1.0/users/{id}")),
            client.get(&talk),
            client.post(&talk, &json!({"topic": "x"})),
            client.post(
                "/v1.0/groups",
                &json!({"displayName": "x", "mailNickname": "x", "groupTypes": ["Unified"],
                    "mailEnabled": true, "securityEnabled": false}),
            ),
            client.post("/v1.0/directoryObjects/getByIds", &json!({"ids": [id]})),
            client.delete(&format!("/v1.0/groups/{group}")),
        ] {
            answer.refused(401, "InvalidAuthenticationToken");
        }
    }
    server.change("update users set disabled = false");
    assert_eq!(ada.me(), id);
}

/// A server whose issuer decides who is in which group, and one who owns some of those groups.
fn grouped(lines: &str) -> (Server, Issuer, SignKey, Client) {
    let (server, issuer, key) = world(&format!("groups_claim = \"groups\"\n{lines}"));
    let bo = server.user("bo@example.org");
    (server, issuer, key, bo)
}

/// The nicknames of the groups that somebody is a member of.
fn groups_of(client: &Client) -> Vec<String> {
    let groups = client.all("/v1.0/me/memberOf");
    let mut names: Vec<_> =
        groups.iter().map(|it| it["mailNickname"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_claim_puts_people_into_groups_and_takes_them_out() {
    let (server, issuer, key, bo) = grouped("");
    let readers = bo.group("readers", "Private");
    bo.group("writers", "HiddenMembership");
    bo.group("others", "Private");
    let mut age = 500;
    let mut as_member_of = |groups: Value| {
        age -= 1;
        let claims = with(issuer.claims("ada"), "groups", groups);
        server.bearer(key.sign(&with(claims, "iat", json!(now() - age))))
    };
    for (claim, expected) in [
        (json!(["readers"]), &["readers"][..]),
        (json!(["writers", "READERS", "readers"]), &["readers", "writers"]),
        (json!([readers, "/writers"]), &["readers", "writers"]),
        (json!("readers"), &["readers"]),
        (json!([readers.to_uppercase(), "nobody", "", 7, null, ["writers"]]), &["readers"]),
        (json!([]), &[]),
        (json!(["writers"]), &["writers"]),
        // Left out, as Keycloak does where there is none.
        (Value::Null, &[]),
        (json!({"writers": true}), &[]),
        (json!(["readers"]), &["readers"]),
    ] {
        let ada = as_member_of(claim.clone());
        assert_eq!(groups_of(&ada), expected, "{claim}");
        let status = ada.get(&format!("/v1.0/groups/{readers}/conversations")).status;
        assert_eq!(status == 200, expected.contains(&"readers"), "{claim}");
    }
    // What Entra ID leaves out because it is too long says nothing.
    let claims = with(issuer.claims("ada"), "_claim_names", json!({"groups": "src1"}));
    let claims = with(claims, "iat", json!(now() - 300));
    assert_eq!(groups_of(&server.bearer(key.sign(&claims))), ["readers"]);
    let claims = with(issuer.claims("ada"), "hasgroups", json!(true));
    let claims = with(claims, "iat", json!(now() - 299));
    assert_eq!(groups_of(&server.bearer(key.sign(&claims))), ["readers"]);
    // An older token brings nobody back.
    let old = with(issuer.claims("ada"), "groups", json!(["others"]));
    let old = server.bearer(key.sign(&with(old, "iat", json!(now() - 400))));
    assert_eq!(groups_of(&old), ["readers"]);
    assert!(server.check().stdout.starts_with("sound"));
}

#[test]
fn a_claim_takes_nobody_out_whom_it_has_not_put_in() {
    let (server, issuer, key, bo) = grouped("");
    let at = |age: i64, groups: Value| {
        let claims = with(issuer.claims("ada"), "groups", groups);
        server.bearer(key.sign(&with(claims, "iat", json!(now() - age))))
    };
    let ada = at(500, json!([]));
    let (readers, writers) = (bo.group("readers", "Private"), bo.group("writers", "Private"));
    let reference =
        json!({"@odata.id": format!("http://{}/v1.0/users/{}", server.address, ada.me())});
    let add = |list: &str, group: &str| {
        bo.post(&format!("/v1.0/groups/{group}/{list}/$ref"), &reference).empty(204);
    };
    // Put in by hand before the claim: they stay.
    add("members", &readers);
    let own = ada.group("own", "Private");
    assert_eq!(
        groups_of(&at(400, json!(["readers", "writers", "own"]))),
        ["own", "readers", "writers"]
    );
    // An owner stays, were it the last one or not.
    add("owners", &writers);
    let ada = at(300, json!([]));
    assert_eq!(groups_of(&ada), ["own", "readers", "writers"]);
    assert_eq!(ada.all(&format!("/v1.0/groups/{own}/owners")).len(), 1);
    assert_eq!(ada.all(&format!("/v1.0/groups/{writers}/owners")).len(), 2);
    // Taken out by hand, they come back when the claim says so again.
    let path = format!("/v1.0/groups/{readers}/members/{}/$ref", ada.me());
    bo.delete(&path).empty(204);
    assert_eq!(groups_of(&ada), ["own", "writers"]);
    assert_eq!(groups_of(&at(200, json!(["readers"]))), ["own", "readers", "writers"]);
    assert_eq!(groups_of(&at(150, json!([]))), ["own", "writers"]);
    // Taken out by hand and put in by hand, they are in by hand.
    assert_eq!(groups_of(&at(100, json!(["readers"]))), ["own", "readers", "writers"]);
    bo.delete(&path).empty(204);
    add("members", &readers);
    assert_eq!(groups_of(&at(50, json!([]))), ["own", "readers", "writers"]);
}

#[test]
fn groups_come_from_claims_only_where_that_is_said() {
    let (server, issuer, key) = world("");
    let bo = server.user("bo@example.org");
    bo.group("readers", "Private");
    let claims = with(issuer.claims("ada"), "groups", json!(["readers"]));
    assert!(groups_of(&server.bearer(key.sign(&claims))).is_empty());
}

#[test]
fn groups_may_be_called_otherwise_at_the_issuer() {
    let id = "0d3a1c2b-1111-4222-8333-444455556666";
    let (server, issuer, key, bo) = grouped(&format!("[issuer.groups]\n\"{id}\" = \"readers\""));
    bo.group("readers", "Private");
    bo.group("writers", "Private");
    // With a list of names, others are nothing.
    let claims = with(issuer.claims("ada"), "groups", json!([id, "writers"]));
    assert_eq!(groups_of(&server.bearer(key.sign(&claims))), ["readers"]);
}

/// Groups of another tenant are none of an issuer's.
#[test]
fn a_claim_reaches_no_other_tenant() {
    let key = SignKey::es256("first");
    let issuer = Issuer::start(&[&key]);
    let tenant = "11111111-2222-4333-8444-555555555555";
    let lines = format!("groups_claim = \"groups\"\ntenant = \"{tenant}\"");
    let server = Server::configured(&format!(
        "{}[[tenant]]\nid = \"{tenant}\"\ndomains = [\"other.example\"]\n",
        issuer.section(&lines)
    ));
    let bo = server.user("bo@example.org");
    let group = bo.group("readers", "Private");
    let claims = with(issuer.claims("ada"), "groups", json!(["readers", group]));
    assert!(groups_of(&server.bearer(key.sign(&claims))).is_empty());
    assert_eq!(bo.all(&format!("/v1.0/groups/{group}/members")).len(), 1);
}
