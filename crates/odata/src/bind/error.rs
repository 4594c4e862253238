//! Why a URL cannot be bound to the model.
//!
//! **Invariant:** every text names the segment, property or option at fault. Where Graph has a sentence
//! of its own for a mistake, clients look for it, so it is kept as it is, full stop and all.

/// A name that the model does not declare, or a use of one that it does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// A path without segments: the service document, which is no resource.
    #[error("the path names no resource")]
    EmptyPath,
    /// No such root, navigation, action or property: what the service does not have.
    #[error("Resource not found for the segment '{segment}' after {after}.")]
    UnknownSegment {
        /// As it was sent.
        segment: String,
        /// The qualified type that it was looked for in, or the service root.
        after: String,
    },
    /// A known segment where it has no meaning, or anything after one that ends a path.
    #[error("the segment '{segment}' cannot follow {after}")]
    MisplacedSegment {
        /// As it was sent.
        segment: String,
        /// What stands before it.
        after: String,
    },
    /// A key after something that is one entity already.
    #[error("the segment '{segment}' is a single entity and takes no key")]
    KeyOfSingle {
        /// The segment's name.
        segment: String,
    },
    /// A cast to a type that the entities here cannot have.
    #[error("the type '{cast}' does not derive from '{declared}'")]
    Cast {
        /// As it was sent.
        cast: String,
        /// Qualified name of the type that the entities are declared to have.
        declared: String,
    },
    /// No such property.
    #[error("Could not find a property named '{name}' on type '{ty}'.")]
    UnknownProperty {
        /// As it was sent.
        name: String,
        /// Qualified name of the type.
        ty: String,
        /// The option that names it, such as `$select`.
        option: &'static str,
    },
    /// A property that the option may not name.
    #[error("property '{property}' of '{ty}' cannot be used in {option}")]
    NotAllowed {
        /// The path as it was sent.
        property: String,
        /// Unqualified name of the type that it starts from.
        ty: &'static str,
        /// The option.
        option: &'static str,
    },
    /// An option, or part of its language, that nothing here reads.
    #[error("{what} is not supported{place}")]
    Unsupported {
        /// Such as `the function 'length'` or `$apply`.
        what: String,
        /// Such as ` in $filter`; empty where it is an option of the request.
        place: String,
    },
    /// `$top=0`, also inside an `$expand`.
    #[error("$top must be at least 1")]
    TopZero,
    /// A navigation in `$select` without its `$expand`.
    #[error(
        "'{navigation}' of '{ty}' leads to other entities: $select it together with $expand={navigation}"
    )]
    SelectedNotExpanded {
        /// The navigation.
        navigation: &'static str,
        /// Unqualified name of its type.
        ty: &'static str,
    },
    /// One navigation twice in one `$expand`.
    #[error("'{navigation}' is expanded twice")]
    ExpandedTwice {
        /// The navigation.
        navigation: &'static str,
    },
    /// An option for collections inside the `$expand` of a single entity.
    #[error("{option} has no meaning for '{navigation}', which is a single entity")]
    OptionOfSingle {
        /// The option.
        option: &'static str,
        /// The navigation.
        navigation: &'static str,
    },
    /// Two operands, or a function's arguments, whose types do not fit.
    #[error("in {option}, '{property}' is {is} and cannot be {used}")]
    Mismatch {
        /// The path as it was sent.
        property: String,
        /// Its type.
        is: String,
        /// What the expression does with it.
        used: String,
        /// The option.
        option: &'static str,
    },
    /// An expression where a condition must stand.
    #[error("in $filter, {0} is not a condition")]
    NotCondition(String),
    /// A lambda whose variable has a name that is taken.
    #[error("in $filter, the lambda variable '{0}' is declared twice")]
    VariableTwice(String),
    /// A lambda over something that is no collection.
    #[error("in $filter, '{0}' is not a collection: any and all need one")]
    NotCollection(String),
}

impl BindError {
    /// Whether a property is named that does not exist.
    pub const fn is_unknown_property(&self) -> bool {
        matches!(self, BindError::UnknownProperty { .. })
    }

    pub(super) fn unsupported(what: impl Into<String>, option: &str) -> BindError {
        BindError::Unsupported { what: what.into(), place: format!(" in {option}") }
    }
}
