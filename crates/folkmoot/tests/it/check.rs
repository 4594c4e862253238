//! `folkmoot check`: a sound store is said to be, and each kind of damage is found and named.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::other_issuer::{Issuer, SignKey};
use crate::support::{Client, Done, Server, folkmoot};

const LARGE: usize = 100 * 1024;

/// What every store of these tests holds.
const SOUND: &str =
    "sound: 3 groups, 6 conversations, 7 threads, 14 posts, 7 attachments, 4 blobs\n";

fn check(data: &Path) -> Done {
    folkmoot(&["check"], data)
}

/// Asserts that `check` finds this, alone or with what follows from it.
#[track_caller]
fn assert_found(what: &str, done: &Done, expected: &str) {
    let Done { status, stdout, stderr } = done;
    assert_eq!(*status, Some(1), "{what}: {stdout}{stderr}");
    assert!(stdout.lines().any(|it| it.contains(expected)), "{what}: not {expected:?} in {stdout}");
    let count = stdout.lines().count();
    let plural = if count == 1 { "" } else { "s" };
    let end = format!("folkmoot: not sound: {count} problem{plural}\n");
    assert!(stderr.ends_with(&end), "{what}: {stderr}");
}

fn file(name: &str, bytes: &[u8]) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.fileAttachment",
        "name": name,
        "contentBytes": base64::prelude::BASE64_STANDARD.encode(bytes),
    })
}

fn reply(client: &Client, group: &str, thread: &str, content: &str, files: &[Value]) {
    let path = format!("/v1.0/groups/{group}/threads/{thread}/reply");
    let post = json!({
        "body": {"contentType": "html", "content": content}, "attachments": files
    });
    client.post(&path, &json!({"post": post})).empty(202);
}

/// A post with one of everything that can hang on it, edited and forwarded; a thread without posts.
fn adorn(bo: &Client, group: &str) {
    let [conversation, thread, _] = bo.talk(group, "Adorned", "x");
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
    let id = bo.post(&posts, &json!({
        "body": {"content": "adorned"},
        "extensions": [{"@odata.type": "microsoft.graph.openTypeExtension", "extensionName": "Com.Example.X", "size": 1}],
        "singleValueExtendedProperties": [{"id": "String 0x4001001E", "value": "Blue"}],
        "multiValueExtendedProperties": [{"id": "StringArray 0x4001101F", "value": ["Red"]}],
        "mentions": [{"mentioned": {"name": "Cy", "address": "Cy@example.org"}}],
        "attachments": [
            {"@odata.type": "#microsoft.graph.referenceAttachment", "name": "elsewhere"},
            {"@odata.type": "#microsoft.graph.itemAttachment", "name": "note",
                "item": {"@odata.type": "microsoft.graph.message", "subject": "s"}},
        ],
    })).id();
    let post = format!("{posts}/{id}");
    bo.patch(&post, &json!({"body": {"content": "adorned again"}, "categories": ["Green"]})).ok();
    let to = json!([{"emailAddress": {"address": "Cy@example.org"}}]);
    bo.post(&format!("{post}/forward"), &json!({"Comment": "see", "ToRecipients": to})).empty(202);
    let conversation = format!("/v1.0/groups/{group}/conversations/{conversation}");
    bo.post(&format!("{conversation}/folkmoot.markRead"), &json!({})).empty(204);
    let declared = json!({"topic": "Adorned", "uniqueSenders": ["Nobody"], "ccRecipients": [
        {"emailAddress": {"name": "Di", "address": "Di@example.org"}}]});
    bo.post(&format!("{conversation}/threads/$ref"), &declared).created();
}

/// What people make of groups, and whom groups take posts from: each twice, to have one to be hurt.
fn settle_in(server: &Server, ada: &Client, bo: &Client, [readers, writers, gone]: [&str; 3]) {
    server.user("cy@example.org");
    let join = format!("/v1.0/groups/{readers}/members/$ref");
    bo.post(&join, &server.reference("bo@example.org")).empty(204);
    for client in [ada, bo] {
        for action in ["unsubscribeByMail", "addFavorite"] {
            let path = format!("/v1.0/groups/{readers}/{action}");
            assert_eq!(client.send("POST", &path, &[], b"").status, 200);
        }
    }
    let rejected = format!("/v1.0/groups/{readers}/rejectedSenders/$ref");
    ada.post(&rejected, &server.reference("cy@example.org")).empty(204);
    ada.post(&rejected, &server.principal(gone)).empty(204);
    let accepted = format!("/v1.0/groups/{writers}/acceptedSenders/$ref");
    ada.post(&accepted, &server.reference("ada@example.org")).empty(204);
    let new = json!({"visibility": "Public", "displayName": "Readers Ω"});
    ada.patch(&format!("/v1.0/groups/{readers}"), &new).empty(204);
}

