//! Applications that run in pages of other sites: what browsers let them read.

use super::{ADA, CHALLENGE, REDIRECT, Setup, VERIFIER};
use crate::support::browser::Browser;
use crate::support::issuer::App;
use crate::support::{Response, folkmoot};

const SPA: &str = "https://spa.example/signed-in";

fn allowed(answer: &Response) -> Option<&str> {
    assert!(answer.header("Access-Control-Allow-Credentials").is_none());
    answer.header("Access-Control-Allow-Origin")
}

/// A server with an application that runs in pages of one site, and on its users' machines.
fn setup() -> (Setup, App) {
    let it = Setup::new();
    let spa = ["--name", "spa", "--public", "--redirect", SPA, "--redirect", "http://localhost/x"];
    let spa = it.server.add_app(&spa);
    (it, spa)
}

/// A code for it, told behind a `#`.
fn code(it: &Setup, browser: &Browser<'_>, spa: &App) -> String {
    let asked = it.asked(&[
        ("client_id", &spa.id[..]),
        ("redirect_uri", SPA),
        ("response_mode", "fragment"),
        ("code_challenge", CHALLENGE),
    ]);
    let answer = browser.get(&asked);
    assert_eq!((answer.status, allowed(&answer)), (303, None), "{}", answer.text());
    let to = answer.header("Location").unwrap();
    let code = to.strip_prefix(&format!("{SPA}#code=")).expect(to);
    code.strip_suffix("&state=a%20b%26c").expect(to).to_owned()
}

#[test]
fn an_application_in_a_page_gets_tokens_on_its_own_site_alone() {
    let (it, spa) = setup();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let path = "/common/oauth2/v2.0/token";
    let own = format!("http://{}", it.server.address);
    let ask = |code: &str, origin: Option<&str>| {
        let fields = [
            ("client_id", &spa.id[..]),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", SPA),
            ("code_verifier", VERIFIER),
        ];
        let origin = origin.map(|it| ("Origin", it));
        it.server.post_form(path, origin.as_slice(), &fields)
    };
    let first = code(&it, &browser, &spa);
    for other in [
        "https://evil.example",
        "https://spa.example.evil",
        "https://spa.example:8443",
        "http://spa.example",
        "https://SPA.example",
        "http://127.0.0.1:4711",
        "null",
    ] {
        let answer = ask(&first, Some(other));
        answer.refused_oauth(400, "invalid_request", 9_002_326);
        // Whoever made the page reads why.
        assert_eq!(allowed(&answer), Some(other));
        assert_eq!(answer.header("Vary"), Some("Origin"));
    }
    // That has used nothing up.
    let answer = ask(&first, Some("https://spa.example"));
    assert_eq!(allowed(&answer), Some("https://spa.example"));
    assert_eq!(answer.header("Vary"), Some("Origin"));
    let refresh = answer.ok()["refresh_token"].as_str().unwrap().to_owned();
    let again = ask(&first, Some("https://spa.example"));
    again.refused_oauth(400, "invalid_grant", 54_005);
    assert_eq!(allowed(&again), Some("https://spa.example"));
    // Using the code twice has ended what came of it.
    let fields =
        [("client_id", &spa.id[..]), ("grant_type", "refresh_token"), ("refresh_token", &refresh)];
    let answer = it.server.post_form(path, &[("Origin", "https://spa.example")], &fields);
    answer.refused_oauth(400, "invalid_grant", 70_000);
    assert_eq!(allowed(&answer), Some("https://spa.example"));
    // While it is developed, its port is free; what is no page, or one of this server's, says no origin that
    // matters.
    for (origin, told) in [
        (Some("http://localhost:5173"), Some("http://localhost:5173")),
        (Some(&own[..]), None),
        (None, None),
    ] {
        let answer = ask(&code(&it, &browser, &spa), origin);
        answer.ok();
        assert_eq!(allowed(&answer), told);
    }
    // One with a secret has no business in a page, with the secret neither.
    let secret = it.site.secret.as_deref().unwrap();
    let fields = [
        ("client_id", &it.site.id[..]),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
    ];
    let answer = it.server.post_form(path, &[("Origin", "https://site.example")], &fields);
    answer.refused_oauth(400, "invalid_request", 9_002_326);
    // Which application it is must be known first.
    let answer = it.server.post_form(path, &[("Origin", "https://spa.example")], &[]);
    assert_eq!((answer.status, allowed(&answer)), (400, None));

    let asked = [("Origin", "https://spa.example"), ("Access-Control-Request-Method", "POST")];
    let answer = it.server.anonymous().send("OPTIONS", path, &asked, b"");
    assert_eq!((answer.status, allowed(&answer)), (204, Some("*")));
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some("POST"));
    // Pages of this server are for people.
    for path in ["/sign-in", "/common/oauth2/v2.0/authorize"] {
        assert_eq!(allowed(&it.server.anonymous().send("GET", path, &asked, b"")), None, "{path}");
    }
}

