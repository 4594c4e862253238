//! The load generator: a closed loop over connections that are kept, one task each.
//!
//! **Invariant:** every answer is read to its end and has the expected status, or the measurement
//! fails; no loop runs past its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, IF_NONE_MATCH};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long connections work before answers count.
const WARM_UP: Duration = Duration::from_millis(300);
/// Requests of one side before it is the other's turn.
const TURN: usize = 20;
/// How long one answer may take at most.
const ANSWER: Duration = Duration::from_secs(20);

/// A request made beforehand, and the status that it must be answered with.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    expected: StatusCode,
    /// The address up to a number that is another one each time.
    numbered: Option<Arc<str>>,
}

/// Numbers of addresses that are never asked twice.
static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Prepared {
    fn new(method: Method, path: &str, server: &Target) -> anyhow::Result<Prepared> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&server.address)?);
        if let Some(token) = &server.token {
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
        }
        let (body, expected) = (Bytes::new(), StatusCode::OK);
        Ok(Prepared { method, uri: path.parse()?, headers, body, expected, numbered: None })
    }

    /// A GET that is answered with 200.
    pub(crate) fn get(path: &str, server: &Target) -> anyhow::Result<Prepared> {
        Prepared::new(Method::GET, path, server)
    }

    /// A GET that is answered with 304, since the client has it already.
    pub(crate) fn unchanged(path: &str, etag: &str, server: &Target) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::new(Method::GET, path, server)?;
        prepared.headers.insert(IF_NONE_MATCH, HeaderValue::from_str(etag)?);
        prepared.expected = StatusCode::NOT_MODIFIED;
        Ok(prepared)
    }

    /// A POST of JSON that is answered with 201.
    pub(crate) fn post(path: &str, json: String, server: &Target) -> anyhow::Result<Prepared> {
        let mut prepared = Prepared::new(Method::POST, path, server)?;
        prepared.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        prepared.body = Bytes::from(json);
        prepared.expected = StatusCode::CREATED;
        Ok(prepared)
    }

    /// The same, in different words each time: its address gets an option `n` with a number. The
    /// server ignores options without a `$` (OData 4.01 part 2, 5.2) and answers from its database;
    /// without one it would give the kept answer to the same question again.
    pub(crate) fn anew(mut self) -> Prepared {
        let before = if self.uri.query().is_some() { '&' } else { '?' };
        self.numbered = Some(format!("{}{before}n=", self.uri).into());
        self
    }

    fn request(&self) -> anyhow::Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = match &self.numbered {
            None => self.uri.clone(),
            Some(address) => {
                format!("{address}{}", NUMBER.fetch_add(1, Ordering::Relaxed)).parse()?
            }
        };
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }
}

/// Where requests go.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Host and port.
    pub(crate) address: String,
    /// The bearer token, where one is sent.
    pub(crate) token: Option<String>,
}

/// What a measurement found.
pub(crate) struct Measured {
    /// Answers a second.
    pub(crate) rate: f64,
    /// How many requests were answered, those of the warm-up included.
    pub(crate) answers: u64,
    /// Median and 99th percentile of the time to an answer, in microseconds.
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

/// One open connection.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    async fn open(address: &str) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address)
            .await
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    /// Sends a request and reads the answer to its end.
    async fn ask(&mut self, prepared: &Prepared) -> anyhow::Result<Response<Bytes>> {
        let request = prepared.request()?;
        let answered = async {
            self.sender.ready().await?;
            let (parts, body) = self.sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Response::from_parts(parts, body))
        };
        let response =
            tokio::time::timeout(ANSWER, answered).await.context("no answer in time")??;
        if response.status() != prepared.expected {
            let (status, body) = (response.status(), String::from_utf8_lossy(response.body()));
            bail!("{} {} was answered with {status}: {body}", prepared.method, prepared.uri);
        }
        Ok(response)
    }
}

