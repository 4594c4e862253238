//! Rows to JSON, by a program made once for each plan.
//!
//! **Invariant:** names, order and form of what is written come from the model alone. Bytes go from
//! the database's row straight into the body; nothing is built in between.

mod full;

pub(super) use full::write_ways;

use std::borrow::Cow;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use odata::bind::{Dynamic, Query};
use odata::edm::{EntityType, Primitive, Property, Type};
use odata::json::{self, Json, write_string};
use odata::value::{DateTimeOffset, write_guid};

use crate::model::{Entity, MODEL, Source};
use crate::store::blobs;
use crate::store::driver::Row;
use crate::store::error::Error;
use crate::store::form::{BodyType, Form, Metadata};
use crate::store::sql::Bind;
use crate::text;

/// Stands for the calling user in an expression of the model.
pub(super) const CALLER: &str = "{caller}";

/// What is written of each row, and the columns that it needs.
#[derive(Debug, Default)]
pub(super) struct Program {
    /// What `odata.metadata=full` writes around them.
    links: Option<full::Links>,
    /// What bodies are shown as, where that was asked for.
    body: Option<BodyType>,
    /// Whether what was stored as it was sent is shown with the annotations in it.
    annotated: bool,
    fields: Vec<Field>,
    /// SQL expressions, in the order of the select list.
    columns: Vec<String>,
}

/// One member of an object: `,"name":` and where its value comes from.
#[derive(Debug)]
struct Field {
    lead: Vec<u8>,
    shape: Shape,
    when: When,
}

/// In which rows a member is written.
#[derive(Clone, Copy, Debug)]
enum When {
    Always,
    /// Where this column is not null.
    Known(usize),
    /// Where the column with the row's kind is one of the set bits.
    Kind {
        column: usize,
        bits: u32,
    },
}

impl When {
    fn holds(self, row: &Row<'_>) -> Result<bool, Error> {
        Ok(match self {
            When::Always => true,
            When::Known(column) => !row.is_null(column)?,
            When::Kind { column, bits } => bits >> row.int(column)? & 1 == 1,
        })
    }
}

