//! Functions of `$filter`: which there are, what they take, and what they give.
//!
//! **Invariant:** every function of the standard is bound or refused by name; names match in any letter
//! case.

use super::member::Binder;
use super::member::Range;
use super::scalar::{Ty, Typed};
use super::{BindError, Collection, Comparison, Function, Member, Predicate, Scalar, TextTest};
use crate::edm::{Primitive, Type, unqualified};
use crate::syntax::{Expression, LambdaKind};
use crate::value::{DateTimeOffset, Value};

/// The first and the last instant that can be written.
const FIRST: i64 = 0;
const LAST: i64 = 3_155_378_975_999_999_999;

/// What a type's name stands for.
enum Named {
    Value(Ty),
    /// A type of entities or of complex values, unqualified.
    Structured(String),
}

impl Binder<'_> {
    /// A function that gives a value.
    pub(super) fn function(
        &mut self,
        name: &str,
        arguments: &[Expression],
        text: String,
    ) -> Result<Typed, BindError> {
        let lower = name.to_ascii_lowercase();
        let (function, ty) = match lower.as_str() {
            "length" => return self.length(arguments, text),
            "date" | "time" | "totaloffsetminutes" => {
                let (function, ty) = match lower.as_str() {
                    "date" => (Function::Date, Ty::Date),
                    "time" => (Function::Time, Ty::TimeOfDay),
                    _ => (Function::TotalOffsetMinutes, Ty::Whole),
                };
                let [of] = self.arguments(name, arguments)?;
                let of = self.wanted(of, name, |ty| matches!(ty, Ty::Instant))?;
                return Ok(Typed::new(Scalar::Call(function, vec![of.scalar]), ty, text));
            }
            "indexof" => (Function::IndexOf, Ty::Whole),
            "tolower" => (Function::ToLower, Ty::Text),
            "toupper" => (Function::ToUpper, Ty::Text),
            "trim" => (Function::Trim, Ty::Text),
            "concat" => (Function::Concat, Ty::Text),
            "substring" => return self.substring(arguments, text),
            "year" => return self.part(Function::Year, arguments, name, text),
            "month" => return self.part(Function::Month, arguments, name, text),
            "day" => return self.part(Function::Day, arguments, name, text),
            "hour" => return self.part(Function::Hour, arguments, name, text),
            "minute" => return self.part(Function::Minute, arguments, name, text),
            "second" => return self.part(Function::Second, arguments, name, text),
            "fractionalseconds" => {
                return self.part(Function::FractionalSeconds, arguments, name, text);
            }
            "totalseconds" => {
                let [of] = self.arguments(name, arguments)?;
                let of = self.wanted(of, name, |ty| matches!(ty, Ty::Duration))?;
                let scalar = Scalar::Call(Function::TotalSeconds, vec![of.scalar]);
                return Ok(Typed::new(scalar, Ty::Double, text));
            }
            "round" => return self.rounded(Function::Round, arguments, name, text),
            "floor" => return self.rounded(Function::Floor, arguments, name, text),
            "ceiling" => return self.rounded(Function::Ceiling, arguments, name, text),
            "mindatetime" | "maxdatetime" => {
                let [] = self.arguments(name, arguments)?;
                let ticks = if lower == "mindatetime" { FIRST } else { LAST };
                let value = Value::DateTimeOffset(DateTimeOffset::utc(ticks));
                return Ok(Typed::new(Scalar::Literal(value), Ty::Instant, text));
            }
            "cast" => return self.cast(arguments, text),
            _ => return Err(self.unsupported(format!("the function '{name}'"))),
        };
        let is_pair = matches!(function, Function::IndexOf | Function::Concat);
        let given = if is_pair {
            let given: [&Expression; 2] = self.arguments(name, arguments)?;
            given.to_vec()
        } else {
            let given: [&Expression; 1] = self.arguments(name, arguments)?;
            given.to_vec()
        };
        let mut texts = Vec::with_capacity(given.len());
        for argument in given {
            texts.push(self.wanted(argument, name, |ty| matches!(ty, Ty::Text))?.scalar);
        }
        Ok(Typed::new(Scalar::Call(function, texts), ty, text))
    }

    /// A function that is a condition; `None` where there is none of that name.
    pub(super) fn test(
        &mut self,
        name: &str,
        arguments: &[Expression],
    ) -> Result<Option<Predicate>, BindError> {
        let test = match name.to_ascii_lowercase().as_str() {
            "startswith" => TextTest::StartsWith,
            "endswith" => TextTest::EndsWith,
            "contains" => TextTest::Contains,
            "isof" => return self.is_of(arguments).map(Some),
            "hassubset" => return self.has_subset(arguments).map(Some),
            _ => return Ok(None),
        };
        let [text, part] = self.arguments(name, arguments)?;
        let text = self.wanted(text, name, |ty| matches!(ty, Ty::Text))?;
        let part = self.wanted(part, name, |ty| matches!(ty, Ty::Text))?;
        Ok(Some(Predicate::Text(text.scalar, test, part.scalar)))
    }

    fn arguments<'e, const N: usize>(
        &self,
        name: &str,
        arguments: &'e [Expression],
    ) -> Result<[&'e Expression; N], BindError> {
        let given: Vec<_> = arguments.iter().collect();
        given.try_into().map_err(|given: Vec<_>| {
            let count = given.len();
            self.unsupported(format!("the function '{name}' with {count} arguments, not {N},"))
        })
    }

    /// An argument of a type that the function takes; null has every type.
    fn wanted(
        &mut self,
        argument: &Expression,
        name: &str,
        takes: impl Fn(Ty) -> bool,
    ) -> Result<Typed, BindError> {
        let used = format!("used with the function '{name}'");
        let argument = self.value(argument, &used)?;
        if takes(argument.ty) || matches!(argument.ty, Ty::Null) {
            return Ok(argument);
        }
        Err(self.mismatch(&argument, used))
    }

    /// The code points of a text, or the items of a collection.
    fn length(&mut self, arguments: &[Expression], text: String) -> Result<Typed, BindError> {
        let [of] = self.arguments("length", arguments)?;
        if let Expression::Path(path) = of
            && let Ok((over @ Collection::Values(_), _)) = self.collection(path)
        {
            return Ok(Typed::new(Scalar::Count(over), Ty::Whole, text));
        }
        let of = self.wanted(of, "length", |ty| matches!(ty, Ty::Text))?;
        Ok(Typed::new(Scalar::Call(Function::Length, vec![of.scalar]), Ty::Whole, text))
    }

    fn substring(&mut self, arguments: &[Expression], text: String) -> Result<Typed, BindError> {
        let name = "substring";
        let (of, places) = match arguments {
            [of, places @ ..] if (1..=2).contains(&places.len()) => (of, places),
            _ => {
                let [_, _] = self.arguments::<2>(name, arguments)?;
                return Err(self.unsupported("the function 'substring' without a start"));
            }
        };
        let mut given = vec![self.wanted(of, name, |ty| matches!(ty, Ty::Text))?.scalar];
        for place in places {
            given.push(self.wanted(place, name, |ty| matches!(ty, Ty::Whole))?.scalar);
        }
        Ok(Typed::new(Scalar::Call(Function::Substring, given), Ty::Text, text))
    }

    /// A part of a date or of a time of day, which may be those of a point in time.
    fn part(
        &mut self,
        part: Function,
        arguments: &[Expression],
        name: &str,
        text: String,
    ) -> Result<Typed, BindError> {
        let of_date = matches!(part, Function::Year | Function::Month | Function::Day);
        let [of] = self.arguments(name, arguments)?;
        let of = self.wanted(of, name, |ty| match ty {
            Ty::Instant => true,
            Ty::Date => of_date,
            Ty::TimeOfDay => !of_date,
            _ => false,
        })?;
        let whole = if of_date { Function::Date } else { Function::Time };
        let of = match of.ty {
            Ty::Instant => Scalar::Call(whole, vec![of.scalar]),
            _ => of.scalar,
        };
        let ty = if part == Function::FractionalSeconds { Ty::Double } else { Ty::Whole };
        Ok(Typed::new(Scalar::Call(part, vec![of]), ty, text))
    }

    /// A number without its fraction; a whole number has none.
    fn rounded(
        &mut self,
        how: Function,
        arguments: &[Expression],
        name: &str,
        text: String,
    ) -> Result<Typed, BindError> {
        let [of] = self.arguments(name, arguments)?;
        let of = self.wanted(of, name, |ty| matches!(ty, Ty::Whole | Ty::Double))?;
        Ok(match of.ty {
            Ty::Double => Typed::new(Scalar::Call(how, vec![of.scalar]), Ty::Double, text),
            _ => of,
        })
    }

    /// `cast(value, type)`: where it cannot lose anything, and of text to whole numbers.
    fn cast(&mut self, arguments: &[Expression], text: String) -> Result<Typed, BindError> {
        let [of, ty] = self.arguments("cast", arguments)?;
        let of = self.value(of, "cast")?;
        let wanted = match self.named(ty)? {
            Named::Value(ty) => ty,
            Named::Structured(name) => {
                return Err(self.unsupported(format!("a cast of a value to '{name}'")));
            }
        };
        let function = match (of.ty, wanted) {
            (Ty::Text, Ty::Text)
            | (Ty::Boolean, Ty::Boolean)
            | (Ty::Whole, Ty::Whole)
            | (Ty::Double, Ty::Double)
            | (Ty::Instant, Ty::Instant)
            | (Ty::Date, Ty::Date)
            | (Ty::TimeOfDay, Ty::TimeOfDay)
            | (Ty::Duration, Ty::Duration)
            | (Ty::Null, _) => return Ok(Typed { text, ..Typed::new(of.scalar, wanted, of.text) }),
            (Ty::Whole | Ty::Enum(_), Ty::Text) => Function::ToText,
            (Ty::Text, Ty::Whole) => Function::ToWhole,
            (Ty::Whole, Ty::Double) => Function::ToDouble,
            (Ty::Instant, Ty::Date) => Function::Date,
            (Ty::Instant, Ty::TimeOfDay) => Function::Time,
            _ => return Err(self.mismatch(&of, format!("cast to {}", wanted.name()))),
        };
        Ok(Typed::new(Scalar::Call(function, vec![of.scalar]), wanted, text))
    }

    /// `isof(type)` of the entity, `isof(variable, type)` of a lambda's, `isof(value, type)`.
    fn is_of(&mut self, arguments: &[Expression]) -> Result<Predicate, BindError> {
        let (of, ty) = match arguments {
            [ty] => (None, ty),
            _ => {
                let [of, ty] = self.arguments("isof", arguments)?;
                (Some(of), ty)
            }
        };
        let scope = match of {
            None => Some(0),
            Some(Expression::Path(path)) => match self.start(path) {
                (scope, []) if matches!(self.scopes[scope].1, Range::Entity(_)) => Some(scope),
                _ => None,
            },
            Some(_) => None,
        };
        let named = self.named(ty)?;
        if let (Some(scope), Named::Structured(name)) = (scope, &named) {
            let Range::Entity(entity) = self.scopes[scope].1 else {
                return Ok(Predicate::Constant(false));
            };
            if entity.name.eq_ignore_ascii_case(name) || self.model.derives(entity, name) {
                return Ok(Predicate::Constant(true));
            }
            let kind = entity.derived.iter().position(|it| it.name.eq_ignore_ascii_case(name));
            return Ok(kind.map_or(Predicate::Constant(false), |it| Predicate::OfKind(scope, it)));
        }
        let Some(of) = of.filter(|_| scope.is_none()) else {
            return Ok(Predicate::Constant(false));
        };
        let of = self.value(of, "used with the function 'isof'")?;
        let same = match (of.ty, &named) {
            (Ty::Text | Ty::Key, Named::Value(Ty::Text)) => true,
            (Ty::Enum(ty), Named::Structured(name)) => ty.name.eq_ignore_ascii_case(name),
            (ty, Named::Value(named)) => ty.name() == named.name(),
            _ => false,
        };
        // Null is of no type (section 5.1.1.10.2).
        let null = Scalar::Literal(Value::Null);
        Ok(match same {
            true => Predicate::Compare(of.scalar, Comparison::Ne, null),
            false => Predicate::Constant(false),
        })
    }

    /// The type that an expression names; also in quotes, as older clients write it.
    fn named(&self, ty: &Expression) -> Result<Named, BindError> {
        let name = match ty {
            Expression::Path(path) => path.join("/"),
            Expression::Literal(Value::String(name)) => name.clone(),
            other => return Err(self.unsupported(format!("'{other}' in the place of a type"))),
        };
        let known = match name.to_ascii_lowercase().as_str() {
            "edm.string" => Some(Ty::Text),
            "edm.boolean" => Some(Ty::Boolean),
            "edm.byte" | "edm.sbyte" | "edm.int16" | "edm.int32" | "edm.int64" => Some(Ty::Whole),
            "edm.single" | "edm.double" | "edm.decimal" => Some(Ty::Double),
            "edm.guid" => Some(Ty::Guid),
            "edm.datetimeoffset" => Some(Ty::Instant),
            "edm.date" => Some(Ty::Date),
            "edm.timeofday" => Some(Ty::TimeOfDay),
            "edm.duration" => Some(Ty::Duration),
            "edm.binary" => Some(Ty::Binary),
            _ => None,
        };
        if let Some(ty) = known {
            return Ok(Named::Value(ty));
        }
        let short = unqualified(&name);
        let is = |it: &str| it.eq_ignore_ascii_case(short);
        let model = self.model;
        let is_known = name.contains('.')
            && (model
                .entities
                .iter()
                .any(|it| is(it.name) || it.derived.iter().any(|it| is(it.name)))
                || model.abstracts.iter().any(|it| is(it.name))
                || model.complexes.iter().any(|it| is(it.name))
                || model.enums.iter().any(|it| is(it.name)));
        if is_known {
            return Ok(Named::Structured(short.to_owned()));
        }
        Err(self.unsupported(format!("the type '{name}'")))
    }

    /// `hassubset(collection, [values])`: each of them is an item.
    fn has_subset(&mut self, arguments: &[Expression]) -> Result<Predicate, BindError> {
        let [of, Expression::List(items)] = self.arguments("hassubset", arguments)? else {
            return Err(self.unsupported("'hassubset' without a list such as ['a','b']"));
        };
        let Expression::Path(path) = of else {
            return Err(self.unsupported("'hassubset' of anything but a collection of values"));
        };
        let mut all = Predicate::Constant(true);
        for item in items {
            let one = self.holds(path, item)?;
            all = match all {
                Predicate::Constant(true) => one,
                all => Predicate::And(Box::new(all), Box::new(one)),
            };
        }
        Ok(all)
    }

    /// That a value is an item of a collection of values.
    pub(super) fn holds(
        &mut self,
        path: &[String],
        item: &Expression,
    ) -> Result<Predicate, BindError> {
        let (over, range) = self.collection(path)?;
        let (Collection::Values(_), Range::Element(property)) = (&over, range) else {
            return Err(self.unsupported("'in' with a collection of entities"));
        };
        let scope = self.scopes.len();
        let ty = match property.ty {
            Type::Primitive(Primitive::String) => Ty::Text,
            _ => return Err(self.unsupported("'in' with a collection of anything but strings")),
        };
        let element = Scalar::Member(Member { scope, path: Vec::new() });
        let element = Typed::new(element, ty, path.join("/"));
        let item = match item {
            Expression::Literal(_) | Expression::EnumLiteral { .. } => {
                Scalar::Literal(self.literal(&element, item)?)
            }
            other => {
                let item = self.value(other, "looked for in a collection")?;
                self.meet(&item, &element)?;
                item.scalar
            }
        };
        let body = Some(Box::new(Predicate::Compare(element.scalar, Comparison::Eq, item)));
        Ok(Predicate::Lambda { kind: LambdaKind::Any, over, body })
    }
}
