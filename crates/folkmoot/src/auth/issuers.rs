//! Issuers other than this server, as the configuration names them: whose tokens are taken, and for whom.
//!
//! **Invariant:** an issuer speaks only for itself: its tokens are checked with its own keys, are for
//! the operator's own application, never for Microsoft Graph, and are of the tenants that it may speak
//! for. Nobody is known by a name or an address that a token says; one that the issuer vouches for, of a
//! domain that it owns, may join its holder to an account, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use jsonwebtoken::Algorithm;
use serde::Deserialize;
use uuid::Uuid;

use super::jwks::Key;
use super::jwt::Jwt;
use super::published::Published;
use super::{Scopes, TokenError, Verified};
use crate::net;

/// The tenant of personal Microsoft accounts.
pub(crate) const PERSONAL: Uuid = uuid::uuid!("9188040d-6c67-4c5b-b112-36a304b66dad");
/// What stands in the issuer of Entra ID for the tenant of the token.
const TENANT: &str = "{tenantid}";
/// Graph's application id, and its hosts, the national ones too.
const GRAPH: [&str; 5] = [
    "00000003-0000-0000-c000-000000000000",
    "graph.microsoft.com",
    "graph.microsoft.us",
    "dod-graph.microsoft.us",
    "microsoftgraph.chinacloudapi.cn",
];
/// What Entra ID's issuers begin with.
const ENTRA: [&str; 5] = [
    "https://login.microsoftonline.com/",
    "https://login.microsoftonline.us/",
    "https://login.partner.microsoftonline.cn/",
    "https://sts.windows.net/",
    "https://sts.chinacloudapi.cn/",
];
/// Code points of what somebody, or an application, is known by (OpenID Connect Core 1.0, section 2).
const SUBJECT_CHARS_MAX: usize = 255;
/// The longest time that clocks may be apart.
const SKEW_SECONDS_MAX: i64 = 300;

/// An `[[issuer]]` of the configuration file.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct IssuerSettings {
    /// As the issuer writes itself in tokens and in its discovery document; `{tenantid}` in it stands
    /// for the `tid` of the token.
    pub(crate) issuer: String,
    /// The application at the issuer that this server is; one, or several.
    audience: OneOrMore,
    /// The tenant here that its users belong to; without one, the default tenant.
    pub(crate) tenant: Option<Uuid>,
    /// The tenants there (`tid`) whose tokens are taken; none: tokens need no `tid`.
    #[serde(default)]
    allowed_tenants: Vec<Uuid>,
    #[serde(default = "algorithms")]
    algorithms: Vec<Algorithm>,
    /// Mail domains that the issuer owns: whoever has an address there has it from the issuer.
    #[serde(default)]
    domains: Vec<String>,
    /// The claim with an address of such a domain; none: `email`, where `email_verified` is true.
    address_claim: Option<String>,
    /// How far the issuer's clock may be off.
    #[serde(default = "clock_skew_seconds")]
    clock_skew_seconds: i64,
    /// The claim that says which groups somebody is a member of.
    groups_claim: Option<String>,
    /// What its users are here from the first day; those who are known stay what they are.
    #[serde(default)]
    user_type: UserType,
    /// What groups are called in that claim, and their nicknames or ids here; none: the same.
    #[serde(default)]
    groups: BTreeMap<String, String>,
}

/// What users are in the tenant.
#[derive(Deserialize, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum UserType {
    #[default]
    Member,
    /// They see of the tenant only what they belong to.
    Guest,
}

#[derive(Deserialize, Clone, Debug)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn all(&self) -> &[String] {
        match self {
            OneOrMore::One(one) => std::slice::from_ref(one),
            OneOrMore::More(more) => more,
        }
    }
}

fn algorithms() -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    vec![RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA]
}

fn clock_skew_seconds() -> i64 {
    60
}

