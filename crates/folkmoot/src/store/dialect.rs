//! Where the two databases differ.
//!
//! **Invariant:** nothing outside this file and `driver/` knows which database it talks to. SQLite is
//! the one behind it so far; what PostgreSQL writes differently is gathered here before it arrives.

/// The rows of a JSON array column as `alias.value`.
pub(super) fn json_elements(column: &str, alias: &str) -> String {
    format!("json_each({column}) {alias}")
}

/// One text member of a JSON object, by a path of declared names.
pub(super) fn json_member(value: &str, path: &[&str]) -> String {
    format!("json_extract({value}, '$.{}')", path.join("."))
}

/// The position of one text in another: 0 where it does not occur, 1 at its start.
pub(super) fn position(haystack: &str, needle: &str) -> String {
    format!("instr({haystack}, {needle})")
}

/// The last `length(suffix)` characters of a text.
pub(super) fn tail(text: &str, suffix: &str) -> String {
    // substr counts from the end where its start is negative; an empty suffix would be the whole
    // text, so that case is answered by the caller.
    format!("substr({text}, -length({suffix}))")
}

/// The unique indexes that callers care for, by the columns that SQLite names when one is hurt.
pub(super) fn duplicate(message: &str) -> &'static str {
    const KNOWN: [(&str, &str); 5] = [
        ("users.tenant_id, users.user_principal_name_folded", "users_upn_key"),
        ("groups.tenant_id, groups.mail_nickname_folded", "groups_nickname_key"),
        ("group_members.group_id, group_members.user_id", "group_members"),
        ("group_owners.group_id, group_owners.user_id", "group_owners"),
        ("groups.number", "groups_number_key"),
    ];
    KNOWN.iter().find(|(columns, _)| message.contains(columns)).map_or("another", |(_, name)| name)
}
