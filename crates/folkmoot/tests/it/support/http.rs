//! HTTP/1.1 over a socket: one request a connection, nothing rewritten on the way.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A server that is silent for so long does not answer any more.
const SILENCE_MAX: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    /// The body of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The body of a 201.
    #[track_caller]
    pub(crate) fn created(&self) -> Value {
        assert_eq!(self.status, 201, "{}", self.text());
        self.json()
    }

    /// The id in the body of a 201.
    #[track_caller]
    pub(crate) fn id(&self) -> String {
        self.created()["id"].as_str().unwrap().to_owned()
    }

    /// Asserts an empty answer.
    #[track_caller]
    pub(crate) fn empty(&self, status: u16) {
        assert_eq!((self.status, self.text().as_str()), (status, ""));
    }

    /// Asserts a refusal in Graph's envelope; its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{}", self.text());
        let error = &self.json()["error"];
        assert_eq!(error["code"], code, "{error}");
        let inner = &error["innerError"];
        assert_eq!(Some(inner["request-id"].as_str().unwrap()), self.header("request-id"));
        assert_eq!(inner["date"].as_str().unwrap().len(), "2026-11-24T10:17:05".len());
        error["message"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn send(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Response {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SILENCE_MAX)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let has = |name: &str| headers.iter().any(|(it, _)| it.eq_ignore_ascii_case(name));
    let has_body = !body.is_empty() || method == "POST";
    if has_body && !has("content-length") && !has("transfer-encoding") {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses by the head may close before it has read the body.
    let _ = stream.write_all(body);
    let answer = read(&mut BufReader::new(stream), method == "HEAD").expect("an answer");
    record(method, path, &answer);
    answer
}

/// Adds a request and how it was answered to the file that `FOLKMOOT_RECORD` names, a line each, for
/// `cargo xtask coverage`: method, path as it was sent, status, and the code of an error or `-`. Tests run
/// side by side and append at once; a line is one write.
fn record(method: &str, path: &str, answer: &Response) {
    let Some(file) = std::env::var_os("FOLKMOOT_RECORD") else { return };
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body["error"]["code"].as_str().unwrap_or("-");
    let line = format!("{method}\t{path}\t{}\t{code}\n", answer.status);
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
    file.write_all(line.as_bytes()).unwrap();
}

/// Sends requests one after another over one connection, each written whole before its answer is read.
pub(crate) fn over_one_connection(address: &str, requests: &[Vec<u8>]) -> Vec<Response> {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut answers = Vec::new();
    for request in requests {
        stream.write_all(request).unwrap();
        let answer = read(&mut reader, false).unwrap();
        let head = String::from_utf8_lossy(request);
        let mut words = head.split(' ');
        record(words.next().unwrap(), words.next().unwrap(), &answer);
        answers.push(answer);
    }
    answers
}

fn read(stream: &mut impl BufRead, no_body: bool) -> std::io::Result<Response> {
    let line = |stream: &mut dyn BufRead| {
        let mut line = String::new();
        stream.read_line(&mut line).map(|_| line.trim_end().to_owned())
    };
    let status = line(stream)?;
    let status = status.split(' ').nth(1).and_then(|it| it.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let mut headers = Vec::new();
    loop {
        let header = line(stream)?;
        let Some((name, value)) = header.split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut response = Response { status, headers, body: Vec::new() };
    if no_body || status == 304 {
        return Ok(response);
    }
    match response.header("content-length").map(|it| it.parse().unwrap()) {
        Some(length) => {
            response.body = vec![0; length];
            stream.read_exact(&mut response.body)?;
        }
        None if response.header("transfer-encoding") == Some("chunked") => loop {
            let size = usize::from_str_radix(&line(stream)?, 16).unwrap();
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk)?;
            response.body.extend(chunk);
            line(stream)?;
            if size == 0 {
                break;
            }
        },
        None => {
            stream.read_to_end(&mut response.body)?;
        }
    }
    Ok(response)
}
