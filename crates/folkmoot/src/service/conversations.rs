//! Conversations: added as they were declared, or with their first post; removed.
//!
//! **Invariant:** what a client declares of a conversation stands only while it has no post
//! (DECISIONS D3).

use std::sync::Arc;

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::ids::{ConversationId, GroupId, ThreadId};
use crate::model::CONVERSATION;
use crate::service::draft::{at, at_most};
use crate::service::posts::{self, Prepared};
use crate::service::resolve;
use crate::service::threads::{self, Sent, Start, changed, declared, no_links, only_child};
use crate::service::{Created, Ctx, Error, limits, read};
use crate::store::conversations::{self, NewConversation, Owner, Summary};
use crate::store::feed::Op;
use crate::store::{self, Tx, etag, groups, unseen};

/// A conversation as a client may write it.
struct Draft {
    topic: String,
    type_sent: Option<String>,
    /// What is declared of it, for a conversation without a post.
    declared: Summary,
    /// Whether its first thread is locked.
    is_locked: bool,
    post: Option<Prepared>,
}

/// Adds a conversation to the group whose `conversations` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, record: Record) -> Result<Created, Error> {
    let draft = Arc::new(draft(ctx, &path, record).await?);
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, draft.clone());
    let kept = draft.post.as_ref().map(|it| it.kept.clone()).unwrap_or_default();
    kept.store(ctx, scope, input, |tx, (ctx, path, it)| Box::pin(insert(tx, ctx, path, it))).await
}

async fn draft(ctx: &Ctx, path: &Path, mut record: Record) -> Result<Draft, Error> {
    let topic = record
        .take("topic")
        .and_then(Field::into_string)
        .ok_or_else(|| Error::property(at(&record, "topic"), "is required"))?;
    at_most(at(&record, "topic"), &topic, limits::TOPIC_CHARS_MAX)?;
    let declared = declared(&mut record, ctx.now())?;
    let type_sent = record.type_sent.take();
    no_links(&mut record)?;
    let has_threads = record.children.iter().any(|(_, records)| !records.is_empty());
    let mut is_locked = false;
    let post = if has_threads || ctx.strict {
        let mut thread = only_child(&mut record, "threads")?;
        // A thread has the topic of its conversation.
        let own = thread.take("topic").and_then(Field::into_string).is_none_or(|it| it == topic);
        if !own {
            let problem = "is that of its conversation and cannot be another";
            return Err(Error::property(at(&thread, "topic"), problem));
        }
        is_locked = no_links(&mut thread)?;
        let post = only_child(&mut thread, "posts")?;
        Some(posts::prepare(ctx, path, post).await?)
    } else {
        None
    };
    Ok(Draft { topic, type_sent, declared, is_locked, post })
}

async fn insert(tx: &mut Tx, ctx: &Ctx, path: &Path, draft: &Draft) -> Result<Created, Error> {
    let mut target = resolve::resolve(tx, ctx, path, true).await?;
    target.access.may_post()?;
    let group = target.group()?.id;
    let (conversation, made) = match &draft.post {
        Some(post) => {
            let start = Start {
                conversation: ConversationId(ctx.clock.id()),
                new: true,
                thread: ThreadId(ctx.clock.id()),
                topic: &draft.topic,
                is_locked: draft.is_locked,
            };
            let made = start.with_post(tx, ctx, &target, post).await?;
            let new = made.conversation.ok_or(Error::ItemNotFound)?;
            (new, made.post.map(|post| (made.thread, post)))
        }
        None => {
            let conversation = NewConversation {
                group,
                id: ConversationId(ctx.clock.id()),
                topic: draft.topic.clone(),
                summary: draft.declared.clone(),
                created_by: ctx.caller.user,
                created_app: ctx.caller.app.clone(),
            };
            conversations::insert(tx, &conversation, ctx.now().ticks).await?;
            changed(tx, ctx, group, conversation.id, None, Op::Created);
            (conversation, None)
        }
    };
    let id = conversation.id;
    target.id = Some(id.0);
    target.single = true;
    target.url = format!("groups/{group}/conversations/{id}");
    let (query, ty) = (read::whole(&CONVERSATION), draft.type_sent.as_deref());
    let shown = conversation.shown();
    let (mut body, etag) = if ctx.strict {
        (read::id_opened(ctx, &target, id.0), etag(1))
    } else {
        read::made(tx, ctx, &target, &query, ty, &shown)?
    };
    if let Some((thread, post)) = made {
        let posts = format!(",\"posts\":[{{\"id\":\"{post}\"}}]");
        let posts = if ctx.strict { "" } else { &posts };
        let threads = format!(",\"threads\":[{{\"id\":\"{thread}\"{posts}}}]");
        body.extend_from_slice(threads.as_bytes());
    }
    body.push(b'}');
    let location = format!("{}/{}", ctx.root, target.url);
    Ok(Created { body, etag, location })
}

