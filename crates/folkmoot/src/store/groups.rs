//! Groups, their members and owners.
//!
//! **Invariant:** a deleted group keeps its rows and is found by nothing here.

use crate::access::{GroupFacts, Sender, Visibility};
use crate::ids::{GroupId, TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::identities;
use crate::store::principals::{self, Principal};
use crate::store::senders;
use crate::store::sql::{Bind, Statement, binds};
use crate::store::uploads;
use crate::text::fold;

/// A group about to be stored.
#[derive(Clone, Debug)]
pub(crate) struct NewGroup {
    /// Its id.
    pub(crate) id: GroupId,
    /// Its tenant.
    pub(crate) tenant: TenantId,
    /// The name that people see.
    pub(crate) display_name: String,
    /// What it is for.
    pub(crate) description: Option<String>,
    /// The local part of its mail address.
    pub(crate) mail_nickname: String,
    /// Its mail address.
    pub(crate) mail: String,
    /// Who sees what.
    pub(crate) visibility: Visibility,
    /// Whether it has a mailbox and conversations.
    pub(crate) is_unified: bool,
    /// As asked for; kept and shown.
    pub(crate) security_enabled: bool,
    /// As asked for: JSON array of strings.
    pub(crate) resource_behavior_options: Vec<String>,
    /// Whether only members may post, also in a public group.
    pub(crate) members_only_posting: bool,
}

/// Adds a group.
pub(crate) async fn insert(tx: &mut Tx, group: &NewGroup, now: i64) -> Result<(), Error> {
    let sql = "insert into groups (id, number, tenant_id, display_name, display_name_folded, \
        description, description_folded, mail_nickname, mail_nickname_folded, mail, mail_folded, \
        visibility, visibility_folded, security_enabled, proxy_addresses, proxy_addresses_folded, \
        resource_behavior_options, resource_behavior_options_folded, members_only_posting, \
        created_at, is_unified, group_types, group_types_folded, version) \
        values ($1, (select coalesce(max(number), 0) + 1 from groups), $2, $3, $4, $5, $6, $7, $8, \
        $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, 1)";
    let proxy = proxy_addresses(&group.mail);
    let options = json_strings(group.resource_behavior_options.iter().map(String::as_str));
    let types = json_strings(group.is_unified.then_some("Unified"));
    let visibility = group.visibility.name();
    tx.execute(
        sql,
        binds![
            group.id,
            group.tenant,
            &group.display_name,
            fold(&group.display_name).as_ref(),
            group.description.as_deref(),
            group.description.as_deref().map(|it| fold(it).into_owned()),
            &group.mail_nickname,
            fold(&group.mail_nickname).as_ref(),
            &group.mail,
            fold(&group.mail).as_ref(),
            visibility,
            fold(visibility).as_ref(),
            group.security_enabled,
            &proxy,
            fold(&proxy).as_ref(),
            &options,
            fold(&options).as_ref(),
            group.members_only_posting,
            now,
            group.is_unified,
            &types,
            fold(&types).as_ref(),
        ],
    )
    .await?;
    principals::insert(tx, group.tenant, Principal::Group(group.id)).await
}

/// What shows a group's mail address as its first one.
fn proxy_addresses(mail: &str) -> String {
    json_strings([format!("SMTP:{mail}").as_str()])
}

/// What of a group is to be changed; `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    pub(crate) display_name: Option<String>,
    /// Null where it is to have none.
    pub(crate) description: Option<Option<String>>,
    /// The local part of its mail address, and the address.
    pub(crate) mail: Option<(String, String)>,
    pub(crate) visibility: Option<Visibility>,
    /// The options, and whether they say that only members may post.
    pub(crate) behavior: Option<(Vec<String>, bool)>,
    /// Boolean columns, by name.
    pub(crate) flags: Vec<(&'static str, bool)>,
}

impl Changes {
    /// Whether all stays as it is.
    pub(crate) fn is_empty(&self) -> bool {
        self.columns().is_empty()
    }

    /// The columns and their new values.
    fn columns(&self) -> Vec<(&'static str, Bind<'static>)> {
        let mut columns = Vec::new();
        let mut twins = |plain, folded, text: Option<String>| {
            let twin = text.as_deref().map(|it| fold(it).into_owned());
            columns.extend([(plain, Bind::from(text)), (folded, Bind::from(twin))]);
        };
        if let Some(name) = &self.display_name {
            twins("display_name", "display_name_folded", Some(name.clone()));
        }
        if let Some(description) = &self.description {
            twins("description", "description_folded", description.clone());
        }
        if let Some((nickname, mail)) = &self.mail {
            twins("mail_nickname", "mail_nickname_folded", Some(nickname.clone()));
            twins("mail", "mail_folded", Some(mail.clone()));
            let proxy = proxy_addresses(mail);
            twins("proxy_addresses", "proxy_addresses_folded", Some(proxy));
        }
        if let Some(visibility) = self.visibility {
            twins("visibility", "visibility_folded", Some(visibility.name().to_owned()));
        }
        if let Some((options, members_only)) = &self.behavior {
            let options = json_strings(options.iter().map(String::as_str));
            twins("resource_behavior_options", "resource_behavior_options_folded", Some(options));
            columns.push(("members_only_posting", Bind::Bool(*members_only)));
        }
        columns.extend(self.flags.iter().map(|(column, value)| (*column, Bind::Bool(*value))));
        columns
    }
}

/// Changes a group.
pub(crate) async fn update(tx: &mut Tx, id: GroupId, changes: &Changes) -> Result<(), Error> {
    let mut sql = Statement::new(tx.db());
    sql.push("update groups set ");
    for (column, value) in changes.columns() {
        sql.push(column).push(" = ").bind(value).push(", ");
    }
    sql.push("version = version + 1 where id = ").bind(id);
    tx.execute(&sql.sql, &sql.binds).await?;
    Ok(())
}

/// A JSON array of strings.
pub(crate) fn json_strings<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = b"[".to_vec();
    for item in items {
        if out.len() > 1 {
            out.push(b',');
        }
        odata::json::write_string(&mut out, item);
    }
    out.push(b']');
    String::from_utf8_lossy(&out).into_owned()
}

