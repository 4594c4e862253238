//! https as the SDKs speak it: HTTP/2 or 1.1 over TLS, trusting the development CA and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::support::{Server, folkmoot};

/// What a client gets that trusts the CA in `ca` and speaks the protocol that `alpn` names.
async fn ask(
    address: &str,
    ca: &Path,
    alpn: &str,
    request: Request<Full<Bytes>>,
) -> (StatusCode, Version, Value) {
    let (head, body) = ask_whole(address, ca, alpn, request).await.unwrap();
    (head.status, head.version, body)
}

/// The same with all of its head; an error where the server is not one that the CA vouches for.
async fn ask_whole(
    address: &str,
    ca: &Path,
    alpn: &str,
    request: Request<Full<Bytes>>,
) -> std::io::Result<(http::response::Parts, Value)> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![alpn.as_bytes().to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TokioIo::new(connector.connect(name, stream).await?);
    let answer = if alpn == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap()
    };
    let (head, body) = answer.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Ok((head, serde_json::from_slice(&body).unwrap()))
}

/// A request; over HTTP/2 its address names the host, over HTTP/1 a header does.
fn request(alpn: &str, host: &str, path: &str, body: &Value) -> Request<Full<Bytes>> {
    let builder = if alpn == "h2" {
        Request::builder().uri(format!("https://{host}{path}"))
    } else {
        Request::builder().uri(path).header("Host", host)
    };
    let builder = builder.method("POST").header("Content-Type", "application/json");
    builder.body(Full::from(body.to_string())).unwrap()
}

#[tokio::test]
async fn both_protocols_are_spoken_over_tls() {
    let server = Server::start(TempDir::new().unwrap(), &["--ephemeral", "--tls", "dev"]);
    let ca = server.data.join("ca.pem");
    for (alpn, version) in [("h2", Version::HTTP_2), ("http/1.1", Version::HTTP_11)] {
        let body = json!({"user": "ada@example.org"});
        let asked = request(alpn, &server.address, "/_test/token", &body);
        let (status, spoken, answer) = ask(&server.address, &ca, alpn, asked).await;
        assert_eq!((status, spoken), (StatusCode::OK, version), "{answer}");

        let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
        let group = json!({
            "displayName": "Readers", "mailNickname": format!("readers{}", version == Version::HTTP_2),
            "mailEnabled": true, "securityEnabled": false, "groupTypes": ["Unified"]
        });
        let mut create = request(alpn, &server.address, "/v1.0/groups", &group);
        create.headers_mut().insert("Authorization", bearer.parse().unwrap());
        let (status, _, made) = ask(&server.address, &ca, alpn, create).await;
        assert_eq!(status, StatusCode::CREATED, "{made}");
        let context = format!("https://{}/v1.0/$metadata#groups/$entity", server.address);
        assert_eq!(made["@odata.context"], context.as_str());

        let asked = request(alpn, "evil.example", "/_test/token", &body);
        assert_eq!(ask(&server.address, &ca, alpn, asked).await.0, StatusCode::FORBIDDEN);
    }
}

#[test]
fn the_ca_that_clients_trust_outlives_a_restart() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().to_owned();
    let read = |server: &Server| std::fs::read_to_string(server.data.join("ca.pem")).unwrap();
    let server = Server::start(folder, &["--tls", "dev"]);
    let first = read(&server);
    assert!(first.starts_with("-----BEGIN CERTIFICATE-----") && !first.contains("PRIVATE"));
    let server = server.kill_and_restart_with(&["--tls", "dev"]);
    assert_eq!(read(&server), first);
    assert_eq!(server.data, path);
}

#[test]
fn a_certificate_that_cannot_serve_is_named() {
    let folder = TempDir::new().unwrap();
    let missing = folder.path().join("none.pem");
    let name = missing.to_str().unwrap();
    let done = folkmoot(&["serve", "--tls-cert", name, "--tls-key", name], folder.path());
    assert_eq!(done.status, Some(1));
    assert!(done.stderr.contains(name), "{}", done.stderr);
    assert_eq!(folkmoot(&["serve", "--tls-cert", name], folder.path()).status, Some(2));
}

/// Writes a new certificate for this machine and its key.
fn new_pair(folder: &Path, name: &str) -> [PathBuf; 2] {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let texts = [("crt", made.cert.pem()), ("key", made.signing_key.serialize_pem())];
    texts.map(|(ending, text)| {
        let path = folder.join(format!("{name}.{ending}"));
        std::fs::write(&path, text).unwrap();
        path
    })
}

#[tokio::test]
async fn a_changed_certificate_is_taken_up_and_a_broken_one_is_not() {
    let (folder, certificates) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let [first, first_key] = new_pair(certificates.path(), "first");
    let [second, second_key] = new_pair(certificates.path(), "second");
    let [crt, key] = ["now.crt", "now.key"].map(|it| certificates.path().join(it));
    let put = |from: &Path, to: &Path| std::fs::copy(from, to).map(drop).unwrap();
    put(&first, &crt);
    put(&first_key, &key);
    let args = ["--tls-cert", crt.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let args = [&args[..], &["--public-url", "https://talk.example.org"]].concat();
    let server = Server::logging_with(folder, &args);
    let served_with = async |ca: &Path| {
        let document = Request::builder().uri("https://localhost/v1.0");
        let document = document.body(Full::default()).unwrap();
        let answer = ask_whole(&server.address, ca, "h2", document).await;
        answer.map(|(head, _)| {
            let name = "strict-transport-security";
            assert_eq!(head.headers.get(name).unwrap(), "max-age=31536000");
        })
    };
    let log = || std::fs::read_to_string(server.data.join("log")).unwrap();
    served_with(&first).await.unwrap();
    assert!(served_with(&second).await.is_err());
    // Between the two writes they do not go together.
    put(&second, &crt);
    served_with(&first).await.unwrap();
    assert!(log().contains("do not go together"), "{}", log());
    put(&second_key, &key);
    served_with(&second).await.unwrap();
    assert!(served_with(&first).await.is_err());
    // Neither what is no certificate, nor a file that is not there.
    std::fs::write(&crt, "nothing").unwrap();
    served_with(&second).await.unwrap();
    assert!(log().contains("no certificate"), "{}", log());
    std::fs::remove_file(&key).unwrap();
    served_with(&second).await.unwrap();
    put(&first_key, &key);
    put(&first, &crt);
    served_with(&first).await.unwrap();
}