/// Adds a reference to a conversation (`{"@odata.id": …}`): nothing changes, since a conversation
/// lives in one group; what is refused is a conversation that is not there or another group's.
pub(crate) async fn add_reference(ctx: &Ctx, path: Path, reference: String) -> Result<(), Error> {
    let (group, id) = parse_reference(&reference)?;
    ctx.store
        .read((ctx.clone(), path), move |tx, (ctx, path)| {
            Box::pin(async move {
                let target = resolve::resolve(tx, ctx, path, true).await?;
                target.access.may_post()?;
                let here = target.group()?.id;
                // Another group's conversation: 404 unless the caller can read it.
                let caller = &ctx.caller;
                let facts = groups::facts(tx, caller.tenant, group, caller.user).await?;
                let facts = facts.ok_or(Error::ItemNotFound)?;
                let there = crate::access::Access::to_group(caller.clone(), facts);
                there.may_read().map_err(|_| Error::ItemNotFound)?;
                if !conversations::exists(tx, group, id).await? {
                    return Err(Error::ItemNotFound);
                }
                if group != here {
                    let why = format!(
                        "The conversation {id} lives in group {group}; a conversation lives in one \
                         group and cannot be added to another."
                    );
                    return Err(Error::Request(why));
                }
                Ok(())
            })
        })
        .await
}

/// The group and conversation that `…/groups/{id}/conversations/{id}` names.
fn parse_reference(reference: &str) -> Result<(GroupId, ConversationId), Error> {
    let bad = || {
        let problem = "does not name a conversation: it must end in \
            groups/{id}/conversations/{id}";
        Error::property("@odata.id", problem)
    };
    let path = reference.split_once("://").map_or(reference, |(_, rest)| rest);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let segments = odata::syntax::parse_path(path, &limits::URL).map_err(|_| bad())?;
    // Names and keys in turn, a key in parentheses being one too.
    let mut parts = Vec::new();
    for segment in segments {
        parts.push(segment.name);
        parts.extend(segment.key);
    }
    let [.., groups, group, conversations, conversation] = &parts[..] else { return Err(bad()) };
    let of_groups = ["groups", "joinedTeams", "joinedGroups"];
    if !of_groups.iter().any(|it| groups.eq_ignore_ascii_case(it))
        || !conversations.eq_ignore_ascii_case("conversations")
    {
        return Err(bad());
    }
    // A malformed id names nothing that exists.
    let parse = |text: &str| crate::ids::parse(text).ok_or(Error::ItemNotFound);
    Ok((GroupId(parse(group)?), ConversationId(parse(conversation)?)))
}

/// Removes the conversation that `path` leads to, with all that is in it.
pub(crate) async fn delete(ctx: &Ctx, path: Path) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), |tx, (ctx, path)| {
            Box::pin(async move {
                let target = resolve::resolve(tx, ctx, path, true).await?;
                let (group, id) = (target.group()?.id, ConversationId(target.id()?));
                threads::may_remove(tx, &target, Owner::Conversation(id)).await?;
                resolve::check_if_match(tx, ctx, &target).await?;
                for thread in store::threads::of_conversation(tx, group, id).await? {
                    threads::remove(tx, ctx, group, id, thread).await?;
                }
                conversations::delete(tx, group, id).await?;
                changed(tx, ctx, group, id, None, Op::Deleted);
                Ok(())
            })
        })
        .await
}

/// Changes the conversation that `path` leads to: its topic and, while it has no post, what is declared of
/// it. The answer is all of it.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let sent = Sent::take(&mut record, ctx.now())?;
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path, sent), |tx, (ctx, path, sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let (group, id) = (at.group()?.id, ConversationId(at.id()?));
                threads::may_remove(tx, &at, Owner::Conversation(id)).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                if let Some(topic) = &sent.topic {
                    threads::set_topic(tx, ctx, &at, id, topic).await?;
                }
                sent.declare(tx, group, Owner::Conversation(id)).await?;
                changed(tx, ctx, group, id, None, Op::Updated);
                read::changed(tx, ctx, at, sent.type_sent.as_deref()).await
            })
        })
        .await
}

/// Says that the calling user has read the conversation that `path` leads to, or has not.
pub(crate) async fn mark(ctx: &Ctx, path: Path, read: bool) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), move |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let user = ctx.caller.user.ok_or(Error::MeForApp)?;
                unseen::mark(tx, at.group()?.id, user, ConversationId(at.id()?), read).await?;
                tx.unshown();
                Ok(())
            })
        })
        .await
}
