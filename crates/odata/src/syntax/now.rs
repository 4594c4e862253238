//! `now()`, put into a query as the time that it is.
//!
//! **Invariant:** a query whose `now()` was put in asks the same however often it is asked again, so the
//! links to its further pages do too.

use super::{Expression, Options};
use crate::value::{DateTimeOffset, Value};

impl Options {
    /// Puts `now` in the place of each `now()` (part 2, section 5.1.1.8.13), in what is expanded too;
    /// whether there was one.
    pub fn put_now(&mut self, now: DateTimeOffset) -> bool {
        let mut found = false;
        if let Some(filter) = &mut self.filter {
            found |= put(filter, now);
        }
        for item in &mut self.order_by {
            found |= put(&mut item.key, now);
        }
        for item in &mut self.expand {
            found |= item.options.put_now(now);
        }
        found
    }
}

/// The recursion is as deep as the tree, which parsing has bounded: it holds no more than its nodes.
fn put(expression: &mut Expression, now: DateTimeOffset) -> bool {
    let all =
        |list: &mut Vec<Expression>| list.iter_mut().fold(false, |found, it| put(it, now) | found);
    match expression {
        Expression::Call { name, arguments }
            if arguments.is_empty() && name.eq_ignore_ascii_case("now") =>
        {
            *expression = Expression::Literal(Value::DateTimeOffset(now));
            true
        }
        Expression::Call { arguments, .. } => all(arguments),
        Expression::List(list) => all(list),
        Expression::In { item, list } => put(item, now) | all(list),
        Expression::InCollection { item: inner, .. }
        | Expression::Not(inner)
        | Expression::Negate(inner)
        | Expression::Lambda { body: Some((_, inner)), .. } => put(inner, now),
        Expression::Binary { left, right, .. } => put(left, now) | put(right, now),
        Expression::Literal(_)
        | Expression::EnumLiteral { .. }
        | Expression::Path(_)
        | Expression::Lambda { body: None, .. } => false,
    }
}