impl IssuerSettings {
    /// Says what in these settings cannot be.
    pub(crate) fn check(&self) -> Result<(), String> {
        let IssuerSettings { issuer, .. } = self;
        let url = net::address(&issuer.replace(TENANT, "common"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("'{issuer}' has a query or a fragment"));
        }
        let audiences = self.audience.all();
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            return Err("the audience is empty".into());
        }
        if let Some(graph) = audiences.iter().find(|it| is_graph(it)) {
            return Err(format!(
                "the audience '{graph}' is Microsoft Graph itself: with it, every token that anybody has \
                 for Graph would open this server. Register an application of your own at the issuer, \
                 and name its id here"
            ));
        }
        if let Some(bad) = self.algorithms.iter().find(|it| !algorithms().contains(it)) {
            return Err(format!(
                "the algorithm {bad:?} works with a secret, and the keys of an issuer are public"
            ));
        }
        if self.algorithms.is_empty() {
            return Err("no algorithm is left".into());
        }
        if !(0..=SKEW_SECONDS_MAX).contains(&self.clock_skew_seconds) {
            return Err(format!("clock_skew_seconds must be between 0 and {SKEW_SECONDS_MAX}"));
        }
        if issuer.contains(TENANT) && self.allowed_tenants.is_empty() {
            return Err(format!(
                "an issuer with {TENANT} speaks for every tenant that there is: name those that may come \
                 in as allowed_tenants"
            ));
        }
        if let Some(odd) = self.domains.iter().find(|it| net::domain(it).is_none()) {
            return Err(format!("'{odd}' among its domains is no mail domain"));
        }
        let many = issuer.contains(TENANT) || self.allowed_tenants.len() > 1;
        if !self.domains.is_empty() && many {
            return Err("it speaks for several tenants, and 'domains' does not say of which they are: name \
                each tenant as an [[issuer]] of its own"
                .into());
        }
        if self.domains.is_empty() && self.address_claim.is_some() {
            return Err("'address_claim' needs domains".into());
        }
        if !self.groups.is_empty() && self.groups_claim.is_none() {
            return Err("'groups' needs a groups_claim".into());
        }
        Ok(())
    }

    /// A domain that another issuer says it owns too.
    pub(crate) fn shares_domain(&self, other: &IssuerSettings) -> Option<String> {
        let theirs = other.owned();
        self.owned().into_iter().find(|it| theirs.contains(it))
    }

    /// The domains that it owns, as they are compared.
    fn owned(&self) -> Vec<String> {
        self.domains.iter().filter_map(|it| net::domain(it)).collect()
    }

    /// Whether a token with this `iss` and `tid` is one of its.
    fn is(&self, iss: &str, tid: Option<&str>) -> bool {
        match self.issuer.contains(TENANT) {
            // Not even this, written as it is, is the issuer of a token.
            true => tid.is_some_and(|tid| fits(&self.issuer, iss, tid)),
            false => self.issuer == iss,
        }
    }
}

/// Whether `iss` is the issuer that `template` is, for a tenant.
fn fits(template: &str, iss: &str, tid: &str) -> bool {
    // Only a GUID: what else would stand there might bring a path along.
    Uuid::try_parse(tid).is_ok() && template.replace(TENANT, tid) == iss
}

/// Whether an audience is Microsoft Graph, however it is spelled.
fn is_graph(audience: &str) -> bool {
    let text = audience.trim().to_ascii_lowercase();
    let text = text.strip_prefix("spn:").unwrap_or(&text);
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    GRAPH.contains(&host)
}

/// Somebody whom another issuer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Who says so: `iss` of the token.
    pub(crate) issuer: String,
    /// The tenant there (`tid`); empty where there is none.
    pub(crate) tenant: String,
    /// Which claim they are known by: `oid` or `sub`.
    pub(crate) claim: &'static str,
    /// What it says.
    pub(crate) subject: String,
    /// What they are called, to be shown.
    pub(crate) principal_name: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) mail: Option<String>,
    /// Their address, where the issuer vouches for it: of a domain that it owns, in ASCII, the domain as it is
    /// looked up.
    pub(crate) address: Option<String>,
    /// Whether the issuer owns any domain, and so is not asked for addresses elsewhere.
    pub(crate) at_home: bool,
    /// The domains that any issuer owns, this one or another.
    pub(crate) owned: Arc<[String]>,
    /// Whether they are a guest, if they are new.
    pub(crate) is_guest: bool,
    /// Nicknames or ids of the groups that they are in; `None` where nothing is said of that.
    pub(crate) groups: Option<Vec<String>>,
    /// When the token was made, in seconds since 1970.
    pub(crate) issued_at: i64,
}

