//! `folkmoot audit export`: everything, once, in an order that is always the same.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::browser::{Browser, path_of};
use crate::support::{Server, Talk, folkmoot};

fn export(data: &Path, args: &[&str]) -> Vec<Value> {
    let done = folkmoot(&[&["audit", "export"], args].concat(), data);
    assert_eq!(done.status, Some(0), "{args:?}: {}", done.stderr);
    done.stdout.lines().map(|it| serde_json::from_str(it).unwrap()).collect()
}

fn text<'v>(entry: &'v Value, name: &str) -> &'v str {
    entry[name].as_str().unwrap_or_default()
}

/// What operators do is recorded with how they did it, and so is who signs in.
#[test]
fn commands_and_sign_ins_are_in_it() {
    let server = Server::durable();
    let ada = "ada@example.org";
    let id = server.command(&["user", "add", ada]);
    server.command(&["user", "disable", ada]);
    server.command(&["user", "enable", ada]);
    server.command(&["user", "list"]);
    server.command(&["app", "add", "--name", "robot", "--role", "Group.Read.All"]);
    let kid = server.command(&["key", "rotate"]);
    server.command(&["token", "--user", ada, "--scope", "User.Read", "--ttl", "90s"]);
    server.command(&["token", "--app", "robot"]);
    let group = server.command(&["group", "add", "--name", "R", "--nickname", "r", "--owner", ada]);
    Browser::new(&server).sign_in(ada);
    // A link that is too old, and one that nobody has made.
    let link = server.command(&["user", "link", ada]);
    server.change("update sign_in_links set expires_at = 1");
    for code in [path_of(&link).split_once("code=").unwrap().1, "nobody"] {
        let browser = Browser::new(&server);
        let page = browser.get("/sign-in");
        assert_eq!(browser.submit(&page, &[("code", code)]).status, 403);
    }
    let entries = export(&server.data, &[]);
    let lines: Vec<_> = entries
        .iter()
        .map(|it| {
            ["operation", "action", "entityType", "caller", "client"].map(|name| text(it, name))
        })
        .collect();
    let command = ("commandLine", "control.sock");
    let expected = [
        ("folkmoot user add", "created", "user", command),
        ("folkmoot user disable", "updated", "user", command),
        ("folkmoot user enable", "updated", "user", command),
        ("folkmoot app add", "created", "application", command),
        ("folkmoot key rotate", "created", "signingKey", command),
        ("folkmoot token", "issued", "token", command),
        ("folkmoot token", "issued", "token", command),
        ("folkmoot user link", "issued", "signInLink", command),
        ("SignIn", "signedIn", "user", ("anonymous", "127.0.0.1")),
        ("folkmoot user link", "issued", "signInLink", command),
        ("SignIn", "refused", "user", ("anonymous", "127.0.0.1")),
        ("folkmoot group add", "created", "group", command),
        ("folkmoot group add", "created", "owner", command),
        ("folkmoot group add", "created", "member", command),
    ];
    let expected: Vec<_> = expected.iter().map(|it| [it.0, it.1, it.2, it.3.0, it.3.1]).collect();
    assert_eq!(lines, expected);
    for at in [0, 1, 2, 5, 7, 8, 9, 10, 12, 13] {
        assert_eq!(text(&entries[at], "entityId"), id, "{}", entries[at]);
    }
    assert_eq!(text(&entries[8], "userId"), id);
    assert_eq!(text(&entries[4], "detail"), kid);
    assert_eq!(text(&entries[5], "detail"), "User.Read, 90 s");
    assert_eq!(text(&entries[11], "groupId"), group);
    // Without a server, from the folder itself: the same, and what is done so says so.
    let folder = server.stop();
    assert_eq!(export(folder.path(), &folder.args()), entries);
    let args = [&["user", "disable", ada], &folder.args()[..]].concat();
    assert_eq!(folkmoot(&args, folder.path()).status, Some(0));
    let last =
        export(folder.path(), &[&["--since", "2020-01-01T00:00:00Z"], &folder.args()[..]].concat());
    let disabled: Vec<_> =
        last.iter().filter(|it| text(it, "operation").ends_with("disable")).collect();
    assert_eq!(text(disabled[1], "client"), "data folder");
}

