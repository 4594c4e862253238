//! The keys that an issuer publishes (RFC 7517): those that can check a signature here.
//!
//! **Invariant:** which algorithms a key may be used with follows from the key itself; a secret is no
//! key of an issuer, so no signature is ever checked with one.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use super::jwt::Jwt;

/// Keys that are read of a set; the rest is left out.
const KEYS_MAX: usize = 100;
/// Bytes of the id of a key.
const KID_BYTES_MAX: usize = 512;
/// Bytes of an RSA modulus: 2,048 bits at least, 8,192 at most.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1_024;

const RSA: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
];

/// A public key.
#[derive(Debug)]
pub(super) struct Key {
    kid: String,
    /// Whose tokens it signs, where the set is of several issuers: Entra ID's own way.
    pub(super) issuer: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
    /// As it was published.
    jwk: Value,
}

impl Key {
    /// The key of a JWK; `None` for one that cannot check signatures here.
    fn of(jwk: &Value) -> Option<Key> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let kid = text("kid").filter(|it| it.len() <= KID_BYTES_MAX)?.to_owned();
        let signs = jwk.get("use").is_none_or(|it| it == "sig");
        let verifies = jwk.get("key_ops").is_none_or(|it| {
            it.as_array().is_some_and(|it| it.iter().any(|operation| operation == "verify"))
        });
        if !signs || !verifies {
            return None;
        }
        let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(text(name)?).ok();
        let point = |size: usize| {
            let (x, y) = (bytes("x")?, bytes("y")?);
            (x.len() == size && y.len() == size).then(|| [&[4][..], &x, &y].concat())
        };
        let (possible, decoding) = match (text("kty")?, text("crv")) {
            ("RSA", _) => {
                let (n, e) = (bytes("n")?, bytes("e")?);
                let size = n.iter().skip_while(|it| **it == 0).count();
                if !MODULUS_BYTES.contains(&size) {
                    return None;
                }
                (RSA, DecodingKey::from_rsa_raw_components(&n, &e))
            }
            ("EC", Some("P-256")) => {
                (&[Algorithm::ES256][..], DecodingKey::from_ec_der(&point(32)?))
            }
            ("EC", Some("P-384")) => {
                (&[Algorithm::ES384][..], DecodingKey::from_ec_der(&point(48)?))
            }
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x").filter(|it| it.len() == 32)?;
                (&[Algorithm::EdDSA][..], DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        let algorithms = match jwk.get("alg") {
            None => possible.to_vec(),
            Some(alg) => {
                let alg = alg.as_str()?.parse().ok()?;
                possible.iter().copied().filter(|it| *it == alg).collect()
            }
        };
        let issuer = text("issuer").map(str::to_owned);
        Some(Key { kid, issuer, algorithms, decoding, jwk: jwk.clone() })
    }

    /// Whether it has signed a token, by an algorithm that is both its own and one of `allowed`.
    pub(super) fn has_signed(&self, jwt: &Jwt<'_>, allowed: &[Algorithm]) -> bool {
        jwt.algorithm().is_some_and(|it| {
            self.algorithms.contains(&it)
                && allowed.contains(&it)
                && jwt.is_signed_by(&self.decoding, it)
        })
    }
}

/// The keys of an issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Arc<Key>>);

impl KeySet {
    /// Reads a JWK Set. A key that was there before, in `old`, is the same one still.
    pub(super) fn parse(body: &[u8], old: &KeySet) -> Result<KeySet, String> {
        let set: Value = serde_json::from_slice(body)
            .map_err(|error| format!("the keys are no JSON: {error}"))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("there are no 'keys'")?;
        let known = |jwk: &Value| old.0.iter().find(|it| it.jwk == *jwk).cloned();
        let keys: Vec<_> = keys
            .iter()
            .take(KEYS_MAX)
            .filter_map(|jwk| known(jwk).or_else(|| Key::of(jwk).map(Arc::new)))
            .collect();
        if keys.is_empty() {
            return Err("there is no key that signatures can be checked with".into());
        }
        Ok(KeySet(keys))
    }

