//! Expressions of `$filter` and `$orderby` (part 2, section 5.1.1): one function a level of precedence.
//!
//! **Invariant:** each recursion counts its depth and each node is counted, so a hostile text ends in
//! an error and not on the stack's end. What a word means depends on where it stands: `eq` is an
//! operator after an operand and a name before one, so the parser asks for what it can take.

use super::{BinaryOp, Expression, LambdaKind, Limits, SyntaxError};
use crate::value::{
    DateTimeOffset, Value, parse_date, parse_duration, parse_guid, parse_time_of_day,
};

/// A cursor over a decoded text.
pub(super) struct Parser<'t> {
    part: &'t str,
    text: &'t str,
    at: usize,
    limits: &'t Limits,
    aliases: &'t Aliases,
    depth: usize,
    /// The deepest that it has been.
    deepest: usize,
    nodes: usize,
}

/// What the parameter aliases of a request stand for (part 2, section 5.1.1.14.6), by name. A name that
/// none of them has stands for null.
#[derive(Debug, Default)]
pub(super) struct Aliases(Vec<(String, Alias)>);

#[derive(Debug)]
struct Alias {
    is: Expression,
    depth: usize,
    nodes: usize,
}

impl Aliases {
    /// Reads what `name`, with its `@`, stands for. Other aliases are not looked up in it.
    pub(super) fn add(
        &mut self,
        name: &str,
        text: &str,
        limits: &Limits,
    ) -> Result<(), SyntaxError> {
        let none = Aliases::default();
        let mut parser = Parser::new(name, text, limits, &none);
        let is = parser.expression()?;
        parser.end()?;
        let (depth, nodes) = (parser.deepest, parser.nodes);
        self.0.push((name.to_owned(), Alias { is, depth, nodes }));
        Ok(())
    }
}

type Parsed = Result<Expression, SyntaxError>;

/// Binary operators between operands of the next level, by rising precedence (part 2, section
/// 5.1.1.16); those of one level bind from the left.
const LEVELS: [&[BinaryOp]; 6] = {
    use BinaryOp::{Add, And, Div, DivBy, Eq, Ge, Gt, Le, Lt, Mod, Mul, Ne, Or, Sub};
    [&[Or], &[And], &[Eq, Ne], &[Gt, Ge, Lt, Le], &[Add, Sub], &[Mul, DivBy, Div, Mod]]
};

impl Expression {
    /// How tightly the outermost operation holds its operands: the level in `LEVELS`, then signs,
    /// then `has` and `in`, then what needs no parentheses anywhere.
    pub(super) fn binding(&self) -> usize {
        match self {
            Expression::Binary { op, .. } => {
                LEVELS.iter().position(|it| it.contains(op)).unwrap_or(Self::POSTFIX)
            }
            Expression::Not(_) | Expression::Negate(_) => Self::PREFIX,
            Expression::In { .. } | Expression::InCollection { .. } => Self::POSTFIX,
            _ => Self::PRIMARY,
        }
    }

    pub(super) const PREFIX: usize = LEVELS.len();
    pub(super) const POSTFIX: usize = Self::PREFIX + 1;
    pub(super) const PRIMARY: usize = Self::POSTFIX + 1;
}

