//! Who calls, and what they may see and do.
//!
//! **Invariant:** an [`Access`] is made only from a caller and what the store says of the group and
//! of the caller's place in it, once a request; its fields are private. No plan of a read and no
//! command runs without one, so a rule is written here or nowhere (DECISIONS D2).

use crate::auth::Scopes;
use crate::ids::{GroupId, TenantId, UserId};

/// Who calls: what the token says.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The tenant.
    pub(crate) tenant: TenantId,
    /// The user; `None` for an application without one.
    pub(crate) user: Option<UserId>,
    /// The application, if the token names one.
    pub(crate) app: Option<String>,
    /// Delegated scopes, or an application's roles.
    pub(crate) scopes: Scopes,
}

/// Who sees what of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everybody of the tenant reads its content.
    Public,
    /// Members alone read its content.
    Private,
    /// As private, and its members and owners are hidden from others.
    HiddenMembership,
}

impl Visibility {
    /// The name on the wire.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Visibility::Public => "Public",
            Visibility::Private => "Private",
            Visibility::HiddenMembership => "HiddenMembership",
        }
    }

    /// The one of this name, in any letter case.
    pub(crate) fn parse(name: &str) -> Option<Visibility> {
        [Visibility::Public, Visibility::Private, Visibility::HiddenMembership]
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// What the lists of a group's senders say of somebody, themself or through a group that they are a member
/// of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Nothing that keeps them from posting.
    Accepted,
    /// That others are accepted.
    NotAccepted,
    /// That they are rejected.
    Rejected,
}

/// What the store knows of a group and of the caller in it.
#[derive(Clone, Debug)]
pub(crate) struct GroupFacts {
    /// Its id.
    pub(crate) id: GroupId,
    /// Its short number in the index.
    pub(crate) number: i64,
    /// Its name.
    pub(crate) display_name: String,
    /// Its mail address.
    pub(crate) mail: String,
    /// Who sees what.
    pub(crate) visibility: Visibility,
    /// Whether it has a mailbox: settings of it, and conversations.
    pub(crate) has_mailbox: bool,
    /// Whether only members may post.
    pub(crate) members_only_posting: bool,
    /// Whether people who are not of the organization may send to it.
    pub(crate) allow_external_senders: bool,
    /// What the lists of accepted and rejected senders say of the caller.
    pub(crate) sender: Sender,
    /// Whether the caller is a member.
    pub(crate) is_member: bool,
    /// Whether the caller is an owner.
    pub(crate) is_owner: bool,
    /// Whether the caller is a guest of the tenant.
    pub(crate) is_guest: bool,
    /// The calling user, if they exist and are not disabled: name and address.
    pub(crate) caller: Option<(String, String)>,
}

impl GroupFacts {
    /// Whether the caller belongs to the group.
    fn belongs(&self) -> bool {
        self.is_member || self.is_owner
    }

    /// Whether the group is there for the caller: to guests, a group that they do not belong to is missing.
    pub(crate) fn is_there(&self) -> bool {
        !self.is_guest || self.belongs()
    }
}

/// What one caller may see and do, of a tenant or in one group of it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    caller: Caller,
    is_guest: bool,
    group: Option<GroupFacts>,
}

/// What a read may show of the tenant: of its groups' content, outside the group that the access is to, and
/// of its directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Everything.
    Tenant,
    /// Public groups', and those that this user is a member or an owner of; the whole directory.
    OpenTo(UserId),
    /// What belongs to the groups that this user, a guest, belongs to, and of the directory these and their people.
    JoinedBy(UserId),
}

/// Why something is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denied {
    /// The content of a private group.
    #[error("Access is denied: only members of this group may read its content.")]
    NotMember,
    /// Posting where members alone may post.
    #[error("Access is denied: only members of this group may post to it.")]
    MembersPost,
    /// Posting where others alone are accepted.
    #[error("Access is denied: this group takes posts only from its accepted senders.")]
    SenderNotAccepted,
    /// Posting by somebody who is not of the organization.
    #[error("Access is denied: this group takes posts only from people of its organization.")]
    ExternalSender,
    /// Making a group as a guest.
    #[error("Access is denied: guests may not make groups.")]
    Guest,
    /// Posting by whom the group has rejected.
    #[error("Access is denied: this group has rejected this sender.")]
    SenderRejected,
    /// Having the posts by mail without being a member.
    #[error("Access is denied: only members of this group may have its posts by mail.")]
    MembersSubscribe,
    /// Changing what somebody else has written.
    #[error(
        "Access is denied: only the author of this post, owners of the group and applications may change it."
    )]
    NotAuthor,
    /// Answering for somebody else.
    #[error("Access is denied: only whom it is about may do this.")]
    NotOneself,
    /// What owners alone may do.
    #[error("Access is denied: only owners of this group may do this.")]
    NotOwner,
}

impl Access {
    /// The access of `caller` to the directory: groups, users, memberships.
    pub(crate) fn to_tenant(caller: Caller, is_guest: bool) -> Access {
        Access { caller, is_guest, group: None }
    }

    /// The access of `caller` to a group.
    pub(crate) fn to_group(caller: Caller, group: GroupFacts) -> Access {
        Access { caller, is_guest: group.is_guest, group: Some(group) }
    }

