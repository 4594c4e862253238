//! Posts: made by a reply, added to a thread or its first, edited, forwarded, removed.
//!
//! **Invariant:** a post, what its thread and conversation show of it and the feed's word of it are
//! one command.

use std::collections::HashSet;
use std::sync::Arc;

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::json::Json;
use uuid::Uuid;

use crate::access::{Access, Denied, GroupFacts};
use crate::auth::{Scope, Scopes};
use crate::ids::{ConversationId, GroupId, PostId, ThreadId};
use crate::model::EXTENSION;
use crate::service::draft::{self, Draft};
use crate::service::files::Kept;
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, limits, read};
use crate::store::Tx;
use crate::store::attachments::NewAttachment;
use crate::store::conversations::{self, Owner, Summary};
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::groups::json_strings;
use crate::store::index::{self, Tokens};
use crate::store::post_children::{self, NewExtension, NewForward, NewMention, NewProperty};
use crate::store::posts::{self, Edit, NewPost, Party, Post};
use crate::store::recipients::{self, Recipient};
use crate::store::threads::{self, Thread};
use crate::text;

/// A draft whose attachments are blobs: large ones are on the disk already.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    draft: Draft,
    attachments: Vec<NewAttachment>,
    extensions: Vec<NewExtension>,
    properties: Vec<NewProperty>,
    mentions: Vec<NewMention>,
    /// Its large attachments, which are on the disk.
    pub(super) kept: Kept,
}

/// Reads a post out of a record and puts large attachments on the disk, before the writer's queue.
///
/// A large attachment's row is a command of its own then, before its file.
pub(super) async fn prepare(ctx: &Ctx, path: &Path, record: Record) -> Result<Prepared, Error> {
    let import = ctx.caller.scopes.intersects(Scopes::of(&[Scope::FolkmootImportAll]));
    let mut draft = Draft::new(record, import && ctx.caller.user.is_none())?;
    let taken = std::mem::take(&mut draft.attachments);
    let attachments: Vec<_> = taken.into_iter().map(|it| it.prepare(ctx)).collect();
    let kept = Kept::keep(ctx, path, &attachments).await?;
    let taken = std::mem::take(&mut draft.extensions);
    let extensions = taken.into_iter().map(|it| it.prepare(ctx)).collect();
    let taken = std::mem::take(&mut draft.properties);
    let properties = taken.into_iter().map(|it| it.prepare(ctx)).collect();
    let taken = std::mem::take(&mut draft.mentions);
    let mentions = taken.into_iter().map(|it| it.prepare(ctx)).collect();
    Ok(Prepared { draft, attachments, extensions, properties, mentions, kept })
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
    pub(super) new_participants: &'d [Recipient],
}

/// Who sends what the caller writes: an application without a user posts as the group.
pub(super) fn sender(group: &GroupFacts) -> Party {
    let (name, address) =
        group.caller.as_ref().map_or((&group.display_name, &group.mail), |it| (&it.0, &it.1));
    Party { name: name.clone(), address: address.clone() }
}

/// Puts a prepared draft together with who sends it and where it goes.
pub(super) fn ready<'d>(
    ctx: &Ctx,
    access: &Access,
    prepared: &'d Prepared,
    home: Home<'_>,
) -> Result<Ready<'d>, Error> {
    let group = access.group().ok_or(Error::ItemNotFound)?;
    let Prepared { draft, attachments, extensions, properties, mentions, .. } = prepared;
    let as_group = group_itself(group);
    let sender = sender(group);
    let for_group = draft.from.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(&group.mail));
    let from = if for_group && access.may_manage().is_ok() { as_group } else { sender.clone() };
    let id = PostId(ctx.clock.id());
    let domain = group.mail.rsplit('@').next().unwrap_or("localhost");
    let received = draft.received.unwrap_or_else(|| ctx.now());
    let names: Vec<_> = attachments.iter().map(|it| it.name.as_str()).collect();
    let tokens = tokens(home.topic, &draft.body_tokens, &from, &names);
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
        new_participants: recipients::to_json(&draft.new_participants),
        extra: draft.extra.as_deref(),
        importance: &draft.importance,
        author: ctx.caller.user,
        app: ctx.caller.app.clone(),
        attachments,
        extensions,
        properties,
        mentions,
        tokens,
    };
    Ok(Ready { post, summary, new_participants: &draft.new_participants })
}