/// Two groups that talk, one that is removed; answers, attachments, and things taken away again.
fn fill(server: &Server) {
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let readers = ada.group("readers", "Public");
    let writers = ada.group("Writers", "Private");
    let gone = ada.group("gone", "Private");
    let [first, thread, _] = ada.talk(&readers, "Über alles", "one\r\nline");
    let (small, large) = (file("Small.TXT", b"small"), file("large.bin", &[7; LARGE]));
    reply(&bo, &readers, &thread, "<p>Größe</p> &amp; more", &[small.clone(), large.clone()]);
    reply(&ada, &readers, &thread, "<i>three</i>", &[]);
    let threads = format!("/v1.0/groups/{readers}/conversations/{first}/threads");
    let body = json!({"topic": "Side", "posts": [{
        "body": {"content": "aside"},
        "newParticipants": [{"emailAddress": {"name": "Cy", "address": "Cy@example.org"}}],
        "categories": ["Blue"], "attachments": [small]
    }]});
    let side = bo.post(&threads, &body).id();
    let doomed = ada.post(&threads, &json!({"posts": [{"body": {"content": "x"}}]})).id();
    ada.delete(&format!("{threads}/{doomed}")).empty(204);
    reply(&ada, &readers, &side, "end", &[]);
    let [_, other, post] = ada.talk(&writers, "Second", "words");
    let sessions = format!("/v1.0/groups/{writers}/threads/{other}/posts/{post}/attachments");
    let item = json!({"AttachmentItem": {"attachmentType": "file", "name": "a", "size": 2}});
    ada.post(&format!("{sessions}/createUploadSession"), &item).created();
    reply(&ada, &writers, &other, "words too", &[file("Small.TXT", b"small"), large]);
    let [removed, ..] = ada.talk(&writers, "Removed", "soon");
    ada.delete(&format!("/v1.0/groups/{writers}/conversations/{removed}")).empty(204);
    ada.declare(
        &readers,
        &json!({"topic": "Declared", "uniqueSenders": ["Nobody"], "preview": "P", "hasAttachments": true}),
    );
    // What was declared ends with the first post; what is imported comes in any order.
    let declared = json!({"topic": "Later", "uniqueSenders": ["Nobody"], "hasAttachments": true});
    let later = ada.declare(&writers, &declared);
    let threads = format!("/v1.0/groups/{writers}/conversations/{later}/threads");
    let imported = ada.post(&threads, &json!({"posts": [{"body": {"content": "y"}}]})).id();
    let importer = server.app(&["Group.ReadWrite.All", "Folkmoot.Import.All"]);
    for received in ["2031-01-01T10:00:00+02:00", "2001-01-01T00:00:00Z", "2030-01-01T00:00:00Z"] {
        let post = json!({"body": {"content": received}, "receivedDateTime": received});
        let path = format!("/v1.0/groups/{writers}/threads/{imported}/reply");
        importer.post(&path, &json!({"post": post})).empty(202);
    }
    settle_in(server, &ada, &bo, [&readers, &writers, &gone]);
    adorn(&bo, &readers);
    ada.talk(&gone, "Kept", "unseen");
    ada.delete(&format!("/v1.0/groups/{gone}")).empty(204);
}

/// What a sign-in leaves, a row in each table of it.
const SIGNED_IN: &str = "
    insert into sign_in_links select x'01', id, tenant_id, 0 from users limit 1;
    insert into sessions select x'02', id, 0 from users limit 1;
    insert into passwords select id, '', 0 from users limit 1;
    insert into grants select x'03', a.id, u.id, '', '', null, null, 0 from apps a, users u limit 1;
    insert into parted_users select id, 'http://127.0.0.1' from users limit 1;
    insert into grant_tokens select x'04', id, true, false, 0 from grants;
";

