//! The pages of a sign-in: written here, without images or anything from elsewhere.
//!
//! **Invariant:** every text that is not this file's own is escaped; a page is framed by nobody, and its forms end
//! here or where the application's sign-in ends. It runs nothing, but for one line that sends the form that an
//! application wants its answer by; without scripts a person sends that.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::auth::{form_target, source_hash};
use crate::service::limits::PASSWORD_CHARS_MIN;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;\
color:#1b1b1b;background:#fff}h1{font-size:1.25rem}label{display:block;margin:1rem 0 .25rem}\
input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}button{font:inherit;margin-top:1rem;\
padding:.4rem 1.2rem}h2{font-size:1rem;margin-top:2rem}.why{border-left:4px solid #b00020;padding-left:.75rem}";

const SEND: &str = "document.forms[0].submit()";

static STYLE_SOURCE: LazyLock<String> = LazyLock::new(|| source_hash(STYLE));
static SEND_SOURCE: LazyLock<String> = LazyLock::new(|| source_hash(SEND));

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
    /// Whether a password is taken as well, and the user name that was typed with one.
    pub(super) password: Option<&'a str>,
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
    let mut hiddens = hidden("word", form.word);
    hiddens.extend(form.next.map(|it| hidden("next", it)));
    if form.makes_account {
        hiddens.push_str(&hidden("new", "1"));
    }
    if let Some(name) = form.password {
        body.push_str(&format!(
            "<form method=\"post\" action=\"/sign-in\">{hiddens}\
             <label for=\"name\">User name</label>\
             <input id=\"name\" name=\"name\" value=\"{}\" autocomplete=\"username\" required>\
             <label for=\"password\">Password</label>\
             <input id=\"password\" name=\"password\" type=\"password\" \
             autocomplete=\"current-password\" required>\
             <button>Sign in</button></form><h2>Or by a link</h2>",
            escape(name)
        ));
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

/// The page of an ephemeral server, which asks for nothing but a name: its form sends `fields` again, with
/// the name, to where they came.
pub(super) fn name(
    path: &str,
    fields: &[(String, String)],
    why: Option<&str>,
    target: &str,
) -> Response {
    let hiddens: String = fields.iter().map(|(name, value)| hidden(&escape(name), value)).collect();
    let why = why.map(|it| format!("<p class=\"why\" role=\"alert\">{}</p>", escape(it)));
    let body = format!(
        "<h1>Who signs in?</h1>{}<form action=\"{}\">{hiddens}\
         <label for=\"name\">User name, such as ada@example.org</label>\
         <input id=\"name\" name=\"login_hint\" autocomplete=\"username\" required>\
         <button>Sign in</button></form>\
         <p>This server is for tests: it signs in whoever is named.</p>",
        why.unwrap_or_default(),
        escape(path),
    );
    page(StatusCode::OK, "Who signs in?", &body, Some(target))
}

/// The page of somebody who has signed in; whether they may have a password, and have changed it just now.
pub(super) fn signed_in(name: &str, word: &str, passwords: bool, changed: bool) -> Response {
    let changed = if changed { "<p role=\"status\">Your password is changed.</p>" } else { "" };
    let link =
        if passwords { "<p><a href=\"/sign-in/password\">Your password</a></p>" } else { "" };
    let body = format!(
        "<h1>You are signed in</h1>{changed}<p>As <strong>{}</strong>.</p>{link}\
         <form method=\"post\" action=\"/sign-out\">{}<button>Sign out</button></form>",
        escape(name),
        hidden("word", word)
    );
    page(StatusCode::OK, "Signed in", &body, None)
}

/// The page where somebody changes their password, or chooses their first.
pub(super) fn password(
    status: StatusCode,
    name: &str,
    word: &str,
    has_one: bool,
    why: Option<&str>,
) -> Response {
    let title = if has_one { "Change your password" } else { "Choose a password" };
    let why = why.map(|it| format!("<p class=\"why\" role=\"alert\">{}</p>", escape(it)));
    let field = |name: &str, label: &str, is: &str| {
        format!(
            "<label for=\"{name}\">{label}</label><input id=\"{name}\" name=\"{name}\" \
             type=\"password\" autocomplete=\"{is}-password\" required>"
        )
    };
    let old = if has_one { field("old", "The old one", "current") } else { String::new() };
    // What keeps passwords for people looks for the name beside them.
    let body = format!(
        "<h1>{title}</h1>{}<form method=\"post\" action=\"/sign-in/password\">{}\
         <input name=\"name\" value=\"{}\" autocomplete=\"username\" hidden>{old}{}{}\
         <button>{title}</button></form>\
         <p>It has {PASSWORD_CHARS_MIN} characters or more; a few words do. Wherever else you are signed in, \
         that ends.</p><p><a href=\"/sign-in\">Back</a></p>",
        why.unwrap_or_default(),
        hidden("word", word),
        escape(name),
        field("new", "The new one", "new"),
        field("again", "The new one, once more", "new"),
    );
    page(status, title, &body, None)
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value))
}

/// The page that sends an application its answer, by a form to its own address.
pub(super) fn back(redirect: &str, app: &str, told: &[(&str, String)]) -> Response {
    let hiddens: String = told.iter().map(|(name, value)| hidden(name, value)).collect();
    let body = format!(
        "<h1>Back to {app}</h1><form method=\"post\" action=\"{}\">{hiddens}\
         <button>Go on to {app}</button></form><script>{SEND}</script>",
        escape(redirect),
        app = escape(app),
    );
    let mut response = page(StatusCode::OK, "Back", &body, Some(&form_target(redirect)));
    let headers = response.headers_mut();
    let policy = headers.get(header::CONTENT_SECURITY_POLICY).and_then(|it| it.to_str().ok());
    let policy = format!("{}; script-src '{}'", policy.unwrap_or_default(), *SEND_SOURCE);
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// The page of an invitation into a group, made for an address: to somebody who has signed in, by id and name, or
/// to whoever has not. Its form repeats the word and the link's code.
pub(super) fn invitation(
    group: &str,
    address: &str,
    who: Option<(&str, &str)>,
    (word, code): (&str, &str),
) -> Response {
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
