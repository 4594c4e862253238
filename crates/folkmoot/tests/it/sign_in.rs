//! People sign in, and applications get tokens for them: by a code with its proof (RFC 7636), then by
//! refresh tokens.

mod pages;
mod passwords;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{Browser, path_of};
use crate::support::issuer::{App, query};
use crate::support::{Response, Server, folkmoot};

/// Of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://localhost:4711/signed-in";
const SCOPES: &str = "openid profile offline_access https://graph.microsoft.com/.default";
const ADA: &str = "ada@example.org";

/// Fields that are sent instead of others.
type Sent<'a> = &'a [(&'a str, &'a str)];

/// A server with an application on its users' machines, and another that keeps a secret.
struct Setup {
    server: Server,
    phone: App,
    site: App,
}

impl Setup {
    fn new() -> Setup {
        Setup::on(Server::durable())
    }

    fn on(server: Server) -> Setup {
        let phone = ["--name", "phone", "--public", "--redirect", "http://localhost/signed-in"];
        let site = ["--name", "site", "--redirect", "https://site.example/x?y=z"];
        let (phone, site) = (server.add_app(&phone), server.add_app(&site));
        server.command(&["user", "add", ADA]);
        Setup { server, phone, site }
    }

    /// What the phone's application asks for; then with these fields instead.
    fn asked(&self, other: &[(&str, &str)]) -> String {
        let fields = [
            ("client_id", &self.phone.id[..]),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", SCOPES),
            ("state", "a b&c"),
            ("nonce", "once"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        format!("/common/oauth2/v2.0/authorize?{}", query(&instead(&fields, other)))
    }

    /// A code for the phone's application, by somebody who has signed in.
    #[track_caller]
    fn code(&self, browser: &Browser<'_>) -> String {
        parameter(&browser.get(&self.asked(&[])), REDIRECT, "code").unwrap()
    }

    /// Exchanges a code of the phone's application; with these fields instead.
    fn redeem(&self, code: &str, other: &[(&str, &str)]) -> Response {
        let fields = [
            ("client_id", &self.phone.id[..]),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("client_info", "1"),
        ];
        self.server.ask_token("common", &instead(&fields, other))
    }

    fn refresh(&self, token: &Value) -> Response {
        let fields = [
            ("client_id", &self.phone.id[..]),
            ("grant_type", "refresh_token"),
            ("refresh_token", token.as_str().unwrap()),
        ];
        self.server.ask_token("common", &fields)
    }
}

fn instead<'a>(
    fields: &[(&'a str, &'a str)],
    other: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let kept = fields.iter().filter(|(name, _)| !other.iter().any(|(it, _)| it == name));
    kept.chain(other).copied().filter(|(_, value)| !value.is_empty()).collect()
}

/// A parameter of the address that an answer sends a browser to, which begins with `to`.
#[track_caller]
fn parameter(answer: &Response, to: &str, name: &str) -> Option<String> {
    assert_eq!(answer.status, 303, "{}", answer.text());
    let (address, query) = answer.header("Location").unwrap().split_once('?').unwrap();
    assert_eq!(address, to);
    let value = query.split('&').find_map(|it| it.strip_prefix(name)?.strip_prefix('='))?;
    Some(percent_encoding::percent_decode_str(value).decode_utf8().unwrap().into_owned())
}

fn decoded(text: &Value) -> Value {
    let text = text.as_str().unwrap();
    let payload = text.split('.').nth(1).unwrap_or(text);
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[test]
fn somebody_signs_in_and_an_application_calls_for_them() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    // The application sends them here; they give the link that they were handed, and go on.
    let page = browser.get(&it.asked(&[("prompt", "select_account")]));
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<h1>Sign in to phone</h1>"), "{}", page.text());
    assert!(page.text().contains("openid profile offline_access Group.ReadWrite.All"));
    let link = it.server.command(&["user", "link", ADA]);
    let on = browser.submit(&page, &[("code", &link)]);
    assert_eq!(on.status, 303, "{}", on.text());
    let back = browser.get(on.header("Location").unwrap());
    assert_eq!(parameter(&back, REDIRECT, "state").as_deref(), Some("a b&c"));
    let code = parameter(&back, REDIRECT, "code").unwrap();

    let answer = it.redeem(&code, &[]);
    assert_eq!(answer.header("Cache-Control"), Some("no-store"));
    let tokens = answer.ok();
    assert_eq!(tokens["token_type"], "Bearer");
    let granted = "openid profile offline_access Group.ReadWrite.All User.Read User.ReadBasic.All \
        Team.ReadBasic.All";
    assert_eq!(tokens["scope"], granted);
    let ada = it.server.with_answer(&answer);
    let me = ada.get("/v1.0/me").ok();
    assert_eq!(me["userPrincipalName"], ADA);
    ada.group("readers", "Public");
    let said = decoded(&tokens["access_token"]);
    assert_eq!((&said["appid"], &said["oid"]), (&json!(it.phone.id), &me["id"]));
    let who = decoded(&tokens["id_token"]);
    let issuer = format!("http://{}/common/v2.0", it.server.address);
    let expected = [
        ("iss", json!(issuer)),
        ("aud", json!(it.phone.id)),
        ("sub", me["id"].clone()),
        ("nonce", json!("once")),
        ("preferred_username", json!(ADA)),
        ("tid", json!(it.phone.tenant)),
    ];
    for (name, value) in expected {
        assert_eq!(who[name], value, "{name}");
    }
    let info = json!({"uid": me["id"], "utid": it.phone.tenant});
    assert_eq!(decoded(&tokens["client_info"]), info);
    // What tells who somebody is opens nothing.
    let told = tokens["id_token"].as_str().unwrap().to_owned();
    let told = crate::support::Client { address: it.server.address.clone(), token: told };
    told.get("/v1.0/me").refused(401, "InvalidAuthenticationToken");

    // Who has signed in is not asked again, unless the application wants that.
    assert!(!it.code(&browser).is_empty());
    assert_eq!(browser.get(&it.asked(&[("prompt", "login")])).status, 200);
    // An application that keeps a secret proves itself by that.
    let secret = it.site.secret.as_deref().unwrap();
    let site = [("client_id", &it.site.id[..]), ("redirect_uri", "https://site.example/x?y=z")];
    let asked =
        it.asked(&[&site[..], &[("code_challenge", ""), ("code_challenge_method", "")]].concat());
    let back = browser.get(&asked);
    let address = back.header("Location").unwrap();
    assert!(address.starts_with("https://site.example/x?y=z&code="), "{address}");
    let code = parameter(&back, "https://site.example/x", "code").unwrap();
    let proof = [&site[..], &[("client_secret", secret), ("code_verifier", "")]].concat();
    it.redeem(&code, &proof).ok();
}

#[test]
fn refresh_tokens_take_turns_and_one_that_comes_again_ends_them_all() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let first = it.redeem(&it.code(&browser), &[]).ok();
    let second = it.refresh(&first["refresh_token"]).ok();
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_eq!(decoded(&second["id_token"])["nonce"], Value::Null);
    let third = it.refresh(&second["refresh_token"]);
    it.server.with_answer(&third).get("/v1.0/me").ok();
    it.refresh(&first["refresh_token"]).refused_oauth(400, "invalid_grant", 50_173);
    let third = &third.ok()["refresh_token"];
    it.refresh(third).refused_oauth(400, "invalid_grant", 70_000);
    // One that was not asked for is not given.
    let back = browser.get(&it.asked(&[("scope", "User.Read Mail.Read")]));
    let answer = it.redeem(&parameter(&back, REDIRECT, "code").unwrap(), &[]).ok();
    assert_eq!(answer["scope"], "User.Read");
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none());
    // It is of the application that it was given to.
    let tokens = it.redeem(&it.code(&browser), &[]).ok();
    let other = [
        ("client_id", &it.site.id[..]),
        ("client_secret", it.site.secret.as_deref().unwrap()),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    it.server.ask_token("common", &other).refused_oauth(400, "invalid_grant", 70_000);
    it.refresh(&tokens["refresh_token"]).ok();
}

