//! Upload sessions: an attachment that comes in parts, for a post that is there (GRAPH.md section 16).
//!
//! **Invariant:** a byte counts as received only after it is on the disk; the attachment, what its
//! post, thread and conversation show of it, and the end of its session are one command, so a session
//! gives one attachment. Whoever has the session's secret acts as the one who asked for it, and may no
//! more than they may then.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use odata::bind::{Path, Query};
use odata::decode::Field;
use odata::value::{DateTimeOffset, Value};

use crate::access::{Access, Caller};
use crate::auth::{self, Scopes};
use crate::ids::{self, AttachmentId, GroupId, PostId, UploadId};
use crate::model::{ATTACHMENT, POST, Source};
use crate::service::attachments::media_type;
use crate::service::draft::at_most;
use crate::service::files::{Large, blocking};
use crate::service::posts::{self, Touched};
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, Service, Wanted, limits, read};
use crate::store::attachments::{self, Content, NewAttachment};
use crate::store::audit::Deed;
use crate::store::blobs::Blob;
use crate::store::feed::Place;
use crate::store::partial::{self, Partial};
use crate::store::plan::{self, Parent};
use crate::store::ranges::Ranges;
use crate::store::uploads::{self, Session};
use crate::store::{self, Tx};

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 * 1024;
/// The parameter of the action.
const ITEM: &str = "AttachmentItem";

/// A session as whoever asked for it hears of it.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Where the bytes go; who knows it may send them.
    pub(crate) url: String,
    /// When it ends.
    pub(crate) expires: DateTimeOffset,
}

/// How far an upload has come.
#[derive(Debug)]
pub(crate) struct Progress {
    /// When the session ends.
    pub(crate) expires: DateTimeOffset,
    /// The ranges that are missing, each by its first and last byte.
    pub(crate) missing: Vec<(u64, u64)>,
}

impl Progress {
    /// Of a session.
    pub(crate) fn of(session: &Session) -> Progress {
        Progress {
            expires: DateTimeOffset::utc(session.expires),
            missing: session.received.missing(session.size.unsigned_abs()),
        }
    }
}

/// Opens a session for an attachment of the post whose `attachments` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, item: &Field) -> Result<Opened, Error> {
    let (token, token_hash) = auth::new_secret()
        .map_err(|error| store::Error::Defect(format!("no random bytes: {error}")))?;
    let mut wanted = wanted(ctx, item)?;
    wanted.token_hash = token_hash;
    let (id, expires) = (wanted.id, wanted.expires);
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, wanted), |tx, (ctx, path, wanted)| {
            Box::pin(open(tx, ctx, path, wanted))
        })
        .await?;
    let url = format!("{}/upload/{id}?token={token}", ctx.origin());
    Ok(Opened { url, expires: DateTimeOffset::utc(expires) })
}

/// The session that is asked for, its post still unknown.
fn wanted(ctx: &Ctx, item: &Field) -> Result<Session, Error> {
    let at = |name: &str| format!("{ITEM}.{name}");
    let text = |name| item.member(name).cloned().and_then(Field::into_string);
    match text("attachmentType").as_deref() {
        Some("file") => {}
        Some(_) => {
            let problem = "must be 'file': other attachments come with their post";
            return Err(Error::property(at("attachmentType"), problem));
        }
        None => return Err(Error::property(at("attachmentType"), "is required")),
    }
    let name = text("name").filter(|it| !it.is_empty());
    let name = name.ok_or_else(|| Error::property(at("name"), "is required"))?;
    at_most(at("name"), &name, limits::NAME_CHARS_MAX)?;
    let content_type = media_type(&name, text("contentType"));
    let media = content_type.as_deref().unwrap_or_default();
    at_most(at("contentType"), media, limits::NAME_CHARS_MAX)?;
    let content_id = text("contentId");
    at_most(at("contentId"), content_id.as_deref().unwrap_or_default(), limits::NAME_CHARS_MAX)?;
    let size = match item.member("size") {
        Some(Field::Value(Value::Int(size))) => *size,
        _ => return Err(Error::property(at("size"), "is required")),
    };
    if size <= 0 {
        return Err(Error::property(at("size"), format!("must be larger than 0, not {size}")));
    }
    let max = limits::UPLOAD_BYTES_MAX;
    if size > max {
        return Err(Error::TooLarge { size, max });
    }
    let lasts = i64::try_from(limits::UPLOAD_MAX.as_secs()).unwrap_or(i64::MAX);
    Ok(Session {
        tenant: ctx.caller.tenant,
        group: GroupId(uuid::Uuid::nil()),
        id: UploadId(ctx.clock.id()),
        post: PostId(uuid::Uuid::nil()),
        token_hash: [0; 32],
        name,
        content_type,
        content_id,
        is_inline: item.member("isInline").and_then(Field::as_bool).unwrap_or(false),
        size,
        received: Ranges::default(),
        author: ctx.caller.user,
        app: ctx.caller.app.clone(),
        expires: DateTimeOffset::from_unix_seconds(ctx.clock.unix_seconds() + lasts).ticks,
    })
}

