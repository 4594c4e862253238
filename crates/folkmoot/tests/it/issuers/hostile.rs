//! Tokens that somebody has tampered with: none of them opens the door, be they made to look like this
//! server's own or like another issuer's.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::with;
use crate::support::Server;
use crate::support::other_issuer::{AUDIENCE, Issuer, SignKey, encode, mac, now};

const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

/// A server, a key that it believes, and the claims of a good token.
struct Target {
    what: &'static str,
    server: Server,
    key: SignKey,
    claims: Value,
    _issuer: Option<Issuer>,
}

impl Target {
    /// This server's own tokens.
    fn own() -> Target {
        let server = Server::durable();
        let token = server.user("ada@example.org").token;
        let claims = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        let (key, claims) = (SignKey::of(&server), serde_json::from_slice(&claims).unwrap());
        Target { what: "own", server, key, claims, _issuer: None }
    }

    /// Another issuer's, signed by this key.
    fn other(what: &'static str, key: SignKey) -> Target {
        let issuer = Issuer::start(&[&key]);
        let lines = format!("allowed_tenants = [\"{TENANT}\"]");
        let server = Server::configured(&issuer.section(&lines));
        let claims = with(with(issuer.claims("ada"), "tid", json!(TENANT)), "nbf", json!(now()));
        Target { what, server, key, claims, _issuer: Some(issuer) }
    }

    fn header(&self) -> Value {
        json!({"alg": self.key.alg(), "kid": self.key.kid, "typ": "JWT"})
    }

    /// A token that is well signed, with this in its header.
    fn headed(&self, name: &str, value: Value) -> String {
        self.key.sign_text(&with(self.header(), name, value).to_string(), &self.claims.to_string())
    }

    /// A token that is well signed, with this among its claims.
    fn claiming(&self, name: &str, value: Value) -> String {
        self.key.sign(&with(self.claims.clone(), name, value))
    }

    #[track_caller]
    fn refuses(&self, what: &str, token: &str) {
        let answer = self.server.bearer(token.to_owned()).get("/v1.0/me");
        assert_eq!(answer.status, 401, "{}: {what}: {}", self.what, answer.text());
        answer.refused(401, "InvalidAuthenticationToken");
    }
}

fn targets() -> [Target; 3] {
    let targets = [
        Target::own(),
        Target::other("RSA", SignKey::rsa("kid-1")),
        Target::other("EC", SignKey::es256("kid-1")),
    ];
    for it in &targets {
        // Everything below is refused for what is wrong with it, not for what it is made from.
        it.server.bearer(it.key.sign(&it.claims)).get("/v1.0/me").ok();
    }
    targets
}

#[test]
fn the_algorithm_is_the_keys_own() {
    for it in targets() {
        let claims = it.claims.to_string();
        let good = it.key.sign(&it.claims);
        let signature = good.rsplit('.').next().unwrap();
        let unsigned = |alg: &str| {
            let header = with(it.header(), "alg", json!(alg)).to_string();
            format!("{}.{}", encode(header), encode(&claims))
        };
        for alg in [
            "none",
            "None",
            "NONE",
            "nOnE",
            "",
            "HS256",
            "ES256K",
            "RS1",
            "dir",
            "PBES2-HS256+A128KW",
        ] {
            for signature in ["", "AA", signature] {
                it.refuses(alg, &format!("{}.{signature}", unsigned(alg)));
            }
        }
        // The public key as a secret, in every form in which it is passed around.
        let mut secrets = it.key.as_secrets();
        secrets.extend([vec![], vec![0], b"null".to_vec(), it.key.kid.clone().into_bytes()]);
        for secret in &secrets {
            let signed = unsigned("HS256");
            it.refuses("public key as secret", &format!("{signed}.{}", mac(secret, &signed)));
        }
        // Well signed, by another name.
        for alg in
            ["ES384", "ES512", "RS512", "PS384", "EdDSA", "HS256", "es256", "rs256", "RS256 "]
        {
            it.refuses(alg, &it.headed("alg", json!(alg)));
        }
        for alg in [json!(null), json!(7), json!([it.key.alg()]), json!({})] {
            it.refuses("alg", &it.headed("alg", alg));
        }
        let stranger = SignKey::rsa(&it.key.kid);
        for key in [stranger, SignKey::es256(&it.key.kid), SignKey::eddsa(&it.key.kid)] {
            it.refuses("a stranger's key under its name", &key.sign(&it.claims));
        }
    }
}

