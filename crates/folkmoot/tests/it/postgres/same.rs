//! The same requests get the same bytes whichever database is behind the server: with a clock that
//! stands still and ids that are counted all but the address, and with a real clock all but ids and
//! times too.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::postgres::Database;
use crate::support::{Client, Response, Server};

/// Times from here on are taken for the clock's own: 2026-01-01T00:00:00Z, in ticks.
const NOW_TICKS: i64 = 639_028_224_000_000_000;
const UNKNOWN: &str = "8d12587e-587e-8d12-7e58-128d7e58128d";

/// Who talks to a server, and what was remembered of its answers.
struct Talk<'a> {
    server: &'a Server,
    ada: Client,
    bo: Client,
    /// Values by the names that stand for them in what is sent.
    names: Vec<(&'static str, String)>,
    /// Ids in the order in which they were first seen.
    ids: Vec<String>,
    /// Whether ids and times are the same too.
    exact: bool,
    /// What was asked, and what came.
    said: Vec<(String, String)>,
}

impl Talk<'_> {
    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("HOST", &self.server.address).replace("UNKNOWN", UNKNOWN);
        for (name, value) in &self.names {
            text = text.replace(&format!("<{name}>"), value);
        }
        text
    }

    fn ask(&mut self, who: &str, method: &str, path: &str, body: &str) -> Response {
        let client = match who {
            "ada" => self.ada.clone(),
            "bo" => self.bo.clone(),
            _ => self.server.anonymous(),
        };
        let (filled, sent) = (self.fill(path).replace(' ', "%20"), self.fill(body));
        let headers = [("Content-Type", "application/json")];
        let headers = if method == "POST" { &headers[..] } else { &[] };
        let answer = client.send(method, &filled, headers, sent.as_bytes());
        let mut text = answer.status.to_string();
        for name in ["ETag", "Location", "Content-Type"] {
            text.push_str(&format!("\n{name}: {}", answer.header(name).unwrap_or("-")));
        }
        text.push('\n');
        text.push_str(&answer.text());
        let text = self.plain(&text);
        self.said.push((format!("{who} {method} {path} {body}"), text));
        answer
    }

    fn get(&mut self, path: &str) -> Response {
        self.ask("ada", "GET", path, "")
    }

    /// Posts, and remembers values of the answer by these names.
    fn post(&mut self, who: &str, path: &str, body: &str, keep: &[(&'static str, &str)]) {
        let answer = self.ask(who, "POST", path, body);
        for (name, pointer) in keep {
            let body = answer.json();
            let value = body.pointer(pointer).and_then(Value::as_str);
            self.names
                .push((name, value.unwrap_or_else(|| panic!("{pointer}: {body}")).to_owned()));
        }
    }

    /// A list, page by page.
    fn pages(&mut self, path: &str) {
        let mut next = Some(path.to_owned());
        let origin = format!("http://{}", self.server.address);
        while let Some(path) = next {
            let page = self.get(&path).ok();
            let link = page["@odata.nextLink"].as_str();
            next = link.map(|it| it.strip_prefix(&origin).expect(it).to_owned());
        }
    }

    /// An answer without what differs between any two runs.
    fn plain(&mut self, text: &str) -> String {
        let text = text.replace(&self.server.address, "HOST");
        if self.exact {
            return text;
        }
        let text = open_tokens(&text);
        let (mut out, mut rest) = (String::new(), text.as_str());
        while let Some(next) = rest.chars().next() {
            let end = if let Some(id) = rest.get(..36).filter(|it| is_id(it)) {
                let at = self.ids.iter().position(|it| it == id).unwrap_or(self.ids.len());
                if at == self.ids.len() {
                    self.ids.push(id.to_owned());
                }
                out.push_str(&format!("id{at}"));
                36
            } else if rest.get(..19).is_some_and(|it| is_time(it) && it >= "2026") {
                out.push_str("NOW");
                19
            } else {
                out.push(next);
                next.len_utf8()
            };
            rest = &rest[end..];
        }
        out
    }
}

fn is_id(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}

fn is_time(text: &str) -> bool {
    text.bytes().zip(*b"dddd-dd-ddTdd:dd:dd").all(|(byte, like)| match like {
        b'd' => byte.is_ascii_digit(),
        _ => byte == like,
    })
}

/// Shows what is in each `$skiptoken`, which holds ids and times in a form of its own.
fn open_tokens(text: &str) -> String {
    let mut parts = text.split("$skiptoken=");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(['"', '&']).unwrap_or(part.len());
        let token = percent_decode_str(&part[..end]).decode_utf8().unwrap();
        let token = BASE64_URL_SAFE_NO_PAD.decode(token.as_bytes()).unwrap_or_default();
        let mut token: Value = serde_json::from_slice(&token).unwrap_or_default();
        for value in token[2].as_array_mut().into_iter().flatten() {
            if value.as_i64().is_some_and(|it| it >= NOW_TICKS) {
                *value = json!("NOW");
            }
        }
        out.push_str(&format!("$skiptoken={token}{}", &part[end..]));
    }
    out
}

