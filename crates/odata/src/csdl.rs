//! `$metadata`: the model as CSDL XML (OData CSDL XML Representation 4.01).
//!
//! **Invariant:** the text depends on the model alone and follows the order in which it is declared, so
//! that two versions of it can be compared line by line. The protocol's schema holds nothing that is the
//! service's own: that is described in a second one.

use std::fmt::Write as _;

use crate::edm::{
    AbstractType, Action, ComplexType, DerivedType, EntityType, EnumType, Model, Navigation,
    ParameterType, Property, Published, ReturnType, Type,
};

const EDM: &str = "http://docs.oasis-open.org/odata/ns/edm";
const EDMX: &str = "http://docs.oasis-open.org/odata/ns/edmx";

/// The whole document of a version, one element a line. What is not published in it is left out.
pub fn metadata(model: &Model) -> String {
    let mut xml = Xml { out: String::new(), depth: 0, model };
    xml.out.push_str("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
    xml.open("edmx:Edmx", &[("Version", "4.0"), ("xmlns:edmx", EDMX)]);
    xml.open("edmx:DataServices", &[]);
    xml.protocol();
    if model.own {
        xml.own();
    }
    xml.close("edmx:DataServices");
    xml.close("edmx:Edmx");
    xml.out
}

/// A document that is being written.
struct Xml<'m> {
    out: String,
    depth: usize,
    model: &'m Model,
}

type Attributes<'a> = [(&'a str, &'a str)];