#[test]
fn the_id_of_a_key_is_only_looked_up() {
    for it in targets() {
        let kid = it.key.kid.clone();
        let stranger = SignKey::es256("x");
        for id in [
            json!(null),
            json!(""),
            json!("../../../../../../dev/null"),
            json!("/dev/null"),
            json!("file:///proc/self/environ"),
            json!("http://127.0.0.1:1/keys"),
            json!("' or '1'='1"),
            json!("x' union select 'AAAA'; drop table keys; --"),
            json!("| sleep 10"),
            json!("{{7*7}}"),
            json!(format!("{kid}\u{0}")),
            json!(format!("{kid}/../{kid}")),
            json!(format!(" {kid}")),
            json!(kid[..kid.len() - 1]),
            json!(format!("{kid}x")),
            json!("K".repeat(8_000)),
            json!([kid]),
            json!({"$ne": null}),
            json!(0),
            json!(true),
        ] {
            it.refuses("kid, well signed", &it.headed("kid", id.clone()));
            let header = with(with(it.header(), "kid", id.clone()), "alg", json!("ES256"));
            let claims = it.claims.to_string();
            it.refuses("kid, a stranger's", &stranger.sign_text(&header.to_string(), &claims));
            // What is read from a path that is empty is an empty secret.
            let header = with(header, "alg", json!("HS256")).to_string();
            let signed = format!("{}.{}", encode(header), encode(&claims));
            it.refuses("kid, an empty secret", &format!("{signed}.{}", mac(b"", &signed)));
        }
        it.server.user("bo@example.org").get("/v1.0/me").ok();
    }
}

#[test]
fn keys_that_a_token_brings_are_not_looked_at() {
    let evil = SignKey::es256("evil");
    let trap = Issuer::start(&[&evil]);
    let keys = trap.url.clone() + "/keys";
    for it in targets() {
        for kid in [it.key.kid.as_str(), "evil"] {
            for (name, value) in [
                ("jwk", evil.jwk()),
                ("jku", json!(keys)),
                ("x5u", json!(keys)),
                ("x5c", json!(["MIIB"])),
                ("x5t", json!("AAAA")),
                ("iss", json!(trap.url)),
            ] {
                let header = json!({"alg": "ES256", "kid": kid, name: value});
                it.refuses(name, &evil.sign_text(&header.to_string(), &it.claims.to_string()));
                let claims = with(it.claims.clone(), "iss", json!(trap.url)).to_string();
                it.refuses(name, &evil.sign_text(&header.to_string(), &claims));
            }
        }
        // Beside a good signature they do no harm.
        for (name, value) in [("jwk", evil.jwk()), ("jku", json!(keys)), ("x5u", json!(keys))] {
            it.server.bearer(it.headed(name, value)).get("/v1.0/me").ok();
        }
    }
    assert_eq!(trap.asked(), (0, 0));
}

#[test]
fn a_token_has_one_reading() {
    for it in targets() {
        let (header, claims) = (it.header().to_string(), it.claims.to_string());
        let again = |text: &str, member: &str| format!("{{{member},{}", &text[1..]);
        for member in [
            "\"exp\":9999999999",
            "\"sub\":\"root\"",
            "\"aud\":\"x\"",
            "\"iss\":\"x\"",
            "\"\\u0069ss\":\"x\"",
        ] {
            it.refuses(member, &it.key.sign_text(&header, &again(&claims, member)));
        }
        for member in ["\"alg\":\"none\"", "\"kid\":\"x\"", "\"\\u0061lg\":\"none\""] {
            it.refuses(member, &it.key.sign_text(&again(&header, member), &claims));
        }
        for (name, value) in [
            ("crit", json!(["exp"])),
            ("crit", json!([])),
            ("crit", json!(["b64"])),
            ("typ", json!("logout+jwt")),
            ("typ", json!("application/secevent+jwt")),
            ("typ", json!("dpop+jwt")),
            ("typ", json!("id+jwt")),
            ("typ", json!("JWE")),
            ("typ", json!("")),
            ("typ", json!("at+jwt\u{0}")),
            ("typ", json!(["JWT"])),
        ] {
            it.refuses(name, &it.headed(name, value));
        }
        let deep = format!("{{\"x\":{}1{},{}", "[".repeat(3_000), "]".repeat(3_000), &claims[1..]);
        for (what, header, claims) in [
            ("deep", &*header, &*deep),
            ("two texts", &header, &format!("{claims}{{}}")),
            ("no object", &header, "[]"),
            ("nothing", &header, ""),
            ("no JSON", &header, "{'exp':1}"),
            ("a byte order mark", &header, &format!("\u{feff}{claims}")),
            ("a token inside", &header, &it.key.sign(&it.claims)),
            ("a header in a list", &format!("[{header}]"), &claims),
        ] {
            it.refuses(what, &it.key.sign_text(header, claims));
        }
    }
}

