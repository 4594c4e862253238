//! Filters as text, and what they are bound to or refused for.
//!
//! **Invariant:** every case goes through the parser, so that what is bound is what a client can send.

use super::{member, query};
use crate::bind::{BindError, Collection, Comparison, Predicate, Scalar};

fn collection(over: &Collection) -> String {
    match over {
        Collection::Values(it) => member(it),
        Collection::Entities { scope, navigation } => format!("{scope}/{}", navigation.name),
    }
}

/// A value in short: `Length(0.topic)`.
fn value(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Member(it) => member(it),
        Scalar::Literal(value) => value.to_string(),
        Scalar::Count(over) => format!("#{}", collection(over)),
        Scalar::Call(function, arguments) => {
            let arguments: Vec<_> = arguments.iter().map(value).collect();
            format!("{function:?}({})", arguments.join(","))
        }
        Scalar::Arithmetic(op, a, b) => format!("({} {op:?} {})", value(a), value(b)),
        Scalar::Negate(it) => format!("-{}", value(it)),
    }
}

/// A predicate in short: `(0.seats > 5 and not 0.isOpen)`.
fn short(predicate: &Predicate) -> String {
    let sign = |op: &Comparison| format!("{op:?}").to_lowercase();
    match predicate {
        Predicate::Constant(value) => value.to_string(),
        Predicate::Flag(it) => member(it),
        Predicate::And(a, b) => format!("({} and {})", short(a), short(b)),
        Predicate::Or(a, b) => format!("({} or {})", short(a), short(b)),
        Predicate::Not(it) => format!("not {}", short(it)),
        Predicate::Same(a, b) => format!("({} is {})", short(a), short(b)),
        Predicate::OfKind(scope, kind) => format!("{scope} of kind {kind}"),
        Predicate::Compare(a, op, b) => format!("{} {} {}", value(a), sign(op), value(b)),
        Predicate::In(it, values) => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("{} in ({})", value(it), values.join(","))
        }
        Predicate::Text(it, test, text) => format!("{test:?}({},{})", value(it), value(text)),
        Predicate::Lambda { kind, over, body } => {
            let over = collection(over);
            let body = body.as_deref().map(short).unwrap_or_default();
            format!("{over} {kind:?}[{body}]")
        }
    }
}

fn filter(text: &str) -> Result<String, BindError> {
    let text: String = text.replace('%', "%25").replace('+', "%2B").replace("&@", "\u{1}");
    let text = text.replace('&', "%26").replace('\u{1}', "&@");
    query(&format!("$filter={text}")).map(|it| short(&it.filter.unwrap()))
}

