//! SQL text with its values apart from it.
//!
//! **Invariant:** nothing that a user sent is ever part of the text; it goes to the binds.

use std::borrow::Cow;
use std::fmt::Write as _;

use uuid::Uuid;

use crate::store::dialect::Db;

/// A value for a `$n` of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bind<'a> {
    /// SQL's null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer: a count, a version, ticks.
    Int(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// An id.
    Id(Uuid),
}

impl Bind<'_> {
    /// The same value, with text and bytes of its own.
    pub(super) fn to_static(&self) -> Bind<'static> {
        match self {
            Bind::Null => Bind::Null,
            Bind::Bool(value) => Bind::Bool(*value),
            Bind::Int(value) => Bind::Int(*value),
            Bind::Real(value) => Bind::Real(*value),
            Bind::Text(value) => Bind::Text(Cow::Owned(value.clone().into_owned())),
            Bind::Bytes(value) => Bind::Bytes(Cow::Owned(value.clone().into_owned())),
            Bind::Id(value) => Bind::Id(*value),
        }
    }
}

impl From<bool> for Bind<'_> {
    fn from(value: bool) -> Self {
        Bind::Bool(value)
    }
}
impl From<i64> for Bind<'_> {
    fn from(value: i64) -> Self {
        Bind::Int(value)
    }
}
impl From<i16> for Bind<'_> {
    fn from(value: i16) -> Self {
        Bind::Int(value.into())
    }
}
impl<'a> From<&'a str> for Bind<'a> {
    fn from(value: &'a str) -> Self {
        Bind::Text(Cow::Borrowed(value))
    }
}
impl<'a> From<&'a String> for Bind<'a> {
    fn from(value: &'a String) -> Self {
        Bind::Text(Cow::Borrowed(value))
    }
}
impl From<String> for Bind<'_> {
    fn from(value: String) -> Self {
        Bind::Text(Cow::Owned(value))
    }
}
impl<'a> From<&'a [u8]> for Bind<'a> {
    fn from(value: &'a [u8]) -> Self {
        Bind::Bytes(Cow::Borrowed(value))
    }
}
impl From<Uuid> for Bind<'_> {
    fn from(value: Uuid) -> Self {
        Bind::Id(value)
    }
}
impl<'a, T: Into<Bind<'a>>> From<Option<T>> for Bind<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Bind::Null, Into::into)
    }
}

macro_rules! bind_ids {
    ($($id:ident)*) => {$(
        impl From<crate::ids::$id> for Bind<'_> {
            fn from(value: crate::ids::$id) -> Self {
                Bind::Id(value.0)
            }
        }
    )*};
}
bind_ids! { TenantId UserId GroupId ConversationId ThreadId PostId AttachmentId UploadId }

/// The binds of a statement: `binds![group, id, "text"]`.
macro_rules! binds {
    ($($value:expr),* $(,)?) => { &[$($crate::store::sql::Bind::from($value)),*][..] };
}
pub(crate) use binds;

/// A statement that is put together at run time.
#[derive(Debug)]
pub(crate) struct Statement {
    /// Which database it is for.
    pub(super) db: Db,
    /// The text.
    pub(crate) sql: String,
    /// The values of `$1`, `$2` and so on.
    pub(crate) binds: Vec<Bind<'static>>,
}

impl Statement {
    /// An empty statement.
    pub(super) fn new(db: Db) -> Statement {
        Statement { db, sql: String::new(), binds: Vec::new() }
    }

    /// Appends text of this program's own.
    pub(crate) fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// Appends a placeholder for `value`.
    pub(crate) fn bind(&mut self, value: impl Into<Bind<'static>>) -> &mut Self {
        let value = value.into();
        let real = matches!(value, Bind::Real(_));
        self.binds.push(value);
        let number = self.binds.len();
        // Writing to a String cannot fail. A number with a fraction must not be taken for one of the
        // integers that it is compared with.
        let _ = if real {
            write!(self.sql, "cast(${number} as double precision)")
        } else {
            write!(self.sql, "${number}")
        };
        self
    }
}
