//! `joinRequest`: somebody who asks to be let into a group; this server's own.
//!
//! **Invariant:** it is there until it is answered or taken back; its user sees it, and who manages the group.

use odata::edm::{Action, Property, Published};

use super::shared::id;
use super::{Source, entity};

entity! {
    /// Somebody's wish to be a member.
    JOIN_REQUEST = "joinRequest": "entity" in "join_requests",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("createdDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        Property::key("groupId").filterable() => Source::Id("group_id");
        Property::string("groupDisplayName") => Source::Above(
            "(select g.display_name from groups g where g.id = t0.group_id)");
        Property::key("userId").filterable() => Source::Id("user_id");
        Property::string("userDisplayName") => Source::Above(
            "(select u.display_name from users u where u.id = t0.user_id)");
        Property::string("userPrincipalName") => Source::Above(
            "(select u.user_principal_name from users u where u.id = t0.user_id)");
    }
    navigations: {}
    actions: &[
        Action::new("folkmoot.approve").published(Published::Never),
        Action::new("folkmoot.reject").published(Published::Never),
    ],
    published: Published::Never
}
