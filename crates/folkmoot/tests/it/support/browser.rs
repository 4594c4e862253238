//! A browser, as far as a sign-in needs one: it keeps cookies and follows nothing by itself.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::issuer::query;
use super::{Response, Server};

pub(crate) struct Browser<'s> {
    server: &'s Server,
    cookies: RefCell<BTreeMap<String, String>>,
    headers: Vec<(&'static str, &'static str)>,
}

impl<'s> Browser<'s> {
    pub(crate) fn new(server: &'s Server) -> Browser<'s> {
        Browser::with(server, &[])
    }

    /// One whose requests have these headers.
    pub(crate) fn with(
        server: &'s Server,
        headers: &[(&'static str, &'static str)],
    ) -> Browser<'s> {
        Browser { server, cookies: RefCell::default(), headers: headers.to_vec() }
    }

    /// What it keeps, for another run of the server.
    pub(crate) fn into_cookies(self) -> BTreeMap<String, String> {
        self.cookies.into_inner()
    }

    pub(crate) fn with_cookies(self, cookies: BTreeMap<String, String>) -> Browser<'s> {
        Browser { cookies: RefCell::new(cookies), ..self }
    }

    pub(crate) fn get(&self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    /// Sends the first form of a page that has what a person typed into it.
    #[track_caller]
    pub(crate) fn submit(&self, page: &Response, typed: &[(&str, &str)]) -> Response {
        let html = page.text();
        let has =
            |form: &&str| typed.iter().all(|(name, _)| form.contains(&format!(" name=\"{name}\"")));
        let html = html.split("<form ").skip(1).map(|it| it.split("</form>").next().unwrap());
        let html = html.map(|it| format!("<form {it}")).collect::<Vec<_>>();
        let html = html.iter().map(String::as_str).find(has).expect("a form with these fields");
        let action = attribute(html, "<form ", "action").unwrap();
        let mut fields = Vec::new();
        for input in html.split("<input ").skip(1) {
            let input = format!("<input {}", input.split('>').next().unwrap());
            let name = attribute(&input, "<input ", "name").unwrap();
            let value = attribute(&input, "<input ", "value").unwrap_or_default();
            let typed = typed.iter().find(|(it, _)| *it == name).map(|(_, it)| (*it).to_owned());
            fields.push((name, typed.unwrap_or(value)));
        }
        let fields: Vec<_> = fields.iter().map(|(it, value)| (&it[..], &value[..])).collect();
        match attribute(html, "<form ", "method") {
            Some(_) => self.post(&action, &fields),
            None => self.get(&format!("{action}?{}", query(&fields))),
        }
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        let form = ("Content-Type", "application/x-www-form-urlencoded");
        self.send("POST", path, &[form], query(fields).as_bytes())
    }

    /// Signs in by a new link of this user's.
    #[track_caller]
    pub(crate) fn sign_in(&self, name: &str) {
        let link = self.server.command(&["user", "link", name]);
        let page = self.get(path_of(&link));
        let done = self.submit(&page, &[]);
        assert_eq!(
            (done.status, done.header("Location")),
            (303, Some("/sign-in")),
            "{}",
            done.text()
        );
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let cookies: Vec<_> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut headers = [headers, &self.headers[..]].concat();
        if !cookies.is_empty() {
            headers.push(("Cookie", &cookies));
        }
        let answer = self.server.anonymous().send(method, path, &headers, body);
        for (name, value) in &answer.headers {
            if name.eq_ignore_ascii_case("set-cookie") {
                let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

/// An address without its origin.
pub(crate) fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").unwrap().1;
    &rest[rest.find('/').unwrap()..]
}

/// The value of an attribute of the first tag that begins so.
fn attribute(html: &str, tag: &str, name: &str) -> Option<String> {
    let tag = html.split(tag).nth(1)?.split('>').next()?;
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"))
}
