//! Tokens of other issuers: whose are taken, for whom, and what an issuer can and cannot do to a server.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::other_issuer::{AUDIENCE, DISCOVERY, Issuer, KEYS, SignKey, now};
use crate::support::{Client, Server, folkmoot};

mod hostile;
mod joined;
mod people;

/// A server that takes the tokens of one issuer, with these lines in its section.
fn world(lines: &str) -> (Server, Issuer, SignKey) {
    let key = SignKey::es256("first");
    let issuer = Issuer::start(&[&key]);
    let server = Server::configured(&issuer.section(lines));
    (server, issuer, key)
}

/// The claims with one more, or another, or, where it is null, without it.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    match value {
        Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
        value => claims[name] = value,
    }
    claims
}

/// Why a token is refused.
#[track_caller]
fn refused(server: &Server, token: String) -> String {
    server.bearer(token).get("/v1.0/me").refused(401, "InvalidAuthenticationToken")
}

#[test]
fn a_user_of_another_issuer_posts_and_reads() {
    let keys = [SignKey::es256("a"), SignKey::es384("b"), SignKey::eddsa("c"), SignKey::rsa("d")];
    let issuer = Issuer::start(&keys.each_ref());
    let server = Server::configured(&issuer.section(""));
    let ada = server.bearer(keys[0].sign(&issuer.claims("ada")));
    let group = ada.group("readers", "Private");
    ada.talk(&group, "Lunch", "At noon?");
    // Whatever key and whatever algorithm: the same person.
    let claims = issuer.claims("ada").to_string();
    let mut tokens: Vec<_> = keys.iter().map(|it| it.sign(&issuer.claims("ada"))).collect();
    tokens.push(keys[3].sign_text(r#"{"alg":"PS256","kid":"d"}"#, &claims));
    tokens.push(keys[0].sign_text(r#"{"alg":"ES256","kid":"a","typ":"at+jwt"}"#, &claims));
    for token in tokens {
        let client = server.bearer(token);
        assert_eq!(client.me(), ada.me());
        assert_eq!(client.all(&format!("/v1.0/groups/{group}/conversations")).len(), 1);
    }
    // All of it was one look at the issuer.
    assert_eq!(issuer.asked(), (1, 1));
    // This server's own tokens are taken as before.
    server.user("bo@example.org").get("/v1.0/me").ok();
    assert!(server.check().stdout.starts_with("sound"));
}

#[test]
fn only_algorithms_that_are_allowed_are_taken() {
    let (es, rsa) = (SignKey::es256("es"), SignKey::rsa("rsa"));
    let issuer = Issuer::start(&[&es, &rsa]);
    let server = Server::configured(&issuer.section("algorithms = [\"RS256\"]"));
    let claims = issuer.claims("ada");
    server.bearer(rsa.sign(&claims)).get("/v1.0/me").ok();
    refused(&server, es.sign(&claims));
    refused(&server, rsa.sign_text(r#"{"alg":"PS256","kid":"rsa"}"#, &claims.to_string()));
    // A key that says itself what it is for.
    let mut jwk = rsa.jwk();
    jwk["alg"] = json!("PS256");
    let issuer = Issuer::start(&[]);
    issuer.publish_as(&json!({ "keys": [jwk] }));
    let server = Server::configured(&issuer.section(""));
    let claims = issuer.claims("ada");
    let token = rsa.sign_text(r#"{"alg":"PS256","kid":"rsa"}"#, &claims.to_string());
    server.bearer(token).get("/v1.0/me").ok();
    refused(&server, rsa.sign(&claims));
}

#[test]
fn scopes_and_roles_are_read_in_every_spelling() {
    let (server, issuer, key) = world("");
    for (name, value, status) in [
        ("scope", json!("openid profile User.Read"), 200),
        ("scp", json!("User.Read profile"), 200),
        ("scp", json!(["profile", "User.Read"]), 200),
        ("scope", json!(["User.Read"]), 200),
        ("scope", json!("openid profile"), 403),
        ("scope", json!("User.ReadX Mail.Read"), 403),
        ("scope", json!(7), 403),
        // A user has no roles, an application no scopes.
        ("roles", json!(["User.Read"]), 403),
    ] {
        let claims = with(with(issuer.claims("ada"), "scope", Value::Null), name, value.clone());
        assert_eq!(
            server.bearer(key.sign(&claims)).get("/v1.0/me").status,
            status,
            "{name} {value}"
        );
    }
}

#[test]
fn an_application_is_told_from_a_user() {
    let (server, issuer, key) = world("");
    let ask = |claims: &Value| {
        let client = server.bearer(key.sign(claims));
        (client.get("/v1.0/me").status, client.get("/v1.0/groups").status)
    };
    let (user, app, nobody) = ((200, 200), (400, 200), (403, 403));
    let roles = json!(["Group.ReadWrite.All"]);
    for (more, expected) in [
        (json!({}), user),
        (json!({"azp": "a client"}), user),
        (json!({"idtyp": "user", "roles": roles}), user),
        // As Entra ID can be told to say.
        (json!({"idtyp": "app", "roles": roles}), app),
        (json!({"idtyp": "app", "roles": roles, "scope": null}), app),
        // As RFC 9068 has it, with the client as its own subject.
        (json!({"sub": "robot", "azp": "robot", "roles": roles}), app),
        (json!({"sub": "robot", "client_id": "robot", "roles": roles}), app),
        // As Entra ID has it by itself: one id.
        (json!({"sub": "x", "oid": "x", "azp": "y", "scope": null, "roles": roles}), app),
        // Roles alone make nobody an application: Entra ID gives users some too.
        (json!({"sub": "x", "oid": "y", "azp": "z", "scope": null, "roles": roles}), nobody),
        (json!({"scope": null, "roles": roles}), nobody),
    ] {
        let mut claims = issuer.claims("ada");
        for (name, value) in more.as_object().unwrap() {
            claims = with(claims, name, value.clone());
        }
        assert_eq!(ask(&claims), expected, "{more}");
    }
    // Without a role that is enough, it may do nothing.
    let claims = with(issuer.claims("robot"), "azp", json!("robot"));
    server.bearer(key.sign(&claims)).get("/v1.0/groups").refused(403, "ErrorAccessDenied");
}

#[test]
fn times_are_bounded_with_some_patience() {
    let (server, issuer, key) = world("clock_skew_seconds = 100");
    let (strict, own, own_key) = world("clock_skew_seconds = 0");
    let status = |name: &str, value: Value| {
        let claims = with(issuer.claims("ada"), name, value);
        server.bearer(key.sign(&claims)).get("/v1.0/me").status
    };
    let now = now();
    for (name, value, expected) in [
        ("exp", json!(now - 40), 200),
        ("exp", json!(now - 101), 401),
        ("exp", json!(0), 401),
        ("exp", json!(-1e300), 401),
        ("exp", json!("9999999999"), 401),
        ("exp", json!(true), 401),
        ("exp", json!([]), 401),
        ("exp", Value::Null, 401),
        ("exp", json!(now as f64 + 60.5), 200),
        ("nbf", json!(now + 40), 200),
        ("nbf", json!(now + 3_600), 401),
        ("nbf", json!(1e300), 401),
        ("nbf", json!(now - 10), 200),
        ("nbf", json!("0"), 401),
    ] {
        assert_eq!(status(name, value.clone()), expected, "{name} {value}");
    }
    let late = with(own.claims("ada"), "exp", json!(now - 1));
    let why = refused(&strict, own_key.sign(&late));
    assert_eq!(why, "Lifetime validation failed, the token is expired.");
}

#[test]
fn only_tokens_for_this_application_are_taken() {
    let (server, issuer, key) = world("");
    let token = |audience: Value| key.sign(&with(issuer.claims("ada"), "aud", audience));
    for good in [json!(AUDIENCE), json!([AUDIENCE]), json!(["account", AUDIENCE])] {
        server.bearer(token(good.clone())).get("/v1.0/me").ok();
    }
    for bad in [
        json!("api://folkmoot/"),
        json!("API://folkmoot"),
        json!("api://folkmootx"),
        json!("api://folk"),
        json!(["account"]),
        json!([[AUDIENCE]]),
        json!({ AUDIENCE: true }),
        json!(format!("account {AUDIENCE}")),
        json!(format!("{AUDIENCE}\u{0}")),
        json!([]),
        json!(""),
        json!(7),
        // What this server's own tokens are for.
        json!("folkmoot"),
        Value::Null,
    ] {
        let why = refused(&server, token(bad.clone()));
        assert!(why.contains("Invalid audience") && why.contains(AUDIENCE), "{bad}: {why}");
    }
}

#[test]
fn a_token_for_graph_itself_is_refused_and_told_what_to_ask_for() {
    let (server, issuer, key) = world("");
    let app = "00000003-0000-0000-c000-000000000000";
    for audience in [
        json!("https://graph.microsoft.com"),
        json!("https://graph.microsoft.com/"),
        json!("https://GRAPH.microsoft.com:443/.default"),
        json!(app),
        json!(format!("spn:{app}")),
        json!(["https://graph.microsoft.com", AUDIENCE]),
        json!("https://graph.microsoft.us"),
    ] {
        let claims = with(issuer.claims("ada"), "aud", audience.clone());
        let why = refused(&server, key.sign(&claims));
        let tells = why.contains("Microsoft Graph itself")
            && why.contains(&format!("ask {}", issuer.url))
            && why.contains(AUDIENCE);
        assert!(tells, "{audience}: {why}");
    }
    // A real one, of an issuer that nobody has configured.
    let entra = json!({"iss": "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/",
        "aud": app, "exp": now() + 600, "scp": "User.Read"});
    let why = refused(&server, key.sign(&entra));
    assert!(why.contains("name the issuer in the configuration"), "{why}");
}

#[test]
fn settings_that_would_open_the_door_are_refused_at_the_start() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    let start = |issuer: &str, lines: &str| {
        std::fs::write(&config, format!("[[issuer]]\nissuer = \"{issuer}\"\n{lines}\n")).unwrap();
        // As `serve` does before it listens; and if nothing is refused, this ends.
        let config = config.to_str().unwrap();
        folkmoot(&["token", "--user", "ada@example.org", "--config", config], folder.path())
    };
    let good = "https://login.example.org";
    let entra = "https://login.microsoftonline.com/{tenantid}/v2.0";
    for (issuer, lines, named) in [
        (good, "audience = \"https://graph.microsoft.com\"", "Microsoft Graph itself"),
        (good, "audience = [\"x\", \"https://Graph.Microsoft.com/\"]", "Microsoft Graph itself"),
        (good, "audience = \"00000003-0000-0000-C000-000000000000\"", "Microsoft Graph itself"),
        (good, "audience = \"https://graph.microsoft.com:443/v1.0\"", "Microsoft Graph itself"),
        (good, "audience = \"graph.microsoft.com.\"", "Microsoft Graph itself"),
        (good, "audience = \"\"", "audience is empty"),
        (good, "audience = []", "audience is empty"),
        (good, "", "audience"),
        (good, "audience = \"x\"\nalgorithms = [\"RS256\", \"HS256\"]", "secret"),
        (good, "audience = \"x\"\nalgorithms = [\"none\"]", "none"),
        (good, "audience = \"x\"\nalgorithms = []", "algorithm"),
        (good, "audience = \"x\"\nclock_skew_seconds = 301", "between 0 and 300"),
        (good, "audience = \"x\"\nclock_skew_seconds = -1", "between 0 and 300"),
        (good, "audience = \"x\"\ntrust = true", "trust"),
        (good, "audience = \"x\"\ntenant = \"11111111-2222-4333-8444-555555555555\"", "not served"),
        (good, "audience = \"x\"\n[issuer.groups]\na = \"b\"", "groups_claim"),
        (entra, "audience = \"x\"", "allowed_tenants"),
        ("http://login.example.org", "audience = \"x\"", "https"),
        ("http://127.0.0.1.example.org", "audience = \"x\"", "https"),
        ("https://a:b@login.example.org", "audience = \"x\"", "password"),
        ("https://login.example.org?x", "audience = \"x\"", "query"),
        (
            good,
            "audience = \"x\"\n[[issuer]]\nissuer = \"https://login.example.org\"\naudience = \"y\"",
            "two",
        ),
    ] {
        let done = start(issuer, lines);
        assert_eq!(done.status, Some(1), "{issuer} {lines}");
        assert!(done.stderr.contains(named), "{issuer} {lines}: {}", done.stderr);
    }
}

#[test]
fn keys_come_and_go() {
    let (first, second) = (SignKey::es256("first"), SignKey::es256("second"));
    let issuer = Issuer::start(&[&first]);
    let server = Server::configured(&issuer.section(""));
    let ada = server.bearer(first.sign(&issuer.claims("ada")));
    ada.get("/v1.0/me").ok();
    // A new key is there before its first token is: the issuer is asked once more.
    issuer.publish(&[&first, &second]);
    server.bearer(second.sign(&issuer.claims("ada"))).get("/v1.0/me").ok();
    assert_eq!(issuer.asked(), (2, 2));
    ada.get("/v1.0/me").ok();
}

/// A key that the issuer takes back checks nothing any more, what was checked with it included.
#[test]
fn a_key_that_was_taken_back_is_forgotten() {
    let (first, second) = (SignKey::es256("first"), SignKey::es256("second"));
    let issuer = Issuer::start(&[&first]);
    let server = Server::configured(&issuer.section(""));
    let token = first.sign(&issuer.claims("ada"));
    server.bearer(token.clone()).get("/v1.0/me").ok();
    issuer.publish(&[&second]);
    server.bearer(second.sign(&issuer.claims("ada"))).get("/v1.0/me").ok();
    let why = refused(&server, token);
    assert!(why.contains("does not publish the key"), "{why}");
    // Nor does another key under its name.
    let other = SignKey::es256("second");
    refused(&server, other.sign(&issuer.claims("ada")));
}

#[test]
fn forged_key_ids_do_not_reach_the_issuer() {
    let (server, issuer, key) = world("");
    let ada = server.bearer(key.sign(&issuer.claims("ada")));
    ada.get("/v1.0/me").ok();
    assert_eq!(issuer.asked(), (1, 1));
    let forged = SignKey::es256("x");
    let flood = |from: usize| {
        std::thread::scope(|scope| {
            for at in 0..8 {
                let (forged, issuer, server) = (&forged, &issuer, &server);
                scope.spawn(move || {
                    for number in 0..25 {
                        let header =
                            json!({"alg": "ES256", "kid": format!("{from}-{at}-{number}")});
                        let claims = issuer.claims("ada").to_string();
                        refused(server, forged.sign_text(&header.to_string(), &claims));
                    }
                });
            }
        });
    };
    flood(0);
    flood(1);
    // One look for all of them.
    assert_eq!(issuer.asked(), (2, 2));
    ada.get("/v1.0/me").ok();
    server.bearer(key.sign(&issuer.claims("bo"))).get("/v1.0/me").ok();
}

#[test]
fn an_issuer_that_is_away_takes_nothing_down() {
    let key = SignKey::es256("first");
    let (mut issuer, other) = (Issuer::start(&[&key]), Issuer::start(&[&key]));
    issuer.stop();
    let sections = [issuer.section(""), other.section("")].concat();
    // It starts all the same, and serves everybody else.
    let server = Server::configured(&sections);
    let bo = server.user("bo@example.org");
    bo.get("/v1.0/me").ok();
    server.bearer(key.sign(&other.claims("cy"))).get("/v1.0/me").ok();
    let ada = server.bearer(key.sign(&issuer.claims("ada")));
    let answer = ada.get("/v1.0/me");
    answer.refused(503, "serviceNotAvailable");
    assert!(answer.header("Retry-After").is_some());
    // Once it is back, its tokens are taken, as soon as it may be asked again.
    issuer.go_on();
    let started = std::time::Instant::now();
    while ada.get("/v1.0/me").status != 200 {
        assert!(started.elapsed().as_secs() < 60, "the issuer is never asked again");
        std::thread::yield_now();
    }
    // Away again, it is not needed for keys that are known.
    issuer.stop();
    ada.get("/v1.0/me").ok();
    server.bearer(key.sign(&issuer.claims("dee"))).get("/v1.0/me").ok();
    let new = SignKey::es256("new");
    refused(&server, new.sign(&issuer.claims("ada")));
    ada.get("/v1.0/me").ok();
}

/// What it is, and how an issuer comes to answer it.
type Odd<'t> = (&'t str, &'t dyn Fn(&Issuer));

/// What an issuer may answer without being believed: then its keys are not known.
#[test]
fn odd_documents_are_not_taken() {
    let key = SignKey::es256("first");
    let (odd, good) = (Issuer::start(&[&key]), Issuer::start(&[&key]));
    let other = format!("{}/x", odd.url);
    let set = json!({"keys": [key.jwk()]}).to_string();
    let big = format!("{set}{}", " ".repeat(512 * 1024));
    let cases: [Odd<'_>; 9] = [
        ("another issuer", &|it| it.document(&json!({ "issuer": other }))),
        ("the issuer with a slash", &|it| it.document(&json!({"issuer": format!("{}/", it.url)}))),
        ("no keys' address", &|it| it.document(&json!({"jwks_uri": null}))),
        ("keys over plain http", &|it| it.document(&json!({"jwks_uri": "http://example.org/"}))),
        ("keys in a file", &|it| it.document(&json!({"jwks_uri": "file:///etc/passwd"}))),
        ("a redirect", &|it| {
            let head =
                format!("302 Found\r\nLocation: {}/.well-known/openid-configuration", good.url);
            it.answer(DISCOVERY, &head, "");
        }),
        ("too much", &|it| it.answer(KEYS, "200 OK", big.clone())),
        ("an error", &|it| it.answer(KEYS, "500 No", set.clone())),
        ("secrets", &|it| {
            it.publish_as(&json!({"keys": [{"kty": "oct", "kid": "first", "k": "c2VjcmV0"}]}));
        }),
    ];
    for (what, prepare) in cases {
        let issuer = Issuer::start(&[&key]);
        prepare(&issuer);
        let server = Server::configured(&issuer.section(""));
        let answer = server.bearer(key.sign(&issuer.claims("ada"))).get("/v1.0/me");
        assert_eq!(answer.status, 503, "{what}: {}", answer.text());
    }
    assert_eq!(good.asked(), (0, 0));
}

/// One that takes connections and says nothing: nobody waits for it for ever.
#[test]
fn a_silent_issuer_is_given_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let section = format!("[[issuer]]\nissuer = \"{url}\"\naudience = \"{AUDIENCE}\"\n");
    let server = Server::configured(&section);
    server.user("bo@example.org").get("/v1.0/me").ok();
    let key = SignKey::es256("key");
    let claims = json!({"iss": url, "aud": AUDIENCE, "sub": "ada", "exp": now() + 600});
    server.bearer(key.sign(&claims)).get("/v1.0/me").refused(503, "serviceNotAvailable");
}

#[test]
fn issuers_speak_for_themselves_alone() {
    let (one, two) = (SignKey::es256("same"), SignKey::es256("same"));
    let (first, second) = (Issuer::start(&[&one]), Issuer::start(&[&two]));
    let tenant = "11111111-2222-4333-8444-555555555555";
    let server = Server::configured(&format!(
        "{}{}[[tenant]]\nid = \"{tenant}\"\ndomains = [\"other.example\"]\n",
        first.section(""),
        second.section(&format!("tenant = \"{tenant}\"")),
    ));
    let ada = server.bearer(one.sign(&first.claims("ada")));
    let other = server.bearer(two.sign(&second.claims("ada")));
    assert_ne!(ada.me(), other.me());
    // Each in its tenant.
    let group = ada.group("readers", "Public");
    other.get(&format!("/v1.0/groups/{group}")).refused(404, "Request_ResourceNotFound");
    assert!(other.all("/v1.0/groups").is_empty());
    // By the key of one as the other, and as this server.
    refused(&server, one.sign(&second.claims("ada")));
    refused(&server, two.sign(&first.claims("ada")));
    let own: Client = server.user("bo@example.org");
    let iss = "http://127.0.0.1/x/v2.0";
    for claims in [
        with(first.claims("ada"), "iss", json!(iss)),
        with(first.claims("ada"), "iss", json!([first.url])),
    ] {
        refused(&server, one.sign(&claims));
    }
    for iss in [
        format!("{}/", first.url),
        format!("{}x", first.url),
        first.url.replace("/realm", ""),
        first.url.replace("127.0.0.1", "localhost"),
        first.url.to_uppercase(),
        format!(" {}", first.url),
        format!("{}#", first.url),
        format!("{}@example.org", first.url),
        String::new(),
    ] {
        refused(&server, one.sign(&with(first.claims("ada"), "iss", json!(iss))));
    }
    refused(&server, one.sign(&with(first.claims("ada"), "iss", Value::Null)));
    own.get("/v1.0/me").ok();
}

/// As Entra ID has it: one address for every tenant there is, of which some may come in.
#[test]
fn of_an_issuer_of_many_tenants_some_may_come_in() {
    let key = SignKey::rsa("entra");
    let personal = "9188040d-6c67-4c5b-b112-36a304b66dad";
    let (contoso, fabrikam, stranger) = (
        "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "72f988bf-86f1-41af-91ab-2d7cd011db48",
        "72f988bf-86f1-41af-91ab-2d7cd011db49",
    );
    let issuer = Issuer::start(&[&key]);
    let base = issuer.url.replace("/realm", "");
    let template = format!("{base}/{{tenantid}}/v2.0");
    let document = json!({"issuer": template, "jwks_uri": format!("{base}{KEYS}")});
    let path = "/common/v2.0/.well-known/openid-configuration";
    issuer.answer(path, "200 OK", document.to_string());
    // Each key says whose tokens it signs.
    let of = |key: &SignKey, tenant: &str| {
        let mut jwk = key.jwk();
        jwk["issuer"] = json!(format!("{base}/{tenant}/v2.0"));
        jwk
    };
    let consumers = SignKey::rsa("consumers");
    issuer.publish_as(&json!({"keys": [of(&key, "{tenantid}"), of(&consumers, personal)]}));
    let section = |allowed: &[&str]| {
        format!(
            "[[issuer]]\nissuer = \"{template}\"\naudience = \"{AUDIENCE}\"\nallowed_tenants = {allowed:?}\n"
        )
    };
    let server = Server::configured(&section(&[contoso, fabrikam]));
    let claims = |tenant: &str| {
        let iss = format!("{base}/{tenant}/v2.0");
        let more = with(issuer.claims("pairwise"), "oid", json!("0a1b"));
        with(with(more, "tid", json!(tenant)), "iss", json!(iss))
    };
    let me = |tenant: &str| server.bearer(key.sign(&claims(tenant))).me();
    assert_eq!(me(contoso), me(contoso));
    // The same object id in another tenant is somebody else.
    assert_ne!(me(contoso), me(fabrikam));
    // Known by `oid`: another application's `sub` of them is another.
    let renamed = with(claims(contoso), "sub", json!("another"));
    assert_eq!(server.bearer(key.sign(&renamed)).me(), me(contoso));
    let why = refused(&server, key.sign(&claims(stranger)));
    assert!(why.contains(stranger), "{why}");
    for (name, value) in [
        ("tid", json!(fabrikam)),
        ("tid", Value::Null),
        ("iss", json!(template)),
        ("iss", json!(format!("{base}/common/v2.0"))),
        ("tid", json!("{tenantid}")),
    ] {
        refused(&server, key.sign(&with(claims(contoso), name, value)));
    }
    // A tenant that brings a path along.
    let path = with(claims("x/../../y"), "iss", json!(format!("{base}/x/../../y/v2.0")));
    refused(&server, key.sign(&path));
    // A key signs for whom it says.
    let why = refused(&server, consumers.sign(&claims(contoso)));
    assert!(why.contains("Invalid issuer"), "{why}");
    // Personal accounts only where they are named.
    let token = consumers.sign(&claims(personal));
    server.bearer(token.clone()).get("/v1.0/me").refused(403, "ErrorAccessDenied");
    let server = Server::configured(&section(&[contoso, personal]));
    server.bearer(token).get("/v1.0/me").ok();
}
