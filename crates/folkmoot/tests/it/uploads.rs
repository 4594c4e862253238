//! Upload sessions: attachments that come in parts, to an address that is the permission.

mod refused;

use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::{Client, Response, Server};

/// More than stands in the database.
const LARGE: usize = 300_001;

/// A conversation of ada's in a group of hers.
struct Talk {
    ada: Client,
    group: String,
    conversation: String,
    thread: String,
    post: String,
}

impl Talk {
    fn new(server: &Server) -> Talk {
        let ada = server.user("ada@example.org");
        let group = ada.group("readers", "Private");
        let [conversation, thread, post] = ada.talk(&group, "Files", "see below");
        Talk { ada, group, conversation, thread, post }
    }

    fn post_path(&self) -> String {
        format!("/v1.0/groups/{}/threads/{}/posts/{}", self.group, self.thread, self.post)
    }

    fn attachments(&self) -> String {
        format!("{}/attachments", self.post_path())
    }

    fn ask(&self, client: &Client, item: &Value) -> Response {
        let path = format!("{}/createUploadSession", self.attachments());
        client.post(&path, &json!({ "AttachmentItem": item }))
    }

    /// Opens a session for this many bytes; the path and query of its address.
    fn open(&self, server: &Server, size: usize) -> String {
        let item = json!({"attachmentType": "file", "name": "data.bin", "size": size});
        let session = self.ask(&self.ada, &item).created();
        let url = session["uploadUrl"].as_str().unwrap();
        url.strip_prefix(&format!("http://{}", server.address)).expect(url).to_owned()
    }

    fn count(&self) -> String {
        self.ada.get(&format!("{}/$count", self.attachments())).text()
    }

    /// The bytes of the attachment that a last part has made.
    fn bytes_of(&self, last: &Response) -> Vec<u8> {
        let location = last.header("location").unwrap();
        assert_eq!(last.created()["id"], location.rsplit('/').next().unwrap());
        let path = location.split_once("/v1.0").unwrap().1;
        let path = format!("/v1.0{path}/$value");
        let (value, head) = (self.ada.get(&path), self.ada.send("HEAD", &path, &[], b""));
        assert_eq!((value.status, head.status), (200, 200), "{}", value.text());
        let length = value.body.len().to_string();
        for (name, expected) in [
            ("content-length", &*length),
            ("content-disposition", "attachment"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "sandbox"),
        ] {
            for answer in [&value, &head] {
                let found = answer.header(name).unwrap_or_default();
                assert!(found.starts_with(expected), "{name}: {found}");
            }
        }
        value.body
    }
}

/// Bytes of which none are alike where parts could be exchanged.
fn data(size: usize) -> Vec<u8> {
    (0..size).map(|at| (at * 31 + at / 251) as u8).collect()
}

/// Sends the bytes from `first` to before `end`.
fn put(server: &Server, url: &str, data: &[u8], first: usize, end: usize) -> Response {
    let range = format!("bytes {first}-{}/{}", end - 1, data.len());
    put_as(server, url, &range, &data[first..end])
}

fn put_as(server: &Server, url: &str, range: &str, bytes: &[u8]) -> Response {
    server.anonymous().send("PUT", url, &[("Content-Range", range)], bytes)
}

fn missing(answer: &Response) -> Vec<String> {
    let answer = answer.ok();
    assert!(answer["expirationDateTime"].as_str().unwrap().ends_with('Z'), "{answer}");
    let ranges = answer["nextExpectedRanges"].as_array().unwrap();
    ranges.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

/// What is in the folder of files under way.
fn incoming(server: &Server) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(server.data.join("blobs/incoming")) else {
        return Vec::new();
    };
    entries.map(|it| it.unwrap().path()).collect()
}

