//! An ephemeral server: tokens for anybody, nothing kept.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;
use tempfile::TempDir;

use crate::support::browser::Browser;
use crate::support::issuer::query;
use crate::support::{BINARY, Client, Server};

#[test]
fn the_token_endpoint_takes_any_client() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral"]);
    let anonymous = server.anonymous();
    let tenant = "7b1c9c3e-0000-4000-8000-000000000001";
    let document = anonymous.get(&format!("/{tenant}/v2.0/.well-known/openid-configuration")).ok();
    let origin = format!("http://{}", server.address);
    assert_eq!(document["issuer"], format!("{origin}/{tenant}/v2.0"));
    let endpoint = document["token_endpoint"].as_str().unwrap().strip_prefix(&origin).unwrap();
    let ask = |form: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        anonymous.send("POST", endpoint, &headers, form.as_bytes())
    };
    let scope = "scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&x-client-sku=any";
    let app =
        ask(&format!("client_id=any&client_secret=any&grant_type=client_credentials&{scope}")).ok();
    assert_eq!(app["token_type"], "Bearer");
    assert!(app["expires_in"].as_i64().unwrap() > 3_000);
    let client = |answer: &serde_json::Value| Client {
        address: server.address.clone(),
        token: answer["access_token"].as_str().unwrap().to_owned(),
    };
    let group = client(&app).group("readers", "Public");
    let user = ask(&format!(
        "client_id=any&grant_type=password&username=ada%40example.org&password=any&{scope}"
    ));
    let ada = client(&user.ok());
    assert_eq!(ada.get("/v1.0/me").ok()["userPrincipalName"], "ada@example.org");
    // Whatever tenant was named, it is the one that tokens of other ways are of.
    ada.talk(&group, "x", "y");
    server.user("bo@example.org").get(&format!("/v1.0/groups/{group}/conversations")).ok();
    let refused = ask("client_id=any&grant_type=magic");
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"], "unsupported_grant_type");
    let keys = document["jwks_uri"].as_str().unwrap().strip_prefix(&origin).unwrap();
    assert_eq!(anonymous.get(keys).ok()["keys"][0]["crv"], "P-256");
}

