//! Tokens: the permissions in them, the key that signs them, the check of each request's; and passwords.
//!
//! **Invariant:** nothing is believed of a token before its signature was checked with a key of this
//! store, or of an issuer that the configuration names, and nothing of it is believed past its time.

mod issuer;
mod issuers;
mod jwks;
mod jwt;
mod key;
mod oauth;
mod password;
mod pkce;
mod published;
mod redirect;
mod scope;
mod secret;
mod token;

pub(crate) use issuer::{Fields, Grant, IdentityOf, TokenRequest, discovery, token_answer};
pub(crate) use issuers::{IssuerSettings, Issuers, PERSONAL, Person};
pub(crate) use key::SigningKey;
pub(crate) use oauth::OAuthError;
pub(crate) use password::{Password, is_outgrown};
pub(crate) use pkce::{is_challenge, is_verifier, source_hash};
pub(crate) use redirect::{check_redirect, form_target, is_here, is_of_origin, matches_redirect};
pub(crate) use scope::{Scope, Scopes};
pub(crate) use secret::{hash_secret, is_secret, new_secret};
pub(crate) use token::{Claims, GRAPH_AUDIENCE, TokenError, Verified, Verifier, bearer};
