//! Which rows a caller may see, as conditions in SQL.
//!
//! **Invariant:** what an [`Access`] says of the tenant becomes conditions here and nowhere else; whatever
//! `store/plan.rs` reads from has them.

use uuid::Uuid;

use crate::access::{Access, Content};
use crate::ids::GroupId;
use crate::model::Entity;
use crate::store::sql::Statement;

/// The rows of `entity` that the caller may see; `inside` is their group, where that is the one that
/// the access is to.
pub(super) fn allow(
    sql: &mut Statement,
    access: &Access,
    entity: &'static Entity,
    alias: &str,
    inside: Option<GroupId>,
) {
    let tenant = access.tenant();
    if !entity.in_group {
        sql.push(alias).push(".tenant_id = ").bind(tenant);
        if matches!(entity.table, "groups" | "directory_objects") {
            sql.push(" and ").push(alias).push(".deleted_at is null");
        }
        match (entity.table, access.content()) {
            ("join_requests" | "group_invitations", content) => asked(sql, alias, content),
            (_, Content::JoinedBy(guest)) => {
                sql.push(" and (");
                known_to(sql, entity, alias, guest.0);
                sql.push(")");
            }
            _ => {}
        }
        return;
    }
    if let Some(group) = inside {
        // Whoever may not read is refused before; were they not, they would see nothing.
        match access.may_read() {
            Ok(()) => sql.push(alias).push(".group_id = ").bind(group),
            Err(_) => sql.push("1 = 0"),
        };
        return;
    }
    sql.push("exists (select 1 from groups g where g.id = ").push(alias).push(".group_id");
    sql.push(" and g.tenant_id = ").bind(tenant).push(" and g.deleted_at is null");
    match access.content() {
        Content::Tenant => {}
        Content::OpenTo(user) => {
            sql.push(" and (g.visibility = 'Public' or ");
            belongs(sql, "g.id", user.0);
            sql.push(")");
        }
        Content::JoinedBy(guest) => {
            sql.push(" and (");
            belongs(sql, "g.id", guest.0);
            sql.push(")");
        }
    }
    sql.push(")");
}

/// Of requests to be let into groups, and of invitations, everybody sees those that are about themself, and those
/// of the groups that they own.
fn asked(sql: &mut Statement, alias: &str, content: Content) {
    sql.push(" and exists (select 1 from groups g where g.id = ").push(alias).push(".group_id");
    sql.push(" and g.deleted_at is null)");
    if let Content::OpenTo(user) | Content::JoinedBy(user) = content {
        sql.push(" and (").push(alias).push(".user_id = ").bind(user);
        sql.push(" or exists (select 1 from group_owners o where o.group_id = ").push(alias);
        sql.push(".group_id and o.user_id = ").bind(user).push("))");
    }
}

/// What of the directory a guest sees: the groups that they belong to, themself, and the people of these groups.
fn known_to(sql: &mut Statement, entity: &'static Entity, alias: &str, guest: Uuid) {
    let id = format!("{alias}.id");
    if entity.table != "users" {
        belongs(sql, &id, guest);
    }
    if entity.table == "directory_objects" {
        sql.push(" or ");
    }
    if entity.table != "groups" {
        sql.push(&id).push(" = ").bind(guest);
        sql.push(" or exists (select 1 from (select group_id from group_members where user_id = ");
        sql.bind(guest).push(" union select group_id from group_owners where user_id = ");
        sql.bind(guest).push(") j join groups g on g.id = j.group_id and g.deleted_at is null");
        sql.push(" where exists (select 1 from group_members p where p.group_id = j.group_id");
        sql.push(" and p.user_id = ").push(&id);
        sql.push(") or exists (select 1 from group_owners p where p.group_id = j.group_id");
        sql.push(" and p.user_id = ").push(&id).push("))");
    }
}

/// The memberships that the caller may see; `own`: they are of the group that the access is to.
pub(super) fn allow_link(sql: &mut Statement, access: &Access, link: &str, own: bool) {
    match access.content() {
        _ if own && access.members_hidden() => {
            sql.push("1 = 0");
        }
        // To a guest, either end of it is missing besides.
        Content::OpenTo(user) | Content::JoinedBy(user) if !own => {
            sql.push("exists (select 1 from groups g where g.id = ").push(link);
            sql.push(".group_id and (g.visibility <> 'HiddenMembership' or ");
            belongs(sql, "g.id", user.0);
            sql.push("))");
        }
        Content::OpenTo(_) | Content::JoinedBy(_) | Content::Tenant => {
            sql.push("1 = 1");
        }
    }
}

/// Whether `user` is a member or an owner of the group with the id `group`, an SQL expression.
fn belongs(sql: &mut Statement, group: &str, user: Uuid) {
    for (word, table) in [("", "group_members"), (" or ", "group_owners")] {
        sql.push(word).push("exists (select 1 from ").push(table);
        sql.push(" m where m.group_id = ").push(group);
        sql.push(" and m.user_id = ").bind(user).push(")");
    }
}
