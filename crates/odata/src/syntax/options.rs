//! System query options (part 2, section 5), of a URL and of an `$expand` item.
//!
//! **Invariant:** the raw query is split at `&` first and decoded after; inside parentheses, options
//! are split at `;` outside quotes and nested parentheses.

use super::expression::{Aliases, Parser};
use super::{ExpandItem, Limits, Options, OrderItem, SyntaxError};

/// Names that the standard defines and no part here reads.
const OTHERS: [&str; 6] =
    ["$apply", "$compute", "$index", "$levels", "$schemaversion", "$metadata"];

/// Parses the raw query of a URL, without its `?`.
pub fn parse_query(raw: &str, limits: &Limits) -> Result<Options, SyntaxError> {
    let mut pairs = Vec::new();
    for part in raw.split('&').filter(|it| !it.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode_form(name)?, decode_form(value)?));
    }
    let mut aliases = Aliases::default();
    let is_alias = |name: &str| name.starts_with('@') && !name.contains('.');
    for (name, value) in pairs.iter().filter(|(name, _)| is_alias(name)) {
        aliases.add(name, value, limits)?;
    }
    Reading { limits, aliases: &aliases }.options(pairs, limits.expand_depth)
}

/// What holds for the options of a request at every depth.
#[derive(Clone, Copy)]
struct Reading<'r> {
    limits: &'r Limits,
    aliases: &'r Aliases,
}

impl Reading<'_> {
    /// Decoded options separated by semicolons, as they stand inside an `$expand` item.
    fn nested(self, text: &str, expand_depth: usize) -> Result<Options, SyntaxError> {
        let mut pairs = Vec::new();
        let parts = split_outside("$expand", text, ';')?;
        for part in parts.into_iter().filter(|it| !it.trim().is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            pairs.push((name.trim().to_owned(), value.to_owned()));
        }
        self.options(pairs, expand_depth)
    }

    fn options(
        self,
        pairs: Vec<(String, String)>,
        expand_depth: usize,
    ) -> Result<Options, SyntaxError> {
        let mut options = Options::default();
        let mut seen: Vec<String> = Vec::new();
        for (name, value) in pairs {
            if !name.starts_with('$') && !name.starts_with('@') {
                continue;
            }
            let lower = name.to_ascii_lowercase();
            if seen.contains(&lower) {
                return Err(SyntaxError::Duplicate(name));
            }
            match lower.as_str() {
                "$select" => options.select = select(&value, self.limits)?,
                "$expand" => options.expand = self.expand(&value, expand_depth)?,
                "$filter" => {
                    let parser = Parser::new("$filter", &value, self.limits, self.aliases);
                    options.filter = Some(parser.whole()?);
                }
                "$orderby" => options.order_by = self.order_by(&value)?,
                "$search" => options.search = Some(value),
                "$top" => options.top = Some(number(&name, &value)?),
                "$skip" => options.skip = Some(number(&name, &value)?),
                "$count" => options.count = Some(boolean(&name, &value)?),
                "$skiptoken" => options.skip_token = Some(value),
                "$deltatoken" => options.delta_token = Some(value),
                "$format" => options.format = Some(value),
                "$id" => options.id = Some(value),
                other if OTHERS.contains(&other) => options.other.push((name, value)),
                // What an alias stands for was put where it is used.
                other if other.starts_with('@') => {}
                _ => return Err(SyntaxError::UnknownOption(name)),
            }
            seen.push(lower);
        }
        Ok(options)
    }

    fn order_by(self, text: &str) -> Result<Vec<OrderItem>, SyntaxError> {
        let item = |item: &str| {
            let mut parser = Parser::new("$orderby", item, self.limits, self.aliases);
            let key = parser.expression()?;
            let descending = parser.direction()?;
            parser.end()?;
            Ok(OrderItem { key, descending })
        };
        items("$orderby", text, self.limits)?.into_iter().map(item).collect()
    }

    fn expand(self, text: &str, expand_depth: usize) -> Result<Vec<ExpandItem>, SyntaxError> {
        if expand_depth == 0 {
            let part = "$expand".to_owned();
            let max = self.limits.expand_depth;
            return Err(SyntaxError::TooComplex { part, max, of: "levels" });
        }
        let item = |item: &str| {
            let (names, inner) = match item.split_once('(') {
                None => (item, None),
                Some((names, rest)) => match rest.strip_suffix(')') {
                    Some(inner) => (names, Some(inner)),
                    None => {
                        return Err(SyntaxError::Value {
                            option: "$expand".to_owned(),
                            value: item.to_owned(),
                            expected: "closed: an opening parenthesis lacks its closing one",
                        });
                    }
                },
            };
            let options = match inner {
                Some(inner) => self.nested(inner, expand_depth - 1)?,
                None => Options::default(),
            };
            Ok(ExpandItem { path: path("$expand", names.trim())?, options })
        };
        items("$expand", text, self.limits)?.into_iter().map(item).collect()
    }
}

