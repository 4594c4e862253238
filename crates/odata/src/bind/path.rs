//! Resource paths (OData 4.01 part 2, section 4) against the model, segment by segment.
//!
//! **Invariant:** at each segment it is known what stands before it, and only what can follow that is
//! taken; `$count`, `$value`, `$ref` and actions end a path.

use super::{BindError, Path, Step};
use crate::edm::{
    Action, ComplexType, EntityType, Model, Navigation, Property, Published, Type, unqualified,
};
use crate::syntax::Segment;

/// Resolves the segments of a path below the service root. Names are matched in any letter case; where
/// one name is several things, a navigation goes before an action and an action before a property.
///
/// # Errors
/// [`BindError::EmptyPath`] for no segments, [`BindError::UnknownSegment`] for what the model does not
/// declare, and others for what it declares and does not allow in this place.
pub fn bind_path(model: &'static Model, segments: &[Segment]) -> Result<Path, BindError> {
    let (first, rest) = segments.split_first().ok_or(BindError::EmptyPath)?;
    let unknown = || BindError::UnknownSegment {
        segment: first.name.clone(),
        after: "the service root".to_owned(),
    };
    let root = model.root(&first.name).filter(|_| !is_call(first)).ok_or_else(unknown)?;
    let entity = (root.entity)();
    let at = if root.singleton { At::Entity(entity) } else { At::Collection(entity) };
    let mut walk = Walk { model, at, via: None, steps: Vec::new() };
    walk.key_of(first)?;
    for segment in rest {
        walk.step(segment)?;
    }
    Ok(Path { root, steps: walk.steps })
}

