//! Paths and queries as text, and what they are bound to or refused for.
//!
//! **Invariant:** every case goes through the parser, so that what is bound is what a client can send.

use std::fmt::Write as _;

use super::*;
use crate::syntax::{Limits, parse_path, parse_query};
use crate::testing::{FILE, MODEL, NOTE, ROOM};

const LIMITS: Limits = Limits { depth: 20, nodes: 5000, expand_depth: 4, items: 50, segments: 20 };

fn path(text: &str) -> Result<Path, BindError> {
    bind_path(&MODEL, &parse_path(text, &LIMITS).unwrap())
}

/// A path in short: `rooms key(7) notes $count`.
fn steps(path: &Path) -> String {
    let mut text = path.root.name.to_owned();
    for step in &path.steps {
        let _ = match step {
            Step::Key(key) => write!(text, " key({key})"),
            Step::Navigation(it) => write!(text, " {}", it.name),
            Step::Cast(it) => write!(text, " cast({})", it.name),
            Step::Narrow(it) => write!(text, " narrow({})", it.name),
            Step::Property(it) => write!(text, " .{}", it.name),
            Step::Action(it) => write!(text, " {}()", it.name),
            Step::Count => write!(text, " $count"),
            Step::Value => write!(text, " $value"),
            Step::Ref => write!(text, " $ref"),
        };
    }
    text
}

