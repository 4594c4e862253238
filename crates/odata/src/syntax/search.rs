//! `$search` (part 2, section 5.1.8), in the words that Graph's clients use: KQL's operators and
//! properties beside the standard's words and phrases.
//!
//! **Invariant:** what a property means is for whoever searches; here it is only read, and never deeper
//! or longer than [`SearchLimits`] allows.

use super::SyntaxError;

/// How large a search may be.
#[derive(Clone, Copy, Debug)]
pub struct SearchLimits {
    /// Words, phrases and comparisons.
    pub terms: usize,
    /// Nesting of parentheses and of `NOT`.
    pub depth: usize,
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq)]
pub enum Search {
    /// A word, a phrase, or a property with either: `pizza`, `"annual budget"`, `topic:pizza`.
    Term {
        /// The property, as it was written, and what stands between it and the text.
        property: Option<(String, SearchOp)>,
        /// The word or the phrase, without its quotes.
        text: String,
        /// Whether it stood in quotes.
        quoted: bool,
    },
    /// All of these, at least two: `a AND b`, `a b`.
    And(Vec<Search>),
    /// Any of these, at least two: `a OR b`.
    Or(Vec<Search>),
    /// What does not have it: `NOT a`, `-a`.
    Not(Box<Search>),
}

/// What stands between a property and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchOp {
    /// `:` or `=`
    Has,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
}

/// The longest first.
const OPERATORS: [(&str, SearchOp); 6] = [
    ("<=", SearchOp::Le),
    (">=", SearchOp::Ge),
    ("<", SearchOp::Lt),
    (">", SearchOp::Gt),
    (":", SearchOp::Has),
    ("=", SearchOp::Has),
];

const OPTION: &str = "$search";

/// Parses the decoded value of `$search`. `AND`, `OR` and `NOT` are written in capitals; `NOT` binds
/// tightest and `OR` loosest, and between two words without an operator an `AND` is meant. One pair of
/// double quotes around all of it is not a phrase but what Graph asks its clients to write; in there a
/// quote is `\"`.
///
/// # Errors
/// Where the text does not follow that, or is larger than `limits`.
pub fn parse_search(text: &str, limits: &SearchLimits) -> Result<Search, SyntaxError> {
    let text = unwrapped(text.trim());
    let mut parser = Parser { text: &text, at: 0, terms: 0, depth: 0, limits };
    let search = parser.any(None)?;
    if parser.at < parser.text.len() {
        return Err(parser.unexpected("a word, AND, OR or the end"));
    }
    Ok(search)
}

/// The text without the one pair of quotes that all of it stands in.
fn unwrapped(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    let mut out = String::with_capacity(text.len());
    let mut chars = inner.unwrap_or(text).chars().peekable();
    while let (Some(_), Some(c)) = (inner, chars.next()) {
        match (c, chars.peek()) {
            ('\\', Some(next @ ('"' | '\\'))) => {
                out.push(*next);
                chars.next();
            }
            // Then the first quote and the last are of different phrases.
            ('"', _) => return text.to_owned(),
            _ => out.push(c),
        }
    }
    if inner.is_some() { out } else { text.to_owned() }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    terms: usize,
    depth: usize,
    limits: &'t SearchLimits,
}

type Scope<'s> = Option<(&'s str, SearchOp)>;

impl Parser<'_> {
    fn any(&mut self, scope: Scope<'_>) -> Result<Search, SyntaxError> {
        let mut items = vec![self.all(scope)?];
        while self.operator("OR") {
            items.push(self.all(scope)?);
        }
        Ok(one_or(items, Search::Or))
    }

    fn all(&mut self, scope: Scope<'_>) -> Result<Search, SyntaxError> {
        let mut items = vec![self.unary(scope)?];
        loop {
            self.spaces();
            let said = self.operator("AND");
            let rest = self.rest();
            let ends = rest.is_empty() || rest.starts_with(')') || is_operator(rest, "OR");
            if ends && !said {
                return Ok(one_or(items, Search::And));
            }
            items.push(self.unary(scope)?);
        }
    }

    fn unary(&mut self, scope: Scope<'_>) -> Result<Search, SyntaxError> {
        self.spaces();
        let minus = self.rest().strip_prefix('-').and_then(|it| it.chars().next());
        let is_minus = minus.is_some_and(|it| !it.is_whitespace() && it != ')');
        if is_minus {
            self.at += 1;
        }
        if is_minus || self.operator("NOT") {
            return Ok(Search::Not(Box::new(self.nested(|it| it.unary(scope))?)));
        }
        self.primary(scope)
    }

    fn primary(&mut self, scope: Scope<'_>) -> Result<Search, SyntaxError> {
        let rest = self.rest();
        if rest.is_empty()
            || rest.starts_with(')')
            || ["AND", "OR"].iter().any(|it| is_operator(rest, it))
        {
            return Err(self.unexpected("a word, a phrase or an opening parenthesis"));
        }
        if let Some((name, op)) = property(rest) {
            if scope.is_some() {
                return Err(self.unexpected("a word: it stands inside another property"));
            }
            self.at += name.len() + op.0.len();
            let rest = self.rest();
            if rest.is_empty() || rest.starts_with(|c: char| c.is_whitespace() || c == ')') {
                return Err(self.unexpected("what the property is to have"));
            }
            return self.value(Some((name, op.1)));
        }
        self.value(scope)
    }

    fn value(&mut self, scope: Scope<'_>) -> Result<Search, SyntaxError> {
        let rest = self.rest();
        if rest.starts_with('(') {
            self.at += 1;
            let inner = self.nested(|it| it.any(scope))?;
            if !self.rest().starts_with(')') {
                return Err(self.unexpected("a closing parenthesis"));
            }
            self.at += 1;
            return Ok(inner);
        }
        let quoted = rest.starts_with('"');
        let text = if quoted {
            let end = rest[1..].find('"');
            let end = end.ok_or_else(|| self.unexpected("a phrase with a quote at its end"))?;
            self.at += end + 2;
            rest[1..=end].to_owned()
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || "()\"".contains(c));
            let word = &rest[..end.unwrap_or(rest.len())];
            self.at += word.len();
            word.to_owned()
        };
        self.terms += 1;
        if self.terms > self.limits.terms {
            return Err(too_complex(self.limits.terms, "words and phrases"));
        }
        let property = scope.map(|(name, op)| (name.to_owned(), op));
        Ok(Search::Term { property, text, quoted })
    }

    fn nested<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(too_complex(self.limits.depth, "levels"));
        }
        let found = inner(self)?;
        self.depth -= 1;
        self.spaces();
        Ok(found)
    }

    fn operator(&mut self, word: &str) -> bool {
        self.spaces();
        let is = is_operator(self.rest(), word);
        if is {
            self.at += word.len();
        }
        is
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let found = self.rest().chars().take(20).collect::<String>();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("'{found}'") };
        SyntaxError::Unexpected { part: OPTION.to_owned(), at: self.at, expected, found }
    }
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }
}

