//! Bound `$filter` expressions to SQL conditions.
//!
//! **Invariant:** a condition is true or false and never null, as [`Predicate`] is: under a `not`,
//! each comparison of something that can be null is closed by `is true`. No user's text is in the SQL.

use odata::bind::{Collection, Comparison, Member, Predicate, TextTest};
use odata::edm::{Property, Type};
use odata::syntax::LambdaKind;
use odata::value::Value;

use crate::access::Access;
use crate::model::{Entity, Source, entity_of};
use crate::store::plan;
use crate::store::sql::{Bind, Statement};
use crate::text::fold;

/// Something that can be compared.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    /// The SQL expression.
    pub(super) sql: String,
    /// How literals must be given to it.
    pub(super) kind: Kind,
    /// Whether it can be null.
    pub(super) nullable: bool,
}

/// How a literal is turned into what a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Folded text.
    Folded,
    /// Text as it stands.
    Exact,
    /// A folded name, before which this may stand.
    Name(&'static str),
    /// An id.
    Id,
    /// Anything else: the value itself.
    Plain,
}

/// What a name of the expression stands for.
enum Scope {
    /// A row of an entity, under this alias; whether it is in the group that the access is to, or is
    /// it.
    Entity(&'static Entity, String, bool),
    /// An element of a collection of values, under this alias.
    Element(String),
}

/// Writes `predicate` over rows of `entity`, which go by the name `t0`, at the end of `sql`; `inside`:
/// they are in the group that the access is to, or are it.
pub(super) fn write(
    sql: &mut Statement,
    access: &Access,
    entity: &'static Entity,
    inside: bool,
    predicate: &Predicate,
) {
    let scopes = vec![Scope::Entity(entity, "t0".into(), inside)];
    let mut writer = Writer { sql, access, scopes };
    writer.predicate(predicate, false);
}

/// The column that `member` of an entity at `alias` is compared and sorted by.
pub(super) fn operand(entity: &'static Entity, alias: &str, path: &[&'static Property]) -> Operand {
    let mut nullable = false;
    let mut source = Source::Null;
    for (depth, property) in path.iter().enumerate() {
        nullable |= property.nullable;
        source = match (depth, source) {
            (0, _) => entity.source(property),
            (_, Source::Complex(parts)) => part(path[depth - 1], property, parts),
            _ => Source::Null,
        };
    }
    let column = |name: &str| format!("{alias}.{name}");
    let (sql, kind) = match source {
        Source::Id(name) => (column(name), Kind::Id),
        Source::Name { folded, prefix, .. } => (column(folded), Kind::Name(prefix)),
        Source::Exact(name) => (column(name), Kind::Exact),
        Source::Text { folded, .. } | Source::Json { folded, .. } => (column(folded), Kind::Folded),
        Source::Bool(name) | Source::Int(name) | Source::Time { at: name, .. } => {
            (column(name), Kind::Plain)
        }
        Source::Constant { sql, .. } => (sql.to_owned(), Kind::Folded),
        // The model's tests see to it that these are never named in a filter.
        Source::Null
        | Source::Shown(_)
        | Source::ChangeKey
        | Source::Complex(_)
        | Source::PerCaller(_)
        | Source::Above(_)
        | Source::Document(_)
        | Source::BodyKind(_)
        | Source::Body { .. }
        | Source::BodyAs { .. }
        | Source::Blob(_) => ("null".to_owned(), Kind::Plain),
    };
    Operand { sql, kind, nullable }
}

fn part(owner: &'static Property, property: &Property, parts: &'static [Source]) -> Source {
    let Type::Complex(ty) = owner.ty else { return Source::Null };
    let at = ty.properties.iter().position(|it| std::ptr::eq(it, property));
    at.map_or(Source::Null, |at| parts[at])
}

/// A literal in the form of the column that it is compared with; `None` where no row can equal it (an
/// id that is not one).
pub(super) fn literal(kind: Kind, value: &Value) -> Option<Bind<'static>> {
    Some(match (kind, value) {
        (_, Value::Null) => Bind::Null,
        (Kind::Id, Value::String(text)) => Bind::Id(crate::ids::parse(text)?),
        (Kind::Id, _) => return None,
        (Kind::Name(prefix), Value::String(text)) => Bind::from(folded_name(text, prefix)),
        (Kind::Folded, Value::String(text)) => Bind::from(fold(text).into_owned()),
        (_, Value::String(text)) => Bind::from(text.clone()),
        (_, Value::Boolean(value)) => Bind::Bool(*value),
        (_, Value::Int(value)) => Bind::Int(*value),
        (_, Value::Double(value)) => Bind::Real(*value),
        (_, Value::DateTimeOffset(value)) => Bind::Int(value.ticks),
        (_, Value::Guid(bytes)) => Bind::Id(uuid::Uuid::from_bytes(*bytes)),
        (_, Value::Binary(bytes)) => Bind::Bytes(bytes.clone().into()),
    })
}