#[test]
fn a_code_is_good_once_for_whom_it_was_made() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let secret = it.site.secret.as_deref().unwrap();
    let (site, short) =
        ([("client_id", &it.site.id[..]), ("client_secret", secret)], "x".repeat(42));
    let code = it.code(&browser);
    let cases: [(&str, Sent<'_>, i64); 8] = [
        ("another's application", &site, 70_000),
        ("another code", &[("code", "x")], 70_000),
        ("no verifier", &[("code_verifier", "")], 501_481),
        ("another verifier", &[("code_verifier", CHALLENGE)], 501_481),
        ("a short verifier", &[("code_verifier", &short)], 501_481),
        ("another redirect", &[("redirect_uri", "http://localhost:4711/other")], 500_112),
        ("another port", &[("redirect_uri", "http://localhost:4712/signed-in")], 500_112),
        ("no redirect", &[("redirect_uri", "")], 500_112),
    ];
    for (name, other, number) in cases {
        eprintln!("{name}");
        it.redeem(&code, other).refused_oauth(400, "invalid_grant", number);
    }
    let as_refresh = it.refresh(&json!(code));
    as_refresh.refused_oauth(400, "invalid_grant", 70_000);
    // None of these has used it up.
    let tokens = it.redeem(&code, &[]).ok();
    it.redeem(&code, &[]).refused_oauth(400, "invalid_grant", 54_005);
    // Two had the code: what the first got by it is carried on no more.
    it.refresh(&tokens["refresh_token"]).refused_oauth(400, "invalid_grant", 70_000);
    it.redeem(&code, &[]).refused_oauth(400, "invalid_grant", 70_000);
}