/// What [`Access`](crate::access::Access) is decided from; `None` for a group that does not exist, is
/// deleted, is another tenant's, or is not there for this user.
///
/// A command may get them from memory; its transaction then fails, and runs again without, if anything
/// of the tenant has changed since: all of this is told of by the tenant's feed.
pub(crate) async fn facts(
    tx: &mut Tx,
    tenant: TenantId,
    group: GroupId,
    user: Option<UserId>,
) -> Result<Option<GroupFacts>, Error> {
    let key = (tenant, group, user);
    let known = tx.known();
    if let Some((known, true)) = &known
        && let Some((head, facts)) = known.get(&key)
    {
        tx.expect_head(tenant, head).await?;
        return Ok(Some(facts));
    }
    let sql = "select g.number, g.display_name, g.mail, g.visibility, g.members_only_posting, \
        exists (select 1 from group_members m where m.group_id = g.id and m.user_id = $1), \
        exists (select 1 from group_owners o where o.group_id = g.id and o.user_id = $1), \
        u.display_name, u.mail, g.is_unified, g.senders_restricted, \
        coalesce((select h.seq from tenant_feed_heads h where h.tenant_id = g.tenant_id), 0), \
        g.allow_external_senders, coalesce(u.user_type, '') = 'Guest' \
        from groups g left join users u on u.id = $1 and u.tenant_id = g.tenant_id and not u.disabled \
        where g.id = $2 and g.tenant_id = $3 and g.deleted_at is null";
    let found = tx
        .first(sql, binds![user, group, tenant], |row| {
            let facts = GroupFacts {
                id: group,
                number: row.int(0)?,
                display_name: row.text(1)?.to_owned(),
                mail: row.text(2)?.to_owned(),
                visibility: Visibility::parse(row.text(3)?)
                    .ok_or_else(|| Error::Defect("a group has an unknown visibility".into()))?,
                has_mailbox: row.bool(9)?,
                members_only_posting: row.bool(4)?,
                allow_external_senders: row.bool(12)?,
                is_guest: row.bool(13)?,
                sender: Sender::Accepted,
                is_member: row.bool(5)?,
                is_owner: row.bool(6)?,
                caller: match row.is_null(7)? {
                    true => None,
                    false => Some((row.text(7)?.to_owned(), row.text(8)?.to_owned())),
                },
            };
            Ok((row.int(11)?, row.bool(10)?, facts))
        })
        .await?;
    let there = found.filter(|(_, _, facts)| facts.is_there());
    let Some((head, restricted, mut facts)) = there else { return Ok(None) };
    if let (true, Some(user)) = (restricted, user) {
        facts.sender = senders::of(tx, group, user).await?;
    }
    if let Some((known, _)) = known {
        known.insert(key, (head, facts.clone()));
    }
    Ok(Some(facts))
}

