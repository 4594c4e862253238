//! Mentions: whom a post names.
//!
//! **Invariant:** a mention is its post's author's to add and to remove, an owner's or an application's.

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::model::MENTION;
use crate::service::draft::{at, at_most, email_address};
use crate::service::posts::{self, Touched};
use crate::service::{Created, Ctx, Error, limits, read, resolve};
use crate::store::post_children::{self, NewMention};
use crate::store::recipients::Recipient;

/// A mention as a client may send it.
#[derive(Clone, Debug)]
pub(crate) struct MentionDraft {
    mentioned: Recipient,
    text: Option<String>,
    application: Option<String>,
    client_reference: Option<String>,
    deep_link: Option<String>,
}

impl MentionDraft {
    /// The mention with an id of its own.
    pub(super) fn prepare(self, ctx: &Ctx) -> NewMention {
        NewMention {
            id: ctx.clock.id(),
            mentioned: self.mentioned,
            text: self.text,
            application: self.application,
            client_reference: self.client_reference,
            deep_link: self.deep_link,
        }
    }
}

/// The mention that a record holds.
pub(super) fn draft(mut record: Record) -> Result<MentionDraft, Error> {
    let property = at(&record, "mentioned");
    let mentioned = record.take("mentioned").ok_or_else(|| {
        Error::property(&property, "is required: the name and address of who is mentioned")
    })?;
    let mentioned = email_address(&mentioned);
    for (name, text) in [("name", &mentioned.name), ("address", &mentioned.address)] {
        let property = format!("{property}.{name}");
        at_most(property, text.as_deref().unwrap_or_default(), limits::NAME_CHARS_MAX)?;
    }
    let mut text = |name: &str| {
        let text = record.take(name).and_then(Field::into_string);
        at_most(at(&record, name), text.as_deref().unwrap_or_default(), limits::VALUE_CHARS_MAX)?;
        Ok::<_, Error>(text)
    };
    Ok(MentionDraft {
        mentioned,
        text: text("mentionText")?,
        application: text("application")?,
        client_reference: text("clientReference")?,
        deep_link: text("deepLink")?,
    })
}

/// Adds a mention to the post whose `mentions` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let mention = draft(record)?.prepare(ctx);
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, mention, type_sent), |tx, input| {
            Box::pin(async move {
                let (ctx, path, mention, type_sent) = input;
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                posts::may_change(tx, &at.access, &post).await?;
                let group = at.group()?;
                let there = post_children::count(tx, MENTION.table, group.id, post.id).await?;
                posts::room_for_one(there, "mentions")?;
                let by = posts::sender(group);
                let (by, now) = ((&by.name[..], &by.address[..]), ctx.now().ticks);
                post_children::insert_mention(tx, group.id, post.id, mention, by, now).await?;
                posts::after(tx, ctx, &at.access, &post, Touched::Child(mention.id)).await?;
                let key = (mention.id, &mention.id.hyphenated().to_string()[..]);
                read::created(tx, ctx, at, key, type_sent.as_deref()).await
            })
        })
        .await
}