/// What the index is told of a post.
pub(super) fn tokens<'b, N: AsRef<str>>(
    topic: &str,
    body: &'b str,
    from: &Party,
    files: &[N],
) -> Tokens<'b> {
    let files: Vec<_> = files.iter().map(AsRef::as_ref).collect();
    Tokens {
        topic: text::tokens(topic),
        body,
        sender: text::tokens(&format!("{} {}", from.name, from.address)),
        attachment: text::tokens(&files.join(" ")),
    }
}

/// Tells the feed of something in a thread: what it is, what became of it, its id.
pub(super) fn told(
    tx: &mut Tx,
    ctx: &Ctx,
    (group, conversation, thread): (GroupId, ConversationId, ThreadId),
    what: (Kind, Op, Uuid),
) {
    told_of_part(tx, ctx, (group, conversation, thread), what, None);
}

/// The same of a part of it.
fn told_of_part(
    tx: &mut Tx,
    ctx: &Ctx,
    (group, conversation, thread): (GroupId, ConversationId, ThreadId),
    (kind, op, entity): (Kind, Op, Uuid),
    part: Option<Uuid>,
) {
    let place = Place::Group { group, conversation: Some(conversation), thread: Some(thread) };
    tx.changed(Change { place, at: ctx.now().ticks, actor: ctx.actor(), kind, op, entity, part });
}

/// Stores a post and tells the feed; the summaries are the caller's.
pub(super) async fn store(tx: &mut Tx, ctx: &Ctx, post: &NewPost<'_>) -> Result<(), Error> {
    posts::insert(tx, post, ctx.now().ticks).await?;
    let home = (post.group, post.conversation, post.thread);
    told(tx, ctx, home, (Kind::Post, Op::Created, post.id.0));
    Ok(())
}

/// Replies to the thread or the post that `path` leads to; the address of the new post.
pub(crate) async fn reply(ctx: &Ctx, path: Path, record: Record) -> Result<String, Error> {
    let prepared = Arc::new(prepare(ctx, &path, record).await?);
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, prepared.clone());
    prepared
        .kept
        .store(ctx, scope, input, |tx, (ctx, path, it)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (thread, in_reply_to) = match at.entity.edm.name {
                    "post" => {
                        let post = on_post(tx, &at).await?;
                        (post.thread, Some(post.id))
                    }
                    _ => (ThreadId(at.id()?), None),
                };
                let post = add(tx, ctx, &at, thread, in_reply_to, it).await?;
                let group = at.group()?.id;
                Ok(format!("{}/groups/{group}/threads/{thread}/posts/{post}", ctx.root))
            })
        })
        .await
}

/// Adds a post to the thread whose `posts` `path` leads to; the answer is all of it.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let prepared = Arc::new(prepare(ctx, &path, record).await?);
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, prepared.clone(), type_sent);
    prepared
        .kept
        .store(ctx, scope, input, |tx, input| {
            Box::pin(async move {
                let (ctx, path, prepared, type_sent) = input;
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let thread = ThreadId(at.parent.ok_or(Error::ItemNotFound)?.id);
                let post = add(tx, ctx, &at, thread, None, prepared).await?;
                let key = (post.0, &post.to_string()[..]);
                read::created(tx, ctx, at, key, type_sent.as_deref()).await
            })
        })
        .await
}

