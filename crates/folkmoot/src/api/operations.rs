//! The operation table: every thing that a client can ask for, once.
//!
//! **Invariant:** an operation is a row of this table or it does not exist: the enum is made from the
//! rows, so a row without code and code without a row do not compile. Whether a call is permitted is
//! read here and nowhere else.
//!
//! A row's shape is the path as it was bound, written from the last entity that it goes through:
//! `group/conversations` stands for `/groups/{id}/conversations`, `/me/joinedTeams/{id}/conversations`
//! and every other way to the same place. `{}` is a key. `/$count` is read as its collection is.
//!
//! Long because it is one table.

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

/// Which users of the tenant may do something, if their scopes are enough. Applications with the role may do
/// it in every group.
///
/// It is decided in `access.rs` and `service`, from the group and the caller's place in it. Said here it is
/// for documents, and `tests/it/walk.rs` asks every operation whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// Everybody; of hidden members and owners they see none.
    Anybody,
    /// Everybody but guests.
    NotGuest,
    /// Who may read the group's content: everybody where it is public, members and owners elsewhere.
    Reader,
    /// Members who may read its content.
    Member,
    /// Who may post: readers whom neither the lists of senders nor the group's options keep out.
    Writer,
    /// Owners, and who has written what it is about, all of it, while they may post.
    Author,
    /// Owners.
    Owner,
    /// Owners, and for themself whoever finds the group public.
    OwnerOrJoiner,
    /// Owners, and for themself whoever is on the list.
    OwnerOrLeaver,
    /// For themself who is no member of a group that is not public.
    Asker,
    /// Owners, and whom it is about.
    OwnerOrOneself,
    /// Whom it is about.
    Oneself,
}

