//! Random filters over random rows: the server's answer is that of an evaluator which shares no code
//! with it.

mod evaluate;
mod tree;

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use crate::support::Server;

/// A filter, as a tree that is written as text for the server and evaluated here on its JSON.
#[derive(Clone, Debug)]
enum Filter {
    Text(&'static str, Op, &'static str),
    TextNull(bool),
    Flag(&'static str, bool),
    Time(Op, &'static str),
    In(&'static str, Vec<&'static str>),
    Test(&'static str, &'static str, &'static str),
    Element(bool, Op, &'static str),
    Not(Box<Filter>),
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Texts whose letters fold in ways of their own, without wildcards' meaning.
const TEXTS: [&str; 9] = ["", "a", "A", "straße", "STRASSE", "é", "e\u{301}", "%_", "o'x"];
const TIMES: [&str; 4] = [
    "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00.0000001Z",
    "2020-01-01T02:00:00+02:00",
    "2019-12-31T23:59:59-11:30",
];
/// The properties of a group that hold text; the second can be null.
const PROPERTIES: [&str; 2] = ["displayName", "description"];

fn op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Eq, Op::Ne, Op::Lt, Op::Le, Op::Gt, Op::Ge])
}

fn text() -> impl Strategy<Value = &'static str> {
    prop::sample::select(TEXTS.to_vec())
}

fn filter(properties: [&'static str; 2], with_groups: bool) -> impl Strategy<Value = Filter> {
    let property = prop::sample::select(properties.to_vec());
    let tests = prop::sample::select(vec!["startswith", "endswith", "contains"]);
    let leaf = prop_oneof![
        (property.clone(), op(), text()).prop_map(|(it, op, text)| Filter::Text(it, op, text)),
        any::<bool>().prop_map(move |it| if with_groups {
            Filter::TextNull(it)
        } else {
            Filter::Flag("hasAttachments", it)
        }),
        (op(), prop::sample::select(TIMES.to_vec())).prop_map(move |(op, time)| if with_groups {
            Filter::Flag("securityEnabled", true)
        } else {
            Filter::Time(op, time)
        }),
        (property.clone(), prop::collection::vec(text(), 1..4))
            .prop_map(|(it, list)| Filter::In(it, list)),
        (tests, property, text()).prop_map(|(test, it, text)| Filter::Test(test, it, text)),
        (any::<bool>(), op(), text()).prop_map(move |(all, op, text)| if with_groups {
            Filter::TextNull(all)
        } else {
            Filter::Element(all, op, text)
        }),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|it| Filter::Not(Box::new(it))),
            (inner.clone(), inner.clone()).prop_map(|(l, r)| Filter::And(l.into(), r.into())),
            (inner.clone(), inner).prop_map(|(l, r)| Filter::Or(l.into(), r.into())),
        ]
    })
}

impl Op {
    fn word(self) -> &'static str {
        match self {
            Op::Eq => "eq",
            Op::Ne => "ne",
            Op::Lt => "lt",
            Op::Le => "le",
            Op::Gt => "gt",
            Op::Ge => "ge",
        }
    }

    fn holds<T: PartialOrd>(self, left: &T, right: &T) -> bool {
        match self {
            Op::Eq => left == right,
            Op::Ne => left != right,
            Op::Lt => left < right,
            Op::Le => left <= right,
            Op::Gt => left > right,
            Op::Ge => left >= right,
        }
    }
}