    /// The key with this id.
    pub(super) fn find(&self, kid: &str) -> Option<&Arc<Key>> {
        self.0.iter().find(|it| it.kid == kid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_says_what_it_can_check() {
        let n = BASE64_URL_SAFE_NO_PAD.encode([0xff; 256]);
        let (x, long) =
            (BASE64_URL_SAFE_NO_PAD.encode([7; 32]), BASE64_URL_SAFE_NO_PAD.encode([7; 48]));
        let algorithms = |jwk: Value| Key::of(&jwk).map_or(0, |it| it.algorithms.len());
        let rsa = json!({"kty": "RSA", "kid": "k", "n": n, "e": "AQAB"});
        let with = |name: &str, value: Value| {
            let mut jwk = rsa.clone();
            jwk[name] = value;
            jwk
        };
        let ec = |crv: &str, x: &str| json!({"kty": "EC", "kid": "k", "crv": crv, "x": x, "y": x});
        for (jwk, expected) in [
            (rsa.clone(), 6),
            (with("alg", json!("PS256")), 1),
            (with("alg", json!("ES256")), 0),
            (with("alg", json!("HS256")), 0),
            (with("alg", json!("RSA-OAEP")), 0),
            (with("alg", json!(1)), 0),
            (with("use", json!("sig")), 6),
            (with("use", json!("enc")), 0),
            (with("key_ops", json!(["verify"])), 6),
            (with("key_ops", json!(["encrypt"])), 0),
            (with("kid", json!("k".repeat(513))), 0),
            (with("kid", json!(null)), 0),
            // 2,040 bits, and 2,048 of which the first eight are zero.
            (with("n", json!(BASE64_URL_SAFE_NO_PAD.encode([0xff; 255]))), 0),
            (with("n", json!(BASE64_URL_SAFE_NO_PAD.encode([&[0][..], &[0xff; 255]].concat()))), 0),
            (with("n", json!(BASE64_URL_SAFE_NO_PAD.encode([0xff; 1_025]))), 0),
            (with("kty", json!("oct")), 0),
            (json!({"kty": "oct", "kid": "k", "k": n, "alg": "HS256"}), 0),
            (ec("P-256", &x), 1),
            (ec("P-256", &long), 0),
            (ec("P-384", &long), 1),
            (ec("P-521", &long), 0),
            (ec("secp256k1", &x), 0),
            (json!({"kty": "OKP", "kid": "k", "crv": "Ed25519", "x": x}), 1),
            (json!({"kty": "OKP", "kid": "k", "crv": "X25519", "x": x}), 0),
            (json!([]), 0),
        ] {
            assert_eq!(algorithms(jwk.clone()), expected, "{jwk}");
        }
    }

    #[test]
    fn a_key_that_stays_is_the_same_one() {
        let key = |kid: &str| {
            json!({"kty": "OKP", "kid": kid, "crv": "Ed25519",
            "x": BASE64_URL_SAFE_NO_PAD.encode([7; 32])})
        };
        let set = |keys: Value| serde_json::to_vec(&json!({ "keys": keys })).unwrap();
        let first = KeySet::parse(&set(json!([key("a"), key("b")])), &KeySet::default()).unwrap();
        let weak = |it: &KeySet, kid| Arc::downgrade(it.find(kid).unwrap());
        let (a, b) = (weak(&first, "a"), weak(&first, "b"));
        let second = KeySet::parse(&set(json!([key("c"), key("b")])), &first).unwrap();
        drop(first);
        assert!(a.upgrade().is_none() && b.upgrade().is_some() && second.find("c").is_some());
        for body in [set(json!([])), set(json!([{"kty": "oct"}])), b"{}".to_vec(), b"x".to_vec()] {
            assert!(KeySet::parse(&body, &second).is_err());
        }
    }
}