impl Who {
    /// In the words of documents.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Who::Anybody => "anybody",
            Who::NotGuest => "not guests",
            Who::Reader => "readers",
            Who::Member => "members",
            Who::Writer => "writers",
            Who::Author => "its author, owners",
            Who::Owner => "owners",
            Who::OwnerOrJoiner => "owners, joiners",
            Who::OwnerOrLeaver => "owners, leavers",
            Who::Asker => "askers",
            Who::OwnerOrOneself => "owners, whom it is about",
            Who::Oneself => "whom it is about",
        }
    }
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
    /// Which users may do it, their scopes being enough.
    pub(crate) who: Who,
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
    ($($operation:ident: $method:ident $shape:literal, $delegated:ident, $application:ident, $who:ident, $strict:ident, $success:ident;)*) => {
        /// What a request asks for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation {
            $(#[doc = concat!(stringify!($method), " ", $shape)] $operation,)*
        }

        impl Operation {
            /// Its name, as the audit has it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Operation::$operation => stringify!($operation),)*
                }
            }
        }

        /// The table.
        pub(crate) static OPERATIONS: &[Row] = &[
            $(Row {
                operation: Operation::$operation,
                method: Method::$method,
                shape: $shape,
                delegated: $delegated,
                application: $application,
                who: Who::$who,
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
/// What the narrower scopes of conversations do not reach: who may send, and what programs keep with posts.
const GROUP_READ: Scopes = any(&[GroupReadAll, GroupReadWriteAll]);
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
const OWNERS: Scopes = any(&[
    GroupMemberReadAll,
    GroupMemberReadWriteAll,
    GroupReadAll,
    GroupReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
const MEMBERS_WRITE: Scopes =
    any(&[GroupMemberReadWriteAll, GroupReadWriteAll, DirectoryReadWriteAll]);
const OWNERS_WRITE: Scopes = any(&[GroupReadWriteAll, DirectoryReadWriteAll]);
const ME: Scopes = any(&[
    UserRead,
    UserReadBasicAll,
    UserReadAll,
    UserReadWriteAll,
    DirectoryReadAll,
    DirectoryReadWriteAll,
]);
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
const AUDIT: Scopes = any(&[AuditLogReadAll, GroupReadWriteAll]);
const TEAMS: Scopes = any(&[TeamReadBasicAll, GroupReadAll, GroupReadWriteAll]);

operations! {
    ListGroups: GET "groups", GROUPS, GROUPS, Anybody, Served, Page;
    CreateGroup: POST "groups", GROUP_CREATE, GROUP_CREATE_APP, NotGuest, Served, Created;
    GetGroup: GET "group", GROUPS, GROUPS, Anybody, Served, Entity;
    UpdateGroup: PATCH "group", GROUP_WRITE, GROUP_WRITE, Owner, Served, Changed;
    ResetUnseenCount: POST "group/resetUnseenCount", GROUP_WRITE, NOBODY, Reader, Served, Nothing;
    SubscribeByMail: POST "group/subscribeByMail", GROUP_WRITE, NOBODY, Member, Served, Nothing;
    UnsubscribeByMail: POST "group/unsubscribeByMail", GROUP_WRITE, GROUP_WRITE, Member, Served, Nothing;
    AddFavorite: POST "group/addFavorite", GROUP_WRITE, NOBODY, Reader, Served, Nothing;
    RemoveFavorite: POST "group/removeFavorite", GROUP_WRITE, NOBODY, Reader, Served, Nothing;
    DeleteGroup: DELETE "group", GROUP_WRITE, GROUP_WRITE, Owner, Served, NoContent;
    ListGroupMemberOf: GET "group/memberOf", GROUPS, GROUPS, Anybody, Served, Page;
    ListMembers: GET "group/members", MEMBERS, MEMBERS, Anybody, Served, Page;
    ListMemberReferences: GET "group/members/$ref", MEMBERS, MEMBERS, Anybody, NotOffered, References;
    PostMember: POST "group/members", MEMBERS_WRITE, MEMBERS_WRITE, Anybody, Served, Never;
    AddMember: POST "group/members/$ref", MEMBERS_WRITE, MEMBERS_WRITE, OwnerOrJoiner, Served, NoContent;
    RemoveMember: DELETE "group/members/{}/$ref", MEMBERS_WRITE, MEMBERS_WRITE, OwnerOrLeaver, Served, NoContent;
    RemoveMemberById: DELETE "group/members/$ref", MEMBERS_WRITE, MEMBERS_WRITE, OwnerOrLeaver, Served, NoContent;
    ListOwners: GET "group/owners", OWNERS, OWNERS, Anybody, Served, Page;
    ListOwnerReferences: GET "group/owners/$ref", OWNERS, OWNERS, Anybody, NotOffered, References;
    PostOwner: POST "group/owners", OWNERS_WRITE, OWNERS_WRITE, Anybody, Served, Never;
    AddOwner: POST "group/owners/$ref", OWNERS_WRITE, OWNERS_WRITE, Owner, Served, NoContent;
    RemoveOwner: DELETE "group/owners/{}/$ref", OWNERS_WRITE, OWNERS_WRITE, OwnerOrLeaver, Served, NoContent;
    RemoveOwnerById: DELETE "group/owners/$ref", OWNERS_WRITE, OWNERS_WRITE, OwnerOrLeaver, Served, NoContent;
    ListAcceptedSenders: GET "group/acceptedSenders", GROUP_READ, GROUP_READ, Anybody, NotToApps, Page;
    ListAcceptedSenderReferences: GET "group/acceptedSenders/$ref", GROUP_READ, GROUP_READ, Anybody, NotOffered, References;
    PostAcceptedSender: POST "group/acceptedSenders", GROUP_WRITE, GROUP_WRITE, Anybody, NotToApps, Never;
    AddAcceptedSender: POST "group/acceptedSenders/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    RemoveAcceptedSender: DELETE "group/acceptedSenders/{}/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    RemoveAcceptedSenderById: DELETE "group/acceptedSenders/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    ListRejectedSenders: GET "group/rejectedSenders", GROUP_READ, GROUP_READ, Anybody, NotToApps, Page;
    ListRejectedSenderReferences: GET "group/rejectedSenders/$ref", GROUP_READ, GROUP_READ, Anybody, NotOffered, References;
    PostRejectedSender: POST "group/rejectedSenders", GROUP_WRITE, GROUP_WRITE, Anybody, NotToApps, Never;
    AddRejectedSender: POST "group/rejectedSenders/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    RemoveRejectedSender: DELETE "group/rejectedSenders/{}/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    RemoveRejectedSenderById: DELETE "group/rejectedSenders/$ref", GROUP_WRITE, GROUP_WRITE, Owner, NotToApps, NoContent;
    ListAudit: GET "group/folkmoot.audit", AUDIT, AUDIT, Owner, NotOffered, Page;
    GetAuditEntry: GET "auditEntry", AUDIT, AUDIT, Owner, NotOffered, Entity;
    ListInvitations: GET "group/folkmoot.invitations", MEMBERS, MEMBERS, Owner, NotOffered, Page;
    CreateInvitation: POST "group/folkmoot.invitations", MEMBERS_WRITE, MEMBERS_WRITE, Owner, NotOffered, Created;
    GetInvitation: GET "groupInvitation", MEMBERS, MEMBERS, Owner, NotOffered, Entity;
    RevokeInvitation: DELETE "groupInvitation", MEMBERS_WRITE, MEMBERS_WRITE, Owner, NotOffered, NoContent;
    AcceptInvitation: POST "groupInvitation/folkmoot.accept", MEMBERS_WRITE, NOBODY, Oneself, NotOffered, NoContent;
    DeclineInvitation: POST "groupInvitation/folkmoot.decline", MEMBERS_WRITE, NOBODY, Oneself, NotOffered, NoContent;
    ListJoinRequests: GET "group/folkmoot.joinRequests", MEMBERS, MEMBERS, Anybody, NotOffered, Page;
    CreateJoinRequest: POST "group/folkmoot.joinRequests", MEMBERS_WRITE, NOBODY, Asker, NotOffered, Created;
    GetJoinRequest: GET "joinRequest", MEMBERS, MEMBERS, OwnerOrOneself, NotOffered, Entity;
    WithdrawJoinRequest: DELETE "joinRequest", MEMBERS_WRITE, NOBODY, Oneself, NotOffered, NoContent;
    ApproveJoinRequest: POST "joinRequest/folkmoot.approve", MEMBERS_WRITE, MEMBERS_WRITE, Owner, NotOffered, NoContent;
    RejectJoinRequest: POST "joinRequest/folkmoot.reject", MEMBERS_WRITE, MEMBERS_WRITE, Owner, NotOffered, NoContent;
    GetGroupsByIds: POST "groups/getByIds", DIRECTORY, DIRECTORY, Anybody, Served, Page;

    GetDirectoryObject: GET "directoryObject", DIRECTORY, DIRECTORY, Anybody, Served, Entity;
    GetDirectoryObjectsByIds: POST "directoryObjects/getByIds", DIRECTORY, DIRECTORY, Anybody, Served, Page;
    GetUsersByIds: POST "users/getByIds", DIRECTORY, DIRECTORY, Anybody, Served, Page;
    GetMe: GET "me", ME, NOBODY, Anybody, Served, Entity;
    ListUsers: GET "users", USERS, USERS, Anybody, Served, Page;
    GetUser: GET "user", USERS, USERS, Anybody, Served, Entity;
    ListMemberOf: GET "user/memberOf", MEMBER_OF, MEMBER_OF_APP, Anybody, Served, Page;
    ListTransitiveMemberOf: GET "user/transitiveMemberOf", MEMBER_OF, MEMBER_OF_APP, Anybody, Served, Page;
    ListOwnedObjects: GET "user/ownedObjects", MEMBER_OF, MEMBER_OF_APP, Anybody, Served, Page;
    ListJoinedTeams: GET "user/joinedTeams", TEAMS, TEAMS, Anybody, NotOffered, Page;
    ListJoinedGroups: GET "user/joinedGroups", TEAMS, TEAMS, Anybody, NotOffered, Page;
    ListOwnInvitations: GET "user/folkmoot.invitations", MEMBER_OF, MEMBER_OF_APP, Anybody, NotOffered, Page;
    ListOwnJoinRequests: GET "user/folkmoot.joinRequests", MEMBER_OF, MEMBER_OF_APP, Anybody, NotOffered, Page;

    ListConversations: GET "group/conversations", READ, READ, Reader, Served, Page;
    CreateConversation: POST "group/conversations", WRITE, WRITE, Writer, NotToApps, Created;
    AddConversation: POST "group/conversations/$ref", WRITE, WRITE, Writer, NotOffered, Added;
    GetConversation: GET "conversation", READ, READ, Reader, Served, Entity;
    UpdateConversation: PATCH "conversation", WRITE, WRITE, Author, NotOffered, Entity;
    DeleteConversation: DELETE "conversation", WRITE, WRITE, Author, Served, NoContent;
    MarkConversationRead: POST "conversation/folkmoot.markRead", READ, NOBODY, Reader, NotOffered, NoContent;
    MarkConversationUnread: POST "conversation/folkmoot.markUnread", READ, NOBODY, Reader, NotOffered, NoContent;

    ListGroupThreads: GET "group/threads", READ, READ, Reader, Served, Page;
    CreateGroupThread: POST "group/threads", WRITE, WRITE, Writer, NotToApps, Created;
    AddGroupThread: POST "group/threads/$ref", WRITE, WRITE, Writer, NotOffered, Created;
    ListThreads: GET "conversation/threads", READ, READ, Reader, Served, Page;
    CreateThread: POST "conversation/threads", WRITE, WRITE, Writer, NotToApps, Created;
    AddThread: POST "conversation/threads/$ref", WRITE, WRITE, Writer, NotOffered, Created;
    GetThread: GET "conversationThread", READ, READ, Reader, Served, Entity;
    UpdateThread: PATCH "conversationThread", WRITE, WRITE, Author, Served, Entity;
    DeleteThread: DELETE "conversationThread", WRITE, WRITE, Author, Served, NoContent;
    ReplyToThread: POST "conversationThread/reply", WRITE, WRITE, Writer, NotToApps, Accepted;
    ForwardThread: POST "conversationThread/forward", WRITE, WRITE, Writer, NotOffered, Accepted;

    ListMessages: GET "group/folkmoot.messages", READ, READ, Reader, NotOffered, Page;
    ListPosts: GET "conversationThread/posts", READ, READ, Reader, Served, Page;
    CreatePost: POST "conversationThread/posts", WRITE, WRITE, Writer, NotOffered, Created;
    AddPost: POST "conversationThread/posts/$ref", WRITE, WRITE, Writer, NotOffered, Created;
    GetPost: GET "post", READ, READ, Reader, Served, Entity;
    UpdatePost: PATCH "post", WRITE, WRITE, Author, NotOffered, Entity;
    DeletePost: DELETE "post", WRITE, WRITE, Author, NotOffered, NoContent;
    GetInReplyTo: GET "post/inReplyTo", READ, READ, Reader, Served, Entity;
    UpdateInReplyTo: PATCH "post/inReplyTo", WRITE, WRITE, Author, NotOffered, Entity;
    DeleteInReplyTo: DELETE "post/inReplyTo", WRITE, WRITE, Author, NotOffered, NoContent;
    ReplyToPost: POST "post/reply", WRITE, WRITE, Writer, Served, Accepted;
    ForwardPost: POST "post/forward", WRITE, WRITE, Writer, Served, Accepted;
    ListPostHistory: GET "post/folkmoot.history", READ, READ, Owner, NotOffered, Page;
    GetPostVersion: GET "postVersion", READ, READ, Owner, NotOffered, Entity;

    ListAttachments: GET "post/attachments", READ, READ, Reader, NotToApps, Page;
    CreateAttachment: POST "post/attachments", WRITE, WRITE, Author, NotToApps, Created;
    AddAttachment: POST "post/attachments/$ref", WRITE, WRITE, Author, NotOffered, Created;
    GetAttachment: GET "attachment", READ, READ, Reader, NotToApps, Entity;
    GetAttachmentValue: GET "attachment/$value", READ, READ, Reader, NotToApps, Bytes;
    CreateUploadSession: POST "post/attachments/createUploadSession", WRITE, WRITE, Author, NotToApps, Session;
    DeleteAttachment: DELETE "attachment", GROUP_WRITE, GROUP_WRITE, Author, NotToApps, NoContent;

    ListExtensions: GET "post/extensions", GROUP_READ, GROUP_READ, Reader, Served, Page;
    CreateExtension: POST "post/extensions", GROUP_WRITE, GROUP_WRITE, Writer, Served, Created;
    GetExtension: GET "openTypeExtension", GROUP_READ, GROUP_READ, Reader, Served, Entity;
    UpdateExtension: PATCH "openTypeExtension", GROUP_WRITE, GROUP_WRITE, Writer, Served, Entity;
    DeleteExtension: DELETE "openTypeExtension", GROUP_WRITE, GROUP_WRITE, Writer, Served, NoContent;

    ListSingleValueProperties: GET "post/singleValueExtendedProperties", GROUP_READ, GROUP_READ, Reader, NotOffered, Page;
    CreateSingleValueProperty: POST "post/singleValueExtendedProperties", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Created;
    AddSingleValueProperty: POST "post/singleValueExtendedProperties/$ref", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Created;
    GetSingleValueProperty: GET "singleValueLegacyExtendedProperty", GROUP_READ, GROUP_READ, Reader, NotOffered, Entity;
    UpdateSingleValueProperty: PATCH "singleValueLegacyExtendedProperty", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Entity;
    DeleteSingleValueProperty: DELETE "singleValueLegacyExtendedProperty", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, NoContent;
    ListMultiValueProperties: GET "post/multiValueExtendedProperties", GROUP_READ, GROUP_READ, Reader, NotOffered, Page;
    CreateMultiValueProperty: POST "post/multiValueExtendedProperties", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Created;
    AddMultiValueProperty: POST "post/multiValueExtendedProperties/$ref", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Created;
    GetMultiValueProperty: GET "multiValueLegacyExtendedProperty", GROUP_READ, GROUP_READ, Reader, NotOffered, Entity;
    UpdateMultiValueProperty: PATCH "multiValueLegacyExtendedProperty", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, Entity;
    DeleteMultiValueProperty: DELETE "multiValueLegacyExtendedProperty", GROUP_WRITE, GROUP_WRITE, Author, NotOffered, NoContent;

    ListMentions: GET "post/mentions", READ, READ, Reader, Served, Page;
    CreateMention: POST "post/mentions", WRITE, WRITE, Author, Served, Created;
    AddMention: POST "post/mentions/$ref", WRITE, WRITE, Author, NotOffered, Created;
    GetMention: GET "mention", READ, READ, Reader, Served, Entity;
    DeleteMention: DELETE "mention", WRITE, WRITE, Author, Served, NoContent;
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

    /// What stands before the table.
    const PREFACE: &str = "# Operations

Made from the operation table (`api/operations.rs`) by `BLESS=1 cargo test -p folkmoot operations`; \
`crates/folkmoot/tests/it/walk.rs` asks a server every row of it, as every kind of caller, in every kind of group.

A shape is written from the last entity that the path goes through: `group/conversations` stands for \
`/groups/{id}/conversations`, `/me/joinedTeams/{id}/conversations` and every other way there, with keys as segments or in \
parentheses. Every list also has `/$count`.

**Scopes and roles**: any one of them is enough, and without one the answer is 403. They are those of Graph's permission \
reference, and `Directory.ReadWrite.All` wherever `Directory.Read.All` is. With `User.Read` alone, users read of themselves. What \
`$expand` and lambdas show needs what a list of it does.

**Real Graph**: `users only` is what real Graph refuses to applications and Folkmoot lets them do; `not offered` is what it has \
not at all. In strict mode (`--strict-graph`) the first is 403 for them, the second 405 for everybody.

**Who** of a tenant's users may do it; applications with a role may in every group. Another tenant's things are 404, as if they \
were not there; and so, for guests, is every group that they do not belong to, and everybody with whom they share no group.
- *anybody*: of a group with hidden members, others than those see no member, owner or sender; of requests to be let in and of invitations they see their own. *not guests*: those but guests.
- *readers*: everybody where the group is public; elsewhere its members and owners, 403 for others.
- *members*: readers who are on the list of members.
- *writers*: readers who are not kept out by the lists of senders (which bind owners too) or by `AllowOnlyMembersToPost`.
- *its author*: who has written all of what is changed or removed, while they are a writer and the thread is not locked.
- *owners*: of the group. *joiners*: who adds themself, to a public group. *leavers*: who takes themself off; the last owner \
cannot. *askers*: who is no member, of a group that is not public. *whom it is about*: who has asked, or is invited; an invitation \
is theirs by way of `/me/folkmoot.invitations`. For others what is not theirs is 404.

**Answer**: the status where all goes well and nothing is preferred. **Name**: what the audit calls it ([audit.md](audit.md)).

| method | shape | delegated scopes | application roles | real Graph | who | answer | name |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

    /// `docs/operations.md`, as the table says it.
    fn document() -> String {
        let mut out = PREFACE.to_owned();
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
            let answer = row.success.statuses().first().map_or(400, StatusCode::as_u16);
            let _ = writeln!(
                out,
                "| {} | `{}` | {delegated} | {application} | {graph} | {} | {answer} | {} |",
                row.method,
                row.shape,
                row.who.words(),
                row.operation.name()
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
