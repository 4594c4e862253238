//! What hangs on a post beside its attachments: extensions, extended properties, mentions.
//!
//! **Invariant:** each goes with its post; of a name there is one of a kind on a post, compared folded.

use uuid::Uuid;

use crate::ids::{GroupId, PostId, ThreadId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::groups::json_strings;
use crate::store::recipients::Recipient;
use crate::store::sql::binds;
use crate::store::uploads;
use crate::text::fold;

/// An open extension about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewExtension {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    /// Its properties, a JSON object.
    pub(crate) properties: String,
}

/// An extended property about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewProperty {
    pub(crate) id: Uuid,
    /// What clients know it by.
    pub(crate) name: String,
    pub(crate) value: PropertyValue,
}

/// The value of an extended property: one or many, which have a collection each.
#[derive(Clone, Debug)]
pub(crate) enum PropertyValue {
    Single(Option<String>),
    Multi(Vec<String>),
}

/// A mention about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewMention {
    pub(crate) id: Uuid,
    pub(crate) mentioned: Recipient,
    pub(crate) text: Option<String>,
    pub(crate) application: Option<String>,
    pub(crate) client_reference: Option<String>,
    pub(crate) deep_link: Option<String>,
}

/// The tables, each with the columns that every row has: `group_id`, `id`, `post_id`.
const TABLES: [&str; 6] = [
    "extensions",
    "single_value_properties",
    "multi_value_properties",
    "mentions",
    "post_versions",
    "forwards",
];

/// Adds an extension; one of the same name is an error.
pub(crate) async fn insert_extension(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    it: &NewExtension,
) -> Result<(), Error> {
    let sql = "insert into extensions (group_id, id, post_id, name, name_folded, extra, version) \
        values ($1, $2, $3, $4, $5, $6, 1)";
    let folded = fold(&it.name);
    let binds = binds![group, it.id, post, &it.name, folded.as_ref(), &it.properties];
    tx.execute(sql, binds).await?;
    Ok(())
}

/// The name and the properties, a JSON object, of an extension.
pub(crate) async fn extension(
    tx: &mut Tx,
    group: GroupId,
    id: Uuid,
) -> Result<Option<(String, String)>, Error> {
    let sql = "select name, extra from extensions where group_id = $1 and id = $2";
    let read =
        |row: crate::store::driver::Row<'_>| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    tx.first(sql, binds![group, id], read).await
}

/// Gives an extension other properties, a JSON object.
pub(crate) async fn set_extension(
    tx: &mut Tx,
    group: GroupId,
    id: Uuid,
    properties: &str,
) -> Result<(), Error> {
    let sql = "update extensions set extra = $1, version = version + 1 \
        where group_id = $2 and id = $3";
    tx.send(sql, binds![properties, group, id]).await
}

/// Adds an extended property; one of the same name is an error.
pub(crate) async fn insert_property(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    it: &NewProperty,
) -> Result<(), Error> {
    let (table, value) = stored(&it.value);
    let sql = format!(
        "insert into {table} (group_id, id, post_id, name, name_folded, value, value_folded, version) \
         values ($1, $2, $3, $4, $5, $6, $7, 1)"
    );
    let folded = value.as_deref().map(|it| fold(it).into_owned());
    let name = fold(&it.name);
    tx.execute(&sql, binds![group, it.id, post, &it.name, name.as_ref(), value, folded]).await?;
    Ok(())
}

/// Gives an extended property another value.
pub(crate) async fn set_property(
    tx: &mut Tx,
    group: GroupId,
    id: Uuid,
    value: &PropertyValue,
) -> Result<(), Error> {
    let (table, value) = stored(value);
    let sql = format!(
        "update {table} set value = $1, value_folded = $2, version = version + 1 \
         where group_id = $3 and id = $4"
    );
    let folded = value.as_deref().map(|it| fold(it).into_owned());
    tx.send(&sql, binds![value, folded, group, id]).await
}

