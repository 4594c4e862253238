//! `$search` of conversations, threads and posts.

mod random;
mod refused;
mod spam_assassin;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::support::{Client, Server};

/// A path with this search.
fn searched(path: &str, search: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}$search={}", utf8_percent_encode(search, NON_ALPHANUMERIC))
}

/// The values of this property of all that is found, page by page.
fn found(client: &Client, path: &str, search: &str, property: &str) -> Vec<String> {
    let items = client.all(&searched(path, search));
    items.iter().map(|it| it[property].as_str().unwrap().to_owned()).collect()
}

/// The same where pages make no difference: all topics, one after another.
fn topics(client: &Client, group: &str, search: &str) -> String {
    found(client, &format!("/v1.0/groups/{group}/conversations"), search, "topic").join(" ")
}

fn reply(client: &Client, group: &str, thread: &str, content: &str) {
    let post = json!({"post": {"body": {"contentType": "text", "content": content}}});
    client.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &post).empty(202);
}

fn setup() -> (Server, Client, String) {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    (server, ada, group)
}

/// All posts of a group by their words, with the topics that they are under.
#[test]
fn a_groups_messages_are_searched() {
    let (_server, ada, group) = setup();
    let [_, thread, _] = ada.talk(&group, "One", "pizza");
    reply(&ada, &group, &thread, "pasta, not pizza");
    ada.talk(&group, "Two", "pasta");
    let path = format!("/v1.0/groups/{group}/folkmoot.messages?$select=@folkmoot.topic&$top=1");
    let topics = |search| found(&ada, &path, search, "@folkmoot.topic");
    assert_eq!(topics("pasta"), ["Two", "One"]);
    assert_eq!(topics("pizza pasta"), ["One"]);
    assert_eq!(topics("topic:one"), ["One", "One"]);
}

#[test]
fn words_are_found_where_they_stand() {
    let (server, ada, group) = setup();
    let bo = server.user("bo@example.org");
    let path = format!("/v1.0/groups/{group}/conversations");
    ada.talk(&group, "One", "The annual budget, and pizza.");
    bo.talk(&group, "Two", "A budget that is not annual");
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "pizza-menu.pdf",
        "contentBytes": "aGVsbG8="});
    let html =
        json!({"contentType": "html", "content": "<p>Cr&egrave;me br\u{fb}l\u{e9}e</p><p>budget"});
    let talk =
        json!({"topic": "Three", "threads": [{"posts": [{"body": html, "attachments": [file]}]}]});
    ada.post(&path, &talk).created();
    ada.talk(&group, "Straße \u{1f44d} 日本語", "Kein Café, g1");
    for (search, expected) in [
        ("budget", "Three Two One"),
        ("BUDGET pizza", "Three One"),
        ("budget AND pizza", "Three One"),
        ("\"budget AND pizza\"", "Three One"),
        ("pizza OR cafe", "Straße \u{1f44d} 日本語 Three One"),
        ("budget -pizza", "Two"),
        ("budget NOT pizza", "Two"),
        ("budget NOT (pizza OR annual)", ""),
        ("budget (pizza OR annual)", "Three Two One"),
        ("body:pizza", "One"),
        ("attachment:pizza", "Three"),
        ("attachment:\"pizza menu\"", "Three"),
        ("pizza-menu.pdf", "Three"),
        ("topic:one", "One"),
        ("Subject:(one OR TWO)", "Two One"),
        ("topic:budget", ""),
        ("from:bo", "Two"),
        ("\"sender:bo@example.org\"", "Two"),
        ("participants:\"bo@example.org\" budget", "Two"),
        ("\"annual budget\" -x", "One"),
        ("\"\\\"annual budget\\\"\"", "One"),
        ("\"annual budget\"", "Two One"),
        ("\"budget annual\" OR x", ""),
        ("topic:\"one the\"", ""),
        ("brulee", "Three"),
        ("\"crème\" brûlée", "Three"),
        ("strasse", "Straße \u{1f44d} 日本語"),
        ("日本", "Straße \u{1f44d} 日本語"),
        ("本語", "Straße \u{1f44d} 日本語"),
        ("語日", ""),
        ("\u{1f44d} budget \u{2026} one", "One"),
        ("hasAttachments:true", "Three"),
        ("hasAttachments:false budget", "Two One"),
        ("NOT hasAttachments=true -two", "Straße \u{1f44d} 日本語 One"),
        ("received>=2020-01-01 budget", "Three Two One"),
        ("budget received<2020-01-01T00:00:00Z", ""),
        ("received:2020-01-01", ""),
        // The index's own term of the group is no word of a post.
        ("g1", "Straße \u{1f44d} 日本語"),
        ("pizzas", ""),
        ("piz", ""),
    ] {
        assert_eq!(topics(&ada, &group, search), expected, "{search}");
    }
}

