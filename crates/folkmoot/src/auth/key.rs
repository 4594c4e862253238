//! The key that signs tokens: ES256 (RFC 7518, section 3.4).
//!
//! **Invariant:** the private key leaves this type only as the bytes that the store keeps.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;

/// A key that signs, and that checks what it has signed.
pub(crate) struct SigningKey {
    kid: String,
    encoding: EncodingKey,
    /// The public point, uncompressed: 0x04, x, y.
    public: Vec<u8>,
}

impl SigningKey {
    /// Makes a new key: its id and its PKCS #8 bytes.
    pub(crate) fn generate() -> Result<(String, Vec<u8>), aws_lc_rs::error::Unspecified> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        let pkcs8 = pair.to_pkcs8v1()?.as_ref().to_vec();
        // The id says nothing of the key but which one it is.
        let kid = BASE64_URL_SAFE_NO_PAD
            .encode(&blake3::hash(pair.public_key().as_ref()).as_bytes()[..15]);
        Ok((kid, pkcs8))
    }

    /// The key of these bytes.
    pub(crate) fn from_pkcs8(
        kid: String,
        pkcs8: &[u8],
    ) -> Result<SigningKey, aws_lc_rs::error::KeyRejected> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)?;
        let public = pair.public_key().as_ref().to_vec();
        Ok(SigningKey { kid, encoding: EncodingKey::from_ec_der(pkcs8), public })
    }

    /// Signs a token.
    pub(crate) fn mint(
        &self,
        claims: &impl Serialize,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &self.encoding)
    }

    /// Its id.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// What checks its signatures.
    pub(crate) fn decoding(&self) -> DecodingKey {
        DecodingKey::from_ec_der(&self.public)
    }

    /// The public key as a JWK (RFC 7517, section 4).
    pub(crate) fn jwk(&self) -> serde_json::Value {
        let point = &self.public[1..];
        let (x, y) = point.split_at(point.len() / 2);
        serde_json::json!({
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self.kid,
            "x": BASE64_URL_SAFE_NO_PAD.encode(x),
            "y": BASE64_URL_SAFE_NO_PAD.encode(y),
        })
    }
}
