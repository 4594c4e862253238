//! Why the built-in issuer refuses: OAuth's error codes with the numbers and words of Entra ID, which
//! its clients read and people search for.
//!
//! **Invariant:** a text names what was wrong and never a secret; what is sent as it came from the request
//! is names alone.

use serde_json::{Value, json};

/// A refused request for a token or a sign-in (RFC 6749, sections 4.1.2.1 and 5.2).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OAuthError {
    #[error("The request body must contain the following parameter: '{0}'.")]
    Missing(&'static str),
    #[error("The parameter '{0}' must not stand in a request more than once.")]
    Twice(String),
    #[error("The grant type '{0}' is not supported here.")]
    GrantType(String),
    #[error(
        "Tenant '{0}' not found. It is a GUID, 'common', 'organizations', or a tenant's domain."
    )]
    Tenant(String),
    #[error(
        "Application with identifier '{0}' was not found in the directory. 'folkmoot app add' makes one."
    )]
    UnknownApp(String),
    #[error("Invalid client secret provided. It was shown once, by 'folkmoot app add'.")]
    WrongSecret,
    #[error(
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
    )]
    NoSecret,
    #[error(
        "Client is public so neither 'client_assertion' nor 'client_secret' should be presented."
    )]
    PublicSecret,
    #[error(
        "The provided value for scope '{0}' is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."
    )]
    NotDefault(String),
    #[error("The application '{0}' has no role of its own: 'folkmoot app add --role' gives one.")]
    NoRole(String),
}

impl OAuthError {
    /// OAuth's code, Entra ID's number, and the status of an answer that is not a redirect.
    pub(crate) const fn entry(&self) -> (&'static str, u32, u16) {
        match self {
            OAuthError::Missing(_) => ("invalid_request", 900_144, 400),
            OAuthError::Twice(_) => ("invalid_request", 90_014, 400),
            OAuthError::GrantType(_) => ("unsupported_grant_type", 70_003, 400),
            OAuthError::Tenant(_) => ("invalid_request", 90_002, 400),
            OAuthError::UnknownApp(_) => ("unauthorized_client", 700_016, 400),
            OAuthError::WrongSecret => ("invalid_client", 7_000_215, 401),
            OAuthError::NoSecret => ("invalid_client", 7_000_218, 401),
            OAuthError::PublicSecret => ("invalid_client", 700_025, 401),
            OAuthError::NotDefault(_) => ("invalid_scope", 1_002_012, 400),
            OAuthError::NoRole(_) => ("unauthorized_client", 501_051, 400),
        }
    }

    /// Its words, with Entra ID's number before them.
    pub(crate) fn description(&self) -> String {
        format!("AADSTS{}: {self}", self.entry().1)
    }

    /// Its JSON form.
    pub(crate) fn json(&self) -> Value {
        let (code, number, _) = self.entry();
        let description = self.description();
        json!({"error": code, "error_description": description, "error_codes": [number]})
    }
}
