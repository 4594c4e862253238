//! POST, PATCH and DELETE: the body decoded into a record, the command carried out, its answer dressed.
//!
//! **Invariant:** a body is read to its end, or refused, before a command starts; what is refused has
//! stored nothing.

use std::sync::OnceLock;

use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use odata::bind::{Path, Step};
use odata::decode::{Argument, DecodeError, Field, Record, decode_entity, decode_parameters};
use odata::edm::{Action, EntityType, Parameter};
use odata::json::{self, Json, write_string};
use odata::syntax;

use crate::api::error::Error;
use crate::api::operations::{Operation, Row};
use crate::api::prefer::{Answered, Prefer, Return};
use crate::api::{Call, echo, empty, negotiate, upload};
use crate::model::MODEL;
use crate::service::group_settings::Own;
use crate::service::join_requests::Verdict;
use crate::service::uploads::{self, Opened};
use crate::service::{
    Created, Ctx, Metadata, attachments, conversations, directory, extended_properties, extensions,
    group_settings, groups, invitations, join_requests, limits, members, mentions, posts, read,
    senders, threads, with_ids,
};

pub(super) async fn answer(call: Call, body: &mut Body) -> Result<Response, Error> {
    let Call { mut ctx, row, path, parts, prefer, accepted, whence, .. } = call;
    let (metadata, id) = options(&parts, row, accepted)?;
    ctx.set_metadata(metadata);
    ctx.acts(row.operation.name(), whence);
    let path = with_ids(&ctx, path).await?;
    let (ctx, answer) = (&ctx, As { metadata, prefer, types: OnceLock::new() });
    match carry_out(ctx, row.operation, path.clone(), &parts, body, (id, answer)).await {
        // Whoever may not see a group's content hears that, whatever else is wrong with the request.
        Err(
            error @ (Error::Body(_)
            | Error::UnknownProperty(_)
            | Error::TooLarge(_)
            | Error::NotContained),
        ) => {
            read::may_reach(ctx, path).await?;
            Err(error)
        }
        other => other,
    }
}

