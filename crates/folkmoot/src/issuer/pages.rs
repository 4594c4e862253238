//! The pages of a sign-in: written here, without scripts, images or anything from elsewhere.
//!
//! **Invariant:** every text that is not this file's own is escaped; a page runs nothing, is framed by
//! nobody, and its forms end here or where the application's sign-in ends.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::auth::style_hash;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;\
color:#1b1b1b;background:#fff}h1{font-size:1.25rem}label{display:block;margin:1rem 0 .25rem}\
input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}button{font:inherit;margin-top:1rem;\
padding:.4rem 1.2rem}.why{border-left:4px solid #b00020;padding-left:.75rem}";

static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| style_hash(STYLE));

/// What a form of a sign-in holds besides what the person types.
pub(super) struct Form<'a> {
    /// Which application wants it, and what it gets.
    pub(super) app: Option<(&'a str, &'a str)>,
    /// What went wrong at the last try.
    pub(super) why: Option<&'a str>,
    /// Where it goes on.
    pub(super) next: Option<&'a str>,
    /// The word that a page of another site does not know.
    pub(super) word: &'a str,
    /// A link's secret that is filled in.
    pub(super) code: Option<&'a str>,
    /// Whether the link makes an account.
    pub(super) makes_account: bool,
    /// What a form's policy says besides this origin.
    pub(super) target: Option<String>,
}

/// The page that asks who somebody is.
pub(super) fn sign_in(status: StatusCode, form: &Form<'_>) -> Response {
    let mut body = match form.app {
        Some((app, _)) => format!("<h1>Sign in to {}</h1>", escape(app)),
        None => "<h1>Sign in</h1>".to_owned(),
    };
    if let Some((app, scopes)) = form.app {
        body.push_str(&format!(
            "<p>{} will be given, in your name: <strong>{}</strong>.</p>",
            escape(app),
            escape(scopes)
        ));
    }
    if let Some(why) = form.why {
        body.push_str(&format!("<p class=\"why\" role=\"alert\">{}</p>", escape(why)));
    }
    let hidden = |name: &str, value: &str| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
    };
    let mut hiddens = hidden("word", form.word);
    hiddens.extend(form.next.map(|it| hidden("next", it)));
    if form.makes_account {
        hiddens.push_str(&hidden("new", "1"));
    }
    body.push_str(&format!("<form method=\"post\" action=\"/sign-in\">{hiddens}"));
    if form.makes_account {
        body.push_str(
            "<label for=\"name\">The user name of your new account, such as ada@example.org</label>\
             <input id=\"name\" name=\"name\" autocomplete=\"username\" required>",
        );
    }
    let code = form.code.map(escape).unwrap_or_default();
    body.push_str(&format!(
        "<label for=\"code\">The code of your sign-in link, or the link</label>\
         <input id=\"code\" name=\"code\" value=\"{code}\" autocomplete=\"one-time-code\" required>\
         <button>Sign in</button></form>\
         <p>Whoever runs this server gives you a link. It is good once, for 15 minutes.</p>"
    ));
    page(status, "Sign in", &body, form.target.as_deref())
}

/// The page of somebody who has signed in.
pub(super) fn signed_in(name: &str, word: &str) -> Response {
    let body = format!(
        "<h1>You are signed in</h1><p>As <strong>{}</strong>.</p>\
         <form method=\"post\" action=\"/sign-out\"><input type=\"hidden\" name=\"word\" value=\"{}\">\
         <button>Sign out</button></form>",
        escape(name),
        escape(word)
    );
    page(StatusCode::OK, "Signed in", &body, None)
}

/// The page of an invitation into a group, made for an address: to somebody who has signed in, by id and name, or
/// to whoever has not. Its form repeats the word and the link's code.
pub(super) fn invitation(
    group: &str,
    address: &str,
    who: Option<(&str, &str)>,
    (word, code): (&str, &str),
) -> Response {
    let hidden = |name: &str, value: &str| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
    };
    let mut hiddens = hidden("word", word) + &hidden("code", code);
    let (group, address) = (escape(group), escape(address));
    let (text, button) = match who {
        Some((id, name)) => {
            hiddens.push_str(&hidden("as", id));
            (format!("You are signed in as <strong>{}</strong>.", escape(name)), "Join".to_owned())
        }
        None => (
            "If you have an account here, <a href=\"/sign-in\">sign in</a> first, and open this \
             link again."
                .to_owned(),
            format!("Make a new account for {address}, and join"),
        ),
    };
    let body = format!(
        "<h1>You are invited to {group}</h1><p>{text}</p>\
         <form method=\"post\" action=\"/invitation\">{hiddens}<button>{button}</button></form>"
    );
    page(StatusCode::OK, "You are invited", &body, None)
}

/// The page of a sign-in that cannot be.
pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    let body = format!("<h1>This sign-in cannot be</h1><p class=\"why\">{}</p>", escape(why));
    page(status, "This sign-in cannot be", &body, None)
}

fn page(status: StatusCode, title: &str, body: &str, target: Option<&str>) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{}</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>",
        escape(title)
    );
    // A browser holds the redirect that follows a form against this too.
    let target = target.map(|it| format!(" {it}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; style-src '{}'; form-action 'self'{target}; \
         frame-ancestors 'none'; base-uri 'none'",
        *STYLE_SOURCE
    );
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // Not none at all: a form's Origin would be `null` then.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// A text as it may stand in HTML, also between quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