async fn open(tx: &mut Tx, ctx: &Ctx, path: &Path, wanted: &Session) -> Result<(), Error> {
    let at = resolve::resolve(tx, ctx, path, true).await?;
    let group = at.group()?.id;
    let post = PostId(at.parent.filter(|it| it.entity == "post").ok_or(Error::ItemNotFound)?.id);
    let there = store::posts::find(tx, group, post).await?.ok_or(Error::ItemNotFound)?;
    posts::may_change(tx, &at.access, &there).await?;
    let session = Session { group, post, ..wanted.clone() };
    let count = uploads::attachments_to_be(tx, group, post, ctx.now().ticks).await?;
    posts::room_for_one(count, "attachments")?;
    uploads::insert(tx, &session).await?;
    let place =
        Place::Group { group, conversation: Some(there.conversation), thread: Some(there.thread) };
    tx.done(Deed {
        place,
        action: "created",
        kind: "uploadSession",
        entity: Some(session.id.0),
        post: Some(post.0),
        user: None,
        detail: None,
    });
    tx.unshown();
    Ok(())
}

/// The session with this id, for whoever knows its secret. Without it, as where there is none, there is
/// nothing to be found.
pub(crate) async fn find(service: &Service, id: &str, token: &str) -> Result<Session, Error> {
    let id = UploadId(ids::parse(id).ok_or(Error::ItemNotFound)?);
    let now = service.now_ticks();
    let found = service.store.read((), move |tx, ()| Box::pin(uploads::find(tx, id, now))).await?;
    found.filter(|it| auth::is_secret(token, it.token_hash)).ok_or(Error::ItemNotFound)
}

/// Ends a session without an attachment.
pub(crate) async fn cancel(service: &Service, session: &Session) -> Result<(), Error> {
    end(service, session.group, session.id).await
}

async fn end(service: &Service, group: GroupId, id: UploadId) -> Result<(), Error> {
    service
        .store
        .tend(group.0, (), move |tx, ()| {
            Box::pin(async move {
                tx.unshown();
                uploads::delete(tx, group, id).await
            })
        })
        .await?;
    remove_files(service, id).await
}

async fn remove_files(service: &Service, id: UploadId) -> Result<(), Error> {
    let folder = service.store.blobs().to_owned();
    blocking(move || partial::remove(&folder, id)).await
}

/// Ends the sessions that have expired, and removes files that no session has; how many sessions.
pub(crate) async fn tidy_up(service: &Service) -> Result<usize, Error> {
    let (now, mut ended) = (service.now_ticks(), 0);
    loop {
        let expired =
            service.store.read((), move |tx, ()| Box::pin(uploads::expired(tx, now))).await?;
        if expired.is_empty() {
            break;
        }
        ended += expired.len();
        for (group, id) in expired {
            end(service, group, id).await?;
        }
    }
    let folder = service.store.blobs().to_owned();
    for id in blocking(move || partial::sessions(&folder)).await? {
        let there = service.store.read((), move |tx, ()| Box::pin(uploads::exists(tx, id))).await?;
        if !there {
            remove_files(service, id).await?;
        }
    }
    Ok(ended)
}

/// A part that is arriving.
pub(crate) struct Part {
    service: Service,
    session: Session,
    file: Arc<Partial>,
    first: u64,
    last: u64,
    /// Where the next bytes go.
    at: u64,
    gathered: BytesMut,
}

/// What a part has led to.
pub(crate) enum Taken {
    /// There is more to come.
    Part(Progress),
    /// It was the last one.
    Whole(Created),
}

