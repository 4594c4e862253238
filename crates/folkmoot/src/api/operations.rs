//! The operation table: every thing that a client can ask for, once.
//!
//! **Invariant:** an operation is a row of this table or it does not exist: the enum is made from the
//! rows, so a row without code and code without a row do not compile. Whether a call is permitted is
//! read here and nowhere else.
//!
//! A row's shape is the path as it was bound, written from the last entity that it goes through:
//! `group/conversations` stands for `/groups/{id}/conversations`, `/me/joinedTeams/{id}/conversations`
//! and every other way to the same place. `{}` is a key. `/$count` is read as its collection is.

use http::{Method, StatusCode};
use odata::bind::{Path, Step};

use crate::auth::Scope::{self, *};
use crate::auth::Scopes;

/// Where an operation comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strict {
    /// Real Graph offers it as it is offered here.
    Served,
    /// Real Graph offers it to users, not to applications: 403.
    NotToApps,
    /// Real Graph does not offer it: 405. The seed's pages or this server's own do.
    NotOffered,
}

/// What an operation answers when all went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Success {
    /// 200 with a collection of entities.
    Page,
    /// 200 with a collection of references.
    References,
    /// 200 with a file.
    Bytes,
    /// 200 with one entity; 204 where a write is to say little.
    Entity,
    /// 201 with the new entity; 204 where it is to say little.
    Created,
    /// The same, or 204 where the body was a reference.
    Added,
    /// 204; 200 with the entity where that is preferred.
    Changed,
    /// 201 with an upload session.
    Session,
    /// 202 without a body.
    Accepted,
    /// 200 without a body.
    Nothing,
    /// 204.
    NoContent,
    /// Nothing goes well: the operation stands here to be refused by its name.
    Never,
}

impl Success {
    /// The statuses that an answer may have, first the one that it has where nothing is preferred.
    pub(crate) const fn statuses(self) -> &'static [StatusCode] {
        use StatusCode as S;
        match self {
            Success::Page | Success::References | Success::Bytes | Success::Nothing => &[S::OK],
            Success::Entity => &[S::OK, S::NO_CONTENT],
            Success::Created | Success::Added => &[S::CREATED, S::NO_CONTENT],
            Success::Changed => &[S::NO_CONTENT, S::OK],
            Success::Session => &[S::CREATED],
            Success::Accepted => &[S::ACCEPTED],
            Success::NoContent => &[S::NO_CONTENT],
            Success::Never => &[],
        }
    }
}

/// One row.
#[derive(Debug)]
pub(crate) struct Row {
    /// What is asked for.
    pub(crate) operation: Operation,
    /// The method.
    pub(crate) method: Method,
    /// The path's shape.
    pub(crate) shape: &'static str,
    /// Scopes of a user's token, any of which is enough.
    pub(crate) delegated: Scopes,
    /// Roles of an application's token, any of which is enough; none: not for applications.
    pub(crate) application: Scopes,
    /// What strict mode answers.
    pub(crate) strict: Strict,
    /// What the answer is when all went well.
    pub(crate) success: Success,
}

impl Row {
    /// What a token must have one of, an application's or a user's.
    pub(super) const fn needed(&self, app: bool) -> Scopes {
        if app { self.application } else { self.delegated }
    }

    /// Whether its answer may have this status when all went well: one that it says, or, where the client
    /// has the answer already, 304.
    pub(super) fn may_answer(&self, status: StatusCode) -> bool {
        let known = self.method == Method::GET && status == StatusCode::NOT_MODIFIED;
        known || self.success.statuses().contains(&status)
    }
}

macro_rules! operations {
    ($($operation:ident: $method:ident $shape:literal, $delegated:ident, $application:ident, $strict:ident, $success:ident;)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[doc = concat!(stringify!($method), " ", $shape)] $operation,)*
        }

        /// The table.
        pub(crate) static OPERATIONS: &[Row] = &[
            $(Row {
                operation: Operation::$operation,
                method: Method::$method,
                shape: $shape,
                delegated: $delegated,
                application: $application,
                strict: Strict::$strict,
                success: Success::$success,
            },)*
        ];
    };
}

