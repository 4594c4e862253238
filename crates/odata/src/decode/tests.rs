//! What bodies are taken and how, and what is said about those that are not.
//!
//! **Invariant:** every case is a body as text and what a user of the crate sees of it.

use super::*;
use crate::json::parse;
use crate::testing::{MODEL, ROOM};

fn json(text: &str) -> Json {
    parse(text.as_bytes(), 30).unwrap()
}

fn room(text: &str) -> Result<Record, DecodeError> {
    decode_entity(&MODEL, &ROOM, json(text))
}

fn text(value: &str) -> Field {
    Field::Value(Value::String(value.to_owned()))
}

#[test]
fn values_are_typed_by_the_model() {
    let time = DateTimeOffset::parse("2016-12-31T23:57:18.2088316+03:00").unwrap();
    let cases = [
        ("topic", r#""a""#, text("a")),
        ("TOPIC", r#""""#, text("")),
        ("subtitle", "null", Field::Null),
        ("isOpen", "true", Field::Value(Value::Boolean(true))),
        ("seats", "-2147483648", Field::Value(Value::Int(-2_147_483_648))),
        ("visits", "9007199254740993", Field::Value(Value::Int(9_007_199_254_740_993))),
        ("visits", r#""-5""#, Field::Value(Value::Int(-5))),
        ("weight", "1", Field::Value(Value::Double(1.0))),
        ("weight", "1.5", Field::Value(Value::Double(1.5))),
        (
            "token",
            r#""00010203-0405-0607-0809-0A0B0C0D0E0F""#,
            Field::Value(Value::Guid([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15])),
        ),
        (
            "built",
            r#""2016-12-31T23:57:18.2088316+03:00""#,
            Field::Value(Value::DateTimeOffset(time)),
        ),
        ("icon", r#""+/8=""#, Field::Value(Value::Binary(vec![0xfb, 0xff]))),
        ("icon", r#""-_8""#, Field::Value(Value::Binary(vec![0xfb, 0xff]))),
        ("icon", r#""""#, Field::Value(Value::Binary(vec![]))),
        ("colour", r#""DARKBLUE""#, text("darkBlue")),
        ("colour", r#""""#, Field::Null),
        ("tags", r#"["a","b"]"#, Field::Collection(vec![text("a"), text("b")])),
        ("tags", "[]", Field::Collection(vec![])),
        (
            "owner",
            r##"{"@odata.type":"#Odd.Person","Name":"n","name@x.y":1,"address":{"street":null}}"##,
            Field::Complex(vec![
                ("name", text("n")),
                ("address", Field::Complex(vec![("street", Field::Null)])),
            ]),
        ),
        (
            "guests",
            r#"[{"name":"n"},{}]"#,
            Field::Collection(vec![
                Field::Complex(vec![("name", text("n"))]),
                Field::Complex(vec![]),
            ]),
        ),
    ];
    for (name, value, expected) in cases {
        let record = room(&format!("{{\"{name}\":{value}}}")).unwrap();
        assert_eq!(record.properties[0].1, expected, "{name}: {value}");
    }
}

#[test]
fn a_refused_body_says_what_where_and_why() {
    let unknown = "Make sure to only use property names that are defined by the type or mark the \
                   type as open type.";
    let cases = [
        ("[]", "the body must be a JSON object, not an array".to_owned()),
        (r#"{"topic":null}"#, "property 'topic' must not be null".to_owned()),
        (r#"{"Topic":5}"#, "property 'topic' must be a string (Edm.String), not 5".to_owned()),
        (
            r#"{"seats":2147483648}"#,
            "property 'seats' must be a whole number from -2147483648 to 2147483647 (Edm.Int32), \
             not 2147483648"
                .to_owned(),
        ),
        (
            r#"{"visits":1.5}"#,
            "property 'visits' must be a whole number of at most 64 bits (Edm.Int64), not 1.5"
                .to_owned(),
        ),
        (
            r#"{"built":"2017-01-01"}"#,
            "property 'built' must be a string with date, time and offset such as \
             '2017-01-01T00:00:00Z' (Edm.DateTimeOffset), not '2017-01-01'"
                .to_owned(),
        ),
        (
            r#"{"icon":"a"}"#,
            "property 'icon' must be a string in base64 (Edm.Binary), not 'a'".to_owned(),
        ),
        (
            r#"{"colour":"green"}"#,
            "property 'colour' must be one of 'red', 'darkBlue' (test.model.colour), not 'green'"
                .to_owned(),
        ),
        (
            r#"{"trim":""}"#,
            "property 'trim' must be one of 'red', 'darkBlue' (test.model.colour), not ''"
                .to_owned(),
        ),
        (r#"{"tags":null}"#, "property 'tags' must not be null".to_owned()),
        (r#"{"tags":"a"}"#, "property 'tags' must be an array, not 'a'".to_owned()),
        (r#"{"tags":["a",null]}"#, "property 'tags[1]' must not be null".to_owned()),
        (
            r#"{"owner":"x"}"#,
            "property 'owner' must be a JSON object (test.model.person), not 'x'".to_owned(),
        ),
        (
            r#"{"guests":[{},{"address":{"colour":[]}}]}"#,
            "property 'guests[1].address.colour' must be one of 'red', 'darkBlue' \
             (test.model.colour), not an array"
                .to_owned(),
        ),
        (
            r#"{"owner":{"agee":1}}"#,
            format!(
                "The property 'owner.agee' does not exist on type 'test.model.person'. {unknown}"
            ),
        ),
        (
            r#"{"owner":{"@odata.type":1}}"#,
            "property 'owner.@odata.type' must be a string, not 1".to_owned(),
        ),
        (
            r#"{"topicc":"a"}"#,
            format!("The property 'topicc' does not exist on type 'test.model.room'. {unknown}"),
        ),
        (r#"{"parts":[]}"#, "property 'parts' cannot be sent inside another entity".to_owned()),
        (
            r#"{"notes":{}}"#,
            "property 'notes' must be an array of JSON objects, not an object".to_owned(),
        ),
        (r#"{"notes":[1]}"#, "property 'notes[0]' must be a JSON object, not 1".to_owned()),
        (
            r#"{"parent":{"parent":{"seats":"x"}}}"#,
            "property 'parent.parent.seats' must be a whole number from -2147483648 to 2147483647 \
             (Edm.Int32), not 'x'"
                .to_owned(),
        ),
        (
            r#"{"notes":[{},{"files":[{"name":"x"}]}]}"#,
            "property 'notes[1].files[0]' must name its type in '@odata.type'; accepted: \
             '#test.model.file'"
                .to_owned(),
        ),
        (
            r##"{"notes":[{"files":[{"item":1,"@odata.type":"#test.model.other"}]}]}"##,
            "property 'notes[0].files[0]' cannot have the type '#test.model.other'; accepted: \
             '#test.model.file'"
                .to_owned(),
        ),
        (
            r#"{"topic@odata.bind":"x"}"#,
            format!("The property 'topic' does not exist on type 'test.model.room'. {unknown}"),
        ),
        (
            r#"{"parts@odata.bind":["x",1]}"#,
            "property 'parts@odata.bind[1]' must be a string, not 1".to_owned(),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(room(body).unwrap_err().to_string(), expected, "{body}");
    }
}

#[test]
fn long_texts_are_cut_in_errors() {
    let body = format!(r#"{{"seats":"{}"}}"#, "ä".repeat(1000));
    let DecodeProblem::Mismatch { found, .. } = room(&body).unwrap_err().problem else {
        panic!("not a mismatch")
    };
    assert_eq!(found, format!("'{}…'", "ä".repeat(60)));
}

#[test]
fn a_deep_body_becomes_records_that_know_their_place() {
    let record = room(
        r##"{
            "@odata.type": "#Other.Space.ROOM", "@odata.etag": 5, "topic@odata.type": 7,
            "topic": "t",
            "Notes": [
                {"text": "x", "Extra": {"a": [1]}, "files": [
                    {"@odata.type": "Test.Model.FILE", "name": "f", "bytes": "AAEC"},
                    {"@odata.id": "files/9"}
                ]},
                {"@odata.id": "notes/7"}
            ],
            "parent": null,
            "parts@odata.bind": ["a", "b"], "parent@bind": "c"
        }"##,
    );
    let mut record = record.unwrap();
    assert_eq!(record.type_sent.as_deref(), Some("#Other.Space.ROOM"));
    assert_eq!(record.take("topic").and_then(Field::into_string).as_deref(), Some("t"));
    assert_eq!(record.take("topic"), None);
    assert!(record.properties.is_empty());
    let binds: Vec<_> = record.binds.iter().map(|(it, links)| (it.name, links.join(" "))).collect();
    assert_eq!(binds, [("parts", "a b".to_owned()), ("parent", "c".to_owned())]);

    assert_eq!(record.children.len(), 1, "a null navigation is absent");
    let mut notes = record.take_children("notes").unwrap();
    assert_eq!(notes[1].reference.as_deref(), Some("notes/7"));
    assert_eq!(notes[0].dynamic, [("Extra".to_owned(), json(r#"{"a":[1]}"#))]);
    let mut files = notes[0].take_children("files").unwrap();
    assert_eq!(files[0].at, "notes[0].files[0]");
    assert_eq!(files[0].entity.name, "file");
    assert_eq!(files[0].take("bytes"), Some(Field::Value(Value::Binary(vec![0, 1, 2]))));
    assert_eq!(files[1].reference.as_deref(), Some("files/9"), "a link needs no type");
}

#[test]
fn an_abstract_type_needs_the_name_of_a_derived_one_and_takes_its_properties_alone() {
    let card = |text: &str| room(&format!(r#"{{"cards":[{text}]}}"#));
    let sent = r##"{"TITLE":"t","@odata.type":"#Test.Model.LETTER","text":"x","sent":"never looked at",
        "enclosed":{"@odata.type":"test.model.Map","anything":[1]}}"##;
    let mut letter = card(sent).unwrap().take_children("cards").unwrap().remove(0);
    assert_eq!(letter.derived.map(|it| it.name), Some("letter"));
    assert_eq!(letter.take("text"), Some(text("x")));
    assert_eq!(letter.take("sent"), None, "computed by the service");
    let Some(Field::Document("map", document)) = letter.take("enclosed") else { panic!() };
    assert_eq!(document, json(r#"{"@odata.type":"test.model.Map","anything":[1]}"#));
    let itself = card(r##"{"@odata.type":"#test.model.card","title":"t"}"##).unwrap();
    assert!(itself.children[0].1[0].derived.is_none());
    let cases = [
        (
            r#"{"title":"t"}"#,
            "property 'cards[0]' must name its type in '@odata.type'; accepted: \
             '#test.model.picture', '#test.model.letter'",
        ),
        (
            r#"{"@odata.type":"picture","text":"x"}"#,
            "The property 'cards[0].text' does not exist on type 'test.model.picture'. Make sure to \
             only use property names that are defined by the type or mark the type as open type.",
        ),
        (
            r#"{"@odata.type":"letter","enclosed":{"a":1}}"#,
            "property 'cards[0].enclosed' must name its type in '@odata.type'; accepted: \
             '#test.model.map', '#test.model.bill'",
        ),
        (
            r#"{"@odata.type":"letter","enclosed":{"@odata.type":"room"}}"#,
            "property 'cards[0].enclosed' cannot have the type 'room'; accepted: \
             '#test.model.map', '#test.model.bill'",
        ),
        (
            r#"{"@odata.type":"letter","enclosed":7}"#,
            "property 'cards[0].enclosed' must be a JSON object, not 7",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(card(body).unwrap_err().to_string(), expected, "{body}");
    }
}

#[test]
fn parameters_are_taken_in_any_letter_case() {
    let close = ROOM.action("close", false).unwrap();
    let decode = |body: Option<&str>| decode_parameters(&MODEL, close, body.map(json));
    let sent = decode(Some(r#"{"NOTE":{"text":"x"},"comment":null,"guests":[{"name":"n"}]}"#));
    let sent = sent.unwrap();
    assert_eq!(sent.iter().map(|(it, _)| it.name).collect::<Vec<_>>(), ["Note", "guests"]);
    assert!(matches!(&sent[0].1, Argument::Record(it) if it.at == "Note"));
    let cases = [
        (None, "the action 'close' needs its parameter 'Note'"),
        (Some("{}"), "the action 'close' needs its parameter 'Note'"),
        (Some(r#"{"note":null}"#), "the action 'close' needs its parameter 'Note'"),
        (Some("[]"), "the body must be a JSON object, not an array"),
        (Some(r#"{"text":1}"#), "the action 'close' has no parameter 'text'"),
        (
            Some(r#"{"note":{"author":{"name":1}}}"#),
            "property 'Note.author.name' must be a string (Edm.String), not 1",
        ),
        (
            Some(r#"{"note":{},"comment":5}"#),
            "property 'Comment' must be a string (Edm.String), not 5",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(decode(body).unwrap_err().to_string(), expected);
    }
}
