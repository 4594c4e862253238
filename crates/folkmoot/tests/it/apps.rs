//! Applications that the operator has made, and the tokens that they get by themselves.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::{Server, folkmoot};

const DEFAULT: (&str, &str) = ("scope", "https://graph.microsoft.com/.default");

/// What is wrong; id, secret, grant and scope; status, error and number of the answer.
type Case<'a> = (&'a str, &'a str, Option<&'a str>, &'a str, &'a str, (u16, &'a str, i64));

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn an_application_gets_a_token_by_its_secret_and_calls_with_it() {
    let server = Server::durable();
    let app = server.add_app(&["--name", "robot", "--role", "Group.ReadWrite.All"]);
    let secret = app.secret.clone().unwrap();
    let tenants = [app.tenant.as_str(), "common", "organizations", "localhost"];
    for tenant in tenants {
        let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        let document = server.anonymous().get(&path).ok();
        let origin = format!("http://{}", server.address);
        assert_eq!(document["issuer"], format!("{origin}/{tenant}/v2.0"));
        let path = |name: &str| document[name].as_str().unwrap()[origin.len()..].to_owned();
        let keys = server.anonymous().get(&path("jwks_uri")).ok();
        assert_eq!(keys["keys"][0]["alg"], "ES256");
        let posted = [
            ("client_id", &app.id[..]),
            ("client_secret", &secret),
            ("grant_type", "client_credentials"),
            ("client_info", "1"),
            ("x-client-sku", "any"),
            DEFAULT,
        ];
        // MSAL adds its correlation id to the address.
        let endpoint = format!("{}?client-request-id=x", path("token_endpoint"));
        let answer = server.post_form(&endpoint, &[], &posted);
        assert_eq!(answer.header("Cache-Control"), Some("no-store"));
        let body = answer.ok();
        assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3600)));
        let said = claims(&body["access_token"]);
        assert_eq!(said["iss"], format!("{origin}/{}/v2.0", app.tenant));
        assert_eq!(said["roles"], json!(["Group.ReadWrite.All"]));
        assert_eq!((&said["appid"], &said["app_displayname"]), (&json!(app.id), &json!("robot")));
        let robot = server.with_answer(&answer);
        robot.get("/v1.0/groups").ok();
        robot.get("/v1.0/me").refused(400, "BadRequest");
    }
    let basic = BASE64_STANDARD.encode(format!("{}:{secret}", app.id));
    let header = format!("Basic {basic}");
    let answer = server.post_form(
        "/common/oauth2/v2.0/token",
        &[("Authorization", &header)],
        &[("grant_type", "client_credentials")],
    );
    server.with_answer(&answer).get("/v1.0/groups").ok();
    // What was not given is not had.
    let reader = server.add_app(&["--name", "reader", "--role", "Group.Read.All"]);
    let secret = reader.secret.unwrap();
    let fields = [
        ("client_id", &reader.id[..]),
        ("client_secret", &secret),
        ("grant_type", "client_credentials"),
    ];
    let reader = server.with_answer(&server.ask_token("common", &fields));
    reader.get("/v1.0/groups").ok();
    reader.post("/v1.0/groups", &json!({})).refused(403, "ErrorAccessDenied");
}

