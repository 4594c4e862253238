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
    #[error(
        "The redirect URI '{0}' specified in the request does not match the redirect URIs configured for the application: 'folkmoot app add --redirect' names them."
    )]
    Redirect(String),
    #[error(
        "The redirect URI '{0}' is not on this machine: an ephemeral server ends sign-ins at http or https on 127.0.0.1, [::1] or localhost alone."
    )]
    Elsewhere(String),
    #[error(
        "Cross-origin token redemption is permitted only for the 'Single-Page Application' client-type. Request origin: '{0}'. It must be that of a --redirect of a --public application."
    )]
    CrossOrigin(String),
    #[error("The parameter '{0}' has a value that is not served: it must be {1}.")]
    Parameter(&'static str, &'static str),
    #[error("The response type '{0}' is not served: it must be 'code'.")]
    ResponseType(String),
    #[error(
        "Proof Key for Code Exchange is required: a code_challenge with the code_challenge_method 'S256'."
    )]
    NoChallenge,
    #[error(
        "The provided value for the input parameter 'scope' is not valid. The scope '{0}' has nothing that the application may have for a user."
    )]
    Scopes(String),
    #[error("A silent sign-in request was sent but no user is signed in.")]
    NotSignedIn,
    #[error(
        "The provided grant is invalid: it is not known here, or was given to another application."
    )]
    NoGrant,
    #[error(
        "Reply address does not match the reply address provided when requesting Authorization code."
    )]
    OtherRedirect,
    #[error(
        "The Code_Verifier does not match the code_challenge supplied in the authorization request."
    )]
    Verifier,
    #[error("OAuth2 Authorization code was already redeemed, please retry with a new valid code.")]
    CodeUsed,
    #[error(
        "The provided grant has expired due to it being revoked: its refresh token was used before. A fresh sign-in is needed."
    )]
    RefreshUsed,
    #[error(
        "The provided authorization code or refresh token has expired. Send a new interactive authorization request for this user."
    )]
    Expired,
    #[error("{0}")]
    Nobody(String),
    #[error("The user account is disabled.")]
    Disabled,
}

impl OAuthError {
    /// OAuth's code, Entra ID's number, and the status of an answer that is not a redirect.
    pub(crate) const fn entry(&self) -> (&'static str, u32, u16) {
        match self {
            OAuthError::Missing(_) => ("invalid_request", 900_144, 400),
            OAuthError::Twice(_) => ("invalid_request", 9_000_411, 400),
            OAuthError::GrantType(_) => ("unsupported_grant_type", 70_003, 400),
            OAuthError::Tenant(_) => ("invalid_request", 90_002, 400),
            OAuthError::UnknownApp(_) => ("unauthorized_client", 700_016, 400),
            OAuthError::WrongSecret => ("invalid_client", 7_000_215, 401),
            OAuthError::NoSecret => ("invalid_client", 7_000_218, 401),
            OAuthError::PublicSecret => ("invalid_client", 700_025, 401),
            OAuthError::NotDefault(_) => ("invalid_scope", 1_002_012, 400),
            OAuthError::NoRole(_) => ("unauthorized_client", 501_051, 400),
            OAuthError::Redirect(_) | OAuthError::Elsewhere(_) => ("invalid_request", 50_011, 400),
            OAuthError::CrossOrigin(_) => ("invalid_request", 9_002_326, 400),
            OAuthError::Parameter(..) => ("invalid_request", 90_023, 400),
            OAuthError::ResponseType(_) => ("unsupported_response_type", 700_054, 400),
            OAuthError::NoChallenge => ("invalid_request", 9_002_325, 400),
            OAuthError::Scopes(_) => ("invalid_scope", 70_011, 400),
            OAuthError::NotSignedIn => ("login_required", 50_058, 400),
            OAuthError::NoGrant => ("invalid_grant", 70_000, 400),
            OAuthError::OtherRedirect => ("invalid_grant", 500_112, 400),
            OAuthError::Verifier => ("invalid_grant", 501_481, 400),
            OAuthError::CodeUsed => ("invalid_grant", 54_005, 400),
            OAuthError::RefreshUsed => ("invalid_grant", 50_173, 400),
            OAuthError::Expired => ("invalid_grant", 70_008, 400),
            OAuthError::Nobody(_) => ("invalid_grant", 50_034, 400),
            OAuthError::Disabled => ("invalid_grant", 50_057, 400),
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
