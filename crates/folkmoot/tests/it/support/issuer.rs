//! The built-in issuer as an application asks it.

use super::{Client, Done, Response, Server, folkmoot, with_input};

/// An application of the operator's.
pub(crate) struct App {
    pub(crate) tenant: String,
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

impl Server {
    /// What `folkmoot` prints on this server's data.
    #[track_caller]
    pub(crate) fn command(&self, args: &[&str]) -> String {
        let done = folkmoot(args, &self.data);
        assert_eq!(done.status, Some(0), "{args:?}: {}", done.stderr);
        done.stdout.trim_end().to_owned()
    }

    /// Gives a user a password by `folkmoot user password`; what it says.
    pub(crate) fn set_password(&self, name: &str, input: &str) -> Done {
        with_input(&["user", "password", name], &self.data, input)
    }

    /// Makes an application by `folkmoot app add`.
    #[track_caller]
    pub(crate) fn add_app(&self, args: &[&str]) -> App {
        let printed = self.command(&[&["app", "add"], args].concat());
        let value = |name: &str| {
            let line = printed.lines().find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
            line.map(str::to_owned)
        };
        let (tenant, id) = (value("tenant_id").unwrap(), value("client_id").unwrap());
        App { tenant, id, secret: value("client_secret") }
    }

    /// Asks the token endpoint of a tenant.
    pub(crate) fn ask_token(&self, tenant: &str, fields: &[(&str, &str)]) -> Response {
        self.post_form(&format!("/{tenant}/oauth2/v2.0/token"), &[], fields)
    }

    /// Sends a form.
    pub(crate) fn post_form(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> Response {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        let headers = [&[form], headers].concat();
        self.anonymous().send("POST", path, &headers, query(fields).as_bytes())
    }

    /// A client with the token of an answer.
    #[track_caller]
    pub(crate) fn with_answer(&self, answer: &Response) -> Client {
        let token = answer.ok()["access_token"].as_str().unwrap().to_owned();
        Client { address: self.address.clone(), token }
    }
}

impl Response {
    /// Asserts a refusal of OAuth's (RFC 6749, section 5.2) with Entra ID's number.
    #[track_caller]
    pub(crate) fn refused_oauth(&self, status: u16, code: &str, number: i64) {
        assert_eq!(self.status, status, "{}", self.text());
        let body = self.json();
        assert_eq!(body["error"], code, "{body}");
        assert_eq!(body["error_codes"], serde_json::json!([number]), "{body}");
        let description = body["error_description"].as_str().unwrap();
        assert!(description.starts_with(&format!("AADSTS{number}: ")), "{body}");
        assert_eq!(self.header("Cache-Control"), Some("no-store"));
        assert_eq!(self.header("WWW-Authenticate").is_some(), status == 401);
    }
}

/// Fields as a query or a form.
pub(crate) fn query(fields: &[(&str, &str)]) -> String {
    let encode = |it: &str| {
        percent_encoding::utf8_percent_encode(it, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<_>>().join("&")
}
