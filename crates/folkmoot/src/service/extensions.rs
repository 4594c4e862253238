//! Open extensions: what programs keep with a post.
//!
//! **Invariant:** the properties of an extension are primitive values and arrays of them; instants are
//! kept without trailing zeros, as Graph gives them back.

use odata::bind::Path;
use odata::decode::{Field, Record};
use odata::json::Json;
use odata::value::DateTimeOffset;

use crate::ids::PostId;
use crate::model::EXTENSION;
use crate::service::draft::{self, at, at_most};
use crate::service::posts::{self, Touched};
use crate::service::{Created, Ctx, Error, limits, read, resolve};
use crate::store::post_children::{self, NewExtension};
use crate::store::{self, Tx};

/// An extension as a client may send it.
#[derive(Clone, Debug)]
pub(crate) struct ExtensionDraft {
    name: String,
    /// A JSON object.
    properties: String,
}

impl ExtensionDraft {
    /// The extension with an id of its own.
    pub(super) fn prepare(self, ctx: &Ctx) -> NewExtension {
        NewExtension { id: ctx.clock.id(), name: self.name, properties: self.properties }
    }
}

/// The extension that a record holds.
pub(super) fn draft(mut record: Record) -> Result<ExtensionDraft, Error> {
    let named = at(&record, "extensionName");
    let name = record.take("extensionName").and_then(Field::into_string);
    let name = name
        .filter(|it| !it.is_empty() && !it.contains(['/', '\'', '?', '#', '%']))
        .ok_or_else(|| {
            let problem = "is required, without any of / ' ? # %: programs look it up by this name";
            Error::property(&named, problem)
        })?;
    at_most(named, &name, limits::NAME_CHARS_MAX)?;
    let members = values(&record.at, std::mem::take(&mut record.dynamic))?;
    Ok(ExtensionDraft { name, properties: object(&record.at, with_types(members))? })
}

/// Undeclared members, each a value that an extension may hold.
fn values(at: &str, members: Vec<(String, Json)>) -> Result<Vec<(String, Json)>, Error> {
    let check = |(name, value): (String, Json)| {
        let value = match value {
            Json::Array(items) => {
                let items = items.into_iter().map(|item| primitive(at, &name, item));
                Json::Array(items.collect::<Result<_, _>>()?)
            }
            other => primitive(at, &name, other)?,
        };
        Ok((name, value))
    };
    members.into_iter().map(check).collect()
}

fn primitive(at: &str, name: &str, value: Json) -> Result<Json, Error> {
    match value {
        Json::Object(_) | Json::Array(_) => {
            let place = if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
            let problem = "must be a primitive value or an array of primitive values";
            Err(Error::property(place, problem))
        }
        // An instant as Graph gives it back; what only looks like a date has no time in it.
        Json::String(text) => Ok(Json::String(match DateTimeOffset::parse(&text) {
            Some(instant) if text.contains('T') => instant.to_string(),
            _ => text,
        })),
        other => Ok(other),
    }
}

/// The same with the type before each array (OData JSON Format 4.01, section 4.6.3).
fn with_types(members: Vec<(String, Json)>) -> Vec<(String, Json)> {
    let mut typed = Vec::with_capacity(members.len());
    for (name, value) in members {
        if let Json::Array(items) = &value {
            let ty = match items.first() {
                Some(Json::Bool(_)) => "#Collection(Boolean)",
                Some(Json::Number(_)) => "#Collection(Double)",
                _ => "#Collection(String)",
            };
            typed.push((format!("{name}@odata.type"), Json::String(ty.to_owned())));
        }
        typed.push((name, value));
    }
    typed
}

fn object(at: &str, members: Vec<(String, Json)>) -> Result<String, Error> {
    let mut out = Vec::new();
    odata::json::write(&mut out, &Json::Object(members));
    if out.len() > limits::DOCUMENT_BYTES_MAX {
        let max = limits::DOCUMENT_BYTES_MAX;
        let place = if at.is_empty() { "the extension" } else { at };
        let problem = format!("has {} bytes of JSON; the limit is {max}", out.len());
        return Err(Error::property(place, problem));
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Stores an extension, if the post has room for it and none of its name.
async fn insert(
    tx: &mut Tx,
    at: &resolve::Target,
    post: PostId,
    it: &NewExtension,
) -> Result<(), Error> {
    let group = at.group()?.id;
    let there = post_children::count(tx, EXTENSION.table, group, post).await?;
    posts::room_for_one(there, "extensions")?;
    post_children::insert_extension(tx, group, post, it).await.map_err(|error| match error {
        store::Error::Duplicate(_) => Error::Taken("extensionName"),
        other => other.into(),
    })
}

/// Adds an extension to the post whose `extensions` `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    record.type_sent = None;
    let extension = draft(record)?.prepare(ctx);
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, extension), |tx, (ctx, path, extension)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                at.access.may_post()?;
                insert(tx, &at, post.id, extension).await?;
                posts::after(tx, ctx, &at.access, &post, Touched::Child(extension.id)).await?;
                let key = (extension.id, &extension.name[..]);
                read::created(tx, ctx, at, key, None).await
            })
        })
        .await
}

/// Changes the extension that `path` leads to: what is sent replaces what is there, a null removes it,
/// what is not sent stays. The answer is the whole extension.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let name = record.take("extensionName").and_then(Field::into_string);
    let sent = values("", std::mem::take(&mut record.dynamic))?;
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, name, sent), |tx, (ctx, path, name, sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                at.access.may_post()?;
                resolve::check_if_match(tx, ctx, &at).await?;
                let (group, id) = (at.group()?.id, at.id()?);
                let found = post_children::extension(tx, group, id).await?;
                let (known, there) = found.ok_or(Error::ItemNotFound)?;
                if name.as_deref().is_some_and(|it| !it.eq_ignore_ascii_case(&known)) {
                    let problem = format!("is '{known}' and cannot be another");
                    return Err(Error::property("extensionName", problem));
                }
                let properties = object("", with_types(draft::merged(&there, sent)))?;
                post_children::set_extension(tx, group, id, &properties).await?;
                posts::after(tx, ctx, &at.access, &post, Touched::Child(id)).await?;
                read::changed(tx, ctx, at, None).await
            })
        })
        .await
}
