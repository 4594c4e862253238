//! What is hidden is as if it were not there: another tenant's things, the content of a private group, another
//! group's items under one's own, on every path of the operation table, alone and in batches.
//!
//! **Invariant:** the answers are the same bytes, but for ids and dates, and the server asks its database the
//! same statements for them, so neither what it says nor how long it takes tells the two apart.

use serde_json::{Value, json};

use crate::support::{Client, Response, Server, UNKNOWN};
use crate::walk::{Row, Spot, Stage, Who, ask, rows};

/// An id that nothing has, nor has been asked for.
const OTHER: &str = "8d12587e-587e-8d12-7e58-128d7e58128e";
/// A word that nobody but members may see.
const SECRET: &str = "xyzzy";

/// What came of a request.
#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    /// The body, without ids and dates.
    body: String,
    /// The statements that the store ran for it.
    statements: Vec<String>,
}

/// A stage whose every statement can be seen.
struct Watched {
    stage: Stage,
    /// How far its log was read.
    read: usize,
    /// How many statements were compared.
    compared: usize,
}

impl Watched {
    fn new() -> Watched {
        Watched { stage: Stage::on(Server::tracing_two_tenants()), read: 0, compared: 0 }
    }

    /// The statements since this was asked last, without those of transactions and those that the server asks
    /// by itself: the feed's consumers, and who looks for keys and applications that are gone.
    fn statements(&mut self) -> Vec<String> {
        let log = std::fs::read_to_string(self.stage.server.data.join("log")).unwrap();
        let new = log[self.read..].to_owned();
        self.read = log.len();
        let sql = new.lines().filter_map(|it| it.split_once("folkmoot::sql: ")).map(|it| it.1);
        let own = ["begin", "commit", "rollback", "savepoint", "release"];
        let counts = |it: &&str| !own.iter().any(|own| it.starts_with(own));
        let by_itself = ["feed_work", " from keys ", " from removed_apps"];
        let sql = sql.filter(counts).filter(|it| !by_itself.iter().any(|own| it.contains(own)));
        sql.map(str::to_owned).collect()
    }

    fn see(&mut self, who: Who, row: &Row, spot: &Spot) -> Seen {
        self.statements();
        let answer = ask(self.stage.client(who), spot, row);
        let body = without_ids(&answer.text());
        Seen { status: answer.status, body, statements: self.statements() }
    }

    /// What is answered of something that is there must be what is answered of what is not.
    fn same(&mut self, who: Who, row: &Row, (there, missing): (&Spot, &Spot)) -> Option<String> {
        // Once before: what is remembered of a caller is remembered for both.
        let before = Spot { conversation: OTHER.into(), thread: OTHER.into(), ..missing.clone() };
        let before = if there.group == missing.group {
            before
        } else {
            Spot { group: format!("/groups/{OTHER}"), ..before }
        };
        self.see(who, row, &before);
        let (there, missing) = (self.see(who, row, there), self.see(who, row, missing));
        // On PostgreSQL, what is remembered of a group needs no statement.
        self.compared += there.statements.len();
        let same = there == missing && there.status >= 400;
        (!same).then(|| format!("{} {}:\n  {there:?}\n  {missing:?}", row.method, row.shape))
    }
}

/// A text with the same sign for every id and every date.
fn without_ids(text: &str) -> String {
    let is_id = |it: &str| {
        it.len() == 36
            && it.bytes().enumerate().all(|(at, byte)| match at {
                8 | 13 | 18 | 23 => byte == b'-',
                _ => byte.is_ascii_hexdigit(),
            })
    };
    let is_date = |it: &str| {
        it.len() >= 19
            && it.as_bytes()[4] == b'-'
            && it.as_bytes()[10] == b'T'
            && it.starts_with('2')
    };
    let words = text.split_inclusive(['"', '\'', '/', '(', ')', ' ']);
    let word = |it: &str| {
        let bare = it.trim_end_matches(['"', '\'', '/', '(', ')', ' ']);
        match is_id(bare) || is_date(bare) {
            true => format!("*{}", &it[bare.len()..]),
            false => it.to_owned(),
        }
    };
    words.map(word).collect()
}

