//! Runs planned reads and writes what they find as JSON.
//!
//! **Invariant:** an answer holds at most as many rows as its budget, counted over all its levels; a
//! read that would need more fails and says so.

use std::path::Path;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use odata::bind::Dynamic;
use odata::bind::Shows;
use odata::json::write_string;
use uuid::Uuid;

use crate::model::{Entity, Source, context_of};
use crate::store::driver::{Row, Tx};
use crate::store::error::Error;
use crate::store::form::Metadata;
use crate::store::plan::{self, Expanded, Node, Parent, Place, Way};
use crate::store::predicate;
use crate::store::render::write_ways;
use crate::store::skiptoken;
use crate::store::sql::{Bind, Statement};
use crate::text::fold;

/// What is left of the rows that an answer may hold.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    max: usize,
    /// Bytes of the answer past which a page ends before its time.
    bytes: usize,
}

impl Budget {
    /// A budget of `max` rows and `bytes` bytes.
    pub(crate) fn new(max: usize, bytes: usize) -> Budget {
        Budget { left: max, max, bytes }
    }

    /// Rows that an answer may hold, and that may be looked through for it.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Bytes of the answer past which a page ends before its time.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn spend(&mut self) -> Result<(), Error> {
        self.left = self.left.checked_sub(1).ok_or(Error::TooManyRows(self.max))?;
        Ok(())
    }
}

/// The end of a page.
#[derive(Debug)]
pub(crate) enum PageEnd {
    /// There is no more.
    Last,
    /// There is more after the row with this sort key.
    After(Vec<Bind<'static>>),
    /// There may be more: the answer was full before the first row.
    Full,
}

/// One entity, found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Its version, which its ETag shows.
    pub(crate) version: i64,
}

/// A row that was written, and what its expansions need of it.
pub(super) struct Written {
    pub(super) parent: Parent,
    version: i64,
    /// Its sort key, for the link to the next page.
    pub(super) key: Option<Vec<Bind<'static>>>,
}

/// Where an entity or a collection is, for links and contexts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Home<'a> {
    /// Its address.
    pub(crate) url: &'a str,
    /// What stands behind `$metadata#` in its context: of the collection, or with the entity's key.
    pub(crate) context: &'a str,
}

