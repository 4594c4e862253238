//! The built-in issuer's documents: OpenID discovery and OAuth 2.0 token requests and answers, as Entra
//! ID's clients write and read them.
//!
//! **Invariant:** addresses in a document begin with the origin that the client used, and name the
//! tenant as it did. Fields that are not named here are ignored.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Claims, GRAPH_AUDIENCE, OAuthError};

/// Discovery (OpenID Connect Discovery 1.0, section 4.2) for a tenant at an origin.
pub(crate) fn discovery(origin: &str, tenant: &str) -> Value {
    json!({
        "issuer": format!("{origin}/{tenant}/v2.0"),
        "authorization_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{origin}/{tenant}/oauth2/v2.0/token"),
        "jwks_uri": format!("{origin}/{tenant}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported":
            ["client_secret_post", "client_secret_basic", "none"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "nonce", "oid", "tid", "preferred_username", "name",
            "email",
        ],
    })
}

/// The fields of a form or of a query, decoded.
#[derive(Debug, Default)]
pub(crate) struct Fields(pub(crate) Vec<(String, String)>);

impl Fields {
    /// A field that is there and not empty (RFC 6749, section 3.1: one without a value is as none).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str()).filter(|it| !it.is_empty())
    }

    /// A field that must be there.
    pub(crate) fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name).ok_or(OAuthError::Missing(name))
    }

    /// The words of a field, such as `scope`.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let text = self.get(name).unwrap_or_default();
        text.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect()
    }
}

/// What a token request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    /// A token for an application itself (RFC 6749, section 4.4).
    Client,
    /// A token for a user by their name (section 4.3), which only an ephemeral server has.
    Password { user: String },
    /// A token for a user who has signed in (section 4.1.3).
    Code { code: String, redirect: Option<String>, verifier: Option<String> },
    /// Another one for them (section 6).
    Refresh { token: String },
}

/// A token request, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    /// Which application asks.
    pub(crate) app: String,
    /// What it says to prove that.
    pub(crate) secret: Option<String>,
    pub(crate) grant: Grant,
    pub(crate) scopes: Vec<String>,
}

impl TokenRequest {
    /// Reads the form's fields, and the `Authorization` header where the client puts its id there.
    pub(crate) fn read(
        fields: &Fields,
        authorization: Option<&str>,
    ) -> Result<TokenRequest, OAuthError> {
        let (app, secret) = match (fields.get("client_id"), authorization.and_then(basic)) {
            (None, Some((app, secret))) => (app, Some(secret)),
            (Some(app), basic) => {
                let sent = fields.get("client_secret").map(str::to_owned);
                (app.to_owned(), sent.or_else(|| basic.map(|(_, secret)| secret)))
            }
            (None, None) => return Err(OAuthError::Missing("client_id")),
        };
        let grant = match fields.need("grant_type")? {
            "client_credentials" => Grant::Client,
            "password" => Grant::Password { user: fields.need("username")?.to_owned() },
            "authorization_code" => Grant::Code {
                code: fields.need("code")?.to_owned(),
                redirect: fields.get("redirect_uri").map(str::to_owned),
                verifier: fields.get("code_verifier").map(str::to_owned),
            },
            "refresh_token" => Grant::Refresh { token: fields.need("refresh_token")?.to_owned() },
            other => return Err(OAuthError::GrantType(other.to_owned())),
        };
        Ok(TokenRequest { app, secret, grant, scopes: fields.words("scope") })
    }
}

/// Id and secret of an `Authorization: Basic` header (RFC 6749, section 2.3.1).
fn basic(authorization: &str) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.split_once(' ')?;
    let decoded = BASE64_STANDARD.decode(encoded.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let (id, secret) = text.split_once(':')?;
    let is_basic = scheme.eq_ignore_ascii_case("basic") && !id.is_empty();
    is_basic.then(|| (id.to_owned(), secret.to_owned()))
}