#[test]
fn paths_are_resolved_segment_by_segment() {
    for (text, expected, entity) in [
        ("rooms", "rooms", "room"),
        (
            "rooms/7/cards/Test.Model.Picture/9/$value",
            "rooms key(7) cards narrow(picture) key(9) $value",
            "card",
        ),
        ("rooms/7/cards/9/test.model.letter", "rooms key(7) cards key(9) narrow(letter)", "card"),
        ("/ROOMS/7/Notes/$COUNT", "rooms key(7) notes $count", "note"),
        ("rooms('o''hara')/parent/parent", "rooms key(o'hara) parent parent", "room"),
        ("rooms(id='7')/notes('8')", "rooms key(7) notes key(8)", "note"),
        ("lobby/notes/$ref", "lobby notes $ref", "note"),
        ("lobby/notes/5/$ref", "lobby notes key(5) $ref", "note"),
        ("lobby/parent/$ref", "lobby parent $ref", "room"),
        ("lobby/close", "lobby close()", "room"),
        ("lobby/close()", "lobby close()", "room"),
        ("lobby/Other.Namespace.CLOSE", "lobby close()", "room"),
        ("rooms/sweep", "rooms sweep()", "room"),
        ("rooms/test.model.sweep()", "rooms sweep()", "room"),
        // A navigation goes before an action; parentheses or a namespace ask for the action.
        ("lobby/notes", "lobby notes", "note"),
        ("lobby/notes()", "lobby notes()", "room"),
        ("lobby/test.model.notes", "lobby notes()", "room"),
        ("rooms/7/topic", "rooms key(7) .topic", "room"),
        (
            "rooms/7/owner/address/street/$value",
            "rooms key(7) .owner .address .street $value",
            "room",
        ),
        ("rooms/7/tags", "rooms key(7) .tags", "room"),
        ("lobby/parts/1/$value", "lobby parts key(1) $value", "file"),
        ("lobby/parts/test.model.FILE", "lobby parts cast(file)", "file"),
        ("lobby/parts/test.model.file/$count", "lobby parts cast(file) $count", "file"),
        ("lobby/parts/test.model.file('1')", "lobby parts cast(file) key(1)", "file"),
        ("lobby/parts/1/test.model.file/name", "lobby parts key(1) cast(file) .name", "file"),
        // Keys that look like names of other things.
        ("rooms/anna@example.file", "rooms key(anna@example.file)", "room"),
        ("rooms/topic", "rooms key(topic)", "room"),
        ("rooms/a.b", "rooms key(a.b)", "room"),
        ("rooms/AAQk%2Fx%3D%3D", "rooms key(AAQk/x==)", "room"),
    ] {
        let path = path(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(steps(&path), expected, "{text}");
        assert_eq!(path.entity().name, entity, "{text}");
    }
}

#[test]
fn what_the_model_does_not_declare_is_an_unknown_segment() {
    for (text, segment, after) in [
        ("nope", "nope", "the service root"),
        ("rooms()", "rooms", "the service root"),
        ("rooms/7/nope", "nope", "'test.model.room'"),
        ("rooms/7/topic()", "topic", "'test.model.room'"),
        ("rooms/7/topic('x')", "topic", "'test.model.room'"),
        ("rooms/7/close('x')", "close", "'test.model.room'"),
        ("rooms/delta()", "delta", "a collection of 'test.model.room'"),
        ("rooms/test.model.delta", "test.model.delta", "a collection of 'test.model.room'"),
        ("rooms/close()", "close", "a collection of 'test.model.room'"),
        ("rooms/$nope", "$nope", "a collection of 'test.model.room'"),
        ("rooms/7/owner/nope", "nope", "'test.model.person'"),
    ] {
        let expected =
            BindError::UnknownSegment { segment: segment.to_owned(), after: after.to_owned() };
        assert_eq!(path(text).unwrap_err(), expected, "{text}");
    }
}

#[test]
fn misuse_of_what_is_declared_is_another_error() {
    assert_eq!(path("").unwrap_err(), BindError::EmptyPath);
    for (text, expected) in [
        ("lobby('7')", "the segment 'lobby' is a single entity and takes no key"),
        ("lobby/parent('7')", "the segment 'parent' is a single entity and takes no key"),
        ("lobby/close/x", "the segment 'x' cannot follow 'close'"),
        ("rooms/$count/x", "the segment 'x' cannot follow '$count'"),
        ("lobby/notes/$ref/$count", "the segment '$count' cannot follow '$ref'"),
        ("lobby/parts/1/$value/$value", "the segment '$value' cannot follow '$value'"),
        ("rooms/$ref", "the segment '$ref' cannot follow a collection of 'test.model.room'"),
        ("rooms/7/$ref", "the segment '$ref' cannot follow 'test.model.room'"),
        ("rooms/7/$count", "the segment '$count' cannot follow 'test.model.room'"),
        ("rooms/7/$value", "the segment '$value' cannot follow 'test.model.room'"),
        ("rooms/$value", "the segment '$value' cannot follow a collection of 'test.model.room'"),
        ("rooms/7/topic/x", "the segment 'x' cannot follow the property 'topic'"),
        ("rooms/7/tags/$value", "the segment '$value' cannot follow the property 'tags'"),
        ("rooms/7/owner/$value", "the segment '$value' cannot follow 'test.model.person'"),
        (
            "rooms/test.model.note",
            "the type 'test.model.note' does not derive from 'test.model.room'",
        ),
        (
            "lobby/parts/test.model.note",
            "the type 'test.model.note' does not derive from 'test.model.part'",
        ),
    ] {
        assert_eq!(path(text).unwrap_err().to_string(), expected, "{text}");
    }
}

fn query_on(entity: &'static EntityType, text: &str) -> Result<Query, BindError> {
    bind_query(&MODEL, entity, &parse_query(text, &LIMITS).unwrap())
}

fn query(text: &str) -> Result<Query, BindError> {
    query_on(&ROOM, text)
}

#[test]
fn select_gives_properties_in_the_order_of_the_model() {
    let all = ROOM.properties.len();
    assert!(query("").unwrap().select.is_none());
    assert_eq!(query("$select=*,topic").unwrap().select.unwrap().len(), all);
    for (text, expected) in [
        ("seats,TOPIC,topic", "id topic seats"),
        ("test.model.room/topic", "id topic"),
        ("owner/address/street,owner", "id owner"),
        ("guests/name", "id guests"),
        ("@odata.etag,hidden", "id hidden"),
        ("topic,notes&$expand=notes", "id topic"),
        ("notes&$expand=notes", "id"),
    ] {
        let selected = query(&format!("$select={text}")).unwrap().select.unwrap();
        let names: Vec<_> = selected.iter().map(|it| it.name).collect();
        assert_eq!(names.join(" "), expected, "{text}");
    }
}

#[test]
fn expand_is_bound_against_the_target() {
    let bound =
        query("$expand=Notes($select=text;$top=5;$expand=room($select=topic)),parts").unwrap();
    assert_eq!(
        bound.expand.iter().map(|it| it.navigation.name).collect::<Vec<_>>(),
        ["notes", "parts"]
    );
    let notes = &bound.expand[0];
    assert_eq!((notes.query.entity.name, notes.query.top), ("note", Some(5)));
    assert_eq!(notes.options.top, Some(5));
    assert_eq!(notes.query.expand[0].query.entity.name, "room");
    assert_eq!(query("$expand=test.model.ROOM/notes").unwrap().expand[0].navigation.name, "notes");
    assert_eq!(query_on(&FILE, "$expand=x.part/note").unwrap().expand[0].navigation.name, "note");
}

#[test]
fn the_other_options_are_carried_over() {
    let bound =
        query("$top=5&$skip=2&$count=true&$skiptoken=t&$search=x&$format=json&@p=1").unwrap();
    assert_eq!((bound.top, bound.skip, bound.count), (Some(5), Some(2), true));
    assert_eq!(bound.skip_token.as_deref(), Some("t"));
    let bound = query("$orderby=seats desc,$it/site/street,topic asc").unwrap();
    let keys: Vec<_> =
        bound.order_by.iter().map(|it| (member(&it.member), it.descending)).collect();
    let expected = [("0.seats", true), ("0.site.street", false), ("0.topic", false)];
    assert_eq!(keys, expected.map(|(name, descending)| (name.to_owned(), descending)));
}

#[test]
fn what_a_query_cannot_be_is_said_by_name() {
    for (text, expected) in [
        ("$select=nope", "Could not find a property named 'nope' on type 'test.model.room'."),
        ("$select=topic/x", "Could not find a property named 'x' on type 'Edm.String'."),
        ("$select=owner/x", "Could not find a property named 'x' on type 'test.model.person'."),
        (
            "$select=notes",
            "'notes' of 'room' leads to other entities: $select it together with $expand=notes",
        ),
        ("$top=0", "$top must be at least 1"),
        ("$apply=x", "$apply is not supported"),
        ("$expand=nope", "Could not find a property named 'nope' on type 'test.model.room'."),
        ("$expand=topic", "property 'topic' of 'room' cannot be used in $expand"),
        ("$expand=archive", "property 'archive' of 'room' cannot be used in $expand"),
        ("$expand=*", "'*' is not supported in $expand"),
        ("$expand=notes/$count", "the path 'notes/$count' is not supported in $expand"),
        ("$expand=notes/$ref", "the path 'notes/$ref' is not supported in $expand"),
        ("$expand=notes/files", "the path 'notes/files' is not supported in $expand"),
        ("$expand=x.item/y", "Could not find a property named 'y' on type 'x.item'."),
        ("$expand=notes,NOTES", "'notes' is expanded twice"),
        ("$expand=notes($top=0)", "$top must be at least 1"),
        ("$expand=notes($skiptoken=x)", "$skiptoken is not supported in $expand"),
        ("$expand=notes($search=x)", "$search is not supported in $expand"),
        ("$expand=parent($top=1)", "$top has no meaning for 'parent', which is a single entity"),
        (
            "$expand=parent($select=nope)",
            "Could not find a property named 'nope' on type 'test.model.room'.",
        ),
        ("$orderby=nope", "Could not find a property named 'nope' on type 'test.model.room'."),
        ("$orderby=isOpen", "property 'isOpen' of 'room' cannot be used in $orderby"),
        ("$orderby=notes/text", "property 'notes' of 'room' cannot be used in $orderby"),
        ("$orderby=site/secret", "property 'site/secret' of 'room' cannot be used in $orderby"),
        ("$orderby=shadow/street", "property 'shadow/street' of 'room' cannot be used in $orderby"),
        (
            "$orderby=owner",
            "in $orderby, 'owner' is test.model.person and cannot be sorted by as a whole: name one \
             of its members",
        ),
        (
            "$orderby=length(topic)",
            "an expression that is not a property is not supported in $orderby",
        ),
    ] {
        assert_eq!(query(text).unwrap_err().to_string(), expected, "{text}");
    }
}

fn member(member: &Member) -> String {
    let names = member.path.iter().map(|it| format!(".{}", it.name));
    format!("{}{}", member.scope, names.collect::<String>())
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
        Predicate::Compare(it, op, value) => format!("{} {} {value}", member(it), sign(op)),
        Predicate::CompareMembers(a, op, b) => format!("{} {} {}", member(a), sign(op), member(b)),
        Predicate::In(it, values) => {
            let values: Vec<_> = values.iter().map(ToString::to_string).collect();
            format!("{} in ({})", member(it), values.join(","))
        }
        Predicate::Text(it, test, text) => format!("{test:?}({},{text})", member(it)),
        Predicate::Lambda { kind, over, body } => {
            let over = match over {
                Collection::Values(it) => member(it),
                Collection::Entities { scope, navigation } => {
                    format!("{scope}/{}", navigation.name)
                }
            };
            let body = body.as_deref().map(short).unwrap_or_default();
            format!("{over} {kind:?}[{body}]")
        }
    }
}

