//! Values to PostgreSQL's types and back.
//!
//! **Invariant:** a value goes out as the type that the statement asks for or not at all, and comes
//! back as the type that its column has.

use bytes::{BufMut, BytesMut};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;

use crate::store::error::Error;
use crate::store::sql::Bind;

type Boxed = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for Bind<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        match (self, ty) {
            (Bind::Null, _) => return Ok(IsNull::Yes),
            (Bind::Bool(value), &Type::BOOL) => out.put_u8((*value).into()),
            // SQLite's truth values come out of a `$skiptoken` as numbers, and so do ours.
            (Bind::Int(value), &Type::BOOL) => out.put_u8((*value != 0).into()),
            (Bind::Int(value), &Type::INT8) => out.put_i64(*value),
            (Bind::Int(value), &Type::INT4) => out.put_i32(i32::try_from(*value)?),
            (Bind::Int(value), &Type::INT2) => out.put_i16(i16::try_from(*value)?),
            (Bind::Real(value), &Type::FLOAT8) => out.put_f64(*value),
            (Bind::Text(value), &(Type::TEXT | Type::VARCHAR)) => out.put_slice(value.as_bytes()),
            (Bind::Bytes(value), &Type::BYTEA) => out.put_slice(value),
            (Bind::Id(value), &Type::UUID) => out.put_slice(value.as_bytes()),
            (value, ty) => return Err(format!("{value:?} for a parameter of type {ty}").into()),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The bytes of a value as they came, with their type.
struct Raw<'r>(&'r Type, &'r [u8]);

impl<'r> FromSql<'r> for Raw<'r> {
    fn from_sql(_: &Type, raw: &'r [u8]) -> Result<Self, Boxed> {
        Ok(Raw(&Type::UNKNOWN, raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn raw(row: &Row, column: usize) -> Result<Option<Raw<'_>>, Error> {
    let raw: Option<Raw<'_>> =
        row.try_get(column).map_err(|error| Error::Defect(error.to_string()))?;
    Ok(raw.map(|Raw(_, bytes)| Raw(row.columns()[column].type_(), bytes)))
}

fn some(row: &Row, column: usize) -> Result<Raw<'_>, Error> {
    raw(row, column)?.ok_or_else(|| Error::Defect(format!("column {column} is null")))
}

fn wrong(column: usize, ty: &Type, expected: &str) -> Error {
    Error::Defect(format!("column {column} of type {ty} does not hold an {expected}"))
}

pub(in super::super) fn is_null(row: &Row, column: usize) -> Result<bool, Error> {
    Ok(raw(row, column)?.is_none())
}

pub(in super::super) fn int(row: &Row, column: usize) -> Result<i64, Error> {
    let Raw(ty, bytes) = some(row, column)?;
    match *bytes {
        [a, b] => Ok(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Ok(i32::from_be_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Ok(i64::from_be_bytes([a, b, c, d, e, f, g, h])),
        _ => Err(wrong(column, ty, "integer")),
    }
}

pub(in super::super) fn bool(row: &Row, column: usize) -> Result<bool, Error> {
    match some(row, column)? {
        Raw(_, [byte]) => Ok(*byte != 0),
        Raw(ty, _) => Err(wrong(column, ty, "truth value")),
    }
}

pub(in super::super) fn text(row: &Row, column: usize) -> Result<&str, Error> {
    let Raw(ty, bytes) = some(row, column)?;
    std::str::from_utf8(bytes).map_err(|_| wrong(column, ty, "text"))
}

pub(in super::super) fn bytes(row: &Row, column: usize) -> Result<&[u8], Error> {
    some(row, column).map(|Raw(_, bytes)| bytes)
}

pub(in super::super) fn id(row: &Row, column: usize) -> Result<Uuid, Error> {
    let Raw(ty, bytes) = some(row, column)?;
    Uuid::from_slice(bytes).map_err(|_| wrong(column, ty, "id"))
}

pub(in super::super) fn bind(row: &Row, column: usize) -> Result<Bind<'static>, Error> {
    let Some(Raw(ty, bytes)) = raw(row, column)? else { return Ok(Bind::Null) };
    Ok(match *ty {
        Type::BOOL => Bind::Bool(bool(row, column)?),
        Type::INT2 | Type::INT4 | Type::INT8 => Bind::Int(int(row, column)?),
        Type::UUID => Bind::Id(id(row, column)?),
        Type::BYTEA => Bind::Bytes(bytes.to_vec().into()),
        _ => Bind::from(text(row, column)?.to_owned()),
    })
}
