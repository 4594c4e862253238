//! Bound queries to statements: which rows, in which order, from where.
//!
//! **Invariant:** a [`Node`] cannot be made without an [`Access`], and every `from` that this file
//! writes carries that access's condition; so no list, key, count, expansion or lambda shows what the
//! caller may not see.

use odata::bind::{OrderKey, Query, Shows};
use odata::edm::{Navigation, Property, Published, Root};
use odata::syntax::Options;
use uuid::Uuid;

use crate::access::Access;
use crate::ids::GroupId;
use crate::model::{Entity, Link, MODEL, entity_of};
use crate::store::allow::{allow, allow_link};
use crate::store::dialect::Db;
use crate::store::form::Form;
use crate::store::predicate::{self, Operand};
use crate::store::render::{CALLER, Program};
use crate::store::sql::{Bind, Statement};

/// One level of a read: the entities of one collection, or one entity.
pub(crate) struct Node<'q> {
    db: Db,
    pub(super) entity: &'static Entity,
    pub(super) access: &'q Access,
    pub(super) query: &'q Query,
    pub(super) form: Form<'q>,
    pub(super) program: Program,
    pub(super) keys: Vec<Key>,
    /// Columns that are not shown: the id, the group's id, the sort keys.
    pub(super) hidden: Hidden,
    pub(super) expand: Vec<Expanded<'q>>,
    /// How many rows a page has.
    pub(super) page: usize,
}

/// The places of hidden columns in the select list.
pub(super) struct Hidden {
    pub(super) id: usize,
    pub(super) group: Option<usize>,
    pub(super) version: usize,
    pub(super) keys: Vec<usize>,
}

/// An expanded navigation.
pub(super) struct Expanded<'q> {
    pub(super) navigation: &'static Navigation,
    pub(super) options: &'q Options,
    pub(super) shows: Shows,
    pub(super) node: Node<'q>,
}

/// One sort key.
#[derive(Clone, Debug)]
pub(super) struct Key {
    operand: Operand,
    descending: bool,
}

/// The entity that a collection hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) entity: &'static str,
    pub(crate) table: &'static str,
    /// Its group, where it lives in one.
    pub(crate) group: Option<Uuid>,
    /// Its id.
    pub(crate) id: Uuid,
}

impl Parent {
    /// A parent of type `entity`.
    pub(crate) fn new(entity: &'static Entity, group: Option<Uuid>, id: Uuid) -> Parent {
        Parent { entity: entity.edm.name, table: entity.table, group, id }
    }
}

/// Which rows a statement is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// A whole set.
    Set,
    /// What of a whole set is of one derived type.
    OfKind(Kind),
    /// What a navigation of a parent leads to; of one derived type, where the path says so.
    Under(Parent, Link, Option<Kind>),
}

/// A derived type of an abstract one, by its place among them.
pub(crate) type Kind = i64;
/// How an entity was come to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way<'u> {
    /// Through the collection with this address.
    Collection(&'u str),
    /// By this address of its own.
    Entity(&'u str),
}

/// How much may be in an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageSizes {
    /// Rows of a page where `$top` is not given.
    pub(crate) default: u64,
    /// Rows of a page at most; a larger `$top` is taken as this.
    pub(crate) max: u64,
}

