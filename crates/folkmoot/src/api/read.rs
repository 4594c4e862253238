//! GET: the query bound, the read carried out, its answer dressed for HTTP.
//!
//! **Invariant:** a query option that cannot be served is a 400 that names it; none is ignored.

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, StatusCode};
use odata::bind::{Path, Predicate, Query, Step, bind_query};
use odata::syntax::{self, Options};
use tokio_util::io::ReaderStream;

use crate::api::error::Error;
use crate::api::operations::{self, Asked, Refusal, Row};
use crate::api::prefer::{Answered, Prefer};
use crate::api::{Call, empty, json_at, lists, negotiate, search};
use crate::service::answers::Question;
use crate::service::read::{self, Answer, Download, Read, Stored};
use crate::service::search::sought;
use crate::service::{Ctx, Metadata, limits};

/// Bytes of a file that are in memory while it is sent.
const READ_BYTES: usize = 64 * 1024;

pub(super) async fn answer(call: Call) -> Result<Response, Error> {
    let Call { mut ctx, row, path, self_path, parts, prefer, accepted, .. } = call;
    let address = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let answered = if path.is_single() { Answered::Entity } else { Answered::Page };
    let dress = Dress { sent: &parts.headers, prefer, answered };
    let question = Question::of(&ctx, &path, address).filter(|_| accepted.is_some());
    let keep = match question {
        Some(question) => match read::known(&ctx, question).await {
            Ok(answer) => return Ok(dress.answer(&ctx, answer)),
            Err(keep) => keep,
        },
        None => None,
    };
    let query = parts.uri.query().unwrap_or_default();
    let mut options =
        syntax::parse_query(query, &limits::URL).map_err(|it| Error::Url(it.to_string()))?;
    let timed = options.put_now(ctx.now());
    // What is asked for by $format and not by the head is not part of the question, nor is the time.
    let keep = keep.filter(|_| options.format.is_none() && !timed);
    // A count is text and an attachment what it is, whatever is accepted (part 1, section 11.2.9).
    let accepted = match path.steps.last() {
        Some(Step::Count | Step::Value) => accepted.or(Some(Metadata::Minimal)),
        _ => accepted,
    };
    ctx.set_metadata(negotiate::settle(&mut options, accepted)?);
    refuse_unserved(row, &options, &path)?;
    let model = super::model_of(ctx.root(), ctx.is_strict());
    let (mut filtered, mut search) = (None, None);
    match &options.search {
        Some(text) if operations::is_of_directory(row.shape) => {
            let filter = Some(search::with_filter(text, options.filter.clone())?);
            filtered = Some(Options { filter, ..options.clone() });
        }
        Some(text) => {
            refuse_beside_search(&options)?;
            search = Some(sought(text).map_err(Error::Url)?);
        }
        None => {}
    }
    let query = bind_query(model, path.entity(), filtered.as_ref().unwrap_or(&options))?;
    if ctx.is_strict() {
        refuse_as_graph(row, &path, &query, &options, &parts.headers)?;
    }
    if query.skip.is_some_and(|it| it > limits::SKIP_MAX) {
        let max = limits::SKIP_MAX;
        let why = format!("$skip goes to {max}; further on, follow @odata.nextLink");
        return Err(Error::Url(why));
    }
    for (from, navigation) in query.navigations() {
        super::may_follow(&ctx, &path, from, navigation)?;
    }
    let request = Read { path, query, search, options, self_path };
    let answer = read::read(&ctx, request, keep).await?;
    Ok(dress.answer(&ctx, answer))
}

/// What no search of content has beside it: its order is its own, and so is the way to its next page.
fn refuse_beside_search(options: &Options) -> Result<(), Error> {
    if !options.order_by.is_empty() {
        let why = "$orderby cannot stand beside $search: what is found comes newest first";
        return Err(Error::Url(why.into()));
    }
    if options.skip.is_some() {
        let why = "$skip cannot stand beside $search: follow @odata.nextLink to what comes later";
        return Err(Error::Url(why.into()));
    }
    Ok(())
}

/// What the head of a request says of its answer.
struct Dress<'p> {
    sent: &'p HeaderMap,
    prefer: Prefer,
    answered: Answered,
}

