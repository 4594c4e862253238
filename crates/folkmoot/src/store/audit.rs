//! The audit: who did what to which entity, and from where.
//!
//! **Invariant:** a command's rows are made where its changes are handed to the feed, from the same
//! changes, and stored by the same transaction: what the feed hears of, the audit has, and what was rolled
//! back, neither. A row holds ids and names of operations, no word of anybody's.

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use odata::value::DateTimeOffset;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::clock::Clock;
use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::feed::{Change, Kind, Op, Place};
use crate::store::sql::{Bind, binds};

/// What kind of caller does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// A person, through an application or not.
    User,
    /// An application without a user.
    App,
    /// Somebody at the command line.
    CommandLine,
    /// Another issuer, whose token says something new of its user.
    Issuer,
    /// Somebody of whom it is not known yet who they are.
    Anonymous,
    /// The server itself.
    Server,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            By::User => "user",
            By::App => "application",
            By::CommandLine => "commandLine",
            By::Issuer => "issuer",
            By::Anonymous => "anonymous",
            By::Server => "server",
        }
    }
}

/// Who does something, what they call it, and from where.
#[derive(Clone, Debug)]
pub(crate) struct Act {
    /// The tenant that they are of; nil where the server does it.
    pub(crate) tenant: TenantId,
    pub(crate) by: By,
    pub(crate) user: Option<UserId>,
    pub(crate) app: Option<String>,
    /// A row of the operation table, a command, or what else somebody asks for by a name.
    pub(crate) operation: &'static str,
    pub(crate) request: Option<Uuid>,
    /// An address, or by which way a command came.
    pub(crate) client: Option<String>,
}

impl Act {
    /// What the server does of itself.
    pub(crate) const fn of_server() -> Act {
        Act {
            tenant: TenantId(Uuid::nil()),
            by: By::Server,
            user: None,
            app: None,
            operation: "server",
            request: None,
            client: None,
        }
    }
}

/// What was done that no change tells of.
#[derive(Clone, Debug)]
pub(crate) struct Deed {
    pub(crate) place: Place,
    /// What became of the entity, such as `issued` or `signedIn`.
    pub(crate) action: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) entity: Option<Uuid>,
    pub(crate) post: Option<Uuid>,
    /// Who it was, where that came out only now.
    pub(crate) user: Option<UserId>,
    /// What no id says; nothing that is a secret, and nothing that anybody wrote.
    pub(crate) detail: Option<String>,
}

impl Deed {
    /// One in a tenant.
    pub(crate) fn in_tenant(
        tenant: TenantId,
        action: &'static str,
        kind: &'static str,
        entity: Option<Uuid>,
    ) -> Deed {
        let place = Place::Tenant { tenant, group: None };
        Deed { place, action, kind, entity, post: None, user: None, detail: None }
    }
}

/// A row to be, without its id.
#[derive(Debug)]
pub(super) struct Entry {
    act: Arc<Act>,
    place: Place,
    action: &'static str,
    kind: &'static str,
    entity: Option<Uuid>,
    /// The thread that is made with a conversation, besides that of `place`.
    thread: Option<Uuid>,
    post: Option<Uuid>,
    part: Option<Uuid>,
    user: Option<UserId>,
    detail: Option<String>,
}

impl Entry {
    pub(super) fn of_deed(act: &Arc<Act>, deed: Deed) -> Entry {
        let Deed { place, action, kind, entity, post, user, detail } = deed;
        let act = act.clone();
        Entry { act, place, action, kind, entity, thread: None, post, part: None, user, detail }
    }

    fn of_change(act: &Arc<Act>, change: &Change) -> Entry {
        let (post, part) = match change.kind {
            Kind::Post => (Some(change.entity), change.part),
            Kind::Forward => (change.part, None),
            _ => (None, change.part),
        };
        Entry {
            act: act.clone(),
            place: change.place,
            action: action(change.op),
            kind: kind(change.kind),
            entity: Some(change.entity),
            thread: None,
            post,
            part,
            user: None,
            detail: None,
        }
    }

    fn user(&self) -> Option<UserId> {
        self.user.or(self.act.user)
    }
}

const fn action(op: Op) -> &'static str {
    match op {
        Op::Created => "created",
        Op::Updated => "updated",
        Op::Deleted => "deleted",
    }
}

const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Group => "group",
        Kind::User => "user",
        Kind::Member => "member",
        Kind::Owner => "owner",
        Kind::Conversation => "conversation",
        Kind::Thread => "thread",
        Kind::Post => "post",
        Kind::Forward => "forward",
        Kind::Invitation => "invitation",
        Kind::JoinRequest => "joinRequest",
    }
}

