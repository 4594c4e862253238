//! The permissions that this server knows, under Graph's names.
//!
//! **Invariant:** a name that is not in this table permits nothing.

macro_rules! scopes {
    ($($name:ident = $text:literal;)*) => {
        /// A permission: a delegated scope of a user's token, or a role of an application's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Scope {
            $(#[doc = $text] $name,)*
        }

        impl Scope {
            pub(crate) const ALL: &[Scope] = &[$(Scope::$name),*];

            /// Graph's name for it.
            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Scope::$name => $text,)*
                }
            }
        }
    };
}

scopes! {
    GroupReadBasicAll = "Group.ReadBasic.All";
    GroupReadAll = "Group.Read.All";
    GroupReadWriteAll = "Group.ReadWrite.All";
    GroupCreate = "Group.Create";
    GroupConversationReadAll = "Group-Conversation.Read.All";
    GroupConversationReadWriteAll = "Group-Conversation.ReadWrite.All";
    GroupMemberReadBasicAll = "GroupMember.ReadBasic.All";
    GroupMemberReadAll = "GroupMember.Read.All";
    GroupMemberReadWriteAll = "GroupMember.ReadWrite.All";
    DirectoryReadAll = "Directory.Read.All";
    DirectoryReadWriteAll = "Directory.ReadWrite.All";
    UserRead = "User.Read";
    UserReadBasicAll = "User.ReadBasic.All";
    UserReadAll = "User.Read.All";
    UserReadWriteAll = "User.ReadWrite.All";
    TeamReadBasicAll = "Team.ReadBasic.All";
    AuditLogReadAll = "AuditLog.Read.All";
    FolkmootImportAll = "Folkmoot.Import.All";
}

impl Scope {
    /// The permission of this name, in any letter case, with or without Graph's address before it.
    pub(crate) fn parse(name: &str) -> Option<Scope> {
        let name = name.strip_prefix("https://graph.microsoft.com/").unwrap_or(name);
        Scope::ALL.iter().copied().find(|it| it.name().eq_ignore_ascii_case(name))
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scopes(u64);

impl Scopes {
    /// The set of these.
    pub(crate) const fn of(scopes: &[Scope]) -> Scopes {
        let (mut bits, mut at) = (0, 0);
        while at < scopes.len() {
            bits |= 1 << scopes[at] as u32;
            at += 1;
        }
        Scopes(bits)
    }

    /// The known ones of these names.
    pub(crate) fn parse<'n>(names: impl Iterator<Item = &'n str>) -> Scopes {
        let known: Vec<Scope> = names.filter_map(Scope::parse).collect();
        Scopes::of(&known)
    }

    /// The set with one more.
    pub(crate) const fn with(self, scope: Scope) -> Scopes {
        Scopes(self.0 | 1 << scope as u32)
    }

    /// The set without one.
    pub(crate) const fn without(self, scope: Scope) -> Scopes {
        Scopes(self.0 & !(1 << scope as u32))
    }

    /// Whether the two sets share a permission.
    pub(crate) const fn intersects(self, other: Scopes) -> bool {
        self.0 & other.0 != 0
    }

    /// The names of the permissions in it.
    pub(crate) fn names(self) -> impl Iterator<Item = &'static str> {
        let is_in = move |it: &&Scope| self.intersects(Scopes::of(&[**it]));
        Scope::ALL.iter().filter(is_in).map(|it| it.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_unknown_ones_permit_nothing() {
        let names = "group.readwrite.all https://graph.microsoft.com/User.Read Mail.Send";
        let scopes = Scopes::parse(names.split(' '));
        assert_eq!(scopes, Scopes::of(&[Scope::GroupReadWriteAll, Scope::UserRead]));
        assert_eq!(scopes.names().collect::<Vec<_>>(), ["Group.ReadWrite.All", "User.Read"]);
        assert!(!scopes.intersects(Scopes::of(&[Scope::GroupReadAll])));
    }
}
