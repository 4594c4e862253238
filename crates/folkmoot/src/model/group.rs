//! `group`: people who talk, and what they have said.
//!
//! **Invariant:** a Microsoft 365 ("Unified") group has a mailbox: conversations and [`MAILBOX`]'s
//! settings. Any other, a security group, has members and owners alone. Groups are members of no groups.

use odata::edm::{Action, Navigation, Property, Published};

use super::directory_object::GET_BY_IDS;
use super::shared::{EMPTY, id, json, text};
use super::{
    AUDIT_ENTRY, CONVERSATION, DIRECTORY_OBJECT, GROUP as SELF, GROUP_INVITATION, JOIN_REQUEST,
    Link, POST, Source, THREAD, USER, entity,
};

const IN_GROUP: Link = Link::Keys(&[("group_id", "id")]);
/// Conversations whose last post came after the caller was last here, or last read them, and is not
/// their own; none for whoever may not read them.
const UNSEEN: Source = Source::PerCaller(
    "case when cast({caller} as uuid) is null then null when t0.visibility <> 'Public' \
     and not exists (select 1 from group_members m where m.group_id = t0.id and m.user_id = {caller}) \
     and not exists (select 1 from group_owners o where o.group_id = t0.id and o.user_id = {caller}) \
     then 0 else (select count(*) from activity a where a.group_id = t0.id \
     and a.seq > coalesce((select r.seq from group_reads r \
     where r.group_id = t0.id and r.user_id = {caller}), 0) \
     and a.author is distinct from {caller}) \
     + (select coalesce(sum(case when a.seq > c.seq then 1 else 0 end \
     - case when a.seq > coalesce(r.seq, 0) then 1 else 0 end), 0) \
     from conversation_reads c join activity a on a.group_id = c.group_id \
     and a.conversation_id = c.conversation_id left join group_reads r \
     on r.group_id = c.group_id and r.user_id = c.user_id \
     where c.group_id = t0.id and c.user_id = {caller} and a.author is distinct from {caller}) end",
);
/// Members have what is said by mail, unless they have said that they do not want it.
const SUBSCRIBED: Source = Source::PerCaller(
    "(exists (select 1 from group_members m where m.group_id = t0.id and m.user_id = {caller}) \
     and not exists (select 1 from group_subscriptions s where s.group_id = t0.id \
     and s.user_id = {caller} and not s.subscribed))",
);
const FAVORITE: Source = Source::PerCaller(
    "exists (select 1 from group_favorites f where f.group_id = t0.id and f.user_id = {caller})",
);

/// The way to the invitations into a group, and to those of a user.
pub(crate) const INVITATIONS: &str = "folkmoot.invitations";

/// The way to all posts of a group, newest first.
const MESSAGES: &str = "folkmoot.messages";

/// The way to what was done in a group, newest first: owners alone may go it.
pub(crate) const AUDIT: &str = "folkmoot.audit";

/// The properties and navigations that a group's mailbox has: a group without one does not have them.
pub(crate) const MAILBOX: [&str; 12] = [
    "acceptedSenders",
    "allowExternalSenders",
    "autoSubscribeNewMembers",
    "conversations",
    MESSAGES,
    "hideFromAddressLists",
    "hideFromOutlookClients",
    "isFavorite",
    "isSubscribedByMail",
    "rejectedSenders",
    "threads",
    "unseenCount",
];