/// Whoever is named, for any application, with what is checked of a code everywhere.
#[test]
fn anybody_signs_in_at_an_application_on_this_machine() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral"]);
    let browser = Browser::new(&server);
    // Of RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let redirect = "http://localhost:4711/signed-in";
    let asked = |other: &[(&'static str, &'static str)]| {
        let fields = [
            ("client_id", "any"),
            ("redirect_uri", redirect),
            ("response_type", "code"),
            ("scope", "openid offline_access https://graph.microsoft.com/.default"),
            ("state", "a b"),
            ("nonce", "once"),
            ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
            ("code_challenge_method", "S256"),
        ];
        let kept = fields.iter().filter(|(it, _)| !other.iter().any(|(name, _)| name == it));
        let fields: Vec<_> = kept.chain(other).copied().filter(|(_, it)| !it.is_empty()).collect();
        format!("/common/oauth2/v2.0/authorize?{}", query(&fields))
    };
    let location = |answer: &crate::support::Response| {
        assert_eq!(answer.status, 303, "{}", answer.text());
        answer.header("Location").unwrap().to_owned()
    };
    let code = |location: &str| {
        let code = location.strip_prefix(&format!("{redirect}?code=")).expect(location);
        code.strip_suffix("&state=a%20b").expect(location).to_owned()
    };
    let redeem = |code: &str, other: &[(&str, &str)]| {
        let fields = [
            ("client_id", "any"),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("client_info", "1"),
        ];
        server.ask_token("common", &[&fields[..], other].concat())
    };
    let proof = [("code_verifier", verifier)];
    let first = code(&location(&browser.get(&asked(&[("login_hint", "ada@example.org")]))));
    redeem(&first, &[]).refused_oauth(400, "invalid_request", 9_002_325);
    redeem(&first, &[("code_verifier", redirect)]).refused_oauth(400, "invalid_grant", 501_481);
    let answer = redeem(&first, &proof);
    let tokens = answer.ok();
    redeem(&first, &proof).refused_oauth(400, "invalid_grant", 54_005);
    assert!(tokens["client_info"].is_string());
    let payload = tokens["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap();
    let who: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((&who["aud"], &who["nonce"]), (&json!("any"), &json!("once")));
    assert_eq!(who["preferred_username"], "ada@example.org");
    let ada = server.with_answer(&answer);
    // It is the user whom other ways to a token name so.
    assert_eq!(ada.me(), server.user("ada@example.org").me());
    ada.group("readers", "Public");

    // Without a hint a name is asked for, and taken as it is.
    let page = browser.get(&asked(&[("prompt", "select_account")]));
    assert!(page.text().contains("<h1>Who signs in?</h1>"), "{}", page.text());
    let policy = page.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("form-action 'self' http://localhost:4711;"), "{policy}");
    let bad = browser.submit(&page, &[("login_hint", "<b>")]);
    assert!(
        bad.text().contains("must look like name@domain, which &#39;&lt;b&gt;"),
        "{}",
        bad.text()
    );
    let second = code(&location(&browser.submit(&bad, &[("login_hint", "bo@example.org")])));
    let answer = redeem(&second, &proof);
    assert_eq!(server.with_answer(&answer).get("/v1.0/me").ok()["displayName"], "bo");
    let refresh = answer.ok()["refresh_token"].as_str().unwrap().to_owned();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh)];
    let again =
        |client| server.ask_token("common", &[&[("client_id", client)], &fields[..]].concat());
    again("other").refused_oauth(400, "invalid_grant", 70_000);
    server.with_answer(&again("any")).get("/v1.0/me").ok();

    // Permissions are those that are named; a secret takes the place of a proof.
    let some = [
        ("scope", "User.Read Mail.Read"),
        ("code_challenge", ""),
        ("code_challenge_method", ""),
        ("login_hint", "ada@example.org"),
    ];
    let third = code(&location(&browser.get(&asked(&some))));
    let answer = redeem(&third, &[("client_secret", "any")]);
    assert_eq!(answer.ok()["scope"], "User.Read");
    server.with_answer(&answer).get("/v1.0/groups").refused(403, "ErrorAccessDenied");

    let silent = location(&browser.get(&asked(&[("prompt", "none")])));
    assert!(silent.contains("?error=login_required&"), "{silent}");
    let fragment = [("response_mode", "fragment"), ("login_hint", "ada@example.org")];
    assert!(location(&browser.get(&asked(&fragment))).starts_with(&format!("{redirect}#code=")));
    for elsewhere in [
        "https://evil.example/x",
        "http://localhost.evil.example/x",
        "https://localhost@evil.example/x",
        "org.example.app:/x",
        "//localhost/x",
        "http://localhost/\r\nSet-Cookie: x=y",
    ] {
        let answer = browser.get(&asked(&[("redirect_uri", elsewhere)]));
        assert_eq!(answer.status, 400, "{elsewhere}");
        assert!(answer.text().contains("AADSTS50011: ") && answer.header("Location").is_none());
        assert!(answer.header("Set-Cookie").is_none());
    }
}

/// What a discovery document names is there, and pages elsewhere may read what they are to read.
#[test]
fn what_discovery_names_answers() {
    for args in [&["--ephemeral"][..], &[]] {
        let server = Server::start(TempDir::new().unwrap(), args);
        let anonymous = server.anonymous();
        let page = [("Origin", "https://page.example")];
        let path = "/common/v2.0/.well-known/openid-configuration";
        let document = anonymous.send("GET", path, &page, b"");
        assert_eq!(document.header("Access-Control-Allow-Origin"), Some("*"));
        let document = document.ok();
        let mut named = Vec::new();
        for (name, value) in document.as_object().unwrap() {
            let Some(path) = value.as_str().and_then(|it| it.strip_prefix("http://")) else {
                continue;
            };
            let path = path.strip_prefix(&server.address).unwrap();
            let (status, answer) = match name.as_str() {
                "issuer" => continue,
                "jwks_uri" => (200, anonymous.send("GET", path, &page, b"")),
                "authorization_endpoint" => (400, anonymous.get(path)),
                "token_endpoint" => (400, server.post_form(path, &[], &[])),
                other => panic!("{other} is not asked here"),
            };
            assert_eq!(answer.status, status, "{name}: {}", answer.text());
            if name == "jwks_uri" {
                assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
            } else {
                assert!(answer.text().contains("AADSTS900144"), "{name}: {}", answer.text());
            }
            named.push(name.clone());
        }
        assert_eq!(named, ["authorization_endpoint", "jwks_uri", "token_endpoint"]);
    }
}

/// Any page may ask for tokens here, and none elsewhere that it is not a page of (`sign_in/pages.rs`).
#[test]
fn pages_of_any_origin_get_tokens() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral"]);
    let path = "/common/oauth2/v2.0/token";
    let page = [("Origin", "https://page.example")];
    let fields = [("client_id", "any"), ("grant_type", "client_credentials")];
    let answer = server.post_form(path, &page, &fields);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("*"));
    assert!(answer.header("Access-Control-Allow-Credentials").is_none());
    answer.ok();
    let asked = server.anonymous().send("OPTIONS", path, &page, b"");
    assert_eq!((asked.status, asked.header("Access-Control-Allow-Origin")), (204, Some("*")));
}

