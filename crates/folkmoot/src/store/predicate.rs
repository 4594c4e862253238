//! Bound `$filter` expressions to SQL conditions.
//!
//! **Invariant:** a condition is true or false and never null, as [`Predicate`] is: under a `not`,
//! each comparison of something that can be null is closed by `is true`. No user's text is in the SQL.

use odata::bind::{Collection, Comparison, Member, Predicate, Scalar, TextTest};
use odata::edm::{Primitive, Property, Type};
use odata::syntax::LambdaKind;
use odata::value::Value;

use crate::access::Access;
use crate::model::{Entity, Source, entity_of};
use crate::store::plan;
use crate::store::render::version_of;
use crate::store::scalar::{Known, Want};
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
    /// A version, which literals give as the change key that shows it.
    Version,
    /// Anything else: the value itself.
    Plain,
}

/// What a name of the expression stands for.
pub(super) enum Scope {
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

/// Where the last property of a path comes from.
pub(super) fn source_of(entity: &'static Entity, path: &[&'static Property]) -> Source {
    let mut source = Source::Null;
    for (depth, property) in path.iter().enumerate() {
        source = match (depth, source) {
            (0, _) => entity.source(property),
            (_, Source::Complex(parts)) => part(path[depth - 1], property, parts),
            _ => Source::Null,
        };
    }
    source
}

