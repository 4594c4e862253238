//! Extended properties of posts: MAPI properties, by the names that Exchange's clients give them.
//!
//! **Invariant:** a name is one of the documented forms, kept as it was sent.

use odata::bind::Path;
use odata::decode::{Field, Record};

use crate::model::{MULTI_VALUE_PROPERTY, SINGLE_VALUE_PROPERTY};
use crate::service::draft::{at, at_most, strings};
use crate::service::posts::{self, Touched};
use crate::service::{Created, Ctx, Error, limits, read, resolve};
use crate::store;
use crate::store::post_children::{self, NewProperty, PropertyValue};

/// An extended property as a client may send it.
#[derive(Clone, Debug)]
pub(crate) struct PropertyDraft {
    /// None for one without a name, as the seed's pages send it.
    name: Option<String>,
    value: PropertyValue,
}

impl PropertyDraft {
    /// The property with an id of its own, which is its name too where it was sent without one.
    pub(super) fn prepare(self, ctx: &Ctx) -> NewProperty {
        let id = ctx.clock.id();
        let name = self.name.unwrap_or_else(|| id.hyphenated().to_string());
        NewProperty { id, name, value: self.value }
    }
}

/// The property that a record of either type holds.
pub(super) fn draft(mut record: Record) -> Result<PropertyDraft, Error> {
    let name = record.take("id").and_then(Field::into_string);
    if let Some(name) = &name {
        let property = at(&record, "id");
        at_most(property.clone(), name, limits::NAME_CHARS_MAX)?;
        if !is_name(name) {
            let problem = "must be '{type} {guid} Name {name}', '{type} {guid} Id {0xnumber}' or \
                '{type} {0xtag}', such as 'String {66f5a359-4659-4830-9070-00047ec6ac6e} Name Color'";
            return Err(Error::property(property, problem));
        }
    }
    Ok(PropertyDraft { name, value: value(&mut record)? })
}

fn value(record: &mut Record) -> Result<PropertyValue, Error> {
    if record.entity.name == MULTI_VALUE_PROPERTY.edm.name {
        let values = strings(record, "value", limits::POST_CHILDREN_MAX)?;
        return Ok(PropertyValue::Multi(values));
    }
    let value = record.take("value").and_then(Field::into_string);
    at_most(at(record, "value"), value.as_deref().unwrap_or_default(), limits::VALUE_CHARS_MAX)?;
    Ok(PropertyValue::Single(value))
}

/// Whether a text is the id of an extended property (GRAPH's extended properties overview), or a GUID
/// that this server gave to one.
fn is_name(text: &str) -> bool {
    if uuid::Uuid::try_parse(text).is_ok() {
        return true;
    }
    let hex = |text: &str| {
        let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
        digits.is_some_and(|it| !it.is_empty() && it.bytes().all(|b| b.is_ascii_hexdigit()))
    };
    let word = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric());
    let mut parts = text.splitn(4, ' ');
    let (ty, second, third, rest) = (parts.next(), parts.next(), parts.next(), parts.next());
    let guid = |text: &str| {
        let inner = text.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
        inner.is_some_and(|it| uuid::Uuid::try_parse(it).is_ok())
    };
    match (ty, second, third, rest) {
        (Some(ty), Some(tag), None, None) => word(ty) && hex(tag),
        (Some(ty), Some(set), Some(kind), Some(name)) => {
            let named = kind.eq_ignore_ascii_case("Name") && !name.is_empty();
            word(ty) && guid(set) && (named || kind.eq_ignore_ascii_case("Id") && hex(name))
        }
        _ => false,
    }
}

/// The table of a collection's entities.
const fn table(value: &PropertyValue) -> &'static str {
    match value {
        PropertyValue::Single(_) => SINGLE_VALUE_PROPERTY.table,
        PropertyValue::Multi(_) => MULTI_VALUE_PROPERTY.table,
    }
}

/// Adds an extended property to the post whose collection of them `path` leads to.
pub(crate) async fn create(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let type_sent = record.type_sent.take();
    let property = draft(record)?.prepare(ctx);
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, property, type_sent), |tx, input| {
            Box::pin(async move {
                let (ctx, path, property, type_sent) = input;
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                posts::may_change(tx, &at.access, &post).await?;
                let group = at.group()?.id;
                let table = table(&property.value);
                let there = post_children::count(tx, table, group, post.id).await?;
                posts::room_for_one(there, "extended properties")?;
                post_children::insert_property(tx, group, post.id, property).await.map_err(
                    |error| match error {
                        store::Error::Duplicate(_) => Error::Taken("id"),
                        other => other.into(),
                    },
                )?;
                posts::after(tx, ctx, &at.access, &post, Touched::Child(property.id)).await?;
                let key = (property.id, &property.name[..]);
                read::created(tx, ctx, at, key, type_sent.as_deref()).await
            })
        })
        .await
}

/// Gives the extended property that `path` leads to another value; the answer is all of it.
pub(crate) async fn update(ctx: &Ctx, path: Path, mut record: Record) -> Result<Created, Error> {
    let value = value(&mut record)?;
    let scope = ctx.scope(&path);
    ctx.store
        .write(scope, (ctx.clone(), path, value), |tx, (ctx, path, value)| {
            Box::pin(async move {
                let at = resolve::resolve(tx, ctx, path, true).await?;
                let post = posts::on_post(tx, &at).await?;
                posts::may_change(tx, &at.access, &post).await?;
                resolve::check_if_match(tx, ctx, &at).await?;
                post_children::set_property(tx, at.group()?.id, at.id()?, value).await?;
                posts::after(tx, ctx, &at.access, &post, Touched::Child(at.id()?)).await?;
                read::changed(tx, ctx, at, None).await
            })
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::is_name;

    #[test]
    fn names_have_one_of_the_documented_forms() {
        let set = "{66f5a359-4659-4830-9070-00047ec6ac6e}";
        for good in ["String 0x4001001E", "integer 0X1a", "1b25ee4f-ee4f-1b25-4fee-251b4fee251b"] {
            assert!(is_name(good), "{good}");
        }
        for good in ["Name Color", "name two words", "Id 0x8012"] {
            assert!(is_name(&format!("String {set} {good}")), "{good}");
        }
        for bad in ["", "Color", "String", "String 4001", "String {x} Name Color"] {
            assert!(!is_name(bad), "{bad}");
        }
        for bad in ["Name ", "Id Color", "Id 0x", "Called Color", "Name"] {
            assert!(!is_name(&format!("String {set} {bad}")), "{bad}");
        }
    }
}