#[test]
fn an_application_that_is_not_known_by_what_it_says_gets_no_token() {
    let server = Server::durable();
    let app = server.add_app(&["--name", "robot", "--role", "Group.ReadWrite.All"]);
    let other = server.add_app(&["--name", "other", "--role", "Group.ReadWrite.All"]);
    let redirect = ["--redirect", "http://localhost/signed-in"];
    let public = server.add_app(&[&["--name", "phone", "--public"], &redirect[..]].concat());
    let page = server.add_app(&[&["--name", "page"], &redirect[..]].concat());
    assert_eq!(public.secret, None);
    let (secret, others) = (app.secret.as_deref().unwrap(), other.secret.as_deref().unwrap());
    let nobody = "8d12587e-587e-4d12-be58-128d7e58128d";
    let grant = "client_credentials";
    let cases: [Case<'_>; 14] = [
        ("wrong secret", &app.id, Some("x"), grant, "", (401, "invalid_client", 7_000_215)),
        ("another's", &app.id, Some(others), grant, "", (401, "invalid_client", 7_000_215)),
        (
            "in capitals",
            &app.id,
            Some(&secret.to_uppercase()),
            grant,
            "",
            (401, "invalid_client", 7_000_215),
        ),
        ("no secret", &app.id, None, grant, "", (401, "invalid_client", 7_000_218)),
        ("public", &public.id, None, grant, "", (401, "invalid_client", 7_000_218)),
        ("public with one", &public.id, Some("x"), grant, "", (401, "invalid_client", 700_025)),
        ("unknown", nobody, Some(secret), grant, "", (400, "unauthorized_client", 700_016)),
        ("no id at all", "robot", Some(secret), grant, "", (400, "unauthorized_client", 700_016)),
        ("empty id", "", Some(secret), grant, "", (400, "invalid_request", 900_144)),
        (
            "other scopes",
            &app.id,
            Some(secret),
            grant,
            "User.Read",
            (400, "invalid_scope", 1_002_012),
        ),
        (
            "no role",
            &page.id,
            page.secret.as_deref(),
            grant,
            "",
            (400, "unauthorized_client", 501_051),
        ),
        (
            "password",
            &app.id,
            Some(secret),
            "password&username=a%40b.c",
            "",
            (400, "unsupported_grant_type", 70_003),
        ),
        ("magic", &app.id, Some(secret), "magic", "", (400, "unsupported_grant_type", 70_003)),
        ("no grant", &app.id, Some(secret), "", "", (400, "invalid_request", 900_144)),
    ];
    for (name, id, secret, grant, scope, (status, code, number)) in cases {
        eprintln!("{name}");
        let secret = secret.map(|it| format!("&client_secret={it}")).unwrap_or_default();
        let form = format!("client_id={id}&grant_type={grant}&scope={scope}{secret}");
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let path = "/organizations/oauth2/v2.0/token";
        let answer = server.anonymous().send("POST", path, &headers, form.as_bytes());
        answer.refused_oauth(status, code, number);
    }
    let good = [("client_id", &app.id[..]), ("client_secret", secret), ("grant_type", grant)];
    let twice = [&good[..], &[("client_id", &other.id)]].concat();
    server.ask_token("common", &twice).refused_oauth(400, "invalid_request", 9_000_411);
    for tenant in [nobody, "robot", "example.org", "consumers"] {
        server.ask_token(tenant, &good).refused_oauth(400, "invalid_request", 90_002);
        let path = format!("/{tenant}/v2.0/.well-known/openid-configuration");
        server.anonymous().get(&path).refused_oauth(400, "invalid_request", 90_002);
    }
    server.ask_token(&app.tenant, &good).ok();
    let path = "/common/oauth2/v2.0/token";
    assert_eq!(server.anonymous().get(path).status, 405);
    assert_eq!(server.anonymous().post(path, &json!({})).status, 415);
}

#[test]
fn an_application_is_of_its_tenant() {
    let (server, ..) = Server::with_two_tenants();
    let second = "11111111-2222-4333-8444-555555555555";
    let role = ["--role", "Group.Read.All"];
    let app = server.add_app(&[&["--name", "robot", "--tenant", second], &role[..]].concat());
    // The same name in another tenant is another application.
    let other = server.add_app(&[&["--name", "robot"], &role[..]].concat());
    assert_eq!(app.tenant, second);
    let secret = app.secret.as_deref().unwrap();
    let good = [
        ("client_id", &app.id[..]),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
    ];
    for tenant in [second, "second.example", "SECOND.example", "common"] {
        let said = claims(&server.ask_token(tenant, &good).ok()["access_token"]);
        assert_eq!(said["tid"], second, "{tenant}");
    }
    for tenant in [&other.tenant[..], "localhost"] {
        server.ask_token(tenant, &good).refused_oauth(400, "unauthorized_client", 700_016);
    }
}