#[test]
fn filters_are_typed_by_the_model() {
    for (text, expected) in [
        ("topic eq 'a'", "0.topic eq 'a'"),
        ("TOPIC gt 'a'", "0.topic gt 'a'"),
        ("'a' lt topic", "0.topic gt 'a'"),
        ("5 ge seats", "0.seats le 5"),
        ("5 eq seats", "0.seats eq 5"),
        ("$it/topic eq 'a'", "0.topic eq 'a'"),
        ("test.model.room/topic eq 'a'", "0.topic eq 'a'"),
        ("site/street eq 'a'", "0.site.street eq 'a'"),
        ("isOpen", "0.isOpen"),
        ("not isOpen", "not 0.isOpen"),
        ("isOpen eq true", "0.isOpen eq true"),
        ("true", "true"),
        ("weight gt 1", "0.weight gt 1.0"),
        ("visits eq 5", "0.visits eq 5"),
        ("seats eq visits", "0.seats eq 0.visits"),
        ("topic ne subtitle", "0.topic ne 0.subtitle"),
        ("built lt closed", "0.built lt 0.closed"),
        ("built ge 2017-01-01T00:00:00+03:00", "0.built ge 2017-01-01T00:00:00+03:00"),
        ("built ge '2017-01-01T00:00:00Z'", "0.built ge 2017-01-01T00:00:00Z"),
        (
            "id eq 8D12587E-587e-8d12-7e58-128D7E58128d",
            "0.id eq '8d12587e-587e-8d12-7e58-128d7e58128d'",
        ),
        ("id gt 'a'", "0.id gt 'a'"),
        (
            "token eq '8D12587E-587e-8d12-7e58-128D7E58128d'",
            "0.token eq 8d12587e-587e-8d12-7e58-128d7e58128d",
        ),
        ("colour eq 'DARKBLUE'", "0.colour eq 'darkBlue'"),
        ("colour ne x.Colour'Red'", "0.colour ne 'red'"),
        ("colour in ('RED',null)", "0.colour in ('red',null)"),
        ("colour eq site/colour", "0.colour eq 0.site.colour"),
        ("topic eq null", "0.topic eq null"),
        ("null ne topic", "0.topic ne null"),
        ("topic gt null", "false"),
        ("isOpen lt null", "false"),
        ("topic in ('a','b')", "0.topic in ('a','b')"),
        ("StartsWith(topic,'a')", "StartsWith(0.topic,'a')"),
        ("endswith(site/street,'a')", "EndsWith(0.site.street,'a')"),
        ("contains(topic,'a') eq true", "Contains(0.topic,'a')"),
        ("false eq contains(topic,'a')", "not Contains(0.topic,'a')"),
        ("(seats in (1)) ne true", "not 0.seats in (1)"),
        ("isOpen and seats gt 1 or false", "((0.isOpen and 0.seats gt 1) or false)"),
        ("isOpen and (seats gt 1 or false)", "(0.isOpen and (0.seats gt 1 or false))"),
        ("true and isOpen and false", "((true and 0.isOpen) and false)"),
        ("seats eq 1.5", "0.seats eq 1.5"),
        ("1 eq 1", "1 eq 1"),
        ("null eq 1", "1 eq null"),
        ("length(topic) eq 5", "Length(0.topic) eq 5"),
        ("5 lt LENGTH(topic)", "Length(0.topic) gt 5"),
        ("contains('a',topic)", "Contains('a',0.topic)"),
        ("contains(tolower(topic),subtitle)", "Contains(ToLower(0.topic),0.subtitle)"),
        (
            "substring(concat(topic,'x'),1,indexof(topic,'a') sub 1) eq trim(subtitle)",
            "Substring(Concat(0.topic,'x'),1,(IndexOf(0.topic,'a') Sub 1)) eq Trim(0.subtitle)",
        ),
        ("seats add 1 mul 2 eq visits mod 3", "(0.seats Add (1 Mul 2)) eq (0.visits Mod 3)"),
        ("seats div 2 eq 1", "(0.seats Div 2) eq 1"),
        ("seats div 2.0 eq 1", "(0.seats DivBy 2.0) eq 1.0"),
        ("seats divby 2 eq 1", "(0.seats DivBy 2) eq 1.0"),
        ("round(weight) eq 1", "Round(0.weight) eq 1.0"),
        ("round(seats) eq 1", "0.seats eq 1"),
        ("-seats lt -5", "-0.seats lt -5"),
        ("year(built) eq 2020", "Year(Date(0.built)) eq 2020"),
        ("year(2020-01-01) eq 2020", "Year(2020-01-01) eq 2020"),
        ("hour(built) eq hour(07:00:00)", "Hour(Time(0.built)) eq Hour(07:00:00)"),
        ("date(built) ge 2020-01-01", "Date(0.built) ge 2020-01-01"),
        ("time(built) lt 12:00", "Time(0.built) lt 12:00:00"),
        ("built gt closed sub duration'P1D'", "0.built gt (0.closed Sub duration'P1DT0S')"),
        ("totalseconds(closed sub built) gt 60", "TotalSeconds((0.closed Sub 0.built)) gt 60.0"),
        ("closed lt maxdatetime()", "0.closed lt 9999-12-31T23:59:59.9999999Z"),
        ("tags/$count gt 1", "#0.tags gt 1"),
        ("notes/$count eq seats", "#0/notes eq 0.seats"),
        ("length(tags) eq 1", "#0.tags eq 1"),
        ("colour has x.colour'red'", "0.colour in ('red','darkBlue')"),
        ("colour has 'darkBlue'", "0.colour in ('darkBlue')"),
        ("'a' in tags", "0.tags Any[1 eq 'a']"),
        ("subtitle in tags", "0.tags Any[1 eq 0.subtitle]"),
        ("hassubset(tags,[\"a\",'b'])", "(0.tags Any[1 eq 'a'] and 0.tags Any[1 eq 'b'])"),
        ("cast(topic,Edm.Int32) gt 5", "ToWhole(0.topic) gt 5"),
        ("cast(seats,'Edm.String') eq '5'", "ToText(0.seats) eq '5'"),
        ("cast(built,Edm.Date) eq 2020-01-01", "Date(0.built) eq 2020-01-01"),
        ("isof(test.model.room)", "true"),
        ("isof('test.model.entity')", "true"),
        ("isof(test.model.note)", "false"),
        ("isof(topic,Edm.String)", "0.topic ne null"),
        ("isof(topic,Edm.Int32)", "false"),
        ("cards/any(c:isof(c,test.model.letter))", "0/cards Any[1 of kind 1]"),
        (
            "contains(topic,'a') eq isOpen",
            "(0.isOpen ne null and (Contains(0.topic,'a') is 0.isOpen))",
        ),
        ("(seats eq 1) ne (visits eq 2)", "not (0.seats eq 1 is 0.visits eq 2)"),
        ("seats eq 1 eq true", "0.seats eq 1"),
        ("topic eq @p&@p='x'", "0.topic eq 'x'"),
        ("topic in @List&@list=[\"a\",'b']", "0.topic in ('a','b')"),
        ("topic eq @p", "0.topic eq null"),
        ("@P and isOpen&@p=seats gt 1 or false", "((0.seats gt 1 or false) and 0.isOpen)"),
    ] {
        assert_eq!(
            filter(text).unwrap_or_else(|error| panic!("{text}: {error}")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn lambdas_have_scopes() {
    for (text, expected) in [
        ("tags/any(t: t eq 'a')", "0.tags Any[1 eq 'a']"),
        ("tags/any(t: T eq 'a')", "0.tags Any[1 eq 'a']"),
        ("tags/any()", "0.tags Any[]"),
        (
            "$it/tags/all(t: contains(t,'a') and t ne topic)",
            "0.tags All[(Contains(1,'a') and 1 ne 0.topic)]",
        ),
        ("scores/any(s: s ge 5 or seats lt s)", "0.scores Any[(1 ge 5 or 0.seats lt 1)]"),
        ("guests/any(g: g/address/street eq 'a')", "0.guests Any[1.address.street eq 'a']"),
        (
            "guests/any(g: g/aliases/any(a: a eq g/name))",
            "0.guests Any[1.aliases Any[2 eq 1.name]]",
        ),
        (
            "notes/any(n: n/text eq topic and n/files/any(f: f/name eq n/author/name))",
            "0/notes Any[(1.text eq 0.topic and 1/files Any[2.name eq 1.author.name])]",
        ),
        ("notes/any(n: n/files/any())", "0/notes Any[1/files Any[]]"),
        (
            "tags/any(x: x eq 'a') and tags/any(x: x eq 'b')",
            "(0.tags Any[1 eq 'a'] and 0.tags Any[1 eq 'b'])",
        ),
    ] {
        assert_eq!(
            filter(text).unwrap_or_else(|error| panic!("{text}: {error}")),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_a_filter_cannot_be_is_said_by_name() {
    for (text, expected) in [
        ("nope eq 1", "Could not find a property named 'nope' on type 'test.model.room'."),
        ("topic/x eq 1", "Could not find a property named 'x' on type 'Edm.String'."),
        (
            "guests/name eq 'a'",
            "Could not find a property named 'name' on type 'Collection(test.model.person)'.",
        ),
        ("tags/any(t: t/x eq 1)", "Could not find a property named 'x' on type 'Edm.String'."),
        ("hidden eq 'a'", "property 'hidden' of 'room' cannot be used in $filter"),
        ("site/secret eq 'a'", "property 'site/secret' of 'room' cannot be used in $filter"),
        ("shadow/street eq 'a'", "property 'shadow/street' of 'room' cannot be used in $filter"),
        ("private/any(p: p eq 'a')", "property 'private' of 'room' cannot be used in $filter"),
        (
            "guests/any(g: g/address/secret eq 'a')",
            "property 'g/address/secret' of 'person' cannot be used in $filter",
        ),
        ("notes/text eq 'a'", "property 'notes' of 'room' cannot be used in $filter"),
        ("archive/any(n: n/text eq 'a')", "property 'archive' of 'room' cannot be used in $filter"),
        ("notes/any(n: n eq 1)", "property 'n' of 'note' cannot be used in $filter"),
        ("parent/any(n: true)", "in $filter, 'parent' is not a collection: any and all need one"),
        ("topic/any(n: true)", "in $filter, 'topic' is not a collection: any and all need one"),
        ("tags/any(t: tags/any(T: true))", "in $filter, the lambda variable 'T' is declared twice"),
        ("tags/any($it: true)", "in $filter, the lambda variable '$it' is declared twice"),
        ("topic", "in $filter, 'topic' is not a condition"),
        ("'a'", "in $filter, 'a' is not a condition"),
        ("topic eq 5", "in $filter, 'topic' is Edm.String and cannot be compared with 5"),
        ("seats eq '5'", "in $filter, 'seats' is Edm.Int32 and cannot be compared with '5'"),
        (
            "built eq '2017'",
            "in $filter, 'built' is Edm.DateTimeOffset and cannot be compared with '2017'",
        ),
        (
            "topic eq seats",
            "in $filter, 'topic' is Edm.String and cannot be compared with 'seats', which is Edm.Int32",
        ),
        (
            "colour eq 'green'",
            "in $filter, 'colour' is one of 'red', 'darkBlue' (test.model.colour) and cannot be \
             compared with 'green'",
        ),
        (
            "colour gt 'red'",
            "in $filter, 'colour' is one of 'red', 'darkBlue' (test.model.colour) and cannot be \
             compared by order: use eq or ne",
        ),
        (
            "isOpen gt false",
            "in $filter, 'isOpen' is Edm.Boolean and cannot be compared by order: use eq or ne",
        ),
        (
            "owner eq null",
            "in $filter, 'owner' is test.model.person and cannot be compared as a whole: name one of \
             its members",
        ),
        (
            "tags eq 'a'",
            "in $filter, 'tags' is a collection of Edm.String and cannot be compared as a whole: use any or all",
        ),
        (
            "contains(id,'a')",
            "in $filter, 'id' is an identifier (Edm.String) and cannot be used with the function 'contains'",
        ),
        (
            "contains(seats,'a')",
            "in $filter, 'seats' is Edm.Int32 and cannot be used with the function 'contains'",
        ),
        (
            "contains(topic)",
            "the function 'contains' with 1 arguments, not 2, is not supported in $filter",
        ),
        (
            "length(seats) eq 5",
            "in $filter, 'seats' is Edm.Int32 and cannot be used with the function 'length'",
        ),
        ("nope(topic) eq 5", "the function 'nope' is not supported in $filter"),
        ("matchespattern(topic,'a')", "the function 'matchespattern' is not supported in $filter"),
        (
            "cast(topic,Edm.Double) eq 5",
            "in $filter, 'topic' is Edm.String and cannot be cast to Edm.Double",
        ),
        ("cast(topic,Edm.Nope) eq 5", "the type 'Edm.Nope' is not supported in $filter"),
        (
            "seats add topic eq 5",
            "in $filter, 'seats' is Edm.Int32 and cannot be the left of 'add' with 'topic', which is \
             Edm.String",
        ),
        (
            "weight mod 2 eq 1",
            "in $filter, 'weight' is Edm.Double and cannot be the left of 'mod' with '2', which is \
             Edm.Int64",
        ),
        ("seats add 1", "in $filter, 'seats add 1' is not a condition"),
        ("length(topic)", "in $filter, 'length(topic)' is not a condition"),
        (
            "seats has 'red'",
            "in $filter, 'seats' is Edm.Int32 and cannot be used with 'has', which takes enum values",
        ),
        ("-topic eq 5", "in $filter, 'topic' is Edm.String and cannot be negated"),
        ("topic/$count gt 5", "in $filter, 'topic' is not a collection: any and all need one"),
        ("parent/$count gt 5", "in $filter, 'parent' is not a collection: any and all need one"),
        ("private/$count gt 5", "property 'private' of 'room' cannot be used in $filter"),
        (
            "built sub 5 eq null",
            "in $filter, 'built' is Edm.DateTimeOffset and cannot be the left of \
             'sub' with '5', which is Edm.Int64",
        ),
        (
            "contains(topic,'a') eq 5",
            "a condition compared with anything but a truth value is not supported in $filter",
        ),
        (
            "id eq topic",
            "in $filter, 'id' is an identifier (Edm.String) and cannot be compared with \
             'topic', which is Edm.String",
        ),
        (
            "seats in tags",
            "in $filter, 'seats' is Edm.Int32 and cannot be compared with 'tags', which is Edm.String",
        ),
        ("'a' in notes", "'in' with a collection of entities is not supported in $filter"),
        (
            "hassubset(tags,'a')",
            "'hassubset' without a list such as ['a','b'] is not supported in $filter",
        ),
        ("topic eq ['a']", "a list in the place of a value is not supported in $filter"),
    ] {
        assert_eq!(
            filter(text).map_err(|error| error.to_string()),
            Err(expected.to_owned()),
            "{text}"
        );
    }
}

#[test]
fn a_long_chain_comes_out_shallow() {
    let text: Vec<String> = (0..1000).map(|it| format!("seats eq {it}")).collect();
    let bound = query(&format!("$filter={}", text.join(" or "))).unwrap().filter.unwrap();
    fn depth(predicate: &Predicate) -> usize {
        match predicate {
            Predicate::Or(a, b) => 1 + depth(a).max(depth(b)),
            _ => 0,
        }
    }
    assert_eq!(depth(&bound), 10);
    let all = short(&bound).replace(['(', ')'], "");
    assert_eq!(all, text.join(" or ").replace("seats", "0.seats"), "the order is kept");
}
