//! Threads: started in a group (which makes a conversation) or in a conversation, changed, removed.
//!
//! **Invariant:** a thread loses its last post only by going itself; the last thread takes its
//! conversation along.

use std::sync::Arc;

use odata::bind::{Path, Step};
use odata::decode::{Field, Record};
use odata::value::DateTimeOffset;

use crate::ids::{ConversationId, GroupId, PostId, ThreadId};
use crate::service::draft::{self, at, at_most, strings};
use crate::service::files::Kept;
use crate::service::posts::{self, Home, Prepared, Ready};
use crate::service::resolve::{self, Target};
use crate::service::{Created, Ctx, Error, limits, read};
use crate::store::conversations::{self, NewConversation, Owner, Summary};
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::recipients::{self, Recipient};
use crate::store::threads::{self, NewThread};
use crate::store::{self, Tx};

/// A thread as a client may write it.
struct Draft {
    topic: Option<String>,
    type_sent: Option<String>,
    is_locked: bool,
    first: First,
}

/// What a thread begins with.
enum First {
    Post(Box<Prepared>),
    /// No post: what is declared of it (DECISIONS D3).
    Declared {
        summary: Summary,
        to: String,
        cc: String,
    },
}

/// Starts a thread in the group, or in the conversation, whose `threads` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, record: Record) -> Result<Created, Error> {
    let draft = draft(ctx, &path, record).await?;
    let scope = ctx.scope(&path);
    let draft = Arc::new(draft);
    let kept = match &draft.first {
        First::Post(prepared) => prepared.kept.clone(),
        First::Declared { .. } => Kept::default(),
    };
    kept.store(ctx, scope, (ctx.clone(), path, draft), |tx, (ctx, path, draft)| {
        Box::pin(async move {
            let at = resolve::resolve(tx, ctx, path, true).await?;
            let made = insert(tx, ctx, &at, draft).await?;
            let key = (made.thread.0, &made.thread.to_string()[..]);
            if ctx.strict && at.parent.is_some_and(|it| it.entity == "conversation") {
                return read::id_alone(ctx, at, key);
            }
            let mut answer = read::created(tx, ctx, at, key, draft.type_sent.as_deref()).await?;
            if let Some(post) = made.post.filter(|_| !ctx.strict) {
                answer.body.pop();
                let posts = format!(",\"posts\":[{{\"id\":\"{post}\"}}]}}");
                answer.body.extend_from_slice(posts.as_bytes());
            }
            Ok(answer)
        })
    })
    .await
}

async fn draft(ctx: &Ctx, path: &Path, mut record: Record) -> Result<Draft, Error> {
    let topic = record.take("topic").and_then(Field::into_string);
    if let Some(topic) = &topic {
        at_most(at(&record, "topic"), topic, limits::TOPIC_CHARS_MAX)?;
    }
    let type_sent = record.type_sent.take();
    let is_locked = no_links(&mut record)?;
    let has_posts = record.children.iter().any(|(_, records)| !records.is_empty());
    let first = if has_posts || ctx.strict {
        let post = only_child(&mut record, "posts")?;
        First::Post(Box::new(posts::prepare(ctx, path, post).await?))
    } else {
        let topic = topic.as_ref();
        let in_group = !path
            .steps
            .iter()
            .any(|it| matches!(it, Step::Navigation(it) if it.name == "conversations"));
        if topic.is_none() && in_group {
            let problem = "is required where the thread has no post";
            return Err(Error::property(at(&record, "topic"), problem));
        }
        First::Declared {
            summary: declared(&mut record, ctx.now())?,
            to: recipients::to_json(&draft::recipients(&mut record, "toRecipients")?),
            cc: recipients::to_json(&draft::recipients(&mut record, "ccRecipients")?),
        }
    };
    Ok(Draft { topic, type_sent, is_locked, first })
}