#[test]
fn applications_are_made_with_a_server_and_without_one_and_their_secrets_kept_nowhere() {
    let folder = tempfile::TempDir::new().unwrap();
    let args = ["app", "add", "--name", "before", "--role", "Group.Read.All"];
    let before = folkmoot(&args, folder.path());
    assert_eq!(before.status, Some(0), "{}", before.stderr);
    let server = Server::on_sqlite(folder);
    let during = server.add_app(&["--name", "during", "--role", "Group.Read.All"]);
    let listed = server.command(&["app", "list"]);
    let names: Vec<_> = listed.lines().map(|it| it.split('\t').nth(1).unwrap()).collect();
    assert_eq!(names, ["before", "during"]);
    let secret = during.secret.unwrap();
    assert!(!listed.contains(&secret) && before.stdout.contains("client_secret="));
    for file in std::fs::read_dir(&server.data).unwrap() {
        let Ok(bytes) = std::fs::read(file.unwrap().path()) else { continue };
        assert!(!bytes.windows(secret.len()).any(|it| it == secret.as_bytes()));
    }
    let role = ["--role", "Group.Read.All"];
    for (args, named) in [
        (&["--name", "during"][..], "name"),
        (&["--name", " "], "name"),
        (&["--name", "a\nb"], "name"),
        (&["--name", "x", "--redirect", "http://example.org/"], "http://example.org/"),
        (&["--name", "x", "--redirect", "https://example.org/#x"], "fragment"),
        (&["--name", "x", "--role", "Bogus.All"], "Bogus.All"),
        (&["--name", "x", "--scope", "Bogus.All"], "Bogus.All"),
        (&["--name", "x", "--tenant", "8d12587e-587e-4d12-be58-128d7e58128d"], "8d12587e"),
    ] {
        let done = folkmoot(&[&["app", "add"], &role[..], args].concat(), &server.data);
        assert_eq!((done.status, done.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(done.stderr.contains(named), "{args:?}: {}", done.stderr);
    }
    assert_eq!(folkmoot(&["app", "add", "--name", "x"], &server.data).status, Some(1));
    let public = ["app", "add", "--name", "x", "--public"];
    assert_eq!(folkmoot(&public, &server.data).status, Some(2));
    let done = server.check();
    assert!(done.stdout.starts_with("sound"), "{}", done.stdout);
}

/// What an application gets by itself.
fn ask(server: &Server, id: &str, secret: &str) -> crate::support::Response {
    let fields =
        [("client_id", id), ("client_secret", secret), ("grant_type", "client_credentials")];
    server.ask_token("common", &fields)
}

#[test]
fn a_removed_application_has_nothing_from_then_on() {
    let server = Server::durable();
    let role = ["--role", "Group.Read.All"];
    let [app, other] = ["robot", "other"].map(|it| {
        server.add_app(&[&["--name", it, "--redirect", "http://localhost/x"], &role[..]].concat())
    });
    let (secret, others) = (app.secret.clone().unwrap(), other.secret.clone().unwrap());
    let answer = ask(&server, &app.id, &secret);
    let robot = server.with_answer(&answer);
    let second = server.with_answer(&ask(&server, &other.id, &others));
    // Once it is remembered as well.
    robot.get("/v1.0/groups").ok();
    robot.get("/v1.0/groups").ok();
    assert_eq!(server.command(&["app", "remove", "robot"]), app.id);
    let why = robot.get("/v1.0/groups").refused(401, "InvalidAuthenticationToken");
    assert!(why.contains("was removed"), "{why}");
    ask(&server, &app.id, &secret).refused_oauth(400, "unauthorized_client", 700_016);
    second.get("/v1.0/groups").ok();
    // Its name is free; what is made with it is another.
    let again = server.add_app(&[&["--name", "robot"], &role[..]].concat());
    assert_ne!(again.id, app.id);
    let again = ask(&server, &again.id, again.secret.as_deref().unwrap());
    server.with_answer(&again).get("/v1.0/groups").ok();
    for id in [&app.id[..], "nobody"] {
        let done = folkmoot(&["app", "remove", id], &server.data);
        assert!(done.status == Some(1) && done.stderr.contains(id), "{}", done.stderr);
    }
    // By its id; and after a restart nothing is forgotten.
    assert_eq!(server.command(&["app", "remove", &other.id]), other.id);
    let server = server.kill_and_restart();
    for client in [robot, second] {
        client.at(&server).get("/v1.0/groups").refused(401, "InvalidAuthenticationToken");
    }
    let done = server.check();
    assert!(done.stdout.starts_with("sound"), "{}", done.stdout);
}

#[test]
fn a_renewed_secret_takes_the_place_of_the_one_before() {
    let at = |time: &'static str| ["--fixed-clock", time];
    let server = Server::start(tempfile::TempDir::new().unwrap(), &at("2026-01-01T00:00:00Z"));
    let app = server.add_app(&["--name", "robot", "--role", "Group.Read.All"]);
    let renew = |args: &[&str]| {
        let printed = server.command(&[&["app", "renew", "robot"], args].concat());
        assert!(printed.contains(&format!("client_id={}\n", app.id)), "{printed}");
        printed.split("client_secret=").nth(1).unwrap().to_owned()
    };
    let refused = |server: &Server, secret: &str| {
        ask(server, &app.id, secret).refused_oauth(401, "invalid_client", 7_000_215);
    };
    let first = app.secret.clone().unwrap();
    let second = renew(&[]);
    refused(&server, &first);
    ask(&server, &app.id, &second).ok();
    let third = renew(&["--keep-old", "1d"]);
    for good in [&second, &third] {
        ask(&server, &app.id, good).ok();
    }
    // Of two before it, only the last is kept.
    let fourth = renew(&["--keep-old", "1d"]);
    refused(&server, &second);
    let server = server.kill_and_restart_with(&at("2026-01-01T23:59:59Z"));
    for good in [&third, &fourth] {
        ask(&server, &app.id, good).ok();
    }
    let server = server.kill_and_restart_with(&at("2026-01-02T00:00:00Z"));
    refused(&server, &third);
    ask(&server, &app.id, &fourth).ok();
    let public = ["--name", "phone", "--public", "--redirect", "http://localhost/x"];
    let public = server.add_app(&public);
    let done = folkmoot(&["app", "renew", &public.id], &server.data);
    assert!(done.status == Some(1) && done.stderr.contains("public"), "{}", done.stderr);
}

#[test]
fn what_an_application_has_is_set_anew() {
    let server = Server::durable();
    let app = server.add_app(&["--name", "robot", "--role", "Group.ReadWrite.All"]);
    let secret = app.secret.as_deref().unwrap();
    let roles = || claims(&ask(&server, &app.id, secret).ok()["access_token"])["roles"].clone();
    let set = |args: &[&str]| {
        let done = folkmoot(&[&["app", "set", "robot"], args].concat(), &server.data);
        (done.status, done.stderr)
    };
    assert_eq!(set(&["--role", "Group.Read.All", "--role", "User.Read.All"]).0, Some(0));
    assert_eq!(roles(), json!(["Group.Read.All", "User.Read.All"]));
    let urls = ["--redirect", "https://a.example/x", "--redirect", "https://b.example/x"];
    assert_eq!(set(&urls).0, Some(0));
    assert_eq!(set(&["--scope", "User.Read"]).0, Some(0));
    let expected = format!(
        "{}\trobot\tsecret\troles: Group.Read.All User.Read.All\tscopes: User.Read\t\
         redirects: https://a.example/x https://b.example/x",
        app.id
    );
    assert_eq!(server.command(&["app", "list"]), expected);
    for (args, named) in [
        (&[][..], "--redirect"),
        (&["--role", "Bogus.All"], "Bogus.All"),
        (&["--redirect", "http://example.org/"], "http://example.org/"),
        (&["--redirect", "https://a.example/x", "--scope", "Bogus.All"], "Bogus.All"),
    ] {
        let (status, stderr) = set(args);
        assert!(status == Some(1) && stderr.contains(named), "{args:?}: {stderr}");
    }
    assert_eq!(server.command(&["app", "list"]), expected);
    let public = ["--name", "phone", "--public", "--redirect", "http://localhost/x"];
    let public = server.add_app(&public);
    let done = folkmoot(&["app", "set", &public.id, "--role", "User.Read.All"], &server.data);
    assert!(done.status == Some(1) && done.stderr.contains("keeps no secret"), "{}", done.stderr);
}

/// A second server on the same database, which was not told, finds out by itself.
#[test]
fn what_is_gone_is_gone_at_other_servers_soon() {
    let Some((first, second)) = Server::two() else { return };
    let app = first.add_app(&["--name", "robot", "--role", "Group.Read.All"]);
    let robot = first.with_answer(&ask(&first, &app.id, app.secret.as_deref().unwrap()));
    let ada = first.user("ada@example.org");
    let refused_soon = |client: &crate::support::Client| {
        let started = std::time::Instant::now();
        while client.at(&second).get("/v1.0/groups").status != 401 {
            assert!(started.elapsed().as_secs() < 30, "it is never refused");
        }
    };
    for client in [&robot, &ada] {
        client.at(&second).get("/v1.0/groups").ok();
    }
    first.command(&["app", "remove", "robot"]);
    refused_soon(&robot);
    ada.at(&second).get("/v1.0/groups").ok();
    first.command(&["key", "rotate", "--now"]);
    refused_soon(&ada);
    first.user("ada@example.org").at(&second).get("/v1.0/groups").ok();
}

#[test]
fn after_a_leak_nothing_that_was_signed_before_is_good() {
    let server = Server::durable();
    let app = server.add_app(&["--name", "robot", "--role", "Group.Read.All"]);
    let secret = app.secret.as_deref().unwrap();
    let before = server.user("ada@example.org");
    server.command(&["key", "rotate"]);
    let between = server.with_answer(&ask(&server, &app.id, secret));
    for client in [&before, &between, &before, &between] {
        client.get("/v1.0/groups").ok();
    }
    let done = folkmoot(&["key", "rotate", "--now"], &server.data);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    assert!(done.stderr.contains("refused from now on"), "{}", done.stderr);
    assert_eq!(keys(&server), [done.stdout.trim_end()]);
    for client in [&before, &between] {
        client.get("/v1.0/groups").refused(401, "InvalidAuthenticationToken");
    }
    // By what it holds, an application gets the next.
    server.with_answer(&ask(&server, &app.id, secret)).get("/v1.0/groups").ok();
    server.user("ada@example.org").get("/v1.0/groups").ok();
    let server = server.kill_and_restart();
    before.at(&server).get("/v1.0/groups").refused(401, "InvalidAuthenticationToken");
    assert_eq!(server.number("select count(*) from keys where purpose = 'tokens'"), 1);
}

/// The ids of the keys that a server names.
fn keys(server: &Server) -> Vec<String> {
    let keys = server.anonymous().get("/common/discovery/v2.0/keys").ok();
    let keys = keys["keys"].as_array().unwrap().clone();
    keys.iter().map(|it| it["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    let head = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let head: Value = serde_json::from_slice(&head).unwrap();
    head["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_key_signs_and_the_one_before_it_still_checks() {
    let server = Server::durable();
    let before = server.user("ada@example.org");
    let first = keys(&server);
    assert_eq!(first, [kid(&before.token)]);
    let second = server.command(&["key", "rotate"]);
    // At once again: none of them is lost.
    let third = server.command(&["key", "rotate"]);
    let all = [third.clone(), second, first[0].clone()];
    assert_eq!(keys(&server), all);
    let after = server.user("ada@example.org");
    assert_eq!(kid(&after.token), third);
    let server = server.kill_and_restart();
    assert_eq!(keys(&server), all);
    for ada in [before, after] {
        ada.at(&server).get("/v1.0/me").ok();
    }
}

/// Two servers have one store, and the command goes to one of them.
#[test]
fn a_new_key_is_found_by_a_server_that_was_not_told() {
    let Some((first, second)) = Server::two() else { return };
    let before = first.user("ada@example.org");
    first.command(&["key", "rotate"]);
    let after = first.user("ada@example.org");
    assert_ne!(kid(&before.token), kid(&after.token));
    for ada in [after, before] {
        ada.at(&second).get("/v1.0/me").ok();
    }
    assert_eq!(keys(&second).len(), 2);
}

/// An hour's tokens are gone after a day; one of a month keeps its key for a month.
#[test]
fn a_key_checks_until_its_last_token_has_expired() {
    let at = |time: &'static str| ["--fixed-clock", time];
    let server = Server::start(tempfile::TempDir::new().unwrap(), &at("2026-01-01T00:00:00Z"));
    let token = server.command(&["token", "--user", "ada@example.org", "--ttl", "30d"]);
    let month = kid(&token);
    let short = server.command(&["key", "rotate"]);
    server.user("ada@example.org");
    let newest = server.command(&["key", "rotate"]);
    let mut server = server;
    for (time, expected) in [
        ("2026-01-01T23:59:59Z", vec![&newest, &short, &month]),
        ("2026-01-02T00:00:00Z", vec![&newest, &month]),
        ("2026-01-30T23:59:59Z", vec![&newest, &month]),
        ("2026-01-31T00:00:00Z", vec![&newest]),
    ] {
        server = server.kill_and_restart_with(&at(time));
        assert_eq!(keys(&server).iter().collect::<Vec<_>>(), expected, "{time}");
        let me = crate::support::Client { address: server.address.clone(), token: token.clone() };
        let status = if expected.contains(&&month) { 200 } else { 401 };
        assert_eq!(me.get("/v1.0/me").status, status, "{time}");
    }
}
