//! Conversations: added as they were declared, or with their first post; removed.
//!
//! **Invariant:** what a client declares of a conversation stands only while it has no post
//! (DECISIONS D3).

use std::sync::Arc;

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::value::DateTimeOffset;

use crate::ids::{ConversationId, GroupId};
use crate::model::CONVERSATION;
use crate::service::draft::{at, at_most, strings};
use crate::service::posts::{self, Prepared};
use crate::service::resolve;
use crate::service::threads::{self, changed, nothing_else, only_child};
use crate::service::{Created, Ctx, Error, limits, read};
use crate::store::conversations::{self, NewConversation, Owner, Summary};
use crate::store::feed::Op;
use crate::store::{self, Tx, groups};

/// A conversation as a client may write it.
struct Draft {
    topic: String,
    type_sent: Option<String>,
    /// What is declared of it, for a conversation without a post.
    declared: Summary,
    post: Option<Prepared>,
}

/// Adds a conversation to the group whose `conversations` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, record: Record) -> Result<Created, Error> {
    let draft = Arc::new(draft(ctx, &path, record).await?);
    let scope = ctx.scope(&path);
    let input = (ctx.clone(), path, draft.clone());
    match &draft.post {
        Some(post) => {
            post.store(ctx, scope, input, |tx, (ctx, path, it)| Box::pin(insert(tx, ctx, path, it)))
                .await
        }
        None => {
            ctx.store
                .write(scope, input, |tx, (ctx, path, it)| Box::pin(insert(tx, ctx, path, it)))
                .await
        }
    }
}

async fn draft(ctx: &Ctx, path: &Path, mut record: Record) -> Result<Draft, Error> {
    let topic = record
        .take("topic")
        .and_then(Field::into_string)
        .ok_or_else(|| Error::property(at(&record, "topic"), "is required"))?;
    at_most(at(&record, "topic"), &topic, limits::TOPIC_CHARS_MAX)?;
    let declared = declared(&mut record, ctx.now())?;
    let type_sent = record.type_sent.take();
    nothing_else(&record)?;
    let has_threads = record.children.iter().any(|(_, records)| !records.is_empty());
    let post = if has_threads {
        let mut thread = only_child(&mut record, "threads")?;
        // A thread has the topic of its conversation.
        let own = thread.take("topic").and_then(Field::into_string).is_none_or(|it| it == topic);
        if !own {
            let problem = "is that of its conversation and cannot be another";
            return Err(Error::property(at(&thread, "topic"), problem));
        }
        nothing_else(&thread)?;
        let post = only_child(&mut thread, "posts")?;
        Some(posts::prepare(ctx, path, post).await?)
    } else {
        None
    };
    Ok(Draft { topic, type_sent, declared, post })
}

fn declared(record: &mut Record, now: DateTimeOffset) -> Result<Summary, Error> {
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

async fn insert(tx: &mut Tx, ctx: &Ctx, path: &Path, draft: &Draft) -> Result<Created, Error> {
    let mut target = resolve::resolve(tx, ctx, path, true).await?;
    target.access.may_post()?;
    let group = target.group()?.id;
    let (conversation, made) = match &draft.post {
        Some(post) => {
            let mut made =
                threads::insert_with_conversation(tx, ctx, &target, &draft.topic, post).await?;
            let new = made.conversation.take();
            (new.ok_or(Error::ItemNotFound)?, Some((made.thread, made.post)))
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
    let (mut body, etag) = read::made(tx, ctx, &target, &query, ty, &shown)?;
    if let Some((thread, post)) = made {
        let threads =
            format!(",\"threads\":[{{\"id\":\"{thread}\",\"posts\":[{{\"id\":\"{post}\"}}]}}]");
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