async fn carry_out(
    ctx: &Ctx,
    operation: Operation,
    path: Path,
    parts: &Parts,
    body: &mut Body,
    (id, answer): (Option<String>, As),
) -> Result<Response, Error> {
    use Operation as Op;
    let created = |it: Created| Ok(answer.entity(StatusCode::CREATED, it));
    let changed = |it| Ok(answer.entity(StatusCode::OK, it));
    match operation {
        Op::CreateGroup => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(groups::create(ctx, path, record).await?)
        }
        Op::UpdateGroup => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            Ok(answer.if_preferred(group_settings::update(ctx, path, record).await?))
        }
        Op::ResetUnseenCount => own(ctx, path, Own::Seen).await,
        Op::SubscribeByMail => own(ctx, path, Own::Subscribed(true)).await,
        Op::UnsubscribeByMail => own(ctx, path, Own::Subscribed(false)).await,
        Op::AddFavorite => own(ctx, path, Own::Favorite(true)).await,
        Op::RemoveFavorite => own(ctx, path, Own::Favorite(false)).await,
        Op::DeleteGroup => no_content(groups::delete(ctx, path).await?),
        Op::AddMember | Op::AddOwner => {
            let reference = reference(parts, body, &path, &answer).await?;
            no_content(members::add(ctx, path, reference).await?)
        }
        Op::AddAcceptedSender | Op::AddRejectedSender => {
            let reference = reference(parts, body, &path, &answer).await?;
            no_content(senders::add(ctx, path, reference).await?)
        }
        Op::RemoveAcceptedSender | Op::RemoveRejectedSender => {
            no_content(senders::remove(ctx, path, None).await?)
        }
        Op::RemoveAcceptedSenderById | Op::RemoveRejectedSenderById => {
            no_content(senders::remove(ctx, path, id).await?)
        }
        Op::PostMember | Op::PostOwner | Op::PostAcceptedSender | Op::PostRejectedSender => {
            Err(Error::NotContained)
        }
        Op::GetGroupsByIds | Op::GetDirectoryObjectsByIds | Op::GetUsersByIds => {
            by_ids(ctx, path, parts, body).await
        }
        Op::RemoveMember | Op::RemoveOwner => no_content(members::remove(ctx, path, None).await?),
        Op::RemoveMemberById | Op::RemoveOwnerById => {
            no_content(members::remove(ctx, path, id).await?)
        }
        Op::CreateInvitation => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(invitations::create(ctx, path, record).await?)
        }
        Op::RevokeInvitation => no_content(invitations::revoke(ctx, path).await?),
        Op::AcceptInvitation | Op::DeclineInvitation => {
            let accepts = operation == Op::AcceptInvitation;
            no_content(invitations::answer(ctx, path, accepts).await?)
        }
        Op::CreateJoinRequest => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(join_requests::create(ctx, path, record).await?)
        }
        Op::WithdrawJoinRequest => no_content(join_requests::withdraw(ctx, path).await?),
        Op::ApproveJoinRequest => {
            no_content(join_requests::answer(ctx, path, Verdict::Approved).await?)
        }
        Op::RejectJoinRequest => {
            no_content(join_requests::answer(ctx, path, Verdict::Rejected).await?)
        }
        Op::CreateConversation => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(conversations::create(ctx, path, record).await?)
        }
        Op::AddConversation => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            match record.reference {
                Some(reference) => {
                    no_content(conversations::add_reference(ctx, path, reference).await?)
                }
                None => created(conversations::create(ctx, path, record).await?),
            }
        }
        Op::UpdateConversation => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            changed(conversations::update(ctx, path, record).await?)
        }
        Op::MarkConversationRead | Op::MarkConversationUnread => {
            let read = operation == Op::MarkConversationRead;
            no_content(conversations::mark(ctx, path, read).await?)
        }
        Op::DeleteConversation => no_content(conversations::delete(ctx, path).await?),
        Op::CreateGroupThread | Op::CreateThread | Op::AddGroupThread | Op::AddThread => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(threads::create(ctx, path, record).await?)
        }
        Op::UpdateThread => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            changed(threads::update(ctx, path, record).await?)
        }
        Op::CreatePost | Op::AddPost => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(posts::create(ctx, path, record).await?)
        }
        Op::UpdatePost | Op::UpdateInReplyTo => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            changed(posts::update(ctx, path, record).await?)
        }
        Op::DeletePost | Op::DeleteInReplyTo => no_content(posts::delete(ctx, path).await?),
        Op::ForwardPost | Op::ForwardThread => forward(ctx, path, parts, body).await,
        Op::CreateAttachment | Op::AddAttachment => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(attachments::create(ctx, path, record).await?)
        }
        Op::DeleteAttachment => no_content(attachments::delete(ctx, path).await?),
        Op::CreateExtension => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(extensions::create(ctx, path, record).await?)
        }
        Op::UpdateExtension => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            changed(extensions::update(ctx, path, record).await?)
        }
        Op::CreateSingleValueProperty
        | Op::AddSingleValueProperty
        | Op::CreateMultiValueProperty
        | Op::AddMultiValueProperty => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(extended_properties::create(ctx, path, record).await?)
        }
        Op::UpdateSingleValueProperty | Op::UpdateMultiValueProperty => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            changed(extended_properties::update(ctx, path, record).await?)
        }
        Op::CreateMention | Op::AddMention => {
            let record = entity(parts, body, path.entity(), &answer).await?;
            created(mentions::create(ctx, path, record).await?)
        }
        Op::DeleteExtension
        | Op::DeleteSingleValueProperty
        | Op::DeleteMultiValueProperty
        | Op::DeleteMention => no_content(posts::delete_child(ctx, path).await?),
        Op::DeleteThread => no_content(threads::delete(ctx, path).await?),
        Op::ReplyToThread | Op::ReplyToPost => {
            let record = parameter(parts, body, action(&path)?).await?;
            let location = posts::reply(ctx, path, record).await?;
            // Graph answers nothing at all; where the new post is does not disturb its clients.
            let mut response = empty(StatusCode::ACCEPTED);
            if let (Ok(location), false) = (HeaderValue::from_str(&location), ctx.is_strict()) {
                response.headers_mut().insert(header::LOCATION, location);
            }
            Ok(response)
        }
        Op::CreateUploadSession => {
            let item = argument(parts, body, action(&path)?).await?;
            let annotations = ctx.annotations();
            let context = format!("{}/$metadata#microsoft.graph.uploadSession", ctx.root());
            let session = uploads::create(ctx, path, &item).await?;
            Ok(opened(&session, annotations.then_some(&context)))
        }
        // Named one by one, so that a new operation does not compile before it is carried out.
        Op::ListGroups
        | Op::GetGroup
        | Op::ListGroupMemberOf
        | Op::ListMembers
        | Op::ListMemberReferences
        | Op::ListOwners
        | Op::ListOwnerReferences
        | Op::ListAcceptedSenders
        | Op::ListAcceptedSenderReferences
        | Op::ListRejectedSenders
        | Op::ListRejectedSenderReferences
        | Op::ListInvitations
        | Op::GetInvitation
        | Op::ListJoinRequests
        | Op::GetJoinRequest
        | Op::ListOwnInvitations
        | Op::ListOwnJoinRequests
        | Op::GetDirectoryObject
        | Op::GetMe
        | Op::ListUsers
        | Op::GetUser
        | Op::ListMemberOf
        | Op::ListTransitiveMemberOf
        | Op::ListOwnedObjects
        | Op::ListJoinedTeams
        | Op::ListJoinedGroups
        | Op::ListConversations
        | Op::GetConversation
        | Op::ListGroupThreads
        | Op::ListThreads
        | Op::GetThread
        | Op::ListMessages
        | Op::ListPosts
        | Op::GetPost
        | Op::GetInReplyTo
        | Op::ListPostHistory
        | Op::GetPostVersion
        | Op::ListAudit
        | Op::GetAuditEntry
        | Op::ListExtensions
        | Op::GetExtension
        | Op::ListSingleValueProperties
        | Op::GetSingleValueProperty
        | Op::ListMultiValueProperties
        | Op::GetMultiValueProperty
        | Op::ListMentions
        | Op::GetMention
        | Op::ListAttachments
        | Op::GetAttachment
        | Op::GetAttachmentValue => Err(Error::Url("this is read by GET".into())),
    }
}

