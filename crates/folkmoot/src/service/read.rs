//! The only way to a read: one entity, a page of them, a count, the bytes of an attachment.
//!
//! **Invariant:** what is answered to a write comes from here too, so one entity has one form.

use bytes::Bytes;
use odata::bind::{Dynamic, Path, Query, Step};
use odata::edm::{Navigation, Property, Published, Type};
use odata::syntax::{self, Options};
use uuid::Uuid;

use crate::model::{Entity, MAILBOX, Source, entity_of};
use crate::service::answers::{self, Question, Standing};
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, Metadata, items, limits};
pub(crate) use crate::store::blobs::{Download, Stored};
use crate::store::plan::Node;
use crate::store::read::{self, Budget, Found, Home, PageEnd};
use crate::store::search::{self, Sought};
use crate::store::sql::Bind;
use crate::store::{self, Tx, attachments, blobs, etag, skiptoken};

/// A bound GET.
#[derive(Debug)]
pub(crate) struct Read {
    /// Where.
    pub(crate) path: Path,
    /// What of it.
    pub(crate) query: Query,
    /// What of it is found by its words; none: no matter which.
    pub(crate) search: Option<Sought>,
    /// The same as it was parsed, for the link to the next page.
    pub(crate) options: Options,
    /// The address below the root as the client wrote it, for the same.
    pub(crate) self_path: String,
}

/// What a GET is answered with.
#[derive(Debug)]
pub(crate) enum Answer {
    /// JSON; with the ETag of the entity, where it is one.
    Json { body: Bytes, etag: Option<String> },
    /// A bare number.
    Count(i64),
    /// The bytes of an attachment.
    Download(Download),
}

/// Answers a question without reading, or says with what its answer may be kept.
pub(crate) async fn known(ctx: &Ctx, question: Question) -> Result<Answer, Option<Keep>> {
    match ctx.answers.find(ctx, &question).await {
        Standing::Known(body, etag) => Ok(Answer::Json { body, etag }),
        Standing::Asked(stamps) => Err(Some(Keep { question, stamps })),
        Standing::Unknown => Err(None),
    }
}

/// Under what an answer is to be kept.
pub(crate) struct Keep {
    question: Question,
    stamps: answers::Stamps,
}

/// Carries out a GET, and keeps its answer where it is said under what.
pub(crate) async fn read(ctx: &Ctx, request: Read, keep: Option<Keep>) -> Result<Answer, Error> {
    let keep = keep.filter(|_| Question::covers(&request.query));
    let answer = ctx
        .store
        .read((ctx.clone(), request), |tx, (ctx, request)| Box::pin(answer(tx, ctx, request)))
        .await?;
    if let (Some(Keep { question, stamps }), Answer::Json { body, etag }) = (keep, &answer) {
        ctx.answers.keep(question, stamps, body, etag.as_ref());
    }
    Ok(answer)
}

/// Whether the caller may see where `path` leads, for a request that is refused for another reason.
pub(crate) async fn may_reach(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .read((ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move { resolve::resolve(tx, ctx, path, false).await.map(|_| ()) })
        })
        .await
}

async fn answer(tx: &mut Tx, ctx: &Ctx, request: &Read) -> Result<Answer, Error> {
    let at = resolve::resolve(tx, ctx, &request.path, false).await?;
    if at.is_inside() {
        check_inside(&at, &request.query)?;
    }
    match request.path.steps.last() {
        Some(Step::Count) => count(tx, ctx, request, &at).await,
        Some(Step::Value) => download(tx, &at).await,
        _ if at.single => {
            let mut body = b"{".to_vec();
            let url = format!("{}/{}", ctx.root, at.url);
            if ctx.annotations() {
                let context = entity_context(ctx, &at, &select_list(request));
                push_member(&mut body, "@odata.context", &context);
            }
            let found = entity(tx, ctx, &at, &request.query, &url, &mut body);
            let found = found.await?.ok_or_else(|| resolve::missing(&at))?;
            body.push(b'}');
            let etag = covered(&request.query).then(|| etag(found.version));
            Ok(Answer::Json { body: body.into(), etag })
        }
        _ => page(tx, ctx, request, &at).await,
    }
}