/// What a command has changed, as rows: what came into being together is one row, that of the outermost;
/// a thread or conversation that changed because something in it did has none; what went has one each.
pub(super) fn entries(act: &Arc<Act>, changes: &[Change]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    // Where nothing came or went, nothing follows: a conversation of many threads is not compared with itself.
    let moves = |it: &Change| it.kind == Kind::Post || it.op != Op::Updated;
    let anything_moves = changes.iter().any(moves);
    // Whether a thread or a conversation changed with something in it.
    let follows = |of: &Change| {
        anything_moves
            && changes.iter().any(|it| match (it.place, of.kind, it.kind) {
                (Place::Group { thread, .. }, Kind::Thread, Kind::Post) => {
                    thread.map(|it| it.0) == Some(of.entity)
                }
                (
                    Place::Group { conversation, .. },
                    Kind::Conversation,
                    Kind::Post | Kind::Thread,
                ) => moves(it) && conversation.map(|it| it.0) == Some(of.entity),
                _ => false,
            })
    };
    let mut updated = HashSet::new();
    for change in changes {
        let Place::Group { conversation, thread, .. } = change.place else {
            entries.push(Entry::of_change(act, change));
            continue;
        };
        match (change.kind, change.op) {
            (Kind::Conversation | Kind::Thread, Op::Updated) => {
                if !follows(change) && updated.insert(change.entity) {
                    entries.push(Entry::of_change(act, change));
                }
            }
            (Kind::Thread, Op::Created) => {
                let whole = entries.iter_mut().find(|it| {
                    it.made_with(conversation.map(|it| it.0), "conversation") && it.thread.is_none()
                });
                match whole {
                    Some(whole) => whole.thread = Some(change.entity),
                    None => entries.push(Entry::of_change(act, change)),
                }
            }
            (Kind::Post, Op::Created) => {
                let thread = thread.map(|it| it.0);
                let whole = entries.iter_mut().find(|it| {
                    let holds = it.made_with(thread, "thread")
                        || (it.thread.is_some() && it.thread == thread);
                    holds && it.post.is_none()
                });
                match whole {
                    Some(whole) => whole.post = Some(change.entity),
                    None => entries.push(Entry::of_change(act, change)),
                }
            }
            _ => entries.push(Entry::of_change(act, change)),
        }
    }
    entries
}

impl Entry {
    /// Whether it says that this entity was made.
    fn made_with(&self, entity: Option<Uuid>, kind: &str) -> bool {
        self.kind == kind && self.action == "created" && self.entity == entity
    }
}

/// Rows of one `insert` at most.
const ROWS_MAX: usize = 16;

/// The columns of either table: those before, the ones that both have, those after.
const COMMON: &str = "id, at, operation, action, entity_type, entity_id, caller, user_id, app, client, \
    request_id";
const OF_GROUP: &str = "group_id, tenant_id, conversation_id, thread_id, post_id, part_id";
const OF_TENANT: &str = "tenant_id, detail";
const COMMON_COUNT: usize = 11;

/// The `insert` of so many rows, made once: the place in the list and one.
type Inserts = [String; ROWS_MAX];

fn inserts(table: &str, columns: &str) -> Inserts {
    let width = columns.split(',').count() + COMMON_COUNT;
    let row = |number: usize| {
        let places = (0..width).map(|at| format!("${}", number * width + at + 1));
        format!("({})", places.collect::<Vec<_>>().join(", "))
    };
    std::array::from_fn(|last| {
        let rows: Vec<_> = (0..=last).map(row).collect();
        format!("insert into {table} ({columns}, {COMMON}) values {}", rows.join(", "))
    })
}

static INTO_GROUPS: LazyLock<Inserts> = LazyLock::new(|| inserts("audit", OF_GROUP));
static INTO_TENANTS: LazyLock<Inserts> = LazyLock::new(|| inserts("tenant_audit", OF_TENANT));

/// Writes the rows of a transaction.
pub(super) async fn write(tx: &mut Tx, clock: &Clock, entries: &[Entry]) -> Result<(), Error> {
    // Those of groups in their order, then those of tenants; few of a command are of the other kind.
    for of_groups in [true, false] {
        let is_it = |it: &&Entry| group_of(&it.place).is_some() == of_groups;
        let mut some = entries.iter().filter(is_it).peekable();
        while some.peek().is_some() {
            let (mut binds, mut rows) = (Vec::new(), 0);
            for entry in some.by_ref().take(ROWS_MAX) {
                entry.bind(clock, &mut binds);
                rows += 1;
            }
            let sql = if of_groups { &INTO_GROUPS[rows - 1] } else { &INTO_TENANTS[rows - 1] };
            tx.send(sql, &binds).await?;
        }
    }
    Ok(())
}

