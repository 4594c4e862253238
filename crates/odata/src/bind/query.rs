//! Query options (OData 4.01 part 2, section 5) against the type that they are asked of.
//!
//! **Invariant:** an option is bound whole or refused by name, inside `$expand` too; what is left to
//! the caller at the top (`$search`, `$deltatoken`, `$format`, `$id`) is refused in there.

use super::member::{Binder, descend};
use super::{BindError, Dynamic, Expand, OrderKey, Query, Shows};
use crate::edm::{EntityType, Model, Navigation, Property, Type, unqualified};
use crate::syntax::{ExpandItem, Options, OrderItem};

/// Resolves the options of a request on `entity` or a collection of it. The recursion is as deep as
/// the options are, which parsing them has bounded ([`Limits`](crate::syntax::Limits)).
///
/// # Errors
/// The first name that the model does not declare, or use of one that it does not allow.
pub fn bind_query(
    model: &Model,
    entity: &'static EntityType,
    options: &Options,
) -> Result<Query, BindError> {
    if options.top == Some(0) {
        return Err(BindError::TopZero);
    }
    // A parameter alias that is declared and not used does nothing; its use is an error in $filter.
    if let Some((name, _)) = options.other.iter().find(|(name, _)| !name.starts_with('@')) {
        return Err(BindError::Unsupported { what: name.clone(), place: String::new() });
    }
    let mut expand: Vec<Expand> = Vec::with_capacity(options.expand.len());
    let mut documents = Vec::new();
    for item in &options.expand {
        if let Some(document) = document(model, entity, item) {
            documents.push(document);
            continue;
        }
        let bound = expand_item(model, entity, item)?;
        let navigation = bound.navigation.name;
        if expand.iter().any(|it| it.navigation.name == navigation) {
            return Err(BindError::ExpandedTwice { navigation });
        }
        expand.push(bound);
    }
    let filter = options.filter.as_ref();
    let (select, dynamic) = select(model, entity, &options.select, &expand)?;
    Ok(Query {
        entity,
        select,
        dynamic,
        filter: filter.map(|it| Binder::new(model, entity, "$filter").predicate(it)).transpose()?,
        order_by: order_by(model, entity, &options.order_by)?,
        expand,
        documents,
        top: options.top,
        skip: options.skip,
        count: options.count.unwrap_or(false),
        skip_token: options.skip_token.clone(),
    })
}

/// A path without the cast to `entity`, or to a type that it derives from, at its start.
pub(super) fn without_cast<'p>(
    model: &Model,
    entity: &EntityType,
    path: &'p [String],
) -> &'p [String] {
    match path {
        [cast, rest @ ..] if !rest.is_empty() && cast.contains('.') => {
            let name = unqualified(cast);
            let is = name.eq_ignore_ascii_case(entity.name)
                || model.derives(entity, name)
                || entity.derived(name).is_some();
            if is { rest } else { path }
        }
        _ => path,
    }
}

fn unknown(model: &Model, ty: &str, name: &str, option: &'static str) -> BindError {
    let ty = format!("{}.{ty}", model.namespace);
    BindError::UnknownProperty { name: name.to_owned(), ty, option }
}

/// `$select` (section 5.1.3): the id is always among what is selected. A name that an open type does not
/// declare is that of an undeclared property, which an entity may have or not.
fn select(
    model: &Model,
    entity: &'static EntityType,
    items: &[Vec<String>],
    expand: &[Expand],
) -> Result<(Option<Vec<&'static Property>>, Dynamic), BindError> {
    if items.is_empty() {
        return Ok((None, Dynamic::All));
    }
    let mut undeclared: Vec<String> = Vec::new();
    let mut chosen: Vec<bool> = entity.properties.iter().map(|it| it.name == "id").collect();
    for item in items {
        let path = without_cast(model, entity, item);
        let Some((name, rest)) = path.split_first() else { continue };
        if name == "*" && rest.is_empty() {
            for (chosen, property) in chosen.iter_mut().zip(entity.properties) {
                *chosen |= model.describes(property);
            }
        } else if name.starts_with('@') && model.property(entity, name).is_none() {
            // Annotations are the answer's own affair.
        } else if let Some(at) =
            entity.properties.iter().position(|it| it.name.eq_ignore_ascii_case(name))
            && model.property(entity, name).is_some()
        {
            descend(model, &entity.properties[at], rest, "$select")?;
            chosen[at] = true;
        } else if let Some(navigation) = model.navigation(entity, name).filter(|_| rest.is_empty())
        {
            if !expand.iter().any(|it| it.navigation.name == navigation.name) {
                let (navigation, ty) = (navigation.name, entity.name);
                return Err(BindError::SelectedNotExpanded { navigation, ty });
            }
        } else if rest.is_empty() && may_be_undeclared(entity, name) {
            undeclared.push(name.clone());
        } else {
            return Err(unknown(model, entity.name, name, "$select"));
        }
    }
    let all = items.iter().any(|it| it[..] == ["*"]);
    let dynamic = if all { Dynamic::All } else { Dynamic::Named(undeclared) };
    let chosen = entity.properties.iter().zip(chosen).filter(|(_, chosen)| *chosen);
    Ok((Some(chosen.map(|(property, _)| property).collect()), dynamic))
}

