//! What a connection may take, at each limit and one past it: places, time, heads, frames.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::support::Server;

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n";

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// What comes back until the server closes; nothing where it has closed already.
fn answer(stream: &mut TcpStream, sent: &[u8]) -> String {
    let _ = stream.write_all(sent);
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("silence"),
        _ => String::from_utf8_lossy(&answer).into_owned(),
    }
}

/// A connection that stays open and was answered once; none where it was closed unanswered.
fn kept(server: &Server) -> Option<TcpStream> {
    let mut stream = connect(server);
    let _ = stream.write_all(format!("{HEALTH}\r\n").as_bytes());
    let mut first = [0; 12];
    stream.read_exact(&mut first).ok()?;
    assert_eq!(&first, b"HTTP/1.1 200");
    Some(stream)
}

#[test]
fn there_are_so_many_at_a_time() {
    for limits in ["connections_per_address = 2", "connections = 2"] {
        let server = Server::limited(limits);
        // That which waited for the server to be there may still be closing.
        let first = wait_for(&server);
        let second = wait_for(&server);
        assert!(kept(&server).is_none(), "{limits}");
        drop(first);
        wait_for(&server);
        drop(second);
    }
    let server =
        Server::limited_with("connections_per_address = 1", &["--trust-proxy", "127.0.0.1"]);
    let _first = kept(&server).unwrap();
    assert!(kept(&server).is_some(), "a proxy has the connections of all its clients");
}

fn wait_for(server: &Server) -> TcpStream {
    loop {
        match kept(server) {
            Some(stream) => return stream,
            None => std::thread::yield_now(),
        }
    }
}

#[test]
fn a_head_has_to_come_in_time() {
    let server = Server::limited("head_seconds = 0.2\nsilence_seconds = 0.2");
    for sent in ["", "GET /heal", HEALTH, "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let text = answer(&mut connect(&server), sent.as_bytes());
        assert!(!text.starts_with("HTTP/1.1 200"), "{sent:?}: {text}");
    }
    // One byte at a time is no way around it: the server closes, and writing fails.
    let mut stream = connect(&server);
    for byte in HEALTH.bytes().chain(std::iter::repeat(b'x')) {
        std::thread::sleep(Duration::from_millis(20));
        if stream.write_all(&[byte]).is_err() {
            break;
        }
    }
    assert!(kept(&server).is_some());
}

#[test]
fn a_body_has_to_come_in_time() {
    let server = Server::limited("body_seconds = 0.2");
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let head = format!(
        "POST /v1.0/groups/{group}/conversations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        ada.token
    );
    let text = answer(&mut connect(&server), head.as_bytes());
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    assert!(text.to_lowercase().contains("connection: close"), "{text}");
    ada.post(&format!("/v1.0/groups/{group}/conversations"), &json!({"topic": "x"})).created();
}

#[test]
fn a_head_has_so_many_headers_and_bytes() {
    let server = Server::ephemeral();
    let asked = |headers: &str| {
        let sent = format!("{HEALTH}Connection: close\r\n{headers}\r\n");
        answer(&mut connect(&server), sent.as_bytes())
    };
    // With Host and Connection.
    let headers = |count: usize| "a: b\r\n".repeat(count - 2);
    assert!(asked(&headers(100)).starts_with("HTTP/1.1 200"));
    assert!(asked(&headers(101)).starts_with("HTTP/1.1 431"));
    let sized = |bytes: usize| {
        let rest = HEALTH.len() + "Connection: close\r\na: \r\n\r\n".len();
        format!("a: {}\r\n", "b".repeat(bytes - rest))
    };
    assert!(asked(&sized(64 << 10)).starts_with("HTTP/1.1 200"));
    let refused = asked(&sized(128 << 10));
    assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 431"), "{refused}");
}

#[test]
fn an_address_has_so_many_bytes() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let path = |bytes: usize| format!("/v1.0/me?x={}", "y".repeat(bytes - "/v1.0/me?x=".len()));
    ada.get(&path(16 << 10)).ok();
    let why = ada.get(&path((16 << 10) + 1)).refused(414, "BadRequest");
    assert!(why.contains("16384"), "{why}");
    let url = path((16 << 10) + 1).split_off("/v1.0".len());
    let batch = json!({"requests": [{"id": "1", "method": "GET", "url": format!("{url}yyyyyy")}]});
    let answer = ada.post("/v1.0/$batch", &batch).ok();
    assert_eq!(answer["responses"][0]["status"], 414, "{answer}");
}

#[test]
fn a_chunk_says_a_size_that_can_be() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let asked = |chunks: &str| {
        let sent = format!(
            "POST /v1.0/groups/{group}/conversations HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunks}",
            ada.token
        );
        answer(&mut connect(&server), sent.as_bytes())
    };
    let body = |extension: &str| format!("d{extension}\r\n{{\"topic\":\"x\"}}\r\n0\r\n\r\n");
    assert!(asked(&body("")).starts_with("HTTP/1.1 201"));
    assert!(asked(&body(";a=b")).starts_with("HTTP/1.1 201"));
    for bad in [
        body(&format!(";{}", "a".repeat(20 << 10))),
        "fffffffffffffffff\r\n{".to_owned(),
        "-1\r\n{".to_owned(),
        "xyz\r\n".to_owned(),
    ] {
        let text = asked(&bad);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 400"), "{text}");
    }
    assert_eq!(ada.all(&format!("/v1.0/groups/{group}/conversations")).len(), 2);
}

/// A frame of HTTP/2 (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The next frame: its kind and what is in it.
fn next(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0; 9];
    stream.read_exact(&mut head).unwrap();
    let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
    stream.read_exact(&mut payload).unwrap();
    (head[3], payload)
}

#[test]
fn http2_has_so_many_requests_and_takes_few_back() {
    let server = Server::ephemeral();
    let mut stream = connect(&server);
    let settings = frame(4, 0, 0, &[]);
    stream.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &settings[..]].concat()).unwrap();
    let (kind, payload) = next(&mut stream);
    assert_eq!(kind, 4);
    let said: Vec<_> = payload
        .chunks(6)
        .map(|it| (it[1], u32::from_be_bytes([it[2], it[3], it[4], it[5]])))
        .collect();
    // MAX_CONCURRENT_STREAMS and MAX_HEADER_LIST_SIZE.
    assert!(said.contains(&(3, 100)) && said.contains(&(6, 64 << 10)), "{said:?}");
    // Requests that are taken back at once (CVE-2023-44487): GET / over http, then RST_STREAM.
    let resets: Vec<u8> = (0..5_000)
        .flat_map(|it| {
            let id = it * 2 + 1;
            [frame(1, 5, id, &[0x82, 0x86, 0x84]), frame(3, 0, id, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    let _ = stream.write_all(&resets);
    let last = loop {
        let (kind, payload) = next(&mut stream);
        // GOAWAY: the last stream, then the error.
        if kind == 7 {
            break payload[7];
        }
    };
    assert_eq!(last, 11, "ENHANCE_YOUR_CALM");
    assert!(kept(&server).is_some());
}