entity! {
    /// Graph's `group`.
    GROUP = "group": "directoryObject" in "groups",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("deletedDateTime").filterable().from("directoryObject")
            => Source::Time { at: "deleted_at", offset: None };
        Property::string("classification").filterable() => Source::Null;
        Property::date_time("createdDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        // Graph's group is an open type, and its answers have this.
        Property::string("creationOptions").many().filterable().undescribed() => EMPTY;
        Property::string("description").filterable().sortable() => text!("description");
        Property::string("displayName").filterable().sortable() => text!("display_name");
        Property::date_time("expirationDateTime").filterable() => Source::Null;
        Property::string("groupTypes").many().filterable()
            => json!("group_types");
        Property::boolean("isAssignableToRole").filterable() => Source::Null;
        Property::string("mail").filterable().sortable() => text!("mail");
        Property::boolean("mailEnabled").filterable() => Source::Bool("is_unified");
        Property::string("mailNickname").filterable().sortable() => text!("mail_nickname");
        Property::string("membershipRule").filterable() => Source::Null;
        Property::string("membershipRuleProcessingState").filterable() => Source::Null;
        Property::string("onPremisesDomainName").filterable() => Source::Null;
        Property::date_time("onPremisesLastSyncDateTime").filterable() => Source::Null;
        Property::string("onPremisesNetBiosName").filterable() => Source::Null;
        Property::string("onPremisesSamAccountName").filterable() => Source::Null;
        Property::string("onPremisesSecurityIdentifier").filterable() => Source::Null;
        Property::boolean("onPremisesSyncEnabled").filterable() => Source::Null;
        Property::string("preferredDataLocation").filterable() => Source::Null;
        Property::string("preferredLanguage").filterable() => Source::Null;
        Property::string("proxyAddresses").many().filterable() => json!("proxy_addresses");
        Property::date_time("renewedDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        Property::string("resourceBehaviorOptions").many().filterable()
            => json!("resource_behavior_options");
        Property::string("resourceProvisioningOptions").many().filterable() => EMPTY;
        Property::boolean("securityEnabled").filterable().sortable()
            => Source::Bool("security_enabled");
        Property::string("securityIdentifier").filterable() => Source::Null;
        Property::string("theme").filterable() => Source::Null;
        Property::string("visibility").filterable().sortable()
            => text!("visibility");
        Property::boolean("allowExternalSenders").filterable().on_request()
            => Source::Bool("allow_external_senders");
        Property::boolean("autoSubscribeNewMembers").filterable().on_request()
            => Source::Bool("auto_subscribe_new_members");
        Property::boolean("hideFromAddressLists").filterable().on_request()
            => Source::Bool("hide_from_address_lists");
        Property::boolean("hideFromOutlookClients").filterable().on_request()
            => Source::Bool("hide_from_outlook_clients");
        Property::boolean("isArchived").filterable().on_request() => Source::Null;
        Property::boolean("isFavorite").filterable().on_request() => FAVORITE;
        Property::boolean("isSubscribedByMail").filterable().on_request() => SUBSCRIBED;
        Property::int32("unseenCount").filterable().on_request() => UNSEEN;
    }
    navigations: {
        Navigation::many("conversations", || &CONVERSATION.edm) => IN_GROUP;
        Navigation::many("threads", || &THREAD.edm) => IN_GROUP;
        Navigation::many(MESSAGES, || &POST.edm).published(Published::Never).reversed() => IN_GROUP;
        Navigation::many(AUDIT, || &AUDIT_ENTRY.edm).published(Published::Never).not_expandable()
            => IN_GROUP;
        Navigation::many("members", || &USER.edm).referenced().declared("directoryObject")
            => Link::Through { table: "group_members", from: "group_id", to: "user_id" };
        Navigation::many("owners", || &USER.edm).referenced().declared("directoryObject")
            => Link::Through { table: "group_owners", from: "group_id", to: "user_id" };
        Navigation::many("memberOf", || &SELF.edm).referenced().declared("directoryObject")
            => Link::Nowhere;
        Navigation::many("acceptedSenders", || &DIRECTORY_OBJECT.edm)
            .referenced()
            .described_contained() => Link::Through { table: "accepted_senders", from: "group_id", to: "principal_id" };
        Navigation::many("rejectedSenders", || &DIRECTORY_OBJECT.edm)
            .referenced()
            .described_contained() => Link::Through { table: "rejected_senders", from: "group_id", to: "principal_id" };
        Navigation::many(INVITATIONS, || &GROUP_INVITATION.edm)
            .published(Published::Never)
            .not_expandable() => Link::Keys(&[("group_id", "id")]);
        Navigation::many("folkmoot.joinRequests", || &JOIN_REQUEST.edm)
            .published(Published::Never)
            .not_expandable() => Link::Keys(&[("group_id", "id")]);
    }
    actions: &[
        Action::new("resetUnseenCount"),
        Action::new("subscribeByMail"),
        Action::new("unsubscribeByMail"),
        Action::new("addFavorite"),
        Action::new("removeFavorite"),
        GET_BY_IDS.published(Published::Never),
    ]
}