/// What a client declares of a conversation or a thread without posts.
pub(super) fn declared(record: &mut Record, now: DateTimeOffset) -> Result<Summary, Error> {
    let preview = record.take("preview").and_then(Field::into_string).unwrap_or_default();
    at_most(at(record, "preview"), &preview, limits::PREVIEW_CHARS_MAX)?;
    Ok(Summary {
        has_attachments: record.take("hasAttachments").and_then(|it| it.as_bool()).unwrap_or(false),
        last_delivered: record
            .take("lastDeliveredDateTime")
            .and_then(|it| it.as_time())
            .unwrap_or(now),
        unique_senders: strings(record, "uniqueSenders", limits::SENDERS_MAX)?,
        preview,
        posts: 0,
    })
}

/// Refuses links to others, which a new conversation or thread cannot have; whether a thread is locked from
/// its beginning. What the server computes is ignored, as in Graph.
pub(super) fn no_links(record: &mut Record) -> Result<bool, Error> {
    if let Some((navigation, _)) = record.binds.first() {
        let property = at(record, &format!("{}@odata.bind", navigation.name));
        return Err(Error::property(property, "cannot be bound"));
    }
    let locked = record.entity.property("isLocked").and_then(|_| record.take("isLocked"));
    Ok(locked.and_then(|it| it.as_bool()).unwrap_or(false))
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

async fn insert(tx: &mut Tx, ctx: &Ctx, at: &Target, draft: &Draft) -> Result<Made, Error> {
    let (group, id) = (at.group()?.id, ThreadId(ctx.clock.id()));
    let known = conversation(tx, at).await?;
    let topic = known.as_ref().map_or(draft.topic.as_deref().unwrap_or_default(), |it| &it.1);
    let new = known.is_none();
    let conversation = known.as_ref().map_or_else(|| ConversationId(ctx.clock.id()), |it| it.0);
    let start = Start { conversation, new, thread: id, topic, is_locked: draft.is_locked };
    match &draft.first {
        First::Post(prepared) => start.with_post(tx, ctx, at, prepared).await,
        First::Declared { summary, to, cc } => {
            at.access.may_post()?;
            let conversation = start.conversation_row(tx, ctx, group, summary).await?;
            start.thread_row(tx, ctx, group, summary, (to.clone(), cc.clone())).await?;
            Ok(Made { conversation, thread: id, post: None })
        }
    }
}

/// The ids of what was made along with a thread.
#[derive(Debug)]
pub(super) struct Made {
    /// The conversation, where it is new.
    pub(super) conversation: Option<NewConversation>,
    pub(super) thread: ThreadId,
    /// Its first post, where it has one.
    pub(super) post: Option<PostId>,
}

/// Where a thread starts.
pub(super) struct Start<'t> {
    pub(super) conversation: ConversationId,
    /// Whether the conversation is to be made too.
    pub(super) new: bool,
    pub(super) thread: ThreadId,
    pub(super) topic: &'t str,
    pub(super) is_locked: bool,
}

