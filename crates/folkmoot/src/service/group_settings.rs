//! What is changed of a group that is there: its names, its settings, and what a user makes of it for
//! themself.
//!
//! **Invariant:** owners and applications change a group for all; what is another for each user they change
//! for themself alone, and it changes neither the group nor its ETag.

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::access::Access;
use crate::model::GROUP;
use crate::service::resolve::Target;
use crate::service::{Created, Ctx, Error, groups, members, read, resolve};
use crate::store::feed::{Kind, Op};
use crate::store::groups::{Changes, Role};
use crate::store::{self, Tx, preferences, unseen};

/// Settings of a group's mailbox, and their columns.
const SETTINGS: [(&str, &str); 4] = [
    ("allowExternalSenders", "allow_external_senders"),
    ("autoSubscribeNewMembers", "auto_subscribe_new_members"),
    ("hideFromAddressLists", "hide_from_address_lists"),
    ("hideFromOutlookClients", "hide_from_outlook_clients"),
];

/// What a PATCH of a group asks for.
#[derive(Clone, Debug)]
struct Wanted {
    changes: Changes,
    /// The new local part of its mail address.
    nickname: Option<String>,
    /// `isSubscribedByMail`, which is the caller's own.
    subscribed: Option<bool>,
    /// Whom to add, and to which list.
    people: Vec<(Role, String)>,
}

impl Wanted {
    /// What a record holds of it; what else is known is read-only, and not looked at.
    fn new(mut record: Record) -> Result<Wanted, Error> {
        let people = members::binds(&mut record)?;
        let display_name = text(&mut record, "displayName")?;
        let nickname = text(&mut record, "mailNickname")?;
        let description = record.take("description").map(Field::into_string);
        display_name.as_deref().map_or(Ok(()), groups::check_display_name)?;
        nickname.as_deref().map_or(Ok(()), groups::check_nickname)?;
        let described = description.iter().flatten().next();
        described.map_or(Ok(()), |it| groups::check_description(it))?;
        let visibility = text(&mut record, "visibility")?;
        let mut flags = Vec::new();
        for (name, column) in SETTINGS {
            flags.extend(flag(&mut record, name)?.map(|it| (column, it)));
        }
        let subscribed = flag(&mut record, "isSubscribedByMail")?;
        let changes = Changes {
            display_name,
            description,
            mail: None,
            visibility: visibility.map(|it| groups::visibility(&it)).transpose()?,
            behavior: groups::behavior(&mut record)?.map(|it| {
                let members_only = groups::members_only(&it);
                (it, members_only)
            }),
            flags,
        };
        Ok(Wanted { changes, nickname, subscribed, people })
    }

    /// Refuses what the caller may not ask for, or the group does not have.
    fn check(&self, ctx: &Ctx, at: &Target) -> Result<(), Error> {
        if self.subscribed.is_some() || !self.changes.flags.is_empty() {
            at.mailbox()?;
        }
        if self.subscribed.is_some() {
            ctx.caller.user.ok_or(Error::MeForApp)?;
            at.access.may_subscribe()?;
        }
        let for_all = !self.changes.is_empty() || self.nickname.is_some();
        if for_all || !self.people.is_empty() || self.subscribed.is_none() {
            at.access.may_manage()?;
        }
        Ok(())
    }
}

/// A text that cannot be null; `None` where it was not sent.
fn text(record: &mut Record, name: &str) -> Result<Option<String>, Error> {
    let text = |field: Field| field.into_string().ok_or_else(|| not_null(name));
    record.take(name).map(text).transpose()
}

/// The same of a truth value.
fn flag(record: &mut Record, name: &str) -> Result<Option<bool>, Error> {
    let flag = |field: Field| field.as_bool().ok_or_else(|| not_null(name));
    record.take(name).map(flag).transpose()
}

fn not_null(name: &str) -> Error {
    Error::property(name, "must not be null")
}

/// Changes a group; the group as it is then.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let wanted = Wanted::new(record)?;
    let input = (ctx.clone(), path, wanted, type_sent);
    ctx.store
        .write(ctx.scope(&input.1), input, |tx, (ctx, path, wanted, type_sent)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                wanted.check(ctx, &at)?;
                resolve::check_if_match(tx, ctx, &at).await?;
                apply(tx, ctx, &at.access, wanted).await?;
                let (query, ty) = (read::whole(&GROUP), type_sent.as_deref());
                read::answered(tx, ctx, &at, &query, ty).await
            })
        })
        .await
}

async fn apply(tx: &mut Tx, ctx: &Ctx, access: &Access, wanted: &Wanted) -> Result<(), Error> {
    let group = access.group().ok_or(Error::ItemNotFound)?.id;
    let (maker, mut changes) = (groups::maker(ctx), wanted.changes.clone());
    if let Some(nickname) = &wanted.nickname {
        let address = groups::address(tx, maker.tenant, nickname).await?;
        changes.mail = Some((nickname.clone(), address));
    }
    if !changes.is_empty() {
        store::groups::update(tx, group, &changes).await.map_err(groups::taken)?;
        groups::changed(tx, &maker, group, Kind::Group, Op::Updated, group.0);
    }
    for (role, user) in members::people(tx, access, &wanted.people).await? {
        members::join(tx, &maker, group, role, user).await?;
    }
    if let (Some(subscribed), Some(user)) = (wanted.subscribed, ctx.caller.user) {
        preferences::subscribe(tx, group, user, subscribed).await?;
        tx.unshown();
    }
    Ok(())
}

/// What a user makes of a group for themself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    /// They have seen all that it has said so far.
    Seen,
    /// Whether they want its posts by mail.
    Subscribed(bool),
    /// Whether it is among their favorites.
    Favorite(bool),
}

/// Says what the calling user makes of the group.
pub(crate) async fn own(ctx: &Ctx, path: Path, what: Own) -> Result<(), Error> {
    ctx.store
        .write(ctx.scope(&path), (ctx.clone(), path), move |tx, (ctx, path)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                at.mailbox()?;
                at.access.may_read()?;
                let user = ctx.caller.user.ok_or(Error::MeForApp)?;
                let group = at.group()?.id;
                match what {
                    Own::Seen => unseen::seen(tx, group, user).await?,
                    Own::Subscribed(it) => {
                        at.access.may_subscribe()?;
                        preferences::subscribe(tx, group, user, it).await?;
                    }
                    Own::Favorite(it) => preferences::favor(tx, group, user, it).await?,
                }
                tx.unshown();
                Ok(())
            })
        })
        .await
}