/// Refuses a query for what a group without a mailbox does not have, or for content that the caller may not
/// read.
fn check_inside(at: &Target, query: &Query) -> Result<(), Error> {
    let navigations = query.navigations();
    let selected = query.select.iter().flatten().map(|it| it.name);
    let of_group = navigations.iter().filter(|(from, _)| from.name == "group");
    let mut named = selected.chain(of_group.map(|(_, it)| it.name));
    if at.entity.edm.name == "group" && named.any(|it| MAILBOX.contains(&it)) && at.single {
        at.mailbox()?;
    }
    let into_content = |(_, it): &(_, &Navigation)| entity_of((it.target)()).in_group;
    if navigations.iter().any(into_content) {
        at.access.may_read()?;
    }
    Ok(())
}

/// Writes one entity's members to `body`, which holds the opening brace and perhaps annotations.
async fn entity(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    query: &Query,
    url: &str,
    body: &mut Vec<u8>,
) -> Result<Option<Found>, Error> {
    let node = Node::new(tx.db(), query, &at.access, at.navigation, ctx.form());
    if body.last() != Some(&b'{') {
        body.push(b',');
    }
    let mut budget = Budget::new(limits::ROWS_MAX, ctx.answer_bytes);
    let id = at.id.map(|it| it.hyphenated().to_string());
    let context = id.map_or_else(|| at.context.clone(), |id| format!("{}('{id}')", at.context));
    let home = Home { url, context: &context };
    Ok(read::one(tx, &node, at.place, at.id, home, &mut budget, body).await?)
}

async fn page(tx: &mut Tx, ctx: &Ctx, request: &Read, at: &Target) -> Result<Answer, Error> {
    let references = matches!(request.path.steps.last(), Some(Step::Ref));
    let node = if references {
        Node::references(tx.db(), &request.query, &at.access, ctx.form())
    } else {
        Node::new(tx.db(), &request.query, &at.access, at.navigation, ctx.form())
    };
    let after = match &request.query.skip_token {
        Some(token) => {
            let key = skiptoken::decode(token, read::fingerprint(at.entity, &request.options))?;
            let fits = match request.search {
                Some(_) => search::fits(tx, &key),
                None => node.fits(&key),
            };
            if !fits {
                return Err(skiptoken::Refused::Malformed.into());
            }
            Some(key)
        }
        None => None,
    };
    let mut body = b"{".to_vec();
    if ctx.annotations() {
        let context = match references {
            true => format!("{}/$metadata#Collection($ref)", ctx.root),
            false => format!("{}/$metadata#{}{}", ctx.root, at.context, select_list(request)),
        };
        push_member(&mut body, "@odata.context", &context);
        body.push(b',');
    }
    if request.query.count {
        let total = total(tx, &node, request, at).await?;
        body.extend_from_slice(format!("\"@odata.count\":{total},").as_bytes());
    }
    body.extend_from_slice(b"\"value\":[");
    let mut budget = Budget::new(limits::ROWS_MAX, ctx.answer_bytes);
    let url = format!("{}/{}", ctx.root, at.url);
    let after = after.as_deref();
    let home = Home { url: &url, context: &at.context };
    let (budget, out) = (&mut budget, &mut body);
    let end = match &request.search {
        Some(it) => search::page(tx, &node, (at.place, it), after, home, budget, out).await?,
        None => read::page(tx, &node, at.place, after, home, budget, out).await?,
    };
    body.push(b']');
    if let PageEnd::After(key) = end {
        let mut options = request.options.clone();
        node.keep_page(&mut options);
        options.skip = None;
        options.skip_token = Some(skiptoken::encode(read::fingerprint(at.entity, &options), &key));
        let query = syntax::print_query(&options);
        body.push(b',');
        let link = format!("{}/{}?{query}", ctx.root, request.self_path);
        push_member(&mut body, "@odata.nextLink", &link);
    }
    body.push(b'}');
    Ok(Answer::Json { body: body.into(), etag: None })
}