impl Claims {
    /// What every access token says: issued at an origin in a tenant, good for so long.
    pub(crate) fn begin(origin: &str, tenant: Uuid, now: i64, ttl_seconds: i64) -> Claims {
        Claims {
            iss: format!("{origin}/{tenant}/v2.0"),
            aud: GRAPH_AUDIENCE.to_owned(),
            iat: now,
            nbf: now,
            exp: now + ttl_seconds,
            tid: tenant.to_string(),
            ver: "2.0".to_owned(),
            ..Claims::default()
        }
    }

    /// The same of an application, with its roles.
    pub(crate) fn of_app(self, id: Uuid, name: &str, roles: Vec<String>) -> Claims {
        Claims {
            oid: id.to_string(),
            sub: id.to_string(),
            idtyp: "app".to_owned(),
            appid: Some(id.to_string()),
            app_displayname: Some(name.to_owned()),
            roles: Some(roles),
            ..self
        }
    }

    /// The same of a user, with delegated scopes between spaces.
    pub(crate) fn of_user(self, id: Uuid, principal_name: &str, name: &str, scp: String) -> Claims {
        Claims {
            oid: id.to_string(),
            sub: id.to_string(),
            idtyp: "user".to_owned(),
            upn: Some(principal_name.to_owned()),
            name: Some(name.to_owned()),
            scp: Some(scp),
            ..self
        }
    }
}

/// Whom an application is told that it has signed in (OpenID Connect Core 1.0, section 2).
pub(crate) struct IdentityOf<'a> {
    pub(crate) issuer: String,
    /// The application, as it names itself.
    pub(crate) app: &'a str,
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
    pub(crate) principal_name: &'a str,
    pub(crate) name: &'a str,
    pub(crate) mail: Option<&'a str>,
    pub(crate) nonce: Option<&'a str>,
}

impl IdentityOf<'_> {
    /// What its token says.
    pub(crate) fn claims(&self, now: i64, ttl_seconds: i64) -> Value {
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.app,
            "iat": now,
            "nbf": now,
            "exp": now + ttl_seconds,
            "tid": self.tenant,
            "oid": self.user,
            "sub": self.user,
            "preferred_username": self.principal_name,
            "name": self.name,
            "ver": "2.0",
        });
        for (name, value) in [("nonce", self.nonce), ("email", self.mail)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        claims
    }

    /// By which MSAL knows an account.
    pub(crate) fn client_info(&self) -> String {
        let info = json!({"uid": self.user, "utid": self.tenant});
        BASE64_URL_SAFE_NO_PAD.encode(info.to_string())
    }
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

    fn ask(fields: &[(&str, &str)], basic: Option<&str>) -> Result<TokenRequest, &'static str> {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        let header = basic.map(|it| format!("Basic {}", BASE64_STANDARD.encode(it)));
        TokenRequest::read(&Fields(fields.collect()), header.as_deref())
            .map_err(|error| error.entry().0)
    }

    #[test]
    fn token_requests_are_read() {
        let (client, id) = (("grant_type", "client_credentials"), ("client_id", "app"));
        let expected = |secret: Option<&str>| TokenRequest {
            app: "app".into(),
            secret: secret.map(str::to_owned),
            grant: Grant::Client,
            scopes: Vec::new(),
        };
        assert_eq!(ask(&[client, id], None), Ok(expected(None)));
        assert_eq!(ask(&[client, id, ("client_secret", "x")], None), Ok(expected(Some("x"))));
        assert_eq!(ask(&[client], Some("app:x:y")), Ok(expected(Some("x:y"))));
        assert_eq!(ask(&[client, id], Some("app:x")), Ok(expected(Some("x"))));
        let user = [("grant_type", "password"), id, ("username", "ada"), ("scope", "a  b")];
        let user = ask(&user, None).unwrap();
        assert_eq!(user.grant, Grant::Password { user: "ada".into() });
        assert_eq!(user.scopes, ["a", "b"]);
        for (fields, code) in [
            (&[client][..], "invalid_request"),
            (&[client, ("client_id", "")], "invalid_request"),
            (&[id], "invalid_request"),
            (&[id, ("grant_type", "magic")], "unsupported_grant_type"),
            (&[id, ("grant_type", "password")], "invalid_request"),
        ] {
            assert_eq!(ask(fields, None), Err(code), "{fields:?}");
        }
    }
}