/// What is taken from an application, its refresh tokens bring no more; and when it is gone, nothing.
#[test]
fn what_an_application_held_for_people_follows_what_it_has() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let first = it.redeem(&it.code(&browser), &[]);
    let ada = it.server.with_answer(&first);
    ada.get("/v1.0/groups").ok();
    it.server.command(&["app", "set", "phone", "--scope", "User.Read"]);
    let second = it.refresh(&first.ok()["refresh_token"]);
    assert_eq!(second.ok()["scope"], "openid profile offline_access User.Read");
    let narrowed = it.server.with_answer(&second);
    narrowed.get("/v1.0/me").ok();
    narrowed.get("/v1.0/groups").refused(403, "ErrorAccessDenied");
    // The address of before is none any more.
    let code = it.code(&browser);
    it.server.command(&["app", "set", "phone", "--redirect", "http://127.0.0.1/x"]);
    assert!(browser.get(&it.asked(&[])).text().contains("AADSTS50011: "));
    it.server.command(&["app", "remove", &it.phone.id]);
    it.redeem(&code, &[]).refused_oauth(400, "unauthorized_client", 700_016);
    it.refresh(&second.ok()["refresh_token"]).refused_oauth(400, "unauthorized_client", 700_016);
    for client in [ada, narrowed] {
        client.get("/v1.0/me").refused(401, "InvalidAuthenticationToken");
    }
    assert!(browser.get(&it.asked(&[])).text().contains("AADSTS700016: "));
    assert_eq!(it.server.number("select count(*) from grants"), 0);
    let done = folkmoot(&["app", "list"], &it.server.data);
    assert!(!done.stdout.contains("phone") && done.stdout.contains("site"), "{}", done.stdout);
}

/// By which libraries on their users' machines want their answers: no address then has a code in it.
#[test]
fn an_answer_may_come_by_a_form() {
    let it = Setup::new();
    let browser = Browser::new(&it.server);
    browser.sign_in(ADA);
    let asked = |other: &[(&str, &str)]| {
        let fields = [&[("response_mode", "form_post"), ("state", "<\"&'>")], other].concat();
        let page = browser.get(&it.asked(&fields));
        assert_eq!((page.status, page.header("Location")), (200, None), "{}", page.text());
        page
    };
    let page = asked(&[]);
    let policy = page.header("Content-Security-Policy").unwrap();
    for part in [
        "default-src 'none'",
        "form-action 'self' http://localhost:4711;",
        "frame-ancestors 'none'",
        // Of `document.forms[0].submit()`, the one line that it runs.
        "script-src 'sha256-ePniVEkSivX/c7XWBGafqh8tSpiRrKiqYeqbG7N1TOE='",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.header("Cache-Control"), Some("no-store"));
    let html = page.text();
    let sent = |name: &str| {
        let value = html.split(&format!("name=\"{name}\" value=\"")).nth(1)?;
        Some(value.split('"').next().unwrap().to_owned())
    };
    assert!(html.contains(&format!("<form method=\"post\" action=\"{REDIRECT}\">")), "{html}");
    assert_eq!(sent("state").as_deref(), Some("&lt;&quot;&amp;&#39;&gt;"));
    it.redeem(&sent("code").unwrap(), &[]).ok();
    // What is wrong, too.
    let html = asked(&[("scope", "Mail.Read")]).text();
    assert!(html.contains("name=\"error\" value=\"invalid_scope\""), "{html}");
}
