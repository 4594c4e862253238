//! A row that was just written, read as if it came from a database.
//!
//! **Invariant:** a column gives what either database would give for the same value.

use uuid::Uuid;

use crate::store::error::Error;
use crate::store::sql::Bind;

fn value<'r>(row: &'r [Bind<'r>], column: usize) -> Result<&'r Bind<'r>, Error> {
    row.get(column).ok_or_else(|| Error::Defect(format!("there is no column {column}")))
}

fn wrong(column: usize, value: &Bind<'_>) -> Error {
    // Its kind alone: the value may be what somebody wrote.
    let kind = match value {
        Bind::Null => "null",
        Bind::Bool(_) => "a boolean",
        Bind::Int(_) => "an integer",
        Bind::Real(_) => "a number",
        Bind::Text(_) => "text",
        Bind::Bytes(_) => "bytes",
        Bind::Id(_) => "an id",
    };
    Error::Defect(format!("column {column} holds {kind}"))
}

pub(super) fn is_null(row: &[Bind<'_>], column: usize) -> Result<bool, Error> {
    Ok(matches!(value(row, column)?, Bind::Null))
}

pub(super) fn int(row: &[Bind<'_>], column: usize) -> Result<i64, Error> {
    match value(row, column)? {
        Bind::Int(value) => Ok(*value),
        other => Err(wrong(column, other)),
    }
}

pub(super) fn bool(row: &[Bind<'_>], column: usize) -> Result<bool, Error> {
    match value(row, column)? {
        Bind::Bool(value) => Ok(*value),
        other => Err(wrong(column, other)),
    }
}

pub(super) fn text<'r>(row: &'r [Bind<'r>], column: usize) -> Result<&'r str, Error> {
    match value(row, column)? {
        Bind::Text(value) => Ok(value),
        other => Err(wrong(column, other)),
    }
}

pub(super) fn bytes<'r>(row: &'r [Bind<'r>], column: usize) -> Result<&'r [u8], Error> {
    match value(row, column)? {
        Bind::Bytes(value) => Ok(value),
        other => Err(wrong(column, other)),
    }
}

pub(super) fn id(row: &[Bind<'_>], column: usize) -> Result<Uuid, Error> {
    match value(row, column)? {
        Bind::Id(value) => Ok(*value),
        other => Err(wrong(column, other)),
    }
}

pub(super) fn bind(row: &[Bind<'_>], column: usize) -> Result<Bind<'static>, Error> {
    value(row, column).map(Bind::to_static)
}
