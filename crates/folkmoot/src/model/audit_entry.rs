//! `auditEntry`: what somebody did in a group, or to it; this server's own.
//!
//! **Invariant:** an entry never changes, and outlives what it tells of: it says ids, and no words.

use odata::edm::{Property, Published};

use super::shared::id;
use super::{Source, entity};

entity! {
    /// One thing that was done. Ids are in the order of time.
    AUDIT_ENTRY = "auditEntry": "entity" in "audit_entries",
    in_group: true, open: false,
    order: &[("id", true)],
    properties: {
        id() => Source::Id("id");
        Property::date_time("createdDateTime").filterable().sortable()
            => Source::Time { at: "at", offset: None };
        // Which row of the operation table, or which command.
        Property::string("operation").filterable() => Source::Exact("operation");
        // created, updated, deleted
        Property::string("action").filterable() => Source::Exact("action");
        Property::string("entityType").filterable() => Source::Exact("entity_type");
        Property::key("entityId").filterable() => Source::Id("entity_id");
        // Where it is, or was, or what was made along with it.
        Property::key("conversationId").filterable() => Source::Id("conversation_id");
        Property::key("conversationThreadId").filterable() => Source::Id("thread_id");
        Property::key("postId").filterable() => Source::Id("post_id");
        // What of it: an attachment of a post, a sender of a group.
        Property::key("partId").filterable() => Source::Id("part_id");
        // user, application, commandLine, issuer, server
        Property::string("caller").filterable() => Source::Exact("caller");
        Property::key("userId").filterable() => Source::Id("user_id");
        Property::string("applicationId").filterable() => Source::Exact("app");
        // An address, or by which way a command came.
        Property::string("client").filterable() => Source::Exact("client");
        Property::key("requestId").filterable() => Source::Id("request_id");
    }
    navigations: {}
    actions: &[],
    published: Published::Never
}