/// A store that was filled, without its server.
fn store() -> TempDir {
    let key = SignKey::es256("key");
    let issuer = Issuer::start(&[&key]);
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    std::fs::write(&config, issuer.section("groups_claim = \"groups\"")).unwrap();
    let config = config.to_str().unwrap().to_owned();
    let server = Server::on_sqlite_with(folder, &["--config", &config]);
    fill(&server);
    for guest in ["di", "ed"] {
        let mut claims = issuer.claims(guest);
        claims["groups"] = json!(["readers"]);
        server.bearer(key.sign(&claims)).get("/v1.0/me").ok();
    }
    // Then the server is idle: the files stand still.
    server.add_app(&["--name", "robot", "--role", "Group.Read.All"]);
    server.change(SIGNED_IN);
    server.change(ASKED);
    server.settle();
    copy(&server.data)
}

/// Everybody asks to be let into a group, and is invited into it.
const ASKED: &str = "insert into join_requests (id, tenant_id, group_id, user_id, created_at, version)
        select u.id, u.tenant_id, g.id, u.id, 1, 1 from users u, (select min(id) as id from groups) g;
    insert into group_invitations
        (id, tenant_id, group_id, user_id, created_by, created_at, expires_at, version)
        select id, tenant_id, group_id, user_id, user_id, 1, 9000000000000000000, 1 from join_requests";

/// A copy of a store, to be damaged.
fn copy(store: &Path) -> TempDir {
    let folder = TempDir::new().unwrap();
    copy_into(store, folder.path());
    folder
}

fn copy_into(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else if kind.is_file() && entry.file_name() != "folkmoot.db-shm" {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

fn open(data: &Path) -> Connection {
    let database = Connection::open(data.join("folkmoot.db")).unwrap();
    database.pragma_update(None, "foreign_keys", false).unwrap();
    database
}

/// The one file of the blobs of a store with this place in the order of their paths.
fn blob_file(data: &Path) -> PathBuf {
    let mut files: Vec<_> = std::fs::read_dir(data.join("blobs"))
        .unwrap()
        .flat_map(|it| std::fs::read_dir(it.unwrap().path()).unwrap())
        .map(|it| it.unwrap().path())
        .collect();
    files.sort();
    files.swap_remove(0)
}

#[test]
fn a_sound_store_is_said_to_be_with_a_server_and_without() {
    let server = Server::durable();
    fill(&server);
    let done = server.check();
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (SOUND, ""));
    assert_eq!(done.status, Some(0));
    let done = check(store().path());
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), (SOUND, ""));
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("nowhere");
    let done = check(&data);
    assert_eq!((done.status, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.contains("there is no store in"), "{}", done.stderr);
    assert!(!data.exists());
    std::fs::write(folder.path().join("folkmoot.db"), "x".repeat(10_000)).unwrap();
    let done = check(folder.path());
    assert_eq!((done.status, done.stdout.as_str()), (Some(1), ""));
    assert!(done.stderr.contains("not a database"), "{}", done.stderr);
}

#[test]
fn a_store_that_is_written_to_meanwhile_is_sound() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    let [_, thread, _] = ada.talk(&group, "x", "y");
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..60 {
                let bytes = [number; LARGE];
                reply(&ada, &group, &thread, "more", &[file("large.bin", &bytes)]);
                let [conversation, ..] = ada.talk(&group, "x", "y");
                if number % 2 == 0 {
                    let path = format!("/v1.0/groups/{group}/conversations/{conversation}");
                    ada.delete(&path).empty(204);
                }
            }
        });
        while !writer.is_finished() {
            let done = server.check();
            assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
        }
    });
}