/// The options of a write: none is served but `$id`, where it names whom to remove, and `$format`.
/// The level of metadata of the answer, and the id.
fn options(
    parts: &Parts,
    row: &Row,
    accepted: Option<Metadata>,
) -> Result<(Metadata, Option<String>), Error> {
    let query = parts.uri.query().unwrap_or_default();
    let mut options =
        syntax::parse_query(query, &limits::URL).map_err(|it| Error::Url(it.to_string()))?;
    // The answer to a DELETE has no body that a client could refuse.
    let bare = (row.method == Method::DELETE).then_some(Metadata::Minimal);
    let metadata = negotiate::settle(&mut options, accepted.or(bare))?;
    let by_id = row.method == Method::DELETE && row.shape.ends_with("/$ref");
    let by_id = by_id && !row.shape.ends_with("/{}/$ref");
    let id = if by_id { options.id.take() } else { None };
    match options.names().first() {
        Some(name) => Err(Error::Url(format!("the query option {name} has no meaning here"))),
        None => Ok((metadata, id)),
    }
}

fn no_content((): ()) -> Result<Response, Error> {
    Ok(empty(StatusCode::NO_CONTENT))
}

/// A reference to an entity, as a whole body.
async fn reference(
    parts: &Parts,
    body: &mut Body,
    path: &Path,
    answer: &As,
) -> Result<String, Error> {
    let record = entity(parts, body, path.entity(), answer).await?;
    record.reference.ok_or_else(|| {
        Error::Body("The body must be a reference: {\"@odata.id\": \"https://…\"}.".into())
    })
}