impl<'t> Parser<'t> {
    pub(super) fn new(
        part: &'t str,
        text: &'t str,
        limits: &'t Limits,
        aliases: &'t Aliases,
    ) -> Parser<'t> {
        Parser { part, text, at: 0, limits, aliases, depth: 0, deepest: 0, nodes: 0 }
    }

    /// The expression that is the whole text.
    pub(super) fn whole(mut self) -> Parsed {
        let expression = self.expression()?;
        self.end()?;
        Ok(expression)
    }

    /// The end of the text.
    pub(super) fn end(&mut self) -> Result<(), SyntaxError> {
        self.spaces();
        if self.rest().is_empty() { Ok(()) } else { Err(self.unexpected("an operator or the end")) }
    }

    /// `asc`, `desc` or nothing; whether it is `desc`.
    pub(super) fn direction(&mut self) -> Result<bool, SyntaxError> {
        let descending = self.word("desc");
        if !descending {
            self.word("asc");
        }
        Ok(descending)
    }

    pub(super) fn expression(&mut self) -> Parsed {
        self.level(0)
    }

    fn level(&mut self, level: usize) -> Parsed {
        let Some(operators) = LEVELS.get(level) else { return self.unary() };
        let mut left = self.level(level + 1)?;
        while let Some(op) = self.operator(operators) {
            let right = self.level(level + 1)?;
            left =
                self.node(Expression::Binary { op, left: Box::new(left), right: Box::new(right) })?;
        }
        Ok(left)
    }

    fn operator(&mut self, operators: &[BinaryOp]) -> Option<BinaryOp> {
        operators.iter().copied().find(|op| self.word(op.word()))
    }

    fn has_or_in(&mut self) -> Parsed {
        let mut left = self.primary()?;
        loop {
            if self.word("has") {
                let right = self.primary()?;
                let (op, left_box) = (BinaryOp::Has, Box::new(left));
                left =
                    self.node(Expression::Binary { op, left: left_box, right: Box::new(right) })?;
            } else if self.word("in") {
                left = self.nested(|it| it.within(left))?;
            } else {
                return Ok(left);
            }
        }
    }

    /// What `item` is looked for in: a list in parentheses, an alias of one, or a collection.
    fn within(&mut self, item: Expression) -> Parsed {
        let item = Box::new(item);
        self.spaces();
        if self.rest().starts_with('(') {
            self.at += 1;
            let list = self.list(')')?;
            return self.node(Expression::In { item, list });
        }
        let before = self.at;
        match self.primary()? {
            Expression::List(list) => self.node(Expression::In { item, list }),
            Expression::Path(collection) => {
                self.node(Expression::InCollection { item, collection })
            }
            _ => {
                self.at = before;
                Err(self.unexpected("a list in parentheses or a collection"))
            }
        }
    }

    fn unary(&mut self) -> Parsed {
        self.spaces();
        if self.not() {
            let inner = self.nested(Self::unary)?;
            return self.node(Expression::Not(Box::new(inner)));
        }
        let mut after = self.rest().chars();
        let negates = after.next() == Some('-')
            && after.next().is_some_and(|c| c != '-' && !c.is_ascii_digit());
        if negates {
            self.at += 1;
            let inner = self.nested(Self::unary)?;
            return self.node(Expression::Negate(Box::new(inner)));
        }
        self.has_or_in()
    }

    /// `not` before an operand: also directly before a parenthesis, as Graph's own examples have it.
    fn not(&mut self) -> bool {
        let rest = self.rest();
        let is = rest.get(..3).is_some_and(|it| it.eq_ignore_ascii_case("not"))
            && !rest[3..].starts_with(is_name_part);
        if is {
            self.at += 3;
        }
        is
    }

    fn primary(&mut self) -> Parsed {
        self.spaces();
        match self.rest().chars().next() {
            Some('(') => {
                self.at += 1;
                let inner = self.nested(Self::expression)?;
                self.expect(')', "a closing parenthesis")?;
                Ok(inner)
            }
            Some('\'') => {
                let text = self.quoted('\'')?;
                self.node(Expression::Literal(Value::String(text)))
            }
            Some('[') => {
                self.at += 1;
                let list = self.nested(|it| it.list(']'))?;
                self.node(Expression::List(list))
            }
            Some('@') if self.alias_ahead().is_some() => self.alias(),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number_like(),
            Some(c) if is_name_start(c) => self.name_like(),
            _ => Err(self.unexpected("a value, a property or a function")),
        }
    }

    /// The name of an alias that stands here; a name with a dot is that of an annotation.
    fn alias_ahead(&self) -> Option<&'t str> {
        let rest = self.rest();
        let end = rest[1..].find(|c| !is_name_part(c)).map_or(rest.len(), |it| it + 1);
        Some(&rest[..end]).filter(|it| it.len() > 1 && !it.contains('.'))
    }

    /// What an alias stands for, in its place.
    fn alias(&mut self) -> Parsed {
        let name = self.alias_ahead().unwrap_or_default();
        let known = self.aliases.0.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
        self.at += name.len();
        let Some((_, alias)) = known else {
            return self.node(Expression::Literal(Value::Null));
        };
        // Written in its place it may need parentheses.
        let depth = self.depth + alias.depth + 1;
        if depth > self.limits.depth {
            return Err(self.too_complex(self.limits.depth, "levels of nesting"));
        }
        self.deepest = self.deepest.max(depth);
        self.nodes += alias.nodes.saturating_sub(1);
        self.node(alias.is.clone())
    }

    /// A number, a GUID or a point in time: whatever begins with a digit or a minus.
    fn number_like(&mut self) -> Parsed {
        let start = self.at;
        let end = self.text[start..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-+.:".contains(c)))
            .map_or(self.text.len(), |it| start + it);
        let mut word = &self.text[start..end];
        let literal = match literal(word) {
            Some(literal) => literal,
            // The plus of an offset that arrived as the space it means in a query.
            None => {
                let spaced = self.text.get(start..end + 6).unwrap_or_default();
                let time = spaced.contains('T').then(|| spaced.replacen(' ', "+", 1));
                let time = time.and_then(|it| DateTimeOffset::parse(&it));
                let time =
                    time.ok_or_else(|| self.unexpected("a number, a GUID, a date or a time"))?;
                word = spaced;
                Value::DateTimeOffset(time)
            }
        };
        self.at = start + word.len();
        self.node(Expression::Literal(literal))
    }

    fn name_like(&mut self) -> Parsed {
        let guid = self.text.get(self.at..self.at + 36).and_then(parse_guid);
        if let Some(guid) = guid {
            self.at += 36;
            return self.node(Expression::Literal(Value::Guid(guid)));
        }
        let name = self.name();
        if self.rest().starts_with('\'') {
            let before = self.at;
            let members = self.quoted('\'')?;
            if name.eq_ignore_ascii_case("duration") {
                let Some(ticks) = parse_duration(&members) else {
                    self.at = before;
                    return Err(self.unexpected("a duration, such as 'P1DT12H'"));
                };
                return self.node(Expression::Literal(Value::Duration(ticks)));
            }
            return self.node(Expression::EnumLiteral { ty: name, members });
        }
        if self.rest().starts_with('(') {
            self.at += 1;
            let arguments = self.nested(|it| it.list(')'))?;
            return self.node(Expression::Call { name, arguments });
        }
        match name.as_str() {
            it if it.eq_ignore_ascii_case("true") => {
                return self.node(Expression::Literal(Value::Boolean(true)));
            }
            it if it.eq_ignore_ascii_case("false") => {
                return self.node(Expression::Literal(Value::Boolean(false)));
            }
            it if it.eq_ignore_ascii_case("null") => {
                return self.node(Expression::Literal(Value::Null));
            }
            _ => {}
        }
        self.member_path(name)
    }

    /// The rest of a path, which may end in a lambda.
    fn member_path(&mut self, first: String) -> Parsed {
        let mut path = vec![first];
        while self.rest().starts_with('/') {
            self.at += 1;
            if !self.rest().starts_with(is_name_start) {
                return Err(self.unexpected("a property after '/'"));
            }
            let name = self.name();
            let kind = match name.as_str() {
                it if it.eq_ignore_ascii_case("any") => Some(LambdaKind::Any),
                it if it.eq_ignore_ascii_case("all") => Some(LambdaKind::All),
                _ => None,
            };
            match kind {
                Some(kind) if self.rest().starts_with('(') => {
                    self.at += 1;
                    let body = self.nested(|it| it.lambda(kind))?;
                    return self.node(Expression::Lambda { path, kind, body });
                }
                _ => path.push(name),
            }
        }
        self.node(Expression::Path(path))
    }

    /// What stands in the parentheses of a lambda, and the closing one.
    fn lambda(
        &mut self,
        kind: LambdaKind,
    ) -> Result<Option<(String, Box<Expression>)>, SyntaxError> {
        self.spaces();
        if kind == LambdaKind::Any && self.rest().starts_with(')') {
            self.at += 1;
            return Ok(None);
        }
        if !self.rest().starts_with(is_name_start) {
            return Err(self.unexpected("the variable of a lambda"));
        }
        let variable = self.name();
        self.expect(':', "the ':' after a lambda's variable")?;
        let body = self.expression()?;
        self.expect(')', "the ')' that closes a lambda")?;
        Ok(Some((variable, Box::new(body))))
    }

    /// Comma-separated expressions up to what closes the list, which is taken too. The items of an
    /// array, which is JSON, may be in double quotes.
    fn list(&mut self, close: char) -> Result<Vec<Expression>, SyntaxError> {
        let mut list = Vec::new();
        self.spaces();
        if self.rest().starts_with(close) {
            self.at += 1;
            return Ok(list);
        }
        loop {
            self.spaces();
            if close == ']' && self.rest().starts_with('"') {
                let text = self.quoted('"')?;
                list.push(self.node(Expression::Literal(Value::String(text)))?);
            } else {
                list.push(self.expression()?);
            }
            self.spaces();
            if self.rest().starts_with(',') {
                self.at += 1;
            } else {
                let expected = if close == ')' { "',' or ')'" } else { "',' or ']'" };
                self.expect(close, expected)?;
                return Ok(list);
            }
        }
    }

    fn nested<T>(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(self.too_complex(self.limits.depth, "levels of nesting"));
        }
        self.deepest = self.deepest.max(self.depth);
        let parsed = parse(self)?;
        self.depth -= 1;
        Ok(parsed)
    }

    fn node(&mut self, expression: Expression) -> Parsed {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            return Err(self.too_complex(self.limits.nodes, "terms"));
        }
        Ok(expression)
    }

    fn too_complex(&self, max: usize, of: &'static str) -> SyntaxError {
        SyntaxError::TooComplex { part: self.part.to_owned(), max, of }
    }

    /// A text in quotes of one kind, in which two of them stand for one; in double quotes, which are
    /// JSON's, a backslash before one does too, and before itself.
    fn quoted(&mut self, quote: char) -> Result<String, SyntaxError> {
        let start = self.at;
        let mut text = String::new();
        let mut rest = self.rest()[1..].char_indices().peekable();
        while let Some((at, c)) = rest.next() {
            match (c, rest.peek()) {
                (it, Some((_, next))) if it == quote && *next == quote && quote == '\'' => {
                    text.push(quote);
                    rest.next();
                }
                ('\\', Some((_, next @ ('"' | '\\')))) if quote == '"' => {
                    text.push(*next);
                    rest.next();
                }
                (it, _) if it == quote => {
                    self.at = start + 1 + at + 1;
                    return Ok(text);
                }
                (c, _) => text.push(c),
            }
        }
        Err(self.unexpected("a closing quote for this string"))
    }

    /// Takes a name, dots and all; the caller has looked at its first character.
    fn name(&mut self) -> String {
        let rest = self.rest();
        let end = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        self.at += end;
        rest[..end].to_owned()
    }

    /// Takes `word`, in any letter case, where it stands alone between spaces or parentheses.
    fn word(&mut self, word: &str) -> bool {
        let before = self.at;
        self.spaces();
        let separate = self.at > before || self.text[..before].ends_with([')', '\'']);
        let after = self
            .rest()
            .split_at_checked(word.len())
            .filter(|(start, _)| start.eq_ignore_ascii_case(word))
            .map(|(_, after)| after);
        let ends = |c: char| c.is_whitespace() || c == '(' || c == '\'';
        if separate && after.is_some_and(|it| it.is_empty() || it.starts_with(ends)) {
            self.at += word.len();
            return true;
        }
        self.at = before;
        false
    }

    fn expect(&mut self, c: char, expected: &'static str) -> Result<(), SyntaxError> {
        self.spaces();
        if self.rest().starts_with(c) {
            self.at += c.len_utf8();
            return Ok(());
        }
        Err(self.unexpected(expected))
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn unexpected(&self, expected: &'static str) -> SyntaxError {
        let found: String = self.rest().chars().take(20).collect();
        let found = if found.is_empty() { "the end".to_owned() } else { format!("'{found}'") };
        SyntaxError::Unexpected { part: self.part.to_owned(), at: self.at, expected, found }
    }
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$' || c == '@'
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || "_.$@".contains(c)
}

fn literal(word: &str) -> Option<Value> {
    if let Ok(number) = word.parse() {
        return Some(Value::Int(number));
    }
    if let Some(guid) = parse_guid(word) {
        return Some(Value::Guid(guid));
    }
    let time = DateTimeOffset::parse(word).map(Value::DateTimeOffset);
    let time = time.or_else(|| parse_date(word).map(Value::Date));
    if let Some(time) = time.or_else(|| parse_time_of_day(word).map(Value::TimeOfDay)) {
        return Some(time);
    }
    let digits = word.strip_prefix('-').unwrap_or(word);
    let numeric = digits.bytes().all(|it| it.is_ascii_digit() || b".eE+-".contains(&it));
    let number = if numeric { word.parse::<f64>().ok() } else { None };
    number.filter(|it| it.is_finite()).map(Value::Double)
}
