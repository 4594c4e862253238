//! What the tables are like in both databases: everything inside a group has a key that begins with
//! the group's id (DECISIONS D7), so that a group is read and written in one place.

use tempfile::TempDir;

use crate::support::Server;
use crate::support::postgres::Database;

/// How many parts a table inside a group has on PostgreSQL.
const PARTITIONS: &str = "4";

/// A key or an index that may begin with something else.
struct Exception {
    /// Which database has it.
    on: &'static [&'static str],
    table: &'static str,
    index: &'static str,
    /// What it begins with.
    first: &'static str,
    reason: &'static str,
}

const BOTH: &[&str] = &["SQLite", "PostgreSQL"];
const EXCEPTIONS: &[Exception] = &[
    Exception {
        on: &["SQLite"],
        table: "posts",
        index: "primary key",
        first: "number",
        reason: "the full-text index refers to rows by an integer (D7); posts_key has the group first",
    },
    Exception {
        on: &["PostgreSQL"],
        table: "post_index",
        index: "post_index_tokens",
        first: "tokens",
        reason: "a GIN index over tokens: it holds no id, and each partition has its own",
    },
    Exception {
        on: BOTH,
        table: "group_members",
        index: "group_members_by_user",
        first: "user_id",
        reason: "the groups of a user are asked for across groups",
    },
    Exception {
        on: BOTH,
        table: "group_owners",
        index: "group_owners_by_user",
        first: "user_id",
        reason: "the groups of a user are asked for across groups",
    },
    Exception {
        on: BOTH,
        table: "claimed_members",
        index: "claimed_members_by_user",
        first: "user_id",
        reason: "the groups of a user are asked for across groups",
    },
    Exception {
        on: BOTH,
        table: "feed_work",
        index: "feed_work_due",
        first: "consumer",
        reason: "what is due is looked for across groups: never all groups are read (D9)",
    },
    Exception {
        on: BOTH,
        table: "upload_sessions",
        index: "upload_sessions_by_id",
        first: "id",
        reason: "the address of an upload names its session alone",
    },
    Exception {
        on: BOTH,
        table: "join_requests",
        index: "join_requests_by_user",
        first: "user_id",
        reason: "what somebody asks is looked for across groups",
    },
    Exception {
        on: BOTH,
        table: "group_invitations",
        index: "group_invitations_by_user",
        first: "tenant_id",
        reason: "what somebody is invited into is looked for across groups",
    },
    Exception {
        on: BOTH,
        table: "group_invitations",
        index: "group_invitations_by_hash",
        first: "hash",
        reason: "a link names its invitation alone",
    },
    Exception {
        on: BOTH,
        table: "group_invitations",
        index: "group_invitations_by_end",
        first: "tenant_id",
        reason: "what is too old is looked for across groups",
    },
    Exception {
        on: BOTH,
        table: "tenant_feed",
        index: "primary key",
        first: "tenant_id",
        reason: "the tenant's stream; group_id says which of its groups a row tells of",
    },
];

/// Tables with a group_id that are not inside a group.
const OUTSIDE: [&str; 1] = ["tenant_feed"];

/// Table, index and first column of every key and index of a table with a group_id; `none` where there
/// is no key.
const KEYS_SQLITE: &str = "select m.name, 'primary key', coalesce((select k.name
    from pragma_table_info(m.name) k where k.pk = 1), 'none')
  from sqlite_master m where m.type = 'table'
    and exists (select 1 from pragma_table_info(m.name) c where c.name = 'group_id')
  union all select m.name, i.name, coalesce((select k.name from pragma_index_info(i.name) k
    where k.seqno = 0), 'an expression')
  from sqlite_master m, pragma_index_list(m.name) i where m.type = 'table' and i.origin <> 'pk'
    and exists (select 1 from pragma_table_info(m.name) c where c.name = 'group_id')
  order by 1, 2";
