//! Values of `$filter`: properties, literals, counts, arithmetic, each with its type.
//!
//! **Invariant:** a [`Scalar`] is made only of operands whose types its operation takes; what does not
//! fit is refused by the text that was sent and the type that it has.

use super::member::{Binder, Operand, primitive};
use super::{Arithmetic, BindError, Comparison, Scalar};
use crate::edm::{EnumType, Primitive, Type, unqualified};
use crate::syntax::{BinaryOp, Expression};
use crate::value::Value;

/// The types that values in a filter have.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ty {
    /// Of `null` alone.
    Null,
    Boolean,
    /// `Edm.Int32` and `Edm.Int64`
    Whole,
    Double,
    Text,
    /// An identifier, which is compared and nothing else.
    Key,
    Enum(&'static EnumType),
    Guid,
    Instant,
    Date,
    TimeOfDay,
    Duration,
    Binary,
}

/// A value with its type.
pub(super) struct Typed {
    pub(super) scalar: Scalar,
    pub(super) ty: Ty,
    /// As it was sent.
    pub(super) text: String,
    /// The type in words.
    pub(super) is: String,
}

impl Ty {
    fn of(ty: Type, textual: bool) -> Ty {
        match ty {
            Type::Enum(it) => Ty::Enum(it),
            Type::Primitive(Primitive::Boolean) => Ty::Boolean,
            Type::Primitive(Primitive::Int32 | Primitive::Int64) => Ty::Whole,
            Type::Primitive(Primitive::Double) => Ty::Double,
            Type::Primitive(Primitive::String) if textual => Ty::Text,
            Type::Primitive(Primitive::Guid) => Ty::Guid,
            Type::Primitive(Primitive::DateTimeOffset) => Ty::Instant,
            Type::Primitive(Primitive::Binary) => Ty::Binary,
            // Complex values and documents were refused before.
            Type::Primitive(Primitive::String) | Type::Complex(_) | Type::Document(_) => Ty::Key,
        }
    }

    /// The type that a literal has by itself.
    fn of_literal(value: &Value) -> Ty {
        match value {
            Value::Null => Ty::Null,
            Value::Boolean(_) => Ty::Boolean,
            Value::Int(_) => Ty::Whole,
            Value::Double(_) => Ty::Double,
            Value::String(_) => Ty::Text,
            Value::Guid(_) => Ty::Guid,
            Value::DateTimeOffset(_) => Ty::Instant,
            Value::Binary(_) => Ty::Binary,
            Value::Date(_) => Ty::Date,
            Value::TimeOfDay(_) => Ty::TimeOfDay,
            Value::Duration(_) => Ty::Duration,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Ty::Null => "null",
            Ty::Boolean => "Edm.Boolean",
            Ty::Whole => "Edm.Int64",
            Ty::Double => "Edm.Double",
            Ty::Text => "Edm.String",
            Ty::Key => "an identifier (Edm.String)",
            Ty::Enum(ty) => ty.name,
            Ty::Guid => "Edm.Guid",
            Ty::Instant => "Edm.DateTimeOffset",
            Ty::Date => "Edm.Date",
            Ty::TimeOfDay => "Edm.TimeOfDay",
            Ty::Duration => "Edm.Duration",
            Ty::Binary => "Edm.Binary",
        }
    }

    /// Whether values of both can be compared with each other.
    fn meets(self, other: Ty) -> bool {
        match (self, other) {
            (Ty::Enum(a), Ty::Enum(b)) => std::ptr::eq(a, b),
            (Ty::Whole | Ty::Double, Ty::Whole | Ty::Double) => true,
            (a, b) => std::mem::discriminant(&a) == std::mem::discriminant(&b),
        }
    }
}

impl Typed {
    pub(super) fn new(scalar: Scalar, ty: Ty, text: String) -> Typed {
        Typed { scalar, ty, text, is: ty.name().to_owned() }
    }
}

