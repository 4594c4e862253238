//! What was refused, as Graph says it: status, code, message, envelope.
//!
//! **Invariant:** this file alone decides how an error looks on the wire. A server error shows a
//! request id and no cause; the cause is logged here, once, under that id.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use odata::bind::BindError;
use odata::json::write_string;

use crate::api::operations::{Asked, Refusal};

use crate::api::throttle::Left;
use crate::auth::TokenError;
use crate::net::TooSlow;
use crate::service;

/// A refused request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// No token, or not a good one.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A personal account.
    #[error("Personal Microsoft accounts are not supported for this operation.")]
    PersonalAccount,
    /// A tenant that is not served.
    #[error("The tenant '{0}' of this access token is not served here.")]
    UnknownTenant(String),
    /// The token's scopes or roles are not enough.
    #[error(
        "Access is denied: this operation needs one of {0}, as a delegated scope or an app role."
    )]
    Scope(String),
    /// Applications may not call this.
    #[error("Access is denied: this operation is not for applications without a user.")]
    NotForApps,
    /// A path that leads to nothing served here.
    #[error(
        "'{0}' is not served here. Served are the groups, users and conversations of Microsoft Graph: see docs/operations.md."
    )]
    NotServed(String),
    /// The method is not offered at this path.
    #[error("The OData request is not supported: {method} is not offered here{}.", but(.allowed))]
    Method {
        /// The method asked for.
        method: Method,
        /// What is offered.
        allowed: Vec<Method>,
    },
    /// A URL that cannot be read or means nothing.
    #[error("{0}")]
    Url(String),
    /// A path or a query that names what the model does not have or allow.
    #[error("{}", of_bind(.0))]
    Bind(#[from] BindError),
    /// What strict mode refuses of a query because real Graph does.
    #[error("{}", as_graph(*.0, *.1))]
    AsGraph(Asked, Refusal),
    /// A body that is not JSON by its own word.
    #[error("The request needs the header 'Content-Type: application/json'{0}.")]
    ContentType(String),
    /// No form of the answer that the client takes.
    #[error("The header Accept takes no form that is served here: {0}.")]
    NotAcceptable(&'static str),
    /// A version of OData that is not spoken here.
    #[error(
        "The header {header}: '{value}' is no version of OData that is spoken here; 4.0 and 4.01 are."
    )]
    Version {
        /// Which header.
        header: &'static str,
        /// What it holds.
        value: String,
    },
    /// No body where one is needed.
    #[error(
        "An unexpected 'EndOfInput' node was found when reading from the JSON reader. A 'StartObject' node was expected: the request has no body."
    )]
    Empty,
    /// A body that cannot be read or decoded.
    #[error("{0}")]
    Body(String),
    /// An entity for a list of references.
    #[error(
        "Write requests are only supported on contained entities: what is there is added by POST to this address with /$ref after it."
    )]
    NotContained,
    /// A property that its type does not have.
    #[error("{0}")]
    UnknownProperty(String),
    /// A request of a batch that another, which it depends on, has kept from being carried out.
    #[error(
        "The request '{0}', which this one depends on, has failed: this one was not carried out."
    )]
    Dependency(String),
    /// An answer that is more than is left for those of a batch.
    #[error(
        "The answers of this batch are more than {0} bytes together: ask for this one in a request of its own."
    )]
    BatchFull(usize),
    /// More requests than the caller may make.
    #[error(
        "Too many requests. Please retry again later: there is room for one in {retry_after} s."
    )]
    Throttled {
        /// Seconds.
        retry_after: u64,
        /// What is left.
        left: Left,
    },
    /// A body that came too slowly.
    #[error("The request's body did not arrive in time.")]
    TooSlow,
    /// An address that is too long.
    #[error("The address of the request is longer than the limit of {0} bytes.")]
    UrlTooLong(usize),
    /// A body over the limit.
    #[error("The request's body is larger than the limit of {0} bytes.")]
    TooLarge(usize),
    /// The rules said no.
    #[error(transparent)]
    Service(#[from] service::Error),
}

/// Graph's own sentences for names that it does not know, which some clients look for.
fn of_bind(error: &BindError) -> String {
    match error {
        BindError::UnknownProperty { option: "$expand", name: property, .. }
        | BindError::NotAllowed { option: "$expand", property, .. } => {
            format!(
                "Expand is not allowed for property '{property}' according to the entity schema."
            )
        }
        BindError::UnknownProperty { option: "$select", .. } => {
            format!("Parsing OData Select and Expand failed: {error}")
        }
        _ => error.to_string(),
    }
}