/// The group with this mail nickname or mail address, in any letter case.
pub(crate) async fn find_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<GroupId>, Error> {
    // An address begins with its group's nickname, in which there is no @.
    let sql = "select id from groups where tenant_id = $1 and mail_nickname_folded = $2 \
        and deleted_at is null and (mail_nickname_folded = $3 or mail_folded = $3)";
    let name = fold(name);
    let nickname = name.split('@').next().unwrap_or_default();
    tx.first(sql, binds![tenant, nickname, name.as_ref()], |row| row.id(0).map(GroupId)).await
}

/// Marks a group as deleted.
pub(crate) async fn delete(tx: &mut Tx, group: GroupId, now: i64) -> Result<(), Error> {
    let sql = "update groups set deleted_at = $1, version = version + 1 where id = $2";
    tx.execute(sql, binds![now, group]).await?;
    // What was still to be uploaded does not wait for the group to come back.
    uploads::end(tx, group, "true", binds![group]).await
}

/// The two lists of people that a group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Member,
    Owner,
}

impl Role {
    const fn table(self) -> &'static str {
        match self {
            Role::Member => "group_members",
            Role::Owner => "group_owners",
        }
    }

    /// The name of the list, as paths and messages write it.
    pub(crate) const fn list(self) -> &'static str {
        match self {
            Role::Member => "members",
            Role::Owner => "owners",
        }
    }
}

/// Adds a user to one of the group's lists; a duplicate is an error.
pub(crate) async fn add(
    tx: &mut Tx,
    role: Role,
    group: GroupId,
    user: UserId,
    now: i64,
) -> Result<(), Error> {
    let table = role.table();
    let sql = format!("insert into {table} (group_id, user_id, added_at) values ($1, $2, $3)");
    tx.execute(&sql, binds![group, user, now]).await?;
    Ok(())
}

/// Takes a user off one of the group's lists; whether it was there.
pub(crate) async fn remove(
    tx: &mut Tx,
    role: Role,
    group: GroupId,
    user: UserId,
) -> Result<bool, Error> {
    if role == Role::Member {
        identities::disclaim(tx, group, user).await?;
    }
    let sql = format!("delete from {} where group_id = $1 and user_id = $2", role.table());
    Ok(tx.execute(&sql, binds![group, user]).await? > 0)
}

/// Whether a user is on one of the group's lists.
pub(crate) async fn is_on(
    tx: &mut Tx,
    role: Role,
    group: GroupId,
    user: UserId,
) -> Result<bool, Error> {
    let sql = format!("select 1 from {} where group_id = $1 and user_id = $2", role.table());
    Ok(tx.first(&sql, binds![group, user], |_| Ok(())).await?.is_some())
}

/// Whether there is any group, deleted ones included.
pub(crate) async fn any(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.first("select 1 from groups limit 1", &[], |_| Ok(())).await?.is_some())
}

/// Whether a group would have an owner, and one who is not disabled, without this one.
pub(crate) async fn owned_without(
    tx: &mut Tx,
    group: GroupId,
    user: UserId,
) -> Result<(bool, bool), Error> {
    let sql = "select count(*), coalesce(sum(case when u.disabled then 0 else 1 end), 0) \
        from group_owners o join users u on u.id = o.user_id \
        where o.group_id = $1 and o.user_id <> $2";
    let read = |row: crate::store::driver::Row<'_>| Ok((row.int(0)? > 0, row.int(1)? > 0));
    Ok(tx.first(sql, binds![group, user], read).await?.unwrap_or_default())
}

/// The nicknames of the groups whose owners are all disabled, and one of them is this one.
pub(crate) async fn abandoned(tx: &mut Tx, owner: UserId) -> Result<Vec<String>, Error> {
    let sql = "select g.mail_nickname from group_owners o join groups g on g.id = o.group_id \
        where o.user_id = $1 and g.deleted_at is null and not exists (select 1 from group_owners e \
        join users u on u.id = e.user_id where e.group_id = o.group_id and not u.disabled) \
        order by g.mail_nickname_folded";
    let mut names = Vec::new();
    tx.query(sql, binds![owner], |row| {
        names.push(row.text(0)?.to_owned());
        Ok(())
    })
    .await?;
    Ok(names)
}