/// Whose owners see it.
fn group_of(place: &Place) -> Option<GroupId> {
    match place {
        Place::Group { group, .. } => Some(*group),
        Place::Tenant { group, .. } => *group,
    }
}

impl Entry {
    fn bind<'e>(&'e self, clock: &Clock, binds: &mut Vec<Bind<'e>>) {
        let (id, act) = (clock.id(), &*self.act);
        match self.place {
            Place::Group { group, conversation, thread } => {
                let conversation = conversation.map(|it| it.0);
                let thread = self.thread.or(thread.map(|it| it.0));
                binds.extend([group.into(), act.tenant.into(), conversation.into()]);
                binds.extend([thread.into(), self.post.into(), self.part.into()]);
            }
            Place::Tenant { tenant, group: Some(group) } => {
                binds.extend([group.into(), tenant.into(), Bind::Null, Bind::Null]);
                binds.extend([self.post.into(), self.part.into()]);
            }
            Place::Tenant { tenant, group: None } => {
                binds.extend([tenant.into(), self.detail.as_deref().into()]);
            }
        }
        binds.extend([id.into(), ticks_of(id).into(), act.operation.into(), self.action.into()]);
        binds.extend([self.kind.into(), self.entity.into(), act.by.name().into()]);
        binds.extend([self.user().into(), act.app.as_deref().into()]);
        binds.extend([act.client.as_deref().into(), act.request.into()]);
    }
}

const TICKS_A_MILLISECOND: i64 = 10_000;

/// The time in an id of version 7, in ticks (RFC 9562, section 5.7).
fn ticks_of(id: Uuid) -> i64 {
    let milliseconds = (id.as_u128() >> 80) as i64;
    DateTimeOffset::from_unix_seconds(0).ticks + milliseconds * TICKS_A_MILLISECOND
}

/// What every id from this time (ticks) on is not smaller than.
pub(crate) fn first_id_of(ticks: i64) -> Uuid {
    let since = ticks - DateTimeOffset::from_unix_seconds(0).ticks;
    let milliseconds = u128::try_from(since / TICKS_A_MILLISECOND).unwrap_or(0);
    Uuid::from_u128(milliseconds << 80)
}

/// Rows that one step of forgetting removes at most.
const FORGOTTEN_AT_ONCE: i64 = 1_000;

/// Some of the groups that have rows from before `before`.
pub(crate) async fn old(tx: &mut Tx, before: Uuid) -> Result<Vec<GroupId>, Error> {
    // From one group to the next by the key: there are many more rows than groups.
    let sql = "with recursive g (id) as (\
        select * from (select group_id from audit order by group_id limit 1) first \
        union all select (select a.group_id from audit a where a.group_id > g.id \
        order by a.group_id limit 1) from g where g.id is not null) \
        select g.id from g where g.id is not null and (select a.id from audit a \
        where a.group_id = g.id order by a.id limit 1) < $1 limit 100";
    let mut groups = Vec::new();
    tx.query(sql, binds![before], |row| {
        groups.push(GroupId(row.id(0)?));
        Ok(())
    })
    .await?;
    Ok(groups)
}

/// Removes the oldest rows of a group from before `before`, a portion at a time; how many.
pub(crate) async fn forget(tx: &mut Tx, group: GroupId, before: Uuid) -> Result<u64, Error> {
    let sql = "delete from audit where group_id = $1 and id in (select a.id from audit a \
        where a.group_id = $1 and a.id < $2 order by a.id limit $3)";
    let removed = tx.execute(sql, binds![group, before, FORGOTTEN_AT_ONCE]).await?;
    tx.unshown();
    Ok(removed)
}

/// The same of a tenant.
pub(crate) async fn forget_of_tenant(
    tx: &mut Tx,
    tenant: TenantId,
    before: Uuid,
) -> Result<u64, Error> {
    let sql = "delete from tenant_audit where tenant_id = $1 and id in (select a.id from tenant_audit a \
        where a.tenant_id = $1 and a.id < $2 order by a.id limit $3)";
    let removed = tx.execute(sql, binds![tenant, before, FORGOTTEN_AT_ONCE]).await?;
    tx.unshown();
    Ok(removed)
}

