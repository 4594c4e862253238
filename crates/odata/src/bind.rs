//! Names resolved and literals typed: syntax trees against an [`edm`](crate::edm) model.
//!
//! **Invariant:** what this module returns names nothing that the model does not declare, and uses
//! nothing in a way that the declaration does not allow. What cannot be done is an error that names
//! it; nothing is silently dropped.

mod condition;
mod error;
mod expression;
mod function;
mod member;
mod path;
mod query;
mod scalar;

#[cfg(test)]
mod tests;

pub use condition::{
    Arithmetic, Collection, Comparison, Function, Member, Predicate, Scalar, TextTest,
};
pub use error::BindError;
pub use path::bind_path;
pub use query::bind_query;

use crate::edm::{Action, DerivedType, EntityType, Navigation, Property, Root};
use crate::syntax::Options;

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
    /// What of the related entities is shown.
    pub shows: Shows,
}

/// What `$expand` shows of related entities (section 5.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// The entities.
    Entities,
    /// Where they are: `members/$ref`.
    References,
    /// How many there are: `threads/$count`.
    Count,
}

/// One key of `$orderby`.
#[derive(Clone, Debug)]
pub struct OrderKey {
    /// What to sort by.
    pub member: Member,
    /// Largest first.
    pub descending: bool,
}