async fn own(ctx: &Ctx, path: Path, what: Own) -> Result<Response, Error> {
    group_settings::own(ctx, path, what).await?;
    Ok(empty(StatusCode::OK))
}

async fn by_ids(ctx: &Ctx, path: Path, parts: &Parts, body: &mut Body) -> Result<Response, Error> {
    let (mut ids, mut types) = (Vec::new(), None);
    for (parameter, argument) in arguments(parts, body, action(&path)?).await? {
        let Argument::Field(Field::Collection(items)) = argument else { continue };
        let items: Vec<_> = items.into_iter().filter_map(Field::into_string).collect();
        match parameter.name {
            "ids" => ids = items,
            _ => types = Some(items),
        }
    }
    let found = directory::get_by_ids(ctx, path, &ids, types.as_deref()).await?;
    Ok(super::json_at(ctx.wanted().metadata, StatusCode::OK, found))
}

async fn forward(ctx: &Ctx, path: Path, parts: &Parts, body: &mut Body) -> Result<Response, Error> {
    let (mut comment, mut to) = (None, Vec::new());
    for (parameter, argument) in arguments(parts, body, action(&path)?).await? {
        match (parameter.name, argument) {
            ("Comment", Argument::Field(text)) => comment = text.into_string(),
            ("ToRecipients", Argument::Field(Field::Collection(items))) => to = items,
            _ => {}
        }
    }
    posts::forward(ctx, path, comment, to).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// How an entity that was written is answered.
#[derive(Default)]
pub(super) struct As {
    metadata: Metadata,
    prefer: Prefer,
    /// The types of its parts that the request named.
    types: OnceLock<Json>,
}

impl As {
    /// The entity under `status`; where a client prefers `return=minimal`, only that it was written
    /// (RFC 7240, section 4.2), and what its address is, if it is new (OData 4.0, part 1, section
    /// 8.3.4).
    pub(super) fn entity(&self, status: StatusCode, written: Created) -> Response {
        self.answer(status, written, self.prefer.answer == Some(Return::Minimal))
    }

    /// An entity that was changed, where Graph answers with it only if that is preferred.
    pub(super) fn if_preferred(&self, written: Created) -> Response {
        let preferred = self.prefer.answer == Some(Return::Representation);
        self.answer(StatusCode::OK, written, !preferred)
    }

    fn answer(&self, status: StatusCode, written: Created, minimal: bool) -> Response {
        const ENTITY_ID: HeaderName = HeaderName::from_static("odata-entityid");
        let mut response = match minimal {
            true => empty(StatusCode::NO_CONTENT),
            false => {
                let types = self.types.get().filter(|_| self.metadata == Metadata::Minimal);
                let body = match types {
                    Some(types) => echo::add(types, written.body),
                    None => written.body,
                };
                super::json_at(self.metadata, status, body)
            }
        };
        let answered = if minimal { Answered::Nothing } else { Answered::Written };
        let headers = response.headers_mut();
        self.prefer.tell(answered, headers);
        let is_new = status == StatusCode::CREATED;
        for (name, text, is_told) in [
            (header::LOCATION, &written.location, is_new),
            (ENTITY_ID, &written.location, is_new && minimal),
            (header::ETAG, &written.etag, true),
        ] {
            if let (true, Ok(value)) = (is_told, HeaderValue::from_str(text)) {
                headers.insert(name, value);
            }
        }
        response
    }
}

async fn entity(
    parts: &Parts,
    body: &mut Body,
    entity: &'static EntityType,
    answer: &As,
) -> Result<Record, Error> {
    let json = read_json(parts, body).await?;
    if let Some(types) = echo::inside(&json) {
        answer.types.get_or_init(|| types);
    }
    decode_entity(&MODEL, entity, json).map_err(refuse)
}

/// The record that is the one parameter of an action.
async fn parameter(
    parts: &Parts,
    body: &mut Body,
    action: &'static Action,
) -> Result<Record, Error> {
    let arguments = arguments(parts, body, action).await?;
    let record = arguments.into_iter().find_map(|(_, argument)| match argument {
        Argument::Record(record) => Some(record),
        Argument::Field(_) => None,
    });
    record.ok_or_else(|| no_parameter(action))
}

/// The value that is the one parameter of an action.
async fn argument(parts: &Parts, body: &mut Body, action: &'static Action) -> Result<Field, Error> {
    let arguments = arguments(parts, body, action).await?;
    let field = arguments.into_iter().find_map(|(_, argument)| match argument {
        Argument::Field(field) => Some(field),
        Argument::Record(_) => None,
    });
    field.ok_or_else(|| no_parameter(action))
}

fn no_parameter(action: &Action) -> Error {
    Error::Body(format!("The action {} needs its parameter.", action.name))
}

/// The action at the end of a path.
fn action(path: &Path) -> Result<&'static Action, Error> {
    match path.steps.last() {
        Some(Step::Action(action)) => Ok(action),
        _ => Err(Error::Url("an action was expected at the end of the path".into())),
    }
}