/// A row as it is exported; what is null is left out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exported {
    id: Uuid,
    created_date_time: String,
    tenant_id: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_id: Option<Uuid>,
    operation: String,
    action: String,
    entity_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_thread_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    post_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    part_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    caller: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Uuid>,
}

/// How far an export has come: tenants go before groups, each kind in the order of ids.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cursor {
    in_groups: bool,
    /// The tenant or group.
    of: Uuid,
    /// The last row of it.
    after: Uuid,
}

impl Cursor {
    /// Before the rows of a group.
    pub(crate) fn at_group(group: GroupId) -> Cursor {
        Cursor { in_groups: true, of: group.0, after: Uuid::nil() }
    }

    /// Before the rows of the next that has any.
    async fn next(self, tx: &mut Tx) -> Result<Option<Cursor>, Error> {
        const GROUPS: &str =
            "select group_id from audit where group_id > $1 order by group_id limit 1";
        const TENANTS: &str =
            "select tenant_id from tenant_audit where tenant_id > $1 order by tenant_id limit 1";
        // Nothing has the nil id: it comes before the first.
        let (mut in_groups, mut of) = (self.in_groups, self.of);
        loop {
            let sql = if in_groups { GROUPS } else { TENANTS };
            let found = tx.first(sql, binds![of], |row| row.id(0)).await?;
            match found {
                Some(of) => return Ok(Some(Cursor { in_groups, of, after: Uuid::nil() })),
                None if in_groups => return Ok(None),
                None => (in_groups, of) = (true, Uuid::nil()),
            }
        }
    }
}

/// Tenants and groups that one page looks into at most.
const PLACES_MAX: usize = 200;

/// Some rows with ids from the first of `range` to before the second, in the order of an export, and where
/// it goes on; nowhere: those were the last. `alone`: no further than the place of the cursor.
pub(crate) async fn page(
    tx: &mut Tx,
    range: (Uuid, Uuid),
    mut cursor: Cursor,
    alone: bool,
    rows_max: usize,
) -> Result<(Vec<Exported>, Option<Cursor>), Error> {
    let mut rows = Vec::new();
    for _ in 0..PLACES_MAX {
        let (table, of) =
            if cursor.in_groups { ("audit", "group_id") } else { ("tenant_audit", "tenant_id") };
        let columns = if cursor.in_groups { OF_GROUP } else { OF_TENANT };
        let sql = format!(
            "select {COMMON}, {columns} from {table} where {of} = $1 and id > $2 and id >= $3 \
             and id < $4 order by id limit $5"
        );
        let left = rows_max - rows.len();
        let limit = i64::try_from(left).unwrap_or(i64::MAX);
        let before = rows.len();
        let binds = binds![cursor.of, cursor.after, range.0, range.1, limit];
        let in_groups = cursor.in_groups;
        tx.query(&sql, binds, |row| {
            rows.push(Exported::read(&row, in_groups)?);
            Ok(())
        })
        .await?;
        if rows.len() - before == left {
            cursor.after = rows.last().map_or(cursor.after, |it| it.id);
            return Ok((rows, Some(cursor)));
        }
        match cursor.next(tx).await? {
            Some(next) if !alone => cursor = next,
            _ => return Ok((rows, None)),
        }
    }
    Ok((rows, Some(cursor)))
}

impl Exported {
    /// From a row with [`COMMON`] and the columns of its table after them.
    fn read(row: &Row<'_>, in_group: bool) -> Result<Exported, Error> {
        let id = |at| if row.is_null(at)? { Ok(None) } else { row.id(at).map(Some) };
        let text = |at| {
            if row.is_null(at)? { Ok(None) } else { row.text(at).map(|it| Some(it.to_owned())) }
        };
        let own = COMMON_COUNT;
        let of_group = |at: usize| if in_group { id(own + at) } else { Ok(None) };
        let tenant = row.id(if in_group { own + 1 } else { own })?;
        Ok(Exported {
            id: row.id(0)?,
            created_date_time: DateTimeOffset::utc(row.int(1)?).to_string(),
            tenant_id: tenant,
            group_id: of_group(0)?,
            operation: row.text(2)?.to_owned(),
            action: row.text(3)?.to_owned(),
            entity_type: row.text(4)?.to_owned(),
            entity_id: id(5)?,
            conversation_id: of_group(2)?,
            conversation_thread_id: of_group(3)?,
            post_id: of_group(4)?,
            part_id: of_group(5)?,
            detail: if in_group { None } else { text(own + 1)? },
            caller: row.text(6)?.to_owned(),
            user_id: id(7)?,
            application_id: text(8)?,
            client: text(9)?,
            request_id: id(10)?,
        })
    }
}