/// Whether an entity may have an undeclared property of this name: not one that another version of the
/// service declares, nor a qualified one.
fn may_be_undeclared(entity: &EntityType, name: &str) -> bool {
    let declared = entity.property(name).is_some() || entity.navigation(name).is_some();
    entity.open && !declared && !name.contains('.')
}

fn order_by(
    model: &Model,
    entity: &'static EntityType,
    items: &[OrderItem],
) -> Result<Vec<OrderKey>, BindError> {
    let binder = Binder::new(model, entity, "$orderby");
    let key = |item: &OrderItem| {
        let member = binder.sortable(&item.key)?;
        Ok(OrderKey { member, descending: item.descending })
    };
    items.iter().map(key).collect()
}

fn expand_item(
    model: &Model,
    entity: &'static EntityType,
    item: &ExpandItem,
) -> Result<Expand, BindError> {
    let option = "$expand";
    let (path, shows) = match &item.path[..] {
        [path @ .., last] if last.eq_ignore_ascii_case("$count") => (path, Shows::Count),
        [path @ .., last] if last.eq_ignore_ascii_case("$ref") => (path, Shows::References),
        path => (path, Shows::Entities),
    };
    let [name] = without_cast(model, entity, path) else {
        return Err(match &item.path[..] {
            [cast, name] if cast.contains('.') => {
                let (name, ty) = (name.clone(), cast.clone());
                BindError::UnknownProperty { name, ty, option }
            }
            path => BindError::unsupported(format!("the path '{}'", path.join("/")), option),
        });
    };
    if name == "*" {
        return Err(BindError::unsupported("'*'", option));
    }
    let navigation = match model.navigation(entity, name) {
        Some(navigation) if navigation.expandable => navigation,
        None if model.property(entity, name).is_none() => {
            return Err(unknown(model, entity.name, name, option));
        }
        _ => return Err(BindError::NotAllowed { property: name.clone(), ty: entity.name, option }),
    };
    let sent = &item.options;
    let unfit = match shows {
        Shows::Entities => None,
        _ if !navigation.collection => Some("of a single entity"),
        // What lives inside another entity is not referred to.
        Shows::References if navigation.contained => Some("of contained entities"),
        _ if !sent.select.is_empty() || !sent.expand.is_empty() => Some("with $select or $expand"),
        Shows::Count if !sent.order_by.is_empty() || sent.top.is_some() || sent.skip.is_some() => {
            Some("with an order or a page")
        }
        _ => None,
    };
    if let Some(unfit) = unfit {
        let what = format!("'{}' {unfit}", item.path.join("/"));
        return Err(BindError::unsupported(what, option));
    }
    let query = nested_query(model, navigation, sent)?;
    Ok(Expand { navigation, query, options: sent.clone(), shows })
}

/// The contained document that an item of `$expand` without options of its own names.
fn document(
    model: &Model,
    entity: &'static EntityType,
    item: &ExpandItem,
) -> Option<&'static Property> {
    let [name] = without_cast(model, entity, &item.path) else { return None };
    let property = model.property(entity, name)?;
    let is = matches!(property.ty, Type::Document(_)) && item.options == Options::default();
    is.then_some(property)
}

/// The options in the parentheses of an `$expand` item (section 5.1.2).
fn nested_query(
    model: &Model,
    navigation: &'static Navigation,
    options: &Options,
) -> Result<Query, BindError> {
    let unread = [
        (options.skip_token.is_some(), "$skiptoken"),
        (options.search.is_some(), "$search"),
        (options.delta_token.is_some(), "$deltatoken"),
        (options.format.is_some(), "$format"),
        (options.id.is_some(), "$id"),
    ];
    if let Some((_, name)) = unread.iter().find(|(sent, _)| *sent) {
        return Err(BindError::unsupported(*name, "$expand"));
    }
    let of_collections = [
        (options.filter.is_some(), "$filter"),
        (!options.order_by.is_empty(), "$orderby"),
        (options.top.is_some(), "$top"),
        (options.skip.is_some(), "$skip"),
        (options.count.is_some(), "$count"),
    ];
    if let Some((_, option)) =
        of_collections.iter().find(|(sent, _)| *sent && !navigation.collection)
    {
        return Err(BindError::OptionOfSingle { option, navigation: navigation.name });
    }
    bind_query(model, (navigation.target)(), options)
}