/// An upload session that was opened. No byte is there: Graph writes that without an end.
fn opened(session: &Opened, context: Option<&String>) -> Response {
    let mut out = b"{".to_vec();
    if let Some(context) = context {
        out.extend_from_slice(b"\"@odata.context\":");
        write_string(&mut out, context);
        out.push(b',');
    }
    out.extend_from_slice(b"\"uploadUrl\":");
    write_string(&mut out, &session.url);
    out.push(b',');
    upload::members(&mut out, &session.expires.to_string(), ["0-".to_owned()].into_iter());
    out.push(b'}');
    super::json(StatusCode::CREATED, out)
}

async fn arguments(
    parts: &Parts,
    body: &mut Body,
    action: &'static Action,
) -> Result<Vec<(&'static Parameter, Argument)>, Error> {
    let json = read_json(parts, body).await?;
    decode_parameters(&MODEL, action, Some(json)).map_err(refuse)
}

fn refuse(error: DecodeError) -> Error {
    let message = error.to_string();
    if error.is_unknown_property() { Error::UnknownProperty(message) } else { Error::Body(message) }
}

async fn read_json(parts: &Parts, body: &mut Body) -> Result<Json, Error> {
    read_json_within(parts, body, limits::JSON_DEPTH_MAX).await
}

/// A body as JSON, nested no deeper than `depth_max`.
pub(super) async fn read_json_within(
    parts: &Parts,
    body: &mut Body,
    depth_max: usize,
) -> Result<Json, Error> {
    if body.is_end_stream() {
        return Err(Error::Empty);
    }
    check_content_type(parts)?;
    let max = limits::BODY_BYTES_MAX;
    let declared = parts
        .headers
        .get(header::CONTENT_LENGTH)
        .and_then(|it| it.to_str().ok())
        .and_then(|it| it.parse::<usize>().ok());
    if declared.is_some_and(|it| it > max) {
        return Err(Error::TooLarge(max));
    }
    let bytes = match Limited::new(body, max).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
            return Err(Error::TooLarge(max));
        }
        Err(error) => return Err(Error::of_body(&*error)),
    };
    json::parse(&bytes, depth_max).map_err(|error| Error::Body(error.to_string()))
}

/// Only `application/json` is taken, with whatever parameters.
fn check_content_type(parts: &Parts) -> Result<(), Error> {
    let encoding = parts.headers.get(header::CONTENT_ENCODING);
    if let Some(encoding) = encoding.filter(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        let encoding = encoding.to_str().unwrap_or("?");
        return Err(Error::ContentType(format!(", and no Content-Encoding: not '{encoding}'")));
    }
    let sent = parts.headers.get(header::CONTENT_TYPE).map(|it| it.to_str().unwrap_or("?"));
    let essence = sent.and_then(|it| it.split(';').next()).map(str::trim);
    match essence {
        Some(it) if it.eq_ignore_ascii_case("application/json") => Ok(()),
        Some(it) => Err(Error::ContentType(format!(", not '{it}'"))),
        None => Err(Error::ContentType(String::new())),
    }
}