/// Stores a post at the end of a thread, with all that it changes.
async fn add(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    id: ThreadId,
    in_reply_to: Option<PostId>,
    prepared: &Prepared,
) -> Result<PostId, Error> {
    at.access.may_post()?;
    let group = at.group()?.id;
    let thread = threads::find(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
    if thread.is_locked {
        return Err(Error::Locked);
    }
    let conversation = thread.conversation;
    let home = Home { conversation, thread: id, topic: &thread.topic, in_reply_to };
    let Ready { post, summary, new_participants } = ready(ctx, &at.access, prepared, home)?;
    add_recipients(tx, at, (id, &thread), new_participants).await?;
    store(tx, ctx, &post).await?;
    for owner in [Owner::Thread(id), Owner::Conversation(conversation)] {
        conversations::add_to_summary(tx, group, owner, &summary).await?;
    }
    changed_above(tx, ctx, group, conversation, id);
    Ok(post.id)
}

/// Tells the feed that what a thread and its conversation show of their posts has changed.
fn changed_above(
    tx: &mut Tx,
    ctx: &Ctx,
    group: GroupId,
    conversation: ConversationId,
    thread: ThreadId,
) {
    for thread in [Some(thread), None] {
        super::threads::changed(tx, ctx, group, conversation, thread, Op::Updated);
    }
}

/// Adds people to a thread. What was declared of a thread without posts ends with its first one: then it
/// goes to the group and to those.
async fn add_recipients(
    tx: &mut Tx,
    at: &Target,
    (id, thread): (ThreadId, &Thread),
    new: &[Recipient],
) -> Result<(), Error> {
    let facts = at.group()?;
    let declared = thread.posts == 0;
    let mut all = match declared {
        true => vec![Recipient::from(group_itself(facts))],
        false => recipients::from_json(&thread.to_recipients),
    };
    let before = all.len();
    merge(&mut all, new)?;
    if declared || all.len() > before {
        threads::set_recipients(tx, facts.id, id, &recipients::to_json(&all)).await?;
    }
    if declared {
        threads::set_cc_recipients(tx, facts.id, id, "[]").await?;
    }
    Ok(())
}

/// The group as somebody who sends and receives.
pub(super) fn group_itself(group: &GroupFacts) -> Party {
    Party { name: group.display_name.clone(), address: group.mail.clone() }
}

/// Adds those whose address is not there yet, unless the thread would have too many.
pub(super) fn merge(all: &mut Vec<Recipient>, new: &[Recipient]) -> Result<(), Error> {
    let before = all.len();
    let folded = |it: &Recipient| it.address.as_deref().map(|it| text::fold(it).into_owned());
    let mut known: HashSet<String> = all.iter().filter_map(folded).collect();
    for recipient in new {
        if folded(recipient).is_some_and(|it| known.insert(it)) {
            all.push(recipient.clone());
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

/// The post that `at` leads to or, where it leads to what hangs on one, the post that it hangs on.
pub(super) async fn on_post(tx: &mut Tx, at: &Target) -> Result<Post, Error> {
    let id = match (at.entity.edm.name, at.single) {
        ("post", true) => at.id()?,
        _ => at.parent.ok_or(Error::ItemNotFound)?.id,
    };
    posts::find(tx, at.group()?.id, PostId(id)).await?.ok_or(Error::ItemNotFound)
}

/// Refuses whoever may not change a post or what is attached to it: its author may while its thread is
/// open, owners and applications may at any time.
pub(super) async fn may_change(tx: &mut Tx, access: &Access, post: &Post) -> Result<(), Error> {
    if access.may_manage().is_ok() {
        return Ok(());
    }
    if post.author.is_none() || post.author != access.caller().user {
        return Err(Denied::NotAuthor.into());
    }
    access.may_post()?;
    let group = access.group().ok_or(Error::ItemNotFound)?.id;
    let thread = threads::find(tx, group, post.thread).await?;
    if thread.ok_or(Error::ItemNotFound)?.is_locked { Err(Error::Locked) } else { Ok(()) }
}

/// Refuses one more where a post has as many as it may have.
pub(super) fn room_for_one(there: usize, what: &str) -> Result<(), Error> {
    let max = limits::POST_CHILDREN_MAX;
    if there < max {
        return Ok(());
    }
    Err(Error::Request(format!("The post has {there} {what}; the limit is {max}.")))
}

/// What of a post has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Touched {
    /// What hangs on it, by its id, and nothing that its thread shows.
    Child(Uuid),
    /// What is attached to it, by its id.
    Attachment(Uuid),
    /// What it says.
    Body,
}

/// What follows from a change of a post: its version, what its thread and conversation show, the index,
/// the feed's word of it.
pub(super) async fn after(
    tx: &mut Tx,
    ctx: &Ctx,
    access: &Access,
    post: &Post,
    touched: Touched,
) -> Result<(), Error> {
    let facts = access.group().ok_or(Error::ItemNotFound)?;
    let (group, number) = (facts.id, facts.number);
    if touched != Touched::Body {
        posts::touch(tx, group, post.id, ctx.now().ticks).await?;
    }
    let home = (group, post.conversation, post.thread);
    let part = match touched {
        Touched::Child(id) | Touched::Attachment(id) => Some(id),
        Touched::Body => None,
    };
    told_of_part(tx, ctx, home, (Kind::Post, Op::Updated, post.id.0), part);
    if let Touched::Child(_) = touched {
        return Ok(());
    }
    let thread = threads::find(tx, group, post.thread).await?.ok_or(Error::ItemNotFound)?;
    index_again(tx, (group, number), post.id, &thread.topic).await?;
    summaries(tx, group, post).await?;
    changed_above(tx, ctx, group, post.conversation, post.thread);
    Ok(())
}

/// Gives a post that is there the tokens of what it says now.
pub(super) async fn index_again(
    tx: &mut Tx,
    (group, number): (GroupId, i64),
    post: PostId,
    topic: &str,
) -> Result<(), Error> {
    let said = posts::said(tx, group, post).await?;
    let body = text::tokens(&draft::plain_text(&said.body_type, &said.body));
    let tokens = tokens(topic, &body, &said.from, &said.files);
    Ok(index::replace(tx, group, number, post, &tokens).await?)
}

/// What a thread and its conversation show, from the posts that are left.
async fn summaries(tx: &mut Tx, group: GroupId, post: &Post) -> Result<(), Error> {
    let preview = limits::PREVIEW_CHARS_MADE;
    conversations::recompute_thread(tx, group, post.thread, preview).await?;
    Ok(conversations::recompute_summary(tx, group, post.conversation).await?)
}

/// What of a post a client sends to be another.
struct EditDraft {
    body_type: Option<&'static str>,
    body: Option<String>,
    categories: Option<String>,
    importance: Option<String>,
    extra: Vec<(String, Json)>,
}

/// Edits the post that `path` leads to: what is sent replaces what is there. The answer is all of it.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let categories = match record.properties.iter().any(|(it, _)| it.name == "categories") {
        true => Some(draft::strings(&mut record, "categories", limits::CATEGORIES_MAX)?),
        false => None,
    };
    let body = record.take("body");
    let (body_type, content) = draft::body(body.clone());
    // Of a body that is sent as null nothing is left; of another only what was sent is another.
    let sent = |name| body.as_ref().filter(|it| **it == Field::Null || it.member(name).is_some());
    let draft = EditDraft {
        body_type: sent("contentType").map(|_| body_type),
        body: sent("content").map(|_| content),
        categories: categories.map(|it| json_strings(it.iter().map(String::as_str))),
        importance: record
            .take("importance")
            .map(|it| it.into_string().unwrap_or_else(|| "normal".to_owned())),
        extra: std::mem::take(&mut record.dynamic),
    };
    let type_sent = record.type_sent.take();
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, draft, type_sent), |tx, (ctx, path, draft, type_sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = on_post(tx, &at).await?;
                may_change(tx, &at.access, &post).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                edit(tx, ctx, &at, &post, draft).await?;
                read::changed(tx, ctx, at, type_sent.as_deref()).await
            })
        })
        .await
}

