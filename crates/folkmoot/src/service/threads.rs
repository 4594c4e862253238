//! Threads: started in a group (which makes a conversation) or in a conversation, and removed.
//!
//! **Invariant:** a thread never stands without a post; the last thread takes its conversation along.

use std::sync::Arc;

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::edm::Property;
use odata::value::Value;

use crate::ids::{ConversationId, GroupId, ThreadId};
use crate::model::THREAD;
use crate::service::draft::{at, at_most, recipients_json};
use crate::service::posts::{self, Home, Prepared, Ready};
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, limits, read};
use crate::store::conversations::{self, NewConversation, Owner};
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::posts::Party;
use crate::store::threads::{self, NewThread};
use crate::store::{self, Tx};

/// Starts a thread in the group, or in the conversation, whose `threads` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let topic = record.take("topic").and_then(Field::into_string);
    if let Some(topic) = &topic {
        at_most(at(&record, "topic"), topic, limits::TOPIC_CHARS_MAX)?;
    }
    let type_sent = record.type_sent.take();
    nothing_else(&record)?;
    let post = only_child(&mut record, "posts")?;
    let prepared = posts::prepare(ctx, &path, post).await?;
    let scope = ctx.scope(&path);
    let draft = Arc::new(Draft { topic, type_sent, prepared });
    let input = (ctx.clone(), path, draft.clone());
    draft
        .prepared
        .store(ctx, scope, input, |tx, (ctx, path, it)| Box::pin(start(tx, ctx, path, it)))
        .await
}

/// A thread as a client may start it.
struct Draft {
    topic: Option<String>,
    type_sent: Option<String>,
    prepared: Prepared,
}

async fn start(tx: &mut Tx, ctx: &Ctx, path: &Path, draft: &Draft) -> Result<Created, Error> {
    let mut at = resolve::resolve(tx, ctx, path, true).await?;
    let conversation = conversation(tx, &at).await?;
    let topic = draft.topic.as_deref().unwrap_or_default();
    let id = insert(tx, ctx, &at, conversation, topic, &draft.prepared).await?;
    at.id = Some(id.0);
    at.single = true;
    at.url = format!("{}/{id}", at.url);
    let query = read::whole(&THREAD);
    let ty = draft.type_sent.as_deref();
    let (mut body, etag) = read::written(tx, ctx, &at, &query, ty).await?;
    body.push(b'}');
    let location = format!("{}/{}", ctx.root, at.url);
    Ok(Created { body, etag, location })
}

/// Refuses what a client sent that a new conversation or thread cannot have: links to others, and a
/// lock. What the server computes is ignored, as in Graph.
pub(super) fn nothing_else(record: &Record) -> Result<(), Error> {
    if let Some((navigation, _)) = record.binds.first() {
        let property = at(record, &format!("{}@odata.bind", navigation.name));
        return Err(Error::property(property, "cannot be bound"));
    }
    let locked = |(property, field): &&(&'static Property, Field)| {
        property.name == "isLocked" && *field == Field::Value(Value::Boolean(true))
    };
    match record.properties.iter().find(locked) {
        Some(_) => Err(Error::property(at(record, "isLocked"), "cannot be true of a new thread")),
        None => Ok(()),
    }
}

/// The one record that a navigation must hold, no more and no less.
pub(super) fn only_child(record: &mut Record, name: &str) -> Result<Record, Error> {
    let mut records = record.take_children(name).unwrap_or_default();
    match (records.pop(), records.len()) {
        (Some(record), 0) => Ok(record),
        (_, more) => {
            let count = if more > 0 { more + 1 } else { 0 };
            let problem = format!("must hold exactly one entity, not {count}");
            Err(Error::property(at(record, name), problem))
        }
    }
}