/// With the time that is handed in: codes for five minutes, links for a quarter of an hour, sessions for a
/// day, refresh tokens for ninety.
#[test]
fn what_is_too_old_is_good_for_nothing() {
    let at = |time: &'static str| ["--fixed-clock", time];
    let folder = TempDir::new().unwrap();
    let it = Setup::on(Server::start(folder, &at("2026-01-01T00:00:00Z")));
    let (link, code, other, refresh) = {
        let browser = Browser::new(&it.server);
        browser.sign_in(ADA);
        let refresh = it.redeem(&it.code(&browser), &[]).ok()["refresh_token"].clone();
        let link = it.server.command(&["user", "link", ADA]);
        (link, it.code(&browser), it.code(&browser), refresh)
    };
    let Setup { server, phone, site } = it;
    let server = server.kill_and_restart_with(&at("2026-01-01T00:04:59Z"));
    let it = Setup { server, phone, site };
    let refresh_later = it.redeem(&other, &[]).ok()["refresh_token"].clone();
    let Setup { server, phone, site } = it;
    let server = server.kill_and_restart_with(&at("2026-01-01T00:05:00Z"));
    let it = Setup { server, phone, site };
    it.redeem(&code, &[]).refused_oauth(400, "invalid_grant", 70_008);
    let Setup { server, phone, site } = it;
    let server = server.kill_and_restart_with(&at("2026-01-01T00:15:00Z"));
    let browser = Browser::new(&server);
    let page = browser.get(path_of(&link));
    let late = browser.submit(&page, &[]);
    assert_eq!(late.status, 403);
    assert!(late.text().contains("not good any more"), "{}", late.text());
    drop(browser);
    let server = server.kill_and_restart_with(&at("2026-04-01T00:00:00Z"));
    let it = Setup { server, phone, site };
    // The one of the first minute is some minutes too old, the later one is not.
    it.refresh(&refresh_later).ok();
    it.refresh(&refresh).refused_oauth(400, "invalid_grant", 70_008);
}

