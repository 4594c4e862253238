//! Expressions to predicates: every path resolved, every literal of the type it is compared with.
//!
//! **Invariant:** a predicate uses a property only as its declaration allows. The recursion is as deep
//! as the parentheses, calls and lambdas of the text, which parsing has bounded: chains of `and` and
//! `or`, which may be long, are gone through in a loop and come out as balanced trees.

use super::member::{Binder, Range};
use super::scalar::{Ty, Typed};
use super::{BindError, Collection, Comparison, Member, Predicate, Scalar};
use crate::edm::{Primitive, Type};
use crate::syntax::{BinaryOp, Expression, LambdaKind};
use crate::value::Value;

type Bound = Result<Predicate, BindError>;

/// One side of a comparison.
enum Term<'e> {
    Value(Typed),
    Literal(&'e Expression),
    Condition(Predicate),
}

impl Binder<'_> {
    /// The member that a key of `$orderby` names.
    pub(super) fn sortable(&self, key: &Expression) -> Result<Member, BindError> {
        let Expression::Path(path) = key else {
            return Err(self.unsupported("an expression that is not a property"));
        };
        let operand = self.operand(path, |it| it.sortable)?;
        self.scalar(&operand, "sorted by")?;
        Ok(operand.member)
    }

    pub(super) fn predicate(&mut self, expression: &Expression) -> Bound {
        match expression {
            Expression::Literal(Value::Boolean(value)) => Ok(Predicate::Constant(*value)),
            Expression::Literal(literal) => Err(BindError::NotCondition(literal.to_string())),
            Expression::EnumLiteral { ty, members } => {
                Err(BindError::NotCondition(format!("{ty}'{members}'")))
            }
            Expression::Path(path) => {
                let operand = self.operand(path, |it| it.filterable)?;
                match operand.property.ty {
                    Type::Primitive(Primitive::Boolean) if !operand.collection => {
                        Ok(Predicate::Flag(operand.member))
                    }
                    _ => Err(BindError::NotCondition(format!("'{}'", operand.text))),
                }
            }
            Expression::Not(inner) => Ok(Predicate::Not(Box::new(self.predicate(inner)?))),
            Expression::Negate(_) | Expression::List(_) => {
                Err(BindError::NotCondition(format!("'{expression}'")))
            }
            Expression::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), .. } => {
                self.chain(*op, expression)
            }
            Expression::Binary { op: BinaryOp::Has, left, right } => self.has(left, right),
            Expression::Binary { op, left, right } => match comparison(*op) {
                Some(op) => self.compare(op, left, right),
                None => Err(BindError::NotCondition(format!("'{expression}'"))),
            },
            Expression::In { item, list } => self.list(item, list),
            Expression::InCollection { item, collection } => self.holds(collection, item),
            Expression::Call { name, arguments } => match self.test(name, arguments)? {
                Some(test) => Ok(test),
                None => {
                    self.function(name, arguments, expression.to_string())?;
                    Err(BindError::NotCondition(format!("'{expression}'")))
                }
            },
            Expression::Lambda { path, kind, body } => {
                let body = body.as_ref().map(|(variable, body)| (variable.as_str(), &**body));
                self.lambda(path, *kind, body)
            }
        }
    }

    /// `a and b and c`, which parses as a tree that leans to the left.
    fn chain(&mut self, op: BinaryOp, expression: &Expression) -> Bound {
        let mut operands = Vec::new();
        let mut rest = expression;
        while let Expression::Binary { op: it, left, right } = rest
            && *it == op
        {
            operands.push(&**right);
            rest = left;
        }
        operands.push(rest);
        let operands = operands.into_iter().rev();
        let mut terms: Vec<Predicate> =
            operands.map(|it| self.predicate(it)).collect::<Result<_, _>>()?;
        let join = if op == BinaryOp::And { Predicate::And } else { Predicate::Or };
        // Neighbours are joined until one is left.
        while terms.len() > 1 {
            let mut halved = Vec::with_capacity(terms.len().div_ceil(2));
            let mut rest = terms.into_iter();
            while let Some(left) = rest.next() {
                halved.push(match rest.next() {
                    Some(right) => join(Box::new(left), Box::new(right)),
                    None => left,
                });
            }
            terms = halved;
        }
        Ok(terms.pop().unwrap_or(Predicate::Constant(op == BinaryOp::And)))
    }

    fn compare(&mut self, op: Comparison, left: &Expression, right: &Expression) -> Bound {
        match (self.term(left)?, self.term(right)?) {
            (Term::Value(left), Term::Literal(right)) => self.compare_literal(left, op, right),
            (Term::Literal(left), Term::Value(right)) => {
                self.compare_literal(right, flipped(op), left)
            }
            // Null has no type of its own to read the other by.
            (Term::Literal(Expression::Literal(Value::Null)), Term::Literal(right)) => {
                let right = self.value(right, "compared")?;
                let null = Expression::Literal(Value::Null);
                self.compare_literal(right, flipped(op), &null)
            }
            (Term::Literal(left), Term::Literal(literal)) => {
                let left = self.value(left, "compared")?;
                self.compare_literal(left, op, literal)
            }
            (Term::Value(left), Term::Value(right)) => {
                self.meet(&left, &right)?;
                self.comparable(&left, op)?;
                Ok(Predicate::Compare(left.scalar, op, right.scalar))
            }
            // `contains(a,'b') eq true`, as some query builders write it.
            (
                Term::Condition(condition),
                Term::Literal(Expression::Literal(Value::Boolean(wanted))),
            )
            | (
                Term::Literal(Expression::Literal(Value::Boolean(wanted))),
                Term::Condition(condition),
            ) if !op.is_ordered() => {
                let plain = (op == Comparison::Eq) == *wanted;
                Ok(if plain { condition } else { Predicate::Not(Box::new(condition)) })
            }
            (Term::Condition(left), Term::Condition(right)) if !op.is_ordered() => {
                Ok(same(op, left, right))
            }
            // Null is neither true nor false.
            (Term::Condition(condition), Term::Value(value))
            | (Term::Value(value), Term::Condition(condition))
                if !op.is_ordered() && matches!(value.ty, Ty::Boolean) =>
            {
                let (Scalar::Member(member), null) = (&value.scalar, Scalar::Literal(Value::Null))
                else {
                    return Err(self.unsupported("a condition compared with a value"));
                };
                let flag = Predicate::Flag(member.clone());
                let known = Predicate::Compare(value.scalar, Comparison::Ne, null);
                let equal = Predicate::Same(Box::new(condition), Box::new(flag));
                let equal = Predicate::And(Box::new(known), Box::new(equal));
                Ok(if op == Comparison::Eq { equal } else { Predicate::Not(Box::new(equal)) })
            }
            _ => Err(self.unsupported("a condition compared with anything but a truth value")),
        }
    }

    fn term<'e>(&mut self, expression: &'e Expression) -> Result<Term<'e>, BindError> {
        match expression {
            Expression::Literal(_) | Expression::EnumLiteral { .. } => {
                Ok(Term::Literal(expression))
            }
            Expression::Path(_) | Expression::Negate(_) | Expression::List(_) => {
                self.value(expression, "compared").map(Term::Value)
            }
            Expression::Binary { op, .. } => match op {
                BinaryOp::Add
                | BinaryOp::Sub
                | BinaryOp::Mul
                | BinaryOp::Div
                | BinaryOp::DivBy
                | BinaryOp::Mod => self.value(expression, "compared").map(Term::Value),
                _ => self.predicate(expression).map(Term::Condition),
            },
            Expression::Call { name, arguments } => match self.test(name, arguments)? {
                Some(test) => Ok(Term::Condition(test)),
                None => self.value(expression, "compared").map(Term::Value),
            },
            Expression::Not(_)
            | Expression::In { .. }
            | Expression::InCollection { .. }
            | Expression::Lambda { .. } => self.predicate(expression).map(Term::Condition),
        }
    }

    fn compare_literal(&self, of: Typed, op: Comparison, literal: &Expression) -> Bound {
        let value = self.literal(&of, literal)?;
        // Part 2, section 5.1.1.1: order comparisons with null are false.
        if value == Value::Null && op.is_ordered() {
            return Ok(Predicate::Constant(false));
        }
        self.comparable(&of, op)?;
        Ok(Predicate::Compare(of.scalar, op, Scalar::Literal(value)))
    }

    /// `item has member`: every bit of the member's value is set in the item's (section 5.1.1.1.9).
    fn has(&mut self, item: &Expression, member: &Expression) -> Bound {
        let item = self.value(item, "used with 'has'")?;
        let Ty::Enum(ty) = item.ty else {
            return Err(self.mismatch(&item, "used with 'has', which takes enum values".to_owned()));
        };
        let member = self.literal(&item, member)?;
        let bits = match &member {
            Value::String(name) => ty.members.iter().find(|(it, _)| it == name).map(|(_, it)| *it),
            _ => None,
        };
        let Some(bits) = bits else { return Ok(Predicate::Constant(false)) };
        let having = ty.members.iter().filter(|(_, value)| value & bits == bits);
        let having = having.map(|(name, _)| Value::String((*name).to_owned())).collect();
        Ok(Predicate::In(item.scalar, having))
    }

    fn list(&mut self, item: &Expression, list: &[Expression]) -> Bound {
        let item = self.value(item, "compared")?;
        let values = list.iter().map(|it| self.literal(&item, it)).collect::<Result<_, _>>()?;
        Ok(Predicate::In(item.scalar, values))
    }

    fn lambda(
        &mut self,
        path: &[String],
        kind: LambdaKind,
        body: Option<(&str, &Expression)>,
    ) -> Bound {
        let (over, range) = self.collection(path)?;
        let Some((variable, body)) = body else {
            return Ok(Predicate::Lambda { kind, over, body: None });
        };
        if self.scopes.iter().any(|(name, _)| name.eq_ignore_ascii_case(variable)) {
            return Err(BindError::VariableTwice(variable.to_owned()));
        }
        self.scopes.push((variable.to_owned(), range));
        let body = self.predicate(body)?;
        self.scopes.pop();
        Ok(Predicate::Lambda { kind, over, body: Some(Box::new(body)) })
    }

    /// What a lambda goes through, and what its variable stands for.
    pub(super) fn collection(&self, path: &[String]) -> Result<(Collection, Range), BindError> {
        let (scope, rest) = self.start(path);
        if let (Range::Entity(entity), [name]) = (self.scopes[scope].1, rest)
            && let Some(navigation) = self.model.navigation(entity, name)
        {
            let property = path.join("/");
            if !navigation.collection {
                return Err(BindError::NotCollection(property));
            }
            if !navigation.expandable {
                let (ty, option) = (entity.name, self.option);
                return Err(BindError::NotAllowed { property, ty, option });
            }
            let range = Range::Entity((navigation.target)());
            return Ok((Collection::Entities { scope, navigation }, range));
        }
        let operand = self.operand(path, |it| it.filterable)?;
        if !operand.collection {
            return Err(BindError::NotCollection(operand.text));
        }
        Ok((Collection::Values(operand.member), Range::Element(operand.property)))
    }
}

/// Whether two conditions are equal, or are not.
fn same(op: Comparison, left: Predicate, right: Predicate) -> Predicate {
    let same = Predicate::Same(Box::new(left), Box::new(right));
    if op == Comparison::Eq { same } else { Predicate::Not(Box::new(same)) }
}

const fn comparison(op: BinaryOp) -> Option<Comparison> {
    match op {
        BinaryOp::Eq => Some(Comparison::Eq),
        BinaryOp::Ne => Some(Comparison::Ne),
        BinaryOp::Gt => Some(Comparison::Gt),
        BinaryOp::Ge => Some(Comparison::Ge),
        BinaryOp::Lt => Some(Comparison::Lt),
        BinaryOp::Le => Some(Comparison::Le),
        _ => None,
    }
}

/// The comparison with its sides exchanged.
const fn flipped(op: Comparison) -> Comparison {
    match op {
        Comparison::Gt => Comparison::Lt,
        Comparison::Ge => Comparison::Le,
        Comparison::Lt => Comparison::Gt,
        Comparison::Le => Comparison::Ge,
        same => same,
    }
}
