//! An OpenID Connect issuer on this machine: keys, documents, tokens of any kind, and a count of what it is
//! asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Client, Server};

/// The application that servers under test are at the issuer.
pub(crate) const AUDIENCE: &str = "api://folkmoot";

/// A key pair that signs.
pub(crate) struct SignKey {
    pub(crate) kid: String,
    pair: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(rsa::KeyPair),
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The MAC of a text, as a symmetric algorithm would sign it.
pub(crate) fn mac(secret: &[u8], text: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    encode(hmac::sign(&key, text.as_bytes()))
}

impl SignKey {
    pub(crate) fn es256(kid: &str) -> SignKey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        SignKey { kid: kid.into(), pair: Pair::P256(pair) }
    }

    /// The key that a server signs its own tokens with.
    pub(crate) fn of(server: &Server) -> SignKey {
        let hex = if server.on_postgres() { "encode(secret, 'hex')" } else { "hex(secret)" };
        let rows = server.rows(&format!("select kid, {hex} from keys where purpose = 'tokens'"));
        let [kid, secret] = &rows[0][..] else { panic!("{rows:?}") };
        let byte = |at: usize| u8::from_str_radix(&secret[at..at + 2], 16).unwrap();
        let pkcs8: Vec<u8> = (0..secret.len()).step_by(2).map(byte).collect();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        SignKey { kid: kid.clone(), pair: Pair::P256(pair) }
    }

    pub(crate) fn es384(kid: &str) -> SignKey {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        SignKey { kid: kid.into(), pair: Pair::P384(pair) }
    }

    pub(crate) fn eddsa(kid: &str) -> SignKey {
        SignKey { kid: kid.into(), pair: Pair::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    pub(crate) fn rsa(kid: &str) -> SignKey {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
        SignKey { kid: kid.into(), pair: Pair::Rsa(pair) }
    }

    /// The algorithm that it signs by where nothing else is said.
    pub(crate) fn alg(&self) -> &'static str {
        match self.pair {
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed(_) => "EdDSA",
            Pair::Rsa(_) => "RS256",
        }
    }

    /// The public key, as it is published.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                let crv = if point.len() == 64 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())})
            }
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                json!({"kty": "RSA", "n": encode(n.big_endian_without_leading_zero()),
                    "e": encode(e.big_endian_without_leading_zero())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// The public key in the forms that a careless verifier takes for a secret.
    pub(crate) fn as_secrets(&self) -> Vec<Vec<u8>> {
        let raw = match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Ed(pair) => pair.public_key().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
                    pair.public_key().as_der().unwrap();
                let pem = base64::prelude::BASE64_STANDARD.encode(der.as_ref());
                let lines: Vec<_> =
                    pem.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
                let pem = format!(
                    "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
                    lines.join("\n")
                );
                let n = pair.public_key().modulus().big_endian_without_leading_zero().to_vec();
                return vec![pem.clone().into_bytes(), pem.trim().into(), der.as_ref().into(), n];
            }
        };
        let x = self.jwk()["x"].as_str().unwrap().as_bytes().to_vec();
        vec![raw.clone(), raw[1..].to_vec(), x, self.jwk().to_string().into_bytes()]
    }

    /// A token of exactly these texts.
    pub(crate) fn sign_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", encode(header), encode(claims));
        let rng = SystemRandom::new();
        let bytes = signed.as_bytes();
        let rsa = |pair: &rsa::KeyPair, padding: &'static dyn RsaEncoding| {
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &rng, bytes, &mut signature).unwrap();
            signature
        };
        let signature = match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&rng, bytes).unwrap().as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(bytes).as_ref().to_vec(),
            Pair::Rsa(pair) if header.contains("PS256") => rsa(pair, &RSA_PSS_SHA256),
            Pair::Rsa(pair) => rsa(pair, &RSA_PKCS1_SHA256),
        };
        format!("{signed}.{}", encode(signature))
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": self.alg(), "kid": self.kid, "typ": "JWT"});
        self.sign_text(&header.to_string(), &claims.to_string())
    }
}

/// An issuer that answers until it is stopped.
pub(crate) struct Issuer {
    address: String,
    /// As it writes itself.
    pub(crate) url: String,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// What is answered, by path: the head after the version, and the body.
    answers: Mutex<HashMap<String, (String, Vec<u8>)>>,
    asked: Mutex<Vec<String>>,
    stop: Mutex<bool>,
}