#[test]
fn an_application_is_answered_only_where_it_is_at_home() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let nobody = "8d12587e-587e-4d12-be58-128d7e58128d";
    // Said on a page: nobody is sent anywhere.
    let cases: [(&[(&str, &str)], i64); 8] = [
        (&[("client_id", nobody)], 700_016),
        (&[("client_id", "")], 900_144),
        (&[("redirect_uri", "")], 900_144),
        (&[("redirect_uri", "http://localhost:4711/signed-in/")], 50_011),
        (&[("redirect_uri", "http://localhost:4711/signed-in?x=y")], 50_011),
        (&[("redirect_uri", "http://127.0.0.1:4711/signed-in")], 50_011),
        (&[("redirect_uri", "https://evil.example/signed-in")], 50_011),
        (&[("redirect_uri", "http://localhost:1@evil.example/signed-in")], 50_011),
    ];
    for (other, number) in cases {
        let answer = browser.get(&it.asked(other));
        assert_eq!(answer.status, 400, "{other:?}");
        assert!(
            answer.text().contains(&format!("AADSTS{number}: ")),
            "{other:?} {}",
            answer.text()
        );
        assert!(answer.header("Location").is_none());
    }
    // An address without a free port is what it is, to its last letter.
    for other in [
        "https://site.example/x?y=z&a=b",
        "https://site.example/x",
        "https://site.example:443/x?y=z",
    ] {
        let asked = it.asked(&[("client_id", &it.site.id), ("redirect_uri", other)]);
        assert!(browser.get(&asked).text().contains("AADSTS50011: "), "{other}");
    }
    let twice = format!("{}&state=x", it.asked(&[]));
    assert!(browser.get(&twice).text().contains("AADSTS9000411: "));
    let elsewhere = it.asked(&[]).replacen("common", nobody, 1);
    assert!(browser.get(&elsewhere).text().contains("AADSTS90002: "));
    // Told to the application.
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("response_type", "")], "invalid_request"),
        (&[("response_mode", "web_message")], "invalid_request"),
        (&[("code_challenge", ""), ("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge_method", "plain")], "invalid_request"),
        (&[("code_challenge_method", "")], "invalid_request"),
        (&[("code_challenge", "x")], "invalid_request"),
        (&[("scope", "Mail.Read Directory.ReadWrite.All")], "invalid_scope"),
        (&[("scope", "")], "invalid_scope"),
    ];
    for (other, error) in cases {
        let answer = browser.get(&it.asked(other));
        assert_eq!(parameter(&answer, REDIRECT, "error").as_deref(), Some(error), "{other:?}");
        assert_eq!(parameter(&answer, REDIRECT, "state").as_deref(), Some("a b&c"));
        assert_eq!(parameter(&answer, REDIRECT, "code"), None);
    }
    let silent = Browser::new(&it.server).get(&it.asked(&[("prompt", "none")]));
    assert_eq!(parameter(&silent, REDIRECT, "error").as_deref(), Some("login_required"));
    let silent = browser.get(&it.asked(&[("prompt", "none")]));
    assert!(parameter(&silent, REDIRECT, "code").is_some());
}

#[test]
fn a_link_is_good_once_and_a_form_only_from_its_own_page() {
    let it = Setup::new();
    let link = it.server.command(&["user", "link", ADA]);
    let browser = Browser::new(&it.server);
    // Programs that read mail follow links; that uses nothing up.
    Browser::new(&it.server).get(path_of(&link));
    let page = browser.get(path_of(&link));
    let code = link.split_once("code=").unwrap().1;
    // A page of another site knows neither the cookie nor the word.
    for fields in
        [&[("code", code)][..], &[("code", code), ("word", "x")], &[("code", code), ("word", "")]]
    {
        assert_eq!(browser.post("/sign-in", fields).status, 403, "{fields:?}");
        assert_eq!(Browser::new(&it.server).post("/sign-in", fields).status, 403);
    }
    assert_eq!(it.server.anonymous().post("/sign-in", &json!({"code": code})).status, 415);
    assert_eq!(browser.submit(&page, &[("code", "x")]).status, 403);
    assert_eq!(browser.submit(&page, &[]).status, 303);
    let signed_in = browser.get("/sign-in");
    assert!(
        signed_in.text().contains("As <strong>ada@example.org</strong>"),
        "{}",
        signed_in.text()
    );
    let other = Browser::new(&it.server);
    let again = other.submit(&other.get(path_of(&link)), &[]);
    assert_eq!(again.status, 403);
    assert!(again.text().contains("not good any more"), "{}", again.text());
    assert_eq!(other.get(&it.asked(&[])).status, 200);
    // Signing out needs the word as well.
    assert_eq!(browser.post("/sign-out", &[]).status, 403);
    assert_eq!(browser.submit(&signed_in, &[]).status, 303);
    assert!(!browser.get("/sign-in").text().contains(ADA));
    assert_eq!(browser.get(&it.asked(&[])).status, 200);
    // A sign-in goes on where an application waits, and nowhere else.
    for next in [
        "https://evil.example/oauth2/v2.0/authorize",
        "//evil.example/oauth2/v2.0/authorize",
        "/v1.0/me",
        "/\\evil.example/oauth2/v2.0/authorize",
    ] {
        let browser = Browser::new(&it.server);
        let link = it.server.command(&["user", "link", ADA]);
        let page = browser.get(path_of(&link));
        let word = page.text().split("name=\"word\" value=\"").nth(1).unwrap()[..43].to_owned();
        let code = link.split_once("code=").unwrap().1;
        let done = browser.post("/sign-in", &[("word", &word), ("code", code), ("next", next)]);
        assert_eq!((done.status, done.header("Location")), (303, Some("/sign-in")), "{next}");
    }
}

