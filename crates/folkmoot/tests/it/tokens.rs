//! Tokens: what opens the door and what does not.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{Client, Server, folkmoot};

#[test]
fn without_a_good_token_there_is_401_and_how_to_authenticate() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let parts: Vec<_> = ada.token.split('.').collect();
    let mut claims: serde_json::Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
    claims["scp"] = json!("Directory.ReadWrite.All");
    let forged = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
    let stranger = Server::ephemeral().user("ada@example.org").token;
    ada.get("/v1.0/me").ok();
    for token in [
        String::new(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.{}.{}", parts[0], forged, parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        stranger,
    ] {
        let client = Client { token, ..ada.clone() };
        let answer = client.get("/v1.0/me");
        answer.refused(401, "InvalidAuthenticationToken");
        assert_eq!(answer.header("WWW-Authenticate"), Some("Bearer"));
    }
    let basic = [("Authorization", "Basic YTpi")];
    let answer = server.anonymous().send("GET", "/v1.0/me", &basic, b"");
    answer.refused(401, "InvalidAuthenticationToken");
    let lower = format!("bearer {}", ada.token);
    let answer = server.anonymous().send("GET", "/v1.0/me", &[("Authorization", &lower)], b"");
    answer.ok();
}

#[test]
fn an_expired_token_says_so_although_it_was_good_before() {
    let server = Server::durable();
    let done = folkmoot(&["token", "--user", "ada@example.org", "--ttl", "1s"], &server.data);
    let ada = Client { address: server.address.clone(), token: done.stdout.trim().to_owned() };
    // The token is good until its second is over; asked again and again, it is refused from then on.
    let started = std::time::Instant::now();
    loop {
        let answer = ada.get("/v1.0/me");
        if answer.status == 401 {
            let why = answer.refused(401, "InvalidAuthenticationToken");
            assert_eq!(why, "Lifetime validation failed, the token is expired.");
            break;
        }
        answer.ok();
        assert!(started.elapsed().as_secs() < 30, "the token is never refused");
    }
}

#[test]
fn a_public_url_is_the_issuer_of_tokens() {
    let server = Server::with(&["--public-url", "https://talk.example.org/"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let made = ada.post(&format!("/v1.0/groups/{group}/conversations"), &json!({"topic": "x"}));
    let location = made.header("Location").unwrap();
    assert!(location.starts_with("https://talk.example.org/v1.0/groups/"), "{location}");
}