impl Person {
    /// Whether an issuer owns this mail domain, so that a name in it is only taken where that one vouches
    /// for it; so is not what cannot be looked up.
    pub(crate) fn is_owned(&self, domain: &str) -> bool {
        !self.owned.is_empty() && net::domain(domain).is_none_or(|it| self.owned.contains(&it))
    }
}

/// By what a token of another issuer stands.
#[derive(Clone, Debug)]
pub(super) struct Grounds {
    keys: Arc<Published>,
    /// Gone when the issuer does not publish it any more.
    key: Weak<Key>,
}

impl Grounds {
    /// Whether the key is still the issuer's.
    pub(super) fn stand(&self) -> bool {
        self.keys.tend() && self.key.strong_count() > 0
    }
}

/// Another issuer.
#[derive(Debug)]
struct Issuer {
    settings: IssuerSettings,
    /// The tenant here that its users belong to.
    tenant: Uuid,
    keys: Arc<Published>,
    /// The domains that it owns, and those that any issuer owns.
    domains: (Vec<String>, Arc<[String]>),
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Issuers(Vec<Issuer>);

impl Issuers {
    /// These issuers, each with the tenant of its users.
    ///
    /// # Errors
    /// Where nothing can be fetched over https on this system.
    pub(crate) fn new(all: Vec<(IssuerSettings, Uuid)>) -> Result<Issuers, String> {
        let mut issuers = Vec::with_capacity(all.len());
        let owned: Arc<[String]> = all.iter().flat_map(|(it, _)| it.owned()).collect();
        for (settings, tenant) in all {
            // Entra ID's document for all tenants names the issuer with the same placeholder.
            let base = settings.issuer.replace(TENANT, "common");
            let keys = Arc::new(Published::new(settings.issuer.clone(), &base)?);
            let domains = (settings.owned(), owned.clone());
            issuers.push(Issuer { settings, tenant, keys, domains });
        }
        // One that is named as it is comes before one that any tenant fits.
        issuers.sort_by_key(|it| it.settings.issuer.contains(TENANT));
        Ok(Issuers(issuers))
    }

    /// Fetches the keys of each, nobody waiting for it.
    pub(crate) fn warm_up(&self) {
        for issuer in &self.0 {
            issuer.keys.tend();
        }
    }

    /// The tenant here that the users of an issuer belong to, by `iss` and `tid` of its tokens.
    pub(crate) fn tenant_of(&self, iss: &str, tid: Option<&str>) -> Option<Uuid> {
        self.0.iter().find(|it| it.settings.is(iss, tid)).map(|it| it.tenant)
    }

    /// What a token says, if one of the issuers has made it; its times are not looked at.
    pub(super) async fn check(&self, jwt: &Jwt<'_>) -> Result<Verified, TokenError> {
        let iss = jwt.text("iss").unwrap_or_default();
        let issuer = self.0.iter().find(|it| it.settings.is(iss, jwt.text("tid")));
        // Said before the signature is looked at, which of a real token for Graph nobody else can check.
        let audiences = jwt.texts("aud").unwrap_or_default();
        if audiences.iter().any(|it| is_graph(it)) {
            match issuer {
                Some(it) => return Err(it.for_graph()),
                None if ENTRA.iter().any(|it| iss.starts_with(it)) => {
                    return Err(TokenError::ForGraph(
                        "name the issuer in the configuration of this server, and ask it for a token for \
                         the application that is named there"
                            .into(),
                    ));
                }
                None => {}
            }
        }
        let issuer = issuer.ok_or(TokenError::UnknownKey)?;
        issuer.check(jwt, iss, &audiences).await
    }
}

impl Issuer {
    fn for_graph(&self) -> TokenError {
        let (issuer, audience) =
            (&self.settings.issuer, self.settings.audience.all().join("' or '"));
        TokenError::ForGraph(format!("ask {issuer} for a token whose audience is '{audience}'"))
    }