fn one_or(mut items: Vec<Search>, many: fn(Vec<Search>) -> Search) -> Search {
    match items.len() {
        1 => items.remove(0),
        _ => many(items),
    }
}

fn too_complex(max: usize, of: &'static str) -> SyntaxError {
    SyntaxError::TooComplex { part: OPTION.to_owned(), max, of }
}

/// Whether a text begins with this operator, as a word of its own.
fn is_operator(text: &str, word: &str) -> bool {
    text.strip_prefix(word).is_some_and(|it| {
        it.is_empty() || it.starts_with(|c: char| c.is_whitespace() || "()\"".contains(c))
    })
}

/// The property that a text begins with, and the operator after it.
fn property(text: &str) -> Option<(&str, (&'static str, SearchOp))> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, rest) = text.split_at(end);
    let op = OPERATORS.into_iter().find(|(it, _)| rest.starts_with(it))?;
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some((name, op))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SearchLimits = SearchLimits { terms: 6, depth: 3 };

    /// The tree as text, every operator with its parentheses.
    fn shown(search: &Search) -> String {
        let list = |items: &[Search], op: &str| {
            format!("({})", items.iter().map(shown).collect::<Vec<_>>().join(op))
        };
        match search {
            Search::Term { property, text, quoted } => {
                let text = if *quoted { format!("'{text}'") } else { text.clone() };
                match property {
                    Some((name, op)) => format!("{name} {op:?} {text}"),
                    None => text,
                }
            }
            Search::And(items) => list(items, " & "),
            Search::Or(items) => list(items, " | "),
            Search::Not(inner) => format!("!{}", shown(inner)),
        }
    }

    #[test]
    fn searches_are_read_as_they_are_meant() {
        for (text, expected) in [
            ("pizza", "pizza"),
            ("\"pizza\"", "pizza"),
            (" pizza  budget ", "(pizza & budget)"),
            ("\"topic:pizza AND budget\"", "(topic Has pizza & budget)"),
            ("a b OR c NOT d", "((a & b) | (c & !d))"),
            ("a -b -\"c d\" -(e OR f)", "(a & !b & !'c d' & !(e | f))"),
            ("\"a b\" OR \"c\"", "('a b' | 'c')"),
            ("\"from:\\\"Ada L\\\" x\"", "(from Has 'Ada L' & x)"),
            ("subject:(a OR \"b c\") d", "((subject Has a | subject Has 'b c') & d)"),
            (
                "received>=2020-01-01 received<2021-01-01",
                "(received Ge 2020-01-01 & received Lt 2021-01-01)",
            ),
            ("hasAttachments=true", "hasAttachments Has true"),
            ("a(b)c", "(a & b & c)"),
            ("and or not ORDER 12:30 e-mail", "(and & or & not & ORDER & 12:30 & e-mail)"),
            ("a - b", "(a & - & b)"),
            ("日本 OR über", "(日本 | über)"),
        ] {
            let read = parse_search(text, &LIMITS).map(|it| shown(&it));
            assert_eq!(read.as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_search_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "position 0: expected a word"),
            ("\"\"", "position 0: expected a word"),
            ("a AND", "position 5: expected a word"),
            ("OR a", "position 0: expected a word"),
            ("a OR OR b", "position 5: expected a word"),
            ("(a", "position 2: expected a closing parenthesis"),
            ("a)", "position 1: expected a word, AND"),
            ("()", "position 1: expected a word"),
            ("NOT", "position 3: expected a word"),
            ("a \"b", "position 2: expected a phrase"),
            ("topic: a", "position 6: expected what the property"),
            ("topic:(body:a)", "position 7: expected a word: it stands"),
            ("a b c d e f g", "at most 6 words and phrases"),
            ("((((a))))", "at most 3 levels"),
            ("NOT NOT NOT NOT a", "at most 3 levels"),
        ] {
            let refused = parse_search(text, &LIMITS).map_err(|it| it.to_string());
            let refused = refused.expect_err(text);
            assert!(refused.contains(expected), "{text}: {refused}");
        }
        assert!(parse_search("a b c d e f", &LIMITS).is_ok());
        assert!(parse_search("(((a)))", &LIMITS).is_ok());
    }
}
