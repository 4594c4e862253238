//! The table's scopes and roles, one by one: each alone opens exactly the operations that name it, on every
//! way to them, and what strict mode refuses is what the table says.
//!
//! **Invariant:** what is asked about is not there, so nothing is changed: who is let in hears 404 or of a
//! bad request.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::recipe::{Row, Spot, rows};
use super::stage::{Stage, Who, permissions};
use crate::support::{Client, Server, UNKNOWN};

/// The answers to `rows`, asked in batches of 20 with a group at this address.
fn answers(client: &Client, spot: &Spot, rows: &[Row]) -> Vec<Value> {
    let mut all = Vec::new();
    for rows in rows.chunks(20) {
        let request = |(at, row): (usize, &Row)| {
            let body = spot.body(row);
            let mut request = json!({"id": at.to_string(), "method": row.method,
                "url": spot.address(row)});
            if !body.is_null() {
                request["headers"] = json!({"Content-Type": "application/json"});
                request["body"] = body;
            }
            request
        };
        let requests: Vec<_> = rows.iter().enumerate().map(request).collect();
        let answer = client.post("/v1.0/$batch", &json!({"requests": requests})).ok();
        all.extend(answer["responses"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(all.len(), rows.len());
    all
}

fn code(answer: &Value) -> &str {
    answer["body"]["error"]["code"].as_str().unwrap_or_default()
}

/// Whether a permission opens an operation, on a way.
fn opens(row: &Row, permission: &str, app: bool) -> bool {
    let names = if app { &row.application } else { &row.delegated };
    // `User.Read` is for users themself, and nobody here is the caller.
    let of_another = row.parts().0 == "user" && permission == "User.Read";
    names.iter().any(|it| it == permission) && !of_another
}

#[test]
fn each_permission_opens_what_names_it_and_nothing_else() {
    let (stage, rows) = (Stage::new(), rows());
    let own = stage.id(Who::Outsider);
    let ways = [
        format!("/groups/{UNKNOWN}"),
        format!("/users/{own}/joinedTeams/{UNKNOWN}"),
        format!("/users('{own}')/memberOf/{UNKNOWN}/microsoft.graph.group"),
        format!("/users/{UNKNOWN}/joinedTeams/{UNKNOWN}"),
        format!("/me/joinedGroups/{UNKNOWN}"),
    ];
    let mut permissions = permissions();
    permissions.push("Folkmoot.Import.All".to_owned());
    permissions.push("Mail.Send".to_owned());
    let (mut asked, mut wrong) = (0, Vec::new());
    let mut told = HashSet::new();
    for permission in &permissions {
        for who in [Who::Outsider, Who::App] {
            let (app, client) = (who == Who::App, stage.client(who));
            let client = stage.mint.with(client, &[permission]);
            for way in &ways {
                let spot = Spot::unknown(way);
                for (row, answer) in rows.iter().zip(answers(&client, &spot, &rows)) {
                    // The ways differ only in how they come to a group.
                    let elsewhere = way != &ways[0] && !row.in_group();
                    // Applications hear that they have no user, whatever they may.
                    let me = app && spot.path(row).starts_with("/me");
                    if elsewhere || me {
                        continue;
                    }
                    asked += 1;
                    told.insert((&row.method, &row.shape, permission, app));
                    let refused = answer["status"] == 403;
                    let known = code(&answer) == "ErrorAccessDenied";
                    let served = answer["status"].as_u64().is_some_and(|it| it < 401 || it == 404);
                    if opens(row, permission, app) == refused
                        || refused != known
                        || !(refused || served)
                    {
                        wrong.push(format!(
                            "{} {} with {permission}, app: {app}, by {way}: {answer}",
                            row.method, row.shape
                        ));
                    }
                }
            }
        }
    }
    eprintln!("{} permissions, {asked} questions", permissions.len());
    assert!(asked > 10_000, "{asked}");
    assert!(wrong.is_empty(), "{} of {asked}:\n{}", wrong.len(), wrong.join("\n"));
    // So one scope more or less in any row would have been noticed.
    for (row, permission, app) in rows
        .iter()
        .flat_map(|row| permissions.iter().flat_map(move |it| [(row, it, false), (row, it, true)]))
    {
        // Applications are no one there, whatever they may.
        let asked = told.contains(&(&row.method, &row.shape, permission, app));
        assert!(
            asked || (app && row.parts().0 == "me"),
            "{} {} {permission}",
            row.method,
            row.shape
        );
    }
}

/// What is the caller's own, with `User.Read` alone.
#[test]
fn user_read_reads_of_the_caller_alone() {
    let stage = Stage::new();
    let client = stage.mint.with(stage.client(Who::Member), &["User.Read"]);
    let (own, other) = (stage.id(Who::Member), stage.id(Who::Owner));
    let group = stage.group("Private");
    for way in ["/me".to_owned(), format!("/users/{own}")] {
        for rest in ["", "/memberOf", "/transitiveMemberOf", "/ownedObjects"] {
            client.get(&format!("/v1.0{way}{rest}")).ok();
        }
        for rest in ["/joinedTeams", "/joinedGroups"] {
            client.get(&format!("/v1.0{way}{rest}")).refused(403, "ErrorAccessDenied");
        }
        for list in ["memberOf", "joinedTeams"] {
            let group = format!("/v1.0{way}/{list}{}", group.trim_start_matches("/groups"));
            let group = if list == "memberOf" { group + "/graph.group" } else { group };
            client.get(&group).refused(403, "ErrorAccessDenied");
            client.delete(&group).refused(403, "ErrorAccessDenied");
            for rest in ["/conversations", "/threads", "/members", "/acceptedSenders"] {
                client.get(&format!("{group}{rest}")).refused(403, "ErrorAccessDenied");
            }
            client
                .post(&format!("{group}/conversations"), &json!({"topic": "x"}))
                .refused(403, "ErrorAccessDenied");
        }
    }
    // Of others nothing, whichever way leads to them.
    let people =
        stage.mint.with(&client, &["User.Read", "User.ReadBasic.All", "GroupMember.ReadWrite.All"]);
    let members = format!("{group}/members").replace("/groups", "/joinedTeams");
    for rest in ["/memberOf", "/ownedObjects", "/transitiveMemberOf"] {
        for way in [
            format!("/users/{other}"),
            format!("{group}/members/{other}"),
            format!("/me{members}/{other}"),
            format!("/users/{own}{members}/{other}"),
        ] {
            people.get(&format!("/v1.0{way}{rest}")).refused(403, "ErrorAccessDenied");
        }
        let expand = format!("$expand={}", rest.trim_start_matches('/'));
        for way in ["/users".to_owned(), format!("{group}/members"), format!("/users/{other}")] {
            people.get(&format!("/v1.0{way}?{expand}")).refused(403, "ErrorAccessDenied");
        }
        people.get(&format!("/v1.0/me?{expand}")).ok();
    }
    client.get(&format!("/v1.0/users/{other}")).refused(403, "ErrorAccessDenied");
    client.get(&format!("/v1.0/me{members}/{other}")).refused(403, "ErrorAccessDenied");
}

#[test]
fn strict_mode_refuses_what_the_table_says() {
    let server = Server::with(&["--strict-graph"]);
    let all = permissions();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let (user, app) = (server.user_with("ada@example.org", &all), server.app(&all));
    let spot = Spot::unknown(&format!("/groups/{UNKNOWN}"));
    let mut wrong = Vec::new();
    let rows = rows();
    let both = [(false, user), (true, app)]
        .map(|(is_app, client)| (is_app, answers(&client, &spot, &rows)));
    for (at, row) in rows.iter().enumerate() {
        let all_as =
            |row: &Row| both.iter().all(|(app, answers)| is_strict(row, *app, &answers[at]));
        if !all_as(row) {
            let answers = both.iter().map(|it| &it.1[at]).collect::<Vec<_>>();
            wrong.push(format!("{} {}: {answers:?}", row.method, row.shape));
        }
        for graph in ["not offered", "users only", "the same"] {
            // Where no application may, there is none to be refused.
            let alike =
                row.application.is_empty() && graph != "not offered" && row.graph != "not offered";
            if graph != row.graph && !alike {
                let other = Row { graph: graph.to_owned(), ..row.clone() };
                assert!(!all_as(&other), "{} {}: {graph} would do", row.method, row.shape);
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
}

/// Whether strict mode answers as the table says.
fn is_strict(row: &Row, app: bool, answer: &Value) -> bool {
    let status = answer["status"].as_u64().unwrap();
    let me = app && row.parts().0 == "me";
    let no_role = app && row.application.is_empty() && !me;
    match &row.graph[..] {
        // Real Graph has another thing there.
        "not offered" if row.shape.starts_with("user/joined") => status == 501,
        "not offered" => status == 405 && code(answer) == "ErrorInvalidRequest",
        "users only" if app => status == 403,
        _ if no_role => status == 403,
        "users only" | "the same" => status < 401 || status == 404,
        other => panic!("{other}"),
    }
}
