//! Values of a filter as SQL expressions.
//!
//! **Invariant:** an expression is null where the value is, on both databases alike, and never fails
//! because of what is in a row. An operand stands in the text once, however often its value is needed:
//! nested functions would else grow without bound.

use odata::bind::{Arithmetic, Collection, Function, Member, Scalar};
use odata::value::{TICKS_A_DAY, TICKS_A_MINUTE, TICKS_A_SECOND, Value};

use crate::model::{Entity, Source};
use crate::store::dialect::DatePart;
use crate::store::plan;
use crate::store::predicate::{Kind, Scope, Writer, literal, source_of};
use crate::store::render::CALLER;
use crate::store::sql::Bind;
use crate::text::fold;

/// What a value is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    /// To be compared: a text is folded.
    Compared,
    /// To be counted: a text is as it is written.
    Written,
    /// To be taken apart: a time is that of a clock where its offset puts it.
    Local,
}

/// What is known of a value before it is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// How literals must be given to it.
    pub(super) kind: Kind,
    /// Whether it can be null.
    pub(super) nullable: bool,
}

/// 400 years, after which the calendar repeats itself: what is moved by them is not negative.
const CYCLE_DAYS: i64 = 146_097;
const CYCLE_TICKS: i64 = CYCLE_DAYS * TICKS_A_DAY;
/// Code points past which no text goes.
const PLACE_MAX: i64 = 1_000_000_000;
/// What `trim` takes away: Unicode's white space.
const SPACES: &str = "\t\n\u{b}\u{c}\r \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\u{2003}\u{2004}\
    \u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}";