    /// Who calls.
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The tenant; nothing of another one is ever seen.
    pub(crate) fn tenant(&self) -> TenantId {
        self.caller.tenant
    }

    /// The group, where the access is to one.
    pub(crate) fn group(&self) -> Option<&GroupFacts> {
        self.group.as_ref()
    }

    /// Whether the content of the group may be read.
    pub(crate) fn may_read(&self) -> Result<(), Denied> {
        match &self.group {
            Some(group) if self.is_app() || group.belongs() => Ok(()),
            Some(group) if group.visibility == Visibility::Public && !self.is_guest => Ok(()),
            _ => Err(Denied::NotMember),
        }
    }

    /// Whether the caller may post to the group. The lists of senders bind owners too, and not
    /// applications without a user. A guest who does not belong to it is as anybody outside of the
    /// organization: what they send does not need that they may read.
    pub(crate) fn may_post(&self) -> Result<(), Denied> {
        let Some(group) = self.group.as_ref().filter(|_| !self.is_app()) else {
            return self.may_read();
        };
        match self.is_guest && !group.belongs() {
            true if !group.allow_external_senders => return Err(Denied::ExternalSender),
            true => {}
            false => self.may_read()?,
        }
        match group.sender {
            _ if group.members_only_posting && !group.belongs() => Err(Denied::MembersPost),
            Sender::Accepted => Ok(()),
            Sender::NotAccepted => Err(Denied::SenderNotAccepted),
            Sender::Rejected => Err(Denied::SenderRejected),
        }
    }

    /// Whether the caller may make groups.
    pub(crate) fn may_make_groups(&self) -> Result<(), Denied> {
        if self.is_guest { Err(Denied::Guest) } else { Ok(()) }
    }

    /// Whether the calling user may say whether they want the group's posts by mail.
    pub(crate) fn may_subscribe(&self) -> Result<(), Denied> {
        match &self.group {
            Some(group) if group.is_member => Ok(()),
            _ => Err(Denied::MembersSubscribe),
        }
    }

    /// Whether the caller may remove other people's posts, and change the group.
    pub(crate) fn may_manage(&self) -> Result<(), Denied> {
        match &self.group {
            Some(group) if self.is_app() || group.is_owner => Ok(()),
            _ => Err(Denied::NotOwner),
        }
    }

    /// Whether an application without a user calls.
    pub(crate) fn is_app(&self) -> bool {
        self.caller.user.is_none()
    }

    /// What a plan may show of the tenant, and of groups other than the one that the access is to.
    pub(crate) fn content(&self) -> Content {
        match self.caller.user {
            None => Content::Tenant,
            Some(user) if self.is_guest => Content::JoinedBy(user),
            Some(user) => Content::OpenTo(user),
        }
    }

    /// Whether the members and owners of the group are hidden from the caller.
    pub(crate) fn members_hidden(&self) -> bool {
        self.group.as_ref().is_some_and(|group| {
            group.visibility == Visibility::HiddenMembership && !(group.belongs() || self.is_app())
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// Who sends from outside, whom no door of the API lets in: mail will ask this.
    #[test]
    fn who_is_outside_sends_only_where_the_group_takes_it() {
        let user = Some(UserId(Uuid::nil()));
        let caller =
            Caller { tenant: TenantId(Uuid::nil()), user, app: None, scopes: Scopes::default() };
        let post = |change: fn(&mut GroupFacts)| {
            let mut facts = GroupFacts {
                id: GroupId(Uuid::nil()),
                number: 1,
                display_name: String::new(),
                mail: String::new(),
                visibility: Visibility::Private,
                has_mailbox: true,
                members_only_posting: false,
                allow_external_senders: true,
                sender: Sender::Accepted,
                is_member: false,
                is_owner: false,
                is_guest: true,
                caller: None,
            };
            change(&mut facts);
            let access = Access::to_group(caller.clone(), facts);
            (access.may_post(), access.may_read())
        };
        let unread = Err(Denied::NotMember);
        assert_eq!(post(|_| {}), (Ok(()), unread));
        assert_eq!(
            post(|it| it.allow_external_senders = false),
            (Err(Denied::ExternalSender), unread)
        );
        let closed_to_all = |it: &mut GroupFacts| {
            it.visibility = Visibility::Public;
            it.allow_external_senders = false;
        };
        assert_eq!(post(closed_to_all), (Err(Denied::ExternalSender), unread));
        assert_eq!(post(|it| it.members_only_posting = true), (Err(Denied::MembersPost), unread));
        assert_eq!(post(|it| it.sender = Sender::Rejected), (Err(Denied::SenderRejected), unread));
        // Guests who are members are not outside.
        let member = |it: &mut GroupFacts| {
            it.is_member = true;
            it.allow_external_senders = false;
        };
        assert_eq!(post(member), (Ok(()), Ok(())));
        // Of the tenant, whoever reads posts, whatever is said of those outside.
        let own = |it: &mut GroupFacts| {
            it.is_guest = false;
            it.allow_external_senders = false;
        };
        assert_eq!(post(own), (unread, unread));
    }
}
