//! A JSON Web Token in its compact form (RFC 7515, section 7.1), taken apart.
//!
//! **Invariant:** a text is read in one way or refused: no name twice, no header that would have to be
//! understood, no other type of token. Nothing of it is believed yet; keys and addresses of keys that a
//! token brings along are not looked at.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::TokenError;

/// Longer tokens are not looked at.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// A token that was not checked.
#[derive(Debug)]
pub(super) struct Jwt<'t> {
    alg: String,
    /// The key that it says it is signed with.
    pub(super) kid: Option<String>,
    claims: Map<String, Value>,
    signed: &'t str,
    signature: &'t str,
}

impl<'t> Jwt<'t> {
    /// Takes a token apart.
    pub(super) fn parse(token: &'t str) -> Result<Jwt<'t>, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let (mut header, claims) = (object(header)?, object(claims)?);
        // RFC 7515, section 4.1.11: what must be understood and is not.
        if header.contains_key("crit") {
            return Err(TokenError::Refused(
                "its header has 'crit', of which nothing is known here",
            ));
        }
        let mut text = |name: &str| match header.remove(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(TokenError::Malformed),
        };
        // RFC 8725, section 3.11: an identity token or a logout token is no access token.
        if let Some(typ) = text("typ")? {
            let known = ["JWT", "at+jwt", "application/at+jwt"];
            if !known.iter().any(|it| it.eq_ignore_ascii_case(&typ)) {
                return Err(TokenError::Refused("its 'typ' is neither JWT nor at+jwt"));
            }
        }
        let alg = text("alg")?.ok_or(TokenError::Malformed)?;
        let kid = text("kid")?;
        Ok(Jwt { alg, kid, claims, signed, signature })
    }

    /// The algorithm that its header names, if it is one that is known.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.alg.parse().ok()
    }

    /// Whether `key` has signed it by `algorithm`.
    pub(super) fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        let signed = self.signed.as_bytes();
        jsonwebtoken::crypto::verify(self.signature, signed, key, algorithm).unwrap_or(false)
    }

    /// A claim.
    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    /// A claim that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.claim(name)?.as_str()
    }

    /// A claim that is a text, or a list of texts; others in the list are left out.
    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        match self.claim(name)? {
            Value::String(text) => Some(vec![text]),
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect()),
            _ => None,
        }
    }

    /// A time in seconds since 1970 (RFC 7519, section 2: NumericDate, which may have a fraction).
    pub(super) fn time(&self, name: &str) -> Result<Option<i64>, TokenError> {
        match self.claim(name) {
            None => Ok(None),
            Some(Value::Number(number)) => {
                // What is out of range becomes the first or the last second that there is.
                let seconds = number.as_i64().or_else(|| number.as_f64().map(|it| it as i64));
                seconds.map(Some).ok_or(TokenError::Malformed)
            }
            Some(_) => Err(TokenError::Refused("one of its times is not a number")),
        }
    }
}

/// The JSON object that a part of a token holds.
fn object(part: &str) -> Result<Map<String, Value>, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    let Unique(object) = serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)?;
    Ok(object)
}

/// An object with each name once: of two, one reader takes the first and another the last.
struct Unique(Map<String, Value>);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Unique, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Unique;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Unique, A::Error> {
                let mut object = Map::new();
                while let Some((name, value)) = members.next_entry::<String, Value>()? {
                    if object.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands in it twice"));
                    }
                }
                Ok(Unique(object))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(header: &str, claims: &str) -> Result<Option<i64>, TokenError> {
        let encode = |it: &str| BASE64_URL_SAFE_NO_PAD.encode(it);
        let token = format!("{}.{}.c2ln", encode(header), encode(claims));
        Jwt::parse(&token)?.time("exp")
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let good = r#"{"alg":"ES256","kid":"k"}"#;
        assert_eq!(parse(good, r#"{"exp":1}"#), Ok(Some(1)));
        for (header, claims) in [
            (good, r#"{"exp":1,"exp":2}"#),
            (good, r#"{"exp":1,"\u0065xp":2}"#),
            (r#"{"alg":"ES256","alg":"none"}"#, "{}"),
            (r#"{"alg":"ES256","crit":["exp"]}"#, "{}"),
            (r#"{"alg":"ES256","crit":[]}"#, "{}"),
            (r#"{"alg":["ES256"]}"#, "{}"),
            (r#"{"alg":"ES256","kid":1}"#, "{}"),
            (r#"{"alg":"ES256","typ":"logout+jwt"}"#, "{}"),
            (r#"{"alg":"ES256","typ":"id_token"}"#, "{}"),
            (r#"{"alg":"ES256","typ":{}}"#, "{}"),
            ("{}", "{}"),
            (good, "{} {}"),
            (good, "[]"),
            (good, "1"),
            (good, ""),
            (good, r#"{"exp":"1"}"#),
        ] {
            assert!(parse(header, claims).is_err(), "{header} {claims}");
        }
        for typ in ["jwt", "JWT", "at+jwt", "application/at+jwt"] {
            assert!(parse(&format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#), "{}").is_ok(), "{typ}");
        }
    }

    #[test]
    fn times_may_have_a_fraction_and_be_far_away() {
        let header = r#"{"alg":"ES256"}"#;
        for (claims, expected) in [
            (r#"{"exp":1.9}"#, Some(1)),
            (r#"{"exp":1e300}"#, Some(i64::MAX)),
            (r#"{"exp":-1e300}"#, Some(i64::MIN)),
            (r#"{"exp":18446744073709551615}"#, Some(i64::MAX)),
            ("{}", None),
        ] {
            assert_eq!(parse(header, claims), Ok(expected), "{claims}");
        }
    }

    #[test]
    fn a_text_that_is_no_token_is_refused() {
        let long = format!("e30.e30.{}", "A".repeat(TOKEN_BYTES_MAX));
        for text in ["", ".", "..", "...", "a", "a.b", "e30.e30.e30.e30", "e30=.e30.e30", &long] {
            assert_eq!(Jwt::parse(text).unwrap_err(), TokenError::Malformed, "{text:.20}");
        }
    }
}