/// A name as it is compared, without the type before it: Graph writes that in two namespaces.
pub(super) fn folded_name(text: &str, prefix: &str) -> String {
    let ty = prefix.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let old = format!("Microsoft.OutlookServices.{ty}.");
    let name = [prefix, &old].into_iter().find_map(|it| {
        let starts = !prefix.is_empty() && text.get(..it.len())?.eq_ignore_ascii_case(it);
        starts.then(|| &text[it.len()..])
    });
    fold(name.unwrap_or(text)).into_owned()
}

struct Writer<'w> {
    sql: &'w mut Statement,
    access: &'w Access,
    scopes: Vec<Scope>,
}

impl Writer<'_> {
    /// `negated`: somewhere outside is a `not`, so a null must already be false here.
    fn predicate(&mut self, predicate: &Predicate, negated: bool) {
        match predicate {
            Predicate::Constant(value) => {
                self.sql.push(if *value { "1 = 1" } else { "1 = 0" });
            }
            Predicate::And(left, right) => self.pair(left, " and ", right, negated),
            Predicate::Or(left, right) => self.pair(left, " or ", right, negated),
            Predicate::Not(inner) => {
                self.sql.push("not (");
                self.predicate(inner, true);
                self.sql.push(")");
            }
            Predicate::Flag(member) => {
                let operand = self.operand(member);
                self.closed(negated && operand.nullable, |it| {
                    it.sql.push(&operand.sql).push(" = ").bind(true);
                });
            }
            Predicate::Compare(member, comparison, value) => {
                self.compare(member, *comparison, value, negated);
            }
            Predicate::CompareMembers(left, comparison, right) => {
                let (left, right) = (self.operand(left), self.operand(right));
                let nullable = left.nullable || right.nullable;
                let sign = sign(*comparison, nullable);
                self.closed(negated && nullable, |it| {
                    it.sql.push(&left.sql).push(sign).push(&right.sql);
                });
            }
            Predicate::In(member, values) => self.within(member, values, negated),
            Predicate::Text(member, test, text) => {
                let operand = self.operand(member);
                self.closed(negated && operand.nullable, |it| it.text(&operand, *test, text));
            }
            Predicate::Lambda { kind, over, body } => self.lambda(*kind, over, body.as_deref()),
        }
    }

    fn pair(&mut self, left: &Predicate, word: &str, right: &Predicate, negated: bool) {
        self.sql.push("(");
        self.predicate(left, negated);
        self.sql.push(word);
        self.predicate(right, negated);
        self.sql.push(")");
    }

    fn closed(&mut self, close: bool, write: impl FnOnce(&mut Self)) {
        self.sql.push(if close { "((" } else { "(" });
        write(self);
        self.sql.push(if close { ") is true)" } else { ")" });
    }

    fn compare(&mut self, member: &Member, comparison: Comparison, value: &Value, negated: bool) {
        let operand = self.operand(member);
        let Some(value) = literal(operand.kind, value) else {
            // Nothing has an id that is not one.
            self.sql.push(if comparison == Comparison::Ne { "1 = 1" } else { "1 = 0" });
            return;
        };
        if value == Bind::Null {
            let is = if comparison == Comparison::Ne { " is not null" } else { " is null" };
            self.sql.push("(").push(&operand.sql).push(is).push(")");
            return;
        }
        // `is distinct from` only where a null can be: an index serves `=` and `<>` alone.
        let sign = match comparison {
            Comparison::Eq => " = ",
            other => sign(other, operand.nullable),
        };
        self.closed(negated && operand.nullable, |it| {
            it.sql.push(&operand.sql).push(sign).bind(value);
        });
    }

    fn within(&mut self, member: &Member, values: &[Value], negated: bool) {
        let operand = self.operand(member);
        let null = values.contains(&Value::Null);
        let values: Vec<_> = values
            .iter()
            .filter(|it| **it != Value::Null)
            .filter_map(|it| literal(operand.kind, it))
            .collect();
        self.sql.push("(");
        if values.is_empty() {
            self.sql.push("1 = 0");
        } else {
            self.closed(negated && operand.nullable, |it| {
                it.sql.push(&operand.sql).push(" in (");
                for (at, value) in values.into_iter().enumerate() {
                    it.sql.push(if at > 0 { ", " } else { "" }).bind(value);
                }
                it.sql.push(")");
            });
        }
        if null {
            self.sql.push(" or ").push(&operand.sql).push(" is null");
        }
        self.sql.push(")");
    }

    fn text(&mut self, operand: &Operand, test: TextTest, text: &str) {
        let text = match operand.kind {
            Kind::Folded | Kind::Name(_) => fold(text).into_owned(),
            _ => text.to_owned(),
        };
        if text.is_empty() {
            // Every text starts and ends with the empty one; a null does not.
            self.sql.push(&operand.sql).push(" is not null");
            return;
        }
        self.sql.bind(text);
        let needle = self.take_bind();
        let condition = match test {
            TextTest::Contains => {
                format!("{} > 0", self.sql.db.position(&operand.sql, &needle))
            }
            TextTest::StartsWith => {
                format!("substr({}, 1, length({needle})) = {needle}", operand.sql)
            }
            TextTest::EndsWith => {
                format!("{} = {needle}", self.sql.db.tail(&operand.sql, &needle))
            }
        };
        self.sql.push(&condition);
    }

    /// The placeholder that was just written, taken off the text again.
    fn take_bind(&mut self) -> String {
        let placeholder = format!("${}", self.sql.binds.len());
        let end = self.sql.sql.len() - placeholder.len();
        self.sql.sql.truncate(end);
        placeholder
    }

    fn lambda(&mut self, kind: LambdaKind, over: &Collection, body: Option<&Predicate>) {
        // all(x: p) is: there is none with not p.
        self.sql.push(if kind == LambdaKind::All { "not " } else { "" }).push("exists (");
        let alias = format!("t{}", self.scopes.len());
        let scope = match over {
            Collection::Values(member) => {
                let column = self.operand(member).sql;
                let elements = self.sql.db.json_elements(&column, &alias);
                self.sql.push("select 1 from ").push(&elements).push(" where 1 = 1");
                Some(Scope::Element(alias))
            }
            Collection::Entities { scope, navigation } => match &self.scopes[*scope] {
                Scope::Entity(entity, parent, inside) => {
                    let (entity, parent, inside) = (*entity, parent.clone(), *inside);
                    let target = entity_of((navigation.target)());
                    self.sql.push("select 1 from ");
                    let start = (&parent[..], inside);
                    let inside =
                        plan::correlate(self.sql, self.access, entity, navigation, start, &alias);
                    Some(Scope::Entity(target, alias, inside))
                }
                Scope::Element(_) => None,
            },
        };
        if let (Some(scope), Some(body)) = (scope, body) {
            self.scopes.push(scope);
            self.sql.push(if kind == LambdaKind::All { " and not (" } else { " and (" });
            self.predicate(body, true);
            self.sql.push(")");
            self.scopes.pop();
        }
        self.sql.push(")");
    }

    fn operand(&self, member: &Member) -> Operand {
        match &self.scopes[member.scope] {
            Scope::Entity(entity, alias, _) => operand(entity, alias, &member.path),
            Scope::Element(alias) if member.path.is_empty() => {
                let sql = self.sql.db.json_text(alias);
                Operand { sql, kind: Kind::Folded, nullable: false }
            }
            Scope::Element(alias) => {
                let names: Vec<_> = member.path.iter().map(|it| it.name).collect();
                Operand {
                    sql: self.sql.db.json_member(alias, &names),
                    kind: Kind::Folded,
                    nullable: true,
                }
            }
        }
    }
}

fn sign(comparison: Comparison, nullable: bool) -> &'static str {
    match comparison {
        Comparison::Eq if nullable => " is not distinct from ",
        Comparison::Eq => " = ",
        Comparison::Ne if nullable => " is distinct from ",
        Comparison::Ne => " <> ",
        Comparison::Gt => " > ",
        Comparison::Ge => " >= ",
        Comparison::Lt => " < ",
        Comparison::Le => " <= ",
    }
}
