//! What a user makes of a group for themself: whether its posts come by mail, and whether it is a favorite.
//!
//! **Invariant:** nobody else sees it, and nothing here changes what the group is to others.

use crate::ids::{GroupId, UserId};
use crate::store::driver::Tx;
use crate::store::error::Error;
use crate::store::sql::binds;

/// Says whether a user wants a group's posts by mail.
pub(crate) async fn subscribe(
    tx: &mut Tx,
    group: GroupId,
    user: UserId,
    subscribed: bool,
) -> Result<(), Error> {
    let sql = "insert into group_subscriptions (group_id, user_id, subscribed) \
        values ($1, $2, $3) on conflict (group_id, user_id) do update set subscribed = $3";
    tx.send(sql, binds![group, user, subscribed]).await
}

/// Says whether a group is among a user's favorites.
pub(crate) async fn favor(
    tx: &mut Tx,
    group: GroupId,
    user: UserId,
    favorite: bool,
) -> Result<(), Error> {
    let sql = if favorite {
        "insert into group_favorites (group_id, user_id) values ($1, $2) \
         on conflict (group_id, user_id) do nothing"
    } else {
        "delete from group_favorites where group_id = $1 and user_id = $2"
    };
    tx.send(sql, binds![group, user]).await
}