fn filter(text: &str) -> Result<String, BindError> {
    let text: String = text.replace('%', "%25").replace('+', "%2B").replace('&', "%26");
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
        ("StartsWith(topic,'a')", "StartsWith(0.topic,a)"),
        ("endswith(site/street,'a')", "EndsWith(0.site.street,a)"),
        ("contains(topic,'a') eq true", "Contains(0.topic,a)"),
        ("false eq contains(topic,'a')", "not Contains(0.topic,a)"),
        ("(seats in (1)) ne true", "not 0.seats in (1)"),
        ("isOpen and seats gt 1 or false", "((0.isOpen and 0.seats gt 1) or false)"),
        ("isOpen and (seats gt 1 or false)", "(0.isOpen and (0.seats gt 1 or false))"),
        ("true and isOpen and false", "((true and 0.isOpen) and false)"),
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
            "0.tags All[(Contains(1,a) and 1 ne 0.topic)]",
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
        ("seats eq 1.5", "in $filter, 'seats' is Edm.Int32 and cannot be compared with 1.5"),
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
            "contains('a',topic)",
            "the function 'contains' with anything but a property and a string is not supported in $filter",
        ),
        ("length(topic) eq 5", "the function 'length' is not supported in $filter"),
        ("cast(topic,Edm.Int32) eq 5", "the function 'cast' is not supported in $filter"),
        ("seats add 1 eq 5", "the operator 'add' inside a comparison is not supported in $filter"),
        ("seats add 1", "the operator 'add' is not supported in $filter"),
        ("colour has x.colour'red'", "the operator 'has' is not supported in $filter"),
        ("-seats eq 5", "the operator '-' is not supported in $filter"),
        ("notes/$count gt 5", "'$count' is not supported in $filter"),
        ("topic eq @p", "the parameter alias '@p' is not supported in $filter"),
        ("1 eq 1", "a comparison without a property is not supported in $filter"),
        (
            "contains(topic,'a') eq isOpen",
            "a condition compared with anything but true or false is not supported in $filter",
        ),
        ("seats eq 1 eq true", "a comparison inside another is not supported in $filter"),
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

#[test]
fn an_open_type_selects_by_name_what_it_does_not_declare() {
    let named = |names: &[&str]| Dynamic::Named(names.iter().map(|it| (*it).to_owned()).collect());
    for (text, dynamic) in [
        ("", Dynamic::All),
        ("$select=*", Dynamic::All),
        ("$select=*,Extra", Dynamic::All),
        ("$select=text", named(&[])),
        ("$select=text,Extra,more_2", named(&["Extra", "more_2"])),
    ] {
        assert_eq!(query_on(&NOTE, text).unwrap().dynamic, dynamic, "{text}");
    }
    for text in ["$select=extra/deep", "$select=my.extra", "$select=archive.extra"] {
        let error = query_on(&NOTE, text).unwrap_err();
        assert!(error.is_unknown_property(), "{error}");
    }
    assert!(query("$select=extra").unwrap_err().is_unknown_property(), "a closed type");
}
