//! The built-in issuer's documents: OpenID discovery and OAuth 2.0 token answers, as Entra ID's
//! clients read them.
//!
//! **Invariant:** addresses in a document begin with the origin that the client used, and name the
//! tenant as it did.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// Discovery (OpenID Connect Discovery 1.0, section 4.2) for a tenant at an origin.
pub(crate) fn discovery(origin: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{origin}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "offline_access"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "oid", "tid", "upn", "name"],
    })
}

/// What a token request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A token for an application (RFC 6749, section 4.4).
    Client { id: String },
    /// A token for a user (RFC 6749, section 4.3), with the delegated scopes that were named.
    User { name: String, scopes: Vec<String> },
}

/// A refused token request (RFC 6749, section 5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) code: &'static str,
    pub(crate) description: String,
    pub(crate) number: i64,
}

impl OAuthError {
    fn new(code: &'static str, number: i64, description: &str) -> OAuthError {
        OAuthError { code, number, description: format!("AADSTS{number}: {description}") }
    }

    /// Its JSON form, with the numbers that Entra ID's clients read.
    pub(crate) fn json(&self) -> Value {
        json!({
            "error": self.code,
            "error_description": self.description,
            "error_codes": [self.number],
        })
    }
}

/// Reads a token request: the form's fields, and the `Authorization` header where the client puts its
/// id there. Any secret is taken; fields that are not named here are ignored.
pub(crate) fn grant(
    fields: &[(String, String)],
    authorization: Option<&str>,
) -> Result<Grant, OAuthError> {
    let field =
        |name: &str| fields.iter().find(|(it, _)| it == name).map(|(_, value)| value.as_str());
    let id = field("client_id").map(str::to_owned).or_else(|| basic(authorization?));
    let id = id.filter(|it| !it.is_empty()).ok_or_else(|| {
        let why = "The request body must contain the following parameter: 'client_id'.";
        OAuthError::new("invalid_request", 900144, why)
    })?;
    let user = || {
        let name = field("username").unwrap_or_default().to_owned();
        let scopes = field("scope").unwrap_or_default().split(' ');
        let named = |it: &&str| !it.is_empty() && !it.ends_with("/.default");
        Grant::User { name, scopes: scopes.filter(named).map(str::to_owned).collect() }
    };
    match field("grant_type") {
        // A username makes it a user's token whatever the grant is called: there is no sign-in here.
        Some("client_credentials" | "password") if field("username").is_some() => Ok(user()),
        Some("client_credentials") => Ok(Grant::Client { id }),
        Some("password") => {
            let why = "The request body must contain the following parameter: 'username'.";
            Err(OAuthError::new("invalid_request", 900144, why))
        }
        Some(other) => {
            let why = format!(
                "The grant type '{other}' is not supported here: use client_credentials or password."
            );
            Err(OAuthError::new("unsupported_grant_type", 70003, &why))
        }
        None => {
            let why = "The request body must contain the following parameter: 'grant_type'.";
            Err(OAuthError::new("invalid_request", 900144, why))
        }
    }
}

fn basic(authorization: &str) -> Option<String> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, _secret) = text.split_once(':')?;
    scheme.eq_ignore_ascii_case("basic").then(|| id.to_owned())
}

/// The answer to a good token request.
pub(crate) fn token_answer(token: &str, ttl_seconds: i64) -> Value {
    json!({
        "token_type": "Bearer",
        "expires_in": ttl_seconds,
        "ext_expires_in": ttl_seconds,
        "access_token": token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(fields: &[(&str, &str)]) -> Result<Grant, &'static str> {
        let fields: Vec<_> =
            fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        grant(&fields, None).map_err(|error| error.code)
    }

    #[test]
    fn grants_are_read() {
        let client = ("grant_type", "client_credentials");
        let id = ("client_id", "app");
        assert_eq!(ask(&[client, id]), Ok(Grant::Client { id: "app".into() }));
        let scope = ("scope", "User.Read https://graph.microsoft.com/.default");
        let user = Grant::User { name: "ada@example.org".into(), scopes: vec!["User.Read".into()] };
        let fields = [("grant_type", "password"), id, ("username", "ada@example.org"), scope];
        assert_eq!(ask(&fields), Ok(user));
        assert_eq!(ask(&[client]), Err("invalid_request"));
        assert_eq!(ask(&[id]), Err("invalid_request"));
        assert_eq!(ask(&[id, ("grant_type", "magic")]), Err("unsupported_grant_type"));
        assert_eq!(ask(&[id, ("grant_type", "password")]), Err("invalid_request"));
        let basic = format!("Basic {}", BASE64_STANDARD.encode("app:secret"));
        let fields = [("grant_type".to_owned(), "client_credentials".to_owned())];
        assert_eq!(grant(&fields, Some(&basic)), Ok(Grant::Client { id: "app".into() }));
    }
}
