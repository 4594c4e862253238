//! Every limit, in one place.
//!
//! **Invariant:** nothing that a request can make larger is without a limit, and each stands here
//! with a test at it and one past it (`tests/it/limits.rs`, `tests/it/connections.rs`,
//! `tests/it/throttling.rs`, `tests/it/sign_in/passwords.rs`).

use std::time::Duration;

use odata::syntax;

use crate::store::plan::PageSizes;

/// Connections at a time.
pub(crate) const CONNECTIONS_MAX: usize = 10_000;
/// Those of one address that is not the named proxy's.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 1_000;
/// The longest that a TLS handshake, and the head of a request, may take.
pub(crate) const HEAD_MAX: Duration = Duration::from_secs(30);
/// The longest that a body may take over nothing; each [`BODY_RATE`] bytes give a second more.
pub(crate) const BODY_MAX: Duration = Duration::from_secs(60);
/// Bytes a second.
pub(crate) const BODY_RATE: u32 = 4_096;
/// The longest that nothing may go over a connection.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(120);
/// Headers of a request over HTTP/1.
pub(crate) const HEADERS_MAX: usize = 100;
/// Bytes of a request's head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Bytes of the address of a request, those in a batch included.
pub(crate) const URL_BYTES_MAX: usize = 16 * 1024;
/// Requests at a time of one HTTP/2 connection.
pub(crate) const STREAMS_MAX: u32 = 100;
/// Requests that an HTTP/2 connection may take back before they were looked at.
pub(crate) const RESETS_MAX: usize = 20;
/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nesting of a JSON body: items attached to one another go to 30 levels, each three deep, the first of
/// them at the eighth where a conversation is made.
pub(crate) const JSON_DEPTH_MAX: usize = 100;
/// Bytes of a `client-request-id` that is given back; what is longer is not taken for an id.
pub(crate) const CLIENT_REQUEST_ID_MAX: usize = 256;
/// Code points of a topic.
pub(crate) const TOPIC_CHARS_MAX: usize = 255;
/// Code points of a preview that a client declares.
pub(crate) const PREVIEW_CHARS_MAX: usize = 4_096;
/// Code points of a preview that is made from a post.
pub(crate) const PREVIEW_CHARS_MADE: usize = 255;
/// Names in `uniqueSenders` that a client declares.
pub(crate) const SENDERS_MAX: usize = 100;
/// Code points of a name, an address, a category, a file name, a nickname.
pub(crate) const NAME_CHARS_MAX: usize = 256;
/// Code points of a group's description.
pub(crate) const DESCRIPTION_CHARS_MAX: usize = 1_024;
/// Recipients that one post adds, and that a thread has.
pub(crate) const RECIPIENTS_MAX: usize = 500;
/// Categories of a post.
pub(crate) const CATEGORIES_MAX: usize = 100;
/// Attachments of a post, its extensions, its extended properties, its mentions: each.
pub(crate) const POST_CHILDREN_MAX: usize = 100;
/// Bytes of an extension's properties, and of an item attachment, as JSON.
pub(crate) const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Code points of the value of an extended property, and of each text of a mention.
pub(crate) const VALUE_CHARS_MAX: usize = 8_192;
/// Code points of a comment that a post is forwarded with.
pub(crate) const COMMENT_CHARS_MAX: usize = 65_536;
/// Bytes of an attachment that comes inside a request's body.
pub(crate) const ATTACHMENT_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of an attachment that comes by an upload session.
pub(crate) const UPLOAD_BYTES_MAX: i64 = 150 * 1024 * 1024;
/// Separate ranges of an upload that may be there before what is between them.
pub(crate) const UPLOAD_RANGES_MAX: usize = 500;
/// How long an upload session may take.
pub(crate) const UPLOAD_MAX: Duration = Duration::from_secs(24 * 3_600);
/// Users and groups that the lists of accepted and rejected senders of a group name together.
pub(crate) const GROUP_SENDERS_MAX: i64 = 100;
/// Invitations into a group that are open.
pub(crate) const INVITATIONS_MAX: i64 = 200;
/// How long an invitation is good.
pub(crate) const INVITATION_GOOD: Duration = Duration::from_secs(14 * 24 * 3_600);
/// Requests to be let into one group that are open, and those of one user.
pub(crate) const JOIN_REQUESTS_PER_GROUP_MAX: i64 = 200;
pub(crate) const JOIN_REQUESTS_PER_USER_MAX: i64 = 20;
/// Ids that are looked up in one request.
pub(crate) const IDS_MAX: usize = 1_000;
/// Owners and members that one create or update may bind.
pub(crate) const BINDS_MAX: usize = 20;
/// Addresses that an application's sign-ins may end at.
pub(crate) const REDIRECTS_MAX: usize = 100;
/// Characters of one of them.
pub(crate) const REDIRECT_CHARS_MAX: usize = 2_000;
/// Code points of a password at least: a person alone types it (NIST SP 800-63B, section 5.1.1, asks for 8 at
/// least, and for no rules of composition).
pub(crate) const PASSWORD_CHARS_MIN: usize = 12;
/// Bytes of one.
pub(crate) const PASSWORD_BYTES_MAX: usize = 1_024;
/// Passwords that are hashed at a time: each takes 19 MiB and a processor.
pub(crate) const HASHES_MAX: usize = 2;
/// Those that may wait for it.
pub(crate) const HASHES_WAITING_MAX: usize = 64;
/// Wrong passwords of an account, whoever tries: less than 300 a day.
pub(crate) const TRIES_OF_ACCOUNT: Tries = Tries { at_once: 10, every_seconds: 300 };
/// Wrong passwords from an address, of whatever account; of IPv6, from a /64.
pub(crate) const TRIES_OF_ADDRESS: Tries = Tries { at_once: 50, every_seconds: 30 };