fn code_of_bind(error: &BindError) -> &'static str {
    match error {
        BindError::UnknownProperty { option: "$expand", .. }
        | BindError::NotAllowed { option: "$expand", .. } => "ExpandNotSupported",
        // The directory has no code of its own for it.
        BindError::UnknownProperty { option: "$filter", ty, .. }
            if ![".user", ".group", ".directoryObject"].iter().any(|it| ty.ends_with(it)) =>
        {
            "RequestBroker--ParseUri"
        }
        _ => "BadRequest",
    }
}

fn as_graph(asked: Asked, refusal: Refusal) -> String {
    let what = match asked {
        Asked::Filter | Asked::Negation => "$filter",
        Asked::OrderBy | Asked::FilterAndOrderBy => "$orderby",
        Asked::Expand => "$expand",
        Asked::Search => "$search",
        Asked::CountSegment => "/$count",
    };
    match refusal {
        Refusal::NotSupported => format!("{what} is not supported on this collection."),
        Refusal::NotExpandable => {
            "Expand is not allowed on this collection according to the entity schema.".to_owned()
        }
        Refusal::NeedsEventual => format!(
            "This use of {what} needs the header 'ConsistencyLevel: eventual' and $count=true."
        ),
    }
}

fn but(allowed: &[Method]) -> String {
    if allowed.is_empty() { String::new() } else { format!(", {} is", names(allowed)) }
}

fn names(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}

/// Everything of an error's answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// What an error's answer says of the request: when it was, and its ids.
pub(crate) struct About<'a> {
    /// `2026-11-24T10:17:05`, UTC.
    pub(crate) date: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) client_request_id: &'a str,
}

impl Error {
    /// Why a body did not come.
    pub(super) fn of_body(error: &(dyn std::error::Error + 'static)) -> Error {
        let mut causes = std::iter::successors(Some(error), |it| it.source());
        match causes.any(|it| it.is::<TooSlow>()) {
            true => Error::TooSlow,
            false => Error::Body(format!("The body did not arrive whole: {error}.")),
        }
    }

    /// The answer to the request.
    pub(crate) fn answer(&self, about: &About<'_>) -> Answer {
        let (status, code) = self.status_and_code();
        let message = match status {
            StatusCode::INTERNAL_SERVER_ERROR => {
                tracing::error!(request_id = about.request_id, error = %self, "a request failed");
                let id = about.request_id;
                format!("The server failed; its log says why under request-id {id}.")
            }
            StatusCode::SERVICE_UNAVAILABLE => {
                let request_id = about.request_id;
                match self {
                    // Anybody may ask so, and the log has heard it when the keys were not fetched.
                    Error::Token(_) => {
                        tracing::debug!(request_id, error = %self, "a request was put off")
                    }
                    _ => tracing::warn!(request_id, error = %self, "a request was put off"),
                }
                "The server cannot do this now. Please retry later.".to_owned()
            }
            _ => self.to_string(),
        };
        Answer { status, headers: self.headers(status), body: envelope(code, &message, about) }
    }

    fn headers(&self, status: StatusCode) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let retry_after = match self {
            Error::Throttled { retry_after, left } => {
                left.tell(&mut headers);
                Some(*retry_after)
            }
            Error::Service(service::Error::Crowded) => Some(1),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        };
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A 405 says what is allowed, be it nothing (RFC 9110, sections 10.2.1 and 15.5.6).
        let allowed = match self {
            Error::Method { allowed, .. } => Some(names(allowed)),
            Error::Service(service::Error::NoContent) => Some(String::new()),
            _ => None,
        };
        if let Some(value) = allowed.and_then(|it| HeaderValue::from_str(&it).ok()) {
            headers.insert(header::ALLOW, value);
        }
        headers
    }

