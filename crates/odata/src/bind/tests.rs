//! Paths and queries as text, and what they are bound to or refused for.
//!
//! **Invariant:** every case goes through the parser, so that what is bound is what a client can send.

mod filters;

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
        // The service's own is described as a function of its own namespace.
        ("lobby/own.visits", "lobby own.visits", "visit"),
        ("lobby/own.visits()/7", "lobby own.visits key(7)", "visit"),
        ("lobby/archive", "lobby archive", "note"),
        ("lobby/own.archive()", "lobby archive", "note"),
        ("lobby/own.knock", "lobby own.knock()", "room"),
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
        ("rooms/7/own.parts", "own.parts", "'test.model.room'"),
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
    let all = ROOM.properties.iter().filter(|it| MODEL.describes(it)).count();
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
    let shown = |text| query(text).unwrap().expand[0].shows;
    assert_eq!(shown("$expand=notes/$COUNT($filter=text eq 'a')"), Shows::Count);
    assert_eq!(shown("$expand=parts/$ref($top=1)"), Shows::References);
    assert_eq!(shown("$expand=notes"), Shows::Entities);
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
        ("$expand=notes/$ref", "'notes/$ref' of contained entities is not supported in $expand"),
        ("$expand=parent/$count", "'parent/$count' of a single entity is not supported in $expand"),
        (
            "$expand=parts/$ref($select=id)",
            "'parts/$ref' with $select or $expand is not supported in $expand",
        ),
        (
            "$expand=notes/$count($top=1)",
            "'notes/$count' with an order or a page is not supported in $expand",
        ),
        ("$expand=$count", "the path '$count' is not supported in $expand"),
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