/// All entities that a command's query finds, which are few: one page.
pub(super) async fn found(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    query: &Query,
) -> Result<Vec<u8>, Error> {
    // There is no link to a next page, so no preference may make this one shorter.
    let mut form = ctx.form();
    form.wanted.page_max = None;
    let node = Node::new(tx.db(), query, &at.access, at.navigation, form);
    let mut body = b"{".to_vec();
    if ctx.annotations() {
        let context = format!("{}/$metadata#{}", ctx.root, at.context);
        push_member(&mut body, "@odata.context", &context);
        body.push(b',');
    }
    body.extend_from_slice(b"\"value\":[");
    let mut budget = Budget::new(limits::ROWS_MAX, usize::MAX);
    let url = format!("{}/{}", ctx.root, at.url);
    let home = Home { url: &url, context: &at.context };
    read::page(tx, &node, at.place, None, home, &mut budget, &mut body).await?;
    body.extend_from_slice(b"]}");
    Ok(body)
}

async fn count(tx: &mut Tx, ctx: &Ctx, request: &Read, at: &Target) -> Result<Answer, Error> {
    let node = Node::new(tx.db(), &request.query, &at.access, at.navigation, ctx.form());
    Ok(Answer::Count(total(tx, &node, request, at).await?))
}

/// How many entities a request is about.
async fn total(tx: &mut Tx, node: &Node<'_>, request: &Read, at: &Target) -> Result<i64, Error> {
    Ok(match &request.search {
        Some(search) => search::count(tx, node, at.place, search).await?,
        None => read::count(tx, node, at.place).await?,
    })
}

async fn download(tx: &mut Tx, at: &Target) -> Result<Answer, Error> {
    let id = read::find(tx, &at.access, at.entity, at.place, at.id).await?;
    let id = id.ok_or_else(|| resolve::missing(at))?;
    let group = at.group()?.id;
    if let Some(file) = blobs::download(tx, group, id).await? {
        return Ok(Answer::Download(file));
    }
    let item = attachments::item(tx, group, id).await?.ok_or(Error::NoContent)?;
    let made = items::file(&item);
    let made = made.ok_or_else(|| store::Error::Defect("an item of no known type".into()))?;
    Ok(Answer::Download(made))
}

/// An entity that a command has just written, as the answer to it: `body` without its closing brace.
///
/// `type_sent` is the `@odata.type` of the request, echoed in this answer alone.
pub(crate) async fn written(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    query: &Query,
    type_sent: Option<&str>,
) -> Result<(Vec<u8>, String), Error> {
    let mut body = opened(ctx, at, type_sent);
    let url = format!("{}/{}", ctx.root, at.url);
    let found = entity(tx, ctx, at, query, &url, &mut body).await?;
    Ok((body, etag(found.ok_or(Error::ItemNotFound)?.version)))
}

/// The answer to a command that has added an entity to the collection that `at` leads to: `key` is its id
/// and what stands for it in its address.
pub(crate) async fn created(
    tx: &mut Tx,
    ctx: &Ctx,
    mut at: Target,
    key: (Uuid, &str),
    type_sent: Option<&str>,
) -> Result<Created, Error> {
    at.id = Some(key.0);
    at.single = true;
    at.url = format!("{}/{}", at.url, resolve::encoded(key.1));
    whole_of(tx, ctx, &at, type_sent).await
}

/// The answer to a command that has changed the entity that `at` leads to.
pub(crate) async fn changed(
    tx: &mut Tx,
    ctx: &Ctx,
    at: Target,
    type_sent: Option<&str>,
) -> Result<Created, Error> {
    whole_of(tx, ctx, &at, type_sent).await
}

/// The answer of strict mode to what was added: its id and no more. `key` as for [`created`].
pub(crate) fn id_alone(ctx: &Ctx, at: Target, key: (Uuid, &str)) -> Result<Created, Error> {
    let mut body = id_opened(ctx, &at, key.0);
    body.push(b'}');
    let location = format!("{}/{}/{}", ctx.root, at.url, resolve::encoded(key.1));
    Ok(Created { body, etag: etag(1), location })
}

/// The same without its closing brace.
pub(crate) fn id_opened(ctx: &Ctx, at: &Target, id: Uuid) -> Vec<u8> {
    let mut body = opened(ctx, at, None);
    if body.len() > 1 {
        body.push(b',');
    }
    push_member(&mut body, "id", &id.hyphenated().to_string());
    body
}

/// All of an entity that was written, what else is shown on request alone included.
async fn whole_of(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    type_sent: Option<&str>,
) -> Result<Created, Error> {
    answered(tx, ctx, at, &everything(ctx, at.entity), type_sent).await
}