impl Writer<'_> {
    pub(super) fn known(&self, scalar: &Scalar) -> Known {
        let any = |list: &[Scalar]| list.iter().any(|it| self.known(it).nullable);
        let plain = |nullable| Known { kind: Kind::Plain, nullable };
        match scalar {
            Scalar::Member(member) => {
                let operand = self.operand(member);
                Known { kind: operand.kind, nullable: operand.nullable }
            }
            Scalar::Literal(Value::String(_)) => Known { kind: Kind::Folded, nullable: false },
            Scalar::Literal(value) => plain(*value == Value::Null),
            Scalar::Count(_) => plain(false),
            Scalar::Call(Function::ToWhole, _) => plain(true),
            Scalar::Call(function, arguments) => match function {
                Function::Substring
                | Function::ToLower
                | Function::ToUpper
                | Function::Trim
                | Function::Concat
                | Function::ToText => Known { kind: Kind::Folded, nullable: any(arguments) },
                _ => plain(any(arguments)),
            },
            Scalar::Arithmetic(op, left, right) => {
                let divides = matches!(op, Arithmetic::Div | Arithmetic::DivBy | Arithmetic::Mod);
                plain(divides || self.known(left).nullable || self.known(right).nullable)
            }
            Scalar::Negate(inner) => plain(self.known(inner).nullable),
        }
    }

    /// The SQL of a value; what it binds is bound in the order in which it stands there.
    pub(super) fn scalar(&mut self, scalar: &Scalar, want: Want) -> String {
        match scalar {
            Scalar::Member(member) => self.member(member, want),
            Scalar::Literal(value) => self.constant(value, want),
            Scalar::Count(over) => self.count(over),
            Scalar::Call(function, arguments) => self.call(*function, arguments, want),
            Scalar::Negate(inner) => format!("(- {})", self.scalar(inner, Want::Compared)),
            Scalar::Arithmetic(op, left, right) => {
                let left = self.scalar(left, Want::Compared);
                let right = self.scalar(right, Want::Compared);
                match op {
                    Arithmetic::Add => format!("({left} + {right})"),
                    Arithmetic::Sub => format!("({left} - {right})"),
                    Arithmetic::Mul => format!("({left} * {right})"),
                    Arithmetic::Div => format!("({left} / nullif({right}, 0))"),
                    Arithmetic::Mod => format!("({left} % nullif({right}, 0))"),
                    Arithmetic::DivBy => format!("({} / nullif({right}, 0))", double(&left)),
                }
            }
        }
    }

    /// A placeholder for a value, after all that was bound before.
    pub(super) fn placeholder(&mut self, value: Bind<'static>) -> String {
        let cast = match value {
            Bind::Real(_) => "double precision",
            _ => "",
        };
        self.sql.binds.push(value);
        let number = self.sql.binds.len();
        if cast.is_empty() { format!("${number}") } else { format!("cast(${number} as {cast})") }
    }

    fn member(&mut self, member: &Member, want: Want) -> String {
        if let Scope::Entity(entity, alias, _) = &self.scopes[member.scope] {
            let source = source_of(entity, &member.path);
            match (want, source) {
                (
                    Want::Written,
                    Source::Text { column, .. }
                    | Source::Wide { column, .. }
                    | Source::Body { column, .. },
                ) => return format!("{alias}.{column}"),
                (Want::Local, Source::Time { at, offset: Some(offset) }) => {
                    return format!(
                        "({alias}.{at} + cast({alias}.{offset} as bigint) * {TICKS_A_MINUTE})"
                    );
                }
                _ => {}
            }
        }
        let sql = self.operand(member).sql;
        self.with_caller(sql)
    }

    /// An expression of the model, the caller's id bound in it.
    pub(super) fn with_caller(&mut self, sql: String) -> String {
        if !sql.contains(CALLER) {
            return sql;
        }
        let caller = self.placeholder(self.access.caller().user.into());
        sql.replace(CALLER, &caller)
    }

    /// A literal that stands by itself, so that the database must be told its type.
    fn constant(&mut self, value: &Value, want: Want) -> String {
        let text = |value: &str| match want {
            Want::Written => Bind::from(value.to_owned()),
            _ => Bind::from(fold(value).into_owned()),
        };
        let (value, ty) = match value {
            Value::String(it) => (text(it), "text"),
            Value::Null if want == Want::Written => (Bind::Null, "text"),
            Value::DateTimeOffset(it) if want == Want::Local => {
                (Bind::Int(it.ticks + i64::from(it.offset_minutes) * TICKS_A_MINUTE), "bigint")
            }
            Value::Boolean(it) => (Bind::Bool(*it), "boolean"),
            Value::Guid(it) => (Bind::Id(uuid::Uuid::from_bytes(*it)), "uuid"),
            Value::Binary(it) => (Bind::Bytes(it.clone().into()), "bytea"),
            Value::Double(it) => return self.placeholder(Bind::Real(*it)),
            other => (literal(Kind::Plain, other).unwrap_or(Bind::Null), "bigint"),
        };
        let placeholder = self.placeholder(value);
        match ty {
            "text" => self.sql.db.text(&placeholder),
            ty => format!("cast({placeholder} as {ty})"),
        }
    }

    /// A literal among texts.
    pub(super) fn text_of(&mut self, scalar: &Scalar, want: Want) -> String {
        match scalar {
            Scalar::Literal(Value::Null) => self.constant(&Value::Null, Want::Written),
            other => self.scalar(other, want),
        }
    }

    fn count(&mut self, over: &Collection) -> String {
        match over {
            Collection::Values(member) => {
                let column = self.operand(member).sql;
                self.sql.db.json_length(&column)
            }
            Collection::Entities { scope, navigation } => {
                let Scope::Entity(entity, parent, inside) = &self.scopes[*scope] else {
                    return "cast(0 as bigint)".to_owned();
                };
                let (entity, parent, inside): (&'static Entity, _, _) =
                    (*entity, parent.clone(), *inside);
                let alias = format!("t{}", self.scopes.len());
                let around = std::mem::take(&mut self.sql.sql);
                self.sql.push("(select count(*) from ");
                let start = (&parent[..], inside);
                plan::correlate(self.sql, self.access, entity, navigation, start, &alias);
                self.sql.push(")");
                std::mem::replace(&mut self.sql.sql, around)
            }
        }
    }

    fn call(&mut self, function: Function, arguments: &[Scalar], want: Want) -> String {
        let db = self.sql.db;
        let text = if want == Want::Written { Want::Written } else { Want::Compared };
        match (function, arguments) {
            (Function::Length, [of]) => {
                format!("cast(length({}) as bigint)", self.text_of(of, Want::Written))
            }
            (Function::IndexOf, [of, part]) => {
                let of = self.text_of(of, Want::Compared);
                let part = self.text_of(part, Want::Compared);
                format!("cast({} - 1 as bigint)", db.position(&of, &part))
            }
            (Function::Substring, [of, start, rest @ ..]) => {
                self.substring(of, start, rest.first(), text)
            }
            // A folded text is the same in lower and in upper case, and as long in either.
            (Function::ToLower | Function::ToUpper, [of]) => self.text_of(of, text),
            (Function::Trim, [of]) => {
                let of = self.text_of(of, text);
                let spaces = self.placeholder(Bind::from(SPACES.to_owned()));
                db.trim(&of, &spaces)
            }
            (Function::Concat, [left, right]) => {
                let left = self.text_of(left, text);
                format!("({left} || {})", self.text_of(right, text))
            }
            (Function::ToText, [of]) => {
                format!("lower(cast({} as text))", self.scalar(of, Want::Compared))
            }
            (Function::ToWhole, [of]) => {
                let of = self.text_of(of, Want::Compared);
                let digits = db.all_digits("w.d");
                format!(
                    "(select case when length(w.d) between 1 and 18 and {digits} \
                     then cast(w.v as bigint) end from (select v.v, case \
                     when substr(v.v, 1, 1) in ('+', '-') then substr(v.v, 2) else v.v end as d \
                     from (select {of} as v limit 1) v limit 1) w)"
                )
            }
            (Function::ToDouble, [of]) => double(&self.scalar(of, Want::Compared)),
            (function, [of]) => self.of_time_or_number(function, of),
            // Binding has seen to the number of arguments.
            _ => "null".to_owned(),
        }
    }

    fn of_time_or_number(&mut self, function: Function, of: &Scalar) -> String {
        let db = self.sql.db;
        let want = match function {
            Function::Date | Function::Time => Want::Local,
            _ => Want::Compared,
        };
        if function == Function::TotalOffsetMinutes {
            return self.offset(of);
        }
        let of = self.scalar(of, want);
        match function {
            Function::Date => format!("(({of} + {CYCLE_TICKS}) / {TICKS_A_DAY} - {CYCLE_DAYS})"),
            Function::Time => format!("(({of} + {CYCLE_TICKS}) % {TICKS_A_DAY})"),
            Function::Year => db.date_part(DatePart::Year, &of),
            Function::Month => db.date_part(DatePart::Month, &of),
            Function::Day => db.date_part(DatePart::Day, &of),
            Function::Hour => format!("({of} / {})", 60 * TICKS_A_MINUTE),
            Function::Minute => format!("({of} / {TICKS_A_MINUTE} % 60)"),
            Function::Second => format!("({of} / {TICKS_A_SECOND} % 60)"),
            Function::FractionalSeconds => {
                format!("({} / {TICKS_A_SECOND})", double(&format!("{of} % {TICKS_A_SECOND}")))
            }
            Function::TotalSeconds => format!("({} / {TICKS_A_SECOND})", double(&of)),
            Function::Round => once(
                &of,
                &format!(
                    "case when v.v < 0 then - {} else {} end",
                    db.floor("(0.5 - v.v)"),
                    db.floor("(v.v + 0.5)")
                ),
            ),
            Function::Floor => once(&of, &db.floor("v.v")),
            Function::Ceiling => once(&of, &format!("- {}", db.floor("(- v.v)"))),
            _ => "null".to_owned(),
        }
    }

    /// The minutes of a time's offset; null where there is no time.
    fn offset(&mut self, of: &Scalar) -> String {
        match of {
            Scalar::Literal(Value::DateTimeOffset(it)) => {
                format!("cast({} as bigint)", it.offset_minutes)
            }
            of => {
                if let Scalar::Member(member) = of
                    && let Scope::Entity(entity, alias, _) = &self.scopes[member.scope]
                    && let Source::Time { offset: Some(offset), .. } =
                        source_of(entity, &member.path)
                {
                    return format!("cast({alias}.{offset} as bigint)");
                }
                // Any other is kept in UTC.
                format!("({} * 0)", self.scalar(of, Want::Compared))
            }
        }
    }

    fn substring(
        &mut self,
        of: &Scalar,
        start: &Scalar,
        length: Option<&Scalar>,
        want: Want,
    ) -> String {
        let of = self.text_of(of, want);
        let start = self.scalar(start, Want::Compared);
        let length = length.map(|it| self.scalar(it, Want::Compared));
        let bounded = |it: &str, more: i64| {
            format!(
                "case when {it} < 0 then {more} when {it} > {PLACE_MAX} then {PLACE_MAX} \
                 else cast({it} as integer) + {more} end"
            )
        };
        let (column, taken) = match &length {
            Some(length) => (format!(", {length} as n"), format!(", {}", bounded("v.n", 0))),
            None => (String::new(), String::new()),
        };
        // A place that is null is compared with nothing, so that the `case` would give its `else`: null.
        format!(
            "(select substr(v.v, {}{taken}) from (select {of} as v, {start} as s{column} limit 1) v)",
            bounded("v.s", 1)
        )
    }
}

/// An expression of `v.v`, which stands for `of`. The limit keeps planners from putting `of` into it in
/// each place.
fn once(of: &str, expression: &str) -> String {
    format!("(select {expression} from (select {of} as v limit 1) v)")
}

fn double(sql: &str) -> String {
    format!("cast({sql} as double precision)")
}