    async fn check(
        &self,
        jwt: &Jwt<'_>,
        iss: &str,
        audiences: &[&str],
    ) -> Result<Verified, TokenError> {
        let settings = &self.settings;
        let kid = jwt.kid.as_deref().ok_or(TokenError::Refused("its header names no key"))?;
        let allowed = |it| settings.algorithms.contains(&it);
        if !jwt.algorithm().is_some_and(allowed) {
            return Err(TokenError::BadSignature);
        }
        let key = self.keys.key(kid).await?;
        if !key.has_signed(jwt, &settings.algorithms) {
            return Err(TokenError::BadSignature);
        }
        let tid = jwt.text("tid");
        let own = key
            .issuer
            .as_deref()
            .is_none_or(|of_key| of_key == iss || tid.is_some_and(|tid| fits(of_key, iss, tid)));
        if !own {
            return Err(TokenError::WrongIssuer(iss.to_owned()));
        }
        let ours = settings.audience.all();
        if !audiences.iter().any(|it| ours.iter().any(|audience| audience == it)) {
            let (found, ours) = (audiences.join("', '"), ours.join("' or '"));
            return Err(TokenError::NotForUs { found, ours });
        }
        self.tenant_of(tid)?;
        refuse_others(jwt)?;
        let exp = jwt.time("exp")?.ok_or(TokenError::Refused("it has no 'exp'"))?;
        let nbf = jwt.time("nbf")?.unwrap_or(i64::MIN);
        let client = ["azp", "appid", "client_id", "cid"].iter().find_map(|it| jwt.text(it));
        let app_id = client.map(known_by).transpose()?;
        let is_app = is_app(jwt, client);
        let names = match is_app {
            true => jwt.texts("roles"),
            false => jwt.texts("scp").or_else(|| jwt.texts("scope")),
        };
        let names = names.unwrap_or_default();
        let scopes = Scopes::parse(names.iter().flat_map(|it| it.split_ascii_whitespace()));
        let person = if is_app { None } else { Some(self.person(jwt, iss, tid)?) };
        Ok(Verified {
            tenant: self.tenant,
            subject: Uuid::nil(),
            is_app,
            person,
            app_id,
            scopes,
            nbf: nbf.saturating_sub(settings.clock_skew_seconds),
            exp: exp.saturating_add(settings.clock_skew_seconds),
            grounds: Some(Grounds { keys: self.keys.clone(), key: Arc::downgrade(&key) }),
            losses: 0,
        })
    }

    /// Refuses a token of a tenant that the issuer may not speak for here.
    fn tenant_of(&self, tid: Option<&str>) -> Result<(), TokenError> {
        let allowed = &self.settings.allowed_tenants;
        let id = tid.and_then(|it| Uuid::try_parse(it).ok());
        match id {
            Some(id) if allowed.contains(&id) => Ok(()),
            Some(PERSONAL) => Err(TokenError::Personal),
            _ if allowed.is_empty() => Ok(()),
            _ => Err(TokenError::OtherTenant(tid.unwrap_or_default().to_owned())),
        }
    }

    /// The user of a token, by what never changes of them.
    fn person(&self, jwt: &Jwt<'_>, iss: &str, tid: Option<&str>) -> Result<Person, TokenError> {
        // `oid` is Entra ID's, and means something within a tenant alone.
        let (claim, subject) = match (tid, jwt.text("oid"), jwt.text("sub")) {
            (Some(_), Some(oid), _) => ("oid", oid),
            (_, _, Some(sub)) => ("sub", sub),
            _ => return Err(TokenError::Refused("it has no 'sub'")),
        };
        let first = |names: &[&str]| names.iter().find_map(|it| jwt.text(it)).map(str::to_owned);
        let full_name = || {
            let names = [jwt.text("given_name")?, jwt.text("family_name")?];
            Some(names.join(" "))
        };
        let now_or_before = jwt.time("iat")?.or(jwt.time("nbf")?).unwrap_or_default();
        Ok(Person {
            issuer: iss.to_owned(),
            tenant: tid.map(known_by).transpose()?.unwrap_or_default(),
            claim,
            subject: known_by(subject)?,
            principal_name: first(&["upn", "preferred_username", "unique_name", "email"]),
            display_name: first(&["name"]).or_else(full_name),
            mail: first(&["email", "mail"]).filter(|it| self.may_say(jwt, it)),
            address: self.address(jwt),
            at_home: !self.domains.0.is_empty(),
            owned: self.domains.1.clone(),
            is_guest: self.settings.user_type == UserType::Guest,
            groups: self.groups(jwt),
            issued_at: now_or_before,
        })
    }

