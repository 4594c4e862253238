//! `groupInvitation`: somebody who is invited into a group, by who they are here or by an address; this server's own.
//!
//! **Invariant:** it is there until it is answered, revoked or too old; who is invited sees it, and who manages
//! the group. Of an address it does not tell whether anybody here has it.

use odata::edm::{Action, Property, Published};

use super::shared::id;
use super::{Source, entity};

entity! {
    /// An invitation into a group.
    GROUP_INVITATION = "groupInvitation": "entity" in "group_invitations",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("createdDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        Property::date_time("expirationDateTime").filterable().sortable()
            => Source::Time { at: "expires_at", offset: None };
        Property::key("groupId").filterable() => Source::Id("group_id");
        Property::string("groupDisplayName") => Source::Above(
            "(select g.display_name from groups g where g.id = t0.group_id)");
        Property::key("invitedUserId").filterable() => Source::Id("user_id");
        Property::string("invitedUserEmailAddress") => Source::Shown("address");
        // Told once, where the invitation is made: only a hash of it is kept.
        Property::string("inviteRedeemUrl").on_request() => Source::Null;
    }
    navigations: {}
    actions: &[
        Action::new("folkmoot.accept").published(Published::Never),
        Action::new("folkmoot.decline").published(Published::Never),
    ],
    published: Published::Never
}