#[track_caller]
fn assert_sound(server: &Server) {
    let done = server.check();
    assert_eq!(done.status, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(!done.stderr.contains("note: "), "{}", done.stderr);
}

#[test]
fn an_attachment_comes_in_parts_and_is_one_when_all_are_there() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let before = talk.ada.get(&talk.post_path()).ok();
    assert_eq!(before["hasAttachments"], false);
    let data = data(LARGE);
    let item = json!({"attachmentType": "file", "name": "flower.png", "size": LARGE,
        "isInline": true, "contentId": "flower@example.org"});
    let session = talk.ask(&talk.ada, &item).created();
    let context = format!("http://{}/v1.0/$metadata#microsoft.graph.uploadSession", server.address);
    assert_eq!(session["@odata.context"], context);
    assert_eq!(session["nextExpectedRanges"], json!(["0-"]));
    assert!(session["expirationDateTime"].as_str().unwrap().ends_with('Z'));
    let url = session["uploadUrl"].as_str().unwrap();
    let url = url.split_once(&server.address).unwrap().1;

    let state = || server.anonymous().get(url);
    assert_eq!(missing(&state()), [format!("0-{}", LARGE - 1)]);
    let answer = put(&server, url, &data, 0, 163_840);
    assert_eq!(missing(&answer), [format!("163840-{}", LARGE - 1)]);
    // A token that comes along is not looked at, nor is the media type.
    let range = format!("bytes 163840-199999/{LARGE}");
    let headers = [("Content-Range", &*range), ("Content-Type", "application/json")];
    let robot = Client { token: "nonsense".into(), ..server.anonymous() };
    let answer = robot.send("PUT", url, &headers, &data[163_840..200_000]);
    assert_eq!(missing(&answer), [format!("200000-{}", LARGE - 1)]);
    assert_eq!(missing(&state()), missing(&answer));
    assert_eq!(talk.ada.get(&talk.post_path()).ok(), before);
    assert_eq!(talk.count(), "0");

    let last = put(&server, url, &data, 200_000, LARGE);
    let made = last.created();
    assert_eq!(made["@odata.type"], "#microsoft.graph.fileAttachment");
    let shown = ["name", "contentType", "size", "isInline", "contentId"].map(|it| &made[it]);
    let expected = [
        json!("flower.png"),
        json!("image/png"),
        json!(LARGE),
        json!(true),
        item["contentId"].clone(),
    ];
    assert_eq!(shown, expected.each_ref());
    assert!(made.get("contentBytes").is_none(), "{made}");
    let prefix = format!("http://{}{}/", server.address, talk.attachments());
    assert!(last.header("location").unwrap().starts_with(&prefix), "{last:?}");
    assert!(talk.bytes_of(&last) == data);

    let after = talk.ada.get(&talk.post_path()).ok();
    assert_eq!(after["hasAttachments"], true);
    assert_ne!(after["changeKey"], before["changeKey"]);
    let Talk { group, thread, conversation, .. } = &talk;
    for path in [format!("threads/{thread}"), format!("conversations/{conversation}")] {
        let shown = talk.ada.get(&format!("/v1.0/groups/{group}/{path}")).ok();
        assert_eq!(shown["hasAttachments"], true, "{path}");
    }
    // The feed tells of the three, and the name is in the index.
    let told = "select count(*) from feed where op = 2";
    assert_eq!(server.number(told), 3);
    let found = match server.on_postgres() {
        true => "select count(*) from post_index where tokens @@ 'flower & see & files'::tsquery",
        false => "select count(*) from post_index where post_index match 'flower see files'",
    };
    assert_eq!(server.number(found), 1);
    assert_eq!(incoming(&server), Vec::<PathBuf>::new());
    assert_eq!(server.number("select count(*) from upload_sessions"), 0);
    assert_sound(&server);
}

#[test]
fn a_whole_one_may_come_at_once_and_a_small_one_goes_to_the_database() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    for (size, files) in [(1, 0), (64 * 1024, 0), (64 * 1024 + 1, 1)] {
        let data = data(size);
        let url = talk.open(&server, size);
        let answer = server.anonymous().send("PUT", &url, &[], &data);
        assert!(talk.bytes_of(&answer) == data, "{size}");
        let of_files = "select count(*) from blobs where content is null";
        assert_eq!(server.number(of_files), files, "{size}");
    }
    assert_eq!(talk.count(), "3");
    assert_sound(&server);
}

