//! Conditions and the values in them, every name resolved and every literal typed.
//!
//! **Invariant:** a [`Predicate`] is either true or false, also where a value in it is null; a
//! [`Scalar`] is a value of one type or null.

use crate::edm::{EntityType, Navigation, Property};
use crate::syntax::LambdaKind;
use crate::value::Value;

/// A path to one value: from an entity, or from a lambda's variable, through complex properties.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where the path starts: 0 is the entity itself, 1 the variable of the outermost lambda, and so on.
    pub scope: usize,
    /// The properties in turn; empty for a lambda variable over primitive elements.
    pub path: Vec<&'static Property>,
}

/// A condition; always either true or false, also where a value is null.
#[derive(Clone, Debug)]
pub enum Predicate {
    /// A constant.
    Constant(bool),
    /// A Boolean property on its own: true where it is true.
    Flag(Member),
    /// Both conditions true, or both false.
    Same(Box<Predicate>, Box<Predicate>),
    /// Whether the entity of a scope is of the derived type with this place among
    /// [`EntityType::derived`].
    OfKind(usize, usize),
    /// Both.
    And(Box<Predicate>, Box<Predicate>),
    /// Either.
    Or(Box<Predicate>, Box<Predicate>),
    /// Not.
    Not(Box<Predicate>),
    /// Two values of one type, or two numbers, compared. Where one of them alone is a literal it is
    /// the right one (`5 lt a` is bound as `a gt 5`); null is compared by `Eq` and `Ne` alone.
    Compare(Scalar, Comparison, Scalar),
    /// `value in (…)`, null among the values allowed.
    In(Scalar, Vec<Value>),
    /// A test of one string against another.
    Text(Scalar, TextTest, Scalar),
    /// A lambda.
    Lambda {
        /// Any or all.
        kind: LambdaKind,
        /// What is gone through.
        over: Collection,
        /// The condition on each; its variable is the next scope. Absent for `any()`.
        body: Option<Box<Predicate>>,
    },
}

impl Predicate {
    /// Whether it has a `not`, a `ne` or an `endswith` anywhere: what no index answers.
    pub fn negates(&self) -> bool {
        match self {
            Predicate::Not(_) | Predicate::Text(_, TextTest::EndsWith, _) => true,
            Predicate::Compare(_, comparison, _) => *comparison == Comparison::Ne,
            Predicate::And(left, right)
            | Predicate::Or(left, right)
            | Predicate::Same(left, right) => left.negates() || right.negates(),
            Predicate::Lambda { body, .. } => body.as_ref().is_some_and(|it| it.negates()),
            Predicate::Constant(_)
            | Predicate::Flag(_)
            | Predicate::OfKind(..)
            | Predicate::In(..)
            | Predicate::Text(..) => false,
        }
    }

    /// Adds the navigations that it follows to `found`. `scopes`: the type of each scope, `None` for
    /// an element that is a value.
    pub(super) fn reach(&self, scopes: &mut Vec<Option<&'static EntityType>>, found: &mut Found) {
        match self {
            Predicate::And(left, right)
            | Predicate::Or(left, right)
            | Predicate::Same(left, right) => {
                left.reach(scopes, found);
                right.reach(scopes, found);
            }
            Predicate::Not(inner) => inner.reach(scopes, found),
            Predicate::Compare(left, _, right) | Predicate::Text(left, _, right) => {
                left.reach(scopes, found);
                right.reach(scopes, found);
            }
            Predicate::In(item, _) => item.reach(scopes, found),
            Predicate::Lambda { over, body, .. } => {
                let target = over.reach(scopes, found);
                if let Some(body) = body {
                    scopes.push(target);
                    body.reach(scopes, found);
                    scopes.pop();
                }
            }
            Predicate::Constant(_) | Predicate::Flag(_) | Predicate::OfKind(..) => {}
        }
    }
}

/// Navigations that something follows, each with the type that it starts from.
pub(super) type Found = Vec<(&'static EntityType, &'static Navigation)>;