impl Start<'_> {
    /// Stores a thread with its first post, and its conversation where that is new.
    pub(super) async fn with_post(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        at: &Target,
        prepared: &Prepared,
    ) -> Result<Made, Error> {
        at.access.may_post()?;
        let facts = at.group()?;
        let (group, conversation) = (facts.id, self.conversation);
        let home = Home { conversation, thread: self.thread, topic: self.topic, in_reply_to: None };
        let ready = posts::ready(ctx, &at.access, prepared, home)?;
        let Ready { post, summary, new_participants } = ready;
        let mut to = vec![Recipient::from(posts::group_itself(facts))];
        posts::merge(&mut to, new_participants)?;
        let made = self.conversation_row(tx, ctx, group, &summary).await?;
        let recipients = (recipients::to_json(&to), "[]".to_owned());
        self.thread_row(tx, ctx, group, &summary, recipients).await?;
        posts::store(tx, ctx, &post).await?;
        if !self.new {
            let owner = Owner::Conversation(conversation);
            conversations::add_to_summary(tx, group, owner, &summary).await?;
        }
        Ok(Made { conversation: made, thread: self.thread, post: Some(post.id) })
    }

    /// The conversation's row, where it is new; what the feed hears of it in any case.
    async fn conversation_row(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        group: GroupId,
        summary: &Summary,
    ) -> Result<Option<NewConversation>, Error> {
        if !self.new {
            changed(tx, ctx, group, self.conversation, None, Op::Updated);
            return Ok(None);
        }
        let conversation = NewConversation {
            group,
            id: self.conversation,
            topic: self.topic.to_owned(),
            summary: summary.clone(),
            created_by: ctx.caller.user,
            created_app: ctx.caller.app.clone(),
        };
        conversations::insert(tx, &conversation, ctx.now().ticks).await?;
        changed(tx, ctx, group, self.conversation, None, Op::Created);
        Ok(Some(conversation))
    }

    async fn thread_row(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        group: GroupId,
        summary: &Summary,
        (to_recipients, cc_recipients): (String, String),
    ) -> Result<(), Error> {
        let thread = NewThread {
            group,
            id: self.thread,
            conversation: self.conversation,
            topic: self.topic.to_owned(),
            summary: summary.clone(),
            to_recipients,
            cc_recipients,
            is_locked: self.is_locked,
            created_by: ctx.caller.user,
        };
        threads::insert(tx, &thread).await?;
        changed(tx, ctx, group, self.conversation, Some(self.thread), Op::Created);
        Ok(())
    }
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
    tx.changed(Change {
        place,
        at: ctx.now().ticks,
        actor: ctx.actor(),
        kind,
        op,
        entity,
        part: None,
    });
}

/// Removes the thread that `path` leads to, and its conversation with the last one.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (group, id) = (at.group()?.id, ThreadId(at.id()?));
                let thread = threads::find(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
                may_remove(tx, &at, Owner::Thread(id)).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                end(tx, ctx, group, thread.conversation, id).await
            })
        })
        .await
}

/// Removes a thread, and its conversation with the last one.
pub(super) async fn end(
    tx: &mut Tx,
    ctx: &Ctx,
    group: GroupId,
    conversation: ConversationId,
    thread: ThreadId,
) -> Result<(), Error> {
    remove(tx, ctx, group, conversation, thread).await?;
    if threads::of_conversation(tx, group, conversation).await?.is_empty() {
        conversations::delete(tx, group, conversation).await?;
        changed(tx, ctx, group, conversation, None, Op::Deleted);
    } else {
        conversations::recompute_summary(tx, group, conversation).await?;
        changed(tx, ctx, group, conversation, None, Op::Updated);
    }
    Ok(())
}

/// Changes the thread that `path` leads to: its lock, the topic that it shares with its conversation and,
/// while it has no post, what is declared of it. The answer is all of it.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let locked = record.take("isLocked").and_then(|it| it.as_bool());
    if ctx.strict {
        // All that real Graph changes.
        record.properties.clear();
    }
    let sent = Sent::take(&mut record, ctx.now())?;
    let mut list = |name: &str| {
        let sent = record.properties.iter().any(|(it, _)| it.name == name);
        sent.then(|| draft::recipients(&mut record, name)).transpose()
    };
    let (to, cc) = (list("toRecipients")?, list("ccRecipients")?);
    let lists = (to.map(|it| recipients::to_json(&it)), cc.map(|it| recipients::to_json(&it)));
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, sent, locked, lists), |tx, input| {
            Box::pin(async move {
                let (ctx, path, sent, locked, (to, cc)) = input;
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (group, id) = (at.group()?.id, ThreadId(at.id()?));
                let thread = threads::find(tx, group, id).await?.ok_or(Error::ItemNotFound)?;
                may_remove(tx, &at, Owner::Thread(id)).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                if let Some(locked) = locked {
                    threads::set_locked(tx, group, id, *locked).await?;
                }
                if let Some(topic) = &sent.topic {
                    // It is the whole conversation's.
                    may_remove(tx, &at, Owner::Conversation(thread.conversation)).await?;
                    set_topic(tx, ctx, &at, thread.conversation, topic).await?;
                }
                sent.declare(tx, group, Owner::Thread(id)).await?;
                if thread.posts == 0 {
                    if let Some(to) = to {
                        threads::set_recipients(tx, group, id, to).await?;
                    }
                    if let Some(cc) = cc {
                        threads::set_cc_recipients(tx, group, id, cc).await?;
                    }
                }
                changed(tx, ctx, group, thread.conversation, Some(id), Op::Updated);
                read::changed(tx, ctx, at, sent.type_sent.as_deref()).await
            })
        })
        .await
}

