//! Who is joined to an account that is there, and who is not, whatever they say.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{refused, with};
use crate::support::other_issuer::{AUDIENCE, Issuer, SignKey};
use crate::support::{Client, Done, Server, folkmoot};

const OWNER: &str = "domains = [\"example.org\"]";

/// A server with an issuer that owns example.org, and ada, whom no issuer knows, with a group of hers.
struct Scene {
    server: Server,
    issuer: Issuer,
    key: SignKey,
    ada: Client,
    talk: String,
}

impl Scene {
    fn new(lines: &str, more: impl FnOnce(&SignKey) -> String) -> Scene {
        let key = SignKey::es256("first");
        let issuer = Issuer::start(&[&key]);
        let server = Server::configured(&format!("{}{}", issuer.section(lines), more(&key)));
        let ada = server.user("ada@example.org");
        let talk = format!("/v1.0/groups/{}/conversations", ada.group("readers", "Private"));
        Scene { server, issuer, key, ada, talk }
    }

    fn plain() -> Scene {
        Scene::new(OWNER, |_| String::new())
    }

    /// A token for somebody with these claims too.
    fn claiming(&self, sub: &str, more: &Value) -> Client {
        claiming(&self.server, &self.issuer, &self.key, sub, more)
    }

    /// With a verified address.
    fn called(&self, sub: &str, address: &str) -> Client {
        self.claiming(sub, &json!({"email": address, "email_verified": true}))
    }

    fn restart(self, config: &str) -> Scene {
        let path = self.server.data.join("folkmoot.toml");
        std::fs::write(&path, config).unwrap();
        let server = self.server.kill_and_restart_with(&["--config", path.to_str().unwrap()]);
        let ada = self.ada.at(&server);
        Scene { server, ada, ..self }
    }

    fn run(&self, args: &[&str]) -> Done {
        folkmoot(args, &self.server.data)
    }

    /// Asserts that somebody is not ada, nor called as she is.
    #[track_caller]
    fn is_a_stranger(&self, it: &Client, what: &str) {
        let me = it.get("/v1.0/me").ok();
        assert_ne!(me["id"], self.ada.me(), "{what}");
        let name = me["userPrincipalName"].as_str().unwrap();
        assert!(!name.eq_ignore_ascii_case("ada@example.org"), "{what}: {me}");
        assert_eq!(it.get(&self.talk).status, 403, "{what}");
    }
}

fn claiming(server: &Server, issuer: &Issuer, key: &SignKey, sub: &str, more: &Value) -> Client {
    let mut claims = issuer.claims(sub);
    for (name, value) in more.as_object().unwrap() {
        claims = with(claims, name, value.clone());
    }
    server.bearer(key.sign(&claims))
}

#[test]
fn an_account_is_joined_by_its_address_once() {
    let scene = Scene::plain();
    let joined = scene.called("f3a1", "ADA@Example.ORG");
    assert_eq!(joined.me(), scene.ada.me());
    joined.get(&scene.talk).ok();
    assert_eq!(joined.get("/v1.0/me").ok()["userPrincipalName"], "ada@example.org");
    // The address goes to another: the account does not.
    scene.is_a_stranger(&scene.called("b2c4", "ada@example.org"), "the next one");
    // The first stays who they are, whatever they are called since.
    assert_eq!(scene.called("f3a1", "ada.king@example.org").me(), scene.ada.me());
    assert_eq!(scene.claiming("f3a1", &json!({})).me(), scene.ada.me());
    let config = std::fs::read_to_string(scene.server.data.join("folkmoot.toml")).unwrap();
    let scene = scene.restart(&config);
    assert_eq!(scene.claiming("f3a1", &json!({})).me(), scene.ada.me());
    scene.is_a_stranger(&scene.called("d5e6", "ada@example.org"), "after a restart");
    // Who has no account yet is called by their address.
    let me = scene.called("g7h8", "grace@EXAMPLE.org").get("/v1.0/me").ok();
    assert_eq!(
        (&me["userPrincipalName"], &me["mail"]),
        (&json!("grace@example.org"), &json!("grace@EXAMPLE.org"))
    );
    assert!(scene.server.check().stdout.starts_with("sound"));
}

#[test]
fn many_who_have_the_address_at_once_are_one_who_is_joined() {
    let scene = Scene::plain();
    let id = scene.ada.me();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let ask = |at: usize| {
            let client = scene.called(&format!("s{at}"), "ada@example.org");
            scope.spawn(move || client.me())
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        asked.into_iter().map(|it| it.join().unwrap()).collect()
    });
    assert_eq!(ids.iter().filter(|it| **it == id).count(), 1, "{ids:?}");
    assert_eq!(scene.server.number("select count(*) from users"), 8);
}