#[test]
fn test_tokens_are_not_for_pages_in_a_browser() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral"]);
    let anonymous = server.anonymous();
    let body = br#"{"user":"ada@example.org"}"#;
    let ask = |headers: &[(&str, &str)]| anonymous.send("POST", "/_test/token", headers, body);
    let json = ("Content-Type", "application/json");
    assert_eq!(ask(&[json]).status, 200);
    assert!(ask(&[json]).header("Access-Control-Allow-Origin").is_none());
    assert_eq!(ask(&[("Content-Type", "text/plain")]).status, 415);
    let answer = anonymous.post("/_test/token", &json!({"user": "a@b.c", "app": "x"}));
    assert_eq!(answer.status, 400);
    for body in [json!({"user": "a@b.c", "roles": []}), json!({"app": "x", "scopes": []})] {
        assert_eq!(anonymous.post("/_test/token", &body).status, 400, "{body}");
    }
    // A page elsewhere whose name resolves to this machine.
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /_test/token HTTP/1.1\r\nHost: evil.example\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = String::new();
    std::io::Write::write_all(&mut stream, &[head.as_bytes(), body].concat()).unwrap();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[test]
fn nothing_is_kept_and_a_durable_server_has_no_such_doors() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().to_owned();
    let server = Server::start(folder, &["--ephemeral"]);
    server.user("ada@example.org").group("readers", "Public");
    assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "nothing but ca.pem is put there");
    let durable = Server::durable();
    let body = json!({"user": "ada@example.org"});
    assert_eq!(durable.anonymous().post("/_test/token", &body).status, 404);
    let password =
        [("client_id", "any"), ("grant_type", "password"), ("username", "ada@example.org")];
    let answer = durable.ask_token("common", &password);
    answer.refused_oauth(400, "unauthorized_client", 700_016);
    for flag in [["--store", "sqlite"], ["--blobs", "file"]] {
        let output = std::process::Command::new(BINARY)
            .args(["serve", "--ephemeral", "--listen", "127.0.0.1:0"])
            .args(flag)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{flag:?}");
    }
}

#[test]
fn a_fixed_clock_gives_the_same_bytes_in_every_run() {
    let run = || {
        let args = ["--ephemeral", "--fixed-clock", "2026-01-01T00:00:00Z"];
        let server = Server::start(TempDir::new().unwrap(), &args);
        let ada = server.user("ada@example.org");
        let group = ada.group("readers", "Public");
        ada.talk(&group, "x", "y");
        let list = ada.get(&format!("/v1.0/groups/{group}/threads?$expand=posts")).text();
        list.replace(&server.address, "HOST")
    };
    let first = run();
    assert!(first.contains("\"lastDeliveredDateTime\":\"2026-01-01T00:00:00Z\""), "{first}");
    assert_eq!(first, run());
}

#[test]
fn a_token_has_the_permissions_that_were_asked_for_and_no_more() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral"]);
    let anonymous = server.anonymous();
    let client = |body: &serde_json::Value| {
        let answer = anonymous.post("/_test/token", body).ok();
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Client { address: server.address.clone(), token }
    };
    client(&json!({"user": "ada@example.org"})).group("readers", "Public");
    for scopes in [json!([]), json!(["Mail.Read", "Files.ReadWrite"])] {
        let none = client(&json!({"user": "ada@example.org", "scopes": scopes}));
        none.get("/v1.0/groups").refused(403, "ErrorAccessDenied");
    }
    client(&json!({"app": "robot", "roles": []}))
        .get("/v1.0/groups")
        .refused(403, "ErrorAccessDenied");
    // With User.Read alone, a user reads of themself.
    let reads = client(&json!({"user": "ada@example.org", "scopes": ["User.Read"]}));
    let id = reads.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    reads.get(&format!("/v1.0/users/{id}")).ok();
    reads.get(&format!("/v1.0/users/{id}/memberOf")).ok();
    client(&json!({"user": "bo@example.org"}));
    reads.get("/v1.0/users/bo@example.org").refused(403, "ErrorAccessDenied");
    reads.get("/v1.0/users/bo@example.org/memberOf").refused(403, "ErrorAccessDenied");
}

#[test]
fn an_ephemeral_server_takes_no_store_from_the_file() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    std::fs::write(&config, "store = \"postgres://nobody@127.0.0.1:1/none\"\n").unwrap();
    let output = std::process::Command::new(BINARY)
        .args(["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("--ephemeral keeps nothing"), "{stderr}");
}
