//! Searches that are refused, each with the reason in words, and the limits.

use super::{searched, setup, topics};
use crate::support::Server;

#[test]
fn what_cannot_be_searched_for_is_refused_with_the_reason() {
    let (_server, ada, group) = setup();
    let [_, thread, _] = ada.talk(&group, "One", "budget");
    let path = format!("/v1.0/groups/{group}/conversations");
    for (search, why) in [
        ("", "expected a word"),
        ("\"\"", "expected a word"),
        ("\u{1f44d} ...", "no word"),
        ("NOT budget", "only says what is not wanted"),
        ("-budget -pizza", "only says what is not wanted"),
        ("one OR NOT two", "only says what is not wanted"),
        ("one (NOT two -three)", "only says what is not wanted"),
        ("budg*", "whole word in place of 'budg*'"),
        ("topic:b*", "by their beginning"),
        ("colour:red", "no property colour"),
        ("http://example.org", "goes into quotes"),
        ("topic>x", "write topic:word"),
        ("one OR hasAttachments:true", "outside of OR, NOT and parentheses"),
        ("NOT received:2020-01-01", "outside of OR, NOT and parentheses"),
        ("hasAttachments:maybe", "true or false"),
        ("hasAttachments>true", "hasAttachments:true or hasAttachments:false"),
        ("received:yesterday", "a day or a time"),
        ("(one", "a closing parenthesis"),
        ("one AND", "expected a word"),
        ("one \"two", "a phrase with a quote at its end"),
    ] {
        let answer = ada.get(&searched(&path, search));
        assert!(answer.refused(400, "BadRequest").contains(why), "{search}: {}", answer.text());
    }
    for (options, why) in [
        ("$orderby=topic", "newest first"),
        ("$skip=5", "@odata.nextLink"),
        ("$skiptoken=x", "$skiptoken"),
    ] {
        let answer = ada.get(&searched(&format!("{path}?{options}"), "one"));
        assert!(answer.refused(400, "BadRequest").contains(why), "{options}: {}", answer.text());
    }
    for place in [
        format!("{path}?$expand=threads($search=one)"),
        searched(&format!("/v1.0/groups/{group}/threads/{thread}"), "one"),
        searched(&format!("/v1.0/groups/{group}/owners/$ref"), "one"),
    ] {
        let answer = ada.get(&place);
        assert_eq!(answer.status, 400, "{place}: {}", answer.text());
        assert!(answer.text().contains("$search"), "{place}: {}", answer.text());
    }
    // The token of one search is none of another.
    for at in 0..2 {
        ada.talk(&group, &at.to_string(), "budget");
    }
    let page = ada.get(&searched(&format!("{path}?$top=1"), "budget")).ok();
    let next = page["@odata.nextLink"].as_str().unwrap().split_once(&ada.address).unwrap().1;
    ada.get(next).ok();
    let why = ada.get(&next.replace("budget", "one")).refused(400, "BadRequest");
    assert!(why.contains("other query options"), "{why}");
}

#[test]
fn limits_of_a_search() {
    let (_server, ada, group) = setup();
    let path = format!("/v1.0/groups/{group}/conversations");
    let at_and_past = |good: String, bad: String, named: &str| {
        topics(&ada, &group, &good);
        let why = ada.get(&searched(&path, &bad)).refused(400, "BadRequest");
        assert!(why.contains(named), "{why}");
    };
    let words = |count: usize| vec!["x"; count].join(" OR ");
    at_and_past(words(50), words(51), "50 words and phrases");
    let nested =
        |depth: usize| format!("{}x{}", "(y OR z -(".repeat(depth / 2), "))".repeat(depth / 2));
    // A parenthesis after a minus is two levels.
    at_and_past(nested(4), nested(6), "8 levels");
    let phrase = |count: usize| format!("body:\"{}\"", vec!["x"; count].join(" "));
    at_and_past(phrase(100), phrase(101), "100 words");
    let word = |bytes: usize| "x".repeat(bytes);
    at_and_past(word(255), word(256), "255 bytes");
}

#[test]
fn strict_mode_searches_what_real_graph_lets_be_searched() {
    let server = Server::with(&["--strict-graph"]);
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    ada.talk(&group, "One", "budget");
    let found = topics(&ada, &group, "\"budget\"");
    assert_eq!(found, "One");
}