/// Texts that sort and fold in ways of their own.
const TOPICS: [&str; 10] = [
    "Straße",
    "STRASSE 2",
    "O'Hara & Söhne #1",
    "zebra",
    "Äpfel",
    "a\u{ffff}",
    "a\u{1f600}",
    "İstanbul",
    "100%_",
    "",
];

fn writes(it: &mut Talk<'_>) {
    let group = |name: &str, description: &str| {
        format!(
            r#"{{"displayName":"The {name}","mailNickname":"{name}","groupTypes":["Unified"],
                "mailEnabled":true,"securityEnabled":false,"description":{description}}}"#
        )
    };
    it.post("ada", "/v1.0/groups", &group("readers", "null"), &[("g", "/id")]);
    it.post("ada", "/v1.0/groups", &group("Writers", "\"Ünder\""), &[("h", "/id")]);
    it.post("ada", "/v1.0/groups", &group("READERS", "null"), &[]);
    it.post("ada", "/v1.0/groups", &group("a b", "null"), &[]);
    let member = r#"{"@odata.id":"http://HOST/v1.0/users/bo@example.org"}"#;
    it.post("ada", "/v1.0/groups/<g>/members/$ref", member, &[]);
    it.post("ada", "/v1.0/groups/<g>/members/$ref", member, &[]);
    let conversations = "/v1.0/groups/<g>/conversations";
    for (at, topic) in TOPICS.iter().enumerate() {
        let body = json!({
            "topic": topic, "hasAttachments": at % 3 == 0, "preview": TOPICS[(at * 7) % 10],
            "uniqueSenders": &["Ada", "bo", "\u{c9}va", "_b"][..at % 5],
            "lastDeliveredDateTime": format!("2020-01-{:02}T00:00:00.{}+0{}:30", at / 2 + 1, at, at % 3),
        });
        it.post("ada", &format!("{conversations}/$ref"), &body.to_string(), &[]);
    }
    let deep = r##"{"topic":"Lunch","threads":[{"posts":[{"body":{"contentType":"html",
        "content":"<p>Soup &amp; bread</p>"},"categories":["Blue","red"],"ticket":{"number":7.50},
        "newParticipants":[{"emailAddress":{"name":"Cy","address":"Cy@example.org"}}],"attachments":[
        {"@odata.type":"#microsoft.graph.fileAttachment","name":"Ä.txt","contentBytes":"aGVsbG8="}]}]}]}"##;
    let keep = [("c", "/id"), ("t", "/threads/0/id"), ("p", "/threads/0/posts/0/id")];
    it.post("ada", conversations, deep, &keep);
    let reply = r#"{"post":{"body":{"contentType":"text","content":"two"},"mood":"}"}}"#;
    it.post("bo", "/v1.0/groups/<g>/threads/<t>/reply", reply, &[]);
    it.post("ada", "/v1.0/groups/<g>/threads/<t>/posts/<p>/reply", reply, &[]);
    let side = r#"{"posts":[{"body":{"content":"aside"}}]}"#;
    it.post("bo", &format!("{conversations}/<c>/threads"), side, &[("s", "/id")]);
    it.post("bo", "/v1.0/groups/<g>/threads", r#"{"topic":"Bo's","posts":[{}]}"#, &[("d", "/id")]);
    // Refused.
    for body in [
        "",
        "{",
        "{}",
        r#"{"topic":7}"#,
        r#"{"topic":"a\u0000b"}"#,
        r#"{"topic":"x","subject":"y"}"#,
        r#"{"topic":"x","lastDeliveredDateTime":"2017-02-29T00:00:00Z"}"#,
        r#"{"topic":"x","threads":[{"posts":[{"body":{"contentType":"rtf"}}]}]}"#,
    ] {
        it.post("ada", conversations, body, &[]);
    }
    it.post("bo", "/v1.0/groups/<h>/conversations", r#"{"topic":"x"}"#, &[]);
    it.post("ada", "/v1.0/groups/UNKNOWN/conversations", r#"{"topic":"x"}"#, &[]);
    it.post("ada", "/v1.0/groups/<g>/threads/UNKNOWN/reply", reply, &[]);
    it.post("nobody", conversations, r#"{"topic":"x"}"#, &[]);
    it.ask("ada", "PUT", conversations, "");
    it.ask("ada", "DELETE", "/v1.0/groups/<g>/threads/<d>", "");
    it.ask("ada", "DELETE", "/v1.0/groups/<g>/threads/<d>", "");
}

const FILTERS: &[&str] = &[
    "uniqueSenders/any(s:s gt 'F')",
    "uniqueSenders/all(s:s lt 'F')",
    "topic eq 'strasse'",
    "topic ne 'strasse'",
    "topic in ('STRAßE','x','o''hara %26 SÖHNE %231')",
    "topic gt 'straße'",
    "topic gt 'b' and topic lt 'zz'",
    "topic le 'a'",
    "startswith(topic,'strasse') or endswith(topic,'2')",
    "contains(topic,'%25_') and not hasAttachments",
    "not contains(preview,'e')",
    "contains(topic,'')",
    "endswith(topic,'SSE')",
    "endswith(preview,'öhne %231') or topic eq 'x'",
    "endswith(topic,'')",
    "hasAttachments ne true",
    "lastDeliveredDateTime ge 2020-01-03T00:00:00%2B01:30 and lastDeliveredDateTime lt 2020-01-05T00:00:00Z",
    "lastDeliveredDateTime eq 2020-01-01T00:00:00.0-00:30",
    "uniqueSenders/any(s:s eq 'BO')",
    "uniqueSenders/all(s:startswith(s,'b'))",
    "not uniqueSenders/any()",
    "threads/any(t:t/uniqueSenders/any(s:s ge 'AA'))",
    "threads/any(t:t/toRecipients/any(r:r/emailAddress/name gt 'TH'))",
    "threads/any(t:t/topic eq 'LUNCH' and t/posts/any(p:p/hasAttachments))",
    "threads/any(t:t/posts/any(p:p/from/emailAddress/address eq 'BO@example.org'))",
    "threads/any(t:t/toRecipients/any(r:r/emailAddress/address eq 'cy@EXAMPLE.org'))",
    "threads/all(t:t/isLocked)",
    "id eq '<c>' or id eq 'nonsense'",
    "true and not false",
    "topic eq",
    "bogus eq 1",
    "topic eq 1",
];

const LISTS: &[&str] = &[
    "",
    "?$top=3",
    "?$top=4&$orderby=topic",
    "?$top=4&$orderby=topic desc,id",
    "?$top=3&$orderby=hasAttachments desc,preview",
    "?$top=5&$orderby=lastDeliveredDateTime,topic desc&$count=true",
    "?$skip=3&$top=2&$orderby=topic&$count=true&$filter=topic ne 'zebra'",
    "?$skip=100",
    "?$select=topic,uniqueSenders&$top=6",
    "?$select=*&$top=100",
    "/$count",
    "/$count?$filter=hasAttachments",
    "?$expand=threads",
    "?$expand=threads($select=topic;$expand=posts($top=1;$count=true;$orderby=receivedDateTime,id))",
    "?$expand=threads($filter=posts/any(p:p/hasAttachments);$expand=posts($expand=attachments,inReplyTo))",
    "?$expand=threads($orderby=topic desc;$top=1;$skip=1)&$filter=topic eq 'Lunch'",
    "('<c>')?$expand=threads($expand=posts($select=body,from;$top=2))",
    "/<c>",
    "/<c>/threads/<s>/posts",
    "/UNKNOWN",
    "/nonsense",
    "?$orderby=uniqueSenders",
    "?$top=0",
    "?$skiptoken=x",
    "?$search=%22x%22",
    "?$expand=bogus",
];

const OTHERS: &[&str] = &[
    "/v1.0/groups?$orderby=description,displayName&$top=1",
    "/v1.0/groups?$orderby=description desc&$filter=description ne 'x'&$count=true",
    "/v1.0/groups?$filter=description eq null or startswith(description,'ÜN')",
    "/v1.0/groups?$filter=groupTypes/any(c:c eq 'Unified')&$select=id,mail,proxyAddresses",
    "/v1.0/groups/<g>",
    "/v1.0/groups/<g>/members?$count=true",
    "/v1.0/groups/<g>/owners",
    "/v1.0/groups/<g>/members/$count",
    "/v1.0/users",
    "/v1.0/users?$filter=startswith(displayName,'B')&$orderby=displayName desc",
    "/v1.0/users/bo@example.org",
    "/v1.0/me?$select=*",
    "/v1.0/me/memberOf",
    "/v1.0/me/ownedObjects",
    "/v1.0/me/joinedTeams",
    "/v1.0/me/joinedTeams/<g>/conversations/<c>",
    "/v1.0/groups/<g>/threads?$orderby=topic&$top=2",
    "/v1.0/groups/<g>/threads/<t>?$select=*",
    "/v1.0/groups/<g>/threads/<t>/posts?$top=2",
    "/v1.0/groups/<g>/threads/<t>/posts?$filter=categories/any(c:c eq 'RED')&$expand=attachments",
    "/v1.0/groups/<g>/threads/<t>/posts?$filter=receivedDateTime ge 2025-01-01T00:00:00Z&$orderby=receivedDateTime desc",
    "/v1.0/groups/<g>/threads/<t>/posts?$filter=inReplyTo/id eq '<p>'",
    "/v1.0/groups/<g>/threads/<t>/posts/<p>?$select=*",
    "/v1.0/groups/<g>/threads/<t>/posts/<p>/attachments?$filter=name eq 'ä.TXT'",
    "/beta/groups/<g>/threads/<t>/posts/<p>/inReplyTo",
    "/v1.0/$metadata",
    "/v1.0",
];

fn talk(server: &Server, exact: bool) -> Vec<(String, String)> {
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let mut it =
        Talk { server, ada, bo, names: Vec::new(), ids: Vec::new(), exact, said: Vec::new() };
    writes(&mut it);
    let conversations = "/v1.0/groups/<g>/conversations";
    for filter in FILTERS {
        it.get(&format!("{conversations}?$select=topic&$top=100&$filter={filter}"));
    }
    for list in LISTS {
        let path = format!("{conversations}{list}");
        if it.get(&path).text().contains("@odata.nextLink\":\"http") {
            it.pages(&path);
        }
    }
    for path in OTHERS {
        it.get(path);
    }
    it.ask("bo", "GET", "/v1.0/groups/<h>/conversations", "");
    it.ask("ada", "HEAD", conversations, "");
    it.ask("ada", "DELETE", "/v1.0/groups/<g>/conversations/<c>", "");
    it.get(conversations);
    it.said
}

#[test]
fn the_same_requests_get_the_same_bytes_from_either_database() {
    let Some(database) = Database::with_dictionary_order() else { return };
    let sqlite = talk(&Server::on_sqlite(TempDir::new().unwrap()), false);
    let postgres = talk(&Server::on_database(&database.url), false);
    compare(&sqlite, &postgres);
}

#[test]
fn with_a_clock_that_stands_still_ids_and_times_are_the_same_too() {
    let Some(database) = Database::with_dictionary_order() else { return };
    let fixed = ["--fixed-clock", "2026-01-01T00:00:00Z"];
    let sqlite = talk(&Server::on_sqlite_with(TempDir::new().unwrap(), &fixed), true);
    let postgres = talk(&Server::on_database_with(&database.url, &fixed), true);
    compare(&sqlite, &postgres);
}

fn compare(sqlite: &[(String, String)], postgres: &[(String, String)]) {
    assert!(sqlite.len() > 100, "{}", sqlite.len());
    let mut differ = Vec::new();
    for ((asked, one), (_, other)) in sqlite.iter().zip(postgres) {
        assert!(!one.starts_with('5') || one.starts_with("501"), "{asked}: {one}");
        if one != other {
            differ.push(format!("{asked}\n SQLite: {one}\n PostgreSQL: {other}"));
        }
    }
    assert!(differ.is_empty(), "{} differ:\n{}", differ.len(), differ.join("\n"));
    assert_eq!(sqlite.len(), postgres.len());
    // The comparison is of answers, not of refusals.
    let good = sqlite.iter().filter(|(_, it)| it.starts_with('2')).count();
    assert!(good > 80, "{good} of {}", sqlite.len());
}