async fn edit(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    post: &Post,
    draft: &EditDraft,
) -> Result<(), Error> {
    let there = post.extra.as_deref().unwrap_or("{}");
    let extra = match &draft.extra[..] {
        [] => None,
        sent => Some(draft::extra(draft::merged(there, sent))),
    };
    let edit = Edit {
        body_type: draft.body_type,
        body: draft.body.as_deref(),
        categories: draft.categories.as_deref(),
        importance: draft.importance.as_deref(),
        extra,
    };
    let (group, version, now) = (at.group()?.id, ctx.clock.id(), ctx.now().ticks);
    posts::edit(tx, group, post.id, &edit, version, ctx.caller.user, now).await?;
    after(tx, ctx, &at.access, post, Touched::Body).await
}

/// Removes the post that `path` leads to; with the last of a thread the thread, and so on.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = on_post(tx, &at).await?;
                may_change(tx, &at.access, &post).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                let group = at.group()?.id;
                let Post { conversation, thread, .. } = post;
                let there = threads::find(tx, group, thread).await?;
                if there.ok_or(Error::ItemNotFound)?.posts == 1 {
                    return super::threads::end(tx, ctx, group, conversation, thread).await;
                }
                posts::delete(tx, group, &post).await?;
                let home = (group, conversation, thread);
                told(tx, ctx, home, (Kind::Post, Op::Deleted, post.id.0));
                summaries(tx, group, &post).await?;
                changed_above(tx, ctx, group, conversation, thread);
                Ok(())
            })
        })
        .await
}

