//! Users.
//!
//! **Invariant:** a user principal name is unique within its tenant, compared folded.

use crate::ids::{TenantId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::principals::{self, Principal};
use crate::store::sql::binds;
use crate::text::fold;

/// A user, as far as commands need one.
#[derive(Clone, Debug)]
pub(crate) struct User {
    /// Its id.
    pub(crate) id: UserId,
    /// Its user principal name.
    pub(crate) principal_name: String,
    /// The name that others see.
    pub(crate) display_name: String,
    /// Its mail address.
    pub(crate) mail: String,
    /// Whether it may do nothing.
    pub(crate) disabled: bool,
    /// Whether it is a guest, who sees of the tenant only what they belong to.
    pub(crate) is_guest: bool,
}

/// What `userType` says of a user.
fn user_type(is_guest: bool) -> &'static str {
    if is_guest { "Guest" } else { "Member" }
}

const COLUMNS: &str = "select id, user_principal_name, display_name, mail, disabled, \
    user_type = 'Guest' from users where tenant_id = $1";

fn read(row: &crate::store::driver::Row<'_>) -> Result<User, Error> {
    Ok(User {
        id: UserId(row.id(0)?),
        principal_name: row.text(1)?.to_owned(),
        display_name: row.text(2)?.to_owned(),
        mail: row.text(3)?.to_owned(),
        disabled: row.bool(4)?,
        is_guest: row.bool(5)?,
    })
}

/// The user with this id.
pub(crate) async fn find(tx: &mut Tx, tenant: TenantId, id: UserId) -> Result<Option<User>, Error> {
    let sql = format!("{COLUMNS} and id = $2");
    tx.first(&sql, binds![tenant, id], |row| read(&row)).await
}

/// The user with this user principal name, in any letter case.
pub(crate) async fn find_by_name(
    tx: &mut Tx,
    tenant: TenantId,
    name: &str,
) -> Result<Option<User>, Error> {
    let sql = format!("{COLUMNS} and user_principal_name_folded = $2");
    let folded = fold(name);
    tx.first(&sql, binds![tenant, folded.as_ref()], |row| read(&row)).await
}

/// All users of a tenant, by name.
pub(crate) async fn all(tx: &mut Tx, tenant: TenantId) -> Result<Vec<User>, Error> {
    let mut found = Vec::new();
    let sql = format!("{COLUMNS} order by user_principal_name_folded");
    tx.query(&sql, binds![tenant], |row| {
        found.push(read(&row)?);
        Ok(())
    })
    .await?;
    Ok(found)
}

/// Whether there is any user, of whatever tenant.
pub(crate) async fn any(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.first("select 1 from users limit 1", &[], |_| Ok(())).await?.is_some())
}

/// Lets a user do nothing any more, or again.
pub(crate) async fn set_disabled(tx: &mut Tx, id: UserId, disabled: bool) -> Result<(), Error> {
    let sql = "update users set disabled = $1, version = version + 1 where id = $2";
    tx.execute(sql, binds![disabled, id]).await?;
    Ok(())
}

/// Makes a user a guest, or no guest any more.
pub(crate) async fn set_guest(tx: &mut Tx, id: UserId, is_guest: bool) -> Result<(), Error> {
    let sql = "update users set user_type = $1, user_type_folded = $2, version = version + 1 \
        where id = $3";
    let name = user_type(is_guest);
    tx.execute(sql, binds![name, fold(name).as_ref(), id]).await?;
    Ok(())
}

/// Adds a user.
pub(crate) async fn insert(
    tx: &mut Tx,
    tenant: TenantId,
    user: &User,
    now: i64,
) -> Result<(), Error> {
    let sql = "insert into users (id, tenant_id, user_principal_name, user_principal_name_folded, \
        display_name, display_name_folded, mail, mail_folded, disabled, created_at, user_type, \
        user_type_folded, version) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 1)";
    let kind = user_type(user.is_guest);
    let (name, display, mail) =
        (fold(&user.principal_name), fold(&user.display_name), fold(&user.mail));
    tx.execute(
        sql,
        binds![
            user.id,
            tenant,
            &user.principal_name,
            name.as_ref(),
            &user.display_name,
            display.as_ref(),
            &user.mail,
            mail.as_ref(),
            user.disabled,
            now,
            kind,
            fold(kind).as_ref(),
        ],
    )
    .await?;
    principals::insert(tx, tenant, Principal::User(user.id)).await
}

/// Gives a user another name to be shown, and another address.
pub(crate) async fn rename(
    tx: &mut Tx,
    user: UserId,
    display_name: &str,
    mail: &str,
) -> Result<(), Error> {
    let sql = "update users set display_name = $1, display_name_folded = $2, mail = $3, \
        mail_folded = $4, version = version + 1 where id = $5";
    let (display, folded) = (fold(display_name), fold(mail));
    tx.execute(sql, binds![display_name, display.as_ref(), mail, folded.as_ref(), user]).await?;
    Ok(())
}
