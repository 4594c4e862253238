//! The audit: in whose hands the store is, and what becomes of the rows, which are exported and forgotten.
//!
//! **Invariant:** whoever asks for a command is named before it runs, by the door that they came through;
//! the rows themselves are made where the store commits (`store/audit.rs`), so no command can do without.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{self, GroupId, TenantId, UserId};
use crate::service::{Ctx, Error, Service, limits};
use crate::store::audit::{self, Cursor, Deed};
pub(crate) use crate::store::audit::{Act, By, Exported};
use crate::store::{groups, tenants};

/// Where something was asked for from.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Whence {
    /// The request, by the id that its answer has.
    pub(crate) request: Option<Uuid>,
    /// The client's address.
    pub(crate) client: Option<IpAddr>,
}

impl Whence {
    /// What somebody asks for of whom it is not known yet who they are.
    pub(crate) fn anonymous(self, operation: &'static str) -> Act {
        let client = self.client.map(|it| it.to_string());
        Act { by: By::Anonymous, operation, request: self.request, client, ..Act::of_server() }
    }
}

impl Ctx {
    /// Says by which operation the caller asks for what follows, and from where.
    pub(crate) fn acts(&mut self, operation: &'static str, whence: Whence) {
        self.act(whence.anonymous(operation));
    }

    /// Says that what follows is the caller's act, besides who they are as `act` has it.
    pub(crate) fn act(&mut self, act: Act) {
        let by = if self.caller.user.is_some() { By::User } else { By::App };
        let (tenant, user, app) = (self.caller.tenant, self.caller.user, self.caller.app.clone());
        self.store = self.store.acting(Act { tenant, by, user, app, ..act });
    }
}

/// What is to be exported.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub(crate) struct Wanted {
    /// One group's rows alone.
    pub(crate) group: Option<Uuid>,
    /// Ids of rows: from the first on, and before the second.
    pub(crate) range: (Uuid, Uuid),
    /// How far it has come.
    pub(crate) cursor: Option<Cursor>,
}

impl Wanted {
    /// All from one time to before another (ticks); without an end, what is there now.
    pub(crate) fn new(
        service: &Service,
        group: Option<GroupId>,
        since: Option<i64>,
        until: Option<i64>,
    ) -> Wanted {
        let since = since.map(audit::first_id_of).unwrap_or_default();
        let now = service.clock().id();
        let until = until.map_or(now, |it| audit::first_id_of(it).min(now));
        Wanted { group: group.map(|it| it.0), range: (since, until), cursor: None }
    }
}

impl Service {
    /// The same rules over a store in the hands of somebody else.
    pub(crate) fn acting(&self, act: Act) -> Service {
        Service { store: self.store.acting(act), ..self.clone() }
    }

    /// A sign-in that was refused, of somebody who is known.
    pub(crate) async fn sign_in_refused(
        &self,
        tenant: TenantId,
        user: UserId,
    ) -> Result<(), Error> {
        let deed = Deed::in_tenant(tenant, "refused", "user", Some(user.0));
        self.store
            .write(tenant.0, deed, |tx, deed| {
                Box::pin(async move {
                    tx.done(deed.clone());
                    Ok(())
                })
            })
            .await
    }

    /// The group of this nickname or mail address, or with this id whether it is there or not any more.
    pub(crate) async fn group_named(
        &self,
        tenant: TenantId,
        name: String,
    ) -> Result<GroupId, Error> {
        if let Some(id) = ids::parse(&name) {
            return Ok(GroupId(id));
        }
        let found = self.store.read((tenant, name.clone()), |tx, (tenant, name)| {
            Box::pin(groups::find_by_name(tx, *tenant, name))
        });
        found.await?.ok_or(Error::ResourceNotFound(name))
    }

    /// Some rows of an export in their order, and what is to be exported after them; nothing: those were
    /// the last.
    pub(crate) async fn export_audit(
        &self,
        wanted: Wanted,
    ) -> Result<(Vec<Exported>, Option<Wanted>), Error> {
        let first = wanted.group.map(|it| Cursor::at_group(GroupId(it))).unwrap_or_default();
        let (cursor, alone) = (wanted.cursor.unwrap_or(first), wanted.group.is_some());
        let (rows, cursor) = self
            .store
            .read((), move |tx, ()| {
                let max = limits::AUDIT_EXPORT_ROWS;
                Box::pin(audit::page(tx, wanted.range, cursor, alone, max))
            })
            .await?;
        Ok((rows, cursor.map(|it| Wanted { cursor: Some(it), ..wanted })))
    }

    /// Forgets rows older than so many days, a portion at a time; how many.
    pub(crate) async fn forget_audit(&self, days: u32) -> Result<u64, Error> {
        const DAY_TICKS: i64 = 24 * 3_600 * 10_000_000;
        let before = audit::first_id_of(self.now_ticks() - i64::from(days) * DAY_TICKS);
        let mut removed = 0;
        loop {
            let groups =
                self.store.read((), move |tx, ()| Box::pin(audit::old(tx, before))).await?;
            let mut now = 0;
            for group in groups {
                now += self
                    .store
                    .write(group.0, (), move |tx, ()| Box::pin(audit::forget(tx, group, before)))
                    .await?;
            }
            for tenant in self.store.read((), |tx, ()| Box::pin(tenants::all(tx))).await? {
                let id = tenant.id;
                now += self
                    .store
                    .write(id.0, (), move |tx, ()| {
                        Box::pin(audit::forget_of_tenant(tx, id, before))
                    })
                    .await?;
            }
            removed += now;
            if now == 0 {
                return Ok(removed);
            }
        }
    }
}