/// Removes what hangs on a post and `path` leads to. What programs keep with a post is whoever's who may
/// post; the rest is its author's.
pub(crate) async fn delete_child(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = on_post(tx, &at).await?;
                let table = at.entity.table;
                if table == EXTENSION.table {
                    at.access.may_post()?;
                } else {
                    may_change(tx, &at.access, &post).await?;
                }
                resolve::check_if_match(tx, ctx, &at).await?;
                post_children::delete(tx, table, at.group()?.id, at.id()?).await?;
                after(tx, ctx, &at.access, &post, Touched::Child(at.id()?)).await
            })
        })
        .await
}

/// Notes down that the post that `path` leads to, or the newest of the thread, is to be sent to people
/// outside its thread.
pub(crate) async fn forward(
    ctx: &Ctx,
    path: Path,
    comment: Option<String>,
    to: Vec<Field>,
) -> Result<(), Error> {
    let comment = comment.unwrap_or_default();
    draft::at_most("Comment".into(), &comment, limits::COMMENT_CHARS_MAX)?;
    if to.len() > limits::RECIPIENTS_MAX {
        let (count, max) = (to.len(), limits::RECIPIENTS_MAX);
        let problem = format!("has {count} items; the limit is {max}");
        return Err(Error::property("ToRecipients", problem));
    }
    let to = draft::recipients_of(&to, "ToRecipients").map_err(|_| Error::Recipients)?;
    if to.is_empty() || to.iter().any(|it| it.address.is_none()) {
        return Err(Error::Recipients);
    }
    let to = recipients::to_json(&to);
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, comment, to), |tx, input| {
            Box::pin(async move {
                let (ctx, path, comment, to) = input;
                let at = resolve::resolve(tx, ctx, path, true).await?;
                at.access.may_post()?;
                let (group, id, now) = (at.group()?.id, ctx.clock.id(), ctx.now().ticks);
                let post = match at.entity.edm.name {
                    "conversationThread" => {
                        let newest = posts::newest(tx, group, ThreadId(at.id()?)).await?;
                        newest.ok_or(Error::ItemNotFound)?
                    }
                    _ => on_post(tx, &at).await?,
                };
                let (author, app) = (ctx.caller.user, ctx.caller.app.as_deref());
                let forward = NewForward { id, post: post.id, comment, to, author, app };
                post_children::insert_forward(tx, group, &forward, now).await?;
                let home = (group, post.conversation, post.thread);
                let forward = (Kind::Forward, Op::Created, id);
                told_of_part(tx, ctx, home, forward, Some(post.id.0));
                Ok(())
            })
        })
        .await
}
