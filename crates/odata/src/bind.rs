//! Names resolved and literals typed: syntax trees against an [`edm`](crate::edm) model.
//!
//! **Invariant:** what this module returns names nothing that the model does not declare, and uses
//! nothing in a way that the declaration does not allow. What cannot be done is an error that names
//! it; nothing is silently dropped.

mod error;
mod expression;
mod member;
mod path;
mod query;

#[cfg(test)]
mod tests;

pub use error::BindError;
pub use path::bind_path;
pub use query::bind_query;

use crate::edm::{Action, DerivedType, EntityType, Navigation, Property, Root};
use crate::syntax::{LambdaKind, Options};
use crate::value::Value;

/// A resource path whose every segment is resolved.
#[derive(Clone, Debug)]
pub struct Path {
    /// The entity set or singleton at its start.
    pub root: &'static Root,
    /// The steps after it.
    pub steps: Vec<Step>,
}

/// One step of a bound path.
#[derive(Clone, Debug)]
pub enum Step {
    /// A key, decoded; whether it has the form of one is for the store to say.
    Key(String),
    /// A navigation property.
    Navigation(&'static Navigation),
    /// A cast to a type of its own: `/microsoft.graph.user`.
    Cast(&'static EntityType),
    /// A cast to a type whose properties the abstract one holds: `/microsoft.graph.fileAttachment`.
    Narrow(&'static DerivedType),
    /// A structural property, or a path into complex values.
    Property(&'static Property),
    /// An action, at the end.
    Action(&'static Action),
    /// `/$count`, at the end.
    Count,
    /// `/$value`, at the end.
    Value,
    /// `/$ref`, at the end.
    Ref,
}

impl Path {
    /// Whether it leads to one entity: by a key, a singleton or a navigation to one.
    pub fn is_single(&self) -> bool {
        self.steps.iter().fold(self.root.singleton, |single, step| match step {
            Step::Key(_) => true,
            Step::Navigation(navigation) => !navigation.collection,
            _ => single,
        })
    }

    /// The type of the entities at the end of the path (for a trailing action, count, value, ref or
    /// property: of what stands before it).
    pub fn entity(&self) -> &'static EntityType {
        let start = (self.root.entity)();
        self.steps.iter().fold(start, |at, step| match step {
            Step::Navigation(navigation) => (navigation.target)(),
            Step::Cast(entity) => entity,
            _ => at,
        })
    }
}

/// The query options of a request on one entity or one collection of them.
#[derive(Clone, Debug)]
pub struct Query {
    /// The type that every name was resolved against.
    pub entity: &'static EntityType,
    /// The properties to show, in the order of the model; `None` where no `$select` was given.
    pub select: Option<Vec<&'static Property>>,
    /// The undeclared properties to show, where the type is open.
    pub dynamic: Dynamic,
    /// What to show of related entities.
    pub expand: Vec<Expand>,
    /// The contained documents to show.
    pub documents: Vec<&'static Property>,
    /// Which entities.
    pub filter: Option<Predicate>,
    /// In which order, as asked; ties are the planner's to break.
    pub order_by: Vec<OrderKey>,
    /// Page size, at least 1.
    pub top: Option<u64>,
    /// How many to leave out at the start of the first page.
    pub skip: Option<u64>,
    /// Whether to say how many there are in all.
    pub count: bool,
    /// Where the page before ended.
    pub skip_token: Option<String>,
}

/// Properties that an open type does not declare (OData 4.01 part 1, section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// All that an entity has: where there is no `$select`, or `*` in it.
    All,
    /// Those of these names in any letter case, as `$select` wrote them; perhaps none.
    Named(Vec<String>),
}

impl Query {
    /// Every navigation that `$expand` and the lambdas of `$filter` follow, at any depth, with the type
    /// that it starts from.
    pub fn navigations(&self) -> Vec<(&'static EntityType, &'static Navigation)> {
        let mut found = Vec::new();
        self.reach(&mut found);
        found
    }

    fn reach(&self, found: &mut Vec<(&'static EntityType, &'static Navigation)>) {
        if let Some(filter) = &self.filter {
            filter.reach(&mut vec![Some(self.entity)], found);
        }
        for item in &self.expand {
            found.push((self.entity, item.navigation));
            item.query.reach(found);
        }
    }
}

/// One expanded navigation with its own options.
#[derive(Clone, Debug)]
pub struct Expand {
    /// The navigation.
    pub navigation: &'static Navigation,
    /// The options inside the parentheses, bound against the target.
    pub query: Query,
    /// The same options as they were parsed, for the links to further pages.
    pub options: Options,
}

/// One key of `$orderby`.
#[derive(Clone, Debug)]
pub struct OrderKey {
    /// What to sort by.
    pub member: Member,
    /// Largest first.
    pub descending: bool,
}

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
    /// Both.
    And(Box<Predicate>, Box<Predicate>),
    /// Either.
    Or(Box<Predicate>, Box<Predicate>),
    /// Not.
    Not(Box<Predicate>),
    /// A member compared with a literal of its type (the literal on the right always: `5 lt a` is
    /// bound as `a gt 5`); `Value::Null` only with `Eq` and `Ne`.
    Compare(Member, Comparison, Value),
    /// Two members of one type compared.
    CompareMembers(Member, Comparison, Member),
    /// `member in (…)`, null among the values allowed.
    In(Member, Vec<Value>),
    /// A string function with a literal.
    Text(Member, TextTest, String),
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
            Predicate::Compare(_, comparison, _) | Predicate::CompareMembers(_, comparison, _) => {
                *comparison == Comparison::Ne
            }
            Predicate::And(left, right) | Predicate::Or(left, right) => {
                left.negates() || right.negates()
            }
            Predicate::Lambda { body, .. } => body.as_ref().is_some_and(|it| it.negates()),
            Predicate::Constant(_)
            | Predicate::Flag(_)
            | Predicate::In(..)
            | Predicate::Text(..) => false,
        }
    }

    /// `scopes`: the type of each scope, `None` for an element that is a value.
    fn reach(
        &self,
        scopes: &mut Vec<Option<&'static EntityType>>,
        found: &mut Vec<(&'static EntityType, &'static Navigation)>,
    ) {
        match self {
            Predicate::And(left, right) | Predicate::Or(left, right) => {
                left.reach(scopes, found);
                right.reach(scopes, found);
            }
            Predicate::Not(inner) => inner.reach(scopes, found),
            Predicate::Lambda { over, body, .. } => {
                let target = match over {
                    Collection::Values(_) => None,
                    Collection::Entities { scope, navigation } => {
                        let start = scopes.get(*scope).copied().flatten();
                        found.extend(start.map(|entity| (entity, *navigation)));
                        Some((navigation.target)())
                    }
                };
                if let Some(body) = body {
                    scopes.push(target);
                    body.reach(scopes, found);
                    scopes.pop();
                }
            }
            Predicate::Constant(_)
            | Predicate::Flag(_)
            | Predicate::Compare(..)
            | Predicate::CompareMembers(..)
            | Predicate::In(..)
            | Predicate::Text(..) => {}
        }
    }
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
