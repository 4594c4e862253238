//! Passwords: of those who have one, who sign in by them, and change them.

use std::time::{Duration, Instant};

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, Version};
use serde_json::Value;
use tempfile::TempDir;

use super::{ADA, REDIRECT, Setup, parameter};
use crate::support::browser::Browser;
use crate::support::{Response, Server, folkmoot, with_input};

const PASSWORD: &str = "correct horse battery";
const NEXT: &str = "staple of 12 characters";
const BO: &str = "bo@example.org";

#[track_caller]
fn set(server: &Server, name: &str, password: &str) {
    let done = server.set_password(name, password);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
}

/// What comes of a password, typed at the page that is there for it.
#[track_caller]
fn sign_in(browser: &Browser<'_>, name: &str, password: &str) -> Response {
    let page = browser.get("/sign-in");
    browser.submit(&page, &[("name", name), ("password", password)])
}

#[track_caller]
fn is_signed_in(browser: &Browser<'_>, name: &str) -> bool {
    browser.get("/sign-in").text().contains(&format!("As <strong>{name}</strong>"))
}

#[test]
fn somebody_signs_in_by_their_password_and_changes_it() {
    let it = Setup::new();
    let page = Browser::new(&it.server).get(&it.asked(&[]));
    assert!(!page.text().contains("password"), "nobody has one: {}", page.text());
    set(&it.server, ADA, &format!("{PASSWORD}\n"));
    let listed = it.server.command(&["user", "list"]);
    assert!(listed.ends_with(&format!("\t{ADA}\tada\tenabled\tMember\tpassword")), "{listed}");

    // An application sends them; they type it, in whatever case their name, and go on.
    let browser = Browser::new(&it.server);
    let page = browser.get(&it.asked(&[]));
    let on = browser.submit(&page, &[("name", " ADA@example.org"), ("password", PASSWORD)]);
    assert_eq!(on.status, 303, "{}", on.text());
    let back = browser.get(on.header("Location").unwrap());
    let tokens = it.redeem(&parameter(&back, REDIRECT, "code").unwrap(), &[]);
    assert_eq!(it.server.with_answer(&tokens).get("/v1.0/me").ok()["userPrincipalName"], ADA);
    let refresh = tokens.ok()["refresh_token"].clone();
    // A link is good beside it.
    let other = Browser::new(&it.server);
    other.sign_in(ADA);

    let page = browser.get("/sign-in/password");
    assert!(page.text().contains("<h1>Change your password</h1>"), "{}", page.text());
    let long = "x".repeat(1_025);
    for (old, new, again, status, why) in [
        ("wrong horse battery", NEXT, NEXT, 403, "The old password is another."),
        ("", NEXT, NEXT, 403, "The old password is another."),
        (PASSWORD, NEXT, PASSWORD, 400, "its repetition are not the same"),
        (PASSWORD, "11 of these", "11 of these", 400, "must have 12 characters or more"),
        (PASSWORD, &long[..], &long[..], 400, "must have no more than 1024 bytes"),
        (PASSWORD, "ADA@example.org", "ADA@example.org", 400, "must not be the user name"),
    ] {
        let answer = browser.submit(&page, &[("old", old), ("new", new), ("again", again)]);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert!(answer.text().contains(why), "{}", answer.text());
        assert!(!answer.text().contains("horse") && !answer.text().contains("staple"));
    }
    assert!(is_signed_in(&other, ADA));
    let done = browser.submit(&page, &[("old", PASSWORD), ("new", NEXT), ("again", NEXT)]);
    assert_eq!(done.header("Location"), Some("/sign-in?changed=1"), "{}", done.text());
    assert!(browser.get("/sign-in?changed=1").text().contains("Your password is changed."));
    // Whoever has changed it goes on; all else that stood on a sign-in is gone.
    assert!(is_signed_in(&browser, ADA) && !is_signed_in(&other, ADA));
    it.refresh(&refresh).refused_oauth(400, "invalid_grant", 70_000);
    assert_eq!(sign_in(&other, ADA, PASSWORD).status, 403);
    assert_eq!(sign_in(&other, ADA, NEXT).status, 303);
    assert!(is_signed_in(&other, ADA));

    // The operator's word ends them as well.
    set(&it.server, ADA, PASSWORD);
    assert!(!is_signed_in(&browser, ADA) && !is_signed_in(&other, ADA));
    assert_eq!(sign_in(&other, ADA, PASSWORD).status, 303);
    it.server.command(&["user", "password", ADA, "--remove"]);
    assert!(!is_signed_in(&other, ADA));
    let page = other.get("/sign-in");
    assert!(!page.text().contains("password"), "nobody has one: {}", page.text());
    let done = it.server.check();
    assert!(done.stdout.starts_with("sound"), "{}", done.stdout);

    // All of it is in the audit; a refused one is written beside its answer.
    let acts = || -> Vec<String> {
        let lines = it.server.command(&["audit", "export"]);
        let entry = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let act = |it: Value| format!("{} {}", it["action"], it["entityType"]).replace('"', "");
        lines.lines().map(entry).map(act).collect()
    };
    let count = |acts: &[String], what: &str| acts.iter().filter(|it| *it == what).count();
    let begun = Instant::now();
    while count(&acts(), "refused user") != 1 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", acts());
    }
    let acts = acts();
    // Three by their password, one by a link.
    assert_eq!(count(&acts, "signedIn user"), 4, "{acts:?}");
    assert_eq!(count(&acts, "updated password"), 3, "{acts:?}");
    assert_eq!(count(&acts, "deleted password"), 1, "{acts:?}");
}

