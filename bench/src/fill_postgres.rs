//! The same as `fill.rs` on PostgreSQL, whose server makes the rows itself.
//!
//! **Invariant:** what is written reads as if the server had written it.

use anyhow::Context;
use tokio_postgres::Client;

use crate::fill::{EPOCH, SECOND, STEP};
use crate::postgres_ceiling::vector;
use crate::texts;

/// What the index has of the sender, after topic and body.
const SENDER: &str = "'ada':70C,71C 'example':72C 'org':73C";
/// Conversations a statement.
const BATCH: u64 = 50_000;

/// Writes conversations with one post each into the group.
pub(crate) async fn fill(client: &Client, group: &str, conversations: u64) -> anyhow::Result<()> {
    let mut sql = String::from(
        "create temp table if not exists texts \
         (at bigint primary key, topic text, body text, preview text, tokens text); \
         truncate texts; insert into texts values ",
    );
    for (at, text) in texts::all().iter().enumerate() {
        let (topic, body) = (&text.topic, &text.body);
        let (preview, tokens) = (&body[..body.len().min(255)], vector(topic, body) + SENDER);
        let tokens = tokens.replace('\'', "''");
        let comma = if at > 0 { ", " } else { "" };
        sql.push_str(&format!("{comma}({at}, '{topic}', '{body}', '{preview}', '{tokens}')"));
    }
    client.batch_execute(&sql).await?;
    // Until all is there, no row is looked up for a foreign key and no write waits for the disk.
    durable(client, false).await?;
    client.batch_execute("set session_replication_role = replica").await?;
    for from in (0..conversations).step_by(BATCH as usize) {
        let to = (from + BATCH).min(conversations) - 1;
        let what = "the schema is not the one that this was written for";
        client.batch_execute(&batch(group, from, to)).await.context(what)?;
        eprintln!("filling: {} of {} conversations on PostgreSQL", to + 1, conversations);
    }
    let head = conversations * 3;
    let sql = format!(
        "insert into feed_heads (group_id, seq) values ('{group}', {head}) \
         on conflict (group_id) do update set seq = {head}"
    );
    client.batch_execute(&sql).await?;
    durable(client, true).await
}

/// Whether the whole database server waits for the disk.
async fn durable(client: &Client, on: bool) -> anyhow::Result<()> {
    for name in ["fsync", "full_page_writes"] {
        client.batch_execute(&format!("alter system set {name} = {on}")).await?;
    }
    client.batch_execute("select pg_reload_conf()").await?;
    if on {
        client.batch_execute("checkpoint").await?;
    }
    Ok(())
}

/// Conversations `from` to `to`, as one transaction.
fn batch(group: &str, from: u64, to: u64) -> String {
    let count = texts::VARIANTS;
    // An id of version 7 whose last letters are the number, and whose third part tells what it is of.
    let id = |part: u8| {
        format!(
            "cast(lpad(to_hex((begun / 10000) - 62135596800000), 12, '0') || '700{part}8000' || \
             lpad(to_hex(n), 12, '0') as uuid)"
        )
    };
    let (conversation, thread, post) = (id(0), id(1), id(2));
    let step = STEP * SECOND;
    let text = "topic, topic, false, begun, 0, '[\"ada\"]', '[\"ada\"]', preview, preview";
    format!(
        "create temp table if not exists made (n bigint, begun bigint, topic text, body text, \
            preview text, tokens text, conversation uuid, thread uuid, post uuid); \
         truncate made; \
         insert into made select n, begun, topic, body, preview, tokens, {conversation}, {thread}, \
            {post} from (select n, {EPOCH} + n * {step} as begun \
            from generate_series(cast({from} as bigint), {to}) as n) as numbers \
            join texts on texts.at = n % {count}; \
         insert into conversations (group_id, id, topic, topic_folded, has_attachments, \
            last_delivered_at, last_delivered_offset, unique_senders, unique_senders_folded, preview, \
            preview_folded, posts, created_at, version) \
            select '{group}', conversation, {text}, 1, begun, 1 from made; \
         insert into threads (group_id, id, conversation_id, topic, topic_folded, has_attachments, \
            last_delivered_at, last_delivered_offset, unique_senders, unique_senders_folded, preview, \
            preview_folded, is_locked, to_recipients, to_recipients_folded, posts, version) \
            select '{group}', thread, conversation, {text}, false, '[]', '[]', 1, 1 from made; \
         insert into posts (group_id, id, conversation_id, thread_id, message_id, created_at, \
            modified_at, received_at, received_offset, has_attachments, categories, \
            categories_folded, body_type, body, from_name, from_name_folded, from_address, \
            from_address_folded, sender_name, sender_name_folded, sender_address, \
            sender_address_folded, new_participants, new_participants_folded, version) \
            select '{group}', post, conversation, thread, n || '@bench', begun, begun, begun, 0, \
            false, '[]', '[]', 'text', body, 'ada', 'ada', 'ada@example.org', 'ada@example.org', \
            'ada', 'ada', 'ada@example.org', 'ada@example.org', '[]', '[]', 1 from made; \
         insert into post_index (group_id, post_id, tokens) \
            select '{group}', post, cast(tokens as tsvector) from made; \
         insert into feed (group_id, seq, at, kind, op, entity_id, conversation_id, thread_id, \
            changed) select '{group}', n * 3 + part, begun, 4 + part, 1, entity, conversation, \
            case when part > 1 then thread end, 0 \
            from made, \
            lateral (values (1, conversation), (2, thread), (3, post)) as parts (part, entity)"
    )
}