/// The table for a value, and what it stores of it.
fn stored(value: &PropertyValue) -> (&'static str, Option<String>) {
    match value {
        PropertyValue::Single(value) => ("single_value_properties", value.clone()),
        PropertyValue::Multi(values) => {
            let json = json_strings(values.iter().map(String::as_str));
            ("multi_value_properties", Some(json))
        }
    }
}

/// Adds a mention; who made it: a name and an address.
pub(crate) async fn insert_mention(
    tx: &mut Tx,
    group: GroupId,
    post: PostId,
    it: &NewMention,
    by: (&str, &str),
    now: i64,
) -> Result<(), Error> {
    let sql = "insert into mentions (group_id, id, post_id, mentioned_name, mentioned_name_folded, \
        mentioned_address, mentioned_address_folded, mention_text, application, client_reference, \
        deep_link, created_by_name, created_by_name_folded, created_by_address, \
        created_by_address_folded, created_at, version) \
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 1)";
    let folded = |text: &Option<String>| text.as_deref().map(|it| fold(it).into_owned());
    let (by_name, by_address) = (fold(by.0), fold(by.1));
    tx.send(
        sql,
        binds![
            group,
            it.id,
            post,
            it.mentioned.name.as_deref(),
            folded(&it.mentioned.name),
            it.mentioned.address.as_deref(),
            folded(&it.mentioned.address),
            it.text.as_deref(),
            it.application.as_deref(),
            it.client_reference.as_deref(),
            it.deep_link.as_deref(),
            by.0,
            by_name.as_ref(),
            by.1,
            by_address.as_ref(),
            now,
        ],
    )
    .await
}

/// A post that is to be sent to people outside its thread.
#[derive(Clone, Debug)]
pub(crate) struct NewForward<'d> {
    pub(crate) id: Uuid,
    pub(crate) post: PostId,
    pub(crate) comment: &'d str,
    /// JSON array of recipients.
    pub(crate) to: &'d str,
    pub(crate) author: Option<UserId>,
    pub(crate) app: Option<&'d str>,
}

/// Notes down that a post is to be forwarded.
pub(crate) async fn insert_forward(
    tx: &mut Tx,
    group: GroupId,
    it: &NewForward<'_>,
    now: i64,
) -> Result<(), Error> {
    let sql = "insert into forwards (group_id, id, post_id, comment, to_recipients, author, app, \
        created_at) values ($1, $2, $3, $4, $5, $6, $7, $8)";
    let binds = binds![group, it.id, it.post, it.comment, it.to, it.author, it.app, now];
    tx.send(sql, binds).await
}

/// How many rows of a collection of its own a post has; `table` is the model's.
pub(crate) async fn count(
    tx: &mut Tx,
    table: &'static str,
    group: GroupId,
    post: PostId,
) -> Result<usize, Error> {
    debug_assert!(TABLES.contains(&table), "{table}");
    let sql = format!("select count(*) from {table} where group_id = $1 and post_id = $2");
    let count = tx.first(&sql, binds![group, post], |row| row.int(0)).await?;
    Ok(usize::try_from(count.unwrap_or(0)).unwrap_or(usize::MAX))
}

/// Removes one row; `table` is the model's.
pub(crate) async fn delete(
    tx: &mut Tx,
    table: &'static str,
    group: GroupId,
    id: Uuid,
) -> Result<(), Error> {
    debug_assert!(TABLES.contains(&table), "{table}");
    tx.send(&format!("delete from {table} where group_id = $1 and id = $2"), binds![group, id])
        .await
}

/// Removes everything that hangs on the posts of a thread, or on one of them, before they go themselves.
pub(super) async fn delete_of(
    tx: &mut Tx,
    group: GroupId,
    thread: ThreadId,
    post: Option<PostId>,
) -> Result<(), Error> {
    let (which, id) = match post {
        Some(post) => ("post_id = $2", post.0),
        None => {
            let posts = "post_id in (select id from posts where group_id = $1 and thread_id = $2)";
            (posts, thread.0)
        }
    };
    for table in TABLES.into_iter().chain(["attachments"]) {
        let sql = format!("delete from {table} where group_id = $1 and {which}");
        tx.send(&sql, binds![group, id]).await?;
    }
    uploads::end(tx, group, which, binds![group, id]).await
}
