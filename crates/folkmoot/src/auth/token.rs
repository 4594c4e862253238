//! The check of a bearer token, and its cache.
//!
//! **Invariant:** the algorithm follows from the key that `kid` names, never from the header; issuer,
//! audience, expiry and not-before are checked at every request, the signature once.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::issuers::{Grounds, Issuers, Person};
use super::jwt::Jwt;
use super::{Scopes, SigningKey};

/// The audience of tokens for Graph.
pub(crate) const GRAPH_AUDIENCE: &str = "https://graph.microsoft.com";
/// Graph's application id and Folkmoot's own id, which identity libraries also ask for.
const AUDIENCES: [&str; 4] = [
    GRAPH_AUDIENCE,
    "https://graph.microsoft.com/",
    "00000003-0000-0000-c000-000000000000",
    "folkmoot",
];
/// Verified tokens that are remembered.
const CACHED_MAX: usize = 10_000;
/// How often new keys are looked for because of tokens of unknown ones.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The claims of a token, under Entra ID's names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    /// Seconds since 1970, like the next two.
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    /// The tenant, a GUID.
    pub(crate) tid: String,
    /// The user or the application, a GUID.
    pub(crate) oid: String,
    pub(crate) sub: String,
    /// `user` or `app`.
    pub(crate) idtyp: String,
    pub(crate) ver: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) appid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) app_displayname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// Delegated scopes between spaces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scp: Option<String>,
    /// An application's roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) roles: Option<Vec<String>>,
}

/// What a good token says.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) tenant: Uuid,
    /// The user or the application, where this server has issued the token.
    pub(crate) subject: Uuid,
    pub(crate) is_app: bool,
    /// The user, where another issuer knows them.
    pub(crate) person: Option<Person>,
    pub(crate) app_id: Option<String>,
    pub(crate) scopes: Scopes,
    /// When it begins to be good, and when it no longer is.
    pub(super) nbf: i64,
    pub(super) exp: i64,
    /// By what it stands, where this server has not issued it.
    pub(super) grounds: Option<Grounds>,
    /// How often something that tokens stand on had gone when it was checked.
    pub(super) losses: u64,
}

/// Why a token is refused; the texts begin as Graph's do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    /// No `Authorization: Bearer` header.
    #[error("Access token is empty.")]
    Missing,
    /// Not a JWT.
    #[error("CompactToken parsing failed: the token is not a JSON Web Token.")]
    Malformed,
    /// A JWT of a form that is not taken.
    #[error("CompactToken parsing failed: {0}.")]
    Refused(&'static str),
    /// Signed by a key that is not this server's, nor of an issuer that it knows.
    #[error(
        "Access token validation failure. The token was issued neither by this server nor by an issuer that its configuration names: get one with 'folkmoot token'."
    )]
    UnknownKey,
    /// Signed by a key that its issuer does not publish.
    #[error("Access token validation failure. {0} does not publish the key that signed the token.")]
    UnknownKeyOf(String),
    /// The issuer's keys cannot be fetched now.
    #[error("the keys of {0} are not known, and cannot be fetched now")]
    NoKeys(String),
    /// The signature is wrong.
    #[error("Access token validation failure. Invalid signature.")]
    BadSignature,
    /// Of an application that was removed.
    #[error("Access token validation failure. The application '{0}' of the token was removed.")]
    RemovedApp(String),
    /// Another issuer.
    #[error("Access token validation failure. Invalid issuer '{0}'.")]
    WrongIssuer(String),
    /// Another audience.
    #[error(
        "Access token validation failure. Invalid audience '{0}': it must be https://graph.microsoft.com."
    )]
    WrongAudience(String),
    /// Another audience than the application that this server is at the issuer.
    #[error("Access token validation failure. Invalid audience '{found}': it must be '{ours}'.")]
    NotForUs { found: String, ours: String },
    /// For Microsoft Graph itself, of another issuer; what to do about it.
    #[error(
        "Access token validation failure. Invalid audience: this token is for Microsoft Graph itself, and this server is another: {0}."
    )]
    ForGraph(String),
    /// Of a tenant that its issuer may not speak for here.
    #[error(
        "Access token validation failure. The tenant '{0}' is not among those that may come in."
    )]
    OtherTenant(String),
    /// Of a personal account.
    #[error("Personal Microsoft accounts are not supported for this operation.")]
    Personal,
    /// Too late.
    #[error("Lifetime validation failed, the token is expired.")]
    Expired,
    /// Too early.
    #[error("Lifetime validation failed, the token is not yet valid.")]
    NotYetValid,
}