/// The answer to one request, on a connection of its own.
pub(crate) async fn once(target: &Target, prepared: &Prepared) -> anyhow::Result<Response<Bytes>> {
    Connection::open(&target.address).await?.ask(prepared).await
}

/// Sends requests of `left` and of `right`, some of each by turns, over one connection each, for as long
/// as `duration`, after a warm-up: the median times to an answer of both, in microseconds. Whatever
/// else the machine does meanwhile, it does to both.
pub(crate) async fn by_turns(
    left: (&Target, &[Prepared]),
    right: (&Target, &[Prepared]),
    duration: Duration,
) -> anyhow::Result<[f64; 2]> {
    let mut sides = Vec::new();
    for (target, requests) in [left, right] {
        let connection = Connection::open(&target.address).await?;
        sides.push((connection, requests.iter().cycle(), Histogram::<u64>::new(3)?));
    }
    let from = Instant::now() + WARM_UP;
    let until = from + duration;
    while Instant::now() < until {
        for (connection, requests, times) in &mut sides {
            for prepared in requests.by_ref().take(TURN) {
                let sent = Instant::now();
                connection.ask(prepared).await?;
                if sent >= from {
                    times.record(u64::try_from(sent.elapsed().as_nanos())?)?;
                }
            }
        }
    }
    let median = |side: usize| sides[side].2.value_at_quantile(0.5) as f64 / 1e3;
    Ok([median(0), median(1)])
}

/// The answers to all requests, in their order, over `connections` connections.
pub(crate) async fn each(
    target: &Target,
    requests: &[Prepared],
    connections: usize,
) -> anyhow::Result<Vec<Response<Bytes>>> {
    let mut tasks = Vec::with_capacity(connections);
    for part in requests.chunks(requests.len().div_ceil(connections).max(1)) {
        let (part, mut connection) = (part.to_vec(), Connection::open(&target.address).await?);
        tasks.push(tokio::spawn(async move {
            let mut answers = Vec::with_capacity(part.len());
            for prepared in &part {
                answers.push(connection.ask(prepared).await?);
            }
            anyhow::Ok(answers)
        }));
    }
    let mut answers = Vec::with_capacity(requests.len());
    for task in tasks {
        answers.extend(task.await??);
    }
    Ok(answers)
}

/// Sends `requests` in turn over `connections` connections for `duration`, after a warm-up.
pub(crate) async fn closed_loop(
    target: &Target,
    requests: Arc<Vec<Prepared>>,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Measured> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(&target.address).await?);
    }
    let from = Instant::now() + WARM_UP;
    let until = from + duration;
    let mut tasks = Vec::with_capacity(connections);
    for (at, connection) in open.into_iter().enumerate() {
        // Each begins elsewhere, so that connections do not all send the same at a time.
        let first = at * requests.len() / connections;
        tasks.push(tokio::spawn(work(connection, requests.clone(), first, from, until)));
    }
    let mut all = Histogram::<u64>::new(3)?;
    let mut answers = 0;
    for task in tasks {
        let (times, answered) = task.await??;
        all.add(times)?;
        answers += answered;
    }
    Ok(Measured {
        rate: all.len() as f64 / duration.as_secs_f64(),
        answers,
        p50: all.value_at_quantile(0.5),
        p99: all.value_at_quantile(0.99),
    })
}

/// The times to the answers that came between `from` and `until`, in microseconds, and how many came
/// at all.
async fn work(
    mut connection: Connection,
    requests: Arc<Vec<Prepared>>,
    first: usize,
    from: Instant,
    until: Instant,
) -> anyhow::Result<(Histogram<u64>, u64)> {
    let (mut times, mut answers) = (Histogram::new(3)?, 0);
    let mut sent = Instant::now();
    for prepared in requests.iter().cycle().skip(first) {
        connection.ask(prepared).await?;
        answers += 1;
        let now = Instant::now();
        if now >= until {
            break;
        }
        if now >= from {
            times.record(u64::try_from((now - sent).as_micros())?)?;
        }
        sent = now;
    }
    Ok((times, answers))
}