#[test]
fn who_does_not_get_in_learns_nothing() {
    let it = Setup::new();
    for name in [BO, "cy@example.org"] {
        it.server.command(&["user", "add", name]);
    }
    set(&it.server, ADA, PASSWORD);
    set(&it.server, "cy@example.org", PASSWORD);
    it.server.command(&["user", "disable", "cy@example.org"]);
    let long = "x".repeat(1_025);
    let browser = Browser::new(&it.server);
    let page = browser.get("/sign-in");
    let answers = [
        ("a wrong password", ADA, "correct horse batterz"),
        ("in capitals", ADA, "CORRECT HORSE BATTERY"),
        ("a space more", ADA, "correct horse battery "),
        ("none", ADA, ""),
        ("too long", ADA, &long[..]),
        ("no such user", "dee@example.org", PASSWORD),
        ("a user without one", BO, PASSWORD),
        ("a disabled user", "cy@example.org", PASSWORD),
        ("no name", "", PASSWORD),
        ("no such domain", "ada@elsewhere.example", PASSWORD),
    ]
    .map(|(what, name, password)| {
        let answer = browser.submit(&page, &[("name", name), ("password", password)]);
        assert!(!is_signed_in(&browser, name), "{what}");
        // The name comes back as it was typed.
        let field = |name: &str| format!(" name=\"name\" value=\"{name}\"");
        let text = answer.text().replace(&field(name), &field("NAME"));
        let mut headers = answer.headers.clone();
        headers.retain(|(name, _)| !["date", "content-length"].contains(&&name.to_lowercase()[..]));
        (what, answer.status, text, headers)
    });
    let (_, status, text, headers) = &answers[0];
    assert_eq!(*status, 403);
    assert!(text.contains("User name or password is not right."), "{text}");
    for (what, other_status, other_text, other_headers) in &answers {
        assert_eq!((other_status, other_text), (status, text), "{what}");
        assert_eq!(other_headers, headers, "{what}");
    }
}

/// Time stands still, so that no try comes back.
#[test]
fn wrong_passwords_are_counted_by_account_and_by_address() {
    let clock = ["--fixed-clock", "2026-01-01T00:00:00Z", "--trust-proxy", "127.0.0.1"];
    let it = Setup::on(Server::start(TempDir::new().unwrap(), &clock));
    it.server.command(&["user", "add", BO]);
    set(&it.server, ADA, PASSWORD);
    set(&it.server, BO, PASSWORD);
    let from = |address: &'static str| Browser::with(&it.server, &[("X-Forwarded-For", address)]);
    let first = from("8.8.8.8, 192.0.2.1");
    // Right ones are not counted.
    for _ in 0..12 {
        assert_eq!(sign_in(&first, ADA, PASSWORD).status, 303);
        first.submit(&first.get("/sign-in"), &[]);
    }
    for name in [ADA, "nobody@example.org"] {
        for _ in 0..10 {
            assert_eq!(sign_in(&first, name, "wrong horse battery").status, 403);
        }
        // The right one as well, from wherever.
        for browser in [&first, &from("192.0.2.2")] {
            let answer = sign_in(browser, &name.to_uppercase(), PASSWORD);
            assert_eq!(answer.status, 429, "{name}: {}", answer.text());
            assert_eq!(answer.header("Retry-After"), Some("300"));
            assert!(answer.text().contains("try again in 5 minutes, or sign in by a link"));
        }
    }
    // Others are not held up, and a link is good.
    assert_eq!(sign_in(&from("192.0.2.1"), BO, PASSWORD).status, 303);
    first.sign_in(ADA);
    let page = first.get("/sign-in/password");
    let change = [("old", PASSWORD), ("new", NEXT), ("again", NEXT)];
    assert_eq!(first.submit(&page, &change).status, 429, "counted there too");
    // What is from an address is counted whoever is named; a /64 of IPv6 is one.
    for (address, other) in [("192.0.2.1", "192.0.2.3"), ("2001:db8::1", "2001:db8:0:1::1")] {
        let browser = from(address);
        let mut refused = 0;
        for at in 0..51 {
            let answer = sign_in(&browser, &format!("{at}@example.org"), PASSWORD);
            refused += usize::from(answer.status == 429);
        }
        // Twenty came from the first before, and those of an account that was refused.
        assert_eq!(refused, if address == "192.0.2.1" { 24 } else { 1 }, "{address}");
        assert_eq!(sign_in(&from(other), BO, PASSWORD).status, 303);
    }
    assert_eq!(sign_in(&from("2001:db8::ffff:1"), BO, PASSWORD).status, 429);
}