/// The answer to a command: what `query` asks for of the entity that `at` leads to, as for [`written`].
pub(crate) async fn answered(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    query: &Query,
    type_sent: Option<&str>,
) -> Result<Created, Error> {
    let (mut body, etag) = written(tx, ctx, at, query, type_sent).await?;
    body.push(b'}');
    Ok(Created { body, etag, location: format!("{}/{}", ctx.root, at.url) })
}

/// The same from the columns that were written, without asking the store for them again.
pub(crate) fn made(
    tx: &Tx,
    ctx: &Ctx,
    at: &Target,
    query: &Query,
    type_sent: Option<&str>,
    columns: &[(&'static str, Bind<'_>)],
) -> Result<(Vec<u8>, String), Error> {
    let mut body = opened(ctx, at, type_sent);
    if body.len() > 1 {
        body.push(b',');
    }
    let node = Node::new(tx.db(), query, &at.access, None, ctx.form());
    let url = format!("{}/{}", ctx.root, at.url);
    let found = read::made(tx, &node, columns, &url, &mut body)?;
    Ok((body, etag(found.version)))
}

/// The beginning of the answer to a write.
fn opened(ctx: &Ctx, at: &Target, type_sent: Option<&str>) -> Vec<u8> {
    let mut body = b"{".to_vec();
    if ctx.annotations() {
        push_member(&mut body, "@odata.context", &entity_context(ctx, at, ""));
        // At the full level the entity says its type itself.
        if let Some(ty) = type_sent.filter(|_| ctx.wanted.metadata == Metadata::Minimal) {
            body.push(b',');
            push_member(&mut body, "@odata.type", ty);
        }
    }
    body
}

/// A query without options.
pub(crate) fn whole(entity: &'static Entity) -> Query {
    Query {
        entity: &entity.edm,
        select: None,
        dynamic: Dynamic::All,
        expand: Vec::new(),
        documents: Vec::new(),
        filter: None,
        order_by: Vec::new(),
        top: None,
        skip: None,
        count: false,
        skip_token: None,
    }
}

/// A query for all that the model declares of an entity.
fn everything(ctx: &Ctx, entity: &'static Entity) -> Query {
    let beta = ctx.form().is_beta();
    let own = |it: &&Property| match it.published {
        Published::Always => true,
        Published::Beta => beta,
        Published::Never => it.by_default,
    };
    let document = |it: &&Property| matches!(it.ty, Type::Document(_));
    let properties = entity.edm.properties.iter();
    let all = properties.filter(own).filter(|it| !document(it)).collect();
    Query { select: Some(all), ..whole(entity) }
}

fn entity_context(ctx: &Ctx, at: &Target, list: &str) -> String {
    format!("{}/$metadata#{}{list}/$entity", ctx.root, at.context)
}

/// Whether an answer shows what is another for each caller and not told of by the feed.
pub(super) fn is_per_caller(query: &Query) -> bool {
    let entity = entity_of(query.entity);
    let mut selected = query.select.iter().flatten();
    selected.any(|it| matches!(entity.source(it), Source::PerCaller(_)))
        || query.expand.iter().any(|it| is_per_caller(&it.query))
}

/// Whether an entity's version covers all that is shown of it. Expanded entities have versions of their
/// own, and so have those that it is in; what is another for each caller has none.
fn covered(query: &Query) -> bool {
    let entity = entity_of(query.entity);
    let beyond = |source| matches!(source, Source::PerCaller(_) | Source::Above(_));
    let mut selected = query.select.iter().flatten();
    query.expand.is_empty() && !selected.any(|it| beyond(entity.source(it)))
}

/// What was selected, in the order in which it was asked for, under the model's names.
fn select_list(request: &Read) -> String {
    if request.options.select.is_empty() {
        return String::new();
    }
    let entity = request.query.entity;
    let item = |path: &Vec<String>| match &path[..] {
        [name] => entity.property(name).map_or_else(|| name.clone(), |it| it.name.to_owned()),
        path => path.join("/"),
    };
    let items: Vec<_> = request.options.select.iter().map(item).collect();
    format!("({})", items.join(","))
}

fn push_member(out: &mut Vec<u8>, name: &str, value: &str) {
    odata::json::write_string(out, name);
    out.push(b':');
    odata::json::write_string(out, value);
}
