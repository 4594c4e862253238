//! Where settings come from: flags, then the environment, then the configuration file, then defaults.
//!
//! **Invariant:** a name that the file may not hold is an error; nothing in it is silently ignored.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use serde::Deserialize;

use crate::auth::IssuerSettings;
use crate::ids::TenantId;

/// Flags of every command that needs the data.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// The folder where everything is kept [default: ./folkmoot-data]
    #[arg(long, value_name = "DIR", env = "FOLKMOOT_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// The database: `sqlite`, in the data folder, or postgres://USER@HOST:PORT[,HOST:PORT...]/DB
    #[arg(long, value_name = "URL", env = "FOLKMOOT_STORE")]
    pub(crate) store: Option<String>,
    /// Where large attachments are kept: `file`, in the data folder
    #[arg(long, value_name = "URL", env = "FOLKMOOT_BLOBS")]
    pub(crate) blobs: Option<String>,
    /// The address to serve on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS", env = "FOLKMOOT_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// A TOML file with the same settings
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The configuration file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    store: Option<String>,
    blobs: Option<String>,
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    trust_proxy: Option<IpAddr>,
    #[serde(default)]
    tenant: Vec<TenantFile>,
    #[serde(default)]
    issuer: Vec<IssuerSettings>,
    #[serde(default)]
    limits: Limits,
    #[serde(default)]
    audit: AuditFile,
    #[serde(default)]
    sign_in: SignIn,
}

/// `[audit]` of the file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct AuditFile {
    /// Days; 0 for ever.
    keep_days: Option<u32>,
}

/// `[sign_in]` of the file.
#[derive(Deserialize, Debug, Default)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// Whether those who have a password may sign in by it.
    passwords: Option<bool>,
}

/// A `[[tenant]]` of the file.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct TenantFile {
    /// A GUID; without one, these are the settings of the default tenant.
    id: Option<uuid::Uuid>,
    /// Mail domains; groups' addresses are in the first.
    domains: Vec<String>,
    /// Bytes that its attachments may have; 0 for any number. Without one, what `[limits]` says.
    attachment_bytes: Option<u64>,
}

/// `[limits]` of the file: those that depend on the machine and on who calls. What is not set is as
/// `service/limits.rs` has it.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    /// Requests of one user through one application in ten minutes; 0 for any number.
    pub(crate) requests: Option<u32>,
    /// Bytes that the attachments of each tenant may have; 0 for any number.
    pub(crate) attachment_bytes: Option<u64>,
    /// Writes to one group that may wait or run.
    pub(crate) writes_per_group: Option<usize>,
    /// Connections at a time.
    pub(crate) connections: Option<usize>,
    /// Those of one address.
    pub(crate) connections_per_address: Option<usize>,
    /// Seconds that a TLS handshake, and the head of a request, may take.
    pub(crate) head_seconds: Option<f64>,
    /// Seconds that a body may take over nothing.
    pub(crate) body_seconds: Option<f64>,
    /// Seconds in which nothing goes over a connection.
    pub(crate) silence_seconds: Option<f64>,
}

/// Settings, decided.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) data: PathBuf,
    /// The address of the PostgreSQL database, where it is not SQLite in the data folder.
    pub(crate) postgres: Option<String>,
    pub(crate) listen: SocketAddr,
    pub(crate) public_url: Option<String>,
    pub(crate) trust_proxy: Option<IpAddr>,
    /// Further tenants, each with the domain of its groups.
    pub(crate) tenants: Vec<(TenantId, String)>,
    /// The domain of the default tenant's groups.
    pub(crate) domain: Option<String>,
    /// Bytes that the attachments of a tenant may have (none: of the default one), where it has a limit of its
    /// own; 0 for any number.
    pub(crate) attachment_bytes: Vec<(Option<TenantId>, u64)>,
    /// Whose tokens are taken beside this server's own.
    pub(crate) issuers: Vec<IssuerSettings>,
    pub(crate) limits: Limits,
    /// How many days the audit is kept, where that is set; 0 for ever.
    pub(crate) audit_keep_days: Option<u32>,
    /// Whether those who have a password may sign in by it.
    pub(crate) passwords: bool,
}

impl Common {
    /// The settings that these flags, the environment and the file make together.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        let file = match &self.config {
            Some(path) => read(path)?,
            None => File::default(),
        };
        let postgres = match self.store.as_deref().or(file.store.as_deref()) {
            None | Some("sqlite") => None,
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Some(url.to_owned())
            }
            // Not shown: a mistyped address may hold a password.
            Some(_) => {
                bail!("--store is neither `sqlite` nor postgres://USER@HOST:PORT[,HOST:PORT...]/DB")
            }
        };
        check("--blobs", self.blobs.as_deref().or(file.blobs.as_deref()), "file")?;
        let (mut tenants, mut domain, mut attachment_bytes) = (Vec::new(), None, Vec::new());
        for tenant in file.tenant {
            let first = tenant.domains.into_iter().next().context("a [[tenant]] needs a domain")?;
            attachment_bytes
                .extend(tenant.attachment_bytes.map(|it| (tenant.id.map(TenantId), it)));
            match tenant.id {
                Some(id) => tenants.push((TenantId(id), first)),
                None if domain.is_none() => domain = Some(first),
                None => bail!("two [[tenant]] entries without an id: only one is the default"),
            }
        }
        for (at, it) in file.issuer.iter().enumerate() {
            let name = &it.issuer;
            it.check().map_err(|why| anyhow!("the [[issuer]] '{name}': {why}"))?;
            if file.issuer[..at].iter().any(|other| other.issuer == *name) {
                bail!("two [[issuer]] entries for '{name}': give one of them all audiences");
            }
            for other in &file.issuer[..at] {
                if let Some(domain) = it.shares_domain(other) {
                    let other = &other.issuer;
                    bail!(
                        "the domain {domain} is owned by one issuer alone, not by '{other}' and '{name}'"
                    );
                }
            }
        }
        let default = || SocketAddr::from(([127, 0, 0, 1], 8080));
        let data = self.data.clone().or(file.data);
        Ok(Config {
            data: data.unwrap_or_else(|| "./folkmoot-data".into()),
            postgres,
            listen: self.listen.or(file.listen).unwrap_or_else(default),
            public_url: file.public_url,
            trust_proxy: file.trust_proxy,
            tenants,
            domain,
            attachment_bytes,
            issuers: file.issuer,
            limits: file.limits,
            audit_keep_days: file.audit.keep_days,
            passwords: file.sign_in.passwords.unwrap_or(true),
        })
    }
}

fn read(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration file {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in the configuration file {}", path.display()))
}

fn check(flag: &str, value: Option<&str>, served: &str) -> anyhow::Result<()> {
    match value {
        Some(value) if value != served => {
            bail!(
                "{flag} {value} is not supported by this version; it can be left out, or be `{served}`"
            )
        }
        _ => Ok(()),
    }
}