/// What is received at that very time is in `>=` and `<=`, and not in `>` and `<`.
#[test]
fn times_are_compared_to_the_point() {
    let (_server, ada, group) = setup();
    ada.talk(&group, "One", "budget");
    ada.talk(&group, "Two", "budget");
    let path = format!("/v1.0/groups/{group}/folkmoot.messages");
    let all = ada.all(&format!("{path}?$select=receivedDateTime,@folkmoot.topic"));
    let time = |it: &serde_json::Value| it["receivedDateTime"].as_str().unwrap().to_owned();
    let last = time(&all[0]);
    type Holds = fn(&String, &String) -> bool;
    let signs: [(&str, Holds); 5] = [
        (">=", String::ge),
        (">", String::gt),
        ("<=", String::le),
        ("<", String::lt),
        (":", String::eq),
    ];
    for (sign, holds) in signs {
        let expected: Vec<_> =
            all.iter().filter(|it| holds(&time(it), &last)).map(|it| it["id"].clone()).collect();
        let found = found(&ada, &path, &format!("received{sign}{last}"), "id");
        assert_eq!(json!(found), json!(expected), "{sign}");
    }
}

#[test]
fn what_was_found_last_comes_first_and_once() {
    let (_server, ada, group) = setup();
    let mut threads = Vec::new();
    let topic = |at: usize| char::from(b'a' + u8::try_from(at).unwrap()).to_string();
    for at in 0..6 {
        let [conversation, thread, _] = ada.talk(&group, &topic(at), "needle");
        threads.push((conversation, thread));
    }
    // An old conversation has a new match; another one something new that is none.
    reply(&ada, &group, &threads[1].1, "a needle again");
    reply(&ada, &group, &threads[0].1, "nothing of it");
    let path = format!("/v1.0/groups/{group}/conversations");
    for size in ["1", "2", "5", "6", "100"] {
        let top = format!("{path}?$top={size}");
        assert_eq!(found(&ada, &top, "needle", "topic").concat(), "bfedca", "{size}");
        let top = format!("/v1.0/groups/{group}/threads?$top={size}");
        assert_eq!(found(&ada, &top, "needle", "topic").concat(), "bfedca", "{size}");
    }

    // While one pages, all that is not shown yet becomes new: it is still shown, and nothing twice.
    let page = ada.get(&searched(&format!("{path}?$top=2"), "needle")).ok();
    let shown: Vec<_> = page["value"].as_array().unwrap().iter().map(|it| &it["topic"]).collect();
    assert_eq!(shown, ["b", "f"]);
    reply(&ada, &group, &threads[2].1, "needle");
    reply(&ada, &group, &threads[5].1, "needle");
    ada.talk(&group, "new", "needle");
    let next = page["@odata.nextLink"].as_str().unwrap().split_once(&ada.address).unwrap().1;
    let rest: Vec<_> = ada.all(next).into_iter().map(|it| it["topic"].clone()).collect();
    assert_eq!(rest, ["e", "d", "c", "a"]);
    assert_eq!(topics(&ada, &group, "needle"), "new f c b e d a");
}