pub(crate) const DISCOVERY: &str = "/realm/.well-known/openid-configuration";
pub(crate) const KEYS: &str = "/realm/keys";

impl Issuer {
    /// An issuer that publishes these keys.
    pub(crate) fn start(keys: &[&SignKey]) -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let url = format!("http://{address}/realm");
        let mut issuer = Issuer { address, url, shared: Arc::default(), thread: None };
        issuer.publish(keys);
        issuer.document(&json!({}));
        issuer.serve(listener);
        issuer
    }

    fn serve(&mut self, listener: TcpListener) {
        *self.shared.stop.lock().unwrap() = false;
        let shared = self.shared.clone();
        self.thread = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), false) = (stream, *shared.stop.lock().unwrap()) else {
                    return;
                };
                let mut line = String::new();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let _ = reader.read_line(&mut line);
                let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
                // The rest of the head.
                while reader.read_line(&mut line).is_ok_and(|it| it > 2) {}
                shared.asked.lock().unwrap().push(path.clone());
                let answers = shared.answers.lock().unwrap();
                let nothing = ("404 Not Found".to_owned(), Vec::new());
                let (head, body) = answers.get(&path).unwrap_or(&nothing);
                let head = format!(
                    "HTTP/1.1 {head}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), body].concat());
            }
        }));
    }

    /// Stops to answer: who asks is refused.
    pub(crate) fn stop(&mut self) {
        *self.shared.stop.lock().unwrap() = true;
        // Wakes it.
        let _ = std::net::TcpStream::connect(&self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }

    /// Answers again, at the same address.
    pub(crate) fn go_on(&mut self) {
        let listener = TcpListener::bind(&self.address).unwrap();
        self.serve(listener);
    }

    /// Answers so at a path: the status and further headers, and the body.
    pub(crate) fn answer(&self, path: &str, head: &str, body: impl Into<Vec<u8>>) {
        self.shared.answers.lock().unwrap().insert(path.into(), (head.into(), body.into()));
    }

    /// Publishes these keys from now on.
    pub(crate) fn publish(&self, keys: &[&SignKey]) {
        let keys: Vec<_> = keys.iter().map(|it| it.jwk()).collect();
        self.publish_as(&json!({ "keys": keys }));
    }

    pub(crate) fn publish_as(&self, set: &Value) {
        self.answer(KEYS, "200 OK", set.to_string());
    }

    /// The discovery document, with these members in the place of its own.
    pub(crate) fn document(&self, other: &Value) {
        let mut document =
            json!({"issuer": self.url, "jwks_uri": format!("http://{}{KEYS}", self.address)});
        document.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        self.answer(DISCOVERY, "200 OK", document.to_string());
    }

    /// How often the discovery document was asked for, and the keys.
    pub(crate) fn asked(&self) -> (usize, usize) {
        let asked = self.shared.asked.lock().unwrap();
        let count = |path: &str| asked.iter().filter(|it| *it == path).count();
        (count(DISCOVERY), count(KEYS))
    }

    /// The claims of a good token for a user.
    pub(crate) fn claims(&self, sub: &str) -> Value {
        let now = now();
        json!({"iss": self.url, "aud": AUDIENCE, "sub": sub, "iat": now, "exp": now + 600,
            "scope": "openid Group.ReadWrite.All User.Read User.ReadBasic.All"})
    }

    /// Its section in the configuration file, with these lines too.
    pub(crate) fn section(&self, lines: &str) -> String {
        format!("[[issuer]]\nissuer = \"{}\"\naudience = \"{AUDIENCE}\"\n{lines}\n", self.url)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "tokens of the test are made now")]
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.unwrap().as_secs() as i64
}

impl Server {
    /// A server that keeps its data, with this configuration file.
    pub(crate) fn configured(config: &str) -> Server {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("folkmoot.toml");
        std::fs::write(&path, config).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Server::start(folder, &["--config", &path])
    }

    /// Another server on the same database and with the same configuration file, where the tests are run on
    /// PostgreSQL.
    pub(crate) fn configured_beside(&self) -> Option<Server> {
        let config = self.data.join("folkmoot.toml");
        let database = self.database.as_deref()?;
        Some(Server::on_database_with(database, &["--config", config.to_str().unwrap()]))
    }

    /// A client with this token.
    pub(crate) fn bearer(&self, token: String) -> Client {
        Client { token, ..self.anonymous() }
    }
}
