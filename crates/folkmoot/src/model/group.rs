//! `group`: people who talk, and what they have said.
//!
//! **Invariant:** every group here is a Microsoft 365 ("Unified") group: it has a mail address and
//! conversations.

use odata::edm::{Action, Navigation, Property};

use super::shared::{EMPTY, id, json, text};
use super::{CONVERSATION, Link, Source, THREAD, USER, entity};

const IN_GROUP: Link = Link::Keys(&[("group_id", "id")]);
/// Conversations whose last post came after the caller was last here, or last read them, and is not
/// their own.
const UNSEEN: Source = Source::PerCaller(
    "(select count(*) from activity a where a.group_id = t0.id \
     and a.seq > coalesce((select r.seq from group_reads r \
     where r.group_id = t0.id and r.user_id = {caller}), 0) \
     and a.author is distinct from {caller} having {caller} is not null) \
     + (select coalesce(sum(case when a.seq > c.seq then 1 else 0 end \
     - case when a.seq > coalesce(r.seq, 0) then 1 else 0 end), 0) \
     from conversation_reads c join activity a on a.group_id = c.group_id \
     and a.conversation_id = c.conversation_id left join group_reads r \
     on r.group_id = c.group_id and r.user_id = c.user_id \
     where c.group_id = t0.id and c.user_id = {caller} and a.author is distinct from {caller})",
);
const YES: Source = Source::Constant { json: "true", sql: "true" };

entity! {
    /// Graph's `group`.
    GROUP = "group": "directoryObject" in "groups",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("deletedDateTime").from("directoryObject")
            => Source::Time { at: "deleted_at", offset: None };
        Property::string("classification") => Source::Null;
        Property::date_time("createdDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        Property::string("description").filterable().sortable() => text!("description");
        Property::string("displayName").filterable().sortable() => text!("display_name");
        Property::date_time("expirationDateTime") => Source::Null;
        Property::string("groupTypes").many().filterable()
            => Source::Constant { json: "[\"Unified\"]", sql: "'[\"unified\"]'" };
        Property::boolean("isAssignableToRole") => Source::Null;
        Property::string("mail").filterable().sortable() => text!("mail");
        Property::boolean("mailEnabled").filterable() => YES;
        Property::string("mailNickname").filterable().sortable() => text!("mail_nickname");
        Property::string("membershipRule") => Source::Null;
        Property::string("membershipRuleProcessingState") => Source::Null;
        Property::string("onPremisesDomainName") => Source::Null;
        Property::date_time("onPremisesLastSyncDateTime") => Source::Null;
        Property::string("onPremisesNetBiosName") => Source::Null;
        Property::string("onPremisesSamAccountName") => Source::Null;
        Property::string("onPremisesSecurityIdentifier") => Source::Null;
        Property::boolean("onPremisesSyncEnabled") => Source::Null;
        Property::string("preferredDataLocation") => Source::Null;
        Property::string("preferredLanguage") => Source::Null;
        Property::string("proxyAddresses").many().filterable() => json!("proxy_addresses");
        Property::date_time("renewedDateTime").filterable().sortable()
            => Source::Time { at: "created_at", offset: None };
        Property::string("resourceBehaviorOptions").many().filterable()
            => json!("resource_behavior_options");
        Property::string("resourceProvisioningOptions").many() => EMPTY;
        Property::boolean("securityEnabled").filterable().sortable()
            => Source::Bool("security_enabled");
        Property::string("securityIdentifier") => Source::Null;
        Property::string("theme") => Source::Null;
        Property::string("visibility").filterable().sortable()
            => text!("visibility");
        Property::boolean("allowExternalSenders").on_request() => Source::Null;
        Property::boolean("autoSubscribeNewMembers").on_request() => Source::Null;
        Property::boolean("hideFromAddressLists").on_request() => Source::Null;
        Property::boolean("hideFromOutlookClients").on_request() => Source::Null;
        Property::boolean("isArchived").on_request() => Source::Null;
        Property::boolean("isSubscribedByMail").on_request() => Source::Null;
        Property::int32("unseenCount").on_request() => UNSEEN;
    }
    navigations: {
        Navigation::many("conversations", || &CONVERSATION.edm) => IN_GROUP;
        Navigation::many("threads", || &THREAD.edm) => IN_GROUP;
        Navigation::many("members", || &USER.edm).referenced().declared("directoryObject")
            => Link::Through { table: "group_members", from: "group_id", to: "user_id" };
        Navigation::many("owners", || &USER.edm).referenced().declared("directoryObject")
            => Link::Through { table: "group_owners", from: "group_id", to: "user_id" };
    }
    actions: &[Action::new("resetUnseenCount")]
}