#[test]
fn every_way_to_posts_and_threads_can_be_searched() {
    let (_server, ada, group) = setup();
    let [conversation, thread, first] = ada.talk(&group, "Plans", "lunch one");
    let [other, ..] = ada.talk(&group, "Plans", "lunch elsewhere");
    for content in ["lunch two", "supper three", "lunch four"] {
        reply(&ada, &group, &thread, content);
    }
    let second = json!({"topic": "Plans", "posts": [{"body": {"content": "lunch five"}}]});
    let of = |conversation: &str| format!("/groups/{group}/conversations/{conversation}/threads");
    let fifth = ada.post(&format!("/v1.0{}", of(&conversation)), &second).id();
    ada.get(&format!("/v1.0/groups/{group}/members")).ok();
    for root in ["/v1.0", "/beta"] {
        for path in [
            format!("{root}/groups/{group}/threads/{thread}/posts"),
            format!("{root}{}/{thread}/posts", of(&conversation)),
            format!("{root}/groups('{group}')/threads('{thread}')/posts"),
            format!("{root}/me/joinedTeams/{group}/threads/{thread}/posts"),
        ] {
            let posts = ada.all(&searched(&format!("{path}?$top=2"), "lunch"));
            let bodies: Vec<_> =
                posts.iter().map(|it| it["body"]["content"].as_str().unwrap()).collect();
            assert_eq!(bodies, ["lunch four", "lunch two", "lunch one"], "{path}");
            assert_eq!(posts[2]["id"], first);
        }
        let threads = found(&ada, &format!("{root}{}", of(&conversation)), "lunch", "id");
        assert_eq!(threads, [fifth.clone(), thread.clone()]);
        let threads = found(&ada, &format!("{root}/groups/{group}/threads?$top=1"), "lunch", "id");
        assert_eq!((&threads[..2], threads.len()), (&[fifth.clone(), thread.clone()][..], 3));
        let found =
            found(&ada, &format!("{root}/groups/{group}/conversations?$top=1"), "lunch", "id");
        assert_eq!(found, [conversation.clone(), other.clone()]);
    }
}

#[test]
fn what_is_gone_or_changed_or_elsewhere_is_not_found() {
    let (server, ada, group) = setup();
    let bo = server.user("bo@example.org");
    let [conversation, thread, post] = ada.talk(&group, "here", "needle");
    let secret = ada.group("hidden", "Private");
    ada.talk(&secret, "secret", "needle");
    assert_eq!(topics(&bo, &group, "needle"), "here");
    assert_eq!(topics(&ada, &secret, "needle"), "secret");
    let path = searched(&format!("/v1.0/groups/{secret}/conversations"), "needle");
    bo.get(&path).refused(403, "ErrorAccessDenied");
    // Not even by a condition on another group.
    assert_eq!(topics(&bo, &group, "hasAttachments:false"), "here");

    // An answer that was kept is not given for what has changed.
    let path = searched(&format!("/v1.0/groups/{group}/conversations"), "changed");
    for _ in 0..3 {
        assert_eq!(ada.get(&path).ok()["value"], json!([]));
    }
    let posts = format!("/v1.0/groups/{group}/threads/{thread}/posts");
    let body = json!({"body": {"contentType": "text", "content": "changed"}});
    ada.patch(&format!("{posts}/{post}"), &body).ok();
    assert_eq!(ada.get(&path).ok()["value"][0]["topic"], "here");
    assert_eq!(topics(&ada, &group, "needle"), "");

    // Whatever is indexed of a post follows it: a file that comes later, another topic.
    let file = json!({"@odata.type": "#microsoft.graph.fileAttachment", "name": "menu.pdf",
        "contentBytes": ""});
    let file = ada.post(&format!("{posts}/{post}/attachments"), &file).id();
    assert_eq!(topics(&ada, &group, "attachment:menu hasAttachments:true"), "here");
    ada.delete(&format!("{posts}/{post}/attachments/{file}")).empty(204);
    assert_eq!(topics(&ada, &group, "menu"), "");
    let conversation = format!("/v1.0/groups/{group}/conversations/{conversation}");
    ada.patch(&conversation, &json!({"topic": "there"})).ok();
    assert_eq!(topics(&ada, &group, "topic:there changed"), "there");
    assert_eq!(topics(&ada, &group, "topic:here"), "");

    ada.delete(&format!("/v1.0/groups/{group}/threads/{thread}")).empty(204);
    assert_eq!(topics(&ada, &group, "changed"), "");

    // What was declared and never said has no post that could be found.
    ada.declare(&group, &json!({"topic": "declared"}));
    assert_eq!(topics(&ada, &group, "declared"), "");
}