/// What the segments so far lead to.
#[derive(Clone, Copy)]
enum At {
    Collection(&'static EntityType),
    Entity(&'static EntityType),
    Complex(&'static ComplexType),
    /// A value that is not structured.
    Value(&'static Property),
    /// A collection of values.
    Values(&'static Property),
    /// Something that ends a path.
    End(&'static str),
}

struct Walk {
    model: &'static Model,
    at: At,
    /// The navigation that led here; absent below a root, whose entities `$ref` cannot name.
    via: Option<&'static Navigation>,
    steps: Vec<Step>,
}

/// `name()`: parentheses without a key.
const fn is_call(segment: &Segment) -> bool {
    segment.parentheses && segment.key.is_none()
}

/// Whether a segment is written as a type or an action with its namespace, and not as a key that has
/// dots in it, such as a mail address.
fn is_qualified(name: &str) -> bool {
    let identifier = |part: &str| {
        part.starts_with(|it: char| it.is_ascii_alphabetic() || it == '_')
            && part.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_')
    };
    name.contains('.') && name.split('.').all(identifier)
}

impl Walk {
    fn step(&mut self, segment: &Segment) -> Result<(), BindError> {
        if let At::End(_) = self.at {
            return Err(self.misplaced(segment));
        }
        if segment.name.starts_with('$') && !segment.parentheses {
            return self.system(segment);
        }
        match self.at {
            At::Collection(entity) => self.in_collection(entity, segment),
            At::Entity(entity) => self.in_entity(entity, segment),
            At::Complex(ty) => match ty.property(&segment.name) {
                Some(property) if !segment.parentheses => {
                    self.property(property);
                    Ok(())
                }
                _ => Err(self.unknown(segment)),
            },
            At::Value(_) | At::Values(_) | At::End(_) => Err(self.misplaced(segment)),
        }
    }

    /// `$count`, `$value` and `$ref`.
    fn system(&mut self, segment: &Segment) -> Result<(), BindError> {
        let is = |name: &str| segment.name.eq_ignore_ascii_case(name);
        let (step, name) = match self.at {
            At::Collection(_) if is("$count") => (Step::Count, "$count"),
            At::Collection(_) | At::Entity(_) if is("$ref") && self.via.is_some() => {
                (Step::Ref, "$ref")
            }
            At::Entity(EntityType { has_stream: true, .. }) | At::Value(_) if is("$value") => {
                (Step::Value, "$value")
            }
            _ if is("$count") || is("$value") || is("$ref") => return Err(self.misplaced(segment)),
            _ => return Err(self.unknown(segment)),
        };
        self.end(step, name);
        Ok(())
    }

    fn in_collection(
        &mut self,
        entity: &'static EntityType,
        segment: &Segment,
    ) -> Result<(), BindError> {
        let qualified = is_qualified(&segment.name);
        if qualified
            && !is_call(segment)
            && let Some(derived) = entity.derived(&segment.name)
        {
            self.steps.push(Step::Narrow(derived));
            return self.key_of(segment);
        }
        if qualified
            && !is_call(segment)
            && let Some(cast) = self.model.entity(&segment.name)
        {
            self.cast(entity, cast, segment)?;
            return self.key_of(segment);
        }
        let name = if qualified { unqualified(&segment.name) } else { &segment.name };
        let known = entity.action(name, true).filter(|_| segment.key.is_none());
        let own_namespace = segment.name.rsplit_once('.').map(|(namespace, _)| namespace);
        if let Some(action) = known {
            self.action(action);
        } else if segment.parentheses || own_namespace.is_some_and(|it| self.is_own(it)) {
            return Err(self.unknown(segment));
        } else {
            self.key(entity, segment.name.clone());
        }
        Ok(())
    }

    fn in_entity(
        &mut self,
        entity: &'static EntityType,
        segment: &Segment,
    ) -> Result<(), BindError> {
        let qualified = is_qualified(&segment.name);
        let name = if qualified { unqualified(&segment.name) } else { &segment.name };
        let plain = !qualified && !is_call(segment);
        // What is not of the protocol has its own namespace in its name.
        let own = |it: &&Navigation| qualified && it.published == Published::Never;
        let navigation = self.model.navigation(entity, name).filter(|_| plain);
        // A navigation of ours is described as a function: its namespace goes before its name.
        let function = self.model.own_name(&segment.name).and_then(|it| entity.navigation(it));
        let function = || entity.navigation(&segment.name).or(function).filter(own);
        if let Some(navigation) = navigation.or_else(function) {
            let target = (navigation.target)();
            let many = navigation.collection;
            self.at = if many { At::Collection(target) } else { At::Entity(target) };
            self.via = Some(navigation);
            self.steps.push(Step::Navigation(navigation));
            return self.key_of(segment);
        }
        if segment.key.is_some() {
            return Err(self.unknown(segment));
        }
        let own_action = entity.action(&segment.name, false).filter(|_| qualified);
        if let Some(action) = entity.action(name, false).or(own_action) {
            self.action(action);
        } else if let Some(property) = self
            .model
            .property(entity, name)
            .filter(|it| plain && !matches!(it.ty, Type::Document(_)))
        {
            self.property(property);
        } else if let Some(derived) =
            entity.derived(name).filter(|_| qualified && !segment.parentheses)
        {
            self.steps.push(Step::Narrow(derived));
        } else if let Some(cast) =
            self.model.entity(name).filter(|_| qualified && !segment.parentheses)
        {
            self.cast(entity, cast, segment)?;
        } else {
            return Err(self.unknown(segment));
        }
        Ok(())
    }

    /// The key in the parentheses of a segment that is already taken.
    fn key_of(&mut self, segment: &Segment) -> Result<(), BindError> {
        let Some(key) = &segment.key else { return Ok(()) };
        match self.at {
            At::Collection(entity) => {
                self.key(entity, key.clone());
                Ok(())
            }
            _ => Err(BindError::KeyOfSingle { segment: segment.name.clone() }),
        }
    }

    fn key(&mut self, entity: &'static EntityType, key: String) {
        self.steps.push(Step::Key(key));
        self.at = At::Entity(entity);
    }

    fn action(&mut self, action: &'static Action) {
        self.end(Step::Action(action), action.name);
    }

    fn end(&mut self, step: Step, name: &'static str) {
        self.steps.push(step);
        self.at = At::End(name);
    }

    fn property(&mut self, property: &'static Property) {
        self.steps.push(Step::Property(property));
        self.at = match property.ty {
            _ if property.collection => At::Values(property),
            Type::Complex(ty) => At::Complex(ty),
            _ => At::Value(property),
        };
    }

    fn cast(
        &mut self,
        from: &'static EntityType,
        cast: &'static EntityType,
        segment: &Segment,
    ) -> Result<(), BindError> {
        let declared = self.via.and_then(|it| it.declared);
        let derives = |declared| self.model.derives(cast, declared);
        if !std::ptr::eq(from, cast) && !declared.is_some_and(derives) {
            let declared = self.qualified(declared.unwrap_or(from.name));
            return Err(BindError::Cast { cast: segment.name.clone(), declared });
        }
        self.steps.push(Step::Cast(cast));
        self.at = match self.at {
            At::Collection(_) => At::Collection(cast),
            _ => At::Entity(cast),
        };
        Ok(())
    }

    /// Whether a namespace is the model's, or the last part of it, by which Graph's own clients call it.
    fn is_own(&self, namespace: &str) -> bool {
        let alias = unqualified(self.model.namespace);
        [self.model.namespace, alias].iter().any(|it| namespace.eq_ignore_ascii_case(it))
    }

    fn qualified(&self, name: &str) -> String {
        format!("{}.{name}", self.model.namespace)
    }

    /// What stands before the next segment.
    fn before(&self) -> String {
        match self.at {
            At::Collection(ty) => format!("a collection of '{}'", self.qualified(ty.name)),
            At::Entity(ty) => format!("'{}'", self.qualified(ty.name)),
            At::Complex(ty) => format!("'{}'", self.qualified(ty.name)),
            At::Value(it) | At::Values(it) => format!("the property '{}'", it.name),
            At::End(name) => format!("'{name}'"),
        }
    }

    fn unknown(&self, segment: &Segment) -> BindError {
        BindError::UnknownSegment { segment: segment.name.clone(), after: self.before() }
    }

    fn misplaced(&self, segment: &Segment) -> BindError {
        BindError::MisplacedSegment { segment: segment.name.clone(), after: self.before() }
    }
}
