//! What the feed's first consumer does: unseen counts, from what everybody has posted since.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Client, Server};

/// Conversations that a user has not seen the last post of.
fn unseen(client: &Client, group: &str) -> i64 {
    let read = client.get(&format!("/v1.0/groups/{group}?$select=unseenCount"));
    assert!(read.header("ETag").is_none(), "the count is another for each caller");
    read.ok()["unseenCount"].as_i64().unwrap()
}

/// Waits for a count: the feed is worked on soon, not at once.
#[track_caller]
fn becomes(client: &Client, group: &str, count: i64) {
    let begun = Instant::now();
    loop {
        let now = unseen(client, group);
        if now == count {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{now} and not {count}");
        std::thread::yield_now();
    }
}

fn add(server: &Server, owner: &Client, group: &str, who: &Client) {
    let id = who.get("/v1.0/me").ok()["id"].as_str().unwrap().to_owned();
    owner.post(&format!("/v1.0/groups/{group}/members/$ref"), &server.reference(&id)).empty(204);
}

fn reset(client: &Client, group: &str) {
    let answer = client.send("POST", &format!("/v1.0/groups/{group}/resetUnseenCount"), &[], b"");
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn whoever_may_not_read_a_group_is_told_of_nothing_unseen() {
    let server = Server::durable();
    let (ada, eve) = (server.user("ada@example.org"), server.user("eve@example.org"));
    let (private, open) = (ada.group("private", "Private"), ada.group("open", "Public"));
    for group in [&private, &open] {
        ada.talk(group, "one", "x");
    }
    becomes(&eve, &open, 1);
    server.settle();
    assert_eq!(unseen(&eve, &private), 0);
    let all = eve.all("/v1.0/groups?$select=id,unseenCount");
    let counts: Vec<_> = all.iter().map(|it| it["unseenCount"].as_i64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<i64>(), 1, "{all:?}");
}

#[test]
fn what_others_say_is_unseen_until_it_was_looked_at() {
    let server = Server::durable();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let group = ada.group("readers", "Private");
    ada.talk(&group, "before", "bo came");
    becomes(&ada, &group, 0);
    add(&server, &ada, &group, &bo);
    let [_, thread, _] = ada.talk(&group, "one", "x");
    let [second, ..] = ada.talk(&group, "two", "x");
    becomes(&bo, &group, 2);
    assert_eq!(unseen(&ada, &group), 0, "one's own words are no news");
    // Another post in the same conversation is the same conversation.
    let reply = json!({"post": {"body": {"content": "y"}}});
    ada.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    ada.delete(&format!("/v1.0/groups/{group}/conversations/{second}")).empty(204);
    becomes(&bo, &group, 1);
    reset(&bo, &group);
    assert_eq!(unseen(&bo, &group), 0);
    bo.post(&format!("/v1.0/groups/{group}/threads/{thread}/reply"), &reply).empty(202);
    becomes(&ada, &group, 1);
    assert_eq!(unseen(&bo, &group), 0);
    let app = server.app(&["Group.ReadWrite.All"]);
    let read = app.get(&format!("/v1.0/groups/{group}?$select=unseenCount")).ok();
    assert!(read["unseenCount"].is_null(), "an application has seen nothing and missed nothing");
    server.settle();
}

/// Work that somebody has taken is left to them until their lease is over, and then taken over.
#[test]
fn the_work_of_a_killed_consumer_is_taken_over() {
    let server = Server::durable();
    let (ada, bo) = (server.user("ada@example.org"), server.user("bo@example.org"));
    let groups = ["first", "second"].map(|name| {
        let group = ada.group(name, "Private");
        add(&server, &ada, &group, &bo);
        group
    });
    let [first, second] = &groups;
    let id = |group: &str| match server.on_postgres() {
        true => format!("'{group}'"),
        false => format!("x'{}'", group.replace('-', "")),
    };
    // As one that was killed in the middle leaves it, for another hundred years.
    let killed = format!(
        "update feed_work set lease_owner = {}, lease_until = {} where group_id = {}",
        id("8d12587e-587e-8d12-7e58-128d7e58128d"),
        i64::MAX,
        id(first)
    );
    server.change(&killed);
    ada.talk(first, "x", "y");
    // Later, and done: so the first was there to be done, and was left alone.
    ada.talk(second, "x", "y");
    becomes(&bo, second, 1);
    assert_eq!(unseen(&bo, first), 0);
    server.change("update feed_work set lease_until = 1 where lease_until is not null");
    becomes(&bo, first, 1);
    // A server that starts goes on where the one before was.
    ada.talk(first, "another", "y");
    let server = server.kill_and_restart();
    let bo = bo.at(&server);
    becomes(&bo, first, 2);
    assert_eq!(server.check().status, Some(0));
}

/// The feed is kept for a month; the newest row stays, so that its number is known.
#[test]
fn the_feed_forgets_what_is_long_ago() {
    let server = Server::durable();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Private");
    for number in 0..5 {
        ada.talk(&group, &number.to_string(), "x");
    }
    server.settle();
    assert_eq!(server.number("select count(*) from feed"), 15);
    // Ten rows are 40 days old: ticks are of 100 ns.
    server.change("update feed set at = at - 34560000000000 where seq <= 10");
    let server = server.kill_and_restart();
    while server.number("select min(seq) from feed") < 11 {
        std::thread::yield_now();
    }
    assert_eq!(server.number("select count(*) from feed"), 5);
    let of_tenant = server.number("select max(seq) from tenant_feed");
    server.change("update tenant_feed set at = at - 34560000000000");
    server.change("update feed set at = at - 34560000000000");
    let server = server.kill_and_restart();
    for feed in ["feed", "tenant_feed"] {
        while server.number(&format!("select count(*) from {feed}")) > 1 {
            std::thread::yield_now();
        }
    }
    assert_eq!(server.number("select max(seq) from tenant_feed"), of_tenant);
    let ada = ada.at(&server);
    ada.talk(&group, "on", "x");
    assert_eq!(server.number("select max(seq) from feed"), 18);
    assert_eq!(server.number("select seq from feed_heads"), 18);
    assert_eq!(server.check().status, Some(0));
}
