//! Documents of other servers, fetched within bounds.
//!
//! **Invariant:** an answer is taken only from the address that was named: no redirect is followed, and
//! without encryption only this machine is asked. Its time and its size have a limit.

use std::time::Duration;

use reqwest::{Client, Url, redirect};

/// How long one answer may take, from the look-up of the name to the last byte.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// Fetches documents.
#[derive(Clone, Debug)]
pub(crate) struct Fetcher {
    client: Client,
    /// Whether it may ask this machine without encryption.
    local: bool,
}

impl Fetcher {
    /// What fetches documents over https; where `local`, over plain http from this machine too.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub(crate) fn new(local: bool) -> Result<Fetcher, String> {
        let mut client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(ANSWER_MAX)
            .user_agent(concat!("folkmoot/", env!("CARGO_PKG_VERSION")));
        if local {
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| cause(&error))?;
        Ok(Fetcher { client, local })
    }

    /// The body at `url`, of at most so many bytes; or why not.
    pub(crate) async fn get(&self, url: &str, bytes_max: usize) -> Result<Vec<u8>, String> {
        let url = address(url)?;
        if url.scheme() != "https" && !self.local {
            return Err(format!("{url} is not an https address"));
        }
        let failed = |error: reqwest::Error| format!("{url}: {}", cause(&error.without_url()));
        let mut response = self.client.get(url.clone()).send().await.map_err(failed)?;
        if response.status() != 200 {
            return Err(format!("{url} answers {}", response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > bytes_max {
                return Err(format!("{url} answers more than {bytes_max} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// An address that may be asked: https, or http of this machine.
pub(crate) fn address(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("'{text}' is not a URL: {error}"))?;
    if url.scheme() != "https" && !is_local(&url) {
        return Err(format!("'{text}' is not an https address"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("'{text}' has a user or a password in it"));
    }
    Ok(url)
}

/// A mail domain as it is looked up (UTS #46): in ASCII and in lower case, however it is spelled; `None` where
/// it cannot be one.
pub(crate) fn domain(text: &str) -> Option<String> {
    let odd = |c: char| c.is_whitespace() || c.is_control() || "/\\?#@:%[]".contains(c);
    if text.contains(odd) {
        return None;
    }
    let url = Url::parse(&format!("https://{text}/")).ok()?;
    let host = url.host_str()?.trim_end_matches('.');
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (!host.is_empty() && host.chars().all(is_name)).then(|| host.to_owned())
}

/// Whether it is plain http to this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let loopback = host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
    url.scheme() == "http" && (host == "localhost" || loopback)
}

/// An error with what is behind it.
fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_this_machine_may_be_asked() {
        for text in [
            "https://login.example.org/x/v2.0",
            "http://127.0.0.1:9/a",
            "http://[::1]:9",
            "http://localhost",
        ] {
            assert!(address(text).is_ok(), "{text}");
        }
        for text in [
            "http://login.example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "ftp://127.0.0.1",
            "file:///etc/passwd",
            "https://user:word@login.example.org",
            "login.example.org",
            "",
        ] {
            assert!(address(text).is_err(), "{text}");
        }
    }
}