impl Dress<'_> {
    fn answer(&self, ctx: &Ctx, answer: Answer) -> Response {
        match answer {
            Answer::Json { body, etag } => self.json(ctx, body, etag),
            Answer::Count(count) => text(count),
            Answer::Download(it) => attachment(it),
        }
    }

    fn json(&self, ctx: &Ctx, body: Bytes, etag: Option<String>) -> Response {
        let known = |it: &String| lists::names_etag(self.sent, header::IF_NONE_MATCH, it);
        let mut response = match etag.as_ref().is_some_and(known) {
            true => empty(StatusCode::NOT_MODIFIED),
            false => json_at(ctx.wanted().metadata, StatusCode::OK, body),
        };
        self.prefer.tell(self.answered, response.headers_mut());
        match etag {
            Some(etag) => with_etag(response, &etag),
            None => response,
        }
    }
}

/// Options that the grammar knows and this read does not serve: some on none, others only on
/// collections.
fn refuse_unserved(row: &Row, options: &Options, path: &Path) -> Result<(), Error> {
    let of_any = ["$select", "$expand"];
    let of_collections =
        ["$select", "$expand", "$filter", "$orderby", "$top", "$skip", "$count", "$skiptoken"];
    let served: &[&str] = match path.steps.last() {
        Some(Step::Count) => &["$filter"],
        Some(Step::Value) => &[],
        // A reference has nothing that could be selected or expanded.
        Some(Step::Ref) => &of_collections[2..],
        _ if path.is_single() => &of_any,
        _ => &of_collections,
    };
    let given = options.names();
    let is_list = !path.is_single() && !matches!(path.steps.last(), Some(Step::Value));
    let searched = is_list && operations::is_searched(row.shape);
    let is_served = |it: &str| served.contains(&it) || (searched && it == "$search");
    match given.iter().find(|it| !it.starts_with('@') && !is_served(it)) {
        Some(name) => Err(Error::Url(format!("the query option {name} is not served here"))),
        None => Ok(()),
    }
}

/// What real Graph refuses of a query on this collection.
fn refuse_as_graph(
    row: &Row,
    path: &Path,
    query: &Query,
    options: &Options,
    headers: &HeaderMap,
) -> Result<(), Error> {
    let (filter, sorted) = (query.filter.as_ref(), !query.order_by.is_empty());
    let asked: Vec<_> = [
        (filter.is_some(), Asked::Filter),
        (sorted, Asked::OrderBy),
        (!query.expand.is_empty(), Asked::Expand),
        (options.search.is_some(), Asked::Search),
        (matches!(path.steps.last(), Some(Step::Count)), Asked::CountSegment),
        (sorted && filter.is_some(), Asked::FilterAndOrderBy),
        (filter.is_some_and(Predicate::negates), Asked::Negation),
    ]
    .into_iter()
    .filter_map(|(is, asked)| is.then_some(asked))
    .collect();
    let eventual = headers
        .get("consistencylevel")
        .is_some_and(|it| it.as_bytes().eq_ignore_ascii_case(b"eventual"));
    match operations::refusal(row.shape, &asked) {
        Some((Asked::CountSegment | Asked::Search, Refusal::NeedsEventual)) if eventual => Ok(()),
        Some((_, Refusal::NeedsEventual)) if eventual && query.count => Ok(()),
        Some((asked, refusal)) => Err(Error::AsGraph(asked, refusal)),
        None => Ok(()),
    }
}

fn with_etag(mut response: Response, etag: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

fn text(count: i64) -> Response {
    let mut response = Response::new(Body::from(count.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

/// What somebody else has uploaded: to be saved, never to be shown as a page of this server's.
fn attachment(it: Download) -> Response {
    let Download { content_type, name, bytes } = it;
    let (body, size) = match bytes {
        Stored::Bytes(bytes) => (Body::from(bytes), None),
        Stored::File(file, size) => {
            let file = tokio::fs::File::from_std(file);
            (Body::from_stream(ReaderStream::with_capacity(file, READ_BYTES)), Some(size))
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    if let Some(size) = size {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    }
    let content_type = content_type
        .and_then(|it| HeaderValue::from_str(&it).ok())
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    // RFC 6266: the name in UTF-8, percent-encoded as RFC 8187 says.
    let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
    let disposition = format!("attachment; filename*=UTF-8''{name}");
    let disposition =
        HeaderValue::from_str(&disposition).unwrap_or(HeaderValue::from_static("attachment"));
    headers.insert(header::CONTENT_TYPE, content_type);
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let csp = HeaderName::from_static("content-security-policy");
    headers.insert(csp, HeaderValue::from_static("sandbox"));
    response
}
