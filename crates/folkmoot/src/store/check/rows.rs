//! Rows against the rows that they refer to, and columns against their folded twins.
//!
//! **Invariant:** each foreign key of the schema has a row in [`REFERENCES`], each column with a folded
//! twin one in [`TWINS`]; a test breaks whatever the schema has of them.

use std::borrow::Cow;

use super::{Findings, named, quoted, shown};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::text::{fold, twin};

type Names = &'static [&'static str];

const ID: Names = &["id"];
const GROUP: Names = &["group_id"];
const IN_GROUP: Names = &["group_id", "id"];
const MEMBER: Names = &["group_id", "user_id"];
const OF_POST: Names = &["group_id", "post_id"];
const READ: Names = &["group_id", "user_id", "conversation_id"];
const SENDER: Names = &["group_id", "principal_id"];
const IDENTITY: Names = &["tenant_id", "issuer", "tenant", "claim", "subject"];
const HASH: Names = &["group_id", "hash"];
const SECRET: Names = &["hash"];
const USER: Names = &["user_id"];

/// Columns that refer to a row of another table.
pub(super) struct Reference {
    pub(super) table: &'static str,
    /// The primary key.
    key: Names,
    columns: Names,
    parent: &'static str,
    parent_key: Names,
}

/// Every foreign key. The database enforces them, but a copied or damaged file may violate them.
pub(super) const REFERENCES: [Reference; 58] = [
    refers("users", ID, &["tenant_id"], "tenants", ID),
    refers("groups", ID, &["tenant_id"], "tenants", ID),
    refers("group_members", MEMBER, &["group_id"], "groups", ID),
    refers("group_members", MEMBER, &["user_id"], "users", ID),
    refers("group_owners", MEMBER, &["group_id"], "groups", ID),
    refers("group_owners", MEMBER, &["user_id"], "users", ID),
    refers("users", ID, ID, "principals", ID),
    refers("groups", ID, ID, "principals", ID),
    refers("principals", ID, &["tenant_id"], "tenants", ID),
    refers("group_senders", SENDER, &["group_id"], "groups", ID),
    refers("group_senders", SENDER, &["principal_id"], "principals", ID),
    refers("group_subscriptions", MEMBER, &["group_id"], "groups", ID),
    refers("group_subscriptions", MEMBER, &["user_id"], "users", ID),
    refers("group_favorites", MEMBER, &["group_id"], "groups", ID),
    refers("group_favorites", MEMBER, &["user_id"], "users", ID),
    refers("identities", IDENTITY, &["tenant_id"], "tenants", ID),
    refers("identities", IDENTITY, &["user_id"], "users", ID),
    refers("parted_users", &["user_id", "issuer"], USER, "users", ID),
    refers("claimed_members", MEMBER, &["group_id"], "groups", ID),
    refers("claimed_members", MEMBER, &["user_id"], "users", ID),
    refers("join_requests", IN_GROUP, &["tenant_id"], "tenants", ID),
    refers("join_requests", IN_GROUP, &["group_id"], "groups", ID),
    refers("join_requests", IN_GROUP, USER, "users", ID),
    refers("group_invitations", IN_GROUP, &["tenant_id"], "tenants", ID),
    refers("group_invitations", IN_GROUP, &["group_id"], "groups", ID),
    refers("group_invitations", IN_GROUP, USER, "users", ID),
    refers("group_invitations", IN_GROUP, &["created_by"], "users", ID),
    refers("conversations", IN_GROUP, &["group_id"], "groups", ID),
    refers("threads", IN_GROUP, &["group_id", "conversation_id"], "conversations", IN_GROUP),
    refers("posts", IN_GROUP, &["group_id", "thread_id"], "threads", IN_GROUP),
    refers("attachments", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("attachments", IN_GROUP, HASH, "blobs", HASH),
    refers("extensions", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("single_value_properties", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("multi_value_properties", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("mentions", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("post_versions", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("forwards", IN_GROUP, OF_POST, "posts", IN_GROUP),
    refers("conversation_reads", READ, &["group_id", "conversation_id"], "conversations", IN_GROUP),
    refers("conversation_reads", READ, &["user_id"], "users", ID),
    refers("blobs", HASH, &["group_id"], "groups", ID),
    refers("attachment_use", GROUP, GROUP, "groups", ID),
    refers("upload_sessions", IN_GROUP, &["group_id"], "groups", ID),
    refers("upload_sessions", IN_GROUP, &["group_id", "post_id"], "posts", IN_GROUP),
    refers("feed_work", &["group_id", "consumer"], &["group_id"], "groups", ID),
    refers("activity", &["group_id", "conversation_id"], &["group_id"], "groups", ID),
    refers("group_reads", MEMBER, &["group_id"], "groups", ID),
    refers("group_reads", MEMBER, &["user_id"], "users", ID),
    refers("feed_heads", &["group_id"], &["group_id"], "groups", ID),
    refers("tenant_feed_heads", &["tenant_id"], &["tenant_id"], "tenants", ID),
    refers("apps", ID, &["tenant_id"], "tenants", ID),
    refers("sign_in_links", SECRET, USER, "users", ID),
    refers("sign_in_links", SECRET, &["tenant_id"], "tenants", ID),
    refers("sessions", SECRET, USER, "users", ID),
    refers("passwords", USER, USER, "users", ID),
    refers("grants", ID, &["app_id"], "apps", ID),
    refers("grants", ID, USER, "users", ID),
    refers("grant_tokens", SECRET, &["grant_id"], "grants", ID),
];

const fn refers(
    table: &'static str,
    key: Names,
    columns: Names,
    parent: &'static str,
    parent_key: Names,
) -> Reference {
    Reference { table, key, columns, parent, parent_key }
}

impl Reference {
    /// Rows that refer to nothing: their key, then what they refer to.
    pub(super) fn sql(&self) -> String {
        let Reference { table, key, columns, parent, parent_key } = self;
        let wanted: Vec<_> = key.iter().chain(*columns).map(|it| format!("c.{it}")).collect();
        let same: Vec<_> = columns
            .iter()
            .zip(*parent_key)
            .map(|(column, key)| format!("p.{key} = c.{column}"))
            .collect();
        // A null refers to nothing, and may.
        let there: Vec<_> = columns.iter().map(|it| format!("c.{it} is not null")).collect();
        format!(
            "select {} from {table} c where {} and not exists (select 1 from {parent} p where {})",
            wanted.join(", "),
            there.join(" and "),
            same.join(" and ")
        )
    }
}

/// Finds the rows that refer to nothing.
pub(super) async fn reference(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    it: &Reference,
) -> Result<(), Error> {
    tx.query(&it.sql(), &[], |row| {
        let key = named(&row, it.key, 0)?;
        let to = named(&row, it.columns, it.key.len())?;
        found.problem(it.table, &format!("{key}: refers to {to}, which is not in {}", it.parent));
        Ok(())
    })
    .await
}

/// A column that must say what other rows say.
pub(super) struct Agreement {
    pub(super) table: &'static str,
    column: &'static str,
    /// Rows that do not: group, id, what is there, what was expected.
    pub(super) sql: &'static str,
}

/// Columns that another table says too, and no summary computes.
pub(super) const AGREEMENTS: [Agreement; 4] = [
    Agreement {
        table: "groups",
        column: "senders_restricted",
        sql: "select g.id, g.id, g.senders_restricted, not g.senders_restricted from groups g \
            where g.senders_restricted is distinct from exists (select 1 from group_senders any_sender \
            where any_sender.group_id = g.id)",
    },
    Agreement {
        table: "posts",
        column: "conversation_id",
        sql: "select p.group_id, p.id, p.conversation_id, t.conversation_id from posts p \
            join threads t on t.group_id = p.group_id and t.id = p.thread_id \
            where p.conversation_id is distinct from t.conversation_id",
    },
    Agreement {
        table: "posts",
        column: "has_attachments",
        sql: "select p.group_id, p.id, p.has_attachments, not p.has_attachments from posts p \
            where p.has_attachments is distinct from exists (select 1 from attachments a \
            where a.group_id = p.group_id and a.post_id = p.id)",
    },
    Agreement {
        table: "attachments",
        column: "size",
        sql: "select a.group_id, a.id, a.size, b.size from attachments a \
            join blobs b on b.group_id = a.group_id and b.hash = a.hash \
            where a.size is distinct from b.size",
    },
];

/// Finds the rows whose column says something else.
pub(super) async fn agreement(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    it: &Agreement,
) -> Result<(), Error> {
    tx.query(it.sql, &[], |row| {
        let key = named(&row, IN_GROUP, 0)?;
        let (there, expected) = (shown(&row.bind(2)?), shown(&row.bind(3)?));
        let what = format!("{key}: {} is {there}, expected {expected}", it.column);
        found.problem(it.table, &what);
        Ok(())
    })
    .await
}

/// Columns with a folded twin, `x` with `x_folded`.
pub(super) struct Twins {
    pub(super) table: &'static str,
    key: Names,
    columns: Names,
    /// Those whose twin is kept only where the text is not in ASCII.
    wide: Names,
}

/// Every folded column.
pub(super) const TWINS: [Twins; 11] = [
    Twins {
        table: "users",
        key: ID,
        columns: &[
            "user_principal_name",
            "display_name",
            "given_name",
            "surname",
            "mail",
            "user_type",
        ],
        wide: &[],
    },
    Twins {
        table: "groups",
        key: ID,
        columns: &[
            "display_name",
            "description",
            "mail_nickname",
            "mail",
            "visibility",
            "proxy_addresses",
            "resource_behavior_options",
            "group_types",
        ],
        wide: &[],
    },
    Twins {
        table: "conversations",
        key: IN_GROUP,
        columns: &["topic", "unique_senders", "preview"],
        wide: &[],
    },
    Twins {
        table: "threads",
        key: IN_GROUP,
        columns: &["topic", "unique_senders", "preview", "to_recipients", "cc_recipients"],
        wide: &[],
    },
    Twins {
        table: "posts",
        key: IN_GROUP,
        columns: &[
            "categories",
            "from_name",
            "from_address",
            "sender_name",
            "sender_address",
            "new_participants",
        ],
        wide: &["body"],
    },
    Twins {
        table: "attachments",
        key: IN_GROUP,
        columns: &["name", "content_type"],
        wide: &["content_id", "source_url", "thumbnail_url", "preview_url"],
    },
    Twins { table: "extensions", key: IN_GROUP, columns: &["name"], wide: &[] },
    Twins {
        table: "single_value_properties",
        key: IN_GROUP,
        columns: &["name", "value"],
        wide: &[],
    },
    Twins {
        table: "multi_value_properties",
        key: IN_GROUP,
        columns: &["name", "value"],
        wide: &[],
    },
    Twins {
        table: "mentions",
        key: IN_GROUP,
        columns: &["mentioned_name", "mentioned_address", "created_by_name", "created_by_address"],
        wide: &[],
    },
    Twins { table: "post_versions", key: IN_GROUP, columns: &["categories"], wide: &[] },
];

/// Finds twins that are not the folded text; counts the rows of the table.
pub(super) async fn twins(
    tx: &mut Tx,
    found: &mut Findings<'_>,
    it: &Twins,
    count: &mut u64,
) -> Result<(), Error> {
    let mut wanted: Vec<_> = it.key.iter().map(|it| (*it).to_owned()).collect();
    let columns = || it.columns.iter().chain(it.wide);
    wanted.extend(columns().flat_map(|it| [(*it).to_owned(), format!("{it}_folded")]));
    let sql = format!("select {} from {}", wanted.join(", "), it.table);
    tx.query(&sql, &[], |row| {
        *count += 1;
        for (place, column) in columns().enumerate() {
            let at = it.key.len() + 2 * place;
            let plain = match row.is_null(at)? {
                true => None,
                false if place < it.columns.len() => Some(fold(row.text(at)?)),
                false => twin(row.text(at)?).map(Cow::Owned),
            };
            let folded = if row.is_null(at + 1)? { None } else { Some(row.text(at + 1)?) };
            if plain.as_deref() != folded {
                let key = named(&row, it.key, 0)?;
                let text = |it: Option<&str>| it.map_or_else(|| "null".to_owned(), quoted);
                let (there, expected) = (text(folded), text(plain.as_deref()));
                let what = format!("{key}: {column}_folded is {there}, expected {expected}");
                found.problem(it.table, &what);
            }
        }
        Ok(())
    })
    .await
}