/// Everything short of a verified address of the account, to the letter.
#[test]
fn nothing_less_joins() {
    let scene = Scene::plain();
    scene.server.user("susan@example.org");
    let address = "ada@example.org";
    let verified = |address: &str| json!({"email": address, "email_verified": true});
    let mut cases = vec![
        json!({"email": address}),
        json!({"preferred_username": address}),
        json!({"upn": address}),
        json!({"unique_name": address, "mail": address}),
        json!({"preferred_username": address, "upn": address, "email": "eve@example.org", "email_verified": true}),
        json!({"preferred_username": "ada", "email_verified": true}),
        json!({"preferred_username": "ada"}),
    ];
    for odd in [json!(false), json!("false"), json!("yes"), json!(1), json!(null), json!([true])] {
        let mut claims = issuer_says(address);
        claims["email_verified"] = odd;
        cases.push(claims);
    }
    cases.extend(
        [
            "ada+x@example.org",
            "a.d.a@example.org",
            "ada@sub.example.org",
            "ada@example.org.evil.example",
            "ada@example.com",
            "ada@example.org@evil.example",
            "evil.example@ada@example.org",
            "ada@evil.example/@example.org",
            "\"ada\"@example.org",
            " ada@example.org",
            "ada @example.org",
            "ada@ example.org",
            "ada\u{0}@example.org",
            "ada@",
            "@example.org",
            // A Cyrillic letter, a full-width one, one with a mark that is not seen.
            "\u{430}da@example.org",
            "\u{ff41}da@example.org",
            "ad\u{200b}a@example.org",
            "ada@ex\u{430}mple.org",
        ]
        .map(verified),
    );
    for (at, case) in cases.iter().enumerate() {
        let client = scene.claiming(&format!("s{at}"), case);
        scene.is_a_stranger(&client, &case.to_string());
        let me = client.get("/v1.0/me").ok();
        assert_ne!(me["mail"], address, "{case}");
        let name = me["userPrincipalName"].as_str().unwrap();
        let vouched = ["eve@example.org", "ada+x@example.org", "a.d.a@example.org"];
        let (local, domain) = name.split_once('@').unwrap();
        // Nor is a name in the domain had without a mark that the issuer does not vouch for.
        let marked = local.rsplit_once('.').is_some_and(|(_, it)| it.len() == 12);
        assert!(vouched.contains(&name) || marked || domain != "example.org", "{case}: {name}");
    }
    // What is folded as an `s` is none.
    let me = scene.called("susan", "\u{17f}usan@example.org").get("/v1.0/me").ok();
    assert_ne!(me["userPrincipalName"], "susan@example.org");
    assert!(scene.server.check().stdout.starts_with("sound"));
}

fn issuer_says(address: &str) -> Value {
    json!({"email": address, "email_verified": true, "preferred_username": address, "upn": address})
}

/// A domain is its owner's, however it is spelled and whoever else vouches for an address in it.
#[test]
fn another_issuer_takes_nothing_of_an_owned_domain() {
    let (mut free, mut other) = (None, None);
    let scene = Scene::new("domains = [\"example.org\", \"Ex\u{e4}mple.com\"]", |key| {
        let (one, two) = (Issuer::start(&[key]), Issuer::start(&[key]));
        let sections = [one.section(""), two.section("domains = [\"other.example\"]")].concat();
        (free, other) = (Some(one), Some(two));
        // And the tenant's own domain is owned.
        format!("{sections}[[tenant]]\ndomains = [\"example.org\"]\n")
    });
    let others = [free.unwrap(), other.unwrap()];
    let addresses = [
        "ada@example.org",
        "eve@example.org",
        "eve@EXAMPLE.ORG",
        "eve@example.org.",
        "eve@\u{ff45}xample.org",
        "eve@ex\u{e4}mple.com",
        "eve@EX\u{c4}MPLE.com",
        "eve@exa\u{308}mple.com",
        "eve@xn--exmple-cua.com",
        "eve@xn--EXMPLE-cua.com",
        "eve@ex\u{ad}ample.org",
    ];
    for (at, (issuer, address)) in
        others.iter().flat_map(|it| addresses.iter().map(move |address| (it, address))).enumerate()
    {
        for (kind, claims) in
            [issuer_says(address), json!({"preferred_username": address, "mail": address})]
                .iter()
                .enumerate()
        {
            let sub = format!("{at}-{kind}");
            let client = claiming(&scene.server, issuer, &scene.key, &sub, claims);
            scene.is_a_stranger(&client, address);
            let me = client.get("/v1.0/me").ok();
            for name in ["userPrincipalName", "mail"] {
                let (local, domain) = me[name].as_str().unwrap().split_once('@').unwrap();
                assert_eq!(domain, "example.org", "{me}");
                assert!(local.rsplit_once('.').is_some_and(|(_, it)| it.len() == 12), "{me}");
            }
        }
    }
    // A name that is no address is not completed to one of the owner's.
    let me =
        claiming(&scene.server, &others[0], &scene.key, "x", &json!({"preferred_username": "ceo"}));
    assert_ne!(me.get("/v1.0/me").ok()["userPrincipalName"], "ceo@example.org");
    // What nobody owns is had as ever, but by an issuer that has domains of its own.
    for (issuer, name) in [(&others[0], Some("bo@free.example")), (&others[1], None)] {
        let client =
            claiming(&scene.server, issuer, &scene.key, "bo", &issuer_says("bo@free.example"));
        let me = client.get("/v1.0/me").ok();
        assert_eq!(me["userPrincipalName"] == "bo@free.example", name.is_some(), "{me}");
        assert_eq!(me["mail"] == "bo@free.example", name.is_some(), "{me}");
    }
    let me =
        claiming(&scene.server, &others[1], &scene.key, "cy", &issuer_says("cy@other.example"));
    assert_eq!(me.get("/v1.0/me").ok()["userPrincipalName"], "cy@other.example");
}

