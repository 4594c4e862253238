//! Certificates: from files, or from a small CA of this server's own for development.
//!
//! **Invariant:** the development CA signs certificates for this machine's own names and for those that
//! the operator gave, nothing else.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

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
pub(crate) fn from_files(certificate: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
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