impl Xml<'_> {
    fn open(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.tag(name, attributes, ">");
        self.depth += 1;
    }

    fn empty(&mut self, name: &str, attributes: &Attributes<'_>) {
        self.tag(name, attributes, "/>");
    }

    fn close(&mut self, name: &str) {
        self.depth -= 1;
        self.indent();
        self.out.extend(["</", name, ">\n"]);
    }

    fn indent(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn tag(&mut self, name: &str, attributes: &Attributes<'_>, end: &str) {
        self.indent();
        self.out.extend(["<", name]);
        for (name, value) in attributes {
            self.out.extend([" ", name, "=\""]);
            for c in value.chars() {
                match c {
                    '&' => self.out.push_str("&amp;"),
                    '<' => self.out.push_str("&lt;"),
                    '>' => self.out.push_str("&gt;"),
                    '"' => self.out.push_str("&quot;"),
                    // White space in an attribute would otherwise be read as a plain space.
                    c if c.is_control() => {
                        // Writing to a String cannot fail.
                        let _ = write!(self.out, "&#{};", u32::from(c));
                    }
                    c => self.out.push(c),
                }
            }
            self.out.push('"');
        }
        self.out.extend([end, "\n"]);
    }

    /// The schema of the protocol.
    fn protocol(&mut self) {
        let model = self.model;
        self.open("Schema", &[("Namespace", model.namespace), ("xmlns", EDM)]);
        for ty in model.enums.iter().filter(|it| it.published.is_in(model.beta)) {
            self.enumeration(ty);
        }
        for ty in model.complexes {
            self.complex(ty);
        }
        for ty in model.abstracts {
            self.abstract_type(ty);
        }
        let published = || model.entities.iter().filter(|it| it.published.is_in(model.beta));
        for ty in published() {
            self.entity(ty);
        }
        for ty in published() {
            for action in ty.actions.iter().filter(|it| it.published.is_in(model.beta)) {
                self.action(ty, action);
            }
        }
        self.container();
        self.close("Schema");
    }

    /// The schema of what is the service's own: entity types; actions; the ways to entities, as functions,
    /// since no schema can add a navigation to a type of another; annotations, as terms.
    fn own(&mut self) {
        let model = self.model;
        self.open("Schema", &[("Namespace", model.own_namespace), ("xmlns", EDM)]);
        let is_own = |it: Published| it == Published::Never;
        for ty in model.entities.iter().filter(|it| is_own(it.published)) {
            self.entity(ty);
        }
        for ty in model.entities {
            for action in ty.actions {
                let own = is_own(action.published) && !is_inherited(model, ty, action);
                if own || is_own(ty.published) {
                    self.action(ty, action);
                }
            }
        }
        for ty in model.entities {
            for navigation in ty.navigations.iter().filter(|it| is_own(it.published)) {
                self.function(ty, navigation);
            }
        }
        for ty in model.entities {
            for property in ty.properties.iter().filter(|it| is_own(it.published)) {
                self.term(property);
            }
        }
        self.close("Schema");
    }

    fn type_name(&self, ty: Type, collection: bool) -> String {
        let name = match ty {
            Type::Primitive(it) => it.name().to_owned(),
            it => self.model.qualified(it.name()),
        };
        collection_if(collection, name)
    }

    fn enumeration(&mut self, ty: &EnumType) {
        self.open("EnumType", &[("Name", ty.name)]);
        for (name, value) in ty.members {
            self.empty("Member", &[("Name", name), ("Value", &value.to_string())]);
        }
        self.close("EnumType");
    }

    fn complex(&mut self, ty: &ComplexType) {
        self.open("ComplexType", &[("Name", ty.name)]);
        self.properties(ty.properties);
        self.close("ComplexType");
    }

    fn abstract_type(&mut self, ty: &AbstractType) {
        self.open_entity(ty.name, ty.base, &[("Abstract", true), ("OpenType", ty.open)]);
        self.key(ty.base, ty.properties);
        self.properties(ty.properties);
        self.close("EntityType");
    }

    fn entity(&mut self, ty: &EntityType) {
        let model = self.model;
        // What entity types of their own derive from is concrete in Graph's description, and open.
        let elsewhere = |it: &DerivedType| model.entities.iter().any(|ty| ty.name == it.name);
        let is_abstract = !ty.derived.is_empty() && !ty.derived.iter().any(elsewhere);
        let stream = ty.has_stream && !is_abstract;
        let flags = [("Abstract", is_abstract), ("OpenType", ty.open), ("HasStream", stream)];
        self.open_entity(ty.name, ty.base, &flags);
        self.key(ty.base, ty.properties);
        self.properties(ty.properties.iter().filter(|it| it.only.is_empty()));
        for navigation in ty.navigations {
            if navigation.published.is_in(model.beta) {
                self.navigation(navigation);
            }
        }
        self.close("EntityType");
        for derived in ty.derived.iter().filter(|it| !elsewhere(it)) {
            let flags = [("HasStream", derived.has_stream)];
            self.open_entity(derived.name, Some(ty.name), &flags);
            self.properties(ty.properties.iter().filter(|it| it.only.contains(&derived.name)));
            self.close("EntityType");
        }
    }

    fn open_entity(&mut self, name: &str, base: Option<&str>, flags: &[(&str, bool)]) {
        let base = base.map(|it| self.model.qualified(it));
        let mut attributes = vec![("Name", name)];
        attributes.extend(base.as_deref().map(|it| ("BaseType", it)));
        attributes.extend(flags.iter().filter(|(_, set)| *set).map(|(name, _)| (*name, "true")));
        self.open("EntityType", &attributes);
    }

    /// The key, where a type does not have it from its base.
    fn key(&mut self, base: Option<&str>, properties: &[Property]) {
        if base.is_none() && properties.iter().any(|it| it.name == "id") {
            self.open("Key", &[]);
            self.empty("PropertyRef", &[("Name", "id")]);
            self.close("Key");
        }
    }

    fn properties<'p>(&mut self, properties: impl IntoIterator<Item = &'p Property>) {
        let beta = self.model.beta;
        let described =
            |it: &&Property| it.inherited.is_none() && it.published.is_in(beta) && !it.undescribed;
        for property in properties.into_iter().filter(described) {
            let ty = self.type_name(property.ty, property.collection);
            if let Type::Document(_) = property.ty {
                let attributes =
                    [("Name", property.name), ("Type", &*ty), ("ContainsTarget", "true")];
                self.empty("NavigationProperty", &attributes);
                continue;
            }
            let mut attributes = vec![("Name", property.name), ("Type", &ty)];
            if !property.nullable && !property.nullable_items {
                attributes.push(("Nullable", "false"));
            }
            self.empty("Property", &attributes);
        }
    }

    fn navigation(&mut self, navigation: &Navigation) {
        let ty = self.reached(navigation);
        let mut attributes = vec![("Name", navigation.name), ("Type", &*ty)];
        if navigation.described_contained {
            attributes.push(("ContainsTarget", "true"));
        }
        self.empty("NavigationProperty", &attributes);
    }

    /// The declared type of what a navigation leads to.
    fn reached(&self, navigation: &Navigation) -> String {
        let name = navigation.declared.unwrap_or((navigation.target)().name);
        collection_if(navigation.collection, self.model.qualified(name))
    }

    fn action(&mut self, ty: &EntityType, action: &Action) {
        let name = self.model.own_name(action.name).unwrap_or(action.name);
        self.open("Action", &[("Name", name), ("IsBound", "true")]);
        self.binding(collection_if(action.on_collection, self.model.qualified(ty.name)));
        for parameter in action.parameters {
            let ty = match parameter.ty {
                ParameterType::Value(ty, collection) => self.type_name(ty, collection),
                ParameterType::Entity(entity) => self.model.qualified(entity().name),
            };
            let mut attributes = vec![("Name", parameter.name), ("Type", &*ty)];
            if parameter.required {
                attributes.push(("Nullable", "false"));
            }
            self.empty("Parameter", &attributes);
        }
        match action.returns {
            Some(ReturnType::Value(ty)) => {
                let ty = self.type_name(ty, false);
                self.empty("ReturnType", &[("Type", &ty)]);
            }
            Some(ReturnType::Entities(entity)) => {
                let ty = collection_if(true, self.model.qualified(entity().name));
                self.empty("ReturnType", &[("Type", &ty), ("Nullable", "false")]);
            }
            None => {}
        }
        self.close("Action");
    }

    fn binding(&mut self, ty: String) {
        self.empty("Parameter", &[("Name", "bindingParameter"), ("Type", &ty)]);
    }

    fn function(&mut self, ty: &EntityType, navigation: &Navigation) {
        let name = self.model.own_name(navigation.name).unwrap_or(navigation.name);
        let attributes = [("Name", name), ("IsBound", "true"), ("IsComposable", "true")];
        self.open("Function", &attributes);
        self.binding(self.model.qualified(ty.name));
        let returned = self.reached(navigation);
        self.empty("ReturnType", &[("Type", &returned), ("Nullable", "false")]);
        self.close("Function");
    }

    fn term(&mut self, property: &Property) {
        let Some(name) = self.model.own_name(property.name) else { return };
        let ty = self.type_name(property.ty, property.collection);
        self.empty("Term", &[("Name", name), ("Type", &ty)]);
    }

    fn container(&mut self) {
        let model = self.model;
        self.open("EntityContainer", &[("Name", model.container)]);
        for root in model.roots {
            let ty = model.qualified((root.entity)().name);
            let (element, attribute) =
                if root.singleton { ("Singleton", "Type") } else { ("EntitySet", "EntityType") };
            self.empty(element, &[("Name", root.name), (attribute, &ty)]);
        }
        self.close("EntityContainer");
    }
}

