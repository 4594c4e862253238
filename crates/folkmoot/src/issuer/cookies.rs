//! Cookies of a sign-in: the session, and the word that its forms repeat.
//!
//! **Invariant:** no script reads them and no other site's form brings them along; over https they are of
//! this host alone (`__Host-`).

use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

/// Which cookie.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cookie {
    Session,
    /// What a form must repeat: a page of another site can neither read nor set it.
    Word,
}

impl Cookie {
    fn name(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        let name = match self {
            Cookie::Session => "folkmoot-session",
            Cookie::Word => "folkmoot-form",
        };
        format!("{prefix}{name}")
    }

    /// Its value in a request.
    pub(super) fn of(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
        let pairs = lines.flat_map(|it| it.split(';')).filter_map(|it| it.trim().split_once('='));
        pairs.filter(|(it, _)| *it == name).map(|(_, value)| value).find(|it| !it.is_empty())
    }

    /// Sets it for so many seconds; none takes it away.
    pub(super) fn set(self, response: &mut Response, secure: bool, value: &str, seconds: i64) {
        let secure_too = if secure { "; Secure" } else { "" };
        let name = self.name(secure);
        let cookie = format!(
            "{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure_too}"
        );
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}