/// The column that `member` of an entity at `alias` is compared and sorted by.
pub(super) fn operand(entity: &'static Entity, alias: &str, path: &[&'static Property]) -> Operand {
    let nullable = path.iter().any(|it| it.nullable);
    let column = |name: &str| format!("{alias}.{name}");
    let (sql, kind) = match source_of(entity, path) {
        Source::Id(name) => (column(name), Kind::Id),
        Source::Name { folded, prefix, .. } => (column(folded), Kind::Name(prefix)),
        Source::Exact(name) | Source::BodyKind(name) => (column(name), Kind::Exact),
        Source::Text { folded, .. } | Source::Json { folded, .. } => (column(folded), Kind::Folded),
        // What has no twin is in ASCII, of which both databases have the lower case alike.
        Source::Wide { column: text, folded } | Source::Body { column: text, folded, .. } => {
            let sql = format!("coalesce({}, lower({}))", column(folded), column(text));
            (sql, Kind::Folded)
        }
        Source::Bool(name) | Source::Int(name) | Source::Time { at: name, .. } => {
            (column(name), Kind::Plain)
        }
        Source::Not(name) => (format!("(not {})", column(name)), Kind::Plain),
        Source::ChangeKey => (column("version"), Kind::Version),
        Source::Constant { sql, .. } => (sql.to_owned(), Kind::Folded),
        Source::PerCaller(expression) => {
            let sql = expression.replace("t0.", &format!("{alias}."));
            match path.last().map(|it| it.ty) {
                Some(Type::Primitive(Primitive::Boolean)) => (sql, Kind::Plain),
                _ => (format!("cast({sql} as bigint)"), Kind::Plain),
            }
        }
        Source::Null => match path.last().map(|it| it.ty) {
            Some(Type::Primitive(Primitive::Boolean)) => {
                ("cast(null as boolean)".into(), Kind::Plain)
            }
            Some(Type::Primitive(Primitive::String)) => ("cast(null as text)".into(), Kind::Folded),
            _ => ("cast(null as bigint)".into(), Kind::Plain),
        },
        // The model's tests see to it that these are never named in a filter.
        Source::Shown(_)
        | Source::Complex(_)
        | Source::Above(_)
        | Source::Document(_)
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
        (Kind::Version, Value::String(text)) => Bind::Int(version_of(text)?),
        (Kind::Name(prefix), Value::String(text)) => Bind::from(folded_name(text, prefix)),
        (Kind::Folded, Value::String(text)) => Bind::from(fold(text).into_owned()),
        (_, Value::String(text)) => Bind::from(text.clone()),
        (_, Value::Boolean(value)) => Bind::Bool(*value),
        (_, Value::Int(value)) => Bind::Int(*value),
        (_, Value::Double(value)) => Bind::Real(*value),
        (_, Value::DateTimeOffset(value)) => Bind::Int(value.ticks),
        (_, Value::Guid(bytes)) => Bind::Id(uuid::Uuid::from_bytes(*bytes)),
        (_, Value::Binary(bytes)) => Bind::Bytes(bytes.clone().into()),
        (_, Value::Date(days)) => Bind::Int((*days).into()),
        (_, Value::TimeOfDay(ticks) | Value::Duration(ticks)) => Bind::Int(*ticks),
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

pub(super) struct Writer<'w> {
    pub(super) sql: &'w mut Statement,
    pub(super) access: &'w Access,
    pub(super) scopes: Vec<Scope>,
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
                let sql = self.with_caller(operand.sql);
                self.closed(negated && operand.nullable, |it| {
                    it.sql.push(&sql).push(" = ").bind(true);
                });
            }
            Predicate::Same(left, right) => {
                self.sql.push("((");
                self.predicate(left, true);
                self.sql.push(") = (");
                self.predicate(right, true);
                self.sql.push("))");
            }
            Predicate::OfKind(scope, kind) => {
                if let Scope::Entity(_, alias, _) = &self.scopes[*scope] {
                    self.sql.push(alias).push(".kind = ").bind(*kind as i64);
                }
            }
            Predicate::Compare(left, comparison, Scalar::Literal(value)) => {
                self.compare(left, *comparison, value, negated);
            }
            Predicate::Compare(left, comparison, right) => {
                self.compare_both(left, *comparison, right, negated);
            }
            Predicate::In(item, values) => self.within(item, values, negated),
            Predicate::Text(text, test, Scalar::Literal(Value::String(part))) => {
                let Known { kind, nullable } = self.known(text);
                let text = self.text_of(text, Want::Compared);
                self.closed(negated && nullable, |it| it.text(&text, kind, *test, part));
            }
            Predicate::Text(text, test, part) => self.texts(text, *test, part, negated),
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

    fn compare(&mut self, left: &Scalar, comparison: Comparison, value: &Value, negated: bool) {
        let Known { kind, nullable } = self.known(left);
        let Some(value) = literal(kind, value) else {
            // Nothing has an id that is not one.
            self.sql.push(if comparison == Comparison::Ne { "1 = 1" } else { "1 = 0" });
            return;
        };
        let left = self.scalar(left, Want::Compared);
        if value == Bind::Null {
            let is = if comparison == Comparison::Ne { " is not null" } else { " is null" };
            self.sql.push("(").push(&left).push(is).push(")");
            return;
        }
        // `is distinct from` only where a null can be: an index serves `=` and `<>` alone.
        let sign = match comparison {
            Comparison::Eq => " = ",
            other => sign(other, nullable),
        };
        self.closed(negated && nullable, |it| {
            it.sql.push(&left).push(sign).bind(value);
        });
    }

    fn compare_both(
        &mut self,
        left: &Scalar,
        comparison: Comparison,
        right: &Scalar,
        negated: bool,
    ) {
        let (known, other) = (self.known(left), self.known(right));
        let keys = |kind| matches!(kind, Kind::Id | Kind::Version | Kind::Name(_));
        if (keys(known.kind) || keys(other.kind)) && known.kind != other.kind {
            // Keys of different sorts are never equal, and have no order.
            self.sql.push(if comparison == Comparison::Ne { "1 = 1" } else { "1 = 0" });
            return;
        }
        let nullable = known.nullable || other.nullable;
        let left = self.scalar(left, Want::Compared);
        let right = self.scalar(right, Want::Compared);
        let sign = sign(comparison, nullable);
        self.closed(negated && nullable, |it| {
            it.sql.push(&left).push(sign).push(&right);
        });
    }

    fn within(&mut self, item: &Scalar, values: &[Value], negated: bool) {
        let Known { kind, nullable } = self.known(item);
        let null = values.contains(&Value::Null);
        // Numbers of one kind, if any has a fraction.
        let real = values.iter().any(|it| matches!(it, Value::Double(_)));
        let values: Vec<_> = values
            .iter()
            .filter(|it| **it != Value::Null)
            .filter_map(|it| literal(kind, it))
            .map(|it| match it {
                Bind::Int(value) if real => Bind::Real(value as f64),
                other => other,
            })
            .collect();
        if values.is_empty() && !null {
            self.sql.push("1 = 0");
            return;
        }
        let item = self.scalar(item, Want::Compared);
        self.sql.push("(");
        if !values.is_empty() {
            self.closed(negated && nullable, |it| {
                it.sql.push(&item).push(" in (");
                for (at, value) in values.into_iter().enumerate() {
                    it.sql.push(if at > 0 { ", " } else { "" }).bind(value);
                }
                it.sql.push(")");
            });
            self.sql.push(if null { " or " } else { "" });
        }
        if null {
            self.sql.push(&item).push(" is null");
        }
        self.sql.push(")");
    }

    /// Tests a text, which is written already, against a part that was sent.
    fn text(&mut self, text: &str, kind: Kind, test: TextTest, part: &str) {
        let part = match kind {
            Kind::Folded | Kind::Name(_) => fold(part).into_owned(),
            _ => part.to_owned(),
        };
        if part.is_empty() {
            // Every text starts and ends with the empty one; a null does not.
            self.sql.push(text).push(" is not null");
            return;
        }
        let part = self.placeholder(Bind::from(part));
        let condition = match test {
            TextTest::Contains => format!("{} > 0", self.sql.db.position(text, &part)),
            TextTest::StartsWith => format!("substr({text}, 1, length({part})) = {part}"),
            TextTest::EndsWith => format!("{} = {part}", self.sql.db.tail(text, &part)),
        };
        self.sql.push(&condition);
    }

    /// Tests a text against a part that is another for each row.
    fn texts(&mut self, text: &Scalar, test: TextTest, part: &Scalar, negated: bool) {
        let nullable = self.known(text).nullable || self.known(part).nullable;
        if [text, part].iter().any(|it| matches!(it, Scalar::Literal(Value::Null))) {
            self.sql.push("1 = 0");
            return;
        }
        let text = self.scalar(text, Want::Compared);
        let part = self.scalar(part, Want::Compared);
        let condition = match test {
            TextTest::Contains => format!("{} > 0", self.sql.db.position(&text, &part)),
            TextTest::StartsWith => format!("substr({text}, 1, length({part})) = {part}"),
            TextTest::EndsWith => {
                format!("substr({text}, length({text}) - length({part}) + 1) = {part}")
            }
        };
        self.closed(negated && nullable, |it| {
            it.sql.push(&condition);
        });
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

    pub(super) fn operand(&self, member: &Member) -> Operand {
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