/// What a client sends of a conversation or a thread that is there.
pub(super) struct Sent {
    pub(super) topic: Option<String>,
    pub(super) type_sent: Option<String>,
    has_attachments: Option<bool>,
    last_delivered: Option<DateTimeOffset>,
    unique_senders: Option<Vec<String>>,
    preview: Option<String>,
}

impl Sent {
    pub(super) fn take(record: &mut Record, now: DateTimeOffset) -> Result<Sent, Error> {
        let has = |record: &Record, name| record.properties.iter().any(|(it, _)| it.name == name);
        let (attachments, delivered) =
            (has(record, "hasAttachments"), has(record, "lastDeliveredDateTime"));
        let (senders, preview) = (has(record, "uniqueSenders"), has(record, "preview"));
        let topic = record.take("topic").and_then(Field::into_string);
        if let Some(topic) = &topic {
            at_most(at(record, "topic"), topic, limits::TOPIC_CHARS_MAX)?;
        }
        let summary = declared(record, now)?;
        Ok(Sent {
            topic,
            type_sent: record.type_sent.take(),
            has_attachments: attachments.then_some(summary.has_attachments),
            last_delivered: delivered.then_some(summary.last_delivered),
            unique_senders: senders.then_some(summary.unique_senders),
            preview: preview.then_some(summary.preview),
        })
    }

    /// Declares it of what has no post; of what has one, it is computed.
    pub(super) async fn declare(
        &self,
        tx: &mut Tx,
        group: GroupId,
        owner: Owner,
    ) -> Result<(), Error> {
        let there = conversations::summary(tx, group, owner).await?.ok_or(Error::ItemNotFound)?;
        if there.posts > 0 {
            return Ok(());
        }
        let summary = Summary {
            has_attachments: self.has_attachments.unwrap_or(there.has_attachments),
            last_delivered: self.last_delivered.unwrap_or(there.last_delivered),
            unique_senders: self.unique_senders.clone().unwrap_or(there.unique_senders),
            preview: self.preview.clone().unwrap_or(there.preview),
            posts: 0,
        };
        Ok(conversations::declare(tx, group, owner, &summary).await?)
    }
}

/// Gives a conversation another topic, its threads and the index of its posts with it.
pub(super) async fn set_topic(
    tx: &mut Tx,
    ctx: &Ctx,
    at: &Target,
    conversation: ConversationId,
    topic: &str,
) -> Result<(), Error> {
    let (group, number) = (at.group()?.id, at.group()?.number);
    conversations::set_topic(tx, group, Owner::Conversation(conversation), topic).await?;
    changed(tx, ctx, group, conversation, None, Op::Updated);
    for thread in threads::of_conversation(tx, group, conversation).await? {
        conversations::set_topic(tx, group, Owner::Thread(thread), topic).await?;
        changed(tx, ctx, group, conversation, Some(thread), Op::Updated);
        for post in store::posts::of_thread(tx, group, thread).await? {
            posts::index_again(tx, (group, number), post, topic).await?;
        }
    }
    Ok(())
}

/// Owners and applications may remove and change anything; others what they alone have written, while they
/// may post and it is not locked.
pub(super) async fn may_remove(tx: &mut Tx, at: &Target, owner: Owner) -> Result<(), Error> {
    if at.access.may_manage().is_ok() {
        return Ok(());
    }
    at.access.may_post()?;
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
    for post in store::posts::delete_of_thread(tx, group, thread).await? {
        let home = (group, conversation, thread);
        posts::told(tx, ctx, home, (Kind::Post, Op::Deleted, post.0));
    }
    threads::delete(tx, group, thread).await?;
    changed(tx, ctx, group, conversation, Some(thread), Op::Deleted);
    Ok(())
}