impl Part {
    /// Begins to take the bytes from `first` to `last` of `total`.
    pub(crate) async fn begin(
        service: &Service,
        session: Session,
        (first, last, total): (u64, u64, u64),
    ) -> Result<Part, Error> {
        let size = session.size.unsigned_abs();
        if total != size || first > last || last >= size {
            let why = format!(
                "The range {first}-{last} of {total} is none of this upload, which has {size} bytes."
            );
            return Err(Error::Range(why));
        }
        let (folder, id) = (service.store.blobs().to_owned(), session.id);
        let nothing_yet = session.received.count() == 0;
        let opened = blocking(move || Partial::open(&folder, id, nothing_yet)).await;
        let file = match opened {
            Ok(file) => Arc::new(file),
            Err(error) => return Err(unless_moved_on(service, id, false, error).await),
        };
        let service = service.clone();
        Ok(Part { service, session, file, first, last, at: first, gathered: BytesMut::new() })
    }

    /// Takes the next bytes.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), Error> {
        self.gathered.extend_from_slice(&bytes);
        if self.at + self.gathered.len() as u64 > self.last + 1 {
            return Err(self.not_as_long("more"));
        }
        if self.gathered.len() >= WRITE_BYTES { self.put().await } else { Ok(()) }
    }

    async fn put(&mut self) -> Result<(), Error> {
        let (file, at, bytes) = (self.file.clone(), self.at, self.gathered.split().freeze());
        self.at += bytes.len() as u64;
        // It may have become whole, or gone, since the part began.
        if blocking(move || file.write(at, &bytes)).await? { Ok(()) } else { Err(no_more()) }
    }

    fn not_as_long(&self, how: &str) -> Error {
        let bytes = self.last - self.first + 1;
        Error::Request(format!("The body has {how} than the {bytes} bytes of its Content-Range."))
    }

    /// Counts the bytes as received, once they are on the disk; with the last ones, stores the
    /// attachment. Links in the answer begin with `root`.
    pub(crate) async fn end(mut self, root: String) -> Result<Taken, Error> {
        self.put().await?;
        if self.at != self.last + 1 {
            return Err(self.not_as_long("fewer"));
        }
        let file = self.file.clone();
        blocking(move || file.sync()).await?;
        let Part { service, session, first, last, .. } = self;
        let (group, id, now) = (session.group, session.id, service.now_ticks());
        let recorded = service
            .store
            .write(group.0, (), move |tx, ()| Box::pin(record(tx, id, now, (first, last))))
            .await;
        if let Err(Error::ItemNotFound) = &recorded {
            // It has ended meanwhile, and its file was perhaps made anew.
            remove_files(&service, id).await?;
        }
        let session = recorded?;
        if session.is_whole() {
            return Ok(Taken::Whole(complete(&service, session, root).await?));
        }
        Ok(Taken::Part(Progress::of(&session)))
    }
}

async fn record(
    tx: &mut Tx,
    id: UploadId,
    now: i64,
    (first, last): (u64, u64),
) -> Result<Session, Error> {
    let mut session = uploads::find(tx, id, now).await?.ok_or(Error::ItemNotFound)?;
    session.received.add(first, last);
    let (count, max) = (session.received.count(), limits::UPLOAD_RANGES_MAX);
    if count > max {
        let why = format!(
            "The upload would have {count} separate ranges; the limit is {max}. Send first what is \
             missing between them."
        );
        return Err(Error::Request(why));
    }
    uploads::set_received(tx, session.group, id, &session.received).await?;
    tx.unshown();
    Ok(session)
}

/// What is wrong, where the file of a session was not found that was whole or not: that it has become
/// whole meanwhile, or has ended, with its files, or else that the file is lost.
async fn unless_moved_on(service: &Service, id: UploadId, was_whole: bool, error: Error) -> Error {
    let missing = match error {
        Error::Fault(missing) if missing.is_missing_file() => missing,
        other => return other,
    };
    let now = service.now_ticks();
    match service.store.read((), move |tx, ()| Box::pin(uploads::find(tx, id, now))).await {
        Ok(None) => Error::ItemNotFound,
        Ok(Some(session)) if session.is_whole() && !was_whole => no_more(),
        Ok(Some(_)) => Error::Fault(missing),
        Err(error) => error.into(),
    }
}

fn no_more() -> Error {
    Error::Range("The upload takes no more bytes: all of them are there.".into())
}