/// How often something may be tried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tries {
    /// So often in a row.
    pub(crate) at_once: u32,
    /// And again each time that so many seconds have passed.
    pub(crate) every_seconds: i64,
}

/// Days that the audit is kept where nothing is set.
pub(crate) const AUDIT_KEPT_DAYS: u32 = 365;
/// Rows of it that one portion of an export has.
pub(crate) const AUDIT_EXPORT_ROWS: usize = 1_000;

/// Sizes of pages.
pub(crate) const PAGES: PageSizes = PageSizes { default: 20, max: 1_000 };
/// `$skip` at most: further on, pages go by `$skiptoken`.
pub(crate) const SKIP_MAX: u64 = 10_000;
/// Rows of a whole answer, its expansions included.
pub(crate) const ROWS_MAX: usize = 10_000;
/// Bytes of an answer past which its pages end before their time, with a link to the next.
pub(crate) const ANSWER_BYTES: usize = 8 * 1024 * 1024;
/// Requests of a batch.
pub(crate) const BATCH_MAX: usize = 20;
/// Bytes of all answers of a batch. Each request's pages end at its share of [`ANSWER_BYTES`]; beyond that go
/// only single entities, and files.
pub(crate) const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// The longest that one read may run.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(1);
/// Commands and reads that may wait for the store, each.
pub(crate) const QUEUE_MAX: usize = 4_096;

/// Commands of them that may be of one group.
pub(crate) const WRITES_PER_GROUP_MAX: usize = QUEUE_MAX / 4;
/// Requests of one user through one application in [`REQUESTS_IN`]: 2,000 a second, which is what Graph admits of
/// an application.
pub(crate) const REQUESTS_MAX: u32 = 1_200_000;
/// The time over which they are counted, which is Graph's.
pub(crate) const REQUESTS_IN: Duration = Duration::from_secs(600);

/// Sizes of URLs' trees.
pub(crate) const URL: syntax::Limits =
    syntax::Limits { depth: 32, nodes: 400, expand_depth: 3, items: 100, segments: 24 };

/// Size of a `$search` of conversations, threads and posts.
pub(crate) const SEARCH: syntax::SearchLimits = syntax::SearchLimits { terms: 50, depth: 8 };
/// Words of such a search, those of phrases included: each is looked up in the index.
pub(crate) const SEARCH_TOKENS_MAX: usize = 100;
/// Bytes of one word of it.
pub(crate) const SEARCH_TOKEN_BYTES_MAX: usize = 255;