#[test]
fn damage_is_found_on_either_database() {
    let server = Server::durable();
    fill(&server);
    let in_readers = "group_id = (select group_id from threads where posts = 3)";
    let first_post = "(select id from posts order by id limit 1)";
    let from_index = if server.on_postgres() {
        format!("delete from post_index where post_id = {first_post} returning cast(1 as bigint)")
    } else {
        "update posts set number = 100 where number = 1 returning number".to_owned()
    };
    // One after another in the same store: each hurts one row.
    for (damage, expected) in [
        (
            format!("update feed_heads set seq = seq + 1 where {in_readers} returning seq"),
            "feed has rows up to",
        ),
        (
            format!("delete from feed where seq = 2 and {in_readers} returning seq"),
            "rows 2 to 2 are missing",
        ),
        (
            format!("update feed set op = 2 where seq = 3 and {in_readers} returning seq"),
            "the feed does not tell that it was created",
        ),
        (
            "update threads set preview = 'Y' where posts = 3 returning posts".to_owned(),
            "preview is \"Y\", expected \"three\"",
        ),
        (
            "update conversations set posts = 9 where posts = 5 returning posts".to_owned(),
            "posts is 9, expected 5",
        ),
        (
            format!("update blobs set size = 6 where size = 5 and {in_readers} returning size"),
            "its content has 5 bytes, expected 6",
        ),
        (
            format!(
                "update attachments set size = 7 where size > 9999 and {in_readers} returning size"
            ),
            "size is 7, expected 102400",
        ),
        (
            format!(
                "update posts set has_attachments = true where id = {first_post} \
                 returning received_at"
            ),
            "has_attachments is ",
        ),
        (
            format!(
                "update posts set from_name_folded = 'X' where id = {first_post} \
                 returning received_at"
            ),
            "from_name_folded is \"X\", expected \"ada\"",
        ),
        (from_index, "has no row of its group in post_index"),
    ] {
        server.number(&damage);
        assert_found(&damage, &server.check(), expected);
    }
}

/// A damage, and what a line about it says.
const DAMAGES: &[(&str, &str)] = &[
    // The feed.
    ("delete from feed where seq = 3", "feed: group_id"),
    ("delete from feed where seq between 3 and 5", "rows 3 to 5 are missing"),
    ("delete from feed where seq = (select max(seq) from feed)", "feed has rows up to"),
    ("update feed_heads set seq = seq + 1", "feed_heads: group_id"),
    ("delete from feed_heads", "has no row in feed_heads"),
    ("delete from feed", "feed has no rows of it"),
    ("delete from tenant_feed where seq = 2", "rows 2 to 2 are missing"),
    ("update tenant_feed_heads set seq = seq - 1", "tenant_feed_heads: tenant_id"),
    ("update feed_work set head = head - 1", "feed_work: group_id"),
    ("update feed_work set cursor = head + 1", "feed_work: group_id"),
    ("update activity set seq = seq + 1000", "stands ahead of its consumer"),
    ("delete from activity", "activity: group_id"),
    ("update feed set op = 2 where kind = 5 and op = 1", "conversations: group_id"),
    (
        "update feed set op = 2 where kind = 6 and op = 1",
        "the feed does not tell that it was created",
    ),
    ("update feed set op = 3 where kind = 7 and op = 1", "posts: group_id"),
    ("update feed set op = 1 where kind = 7 and op = 3", "in posts, which is not there"),
    (
        "update feed set entity_id = randomblob(16) where seq = 1",
        "in conversations, which is not there",
    ),
    ("update feed set kind = 9 where op = 1 and seq = 1", "unknown kind 9"),
    ("update feed set op = 1 where kind = 5 and op = 2", "tells more than once that"),
    (
        "update feed set op = 2 where op = 1 and entity_id in (select entity_id from feed where op = 3)",
        "tells only the end of",
    ),
    (
        "update feed set seq = 9223372036854775807 where seq = (select max(seq) from feed)",
        "to 9223372036854775806 are missing",
    ),
    // Summaries.
    ("update threads set preview = 'Y', preview_folded = 'y'", "threads: group_id"),
    (
        "update threads set preview = 'Y', preview_folded = 'y'",
        "preview is \"Y\", expected \"three\"",
    ),
    (
        "update conversations set preview = '', preview_folded = '' where posts > 0",
        "conversations: group_id",
    ),
    ("update threads set posts = posts + 1 where posts = 2", "posts is 3, expected 2"),
    ("update conversations set posts = posts - 1 where posts = 5", "posts is 4, expected 5"),
    ("update conversations set posts = 1 where posts = 0", "posts is 1, expected 0"),
    (
        "update threads set has_attachments = not has_attachments",
        "has_attachments is false, expected true",
    ),
    ("update conversations set has_attachments = true", "has_attachments is true, expected false"),
    ("update posts set has_attachments = not has_attachments", "posts: group_id"),
    ("update threads set last_delivered_at = last_delivered_at + 1", "last_delivered_at is "),
    (
        "update conversations set last_delivered_at = 5 where posts > 0",
        "last_delivered_at is 5, expected",
    ),
    ("update threads set last_delivered_offset = 60", "last_delivered_offset is 60, expected 120"),
    ("update conversations set last_delivered_offset = 60", "conversations: group_id"),
    (
        "update threads set unique_senders = '[\"ada\",\"zo\"]'",
        "unique_senders has \"zo\" and none of its posts",
    ),
    ("update threads set unique_senders = '[\"ada\",\"ada\"]'", "unique_senders has \"ada\" twice"),
    ("update threads set unique_senders = '[\"ada\"]'", "unique_senders lacks \"bo\""),
    ("update conversations set unique_senders = '[]' where posts > 0", "unique_senders lacks"),
    ("update conversations set unique_senders = 'ada'", "is not a JSON array of names"),
    ("update threads set posts = 9223372036854775807", "posts is 9223372036854775807, expected"),
    ("update threads set preview = x'ff'", "threads: cannot be read to the end"),
    // What refers to what.
    (
        "delete from posts where thread_id = (select id from threads where posts = 3)",
        "has no posts",
    ),
    ("update posts set conversation_id = randomblob(16)", "conversation_id is "),
    ("delete from groups where deleted_at is not null", "which is not in groups"),
    // Blobs.
    (
        "update blobs set content = cast(x'00' || substr(content, 2) as blob)",
        "its content has the hash",
    ),
    ("update blobs set content = x'00'", "its content has 1 bytes, expected 5"),
    ("update attachments set size = 4 where size = 5", "size is 4, expected 5"),
    ("update attachment_use set bytes = bytes + 1", "attachment_use: group_id"),
    ("delete from attachment_use", "bytes is 0, expected 1024"),
    ("update upload_sessions set promised = 1", "promised is 1, expected 2 or 0"),
    (
        "update tenants set attachment_bytes_max = 9, attachment_bytes = 7",
        "attachment_bytes is 7, expected",
    ),
    // The index.
    ("delete from post_index where rowid = 2", "has no row of its group in post_index"),
    (
        "insert into post_index (rowid, scope) values (99, 'g1')",
        "post_index: rowid 99: there is no such post",
    ),
    ("update groups set senders_restricted = not senders_restricted", "senders_restricted is "),
    ("delete from principals where kind = 0", "which is not in principals"),
    ("update groups set number = number + 100", "has no row of its group in post_index"),
    // The database's own.
    (
        "pragma writable_schema = on; delete from sqlite_schema where name = 'posts_by_thread'",
        "the database: ",
    ),
];