/// Stores the attachment of a session whose bytes are all there. May be done again, also by another at
/// the same time: one of them stores it.
pub(crate) async fn complete(
    service: &Service,
    session: Session,
    root: String,
) -> Result<Created, Error> {
    let id = session.id;
    match store_whole(service, session, root).await {
        Ok(created) => {
            remove_files(service, id).await?;
            Ok(created)
        }
        Err(error) => Err(unless_moved_on(service, id, true, error).await),
    }
}

async fn store_whole(service: &Service, session: Session, root: String) -> Result<Created, Error> {
    let (folder, id) = (service.store.blobs().to_owned(), session.id);
    let sealed = blocking(move || {
        let path = partial::seal(&folder, id)?;
        Blob::of_file(&path)
    });
    let blob = sealed.await?;
    if blob.size != session.size {
        let why = format!("the upload {id} has {} bytes, not {}", blob.size, session.size);
        return Err(store::Error::Defect(why).into());
    }
    let caller = Caller {
        tenant: session.tenant,
        user: session.author,
        app: session.app.clone(),
        scopes: Scopes::default(),
    };
    let mut ctx = service.ctx(caller, root, Wanted::default(), Vec::new(), false);
    // Whoever knows the secret does it in the name of the one who asked for the session.
    ctx.act(service.store.act().clone());
    let attachment = NewAttachment {
        id: AttachmentId(ctx.clock.id()),
        name: session.name.clone(),
        content_type: session.content_type.clone(),
        is_inline: session.is_inline,
        content: Content::File { blob: blob.clone(), content_id: session.content_id.clone() },
    };
    let (group, id) = (session.group, session.id);
    let input = Arc::new((ctx.clone(), attachment, session));
    let blobs: Arc<[Blob]> = [blob].into_iter().filter(Blob::is_large).collect();
    let session = Some(id);
    let large = Large { store: &ctx.store, clock: &ctx.clock, group, blobs, session };
    if !large.blobs.is_empty() {
        large.rows().await?;
        large.files().await?;
    }
    let command = large.refer(input, |tx, input| {
        let (ctx, attachment, session) = &**input;
        Box::pin(attach(tx, ctx, attachment, session))
    });
    command.await
}

/// Adds the attachment to its post, and ends the session.
async fn attach(
    tx: &mut Tx,
    ctx: &Ctx,
    attachment: &NewAttachment,
    session: &Session,
) -> Result<Created, Error> {
    let (group, post, now) = (session.group, session.post, ctx.now().ticks);
    uploads::find(tx, session.id, now).await?.ok_or(Error::ItemNotFound)?;
    let access = resolve::access(tx, ctx, group).await?;
    let post = store::posts::find(tx, group, post).await?.ok_or(Error::ItemNotFound)?;
    posts::may_change(tx, &access, &post).await?;
    attachments::insert(tx, group, post.id, attachment, now).await?;
    posts::after(tx, ctx, &access, &post, Touched::Attachment(attachment.id.0)).await?;
    uploads::delete(tx, group, session.id).await?;
    let at = target(access, group, post.thread, post.id, attachment.id)?;
    read::answered(tx, ctx, &at, &without_content(), None).await
}

/// An attachment's own address.
fn target(
    access: Access,
    group: GroupId,
    thread: ids::ThreadId,
    post: PostId,
    attachment: AttachmentId,
) -> Result<Target, Error> {
    let navigation = POST.edm.navigation("attachments");
    let link = navigation.and_then(|it| POST.link(it)).ok_or(Error::ItemNotFound)?;
    let parent = Parent::new(&POST, Some(group.0), post.0);
    Ok(Target {
        access,
        entity: &ATTACHMENT,
        place: plan::Place::Under(parent, link, None),
        id: Some(attachment.0),
        single: true,
        context: format!("groups('{group}')/threads('{thread}')/posts('{post}')/attachments"),
        url: format!("groups/{group}/threads/{thread}/posts/{post}/attachments/{attachment}"),
        parent: Some(parent),
        navigation,
    })
}

/// All of an attachment but its bytes, which may be many.
fn without_content() -> Query {
    let shown = ATTACHMENT.edm.properties.iter();
    let shown =
        shown.filter(|it| it.by_default && !matches!(ATTACHMENT.source(it), Source::Blob(_)));
    Query { select: Some(shown.collect()), ..read::whole(&ATTACHMENT) }
}
