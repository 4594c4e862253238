//! What a body can be refused for, and the place of a value in it.
//!
//! **Invariant:** every error names the full path of the value at fault, as the model spells it.

use std::fmt;

/// A member of a body that is not what its type declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// The value, such as `threads[0].posts[0].body.contentType`; empty for the body itself.
    pub at: String,
    /// What is wrong with it.
    pub problem: DecodeProblem,
}

/// What can be wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeProblem {
    /// The type, closed, declares no such property.
    Unknown {
        /// Its qualified name.
        ty: String,
    },
    /// The action declares no such parameter.
    UnknownParameter {
        /// The action.
        action: &'static str,
    },
    /// A required parameter is absent or null.
    ParameterRequired {
        /// The action.
        action: &'static str,
    },
    /// Null where null is no value.
    Null,
    /// Another type, or no value of it.
    Mismatch {
        /// What would do.
        expected: String,
        /// What was sent, cut where it is long.
        found: String,
    },
    /// The declared type is wider than what can be stored, and `@odata.type` does not say which it is.
    TypeRequired {
        /// The types that would do.
        accepted: String,
    },
    /// `@odata.type` names something that cannot stand here.
    TypeRefused {
        /// As sent.
        sent: String,
        /// The types that would do.
        accepted: String,
    },
    /// A navigation whose entities cannot be sent inside another.
    NotInsertable,
}

impl DecodeError {
    /// Whether the body names a property or parameter that does not exist.
    pub const fn is_unknown_property(&self) -> bool {
        matches!(
            self.problem,
            DecodeProblem::Unknown { .. } | DecodeProblem::UnknownParameter { .. }
        )
    }
}

impl std::error::Error for DecodeError {}

// By hand, because each text is a sentence about the place, which may be the body itself.
impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = &self.at;
        match &self.problem {
            DecodeProblem::Unknown { ty } => {
                return write!(
                    f,
                    "The property '{at}' does not exist on type '{ty}'. Make sure to only use \
                     property names that are defined by the type or mark the type as open type."
                );
            }
            DecodeProblem::UnknownParameter { action } => {
                return write!(f, "the action '{action}' has no parameter '{at}'");
            }
            DecodeProblem::ParameterRequired { action } => {
                return write!(f, "the action '{action}' needs its parameter '{at}'");
            }
            _ if at.is_empty() => f.write_str("the body ")?,
            _ => write!(f, "property '{at}' ")?,
        }
        match &self.problem {
            DecodeProblem::Mismatch { expected, found } => {
                write!(f, "must be {expected}, not {found}")
            }
            DecodeProblem::TypeRequired { accepted } => {
                write!(f, "must name its type in '@odata.type'; accepted: {accepted}")
            }
            DecodeProblem::TypeRefused { sent, accepted } => {
                write!(f, "cannot have the type '{sent}'; accepted: {accepted}")
            }
            DecodeProblem::NotInsertable => f.write_str("cannot be sent inside another entity"),
            _ => f.write_str("must not be null"),
        }
    }
}

/// The place of a value, as a chain through the callers: no text is made unless it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    piece: Piece<'a>,
}

#[derive(Clone, Copy)]
enum Piece<'a> {
    Top,
    Member(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    pub(super) const TOP: Place<'static> = Place { outer: None, piece: Piece::Top };

    pub(super) const fn member(&'a self, name: &'a str) -> Place<'a> {
        Place { outer: Some(self), piece: Piece::Member(name) }
    }

    pub(super) const fn index(&'a self, index: usize) -> Place<'a> {
        Place { outer: Some(self), piece: Piece::Index(index) }
    }

    pub(super) fn error(&self, problem: DecodeProblem) -> DecodeError {
        DecodeError { at: self.to_string(), problem }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(outer) = self.outer else { return Ok(()) };
        outer.fmt(f)?;
        match self.piece {
            Piece::Top => Ok(()),
            Piece::Member(name) if outer.outer.is_none() => f.write_str(name),
            Piece::Member(name) => write!(f, ".{name}"),
            Piece::Index(index) => write!(f, "[{index}]"),
        }
    }
}
