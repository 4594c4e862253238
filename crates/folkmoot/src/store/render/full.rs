//! What `odata.metadata=full` adds to an entity: types, its own address, the ways onward from it.
//!
//! **Invariant:** annotations of a property stand right before it, those of the entity before all of
//! its properties (OData JSON 4.0, section 4.5). At the other levels nothing here runs for a row.

use odata::edm::{Navigation, Primitive, Property, Type};
use odata::json::write_string;

use super::{Field, Program, Shape, When, lead};
use crate::model::{Entity, MODEL};
use crate::store::driver::Row;
use crate::store::error::Error;

/// The links of an entity.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// Of the entity itself.
    own: Vec<Link>,
    /// Of its media stream, in the rows that have one.
    media: Option<(Link, When)>,
    /// Of the navigations that are not expanded.
    onward: Vec<Link>,
}

/// One member whose value is an address: the entity's own and what comes after it.
#[derive(Debug)]
struct Link {
    lead: Vec<u8>,
    tail: String,
}

impl Links {
    /// The links of an entity; with `onward` also to where its navigations lead.
    pub(super) fn of<'n>(onward: impl Iterator<Item = &'n Navigation>) -> Links {
        let mut links = Links::default();
        let own =
            |name: &str, tail: &str, first| Link { lead: lead(name, first), tail: tail.into() };
        links.own.push(own("@odata.id", "", true));
        links.own.push(own("@odata.editLink", "", false));
        for navigation in onward {
            links.onward.extend(ways(navigation));
        }
        links
    }

    /// The address of an entity, and nothing else.
    pub(super) fn to_own() -> Links {
        let own = Link { lead: lead("@odata.id", true), tail: String::new() };
        Links { own: vec![own], ..Links::default() }
    }

    pub(super) fn write_own(
        &self,
        row: &Row<'_>,
        own: &str,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        write(&self.own, own, out);
        if let Some((link, when)) = &self.media
            && when.holds(row)?
        {
            write(std::slice::from_ref(link), own, out);
        }
        Ok(())
    }

    pub(super) fn write_onward(&self, own: &str, out: &mut Vec<u8>) {
        write(&self.onward, own, out);
    }
}

fn write(links: &[Link], own: &str, out: &mut Vec<u8>) {
    for Link { lead, tail } in links {
        out.extend_from_slice(lead);
        write_string(out, &format!("{own}{tail}"));
    }
}

fn ways(navigation: &Navigation) -> [Link; 2] {
    let name = navigation.name;
    [("association", "/$ref"), ("navigation", "")].map(|(kind, tail)| Link {
        lead: lead(&format!("{name}@odata.{kind}Link"), false),
        tail: format!("/{name}{tail}"),
    })
}

/// Writes the links of an expanded navigation of the entity at `own`, which stand before its value.
pub(crate) fn write_ways(navigation: &Navigation, own: &str, out: &mut Vec<u8>) {
    write(&ways(navigation), own, out);
}

impl Program {
    /// Adds where the media stream of an entity is and of which type, for the types that have one.
    pub(super) fn media(&mut self, entity: &'static Entity) {
        if !entity.edm.has_stream {
            return;
        }
        let with_stream = entity.edm.derived.iter().filter(|it| it.has_stream);
        let when = match with_stream.map(|it| it.name).collect::<Vec<_>>() {
            types if types.is_empty() => When::Always,
            types => self.of_kinds(entity, &types),
        };
        if let Some(links) = &mut self.links {
            let link = Link { lead: lead("@odata.mediaReadLink", false), tail: "/$value".into() };
            links.media = Some((link, when));
        }
        if let Some(property) = entity.edm.property("contentType") {
            let shape = self.shape(property, entity.source(property));
            let lead = lead("@odata.mediaContentType", false);
            self.fields.push(Field { lead, shape, when });
        }
    }

    /// Adds the type of `property`, where its value alone does not say it.
    pub(super) fn type_of(&mut self, property: &Property) {
        if let Some(ty) = type_name(property) {
            let shape = Shape::Constant(format!("\"{ty}\"").into());
            self.field(&format!("{}@odata.type", property.name), shape);
        }
    }
}

/// The types of a complex value and its part `property`, as members that come before that part.
pub(super) fn complex_types(owner: &Property, property: &Property, first: bool) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut add = |name: &str, ty: String| {
        let lead = lead(name, first && fields.is_empty());
        let shape = Shape::Constant(format!("\"{ty}\"").into());
        fields.push(Field { lead, shape, when: When::Always });
    };
    if first {
        add("@odata.type", format!("#{}.{}", MODEL.namespace, owner.ty.name()));
    }
    if let Some(ty) = type_name(property) {
        add(&format!("{}@odata.type", property.name), ty);
    }
    fields
}

/// The type of a value that JSON's own kinds do not tell (section 4.5.3); a single complex value holds
/// its type itself.
fn type_name(property: &Property) -> Option<String> {
    let name = match property.ty {
        Type::Primitive(it) => it.name().trim_start_matches("Edm.").to_owned(),
        Type::Enum(_) | Type::Complex(_) | Type::Document(_) => {
            format!("{}.{}", MODEL.namespace, property.ty.name())
        }
    };
    match property.ty {
        _ if property.collection => Some(format!("#Collection({name})")),
        // A document holds its type itself, as a single complex value does.
        Type::Complex(_)
        | Type::Document(_)
        | Type::Primitive(
            Primitive::Boolean
            | Primitive::Int32
            | Primitive::Int64
            | Primitive::Double
            | Primitive::String,
        ) => None,
        Type::Enum(_)
        | Type::Primitive(Primitive::DateTimeOffset | Primitive::Guid | Primitive::Binary) => {
            Some(format!("#{name}"))
        }
    }
}
