//! Expressions to predicates: every path resolved, every literal of the type it is compared with.
//!
//! **Invariant:** a predicate uses a property only as its declaration allows. The recursion is as deep
//! as the parentheses, calls and lambdas of the text, which parsing has bounded: chains of `and` and
//! `or`, which may be long, are gone through in a loop and come out as balanced trees.

use super::member::{Binder, Operand, Range};
use super::{BindError, Collection, Comparison, Member, Predicate, TextTest};
use crate::edm::{Primitive, Type};
use crate::syntax::{BinaryOp, Expression, LambdaKind};
use crate::value::Value;

type Bound = Result<Predicate, BindError>;

/// One side of a comparison.
enum Term<'e> {
    Member(Operand),
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
            Expression::Negate(_) => Err(self.unsupported("the operator '-'")),
            Expression::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), .. } => {
                self.chain(*op, expression)
            }
            Expression::Binary { op, left, right } => match comparison(*op) {
                Some(op) => self.compare(op, left, right),
                None => Err(self.unsupported(format!("the operator '{}'", op.word()))),
            },
            Expression::In { item, list } => self.list(item, list),
            Expression::Call { name, arguments } => self.call(name, arguments),
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
            (Term::Member(left), Term::Member(right)) => self.compare_members(left, op, right),
            (Term::Member(member), Term::Literal(literal)) => {
                self.compare_literal(member, op, literal)
            }
            (Term::Literal(literal), Term::Member(member)) => {
                self.compare_literal(member, flipped(op), literal)
            }
            // `contains(a,'b') eq true`, as some query builders write it.
            (
                Term::Condition(condition),
                Term::Literal(Expression::Literal(Value::Boolean(wanted))),
            )
            | (
                Term::Literal(Expression::Literal(Value::Boolean(wanted))),
                Term::Condition(condition),
            ) if matches!(op, Comparison::Eq | Comparison::Ne) => {
                let plain = (op == Comparison::Eq) == *wanted;
                Ok(if plain { condition } else { Predicate::Not(Box::new(condition)) })
            }
            (Term::Literal(_), Term::Literal(_)) => {
                Err(self.unsupported("a comparison without a property"))
            }
            _ => Err(self.unsupported("a condition compared with anything but true or false")),
        }
    }

    fn term<'e>(&mut self, expression: &'e Expression) -> Result<Term<'e>, BindError> {
        match expression {
            Expression::Path(path) => Ok(Term::Member(self.operand(path, |it| it.filterable)?)),
            Expression::Literal(_) | Expression::EnumLiteral { .. } => {
                Ok(Term::Literal(expression))
            }
            Expression::Binary { op, .. } => {
                let what = match comparison(*op) {
                    Some(_) => "a comparison inside another".to_owned(),
                    None => format!("the operator '{}' inside a comparison", op.word()),
                };
                Err(self.unsupported(what))
            }
            other => self.predicate(other).map(Term::Condition),
        }
    }

    fn compare_literal(&self, operand: Operand, op: Comparison, literal: &Expression) -> Bound {
        self.scalar(&operand, "compared")?;
        let value = self.literal(&operand, literal)?;
        // Part 2, section 5.1.1.1: order comparisons with null are false.
        if value == Value::Null && op.is_ordered() {
            return Ok(Predicate::Constant(false));
        }
        self.comparable(&operand, op)?;
        Ok(Predicate::Compare(operand.member, op, value))
    }

    fn compare_members(&self, left: Operand, op: Comparison, right: Operand) -> Bound {
        self.scalar(&left, "compared")?;
        self.scalar(&right, "compared")?;
        let same = match (left.property.ty, right.property.ty) {
            (Type::Primitive(a), Type::Primitive(b)) => {
                let whole = |it| matches!(it, Primitive::Int32 | Primitive::Int64);
                a == b || whole(a) && whole(b)
            }
            (Type::Enum(a), Type::Enum(b)) => std::ptr::eq(a, b),
            _ => false,
        };
        if !same {
            let used =
                format!("compared with '{}', which is {}", right.text, self.describe(&right));
            return Err(self.mismatch(&left, used));
        }
        self.comparable(&left, op)?;
        Ok(Predicate::CompareMembers(left.member, op, right.member))
    }

    fn list(&self, item: &Expression, list: &[Expression]) -> Bound {
        let Expression::Path(path) = item else {
            return Err(self.unsupported("'in' after anything but a property"));
        };
        let operand = self.operand(path, |it| it.filterable)?;
        self.scalar(&operand, "compared")?;
        let values = list.iter().map(|it| self.literal(&operand, it)).collect::<Result<_, _>>()?;
        Ok(Predicate::In(operand.member, values))
    }

    fn call(&self, name: &str, arguments: &[Expression]) -> Bound {
        let test = match name {
            it if it.eq_ignore_ascii_case("startswith") => TextTest::StartsWith,
            it if it.eq_ignore_ascii_case("endswith") => TextTest::EndsWith,
            it if it.eq_ignore_ascii_case("contains") => TextTest::Contains,
            _ => return Err(self.unsupported(format!("the function '{name}'"))),
        };
        let [Expression::Path(path), Expression::Literal(Value::String(text))] = arguments else {
            let what = format!("the function '{name}' with anything but a property and a string");
            return Err(self.unsupported(what));
        };
        let operand = self.operand(path, |it| it.filterable)?;
        let used = format!("used with the function '{name}'");
        self.scalar(&operand, &used)?;
        match operand.property.ty {
            Type::Primitive(Primitive::String) if operand.property.textual => {
                Ok(Predicate::Text(operand.member, test, text.clone()))
            }
            _ => Err(self.mismatch(&operand, used)),
        }
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
    fn collection(&self, path: &[String]) -> Result<(Collection, Range), BindError> {
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