impl Op {
    /// Of values that may be none: none is equal to none alone, and has no order.
    fn holds_of<T: PartialOrd>(self, left: Option<T>, right: Option<T>) -> bool {
        match (left, right) {
            (Some(left), Some(right)) => self.holds(&left, &right),
            (None, None) => matches!(self, Op::Eq),
            _ => matches!(self, Op::Ne),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn write(filter: &Filter) -> String {
    match filter {
        Filter::Text(property, op, text) => format!("{property} {} {}", op.word(), quoted(text)),
        Filter::TextNull(equal) => format!("description {} null", if *equal { "eq" } else { "ne" }),
        Filter::Flag(property, value) => format!("{property} eq {value}"),
        Filter::Time(op, time) => format!("lastDeliveredDateTime {} {time}", op.word()),
        Filter::In(property, list) => {
            let list: Vec<_> = list.iter().map(|it| quoted(it)).collect();
            format!("{property} in ({})", list.join(","))
        }
        Filter::Test(test, property, text) => format!("{test}({property},{})", quoted(text)),
        Filter::Element(all, op, text) => {
            let kind = if *all { "all" } else { "any" };
            format!("uniqueSenders/{kind}(s:s {} {})", op.word(), quoted(text))
        }
        Filter::Not(inner) => format!("not ({})", write(inner)),
        Filter::And(left, right) => format!("({} and {})", write(left), write(right)),
        Filter::Or(left, right) => format!("({} or {})", write(left), write(right)),
    }
}

/// The fold of the few letters that stand in [`TEXTS`], by hand.
fn folded(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            'ß' => out.push_str("ss"),
            '\u{301}' => {
                out.pop();
                out.push('é');
            }
            c => out.extend(c.to_lowercase()),
        }
    }
    out
}

/// Ticks of one of [`TIMES`], by hand.
fn instant(time: &str) -> i64 {
    match time {
        "2020-01-01T00:00:00Z" | "2020-01-01T02:00:00+02:00" => 0,
        "2020-01-01T00:00:00.0000001Z" => 1,
        _ => 11 * 36_000_000_000 + 30 * 600_000_000 - 10_000_000,
    }
}

fn evaluate(filter: &Filter, row: &Value) -> bool {
    match filter {
        Filter::Text(property, op, text) => match (row[*property].as_str(), op) {
            (Some(value), op) => op.holds(&folded(value), &folded(text)),
            // Null is equal to no text, so it differs from every one, and has no order.
            (None, op) => matches!(op, Op::Ne),
        },
        Filter::TextNull(equal) => row["description"].is_null() == *equal,
        Filter::Flag(property, value) => row[*property] == *value,
        Filter::Time(op, time) => {
            op.holds(&instant(row["lastDeliveredDateTime"].as_str().unwrap()), &instant(time))
        }
        Filter::In(property, list) => {
            let value = row[*property].as_str().map(folded);
            value.is_some_and(|value| list.iter().any(|it| folded(it) == value))
        }
        Filter::Test(test, property, text) => {
            let Some(value) = row[*property].as_str().map(folded) else { return false };
            let text = folded(text);
            match *test {
                "startswith" => value.starts_with(&text),
                "endswith" => value.ends_with(&text),
                _ => value.contains(&text),
            }
        }
        Filter::Element(all, op, text) => {
            let senders = row["uniqueSenders"].as_array().unwrap();
            let holds = |it: &Value| op.holds(&folded(it.as_str().unwrap()), &folded(text));
            if *all { senders.iter().all(holds) } else { senders.iter().any(holds) }
        }
        Filter::Not(inner) => !evaluate(inner, row),
        Filter::And(left, right) => evaluate(left, row) && evaluate(right, row),
        Filter::Or(left, right) => evaluate(left, row) || evaluate(right, row),
    }
}

fn compare<F: std::fmt::Debug>(
    server: &Server,
    path: &str,
    cases: u32,
    strategy: impl Strategy<Value = F>,
    write: impl Fn(&F) -> String,
    evaluate: impl Fn(&F, &Value) -> bool,
) {
    let ada = server.user("ada@example.org");
    let rows = ada.all(path);
    assert!(rows.len() > 50);
    let mut runner = TestRunner::new(Config { cases, ..Config::default() });
    let result = runner.run(&strategy, |filter| {
        let text = write(&filter);
        let encoded = utf8_percent_encode(&text, NON_ALPHANUMERIC);
        let mut url = path.to_owned();
        let _ = write!(url, "&$filter={encoded}");
        let ids = |rows: &[Value]| -> Vec<String> {
            rows.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
        };
        let answered = ids(&ada.all(&url));
        let expected: Vec<_> = rows.iter().filter(|row| evaluate(&filter, row)).cloned().collect();
        prop_assert_eq!(answered, ids(&expected), "{}", text);
        Ok(())
    });
    result.unwrap();
}

/// What is written of texts, which are kept as they were sent, and what is expanded.
#[test]
fn of_the_whole_grammar() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    let conversations = format!("/v1.0/groups/{group}/conversations");
    let texts: Vec<_> = TEXTS.iter().chain(&tree::MORE).collect();
    for number in 0..72 {
        let at = |offset: usize| texts[(number * 7 + offset) % texts.len()];
        let senders: Vec<_> = (0..number % 4).map(|it| at(it * 4 + 1)).collect();
        let body = json!({
            "topic": texts[number % texts.len()],
            "preview": at(3),
            "hasAttachments": number % 3 == 0,
            "uniqueSenders": senders,
            "lastDeliveredDateTime": tree::TIMES[(number / 2) % tree::TIMES.len()],
        });
        let id = ada.declare(&group, &body);
        for thread in 0..number % 3 {
            let body = json!({"topic": at(thread + 2)});
            ada.post(&format!("{conversations}/{id}/threads"), &body).created();
        }
    }
    let path = format!("{conversations}?$top=1000&$expand=threads($select=topic)");
    compare(&server, &path, 1_200, tree::test(), tree::Test::write, tree::Test::holds);
}

#[test]
fn over_conversations() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let group = ada.group("readers", "Public");
    for (number, topic) in TEXTS.iter().cycle().take(90).enumerate() {
        let senders: Vec<_> = TEXTS.iter().skip(number % 9).take(number % 4).collect();
        let body = json!({
            "topic": topic,
            "preview": TEXTS[(number * 7 + number / 9) % 9],
            "hasAttachments": number % 3 == 0,
            "uniqueSenders": senders,
            "lastDeliveredDateTime": TIMES[(number / 5) % 4],
        });
        ada.declare(&group, &body);
    }
    let path = format!("/v1.0/groups/{group}/conversations?$top=1000");
    compare(&server, &path, 400, filter(["topic", "preview"], false), write, evaluate);
}

#[test]
fn over_groups_with_nulls() {
    let server = Server::ephemeral();
    let ada = server.user("ada@example.org");
    let names = TEXTS.iter().filter(|it| !it.is_empty());
    for (number, name) in names.cycle().take(64).enumerate() {
        let description =
            if number % 3 == 0 { Value::Null } else { json!(TEXTS[(number * 5) % 9]) };
        let body = json!({
            "displayName": name, "mailNickname": format!("n{number}"), "groupTypes": ["Unified"],
            "mailEnabled": true, "securityEnabled": number % 2 == 0, "description": description,
        });
        ada.post("/v1.0/groups", &body).created();
    }
    let path = "/v1.0/groups?$top=1000";
    compare(&server, path, 400, filter(PROPERTIES, true), write, evaluate);
}