#[test]
fn other_options_stand_beside_a_search() {
    let (_server, ada, group) = setup();
    let path = format!("/v1.0/groups/{group}/conversations");
    for at in 0..60 {
        ada.talk(&group, &format!("t{at}"), if at % 2 == 0 { "even needle" } else { "odd needle" });
    }
    let get = |options: &str| ada.get(&searched(&format!("{path}{options}"), "needle")).ok();
    let page =
        get("?$top=2&$count=true&$select=topic&$expand=threads($expand=posts($select=body))");
    assert_eq!(page["@odata.count"], 60);
    assert_eq!(page["value"][0]["topic"], "t59");
    let post = &page["value"][1]["threads"][0]["posts"][0];
    assert_eq!(post["body"]["content"], "even needle");
    assert!(page["value"][0]["preview"].is_null());
    // What a filter keeps comes in the same order, page by page.
    for top in [3, 40] {
        let kept = format!("{path}?$top={top}&$filter=endswith(topic,'7')");
        assert_eq!(
            found(&ada, &kept, "odd", "topic"),
            ["t57", "t47", "t37", "t27", "t17", "t7"],
            "{top}"
        );
    }
    let page = get("?$count=true&$filter=endswith(topic,'7')");
    assert_eq!(page["@odata.count"], 6);
    let number = ada.get(&searched(&format!("{path}/$count"), "even")).text();
    assert_eq!(number, "30");
    let number = ada.get(&searched(&format!("{path}/$count?$filter=topic eq 't2'"), "even"));
    assert_eq!(number.status, 400, "a space is no part of an address");
    let filtered = format!("{path}/$count?$filter=topic%20eq%20't2'");
    assert_eq!(ada.get(&searched(&filtered, "even")).text(), "1");
    // Full metadata and a preferred page size are for a search as for other lists.
    let headers =
        [("Prefer", "odata.maxpagesize=2"), ("Accept", "application/json;odata.metadata=full")];
    let page = ada.send("GET", &searched(&path, "needle"), &headers, b"").ok();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(2));
    assert_eq!(page["value"][0]["@odata.type"], "#microsoft.graph.conversation");
}

#[test]
fn a_filter_that_keeps_little_ends_pages_early_and_loses_nothing() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    ada.talk(&group, "wanted", "needle");
    ada.talk(&group, "long", "needle");
    // The last post twelve thousand times more, by SQL: it is what has come last.
    let of_last = "from posts where id = (select id from posts order by id desc limit 1)";
    let number = server.number("select number from groups");
    server.change(&if server.on_postgres() {
        format!(
            "create temp table more as select * {of_last}; \
             insert into more select more.* from more, generate_series(1, 12000); \
             update more set id = gen_random_uuid(); \
             insert into posts select * from more; \
             insert into post_index (group_id, post_id, tokens) \
             select group_id, id, cast('needle:1B' as tsvector) from more"
        )
    } else {
        format!(
            "create temp table more as select * {of_last}; \
             with recursive n(x) as (select 1 union all select x + 1 from n where x < 12000) \
             insert into more select more.* from more, n; \
             update more set number = null, id = randomblob(16); \
             insert into posts select * from more; \
             insert into post_index (rowid, scope, topic, body, sender, attachment) \
             select number, 'g{number}', '', 'needle', '', '' from posts where number > 2"
        )
    });
    let path = format!("/v1.0/groups/{group}/conversations?$filter=topic%20eq%20'wanted'");
    let page = ada.get(&searched(&path, "needle")).ok();
    assert_eq!(page["value"], json!([]));
    assert!(page["@odata.nextLink"].is_string());
    assert_eq!(found(&ada, &path, "needle", "topic"), ["wanted"]);
    assert_eq!(topics(&ada, &group, "needle"), "long wanted");
}
