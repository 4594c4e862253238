//! The URL grammar of OData 4.01 (part 2, and the ABNF): text to trees whose names are still text.
//!
//! **Invariant:** parsing needs no model, never recurses deeper than [`Limits`] allows and never
//! panics. Printing a tree and parsing it again gives the same tree.

mod error;
mod expression;
mod now;
mod options;
mod path;
mod print;
mod search;
#[cfg(test)]
mod tests;

pub use error::SyntaxError;
pub use options::parse_query;
pub use path::{decode, parse_path};
pub use print::{print_path, print_query};
pub use search::{Search, SearchLimits, SearchOp, parse_search};

use crate::value::Value;

/// How large a tree may grow.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Nesting of parentheses, function calls and lambdas in one expression.
    pub depth: usize,
    /// Nodes of one expression.
    pub nodes: usize,
    /// Levels of `$expand` inside `$expand`; 1 allows none inside another.
    pub expand_depth: usize,
    /// Items of one `$select`, `$expand` or `$orderby`.
    pub items: usize,
    /// Segments of a path.
    pub segments: usize,
}

/// One segment of a resource path, percent-decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The name (`groups`, `$count`, `microsoft.graph.reply`) or a key written as a segment.
    pub name: String,
    /// The key in parentheses: `groups('id')` and `groups(id='id')` give `id`; absent for `name` and
    /// for `name()`.
    pub key: Option<String>,
    /// Whether parentheses followed the name (`delta()`, `groups('id')`).
    pub parentheses: bool,
}

/// The system query options of a request (part 2, section 5), or those inside an `$expand` item.
///
/// Custom options (names without `$`) are left out. An option's name is matched without regard to
/// letter case and may be percent-encoded; a name that is written twice, or unknown with a `$`, is an
/// error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// `$select`: each item a path such as `["from", "emailAddress"]`; `*` is `["*"]`.
    pub select: Vec<Vec<String>>,
    /// `$expand`
    pub expand: Vec<ExpandItem>,
    /// `$filter`
    pub filter: Option<Expression>,
    /// `$orderby`
    pub order_by: Vec<OrderItem>,
    /// `$search`, as it was written
    pub search: Option<String>,
    /// `$top`
    pub top: Option<u64>,
    /// `$skip`
    pub skip: Option<u64>,
    /// `$count`
    pub count: Option<bool>,
    /// `$skiptoken` (also written `$skipToken`), opaque
    pub skip_token: Option<String>,
    /// `$deltatoken`, opaque
    pub delta_token: Option<String>,
    /// `$format`
    pub format: Option<String>,
    /// `$id`, the reference to remove from a collection
    pub id: Option<String>,
    /// `$apply` and other options of the standard that no part here reads: name and text.
    ///
    /// Parameter aliases (`@name`) leave no trace: what they stand for stands where they were used.
    pub other: Vec<(String, String)>,
}

/// One item of `$expand`: `threads($select=id;$top=5)`, `microsoft.graph.itemattachment/item`,
/// `threads/$count`, `threads/$ref`, `*`.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpandItem {
    /// The path, type casts and a trailing `$count` or `$ref` included.
    pub path: Vec<String>,
    /// The options in parentheses.
    pub options: Options,
}

/// One key of `$orderby`.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderItem {
    /// What to sort by.
    pub key: Expression,
    /// `desc`
    pub descending: bool,
}

/// An expression of `$filter` or `$orderby` (part 2, section 5.1.1).
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A literal; strings without their quotes.
    Literal(Value),
    /// An enum literal with its type: `microsoft.graph.bodyType'html'`.
    EnumLiteral {
        /// The qualified type name.
        ty: String,
        /// The members, as written.
        members: String,
    },
    /// A member path: `topic`, `from/emailAddress/address`, `s` (a lambda variable), `$it`,
    /// `threads/$count`.
    Path(Vec<String>),
    /// `not x`
    Not(Box<Expression>),
    /// `-x`
    Negate(Box<Expression>),
    /// `x op y`
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Left operand.
        left: Box<Expression>,
        /// Right operand.
        right: Box<Expression>,
    },
    /// `x in (a, b)`
    In {
        /// What is looked for.
        item: Box<Expression>,
        /// Where.
        list: Vec<Expression>,
    },
    /// `x in collection`
    InCollection {
        /// What is looked for.
        item: Box<Expression>,
        /// The path of the collection.
        collection: Vec<String>,
    },
    /// `['a', 'b']`; its strings may come in double quotes too, as JSON has them.
    List(Vec<Expression>),
    /// `name(a, b)`
    Call {
        /// Name as written.
        name: String,
        /// Arguments.
        arguments: Vec<Expression>,
    },
    /// `path/any(v: body)`, `path/all(v: body)`, `path/any()`
    Lambda {
        /// The collection.
        path: Vec<String>,
        /// Which of the two.
        kind: LambdaKind,
        /// Variable and body; absent for `any()`.
        body: Option<(String, Box<Expression>)>,
    },
}

/// `any` or `all`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LambdaKind {
    /// At least one element.
    Any,
    /// Every element.
    All,
}

/// A binary operator, by falling precedence in the order of the standard's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    /// `has`
    Has,
    /// `mul`
    Mul,
    /// `div`
    Div,
    /// `divby`
    DivBy,
    /// `mod`
    Mod,
    /// `add`
    Add,
    /// `sub`
    Sub,
    /// `gt`
    Gt,
    /// `ge`
    Ge,
    /// `lt`
    Lt,
    /// `le`
    Le,
    /// `eq`
    Eq,
    /// `ne`
    Ne,
    /// `and`
    And,
    /// `or`
    Or,
}
