//! Posts: made by a reply, or as the first of a thread.
//!
//! **Invariant:** a post, what its thread and conversation show of it and the feed's word of it are
//! one command.

use std::collections::HashSet;
use std::sync::Arc;

use odata::bind::Path;
use odata::decode::Record;
use uuid::Uuid;

use crate::access::Access;
use crate::auth::{Scope, Scopes};
use crate::ids::{AttachmentId, ConversationId, GroupId, PostId, ThreadId};
use crate::service::draft::{self, Draft};
use crate::service::files::Large;
use crate::service::{Ctx, Error, limits, resolve};
use crate::store::blobs::Blob;
use crate::store::conversations::{self, Owner, Summary};
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::index::Tokens;
use crate::store::posts::{self, NewAttachment, NewPost, Party};
use crate::store::{Run, Tx, threads};
use crate::text;

/// A draft whose attachments are blobs: large ones are on the disk already.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    draft: Draft,
    attachments: Vec<NewAttachment>,
    /// Where the files of large attachments are, if there are any.
    group: Option<GroupId>,
}

/// Reads a post out of a record and puts large attachments on the disk, before the writer's queue.
///
/// A large attachment's row is a command of its own then, before its file.
pub(super) async fn prepare(ctx: &Ctx, path: &Path, record: Record) -> Result<Prepared, Error> {
    let import = ctx.caller.scopes.intersects(Scopes::of(&[Scope::FolkmootImportAll]));
    let mut draft = Draft::new(record, import && ctx.caller.user.is_none())?;
    let files = std::mem::take(&mut draft.attachments);
    let mut prepared = Prepared { draft, attachments: Vec::new(), group: None };
    if files.is_empty() {
        return Ok(prepared);
    }
    let attachments = files.into_iter().map(|file| NewAttachment {
        id: AttachmentId(ctx.clock.id()),
        name: file.name,
        content_type: file.content_type,
        content_id: file.content_id,
        is_inline: file.is_inline,
        blob: Blob::new(file.bytes),
    });
    prepared.attachments = attachments.collect();
    if prepared.attachments.iter().any(|it| it.blob.is_large()) {
        // What the caller may not post to, they cannot fill either.
        let group = ctx
            .store
            .read((ctx.clone(), path.clone()), |tx, (ctx, path)| {
                Box::pin(async move {
                    let at = resolve::resolve(tx, ctx, path, true).await?;
                    at.access.may_post()?;
                    Ok::<_, Error>(at.group()?.id)
                })
            })
            .await?;
        prepared.group = Some(group);
        let large = prepared.large(ctx, group);
        large.rows().await?;
        large.files().await?;
    }
    Ok(prepared)
}

impl Prepared {
    fn large<'c>(&self, ctx: &'c Ctx, group: GroupId) -> Large<'c> {
        let blobs = self.attachments.iter().map(|it| it.blob.clone()).filter(Blob::is_large);
        Large { store: &ctx.store, clock: &ctx.clock, group, blobs: blobs.collect() }
    }

    /// Runs the command that stores the post; `scope` is what it changes.
    pub(super) async fn store<I, T>(
        &self,
        ctx: &Ctx,
        scope: Uuid,
        input: I,
        command: impl Run<I, T, Error> + Copy,
    ) -> Result<T, Error>
    where
        I: Clone + Send + Sync + 'static,
        T: Send + 'static,
    {
        match self.group {
            Some(group) => self.large(ctx, group).refer(input, command).await,
            None => ctx.store.write(scope, input, command).await,
        }
    }
}

/// Where a new post goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Home<'t> {
    pub(super) conversation: ConversationId,
    pub(super) thread: ThreadId,
    pub(super) topic: &'t str,
    pub(super) in_reply_to: Option<PostId>,
}

/// A post that is ready to be stored.
pub(super) struct Ready<'d> {
    pub(super) post: NewPost<'d>,
    /// What its conversation and thread will show of it, were it the only one.
    pub(super) summary: Summary,
    /// Who is added to the thread.
    pub(super) new_participants: &'d [Party],
}

/// Puts a prepared draft together with who sends it and where it goes.
pub(super) fn ready<'d>(
    ctx: &Ctx,
    access: &Access,
    prepared: &'d Prepared,
    home: Home<'_>,
) -> Result<Ready<'d>, Error> {
    let group = access.group().ok_or(Error::ItemNotFound)?;
    let Prepared { draft, attachments, .. } = prepared;
    let as_group = Party { name: group.display_name.clone(), address: group.mail.clone() };
    let sender = match &group.caller {
        // An application without a user posts as the group.
        None => as_group.clone(),
        Some((name, address)) => Party { name: name.clone(), address: address.clone() },
    };
    let for_group = draft.from.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(&group.mail));
    let from = if for_group && access.may_manage().is_ok() { as_group } else { sender.clone() };
    let id = PostId(ctx.clock.id());
    let domain = group.mail.rsplit('@').next().unwrap_or("localhost");
    let received = draft.received.unwrap_or_else(|| ctx.now());
    let names: Vec<_> = attachments.iter().map(|it| it.name.as_str()).collect();
    let tokens = Tokens {
        topic: text::tokens(home.topic),
        body: &draft.body_tokens,
        sender: text::tokens(&format!("{} {}", from.name, from.address)),
        attachment: text::tokens(&names.join(" ")),
    };
    let summary = Summary {
        has_attachments: !attachments.is_empty(),
        last_delivered: received,
        unique_senders: vec![from.name.clone()],
        preview: draft.preview.clone(),
        posts: 1,
    };
    let post = NewPost {
        group: group.id,
        group_number: group.number,
        id,
        conversation: home.conversation,
        thread: home.thread,
        in_reply_to: home.in_reply_to,
        message_id: format!("{id}@{domain}"),
        received,
        categories: &draft.categories,
        body_type: draft.body_type,
        body: &draft.body,
        from,
        sender,
        new_participants: draft::recipients_json(&draft.new_participants),
        extra: draft.extra.as_deref(),
        author: ctx.caller.user,
        app: ctx.caller.app.clone(),
        attachments,
        tokens,
    };
    Ok(Ready { post, summary, new_participants: &draft.new_participants })
}

