//! An ephemeral server: tokens for anybody, nothing kept.

use serde_json::json;
use tempfile::TempDir;

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