#[test]
fn a_signature_is_there_whole_or_not_at_all() {
    for it in targets() {
        let good = it.key.sign(&it.claims);
        let (signed, signature) = good.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let mut turned = bytes.clone();
        turned[10] ^= 1;
        let zeros = vec![0; bytes.len()];
        let mut forged: Vec<String> = [
            &[][..],
            &zeros,
            &turned,
            &bytes[1..],
            &bytes[..bytes.len() - 1],
            &[&bytes[..], &[0]].concat(),
            &[&[0], &bytes[..]].concat(),
            // A structure with two zeros in it, as ASN.1 has it.
            &[0x30, 6, 2, 1, 0, 2, 1, 0],
        ]
        .iter()
        .map(|it| format!("{signed}.{}", encode(it)))
        .collect();
        let more = with(it.claims.clone(), "scp", json!("Directory.ReadWrite.All")).to_string();
        forged.extend([
            format!("{header}.{}.{signature}", encode(more)),
            format!("{signed}.{signature}="),
            format!("{signed}.{}", BASE64_STANDARD.encode(&bytes) + "=="),
            format!("{signed}.{signature}.{signature}"),
            format!("{signed}..{signature}"),
            format!(".{signed}.{signature}"),
            format!("{header}.{signature}"),
            format!("{header}.{claims}.{signature}.{claims}.{header}"),
            format!("{header}..{signature}"),
            format!("{signed} .{signature}"),
            signed.to_owned(),
            json!({"protected": header, "payload": claims, "signature": signature}).to_string(),
        ]);
        for token in forged {
            it.refuses(&token, &token);
        }
    }
}

#[test]
fn a_token_is_of_a_bounded_size() {
    for it in targets() {
        let sized = |bytes: usize| {
            let padded = |count| it.claiming("padding", json!("x".repeat(count)));
            let more = (bytes - padded(0).len()) * 3 / 4;
            padded(more)
        };
        let (good, large) = (sized(16 * 1024), sized(16 * 1024 + 8));
        assert!(good.len() <= 16 * 1024 && large.len() > 16 * 1024);
        it.server.bearer(good).get("/v1.0/me").ok();
        it.refuses("too large", &large);
        it.refuses("much too large", &sized(48 * 1024));
    }
}

#[test]
fn claims_are_what_they_must_be() {
    for it in targets() {
        let text = |name: &str| it.claims[name].as_str().unwrap().to_owned();
        let (iss, aud) = (text("iss"), text("aud"));
        let far = now() + 4_000;
        for (name, values) in [
            (
                "exp",
                vec![
                    json!(now() - 400),
                    json!(0),
                    json!(-1),
                    json!("9999999999"),
                    json!([far]),
                    json!({}),
                    json!(true),
                    json!(false),
                    Value::Null,
                ],
            ),
            ("nbf", vec![json!(far), json!("0"), json!([0]), json!(true), json!(1e300)]),
            (
                "iss",
                vec![
                    json!([iss]),
                    json!({ "x": iss }),
                    json!(""),
                    json!(7),
                    Value::Null,
                    json!(format!("{iss}/")),
                    json!(format!("{iss}x")),
                    json!(format!("{iss}\u{0}")),
                    json!(format!("{iss} ")),
                    json!(iss.to_uppercase()),
                    json!(iss[..iss.len() - 1]),
                    json!(format!("{iss}?x")),
                    json!(format!("{iss}/../x")),
                ],
            ),
            (
                "aud",
                vec![
                    json!(["x"]),
                    json!([]),
                    json!([[aud]]),
                    json!({ "x": aud }),
                    json!(""),
                    json!(7),
                    Value::Null,
                    json!(format!("{aud}x")),
                    json!(aud[..aud.len() - 1]),
                    json!(aud.to_uppercase()),
                    json!(format!("x {aud}")),
                    json!(format!("{aud}\u{0}")),
                    json!(format!("{aud}.example.org")),
                ],
            ),
            (
                "tid",
                vec![
                    json!("72f988bf-86f1-41af-91ab-2d7cd011db48"),
                    json!("x"),
                    json!(""),
                    json!([TENANT]),
                    Value::Null,
                    json!("common"),
                    json!(format!("{TENANT}/..")),
                ],
            ),
            (
                "oid",
                if it.what == "own" { vec![json!("me"), json!(""), Value::Null] } else { vec![] },
            ),
        ] {
            for value in values {
                let what = format!("{name}: {value}");
                it.refuses(&what, &it.claiming(name, value));
            }
        }
    }
}

/// What an issuer signs for the same application, and what is no access token of a bearer.
#[test]
fn other_tokens_of_an_issuer_are_no_access_tokens() {
    let it = Target::other("EC", SignKey::es256("kid-1"));
    assert_eq!(it.claims["aud"], AUDIENCE);
    it.server.bearer(it.claiming("typ", json!("Bearer"))).get("/v1.0/me").ok();
    for (name, value) in [
        ("typ", json!("ID")),
        ("typ", json!("Refresh")),
        ("typ", json!("Offline")),
        ("typ", json!("Logout")),
        ("typ", json!("DPoP")),
        ("typ", json!(7)),
        ("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"})),
        ("cnf", json!(null)),
    ] {
        let claims = {
            let mut claims = it.claims.clone();
            claims[name] = value.clone();
            claims
        };
        it.refuses(&format!("{name}: {value}"), &it.key.sign(&claims));
    }
    // An identity token of the same application has no scopes: it may do nothing.
    let claims = with(with(it.claims.clone(), "scope", Value::Null), "nonce", json!("n"));
    it.server.bearer(it.key.sign(&claims)).get("/v1.0/me").refused(403, "ErrorAccessDenied");
}
