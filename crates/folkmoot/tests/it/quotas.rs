//! What the attachments of a tenant may have together: counted as they come, given back as they go.

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Client, Response, Server, folkmoot};

/// More than stands in the database.
const LARGE: usize = 100_000;

/// A thread of somebody's in a group of theirs.
struct Place {
    ada: Client,
    posts: String,
    attachments: String,
    group: String,
    thread: String,
}

impl Place {
    fn new(ada: &Client, nickname: &str) -> Place {
        let id = ada.group(nickname, "Private");
        let [_, thread, post] = ada.talk(&id, "Files", "see below");
        let group = format!("/v1.0/groups/{id}");
        let thread = format!("{group}/threads/{thread}");
        let posts = format!("{thread}/posts");
        let attachments = format!("{posts}/{post}/attachments");
        Place { ada: ada.clone(), posts, attachments, group, thread }
    }

    /// Attaches bytes that are all `byte`.
    fn attach(&self, byte: u8, size: usize) -> Response {
        self.ada.post(&self.attachments, &file(byte, size))
    }

    /// Asks for a session for so many bytes.
    fn ask(&self, size: usize) -> Response {
        let item = json!({"attachmentType": "file", "name": "data.bin", "size": size});
        let path = format!("{}/createUploadSession", self.attachments);
        self.ada.post(&path, &json!({ "AttachmentItem": item }))
    }

    /// The same, where there is room; its address.
    fn open(&self, size: usize) -> String {
        let url = self.ask(size).created()["uploadUrl"].as_str().unwrap().to_owned();
        url.split_once(&self.ada.address).unwrap().1.to_owned()
    }
}

fn file(byte: u8, size: usize) -> Value {
    let bytes = base64::prelude::BASE64_STANDARD.encode(vec![byte; size]);
    json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.bin", "contentBytes": bytes})
}

#[track_caller]
fn full(answer: &Response) {
    let why = answer.refused(507, "ErrorQuotaExceeded");
    assert!(why.contains("attachment_bytes") && why.contains("Delete"), "{why}");
}

/// The bytes that are counted for all groups.
fn used(server: &Server) -> i64 {
    server.number("select cast(coalesce(sum(bytes), 0) as bigint) from attachment_use")
}

#[track_caller]
fn assert_sound(server: &Server) {
    let done = server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
}

/// The same data with another configuration.
fn again(server: Server, config: &str) -> Server {
    let path = server.data.join("folkmoot.toml");
    std::fs::write(&path, config).unwrap();
    server.kill_and_restart_with(&["--config", path.to_str().unwrap()])
}

#[test]
fn what_fits_is_taken_and_a_byte_more_is_not() {
    let server = Server::limited("attachment_bytes = 200010");
    let ada = server.user("ada@example.org");
    let (readers, writers) = (Place::new(&ada, "readers"), Place::new(&ada, "writers"));
    readers.attach(1, LARGE).created();
    writers.attach(1, LARGE).created();
    full(&readers.attach(2, 11));
    full(&readers.attach(2, LARGE));
    readers.attach(2, 10).created();
    assert_eq!(used(&server), 200_010);
    for place in [&readers, &writers] {
        full(&place.attach(3, 1));
        full(&place.ask(1));
        // The same bytes in the same group are there already.
        place.attach(1, LARGE).created();
        let talk = json!({"topic": "x", "threads": [{"posts": [{"attachments": [file(4, 1)]}]}]});
        full(&place.ada.post(&format!("{}/conversations", place.group), &talk));
        let reply =
            |files: Value| json!({"post": {"body": {"content": "y"}, "attachments": files}});
        let path = format!("{}/reply", place.thread);
        full(&ada.post(&path, &reply(json!([file(1, LARGE), file(5, 1)]))));
        assert_eq!(ada.all(&place.posts).len(), 1);
        assert_eq!(ada.all(&format!("{}/conversations", place.group)).len(), 1);
        // What is attached in other ways has no bytes of its own.
        ada.post(
            &path,
            &reply(json!([{"@odata.type": "#microsoft.graph.referenceAttachment",
            "name": "there", "sourceUrl": "https://example.org/", "size": 1_000_000}])),
        )
        .empty(202);
    }
    assert_eq!(used(&server), 200_010);
    assert_sound(&server);
}

