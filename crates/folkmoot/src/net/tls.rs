//! Certificates: from files, or from a small CA of this server's own for development.
//!
//! **Invariant:** the development CA signs certificates for this machine's own names and for those that
//! the operator gave, nothing else. A pair of files that cannot serve never takes the place of one that can.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// What https is served with.
pub(crate) enum Tls {
    /// The same for as long as the server runs.
    Fixed(Arc<ServerConfig>),
    /// A certificate chain and its key, as they are in two files.
    Files(Files),
}

/// Two PEM files, looked at for each connection: a handshake costs more than that.
pub(crate) struct Files {
    certificate: PathBuf,
    key: PathBuf,
    now: Mutex<(Stamps, Arc<ServerConfig>)>,
}

/// What tells of each file whether it is still the same: when it was written, its size and its inode.
type Stamps = [Option<(SystemTime, u64, u64)>; 2];

impl Tls {
    /// Settings from these files; both must be there and go together.
    pub(crate) fn of_files(certificate: &Path, key: &Path) -> anyhow::Result<Tls> {
        let stamps = [certificate, key].map(stamp);
        let config = Arc::new(from_files(certificate, key)?);
        let now = Mutex::new((stamps, config));
        Ok(Tls::Files(Files { certificate: certificate.into(), key: key.into(), now }))
    }

    /// The settings for a connection that begins now.
    pub(super) fn current(&self) -> Arc<ServerConfig> {
        match self {
            Tls::Fixed(config) => config.clone(),
            Tls::Files(files) => files.current(),
        }
    }
}

impl Files {
    fn current(&self) -> Arc<ServerConfig> {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken before the files are read: what changes meanwhile is seen the next time.
        let stamps = [&self.certificate, &self.key].map(|it| stamp(it));
        if now.0 != stamps {
            now.0 = stamps;
            match from_files(&self.certificate, &self.key) {
                Ok(config) => {
                    now.1 = Arc::new(config);
                    tracing::info!(certificate = %self.certificate.display(), "a new certificate");
                }
                Err(error) => {
                    let error = format!("{error:#}");
                    tracing::warn!(
                        error,
                        "a changed certificate is not taken, the old one serves on"
                    );
                }
            }
        }
        now.1.clone()
    }
}

fn stamp(file: &Path) -> Option<(SystemTime, u64, u64)> {
    let metadata = std::fs::metadata(file).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// A CA that development clients are told to trust.
pub(crate) struct DevCa {
    certificate_pem: String,
    key_pem: String,
}

/// Stands between certificate and key in [`DevCa::to_pem`].
const KEY_BEGINS: &str = "-----BEGIN PRIVATE KEY-----";

impl DevCa {
    /// Makes a new CA.
    pub(crate) fn generate() -> anyhow::Result<DevCa> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Folkmoot development CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2049, 12, 31);
        let certificate = params.self_signed(&key)?;
        Ok(DevCa { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Certificate and key as one text.
    pub(crate) fn to_pem(&self) -> String {
        format!("{}{}", self.certificate_pem, self.key_pem)
    }

    /// The CA of such a text.
    pub(crate) fn from_pem(text: &str) -> anyhow::Result<DevCa> {
        let at = text.find(KEY_BEGINS).context("the development CA in the store has no key")?;
        let (certificate, key) = text.split_at(at);
        Ok(DevCa { certificate_pem: certificate.to_owned(), key_pem: key.to_owned() })
    }

    /// What clients are given.
    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// Settings to serve with: a fresh certificate for localhost, the loopback addresses and `names`
    /// (host names or addresses), valid around `year`.
    pub(crate) fn issue(&self, names: &[String], year: i32) -> anyhow::Result<ServerConfig> {
        let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        all.extend(names.iter().filter(|it| !all.contains(it)).cloned().collect::<Vec<_>>());
        let mut params = CertificateParams::new(all)?;
        params.distinguished_name.push(DnType::CommonName, "Folkmoot");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        // Some clients take no certificate that is good for more than 825 days.
        params.not_before = date_time_ymd(year - 1, 12, 31);
        params.not_after = date_time_ymd(year + 1, 12, 31);
        let issuer =
            Issuer::from_ca_cert_pem(&self.certificate_pem, KeyPair::from_pem(&self.key_pem)?)?;
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &issuer)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        config(vec![leaf.der().clone()], key)
    }
}

/// Settings to serve with a certificate chain and its key, both PEM files.
fn from_files(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("no certificate chain in {}", certificate.display()))?;
    if chain.is_empty() {
        anyhow::bail!("no certificate in {}", certificate.display());
    }
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("no private key in {}", key.display()))?;
    config(chain, key)
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> anyhow::Result<ServerConfig> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .context("the certificate and its key do not go together")?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