/// Percent-decodes a part of a query, in which a plus is a space.
fn decode_form(text: &str) -> Result<String, SyntaxError> {
    if text.contains('+') { super::decode(&text.replace('+', " ")) } else { super::decode(text) }
}

fn number(option: &str, value: &str) -> Result<u64, SyntaxError> {
    let text = value.trim();
    let digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.filter(|it| *it <= i64::MAX as u64).ok_or_else(|| SyntaxError::Value {
        option: option.to_owned(),
        value: value.to_owned(),
        expected: "a non-negative integer",
    })
}

fn boolean(option: &str, value: &str) -> Result<bool, SyntaxError> {
    match value.trim() {
        it if it.eq_ignore_ascii_case("true") => Ok(true),
        it if it.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(SyntaxError::Value {
            option: option.to_owned(),
            value: value.to_owned(),
            expected: "true or false",
        }),
    }
}

/// Splits a comma list, items trimmed; an empty item is an error.
fn items<'t>(
    option: &'static str,
    text: &'t str,
    limits: &Limits,
) -> Result<Vec<&'t str>, SyntaxError> {
    let items: Vec<_> = split_outside(option, text, ',')?.into_iter().map(str::trim).collect();
    if items.len() > limits.items {
        let part = option.to_owned();
        return Err(SyntaxError::TooComplex { part, max: limits.items, of: "items" });
    }
    if items.iter().any(|it| it.is_empty()) {
        return Err(SyntaxError::Value {
            option: option.to_owned(),
            value: text.to_owned(),
            expected: "a comma-separated list without empty items",
        });
    }
    Ok(items)
}

fn select(text: &str, limits: &Limits) -> Result<Vec<Vec<String>>, SyntaxError> {
    let item = |item: &str| path("$select", item);
    items("$select", text, limits)?.into_iter().map(item).collect()
}

/// A path of names, without its meaning.
fn path(option: &'static str, text: &str) -> Result<Vec<String>, SyntaxError> {
    let names: Vec<String> = text.split('/').map(str::to_owned).collect();
    let good = |it: &String| {
        it == "*"
            || (!it.is_empty() && it.chars().all(|c| c.is_alphanumeric() || "_.$@-".contains(c)))
    };
    if names.iter().all(good) {
        return Ok(names);
    }
    Err(SyntaxError::Value {
        option: option.to_owned(),
        value: text.to_owned(),
        expected: "a path of property names",
    })
}

/// Splits at a separator that is not inside quotes, parentheses or brackets, all of which must be closed.
/// Double quotes are those of a phrase in `$search`.
fn split_outside<'t>(
    option: &str,
    text: &'t str,
    separator: char,
) -> Result<Vec<&'t str>, SyntaxError> {
    let (mut parts, mut start, mut depth, mut quote) = (Vec::new(), 0, 0_usize, None);
    let unbalanced = || SyntaxError::Value {
        option: option.to_owned(),
        value: text.to_owned(),
        expected: "balanced: a quote or a parenthesis lacks its partner",
    };
    for (at, c) in text.char_indices() {
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '\'' | '"' => quote = Some(c),
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.checked_sub(1).ok_or_else(unbalanced)?,
            _ if c == separator && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quote.is_some() || depth > 0 {
        return Err(unbalanced());
    }
    parts.push(&text[start..]);
    Ok(parts)
}