#[test]
fn parts_come_in_any_order_again_and_over_each_other() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    let end = LARGE - 1;
    let answer = put(&server, &url, &data, 100_000, 200_000);
    assert_eq!(missing(&answer), ["0-99999".to_owned(), format!("200000-{end}")]);
    // The same again, and over both of its ends.
    let answer = put(&server, &url, &data, 100_000, 200_000);
    assert_eq!(missing(&answer), ["0-99999".to_owned(), format!("200000-{end}")]);
    let answer = put(&server, &url, &data, 50_000, 120_000);
    assert_eq!(missing(&answer), ["0-49999".to_owned(), format!("200000-{end}")]);
    let answer = put(&server, &url, &data, 199_999, LARGE);
    assert_eq!(missing(&answer), ["0-49999"]);
    let last = put(&server, &url, &data, 0, 60_000);
    assert!(talk.bytes_of(&last) == data);
}

#[test]
fn a_part_that_breaks_off_is_not_counted_and_can_be_sent_again() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 1_000).ok();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Range: bytes 1000-{}/{LARGE}\r\nContent-Length: {}\r\n\r\n",
        LARGE - 1,
        LARGE - 1_000
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&vec![0; LARGE / 2]).unwrap();
    drop(stream);
    let state = server.anonymous().get(&url);
    assert_eq!(missing(&state), [format!("1000-{}", LARGE - 1)]);
    let last = put(&server, &url, &data, 1_000, LARGE);
    assert!(talk.bytes_of(&last) == data);
}

#[test]
fn a_session_that_is_cancelled_or_has_expired_is_gone_with_its_file() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 100).ok();
    assert_eq!(incoming(&server).len(), 1);
    server.anonymous().delete(&url).empty(204);
    assert_eq!(incoming(&server), Vec::<PathBuf>::new());
    server.anonymous().delete(&url).refused(404, "ErrorItemNotFound");
    put(&server, &url, &data, 100, LARGE).refused(404, "ErrorItemNotFound");
    assert_eq!(incoming(&server), Vec::<PathBuf>::new());

    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 100).ok();
    server.change("update upload_sessions set expires_at = 1");
    server.anonymous().get(&url).refused(404, "ErrorItemNotFound");
    put(&server, &url, &data, 100, LARGE).refused(404, "ErrorItemNotFound");
    assert_eq!(talk.count(), "0");
    // It is tidied up every hour, and at the start; another one is left alone.
    let kept = talk.open(&server, LARGE);
    put(&server, &kept, &data, 0, 100).ok();
    let server = server.kill_and_restart();
    while server.number("select count(*) from upload_sessions") > 1 || incoming(&server).len() > 1 {
        std::thread::yield_now();
    }
    let answer = server.anonymous().get(&kept);
    assert_eq!(missing(&answer), [format!("100-{}", LARGE - 1)]);
    assert_sound(&server);
}

#[test]
fn an_upload_goes_on_after_a_kill() {
    let server = Server::durable();
    let mut talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 200_000, LARGE).ok();
    let server = server.kill_and_restart();
    talk.ada.address = server.address.clone();
    let state = server.anonymous().get(&url);
    assert_eq!(missing(&state), ["0-199999"]);
    let last = put(&server, &url, &data, 0, 200_000);
    assert!(talk.bytes_of(&last) == data);

    // Killed after the last byte and before the attachment was stored, the second time after its file
    // had got its second name: any part brings it on.
    let mut server = server;
    for round in 2..=3 {
        let url = talk.open(&server, LARGE);
        put(&server, &url, &data, 0, LARGE - 1).ok();
        let part = incoming(&server).pop().unwrap();
        std::fs::write(&part, &data).unwrap();
        server.change(&format!("update upload_sessions set received = '0-{}'", LARGE - 1));
        if round == 3 {
            std::fs::hard_link(&part, part.with_extension("whole")).unwrap();
        }
        server = server.kill_and_restart();
        talk.ada.address = server.address.clone();
        assert_eq!(missing(&server.anonymous().get(&url)), Vec::<String>::new());
        let last = put(&server, &url, &data, LARGE - 1, LARGE);
        assert!(talk.bytes_of(&last) == data);
        assert_eq!(talk.count(), round.to_string());
        assert_eq!(incoming(&server), Vec::<PathBuf>::new());
    }
    assert_sound(&server);
}