#[test]
fn a_session_keeps_its_bytes_free_until_it_ends() {
    let server = Server::limited("attachment_bytes = 300000");
    let ada = server.user("ada@example.org");
    let place = Place::new(&ada, "readers");
    let whole = |url: &str, byte| server.anonymous().send("PUT", url, &[], &vec![byte; 150_000]);
    let (first, second) = (place.open(150_000), place.open(150_000));
    assert_eq!(used(&server), 300_000);
    full(&place.ask(1));
    full(&place.attach(1, 1));
    server.anonymous().delete(&first).empty(204);
    assert_eq!(used(&server), 150_000);
    // What is promised is there: it is not counted twice on its way.
    let first = place.open(150_000);
    whole(&first, 1).created();
    whole(&second, 2).created();
    assert_eq!(used(&server), 300_000);
    assert_sound(&server);

    // Two of the same bytes are one blob; one that is small has no file.
    let server = again(server, "[limits]\nattachment_bytes = 600100\n");
    let place = Place { ada: ada.at(&server), ..place };
    let urls = [place.open(150_000), place.open(150_000), place.open(100)];
    assert_eq!(used(&server), 600_100);
    for url in &urls[..2] {
        server.anonymous().send("PUT", url, &[], &vec![3; 150_000]).created();
    }
    server.anonymous().send("PUT", &urls[2], &[], &[4; 100]).created();
    assert_eq!(used(&server), 450_100);

    // With its post, its thread, its group and its time.
    place.ask(1_000).created();
    let post = place.attachments.rsplit_once('/').unwrap().0;
    place.ada.delete(post).empty(204);
    assert_eq!(used(&server), 450_100);
    let other = Place::new(&place.ada, "writers");
    other.ask(1_000).created();
    place.ada.delete(&other.thread).empty(204);
    assert_eq!(used(&server), 450_100);
    let other = Place::new(&place.ada, "others");
    other.ask(1_000).created();
    place.ada.delete(&other.group).empty(204);
    assert_eq!(used(&server), 450_100);
    let other = Place::new(&place.ada, "more");
    other.ask(1_000).created();
    server.change("update upload_sessions set expires_at = 1");
    let config = std::fs::read_to_string(server.data.join("folkmoot.toml")).unwrap();
    let server = again(server, &config);
    while used(&server) > 450_100 {
        std::thread::yield_now();
    }
    assert_sound(&server);
}

#[test]
fn what_is_collected_can_be_had_again() {
    let config = "[limits]\nattachment_bytes = 150000\n";
    let server = Server::configured(config);
    let ada = server.user("ada@example.org");
    let place = Place::new(&ada, "readers");
    let (small, large) = (place.attach(1, 50_000).id(), place.attach(2, LARGE).id());
    for id in [small, large] {
        ada.delete(&format!("{}/{id}", place.attachments)).empty(204);
    }
    // The bytes are kept for a day.
    full(&place.attach(3, 1));
    server.change("update blobs set touched_at = 1");
    let server = again(server, config);
    while server.number("select count(*) from blobs") > 0 {
        std::thread::yield_now();
    }
    assert_eq!(used(&server), 0);
    let place = Place { ada: ada.at(&server), ..place };
    place.attach(4, 150_000).created();
    full(&place.attach(5, 1));
    assert_sound(&server);
}

#[test]
fn a_quota_may_come_go_and_be_less_than_what_is_there() {
    let server = Server::configured("");
    let ada = server.user("ada@example.org");
    let mut place = Place::new(&ada, "readers");
    place.attach(1, LARGE).created();
    place.attach(1, 10).created();
    let session = place.open(1_000);
    // What was there before counts.
    let server = again(server, "[limits]\nattachment_bytes = 101012\n");
    place.ada = ada.at(&server);
    full(&place.attach(2, 3));
    place.attach(2, 2).created();
    full(&place.attach(3, 1));
    assert_sound(&server);
    // Too much is there: what is promised comes all the same, and nothing else.
    let server = again(server, "[limits]\nattachment_bytes = 10\n");
    place.ada = ada.at(&server);
    full(&place.attach(3, 1));
    let last = server.anonymous().send("PUT", &session, &[], &[9; 1_000]);
    let id = last.created()["id"].as_str().unwrap().to_owned();
    place.ada.delete(&format!("{}/{id}", place.attachments)).empty(204);
    assert_sound(&server);
    let server = again(server, "[limits]\nattachment_bytes = 0\n");
    place.ada = ada.at(&server);
    place.attach(4, LARGE).created();
    let server = again(server, "[limits]\nattachment_bytes = 201013\n");
    place.ada = ada.at(&server);
    place.attach(5, 1).created();
    full(&place.attach(6, 1));
    assert_sound(&server);
}

