//! `$search` on collections of the directory: clauses on properties, read as a filter.
//!
//! **Invariant:** it finds what real Graph finds of its documented form (GRAPH.md section 10): names and
//! descriptions where a word begins so (at the start, after a space or a hyphen), other properties where
//! the whole begins so.

use odata::syntax::{BinaryOp, Expression};
use odata::value::Value;

use crate::api::error::Error;

/// Clauses in one search: each is one to three conditions of the statement.
const CLAUSES_MAX: usize = 10;

/// Properties whose words are looked at one by one.
const OF_WORDS: [&str; 2] = ["displayName", "description"];

/// The filter that the search `"displayName:video" OR "mail:video"` stands for, with `filter` where there
/// is one. `AND` binds tighter than `OR`; both are written in capitals and outside of the quotes.
pub(super) fn with_filter(search: &str, filter: Option<Expression>) -> Result<Expression, Error> {
    let (first, mut rest) = next(search)?;
    let (mut done, mut growing, mut clauses) = (None, first, 1);
    while !rest.is_empty() {
        clauses += 1;
        if clauses > CLAUSES_MAX {
            return Err(refused(&format!("there are more than {CLAUSES_MAX} clauses")));
        }
        let is_or = rest.starts_with("OR ");
        let after = rest.strip_prefix("OR ").or_else(|| rest.strip_prefix("AND "));
        let (clause, after) =
            next(after.ok_or_else(|| refused("clauses are joined by AND or OR"))?)?;
        if is_or {
            (done, growing) = (Some(joined(BinaryOp::Or, done, growing)), clause);
        } else {
            growing = joined(BinaryOp::And, Some(growing), clause);
        }
        rest = after;
    }
    Ok(joined(BinaryOp::And, filter, joined(BinaryOp::Or, done, growing)))
}

/// The clause that a text begins with, and what comes after it.
fn next(text: &str) -> Result<(Expression, &str), Error> {
    let (text, after) = text
        .trim_start()
        .strip_prefix('"')
        .and_then(|it| it.split_once('"'))
        .ok_or_else(|| refused("each clause is a \"property:value\" in double quotes"))?;
    Ok((clause(text)?, after.trim()))
}

fn clause(text: &str) -> Result<Expression, Error> {
    let (property, value) = text
        .split_once(':')
        .filter(|(property, value)| !property.is_empty() && !value.trim().is_empty())
        .ok_or_else(|| refused(&format!("'{text}' is no property:value")))?;
    let value = value.trim();
    let starts = call("startswith", property, value.to_owned());
    if !OF_WORDS.iter().any(|it| it.eq_ignore_ascii_case(property)) {
        return Ok(starts);
    }
    let within = |before| call("contains", property, format!("{before}{value}"));
    let found = joined(BinaryOp::Or, Some(starts), within(' '));
    Ok(joined(BinaryOp::Or, Some(found), within('-')))
}

fn call(name: &str, property: &str, value: String) -> Expression {
    let property = Expression::Path(property.split('/').map(str::to_owned).collect());
    let arguments = vec![property, Expression::Literal(Value::String(value))];
    Expression::Call { name: name.to_owned(), arguments }
}

fn joined(op: BinaryOp, left: Option<Expression>, right: Expression) -> Expression {
    match left {
        Some(left) => Expression::Binary { op, left: Box::new(left), right: Box::new(right) },
        None => right,
    }
}

fn refused(why: &str) -> Error {
    Error::Url(format!("$search: {why}"))
}