#[test]
fn a_hash_with_less_is_made_anew_and_no_password_is_kept_or_logged() {
    let server = Server::logging();
    let it = Setup::on(server);
    set(&it.server, ADA, PASSWORD);
    let params = Params::new(64, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let weak = weak.hash_password_with_salt(PASSWORD.as_bytes(), &[7; 16]).unwrap().to_string();
    it.server.change(&format!("update passwords set hash = '{weak}'"));
    let browser = Browser::new(&it.server);
    assert_eq!(sign_in(&browser, ADA, "wrong horse battery").status, 403);
    let hash = || it.server.rows("select hash from passwords")[0][0].clone();
    assert_eq!(hash(), weak);
    assert_eq!(sign_in(&browser, ADA, PASSWORD).status, 303);
    let strong = hash();
    assert!(strong.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{strong}");
    browser.submit(&browser.get("/sign-in"), &[]);
    assert_eq!(sign_in(&browser, ADA, PASSWORD).status, 303);
    assert_eq!(hash(), strong);
    let page = browser.get("/sign-in/password");
    let done = browser.submit(&page, &[("old", PASSWORD), ("new", NEXT), ("again", NEXT)]);
    assert_eq!(done.status, 303, "{}", done.text());
    let secret = it.site.secret.as_deref().unwrap();
    let code = it.code(&browser);
    it.redeem(&code, &[]).ok();
    for file in std::fs::read_dir(&it.server.data).unwrap() {
        let path = file.unwrap().path();
        let Ok(bytes) = std::fs::read(&path) else { continue };
        // As they are, and as a form sends them.
        for said in [PASSWORD, "correct%20horse", NEXT, "staple%20of", secret, &code, &strong] {
            let is_hash = said == strong && !path.ends_with("log");
            let found = bytes.windows(said.len()).any(|it| it == said.as_bytes());
            assert!(!found || is_hash, "{said} in {}", path.display());
        }
    }
}

#[test]
fn the_operator_may_turn_passwords_off() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    std::fs::write(&config, "[sign_in]\npasswords = true\n").unwrap();
    let path = config.to_str().unwrap().to_owned();
    let it = Setup::on(Server::start(folder, &["--config", &path]));
    set(&it.server, ADA, PASSWORD);
    assert!(Browser::new(&it.server).get("/sign-in").text().contains("password"));
    std::fs::write(it.server.data.join("folkmoot.toml"), "[sign_in]\npasswords = false\n").unwrap();
    let Setup { server, phone, site } = it;
    let server = server.kill_and_restart_with(&["--config", &path]);
    let it = Setup { server, phone, site };
    let browser = Browser::new(&it.server);
    let page = browser.get("/sign-in");
    assert!(!page.text().contains("password"), "{}", page.text());
    // The form of before, with the word of now.
    let word = page.text().split("name=\"word\" value=\"").nth(1).unwrap()[..43].to_owned();
    let fields = [("word", &word[..]), ("name", ADA), ("password", PASSWORD)];
    assert_eq!(browser.post("/sign-in", &fields).status, 403);
    browser.sign_in(ADA);
    assert!(!browser.get("/sign-in").text().contains("password"));
    assert_eq!(browser.get("/sign-in/password").status, 404);
    let done = it.server.set_password(ADA, NEXT);
    assert_eq!(done.status, Some(1));
    assert!(done.stderr.contains("passwords = false"), "{}", done.stderr);
    it.server.command(&["user", "password", ADA, "--remove"]);
}

#[test]
fn a_password_has_its_least_and_its_most() {
    let it = Setup::new();
    for (password, problem) in [
        ("elf of 11 ü", "must have 12 characters or more"),
        (&"x".repeat(1_025)[..], "must have no more than 1024 bytes"),
        (ADA, "must not be the user name"),
        ("", "must have 12 characters or more"),
        ("correct horse\nbattery staple\n", "a password is one"),
    ] {
        let done = it.server.set_password(ADA, password);
        assert_eq!((done.status, done.stdout.as_str()), (Some(1), ""), "{password}");
        assert!(done.stderr.contains(problem), "{}", done.stderr);
        assert!(!done.stderr.contains("elf") && !done.stderr.contains("horse"), "{}", done.stderr);
    }
    let done = it.server.set_password("cy@example.org", PASSWORD);
    assert!(done.status == Some(1) && done.stderr.contains("cy@example.org"), "{}", done.stderr);
    let browser = Browser::new(&it.server);
    // Twelve of them; and the most. However their letters are put together, they are the same.
    for (set_to, typed) in [
        ("zwölf of 12 ü", "zwo\u{308}lf of 12 u\u{308}"),
        ("zwo\u{308}lf of 12 u\u{308}\r\n", "zwölf of 12 ü"),
        (&"x".repeat(1_024)[..], &"x".repeat(1_024)[..]),
    ] {
        set(&it.server, ADA, set_to);
        assert_eq!(sign_in(&browser, ADA, typed).status, 303, "{set_to}");
        browser.submit(&browser.get("/sign-in"), &[]);
    }
    // Without a server as well.
    let folder = TempDir::new().unwrap();
    folkmoot(&["user", "add", ADA], folder.path());
    let done = with_input(&["user", "password", ADA], folder.path(), PASSWORD);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
}

/// Whoever finds a browser that is signed in chooses no first password for its owner.
#[test]
fn a_first_password_is_chosen_soon_after_a_sign_in() {
    let at = |time: &'static str| ["--fixed-clock", time];
    let it = Setup::on(Server::start(TempDir::new().unwrap(), &at("2026-01-01T00:00:00Z")));
    let first = Browser::new(&it.server);
    first.sign_in(ADA);
    let cookies = first.into_cookies();
    let Setup { server, phone, site } = it;
    let server = server.kill_and_restart_with(&at("2026-01-01T00:15:01Z"));
    let browser = Browser::new(&server).with_cookies(cookies.clone());
    let late = browser.get("/sign-in/password");
    assert_eq!(late.status, 403);
    assert!(late.text().contains("Sign in again, by a link"), "{}", late.text());
    drop(browser);
    let server = server.kill_and_restart_with(&at("2026-01-01T00:15:00Z"));
    let it = Setup { server, phone, site };
    let browser = Browser::new(&it.server).with_cookies(cookies);
    let page = browser.get("/sign-in/password");
    assert!(page.text().contains("<h1>Choose a password</h1>"), "{}", page.text());
    // Nobody else's page sends it.
    let fields = [("new", PASSWORD), ("again", PASSWORD)];
    assert_eq!(browser.post("/sign-in/password", &fields).status, 403);
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self';") && policy.contains("frame-ancestors 'none'"));
    assert_eq!(browser.submit(&page, &fields).status, 303);
    assert!(is_signed_in(&browser, ADA));
    // Without a session there is nothing to change.
    let nobody = Browser::new(&it.server);
    assert_eq!(nobody.get("/sign-in/password").header("Location"), Some("/sign-in"));
    assert_eq!(sign_in(&nobody, ADA, PASSWORD).status, 303);
}

#[test]
fn a_name_is_of_the_tenant_that_the_application_is_of() {
    let (server, ..) = Server::with_two_tenants();
    let second = "11111111-2222-4333-8444-555555555555";
    let config = server.data.join("folkmoot.toml");
    let config = config.to_str().unwrap();
    let args = ["user", "password", ADA, "--tenant", second, "--config", config];
    let done = with_input(&args, &server.data, PASSWORD);
    assert_eq!(done.status, Some(0), "{}", done.stderr);
    set(&server, ADA, NEXT);
    let phone = ["--name", "phone", "--public", "--redirect", "http://localhost/signed-in"];
    let site = ["--name", "site", "--redirect", "https://site.example/x?y=z"];
    let phone = server.add_app(&[&phone[..], &["--tenant", second]].concat());
    let it = Setup { phone, site: server.add_app(&site), server };
    let browser = Browser::new(&it.server);
    assert_eq!(sign_in(&browser, ADA, PASSWORD).status, 403);
    let page = browser.get(&it.asked(&[]));
    for (password, status) in [(NEXT, 403), (PASSWORD, 303)] {
        let answer = browser.submit(&page, &[("name", ADA), ("password", password)]);
        assert_eq!(answer.status, status, "{}", answer.text());
    }
    assert!(!it.code(&browser).is_empty());
}