#[test]
fn it_is_whole_and_in_order_while_the_server_writes() {
    let talk = Talk::on(Server::durable());
    let bo = talk.bo.group("others", "Private");
    let path = |group: &str| format!("/v1.0/groups/{group}/conversations/$ref");
    let batch = |group: &str| {
        let request = |id: usize| {
            json!({"id": id.to_string(), "method": "POST", "body": {"topic": "x"},
                "url": path(group).trim_start_matches("/v1.0"),
                "headers": {"Content-Type": "application/json"}})
        };
        json!({"requests": (0..20).map(request).collect::<Vec<_>>()})
    };
    // More than a portion.
    for _ in 0..60 {
        talk.ada.post("/v1.0/$batch", &batch(&talk.group)).ok();
    }
    let there: Vec<_> = ids(&export(&talk.server.data, &[]));
    assert!(there.len() > 1_200, "{}", there.len());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                talk.ada.post("/v1.0/$batch", &batch(&talk.group)).ok();
                talk.bo.post("/v1.0/$batch", &batch(&bo)).ok();
                written += 40;
            }
            written
        });
        for _ in 0..3 {
            let entries = export(&talk.server.data, &[]);
            let all: BTreeSet<_> = ids(&entries).into_iter().collect();
            assert_eq!(all.len(), entries.len(), "twice in it");
            assert!(there.iter().all(|it| all.contains(it)), "what was there is missing");
            let key = |it: &Value| {
                let group = text(it, "groupId").to_owned();
                (group, text(it, "id").to_owned())
            };
            assert!(entries.is_sorted_by_key(key));
        }
        stop.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 0);
    });
    let all = export(&talk.server.data, &[]);
    let count = |sql: &str| usize::try_from(talk.server.number(sql)).unwrap();
    let rows = count("select count(*) from audit") + count("select count(*) from tenant_audit");
    assert_eq!(all.len(), rows);
    assert_eq!(export(&talk.server.data, &[]), all, "the same each time");
}

fn ids(entries: &[Value]) -> Vec<String> {
    entries.iter().map(|it| text(it, "id").to_owned()).collect()
}

#[test]
fn a_part_of_it_goes_where_it_is_wanted() {
    let talk = Talk::on(Server::durable());
    talk.bo.group("others", "Private");
    let data = &talk.server.data;
    let all = export(data, &[]);
    let of_group: Vec<_> =
        all.iter().filter(|it| text(it, "groupId") == talk.group).cloned().collect();
    assert_eq!(of_group.len(), 5);
    for name in ["readers", "readers@localhost", &talk.group] {
        assert_eq!(export(data, &["--group", name]), of_group);
    }
    talk.ada.delete(&format!("/v1.0/groups/{}", talk.group)).empty(204);
    assert_eq!(export(data, &["--group", &talk.group]).len(), 6, "a group that was deleted");
    let time = text(&of_group[3], "createdDateTime");
    let split = |flag: &str| ids(&export(data, &["--group", &talk.group, flag, time]));
    let (before, after) = (split("--until"), split("--since"));
    assert!(!before.contains(&ids(&of_group)[3]) && after.contains(&ids(&of_group)[3]));
    assert_eq!(before.len() + after.len(), 6);
    assert_eq!(export(data, &["--since", "2999-01-01T00:00:00Z"]), Vec::<Value>::new());
    assert_eq!(export(data, &["--until", "1999-01-01T00:00:00Z"]), Vec::<Value>::new());

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("audit.jsonl");
    std::fs::write(&file, "what was there before, and is longer than nothing\n".repeat(100))
        .unwrap();
    let args = ["--group", &talk.group, "--output", file.to_str().unwrap()];
    assert_eq!(export(data, &args), Vec::<Value>::new());
    let written = std::fs::read_to_string(&file).unwrap();
    assert_eq!(written.lines().count(), 6);
    for (args, status, why) in [
        (&["--group", "nobody"][..], 1, "nobody"),
        (&["--output", "/nonexistent/x"], 1, "/nonexistent/x"),
        (&["--since", "yesterday"], 2, "yesterday"),
        (&["--tenant", &talk.group], 2, "--group"),
    ] {
        let done = folkmoot(&[&["audit", "export"], args].concat(), data);
        assert_eq!(done.status, Some(status), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(why), "{args:?}: {}", done.stderr);
    }
    assert_eq!(folkmoot(&["audit"], data).status, Some(2));
}