#[test]
fn each_damage_of_a_row_is_found_and_named() {
    let store = store();
    for (damage, expected) in DAMAGES {
        let folder = copy(store.path());
        open(folder.path()).execute_batch(damage).unwrap();
        assert_found(damage, &check(folder.path()), expected);
    }
}

#[test]
fn each_reference_of_the_schema_is_checked() {
    let store = store();
    let references = {
        let database = open(store.path());
        let sql = "select m.name, f.\"table\", f.\"from\" from sqlite_schema m \
            join pragma_foreign_key_list(m.name) f where m.type = 'table' \
            and f.seq = (select max(seq) from pragma_foreign_key_list(m.name) where id = f.id)";
        let mut statement = database.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, String>(2)?))
        });
        rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert!(references.len() >= 14, "{references:?}");
    for (table, parent, column) in references {
        let folder = copy(store.path());
        let sql = format!("update {table} set {column} = x'{}'", "5a".repeat(16));
        // Keys may be hurt where several rows are in the table: then one is enough.
        let database = open(folder.path());
        if database.execute(&sql, []).is_err() {
            let one = format!("{sql} where {column} = (select max({column}) from {table} limit 1)");
            let changed = database.execute(&one.replacen("update", "update or replace", 1), []);
            assert!(changed.unwrap() > 0, "{one}");
        }
        drop(database);
        let what = format!("{table}.{column}");
        let done = check(folder.path());
        assert_found(&what, &done, &format!("{table}: "));
        assert_found(&what, &done, &format!("which is not in {parent}"));
    }
}

#[test]
fn each_folded_column_of_the_schema_is_checked() {
    let store = store();
    let columns = {
        let database = open(store.path());
        let sql = "select m.name, c.name from sqlite_schema m join pragma_table_info(m.name) c \
            where m.type = 'table' and c.name like '%\\_folded' escape '\\'";
        let mut statement = database.prepare(sql).unwrap();
        let rows =
            statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
        rows.unwrap().collect::<Result<Vec<_>, _>>().unwrap()
    };
    assert!(columns.len() >= 27, "{columns:?}");
    for (table, column) in columns {
        let folder = copy(store.path());
        let sql = format!("update {table} set {column} = 'WRONG'||hex(randomblob(4))");
        open(folder.path()).execute(&sql, []).unwrap();
        let done = check(folder.path());
        let plain = format!("{table}: ");
        assert_found(&sql, &done, &format!("{column} is \"WRONG"));
        assert!(done.stdout.lines().any(|it| it.starts_with(&plain)), "{sql}: {}", done.stdout);
    }
}