/// Whether the protocol has this action from a type that `ty` derives from.
fn is_inherited(model: &Model, ty: &EntityType, action: &Action) -> bool {
    let above = model.entities.iter().filter(|it| model.derives(ty, it.name));
    above
        .filter_map(|it| it.action(action.name, action.on_collection))
        .any(|it| it.published != Published::Never)
}

fn collection_if(collection: bool, name: String) -> String {
    if collection { format!("Collection({name})") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BETA, MODEL};

    #[test]
    fn the_model_is_written_as_it_is_declared() {
        let text = metadata(&MODEL);
        for line in [
            r#"<?xml version="1.0" encoding="utf-8"?>"#,
            r#"<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">"#,
            r#"<Schema Namespace="test.model" xmlns="http://docs.oasis-open.org/odata/ns/edm">"#,
            r#"<Member Name="darkBlue" Value="1"/>"#,
            r#"<Property Name="address" Type="test.model.address"/>"#,
            r#"<EntityType Name="entity" Abstract="true">"#,
            r#"<PropertyRef Name="id"/>"#,
            r#"<EntityType Name="part" BaseType="test.model.entity" Abstract="true">"#,
            r#"<EntityType Name="note" BaseType="test.model.entity" OpenType="true">"#,
            r#"<EntityType Name="file" BaseType="test.model.part" HasStream="true">"#,
            r#"<Property Name="topic" Type="Edm.String" Nullable="false"/>"#,
            r#"<Property Name="tags" Type="Collection(Edm.String)" Nullable="false"/>"#,
            r#"<Property Name="guests" Type="Collection(test.model.person)" Nullable="false"/>"#,
            r#"<NavigationProperty Name="parts" Type="Collection(test.model.part)"/>"#,
            r#"<NavigationProperty Name="note" Type="test.model.note" ContainsTarget="true"/>"#,
            r#"<Parameter Name="bindingParameter" Type="test.model.room"/>"#,
            r#"<Parameter Name="Note" Type="test.model.note" Nullable="false"/>"#,
            r#"<Parameter Name="guests" Type="Collection(test.model.person)"/>"#,
            r#"<Parameter Name="bindingParameter" Type="Collection(test.model.room)"/>"#,
            r#"<ReturnType Type="Collection(test.model.room)" Nullable="false"/>"#,
            r#"<Property Name="private" Type="Collection(Edm.String)"/>"#,
            r#"<EntitySet Name="rooms" EntityType="test.model.room"/>"#,
            r#"<Singleton Name="lobby" Type="test.model.room"/>"#,
            r#"<EntityType Name="card" BaseType="test.model.entity" Abstract="true">"#,
            r#"<EntityType Name="picture" BaseType="test.model.card" HasStream="true">"#,
            r#"<EntityType Name="letter" BaseType="test.model.card">"#,
            r#"<NavigationProperty Name="enclosed" Type="test.model.paper" ContainsTarget="true"/>"#,
            "</edmx:Edmx>",
        ] {
            assert!(text.lines().any(|it| it.trim_start() == line), "{line}\n{text}");
        }
        let (protocol, own) = text.split_once("<Schema Namespace=\"own\"").unwrap();
        for line in [
            r#"<EntityType Name="visit" BaseType="test.model.entity">"#,
            r#"<Parameter Name="bindingParameter" Type="own.visit"/>"#,
            r#"<Action Name="knock" IsBound="true">"#,
            r#"<ReturnType Type="test.model.person"/>"#,
            r#"<Function Name="archive" IsBound="true" IsComposable="true">"#,
            r#"<ReturnType Type="Collection(test.model.note)" Nullable="false"/>"#,
            r#"<Function Name="visits" IsBound="true" IsComposable="true">"#,
            r#"<ReturnType Type="Collection(own.visit)" Nullable="false"/>"#,
            r#"<Term Name="isMine" Type="Edm.Boolean"/>"#,
        ] {
            assert!(own.lines().any(|it| it.trim_start() == line), "{line}\n{own}");
        }
        for name in ["visit\"", "knock", "archive", "isMine"] {
            assert!(!protocol.contains(name), "{name} is in the protocol's schema");
        }
        let strict = metadata(&Model { own: false, ..MODEL });
        assert_eq!(
            strict.split_once("  </Schema>").unwrap().0,
            protocol.split_once("  </Schema>").unwrap().0
        );
        assert!(!strict.contains("\"own\"") && !strict.contains("own."), "{strict}");
        let draft = r#"<Property Name="draft" Type="Edm.String"/>"#;
        assert!(!text.contains(draft) && metadata(&BETA).contains(draft));
        assert!(!metadata(&BETA).contains("\"rumour\""), "answers alone have it");
        assert_eq!(text.matches("<Property Name=\"id\"").count(), 1, "inherited ones are left out");
        assert_eq!(text, metadata(&MODEL));
    }

    #[test]
    fn every_element_is_closed() {
        let mut open = Vec::new();
        for line in metadata(&MODEL).lines().skip(1).map(str::trim) {
            let name = line.trim_matches(['<', '>', '/']).split(' ').next().unwrap().to_owned();
            if line.starts_with("</") {
                assert_eq!(open.pop(), Some(name));
            } else if !line.ends_with("/>") {
                open.push(name);
            }
        }
        assert!(open.is_empty());
    }

    #[test]
    fn attributes_are_escaped() {
        let mut xml = Xml { out: String::new(), depth: 0, model: &MODEL };
        xml.empty("A", &[("b", "<&>\"\n")]);
        assert_eq!(xml.out, "<A b=\"&lt;&amp;&gt;&quot;&#10;\"/>\n");
    }
}
