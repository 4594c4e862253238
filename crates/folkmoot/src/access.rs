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
    /// What the lists of accepted and rejected senders say of the caller.
    pub(crate) sender: Sender,
    /// Whether the caller is a member.
    pub(crate) is_member: bool,
    /// Whether the caller is an owner.
    pub(crate) is_owner: bool,
    /// The calling user, if they exist and are not disabled: name and address.
    pub(crate) caller: Option<(String, String)>,
}

/// What one caller may see and do, of a tenant or in one group of it.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    caller: Caller,
    group: Option<GroupFacts>,
}

/// Which groups' content a read may show, outside the group that the access is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// Every group's of the tenant.
    Tenant,
    /// Public groups', and those that this user is a member or an owner of.
    OpenTo(UserId),
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
    /// What owners alone may do.
    #[error("Access is denied: only owners of this group may do this.")]
    NotOwner,
}

impl Access {
    /// The access of `caller` to the directory: groups, users, memberships.
    pub(crate) fn to_tenant(caller: Caller) -> Access {
        Access { caller, group: None }
    }

    /// The access of `caller` to a group.
    pub(crate) fn to_group(caller: Caller, group: GroupFacts) -> Access {
        Access { caller, group: Some(group) }
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
            Some(group) if self.is_app() || group.visibility == Visibility::Public => Ok(()),
            Some(group) if group.is_member || group.is_owner => Ok(()),
            _ => Err(Denied::NotMember),
        }
    }

    /// Whether the caller may post to the group. The lists of senders bind owners too, and not
    /// applications without a user.
    pub(crate) fn may_post(&self) -> Result<(), Denied> {
        self.may_read()?;
        match &self.group {
            Some(group) if !self.is_app() => match group.sender {
                _ if group.members_only_posting && !(group.is_member || group.is_owner) => {
                    Err(Denied::MembersPost)
                }
                Sender::Accepted => Ok(()),
                Sender::NotAccepted => Err(Denied::SenderNotAccepted),
                Sender::Rejected => Err(Denied::SenderRejected),
            },
            _ => Ok(()),
        }
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

    /// Which content a plan may show of groups other than the one that the access is to.
    pub(crate) fn content(&self) -> Content {
        self.caller.user.map_or(Content::Tenant, Content::OpenTo)
    }

    /// Whether the members and owners of the group are hidden from the caller.
    pub(crate) fn members_hidden(&self) -> bool {
        self.group.as_ref().is_some_and(|group| {
            group.visibility == Visibility::HiddenMembership
                && !(group.is_member || group.is_owner || self.is_app())
        })
    }
}