/// The answers to the same requests in one batch.
fn in_a_batch(client: &Client, row: &Row, spots: &[&Spot]) -> Vec<String> {
    let request = |(at, spot): (usize, &&Spot)| {
        let body = spot.body(row);
        let mut request =
            json!({"id": at.to_string(), "method": row.method, "url": spot.address(row)});
        if !body.is_null() {
            request["headers"] = json!({"Content-Type": "application/json"});
            request["body"] = body;
        }
        request
    };
    let requests: Vec<_> = spots.iter().enumerate().map(request).collect();
    let answer = client.post("/v1.0/$batch", &json!({"requests": requests})).ok();
    let answers = answer["responses"].as_array().unwrap().iter();
    let without_its_place = |it: &Value| {
        let mut it = it.clone();
        it["id"] = Value::Null;
        without_ids(&it.to_string())
    };
    answers.map(without_its_place).collect()
}

#[test]
fn another_tenants_things_are_as_if_they_were_not_there() {
    let mut watched = Watched::new();
    let mut wrong = Vec::new();
    for visibility in ["Public", "HiddenMembership"] {
        let group = watched.stage.group(visibility);
        let mut there = watched.stage.talk(&group, Who::Author);
        watched.stage.edit(&mut there, Who::Author);
        watched.stage.ask(&mut there, visibility);
        watched.stage.server.settle();
        let missing = Spot::unknown(&format!("/groups/{UNKNOWN}"));
        let of_another =
            |it: &Row| it.in_group() || ["user", "directoryObject"].contains(&it.parts().0);
        for row in rows().iter().filter(|it| of_another(it)) {
            wrong.extend(watched.same(Who::Stranger, row, (&there, &missing)));
            let client = watched.stage.client(Who::Stranger);
            let answers = in_a_batch(client, row, &[&there, &missing]);
            if answers[0] != answers[1] || !answers[0].contains("\"status\":404") {
                wrong.push(format!("in a batch: {answers:?}"));
            }
        }
        // By the names of groups, and by way of what is the caller's own.
        let stranger = watched.stage.client(Who::Stranger);
        let id = group.trim_start_matches("/groups/");
        for way in [format!("/me/joinedTeams/{id}"), format!("/me/memberOf/{id}")] {
            stranger.get(&format!("/v1.0{way}")).refused(404, "Request_ResourceNotFound");
        }
        let person = &watched.stage.spare;
        let found = stranger.post("/v1.0/directoryObjects/getByIds", &json!({"ids": [id, person]}));
        assert_eq!(found.ok()["value"], json!([]));
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(watched.compared > 20, "the log is read wrong: {}", watched.compared);
}

#[test]
fn what_a_private_group_has_and_has_not_is_refused_alike() {
    let mut watched = Watched::new();
    let mut wrong = Vec::new();
    for visibility in ["Private", "HiddenMembership"] {
        let group = watched.stage.group(visibility);
        let mut there = watched.stage.talk(&group, Who::Author);
        watched.stage.edit(&mut there, Who::Author);
        watched.stage.ask(&mut there, visibility);
        watched.stage.server.settle();
        let missing = Spot::unknown(&group);
        let of_content = |it: &Row| it.in_group() && it.who != "anybody" && it.parts().0 != "group";
        for row in rows().iter().filter(|it| of_content(it)) {
            wrong.extend(watched.same(Who::Outsider, row, (&there, &missing)));
            let client = watched.stage.client(Who::Outsider);
            let answers = in_a_batch(client, row, &[&there, &missing]);
            // Requests are their askers' and the owners': there are none for others.
            let missing = row.parts().0 == "joinRequest" && row.who.contains("whom it is about");
            let status = if missing { "\"status\":404" } else { "\"status\":403" };
            if answers[0] != answers[1] || !answers[0].contains(status) {
                wrong.push(format!("in a batch: {answers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(watched.compared > 20, "the log is read wrong: {}", watched.compared);
}

/// Of a group that they do not belong to, and of people whom they share no group with, a guest hears what they
/// hear of nothing, by id and by name.
#[test]
fn what_a_guest_does_not_belong_to_is_as_if_it_were_not_there() {
    let mut watched = Watched::new();
    let mut wrong = Vec::new();
    for visibility in ["Public", "Private", "HiddenMembership"] {
        let group = watched.stage.group(visibility);
        let mut there = watched.stage.talk(&group, Who::Author);
        watched.stage.edit(&mut there, Who::Author);
        let senders = format!("/v1.0{group}/acceptedSenders/$ref");
        let named = watched.stage.server.principal(&watched.stage.id(Who::Author));
        watched.stage.client(Who::Owner).post(&senders, &named).empty(204);
        watched.stage.ask(&mut there, visibility);
        watched.stage.server.settle();
        let missing = Spot::unknown(&format!("/groups/{UNKNOWN}"));
        let of_another =
            |it: &Row| it.in_group() || ["user", "directoryObject"].contains(&it.parts().0);
        for row in rows().iter().filter(|it| of_another(it)) {
            wrong.extend(watched.same(Who::Guest, row, (&there, &missing)));
            let client = watched.stage.client(Who::Guest);
            let answers = in_a_batch(client, row, &[&there, &missing]);
            if answers[0] != answers[1] || !answers[0].contains("\"status\":404") {
                wrong.push(format!("in a batch: {answers:?}"));
            }
        }
        let guest = watched.stage.client(Who::Guest).clone();
        let nickname = watched.stage.client(Who::Owner).get(&format!("/v1.0{group}")).ok();
        let nickname = nickname["mailNickname"].as_str().unwrap().to_owned();
        let talk = json!({"topic": "x", "threads": [{"posts": [{"body": {"content": "x"}}]}]});
        for (path, there, missing, body) in [
            ("/groups/*", &nickname[..], "nothing", None),
            ("/groups/*/members", &nickname, "nothing", None),
            ("/groups/*@localhost/threads", &nickname, "nothing", None),
            ("/groups/*/conversations", &nickname, "nothing", Some(&talk)),
            ("/me/joinedTeams/*/threads", &nickname, "nothing", None),
            ("/users/*", "author@example.org", "nobody@example.org", None),
            ("/users/*/memberOf", "author@example.org", "nobody@example.org", None),
        ] {
            let mut see = |name: &str| {
                watched.statements();
                let path = format!("/v1.0{}", path.replace('*', name));
                let answer = match body {
                    Some(body) => guest.post(&path, body),
                    None => guest.get(&path),
                };
                let text = without_ids(&answer.text()).replace(name, "*");
                (answer.status, text, watched.statements())
            };
            see("before.all@example.org");
            let (there, missing) = (see(there), see(missing));
            if there != missing || there.0 != 404 {
                wrong.push(format!("{path}:\n  {there:?}\n  {missing:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(watched.compared > 20, "the log is read wrong: {}", watched.compared);
}

/// The ids of one group mixed into paths of another, from each depth on.
#[test]
fn another_groups_items_are_not_found_under_ones_own() {
    let mut watched = Watched::new();
    let group = watched.stage.group("Private");
    let mut own = watched.stage.talk(&group, Who::Author);
    watched.stage.edit(&mut own, Who::Author);
    let nothing = Spot::unknown(&group);
    let mut wrong = Vec::new();
    for (visibility, who) in
        [("Public", Who::Author), ("Private", Who::Owner), ("Private", Who::App)]
    {
        let elsewhere = watched.stage.group(visibility);
        let mut theirs = watched.stage.talk(&elsewhere, Who::Author);
        watched.stage.edit(&mut theirs, Who::Author);
        watched.stage.server.settle();
        // All of it is another group's; then the post is; then what hangs on the post is.
        let mix = |from: &Spot| {
            let all = Spot { group: group.clone(), ..from.clone() };
            let post = Spot {
                thread: own.thread.clone(),
                conversation: own.conversation.clone(),
                ..all.clone()
            };
            let child = Spot { post: own.post.clone(), ..post.clone() };
            [all, post, child]
        };
        let depths = mix(&theirs).into_iter().zip(mix(&nothing)).enumerate();
        for (depth, (there, missing)) in depths {
            // Names are not ids: what both posts call the same is there.
            let by_name = [
                "openTypeExtension",
                "singleValueLegacyExtendedProperty",
                "multiValueLegacyExtendedProperty",
            ];
            let reaches = |row: &Row| match row.parts().0 {
                "conversation" | "conversationThread" => depth == 0,
                "post" => depth <= 1,
                "attachment" | "mention" | "postVersion" => true,
                head => by_name.contains(&head) && depth <= 1,
            };
            for row in rows().iter().filter(|it| it.in_group() && reaches(it)) {
                if who == Who::App && row.application.is_empty() {
                    continue;
                }
                wrong.extend(watched.same(who, row, (&there, &missing)));
                let answer = ask(watched.stage.client(who), &there, row);
                let code = answer.json()["error"]["code"].clone();
                // Histories are owners', before the post is looked for.
                let of_history = row.shape.ends_with(".history") || row.shape == "postVersion";
                let denied = of_history && depth > 0;
                let expected = if denied && who == Who::Author { 403 } else { 404 };
                if answer.status != expected || (expected == 404 && code != "ErrorItemNotFound") {
                    wrong.push(format!("{} {}: {}", row.method, row.shape, answer.text()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(watched.compared > 20, "the log is read wrong: {}", watched.compared);
}

/// No body, count, page, search, condition or part of a batch shows to others what members alone may see.
#[test]
fn nothing_hidden_shows_in_any_answer() {
    let stage = Stage::new();
    let author = stage.client(Who::Author);
    let owner = stage.client(Who::Owner);
    let group = stage.group("HiddenMembership");
    let open = stage.group("Public");
    let talk = json!({"topic": SECRET, "threads": [{"posts": [{"body": {"content": SECRET},
        "attachments": [{"@odata.type": "#microsoft.graph.fileAttachment",
            "name": format!("{SECRET}.txt"), "contentBytes": "aGVsbG8="}]}]}]});
    author.post(&format!("/v1.0{group}/conversations"), &talk).created();
    let (id, ada) = (group.trim_start_matches("/groups/"), stage.id(Who::Author));
    let content = "conversations($expand=threads($expand=posts)),threads($expand=posts($expand=attachments)),\
        folkmoot.messages";
    let topic = format!("startswith(c/topic,'{SECRET}')");
    let walked = format!("members/any(m:m/id%20eq%20'{ada}')");
    let of_hidden = format!("id%20eq%20'{id}'");
    // Of what is asked, members see something: the secret, or the group among those of somebody.
    let mut questions = vec![
        format!("/groups?$filter={of_hidden}&$expand=conversations,threads"),
        format!("/groups?$expand={content}&$top=999"),
        format!("/groups?$filter=conversations/any(c:{topic})&$expand=threads"),
        format!("/groups?$filter=threads/any(c:{topic})&$select=id"),
        format!(
            "/groups?$filter=threads/any(t:t/posts/any(p:contains(p/body/content,'{SECRET}')))&$select=id"
        ),
        format!("/groups?$filter={walked}&$select=id"),
        format!(
            "/groups?$filter={}&$select=id",
            walked.replace("members", "owners").replace(&ada, &stage.id(Who::Owner))
        ),
        format!("/groups?$filter=members/$count%20gt%200&$select=id"),
        format!(
            "/users?$filter=memberOf/any(g:g/{of_hidden})&$select=id,displayName&$expand=memberOf($filter={of_hidden})"
        ),
        format!("/users/{ada}?$expand=memberOf"),
        format!("/users/{ada}?$expand=transitiveMemberOf"),
        format!("/users/{ada}/memberOf"),
        format!("/users/{ada}/transitiveMemberOf"),
        format!("/users/{ada}/joinedTeams"),
        format!("/users/{ada}/joinedGroups"),
        format!("/users/{ada}/memberOf?$expand=conversations"),
        format!("/users/{ada}/memberOf/microsoft.graph.group?$filter={of_hidden}"),
        format!("/users/{ada}/memberOf/{id}/microsoft.graph.group/conversations"),
        format!("/users/{ada}/joinedTeams/{id}/threads"),
        format!("/users/{}/ownedObjects", stage.id(Who::Owner)),
        format!("/users?$expand=memberOf($expand=conversations,threads),ownedObjects&$top=999"),
        format!("{open}/members?$expand=memberOf($expand=threads)"),
        format!("{open}/members?$filter=memberOf/any(g:g/{of_hidden})"),
        format!("{open}/members/{ada}/memberOf"),
        format!("{open}/members?$filter=memberOf/any(g:g/conversations/any(c:{topic}))"),
        format!("{open}?$expand=members($expand=memberOf($filter={of_hidden}))"),
        format!("{group}?$expand=members($select=id)"),
        format!("{group}?$expand=owners/$ref"),
    ];
    for list in ["members", "owners", "rejectedSenders"] {
        questions.push(format!("{group}/{list}"));
        questions.push(format!("{group}/{list}/$ref"));
        questions.push(format!("{group}/{list}?$count=true&$top=1"));
    }
    let rest = ["conversations", "threads", "folkmoot.messages"];
    for list in rest {
        questions.push(format!("{group}/{list}?$search=%22{SECRET}%22"));
        questions.push(format!("{group}/{list}?$count=true"));
        questions.push(format!("{group}/{list}"));
        questions.push(format!("{group}?$expand={list}"));
    }
    let rejected = stage.server.principal(&stage.id(Who::Rejected));
    owner.post(&format!("/v1.0{group}/rejectedSenders/$ref"), &rejected).empty(204);
    let people = [Who::Author, Who::Owner, Who::Rejected, Who::Member].map(|it| stage.id(it));
    for question in &questions {
        // The caller's own words come back in links and errors, without telling anything.
        let said = |text: &str| {
            let text = text.replace(&question[1..], "").replace(&group[1..], "");
            let list = question.starts_with(&group);
            let shows = |it: &str| text.contains(it);
            shows(SECRET)
                || (!list
                    && text.split("\"id\":").any(|it| it.starts_with(&format!("\"{id}\"")))
                    && relates(question))
                || (list && people.iter().any(|it| shows(it)))
        };
        let whole = owner.get(&format!("/v1.0{question}"));
        assert!(whole.status == 200 && shown(&whole), "{question} asks nothing: {}", whole.text());
        for who in [Who::Outsider, Who::Stranger, Who::Guest] {
            let client = stage.client(who);
            let alone = client.get(&format!("/v1.0{question}"));
            let batch = json!({"requests": [{"id": "1", "method": "GET", "url": question}]});
            let batched = client.post("/v1.0/$batch", &batch).text();
            for text in [alone.text(), batched] {
                assert!(!said(&text), "{who:?} {question}: {text}");
                let counted = text.split("\"@odata.count\":").nth(1);
                assert!(counted.is_none_or(|it| it.starts_with('0')), "{who:?} {question}: {text}");
            }
        }
    }
    // Counts, bare.
    for (path, members) in [
        (format!("{group}/members/$count"), true),
        (format!("{group}/owners/$count"), true),
        (format!("/users/{ada}/memberOf/$count?$filter={of_hidden}"), true),
        (format!("/groups/$count?$filter=conversations/any(c:{topic})"), true),
        (format!("/groups/$count?$filter={walked}%20and%20{of_hidden}"), true),
    ] {
        let count = |who| stage.client(who).get(&format!("/v1.0{path}")).text();
        assert_eq!(count(Who::Owner) != "0", members, "{path}: {}", count(Who::Owner));
        assert_eq!(count(Who::Outsider), "0", "{path}");
    }
}

/// Whether a question is about who belongs to groups, or what they hold: then the group itself is a secret.
fn relates(question: &str) -> bool {
    question.contains("memberOf")
        || question.contains("joined")
        || question.contains("any(")
        || question.contains("ownedObjects")
}

/// Whether an answer shows anything.
fn shown(answer: &Response) -> bool {
    let json = answer.json();
    json["value"].as_array().is_none_or(|it| !it.is_empty())
}
