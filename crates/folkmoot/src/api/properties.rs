//! `docs/properties.md`: what each query option can do with each property, as the model says it.
//!
//! **Invariant:** nothing of the page is written by hand but what `$search` of content looks at, which
//! is no property of the model's but words of the index.

use std::fmt::Write as _;
use std::path::Path;

use odata::edm::{EntityType, Navigation, Primitive, Property, Published, Type};

use crate::model::MODEL;

const HEAD: &str = "# Properties

Made from the model (`crates/folkmoot/src/model`) by `BLESS=1 cargo test -p folkmoot properties`.

What each query option can do with each property. What is not here is refused by name: 400. A property marked
`beta` is in `/beta` alone, one marked `own` is Folkmoot's and unknown to strict mode.

- `$select`: *always* (along with every answer), *default* (unless `$select` leaves it out), *on request*.
- `$filter`: *all* (every operator and function of the type), *eq, ne, in* (identifiers and enum members: they have no
  order that means anything and no parts), *any, all* (collections: lambdas, `$count`, `in`, `hassubset`).
- `$orderby`: whether it can be a key; keys are separated by commas, and the id breaks ties.
- `$search`: whether its words are found, or, on users and groups, whether `\"property:value\"` may name it.
- `$expand`: *yes*, with options of its own in parentheses, to three levels; then `/$count`, and `/$ref` where the entities
  live elsewhere. The same navigations take `any`, `all` and `/$count` in `$filter`.

How values compare is in [queries.md](queries.md), what `$search` finds in [search.md](search.md).
";

/// What `$search` of conversations, threads and posts looks at.
const SEARCHED: [(&str, &str); 8] = [
    ("conversation", "topic"),
    ("conversationThread", "topic"),
    ("post", "body/content"),
    ("post", "hasAttachments"),
    ("post", "receivedDateTime"),
    ("post", "from/emailAddress/name"),
    ("post", "from/emailAddress/address"),
    ("attachment", "name"),
];

fn document() -> String {
    let mut out = HEAD.to_owned();
    for entity in MODEL.entities {
        let _ = write!(
            out,
            "\n## {}\n| property | type | `$select` | `$filter` | `$orderby` | `$search` |\n\
             | --- | --- | --- | --- | --- | --- |\n",
            entity.name
        );
        for property in entity.properties {
            rows(&mut out, entity, &[property]);
        }
        let onward: Vec<_> = entity.navigations.iter().filter(|it| it.expandable).collect();
        if !onward.is_empty() {
            let _ = write!(out, "\n| navigation | to | `$expand` |\n| --- | --- | --- |\n");
        }
        for navigation in onward {
            let _ = writeln!(
                out,
                "| `{}`{} | {} | {} |",
                navigation.name,
                mark(navigation.published),
                target(navigation),
                match (navigation.collection, navigation.contained) {
                    (true, false) => "yes, `/$count`, `/$ref`",
                    (true, true) => "yes, `/$count`",
                    _ => "yes",
                }
            );
        }
    }
    out
}

/// The row of a property; of a complex one, those of its parts.
fn rows(out: &mut String, entity: &EntityType, path: &[&'static Property]) {
    let Some(property) = path.last() else { return };
    if let Type::Complex(ty) = property.ty
        && !property.collection
    {
        for part in ty.properties {
            rows(out, entity, &[path, &[part]].concat());
        }
        return;
    }
    let names: Vec<_> = path.iter().map(|it| it.name).collect();
    let name = names.join("/");
    let all = |is: fn(&Property) -> bool| path.iter().all(|it| is(it));
    let select = match path[0] {
        it if it.name == "id" => "always",
        it if it.by_default => "default",
        _ => "on request",
    };
    let filter = match property.ty {
        _ if !all(|it| it.filterable) => "",
        _ if property.collection => "any, all",
        Type::Enum(_) => "eq, ne, in",
        Type::Primitive(Primitive::String) if !property.textual => "eq, ne, in",
        _ => "all",
    };
    let is_text = matches!(property.ty, Type::Primitive(Primitive::String));
    let of_directory = ["user", "group"].contains(&entity.name);
    let searched = match of_directory {
        true => filter == "all" && is_text,
        false => SEARCHED.contains(&(entity.name, &name)),
    };
    let yes = |is: bool| if is { "yes" } else { "" };
    let _ = writeln!(
        out,
        "| `{name}`{} | {} | {select} | {filter} | {} | {} |",
        mark(path[0].published),
        type_name(property),
        yes(all(|it| it.sortable)),
        yes(searched)
    );
}

fn type_name(property: &Property) -> String {
    let name = property.ty.name();
    if property.collection { format!("Collection({name})") } else { name.to_owned() }
}

fn target(navigation: &Navigation) -> String {
    let name = navigation.declared.unwrap_or((navigation.target)().name);
    if navigation.collection { format!("Collection({name})") } else { name.to_owned() }
}

fn mark(published: Published) -> &'static str {
    match published {
        Published::Always => "",
        Published::Beta => " beta",
        Published::Never => " own",
    }
}

#[test]
fn properties_are_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/properties.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, document()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == document(), "run BLESS=1 cargo test -p folkmoot properties");
}