/// Checks tokens of the built-in issuer, and of the others that the configuration names.
pub(crate) struct Verifier {
    trusted: RwLock<Trusted>,
    /// How often a key or an application has gone: what was remembered before is checked again.
    losses: AtomicU64,
    /// When they were last asked for because of a token whose key is none of them.
    asked: Mutex<Option<Instant>>,
    validation: Validation,
    /// What the issuer must begin with, where the server has a public address.
    origin: Option<String>,
    others: Issuers,
    cache: Cache<[u8; 32], Arc<Verified>>,
}

/// What tokens of the built-in issuer stand on.
#[derive(Default)]
struct Trusted {
    /// The keys in use, by their ids.
    keys: Vec<(String, DecodingKey)>,
    /// The applications whose tokens are good for nothing any more.
    removed: HashSet<String>,
}

impl Verifier {
    /// A verifier of what `key` has signed, and of what `others` have issued.
    pub(crate) fn new(key: &SigningKey, origin: Option<String>, others: Issuers) -> Verifier {
        let mut validation = Validation::new(Algorithm::ES256);
        // Times are checked against the clock that is handed in, the others below with words of their
        // own; of the library's checks the signature's is left.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Verifier {
            trusted: RwLock::new(Trusted {
                keys: vec![(key.kid().to_owned(), key.decoding())],
                removed: HashSet::new(),
            }),
            losses: AtomicU64::new(0),
            asked: Mutex::new(None),
            validation,
            origin,
            others,
            cache: Cache::new(CACHED_MAX),
        }
    }

    /// The issuers beside this server.
    pub(crate) fn others(&self) -> &Issuers {
        &self.others
    }

    /// Takes these as the keys in use, and these as the ids of the applications that were removed.
    pub(crate) fn trust(&self, keys: &[SigningKey], removed: HashSet<String>) {
        let keys: Vec<_> = keys.iter().map(|it| (it.kid().to_owned(), it.decoding())).collect();
        let mut trusted = self.trusted.write().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |(kid, _): &(String, DecodingKey)| keys.iter().any(|(it, _)| it == kid);
        if !trusted.keys.iter().all(is_kept) || !removed.is_subset(&trusted.removed) {
            // While nobody checks: whoever begins to sees both.
            self.losses.fetch_add(1, Ordering::Release);
        }
        *trusted = Trusted { keys, removed };
    }

    /// Whether a token of an unknown key is a reason to look for new keys: once a second, so that tokens
    /// of anybody's make no work.
    pub(crate) fn may_look(&self) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let may = asked.is_none_or(|it| it.elapsed() >= LOOK_EVERY);
        if may {
            *asked = Some(Instant::now());
        }
        may
    }

    /// What `token` says, if it is good at `now` (seconds since 1970).
    pub(crate) async fn verify(&self, token: &str, now: i64) -> Result<Arc<Verified>, TokenError> {
        // Keyed by a hash, so that a dump of the memory holds no tokens.
        let key = *blake3::hash(token.as_bytes()).as_bytes();
        let losses = self.losses.load(Ordering::Acquire);
        let stands = |it: &Arc<Verified>| {
            it.losses == losses && it.grounds.as_ref().is_none_or(Grounds::stand)
        };
        let verified = match self.cache.get(&key).filter(stands) {
            Some(verified) => verified,
            None => {
                // With the number from before the check: what went meanwhile is noticed the next time.
                let verified = Arc::new(Verified { losses, ..self.check(token).await? });
                if verified.exp > now {
                    self.cache.insert(key, verified.clone());
                }
                verified
            }
        };
        if verified.exp <= now {
            return Err(TokenError::Expired);
        }
        if verified.nbf > now {
            return Err(TokenError::NotYetValid);
        }
        Ok(verified)
    }

    /// The key in use that this id names.
    fn key(&self, kid: Option<&str>) -> Option<DecodingKey> {
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        trusted.keys.iter().find(|(it, _)| kid == Some(it)).map(|(_, key)| key.clone())
    }

    fn was_removed(&self, app: &str) -> bool {
        let trusted = self.trusted.read().unwrap_or_else(PoisonError::into_inner);
        trusted.removed.contains(app)
    }

    async fn check(&self, token: &str) -> Result<Verified, TokenError> {
        let jwt = Jwt::parse(token)?;
        let Some(key) = self.key(jwt.kid.as_deref()) else {
            return self.others.check(&jwt).await;
        };
        let claims = jsonwebtoken::decode::<Claims>(token, &key, &self.validation)
            .map_err(|_| TokenError::BadSignature)?
            .claims;
        let tail = format!("/{}/v2.0", claims.tid);
        let ours = claims
            .iss
            .strip_suffix(&tail)
            .is_some_and(|origin| self.origin.as_deref().is_none_or(|public| origin == public));
        if !ours {
            return Err(TokenError::WrongIssuer(claims.iss));
        }
        if !AUDIENCES.contains(&claims.aud.as_str()) {
            return Err(TokenError::WrongAudience(claims.aud));
        }
        if let Some(app) = claims.appid.as_ref().filter(|it| self.was_removed(it)) {
            return Err(TokenError::RemovedApp(app.clone()));
        }
        let guid = |text: &str| Uuid::try_parse(text).map_err(|_| TokenError::Malformed);
        let (scp, roles) = (claims.scp.unwrap_or_default(), claims.roles.unwrap_or_default());
        let is_app = claims.idtyp == "app";
        let scopes = if is_app {
            Scopes::parse(roles.iter().map(String::as_str))
        } else {
            Scopes::parse(scp.split(' '))
        };
        Ok(Verified {
            tenant: guid(&claims.tid)?,
            subject: guid(&claims.oid)?,
            is_app,
            person: None,
            app_id: claims.appid,
            scopes,
            nbf: claims.nbf,
            exp: claims.exp,
            grounds: None,
            losses: 0,
        })
    }
}