    /// The address that the issuer vouches for.
    fn address(&self, jwt: &Jwt<'_>) -> Option<String> {
        let claim = self.settings.address_claim.as_deref().unwrap_or("email");
        let (local, domain) = jwt.text(claim)?.rsplit_once('@')?;
        let domain = net::domain(domain)?;
        // Beyond ASCII, two names that look alike, or are folded alike, may be two people's.
        let own = self.stands(jwt) && local.is_ascii() && self.domains.0.contains(&domain);
        own.then(|| format!("{local}@{domain}"))
    }

    /// Whether the issuer stands by the addresses that a token says: what somebody typed has to be verified,
    /// and nothing that is said not to be counts.
    fn stands(&self, jwt: &Jwt<'_>) -> bool {
        match jwt.claim("email_verified") {
            Some(verified) => verified == true || verified == "true",
            None => self.settings.address_claim.is_some(),
        }
    }

    /// Whether an address that is to be shown may come from this issuer: not one that it does not believe
    /// itself, nor one of a domain that another owns, and only of its own domains where it has any.
    fn may_say(&self, jwt: &Jwt<'_>, address: &str) -> bool {
        let (own, owned) = &self.domains;
        if owned.is_empty() {
            return true;
        }
        let domain = address.rsplit_once('@').and_then(|(_, domain)| net::domain(domain));
        match domain {
            Some(it) if own.contains(&it) => self.stands(jwt),
            Some(it) => own.is_empty() && !owned.contains(&it),
            None => false,
        }
    }

    /// The groups that a token says its user is in; `None` where it does not say.
    fn groups(&self, jwt: &Jwt<'_>) -> Option<Vec<String>> {
        let claim = self.settings.groups_claim.as_deref()?;
        // Entra ID leaves out what is too long for a token, and says so.
        let left_out = jwt.claim("_claim_names").is_some_and(|it| it.get(claim).is_some())
            || jwt.claim("hasgroups").is_some_and(|it| it == true || it == "true");
        if left_out {
            return None;
        }
        // Keycloak leaves the claim out where somebody is in no group.
        let named = jwt.texts(claim).unwrap_or_default();
        let map = &self.settings.groups;
        let here = |it: &str| match map.is_empty() {
            // Keycloak may write a path.
            true => Some(it.strip_prefix('/').unwrap_or(it).to_owned()),
            false => map.get(it).cloned(),
        };
        Some(named.into_iter().filter_map(here).collect())
    }
}

/// Refuses what is signed by the issuer for us, and is no access token that its bearer may use.
fn refuse_others(jwt: &Jwt<'_>) -> Result<(), TokenError> {
    // Keycloak says in the claims what the header should say.
    if jwt
        .claim("typ")
        .is_some_and(|it| !it.as_str().is_some_and(|it| it.eq_ignore_ascii_case("bearer")))
    {
        return Err(TokenError::Refused("it is no access token by its claim 'typ'"));
    }
    // RFC 7800: only who has another key too may use it, and whether they have is not looked at here.
    if jwt.claim("cnf").is_some() {
        return Err(TokenError::Refused("it is bound to a key ('cnf'), which is not checked here"));
    }
    Ok(())
}

/// Whether a token is an application's, without a user: as it says itself, or as one can see by whom it
/// is about.
fn is_app(jwt: &Jwt<'_>, client: Option<&str>) -> bool {
    match jwt.text("idtyp") {
        Some(kind) => kind == "app",
        None => {
            let scoped = jwt.claim("scp").is_some() || jwt.claim("scope").is_some();
            let sub = jwt.text("sub");
            // RFC 9068, section 2.2: the subject of a client's own token is the client. Entra ID's has
            // no scopes, and one id where a user has two.
            sub.is_some() && (sub == client || !scoped && sub == jwt.text("oid"))
        }
    }
}

/// What somebody or something is known by, if it can be kept.
fn known_by(text: &str) -> Result<String, TokenError> {
    if text.is_empty()
        || text.chars().count() > SUBJECT_CHARS_MAX
        || text.contains(char::is_control)
    {
        return Err(TokenError::Refused(
            "what its subject or its client is known by cannot be kept",
        ));
    }
    Ok(text.to_owned())
}