const fn any(scopes: &[Scope]) -> Scopes {
    Scopes::of(scopes)
}

const NOBODY: Scopes = any(&[]);
const READ: Scopes = any(&[
    GroupConversationReadAll,
    GroupConversationReadWriteAll,
    GroupReadAll,
    GroupReadWriteAll,
]);
const WRITE: Scopes = any(&[GroupConversationReadWriteAll, GroupReadWriteAll]);
const GROUPS: Scopes = any(&[
    GroupReadBasicAll,
    GroupMemberReadAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const GROUP_CREATE: Scopes = any(&[GroupReadWriteAll, DirectoryReadWriteAll]);
const GROUP_CREATE_APP: Scopes = any(&[GroupCreate, GroupReadWriteAll, DirectoryReadWriteAll]);
const GROUP_WRITE: Scopes = any(&[GroupReadWriteAll]);
const SENDERS: Scopes = any(&[GroupReadAll, GroupReadWriteAll]);
const DIRECTORY: Scopes = any(&[
    UserReadBasicAll,
    UserReadAll,
    UserReadWriteAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const MEMBERS: Scopes = any(&[
    GroupMemberReadBasicAll,
    GroupMemberReadAll,
    GroupReadBasicAll,
    GroupMemberReadWriteAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const MEMBERS_WRITE: Scopes =
    any(&[GroupMemberReadWriteAll, GroupReadWriteAll, DirectoryReadWriteAll]);
const OWNERS_WRITE: Scopes = any(&[GroupReadWriteAll, DirectoryReadWriteAll]);
const ME: Scopes =
    any(&[UserRead, UserReadBasicAll, UserReadAll, UserReadWriteAll, DirectoryReadAll]);
const USERS: Scopes = any(&[
    UserReadBasicAll,
    UserReadAll,
    UserReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const MEMBER_OF: Scopes = any(&[
    UserRead,
    UserReadAll,
    GroupMemberReadBasicAll,
    GroupMemberReadAll,
    GroupReadBasicAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const MEMBER_OF_APP: Scopes = any(&[
    UserReadAll,
    GroupMemberReadAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const TEAMS: Scopes = any(&[TeamReadBasicAll, GroupReadAll, GroupReadWriteAll]);

operations! {
    ListGroups: GET "groups", GROUPS, GROUPS, Served, Page;
    CreateGroup: POST "groups", GROUP_CREATE, GROUP_CREATE_APP, Served, Created;
    GetGroup: GET "group", GROUPS, GROUPS, Served, Entity;
    UpdateGroup: PATCH "group", GROUP_WRITE, GROUP_WRITE, Served, Changed;
    ResetUnseenCount: POST "group/resetUnseenCount", GROUP_WRITE, NOBODY, Served, Nothing;
    SubscribeByMail: POST "group/subscribeByMail", GROUP_WRITE, NOBODY, Served, Nothing;
    UnsubscribeByMail: POST "group/unsubscribeByMail", GROUP_WRITE, GROUP_WRITE, Served, Nothing;
    AddFavorite: POST "group/addFavorite", GROUP_WRITE, NOBODY, Served, Nothing;
    RemoveFavorite: POST "group/removeFavorite", GROUP_WRITE, NOBODY, Served, Nothing;
    DeleteGroup: DELETE "group", GROUP_WRITE, GROUP_WRITE, Served, NoContent;
    ListGroupMemberOf: GET "group/memberOf", GROUPS, GROUPS, Served, Page;
    ListMembers: GET "group/members", MEMBERS, MEMBERS, Served, Page;
    ListMemberReferences: GET "group/members/$ref", MEMBERS, MEMBERS, NotOffered, References;
    PostMember: POST "group/members", MEMBERS_WRITE, MEMBERS_WRITE, Served, Never;
    AddMember: POST "group/members/$ref", MEMBERS_WRITE, MEMBERS_WRITE, Served, NoContent;
    RemoveMember: DELETE "group/members/{}/$ref", MEMBERS_WRITE, MEMBERS_WRITE, Served, NoContent;
    RemoveMemberById: DELETE "group/members/$ref", MEMBERS_WRITE, MEMBERS_WRITE, Served, NoContent;
    ListOwners: GET "group/owners", MEMBERS, MEMBERS, Served, Page;
    ListOwnerReferences: GET "group/owners/$ref", MEMBERS, MEMBERS, NotOffered, References;
    PostOwner: POST "group/owners", OWNERS_WRITE, OWNERS_WRITE, Served, Never;
    AddOwner: POST "group/owners/$ref", OWNERS_WRITE, OWNERS_WRITE, Served, NoContent;
    RemoveOwner: DELETE "group/owners/{}/$ref", OWNERS_WRITE, OWNERS_WRITE, Served, NoContent;
    RemoveOwnerById: DELETE "group/owners/$ref", OWNERS_WRITE, OWNERS_WRITE, Served, NoContent;
    ListAcceptedSenders: GET "group/acceptedSenders", SENDERS, SENDERS, NotToApps, Page;
    ListAcceptedSenderReferences: GET "group/acceptedSenders/$ref", SENDERS, SENDERS, NotOffered, References;
    PostAcceptedSender: POST "group/acceptedSenders", GROUP_WRITE, GROUP_WRITE, NotToApps, Never;
    AddAcceptedSender: POST "group/acceptedSenders/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    RemoveAcceptedSender: DELETE "group/acceptedSenders/{}/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    RemoveAcceptedSenderById: DELETE "group/acceptedSenders/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    ListRejectedSenders: GET "group/rejectedSenders", SENDERS, SENDERS, NotToApps, Page;
    ListRejectedSenderReferences: GET "group/rejectedSenders/$ref", SENDERS, SENDERS, NotOffered, References;
    PostRejectedSender: POST "group/rejectedSenders", GROUP_WRITE, GROUP_WRITE, NotToApps, Never;
    AddRejectedSender: POST "group/rejectedSenders/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    RemoveRejectedSender: DELETE "group/rejectedSenders/{}/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    RemoveRejectedSenderById: DELETE "group/rejectedSenders/$ref", GROUP_WRITE, GROUP_WRITE, NotToApps, NoContent;
    GetGroupsByIds: POST "groups/getByIds", DIRECTORY, DIRECTORY, Served, Page;

    GetDirectoryObject: GET "directoryObject", DIRECTORY, DIRECTORY, Served, Entity;
    GetDirectoryObjectsByIds: POST "directoryObjects/getByIds", DIRECTORY, DIRECTORY, Served, Page;
    GetUsersByIds: POST "users/getByIds", DIRECTORY, DIRECTORY, Served, Page;
    GetMe: GET "me", ME, NOBODY, Served, Entity;
    ListUsers: GET "users", USERS, USERS, Served, Page;
    GetUser: GET "user", USERS, USERS, Served, Entity;
    ListMemberOf: GET "user/memberOf", MEMBER_OF, MEMBER_OF_APP, Served, Page;
    ListTransitiveMemberOf: GET "user/transitiveMemberOf", MEMBER_OF, MEMBER_OF_APP, Served, Page;
    ListOwnedObjects: GET "user/ownedObjects", MEMBER_OF, MEMBER_OF_APP, Served, Page;
    ListJoinedTeams: GET "user/joinedTeams", TEAMS, TEAMS, NotOffered, Page;
    ListJoinedGroups: GET "user/joinedGroups", TEAMS, TEAMS, NotOffered, Page;

    ListConversations: GET "group/conversations", READ, READ, Served, Page;
    CreateConversation: POST "group/conversations", WRITE, WRITE, NotToApps, Created;
    AddConversation: POST "group/conversations/$ref", WRITE, WRITE, NotOffered, Added;
    GetConversation: GET "conversation", READ, READ, Served, Entity;
    UpdateConversation: PATCH "conversation", WRITE, WRITE, NotOffered, Entity;
    DeleteConversation: DELETE "conversation", WRITE, WRITE, Served, NoContent;
    MarkConversationRead: POST "conversation/folkmoot.markRead", READ, NOBODY, NotOffered, NoContent;
    MarkConversationUnread: POST "conversation/folkmoot.markUnread", READ, NOBODY, NotOffered, NoContent;

    ListGroupThreads: GET "group/threads", READ, READ, Served, Page;
    CreateGroupThread: POST "group/threads", WRITE, WRITE, NotToApps, Created;
    AddGroupThread: POST "group/threads/$ref", WRITE, WRITE, NotOffered, Created;
    ListThreads: GET "conversation/threads", READ, READ, Served, Page;
    CreateThread: POST "conversation/threads", WRITE, WRITE, NotToApps, Created;
    AddThread: POST "conversation/threads/$ref", WRITE, WRITE, NotOffered, Created;
    GetThread: GET "conversationThread", READ, READ, Served, Entity;
    UpdateThread: PATCH "conversationThread", WRITE, WRITE, Served, Entity;
    DeleteThread: DELETE "conversationThread", WRITE, WRITE, Served, NoContent;
    ReplyToThread: POST "conversationThread/reply", WRITE, WRITE, NotToApps, Accepted;
    ForwardThread: POST "conversationThread/forward", WRITE, WRITE, NotOffered, Accepted;

    ListMessages: GET "group/folkmoot.messages", READ, READ, NotOffered, Page;
    ListPosts: GET "conversationThread/posts", READ, READ, Served, Page;
    CreatePost: POST "conversationThread/posts", WRITE, WRITE, NotOffered, Created;
    AddPost: POST "conversationThread/posts/$ref", WRITE, WRITE, NotOffered, Created;
    GetPost: GET "post", READ, READ, Served, Entity;
    UpdatePost: PATCH "post", WRITE, WRITE, NotOffered, Entity;
    DeletePost: DELETE "post", WRITE, WRITE, NotOffered, NoContent;
    GetInReplyTo: GET "post/inReplyTo", READ, READ, Served, Entity;
    UpdateInReplyTo: PATCH "post/inReplyTo", WRITE, WRITE, NotOffered, Entity;
    DeleteInReplyTo: DELETE "post/inReplyTo", WRITE, WRITE, NotOffered, NoContent;
    ReplyToPost: POST "post/reply", WRITE, WRITE, Served, Accepted;
    ForwardPost: POST "post/forward", WRITE, WRITE, Served, Accepted;
    ListPostHistory: GET "post/folkmoot.history", READ, READ, NotOffered, Page;
    GetPostVersion: GET "postVersion", READ, READ, NotOffered, Entity;

    ListAttachments: GET "post/attachments", READ, READ, NotToApps, Page;
    CreateAttachment: POST "post/attachments", WRITE, WRITE, NotToApps, Created;
    AddAttachment: POST "post/attachments/$ref", WRITE, WRITE, NotOffered, Created;
    GetAttachment: GET "attachment", READ, READ, NotToApps, Entity;
    GetAttachmentValue: GET "attachment/$value", READ, READ, NotToApps, Bytes;
    CreateUploadSession: POST "post/attachments/createUploadSession", WRITE, WRITE, NotToApps, Session;
    DeleteAttachment: DELETE "attachment", WRITE, WRITE, NotToApps, NoContent;

    ListExtensions: GET "post/extensions", READ, READ, Served, Page;
    CreateExtension: POST "post/extensions", WRITE, WRITE, Served, Created;
    GetExtension: GET "openTypeExtension", READ, READ, Served, Entity;
    UpdateExtension: PATCH "openTypeExtension", WRITE, WRITE, Served, Entity;
    DeleteExtension: DELETE "openTypeExtension", WRITE, WRITE, Served, NoContent;

    ListSingleValueProperties: GET "post/singleValueExtendedProperties", READ, READ, NotOffered, Page;
    CreateSingleValueProperty: POST "post/singleValueExtendedProperties", WRITE, WRITE, NotOffered, Created;
    AddSingleValueProperty: POST "post/singleValueExtendedProperties/$ref", WRITE, WRITE, NotOffered, Created;
    GetSingleValueProperty: GET "singleValueLegacyExtendedProperty", READ, READ, NotOffered, Entity;
    UpdateSingleValueProperty: PATCH "singleValueLegacyExtendedProperty", WRITE, WRITE, NotOffered, Entity;
    DeleteSingleValueProperty: DELETE "singleValueLegacyExtendedProperty", WRITE, WRITE, NotOffered, NoContent;
    ListMultiValueProperties: GET "post/multiValueExtendedProperties", READ, READ, NotOffered, Page;
    CreateMultiValueProperty: POST "post/multiValueExtendedProperties", WRITE, WRITE, NotOffered, Created;
    AddMultiValueProperty: POST "post/multiValueExtendedProperties/$ref", WRITE, WRITE, NotOffered, Created;
    GetMultiValueProperty: GET "multiValueLegacyExtendedProperty", READ, READ, NotOffered, Entity;
    UpdateMultiValueProperty: PATCH "multiValueLegacyExtendedProperty", WRITE, WRITE, NotOffered, Entity;
    DeleteMultiValueProperty: DELETE "multiValueLegacyExtendedProperty", WRITE, WRITE, NotOffered, NoContent;

    ListMentions: GET "post/mentions", READ, READ, Served, Page;
    CreateMention: POST "post/mentions", WRITE, WRITE, Served, Created;
    AddMention: POST "post/mentions/$ref", WRITE, WRITE, NotOffered, Created;
    GetMention: GET "mention", READ, READ, Served, Entity;
    DeleteMention: DELETE "mention", WRITE, WRITE, Served, NoContent;
}

/// Something of a query that real Graph refuses on some collections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Filter,
    OrderBy,
    Expand,
    /// `/$count`.
    CountSegment,
    /// `$filter` and `$orderby` together.
    FilterAndOrderBy,
    /// `$search`
    Search,
    /// `ne`, `not` or `endswith` in `$filter`.
    Negation,
}

/// What strict mode answers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 501, as real Graph says it of conversations (GRAPH.md section 5).
    NotSupported,
    /// 400: the schema says that it cannot be expanded.
    NotExpandable,
    /// 400, unless the request has `ConsistencyLevel: eventual` and, but for `/$count`, `$count=true`.
    NeedsEventual,
}

const OF_DIRECTORY: &[(Asked, Refusal)] = &[
    (Asked::CountSegment, Refusal::NeedsEventual),
    (Asked::FilterAndOrderBy, Refusal::NeedsEventual),
    (Asked::Negation, Refusal::NeedsEventual),
    (Asked::Search, Refusal::NeedsEventual),
];

/// What of queries strict mode refuses where, by the shape of the collection.
static STRICT_QUERIES: &[(&str, &[(Asked, Refusal)])] = &[
    (
        "group/conversations",
        &[(Asked::Filter, Refusal::NotSupported), (Asked::Expand, Refusal::NotExpandable)],
    ),
    ("group/threads", &[(Asked::Expand, Refusal::NotExpandable)]),
    ("conversation/threads", &[(Asked::Expand, Refusal::NotExpandable)]),
    (
        "conversationThread/posts",
        &[(Asked::Filter, Refusal::NotSupported), (Asked::OrderBy, Refusal::NotSupported)],
    ),
    ("groups", OF_DIRECTORY),
    ("users", OF_DIRECTORY),
    ("group/members", OF_DIRECTORY),
    ("group/owners", OF_DIRECTORY),
    ("group/memberOf", OF_DIRECTORY),
    ("user/memberOf", OF_DIRECTORY),
    ("user/transitiveMemberOf", OF_DIRECTORY),
    ("user/ownedObjects", OF_DIRECTORY),
];

/// Whether the collection of this shape is one of the directory.
pub(crate) fn is_of_directory(shape: &str) -> bool {
    refusal(shape, &[Asked::Search]).is_some()
}

/// Whether the collection of this shape can be searched.
pub(crate) fn is_searched(shape: &str) -> bool {
    const CONTENT: [&str; 5] = [
        "group/conversations",
        "group/threads",
        "group/folkmoot.messages",
        "conversation/threads",
        "conversationThread/posts",
    ];
    is_of_directory(shape) || CONTENT.contains(&shape)
}

/// What strict mode answers to the first of `asked` that it refuses on the collection of this shape.
pub(crate) fn refusal(shape: &str, asked: &[Asked]) -> Option<(Asked, Refusal)> {
    let of = STRICT_QUERIES.iter().filter(|(it, _)| *it == shape).flat_map(|(_, rows)| *rows);
    of.copied().find(|(it, _)| asked.contains(it))
}

/// The shape of a bound path, and whether it asks for a count.
pub(crate) fn shape(path: &Path) -> (String, bool) {
    let mut shape = String::from(path.root.name);
    let (mut at, mut count) = ((path.root.entity)().name, false);
    for step in &path.steps {
        match step {
            Step::Key(_) => shape = at.to_owned(),
            Step::Navigation(navigation) => {
                // What hangs on /me hangs on its user.
                shape = format!("{at}/{}", navigation.name);
                at = (navigation.target)().name;
            }
            Step::Property(property) => shape = format!("{shape}/{}", property.name),
            // One bound to a collection hangs on the navigation that led there.
            Step::Action(action) if action.on_collection => {
                shape = format!("{shape}/{}", action.name);
            }
            Step::Action(action) => shape = format!("{at}/{}", action.name),
            Step::Cast(_) | Step::Narrow(_) => {}
            Step::Count => count = true,
            Step::Value => shape.push_str("/$value"),
            Step::Ref => shape.push_str("/$ref"),
        }
    }
    if let [.., Step::Navigation(navigation), Step::Key(_), Step::Ref] = &path.steps[..] {
        let owner = owner(path);
        shape = format!("{owner}/{}/{{}}/$ref", navigation.name);
    }
    (shape, count)
}

/// The type that the path's last navigation starts from.
fn owner(path: &Path) -> &'static str {
    let mut owner = "";
    let mut at = (path.root.entity)().name;
    for step in &path.steps {
        if let Step::Navigation(navigation) = step {
            owner = at;
            at = (navigation.target)().name;
        }
    }
    owner
}

/// The rows of a shape, one a method.
pub(crate) fn rows(shape: &str) -> impl Iterator<Item = &'static Row> {
    OPERATIONS.iter().filter(move |row| row.shape == shape)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// `docs/operations.md`, as the table says it.
    fn document() -> String {
        let mut out = String::from(
            "# Operations\n\nMade from the operation table (`api/operations.rs`) by `BLESS=1 cargo test -p folkmoot \
             operations`.\n\nA shape is written from the last entity that the path goes through: \
             `group/conversations` stands for `/groups/{id}/conversations`, `/me/joinedTeams/{id}/conversations` and \
             every other way there, with keys as segments or in parentheses. Every list also has `/$count`. Any one of \
             the permissions is enough. In strict mode (`--strict-graph`), operations that real Graph does not offer are \
             405, and those that it offers to users alone are 403 for applications.\n\n\
             | method | shape | delegated scopes | application roles | real Graph |\n\
             | --- | --- | --- | --- | --- |\n",
        );
        let names = |scopes: Scopes| {
            let names: Vec<_> = scopes.names().collect();
            if names.is_empty() { "not for applications".to_owned() } else { names.join(", ") }
        };
        for row in OPERATIONS {
            let (delegated, application) = (names(row.delegated), names(row.application));
            let application =
                if application == delegated { "the same".to_owned() } else { application };
            let graph = match row.strict {
                Strict::Served => "the same",
                Strict::NotToApps => "users only",
                Strict::NotOffered => "not offered",
            };
            let _ = writeln!(
                out,
                "| {} | `{}` | {delegated} | {application} | {graph} |",
                row.method, row.shape
            );
        }
        out
    }

    #[test]
    fn operations_are_documented() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operations.md");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, document()).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written == document(), "run BLESS=1 cargo test -p folkmoot operations");
    }

    #[test]
    fn a_method_and_a_shape_are_one_operation() {
        for (at, row) in OPERATIONS.iter().enumerate() {
            let same = |it: &&Row| it.method == row.method && it.shape == row.shape;
            assert_eq!(OPERATIONS[..at].iter().find(same).map(|it| it.operation), None, "{row:?}");
            let known = row.application == NOBODY || row.application.names().next().is_some();
            assert!(known && row.delegated.names().next().is_some(), "{row:?}");
        }
    }
}