impl<'q> Node<'q> {
    /// Plans `query` for the caller of `access`; `via` is the navigation that leads here: it may be
    /// declared with a wider type, and have an order of its own.
    pub(crate) fn new(
        db: Db,
        query: &'q Query,
        access: &'q Access,
        via: Option<&'static Navigation>,
        form: Form<'q>,
    ) -> Node<'q> {
        let declared = via.is_some_and(|it| it.declared.is_some());
        let entity = entity_of(query.entity);
        let mut shown = shown(entity, query, form.is_beta());
        shown.extend(&query.documents);
        let program = Program::new(entity, &shown, declared, query, form);
        let reversed = via.is_some_and(|it| it.reversed);
        Node::of(db, entity, query, access, form, (program, reversed))
    }

    /// Plans `query` for references to what it finds, in place of that itself.
    pub(crate) fn references(
        db: Db,
        query: &'q Query,
        access: &'q Access,
        form: Form<'q>,
    ) -> Node<'q> {
        Node::of(db, entity_of(query.entity), query, access, form, (Program::references(), false))
    }

    fn of(
        db: Db,
        entity: &'static Entity,
        query: &'q Query,
        access: &'q Access,
        form: Form<'q>,
        (mut program, reversed): (Program, bool),
    ) -> Node<'q> {
        let keys = keys(entity, &query.order_by, reversed);
        let mut expand = Vec::with_capacity(query.expand.len());
        for item in &query.expand {
            let node = match item.shows {
                Shows::References => Node::references(db, &item.query, access, form),
                Shows::Entities | Shows::Count => {
                    Node::new(db, &item.query, access, Some(item.navigation), form)
                }
            };
            let (navigation, options, shows) = (item.navigation, &item.options, item.shows);
            expand.push(Expanded { navigation, options, shows, node });
        }
        let hidden = Hidden {
            id: program.column("t0.id".into()),
            group: entity.in_group.then(|| program.column("t0.group_id".into())),
            version: program.column("t0.version".into()),
            keys: keys.iter().map(|key| program.column(key.operand.sql.clone())).collect(),
        };
        let page = usize::try_from(form.page(query.top)).unwrap_or(usize::MAX);
        Node { db, entity, access, query, form, program, keys, hidden, expand, page }
    }

    /// The own address of the entity with this id, for links to it. What has a set at the root is
    /// found there, whatever the way to it.
    pub(super) fn own(&self, id: Uuid, way: Way<'_>) -> String {
        let id = id.hyphenated();
        if self.program.is_of_references() {
            return format!("{}/directoryObjects/{id}", self.form.root);
        }
        let is_its = |set: &&Root| !set.singleton && std::ptr::eq((set.entity)(), &self.entity.edm);
        match (MODEL.roots.iter().find(is_its), way) {
            (Some(set), _) => format!("{}/{}/{id}", self.form.root, set.name),
            (None, Way::Collection(url)) => format!("{url}/{id}"),
            (None, Way::Entity(url)) => url.to_owned(),
        }
    }

    /// Writes the page's size into the options of the link to the next one, where it was asked for by
    /// a header: who follows a link need not repeat that.
    pub(crate) fn keep_page(&self, options: &mut Options) {
        if self.form.wanted.page_max.is_some() {
            options.top = u64::try_from(self.page).ok();
        }
    }

    /// Whether `key`, which a client sent, can be the sort key of a row.
    pub(crate) fn fits(&self, key: &[Bind<'static>]) -> bool {
        let fits = |(key, value): (&Key, &Bind<'_>)| match value {
            Bind::Null => key.operand.nullable,
            Bind::Id(_) => key.operand.kind == predicate::Kind::Id,
            Bind::Text(_) => {
                use predicate::Kind::{Exact, Folded, Name};
                matches!(key.operand.kind, Folded | Exact | Name(_))
            }
            _ => {
                matches!(key.operand.kind, predicate::Kind::Plain | predicate::Kind::Version)
            }
        };
        self.keys.len() == key.len() && self.keys.iter().zip(key).all(fits)
    }

    /// The statement for one page, one row longer than the page so that a next one shows.
    pub(super) fn page(&self, place: Place, after: Option<&[Bind<'static>]>) -> Statement {
        let mut sql = Statement::new(self.db);
        self.select(&mut sql);
        self.rows(&mut sql, place);
        if let Some(after) = after {
            sql.push(" and ");
            self.after(&mut sql, after);
        }
        sql.push(" order by ");
        for (at, key) in self.keys.iter().enumerate() {
            sql.push(if at > 0 { ", " } else { "" }).push(&key.operand.sql);
            sql.push(match (key.descending, key.operand.nullable) {
                (false, false) => "",
                (true, false) => " desc",
                (false, true) => " asc nulls first",
                (true, true) => " desc nulls last",
            });
        }
        sql.push(" limit ").bind(self.page as i64 + 1);
        if let (None, Some(skip)) = (after, self.query.skip) {
            sql.push(" offset ").bind(i64::try_from(skip).unwrap_or(i64::MAX));
        }
        sql
    }

    /// The statement for one entity.
    pub(super) fn one(&self, place: Place, id: Option<Uuid>) -> Statement {
        let mut sql = Statement::new(self.db);
        self.select(&mut sql);
        self.rows(&mut sql, place);
        if let Some(id) = id {
            sql.push(" and t0.id = ").bind(id);
        }
        sql.push(" limit 1");
        sql
    }

    /// The statement for all entities at a place, to which more conditions are added.
    pub(super) fn listed(&self, place: Place) -> Statement {
        let mut sql = Statement::new(self.db);
        self.select(&mut sql);
        self.rows(&mut sql, place);
        sql
    }

    /// The statement that says by their ids which there are.
    pub(super) fn ids(&self, place: Place) -> Statement {
        let mut sql = Statement::new(self.db);
        sql.push("select t0.id from ");
        self.rows(&mut sql, place);
        sql
    }

    /// Which database it is planned for.
    pub(super) fn db(&self) -> Db {
        self.db
    }

    /// `select … from `, first in a statement: what is another for each caller is bound here.
    fn select(&self, sql: &mut Statement) {
        let mut list = self.program.select_list();
        if list.contains(CALLER) {
            sql.binds.push(self.access.caller().user.into());
            list = list.replace(CALLER, "$1");
        }
        sql.push("select ").push(&list).push(" from ");
    }

    /// The statement that counts.
    pub(super) fn count(&self, place: Place) -> Statement {
        let mut sql = Statement::new(self.db);
        sql.push("select count(*) from ");
        self.rows(&mut sql, place);
        sql
    }

    fn rows(&self, sql: &mut Statement, place: Place) {
        from(sql, self.access, self.entity, place);
        if let Some(filter) = &self.query.filter {
            sql.push(" and ");
            let inside = inside(self.access, self.entity, place).is_some();
            predicate::write(sql, self.access, self.entity, inside, filter);
        }
    }

    /// The rows that come after the one with the sort key `after`.
    fn after(&self, sql: &mut Statement, after: &[Bind<'static>]) {
        let one_way = self.keys.iter().all(|key| key.descending == self.keys[0].descending);
        let plain = self.keys.iter().all(|key| !key.operand.nullable);
        if one_way && plain {
            let columns: Vec<_> = self.keys.iter().map(|key| key.operand.sql.as_str()).collect();
            let sign = if self.keys[0].descending { ") < (" } else { ") > (" };
            sql.push("(").push(&columns.join(", ")).push(sign);
            for (at, value) in after.iter().enumerate() {
                sql.push(if at > 0 { ", " } else { "" }).bind(value.clone());
            }
            sql.push(")");
            return;
        }
        // Equal in the keys before, and after it in this one; for each key in turn.
        sql.push("(");
        for at in 0..self.keys.len() {
            sql.push(if at > 0 { " or (" } else { "(" });
            for (key, value) in self.keys.iter().zip(after).take(at) {
                sql.push(&key.operand.sql).push(" is not distinct from ").bind(value.clone());
                sql.push(" and ");
            }
            beyond(sql, &self.keys[at], &after[at]);
            sql.push(")");
        }
        sql.push(")");
    }
}

fn beyond(sql: &mut Statement, key: &Key, value: &Bind<'static>) {
    let column = &key.operand.sql;
    match (key.descending, value) {
        // Nulls come first ascending and last descending.
        (false, Bind::Null) => sql.push(column).push(" is not null"),
        (true, Bind::Null) => sql.push("1 = 0"),
        (false, value) => sql.push(column).push(" > ").bind(value.clone()),
        (true, value) => {
            sql.push("(").push(column).push(" < ").bind(value.clone());
            sql.push(" or ").push(column).push(" is null)")
        }
    };
}

/// The properties to show.
fn shown(entity: &'static Entity, query: &Query, beta: bool) -> Vec<&'static Property> {
    let in_version = |it: &&Property| beta || it.published != Published::Beta;
    match &query.select {
        Some(selected) => selected.clone(),
        None => {
            entity.edm.properties.iter().filter(|it| it.by_default).filter(in_version).collect()
        }
    }
}

/// The sort keys: those asked for or the entity's own, which may be reversed, and the id last, so that no
/// two rows are equal.
fn keys(entity: &'static Entity, order_by: &[OrderKey], reversed: bool) -> Vec<Key> {
    let mut keys: Vec<Key> = if order_by.is_empty() {
        use predicate::Kind::{Id, Plain};
        let plain = |column: &str| Operand {
            sql: format!("t0.{column}"),
            kind: if column == "id" { Id } else { Plain },
            nullable: false,
        };
        entity
            .order
            .iter()
            .map(|(column, descending)| Key {
                operand: plain(column),
                descending: *descending != reversed,
            })
            .collect()
    } else {
        order_by
            .iter()
            .map(|key| Key {
                operand: predicate::operand(entity, "t0", &key.member.path),
                descending: key.descending,
            })
            .collect()
    };
    let descending = keys.last().is_some_and(|key| key.descending);
    let id = Operand { sql: "t0.id".into(), kind: predicate::Kind::Id, nullable: false };
    if keys.iter().all(|key| key.operand.sql != id.sql) {
        keys.push(Key { operand: id, descending });
    }
    keys
}

/// The group that the access is to, where the rows at `place` are in it, or are it. What was reached by
/// way of a user, whose groups are any, is not.
fn inside(access: &Access, entity: &Entity, place: Place) -> Option<GroupId> {
    let own = access.group()?.id;
    let is = match place {
        Place::Set | Place::OfKind(_) => entity.edm.name == "group",
        Place::Under(parent, ..) => {
            let group = if parent.entity == "group" { Some(parent.id) } else { parent.group };
            entity.in_group && group == Some(own.0)
        }
    };
    is.then_some(own)
}

/// `table t0 where …`: the rows of `entity` at `place` that the caller may see.
pub(super) fn from(sql: &mut Statement, access: &Access, entity: &'static Entity, place: Place) {
    let inside = inside(access, entity, place);
    match place {
        Place::Set => {
            sql.push(entity.table).push(" t0 where ");
            allow(sql, access, entity, "t0", inside);
        }
        Place::OfKind(kind) => {
            sql.push(entity.table).push(" t0 where ");
            allow(sql, access, entity, "t0", inside);
            narrow(sql, Some(kind));
        }
        Place::Under(_, Link::Nowhere, _) => {
            sql.push(entity.table).push(" t0 where ");
            allow(sql, access, entity, "t0", inside);
            sql.push(" and 1 = 0");
        }
        Place::Under(parent, Link::Keys(pairs), kind) => {
            sql.push(entity.table).push(" t0 where ");
            allow(sql, access, entity, "t0", inside);
            for (column, of_parent) in pairs {
                if inside.is_none() || *column != "group_id" {
                    sql.push(" and t0.").push(column).push(" = ");
                    value_of(sql, parent, of_parent);
                }
            }
            narrow(sql, kind);
        }
        Place::Under(parent, Link::Through { table, from, to }, kind) => {
            // `cross join` keeps the order: the links of one parent are few, its targets' table is not.
            sql.push(table).push(" l cross join ").push(entity.table).push(" t0 where t0.id = l.");
            sql.push(to).push(" and l.").push(from).push(" = ").bind(parent.id).push(" and ");
            allow(sql, access, entity, "t0", inside);
            sql.push(" and ");
            let own = from == "group_id" && access.group().is_some_and(|it| it.id.0 == parent.id);
            allow_link(sql, access, "l", own);
            narrow(sql, kind);
        }
    }
}

/// The rows of one derived type.
fn narrow(sql: &mut Statement, kind: Option<Kind>) {
    if let Some(kind) = kind {
        sql.push(" and t0.kind = ").bind(kind);
    }
}

/// The value of a column of `parent`: bound where it is known, looked up by its key where not.
fn value_of(sql: &mut Statement, parent: Parent, column: &str) {
    match (column, parent.group) {
        ("id", _) => {
            sql.bind(parent.id);
        }
        ("group_id", Some(group)) => {
            sql.bind(group);
        }
        (other, group) => {
            sql.push("(select p.").push(other).push(" from ").push(parent.table);
            sql.push(" p where p.id = ").bind(parent.id);
            if let Some(group) = group {
                sql.push(" and p.group_id = ").bind(group);
            }
            sql.push(")");
        }
    }
}

/// `table alias where …`: the rows that `navigation` leads to from the row at `parent`, for lambdas.
/// `inside`: the row at `parent` is in the group that the access is to, or is it. Returns whether what
/// it leads to is, too.
pub(super) fn correlate(
    sql: &mut Statement,
    access: &Access,
    entity: &'static Entity,
    navigation: &'static Navigation,
    (parent, inside): (&str, bool),
    alias: &str,
) -> bool {
    let target = entity_of((navigation.target)());
    let own = access.group().map(|it| it.id).filter(|_| inside && target.in_group);
    match entity.link(navigation) {
        Some(Link::Keys(pairs)) => {
            sql.push(target.table).push(" ").push(alias).push(" where ");
            for (column, of_parent) in pairs {
                sql.push(alias).push(".").push(column).push(" = ");
                sql.push(parent).push(".").push(of_parent).push(" and ");
            }
            allow(sql, access, target, alias, own);
        }
        Some(Link::Through { table, from, to }) => {
            let link = format!("l{alias}");
            sql.push(table).push(" ").push(&link).push(" cross join ").push(target.table).push(" ");
            sql.push(alias).push(" where ").push(alias).push(".id = ").push(&link).push(".");
            sql.push(to).push(" and ").push(&link).push(".").push(from).push(" = ");
            sql.push(parent).push(".id and ");
            allow(sql, access, target, alias, own);
            sql.push(" and ");
            allow_link(sql, access, &link, inside && from == "group_id");
        }
        Some(Link::Nowhere) | None => {
            sql.push(target.table).push(" ").push(alias).push(" where 1 = 0");
        }
    }
    own.is_some()
}
