//! `user`: a person of a tenant.
//!
//! **Invariant:** `userPrincipalName` is unique within the tenant and a second key of the set.

use odata::edm::{Navigation, Property, Published};

use super::directory_object::GET_BY_IDS;
use super::shared::{EMPTY, id, text};
use super::{GROUP, Link, Source, entity};

/// Nobody is disabled yet.
const YES: Source = Source::Constant { json: "true", sql: "true" };
const MEMBER_OF: Link = Link::Through { table: "group_members", from: "user_id", to: "group_id" };

entity! {
    /// Graph's `user`.
    USER = "user": "directoryObject" in "users",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("deletedDateTime").on_request().from("directoryObject")
            => Source::Null;
        Property::string("businessPhones").many() => EMPTY;
        Property::string("displayName").filterable().sortable() => text!("display_name");
        Property::string("givenName").filterable().sortable() => text!("given_name");
        Property::string("jobTitle") => Source::Null;
        Property::string("mail").filterable().sortable() => text!("mail");
        Property::string("mobilePhone") => Source::Null;
        Property::string("officeLocation") => Source::Null;
        Property::string("preferredLanguage") => Source::Null;
        Property::string("surname").filterable().sortable() => text!("surname");
        Property::string("userPrincipalName").filterable().sortable()
            => text!("user_principal_name");
        Property::date_time("createdDateTime").filterable().sortable().on_request()
            => Source::Time { at: "created_at", offset: None };
        Property::string("companyName").on_request() => Source::Null;
        Property::string("country").on_request() => Source::Null;
        Property::string("department").on_request() => Source::Null;
        Property::string("aboutMe").on_request() => Source::Null;
        Property::string("city").on_request() => Source::Null;
        Property::string("employeeId").on_request() => Source::Null;
        Property::string("employeeType").on_request() => Source::Null;
        Property::string("faxNumber").on_request() => Source::Null;
        Property::string("legalAgeGroupClassification").on_request() => Source::Null;
        Property::string("mailNickname").on_request() => Source::Null;
        Property::string("onPremisesDistinguishedName").on_request() => Source::Null;
        Property::string("onPremisesDomainName").on_request() => Source::Null;
        Property::string("onPremisesImmutableId").on_request() => Source::Null;
        Property::string("onPremisesSamAccountName").on_request() => Source::Null;
        Property::string("onPremisesSecurityIdentifier").on_request() => Source::Null;
        Property::string("onPremisesUserPrincipalName").on_request() => Source::Null;
        Property::string("passwordPolicies").on_request() => Source::Null;
        Property::string("postalCode").on_request() => Source::Null;
        Property::string("preferredDataLocation").on_request() => Source::Null;
        Property::string("state").on_request() => Source::Null;
        Property::string("streetAddress").on_request() => Source::Null;
        Property::string("usageLocation").on_request() => Source::Null;
        Property::boolean("accountEnabled").on_request() => YES;
        Property::boolean("onPremisesSyncEnabled").on_request() => Source::Null;
        Property::string("imAddresses").many().on_request() => EMPTY;
        Property::string("otherMails").many().on_request() => EMPTY;
        Property::string("proxyAddresses").many().on_request() => EMPTY;
        Property::string("userType").on_request()
            => Source::Constant { json: "\"Member\"", sql: "'member'" };
    }
    navigations: {
        Navigation::many("memberOf", || &GROUP.edm).referenced().declared("directoryObject")
            => MEMBER_OF;
        // Groups are members of no groups, so that is all.
        Navigation::many("transitiveMemberOf", || &GROUP.edm)
            .referenced()
            .declared("directoryObject") => MEMBER_OF;
        Navigation::many("ownedObjects", || &GROUP.edm).referenced().declared("directoryObject")
            => Link::Through { table: "group_owners", from: "user_id", to: "group_id" };
        // Graph's joinedTeams holds teams today; the seed's pages date from when it held groups, and
        // its older name was joinedGroups. Both lead to the groups themselves here.
        Navigation::many("joinedTeams", || &GROUP.edm).referenced().published(Published::Never) => MEMBER_OF;
        Navigation::many("joinedGroups", || &GROUP.edm).referenced().published(Published::Never) => MEMBER_OF;
    }
    actions: &[GET_BY_IDS.published(Published::Never)]
}