impl Binder<'_> {
    /// A property as a value; `used` says in words what for.
    pub(super) fn member(&self, operand: Operand, used: &str) -> Result<Typed, BindError> {
        self.scalar(&operand, used)?;
        let ty = Ty::of(operand.property.ty, operand.property.textual);
        let is = self.describe(&operand);
        Ok(Typed { scalar: Scalar::Member(operand.member), ty, text: operand.text, is })
    }

    /// The value that an expression stands for; a literal has the type that it has by itself.
    pub(super) fn value(
        &mut self,
        expression: &Expression,
        used: &str,
    ) -> Result<Typed, BindError> {
        let text = expression.to_string();
        match expression {
            Expression::Literal(value) => {
                Ok(Typed::new(Scalar::Literal(value.clone()), Ty::of_literal(value), text))
            }
            Expression::Path(path) => match path.split_last() {
                Some((last, collection)) if last.eq_ignore_ascii_case("$count") => {
                    let (over, _) = self.collection(collection)?;
                    Ok(Typed::new(Scalar::Count(over), Ty::Whole, text))
                }
                _ => self.member(self.operand(path, |it| it.filterable)?, used),
            },
            Expression::Negate(inner) => {
                let inner = self.value(inner, "negated")?;
                match inner.ty {
                    Ty::Whole | Ty::Double | Ty::Duration | Ty::Null => {
                        Ok(Typed::new(Scalar::Negate(Box::new(inner.scalar)), inner.ty, text))
                    }
                    _ => Err(self.mismatch(&inner, "negated".to_owned())),
                }
            }
            Expression::Binary { op, left, right } => match arithmetic(*op) {
                Some(arithmetic) => self.arithmetic(*op, arithmetic, left, right, text),
                None => Err(self.unsupported("a condition in the place of a value")),
            },
            Expression::Call { name, arguments } => self.function(name, arguments, text),
            Expression::List(_) => Err(self.unsupported("a list in the place of a value")),
            Expression::EnumLiteral { .. } => {
                Err(self.unsupported(format!("the literal {text} without a property beside it")))
            }
            Expression::Not(_)
            | Expression::In { .. }
            | Expression::InCollection { .. }
            | Expression::Lambda { .. } => {
                Err(self.unsupported("a condition in the place of a value"))
            }
        }
    }

    fn arithmetic(
        &mut self,
        op: BinaryOp,
        arithmetic: Arithmetic,
        left: &Expression,
        right: &Expression,
        text: String,
    ) -> Result<Typed, BindError> {
        let used = format!("an operand of '{}'", op.word());
        let (left, right) = (self.value(left, &used)?, self.value(right, &used)?);
        let whole = matches!((left.ty, right.ty), (Ty::Whole | Ty::Null, Ty::Whole | Ty::Null));
        let (arithmetic, ty) = match (op, left.ty, right.ty) {
            (BinaryOp::DivBy, Ty::Whole | Ty::Double, Ty::Whole | Ty::Double) => {
                (Arithmetic::DivBy, Ty::Double)
            }
            (_, Ty::Whole | Ty::Null, Ty::Whole | Ty::Null) if whole => (arithmetic, Ty::Whole),
            (BinaryOp::Div, Ty::Whole | Ty::Double, Ty::Whole | Ty::Double) => {
                (Arithmetic::DivBy, Ty::Double)
            }
            (
                BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul,
                Ty::Whole | Ty::Double,
                Ty::Whole | Ty::Double,
            ) => (arithmetic, Ty::Double),
            (BinaryOp::Add | BinaryOp::Sub, Ty::Instant, Ty::Duration) => (arithmetic, Ty::Instant),
            (BinaryOp::Add | BinaryOp::Sub, Ty::Duration, Ty::Duration)
            | (BinaryOp::Sub, Ty::Instant, Ty::Instant) => (arithmetic, Ty::Duration),
            _ => {
                let used = format!(
                    "the left of '{}' with '{}', which is {}",
                    op.word(),
                    right.text,
                    right.is
                );
                return Err(self.mismatch(&left, used));
            }
        };
        let (left, right) = (Box::new(left.scalar), Box::new(right.scalar));
        Ok(Typed::new(Scalar::Arithmetic(arithmetic, left, right), ty, text))
    }

    /// A literal as a value of the type of what it is compared with.
    pub(super) fn literal(&self, of: &Typed, literal: &Expression) -> Result<Value, BindError> {
        let value = match (of.ty, literal) {
            (_, Expression::Literal(Value::Null)) => Some(Value::Null),
            (Ty::Enum(ty), Expression::Literal(Value::String(member))) => {
                ty.member(member).map(|it| Value::String(it.to_owned()))
            }
            (Ty::Enum(ty), Expression::EnumLiteral { ty: name, members })
                if unqualified(name).eq_ignore_ascii_case(ty.name) =>
            {
                ty.member(members).map(|it| Value::String(it.to_owned()))
            }
            (ty, Expression::Literal(value)) => primitive(ty, value),
            _ => None,
        };
        value.ok_or_else(|| self.mismatch(of, format!("compared with {literal}")))
    }

    /// Refuses to compare values of types that do not meet.
    pub(super) fn meet(&self, left: &Typed, right: &Typed) -> Result<(), BindError> {
        if left.ty.meets(right.ty) {
            return Ok(());
        }
        let used = format!("compared with '{}', which is {}", right.text, right.is);
        Err(self.mismatch(left, used))
    }

    /// Refuses an order of values that have none.
    pub(super) fn comparable(&self, of: &Typed, op: Comparison) -> Result<(), BindError> {
        let unordered = matches!(of.ty, Ty::Enum(_) | Ty::Boolean | Ty::Binary);
        if op.is_ordered() && unordered {
            return Err(self.mismatch(of, "compared by order: use eq or ne".to_owned()));
        }
        Ok(())
    }

    pub(super) fn mismatch(&self, of: &Typed, used: String) -> BindError {
        let (property, is) = (of.text.clone(), of.is.clone());
        BindError::Mismatch { property, is, used, option: self.option }
    }
}

const fn arithmetic(op: BinaryOp) -> Option<Arithmetic> {
    match op {
        BinaryOp::Add => Some(Arithmetic::Add),
        BinaryOp::Sub => Some(Arithmetic::Sub),
        BinaryOp::Mul => Some(Arithmetic::Mul),
        BinaryOp::Div => Some(Arithmetic::Div),
        BinaryOp::DivBy => Some(Arithmetic::DivBy),
        BinaryOp::Mod => Some(Arithmetic::Mod),
        _ => None,
    }
}
