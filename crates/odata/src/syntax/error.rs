//! Why a text does not follow the grammar.
//!
//! **Invariant:** an error says where in which part of the URL, and what was expected there.

/// A text that does not follow the grammar, or a tree that would grow past its limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// Text that was not expected.
    #[error("{part} at position {at}: expected {expected}, found {found}")]
    Unexpected {
        /// The part of the URL, such as `$filter`.
        part: String,
        /// Bytes from its start, decoded.
        at: usize,
        /// What the grammar admits there.
        expected: &'static str,
        /// What stands there.
        found: String,
    },
    /// A percent sign without two hexadecimal digits, or bytes that are not UTF-8.
    #[error("'{0}' is not valid percent-encoded UTF-8")]
    Encoding(String),
    /// A query option that the standard does not know.
    #[error("Query option '{0}' is not one that OData defines.")]
    UnknownOption(String),
    /// A query option that was given twice.
    #[error(
        "Query option '{0}' was specified more than once, but it must be specified at most once."
    )]
    Duplicate(String),
    /// A value of an option that is not of its form.
    #[error("Query option '{option}' has the value '{value}', which is not {expected}.")]
    Value {
        /// The option.
        option: String,
        /// What was sent.
        value: String,
        /// What it takes.
        expected: &'static str,
    },
    /// A tree past its limits.
    #[error("{part} is too complex: it may have at most {max} {of}")]
    TooComplex {
        /// The part of the URL.
        part: String,
        /// The limit.
        max: usize,
        /// Of what.
        of: &'static str,
    },
}