/// Stores a post and tells the feed; the summaries are the caller's.
pub(super) async fn store(tx: &mut Tx, ctx: &Ctx, post: &NewPost<'_>) -> Result<(), Error> {
    let change = Change {
        place: Place::Group {
            group: post.group,
            conversation: Some(post.conversation),
            thread: Some(post.thread),
        },
        at: ctx.now().ticks,
        actor: ctx.actor(),
        kind: Kind::Post,
        op: Op::Created,
        entity: post.id.0,
    };
    posts::insert(tx, post, ctx.now().ticks).await?;
    tx.changed(change);
    Ok(())
}

/// Says of a post that an attachment was added to it, and lets it be found by its name.
pub(super) async fn attached(
    tx: &mut Tx,
    access: &Access,
    post: PostId,
    written: &posts::Written,
    thread: &threads::Thread,
    now: i64,
) -> Result<(), Error> {
    let group = access.group().ok_or(Error::ItemNotFound)?;
    let names = posts::attachment_names(tx, group.id, post).await?;
    let body = draft::text_of(&written.body_type, &written.body);
    let from = &written.from;
    let tokens = Tokens {
        topic: text::tokens(&thread.topic),
        body: &text::tokens(&body),
        sender: text::tokens(&format!("{} {}", from.name, from.address)),
        attachment: text::tokens(&names.join(" ")),
    };
    Ok(posts::attached(tx, (group.id, group.number), post, &tokens, now).await?)
}

/// Replies to the thread or the post that `path` leads to.
pub(crate) async fn reply(ctx: &Ctx, path: Path, record: Record) -> Result<(), Error> {
    let prepared = Arc::new(prepare(ctx, &path, record).await?);
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, prepared.clone());
    prepared
        .store(ctx, scope, input, |tx, (ctx, path, it)| Box::pin(add_reply(tx, ctx, path, it)))
        .await
}

async fn add_reply(tx: &mut Tx, ctx: &Ctx, path: &Path, prepared: &Prepared) -> Result<(), Error> {
    let at = resolve::resolve(tx, ctx, path, true).await?;
    at.access.may_post()?;
    let group = at.group()?.id;
    let (id, in_reply_to) = match at.entity.edm.name {
        "post" => {
            let post = PostId(at.id()?);
            let thread = posts::thread_of(tx, group, post).await?.ok_or(Error::ItemNotFound)?;
            (thread, Some(post))
        }
        _ => (ThreadId(at.id()?), None),
    };
    let thread = threads::find(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
    if thread.is_locked {
        return Err(Error::Locked);
    }
    let conversation = thread.conversation;
    let home = Home { conversation, thread: id, topic: &thread.topic, in_reply_to };
    let Ready { post, summary, new_participants } = ready(ctx, &at.access, prepared, home)?;
    add_recipients(tx, &post, &thread.to_recipients, new_participants).await?;
    store(tx, ctx, &post).await?;
    for owner in [Owner::Thread(id), Owner::Conversation(conversation)] {
        conversations::add_to_summary(tx, group, owner, &summary).await?;
    }
    let place = Place::Group { group, conversation: Some(conversation), thread: Some(id) };
    for (kind, entity) in [(Kind::Thread, id.0), (Kind::Conversation, conversation.0)] {
        let (at, actor) = (ctx.now().ticks, ctx.actor());
        tx.changed(Change { place, at, actor, kind, op: Op::Updated, entity });
    }
    Ok(())
}

async fn add_recipients(
    tx: &mut Tx,
    post: &NewPost<'_>,
    known: &str,
    new: &[Party],
) -> Result<(), Error> {
    let mut all = draft::recipients_of(known);
    let before = all.len();
    merge(&mut all, new)?;
    if all.len() > before {
        let json = draft::recipients_json(&all);
        threads::set_recipients(tx, post.group, post.thread, &json).await?;
    }
    Ok(())
}

/// Adds those whose address is not there yet, unless the thread would have too many.
pub(super) fn merge(all: &mut Vec<Party>, new: &[Party]) -> Result<(), Error> {
    let before = all.len();
    let mut known: HashSet<String> =
        all.iter().map(|it| text::fold(&it.address).into_owned()).collect();
    for party in new {
        if known.insert(text::fold(&party.address).into_owned()) {
            all.push(party.clone());
        }
    }
    // The group itself is one and does not count.
    let people = all.len().saturating_sub(1);
    if all.len() > before && people > limits::RECIPIENTS_MAX {
        let max = limits::RECIPIENTS_MAX;
        let problem = format!("would give the thread {people} recipients; the limit is {max}");
        return Err(Error::property("newParticipants", problem));
    }
    Ok(())
}