/// The conversation and its topic, where the thread is started in one.
async fn conversation(tx: &mut Tx, at: &Target) -> Result<Option<(ConversationId, String)>, Error> {
    match at.parent {
        Some(parent) if parent.entity == "conversation" => {
            let (group, id) = (at.group()?.id, ConversationId(parent.id));
            let topic = conversations::topic(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
            Ok(Some((id, topic)))
        }
        _ => Ok(None),
    }
}

async fn insert(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    conversation: Option<(ConversationId, String)>,
    topic: &str,
    prepared: &Prepared,
) -> Result<ThreadId, Error> {
    if let Some((id, topic)) = conversation {
        let made = insert_into(tx, ctx, at, id, &topic, prepared, false).await?;
        return Ok(made.thread);
    }
    Ok(insert_with_conversation(tx, ctx, at, topic, prepared).await?.thread)
}

/// The ids of what was made along with a thread.
#[derive(Debug)]
pub(super) struct Made {
    /// The conversation, where it is new.
    pub(super) conversation: Option<NewConversation>,
    pub(super) thread: ThreadId,
    pub(super) post: crate::ids::PostId,
}

/// Stores a conversation with its first thread and post.
pub(super) async fn insert_with_conversation(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    topic: &str,
    prepared: &Prepared,
) -> Result<Made, Error> {
    let conversation = ConversationId(ctx.clock.id());
    insert_into(tx, ctx, at, conversation, topic, prepared, true).await
}

/// Stores a thread with its first post in a conversation, `new` or already there.
async fn insert_into(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    conversation: ConversationId,
    topic: &str,
    prepared: &Prepared,
    new: bool,
) -> Result<Made, Error> {
    at.access.may_post()?;
    let facts = at.group()?;
    let (group, id) = (facts.id, ThreadId(ctx.clock.id()));
    let home = Home { conversation, thread: id, topic, in_reply_to: None };
    let ready = posts::ready(ctx, &at.access, prepared, home)?;
    let Ready { post, summary, new_participants } = ready;
    let mut to = vec![Party { name: facts.display_name.clone(), address: facts.mail.clone() }];
    posts::merge(&mut to, new_participants)?;
    let mut made = Made { conversation: None, thread: id, post: post.id };
    if new {
        let conversation = NewConversation {
            group,
            id: conversation,
            topic: topic.to_owned(),
            summary: summary.clone(),
            created_by: ctx.caller.user,
            created_app: ctx.caller.app.clone(),
        };
        conversations::insert(tx, &conversation, ctx.now().ticks).await?;
        made.conversation = Some(conversation);
    }
    let thread = NewThread {
        group,
        id,
        conversation,
        topic: topic.to_owned(),
        summary: summary.clone(),
        to_recipients: recipients_json(&to),
    };
    threads::insert(tx, &thread).await?;
    let op = if new { Op::Created } else { Op::Updated };
    changed(tx, ctx, group, conversation, None, op);
    changed(tx, ctx, group, conversation, Some(id), Op::Created);
    posts::store(tx, ctx, &post).await?;
    if !new {
        let owner = Owner::Conversation(conversation);
        conversations::add_to_summary(tx, group, owner, &summary).await?;
    }
    Ok(made)
}

/// Tells the feed of a thread, or of a conversation.
pub(super) fn changed(
    tx: &mut Tx,
    ctx: &Ctx,
    group: GroupId,
    conversation: ConversationId,
    thread: Option<ThreadId>,
    op: Op,
) {
    let place = Place::Group { group, conversation: Some(conversation), thread };
    let (kind, entity) = match thread {
        Some(thread) => (Kind::Thread, thread.0),
        None => (Kind::Conversation, conversation.0),
    };
    tx.changed(Change { place, at: ctx.now().ticks, actor: ctx.actor(), kind, op, entity });
}

/// Removes the thread that `path` leads to, and its conversation with the last one.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (group, id) = (at.group()?.id, ThreadId(at.id()?));
                let thread = threads::find(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
                let conversation = thread.conversation;
                may_remove(tx, &at, Owner::Thread(id)).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                remove(tx, ctx, group, conversation, id).await?;
                let left = threads::of_conversation(tx, group, conversation).await?;
                if left.is_empty() {
                    conversations::delete(tx, group, conversation).await?;
                    changed(tx, ctx, group, conversation, None, Op::Deleted);
                } else {
                    conversations::recompute_summary(tx, group, conversation).await?;
                    changed(tx, ctx, group, conversation, None, Op::Updated);
                }
                Ok(())
            })
        })
        .await
}

/// Owners and applications may remove anything; others what they alone have written.
pub(super) async fn may_remove(tx: &mut Tx, at: &Target, owner: Owner) -> Result<(), Error> {
    if at.access.may_manage().is_ok() {
        return Ok(());
    }
    let user = at.access.caller().user;
    let group = at.group()?.id;
    if store::conversations::all_by(tx, group, owner, user).await? {
        return Ok(());
    }
    Ok(at.access.may_manage()?)
}

/// Removes a thread with its posts.
pub(super) async fn remove(
    tx: &mut Tx,
    ctx: &Ctx,
    group: GroupId,
    conversation: ConversationId,
    thread: ThreadId,
) -> Result<(), Error> {
    let place = Place::Group { group, conversation: Some(conversation), thread: Some(thread) };
    for post in store::posts::delete_of_thread(tx, group, thread).await? {
        let (at, actor, kind) = (ctx.now().ticks, ctx.actor(), Kind::Post);
        tx.changed(Change { place, at, actor, kind, op: Op::Deleted, entity: post.0 });
    }
    threads::delete(tx, group, thread).await?;
    changed(tx, ctx, group, conversation, Some(thread), Op::Deleted);
    Ok(())
}
