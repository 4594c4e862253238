//! `user`: a person of a tenant.
//!
//! **Invariant:** `userPrincipalName` is unique within the tenant and a second key of the set.

use odata::edm::{Navigation, Property, Published};

use super::directory_object::GET_BY_IDS;
use super::shared::{EMPTY, id, text};
use super::{GROUP, GROUP_INVITATION, INVITATIONS, JOIN_REQUEST, Link, Source, entity};

const MEMBER_OF: Link = Link::Through { table: "group_members", from: "user_id", to: "group_id" };

entity! {
    /// Graph's `user`.
    USER = "user": "directoryObject" in "users",
    in_group: false, open: false,
    order: &[],
    properties: {
        id() => Source::Id("id");
        Property::date_time("deletedDateTime").filterable().on_request().from("directoryObject")
            => Source::Null;
        Property::string("businessPhones").many().filterable() => EMPTY;
        Property::string("displayName").filterable().sortable() => text!("display_name");
        Property::string("givenName").filterable().sortable() => text!("given_name");
        Property::string("jobTitle").filterable() => Source::Null;
        Property::string("mail").filterable().sortable() => text!("mail");
        Property::string("mobilePhone").filterable() => Source::Null;
        Property::string("officeLocation").filterable() => Source::Null;
        Property::string("preferredLanguage").filterable() => Source::Null;
        Property::string("surname").filterable().sortable() => text!("surname");
        Property::string("userPrincipalName").filterable().sortable()
            => text!("user_principal_name");
        Property::date_time("createdDateTime").filterable().sortable().on_request()
            => Source::Time { at: "created_at", offset: None };
        Property::string("companyName").filterable().on_request() => Source::Null;
        Property::string("country").filterable().on_request() => Source::Null;
        Property::string("department").filterable().on_request() => Source::Null;
        Property::string("aboutMe").filterable().on_request() => Source::Null;
        Property::string("city").filterable().on_request() => Source::Null;
        Property::string("employeeId").filterable().on_request() => Source::Null;
        Property::string("employeeType").filterable().on_request() => Source::Null;
        Property::string("faxNumber").filterable().on_request() => Source::Null;
        Property::string("legalAgeGroupClassification").filterable().on_request() => Source::Null;
        Property::string("mailNickname").filterable().on_request() => Source::Null;
        Property::string("onPremisesDistinguishedName").filterable().on_request() => Source::Null;
        Property::string("onPremisesDomainName").filterable().on_request() => Source::Null;
        Property::string("onPremisesImmutableId").filterable().on_request() => Source::Null;
        Property::string("onPremisesSamAccountName").filterable().on_request() => Source::Null;
        Property::string("onPremisesSecurityIdentifier").filterable().on_request() => Source::Null;
        Property::string("onPremisesUserPrincipalName").filterable().on_request() => Source::Null;
        Property::string("passwordPolicies").filterable().on_request() => Source::Null;
        Property::string("postalCode").filterable().on_request() => Source::Null;
        Property::string("preferredDataLocation").filterable().on_request() => Source::Null;
        Property::string("state").filterable().on_request() => Source::Null;
        Property::string("streetAddress").filterable().on_request() => Source::Null;
        Property::string("usageLocation").filterable().on_request() => Source::Null;
        Property::boolean("accountEnabled").filterable().on_request()
            => Source::Not("disabled");
        Property::boolean("onPremisesSyncEnabled").filterable().on_request() => Source::Null;
        Property::string("imAddresses").many_nullable().filterable().on_request() => EMPTY;
        Property::string("otherMails").many().filterable().on_request() => EMPTY;
        Property::string("proxyAddresses").many().filterable().on_request() => EMPTY;
        Property::string("userType").filterable().on_request()
            => text!("user_type");
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
        Navigation::many(INVITATIONS, || &GROUP_INVITATION.edm)
            .published(Published::Never)
            .not_expandable() => Link::Keys(&[("user_id", "id")]);
        Navigation::many("folkmoot.joinRequests", || &JOIN_REQUEST.edm)
            .published(Published::Never)
            .not_expandable() => Link::Keys(&[("user_id", "id")]);
    }
    actions: &[GET_BY_IDS.published(Published::Never)]
}
