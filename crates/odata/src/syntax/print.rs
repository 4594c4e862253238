//! Trees back to text.
//!
//! **Invariant:** what is printed parses to the same tree, and nests no deeper than the shortest text
//! of it: a printed query is within every limit that the sent one was within.

use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::{BinaryOp, ExpandItem, Expression, LambdaKind, Options, OrderItem, Segment};

/// What a query's value cannot hold as it is.
const QUERY: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'&').add(b'+').add(b'<').add(b'>');
/// What the name of an option cannot hold as it is.
const NAME: &AsciiSet = &QUERY.add(b'=');
/// What a path's segment cannot hold as it is.
const SEGMENT: &AsciiSet = &QUERY.add(b'/').add(b'?').add(b'`').add(b'{').add(b'}').add(b'\\');
/// What a key written as a segment cannot hold as it is, lest it be read as `name(key)`.
const BARE: &AsciiSet = &SEGMENT.add(b'(').add(b')').add(b'\'').add(b'=');

/// A path, percent-encoded, each segment after a slash.
pub fn print_path(segments: &[Segment]) -> String {
    let mut out = String::new();
    for Segment { name, key, parentheses } in segments {
        out.push('/');
        out.extend(utf8_percent_encode(name, if *parentheses { SEGMENT } else { BARE }));
        match key {
            Some(key) => {
                let key = key.replace('\'', "''");
                out.extend(["('", &utf8_percent_encode(&key, SEGMENT).to_string(), "')"]);
            }
            None if *parentheses => out.push_str("()"),
            None => {}
        }
    }
    out
}

/// Options as the query of a URL, percent-encoded.
pub fn print_query(options: &Options) -> String {
    let encode = |(name, value): (String, String)| {
        format!("{}={}", utf8_percent_encode(&name, NAME), utf8_percent_encode(&value, QUERY))
    };
    pairs(options).into_iter().map(encode).collect::<Vec<_>>().join("&")
}

/// The options in the order of the declaration of [`Options`], undecorated.
fn pairs(options: &Options) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut push = |name: &str, value: Option<String>| {
        pairs.extend(value.map(|value| (name.to_owned(), value)));
    };
    let list = |items: Vec<String>| (!items.is_empty()).then(|| items.join(","));
    push("$select", list(options.select.iter().map(|it| it.join("/")).collect()));
    push("$expand", list(options.expand.iter().map(ToString::to_string).collect()));
    push("$filter", options.filter.as_ref().map(ToString::to_string));
    push("$orderby", list(options.order_by.iter().map(ToString::to_string).collect()));
    push("$search", options.search.clone());
    push("$top", options.top.map(|it| it.to_string()));
    push("$skip", options.skip.map(|it| it.to_string()));
    push("$count", options.count.map(|it| it.to_string()));
    push("$skiptoken", options.skip_token.clone());
    push("$deltatoken", options.delta_token.clone());
    push("$format", options.format.clone());
    push("$id", options.id.clone());
    pairs.extend(options.other.iter().cloned());
    pairs
}

impl Options {
    /// The names of the options that are given, in the order of their declaration.
    pub fn names(&self) -> Vec<String> {
        pairs(self).into_iter().map(|(name, _)| name).collect()
    }
}

impl fmt::Display for ExpandItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path.join("/"))?;
        let pairs = pairs(&self.options);
        if pairs.is_empty() {
            return Ok(());
        }
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, "({})", pairs.join(";"))
    }
}

impl fmt::Display for OrderItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.key, if self.descending { " desc" } else { "" })
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expression::Literal(value) => value.fmt(f),
            Expression::EnumLiteral { ty, members } => {
                write!(f, "{ty}'{}'", members.replace('\'', "''"))
            }
            Expression::Path(path) => f.write_str(&path.join("/")),
            Expression::Not(inner) => {
                f.write_str("not ")?;
                inner.write_above(f, Expression::PREFIX)
            }
            // The space tells a negated literal from a negative one.
            Expression::Negate(inner) => {
                f.write_str("- ")?;
                inner.write_above(f, Expression::PREFIX)
            }
            Expression::Binary { op, left, right } => {
                left.write_above(f, self.binding())?;
                write!(f, " {} ", op.word())?;
                right.write_above(f, self.binding() + 1)
            }
            Expression::In { item, list } => {
                item.write_above(f, Expression::POSTFIX)?;
                f.write_str(" in ")?;
                write_list(f, list, ["(", ")"])
            }
            Expression::InCollection { item, collection } => {
                item.write_above(f, Expression::POSTFIX)?;
                write!(f, " in {}", collection.join("/"))
            }
            Expression::List(list) => write_list(f, list, ["[", "]"]),
            Expression::Call { name, arguments } => {
                f.write_str(name)?;
                write_list(f, arguments, ["(", ")"])
            }
            Expression::Lambda { path, kind, body } => {
                let kind = match kind {
                    LambdaKind::Any => "any",
                    LambdaKind::All => "all",
                };
                write!(f, "{}/{kind}(", path.join("/"))?;
                if let Some((variable, body)) = body {
                    write!(f, "{variable}:{body}")?;
                }
                f.write_str(")")
            }
        }
    }
}

impl Expression {
    /// Writes an operand, in parentheses where it binds less tightly than its place asks.
    fn write_above(&self, f: &mut fmt::Formatter<'_>, binding: usize) -> fmt::Result {
        if self.binding() < binding { write!(f, "({self})") } else { fmt::Display::fmt(self, f) }
    }
}

fn write_list(
    f: &mut fmt::Formatter<'_>,
    list: &[Expression],
    [open, close]: [&str; 2],
) -> fmt::Result {
    f.write_str(open)?;
    for (at, item) in list.iter().enumerate() {
        write!(f, "{}{item}", if at == 0 { "" } else { "," })?;
    }
    f.write_str(close)
}

impl BinaryOp {
    /// The operator as it is written.
    pub const fn word(self) -> &'static str {
        match self {
            BinaryOp::Has => "has",
            BinaryOp::Mul => "mul",
            BinaryOp::Div => "div",
            BinaryOp::DivBy => "divby",
            BinaryOp::Mod => "mod",
            BinaryOp::Add => "add",
            BinaryOp::Sub => "sub",
            BinaryOp::Gt => "gt",
            BinaryOp::Ge => "ge",
            BinaryOp::Lt => "lt",
            BinaryOp::Le => "le",
            BinaryOp::Eq => "eq",
            BinaryOp::Ne => "ne",
            BinaryOp::And => "and",
            BinaryOp::Or => "or",
        }
    }
}