#[test]
fn pages_run_nothing_and_cookies_are_of_this_host_alone() {
    let folder = TempDir::new().unwrap();
    let it = Setup::on(Server::start(folder, &["--trust-proxy", "127.0.0.1"]));
    let browser = Browser::with(&it.server, &[("X-Forwarded-Proto", "https")]);
    let page = browser.get(&it.asked(&[]));
    let policy = page.header("Content-Security-Policy").unwrap();
    for part in
        ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "style-src 'sha256-"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    // Browsers hold the way back against this too.
    assert!(policy.contains("form-action 'self' http://localhost:4711;"), "{policy}");
    for (name, value) in [
        ("X-Frame-Options", "DENY"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cache-Control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value));
    }
    let tail = "Path=/; Max-Age=86400; HttpOnly; SameSite=Lax; Secure";
    let cookie = page.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-folkmoot-form=") && cookie.ends_with(tail), "{cookie}");
    let link = it.server.command(&["user", "link", ADA]);
    let done = browser.submit(&page, &[("code", &link)]);
    let cookie = done.header("Set-Cookie").unwrap();
    assert!(cookie.starts_with("__Host-folkmoot-session=") && cookie.ends_with(tail), "{cookie}");
    let back = browser.get(done.header("Location").unwrap());
    assert!(parameter(&back, REDIRECT, "code").is_some());
    assert_eq!(back.header("Referrer-Policy"), Some("no-referrer"));
    // What is typed comes back as text.
    let bad = browser.get("/sign-in?code=%22%3E%3Cscript%3E");
    assert!(bad.text().contains("&quot;&gt;&lt;script&gt;") && !bad.text().contains("<script"));
    // A session opens no door of the API.
    browser.get("/v1.0/me").refused(401, "InvalidAuthenticationToken");
}

#[test]
fn who_is_disabled_has_nothing_left() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let answer = it.redeem(&it.code(&browser), &[]);
    let (ada, refresh) = (it.server.with_answer(&answer), answer.ok()["refresh_token"].clone());
    let code = it.code(&browser);
    let link = it.server.command(&["user", "link", ADA]);
    ada.get("/v1.0/me").ok();
    let id = it.server.command(&["user", "disable", ADA]);
    it.refresh(&refresh).refused_oauth(400, "invalid_grant", 70_000);
    it.redeem(&code, &[]).refused_oauth(400, "invalid_grant", 70_000);
    ada.get("/v1.0/me").refused(401, "InvalidAuthenticationToken");
    assert_eq!(browser.get(&it.asked(&[])).status, 200, "the session has ended");
    let other = Browser::new(&it.server);
    assert_eq!(other.submit(&other.get(path_of(&link)), &[]).status, 403);
    // One that was made since.
    let link = it.server.command(&["user", "link", ADA]);
    let refused = other.submit(&other.get(path_of(&link)), &[]);
    assert!(refused.text().contains("This account is disabled."), "{}", refused.text());
    let listed = it.server.command(&["user", "list"]);
    assert_eq!(listed, format!("{id}\t{ADA}\tada\tdisabled\tMember\tno password"));
    it.server.command(&["user", "enable", &id]);
    other.sign_in(ADA);
    ada.get("/v1.0/me").ok();
    it.refresh(&refresh).refused_oauth(400, "invalid_grant", 70_000);
    let done = it.server.check();
    assert!(done.stdout.starts_with("sound"), "{}", done.stdout);
}

#[test]
fn accounts_are_made_once_and_by_name() {
    let it = Setup::new();
    it.server.command(&["user", "add", "bo@example.org", "--display-name", "Bo B."]);
    let me = it.server.user("bo@example.org").get("/v1.0/me").ok();
    assert_eq!(me["displayName"], "Bo B.");
    for (args, named) in [
        (["add", "ADA@example.org"], "userPrincipalName"),
        (["add", "nobody"], "userPrincipalName"),
        (["link", "cy@example.org"], "cy@example.org"),
        (["disable", "cy@example.org"], "cy@example.org"),
    ] {
        let done = folkmoot(&[&["user"], &args[..]].concat(), &it.server.data);
        assert_eq!((done.status, done.stdout.as_str()), (Some(1), ""), "{args:?}");
        assert!(done.stderr.contains(named), "{args:?}: {}", done.stderr);
    }
}
