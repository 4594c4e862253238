//! `directoryObject`: a user or a group, where either may stand.
//!
//! **Invariant:** what it shows of a user and of a group is what these show of themselves by default, as far
//! as this server has it; `$metadata` describes it with them.

use odata::edm::{
    Action, DerivedType, Parameter, ParameterType, Primitive, Property, ReturnType, Type,
};

use super::shared::{EMPTY, id, text};
use super::{Source, entity};

const ANY: &[&str] = &["user", "group"];
const USER: &[&str] = &["user"];
const GROUP: &[&str] = &["group"];

/// Finds directory objects by their ids, whichever collection of them it is asked of.
pub(super) const GET_BY_IDS: Action = Action::new("getByIds")
    .on_collection()
    .with(&[
        Parameter {
            name: "ids",
            ty: ParameterType::Value(Type::Primitive(Primitive::String), true),
            required: true,
        },
        Parameter {
            name: "types",
            ty: ParameterType::Value(Type::Primitive(Primitive::String), true),
            required: false,
        },
    ])
    .returning(ReturnType::Entities(|| &DIRECTORY_OBJECT.edm));

entity! {
    /// Graph's `directoryObject`, and the two types that derive from it here.
    DIRECTORY_OBJECT = "directoryObject": "entity" in "directory_objects",
    in_group: false, open: false,
    derived: &[
        DerivedType { name: "user", has_stream: false },
        DerivedType { name: "group", has_stream: false },
    ],
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("deletedDateTime") => Source::Time { at: "deleted_at", offset: None };
        Property::boolean("accountEnabled").only(USER) => Source::Not("disabled");
        Property::string("businessPhones").many().only(USER) => EMPTY;
        Property::date_time("createdDateTime").only(GROUP)
            => Source::Time { at: "created_at", offset: None };
        Property::string("description").only(GROUP) => Source::Shown("description");
        Property::string("displayName").filterable().sortable().only(ANY)
            => text!("display_name");
        Property::string("givenName").only(USER) => Source::Shown("given_name");
        Property::string("groupTypes").many().only(GROUP) => Source::Document("group_types");
        Property::string("jobTitle").only(USER) => Source::Null;
        Property::string("mail").filterable().sortable().only(ANY) => text!("mail");
        Property::boolean("mailEnabled").only(GROUP) => Source::Bool("is_unified");
        Property::string("mailNickname").only(GROUP) => Source::Shown("mail_nickname");
        Property::string("mobilePhone").only(USER) => Source::Null;
        Property::string("officeLocation").only(USER) => Source::Null;
        Property::string("preferredLanguage").only(ANY) => Source::Null;
        Property::string("proxyAddresses").many().only(GROUP)
            => Source::Document("proxy_addresses");
        Property::date_time("renewedDateTime").only(GROUP)
            => Source::Time { at: "created_at", offset: None };
        Property::string("resourceBehaviorOptions").many().only(GROUP)
            => Source::Document("resource_behavior_options");
        Property::boolean("securityEnabled").only(GROUP) => Source::Bool("security_enabled");
        Property::string("surname").only(USER) => Source::Shown("surname");
        Property::string("userPrincipalName").only(USER) => Source::Shown("user_principal_name");
        Property::string("visibility").only(GROUP) => Source::Shown("visibility");
    }
    navigations: {}
    actions: &[GET_BY_IDS]
}