const KEYS_POSTGRES: &str = "with inside as (select t.oid, t.relname from information_schema.columns k
    join pg_class t on t.oid = format('%I.%I', k.table_schema, k.table_name)::regclass
    where k.column_name = 'group_id' and k.table_schema = current_schema() and not t.relispartition
    and t.relkind <> 'v')
  select t.relname, 'primary key', coalesce((select pg_get_indexdef(i.indexrelid, 1, true)
    from pg_index i where i.indrelid = t.oid and i.indisprimary), 'none') from inside t
  union all select t.relname, x.relname, pg_get_indexdef(i.indexrelid, 1, true) from inside t
    join pg_index i on i.indrelid = t.oid and not i.indisprimary join pg_class x on x.oid = i.indexrelid
  order by 1, 2";
/// Table, what it is partitioned by, and into how many parts.
const PARTS: &str = "select t.relname, coalesce(pg_get_partkeydef(t.oid), 'nothing'),
    (select count(*) from pg_inherits i where i.inhparent = t.oid)
  from information_schema.columns k
    join pg_class t on t.oid = format('%I.%I', k.table_schema, k.table_name)::regclass
  where k.column_name = 'group_id' and k.table_schema = current_schema() and not t.relispartition
    and t.relkind <> 'v'
  order by 1";

/// What is against the rule in the server's database, and the exceptions that are none.
fn faults(server: &Server) -> Vec<String> {
    let (on, sql) = match server.on_postgres() {
        true => ("PostgreSQL", KEYS_POSTGRES),
        false => ("SQLite", KEYS_SQLITE),
    };
    let keys = server.rows(sql);
    assert!(keys.len() >= 20, "{on}: {keys:?}");
    let is = |it: &Exception, row: &[String]| {
        it.on.contains(&on) && [it.table, it.index, it.first] == *row
    };
    let bad_key =
        |row: &&Vec<String>| row[2] != "group_id" && !EXCEPTIONS.iter().any(|it| is(it, row));
    let mut faults: Vec<_> =
        keys.iter().filter(bad_key).map(|row| format!("{on}: {}", row.join(" "))).collect();
    for it in EXCEPTIONS.iter().filter(|it| it.on.contains(&on)) {
        if !keys.iter().any(|row| is(it, row)) {
            let Exception { table, index, reason, .. } = it;
            faults.push(format!("{on}: no such exception: {table} {index} ({reason})"));
        }
    }
    if server.on_postgres() {
        let parts = server.rows(PARTS);
        assert!(parts.len() >= 10, "{parts:?}");
        let inside = parts.iter().filter(|row| !OUTSIDE.contains(&row[0].as_str()));
        let bad = inside.filter(|row| row[1..] != ["HASH (group_id)", PARTITIONS]);
        faults.extend(bad.map(|row| format!("{on}: {} parts", row.join(" "))));
    }
    faults
}

/// Each hurts the rule, and what is said of it. They come one after another.
const DAMAGES: [(&str, &str); 4] = [
    ("create index odd on threads (id)", "threads odd id"),
    ("create unique index odder on attachments (post_id, group_id)", "attachments odder post_id"),
    ("create table strange (id bigint primary key, group_id bigint)", "strange primary key id"),
    ("create table stranger (group_id bigint)", "stranger primary key none"),
];

#[test]
fn all_keys_inside_a_group_begin_with_the_group_on_sqlite() {
    let server = Server::on_sqlite(TempDir::new().unwrap());
    assert_eq!(faults(&server), [""; 0]);
    for (number, (damage, expected)) in DAMAGES.iter().enumerate() {
        server.change(damage);
        let faults = faults(&server);
        assert_eq!(faults.len(), number + 1, "{faults:?}");
        assert!(faults.iter().any(|it| it.ends_with(expected)), "{damage}: {faults:?}");
    }
}

#[test]
fn all_keys_inside_a_group_begin_with_the_group_on_postgres() {
    let Some(database) = Database::new() else { return };
    let server = Server::on_database(&database.url);
    assert_eq!(faults(&server), [""; 0]);
    for (damage, expected) in DAMAGES.into_iter().chain([
        ("alter table feed detach partition feed_p3", "feed HASH (group_id) 3 parts"),
        ("create table odd_parts (group_id bigint primary key)", "odd_parts nothing 0 parts"),
    ]) {
        assert!(!faults(&server).iter().any(|it| it.ends_with(expected)), "{damage}");
        server.change(damage);
        let faults = faults(&server);
        assert!(faults.iter().any(|it| it.ends_with(expected)), "{damage}: {faults:?}");
    }
}