/// How a value is written; the numbers are columns.
#[derive(Debug)]
enum Shape {
    Id(usize),
    Name(usize, &'static str),
    Text(usize),
    Bool(usize),
    Int(usize),
    Time {
        at: usize,
        offset: Option<usize>,
    },
    Json(usize),
    ChangeKey(usize),
    ETag(usize),
    /// `@odata.type`, by the row's kind.
    Kind(usize, &'static EntityType),
    Complex(Vec<Field>),
    Constant(Cow<'static, str>),
    Blob {
        content: usize,
        group: usize,
        hash: usize,
    },
    Body {
        content: usize,
        kind: usize,
        shown: BodyType,
    },
    Document {
        document: usize,
        annotations: bool,
    },
    Dynamic {
        object: usize,
        annotations: bool,
        which: Dynamic,
    },
}

/// The change key of a version: what `changeKey` shows and an ETag holds.
pub(crate) fn change_key(version: i64) -> String {
    BASE64_STANDARD.encode(version.to_be_bytes())
}

/// The version that a change key shows, where it shows one.
pub(super) fn version_of(change_key: &str) -> Option<i64> {
    let bytes = BASE64_STANDARD.decode(change_key).ok()?;
    bytes.try_into().ok().map(i64::from_be_bytes)
}

/// The ETag of a version.
pub(crate) fn etag(version: i64) -> String {
    format!("W/\"{}\"", change_key(version))
}

impl Program {
    /// The program for `properties` of `entity`, whose table goes by the name `t0`; `typed`: what
    /// leads here is declared with a wider type.
    pub(super) fn new(
        entity: &'static Entity,
        properties: &[&'static Property],
        typed: bool,
        query: &Query,
        form: Form<'_>,
    ) -> Program {
        let (all, full) = (query.select.is_none(), form.is_full());
        let mut program = Program {
            body: form.wanted.body,
            annotated: form.wanted.metadata != Metadata::None,
            ..Program::default()
        };
        if full {
            let expanded = |name| query.expand.iter().any(|it| it.navigation.name == name);
            let onward = entity.edm.navigations.iter();
            let onward =
                onward.filter(|it| all && it.published.is_in(form.is_beta()) && !expanded(it.name));
            program.links = Some(full::Links::of(onward));
        }
        if form.wanted.metadata != Metadata::None {
            let version = program.column("t0.version".into());
            program.field("@odata.etag", Shape::ETag(version));
            if !entity.edm.derived.is_empty() {
                let kind = program.column("t0.kind".into());
                program.field("@odata.type", Shape::Kind(kind, &entity.edm));
            } else if typed || full {
                let ty = format!("\"#{}\"", MODEL.qualified(entity.edm.name));
                program.field("@odata.type", Shape::Constant(ty.into()));
            }
        }
        if full {
            program.media(entity);
        }
        for property in properties {
            let is_annotation = property.name.starts_with('@');
            if is_annotation && form.wanted.metadata == Metadata::None {
                continue;
            }
            let start = program.fields.len();
            if full && !is_annotation {
                program.type_of(property);
            }
            let shape = program.shape(property, entity.source(property));
            let when = match (property.only, &shape) {
                ([], Shape::Time { at, .. }) if is_annotation => When::Known(*at),
                ([], _) => When::Always,
                (only, _) => program.of_kinds(entity, only),
            };
            program.field(property.name, shape);
            for field in &mut program.fields[start..] {
                field.when = when;
            }
        }
        let shown = !matches!(&query.dynamic, Dynamic::Named(names) if names.is_empty());
        if entity.edm.open && shown {
            let object = program.column("t0.extra".into());
            let (annotations, which) = (program.annotated, query.dynamic.clone());
            program.fields.push(Field {
                lead: Vec::new(),
                shape: Shape::Dynamic { object, annotations, which },
                when: When::Always,
            });
        }
        program
    }

    /// The program for references to users and groups (OData JSON 4.0, section 14).
    pub(super) fn references() -> Program {
        Program { links: Some(full::Links::to_own()), ..Program::default() }
    }

    /// Whether it writes references alone.
    pub(super) fn is_of_references(&self) -> bool {
        self.links.is_some() && self.fields.is_empty()
    }

    /// In the rows of these derived types.
    fn of_kinds(&mut self, entity: &'static Entity, types: &[&str]) -> When {
        let kinds = entity.edm.derived.iter().enumerate();
        let mine = kinds.filter(|(_, it)| types.contains(&it.name));
        let bits = mine.fold(0, |bits, (at, _)| bits | 1 << at);
        When::Kind { column: self.column("t0.kind".into()), bits }
    }

    /// The place of an expression in the select list, added where it is not there yet.
    pub(super) fn column(&mut self, expression: String) -> usize {
        self.columns.iter().position(|it| *it == expression).unwrap_or_else(|| {
            self.columns.push(expression);
            self.columns.len() - 1
        })
    }

    /// The values of named columns in the order of the select list.
    pub(super) fn order<'v>(
        &self,
        columns: &[(&'static str, Bind<'v>)],
    ) -> Result<Vec<Bind<'v>>, Error> {
        let value = |wanted: &String| {
            let name = wanted.strip_prefix("t0.").unwrap_or(wanted);
            let found = columns.iter().find(|(it, _)| *it == name);
            let missing = || Error::Defect(format!("what was written has no column {name}"));
            found.map(|(_, value)| value.clone()).ok_or_else(missing)
        };
        self.columns.iter().map(value).collect()
    }

    /// The select list.
    pub(super) fn select_list(&self) -> String {
        self.columns.join(", ")
    }

    fn field(&mut self, name: &str, shape: Shape) {
        let lead = lead(name, self.fields.is_empty() && self.links.is_none());
        self.fields.push(Field { lead, shape, when: When::Always });
    }

    fn shape(&mut self, property: &'static Property, source: Source) -> Shape {
        let (body, annotations) = (self.body, self.annotated);
        let mut at = |column: &str| self.column(format!("t0.{column}"));
        match source {
            Source::Id(column) => Shape::Id(at(column)),
            Source::Name { column, prefix, .. } => Shape::Name(at(column), prefix),
            Source::Document(column) => Shape::Document { document: at(column), annotations },
            Source::Exact(column)
            | Source::Text { column, .. }
            | Source::Wide { column, .. }
            | Source::Shown(column) => Shape::Text(at(column)),
            Source::Bool(column) => Shape::Bool(at(column)),
            Source::Not(column) => Shape::Bool(self.column(format!("not t0.{column}"))),
            Source::Int(column) => Shape::Int(at(column)),
            Source::Time { at: instant, offset } => {
                Shape::Time { at: at(instant), offset: offset.map(at) }
            }
            Source::Json { column, .. } => Shape::Json(at(column)),
            Source::ChangeKey => Shape::ChangeKey(at("version")),
            Source::Complex(parts) => self.complex(property, parts),
            Source::Constant { json, .. } => Shape::Constant(json.into()),
            Source::PerCaller(expression) => {
                let column = self.column(expression.into());
                match property.ty {
                    Type::Primitive(Primitive::Boolean) => Shape::Bool(column),
                    _ => Shape::Int(column),
                }
            }
            Source::Above(expression) => Shape::Text(self.column(expression.into())),
            Source::Null => Shape::Constant("null".into()),
            Source::BodyKind(column) => match body {
                None => Shape::Text(at(column)),
                Some(shown) => Shape::Constant(format!("\"{}\"", shown.name()).into()),
            },
            Source::Body { column, kind, .. } => match body {
                None => Shape::Text(at(column)),
                Some(shown) => Shape::Body { content: at(column), kind: at(kind), shown },
            },
            Source::BodyAs { column, kind, html } => {
                let shown = if html { BodyType::Html } else { BodyType::Text };
                Shape::Body { content: at(column), kind: at(kind), shown }
            }
            Source::Blob(column) => {
                let (group, hash) = (at("group_id"), at(column));
                let content = "(select b.content from blobs b \
                    where b.group_id = t0.group_id and b.hash = t0.hash)";
                Shape::Blob { content: self.column(content.into()), group, hash }
            }
        }
    }

    fn complex(&mut self, property: &'static Property, parts: &'static [Source]) -> Shape {
        let Type::Complex(ty) = property.ty else { return Shape::Constant("null".into()) };
        let mut fields = Vec::with_capacity(parts.len());
        for (part, source) in ty.properties.iter().zip(parts) {
            let shape = self.shape(part, *source);
            if self.links.is_some() {
                fields.extend(full::complex_types(property, part, fields.is_empty()));
            }
            let lead = lead(part.name, fields.is_empty());
            fields.push(Field { lead, shape, when: When::Always });
        }
        Shape::Complex(fields)
    }

    /// Writes the members of a row's object, without its braces. `own` is the entity's own address,
    /// where links are written.
    pub(super) fn write(
        &self,
        row: &Row<'_>,
        blobs: &Path,
        own: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Some(links) = &self.links else { return write_fields(&self.fields, row, blobs, out) };
        links.write_own(row, own, out)?;
        write_fields(&self.fields, row, blobs, out)?;
        links.write_onward(own, out);
        Ok(())
    }
}

fn lead(name: &str, first: bool) -> Vec<u8> {
    let mut lead = if first { Vec::new() } else { vec![b','] };
    write_string(&mut lead, name);
    lead.push(b':');
    lead
}

fn write_fields(
    fields: &[Field],
    row: &Row<'_>,
    blobs: &Path,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    for Field { lead, shape, when } in fields {
        if !when.holds(row)? {
            continue;
        }
        out.extend_from_slice(lead);
        write_value(shape, row, blobs, out)?;
    }
    Ok(())
}

fn write_value(shape: &Shape, row: &Row<'_>, blobs: &Path, out: &mut Vec<u8>) -> Result<(), Error> {
    match shape {
        Shape::Constant(json) => out.extend_from_slice(json.as_bytes()),
        Shape::Complex(parts) => {
            out.push(b'{');
            write_fields(parts, row, blobs, out)?;
            out.push(b'}');
        }
        Shape::ETag(version) => {
            write_string(out, &etag(row.int(*version)?));
        }
        Shape::ChangeKey(version) => write_string(out, &change_key(row.int(*version)?)),
        Shape::Blob { content, group, hash } => {
            out.push(b'"');
            write_blob(row, (*content, *group, *hash), blobs, out)?;
            out.push(b'"');
        }
        Shape::Kind(kind, entity) => {
            let kind = usize::try_from(row.int(*kind)?).unwrap_or(usize::MAX);
            let name = entity.derived.get(kind).map_or(entity.name, |it| it.name);
            write_string(out, &format!("#{}.{name}", MODEL.namespace));
        }
        Shape::Document { document, .. } if row.is_null(*document)? => {
            out.extend_from_slice(b"null");
        }
        Shape::Document { document, annotations: true } => {
            out.extend_from_slice(row.text(*document)?.as_bytes());
        }
        Shape::Document { document, .. } => write_bare(row.text(*document)?, out),
        Shape::Dynamic { object, annotations, which } => {
            if !row.is_null(*object)? {
                write_dynamic(row.text(*object)?, *annotations, which, out);
            }
        }
        Shape::Id(at)
        | Shape::Name(at, _)
        | Shape::Text(at)
        | Shape::Bool(at)
        | Shape::Int(at)
        | Shape::Json(at)
        | Shape::Body { content: at, .. }
        | Shape::Time { at, .. }
            if row.is_null(*at)? =>
        {
            out.extend_from_slice(b"null");
        }
        Shape::Id(at) => {
            out.push(b'"');
            write_guid(row.id(*at)?.as_bytes(), out);
            out.push(b'"');
        }
        Shape::Name(at, "") | Shape::Text(at) => write_string(out, row.text(*at)?),
        Shape::Name(at, prefix) => write_string(out, &format!("{prefix}{}", row.text(*at)?)),
        Shape::Body { content, kind, shown } => {
            let (text, kind) = (row.text(*content)?, row.text(*kind)?);
            match shown {
                _ if kind == shown.name() => write_string(out, text),
                BodyType::Text => write_string(out, &text::html_to_text(text)),
                BodyType::Html => write_string(out, &text::text_to_html(text)),
            }
        }
        Shape::Bool(at) => {
            out.extend_from_slice(if row.bool(*at)? { b"true" } else { b"false" });
        }
        Shape::Int(at) => {
            out.extend_from_slice(itoa::Buffer::new().format(row.int(*at)?).as_bytes());
        }
        Shape::Json(at) => out.extend_from_slice(row.text(*at)?.as_bytes()),
        Shape::Time { at, offset } => {
            let offset = offset.map_or(Ok(0), |offset| row.int(offset))?;
            let offset_minutes = i16::try_from(offset).unwrap_or(0);
            out.push(b'"');
            DateTimeOffset { ticks: row.int(*at)?, offset_minutes }.write(out);
            out.push(b'"');
        }
    }
    Ok(())
}

/// Writes the members of an object of JSON as further members of the entity that is being written.
fn write_dynamic(object: &str, annotations: bool, which: &Dynamic, out: &mut Vec<u8>) {
    let named;
    let object = match which {
        Dynamic::All => object,
        Dynamic::Named(names) => {
            named = only(object, names);
            &named
        }
    };
    if annotations {
        let members = object.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        let members = members.unwrap_or_default();
        if !members.is_empty() {
            out.push(b',');
            out.extend_from_slice(members.as_bytes());
        }
        return;
    }
    let mut members = Vec::new();
    write_bare(object, &mut members);
    if let [b'{', inner @ .., b'}'] = &members[..]
        && !inner.is_empty()
    {
        out.push(b',');
        out.extend_from_slice(inner);
    }
}

/// The members of these names of an object of JSON, with what is said of them.
fn only(object: &str, names: &[String]) -> String {
    let Ok(Json::Object(mut members)) = json::parse(object.as_bytes(), usize::MAX) else {
        return String::new();
    };
    members.retain(|(name, _)| {
        let of = name.split('@').next().unwrap_or(name);
        names.iter().any(|it| it.eq_ignore_ascii_case(of))
    });
    let mut text = Vec::new();
    json::write(&mut text, &Json::Object(members));
    String::from_utf8_lossy(&text).into_owned()
}

/// Writes a JSON text without the annotations in it.
fn write_bare(text: &str, out: &mut Vec<u8>) {
    fn bare(tree: Json) -> Json {
        match tree {
            Json::Object(members) => Json::Object(
                members
                    .into_iter()
                    .filter(|(name, _)| !name.contains('@'))
                    .map(|(name, value)| (name, bare(value)))
                    .collect(),
            ),
            Json::Array(items) => Json::Array(items.into_iter().map(bare).collect()),
            other => other,
        }
    }
    // It was read before it was stored.
    if let Ok(tree) = json::parse(text.as_bytes(), usize::MAX) {
        json::write(out, &bare(tree));
    }
}

fn write_blob(
    row: &Row<'_>,
    (content, group, hash): (usize, usize, usize),
    blobs: &Path,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let file;
    let bytes = if row.is_null(content)? {
        file = blobs::read_file(blobs, row.id(group)?, row.bytes(hash)?)?;
        &file[..]
    } else {
        row.bytes(content)?
    };
    let start = out.len();
    let size = base64::encoded_len(bytes.len(), true)
        .ok_or_else(|| Error::Defect("a blob is too large to show".into()))?;
    out.resize(start + size, 0);
    BASE64_STANDARD
        .encode_slice(bytes, &mut out[start..])
        .map_err(|error| Error::Defect(error.to_string()))?;
    Ok(())
}