#[test]
fn last_parts_that_come_again_or_together_make_one_attachment() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 200_000).ok();
    put(&server, &url, &data, 200_000, LARGE).created();
    put(&server, &url, &data, 200_000, LARGE).refused(404, "ErrorItemNotFound");
    server.anonymous().get(&url).refused(404, "ErrorItemNotFound");
    assert_eq!(talk.count(), "1");

    for round in 1..=5 {
        let url = talk.open(&server, LARGE);
        put(&server, &url, &data, 0, 200_000).ok();
        let answers: Vec<_> = std::thread::scope(|scope| {
            let send = || put(&server, &url, &data, 200_000, LARGE).status;
            let sent: Vec<_> = (0..4).map(|_| scope.spawn(send)).collect();
            sent.into_iter().map(|it| it.join().unwrap()).collect()
        });
        let made = answers.iter().filter(|it| **it == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        assert!(answers.iter().all(|it| *it < 500), "{answers:?}");
        assert_eq!(talk.count(), (1 + round).to_string());
    }
    assert_eq!(server.number("select count(*) from blobs"), 1);
    assert_sound(&server);
}

#[test]
fn two_sessions_of_the_same_bytes_are_two_attachments_of_one_blob() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let urls = [talk.open(&server, LARGE), talk.open(&server, LARGE)];
    for url in &urls {
        put(&server, url, &data, 0, 200_000).ok();
    }
    let sent: Vec<_> = std::thread::scope(|scope| {
        let (server, data) = (&server, &data[..]);
        let send = |url| scope.spawn(move || put(server, url, data, 200_000, LARGE));
        let sent: Vec<_> = urls.iter().map(|it| send(it.as_str())).collect();
        sent.into_iter().map(|it| it.join().unwrap()).collect()
    });
    for last in &sent {
        assert!(talk.bytes_of(last) == data);
    }
    assert_eq!(talk.count(), "2");
    assert_eq!(server.number("select count(*) from blobs"), 1);
    assert_sound(&server);
}

#[test]
fn a_session_goes_with_its_post_and_with_its_group() {
    let server = Server::durable();
    let talk = Talk::new(&server);
    let data = data(LARGE);
    let url = talk.open(&server, LARGE);
    put(&server, &url, &data, 0, 100).ok();
    let Talk { ada, group, thread, .. } = &talk;
    ada.delete(&format!("/v1.0/groups/{group}/threads/{thread}")).empty(204);
    assert_eq!(server.number("select count(*) from upload_sessions"), 0);
    put(&server, &url, &data, 100, LARGE).refused(404, "ErrorItemNotFound");

    let other = ada.group("writers", "Public");
    let [conversation, thread, post] = ada.talk(&other, "more", "files");
    let in_other = Talk { group: other.clone(), conversation, thread, post, ada: ada.clone() };
    let url = in_other.open(&server, LARGE);
    put(&server, &url, &data, 0, 100).ok();
    ada.delete(&format!("/v1.0/groups/{other}")).empty(204);
    put(&server, &url, &data, 100, LARGE).refused(404, "ErrorItemNotFound");
    assert_eq!(server.number("select count(*) from upload_sessions"), 0);
    let server = server.kill_and_restart();
    while !incoming(&server).is_empty() {
        std::thread::yield_now();
    }
    assert_sound(&server);
}

#[test]
fn the_address_begins_with_the_public_origin() {
    let server = Server::with(&["--public-url", "https://talk.example.org"]);
    let talk = Talk::new(&server);
    let item = json!({"attachmentType": "file", "name": "a.txt", "size": 3});
    let session = talk.ask(&talk.ada, &item).created();
    let url = session["uploadUrl"].as_str().unwrap();
    let path = url.strip_prefix("https://talk.example.org").expect(url);
    assert!(path.starts_with("/upload/"), "{path}");
    let last = server.anonymous().send("PUT", path, &[], b"abc");
    last.created();
    let location = last.header("location").unwrap();
    assert!(location.starts_with("https://talk.example.org/v1.0/groups/"), "{location}");

    let server = Server::with(&["--trust-proxy", "127.0.0.1"]);
    let talk = Talk::new(&server);
    let path = format!("{}/createUploadSession", talk.attachments());
    let headers = [
        ("Content-Type", "application/json"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "proxy.example.org"),
    ];
    let body = json!({ "AttachmentItem": item }).to_string();
    let session = talk.ada.send("POST", &path, &headers, body.as_bytes()).created();
    let url = session["uploadUrl"].as_str().unwrap();
    assert!(url.starts_with("https://proxy.example.org/upload/"), "{url}");
}
