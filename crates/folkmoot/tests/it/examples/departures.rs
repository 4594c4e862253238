//! The examples that are answered otherwise than their pages say: what is answered, and why.

use Mode::{Both, Normal, Strict};

/// One example and mode.
pub(super) struct Departure {
    pub(super) name: &'static str,
    pub(super) mode: Mode,
    /// As `compare.rs` writes it.
    pub(super) instead: &'static str,
    pub(super) why: &'static str,
}

#[derive(Clone, Copy)]
pub(super) enum Mode {
    Normal,
    Strict,
    Both,
}

impl Mode {
    pub(super) fn includes(self, mode: &str) -> bool {
        match self {
            Mode::Normal => mode == "normal",
            Mode::Strict => mode == "strict",
            Mode::Both => true,
        }
    }
}

/// What an example is called, in which mode, and what is answered instead.
type Row = (&'static str, Mode, &'static str);

/// All rows.
pub(super) fn all() -> Vec<Departure> {
    let rows = |why: &'static str, rows: &[Row]| -> Vec<_> {
        rows.iter().map(|&(name, mode, instead)| Departure { name, mode, instead, why }).collect()
    };
    DECIDED.iter().flat_map(|(why, of)| rows(why, of)).collect()
}

/// What stays, under the reason for it.
const DECIDED: &[(&str, &[Row])] = &[
    (
        "Subscriptions are not served.",
        &[
            ("error-subscription-bad-payload", Both, "501 NotImplemented"),
            ("error-subscription-too-long", Both, "501 NotImplemented"),
            ("error-subscription-validation-failed", Both, "501 NotImplemented"),
            ("error-subscription-validation-timeout", Both, "501 NotImplemented"),
            ("subscription-create-webhook", Both, "501 NotImplemented"),
            ("subscription-delete--delete_subscription", Both, "501 NotImplemented"),
            ("subscription-list--get_subscriptions", Both, "501 NotImplemented"),
            (
                "subscription-post-subscriptions--create_subscription_from_subscriptions",
                Both,
                "501 NotImplemented",
            ),
            ("subscription-update--update_subscription", Both, "501 NotImplemented"),
        ],
    ),
    (
        "One page holds all that the caller is in, which are groups and no roles; nothing is counted for throttling.",
        &[(
            "batch-example",
            Both,
            "200: no /responses/0/body/@odata.nextLink, no /responses/0/body/value/0/roleTemplateId, no /responses/0/headers/x-ms-resource-unit",
        )],
    ),
    (
        "Changes of the directory are not served; 'delta' is read as the id of a group.",
        &[
            ("group-delta--group_delta", Both, "404 Request_ResourceNotFound"),
            ("group-delta--group_delta_with_select", Both, "404 Request_ResourceNotFound"),
        ],
    ),
    (
        "The mail of a user is no conversation of a group.",
        &[
            ("error-access-denied-with-headers", Both, "501 NotImplemented"),
            ("error-group-used-as-user", Both, "501 NotImplemented"),
            ("error-recipient-invalid", Both, "501 NotImplemented"),
            ("error-unknown-property-in-body", Both, "501 NotImplemented"),
            ("error-unknown-property-in-query", Both, "501 NotImplemented"),
            ("error-unknown-property-in-query-2", Both, "501 NotImplemented"),
        ],
    ),
    (
        "Nothing is throttled in a test; what is put off is 503 with Retry-After.",
        &[("error-mailbox-concurrency", Both, "200"), ("error-throttled", Both, "200")],
    ),
    (
        "Groups are members of no groups here.",
        &[
            ("group-list-memberof--get_a_count", Both, "200: /value is empty"),
            ("group-list-memberof--get_video_count", Both, "200: /value is empty"),
            ("group-list-memberof--group_get_memberof", Both, "200: /value is empty"),
        ],
    ),
    (
        "The page asks for a security group, and shows a Microsoft 365 group; the rest as with other groups.",
        &[(
            "group-post-groups--create_prepopulated_group",
            Both,
            "201: /groupTypes is empty, no /onPremisesProvisioningErrors, /preferredDataLocation is null",
        )],
    ),
    (
        "Licences are not Folkmoot's; what the model does not have is refused by name.",
        &[("group-list--get_groups_withlicenseerrors_count", Both, "400 BadRequest")],
    ),
    (
        "The page's text says 201, which is what its twin create-conversation has.",
        &[("group-post-conversations--create_conversation_from_group", Both, "201")],
    ),
    (
        "Nobody gets a copy of a thread but who is declared to.",
        &[(
            "group-post-threads--create_conversationthread_from_group",
            Both,
            "201: /ccRecipients is empty",
        )],
    ),
    (
        "The page's body is a calendar event's, of which a thread has no property.",
        &[("group-update-thread--update_group_thread", Both, "400 RequestBodyRead")],
    ),
    (
        "In strict mode, where a later report has it that the page's own example is refused.",
        &[(
            "opentypeextension-get--get_opentypeextension_5",
            Strict,
            "501 FilteringOnConversations",
        )],
    ),
    (
        "The report prints no body; a change of nothing is a mistake.",
        &[("opentypeextension-update--ex", Both, "400 Request_BadRequest")],
    ),
    (
        "A type comes where it is not the declared one, or was sent; and what real Graph shows on $select alone comes on $select alone.",
        &[
            (
                "stub-list-posts",
                Normal,
                "200: no /value/0/@odata.type, no /value/0/body/@odata.type, no /value/0/conversationId, no /value/0/conversationThreadId, no /value/0/from/@odata.type, no /value/0/from/emailAddress/@odata.type, no /value/0/newParticipants, no /value/0/sender/@odata.type",
            ),
            (
                "stub-list-threads",
                Normal,
                "200: no /value/0/@odata.type, no /value/0/ccRecipients, no /value/0/toRecipients",
            ),
        ],
    ),
    (
        "Folkmoot has no data centres, directory roles or directories elsewhere: what is about those is null or not in the model.",
        &[
            (
                "group-post-groups--create_group",
                Both,
                "201: no /onPremisesProvisioningErrors, /preferredDataLocation is null",
            ),
            (
                "group-post-groups--create_role_enabled_group",
                Both,
                "201: /isAssignableToRole is null, no /onPremisesProvisioningErrors, /preferredDataLocation is null, /securityIdentifier is null",
            ),
        ],
    ),
    (
        "A user comes from a token, which has a name and no address of a house or title; postalCode and jobTitle are always null.",
        &[
            ("user-get--get_user_2", Both, "200: /givenName is null, /postalCode is null"),
            (
                "user-list--get_a_count_endsWith",
                Both,
                "200: /value/0/givenName is null, /value/0/jobTitle is null",
            ),
        ],
    ),
    (
        "The page shows what was asked for with a $select that it leaves out.",
        &[
            (
                "user-list--get_a_count",
                Both,
                "200: no /value/0/mailNickname, no /value/0/otherMails, no /value/0/proxyAddresses",
            ),
            (
                "user-list--get_users_2",
                Both,
                "200: no /value/0/mailNickname, no /value/0/otherMails, no /value/0/proxyAddresses",
            ),
        ],
    ),
];
