//! The plans of hot queries, as the database makes them: each uses the index that was made for it.

use std::time::Duration;

use odata::bind::bind_query;
use odata::syntax::{Limits, parse_query};

use super::both::on_each;
use super::dialect::Db;
use super::form::{Form, Metadata, Wanted};
use super::plan::{Node, PageSizes, Parent, Place};
use super::search::{Sought, Walk, Words};
use super::sql::{Bind, Statement};
use super::{Error, Store, Tx};
use crate::access::{Access, Caller, GroupFacts, Sender, Visibility};
use crate::auth::Scopes;
use crate::ids::{GroupId, TenantId, UserId};
use crate::model::{
    ATTACHMENT, AUDIT_ENTRY, CONVERSATION, DIRECTORY_OBJECT, Entity, GROUP, Link, MODEL, POST,
    THREAD, USER,
};

const LIMITS: Limits = Limits { depth: 8, nodes: 50, expand_depth: 3, items: 20, segments: 20 };
const FORM: Form<'static> = Form {
    wanted: Wanted { metadata: Metadata::Minimal, body: None, page_max: None },
    root: "",
    pages: PageSizes { default: 20, max: 1_000 },
};

fn id(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn caller() -> Caller {
    Caller {
        tenant: TenantId(id(1)),
        user: Some(UserId(id(2))),
        app: None,
        scopes: Scopes::of(&[]),
    }
}

fn in_group() -> Access {
    let facts = GroupFacts {
        id: GroupId(id(3)),
        number: 1,
        display_name: String::new(),
        mail: String::new(),
        visibility: Visibility::Private,
        has_mailbox: true,
        members_only_posting: false,
        allow_external_senders: false,
        sender: Sender::Accepted,
        is_member: true,
        is_owner: false,
        is_guest: false,
        caller: Some((String::new(), String::new())),
    };
    Access::to_group(caller(), facts)
}

/// The plan of a statement, one step a line.
async fn explain(store: &Store, statement: Statement) -> String {
    store
        .read(statement, |tx: &mut Tx, statement| {
            Box::pin(async move {
                let (mut steps, column) = (Vec::new(), if tx.db() == Db::Sqlite { 3 } else { 0 });
                let (sql, binds) = match tx.db() {
                    Db::Sqlite => {
                        (format!("explain query plan {}", statement.sql), &statement.binds[..])
                    }
                    // Of an empty table everything is read, unless that is forbidden.
                    Db::Postgres => {
                        for kind in ["seqscan", "bitmapscan", "sort"] {
                            tx.batch(&format!("set local enable_{kind} = off")).await?;
                        }
                        (format!("explain {}", inlined(statement)), &[][..])
                    }
                };
                tx.query(&sql, binds, |row| {
                    steps.push(row.text(column)?.to_owned());
                    Ok(())
                })
                .await?;
                Ok::<_, Error>(steps.join("\n"))
            })
        })
        .await
        .unwrap()
}

/// A statement with its values in it: PostgreSQL's `explain` takes no parameters.
fn inlined(statement: &Statement) -> String {
    let mut sql = statement.sql.clone();
    for (at, value) in statement.binds.iter().enumerate().rev() {
        let value = match value {
            Bind::Id(id) => format!("cast('{id}' as uuid)"),
            Bind::Int(value) => value.to_string(),
            Bind::Bool(value) => value.to_string(),
            Bind::Text(text) => format!("'{}'", text.replace('\'', "''")),
            other => panic!("{other:?}"),
        };
        sql = sql.replace(&format!("${}", at + 1), &value);
    }
    sql
}

struct Case {
    entity: &'static Entity,
    parent: Option<(&'static Entity, &'static str)>,
    query: &'static str,
    uses: &'static str,
}

#[tokio::test]
async fn each_hot_query_uses_its_index_and_sorts_nothing() {
    on_each(4, Duration::from_secs(1), async |store, db| check(&store, db).await).await;
}

async fn check(store: &Store, db: Db) {
    let case = |entity, parent, query, uses| Case { entity, parent, query, uses };
    for Case { entity, parent, query, uses } in [
        case(
            &CONVERSATION,
            Some((&GROUP, "conversations")),
            "",
            "conversations_newest (group_id=?",
        ),
        case(
            &CONVERSATION,
            Some((&GROUP, "conversations")),
            "$filter=hasAttachments",
            "conversations_newest (group_id=?",
        ),
        case(
            &CONVERSATION,
            Some((&GROUP, "conversations")),
            "$orderby=lastDeliveredDateTime",
            "conversations_newest (group_id=?",
        ),
        case(
            &CONVERSATION,
            Some((&GROUP, "conversations")),
            "$filter=lastDeliveredDateTime gt 2020-01-01T00:00:00Z",
            "conversations_newest (group_id=? AND last_delivered_at>?",
        ),
        case(&THREAD, Some((&GROUP, "threads")), "", "threads_newest (group_id=?"),
        case(
            &THREAD,
            Some((&CONVERSATION, "threads")),
            "",
            "threads_by_conversation (group_id=? AND conversation_id=?",
        ),
        case(&POST, Some((&GROUP, "folkmoot.messages")), "", "posts_newest (group_id=?"),
        case(&AUDIT_ENTRY, Some((&GROUP, "folkmoot.audit")), "", "PRIMARY KEY (group_id=?"),
        case(&POST, Some((&THREAD, "posts")), "", "posts_by_thread (group_id=? AND thread_id=?"),
        case(
            &ATTACHMENT,
            Some((&POST, "attachments")),
            "",
            "attachments_by_post (group_id=? AND post_id=?",
        ),
        case(&USER, Some((&GROUP, "members")), "", "(group_id=?"),
        case(&GROUP, Some((&USER, "memberOf")), "", "group_members_by_user (user_id=?"),
        case(&DIRECTORY_OBJECT, Some((&GROUP, "acceptedSenders")), "", "PRIMARY KEY (group_id=?"),
        case(&GROUP, None, "", "groups_by_tenant (tenant_id=?"),
    ] {
        let options = parse_query(&query.replace(' ', "%20"), &LIMITS).unwrap();
        let query = bind_query(&MODEL, &entity.edm, &options).unwrap();
        let access = if entity.in_group || parent.is_some_and(|it| it.0.edm.name == "group") {
            in_group()
        } else {
            Access::to_tenant(caller(), false)
        };
        let via = parent.and_then(|(parent, name)| parent.edm.navigation(name));
        let node = Node::new(db, &query, &access, via, FORM);
        let place = match parent {
            None => Place::Set,
            Some((parent, _)) => {
                let link = parent.link(via.unwrap()).unwrap();
                let group = parent.in_group.then(|| id(3));
                Place::Under(Parent::new(parent, group, id(3)), link, None)
            }
        };
        let key: Vec<_> = (0..node.keys.len())
            .map(|at| if at + 1 < node.keys.len() { Bind::Int(7) } else { Bind::Id(id(7)) })
            .collect();
        for after in [None, Some(&key[..])] {
            let plan = explain(store, node.page(place, after)).await;
            // Only the few that a table of pairs leads to are sorted when they are read.
            let linked = matches!(place, Place::Under(_, Link::Through { .. }, _));
            let (used, sorts, scans) = match db {
                Db::Sqlite => (plan.contains(uses), "TEMP B-TREE", "SCAN"),
                // A partition's index has a name of its own: its columns say which it is.
                Db::Postgres => (plan.contains("Index"), "Sort", "Seq Scan"),
            };
            assert!(used, "{} {options:?}:\n{plan}", entity.table);
            assert!(linked || !plan.contains(sorts), "{}:\n{plan}", entity.table);
            assert!(db == Db::Sqlite || !plan.contains(scans), "{}:\n{plan}", entity.table);
        }
        let scans = if db == Db::Sqlite { "SCAN" } else { "Seq Scan" };
        let one = explain(store, node.one(place, Some(id(9)))).await;
        assert!(!one.contains(scans), "{}:\n{one}", entity.table);
        let count = explain(store, node.count(place)).await;
        assert!(!count.contains(scans), "{}:\n{count}", entity.table);
    }
}

#[tokio::test]
async fn a_search_walks_the_index_back_and_sorts_nothing() {
    on_each(4, Duration::from_secs(1), async |store, db| {
        let options = parse_query("", &LIMITS).unwrap();
        let query = bind_query(&MODEL, &CONVERSATION.edm, &options).unwrap();
        let access = in_group();
        let node = Node::new(db, &query, &access, None, FORM);
        let navigation = GROUP.edm.navigation("conversations").unwrap();
        let link = GROUP.link(navigation).unwrap();
        let place = Place::Under(Parent::new(&GROUP, None, id(3)), link, None);
        let words = Words::Phrase { field: None, tokens: vec!["word".into()] };
        let sought = Sought { words: Some(words), conditions: Vec::new() };
        let key = if db == Db::Sqlite { Bind::Int(7) } else { Bind::Id(id(7)) };
        for from in [None, Some(&key)] {
            let walk = Walk { node: &node, place, sought: &sought, from, stride: 32 };
            let plan = explain(&store, walk.statement()).await;
            let (used, sorts) = match db {
                Db::Sqlite => ("SCAN i VIRTUAL TABLE INDEX", "TEMP B-TREE"),
                Db::Postgres => ("Index Scan Backward", "Sort"),
            };
            assert!(plan.contains(used) && !plan.contains(sorts), "{plan}");
        }
    })
    .await;
}