#[test]
fn each_damage_of_a_file_is_found_and_named() {
    let store = store();
    let damage = |what: &str, expected: &str, damage: &dyn Fn(&Path)| {
        let folder = copy(store.path());
        damage(folder.path());
        assert_found(what, &check(folder.path()), expected);
    };
    damage("a truncated file", "its file has 10 bytes, expected 102400", &|data| {
        std::fs::write(blob_file(data), [7; 10]).unwrap();
    });
    damage("other bytes in a file", "its file has the hash", &|data| {
        std::fs::write(blob_file(data), [8; LARGE]).unwrap();
    });
    damage("no file", "its file cannot be read", &|data| {
        std::fs::remove_file(blob_file(data)).unwrap();
    });
    // Pages of indexes and tables, filled with zeroes.
    for name in ["conversations_newest", "posts_key", "threads", "feed", "post_index_data"] {
        damage(name, "the database: ", &|data| {
            let sql = "select rootpage from sqlite_schema where name = ?1";
            let page: u32 = open(data).query_row(sql, [name], |row| row.get(0)).unwrap();
            let path = data.join("folkmoot.db");
            let mut bytes = std::fs::read(&path).unwrap();
            let at = usize::try_from(page - 1).unwrap() * 4096;
            bytes[at..at + 4096].fill(0);
            std::fs::write(&path, bytes).unwrap();
        });
    }
}

#[test]
fn what_nothing_refers_to_is_a_note() {
    let folder = store();
    let database = open(folder.path());
    let sql = "insert into blobs (group_id, hash, size, content, touched_at) \
        select group_id, zeroblob(32), 1, x'01', 1 from conversations limit 1";
    database.execute(sql, []).unwrap();
    let hash = blake3::hash(b"\x01");
    database.execute("update blobs set hash = ?1 where size = 1", [hash.as_bytes()]).unwrap();
    let counter = "update attachment_use set bytes = bytes + 1 \
        where group_id = (select group_id from blobs where size = 1)";
    database.execute(counter, []).unwrap();
    drop(database);
    let stray = blob_file(folder.path()).with_file_name("00".repeat(32));
    std::fs::write(&stray, "x").unwrap();
    std::fs::write(stray.with_file_name(".tmp1"), "x").unwrap();
    let incoming = folder.path().join("blobs/incoming");
    let database = open(folder.path());
    let sql = "select lower(hex(id)) from upload_sessions";
    let session: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(database);
    let part = |id: &str| format!("{}.part", uuid::Uuid::parse_str(id).unwrap());
    std::fs::write(incoming.join(part(&session)), "x").unwrap();
    std::fs::write(incoming.join(part(&"5a".repeat(16))), "x").unwrap();
    let done = check(folder.path());
    assert_eq!(done.stdout, SOUND.replace("4 blobs", "5 blobs"), "{}", done.stderr);
    assert_eq!(done.status, Some(0));
    for expected in [
        format!("hash {hash}: no attachment has it"),
        "00 is no blob's".into(),
        ".tmp1 is no".into(),
        "incoming/5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a.part is no upload session's".into(),
    ] {
        let found =
            done.stderr.lines().any(|it| it.starts_with("note: ") && it.contains(&expected));
        assert!(found, "not {expected:?} in {}", done.stderr);
    }
    assert_eq!(done.stderr.lines().count(), 4, "{}", done.stderr);
}

#[test]
fn more_senders_than_are_shown_are_sound() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("crowd", "Public");
    let [_, thread, _] = ada.talk(&group, "Hello", "all");
    for number in 0..101 {
        let one = server.user(&format!("u{number}@example.org"));
        reply(&one, &group, &thread, "me", &[]);
    }
    let done = server.check();
    assert_eq!(done.status, Some(0), "{}", done.stdout);
    let shown = ada.get(&format!("/v1.0/groups/{group}/threads/{thread}")).ok();
    assert_eq!(shown["uniqueSenders"].as_array().unwrap().len(), 100);
}