/// Who was there first under a name that is another's to be: nobody is joined to them.
#[test]
fn an_account_that_an_issuer_knows_is_joined_by_nobody() {
    let mut squatter = None;
    let scene = Scene::new("", |key| {
        let issuer = Issuer::start(&[key]);
        squatter.insert(issuer).section("")
    });
    let squatter = squatter.unwrap();
    let eve =
        claiming(&scene.server, &squatter, &scene.key, "eve", &json!({"upn": "grace@example.org"}));
    assert_eq!(eve.get("/v1.0/me").ok()["userPrincipalName"], "grace@example.org");
    let config = [scene.issuer.section(OWNER), squatter.section("")].concat();
    let scene = scene.restart(&config);
    let grace = scene.called("grace", "grace@example.org");
    assert_ne!(grace.me(), eve.at(&scene.server).me());
    assert_eq!(scene.called("ada", "ada@example.org").me(), scene.ada.me());
}

#[test]
fn who_is_disabled_does_not_come_in_as_somebody_new() {
    let scene = Scene::plain();
    assert_eq!(scene.run(&["user", "disable", "ada@example.org"]).status, Some(0));
    let ada = scene.called("f3a1", "ada@example.org");
    for _ in 0..2 {
        ada.get("/v1.0/me").refused(401, "InvalidAuthenticationToken");
    }
    assert_eq!(scene.server.number("select count(*) from identities"), 0);
    assert_eq!(scene.server.number("select count(*) from users"), 1);
    assert_eq!(scene.run(&["user", "enable", "ada@example.org"]).status, Some(0));
    ada.get(&scene.talk).ok();
}

#[test]
fn the_claim_with_the_address_can_be_another() {
    let scene = Scene::new(&format!("{OWNER}\naddress_claim = \"upn\""), |_| String::new());
    for (sub, claims) in [
        ("1", json!({"email": "ada@example.org", "email_verified": true})),
        ("2", json!({"preferred_username": "ada@example.org"})),
        ("3", json!({"upn": "ada@example.org", "email_verified": false})),
        ("4", json!({"upn": "ada_gmail.com#EXT#@example.org"})),
        ("5", json!({"upn": ["ada@example.org"]})),
    ] {
        scene.is_a_stranger(&scene.claiming(sub, &claims), &claims.to_string());
    }
    assert_eq!(scene.claiming("6", &json!({"upn": "Ada@example.org"})).me(), scene.ada.me());
}