/// The token of an `Authorization` header (RFC 6750, section 2.1); the scheme in any letter case.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header};

    use super::*;

    const NOW: i64 = 1_790_000_000;
    const TENANT: &str = "0194a1b2-0000-7000-8000-000000000001";

    fn key() -> SigningKey {
        let (kid, pkcs8) = SigningKey::generate().unwrap();
        SigningKey::from_pkcs8(kid, &pkcs8).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            iss: format!("http://127.0.0.1:8080/{TENANT}/v2.0"),
            aud: GRAPH_AUDIENCE.into(),
            nbf: NOW,
            exp: NOW + 60,
            tid: TENANT.into(),
            oid: "0194a1b2-0000-7000-8000-000000000002".into(),
            idtyp: "user".into(),
            scp: Some("Group.ReadWrite.All".into()),
            ..Claims::default()
        }
    }

    /// The built-in issuer's tokens are checked without waiting for anybody.
    fn check(verifier: &Verifier, token: &str, now: i64) -> Result<Arc<Verified>, TokenError> {
        futures_util::FutureExt::now_or_never(verifier.verify(token, now)).unwrap()
    }

    fn refused(change: impl FnOnce(&mut Claims)) -> TokenError {
        let (key, mut claims) = (key(), claims());
        change(&mut claims);
        let verifier =
            Verifier::new(&key, Some("http://127.0.0.1:8080".into()), Issuers::default());
        check(&verifier, &key.mint(&claims).unwrap(), NOW).unwrap_err()
    }

    #[test]
    fn a_good_token_says_who_calls() {
        let key = key();
        let verifier = Verifier::new(&key, None, Issuers::default());
        let verified = check(&verifier, &key.mint(&claims()).unwrap(), NOW).unwrap();
        assert_eq!(verified.tenant.to_string(), TENANT);
        assert!(!verified.is_app);
        assert_eq!(verified.scopes.names().collect::<Vec<_>>(), ["Group.ReadWrite.All"]);
    }

    #[test]
    fn each_claim_is_checked() {
        assert_eq!(refused(|it| it.exp = NOW), TokenError::Expired);
        assert_eq!(refused(|it| it.nbf = NOW + 1), TokenError::NotYetValid);
        let other = "https://api.example.org";
        assert_eq!(refused(|it| it.aud = other.into()), TokenError::WrongAudience(other.into()));
        for iss in ["http://evil.example/0194a1b2-0000-7000-8000-000000000001/v2.0", "x", ""] {
            assert_eq!(refused(|it| it.iss = iss.into()), TokenError::WrongIssuer(iss.into()));
        }
        assert_eq!(refused(|it| it.oid = "me".into()), TokenError::Malformed);
    }

    #[test]
    fn an_expired_token_is_refused_although_it_is_cached() {
        let key = key();
        let verifier = Verifier::new(&key, None, Issuers::default());
        let token = key.mint(&claims()).unwrap();
        assert!(check(&verifier, &token, NOW + 59).is_ok());
        assert_eq!(check(&verifier, &token, NOW + 60).unwrap_err(), TokenError::Expired);
    }

    #[test]
    fn a_changed_token_is_refused_although_its_original_is_cached() {
        let key = key();
        let verifier = Verifier::new(&key, None, Issuers::default());
        let token = key.mint(&claims()).unwrap();
        check(&verifier, &token, NOW).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        let more = Claims { scp: Some("Directory.ReadWrite.All".into()), ..claims() };
        let payload = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&more).unwrap());
        let forged = format!("{}.{payload}.{}", parts[0], parts[2]);
        assert_eq!(check(&verifier, &forged, NOW).unwrap_err(), TokenError::BadSignature);
    }

    #[test]
    fn the_header_does_not_choose_the_algorithm() {
        let key = key();
        let verifier = Verifier::new(&key, None, Issuers::default());
        let payload = BASE64_URL_SAFE_NO_PAD.encode(serde_json::to_vec(&claims()).unwrap());
        let none = format!("{{\"alg\":\"none\",\"kid\":\"{}\"}}", key.kid());
        let none = format!("{}.{payload}.", BASE64_URL_SAFE_NO_PAD.encode(none));
        assert!(check(&verifier, &none, NOW).is_err());
        // The public key as the secret of a symmetric algorithm.
        let header = Header { kid: Some(key.kid().into()), ..Header::new(Algorithm::HS256) };
        let public = key.jwk()["x"].as_str().unwrap().to_owned();
        let secret = EncodingKey::from_secret(public.as_bytes());
        let swapped = jsonwebtoken::encode(&header, &claims(), &secret).unwrap();
        assert_eq!(check(&verifier, &swapped, NOW).unwrap_err(), TokenError::BadSignature);
    }

    #[test]
    fn a_token_of_another_server_says_what_to_do() {
        let verifier = Verifier::new(&key(), None, Issuers::default());
        let foreign = key().mint(&claims()).unwrap();
        let error = check(&verifier, &foreign, NOW).unwrap_err();
        assert_eq!(error, TokenError::UnknownKey);
        assert!(error.to_string().contains("folkmoot token"));
        for text in ["", "abc", "a.b.c"] {
            assert_eq!(check(&verifier, text, NOW).unwrap_err(), TokenError::Malformed);
        }
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(bearer("bearer abc"), Some("abc"));
        assert_eq!(bearer("BEARER  abc "), Some("abc"));
        for text in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(bearer(text), None, "{text}");
        }
    }
}