/// A store that was made before anything was counted.
#[test]
fn what_a_store_had_before_is_counted() {
    let server = Server::configured("");
    let ada = server.user("ada@example.org");
    let mut place = Place::new(&ada, "readers");
    place.attach(1, LARGE).created();
    place.attach(1, 10).created();
    place.open(1_000);
    Place::new(&ada, "writers");
    for statement in [
        "drop table attachment_use",
        "drop table parted_users",
        "alter table upload_sessions drop column promised",
        "alter table tenants drop column attachment_bytes",
        "alter table tenants drop column attachment_bytes_max",
        "delete from schema_versions where name = 'limits'",
    ] {
        server.change(statement);
    }
    let server = again(server, "[limits]\nattachment_bytes = 101011\n");
    assert_eq!(used(&server), 101_010);
    place.ada = ada.at(&server);
    full(&place.attach(2, 2));
    place.attach(2, 1).created();
    assert_sound(&server);
}

/// Many come at once for the last bytes, each to a group of its own: as many get them as there is room for.
#[test]
fn of_those_who_come_together_at_the_edge_as_many_as_fit_are_taken() {
    // Small ones: two servers on one database have each a folder of their own here.
    let server = Server::limited("attachment_bytes = 179999");
    let ada = server.user("ada@example.org");
    let beside = server.configured_beside();
    let places: Vec<_> = (0..8)
        .map(|at| {
            let mut place = Place::new(&ada, &format!("g{at}"));
            if let Some(other) = beside.as_ref().filter(|_| at % 2 == 0) {
                place.ada = ada.at(other);
            }
            place
        })
        .collect();
    let together = |send: fn(&Place, u8) -> Response| -> Vec<Response> {
        std::thread::scope(|scope| {
            let send = |(place, byte)| scope.spawn(move || send(place, byte));
            let sent: Vec<_> = places.iter().zip(1..).map(send).collect();
            sent.into_iter().map(|it| it.join().unwrap()).collect()
        })
    };
    let (made, refused): (Vec<_>, Vec<_>) = together(|place, byte| place.attach(byte, 60_000))
        .into_iter()
        .partition(|it| it.status == 201);
    assert_eq!(made.len(), 2, "{refused:?}");
    refused.iter().for_each(full);
    assert_eq!(used(&server), 120_000);
    let (made, refused): (Vec<_>, Vec<_>) =
        together(|place, _| place.ask(50_000)).into_iter().partition(|it| it.status == 201);
    assert_eq!(made.len(), 1, "{refused:?}");
    refused.iter().for_each(full);
    assert_eq!(used(&server), 170_000);
    let made = together(|place, byte| place.attach(byte + 100, 9_000));
    assert_eq!(made.iter().filter(|it| it.status == 201).count(), 1, "{made:?}");
    assert_sound(&server);
}

#[test]
fn each_tenant_has_its_own() {
    let (second, third) =
        ("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-666666666666");
    let server = Server::configured(&format!(
        "[limits]\nattachment_bytes = 100\n[[tenant]]\ndomains = [\"first.example\"]\n\
         attachment_bytes = 50\n[[tenant]]\nid = \"{second}\"\ndomains = [\"second.example\"]\n\
         [[tenant]]\nid = \"{third}\"\ndomains = [\"third.example\"]\nattachment_bytes = 0\n"
    ));
    let config = server.data.join("folkmoot.toml");
    let config = config.to_str().unwrap();
    let user = |tenant: &[&str]| {
        let args = [&["token", "--user", "ada@example.org", "--config", config], tenant].concat();
        let done = folkmoot(&args, &server.data);
        assert_eq!(done.status, Some(0), "{}", done.stderr);
        server.bearer(done.stdout.trim().to_owned())
    };
    let users = [user(&[]), user(&["--tenant", second]), user(&["--tenant", third])];
    let places = users.map(|it| Place::new(&it, "readers"));
    for (place, max) in places.iter().zip([50, 100, LARGE]) {
        full_past(place, max);
    }
    let done = folkmoot(&["tenant", "list", "--config", config], &server.data);
    let lines: Vec<_> = done.stdout.lines().map(|it| it.split_once('\t').unwrap().1).collect();
    assert_eq!(
        lines,
        ["first.example\t50\t50", "second.example\t100\t100", "third.example\t100000\tunlimited"],
        "{}",
        done.stderr
    );
    // What the others hold is not looked at.
    assert_sound(&server);
}

fn full_past(place: &Place, max: usize) {
    place.attach(1, max).created();
    if max < LARGE {
        full(&place.attach(2, 1));
    }
}

#[test]
fn a_quota_that_is_no_number_of_bytes_is_an_error() {
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("folkmoot.toml");
    for text in ["[limits]\nattachment_bytes = -1", "[limits]\nattachment_bytes = \"10 GB\""] {
        std::fs::write(&config, text).unwrap();
        let args = ["serve", "--config", config.to_str().unwrap()];
        let done = folkmoot(&args, folder.path());
        assert_eq!(done.status, Some(1));
        assert!(done.stderr.contains("attachment_bytes"), "{}", done.stderr);
    }
}