#[test]
fn what_an_account_is_in_by_hand_stays_when_it_is_joined() {
    let scene = Scene::new(&format!("{OWNER}\ngroups_claim = \"groups\""), |_| String::new());
    let bo = scene.server.user("bo@example.org");
    bo.group("others", "Private");
    let at = |age: i64, groups: Value| {
        let claims = json!({"email": "ada@example.org", "email_verified": true, "groups": groups,
            "iat": crate::support::other_issuer::now() - age});
        let client = scene.claiming("f3a1", &claims);
        let groups = client.all("/v1.0/me/memberOf");
        let mut names: Vec<_> =
            groups.iter().map(|it| it["mailNickname"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(at(100, json!(["others", "readers"])), ["others", "readers"]);
    assert_eq!(at(50, json!([])), ["readers"]);
}

#[test]
fn operators_join_and_part() {
    let scene = Scene::new("", |_| String::new());
    let url = scene.issuer.url.clone();
    let id = scene.ada.me();
    let join = |name: &str, issuer: &str, subject: &str| {
        scene.run(&["user", "join", name, "--issuer", issuer, "--subject", subject])
    };
    let part = |name: &str| scene.run(&["user", "unjoin", name, "--issuer", &url]);
    let done = join("ada@example.org", &url, "f3a1");
    assert_eq!((done.status, done.stdout.trim()), (Some(0), &*id), "{}", done.stderr);
    let token = scene.claiming("f3a1", &json!({}));
    assert_eq!(token.me(), id);
    token.get(&scene.talk).ok();
    // What cannot be.
    for (done, why) in [
        (join("bo@example.org", &url, "b"), "does not exist"),
        (join("ada@example.org", &format!("{url}/"), "b"), "no [[issuer]]"),
        (join("ada@example.org", &url, "f3a1"), "part the two first"),
    ] {
        assert_eq!(done.status, Some(1));
        assert!(done.stderr.contains(why), "{why}: {}", done.stderr);
    }
    assert_eq!(part("ada@example.org").status, Some(0));
    assert_eq!(part("ada@example.org").status, Some(1));
    // The same token is somebody else's at once.
    scene.is_a_stranger(&token, "parted");
    let stranger = token.me();
    assert!(join("ada@example.org", &url, "f3a1").stderr.contains(&stranger));
    assert_eq!(part(&stranger).status, Some(0));
    assert_eq!(join("ada@example.org", &url, "f3a1").status, Some(0));
    assert_eq!(token.me(), id);
    assert!(scene.server.check().stdout.starts_with("sound"));
}

/// Parted by hand, an account is not joined by itself again, be it by the same or by the next.
#[test]
fn who_was_parted_is_not_joined_by_itself() {
    let scene = Scene::plain();
    let token = scene.called("f3a1", "ada@example.org");
    assert_eq!(token.me(), scene.ada.me());
    let url = scene.issuer.url.clone();
    assert_eq!(scene.run(&["user", "unjoin", "ada@example.org", "--issuer", &url]).status, Some(0));
    scene.is_a_stranger(&token, "the same");
    scene.is_a_stranger(&scene.called("b2c4", "ada@example.org"), "the next");
}

#[test]
fn domains_that_cannot_be_owned_are_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    let section = |name: &str, lines: &str| {
        format!("[[issuer]]\nissuer = \"{name}\"\naudience = \"{AUDIENCE}\"\n{lines}\n")
    };
    let two = |one: &str, two: &str| {
        let lines = |domain: &str| format!("domains = [\"{domain}\"]");
        let first = section("https://one.example.org", &lines(one));
        first + &section("https://two.example.org", &lines(two))
    };
    let tenants = "allowed_tenants = [\"72f988bf-86f1-41af-91ab-2d7cd011db47\", \
        \"72f988bf-86f1-41af-91ab-2d7cd011db48\"]";
    let entra = "https://login.microsoftonline.com/{tenantid}/v2.0";
    for (text, named) in [
        (two("example.org", "example.org"), "owned by one issuer alone"),
        (two("example.org", "EXAMPLE.org."), "owned by one issuer alone"),
        (two("ex\u{e4}mple.org", "xn--exmple-cua.org"), "owned by one issuer alone"),
        (section(entra, &format!("{OWNER}\n{tenants}")), "several tenants"),
        (section("https://one.example.org", &format!("{OWNER}\n{tenants}")), "several tenants"),
        (section("https://one.example.org", "domains = [\"\"]"), "no mail domain"),
        (section("https://one.example.org", "domains = [\"@example.org\"]"), "no mail domain"),
        (section("https://one.example.org", "domains = [\"example.org/x\"]"), "no mail domain"),
        (section("https://one.example.org", "domains = [\"*.example.org\"]"), "no mail domain"),
        (section("https://one.example.org", "address_claim = \"upn\""), "needs domains"),
    ] {
        std::fs::write(&config, &text).unwrap();
        let args = ["token", "--user", "ada@example.org", "--config", config.to_str().unwrap()];
        let done = folkmoot(&args, folder.path());
        assert_eq!(done.status, Some(1), "{text}");
        assert!(done.stderr.contains(named), "{text}: {}", done.stderr);
    }
}

/// A token that somebody has made says what they like, and joins nothing.
#[test]
fn a_forged_token_joins_nothing() {
    let scene = Scene::plain();
    let forged = SignKey::es256("first");
    let claims = with(scene.issuer.claims("x"), "email", json!("ada@example.org"));
    refused(&scene.server, forged.sign(&with(claims, "email_verified", json!(true))));
    assert_eq!(scene.server.number("select count(*) from identities"), 0);
}
