//! The operation table beside Graph's own permission reference, `tests/data/graph/permissions.txt`.
//!
//! **Invariant:** a permission that Graph does not name opens nothing here, but for [`BEYOND`]; and what real
//! Graph does not offer is marked so.

use std::collections::BTreeSet;

use super::recipe::{Row, rows};

const PERMISSIONS: &str = include_str!("../../../../../tests/data/graph/permissions.txt");

/// What is enough here beside what Graph names: a permission that contains one that Graph names.
const BEYOND: [(&str, &str); 1] = [("GET group/members", "Directory.ReadWrite.All")];

/// What Graph offers and its permission reference does not list, read off its pages and its description.
const UNLISTED: [&str; 18] = [
    "POST group/addFavorite",
    "POST group/removeFavorite",
    "GET group/memberOf",
    "POST groups/getByIds",
    "GET directoryObject",
    "POST directoryObjects/getByIds",
    "POST users/getByIds",
    "GET user",
    "GET user/transitiveMemberOf",
    "GET user/ownedObjects",
    "GET post/inReplyTo",
    "POST post/attachments",
    "POST post/attachments/createUploadSession",
    "GET post/mentions",
    "POST post/mentions",
    "GET mention",
    "DELETE mention",
    // Graph takes it for a mistake, and says which.
    "POST group/members",
];

/// Of these real Graph lets users alone, by their pages.
const UNLISTED_FOR_USERS: [&str; 2] =
    ["POST post/attachments", "POST post/attachments/createUploadSession"];

/// One line of the reference.
struct Reference {
    operation: String,
    delegated: Names,
    application: Names,
}

/// Permissions, and whether wider ones are enough too.
type Names = (BTreeSet<String>, bool);

fn reference() -> Vec<Reference> {
    let names = |text: &str| -> Names {
        let words = text.split_whitespace().filter(|it| *it != "+" && *it != "none");
        let names = words.map(|it| it.trim_end_matches('*').to_owned()).collect();
        (names, text.trim().ends_with('+'))
    };
    let lines = PERMISSIONS.lines().filter(|it| !it.starts_with('#') && !it.trim().is_empty());
    let reference = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let operation = cells[0].split_whitespace().collect::<Vec<_>>().join(" ");
        let application = if cells[2] == "same" { cells[1] } else { cells[2] };
        Reference { operation, delegated: names(cells[1]), application: names(application) }
    };
    lines.map(reference).collect()
}

fn operation(row: &Row) -> String {
    format!("{} {}", row.method, row.shape)
}

/// What of a row is not as Graph has it.
fn differences(row: &Row, graph: &Reference) -> Vec<String> {
    let mut found = Vec::new();
    let users_only = graph.application.0.is_empty() && !row.application.is_empty();
    let expected = if users_only { "users only" } else { "the same" };
    if row.graph != expected {
        found.push(format!("{}: real Graph: {} for {expected}", graph.operation, row.graph));
    }
    let beyond = |it: &str| BEYOND.contains(&(&graph.operation, it));
    for (own, (names, and_wider)) in
        [(&row.delegated, &graph.delegated), (&row.application, &graph.application)]
    {
        let own: BTreeSet<_> = own.iter().filter(|it| !beyond(it)).cloned().collect();
        let good = match (users_only && names.is_empty(), and_wider) {
            // What Graph lets users alone, applications do here with what users need.
            (true, _) => own.iter().eq(row.delegated.iter().collect::<BTreeSet<_>>()),
            (false, true) => own.is_superset(names) && own.iter().all(|it| is_wider(it, names)),
            (false, false) => own == *names,
        };
        if !good {
            found.push(format!("{}: {own:?} for {names:?}", graph.operation));
        }
    }
    found
}

/// Whether a permission is one of these or contains one of them.
fn is_wider(name: &str, names: &BTreeSet<String>) -> bool {
    const WIDER: [(&str, &[&str]); 5] = [
        ("User.Read", &["User.ReadBasic.All", "User.Read.All", "User.ReadWrite.All"]),
        ("User.ReadBasic.All", &["User.Read.All", "User.ReadWrite.All"]),
        (
            "GroupMember.Read.All",
            &["GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All"],
        ),
        ("Group.Read.All", &["Group.ReadWrite.All"]),
        ("Directory.Read.All", &["Directory.ReadWrite.All"]),
    ];
    let directory = ["User.Read", "User.ReadBasic.All", "GroupMember.Read.All"];
    let contains = |least: &String| {
        let wider = WIDER.iter().filter(|it| it.0 == least).flat_map(|it| it.1);
        let of_directory = directory.contains(&&least[..]) && name.starts_with("Directory.");
        wider.into_iter().any(|it| *it == name) || of_directory
    };
    // An application that may read the directory may also by what contains a part of it.
    let part = names.contains("Directory.Read.All")
        && ["User.Read.All", "Group.Read.All", "Group.ReadWrite.All", "GroupMember.Read.All"]
            .contains(&name);
    names.contains(name) || names.iter().any(contains) || part
}

#[test]
fn scopes_are_those_of_graphs_permission_reference() {
    let (rows, reference) = (rows(), reference());
    let mut wrong = Vec::new();
    for graph in &reference {
        match rows.iter().find(|row| operation(row) == graph.operation) {
            Some(row) => wrong.extend(differences(row, graph)),
            None => wrong.push(format!("{} is no operation", graph.operation)),
        }
    }
    for row in &rows {
        let name = operation(row);
        if reference.iter().any(|it| it.operation == name) {
            continue;
        }
        let expected =
            match (UNLISTED.contains(&&name[..]), UNLISTED_FOR_USERS.contains(&&name[..])) {
                (_, true) => "users only",
                (true, false) => "the same",
                (false, false) => "not offered",
            };
        if row.graph != expected {
            wrong.push(format!("{name}: real Graph: {} for {expected}", row.graph));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