/// Writes the rows of one page, comma-separated objects, to `out`. `home` is the collection's, for what
/// expansions say of themselves.
pub(crate) async fn page(
    tx: &mut Tx,
    node: &Node<'_>,
    place: Place,
    after: Option<&[Bind<'static>]>,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<PageEnd, Error> {
    if out.len() > budget.bytes {
        return Ok(PageEnd::Full);
    }
    let statement = node.page(place, after);
    if !node.expand.is_empty() {
        return page_with_expansions(tx, node, &statement, home, budget, out).await;
    }
    let blobs = tx.blobs().to_owned();
    let (mut rows, mut last, mut more) = (0, None, false);
    tx.query_while(&statement.sql, &statement.binds, |row| {
        if last.is_some() {
            more = true;
            return Ok(false);
        }
        budget.spend()?;
        rows += 1;
        out.extend_from_slice(if rows > 1 { b",{" } else { b"{" });
        node.write(&row, &blobs, Way::Collection(home.url), out)?;
        out.push(b'}');
        if rows == node.page || out.len() > budget.bytes {
            last = Some(node.key_of(&row)?);
        }
        Ok(true)
    })
    .await?;
    Ok(last.filter(|_| more).map_or(PageEnd::Last, PageEnd::After))
}

async fn page_with_expansions(
    tx: &mut Tx,
    node: &Node<'_>,
    statement: &Statement,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<PageEnd, Error> {
    let rows = written(tx, node, statement, home, budget, out.len()).await?;
    shown(tx, node, rows, home, budget, out).await
}

/// Writes rows that were read by [`all`] as [`page`] does, as many of them as fit.
pub(super) async fn show(
    tx: &mut Tx,
    node: &Node<'_>,
    rows: Vec<(Vec<u8>, Written)>,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<PageEnd, Error> {
    for _ in rows.iter().take(node.page) {
        budget.spend()?;
    }
    shown(tx, node, rows, home, budget, out).await
}

async fn shown(
    tx: &mut Tx,
    node: &Node<'_>,
    mut rows: Vec<(Vec<u8>, Written)>,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<PageEnd, Error> {
    let mut more = rows.len() > node.page;
    rows.truncate(node.page);
    let mut last = None;
    for (at, (json, mut row)) in rows.into_iter().enumerate() {
        if at > 0 && out.len() > budget.bytes {
            more = true;
            break;
        }
        last = row.key.take();
        out.extend_from_slice(if at > 0 { b",{" } else { b"{" });
        out.extend_from_slice(&json);
        let id = row.parent.id.hyphenated();
        // What does not live inside another entity has a set of its own.
        let set = format!("{}s", node.entity.edm.name);
        let set = if node.entity.in_group { home.context } else { &set };
        let (url, context) = (format!("{}/{id}", home.url), format!("{set}('{id}')"));
        let home = Home { url: &url, context: &context };
        expansions(tx, node, row.parent, home, budget, out).await?;
        out.push(b'}');
    }
    Ok(last.filter(|_| more).map_or(PageEnd::Last, PageEnd::After))
}

/// All rows of a statement, each with its members as JSON.
pub(super) async fn all(
    tx: &mut Tx,
    node: &Node<'_>,
    statement: &Statement,
    home: Home<'_>,
) -> Result<Vec<(Vec<u8>, Written)>, Error> {
    let blobs = tx.blobs().to_owned();
    let mut rows = Vec::new();
    tx.query_while(&statement.sql, &statement.binds, |row| {
        let mut json = Vec::new();
        node.write(&row, &blobs, Way::Collection(home.url), &mut json)?;
        rows.push((json, node.written(&row)?));
        Ok(true)
    })
    .await?;
    Ok(rows)
}

async fn written(
    tx: &mut Tx,
    node: &Node<'_>,
    statement: &Statement,
    home: Home<'_>,
    budget: &mut Budget,
    mut bytes: usize,
) -> Result<Vec<(Vec<u8>, Written)>, Error> {
    let blobs = tx.blobs().to_owned();
    let mut rows = Vec::new();
    tx.query_while(&statement.sql, &statement.binds, |row| {
        if rows.len() < node.page {
            budget.spend()?;
        }
        let mut json = Vec::new();
        node.write(&row, &blobs, Way::Collection(home.url), &mut json)?;
        bytes += json.len();
        rows.push((json, node.written(&row)?));
        // One row more than fits, so that a next page shows.
        Ok(bytes <= budget.bytes || rows.len() < 2)
    })
    .await?;
    Ok(rows)
}

/// Writes the members of one entity to `out`, without its braces; `None` where there is none. `id`
/// may be left out where the place leads to one entity by itself. `home` is the entity's own.
pub(crate) async fn one(
    tx: &mut Tx,
    node: &Node<'_>,
    place: Place,
    id: Option<Uuid>,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<Option<Found>, Error> {
    let statement = node.one(place, id);
    let blobs = tx.blobs().to_owned();
    budget.spend()?;
    let row = tx
        .first(&statement.sql, &statement.binds, |row| {
            node.write(&row, &blobs, Way::Entity(home.url), out)?;
            node.written(&row)
        })
        .await?;
    let Some(row) = row else { return Ok(None) };
    expansions(tx, node, row.parent, home, budget, out).await?;
    Ok(Some(Found { version: row.version }))
}

/// Writes the members of an entity that was just written, from the columns that were, to `out`: what
/// [`one`] would write, without a statement. `url` is the entity's own.
pub(crate) fn made(
    tx: &Tx,
    node: &Node<'_>,
    columns: &[(&'static str, Bind<'_>)],
    url: &str,
    out: &mut Vec<u8>,
) -> Result<Found, Error> {
    let row = node.program.order(columns)?;
    let row = Row::Made(&row);
    node.write(&row, tx.blobs(), Way::Entity(url), out)?;
    Ok(Found { version: row.int(node.hidden.version)? })
}

/// Writes the expanded navigations of one entity as further members of it.
fn expansions<'a>(
    tx: &'a mut Tx,
    node: &'a Node<'_>,
    parent: Parent,
    home: Home<'a>,
    budget: &'a mut Budget,
    out: &'a mut Vec<u8>,
) -> BoxFuture<'a, Result<(), Error>> {
    // Boxed because it recurses: as deep as $expand was allowed to be when it was parsed.
    async move {
        for item in &node.expand {
            let name = item.navigation.name;
            let Some(link) = node.entity.link(item.navigation) else { continue };
            let place = Place::Under(parent, link, None);
            if item.shows == Shows::Count {
                let total = count(tx, &item.node, place).await?;
                out.extend_from_slice(format!(",\"{name}@odata.count\":{total}").as_bytes());
                continue;
            }
            let url = format!("{}/{name}", home.url);
            let context = context_of(item.navigation, home.context);
            if node.form.wanted.metadata != Metadata::None {
                out.extend_from_slice(format!(",\"{name}@odata.context\":").as_bytes());
                let list = item.node.selected();
                let entity = if item.navigation.collection { "" } else { "/$entity" };
                let context = match item.shows {
                    Shows::References => "Collection($ref)".to_owned(),
                    _ => format!("{context}{list}{entity}"),
                };
                write_string(out, &format!("{}/$metadata#{context}", node.form.root));
            }
            if node.form.is_full() {
                write_ways(item.navigation, &node.own(parent.id, Way::Entity(home.url)), out);
            }
            let home = Home { url: &url, context: &context };
            if item.navigation.collection {
                expanded(tx, item, place, home, budget, out).await?;
                continue;
            }
            out.extend_from_slice(format!(",\"{name}\":").as_bytes());
            let mut inner = Vec::new();
            match one(tx, &item.node, place, None, home, budget, &mut inner).await? {
                Some(_) => {
                    out.push(b'{');
                    out.extend_from_slice(&inner);
                    out.push(b'}');
                }
                None => out.extend_from_slice(b"null"),
            }
        }
        Ok(())
    }
    .boxed()
}

/// Writes the first page of an expanded collection, with its count and the link to the next page.
async fn expanded(
    tx: &mut Tx,
    item: &Expanded<'_>,
    place: Place,
    home: Home<'_>,
    budget: &mut Budget,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let name = item.navigation.name;
    out.extend_from_slice(format!(",\"{name}\":[").as_bytes());
    let end = page(tx, &item.node, place, None, home, budget, out).await?;
    out.push(b']');
    if item.node.query.count {
        let total = count(tx, &item.node, place).await?;
        out.extend_from_slice(format!(",\"{name}@odata.count\":{total}").as_bytes());
    }
    let mut options = item.options.clone();
    match end {
        PageEnd::Last => return Ok(()),
        PageEnd::After(key) => {
            item.node.keep_page(&mut options);
            options.skip = None;
            options.skip_token =
                Some(skiptoken::encode(fingerprint(item.node.entity, &options), &key));
        }
        PageEnd::Full => {}
    }
    let of = if item.shows == Shows::References { "/$ref" } else { "" };
    let link = format!("{}{of}?{}", home.url, odata::syntax::print_query(&options));
    out.extend_from_slice(format!(",\"{name}@odata.nextLink\":").as_bytes());
    write_string(out, &link);
    Ok(())
}

/// How many rows there are.
pub(crate) async fn count(tx: &mut Tx, node: &Node<'_>, place: Place) -> Result<i64, Error> {
    let statement = node.count(place);
    let count = tx.first(&statement.sql, &statement.binds, |row| row.int(0)).await?;
    Ok(count.unwrap_or(0))
}

/// The id of the entity at a place, if it is there and the caller may see it: for the steps of a path
/// before its last.
pub(crate) async fn find(
    tx: &mut Tx,
    access: &crate::access::Access,
    entity: &'static Entity,
    place: Place,
    id: Option<Uuid>,
) -> Result<Option<Uuid>, Error> {
    let mut sql = Statement::new(tx.db());
    sql.push("select t0.id from ");
    plan::from(&mut sql, access, entity, place);
    if let Some(id) = id {
        sql.push(" and t0.id = ").bind(id);
    }
    tx.first(&sql.sql, &sql.binds, |row| row.id(0)).await
}

/// The id of the entity at a place that goes by a name of its clients' choice, if it is there and the
/// caller may see it.
pub(crate) async fn find_named(
    tx: &mut Tx,
    access: &crate::access::Access,
    entity: &'static Entity,
    place: Place,
    name: &str,
) -> Result<Option<Uuid>, Error> {
    let Source::Name { folded, prefix, .. } = entity.sources[0] else { return Ok(None) };
    let mut sql = Statement::new(tx.db());
    sql.push("select t0.id from ");
    plan::from(&mut sql, access, entity, place);
    sql.push(" and t0.").push(folded).push(" = ").bind(predicate::folded_name(name, prefix));
    tx.first(&sql.sql, &sql.binds, |row| row.id(0)).await
}

/// The id of the user with this user principal name, or of the group with this mail nickname or mail
/// address, in any letter case, if the caller may see them.
pub(crate) async fn find_called(
    tx: &mut Tx,
    access: &crate::access::Access,
    entity: &'static Entity,
    name: &str,
) -> Result<Option<Uuid>, Error> {
    let name = fold(name);
    let mut sql = Statement::new(tx.db());
    sql.push("select t0.id from ");
    plan::from(&mut sql, access, entity, Place::Set);
    if entity.edm.name == "group" {
        // An address begins with its group's nickname, in which there is no @.
        let nickname = name.split('@').next().unwrap_or_default();
        sql.push(" and t0.mail_nickname_folded = ").bind(nickname.to_owned());
        sql.push(" and (t0.mail_nickname_folded = ").bind(name.clone().into_owned());
        sql.push(" or t0.mail_folded = ").bind(name.into_owned()).push(")");
    } else {
        sql.push(" and t0.user_principal_name_folded = ").bind(name.into_owned());
    }
    tx.first(&sql.sql, &sql.binds, |row| row.id(0)).await
}

/// The version of an entity, if it is there and the caller may see it.
pub(crate) async fn version(
    tx: &mut Tx,
    access: &crate::access::Access,
    entity: &'static Entity,
    place: Place,
    id: Uuid,
) -> Result<Option<i64>, Error> {
    let mut sql = Statement::new(tx.db());
    sql.push("select t0.version from ");
    plan::from(&mut sql, access, entity, place);
    sql.push(" and t0.id = ").bind(id);
    tx.first(&sql.sql, &sql.binds, |row| row.int(0)).await
}

/// A number that differs for options that ask another question, or ask it of other entities; where to begin is not part of it.
pub(crate) fn fingerprint(entity: &Entity, options: &odata::syntax::Options) -> u64 {
    let mut options = options.clone();
    options.skip_token = None;
    options.skip = None;
    let text = odata::syntax::print_query(&options);
    let hash = blake3::hash(format!("{}?{text}", entity.edm.name).as_bytes());
    // 63 bits: JSON numbers are read back as signed in some places.
    let bytes: [u8; 8] = hash.as_bytes()[..8].try_into().unwrap_or_default();
    u64::from_le_bytes(bytes) >> 1
}

impl Node<'_> {
    /// What was selected, as a context names it: `(id,topic)`; empty for everything.
    fn selected(&self) -> String {
        match &self.query.select {
            Some(selected) => {
                let mut names: Vec<_> = selected.iter().map(|it| it.name).collect();
                if let Dynamic::Named(undeclared) = &self.query.dynamic {
                    names.extend(undeclared.iter().map(String::as_str));
                }
                format!("({})", names.join(","))
            }
            None => String::new(),
        }
    }

    fn write(
        &self,
        row: &Row<'_>,
        blobs: &Path,
        way: Way<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let own = match self.form.is_full() || self.program.is_of_references() {
            true => self.own(row.id(self.hidden.id)?, way),
            false => String::new(),
        };
        self.program.write(row, blobs, &own, out)
    }

    fn key_of(&self, row: &Row<'_>) -> Result<Vec<Bind<'static>>, Error> {
        self.hidden.keys.iter().map(|at| row.bind(*at)).collect()
    }

    fn written(&self, row: &Row<'_>) -> Result<Written, Error> {
        let group = self.hidden.group.map(|at| row.id(at)).transpose()?;
        Ok(Written {
            parent: Parent::new(self.entity, group, row.id(self.hidden.id)?),
            version: row.int(self.hidden.version)?,
            key: Some(self.key_of(row)?),
        })
    }
}