/// A value that is computed for each entity; null where what it is computed from is, and where there
/// is no result (a division by zero, a text that is no number).
#[derive(Clone, Debug)]
pub enum Scalar {
    /// A property.
    Member(Member),
    /// A constant.
    Literal(Value),
    /// How many there are: `collection/$count`.
    Count(Collection),
    /// A function of other values, as many and of such types as [`Function`] says.
    Call(Function, Vec<Scalar>),
    /// An operation on two numbers, or on times and durations, which count in units of 100 ns.
    Arithmetic(Arithmetic, Box<Scalar>, Box<Scalar>),
    /// A number or a duration with the other sign.
    Negate(Box<Scalar>),
}

impl Scalar {
    fn reach(&self, scopes: &[Option<&'static EntityType>], found: &mut Found) {
        match self {
            Scalar::Count(over) => {
                over.reach(scopes, found);
            }
            Scalar::Call(_, arguments) => {
                for argument in arguments {
                    argument.reach(scopes, found);
                }
            }
            Scalar::Arithmetic(_, left, right) => {
                left.reach(scopes, found);
                right.reach(scopes, found);
            }
            Scalar::Negate(inner) => inner.reach(scopes, found),
            Scalar::Member(_) | Scalar::Literal(_) => {}
        }
    }
}

/// A function of the standard (part 2, sections 5.1.1.5 to 5.1.1.10), or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `length(string)`: code points of what is written.
    Length,
    /// `indexof(string, string)`: from 0; -1 where it does not occur.
    IndexOf,
    /// `substring(string, start)` or `substring(string, start, length)`: less than none is none.
    Substring,
    /// `tolower(string)`
    ToLower,
    /// `toupper(string)`
    ToUpper,
    /// `trim(string)`
    Trim,
    /// `concat(string, string)`
    Concat,
    /// The date of a point in time, where its offset puts it: `date(time)`.
    Date,
    /// The time of day of a point in time, where its offset puts it: `time(time)`.
    Time,
    /// `totaloffsetminutes(time)`
    TotalOffsetMinutes,
    /// The year of a date.
    Year,
    /// The month of a date.
    Month,
    /// The day of a date.
    Day,
    /// The hour of a time of day.
    Hour,
    /// The minute of a time of day.
    Minute,
    /// The second of a time of day.
    Second,
    /// The fraction of a second of a time of day, as `Edm.Double`.
    FractionalSeconds,
    /// The seconds of a duration, as `Edm.Double`.
    TotalSeconds,
    /// `round(double)`: halves go away from zero.
    Round,
    /// `floor(double)`
    Floor,
    /// `ceiling(double)`
    Ceiling,
    /// A whole number or an enum's member as text: `cast(…, Edm.String)`.
    ToText,
    /// A text of up to 18 digits and perhaps a sign as a whole number, any other as null.
    ToWhole,
    /// A whole number as `Edm.Double`.
    ToDouble,
}

/// An operation with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `add`
    Add,
    /// `sub`
    Sub,
    /// `mul`
    Mul,
    /// `div` of whole numbers: towards zero.
    Div,
    /// `div` of others, and `divby`.
    DivBy,
    /// `mod` of whole numbers: with the sign of the first.
    Mod,
}

/// What a lambda goes through.
#[derive(Clone, Debug)]
pub enum Collection {
    /// A property that is a collection of values: the last of the member's path.
    Values(Member),
    /// Related entities of an entity scope.
    Entities {
        /// The scope that the navigation starts from.
        scope: usize,
        /// The way.
        navigation: &'static Navigation,
    },
}

impl Collection {
    /// Adds the navigation that it is to `found`, and says what its items are.
    fn reach(
        &self,
        scopes: &[Option<&'static EntityType>],
        found: &mut Found,
    ) -> Option<&'static EntityType> {
        let Collection::Entities { scope, navigation } = self else { return None };
        let start = scopes.get(*scope).copied().flatten();
        found.extend(start.map(|entity| (entity, *navigation)));
        Some((navigation.target)())
    }
}

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
}

impl Comparison {
    /// Whether it asks for more than equality.
    pub const fn is_ordered(self) -> bool {
        !matches!(self, Comparison::Eq | Comparison::Ne)
    }
}

/// A test of a string against another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextTest {
    /// `startswith`
    StartsWith,
    /// `endswith`
    EndsWith,
    /// `contains`
    Contains,
}