    /// Graph's status and code for each error (GRAPH.md section 8).
    fn status_and_code(&self) -> (StatusCode, &'static str) {
        match self {
            Error::Token(TokenError::Personal) => (StatusCode::FORBIDDEN, "ErrorAccessDenied"),
            Error::Token(TokenError::NoKeys(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable")
            }
            Error::Token(_) => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"),
            Error::UnknownTenant(_) => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"),
            Error::PersonalAccount | Error::Scope(_) | Error::NotForApps => {
                (StatusCode::FORBIDDEN, "ErrorAccessDenied")
            }
            Error::NotServed(_) => (StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
            Error::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, "ErrorInvalidRequest"),
            Error::NotAcceptable(_) => (StatusCode::NOT_ACCEPTABLE, "BadRequest"),
            Error::Version { .. } | Error::Url(_) | Error::Body(_) | Error::NotContained => {
                (StatusCode::BAD_REQUEST, "BadRequest")
            }
            Error::Bind(error) => (StatusCode::BAD_REQUEST, code_of_bind(error)),
            Error::AsGraph(Asked::Filter, Refusal::NotSupported) => {
                (StatusCode::NOT_IMPLEMENTED, "FilteringOnConversations")
            }
            Error::AsGraph(_, Refusal::NotSupported) => {
                (StatusCode::NOT_IMPLEMENTED, "NotImplemented")
            }
            Error::AsGraph(_, Refusal::NotExpandable) => {
                (StatusCode::BAD_REQUEST, "ExpandNotSupported")
            }
            Error::AsGraph(_, Refusal::NeedsEventual) => {
                (StatusCode::BAD_REQUEST, "Request_UnsupportedQuery")
            }
            Error::Empty => (StatusCode::BAD_REQUEST, "Request_BadRequest"),
            Error::UnknownProperty(_) => (StatusCode::BAD_REQUEST, "RequestBodyRead"),
            Error::ContentType(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "BadRequest"),
            Error::Dependency(_) => (StatusCode::FAILED_DEPENDENCY, "FailedDependency"),
            // Not a 5xx, which clients would try again.
            Error::BatchFull(_) => (StatusCode::PAYLOAD_TOO_LARGE, "ResponseSizeExceeded"),
            Error::Throttled { .. } => (StatusCode::TOO_MANY_REQUESTS, "TooManyRequests"),
            Error::TooSlow => (StatusCode::REQUEST_TIMEOUT, "BadRequest"),
            Error::UrlTooLong(_) => (StatusCode::URI_TOO_LONG, "BadRequest"),
            Error::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge"),
            Error::Service(error) => of_service(error),
        }
    }
}

fn of_service(error: &service::Error) -> (StatusCode, &'static str) {
    use service::Error as E;
    match error {
        E::ResourceNotFound(_) => (StatusCode::NOT_FOUND, "Request_ResourceNotFound"),
        E::NoMailbox => (StatusCode::NOT_FOUND, "MailboxNotEnabledForRESTAPI"),
        E::ItemNotFound => (StatusCode::NOT_FOUND, "ErrorItemNotFound"),
        E::Denied(_) | E::Locked => (StatusCode::FORBIDDEN, "ErrorAccessDenied"),
        E::MeForApp => (StatusCode::BAD_REQUEST, "BadRequest"),
        E::NoSuchUser => (StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken"),
        E::Property { .. } | E::AlreadyThere(_) => (StatusCode::BAD_REQUEST, "Request_BadRequest"),
        E::Request(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
        E::Recipients => (StatusCode::BAD_REQUEST, "ErrorInvalidRecipients"),
        E::NoContent => (StatusCode::METHOD_NOT_ALLOWED, "ErrorInvalidRequest"),
        E::Changed => (StatusCode::PRECONDITION_FAILED, "ErrorIrresolvableConflict"),
        E::Taken(_) => (StatusCode::CONFLICT, "Request_MultipleObjectsWithSameKeyValue"),
        E::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "ErrorMessageSizeExceeded"),
        // As Exchange answers through Graph: a 5xx that its clients do not try again.
        E::Quota { .. } => (StatusCode::INSUFFICIENT_STORAGE, "ErrorQuotaExceeded"),
        E::Range(_) => (StatusCode::RANGE_NOT_SATISFIABLE, "invalidRange"),
        E::SkipToken(_) => (StatusCode::BAD_REQUEST, "BadRequest"),
        E::Later(_) => (StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable"),
        E::Crowded => (StatusCode::TOO_MANY_REQUESTS, "ApplicationThrottled"),
        E::Inefficient(_) => (StatusCode::BAD_REQUEST, "InefficientFilter"),
        E::Fault(_) => (StatusCode::INTERNAL_SERVER_ERROR, "generalException"),
    }
}

fn envelope(code: &str, message: &str, about: &About<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut member = |lead: &str, value: &str| {
        out.extend_from_slice(lead.as_bytes());
        write_string(&mut out, value);
    };
    member("{\"error\":{\"code\":", code);
    member(",\"message\":", message);
    member(",\"innerError\":{\"date\":", about.date);
    member(",\"request-id\":", about.request_id);
    member(",\"client-request-id\":", about.client_request_id);
    out.extend_from_slice(b"}}}");
    out
}
